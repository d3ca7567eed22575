package api_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/api"
	"causeway/internal/sim"
)

// refused expects a refusal of one field, with its reason and remedy, at its place
// in the body.
func refused(t *testing.T, a answer, status int, place string) api.Problem {
	t.Helper()
	p := a.problem(t)
	if a.Status != status {
		t.Errorf("status = %d, want %d: %s", a.Status, status, a.Body)
	}
	if !slices.ContainsFunc(p.Errors, func(e api.ErrorAt) bool { return e.Location == place && e.Message != "" }) {
		t.Errorf("no error at %s: %s", place, a.Body)
	}
	if !slices.ContainsFunc(p.Refusals, func(r api.RefusalView) bool { return r.Field != "" && r.Reason != "" }) {
		t.Errorf("no refusal names field and reason: %s", a.Body)
	}
	return p
}

// What is sent in a wrong form is refused before anything is done.
func TestBodiesThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	for _, x := range []struct {
		what   string
		body   string
		header []string
		status int
	}{
		{"a body that is not JSON", `{"name":`, nil, 400},
		{"text in place of JSON", `hello`, nil, 400},
		{"something behind the JSON", `{} {}`, nil, 400},
		{"bytes that are not UTF-8", "{\"name\":\"\xff\"}", nil, 400},
		{"a body of more than 1 MiB", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413},
		{"a form in place of JSON", `name=x`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"JSON in another character set", `{}`, []string{"Content-Type", "application/json; charset=iso-8859-1"}, 415},
		{"an unknown member", `{"name":"x","colour":"hunter2"}`, nil, 422},
		{"a member in capitals", `{"Name":"x"}`, nil, 422},
		{"a number in place of text", `{"name":7}`, nil, 422},
		{"the character NUL", `{"name":"a\u0000b"}`, nil, 422},
		{"a list in place of an object", `[]`, nil, 422},
	} {
		got := w.admin.do("POST", "/providers", x.body, x.header...)
		got.problem(t)
		if got.Status != x.status {
			t.Errorf("%s = %d, want %d: %s", x.what, got.Status, x.status, got.Body)
		}
		if strings.Contains(got.Body, "hunter2") {
			t.Errorf("%s: the answer repeats what was sent: %s", x.what, got.Body)
		}
	}
	refused(t, w.admin.do("POST", "/providers", `{"colour":"x"}`), 422, "body.colour")
	refused(t, w.admin.do("POST", "/providers", `{"name":"a\u0000b"}`), 422, "body.name")
	var list api.Page[api.Provider]
	w.admin.want(200, "GET", "/providers", nil).into(t, &list)
	if len(list.Items) != 0 {
		t.Errorf("%d providers were made by bodies that cannot be read", len(list.Items))
	}
}

func TestAddressesAndMethodsThatAreNone(t *testing.T) {
	w := newWorld(t)
	for _, x := range []struct {
		what, method, path string
		status             int
	}{
		{"an address that is none", "GET", "/nowhere", 404},
		{"a method that an address does not take", "DELETE", "/providers", 405},
		{"the character NUL in an address", "GET", "/providers/a%00b", 400},
		{"broken UTF-8 in an address", "GET", "/providers/%ff", 400},
		{"a query that no list has", "GET", "/providers?colour=red", 422},
		{"a page that is too long", "GET", "/providers?limit=100000", 422},
		{"a cursor of nothing", "GET", "/providers?after=xyz", 422},
		{"an object that is not there", "GET", "/providers/01a209d5-0000-7000-8000-000000000000", 404},
	} {
		got := w.admin.do(x.method, x.path, nil)
		got.problem(t)
		if got.Status != x.status {
			t.Errorf("%s = %d, want %d: %s", x.what, got.Status, x.status, got.Body)
		}
	}
	if allow := w.admin.do("DELETE", "/providers", nil).Header.Get("Allow"); allow != "GET, POST" {
		t.Errorf("Allow = %q", allow)
	}
}

// Only a token opens the API.
func TestWhoIsNobody(t *testing.T) {
	w := newWorld(t)
	revoked := w.token(must(t)(w.app.People.User(t.Context(), w.admin.User)), account.ScopeAll, "to be revoked")
	var me api.Me
	revoked.want(200, "GET", "/me", nil).into(t, &me)
	w.admin.want(204, "DELETE", "/tokens/"+me.Token.ID, nil)
	for _, x := range []struct {
		what    string
		headers []string
	}{
		{"nothing", nil},
		{"a cookie alone", []string{"Cookie", "session=" + w.admin.secret}},
		{"a token that is none", []string{"Authorization", "Bearer nonsense"}},
		{"a token as a password", []string{"Authorization", "Basic " + w.admin.secret}},
		{"a revoked token", []string{"Authorization", "Bearer " + revoked.secret}},
	} {
		got := caller{w: w}.do("GET", "/me", nil, x.headers...)
		got.problem(t)
		if got.Status != http.StatusUnauthorized || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s = %d, want 401: %s", x.what, got.Status, got.Body)
		}
	}
	w.must(w.app.People.SignOutEverywhere(t.Context(), account.System(), w.member.User))
}

func must(t *testing.T) func(account.User, error) account.User {
	return func(u account.User, err error) account.User {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
}

func TestSigningInGivesATokenAndTriesAreCounted(t *testing.T) {
	w := newWorld(t)
	nobody := caller{w: w, name: "nobody"}
	login := func(pw string) answer {
		return nobody.do("POST", "/tokens/login", map[string]any{"email": "admin@contoso.example", "password": pw, "name": "my laptop", "days": 7})
	}
	var n api.NewToken
	got := login(password)
	got.into(t, &n)
	if got.Status != 201 || n.Secret == "" || n.Token.Name != "my laptop" || n.Token.ExpiresAt.After(w.app.Config.Now().AddDate(0, 0, 8)) {
		t.Fatalf("login = %d %+v", got.Status, n)
	}
	caller{w: w, name: "the new token", secret: n.Secret}.want(200, "GET", "/me", nil)
	wrong := login("hunter2")
	refused(t, wrong, 422, "body.password")
	if strings.Contains(wrong.Body, "hunter2") {
		t.Error("the password comes back")
	}
	for range 20 {
		if got = login("hunter2"); got.Status == 503 {
			break
		}
	}
	if got.Status != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("twenty wrong passwords = %d, Retry-After %q, want 503 with a time", got.Status, got.Header.Get("Retry-After"))
	}
}

// Every bad input gets a refusal with field, reason and remedy, and leaves nothing
// half-made.
func TestWhatBadInputGets(t *testing.T) {
	w := newWorld(t)
	id := w.draft()
	at := "/providers/" + id
	good := func() map[string]any { return map[string]any{"domain_prefix": "contosogood", "domain_confirmed": true} }
	with := func(more map[string]any) map[string]any {
		m := good()
		for k, v := range more {
			m[k] = v
		}
		return m
	}
	details := func(m map[string]any) answer { return w.admin.do("PATCH", at+"/details", m) }
	contact := func(first string) map[string]any {
		return map[string]any{"contact": map[string]string{"first_name": first, "last_name": "Administrator", "email": "a@contoso.example"}}
	}

	t.Run("a domain prefix with a hyphen", func(t *testing.T) {
		refused(t, details(with(map[string]any{"domain_prefix": "con-toso"})), 422, "body.domain_prefix")
	})
	t.Run("a domain prefix of 28 characters", func(t *testing.T) {
		refused(t, details(with(map[string]any{"domain_prefix": strings.Repeat("a", 28)})), 422, "body.domain_prefix")
	})
	t.Run("a domain that is not confirmed", func(t *testing.T) {
		refused(t, details(with(map[string]any{"domain_confirmed": false})), 422, "body.domain_confirmed")
	})
	t.Run("a name of 51 characters", func(t *testing.T) {
		refused(t, details(with(contact(strings.Repeat("á", 51)))), 422, "body.contact.first_name")
	})
	t.Run("a name of 50 characters in another script", func(t *testing.T) {
		if got := details(with(contact(strings.Repeat("名", 50)))); got.Status != 200 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("everything that is wrong is named at once", func(t *testing.T) {
		p := refused(t, details(with(map[string]any{"domain_prefix": "", "company_name": " ", "address": map[string]string{"country": "US", "line1": "", "city": "Buffalo", "state": "NY", "postal_code": "1"}})), 422, "body.domain_prefix")
		if len(p.Errors) < 4 {
			t.Errorf("%d errors, want prefix, company, line and postal code: %+v", len(p.Errors), p.Errors)
		}
	})
	t.Run("a provider's name of 65 characters", func(t *testing.T) {
		refused(t, w.admin.do("PUT", at+"/name", map[string]string{"name": strings.Repeat("n", 65)}), 422, "body.name")
	})
	t.Run("a domain that is taken at Microsoft", func(t *testing.T) {
		w.must(w.sim.TakeDomain("contosotaken.onmicrosoft.com"))
		w.admin.want(200, "PATCH", at+"/details", with(map[string]any{"domain_prefix": "contosotaken"}))
		var c api.Checked
		w.admin.want(200, "POST", at+"/details/check", nil).into(t, &c)
		if len(c.Refusals) != 1 || c.Refusals[0].Field != "domain_prefix" || c.Refusals[0].Remedy == "" {
			t.Errorf("refusals = %+v", c.Refusals)
		}
		whole := w.admin.do("POST", "/providers", map[string]any{
			"name": "All at once", "account": "CTSO", "connect": map[string]string{"login": "ctso-admin", "password": password}, "details": with(map[string]any{"domain_prefix": "contosotaken"}),
		})
		refused(t, whole, 422, "body.details.domain_prefix")
		var list api.Page[api.Provider]
		w.admin.want(200, "GET", "/providers?search=All+at+once", nil).into(t, &list)
		if len(list.Items) != 0 {
			t.Error("a refused provider left a draft behind")
		}
	})
	t.Run("a wrong password of the account administrator", func(t *testing.T) {
		got := w.admin.do("PUT", at+"/connection", map[string]string{"login": "ctso-admin", "password": "hunter2 hunter2"})
		got.problem(t)
		if got.Status < 400 || got.Status >= 500 || strings.Contains(got.Body, "hunter2") {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("somebody else's account", func(t *testing.T) {
		refused(t, w.admin.do("PUT", at+"/account", map[string]string{"account": "FBKM"}), 422, "body.account")
	})
	t.Run("an account that is disabled while the draft waits", func(t *testing.T) {
		full := w.filled("contosodisabled")
		w.must(w.app.People.DisableAccount(t.Context(), account.System(), "CTSO", "Closed."))
		refused(t, w.admin.do("POST", "/providers/"+full+"/submit", nil), 422, "body.account")
		if n := len(w.sim.Customers()); n != 0 {
			t.Errorf("Microsoft has %d customers, want none", n)
		}
	})
}

// Two organizations want one domain: one gets it, the other is told which field.
func TestTwoOrganizationsRaceForOneDomain(t *testing.T) {
	w := newWorld(t)
	first := w.filled("wanted")
	w.admin, w.stranger = w.stranger, w.admin
	var d api.Draft
	w.admin.want(201, "POST", "/providers", map[string]any{
		"name": "Fabrikam production", "account": "FBKM", "connect": map[string]string{"login": "fbkm-admin", "password": password}, "details": map[string]any{"domain_prefix": "wanted", "domain_confirmed": true},
	}).into(t, &d)
	second := d.Provider.ID
	w.acceptTerms(second, false)
	w.attest(second)
	var all sync.WaitGroup
	answers := make([]answer, 2)
	for i, x := range []struct {
		who caller
		id  string
	}{{w.stranger, first}, {w.admin, second}} {
		all.Go(func() { answers[i] = x.who.do("POST", "/providers/"+x.id+"/submit", nil) })
	}
	all.Wait()
	won := 0
	for _, a := range answers {
		switch a.Status {
		case 200:
			won++
		case 409, 422:
			refused(t, a, a.Status, "body.domain_prefix")
		default:
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if won != 1 {
		t.Errorf("%d of two got the domain, want 1: %s %s", won, answers[0].Body, answers[1].Body)
	}
}

// Two wizards of one organization at once: one tenant, two subscriptions.
func TestTwoWizardsOfOneOrganizationAtOnce(t *testing.T) {
	w := newWorld(t)
	a, b := w.filled("contosofirst"), w.filled("contosofirst")
	w.sim.Fail("POST /v1/customers", sim.Fault{Kind: sim.Delay, Delay: sim.Duration(time.Second)}) // the second is submitted before the tenant exists
	w.admin.want(200, "POST", "/providers/"+a+"/submit", nil)
	w.admin.want(200, "POST", "/providers/"+b+"/submit", nil)
	one, two := w.until(a, "ready"), w.until(b, "ready")
	if one.Provider.TenantID != two.Provider.TenantID || one.Provider.SubscriptionID == two.Provider.SubscriptionID {
		t.Errorf("tenants %s and %s, subscriptions %s and %s", one.Provider.TenantID, two.Provider.TenantID, one.Provider.SubscriptionID, two.Provider.SubscriptionID)
	}
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("Microsoft has %d customers, want 1", n)
	}
}
