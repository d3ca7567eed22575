package contract_test

import (
	"encoding/json"
	"slices"
	"testing"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/sim"
)

// customer gives a customer with a plan.
func (w *world) customer(t *testing.T) (id, plan, subscription string) {
	t.Helper()
	c, err := w.pc.CreateCustomer(t.Context(), azure.NewRequestID(), contoso())
	if err != nil {
		t.Fatal(err)
	}
	w.sign(t, c.ID)
	plan, subscription = w.buy(t, c.ID)
	return c.ID, plan, subscription
}

// enter gives the partner's group its roles and our application its consent.
func (w *world) enter(t *testing.T, customer string) {
	t.Helper()
	ctx := t.Context()
	g := graph.New(w.pipe)
	found, err := g.RelationshipsOf(ctx, customer)
	if err != nil || len(found) != 1 || found[0].Status != graph.StatusActive || !found[0].AccessDetails.Has(graph.RoleCloudApplicationAdministrator) {
		t.Fatalf("relationships: %+v, %v", found, err)
	}
	grants := partnercenter.ApplicationConsent{ApplicationID: sim.DefaultAppID, DisplayName: "Causeway", ApplicationGrants: []partnercenter.ApplicationGrant{
		{EnterpriseApplicationID: partnercenter.AppAzureManagement, Scope: "user_impersonation"},
	}}
	if _, err := w.pc.Consent(ctx, azure.NewRequestID(), customer, grants); err == nil {
		t.Error("a consent without a directory role is taken")
	}
	a, err := g.CreateAccessAssignment(ctx, azure.NewRequestID(), found[0].ID, sim.DefaultGDAPGroup, graph.Roles(graph.RoleCloudApplicationAdministrator, graph.RoleDirectoryReaders))
	if err != nil || a.ID == "" {
		t.Fatalf("access assignment: %+v, %v", a, err)
	}
	if a, err = g.AccessAssignment(ctx, found[0].ID, a.ID); err != nil || a.Status != graph.AssignmentActive || a.ETag == "" {
		t.Fatalf("access assignment: %+v, %v", a, err)
	}
	if list, err := g.AccessAssignments(ctx, found[0].ID); err != nil || len(list) != 1 {
		t.Errorf("access assignments: %+v, %v", list, err)
	}
	if _, err := arm.New(w.pipe).In(customer, azure.AppUser).Subscriptions(ctx); azure.Classify(err) != azure.R3 {
		t.Errorf("a token of the tenant before the consent: %v", err)
	}
	if existed, err := w.pc.Consent(ctx, azure.NewRequestID(), customer, grants); err != nil || existed {
		t.Fatalf("consent: existed %v, %v", existed, err)
	}
	if existed, err := w.pc.Consent(ctx, azure.NewRequestID(), customer, grants); err != nil || !existed {
		t.Errorf("the consent again: existed %v, %v", existed, err)
	}
	if err := w.custody.DropTenant(ctx, customer); err != nil {
		t.Fatal(err)
	}
}

func TestInsideACustomersAzure(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	customer, _, first := w.customer(t)
	w.enter(t, customer)
	home, there := arm.New(w.pipe), arm.New(w.pipe).In(customer, azure.AppUser)

	accounts, err := home.BillingAccounts(ctx)
	if err != nil || !slices.ContainsFunc(accounts, arm.BillingAccount.IsPartner) {
		t.Fatalf("billing accounts: %+v, %v", accounts, err)
	}
	account := accounts[slices.IndexFunc(accounts, arm.BillingAccount.IsPartner)].Name
	billed, err := home.BillingCustomer(ctx, account, customer)
	if err != nil || !azure.SameID(billed.Name, customer) || len(billed.Properties.EnabledAzurePlans) != 1 {
		t.Errorf("billing customer: %+v, %v", billed, err)
	}

	name := arm.AliasName("subscription-2")
	want := arm.NewSubscription{DisplayName: "Contoso test", Workload: arm.WorkloadProduction, BillingScope: arm.BillingScope(account, customer)}
	alias, err := home.CreateAlias(ctx, azure.NewRequestID(), name, want)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := home.CreateAlias(ctx, azure.NewRequestID(), name, want); err != nil {
		t.Fatal(err)
	}
	again, err := home.Alias(ctx, name)
	if err != nil || again.Properties.ProvisioningState != arm.AliasSucceeded || again.Properties.SubscriptionID == "" {
		t.Fatalf("alias: %+v, %v", again, err)
	}
	if id := alias.Properties.SubscriptionID; id != "" && !azure.SameID(id, again.Properties.SubscriptionID) {
		t.Error("one name made two subscriptions")
	}

	if _, err := home.Subscription(ctx, first); !azure.HasCode(err, "InvalidAuthenticationTokenTenant") || !azure.SameID(arm.RightTenant(err), customer) {
		t.Errorf("with the partner's token: %v, right tenant %q", err, arm.RightTenant(err))
	}
	if err := there.RenameSubscription(ctx, azure.NewRequestID(), first, "Contoso production"); err != nil {
		t.Errorf("rename: %v", err)
	}
	s, err := there.Subscription(ctx, first)
	if err != nil || s.State != arm.StateEnabled || s.DisplayName != "Contoso production" || !azure.SameID(s.TenantID, customer) {
		t.Errorf("subscription: %+v, %v", s, err)
	}
	if all, err := there.Subscriptions(ctx); err != nil || len(all) != 2 {
		t.Errorf("subscriptions: %+v, %v", all, err)
	}
	if _, err := there.CheckPolicy(ctx, first, arm.Resource{Type: "Microsoft.Web/sites"}, ""); azure.Classify(err) != azure.R3 || !azure.HasCode(err, "MissingSubscriptionRegistration") {
		t.Errorf("asked of policy before its provider is registered: %v", err)
	}
	for _, namespace := range []string{"Microsoft.Compute", "Microsoft.Storage", "Microsoft.PolicyInsights"} {
		if _, err := there.RegisterProvider(ctx, azure.NewRequestID(), first, namespace); err != nil {
			t.Errorf("register: %v", err)
		}
	}
	if p, err := there.Provider(ctx, first, "Microsoft.Compute"); err != nil || p.RegistrationState != arm.ProviderRegistered {
		t.Errorf("provider: %+v, %v", p, err)
	}
	w.roles(t, there, customer, first)
	w.policy(t, there, first)

	if err := there.CancelSubscription(ctx, azure.NewRequestID(), first); err != nil {
		t.Errorf("cancel: %v", err)
	}
	if err := there.EnableSubscription(ctx, azure.NewRequestID(), first); err != nil {
		t.Errorf("enable: %v", err)
	}
}

func (w *world) roles(t *testing.T, there *arm.Client, customer, subscription string) {
	t.Helper()
	ctx, scope := t.Context(), arm.SubscriptionScope(subscription)
	from, err := there.RoleAssignments(ctx, scope, "atScope()")
	if err != nil || !slices.ContainsFunc(from, func(a arm.RoleAssignment) bool {
		return a.Properties.PrincipalType == arm.PrincipalForeignGroup && a.Gives(scope, a.Properties.PrincipalID, arm.RoleOwner)
	}) {
		t.Errorf("no Owner for the partner from birth: %+v, %v", from, err)
	}
	us, err := w.custody.Principal(ctx, customer)
	if err != nil {
		t.Fatal(err)
	}
	mine := arm.RoleAssignmentProperties{RoleDefinitionID: arm.RoleDefinitionID(subscription, arm.RoleContributor), PrincipalID: us, PrincipalType: arm.PrincipalServicePrincipal}
	stranger, err := there.PutRoleAssignment(ctx, azure.NewRequestID(), scope, arm.Name("another", "name"), mine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.PutRoleAssignment(ctx, azure.NewRequestID(), scope, arm.AssignmentName(scope, us, arm.RoleContributor), mine); !azure.HasCode(err, azure.CodeRoleAssigned) {
		t.Errorf("the same under another name: %v", err)
	}
	if got, err := there.EnsureRoleAssignment(ctx, azure.NewRequestID(), scope, mine); err != nil || got.Name != stranger.Name {
		t.Errorf("it is not read and compared: %+v, %v", got, err)
	}
	if err := there.DeleteRoleAssignment(ctx, azure.NewRequestID(), scope, stranger.Name); err != nil {
		t.Errorf("delete: %v", err)
	}
	got, err := there.EnsureRoleAssignment(ctx, azure.NewRequestID(), scope, mine)
	if err != nil || got.Name != arm.AssignmentName(scope, us, arm.RoleContributor) {
		t.Errorf("ensure: %+v, %v", got, err)
	}
	if _, err := arm.New(w.pipe).In(customer, azure.AppOnly).Subscription(ctx, subscription); err != nil {
		t.Errorf("our principal cannot enter: %v", err)
	}
	role := arm.RoleDefinitionName(customer, "owner")
	made, err := there.PutRoleDefinition(ctx, azure.NewRequestID(), scope, role, arm.RoleDefinitionProperties{
		RoleName: "Customer Owner", Permissions: []arm.Permission{{Actions: []string{"*"}, NotActions: []string{"Microsoft.Authorization/policyAssignments/write"}}},
		AssignableScopes: []string{scope},
	})
	if err != nil || made.Properties.Type != "CustomRole" {
		t.Errorf("role: %+v, %v", made, err)
	}
	if list, err := there.RoleDefinitions(ctx, scope, "roleName eq 'Customer Owner'"); err != nil || len(list) != 1 {
		t.Errorf("roles: %+v, %v", list, err)
	}
}

func (w *world) policy(t *testing.T, there *arm.Client, subscription string) {
	t.Helper()
	ctx, scope := t.Context(), arm.SubscriptionScope(subscription)
	name := arm.PolicyAssignmentName(scope, "allowed-types")
	a, err := there.PutPolicyAssignment(ctx, azure.NewRequestID(), scope, name, arm.PolicyAssignmentProperties{
		DisplayName: "Offered services", PolicyDefinitionID: arm.PolicyAllowedTypes,
		Parameters: map[string]arm.ParameterValue{"listOfResourceTypesAllowed": {Value: []string{"Microsoft.Storage/storageAccounts"}}},
	})
	if err != nil || a.ID == "" {
		t.Fatalf("assignment: %+v, %v", a, err)
	}
	for kind, denied := range map[string]bool{"Microsoft.Compute/virtualMachines": true, "Microsoft.Storage/storageAccounts": false} {
		v, err := there.CheckPolicy(ctx, subscription, arm.Resource{Type: kind, Location: "westeurope"}, "")
		if err != nil || v.DeniedBy(a.ID) != denied {
			t.Errorf("%s: denied %v, %v: %+v", kind, v.DeniedBy(a.ID), err, v)
		}
		template := map[string]any{
			"$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#", "contentVersion": "1.0.0.0",
			"resources": []map[string]any{{"type": kind, "apiVersion": "2023-01-01", "name": "probe", "location": "westeurope", "properties": map[string]any{}}},
		}
		err = there.ValidateDeployment(ctx, subscription, "probe", "westeurope", template)
		if denied != (err != nil) || denied && !slices.ContainsFunc(arm.DenyingPolicies(err), func(id string) bool { return arm.SameResource(id, a.ID) }) {
			t.Errorf("%s: %v, denied by %v", kind, err, arm.DenyingPolicies(err))
		}
	}
	if list, err := there.PolicyAssignments(ctx, scope); err != nil || len(list) != 1 {
		t.Errorf("assignments: %+v, %v", list, err)
	}
	d, err := there.PutPolicyDefinition(ctx, azure.NewRequestID(), scope, "cw-own", arm.PolicyDefinitionProperties{
		DisplayName: "Own", Mode: "All", PolicyRule: json.RawMessage(`{"if":{"field":"type","equals":"Microsoft.Web/sites"},"then":{"effect":"deny"}}`),
	})
	if err != nil || d.Name != "cw-own" {
		t.Errorf("definition: %+v, %v", d, err)
	}
	if err := there.DeletePolicyAssignment(ctx, azure.NewRequestID(), scope, name); err != nil {
		t.Errorf("delete: %v", err)
	}
	if err := there.DeletePolicyAssignment(ctx, azure.NewRequestID(), scope, name); err != nil {
		t.Errorf("delete again: %v", err)
	}
}

func TestAnOwnRelationshipGoesItsWay(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	customer, _, _ := w.customer(t)
	g := graph.New(w.pipe)
	r, err := g.CreateRelationship(ctx, azure.NewRequestID(), graph.Relationship{
		DisplayName: "Contoso support", Duration: "P730D", Customer: &graph.Customer{TenantID: customer}, AccessDetails: graph.Roles(graph.RoleDirectoryReaders),
	})
	if err != nil || r.Status != graph.StatusCreated || r.ETag == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	if q, err := g.LockForApproval(ctx, azure.NewRequestID(), r.ID, r.ETag); err != nil || q.Action != graph.ActionLockForApproval {
		t.Fatalf("lock: %+v, %v", q, err)
	}
	if err := w.sim.ApproveRelationship(r.ID); err != nil {
		t.Fatal(err)
	}
	if r, err = g.Relationship(ctx, r.ID); err != nil || r.Status != graph.StatusActive {
		t.Errorf("%+v, %v", r, err)
	}
	if list, err := g.Relationships(ctx, "status eq 'active'"); err != nil || len(list) != 2 {
		t.Errorf("%d active relationships, %v", len(list), err)
	}
	a, err := g.CreateAccessAssignment(ctx, azure.NewRequestID(), r.ID, sim.DefaultGDAPGroup, graph.Roles(graph.RoleDirectoryReaders))
	if err != nil {
		t.Fatal(err)
	}
	if a, err = g.AccessAssignment(ctx, r.ID, a.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := g.DeleteAccessAssignment(ctx, azure.NewRequestID(), r.ID, a.ID, `W/"outdated"`); azure.Classify(err) != azure.R4 {
		t.Errorf("an outdated etag: %v", err)
	}
	if done, err := g.DeleteAccessAssignment(ctx, azure.NewRequestID(), r.ID, a.ID, a.ETag); err != nil || !done.Later {
		t.Errorf("delete: %+v, %v", done, err)
	}
	if _, err := g.RequestAction(ctx, azure.NewRequestID(), r.ID, r.ETag, graph.ActionTerminate); err != nil {
		t.Errorf("terminate: %v", err)
	}
}
