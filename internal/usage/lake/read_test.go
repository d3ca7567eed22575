package lake_test

import (
	"fmt"
	"slices"
	"testing"

	"causeway/internal/billing"
	"causeway/internal/sim"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

func loaded(t *testing.T, e engine, o sim.BillOptions) (Lake, []map[string]any, []map[string]any) {
	t.Helper()
	dir, rated, invoiced := month(t, o)
	l := e.fresh(t, 1)
	for _, s := range []usage.Snapshot{rated, invoiced} {
		if _, err := l.Load(t.Context(), s, dir); err != nil {
			t.Fatal(err)
		}
	}
	return l, lines(t, dir, rated), lines(t, dir, invoiced)
}

// Every line has its daily records, so that Microsoft's rule explains it to the cent.
func TestLinesHaveTheirDailyRecords(t *testing.T) { both(t, testLines) }

func testLines(t *testing.T, e engine) {
	l, rated, invoiced := loaded(t, e, sim.BillOptions{Seed: 4, Records: 5_000, Customers: 7, Subscriptions: 2, Density: 10, Currencies: []string{"EUR"}})
	i, rows, usages := 0, int64(0), 0
	cost, subtotal := decimal.Zero, decimal.Zero
	left := map[string][]map[string]any{} // of each customer in the order of the file
	for _, w := range invoiced {
		tenant := fmt.Sprint(w["CustomerId"])
		left[tenant] = append(left[tenant], w)
	}
	err := l.Lines(t.Context(), "invoiced", "rated", func(x usage.Line) error {
		of := left[x.Group.Tenant]
		if len(of) == 0 {
			t.Fatalf("daily usage without a line: %+v", x)
		}
		w := of[0]
		left[x.Group.Tenant] = of[1:]
		i++
		if x.Usage != (w["MeterDescription"] != "") || !x.Subtotal.Decimal().Equal(num(w, "Subtotal")) || !x.Tax.Decimal().Equal(num(w, "TaxTotal")) || !x.Total.Decimal().Equal(num(w, "TotalForCustomer")) ||
			!x.Quantity.Equal(num(w, "BillableQuantity")) || x.Group.Tenant != w["CustomerId"] || !x.Group.Cost.Equal(x.Subtotal) || x.Group.Check() != nil {
			t.Errorf("line %d: %+v, want %v", i, x, w)
		}
		subtotal, cost, rows = subtotal.Add(x.Subtotal.Decimal()), cost.Add(x.DailyCost.Decimal()), rows+x.DailyRows
		if !x.Usage {
			if x.DailyRows != 0 {
				t.Errorf("a purchase has %d daily records", x.DailyRows)
			}
			return nil
		}
		usages++
		r, err := billing.Round(billing.Billed{Key: x.Key, Subtotal: x.Subtotal, Price: x.Price, Quantity: x.Quantity, Rate: x.Rate}, billing.Daily{Priced: x.DailyPriced, Cost: x.DailyCost, Rows: x.DailyRows})
		if err != nil || !r.Rest.IsZero() {
			t.Errorf("%s is left of %+v (%v)", r.Rest, x, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := decimal.Zero
	for _, x := range rated {
		want = want.Add(num(x, "BillingPreTaxTotal"))
	}
	if i != len(invoiced) || usages == 0 || usages == i || rows != int64(len(rated)) || !cost.Equal(want) {
		t.Errorf("%d of %d lines, %d of %d daily records, of %s: want %s", i, len(invoiced), rows, len(rated), cost, want)
	}
}

// Any record is found again as it was received, page by page, and says where it is.
func TestRecordsAreAsReceived(t *testing.T) { both(t, testRecords) }

func testRecords(t *testing.T, e engine) {
	l, rated, invoiced := loaded(t, e, sim.BillOptions{Seed: 5, Records: 1_500, Customers: 3, Subscriptions: 2, Density: 10, Currencies: []string{"USD"}})
	q := usage.RecordQuery{Snapshots: []string{"rated", "invoiced"}, Limit: 400}
	var all []usage.Record
	for {
		page, next, err := l.Records(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if next == "" {
			break
		}
		if len(page) != 400 {
			t.Fatalf("a page of %d", len(page))
		}
		q.After = next
	}
	text := func(x map[string]any) string {
		out := map[string]string{}
		for k, v := range x {
			out[k] = fmt.Sprint(v)
		}
		return fmt.Sprint(out)
	}
	left := map[string]int{}
	for _, x := range append(slices.Clone(rated), invoiced...) {
		left[text(x)]++
	}
	last := usage.Day("")
	for _, r := range all {
		d := usage.Day(r.Columns["UsageDate"])
		if r.Snapshot == "invoiced" {
			d = usage.Day(r.Columns["ChargeStartDate"])
		}
		if d < last {
			t.Errorf("%s comes after %s", d, last)
		}
		last = d
		left[fmt.Sprint(r.Columns)]--
	}
	for x, n := range left {
		if n != 0 {
			t.Fatalf("%d times too few: %s", n, x)
		}
	}

	first := rated[len(rated)/2]
	tenant, day := fmt.Sprint(first["CustomerId"]), usage.Day(fmt.Sprint(first["UsageDate"])[:10])
	owners := []usage.Owner{{Tenant: tenant, From: "2026-01-01", To: day, Account: "A"}, {Tenant: tenant, From: day.Add(1), Account: "B"}}
	for name, c := range map[string]struct {
		q   usage.RecordQuery
		fit func(x map[string]any) bool
	}{
		"of an account until it changed": {usage.RecordQuery{Owners: owners, Account: "A"}, func(x map[string]any) bool {
			return x["CustomerId"] == tenant && fmt.Sprint(x["UsageDate"])[:10] <= string(day)
		}},
		"of nobody": {usage.RecordQuery{Owners: owners}, func(x map[string]any) bool { return x["CustomerId"] != tenant }},
		"of a day and category": {usage.RecordQuery{Day: day, Category: fmt.Sprint(first["MeterCategory"])}, func(x map[string]any) bool {
			return fmt.Sprint(x["UsageDate"])[:10] == string(day) && x["MeterCategory"] == first["MeterCategory"]
		}},
		"of a subscription, region and meter": {usage.RecordQuery{Entitlement: fmt.Sprint(first["EntitlementId"]), Region: fmt.Sprint(first["MeterRegion"]), Meter: fmt.Sprint(first["MeterId"])}, func(x map[string]any) bool {
			return x["EntitlementId"] == first["EntitlementId"] && x["MeterId"] == first["MeterId"]
		}},
		"of an account without any": {usage.RecordQuery{Owners: owners, Account: "C"}, func(map[string]any) bool { return false }},
	} {
		c.q.Snapshots, c.q.Limit = []string{"rated"}, 1000
		n := 0
		for _, x := range rated {
			if c.fit(x) {
				n++
			}
		}
		got, next, err := l.Records(t.Context(), c.q)
		if err != nil || len(got) != min(n, 1000) || (next == "") != (n <= 1000) {
			t.Errorf("records %s: %d, want %d (%v)", name, len(got), n, err)
		}
	}
	few, _, err := l.Records(t.Context(), usage.RecordQuery{Snapshots: []string{"rated"}, Columns: []string{"Quantity", "UsageDate", "NoSuchColumn"}})
	if err != nil || len(few) != 1 || len(few[0].Columns) != 2 || few[0].Columns["Quantity"] != all[0].Columns["Quantity"] || few[0].Line != all[0].Line || few[0].File == "" {
		t.Errorf("two columns: %+v (%v)", few, err)
	}
	if _, _, err := l.Records(t.Context(), usage.RecordQuery{Snapshots: []string{"rated"}, After: "2026-02-01.x"}); err == nil {
		t.Error("a wrong page end is taken")
	}
}
