package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"causeway/internal/demo"
	"causeway/internal/provider"
)

// What is wrong is said at its field with reason and remedy, what was typed is
// kept, and nothing is half-made.
func TestBadInputIsRefusedWithFieldReasonAndRemedy(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Administrator)
	id := s.draft("Contoso analytics", "CTSE")
	at := "/providers/" + id
	for _, c := range []struct {
		what, path string
		form       url.Values
		code       int
		says       []string
	}{
		{"no such type", at + "/wizard/type", url.Values{"type": {"aws"}}, 422, []string{"There is no provider type", "Choose one that is offered"}},
		{"an existing account is led to the representative", at + "/wizard/mode", url.Values{"mode": {"existing"}}, 422, []string{"moved by our staff", "Contact your representative"}},
		{"an empty name", at + "/wizard/name", url.Values{"name": {"  "}}, 422, []string{"The name is empty."}},
		{"a name that is too long", at + "/wizard/name", url.Values{"name": {strings.Repeat("é", 65)}}, 422, []string{"longer than 64 characters"}},
		{"a name that Azure refuses", at + "/wizard/name", url.Values{"name": {"a<b"}}, 422, []string{"does not take the characters"}},
		{"a name with NUL", at + "/wizard/name", url.Values{"name": {"a\x00b"}}, 422, []string{"cannot be stored"}},
		{"a name of broken bytes", at + "/wizard/name", url.Values{"name": {"a\xffb"}}, 422, []string{"cannot be stored"}},
		{"a wrong password of the account", at + "/connect", url.Values{"user": {demo.AccountAdministrator}, "password": {"wrong"}}, 422, []string{"The login or the password is wrong."}},
		{"no administrator", at + "/connect", url.Values{"user": {demo.NoAdministrator}, "password": {demo.Password}}, 403, []string{"is no account administrator", "Find yours"}},
		{"somebody else's account", at + "/wizard/account", url.Values{"account": {"FBRK"}}, 422, []string{"does not administer FBRK"}},
		{"a refused account", at + "/wizard/account", url.Values{"account": {"CTRP"}}, 422, []string{"which is a reseller", "ask for an exception"}},
		{"a budget that is none", at + "/wizard/account", url.Values{"account": {"CTSE"}, "budget": {"much"}}, 422, []string{"“much” is not an amount above zero."}},
		{"a budget over the limit", at + "/wizard/account", url.Values{"account": {"CTSE"}, "budget": {"99999999"}}, 422, []string{"credit limit"}},
		{"terms before the details", at + "/wizard/terms", url.Values{}, 303, nil},
	} {
		a := s.post(c.path, c.form)
		if a.code != c.code {
			t.Errorf("%s: %d, want %d\n%.600s", c.what, a.code, c.code, a.text())
			continue
		}
		for _, x := range c.says {
			if !strings.Contains(a.text(), x) {
				t.Errorf("%s: does not say %q\n%.1500s", c.what, x, a.text())
			}
		}
		if strings.Contains(a.body, demo.Password) {
			t.Errorf("%s: the password is in the answer", c.what)
		}
	}

	s.details(id, "contoso-analytics!", url.Values{"permanent": {""}, "email": {"nobody"}, "city": {""}}).is(422).
		says("letters a to z and digits only", "not confirmed that the domain is permanent", "e-mail address is none", "things need a change")
	page := s.get(at + "/wizard/details").is(200)
	if got := page.value("email"); got != "nobody" {
		t.Errorf("what was typed is kept after a refusal: e-mail = %q", got)
	}
	w.must(w.sim.TakeDomain("contosotaken.onmicrosoft.com"))
	s.details(id, "contosotaken", url.Values{"email": {"billing@contoso.example"}, "city": {"Chicago"}}).is(422).says("contosotaken.onmicrosoft.com is taken")
	s.get(at + "/domain?prefix=contosotaken").is(200).says("is taken")
	s.get(at + "/domain?prefix=contosofree").is(200).says("contosofree.onmicrosoft.com is free.")
	s.get(at + "/domain?prefix=Con+toso").is(200).says("letters a to z and digits only")

	// A connection that has ended is connected again; the choice is kept.
	if n := len(w.sim.Customers()); n != 0 {
		t.Errorf("customers at Microsoft = %d after refusals only", n)
	}
	s.do("POST", "/providers/new", url.Values{}, "Sec-Fetch-Site", "cross-site").is(403).says("another website")
	s.post(at+"/wizard/name", url.Values{"name": {strings.Repeat("x", 2<<20)}}).is(422).says("larger than 1 MB")
	s.get("/providers?after=nonsense").is(422).says("not one of ours")
	s.get("/nowhere").is(404).says("There is nothing here")
	s.get("/providers/no-such-provider").is(404)
	s.get(at + "/wizard/nothing").is(404)
}

// Two windows of one wizard, and a form that is sent twice.
func TestSentTwiceIsMadeOnce(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Administrator)
	one := s.post("/providers/new", url.Values{}).redirects("")
	if two := s.post("/providers/new", url.Values{}).redirects(""); two != one {
		t.Errorf("New provider pressed twice made %s and %s", one, two)
	}
	id := w.ready("Contoso analytics", "CTSE", "contosoanalytics")
	for range 2 {
		s.post("/providers/"+id+"/wizard/review", url.Values{}).redirects("/providers/" + id)
		s.post("/providers/"+id+"/wizard/name", url.Values{"name": {"Another name"}}).redirects("/providers/" + id)
	}
	s.post("/providers/"+id+"/cancel", url.Values{"confirm": {"something else"}}).is(422).says("This is not the name. Nothing was cancelled")
	for range 2 {
		s.post("/providers/"+id+"/cancel", url.Values{"confirm": {"Contoso analytics"}}).redirects("/providers/" + id)
	}
	w.until(id, provider.Cancelled)
	s.get("/providers/"+id).is(200).says("Cancelled", "is kept and used again next time")
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("customers at Microsoft = %d, want 1", n)
	}
}

// The sign-in keeps strangers out, and a session ends at the server.
func TestSignIn(t *testing.T) {
	w := newWorld(t)
	g := w.guest()
	g.get("/providers?q=x").redirects("/signin?next=%2Fproviders%3Fq%3Dx")
	g.get("/").redirects("/signin")
	g.post("/signin", url.Values{"email": {demo.Member}, "password": {"wrong"}, "next": {"/people"}}).is(422).says("The mail address or the password is wrong.").hides("wrong\"")
	g.post("/signin", url.Values{"email": {demo.Member}, "password": {demo.Password}, "next": {"//evil.example/x"}}).redirects("/")
	cookie := g.client.Jar.Cookies(must(url.Parse(w.url)))[0]
	g.get("/people").is(200).says(demo.Member)
	head := g.get("/providers").head
	for name, want := range map[string]string{
		"Content-Security-Policy": "frame-src " + w.sim.PlainURL, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		if !strings.Contains(strings.Join(head.Values(name), ", "), want) {
			t.Errorf("%s = %q, want %q in it", name, head.Values(name), want)
		}
	}
	if csp := head.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	g.post("/signout", url.Values{}).redirects("/signin")
	stolen := w.guest()
	stolen.client.Jar.SetCookies(must(url.Parse(w.url)), []*http.Cookie{cookie})
	stolen.get("/people").redirects("/signin?next=%2Fpeople")

	// Who is deactivated is out at the next click.
	s := w.signIn(demo.Member)
	u, err := w.app.People.UserByEmail(t.Context(), demo.Member)
	w.must(err)
	u.Active = false
	_, err = w.app.People.UpdateUser(t.Context(), w.actor(demo.Administrator), u)
	w.must(err)
	s.get("/people").redirects("/signin?next=%2Fpeople")
	s.get("/signin").says("You were signed out.")

	for range 6 {
		g.post("/signin", url.Values{"email": {demo.Reader}, "password": {"wrong"}})
	}
	g.post("/signin", url.Values{"email": {demo.Reader}, "password": {demo.Password}}).is(503).says("too many tries")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Times are the reader's; billing days are UTC and say so.
func TestTimesAreTheReadersAndBillingDaysUTC(t *testing.T) {
	w := newWorld(t)
	id := w.ready("Contoso analytics", "CTSE", "contosoanalytics")
	s := w.signIn(demo.Administrator)
	s.client.Jar.SetCookies(must(url.Parse(w.url)), []*http.Cookie{{Name: "cw-zone", Value: "Asia/Tokyo", Path: "/"}})
	tokyo := must(time.LoadLocation("Asia/Tokyo"))
	page := s.get("/providers/" + id).is(200)
	page.says("since "+time.Now().In(tokyo).Format("2 Jan 2006"), time.Now().UTC().Format("2 Jan 2006")+", 00:00 UTC")
	s.client.Jar.SetCookies(must(url.Parse(w.url)), []*http.Cookie{{Name: "cw-zone", Value: "../../etc/passwd", Path: "/"}})
	s.get("/providers/" + id).is(200).says("UTC")
}
