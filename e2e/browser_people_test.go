package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"causeway/internal/demo"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A refused account cannot be chosen and says why; staff grant an exception, and
// then it can be.
func TestBrowserRefusedAccountAndException(t *testing.T) {
	s := newSite(t)
	b := s.person()
	b.signIn(demo.Administrator)
	id := b.toAccount("Contoso retail")
	b.connect(demo.AccountAdministrator, demo.Password)
	b.reads("CTRP is below TSPN", "which is a reseller", "CTDM is a demo account", "Only addresses in the United States are served")
	b.click("#account-CTRP")
	b.becomes("a refused account cannot be chosen", `!document.querySelector("#account-CTRP").checked && document.activeElement.id === "account-CTRP"`)
	b.becomes("its reason is heard", `document.getElementById(document.activeElement.getAttribute("aria-describedby")).innerText.includes("reseller")`)
	b.click(`button[data-fill-account="CTRP"]`)
	b.fill("#ask-text", "A pilot for one shop in Denver, until spring.")
	b.shot("ask")
	b.click(`#ask button[type="submit"]`)
	b.reads("Exception asked", "answers by")
	b.shot("asked")

	staff := s.person()
	staff.signIn(demo.Support)
	staff.reads("Requests to decide", "Second factor not set up")
	staff.shot("home")
	staff.open("/staff/requests?state=open")
	staff.click(".cw-rowlink")
	staff.reads("A pilot for one shop", "Not below a reseller")
	staff.shot("sheet")
	staff.click("#grant") // without a reason
	staff.reads("The reason is empty.")
	staff.fill("#reason", "A pilot, agreed with the account team.")
	staff.click("#grant")
	staff.reads("granted. Administrator gets a mail.")

	b.open("/providers/" + id + "/wizard/account")
	b.reads("Exception R-", "until")
	b.choose("CTRP")
	b.at("/wizard/details")
	b.open("/requests")
	b.reads("Granted", "A pilot, agreed with the account team.")
	b.shot("granted")
}

// What is typed wrong is said where it was typed, and nothing else is lost.
func TestBrowserWrongPasswords(t *testing.T) {
	b := newSite(t).person()
	b.open("/signin")
	b.fill("#email", demo.Member)
	b.fill("#password", "not the password")
	b.key(kb.Enter)
	b.reads("The mail address or the password is wrong.")
	b.becomes("the address is kept, the password is not", `document.querySelector("#email").value === "`+demo.Member+`" && document.querySelector("#password").value === ""`)
	b.shot("signin")
	b.signIn(demo.Member)
	b.toAccount("Contoso field services")
	b.connect(demo.AccountAdministrator, "not the password either")
	b.reads("The login or the password is wrong.")
	b.becomes("the dialog is open again with the name kept", `document.querySelector("#connect").open && document.querySelector("#connect-user").value === "`+demo.AccountAdministrator+`"`)
	b.shot("connect")
	b.fill("#connect-user", demo.NoAdministrator)
	b.fill("#connect-password", demo.Password)
	b.key(kb.Enter)
	b.reads("is no account administrator", "Find yours")
	b.fill("#connect-user", demo.AccountAdministrator)
	b.fill("#connect-password", demo.Password)
	b.key(kb.Enter)
	b.reads("Connected as " + demo.AccountAdministrator)
}

// Somebody else signs: a link without an account, both sets of terms, and the
// draft begins by itself.
func TestBrowserSecondSignatory(t *testing.T) {
	s := newSite(t)
	b := s.person()
	b.signIn(demo.Administrator)
	id := b.toAccount("Contoso field services")
	b.connect(demo.AccountAdministrator, demo.Password)
	b.choose("CTSO")
	b.toTerms("contosofield")
	b.click("#accept_partner")
	b.click(`input[name="signer"][value="other"]`)
	b.fill("#signer_first", "Board")
	b.fill("#signer_last", "Member")
	b.fill("#signer_email", "board@contoso.example")
	b.click("#send-link")
	b.reads("Sent to board@contoso.example")
	b.shot("sent")
	b.becomes("what was ticked stays", `document.querySelector("#accept_partner").checked`)
	b.click("#wizard-next")
	b.at("/wizard/review")
	b.reads("It begins by itself after the signature")
	b.click("#wizard-next")
	b.at("/providers/" + id)
	b.reads("Waiting for the signature", "board@contoso.example")
	b.shot("waiting")

	link := s.signatoryLink("board@contoso.example")
	p := s.person()
	p.do("open the link", chromedp.Navigate(link), chromedp.WaitReady(chromedp.CSS("main")))
	p.reads("Sign for Contoso, Ltd.", "You need no account")
	p.shot("sign")
	p.click(`form[action^="/sign/"] button[type="submit"]`)
	p.reads("The terms are not accepted yet.")
	p.click("#accept_partner")
	p.click(`form[action^="/sign/"] button[type="submit"]`)
	p.reads("Board Member accepted on")
	p.attestFrame()
	p.reads("Thank you. You can close this page.")
	p.shot("signed")
	b.reads("Who has access, and why") // the page of who asked goes on by itself
	b.shot("ready")
}

// attestFrame accepts Microsoft's agreement in its frame, by keys.
func (b *tab) attestFrame() {
	b.t.Helper()
	b.becomes("Microsoft's page is shown", `document.querySelector("#attestation iframe")`)
	b.becomes("the focus is beside it", `(document.querySelector("#attestation .cw-frame-head a").focus(), document.activeElement.matches(".cw-frame-head a"))`)
	b.key(kb.Tab, kb.Tab, " ", kb.Tab, kb.Enter)
}

// signatoryLink takes the link out of the signatory's mail.
func (s *site) signatoryLink(to string) string {
	s.t.Helper()
	var link string
	waitUntil(s.t, "the mail with the link has come", func() bool {
		for _, m := range s.mail.to(to) {
			if i := strings.Index(m, s.url+"/sign/"); i >= 0 {
				link = strings.Fields(m[i:])[0]
			}
		}
		return link != ""
	})
	return link
}

// A reload, and then a server that is killed in the middle: the page goes on, and
// nothing is made twice.
func TestBrowserReloadAndKill(t *testing.T) {
	s := newSite(t)
	s.control(http.MethodPatch, "/_sim/latency", map[string]any{"profile": "recorded"}, nil)
	s.control(http.MethodPost, "/_sim/clock", map[string]any{"factor": 250}, nil)
	b := s.person()
	b.signIn(demo.Administrator)
	id := b.toAccount("Contoso production")
	b.connect(demo.AccountAdministrator, demo.Password)
	b.choose("CTSO")
	b.toTerms("contosoprod")
	b.click("#accept_partner")
	b.click(`button[form="signer-form"]`)
	b.attest()
	b.click("#wizard-next")
	b.at("/wizard/review")
	b.click("#wizard-next")
	b.at("/providers/" + id)
	b.reads("In progress", "Creates an Azure customer account")
	b.shot("running")
	b.do("reload", chromedp.Reload())
	b.reads("In progress", "Step ")
	b.becomes("the customer account is being made", `document.querySelector(".cw-timeline li[data-done]")`)
	before := time.Now()
	s.kill()
	b.reads("Who has access, and why")
	t.Logf("ready %s after the restart", time.Since(before).Round(time.Millisecond))
	var customers []struct{ ID string }
	s.control(http.MethodGet, "/_sim/customers", nil, &customers)
	if len(customers) != 1 {
		t.Errorf("customers at Microsoft = %d, want 1", len(customers))
	}
}
