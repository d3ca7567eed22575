package ui_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/web/static"
	"causeway/internal/web/ui"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is one page in the browser, under the test's clock.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string
}

func newTab(t *testing.T, h http.Handler) *tab {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	ctx := browser(t)
	refused := watchPolicy(ctx)
	t.Cleanup(func() {
		for _, m := range refused() {
			t.Error(m)
		}
	})
	return &tab{t, ctx, s.URL}
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	c, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	if err := chromedp.Do(c, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.base+path), chromedp.WaitReady(chromedp.CSS("main")))
}

func (b *tab) click(sel string) {
	b.t.Helper()
	b.do("click "+sel, chromedp.Click(chromedp.CSS(sel)))
}

func (b *tab) key(k string) {
	b.t.Helper()
	b.do("key", chromedp.KeyEvent(k))
}

// becomes waits until an expression is true.
func (b *tab) becomes(what, js string) {
	b.t.Helper()
	c, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	if _, err := chromedp.Run(c, chromedp.Poll[bool]("!!("+js+")")); err != nil {
		b.t.Fatalf("never: %s (%s): %v", what, js, err)
	}
}

func (b *tab) is(what, js string) {
	b.t.Helper()
	c, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	ok, err := chromedp.Run(c, chromedp.Evaluate[bool]("!!("+js+")"))
	if err != nil || !ok {
		b.t.Errorf("not so: %s (%s) %v", what, js, err)
	}
}

func pagesOf(list []picture) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", static.Handler())
	mux.HandleFunc("GET /brand.css", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", "text/css") })
	mux.HandleFunc("GET /attestation", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, attestation) })
	for _, p := range list {
		mux.HandleFunc("GET /p/"+p.name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = p.page.Render(r.Context(), w)
		})
	}
	return mux
}

// A person without a mouse can do everything.
func TestKeyboard(t *testing.T) {
	sent := make(chan string, 8)
	mux := pagesOf(gallery())
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		sent <- r.URL.Path + "?" + r.PostForm.Encode()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /staff/onboardings", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<main id="list">list</main>`)
	})
	b := newTab(t, mux)

	b.open("/p/providers")
	b.key("/")
	b.is("/ goes to the search", `document.activeElement.matches("[data-search]")`)
	b.key("/")
	b.becomes("in the search, / is a character", `document.activeElement.value.endsWith("/")`)

	b.click(".cw-user > summary")
	b.becomes("the user's menu is open", `document.querySelector(".cw-user").open`)
	b.key(kb.Escape)
	b.becomes("Esc closes it and gives the focus back", `!document.querySelector(".cw-user").open && document.activeElement.matches(".cw-user > summary")`)

	b.click("[data-theme-switch]")
	b.becomes("dark", `document.documentElement.classList.contains("dark")`)
	b.open("/p/requests")
	b.is("the theme is kept", `document.documentElement.classList.contains("dark")`)
	b.click("[data-theme-switch]")

	b.open("/p/wizard-4-account")
	b.do("focus the chosen account", chromedp.Focus(chromedp.CSS(`input[value="CTSE"]`)))
	b.key(kb.ArrowDown)
	b.is("the arrow chooses the next account", `document.querySelector('input[value="CTSO"]').checked`)
	b.is("the button names it", `document.querySelector("#wizard-next").textContent === "Continue with CTSO"`)
	b.key(kb.ArrowDown)
	b.is("a refused account gets the focus, so that its reasons are heard", `document.activeElement.value === "CTRP"`)
	b.is("but is not chosen", `document.querySelector('input[value="CTSO"]').checked && !document.activeElement.checked`)
	b.key(" ")
	b.is("not by the space bar either", `!document.activeElement.checked`)
	b.click(`label[for="account-CTDM"]`)
	b.is("nor by its label", `!document.querySelector('input[value="CTDM"]').checked`)

	b.click(`[data-fill-account="CTDM"]`)
	b.becomes("the dialog asks for this account", `document.querySelector("#ask").open && document.querySelector('#ask [name="account"]').value === "CTDM"`)
	b.is("and names it", `document.querySelector('#ask [data-slot="name"]').textContent === "CTDM · Contoso Demo"`)
	b.is("the focus is in its field", `document.activeElement.id === "ask-text"`)
	b.key(kb.Escape)
	b.becomes("Esc closes it, the focus returns to the opener", `!document.querySelector("#ask").open && document.activeElement.dataset.fillAccount === "CTDM"`)

	b.open("/p/wizard-6-terms")
	b.click(`#wizard-next`)
	b.do("focus what is off", chromedp.Focus(chromedp.CSS(`.cw-wizard-buttons [aria-disabled="true"]`)))
	b.key("\r")
	b.is("what is off can be reached but does nothing", `location.pathname === "/p/wizard-6-terms" && document.activeElement.textContent.trim() === "Continue"`)
	b.is("and says why", `document.getElementById(document.activeElement.getAttribute("aria-describedby")).textContent.includes("Accept Microsoft's agreement")`)
	select {
	case s := <-sent:
		t.Errorf("an action that is off was sent: %s", s)
	default:
	}

	b.open("/p/wizard-5-details-refused")
	b.is("the summary of what was refused has the focus", `document.activeElement.matches("[data-error-summary]")`)

	b.open("/p/wizard-7-review")
	b.do("press twice", chromedp.DoubleClick(chromedp.CSS("#wizard-next")))
	if got := <-sent; got != "/providers/01/wizard/review?" {
		t.Errorf("sent %s", got)
	}
	b.becomes("the button says that it works", `document.querySelector("#wizard-next").getAttribute("aria-busy") === "true"`)
	select {
	case s := <-sent:
		t.Errorf("a form was sent twice: %s", s)
	default:
	}

	b.open("/p/staff-onboardings-sheet")
	b.becomes("the sheet is open as a dialog", `document.querySelector("#sheet").open && document.activeElement.closest("#sheet")`)
	b.key(kb.Escape)
	b.do("Esc goes back to the list", chromedp.WaitReady(chromedp.CSS("#list")))
}

func TestPhoneMenu(t *testing.T) {
	b := newTab(t, pagesOf(gallery()))
	b.do("phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	b.open("/p/providers")
	b.is("the navigation is out of the way", `document.querySelector("#cw-nav").offsetParent === null`)
	b.click("[data-menu-button]")
	b.becomes("the drawer shows it", `document.querySelector("#cw-drawer").open && document.querySelector("#cw-drawer #cw-nav")`)
	b.key(kb.Escape)
	b.becomes("Esc puts it back", `!document.querySelector("#cw-drawer").open && document.querySelector(".cw-side > #cw-nav") && document.activeElement.matches("[data-menu-button]")`)
	b.is("targets are at least 44 px high", `[...document.querySelectorAll(".cw-page .btn")].every(e => e.getBoundingClientRect().height >= 44 || e.closest(".cw-actions"))`)
}

// Credentials are shown after the person's own password, and leave the page with the dialog.
func TestCredentials(t *testing.T) {
	mux := pagesOf(gallery())
	mux.HandleFunc("POST /providers/{id}/credentials", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.FormValue("password") != "own" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_ = ui.CredentialsAsk(r.PathValue("id"), "This is not your password.").Render(r.Context(), w)
			return
		}
		_ = ui.CredentialsShown(ui.Credentials{User: "admin@contosoprod.onmicrosoft.com", Password: "once-only", LoginURL: "https://portal.azure.example/", Audited: "Recorded."}).Render(r.Context(), w)
	})
	b := newTab(t, mux)
	b.open("/p/provider")
	b.click(`[data-dialog="credentials"]`)
	b.becomes("the password is asked for", `document.activeElement.id === "own-password"`)
	b.do("type", chromedp.SendKeys(chromedp.CSS("#own-password"), "wrong\r"))
	b.becomes("a wrong one is refused at the field", `(document.querySelector("#own-password-error") || {textContent: ""}).textContent.includes("not your password")`)
	b.do("type", chromedp.SendKeys(chromedp.CSS("#own-password"), "own\r"))
	b.becomes("they are shown", `(document.querySelector("#cred-password") || {}).textContent === "once-only"`)
	b.key(kb.Escape)
	b.becomes("and gone with the dialog", `!document.querySelector("#credentials").open && !document.body.innerHTML.includes("once-only")`)
}

// Microsoft's agreement is accepted elsewhere: the page notices, loses nothing that was typed, and goes on.
func TestAcceptanceIsNoticed(t *testing.T) {
	t.Parallel() // the page asks every five seconds
	var mu sync.Mutex
	a := ui.Attestation{URL: "/providers/01/attestation", Title: "Microsoft Customer Agreement", Company: "Contoso East LLC", State: "open", FrameURL: "/attestation",
		First: ui.Field{ID: "signer_first", Label: "First name"}, Last: ui.Field{ID: "signer_last", Label: "Last name"}, Email: ui.Field{ID: "signer_email", Label: "E-mail"}}
	asked, sent := make(chan string, 8), make(chan string, 1)
	mux := pagesOf(nil)
	mux.HandleFunc("GET /p/terms", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		d := partnerTerms
		d.Accepted = false
		wiz := wizard("terms", chosen(5), nil)
		wiz.Next.Off = "Accept Microsoft's agreement above to continue"
		_ = ui.WizardTerms(ui.WizardTermsPage{Wizard: wiz, For: "CTSE", Document: d, Attestation: a}).Render(r.Context(), w)
	})
	mux.HandleFunc("GET /providers/01/attestation", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now := a
		mu.Unlock()
		asked <- r.FormValue("state")
		if r.FormValue("state") == now.State {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = ui.AttestationPart(now).Render(r.Context(), w)
	})
	mux.HandleFunc("POST /providers/01/wizard/terms", func(w http.ResponseWriter, r *http.Request) {
		sent <- r.FormValue("accept_partner")
		w.WriteHeader(http.StatusNoContent)
	})
	b := newTab(t, mux)
	b.open("/p/terms")
	b.click(`#accept_partner`)
	b.click(`input[name="signer"][value="other"]`)
	b.becomes("the other signatory's fields are shown", `!document.querySelector("#signer-other").hidden && document.querySelector("#signer-me").hidden`)
	b.do("type", chromedp.SendKeys(chromedp.CSS("#signer_first"), "Chief"))
	if got := <-asked; got != "open" {
		t.Errorf("asked for state %q", got)
	}
	b.is("what is typed stays while nothing changed", `document.querySelector("#signer_first").value === "Chief"`)
	mu.Lock()
	a.State, a.Facts = "accepted", "By the Account Administrator."
	mu.Unlock()
	b.becomes("the acceptance is shown", `document.querySelector("#attestation .cw-tag").textContent.trim() === "Accepted"`)
	b.becomes("the button works, and what was ticked is kept", `!document.querySelector("#wizard-next").hasAttribute("aria-disabled") && document.querySelector("#accept_partner").checked`)
	b.click("#wizard-next")
	if got := <-sent; got != "7" {
		t.Errorf("accepted version %q, want 7", got)
	}
}

// stream plays the server of a provider that is being made: it can fall silent, break and come back.
type stream struct {
	mu      sync.Mutex
	now     ui.Progress
	changed chan struct{}
	down    bool
	done    bool
}

func (s *stream) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	for {
		s.mu.Lock()
		p, changed, down, done := s.now, s.changed, s.down, s.done
		s.mu.Unlock()
		if down {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		var b strings.Builder
		_ = ui.ProgressBody(p).Render(r.Context(), &b)
		for line := range strings.SplitSeq(b.String(), "\n") {
			fmt.Fprintf(w, "data: %s\n", line)
		}
		fmt.Fprint(w, "\n")
		if done {
			fmt.Fprint(w, "event: done\ndata: {}\n\n")
			return
		}
		_ = rc.Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// Progress is live, survives a connection that breaks, and ends as the provider's page.
func TestProgressIsLive(t *testing.T) {
	steps := func(done int) []ui.Step {
		var out []ui.Step
		for i, name := range []string{"Details", "Customer account", "Subscription", "Association", "Permissions"} {
			s := ui.Step{Title: name, State: ui.StepLater}
			if i < done {
				s.State = ui.StepDone
			} else if i == done {
				s.State, s.Since = ui.StepRunning, time.Now()
			}
			out = append(out, s)
		}
		return out
	}
	s := &stream{changed: make(chan struct{}), now: ui.Progress{ID: "01", Name: "Contoso analytics", State: ui.StateInProgress, Live: true, Step: 1, Of: 5, Doing: "Sending your details", Started: time.Now(), Percent: 5, Steps: steps(0),
		CancelInfo: &ui.CancelInfo{Lost: []string{"All."}}, Actions: []ui.Action{{Label: "Cancel…", Dialog: "cancel"}}}}
	mux := pagesOf(nil)
	mux.HandleFunc("GET /providers/01", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = ui.Progressing(ui.ProgressPage{Shell: customer("Contoso analytics", "providers"), Progress: s.now}).Render(r.Context(), w)
	})
	mux.HandleFunc("GET /providers/01/events", s.events)
	mux.HandleFunc("GET /providers/01/panel", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = ui.ProviderPanel(ui.ProviderView{ID: "01", Name: "Contoso analytics", State: ui.StateReady, PortalURL: "https://portal.azure.example/"}).Render(r.Context(), w)
	})
	b := newTab(t, mux)
	b.open("/providers/01")
	b.becomes("connected", `document.querySelector("#progress")._htmx && document.querySelector("#progress")._htmx.sse`)
	b.click(`[data-dialog="cancel"]`)
	s.set(func() {
		s.now.Step, s.now.Doing, s.now.Steps, s.now.Percent, s.now.Said = 3, "Ordering the plan", steps(2), 40, "Step 2 of 5 done: customer account"
	})
	b.becomes("the new step is shown", `document.querySelector(".cw-now h2").textContent === "Ordering the plan"`)
	b.becomes("and said once to people who do not look", `document.querySelector("#cw-said").textContent === "Step 2 of 5 done: customer account"`)
	b.is("a dialog that is open stays open", `document.querySelector("#cancel").open`)
	b.key(kb.Escape)

	s.set(func() { s.down = true })
	b.becomes("a lost connection is told", `!document.querySelector("#cw-offline").hidden`)
	s.set(func() {
		s.down = false
		s.now.Step, s.now.Doing, s.now.Steps = 5, "Granting permissions", steps(4)
	})
	b.becomes("it comes back by itself with the present state", `document.querySelector(".cw-now h2").textContent === "Granting permissions" && document.querySelector("#cw-offline").hidden`)

	s.set(func() { s.done = true })
	b.becomes("at the end the page is the provider's", `document.querySelector("#panel .cw-tag").textContent.trim() === "Ready" && !document.querySelector("#progress")`)
}

// A first connection that is refused replaces nothing, is told, and is tried again.
func TestProgressFirstConnectionIsRefused(t *testing.T) {
	t.Parallel() // it waits for the page's five seconds
	s := &stream{changed: make(chan struct{}), now: ui.Progress{ID: "01", Name: "Contoso analytics", State: ui.StateInProgress, Live: true, Step: 1, Of: 5, Doing: "Sending your details", Started: time.Now(), Percent: 5}}
	var tries int
	mux := pagesOf(nil)
	mux.HandleFunc("GET /providers/01", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = ui.Progressing(ui.ProgressPage{Shell: customer("Contoso analytics", "providers"), Progress: s.now}).Render(r.Context(), w)
	})
	mux.HandleFunc("GET /providers/01/events", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		tries++
		first := tries == 1
		s.mu.Unlock()
		if first {
			http.Error(w, "<h1>starting</h1>", http.StatusServiceUnavailable)
			return
		}
		s.mu.Lock()
		s.now.Doing = "Ordering the plan"
		s.mu.Unlock()
		s.events(w, r)
	})
	b := newTab(t, mux)
	b.open("/providers/01")
	b.becomes("it is told", `!document.querySelector("#cw-offline").hidden`)
	b.is("what was there stays", `document.querySelector(".cw-now h2").textContent === "Sending your details"`)
	b.becomes("the next try brings the present state", `document.querySelector(".cw-now h2").textContent === "Ordering the plan" && document.querySelector("#cw-offline").hidden`)
}
