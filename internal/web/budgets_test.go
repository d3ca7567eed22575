package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"causeway/internal/billing"
	"causeway/internal/demo"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// A budget is set by a form, drawn on the dashboard with a table of the same numbers, and
// changed and deleted; nobody else sees it.
func TestABudgetIsSetDrawnAndDeleted(t *testing.T) {
	w := newWorld(t)
	w.bills()
	s := w.signIn(demo.Administrator)
	s.get("/usage").is(200).says("No budget is set", "Set a budget")
	form := s.get("/usage/budgets/edit?account=CTSO").is(200).says("New budget", "Whole account", "Contoso production", "Tell when this is used", "Ask CenturyLink what to do").form()
	if form.Get("actual") != "50, 80, 100" || form.Get("version") != "0" {
		t.Errorf("a new budget begins with %v", form)
	}
	for field, wrong := range map[string]string{"amount": "a lot", "actual": "half", "recipients": "nobody"} {
		bad := url.Values{"account": {"CTSO"}, "version": {"0"}, "of": {"account"}, "amount": {"1000"}, "actual": {"80"}}
		bad.Set(field, wrong)
		if a := s.post("/usage/budgets", bad).is(422); !strings.Contains(a.body, `id="`+field+`-error"`) || !strings.Contains(a.body, wrong) {
			t.Errorf("%s: %s is not refused at its field, or what was typed is lost", field, wrong)
		}
	}
	s.post("/usage/budgets", url.Values{"account": {"CTSO"}, "version": {"0"}, "amount": {"1000"}}).is(422).says("would tell nobody anything")

	used := w.month("CTSO", "2026-11").Sell.Decimal()
	amount := used.DivRound(decimal.RequireFromString("0.6"), 2) // of which 60.0 % are used
	set := url.Values{"account": {"CTSO"}, "version": {"0"}, "of": {"account"}, "amount": {amount.StringFixed(2)}, "actual": {"50, 100"}, "forecast": {"100"}, "recipients": {"cfo@contoso.example"}, "ask": {"yes"}}
	s.post("/usage/budgets", set).redirects("/usage/budgets?account=CTSO")
	a := s.get("/usage").is(200).says("Budget November 2026", "Whole account Within", grouped(money.Must(used.StringFixed(6), "USD"))+" of", "60.0 % used", "Forecast", "Budgets and alerts")
	for _, drawn := range []string{`<svg class="cw-budget-bar" data-tone="ok"`, "Tells at 50 % used", "Tells at 100 % by the forecast", "cw-chart-whisker"} {
		if !strings.Contains(a.body, drawn) {
			t.Errorf("the card does not draw %q", drawn)
		}
	}
	s.get("/usage?show=budget").is(200).says("Budget of Amount Used Forecast Tells at State Whole account", "50 % used, 100 % used, 100 % by the forecast")
	s.get("/usage/budgets").is(200).says("Told to cfo@contoso.example. The partner is asked when it is used up.")

	s.get("/usage/budgets/edit?account=CTSO").is(200).says("New budget", "Budget of Contoso development Contoso production") // the whole account has one

	set.Set("version", "1")
	set.Set("amount", used.DivRound(decimal.RequireFromString("1.2"), 2).StringFixed(2))
	s.get("/usage/budgets/edit?account=CTSO&of=account").is(200).says("Budget of the whole account")
	s.post("/usage/budgets", set).redirects("/usage/budgets?account=CTSO")
	s.get("/usage").is(200).says("Whole account Used up", "120.0 % used")
	s.post("/usage/budgets", set).is(409).says("Somebody else changed this budget")

	stranger := w.signIn("admin@fabrikam.example")
	stranger.get("/usage/budgets?account=CTSO").is(404)
	stranger.get("/usage/budgets/edit?account=CTSO").is(404)
	set.Set("version", "2")
	stranger.post("/usage/budgets", set).is(404)
	stranger.post("/usage/budgets/delete", url.Values{"account": {"CTSO"}, "of": {"account"}}).is(404)
	w.signIn(demo.Member).post("/usage/budgets", set).is(403)
	w.signIn(demo.Reader).get("/usage/budgets?account=CTSO").is(200).says("120.0 % used")

	s.post("/usage/budgets/delete", url.Values{"account": {"CTSO"}, "of": {"account"}}).redirects("/usage/budgets?account=CTSO")
	s.get("/usage").is(200).says("No budget is set")
}

// What was told stands on the page of budgets.
func TestAlertsAreListed(t *testing.T) {
	w := newWorld(t)
	now := usage.MonthOf(time.Now())
	z := money.Zero("USD")
	x := billing.AccountMonth{Account: "CTSE", Month: now, Currency: "USD", AsOf: now.First(), Sell: z, Cost: z, Sold: z, Margin: z, Earned: z, Gain: z,
		Cells: []billing.Cell{{Day: now.First(), Kind: rating.KindUsage, Category: "Storage", Sell: money.Must("90", "USD"), Cost: z}}}
	w.must(w.app.DB.Tx(t.Context(), func(tx *store.Tx) error { return w.app.Billing.Months().Save(t.Context(), tx, x) }))
	s := w.signIn(demo.Administrator)
	s.get("/usage/budgets?account=CTSE").is(200).says("No budget is set", "Nothing was told yet")
	s.post("/usage/budgets", url.Values{"account": {"CTSE"}, "version": {"0"}, "of": {"account"}, "amount": {"100.00"}, "actual": {"80"}, "recipients": {"cfo@contoso.example"}}).redirects("/usage/budgets?account=CTSE")
	w.must(w.app.Billing.WatchBudgets(t.Context(), now)) // unless a worker was first
	s.get("/usage/budgets?account=CTSE").is(200).says("80 % used Whole account "+now.String(), "90.00 100.00 USD", "cfo@contoso.example", "1 alert")
}
