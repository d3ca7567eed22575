package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"causeway/internal/api"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// client speaks the JSON API of a server.
type client struct {
	server string // without a slash at the end
	token  string
	http   *http.Client
	wait   time.Duration // how long it goes on asking a server that says "not yet"; 0 = patience
}

// problem is an error as the server sent it.
type problem struct {
	api.Problem
	after time.Duration
}

func (p *problem) Error() string { return p.Detail }

// Unwrap gives the fault that the server meant, so that a command can ask what kind it is.
func (p *problem) Unwrap() error {
	var all []fault.Refusal
	for _, r := range p.Refusals {
		all = append(all, fault.Refusal(r))
	}
	f := fault.Refuse(all...)
	for kind, code := range map[fault.Kind]int{fault.Invalid: 422, fault.NotFound: 404, fault.Conflict: 409, fault.Forbidden: 403, fault.Unavailable: 503} {
		if code == p.Status {
			f = f.In(kind)
		}
	}
	if p.Status == http.StatusUnauthorized {
		f = f.In(fault.Forbidden)
	}
	if len(all) == 0 {
		f.Message = p.Detail
	}
	f.After = p.after
	return f
}

// patience is how long a command goes on asking a server that says "not yet".
const patience = time.Minute

// get reads; post, put, patch and remove write, each with a key of its own, so
// that a call whose answer was lost can be sent again.
func (c *client) get(ctx context.Context, path string, out any) error {
	return c.call(ctx, http.MethodGet, path, nil, out)
}

func (c *client) post(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPost, path, in, out)
}

func (c *client) put(ctx context.Context, path string, in, out any) error {
	return c.call(ctx, http.MethodPut, path, in, out)
}

// download reads a file of any size, which is there whole or not at all.
func (c *client) download(ctx context.Context, path, file string) error {
	return c.call(ctx, http.MethodGet, path, nil, fileName(file))
}

type fileName string

func (f fileName) write(from io.Reader) error {
	out, err := os.CreateTemp(filepath.Dir(string(f)), ".causeway-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), string(f))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", string(f), err), os.Remove(out.Name()))
	}
	return nil
}

// call asks the server. A write whose answer is lost is sent again with the same
// key: the server does it once. "Not yet" (503) is asked again as well.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	key := ""
	if method != http.MethodGet {
		key = store.NewID()
	}
	began := time.Now()
	for try := 1; ; try++ {
		err := c.once(ctx, method, path, key, body, out)
		var p *problem
		again := err != nil && ctx.Err() == nil && time.Since(began) < max(c.wait, patience)
		wait := time.Duration(min(try, 10)) * 200 * time.Millisecond
		switch {
		case errors.As(err, &p) && p.Status == http.StatusServiceUnavailable && !strings.HasSuffix(path, "/tokens/login"):
			wait = max(p.after, wait)
		case errors.As(err, &p) && p.Status == http.StatusConflict && hasCode(p, "key-in-flight"):
		case p == nil && err != nil && try < 4: // no answer at all
		default:
			again = false
		}
		if !again {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func hasCode(p *problem, code string) bool {
	for _, r := range p.Refusals {
		if r.Code == code {
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *client) once(ctx context.Context, method, path, key string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.server+api.Prefix+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set(api.KeyHeader, key)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("the server at %s does not answer: %w", c.server, errors.Unwrap(err))
	}
	defer func() { _ = res.Body.Close() }()
	if name, ok := out.(fileName); ok && res.StatusCode < 300 {
		return name.write(res.Body)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if res.StatusCode >= 300 {
		p := &problem{}
		if json.Unmarshal(b, &p.Problem) != nil || p.Detail == "" {
			p.Detail = res.Status
		}
		p.Status = res.StatusCode
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil {
			p.after = time.Duration(s) * time.Second
		}
		return p
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = b
		return nil
	}
	return json.Unmarshal(b, out)
}

// all reads every page of a list.
func all[T any](ctx context.Context, c *client, path string) ([]T, error) {
	list := []T{}
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for after := ""; ; {
		var p api.Page[T]
		next := path
		if after != "" {
			next += sep + "after=" + url.QueryEscape(after)
		}
		if err := c.get(ctx, next, &p); err != nil {
			return nil, err
		}
		list = append(list, p.Items...)
		if p.Next == "" {
			return list, nil
		}
		after = p.Next
	}
}

// signedIn is what login keeps: where the server is, and the token.
type signedIn struct {
	Server string    `json:"server"`
	Token  string    `json:"token"`
	ID     string    `json:"id"` // of the token, for logout
	Email  string    `json:"email"`
	Until  time.Time `json:"until"`
}

// signInFile is where it is kept, readable by its owner only.
func signInFile() (string, error) {
	dir := os.Getenv("CAUSEWAY_CONFIG_DIR")
	if dir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(base, "causeway")
	}
	return filepath.Join(dir, "sign-in.json"), nil
}

func (s signedIn) keep() error {
	file, err := signInFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(file, append(b, '\n'))
}

func readSignIn() (signedIn, error) {
	var s signedIn
	file, err := signInFile()
	if err != nil {
		return s, err
	}
	b, err := os.ReadFile(file) // #nosec G304 -- our own file
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// remote is what every command that works on a server takes.
type remote struct {
	Server string `env:"CAUSEWAY_SERVER" placeholder:"URL" help:"The server. Left out: the one of causeway login."`
	Token  string `env:"CAUSEWAY_TOKEN" placeholder:"TOKEN" help:"An API token, better in the environment. Left out: the one of causeway login."`
	JSON   bool   `name:"json" help:"Print the answer as JSON."`
}

func (r remote) client() (*client, error) {
	s, err := readSignIn()
	if err != nil {
		return nil, err
	}
	if r.Server != "" && r.Server != s.Server {
		s.Token = "" // a token is for the server that gave it
	}
	c := &client{server: strings.TrimSuffix(firstOf(r.Server, s.Server), "/"), token: firstOf(r.Token, s.Token), http: &http.Client{Timeout: 90 * time.Second}}
	if c.server == "" {
		return nil, fault.Field("server", "No server is named.", "Run causeway login, or set CAUSEWAY_SERVER.")
	}
	if c.token == "" {
		return nil, fault.Field("token", "You are not signed in at "+c.server+".", "Run causeway login, or set CAUSEWAY_TOKEN.")
	}
	return c, nil
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
