package sim_test

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

// Every documented read answers with the members that its page names.
func TestEveryPageAnswersWithItsMembers(t *testing.T) {
	s := sim.Start(t, func(c *sim.Config) { c.Partner.Indirect = true })
	p := newPartner(t, s)
	if err := s.Seed(sim.Seed{Resellers: []sim.Reseller{{ID: "484e548c-f5f3-4528-93a9-c16c6373cb59", Name: "Fabrikam Resale", MPN: "5139005", Country: "US"}},
		Customers: []sim.SeedCustomer{{ID: "aaaaaaaa-0000-4000-8000-000000000001", Domain: "one.onmicrosoft.com", Name: "One", GDAP: []string{sim.DefaultGDAPGroup},
			Reseller: "484e548c-f5f3-4528-93a9-c16c6373cb59"}}}); err != nil {
		t.Fatal(err)
	}
	const at = "/v1/customers/aaaaaaaa-0000-4000-8000-000000000001"
	p.agree("aaaaaaaa-0000-4000-8000-000000000001")
	plan, subscription := p.buy("aaaaaaaa-0000-4000-8000-000000000001")
	orders := p.as(p.app, "GET", at+"/orders", nil).want(t, 200)
	order := orders.at("items.0.id")
	cart := p.cart("aaaaaaaa-0000-4000-8000-000000000001", "DZH318Z0BPS6:0001:DZH318Z0BML6")
	sub := at + "/subscriptions/" + plan
	p.as(p.app, "POST", sub+"/registrations", nil).want(t, 202)
	p.as(p.app, "PUT", sub+"/supportcontact", map[string]string{"supportTenantId": sim.DefaultPartnerTenant, "supportMpnId": "4847383", "name": "Help"}).want(t, 200)
	p.as(p.app, "PUT", at+"/subscriptions/overage", map[string]any{"azureEntitlementId": subscription, "overage": true}).want(t, 200)
	p.as(p.user, "POST", at+"/qualifications", map[string]string{"qualification": "StateOwnedEntity"}).want(t, 201)

	for _, tc := range []struct{ path, member, want string }{
		{"/v1/profiles/mpn", "mpnId", "4847383"},
		{"/v1/profiles/mpn?mpnId=5139005", "partnerName", "Fabrikam Resale"},
		{"/v1/profiles/organization", "tenantId", sim.DefaultPartnerTenant},
		{"/v1/profiles/legalbusiness?vettingVersion=Current", "vettingStatus", "authorized"},
		{"/v1/profiles/billing", "billingCurrency", "USD"},
		{"/v1/profiles/support", "email", "support@partner.example"},
		{"/v1/applicationmfaadoptionstatus", "", sim.DefaultAppID},
		{"/v1/partnerRequests", "", "[]"},
		{"/v1/nonMfaCompliantPartnerPrincipals", "", "[]"},
		{"/v1/compliance/csp/agreementstatus?mpnId=5139005", "isAgreementSigned", "true"},
		{"/v1/relationships?relationship_type=IsIndirectCloudSolutionProviderOf", "items.0.mpnId", "5139005"},
		{at + "/relationships", "items.0.name", "Fabrikam Resale"},
		{at + "/qualifications", "", "vettingCreatedDate"},
		{at + "/profiles/company", "address.country", "US"}, // with GDAP the address is shown
		{at + "/carts/" + cart, "status", "Active"},
		{at + "/products?targetView=MicrosoftAzure", "items.0.id", "DZH318Z0BPS6"},
		{at + "/products/all/skus?targetView=MicrosoftAzure", "items.0.purchasePrerequisites.0", "MicrosoftCustomerAgreement"},
		{"/v1/products/DZH318Z0BPS6?country=US", "productType.id", "Azure"},
		{"/v1/products/DZH318Z0BPS6/skus/0002?country=US", "maximumQuantity", "1"},
		{"/v1/products/DZH318Z0BPS6/skus/0001/availabilities/DZH318Z0BMGV?country=DE", "catalogItemId", "DZH318Z0BPS6:0001:DZH318Z0BMGV"},
		{at + "/orders/" + order + "/provisioningstatus", "items.0.status", "fulfilled"},
		{sub, "unitType", "Usage-based"},
		{sub + "/provisioningstatus", "status", "success"},
		{sub + "/registrationstatus", "status", "registered"},
		{sub + "/supportcontact", "name", "Help"},
		{at + "/subscriptions/overage", "items.0.azureEntitlementId", subscription},
		{at + "/directoryroles", "items.0.id", sim.RoleGlobalAdmin},
		{"/" + sim.DefaultPartnerTenant + "/v2.0/.well-known/openid-configuration", "token_endpoint", s.URL + "/" + sim.DefaultPartnerTenant + "/oauth2/v2.0/token"},
		{"/common/discovery/instance?authorization_endpoint=https://login.example/" + sim.DefaultPartnerTenant + "/oauth2/v2.0/authorize", "tenant_discovery_endpoint",
			s.URL + "/" + sim.DefaultPartnerTenant + "/v2.0/.well-known/openid-configuration"},
		{"/_sim/people", "users.0.upn", sim.DefaultUser},
		{"/_sim/audit", "", "create_order"},
		{"/_sim/attestations", "", "accepted"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			a := p.as(p.user, "GET", tc.path, nil).want(t, 200)
			if tc.member == "" {
				if !strings.Contains(a.raw, tc.want) {
					t.Errorf("%s is not in %s", tc.want, a.raw)
				}
			} else if got := a.at(tc.member); got != tc.want {
				t.Errorf("%s is %q, want %q: %s", tc.member, got, tc.want, a.raw)
			}
		})
	}
	for _, tc := range []struct {
		path   string
		status int
		code   int
	}{
		{"/v1/products?country=UK&targetView=MicrosoftAzure", 400, 400030},
		{"/v1/products?country=US&targetView=Cheese", 400, 400036},
		{"/v1/products/NOPE?country=US", 404, 400013},
		{"/v1/products/DZH318Z0BPS6/skus/0009?country=US", 404, 400018},
		{"/v1/products/DZH318Z0BPS6/skus/0001/availabilities/NOPE?country=US", 404, 400019},
		{"/v1/products/9DEA7946-EC2C-441E-9FFD-E3B275F7E838?country=US", 404, 400013}, // the 2016 offer has its switch
		{"/v1/compliance/csp/agreementstatus", 400, 2001},
		{"/v1/compliance/csp/agreementstatus?mpnId=1", 400, 2200},
		{"/v1/compliance/csp/agreementstatus?tenantId=00000000-1111-4222-8333-444444444444", 400, 2205},
		{at + "/orders/nope", 404, 20000},
		{at + "/carts/nope", 404, 800008},
		{at + "/users/nope", 404, 60002},
		{sub + "/azureEntitlements/nope", 404, 800111},
	} {
		t.Run(tc.path, func(t *testing.T) { p.as(p.user, "GET", tc.path, nil).want(t, tc.status, tc.code) })
	}
	p.as(p.app, "PATCH", at+"/orders/"+order, map[string]string{"status": "cancelled"}).want(t, 400, 800063)
}

func TestAnAgreementDocumentLivesForFiveMinutes(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	const at = "/v1/agreementtemplates/117a77b0-9360-443b-8795-c6dedc750cf9/document?language=de-DE&country="
	p.as(p.user, "GET", at+"de", nil).want(t, 400, 3000) // the country is case sensitive
	link := p.as(p.user, "GET", at+"DE", nil).want(t, 200).at("displayUri")
	p.do("GET", link, "").want(t, 200)
	s.Advance(6 * time.Minute)
	p.do("GET", link, "").want(t, 403)
}

func TestACustomersAdministratorSignsInWithTheOneTimePassword(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	made := p.as(p.app, "POST", "/v1/customers", contoso("contoso.onmicrosoft.com")).want(t, 201)
	form := "user=admin%40contoso.onmicrosoft.com&mfa=yes&consent=yes&password="
	at := s.PlainURL + "/" + made.at("id") + "/oauth2/v2.0/authorize?response_type=code&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2F&response_mode=form_post&client_id=" + sim.DefaultAppID
	if a := p.do("POST", at, form+"wrong"); !strings.Contains(a.raw, "AADSTS50126") {
		t.Errorf("wrong password: %s", a.raw)
	}
	password := strings.NewReplacer("=", "%3D", ";", "%3B", "?", "%3F", "!", "%21", "*", "%2A").Replace(made.at("userCredentials.password"))
	if a := p.do("POST", at, form+password).want(t, 200); !strings.Contains(a.raw, `name="code"`) {
		t.Errorf("the form that goes back: %s", a.raw)
	}
	if a := p.as(p.app, "GET", "/v1/customers/"+made.at("id"), nil).want(t, 200); strings.Contains(a.raw, made.at("userCredentials.password")) {
		t.Error("the password is shown a second time")
	}
}
