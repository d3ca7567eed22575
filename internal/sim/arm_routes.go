package sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// armWorld is what Resource Manager holds beside customers and subscriptions.
type armWorld struct {
	aliases map[string]*alias // by caller and folded name
	quota   armQuota
}

// armTenant is what Resource Manager holds per customer tenant.
type armTenant struct {
	roles []*roleDefinition // custom ones
}

// armSubscription is what Resource Manager holds per Azure subscription.
type armSubscription struct {
	readable    time.Time // before it: SubscriptionNotFound
	cancelled   time.Time // for the 90 days in which it can be enabled again
	assignments []*roleAssignment
	policies    []*policyAssignment
	definitions []*policyDefinition
	providers   []providerState
	groups      []string // resource groups, folded
}

// The api-versions that arm.md documents, per resource provider. The subscription
// client v1.2.0 reads subscriptions with 2016-06-01; the 2016 product assigned roles
// with 2015-07-01.
var (
	billingVersions      = []string{"2020-05-01", "2024-04-01"}
	aliasVersions        = []string{"2021-10-01", "2020-09-01"}
	subscriptionVersions = []string{"2022-12-01", "2021-01-01", "2020-01-01", "2016-06-01"}
	resourceVersions     = []string{"2021-04-01", "2022-09-01", "2020-06-01"}
	roleVersions         = []string{"2022-04-01", "2018-07-01", "2015-07-01"}
	policyVersions       = []string{"2023-04-01", "2025-03-01", "2021-06-01"}
	insightVersions      = []string{"2022-03-01", "2023-03-01"}
)

// registerARM adds the routes of Resource Manager.
func (s *Server) registerARM() {
	s.showSubscription = s.showARM
	const billing = "/providers/Microsoft.Billing/billingAccounts"
	s.arm("GET "+billing, reads, billingVersions, listBillingAccounts)
	s.arm("GET "+billing+"/{account}", reads, billingVersions, getBillingAccount)
	s.arm("GET "+billing+"/{account}/billingProfiles", reads, billingVersions, listBillingProfiles)
	s.arm("GET "+billing+"/{account}/customers", reads, billingVersions, listBillingCustomers)
	s.arm("GET "+billing+"/{account}/customers/{customer}", reads, billingVersions, getBillingCustomer)
	s.arm("GET "+billing+"/{account}/customers/{customer}/billingSubscriptions", reads, billingVersions, listBillingSubscriptions)

	const aliases = "/providers/Microsoft.Subscription/aliases"
	s.arm("PUT "+aliases+"/{alias}", writes, aliasVersions, putAlias, group(GroupAlias))
	s.arm("GET "+aliases+"/{alias}", reads, aliasVersions, getAlias)
	s.arm("GET "+aliases, reads, aliasVersions, listAliases)
	s.arm("DELETE "+aliases+"/{alias}", writes, aliasVersions, deleteAlias)

	const sub = "/subscriptions/{subscription}"
	s.arm("GET /subscriptions", reads, subscriptionVersions, listSubscriptions)
	s.arm("GET "+sub, reads, subscriptionVersions, getSubscription)
	s.arm("GET "+sub+"/locations", reads, subscriptionVersions, listLocations)
	s.arm("GET /tenants", reads, subscriptionVersions, listTenants)
	s.arm("POST "+sub+"/providers/Microsoft.Subscription/rename", writes, aliasVersions, renameSubscription)
	s.arm("POST "+sub+"/providers/Microsoft.Subscription/cancel", writes, aliasVersions, cancelSubscription)
	s.arm("POST "+sub+"/providers/Microsoft.Subscription/enable", writes, aliasVersions, enableSubscription)

	s.arm("GET "+sub+"/providers", reads, resourceVersions, listProviders)
	s.arm("GET "+sub+"/providers/{namespace}", reads, resourceVersions, getProvider)
	s.arm("POST "+sub+"/providers/{namespace}/register", writes, resourceVersions, registerProvider)
	s.arm("POST "+sub+"/providers/{namespace}/unregister", writes, resourceVersions, unregisterProvider)

	const authorization = "/providers/Microsoft.Authorization"
	s.arm("GET "+authorization+"/roleDefinitions", reads, roleVersions, listBuiltInRoles)
	s.arm("GET "+authorization+"/roleDefinitions/{role}", reads, roleVersions, getBuiltInRole)
	s.arm("GET /{scope...}"+authorization+"/roleDefinitions", reads, roleVersions, listRoleDefinitions)
	s.arm("GET /{scope...}"+authorization+"/roleDefinitions/{role}", reads, roleVersions, getRoleDefinition)
	s.arm("PUT /{scope...}"+authorization+"/roleDefinitions/{role}", writes, roleVersions, putRoleDefinition)
	s.arm("DELETE /{scope...}"+authorization+"/roleDefinitions/{role}", writes, roleVersions, deleteRoleDefinition)
	s.arm("GET /{scope...}"+authorization+"/roleAssignments", reads, roleVersions, listRoleAssignments)
	s.arm("GET /{scope...}"+authorization+"/roleAssignments/{name}", reads, roleVersions, getRoleAssignment)
	s.arm("PUT /{scope...}"+authorization+"/roleAssignments/{name}", writes, roleVersions, putRoleAssignment)
	s.arm("DELETE /{scope...}"+authorization+"/roleAssignments/{name}", writes, roleVersions, deleteRoleAssignment)

	s.arm("GET "+authorization+"/policyDefinitions", reads, policyVersions, listBuiltInPolicies)
	s.arm("GET "+authorization+"/policyDefinitions/{name}", reads, policyVersions, getBuiltInPolicy)
	s.arm("GET "+sub+authorization+"/policyDefinitions", reads, policyVersions, listPolicyDefinitions)
	s.arm("GET "+sub+authorization+"/policyDefinitions/{name}", reads, policyVersions, getPolicyDefinition)
	s.arm("PUT "+sub+authorization+"/policyDefinitions/{name}", writes, policyVersions, putPolicyDefinition)
	s.arm("DELETE "+sub+authorization+"/policyDefinitions/{name}", writes, policyVersions, deletePolicyDefinition)
	s.arm("GET /{scope...}"+authorization+"/policyAssignments", reads, policyVersions, listPolicyAssignments)
	s.arm("GET /{scope...}"+authorization+"/policyAssignments/{name}", reads, policyVersions, getPolicyAssignment)
	s.arm("PUT /{scope...}"+authorization+"/policyAssignments/{name}", writes, policyVersions, putPolicyAssignment)
	s.arm("DELETE /{scope...}"+authorization+"/policyAssignments/{name}", writes, policyVersions, deletePolicyAssignment)

	const check = "/providers/Microsoft.PolicyInsights/checkPolicyRestrictions"
	const validate = "/providers/Microsoft.Resources/deployments/{deployment}/validate"
	s.arm("POST "+sub+check, reads, insightVersions, checkPolicyRestrictions)
	s.arm("POST "+sub+"/resourceGroups/{group}"+check, reads, insightVersions, checkPolicyRestrictions)
	s.arm("POST "+sub+validate, reads, resourceVersions, validateDeployment)
	s.arm("POST "+sub+"/resourceGroups/{group}"+validate, reads, resourceVersions, validateDeployment)

	s.arm("GET "+sub+"/resourceGroups", reads, resourceVersions, listResourceGroups)
	s.arm("PUT "+sub+"/resourceGroups/{group}", writes, resourceVersions, putResourceGroup)
	s.arm("PUT "+sub+"/resourceGroups/{group}/providers/{namespace}/{type}/{resource}", writes, nil, putResource)
}

// arm registers an endpoint of Resource Manager: its api-version is checked first,
// and the answer tells how many calls are left.
func (s *Server) arm(pattern string, a access, versions []string, h handler, options ...func(*route)) {
	budget := GroupARMWrites
	if strings.HasPrefix(pattern, "GET ") {
		budget = GroupARMReads
	}
	s.on(serviceARM, pattern, needsToken, a, func(c *call) reply {
		if refusal := c.apiVersion(versions); refusal != nil {
			return *refusal
		}
		out := h(c)
		name, left := c.remaining()
		return out.with(name, left)
	}, append([]func(*route){group(budget)}, options...)...)
}

// apiVersion refuses a call without a version, or with one that is not documented.
// nil versions take any.
func (c *call) apiVersion(versions []string) *reply {
	v := c.query("api-version")
	var r reply
	switch {
	case v == "":
		r = armError(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case versions != nil && !slices.Contains(versions, v):
		r = armError(http.StatusBadRequest, "InvalidApiVersionParameter",
			"The api-version '"+v+"' is invalid. The supported versions are '"+strings.Join(versions, ",")+"'.")
	default:
		return nil
	}
	return &r
}

// armQuota counts calls per principal and hour for the ratelimit headers. They are
// refused only where the setting throttle has the groups arm-reads and arm-writes.
type armQuota struct {
	mu   sync.Mutex
	hour int64
	used map[string]int
}

// Microsoft's classic figures, per principal and hour.
const (
	readsPerHour   = 12000
	writesPerHour  = 1200
	deletesPerHour = 15000
)

// remaining is the name and value of the header that says what is left.
func (c *call) remaining() (name, left string) {
	kind, limit := "writes", writesPerHour
	switch c.r.Method {
	case http.MethodGet, http.MethodHead:
		kind, limit = "reads", readsPerHour
	case http.MethodDelete:
		kind, limit = "deletes", deletesPerHour
	}
	where := "tenant"
	if strings.HasPrefix(strings.ToLower(c.r.URL.Path), "/subscriptions/") {
		where = "subscription"
	}
	key := c.who.Object + " " + where + " " + kind
	q := &c.w.arm.quota
	q.mu.Lock()
	if hour := c.now.Unix() / 3600; hour != q.hour || q.used == nil {
		q.hour, q.used = hour, map[string]int{}
	}
	q.used[key]++
	used := q.used[key]
	q.mu.Unlock()
	return "x-ms-ratelimit-remaining-" + where + "-" + kind, strconv.Itoa(max(1, limit-used))
}

// list is Resource Manager's page of values.
type list struct {
	Value any    `json:"value"`
	Next  string `json:"nextLink,omitempty"`
}

// values never encodes an empty list as null.
func values[T any](v []T) reply {
	if v == nil {
		v = []T{}
	}
	return ok(list{Value: v})
}
