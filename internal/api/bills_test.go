package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"causeway/internal/api"
	"causeway/internal/billing"
	"causeway/internal/demo"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// usage gives CTSO a first day of usage in the current month: 30.10 USD in two regions.
func (w *world) usage() usage.Month {
	w.t.Helper()
	m := usage.MonthOf(w.app.Config.Now())
	z := money.Zero("USD")
	x := billing.AccountMonth{Account: "CTSO", Month: m, Currency: "USD", AsOf: m.First(), Sell: money.Must("30.1046", "USD"), Cost: z, Sold: z, Margin: z, Earned: z, Gain: z}
	for region, sell := range map[string]string{"US East": "20.1", "US West": "10.0046"} {
		x.Cells = append(x.Cells, billing.Cell{Day: m.First(), Kind: rating.KindUsage, Line: "usage", Tenant: "t", Category: "Virtual Machines", Region: region, Rows: 3, Sell: money.Must(sell, "USD"), Cost: z})
	}
	w.must(w.app.DB.Tx(w.t.Context(), func(tx *store.Tx) error { return w.app.Billing.Months().Save(w.t.Context(), tx, x) }))
	return m
}

// The calls of the original directory, at its addresses: sign in, estimate, invoice
// (N-56, N-57, N-58, N-60, N-62, N-63).
func TestTheCallsOfTheOriginalDirectory(t *testing.T) {
	w := newWorld(t)
	call := func(method, path, token string, in any) (int, map[string]any, string) {
		t.Helper()
		body, err := json.Marshal(in)
		w.must(err)
		req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, bytes.NewReader(body))
		w.must(err)
		req.Header.Set("Content-Type", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		w.must(err)
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		w.must(err)
		var out map[string]any
		w.must(json.Unmarshal(text, &out))
		return res.StatusCode, out, string(text)
	}
	if code, _, text := call("POST", "/v2/authentication/login", "", map[string]string{"username": demo.Administrator, "password": "wrong password"}); code != 400 || !strings.Contains(text, "detail") {
		t.Fatalf("a wrong password: %d %s", code, text)
	}
	code, login, text := call("POST", "/v2/authentication/login", "", map[string]string{"username": demo.Administrator, "password": password})
	token, _ := login["bearerToken"].(string)
	if code != 200 || token == "" || login["userName"] != demo.Administrator || login["accountAlias"] == "" || login["roles"].([]any)[0] != "AccountAdmin" {
		t.Fatalf("sign in: %d %s", code, text)
	}
	const at = "/accounts/CTSO/azure/billingestimate"
	if code, _, text := call("GET", at, "", nil); code != 401 {
		t.Errorf("without a token: %d %s", code, text)
	}
	if code, _, text := call("GET", at, token, nil); code != 409 || !strings.Contains(text, billing.CodeNoUsage) || !strings.Contains(text, "first hour of usage") {
		t.Errorf("before the first hour of usage: %d %s", code, text)
	}
	m := w.usage()
	code, e, text := call("GET", at+"?method=pro-rata", token, nil)
	want := 30.1046 * float64(m.Days()) // one day of the month's days
	if got, ok := e["eomEstimate"].(float64); code != 200 || !ok || got < want-0.006 || got > want+0.006 || e["mtdEstimate"] != 30.1 || !strings.Contains(text, "not exact") {
		t.Errorf("estimate: %d %s, want %.2f", code, text, want)
	}
	code, inv, text := call("GET", "/v2/invoice/CTSO/"+string(m)[:4]+"/"+strings.TrimLeft(string(m)[5:], "0")+"?pricingAccount=CTSO", token, nil)
	lines, _ := inv["lineItems"].([]any)
	if code != 200 || len(lines) != 1 || inv["totalAmount"] != 30.1 || inv["estimate"] != true || inv["invoiceDate"] != string(m.Add(1).First())+"T00:00:00Z" {
		t.Fatalf("invoice: %d %s", code, text)
	}
	line := lines[0].(map[string]any)
	sum := money.Zero("USD").Decimal()
	var parsed api.DirectoryInvoice
	w.must(json.Unmarshal([]byte(text), &parsed))
	for _, d := range parsed.LineItems[0].ItemDetails {
		sum = sum.Add(d.Cost.Decimal)
	}
	if line["description"] != "Integrated Azure Services Usage" && line["description"] != "Azure services" || !sum.Equal(parsed.LineItems[0].ItemTotal.Decimal) || len(parsed.LineItems[0].ItemDetails) != 3 {
		t.Errorf("its details add up to %s: %s", sum, text)
	}
	if code, _, text := call("GET", "/v2/invoice/FBRK/2026/11", token, nil); code != 404 {
		t.Errorf("another organization's: %d %s", code, text)
	}
	_, member, _ := call("POST", "/v2/authentication/login", "", map[string]string{"username": demo.Member, "password": password})
	if code, _, text := call("GET", at, member["bearerToken"].(string), nil); code != 403 {
		t.Errorf("a member: %d %s", code, text)
	}
}
