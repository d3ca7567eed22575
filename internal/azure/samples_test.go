package azure_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
)

// sample is one documented request with its answer.
type sample struct {
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
}

func read(t *testing.T, name string) sample {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "samples", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var s sample
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// fixed gives one token to everybody.
type fixed string

func (f fixed) Token(context.Context, azure.TokenRequest) (string, error) { return string(f), nil }
func (f fixed) Drop(context.Context, azure.TokenRequest, string)          {}
func same(path string) string                                             { return strings.ToLower(strings.TrimRight(path, "/")) }
func (s sample) is(got *url.URL) bool {
	want, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(s.Request.Path))
	if err != nil || same(want.Path) != same(got.Path) {
		return false
	}
	for name, values := range want.Query() { // ours may ask for more, never for less
		if got.Query().Get(name) != values[0] {
			return false
		}
	}
	return true
}

// play serves one sample: the documented request gets the documented answer, any
// other one 418, with which no call succeeds.
func play(t *testing.T, name string) (*azure.Pipe, sample) {
	t.Helper()
	s := read(t, name)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method != s.Request.Method || !s.is(r.URL) {
			t.Errorf("asked %s %s, documented is %s %s", r.Method, r.URL, s.Request.Method, s.Request.Path)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		if missing := lacks(s.Request.Body, body, r.Header.Get("Content-Type")); missing != "" {
			t.Errorf("the request lacks %s: %s", missing, body)
		}
		for name, v := range s.Response.Headers {
			if name != "Content-Encoding" {
				w.Header().Set(name, v)
			}
		}
		w.WriteHeader(s.Response.Status)
		if string(s.Response.Body) != "null" {
			_, _ = w.Write(append([]byte{0xEF, 0xBB, 0xBF}, s.Response.Body...)) // the mark that two samples show
		}
	}))
	t.Cleanup(server.Close)
	pipe, err := azure.New(azure.Config{
		LoginURL: server.URL, PartnerCenterURL: server.URL, GraphURL: server.URL, ARMURL: server.URL, HTTP: server.Client(), PartnerTenant: "tenantId",
	})
	if err != nil {
		t.Fatal(err)
	}
	return pipe.With(fixed("token-of-the-test")), s
}

// lacks names the first member of the documented request that ours has not, or
// has with another value. Nulls of the documents need not be sent.
func lacks(want json.RawMessage, got []byte, kind string) string {
	if len(want) == 0 || string(want) == "null" {
		return ""
	}
	var w, g any
	if json.Unmarshal(want, &w) != nil {
		return "(unreadable sample)"
	}
	if strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(got))
		if err != nil {
			return "a form"
		}
		m := map[string]any{}
		for name := range form {
			m[name] = form.Get(name)
		}
		g = m
	} else if json.Unmarshal(got, &g) != nil {
		return "a JSON body"
	}
	return differs("body", w, g)
}

func differs(at string, want, got any) string {
	switch w := want.(type) {
	case nil:
		return ""
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return at
		}
		for name, v := range w {
			if v == nil || strings.EqualFold(name, "Attributes") || strings.EqualFold(name, "RelationshipToPartner") {
				continue // of the reading side
			}
			var have any
			for n, x := range g {
				if strings.EqualFold(n, name) {
					have = x
				}
			}
			if d := differs(at+"."+name, v, have); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return at
		}
		for i := range w {
			if d := differs(fmt.Sprintf("%s[%d]", at, i), w[i], g[i]); d != "" {
				return d
			}
		}
		return ""
	}
	if fmt.Sprint(want) != fmt.Sprint(got) && !strings.HasPrefix(fmt.Sprint(want), "{") {
		return at
	}
	return ""
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestADomainThatIsFree(t *testing.T) {
	pipe, _ := play(t, "02-domain-available")
	taken, err := partnercenter.New(pipe).DomainTaken(t.Context(), "contoso.onmicrosoft.com")
	if err != nil || taken {
		t.Errorf("taken = %v, %v; the document says free", taken, err)
	}
}

func TestAnAddressThatMicrosoftKnows(t *testing.T) {
	pipe, _ := play(t, "03-validate-address-verified")
	v, err := partnercenter.New(pipe).ValidateAddress(t.Context(), partnercenter.Address{AddressLine1: "1 Microsoft Way", City: "Redmond", State: "WA", PostalCode: "98052", Country: "US"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "usable", v.Usable(), true)
	equal(t, "original", v.OriginalAddress, partnercenter.Address{AddressLine1: "1 Microsoft Way", City: "Redmond", State: "WA", PostalCode: "98052", Country: "US"})
	equal(t, "suggestions", len(v.SuggestedAddresses), 1)
	equal(t, "suggested postal code", v.SuggestedAddresses[0].PostalCode, "98052-8300")
}

func TestACustomerIsCreatedAndItsPasswordStaysASecret(t *testing.T) {
	pipe, _ := play(t, "04-create-customer-for-indirect-reseller")
	var seen []azure.Exchange
	ctx := azure.WithRecorder(t.Context(), func(_ context.Context, x azure.Exchange) { seen = append(seen, x) })
	c, err := partnercenter.New(pipe).CreateCustomer(ctx, "d628adbe-b7ee-412e-ac55-58f22b4ba2f4", partnercenter.Customer{
		CompanyProfile: partnercenter.CompanyProfile{Domain: "WingtipToys678152504.onmicrosoft.com"},
		BillingProfile: partnercenter.BillingProfile{
			Email: "Gena@wingtiptoys.com", Culture: "EN-US", Language: "En", CompanyName: "Wingtip Toys678152504",
			DefaultAddress: partnercenter.Address{
				Country: "US", City: "Redmond", State: "WA", AddressLine1: "One Microsoft Way", PostalCode: "98052",
				FirstName: "Gena", LastName: "Soto", PhoneNumber: "4255550101",
			},
		},
		AssociatedPartnerID: "484e548c-f5f3-4528-93a9-c16c6373cb59",
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "id", c.ID, "626099fe-17af-4756-9fd0-6a73b7127859")
	equal(t, "tenant", c.CompanyProfile.TenantID, c.ID)
	equal(t, "domain", c.CompanyProfile.Domain, "WingtipToys678152504.onmicrosoft.com")
	equal(t, "billing profile", c.BillingProfile.ID, "7079246e-7b62-56ef-7cbd-a819514b54b5")
	equal(t, "etag", c.BillingProfile.Attributes.ETag, "-8799889149591823008")
	equal(t, "relationship", c.RelationshipToPartner, partnercenter.RelationshipReseller)
	equal(t, "self", c.CompanyProfile.Links["self"].URI, "/customers/626099fe-17af-4756-9fd0-6a73b7127859/profiles/company")
	equal(t, "phone", c.BillingProfile.DefaultAddress.PhoneNumber, "4255550101")
	equal(t, "user", c.UserCredentials.UserName, "admin")
	equal(t, "password", c.UserCredentials.Password.Reveal(), "0Krha*Io")
	printed := fmt.Sprintf("%v %+v %#v", c.UserCredentials.Password, *c.UserCredentials, *c.UserCredentials)
	stored, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := json.Marshal(seen)
	if err != nil || len(seen) != 1 {
		t.Fatalf("%d exchanges, %v", len(seen), err)
	}
	for where, text := range map[string]string{"print": printed, "JSON": string(stored), "exchange": string(recorded)} {
		if strings.Contains(text, "0Krha") || strings.Contains(text, "token-of-the-test") {
			t.Errorf("the %s shows a secret: %s", where, text)
		}
	}
	equal(t, "request id sent", seen[0].Request.Headers["Ms-Requestid"], "d628adbe-b7ee-412e-ac55-58f22b4ba2f4")
	if !strings.Contains(seen[0].Response.Body, "Gena@wingtiptoys.com") {
		t.Error("the e-mail address is gone from the exchange")
	}
}

func TestTheListOfCustomers(t *testing.T) {
	pipe, _ := play(t, "05-list-customers")
	var ids []string
	for c, err := range partnercenter.New(pipe).Customers(t.Context(), partnercenter.CustomerQuery{Size: 40}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID+" "+c.RelationshipToPartner)
	}
	equal(t, "customers", strings.Join(ids, ", "), "b44bb1fb-c595-45b0-9e09-d657365580bf reseller, 45c44870-ef77-4fdd-b6fe-3dacb075cff2 reseller")
}

func TestTheAgreementsTemplate(t *testing.T) {
	pipe, _ := play(t, "06-agreement-metadata")
	list, err := partnercenter.New(pipe).AgreementTemplates(t.Context(), partnercenter.CustomerAgreement)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	equal(t, "template", list[0], partnercenter.AgreementMetadata{TemplateID: "117a77b0-9360-443b-8795-c6dedc750cf9", AgreementType: "MicrosoftCustomerAgreement", AgreementLink: "https://aka.ms/customeragreement"})
}

func TestTheConfirmationsOfAnAgreement(t *testing.T) {
	pipe, _ := play(t, "07-agreement-confirmations")
	list, err := partnercenter.New(pipe).Agreements(t.Context(), "14876998-c0dc-46e6-9d0c-65a57a6c32ec", partnercenter.CustomerAgreement)
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	equal(t, "contact", list[0].PrimaryContact, partnercenter.Contact{FirstName: "Tania", LastName: "Carr", Email: "SomeEmail@example.com", PhoneNumber: "1234567890"})
	equal(t, "a date without a zone is UTC", list[1].DateAgreed.Time, time.Date(2019, 8, 27, 0, 0, 0, 0, time.UTC))
	equal(t, "type", list[1].Type, "MicrosoftCustomerAgreement")
}

func TestAnUnknownPartnerIsARefusalWithItsCode(t *testing.T) {
	pipe, _ := play(t, "08-partner-by-mpn-id-not-found")
	_, err := partnercenter.New(pipe).MPNProfile(t.Context(), "9999999")
	e := azure.AsError(err)
	if e == nil {
		t.Fatalf("error = %v", err)
	}
	equal(t, "status", e.Status, 404)
	equal(t, "code", e.Code, "3000")
	equal(t, "message", e.Message, "Partner Organization with partner_id 9999999 could not be found")
	equal(t, "correlation", e.CorrelationID, "e937630b-8341-4d70-8f73-450d32ee0189")
	equal(t, "class", azure.Classify(err), azure.F)
	equal(t, "outcome unknown", azure.Unknown(err), false)
}

func TestProductsOfAzure(t *testing.T) {
	pipe, _ := play(t, "09-products-azure")
	list, err := partnercenter.New(pipe).Products(t.Context(), "US", partnercenter.TargetViewAzure)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d products, %v", len(list), err)
	}
	equal(t, "product", list[0].ID, "DZH318Z0BQ3Q")
	equal(t, "kind", list[0].ProductType.SubType.ID, "VirtualMachines")
	equal(t, "SKUs", list[0].Links["skus"].URI, "/products/DZH318Z0BQ3Q/skus?country=US")
	if !strings.Contains(list[0].Description, "Xeon® E5") {
		t.Error("the description lost its sign")
	}
}

func TestSKUsWithDoubledHeadersAndAnEllipsis(t *testing.T) {
	pipe, _ := play(t, "10-skus-of-product")
	list, err := partnercenter.New(pipe).SKUs(t.Context(), "DZH318Z0BQ5S", "US")
	if err != nil || len(list) != 2 {
		t.Fatalf("%d SKUs, %v; the ellipsis among them is none", len(list), err)
	}
	equal(t, "SKU", list[1].ID, "0002")
	equal(t, "maximum", list[0].MaximumQuantity, 999999999)
	equal(t, "cycles", strings.Join(list[0].SupportedBillingCycles, ","), "one_time")
	equal(t, "prerequisites", strings.Join(list[0].PurchasePrerequisites, ","), "AzureSubscriptionRegistration,InventoryCheck")
	equal(t, "attribute", list[0].DynamicAttributes["armRegionName"].(string), "westus2")
}

func TestDoubledHeadersCountOnce(t *testing.T) {
	pipe, s := play(t, "10-skus-of-product")
	a, err := pipe.Do(t.Context(), azure.Call{Service: azure.PartnerCenter, As: azure.AppOnly, Method: s.Request.Method, Path: s.Request.Path})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "request id", a.RequestID, "18b41adf-29b5-48eb-b14f-c9683a4e5b7d")
	equal(t, "correlation id", a.CorrelationID, "e75c1060-852e-4b49-92b0-cd15167a0d51")
	equal(t, "locale", azure.First(a.Header, "X-Locale"), "en-US")
}

func TestACartWithEveryKindOfLine(t *testing.T) {
	pipe, s := play(t, "11-create-cart")
	var in partnercenter.Cart
	if err := json.Unmarshal(s.Request.Body, &in); err != nil {
		t.Fatal(err)
	}
	c, err := partnercenter.New(pipe).CreateCart(t.Context(), azure.NewRequestID(), "d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d", in)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "id", c.ID, "3655b1a0-b1c9-4268-9824-577fdbc4d0be")
	equal(t, "status", c.Status, "Active")
	equal(t, "expires", c.ExpirationTimestamp.Time, time.Date(2019, 1, 16, 1, 0, 54, 418849700, time.UTC))
	equal(t, "lines", len(c.LineItems), 6)
	equal(t, "line 2", c.LineItems[2].ProvisioningContext["scope"].(string), "shared")
	equal(t, "line 5 renews to", c.LineItems[5].RenewsTo.TermDuration, "P1Y")
	equal(t, "line 5 quantity", c.LineItems[5].Quantity, 10)
	equal(t, "line 0 group", c.LineItems[0].OrderGroup, "OMS-0")
}

func TestAnOrder(t *testing.T) {
	pipe, _ := play(t, "12-order-by-id")
	o, err := partnercenter.New(pipe).Order(t.Context(), "customer-tenant-id", "id-for-order")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "id", o.ID, "YxH1q4KScfvfkJQjgRI8QY1DznnUWZTH1")
	equal(t, "completed", o.Completed(), true)
	equal(t, "created", o.CreationDate.Time, time.Date(2018, 3, 13, 22, 49, 54, 339694900, time.UTC))
	equal(t, "offer", o.LineItems[0].OfferID, "DZH318Z0BQ4Z:002L:DZH318Z0CMNP")
	equal(t, "no subscription yet", o.LineItems[0].SubscriptionID, "")
	equal(t, "currency", o.CurrencyCode, "USD")
}

func TestSubscriptionsWithBlanksInTheirDates(t *testing.T) {
	pipe, _ := play(t, "13-subscriptions-of-customer")
	list, err := partnercenter.New(pipe).Subscriptions(t.Context(), "customer-tenant-id", "")
	if err != nil || len(list) != 1 {
		t.Fatalf("%d, %v", len(list), err)
	}
	s := list[0]
	equal(t, "id", s.ID, "83ef9d05-4169-4ef9-9657-0e86b1eab1de")
	equal(t, "created", s.CreationDate.Time, time.Date(2015, 11, 25, 6, 41, 12, 0, time.UTC))
	equal(t, "etag", s.Attributes.ETag, "<etag>")
	equal(t, "order", s.OrderID, "6183db3d-6318-4e52-877e-25806e4971be")
	equal(t, "an Azure plan", s.IsAzurePlan(), false)
	equal(t, "entitlement without case", azure.SameID(s.EntitlementID, "A356AC8C-E310-44F4-BF85-C7F29044AF99"), true)
}

func TestEntitlementsOfAPlan(t *testing.T) {
	pipe, _ := play(t, "14-azure-entitlements")
	list, err := partnercenter.New(pipe).AzureEntitlements(t.Context(), "11f9bc2a-1f38-431c-a0b0-9455c6f5bbc0", "3f15978e-005c-b763-bb78-2a8fab289c58")
	if err != nil || len(list) != 1 {
		t.Fatalf("%d, %v", len(list), err)
	}
	equal(t, "entitlement", list[0], partnercenter.AzureEntitlement{ID: "899ae6f1-8a74-4d5e-b6c6-e6b5019bbff8", FriendlyName: "Microsoft Azure", Status: "active", SubscriptionID: "3f15978e-005c-b763-bb78-2a8fab289c58"})
}

func TestAUsageBudget(t *testing.T) {
	pipe, _ := play(t, "17-usage-budget-get")
	b, err := partnercenter.New(pipe).UsageBudget(t.Context(), "customer-tenant-id")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "amount", b.Amount, "100")
}

func TestAWebhooksRegistration(t *testing.T) {
	pipe, _ := play(t, "19-webhook-get-registration")
	w, err := partnercenter.New(pipe).Webhook(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "events", strings.Join(w.WebhookEvents, ","), "subscription-updated,test-created")
	equal(t, "URL", w.WebhookURL, "{{YourCallbackUrl}}")
}

func TestThrottlingSaysHowLong(t *testing.T) {
	pipe, _ := play(t, "20-throttled")
	_, err := pipe.Do(t.Context(), azure.Call{Service: azure.PartnerCenter, As: azure.AppOnly, Group: "any", Method: "GET", Path: "/v1/any-throttled-resource"})
	e := azure.AsError(err)
	if e == nil {
		t.Fatalf("error = %v", err)
	}
	equal(t, "wait", e.RetryAfter, 57*time.Second)
	equal(t, "class", azure.Classify(err), azure.R1)
	equal(t, "message", e.Message, "Rate limit is exceeded. Try again in 57 seconds.")
}

func TestARelationshipWithACustomer(t *testing.T) {
	pipe, _ := play(t, "23-gdap-create-relationship")
	r, err := graph.New(pipe).CreateRelationship(t.Context(), azure.NewRequestID(), graph.Relationship{
		DisplayName: "Contoso admin relationship", Duration: "P730D", AutoExtendDuration: "P180D",
		Customer:      &graph.Customer{TenantID: "4b827261-d21f-4aa9-b7db-7fa1f56fb163", DisplayName: "Contoso subsidiary Inc"},
		AccessDetails: graph.Roles("29232cdf-9323-42fd-ade2-1d097af3e4de", "3a2c62db-5318-420d-8d74-23affee5d9d5"),
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "id", r.ID, "5d027261-d21f-4aa9-b7db-7fa1f56fb163-8777b240-c6f0-4469-9e98-a3205431b836")
	equal(t, "etag", r.ETag, `W/"JyIxODAwZTY4My0wMDAwLTAyMDAtMDAwMC02MTU0OWFmMDAwMDAiJw=="`)
	equal(t, "status", r.Status, graph.StatusCreated)
	equal(t, "roles", r.AccessDetails.Has("29232CDF-9323-42fd-ade2-1d097af3e4de", "3a2c62db-5318-420d-8d74-23affee5d9d5"), true)
	equal(t, "an empty date is none", r.ActivatedDateTime.IsZero(), true)
	equal(t, "ends", r.EndDateTime.Time, time.Date(2024, 2, 10, 11, 24, 42, 314826600, time.UTC))
}

func TestThePartnersBillingAccount(t *testing.T) {
	pipe, _ := play(t, "24-arm-billing-accounts")
	list, err := arm.New(pipe).BillingAccounts(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%d, %v", len(list), err)
	}
	const name = "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx_xxxx-xx-xx"
	equal(t, "name", list[0].Name, name)
	equal(t, "of the partner agreement", list[0].IsPartner(), true)
	equal(t, "scope keeps its colon", arm.BillingScope(name, "t"), "/providers/Microsoft.Billing/billingAccounts/"+name+"/customers/t")
}

func TestASubscriptionByAlias(t *testing.T) {
	pipe, _ := play(t, "25-arm-alias-create")
	a, err := arm.New(pipe).CreateAlias(t.Context(), azure.NewRequestID(), "sampleAlias", arm.NewSubscription{
		DisplayName: "Dev Team subscription", Workload: arm.WorkloadProduction,
		BillingScope: arm.BillingScope("aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx_xxxx-xx-xx", "2281f543-xxxx-xxxx-xxxx-xxxxxxxxxxxx"),
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "subscription", a.Properties.SubscriptionID, "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e")
	equal(t, "state", a.Properties.ProvisioningState, arm.AliasAccepted)
	equal(t, "name", a.Name, "sampleAlias")
}

func TestARoleAssignment(t *testing.T) {
	pipe, _ := play(t, "26-arm-role-assignment-create")
	const scope, role = "/subscriptions/a925f2f7-5c63-4b7b-8799-25a5f97bc3b2", "0b5fe924-9a61-425c-96af-cfe6e287ca2d"
	a, err := arm.New(pipe).PutRoleAssignment(t.Context(), azure.NewRequestID(), scope, "05c5a614-a7d6-4502-b150-c2fb455033ff", arm.RoleAssignmentProperties{
		RoleDefinitionID: arm.RoleDefinitionID("a925f2f7-5c63-4b7b-8799-25a5f97bc3b2", role), PrincipalID: "ce2ce14e-85d7-4629-bdbc-454d0519d987", PrincipalType: arm.PrincipalUser,
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "name", a.Name, "05c5a614-a7d6-4502-b150-c2fb455033ff")
	equal(t, "gives the role, though the id came back shorter", a.Gives(scope, "CE2CE14E-85d7-4629-bdbc-454d0519d987", role), true)
	equal(t, "gives another role", a.Gives(scope, "ce2ce14e-85d7-4629-bdbc-454d0519d987", arm.RoleOwner), false)
}
