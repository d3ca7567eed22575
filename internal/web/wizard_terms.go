package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// documentOf is a document as the wizard shows it.
func (s *Server) documentOf(v *visit, doc agreement.Document) (ui.Document, error) {
	country := "everywhere else"
	if doc.Country != agreement.Everywhere {
		country = countryNames([]string{doc.Country})
	}
	d := ui.Document{
		Title: doc.Title, Version: string(doc.ID),
		Facts: fmt.Sprintf("Version %d · in force since %s · %s", doc.Version, v.day(doc.ValidFrom), country),
		HTML:  agreement.HTML(doc.Text), AllURL: "/terms/" + string(doc.ID), Pages: "to print or keep",
	}
	former, ok, err := s.Terms.Former(v.ctx(), doc)
	if err != nil {
		return d, err
	}
	if ok {
		d.Changes = fmt.Sprintf("Changed since version %d: %s", former.Version, small(doc.Note))
		if doc.Note == "" {
			d.Changes = fmt.Sprintf("Changed since version %d.", former.Version)
		}
		d.CompareURL = "/terms/" + string(doc.ID) + "/compare"
	}
	return d, nil
}

func capitalized(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// termsStep is step 6: the partner's document and Microsoft's agreement.
func (s *Server) termsStep(v *visit, d provision.Draft, w ui.Wizard) (ui.WizardTermsPage, error) {
	p := ui.WizardTermsPage{Wizard: w, For: string(d.Account)}
	terms, err := s.Provision.Terms(v.ctx(), v.me, d.Provider.ID)
	if err != nil {
		return p, err
	}
	a, err := s.People.Account(v.ctx(), d.Account)
	if err != nil {
		return p, err
	}
	if p.Document, err = s.documentOf(v, terms.Partner); err != nil {
		return p, err
	}
	as := "as " + v.me.Role.Title() + " of " + w.Shell.Organization
	if d.Login != "" {
		as += ", with " + d.Login + " as " + v.words.AdminWord + " of " + string(d.Account)
	}
	p.Document.AcceptTitle, p.Document.AcceptText = fmt.Sprintf("I accept version %d for %s", terms.Partner.Version, a.Legal()), as
	p.Document.Accepted = d.Terms != nil && d.Terms.Hash == terms.Partner.Hash
	p.Document.Error = w.Errors.For("accept_partner")
	if d.Tenant != "" {
		doc, err := s.documentOf(v, terms.Microsoft)
		if err != nil {
			return p, err
		}
		doc.Field = "accept_microsoft"
		doc.AcceptTitle, doc.AcceptText = "I know that it covers this subscription too", "The tenant accepted it when it was made; a further subscription falls under it. "+capitalized(as)+"."
		doc.Accepted = d.Customer != nil && d.Customer.Hash == terms.Microsoft.Hash
		doc.Error = w.Errors.For("accept_microsoft")
		p.Microsoft = &doc
		return p, nil
	}
	p.Attestation, err = s.attestationOf(v, d)
	if !d.Agreed() && d.Microsoft == nil {
		p.Wizard.Next.Label = "Continue"
	}
	return p, err
}

// attestationOf is Microsoft's agreement as the page shows it.
func (s *Server) attestationOf(v *visit, d provision.Draft) (ui.Attestation, error) {
	a := ui.Attestation{
		URL: "/providers/" + string(d.Provider.ID) + "/attestation", Title: "Microsoft Customer Agreement", Company: d.Details.CompanyName,
		FrameLabel: "Microsoft · agreement attestation",
	}
	sig := d.Details.Signatory
	if sig == d.Details.Contact {
		sig = account.Contact{}
	}
	m := d.Microsoft
	a.Other = sig != account.Contact{}
	if m != nil {
		a.Other = m.Other
		if m.Other {
			sig = m.Signatory
		}
		switch m.State {
		case "accepted":
			a.State = "accepted"
			a.Facts = "By " + m.Signatory.FirstName + " " + m.Signatory.LastName
			if !m.AcceptedAt.IsZero() {
				a.Facts += " on " + v.moment(m.AcceptedAt)
			}
			a.Facts += "."
		case "expired":
			a.State = "expired"
		default:
			a.State, a.FrameURL = "open", m.URL
			if m.Other {
				a.State = "sent"
			}
		}
	}
	inv, invited, err := s.Signatures.For(v.ctx(), string(d.Provider.ID))
	if err != nil {
		return a, err
	}
	if m != nil && m.Other && invited {
		a.Facts = s.invitationFacts(v, inv) + " You can go on: it begins by itself after the signature."
	}
	a.First = ui.Field{ID: "signer_first", Label: "First name", Value: sig.FirstName, Span: "3", MaxLength: 50, Complete: "off"}
	a.Last = ui.Field{ID: "signer_last", Label: "Last name", Value: sig.LastName, Span: "3", MaxLength: 50, Complete: "off"}
	a.Email = ui.Field{ID: "signer_email", Label: "E-mail", Value: sig.Email, Type: "email", Span: "6", Complete: "off", Spellfree: true,
		Hint: "They get a link that is valid for " + ui.Count(v.rules.InvitationDays, "day", "days") + " and need no account here."}
	return a, nil
}

// invitationFacts says how far the second signatory is.
func (s *Server) invitationFacts(v *visit, inv agreement.Invitation) string {
	text := "Sent on " + v.moment(inv.AskedAt) + ", valid until " + v.day(inv.ExpiresAt) + "."
	switch inv.State {
	case agreement.Signed:
		return inv.SignedName + " accepted " + v.brand.Partner + "'s terms on " + v.moment(inv.ClosedAt) + ". Microsoft's page is still awaited."
	case agreement.Opened:
		text += " Opened on " + v.moment(inv.OpenedAt) + "."
	case agreement.Asked:
		text += " Not opened yet."
	}
	if !inv.RemindAt.IsZero() && inv.Waiting(v.now) {
		text += " Next reminder on " + v.day(inv.RemindAt) + "."
	}
	return text
}

// attestation: GET /providers/{id}/attestation?state= is Microsoft's part of the
// terms, asked every five seconds; nothing is answered while nothing changed, so
// that nobody loses what is being typed.
func (s *Server) attestation(v *visit) error {
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	if d.Microsoft != nil {
		_, err := s.Provision.Attestation(v.ctx(), v.me, d.Provider.ID)
		if err != nil && !errors.Is(err, fault.Unavailable) {
			return err
		}
		if d, err = s.draft(v); err != nil {
			return err
		}
	}
	a, err := s.attestationOf(v, d)
	if err != nil {
		return err
	}
	if v.form("state") == a.State {
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if !v.htmx() {
		return v.to(stepPath(d.Provider.ID, provision.WizardTerms), "")
	}
	return v.page(ui.AttestationPart(a))
}

// startAttestation: POST /providers/{id}/attestation asks Microsoft for its page,
// for the person here or for another signatory, who gets a link by mail.
func (s *Server) startAttestation(v *visit) error {
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	if d.Provider.State != provider.Draft { // submitted in another window
		return v.to("/providers/"+string(d.Provider.ID), "")
	}
	other := v.form("signer") == "other"
	signatory := d.Details.Signatory
	if other {
		c := contactOf(v)
		c.Phone = ""
		if signatory.FirstName == c.FirstName && signatory.LastName == c.LastName && signatory.Email == c.Email {
			c.Phone = signatory.Phone
		}
		signatory = c
	}
	_, err = s.Provision.StartAttestation(v.ctx(), v.me, d.Provider.ID, other, signatory)
	if err != nil {
		return s.attestationRefused(v, d, other, err)
	}
	if !v.htmx() {
		return v.to(stepPath(d.Provider.ID, provision.WizardTerms), "")
	}
	if d, err = s.draft(v); err != nil {
		return err
	}
	a, err := s.attestationOf(v, d)
	if err != nil {
		return err
	}
	return v.page(ui.AttestationPart(a))
}

// attestationRefused shows the part again with what was typed and what is wrong.
func (s *Server) attestationRefused(v *visit, d provision.Draft, other bool, cause error) error {
	f := fault.Of(cause)
	if f == nil || f.Kind == fault.NotFound {
		return cause
	}
	a, err := s.attestationOf(v, d)
	if err != nil {
		return err
	}
	a.Error = refusals(f)
	if errors.Is(cause, provision.ErrAsking) {
		a.Error = "Microsoft has not answered yet. Ask again in a moment."
	}
	if other {
		a.Other = true
		c := contactOf(v)
		a.First.Value, a.Last.Value, a.Email.Value = c.FirstName, c.LastName, c.Email
		errs, _ := errorsOf(cause, nil, map[string]string{"signatory_first_name": "signer_first", "signatory_last_name": "signer_last", "signatory_email": "signer_email"})
		a.First.Error, a.Last.Error, a.Email.Error = errs.For("signer_first"), errs.For("signer_last"), errs.For("signer_email")
		if a.First.Error+a.Last.Error+a.Email.Error != "" {
			a.Error = ""
		}
	}
	if v.htmx() {
		v.part(statusOf(cause), ui.AttestationPart(a))
		return nil
	}
	w, err := s.wizard(v, d, provision.WizardTerms)
	if err != nil {
		return err
	}
	w.Errors = ui.Errors{{Reason: refusals(f)}}
	p, err := s.termsStep(v, d, w)
	if err != nil {
		return err
	}
	p.Attestation = a
	v.part(statusOf(cause), ui.WizardTerms(p))
	return nil
}

// keepTerms takes the acceptance of the documents that were shown, and goes on
// when nothing is missing any more.
func (s *Server) keepTerms(v *visit, d provision.Draft) error {
	terms, err := s.Provision.Terms(v.ctx(), v.me, d.Provider.ID)
	if err != nil {
		return err
	}
	var wrong []fault.Refusal
	take := func(field string, doc agreement.Document, done bool) error {
		shown := v.form(field)
		switch {
		case shown == "" && done:
			wrong = append(wrong, fault.Refusal{Field: field, Reason: "The box is not ticked any more.", Remedy: "Tick it to go on; what you accepted before is kept."})
			return nil
		case shown == "":
			wrong = append(wrong, fault.Refusal{Field: field, Reason: "“" + doc.Title + "” is not accepted yet.", Remedy: "Read it, then tick the box."})
			return nil
		case shown != string(doc.ID):
			wrong = append(wrong, fault.Refusal{Field: field, Reason: "A new version is in force since you opened this page.", Remedy: "Read it, then tick the box again."})
			return nil
		}
		if done {
			return nil
		}
		return s.Provision.AcceptTerms(v.ctx(), v.me, d.Provider.ID, doc.ID, doc.Hash)
	}
	if err := take("accept_partner", terms.Partner, d.Terms != nil && d.Terms.Hash == terms.Partner.Hash); err != nil {
		return err
	}
	if d.Tenant != "" {
		if err := take("accept_microsoft", terms.Microsoft, d.Customer != nil && d.Customer.Hash == terms.Microsoft.Hash); err != nil {
			return err
		}
	} else if err := s.microsoftSigned(v, d, &wrong); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fault.Refuse(wrong...)
	}
	return nil
}

// microsoftSigned looks at Microsoft once more, so that nobody has to wait for
// the next question of the page.
func (s *Server) microsoftSigned(v *visit, d provision.Draft, wrong *[]fault.Refusal) error {
	if d.Microsoft != nil && d.Microsoft.State == "pending" && !d.Microsoft.Other {
		m, err := s.Provision.Attestation(v.ctx(), v.me, d.Provider.ID)
		if err != nil && !errors.Is(err, fault.Unavailable) {
			return err
		}
		d.Microsoft = &m
	}
	switch {
	case d.Microsoft == nil:
		*wrong = append(*wrong, fault.Refusal{Field: "attestation", Reason: "Microsoft's agreement is not opened yet.", Remedy: "Say who signs, then press Show the agreement."})
	case d.Microsoft.State == "expired":
		*wrong = append(*wrong, fault.Refusal{Field: "attestation", Reason: "Microsoft's page has expired.", Remedy: "Press Show the agreement for a new one."})
	case d.Microsoft.State != "accepted" && !d.Microsoft.Other:
		*wrong = append(*wrong, fault.Refusal{Field: "attestation", Reason: "Microsoft's agreement is not accepted yet.", Remedy: "Accept it on Microsoft's page below, or send it to somebody who may sign."})
	}
	return nil
}
