package web_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/demo"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// today is the portal's clock in these tests: a Monday, 22 days of November are known.
var today = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

const (
	production = "6f1f2d3c-58a1-4a7e-9f3e-0c8a1d2b3e01"
	develop    = "6f1f2d3c-58a1-4a7e-9f3e-0c8a1d2b3e02"
)

// meters of the demo's usage: what a work day costs at Microsoft's list.
var meters = []struct {
	entitlement, category, meter, unit, region, price string
	weekend                                           int64 // percent of a work day
	units                                             string
}{
	{production, "Virtual Machines", "D4s v5", "1 Hour", "US East", "0.192", 55, "1840"},
	{production, "Azure SQL Database", "vCore", "1 Hour", "US East", "0.2525", 100, "640.125"},
	{production, "Storage", "Hot LRS Data Stored", "1 GB/Month", "US East", "0.0208", 100, "4410.75"},
	{production, "Bandwidth", "Standard Data Transfer Out", "1 GB", "US East", "0.087", 60, "625.333333"},
	{develop, "Virtual Machines", "B2ms", "1 Hour", "US West 2", "0.0832", 20, "810"},
	{develop, "Azure Kubernetes Service", "Uptime SLA", "1 Hour", "US West 2", "0.1", 100, "72"},
	{develop, "Log Analytics", "Pay-as-you-go Data Ingestion", "1 GB", "US West 2", "2.3", 70, "11.42"},
}

// groupsOf is an account's usage from one day to another, growing by a percent a month.
func groupsOf(from, to usage.Day) []usage.Group {
	var list []usage.Group
	first := usage.Month("2025-11")
	for d := from; d <= to; d = d.Add(1) {
		months := int64(0)
		for m := first; m < d.Month(); m = m.Add(1) {
			months++
		}
		for _, x := range meters {
			units := decimal.RequireFromString(x.units).Mul(decimal.NewFromInt(100 + 3*months)).Shift(-2)
			if w := d.Time().Weekday(); w == time.Saturday || w == time.Sunday {
				units = units.Mul(decimal.NewFromInt(x.weekend)).Shift(-2)
			}
			// No two days are alike: up to six percent more or less, the same in every run.
			h := fnv.New32a()
			_, _ = h.Write([]byte(string(d) + x.meter))
			units = units.Mul(decimal.NewFromInt(940 + int64(h.Sum32()%120))).Shift(-3)
			list0 := units.Mul(decimal.RequireFromString(x.price))
			usd := func(a decimal.Decimal) money.Amount { return money.Must("1", "USD").Times(a) }
			cost := usd(list0.Mul(decimal.RequireFromString("0.85")))
			list = append(list, usage.Group{
				Key: usage.Key{
					Tenant: "t-contoso", Entitlement: x.entitlement, Day: d, Meter: "m-" + x.meter, MeterName: x.meter, Category: x.category, Region: x.region, Unit: x.unit,
					Service: "Microsoft." + strings.ReplaceAll(x.category, " ", ""), Publisher: "Microsoft", Credit: usage.CreditEarned, Currency: "USD", PricingCurrency: "USD", Rate: decimal.NewFromInt(1),
				},
				Rows: 24, Quantity: units, List: usd(list0), Cost: cost, Gross: usd(list0), PricedList: usd(list0), PricedCost: cost, PricedGross: usd(list0),
			})
		}
	}
	return list
}

// lake is the usage of these tests with the terms that hold, as the cycle has them.
type lake struct {
	w      *world
	groups map[string][]usage.Group // by account
}

func (l *lake) of(ctx context.Context, account_ string, m usage.Month) ([]rating.Charge, error) {
	var groups []usage.Group
	for _, g := range l.groups[account_] {
		if g.Day.Month() == m {
			groups = append(groups, g)
		}
	}
	terms, err := l.w.app.Prices.Terms(ctx, l.w.app.DB.Read(), account.Alias(account_), "USD", m)
	if err != nil {
		return nil, err
	}
	return rating.Month(m, groups, terms)
}

func within(s billing.Slice, g usage.Group) bool {
	return (s.Entitlement == "" || s.Entitlement == g.Entitlement) && (s.Category == "" || s.Category == g.Category) && (s.Region == "" || s.Region == g.Region) && (s.Day == "" || s.Day == g.Day)
}

// Charges rates the month again and gives the slice.
func (l *lake) Charges(ctx context.Context, s billing.Slice) ([]rating.Charge, error) {
	all, err := l.of(ctx, s.Account, s.Month)
	return slices.DeleteFunc(all, func(c rating.Charge) bool { return !within(s, c.Group) }), err
}

// Records makes a record of each group, as the export has it.
func (l *lake) Records(_ context.Context, s billing.Slice, after string, limit int, _ ...string) ([]usage.Record, string, error) {
	var all []usage.Record
	for i, g := range l.groups[s.Account] {
		if g.Day.Month() != s.Month || !within(s, g) {
			continue
		}
		all = append(all, usage.Record{Snapshot: "s1", File: "part-0001.json.gz", Line: int64(i + 1), Columns: map[string]string{
			"UsageDate": string(g.Day) + "T00:00:00Z", "EntitlementId": g.Entitlement, "MeterName": g.MeterName, "MeterCategory": g.Category, "ResourceLocation": g.Region, "Quantity": g.Quantity.String(), "Unit": g.Unit,
			"UnitPrice": g.List.Decimal().DivRound(g.Quantity, 6).String(), "PricingCurrency": "USD", "BillingPreTaxTotal": g.Cost.Text(), "ResourceGroup": "rg-shop",
			"ResourceURI": "/subscriptions/" + g.Entitlement + "/resourceGroups/rg-shop/providers/" + g.Service + "/x/" + strings.ToLower(strings.ReplaceAll(g.MeterName, " ", "-")) + "-01",
		}})
	}
	from := 0
	if after != "" {
		if _, err := fmt.Sscanf(after, "%d", &from); err != nil {
			return nil, "", err
		}
	}
	all = all[min(from, len(all)):]
	if len(all) > limit {
		return all[:limit], fmt.Sprint(from + limit), nil
	}
	return all, "", nil
}

// Usage gives everything for the price lab.
func (l *lake) Usage(_ context.Context, from, to usage.Month, each func(rating.AccountMonth) error) error {
	for account_, groups := range l.groups {
		by := map[usage.Month][]usage.Group{}
		for _, g := range groups {
			if m := g.Day.Month(); m >= from && m <= to {
				by[m] = append(by[m], g)
			}
		}
		for m, groups := range by {
			if err := each(rating.AccountMonth{Account: account_, Month: m, Groups: groups}); err != nil {
				return err
			}
		}
	}
	return nil
}

// summed is an account's month as the cycle keeps it.
func summed(account_ string, m usage.Month, billed bool, charges []rating.Charge) (billing.AccountMonth, error) {
	z := money.Zero("USD")
	x := billing.AccountMonth{Account: account_, Month: m, Currency: "USD", Billed: billed, RatedAt: today, Sell: z, Cost: z, Sold: z, Margin: z, Earned: z, Gain: z}
	for _, c := range charges {
		x.AsOf = max(x.AsOf, c.Group.Day)
		category := c.Group.Category
		if c.Kind != rating.KindUsage {
			category = c.Label
		}
		x.Cells = append(x.Cells, billing.Cell{Day: c.Group.Day, Kind: c.Kind, Line: c.Line, Tenant: c.Group.Tenant, Entitlement: c.Group.Entitlement, Category: category, Region: c.Group.Region, Rows: c.Group.Rows, Sell: c.Sell, Cost: c.Cost})
		for _, p := range []struct {
			to *money.Amount
			a  money.Amount
		}{{&x.Sell, c.Sell}, {&x.Cost, c.Cost}, {&x.Sold, c.SoldCost}, {&x.Margin, c.Margin}, {&x.Earned, c.Earned}, {&x.Gain, c.Gain}} {
			var err error
			if *p.to, err = p.to.Add(p.a); err != nil {
				return x, err
			}
		}
	}
	return x, nil
}

// bills gives Contoso two subscriptions, thirteen months of usage and their invoices;
// Fabrikam a month of its own. It gives the documents of CTSO, newest first.
func (w *world) bills() []invoice.Document {
	w.t.Helper()
	ctx := w.t.Context()
	w.clock = func() time.Time { return today }
	admin := w.actor(demo.Administrator)
	w.must(w.app.DB.Tx(ctx, func(tx *store.Tx) error {
		for id, name := range map[string]string{production: "Contoso production", develop: "Contoso development"} {
			p := provider.Provider{
				ID: provider.ID(store.NewID()), Org: admin.Org, Owner: admin.User, Type: "azure", Mode: provider.ModeNew, Name: name, State: provider.Ready, Account: "CTSO", Tenant: "t-contoso", TenantID: "t-contoso",
				Domain: "contosoprod.onmicrosoft.com", Subscription: id, CreatedAt: today.AddDate(-1, 0, 0), ChangedAt: today, ChangedBy: provider.Platform,
			}
			if err := w.app.Providers.Add(ctx, tx, p); err != nil {
				return err
			}
			if err := w.app.Providers.Confirm(ctx, tx, provider.Association{Tenant: "t-contoso", Entitlement: id, Account: "CTSO", Org: admin.Org, Provider: p.ID, From: "2025-11-01"}); err != nil {
				return err
			}
		}
		return nil
	}))
	w.lake = &lake{w: w, groups: map[string][]usage.Group{"CTSO": groupsOf("2025-11-01", "2026-11-22"), "FBRK": groupsOf("2026-10-05", "2026-11-22")}}
	for m := usage.Month("2025-11"); m <= "2026-11"; m = m.Add(1) {
		for _, a := range []string{"CTSO", "FBRK"} {
			charges, err := w.lake.of(ctx, a, m)
			w.must(err)
			if len(charges) == 0 {
				continue
			}
			x, err := summed(a, m, m < "2026-11", charges)
			w.must(err)
			w.must(w.app.DB.Tx(ctx, func(tx *store.Tx) error { return w.app.Billing.Months().Save(ctx, tx, x) }))
		}
	}
	// September and October were billed before their last day was known. September's
	// difference is on October's invoice, October's on none yet.
	var late []invoice.Line
	for m := usage.Month("2025-11"); m < "2026-11"; m = m.Add(1) {
		until := m.Last()
		if m >= "2026-09" {
			until = until.Add(-1)
		}
		d := w.invoice(string(admin.Org), m, until, late)
		late = nil
		if until != m.Last() {
			all, err := w.lake.of(ctx, "CTSO", m)
			w.must(err)
			late, err = invoice.Lines(invoice.Bill{Month: m, Charges: all, Billed: d.Lines[:1]}, brandLabels, "USD")
			w.must(err)
		}
	}
	docs, err := w.app.Billing.Book().OfAccount(ctx, "CTSO", invoice.Document{}, 100)
	w.must(err)
	return docs
}

var brandLabels = invoice.Labels{Line: "Integrated Azure Services Usage", Late: "Update to previous month"}

// invoice issues what CTSO is charged of a month by what is known up to a day, with
// more lines if there are.
func (w *world) invoice(org string, m usage.Month, until usage.Day, more []invoice.Line) invoice.Document {
	w.t.Helper()
	charges, err := w.lake.of(w.t.Context(), "CTSO", m)
	w.must(err)
	charges = slices.DeleteFunc(charges, func(c rating.Charge) bool { return c.Group.Day > until })
	lines, err := invoice.Lines(invoice.Bill{Month: m, Charges: charges, Estimate: true}, brandLabels, "USD")
	w.must(err)
	return w.issue("CTSO", org, m, append(lines, more...))
}

func (w *world) issue(account_, org string, m usage.Month, lines []invoice.Line) invoice.Document {
	w.t.Helper()
	ctx := w.t.Context()
	seller := invoice.Party{Name: "CenturyLink Cloud", Address: []string{"100 CenturyLink Drive", "Monroe, LA 71203"}, Country: "US"}
	d, err := invoice.Compose(invoice.Document{
		Key: account_ + ":" + string(m), Kind: invoice.Invoice, Entity: "CTL", Org: org, Account: account_, Period: m, Currency: "USD", Seller: seller,
		Buyer: invoice.Party{Name: "Contoso, Ltd.", Address: []string{"4567 Main Street", "Buffalo, NY 14201"}, Country: "US"},
	}, lines, m.Last(), []invoice.TaxRule{{ID: "none", Country: "US", Label: "No tax"}})
	w.must(err)
	w.must(w.app.DB.Tx(ctx, func(tx *store.Tx) error {
		if d, err = w.app.Billing.Book().Draft(ctx, tx, d); err != nil {
			return err
		}
		d, err = w.app.Billing.Book().Issue(ctx, tx, d.ID, "system", m.Add(1).First().Add(29))
		return err
	}))
	return d
}

// ourPrices sells at so many percent above list, but Storage at list less ten.
func ourPrices(id, percent string) rating.List {
	l := rating.Default("USD")
	l.ID = id
	l.Rules[0].Percent = decimal.RequireFromString(percent)
	l.Rules = append(l.Rules, rating.Rule{ID: "storage", Match: rating.Match{Category: []string{"Storage"}}, Base: rating.OnList, Percent: decimal.NewFromInt(-10)},
		rating.Rule{ID: "storage-covered", Match: rating.Match{Category: []string{"Storage"}, Reservation: []string{"any"}}, Base: rating.OnGross},
		rating.Rule{ID: "storage-credit", Match: rating.Match{Category: []string{"Storage"}, Credit: []string{"azure"}}, Base: rating.OnGross},
		rating.Rule{ID: "storage-both", Match: rating.Match{Category: []string{"Storage"}, Reservation: []string{"any"}, Credit: []string{"azure"}}, Base: rating.OnGross})
	return l
}

// budgeted gives CTSO two budgets, of which one is expected to be exceeded, and the page that shows them.
func (w *world) budgeted() string {
	w.t.Helper()
	for entitlement, amount := range map[string]string{"": "24000", develop: "3500"} {
		_, err := w.app.Billing.SetBudget(w.t.Context(), w.actor(demo.Administrator), billing.Budget{
			Account: "CTSO", Entitlement: entitlement, Amount: money.Must(amount, "USD"), Ask: entitlement == "",
			Thresholds: []billing.Threshold{{Percent: 50, Basis: billing.Actual}, {Percent: 80, Basis: billing.Actual}, {Percent: 100, Basis: billing.Actual}, {Percent: 100, Basis: billing.Forecasted}, {Percent: 120, Basis: billing.Forecasted}},
		})
		w.must(err)
	}
	return "/usage/budgets"
}

func (w *world) customerPages(docs []invoice.Document) map[string]string {
	at := "/usage/account/CTSO/2026-11"
	return map[string]string{
		"usage": "/usage", "usage-table": "/usage?show=days&by=provider", "usage-october": "/usage?month=2026-10&by=region&months=24", "usage-empty": "/usage?account=CTSE",
		"budgets": w.budgeted(), "budget-table": "/usage/budgets?show=table", "budget-form": "/usage/budgets/edit?account=CTSO&of=account", "budget-new": "/usage/budgets/edit?account=CTSO",
		"history": "/usage/history", "month": "/usage/history/CTSO/2026-10", "month-service": "/usage/history/CTSO/2026-10?by=service", "vendor": "/usage/history/CTSO/2026-10?view=vendor", "month-now": "/usage/history/CTSO/2026-11",
		"invoice": "/invoices/" + string(docs[0].ID), "slice": at + "?category=Virtual+Machines", "slice-one": at + "?category=Bandwidth&entitlement=" + production + "&region=US+East&day=2026-11-20",
	}
}

func (w *world) financePages(docs []invoice.Document) map[string]string {
	_, err := w.app.Prices.Save(w.t.Context(), w.actor(demo.Finance), ourPrices("our-prices", "5"), "", "List and five percent; Storage ten percent off.", nil, nil)
	w.must(err)
	rich := richPrices(w.t)
	v, err := w.app.Prices.Save(w.t.Context(), w.actor(demo.Finance), rich, "", "All kinds of parts", nil, nil)
	w.must(err)
	_, err = w.app.Prices.Activate(w.t.Context(), w.actor(demo.Finance), rich.ID, v.List.Version, usage.DayOf(w.app.Config.Now()).Add(1))
	w.must(err)
	rich.Fees = rich.Fees[:1]
	_, err = w.app.Prices.Save(w.t.Context(), w.actor(demo.Finance), rich, "", "Without backup care", nil, nil)
	w.must(err)
	w.explained()
	w.must(w.app.DB.Tx(w.t.Context(), func(tx *store.Tx) error { // what goes on, for as long as pictures are taken
		return w.app.Jobs.Add(w.t.Context(), tx, billing.JobIssue, "2026-10", struct{}{}, w.app.Config.Now().Add(time.Hour))
	}))
	return map[string]string{
		"staff-usage": "/usage?account=CTSO", "staff-slice": "/usage/account/CTSO/2026-11?category=Storage", "staff-billing": "/staff/billing?month=2026-10&sort=margin", "staff-close": "/staff/billing/close?month=2026-10", "staff-documents": "/staff/billing/invoices?month=2026-10",
		"staff-settings": "/staff/billing/settings?seller=new", "staff-account": "/staff/billing/accounts/CTSO", "staff-accounting": "/staff/billing/accounting",
		"staff-prices": "/staff/prices", "staff-price-new": "/staff/prices?new=1", "staff-price": "/staff/prices/our-prices", "staff-price-rule": "/staff/prices/our-prices/part?of=rules.storage",
		"staff-price-rich": "/staff/prices/rich", "staff-price-json": "/staff/prices/rich?edit=1", "staff-price-from-json": "/staff/prices?new=json", "staff-price-terms": "/staff/prices/rich/part?of=terms", "staff-price-tiers": "/staff/prices/rich/part?of=rules.units.of-time",
		"staff-price-fee": "/staff/prices/rich/part?of=fees.desk", "staff-price-support": "/staff/prices/rich/part?of=support.support", "staff-price-line": "/staff/prices/rich/part?of=lines", "staff-lab": "/staff/prices/our-prices/lab",
	}
}
