package sim_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"causeway/internal/sim"
)

// Every line of the invoice follows from its daily records by Microsoft's own
// arithmetic, and none is without them but purchases.
func TestInvoiceLinesAreRoundedAsDocumented(t *testing.T) {
	b := newBill(t)
	b.generate("2026-10", `,"currencies":["EUR"]`)
	b.close("2026-10")
	usage := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"}).lines
	lines := b.export("/reconciliation/billed/export", map[string]string{"invoiceId": "G000024135"}).lines
	key := func(x map[string]any) string {
		return strings.Join([]string{text(x, "SubscriptionId"), text(x, "ProductId"), text(x, "SkuId"), text(x, "ChargeType"), text(x, "UnitPrice"), text(x, "EffectiveUnitPrice")}, "|")
	}
	daily := map[string]decimal.Decimal{}
	for _, x := range usage {
		daily[key(x)] = daily[key(x)].Add(num(t, x, "Quantity"))
		effective := num(t, x, "UnitPrice").Mul(decimal.NewFromInt(100).Sub(num(t, x, "CreditPercentage"))).Shift(-2)
		pricing := effective.Mul(num(t, x, "Quantity")).Round(10)
		if !effective.Equal(num(t, x, "EffectiveUnitPrice")) || !pricing.Equal(num(t, x, "PricingPreTaxTotal")) ||
			!pricing.Mul(num(t, x, "PCToBCExchangeRate")).Round(10).Equal(num(t, x, "BillingPreTaxTotal")) {
			t.Fatalf("the record does not add up: %v", x)
		}
	}
	purchases, down := 0, 0
	for _, x := range lines {
		quantity, effective, rate, subtotal := num(t, x, "BillableQuantity"), num(t, x, "EffectiveUnitPrice"), num(t, x, "PCToBCExchangeRate"), num(t, x, "Subtotal")
		want := effective.Mul(rate).Truncate(2).Mul(quantity)
		if text(x, "MeterDescription") != "" {
			want = effective.Mul(quantity).Truncate(2).Mul(rate).Truncate(2)
			if !daily[key(x)].Equal(quantity) {
				t.Errorf("the line has %s, its records %s: %v", quantity, daily[key(x)], x)
			}
			delete(daily, key(x))
			if effective.Mul(quantity).Mul(rate).GreaterThan(subtotal) {
				down++
			}
		} else {
			purchases++
		}
		if !subtotal.Equal(want) || !num(t, x, "TaxTotal").Equal(subtotal.Mul(decimal.RequireFromString("0.0825")).Truncate(2)) ||
			!num(t, x, "TotalForCustomer").Equal(subtotal.Add(num(t, x, "TaxTotal"))) {
			t.Errorf("subtotal %s, documented %s: %v", subtotal, want, x)
		}
	}
	if len(daily) > 0 || purchases == 0 || down == 0 {
		t.Errorf("%d groups of records without a line; %d purchases, %d lines rounded down", len(daily), purchases, down)
	}
}

// The generator has Azure's habits, each to be seen in the files.
func TestUsageBehavesLikeAzures(t *testing.T) {
	b := newBill(t)
	b.generate("2026-10", `,"currencies":["GBP"],"customers":40,"subscriptions":1`)
	b.s.Clock.Advance(time.Date(2026, 10, 20, 10, 0, 0, 0, time.UTC).Sub(b.s.Clock.Now()))
	unbilled := func(period string) []map[string]any {
		b.graph = b.graphToken("", false)
		return b.export("/usage/unbilled/export", map[string]string{"currencyCode": "GBP", "billingPeriod": period}).lines
	}
	early := unbilled("current")
	b.s.Clock.Advance(time.Date(2026, 11, 8, 10, 0, 0, 0, time.UTC).Sub(b.s.Clock.Now()))
	late := unbilled("last")
	b.close("2026-10")
	billed := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"}).lines

	key := func(x map[string]any) string {
		return strings.Join([]string{text(x, "EntitlementId"), text(x, "MeterId"), text(x, "ResourceURI"), text(x, "UsageDate")}, "|")
	}
	values := func(list []map[string]any) map[string]string {
		out := map[string]string{}
		for _, x := range list {
			out[key(x)] += text(x, "Quantity") + ","
		}
		return out
	}
	seen := map[string]bool{}
	first, second, final := values(early), values(late), values(billed)
	for k, q := range second {
		switch was, there := first[k]; {
		case there && was != q:
			seen["a value that was corrected before the invoice"] = true
		case !there && k[strings.LastIndexByte(k, '|')+1:] < "2026-10-18":
			seen["a record that arrived days later"] = true
		}
		if final[k] != q {
			seen["a value that was corrected with the invoice"] = true
		}
	}
	for k := range final {
		if _, there := second[k]; !there {
			seen["a record that arrived with the invoice"] = true
		}
	}
	rows, prices := map[string]int{}, map[string]map[string]bool{}
	credits := map[string]map[string]string{} // plan and meter → first and last day's credit
	currencies, categories, regions, publishers := map[string]string{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, x := range billed {
		rows[fmt.Sprint(x)]++
		meter := text(x, "SubscriptionId") + text(x, "MeterId")
		if prices[meter] == nil {
			prices[meter], credits[meter] = map[string]bool{}, map[string]string{}
		}
		if text(x, "UnitPrice") != "0" {
			prices[meter][text(x, "UnitPrice")] = true
		}
		credits[meter][text(x, "PartnerEarnedCreditPercentage")] = text(x, "UsageDate")
		categories[text(x, "MeterCategory")], regions[text(x, "MeterRegion")], publishers[text(x, "PublisherName")] = true, true, true
		if rate, known := currencies[text(x, "PricingCurrency")]; known && rate != text(x, "PCToBCExchangeRate") {
			t.Errorf("two rates of %v in a month: %s and %v", x["PricingCurrency"], rate, x["PCToBCExchangeRate"])
		}
		currencies[text(x, "PricingCurrency")] = text(x, "PCToBCExchangeRate")
		negative := num(t, x, "BillingPreTaxTotal").IsNegative()
		for what, is := range map[string]bool{
			"a refund":                          negative && text(x, "ChargeType") == "customerCredit",
			"Azure credit":                      text(x, "CreditType") == "Azure Credit Applied" && text(x, "CreditPercentage") == "100" && text(x, "BillingPreTaxTotal") == "0",
			"earned credit":                     text(x, "CreditType") == "Partner Earned Credit Applied" && text(x, "CreditPercentage") == "15",
			"use that a savings plan covers":    text(x, "BenefitType") == "SavingsPlan" && text(x, "BillingPreTaxTotal") == "0" && text(x, "Quantity") != "0",
			"use that a reservation covers":     text(x, "BenefitType") == "" && text(x, "BenefitOrderId") != "",
			"a row of the plan":                 text(x, "EntitlementId") == "" && text(x, "CustomerId") != "",
			"tags":                              strings.HasPrefix(text(x, "Tags"), `{"env":`),
			"a resource of its subscription":    strings.HasPrefix(text(x, "ResourceURI"), "/subscriptions/"+text(x, "EntitlementId")+"/resourceGroups/"),
			"ten decimals":                      len(text(x, "PricingPreTaxTotal")) > 11 && strings.IndexByte(text(x, "PricingPreTaxTotal"), '.') == len(text(x, "PricingPreTaxTotal"))-11,
			"no credit of other publishers use": text(x, "PublisherName") != "Microsoft" && text(x, "PartnerEarnedCreditPercentage") == "0",
		} {
			seen[what] = seen[what] || is
		}
		if text(x, "PublisherName") != "Microsoft" && text(x, "PartnerEarnedCreditPercentage") != "0" {
			t.Errorf("other publishers' services earn nothing: %v", x)
		}
	}
	for _, n := range rows {
		seen["two identical rows"] = seen["two identical rows"] || n > 1
	}
	for meter, p := range prices {
		seen["several prices of a meter"] = seen["several prices of a meter"] || len(p) > 1
		if won, lost := credits[meter]["15"], credits[meter]["0"]; won != "" && lost != "" {
			seen["credit won in mid month"] = seen["credit won in mid month"] || won > lost
			seen["credit lost in mid month"] = seen["credit lost in mid month"] || lost > won
		}
	}
	seen["several pricing currencies"] = len(currencies) == 3
	seen["many kinds of services"] = len(categories) > 15 && len(regions) > 20 && len(publishers) == 2
	for _, what := range []string{"a value that was corrected before the invoice", "a record that arrived days later", "a value that was corrected with the invoice", "a record that arrived with the invoice",
		"a refund", "Azure credit", "earned credit", "use that a savings plan covers", "use that a reservation covers", "a row of the plan", "tags", "a resource of its subscription", "ten decimals",
		"two identical rows", "several prices of a meter", "credit won in mid month", "credit lost in mid month", "several pricing currencies", "many kinds of services", "no credit of other publishers use"} {
		if !seen[what] {
			t.Errorf("not to be seen: %s", what)
		}
	}
}

// Who was onboarded has usage from that day on, and none after the day of the end.
func TestOnboardedCustomersAreChargedFromTheirFirstDay(t *testing.T) {
	b := newBill(t)
	id := b.as(b.app, "POST", "/v1/customers", contoso("contoso.onmicrosoft.com")).want(t, 201).at("id")
	b.agree(id)
	b.buy(id)
	ask := func() file {
		b.graph = b.graphToken("", false)
		return b.export("/usage/unbilled/export", map[string]string{"currencyCode": "USD", "billingPeriod": "current"})
	}
	if f := ask(); f.operation.at("error.code") != "5000" {
		t.Errorf("on the first day: %s", f.operation.raw)
	}
	b.s.Advance(5 * 24 * time.Hour)
	days := map[string]bool{}
	for _, x := range ask().lines {
		days[text(x, "UsageDate")[:10]] = true
		if text(x, "CustomerId") != id || text(x, "CustomerName") != "Contoso" {
			t.Fatalf("record of %v", x["CustomerName"])
		}
	}
	var got []string
	for d := range days {
		got = append(got, d)
	}
	slices.Sort(got)
	if want := []string{"2026-11-08", "2026-11-09", "2026-11-10", "2026-11-11", "2026-11-12"}; !slices.Equal(got, want) {
		t.Errorf("days with usage: %v, want %v", got, want)
	}
	plan := b.as(b.fresh(), "GET", "/v1/customers/"+id+"/subscriptions", nil).want(t, 200).at("items.0.id")
	azure := b.as(b.user, "GET", "/v1/customers/"+id+"/subscriptions/"+plan+"/azureEntitlements", nil).want(t, 200).at("items.0.id")
	b.as(b.user, "POST", "/v1/customers/"+id+"/subscriptions/"+plan+"/azureEntitlements/"+azure+"/cancel", map[string]string{"cancellationReason": "compromise"}).want(t, 200)
	b.s.Advance(5 * 24 * time.Hour)
	last := ""
	for _, x := range ask().lines {
		last = max(last, text(x, "UsageDate")[:10])
	}
	if last != "2026-11-13" {
		t.Errorf("cancelled on the 13th, last usage on %s", last)
	}
}

// fresh renews the tokens after the clock has jumped.
func (b *bill) fresh() string {
	b.t.Helper()
	n := newPartner(b.t, b.s)
	b.app, b.user = n.app, n.user
	return b.user
}

// The same seed gives the same bytes, whoever makes them; another seed others.
func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	var first [][]byte
	for _, seed := range []string{"7", "7", "8"} {
		b := newBill(t)
		b.generate("2026-10", `,"seed":`+seed)
		b.close("2026-10")
		f := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"})
		same := bytes.Equal(bytes.Join(first, nil), bytes.Join(f.blobs, nil))
		switch {
		case first == nil:
			first = f.blobs
		case same != (seed == "7"):
			t.Errorf("seed %s: the same bytes: %v", seed, same)
		}
	}
	dir := t.TempDir()
	got, err := sim.GenerateUsage(t.Context(), dir, sim.UsageOptions{BillOptions: sim.BillOptions{Month: "2026-10", Seed: 7, Records: 9000, Customers: 12, Subscriptions: 2, Density: 4}, Blobs: 9000 / 400, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got.Records != 9000 || !bytes.Equal(lines(t, files(t, got.Blobs)), lines(t, first)) {
		t.Errorf("as files: %d records, others than over the wire", got.Records)
	}
}
