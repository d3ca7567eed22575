package ui

// StaffHomePage is GET /staff: what needs somebody.
type StaffHomePage struct {
	Shell    Shell
	Figures  []Figure // open onboardings, stuck, requests to decide, customers
	Stuck    []OnboardingRow
	Requests []RequestRow
	Health   []Check // what `causeway doctor` found: partner token with MFA, webhooks, GDAP group, …
	HealthAt string
	Events   []LogLine
}

// CustomersPage is GET /staff/customers?q=.
type CustomersPage struct {
	Shell  Shell
	Filter Filter
	Rows   []CustomerRow
	Foot   Foot
}

// CustomerRow is one organization.
type CustomerRow struct {
	Name      string
	Href      string
	Domain    string // first tenant's
	Tenants   int
	Providers int
	State     State // worst of its providers; empty: none
	Line      string
	Accounts  string // "CTSO, CTSE"
	Since     string
}

// OnboardingsPage is GET /staff/onboardings?state=&after=, and with a Sheet GET /staff/onboardings/{id}.
type OnboardingsPage struct {
	Shell  Shell
	Text   string // "9 open. 2 stuck, the oldest for 3 h 12 min; the target is an answer within 4 h."
	Filter Filter
	Rows   []OnboardingRow
	Foot   Foot
	Limits []LimitRow
	Sheet  *OnboardingSheet
	List   string // URL of the list without the sheet
}

// LimitRow is one of Microsoft's limits, as it was learned.
type LimitRow struct {
	Name     string // "Microsoft Partner Center, orders and carts"
	Sub      string // whose limit it is
	Limit    string // "160 a minute"; "" = not known yet
	Spent    int
	Of       int
	Waiting  int
	Estimate string // until the last of them has its turn
	Opens    string // "Closed until 13:42:10"
	Next     string // who goes next
	NextHref string
}

// OnboardingRow is one onboarding.
type OnboardingRow struct {
	ID       string
	Provider string
	Customer string
	State    State
	Step     string // stable step name: customer
	Reason   string // "domain taken between check and creation"
	Account  string
	Age      string // in this state
	Started  string
	Owner    string // who took it over
	Selected bool
}

// OnboardingSheet is the side sheet of one onboarding: what is stuck, why, what
// exists at Microsoft, what to do.
//
// POST /staff/onboardings/{id}/edit with the fields' IDs (and then=check or then=send),
// /retry, /take, /cancel (field reason).
type OnboardingSheet struct {
	ID        string
	Provider  string
	State     State
	Sub       string // "Tailspin Toys · account TSPT · 3 h 12 min at step **customer**"
	Rows      []KV   // Field, Reason, Remedy, Exists at Microsoft, Waits on this
	Exchange  *Exchange
	EditTitle string // "New prefix"
	Edit      []Field
	EditState DomainState
	Check     bool   // a button "Check" beside the field
	EditLabel string // "Send to customer"
	EditOff   string
	History   []LogLine
	RetryOff  string // "Try again is off: the same prefix would be refused again."
	Take      bool   // offer "Take over"
	CancelOff string
	Cancel    CancelInfo
	Error     string
	Page      string // URL of the provider's page
}

// StaffRequestsPage is GET /staff/requests?state=, and with ?open={id} the sheet of one.
// POST /staff/requests/{id}/decide: decision (grant, decline), reason, until (YYYY-MM-DD).
type StaffRequestsPage struct {
	Shell  Shell
	Text   string
	Filter Filter
	Rows   []RequestRow
	Foot   Foot
	Sheet  *RequestSheet
	List   string
}

// RequestSheet is one request with all that a decision needs.
type RequestSheet struct {
	ID      string
	Title   string
	State   State
	Sub     string
	Text    string // what the customer wrote
	Rows    []KV
	Reasons []string // failing rules that a grant would lift
	Account []KV
	History []LogLine
	Decide  bool // undecided, and this person may
	Off     string
	Reason  Field // ID "reason"
	Until   Field // ID "until", Type "date"
	Errors  Errors
}

// FormGroup is a titled part of a settings page.
type FormGroup struct {
	Title  string
	Text   string
	Fields []Field
	Checks []CheckField
}

// CheckField is one checkbox.
type CheckField struct {
	ID    string
	Name  string // default: ID; the same name for a list of values
	Value string // default: "yes"
	Label string
	Text  string
	On    bool
	Off   string // why it cannot be changed
}

// SettingsPage is /staff/brand and /staff/eligibility: GET and POST, fields by their IDs; version is the
// one that was read, so that two people cannot overwrite each other (409 shows the page with Errors).
type SettingsPage struct {
	Shell   Shell
	Crumbs  []Link
	Actions []Action // beside the title
	Dialogs []FormDialog
	Title   string
	Text    string
	Action  string // where the form posts to
	Version string
	Button  string // "" = Save
	Saved   string // "Version 4, saved by owner@partner.example on 20 Nov 2026, 11:02"
	Groups  []FormGroup
	Errors  Errors
	Off     string // why this person may only look
	Preview *Preview
	Panel   []Section
}

// Preview shows a brand's accent as it is now.
type Preview struct {
	Light []Pair // ground, contrast: "card", "6.5 to 1"
	Dark  []Pair
}

// AgreementsPage is GET /staff/agreements. "New version…" posts country, title, version, from (YYYY-MM-DD), text to it.
type AgreementsPage struct {
	Shell  Shell
	Rows   []AgreementRow
	Foot   Foot
	New    AgreementForm
	Notice Note
}

// AgreementRow is one version of a document.
type AgreementRow struct {
	Title    string
	Country  string
	Version  string
	From     string
	State    State // ready: in force; draft: to come; expired: replaced
	Word     string
	Accepted string // "214 accounts"
	Hash     string
	Href     string
}

// AgreementForm is the dialog of a new version.
type AgreementForm struct {
	Open   bool
	Off    string
	Fields []Field
	Errors Errors
}

// AuditPage is GET /staff/audit?q=&from=&until=.
type AuditPage struct {
	Shell  Shell
	Filter Filter
	Chain  Note // whether the chain of hashes is whole
	Rows   []AuditRow
	Foot   Foot
}

// AuditRow is one entry.
type AuditRow struct {
	At     string
	ISO    string
	Who    string
	Via    string // portal, API, CLI, platform
	Act    string // "Exception granted"
	What   string // "account CTUK"
	Where  string // organization
	Number string // in its chain
	Hash   string // first digits
}
