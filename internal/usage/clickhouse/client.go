package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"causeway/internal/fault"
)

// client asks a cluster over HTTP, whichever of its nodes answers.
type client struct {
	at       Address
	patience time.Duration
	http     *http.Client
	now      atomic.Int64 // the host that answered last
}

func newClient(a Address, patience time.Duration) *client {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 10 * time.Minute, // of a node that hangs
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 2 * time.Second, // a server keeps one for 3 s
	}
	return &client{at: a, patience: patience, http: &http.Client{Transport: t}}
}

// refusal is a server's answer that is an error.
type refusal struct {
	code int // ClickHouse's
	text string
}

func (r *refusal) Error() string { return fmt.Sprintf("ClickHouse says (code %d): %s", r.code, r.text) }

// passing are the codes of ClickHouse for what another node, or the same one a little
// later, may do.
var passing = map[int]bool{
	3:   true, // connection to another node ended
	32:  true, // another node's answer was cut off
	60:  true, // no such table: a node that starts answers before it has them
	81:  true, // no such database, likewise
	101: true, // an unexpected packet of another node
	102: true, // likewise
	159: true, // a statement for all nodes takes long: they do it in the background
	198: true, // name of a node is not known at the moment
	202: true, // too many queries at once
	203: true, // no free connection
	209: true, // socket timeout
	210: true, // network error
	225: true, // no ZooKeeper
	236: true, // aborted: it stops
	241: true, // no memory at the moment
	242: true, // read-only: the session with ZooKeeper ended, another one begins
	244: true, // an entry of the log is lost
	254: true, // no active replica
	279: true, // no replica could be connected
	394: true, // query was cancelled: it stops
	999: true, // ZooKeeper
}

// again tells whether the same question may have another answer.
func again(err error) bool {
	var r *refusal
	if errors.As(err, &r) {
		return passing[r.code]
	}
	var f *fault.Error
	return !errors.As(err, &f) // else it is the connection
}

// ask sends a query with the data that belongs to it and gives the whole answer. A
// node that does not answer, or cannot at the moment, is left for the next one, for as
// long as the patience lasts. Every query may thus run twice: reads anyway; a write
// because the server knows a block that it has, of whichever replica.
func (c *client) ask(ctx context.Context, query string, data []byte, settings ...string) ([]byte, error) {
	until := time.Now().Add(c.patience)
	wait := 20 * time.Millisecond
	for tries := 1; ; tries++ {
		host := int(c.now.Load()) % len(c.at.Hosts)
		out, err := c.once(ctx, c.at.Hosts[host], query, data, settings)
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !again(err) {
			return nil, c.refused(err)
		}
		c.now.CompareAndSwap(int64(host), int64(host+1)%int64(len(c.at.Hosts)))
		if time.Now().After(until) {
			return nil, c.away(err)
		}
		if tries%len(c.at.Hosts) == 0 { // all were asked
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Second)
		}
	}
}

// away is what people are told when patience is at its end.
func (c *client) away(err error) error {
	return fault.New(fault.Unavailable, "The ClickHouse cluster %s does not do its work (%v). It is tried again.", c.at, err)
}

// refused is what asking again does not help.
func (c *client) refused(err error) error {
	var r *refusal
	if errors.As(err, &r) && slices.Contains([]int{192, 193, 194, 195, 497, 516}, r.code) {
		return fault.New(fault.Unavailable, "The ClickHouse cluster %s refuses the user %q: check name, password and rights (%v).", c.at, c.at.User, err)
	}
	return fmt.Errorf("lake: %w", err)
}

var codeText = regexp.MustCompile(`^Code: (\d+)`)

func (c *client) once(ctx context.Context, host, query string, data []byte, settings []string) ([]byte, error) {
	u := url.URL{Scheme: "http", Host: host, Path: "/"}
	if c.at.TLS {
		u.Scheme = "https"
	}
	// The server keeps an answer until it is whole, so that its status tells.
	v := url.Values{"database": {c.at.Database}, "wait_end_of_query": {"1"}}
	for i := 1; i < len(settings); i += 2 {
		v.Set(settings[i-1], settings[i])
	}
	body := io.Reader(strings.NewReader(query))
	if data != nil {
		v.Set("query", query)
		body = bytes.NewReader(data)
	}
	u.RawQuery = v.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "The ClickHouse node %s cannot be asked.", host)
	}
	r.Header.Set("X-ClickHouse-User", c.at.User) // never in the URL, which errors show
	r.Header.Set("X-ClickHouse-Key", c.at.Password)
	answer, err := c.http.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the query
		}
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	out, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	if answer.StatusCode != http.StatusOK {
		f := &refusal{text: host + ": " + short(string(out))}
		if m := codeText.FindSubmatch(out); m != nil {
			f.code, _ = strconv.Atoi(string(m[1])) // digits
		}
		return nil, f
	}
	return out, nil
}

func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// quote writes text as ClickHouse reads it, where a backslash begins an escape.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
