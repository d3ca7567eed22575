package ui

// ProvidersPage is the list of providers: GET /providers?q=&state=&account=&after=.
// "New provider" is POST /providers/new, which makes a draft and redirects to its first step.
type ProvidersPage struct {
	Shell    Shell
	Filter   Filter // Action /providers; chips All, Ready, In progress, Waiting for you, Stuck, Draft; Select Name "account"
	Rows     []ProviderRow
	Foot     Foot
	NewOff   string          // why this person may not create one; empty: may
	Existing string          // reason text of the note about existing accounts; empty: the standard one
	Empty    *ProvidersEmpty // set when the organization has no provider at all
}

// ProviderRow is one provider in the list.
type ProviderRow struct {
	ID          string
	Name        string
	Under       string // domain, or "New Azure customer account", "No domain yet"
	State       State
	Line        string // what happens or what is missing: "Step 5 of 5: applying the guardrail"
	Note        string // quieter: "9 min so far, about 8 to 20 min to go"
	Progress    int    // percent, 1–99; 0: no bar
	Account     string // alias, or "Not chosen"
	AccountName string
	Changed     string // FormatWhen
	ChangedBy   string // role, or "Platform"
	Action      Action // the one thing to do; zero: none
	Menu        []Action
}

// ProvidersEmpty teaches somebody who has no provider yet.
type ProvidersEmpty struct {
	Organization string // short: "Contoso"
	Checks       []Check
}

func (p ProvidersPage) newButton() Action {
	return Action{ID: "new-provider", Label: "New provider", Icon: "plus", Variant: "primary", Post: "/providers/new", Off: p.NewOff}
}

// headActions: the empty page has its one button in its middle.
func (p ProvidersPage) headActions() []Action {
	if p.Empty != nil {
		return nil
	}
	return []Action{p.newButton()}
}
