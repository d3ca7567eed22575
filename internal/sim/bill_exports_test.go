package sim_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

// An export is asked for, runs, succeeds, and dies.
func TestAnExportRunsAndDies(t *testing.T) {
	b := newBill(t)
	b.generate("2026-10", "")
	b.close("2026-10")
	b.s.SetWait(sim.WaitExport, 100*time.Second)
	started := b.as(b.graph, "POST", billing+"/usage/billed/export", map[string]string{"invoiceId": "G000024135", "attributeSet": "basic"}).want(t, 202)
	if started.raw != "" {
		t.Errorf("the body of a 202 is empty, not %s", started.raw)
	}
	to := started.header.Get("Location")
	poll := func() answer { return b.as(b.graph, "GET", to, nil) }
	first := poll().want(t, 200)
	if first.at("status") != "notStarted" || first.header.Get("Retry-After") != "10" || first.at("@odata.type") != "" {
		t.Errorf("at first: %s", first.raw) // at() splits at dots
	}
	b.s.Advance(20 * time.Second)
	if got := poll().want(t, 200); got.at("status") != "running" || got.body["@odata.type"] != "#microsoft.graph.partners.billing.runningOperation" {
		t.Errorf("running: %s", got.raw)
	}
	b.s.Advance(80 * time.Second)
	done := poll().want(t, 200)
	if done.at("status") != "succeeded" || done.body["@odata.type"] != "#microsoft.graph.partners.billing.exportSuccessOperation" || done.header.Get("Retry-After") != "" {
		t.Errorf("done: %s", done.raw)
	}
	m := done.body["resourceLocation"].(map[string]any)
	if m["schemaVersion"] != "1" || m["dataFormat"] != "compressedJSONLines" || m["partnerTenantId"] != sim.DefaultPartnerTenant || m["eTag"] == "" || m["blobCount"] != float64(len(m["blobs"].([]any))) ||
		strings.HasSuffix(m["rootDirectory"].(string), "/") || strings.HasPrefix(m["sasToken"].(string), "?") || m["partitionType"] != "ItemCount" {
		t.Errorf("manifest: %v", m)
	}
	b.s.Change(func(set *sim.Settings) { set.ManifestByLink = true })
	linked := poll().want(t, 200)
	link, _ := linked.body["resourceLocation@odata.navigationLink"].(string)
	if linked.body["resourceLocation"] != nil || b.as(b.graph, "GET", link, nil).want(t, 200).at("eTag") != m["eTag"] {
		t.Errorf("by link: %s", linked.raw)
	}
	b.s.Advance(24 * time.Hour)
	b.graph = b.graphToken("", false)
	poll().want(t, 410)
	b.as(b.graph, "GET", link, nil).want(t, 410)
	b.as(b.graph, "GET", billing+"/operations/11111111-2222-4333-8444-555555555555", nil).want(t, 404)
}

func TestWhatCannotBeExportedIsRefusedOrFails(t *testing.T) {
	b := newBill(t)
	b.generate("2026-10", "")
	b.close("2026-10")
	for _, tc := range []struct {
		says, path string
		body       any
		status     int
	}{
		{"no invoice", "/usage/billed/export", map[string]string{"attributeSet": "full"}, 400},
		{"a set that does not exist", "/usage/billed/export", map[string]string{"invoiceId": "G000024135", "attributeSet": "most"}, 400},
		{"an unknown invoice", "/reconciliation/billed/export", map[string]string{"invoiceId": "G999999999"}, 404},
		{"no currency", "/usage/unbilled/export", map[string]string{"billingPeriod": "current"}, 400},
		{"no period", "/reconciliation/unbilled/export", map[string]string{"currencyCode": "USD"}, 400},
		{"no JSON", "/usage/unbilled/export", "{", 400},
	} {
		if got := b.as(b.graph, "POST", billing+tc.path, tc.body); got.status != tc.status {
			t.Errorf("%s: %d, want %d: %s", tc.says, got.status, tc.status, got.raw)
		}
	}
	b.do("POST", billing+"/usage/billed/export", "{}").want(t, 401)
	b.as(b.app, "POST", billing+"/usage/billed/export", map[string]string{"invoiceId": "G000024135"}).want(t, 401)
	for says, period := range map[string]map[string]string{
		"a billed month":         {"currencyCode": "USD", "billingPeriod": "last"},
		"a currency without use": {"currencyCode": "SEK", "billingPeriod": "last"},
	} {
		f := b.export("/usage/unbilled/export", period)
		if f.operation.body["@odata.type"] != "#microsoft.graph.partners.billing.failedOperation" || f.operation.at("error.code") != "5000" || f.operation.at("status") != "failed" {
			t.Errorf("%s: %s", says, f.operation.raw)
		}
	}
}

// The full set has Microsoft's 55 members in Microsoft's order; the basic one leaves
// some out and changes nothing else.
func TestRecordsHaveTheDocumentedMembers(t *testing.T) {
	const full = "PartnerId PartnerName CustomerId CustomerName CustomerDomainName CustomerCountry MpnId Tier2MpnId InvoiceNumber ProductId SkuId AvailabilityId SkuName ProductName PublisherName PublisherId " +
		"SubscriptionDescription SubscriptionId ChargeStartDate ChargeEndDate UsageDate MeterType MeterCategory MeterId MeterSubCategory MeterName MeterRegion Unit ResourceLocation ConsumedService ResourceGroup ResourceURI " +
		"ChargeType UnitPrice Quantity UnitType BillingPreTaxTotal BillingCurrency PricingPreTaxTotal PricingCurrency ServiceInfo1 ServiceInfo2 Tags AdditionalInfo EffectiveUnitPrice PCToBCExchangeRate PCToBCExchangeRateDate " +
		"EntitlementId EntitlementDescription PartnerEarnedCreditPercentage CreditPercentage CreditType BenefitOrderId BenefitId BenefitType"
	const basic = "PartnerId PartnerName CustomerId CustomerName InvoiceNumber ProductId SkuId SkuName PublisherName SubscriptionId ChargeStartDate ChargeEndDate UsageDate Unit ResourceURI ChargeType UnitPrice Quantity " +
		"BillingPreTaxTotal BillingCurrency PricingPreTaxTotal PricingCurrency EffectiveUnitPrice PCToBCExchangeRate EntitlementId CreditPercentage CreditType BenefitOrderId BenefitType"
	b := newBill(t)
	b.generate("2026-10", "")
	b.close("2026-10")
	whole := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135", "attributeSet": "full"})
	short := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135", "attributeSet": "basic"})
	for _, tc := range []struct {
		file file
		want string
	}{{whole, full}, {short, basic}} {
		if len(tc.file.lines) != 9000 {
			t.Errorf("records = %d", len(tc.file.lines))
		}
		if got := order(t, tc.file.blobs[0]); got != tc.want {
			t.Errorf("members\n%s, documented\n%s", got, tc.want)
		}
	}
	if len(whole.lines) != len(short.lines) {
		t.Fatal("the sets differ in length")
	}
	for i, x := range short.lines {
		for k, v := range x {
			if whole.lines[i][k] != v {
				t.Fatalf("record %d: %s is %v in the basic set, %v in the full", i, k, v, whole.lines[i][k])
			}
		}
	}
}

// order is the sequence of the members of a blob's first record.
func order(t *testing.T, blob []byte) string {
	t.Helper()
	var names []string
	first := firstLine(t, blob)
	for _, part := range bytes.Split(first, []byte(`":`)) {
		i := bytes.LastIndexByte(part, '"')
		if name := string(part[i+1:]); name != "" && name[0] >= 'A' && name[0] <= 'Z' && (i == 0 || part[i-1] == ',' || part[i-1] == '{') {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// Blobs are served as Azure Storage serves them, to whoever has the signature.
func TestBlobsNeedAValidSignature(t *testing.T) {
	b := newBill(t)
	b.generate("2026-10", "")
	b.close("2026-10")
	f := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"})
	to := b.address(f, "part-00000.json.gz")
	root, sas, _ := strings.Cut(to, "?")

	whole, raw := b.blob("GET", to)
	tag := whole.Header.Get("ETag")
	if tag == "" || whole.Header.Get("Accept-Ranges") != "bytes" || whole.Header.Get("x-ms-blob-type") != "BlockBlob" || whole.ContentLength != int64(len(raw)) || whole.Header.Get("Content-Encoding") != "" {
		t.Errorf("headers %v", whole.Header)
	}
	if head, body := b.blob("HEAD", to); head.StatusCode != 200 || head.ContentLength != int64(len(raw)) || len(body) != 0 || head.Header.Get("ETag") != tag {
		t.Errorf("HEAD: %v", head.Header)
	}
	for _, name := range []string{"Range", "x-ms-range"} {
		if part, body := b.blob("GET", to, name, "bytes=100-199"); part.StatusCode != 206 || !bytes.Equal(body, raw[100:200]) || part.Header.Get("Content-Range") != fmt.Sprintf("bytes 100-199/%d", len(raw)) {
			t.Errorf("%s: %d %v", name, part.StatusCode, part.Header)
		}
	}
	if got, _ := b.blob("GET", to, "If-None-Match", tag); got.StatusCode != 304 {
		t.Errorf("If-None-Match: %d", got.StatusCode)
	}
	if got, _ := b.blob("GET", to, "Range", fmt.Sprintf("bytes=%d-", len(raw))); got.StatusCode != 416 {
		t.Errorf("a range after the end: %d", got.StatusCode)
	}
	other := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135", "attributeSet": "basic"})
	for _, tc := range []struct {
		says, url, code string
		status          int
	}{
		{"another export's signature", strings.Replace(b.address(other, "part-00000.json.gz"), other.manifest["rootDirectory"].(string), f.manifest["rootDirectory"].(string), 1), "AuthenticationFailed", 403},
		{"a later end than was signed", root + "?" + strings.Replace(sas, "se=2026", "se=2027", 1), "AuthenticationFailed", 403},
		{"no signature", root, "ResourceNotFound", 404},
		{"a blob that does not exist", b.address(f, "part-00999.json.gz"), "BlobNotFound", 404},
	} {
		got, body := b.blob("GET", tc.url)
		if got.StatusCode != tc.status || got.Header.Get("x-ms-error-code") != tc.code || !strings.Contains(string(body), "<Code>"+tc.code+"</Code>") {
			t.Errorf("%s: %d %s", tc.says, got.StatusCode, body)
		}
	}
	b.s.Advance(12*time.Hour + 2*time.Second)
	if got, body := b.blob("GET", to); got.StatusCode != 403 || !strings.Contains(string(body), "<Code>AuthenticationFailed</Code>") {
		t.Errorf("after 12 h: %d %s", got.StatusCode, body)
	}
	b.graph = b.graphToken("", false)
	again := b.as(b.graph, "GET", f.manifest["rootDirectory"].(string), nil)
	if again.status == 200 {
		t.Error("a folder is no blob")
	}
	manifest := b.as(b.graph, "GET", billing+"/manifests/"+f.manifest["id"].(string), nil).want(t, 200)
	if got, _ := b.blob("GET", root+"?"+manifest.at("sasToken")); got.StatusCode != 200 {
		t.Errorf("with a fresh signature: %d", got.StatusCode)
	}
}

// A manifest's eTag changes with the data and only with them; what was exported before
// stays readable as it was.
func TestANewETagMeansNewData(t *testing.T) {
	b := newBill(t)
	b.generate("2026-11", "") // running: it is the 8th
	ask := func() file {
		b.graph = b.graphToken("", false)
		return b.export("/usage/unbilled/export", map[string]string{"currencyCode": "USD", "billingPeriod": "current"})
	}
	first := ask()
	if again := ask(); again.manifest["eTag"] != first.manifest["eTag"] || !bytes.Equal(bytes.Join(again.blobs, nil), bytes.Join(first.blobs, nil)) {
		t.Error("nothing changed, and the export did")
	}
	last := ""
	for _, x := range first.lines {
		last = max(last, text(x, "UsageDate"))
		if text(x, "InvoiceNumber") != "" || text(x, "Tier2MpnId") != "" {
			t.Fatalf("unbilled, and with an invoice: %v", x)
		}
	}
	if last != "2026-11-07T00:00:00Z" {
		t.Errorf("the last day is %s, it is the 8th at 10:00", last)
	}
	b.s.Advance(24 * time.Hour)
	next := ask()
	if next.manifest["eTag"] == first.manifest["eTag"] || len(next.lines) <= len(first.lines) {
		t.Errorf("a day later: %d records after %d, eTag %v", len(next.lines), len(first.lines), next.manifest["eTag"])
	}
	b.control("POST", "/plant", `{"month":"2026-11","late":2,"restated":1}`).want(t, 200)
	planted := ask()
	if planted.manifest["eTag"] == next.manifest["eTag"] {
		t.Error("records were planted, and the eTag is the same")
	}
	if got, raw := b.blob("GET", b.address(next, "part-00000.json.gz")); got.StatusCode != 200 || !bytes.Equal(raw, next.blobs[0]) {
		t.Errorf("the earlier export changed afterwards: %d", got.StatusCode)
	}
}

// Whatever goes wrong with a file can be asked for.
func TestFilesMisbehaveOnRequest(t *testing.T) {
	const blobs = "GET /billingblobs/{}/{}"
	b := newBill(t)
	b.generate("2026-10", "")
	b.close("2026-10")
	f := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"})
	to, whole := b.address(f, "part-00000.json.gz"), f.blobs[0]
	for _, tc := range []struct {
		fault sim.Fault
		says  string
		check func(resp *http.Response, raw []byte) bool
	}{
		{sim.Fault{Kind: sim.TruncateBlob}, "the file ends in the middle", func(r *http.Response, raw []byte) bool {
			return r.StatusCode == 200 && len(raw) == len(whole)/2 && bytes.HasPrefix(whole, raw)
		}},
		{sim.Fault{Kind: sim.CutBlob}, "the connection ends in the middle", func(r *http.Response, raw []byte) bool {
			return r.StatusCode == 200 && r.ContentLength == int64(len(whole)) && raw == nil
		}},
		{sim.Fault{Kind: sim.CorruptBlob}, "bytes are others", func(_ *http.Response, raw []byte) bool {
			return len(raw) == len(whole) && !bytes.Equal(raw, whole)
		}},
		{sim.Fault{Kind: sim.ExpireSAS}, "the signature has expired", func(r *http.Response, _ []byte) bool {
			return r.StatusCode == 403 && r.Header.Get("x-ms-error-code") == "AuthenticationFailed"
		}},
		{sim.Fault{Kind: sim.FailBefore, Status: 503}, "the storage is busy", func(r *http.Response, raw []byte) bool {
			return r.StatusCode == 503 && strings.Contains(string(raw), "<Code>ServerBusy</Code>")
		}},
		{sim.Fault{Kind: sim.FailBefore, Status: 404, Code: "BlobNotFound"}, "the blob is gone", func(r *http.Response, raw []byte) bool {
			return r.StatusCode == 404 && r.Header.Get("x-ms-error-code") == "BlobNotFound"
		}},
		{sim.Fault{Kind: sim.Delay, Delay: sim.Duration(time.Millisecond)}, "it takes longer", func(r *http.Response, raw []byte) bool {
			return r.StatusCode == 200 && bytes.Equal(raw, whole)
		}},
		{sim.Fault{Kind: sim.ByteOrderMark}, "a byte order mark", func(_ *http.Response, raw []byte) bool {
			return bytes.HasPrefix(firstLine(t, raw), []byte("\xEF\xBB\xBF{"))
		}},
		{sim.Fault{Kind: sim.DropMembers, Members: []string{"Quantity"}}, "a member is missing", func(_ *http.Response, raw []byte) bool {
			_, there := records(t, raw)[0]["Quantity"]
			return !there
		}},
		{sim.Fault{Kind: sim.RenameMembers, Members: []string{"Quantity=UsageQuantity"}}, "a member has another name", func(_ *http.Response, raw []byte) bool {
			x := records(t, raw)[0]
			return x["Quantity"] == nil && x["UsageQuantity"] == f.lines[0]["Quantity"]
		}},
		{sim.Fault{Kind: sim.ExtraMembers}, "a member is new", func(_ *http.Response, raw []byte) bool {
			return records(t, raw)[0]["simulatedExtra"] != nil
		}},
		{sim.Fault{Kind: sim.StringNumbers}, "numbers are text", func(_ *http.Response, raw []byte) bool {
			s, is := records(t, raw)[0]["BillingPreTaxTotal"].(string)
			return is && s == text(f.lines[0], "BillingPreTaxTotal")
		}},
	} {
		b.s.Fail(blobs, tc.fault)
		resp, raw := b.blob("GET", to)
		if !tc.check(resp, raw) {
			t.Errorf("%s: status %d, %d bytes of %d", tc.says, resp.StatusCode, len(raw), len(whole))
		}
		if resp, raw := b.blob("GET", to); resp.StatusCode != 200 || !bytes.Equal(raw, whole) {
			t.Errorf("after %q the blob is not itself again: %d", tc.says, resp.StatusCode)
		}
	}
	b.s.Fail("POST "+billing+"/usage/billed/export", sim.Fault{Kind: sim.FailOperation, Code: "5001", Message: "Something broke."})
	failed := b.export("/usage/billed/export", map[string]string{"invoiceId": "G000024135"})
	if failed.operation.at("error.code") != "5001" || failed.manifest != nil {
		t.Errorf("failed: %s", failed.operation.raw)
	}
	b.s.Fail("GET "+billing+"/operations/{}", sim.Fault{Kind: sim.FailBefore, Status: 410})
	started := b.as(b.graph, "POST", billing+"/usage/billed/export", map[string]string{"invoiceId": "G000024135"}).want(t, 202)
	b.as(b.graph, "GET", started.header.Get("Location"), nil).want(t, 410)
	if _, err := url.Parse(started.header.Get("Location")); err != nil {
		t.Error(err)
	}
}
