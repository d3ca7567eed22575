package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/billing"
	"causeway/internal/demo"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/store"
)

// explained gives October an invoice of Microsoft with two differences, an account whose
// cost is not billed, and a tenant that is nobody's.
func (w *world) explained() {
	w.t.Helper()
	usd := func(s string) money.Amount { return money.Must(s, "USD") }
	body, err := json.Marshal(billing.Statement{Invoice: "G000000009", Total: usd("110.5"), Mapped: map[string]money.Amount{"CTSO": usd("100")}, Suspense: usd("10"), Tax: usd("0.5"), Rounding: usd("0"), Exchange: usd("0"), Unclassified: usd("0")})
	w.must(err)
	evidence, err := json.Marshal([]billing.Difference{{Evidence: "=two records that came late", Amount: usd("-3.25")}})
	w.must(err)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w.must(json.NewEncoder(z).Encode(map[string]any{"charges": []any{}, "cost": usd("7.125")}))
	w.must(z.Close())
	zero := money.Zero("USD")
	nobody := billing.AccountMonth{Month: "2026-10", Currency: "USD", AsOf: "2026-10-14", Sell: zero, Cost: usd("10"), Sold: zero, Margin: zero, Earned: zero, Gain: zero,
		Cells: []billing.Cell{{Day: "2026-10-14", Kind: rating.KindUsage, Tenant: "northwind-tenant", Entitlement: "northwind-sub", Category: "Storage", Rows: 3, Sell: zero, Cost: usd("10")}}}
	w.must(w.app.DB.Tx(w.t.Context(), func(tx *store.Tx) error {
		if err := w.app.Billing.Months().Save(w.t.Context(), tx, nobody); err != nil {
			return err
		}
		for _, q := range []struct {
			sql  string
			args []any
		}{
			{"INSERT INTO billing_statement (invoice, month, currency, body, posted, revision, carried, carried_of, computed_at) VALUES ('G000000009', '2026-10', 'USD', $1, '{}', 0, '', '', 0)", []any{string(body)}},
			{"INSERT INTO billing_difference (invoice, bridge, account, class, currency, amount, things, evidence) VALUES ('G000000009', 'estimate', 'CTSO', 'late usage', 'USD', '-3.25', 2, $1)", []any{string(evidence)}},
			{"INSERT INTO billing_difference (invoice, bridge, account, class, currency, amount, things, evidence) VALUES ('G000000009', 'invoice', '', 'tax', 'USD', '0.5', 1, '[]')", nil},
			{"INSERT INTO billing_charge (account, month, currency, billed, trouble, body, hash, billed_hash) VALUES ('CTSE', '2026-10', 'USD', TRUE, '', $1, 'h', '')", []any{packed.Bytes()}},
		} {
			if _, err := tx.ExecContext(w.t.Context(), q.sql, q.args...); err != nil {
				return err
			}
		}
		return nil
	}))
}

// Every table of the close, of documents, of price lists and of the lab is a file, to the
// last digit.
func TestStaffTablesAreFiles(t *testing.T) {
	w := newWorld(t)
	docs := w.bills()
	w.explained()
	_, err := w.app.Prices.Save(t.Context(), w.actor(demo.Finance), ourPrices("our-prices", "5"), "", "A list for this test.", nil, nil)
	w.must(err)
	s := w.signIn(demo.Finance)
	page := s.get("/staff/billing/close?month=2026-10").is(200)
	for name, want := range map[string][]string{
		"accounts":    {"2026-10", "CTSE", "USD", "0", "0", "0", "0", "0", "0", "-7.125", "7.125", "USD"},
		"differences": {"2026-10", "estimate", "CTSO", "late usage", "-3.25", "USD", "2", "'=two records that came late"}, // no formula for a spreadsheet
		"suspense":    {"2026-10", "northwind-tenant", "northwind-sub", "2026-10-14", "2026-10-14", "1", "3", "10", "USD", "false"},
		"checklist":   {"2026-10", "Suspense assigned", "false", "1 tenant or subscription left"},
	} {
		at := "/staff/billing/close/" + name + ".csv?month=2026-10"
		if !strings.Contains(page.body, at) {
			t.Errorf("the page does not lead to %s", at)
		}
		rows := s.get(at).table()
		if !slices.ContainsFunc(rows, func(r []string) bool { return slices.Equal(r, want) }) {
			t.Errorf("%s: %q is not among %q", name, want, rows)
		}
	}
	rows := s.get("/staff/billing/invoices.csv?month=2026-10&status=issued").table()
	if len(rows) != 2 || rows[1][1] != docs[0].Number || rows[1][10] != docs[0].Total.Text() {
		t.Errorf("documents: %q, want %s", rows, docs[0].Number)
	}
	if rows := s.get("/staff/prices/list.csv").table(); len(rows) != 2 || rows[1][0] != "our-prices" || rows[1][2] != "draft" {
		t.Errorf("price lists: %q", rows)
	}
	if rows := s.get("/staff/prices/our-prices/rules.csv").table(); !slices.ContainsFunc(rows, func(r []string) bool {
		return r[2] == "rule" && r[3] == "storage" && r[5] == "category Storage" && r[6] == "list − 10 %"
	}) {
		t.Errorf("rules: %q", rows)
	}
	rows = s.get("/staff/prices/our-prices/lab.csv?months=1").table()
	sold, paid := w.month("CTSO", "2026-10").Sell, ""
	for _, r := range rows[1:] {
		if r[4] == "CTSO" {
			paid = r[5]
		}
	}
	if paid != sold.Text() || !column(t, rows, "would_pay").Sub(column(t, rows, "paid")).Equal(column(t, rows, "change")) {
		t.Errorf("CTSO paid %s, want %s: %q", paid, sold, rows)
	}
	if rows := s.get("/staff/prices/our-prices/lab.csv?months=1&of=below").table(); rows[0][4] != "meter" {
		t.Errorf("below cost: %q", rows)
	}
}

// While a month is worked on the page says so and asks again; when all is done it stops
// asking, and what somebody types meanwhile is not lost by a reload.
func TestTheCloseShowsWhatGoesOn(t *testing.T) {
	w := newWorld(t)
	w.bills()
	s := w.signIn(demo.Finance)
	const at = "/staff/billing/close/work?month=2026-10"
	asks := func(body string) bool {
		return strings.Contains(body, `hx-get="`+at+`"`) && strings.Contains(body, `hx-trigger="every 2s"`)
	}
	if a := s.get("/staff/billing/close?month=2026-10").is(200).hides("What goes on"); asks(a.body) {
		t.Error("the page asks although nothing is to be done")
	}
	later := func(tx *store.Tx) error {
		return w.app.Jobs.Add(t.Context(), tx, billing.JobIssue, "2026-10", struct{}{}, w.app.Config.Now().Add(time.Hour))
	}
	w.must(w.app.DB.Tx(t.Context(), later))
	if a := s.get("/staff/billing/close?month=2026-10").is(200).says("What goes on Working", "1 of 1 document issued", "Issue the drafts", "waits for its turn"); !asks(a.body) {
		t.Error("the page does not ask again")
	}
	if a := s.get(at).is(200).says("What goes on Working", "Issue the drafts"); !asks(a.body) || strings.Contains(a.body, "<html") {
		t.Error("the fragment is no fragment, or does not ask again")
	}
	s.get("/staff/billing/close?month=2026-09").is(200).hides("What goes on")
	w.must(w.app.DB.Tx(t.Context(), func(tx *store.Tx) error { return w.app.Jobs.Drop(t.Context(), tx, billing.JobIssue, "2026-10") }))
	if a := s.get(at).is(200).says("What goes on Done", "All that was to be done for October 2026 is done.", "Load the figures again"); asks(a.body) || a.head.Get("HX-Redirect") != "" {
		t.Error("it asks on, or leads away")
	}
}
