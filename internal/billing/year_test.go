package billing_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/ledger"
	"causeway/internal/rating"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

var (
	years  = flag.Int("years", 4, "how many partner-years are billed")
	length = flag.Int("months", 3, "how many months each has")
)

// Partner-years with every habit of Azure's billing, every pattern and several price
// lists: whatever happens, all cost ends on documents, both formulas are at zero, the
// causes are those that were planted, and what was billed can be worked out again.
func TestPartnerYears(t *testing.T) {
	for seed := range *years {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) {
			t.Parallel() // most of the time the disk is waited for
			b := newBooks(t, storetest.SQLite(t), "2026-10-02")
			y := year{b, uint64(seed + 1), nil} // #nosec G115 -- a small number
			for m := usage.Month("2026-09"); m < usage.Month("2026-09").Add(*length); m = m.Add(1) {
				y.month(m)
			}
			y.end("2026-09", usage.Month("2026-09").Add(*length-1))
		})
	}
}

type year struct {
	*books
	seed    uint64
	aliases []string
}

func (y *year) month(m usage.Month) {
	t := y.t
	t.Helper()
	y.generate(sim.BillOptions{Month: string(m), Seed: y.seed, Customers: 3, Records: 60, Density: 10, Features: without(sim.FeatureUnmapped)})
	if y.aliases == nil {
		y.aliases = y.connect("2026-01-01")
		y.decide()
	}
	y.look() // the 2nd of the next month: estimates
	y.issue(m)
	y.sim.Advance(6 * 24 * time.Hour)
	y.look()
	ids := y.close(m)
	y.look()
	if len(ids) != 1 {
		t.Fatalf("%s: invoices %v", m, ids)
	}
	y.issue(m)
	y.compare(ids[0], y.causes(ids[0]))
	y.sound()
	next := m.Add(2).First().Time().Add(24*time.Hour + 10*time.Hour)
	y.sim.Advance(next.Sub(y.sim.Clock.Now()))
}

func (y *year) causes(invoice string) []billing.Cause {
	y.t.Helper()
	list, err := y.Causes(y.t.Context(), invoice)
	y.must(err)
	return list
}

// decide gives the accounts different patterns and prices.
func (y *year) decide() {
	ctx := y.t.Context()
	patterns := []invoice.Pattern{{Way: invoice.Arrears}, {Way: invoice.MonthEnd}, {Way: invoice.Settle}, {Way: invoice.Arrears, Months: 1}}
	for i, alias := range y.aliases {
		p := patterns[(i+int(y.seed))%len(patterns)] // #nosec G115 -- a small number
		y.must(y.SetAccountSetup(ctx, finance, account.Alias(alias), 0, billing.AccountSetup{Switches: []invoice.Switch{{Pattern: p}}}))
	}
	l := rating.Default("USD")
	l.ID, l.EarnedShare = "plus", decimal.New(40, 0)
	l.Rules[0].Percent = decimal.RequireFromString("7.25")
	l.Support = &rating.Support{ID: "support", Label: "Support", Steps: []rating.Step{{Percent: decimal.New(3, 0)}}}
	v, err := y.prices.Save(ctx, finance, l, "", "For this partner", nil, nil)
	y.must(err)
	_, err = y.prices.Activate(ctx, finance, "plus", v.List.Version, "2026-01-01")
	y.must(err)
	y.must(y.prices.Assign(ctx, finance, account.Alias(y.aliases[0]), "plus", "2026-01-01"))
}

// end issues what is still due, and closes every month that nothing is due of.
func (y *year) end(first, last usage.Month) {
	t := y.t
	t.Helper()
	for m := last.Add(1); m <= last.Add(2); m = m.Add(1) { // corrections, and arrears of a month
		y.look()
		y.issue(m)
		y.sim.Advance(m.Add(2).First().Time().Add(34 * time.Hour).Sub(y.sim.Clock.Now()))
	}
	before := map[usage.Month]string{}
	for m := first; m <= last; m = m.Add(1) {
		r := y.reconcile(m)
		if m < last && (len(r.Open) > 0 || len(r.Missing) > 0) {
			t.Errorf("%s cannot be closed: %+v %q", m, r.Open, r.Missing)
			continue
		}
		if m < last {
			y.closeMonth(m)
		}
		before[m] = y.totals(m)
	}
	y.sound()
	y.settled(first, last)
	for m := first; m <= last; m = m.Add(1) { // by one worker, in a lake that reads it anew
		if y.workers > 1 {
			y.workers = 1
			y.must(os.RemoveAll(filepath.Join(y.dir, "lake")))
			y.build()
		}
		y.must(y.Rate(t.Context(), m))
		if again := y.totals(m); again != before[m] {
			t.Errorf("%s worked out again:\n%s\nbefore:\n%s", m, again, before[m])
		}
	}
}

func (y *year) totals(m usage.Month) string {
	y.t.Helper()
	list, err := y.Months().Totals(y.t.Context(), m)
	y.must(err)
	text := ""
	for _, x := range list {
		text += fmt.Sprintln(x.Account, x.Sell.Text(), x.Cost.Text(), x.Margin.Text(), x.Earned.Text(), x.AsOf)
	}
	return text
}

// settled: what is left of cost and accruals is what documents and Microsoft's
// invoices have of the months that are not at their end, and nothing else.
func (y *year) settled(first, last usage.Month) {
	y.t.Helper()
	left := map[ledger.Account]decimal.Decimal{}
	for m := first; m <= last.Add(2); m = m.Add(1) {
		for _, d := range y.documents(m) {
			for _, l := range d.Lines {
				if l.Month < last {
					continue
				}
				cost, accrual := ledger.Cost.Of(d.Account), ledger.Accrual.Of(d.Account)
				if l.Estimate {
					left[accrual] = left[accrual].Sub(l.Exact.Cost.Decimal())
				} else {
					left[cost] = left[cost].Sub(l.Exact.Cost.Decimal())
				}
				left[accrual], left[cost] = left[accrual].Add(l.Settles.Decimal()), left[cost].Sub(l.Settles.Decimal())
			}
		}
	}
	months, err := y.Months().Totals(y.t.Context(), last)
	y.must(err)
	for _, x := range months {
		left[ledger.Cost.Of(x.Account)] = left[ledger.Cost.Of(x.Account)].Add(x.Cost.Decimal())
	}
	for _, x := range y.balances() {
		switch x.Account.Kind() {
		case ledger.Cost, ledger.Accrual, ledger.Suspense:
			if !x.Amount.Decimal().Equal(left[x.Account]) {
				y.t.Errorf("%s is left with %s, want %s", x.Account, x.Amount, left[x.Account])
			}
		}
	}
}

// Usage of a stranger stops the close until somebody pays for it.
func TestSuspenseIsAssignedOrCarried(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBooks(t, db, "2026-11-08")
		b.generate(sim.BillOptions{Month: "2026-10", Seed: 3, Customers: 2, Records: 120, Features: []sim.Feature{sim.FeatureUnmapped, sim.FeatureTax}})
		aliases := b.connect("2026-01-01")
		id := b.close("2026-10")[0]
		b.look()
		list, err := b.Suspense(t.Context(), finance, "2026-10")
		b.must(err)
		if len(list) == 0 || list[0].Cost.Sign() <= 0 || !list[0].Billed {
			t.Fatalf("%+v", list)
		}
		b.issue("2026-10")
		if err := b.Close(t.Context(), finance, "2026-10"); !errors.Is(err, fault.Conflict) {
			t.Fatalf("closed with suspense: %v", err)
		}
		before := b.reconcile("2026-10").Statements[0].Suspense
		if got := b.balance(ledger.Suspense.Of("")); !got.Equal(before.Decimal()) {
			t.Errorf("suspense %s in the ledger, %s in the statement", got, before)
		}
		for _, s := range list {
			b.must(b.Assign(t.Context(), finance, billing.Assignment{Tenant: s.Tenant, Entitlement: s.Entitlement, Account: account.Alias(aliases[0]), From: s.From, To: s.To, Why: "Found"}))
		}
		b.work()
		r := b.reconcile("2026-10")
		if !r.Statements[0].Suspense.IsZero() || !b.balance(ledger.Suspense.Of("")).IsZero() || len(r.Open) != 1 {
			t.Fatalf("%+v", r)
		}
		b.sim.Advance(30 * 24 * time.Hour)
		b.look()
		docs := b.issue("2026-11") // arrears of November wait for its invoice
		if len(docs) != 0 {
			t.Fatalf("%+v", docs)
		}
		b.close("2026-11")
		b.look()
		if docs = b.issue("2026-11"); !slices.ContainsFunc(docs, func(d invoice.Document) bool {
			return d.Account == aliases[0] && slices.ContainsFunc(d.Lines, func(l invoice.Line) bool {
				return l.Kind == invoice.LineUpdate && l.Month == "2026-10" && l.Label == "Update to previous month Integrated Azure Services Usage"
			})
		}) {
			t.Fatalf("%+v", docs)
		}
		if r = b.reconcile("2026-10"); len(r.Open) != 0 {
			t.Fatalf("%+v", r)
		}
		b.closeMonth("2026-10")
		b.sound()
		// A month whose stranger nobody knows is carried, for the amount that it is.
		if err := b.Carry(t.Context(), finance, id, " "); !errors.Is(err, fault.Invalid) {
			t.Errorf("carried for no reason: %v", err)
		}
	})
}

// A subscription that changes hands in mid month is billed by days; who pays is
// corrected after Microsoft's invoice was posted, and after the bill.
func TestWhoPaysIsADaysMatter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBooks(t, db, "2026-11-08")
		b.generate(sim.BillOptions{Month: "2026-10", Seed: 4, Customers: 2, Records: 120, Features: []sim.Feature{"none"}})
		aliases := b.connect("2026-01-01")
		other := b.account("OTHER")
		list, err := b.providers.OfTenant(t.Context(), "tenant-"+aliases[0])
		b.must(err)
		b.must(db.Tx(t.Context(), func(tx *store.Tx) error { return b.providers.Shorten(t.Context(), tx, list[0].ID, "2026-10-15") }))
		b.pays("tenant-"+aliases[0], "", "OTHER", other, "2026-10-16", "")
		b.close("2026-10")
		b.look()
		for _, account := range []string{aliases[0], "OTHER"} {
			months, err := b.Months().Of(t.Context(), account, "2026-10", "2026-10")
			b.must(err)
			for _, c := range months[0].Cells {
				if (c.Day <= "2026-10-15") != (account == aliases[0]) {
					t.Fatalf("%s pays for %s", account, c.Day)
				}
			}
		}
		b.issue("2026-10")
		// Five days more are the first one's, as it turns out.
		b.must(db.Tx(t.Context(), func(tx *store.Tx) error {
			if err := b.providers.Shorten(t.Context(), tx, list[0].ID, "2026-10-20"); err != nil {
				return err
			}
			now, err := b.providers.OfTenant(t.Context(), "tenant-"+aliases[0])
			if err != nil {
				return err
			}
			for _, a := range now {
				if a.Account == "OTHER" {
					if _, err := tx.ExecContext(t.Context(), "UPDATE association SET from_day = '2026-10-21' WHERE id = '"+a.ID+"'"); err != nil {
						return err
					}
				}
			}
			return b.Remap(t.Context(), tx, "2026-10", "2026-10")
		}))
		b.work()
		r := b.reconcile("2026-10")
		if len(r.Open) != 2 || !b.balance(ledger.Suspense.Of("")).IsZero() {
			t.Fatalf("%+v", r)
		}
		// The wrong bill is taken back; its key is left, and the right one is drafted.
		wrong := b.billsOf("2026-10", "OTHER")[0]
		note, err := b.TakeBack(t.Context(), finance, wrong.ID, "Five days were not yours")
		b.must(err)
		if !note.Total.Equal(wrong.Total.Neg()) {
			t.Errorf("%s is taken back by %s", wrong.Total, note.Total)
		}
		b.work()
		b.issue("2026-10")
		right := slices.DeleteFunc(b.billsOf("2026-10", "OTHER"), func(d invoice.Document) bool { return d.Kind == invoice.CreditNote })
		if len(right) != 1 || right[0].Key == wrong.Key || right[0].Total.Decimal().GreaterThanOrEqual(wrong.Total.Decimal()) {
			t.Fatalf("%+v", right)
		}
		if r = b.reconcile("2026-10"); len(r.Open) != 1 || r.Open[0].Account != aliases[0] {
			t.Errorf("%+v", r.Open) // its five days come with November's bill
		}
		b.sound()
	})
}

// billsOf are an account's issued documents of a month.
func (b *books) billsOf(closing usage.Month, account string) []invoice.Document {
	b.t.Helper()
	return slices.DeleteFunc(b.documents(closing), func(d invoice.Document) bool { return d.Account != account })
}

func (b *books) balance(a ledger.Account) decimal.Decimal {
	b.t.Helper()
	for _, x := range b.balances() {
		if x.Account == a {
			return x.Amount.Decimal()
		}
	}
	return decimal.Decimal{}
}
