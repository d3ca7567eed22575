package support

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
	"time"
)

// Security says how the way to the mail server is protected.
type Security string

// The ways to the mail server.
const (
	WhenOffered Security = ""         // STARTTLS if the server offers it
	StartTLS    Security = "starttls" // STARTTLS, or not at all
	TLS         Security = "tls"      // from the first byte, as on port 465
)

// Server is the mail server that takes our mail.
type Server struct {
	Address  string // host:port; "" = none: mail is kept in the outbox
	Security Security
	User     string // "" = no sign-in
	Password string // sent over TLS or to this machine only
	Hello    string // our name; "" = localhost
	CAFile   string // PEM with a further root certificate; "" = the machine's own
	Timeout  time.Duration
}

// String keeps the password out of logs.
func (s Server) String() string { return fmt.Sprintf("mail server %s (%s)", s.Address, s.User) }

// GoString keeps the password out of every %#v.
func (s Server) GoString() string { return s.String() }

// refusal is a final answer of the mail server to this mail.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// send hands one mail to the server. A *refusal is final: the server said 5xx
// to this mail. What goes wrong before (the way, sign-in) is no fault of the
// mail, so it is tried again whatever the server says.
func (s Server) send(ctx context.Context, from, to string, text []byte) error {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = 60 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return fmt.Errorf("mail server %s: %w", s.Address, err)
	}
	defer func() { _ = c.Close() }()
	if ok, _ := c.Extension("SMTPUTF8"); !ok && !ascii(from+to) {
		return &refusal{errors.New("the mail server does not take addresses beyond ASCII (SMTPUTF8)")}
	}
	if err := c.Mail(from); err != nil {
		return judge("sender", err)
	}
	if err := c.Rcpt(to); err != nil {
		return judge("recipient", err)
	}
	w, err := c.Data()
	if err != nil {
		return judge("mail", err)
	}
	if _, err := w.Write(text); err != nil {
		return judge("mail", err)
	}
	if err := w.Close(); err != nil {
		return judge("mail", err)
	}
	_ = c.Quit() // it has the mail; what it says to a good-bye changes nothing
	return nil
}

func judge(what string, err error) error {
	err = fmt.Errorf("%s: %w", what, err)
	var answer *textproto.Error
	if errors.As(err, &answer) && answer.Code >= 500 {
		return &refusal{err}
	}
	return err
}

func (s Server) connect(ctx context.Context) (*smtp.Client, error) {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, err
	}
	conf, err := s.tls(host)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	// From here on the connection ends with ctx: net/smtp knows no contexts.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			stop()
			return nil, errors.Join(err, conn.Close())
		}
	}
	if s.Security == TLS {
		conn = tls.Client(conn, conf)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		stop()
		return nil, errors.Join(err, conn.Close())
	}
	if err := s.greet(c, host, conf); err != nil {
		stop()
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (s Server) greet(c *smtp.Client, host string, conf *tls.Config) error {
	hello := s.Hello
	if hello == "" {
		hello = "localhost"
	}
	if err := c.Hello(hello); err != nil {
		return err
	}
	if s.Security != TLS {
		offered, _ := c.Extension("STARTTLS")
		if !offered && s.Security == StartTLS {
			return errors.New("it does not offer STARTTLS")
		}
		if offered {
			if err := c.StartTLS(conf); err != nil {
				return fmt.Errorf("STARTTLS: %w", err)
			}
		}
	}
	if s.User == "" {
		return nil
	}
	// PlainAuth refuses by itself to send a password in the clear to another machine.
	if err := c.Auth(smtp.PlainAuth("", s.User, s.Password, host)); err != nil {
		return fmt.Errorf("sign-in as %s: %w", s.User, err)
	}
	return nil
}

func (s Server) tls(host string) (*tls.Config, error) {
	conf := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.CAFile == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		return nil, err
	}
	if conf.RootCAs, err = x509.SystemCertPool(); err != nil {
		conf.RootCAs = x509.NewCertPool()
	}
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", s.CAFile)
	}
	return conf, nil
}

func ascii(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }

// compose writes the mail as it goes over the wire. The same mail gives the
// same bytes at every try.
func compose(m Mail, sender mail.Address) (text []byte, from, to string, err error) {
	if from, err = address(sender.Address); err != nil {
		return nil, "", "", fmt.Errorf("the brand's sender address %q: %w", sender.Address, err)
	}
	if to, err = address(m.To); err != nil {
		return nil, "", "", &refusal{fmt.Errorf("recipient %q: %w", m.To, err)}
	}
	var b bytes.Buffer
	head := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	head("Date", m.MadeAt.UTC().Format(time.RFC1123Z))
	head("From", (&mail.Address{Name: sender.Name, Address: from}).String())
	head("To", (&mail.Address{Name: m.Name, Address: to}).String())
	head("Subject", mime.QEncoding.Encode("utf-8", m.Subject))
	head("Message-ID", "<"+m.ID+from[strings.LastIndexByte(from, '@'):]+">")
	head("Auto-Submitted", "auto-generated") // so that "out of office" stays silent
	head("MIME-Version", "1.0")

	var body bytes.Buffer
	kind, err := alternatives(&body, m)
	if err != nil {
		return nil, "", "", err
	}
	if len(m.Attachments) == 0 {
		for _, k := range []string{"Content-Type", "Content-Transfer-Encoding"} {
			if v := kind.Get(k); v != "" {
				head(k, v)
			}
		}
		b.WriteString("\r\n")
		b.Write(body.Bytes())
		return b.Bytes(), from, to, nil
	}
	head("Content-Type", `multipart/mixed; boundary="files_`+m.ID+`"`)
	b.WriteString("\r\n")
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("files_" + m.ID); err != nil {
		return nil, "", "", err
	}
	p, err := w.CreatePart(kind)
	if err != nil {
		return nil, "", "", err
	}
	if _, err := p.Write(body.Bytes()); err != nil {
		return nil, "", "", err
	}
	for _, f := range m.Attachments {
		p, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type": {f.Type}, "Content-Transfer-Encoding": {"base64"}, "Content-Disposition": {`attachment; filename="` + f.Name + `"`},
		})
		if err != nil {
			return nil, "", "", err
		}
		for code := base64.StdEncoding.EncodeToString(f.Body); code != ""; {
			n := min(76, len(code))
			if _, err := fmt.Fprintf(p, "%s\r\n", code[:n]); err != nil {
				return nil, "", "", err
			}
			code = code[n:]
		}
	}
	if err := w.Close(); err != nil { // it writes the last boundary
		return nil, "", "", err
	}
	return b.Bytes(), from, to, nil
}

// alternatives writes the text, and beside it the HTML if there is one.
func alternatives(b *bytes.Buffer, m Mail) (textproto.MIMEHeader, error) {
	plain := textproto.MIMEHeader{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}}
	quote := func(w interface{ Write([]byte) (int, error) }, s string) error {
		q := quotedprintable.NewWriter(w)
		if _, err := q.Write([]byte(s)); err != nil {
			return err
		}
		return q.Close()
	}
	if m.HTML == "" {
		return plain, quote(b, m.Text)
	}
	w := multipart.NewWriter(b)
	if err := w.SetBoundary("parts_" + m.ID); err != nil {
		return nil, err
	}
	rich := textproto.MIMEHeader{"Content-Type": {"text/html; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}}
	for _, part := range []struct {
		head textproto.MIMEHeader
		body string
	}{{plain, m.Text}, {rich, m.HTML}} {
		p, err := w.CreatePart(part.head)
		if err != nil {
			return nil, err
		}
		if err := quote(p, part.body); err != nil {
			return nil, err
		}
	}
	return textproto.MIMEHeader{"Content-Type": {`multipart/alternative; boundary="parts_` + m.ID + `"`}}, w.Close()
}
