package billing_test

import (
	"reflect"
	"testing"
	"time"

	"causeway/internal/billing"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"
)

func TestAMonthIsReadBackAsItWasRatedLast(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		months := billing.NewMonths(db)
		one := billing.AccountMonth{
			Account: "CTSE", Month: "2026-01", Currency: "EUR", AsOf: "2026-01-30", RatedAt: time.Date(2026, 1, 31, 1, 2, 3, 4000, time.UTC),
			Cells: []billing.Cell{{Day: "2026-01-30", Kind: "usage", Line: "usage", Tenant: "t1", Entitlement: "s1", Category: "Storage", Region: "EU West", Rows: 7, Sell: eur("3.0000000001"), Cost: usd("4")}},
			Sell:  eur("3.0000000001"), Cost: usd("4"), Sold: eur("2"), Margin: eur("1"), Earned: eur("0.0000000001"), Gain: eur("0"),
		}
		save := func(x billing.AccountMonth) {
			t.Helper()
			if err := db.Tx(t.Context(), func(tx *store.Tx) error { return months.Save(t.Context(), tx, x) }); err != nil {
				t.Fatal(err)
			}
		}
		save(one)
		two, other := one, one
		two.Month, two.Cells, other.Account = "2026-02", nil, ""
		save(two)
		save(other)
		one.Billed, one.Sell = true, eur("5")
		save(one) // in place of the first
		got, err := months.Of(t.Context(), "CTSE", "2025-02", "2026-02")
		if err != nil || !reflect.DeepEqual(got, []billing.AccountMonth{one, two}) {
			t.Errorf("%+v (%v)", got, err)
		}
		all, err := months.Totals(t.Context(), "2026-01")
		if err != nil || len(all) != 2 || all[0].Account != "" || all[1].Account != "CTSE" || !all[1].Sell.Equal(eur("5")) || all[1].Cells != nil {
			t.Errorf("%+v (%v)", all, err)
		}
		if err := db.Tx(t.Context(), func(tx *store.Tx) error { return months.Forget(t.Context(), tx, "", "2026-01") }); err != nil {
			t.Fatal(err)
		}
		if all, err := months.Totals(t.Context(), usage.Month("2026-01")); err != nil || len(all) != 1 {
			t.Errorf("%+v (%v)", all, err)
		}
	})
}
