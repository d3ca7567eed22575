package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Kinds of principals.
const (
	kindUser         = "User"
	kindGroup        = "Group"
	kindService      = "ServicePrincipal"
	kindForeignGroup = "ForeignGroup"
)

// roleAssignment gives a principal a role at a scope.
type roleAssignment struct {
	Name, Scope, Role, Principal, Kind       string
	Description, Condition, ConditionVersion string
	Created, Updated                         time.Time
	By                                       string
	Acts                                     time.Time // until then the principal is refused as before
}

type roleAssignmentBody struct {
	Properties roleAssignmentMore `json:"properties"`
	ID         string             `json:"id"`
	Type       string             `json:"type"`
	Name       string             `json:"name"`
}

// roleAssignmentMore: a PUT answers the first four members and what was sent; a GET
// adds the rest, as Microsoft's own examples differ.
type roleAssignmentMore struct {
	Role             string  `json:"roleDefinitionId"`
	Principal        string  `json:"principalId"`
	Kind             string  `json:"principalType"`
	Scope            string  `json:"scope"`
	Description      string  `json:"description,omitempty"`
	Condition        *string `json:"condition,omitempty"`
	ConditionVersion *string `json:"conditionVersion,omitempty"`
	Created          string  `json:"createdOn,omitempty"`
	Updated          string  `json:"updatedOn,omitempty"`
	CreatedBy        string  `json:"createdBy,omitempty"`
	UpdatedBy        string  `json:"updatedBy,omitempty"`
}

func (a *roleAssignment) id() string {
	return a.Scope + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name
}

// body: the role comes back without the subscription's prefix when it was written,
// and with it when it is read.
func (a *roleAssignment) body(prefix string, whole bool) roleAssignmentBody {
	out := roleAssignmentBody{ID: a.id(), Type: "Microsoft.Authorization/roleAssignments", Name: a.Name, Properties: roleAssignmentMore{
		Role: prefix + "/providers/Microsoft.Authorization/roleDefinitions/" + a.Role, Principal: a.Principal, Kind: a.Kind, Scope: a.Scope, Description: a.Description,
	}}
	if a.Condition != "" {
		out.Properties.Condition, out.Properties.ConditionVersion = &a.Condition, &a.ConditionVersion
	}
	if whole {
		p := &out.Properties
		p.Created, p.Updated, p.CreatedBy, p.UpdatedBy = stamp(a.Created), stamp(a.Updated), a.By, a.By
	}
	return out
}

// listRoleAssignments shows what holds at the scope and below it; atScope() leaves
// out what is below, principalId and assignedTo choose one principal.
func listRoleAssignments(c *call) reply {
	scope := c.param("scope")
	sub, refusal := c.at(scope, "Microsoft.Authorization/roleAssignments/read")
	if refusal != nil {
		return *refusal
	}
	atScope, principal := false, ""
	for _, f := range filters(c.query("$filter")) {
		switch strings.ToLower(f.name) {
		case "atscope":
			atScope = true
		case "principalid", "assignedto":
			principal = f.value
		default:
			return armError(http.StatusBadRequest, "UnsupportedFilter", "The filter '"+c.query("$filter")+"' is not supported.")
		}
	}
	var out []roleAssignmentBody
	lag := c.lag(c.faults)
	for _, a := range sub.arm.assignments {
		above, below := covers(a.Scope, scope), covers(scope, a.Scope)
		if (above || (below && !atScope)) && (principal == "" || strings.EqualFold(principal, a.Principal)) && !c.now.Add(-lag).Before(a.Created) {
			out = append(out, a.body(sub.path(), true))
		}
	}
	return values(out)
}

// assignment finds a role assignment of the subscription by its name and scope.
func (sub *AzureSubscription) assignment(scope, name string) *roleAssignment {
	for _, a := range sub.arm.assignments {
		if strings.EqualFold(a.Name, name) && strings.EqualFold(a.Scope, strings.TrimRight(scope, "/")) {
			return a
		}
	}
	return nil
}

func getRoleAssignment(c *call) reply {
	sub, refusal := c.at(c.param("scope"), "Microsoft.Authorization/roleAssignments/read")
	if refusal != nil {
		return *refusal
	}
	if a := sub.assignment(c.param("scope"), c.param("name")); a != nil {
		return ok(a.body(sub.path(), true))
	}
	return armError(http.StatusNotFound, "RoleAssignmentNotFound", "The role assignment '"+c.param("name")+"' is not found.")
}

// principal finds who an object id is in the customer tenant, and since when.
func (c *call) principal(cu *Customer, id string) (kind string, since time.Time) {
	if strings.EqualFold(id, cu.AdminID) {
		return kindUser, cu.Created
	}
	for _, m := range cu.Members {
		if strings.EqualFold(m.ID, id) && m.Deleted.IsZero() {
			return kindUser, cu.Created
		}
	}
	for _, k := range cu.Consents {
		if strings.EqualFold(k.Object, id) {
			return kindService, k.Created
		}
	}
	if c.s.groupByID(id) != nil || strings.EqualFold(id, c.s.adminAgents()) {
		return kindForeignGroup, cu.Created
	}
	return "", time.Time{}
}

// putRoleAssignment gives a principal a role. The name is the key of idempotency;
// the same content under another name is refused.
func putRoleAssignment(c *call) reply {
	var in struct {
		Properties struct {
			Role             string `json:"roleDefinitionId"`
			Principal        string `json:"principalId"`
			Kind             string `json:"principalType"`
			Description      string `json:"description"`
			Condition        string `json:"condition"`
			ConditionVersion string `json:"conditionVersion"`
		} `json:"properties"`
	}
	if err := c.decode(&in); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	scope, name, p := strings.TrimRight(c.param("scope"), "/"), strings.ToLower(c.param("name")), in.Properties
	sub, refusal := c.at(scope, "Microsoft.Authorization/roleAssignments/write")
	if refusal != nil {
		return *refusal
	}
	cu := sub.Customer
	roleID := p.Role[strings.LastIndexByte(p.Role, '/')+1:]
	d := cu.role(roleID)
	if uuid.Validate(name) != nil {
		return armError(http.StatusBadRequest, "InvalidRoleAssignmentId", "The role assignment ID '"+name+"' is not valid. The role assignment ID must be a GUID.")
	}
	if uuid.Validate(p.Principal) != nil {
		return armError(http.StatusBadRequest, "InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
	}
	if d == nil {
		return c.noRole(roleID)
	}
	if !d.assignableAt(d.Assignable.at(c.now), scope) {
		return armError(http.StatusBadRequest, "RoleAssignmentScopeNotAssignableToRoleDefinition",
			"The role assignment's scope '"+scope+"' is not assignable to the role definition '"+d.ID+"'.")
	}
	if (p.Condition == "") != (p.ConditionVersion == "") || (p.ConditionVersion != "" && p.ConditionVersion != "2.0") {
		return armError(http.StatusBadRequest, "RoleAssignmentConditionNotValid", "A condition needs the condition version 2.0.")
	}
	if p.Condition != "" {
		if _, err := parseCondition(p.Condition); err != nil {
			return armError(http.StatusBadRequest, "RoleAssignmentConditionNotValid", "The condition is not valid: "+err.Error()+".")
		}
	}
	if !c.mayAssign(sub, scope, "Microsoft.Authorization/roleAssignments/write", &roleAssignment{Role: d.ID, Principal: strings.ToLower(p.Principal), Kind: p.Kind}, nil) {
		return c.unauthorized("Microsoft.Authorization/roleAssignments/write", scope)
	}
	kind, since := c.principal(cu, p.Principal)
	switch {
	case kind == "", p.Kind == "" && c.now.Before(c.s.after(since, WaitPrincipal)):
		return armError(http.StatusBadRequest, "PrincipalNotFound", "Principal "+strings.ReplaceAll(p.Principal, "-", "")+" does not exist in the directory "+cu.ID+
			". Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.")
	case p.Kind != "" && p.Kind != kind:
		return armError(http.StatusBadRequest, "UnmatchedPrincipalType", "The PrincipalId '"+strings.ReplaceAll(p.Principal, "-", "")+"' has type '"+kind+
			"' , which is different from specified PrinciaplType '"+p.Kind+"'.")
	}
	next := roleAssignment{Name: name, Scope: scope, Role: d.ID, Principal: strings.ToLower(p.Principal), Kind: kind, Description: p.Description,
		Condition: p.Condition, ConditionVersion: p.ConditionVersion, Created: c.now, Updated: c.now, By: c.who.Object}
	for _, plan := range cu.Plans { // names are unique in the tenant
		for _, other := range plan.Azure {
			for _, a := range other.arm.assignments {
				if a.Name == name {
					return c.againRole(sub, a, &next)
				}
			}
		}
	}
	for _, a := range sub.arm.assignments {
		if a.same(&next) {
			return armError(http.StatusConflict, "RoleAssignmentExists", "The role assignment already exists. The ID of the existing role assignment is "+strings.ReplaceAll(a.Name, "-", "")+".")
		}
	}
	if len(sub.arm.assignments) >= 4000 {
		return armError(http.StatusBadRequest, "RoleAssignmentLimitExceeded", "The number of role assignments for the subscription exceeded the limit of 4000.")
	}
	if denied := c.denied(sub, newResource(sub, scope, "Microsoft.Authorization/roleAssignments", name, map[string]any{
		"properties": map[string]any{"roleDefinitionId": p.Role, "principalId": p.Principal, "principalType": kind}})); denied != nil {
		return *denied
	}
	next.Acts = c.after(WaitRole)
	sub.arm.assignments = append(sub.arm.assignments, &next)
	c.effect(cu.ID, "role", name, next.Acts)
	return created(next.body("", false))
}

// same compares what makes an assignment: scope, principal and role.
func (a *roleAssignment) same(b *roleAssignment) bool {
	return strings.EqualFold(a.Scope, b.Scope) && strings.EqualFold(a.Principal, b.Principal) && strings.EqualFold(a.Role, b.Role)
}

// againRole answers a PUT under a name that exists.
func (c *call) againRole(sub *AzureSubscription, a, next *roleAssignment) reply {
	if !a.same(next) {
		return armError(http.StatusPreconditionFailed, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
	}
	if a.Description != next.Description || a.Condition != next.Condition || a.ConditionVersion != next.ConditionVersion {
		a.Description, a.Condition, a.ConditionVersion, a.Updated = next.Description, next.Condition, next.ConditionVersion, c.now
	}
	return ok(a.body("", false))
}

// deleteRoleAssignment ends an assignment at once.
func deleteRoleAssignment(c *call) reply {
	sub, refusal := c.at(c.param("scope"), "Microsoft.Authorization/roleAssignments/delete")
	if refusal != nil {
		return *refusal
	}
	a := sub.assignment(c.param("scope"), c.param("name"))
	if a == nil {
		return empty(http.StatusNoContent)
	}
	if !c.mayAssign(sub, a.Scope, "Microsoft.Authorization/roleAssignments/delete", nil, a) {
		return c.unauthorized("Microsoft.Authorization/roleAssignments/delete", a.Scope)
	}
	sub.arm.assignments = slices.DeleteFunc(sub.arm.assignments, func(x *roleAssignment) bool { return x == a })
	c.effect(sub.Customer.ID, "role removed", a.Name, c.now)
	return ok(a.body(sub.path(), true))
}
