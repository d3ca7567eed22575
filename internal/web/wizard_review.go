package web

import (
	"errors"
	"strings"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// reviewStep is step 7: everything once more.
func (s *Server) reviewStep(v *visit, d provision.Draft, w ui.Wizard) (ui.WizardReviewPage, error) {
	p := ui.WizardReviewPage{Wizard: w}
	ch, err := s.choiceOf(v, d.Account, d.Budget)
	if err != nil {
		return p, err
	}
	domain, _ := s.domainOf(v, d)
	p.Groups = []ui.ReviewGroup{
		{Title: "Provider", Step: provision.WizardName, Rows: []ui.KV{
			{Key: "Type", Value: v.words.TypeName}, {Key: "Azure account", Value: v.words.ModeNew}, {Key: "Name", Value: plain(d.Provider.Name), Sub: "also the name of the Azure subscription"},
		}},
		{Title: "Who pays", Step: provision.WizardAccount, Rows: []ui.KV{
			{Key: capitalized(v.words.AccountWord), Value: plain(string(d.Account) + " · " + ch.Account.Name)},
			{Key: "Approved by", Value: plain(or(d.Login, v.me.Email)), Sub: v.words.AdminWord},
			{Key: "Monthly budget", Value: amount(d.Budget), Sub: "warns, does not stop"},
		}},
	}
	if v.rules.OrganizationMode {
		p.Groups[1].Rows[1].Sub = v.me.Role.Title() + " of " + w.Shell.Organization
	}
	if d.Tenant != "" {
		p.Groups = append(p.Groups, ui.ReviewGroup{Title: "At Microsoft", Step: provision.WizardDetails, Rows: []ui.KV{{Key: "Tenant", Value: domain, Break: true, Sub: "exists; a subscription is added"}}})
	} else {
		in := d.Details
		p.Groups = append(p.Groups, ui.ReviewGroup{Title: "Details for Microsoft", Step: provision.WizardDetails, Rows: []ui.KV{
			{Key: "Domain", Value: domain, Break: true, Sub: "permanent"},
			{Key: "Company", Value: plain(in.CompanyName), Sub: in.RegistrationNumber},
			{Key: "Address", Value: plain(address.Line(in.Address) + ", " + address.CountryName(in.Address.Country))},
			{Key: "Contact", Value: plain(in.Contact.FirstName + " " + in.Contact.LastName), Sub: in.Contact.Email},
			{Key: "Language", Value: in.Culture},
		}})
	}
	p.Groups = append(p.Groups, ui.ReviewGroup{Title: "Terms", Step: provision.WizardTerms, Rows: s.agreedRows(v, d)})
	p.Checks = s.reviewChecks(v, d, ch)
	p.Note = ui.Note{Tone: ui.ToneInfo, Icon: "clock", Title: "Usually ready in " + v.words.DurationToExpect,
		Text: "You can close the page; the work goes on and nothing is done twice. A mail tells you when it is ready."}
	w.Next = ui.Action{Label: "Create " + d.Provider.Name, Busy: "Creating…"}
	if !d.Signed() {
		w.Next = ui.Action{Label: "Create after the signature", Busy: "Saving…"}
		p.Note = ui.Note{Tone: ui.ToneWaiting, Title: "It begins by itself after the signature",
			Text: "The signatory has the link. You need not come back: the draft is kept for 30 days, and you get a mail."}
	}
	if off, err := why(s.Provision.MayCreate(v.ctx(), v.me)); err != nil {
		return p, err
	} else if off != "" {
		w.Next.Off = off
	}
	w.Next.Label = clipTo(w.Next.Label, 60)
	p.Wizard = w
	return p, nil
}

// plain keeps what people typed from marking words as strong.
func plain(s string) string { return strings.ReplaceAll(s, "**", "∗∗") }

func (s *Server) agreedRows(v *visit, d provision.Draft) []ui.KV {
	var rows []ui.KV
	if d.Terms != nil {
		rows = append(rows, ui.KV{Key: v.brand.TermsTitle, Value: "Version " + d.Terms.Version, Sub: "accepted " + v.moment(d.Terms.At)})
	}
	switch {
	case d.Customer != nil:
		rows = append(rows, ui.KV{Key: "Microsoft Customer Agreement", Value: "Covers this subscription", Sub: "confirmed " + v.moment(d.Customer.At)})
	case d.Microsoft == nil:
	case d.Microsoft.State == "accepted":
		m := d.Microsoft
		rows = append(rows, ui.KV{Key: "Microsoft Customer Agreement", Value: plain("By " + m.Signatory.FirstName + " " + m.Signatory.LastName), Sub: "recorded by Microsoft"})
	default:
		m := d.Microsoft
		rows = append(rows, ui.KV{Key: "Microsoft Customer Agreement", Value: plain("Sent to " + m.Signatory.FirstName + " " + m.Signatory.LastName), Sub: m.Signatory.Email, State: ui.StateWaiting})
	}
	return rows
}

// reviewChecks is what was asked a moment ago, and what is asked on Create.
func (s *Server) reviewChecks(v *visit, d provision.Draft, ch provision.Choice) []ui.Check {
	ok := ui.Check{State: ui.StateReady, Title: string(d.Account) + " can be billed", Text: "Every rule is met."}
	if !ch.Verdict.Eligible {
		ok = ui.Check{State: ui.StateStuck, Title: string(d.Account) + " cannot be billed", Text: first(ch.Verdict.Err())}
	} else if len(ch.Verdict.Lifted) > 0 {
		ok.Text = "By exception " + ch.Verdict.Lifted[0].Request + "."
	}
	list := []ui.Check{ok}
	if !v.rules.OrganizationMode {
		c := ui.Check{State: ui.StateReady, Title: "Approved by " + d.Login, Text: "The connection is valid until " + v.clock(d.ConnectedUntil) + "."}
		if !v.now.Before(d.ConnectedUntil) {
			c = ui.Check{State: ui.StateStuck, Title: "The connection of " + d.Login + " has ended", Text: "It is valid for 15 minutes. Connect again; nothing else is lost.",
				Link: ui.Link{Label: "Connect again", Href: stepPath(d.Provider.ID, provision.WizardAccount)}}
		}
		list = append(list, c)
	}
	if d.Tenant == "" {
		list = append(list, ui.Check{State: ui.StateDraft, Title: "Domain and address", Text: "Microsoft is asked once more when you create."})
	}
	return list
}

// submit ends the wizard.
func (s *Server) submit(v *visit, d provision.Draft) error {
	_, err := s.Provision.Submit(v.ctx(), v.me, d.Provider.ID)
	if errors.Is(err, provision.ErrAsking) {
		return fault.New(fault.Unavailable, "Microsoft has not answered yet. Nothing was begun: press Create once more in a moment.")
	}
	return err
}

// existingAccount: GET /providers/existing leads to a representative, until such
// an account can be moved here.
func (s *Server) existingAccount(v *visit) error {
	shell, err := s.shell(v, "providers", v.words.ModeExisting)
	if err != nil {
		return err
	}
	return v.page(ui.Existing(s.existingPage(v, shell)))
}

func (s *Server) existingPage(v *visit, shell ui.Shell) ui.ContactPage {
	p := ui.ContactPage{
		Shell: shell, Off: v.may(account.ActRequestCreate, v.me.Org), Back: "/providers",
		Points: []string{"The Azure domain, such as contoso.onmicrosoft.com", "The subscriptions that you use", "Who supports and bills them today", "An answer comes by " + v.moment(v.rules.Answer.AnswerBy(v.now))},
	}
	if v.me.Staff() {
		p.Off = "A request is made by a person of an organization."
	}
	return p
}

// waitingForSignature tells whether a submitted draft waits for its signatory.
func waitingForSignature(p provider.Provider) bool {
	return p.State == provider.Waiting && p.Tenant == ""
}
