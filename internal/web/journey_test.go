package web_test

import (
	"html"
	"net/url"
	"path"
	"strings"
	"testing"

	"causeway/internal/demo"
	"causeway/internal/provider"
)

// draft walks the wizard up to the step "details", as somebody without scripts.
func (s *surfer) draft(name, alias string) string {
	s.t.Helper()
	to := s.post("/providers/new", url.Values{}).redirects("")
	id := strings.Split(to, "/")[2]
	w := "/providers/" + id + "/wizard/"
	s.get(to).is(200).says("Which cloud?", "Step 1 of 7")
	s.post(w+"type", url.Values{"type": {provider.TypeAzure}}).redirects(w + "mode")
	s.get(w+"mode").is(200).says("Create a new Azure customer account", "Contact your representative")
	s.post(w+"mode", url.Values{"mode": {provider.ModeNew}}).redirects(w + "name")
	s.post(w+"name", url.Values{"name": {name}}).redirects(w + "account")
	s.get(w + "account").is(200).says("Not connected yet")
	s.post("/providers/"+id+"/connect", url.Values{"user": {demo.AccountAdministrator}, "password": {demo.Password}}).redirects(w + "account")
	s.get(w+"account").is(200).says("Connected as "+demo.AccountAdministrator, "Can be billed", "Cannot be billed")
	next := s.post(w+"account", url.Values{"account": {alias}, "budget": {"1,500.00"}}).redirects("")
	if path.Base(next) != "details" && path.Base(next) != "terms" {
		s.t.Fatalf("after the account comes %s", next)
	}
	return id
}

// details sends the details as they are filled in, with a prefix of its own.
func (s *surfer) details(id, prefix string, more url.Values) *answer {
	s.t.Helper()
	w := "/providers/" + id + "/wizard/details"
	page := s.get(w).is(200).says("Details for Microsoft")
	form := url.Values{"prefix": {prefix}, "permanent": {"yes"}, "same_signatory": {"yes"}, "language": {"en-US"}}
	for _, f := range []string{"company_name", "line1", "line2", "city", "postal_code", "first_name", "last_name", "email", "phone"} {
		form.Set(f, page.value(f))
	}
	for k, v := range more {
		form[k] = v
	}
	return s.post(w, form)
}

// agree accepts both sets of terms, Microsoft's on its own page.
func (s *surfer) agree(w *world, id string) {
	s.t.Helper()
	step := "/providers/" + id + "/wizard/terms"
	page := s.get(step).is(200).says("Two sets of terms", "Not yet accepted")
	s.post("/providers/"+id+"/attestation", url.Values{"signer": {"me"}}).redirects(step)
	d, err := w.app.Provision.Draft(s.t.Context(), w.actor(demo.Administrator), provider.ID(id))
	w.must(err)
	w.must(w.sim.AcceptAttestation(d.Microsoft.ID))
	s.post(step, url.Values{"accept_partner": {page.value("accept_partner")}}).redirects("/providers/" + id + "/wizard/review")
}

// The whole journey without scripts: every step is a plain form.
func TestAPersonWithoutScriptsGetsASubscription(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Administrator)
	s.get("/providers").is(200).says("Give Contoso", "New provider")
	id := s.draft("Contoso analytics", "CTSE")
	s.details(id, "contosoanalytics", nil).redirects("/providers/" + id + "/wizard/terms")
	s.agree(w, id)
	s.get("/providers/"+id+"/wizard/review").is(200).says("contosoanalytics.onmicrosoft.com", "CTSE", "1,500.00 USD", "Create Contoso analytics")
	s.post("/providers/"+id+"/wizard/review", url.Values{}).redirects("/providers/" + id)
	s.post("/providers/"+id+"/wizard/review", url.Values{}).redirects("/providers/" + id) // sent twice
	s.get("/providers/"+id).is(200).says("Contoso analytics", "Creates a Microsoft Azure")
	w.until(id, provider.Ready)
	page := s.get("/providers/"+id).is(200).says("Ready", "contosoanalytics.onmicrosoft.com", "Who has access, and why", "Show credentials", "CTSE", "Signed receipt")
	page.hides(demo.Password)
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("customers at Microsoft = %d, want 1", n)
	}
	// The first sign-in: own password, then it is shown; stored, it is gone.
	s.post("/providers/"+id+"/credentials", url.Values{"password": {"wrong"}}).redirects("/providers/" + id)
	shown := s.post("/providers/"+id+"/credentials", url.Values{"password": {demo.Password}}).is(200).says("admin@contosoanalytics.onmicrosoft.com", "Azure asks for a new password")
	c, err := w.app.Provision.ShowCredentials(t.Context(), w.actor(demo.Administrator), provider.ID(id), demo.Password)
	w.must(err)
	secret := c.Password
	if secret == "" || !strings.Contains(html.UnescapeString(shown.body), secret) {
		t.Errorf("the page does not show the password that Microsoft gave")
	}
	s.get("/providers/" + id).hides(secret)
	s.post("/providers/"+id+"/credentials", url.Values{"done": {"1"}}).redirects("/providers/" + id)
	s.get("/providers/"+id).says("not kept any more", "Erased here")
	s.post("/providers/"+id+"/credentials", url.Values{"password": {demo.Password}}).is(404)
	// From the account's side.
	s.get("/accounts/CTSE").is(200).says("What it pays for", "Contoso analytics", "UTC", "1,500.00 USD of")
	s.get("/providers/" + id + "/receipt").is(200).says(`"causeway-receipt/1"`)
	for _, tab := range []string{"access", "guardrail", "log"} {
		s.get("/providers/" + id + "?tab=" + tab).is(200).says("Contoso analytics")
	}
	s.get("/providers?q=analytics&state=ready").is(200).says("1 provider", "Contoso analytics")
	s.get("/providers/list.csv").is(200).says("Contoso analytics,ready", "contosoanalytics.onmicrosoft.com")
	s.get("/search?q=contosoanalytics").redirects("/providers/" + id)
	// A reservation that this subscription pays for.
	p, err := w.app.Providers.Find(t.Context(), provider.ID(id))
	w.must(err)
	s.get("/requests/reservation").is(200).says("Contoso analytics · CTSE", "Send the request")
	wanted := url.Values{"intent": {"purchase"}, "subscription": {p.Subscription}, "scope": {"single"}, "billing": {"monthly"}, "type": {"Standard_D4s_v5"}, "region": {"eastus2"}, "quantity": {"two"}, "term": {"P3Y"}}
	s.post("/requests/reservation", wanted).is(422).says("not a whole number", "Standard_D4s_v5")
	wanted.Set("quantity", "2")
	wanted.Set("subscription", "somebody-else's")
	s.post("/requests/reservation", wanted).is(422).says("no subscription of your organization")
	wanted.Set("subscription", p.Subscription)
	s.post("/requests/reservation", wanted).redirects("/requests")
	s.get("/requests").is(200).says("Reserve 2 × Standard_D4s_v5, eastus2, 3 years")
}
