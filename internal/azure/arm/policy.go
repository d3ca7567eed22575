package arm

import (
	"context"
	"encoding/json"
	"net/http"

	"causeway/internal/azure"
)

// Built-in policy definitions.
const (
	PolicyAllowedTypes     = "/providers/Microsoft.Authorization/policyDefinitions/a08ec900-254a-4555-9bf5-e42af04b5c5c" // listOfResourceTypesAllowed; only types with tags and location
	PolicyNotAllowedTypes  = "/providers/Microsoft.Authorization/policyDefinitions/6c112d4e-5bc7-47ae-a041-ea2d9dccd749" // listOfResourceTypesNotAllowed
	PolicyAllowedLocations = "/providers/Microsoft.Authorization/policyDefinitions/e56962a6-4747-49cd-b67b-bf8b01975c4c" // listOfAllowedLocations
)

// PolicyAssignment applies a policy to a scope.
type PolicyAssignment struct {
	ID         string                     `json:"id,omitempty"`
	Name       string                     `json:"name,omitempty"`
	Properties PolicyAssignmentProperties `json:"properties"`
}

// PolicyAssignmentProperties are what an assignment says.
type PolicyAssignmentProperties struct {
	DisplayName           string                    `json:"displayName,omitempty"`
	Description           string                    `json:"description,omitempty"`
	PolicyDefinitionID    string                    `json:"policyDefinitionId"`
	Parameters            map[string]ParameterValue `json:"parameters,omitempty"`
	NotScopes             []string                  `json:"notScopes,omitempty"`
	EnforcementMode       string                    `json:"enforcementMode,omitempty"` // Default, DoNotEnforce
	NonComplianceMessages []NonComplianceMessage    `json:"nonComplianceMessages,omitempty"`
	Metadata              map[string]any            `json:"metadata,omitempty"`
	Scope                 string                    `json:"scope,omitempty"`
}

// ParameterValue is the value of a policy's parameter.
type ParameterValue struct {
	Value any `json:"value"`
}

// NonComplianceMessage is what Azure tells somebody whom the policy stopped.
type NonComplianceMessage struct {
	Message string `json:"message"`
}

const (
	policyAssignments = "/providers/Microsoft.Authorization/policyAssignments"
	policyDefinitions = "/providers/Microsoft.Authorization/policyDefinitions"
)

// PutPolicyAssignment applies a policy under a name; it acts after 5 to 30 minutes
// (ask with CheckPolicy).
// https://learn.microsoft.com/rest/api/policy/policy-assignments/create
func (c *Client) PutPolicyAssignment(ctx context.Context, request azure.RequestID, scope, name string, in PolicyAssignmentProperties) (PolicyAssignment, error) {
	in.Scope = ""
	var out PolicyAssignment
	_, err := c.do(ctx, call{request: request, method: http.MethodPut, path: under(scope, policyAssignments+"/%s", name), version: vPolicy, in: PolicyAssignment{Properties: in}, out: &out})
	return out, err
}

// PolicyAssignment reads one assignment.
// https://learn.microsoft.com/rest/api/policy/policy-assignments/get
func (c *Client) PolicyAssignment(ctx context.Context, scope, name string) (PolicyAssignment, error) {
	var out PolicyAssignment
	_, err := c.do(ctx, call{method: http.MethodGet, path: under(scope, policyAssignments+"/%s", name), version: vPolicy, out: &out})
	return out, err
}

// PolicyAssignments lists the assignments that act on a scope.
// https://learn.microsoft.com/rest/api/policy/policy-assignments/list
func (c *Client) PolicyAssignments(ctx context.Context, scope string) ([]PolicyAssignment, error) {
	return list[PolicyAssignment](ctx, c, under(scope, policyAssignments), vPolicy, nil)
}

// DeletePolicyAssignment takes a policy away; one that is not there is no error.
// https://learn.microsoft.com/rest/api/policy/policy-assignments/delete
func (c *Client) DeletePolicyAssignment(ctx context.Context, request azure.RequestID, scope, name string) error {
	_, err := c.do(ctx, call{request: request, method: http.MethodDelete, path: under(scope, policyAssignments+"/%s", name), version: vPolicy, empty: true})
	return err
}

// PolicyDefinition is a policy.
type PolicyDefinition struct {
	ID         string                     `json:"id,omitempty"`
	Name       string                     `json:"name,omitempty"`
	Properties PolicyDefinitionProperties `json:"properties"`
}

// PolicyDefinitionProperties are what a policy says.
type PolicyDefinitionProperties struct {
	DisplayName string                     `json:"displayName"`
	Description string                     `json:"description,omitempty"`
	PolicyType  string                     `json:"policyType,omitempty"` // Custom, BuiltIn
	Mode        string                     `json:"mode"`                 // All, Indexed
	Metadata    map[string]any             `json:"metadata,omitempty"`
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	PolicyRule  json.RawMessage            `json:"policyRule"`
}

// PutPolicyDefinition makes or changes a policy of our own.
// https://learn.microsoft.com/rest/api/policy/policy-definitions/create-or-update
func (c *Client) PutPolicyDefinition(ctx context.Context, request azure.RequestID, scope, name string, in PolicyDefinitionProperties) (PolicyDefinition, error) {
	var out PolicyDefinition
	_, err := c.do(ctx, call{request: request, method: http.MethodPut, path: under(scope, policyDefinitions+"/%s", name), version: vPolicy, in: PolicyDefinition{Properties: in}, out: &out})
	return out, err
}

// PolicyDefinition reads one policy.
// https://learn.microsoft.com/rest/api/policy/policy-definitions/get
func (c *Client) PolicyDefinition(ctx context.Context, scope, name string) (PolicyDefinition, error) {
	var out PolicyDefinition
	_, err := c.do(ctx, call{method: http.MethodGet, path: under(scope, policyDefinitions+"/%s", name), version: vPolicy, out: &out})
	return out, err
}

// PolicyDefinitions lists the policies of a scope.
// https://learn.microsoft.com/rest/api/policy/policy-definitions/list
func (c *Client) PolicyDefinitions(ctx context.Context, scope string) ([]PolicyDefinition, error) {
	return list[PolicyDefinition](ctx, c, under(scope, policyDefinitions), vPolicy, nil)
}

// DeletePolicyDefinition removes a policy of our own.
// https://learn.microsoft.com/rest/api/policy/policy-definitions/delete
func (c *Client) DeletePolicyDefinition(ctx context.Context, request azure.RequestID, scope, name string) error {
	_, err := c.do(ctx, call{request: request, method: http.MethodDelete, path: under(scope, policyDefinitions+"/%s", name), version: vPolicy, empty: true})
	return err
}

// Resource is one that somebody might create.
type Resource struct {
	Type       string         `json:"type"` // Microsoft.Compute/virtualMachines
	Name       string         `json:"name,omitempty"`
	Location   string         `json:"location,omitempty"`
	Properties map[string]any `json:"properties,omitempty"`
}

// PolicyRef names the policy of a verdict.
type PolicyRef struct {
	PolicyDefinitionID          string `json:"policyDefinitionId"`
	PolicySetDefinitionID       string `json:"policySetDefinitionId"`
	PolicyDefinitionReferenceID string `json:"policyDefinitionReferenceId"`
	PolicyAssignmentID          string `json:"policyAssignmentId"`
}

// PolicyVerdict is what policy would say of a resource.
type PolicyVerdict struct {
	FieldRestrictions []struct {
		Field        string `json:"field"`
		Restrictions []struct {
			Result string    `json:"result"` // Required, Removed, Deny
			Values []string  `json:"values"`
			Policy PolicyRef `json:"policy"`
		} `json:"restrictions"`
	} `json:"fieldRestrictions"`
	ContentEvaluationResult struct {
		PolicyEvaluations []struct {
			PolicyInfo       PolicyRef `json:"policyInfo"`
			EvaluationResult string    `json:"evaluationResult"` // NonCompliant
		} `json:"policyEvaluations"`
	} `json:"contentEvaluationResult"`
}

// DeniedBy tells whether this assignment (its id) forbids the resource.
func (v PolicyVerdict) DeniedBy(assignment string) bool {
	for _, e := range v.ContentEvaluationResult.PolicyEvaluations {
		if SameResource(e.PolicyInfo.PolicyAssignmentID, assignment) {
			return true
		}
	}
	return false
}

// CheckPolicy asks what policy would say of a resource, without creating it. It
// knows a new assignment as late as Azure itself does: 5 to 30 minutes.
// https://learn.microsoft.com/rest/api/policy/policy-restrictions/check-at-subscription-scope
func (c *Client) CheckPolicy(ctx context.Context, subscription string, r Resource, apiVersion string) (PolicyVerdict, error) {
	details := map[string]any{"resourceContent": r}
	if apiVersion != "" {
		details["apiVersion"] = apiVersion
	}
	var out PolicyVerdict
	_, err := c.do(ctx, call{
		method: http.MethodPost, path: azure.Path("/subscriptions/%s/providers/Microsoft.PolicyInsights/checkPolicyRestrictions", subscription),
		version: vInsights, in: map[string]any{"resourceDetails": details}, out: &out,
	})
	return out, err
}

// ValidateDeployment asks whether a template could be deployed to the
// subscription, without doing it; nil means yes. A policy's refusal is an error
// whose details name the policy assignment (see DenyingPolicies).
// https://learn.microsoft.com/rest/api/resources/deployments/validate-at-subscription-scope
func (c *Client) ValidateDeployment(ctx context.Context, subscription, name, location string, template any) error {
	in := map[string]any{"location": location, "properties": map[string]any{"mode": "Incremental", "template": template}}
	_, err := c.do(ctx, call{
		method: http.MethodPost, path: azure.Path("/subscriptions/%s/providers/Microsoft.Resources/deployments/%s/validate", subscription, name),
		version: vResources, in: in, empty: true,
	})
	return err
}

// ValidateGroupDeployment asks the same for a resource group.
// https://learn.microsoft.com/rest/api/resources/deployments/validate
func (c *Client) ValidateGroupDeployment(ctx context.Context, subscription, group, name string, template any) error {
	in := map[string]any{"properties": map[string]any{"mode": "Incremental", "template": template}}
	_, err := c.do(ctx, call{
		method: http.MethodPost, path: azure.Path("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Resources/deployments/%s/validate", subscription, group, name),
		version: vResources, in: in, empty: true,
	})
	return err
}

// DenyingPolicies are the ids of the policy assignments that an error
// RequestDisallowedByPolicy names, at whatever depth.
func DenyingPolicies(err error) []string {
	e := azure.AsError(err)
	if e == nil {
		return nil
	}
	var ids []string
	for _, d := range e.Details {
		if d.PolicyAssignmentID != "" {
			ids = append(ids, d.PolicyAssignmentID)
		}
	}
	return ids
}
