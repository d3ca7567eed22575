package billing_test

import (
	"testing"
	"time"

	"causeway/internal/billing"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/sim"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"
)

// Behind every figure are its records, its charges and its usage: as many and as much as
// the month says, also of a month whose invoice has late usage of the month before.
func TestAFigureOpensToItsRecords(t *testing.T) {
	b := newBooks(t, storetest.SQLite(t), "2026-11-08")
	features := without(sim.FeatureUnmapped, sim.FeatureTransfers, sim.FeatureMarketplace, sim.FeatureReservations, sim.FeatureCredits) // no purchases: those have no usage records
	for _, m := range []string{"2026-10", "2026-11"} {
		b.generate(sim.BillOptions{Month: m, Seed: 5, Customers: 2, Subscriptions: 2, Records: 300, Density: 10, Features: features})
	}
	aliases := b.connect("2026-01-01")
	b.close("2026-10")
	b.look()
	b.sim.Advance(30 * 24 * time.Hour)
	b.close("2026-11")
	b.look()
	var replay []rating.AccountMonth
	b.must(b.Usage(t.Context(), "2026-10", "2026-11", func(m rating.AccountMonth) error {
		replay = append(replay, m)
		return nil
	}))
	if len(replay) != 2*len(aliases) {
		t.Errorf("%d accounts and months for the price lab", len(replay))
	}
	for _, r := range replay {
		months, err := b.Months().Of(t.Context(), r.Account, r.Month, r.Month)
		b.must(err)
		month := months[0]
		sum := money.Zero(month.Cost.Currency())
		for _, g := range r.Groups {
			sum, err = sum.Add(g.Cost)
			b.must(err)
		}
		if !sum.Equal(month.Cost) {
			t.Errorf("%s of %s: %s for the price lab, the month costs %s", r.Month, r.Account, sum, month.Cost)
		}
		slices := map[billing.Slice]billing.Cell{}
		add := func(s billing.Slice, c billing.Cell) {
			s.Account, s.Month = r.Account, r.Month
			x, ok := slices[s]
			if !ok {
				x.Sell = money.Zero(month.Currency)
			}
			x.Rows += c.Rows
			x.Sell, err = x.Sell.Add(c.Sell)
			b.must(err)
			slices[s] = x
		}
		for _, c := range month.Cells {
			add(billing.Slice{}, c)
			add(billing.Slice{Category: c.Category}, c)
			add(billing.Slice{Region: c.Region, Day: c.Day}, c)
			if c.Entitlement != "" {
				add(billing.Slice{Entitlement: c.Entitlement, Category: c.Category, Region: c.Region}, c)
			}
		}
		for s, want := range slices {
			if n := b.records(s); n != want.Rows {
				t.Errorf("%+v: %d records, want %d", s, n, want.Rows)
			}
			charges, err := b.Charges(t.Context(), s)
			b.must(err)
			sell := money.Zero(month.Currency)
			for _, c := range charges {
				sell, err = sell.Add(c.Sell)
				b.must(err)
			}
			if !sell.Equal(want.Sell) {
				t.Errorf("%+v: charges of %s, want %s", s, sell, want.Sell)
			}
		}
	}
}

// records counts those of a slice, page by page.
func (b *books) records(s billing.Slice) (n int64) {
	b.t.Helper()
	for after := ""; ; {
		page, next, err := b.Records(b.t.Context(), s, after, 70)
		b.must(err)
		for _, r := range page {
			if day := usage.Day(r.Columns["UsageDate"][:10]); day.Month() != s.Month || s.Day != "" && day != s.Day {
				b.t.Errorf("%+v: a record of %s", s, day)
			}
		}
		if n += int64(len(page)); next == "" {
			return n
		}
		after = next
	}
}
