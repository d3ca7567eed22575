package arm

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"causeway/internal/azure"
	"causeway/internal/fault"
)

// Built-in roles, the same in every tenant.
const (
	RoleOwner                     = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	RoleContributor               = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	RoleReader                    = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	RoleUserAccessAdministrator   = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
	RoleSupportRequestContributor = "cfd33db0-3dd1-45e3-aa9d-cdbdf3b6f24e"
	RoleCostManagementReader      = "72fafb9e-0641-4937-9268-a91bfd8191a3"
)

// Kinds of principal.
const (
	PrincipalUser             = "User"
	PrincipalGroup            = "Group"
	PrincipalServicePrincipal = "ServicePrincipal"
	PrincipalForeignGroup     = "ForeignGroup" // the partner's AdminAgents: AOBO
)

// RoleAssignment gives a principal a role on a scope.
type RoleAssignment struct {
	ID         string                   `json:"id,omitempty"`
	Name       string                   `json:"name,omitempty"`
	Type       string                   `json:"type,omitempty"`
	Properties RoleAssignmentProperties `json:"properties"`
}

// RoleAssignmentProperties are what an assignment says.
type RoleAssignmentProperties struct {
	RoleDefinitionID string     `json:"roleDefinitionId"` // may come back without the subscription before it
	PrincipalID      string     `json:"principalId"`
	PrincipalType    string     `json:"principalType,omitempty"` // without it a new principal is looked up and not found
	Scope            string     `json:"scope,omitempty"`
	Description      string     `json:"description,omitempty"`
	Condition        string     `json:"condition,omitempty"`
	ConditionVersion string     `json:"conditionVersion,omitempty"`
	CreatedOn        azure.Time `json:"createdOn,omitzero"`
	UpdatedOn        azure.Time `json:"updatedOn,omitzero"`
	CreatedBy        string     `json:"createdBy,omitempty"`
}

// Gives tells whether the assignment gives this principal this role (a role's GUID
// or its whole id) on exactly this scope.
func (a RoleAssignment) Gives(scope, principal, role string) bool {
	return SameResource(a.Properties.Scope, scope) && azure.SameID(a.Properties.PrincipalID, principal) && strings.EqualFold(last(a.Properties.RoleDefinitionID), last(role))
}

// RoleDefinitionID is the whole id of a role in a subscription.
func RoleDefinitionID(subscription, role string) string {
	return azure.Path("/subscriptions/%s/providers/Microsoft.Authorization/roleDefinitions/%s", subscription, last(role))
}

const assignments = "/providers/Microsoft.Authorization/roleAssignments"

// PutRoleAssignment makes an assignment: 201 the first time, 200 the same again.
// Name it by AssignmentName. 409 RoleAssignmentExists: see EnsureRoleAssignment.
// It answers before it acts: up to 10 minutes.
// https://learn.microsoft.com/rest/api/authorization/role-assignments/create
func (c *Client) PutRoleAssignment(ctx context.Context, request azure.RequestID, scope, name string, in RoleAssignmentProperties) (RoleAssignment, error) {
	in.Scope, in.CreatedBy = "", ""
	in.CreatedOn, in.UpdatedOn = azure.Time{}, azure.Time{}
	var out RoleAssignment
	_, err := c.do(ctx, call{request: request, method: http.MethodPut, path: under(scope, assignments+"/%s", name), version: vAccess, in: RoleAssignment{Properties: in}, out: &out})
	return out, err
}

// EnsureRoleAssignment makes an assignment under its derived name; if Azure says
// that one with the same content exists under another name, it reads that one and
// gives it only if it really is the same.
func (c *Client) EnsureRoleAssignment(ctx context.Context, request azure.RequestID, scope string, in RoleAssignmentProperties) (RoleAssignment, error) {
	out, err := c.PutRoleAssignment(ctx, request, scope, AssignmentName(scope, in.PrincipalID, in.RoleDefinitionID), in)
	if !azure.HasCode(err, "RoleAssignmentExists") {
		return out, err
	}
	have, listErr := c.RoleAssignments(ctx, scope, "principalId eq '"+in.PrincipalID+"'")
	if listErr != nil {
		return RoleAssignment{}, listErr
	}
	for _, a := range have {
		if !a.Gives(scope, in.PrincipalID, in.RoleDefinitionID) {
			continue
		}
		if a.Properties.Condition != in.Condition {
			return a, fault.New(fault.Conflict, "the role is assigned on %s already, with another condition", scope).Because(err)
		}
		return a, nil
	}
	return RoleAssignment{}, err
}

// RoleAssignment reads one assignment.
// https://learn.microsoft.com/rest/api/authorization/role-assignments/get
func (c *Client) RoleAssignment(ctx context.Context, scope, name string) (RoleAssignment, error) {
	var out RoleAssignment
	_, err := c.do(ctx, call{method: http.MethodGet, path: under(scope, assignments+"/%s", name), version: vAccess, out: &out})
	return out, err
}

// RoleAssignments lists assignments; filter is atScope(), principalId eq '{id}',
// assignedTo('{id}'), or "".
// https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
func (c *Client) RoleAssignments(ctx context.Context, scope, filter string) ([]RoleAssignment, error) {
	q := url.Values{}
	if filter != "" {
		q.Set("$filter", filter)
	}
	return list[RoleAssignment](ctx, c, under(scope, assignments), vAccess, q)
}

// DeleteRoleAssignment takes the role away; one that is not there is no error.
// https://learn.microsoft.com/rest/api/authorization/role-assignments/delete
func (c *Client) DeleteRoleAssignment(ctx context.Context, request azure.RequestID, scope, name string) error {
	_, err := c.do(ctx, call{request: request, method: http.MethodDelete, path: under(scope, assignments+"/%s", name), version: vAccess, empty: true})
	return err
}

// RoleDefinition is a role: what it may and may not do.
type RoleDefinition struct {
	ID         string                   `json:"id,omitempty"`
	Name       string                   `json:"name,omitempty"`
	Properties RoleDefinitionProperties `json:"properties"`
}

// RoleDefinitionProperties are what a role says.
type RoleDefinitionProperties struct {
	RoleName         string       `json:"roleName"`
	Type             string       `json:"type"` // CustomRole, BuiltInRole
	Description      string       `json:"description"`
	Permissions      []Permission `json:"permissions"`
	AssignableScopes []string     `json:"assignableScopes"`
}

// Permission lists actions of a role.
type Permission struct {
	Actions        []string `json:"actions"`
	NotActions     []string `json:"notActions"`
	DataActions    []string `json:"dataActions,omitempty"`
	NotDataActions []string `json:"notDataActions,omitempty"`
}

const definitions = "/providers/Microsoft.Authorization/roleDefinitions"

// PutRoleDefinition makes or changes a custom role. AssignableScopes replace those
// before: read first, then add.
// https://learn.microsoft.com/rest/api/authorization/role-definitions/create-or-update
func (c *Client) PutRoleDefinition(ctx context.Context, request azure.RequestID, scope, name string, in RoleDefinitionProperties) (RoleDefinition, error) {
	if in.Type == "" {
		in.Type = "CustomRole"
	}
	var out RoleDefinition
	_, err := c.do(ctx, call{request: request, method: http.MethodPut, path: under(scope, definitions+"/%s", name), version: vAccess, in: RoleDefinition{Name: name, Properties: in}, out: &out})
	return out, err
}

// RoleDefinition reads one role.
// https://learn.microsoft.com/rest/api/authorization/role-definitions/get
func (c *Client) RoleDefinition(ctx context.Context, scope, name string) (RoleDefinition, error) {
	var out RoleDefinition
	_, err := c.do(ctx, call{method: http.MethodGet, path: under(scope, definitions+"/%s", name), version: vAccess, out: &out})
	return out, err
}

// RoleDefinitions lists roles; filter is e.g. "roleName eq 'Owner'", or "".
// https://learn.microsoft.com/rest/api/authorization/role-definitions/list
func (c *Client) RoleDefinitions(ctx context.Context, scope, filter string) ([]RoleDefinition, error) {
	q := url.Values{}
	if filter != "" {
		q.Set("$filter", filter)
	}
	return list[RoleDefinition](ctx, c, under(scope, definitions), vAccess, q)
}

// DeleteRoleDefinition removes a custom role that is assigned nowhere.
// https://learn.microsoft.com/rest/api/authorization/role-definitions/delete
func (c *Client) DeleteRoleDefinition(ctx context.Context, request azure.RequestID, scope, name string) error {
	_, err := c.do(ctx, call{request: request, method: http.MethodDelete, path: under(scope, definitions+"/%s", name), version: vAccess, empty: true})
	return err
}
