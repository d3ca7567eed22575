package cli

import (
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/api"
	"causeway/internal/demo"
	"causeway/internal/sim"
)

// The demo's history comes from the product's own work: documents with numbers, figures
// for the customer, a month that closes, and usage that belongs to nobody.
func TestTheDemoHasAHistory(t *testing.T) {
	t.Setenv(asProgram, "1")
	c := demoCmd{History: 2}
	w, err := c.begin(t.Context(), worldConfig{profile: string(sim.Instant), factor: 20}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	finance, err := w.login(t.Context(), demo.Finance)
	if err != nil {
		t.Fatal(err)
	}
	h := newHistory(2, time.Now(), io.Discard)
	h.w, h.finance = w, finance

	// The last finished month is left to staff; the one before was issued.
	before, err := h.status(t.Context(), h.first)
	if err != nil || !before.Billed || before.Drafts != 0 || before.Issued < 3 || len(before.Statements) != 1 {
		t.Fatalf("%+v, %v", before, err)
	}
	last, err := h.status(t.Context(), h.last)
	if err != nil || !last.Billed || last.Drafts < 3 || last.Issued != 0 || last.Statements[0].Suspense.Sign() <= 0 {
		t.Fatalf("%+v, %v", last, err)
	}
	for _, m := range []api.BillingMonth{before, last} {
		if s := m.Statements[0]; !s.Unclassified.IsZero() || !s.Posted {
			t.Errorf("%s: %+v", m.Month, s)
		}
	}

	admin, err := w.login(t.Context(), demo.Customers()[0].Email)
	if err != nil {
		t.Fatal(err)
	}
	alias := demo.Customers()[0].Account
	var bill api.DirectoryInvoice
	if err := admin.get(t.Context(), "/invoice/"+alias+"/"+h.first.First().Time().Format("2006/1"), &bill); err != nil || bill.Estimate || bill.TotalAmount.Sign() <= 0 || len(bill.LineItems) == 0 {
		t.Errorf("%+v, %v", bill, err)
	}
	var list []string
	for _, x := range bill.LineItems {
		for _, d := range x.ItemDetails {
			list = append(list, d.Description)
		}
	}
	if !slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, demo.Customers()[0].Name) }) {
		t.Errorf("no line calls the subscription by its name: %q", list)
	}
	if time.Now().UTC().Day() > 2 { // before that the running month has no usage yet
		var e api.Estimate
		if err := admin.get(t.Context(), "/accounts/"+alias+"/azure/billingestimate", &e); err != nil || e.MTDEstimate.Sign() <= 0 || e.EOMEstimate.LessThan(e.MTDEstimate.Decimal) {
			t.Errorf("%+v, %v", e, err)
		}
		var told api.Page[api.BudgetAlert]
		if err := admin.get(t.Context(), "/billing/accounts/"+alias+"/budget-alerts", &told); err != nil || !slices.ContainsFunc(told.Items, func(a api.BudgetAlert) bool {
			return a.Month == string(h.last.Add(1)) && a.Percent == 100 && a.Basis == "forecast" && len(a.Recipients) == 1
		}) {
			t.Errorf("the budget told %+v, %v", told.Items, err)
		}
	}

	// Staff issues the drafts; what was late of the month before is on them, and it closes.
	if err := h.issue(t.Context(), h.last, func(x api.BillingMonth) bool { return x.Drafts == 0 && x.Issued >= 3 }); err != nil {
		t.Fatal(err)
	}
	if before, err = h.status(t.Context(), h.first); err != nil || len(before.Missing) > 0 {
		t.Fatalf("%q, %v", before.Missing, err)
	}
	if err := finance.post(t.Context(), "/billing/months/"+url.PathEscape(string(h.first))+"/close", nil, nil); err != nil {
		t.Error(err)
	}
}
