package billing_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
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
	"causeway/internal/usage/raw"

	"github.com/shopspring/decimal"
)

// groups are those of a month, by account, as its billed usage is now.
func (b *books) groups(m usage.Month, accounts ...string) map[string][]usage.Group {
	b.t.Helper()
	ctx := b.t.Context()
	current, err := b.raw.Current(ctx, b.db.Read(), raw.Filter{Feed: usage.Rated, Month: m})
	b.must(err)
	q := usage.Query{}
	for _, s := range current {
		if s.Billed() {
			q.Rated = append(q.Rated, s.ID)
		}
	}
	for _, alias := range accounts {
		links, err := b.providers.OfTenant(ctx, "tenant-"+alias)
		b.must(err)
		var azure string
		b.must(b.db.Read().QueryRowContext(ctx, "SELECT azure_id FROM tenant WHERE id = 'tenant-"+alias+"'").Scan(&azure))
		q.Owners = append(q.Owners, usage.Owner{Tenant: azure, From: usage.Day(links[0].From), Account: alias})
	}
	all := map[string][]usage.Group{}
	b.must(b.lake.Groups(ctx, q, func(account string, groups []usage.Group) error { all[account] = groups; return nil }))
	return all
}

// change saves the settings of billing with something different.
func (b *books) change(f func(*billing.Setup)) error {
	b.t.Helper()
	s, err := b.Setup(b.t.Context())
	b.must(err)
	version := s.Version
	f(&s)
	return b.SetSetup(b.t.Context(), finance, version, s)
}

// draft drafts a month anew.
func (b *books) draft(closing usage.Month) {
	b.t.Helper()
	b.must(b.Draft(b.t.Context(), closing))
}

// Who uses what another account reserved pays its buyer for it; the partner is left
// with nothing of it.
func TestASharedReservationIsPaidByItsUse(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBooks(t, db, "2026-11-08")
		b.generate(sim.BillOptions{Month: "2026-10", Seed: 7, Customers: 3, Records: 600, Density: 20, Features: []sim.Feature{sim.FeatureReservations}})
		aliases := b.connect("2026-01-01")
		b.close("2026-10")
		b.look()
		user, order, used := "", "", decimal.Decimal{}
		for alias, groups := range b.groups("2026-10", aliases...) {
			for _, g := range groups {
				if g.Reservation != "" && (order == "" || order == g.Reservation && user == alias) {
					user, order, used = alias, g.Reservation, used.Add(g.Quantity)
				}
			}
		}
		if used.Sign() <= 0 {
			t.Fatal("nobody used a reservation: the test does not test what it says")
		}
		buyer := aliases[slices.IndexFunc(aliases, func(a string) bool { return a != user })]
		price := money.Must("0.137", "USD")
		for _, wrong := range []billing.SharedReservation{
			{Buyer: buyer, Price: price}, {Order: order, Price: price}, {Order: order, Buyer: buyer}, {Order: order, Buyer: buyer, Price: money.Must("-1", "USD")},
		} {
			if err := b.change(func(s *billing.Setup) { s.Shared = []billing.SharedReservation{wrong} }); !errors.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
		b.must(b.change(func(s *billing.Setup) {
			s.Shared = []billing.SharedReservation{{Order: order, Buyer: buyer, Price: price}}
		}))
		b.draft("2026-10")
		b.draft("2026-10")
		want, err := price.Times(used).Round(money.HalfEven, 2)
		b.must(err)
		docs := b.issue("2026-10")
		b.draft("2026-10") // what is issued stays
		sum := money.Zero("USD")
		for _, d := range docs {
			for _, l := range d.Lines {
				if l.Kind != invoice.LineAdjustment {
					continue
				}
				if sum, err = sum.Add(l.Amount); err != nil {
					t.Fatal(err)
				}
				switch {
				case d.Account == user && l.Amount.Equal(want) && strings.Contains(l.Label, buyer):
				case d.Account == buyer && l.Amount.Neg().Equal(want) && strings.Contains(l.Label, user):
				default:
					t.Errorf("%s has %q for %s, want %s of %s to %s", d.Account, l.Label, l.Amount, want, user, buyer)
				}
			}
		}
		if n := adjustments(docs); n != 2 || !sum.IsZero() {
			t.Errorf("%d adjustments, which add up to %s", n, sum)
		}
		if r := b.reconcile("2026-10"); len(r.Open) != 0 {
			t.Errorf("%+v", r.Open)
		}
		b.sound()
	})
}

func adjustments(docs []invoice.Document) (n int) {
	for _, d := range docs {
		for _, l := range d.Lines {
			if l.Kind == invoice.LineAdjustment {
				n++
			}
		}
	}
	return n
}

// What one account of an organization gets back comes off what its others pay.
func TestAnOrganizationsCreditComesOffItsOtherAccounts(t *testing.T) {
	b := newBooks(t, storetest.SQLite(t), "2026-11-08")
	ctx := t.Context()
	b.generate(sim.BillOptions{Month: "2026-10", Seed: 4, Customers: 2, Records: 120, Features: []sim.Feature{"none"}})
	aliases := b.connect("2026-01-01")
	b.must(b.change(func(s *billing.Setup) { s.Spread = true }))
	first, err := b.people.Account(ctx, account.Alias(aliases[0]))
	b.must(err)
	second := first
	second.Alias, second.Name, second.Billable = "SECOND", "The other cost of it", true
	_, err = b.people.CreateAccount(ctx, account.System(), second)
	b.must(err)
	b.close("2026-10")
	b.look()
	wrong := b.billsOfIssued("2026-10", aliases[0])
	// All of it was the other account's, as it turns out.
	b.must(b.db.Tx(ctx, func(tx *store.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE association SET account = 'SECOND' WHERE account = '"+aliases[0]+"'"); err != nil {
			return err
		}
		return b.Remap(ctx, tx, "2026-10", "2026-10")
	}))
	b.sim.Advance(30 * 24 * time.Hour)
	b.generate(sim.BillOptions{Month: "2026-11", Seed: 4, Customers: 2, Records: 120, Features: []sim.Feature{"none"}})
	b.close("2026-11")
	b.look()
	b.issue("2026-10") // October, to whom it belongs
	b.issue("2026-11") // of the other one's month something changed: it is drafted anew, and follows the first
	b.work()
	b.issue("2026-11")
	credited, pays := b.billsOf("2026-11", aliases[0]), b.billsOf("2026-11", "SECOND")
	if len(credited) != 1 || len(pays) != 1 || !credited[0].Net.IsZero() {
		t.Fatalf("credited %+v, pays %+v", credited, pays)
	}
	if n := adjustments(credited) + adjustments(pays); n != 2 {
		t.Errorf("%d adjustments", n)
	}
	// The other one pays November, less what October had cost the first.
	months, err := b.Months().Of(ctx, "SECOND", "2026-11", "2026-11")
	b.must(err)
	want := months[0].Sell.Decimal().Sub(wrong.Net.Decimal())
	if d := pays[0].Net.Decimal().Sub(want).Abs(); d.GreaterThan(decimal.New(2, -2)) {
		t.Errorf("it pays %s, want %s", pays[0].Net, want)
	}
	if left := b.balance(ledger.Cost.Of(aliases[0])); !left.IsZero() {
		t.Errorf("%s is left on the first one's cost", left)
	}
	b.sound()
}

func (b *books) billsOfIssued(closing usage.Month, alias string) invoice.Document {
	b.t.Helper()
	b.issue(closing)
	docs := b.billsOf(closing, alias)
	if len(docs) != 1 {
		b.t.Fatalf("%s has %d bills for %s", alias, len(docs), closing)
	}
	return docs[0]
}

// Each cost center has an invoice of its own; together they are the account's month.
func TestEachCostCenterHasItsInvoice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBooks(t, db, "2026-11-08")
		ctx := t.Context()
		b.generate(sim.BillOptions{Month: "2026-10", Seed: 9, Customers: 1, Subscriptions: 3, Records: 240, Features: []sim.Feature{"none"}})
		alias := b.connect("2026-01-01")[0]
		b.close("2026-10")
		b.look()
		centers := map[string]string{}
		for _, g := range b.groups("2026-10", alias)[alias] {
			if _, known := centers[g.Entitlement]; !known && g.Entitlement != "" {
				centers[g.Entitlement] = []string{"Research", "Sales"}[len(centers)%2]
			}
		}
		if len(centers) != 3 {
			t.Fatalf("%d subscriptions", len(centers))
		}
		b.must(b.SetAccountSetup(ctx, finance, account.Alias(alias), 0, billing.AccountSetup{CostCenters: centers}))
		b.draft("2026-10")
		docs := b.issue("2026-10")
		sum, numbers := decimal.Decimal{}, map[string]string{}
		for _, d := range docs {
			numbers[d.CostCenter] = d.Number
			var csv bytes.Buffer
			b.must(invoice.CSV(&csv, d, func(entitlement string) string { return entitlement }))
			if !strings.Contains(csv.String(), d.CostCenter) {
				t.Errorf("the CSV of %s does not name %s", d.Number, d.CostCenter)
			}
			for _, l := range d.Lines {
				sum = sum.Add(l.Exact.Amount.Decimal())
			}
		}
		if len(docs) != 2 || numbers["Research"] == "" || numbers["Sales"] == "" || numbers["Research"] == numbers["Sales"] {
			t.Fatalf("invoices %v", numbers)
		}
		months, err := b.Months().Of(ctx, alias, "2026-10", "2026-10")
		b.must(err)
		if !sum.Equal(months[0].Sell.Decimal()) {
			t.Errorf("the invoices have %s, the month %s", sum, months[0].Sell)
		}
		b.closeMonth("2026-10")
		b.sound()
	})
}
