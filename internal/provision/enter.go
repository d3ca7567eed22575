package provision

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/guardrail"
	"causeway/internal/provider"
	"causeway/internal/store"
)

// associate makes it certain who pays. The tenant's own association began with
// the tenant, so that no usage is nobody's; a subscription has one of its own
// only where another account pays for it.
func (w *work) associate(ctx context.Context) error {
	return w.tx(ctx, func(tx *store.Tx) error {
		if err := w.tenantPayer(ctx, tx); err != nil {
			return err
		}
		payer, from := w.t.Account, provider.DayOf(w.t.BornAt)
		if w.o.Account != w.t.Account {
			payer, from = w.o.Account, provider.DayOf(w.r.now())
			a := provider.Association{Tenant: w.t.ID, Entitlement: w.o.Subscription, Account: payer, Org: w.o.Org, Provider: w.o.Provider, From: from}
			if err := w.r.providers.Confirm(ctx, tx, a); err != nil {
				return err
			}
		}
		return w.fact(ctx, tx, "%s pays from %s, 00:00 UTC", payer, from)
	})
}

// tenantPayer confirms who pays for the tenant itself, from the day it was born.
func (w *work) tenantPayer(ctx context.Context, tx *store.Tx) error {
	return w.r.providers.Confirm(ctx, tx, provider.Association{
		Tenant: w.t.ID, Account: w.t.Account, Org: w.o.Org, Provider: w.o.Provider, From: provider.DayOf(w.t.BornAt),
	})
}

// rolesOfGDAP are the least that our calls need: consent for our application,
// and reading who the tenant's people are.
var rolesOfGDAP = []string{graph.RoleCloudApplicationAdministrator, graph.RoleDirectoryReaders, graph.RoleUserAdministrator}

// enter opens the tenant and the subscription to the platform.
func (w *work) enter(ctx context.Context) error {
	if err := w.toStage(ctx, StageEntered, w.enterTenant); err != nil {
		return err
	}
	in := w.r.arm.In(w.t.AzureID, azure.AppUser)
	scope := arm.SubscriptionScope(w.o.Subscription)
	if err := w.seeAOBO(ctx, in, scope); err != nil {
		return err
	}
	if err := w.registerProviders(ctx, in); err != nil {
		return err
	}
	return w.rename(ctx, in)
}

func (w *work) enterTenant(ctx context.Context) error {
	ms, err := w.r.settings.Microsoft(ctx)
	if err != nil {
		return err
	}
	if ms.GDAPGroup == "" {
		return stuck("gdap_group", "The partner's settings name no security group for delegated administration.", "Enter its object id in the settings (causeway doctor tells more), then try again.")
	}
	rel, err := w.relationship(ctx)
	if err != nil {
		return err
	}
	if err := w.assignAccess(ctx, rel, ms.GDAPGroup); err != nil {
		return err
	}
	if err := w.consent(ctx, ms.AppID); err != nil {
		return err
	}
	// AADSTS65001 and 700016 for some minutes: judged as "not yet".
	oid, err := w.r.tokens.Principal(ctx, w.t.AzureID)
	if err != nil {
		return err
	}
	return w.tx(ctx, func(tx *store.Tx) error {
		err := changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Principal, t.Relationship = oid, rel.ID; return nil })
		if err != nil {
			return err
		}
		w.t.Principal, w.t.Relationship = oid, rel.ID
		return w.fact(ctx, tx, "Delegated roles and application consent")
	})
}

// relationship is the active GDAP relationship that was born with the tenant.
func (w *work) relationship(ctx context.Context) (graph.Relationship, error) {
	all, err := w.r.graph.RelationshipsOf(ctx, w.t.AzureID)
	if err != nil {
		return graph.Relationship{}, err
	}
	for _, r := range all {
		if azure.SameWord(r.Status, graph.StatusActive) {
			return r, nil
		}
	}
	return graph.Relationship{}, w.pause("Microsoft has not opened the delegated administration yet.", 30*time.Minute)
}

// assignAccess gives the partner's group its roles. Microsoft has no idempotency
// here, so it is looked for before it is made.
func (w *work) assignAccess(ctx context.Context, rel graph.Relationship, group string) error {
	var roles []string
	for _, r := range rolesOfGDAP {
		if rel.AccessDetails.Has(r) {
			roles = append(roles, r)
		}
	}
	if !slices.Contains(roles, graph.RoleCloudApplicationAdministrator) {
		return stuck("gdap", "The delegated administration does not include Cloud application administrator.", "Ask the customer to approve a relationship that has it, then try again.")
	}
	ours, found, err := w.ourAssignment(ctx, rel, group)
	if err != nil {
		return err
	}
	if !found {
		err := w.once(ctx, w.onTenant(), "access-assignment", func(ctx context.Context, in intent) (any, error) {
			a, err := w.r.graph.CreateAccessAssignment(ctx, in.id(), rel.ID, group, graph.Roles(roles...))
			if e := azure.AsError(err); e != nil && e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests && e.Status != http.StatusForbidden {
				// Up to 8 minutes after the activation: "access container does not exist".
				return nil, w.pause("Microsoft does not take the group's roles yet.", 20*time.Minute)
			}
			return map[string]string{"assignment": a.ID}, err
		}, nil)
		if err != nil {
			return err
		}
		if ours, found, err = w.ourAssignment(ctx, rel, group); err != nil {
			return err
		}
	}
	switch {
	case found && azure.SameWord(ours.Status, graph.AssignmentActive):
		return nil
	case found && azure.SameWord(ours.Status, graph.AssignmentError):
		return stuck("gdap", "Microsoft could not give the partner's group its roles.", "See in Partner Center whether the group still exists, then try again.")
	}
	return w.pause("Microsoft gives the partner's group its roles.", 30*time.Minute)
}

func (w *work) ourAssignment(ctx context.Context, rel graph.Relationship, group string) (graph.AccessAssignment, bool, error) {
	list, err := w.r.graph.AccessAssignments(ctx, rel.ID)
	for _, a := range list {
		if azure.SameID(a.AccessContainer.AccessContainerID, group) && !azure.SameWord(a.Status, graph.AssignmentDeleted) && !azure.SameWord(a.Status, graph.AssignmentDeleting) {
			return a, true, err
		}
	}
	return graph.AccessAssignment{}, false, err
}

// consent lets our application into the tenant. Refusals right after the roles
// were given are Microsoft's copying, not final.
func (w *work) consent(ctx context.Context, app string) error {
	return w.once(ctx, w.onTenant(), "consent", func(ctx context.Context, in intent) (any, error) {
		_, err := w.r.pc.Consent(ctx, in.id(), w.t.AzureID, partnercenter.ApplicationConsent{
			ApplicationID: app, DisplayName: "Causeway",
			ApplicationGrants: []partnercenter.ApplicationGrant{
				{EnterpriseApplicationID: partnercenter.AppAzureManagement, Scope: "user_impersonation"},
				{EnterpriseApplicationID: partnercenter.AppMicrosoftGraph, Scope: "Directory.Read.All"},
			},
		})
		if azure.IsStatus(err, http.StatusForbidden) || azure.IsStatus(err, http.StatusUnauthorized) || azure.IsNotFound(err) {
			return nil, w.pause("Microsoft does not take our application's consent yet.", 20*time.Minute)
		}
		if err != nil {
			return nil, err
		}
		return struct{}{}, w.r.tokens.DropTenant(ctx, w.t.AzureID) // tokens from before do not know the consent
	}, nil)
}

// seeAOBO records the access that the partner has from birth: Owner for the
// partner's AdminAgents group, a foreign principal.
func (w *work) seeAOBO(ctx context.Context, in *arm.Client, scope string) error {
	list, err := in.RoleAssignments(ctx, scope, "atScope()")
	if err != nil {
		return err
	}
	for _, a := range list {
		if azure.SameWord(a.Properties.PrincipalType, arm.PrincipalForeignGroup) && a.Gives(scope, a.Properties.PrincipalID, arm.RoleOwner) {
			brand, err := w.r.settings.Brand(ctx)
			if err != nil {
				return err
			}
			return w.tx(ctx, func(tx *store.Tx) error {
				return w.r.providers.Grant(ctx, tx, w.o.Provider, w.t.ID, provider.Grant{
					Scope: scope, Principal: a.Properties.PrincipalID, PrincipalName: "Administrators of " + brand.Partner, Role: "Owner",
					Intent: "Microsoft gives it to the partner of every subscription, so that it can support you and is paid for it. You can take it away; support then ends.",
				})
			})
		}
	}
	return w.pause("Microsoft has not entered the partner's access yet.", 30*time.Minute)
}

// registerProviders opens the kinds of service that the guardrail offers;
// without it nothing of them can be deployed.
func (w *work) registerProviders(ctx context.Context, in *arm.Client) error {
	c, err := w.r.guard.Catalogue(ctx)
	if err != nil {
		return err
	}
	spaces := namespaces(c)
	missing := 0
	for _, ns := range spaces {
		err := w.once(ctx, w.onThis(), "register "+ns, func(ctx context.Context, it intent) (any, error) {
			_, err := in.RegisterProvider(ctx, it.id(), w.o.Subscription, ns)
			return struct{}{}, err
		}, nil)
		if err != nil {
			return err
		}
		done, err := w.begun(ctx, w.onThis(), "registered "+ns)
		if err != nil {
			return err
		}
		if done {
			continue
		}
		p, err := in.Provider(ctx, w.o.Subscription, ns)
		if err != nil {
			return err
		}
		if !azure.SameWord(p.RegistrationState, arm.ProviderRegistered) {
			missing++
			continue
		}
		err = w.once(ctx, w.onThis(), "registered "+ns, func(context.Context, intent) (any, error) { return struct{}{}, nil }, nil)
		if err != nil {
			return err
		}
	}
	if missing > 0 {
		return w.pause(fmt.Sprintf("Microsoft opens the services: %d of %d are ready.", len(spaces)-missing, len(spaces)), 45*time.Minute)
	}
	return w.tx(ctx, func(tx *store.Tx) error { return w.fact(ctx, tx, "%d resource providers registered", len(spaces)) })
}

// namespaces of the resource types on offer, e.g. Microsoft.Compute, and the one
// that answers whether the guardrail holds; what every subscription has by
// itself is left out.
func namespaces(c guardrail.Catalogue) []string {
	all := []string{"Microsoft.PolicyInsights"}
	for _, t := range c.Types() {
		ns, _, _ := strings.Cut(t, "/")
		if !strings.EqualFold(ns, "Microsoft.Resources") && !strings.EqualFold(ns, "Microsoft.Authorization") {
			all = append(all, ns)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// rename gives the subscription the provider's name (N-14).
func (w *work) rename(ctx context.Context, in *arm.Client) error {
	sub, err := in.Subscription(ctx, w.o.Subscription)
	if err != nil {
		return err
	}
	if sub.DisplayName != w.o.Name {
		err := w.once(ctx, w.onThis(), "rename", func(ctx context.Context, it intent) (any, error) {
			return struct{}{}, in.RenameSubscription(ctx, it.id(), w.o.Subscription, w.o.Name)
		}, nil)
		if err != nil {
			return err
		}
	}
	return w.tx(ctx, func(tx *store.Tx) error { return w.fact(ctx, tx, "Subscription renamed to “%s”", w.o.Name) })
}
