package e2e_test

import (
	"strings"
	"testing"

	"causeway/internal/demo"

	"github.com/chromedp/chromedp/kb"
)

// toAccount begins a provider and names it.
func (b *tab) toAccount(name string) (id string) {
	b.t.Helper()
	b.open("/providers")
	b.click(`form[action="/providers/new"] button`)
	b.at("/wizard/type")
	id = strings.Split(b.eval("location.pathname"), "/")[2]
	b.shot("1-type")
	b.click("#wizard-next")
	b.at("/wizard/mode")
	b.shot("2-mode")
	b.click("#wizard-next")
	b.at("/wizard/name")
	b.fill("#name", name)
	b.shot("3-name")
	b.click("#wizard-next")
	b.at("/wizard/account")
	return id
}

// connect signs in once as account administrator.
func (b *tab) connect(login, password string) {
	b.t.Helper()
	b.click(`button[data-dialog="connect"]`)
	b.fill("#connect-user", login)
	b.fill("#connect-password", password)
	b.shot("4-connect")
	b.key(kb.Enter)
}

// choose takes an account that can be billed.
func (b *tab) choose(alias string) {
	b.t.Helper()
	b.click(`input[name="account"][value="` + alias + `"]`)
	b.becomes("the button names the account", `document.querySelector("#wizard-next").textContent.includes("`+alias+`")`)
	b.shot("4-account")
	b.click("#wizard-next")
}

// toTerms fills in what Microsoft is told.
func (b *tab) toTerms(prefix string) {
	b.t.Helper()
	b.at("/wizard/details")
	b.fill("#prefix", prefix)
	b.becomes("Microsoft says that the domain is free", `document.querySelector("#domain-state").innerText.includes("is free")`)
	b.click("#permanent")
	b.shot("5-details")
	b.click("#wizard-next")
	b.at("/wizard/terms")
}

// attest accepts Microsoft's agreement in its frame, which is another website:
// the keys go where the focus is, as a person's do.
func (b *tab) attest() {
	b.t.Helper()
	b.becomes("Microsoft's page is shown", `document.querySelector("#attestation iframe")`)
	b.shot("6-attestation")
	// Nobody sees from outside when the frame is ready for keys: what came too early
	// is typed again, as a person would.
	accepted := `document.querySelector("#attestation").innerText.includes("Microsoft has recorded the acceptance")`
	for range 5 {
		b.becomes("the frame has the focus's neighbour", `(document.querySelector("#attestation .cw-frame-head a")?.focus(), document.activeElement.matches(".cw-frame-head a")) || `+accepted)
		if b.eval("!!("+accepted+")") == "true" {
			return
		}
		b.key(kb.Tab, kb.Tab, " ", kb.Tab, kb.Enter)
		if b.soon(accepted) {
			return
		}
	}
	b.becomes("the acceptance is seen", accepted)
}

// A new user walks from the sign-in to a working subscription, and gets in.
func TestBrowserHappyPath(t *testing.T) {
	b := newSite(t).person()
	b.open("/signin")
	b.shot("0-signin")
	b.signIn(demo.Administrator)
	b.reads("Give Contoso, Ltd. an Azure account in", "Before you begin")
	b.shot("0-empty")
	id := b.toAccount("Contoso analytics")
	b.connect(demo.AccountAdministrator, demo.Password)
	b.reads("Connected as "+demo.AccountAdministrator, "Cannot be billed")
	b.choose("CTSE")
	b.toTerms("contosoanalytics")
	b.click("#accept_partner")
	b.shot("6-terms")
	b.click(`button[form="signer-form"]`)
	b.attest()
	b.shot("6-accepted")
	b.click("#wizard-next")
	b.at("/wizard/review")
	b.reads("contosoanalytics", "Nothing exists at Microsoft yet")
	b.shot("7-review")
	b.click("#wizard-next")
	b.at("/providers/" + id)
	b.shot("8-progress")
	b.reads("Who has access, and why") // the page became the ready provider by itself
	b.reads("Ready", "contosoanalytics")
	b.shot("9-ready")
	b.click(`button[data-dialog="credentials"]`)
	b.fill("#own-password", "wrong password")
	b.key(kb.Enter)
	b.reads("The mail address or the password is wrong.")
	b.fill("#own-password", demo.Password)
	b.key(kb.Enter)
	b.reads("Shown for", "Azure asks for a new password")
	b.becomes("the password stands there", `document.querySelector("#cred-password").textContent.length >= 8`)
	b.shot("9-credentials")
	b.open("/accounts/CTSE")
	b.reads("What it pays for", "Contoso analytics")
	b.shot("9-account")
}
