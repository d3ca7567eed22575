package sim_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"causeway/internal/sim"
)

const billing = "/v1.0/reports/partners/billing"

// october is the month that most tests bill, seen from its 8th of November.
var october = time.Date(2026, 11, 8, 10, 0, 0, 0, time.UTC)

// at makes the simulator's present a given moment.
func at(now time.Time) sim.Option {
	began := time.Now()
	return func(c *sim.Config) { c.Now = func() time.Time { return now.Add(time.Since(began)) } }
}

// bill is a partner's view of a simulator with usage.
type bill struct {
	*partner
	graph string
}

func newBill(t *testing.T, options ...sim.Option) *bill {
	t.Helper()
	s := sim.Start(t, append([]sim.Option{at(october), sim.WithSettings(func(set *sim.Settings) { set.BlobRecords = 400 })}, options...)...)
	b := &bill{partner: newPartner(t, s)}
	b.graph = b.graphToken("", false)
	return b
}

func (b *bill) control(method, path, body string) answer {
	b.t.Helper()
	return b.do(method, b.s.PlainURL+"/_sim/billing"+path, body)
}

// file is one export: its manifest and all its lines, in order.
type file struct {
	operation answer
	manifest  map[string]any
	blobs     [][]byte
	lines     []map[string]any
}

// export asks, polls and reads.
func (b *bill) export(path string, body any) file {
	b.t.Helper()
	started := b.as(b.graph, "POST", billing+path, body).want(b.t, 202)
	f := file{operation: b.as(b.graph, "GET", started.header.Get("Location"), nil).want(b.t, 200)}
	f.manifest, _ = f.operation.body["resourceLocation"].(map[string]any)
	if f.manifest == nil {
		return f
	}
	for _, x := range f.manifest["blobs"].([]any) {
		resp, raw := b.blob("GET", b.address(f, x.(map[string]any)["name"].(string)))
		if resp.StatusCode != 200 {
			b.t.Fatalf("blob: %d %s", resp.StatusCode, raw)
		}
		f.blobs = append(f.blobs, raw)
		f.lines = append(f.lines, records(b.t, raw)...)
	}
	return f
}

func (b *bill) address(f file, name string) string {
	return fmt.Sprint(f.manifest["rootDirectory"], "/", name, "?", f.manifest["sasToken"])
}

// blob fetches as Azure Storage is fetched: no token.
func (b *bill) blob(method, to string, headers ...string) (*http.Response, []byte) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, to, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		raw = nil
	}
	return resp, raw
}

// records reads gzip JSON lines, numbers as they are written.
func records(t *testing.T, raw []byte) []map[string]any {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		var x map[string]any
		if err := d.Decode(&x); err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		out = append(out, x)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func text(x map[string]any, name string) string { return fmt.Sprint(x[name]) }

func num(t *testing.T, x map[string]any, name string) decimal.Decimal {
	t.Helper()
	d, err := decimal.NewFromString(text(x, name))
	if err != nil {
		t.Fatalf("%s: %v in %v", name, err, x)
	}
	return d
}

func total(t *testing.T, list []map[string]any, name string) decimal.Decimal {
	t.Helper()
	out := decimal.Zero
	for _, x := range list {
		out = out.Add(num(t, x, name))
	}
	return out
}

// generate makes a month with every feature, dense enough that a thousand records
// show them all.
func (b *bill) generate(month string, more string) answer {
	b.t.Helper()
	return b.control("POST", "/generate", `{"month":"`+month+`","customers":12,"subscriptions":2,"records":9000,"density":4`+more+`}`).want(b.t, 200)
}

func (b *bill) close(month string) []map[string]any {
	b.t.Helper()
	a := b.control("POST", "/close", `{"month":"`+month+`"}`).want(b.t, 200)
	var out []map[string]any
	if err := json.Unmarshal([]byte(a.raw), &out); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// reconciler works the sealed list out of the exports alone, by the definitions in
// its comments; it knows which customers exist, and nothing of the simulator.
type reconciler struct {
	usage, lines, before []map[string]any
	from                 string // first day of the period
	customers            map[string]bool
}

func (r *reconciler) bridges(t *testing.T) map[string]decimal.Decimal {
	t.Helper()
	out := map[string]decimal.Decimal{}
	add := func(bridge, class string, d decimal.Decimal) { out[bridge+"/"+class] = out[bridge+"/"+class].Add(d) }
	key := func(x map[string]any) string {
		return strings.Join([]string{text(x, "CustomerId"), text(x, "EntitlementId"), text(x, "MeterId"), text(x, "ResourceURI"), text(x, "UsageDate")}, "|")
	}
	rates := map[string]decimal.Decimal{}
	negative, lastDay, lastOwner, owners := map[string]bool{}, map[string]string{}, map[string]string{}, map[string]map[string]bool{}
	for _, x := range r.usage {
		if text(x, "UsageDate") >= r.from {
			rates[text(x, "PricingCurrency")] = num(t, x, "PCToBCExchangeRate")
		}
		if num(t, x, "Quantity").IsNegative() && text(x, "ChargeType") != "customerCredit" {
			negative[key(x)] = true
		}
		if e := text(x, "EntitlementId"); e != "" {
			if owners[e] == nil {
				owners[e] = map[string]bool{}
			}
			owners[e][text(x, "CustomerId")] = true
			if text(x, "UsageDate") >= lastDay[e] {
				lastDay[e], lastOwner[e] = text(x, "UsageDate"), text(x, "CustomerId")
			}
		}
	}
	for _, x := range r.lines {
		subtotal := num(t, x, "Subtotal")
		add("invoice", "tax", num(t, x, "TaxTotal"))
		switch {
		case text(x, "MeterDescription") != "":
			rates[text(x, "PricingCurrency")] = num(t, x, "PCToBCExchangeRate")
			add("invoice", "rounding", subtotal)
		case text(x, "ReservationOrderId") != "":
			add("invoice", "reservation", subtotal)
		case text(x, "ChargeType") == "customerCredit":
			add("invoice", "credit", subtotal)
		case text(x, "PublisherName") != "Microsoft":
			add("invoice", "marketplace", subtotal)
		default:
			t.Errorf("a line of no class: %v", x)
		}
	}
	type sums struct{ amount, quantity decimal.Decimal }
	now, then := map[string]sums{}, map[string]sums{}
	for _, x := range r.usage {
		a, e := num(t, x, "BillingPreTaxTotal"), text(x, "EntitlementId")
		rate := num(t, x, "PCToBCExchangeRate")
		late := text(x, "UsageDate") < r.from
		add("invoice", "rounding", a.Neg())
		if late {
			d := num(t, x, "PricingPreTaxTotal").Mul(rates[text(x, "PricingCurrency")].Sub(rate))
			add("invoice", "currency", d)
			add("invoice", "rounding", d.Neg())
		}
		switch {
		case !r.customers[text(x, "CustomerId")]:
			add("usage", "unmapped", a)
		case len(owners[e]) > 1 && text(x, "CustomerId") != lastOwner[e]:
			add("usage", "transfer", a)
		case text(x, "ChargeType") == "customerCredit":
			add("usage", "credit", a)
		case late && negative[key(x)]:
			add("usage", "restatement", a)
		case late:
			add("usage", "late usage", a)
		default:
			add("usage", "ordinary", a)
		}
		d := a.Sub(num(t, x, "UnitPrice").Mul(num(t, x, "Quantity")).Mul(rate))
		switch text(x, "CreditType") {
		case "Partner Earned Credit Applied":
			add("list", "earned credit", d)
		case "Azure Credit Applied":
			add("list", "credit", d)
		default:
			add("list", "rounding", d)
		}
		s := now[key(x)]
		now[key(x)] = sums{s.amount.Add(a), s.quantity.Add(num(t, x, "Quantity"))}
	}
	for _, x := range r.before {
		s := then[key(x)]
		then[key(x)] = sums{s.amount.Add(num(t, x, "BillingPreTaxTotal")), s.quantity.Add(num(t, x, "Quantity"))}
	}
	for k, s := range now {
		was, seen := then[k]
		switch {
		case !seen:
			add("estimate", "late usage", s.amount)
		case !was.quantity.Equal(s.quantity):
			add("estimate", "restatement", s.amount.Sub(was.amount))
		default:
			add("estimate", "earned credit", s.amount.Sub(was.amount))
		}
	}
	for k := range then {
		if _, there := now[k]; !there {
			t.Errorf("the estimate had %s, which was not billed", k)
		}
	}
	return out
}

// customers are the partner's, by Partner Center.
func (b *bill) customers(list []map[string]any) map[string]bool {
	b.t.Helper()
	out := map[string]bool{}
	for _, x := range list {
		id := text(x, "CustomerId")
		if _, asked := out[id]; !asked {
			out[id] = b.as(b.app, "GET", "/v1/customers/"+id, nil).status == 200
		}
	}
	return out
}

// The sealed list says what an independent reading of the exports says, to the last
// digit, for a month with everything in it and the one after it.
func TestTheSealedListIsWhatTheExportsSay(t *testing.T) {
	for _, tc := range []struct{ says, options string }{
		{"billed in US dollars", ``},
		{"billed in euros and yen, prices in several currencies", `,"currencies":["EUR","JPY"]`},
	} {
		t.Run(tc.says, func(t *testing.T) {
			b := newBill(t)
			b.generate("2026-10", tc.options) // the first one made is the month of the transfers
			b.generate("2026-09", tc.options)
			b.close("2026-09")
			b.control("POST", "/plant", `{"month":"2026-09","late":4,"restated":3}`).want(t, 200)
			before := map[string][]map[string]any{}
			for _, c := range []string{"USD", "EUR", "JPY"} {
				if tc.options == "" == (c == "USD") {
					before[c] = b.export("/usage/unbilled/export", map[string]string{"currencyCode": c, "billingPeriod": "last"}).lines
				}
			}
			invoices := b.close("2026-10")
			if len(invoices) != len(before) {
				t.Fatalf("invoices = %v", invoices)
			}
			seen := map[string]bool{}
			for _, inv := range invoices {
				number, currency := text(inv, "number"), text(inv, "currency")
				usage := b.export("/usage/billed/export", map[string]string{"invoiceId": number}).lines
				lines := b.export("/reconciliation/billed/export", map[string]string{"invoiceId": number}).lines
				got := (&reconciler{usage, lines, before[currency], "2026-10-01", b.customers(usage)}).bridges(t)

				charged := total(t, lines, "Subtotal").Add(total(t, lines, "TaxTotal"))
				api := b.as(b.user, "GET", "/v1/invoices/"+number, nil).want(t, 200)
				if want := decimal.RequireFromString(text(inv, "total")); !charged.Equal(want) || !decimal.RequireFromString(fmt.Sprint(api.body["totalCharges"])).Equal(want) {
					t.Errorf("%s: lines %s, invoice %s, API %v", currency, charged, want, api.body["totalCharges"])
				}
				raw := b.control("GET", "/sealed?invoice="+number, "").want(t, 200).raw
				var sealed sim.Sealed
				if err := json.Unmarshal([]byte(raw), &sealed); err != nil {
					t.Fatal(err)
				}
				bridges := map[sim.Bridge]decimal.Decimal{}
				for _, e := range sealed.Entries {
					want := decimal.RequireFromString(e.Amount)
					k := string(e.Bridge) + "/" + string(e.Class)
					if !got[k].Equal(want) {
						t.Errorf("%s %s: the exports say %s, sealed is %s", currency, k, got[k], want)
					}
					bridges[e.Bridge] = bridges[e.Bridge].Add(want)
					seen[k] = seen[k] || !want.IsZero()
				}
				usageTotal := total(t, usage, "BillingPreTaxTotal")
				for bridge, want := range map[sim.Bridge]decimal.Decimal{
					sim.BridgeInvoice: charged.Sub(usageTotal), sim.BridgeUsage: usageTotal,
					sim.BridgeList:     usageTotal.Sub(decimal.RequireFromString(sealed.List)),
					sim.BridgeEstimate: usageTotal.Sub(total(t, before[currency], "BillingPreTaxTotal")),
				} {
					if !bridges[bridge].Equal(want) {
						t.Errorf("%s: the classes of %s come to %s, the difference is %s", currency, bridge, bridges[bridge], want)
					}
				}
				if sealed.Usage != usageTotal.String() || int(sealed.Records) != len(usage) || int(sealed.Lines) != len(lines) {
					t.Errorf("sealed says %s, %d records, %d lines; there are %s, %d, %d", sealed.Usage, sealed.Records, sealed.Lines, usageTotal, len(usage), len(lines))
				}
			}
			for k, there := range seen {
				if !there && (k != "invoice/currency" || tc.options != "") {
					t.Errorf("nothing was planted of %s", k)
				}
			}
		})
	}
}

// firstLine is a blob's first line as it stands.
func firstLine(t *testing.T, blob []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReaderSize(z, 1<<16).ReadSlice('\n')
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(line, []byte("\n"))
}
