package sim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"causeway/internal/sim"
)

// sample is one documented exchange, kept in testdata/samples.
type sample struct {
	Name    string
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         any
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    any
	}
}

// volatile members are ids, dates, secrets and counts of a shortened list: they must
// be there and have the type, not the value.
var volatile = []string{"id", "commerceId", "tenantId", "password", "etag", "access_token", "expires_on", "not_before", "uri",
	"creationTimestamp", "lastModifiedTimestamp", "expirationTimestamp", "lastModifiedUser", "creationDate", "effectiveStartDate", "commitmentEndDate"}

// Every documented sample of Entra ID and Partner Center is answered with the same
// status, headers and members.
func TestSamplesAreAnsweredAsDocumented(t *testing.T) {
	for _, tc := range []struct {
		file   string
		says   string
		option sim.Option
		seed   string
		before func(*sim.Server)
		path   string            // where the sample has placeholders
		body   map[string]string // replaced texts of a form
		free   []string          // further members whose value is the sample's own
	}{
		{file: "01-auth-app-only-token.json", says: "an app-only token", path: "/" + sim.DefaultPartnerTenant + "/oauth2/token",
			body: map[string]string{"client_id": sim.DefaultAppID, "client_secret": sim.DefaultAppSecret}},
		{file: "02-domain-available.json", says: "a free domain"},
		{file: "03-validate-address-verified.json", says: "an address that can be shipped to"},
		{file: "04-create-customer-for-indirect-reseller.json", says: "a customer of an indirect reseller",
			option: func(c *sim.Config) { c.Partner.Indirect = true },
			seed:   `{"resellers":[{"id":"484e548c-f5f3-4528-93a9-c16c6373cb59","name":"Fabrikam Resale","mpnId":"5139005"}]}`},
		{file: "05-list-customers.json", says: "a page of customers", free: []string{"domain", "companyName"},
			seed: `{"customers":[{"domain":"one.onmicrosoft.com","name":"One"},{"domain":"two.onmicrosoft.com","name":"Two"}]}`},
		{file: "06-agreement-metadata.json", says: "the agreement's template"},
		{file: "07-agreement-confirmations.json", says: "two confirmations",
			seed: `{"customers":[{"id":"14876998-c0dc-46e6-9d0c-65a57a6c32ec","domain":"one.onmicrosoft.com","name":"One","agreements":[
				{"firstName":"Tania","lastName":"Carr","email":"SomeEmail@example.com","phoneNumber":"1234567890","dateAgreed":"2019-08-26"},
				{"firstName":"Tania","lastName":"Carr","email":"SomeEmail@example.com","phoneNumber":"1234567890","dateAgreed":"2019-08-27"}]}]}`},
		{file: "08-partner-by-mpn-id-not-found.json", says: "an unknown partner id"},
		// The items shown belong to another view (the sample's own note), and the text is shorter here.
		{file: "09-products-azure.json", says: "products for Azure", free: []string{"totalCount", "description"}},
		{file: "10-skus-of-product.json", says: "SKUs of a reservation", free: []string{"totalCount"}},
		// The sample answers with another software item and another scope than it was asked for.
		{file: "11-create-cart.json", says: "a cart of all kinds", free: []string{"catalogItemId", "scope"},
			option: sim.WithSettings(func(s *sim.Settings) { s.LegacyOffer2016 = true }),
			seed:   `{"customers":[{"id":"d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d","domain":"one.onmicrosoft.com","name":"One"}]}`},
		{file: "12-order-by-id.json", says: "an order", path: "/v1/customers/b0d70a69-4c42-4b27-b17b-91a835d8686a/orders/YxH1q4KScfvfkJQjgRI8QY1DznnUWZTH1",
			seed: `{"customers":[{"id":"b0d70a69-4c42-4b27-b17b-91a835d8686a","domain":"one.onmicrosoft.com","name":"One","orders":[{"id":"YxH1q4KScfvfkJQjgRI8QY1DznnUWZTH1",
				"offerId":"DZH318Z0BQ4Z:002L:DZH318Z0CMNP","friendlyName":"Reserved_VM_Instance_Standard_NC12_AU_East_1_Year","creationDate":"2018-03-13T22:49:54Z"}]}]}`},
		{file: "13-subscriptions-of-customer.json", says: "a subscription of the license era", path: "/v1/customers/b0d70a69-4c42-4b27-b17b-91a835d8686a/subscriptions", free: []string{"totalCount"},
			seed: `{"customers":[{"id":"b0d70a69-4c42-4b27-b17b-91a835d8686a","domain":"one.onmicrosoft.com","name":"One","legacy":[{"id":"83ef9d05-4169-4ef9-9657-0e86b1eab1de",
				"name":"nickname","entitlementId":"a356ac8c-e310-44f4-bf85-C7f29044af99","unitType":"none","billingType":"none","offerId":"0CCA44D6-68E9-4762-94EE-31ECE98783B9",
				"orderId":"6183db3d-6318-4e52-877e-25806e4971be","effectiveStartDate":"2015-11-24T08:00:00Z","commitmentEndDate":"2016-12-12T08:00:00Z"}]}]}`},
		{file: "14-azure-entitlements.json", says: "the Azure subscriptions of a plan",
			seed: `{"customers":[{"id":"11f9bc2a-1f38-431c-a0b0-9455c6f5bbc0","domain":"one.onmicrosoft.com","name":"One","plan":{"id":"3f15978e-005c-b763-bb78-2a8fab289c58",
				"subscriptions":[{"id":"899ae6f1-8a74-4d5e-b6c6-e6b5019bbff8","name":"Microsoft Azure"}]}}]}`},
		{file: "17-usage-budget-get.json", says: "a usage budget", path: "/v1/customers/b0d70a69-4c42-4b27-b17b-91a835d8686a/usagebudget",
			seed: `{"customers":[{"id":"b0d70a69-4c42-4b27-b17b-91a835d8686a","domain":"one.onmicrosoft.com","name":"One","budget":100}]}`},
		{file: "19-webhook-get-registration.json", says: "the webhook registration",
			seed: `{"webhook":{"url":"{{YourCallbackUrl}}","events":["subscription-updated","test-created"]}}`},
		{file: "20-throttled.json", says: "a throttled call", path: "/v1/customers", before: func(s *sim.Server) { s.ThrottleNext("GET /v1/customers", 57) }},
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
			var options []sim.Option
			if tc.option != nil {
				options = append(options, tc.option)
			}
			s := sim.Start(t, options...)
			if tc.seed != "" {
				var seed sim.Seed
				if err := json.Unmarshal([]byte(tc.seed), &seed); err != nil {
					t.Fatal(err)
				}
				if err := s.Seed(seed); err != nil {
					t.Fatal(err)
				}
			}
			p := newPartner(t, s)
			if tc.before != nil {
				tc.before(s)
			}

			got, body := send(t, p, want, tc.path, tc.body)

			if got.StatusCode != want.Response.Status {
				t.Fatalf("status %d, documented %d: %s", got.StatusCode, want.Response.Status, body)
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
			for _, difference := range differences("", want.Response.Body, members, append(tc.free, volatile...)) {
				t.Error(difference)
			}
			if t.Failed() {
				t.Logf("answer: %s", body)
			}
		})
	}
}

func send(t *testing.T, p *partner, want sample, path string, form map[string]string) (*http.Response, []byte) {
	t.Helper()
	var body io.Reader
	if want.Request.Body != nil {
		if strings.Contains(want.Request.Headers["Content-Type"], "form") {
			v := url.Values{}
			for k, x := range want.Request.Body.(map[string]any) {
				v.Set(k, fmt.Sprint(x))
			}
			for k, x := range form {
				v.Set(k, x)
			}
			body = strings.NewReader(v.Encode())
		} else {
			b, err := json.Marshal(want.Request.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = bytes.NewReader(b)
		}
	}
	if path == "" {
		path = want.Request.Path
	}
	req, err := http.NewRequestWithContext(t.Context(), want.Request.Method, p.s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range want.Request.Headers {
		if k != "Host" {
			req.Header.Set(k, strings.ReplaceAll(v, "{token}", p.user))
		}
	}
	resp, err := p.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return resp, raw
}

// sameHeaders compares the documented headers; where a sample answers with other ids
// than it was sent, the rule (the ids are echoed) counts.
func sameHeaders(t *testing.T, want sample, got http.Header) {
	t.Helper()
	for name, value := range want.Response.Headers {
		sent := want.Request.Headers[name]
		first, _, _ := strings.Cut(value, ",")
		if strings.HasPrefix(name, "MS-") && first != sent {
			value = sent
			if value == "" {
				value = got.Get(name) // the sample sent none: any
			}
		}
		if got.Get(name) != value || value == "" {
			t.Errorf("header %s is %q, documented %q", name, got.Get(name), value)
		}
	}
}

// differences compares a documented value with the answer's, member by member.
func differences(at string, want, got any, free []string) []string {
	var out []string
	switch w := want.(type) {
	case map[string]any:
		g, is := got.(map[string]any)
		if !is {
			return []string{fmt.Sprintf("%s is %T, documented an object", at, got)}
		}
		for k, v := range w {
			inner, there := g[k]
			switch {
			case !there && v != nil:
				out = append(out, fmt.Sprintf("%s.%s is missing", at, k))
			case there && slices.Contains(free, k):
				if reflect.TypeOf(inner) != reflect.TypeOf(v) {
					out = append(out, fmt.Sprintf("%s.%s is %T, documented %T", at, k, inner, v))
				}
			case there:
				out = append(out, differences(at+"."+k, v, inner, free)...)
			}
		}
		for k := range g {
			if _, documented := w[k]; !documented {
				out = append(out, fmt.Sprintf("%s.%s is not documented", at, k))
			}
		}
	case []any:
		g, is := got.([]any)
		if !is {
			return []string{fmt.Sprintf("%s is %T, documented a list", at, got)}
		}
		if len(w) == 0 && len(g) > 0 {
			out = append(out, fmt.Sprintf("%s has %d items, documented none", at, len(g)))
		}
		for i, item := range w {
			if ellipsis, is := item.([]any); is && len(ellipsis) == 0 {
				continue
			}
			var best []string
			for j, candidate := range g {
				d := differences(fmt.Sprintf("%s[%d]", at, j), item, candidate, free)
				if j == 0 || len(d) < len(best) {
					best = d
				}
			}
			if len(g) == 0 {
				best = []string{fmt.Sprintf("%s[%d] is missing", at, i)}
			}
			out = append(out, best...)
		}
	default:
		if !reflect.DeepEqual(want, got) {
			out = append(out, fmt.Sprintf("%s is %v, documented %v", at, got, want))
		}
	}
	return out
}
