package partner

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"causeway/internal/fault"
	"causeway/internal/store"
)

// Brand is every word, address and colour that a customer sees and a partner
// may want to be its own.
type Brand struct {
	Version int64 `json:"version"` // set when read; 0 = the default, never saved

	Product            string `json:"product"`             // "Cloud Application Manager"
	Partner            string `json:"partner"`             // "CenturyLink"
	AccountWord        string `json:"account_word"`        // "CLC Account": the billing account
	AccountWordPlural  string `json:"account_word_plural"` // "CLC Accounts"
	AccountWordAn      string `json:"account_word_an"`     // "a" or "an", before AccountWord
	AdministratorWord  string `json:"administrator_word"`  // "Account Administrator"
	DirectoryName      string `json:"directory_name"`      // where these accounts are kept: "CenturyLink Cloud"
	TypeName           string `json:"type_name"`           // "Azure Resource Manager"
	ModeNew            string `json:"mode_new"`            // "Create a new Azure customer account"
	ModeExisting       string `json:"mode_existing"`       // "Use an existing Azure customer account"
	LineLabel          string `json:"line_label"`          // on the bill: "Integrated Azure Services Usage"
	LateLineLabel      string `json:"late_line_label"`     // on the bill, for earlier months: "Update to previous month"
	TermsTitle         string `json:"terms_title"`         // "CenturyLink Cloud Integration terms"
	ContactEmail       string `json:"contact_email"`       // special considerations, requests
	FeedbackEmail      string `json:"feedback_email"`      // wishes for further services; "" = ContactEmail
	ContactURL         string `json:"contact_url"`         // a representative's page; "" = by mail
	SupportPhone       string `json:"support_phone"`       // "" = none
	SignUpURL          string `json:"sign_up_url"`         // how to get a billing account; "" = through ContactEmail
	HelpProvidersURL   string `json:"help_providers_url"`  // "" = the portal's own help
	HelpRolesURL       string `json:"help_roles_url"`      // "" = the portal's own help
	HelpFeaturesURL    string `json:"help_features_url"`   // "" = the portal's own help
	PrivacyURL         string `json:"privacy_url"`         // "" = no link
	Accent             string `json:"accent"`              // light theme, #rrggbb
	AccentDark         string `json:"accent_dark"`         // dark theme
	Mark               []byte `json:"mark"`                // SVG, at most 32 KB; empty = the built-in one
	MailFromName       string `json:"mail_from_name"`      // "" = Product
	MailFromAddress    string `json:"mail_from_address"`   // "" = ContactEmail
	MailGreeting       string `json:"mail_greeting"`       // before the name: "Hello"
	MailSignature      string `json:"mail_signature"`      // last lines of each mail; "" = Product and Partner
	MailReadyIntro     string `json:"mail_ready_intro"`    // further sentence of the welcome mail; "" = none
	MailSignatoryIntro string `json:"mail_signatory_intro"`
	MailStuckIntro     string `json:"mail_stuck_intro"`
}

// DefaultBrand is the neutral one: it names no company.
func DefaultBrand() Brand {
	return Brand{
		Product: "Causeway", Partner: "your cloud partner",
		AccountWord: "billing account", AccountWordPlural: "billing accounts", AccountWordAn: "a",
		AdministratorWord: "account administrator", DirectoryName: "the billing directory",
		TypeName: "Microsoft Azure", ModeNew: "Create a new Azure account", ModeExisting: "Use an Azure account that exists",
		LineLabel: "Azure services", LateLineLabel: "Update to previous month", TermsTitle: "Cloud services terms",
		ContactEmail: "cloud@partner.example",
		Accent:       "#3451d1", AccentDark: "#9db0ff", MailGreeting: "Hello",
	}
}

// SeedBrand is the brand of the demo: the words of the document that the
// product was asked for with.
func SeedBrand() Brand {
	b := DefaultBrand()
	b.Product, b.Partner = "Cloud Application Manager", "CenturyLink"
	b.AccountWord, b.AccountWordPlural, b.AccountWordAn = "CLC Account", "CLC Accounts", "a"
	b.AdministratorWord, b.DirectoryName = "Account Administrator", "CenturyLink Cloud"
	b.TypeName, b.ModeNew = "Azure Resource Manager", "Create a new Azure customer account"
	b.ModeExisting = "Use an existing Azure customer account"
	b.LineLabel, b.LateLineLabel = "Integrated Azure Services Usage", "Update to previous month"
	b.TermsTitle = "CenturyLink Cloud Integration terms"
	b.ContactEmail, b.FeedbackEmail = "cloudintegration@ctl.io", "CloudIntegration-feedback@ctl.io"
	b.SignUpURL = "https://www.ctl.io/free-trial/"
	return b
}

// clone keeps two readers from sharing the mark's bytes.
func (b Brand) clone() Brand {
	b.Mark = slices.Clone(b.Mark)
	return b
}

// An is the billing account's word with its article: "a CLC Account".
func (b Brand) An() string { return strings.TrimSpace(b.AccountWordAn + " " + b.AccountWord) }

// PartnerTitle is the partner's name at the start of a sentence.
func (b Brand) PartnerTitle() string { return capital(b.Partner) }

// AccountTitle is the billing account's word at the start of a sentence.
func (b Brand) AccountTitle() string { return capital(b.AccountWord) }

// From is the name and address that mail comes from.
func (b Brand) From() mail.Address {
	f := mail.Address{Name: b.MailFromName, Address: b.MailFromAddress}
	if f.Name == "" {
		f.Name = b.Product
	}
	if f.Address == "" {
		f.Address = b.ContactEmail
	}
	return f
}

// Feedback is where wishes for further services go.
func (b Brand) Feedback() string {
	if b.FeedbackEmail != "" {
		return b.FeedbackEmail
	}
	return b.ContactEmail
}

// Signature ends each mail.
func (b Brand) Signature() string {
	if b.MailSignature != "" {
		return b.MailSignature
	}
	return b.Product + "\n" + capital(b.Partner)
}

func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return strings.ToUpper(string(r)) + s[n:]
}

// Check names everything that is wrong with the brand at once.
func (b Brand) Check() error {
	var all refusals
	for _, f := range []struct {
		field, name, value string
		most               int
	}{
		{"product", "The product's name", b.Product, 60},
		{"partner", "The partner's name", b.Partner, 60},
		{"account_word", "The word for a billing account", b.AccountWord, 40},
		{"account_word_plural", "The word for billing accounts", b.AccountWordPlural, 40},
		{"administrator_word", "The word for an account administrator", b.AdministratorWord, 40},
		{"directory_name", "The name of the account directory", b.DirectoryName, 60},
		{"type_name", "The provider type's name", b.TypeName, 60},
		{"mode_new", "The label of the mode “new”", b.ModeNew, 80},
		{"mode_existing", "The label of the mode “existing”", b.ModeExisting, 80},
		{"line_label", "The label of the bill's line", b.LineLabel, 80},
		{"late_line_label", "The label of the line for earlier months", b.LateLineLabel, 80},
		{"terms_title", "The title of the terms", b.TermsTitle, 80},
		{"mail_greeting", "The mail's greeting", b.MailGreeting, 40},
	} {
		if strings.TrimSpace(f.value) == "" {
			all.add(f.field, f.name+" is empty.", "Fill it in.")
		}
		all.line(f.field, f.name, f.value, f.most)
	}
	all.line("account_word_an", "The article", b.AccountWordAn, 5)
	all.line("support_phone", "The phone number", b.SupportPhone, 40)
	all.line("mail_from_name", "The sender's name", b.MailFromName, 60)
	all.text("mail_signature", "The mail's signature", b.MailSignature, 500)
	all.text("mail_ready_intro", "The welcome mail's sentence", b.MailReadyIntro, 1000)
	all.text("mail_signatory_intro", "The signatory mail's sentence", b.MailSignatoryIntro, 1000)
	all.text("mail_stuck_intro", "The sentence about a stuck provider", b.MailStuckIntro, 1000)
	if b.ContactEmail == "" {
		all.add("contact_email", "The contact address is empty.", "Give an address that people answer from.")
	}
	all.email("contact_email", "The contact address", b.ContactEmail)
	all.email("feedback_email", "The feedback address", b.FeedbackEmail)
	all.email("mail_from_address", "The sender's address", b.MailFromAddress)
	all.link("contact_url", "The contact link", b.ContactURL)
	all.link("sign_up_url", "The sign-up link", b.SignUpURL)
	all.link("help_providers_url", "The help link for providers", b.HelpProvidersURL)
	all.link("help_roles_url", "The help link for roles", b.HelpRolesURL)
	all.link("help_features_url", "The help link for features", b.HelpFeaturesURL)
	all.link("privacy_url", "The privacy link", b.PrivacyURL)
	if r, ok := accentRefusal("accent", b.Accent, lightGrounds, "Choose a darker tone."); !ok {
		all = append(all, r)
	}
	if r, ok := accentRefusal("accent_dark", b.AccentDark, darkGrounds, "Choose a lighter tone."); !ok {
		all = append(all, r)
	}
	if reason := markFault(b.Mark); reason != "" {
		all.add("mark", reason, "Save it as plain SVG with shapes only, at most 32 KB.")
	}
	return all.err()
}

// refusals collects what is wrong, so that all is said at once.
type refusals []fault.Refusal

func (r *refusals) add(field, reason, remedy string) {
	*r = append(*r, fault.Refusal{Field: field, Reason: reason, Remedy: remedy})
}

func (r *refusals) err() error {
	if len(*r) == 0 {
		return nil
	}
	return fault.Refuse(*r...)
}

// line allows one line of text.
func (r *refusals) line(field, name, value string, most int) {
	if strings.ContainsAny(value, "\r\n\t") {
		r.add(field, name+" holds a line break.", "Write it on one line.")
		return
	}
	r.text(field, name, value, most)
}

func (r *refusals) text(field, name, value string, most int) {
	if store.CheckText(field, value) != nil {
		r.add(field, name+" holds characters that cannot be stored.", "Type it again instead of pasting it.")
		return
	}
	if n := utf8.RuneCountInString(value); n > most {
		r.add(field, fmt.Sprintf("%s has %d characters.", name, n), fmt.Sprintf("Use at most %d.", most))
	}
}

func (r *refusals) email(field, name, value string) {
	if value == "" {
		return
	}
	a, err := mail.ParseAddress(value)
	if err != nil || a.Address != value || len(value) > 254 || strings.ContainsAny(value, "\r\n") || store.CheckText(field, value) != nil {
		r.add(field, name+" is not an e-mail address.", "Write it like name@company.example.")
	}
}

func (r *refusals) link(field, name, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(value) > 500 || store.CheckText(field, value) != nil {
		r.add(field, name+" is not a web address.", "Write it like https://company.example/help.")
	}
}
