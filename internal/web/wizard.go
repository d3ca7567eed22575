package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// draft reads the draft that the address names. Who comes with a provider that
// was submitted already is led to its page.
func (s *Server) draft(v *visit) (provision.Draft, error) {
	return s.Provision.Draft(v.ctx(), v.me, provider.ID(v.r.PathValue("id")))
}

func stepPath(id provider.ID, step string) string {
	return "/providers/" + string(id) + "/wizard/" + step
}

// resumeWizard: GET /providers/{id}/wizard leads to the first step that is not
// filled in.
func (s *Server) resumeWizard(v *visit) error {
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	if d.Provider.State != provider.Draft {
		return v.to("/providers/"+string(d.Provider.ID), "")
	}
	return v.to(stepPath(d.Provider.ID, d.Next()), "")
}

// open tells whether a step can be shown: all before it are filled in.
func open(d provision.Draft, step string) bool {
	at := slices.Index(provision.WizardSteps, step)
	return at >= 0 && at <= slices.Index(provision.WizardSteps, d.Next())
}

// showStep: GET /providers/{id}/wizard/{step}.
func (s *Server) showStep(v *visit) error {
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	step := v.r.PathValue("step")
	switch {
	case !slices.Contains(provision.WizardSteps, step):
		return fault.New(fault.NotFound, "The wizard has no step %q.", step)
	case d.Provider.State != provider.Draft:
		return v.to("/providers/"+string(d.Provider.ID), "")
	case !open(d, step):
		return v.to(stepPath(d.Provider.ID, d.Next()), "")
	}
	if step == provision.WizardDetails && d.DetailsSaved && d.Tenant == "" && v.form("checked") == "1" {
		return s.askDetails(v, d)
	}
	return s.showDraft(v, d, step, http.StatusOK, nil)
}

// showDraft writes one step, with the errors of what was sent.
func (s *Server) showDraft(v *visit, d provision.Draft, step string, code int, errs ui.Errors) error {
	w, err := s.wizard(v, d, step)
	if err != nil {
		return err
	}
	w.Errors = errs
	if len(errs) == 0 && d.Refused.Reason != "" { // it was submitted once, and could not begin
		w.Errors = ui.Errors{{Reason: d.Refused.Reason, Remedy: d.Refused.Remedy}}
	}
	switch step {
	case provision.WizardType:
		v.part(code, ui.WizardType(s.typeStep(v, d, w)))
	case provision.WizardMode:
		p, err := s.modeStep(v, d, w)
		if err != nil {
			return err
		}
		v.part(code, ui.WizardMode(p))
	case provision.WizardName:
		p, err := s.nameStep(v, d, w)
		if err != nil {
			return err
		}
		v.part(code, ui.WizardName(p))
	case provision.WizardAccount:
		p, err := s.accountStep(v, d, w)
		if err != nil {
			return err
		}
		v.part(code, ui.WizardAccount(p))
	case provision.WizardDetails:
		p, err := s.detailsStep(v, d, w)
		if err != nil {
			return err
		}
		v.part(code, ui.WizardDetails(p))
	case provision.WizardTerms:
		p, err := s.termsStep(v, d, w)
		if err != nil {
			return err
		}
		v.part(code, ui.WizardTerms(p))
	case provision.WizardReview:
		p, err := s.reviewStep(v, d, w)
		if err != nil {
			return err
		}
		v.part(code, ui.WizardReview(p))
	}
	return nil
}

// wizard is the frame of a step.
func (s *Server) wizard(v *visit, d provision.Draft, step string) (ui.Wizard, error) {
	shell, err := s.shell(v, "providers", "New provider")
	if err != nil {
		return ui.Wizard{}, err
	}
	w := ui.Wizard{Shell: shell, ID: string(d.Provider.ID), Step: step, Saved: v.clock(d.UpdatedAt)}
	chosen := map[string]string{}
	p := d.Provider
	if p.Type != "" {
		chosen["type"] = v.words.TypeName
	}
	if p.Mode != "" {
		chosen["mode"] = v.words.ModeNew
	}
	if p.Name != "" {
		chosen["name"] = p.Name
	}
	if d.Account != "" {
		a, err := s.People.Account(v.ctx(), d.Account)
		if err != nil {
			return w, err
		}
		chosen["account"] = string(a.Alias) + " · " + a.Name
	}
	if domain, done := s.domainOf(v, d); done {
		chosen["details"] = domain
	}
	if d.Agreed() {
		chosen["terms"] = "Accepted"
		if !d.Signed() {
			chosen["terms"] = "Waiting for the signatory"
		}
	}
	w.Steps = ui.WizardSteps(v.words, chosen)
	w.Panel = s.wizardPanel(v, d, step)
	return w, nil
}

// domainOf is the domain of the draft's tenant; done if the details are complete.
func (s *Server) domainOf(v *visit, d provision.Draft) (domain string, done bool) {
	if d.Tenant != "" {
		if t, ok := s.tenant(v, d); ok {
			return t.Domain, true
		}
		return "", true
	}
	if !d.DetailsSaved {
		return "", false
	}
	return d.Details.DomainPrefix + provision.DomainSuffix, true
}

// tenant finds the tenant that a draft will use.
func (s *Server) tenant(v *visit, d provision.Draft) (provision.Tenant, bool) {
	list, err := s.Provision.Tenants(v.ctx(), v.me, d.Provider.Org)
	if err != nil {
		s.Log.Error("tenants could not be read", "request", reference(v.r), "error", err)
		return provision.Tenant{}, false
	}
	for _, t := range list {
		if t.ID == d.Tenant {
			return t, true
		}
	}
	return provision.Tenant{}, false
}

// wizardPanel is what is good to know at a step.
func (s *Server) wizardPanel(v *visit, d provision.Draft, step string) []ui.Section {
	b := v.words
	undo := ui.Section{Title: "What can be undone", Items: []string{
		"**Until you create:** everything.", "**Later:** cancel at any time; the bill ends with the day.", "**Never:** the domain name at Microsoft.",
	}}
	next := func(items ...string) ui.Section {
		return ui.Section{Title: "What happens next", Items: items, Ordered: true}
	}
	switch step {
	case provision.WizardType:
		return []ui.Section{next("You choose the account that pays.", "You accept two sets of terms.", "We set Azure up, usually in "+b.DurationToExpect+". You can watch or leave.")}
	case provision.WizardMode:
		return []ui.Section{{Title: "What does it cost?", Paragraphs: []string{
			"Creating it is free. Azure usage is billed monthly at list price, as one line: **" + b.LineLabel + "**.",
		}}, undo}
	case provision.WizardName:
		return []ui.Section{{Title: "Good names", Paragraphs: []string{"Say what runs there and for whom: “" + "Contoso analytics” is found faster than “test 2”."}}, undo}
	case provision.WizardAccount:
		return []ui.Section{
			next("You check the details we send to Microsoft, filled in from the account.", "You accept "+b.Partner+"'s and Microsoft's terms.", "We set Azure up, usually in "+b.DurationToExpect+". You can watch or leave."),
			{Title: "Who pays", Paragraphs: s.whoPays(v, d)}, undo,
		}
	case provision.WizardDetails:
		return []ui.Section{
			{Title: "Why we ask", Paragraphs: []string{"Microsoft opens the Azure account in your company's name and checks the address. What you type here is sent to Microsoft and kept with the provider."}},
			undo,
		}
	case provision.WizardTerms:
		return []ui.Section{
			{Title: "Who can sign", Paragraphs: []string{"Somebody who may bind the company. If that is another person, we send a link; no account is needed here. The draft waits, for weeks if need be, and begins by itself after the signature."}},
			{Title: "If a version changes", Paragraphs: []string{"Each version is accepted by its exact text. A new one is shown again at your next order; what you accepted stays on your receipt."}},
		}
	}
	return []ui.Section{
		next("We send the details to Microsoft, create the account and the subscription, and associate both with your "+b.AccountWord+".",
			"Microsoft applies the guardrail, which takes longest.", "You get a mail with your receipt."),
		undo,
	}
}

// whoPays are the sentences about the account that is chosen.
func (s *Server) whoPays(v *visit, d provision.Draft) []string {
	out := []string{"The account you choose, monthly, at list price. One invoice line: **" + v.words.LineLabel + "**."}
	budget := d.Budget
	if budget.Currency() == "" {
		budget = v.rules.DefaultBudget
	}
	return append(out, "Proposed budget **"+amount(budget)+"** a month. It is checked against the account's credit limit; Microsoft mails when it is reached, and nothing is switched off.")
}

// takeStep: POST /providers/{id}/wizard/{step}.
func (s *Server) takeStep(v *visit) error {
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	step := v.r.PathValue("step")
	if !slices.Contains(provision.WizardSteps, step) {
		return fault.New(fault.NotFound, "The wizard has no step %q.", step)
	}
	if d.Provider.State != provider.Draft { // sent twice, or submitted in another window
		return v.to("/providers/"+string(d.Provider.ID), "")
	}
	if !open(d, step) {
		return v.to(stepPath(d.Provider.ID, d.Next()), "")
	}
	closing := v.form("then") == "close"
	err = s.keepStep(v, d, step, closing)
	if closing {
		if err != nil && fault.Of(err) == nil {
			return err
		}
		return v.to("/providers", "Draft saved. It is kept for 30 days.")
	}
	if err != nil {
		if errors.Is(err, provision.ErrAsking) && step == provision.WizardDetails {
			if d, err = s.draft(v); err != nil {
				return err
			}
			return s.showChecking(v, d)
		}
		var offer askSuggestion
		errs, ok := errorsOf(err, labels(v), fieldIDs)
		if errors.As(err, &offer) {
			if d, err = s.draft(v); err != nil {
				return err
			}
			return s.suggest(v, d, offer, errs)
		}
		if !ok || fault.KindOf(err) == fault.Forbidden && !connectionOver(err) {
			return err
		}
		if d, err2 := s.draft(v); err2 == nil {
			return s.showDraft(v, d, step, statusOf(err), errs)
		}
		return err
	}
	if d, err = s.draft(v); err != nil {
		return err
	}
	if d.Provider.State != provider.Draft {
		return v.to("/providers/"+string(d.Provider.ID), "")
	}
	return v.to(stepPath(d.Provider.ID, s.after(d, step)), "")
}

// connectionOver tells whether the account connection has ended: that is said at
// its step and mended there.
func connectionOver(err error) bool {
	f := fault.Of(err)
	return f != nil && slices.ContainsFunc(f.Refusals, func(r fault.Refusal) bool { return r.Code == account.CodeConnectionExpired })
}

// after is the step that follows; what has nothing to ask is passed over, and no
// step is reached before those ahead of it are filled in.
func (s *Server) after(d provision.Draft, step string) string {
	i := slices.Index(provision.WizardSteps, step) + 1
	if i >= len(provision.WizardSteps) {
		return provision.WizardReview
	}
	next := provision.WizardSteps[i]
	if next == provision.WizardDetails && d.Tenant != "" {
		next = provision.WizardTerms
	}
	if !open(d, next) {
		return d.Next()
	}
	return next
}

// keepStep writes what a step asked for.
func (s *Server) keepStep(v *visit, d provision.Draft, step string, closing bool) error {
	id := d.Provider.ID
	switch step {
	case provision.WizardType:
		if closing && v.form("type") == "" {
			return nil
		}
		return s.Provision.SetType(v.ctx(), v.me, id, v.form("type"))
	case provision.WizardMode:
		if closing && v.form("mode") == "" {
			return nil
		}
		return s.Provision.SetMode(v.ctx(), v.me, id, v.form("mode"))
	case provision.WizardName:
		return s.Provision.SetName(v.ctx(), v.me, id, v.form("name"))
	case provision.WizardAccount:
		return s.keepAccount(v, d)
	case provision.WizardDetails:
		return s.keepDetails(v, d, closing)
	case provision.WizardTerms:
		return s.keepTerms(v, d)
	}
	if closing {
		return nil
	}
	return s.submit(v, d)
}

// fieldIDs are the ids of the wizard's inputs where the draft calls a field
// something else.
var fieldIDs = map[string]string{
	"domain_prefix": "prefix", "domain": "prefix", "domain_confirmed": "permanent", "connection": "account", "login": "account",
	"partner": "", "details": "", "address": "line1", "terms": "accept_partner", "review": "", "signatory": "",
}

// labels of the wizard's inputs, for the summary over a form.
func labels(v *visit) map[string]string {
	return map[string]string{
		"name": "Name", "type": "Provider type", "mode": "Azure account", "account": v.words.AccountWord, "budget": "Budget", "domain_prefix": "Domain prefix",
		"company_name": "Company", "first_name": "First name", "last_name": "Last name", "email": "E-mail", "phone": "Telephone",
	}
}

// typeStep is step 1.
func (s *Server) typeStep(v *visit, d provision.Draft, w ui.Wizard) ui.WizardTypePage {
	return ui.WizardTypePage{Wizard: w, Choices: []ui.Choice{{
		Value: provider.TypeAzure, Title: v.words.TypeName, Tag: "Supported and billed here",
		Text:    "Microsoft's cloud. You get a tenant and a subscription of your own.",
		Good:    []string{"One bill, on your " + v.words.AccountWord, "First contact for support is " + v.words.Partner, "Access for your own administrators"},
		Checked: true,
	}}}
}

// modeStep is step 2.
func (s *Server) modeStep(v *visit, d provision.Draft, w ui.Wizard) (ui.WizardModePage, error) {
	b := v.words
	p := ui.WizardModePage{Wizard: w, Choices: []ui.Choice{
		{
			Value: provider.ModeNew, Title: b.ModeNew, Tag: "Supported and billed here", Checked: true,
			Text: "Microsoft opens an Azure account in your company's name.",
			Good: []string{"Usage on one monthly line of your " + b.AccountWord, "Support by " + b.Partner, "Ready in " + b.DurationToExpect},
		},
		{
			Value: provider.ModeOwn, Title: b.ModeExisting,
			Text: "An Azure account that your company has already, moved so that it is supported and billed here.",
			Off:  "Moving an existing account is done by our staff, not by this wizard.",
			Link: ui.Link{Label: "Contact your representative", Href: "/providers/existing"},
		},
	}}
	tenants, err := s.Provision.Tenants(v.ctx(), v.me, d.Provider.Org)
	if err != nil {
		return p, err
	}
	for _, t := range tenants {
		if t.State == provision.TenantLive {
			p.Note = &ui.Note{Tone: ui.ToneInfo, Title: w.Shell.Organization + " has an Azure customer account already",
				Text: "If you choose an account of the same company, a subscription is added to **" + t.Domain + "**."}
			break
		}
	}
	return p, nil
}

// nameStep is step 3.
func (s *Server) nameStep(v *visit, d provision.Draft, w ui.Wizard) (ui.WizardNamePage, error) {
	name := d.Provider.Name
	if v.r.Method == http.MethodPost {
		name = v.r.PostFormValue("name")
	}
	p := ui.WizardNamePage{Wizard: w, Name: ui.Field{
		ID: "name", Label: "Name", Value: name, MaxLength: provider.MaxName, Focus: true, Complete: "off", Error: w.Errors.For("name"),
		Hint: "Any script, up to 64 characters, without < > ; |",
	}}
	org, err := s.People.Org(v.ctx(), d.Provider.Org)
	if err != nil {
		return p, err
	}
	p.Presets = presets(org.Placement)
	return p, nil
}

func presets(list []account.Preset) []ui.Preset {
	out := make([]ui.Preset, len(list))
	for i, x := range list {
		out[i] = ui.Preset{Name: x.Name, Region: x.Region, Size: x.Size, Network: x.Network}
	}
	return out
}

// initials for a sentence: text with its first letter small.
func small(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
