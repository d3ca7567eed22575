package billing_test

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/sim"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/shopspring/decimal"
)

// Two months of a partner with every pattern, fees, support, a minimum, two taxes,
// corrections, another currency and a credit note: every row keeps the rules of FOCUS
// 1.2, and Σ BilledCost of each document is what it asks for.
func TestFocusIsTheInvoice(t *testing.T) {
	var all []map[string]string
	var one sync.Mutex
	t.Run("seeds", func(t *testing.T) {
		for seed := range 3 {
			t.Run(fmt.Sprint(seed+1), func(t *testing.T) {
				t.Parallel() // most of the time the disk is waited for
				b := newBooks(t, storetest.SQLite(t), "2026-10-02")
				y := year{b, uint64(seed + 1), nil} // #nosec G115 -- a small number
				y.usage("2026-09")
				y.aliases = y.connect("2026-01-01")
				f := y.focusTerms()
				y.bills("2026-09")
				y.usage("2026-10")
				y.bills("2026-10")
				y.take(t, "2026-10")
				if seed == 0 {
					f.unbilled("2026-12")
				}

				for _, m := range []usage.Month{"2026-09", "2026-10"} {
					for _, alias := range y.aliases {
						rows := f.month(alias, m)
						one.Lock()
						all = append(all, rows...)
						one.Unlock()
					}
				}
			})
		}
	})
	focusSeen(t, all)
}

// year is a partner whose months are billed one after the other.
type year struct {
	*books
	seed    uint64
	aliases []string
}

func (y *year) usage(m usage.Month) {
	y.t.Helper()
	y.generate(sim.BillOptions{Month: string(m), Seed: y.seed, Customers: 4, Records: 240, Density: 10, Features: without(sim.FeatureUnmapped)})
}

// bills takes a month to its documents: those of the estimate, then the others.
func (y *year) bills(m usage.Month) {
	y.t.Helper()
	y.look()
	y.issue(m)
	y.sim.Advance(6 * 24 * time.Hour)
	y.look()
	y.close(m)
	y.look()
	y.issue(m)
	y.sim.Advance(m.Add(2).First().Time().Add(34 * time.Hour).Sub(y.sim.Clock.Now()))
}

type focusBooks struct {
	year
	duck *sql.DB
}

// focusTerms gives each of four accounts another way to be billed.
func (y *year) focusTerms() *focusBooks {
	t, ctx := y.t, y.t.Context()
	t.Helper()
	s, err := y.Setup(ctx)
	y.must(err)
	s.Sellers[0].Tax = append(s.Sellers[0].Tax, invoice.TaxRule{ID: "service", Country: "US", Class: "support", Percent: decimal.RequireFromString("8.875"), Label: "Tax on services 8.875 %"})
	y.must(y.SetSetup(ctx, finance, s.Version, s))
	plus := rating.Default("USD")
	plus.ID, plus.EarnedShare = "plus", decimal.New(40, 0)
	plus.Rules[0].Percent = decimal.RequireFromString("7.25")
	plus.Support = &rating.Support{ID: "support", Label: "Support", Steps: []rating.Step{{Percent: decimal.New(3, 0)}}}
	plus.Fees = []rating.Fee{{ID: "desk", Label: "Service desk", Amount: decimal.RequireFromString("49.9"), Always: true}}
	plus.Minimums = []rating.Minimum{{ID: "least", Label: "Minimum", Amount: decimal.New(1_000_000, 0)}}
	euro := rating.Default("EUR")
	euro.ID, euro.Exchange = "euro", rating.ByPartner
	euro.Rules[0].Percent = decimal.RequireFromString("-3.3")
	for _, l := range []rating.List{plus, euro} {
		v, err := y.prices.Save(ctx, finance, l, "", "For this partner", nil, nil)
		y.must(err)
		_, err = y.prices.Activate(ctx, finance, l.ID, v.List.Version, "2026-01-01")
		y.must(err)
	}
	for m := usage.Month("2026-09"); m <= "2026-12"; m = m.Add(1) {
		y.must(y.prices.SetRate(ctx, finance, rating.Exchange{From: "USD", To: "EUR", Month: m, Rate: decimal.RequireFromString("0.91234567"), Day: m.First()}))
	}
	ways := []billing.AccountSetup{
		{Switches: []invoice.Switch{{Pattern: invoice.Pattern{Way: invoice.Arrears}}}}, {Switches: []invoice.Switch{{Pattern: invoice.Pattern{Way: invoice.MonthEnd}}}},
		{Switches: []invoice.Switch{{Pattern: invoice.Pattern{Way: invoice.Settle}}}}, {Currency: "EUR", Switches: []invoice.Switch{{Pattern: invoice.Pattern{Way: invoice.Arrears}}}},
	}
	for i, alias := range y.aliases {
		y.must(y.SetAccountSetup(ctx, finance, account.Alias(alias), 0, ways[i]))
	}
	y.must(y.prices.Assign(ctx, finance, account.Alias(y.aliases[0]), "plus", "2026-01-01"))
	y.must(y.prices.Assign(ctx, finance, account.Alias(y.aliases[3]), "euro", "2026-01-01"))
	duck, err := sql.Open("duckdb", "")
	y.must(err)
	t.Cleanup(func() { _ = duck.Close() })
	return &focusBooks{*y, duck}
}

// take takes the first account's document back, and bills the month anew.
func (y *year) take(t *testing.T, m usage.Month) {
	t.Helper()
	docs := y.documents(m)
	i := slices.IndexFunc(docs, func(d invoice.Document) bool { return d.Account == y.aliases[0] })
	if i < 0 {
		t.Fatalf("no document of %s", m)
	}
	_, err := y.TakeBack(t.Context(), finance, docs[i].ID, "Wrong address")
	y.must(err)
	y.work()
	y.issue(m)
}

// month checks all that an account gets for a month, and gives the rows.
func (f *focusBooks) month(alias string, m usage.Month) []map[string]string {
	t, ctx := f.t, f.t.Context()
	t.Helper()
	docs, err := f.Book().OfAccount(ctx, alias, invoice.Document{}, 100)
	f.must(err)
	want, sum := map[string]invoice.Document{}, map[string]decimal.Decimal{}
	parts := 0
	for _, d := range docs {
		if d.Period == m && d.Number != "" {
			want[d.Number] = d
			parts += len(f.table(func(format billing.Format, w *bytes.Buffer) error {
				return f.FocusDocument(ctx, finance, d.ID, format, w)
			}))
		}
	}
	rows := f.table(func(format billing.Format, w *bytes.Buffer) error {
		return f.Focus(ctx, finance, account.Alias(alias), m, format, w)
	})
	if len(rows) != parts {
		t.Errorf("%s, %s: %d documents with %d rows, together %d", alias, m, len(want), parts, len(rows))
	}
	for _, r := range rows {
		d, ok := want[r["InvoiceId"]]
		if !ok || r["BillingCurrency"] != string(d.Currency) || r["InvoiceIssuerName"] != "Partner Ltd" || r["BillingAccountId"] != alias || r["BillingPeriodStart"][:7] != string(m) {
			t.Fatalf("a row of no document of %s, %s: %v", alias, m, r)
		}
		sum[d.Number] = sum[d.Number].Add(decimal.RequireFromString(r["BilledCost"]))
		line := r["x_InvoiceLine"]
		late := slices.ContainsFunc(d.Lines, func(l invoice.Line) bool {
			return l.Kind == invoice.LineUpdate && l.ID == line && string(l.Month.First()) == r["ChargePeriodStart"][:10]
		})
		if r["ChargeCategory"] != "Tax" && (d.Kind == invoice.CreditNote || late) != (r["ChargeClass"] == "Correction") && len(r["ChargePeriodStart"]) > 0 && r["ChargePeriodStart"][8:10] == "01" && r["ChargePeriodEnd"][8:10] == "01" {
			t.Errorf("%s: class %q of %v", d.Number, r["ChargeClass"], r)
		}
		estimate := slices.ContainsFunc(d.Lines, func(l invoice.Line) bool { return l.Estimate }) // the lake may have a later one only
		if d.Kind == invoice.Invoice && !estimate && strings.Contains(r["ChargeDescription"], "difference of what was billed") {
			t.Errorf("%s: its charges cannot be worked out again: %v", d.Number, r)
		}
	}
	for number, d := range want {
		if !sum[number].Equal(d.Total.Decimal()) {
			t.Errorf("%s: Σ BilledCost %s, total %s", number, sum[number], d.Total)
		}
	}
	return rows
}

// unbilled is a month before its bill: no InvoiceId, and what the usage costs.
func (f *focusBooks) unbilled(m usage.Month) {
	t := f.t
	t.Helper()
	f.sim.Advance(m.Last().Time().Add(20 * time.Hour).Sub(f.sim.Clock.Now()))
	f.usage(m)
	f.look()
	known, err := f.Months().Of(t.Context(), f.aliases[0], m, m)
	f.must(err)
	sum := decimal.Decimal{}
	for _, r := range f.table(func(format billing.Format, w *bytes.Buffer) error {
		return f.Focus(t.Context(), finance, account.Alias(f.aliases[0]), m, format, w)
	}) {
		if r["InvoiceId"] != "" {
			t.Errorf("an invoice before it is there: %v", r)
		}
		sum = sum.Add(decimal.RequireFromString(r["BilledCost"]))
	}
	if len(known) != 1 || known[0].Sell.Sign() <= 0 || sum.Sub(known[0].Sell.Decimal()).Abs().GreaterThan(decimal.New(1, -14)) {
		t.Errorf("Σ BilledCost %s, known %+v", sum, known)
	}
}

// focusSeen: nothing that the test is about is missing in what the simulator made.
func focusSeen(t *testing.T, rows []map[string]string) {
	t.Helper()
	for name, is := range map[string]func(map[string]string) bool{
		"usage of a day": func(r map[string]string) bool { return r["ChargeCategory"] == "Usage" && r["ChargeClass"] == "" },
		"a correction": func(r map[string]string) bool {
			return r["ChargeClass"] == "Correction" && r["ChargeCategory"] == "Usage"
		},
		"tax":             func(r map[string]string) bool { return r["ChargeCategory"] == "Tax" },
		"tax on services": func(r map[string]string) bool { return strings.HasPrefix(r["ServiceName"], "Tax on services") },
		"tax taken back": func(r map[string]string) bool {
			return r["ChargeCategory"] == "Tax" && r["ChargeClass"] == "Correction"
		},
		"rounding": func(r map[string]string) bool { return strings.HasPrefix(r["ChargeDescription"], "Rounding of ") },
		"support": func(r map[string]string) bool {
			return r["ServiceSubcategory"] == "Support" && r["ChargeCategory"] == "Purchase"
		},
		"a fee": func(r map[string]string) bool {
			return r["ServiceName"] == "Service desk" && r["ChargeFrequency"] == "Recurring"
		},
		"a minimum": func(r map[string]string) bool {
			return r["ServiceName"] == "Minimum" && r["ChargeCategory"] == "Adjustment"
		},
		"euro": func(r map[string]string) bool { return r["BillingCurrency"] == "EUR" && r["PricingCurrency"] == "USD" },
		"another's product": func(r map[string]string) bool {
			return r["ChargeClass"] == "" && r["PublisherName"] == "Northwind Networks, Inc."
		},
		"committed usage": func(r map[string]string) bool {
			return r["PricingCategory"] == "Committed" && r["CommitmentDiscountStatus"] == "Used"
		},
		"a negative quantity": func(r map[string]string) bool { return strings.HasPrefix(r["PricingQuantity"], "-") },
	} {
		if !slices.ContainsFunc(rows, is) {
			t.Errorf("no row has %s", name)
		}
	}
}

// table writes a table in both formats, twice, holds them against each other and
// against the rules, and gives its rows by column.
func (f *focusBooks) table(write func(billing.Format, *bytes.Buffer) error) []map[string]string {
	t := f.t
	t.Helper()
	var text, again, packed, packedAgain bytes.Buffer
	for format, list := range map[billing.Format][]*bytes.Buffer{billing.CSV: {&text, &again}, billing.Parquet: {&packed, &packedAgain}} {
		for _, w := range list {
			f.must(write(format, w))
		}
	}
	if !bytes.Equal(text.Bytes(), again.Bytes()) || !bytes.Equal(packed.Bytes(), packedAgain.Bytes()) {
		t.Error("the same table has other bytes")
	}
	lines, err := csv.NewReader(&text).ReadAll()
	f.must(err)
	head := lines[0]
	var rows []map[string]string
	for _, l := range lines[1:] {
		r := map[string]string{}
		for i, name := range head {
			r[name] = l[i]
		}
		rows = append(rows, r)
	}
	checkFocus(t, head, rows)
	file := filepath.Join(t.TempDir(), "focus.parquet")
	f.must(os.WriteFile(file, packed.Bytes(), 0o600))
	f.readBack(file, head, rows)
	return rows
}

// readBack holds what DuckDB reads of a Parquet file against the rows of the CSV.
func (f *focusBooks) readBack(file string, head []string, rows []map[string]string) {
	t := f.t
	t.Helper()
	described, err := f.duck.QueryContext(t.Context(), "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet('"+file+"'))")
	f.must(err)
	defer func() { _ = described.Close() }()
	var columns []string
	for n := 0; described.Next(); n++ {
		var name, sort string
		f.must(described.Scan(&name, &sort))
		want := map[string]string{"Decimal": "DECIMAL(38,18)", "Date/Time": "TIMESTAMP", "": "VARCHAR"}[focusTypes[name]]
		if name != head[n] || !strings.HasPrefix(sort, want) {
			t.Fatalf("column %d of Parquet is %s %s, want %s %s", n, name, sort, head[n], want)
		}
		switch focusTypes[name] {
		case "Date/Time":
			name = "strftime(make_timestamp(epoch_us(" + name + ")), '%Y-%m-%dT%H:%M:%SZ')"
		case "Decimal":
			name = "CAST(" + name + " AS VARCHAR)"
		}
		columns = append(columns, name)
	}
	f.must(described.Err())
	found, err := f.duck.QueryContext(t.Context(), "SELECT "+strings.Join(columns, ", ")+" FROM read_parquet('"+file+"')")
	f.must(err)
	defer func() { _ = found.Close() }()
	n := 0
	for ; found.Next(); n++ {
		values, into := make([]sql.NullString, len(head)), make([]any, len(head))
		for i := range values {
			into[i] = &values[i]
		}
		f.must(found.Scan(into...))
		if n >= len(rows) {
			continue
		}
		for i, name := range head {
			want, got := rows[n][name], values[i]
			same := got.String == want && got.Valid == (want != "")
			if focusTypes[name] == "Decimal" && got.Valid && want != "" {
				same = decimal.RequireFromString(got.String).Equal(decimal.RequireFromString(want))
			}
			if !same {
				t.Fatalf("row %d, %s: %q in CSV, %+v in Parquet", n, name, want, got)
			}
		}
	}
	f.must(found.Err())
	if n != len(rows) {
		t.Errorf("%d rows in CSV, %d in Parquet", len(rows), n)
	}
}

// The specification, version 1.2, by its own words: columns in order, those that allow
// no null, types and allowed values. "Conditional" columns are there too: Azure has
// subscriptions, commitments, regions, meters and two currencies.
var (
	focusNames = strings.Fields(`AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd BillingPeriodStart
		CapacityReservationId CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory
		CommitmentDiscountId CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus CommitmentDiscountType CommitmentDiscountUnit ConsumedQuantity ConsumedUnit
		ContractedCost ContractedUnitPrice EffectiveCost InvoiceId InvoiceIssuerName ListCost ListUnitPrice PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice
		PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType
		ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId SubAccountId SubAccountName SubAccountType Tags`)
	focusNotNull = strings.Fields(`BilledCost BillingAccountId BillingAccountName BillingAccountType BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeDescription
		ChargeFrequency ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost PricingCurrency PricingCurrencyEffectiveCost ProviderName PublisherName
		ServiceCategory ServiceName ServiceSubcategory`)
	// What a usage or a purchase must have, and a tax must not.
	focusPriced = strings.Fields(`ContractedUnitPrice ListUnitPrice PricingCategory PricingCurrencyContractedUnitPrice PricingCurrencyListUnitPrice PricingQuantity PricingUnit SkuId SkuPriceId`)
	// Null where the other is null; with "=" also not null where it is not.
	focusFollows = map[string]string{
		"ConsumedUnit": "=ConsumedQuantity", "PricingUnit": "=PricingQuantity", "CommitmentDiscountUnit": "=CommitmentDiscountQuantity", "CommitmentDiscountCategory": "=CommitmentDiscountId",
		"CommitmentDiscountType": "=CommitmentDiscountId", "CommitmentDiscountStatus": "CommitmentDiscountId", "CommitmentDiscountName": "CommitmentDiscountId", "SubAccountName": "=SubAccountId",
		"SubAccountType": "=SubAccountId", "RegionName": "=RegionId", "ResourceName": "ResourceId", "ResourceType": "=ResourceId", "SkuMeter": "SkuId", "SkuPriceDetails": "SkuPriceId",
	}
	focusAllowed = map[string][]string{
		"ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}, "ChargeClass": {"Correction"}, "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
		"PricingCategory": {"Standard", "Dynamic", "Committed", "Other"}, "CommitmentDiscountCategory": {"Spend", "Usage"}, "CommitmentDiscountStatus": {"Used", "Unused"}, "CapacityReservationStatus": {"Used", "Unused"},
	}
	focusTypes = func() map[string]string {
		types := map[string]string{}
		for _, name := range focusNames {
			switch {
			case strings.HasSuffix(name, "Cost"), strings.HasSuffix(name, "Quantity"), strings.HasSuffix(name, "UnitPrice"):
				types[name] = "Decimal"
			case strings.HasSuffix(name, "PeriodStart"), strings.HasSuffix(name, "PeriodEnd"):
				types[name] = "Date/Time"
			}
		}
		return types
	}()
	focusSubcategories = map[string]string{
		"AI and Machine Learning": "AI Platforms|Bots|Generative AI|Machine Learning|Natural Language Processing", "Analytics": "Analytics Platforms|Business Intelligence|Data Processing|Search|Streaming Analytics",
		"Business Applications": "Productivity and Collaboration", "Compute": "Containers|End User Computing|Quantum Compute|Serverless Compute|Virtual Machines",
		"Databases":       "Caching|Data Warehouses|Ledger Databases|NoSQL Databases|Relational Databases|Time Series Databases",
		"Developer Tools": "Developer Platforms|Continuous Integration and Deployment|Development Environments|Source Code Management|Quality Assurance",
		"Identity":        "Identity and Access Management", "Integration": "API Management|Messaging|Workflow Orchestration", "Internet of Things": "IoT Analytics|IoT Platforms",
		"Management and Governance": "Architecture|Compliance|Cost Management|Data Governance|Disaster Recovery|Endpoint Management|Observability|Support",
		"Media":                     "Content Creation|Gaming|Media Streaming|Mixed Reality", "Migration": "Data Migration|Resource Migration", "Mobile": "", "Multicloud": "Multicloud Integration",
		"Networking": "Application Networking|Content Delivery|Network Connectivity|Network Infrastructure|Network Routing|Network Security",
		"Security":   "Secret Management|Security Posture Management|Threat Detection and Response", "Storage": "Backup Storage|Block Storage|File Storage|Object Storage|Storage Platforms", "Web": "Application Platforms", "Other": "",
	}
	focusNumber  = regexp.MustCompile(`^-?[0-9]+(\.[0-9]{1,18})?$`)
	focusInstant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
)

// checkFocus holds rows against the specification.
func checkFocus(t testing.TB, head []string, rows []map[string]string) {
	t.Helper()
	if len(head) < len(focusNames) || !slices.Equal(head[:len(focusNames)], focusNames) {
		t.Fatalf("columns %v", head)
	}
	for _, name := range head[len(focusNames):] {
		if !strings.HasPrefix(name, "x_") {
			t.Errorf("column %s is not of the specification", name)
		}
	}
	parent, price := map[string]string{}, map[string]string{}
	for n, r := range rows {
		for _, problem := range focusProblems(r, parent, price) {
			t.Errorf("row %d: %s: %v", n, problem, r)
		}
	}
}

// focusProblems says which rules a row breaks. parent is the one category of each
// service, price the one SkuId of each SkuPriceId, of the rows before.
func focusProblems(r, parent, price map[string]string) (all []string) {
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	category, correction := r["ChargeCategory"], r["ChargeClass"] == "Correction"
	priced := (category == "Usage" || category == "Purchase") && !correction
	num := func(name string) decimal.Decimal {
		d, _ := decimal.NewFromString(r[name])
		return d
	}
	for name, v := range r {
		refuse(slices.Contains(focusNotNull, name) && v == "", "%s is null", name)
		refuse(v != "" && strings.TrimSpace(v) == "", "%s is blank", name)
		refuse(v != "" && focusTypes[name] == "Decimal" && !focusNumber.MatchString(v), "%s is no decimal", name)
		refuse(v != "" && focusTypes[name] == "Date/Time" && !focusInstant.MatchString(v), "%s is no date and time", name)
		refuse(v != "" && focusAllowed[name] != nil && !slices.Contains(focusAllowed[name], v), "%s is not allowed in %s", v, name)
		refuse(strings.HasSuffix(name, "UnitPrice") && num(name).IsNegative(), "%s is below zero", name)
		other := strings.TrimPrefix(focusFollows[name], "=")
		refuse(other != "" && r[other] == "" && v != "", "%s without %s", name, other)
		refuse(strings.HasPrefix(focusFollows[name], "=") && r[other] != "" && v == "", "%s without %s", other, name)
	}
	for _, name := range focusPriced {
		refuse(category == "Tax" && r[name] != "", "%s of a tax", name)
		refuse(priced && r[name] == "", "%s is null", name)
	}
	refuse(r["ConsumedQuantity"] != "" && category != "Usage", "a quantity was consumed, and there is no usage")
	refuse(r["ConsumedQuantity"] == "" && category == "Usage" && !correction, "no quantity was consumed")
	refuse(category == "Purchase" && r["ChargeFrequency"] == "Usage-Based", "a purchase that is based on usage")
	committed := r["CommitmentDiscountId"] != "" && (category == "Usage" || category == "Purchase")
	refuse(committed && !correction && r["CommitmentDiscountQuantity"] == "", "no quantity of the commitment")
	refuse(!committed && r["CommitmentDiscountQuantity"] != "", "a quantity of no commitment")
	refuse(committed && category == "Usage" && r["CommitmentDiscountStatus"] == "", "no status of the commitment")
	refuse(committed && category == "Usage" && r["PricingCategory"] != "" && r["PricingCategory"] != "Committed", "committed, and priced as %s", r["PricingCategory"])
	refuse(committed && category == "Purchase" && !num("EffectiveCost").IsZero(), "the purchase of a commitment has an effective cost")
	for _, kind := range []string{"List", "Contracted"} {
		unit := r[kind+"UnitPrice"]
		refuse(unit != "" && r["PricingQuantity"] != "" && !correction && !num(kind+"UnitPrice").Mul(num("PricingQuantity")).Round(18).Equal(num(kind+"Cost")), "%sCost is not price × quantity", kind)
		refuse(unit == "" && category != "Tax" && !num(kind+"Cost").Equal(num("BilledCost")), "%sCost of what has no price is not BilledCost", kind)
	}
	refuse(category != "Usage" && category != "Purchase" && category != "Tax" && !num("EffectiveCost").Equal(num("BilledCost")), "EffectiveCost is not BilledCost")
	refuse(money.Currency(r["BillingCurrency"]).Check() != nil || money.Currency(r["PricingCurrency"]).Check() != nil, "no currency")
	refuse(r["BillingPeriodStart"] >= r["BillingPeriodEnd"] || r["ChargePeriodStart"] >= r["ChargePeriodEnd"], "a period ends before it begins")
	sub, known := focusSubcategories[r["ServiceCategory"]]
	refuse(!known, "there is no ServiceCategory %s", r["ServiceCategory"])
	refuse(r["ServiceSubcategory"] != "Other ("+r["ServiceCategory"]+")" && !slices.Contains(strings.Split(sub, "|"), r["ServiceSubcategory"]), "%s has no %s", r["ServiceCategory"], r["ServiceSubcategory"])
	one := func(seen map[string]string, key, v, what string) {
		if was, ok := seen[key]; ok && key != "" {
			refuse(was != v, "%s has %s and %s as its %s", key, was, v, what)
		}
		seen[key] = v
	}
	one(parent, r["ServiceName"], r["ServiceCategory"], "ServiceCategory")
	one(price, r["SkuPriceId"], r["SkuId"], "SkuId")
	for _, name := range []string{"Tags", "SkuPriceDetails"} {
		refuse(r[name] != "" && json.Unmarshal([]byte(r[name]), &map[string]any{}) != nil, "%s is no JSON object", name)
	}
	return all
}

// The validator itself finds what it should.
func TestTheRulesOfFocusAreKnown(t *testing.T) {
	good := map[string]string{
		"BilledCost": "1", "EffectiveCost": "1", "ContractedCost": "1", "ListCost": "2", "ContractedUnitPrice": "0.5", "ListUnitPrice": "1", "PricingQuantity": "2", "PricingUnit": "Hours", "ConsumedQuantity": "2", "ConsumedUnit": "Hours",
		"BillingAccountId": "CTSE", "BillingAccountName": "C", "BillingAccountType": "A", "BillingCurrency": "EUR", "PricingCurrency": "USD", "PricingCurrencyContractedUnitPrice": "0.6", "PricingCurrencyListUnitPrice": "1.2",
		"PricingCurrencyEffectiveCost": "1.2", "BillingPeriodStart": "2026-01-01T00:00:00Z", "BillingPeriodEnd": "2026-02-01T00:00:00Z", "ChargePeriodStart": "2026-01-03T00:00:00Z", "ChargePeriodEnd": "2026-01-04T00:00:00Z",
		"ChargeCategory": "Usage", "ChargeClass": "", "ChargeDescription": "D", "ChargeFrequency": "Usage-Based", "PricingCategory": "Standard", "InvoiceIssuerName": "P", "ProviderName": "Microsoft", "PublisherName": "Microsoft",
		"ServiceName": "Storage", "ServiceCategory": "Storage", "ServiceSubcategory": "Storage Platforms", "SkuId": "S", "SkuPriceId": "S/1", "SubAccountId": "", "SubAccountName": "", "Tags": "",
	}
	if p := focusProblems(good, map[string]string{}, map[string]string{}); len(p) > 0 {
		t.Fatalf("%q", p)
	}
	for name, bad := range map[string]string{
		"BilledCost": "1e3", "ContractedCost": "1.1", "SkuId": "", "ConsumedUnit": "", "ChargeCategory": "Tax", "ChargeClass": "Refund", "ServiceSubcategory": "Caching", "SubAccountName": "x", "ListUnitPrice": "-1",
		"BillingCurrency": "euro", "ChargePeriodEnd": "2026-01-03", "ProviderName": " ", "Tags": "[]", "PublisherName": "",
	} {
		r := map[string]string{}
		for k, v := range good {
			r[k] = v
		}
		r[name] = bad
		if len(focusProblems(r, map[string]string{}, map[string]string{})) == 0 {
			t.Errorf("%s may be %q", name, bad)
		}
	}
}

func TestFocusIsForThoseWhoMaySeeTheAccount(t *testing.T) {
	b := newBooks(t, storetest.SQLite(t), "2026-11-02")
	org := b.account("C0001")
	for _, x := range []struct {
		who  account.Actor
		m    usage.Month
		f    billing.Format
		want fault.Kind
	}{
		{account.Actor{User: "2", Role: account.RoleMember, Org: org}, "2026-10", billing.CSV, ""},
		{account.Actor{User: "3", Role: account.RoleMember, Org: "other"}, "2026-10", billing.CSV, fault.NotFound},
		{finance, "2026-13", billing.CSV, fault.Invalid},
		{finance, "2026-10", "xlsx", fault.Invalid},
	} {
		var w bytes.Buffer
		if err := b.Focus(t.Context(), x.who, "C0001", x.m, x.f, &w); fault.KindOf(err) != x.want || x.want != "" && w.Len() > 0 {
			t.Errorf("%+v: %v, %d bytes", x, err, w.Len())
		}
	}
	if err := b.Focus(t.Context(), finance, "C0009", "2026-10", billing.CSV, &bytes.Buffer{}); !errors.Is(err, fault.NotFound) {
		t.Errorf("no account: %v", err)
	}
}
