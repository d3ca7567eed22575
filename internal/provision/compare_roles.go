package provision

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
)

// roles reads the role assignments of a subscription. The platform's own role
// costs no redemption of the person's token; where it is gone, the partner's
// inherited one still sees.
func (l *look) roles(t Tenant, subscription string) (*arm.Client, []arm.RoleAssignment, error) {
	var first error
	for _, as := range []azure.Identity{azure.AppOnly, azure.AppUser} {
		in := l.r.arm.In(t.AzureID, as)
		list, err := in.RoleAssignments(l.ctx, arm.SubscriptionScope(subscription), "atScope()")
		if err == nil {
			return in, list, nil
		}
		if !refused(err) {
			return nil, nil, err
		}
		first = errors.Join(first, err)
	}
	return nil, nil, first
}

// compareRoles compares each recorded grant with what is assigned, by principal and role.
func (l *look) compareRoles(t Tenant, o sqlc.Onboarding, grants []provider.Grant, have []arm.RoleAssignment, base Difference, add func(Difference)) {
	key := func(principal, role string) string { return strings.ToLower(principal) + ":" + role }
	assigned, recorded := map[string]arm.RoleAssignment{}, map[string]bool{}
	for _, a := range have {
		assigned[key(a.Properties.PrincipalID, roleTitle(t, a.Properties.RoleDefinitionID))] = a
	}
	for _, g := range grants {
		k := key(g.Principal, g.Role)
		recorded[k] = true
		a, ok := assigned[k]
		loose := ok && g.Role == roleRestricted && a.Properties.Condition == ""
		if ok && !loose {
			continue
		}
		d := base
		d.Kind, d.Object = DiffGrant, under(o.Subscription, "grant:"+k)
		d.About = About{Subscription: o.Subscription, Scope: g.Scope, Principal: g.Principal, Role: g.Role, Name: g.PrincipalName, Missing: true}
		d.Text = fmt.Sprintf("%s has the role %s on “%s” here and not at Microsoft.", g.PrincipalName, g.Role, o.Name)
		d.Proposal, d.Fixes, d.Remedy = FixRepair, []Fix{FixRepair, FixAdopt, FixIgnore}, "Give the role again."
		switch {
		case loose:
			d.Text = fmt.Sprintf("%s has the role %s on “%s” without the condition that keeps it from giving Owner to others.", g.PrincipalName, g.Role, o.Name)
			d.Fixes, d.Remedy = []Fix{FixRepair, FixIgnore}, "Put the condition back."
			d.About.Status = "no condition"
		case o.Imported || !azure.SameID(g.Principal, t.Principal) && !azure.SameID(g.Principal, t.AdminObject):
			d.Proposal, d.Fixes = FixAdopt, []Fix{FixAdopt, FixIgnore}
			d.Remedy = "Write down that it is gone. If it was the partner's own role, support and partner credit end with it: ask the customer to give it back."
		}
		add(d)
	}
	for _, k := range slices.Sorted(maps.Keys(assigned)) {
		if recorded[k] {
			continue
		}
		a := assigned[k].Properties
		d := base
		d.Kind, d.Object = DiffGrant, under(o.Subscription, "grant:"+k)
		d.About = About{Subscription: o.Subscription, Scope: arm.SubscriptionScope(o.Subscription), Principal: a.PrincipalID, Role: roleTitle(t, a.RoleDefinitionID), Kind: a.PrincipalType}
		d.Text = fmt.Sprintf("%s %s has the role %s on “%s” at Microsoft, which is not recorded here.", principalWord(a.PrincipalType), a.PrincipalID, d.About.Role, o.Name)
		d.Proposal, d.Fixes, d.Remedy = FixAdopt, []Fix{FixAdopt, FixIgnore}, "Write the role down, so that the customer sees it on the provider's page."
		d.Evidence = Evidence{At: a.CreatedOn.Time, By: a.CreatedBy}
		add(d)
	}
}

func principalWord(kind string) string {
	switch {
	case azure.SameWord(kind, arm.PrincipalUser):
		return "The user"
	case azure.SameWord(kind, arm.PrincipalGroup):
		return "The group"
	case azure.SameWord(kind, arm.PrincipalForeignGroup):
		return "The partner's group"
	case azure.SameWord(kind, arm.PrincipalServicePrincipal):
		return "The application"
	}
	return "The principal"
}

// roleRestricted is how the restricted owner's role is recorded.
const roleRestricted = "Owner, without lifting the guardrail"

// roleTitle is a role as grants record it.
func roleTitle(t Tenant, definition string) string {
	id := definition[strings.LastIndexByte(definition, '/')+1:]
	switch strings.ToLower(id) {
	case arm.RoleOwner:
		return "Owner"
	case arm.RoleContributor:
		return "Contributor"
	case arm.RoleReader:
		return "Reader"
	case arm.RoleUserAccessAdministrator:
		return "User Access Administrator"
	case arm.RoleSupportRequestContributor:
		return "Support Request Contributor"
	case arm.RoleCostManagementReader:
		return "Cost Management Reader"
	case strings.ToLower(arm.RoleDefinitionName(t.AzureID, "customer-owner")):
		return roleRestricted
	}
	return id
}
