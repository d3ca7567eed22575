package account_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"causeway/internal/account"
	"causeway/internal/fault"
)

// The table of rights a second time, written from the other side: what each
// role may do in its own place. Whoever changes one changes both.
var mayDo = map[account.Role]string{
	account.RoleMember: `provider.view provider.create provider.edit terms.accept receipt.view onboarding.view association.view
		account.view account.connect organization.view user.view token.own request.view request.create request.withdraw exception.ask
		agreement.view guardrail.view`,
	account.RoleAdministrator: `provider.view provider.create provider.edit terms.accept receipt.view onboarding.view association.view
		account.view account.connect organization.view user.view token.own request.view request.create request.withdraw exception.ask
		agreement.view guardrail.view
		provider.create-for-organization provider.cancel credentials.show credentials.stored onboarding.edit onboarding.cancel
		organization.change user.create user.change token.other audit.view usage.view budget.change`,
	account.RoleReader: `provider.view receipt.view onboarding.view exchange.view association.view account.view organization.view user.view
		token.own request.view agreement.view guardrail.view audit.view settings.view partner.view mail.view price.view usage.view billing.view difference.view`,
	account.RoleSupport: `provider.view receipt.view onboarding.view exchange.view association.view account.view organization.view user.view
		token.own request.view agreement.view guardrail.view audit.view settings.view partner.view mail.view price.view usage.view billing.view difference.view
		provider.edit provider.cancel onboarding.retry onboarding.edit onboarding.cancel account.create account.change account.administrators
		organization.create organization.change request.create request.withdraw request.decide exception.ask exception.decide mail.retry difference.resolve sweep.run`,
	account.RoleFinance: `provider.view receipt.view onboarding.view exchange.view association.view account.view organization.view user.view
		token.own request.view agreement.view guardrail.view audit.view settings.view partner.view mail.view price.view usage.view billing.view difference.view
		association.change account.create account.change account.disable organization.create request.create request.withdraw request.decide
		exception.ask exception.decide price.change billing.change billing.issue billing.close budget.change`,
	account.RoleOwner: `provider.view receipt.view onboarding.view exchange.view association.view account.view organization.view user.view
		token.own request.view agreement.view guardrail.view audit.view settings.view partner.view mail.view price.view usage.view billing.view difference.view
		provider.edit provider.cancel onboarding.retry onboarding.edit onboarding.cancel account.create account.change account.administrators
		account.disable association.change organization.create organization.change request.create request.withdraw request.decide
		exception.ask exception.decide mail.retry difference.resolve sweep.run user.create user.change token.other agreement.publish guardrail.change settings.change
		partner.connect price.change billing.change billing.issue billing.close budget.change`,
}

func TestEveryActionForEveryRoleInEveryScope(t *testing.T) {
	const own, other = account.OrgID("own"), account.OrgID("other")
	cells := 0
	for role, text := range mayDo {
		allowed := strings.Fields(text)
		for _, name := range allowed {
			if !slices.Contains(account.Actions(), account.Action(name)) {
				t.Errorf("%s: there is no action %q", role, name)
			}
		}
		for _, act := range account.Actions() {
			may := slices.Contains(allowed, string(act))
			a := account.Actor{User: "u", Role: role}
			if role.Customer() {
				a.Org = own
			}
			for _, where := range []account.OrgID{own, other, ""} {
				cells++
				var want fault.Kind
				switch {
				case role.Customer() && where == other:
					want = fault.NotFound
				case !may, role.Customer() && where == "":
					want = fault.Forbidden
				}
				err := account.May(a, act, where)
				if got := fault.KindOf(err); got != want || (err == nil) != (want == "") {
					t.Errorf("%s, %s at %q: %v, want %q", role, act, where, err, want)
				}
				if want == fault.Forbidden {
					r := fault.Of(err).Refusals[0]
					if r.Code != "missing-right" || !strings.HasPrefix(r.Remedy, "It takes ") || strings.HasSuffix(r.Remedy, "takes .") {
						t.Errorf("%s, %s: %+v names nobody who may", role, act, r)
					}
				}
			}
		}
	}
	if cells != 6*3*len(account.Actions()) {
		t.Errorf("%d cells", cells)
	}
}

func TestAReadingTokenNeverWrites(t *testing.T) {
	for role := range mayDo {
		a := account.Actor{User: "u", Role: role, Token: "t", Scope: account.ScopeRead}
		full := a
		full.Scope = account.ScopeAll
		if role.Customer() {
			a.Org, full.Org = "own", "own"
		}
		for _, act := range account.Actions() {
			person := account.May(account.Actor{User: "u", Role: role, Org: a.Org}, act, a.Org)
			if got := account.May(full, act, a.Org); (got == nil) != (person == nil) {
				t.Errorf("%s, %s: a full token may %v, its person %v", role, act, got, person)
			}
			err := account.May(a, act, a.Org)
			reading := strings.HasSuffix(string(act), ".view")
			if person == nil && (err == nil) != reading {
				t.Errorf("%s, %s with a reading token: %v", role, act, err)
			}
			if person == nil && !reading {
				refused(t, err, fault.Forbidden, "", "token-scope")
			}
		}
	}
}

func TestNobodyMayDoNothing(t *testing.T) {
	for sentence, a := range map[string]account.Actor{
		"nobody":                  {},
		"somebody without a role": {User: "u", Org: "own"},
		"a customer's role without an organization":  {User: "u", Role: account.RoleAdministrator},
		"a staff role inside an organization":        {User: "u", Org: "own", Role: account.RoleOwner},
		"a role that does not exist":                 {User: "u", Org: "own", Role: "root"},
		"a staff role that does not exist":           {User: "u", Role: "root"},
		"a token whose scope was lost, when writing": {User: "u", Org: "own", Role: account.RoleAdministrator, Token: "t"},
	} {
		for _, act := range account.Actions() {
			if a.Token != "" && strings.HasSuffix(string(act), ".view") {
				continue
			}
			if err := account.May(a, act, a.Org); err == nil {
				t.Errorf("%s may %s", sentence, act)
			}
		}
	}
	if err := account.May(account.System(), "no.such-action", ""); err == nil || fault.KindOf(err) != "" {
		t.Errorf("an unknown action is our bug, not the caller's: %v", err)
	}
}

func ExampleMay() {
	member := account.Actor{User: "u", Org: "contoso", Role: account.RoleMember}
	fmt.Println(account.May(member, account.ActProviderView, "contoso"))
	fmt.Println(account.May(member, account.ActProviderCancel, "contoso"))
	fmt.Println(account.May(member, account.ActProviderView, "tailspin"))
	// Output:
	// <nil>
	// You may not cancel this provider. It takes an Administrator of the organization, or Owner or Support at the partner.
	// There is no such provider.
}
