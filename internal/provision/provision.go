// Package provision takes a customer to a working Azure subscription, one
// durable step at a time. It owns the order of the steps, what happened to
// each, and the tenants that came of it. It does not own the account that pays
// (account), the provider that the customer sees (provider) or the money.
package provision

import (
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
)

// ID of an onboarding.
type ID string

// Onboarding is the durable process behind a provider.
type Onboarding struct {
	ID           ID
	Provider     provider.ID
	Org          account.OrgID
	User         account.UserID // who began it
	Login        string         // the account administrator who approved the charges; "" in organization mode
	Account      account.Alias
	Tenant       string // our tenant row
	Correlation  string // MS-CorrelationId of all its calls
	State        State
	Step         Step
	Refusal      *fault.Refusal // why it is stuck
	CancelBy     string         // who asked to cancel it
	Name         string         // of the provider and of the Azure subscription
	Budget       money.Amount   // monthly usage budget
	Subscription string         // Azure subscription id
	Further      bool           // the subscription was added to a tenant that had one
	Receipt      string         // the signed receipt, "" before Ready
	MailMe       bool
	StartedAt    time.Time
	ChangedAt    time.Time
	FinishedAt   time.Time
	StuckAt      time.Time
}

// State of an onboarding.
type State string

// The states. Waiting is for a person: somebody's review, another onboarding
// that a person must mend.
const (
	Running    State = "running"
	Waiting    State = "waiting"
	Stuck      State = "stuck"
	Ready      State = "ready"
	Cancelling State = "cancelling"
	Cancelled  State = "cancelled"
)

// Step of an onboarding; the names are part of the API.
type Step string

// The steps in their order. Why this order: docs/onboarding-cycle.md.
const (
	StepDetails      Step = "details"
	StepCustomer     Step = "customer"
	StepPlan         Step = "plan"
	StepSubscription Step = "subscription"
	StepAssociate    Step = "associate"
	StepEnter        Step = "enter"
	StepGuard        Step = "guard"
	StepGrant        Step = "grant"
	StepReady        Step = "ready"
)

// Steps in their order.
var Steps = []Step{StepDetails, StepCustomer, StepPlan, StepSubscription, StepAssociate, StepEnter, StepGuard, StepGrant, StepReady}

// Group is the seed's step, 1 to 5, that a step belongs to.
func (s Step) Group() int {
	switch s {
	case StepDetails:
		return 1
	case StepCustomer:
		return 2
	case StepPlan, StepSubscription:
		return 3
	case StepAssociate:
		return 4
	}
	return 5
}

// StepState is how far one step is.
type StepState string

// The states of a step. StepWaiting: Microsoft or a person is awaited.
const (
	StepPending StepState = "pending"
	StepRunning StepState = "running"
	StepWaiting StepState = "waiting"
	StepStuck   StepState = "stuck"
	StepDone    StepState = "done"
	StepSkipped StepState = "skipped"
)

// StepRecord is what happened to one step.
type StepRecord struct {
	Name     Step
	State    StepState
	Started  time.Time
	Finished time.Time
	Note     string   // what goes on inside, for people
	Facts    []string // what is done, for people: "Agreement confirmed"
	Asked    int      // how often Microsoft was asked
	Next     time.Time
	Held     time.Duration // how long it waited for its turn at a limit
}

// Details are what Microsoft is told about the customer. The domain can never
// be changed afterwards.
type Details struct {
	DomainPrefix       string          `json:"domain_prefix"` // before .onmicrosoft.com
	DomainConfirmed    bool            `json:"domain_confirmed"`
	CompanyName        string          `json:"company_name"`
	RegistrationNumber string          `json:"registration_number,omitempty"`
	Address            address.Address `json:"address"`
	Contact            account.Contact `json:"contact"`
	Signatory          account.Contact `json:"signatory"`
	Language           string          `json:"language"` // e.g. "en"
	Culture            string          `json:"culture"`  // e.g. "en-US"
}

// Tenant is an Azure tenant that we made, or mean to make, for one legal entity
// of an organization. Later onboardings wait on its row and use it.
type Tenant struct {
	ID               string
	Org              account.OrgID
	LegalEntity      string
	Domain           string // prefix.onmicrosoft.com, lower case
	State            TenantState
	Stage            Stage
	Holder           ID // the onboarding that works on it now
	Account          account.Alias
	Details          Details
	Attestation      string
	AzureID          string // = Partner Center customer id
	BornAt           time.Time
	Cart, Order      string
	Plan             string // Partner Center subscription id of the Azure plan
	FirstBy          ID     // the onboarding that has the plan's first entitlement
	Relationship     string // GDAP
	Principal        string // object id of our app in the tenant
	AdminUPN         string
	AdminObject      string
	Credentials      string // sealed
	CredentialsUntil time.Time
	CreatedAt        time.Time
}

// TenantState says whether a tenant is in use.
type TenantState string

// The states of a tenant. Released: its onboarding was cancelled; it is kept for
// the same legal entity, since Microsoft deletes no customers.
const (
	TenantIntended TenantState = "intended"
	TenantLive     TenantState = "live"
	TenantReleased TenantState = "released"
	TenantGone     TenantState = "gone"
)

// Stage is how far a tenant is; each includes those before.
type Stage string

// The stages in their order.
const (
	StageNone      Stage = ""
	StageCustomer  Stage = "customer"  // exists, credentials sealed
	StageAgreement Stage = "agreement" // agreement read back, relationship = reseller
	StagePlan      Stage = "plan"      // Azure plan active
	StageEntered   Stage = "entered"   // GDAP, consent, our principal known
)

func (s Stage) rank() int {
	for i, x := range []Stage{StageNone, StageCustomer, StageAgreement, StagePlan, StageEntered} {
		if x == s {
			return i
		}
	}
	return 0
}

// Reached tells whether the tenant is at this stage or beyond.
func (t Tenant) Reached(s Stage) bool { return t.Stage.rank() >= s.rank() }

// DomainSuffix is what Microsoft appends to the prefix.
const DomainSuffix = ".onmicrosoft.com"

// domain of a prefix, as it is stored and compared.
func domain(prefix string) string { return strings.ToLower(prefix) + DomainSuffix }
