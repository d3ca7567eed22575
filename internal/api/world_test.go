package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/api"
	"causeway/internal/azure"
	"causeway/internal/azure/token"
	"causeway/internal/cli"
	"causeway/internal/money"
	"causeway/internal/partner"
	"causeway/internal/sim"
	"causeway/internal/support"
)

const password = "correct horse battery staple"

// world is the whole program in this process, listening, beside a simulated Microsoft.
type world struct {
	t   *testing.T
	app *cli.App
	sim *sim.Server
	url string

	owner, finance, support, reader caller
	admin, member                   caller // of Contoso
	stranger                        caller // administrator of Fabrikam
	n                               int
}

// caller is a person with a token.
type caller struct {
	account.Actor
	w      *world
	name   string
	secret string
}

func newWorld(t *testing.T) *world { return newWorldWith(t, "") }

// newWorldWith takes the address of a mail server, "" for none.
func newWorldWith(t *testing.T, mail string) *world {
	t.Helper()
	w := &world{t: t, sim: sim.Start(t)}
	var log *slog.Logger
	if os.Getenv("CAUSEWAY_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	brand := partner.SeedBrand()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	w.must(err)
	w.url = "http://" + l.Addr().String()
	w.app, err = cli.New(t.Context(), cli.Config{
		Database: filepath.Join(t.TempDir(), "state.db"), Keys: filepath.Join(t.TempDir(), "keys"), Listen: l.Addr().String(), WorkerName: "test",
		Azure: azure.Config{
			LoginURL: w.sim.URL, PartnerCenterURL: w.sim.URL, GraphURL: w.sim.URL, ARMURL: w.sim.URL, AttestationURL: w.sim.PlainURL + "/mca/",
			CAFile: w.sim.CAFile, Timeout: 20 * time.Second,
		},
		Brand: &brand, Mail: support.Server{Address: mail}, PasswordMemory: 64, PasswordPasses: 1, Log: log,
	})
	w.must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.app.Run(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the program ended with %v", err)
		}
		w.must(w.app.Close())
	})
	w.people()
	w.connect()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) people() {
	w.owner = w.person("", account.RoleOwner, "owner@partner.example")
	w.finance = w.person("", account.RoleFinance, "finance@partner.example")
	w.support = w.person("", account.RoleSupport, "support@partner.example")
	w.reader = w.person("", account.RoleReader, "reader@partner.example")
	contoso := w.organization("Contoso, Ltd.", "CTSO", "ctso-admin")
	fabrikam := w.organization("Fabrikam, Inc.", "FBKM", "fbkm-admin")
	w.admin = w.person(contoso, account.RoleAdministrator, "admin@contoso.example")
	w.member = w.person(contoso, account.RoleMember, "member@contoso.example")
	w.stranger = w.person(fabrikam, account.RoleAdministrator, "admin@fabrikam.example")
}

func (w *world) person(org account.OrgID, role account.Role, email string) caller {
	w.t.Helper()
	u, err := w.app.People.CreateUser(w.t.Context(), account.System(), account.User{Org: org, Role: role, Name: "The " + role.Title(), Email: email, Language: "en-US"}, password)
	w.must(err)
	return w.token(u, account.ScopeAll, string(role))
}

func (w *world) token(u account.User, scope account.Scope, name string) caller {
	w.t.Helper()
	_, secret, err := w.app.People.CreateToken(w.t.Context(), u.Actor("127.0.0.1"), name, scope, time.Time{})
	w.must(err)
	return caller{u.Actor("127.0.0.1"), w, name, secret}
}

func (w *world) organization(name, alias, login string) account.OrgID {
	w.t.Helper()
	ctx := w.t.Context()
	o, err := w.app.People.CreateOrg(ctx, account.System(), account.Organization{Name: name})
	w.must(err)
	_, err = w.app.People.CreateAccount(ctx, account.System(), account.Account{
		Alias: account.Alias(alias), Org: o.ID, Name: name, Country: "US", Billable: true, Currency: "USD", Language: "en-US",
		Address:     address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"},
		Contact:     account.Contact{FirstName: "Account", LastName: "Administrator", Email: login + "@customer.example", Phone: "7165550100"},
		CreditLimit: money.Must("1000000", "USD"),
	})
	w.must(err)
	w.must(w.app.People.AddAdministrator(ctx, account.System(), account.Alias(alias), login, password))
	return o.ID
}

// connect does what causeway partner connect does.
func (w *world) connect() {
	w.t.Helper()
	ctx := w.t.Context()
	const redirect = "http://127.0.0.1/callback"
	w.must(w.app.Custody.SetApplication(ctx, token.By{Actor: "system"}, sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultAppSecret))
	_, err := w.app.Custody.RedeemCode(ctx, token.By{Actor: "system"}, redirect, w.code(redirect))
	w.must(err)
	m, err := w.app.Settings.Microsoft(ctx)
	w.must(err)
	m.Tenant, m.AppID, m.GDAPGroup, m.MPNID = sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultGDAPGroup, "4847383"
	w.must(w.app.Settings.SetMicrosoft(ctx, account.System(), m.Version, m))
}

// code is what Entra ID sends after a sign-in with MFA.
func (w *world) code(redirect string) string {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"mfa": true, "redirectUri": redirect})
	w.must(err)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.sim.URL+"/_sim/people/"+sim.DefaultUser+"/sign-in", bytes.NewReader(body))
	w.must(err)
	res, err := w.sim.Client().Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	var out struct{ Code string }
	w.must(json.NewDecoder(res.Body).Decode(&out))
	return out.Code
}

// answer is what a call gave.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// into reads the body.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		t.Fatalf("%s: %v", a.Body, err)
	}
}

func (a answer) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("%d is answered as %q, want a problem document: %s", a.Status, ct, a.Body)
	}
	a.into(t, &p)
	if p.Status != a.Status || p.Title == "" || p.Detail == "" {
		t.Errorf("problem is incomplete: %s", a.Body)
	}
	return p
}

// do calls the API. A body that is text is sent as it is.
func (c caller) do(method, path string, body any, headers ...string) answer {
	c.w.t.Helper()
	var in io.Reader
	if s, isText := body.(string); isText {
		in = strings.NewReader(s)
	} else if body != nil {
		b, err := json.Marshal(body)
		c.w.must(err)
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(c.w.t.Context(), method, c.w.url+api.Prefix+path, in)
	c.w.must(err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.secret != "" {
		req.Header.Set("Authorization", "Bearer "+c.secret)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	c.w.must(err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	c.w.must(err)
	return answer{res.StatusCode, res.Header, string(b)}
}

// want calls the API and expects a status.
func (c caller) want(status int, method, path string, body any, headers ...string) answer {
	c.w.t.Helper()
	a := c.do(method, path, body, headers...)
	if a.Status != status {
		c.w.t.Fatalf("%s %s by %s = %d, want %d: %s", method, path, c.name, a.Status, status, a.Body)
	}
	return a
}

func (w *world) prefix() string {
	w.n++
	return fmt.Sprintf("contoso%04d", w.n)
}

// draft begins a provider of Contoso up to its account.
func (w *world) draft() string {
	w.t.Helper()
	var d api.Draft
	w.admin.want(201, "POST", "/providers", map[string]any{
		"name": "Contoso production", "account": "CTSO", "connect": map[string]string{"login": "ctso-admin", "password": password},
	}).into(w.t, &d)
	return d.Provider.ID
}

// filled is a draft that can be submitted.
func (w *world) filled(prefix string) string {
	w.t.Helper()
	id := w.draft()
	at := "/providers/" + id
	var d api.Draft
	w.admin.want(200, "GET", at+"/draft", nil).into(w.t, &d)
	if !d.Further {
		w.admin.want(200, "PATCH", at+"/details", map[string]any{"domain_prefix": prefix, "domain_confirmed": true})
	}
	w.acceptTerms(id, d.Further)
	if !d.Further {
		w.attest(id)
	}
	return id
}

func (w *world) acceptTerms(id string, further bool) {
	w.t.Helper()
	var terms api.Page[api.Document]
	w.admin.want(200, "GET", "/providers/"+id+"/terms", nil).into(w.t, &terms)
	for _, d := range terms.Items {
		if d.Kind == "partner" || further {
			w.admin.want(200, "POST", "/providers/"+id+"/terms", map[string]string{"document": d.ID, "hash": d.Hash})
		}
	}
}

func (w *world) attest(id string) {
	w.t.Helper()
	var t api.Attestation
	w.admin.want(200, "POST", "/providers/"+id+"/attestation", map[string]any{}).into(w.t, &t)
	w.must(w.sim.AcceptAttestation(t.ID))
	w.poll("the attestation is seen", func() bool {
		w.admin.want(200, "GET", "/providers/"+id+"/attestation", nil).into(w.t, &t)
		return t.State == "accepted"
	})
}

// submitted begins a filled draft and waits for a state.
func (w *world) submitted(id, state string) api.Progress {
	w.t.Helper()
	w.admin.want(200, "POST", "/providers/"+id+"/submit", nil)
	return w.until(id, state)
}

func (w *world) until(id, state string) api.Progress {
	w.t.Helper()
	var p api.Progress
	w.poll("the provider is "+state, func() bool {
		w.owner.want(200, "GET", fmt.Sprintf("/providers/%s/progress?since=%d&wait=5", id, p.Provider.Version), nil).into(w.t, &p)
		if p.Provider.State == "stuck" && state != "stuck" {
			w.t.Fatalf("stuck at %s: %+v", p.Onboarding.Step, p.Onboarding.Refusal)
		}
		return p.Provider.State == state
	})
	return p
}

// poll asks until f is true; the pause is the server's own (progress waits there)
// or a tick.
func (w *world) poll(what string, f func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 40*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func escape(s string) string { return url.PathEscape(s) }
