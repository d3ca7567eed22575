package billing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/azure"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/azure/token"
	"causeway/internal/billing"
	"causeway/internal/invoice"
	"causeway/internal/job"
	"causeway/internal/ledger"
	"causeway/internal/money"
	"causeway/internal/partner"
	"causeway/internal/price"
	"causeway/internal/provider"
	"causeway/internal/seal"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/support"
	"causeway/internal/torture"
	"causeway/internal/usage"
	"causeway/internal/usage/clickhouse"
	"causeway/internal/usage/clickhouse/clickhousetest"
	"causeway/internal/usage/lake"
	"causeway/internal/usage/raw"

	"github.com/shopspring/decimal"
)

var finance = account.Actor{User: "1", Role: account.RoleFinance}

// books is a partner that bills, beside a simulated Microsoft.
type books struct {
	t       testing.TB
	db      *store.DB
	sim     *sim.Server
	ring    *seal.Ring
	dir     string
	workers int

	jobs      *job.Queue
	people    *account.Directory
	providers *provider.Inventory
	journal   *ledger.Journal
	prices    *price.Book
	raw       *raw.Store
	lake      closable
	openLake  func() (closable, error)
	fetch     *billing.Fetcher
	mail      *support.Outbox
	desk      *support.Desk
	*billing.Cycle
}

// closable is a lake that a restart closes.
type closable interface {
	billing.Lake
	Close() error
}

// newBooks is a partner on a day at 10:00 UTC, with a lake in a folder.
func newBooks(t testing.TB, db *store.DB, day string) *books {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	return newBooksIn(t, db, day, func() (closable, error) { return lake.Open(dir, lake.Options{Workers: 2}) })
}

func newBooksIn(t testing.TB, db *store.DB, day string, openLake func() (closable, error)) *books {
	t.Helper()
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	now, began := d.Add(10*time.Hour), time.Now()
	ms := sim.Start(t, func(c *sim.Config) { c.Now = func() time.Time { return now.Add(time.Since(began)) } })
	ring, err := seal.New()
	b := &books{t: t, db: db, sim: ms, ring: ring, dir: t.TempDir(), workers: 4, openLake: openLake}
	b.must(err)
	b.build()
	b.must(b.SetSetup(t.Context(), finance, 0, billing.Setup{
		Sellers: []billing.Seller{{ID: "main", Party: invoice.Party{Name: "Partner Ltd", Country: "US"}, Prefix: "R-", Tax: []invoice.TaxRule{{ID: "home", Country: "US", Percent: decimal.New(5, 0), Label: "Tax 5 %"}}}},
		Pattern: invoice.Pattern{Way: invoice.Arrears}, PayDays: 30,
	}))
	return b
}

// build makes the program's parts; a second call is the program after a restart.
func (b *books) build() {
	b.t.Helper()
	ctx, log, now := b.t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil)), b.sim.Clock.Now
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(logTo{b.t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	pipe, err := azure.New(azure.Config{
		LoginURL: b.sim.URL, PartnerCenterURL: b.sim.URL, GraphURL: b.sim.URL, ARMURL: b.sim.URL, CAFile: b.sim.CAFile,
		PartnerTenant: sim.DefaultPartnerTenant, AppID: sim.DefaultAppID, Timeout: 20 * time.Second, Now: now, Log: log,
	})
	b.must(err)
	custody := token.New(b.db, b.ring, pipe, "test")
	if b.jobs == nil {
		const redirect = "http://127.0.0.1/callback"
		b.must(custody.SetApplication(ctx, token.By{Actor: "system"}, sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultAppSecret))
		var out struct{ Code string }
		b.control("POST", "/_sim/people/"+sim.DefaultUser+"/sign-in", map[string]any{"mfa": true, "redirectUri": redirect}, &out)
		_, err := custody.RedeemCode(ctx, token.By{Actor: "system"}, redirect, out.Code)
		b.must(err)
	} else {
		b.must(b.jobs.Stop())
		b.must(b.lake.Close())
	}
	pipe = pipe.With(custody)
	b.raw, err = raw.New(ctx, b.db, now, filepath.Join(b.dir, "exports"))
	b.must(err)
	b.lake, err = b.openLake()
	b.must(err)
	first := b.jobs == nil
	b.jobs = job.New(b.db, "test", now, log)
	b.people, b.providers = account.New(b.db, now), provider.New(b.db, now)
	b.journal, b.prices = ledger.New(b.db, now), price.New(b.db, now)
	settings := partner.New(b.db, now, partner.WithBrand(partner.SeedBrand()))
	b.mail = support.NewOutbox(b.db, now, b.jobs, settings, support.Server{}, log)
	b.desk = support.New(b.db, now, settings, b.mail, "https://portal.example")
	b.Cycle = billing.New(billing.Parts{
		DB: b.db, Now: now, Log: log, Jobs: b.jobs, People: b.people, Settings: settings, Prices: b.prices, Mail: b.mail, Desk: b.desk, Portal: "https://portal.example",
		Journal: b.journal, Lake: b.lake, Raw: b.raw, Files: billing.Folder(filepath.Join(b.dir, "documents")), Workers: b.workers, Ring: b.ring,
	})
	b.fetch = billing.NewFetcher(billing.FetchParts{
		DB: b.db, Now: now, Log: log, Jobs: b.jobs, Graph: graph.New(pipe), Partner: partnercenter.New(pipe), Raw: b.raw,
		Tenant:     func(context.Context) (string, error) { return sim.DefaultPartnerTenant, nil },
		OnSnapshot: b.OnSnapshot,
	})
	b.fetch.Handle(b.jobs)
	b.must(b.jobs.Start(ctx))
	b.must(b.fetch.Watch(ctx))
	if first {
		b.t.Cleanup(func() {
			if err := b.lake.Close(); err != nil {
				b.t.Error(err)
			}
		})
	}
}

type logTo struct{ t testing.TB }

func (l logTo) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func (b *books) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *books) control(method, path string, in, out any) {
	b.t.Helper()
	body, err := json.Marshal(in)
	b.must(err)
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.sim.URL+path, bytes.NewReader(body))
	b.must(err)
	res, err := b.sim.Client().Do(req)
	b.must(err)
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	b.must(err)
	if res.StatusCode >= 300 {
		b.t.Fatalf("%s %s: %s %s", method, path, res.Status, answer)
	}
	if out != nil {
		b.must(json.Unmarshal(answer, out))
	}
}

// generate makes a month of usage at Microsoft.
func (b *books) generate(o sim.BillOptions) {
	b.t.Helper()
	b.control("POST", "/_sim/billing/generate", o, nil)
}

// close makes Microsoft's invoices of a month; the dates are the simulator's usual.
func (b *books) close(m usage.Month) []string {
	b.t.Helper()
	var made []struct{ Number string }
	b.control("POST", "/_sim/billing/close", map[string]any{"month": m}, &made)
	var ids []string
	for _, i := range made {
		ids = append(ids, i.Number)
	}
	return ids
}

// connect makes an organization with a billing account for every customer that has
// none yet: C0001 and so on. Each pays for its tenant from a day on.
func (b *books) connect(from usage.Day) []string {
	b.t.Helper()
	ctx := b.t.Context()
	var customers []sim.CustomerState
	b.control("GET", "/_sim/customers", nil, &customers)
	var aliases []string
	for i, c := range customers {
		alias := fmt.Sprintf("C%04d", i+1)
		aliases = append(aliases, alias)
		if _, err := b.people.Account(ctx, account.Alias(alias)); err == nil {
			continue
		}
		org := b.account(alias)
		b.tenant("tenant-"+alias, c.ID, org)
		b.pays("tenant-"+alias, "", alias, org, from, "")
	}
	return aliases
}

func (b *books) account(alias string) account.OrgID {
	b.t.Helper()
	org, err := b.people.CreateOrg(b.t.Context(), account.System(), account.Organization{Name: "Company " + alias})
	b.must(err)
	_, err = b.people.CreateAccount(b.t.Context(), account.System(), account.Account{
		Alias: account.Alias(alias), Org: org.ID, Name: "Company " + alias, Billable: true,
		Address:     address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"},
		Contact:     account.Contact{FirstName: "Account", LastName: "Contact", Email: "billing@" + strings.ToLower(alias) + ".example", Phone: "+1 716 555 0123"},
		CreditLimit: money.Must("100000", "USD"),
	})
	b.must(err)
	return org.ID
}

// tenant is what an onboarding leaves of a customer.
func (b *books) tenant(id, azure string, org account.OrgID) {
	b.t.Helper()
	b.must(b.db.Tx(b.t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(b.t.Context(), `INSERT INTO tenant (id, org, legal_entity, domain, state, stage, holder, account, details, attestation, azure_id, born_at, cart, order_id, plan,
			first_by, relationship, principal, admin_upn, admin_object, credentials, credentials_until, created_at)
			VALUES ('`+id+`', '`+string(org)+`', '`+id+`', '`+id+`', 'live', 'entered', '', '', '{}', '', '`+azure+`', 0, '', '', '', '', '', '', '', '', '', 0, 0)`)
		return err
	}))
}

func (b *books) pays(tenant, entitlement, alias string, org account.OrgID, from, to usage.Day) {
	b.t.Helper()
	b.must(b.db.Tx(b.t.Context(), func(tx *store.Tx) error {
		return b.providers.Fill(b.t.Context(), tx, provider.Association{Tenant: tenant, Entitlement: entitlement, Account: account.Alias(alias), Org: org, From: provider.Day(from), To: provider.Day(to)})
	}))
}

// work runs all that is due, and lets time pass for what waits a short while.
func (b *books) work() {
	b.t.Helper()
	for range 400 {
		did, err := b.jobs.RunOnce(b.t.Context())
		b.must(err)
		if did {
			continue
		}
		next, err := b.jobs.Next(b.t.Context())
		b.must(err)
		wait := next.Sub(b.sim.Clock.Now())
		if next.IsZero() || wait > 2*time.Minute {
			return
		}
		b.sim.Advance(max(wait, time.Millisecond))
	}
	b.t.Fatal("the work has no end")
}

// look fetches what there is at Microsoft, and does all that comes of it.
func (b *books) look() {
	b.t.Helper()
	b.must(b.db.Tx(b.t.Context(), func(tx *store.Tx) error { return b.jobs.Wake(b.t.Context(), tx, billing.JobFetch, "") }))
	b.work()
}

func (b *books) issue(closing usage.Month) []invoice.Document {
	b.t.Helper()
	if _, err := b.IssueMonth(b.t.Context(), finance, closing); err != nil {
		b.t.Fatal(err)
	}
	return b.documents(closing)
}

// documents are those of a month that have a number, by account.
func (b *books) documents(closing usage.Month) []invoice.Document {
	b.t.Helper()
	list, err := b.Book().OfMonth(b.t.Context(), closing, invoice.Issued, "", 1000)
	b.must(err)
	slices.SortFunc(list, func(x, y invoice.Document) int { return strings.Compare(x.Account+x.Number, y.Account+y.Number) })
	return list
}

func (b *books) reconcile(m usage.Month) billing.Reconciliation {
	b.t.Helper()
	r, err := b.Reconcile(b.t.Context(), finance, m)
	b.must(err)
	return r
}

// sound asks what must hold at any time: every posting is there and sums to zero, and
// no number is missing.
func (b *books) sound() {
	b.t.Helper()
	if _, err := b.journal.Verify(b.t.Context()); err != nil {
		b.t.Error(err)
	}
	if _, err := b.Book().Verify(b.t.Context(), "main"); err != nil {
		b.t.Error(err)
	}
}

// sealed is what the simulator planted in an invoice, by bridge and class.
func (b *books) sealed(invoice string) map[string]string {
	b.t.Helper()
	var s sim.Sealed
	b.control("GET", "/_sim/billing/sealed?invoice="+invoice, nil, &s)
	all := map[string]string{}
	for _, e := range s.Entries {
		all[string(e.Bridge)+" "+string(e.Class)] = e.Amount
	}
	return all
}

func (b *books) closeMonth(m usage.Month) {
	b.t.Helper()
	if err := b.Close(b.t.Context(), finance, m); err != nil {
		b.t.Fatalf("%s: %v", m, err)
	}
}

// A whole month over the wire: what Microsoft exports ends on documents, posted,
// explained by class as the simulator planted it, and closed.
func TestAMonthOfAPartner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { aMonth(newBooks(t, db, "2026-11-02")) })
	t.Run("clickhouse", func(t *testing.T) {
		at := clickhousetest.Address(t)
		aMonth(newBooksIn(t, storetest.SQLite(t), "2026-11-02", func() (closable, error) { return clickhouse.Open(at, clickhouse.Options{}), nil }))
	})
}

func aMonth(b *books) {
	t := b.t
	b.generate(sim.BillOptions{Month: "2026-10", Seed: 7, Customers: 5, Records: 900, Density: 5, Features: without("unmapped")})
	b.connect("2026-01-01")
	b.look()
	var waits int
	list, err := b.Undrafted(t.Context(), "2026-10")
	b.must(err)
	for _, u := range list {
		if u.Waits {
			waits++
		}
	}
	if waits != 5 || len(list) != 5 {
		t.Fatalf("before Microsoft's invoice: %+v", list)
	}
	b.sim.Advance(6 * 24 * time.Hour)
	b.look()
	ids := b.close("2026-10")
	b.look()
	r := b.reconcile("2026-10")
	if len(r.Undrafted) != 0 || len(r.Statements) != 1 || !r.Statements[0].Posted || !r.Statements[0].Unclassified.IsZero() {
		t.Fatalf("%+v", r)
	}
	if r.Closed || len(r.Missing) == 0 {
		t.Errorf("may be closed before its bills are issued: %+v", r)
	}
	docs := b.issue("2026-10")
	if len(docs) != 5 {
		t.Fatalf("%d documents", len(docs))
	}
	if again := b.issue("2026-10"); len(again) != 5 || again[0].Number != docs[0].Number {
		t.Errorf("issued twice: %+v", again)
	}
	pdf, err := b.PDF(t.Context(), docs[0].ID)
	if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF")) {
		t.Errorf("%q (%v)", pdf[:min(len(pdf), 9)], err)
	}
	r = b.reconcile("2026-10")
	if len(r.Open) != 0 || len(r.Missing) != 0 {
		t.Fatalf("%+v", r)
	}
	b.compare(ids[0], r.Causes)
	b.sound()
	b.closeMonth("2026-10")
	b.closeMonth("2026-10")
	for _, a := range b.balances() {
		switch a.Account.Kind() {
		case ledger.Cost, ledger.Accrual, ledger.Suspense:
			if !a.Amount.IsZero() {
				t.Errorf("%s is left with %s", a.Account, a.Amount)
			}
		}
	}
}

func without(left ...sim.Feature) []sim.Feature {
	return slices.DeleteFunc(slices.Clone(sim.Features), func(f sim.Feature) bool { return slices.Contains(left, f) })
}

// balances are those of all months together.
func (b *books) balances() []ledger.Balance {
	b.t.Helper()
	sums := map[ledger.Account]money.Amount{}
	for m := usage.Month("2026-09"); m <= "2027-03"; m = m.Add(1) {
		list, err := b.journal.Balances(b.t.Context(), b.db.Read(), m)
		b.must(err)
		for _, x := range list {
			if was, ok := sums[x.Account]; ok {
				x.Amount, err = was.Add(x.Amount)
				b.must(err)
			}
			sums[x.Account] = x.Amount
		}
	}
	var all []ledger.Balance
	for a, x := range sums {
		all = append(all, ledger.Balance{Account: a, Amount: x})
	}
	return all
}

// compare holds causes against what was planted, class by class, to the last digit.
func (b *books) compare(invoice string, causes []billing.Cause) {
	b.t.Helper()
	found := map[string]decimal.Decimal{}
	for _, x := range causes {
		found[x.Bridge+" "+string(x.Class)] = found[x.Bridge+" "+string(x.Class)].Add(x.Amount.Decimal())
	}
	for _, wrong := range torture.Causes(b.sealed(invoice), found) {
		b.t.Error(wrong)
	}
}

// Who administers the account by an address of mail, and its billing contact, are told
// of its document once each, with the way to its page; without that setting nobody is.
func TestADocumentIsToldByMail(t *testing.T) {
	b := newBooks(t, storetest.SQLite(t), "2026-11-08")
	b.generate(sim.BillOptions{Month: "2026-10", Seed: 7, Customers: 2, Records: 200, Features: without("unmapped")})
	aliases := b.connect("2026-01-01")
	for _, login := range []string{"owner@company.example", "c0001-admin"} {
		b.must(b.people.AddAdministrator(t.Context(), account.System(), account.Alias(aliases[0]), login, "correct horse battery staple"))
	}
	b.must(b.people.AddAdministrator(t.Context(), account.System(), account.Alias(aliases[1]), "Billing@C0002.example", "correct horse battery staple"))
	setup, err := b.Setup(t.Context())
	b.must(err)
	setup.Mail = true
	b.must(b.SetSetup(t.Context(), finance, setup.Version, setup))
	b.close("2026-10")
	b.look()
	docs := b.issue("2026-10")
	mails, err := b.mail.Mails(t.Context(), account.System(), "", "", 10)
	b.must(err)
	var got []string
	for _, m := range mails.Items {
		got = append(got, m.To+" "+strings.TrimPrefix(m.Text[strings.LastIndex(m.Text, "https://"):], "https://portal.example/invoices/"))
	}
	slices.Sort(got)
	want := []string{"billing@c0001.example " + string(docs[0].ID) + "\n", "billing@c0002.example " + string(docs[1].ID) + "\n", "owner@company.example " + string(docs[0].ID) + "\n"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
