package web_test

import (
	"encoding/csv"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"causeway/internal/billing"
	"causeway/internal/demo"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// table reads a CSV.
func (a *answer) table() [][]string {
	a.t.Helper()
	a.is(200)
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil {
		a.t.Fatalf("%s: %v", a.what, err)
	}
	return rows
}

// column adds a column up.
func column(t *testing.T, rows [][]string, name string) decimal.Decimal {
	t.Helper()
	at := slices.Index(rows[0], name)
	sum := decimal.Decimal{}
	for _, r := range rows[1:] {
		if r[at] != "" {
			d, err := decimal.NewFromString(r[at])
			if err != nil {
				t.Fatal(err)
			}
			sum = sum.Add(d)
		}
	}
	return sum
}

func (w *world) month(account string, m usage.Month) billing.AccountMonth {
	w.t.Helper()
	list, err := w.app.Billing.Months().Of(w.t.Context(), account, m, m)
	w.must(err)
	return list[0]
}

func grouped(a money.Amount) string {
	s, _ := a.Round(money.HalfUp, 2)
	text, _, _ := strings.Cut(s.String(), " ")
	return text
}

// How much so far, where does it end, why this amount (N-57, N-58, N-61, N-73).
func TestDashboard(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Administrator)
	s.get("/usage").is(200).says("No usage yet", "about a day after the first hour of usage")
	w.bills()
	now := w.month("CTSO", "2026-11")
	a := s.get("/usage").is(200).says("November so far "+grouped(now.Sell), "usage to 22 Nov 2026, 24:00 UTC", "Month end, forecast", "in the last 12 months", "may differ from the invoice", "Last invoice, October", "000012",
		"Billed by month", "November 2026 by day", "Virtual Machines", "Rounding, once for each line", "3,696 usage records")
	a.hides("NaN", "%!")

	// Pro rata: of 22 days to 30 (N-58).
	end := money.Must("1", "USD").Times(now.Sell.Decimal().Mul(decimal.NewFromInt(30)).DivRound(decimal.NewFromInt(22), 20))
	s.get("/usage?method=pro-rata").is(200).says("Month end, forecast "+grouped(end), "average day of the month")

	// Each chart has the same numbers as a table; each table is a file.
	s.get("/usage?show=months").is(200).says("Month Invoiced Usage State", "October 2026", "Invoiced")
	s.get("/usage?show=days").is(200).says("Day (UTC) Amount Range", "30 Nov 2026", "forecast")
	if rows := s.get("/usage/months.csv?account=CTSO&months=24").table(); len(rows) != 25 || rows[24][0] != "2026-11" || rows[24][2] != now.Sell.Text() || rows[23][9] != "000012" {
		t.Errorf("months: %v", rows)
	}
	for _, by := range []string{"service", "provider", "region", "day"} {
		s.get("/usage?by=" + by).is(200)
		rows := s.get("/usage/breakdown.csv?account=CTSO&by=" + by).table()
		if got := column(t, rows, "amount"); !got.Equal(now.Sell.Decimal()) || len(rows) < 3 {
			t.Errorf("by %s: %s, want %s", by, got, now.Sell)
		}
	}
	s.get("/usage?month=2026-10&by=provider").is(200).says("October 2026 by day", "Contoso production", production, "from Microsoft's invoice")
	s.get("/usage?account=CTSE").is(200).says("No usage yet")
	s.get("/usage?month=2026-13").is(404)
	s.get("/usage?account=FBRK").is(404)
	w.signIn(demo.Member).get("/usage").is(403)
	w.signIn(demo.Member).get("/providers").is(200).hides(`href="/usage"`)
	w.signIn(demo.Finance).get("/usage?account=FBRK").is(200).says("FBRK", "November so far")
}

// Months, their lines, and what the lines are made of (N-64 to N-70).
func TestUsageHistory(t *testing.T) {
	w := newWorld(t)
	docs := w.bills()
	s := w.signIn(demo.Administrator)
	s.get("/usage/history").is(200).says("October 2026", "000012", "November 2025", "000001", "Estimate")
	at := "/usage/history/CTSO/2026-10"
	oct, sep := docs[0], docs[1]
	a := s.get(at).is(200).says("Invoice 000012", "Integrated Azure Services Usage", "Update to previous month", "Contoso production", "CTSO · "+production, "Contoso development", "Virtual Machines", "US East", "Rounding, once for the line", "Total "+grouped(oct.Total)+" USD")
	a.hides("Post-Bill")
	s.get(at+"?by=service").is(200).says("by service", "Bandwidth", grouped(oct.Net)+" USD")
	s.get(at+"?by=account").is(200).says("by provider", "Contoso development", develop)

	// The vendor's cycle: October was billed without its last day, which is on no invoice
	// yet; September's last day is on October's invoice, under another name.
	known := w.month("CTSO", "2026-10")
	paid, _, err := known.Paid()
	w.must(err)
	post, err := paid.Sub(oct.Lines[0].Amount)
	w.must(err)
	s.get(at+"?view=vendor").is(200).says("Post-Bill Update: Integrated Azure Services Usage", "on your next invoice as “Update to previous month” "+grouped(post), "Microsoft's month before tax "+grouped(paid)+" USD").hides("000011")
	s.get("/usage/history/CTSO/2026-09?view=vendor").is(200).says("Post-Bill Update", "on 000012 as “Update to previous month” "+grouped(oct.Lines[1].Amount))
	if sep.Lines[0].Month != "2026-09" || oct.Lines[1].Month != "2026-09" {
		t.Fatalf("%+v", oct.Lines)
	}
	s.get("/usage/history/CTSO/2026-11").is(200).says("is not invoiced yet", "Vendor billing cycle: from 10 Dec 2026")
	s.get("/usage/history/CTSO/2026-11?view=vendor").is(409)
	s.get("/usage/history/CTSO/2024-01").is(404)

	rows := s.get(at + "/usage.csv").table()
	if !slices.Equal(rows[0], invoice.Columns) {
		t.Errorf("columns = %v", rows[0])
	}
	if on, detail := column(t, rows, "On Your Invoice"), column(t, rows, "Supporting Detail"); !on.Equal(oct.Net.Decimal()) || !detail.Equal(on) {
		t.Errorf("on the invoice %s, details %s, want %s", on, detail, oct.Net)
	}
	rows = s.get("/usage/history/CTSO/2026-11/usage.csv").table()
	if got := column(t, rows, "Supporting Detail"); !got.Equal(column(t, rows, "On Your Invoice")) || got.IsZero() {
		t.Errorf("a month without an invoice: %s", got)
	}
}

// A document as a page and as files; drafts are staff's, and what Microsoft asks of the
// partner is nobody's but theirs.
func TestInvoiceAndItsFiles(t *testing.T) {
	w := newWorld(t)
	docs := w.bills()
	s := w.signIn(demo.Administrator)
	at := "/invoices/" + string(docs[0].ID)
	s.get(at).is(200).says("Invoice 000012", "Billed to", "Contoso, Ltd.", "4567 Main Street", "From", "CenturyLink Cloud", "Total "+grouped(docs[0].Total)+" USD")
	for file, kind := range map[string]string{"pdf": "application/pdf", "csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "json": "application/json"} {
		a := s.get(at + "/invoice." + file).is(200)
		if a.head.Get("Content-Type") != kind || !strings.Contains(a.head.Get("Content-Disposition"), "000012."+file) || len(a.body) < 500 {
			t.Errorf("%s: %v, %d bytes", file, a.head, len(a.body))
		}
		a.hides(`"cost":`, `"margin"`, `"earned"`)
	}
	var got struct {
		Lines []struct{ Amount money.Amount }
		Total money.Amount
	}
	w.must(json.Unmarshal([]byte(s.get(at+"/invoice.json").body), &got))
	if !got.Total.Equal(docs[0].Total) || len(got.Lines) != 2 {
		t.Errorf("%+v", got)
	}
	s.get(at + "/invoice.exe").is(404)
	s.get("/invoices/none").is(404)
	w.signIn("admin@fabrikam.example").get(at).is(404)
	w.signIn(demo.Finance).get(at + "/invoice.json").is(200).says(`"margin"`)
}

// From a figure to its price and to its records.
func TestWhyThisAmount(t *testing.T) {
	w := newWorld(t)
	w.bills()
	s := w.signIn(demo.Administrator)
	q := url.Values{"category": {"Virtual Machines"}, "entitlement": {production}, "day": {"2026-11-20"}}
	at := "/usage/account/CTSO/2026-11"
	charges, err := w.lake.of(t.Context(), "CTSO", "2026-11")
	w.must(err)
	var one rating.Charge
	for _, c := range charges {
		if c.Group.Day == "2026-11-20" && c.Group.MeterName == "D4s v5" {
			one = c
		}
	}
	exact := one.Sell.Decimal().StringFixed(6)
	a := s.get(at+"?"+q.Encode()).is(200).says("Virtual Machines · Contoso production · 20 Nov 2026", "Amount, unrounded "+exact, "Why this amount?", "D4s v5", "Microsoft's list price", "× 1 Hour", "Exchange rate, USD to USD", "not needed", "list-price, version 1", "rule “list”",
		"Usage records", "d4s-v5-01", "rg-shop", "0.192")
	a.hides(one.Cost.Text()) // what the partner pays
	w.signIn(demo.Finance).get(at+"?"+q.Encode()).is(200).says(one.Cost.Text(), "part-0001.json.gz, line")
	rows := s.get(at + "/records.csv?" + url.Values{"category": {"Virtual Machines"}}.Encode()).table()
	if len(rows) != 1+2*22 || slices.Contains(rows[0], "BillingPreTaxTotal") || !slices.Contains(rows[0], "UnitPrice") {
		t.Errorf("%d records, %v", len(rows), rows[0])
	}
	s.get(at + "?category=Nothing").is(200).says("Nothing of November 2026 is like that")
	s.get(at + "?day=2026-10-01").is(422)
	s.get("/usage/account/FBRK/2026-11").is(404)
}

// What finance sees of a month: every amount of every account, and that they add up.
func TestBillingOverview(t *testing.T) {
	w := newWorld(t)
	w.bills()
	s := w.signIn(demo.Finance)
	m := w.month("CTSO", "2026-10")
	s.get("/staff/billing?month=2026-10").is(200).says("Billing, October 2026", "CTSO", "Contoso, Ltd.", "FBRK", grouped(m.Sell), grouped(m.Sold), grouped(m.Earned), "2 from Microsoft's invoice")
	rows := s.get("/staff/billing/list.csv?month=2026-10&sort=sell&up=1").table()
	if len(rows) != 3 || rows[1][1] != "FBRK" || rows[2][1] != "CTSO" {
		t.Fatalf("%v", rows)
	}
	parts := decimal.Decimal{}
	for _, name := range []string{"cost", "margin", "earned_credit", "exchange"} {
		parts = parts.Add(column(t, rows, name))
	}
	if sell := column(t, rows, "sell"); !sell.Equal(parts) || sell.IsZero() {
		t.Errorf("sell %s, its parts %s", sell, parts)
	}
	s.get("/staff/billing?month=2020-01").is(200).says("Nothing is known of January 2020")
	s.get("/staff/billing/invoices?month=2026-10").is(200).says("Invoice 000012", "Issued")
	w.signIn(demo.Administrator).get("/staff/billing").is(403)
}

// A price list from a draft with named refusals through the lab into force.
func TestPriceLists(t *testing.T) {
	w := newWorld(t)
	w.bills()
	s := w.signIn(demo.Finance)
	s.get("/staff/prices").is(200).says("list-price", "built in", "New price list")
	s.get("/staff/prices?new=json").is(200).says("Rules as JSON")
	body := func(l rating.List) string {
		b, err := json.Marshal(l)
		w.must(err)
		return string(b)
	}
	s.post("/staff/prices", url.Values{"list": {"{"}, "note": {"x"}}).is(422).says("cannot be read")
	s.post("/staff/prices", url.Values{"list": {body(ourPrices("ours", "5"))}}).is(422).says("needs a reason")
	low := ourPrices("ours", "-40") // list less 40 percent; it costs list less 15
	s.post("/staff/prices", url.Values{"list": {body(low)}, "note": {"Cheaper"}}).is(422).says("below")
	s.post("/staff/prices", url.Values{"list": {body(ourPrices("ours", "5"))}, "note": {"Five percent more"}}).redirects("/staff/prices/ours")
	s.get("/staff/prices/ours").is(200).says("Version 1", "Draft", "Five percent more", "list + 5 %", "list − 10 %", "Activate…")

	// What the lab says is what the months would have come to.
	sum := money.Zero("USD")
	w.must(w.lake.Usage(t.Context(), "2026-10", "2026-10", func(x rating.AccountMonth) error {
		charges, err := rating.Month(x.Month, x.Groups, []rating.Terms{{List: ourPrices("ours", "5"), Currency: "USD"}})
		w.must(err)
		for _, c := range charges {
			sum, err = sum.Add(c.Sell)
			w.must(err)
		}
		return nil
	}))
	s.get("/staff/prices/ours/lab?months=1").is(200).says("They would pay "+grouped(sum), "CTSO", "FBRK", "Nothing is sold below its cost")

	reader := w.signIn(demo.Reader)
	reader.post("/staff/prices/ours/activate", url.Values{"version": {"1"}, "from": {"2099-01-01"}}).is(403)
	s.post("/staff/prices/ours/activate", url.Values{"version": {"1"}, "from": {"soon"}}).is(422)
	s.post("/staff/prices/ours/activate", url.Values{"version": {"1"}, "from": {"2020-01-01"}}).redirects("/staff/prices/ours")
	s.get("/staff/prices/ours").is(200).says("In force", "1 Jan 2020", "Add a rule")
	s.post("/staff/prices/ours/assign", url.Values{"account": {"nobody"}, "from": {"2099-01-01"}}).is(422)
	s.post("/staff/prices/ours/assign", url.Values{"account": {"ctse"}, "from": {"2099-01-01"}}).redirects("/staff/prices/ours")
	s.get("/staff/prices/none").is(404)
}

// What belongs to nobody is seen with its cost, and given to an account; a month that
// has no invoice of Microsoft cannot be closed, and the page says why.
func TestMonthClose(t *testing.T) {
	w := newWorld(t)
	w.bills()
	z := money.Zero("USD")
	x := billing.AccountMonth{Month: "2026-10", Currency: "USD", AsOf: "2026-10-14", Sell: z, Cost: money.Must("298.44", "USD"), Sold: z, Margin: z, Earned: z, Gain: z}
	for day, cost := range map[usage.Day]string{"2026-10-14": "214.08", "2026-10-15": "84.36"} {
		x.Cells = append(x.Cells, billing.Cell{Day: day, Kind: rating.KindUsage, Line: "usage", Tenant: "northwind-tenant", Entitlement: "northwind-sub", Category: "Storage", Region: "US East", Rows: 1, Sell: z, Cost: money.Must(cost, "USD")})
	}
	w.must(w.app.DB.Tx(t.Context(), func(tx *store.Tx) error { return w.app.Billing.Months().Save(t.Context(), tx, x) }))
	s := w.signIn(demo.Finance)
	s.get("/staff/billing?month=2026-10").is(200).says("298.44 USD of usage belongs to nobody")
	s.get("/staff/billing/close?month=2026-10").is(200).says("Close October 2026", "Cannot be closed yet", "Microsoft's invoice for October 2026 is not there", "Checklist", "Suspense assigned", "1 tenant or subscription left",
		"northwind-tenant", "14 Oct 2026 to 15 Oct 2026", "298.44 USD", "Assign…")
	s.post("/staff/billing/close", url.Values{"month": {"2026-10"}}).is(409).says("is not there")
	form := url.Values{"month": {"2026-10"}, "tenant": {"northwind-tenant"}, "entitlement": {"northwind-sub"}, "account": {"fbrk"}, "from": {"2026-10-14"}, "to": {"2026-10-15"}}
	s.post("/staff/billing/assign", form).is(422).says("needs a reason")
	form.Set("why", "Northwind was bought by Fabrikam.")
	w.signIn(demo.Support).post("/staff/billing/assign", form).is(403)
	s.post("/staff/billing/assign", form).redirects("/staff/billing/close?month=2026-10")
	s.get("/staff/billing/close?month=2026-10").is(200).says("It is FBRK's now")
	s.post("/staff/billing/carry", url.Values{"month": {"2026-10"}}).is(422).says("for a reason")
	s.post("/staff/billing/carry", url.Values{"invoice": {"none"}, "why": {"Later."}}).is(422).says("There is no invoice none")
	w.signIn(demo.Reader).get("/staff/billing/close?month=2026-10").is(200).says("It takes Owner or Finance at the partner")
}
