package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"causeway/internal/api"
)

// loginCmd gets a named token that ends, and keeps it for the other commands.
type loginCmd struct {
	Server   string `env:"CAUSEWAY_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL" help:"The server."`
	Email    string `placeholder:"ADDR" help:"Left out: it is asked for."`
	Name     string `placeholder:"NAME" help:"Of the token. Left out: causeway on this host."`
	Days     int    `default:"30" help:"How long the token lasts."`
	ReadOnly bool   `help:"The token may look and never change."`
	Token    bool   `help:"Read a token that exists from standard input instead."`
	JSON     bool   `name:"json" help:"Print who is signed in as JSON."`
}

func (c *loginCmd) Run(ctx context.Context, std Std) error {
	in := newReader(std)
	cl := &client{server: strings.TrimSuffix(c.Server, "/"), http: &http.Client{Timeout: 90 * time.Second}}
	var err error
	if c.Token {
		cl.token, err = in.secret("Token: ")
		cl.token = strings.TrimSpace(cl.token)
	} else {
		cl.token, err = c.signIn(ctx, cl, in)
	}
	if err != nil {
		return err
	}
	var me api.Me
	if err := cl.get(ctx, "/me", &me); err != nil {
		return err
	}
	s := signedIn{Server: cl.server, Token: cl.token, Email: me.Email}
	if me.Token != nil {
		s.ID, s.Until = me.Token.ID, me.Token.ExpiresAt
	}
	if err := s.keep(); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, me)
	}
	_, err = fmt.Fprintf(std.Out, "Signed in at %s as %s (%s)%s.\n", cl.server, me.Email, me.Role, until(s.Until))
	return err
}

func until(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", until " + t.Local().Format("2 January 2006")
}

func (c *loginCmd) signIn(ctx context.Context, cl *client, in *reader) (string, error) {
	var err error
	if c.Email == "" {
		if c.Email, err = in.line("E-mail: "); err != nil {
			return "", err
		}
	}
	password, err := in.secret("Password: ")
	if err != nil {
		return "", err
	}
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "an unknown host"
		}
		c.Name = "causeway on " + host
	}
	scope := "all"
	if c.ReadOnly {
		scope = "read"
	}
	var t api.NewToken
	err = cl.post(ctx, "/tokens/login", map[string]any{"email": c.Email, "password": password, "name": c.Name, "days": c.Days, "scope": scope}, &t)
	return t.Secret, err
}

// logoutCmd ends the token and forgets it.
type logoutCmd struct{}

func (c *logoutCmd) Run(ctx context.Context, std Std) error {
	s, err := readSignIn()
	if err != nil {
		return err
	}
	if s.Token == "" {
		_, err := fmt.Fprintln(std.Out, "You are not signed in.")
		return err
	}
	cl, err := remote{}.client()
	if err != nil {
		return err
	}
	file, err := signInFile()
	if err != nil {
		return err
	}
	revoked := cl.call(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(s.ID), nil, nil)
	if err := os.Remove(file); err != nil {
		return err
	}
	if revoked != nil {
		return fmt.Errorf("the token is forgotten here, but it could not be ended at the server: %w", revoked)
	}
	_, err = fmt.Fprintf(std.Out, "Signed out at %s.\n", s.Server)
	return err
}

// tokenCmd is for tokens of one's own.
type tokenCmd struct {
	List   tokenListCmd   `cmd:"" help:"List your tokens."`
	Create tokenCreateCmd `cmd:"" help:"Make a token, e.g. for a program."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token at once."`
}

type tokenListCmd struct {
	remote `embed:""`
}

func (c *tokenListCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	list, err := all[api.TokenView](ctx, cl, "/tokens")
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, list)
	}
	rows := [][]string{{"ID", "NAME", "SCOPE", "ENDS", "LAST USE", ""}}
	for _, t := range list {
		last, state := "never", ""
		if t.LastUsedAt != nil {
			last = clock(*t.LastUsedAt)
		}
		if t.RevokedAt != nil {
			state = "revoked"
		}
		rows = append(rows, []string{t.ID, t.Name, t.Scope, clock(t.ExpiresAt), last, state})
	}
	return table(std.Out, rows)
}

type tokenCreateCmd struct {
	remote `embed:""`
	Name   string `arg:"" help:"To tell tokens apart."`
	Days   int    `default:"90" help:"How long it lasts."`
	Scope  string `default:"all" enum:"all,read" help:"read: look, never change."`
}

func (c *tokenCreateCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var t api.NewToken
	if err := cl.post(ctx, "/tokens", map[string]any{"name": c.Name, "days": c.Days, "scope": c.Scope}, &t); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, t)
	}
	_, err = fmt.Fprintf(std.Out, "%s\nIt is shown this once. It ends on %s.\n", t.Secret, t.Token.ExpiresAt.Local().Format("2 January 2006"))
	return err
}

type tokenRevokeCmd struct {
	remote `embed:""`
	ID     string `arg:"" help:"As token list shows it."`
}

func (c *tokenRevokeCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if err := cl.call(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(c.ID), nil, nil); err != nil {
		return err
	}
	return c.done(std, "Revoked.")
}

// done tells that a write without an answer was done.
func (r remote) done(std Std, text string) error {
	if r.JSON {
		return printJSON(std.Out, struct{}{})
	}
	_, err := fmt.Fprintln(std.Out, text)
	return err
}
