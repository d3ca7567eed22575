package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Built-in roles (arm.md §3.1, and a few more by Microsoft's list).
const (
	roleOwner        = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	roleContributor  = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	roleReader       = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	roleAccessAdmin  = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
	roleSupport      = "cfd33db0-3dd1-45e3-aa9d-cdbdf3b6f24e"
	roleCostReader   = "72fafb9e-0641-4937-9268-a91bfd8191a3"
	roleRBACAdmin    = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
	rolePolicy       = "36243c78-bf99-498c-9df9-86d9f8d28608"
	roleVMs          = "9980e02c-c2be-4d73-94e8-173b1dc7cf3c"
	roleMonitor      = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
	roleCostManager  = "434105ed-43f6-45c7-a02f-909b2ba83430"
	authorizationAll = "Microsoft.Authorization/*"
)

// roleDefinition is a set of permissions that can be assigned.
type roleDefinition struct {
	ID          string
	Name        string
	Custom      bool
	Description string
	Permissions []rolePermission
	Scopes      []string
	Assignable  lagging[[]string] // Scopes, as assignments see them
	Created     time.Time
	Updated     time.Time
	By          string
}

type rolePermission struct {
	Actions        []string `json:"actions"`
	NotActions     []string `json:"notActions"`
	DataActions    []string `json:"dataActions"`
	NotDataActions []string `json:"notDataActions"`
}

func builtIn(id, name, description string, actions, notActions []string) *roleDefinition {
	return &roleDefinition{ID: id, Name: name, Description: description, Scopes: []string{"/"}, Assignable: steady([]string{"/"}),
		Created: time.Date(2015, 2, 2, 21, 55, 9, 0, time.UTC), Updated: time.Date(2021, 11, 11, 20, 13, 7, 0, time.UTC),
		Permissions: []rolePermission{{actions, notActions, []string{}, []string{}}}}
}

var (
	readAll      = "*/read"
	supportAll   = "Microsoft.Support/*"
	deploymentsA = "Microsoft.Resources/deployments/*"
	groupsRead   = "Microsoft.Resources/subscriptions/resourceGroups/read"
	authRead     = "Microsoft.Authorization/*/read"
)

var builtInRoles = []*roleDefinition{
	builtIn(roleOwner, "Owner", "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.", []string{"*"}, []string{}),
	builtIn(roleContributor, "Contributor", "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.", []string{"*"},
		[]string{"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action",
			"Microsoft.Blueprint/blueprintAssignments/write", "Microsoft.Blueprint/blueprintAssignments/delete", "Microsoft.Compute/galleries/share/action"}),
	builtIn(roleReader, "Reader", "View all resources, but does not allow you to make any changes.", []string{readAll}, []string{}),
	builtIn(roleAccessAdmin, "User Access Administrator", "Lets you manage user access to Azure resources.", []string{readAll, authorizationAll, supportAll}, []string{}),
	builtIn(roleSupport, "Support Request Contributor", "Lets you create and manage Support requests", []string{authRead, groupsRead, supportAll}, []string{}),
	builtIn(roleCostReader, "Cost Management Reader", "Can view cost data and configuration (e.g. budgets, exports)",
		[]string{"Microsoft.Consumption/*/read", "Microsoft.CostManagement/*/read", "Microsoft.Billing/billingPeriods/read", "Microsoft.Resources/subscriptions/read", groupsRead, supportAll}, []string{}),
	builtIn(roleCostManager, "Cost Management Contributor", "Can view costs and manage cost configuration (e.g. budgets, exports)",
		[]string{"Microsoft.Consumption/*", "Microsoft.CostManagement/*", "Microsoft.Billing/billingPeriods/read", "Microsoft.Resources/subscriptions/read", groupsRead, supportAll}, []string{}),
	builtIn(roleRBACAdmin, "Role Based Access Control Administrator", "Manage access to Azure resources by assigning roles using Azure RBAC.",
		[]string{"Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", readAll, supportAll}, []string{}),
	builtIn(rolePolicy, "Resource Policy Contributor", "Users with rights to create/modify resource policy, create support ticket and read resources/hierarchy.",
		[]string{readAll, "Microsoft.Authorization/policyassignments/*", "Microsoft.Authorization/policydefinitions/*", "Microsoft.Authorization/policyexemptions/*",
			"Microsoft.Authorization/policysetdefinitions/*", "Microsoft.PolicyInsights/*", supportAll}, []string{}),
	builtIn(roleVMs, "Virtual Machine Contributor", "Create and manage virtual machines.",
		[]string{authRead, "Microsoft.Compute/virtualMachines/*", "Microsoft.Compute/disks/*", "Microsoft.Network/networkInterfaces/*", deploymentsA, groupsRead, supportAll}, []string{}),
	builtIn(roleMonitor, "Monitoring Reader", "Can read all monitoring data.", []string{readAll, "Microsoft.OperationalInsights/workspaces/search/action", supportAll}, []string{}),
}

// allows says whether the role permits the action: in actions and not in notActions.
func (d *roleDefinition) allows(action string) bool {
	for _, p := range d.Permissions {
		if anyMatches(p.Actions, action) && !anyMatches(p.NotActions, action) {
			return true
		}
	}
	return false
}

func anyMatches(patterns []string, s string) bool {
	for _, p := range patterns {
		if wildcard(p, s) {
			return true
		}
	}
	return false
}

// wildcard compares without case; * stands for any text.
func wildcard(pattern, s string) bool {
	if pattern == "*" {
		return true
	}
	parts := strings.Split(strings.ToLower(pattern), "*")
	s = strings.ToLower(s)
	if len(parts) == 1 {
		return s == parts[0]
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}

// builtInRole finds a built-in role by id.
func builtInRole(id string) *roleDefinition {
	for _, d := range builtInRoles {
		if strings.EqualFold(d.ID, id) {
			return d
		}
	}
	return nil
}

// role finds a role definition of the tenant, custom or built in.
func (cu *Customer) role(id string) *roleDefinition {
	for _, d := range cu.arm.roles {
		if strings.EqualFold(d.ID, id) {
			return d
		}
	}
	return builtInRole(id)
}

type roleDefinitionBody struct {
	ID         string             `json:"id"`
	Type       string             `json:"type"`
	Name       string             `json:"name"`
	Properties roleDefinitionMore `json:"properties"`
}

type roleDefinitionMore struct {
	Name        string           `json:"roleName"`
	Type        string           `json:"type"`
	Description string           `json:"description"`
	Scopes      []string         `json:"assignableScopes"`
	Permissions []rolePermission `json:"permissions"`
	Created     string           `json:"createdOn"`
	Updated     string           `json:"updatedOn"`
	CreatedBy   *string          `json:"createdBy"`
	UpdatedBy   *string          `json:"updatedBy"`
}

func (d *roleDefinition) body(prefix string) roleDefinitionBody {
	kind, by := "BuiltInRole", (*string)(nil)
	if d.Custom {
		kind, by = "CustomRole", &d.By
	}
	return roleDefinitionBody{prefix + "/providers/Microsoft.Authorization/roleDefinitions/" + d.ID, "Microsoft.Authorization/roleDefinitions", d.ID,
		roleDefinitionMore{d.Name, kind, d.Description, d.Scopes, d.Permissions, stamp(d.Created), stamp(d.Updated), by, by}}
}

// wants reads $filter: roleName eq 'X', type eq 'CustomRole', atScopeAndBelow().
func (d *roleDefinition) wants(filter string) bool {
	for _, f := range filters(filter) {
		switch strings.ToLower(f.name) {
		case "rolename":
			if !strings.EqualFold(f.value, d.Name) {
				return false
			}
		case "type":
			if strings.EqualFold(f.value, "CustomRole") != d.Custom {
				return false
			}
		}
	}
	return true
}

// term is one comparison or function of an OData filter.
type term struct{ name, value string }

// filters reads the simple form that the pages use: "a eq 'x' and f('y') and g()".
func filters(text string) []term {
	var out []term
	for _, part := range strings.Split(text, " and ") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if name, value, found := strings.Cut(part, " eq "); found {
			out = append(out, term{strings.TrimSpace(name), unquote(value)})
			continue
		}
		name, rest, _ := strings.Cut(part, "(")
		out = append(out, term{name, unquote(strings.TrimSuffix(rest, ")"))})
	}
	return out
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		s = s[1 : len(s)-1]
	}
	return strings.ReplaceAll(s, "''", "'")
}

func listBuiltInRoles(c *call) reply {
	var out []roleDefinitionBody
	for _, d := range builtInRoles {
		if d.wants(c.query("$filter")) {
			out = append(out, d.body(""))
		}
	}
	return values(out)
}

func getBuiltInRole(c *call) reply {
	if d := builtInRole(c.param("role")); d != nil {
		return ok(d.body(""))
	}
	return c.noRole(c.param("role"))
}

func (c *call) noRole(id string) reply {
	return armError(http.StatusNotFound, "RoleDefinitionDoesNotExist", "The specified role definition with ID '"+id+"' does not exist.")
}

func listRoleDefinitions(c *call) reply {
	sub, refusal := c.at(c.param("scope"), "Microsoft.Authorization/roleDefinitions/read")
	if refusal != nil {
		return *refusal
	}
	var out []roleDefinitionBody
	for _, known := range [][]*roleDefinition{sub.Customer.arm.roles, builtInRoles} {
		for _, d := range known {
			if d.wants(c.query("$filter")) && d.assignableAt(d.Scopes, c.param("scope")) {
				out = append(out, d.body(sub.path()))
			}
		}
	}
	return values(out)
}

func (d *roleDefinition) assignableAt(scopes []string, scope string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return covers(s, scope) })
}

func getRoleDefinition(c *call) reply {
	sub, refusal := c.at(c.param("scope"), "Microsoft.Authorization/roleDefinitions/read")
	if refusal != nil {
		return *refusal
	}
	if d := sub.Customer.role(c.param("role")); d != nil {
		return ok(d.body(sub.path()))
	}
	return c.noRole(c.param("role"))
}

// putRoleDefinition writes a custom role. A scope that is new in it can be assigned
// at only after its wait.
func putRoleDefinition(c *call) reply {
	var in struct {
		Properties struct {
			Name        string           `json:"roleName"`
			Type        string           `json:"type"`
			Description string           `json:"description"`
			Permissions []rolePermission `json:"permissions"`
			Scopes      []string         `json:"assignableScopes"`
		} `json:"properties"`
	}
	if err := c.decode(&in); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	const action = "Microsoft.Authorization/roleDefinitions/write"
	sub, refusal := c.at(c.param("scope"), action)
	if refusal != nil {
		return *refusal
	}
	id, p, cu := strings.ToLower(c.param("role")), in.Properties, sub.Customer
	switch {
	case uuid.Validate(id) != nil:
		return armError(http.StatusBadRequest, "InvalidRoleDefinitionId", "The role definition ID '"+id+"' is not valid. It must be a GUID.")
	case builtInRole(id) != nil:
		return armError(http.StatusBadRequest, "CannotUpdateBuiltInRole", "The built-in role '"+id+"' cannot be changed.")
	case p.Name == "" || len(p.Permissions) == 0 || len(p.Scopes) == 0:
		return armError(http.StatusBadRequest, "InvalidRoleDefinition", "The role definition needs roleName, permissions and assignableScopes.")
	}
	for _, s := range p.Scopes {
		if _, refusal := c.at(s, action); refusal != nil {
			if refusal.status == http.StatusNotFound {
				r := armError(http.StatusBadRequest, "InvalidRoleDefinition", "The assignable scope '"+s+"' is not valid.")
				return r
			}
			return *refusal
		}
	}
	for _, d := range cu.arm.roles {
		if d.ID != id && strings.EqualFold(d.Name, p.Name) {
			return armError(http.StatusConflict, "RoleDefinitionWithSameNameExists", "A custom role with the same name '"+p.Name+"' already exists in this directory.")
		}
	}
	for i := range p.Permissions {
		for _, l := range []*[]string{&p.Permissions[i].Actions, &p.Permissions[i].NotActions, &p.Permissions[i].DataActions, &p.Permissions[i].NotDataActions} {
			if *l == nil {
				*l = []string{}
			}
		}
	}
	d := cu.role(id)
	if d == nil {
		d = &roleDefinition{ID: id, Custom: true, Created: c.now}
		cu.arm.roles = append(cu.arm.roles, d)
	}
	d.Name, d.Description, d.Permissions, d.Scopes, d.Updated, d.By = p.Name, p.Description, p.Permissions, p.Scopes, c.now, c.who.Object
	from := c.now
	if !slices.Equal(d.Assignable.new, p.Scopes) {
		from = c.after(WaitRoleDefinition)
		d.Assignable.set(p.Scopes, c.now, from)
	}
	c.effect(cu.ID, "role definition", id, from)
	return created(d.body(sub.path()))
}

func deleteRoleDefinition(c *call) reply {
	sub, refusal := c.at(c.param("scope"), "Microsoft.Authorization/roleDefinitions/delete")
	if refusal != nil {
		return *refusal
	}
	id, cu := c.param("role"), sub.Customer
	for i, d := range cu.arm.roles {
		if !strings.EqualFold(d.ID, id) {
			continue
		}
		for _, p := range cu.Plans {
			for _, s := range p.Azure {
				if slices.ContainsFunc(s.arm.assignments, func(a *roleAssignment) bool { return a.Role == d.ID }) {
					return armError(http.StatusBadRequest, "RoleDefinitionHasAssignments", "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).")
				}
			}
		}
		cu.arm.roles = slices.Delete(cu.arm.roles, i, i+1)
		return ok(d.body(sub.path()))
	}
	return empty(http.StatusNoContent)
}
