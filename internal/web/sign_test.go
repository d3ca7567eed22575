package web_test

import (
	"net/url"
	"strings"
	"testing"

	"causeway/internal/account"
	"causeway/internal/demo"
	"causeway/internal/provider"
)

// awaiting makes a provider that waits for a second signatory; it gives the
// provider's id and the link that the signatory got by mail.
func (w *world) awaiting(s *surfer, name, prefix string) (id, link string) {
	w.t.Helper()
	id = s.draft(name, "CTSE")
	at := "/providers/" + id
	s.details(id, prefix, nil).redirects(at + "/wizard/terms")
	terms := s.get(at + "/wizard/terms").is(200)
	s.post(at+"/attestation", url.Values{"signer": {"other"}, "signer_first": {"Board"}, "signer_last": {""}, "signer_email": {"none"}}).is(422).says("e-mail address is none")
	s.post(at+"/attestation", url.Values{"signer": {"other"}, "signer_first": {"Board"}, "signer_last": {"Member"}, "signer_email": {"board@contoso.example"}}).redirects(at + "/wizard/terms")
	s.get(at+"/wizard/terms").is(200).says("Sent to board@contoso.example", "Not opened yet")
	s.post(at+"/wizard/terms", url.Values{"accept_partner": {terms.value("accept_partner")}}).redirects(at + "/wizard/review")
	s.post(at+"/wizard/review", url.Values{}).redirects(at)
	s.get(at).is(200).says("Waiting for you", "Waiting for the signature", "board@contoso.example", "Withdraw the link")
	mails, err := w.app.Mail.Mails(w.t.Context(), account.System(), "", "", 50)
	w.must(err)
	for _, m := range mails.Items {
		if i := strings.Index(m.Text, w.url+"/sign/"); i >= 0 && m.To == "board@contoso.example" {
			link = strings.TrimPrefix(strings.Fields(m.Text[i:])[0], w.url)
			break
		}
	}
	if link == "" {
		w.t.Fatal("no mail with a link")
	}
	return id, link
}

// A signatory who declines says why; the draft opens again for another one.
func TestASignatoryDeclines(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Administrator)
	id, link := w.awaiting(s, "Contoso field services", "contosofield")
	g := w.guest()
	page := g.get(link).is(200).says("Sign for Contoso, Ltd.", "You need no account", "Microsoft Customer Agreement").hides("Providers", "contosofield")
	if page.head.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("Referrer-Policy = %q: the link must not be told to anybody", page.head.Get("Referrer-Policy"))
	}
	s.get("/providers/" + id).says("Opened on")
	g.post(link, url.Values{"name": {"Board Member"}}).is(422).says("The terms are not accepted yet.")
	g.post(link, url.Values{"name": {" "}, "accept_partner": {page.value("accept_partner")}}).is(422).says("Your name is empty")
	g.post(link+"/decline", url.Values{"why": {"Ask the other director."}}).redirects(link)
	g.get(link).is(200).says("You declined", "Nothing was created")
	g.post(link, url.Values{"name": {"Board Member"}, "accept_partner": {page.value("accept_partner")}}).redirects(link) // too late
	w.until(id, provider.Draft)
	s.get("/providers/" + id + "/wizard").redirects("/providers/" + id + "/wizard/terms")
	s.get("/providers/" + id + "/wizard/terms").is(200).says("The signatory has not signed: the invitation is declined.")
	g.get("/sign/no-such-link").is(404)
}

// Who asked takes the link back, or drops the whole draft: the link then says so.
func TestALinkIsTakenBack(t *testing.T) {
	w := newWorld(t)
	s := w.signIn(demo.Administrator)
	id, link := w.awaiting(s, "Contoso field services", "contosofield")
	for range 2 {
		s.post("/providers/"+id+"/withdraw", url.Values{}).redirects("/providers/" + id)
	}
	g := w.guest()
	g.get(link).is(200).says("Your signature is no longer needed")
	w.until(id, provider.Draft)

	id, link = w.awaiting(s, "Contoso other services", "contosoother")
	s.post("/providers/"+id+"/cancel", url.Values{}).redirects("/providers")
	s.get("/providers").says("Draft dropped")
	s.get("/providers/" + id).is(404)
	g.get(link).is(200).says("Your signature is no longer needed")
	if n := len(w.sim.Customers()); n != 0 {
		t.Errorf("customers at Microsoft = %d, want 0", n)
	}
}
