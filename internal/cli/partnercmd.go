package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/api"
	"causeway/internal/fault"
)

// partnerCmd is the partner's own connection to Microsoft.
type partnerCmd struct {
	Connect partnerConnectCmd `cmd:"" help:"Name the application and sign in with MFA."`
	Show    partnerShowCmd    `cmd:"" help:"How the connection stands."`
}

type partnerConnectCmd struct {
	remote    `embed:""`
	Tenant    string        `placeholder:"ID" help:"The partner's tenant. Left out, it is asked for; likewise all below."`
	AppID     string        `name:"app-id" placeholder:"ID" help:"The application's id."`
	Secret    string        `env:"CAUSEWAY_APP_SECRET" placeholder:"SECRET" help:"The application's secret; better in the environment or on standard input than in the arguments."`
	MPNID     string        `name:"mpn-id" placeholder:"NUMBER" help:"Location id of the Microsoft AI Cloud Partner Program."`
	GDAPGroup string        `name:"gdap-group" placeholder:"ID" help:"The group that enters customers' tenants."`
	Country   string        `placeholder:"CODE" help:"Of the partner's tenancy, e.g. US."`
	Redirect  string        `placeholder:"URL" help:"Registered with the application. Left out: the server's /staff/microsoft/callback."`
	Listen    bool          `help:"Take the answer on this machine: the redirect is http://127.0.0.1:PORT/callback, which must be registered."`
	Keep      bool          `help:"Keep the application that is set and only sign in again."`
	Code      string        `placeholder:"CODE" help:"End a sign-in that was made elsewhere with this redirect."`
	Timeout   time.Duration `default:"15m" help:"With --listen: how long to wait."`
}

func (c *partnerConnectCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	in := newReader(std)
	if !c.Keep {
		if err := c.application(ctx, cl, in); err != nil {
			return err
		}
	}
	if c.Redirect == "" {
		c.Redirect = cl.server + callbackPath
	}
	code := c.Code
	if code == "" {
		if code, err = c.signIn(ctx, cl, std, in); err != nil {
			return err
		}
	}
	var p api.PartnerView
	if err := cl.post(ctx, "/partner/consent", map[string]string{"redirect": c.Redirect, "code": code}, &p); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, p)
	}
	_, err = fmt.Fprintf(std.Out, "Connected as %s. Now run: causeway doctor\n", p.ConsentedBy)
	return err
}

// application asks for what was left out and names it to the server.
func (c *partnerConnectCmd) application(ctx context.Context, cl *client, in *reader) error {
	for _, q := range []struct {
		to   *string
		text string
	}{{&c.Tenant, "Tenant id: "}, {&c.AppID, "Application id: "}, {&c.MPNID, "MPN id (location): "}, {&c.GDAPGroup, "Id of the GDAP group: "}, {&c.Country, "Country (e.g. US): "}} {
		if *q.to != "" {
			continue
		}
		s, err := in.line(q.text)
		if err != nil {
			return err
		}
		*q.to = strings.TrimSpace(s)
	}
	if c.Secret == "" {
		var err error
		if c.Secret, err = in.secret("Application secret: "); err != nil {
			return err
		}
	}
	return cl.call(ctx, http.MethodPut, "/partner/application", map[string]string{
		"tenant": strings.ToLower(c.Tenant), "app_id": strings.ToLower(c.AppID), "app_secret": c.Secret, "mpn_id": c.MPNID,
		"gdap_group": strings.ToLower(c.GDAPGroup), "country": c.Country,
	}, nil)
}

// signIn prints where to sign in and waits for the code: on this machine, or for
// the address that the person copies from the browser.
func (c *partnerConnectCmd) signIn(ctx context.Context, cl *client, std Std, in *reader) (string, error) {
	state := rand.Text()
	var l net.Listener
	if c.Listen {
		var err error
		if l, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
		defer func() { _ = l.Close() }()
		c.Redirect = "http://" + l.Addr().String() + "/callback"
	}
	var a api.Authorize
	if err := cl.get(ctx, "/partner/authorize"+query("redirect", c.Redirect, "state", state), &a); err != nil {
		return "", err
	}
	_, _ = fmt.Fprintf(std.Err, "Sign in with MFA, as a user in AdminAgents, at\n  %s\n", a.URL)
	if l != nil {
		return c.listen(ctx, l, state)
	}
	s, err := in.line("Then copy the address of the page that you end on: ")
	if err != nil {
		return "", err
	}
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		return "", fault.Field("address", "This is no address.", "Copy it from the browser's address bar.")
	}
	return codeOf(u.Query(), state)
}

// codeOf takes the code out of the answer, if it is the answer to our question.
func codeOf(q url.Values, state string) (string, error) {
	switch {
	case q.Get("state") != state:
		return "", fault.Field("state", "This answer belongs to another sign-in.", "Start again: causeway partner connect.")
	case q.Get("error") != "":
		return "", fault.New(fault.Invalid, "Microsoft says: %s", firstOf(q.Get("error_description"), q.Get("error")))
	case q.Get("code") == "":
		return "", fault.Field("code", "The address holds no code.", "Copy all of it.")
	}
	return q.Get("code"), nil
}

func (c *partnerConnectCmd) listen(ctx context.Context, l net.Listener, state string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	type answer struct {
		code string
		err  error
	}
	got := make(chan answer, 1)
	s := &http.Server{ReadHeaderTimeout: headerTime, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/callback" {
			http.NotFound(w, r)
			return
		}
		code, err := codeOf(r.URL.Query(), state)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintln(w, err)
		} else {
			_, _ = fmt.Fprintln(w, "Signed in. You can close this page and go back to the terminal.")
		}
		select {
		case got <- answer{code, err}:
		default:
		}
	})}
	go func() { _ = s.Serve(l) }()
	defer func() { _ = s.Shutdown(context.WithoutCancel(ctx)) }()
	select {
	case a := <-got:
		return a.code, a.err
	case <-ctx.Done():
		return "", errors.New("nobody signed in in time")
	}
}

type partnerShowCmd struct {
	remote `embed:""`
}

func (c *partnerShowCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var p api.PartnerView
	if err := cl.get(ctx, "/partner", &p); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, p)
	}
	at, alarm := "", ""
	if p.ConsentedAt != nil {
		at = clock(*p.ConsentedAt)
	}
	if p.Alarm != nil {
		alarm = p.Alarm.Reason + " " + p.Alarm.Remedy
	}
	return facts(std.Out, "Tenant", p.Tenant, "Application", p.AppID, "Signed in", firstOf(p.ConsentedBy, "nobody yet"), "On", at, "Alarm", alarm)
}

// ownerCmd makes the first person of an installation: everybody else is made by
// somebody who is there already.
type ownerCmd struct {
	Add ownerAddCmd `cmd:"" help:"Add an owner to the database itself; the password is asked for on standard input."`
}

type ownerAddCmd struct {
	settings `embed:""`
	Email    string `arg:""`
	Name     string `default:"Owner"`
}

func (c *ownerAddCmd) Run(ctx context.Context, std Std) error {
	cfg, err := c.config(std.Err)
	if err != nil {
		return err
	}
	password, err := newReader(std).secret("Password: ")
	if err != nil {
		return err
	}
	cfg.Role = RoleWeb // neither the partner's key nor Microsoft is needed
	app, err := New(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = app.Close() }()
	u, err := app.People.CreateUser(ctx, account.System(), account.User{Role: account.RoleOwner, Name: c.Name, Email: c.Email, Language: "en-US"}, password)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s is an owner. Start the server and sign in.\n", u.Email)
	return err
}
