package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"causeway/internal/demo"
	"causeway/internal/guardrail"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
)

// form collects what a page of settings would send unchanged.
func (a *answer) form() url.Values {
	a.t.Helper()
	q := url.Values{}
	for _, part := range strings.Split(a.body, "<")[1:] {
		tag, _, _ := strings.Cut(part, ">")
		name := attr(tag, "name")
		if name == "" || strings.HasPrefix(tag, "meta") || strings.HasPrefix(tag, "button") {
			continue
		}
		switch {
		case strings.HasPrefix(tag, "input") && strings.Contains(tag, `type="checkbox"`):
			if strings.Contains(tag, " checked") {
				q.Add(name, attr(tag, "value"))
			}
		case strings.HasPrefix(tag, "input"):
			q.Set(name, attr(tag, "value"))
		case strings.HasPrefix(tag, "textarea"):
			_, text, _ := strings.Cut(part, ">")
			q.Set(name, unescape(text))
		case strings.HasPrefix(tag, "select"):
			_, list, _ := strings.Cut(a.body[strings.Index(a.body, "<"+tag+">"):], ">")
			list, _, _ = strings.Cut(list, "</select>")
			for _, o := range strings.Split(list, "<option")[1:] {
				if strings.Contains(strings.SplitN(o, ">", 2)[0], " selected") {
					q.Set(name, attr("x "+strings.SplitN(o, ">", 2)[0], "value"))
				}
			}
		}
	}
	return q
}

func attr(tag, name string) string {
	_, rest, ok := strings.Cut(tag, " "+name+`="`)
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(rest, `"`)
	return unescape(v)
}

func unescape(s string) string {
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// The partner's words, colours and rules are settings; nobody overwrites somebody
// else's change, and an accent that cannot be read is refused.
func TestSettingsAreVersionedAndRefuseWhatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Owner)
	brand := s.get("/staff/brand").is(200).says("Never saved", " to 1").form()
	with := func(q url.Values, pairs ...string) url.Values {
		out := url.Values{}
		for k, v := range q {
			out[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			out.Set(pairs[i], pairs[i+1])
		}
		return out
	}
	s.post("/staff/brand", with(brand, "accent", "#ffcc00")).is(422).says("has a contrast of", "Choose a darker tone.")
	s.post("/staff/brand", with(brand, "mark", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)).is(422).says("The mark holds")
	s.post("/staff/brand", with(brand, "product", "Fabrikam Cloud", "accent", "#0b6e4f", "mark", `<svg xmlns="http://www.w3.org/2000/svg"><circle r="5"/></svg>`)).redirects("/staff/brand")
	s.post("/staff/brand", with(brand, "product", "Another name")).is(409).says("Somebody else changed these settings meanwhile")
	s.get("/staff").says("Fabrikam Cloud").hides("Another name")
	css := w.guest().get("/brand.css").is(200)
	if !strings.Contains(css.body, "#0b6e4f") {
		t.Errorf("brand.css = %s", css.body)
	}
	mark := w.guest().get("/brand/mark.svg").is(200)
	if mark.head.Get("Content-Security-Policy") != "default-src 'none'; sandbox" || mark.head.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("mark is served with %v", mark.head)
	}

	rules := s.get("/staff/eligibility").is(200).form()
	s.post("/staff/eligibility", with(rules, "countries", "US, UK1", "invitation_days", "many")).is(422).says("is no number")
	s.post("/staff/eligibility", with(rules, "countries", "US, GB", "default_budget", "3,000.50")).redirects("/staff/eligibility")
	w.guest().get("/help").says("the United States and the United Kingdom")
	r, err := w.app.Settings.Rules(t.Context())
	w.must(err)
	if r.DefaultBudget.String() != "3,000.50 USD" || len(r.Answer.Days) != 5 || r.InvitationDays != 30 {
		t.Errorf("rules after saving = %+v", r)
	}
	s.post("/staff/microsoft", url.Values{"version": {"0"}, "tenant": {"x"}}).is(422).says("is not an id")

	services := s.get("/staff/services").is(200).form()
	s.post("/staff/services", with(services, "body", "{")).is(422).says("This is no list of services")
	var c guardrail.Catalogue
	w.must(json.Unmarshal([]byte(services.Get("body")), &c))
	c.Groups = c.Groups[:1]
	b, err := json.Marshal(map[string]any{"unrestricted": c.Unrestricted, "regions": c.Regions, "groups": c.Groups})
	w.must(err)
	s.post("/staff/services", with(services, "body", string(b))).is(422).says("needs a reason")
	s.post("/staff/services", with(services, "body", string(b), "note", "Only computers, to begin with.")).redirects("/staff/services")
	w.signIn(demo.Member).get("/services").is(200).says("Version 1, in force since", c.Groups[0].Name)

	// Who may only look sees why.
	reader := w.signIn(demo.Reader)
	reader.get("/staff/brand").is(200).says("You may not change the settings. It takes Owner at the partner.")
	reader.post("/staff/brand", brand).is(403)
	s.get("/staff/audit?q=partner.brand").is(200).says("Partner: brand", demo.Owner, "The partner's chain is whole")
	s.get("/staff/mail").is(200)
}

// A new version of the terms asks again, and says so to who accepted the old one.
func TestANewVersionOfTheTermsIsAcceptedAgain(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Administrator)
	id := s.draft("Contoso analytics", "CTSE")
	s.details(id, "contosoanalytics", nil).redirects("/providers/" + id + "/wizard/terms")
	s.agree(w, id)
	owner := w.signIn(demo.Owner)
	q := url.Values{"kind": {"partner"}, "country": {"US"}, "language": {"en-US"}, "title": {"CenturyLink Cloud Integration terms"}, "text": {"# 1. What you order\n\nA cloud, <b>bold</b>."}, "from": {time.Now().Format(time.DateOnly)}}
	owner.post("/staff/agreements", q).is(422).says("The note is empty.")
	q.Set("note", "Section 1 says it shorter.")
	owner.post("/staff/agreements", q).redirects("/staff/agreements")
	page := owner.get("/staff/agreements").is(200).says("version 8", "In force", "Replaced", "Version 8 published", "nobody yet")
	doc := regexp.MustCompile(`href="(/terms/[^"]+)"[^>]*>[^<]*version 8<`).FindStringSubmatch(page.body)[1]
	w.guest().get(doc).is(200).says("A cloud, <b>bold</b>.").hides("<b>bold</b>") // what authors type is text
	s.post("/providers/"+id+"/wizard/review", url.Values{}).is(409).says("A new version of the terms is in force")
	s.get("/providers/"+id+"/wizard/terms").is(200).says("I accept version 8", "Changed since version 7")
	w.guest().get(doc+"/compare").is(200).says("What changed", "Version 7", "Version 8")
}

// In organization mode there is nothing to connect, and members see why they may not.
func TestOrganizationMode(t *testing.T) {
	w := newWorld(t)
	r, err := w.app.Settings.Rules(t.Context())
	w.must(err)
	r.OrganizationMode = true
	w.must(w.app.Settings.SetRules(t.Context(), w.actor(demo.Owner), r.Version, r))
	m := w.signIn(demo.Member)
	m.get("/providers").is(200).says("You may not create a provider that the organization pays. It takes an Administrator of the organization.")
	m.post("/providers/new", url.Values{}).is(403)
	s := w.signIn(demo.Administrator)
	id := strings.Split(s.post("/providers/new", url.Values{}).redirects(""), "/")[2]
	at := "/providers/" + id + "/wizard/"
	s.post(at+"type", url.Values{"type": {provider.TypeAzure}}).redirects(at + "mode")
	s.post(at+"mode", url.Values{"mode": {provider.ModeNew}}).redirects(at + "name")
	s.post(at+"name", url.Values{"name": {"Contoso for all"}}).redirects(at + "account")
	s.get(at+"account").is(200).says("Your organization pays", "CTSO").hides("Connect a CLC Account…")
	s.post(at+"account", url.Values{"account": {"CTSE"}}).is(422).says("billed on CTSO only")
	s.post(at+"account", url.Values{"account": {"CTSO"}}).redirects(at + "details")
	s.details(id, "contosoforall", nil).redirects(at + "terms")
	s.agree(w, id)
	s.post(at+"review", url.Values{}).redirects("/providers/" + id)
	w.until(id, provider.Ready)
}

// A stuck onboarding names field, reason, remedy and the exchange; the customer
// or staff send another prefix, and it goes on.
func TestAStuckOnboardingIsCorrected(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Administrator)
	id := s.draft("Contoso analytics", "CTSE")
	s.details(id, "contosoanalytics", nil).redirects("/providers/" + id + "/wizard/terms")
	s.agree(w, id)
	w.sim.Fail("POST /v1/customers", sim.Fault{Kind: sim.Delay, Delay: sim.Duration(500 * time.Millisecond)})
	s.post("/providers/"+id+"/wizard/review", url.Values{}).redirects("/providers/" + id)
	eventually(t, "the customer is being made", func() bool {
		o, err := w.app.Provision.OnboardingOf(t.Context(), w.actor(demo.Administrator), provider.ID(id))
		return err == nil && o.Step == provision.StepCustomer
	})
	w.must(w.sim.TakeDomain("contosoanalytics.onmicrosoft.com"))
	w.until(id, provider.Stuck)
	s.get("/providers/"+id).is(200).says("Stuck", "Another domain prefix", "Our support was told")
	m := w.signIn(demo.Member)
	m.post("/providers/"+id+"/fix", url.Values{"prefix": {"contosoother"}}).is(403)

	staff := w.signIn(demo.Support)
	o, err := w.app.Provision.OnboardingOf(t.Context(), w.actor(demo.Support), provider.ID(id))
	w.must(err)
	sheet := "/staff/onboardings/" + string(o.ID)
	staff.get(sheet).is(200).says("Field", "Domain prefix · contosoanalytics", "Reason", "Remedy", "POST /v1/customers", "409", "Try again is off: the same prefix would be refused again.", "removed").hides("Bearer ey")
	staff.get(sheet + "/exchange").is(200).says("POST /v1/customers")
	staff.post(sheet+"/retry", url.Values{}).is(409)
	staff.post(sheet+"/edit", url.Values{"prefix": {"contosoanalytics"}, "then": {"check"}}).is(200).says("is taken")
	staff.post(sheet+"/edit", url.Values{"prefix": {"contosoother"}, "then": {"check"}}).is(200).says("contosoother.onmicrosoft.com was free a moment ago")
	staff.post(sheet+"/edit", url.Values{"prefix": {"con toso"}, "then": {"send"}}).is(422).says("letters a to z and digits only")
	w.signIn(demo.Finance).post(sheet+"/edit", url.Values{"prefix": {"contosoother"}}).is(403)
	s.post("/providers/"+id+"/fix", url.Values{"prefix": {"contosoother"}}).redirects("/providers/" + id)
	p := w.until(id, provider.Ready)
	if p.Domain != "contosoother.onmicrosoft.com" {
		t.Errorf("domain = %s", p.Domain)
	}
	staff.get("/staff/onboardings?state=ready").is(200).says("Contoso analytics", "took")
}

// The progress stream tells each change whole, and ends when the page must be
// made again.
func TestTheProgressStreamEndsWithTheState(t *testing.T) {
	w := newWorld(t, sim.WithLatency(sim.Recorded), sim.WithFactor(2000))
	s := w.signIn(demo.Administrator)
	id := s.draft("Contoso analytics", "CTSE")
	s.details(id, "contosoanalytics", nil).redirects("/providers/" + id + "/wizard/terms")
	s.agree(w, id)
	s.post("/providers/"+id+"/wizard/review", url.Values{}).redirects("/providers/" + id)
	page := s.get("/providers/" + id).is(200)
	if !strings.Contains(page.body, `hx-sse:connect="/providers/`+id+`/events?state=in-progress"`) {
		t.Fatal("the page does not connect to its stream")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/providers/"+id+"/events?state=in-progress", nil)
	w.must(err)
	client := &http.Client{Jar: s.client.Jar}
	res, err := client.Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	messages, done := 0, false
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "id: ") {
			messages++
		}
		done = done || lines.Text() == "event: done"
	}
	if !done || messages < 4 {
		t.Errorf("the stream had %d messages and ended with done = %v", messages, done)
	}
	w.until(id, provider.Ready)
	s.do("GET", "/providers/"+id+"/panel", nil, "HX-Request", "true").is(200).says("Who has access, and why")
	// Another organization's stream is not there; an ended session does not speak.
	w.signIn("admin@fabrikam.example").get("/providers/" + id + "/events").is(404)
	gone := w.guest().do("GET", "/providers/"+id+"/panel", nil, "HX-Request", "true")
	if gone.head.Get("HX-Redirect") == "" || strings.Contains(gone.body, "contoso") {
		t.Errorf("a panel for nobody: %d %v", gone.code, gone.head)
	}
}

// The words of the page are the brand's: none of the demo's stays when another
// brand is saved.
func TestEveryWordOfTheBrandIsASetting(t *testing.T) {
	w := newWorld(t)
	b, err := w.app.Settings.Brand(t.Context())
	w.must(err)
	n := partner.DefaultBrand()
	w.must(w.app.Settings.SetBrand(t.Context(), w.actor(demo.Owner), b.Version, n))
	s := w.signIn(demo.Administrator)
	for _, p := range []string{"/providers", "/help", "/accounts", "/services", "/requests", "/people", "/signin"} {
		a := s.get(p)
		for _, word := range []string{"CenturyLink", "CLC", "Cloud Application Manager", "ctl.io"} {
			if strings.Contains(a.text(), word) {
				t.Errorf("%s says %q", p, word)
			}
		}
	}
}
