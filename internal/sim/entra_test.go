package sim_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

const partnerCenter = "https://api.partnercenter.microsoft.com"

// refused checks an error of the token endpoint by its AADSTS number.
func (a answer) refused(t *testing.T, code int) {
	t.Helper()
	if a.at("error_codes.0") != fmt.Sprint(float64(code)) && a.at("error_codes.0") != fmt.Sprint(code) {
		if !strings.HasPrefix(a.at("error_description"), fmt.Sprintf("AADSTS%d:", code)) {
			t.Errorf("refused with %d %s, want AADSTS%d", a.status, a.raw, code)
		}
	}
	if a.status < 400 || a.at("trace_id") == "" || a.at("correlation_id") == "" {
		t.Errorf("not an error of the token endpoint: %d %s", a.status, a.raw)
	}
}

func TestTheTokenEndpointRefusesWithItsNumbers(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	if err := s.TakeDomain("stranger.onmicrosoft.com"); err != nil {
		t.Fatal(err)
	}
	customer := p.create("contoso.onmicrosoft.com")
	app := url.Values{"grant_type": {"client_credentials"}, "resource": {partnerCenter}}
	for _, tc := range []struct {
		says   string
		tenant string
		form   url.Values
		code   int
	}{
		{"a wrong secret", "", url.Values{"grant_type": {"client_credentials"}, "resource": {partnerCenter}, "client_secret": {"wrong"}}, 7000215},
		{"a tenant that does not exist", "00000000-1111-4222-8333-444444444444", app, 90002},
		{"a stranger's tenant", "stranger.onmicrosoft.com", app, 700016},
		{"a customer without consent, app-only", customer, app, 700016},
		{"a resource nobody knows", "", url.Values{"grant_type": {"client_credentials"}, "resource": {"https://nowhere.example"}}, 500011},
		{"a password", "", url.Values{"grant_type": {"password"}, "resource": {partnerCenter}}, 50076},
		{"a made-up refresh token", "", url.Values{"grant_type": {"refresh_token"}, "resource": {partnerCenter}, "refresh_token": {"x"}}, 9002313},
		{"a made-up code", "", url.Values{"grant_type": {"authorization_code"}, "resource": {partnerCenter}, "code": {"x"}}, 9002313},
	} {
		t.Run(tc.says, func(t *testing.T) { p.grant(tc.tenant, tc.form).refused(t, tc.code) })
	}
}

func TestTheV1FormSendsNumbersAsTextAndTheV2FormAsNumbers(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	v1 := p.grant("", url.Values{"grant_type": {"client_credentials"}, "resource": {"https://graph.windows.net"}}).want(t, 200)
	if _, text := v1.body["expires_in"].(string); !text {
		t.Errorf("v1 expires_in is %T", v1.body["expires_in"])
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {partnerCenter + "/.default"}, "client_id": {sim.DefaultAppID}, "client_secret": {sim.DefaultAppSecret}}
	v2 := p.do("POST", "/"+sim.DefaultPartnerTenant+"/oauth2/v2.0/token", form.Encode()).want(t, 200)
	if n, number := v2.body["expires_in"].(float64); !number || n != 3600 {
		t.Errorf("v2 expires_in is %v (%T)", v2.body["expires_in"], v2.body["expires_in"])
	}
	p.as(v1.at("access_token"), "GET", "/v1/customers", nil).want(t, 200) // documented for app-only
	p.as(v2.at("access_token"), "GET", "/v1/customers", nil).want(t, 200)
}

func TestARotatedRefreshTokenDiesAfterItsGrace(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	redeem := func(token string) answer {
		return p.grant("", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "resource": {partnerCenter}})
	}
	first := s.SignIn(sim.DefaultUser, true)
	second := redeem(first).want(t, 200).at("refresh_token")
	if second == "" || second == first {
		t.Fatalf("the redemption gave no new token: %q", second)
	}
	redeem(first).want(t, 200) // within the grace: two workers may have met
	s.Advance(6 * time.Minute)
	redeem(first).refused(t, 70000)
	third := redeem(second).want(t, 200).at("refresh_token")
	s.Advance(91 * 24 * time.Hour)
	redeem(third).refused(t, 700082)

	fourth := s.SignIn(sim.DefaultUser, true)
	s.Revoke(sim.DefaultUser, 50173)
	redeem(fourth).refused(t, 50173)

	s.Change(func(set *sim.Settings) { set.RefreshGrace = -1 })
	fifth := s.SignIn(sim.DefaultUser, true)
	redeem(fifth).want(t, 200)
	redeem(fifth).refused(t, 70000)
}

func TestTokensAreHeldToAudienceKindMFAAndExpiry(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	id := p.create("contoso.onmicrosoft.com")
	company := "/v1/customers/" + id + "/profiles/company"
	arm := p.token("", url.Values{"grant_type": {"client_credentials"}, "resource": {"https://management.azure.com"}})
	weak := p.token("", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.SignIn(sim.DefaultUser, false)}, "resource": {partnerCenter}})

	a := p.do("GET", "/v1/customers", "").want(t, 401, 800001)
	if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
	}
	p.as("nonsense", "GET", "/v1/customers", nil).want(t, 401, 400)
	p.as(p.app+"x", "GET", "/v1/customers", nil).want(t, 401, 400)
	p.as(arm, "GET", "/v1/customers", nil).want(t, 401, 400)
	p.as(p.app, "GET", company, nil).want(t, 403, 900329)
	p.as(p.user, "POST", "/v1/attestations/enhanced", map[string]string{}).want(t, 400, 900316)
	p.as(weak, "GET", company, nil).want(t, 401, 900421)
	if got := p.as(weak, "GET", company, nil, "ValidateMfa", "true").header.Get("isMfaCompliant"); got != "false" {
		t.Errorf("isMfaCompliant is %q, want false", got)
	}
	if got := p.as(p.user, "GET", company, nil, "ValidateMfa", "true").want(t, 200).header.Get("isMfaCompliant"); got != "true" {
		t.Errorf("isMfaCompliant is %q, want true", got)
	}
	s.Change(func(set *sim.Settings) { set.AllowNoMFA = true })
	p.as(weak, "GET", company, nil).want(t, 200)
	s.Change(func(set *sim.Settings) { set.AllowNoMFA = false })
	s.Fail("GET /v1/customers/{id}/profiles/company", sim.Fault{Kind: sim.LoseMFA})
	p.as(p.user, "GET", company, nil).want(t, 401, 900421)
	s.Fail("GET /v1/customers/{id}/profiles/company", sim.Fault{Kind: sim.ExpireToken})
	p.as(p.user, "GET", company, nil).want(t, 401, 400)
	p.as(p.user, "GET", company, nil).want(t, 200)
	s.Advance(time.Hour)
	p.as(p.user, "GET", company, nil).want(t, 401, 400)
}

// A customer tenant gives tokens after the consent, when it is known everywhere, and
// the application is another principal in each tenant.
func TestACustomerTenantGivesTokensOnlyAfterConsent(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	if err := s.Seed(sim.Seed{Customers: []sim.SeedCustomer{
		{ID: "aaaaaaaa-0000-4000-8000-000000000001", Domain: "one.onmicrosoft.com", Name: "One", GDAP: []string{sim.DefaultGDAPGroup}},
		{ID: "aaaaaaaa-0000-4000-8000-000000000002", Domain: "two.onmicrosoft.com", Name: "Two"},
		{ID: "aaaaaaaa-0000-4000-8000-000000000003", Domain: "three.onmicrosoft.com", Name: "Three", GDAP: []string{sim.DefaultGDAPGroup}, Consent: true},
	}}); err != nil {
		t.Fatal(err)
	}
	const one, two, three = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002", "aaaaaaaa-0000-4000-8000-000000000003"
	s.SetWait(sim.WaitConsent, time.Minute)
	app := url.Values{"grant_type": {"client_credentials"}, "resource": {"https://management.azure.com/"}}
	person := func(tenant, resource string) answer {
		return p.grant(tenant, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.SignIn(sim.DefaultUser, true)}, "resource": {resource}})
	}
	consent := map[string]any{"applicationId": sim.DefaultAppID, "displayName": "Platform",
		"applicationGrants": []any{map[string]string{"enterpriseApplicationId": sim.ResourceARM, "scope": "user_impersonation"}}}

	person(two, "https://management.azure.com").refused(t, 50020) // no GDAP, no subscription: no way in
	p.as(p.user, "POST", "/v1/customers/"+two+"/applicationconsents", consent).want(t, 403, 900308)
	person(one, "https://management.azure.com").refused(t, 65001)
	p.as(p.user, "POST", "/v1/customers/"+one+"/applicationconsents", consent).want(t, 201)
	p.grant(one, app).refused(t, 700016)
	person(one, "https://management.azure.com").refused(t, 65001)
	s.Advance(time.Minute)
	mine := claimsOf(t, p.grant(one, app).want(t, 200).at("access_token"))
	theirs := claimsOf(t, p.grant(three, app).want(t, 200).at("access_token"))
	if mine["tid"] != one || mine["oid"] == theirs["oid"] || mine["idtyp"] != "app" {
		t.Errorf("principals: %v and %v", mine, theirs)
	}
	if got := claimsOf(t, person(one, "https://management.azure.com").want(t, 200).at("access_token")); got["tid"] != one || got["idtyp"] != "user" {
		t.Errorf("the person's token: %v", got)
	}
	person(one, "https://graph.microsoft.com").refused(t, 65001) // Graph was not granted
	if a := p.as(p.user, "POST", "/v1/customers/"+one+"/applicationconsents", consent); a.status != 409 || !strings.Contains(a.raw, "already exists") {
		t.Errorf("a second consent: %d %s", a.status, a.raw)
	}
	p.as(p.user, "DELETE", "/v1/customers/"+one+"/applicationconsents/"+sim.DefaultAppID, nil).want(t, 200)
	p.grant(one, app).refused(t, 700016)
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token has three parts: %q", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// A person signs in on the page and the platform redeems the code, once.
func TestAPersonSignsInAndTheCodeIsRedeemedOnce(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	p.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	const back = "http://127.0.0.1:1/callback"
	at := s.PlainURL + "/common/oauth2/authorize?" + url.Values{"client_id": {sim.DefaultAppID}, "response_type": {"code"}, "redirect_uri": {back}, "state": {"s1"}}.Encode()

	if a := p.do("GET", at, ""); a.status != 200 || !strings.Contains(a.raw, "<h1>Sign in</h1>") {
		t.Fatalf("sign-in page: %d %s", a.status, a.raw)
	}
	form := url.Values{"user": {sim.DefaultUser}, "password": {"wrong"}, "mfa": {"yes"}, "consent": {"yes"}}
	if a := p.do("POST", at, form.Encode()); a.status != 200 || !strings.Contains(a.raw, "AADSTS50126") {
		t.Errorf("wrong password: %d %s", a.status, a.raw)
	}
	form.Set("password", sim.DefaultPassword)
	a := p.do("POST", at, form.Encode())
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusFound || to.Query().Get("state") != "s1" {
		t.Fatalf("sent back: %d %q", a.status, a.header.Get("Location"))
	}
	grant := url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {back}, "resource": {partnerCenter}}
	got := p.grant("common", grant).want(t, 200)
	c := claimsOf(t, got.at("access_token"))
	if got.at("refresh_token") == "" || c["upn"] != sim.DefaultUser || fmt.Sprint(c["amr"]) != "[pwd mfa]" {
		t.Errorf("tokens: %s %v", got.raw, c)
	}
	p.grant("common", grant).refused(t, 54005)

	form.Del("consent")
	if a := p.do("POST", at, form.Encode()); !strings.Contains(a.header.Get("Location"), "access_denied") {
		t.Errorf("declined consent: %q", a.header.Get("Location"))
	}
}
