package ui

// DifferencesPage is GET /staff/differences?state=&kind=, and with ?open={id} the sheet of one.
type DifferencesPage struct {
	Shell   Shell
	Text    string // "Compared 12 minutes ago: 10 customers, 14 subscriptions."
	Notice  Note   // a comparison runs, or waits for something; empty: none
	Actions []Action
	Filter  Filter
	Rows    []DifferenceRow
	Foot    Foot
	Sheet   *DifferenceSheet
	List    string // URL of the list without the sheet
}

// DifferenceRow is one thing that is not the same on both sides.
type DifferenceRow struct {
	Href     string
	Title    string
	Text     string
	Kind     string
	Proposal string // "Adopt, for CTSO"
	State    State
	Word     string // of the state
	Since    string
}

// DifferenceSheet is one difference with all that a decision needs.
// POST /staff/differences/{id}/resolve: action, account, reason.
type DifferenceSheet struct {
	ID       string
	Title    string
	State    State
	Word     string
	Sub      string
	Text     string
	Remedy   string
	Rows     []KV
	Evidence []KV
	Account  Field // ID "account"; empty: no account is asked for
	Reason   Field // ID "reason"; empty: nothing can be ignored
	Buttons  []Action
	Errors   Errors
}
