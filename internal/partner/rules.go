package partner

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // business hours need their zone on a machine that has none installed

	"causeway/internal/money"
)

// AdminRole is what the customer's own administrator gets in Azure.
type AdminRole string

// The roles of the customer's administrator.
const (
	// AdminRestricted is Owner without writing or deleting policies and without
	// granting Owner, so that the guardrail holds.
	AdminRestricted AdminRole = "restricted"
	// AdminOwner is Azure's plain Owner; the guardrail is then advisory.
	AdminOwner AdminRole = "owner"
)

// AgreementWay is how the customer accepts Microsoft's agreement.
type AgreementWay string

// The ways of Microsoft's agreement. The last two need an existing tenant.
const (
	WayAttestation AgreementWay = "attestation" // Microsoft's page, before the tenant exists
	WayDirect      AgreementWay = "direct"      // the customer accepts at Microsoft's own portal
	WayLegacy      AgreementWay = "legacy"      // the partner confirms for the customer
)

// Rules are the partner's decisions on who may onboard and how.
type Rules struct {
	Version int64 `json:"version"` // set when read; 0 = the default, never saved

	Countries            []string     `json:"countries"`                           // ISO 3166 alpha-2 of billing addresses that are served
	PublicSector         bool         `json:"public_sector"`                       // public-sector accounts are served
	ExceptionDays        int          `json:"exception_days"`                      // how long a granted exception lasts, unless staff say otherwise
	PerAccountAndDay     int          `json:"max_onboardings_per_account_and_day"` // 0 = no limit
	OrganizationMode     bool         `json:"organization_mode"`                   // no connect step; the organization is the billed party
	AdminRole            AdminRole    `json:"admin_role"`                          // of the customer's administrator
	DefaultBudget        money.Amount `json:"default_budget"`                      // proposed in the wizard, per subscription and month
	AnotherEntityTenant  bool         `json:"another_legal_entity_tenant"`         // an organization may have a tenant per legal entity
	AgreementWay         AgreementWay `json:"agreement_way"`                       // of Microsoft's agreement
	InvitationDays       int          `json:"invitation_days"`                     // a second signatory's link
	SignatoryReminders   []int        `json:"signatory_reminder_days"`             // days after the invitation
	WaitingReminderHours int          `json:"waiting_reminder_hours"`              // to staff, about what waits for a person
	CredentialDays       int          `json:"credential_days"`                     // sealed admin credentials are erased after
	Answer               Hours        `json:"answer"`                              // when staff answer requests
	OfferExistingMode    bool         `json:"offer_existing_mode"`                 // the mode “existing” can be chosen; else it leads to a representative
}

// DefaultRules serve the United States, as the seed does.
func DefaultRules() Rules {
	return Rules{
		Countries: []string{"US"}, ExceptionDays: 90, PerAccountAndDay: 10, AdminRole: AdminRestricted,
		DefaultBudget: money.Must("2500", "USD"), AgreementWay: WayAttestation, InvitationDays: 30, SignatoryReminders: []int{3, 7, 14, 21},
		WaitingReminderHours: 24, CredentialDays: 7,
		Answer: Hours{Zone: "America/New_York", Days: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}, From: "09:00", To: "17:00", Within: 2},
	}
}

// Serves tells whether billing addresses in a country are served.
func (r Rules) Serves(country string) bool { return slices.Contains(r.Countries, country) }

// ExceptionValidity is how long a granted exception lasts.
func (r Rules) ExceptionValidity() time.Duration {
	return time.Duration(r.ExceptionDays) * 24 * time.Hour
}

// InvitationValidity is how long a second signatory's link works.
func (r Rules) InvitationValidity() time.Duration {
	return time.Duration(r.InvitationDays) * 24 * time.Hour
}

// Check names everything that is wrong with the rules at once.
func (r Rules) Check() error {
	var all refusals
	if len(r.Countries) == 0 {
		all.add("countries", "No country is served.", "Name at least one, like US.")
	}
	for i, c := range r.Countries {
		if len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z' {
			all.add("countries", fmt.Sprintf("%q is not a country code.", c), "Use the two capital letters of ISO 3166, like US.")
		} else if slices.Contains(r.Countries[:i], c) {
			all.add("countries", c+" is named twice.", "Name it once.")
		}
	}
	all.between("exception_days", "The validity of an exception", r.ExceptionDays, 1, 1825)
	all.between("max_onboardings_per_account_and_day", "The number of onboardings", r.PerAccountAndDay, 0, 10_000)
	all.between("invitation_days", "The validity of an invitation", r.InvitationDays, 1, 90)
	all.between("waiting_reminder_hours", "The time to a reminder", r.WaitingReminderHours, 1, 720)
	all.between("credential_days", "The time to keep credentials", r.CredentialDays, 1, 30)
	for i, d := range r.SignatoryReminders {
		if d < 1 || d >= r.InvitationDays || i > 0 && d <= r.SignatoryReminders[i-1] {
			all.add("signatory_reminder_days", "The days of the reminders do not rise from 1 to the end of the invitation.", "Write them like 3, 7, 14.")
			break
		}
	}
	if r.AdminRole != AdminRestricted && r.AdminRole != AdminOwner {
		all.add("admin_role", fmt.Sprintf("There is no administrator's role %q.", r.AdminRole), "Choose restricted or owner.")
	}
	if !slices.Contains([]AgreementWay{WayAttestation, WayDirect, WayLegacy}, r.AgreementWay) {
		all.add("agreement_way", fmt.Sprintf("There is no way %q to accept Microsoft's agreement.", r.AgreementWay), "Choose attestation, direct or legacy.")
	}
	if r.DefaultBudget.Currency() == "" || r.DefaultBudget.Sign() <= 0 {
		all.add("default_budget", "The proposed budget is not an amount above zero.", "Write it like 2500.00 USD.")
	}
	all = append(all, r.Answer.refusals()...)
	return all.err()
}

func (r *refusals) between(field, name string, n, low, high int) {
	if n < low || n > high {
		r.add(field, fmt.Sprintf("%s is %d.", name, n), fmt.Sprintf("Choose from %d to %d.", low, high))
	}
}
