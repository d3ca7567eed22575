package lake_test

import (
	"fmt"
	"testing"

	"causeway/internal/sim"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// An account may pay for more tenants than are looked for one by one: all of them are
// its, and nobody else's.
func TestAnAccountOfManyTenantsHasAllOfThem(t *testing.T) {
	dir, rated, _ := month(t, sim.BillOptions{Seed: 8, Records: 42_000, Customers: 1_300, Currencies: []string{"USD"}})
	l := duckDB.fresh(t, 1)
	loaded, err := l.Load(t.Context(), rated, dir)
	if err != nil {
		t.Fatal(err)
	}
	whose, rows := map[string]string{}, map[string]int64{}
	var owners []usage.Owner
	for _, x := range lines(t, dir, rated) {
		tenant := fmt.Sprint(x["CustomerId"])
		if whose[tenant] == "" {
			whose[tenant] = "MANY"
			if len(whose)%10 == 0 {
				whose[tenant] = "FEW"
			}
			owners = append(owners, usage.Owner{Tenant: tenant, Account: whose[tenant]})
		}
		rows[whose[tenant]]++
	}
	if n := len(whose) * 9 / 10; n < 1_050 {
		t.Fatalf("%d tenants are not many", n)
	}
	for _, q := range []usage.Query{{}, {Accounts: []string{"MANY"}}, {AnyOrder: true}, {Accounts: []string{"FEW", "MANY"}}} {
		q.Rated, q.Owners = []string{"rated"}, owners
		got, cost := map[string]int64{}, decimal.Zero
		for account, list := range groups(t, l, q) {
			for _, g := range list {
				if whose[g.Tenant] != account {
					t.Fatalf("%s has usage of %s", account, g.Tenant)
				}
				got[account] += g.Rows
				cost = cost.Add(g.Cost.Decimal())
			}
		}
		if got["MANY"] != rows["MANY"] || len(q.Accounts) != 1 && (got["FEW"] != rows["FEW"] || !cost.Equal(loaded.Cost.Decimal())) {
			t.Errorf("asked for %v: %v records of %s, want %v of %s", q.Accounts, got, cost, rows, loaded.Cost)
		}
	}
}

// A month may have purchases only, or usage that no line has yet.
func TestLinesNeedNoUsageAndUsageNeedsNoLines(t *testing.T) { both(t, testLinesAlone) }

func testLinesAlone(t *testing.T, e engine) {
	dir, rated, invoiced := month(t, sim.BillOptions{Seed: 9, Records: 300, Customers: 2, Currencies: []string{"USD"}})
	for _, empty := range []string{"rated", "invoiced"} {
		l := e.fresh(t, 1)
		for _, s := range []usage.Snapshot{rated, invoiced} {
			if s.ID == empty {
				s.Files = nil
			}
			if _, err := l.Load(t.Context(), s, dir); err != nil {
				t.Fatal(err)
			}
		}
		n, daily := 0, int64(0)
		if err := l.Lines(t.Context(), "invoiced", "rated", func(x usage.Line) error {
			n++
			daily += x.DailyRows
			return nil
		}); err != nil {
			t.Fatalf("without %s: %v", empty, err)
		}
		if empty == "rated" && (n != len(lines(t, dir, invoiced)) || daily != 0) || empty == "invoiced" && (n == 0 || daily != 300) {
			t.Errorf("without %s: %d lines, %d daily records", empty, n, daily)
		}
	}
}
