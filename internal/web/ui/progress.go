package ui

import "time"

// ProgressPage is GET /providers/{id} while the provider is being made.
type ProgressPage struct {
	Shell    Shell
	Progress Progress
}

// Progress is all that is live. The page renders it as
//
//	Progressing(page) ⊃ ProgressPanel (GET /providers/{id}/panel) ⊃ ProgressBody (each event of /providers/{id}/events)
//
// Each message of the event stream is ProgressBody, whole. "event: done" ends the
// stream; the page then fetches the panel, which by then is the ready provider
// (ProviderPanel), a stuck one or a cancelled one (ProgressPanel with Live false).
type Progress struct {
	ID         string
	Name       string
	State      State
	Sub        string // "Azure Resource Manager · billed to CTSE, Contoso East LLC"
	Actions    []Action
	Crumbs     []Link
	Live       bool // connect to the stream
	Step       int  // 1–5: the step that is at work
	Of         int  // 5
	Doing      string
	Started    time.Time
	Ended      bool   // Elapsed does not tick
	Elapsed    string // FormatSpan since Started
	ToGo       string // "8 to 20 min", from measured runs; "longer than usual" past it; empty: none
	Percent    int    // never 100 while it runs
	Note       *Note
	Steps      []Step
	Log        []LogLine
	LogAll     Link
	Panel      []Section
	SoFar      []KV
	Said       string // spoken once when it changes: "Step 3 of 5 done: subscription created"
	CancelInfo *CancelInfo
	Fix        *FixForm // a stuck one that this person can correct
}

// Step is one of the seed's five.
type Step struct {
	Title string
	State StepState
	Took  string    // "41 s"; what remains for a later one: "about 1 min"
	Since time.Time // of the one at work: ticks on the page
	Facts []string  // what was done, short
	Subs  []Sub
}

// Sub is what happens inside a step.
type Sub struct {
	Title string
	State StepState
	Text  string
	Took  string
	Since time.Time
}

// StepState of a step or a sub-step.
type StepState string

// The states of a step.
const (
	StepDone    StepState = "done"
	StepRunning StepState = "running"
	StepWaiting StepState = "waiting" // for Microsoft or a person; nothing is wrong
	StepStuck   StepState = "stuck"
	StepLater   StepState = "later"
)

func (s StepState) tone() Tone {
	switch s {
	case StepDone:
		return ToneOK
	case StepRunning:
		return ToneRunning
	case StepWaiting:
		return ToneWaiting
	case StepStuck:
		return ToneStuck
	default:
		return ToneDraft
	}
}

func (s StepState) icon() string {
	switch s {
	case StepDone:
		return "circle-check"
	case StepRunning:
		return "loader-circle"
	case StepWaiting:
		return "hourglass"
	case StepStuck:
		return "circle-alert"
	default:
		return "circle-dashed"
	}
}

func (s StepState) word() string {
	switch s {
	case StepDone:
		return "done"
	case StepRunning:
		return "in progress"
	case StepWaiting:
		return "waiting"
	case StepStuck:
		return "stuck"
	default:
		return "not started"
	}
}

// CancelInfo fills the dialog "Cancel…": POST /providers/{id}/cancel, field confirm = the
// provider's name if Type is set (only for what cannot be undone).
type CancelInfo struct {
	Lost  []string // what is lost
	Kept  []string // what stays
	Told  string   // who is told
	Type  bool
	Error string
}

// FixForm lets the customer correct what Microsoft refused: POST /providers/{id}/fix with the fields' IDs.
type FixForm struct {
	Title  string
	Fields []Field
	Button string // "Correct address"
}

// ProviderPage is GET /providers/{id}?tab= of a provider that is ready.
type ProviderPage struct {
	Shell    Shell
	Provider ProviderView
}

// ProviderView answers how to get in, who else can, and who pays.
type ProviderView struct {
	ID         string
	Name       string
	State      State
	Sub        string // "Azure Resource Manager · since 18 Nov 2026 · billed to CTSO, Contoso, Ltd."
	PortalURL  string // deep link into the Azure portal
	PortalHint string // what to do if the browser is signed in with another account
	AddOff     string // why no subscription can be added; POST /providers/new with tenant={id}
	Menu       []Action
	Tabs       []Tab
	Tab        string // overview (default), access, guardrail, log
	Scope      string // "Supported and billed by CenturyLink"
	Azure      []KV
	CopyAll    string
	Related    []SubscriptionRow // the subscriptions of the same tenant
	History    []AssociationRow  // who paid when
	Grants     []Grant
	GrantsAt   string // "Compared with Azure 11 minutes ago"
	GrantsTag  State  // ready: equal; stuck: differs
	GrantsWord string // "Equal", "1 difference"
	Guardrail  GuardrailView
	SignIn     *FirstSignIn
	Receipts   []Receipt
	Presets    []Preset
	Latest     []Pair // what changed: text, day
	Log        []LogLine
	LogFoot    Foot
	Notes      []Note
	CancelInfo *CancelInfo
	CancelOff  string // why this person may not cancel
}

// SubscriptionRow is a subscription and the provider that stands for it.
type SubscriptionRow struct {
	Name     string
	ID       string // Azure's
	Href     string // its provider; empty: this page
	State    State
	Account  string
	Since    string
	NameDiff string // "At Azure it is called …", if the names drifted apart
}

// AssociationRow says who pays from which UTC day.
type AssociationRow struct {
	Account string
	Href    string
	What    string // "Tenant", "Subscription Contoso production"
	From    string // "18 Nov 2026, 00:00 UTC"
	Until   string // empty: still
	By      string
}

// Grant is one access to the customer's Azure, and why it is there.
type Grant struct {
	Who    string
	Under  string
	Role   string
	Limit  string // "not policies, not plain Owner"
	Where  string
	Intent string
	Change string // how to change it
	State  State  // empty: as it should be
}

// GuardrailView sums up what may be used.
type GuardrailView struct {
	Title   string // "Azure services offered, v12"
	Figures []KV   // Services, Regions, Last proof
	Refused string // "Refused this week: 2 deployments (Azure Databricks)"
	Mode    string // "enforced", or "advisory" with plain Owner
	Note    *Note
}

// FirstSignIn is the panel of the one-time credentials. "Show credentials…" opens
// a dialog whose form is hx-post /providers/{id}/credentials (field password, the
// person's own); the answer is the fragment CredentialsShown, or CredentialsAsk with an
// error (422). "I have stored it" is POST /providers/{id}/credentials with done=1.
type FirstSignIn struct {
	ID     string // the provider's
	Sealed string // "sealed until 25 Nov, 15:04"
	User   string
	Text   string // "Shown once more at most. We ask for your own password first, …"
	Off    string // why this person may not see them
	Gone   string // set when they are gone: "Stored by the Administrator on 19 Nov." and how to reset
}

// Credentials are shown for 60 seconds.
type Credentials struct {
	User     string
	Password string
	LoginURL string
	Audited  string // "Recorded in the log of Contoso, Ltd. at 14:22."
}

// Receipt is a signed acceptance.
type Receipt struct {
	Title string
	By    string
	At    string
	Href  string // JSON file that `causeway receipt verify` checks
	PDF   string
}

func (p ProviderView) headActions() []Action {
	var list []Action
	if p.CancelInfo != nil {
		list = append(list, Action{ID: "cancel-provider", Label: "Cancel…", Variant: "ghost", Dialog: "cancel", Off: p.CancelOff})
	}
	return append(list, []Action{
		{ID: "add-subscription", Label: "Add a subscription", Post: "/providers/new", Fields: []Pair{{"tenant", p.ID}}, Off: p.AddOff},
		{ID: "open-azure", Label: "Open Azure portal", After: "external-link", Variant: "primary", Href: p.PortalURL, NewTab: true},
	}...)
}
