package provision

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// grant gives the platform and the customer's administrator their roles, each
// tried until it works, and sets the budget.
func (w *work) grant(ctx context.Context) error {
	in := w.r.arm.In(w.t.AzureID, azure.AppUser)
	scope := arm.SubscriptionScope(w.o.Subscription)
	if err := w.grantPlatform(ctx, in, scope); err != nil {
		return err
	}
	if err := w.findAdmin(ctx); err != nil {
		return err
	}
	if w.t.AdminObject != "" {
		if err := w.grantAdmin(ctx, in, scope); err != nil {
			return err
		}
		if err := w.mendCredentials(ctx); err != nil {
			return err
		}
	}
	return w.setBudget(ctx)
}

// grantPlatform gives our own principal Contributor, so that daily work needs no
// person's sign-in, and tries it until it works.
func (w *work) grantPlatform(ctx context.Context, in *arm.Client, scope string) error {
	brand, err := w.r.settings.Brand(ctx)
	if err != nil {
		return err
	}
	err = w.once(ctx, w.onThis(), "grant platform", func(ctx context.Context, it intent) (any, error) {
		a, err := in.EnsureRoleAssignment(ctx, it.id(), scope, w.platformRole())
		return map[string]string{"assignment": a.Name}, err
	}, func(tx *store.Tx) error {
		return w.r.providers.Grant(ctx, tx, w.o.Provider, w.t.ID, provider.Grant{
			Scope: scope, Principal: w.t.Principal, PrincipalName: brand.Product, Role: "Contributor",
			Intent: "The platform works in your name: it reads what runs, keeps to the services offered and deploys what you ask for. It cannot give access to others.",
		})
	})
	if err != nil {
		return err
	}
	sub, err := w.r.arm.In(w.t.AzureID, azure.AppOnly).Subscription(ctx, w.o.Subscription)
	if err != nil {
		return w.pause("Microsoft has the platform's role but does not act on it yet.", 45*time.Minute)
	}
	if !azure.SameWord(sub.State, arm.StateEnabled) {
		return w.pause(fmt.Sprintf("The subscription is %s at Microsoft.", sub.State), 45*time.Minute)
	}
	return w.tx(ctx, func(tx *store.Tx) error { return w.fact(ctx, tx, "%s can work", brand.Product) })
}

// platformRole is what our own principal is given.
func (w *work) platformRole() arm.RoleAssignmentProperties {
	return arm.RoleAssignmentProperties{
		RoleDefinitionID: arm.RoleDefinitionID(w.o.Subscription, arm.RoleContributor), PrincipalID: w.t.Principal,
		PrincipalType: arm.PrincipalServicePrincipal, Description: "Causeway: daily work of the platform",
	}
}

// findAdmin looks whether the tenant's user "admin" is there (N-22). A customer
// who removed it has an administrator of their own: that is said, not mended.
func (w *work) findAdmin(ctx context.Context) error {
	if w.t.AdminObject != "" || w.t.AdminUPN == "" { // a tenant that was adopted has administrators of its own
		return nil
	}
	for u, err := range w.r.pc.Users(ctx, w.t.AzureID, 500, partnercenter.Filter{}) {
		if err != nil {
			return err
		}
		if !strings.EqualFold(u.UserPrincipalName, w.t.AdminUPN) {
			continue
		}
		return w.tx(ctx, func(tx *store.Tx) error {
			w.t.AdminObject = u.ID
			return changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.AdminObject = u.ID; return nil })
		})
	}
	if w.r.now().Sub(w.t.BornAt) < 30*time.Minute {
		return w.pause("Microsoft does not list the first administrator yet.", 30*time.Minute)
	}
	return w.tx(ctx, func(tx *store.Tx) error {
		return w.say(ctx, tx, provider.Warning, "The user %s is not in the tenant any more. Give access to the subscription from an administrator of the tenant.", w.t.AdminUPN)
	})
}

// NotActions of the restricted owner: whoever can change policies can lift the
// guardrail.
var notActions = []string{
	"Microsoft.Authorization/policyAssignments/write", "Microsoft.Authorization/policyAssignments/delete",
	"Microsoft.Authorization/policyExemptions/write", "Microsoft.Authorization/policyExemptions/delete",
	"Microsoft.Authorization/policyDefinitions/write", "Microsoft.Authorization/policyDefinitions/delete",
	"Microsoft.Authorization/policySetDefinitions/write", "Microsoft.Authorization/policySetDefinitions/delete",
}

// adminRole is what the customer's administrator is given: by default Owner
// without the right to lift the guardrail or to hand out Owner.
func (w *work) adminRole(ctx context.Context, in *arm.Client, scope string, plain bool) (p arm.RoleAssignmentProperties, name, why string, err error) {
	role, name, condition := arm.RoleOwner, "Owner", ""
	why = "The first administrator of your Azure account owns the subscription. The guardrail is advisory: an owner can lift it."
	if !plain {
		role, name = arm.RoleDefinitionName(w.t.AzureID, "customer-owner"), roleRestricted
		why = "The first administrator of your Azure account owns the subscription, gives access to others and cannot lift the guardrail."
		condition = adminCondition(role, w.foreign(ctx, in, scope))
		if err := w.defineRole(ctx, in, scope, role); err != nil {
			return p, name, why, err
		}
	}
	p = arm.RoleAssignmentProperties{
		RoleDefinitionID: arm.RoleDefinitionID(w.o.Subscription, role), PrincipalID: w.t.AdminObject, PrincipalType: arm.PrincipalUser,
		Description: "Causeway: the customer's administrator", Condition: condition,
	}
	if condition != "" {
		p.ConditionVersion = "2.0"
	}
	return p, name, why, nil
}

// grantAdmin makes the customer's administrator owner of the subscription.
func (w *work) grantAdmin(ctx context.Context, in *arm.Client, scope string) error {
	rules, err := w.r.settings.Rules(ctx)
	if err != nil {
		return err
	}
	p, roleName, intentText, err := w.adminRole(ctx, in, scope, rules.AdminRole == partner.AdminOwner)
	if err != nil {
		return err
	}
	err = w.once(ctx, w.onThis(), "grant admin", func(ctx context.Context, it intent) (any, error) {
		a, err := in.EnsureRoleAssignment(ctx, it.id(), scope, p)
		return map[string]string{"assignment": a.Name}, err
	}, func(tx *store.Tx) error {
		err := w.r.providers.Grant(ctx, tx, w.o.Provider, w.t.ID, provider.Grant{
			Scope: scope, Principal: w.t.AdminObject, PrincipalName: w.t.AdminUPN, Role: roleName, Intent: intentText,
		})
		if err != nil {
			return err
		}
		if err := w.say(ctx, tx, provider.Warning, "We cannot see whether %s has a second factor. Turn on multi-factor sign-in at the first sign-in.", w.t.AdminUPN); err != nil {
			return err
		}
		return w.fact(ctx, tx, "%s: %s", w.t.AdminUPN, roleName)
	})
	if azure.HasCode(err, azure.CodeScopeNotAssignable, azure.CodeRoleUnknown) && w.s.Asked%lookAgain == lookAgain-1 {
		if serr := w.addScope(ctx, in, scope, arm.RoleDefinitionName(w.t.AzureID, "customer-owner")); serr != nil {
			return serr
		}
	}
	return err
}

// lookAgain is how many times a new role may be unknown before its definition is
// looked at again: mostly it is only slow.
const lookAgain = 8

// foreign is the partner's own principal, which the admin must not remove.
func (w *work) foreign(ctx context.Context, in *arm.Client, scope string) string {
	list, err := in.RoleAssignments(ctx, scope, "atScope()")
	if err != nil {
		return ""
	}
	for _, a := range list {
		if azure.SameWord(a.Properties.PrincipalType, arm.PrincipalForeignGroup) {
			return a.Properties.PrincipalID
		}
	}
	return ""
}

// adminCondition lets the admin give any role but Owner, User Access
// Administrator and the restricted one itself, and leaves the partner's access
// alone. Its exact text is not documented by example for this case; it is to be
// checked against the sandbox before production (docs/production.md).
func adminCondition(own, foreign string) string {
	roles := "{" + strings.Join([]string{arm.RoleOwner, arm.RoleUserAccessAdministrator, own}, ", ") + "}"
	rule := func(action, source string) string {
		c := "@" + source + "[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals " + roles
		if foreign != "" {
			c += " AND @" + source + "[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAllValues:GuidNotEquals {" + foreign + "}"
		}
		return "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/" + action + "'})) OR (" + c + "))"
	}
	return rule("write", "Request") + " AND " + rule("delete", "Resource")
}

// defineRole sees to it that the tenant's custom role may be assigned on this
// subscription. There is one definition per tenant whose scopes grow, so it is
// read and written while the tenant is held. A worker that stopped in between and
// wakes without its lease may still take a scope away: if Microsoft says so, the
// definition is looked at again.
func (w *work) defineRole(ctx context.Context, in *arm.Client, scope, name string) error {
	done, err := w.begun(ctx, w.onThis(), "role assignable")
	if err != nil || done {
		return err
	}
	return w.addScope(ctx, in, scope, name)
}

// addScope writes the role's definition with this scope among those it has.
func (w *work) addScope(ctx context.Context, in *arm.Client, scope, name string) error {
	held, err := w.hold(ctx)
	if err != nil {
		return err
	}
	if !held {
		return w.behind(ctx)
	}
	scopes, err := w.roleScopes(ctx, in, name)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(scopes, func(s string) bool { return strings.EqualFold(s, scope) }) {
		p := arm.RoleDefinitionProperties{
			RoleName: "Causeway Customer Owner", Type: "CustomRole",
			Description:      "Owner of a subscription who cannot lift the guardrail.",
			Permissions:      []arm.Permission{{Actions: []string{"*"}, NotActions: notActions}},
			AssignableScopes: append(scopes, scope),
		}
		if _, err := in.PutRoleDefinition(ctx, azure.NewRequestID(), scope, name, p); err != nil {
			return err
		}
	}
	it, err := w.intend(ctx, w.onThis(), "role assignable")
	if err != nil {
		return err
	}
	if it.done { // looked at again
		return w.tx(ctx, func(tx *store.Tx) error { return w.free(ctx, tx) })
	}
	return w.confirm(ctx, it, struct{}{}, func(tx *store.Tx) error { return w.free(ctx, tx) })
}

// roleScopes are the scopes of the role's definition as it is, none if there is no
// definition. Only Microsoft's word that it is not there counts as that: a read that
// failed tells nothing, and a definition written without the others' scopes would
// take the role from them.
func (w *work) roleScopes(ctx context.Context, in *arm.Client, name string) ([]string, error) {
	subscriptions, err := w.subscriptionsOfTenant(ctx)
	if err != nil {
		return nil, err
	}
	for i, s := range subscriptions { // a definition is found on any subscription that it may be assigned on
		have, err := in.RoleDefinition(ctx, arm.SubscriptionScope(s), name)
		gone := i > 0 && azure.HasCode(err, azure.CodeSubscriptionUnknown, azure.CodeAuthorizationFailed) // another's, ended or closed to us
		switch {
		case err == nil:
			return have.Properties.AssignableScopes, nil
		case !gone && !azure.HasCode(err, azure.CodeRoleUnknown):
			return nil, err
		}
	}
	return nil, nil
}

// subscriptionsOfTenant lists ours first, then those of the other onboardings.
func (w *work) subscriptionsOfTenant(ctx context.Context) ([]string, error) {
	rows, err := sqlc.New(w.r.db.Read()).OthersOnTenant(ctx, sqlc.OthersOnTenantParams{Tenant: w.t.ID, ID: string(w.o.ID)})
	if err != nil {
		return nil, err
	}
	ids := []string{w.o.Subscription}
	for _, r := range rows {
		if r.Subscription != "" {
			ids = append(ids, r.Subscription)
		}
	}
	return ids, nil
}

// mendCredentials sets a new first password where the answer with Microsoft's
// own was lost. It is sealed before it is sent: a password that works and that
// nobody knows would be worse than one that is known and not yet set.
func (w *work) mendCredentials(ctx context.Context) error {
	in, err := w.readIntent(ctx, w.onTenant(), "create-customer")
	if err != nil {
		return err
	}
	var b birth
	if err := in.result(&b); err != nil || b.Credentials {
		return err
	}
	done, err := w.readIntent(ctx, w.onTenant(), "new-password")
	if err != nil || done.done {
		return err
	}
	held, err := w.hold(ctx)
	if err != nil {
		return err
	}
	if !held {
		return w.behind(ctx)
	}
	password := ""
	if w.t.Credentials != "" {
		password, err = w.r.ring.Open(w.t.Credentials, "tenant:"+w.t.ID)
	} else {
		password, err = newPassword()
	}
	if err != nil {
		return err
	}
	sealed, err := w.r.ring.Seal(password, "tenant:"+w.t.ID)
	if err != nil {
		return err
	}
	err = w.tx(ctx, func(tx *store.Tx) error {
		return changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Credentials = sealed; return nil })
	})
	if err != nil {
		return err
	}
	return w.once(ctx, w.onTenant(), "new-password", func(ctx context.Context, it intent) (any, error) {
		_, err := w.r.pc.UpdateUser(ctx, it.id(), w.t.AzureID, w.t.AdminObject, partnercenter.CustomerUser{
			PasswordProfile: &partnercenter.PasswordProfile{Password: azure.Secret(password), ForceChangePassword: true},
			Attributes:      partnercenter.Attributes{ObjectType: "CustomerUser"},
		})
		return struct{}{}, err
	}, func(tx *store.Tx) error {
		if err := w.free(ctx, tx); err != nil {
			return err
		}
		return w.fact(ctx, tx, "New first password set and sealed")
	})
}

// newPassword has 20 characters of four kinds, none of which look alike.
func newPassword() (string, error) {
	kinds := []string{"abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", "*-+!?"}
	var b strings.Builder
	for i := range 20 {
		set := kinds[i%len(kinds)]
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(set))))
		if err != nil {
			return "", err
		}
		b.WriteByte(set[n.Int64()])
	}
	return b.String(), nil
}

// setBudget tells Microsoft the month's budget of the customer: the sum over its
// subscriptions, since Partner Center knows one budget per customer.
func (w *work) setBudget(ctx context.Context) error {
	rows, err := sqlc.New(w.r.db.Read()).OthersOnTenant(ctx, sqlc.OthersOnTenantParams{Tenant: w.t.ID, ID: string(w.o.ID)})
	if err != nil {
		return err
	}
	sum := w.o.Budget
	for _, row := range rows {
		o, err := onboarding(row)
		if err != nil {
			return err
		}
		if o.Subscription == "" || o.State == Cancelling {
			continue
		}
		if more, err := sum.Add(o.Budget); err == nil { // another currency has a budget of its own at Microsoft
			sum = more
		}
	}
	err = w.once(ctx, w.onThis(), "budget", func(ctx context.Context, it intent) (any, error) {
		_, err := w.r.pc.SetUsageBudget(ctx, it.id(), w.t.AzureID, azure.Number(sum.Text()))
		return sum, err
	}, nil)
	if err != nil {
		return err
	}
	return w.tx(ctx, func(tx *store.Tx) error { return w.fact(ctx, tx, "Budget %s a month", w.o.Budget) })
}

// readIntent reads an intent without beginning it.
func (w *work) readIntent(ctx context.Context, scope, name string) (intent, error) {
	rows, err := sqlc.New(w.r.db.Read()).Intents(ctx, scope)
	if err != nil {
		return intent{}, err
	}
	for _, r := range rows {
		if r.Name == name {
			return intent{row: r, done: r.State == intentConfirmed, doubt: r.State == intentSent || r.State == intentUnknown}, nil
		}
	}
	return intent{}, nil
}
