package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/billing"
	"causeway/internal/invoice"
	"causeway/internal/ledger"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/torture"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// bookkeeping is the ordeal of billing: some months of a partner with a few customers,
// every habit of Azure's billing, every pattern and two price lists, while workers die
// at every point of fetching, rating, drafting, issuing and closing, and Microsoft's
// exports fail in every way that they do.
type bookkeeping struct {
	*ordeal
	months   []usage.Month
	size     bookSize
	accounts []account.Alias
	found    []torture.Violation

	files, classes int // documents with a file; classes of causes that were compared
}

// bookSize says how much is billed.
type bookSize struct {
	Customers int
	Records   int64 // of a month
}

// billingResult is what torture --billing prints: one object for all of its runs.
type billingResult struct {
	Partners     int                      `json:"partners"`
	Months       int                      `json:"months"` // of all of them
	Documents    int                      `json:"documents"`
	Kills        int                      `json:"kills"`
	Faults       int                      `json:"faults"`
	Classes      int                      `json:"classes_compared"` // with what the simulated Microsoft planted
	Unbalanced   int                      `json:"unbalanced"`
	Unexplained  int                      `json:"unexplained"`
	Misbilled    int                      `json:"misbilled"` // twice, not at all, without a number or a file
	NotReplayed  int                      `json:"not_replayed"`
	LeakedSecret int                      `json:"leaked_secrets"`
	Seconds      float64                  `json:"seconds"`
	Seed         uint64                   `json:"seed"`
	Broken       map[torture.Property]int `json:"broken,omitempty"`
	FailedSeeds  []uint64                 `json:"failed_seeds,omitempty"`

	violations []torture.Violation
}

// add sums up several partners.
func (r *billingResult) add(x billingResult) {
	if r.Partners == 0 {
		r.Seed, r.Broken = x.Seed, map[torture.Property]int{}
	}
	r.Seed = min(r.Seed, x.Seed)
	r.Partners += x.Partners
	r.Months += x.Months
	r.Documents += x.Documents
	r.Kills += x.Kills
	r.Faults += x.Faults
	r.Classes += x.Classes
	r.Unbalanced += x.Unbalanced
	r.Unexplained += x.Unexplained
	r.Misbilled += x.Misbilled
	r.NotReplayed += x.NotReplayed
	r.LeakedSecret += x.LeakedSecret
	for p, n := range x.Broken {
		r.Broken[p] += n
	}
	r.FailedSeeds = append(r.FailedSeeds, x.FailedSeeds...)
	if len(x.violations) > 0 {
		r.FailedSeeds = append(r.FailedSeeds, x.Seed)
	}
}

// tortureBilling bills one partner for so many months.
func tortureBilling(ctx context.Context, seed uint64, months int, size bookSize, tell func(string)) (_ billingResult, err error) {
	const first = usage.Month("2026-09")
	b := &bookkeeping{size: size}
	for i := range months {
		b.months = append(b.months, first.Add(i))
	}
	plan := torture.Plan{Seed: seed, Kills: true}
	b.ordeal = newOrdeal(plan, rand.NewPCG(seed, 0x626f6f6b73), b.after(first), tell) // #nosec G404 -- a run that can be repeated
	end, err := b.begin(ctx, sim.Seed{})
	if err != nil {
		return billingResult{}, err
	}
	defer end()
	if err := b.prepareBooks(ctx); err != nil {
		return billingResult{}, fmt.Errorf("prepare: %w", err)
	}
	for _, m := range b.months {
		if err := b.month(ctx, m); err != nil {
			return billingResult{}, fmt.Errorf("%s: %w", m, err)
		}
	}
	if err := b.end(ctx); err != nil {
		return billingResult{}, err
	}
	return b.result(ctx)
}

// after is the second day after a month of service, 10:00 UTC.
func (b *bookkeeping) after(m usage.Month) time.Time {
	return m.Add(1).First().Time().Add(34 * time.Hour)
}

func (b *bookkeeping) until(at time.Time) { b.clock.advance(at.Sub(b.clock.now())) }

// control asks the simulated Microsoft for something that no partner can.
func (b *bookkeeping) control(ctx context.Context, method, path string, in, out any) error {
	w := &world{sim: simReady{URL: b.sim.URL}, http: b.sim.Client()}
	return w.control(ctx, method, path, in, out)
}

// prepareBooks connects the partner and decides what staff decide before the first bill.
func (b *bookkeeping) prepareBooks(ctx context.Context) error {
	if err := b.connect(ctx); err != nil {
		return err
	}
	if err := b.generate(ctx, b.months[0]); err != nil {
		return err
	}
	a := b.first()
	err := a.Billing.SetSetup(ctx, b.staff, 0, billing.Setup{
		Sellers: []billing.Seller{{ID: "main", Prefix: "R-", Party: invoice.Party{Name: "Partner", Country: "US"}, Tax: []invoice.TaxRule{{ID: "home", Country: "US", Percent: decimal.New(5, 0), Label: "Tax 5 %"}}}},
		Pattern: invoice.Pattern{Way: invoice.Arrears}, PayDays: 30,
	})
	if err != nil {
		return err
	}
	var customers []sim.CustomerState
	if err := b.control(ctx, http.MethodGet, "/_sim/customers", nil, &customers); err != nil {
		return err
	}
	patterns := []invoice.Pattern{{Way: invoice.Arrears}, {Way: invoice.MonthEnd}, {Way: invoice.Settle}, {Way: invoice.Arrears, Months: 1}}
	for i, customer := range customers {
		alias, err := billedAccount(ctx, a, b.staff, customer.ID, i, b.months[0].Add(-1).First(), b.months[len(b.months)-1].Add(3).Last())
		if err != nil {
			return err
		}
		p := patterns[(uint64(i)+b.plan.Seed)%uint64(len(patterns))] // #nosec G115 -- a small number
		if err := a.Billing.SetAccountSetup(ctx, b.staff, alias, 0, billing.AccountSetup{Switches: []invoice.Switch{{Pattern: p}}}); err != nil {
			return err
		}
		b.accounts = append(b.accounts, alias)
	}
	return b.price(ctx)
}

// price gives one account a list of its own; the others pay the list price.
func (b *bookkeeping) price(ctx context.Context) error {
	l := rating.Default("USD")
	l.ID, l.EarnedShare = "plus", decimal.New(40, 0)
	l.Rules[0].Percent = decimal.RequireFromString("7.25")
	l.Support = &rating.Support{ID: "support", Label: "Support", Steps: []rating.Step{{Percent: decimal.New(3, 0)}}}
	book := b.first().Prices
	v, err := book.Save(ctx, b.staff, l, "", "For this partner", nil, nil)
	if err != nil {
		return err
	}
	if _, err := book.Activate(ctx, b.staff, "plus", v.List.Version, "2026-01-01"); err != nil {
		return err
	}
	return book.Assign(ctx, b.staff, b.accounts[0], "plus", "2026-01-01")
}

// generate makes a month's usage at Microsoft.
func (b *bookkeeping) generate(ctx context.Context, m usage.Month) error {
	features := slices.DeleteFunc(slices.Clone(sim.Features), func(f sim.Feature) bool { return f == sim.FeatureUnmapped })
	return b.control(ctx, http.MethodPost, "/_sim/billing/generate",
		sim.BillOptions{Month: string(m), Seed: b.plan.Seed, Customers: b.size.Customers, Records: b.size.Records, Density: 10, Features: features}, nil)
}

// month lives through the time in which a month is billed: the estimate of its end,
// Microsoft's invoice some days later, and our own bills before and after that.
func (b *bookkeeping) month(ctx context.Context, m usage.Month) error {
	if m != b.months[0] {
		if err := b.generate(ctx, m); err != nil {
			return err
		}
	}
	b.armed = true
	defer func() { b.armed = false }()
	if err := b.lookAndIssue(ctx, m); err != nil {
		return err
	}
	b.clock.advance(6 * 24 * time.Hour)
	if err := b.look(ctx); err != nil {
		return err
	}
	var made []struct{ Number string }
	if err := b.control(ctx, http.MethodPost, "/_sim/billing/close", map[string]any{"month": m}, &made); err != nil {
		return err
	}
	if len(made) != 1 {
		return fmt.Errorf("microsoft sent %d invoices, want 1", len(made))
	}
	if err := b.lookAndIssue(ctx, m); err != nil {
		return err
	}
	if err := b.explained(ctx, made[0].Number); err != nil {
		return err
	}
	b.until(b.after(m.Add(1)))
	return nil
}

func (b *bookkeeping) lookAndIssue(ctx context.Context, m usage.Month) error {
	if err := b.look(ctx); err != nil {
		return err
	}
	return b.issue(ctx, m)
}

// look lets the workers fetch what Microsoft has: first while everything goes wrong,
// then until nothing is left to do.
func (b *bookkeeping) look(ctx context.Context) error {
	for _, f := range exportFaults {
		b.sim.Fail(f.On, f)
	}
	if err := b.work(ctx, 40*time.Minute); err != nil {
		return err
	}
	for _, f := range b.sim.Faults() {
		b.faults += f.Applied
	}
	b.sim.ClearFaults()
	b.clock.advance(time.Hour) // by then whatever waited is tried again
	return b.work(ctx, 5*time.Minute)
}

// exportFaults are what goes wrong at Microsoft while exports are fetched.
var exportFaults = func() []sim.Fault {
	const (
		exports = "/v1.0/reports/partners/billing/*"
		blobs   = "GET /billingblobs/{}/{}"
	)
	list := []sim.Fault{
		{On: "* " + exports, Kind: sim.HangUpBefore, Probability: 0.03}, {On: "* " + exports, Kind: sim.HangUpAfter, Probability: 0.05},
		{On: "* " + exports, Kind: sim.FailBefore, Status: 503, Probability: 0.05}, {On: "* " + exports, Kind: sim.ExpireToken, Probability: 0.02},
		{On: "* " + exports, Kind: sim.Throttled, RetryAfter: 2, Probability: 0.03, Count: 3}, {On: "* " + exports, Kind: sim.HTMLBody, Probability: 0.02},
		{On: "GET " + exports, Kind: sim.FailBefore, Status: 410, Code: "gone", Probability: 0.03},
		{On: "POST " + exports, Kind: sim.FailOperation, Code: "6000", Probability: 0.08},
		{On: "GET /v1/invoices*", Kind: sim.FailBefore, Status: 503, Probability: 0.1}, {On: "GET /v1/invoices*", Kind: sim.HangUpAfter, Probability: 0.05},
		{On: blobs, Kind: sim.FailBefore, Status: 503, Probability: 0.05},
	}
	for _, k := range []sim.FaultKind{sim.ExpireSAS, sim.TruncateBlob, sim.CutBlob, sim.CorruptBlob} {
		list = append(list, sim.Fault{On: blobs, Kind: k, Probability: 0.06})
	}
	return list
}()

// work lets either worker do what is due, and time pass for what comes due within a
// while; workers that die are started anew.
func (b *bookkeeping) work(ctx context.Context, while time.Duration) error {
	err := b.person(ctx, func(a *App) error {
		return a.DB.Tx(ctx, func(tx *store.Tx) error { return a.Jobs.Wake(ctx, tx, billing.JobFetch, "") })
	})
	if err != nil {
		return err
	}
	until := b.clock.now().Add(while)
	for {
		ran, err := b.step(ctx, b.apps[b.rand.IntN(len(b.apps))])
		if err != nil {
			return err
		}
		if ran {
			continue
		}
		next, err := b.first().Jobs.Next(ctx)
		if err != nil {
			return err
		}
		if next.IsZero() || next.After(until) {
			return nil
		}
		b.clock.advance(max(next.Sub(b.clock.now()), time.Millisecond))
	}
}

// person does something that staff do, and again if the server died meanwhile.
func (b *bookkeeping) person(ctx context.Context, do func(*App) error) error {
	for {
		done := make(chan error, 1)
		go func() {
			var err error
			defer func() { done <- err }() // also after Goexit
			err = do(b.first())
		}()
		err := <-done
		if !b.crashed.Swap(false) {
			return err
		}
		b.drop()
		if err := b.open(ctx); err != nil {
			return err
		}
	}
}

// issue lets staff approve the drafts of a month, and the workers issue them.
func (b *bookkeeping) issue(ctx context.Context, m usage.Month) error {
	err := b.person(ctx, func(a *App) error { return a.Billing.Approve(ctx, b.staff, m) })
	if err != nil {
		return err
	}
	return b.work(ctx, 5*time.Minute)
}

func (b *bookkeeping) broken(p torture.Property, object, format string, args ...any) {
	b.found = append(b.found, torture.Violation{Property: p, Object: object, Text: fmt.Sprintf(format, args...)})
}

// explained holds the causes of an invoice of Microsoft against what was planted.
func (b *bookkeeping) explained(ctx context.Context, id string) error {
	list, err := b.first().Billing.Causes(ctx, id)
	if err != nil {
		return err
	}
	found, sealed := map[string]decimal.Decimal{}, map[string]string{}
	for _, x := range list {
		key := x.Bridge + " " + string(x.Class)
		found[key] = found[key].Add(x.Amount.Decimal())
	}
	var s sim.Sealed
	if err := b.control(ctx, http.MethodGet, "/_sim/billing/sealed?invoice="+id, nil, &s); err != nil {
		return err
	}
	for _, e := range s.Entries {
		sealed[string(e.Bridge)+" "+string(e.Class)] = e.Amount
	}
	b.classes += len(sealed)
	for _, wrong := range torture.Causes(sealed, found) {
		b.broken(torture.Explained, id, "%s", wrong)
	}
	return nil
}

// end issues what is still due, closes every month that nothing is due of, and works
// all of it out once more.
func (b *bookkeeping) end(ctx context.Context) error {
	last := b.months[len(b.months)-1]
	for m := last.Add(1); m <= last.Add(2); m = m.Add(1) { // corrections, and arrears of a month
		b.armed = true
		err := b.lookAndIssue(ctx, m)
		b.armed = false
		if err != nil {
			return err
		}
		b.until(b.after(m.Add(1)))
	}
	before := map[usage.Month]string{}
	for _, m := range b.months {
		if err := b.closed(ctx, m, m < last); err != nil {
			return err
		}
		totals, err := b.totals(ctx, m)
		if err != nil {
			return err
		}
		before[m] = totals
	}
	if err := b.billed(ctx, last); err != nil {
		return err
	}
	if err := b.settled(ctx, last); err != nil {
		return err
	}
	b.drop() // everything again, in a lake that reads it anew
	if err := os.RemoveAll(filepath.Join(b.dir, "lake")); err != nil {
		return err
	}
	if err := b.open(ctx); err != nil {
		return err
	}
	for _, m := range b.months {
		if err := b.first().Billing.Rate(ctx, m); err != nil {
			return err
		}
		again, err := b.totals(ctx, m)
		if err != nil {
			return err
		}
		if again != before[m] {
			b.broken(torture.Replayed, string(m), "Worked out again it is\n%s\nand was\n%s", again, before[m])
		}
	}
	return nil
}

// closed reconciles a month, and closes it if it should be at its end.
func (b *bookkeeping) closed(ctx context.Context, m usage.Month, complete bool) error {
	r, err := b.first().Billing.Reconcile(ctx, b.staff, m)
	if err != nil {
		return err
	}
	for _, s := range r.Statements {
		if !s.Posted || !s.Unclassified.IsZero() {
			b.broken(torture.Balanced, s.Invoice, "Posted: %t, unclassified: %s.", s.Posted, s.Unclassified)
		}
	}
	if !complete {
		return nil
	}
	if len(r.Open)+len(r.Missing)+len(r.Undrafted) > 0 || len(r.Statements) != 1 {
		b.broken(torture.Balanced, string(m), "It cannot be closed: %+v %q %+v.", r.Open, r.Missing, r.Undrafted)
		return nil
	}
	b.armed = true
	defer func() { b.armed = false }()
	return b.person(ctx, func(a *App) error { return a.Billing.Close(ctx, b.staff, m) })
}

// totals are what accounts cost in a month, in words.
func (b *bookkeeping) totals(ctx context.Context, m usage.Month) (string, error) {
	list, err := b.first().Billing.Months().Totals(ctx, m)
	var text strings.Builder
	for _, x := range list {
		_, _ = fmt.Fprintln(&text, x.Account, x.Sell.Text(), x.Cost.Text(), x.Margin.Text(), x.Earned.Text(), x.AsOf)
	}
	return text.String(), err
}

// billed: no bill is there twice, none is missing, each has a number and a file, and
// every posting is there and sums to zero.
func (b *bookkeeping) billed(ctx context.Context, last usage.Month) error {
	a := b.first()
	if _, err := a.Journal.Verify(ctx); err != nil {
		b.broken(torture.Balanced, "ledger", "%v", err)
	}
	if _, err := a.Billing.Book().Verify(ctx, "main"); err != nil {
		b.broken(torture.Billed, "numbers", "%v", err)
	}
	type item struct {
		account, label string
		month          usage.Month
		estimate       bool
	}
	seen := map[item]string{}
	for m := b.months[0]; m <= last.Add(2); m = m.Add(1) {
		docs, err := b.documents(ctx, m)
		if err != nil {
			return err
		}
		for _, d := range docs {
			for _, l := range d.Lines {
				x := item{d.Account, l.Label, l.Month, l.Estimate}
				if was := seen[x]; was != "" && l.Kind != invoice.LineUpdate {
					b.broken(torture.Billed, d.Account, "Both %s and %s have %q of %s.", was, d.Number, l.Label, l.Month)
				}
				seen[x] = d.Number
			}
			pdf, err := a.Billing.PDF(ctx, d.ID)
			if err != nil || len(pdf) == 0 {
				b.broken(torture.Billed, d.Number, "It has no file: %v.", err)
				continue
			}
			b.files++
		}
	}
	billed := map[string]map[usage.Month]bool{}
	for x := range seen {
		if billed[x.account] == nil {
			billed[x.account] = map[usage.Month]bool{}
		}
		billed[x.account][x.month] = true
	}
	for _, m := range b.months[:len(b.months)-1] {
		totals, err := a.Billing.Months().Totals(ctx, m)
		if err != nil {
			return err
		}
		for _, x := range totals {
			if !x.Sell.IsZero() && !billed[x.Account][m] {
				b.broken(torture.Billed, x.Account, "No bill has %s of %s.", x.Sell, m)
			}
		}
	}
	return nil
}

func (b *bookkeeping) documents(ctx context.Context, closing usage.Month) ([]invoice.Document, error) {
	return b.first().Billing.Book().OfMonth(ctx, closing, invoice.Issued, "", 1000)
}

// settled: what is left of cost and accruals is what documents and Microsoft's
// invoices have of the months that are not at their end, and nothing else.
func (b *bookkeeping) settled(ctx context.Context, last usage.Month) error {
	left, have := map[ledger.Account]decimal.Decimal{}, map[ledger.Account]decimal.Decimal{}
	add := func(to map[ledger.Account]decimal.Decimal, a ledger.Account, x money.Amount) {
		to[a] = to[a].Add(x.Decimal())
	}
	for m := b.months[0]; m <= last.Add(2); m = m.Add(1) {
		docs, err := b.documents(ctx, m)
		if err != nil {
			return err
		}
		for _, d := range docs {
			cost, accrual := ledger.Cost.Of(d.Account), ledger.Accrual.Of(d.Account)
			for _, l := range d.Lines {
				switch {
				case l.Month < last:
					continue
				case l.Estimate:
					add(left, accrual, l.Exact.Cost.Neg())
				default:
					add(left, cost, l.Exact.Cost.Neg())
				}
				add(left, accrual, l.Settles)
				add(left, cost, l.Settles.Neg())
			}
		}
	}
	totals, err := b.first().Billing.Months().Totals(ctx, last)
	if err != nil {
		return err
	}
	for _, x := range totals {
		add(left, ledger.Cost.Of(x.Account), x.Cost)
	}
	for m := b.months[0].Add(-1); m <= last.Add(4); m = m.Add(1) {
		list, err := b.first().Journal.Balances(ctx, b.db.Read(), m)
		if err != nil {
			return err
		}
		for _, x := range list {
			add(have, x.Account, x.Amount)
		}
	}
	for a, x := range have {
		switch a.Kind() {
		case ledger.Cost, ledger.Accrual, ledger.Suspense:
			if !x.Equal(left[a]) {
				b.broken(torture.Balanced, string(a), "It is left with %s, want %s.", x, left[a])
			}
		}
	}
	return nil
}

// result counts what was found, and looks for secrets in logs and tables.
func (b *bookkeeping) result(ctx context.Context) (billingResult, error) {
	texts, err := torture.Dump(ctx, b.db)
	if err != nil {
		return billingResult{}, err
	}
	var secrets []torture.Secret
	if err := as(b.sim.Secrets(), &secrets); err != nil {
		return billingResult{}, err
	}
	b.found = append(b.found, torture.Leaks(append(texts, torture.Text{Where: "log", Body: b.logs.String()}), secrets)...)
	r := billingResult{
		Partners: 1, Months: len(b.months), Documents: b.files, Kills: b.kills, Faults: b.faults, Classes: b.classes, Seed: b.plan.Seed,
		Broken: map[torture.Property]int{}, violations: b.found,
	}
	for _, v := range b.found {
		r.Broken[v.Property]++
	}
	r.Unbalanced, r.Unexplained, r.Misbilled = r.Broken[torture.Balanced], r.Broken[torture.Explained], r.Broken[torture.Billed]
	r.NotReplayed, r.LeakedSecret = r.Broken[torture.Replayed], r.Broken[torture.Secrecy]
	return r, nil
}

// billedAccount makes an organization with a billing account that pays for a customer.
func billedAccount(ctx context.Context, a *App, by account.Actor, customer string, n int, from, to usage.Day) (account.Alias, error) {
	alias := account.Alias(fmt.Sprintf("B%05d", n))
	org, err := a.People.CreateOrg(ctx, account.System(), account.Organization{Name: "Company " + string(alias)})
	if err != nil {
		return "", err
	}
	_, err = a.People.CreateAccount(ctx, account.System(), account.Account{
		Alias: alias, Org: org.ID, Name: "Company " + string(alias), Billable: true, CreditLimit: money.Must("100000", "USD"),
		Address: address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"},
		Contact: account.Contact{FirstName: "Account", LastName: "Contact", Email: "billing@" + strings.ToLower(string(alias)) + ".example", Phone: "+1 716 555 0123"},
	})
	if err != nil {
		return "", err
	}
	for ; from <= to; from = from.Add(365) { // an assignment is of a year or so at most
		if err := a.Billing.Assign(ctx, by, billing.Assignment{Tenant: customer, Account: alias, From: from, To: min(to, from.Add(364)), Why: "It is billed here"}); err != nil {
			return "", err
		}
	}
	return alias, nil
}
