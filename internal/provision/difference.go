package provision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
)

// DifferenceKind says what a difference is about; the words are part of the API.
type DifferenceKind string

// The kinds, in the order in which they are shown.
const (
	DiffCustomer     DifferenceKind = "customer"     // a tenant that only one side has
	DiffRelationship DifferenceKind = "relationship" // ours to sell to, or not any more
	DiffPlan         DifferenceKind = "plan"
	DiffSubscription DifferenceKind = "subscription" // an entitlement that only one side has
	DiffName         DifferenceKind = "name"         // of a subscription
	DiffGrant        DifferenceKind = "grant"        // a role assignment
	DiffPolicy       DifferenceKind = "policy"       // the guardrail: missing, changed, or no longer ours
	DiffPayer        DifferenceKind = "payer"        // a day that nobody pays for, or two do
	DiffAccess       DifferenceKind = "access"       // a tenant that cannot be looked into
)

// DifferenceKinds in the order in which they are shown.
var DifferenceKinds = []DifferenceKind{
	DiffCustomer, DiffSubscription, DiffPlan, DiffRelationship, DiffPolicy, DiffGrant, DiffName, DiffPayer, DiffAccess,
}

// Title is the kind in words for people.
func (k DifferenceKind) Title() string {
	switch k {
	case DiffCustomer:
		return "Customer"
	case DiffRelationship:
		return "Relationship"
	case DiffPlan:
		return "Azure plan"
	case DiffSubscription:
		return "Subscription"
	case DiffName:
		return "Name"
	case DiffGrant:
		return "Role"
	case DiffPolicy:
		return "Guardrail"
	case DiffPayer:
		return "Who pays"
	case DiffAccess:
		return "No access"
	}
	return string(k)
}

// Fix is what can be done about a difference.
type Fix string

// The fixes. Adopt takes Microsoft's side into our records, also that something
// is gone; Repair puts our recorded state back at Microsoft; Cancel ends what
// nobody owns; Ignore leaves it, with a reason, until it changes.
const (
	FixAdopt  Fix = "adopt"
	FixRepair Fix = "repair"
	FixCancel Fix = "cancel"
	FixIgnore Fix = "ignore"
)

// DifferenceState says whether somebody has to look.
type DifferenceState string

// The states.
const (
	DiffOpen     DifferenceState = "open"
	DiffResolved DifferenceState = "resolved"
	DiffIgnored  DifferenceState = "ignored"
)

// Difference is something that is so here and not so at Microsoft, or the other
// way round. Kind and Object name it for ever: seen again, it is the same row.
type Difference struct {
	ID       string
	Kind     DifferenceKind
	Object   string // customer:<id>, subscription:<id>, subscription:<id>/policy:<name>, …
	Org      account.OrgID
	Tenant   string // our tenant row, "" = none
	AzureID  string // Microsoft's id of the tenant
	Title    string // the company or the provider
	Text     string
	Proposal Fix
	Remedy   string // the proposal in words
	Fixes    []Fix  // all that may be done, the proposal first
	Evidence Evidence
	About    About
	Details  *CustomerDetails // of an unknown customer, once asked

	State     DifferenceState
	Doing     Fix // on its way, "" = nothing
	DoingBy   string
	DoingAt   time.Time
	ToOrg     account.OrgID // of an adoption
	ToAccount account.Alias
	NextAt    time.Time
	Tries     int
	Trouble   string // why the last fix did not work, or what it waits for
	Ending    string // how it ended: a Fix, or gone
	Reason    string
	EndedBy   string
	Since     time.Time
	SeenAt    time.Time
	EndedAt   time.Time
}

// Safe tells whether the proposal can be carried out without a person's
// judgement: it only puts back what our records say.
func (d Difference) Safe() bool { return d.Proposal == FixRepair }

// Evidence is what Microsoft's records tell about how it came to be.
type Evidence struct {
	Proven      bool      `json:"proven,omitempty"`      // our own intent explains it: we sent the request and did not hear the answer
	Correlation string    `json:"correlation,omitempty"` // MS-CorrelationId of its creation
	Onboarding  ID        `json:"onboarding,omitempty"`  // whose correlation it is
	By          string    `json:"by,omitempty"`          // person, or application
	At          time.Time `json:"at,omitzero"`           // of its creation
	Facts       []string  `json:"facts,omitempty"`       // for people
}

// About is what a fix needs to know; which members are set depends on the kind.
type About struct {
	Company      string `json:"company,omitempty"`
	Domain       string `json:"domain,omitempty"`
	Plan         string `json:"plan,omitempty"`
	Subscription string `json:"subscription,omitempty"`
	Name         string `json:"name,omitempty"` // Microsoft's
	Policy       string `json:"policy,omitempty"`
	Scope        string `json:"scope,omitempty"`
	Principal    string `json:"principal,omitempty"`
	Kind         string `json:"kind,omitempty"` // of the principal
	Role         string `json:"role,omitempty"` // as we record it
	Status       string `json:"status,omitempty"`
	Missing      bool   `json:"missing,omitempty"` // it is here and not at Microsoft
}

// CustomerDetails are what is asked about a customer that is not known here, and
// whose it may be.
type CustomerDetails struct {
	Country    string `json:"country,omitempty"`
	Number     string `json:"registration_number,omitempty"`
	Suggestion Match  `json:"suggestion,omitzero"`
}

// mark is a hash of what a difference says.
func (d Difference) mark() string {
	h := sha256.Sum256([]byte(strings.Join([]string{string(d.Kind), d.Object, d.Text, string(d.Proposal), d.About.Status}, "\x00")))
	return hex.EncodeToString(h[:12])
}

// body is the part of a difference that is stored as JSON.
type body struct {
	Fixes    []Fix    `json:"fixes"`
	Evidence Evidence `json:"evidence,omitzero"`
	About    About    `json:"about,omitzero"`
}

// may refuses a fix that a difference does not take.
func (d Difference) may(f Fix) error {
	switch {
	case d.State == DiffResolved:
		return fault.New(fault.Conflict, "This difference is resolved already.")
	case d.Doing != "":
		return fault.New(fault.Conflict, "Something is being done about this difference already.")
	case f == FixIgnore && d.State == DiffIgnored:
		return fault.New(fault.Conflict, "This difference is ignored already.")
	case !slices.Contains(d.Fixes, f):
		words := make([]string, len(d.Fixes))
		for i, x := range d.Fixes {
			words[i] = string(x)
		}
		return fault.Field("action", "This difference does not take “"+string(f)+"”.", "Choose one of: "+strings.Join(words, ", ")+".")
	}
	return nil
}

// under names a part of a subscription in a difference's object.
func under(subscription string, parts ...string) string {
	return strings.Join(append([]string{"subscription:" + strings.ToLower(subscription)}, parts...), "/")
}

func customerObject(id string) string { return "customer:" + strings.ToLower(id) }

func (d Difference) json() (string, error) {
	b, err := json.Marshal(body{d.Fixes, d.Evidence, d.About})
	return string(b), err
}
