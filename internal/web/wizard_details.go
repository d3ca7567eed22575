package web

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// detailFields are the inputs of step 5 that are kept while they are not right
// yet: in the session, because a draft holds only what could be sent.
var detailFields = []string{
	"prefix", "permanent", "company_name", "registration_number", "line1", "line2", "city", "state", "postal_code",
	"first_name", "last_name", "email", "phone", "same_signatory", "signatory_first_name", "signatory_last_name", "signatory_email", "signatory_phone", "language",
}

// typed is what a person has typed at step 5 and could not be kept in the draft.
func (s *Server) typed(v *visit, id provider.ID) url.Values {
	var q url.Values
	if text := s.sessions.GetString(v.ctx(), "details:"+string(id)); text != "" {
		if err := json.Unmarshal([]byte(text), &q); err != nil {
			return nil
		}
	}
	return q
}

func (s *Server) keepTyped(v *visit, id provider.ID) error {
	q := url.Values{}
	for _, f := range detailFields {
		if v.r.PostForm.Has(f) {
			q.Set(f, clipTo(v.form(f), 300))
		}
	}
	text, err := json.Marshal(q)
	if err != nil {
		return err
	}
	s.sessions.Put(v.ctx(), "details:"+string(id), string(text))
	return nil
}

// dial is a telephone number without what makes it easy to read.
func dial(s string) string {
	return strings.NewReplacer(" ", "", "(", "", ")", "", "-", "", ".", "", "/", "").Replace(s)
}

func clipTo(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// languages that Microsoft writes to customers in, as cultures.
var languages = []ui.Option{
	{Value: "en-US", Label: "English (United States)"}, {Value: "en-GB", Label: "English (United Kingdom)"}, {Value: "en-AU", Label: "English (Australia)"},
	{Value: "en-CA", Label: "English (Canada)"}, {Value: "fr-CA", Label: "Français (Canada)"}, {Value: "fr-FR", Label: "Français (France)"},
	{Value: "de-DE", Label: "Deutsch (Deutschland)"}, {Value: "es-ES", Label: "Español (España)"}, {Value: "es-MX", Label: "Español (México)"},
	{Value: "it-IT", Label: "Italiano (Italia)"}, {Value: "nl-NL", Label: "Nederlands (Nederland)"}, {Value: "pt-BR", Label: "Português (Brasil)"},
	{Value: "pt-PT", Label: "Português (Portugal)"}, {Value: "pl-PL", Label: "Polski (Polska)"}, {Value: "sv-SE", Label: "Svenska (Sverige)"},
	{Value: "ja-JP", Label: "日本語 (日本)"}, {Value: "ko-KR", Label: "한국어 (대한민국)"}, {Value: "zh-CN", Label: "中文 (中国)"}, {Value: "zh-TW", Label: "中文 (台灣)"},
}

// detailsOf reads step 5's form over what the draft has.
func detailsOf(v *visit, d provision.Draft, q url.Values) provision.Details {
	in := d.Details
	get := func(name string, to *string) {
		if q.Has(name) {
			*to = strings.TrimSpace(q.Get(name))
		}
	}
	get("prefix", &in.DomainPrefix)
	in.DomainConfirmed = q.Get("permanent") == "yes"
	get("company_name", &in.CompanyName)
	get("registration_number", &in.RegistrationNumber)
	if !numbered[in.Address.Country] { // Microsoft refuses one where it asks for none
		in.RegistrationNumber = ""
	}
	get("line1", &in.Address.Line1)
	get("line2", &in.Address.Line2)
	get("city", &in.Address.City)
	get("state", &in.Address.State)
	get("postal_code", &in.Address.PostalCode)
	get("first_name", &in.Contact.FirstName)
	get("last_name", &in.Contact.LastName)
	get("email", &in.Contact.Email)
	get("phone", &in.Contact.Phone)
	if q.Get("same_signatory") == "yes" {
		in.Signatory = in.Contact
	} else {
		get("signatory_first_name", &in.Signatory.FirstName)
		get("signatory_last_name", &in.Signatory.LastName)
		get("signatory_email", &in.Signatory.Email)
		get("signatory_phone", &in.Signatory.Phone)
	}
	get("language", &in.Culture)
	in.Language, _, _ = strings.Cut(in.Culture, "-")
	return in
}

// detailsStep is step 5: what Microsoft is told.
func (s *Server) detailsStep(v *visit, d provision.Draft, w ui.Wizard) (ui.WizardDetailsPage, error) {
	a, err := s.People.Account(v.ctx(), d.Account)
	if err != nil {
		return ui.WizardDetailsPage{}, err
	}
	p := ui.WizardDetailsPage{Wizard: w, Account: string(a.Alias) + " · " + a.Name, Country: address.CountryInSentence(d.Details.Address.Country)}
	if d.Tenant != "" {
		t, _ := s.tenant(v, d)
		p.Further = &ui.Note{Tone: ui.ToneInfo, Title: "Your company has its Azure account already",
			Text: "This provider adds a subscription to **" + t.Domain + "**. Domain, company and address are Microsoft's since it was made, so there is nothing to fill in."}
		return p, nil
	}
	in, same := d.Details, d.Details.Signatory == d.Details.Contact
	if !d.DetailsSaved { // an account's number is written for people; Microsoft's patterns know its digits
		in.Contact.Phone, in.Signatory.Phone = dial(in.Contact.Phone), dial(in.Signatory.Phone)
	}
	q := s.typed(v, d.Provider.ID)
	if v.r.Method == http.MethodPost {
		q = v.r.PostForm
	}
	if q != nil {
		in, same = detailsOf(v, d, q), q.Get("same_signatory") == "yes"
	}
	s.detailFields(v, in, same, &p)
	if d.DetailsSaved && q == nil {
		p.DomainNow = ui.DomainState{}
	}
	return p, nil
}

func (s *Server) detailFields(v *visit, in provision.Details, same bool, p *ui.WizardDetailsPage) {
	errs := p.Wizard.Errors
	field := func(id, label, value, complete, span string, more func(*ui.Field)) ui.Field {
		f := ui.Field{ID: id, Label: label, Value: value, Complete: complete, Span: span, Error: errs.For(id)}
		if more != nil {
			more(&f)
		}
		return f
	}
	p.Domain = field("prefix", "Domain prefix", in.DomainPrefix, "off", "", func(f *ui.Field) {
		f.Suffix, f.MaxLength, f.Spellfree = provision.DomainSuffix, 27, true
		f.Hint = "Letters and digits. It is part of every sign-in name, after the @."
	})
	p.Confirmed, p.ConfirmErr = in.DomainConfirmed, errs.For("permanent")
	p.Company = []ui.Field{field("company_name", "Company", in.CompanyName, "organization", "", func(f *ui.Field) { f.MaxLength = 100 })}
	if numbered[in.Address.Country] {
		p.Company[0].Span = "4"
		p.Company = append(p.Company, field("registration_number", "Registration number", in.RegistrationNumber, "off", "2", func(f *ui.Field) { f.MaxLength = 50 }))
	}
	p.Address = addressFields(in.Address, errs)
	p.Contact = []ui.Field{
		field("first_name", "First name", in.Contact.FirstName, "given-name", "3", func(f *ui.Field) { f.MaxLength = 50 }),
		field("last_name", "Last name", in.Contact.LastName, "family-name", "3", func(f *ui.Field) { f.MaxLength = 50 }),
		field("email", "E-mail", in.Contact.Email, "email", "3", func(f *ui.Field) { f.Type, f.Spellfree = "email", true }),
		field("phone", "Telephone", in.Contact.Phone, "tel", "3", func(f *ui.Field) { f.Type, f.Optional = "tel", true }),
	}
	p.SameSign = same
	p.Signatory = []ui.Field{
		field("signatory_first_name", "First name", in.Signatory.FirstName, "off", "3", func(f *ui.Field) { f.MaxLength = 50 }),
		field("signatory_last_name", "Last name", in.Signatory.LastName, "off", "3", func(f *ui.Field) { f.MaxLength = 50 }),
		field("signatory_email", "E-mail", in.Signatory.Email, "off", "3", func(f *ui.Field) { f.Type, f.Spellfree = "email", true }),
		field("signatory_phone", "Telephone", in.Signatory.Phone, "off", "3", func(f *ui.Field) { f.Type, f.Optional = "tel", true }),
	}
	culture := in.Culture
	options := languages
	if !slices.ContainsFunc(options, func(o ui.Option) bool { return o.Value == culture }) && culture != "" {
		options = append([]ui.Option{{Value: culture, Label: culture}}, options...)
	}
	p.Language = []ui.Field{field("language", "Language of Microsoft's mails and documents", culture, "", "4", func(f *ui.Field) { f.Type, f.Options = "select", options })}
}

// numbered are the countries in which Microsoft wants the registration number.
// https://learn.microsoft.com/partner-center/developer/create-a-customer
var numbered = maps.Collect(func(yield func(string, bool) bool) {
	for _, c := range strings.Fields("AM AZ BY HU KZ KG MD RU TJ UZ UA BR IN ZA PL AE SA TR TH VN MM IQ SS VE") {
		if !yield(c, true) {
			return
		}
	}
})

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// addressFields is an address as its country types it.
func addressFields(a address.Address, errs ui.Errors) []ui.Field {
	values := map[string]string{"line1": a.Line1, "line2": a.Line2, "city": a.City, "state": a.State, "postal_code": a.PostalCode}
	complete := map[string]string{"line1": "address-line1", "line2": "address-line2", "city": "address-level2", "state": "address-level1", "postal_code": "postal-code"}
	span := map[string]string{"line1": "", "line2": "", "city": "3", "state": "3", "postal_code": "2"}
	var list []ui.Field
	for _, x := range address.Fields(a.Country) {
		f := ui.Field{
			ID: x.Name, Label: x.Label, Value: values[x.Name], Optional: !x.Required, Complete: complete[x.Name], Span: span[x.Name],
			MaxLength: 200, Error: errs.For(x.Name),
		}
		if x.Example != "" {
			f.Hint = "For example " + x.Example
		}
		if len(x.Options) > 0 {
			f.Type = "select"
			f.Options = []ui.Option{{Label: "Choose…"}}
			for _, o := range x.Options {
				f.Options = append(f.Options, ui.Option{Value: o.Code, Label: o.Name})
			}
		}
		list = append(list, f)
	}
	return list
}

// askSuggestion stops the wizard at step 5: Microsoft would write the address in
// another way, and the person chooses.
type askSuggestion struct {
	sent, suggested address.Address
}

func (askSuggestion) Error() string { return "Microsoft writes this address differently." }

// keepDetails saves the details and asks Microsoft what it says of them.
func (s *Server) keepDetails(v *visit, d provision.Draft, closing bool) error {
	id := d.Provider.ID
	if d.Tenant != "" {
		return nil
	}
	if err := s.keepTyped(v, id); err != nil {
		return err
	}
	in := detailsOf(v, d, v.r.PostForm)
	choice := v.form("suggestion")
	if choice == "accept" {
		var offered address.Address
		if text := s.sessions.GetString(v.ctx(), "suggestion:"+string(id)); text != "" && json.Unmarshal([]byte(text), &offered) == nil {
			in.Address = offered
		}
	}
	if err := s.Provision.SetDetails(v.ctx(), v.me, id, in); err != nil {
		return err
	}
	s.sessions.Remove(v.ctx(), "details:"+string(id))
	if closing {
		return nil
	}
	c, err := s.Provision.CheckDetails(v.ctx(), v.me, id)
	if err != nil { // ErrAsking among them: the page then waits without an open request
		return err
	}
	wrong := c.Refusals
	if choice == "keep" { // Microsoft may still take it; it is asked again before anything is created
		wrong = slices.DeleteFunc(slices.Clone(wrong), func(r fault.Refusal) bool { return r.Code == "address-unknown" })
	}
	if len(c.Suggestions) > 0 && choice == "" {
		text, err := json.Marshal(c.Suggestions[0])
		if err != nil {
			return err
		}
		s.sessions.Put(v.ctx(), "suggestion:"+string(id), string(text))
		return errors.Join(askSuggestion{sent: in.Address, suggested: c.Suggestions[0]}, orNil(wrong))
	}
	s.sessions.Remove(v.ctx(), "suggestion:"+string(id))
	if len(wrong) > 0 {
		return fault.Refuse(wrong...)
	}
	return nil
}

func orNil(list []fault.Refusal) error {
	list = slices.DeleteFunc(slices.Clone(list), func(r fault.Refusal) bool { return r.Code == "address-unknown" })
	if len(list) == 0 {
		return nil
	}
	return fault.Refuse(list...)
}

// suggest shows step 5 with Microsoft's form of the address beside the typed one.
func (s *Server) suggest(v *visit, d provision.Draft, offer askSuggestion, errs ui.Errors) error {
	w, err := s.wizard(v, d, provision.WizardDetails)
	if err != nil {
		return err
	}
	w.Errors = errs
	p, err := s.detailsStep(v, d, w)
	if err != nil {
		return err
	}
	p.Suggestion = &ui.AddressSuggestion{Sent: address.Format(offer.sent), Suggested: address.Format(offer.suggested)}
	v.part(http.StatusUnprocessableEntity, ui.WizardDetails(p))
	return nil
}

// checking: GET /providers/{id}/checking is asked by a page of step 5 on which
// Microsoft's answer is still awaited. It asks again, then leads on.
func (s *Server) checking(v *visit) error {
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	step := stepPath(d.Provider.ID, provision.WizardDetails)
	c, err := s.Provision.CheckDetails(v.ctx(), v.me, d.Provider.ID)
	switch {
	case errors.Is(err, provision.ErrAsking):
		return v.page(ui.StillChecking(*s.stillChecking(d.Provider.ID)))
	case err == nil && len(c.Refusals) == 0 && len(c.Suggestions) == 0:
		return v.to(stepPath(d.Provider.ID, provision.WizardTerms), "")
	case err != nil && fault.Of(err) == nil:
		return err
	}
	return v.to(step+"?checked=1", "") // there it is said what Microsoft does not take
}

func (s *Server) stillChecking(id provider.ID) *ui.Waiting {
	return &ui.Waiting{Text: "Still checking with Microsoft.", Poll: "/providers/" + string(id) + "/checking"}
}

// askDetails shows step 5 with what Microsoft says of the details that are saved.
func (s *Server) askDetails(v *visit, d provision.Draft) error {
	c, err := s.Provision.CheckDetails(v.ctx(), v.me, d.Provider.ID)
	if errors.Is(err, provision.ErrAsking) {
		return s.showChecking(v, d)
	}
	if err == nil && len(c.Suggestions) > 0 {
		return s.offer(v, d, c)
	}
	if err == nil && len(c.Refusals) > 0 {
		err = fault.Refuse(c.Refusals...)
	}
	errs, _ := errorsOf(err, labels(v), fieldIDs)
	return s.showDraft(v, d, provision.WizardDetails, http.StatusOK, errs)
}

// showChecking shows step 5 while Microsoft's answer is awaited.
func (s *Server) showChecking(v *visit, d provision.Draft) error {
	w, err := s.wizard(v, d, provision.WizardDetails)
	if err != nil {
		return err
	}
	p, err := s.detailsStep(v, d, w)
	if err != nil {
		return err
	}
	p.Checking = s.stillChecking(d.Provider.ID)
	return v.page(ui.WizardDetails(p))
}

// offer keeps Microsoft's form of the address and shows it beside the typed one.
func (s *Server) offer(v *visit, d provision.Draft, c provision.Checked) error {
	text, err := json.Marshal(c.Suggestions[0])
	if err != nil {
		return err
	}
	s.sessions.Put(v.ctx(), "suggestion:"+string(d.Provider.ID), string(text))
	errs, _ := errorsOf(orNil(c.Refusals), labels(v), fieldIDs)
	return s.suggest(v, d, askSuggestion{sent: d.Details.Address, suggested: c.Suggestions[0]}, errs)
}

// checkDomain: GET /providers/{id}/domain?prefix= is the live check below the
// prefix: a fragment, which asks again by itself while Microsoft is slow.
func (s *Server) checkDomain(v *visit) error {
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	prefix := strings.ToLower(strings.TrimSuffix(v.form("prefix"), provision.DomainSuffix))
	if prefix == "" {
		return v.page(ui.DomainCheck(ui.DomainState{}))
	}
	in := d.Details
	in.DomainPrefix = prefix
	return v.page(ui.DomainCheck(s.domainState(v, d.Provider.ID, in)))
}

func (s *Server) domainState(v *visit, id provider.ID, in provision.Details) ui.DomainState {
	c, err := s.Provision.CheckPrefix(v.ctx(), v.me, id, in)
	name := in.DomainPrefix + provision.DomainSuffix
	again := "/providers/" + string(id) + "/domain?" + url.Values{"prefix": {in.DomainPrefix}}.Encode()
	if errors.Is(err, provision.ErrAsking) {
		return ui.DomainState{Tone: ui.ToneWaiting, Text: "Still checking with Microsoft. You can go on typing.", Poll: again}
	}
	if f := fault.Of(err); f != nil {
		return ui.DomainState{Tone: ui.ToneStuck, Text: first(err)}
	}
	if err != nil {
		if v.ctx().Err() == nil {
			s.Log.Error("a domain could not be checked", "request", reference(v.r), "error", err)
		}
		return ui.DomainState{Tone: ui.ToneStuck, Text: "It could not be checked. It is checked again when you continue."}
	}
	for _, r := range c.Refusals {
		if r.Field == "domain_prefix" || r.Field == "domain" {
			return ui.DomainState{Tone: ui.ToneStuck, Text: r.String()}
		}
	}
	return ui.DomainState{Tone: ui.ToneOK, Text: name + " is free."}
}

// contactOf reads the second signatory of the terms step.
func contactOf(v *visit) account.Contact {
	return account.Contact{FirstName: v.form("signer_first"), LastName: v.form("signer_last"), Email: v.form("signer_email")}
}
