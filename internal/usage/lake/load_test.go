package lake_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"
)

// record is a line of daily usage with the given members changed; one that is
// changed to "-" is left out.
func record(changes ...string) string {
	order := []string{"PartnerId", "CustomerId", "InvoiceNumber", "ProductId", "SkuId", "PublisherName", "SubscriptionId", "UsageDate", "Unit", "ChargeType", "UnitPrice", "Quantity", "BillingPreTaxTotal",
		"BillingCurrency", "PricingPreTaxTotal", "PricingCurrency", "PCToBCExchangeRate", "EntitlementId", "CreditType", "BenefitOrderId", "BenefitType", "MeterRegion", "Tags"}
	has := map[string]string{"PartnerId": `"p"`, "CustomerId": `"c"`, "InvoiceNumber": `"G1"`, "ProductId": `"x"`, "SkuId": `"y"`, "PublisherName": `"Microsoft"`, "SubscriptionId": `"plan"`,
		"UsageDate": `"2026-02-03T00:00:00Z"`, "Unit": `"1 Hour"`, "ChargeType": `"new"`, "UnitPrice": "0.5", "Quantity": "3", "BillingPreTaxTotal": "1.5", "BillingCurrency": `"USD"`, "PricingPreTaxTotal": "1.5",
		"PricingCurrency": `"USD"`, "PCToBCExchangeRate": "1", "EntitlementId": `"sub"`, "CreditType": `"Credit Not Applied"`, "BenefitOrderId": `""`, "BenefitType": `""`, "MeterRegion": `"EU West"`, "Tags": `""`}
	for i := 0; i < len(changes); i += 2 {
		if _, there := has[changes[i]]; !there {
			order = append(order, changes[i])
		}
		has[changes[i]] = changes[i+1]
	}
	var b []string
	for _, name := range order {
		if has[name] != "-" {
			b = append(b, fmt.Sprintf("%q:%s", name, has[name]))
		}
	}
	return "{" + strings.Join(b, ",") + "}"
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func snapshot(t *testing.T, dir string, blobs ...[]byte) usage.Snapshot {
	t.Helper()
	s := usage.Snapshot{ID: "s", Export: usage.Export{Feed: usage.Rated, Invoice: "G1", Month: "2026-02", Currency: "USD", Partner: "P"}}
	for i, b := range blobs {
		sum := sha256.Sum256(b)
		f := usage.File{Name: fmt.Sprintf("part-%d.json.gz", i), Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
		if err := os.WriteFile(filepath.Join(dir, f.Name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		s.Files = append(s.Files, f)
	}
	return s
}

// What cannot be read without a guess stops that file, and says where; nothing of the
// snapshot is there then.
func TestDamagedFilesAreNamedWithTheirLine(t *testing.T) { both(t, testDamaged) }

func testDamaged(t *testing.T, e engine) {
	good := record()
	whole := packed(t, strings.Repeat(good+"\n", 3000))
	corrupt := bytes.Clone(whole)
	corrupt[len(corrupt)-7] ^= 0x55 // the checksum
	l := e.fresh(t, 2)
	for name, c := range map[string]struct {
		blob   []byte
		line   int64
		reason string
	}{
		"cut off":                         {whole[:len(whole)-20], 3001, "gzip"},
		"a wrong checksum":                {corrupt, 3001, "gzip"},
		"of no bytes":                     {nil, 1, "gzip"},
		"not packed":                      {[]byte(good), 1, "gzip"},
		"with a line cut":                 {packed(t, good+"\n"+good[:40]), 2, "not a JSON object"},
		"with something after a line":     {packed(t, good+"\n"+good+"]\n"), 2, "not a JSON object"},
		"with a list":                     {packed(t, "[]\n"), 1, "not a JSON object"},
		"without a cost":                  {packed(t, good+"\n"+record("BillingPreTaxTotal", "-")), 2, "BillingPreTaxTotal is missing"},
		"with a renamed cost":             {packed(t, record("BillingPreTaxTotal", "-", "BillingTotal", "1.5")), 1, "BillingPreTaxTotal is missing, and BillingTotal is new"},
		"without an owner":                {packed(t, record("EntitlementId", "-")), 1, "EntitlementId is missing"},
		"with a cost that is a word":      {packed(t, good+"\n"+record("BillingPreTaxTotal", `"much"`)), 2, "BillingPreTaxTotal"},
		"with a cost that is null":        {packed(t, record("BillingPreTaxTotal", "null")), 1, "BillingPreTaxTotal"},
		"with a cost that is empty":       {packed(t, record("BillingPreTaxTotal", `""`)), 1, "BillingPreTaxTotal"},
		"with a separator":                {packed(t, record("BillingPreTaxTotal", `"1,500.00"`)), 1, "BillingPreTaxTotal"},
		"with too many decimals":          {packed(t, record("Quantity", "0.1234567890123456789")), 1, "Quantity"},
		"with too many digits":            {packed(t, record("Quantity", "1e21")), 1, "Quantity"},
		"with a date that is none":        {packed(t, record("UsageDate", `"2026-02-30"`)), 1, "UsageDate"},
		"with a time of day":              {packed(t, record("UsageDate", `"2026-02-03T23:00:00Z"`)), 1, "UsageDate"},
		"with a zone":                     {packed(t, record("UsageDate", `"2026-02-03T00:00:00+02:00"`)), 1, "UsageDate"},
		"with a column twice":             {packed(t, `{"Quantity":1,`+good[1:]), 1, "twice"},
		"of another currency":             {packed(t, record("BillingCurrency", `"EUR"`)), 1, "the export is in USD"},
		"of another partner":              {packed(t, record("PartnerId", `"q"`)), 1, "partner"},
		"of another invoice":              {packed(t, record("InvoiceNumber", `"G2"`)), 1, "invoice G1"},
		"that is not UTF-8":               {packed(t, record("Tags", "\"\xff\"")), 1, "UTF-8"},
		"with a bad escape":               {packed(t, record("Tags", `"\x"`)), 1, "not a JSON object"},
		"with a raw control character":    {packed(t, record("Tags", "\"\x01\"")), 1, "not a JSON object"},
		"with a number that JSON has not": {packed(t, record("Quantity", "03")), 1, "not a JSON object"},
	} {
		if e.heavy && c.reason != "gzip" && c.reason != "twice" && c.reason != "invoice G1" {
			continue
		}
		dir := t.TempDir()
		s := snapshot(t, dir, whole, c.blob)
		_, err := l.Load(t.Context(), s, folder(dir))
		var d *usage.Damaged
		if !errors.As(err, &d) || d.File != "part-1.json.gz" || d.Line != c.line && c.reason != "gzip" || !strings.Contains(d.Reason, c.reason) {
			t.Errorf("a file %s: %v", name, err)
		}
		if err := l.Groups(t.Context(), usage.Query{Rated: []string{"s"}}, nil); !errors.Is(err, fault.NotFound) {
			t.Errorf("a file %s: there is something of the snapshot: %v", name, err)
		}
	}
	dir := t.TempDir()
	s := snapshot(t, dir, whole)
	if err := os.WriteFile(filepath.Join(dir, s.Files[0].Name), packed(t, good+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var d *usage.Damaged
	if _, err := l.Load(t.Context(), s, folder(dir)); !errors.As(err, &d) || !strings.Contains(d.Reason, "SHA-256") {
		t.Errorf("a file that was changed: %v", err)
	}
}

// What has another form and the same meaning is taken, kept as it was, and told.
func TestDriftIsTold(t *testing.T) { both(t, testDrift) }

func testDrift(t *testing.T, e engine) {
	camel := func(s string) string {
		var x map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s), &x); err != nil {
			t.Fatal(err)
		}
		y := map[string]json.RawMessage{}
		for k, v := range x {
			if k = strings.ToLower(k[:1]) + k[1:]; k == "pCToBCExchangeRate" {
				k = "pcToBCExchangeRate"
			}
			y[k] = v
		}
		b, err := json.Marshal(y)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	text := "\xef\xbb\xbf" + record() + "\r\n" +
		record("Quantity", `"3"`, "UnitPrice", "5e-1", "UsageDate", `"2026-02-04"`) + "\r\n" +
		record("Carbon", `{"kg":1.50}`, "BillingPreTaxTotal", "1.50", "UsageDate", `"2026-02-04T00:00:00"`) + "\n" +
		record("Tags", `"{\"Env\":\"\u00fc\"}"`, "EffectiveUnitPrice", `""`, "MeterRegion", "null") + "\n" +
		camel(record("CustomerId", `"d"`)) // without a line end
	l := e.fresh(t, 0)
	dir := t.TempDir()
	s := snapshot(t, dir, packed(t, text), packed(t, ""))
	got, err := l.Load(t.Context(), s, folder(dir))
	if err != nil {
		t.Fatal(err)
	}
	drift := map[string]string{}
	missing := 0
	for _, d := range got.Drift {
		if d.What == "missing" {
			missing++
			continue
		}
		drift[d.Column+" "+d.What] = fmt.Sprint(d.File, d.Line, d.Rows)
	}
	if want := map[string]string{" byte order mark": "part-0.json.gz1 1", "Quantity number as text": "part-0.json.gz2 1", "Carbon new": "part-0.json.gz3 1"}; fmt.Sprint(drift) != fmt.Sprint(want) || missing != 55-23 {
		t.Errorf("drift %v (%d missing), want %v", drift, missing, want)
	}
	if got.Rows != 5 || got.Bytes != int64(len(text)) || got.Cost.Text() != "7.5" || got.First != "2026-02-03" || got.Last != "2026-02-04" {
		t.Errorf("%+v", got)
	}
	page, _, err := l.Records(t.Context(), usage.RecordQuery{Snapshots: []string{"s"}, Limit: 10})
	if err != nil || len(page) != 5 {
		t.Fatalf("%d records (%v)", len(page), err)
	}
	for _, r := range page {
		var want map[string]string
		switch r.Line {
		case 2:
			want = map[string]string{"Quantity": "3", "UnitPrice": "5e-1", "UsageDate": "2026-02-04"}
		case 3:
			want = map[string]string{"Carbon": `{"kg":1.50}`, "BillingPreTaxTotal": "1.50", "MeterRegion": "EU West"}
		case 4:
			want = map[string]string{"Tags": `{"Env":"ü"}`, "EffectiveUnitPrice": ""}
			if _, there := r.Columns["MeterRegion"]; there {
				t.Error("null is a region")
			}
		case 5:
			want = map[string]string{"CustomerId": "d", "PCToBCExchangeRate": "1"}
		}
		for k, v := range want {
			if r.Columns[k] != v {
				t.Errorf("line %d: %s is %q, want %q", r.Line, k, r.Columns[k], v)
			}
		}
		if _, there := r.Columns["MeterId"]; there || r.File != "part-0.json.gz" {
			t.Errorf("line %d has a meter, or no file: %v", r.Line, r)
		}
	}
	all := groups(t, l, usage.Query{Rated: []string{"s"}, Tags: []string{"env"}})
	for _, g := range all[""] {
		if (g.Tags["env"] == "ü") != (g.Tags != nil) || g.List.Text() != g.Cost.Text() {
			t.Errorf("group %+v", g)
		}
	}
}

// A record that is there twice is two charges; a snapshot loaded again with other files
// replaces its predecessor whole, and dropped it is gone.
func TestASnapshotIsThereWholeOrNotAtAll(t *testing.T) { both(t, testWholeOrNotAtAll) }

func testWholeOrNotAtAll(t *testing.T, e engine) {
	dir := t.TempDir()
	where := e.place(t)
	l, err := e.open(where, 0)
	if err != nil {
		t.Fatal(err)
	}
	cost := func() string {
		t.Helper()
		sum, rows := money.Zero("USD"), int64(0)
		all := groups(t, l, usage.Query{Rated: []string{"s"}})
		q := usage.Query{Rated: []string{"s"}, Owners: []usage.Owner{{Tenant: "c", From: "2026-01-01", Account: "A"}}, Accounts: []string{"A"}}
		if one := groups(t, l, q); !reflect.DeepEqual(one["A"], all[""]) {
			t.Errorf("of the only account: %d groups, want %d", len(one["A"]), len(all[""]))
		}
		for _, list := range all {
			for _, g := range list {
				if sum, err = sum.Add(g.Cost); err != nil {
					t.Fatal(err)
				}
				rows += g.Rows
			}
		}
		return fmt.Sprint(rows, " ", sum.Text())
	}
	load := func(texts ...string) {
		t.Helper()
		var blobs [][]byte
		for _, s := range texts {
			blobs = append(blobs, packed(t, s))
		}
		if _, err := l.Load(t.Context(), snapshot(t, dir, blobs...), folder(dir)); err != nil {
			t.Fatal(err)
		}
	}
	load(record()+"\n"+record(), record())
	if got := cost(); got != "3 4.5" {
		t.Errorf("three equal records: %s", got)
	}
	load("", record("BillingPreTaxTotal", "-0.0000000001")) // in another file
	if got := cost(); got != "1 -0.0000000001" {
		t.Errorf("replaced: %s", got)
	}
	load() // an export without data
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = e.open(where, 0); err != nil {
		t.Fatal(err)
	}
	load("")
	if got := cost(); got != "0 0" {
		t.Errorf("of nothing: %s", got)
	}
	if err := errors.Join(l.Drop(t.Context(), "s"), l.Drop(t.Context(), "s")); err != nil {
		t.Error(err)
	}
	if _, _, err := l.Records(t.Context(), usage.RecordQuery{Snapshots: []string{"s"}}); !errors.Is(err, fault.NotFound) {
		t.Errorf("dropped, and still there: %v", err)
	}
	for _, id := range []string{"", "..", "a/b", ".hidden"} {
		if err := l.Drop(t.Context(), id); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q is an id: %v", id, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if left := e.left(t, where); left != "" {
		t.Errorf("left over: %s", left)
	}
}
