package sim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// armTemplate is a deployment's template with its parameters, as far as it is needed
// to know which resources it would make.
type armTemplate struct {
	sub        *AzureSubscription
	scope      string
	parameters map[string]any
	variables  map[string]any
	body       map[string]any
}

// validateDeployment says whether a template would be accepted: by policy first,
// then by the registration of its resource providers. Nothing is created.
func validateDeployment(c *call) reply {
	var in struct {
		Location   string `json:"location"`
		Properties struct {
			Mode       string                 `json:"mode"`
			Template   map[string]any         `json:"template"`
			Parameters map[string]policyValue `json:"parameters"`
		} `json:"properties"`
	}
	if err := c.decode(&in); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	scope, group := "/subscriptions/"+c.param("subscription"), c.param("group")
	if group != "" {
		scope += "/resourceGroups/" + group
	}
	sub, refusal := c.at(scope, "Microsoft.Resources/deployments/validate/action")
	if refusal != nil {
		return *refusal
	}
	p := in.Properties
	switch {
	case group != "" && !slices.Contains(sub.arm.groups, strings.ToLower(group)):
		return armError(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '"+group+"' could not be found.")
	case group == "" && in.Location == "":
		return armError(http.StatusBadRequest, "InvalidDeployment", "The 'location' property must be specified for deployments at the subscription scope.")
	case p.Template == nil:
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content is invalid: 'properties.template' is missing.")
	case !strings.EqualFold(p.Mode, "Incremental") && (group == "" || !strings.EqualFold(p.Mode, "Complete")):
		return armError(http.StatusBadRequest, "InvalidDeployment", "The deployment mode '"+p.Mode+"' is not valid here.")
	}
	t := &armTemplate{sub: sub, scope: scope, parameters: map[string]any{}, body: p.Template}
	for k, v := range p.Parameters {
		t.parameters[k] = v.Value
	}
	resources, err := t.resources(0)
	if err != nil {
		return armError(http.StatusBadRequest, "InvalidTemplate", "Deployment template validation failed: '"+err.Error()+"'.")
	}
	var denials []armFault
	for _, r := range resources {
		if v := c.violations(r); len(v) > 0 {
			denials = append(denials, r.disallowed(v))
		}
	}
	if len(denials) > 0 {
		return reply{status: http.StatusBadRequest, header: map[string]string{codeHeader: "InvalidTemplateDeployment"}, body: armBody{armFault{
			Code: "InvalidTemplateDeployment", Message: "The template deployment failed because of policy violation. Please see details for more information.", Details: denials}}}
	}
	var providers []object
	var made []object
	for _, r := range resources {
		namespace, kind, _ := strings.Cut(r.Type, "/")
		if known, _ := provider(namespace); known == "" {
			return armError(http.StatusBadRequest, "InvalidTemplateDeployment", "The resource namespace '"+namespace+"' is invalid.")
		}
		if refusal := c.unregistered(sub, namespace); refusal != nil {
			return *refusal
		}
		providers = append(providers, object{"namespace": namespace, "resourceTypes": []object{{"resourceType": kind}}})
		made = append(made, object{"id": r.ID})
	}
	name := c.param("deployment")
	return ok(object{
		"id": scope + "/providers/Microsoft.Resources/deployments/" + name, "name": name, "type": "Microsoft.Resources/deployments", "location": in.Location,
		"properties": object{"mode": p.Mode, "provisioningState": "Succeeded", "timestamp": stamp(c.now), "duration": "PT0S", "correlationId": c.log.CorrelationID,
			"templateHash": "0", "providers": providers, "dependencies": []any{}, "validatedResources": made},
	})
}

// resources lists what the template would make, nested templates included.
func (t *armTemplate) resources(depth int) ([]*resource, error) {
	if depth > 5 {
		return nil, fmt.Errorf("templates are nested too deeply")
	}
	declared, _ := member(t.body, "parameters").(map[string]any)
	for name, d := range declared {
		if _, given := value(t.parameters, name); given {
			continue
		}
		v := member(d, "defaultValue")
		if v == nil {
			return nil, fmt.Errorf("the value for the template parameter '%s' is not provided", name)
		}
		t.parameters[name] = v
	}
	t.variables, _ = member(t.body, "variables").(map[string]any)
	var list []any
	switch l := member(t.body, "resources").(type) {
	case []any:
		list = l
	case map[string]any: // the form of language version 2
		for _, x := range l {
			list = append(list, x)
		}
	}
	var out []*resource
	for _, raw := range list {
		got, err := t.resource(raw, "", "", depth)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}

// resource reads one element of a template, with its children.
func (t *armTemplate) resource(raw any, parentType, parentName string, depth int) ([]*resource, error) {
	m, is := raw.(map[string]any)
	if !is {
		return nil, fmt.Errorf("a resource must be an object")
	}
	for _, needed := range []string{"type", "name", "apiVersion"} {
		if member(m, needed) == nil {
			return nil, fmt.Errorf("a resource has no %s", needed)
		}
	}
	kind, _ := member(m, "type").(string)
	resolved, err := t.resolve(m, 0)
	if err != nil {
		return nil, err
	}
	content, _ := resolved.(map[string]any)
	name := plainText(member(content, "name"))
	if parentType != "" && !strings.Contains(strings.ToLower(kind), strings.ToLower(parentType)+"/") {
		kind, name = parentType+"/"+kind, parentName+"/"+name
	}
	scope := t.scope
	if g := plainText(member(content, "resourceGroup")); g != "" {
		scope = t.sub.path() + "/resourceGroups/" + g
	}
	if strings.EqualFold(kind, "Microsoft.Resources/resourceGroups") {
		kind = "Microsoft.Resources/subscriptions/resourceGroups"
	}
	out := []*resource{newResource(t.sub, scope, kind, name, content)}
	if inner, is := member(member(m, "properties"), "template").(map[string]any); is && strings.EqualFold(kind, "Microsoft.Resources/deployments") {
		nested := &armTemplate{sub: t.sub, scope: scope, parameters: map[string]any{}, body: inner}
		given, _ := member(member(content, "properties"), "parameters").(map[string]any)
		for k, v := range given {
			nested.parameters[k] = member(v, "value")
		}
		more, err := nested.resources(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	children, _ := member(m, "resources").([]any)
	for _, child := range children {
		more, err := t.resource(child, kind, name, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

var errTooDeep = errors.New("expressions are nested too deeply")

// resolve works out the expressions inside a value; what depends on things that do
// not exist before a deployment stays as it is written.
func (t *armTemplate) resolve(v any, depth int) (any, error) {
	if depth > 40 {
		return nil, errTooDeep
	}
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, inner := range x {
			if k == "template" || k == "resources" {
				continue // has its own parameters
			}
			y, err := t.resolve(inner, depth+1)
			if err != nil {
				return nil, err
			}
			out[k] = y
		}
		return out, nil
	case []any:
		out := make([]any, len(x))
		for i, inner := range x {
			y, err := t.resolve(inner, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = y
		}
		return out, nil
	case string:
		y, err := evaluate(x, t.look(depth))
		if err == nil || errors.Is(err, errTooDeep) {
			return y, err // a variable that names itself must end the whole
		}
	}
	return v, nil
}

func (t *armTemplate) look(depth int) lookup {
	return func(name string, args []any) (any, bool, error) {
		switch name {
		case "parameters", "variables":
			if len(args) != 1 {
				return nil, true, fmt.Errorf("%s needs one argument", name)
			}
			from := t.parameters
			if name == "variables" {
				from = t.variables
			}
			v, has := value(from, plainText(args[0]))
			if !has {
				return nil, true, fmt.Errorf("%s has no '%s'", name, plainText(args[0]))
			}
			y, err := t.resolve(v, depth+1)
			return y, true, err
		case "subscription":
			return map[string]any{"id": t.sub.path(), "subscriptionId": t.sub.ID, "tenantId": t.sub.Customer.ID}, true, nil
		case "resourcegroup":
			return map[string]any{"id": t.scope, "name": t.scope[strings.LastIndexByte(t.scope, '/')+1:], "location": "westeurope"}, true, nil
		case "deployment":
			return map[string]any{"location": "westeurope"}, true, nil
		case "resourceid", "subscriptionresourceid":
			var parts []string
			for _, a := range args {
				parts = append(parts, plainText(a))
			}
			return t.scope + "/providers/" + strings.Join(parts, "/"), true, nil
		}
		return nil, false, nil
	}
}
