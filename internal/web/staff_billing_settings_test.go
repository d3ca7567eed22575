package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"causeway/internal/demo"

	"github.com/shopspring/decimal"
)

// Who sells, with which taxes and in which pattern is decided by a form: what cannot be
// is refused at its field, and what the form shows can be saved as it is.
func TestBillingIsDecidedByAForm(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Finance)
	form := s.get("/staff/billing/settings").is(200).says("Never saved", "Seller 1: CenturyLink").form()
	wrong := url.Values{}
	for k, x := range form {
		wrong[k] = x
	}
	for field, x := range map[string]string{"pay_days": "soon", "seller-0-tax": "us | US", "shared": "ri-1 | CTSO | free"} {
		wrong.Set(field, x)
	}
	a := s.post("/staff/billing/settings", wrong).is(422).says("The number of days is no number.", "Line 1: a rule has at least four parts.", "Line 1: “free” is no price.")
	for _, field := range []string{"pay_days", "seller-0-tax", "shared"} {
		if !strings.Contains(a.body, `id="`+field+`-error"`) {
			t.Errorf("%s is not refused at its field", field)
		}
	}
	wrong.Set("pay_days", "500")
	wrong.Set("seller-0-tax", "us | US | half | Sales tax")
	s.post("/staff/billing/settings", wrong).is(422).says("is no percentage")
	wrong.Set("seller-0-tax", "us | US | 1e9 | Sales tax")
	s.post("/staff/billing/settings", wrong).is(422).says("is no percentage")
	wrong.Set("seller-0-tax", "us | US | -5 | Below zero")
	wrong.Set("seller-0-country", "USA")
	wrong.Set("shared", "ri-2 | CTSO | 1 USD\nri-1 | CTSO")
	s.post("/staff/billing/settings", wrong).is(422).says("Line 2: a shared reservation has three parts.")
	wrong.Set("shared", "ri-1 | CTSO | 0 USD")
	a = s.post("/staff/billing/settings", wrong).is(422).says("500 days to pay are not possible", "lacks its country", "A tax rule of main", "Reservation ri-1 has no price of a unit.")
	for _, field := range []string{"pay_days", "seller-0-tax", "seller-0-country", "shared"} {
		if !strings.Contains(a.body, `id="`+field+`-error"`) {
			t.Errorf("%s is not refused at its field", field)
		}
	}

	tax := "us | US | 0 | Sales tax 0 %\nus-wa | US-WA | 6.5 | Sales tax WA 6.5 % | class=saas | from=2026-01-01 | note=RCW 82.08\neu | EU | 0 | Reverse charge | number=with | reverse"
	for field, x := range map[string]string{"pattern": "arrears 1", "pay_days": "14", "seller-0-prefix": "CL-", "seller-0-address": "100 Partner Plaza\r\nMonroe, LA 71203", "seller-0-country": "us", "seller-0-tax": tax, "mail": "yes", "shared": "ri-1 | ctso | 0.042 usd\r\n"} {
		form.Set(field, x)
	}
	s.post("/staff/billing/settings", form).redirects("/staff/billing/settings")
	set, err := w.app.Billing.Setup(t.Context())
	w.must(err)
	e := set.Sellers[0]
	if set.Pattern.String() != "arrears 1" || set.PayDays != 14 || !set.Mail || set.Spread || len(set.Sellers) != 1 || e.ID != "main" || e.Prefix != "CL-" || len(e.Party.Address) != 2 || e.Party.Country != "US" || len(e.Tax) != 3 {
		t.Fatalf("%+v", set)
	}
	if r := e.Tax[1]; r.Region != "WA" || !r.Percent.Equal(decimal.RequireFromString("6.5")) || r.Class != "saas" || r.From != "2026-01-01" || r.Note != "RCW 82.08" || !e.Tax[2].Reverse || e.Tax[2].Number != "with" {
		t.Errorf("%+v", e.Tax)
	}
	if len(set.Shared) != 1 || fmt.Sprint(set.Shared[0]) != "{ri-1 CTSO 0.042 USD}" {
		t.Errorf("%+v", set.Shared)
	}
	s.post("/staff/billing/settings", form).is(409).says("Somebody else changed these settings")

	// A further seller; what is shown is what was saved, and saving it changes nothing.
	form = s.get("/staff/billing/settings?seller=new").is(200).says("Version 1", "Seller 2").form()
	if strings.TrimSpace(form.Get("seller-0-tax")) != tax || form.Get("sellers") != "2" {
		t.Errorf("%q, %s sellers", form.Get("seller-0-tax"), form.Get("sellers"))
	}
	s.post("/staff/billing/settings", form).redirects("/staff/billing/settings")
	if again, err := w.app.Billing.Setup(t.Context()); err != nil || again.Version != 1 {
		t.Errorf("saving what is shown made version %d (%v)", again.Version, err)
	}
	for field, x := range map[string]string{"seller-1-id": "eu", "seller-1-name": "CenturyLink Europe BV", "seller-1-country": "NL", "seller-1-prefix": "CL-"} {
		form.Set(field, x)
	}
	s.post("/staff/billing/settings", form).is(422).says("Two sellers begin their numbers with")
	form.Set("seller-1-prefix", "EU-")
	s.post("/staff/billing/settings", form).redirects("/staff/billing/settings")

	// One account, on top of that.
	s.get("/accounts/CTSO").is(200).says("How it is billed")
	form = s.get("/staff/billing/accounts/CTSO").is(200).says("How CTSO is billed", "eu · CenturyLink Europe BV").form()
	for field, x := range map[string]string{"seller": "eu", "currency": "eur", "vat": "US123", "pattern": "month-end\n2026-11 arrears 7", "cost_centers": production + " Sales"} {
		form.Set(field, x)
	}
	s.post("/staff/billing/accounts/CTSO", form).is(422).says("names no cost center")
	form.Set("cost_centers", production+" = Sales")
	s.post("/staff/billing/accounts/CTSO", form).is(422).says("Arrears of 7 months are not possible")
	form.Set("pattern", "month-end\n2026-11 arrears 2")
	s.post("/staff/billing/accounts/CTSO", form).redirects("/staff/billing/accounts/CTSO")
	own, err := w.app.Billing.AccountSetup(t.Context(), "CTSO")
	w.must(err)
	if own.Seller != "eu" || own.Currency != "EUR" || own.VAT != "US123" || len(own.Switches) != 2 || own.Switches[1].From != "2026-11" || own.Switches[1].Pattern.Months != 2 || own.CostCenters[production] != "Sales" {
		t.Errorf("%+v", own)
	}
	if form = s.get("/staff/billing/accounts/CTSO").is(200).form(); strings.TrimSpace(form.Get("pattern")) != "month-end\n2026-11 arrears 2" || form.Get("version") != "1" {
		t.Errorf("%v", form)
	}
	s.get("/staff/billing/accounts/NONE").is(404)

	// Where accounting is told; the secret is never shown again.
	s.post("/staff/billing/accounting", url.Values{"url": {"http://books.example/hook"}}).is(422).says("without encryption")
	s.post("/staff/billing/accounting", url.Values{"url": {"https://books.example/hook"}, "secret": {strings.Repeat("s3cret", 5)}}).redirects("/staff/billing/accounting")
	s.get("/staff/billing/accounting").is(200).says("Told: https://books.example/hook").hides("s3cret")

	reader := w.signIn(demo.Reader)
	reader.get("/staff/billing/settings").is(200).says("You may not change how accounts are billed")
	reader.post("/staff/billing/settings", form).is(403)
	reader.get("/staff/billing/accounting").is(403)
}
