package web

import (
	"fmt"
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/partner"
	"causeway/internal/web/ui"
)

// settingsPage is the frame of a page of settings.
func (s *Server) settingsPage(v *visit, key, title, text, kind string, version int64) (ui.SettingsPage, error) {
	p := ui.SettingsPage{Title: title, Text: text, Action: "/staff/" + key, Version: strconv.FormatInt(version, 10), Off: v.may(account.ActSettingsChange, "")}
	var err error
	if p.Shell, err = s.shell(v, key, title); err != nil {
		return p, err
	}
	p.Saved = "Never saved: these are the defaults."
	history, err := s.Settings.History(v.ctx(), v.me, kind, 5)
	if err != nil || len(history) == 0 {
		return p, err
	}
	var entries []audit.Entry
	for _, h := range history {
		entries = append(entries, audit.Entry{Actor: h.By})
	}
	who, err := s.actors(v, entries)
	if err != nil {
		return p, err
	}
	p.Saved = fmt.Sprintf("Version %d, saved by %s on %s", history[0].Version, who[history[0].By], v.moment(history[0].At))
	var items []string
	for _, h := range history {
		items = append(items, fmt.Sprintf("Version %d · %s · %s", h.Version, v.moment(h.At), who[h.By]))
	}
	p.Panel = []ui.Section{{Title: "Latest versions", Items: items}, {Title: "Nothing is lost", Paragraphs: []string{"Every version is kept, with who saved it and what it was before, in the audit."}, Link: ui.Link{Label: "Audit", Href: "/staff/audit"}}}
	return p, nil
}

// version is the one that the form was made from.
func (v *visit) version() int64 {
	n, err := strconv.ParseInt(v.form("version"), 10, 64)
	if err != nil {
		return -1 // conflicts with every version
	}
	return n
}

// fields makes inputs of settings, from what was typed if there is something.
type fields struct {
	v    *visit
	errs ui.Errors
	sent bool
}

func (f fields) one(id, label, value string, more ...func(*ui.Field)) ui.Field {
	if f.sent && f.v.r.PostForm.Has(id) {
		value = f.v.form(id)
	}
	x := ui.Field{ID: id, Label: label, Value: value, Span: "3", Complete: "off", Error: f.errs.For(id)}
	for _, m := range more {
		m(&x)
	}
	return x
}

func (f fields) check(id, label, text string, on bool) ui.CheckField {
	if f.sent {
		on = f.v.form(id) == "yes"
	}
	return ui.CheckField{ID: id, Label: label, Text: text, On: on}
}

func optional(x *ui.Field) { x.Optional = true }
func wide(x *ui.Field)     { x.Span = "" }
func number(x *ui.Field)   { x.Type, x.Inputmode, x.Span = "number", "numeric", "2" }
func lines(n int) func(*ui.Field) {
	return func(x *ui.Field) { x.Type, x.Rows, x.Span = "textarea", n, "" }
}
func hint(s string) func(*ui.Field) { return func(x *ui.Field) { x.Hint = s } }
func free(x *ui.Field)              { x.Spellfree = true }
func mono(x *ui.Field)              { x.Mono, x.Spellfree = true, true }
func choice(options []ui.Option) func(*ui.Field) {
	return func(x *ui.Field) { x.Type, x.Options = "select", options }
}

// answer shows a page of settings again with what is wrong, or leads back to it.
func (s *Server) answer(v *visit, cause error, to string, show func(ui.Errors) (ui.SettingsPage, error)) error {
	if cause == nil {
		return v.to(to, "Saved. It holds from now on.")
	}
	errs, ok := errorsOf(cause, nil, nil)
	if !ok || fault.KindOf(cause) == fault.Forbidden {
		return cause
	}
	p, err := show(errs)
	if err != nil {
		return err
	}
	p.Errors = errs
	v.part(statusOf(cause), ui.Settings(p))
	return nil
}

// brandTexts are the brand's words in the order of the page.
func brandTexts(b *partner.Brand) []struct {
	id, label, group string
	to               *string
	more             []func(*ui.Field)
} {
	type line = struct {
		id, label, group string
		to               *string
		more             []func(*ui.Field)
	}
	o := []func(*ui.Field){optional}
	return []line{
		{"product", "Product", "Names", &b.Product, nil}, {"partner", "Partner", "Names", &b.Partner, nil},
		{"account_word", "A billing account is called", "Names", &b.AccountWord, nil}, {"account_word_plural", "Several of them", "Names", &b.AccountWordPlural, nil},
		{"account_word_an", "Article before it", "Names", &b.AccountWordAn, []func(*ui.Field){hint("a or an")}}, {"administrator_word", "Its administrator is called", "Names", &b.AdministratorWord, nil},
		{"directory_name", "Where these accounts are kept", "Names", &b.DirectoryName, nil}, {"terms_title", "Title of the terms", "Names", &b.TermsTitle, nil},
		{"type_name", "Provider type", "Wizard and bill", &b.TypeName, nil}, {"mode_new", "Mode: new", "Wizard and bill", &b.ModeNew, nil},
		{"mode_existing", "Mode: existing", "Wizard and bill", &b.ModeExisting, nil}, {"line_label", "Line on the bill", "Wizard and bill", &b.LineLabel, nil},
		{"late_line_label", "Line for earlier months", "Wizard and bill", &b.LateLineLabel, nil},
		{"contact_email", "Contact", "Addresses", &b.ContactEmail, nil}, {"feedback_email", "Wishes for services", "Addresses", &b.FeedbackEmail, o},
		{"contact_url", "A representative's page", "Addresses", &b.ContactURL, o}, {"support_phone", "Telephone for outages", "Addresses", &b.SupportPhone, o},
		{"sign_up_url", "How to get a billing account", "Addresses", &b.SignUpURL, o}, {"privacy_url", "Privacy", "Addresses", &b.PrivacyURL, o},
		{"help_providers_url", "Help: providers", "Addresses", &b.HelpProvidersURL, o}, {"help_roles_url", "Help: roles", "Addresses", &b.HelpRolesURL, o},
		{"help_features_url", "Help: features", "Addresses", &b.HelpFeaturesURL, o},
		{"accent", "Accent, light theme", "Look", &b.Accent, []func(*ui.Field){hint("As #3451d1; at least 4.5:1 on card, canvas, a selected row and under its button text")}},
		{"accent_dark", "Accent, dark theme", "Look", &b.AccentDark, nil},
		{"mail_from_name", "Sender's name", "Mail", &b.MailFromName, o}, {"mail_from_address", "Sender's address", "Mail", &b.MailFromAddress, o},
		{"mail_greeting", "Greeting", "Mail", &b.MailGreeting, nil},
		{"mail_signature", "Signature", "Mail", &b.MailSignature, []func(*ui.Field){optional, lines(3)}},
		{"mail_ready_intro", "Welcome mail: further sentence", "Mail", &b.MailReadyIntro, []func(*ui.Field){optional, lines(3)}},
		{"mail_signatory_intro", "Mail to a signatory: further sentence", "Mail", &b.MailSignatoryIntro, []func(*ui.Field){optional, lines(3)}},
		{"mail_stuck_intro", "Mail about a stuck provider: further sentence", "Mail", &b.MailStuckIntro, []func(*ui.Field){optional, lines(3)}},
	}
}

// brandSettings: GET /staff/brand.
func (s *Server) brandSettings(v *visit) error {
	p, err := s.brandPage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func (s *Server) brandPage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	b := v.brand
	p, err := s.settingsPage(v, "brand", "Brand", "Every word, address and colour that customers see.", "brand", b.Version)
	if err != nil {
		return p, err
	}
	f := fields{v, errs, sent}
	for _, t := range brandTexts(&b) {
		if n := len(p.Groups); n == 0 || p.Groups[n-1].Title != t.group {
			p.Groups = append(p.Groups, ui.FormGroup{Title: t.group})
		}
		g := &p.Groups[len(p.Groups)-1]
		g.Fields = append(g.Fields, f.one(t.id, t.label, *t.to, t.more...))
		if t.id == "accent_dark" {
			g.Fields = append(g.Fields, f.one("mark", "Mark", string(b.Mark), optional, lines(4), hint("An SVG of plain shapes, at most 32 KB. Empty: the built-in one."), func(x *ui.Field) { x.Mono = true }))
		}
	}
	light, dark := b.Accent, b.AccentDark
	p.Preview = &ui.Preview{Light: contrasts(light, [][2]string{{"card", "#ffffff"}, {"canvas", "#f7f8fa"}}), Dark: contrasts(dark, [][2]string{{"card", "#1a1d23"}, {"canvas", "#0f1115"}})}
	return p, nil
}

func contrasts(accent string, grounds [][2]string) []ui.Pair {
	var list []ui.Pair
	for _, g := range grounds {
		if r, err := partner.Contrast(accent, g[1]); err == nil {
			list = append(list, ui.Pair{Name: g[0], Value: fmt.Sprintf("%.1f to 1", r)})
		}
	}
	return list
}

// saveBrand: POST /staff/brand.
func (s *Server) saveBrand(v *visit) error {
	b := v.brand
	for _, t := range brandTexts(&b) {
		if v.r.PostForm.Has(t.id) {
			*t.to = strings.ReplaceAll(v.form(t.id), "\r\n", "\n")
		}
	}
	if v.r.PostForm.Has("mark") {
		b.Mark = []byte(v.form("mark"))
	}
	return s.answer(v, s.setBrand(v, b), "/staff/brand", func(errs ui.Errors) (ui.SettingsPage, error) { return s.brandPage(v, errs, true) })
}

// setBrand saves a brand. The grounds that only the pages know, such as a
// selected row, are asked here.
func (s *Server) setBrand(v *visit, b partner.Brand) error {
	var tinted []fault.Refusal
	if b.Check() == nil {
		for _, e := range (ui.Accent{Light: b.Accent, Dark: b.AccentDark}).Check() {
			tinted = append(tinted, fault.Refusal{Field: map[string]string{"accent_light": "accent", "accent_dark": "accent_dark"}[e.Field], Code: "contrast", Reason: e.Reason, Remedy: e.Remedy})
		}
	}
	if len(tinted) > 0 {
		return fault.Refuse(tinted...)
	}
	return s.Settings.SetBrand(v.ctx(), v.me, v.version(), b)
}

// ruleSettings: GET /staff/eligibility.
func (s *Server) ruleSettings(v *visit) error {
	p, err := s.rulePage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func (s *Server) rulePage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	r := v.rules
	p, err := s.settingsPage(v, "eligibility", "Eligibility and onboarding", "Who may onboard, and how. Every account is judged anew at the next look.", "rules", r.Version)
	if err != nil {
		return p, err
	}
	f := fields{v, errs, sent}
	n := strconv.Itoa
	p.Groups = []ui.FormGroup{
		{Title: "Who may onboard", Fields: []ui.Field{
			f.one("countries", "Countries of billing addresses", strings.Join(r.Countries, ", "), wide, hint("Two-letter codes with commas. Now: "+countryNames(r.Countries)+".")),
			f.one("max_onboardings_per_account_and_day", "Providers per account and day", n(r.PerAccountAndDay), number, hint("0: no limit")),
			f.one("exception_days", "Days that an exception holds", n(r.ExceptionDays), number),
		}, Checks: []ui.CheckField{
			f.check("public_sector", "Public-sector accounts are served", "", r.PublicSector),
			f.check("another_legal_entity_tenant", "An organization may have a tenant per legal entity", "Otherwise one tenant for all of its accounts of one company.", r.AnotherEntityTenant),
		}},
		{Title: "Who pays", Fields: []ui.Field{
			f.one("default_budget", "Budget that the wizard proposes", r.DefaultBudget.Decimal().String(), func(x *ui.Field) { x.Inputmode = "decimal" }),
			f.one("default_budget_currency", "Its currency", string(r.DefaultBudget.Currency()), func(x *ui.Field) { x.Span = "2" }),
		}, Checks: []ui.CheckField{
			f.check("organization_mode", "The organization is the billed party", "There is no connect step, and only Administrators of the organization may create providers. Members see it disabled with the reason.", r.OrganizationMode),
		}},
		{Title: "Agreements and signatures", Fields: []ui.Field{
			f.one("agreement_way", "Microsoft's agreement is accepted", string(r.AgreementWay), func(x *ui.Field) {
				x.Type, x.Options = "select", []ui.Option{{Value: "attestation", Label: "on Microsoft's page, before the tenant exists"}, {Value: "direct", Label: "by the customer at Microsoft's portal"}, {Value: "legacy", Label: "by the partner for the customer"}}
			}),
			f.one("invitation_days", "Days that a signatory's link works", n(r.InvitationDays), number),
			f.one("signatory_reminder_days", "Reminders after days", joinInts(r.SignatoryReminders), hint("With commas: 3, 7, 14")),
			f.one("waiting_reminder_hours", "Hours to a reminder to staff", n(r.WaitingReminderHours), number),
		}},
		{Title: "At Microsoft", Fields: []ui.Field{
			f.one("admin_role", "The customer's administrator becomes", string(r.AdminRole), func(x *ui.Field) {
				x.Type, x.Options = "select", []ui.Option{{Value: "restricted", Label: "Owner without lifting the guardrail"}, {Value: "owner", Label: "plain Owner (the guardrail is advisory)"}}
			}),
			f.one("credential_days", "Days that the first sign-in is kept", n(r.CredentialDays), number),
		}},
		{Title: "When staff answer", Fields: []ui.Field{
			f.one("answer.zone", "Time zone", r.Answer.Zone), f.one("answer.within", "Business days to an answer", n(r.Answer.Within), number),
			f.one("answer.from", "From", r.Answer.From, func(x *ui.Field) { x.Span = "2" }), f.one("answer.to", "To", r.Answer.To, func(x *ui.Field) { x.Span = "2" }),
			f.one("answer.days", "Days of the week", joinInts(weekdays(r.Answer)), hint("0 = Sunday to 6 = Saturday, with commas")),
			f.one("answer.holidays", "Holidays", strings.Join(r.Answer.Holidays, "\n"), optional, lines(3), hint("One a line, like 2026-12-25")),
		}},
	}
	return p, nil
}

func countryNames(codes []string) string {
	names := make([]string, 0, len(codes))
	for _, c := range codes {
		names = append(names, address.CountryName(c))
	}
	return and(names)
}

func weekdays(h partner.Hours) []int {
	var list []int
	for _, d := range h.Days {
		list = append(list, int(d))
	}
	return list
}

func joinInts(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ", ")
}

// numbers reads settings' numbers; what is none is named with its field.
type numbers struct {
	v     *visit
	wrong []fault.Refusal
}

func (n *numbers) one(id, label string, to *int) {
	if !n.v.r.PostForm.Has(id) {
		return
	}
	x, err := strconv.Atoi(n.v.form(id))
	if err != nil {
		n.wrong = append(n.wrong, fault.Refusal{Field: id, Reason: label + " is no number.", Remedy: "Write digits only."})
		return
	}
	*to = x
}

func (n *numbers) list(id, label string, to *[]int) {
	if !n.v.r.PostForm.Has(id) {
		return
	}
	var out []int
	for _, w := range words(n.v.form(id)) {
		x, err := strconv.Atoi(w)
		if err != nil {
			n.wrong = append(n.wrong, fault.Refusal{Field: id, Reason: label + ": “" + w + "” is no number.", Remedy: "Write numbers with commas, like 3, 7, 14."})
			return
		}
		out = append(out, x)
	}
	*to = out
}

// words cuts a text at commas, semicolons and blanks.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) })
}

// saveRules: POST /staff/eligibility.
func (s *Server) saveRules(v *visit) error {
	r := v.rules
	n := &numbers{v: v}
	if v.r.PostForm.Has("countries") {
		r.Countries = nil
		for _, c := range words(v.form("countries")) {
			r.Countries = append(r.Countries, strings.ToUpper(c))
		}
	}
	n.one("max_onboardings_per_account_and_day", "The number of providers a day", &r.PerAccountAndDay)
	n.one("exception_days", "The number of days", &r.ExceptionDays)
	n.one("invitation_days", "The number of days", &r.InvitationDays)
	n.one("waiting_reminder_hours", "The number of hours", &r.WaitingReminderHours)
	n.one("credential_days", "The number of days", &r.CredentialDays)
	n.one("answer.within", "The number of days", &r.Answer.Within)
	n.list("signatory_reminder_days", "The reminders", &r.SignatoryReminders)
	days := weekdays(r.Answer)
	n.list("answer.days", "The days of the week", &days)
	r.Answer.Days = nil
	for _, d := range days {
		r.Answer.Days = append(r.Answer.Days, weekday(d))
	}
	for id, to := range map[string]*string{"answer.zone": &r.Answer.Zone, "answer.from": &r.Answer.From, "answer.to": &r.Answer.To} {
		if v.r.PostForm.Has(id) {
			*to = v.form(id)
		}
	}
	if v.r.PostForm.Has("answer.holidays") {
		r.Answer.Holidays = words(v.form("answer.holidays"))
	}
	r.PublicSector, r.AnotherEntityTenant, r.OrganizationMode = v.form("public_sector") == "yes", v.form("another_legal_entity_tenant") == "yes", v.form("organization_mode") == "yes"
	r.AgreementWay, r.AdminRole = partner.AgreementWay(v.form("agreement_way")), partner.AdminRole(v.form("admin_role"))
	budget, err := money.Parse(strings.ReplaceAll(v.form("default_budget"), ",", ""), money.Currency(strings.ToUpper(v.form("default_budget_currency"))))
	if err != nil {
		n.wrong = append(n.wrong, fault.Refusal{Field: "default_budget", Reason: "The proposed budget is not an amount.", Remedy: "Write it like 2500.00, and a currency like USD."})
	}
	r.DefaultBudget = budget
	if len(n.wrong) > 0 {
		err = fault.Refuse(n.wrong...)
	} else {
		err = s.Settings.SetRules(v.ctx(), v.me, v.version(), r)
	}
	return s.answer(v, err, "/staff/eligibility", func(errs ui.Errors) (ui.SettingsPage, error) { return s.rulePage(v, errs, true) })
}

// microsoftTexts are who the partner is at Microsoft.
func microsoftTexts(m *partner.Microsoft) []struct {
	id, label, group string
	to               *string
} {
	type line = struct {
		id, label, group string
		to               *string
	}
	return []line{
		{"tenant", "Tenant id", "The partner", &m.Tenant}, {"app_id", "Application id", "The partner", &m.AppID},
		{"mpn_id", "Partner location id", "The partner", &m.MPNID}, {"gdap_group", "Security group for delegated access", "The partner", &m.GDAPGroup},
		{"country", "Country of the program tenant", "The partner", &m.Country}, {"domain_suffix", "Suffix of customers' domains", "The partner", &m.DomainSuffix},
		{"login_url", "Sign-in", "Addresses", &m.LoginURL}, {"partner_center_url", "Partner Center", "Addresses", &m.PartnerCenterURL},
		{"graph_url", "Graph", "Addresses", &m.GraphURL}, {"arm_url", "Azure Resource Manager", "Addresses", &m.ARMURL},
		{"attestation_url", "Attestation page", "Addresses", &m.AttestationURL}, {"portal_url", "Azure portal", "Addresses", &m.PortalURL},
	}
}

// microsoftSettings: GET /staff/microsoft.
func (s *Server) microsoftSettings(v *visit) error {
	p, err := s.microsoftPage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func (s *Server) microsoftPage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	m, err := s.Settings.Microsoft(v.ctx())
	if err != nil {
		return ui.SettingsPage{}, err
	}
	p, err := s.settingsPage(v, "microsoft", "Microsoft", "Who the partner is at Microsoft, and where Microsoft is. Secrets are not here: they are connected with `causeway partner connect`.", "microsoft", m.Version)
	if err != nil {
		return p, err
	}
	p.Text = strings.ReplaceAll(p.Text, "`", "")
	f := fields{v, errs, sent}
	for _, t := range microsoftTexts(&m) {
		if n := len(p.Groups); n == 0 || p.Groups[n-1].Title != t.group {
			p.Groups = append(p.Groups, ui.FormGroup{Title: t.group})
			if t.group == "Addresses" {
				p.Groups[n].Text = "Empty: Microsoft's own. A change of these holds after the next start."
			}
		}
		g := &p.Groups[len(p.Groups)-1]
		g.Fields = append(g.Fields, f.one(t.id, t.label, *t.to, optional, free))
	}
	return p, nil
}

// saveMicrosoft: POST /staff/microsoft.
func (s *Server) saveMicrosoft(v *visit) error {
	m, err := s.Settings.Microsoft(v.ctx())
	if err != nil {
		return err
	}
	for _, t := range microsoftTexts(&m) {
		if v.r.PostForm.Has(t.id) {
			*t.to = v.form(t.id)
		}
	}
	return s.answer(v, s.Settings.SetMicrosoft(v.ctx(), v.me, v.version(), m), "/staff/microsoft", func(errs ui.Errors) (ui.SettingsPage, error) { return s.microsoftPage(v, errs, true) })
}
