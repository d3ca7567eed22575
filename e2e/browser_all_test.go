package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"causeway/internal/demo"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const axeFile = "../internal/web/ui/testdata/axe.min.js"

// setTheme switches and ends the transitions that the switch began.
const setTheme = `(document.documentElement.classList.toggle("dark", %t), getComputedStyle(document.body).color,
	document.getAnimations().forEach(a => a.effect.getComputedTiming().iterations !== Infinity && a.finish()), true)`

// axeRun answers one line for each violation and place.
const axeRun = `axe.run(document, {resultTypes: ["violations"], iframes: false}).then(r => JSON.stringify(
	r.violations.flatMap(v => v.nodes.map(n => v.id + " at " + n.target.join(" ") + ": " + (n.failureSummary || "").replace(/\s+/g, " ").slice(0, 240)))))`

// wideRun names what sticks out of the window.
const wideRun = `(() => {
	const w = document.documentElement.clientWidth, out = [];
	if (document.documentElement.scrollWidth <= w) return "";
	for (const e of document.querySelectorAll("body *")) {
		const r = e.getBoundingClientRect();
		if (r.right > w + 1 && r.width > 0 && !e.closest("svg")) out.push((e.className || e.tagName) + " to " + Math.round(r.right));
	}
	return "page is " + document.documentElement.scrollWidth + " wide: " + out.slice(0, 4).join("; ");
})()`

// sound checks a page: no fault by axe-core in either theme, and no sideways
// scroll at 320 px. What the Content-Security-Policy refuses fails by itself.
func (b *tab) sound(axe, name, path string) {
	b.t.Helper()
	c, cancel := context.WithTimeout(b.ctx, 40*time.Second)
	defer cancel()
	fatal := func(what string, err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatalf("%s: %s: %v", name, what, err)
		}
	}
	fatal("open", chromedp.Do(c, chromedp.EmulateViewport(1360, 900), chromedp.Navigate(b.site.url+path), chromedp.WaitReady(chromedp.CSS("main"))))
	if at := b.eval("location.pathname"); at != strings.SplitN(path, "?", 2)[0] {
		b.t.Errorf("%s: %s leads to %s", name, path, at)
	}
	_, err := chromedp.Run(c, chromedp.Evaluate[bool](axe+"; true"))
	fatal("axe", err)
	for _, dark := range []bool{false, true} {
		_, err := chromedp.Run(c, chromedp.Evaluate[bool](fmt.Sprintf(setTheme, dark)))
		fatal("theme", err)
		text, err := chromedp.Run(c, chromedp.Evaluate[string](axeRun, chromedp.EvalAwaitPromise))
		fatal("axe run", err)
		var faults []string
		fatal("axe result", json.Unmarshal([]byte(text), &faults))
		for _, f := range faults {
			b.t.Errorf("%s (%s), dark %v: %s", name, path, dark, f)
		}
		if dark {
			b.shot(name + "-dark")
		} else {
			b.shot(name)
		}
	}
	fatal("narrow", chromedp.Do(c, chromedp.EmulateViewport(320, 700, chromedp.EmulateMobile)))
	wide, err := chromedp.Run(c, chromedp.Evaluate[string](wideRun))
	fatal("width", err)
	if wide != "" {
		b.t.Errorf("%s (%s) at 320 px: %s", name, path, wide)
	}
	b.shot(name + "-phone")
	fatal("back", chromedp.Do(c, chromedp.EmulateViewport(1360, 900)))
}

// Every page, with real data behind it, as a customer and as staff.
func TestBrowserEveryPageIsSound(t *testing.T) {
	script, err := os.ReadFile(axeFile)
	if err != nil {
		t.Fatal(err)
	}
	axe := string(script)
	s := newSite(t)
	guest := s.person()
	for _, p := range []string{"/signin", "/help", "/nowhere"} {
		guest.sound(axe, "guest"+strings.ReplaceAll(p, "/", "-"), p)
	}

	b := s.person()
	b.signIn(demo.Administrator)
	b.sound(axe, "empty", "/providers")
	draft := b.toAccount("Contoso lab")
	w := "/providers/" + draft + "/wizard/"
	b.sound(axe, "wizard-connect", w+"account")
	b.open(w + "account")
	b.connect(demo.AccountAdministrator, demo.Password)
	b.reads("Connected as")
	for _, step := range []string{"type", "mode", "name", "account"} {
		b.sound(axe, "wizard-"+step, w+step)
	}
	b.open(w + "account")
	b.choose("CTSE")
	b.at("/wizard/details")
	b.sound(axe, "wizard-details", w+"details")
	terms := b.firstTerms(w)
	b.sound(axe, "wizard-terms", w+"terms")
	ready := s.submitted(s.filled(demo.Administrator, demo.AccountAdministrator, "Contoso production", "CTSO", "contosoprod"))
	b.open(w + "account")
	b.choose("CTSO") // its company has a tenant now: a subscription is added, with a box instead of Microsoft's page
	b.at("/wizard/terms")
	b.sound(axe, "wizard-further", w+"terms")
	pages := map[string]string{
		"providers": "/providers", "existing": "/providers/existing", "ready": "/providers/" + ready, "access": "/providers/" + ready + "?tab=access",
		"guardrail": "/providers/" + ready + "?tab=guardrail", "log": "/providers/" + ready + "?tab=log",
		"accounts": "/accounts", "account": "/accounts/CTSO", "refused": "/accounts/CTRP", "requests": "/requests", "new-request": "/requests?new=support",
		"people": "/people", "services": "/services", "help": "/help", "search": "/search?q=contoso", "terms": terms, "compare": terms + "/compare", "forbidden": "/staff",
	}
	for name, path := range pages {
		b.sound(axe, name, path)
	}

	stuck, onboarding := s.makeStuck()
	fabrikam := s.person()
	fabrikam.signIn("admin@fabrikam.example")
	fabrikam.sound(axe, "stuck", "/providers/"+stuck)
	staff := s.person()
	staff.signIn(demo.Owner)
	for name, path := range map[string]string{
		"home": "/staff", "customers": "/staff/customers?q=Contoso", "onboardings": "/staff/onboardings", "onboarding": "/staff/onboardings/" + onboarding,
		"staff-requests": "/staff/requests", "brand": "/staff/brand", "eligibility": "/staff/eligibility", "microsoft": "/staff/microsoft",
		"guardrails": "/staff/services", "agreements": "/staff/agreements", "new-version": "/staff/agreements?new=1", "audit": "/staff/audit", "mail": "/staff/mail", "both-sides": "/staff/differences",
		"customer": staff.customerPath(), "staff-people": "/people", "staff-search": "/search?q=contoso",
	} {
		staff.sound(axe, "staff-"+name, path)
	}
}

// firstTerms finds a document's address on the page of who accepts it.
func (b *tab) firstTerms(wizard string) string {
	b.t.Helper()
	b.open(wizard + "details")
	b.eval(`(document.querySelector("#permanent").checked = true, document.querySelector("#prefix").value = "contosolab", 1)`)
	b.click("#wizard-next")
	b.at("/terms")
	return b.eval(`document.querySelector('a[href^="/terms/"]').getAttribute("href")`)
}

// filled makes a draft that can be submitted, through the API.
func (s *site) filled(email, login, name, alias, prefix string) (token, id, want string) {
	s.t.Helper()
	token = s.token(email)
	var d struct {
		Provider struct{ ID string }
	}
	s.api(token, http.MethodPost, "/providers", map[string]any{
		"name": name, "account": alias, "connect": map[string]string{"login": login, "password": demo.Password},
	}, &d)
	id = d.Provider.ID
	at := "/providers/" + id
	s.api(token, http.MethodPatch, at+"/details", map[string]any{
		"domain_prefix": prefix, "domain_confirmed": true, "registration_number": "",
		"contact":   map[string]string{"first_name": "Accounts", "last_name": "Payable", "email": "billing@contoso.example", "phone": "7165550100"},
		"signatory": map[string]string{"first_name": "Accounts", "last_name": "Payable", "email": "billing@contoso.example", "phone": "7165550100"},
	}, nil)
	var terms struct {
		Items []struct{ ID, Kind, Hash string }
	}
	s.api(token, http.MethodGet, at+"/terms", nil, &terms)
	for _, x := range terms.Items {
		if x.Kind == "partner" {
			s.api(token, http.MethodPost, at+"/terms", map[string]string{"document": x.ID, "hash": x.Hash}, nil)
		}
	}
	var m struct{ ID, State string }
	s.api(token, http.MethodPost, at+"/attestation", map[string]any{}, &m)
	s.control(http.MethodPost, "/_sim/attestations/"+m.ID+"/accept", map[string]any{}, nil)
	waitUntil(s.t, "the attestation is seen", func() bool {
		s.api(token, http.MethodGet, at+"/attestation", nil, &m)
		return m.State == "accepted"
	})
	return token, id, "ready"
}

// submitted begins a draft and waits for a state; it gives the provider's id.
func (s *site) submitted(token, id, state string) string {
	s.t.Helper()
	s.api(token, http.MethodPost, "/providers/"+id+"/submit", nil, nil)
	var p struct {
		Provider   struct{ State string }
		Onboarding struct{ ID string }
	}
	waitUntil(s.t, "the provider is "+state, func() bool {
		s.api(token, http.MethodGet, "/providers/"+id+"/progress", nil, &p)
		if p.Provider.State == "stuck" && state != "stuck" {
			s.t.Fatal("the provider is stuck")
		}
		return p.Provider.State == state
	})
	s.last = p.Onboarding.ID
	return id
}

// makeStuck lets Microsoft refuse the domain between check and creation.
func (s *site) makeStuck() (id, onboarding string) {
	s.t.Helper()
	token, id, _ := s.filled("admin@fabrikam.example", "fbrk-admin", "Fabrikam retail web", "FBRK", "fabrikamretail")
	s.control(http.MethodPost, "/_sim/faults", map[string]any{
		"on": "POST /v1/customers", "kind": "status", "status": 409,
		"body": map[string]any{"code": 27002, "description": "The domain prefix is already in use.", "data": []string{"Domain"}, "source": "PartnerCenter"},
	}, nil)
	return s.submitted(token, id, "stuck"), s.last
}

// customerPath is the page of the demo's customer.
func (b *tab) customerPath() string {
	b.t.Helper()
	b.open("/staff/customers?q=Contoso")
	return b.eval(`document.querySelector('a[href^="/staff/customers/"].cw-rowlink').getAttribute("href")`)
}

// The wizard by keys alone: nothing needs a mouse.
func TestBrowserKeyboardOnly(t *testing.T) {
	b := newSite(t).person()
	b.open("/signin")
	b.becomes("the first field has the focus", `document.activeElement.id === "email"`)
	b.key(demo.Administrator, kb.Tab, demo.Password, kb.Enter)
	b.reads("Give Contoso")
	b.tabTo(`form[action="/providers/new"] button`)
	b.key(kb.Enter)
	b.at("/wizard/type")
	b.tabTo("#wizard-next")
	b.key(kb.Enter)
	b.at("/wizard/mode")
	b.tabTo(`input[name="mode"]`)
	b.key(kb.ArrowDown) // the other choice is off: it is read, and not taken
	b.becomes("the reason can be read", `document.activeElement.value === "existing" && !document.activeElement.checked`)
	b.tabTo("#wizard-next")
	b.key(kb.Enter)
	b.at("/wizard/name")
	b.key("Contoso by keys", kb.Enter)
	b.at("/wizard/account")
	b.tabTo(`button[data-dialog="connect"]`)
	b.key(kb.Enter)
	b.becomes("the dialog's first field has the focus", `document.activeElement.id === "connect-user"`)
	b.key(demo.AccountAdministrator, kb.Tab, demo.Password, kb.Enter)
	b.reads("Connected as")
	b.tabTo(`input[name="account"]`)
	b.key(kb.ArrowUp)
	b.becomes("another account is chosen or read", `document.activeElement.name === "account"`)
	b.key(kb.ArrowDown)
	b.tabTo("#wizard-next")
	b.key(kb.Enter)
	b.at("/wizard/details")
	b.tabTo("#permanent")
	b.key(" ")
	b.tabTo("#wizard-next")
	b.key(kb.Enter)
	b.at("/wizard/terms")
	b.tabTo("#accept_partner")
	b.key(" ")
	b.tabTo(`button[form="signer-form"]`)
	b.key(kb.Enter)
	b.becomes("Microsoft's page is shown", `document.querySelector("#attestation iframe")`)
	b.tabTo("#attestation .cw-frame-head a")
	b.key(kb.Tab, kb.Tab, " ", kb.Tab, kb.Enter)
	b.becomes("the acceptance is seen", `document.querySelector("#attestation").innerText.includes("Microsoft has recorded the acceptance")`)
	b.tabTo("#wizard-next")
	b.key(kb.Enter)
	b.at("/wizard/review")
	b.tabTo("#wizard-next")
	b.key(kb.Enter)
	b.reads("Who has access, and why")
	b.key("/")
	b.becomes("/ goes to the search", `document.activeElement.matches("[data-search]")`)
}

// tabTo presses Tab until something has the focus, at most a hundred times.
func (b *tab) tabTo(sel string) {
	b.t.Helper()
	for range 100 {
		if b.eval(fmt.Sprintf("document.activeElement.matches(%q)", sel)) == "true" {
			return
		}
		b.key(kb.Tab)
	}
	b.t.Fatalf("Tab never comes to %s at %s", sel, b.eval("location.href"))
}
