package torture

import (
	"encoding/json"
	"strings"
	"time"
)

// History is all that both sides and the onlookers say when it is over.
type History struct {
	Plan Plan

	// Ours.
	Onboardings  []Onboarding
	Tenants      []Tenant
	Associations []Association
	Acceptances  []Acceptance
	Alarms       []Alarm
	Books        []Text            // the whole database as text, for the search for secrets
	Passwords    map[string]string // of our tenant rows, opened with the key

	// Microsoft's.
	Customers  []Customer
	Calls      []Call
	Strangers  map[string]bool   // tenant ids of others
	Bystanders map[string]string // customers of the partner that are not ours: id → dump before
	After      map[string]string // the same afterwards
	Secrets    []Secret

	// The onlookers'.
	Texts    []Text            // logs of processes, error pages
	Fenced   []string          // what workers wrote that had lost their lease
	Provider map[string]int    // provider id → case
	Wanted   map[int]string    // what a case must end as, where it differs from the plan
	Sweep    []string          // differences that are left after the sweep
	Unclean  int               // differences before it
	Faults   int               // calls that Microsoft answered wrongly, late or never
	Notes    map[string]string // reasons for a failed test: provider id → its log
}

// Onboarding is a row of ours.
type Onboarding struct {
	ID, Provider, Org, Account, Tenant, Correlation, State, Step, Subscription string
	Started, StuckAt                                                           time.Time
	Shown                                                                      string // the provider's state, as people see it
	StepsDone, Steps                                                           int
}

// Tenant is a row of ours.
type Tenant struct {
	ID, Org, Domain, State, Stage, AzureID, Plan, Account string
	Born                                                  time.Time
	Credentials                                           bool // sealed ones are there
	Replaced                                              bool // a new first password was set, because Microsoft's was lost
}

// Association is a row of ours.
type Association struct{ ID, Tenant, Entitlement, Account, From, To, State string }

// Acceptance is a row of ours.
type Acceptance struct {
	Attempt, Kind string // provider; partner or microsoft
	At            time.Time
}

// Alarm is a mail to the staff.
type Alarm struct {
	Onboarding string
	At         time.Time
}

// Customer is one of Microsoft's, as the simulator's dump shows it.
type Customer struct {
	ID          string    `json:"id"`
	Domain      string    `json:"domain"`
	Correlation string    `json:"correlationId"`
	Created     time.Time `json:"created"`
	Seeded      bool      `json:"seeded"`
	Orders      []struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	} `json:"orders"`
	Plans []struct {
		ID            string         `json:"id"`
		Status        string         `json:"status"`
		Subscriptions []Subscription `json:"subscriptions"`
	} `json:"plans"`
}

// Subscription is one of Microsoft's.
type Subscription struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Alias  string `json:"alias"`
	More   struct {
		ARM struct {
			Roles []struct {
				RoleName  string    `json:"roleName"`
				Principal string    `json:"principal"`
				Kind      string    `json:"kind"`
				Created   time.Time `json:"created"`
			} `json:"roleAssignments"`
			Policies []struct {
				Name string    `json:"name"`
				Acts time.Time `json:"acts"`
			} `json:"policyAssignments"`
		} `json:"arm"`
	} `json:"more"`
}

// Call is one request as Microsoft saw it.
type Call struct {
	Method      string    `json:"method"`
	Path        string    `json:"path"`
	Template    string    `json:"template"`
	Status      int       `json:"status"`
	Correlation string    `json:"correlationId"`
	Customer    string    `json:"customer"`
	Replayed    bool      `json:"replayed"`
	Faults      []string  `json:"faults"`
	Received    time.Time `json:"received"`
}

// Secret is one that must be found nowhere.
type Secret struct {
	Kind  string `json:"kind"`
	Owner string `json:"owner"`
	Value string `json:"value"`
}

// Text is something that people or files get to see.
type Text struct{ Where, Body string }

// Same is a dump in one form, to be compared.
func Same(dump json.RawMessage) string {
	var v any
	if json.Unmarshal(dump, &v) != nil {
		return string(dump)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return string(dump)
	}
	return string(b)
}

// IsBystander tells whether an object, customer:<id>, is none of ours.
func (h *History) IsBystander(object string) bool {
	return h.Bystanders[strings.TrimPrefix(object, "customer:")] != ""
}
