package ui

import "time"

// Wizard is the frame of the seven steps of a new provider.
//
// Each step is GET and POST /providers/{id}/wizard/{step}. A POST with then=close
// keeps what is there without refusing anything and redirects to /providers;
// any other saves, checks, and redirects to the next step (303) or answers 422
// with the same page and its Errors.
type Wizard struct {
	Shell  Shell
	ID     string
	Step   string // type, mode, name, account, details, terms, review
	Steps  []WizardStep
	Saved  string // "14:06": when the draft was last kept
	Panel  []Section
	Errors Errors
	Next   Action // label and Off of the button that goes on; the rest is filled in
}

// WizardStep is one step as the list at the left shows it.
type WizardStep struct {
	Key   string
	Title string
	Sub   string // what was chosen
	Break bool   // Sub is a domain
	Done  bool
}

// WizardSteps gives the steps in the documented order. chosen holds what was
// chosen so far by key; a key that is present is done. Keys in without are left
// out (organization mode has no "account").
func WizardSteps(b Brand, chosen map[string]string, without ...string) []WizardStep {
	all := []WizardStep{
		{Key: "type", Title: "Provider type"}, {Key: "mode", Title: "Azure account"}, {Key: "name", Title: "Name"},
		{Key: "account", Title: "Billing account"}, {Key: "details", Title: "Details for Microsoft", Break: true},
		{Key: "terms", Title: "Terms"}, {Key: "review", Title: "Review and create"},
	}
	var out []WizardStep
next:
	for _, s := range all {
		for _, w := range without {
			if w == s.Key {
				continue next
			}
		}
		s.Sub, s.Done = chosen[s.Key], has(chosen, s.Key)
		out = append(out, s)
	}
	return out
}

func has(m map[string]string, k string) bool { _, ok := m[k]; return ok }

func (w Wizard) number() int {
	for i, s := range w.Steps {
		if s.Key == w.Step {
			return i + 1
		}
	}
	return 1
}

func (w Wizard) title() string {
	for _, s := range w.Steps {
		if s.Key == w.Step {
			return s.Title
		}
	}
	return ""
}

func (w Wizard) url(step string) string { return "/providers/" + w.ID + "/wizard/" + step }

func (w Wizard) back() string {
	if n := w.number(); n > 1 {
		return w.url(w.Steps[n-2].Key)
	}
	return "/providers"
}

func (w Wizard) next() Action {
	a := w.Next
	if a.Label == "" {
		a.Label = "Continue"
	}
	a.ID, a.Variant, a.Submit, a.Form = "wizard-next", "primary", true, "wizard"
	return a
}

// Choice is one of the big choices of the first two steps.
type Choice struct {
	Value   string
	Title   string
	Tag     string // "Supported and billed here"
	Text    string
	Good    []string
	Bad     []string
	Off     string // why it cannot be chosen
	Link    Link   // what to do instead
	Icon    string
	Checked bool
}

// WizardTypePage is step 1. Field: type.
type WizardTypePage struct {
	Wizard  Wizard
	Choices []Choice
}

// WizardModePage is step 2. Field: mode ("new" or "existing"; "existing" leads to the representative).
type WizardModePage struct {
	Wizard  Wizard
	Choices []Choice
	Note    *Note // "Contoso already has an Azure customer account: this adds a subscription to it."
}

// WizardNamePage is step 3. Field: name.
type WizardNamePage struct {
	Wizard  Wizard
	Name    Field // ID "name"
	Presets []Preset
}

// Preset is a deployment preset that exists once the provider is ready.
type Preset struct {
	Name    string
	Region  string
	Size    string
	Network string
}

// WizardAccountPage is step 4.
//
// The connect dialog posts user and password to /providers/{id}/connect; 422
// shows the page with ConnectError and the dialog open. The form's fields are
// account (an alias) and budget. "Ask for an exception…" posts kind=exception,
// account, provider and text to /requests.
type WizardAccountPage struct {
	Wizard        Wizard
	Organization  bool   // the organization itself pays: nothing to connect, one account
	Chosen        []Pair // what was chosen so far: label, value
	Connection    *Connection
	ConnectUser   string // kept after a refusal
	ConnectError  string // shown in the dialog, which is then open
	ConnectLink   Link   // e.g. how to find one's account administrator
	Can           []AccountChoice
	Cannot        []AccountChoice
	Budget        Field // ID "budget"; zero: not asked
	AskOff        string
	InviteSubject string // subject of the mail behind "Invite an administrator"
}

// Connection is the proof that this person holds account administrator on the listed accounts.
type Connection struct {
	User    string
	At      string    // "14:06"
	Until   time.Time // counts down on the page
	Left    string    // "12 more minutes"
	Expired bool
}

// AccountChoice is one row of the account picker.
type AccountChoice struct {
	Alias   string
	Name    string
	Where   string // after the name of a refused one: "Denver, CO"
	Facts   string // "1 Lake Shore Drive, Chicago, IL 60601 · 2 providers · parent CTSO"
	Side    string // "Credit limit 40,000.00 USD"
	Checked bool
	Reasons []string // every failing rule, with its remedy; may mark **an ancestor**
	Asked   string   // "Exception asked 20 Nov": then there is no button
	AskedBy Tone     // waiting (default), ok for a granted one, stuck for a declined one
	Note    string   // "CenturyLink answers by 24 Nov, 17:00. You will get a mail."
	NoAsk   bool     // an exception is not possible
}

// WizardDetailsPage is step 5: what Microsoft is told. All fields are posted under their IDs.
//
// Domain's live check is GET /providers/{id}/domain?prefix=, answered with DomainState.
// The suggestion's button posts suggestion=accept with the other fields.
type WizardDetailsPage struct {
	Wizard     Wizard
	Account    string // "CTSE · Contoso East LLC": where the fields were filled from
	Further    *Note  // set when the tenant exists: domain and company are fixed
	Domain     Field  // ID "prefix", Suffix ".onmicrosoft.com"; zero ID: not asked
	DomainNow  DomainState
	Confirmed  bool   // the box "permanent" is ticked; field: permanent
	ConfirmErr string // "Confirm that the prefix is permanent."
	Company    []Field
	Country    string
	Address    []Field // in the country's own order, labels and spans
	Suggestion *AddressSuggestion
	Contact    []Field
	Signatory  []Field
	SameSign   bool // field: same_signatory
	Language   []Field
	Checking   *Waiting // Microsoft has not answered yet
}

// DomainState answers the live check of a domain prefix; it is also the fragment.
type DomainState struct {
	Tone Tone // ok free, stuck taken or malformed, waiting still checking, "" nothing to say
	Text string
	Poll string // URL to ask again in two seconds while Microsoft has not answered
}

// AddressSuggestion is what Microsoft would write instead.
type AddressSuggestion struct {
	Sent      []string // lines
	Suggested []string
}

// WizardTermsPage is step 6. Form fields: accept_partner (the version's id as value).
// Microsoft's agreement lives in its own fragment, see Attestation.
type WizardTermsPage struct {
	Wizard      Wizard
	Microsoft   *Document // instead of Attestation: the tenant exists, and its agreement covers this too. Field: accept_microsoft
	For         string    // "CTSE"
	Document    Document
	Attestation Attestation
}

// Document is the partner's terms.
type Document struct {
	Field       string // name of its box; empty: accept_partner
	Title       string // "CenturyLink Cloud Integration terms"
	Version     string // id posted on acceptance
	Facts       string // "Version 7 · in force since 1 Sep 2026 · United States"
	Sections    []DocSection
	HTML        string // instead of Sections: safe HTML, made by package agreement from the document's own text
	Pages       string // "4 pages"
	AllURL      string
	PDF         string
	Changes     string // "Changed since version 6: section 2."
	CompareURL  string
	AcceptTitle string // "I accept version 7 for Contoso East LLC"
	AcceptText  string // "as Administrator of Contoso, Ltd., with ctso-admin as Account Administrator of CTSE"
	Accepted    bool
	Error       string
}

// DocSection is one numbered part of a document.
type DocSection struct {
	Title      string
	Paragraphs []string
}

// Attestation is Microsoft's agreement. It is a fragment of its own, AttestationPart:
// GET /providers/{id}/attestation?state=open, asked every five seconds while State is
// open or sent; it answers 204 as long as that is still the state, so that nobody loses
// what is being typed. Once accepted the wizard's button works without a reload.
// POST to the same URL starts it, also as an htmx request that wants the fragment:
// signer (me, other), signer_first, signer_last, signer_email, send=1.
type Attestation struct {
	URL        string // of the fragment and of its POST
	Title      string // "Microsoft Customer Agreement"
	Company    string
	State      string // "", open, sent, accepted, expired, direct
	Other      bool   // somebody else signs
	FrameURL   string // Microsoft's page
	FrameLabel string // "Microsoft · agreement attestation"
	First      Field  // ID signer_first …: of the other signatory
	Last       Field
	Email      Field
	Facts      string // accepted: "by Avery Howard on 23 Nov 2026, 14:08"; sent: "to … on …; reminder …"
	ResendOff  string
	Withdraw   *Action // sent: take the invitation back
	Error      string  // why it could not be started
	Public     bool    // on the second signatory's page: no choice of signer
	Second     bool    // there it follows the partner's terms
}

// WizardReviewPage is step 7; its POST creates.
type WizardReviewPage struct {
	Wizard   Wizard
	Groups   []ReviewGroup
	Checks   []Check // preflight: what was asked at Microsoft and here, with its answer
	Note     Note    // how long it takes
	Checking *Waiting
}

// ReviewGroup is a part of what will be created, with a way back to it.
type ReviewGroup struct {
	Title string
	Step  string
	Rows  []KV
}

// SignPage is what the second signatory sees: GET /sign/{token}, no account needed.
// Its attestation fragment is GET /sign/{token}/attestation.
type SignPage struct {
	Brand       Brand
	Company     string
	AskedBy     string // "The Administrator of Contoso, Ltd. (administrator@contoso.example)"
	What        string // "an Azure tenant contosofield.onmicrosoft.com, billed to CTSE"
	Until       string // "20 Dec 2026"
	Document    Document
	Attestation Attestation
	State       string // "", done, declined, expired, withdrawn
	DoneText    string
	// AskPartner: the partner's terms are signed here too, by name: POST /sign/{token} with name and
	// accept_partner (the document's Version). Declining is POST /sign/{token}/decline with why.
	AskPartner bool
	Signed     string // set once that is done: "Signed by … on …"
	Name       Field  // ID "name"
	Errors     Errors
	URL        string // "/sign/{token}"
	MayDecline bool
}

func (d Document) field() string {
	if d.Field == "" {
		return "accept_partner"
	}
	return d.Field
}
