package api_test

import (
	"fmt"
	"strings"
	"testing"

	"causeway/internal/api"
	"causeway/internal/money"
)

// A budget over the API: set, seen with how it stands, told once, changed on top of what
// was read, and deleted.
func TestBudgetsOverTheAPI(t *testing.T) {
	w := newWorld(t)
	m := w.usage() // 30.1046 USD
	const at = "/billing/accounts/CTSO/budgets"
	var list api.Page[api.Budget]
	w.admin.want(200, "GET", at, nil).into(t, &list)
	if len(list.Items) != 0 {
		t.Fatalf("%+v", list)
	}
	w.admin.want(404, "GET", at+"/account", nil)
	refused := w.admin.want(422, "PUT", at+"/account", map[string]any{"version": 0, "amount": money.Must("40", "EUR")}).problem(t)
	if len(refused.Refusals) != 1 || refused.Refusals[0].Field != "amount" || !strings.Contains(refused.Refusals[0].Remedy, "USD") {
		t.Errorf("%+v", refused)
	}
	w.admin.want(422, "PUT", at+"/1234", map[string]any{"version": 0, "amount": money.Must("40", "USD")})
	var b api.Budget
	w.admin.want(200, "PUT", at+"/account", map[string]any{"version": 0, "amount": money.Must("40", "USD"), "recipients": []string{"cfo@contoso.example"}, "ask": true}).into(t, &b)
	if b.Of != "account" || b.Version != 1 || b.Percent != "75.3" || b.Used.Text() != "30.1046" || b.Month != string(m) || b.Forecast == nil || len(b.Thresholds) != 3 || b.Thresholds[0] != (api.BudgetThreshold{Percent: 50, Basis: "actual"}) {
		t.Errorf("%+v", b)
	}
	var told api.Page[api.BudgetAlert]
	w.poll("50 percent is told", func() bool {
		w.admin.want(200, "GET", "/billing/accounts/CTSO/budget-alerts", nil).into(t, &told)
		return len(told.Items) > 0
	})
	if x := told.Items[0]; len(told.Items) != 1 || x.Percent != 50 || x.Basis != "actual" || x.Month != string(m) || fmt.Sprint(x.Recipients) != "[cfo@contoso.example]" || x.Rearmed {
		t.Errorf("%+v", told.Items)
	}
	w.admin.want(409, "PUT", at+"/account", map[string]any{"version": 0, "amount": money.Must("50", "USD")})
	w.admin.want(200, "PUT", at+"/account", map[string]any{"version": 1, "amount": money.Must("100", "USD"), "thresholds": []any{map[string]any{"percent": 100, "basis": "forecast"}}}).into(t, &b)
	if b.Version != 2 || b.Ask || len(b.Recipients) != 0 || b.Percent != "30.1" {
		t.Errorf("%+v", b)
	}
	w.admin.want(200, "GET", "/billing/accounts/CTSO/budget-alerts", nil).into(t, &told)
	if !told.Items[len(told.Items)-1].Rearmed {
		t.Errorf("50 percent is not reached any more, and was not set back: %+v", told.Items)
	}
	w.admin.want(204, "DELETE", at+"/account", nil)
	w.admin.want(404, "DELETE", at+"/account", nil)
}
