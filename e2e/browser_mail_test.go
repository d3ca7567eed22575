package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// mailbox is a mail server on loopback that takes everything, so that people of a
// test read their mail.
type mailbox struct {
	address string
	mu      sync.Mutex
	list    []struct{ to, text string }
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{address: l.Addr().String()}
	var wg sync.WaitGroup
	var open sync.Map
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, true)
			wg.Go(func() { m.talk(c); open.Delete(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Range(func(c, _ any) bool {
			if c, ok := c.(net.Conn); ok {
				_ = c.Close()
			}
			return true
		})
		wg.Wait()
	})
	return m
}

// talk is the server's side of SMTP, as much of it as a client needs.
func (m *mailbox) talk(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewScanner(c)
	in.Buffer(nil, 1<<20)
	say := func(s string) { _, _ = fmt.Fprintf(c, "%s\r\n", s) }
	say("220 mailbox.example ready")
	var to string
	for in.Scan() {
		switch word := strings.ToUpper(strings.SplitN(in.Text(), " ", 2)[0]); word {
		case "EHLO", "HELO":
			say("250 mailbox.example")
		case "RCPT":
			_, rest, _ := strings.Cut(in.Text(), "<")
			to, _, _ = strings.Cut(rest, ">")
			say("250 ok")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for in.Scan() && in.Text() != "." {
				line := in.Text()
				if soft, cut := strings.CutSuffix(line, "="); cut { // quoted-printable: the line goes on
					text.WriteString(soft)
				} else {
					text.WriteString(line + "\n")
				}
			}
			m.mu.Lock()
			m.list = append(m.list, struct{ to, text string }{to, strings.ReplaceAll(text.String(), "=3D", "=")})
			m.mu.Unlock()
			say("250 kept")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// to gives the mails of one person.
func (m *mailbox) to(address string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for _, x := range m.list {
		if x.to == address {
			list = append(list, x.text)
		}
	}
	return list
}
