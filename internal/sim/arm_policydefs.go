package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// policyDefinition is a rule that can be assigned.
type policyDefinition struct {
	Name    string
	Custom  bool
	Created time.Time
	By      string
	content lagging[*policyContent] // nil where it is deleted
}

// policyContent is one version of a definition.
type policyContent struct {
	Display     string
	Description string
	Mode        string
	Metadata    any
	Parameters  map[string]policyParameter
	Rule        any // {"if": …, "then": {"effect": …}}
}

type policyParameter struct {
	Type     string `json:"type"`
	Default  any    `json:"defaultValue,omitempty"`
	Allowed  []any  `json:"allowedValues,omitempty"`
	Metadata any    `json:"metadata,omitempty"`
}

type object = map[string]any

func builtInPolicy(name, display, mode string, parameters map[string]policyParameter, condition any, effect string) *policyDefinition {
	return &policyDefinition{Name: name, content: steady(&policyContent{Display: display, Description: display + ".", Mode: mode, Parameters: parameters,
		Metadata: object{"category": "General", "version": "1.0.0"}, Rule: object{"if": condition, "then": object{"effect": effect}}})}
}

func names(parameter, display string) map[string]policyParameter {
	return map[string]policyParameter{parameter: {Type: "Array", Metadata: object{"displayName": display}}}
}

// Microsoft's built-in definitions that restrict what may be created
// (Azure/azure-policy, built-in-policies/policyDefinitions/General and Compute).
var builtInPolicies = []*policyDefinition{
	builtInPolicy("a08ec900-254a-4555-9bf5-e42af04b5c5c", "Allowed resource types", "Indexed", names("listOfResourceTypesAllowed", "Allowed resource types"),
		object{"not": object{"field": "type", "in": "[parameters('listOfResourceTypesAllowed')]"}}, "deny"),
	func() *policyDefinition {
		p := names("listOfResourceTypesNotAllowed", "Not allowed resource types")
		p["effect"] = policyParameter{Type: "String", Default: "Deny", Allowed: []any{"Audit", "Deny", "Disabled"}}
		return builtInPolicy("6c112d4e-5bc7-47ae-a041-ea2d9dccd749", "Not allowed resource types", "All", p, object{"allOf": []any{
			object{"field": "type", "in": "[parameters('listOfResourceTypesNotAllowed')]"}, object{"value": "[field('type')]", "exists": true}}}, "[parameters('effect')]")
	}(),
	builtInPolicy("e56962a6-4747-49cd-b67b-bf8b01975c4c", "Allowed locations", "Indexed", names("listOfAllowedLocations", "Allowed locations"),
		object{"allOf": []any{object{"field": "location", "notIn": "[parameters('listOfAllowedLocations')]"}, object{"field": "location", "notEquals": "global"},
			object{"field": "type", "notEquals": "Microsoft.AzureActiveDirectory/b2cDirectories"}}}, "deny"),
	builtInPolicy("e765b5de-1225-4ba3-bd56-1ac6695af988", "Allowed locations for resource groups", "All", names("listOfAllowedLocations", "Allowed locations"),
		object{"allOf": []any{object{"field": "type", "equals": "Microsoft.Resources/subscriptions/resourceGroups"},
			object{"field": "location", "notIn": "[parameters('listOfAllowedLocations')]"}}}, "deny"),
	builtInPolicy("cccc23c7-8427-4f53-ad12-b6a63eb452b3", "Allowed virtual machine size SKUs", "Indexed", names("listOfAllowedSKUs", "Allowed Size SKUs"),
		object{"allOf": []any{object{"field": "type", "equals": "Microsoft.Compute/virtualMachines"},
			object{"not": object{"field": "Microsoft.Compute/virtualMachines/sku.name", "in": "[parameters('listOfAllowedSKUs')]"}}}}, "Deny"),
}

const policyDefinitionPath = "/providers/Microsoft.Authorization/policyDefinitions/"

func builtInPolicyByName(name string) *policyDefinition {
	for _, d := range builtInPolicies {
		if strings.EqualFold(d.Name, name) {
			return d
		}
	}
	return nil
}

// definition finds a policy definition of the subscription by its full id.
func (sub *AzureSubscription) definition(id string) *policyDefinition {
	folded, path := strings.ToLower(strings.TrimRight(id, "/")), strings.ToLower(policyDefinitionPath)
	i := strings.LastIndex(folded, path)
	if i < 0 {
		return nil
	}
	name := folded[i+len(path):]
	if i == 0 {
		return builtInPolicyByName(name)
	}
	if folded[:i] != strings.ToLower(sub.path()) {
		return nil
	}
	return sub.definitionByName(name)
}

func (sub *AzureSubscription) definitionByName(name string) *policyDefinition {
	for _, d := range sub.arm.definitions {
		if strings.EqualFold(d.Name, name) && d.content.new != nil {
			return d
		}
	}
	return nil
}

type policyDefinitionBody struct {
	Properties policyDefinitionMore `json:"properties"`
	ID         string               `json:"id"`
	Type       string               `json:"type"`
	Name       string               `json:"name"`
}

type policyDefinitionMore struct {
	Display     string                     `json:"displayName"`
	Kind        string                     `json:"policyType"`
	Mode        string                     `json:"mode"`
	Description string                     `json:"description"`
	Metadata    any                        `json:"metadata,omitempty"`
	Parameters  map[string]policyParameter `json:"parameters,omitempty"`
	Rule        any                        `json:"policyRule"`
	Version     string                     `json:"version,omitempty"`
	Versions    []string                   `json:"versions,omitempty"`
}

func (d *policyDefinition) body(prefix string) policyDefinitionBody {
	kind, p := "BuiltIn", d.content.new
	if d.Custom {
		kind = "Custom"
	} else {
		prefix = ""
	}
	return policyDefinitionBody{policyDefinitionMore{p.Display, kind, p.Mode, p.Description, p.Metadata, p.Parameters, p.Rule, "1.0.0", []string{"1.0.0"}},
		prefix + policyDefinitionPath + d.Name, "Microsoft.Authorization/policyDefinitions", d.Name}
}

func noPolicy(name string) reply {
	return armError(http.StatusNotFound, "PolicyDefinitionNotFound", "The policy definition '"+name+"' could not be found.")
}

func listBuiltInPolicies(*call) reply {
	var out []policyDefinitionBody
	for _, d := range builtInPolicies {
		out = append(out, d.body(""))
	}
	return values(out)
}

func getBuiltInPolicy(c *call) reply {
	if d := builtInPolicyByName(c.param("name")); d != nil {
		return ok(d.body(""))
	}
	return noPolicy(c.param("name"))
}

func listPolicyDefinitions(c *call) reply {
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Authorization/policyDefinitions/read")
	if refusal != nil {
		return *refusal
	}
	var out []policyDefinitionBody
	for _, known := range [][]*policyDefinition{sub.arm.definitions, builtInPolicies} {
		for _, d := range known {
			if d.content.new != nil {
				out = append(out, d.body(sub.path()))
			}
		}
	}
	return values(out)
}

func getPolicyDefinition(c *call) reply {
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Authorization/policyDefinitions/read")
	if refusal != nil {
		return *refusal
	}
	if d := sub.definitionByName(c.param("name")); d != nil {
		return ok(d.body(sub.path()))
	}
	return noPolicy(c.param("name"))
}

// putPolicyDefinition writes a custom definition; the rule is checked at once, a
// change of one that is assigned acts after the wait of policies.
func putPolicyDefinition(c *call) reply {
	var in struct {
		Properties struct {
			Display     string                     `json:"displayName"`
			Description string                     `json:"description"`
			Mode        string                     `json:"mode"`
			Kind        string                     `json:"policyType"`
			Metadata    any                        `json:"metadata"`
			Parameters  map[string]policyParameter `json:"parameters"`
			Rule        any                        `json:"policyRule"`
		} `json:"properties"`
	}
	if err := c.decode(&in); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Authorization/policyDefinitions/write")
	if refusal != nil {
		return *refusal
	}
	p := in.Properties
	effect := member(member(p.Rule, "then"), "effect")
	switch {
	case c.param("name") == "" || len(c.param("name")) > 64:
		return armError(http.StatusBadRequest, "InvalidPolicyDefinitionName", "The policy definition name has more than 64 characters.")
	case p.Mode != "" && !slices.Contains([]string{"all", "indexed"}, strings.ToLower(p.Mode)):
		return armError(http.StatusBadRequest, "InvalidPolicyDefinitionMode", "The mode '"+p.Mode+"' is not simulated: All or Indexed.")
	case effect == nil || plainText(effect) == "":
		return armError(http.StatusBadRequest, "InvalidPolicyRule", "Failed to parse policy rule: 'then.effect' is missing.")
	}
	if err := checkRule(member(p.Rule, "if")); err != nil {
		return armError(http.StatusBadRequest, "InvalidPolicyRule", "Failed to parse policy rule: '"+err.Error()+"'.")
	}
	next := &policyContent{p.Display, p.Description, or(p.Mode, "Indexed"), p.Metadata, p.Parameters, p.Rule}
	for name := range p.Parameters {
		if p.Parameters[name].Type == "" {
			return armError(http.StatusBadRequest, "InvalidPolicyParameter", "The parameter '"+name+"' has no type.")
		}
	}
	d := sub.definitionByName(c.param("name"))
	if d == nil {
		d = &policyDefinition{Name: c.param("name"), Custom: true, Created: c.now, By: c.who.Object, content: steady(next)}
		sub.arm.definitions = append(sub.arm.definitions, d)
	} else {
		d.content.set(next, c.now, c.after(WaitPolicy))
	}
	c.effect(sub.Customer.ID, "policy definition", d.Name, c.now)
	return created(d.body(sub.path()))
}

func deletePolicyDefinition(c *call) reply {
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Authorization/policyDefinitions/delete")
	if refusal != nil {
		return *refusal
	}
	d := sub.definitionByName(c.param("name"))
	if d == nil {
		return empty(http.StatusNoContent)
	}
	for _, a := range sub.arm.policies {
		if p := a.content.new; p != nil && p.rule == d {
			return armError(http.StatusBadRequest, "PolicyDefinitionInUse", "The policy definition '"+d.Name+"' is assigned and cannot be deleted.")
		}
	}
	out := d.body(sub.path())
	sub.arm.definitions = slices.DeleteFunc(sub.arm.definitions, func(x *policyDefinition) bool { return x == d })
	return ok(out)
}
