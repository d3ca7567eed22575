package sim_test

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

// The partner owns a subscription from birth, with a token of the customer tenant
// and not with one of its own; the application has nothing until a role acts.
func TestARoleActsOnlyAfterItsPropagation(t *testing.T) {
	a := startAzure(t, func(c *sim.Config) { c.Waits = map[sim.Wait]time.Duration{sim.WaitRole: 5 * time.Minute} })
	app := a.armToken(tenantID, false)
	read := of("?api-version=2022-12-01")

	wrong := a.as(a.home, "GET", read, nil).want(t, 401, "InvalidAuthenticationTokenTenant")
	if h := wrong.header.Get("WWW-Authenticate"); !strings.Contains(h, `authorization_uri="`+a.s.URL+"/"+tenantID+`"`) {
		t.Errorf("WWW-Authenticate = %s", h)
	}
	a.as(app, "GET", read, nil).want(t, 403, "AuthorizationFailed")
	if got := a.as(a.agent, "GET", read, nil).want(t, 200); got.at("state") != "Enabled" || got.at("tenantId") != tenantID ||
		got.at("subscriptionPolicies.quotaId") != "CSP_2015-05-01" || got.header.Get("x-ms-ratelimit-remaining-subscription-reads") == "" || got.header.Get("x-ms-request-id") == "" {
		t.Errorf("subscription = %s, headers %v", got.raw, got.header)
	}

	const name = "05c5a614-a7d6-4502-b150-c2fb455033ff"
	a.assign(a.agent, name, contrib, a.appObject(), "ServicePrincipal").want(t, 201)
	a.as(app, "GET", read, nil).want(t, 403, "AuthorizationFailed")
	a.s.Advance(5 * time.Minute)
	a.as(app, "GET", read, nil).want(t, 200)
	// A Contributor reads and registers, and gives no roles.
	a.as(app, "POST", of("/providers/Microsoft.Compute/register?api-version=2021-04-01"), nil).want(t, 200)
	a.assign(app, "15c5a614-a7d6-4502-b150-c2fb455033ff", reader, a.appObject(), "ServicePrincipal").want(t, 403, "AuthorizationFailed")

	state := a.s.Subscriptions(tenantID)[0]
	if len(state.Roles) != 2 || state.Roles[0].Kind != "ForeignGroup" || state.Roles[0].RoleName != "Owner" || state.Roles[0].Principal != sim.DefaultAdminAgents {
		t.Errorf("roles = %+v", state.Roles)
	}
}

func TestRoleAssignmentsAreRefusedAsDocumented(t *testing.T) {
	a := startAzure(t)
	const first, second = "05c5a614-a7d6-4502-b150-c2fb455033ff", "15c5a614-a7d6-4502-b150-c2fb455033ff"
	app := a.appObject()
	a.assign(a.agent, first, contrib, app, "ServicePrincipal").want(t, 201)

	t.Run("the same again is the same", func(t *testing.T) { a.assign(a.agent, first, contrib, app, "ServicePrincipal").want(t, 200) })
	t.Run("the same content under another name exists", func(t *testing.T) {
		a.assign(a.agent, second, contrib, app, "ServicePrincipal").want(t, 409, "RoleAssignmentExists")
	})
	t.Run("the same name for something else is no update", func(t *testing.T) {
		a.assign(a.agent, first, reader, app, "ServicePrincipal").want(t, 412, "RoleAssignmentUpdateNotPermitted")
	})
	t.Run("a stranger is not found", func(t *testing.T) {
		a.assign(a.agent, second, reader, "99999999-85d7-4629-bdbc-454d0519d987", "User").want(t, 400, "PrincipalNotFound")
	})
	t.Run("the partner's group is foreign", func(t *testing.T) {
		a.assign(a.agent, second, reader, sim.DefaultAdminAgents, "Group").want(t, 400, "UnmatchedPrincipalType")
		a.assign(a.agent, second, reader, sim.DefaultAdminAgents, "ForeignGroup").want(t, 201)
	})
	t.Run("an unknown role does not exist", func(t *testing.T) {
		a.assign(a.agent, second, "99999999-85d7-4629-bdbc-454d0519d987", app, "ServicePrincipal").want(t, 404, "RoleDefinitionDoesNotExist")
	})
	t.Run("a name is a GUID", func(t *testing.T) { a.assign(a.agent, "mine", reader, app, "").want(t, 400, "InvalidRoleAssignmentId") })
	t.Run("a call without a version is refused", func(t *testing.T) {
		a.as(a.agent, "GET", of("/providers/Microsoft.Authorization/roleAssignments"), nil).want(t, 400, "MissingApiVersionParameter")
		a.as(a.agent, "GET", of("/providers/Microsoft.Authorization/roleAssignments?api-version=1999-01-01"), nil).want(t, 400, "InvalidApiVersionParameter")
	})
	t.Run("a deleted one is gone", func(t *testing.T) {
		path := of("/providers/Microsoft.Authorization/roleAssignments/" + first + "?api-version=2022-04-01")
		a.as(a.agent, "DELETE", path, nil).want(t, 200)
		a.as(a.agent, "DELETE", path, nil).want(t, 204)
		a.as(a.agent, "GET", path, nil).want(t, 404, "RoleAssignmentNotFound")
	})
}

// A principal that was just made is not known everywhere, unless the caller says
// what it is; a custom role can be assigned after its own wait.
func TestReplicationIsWaitedFor(t *testing.T) {
	a := startAzure(t, func(c *sim.Config) {
		c.Waits = map[sim.Wait]time.Duration{sim.WaitPrincipal: 10 * time.Minute, sim.WaitRoleDefinition: time.Minute}
	})
	const name, role = "05c5a614-a7d6-4502-b150-c2fb455033ff", "0b5fe924-9a61-425c-96af-cfe6e287ca2d"
	a.assign(a.agent, name, reader, a.appObject(), "").want(t, 400, "PrincipalNotFound")
	a.assign(a.agent, name, reader, a.appObject(), "ServicePrincipal").want(t, 201)

	custom := func(scopes ...string) answer {
		return a.as(a.agent, "PUT", of("/providers/Microsoft.Authorization/roleDefinitions/"+role+"?api-version=2022-04-01"), props(map[string]any{
			"roleName": "Customer Owner", "type": "CustomRole", "description": "All but policy", "assignableScopes": scopes,
			"permissions": []any{map[string]any{"actions": []string{"*"}, "notActions": []string{"Microsoft.Authorization/policyAssignments/delete"}}}}))
	}
	custom("/subscriptions/"+subID).want(t, 201)
	const next = "15c5a614-a7d6-4502-b150-c2fb455033ff"
	a.assign(a.agent, next, role, a.appObject(), "ServicePrincipal").want(t, 400, "RoleAssignmentScopeNotAssignableToRoleDefinition")
	a.s.Advance(time.Minute)
	a.assign(a.agent, next, role, a.appObject(), "ServicePrincipal").want(t, 201)
	a.as(a.agent, "DELETE", of("/providers/Microsoft.Authorization/roleDefinitions/"+role+"?api-version=2022-04-01"), nil).want(t, 400, "RoleDefinitionHasAssignments")
	custom("/subscriptions/99999999-5c63-4b7b-8799-25a5f97bc3b2").want(t, 400, "InvalidRoleDefinition")
}

// The condition of delegated role management: its holder gives roles, but not the
// powerful ones.
func TestAConditionKeepsPowerfulRolesBack(t *testing.T) {
	a := startAzure(t)
	const guard = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals {" + owner + ", 18d7d88d-d35e-4fb5-a5c3-7773c20a72d9}))" +
		" AND ((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR (@Resource[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidNotEquals {" + sim.DefaultAdminAgents + "}))"
	path := of("/providers/Microsoft.Authorization/roleAssignments/05c5a614-a7d6-4502-b150-c2fb455033ff?api-version=2022-04-01")
	body := map[string]any{"roleDefinitionId": of("/providers/Microsoft.Authorization/roleDefinitions/" + owner), "principalId": a.appObject(), "principalType": "ServicePrincipal",
		"condition": guard, "conditionVersion": "2.0"}
	body["condition"] = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] Likes {x}"
	a.as(a.agent, "PUT", path, props(body)).want(t, 400, "RoleAssignmentConditionNotValid")
	body["condition"] = guard
	a.as(a.agent, "PUT", path, props(body)).want(t, 201)

	app := a.armToken(tenantID, false)
	a.assign(app, "15c5a614-a7d6-4502-b150-c2fb455033ff", owner, sim.DefaultGDAPGroup, "ForeignGroup").want(t, 403, "AuthorizationFailed")
	a.assign(app, "25c5a614-a7d6-4502-b150-c2fb455033ff", reader, sim.DefaultGDAPGroup, "ForeignGroup").want(t, 201)
	aobo := a.s.Subscriptions(tenantID)[0].Roles[0].Name
	a.as(app, "DELETE", of("/providers/Microsoft.Authorization/roleAssignments/"+aobo+"?api-version=2022-04-01"), nil).want(t, 403, "AuthorizationFailed")
	a.as(app, "DELETE", of("/providers/Microsoft.Authorization/roleAssignments/25c5a614-a7d6-4502-b150-c2fb455033ff?api-version=2022-04-01"), nil).want(t, 200)
}
