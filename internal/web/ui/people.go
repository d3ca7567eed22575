package ui

// SignInPage is GET and POST /signin: fields email, password, next.
type SignInPage struct {
	Brand     Brand
	Email     string
	Next      string
	Error     string // "E-mail or password is wrong." or how long to wait after too many tries
	Note      *Note  // e.g. signed out, session ended
	Simulated string
	Demo      []DemoSignIn // demo only: one sign-in of each role
}

// DemoSignIn fills the form with one click; only the demo has any.
type DemoSignIn struct {
	Role     string
	Email    string
	Password string
}

// RequestsPage is GET /requests: what this organization asked for. ?new=exception|service|… opens the dialog.
// POST /requests: kind, account, provider, text.
type RequestsPage struct {
	Shell  Shell
	Filter Filter
	Rows   []RequestRow
	Foot   Foot
	New    RequestForm
}

// RequestRow is one request with its answer.
type RequestRow struct {
	ID      string
	Title   string // "Exception for CTUK · Contoso UK Ltd."
	Under   string // "Asked by administrator@contoso.example"
	State   State
	Line    string // "Answer by 24 Nov, 17:00"; or the decision's reason
	Note    string // "Valid until 31 Dec 2026"
	Asked   string
	Actions []Action
	Href    string // staff: opens the sheet
	Who     string // staff: customer
}

// RequestForm is the dialog of a new request.
type RequestForm struct {
	Open    bool
	Kinds   []Option
	Kind    string
	Account Select // accounts it may be about
	Text    string
	Error   string
	Off     string
}

// AccountsPage is GET /accounts: the billing accounts that this organization knows.
type AccountsPage struct {
	Shell  Shell
	Filter Filter
	Rows   []AccountRow
	Foot   Foot
}

// AccountRow is one billing account.
type AccountRow struct {
	Alias     string
	Name      string
	Where     string // "Chicago, IL, United States"
	Parent    string
	Providers int
	Limit     string // "40,000.00 USD"
	Allowed   bool
	Reasons   []string
	Asked     string // "Exception granted until …"
}

// AccountPage is GET /accounts/{alias}: the association seen from the account's side.
type AccountPage struct {
	Shell          Shell
	Alias          string
	Name           string
	Allowed        bool
	Reasons        []string // all failing rules
	Exception      *Note
	AskOff         string
	Facts          []KV
	Ancestors      []Link // from the top down; the last is the account itself
	Administrators []KV
	Pays           []AssociationOf
	Receipts       []Receipt
	Budgets        *BudgetBar
}

// AssociationOf is what an account pays for.
type AssociationOf struct {
	Provider string
	Href     string
	Domain   string
	Tenant   string
	Sub      string // subscription id; empty: the whole tenant
	From     string
	Until    string
	State    State
}

// BudgetBar compares the budgets of an account's subscriptions with its credit limit.
type BudgetBar struct {
	Percent int
	Taken   string // "12,400.00 USD of 40,000.00 USD"
	Note    string
}

// PeoplePage is GET /people: who is in the organization, and what each role may.
type PeoplePage struct {
	Shell   Shell
	Rows    []PersonRow
	Foot    Foot
	Actions []Action
	Roles   []RoleRow
	Change  bool         // there is a column for the rows' Actions
	Forms   []FormDialog // opened by an Action{Dialog: ID}: invite (POST /people), own password (POST /people/password), change a role
}

// FormDialog is a small form in a dialog; it is open when Open is set or it was refused.
type FormDialog struct {
	ID     string
	Title  string
	Text   string
	Action string // where it posts to
	Hidden []Pair
	Fields []Field
	Errors Errors
	Button string
	Busy   string
	Danger bool
	Open   bool
}

// PersonRow is one user.
type PersonRow struct {
	Email   string
	Role    string
	State   string // "Active", "Invited"
	Tone    Tone
	Last    string // last sign-in
	You     bool
	Actions []Action
}

// RoleRow says what a role may do.
type RoleRow struct {
	Role string
	May  string
	Not  string
}

// ServicesPage is GET /services?q=&category=: the guardrail's catalogue (C-33).
// Asking for one is POST /requests with kind=service, service and text.
type ServicesPage struct {
	Shell    Shell
	Filter   Filter
	Title    string // "Azure services offered"
	Version  string // "Version 12, in force since 1 Oct 2026"
	Figures  []Figure
	Open     *Note // set when nothing is restricted
	Groups   []ServiceGroup
	Regions  []string
	Sizes    []string
	Foot     Foot
	CanAsk   bool
	Feedback string // address for wishes
}

// ServiceGroup is one category.
type ServiceGroup struct {
	Title string
	Rows  []ServiceRow
}

// ServiceRow is one Azure service.
type ServiceRow struct {
	Name    string
	Type    string // Microsoft.Compute/virtualMachines
	Allowed bool
	Reason  string // why not, or a limit
	Support string // "Platform support"
}

// HelpPage is GET /help; Public for people who are not signed in.
type HelpPage struct {
	Shell    Shell
	Public   bool
	Rules    []string // who may onboard, one sentence each
	Roles    []RoleRow
	InScope  []string // support: in
	OutScope []string
	Phones   []Pair // region, number: for critical outages
}

// ErrorPage answers 403, 404, 500 and the like. Shell is nil for people who are not signed in.
type ErrorPage struct {
	Brand     Brand
	Shell     *Shell
	Code      int
	Title     string
	Text      string
	Actions   []Action
	Reference string // request id, to quote
}

// NotFound is the page for what does not exist, or is somebody else's.
func NotFound(b Brand, s *Shell) ErrorPage {
	return ErrorPage{Brand: b, Shell: s, Code: 404, Title: "There is nothing here",
		Text:    "The address is mistyped, or what it named is gone or belongs to somebody else.",
		Actions: []Action{{Label: "Go to Providers", Href: "/providers", Variant: "primary"}}}
}

// Forbidden is the page for what this person may not do; reason says who may.
func Forbidden(b Brand, s *Shell, reason string) ErrorPage {
	return ErrorPage{Brand: b, Shell: s, Code: 403, Title: "Your role does not allow this", Text: reason,
		Actions: []Action{{Label: "See people and roles", Href: "/people", Variant: "primary"}}}
}

// Broken is the page for our own faults; nothing of the cause is shown.
func Broken(b Brand, s *Shell, reference string) ErrorPage {
	return ErrorPage{Brand: b, Shell: s, Code: 500, Title: "Something broke on our side", Reference: reference,
		Text:    "It was recorded. Running work is not affected and goes on by itself. Try again in a minute; if it stays, send us the reference below.",
		Actions: []Action{{Label: "Go to Providers", Href: "/providers", Variant: "primary"}}}
}

func (p AccountPage) headActions() []Action {
	if p.Allowed {
		return nil
	}
	return []Action{{ID: "ask-exception", Label: "Ask for an exception", Href: "/requests?new=exception&account=" + p.Alias, Off: p.AskOff}}
}
