package sim_test

import (
	"bytes"
	"compress/zlib"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"causeway/internal/sim"
)

func TestInvoicesAreListedReadAndSummed(t *testing.T) {
	b := newBill(t)
	for _, m := range []string{"2026-08", "2026-09", "2026-10"} {
		b.control("POST", "/generate", `{"month":"`+m+`","customers":3,"resources":3,"currencies":["EUR"]}`).want(t, 200)
	}
	sum := decimal.Zero
	for _, m := range []string{"2026-08", "2026-09", "2026-10"} {
		sum = sum.Add(decimal.RequireFromString(text(b.close(m)[0], "total")))
	}
	page := b.as(b.app, "GET", "/v1/invoices?size=2&offset=0", nil).want(t, 200)
	if page.body["totalCount"] != 2.0 || page.at("items.0.id") != "G000024137" || page.at("items.0.pdfDownloadLink") != "" || page.at("items.0.billingPeriodStartDate") != "2026-10-01T00:00:00.0000000Z" {
		t.Errorf("page: %s", page.raw)
	}
	if next := b.as(b.app, "GET", "/v1"+page.at("links.next.uri"), nil).want(t, 200); next.at("items.0.id") != "G000024135" || next.at("items.1.id") != "" || next.at("links.next") != "" {
		t.Errorf("next page: %s", next.raw)
	}
	for _, id := range []string{"G000024136", "OneTime-G000024136", "onetime-g000024136"} {
		if got := b.as(b.user, "GET", "/v1/invoices/"+id, nil).want(t, 200); got.at("id") != "G000024136" || got.at("currencySymbol") != "€" || got.at("invoiceDate") != "2026-10-08T00:00:00.0000000Z" {
			t.Errorf("%s: %s", id, got.raw)
		}
	}
	b.as(b.user, "GET", "/v1/invoices/G999999999", nil).want(t, 404, 3000.0)
	b.as(b.app, "GET", "/v1/invoices/G000024135", nil).want(t, 403, 900329.0)
	if got := b.as(b.user, "GET", "/v1/invoices/summaries", nil).want(t, 200); !bytes.Contains([]byte(got.raw), []byte(`"balanceAmount":`+sum.String())) || got.at("items.0.currencyCode") != "EUR" {
		t.Errorf("summaries: %s, want %s", got.raw, sum)
	}
	if got := b.as(b.app, "GET", "/v1/invoices/summary", nil).want(t, 200); got.at("currencyCode") != "USD" || got.at("balanceAmount") != "0" {
		t.Errorf("summary: %s", got.raw)
	}
	inv := b.as(b.user, "GET", "/v1/invoices/G000024135", nil).want(t, 200)
	for _, link := range []string{inv.at("pdfDownloadLink"), inv.at("taxReceipts.0.taxReceiptPdfDownloadLink")} {
		if got := b.as(b.user, "GET", "/v1"+link, nil).want(t, 200); got.header.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(got.raw, "%PDF-") || !strings.HasSuffix(got.raw, "%%EOF\n") {
			t.Errorf("%s: %v %.40q", link, got.header, got.raw)
		}
	}
	b.as(b.user, "GET", "/v1/invoices/G000024135/receipts/1/documents/statement", nil).want(t, 404)
}

// The older API's pages hold what Graph's export holds.
func TestLineItemsArePagedLikeTheExport(t *testing.T) {
	b := newBill(t)
	b.generate("2026-10", "")
	b.close("2026-10")
	for _, tc := range []struct {
		kind, export, amount string
		size                 int
	}{{"billinglineitems", "/reconciliation/billed/export", "subtotal", 50}, {"usagelineitems", "/usage/billed/export", "billingPreTaxTotal", 2000}} {
		want := b.export(tc.export, map[string]string{"invoiceId": "G000024135"}).lines
		var got []map[string]any
		uri, token, pages := fmt.Sprintf("/invoices/G000024135/lineitems?provider=onetime&invoicelineitemtype=%s&size=%d", tc.kind, tc.size), "", 0
		for uri != "" {
			a := b.as(b.app, "GET", "/v1"+uri, nil, "MS-ContinuationToken", token).want(t, 200)
			var page struct {
				Items             []map[string]any
				ContinuationToken string
				Links             struct {
					Next struct {
						URI     string
						Headers []struct{ Key, Value string }
					}
				}
			}
			d := json.NewDecoder(strings.NewReader(a.raw))
			d.UseNumber()
			if err := d.Decode(&page); err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Items...)
			uri = page.Links.Next.URI
			if uri != "" {
				token = page.Links.Next.Headers[0].Value
			}
			pages++
		}
		if len(got) != len(want) || pages != (len(want)+tc.size-1)/tc.size {
			t.Errorf("%s: %d items in %d pages, the export has %d", tc.kind, len(got), pages, len(want))
		}
		upper := strings.ToUpper(tc.amount[:1]) + tc.amount[1:]
		if !total(t, got, tc.amount).Equal(total(t, want, upper)) {
			t.Errorf("%s: %s, the export has %s", tc.kind, total(t, got, tc.amount), total(t, want, upper))
		}
		if tc.kind == "usagelineitems" && (got[0]["unitOfMeasure"] != want[0]["Unit"] || got[0]["rateOfCredit"] != want[0]["CreditPercentage"] || got[0]["resourceUri"] != want[0]["ResourceURI"]) {
			t.Errorf("item %v", got[0])
		}
	}
	b.as(b.app, "GET", "/v1/invoices/OneTime-G000024135/lineitems/OneTime/BillingLineItems", nil).want(t, 200)
	earned := b.as(b.app, "GET", "/v1/invoices/G000024135/lineitems?provider=onetime&invoicelineitemtype=billinglineitems&hasPartnerEarnedCredit=true", nil).want(t, 200)
	if earned.at("items.0.priceAdjustmentDescription") != `["15.0% Partner earned credit for services managed"]` {
		t.Errorf("earned: %.400s", earned.raw)
	}
	for _, bad := range []string{"provider=office&invoicelineitemtype=billinglineitems", "provider=onetime&invoicelineitemtype=none", "provider=onetime&invoicelineitemtype=billinglineitems&size=x"} {
		b.as(b.app, "GET", "/v1/invoices/G000024135/lineitems?"+bad, nil).want(t, 400, 3000.0)
	}
	b.as(b.app, "GET", "/v1/invoices/unbilled/lineitems?provider=onetime&invoicelineitemtype=usagelineitems&currencycode=usd&period=soon", nil).want(t, 400, 3000.0)
}

// The quick estimates of customer, plan, meter and resource come to the same sum, which
// is that of the unbilled records.
func TestUsageRecordsComeToTheUnbilledUsage(t *testing.T) {
	b := newBill(t)
	b.control("POST", "/generate", `{"month":"2026-11","customers":3,"resources":6,"subscriptions":2,"currency":"EUR","features":["earned","tiers"]}`).want(t, 200)
	f := b.export("/usage/unbilled/export", map[string]string{"currencyCode": "EUR", "billingPeriod": "current"}).lines
	id, plan := text(f[0], "CustomerId"), text(f[0], "SubscriptionId")
	want := decimal.Zero
	for _, x := range f {
		if text(x, "CustomerId") == id {
			want = want.Add(num(t, x, "BillingPreTaxTotal"))
		}
	}
	one := "/v1/customers/" + id
	b.as(b.app, "PATCH", one+"/usagebudget", map[string]any{"amount": 1}).want(t, 200)
	for _, path := range []string{"/usagesummary", "/subscriptions/usagerecords", "/subscriptions/" + plan + "/usagesummary", "/subscriptions/" + plan + "/meterusagerecords", "/subscriptions/" + plan + "/resourceusagerecords"} {
		if got := costs(t, b.as(b.user, "GET", one+path, nil).want(t, 200).raw); !got.Equal(want) {
			t.Errorf("%s: %s, the records have %s", path, got, want)
		}
	}
	whole := total(t, f, "BillingPreTaxTotal")
	for _, path := range []string{"/v1/usagesummary", "/v1/customers/usagerecords"} {
		if got := costs(t, b.as(b.user, "GET", path, nil).want(t, 200).raw); !got.Equal(whole) {
			t.Errorf("%s: %s, the records have %s", path, got, whole)
		}
	}
	if got := b.as(b.user, "GET", "/v1/usagesummary", nil); got.at("customersOverBudget") != "1" {
		t.Errorf("summary: %s", got.raw)
	}
	b.as(b.app, "GET", one+"/usagesummary", nil).want(t, 403, 900329.0)
	b.as(b.user, "GET", one+"/servicecosts/mostrecent", nil).want(t, 404, 3000.0)
	b.s.Clock.Advance(time.Date(2026, 12, 8, 10, 0, 0, 0, time.UTC).Sub(b.s.Clock.Now()))
	b.fresh()
	b.as(b.user, "GET", one+"/subscriptions/"+plan+"/usagesummary", nil).want(t, 200)
	b.close("2026-11")
	sum := b.as(b.user, "GET", one+"/servicecosts/mostrecent", nil).want(t, 200)
	b.graph = b.graphToken("", false)
	charged := decimal.Zero
	for _, x := range b.export("/reconciliation/billed/export", map[string]string{"invoiceId": "G000024135"}).lines {
		if text(x, "CustomerId") == id {
			charged = charged.Add(num(t, x, "Subtotal"))
		}
	}
	if !strings.Contains(sum.raw, `"pretaxTotal":`+charged.String()) {
		t.Errorf("costs %s, the lines come to %s", sum.raw, charged)
	}
}

// costs adds up totalCost of a summary or a list.
func costs(t *testing.T, raw string) decimal.Decimal {
	t.Helper()
	type cost struct {
		Total *json.Number `json:"totalCost"`
	}
	var x struct {
		cost
		Items []cost
	}
	if err := json.Unmarshal([]byte(raw), &x); err != nil {
		t.Fatal(err)
	}
	out := decimal.Zero
	for _, c := range append(x.Items, x.cost) {
		if c.Total != nil {
			out = out.Add(decimal.RequireFromString(c.Total.String()))
		}
	}
	return out
}

// Price sheets and rates are those that usage was charged at.
func TestPriceSheetsAgreeWithUsage(t *testing.T) {
	b := newBill(t)
	b.generate("2026-10", `,"currencies":["CHF"]`)
	b.close("2026-10")
	token := b.token("", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.s.SignIn(sim.DefaultUser, true)}, "resource": {"https://api.partner.microsoft.com"}})
	const sheet = "/v1.0/sales/pricesheets(Market='us',PricesheetView='azure_consumption')/$value"
	a := b.as(token, "GET", sheet+"?timeline=current", nil).want(t, 200)
	if a.header.Get("Content-Type") != "application/octet-stream" || a.header.Get("Content-Disposition") != "attachment; filename=sheets.csv" {
		t.Errorf("headers: %v", a.header)
	}
	rows, err := csv.NewReader(strings.NewReader(a.raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	prices := map[string]bool{}
	for _, r := range rows[1:] {
		prices[r[15]+" "+r[10]] = true
	}
	rates := map[string]decimal.Decimal{}
	fx, err := csv.NewReader(strings.NewReader(b.as(token, "GET", "/v1.0/sales/fxrates(Month='202610')/$value", nil).want(t, 200).raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range fx[1:] {
		rates[r[0]] = decimal.RequireFromString(r[1])
	}
	for _, x := range b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"}).lines {
		if text(x, "UnitPrice") != "0" && !prices[text(x, "MeterId")+" "+text(x, "UnitPrice")] {
			t.Fatalf("no sheet has the price %v of %v", x["UnitPrice"], x["MeterName"])
		}
		if want := rates[text(x, "PricingCurrency")].Div(rates["CHF"]).Truncate(8); !num(t, x, "PCToBCExchangeRate").Equal(want) {
			t.Fatalf("rate %v, by the sheet %s", x["PCToBCExchangeRate"], want)
		}
	}
	b.as(b.app, "GET", sheet, nil).want(t, 400)
	b.as(token, "GET", sheet+"?timeline=history", nil).want(t, 400)
	b.as(token, "GET", sheet+"?timeline=history&month=202601", nil).want(t, 200)
	b.as(token, "GET", "/v1.0/sales/pricesheets(Market='us',PricesheetView='all')/$value", nil).want(t, 400)
	packed := b.as(token, "GET", sheet, nil, "Accept-Encoding", "deflate").want(t, 200)
	z, err := zlib.NewReader(strings.NewReader(packed.raw))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || string(plain) != a.raw {
		t.Errorf("deflated sheet: %v, %d bytes", err, len(plain))
	}
}

func TestFraudEventsAreRaisedAndResolved(t *testing.T) {
	b := newBill(t)
	b.control("POST", "/generate", `{"month":"2026-11","customers":1}`).want(t, 200)
	f := b.export("/usage/unbilled/export", map[string]string{"currencyCode": "USD", "billingPeriod": "current"}).lines
	var sub string
	for _, x := range f {
		sub = max(sub, text(x, "EntitlementId"))
		if text(x, "CustomerName") == "Synthetic company 000000" && text(x, "EntitlementId") != "" {
			sub = text(x, "EntitlementId")
			break
		}
	}
	id := b.control("POST", "/fraud", `{"subscription":"`+sub+`","eventType":"NetworkConnectionsToCryptoMiningPools"}`).want(t, 201).at("eventId")
	b.control("POST", "/fraud", `{"subscription":"nobody's"}`).want(t, 400)
	list := func(query string, headers ...string) []map[string]any {
		var out []map[string]any
		if err := json.Unmarshal([]byte(b.as(b.user, "GET", "/v1/fraudEvents"+query, nil, headers...).want(t, 200).raw), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := list("?EventStatus=Active&SubscriptionId=" + strings.ToUpper(sub)); len(got) != 1 || text(got[0], "eventId") != id || text(got[0], "hitCount") != "1" || got[0]["eventType"] != nil {
		t.Errorf("events: %v", got)
	}
	if got := list("?EventType=NetworkConnectionsToCryptoMiningPools&PageSize=5&PageNumber=1", "X-NewEventsModel", "true"); len(got) != 1 || text(got[0], "eventType") != "NetworkConnectionsToCryptoMiningPools" {
		t.Errorf("newer model: %v", got)
	}
	set := "/v1/fraudEvents/subscription/" + sub + "/status"
	b.as(b.user, "POST", set, map[string]any{"EventIds": []string{id}, "EventStatus": "Resolved", "ResolvedReason": "Boredom"}).want(t, 400)
	b.as(b.user, "POST", set, map[string]any{"EventIds": []string{id}, "EventStatus": "Resolved", "ResolvedReason": "Fraud"}).want(t, 200)
	if got := list("?EventStatus=Resolved"); len(got) != 1 || text(got[0], "resolvedBy") != sim.DefaultUser {
		t.Errorf("resolved: %v", got)
	}
	if got := list("?EventStatus=Active"); len(got) != 0 {
		t.Errorf("still active: %v", got)
	}
	b.as(b.app, "GET", "/v1/fraudEvents", nil).want(t, 403)
}

// A month is billed once, in order, and never changes afterwards.
func TestMonthsCloseInOrderAndOnce(t *testing.T) {
	b := newBill(t)
	got := make(chan map[string]any, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var x map[string]any
		if json.NewDecoder(r.Body).Decode(&x) == nil {
			got <- x
		}
	}))
	defer receiver.Close()
	b.as(b.app, "POST", "/webhooks/v1/registration", map[string]any{"WebhookUrl": receiver.URL, "WebhookEvents": []string{"invoice-ready"}}).want(t, 200)
	b.control("POST", "/close", `{"month":"2026-10"}`).want(t, 400) // nobody had a plan
	b.generate("2026-09", "")
	b.generate("2026-10", "")
	b.control("POST", "/close", `{"month":"2026-10"}`).want(t, 400)
	b.close("2026-09")
	before := b.control("GET", "/sealed?invoice=G000024135", "").want(t, 200).raw
	file := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"})
	b.control("POST", "/close", `{"month":"2026-09"}`).want(t, 400)
	b.control("POST", "/generate", `{"month":"2026-09","customers":1}`).want(t, 400)
	if n := b.control("POST", "/plant", `{"month":"2026-09","late":3,"restated":2}`).want(t, 200).at("planted"); n != "5" {
		t.Errorf("planted %s", n)
	}
	b.close("2026-10")
	b.control("POST", "/plant", `{"month":"2026-09","late":1}`).want(t, 400)
	if again := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"}); again.manifest["eTag"] != file.manifest["eTag"] || !bytes.Equal(bytes.Join(again.blobs, nil), bytes.Join(file.blobs, nil)) {
		t.Error("an invoice's usage changed after it was made")
	}
	if b.control("GET", "/sealed?invoice=G000024135", "").raw != before {
		t.Error("the sealed list changed")
	}
	b.control("GET", "/sealed?invoice=G1", "").want(t, 404)
	for _, bad := range []string{`{"month":"October"}`, `{"month":"2026-12","currency":"XXX"}`, `{"month":"2026-12","features":["luck"]}`, `{"month":"2026-12","density":99}`, `{"month":"2026-12","records":-1}`, `{`} {
		b.control("POST", "/generate", bad).want(t, 400)
	}
	if x := <-got; x["EventName"] != "invoice-ready" || x["ResourceUri"] != "https://api.partnercenter.microsoft.com/v1/invoices/G000024135" {
		t.Errorf("webhook: %v", x)
	}
	b.s.Reset()
	if raw := b.control("GET", "", "").want(t, 200).raw; raw != "[]" {
		t.Errorf("after a reset: %s", raw)
	}
}
