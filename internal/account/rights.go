package account

import (
	"fmt"
	"slices"
	"strings"

	"causeway/internal/fault"
)

// Action is something that a right is needed for. Its text goes into the audit.
type Action string

// Every action. Each route of the portal and of the API names one.
const (
	ActProviderView      Action = "provider.view"
	ActProviderCreate    Action = "provider.create"                  // the wizard, with an account connection
	ActProviderCreateOrg Action = "provider.create-for-organization" // organization mode: the organization is the billed party
	ActProviderEdit      Action = "provider.edit"                    // a draft, a name, a budget
	ActProviderCancel    Action = "provider.cancel"
	ActCredentialsShow   Action = "credentials.show"
	ActCredentialsStored Action = "credentials.stored" // "I have stored it": they are erased here
	ActTermsAccept       Action = "terms.accept"
	ActReceiptView       Action = "receipt.view"

	ActOnboardingView   Action = "onboarding.view"
	ActOnboardingRetry  Action = "onboarding.retry"
	ActOnboardingEdit   Action = "onboarding.edit"
	ActOnboardingCancel Action = "onboarding.cancel"
	ActExchangeView     Action = "exchange.view" // what was said to Microsoft, secrets removed

	ActAssociationView   Action = "association.view"
	ActAssociationChange Action = "association.change"

	ActAccountView           Action = "account.view"
	ActAccountConnect        Action = "account.connect"
	ActAccountCreate         Action = "account.create"
	ActAccountChange         Action = "account.change"
	ActAccountDisable        Action = "account.disable"
	ActAccountAdministrators Action = "account.administrators"

	ActOrgView    Action = "organization.view"
	ActOrgCreate  Action = "organization.create"
	ActOrgChange  Action = "organization.change"
	ActUserView   Action = "user.view"
	ActUserCreate Action = "user.create"
	ActUserChange Action = "user.change"
	ActTokenOwn   Action = "token.own" // list, make and revoke one's own
	ActTokenOther Action = "token.other"

	ActRequestView     Action = "request.view"
	ActRequestCreate   Action = "request.create"
	ActRequestWithdraw Action = "request.withdraw"
	ActExceptionAsk    Action = "exception.ask"
	ActExceptionDecide Action = "exception.decide"
	ActRequestDecide   Action = "request.decide"

	ActAgreementView    Action = "agreement.view"
	ActAgreementPublish Action = "agreement.publish"
	ActGuardrailView    Action = "guardrail.view"
	ActGuardrailChange  Action = "guardrail.change"
	ActAuditView        Action = "audit.view"

	ActSettingsView   Action = "settings.view"
	ActSettingsChange Action = "settings.change"
	ActPartnerConnect Action = "partner.connect" // the partner's own sign-in to Microsoft
	ActPartnerView    Action = "partner.view"    // doctor, queue, sweep
	ActMailView       Action = "mail.view"
	ActMailRetry      Action = "mail.retry"

	ActPriceView   Action = "price.view"   // price lists, exchange rates, the lab
	ActPriceChange Action = "price.change" // save, activate, withdraw, assign to an account

	ActUsageView    Action = "usage.view"    // usage, invoices and what they are made of
	ActBudgetChange Action = "budget.change" // what an account should cost in a month, and who is told

	ActBillingView   Action = "billing.view"   // drafts, suspense, reconciliation, the partner's margin
	ActBillingChange Action = "billing.change" // settings of billing, rate and draft anew, assign what is in suspense
	ActBillingIssue  Action = "billing.issue"  // issue drafts, take documents back
	ActBillingClose  Action = "billing.close"  // close a month, carry what belongs to nobody

	ActDifferenceView    Action = "difference.view"    // what is not the same here and at Microsoft
	ActDifferenceResolve Action = "difference.resolve" // adopt, repair, cancel or ignore it
	ActSweep             Action = "sweep.run"          // compare both sides now
)

// right says who may do an action: which roles of the organization that the
// object belongs to, and which of the partner's staff.
type right struct {
	noun  string // for "There is no such …"
	deed  string // for "… may <deed>."
	own   []Role
	staff []Role
	write bool // a token of scope read may not
}

var (
	nobody  []Role
	admin   = []Role{RoleAdministrator}
	anyone  = []Role{RoleAdministrator, RoleMember}
	owner   = []Role{RoleOwner}
	desk    = []Role{RoleOwner, RoleSupport}
	billing = []Role{RoleOwner, RoleFinance}
	working = []Role{RoleOwner, RoleFinance, RoleSupport}
	staff   = []Role{RoleOwner, RoleFinance, RoleSupport, RoleReader}
)

const (
	reads  = false
	writes = true
)

// rights is the whole table: action × role × scope.
var rights = map[Action]right{
	//                        noun              deed                                          organization  staff   token
	ActProviderView:          {"provider", "see this provider", anyone, staff, reads},
	ActProviderCreate:        {"organization", "create a provider", anyone, nobody, writes},
	ActProviderCreateOrg:     {"organization", "create a provider that the organization pays", admin, nobody, writes},
	ActProviderEdit:          {"provider", "change this provider", anyone, desk, writes},
	ActProviderCancel:        {"provider", "cancel this provider", admin, desk, writes},
	ActCredentialsShow:       {"provider", "see the credentials", admin, nobody, writes},
	ActCredentialsStored:     {"provider", "erase the stored credentials", admin, nobody, writes},
	ActTermsAccept:           {"provider", "accept the terms", anyone, nobody, writes},
	ActReceiptView:           {"receipt", "see the receipt", anyone, staff, reads},
	ActOnboardingView:        {"onboarding", "see this onboarding", anyone, staff, reads},
	ActOnboardingRetry:       {"onboarding", "try this step again", nobody, desk, writes},
	ActOnboardingEdit:        {"onboarding", "correct the details", admin, desk, writes},
	ActOnboardingCancel:      {"onboarding", "cancel this onboarding", admin, desk, writes},
	ActExchangeView:          {"onboarding", "see what was sent to Microsoft", nobody, staff, reads},
	ActAssociationView:       {"association", "see who pays", anyone, staff, reads},
	ActAssociationChange:     {"association", "change who pays", nobody, billing, writes},
	ActAccountView:           {"account", "see this account", anyone, staff, reads},
	ActAccountConnect:        {"organization", "connect an account", anyone, nobody, writes},
	ActAccountCreate:         {"organization", "create an account", nobody, working, writes},
	ActAccountChange:         {"account", "change this account", nobody, working, writes},
	ActAccountDisable:        {"account", "disable this account", nobody, billing, writes},
	ActAccountAdministrators: {"account", "change who administers this account", nobody, desk, writes},
	ActOrgView:               {"organization", "see this organization", anyone, staff, reads},
	ActOrgCreate:             {"organization", "create an organization", nobody, working, writes},
	ActOrgChange:             {"organization", "change this organization", admin, desk, writes},
	ActUserView:              {"organization", "see its people", anyone, staff, reads},
	ActUserCreate:            {"organization", "add a person", admin, owner, writes},
	ActUserChange:            {"person", "change this person", admin, owner, writes},
	ActTokenOwn:              {"token", "use tokens", anyone, staff, writes},
	ActTokenOther:            {"token", "see or revoke the tokens of others", admin, owner, writes},
	ActRequestView:           {"request", "see this request", anyone, staff, reads},
	ActRequestCreate:         {"organization", "make a request", anyone, working, writes},
	ActRequestWithdraw:       {"request", "withdraw this request", anyone, working, writes},
	ActExceptionAsk:          {"account", "ask for an exception", anyone, working, writes},
	ActExceptionDecide:       {"request", "decide on an exception", nobody, working, writes},
	ActRequestDecide:         {"request", "decide on a request", nobody, working, writes},
	ActAgreementView:         {"agreement", "see the agreement", anyone, staff, reads},
	ActAgreementPublish:      {"agreement", "publish an agreement", nobody, owner, writes},
	ActGuardrailView:         {"list of services", "see the services offered", anyone, staff, reads},
	ActGuardrailChange:       {"list of services", "change the services offered", nobody, owner, writes},
	ActAuditView:             {"record", "see who did what", admin, staff, reads},
	ActSettingsView:          {"settings", "see the settings", nobody, staff, reads},
	ActSettingsChange:        {"settings", "change the settings", nobody, owner, writes},
	ActPartnerConnect:        {"settings", "connect the partner to Microsoft", nobody, owner, writes},
	ActPartnerView:           {"settings", "see the partner's connection to Microsoft", nobody, staff, reads},
	ActMailView:              {"mail", "see the mail", nobody, staff, reads},
	ActDifferenceView:        {"difference", "see what differs from Microsoft", nobody, staff, reads},
	ActDifferenceResolve:     {"difference", "resolve a difference", nobody, desk, writes},
	ActSweep:                 {"sweep", "compare both sides now", nobody, desk, writes},
	ActMailRetry:             {"mail", "send the mail again", nobody, desk, writes},
	ActUsageView:             {"account", "see what is charged", admin, staff, reads},
	ActBudgetChange:          {"account", "change the budgets of this account", admin, billing, writes},
	ActPriceView:             {"price list", "see the price lists", nobody, staff, reads},
	ActPriceChange:           {"price list", "change prices", nobody, billing, writes},
	ActBillingView:           {"bill", "see how the month is billed", nobody, staff, reads},
	ActBillingChange:         {"bill", "change how accounts are billed", nobody, billing, writes},
	ActBillingIssue:          {"bill", "issue bills", nobody, billing, writes},
	ActBillingClose:          {"month", "close a month", nobody, billing, writes},
}

// Actions lists every action there is, sorted.
func Actions() []Action {
	all := make([]Action, 0, len(rights))
	for a := range rights {
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}

// May tells whether the actor may do this to what belongs to org ("" = to the
// partner). It is called where the deed is done. What belongs to another
// organization is NotFound, as if it were not there; a missing right is
// Forbidden and names who has it.
//
// What all customers share (the services offered, agreements) is asked for with
// the actor's own organization.
func May(a Actor, act Action, org OrgID) error {
	r, ok := rights[act]
	if !ok {
		return fmt.Errorf("account: no right is called %q", act)
	}
	switch {
	case a.Staff():
		if !slices.Contains(r.staff, a.Role) {
			return forbidden(r)
		}
	case a.Org == "" || !a.Role.Customer(): // nobody, or a role that does not fit its organization
		return forbidden(r)
	case org != "" && org != a.Org:
		return fault.New(fault.NotFound, "There is no such %s.", r.noun)
	case org == "" || !slices.Contains(r.own, a.Role):
		return forbidden(r)
	}
	if a.Token != "" && a.Scope != ScopeAll && r.write {
		return fault.Refuse(fault.Refusal{
			Code:   "token-scope",
			Reason: "This token may only read.",
			Remedy: "Use a token of scope “all” to " + r.deed + ".",
		}).In(fault.Forbidden)
	}
	return nil
}

func forbidden(r right) error {
	return fault.Refuse(fault.Refusal{
		Code:   "missing-right",
		Reason: "You may not " + r.deed + ".",
		Remedy: "It takes " + who(r) + ".",
	}).In(fault.Forbidden)
}

// who names those who have a right: "an Administrator of the organization, or
// Owner or Support at the partner".
func who(r right) string {
	var parts []string
	if len(r.own) > 0 {
		parts = append(parts, "an "+names(r.own)+" of the organization")
	}
	if len(r.staff) > 0 {
		parts = append(parts, names(r.staff)+" at the partner")
	}
	return strings.Join(parts, ", or ")
}

func names(roles []Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = r.Title()
	}
	if len(words) < 3 {
		return strings.Join(words, " or ")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// Title is the role's name as it is shown.
func (r Role) Title() string {
	switch r {
	case RoleOwner:
		return "Owner"
	case RoleFinance:
		return "Finance"
	case RoleSupport:
		return "Support"
	case RoleReader:
		return "Read-only"
	case RoleAdministrator:
		return "Administrator"
	case RoleMember:
		return "Member"
	}
	return string(r)
}
