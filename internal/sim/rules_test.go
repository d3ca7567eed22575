package sim_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/sim"
)

// The ten rules of the contract, most of them by what a client must survive.

func TestARequestIdIsReplayedOnlyAfterASuccess(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	const id = "00000000-aaaa-4000-8000-00000000000"
	create := func(request, domain string) answer {
		return p.as(p.app, "POST", "/v1/customers", contoso(domain), "MS-RequestId", id+request)
	}

	s.Fail("POST /v1/customers", sim.Fault{Kind: sim.FailBefore, Status: 503})
	create("1", "one.onmicrosoft.com").want(t, 503, 800003)
	first := create("1", "one.onmicrosoft.com").want(t, 201) // a failure is not kept
	again := create("1", "one.onmicrosoft.com").want(t, 201)
	if again.raw != first.raw || again.header.Get("MS-RequestId") != id+"1" {
		t.Errorf("the replay differs: %s", again.raw)
	}
	create("2", "one.onmicrosoft.com").want(t, 409, 27002) // another id is another call
	s.Fail("POST /v1/customers", sim.Fault{Kind: sim.ForgetRequestID})
	create("1", "one.onmicrosoft.com").want(t, 409, 27002)
	s.Fail("POST /v1/customers", sim.Fault{Kind: sim.FailAfter, Status: 500})
	create("3", "three.onmicrosoft.com").want(t, 500)
	s.Change(func(set *sim.Settings) { set.ReplayWithoutCredentials = true })
	if a := create("3", "three.onmicrosoft.com").want(t, 201); a.at("userCredentials.password") != "" || a.at("id") == "" {
		t.Errorf("a replay without credentials: %s", a.raw)
	}
	if err := s.TakeDomain("four.onmicrosoft.com"); err != nil {
		t.Fatal(err)
	}
	create("4", "four.onmicrosoft.com").want(t, 409, 27002)
	p.do("DELETE", s.URL+"/_sim/domains/four.onmicrosoft.com", "").want(t, 204)
	create("4", "four.onmicrosoft.com").want(t, 201) // a refusal is not kept either
	s.Advance(25 * time.Hour)
	p.refresh()
	create("3", "three.onmicrosoft.com").want(t, 409, 27002) // the retention is over
	if n := len(s.Customers()); n != 3 {
		t.Errorf("customers = %d, want 3", n)
	}
}

func TestTheSameRequestIdAtTheSameTimeIsOneCustomer(t *testing.T) {
	s := sim.Start(t)
	s.SetWait(sim.WaitCustomerCreate, 50*time.Millisecond)
	p := newPartner(t, s)
	var wg sync.WaitGroup
	answers := make([]answer, 8)
	for i := range answers {
		wg.Go(func() {
			answers[i] = p.as(p.app, "POST", "/v1/customers", contoso("contoso.onmicrosoft.com"), "MS-RequestId", "00000000-bbbb-4000-8000-000000000001")
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a.want(t, 201).raw != answers[0].raw {
			t.Errorf("answers differ: %s", a.raw)
		}
	}
	if n := len(s.Customers()); n != 1 {
		t.Errorf("customers = %d, want 1", n)
	}
}

func TestFaultsDoWhatTheyAreNamedAfter(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	id := p.create("contoso.onmicrosoft.com")
	at := "/v1/customers/" + id
	budget := func() answer { return p.as(p.app, "GET", at+"/usagebudget", nil) }
	p.as(p.app, "PATCH", at+"/usagebudget", map[string]float64{"amount": 100}).want(t, 200)
	for _, tc := range []struct {
		says  string
		fault sim.Fault
		check func(answer) bool
	}{
		{"429 with Retry-After", sim.Fault{Kind: sim.Throttled, RetryAfter: 7}, func(a answer) bool { return a.status == 429 && a.header.Get("Retry-After") == "7" }},
		{"429 without Retry-After", sim.Fault{Kind: sim.Throttled, RetryAfter: -1}, func(a answer) bool {
			return a.status == 429 && a.header.Get("Retry-After") == "" && a.at("statusCode") == "429"
		}},
		{"a server error", sim.Fault{Kind: sim.FailBefore}, func(a answer) bool { return a.status == 500 && a.at("code") == "800003" }},
		{"an error of one's own", sim.Fault{Kind: sim.FailBefore, Status: 409, Code: 800060, Message: "Your order is in progress"}, func(a answer) bool {
			return a.status == 409 && a.at("code") == "800060"
		}},
		{"HTML instead of JSON", sim.Fault{Kind: sim.HTMLBody}, func(a answer) bool { return a.status == 502 && strings.HasPrefix(a.raw, "<html>") }},
		{"a byte order mark", sim.Fault{Kind: sim.ByteOrderMark}, func(a answer) bool { return strings.HasPrefix(a.raw, "\xef\xbb\xbf{") }},
		{"doubled headers", sim.Fault{Kind: sim.DoubleHeaders}, func(a answer) bool {
			first, second, two := strings.Cut(a.header.Get("MS-RequestId"), ",")
			return two && first == second && a.header.Get("X-Locale") == "en-US,en-US"
		}},
		{"numbers as text", sim.Fault{Kind: sim.StringNumbers}, func(a answer) bool { n, text := a.body["amount"].(string); return text && n == "100" }},
		{"missing members", sim.Fault{Kind: sim.DropMembers, Members: []string{"usageSpendingBudget"}}, func(a answer) bool {
			_, there := a.body["usageSpendingBudget"]
			return !there && a.at("amount") == "100"
		}},
		{"unknown members", sim.Fault{Kind: sim.ExtraMembers}, func(a answer) bool {
			return a.at("simulatedExtra.n") == "1" && a.at("attributes.simulatedExtra.n") == "1"
		}},
	} {
		t.Run(tc.says, func(t *testing.T) {
			s.Fail("GET /v1/customers/{}/usagebudget", tc.fault)
			if a := budget(); !tc.check(a) {
				t.Errorf("%d %v %s %v", a.status, a.header, a.raw, a.err)
			}
			if a := budget(); a.status != 200 || strings.HasPrefix(a.raw, "\xef") || a.at("simulatedExtra.n") != "" {
				t.Errorf("the fault came twice: %d %s", a.status, a.raw)
			}
		})
	}
}

func TestAHangUpBeforeTheEffectLeavesNothing(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	s.HangUpBefore("POST /v1/customers")
	if a := p.as(p.app, "POST", "/v1/customers", contoso("contoso.onmicrosoft.com")); a.err == nil {
		t.Fatalf("the connection should be cut, got %d", a.status)
	}
	if n := len(s.Customers()); n != 0 {
		t.Errorf("customers = %d, want 0", n)
	}
	if a := p.as(p.app, "HEAD", "/v1/domains/contoso.onmicrosoft.com", nil); a.status != 404 {
		t.Errorf("the domain answers %d, want 404: free", a.status)
	}
}

func TestAFaultCountsWaitsAndEnds(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	statuses := func(n int) (out []int) {
		for range n {
			out = append(out, p.as(p.app, "GET", "/v1/customers", nil).status)
		}
		return out
	}
	s.Fail("* /v1/*", sim.Fault{Kind: sim.FailBefore, Status: 503, After: 1, Count: 2})
	if got := fmt.Sprint(statuses(4)); got != "[200 503 503 200]" {
		t.Errorf("statuses %s", got)
	}
	s.ClearFaults()
	s.Fail("GET /v1/customers", sim.Fault{Kind: sim.FailBefore, For: sim.Duration(time.Minute)})
	if got := fmt.Sprint(statuses(2)); got != "[500 500]" {
		t.Errorf("statuses %s", got)
	}
	s.Advance(time.Minute)
	if got := fmt.Sprint(statuses(1)); got != "[200]" {
		t.Errorf("statuses %s", got)
	}
	s.ClearFaults()
	s.Fail("*", sim.Fault{Kind: sim.FailBefore, Probability: 0.5})
	failed := 0
	for _, status := range statuses(100) {
		if status == 500 {
			failed++
		}
	}
	if failed < 25 || failed > 75 {
		t.Errorf("%d of 100 calls failed, want about half", failed)
	}
}

func TestListsCanLag(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	p.create("contoso.onmicrosoft.com")
	s.Fail("GET /v1/customers", sim.Fault{Kind: sim.LagLists, Delay: sim.Duration(time.Minute), Count: -1})
	if got := p.as(p.app, "GET", "/v1/customers", nil).at("totalCount"); got != "0" {
		t.Errorf("a lagging list shows %s customers, want 0", got)
	}
	s.Advance(time.Minute)
	if got := p.as(p.app, "GET", "/v1/customers", nil).at("totalCount"); got != "1" {
		t.Errorf("a minute later it shows %s, want 1", got)
	}
}

func TestABudgetOfCallsIsKept(t *testing.T) {
	s := sim.Start(t, sim.WithFactor(20), sim.WithSettings(func(set *sim.Settings) { set.Throttle = map[string]int{sim.GroupCustomers: 3} }))
	p := newPartner(t, s)
	for range 3 {
		p.as(p.app, "GET", "/v1/customers", nil).want(t, 200)
	}
	a := p.as(p.app, "GET", "/v1/customers", nil).want(t, 429)
	if wait := a.header.Get("Retry-After"); wait != "3" {
		t.Errorf("Retry-After is %q, want 3: a minute twenty times as fast", wait)
	}
	p.as(p.app, "GET", "/v1/products?country=US&targetView=MicrosoftAzure", nil).want(t, 200)
	s.Advance(3 * time.Second)
	p.as(p.app, "GET", "/v1/customers", nil).want(t, 200)
}

func TestCustomersArePagedAndFiltered(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	if err := s.Seed(sim.Seed{Count: 7, Customers: []sim.SeedCustomer{{Domain: "contoso.onmicrosoft.com", Name: "Contoso Ltd"}}}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	path, token := "/v1/customers?size=3", ""
	for pages := 0; path != ""; pages++ {
		if pages > 3 {
			t.Fatal("the pages do not end")
		}
		a := p.as(p.app, "GET", path, nil, "MS-ContinuationToken", token).want(t, 200)
		for _, item := range a.body["items"].([]any) {
			seen[item.(map[string]any)["id"].(string)] = true
		}
		path, token = a.at("links.next.uri"), a.at("links.next.headers.0.value")
		if path != "" {
			path = "/v1" + path
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d customers on all pages, want 8", len(seen))
	}
	for _, tc := range []struct{ says, field, value, operator, want string }{
		{"a name begins with", "CompanyName", "cont", "starts_with", "1"},
		{"a name contains", "CompanyName", "company", "substring", "7"},
		{"a domain equals", "Domain", "CONTOSO.onmicrosoft.com", "equals", "1"},
		{"a name does not begin with", "CompanyName", "Seeded", "not_starts_with", "1"},
	} {
		t.Run(tc.says, func(t *testing.T) {
			f, err := json.Marshal(map[string]string{"Field": tc.field, "Value": tc.value, "Operator": tc.operator})
			if err != nil {
				t.Fatal(err)
			}
			a := p.as(p.app, "GET", "/v1/customers?size=0&filter="+url.QueryEscape(string(f)), nil).want(t, 200)
			if got := a.at("totalCount"); got != tc.want {
				t.Errorf("%s customers, want %s", got, tc.want)
			}
		})
	}
	p.as(p.app, "GET", "/v1/customers?filter=nonsense", nil).want(t, 400, 3000)
}

func TestANewCustomerIsRefusedWithTheDocumentedCode(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	if err := s.TakeDomain("taken.onmicrosoft.com"); err != nil {
		t.Fatal(err)
	}
	address := func(c map[string]any) map[string]any {
		return c["billingProfile"].(map[string]any)["defaultAddress"].(map[string]any)
	}
	in := func(country, postal, state string) func(map[string]any) {
		return func(c map[string]any) {
			a := address(c)
			a["country"], a["postalCode"], a["state"] = country, postal, state
		}
	}
	number := func(n string) func(map[string]any) {
		return func(c map[string]any) { c["companyProfile"].(map[string]any)["organizationRegistrationNumber"] = n }
	}
	for _, tc := range []struct {
		says   string
		edit   []func(map[string]any)
		status int
		code   int
		names  string
	}{
		{"a taken domain", []func(map[string]any){func(c map[string]any) {
			c["companyProfile"].(map[string]any)["domain"] = "Taken.onmicrosoft.com"
		}}, 409, 27002, "Domain"},
		{"a domain of another kind", []func(map[string]any){func(c map[string]any) {
			c["companyProfile"].(map[string]any)["domain"] = "contoso.com"
		}}, 400, 27002, "Domain"},
		{"a chosen password", []func(map[string]any){func(c map[string]any) {
			c["userCredentials"] = map[string]string{"userName": "admin", "password": "Chosen!"}
		}}, 400, 27002, "UserCredentials.Password"},
		{"an unknown state", []func(map[string]any){in("US", "98052", "ZZ")}, 400, 27002, "State"},
		{"a region in the United States", []func(map[string]any){func(c map[string]any) { address(c)["region"] = "WA" }}, 400, 27002, "Region"},
		{"a postal code of another country", []func(map[string]any){in("US", "SW1A 1AA", "WA")}, 400, 27002, "PostalCode"},
		{"UK instead of GB", []func(map[string]any){in("UK", "SW1A 1AA", "")}, 400, 27002, "Country"},
		{"a number where none is supported", []func(map[string]any){number("123")}, 400, 600002, "OrganizationRegistrationNumber"},
		{"a missing number in Hungary", []func(map[string]any){in("HU", "1051", "")}, 400, 600049, "OrganizationRegistrationNumber"},
		{"a malformed number in Ukraine", []func(map[string]any){in("UA", "01001", ""), number("12")}, 400, 600050, "OrganizationRegistrationNumber"},
		{"a missing phone in Kazakhstan", []func(map[string]any){in("KZ", "010000", ""), number("123456789012"), func(c map[string]any) { delete(address(c), "phoneNumber") }}, 400, 600051, "PhoneNumber"},
		{"a first name of 51 letters", []func(map[string]any){func(c map[string]any) { address(c)["firstName"] = strings.Repeat("Ж", 51) }}, 400, 27002, "FirstName"},
		{"a reseller of a direct partner", []func(map[string]any){func(c map[string]any) { c["associatedPartnerId"] = "484e548c-f5f3-4528-93a9-c16c6373cb59" }}, 400, 600006, "AssociatedPartnerId"},
	} {
		t.Run(tc.says, func(t *testing.T) {
			c := contoso("contoso.onmicrosoft.com")
			for _, edit := range tc.edit {
				edit(c)
			}
			if a := p.as(p.app, "POST", "/v1/customers", c).want(t, tc.status, tc.code); a.at("data.0") != tc.names {
				t.Errorf("data names %q, want %q: %s", a.at("data.0"), tc.names, a.raw)
			}
		})
	}
	if n := len(s.Customers()); n != 0 {
		t.Errorf("%d customers were made", n)
	}
	s.Change(func(set *sim.Settings) { set.Markets = []string{"DE"} })
	p.as(p.app, "POST", "/v1/customers", contoso("contoso.onmicrosoft.com")).want(t, 403, 2030)
}

func TestAddressesAreValidatedTheSameWayEveryTime(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	for _, tc := range []struct{ says, line, city, state, postal, country, status, suggested string }{
		{"a good address", "2 Microsoft Way", "Redmond", "WA", "98052", "US", "VerifiedShippable", "98052"},
		{"a misspelt city", "2 Microsoft Way", "Redmund", "WA", "98052", "US", "InteractionRequired", "98052"},
		{"a postal code of another town", "2 Microsoft Way", "Redmond", "WA", "98025", "US", "InteractionRequired", "98052"},
		{"a street nobody knows", "1 Unknown Street", "Redmond", "WA", "98052", "US", "StreetPartial", ""},
		{"a street that exists twice", "1 Twin Street", "Redmond", "WA", "98052", "US", "Multiple", "98052"},
		{"no such place", "1 Nowhere Road", "Redmond", "WA", "98052", "US", "None", ""},
		{"a malformed postal code", "2 Microsoft Way", "Redmond", "WA", "980", "US", "None", ""},
		{"a country without data", "1 Main", "Town", "", "1", "ZZ", "NotValidated", ""},
		{"another script", "神南1-1", "渋谷区", "", "150-0041", "JP", "VerifiedShippable", "150-0041"},
	} {
		t.Run(tc.says, func(t *testing.T) {
			a := p.as(p.app, "POST", "/v1/validations/address", map[string]string{"AddressLine1": tc.line, "City": tc.city, "State": tc.state, "PostalCode": tc.postal, "Country": tc.country}).want(t, 200)
			if a.at("status") != tc.status || a.at("suggestedAddresses.0.postalCode") != tc.suggested {
				t.Errorf("answer %s", a.raw)
			}
		})
	}
	p.do("POST", s.URL+"/_sim/address-rules", `{"city":"Redmond","status":"NotValidated"}`).want(t, 200)
	if got := p.as(p.app, "POST", "/v1/validations/address", map[string]string{"AddressLine1": "2 Microsoft Way", "City": "Redmond", "State": "WA", "PostalCode": "98052", "Country": "US"}).at("status"); got != "NotValidated" {
		t.Errorf("a rule of the control API does not count: %s", got)
	}
}

func TestEveryCountryHasRulesThatRead(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	for _, iso := range strings.Fields("US CA GB IE AU NZ HK SG DE AT CH FR BE NL ES PT IT SE NO DK FI PL CZ HU RO BG GR UA KZ TR AE SA ZA IN JP KR TW TH VN BR MX AR") {
		a := p.as(p.app, "GET", "/v1/countryvalidationrules/"+iso, nil).want(t, 200)
		if a.at("iso2Code") != iso || a.at("supportedCulturesList.0") == "" || a.at("countryCallingCodesList.0") == "" {
			t.Errorf("%s: %s", iso, a.raw)
		}
	}
	if got := p.as(p.app, "GET", "/v1/countryvalidationrules/US", nil).at("isStateRequired"); got != "true" {
		t.Errorf("the state in the United States is required: %s", got)
	}
	p.as(p.app, "GET", "/v1/countryvalidationrules/UK", nil).want(t, 404, 1000)
	s.Change(func(set *sim.Settings) { set.CountryPageShape = true })
	if a := p.as(p.app, "GET", "/v1/countryvalidationrules/US", nil); a.at("states.value.0") != "AL" || a.at("supportedStatesList.0") != "" {
		t.Errorf("the page's shape: %s", a.raw)
	}
}

func TestTheAgreementIsReachedByThreeWays(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	buys := func(customer string) answer {
		return p.as(p.app, "POST", "/v1/customers/"+customer+"/carts/"+p.cart(customer, p.azurePlan(customer))+"/checkout", nil)
	}

	enhanced := p.create("one.onmicrosoft.com")
	attestation := p.accept("Account")
	p.as(p.user, "POST", "/v1/customers/"+enhanced+"/agreements", agreement("")).want(t, 400, 2001)
	p.as(p.user, "POST", "/v1/customers/"+enhanced+"/agreements", agreement(attestation)).want(t, 201)
	a := p.as(p.user, "POST", "/v1/customers/"+enhanced+"/agreements", agreement(attestation)).want(t, 409, 600061)
	if a.at("errorName") != "PartnerConfirmedAgreementAlreadyExists" || a.at("isRetryable") != "false" {
		t.Errorf("the second confirmation: %s", a.raw)
	}
	other := p.create("two.onmicrosoft.com")
	p.as(p.user, "POST", "/v1/customers/"+other+"/agreements", agreement(attestation)).want(t, 400, 2000)
	buys(enhanced).want(t, 201)

	direct := p.create("three.onmicrosoft.com")
	status := "/v1/customers/" + direct + "/directSignedMicrosoftCustomerAgreementStatus"
	if got := p.as(p.user, "GET", status, nil).want(t, 200).at("isSigned"); got != "false" {
		t.Errorf("isSigned is %s", got)
	}
	buys(direct).want(t, 403, 13605)
	if err := s.AcceptDirectly(direct); err != nil {
		t.Fatal(err)
	}
	if got := p.as(p.user, "GET", status, nil).at("isSigned"); got != "true" {
		t.Errorf("isSigned is %s", got)
	}
	buys(direct).want(t, 201)

	s.Change(func(set *sim.Settings) { set.Agreement = sim.AgreementLegacy })
	legacy := p.create("four.onmicrosoft.com")
	late := agreement("")
	late["dateAgreed"] = s.Clock.Now().Add(24 * time.Hour).Format(time.RFC3339)
	p.as(p.user, "POST", "/v1/customers/"+legacy+"/agreements", late).want(t, 400, 3000)
	p.as(p.app, "POST", "/v1/customers/"+legacy+"/agreements", agreement("")).want(t, 403, 900329)
	p.as(p.user, "POST", "/v1/customers/"+legacy+"/agreements", agreement("")).want(t, 201)
	buys(legacy).want(t, 201)

	s.Change(func(set *sim.Settings) { set.Agreement = sim.AgreementDirect })
	p.as(p.app, "POST", "/v1/attestations/enhanced", map[string]string{}).want(t, 403, 600006)
	p.as(p.user, "POST", "/v1/customers/"+legacy+"/agreements", agreement("")).want(t, 403, 600006)
}

func TestAnAttestationIsAcceptedByAPersonInABrowser(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	made := p.as(p.app, "POST", "/v1/attestations/enhanced", map[string]string{"country": "DE", "language": "de", "companyName": "Fabrikam <GmbH>",
		"signatoryFirstName": "Account", "signatoryLastName": "Owner", "signatoryEmail": "owner@fabrikam.example"}).want(t, 201)
	id, at := made.at("attestationId"), made.at("attestationUrl")
	status := func() string {
		return p.as(p.app, "GET", "/v1/attestations/enhanced/"+id, nil).want(t, 200).at("status")
	}
	page := p.do("GET", at, "").want(t, 200)
	if !strings.Contains(page.raw, "Fabrikam &lt;GmbH&gt;") || !strings.Contains(page.raw, "I am authorised") || page.header.Get("X-Frame-Options") != "" {
		t.Errorf("the page: %v %s", page.header, page.raw)
	}
	if got := p.do("POST", s.PlainURL+"/mca/accept", url.Values{"attestationid": {id}}.Encode()).want(t, 200); !strings.Contains(got.raw, `role="alert"`) || status() != "pending" {
		t.Errorf("accepted without the box: %s", got.raw)
	}
	if got := p.do("POST", s.PlainURL+"/mca/accept", url.Values{"attestationid": {id}, "authorised": {"yes"}}.Encode()).want(t, 200); !strings.Contains(got.raw, "Accepted on") {
		t.Errorf("after the acceptance: %s", got.raw)
	}
	if got := status(); got != "accepted" {
		t.Errorf("status %q, want accepted", got)
	}
	p.as(p.app, "POST", "/v1/attestations/enhanced", map[string]string{"country": "DE"}).want(t, 400, 2001)

	late := p.as(p.app, "POST", "/v1/attestations/enhanced", map[string]string{"country": "DE", "language": "de", "companyName": "Late",
		"signatoryFirstName": "Account", "signatoryLastName": "Owner", "signatoryEmail": "owner@late.example"}).want(t, 201)
	s.Advance(31 * 24 * time.Hour)
	if got := p.do("GET", late.at("attestationUrl"), "").want(t, 200); !strings.Contains(got.raw, "expired") || strings.Contains(got.raw, "<button") {
		t.Errorf("an expired request: %s", got.raw)
	}
}

func TestAnAccountUnderReviewCannotBuy(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	id := p.create("contoso.onmicrosoft.com")
	p.agree(id)
	k := p.cart(id, p.azurePlan(id))
	checkout := "/v1/customers/" + id + "/carts/" + k + "/checkout"
	for _, tc := range []struct {
		status string
		code   int
	}{{"UnderReview", 800073}, {"NotAllowed", 800075}} {
		if err := s.SetValidation(id, tc.status); err != nil {
			t.Fatal(err)
		}
		if got := p.as(p.user, "GET", "/v1/customers/"+id+"/validationStatus?type=account", nil).want(t, 200).at("status"); got != tc.status {
			t.Errorf("status %q, want %q", got, tc.status)
		}
		p.as(p.app, "POST", checkout, nil).want(t, 403, tc.code)
	}
	if err := s.SetValidation(id, "None"); err != nil {
		t.Fatal(err)
	}
	p.as(p.user, "GET", "/v1/customers/"+id+"/validationStatus?type=account", nil).want(t, 404, 600074)
	p.as(p.app, "POST", checkout, nil).want(t, 201)
	second := p.cart(id, p.azurePlan(id))
	p.as(p.app, "POST", "/v1/customers/"+id+"/carts/"+second+"/checkout", nil).want(t, 403, 800066)
}

func TestACartSaysWhatIsWrongWithALine(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	id := p.create("contoso.onmicrosoft.com")
	p.agree(id)
	carts := "/v1/customers/" + id + "/carts"
	for _, tc := range []struct {
		says string
		line map[string]any
		code string
	}{
		{"an availability of another region", map[string]any{"id": 0, "catalogItemId": "DZH318Z0BPS6:0001:DZH318Z0BMGV", "quantity": 1, "billingCycle": "one_time"}, "10001"},
		{"two plans", map[string]any{"id": 0, "catalogItemId": "DZH318Z0BPS6:0001:DZH318Z0BML6", "quantity": 2, "billingCycle": "one_time"}, "10002"},
		{"a monthly plan", map[string]any{"id": 0, "catalogItemId": "DZH318Z0BPS6:0001:DZH318Z0BML6", "quantity": 1, "billingCycle": "monthly"}, "10010"},
	} {
		t.Run(tc.says, func(t *testing.T) {
			a := p.as(p.app, "POST", carts, map[string]any{"lineItems": []any{tc.line}}).want(t, 201)
			if got := a.at("lineItems.0.error.errorCode"); got != tc.code {
				t.Errorf("error code %q, want %s", got, tc.code)
			}
			p.as(p.app, "POST", carts+"/"+a.at("id")+"/checkout", nil).want(t, 400, 800009)
			p.as(p.app, "PUT", carts+"/"+a.at("id"), planCart("DZH318Z0BPS6:0001:DZH318Z0BML6")).want(t, 200)
		})
	}
	named := planCart("DZH318Z0BPS6:0001:DZH318Z0BML6")
	named["lineItems"].([]any)[0].(map[string]any)["friendlyName"] = "Mine"
	p.as(p.app, "POST", carts, named).want(t, 400, 800002)
	old := p.cart(id, p.azurePlan(id))
	s.Advance(8 * 24 * time.Hour)
	p.refresh()
	p.as(p.app, "POST", carts+"/"+old+"/checkout", nil).want(t, 404, 800008)
}

func TestTheBillingProfileIsGuardedByItsEtag(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	at := "/v1/customers/" + p.create("contoso.onmicrosoft.com") + "/profiles/billing"
	profile := p.as(p.app, "GET", at, nil).want(t, 200)
	etag := profile.at("attributes.etag")
	profile.body["email"] = "new@contoso.example"
	p.as(p.app, "PUT", at, profile.body).want(t, 400, 2055)
	changed := p.as(p.app, "PUT", at, profile.body, "If-Match", `"`+etag+`"`).want(t, 200)
	if changed.at("email") != "new@contoso.example" || changed.at("attributes.etag") == etag {
		t.Errorf("the profile: %s", changed.raw)
	}
	p.as(p.app, "PUT", at, profile.body, "If-Match", `"`+etag+`"`).want(t, 400, 2055)
}

func TestTheAuditRecordNamesTheCorrelationOfTheCreation(t *testing.T) {
	s := sim.Start(t)
	s.SetWait(sim.WaitAudit, time.Minute)
	p := newPartner(t, s)
	const correlation = "00000000-cccc-4000-8000-000000000001"
	id := p.as(p.app, "POST", "/v1/customers", contoso("contoso.onmicrosoft.com"), "MS-CorrelationId", correlation).want(t, 201).at("id")
	today := s.Clock.Now().Format("2006-01-02")
	f := url.QueryEscape(`{"Field":"CustomerId","Value":"` + id + `","Operator":"equals"}`)
	read := func() answer {
		return p.as(p.app, "GET", "/v1/auditrecords?startDate="+today+"&filter="+f, nil).want(t, 200)
	}
	if got := read().at("totalCount"); got != "0" {
		t.Errorf("%s records at once, want 0", got)
	}
	s.Advance(time.Minute)
	a := read()
	if a.at("items.0.operationType") != "add_customer" || a.at("items.0.originalCorrelationId") != correlation || a.at("items.0.customerId") != id {
		t.Errorf("the record: %s", a.raw)
	}
	p.as(p.app, "GET", "/v1/auditrecords?startDate="+s.Clock.Now().AddDate(0, 0, -92).Format("2006-01-02"), nil).want(t, 400, 3000)
	p.as(p.app, "GET", "/v1/auditrecords", nil).want(t, 400, 3000)
}

func TestCustomerUsersNeedGDAP(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	outside := p.create("contoso.onmicrosoft.com")
	p.as(p.user, "GET", "/v1/customers/"+outside+"/users", nil).want(t, 403, 900308)
	if err := s.Seed(sim.Seed{Customers: []sim.SeedCustomer{{ID: "aaaaaaaa-0000-4000-8000-000000000001", Domain: "one.onmicrosoft.com", Name: "One", GDAP: []string{sim.DefaultGDAPGroup}}}}); err != nil {
		t.Fatal(err)
	}
	at := "/v1/customers/aaaaaaaa-0000-4000-8000-000000000001"
	user := map[string]any{"usageLocation": "US", "userPrincipalName": "second@one.onmicrosoft.com", "displayName": "Second", "firstName": "Second", "lastName": "User",
		"passwordProfile": map[string]any{"password": "Long-enough-1", "forceChangePassword": true}}
	id := p.as(p.user, "POST", at+"/users", user).want(t, 201).at("id")
	p.as(p.user, "POST", at+"/users", user).want(t, 409, 3000)
	if got := p.as(p.user, "GET", at+"/users", nil).want(t, 200); got.at("items.0.userPrincipalName") != "admin@one.onmicrosoft.com" || got.at("totalCount") != "2" {
		t.Errorf("users: %s", got.raw)
	}
	role := at + "/directoryroles/" + sim.RoleGlobalAdmin + "/usermembers"
	p.as(p.user, "POST", role, map[string]string{"id": id}).want(t, 201)
	if got := p.as(p.user, "GET", role, nil).want(t, 200).at("totalCount"); got != "2" {
		t.Errorf("%s global administrators, want 2", got)
	}
	p.as(p.user, "DELETE", role+"/"+id, nil).want(t, 204)
	p.as(p.user, "DELETE", at+"/users/"+id, nil).want(t, 204)
	if got := p.as(p.user, "GET", at+"/users", nil).at("totalCount"); got != "1" {
		t.Errorf("%s users after the deletion, want 1", got)
	}
	p.as(p.user, "PATCH", at+"/users/"+id, map[string]string{"state": "active"}).want(t, 200)
	if got := p.as(p.user, "GET", at+"/users/"+id, nil).want(t, 200).at("state"); got != "active" {
		t.Errorf("the restored user is %q", got)
	}
}

func TestUnknownPathsAnswerAsTheirServiceDoes(t *testing.T) {
	p := newPartner(t, sim.Start(t))
	p.as(p.app, "GET", "/v1/nothing/here", nil).want(t, 404, 1000)
	p.as(p.app, "PUT", "/v1/customers", nil).want(t, 405, 1000)
	p.as(p.app, "GET", "/v1/customers/00000000-1111-4222-8333-444444444444", nil).want(t, 404, 20002)
	p.as(p.app, "GET", "/V1/Customers", nil).want(t, 200)
	p.as(p.app, "POST", "/v1/customers", "{").want(t, 400, 800002)
}
