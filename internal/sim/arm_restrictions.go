package sim

import (
	"net/http"
	"strings"
)

type policyInfo struct {
	Definition string `json:"policyDefinitionId"`
	Assignment string `json:"policyAssignmentId"`
}

type fieldRestriction struct {
	Field        string        `json:"field"`
	Restrictions []restriction `json:"restrictions"`
}

type restriction struct {
	Result string     `json:"result"`
	Values []string   `json:"values,omitempty"`
	Policy policyInfo `json:"policy"`
}

type policyEvaluation struct {
	Policy  policyInfo `json:"policyInfo"`
	Result  string     `json:"evaluationResult"`
	Details struct {
		Expressions []expressed `json:"evaluatedExpressions"`
	} `json:"evaluationDetails"`
}

// checkPolicyRestrictions says what the acting policies would do with a resource,
// without creating it.
func checkPolicyRestrictions(c *call) reply {
	var in struct {
		Details *struct {
			Content map[string]any `json:"resourceContent"`
			Version string         `json:"apiVersion"`
			Scope   string         `json:"scope"`
		} `json:"resourceDetails"`
		Pending []struct {
			Field  string   `json:"field"`
			Values []string `json:"values"`
		} `json:"pendingFields"`
	}
	if err := c.decode(&in); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	scope := "/subscriptions/" + c.param("subscription")
	if g := c.param("group"); g != "" {
		scope += "/resourceGroups/" + g
	}
	// A POST that only asks: readers may use it, and so may a disabled subscription.
	sub, refusal := c.at(scope, "Microsoft.PolicyInsights/checkPolicyRestrictions/read")
	if refusal != nil {
		return *refusal
	}
	if refusal := c.unregistered(sub, "Microsoft.PolicyInsights"); refusal != nil {
		return *refusal
	}
	if in.Details == nil || len(in.Details.Content) == 0 {
		return armError(http.StatusBadRequest, "InvalidCheckRestrictionsRequest", "The request needs resourceDetails.resourceContent.")
	}
	kind, _ := member(in.Details.Content, "type").(string)
	if !strings.Contains(kind, "/") {
		pending := false
		for _, p := range in.Pending {
			pending = pending || strings.EqualFold(p.Field, "type")
		}
		if !pending {
			return armError(http.StatusBadRequest, "InvalidCheckRestrictionsRequest", "The resource content needs a type like Microsoft.Compute/virtualMachines.")
		}
	}
	name, _ := member(in.Details.Content, "name").(string)
	at := scope
	if s := in.Details.Scope; s != "" {
		if covers(scope, s) {
			at = strings.TrimRight(s, "/")
		}
	}
	r := newResource(sub, at, kind, or(name, "resource"), in.Details.Content)
	out := struct {
		Fields  []fieldRestriction `json:"fieldRestrictions"`
		Content struct {
			Evaluations []policyEvaluation `json:"policyEvaluations"`
		} `json:"contentEvaluationResult"`
	}{Fields: []fieldRestriction{}}
	out.Content.Evaluations = []policyEvaluation{}
	pending := map[string]bool{}
	for _, p := range in.Pending {
		pending[strings.ToLower(p.Field)] = true
	}
	for _, v := range c.violations(r) {
		if v.about(pending) {
			continue // not decided yet: the field is still open
		}
		e := policyEvaluation{Policy: policyInfo{v.definition, v.assignment.id()}, Result: "NonCompliant"}
		e.Details.Expressions = v.seen
		out.Content.Evaluations = append(out.Content.Evaluations, e)
	}
	for _, p := range in.Pending {
		f := fieldRestriction{Field: p.Field, Restrictions: []restriction{}}
		if len(p.Values) > 0 {
			f.Restrictions = c.deniedValues(r, p.Field, p.Values)
		} else {
			f.Restrictions = c.requiredValues(r, p.Field)
		}
		if len(f.Restrictions) > 0 {
			out.Fields = append(out.Fields, f)
		}
	}
	return ok(out)
}

// about says whether the denial rests on one of the fields that are open.
func (v *violation) about(open map[string]bool) bool {
	for _, e := range v.seen {
		if e.Kind == "Field" && open[strings.ToLower(e.Path)] {
			return true
		}
	}
	return false
}

// with is the same resource with one field set.
func (r *resource) with(field, value string) *resource {
	next := *r
	next.content = map[string]any{}
	for k, v := range r.content {
		next.content[k] = v
	}
	switch strings.ToLower(field) {
	case "type":
		next.Type = value
	case "name":
		next.Name = value
	default:
		for k := range next.content {
			if strings.EqualFold(k, field) {
				delete(next.content, k)
			}
		}
		next.content[field] = value
	}
	return &next
}

// deniedValues lists per assignment which of the values it would deny.
func (c *call) deniedValues(r *resource, field string, values []string) []restriction {
	out := []restriction{}
	at := map[string]int{}
	for _, value := range values {
		for _, v := range c.violations(r.with(field, value)) {
			if !v.about(map[string]bool{strings.ToLower(field): true}) {
				continue
			}
			id := v.assignment.id()
			i, has := at[id]
			if !has {
				i, at[id] = len(out), len(out)
				out = append(out, restriction{Result: "Deny", Policy: policyInfo{v.definition, id}})
			}
			out[i].Values = append(out[i].Values, value)
		}
	}
	return out
}

// requiredValues reads from the comparisons of denying rules which values the field
// must or must not have.
func (c *call) requiredValues(r *resource, field string) []restriction {
	out := []restriction{}
	for _, v := range c.violations(r.with(field, "\x00none")) {
		for _, e := range v.seen {
			if e.Kind != "Field" || !strings.EqualFold(e.Path, field) {
				continue
			}
			list, is := e.Target.([]any)
			if !is {
				continue
			}
			x := restriction{Result: "Required", Policy: policyInfo{v.definition, v.assignment.id()}}
			for _, t := range list {
				x.Values = append(x.Values, plainText(t))
			}
			out = append(out, x)
		}
	}
	return out
}
