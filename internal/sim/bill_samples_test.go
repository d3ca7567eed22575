package sim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"causeway/internal/sim"
)

// The documented samples of billing are answered with the same status, headers and
// members. The values of usage are the sample's own; those that say how to read it
// must be the same.
func TestBillingSamplesAreAnsweredAsDocumented(t *testing.T) {
	for _, tc := range []struct {
		file, says string
		token      string // user, graph
		before     func(b *bill) string
		fixed      []string // members that keep the documented value; "*" = all
	}{
		{"15-invoice-by-id.json", "an invoice", "user", func(b *bill) string {
			b.generate("2026-10", "")
			b.close("2026-10")
			return "/v1/invoices/G000024135"
		}, []string{"id", "paidAmount", "currencyCode", "currencySymbol", "pdfDownloadLink", "invoiceLineItemType", "billingProvider", "uri", "method", "objectType", "documentType", "invoiceType"}},
		{"16-unbilled-daily-rated-usage.json", "unbilled daily usage, old style", "user", func(b *bill) string {
			b.generate("2026-10", "")
			return ""
		}, []string{"totalCount*", "uri", "method", "key", "objectType", "invoiceLineItemType", "invoiceNumber"}},
		{"21-graph-billed-usage-export.json", "an export of billed usage", "graph", func(b *bill) string {
			b.generate("2026-10", "")
			b.close("2026-10")
			return "export"
		}, nil},
		{"22-graph-operation-running.json", "an export that is running", "graph", func(b *bill) string {
			b.generate("2026-10", "")
			b.close("2026-10")
			b.s.SetWait(sim.WaitExport, 100_000_000_000)
			to := b.as(b.graph, "POST", billing+"/usage/billed/export", map[string]string{"invoiceId": "G000024135"}).want(b.t, 202).header.Get("Location")
			b.s.Advance(50_000_000_000)
			return strings.TrimPrefix(to, b.s.URL)
		}, []string{"@odata.type", "status"}},
	} {
		t.Run(tc.says, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", "samples", tc.file))
			if err != nil {
				t.Fatal(err)
			}
			var want sample
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			b := newBill(t)
			path := tc.before(b)
			if tc.file[:2] == "21" {
				want.Request.Body.(map[string]any)["invoiceId"] = "G000024135"
				path = ""
			}
			sender := *b.partner
			if tc.token == "graph" {
				sender.user = b.graph
			}
			got, body := send(t, &sender, want, path, nil)
			if got.StatusCode != want.Response.Status {
				t.Fatalf("status %d, documented %d: %s", got.StatusCode, want.Response.Status, body)
			}
			if to := want.Response.Headers["Location"]; to != "" {
				// The documented host is Graph's; the id is another each time.
				place := strings.TrimPrefix(to, "https://graph.microsoft.com")
				if prefix := place[:strings.LastIndexByte(place, '/')+1]; !strings.HasPrefix(got.Header.Get("Location"), b.s.URL+prefix) || len(got.Header.Get("Location")) != len(b.s.URL)+len(place) {
					t.Errorf("Location is %q, documented %q", got.Header.Get("Location"), to)
				}
				delete(want.Response.Headers, "Location")
			}
			sameHeaders(t, want, got.Header)
			if want.Response.Body == nil {
				if len(body) > 0 {
					t.Errorf("the documented body is empty, got %s", body)
				}
				return
			}
			var members any
			if err := json.Unmarshal(body, &members); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			for _, difference := range differences("", want.Response.Body, members, free(want.Response.Body, tc.fixed)) {
				t.Error(difference)
			}
		})
	}
}

// free are all members of a documented body but those that are fixed.
func free(body any, fixed []string) []string {
	var out []string
	switch x := body.(type) {
	case map[string]any:
		for k, inner := range x {
			switch inner.(type) {
			case map[string]any, []any:
			default:
				if !slices.Contains(fixed, k) {
					out = append(out, k)
				}
			}
			out = append(out, free(inner, fixed)...)
		}
	case []any:
		for _, inner := range x {
			out = append(out, free(inner, fixed)...)
		}
	}
	return out
}
