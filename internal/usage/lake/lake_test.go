package lake_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"compress/gzip"

	"causeway/internal/billing"
	"causeway/internal/money"
	"causeway/internal/sim"
	"causeway/internal/usage"
	"causeway/internal/usage/clickhouse"
	"causeway/internal/usage/clickhouse/clickhousetest"
	"causeway/internal/usage/lake"

	"github.com/shopspring/decimal"
)

// folder is where a test's blobs are.
type folder string

func (f folder) Open(_ context.Context, _ string, x usage.File) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), x.Name))
}

// Lake is one of the two: what a test says holds for both.
type Lake interface {
	billing.Lake
	Close() error
}

// engine is what keeps records: in a place, which is a folder or a database.
type engine struct {
	place func(t *testing.T) string
	open  func(place string, workers int) (Lake, error)
	left  func(t *testing.T, place string) string // what a place still holds; "" = nothing
	heavy bool                                    // a write costs four servers: what is the decoder's alone is tested with the other one
}

// fresh is a lake without records.
func (e engine) fresh(t *testing.T, workers int) Lake {
	t.Helper()
	l, err := e.open(e.place(t), workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

var duckDB = engine{
	func(t *testing.T) string { return t.TempDir() },
	func(place string, workers int) (Lake, error) { // one worker adds up few accounts at a time
		return lake.Open(place, lake.Options{Workers: workers, Turn: map[bool]int64{true: 1}[workers == 1]})
	},
	func(t *testing.T, place string) string {
		all, err := os.ReadDir(place)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			return ""
		}
		return fmt.Sprint(all)
	},
	false,
}

func clickHouse(t *testing.T) engine {
	at := clickhousetest.Shared(t)
	return engine{
		func(t *testing.T) string {
			clickhousetest.Wipe(t, at, "rated", "invoiced", "s")
			return at.Database
		},
		func(place string, workers int) (Lake, error) {
			at.Database = place
			return clickhouse.Open(at, clickhouse.Options{Workers: workers}), nil
		},
		clickhousetest.Left,
		true,
	}
}

// both runs a test on DuckDB and on a ClickHouse cluster.
func both(t *testing.T, f func(*testing.T, engine)) {
	t.Run("duckdb", func(t *testing.T) { f(t, duckDB) })
	t.Run("clickhouse", func(t *testing.T) { f(t, clickHouse(t)) })
}

// month makes a month of simulated usage in files, and the two snapshots of it.
func month(t *testing.T, o sim.BillOptions) (folder, usage.Snapshot, usage.Snapshot) {
	t.Helper()
	dir := t.TempDir()
	o.Month = "2026-02"
	got, err := sim.GenerateUsage(t.Context(), dir, sim.UsageOptions{BillOptions: o, Blobs: 4})
	if err != nil {
		t.Fatal(err)
	}
	e := usage.Export{Feed: usage.Rated, Invoice: "G000024135", Month: "2026-02", Currency: money.Currency(o.Currencies[0])}
	rated := usage.Snapshot{ID: "rated", Export: e}
	for _, b := range got.Blobs {
		rated.Files = append(rated.Files, usage.File{Name: filepath.Base(b)})
	}
	e.Feed = usage.Invoiced
	return folder(dir), rated, usage.Snapshot{ID: "invoiced", Export: e, Files: []usage.File{{Name: "reconciliation-00000.json.gz"}}}
}

// lines reads a snapshot's records in the plainest way.
func lines(t *testing.T, dir folder, s usage.Snapshot) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, f := range s.Files {
		in, err := dir.Open(t.Context(), s.ID, f)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		scan := bufio.NewScanner(z)
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			d := json.NewDecoder(bytes.NewReader(scan.Bytes()))
			d.UseNumber()
			var x map[string]any
			if err := d.Decode(&x); err != nil {
				t.Fatal(err)
			}
			out = append(out, x)
		}
		if err := errors.Join(scan.Err(), in.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func num(x map[string]any, name string) decimal.Decimal {
	return decimal.RequireFromString(fmt.Sprint(x[name]))
}

// want works the groups out by hand, from records of daily usage and from lines.
func want(rated, invoiced []map[string]any, who func(tenant, entitlement, day string) string, tags ...string) map[string]map[string]usage.Group {
	out := map[string]map[string]usage.Group{}
	add := func(k usage.Key, quantity, price, rate, cost, priced decimal.Decimal) {
		account := who(k.Tenant, k.Entitlement, string(k.Day))
		k.Rate = decimal.RequireFromString(rate.String())
		g, there := out[account][k.Text()]
		if !there {
			g = usage.Group{Key: k, List: money.Zero(k.Currency), Cost: money.Zero(k.Currency), Gross: money.Zero(k.Currency),
				PricedList: money.Zero(k.PricingCurrency), PricedCost: money.Zero(k.PricingCurrency), PricedGross: money.Zero(k.PricingCurrency)}
		}
		plus := func(a *money.Amount, d decimal.Decimal) {
			*a = plusOne(a.Currency()).Times(a.Decimal().Add(d))
		}
		list := price.Mul(quantity)
		gross, pricedGross := cost, priced
		if k.Credit == usage.CreditEarned {
			gross, pricedGross = list.Mul(rate), list
		}
		g.Rows++
		g.Quantity = g.Quantity.Add(quantity)
		plus(&g.List, list.Mul(rate))
		plus(&g.Cost, cost)
		plus(&g.Gross, gross)
		plus(&g.PricedList, list)
		plus(&g.PricedCost, priced)
		plus(&g.PricedGross, pricedGross)
		if out[account] == nil {
			out[account] = map[string]usage.Group{}
		}
		out[account][k.Text()] = g
	}
	for _, x := range rated {
		s := func(name string) string { return fmt.Sprint(x[name]) }
		k := usage.Key{Tenant: s("CustomerId"), Entitlement: s("EntitlementId"), Day: usage.Day(s("UsageDate")[:10]), Meter: s("MeterId"), MeterName: s("MeterName"), Category: s("MeterCategory"),
			Subcategory: s("MeterSubCategory"), Service: s("ConsumedService"), Region: s("MeterRegion"), Publisher: s("PublisherName"), ThirdParty: s("PublisherName") != "Microsoft",
			ChargeType: s("ChargeType"), Product: s("ProductId"), SKU: s("SkuId"), Unit: s("Unit"), Reservation: s("BenefitOrderId"), Benefit: s("BenefitType"), Invoice: s("InvoiceNumber"),
			Currency: money.Currency(s("BillingCurrency")), PricingCurrency: money.Currency(s("PricingCurrency"))}
		if k.Region == "" {
			k.Region = s("ResourceLocation")
		}
		switch s("CreditType") {
		case "Partner Earned Credit Applied":
			k.Credit = usage.CreditEarned
		case "Azure Credit Applied":
			k.Credit = usage.CreditAzure
		}
		var all map[string]string
		if s("Tags") != "" {
			if err := json.Unmarshal([]byte(s("Tags")), &all); err != nil {
				panic(err)
			}
		}
		for name, v := range all {
			if slices.Contains(tags, strings.ToLower(name)) {
				if k.Tags == nil {
					k.Tags = map[string]string{}
				}
				k.Tags[strings.ToLower(name)] = v
			}
		}
		add(k, num(x, "Quantity"), num(x, "UnitPrice"), num(x, "PCToBCExchangeRate"), num(x, "BillingPreTaxTotal"), num(x, "PricingPreTaxTotal"))
	}
	for _, x := range invoiced {
		s := func(name string) string { return fmt.Sprint(x[name]) }
		if s("MeterDescription") != "" {
			continue
		}
		k := usage.Key{Tenant: s("CustomerId"), Day: usage.Day(s("ChargeStartDate")[:10]), Category: s("ProductName"), Subcategory: s("SkuName"), Publisher: s("PublisherName"),
			ThirdParty: s("PublisherName") != "Microsoft", ChargeType: s("ChargeType"), Product: s("ProductId"), SKU: s("SkuId"), Unit: s("UnitType"), Reservation: s("ReservationOrderId"),
			Invoice: s("InvoiceNumber"), Currency: money.Currency(s("Currency")), PricingCurrency: money.Currency(s("PricingCurrency"))}
		add(k, num(x, "BillableQuantity"), num(x, "UnitPrice"), num(x, "PCToBCExchangeRate"), num(x, "Subtotal"), num(x, "EffectiveUnitPrice").Mul(num(x, "BillableQuantity")))
	}
	return out
}

func plusOne(c money.Currency) money.Amount { return money.Must("1", c) }

func text(g usage.Group) string {
	return fmt.Sprint(g.Text(), g.Rows, g.Quantity, g.List.Text(), g.Cost.Text(), g.Gross.Text(), g.PricedList.Text(), g.PricedCost.Text(), g.PricedGross.Text())
}

// groups asks the lake, and checks that accounts come only once, and in order.
func groups(t *testing.T, l billing.Lake, q usage.Query) map[string][]usage.Group {
	t.Helper()
	out, last := map[string][]usage.Group{}, "-"
	err := l.Groups(t.Context(), q, func(account string, groups []usage.Group) error {
		if _, again := out[account]; again || !q.AnyOrder && last != "-" && account <= last || len(groups) == 0 {
			t.Errorf("%q with %d groups comes after %q", account, len(groups), last)
		}
		if !reflect.DeepEqual(groups, usage.Sorted(groups)) {
			t.Errorf("the groups of %q are not sorted", account)
		}
		last, out[account] = account, groups
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Groups are what adding up record by record gives, with subscriptions that change
// their account in mid month, a customer that nobody pays for, and any number of workers.
func TestGroupsAreTheSumsOfTheirRecords(t *testing.T) { both(t, testGroups) }

func testGroups(t *testing.T, e engine) {
	for seed, c := range []struct {
		currency string
		tags     []string
	}{{"USD", nil}, {"EUR", []string{"env"}}, {"JPY", []string{"cost-center", "owner"}}} {
		dir, rated, invoiced := month(t, sim.BillOptions{Seed: uint64(seed + 1), Records: 2_000, Customers: 9, Subscriptions: 2, Density: 10, Currencies: []string{c.currency}})
		usageRows, lineRows := lines(t, dir, rated), lines(t, dir, invoiced)
		var owners []usage.Owner
		tenants, subs := map[string]string{}, map[string]string{}
		for _, x := range usageRows {
			tenant, sub := fmt.Sprint(x["CustomerId"]), fmt.Sprint(x["EntitlementId"])
			if tenants[tenant] == "" {
				tenants[tenant] = fmt.Sprintf("ACC%d", len(tenants)%5)
				if len(tenants) != 4 { // nobody's
					owners = append(owners, usage.Owner{Tenant: tenant, From: "2026-01-10", Account: tenants[tenant]})
				}
			}
			if sub != "" && subs[sub] == "" && len(subs)%2 == 0 {
				subs[sub] = "MOVED"
				owners = append(owners, usage.Owner{Tenant: tenant, Entitlement: sub, From: "2026-02-11", To: "2026-02-20", Account: "MOVED"})
			} else if sub != "" && subs[sub] == "" {
				subs[sub] = "-"
			}
		}
		who := func(tenant, sub, day string) string {
			account := ""
			for _, o := range owners {
				if o.Tenant == tenant && (o.Entitlement == "" && account == "" || o.Entitlement != "" && o.Entitlement == sub) && string(o.From) <= day && (o.To == "" || day <= string(o.To)) {
					account = o.Account
				}
			}
			return account
		}
		expected := want(usageRows, lineRows, who, c.tags...)
		q := usage.Query{Rated: []string{"rated"}, Invoiced: []string{"invoiced"}, Owners: owners, Tags: c.tags}
		var first map[string][]usage.Group
		for _, workers := range []int{1, 8} {
			if e.heavy && (seed == 1 || (seed == 0) != (workers == 1)) {
				continue
			}
			l := e.fresh(t, workers)
			got, err := l.Load(t.Context(), rated, dir)
			if err != nil {
				t.Fatal(err)
			}
			sum := decimal.Zero
			for _, x := range usageRows {
				sum = sum.Add(num(x, "BillingPreTaxTotal"))
			}
			if got.Rows != int64(len(usageRows)) || !got.Cost.Decimal().Equal(sum) || got.First != "2026-02-01" || got.Last != "2026-02-28" || len(got.Drift) > 0 {
				t.Errorf("loaded %+v; there are %d rows of %s", got, len(usageRows), sum)
			}
			if again, err := l.Load(t.Context(), rated, dir); err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
				t.Errorf("loaded again: %+v %v", again, err)
			}
			got, err = l.Load(t.Context(), invoiced, dir)
			if err != nil {
				t.Fatal(err)
			}
			total := decimal.Zero
			for _, x := range lineRows {
				total = total.Add(num(x, "TotalForCustomer"))
			}
			if !got.Cost.Decimal().Add(got.Tax.Decimal()).Equal(total) {
				t.Errorf("lines come to %s and %s tax, want %s", got.Cost, got.Tax, total)
			}
			all := groups(t, l, q)
			if len(all) != len(expected) || len(all[""]) == 0 || len(all["MOVED"]) == 0 {
				t.Errorf("%d accounts, want %d", len(all), len(expected))
			}
			for account, list := range expected {
				if len(all[account]) != len(list) {
					t.Errorf("%q has %d groups, want %d", account, len(all[account]), len(list))
				}
				for _, g := range all[account] {
					if err := g.Check(); err != nil {
						t.Error(err)
					}
					if w := list[g.Text()]; text(w) != text(g) {
						t.Fatalf("%q:\ngot  %s\nwant %s", account, text(g), text(w))
					}
				}
			}
			if first == nil {
				first = all
			} else if !reflect.DeepEqual(first, all) {
				t.Errorf("%d workers give other groups", workers)
			}
			if again := groups(t, l, q); !reflect.DeepEqual(again, all) {
				t.Error("the same question has another answer")
			}
			q := q
			q.AnyOrder = true
			if again := groups(t, l, q); !reflect.DeepEqual(again, all) {
				t.Error("in another order there are other groups")
			}
			q.AnyOrder, q.Accounts = false, []string{"", "MOVED"}
			if some := groups(t, l, q); len(some) != 2 || !reflect.DeepEqual(some["MOVED"], all["MOVED"]) || !reflect.DeepEqual(some[""], all[""]) {
				t.Errorf("asked for two accounts: %d", len(some))
			}
			for account, list := range all { // read without the rest of the month
				other := map[bool]string{true: "ACC1", false: "MOVED"}[account == "MOVED"]
				q.Accounts = []string{account, other, "NOBODY"}
				if some := groups(t, l, q); account != "" && (!reflect.DeepEqual(some[account], list) || !reflect.DeepEqual(some[other], all[other]) || len(some) > 2) {
					t.Errorf("asked for %q and %q: %d accounts", account, other, len(some))
				}
			}
		}
	}
}
