package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

const (
	allowedTypes     = "/providers/Microsoft.Authorization/policyDefinitions/a08ec900-254a-4555-9bf5-e42af04b5c5c"
	allowedLocations = "/providers/Microsoft.Authorization/policyDefinitions/e56962a6-4747-49cd-b67b-bf8b01975c4c"
)

func restrictions(kind string, more ...string) map[string]any {
	content := map[string]any{"type": kind}
	if len(more) > 0 {
		content["location"] = more[0]
	}
	if len(more) > 1 {
		content["properties"] = map[string]any{"hardwareProfile": map[string]any{"vmSize": more[1]}}
	}
	return map[string]any{"resourceDetails": map[string]any{"resourceContent": content, "apiVersion": "2021-04-01"}}
}

// register makes namespaces usable; with no wait set, at once.
func (a *azure) register(names ...string) {
	a.t.Helper()
	for _, n := range names {
		a.as(a.agent, "POST", of("/providers/"+n+"/register?api-version=2021-04-01"), nil).want(a.t, 200)
	}
}

func (a *azure) policy(name, definition string, more map[string]any) answer {
	a.t.Helper()
	body := map[string]any{"displayName": name, "policyDefinitionId": definition}
	for k, v := range more {
		body[k] = v
	}
	return a.as(a.agent, "PUT", of("/providers/Microsoft.Authorization/policyAssignments/"+name+"?api-version=2023-04-01"), props(body))
}

func parameter(name string, values ...string) map[string]any {
	return map[string]any{"parameters": map[string]any{name: map[string]any{"value": values}}}
}

// denies asks without creating; it returns the assignments that would deny.
func (a *azure) denies(body map[string]any) string {
	a.t.Helper()
	got := a.as(a.agent, "POST", of("/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?api-version=2022-03-01"), body).want(a.t, 200)
	var out []string
	for i := 0; got.at(fmt.Sprintf("contentEvaluationResult.policyEvaluations.%d.policyInfo.policyAssignmentId", i)) != ""; i++ {
		id := got.at(fmt.Sprintf("contentEvaluationResult.policyEvaluations.%d.policyInfo.policyAssignmentId", i))
		out = append(out, id[strings.LastIndexByte(id, '/')+1:])
	}
	return strings.Join(out, " ")
}

func TestAPolicyActsOnlyAfterItsPropagation(t *testing.T) {
	a := startAzure(t, func(c *sim.Config) { c.Waits = map[sim.Wait]time.Duration{sim.WaitPolicy: 10 * time.Minute} })
	a.register("Microsoft.PolicyInsights")
	a.policy("services", allowedTypes, parameter("listOfResourceTypesAllowed", storage)).want(t, 201)

	if got := a.denies(restrictions(vm)); got != "" {
		t.Errorf("denied by %q before it acts", got)
	}
	a.s.Advance(10 * time.Minute)
	if got := a.denies(restrictions(vm)); got != "services" {
		t.Errorf("a forbidden type is denied by %q", got)
	}
	if got := a.denies(restrictions(storage)); got != "" {
		t.Errorf("an allowed type is denied by %q", got)
	}
	// Writing the same again starts no new wait, writing another list does.
	a.policy("services", allowedTypes, parameter("listOfResourceTypesAllowed", storage)).want(t, 201)
	if got := a.denies(restrictions(vm)); got != "services" {
		t.Errorf("the same again: denied by %q", got)
	}
	a.policy("services", allowedTypes, parameter("listOfResourceTypesAllowed", storage, vm)).want(t, 201)
	if got := a.denies(restrictions(vm)); got != "services" {
		t.Errorf("the wider list acts at once: denied by %q", got)
	}
	a.s.Advance(10 * time.Minute)
	if got := a.denies(restrictions(vm)); got != "" {
		t.Errorf("the wider list does not act: denied by %q", got)
	}
	a.as(a.agent, "DELETE", of("/providers/Microsoft.Authorization/policyAssignments/services?api-version=2023-04-01"), nil).want(t, 200)
	if got := a.denies(restrictions("Microsoft.Cache/redis")); got != "services" {
		t.Errorf("the end acts at once: denied by %q", got)
	}
	a.s.Advance(10 * time.Minute)
	if got := a.denies(restrictions("Microsoft.Cache/redis")); got != "" {
		t.Errorf("the end does not act: denied by %q", got)
	}
}

func TestRulesDecideAsWritten(t *testing.T) {
	a := startAzure(t)
	a.register("Microsoft.PolicyInsights")
	define := func(name, mode string, condition any) {
		t.Helper()
		a.as(a.agent, "PUT", of("/providers/Microsoft.Authorization/policyDefinitions/"+name+"?api-version=2023-04-01"), props(map[string]any{
			"displayName": name, "mode": mode, "parameters": map[string]any{"sizes": map[string]any{"type": "Array", "defaultValue": []string{"Standard_B2s", "standard_d2s_v5"}}},
			"policyRule": map[string]any{"if": condition, "then": map[string]any{"effect": "deny"}}})).want(t, 201)
		a.policy(name, of("/providers/Microsoft.Authorization/policyDefinitions/"+name), nil).want(t, 201)
	}
	type m = map[string]any
	define("sizes", "All", m{"allOf": []any{
		m{"field": "type", "equals": vm}, m{"field": vm + "/sku.name", "exists": "true"}, m{"field": vm + "/sku.name", "notIn": "[parameters('sizes')]"}}})
	define("places", "All", m{"anyOf": []any{
		m{"allOf": []any{m{"field": "type", "like": "Microsoft.Sql/*"}, m{"field": "location", "notIn": []string{"westeurope"}}}},
		m{"value": "[concat(toLower(field('type')), '/', field('location'))]", "equals": "microsoft.cache/redis/eastus"}}})
	define("open", "All", m{"allOf": []any{m{"field": "type", "equals": storage}, m{"not": m{"field": storage + "/networkAcls.defaultAction", "equals": "Deny"}}}})
	define("rules", "All", m{"allOf": []any{m{"field": "type", "equals": "Microsoft.Network/networkSecurityGroups"},
		m{"field": "Microsoft.Network/networkSecurityGroups/securityRules[*].properties.destinationPortRange", "equals": "22"}}})
	a.policy("regions", allowedLocations, parameter("listOfAllowedLocations", "westeurope", "eastus")).want(t, 201)

	group := func(ports ...string) m {
		var rules []any
		for _, p := range ports {
			rules = append(rules, m{"properties": m{"destinationPortRange": p}})
		}
		return m{"resourceDetails": m{"resourceContent": m{"type": "Microsoft.Network/networkSecurityGroups", "properties": m{"securityRules": rules}, "location": "eastus"}}}
	}
	for _, tc := range []struct {
		says string
		body m
		want string
	}{
		{"an allowed size, in another case", restrictions(vm, "West Europe", "STANDARD_b2s"), ""},
		{"another size", restrictions(vm, "westeurope", "Standard_E64"), "sizes"},
		{"a machine that does not say its size", restrictions(vm, "westeurope"), ""},
		{"a region that is not allowed", restrictions(vm, "japaneast"), "regions"},
		{"a resource that is everywhere", restrictions("Microsoft.Network/dnsZones", "global"), ""},
		{"a service outside its own region", restrictions("Microsoft.Sql/servers", "eastus"), "places"},
		{"a service inside it", restrictions("Microsoft.Sql/servers", "westeurope"), ""},
		{"an expression over fields", restrictions("Microsoft.Cache/Redis", "East US"), "places"},
		{"storage open to all", restrictions(storage, "eastus"), "open"},
		{"a setting of policy itself is no resource with a location", restrictions("Microsoft.Authorization/policyAssignments"), ""},
		{"every element of a list", group("22", "22"), "rules"},
		{"not every element of a list", group("22", "443"), ""},
	} {
		t.Run(tc.says, func(t *testing.T) {
			if got := a.denies(tc.body); got != tc.want {
				t.Errorf("denied by %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("a rule that cannot be read is refused", func(t *testing.T) {
		for _, bad := range []any{m{"field": "type"}, m{"field": "type", "is": "x"}, m{"allOf": "x"}, m{"count": m{"field": "x[*]"}, "greater": 1}, "x"} {
			a.as(a.agent, "PUT", of("/providers/Microsoft.Authorization/policyDefinitions/bad?api-version=2023-04-01"),
				props(m{"policyRule": m{"if": bad, "then": m{"effect": "deny"}}})).want(t, 400, "InvalidPolicyRule")
		}
	})
	t.Run("an assigned definition stays", func(t *testing.T) {
		a.as(a.agent, "DELETE", of("/providers/Microsoft.Authorization/policyDefinitions/sizes?api-version=2023-04-01"), nil).want(t, 400, "PolicyDefinitionInUse")
	})
}

func TestAssignmentsAreCheckedAgainstTheirDefinition(t *testing.T) {
	a := startAzure(t)
	a.register("Microsoft.PolicyInsights")
	t.Run("a missing parameter", func(t *testing.T) { a.policy("p", allowedTypes, nil).want(t, 400, "MissingPolicyParameter") })
	t.Run("an unknown parameter", func(t *testing.T) {
		a.policy("p", allowedTypes, parameter("types", vm)).want(t, 400, "UndefinedPolicyParameter")
	})
	t.Run("a parameter of another type", func(t *testing.T) {
		a.policy("p", allowedTypes, map[string]any{"parameters": map[string]any{"listOfResourceTypesAllowed": map[string]any{"value": vm}}}).want(t, 400, "InvalidPolicyParameterType")
	})
	t.Run("an unknown definition", func(t *testing.T) {
		a.policy("p", of("/providers/Microsoft.Authorization/policyDefinitions/none"), nil).want(t, 404, "PolicyDefinitionNotFound")
	})
	t.Run("one that is not enforced denies nothing", func(t *testing.T) {
		more := parameter("listOfResourceTypesAllowed", storage)
		more["enforcementMode"] = "DoNotEnforce"
		a.policy("p", allowedTypes, more).want(t, 201)
		if got := a.denies(restrictions(vm)); got != "" {
			t.Errorf("denied by %q", got)
		}
	})
	t.Run("an excluded scope is spared", func(t *testing.T) {
		more := parameter("listOfResourceTypesAllowed", storage)
		more["notScopes"] = []string{of("/resourceGroups/free")}
		a.policy("p", allowedTypes, more).want(t, 201)
		if got := a.denies(restrictions(vm)); got != "p" {
			t.Errorf("at the subscription: denied by %q", got)
		}
		got := a.as(a.agent, "POST", of("/resourceGroups/free/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?api-version=2022-03-01"), restrictions(vm)).want(t, 200)
		if got.at("contentEvaluationResult.policyEvaluations.0.evaluationResult") != "" {
			t.Errorf("in the excluded group: %s", got.raw)
		}
	})
}

func TestPendingFieldsTellWhatIsAllowed(t *testing.T) {
	a := startAzure(t)
	a.register("Microsoft.PolicyInsights")
	a.policy("regions", allowedLocations, parameter("listOfAllowedLocations", "westeurope", "northeurope")).want(t, 201)
	body := restrictions(vm)
	body["pendingFields"] = []any{map[string]any{"field": "location", "values": []string{"westeurope", "eastus", "japaneast"}}, map[string]any{"field": "location"}}
	got := a.as(a.agent, "POST", of("/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?api-version=2022-03-01"), body).want(t, 200)
	if got.at("fieldRestrictions.0.restrictions.0.result") != "Deny" || got.at("fieldRestrictions.0.restrictions.0.values.0") != "eastus" || got.at("fieldRestrictions.0.restrictions.0.values.1") != "japaneast" {
		t.Errorf("values = %s", got.raw)
	}
	if got.at("fieldRestrictions.1.restrictions.0.result") != "Required" || got.at("fieldRestrictions.1.restrictions.0.values.0") != "westeurope" {
		t.Errorf("open = %s", got.raw)
	}
	if got.at("contentEvaluationResult.policyEvaluations.0") != "" {
		t.Errorf("an open field decides nothing yet: %s", got.raw)
	}
}

// A template is validated as it would be deployed: policy first, then registration.
func TestAValidationIsTheSecondWitness(t *testing.T) {
	a := startAzure(t)
	a.register("Microsoft.PolicyInsights", "Microsoft.Storage")
	a.policy("services", allowedTypes, parameter("listOfResourceTypesAllowed", storage, "Microsoft.Cache/redis")).want(t, 201)
	validate := func(kind string) answer {
		return a.as(a.agent, "POST", of("/providers/Microsoft.Resources/deployments/ask/validate?api-version=2021-04-01"), map[string]any{"location": "westeurope", "properties": map[string]any{
			"mode": "Incremental", "parameters": map[string]any{"kind": map[string]any{"value": kind}},
			"template": map[string]any{"$schema": "https://schema.management.azure.com/schemas/2018-05-01/subscriptionDeploymentTemplate.json#", "contentVersion": "1.0.0.0",
				"parameters": map[string]any{"kind": map[string]any{"type": "string"}},
				"resources": []any{map[string]any{"type": "Microsoft.Resources/deployments", "apiVersion": "2021-04-01", "name": "inner", "resourceGroup": "asked", "properties": map[string]any{
					"mode": "Incremental", "template": map[string]any{"resources": []any{map[string]any{"type": kind, "apiVersion": "2023-01-01", "name": "[concat('asked', uniqueString(subscription().id))]", "location": "westeurope"}}}}}}}}})
	}
	got := validate(vm).want(t, 400, "InvalidTemplateDeployment")
	if got.at("error.details.0.code") != "RequestDisallowedByPolicy" || !strings.HasSuffix(got.at("error.details.0.additionalInfo.0.info.policyAssignmentId"), "/policyAssignments/services") ||
		got.at("error.details.0.additionalInfo.0.type") != "PolicyViolation" {
		t.Errorf("denial = %s", got.raw)
	}
	if got := validate(storage).want(t, 200); got.at("properties.provisioningState") != "Succeeded" {
		t.Errorf("answer = %s", got.raw)
	}
	validate("Microsoft.Cache/redis").want(t, 409, "MissingSubscriptionRegistration")
}

// Creating is denied as validation says.
func TestAForbiddenResourceIsDisallowed(t *testing.T) {
	a := startAzure(t)
	a.register("Microsoft.Compute", "Microsoft.Storage")
	a.policy("services", allowedTypes, parameter("listOfResourceTypesAllowed", storage)).want(t, 201)
	a.as(a.agent, "PUT", of("/resourceGroups/rg?api-version=2021-04-01"), map[string]string{"location": "westeurope"}).want(t, 201)
	a.as(a.agent, "PUT", of("/resourceGroups/rg/providers/"+storage+"/data?api-version=2023-01-01"), map[string]string{"location": "westeurope"}).want(t, 201)
	got := a.as(a.agent, "PUT", of("/resourceGroups/rg/providers/"+vm+"/machine?api-version=2023-01-01"), map[string]string{"location": "westeurope"}).want(t, 403, "RequestDisallowedByPolicy")
	if got.at("error.target") != "machine" {
		t.Errorf("target = %s", got.raw)
	}
}
