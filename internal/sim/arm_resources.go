package sim

import (
	"net/http"
	"slices"
	"strings"
)

func groupBody(sub *AzureSubscription, name, location string) object {
	return object{"id": sub.path() + "/resourceGroups/" + name, "name": name, "type": "Microsoft.Resources/resourceGroups", "location": location,
		"properties": object{"provisioningState": "Succeeded"}}
}

func listResourceGroups(c *call) reply {
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Resources/subscriptions/resourceGroups/read")
	if refusal != nil {
		return *refusal
	}
	var out []object
	for _, g := range sub.arm.groups {
		out = append(out, groupBody(sub, g, "westeurope"))
	}
	return values(out)
}

// putResourceGroup makes a resource group, if policy lets it.
func putResourceGroup(c *call) reply {
	content := map[string]any{}
	if err := c.decode(&content); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	name := c.param("group")
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Resources/subscriptions/resourceGroups/write")
	if refusal != nil {
		return *refusal
	}
	location := plainText(member(content, "location"))
	if location == "" {
		return armError(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	}
	if denied := c.denied(sub, newResource(sub, sub.path(), "Microsoft.Resources/subscriptions/resourceGroups", name, content)); denied != nil {
		return *denied
	}
	if slices.Contains(sub.arm.groups, strings.ToLower(name)) {
		return ok(groupBody(sub, name, location))
	}
	sub.arm.groups = append(sub.arm.groups, strings.ToLower(name))
	return created(groupBody(sub, name, location))
}

// putResource stands for the creation of any resource. Rights, registration and
// policy answer as they would; the resource itself is not kept.
func putResource(c *call) reply {
	content := map[string]any{}
	if err := c.decode(&content); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	kind, name := c.param("namespace")+"/"+c.param("type"), c.param("resource")
	scope := "/subscriptions/" + c.param("subscription") + "/resourceGroups/" + c.param("group")
	sub, refusal := c.at(scope, kind+"/write")
	if refusal != nil {
		return *refusal
	}
	if !slices.Contains(sub.arm.groups, strings.ToLower(c.param("group"))) {
		return armError(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '"+c.param("group")+"' could not be found.")
	}
	if refusal := c.unregistered(sub, c.param("namespace")); refusal != nil {
		return *refusal
	}
	r := newResource(sub, scope, kind, name, content)
	if denied := c.denied(sub, r); denied != nil {
		return *denied
	}
	out := object{}
	for k, v := range content {
		out[k] = v
	}
	out["id"], out["name"], out["type"] = r.ID, name, kind
	return created(out)
}
