package sim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"causeway/internal/sim"
)

// adminToken is what the customer's own admin gets by signing in on a page.
func (a *azure) adminToken(password string) string {
	a.t.Helper()
	a.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	const back = "http://127.0.0.1:1/callback"
	at := a.s.PlainURL + "/common/oauth2/authorize?" + url.Values{"client_id": {sim.DefaultAppID}, "response_type": {"code"}, "redirect_uri": {back}}.Encode()
	form := url.Values{"user": {"admin@contoso.onmicrosoft.com"}, "password": {password}, "mfa": {"yes"}, "consent": {"yes"}}
	sent := a.do("POST", at, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	to, err := url.Parse(sent.header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		a.t.Fatalf("sign-in: %d %s", sent.status, sent.raw)
	}
	return a.token(tenantID, url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {back}, "resource": {"https://management.azure.com/"}})
}

// The customer's admin as a restricted owner: works in the subscription, and can
// neither remove the guardrail nor make an owner.
func TestARestrictedOwnerCannotRemoveTheGuardrail(t *testing.T) {
	a := startAzure(t)
	a.register("Microsoft.Storage", "Microsoft.Compute", "Microsoft.PolicyInsights")
	a.policy("guard", allowedTypes, parameter("listOfResourceTypesAllowed", storage)).want(t, 201)
	admin := a.adminToken("Customer-Passw0rd!")
	read := of("?api-version=2022-12-01")
	a.as(admin, "GET", read, nil).want(t, 403, "AuthorizationFailed")

	const role = "0b5fe924-9a61-425c-96af-cfe6e287ca2d"
	a.as(a.agent, "PUT", of("/providers/Microsoft.Authorization/roleDefinitions/"+role+"?api-version=2022-04-01"), props(map[string]any{
		"roleName": "Restricted owner", "type": "CustomRole", "assignableScopes": []string{"/subscriptions/" + subID},
		"permissions": []any{map[string]any{"actions": []string{"*"}, "notActions": []string{"Microsoft.Authorization/policyAssignments/write",
			"Microsoft.Authorization/policyAssignments/delete", "Microsoft.Authorization/policyDefinitions/write"}}}})).want(t, 201)
	user := a.as(a.user, "GET", "/v1/customers/"+tenantID+"/users", nil).want(t, 200).at("items.0.id")
	a.as(a.agent, "PUT", of("/providers/Microsoft.Authorization/roleAssignments/05c5a614-a7d6-4502-b150-c2fb455033ff?api-version=2022-04-01"), props(map[string]any{
		"roleDefinitionId": of("/providers/Microsoft.Authorization/roleDefinitions/" + role), "principalId": user, "principalType": "User", "conditionVersion": "2.0",
		"condition": "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals {" + owner + "}))"})).want(t, 201)

	a.as(admin, "GET", read, nil).want(t, 200)
	a.as(admin, "PUT", of("/resourceGroups/rg?api-version=2021-04-01"), map[string]string{"location": "westeurope"}).want(t, 201)
	a.as(admin, "PUT", of("/resourceGroups/rg/providers/"+storage+"/data?api-version=2023-01-01"), map[string]string{"location": "westeurope"}).want(t, 201)
	a.as(admin, "PUT", of("/resourceGroups/rg/providers/"+vm+"/machine?api-version=2023-01-01"), map[string]string{"location": "westeurope"}).want(t, 403, "RequestDisallowedByPolicy")
	a.as(admin, "DELETE", of("/providers/Microsoft.Authorization/policyAssignments/guard?api-version=2023-04-01"), nil).want(t, 403, "AuthorizationFailed")
	a.assign(admin, "15c5a614-a7d6-4502-b150-c2fb455033ff", owner, user, "User").want(t, 403, "AuthorizationFailed")
	a.assign(admin, "25c5a614-a7d6-4502-b150-c2fb455033ff", reader, user, "User").want(t, 201)
}

// The dump shows what both sides are compared by, with the time from which it acts.
func TestTheDumpShowsRolesPoliciesAndProviders(t *testing.T) {
	a := startAzure(t)
	a.register("Microsoft.Storage")
	a.policy("guard", allowedTypes, parameter("listOfResourceTypesAllowed", storage)).want(t, 201)
	a.assign(a.agent, "05c5a614-a7d6-4502-b150-c2fb455033ff", contrib, a.appObject(), "ServicePrincipal").want(t, 201)
	got := a.do("GET", "/_sim/customers/"+tenantID, "").want(t, 200)
	const arm = "plans.0.subscriptions.0.more.arm."
	for path, want := range map[string]string{
		arm + "state": "Enabled", arm + "roleAssignments.0.kind": "ForeignGroup", arm + "roleAssignments.1.roleName": "Contributor", arm + "roleAssignments.1.principal": a.appObject(),
		arm + "policyAssignments.0.name": "guard", arm + "policyAssignments.0.parameters.listOfResourceTypesAllowed.0": storage,
		"more.accessAssignments.0.status": "active", "more.accessAssignments.0.group": sim.DefaultGDAPGroup,
	} {
		if got.at(path) != want {
			t.Errorf("%s = %q, want %q", path, got.at(path), want)
		}
	}
	if !strings.Contains(got.raw, `"Microsoft.Storage":"Registered"`) {
		t.Errorf("dump = %s", got.raw)
	}
	what := map[string]bool{}
	for _, e := range a.s.Timeline(tenantID).Effects {
		what[e.What] = true
	}
	if !what["role"] || !what["policy"] || !what["provider"] {
		t.Errorf("effects = %v", what)
	}
}
