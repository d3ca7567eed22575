package billing_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/ledger"
	"causeway/internal/money"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

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
		b.opens(aliases[0], "2026-10")
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
			b.opens(account, "2026-10")
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

// opens checks that a month is what its charges come to when somebody asks why.
func (b *books) opens(account string, m usage.Month) {
	b.t.Helper()
	months, err := b.Months().Of(b.t.Context(), account, m, m)
	b.must(err)
	charges, err := b.Charges(b.t.Context(), billing.Slice{Account: account, Month: m})
	b.must(err)
	sum := money.Zero(months[0].Currency)
	for _, c := range charges {
		sum, err = sum.Add(c.Sell)
		b.must(err)
	}
	if !sum.Equal(months[0].Sell) || sum.IsZero() {
		b.t.Errorf("%s of %s opens to charges of %s, and is %s", m, account, sum, months[0].Sell)
	}
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

// A correction that is drafted before there is any usage of the month is no bill of it:
// once there is some, the draft is gone until Microsoft's invoice is there.
func TestADraftThatKnewLessIsGoneWhileItsMonthWaits(t *testing.T) {
	b := newBooks(t, storetest.SQLite(t), "2026-11-08")
	ctx := t.Context()
	b.generate(sim.BillOptions{Month: "2026-10", Seed: 4, Customers: 2, Records: 120, Features: []sim.Feature{"none"}})
	alias := b.connect("2026-01-01")[0]
	b.close("2026-10")
	b.look()
	b.issue("2026-10")
	b.account("OTHER")
	b.must(b.db.Tx(ctx, func(tx *store.Tx) error { // October was another's, so a later bill corrects it
		if _, err := tx.ExecContext(ctx, "UPDATE association SET account = 'OTHER', from_day = '2026-10-01', to_day = '2026-10-31' WHERE account = '"+alias+"'"); err != nil {
			return err
		}
		return b.Remap(ctx, tx, "2026-10", "2026-10")
	}))
	b.work()
	drafts := func() []invoice.Document {
		t.Helper()
		all, err := b.Book().OfMonth(ctx, "2026-12", invoice.Draft, "", 100)
		b.must(err)
		return slices.DeleteFunc(all, func(d invoice.Document) bool { return d.Account != alias })
	}
	b.must(b.Draft(ctx, "2026-12"))
	if len(drafts()) != 1 {
		t.Fatalf("%d drafts: the test does not test what it says", len(drafts()))
	}
	org, err := b.people.Account(ctx, account.Alias(alias))
	b.must(err)
	b.pays("tenant-"+alias, "", alias, org.Org, "2026-11-01", "")
	b.sim.Advance(25 * 24 * time.Hour)
	b.generate(sim.BillOptions{Month: "2026-12", Seed: 4, Customers: 2, Records: 120, Features: []sim.Feature{"none"}})
	b.look()
	if list := drafts(); len(list) != 0 {
		t.Errorf("%s is left, with %d lines", list[0].Key, len(list[0].Lines))
	}
	waits, err := b.Undrafted(ctx, "2026-12")
	b.must(err)
	if !slices.ContainsFunc(waits, func(u billing.Undrafted) bool { return u.Account == alias && u.Waits }) {
		t.Errorf("%+v", waits)
	}
	b.sim.Advance(35 * 24 * time.Hour)
	for _, m := range []usage.Month{"2026-11", "2026-12"} {
		b.close(m)
		b.look()
		b.issue(m)
	}
	docs := b.billsOf("2026-12", alias)
	if len(docs) != 1 || !slices.ContainsFunc(docs[0].Lines, func(l invoice.Line) bool { return l.Month == "2026-12" }) {
		t.Errorf("%+v", docs)
	}
	b.sound()
}
