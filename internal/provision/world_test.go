package provision_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/agreement"
	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/azure/token"
	"causeway/internal/guardrail"
	"causeway/internal/job"
	"causeway/internal/money"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/seal"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/support"
)

const adminPassword = "correct horse battery staple"

// world is a whole program on a real database, beside a simulated Microsoft.
type world struct {
	t         *testing.T
	db        *store.DB
	sim       *sim.Server
	run       *provision.Runner
	jobs      *job.Queue
	people    *account.Directory
	providers *provider.Inventory
	settings  *partner.Settings
	desk      *support.Desk
	custody   *token.Custody
	ring      *seal.Ring
	signer    *agreement.Signer
	throttle  *azure.Governor
	owner     account.Actor // the partner's
	contoso   account.Actor // administrator of Contoso
	minute    time.Duration // in which limits are counted; 0 = a minute
	ahead     atomic.Int64  // how far the program's clock is ahead
}

func newWorld(t *testing.T, options ...sim.Option) *world {
	t.Helper()
	return worldOn(t, storetest.SQLite(t), sim.Start(t, options...))
}

func worldOn(t *testing.T, db *store.DB, ms *sim.Server) *world {
	t.Helper()
	w := emptyWorld(t, db, ms)
	w.people0()
	return w
}

// emptyWorld has the partner, connected, and no customers.
func emptyWorld(t *testing.T, db *store.DB, ms *sim.Server) *world {
	t.Helper()
	w := &world{t: t, db: db, sim: ms, minute: time.Duration(float64(time.Minute) / ms.Clock.Factor())}
	ring, err := seal.New()
	w.must(err)
	w.ring = ring
	w.build(ring)
	w.owner = account.Actor{User: "owner", Role: account.RoleOwner, Name: "Owner", Email: "owner@partner.example"}
	w.connectPartner()
	return w
}

// build makes the program's parts, as its wiring does; a second call is the
// program after a restart on the same database.
func (w *world) build(ring *seal.Ring) {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("CAUSEWAY_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	now := w.now
	pipe, err := azure.New(azure.Config{
		LoginURL: w.sim.URL, PartnerCenterURL: w.sim.URL, GraphURL: w.sim.URL, ARMURL: w.sim.URL, AttestationURL: w.sim.PlainURL + "/mca/",
		CAFile: w.sim.CAFile, PartnerTenant: sim.DefaultPartnerTenant, AppID: sim.DefaultAppID, Timeout: 20 * time.Second, Now: now,
	})
	w.must(err)
	w.custody = token.New(w.db, ring, pipe, "test")
	w.throttle = azure.NewGovernor(now, w.db, w.minute)
	pipe = pipe.With(w.custody).Governed(w.throttle)
	signer, err := agreement.LoadSigner(filepath.Join(w.t.TempDir(), "receipt.key"))
	w.must(err)
	w.signer = signer
	w.jobs = job.New(w.db, "test", now, log)
	w.people = account.New(w.db, now, account.WithPasswordWork(64, 1))
	w.settings = partner.New(w.db, now, partner.WithBrand(partner.SeedBrand()))
	w.providers = provider.New(w.db, now)
	mail := support.NewOutbox(w.db, now, w.jobs, w.settings, support.Server{}, log)
	w.desk = support.New(w.db, now, w.settings, mail, "https://portal.example")
	terms := agreement.New(w.db, now)
	w.run = provision.New(provision.Parts{
		DB: w.db, Now: now, Log: log, Jobs: w.jobs, People: w.people, Settings: w.settings, Terms: terms, Guard: guardrail.New(w.db, now),
		Desk: w.desk, Mail: mail, Providers: w.providers, Ring: ring, Signer: signer, Portal: "https://portal.example",
		Signed:  agreement.NewSignatures(terms, w.jobs, mail, w.settings, "https://portal.example"),
		Partner: partnercenter.New(pipe), Graph: graph.New(pipe), ARM: arm.New(pipe), Tokens: w.custody, Throttle: w.throttle,
	})
	w.must(terms.Seed(w.ctx(), agreement.Initial(partner.SeedBrand())))
}

// now is the program's clock; jump moves it.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) jump(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *world) ctx() context.Context { return w.t.Context() }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// people0 makes Contoso with its account CTSO.
func (w *world) people0() {
	w.t.Helper()
	w.contoso = w.organization("Contoso, Ltd.", "CTSO", "ctso-admin")
}

// organization makes an organization with an administrator, one account and its
// account administrator.
func (w *world) organization(name, alias, login string) account.Actor {
	w.t.Helper()
	org, err := w.people.CreateOrg(w.ctx(), w.owner, account.Organization{Name: name})
	w.must(err)
	u, err := w.people.CreateUser(w.ctx(), w.owner, account.User{Org: org.ID, Role: account.RoleAdministrator, Name: "Administrator of " + name, Email: login + "@customer.example"}, adminPassword)
	w.must(err)
	w.account(org.ID, name, alias, "", login)
	return u.Actor("127.0.0.1")
}

func (w *world) account(org account.OrgID, name, alias, parent, login string, change ...func(*account.Account)) {
	w.t.Helper()
	a := account.Account{
		Alias: account.Alias(alias), Org: org, Name: name, Country: "US", Parent: account.Alias(parent), Billable: true,
		Address:     address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"},
		Contact:     account.Contact{FirstName: "Account", LastName: "Administrator", Email: login + "@customer.example", Phone: "7165550100"},
		CreditLimit: money.Must("40000", "USD"), Currency: "USD", Language: "en-US",
	}
	for _, f := range change {
		f(&a)
	}
	_, err := w.people.CreateAccount(w.ctx(), w.owner, a)
	w.must(err)
	w.must(w.people.AddAdministrator(w.ctx(), w.owner, a.Alias, login, adminPassword))
}

// connectPartner walks the partner's consent as an agent with MFA.
func (w *world) connectPartner() {
	w.t.Helper()
	const redirect = "http://127.0.0.1/callback"
	w.must(w.custody.SetApplication(w.ctx(), token.By{Actor: "system"}, sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultAppSecret))
	var out struct{ Code string }
	w.control("POST", "/_sim/people/"+sim.DefaultUser+"/sign-in", map[string]any{"mfa": true, "redirectUri": redirect}, &out)
	_, err := w.custody.RedeemCode(w.ctx(), token.By{Actor: "system"}, redirect, out.Code)
	w.must(err)
	ms, err := w.settings.Microsoft(w.ctx())
	w.must(err)
	ms.Tenant, ms.AppID, ms.GDAPGroup = sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultGDAPGroup
	w.must(w.settings.SetMicrosoft(w.ctx(), w.owner, ms.Version, ms))
}

func (w *world) control(method, path string, in, out any) {
	w.t.Helper()
	body, err := json.Marshal(in)
	w.must(err)
	req, err := http.NewRequestWithContext(w.ctx(), method, w.sim.URL+path, bytes.NewReader(body))
	w.must(err)
	res, err := w.sim.Client().Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		b, _ := io.ReadAll(res.Body)
		w.t.Fatalf("%s %s: %s %s", method, path, res.Status, b)
	}
	if out != nil {
		w.must(json.NewDecoder(res.Body).Decode(out))
	}
}

// working lets the queue work in the background until stop.
func (w *world) working() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.jobs.Run(ctx, 4); err != nil {
			w.t.Error(err)
		}
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-done
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// wizard fills in a provider up to its review, as the account administrator.
func (w *world) wizard(a account.Actor, name, alias, login, prefix string) provider.ID {
	w.t.Helper()
	ctx := w.ctx()
	id, err := w.run.NewDraft(ctx, a)
	w.must(err)
	w.must(w.run.SetType(ctx, a, id, provider.TypeAzure))
	w.must(w.run.SetMode(ctx, a, id, provider.ModeNew))
	w.must(w.run.SetName(ctx, a, id, name))
	_, err = w.run.Connect(ctx, a, id, login, adminPassword)
	w.must(err)
	w.must(w.run.Choose(ctx, a, id, account.Alias(alias)))
	d, err := w.run.Draft(ctx, a, id)
	w.must(err)
	if d.Tenant == "" {
		d.Details.DomainPrefix, d.Details.DomainConfirmed = prefix, true
		w.must(w.run.SetDetails(ctx, a, id, d.Details))
	}
	terms, err := w.run.Terms(ctx, a, id)
	w.must(err)
	w.must(w.run.AcceptTerms(ctx, a, id, terms.Partner.ID, terms.Partner.Hash))
	if d.Tenant != "" {
		w.must(w.run.AcceptTerms(ctx, a, id, terms.Microsoft.ID, terms.Microsoft.Hash))
		return id
	}
	at, err := w.run.StartAttestation(ctx, a, id, false, account.Contact{})
	w.must(err)
	w.must(w.sim.AcceptAttestation(at.ID))
	w.poll("the attestation to be accepted", func() bool {
		at, err = w.run.Attestation(ctx, a, id)
		w.must(err)
		return at.State == "accepted"
	})
	return id
}

// until waits for a provider's state.
func (w *world) until(id provider.ID, want provider.State) provider.Provider {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx(), 90*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		p, err := w.providers.Find(ctx, id)
		if err == nil && p.State == want {
			return p
		}
		if err == nil && want != provider.Stuck && p.State == provider.Stuck || ctx.Err() != nil {
			w.t.Fatalf("provider is %s (%s), want %s\n%s", p.State, p.Note, want, w.story(id))
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// story is the provider's log, and the last exchanges, for a failed test.
func (w *world) story(id provider.ID) string {
	var b bytes.Buffer
	ctx := context.Background()
	tail, _, err := w.providers.Tail(ctx, id, 100)
	fmt.Fprintln(&b, err)
	for _, e := range tail {
		fmt.Fprintln(&b, e.At.Format(time.StampMilli), e.Level, e.Step, e.Text)
	}
	if o, err := w.run.OnboardingOf(ctx, w.owner, id); err == nil {
		x, err := w.run.Exchanges(ctx, w.owner, o.ID, 5)
		fmt.Fprintln(&b, o.State, o.Step, o.Refusal, err)
		for _, e := range x {
			fmt.Fprintln(&b, e.Method, e.URL, e.Status, e.Response.Body, e.Error)
		}
	}
	open, err := w.jobs.Open(ctx)
	fmt.Fprintln(&b, err)
	for _, j := range open {
		fmt.Fprintln(&b, "job", j.Kind, j.Key, j.Attempt, store.Time(j.DueAt), j.LastError)
	}
	return b.String()
}
