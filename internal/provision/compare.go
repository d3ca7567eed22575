package provision

import (
	"context"
	"fmt"
	"strings"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/guardrail"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
)

// Difference is something that is so here and not so at Microsoft, or the other
// way round.
type Difference struct {
	Object string `json:"object"` // customer:<id>, subscription:<id>, …
	Text   string `json:"text"`
}

// Compare holds what we have written against what Microsoft has, in both
// directions: customers, plans, subscriptions, access, guardrail. It changes
// nothing. Onboardings that still run are left out: they are on their way.
func (r *Runner) Compare(ctx context.Context) ([]Difference, error) {
	ctx = azure.WithCorrelation(ctx, azure.NewCorrelationID())
	rows, err := sqlc.New(r.db.Read()).LiveTenants(ctx)
	if err != nil {
		return nil, err
	}
	tenants, err := all(rows, tenant)
	if err != nil {
		return nil, err
	}
	var found []Difference
	ours := map[string]bool{}
	for _, t := range tenants {
		ours[strings.ToLower(t.AzureID)] = true
		d, err := r.compareTenant(ctx, t)
		if err != nil {
			return found, fmt.Errorf("compare %s: %w", t.Domain, err)
		}
		found = append(found, d...)
	}
	for c, err := range r.pc.Customers(ctx, partnercenter.CustomerQuery{Size: 500}) {
		if err != nil {
			return found, err
		}
		if !ours[strings.ToLower(c.ID)] {
			found = append(found, Difference{"customer:" + c.ID, fmt.Sprintf("Microsoft has the customer %s (%s), which is not known here.", c.CompanyProfile.CompanyName, c.CompanyProfile.Domain)})
		}
	}
	return found, nil
}

func (r *Runner) compareTenant(ctx context.Context, t Tenant) ([]Difference, error) {
	var found []Difference
	add := func(object, format string, args ...any) {
		found = append(found, Difference{object, fmt.Sprintf(format, args...)})
	}
	c, err := r.pc.Customer(ctx, t.AzureID)
	if azure.IsNotFound(err) || azure.HasCode(err, "20002") {
		add("customer:"+t.AzureID, "The customer %s is not at Microsoft.", t.Domain)
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(c.CompanyProfile.Domain, t.Domain) {
		add("customer:"+t.AzureID, "Its domain is %s here and %s at Microsoft.", t.Domain, c.CompanyProfile.Domain)
	}
	onboardings, err := sqlc.New(r.db.Read()).OthersOnTenant(ctx, sqlc.OthersOnTenantParams{Tenant: t.ID})
	if err != nil {
		return nil, err
	}
	running := false
	known := map[string]sqlc.Onboarding{}
	for _, o := range onboardings {
		if State(o.State) == Ready {
			known[strings.ToLower(o.Subscription)] = o
		} else {
			running = true
		}
	}
	if running || t.Plan == "" {
		return found, nil // on its way, or cancelled before a plan was bought
	}
	active, err := r.compareEntitlements(ctx, t, known, add)
	if err != nil {
		return nil, err
	}
	for id, o := range known {
		if active[id] {
			if err := r.compareAccess(ctx, t, o, add); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func (r *Runner) compareEntitlements(ctx context.Context, t Tenant, known map[string]sqlc.Onboarding, add func(string, string, ...any)) (map[string]bool, error) {
	plan, err := r.pc.Subscription(ctx, t.AzureID, t.Plan)
	if err != nil {
		return nil, err
	}
	if want := map[bool]string{true: partnercenter.StatusActive, false: partnercenter.StatusSuspended}[len(known) > 0]; !azure.SameWord(plan.Status, want) {
		add("plan:"+t.Plan, "The Azure plan of %s should be %s and is %s at Microsoft.", t.Domain, want, plan.Status)
	}
	list, err := r.pc.AzureEntitlements(ctx, t.AzureID, t.Plan)
	if err != nil {
		return nil, err
	}
	active := map[string]bool{}
	for _, e := range list {
		if !azure.SameWord(e.Status, partnercenter.StatusActive) {
			continue
		}
		id := strings.ToLower(e.ID)
		active[id] = true
		if _, ok := known[id]; !ok {
			add("subscription:"+e.ID, "Microsoft has the subscription “%s” in %s, which is not known here.", e.FriendlyName, t.Domain)
		}
	}
	for id, o := range known {
		if !active[id] {
			add("subscription:"+id, "“%s” is ready here and not active at Microsoft.", o.Name)
		}
	}
	return active, nil
}

// compareAccess looks for every recorded grant, and for the guardrail.
func (r *Runner) compareAccess(ctx context.Context, t Tenant, o sqlc.Onboarding, add func(string, string, ...any)) error {
	in := r.arm.In(t.AzureID, azure.AppUser)
	scope := arm.SubscriptionScope(o.Subscription)
	have, err := in.RoleAssignments(ctx, scope, "atScope()")
	if err != nil {
		return err
	}
	grants, err := r.providers.Grants(ctx, provider.ID(o.Provider))
	if err != nil {
		return err
	}
	recorded := map[string]bool{}
	for _, g := range grants {
		recorded[strings.ToLower(g.Principal)] = true
		found := false
		for _, a := range have {
			found = found || azure.SameID(a.Properties.PrincipalID, g.Principal)
		}
		if !found {
			add("grant:"+g.Principal, "%s has %s on “%s” here and not at Microsoft.", g.PrincipalName, g.Role, o.Name)
		}
	}
	for _, a := range have {
		if !recorded[strings.ToLower(a.Properties.PrincipalID)] {
			add("grant:"+a.Properties.PrincipalID, "Somebody (%s) has a role on “%s” at Microsoft that is not recorded here.", a.Properties.PrincipalID, o.Name)
		}
	}
	sub, err := in.Subscription(ctx, o.Subscription)
	if err != nil {
		return err
	}
	if sub.DisplayName != o.Name {
		add("subscription:"+o.Subscription, "It is called “%s” here and “%s” at Microsoft.", o.Name, sub.DisplayName)
	}
	c, err := r.guard.Catalogue(ctx)
	if err != nil {
		return err
	}
	policies, err := in.PolicyAssignments(ctx, scope)
	if err != nil {
		return err
	}
	for _, want := range guardrail.Compile(c).Assignments {
		found := false
		for _, p := range policies {
			found = found || strings.EqualFold(p.Name, want.Name)
		}
		if !found {
			add("policy:"+want.Name, "The policy “%s” is not assigned to “%s” at Microsoft.", want.DisplayName, o.Name)
		}
	}
	return nil
}
