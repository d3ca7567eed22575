package sim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"causeway/internal/sim"
)

// partner calls the simulator as the partner's platform does.
type partner struct {
	t    *testing.T
	s    *sim.Server
	http *http.Client
	app  string // token, app only
	user string // token of an Admin agent with MFA
}

type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
	err    error
}

func newPartner(t *testing.T, s *sim.Server) *partner {
	t.Helper()
	p := &partner{t: t, s: s, http: s.Client()}
	t.Cleanup(p.http.CloseIdleConnections)
	p.app = p.token("", url.Values{"grant_type": {"client_credentials"}, "resource": {"https://api.partnercenter.microsoft.com"}})
	p.user = p.token("", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {s.SignIn(sim.DefaultUser, true)},
		"resource": {"https://api.partnercenter.microsoft.com"}})
	return p
}

// token redeems a grant at a tenant's v1 endpoint.
func (p *partner) token(tenant string, form url.Values) string {
	p.t.Helper()
	a := p.grant(tenant, form)
	token, _ := a.body["access_token"].(string)
	if a.status != 200 || token == "" {
		p.t.Fatalf("token: %d %s", a.status, a.raw)
	}
	return token
}

func (p *partner) grant(tenant string, form url.Values) answer {
	p.t.Helper()
	if tenant == "" {
		tenant = sim.DefaultPartnerTenant
	}
	form.Set("client_id", sim.DefaultAppID)
	if !form.Has("client_secret") {
		form.Set("client_secret", sim.DefaultAppSecret)
	}
	return p.do("POST", "/"+tenant+"/oauth2/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// as calls with a token; further arguments are header names and values.
func (p *partner) as(token, method, path string, body any, headers ...string) answer {
	p.t.Helper()
	text, is := body.(string)
	if !is && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		text = string(b)
	}
	return p.do(method, path, text, append([]string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}, headers...)...)
}

func (p *partner) do(method, path, body string, headers ...string) answer {
	p.t.Helper()
	to := path
	if !strings.HasPrefix(path, "http") {
		to = p.s.URL + path
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{err: err}
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // lists and pages have no members
	return a
}

// want fails the test when the status, or the code in the body, is another one.
func (a answer) want(t *testing.T, status int, code ...any) answer {
	t.Helper()
	if a.err != nil {
		t.Fatalf("no answer: %v", a.err)
	}
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.raw)
	}
	if len(code) > 0 {
		got := a.body["code"]
		if inner, nested := a.body["error"].(map[string]any); nested {
			got = inner["code"]
		}
		if fmt.Sprint(got) != fmt.Sprint(code[0]) {
			t.Fatalf("code %v, want %v: %s", got, code[0], a.raw)
		}
	}
	return a
}

// at reads a member by its path, "" when it is absent.
func (a answer) at(path string) string {
	var v any = a.body
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// contoso is a customer as the platform would send it.
func contoso(domain string) map[string]any {
	return map[string]any{
		"companyProfile": map[string]any{"domain": domain},
		"billingProfile": map[string]any{
			"email": "admin@contoso.example", "culture": "en-US", "language": "en", "companyName": "Contoso",
			"defaultAddress": map[string]any{"country": "US", "city": "Redmond", "state": "WA", "addressLine1": "1 Microsoft Way",
				"postalCode": "98052", "firstName": "Account", "lastName": "Owner", "phoneNumber": "4255550100"},
		},
	}
}

// A lost answer is the worst case: it happened, and we were not told.
func TestALostAnswerIsReplayedWithTheCredentials(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	s.HangUpAfter("POST /v1/customers")
	const id = "11111111-2222-4333-8444-555555555555"

	if a := p.as(p.app, "POST", "/v1/customers", contoso("contoso.onmicrosoft.com"), "MS-RequestId", id); a.err == nil {
		t.Fatalf("the answer should be lost, got %d", a.status)
	}
	a := p.as(p.app, "POST", "/v1/customers", contoso("contoso.onmicrosoft.com"), "MS-RequestId", id).want(t, 201)
	if a.at("userCredentials.password") == "" {
		t.Errorf("the replay has no password: %s", a.raw)
	}
	if n := len(s.Customers()); n != 1 {
		t.Errorf("customers = %d, want 1", n)
	}
	calls := s.Calls("POST /v1/customers")
	if len(calls) != 2 || calls[0].Status != 0 || !calls[1].Replayed {
		t.Errorf("calls = %+v", calls)
	}
}
