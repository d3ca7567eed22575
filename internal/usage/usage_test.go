package usage_test

import (
	"errors"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

func TestDaysAndMonthsAreUTC(t *testing.T) {
	if d := usage.DayOf(time.Date(2026, 1, 31, 23, 30, 0, 0, time.FixedZone("", -3600))); d != "2026-02-01" || d.Month() != "2026-02" {
		t.Errorf("half past midnight UTC is %s", d)
	}
	for m, want := range map[usage.Month]struct {
		last usage.Day
		next usage.Month
		days int
	}{"2026-02": {"2026-02-28", "2026-03", 28}, "2028-02": {"2028-02-29", "2028-03", 29}, "2026-12": {"2026-12-31", "2027-01", 31}} {
		if m.Last() != want.last || m.Add(1) != want.next || m.Days() != want.days || want.next.Add(-1) != m {
			t.Errorf("%s ends on %s, then %s", string(m), m.Last(), string(m.Add(1)))
		}
	}
	for _, d := range []usage.Day{"2026-02-30", "", "2026-1-1", "2026-01-01T00:00:00"} {
		if err := d.Check(); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q is a day", d)
		}
	}
	for _, m := range []usage.Month{"2026-13", "", "2026-01-01"} {
		if err := m.Check(); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q is a month", string(m))
		}
	}
}

func TestTwoKeysHaveTheSameTextOnlyIfTheyAreTheSame(t *testing.T) {
	word := rapid.SampledFrom([]string{"", "a", "b", `a","b`, "a b"})
	key := rapid.Custom(func(t *rapid.T) usage.Key {
		k := usage.Key{Tenant: word.Draw(t, "tenant"), Entitlement: word.Draw(t, "entitlement"), Meter: word.Draw(t, "meter"), Region: word.Draw(t, "region"), Rate: decimal.NewFromInt(1)}
		if rapid.Bool().Draw(t, "tagged") {
			k.Tags = map[string]string{word.Draw(t, "name"): word.Draw(t, "value")}
		}
		return k
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := key.Draw(t, "a"), key.Draw(t, "b")
		same := a.Tenant == b.Tenant && a.Entitlement == b.Entitlement && a.Meter == b.Meter && a.Region == b.Region && len(a.Tags) == len(b.Tags)
		for name, v := range a.Tags {
			w, ok := b.Tags[name]
			same = same && ok && v == w
		}
		if (a.Text() == b.Text()) != same {
			t.Fatalf("%+v and %+v: %s, %s", a, b, a.Text(), b.Text())
		}
	})
}

func TestAGroupOfTwoCurrenciesIsRefused(t *testing.T) {
	good := usage.Group{
		Key:  usage.Key{Day: "2026-01-01", Currency: "EUR", PricingCurrency: "USD"},
		List: money.Zero("EUR"), Cost: money.Must("85", "EUR"), Gross: money.Must("100", "EUR"),
		PricedList: money.Zero("USD"), PricedCost: money.Zero("USD"), PricedGross: money.Zero("USD"),
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	if a, err := good.Earned(); err != nil || a.Text() != "15" {
		t.Errorf("earned %s (%v)", a, err)
	}
	for name, spoil := range map[string]func(*usage.Group){
		"a cost in dollars": func(g *usage.Group) { g.Cost = money.Zero("USD") },
		"priced in euro":    func(g *usage.Group) { g.PricedCost = money.Zero("EUR") },
		"no gross":          func(g *usage.Group) { g.Gross = money.Amount{} },
		"no day":            func(g *usage.Group) { g.Day = "" },
	} {
		g := good
		spoil(&g)
		if err := g.Check(); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
