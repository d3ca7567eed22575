package web

import (
	"net/http"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// mailMe: POST /providers/{id}/mail.
func (s *Server) mailMe(v *visit) error {
	id := provider.ID(v.r.PathValue("id"))
	on := v.form("on") != "off"
	if err := s.Provision.MailMe(v.ctx(), v.me, id, on); err != nil {
		return err
	}
	said := "You get a mail when it is ready"
	if !on {
		said = "No mail will be sent"
	}
	return v.to("/providers/"+string(id), said)
}

// cancel: POST /providers/{id}/cancel undoes a provider, or drops a draft.
func (s *Server) cancel(v *visit) error {
	p, err := s.Providers.Get(v.ctx(), v.me, provider.ID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	page := "/providers/" + string(p.ID)
	dropped := p.State == provider.Draft || waitingForSignature(p)
	if !dropped {
		if err := account.May(v.me, account.ActProviderCancel, p.Org); err != nil {
			return err
		}
	}
	if p.State == provider.Cancelling || p.State == provider.Cancelled { // sent twice
		return v.to(page, "")
	}
	if p.State == provider.Ready && v.form("confirm") != p.Name {
		return s.cancelRefused(v, p)
	}
	if err := s.Provision.Cancel(v.ctx(), v.me, p.ID); err != nil {
		return err
	}
	if dropped {
		return v.to("/providers", "Draft dropped")
	}
	return v.to(page, "")
}

// cancelRefused shows the dialog again: the name that was typed is another one.
func (s *Server) cancelRefused(v *visit, p provider.Provider) error {
	view, err := s.readyView(v, p)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "providers", p.Name)
	if err != nil {
		return err
	}
	if view.CancelInfo != nil {
		view.CancelInfo.Error = "This is not the name. Nothing was cancelled; type it as it stands above."
	}
	v.part(http.StatusUnprocessableEntity, ui.ProviderReady(ui.ProviderPage{Shell: shell, Provider: view}))
	return nil
}

// fixForm lets an administrator of the customer correct what Microsoft refused,
// as long as the tenant does not exist.
func (s *Server) fixForm(v *visit, pr provision.Progress) *ui.FixForm {
	o := pr.Onboarding
	if o.Refusal == nil || v.may(account.ActOnboardingEdit, o.Org) != "" || pr.Provider.TenantID != "" {
		return nil
	}
	t, err := s.Provision.TenantOf(v.ctx(), v.me, pr.Provider.ID)
	if err != nil || t.AzureID != "" {
		return nil
	}
	in := t.Details
	switch f := o.Refusal.Field; f {
	case "domain_prefix", "domain":
		return &ui.FixForm{Title: "Another domain prefix", Button: "Send to Microsoft", Fields: []ui.Field{prefixField("prefix", in.DomainPrefix)}}
	case "address", "line1", "line2", "city", "state", "postal_code":
		return &ui.FixForm{Title: "Correct the address", Button: "Correct address", Fields: addressFields(in.Address, nil)}
	case "phone":
		return &ui.FixForm{Title: "Correct the telephone number", Button: "Correct telephone", Fields: []ui.Field{{ID: "phone", Label: "Telephone", Type: "tel", Value: in.Contact.Phone, Optional: true}}}
	case "company_name":
		return &ui.FixForm{Title: "Correct the company's name", Button: "Correct name", Fields: []ui.Field{{ID: "company_name", Label: "Company", Value: in.CompanyName, MaxLength: 100}}}
	case "registration_number":
		return &ui.FixForm{Title: "Correct the registration number", Button: "Correct number", Fields: []ui.Field{{ID: "registration_number", Label: "Registration number", Value: in.RegistrationNumber, MaxLength: 50}}}
	case "email":
		return &ui.FixForm{Title: "Correct the mail address", Button: "Correct e-mail", Fields: []ui.Field{{ID: "email", Label: "E-mail", Type: "email", Value: in.Contact.Email}}}
	}
	return nil
}

func prefixField(id, value string) ui.Field {
	return ui.Field{ID: id, Label: "Domain prefix", Value: value, Suffix: provision.DomainSuffix, MaxLength: 27, Spellfree: true, Complete: "off",
		Hint: "It is permanent: it can never be changed or given to another company."}
}

// corrected reads a correction over the details as they are. Whoever sends it
// confirms that the prefix is permanent, as the hint beside it says.
func corrected(v *visit, in provision.Details) provision.Details {
	out := detailsOf(v, provision.Draft{Details: in}, v.r.PostForm)
	out.Signatory, out.Culture, out.Language, out.DomainConfirmed = in.Signatory, in.Culture, in.Language, true
	return out
}

// fix: POST /providers/{id}/fix sends corrected details and goes on.
func (s *Server) fix(v *visit) error {
	id := provider.ID(v.r.PathValue("id"))
	o, err := s.Provision.OnboardingOf(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	page := "/providers/" + string(id)
	if o.State != provision.Stuck { // sent twice
		return v.to(page, "")
	}
	t, err := s.Provision.TenantOf(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	err = s.Provision.Edit(v.ctx(), v.me, o.ID, corrected(v, t.Details))
	if err == nil {
		return v.to(page, "Sent. It goes on.")
	}
	errs, ok := errorsOf(err, nil, fieldIDs)
	if !ok || fault.KindOf(err) == fault.Forbidden {
		return err
	}
	p, perr := s.Providers.Get(v.ctx(), v.me, id)
	if perr != nil {
		return perr
	}
	view, perr := s.progress(v, p)
	if perr != nil {
		return perr
	}
	if view.Fix != nil {
		for i := range view.Fix.Fields {
			f := &view.Fix.Fields[i]
			f.Error = errs.For(f.ID)
			if v.r.PostForm.Has(f.ID) {
				f.Value = v.form(f.ID)
			}
		}
		if view.Note != nil {
			view.Note = &ui.Note{Tone: ui.ToneStuck, Title: "This cannot be sent.", Text: plain(first(err))}
		}
	}
	shell, perr := s.shell(v, "providers", nameOf(p))
	if perr != nil {
		return perr
	}
	v.part(statusOf(err), ui.Progressing(ui.ProgressPage{Shell: shell, Progress: view}))
	return nil
}
