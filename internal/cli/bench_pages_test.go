package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// Every page is there and says what it must, over months that were never loaded.
func TestBenchPagesReadsEveryPage(t *testing.T) {
	dir := t.TempDir()
	var out, log bytes.Buffer
	args := []string{"bench", "pages", "--records", "3000", "--months", "3", "--accounts", "30", "--sample", "2", "--dir", dir, "--json"}
	if code := run(t.Context(), args, Std{In: &bytes.Buffer{}, Out: &out, Err: &log}); code != 0 {
		t.Fatalf("it ends with %d: %s", code, log.String())
	}
	var f pagesFigures
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	if f.Months != 3 || f.Records < 3*3000*9/10 || f.Accounts != 30 || f.P50 <= 0 || f.P95 < f.P50 || f.P99 < f.P95 || f.Max < f.P99 || f.Lake == 0 {
		t.Errorf("%+v", f)
	}
	sum := 0
	var names []string
	for _, p := range f.Pages {
		sum += p.Requests
		names = append(names, p.Name)
	}
	for _, want := range []string{
		"usage", "usage of a month", "history", "month", "vendor cycle", "invoice", "everything of a month", "everything of a month, next records", "service", "service of a subscription", "a day of it",
		"staff: month", "staff: usage of an account", "staff: invoices", "staff: an invoice",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("nobody opened the page %q", want)
		}
	}
	if sum != f.Requests {
		t.Errorf("%d requests, the pages have %d", f.Requests, sum)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left over: %v (%v)", left, err)
	}
}
