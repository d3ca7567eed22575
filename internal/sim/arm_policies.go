package sim

import (
	"net/http"
	"strings"
	"time"
)

// policyAssignment puts a definition in force at a scope. Each change acts after
// the wait of policies; until then the version before it acts.
type policyAssignment struct {
	Name    string
	Scope   string
	Created time.Time
	By      string
	content lagging[*assigned] // nil where there is none
}

// assigned is one version of an assignment.
type assigned struct {
	Display     string
	Description string
	Definition  string
	Parameters  map[string]policyValue
	NotScopes   []string
	Enforcement string
	Messages    []policyMessage
	Metadata    any
	rule        *policyDefinition // kept: it acts as long as the assignment does
}

type policyValue struct {
	Value any `json:"value"`
}

type policyMessage struct {
	Message   string `json:"message"`
	Reference string `json:"policyDefinitionReferenceId,omitempty"`
}

func (a *policyAssignment) id() string {
	return a.Scope + "/providers/Microsoft.Authorization/policyAssignments/" + a.Name
}

type policyAssignmentBody struct {
	Properties policyAssignmentMore `json:"properties"`
	ID         string               `json:"id"`
	Type       string               `json:"type"`
	Name       string               `json:"name"`
}

type policyAssignmentMore struct {
	Display     string                 `json:"displayName,omitempty"`
	Description string                 `json:"description,omitempty"`
	Definition  string                 `json:"policyDefinitionId"`
	Scope       string                 `json:"scope"`
	NotScopes   []string               `json:"notScopes,omitempty"`
	Parameters  map[string]policyValue `json:"parameters,omitempty"`
	Metadata    any                    `json:"metadata,omitempty"`
	Enforcement string                 `json:"enforcementMode"`
	Messages    []policyMessage        `json:"nonComplianceMessages,omitempty"`
}

func (a *policyAssignment) body(p *assigned) policyAssignmentBody {
	meta := object{"createdBy": a.By, "createdOn": stamp(a.Created)}
	if m, is := p.Metadata.(map[string]any); is {
		for k, v := range m {
			meta[k] = v
		}
	}
	return policyAssignmentBody{policyAssignmentMore{p.Display, p.Description, p.Definition, a.Scope, p.NotScopes, p.Parameters, meta, p.Enforcement, p.Messages},
		a.id(), "Microsoft.Authorization/policyAssignments", a.Name}
}

// policy finds the assignment of that name at the scope, also one whose end does
// not act yet.
func (sub *AzureSubscription) policy(scope, name string) *policyAssignment {
	for _, a := range sub.arm.policies {
		if strings.EqualFold(a.Name, name) && strings.EqualFold(a.Scope, strings.TrimRight(scope, "/")) {
			return a
		}
	}
	return nil
}

func listPolicyAssignments(c *call) reply {
	scope := c.param("scope")
	sub, refusal := c.at(scope, "Microsoft.Authorization/policyAssignments/read")
	if refusal != nil {
		return *refusal
	}
	atScope, definition := false, ""
	for _, f := range filters(c.query("$filter")) {
		switch strings.ToLower(f.name) {
		case "atscope", "atexactscope":
			atScope = true
		case "policydefinitionid":
			definition = f.value
		}
	}
	var out []policyAssignmentBody
	for _, a := range sub.arm.policies {
		p := a.content.new
		if p == nil || (definition != "" && !strings.EqualFold(definition, p.Definition)) {
			continue
		}
		if covers(a.Scope, scope) || (!atScope && covers(scope, a.Scope)) {
			out = append(out, a.body(p))
		}
	}
	return values(out)
}

func getPolicyAssignment(c *call) reply {
	sub, refusal := c.at(c.param("scope"), "Microsoft.Authorization/policyAssignments/read")
	if refusal != nil {
		return *refusal
	}
	if a := sub.policy(c.param("scope"), c.param("name")); a != nil && a.content.new != nil {
		return ok(a.body(a.content.new))
	}
	return armError(http.StatusNotFound, "PolicyAssignmentNotFound", "The policy assignment '"+c.param("name")+"' is not found.")
}

// putPolicyAssignment creates or replaces an assignment; both answer 201.
func putPolicyAssignment(c *call) reply {
	var in struct {
		Properties struct {
			Display     string                 `json:"displayName"`
			Description string                 `json:"description"`
			Definition  string                 `json:"policyDefinitionId"`
			Parameters  map[string]policyValue `json:"parameters"`
			NotScopes   []string               `json:"notScopes"`
			Enforcement string                 `json:"enforcementMode"`
			Messages    []policyMessage        `json:"nonComplianceMessages"`
			Metadata    any                    `json:"metadata"`
		} `json:"properties"`
	}
	if err := c.decode(&in); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	scope, name, p := strings.TrimRight(c.param("scope"), "/"), c.param("name"), in.Properties
	sub, refusal := c.at(scope, "Microsoft.Authorization/policyAssignments/write")
	if refusal != nil {
		return *refusal
	}
	if len(name) > 64 || strings.ContainsAny(name, `%&\?/<>`) {
		return armError(http.StatusBadRequest, "InvalidPolicyAssignmentName", "The policy assignment name '"+name+"' is invalid: at most 64 characters.")
	}
	p.Enforcement = or(p.Enforcement, "Default")
	if p.Enforcement != "Default" && p.Enforcement != "DoNotEnforce" {
		return armError(http.StatusBadRequest, "InvalidPolicyAssignment", "The enforcement mode '"+p.Enforcement+"' is invalid.")
	}
	d := sub.definition(p.Definition)
	if d == nil {
		return noPolicy(p.Definition)
	}
	for _, n := range p.NotScopes {
		if !covers(scope, n) {
			return armError(http.StatusBadRequest, "InvalidPolicyAssignmentNotScopes", "The excluded scope '"+n+"' is not below '"+scope+"'.")
		}
	}
	if refusal := checkParameters(d.content.new, p.Parameters); refusal != nil {
		return *refusal
	}
	a := sub.policy(scope, name)
	if a == nil {
		a = &policyAssignment{Name: name, Scope: scope, Created: c.now, By: c.who.Object}
		sub.arm.policies = append(sub.arm.policies, a)
	}
	next := &assigned{p.Display, p.Description, p.Definition, p.Parameters, p.NotScopes, p.Enforcement, p.Messages, p.Metadata, d}
	from := c.after(WaitPolicy)
	if p := a.content.new; p != nil && p.alike(next) {
		a.content.new, from = next, a.content.from // nothing changes that would have to spread again
		if !c.now.Before(from) {
			a.content.old = next
		}
	} else {
		a.content.set(next, c.now, from)
	}
	c.effect(sub.Customer.ID, "policy", name, from)
	return created(a.body(next))
}

// alike says whether two versions decide the same.
func (p *assigned) alike(q *assigned) bool {
	return p.Enforcement == q.Enforcement && strings.EqualFold(p.Definition, q.Definition) &&
		string(encode(ok(p.Parameters))) == string(encode(ok(q.Parameters))) && string(encode(ok(p.NotScopes))) == string(encode(ok(q.NotScopes)))
}

// checkParameters compares what is given with what the definition declares.
func checkParameters(d *policyContent, given map[string]policyValue) *reply {
	var r reply
	for name, v := range given {
		declared, known := d.parameter(name)
		if !known {
			r = armError(http.StatusBadRequest, "UndefinedPolicyParameter", "The policy parameter '"+name+"' is not defined in the policy definition.")
			return &r
		}
		typed := true
		switch strings.ToLower(declared.Type) {
		case "array":
			_, typed = v.Value.([]any)
		case "string":
			_, typed = v.Value.(string)
		case "boolean":
			_, typed = v.Value.(bool)
		}
		if !typed {
			r = armError(http.StatusBadRequest, "InvalidPolicyParameterType", "The value of the parameter '"+name+"' is not of the type '"+declared.Type+"'.")
			return &r
		}
		if len(declared.Allowed) > 0 && !contains(declared.Allowed, v.Value) {
			r = armError(http.StatusBadRequest, "PolicyParameterValueNotAllowed", "The value of the parameter '"+name+"' is not allowed.")
			return &r
		}
	}
	for name, declared := range d.Parameters {
		if _, has := value(given, name); !has && declared.Default == nil {
			r = armError(http.StatusBadRequest, "MissingPolicyParameter", "The policy assignment is missing the parameter '"+name+"'.")
			return &r
		}
	}
	return nil
}

func (d *policyContent) parameter(name string) (policyParameter, bool) {
	return value(d.Parameters, name)
}

// value reads a map whose keys are compared without case.
func value[T any](m map[string]T, name string) (T, bool) {
	if v, has := m[name]; has {
		return v, true
	}
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	var none T
	return none, false
}

// deletePolicyAssignment ends an assignment; that it ends is seen after the wait.
func deletePolicyAssignment(c *call) reply {
	sub, refusal := c.at(c.param("scope"), "Microsoft.Authorization/policyAssignments/delete")
	if refusal != nil {
		return *refusal
	}
	a := sub.policy(c.param("scope"), c.param("name"))
	if a == nil || a.content.new == nil {
		return empty(http.StatusNoContent)
	}
	out, from := a.body(a.content.new), c.after(WaitPolicy)
	a.content.set(nil, c.now, from)
	c.effect(sub.Customer.ID, "policy removed", a.Name, from)
	return ok(out)
}

// violation is an assignment that denies a resource.
type violation struct {
	assignment *policyAssignment
	terms      *assigned
	definition string
	content    *policyContent
	seen       []expressed
}

// violations are the acting, enforced assignments that deny the resource.
func (c *call) violations(r *resource) []violation {
	var out []violation
	for _, a := range r.sub.arm.policies {
		p := a.content.at(c.now)
		if p == nil || p.Enforcement != "Default" || !covers(a.Scope, r.Scope) {
			continue
		}
		excluded := false
		for _, n := range p.NotScopes {
			excluded = excluded || covers(n, r.Scope)
		}
		if excluded {
			continue
		}
		content := p.rule.content.at(c.now)
		if content == nil || (strings.EqualFold(content.Mode, "Indexed") && !r.indexed()) {
			continue
		}
		parameters := p.lookup(content)
		effect, err := evaluate(member(member(content.Rule, "then"), "effect"), parameters)
		if err != nil || !strings.EqualFold(plainText(effect), "deny") {
			continue
		}
		v := violation{assignment: a, terms: p, definition: p.Definition, content: content}
		if denies, err := r.judge(member(content.Rule, "if"), parameters, &v.seen); err == nil && denies {
			out = append(out, v)
		}
	}
	return out
}

// lookup offers parameters('name') to the expressions of the rule.
func (p *assigned) lookup(content *policyContent) lookup {
	return func(name string, args []any) (any, bool, error) {
		if name != "parameters" || len(args) != 1 {
			return nil, false, nil
		}
		if v, has := value(p.Parameters, plainText(args[0])); has {
			return v.Value, true, nil
		}
		declared, _ := content.parameter(plainText(args[0]))
		return declared.Default, true, nil
	}
}

// withoutLocation are types of one level without tags or location.
var withoutLocation = map[string]bool{
	"microsoft.authorization": true, "microsoft.policyinsights": true, "microsoft.consumption": true, "microsoft.costmanagement": true,
	"microsoft.support": true, "microsoft.features": true, "microsoft.resources": true, "microsoft.subscription": true, "microsoft.management": true,
	"microsoft.billing": true, "microsoft.guestconfiguration": true, "microsoft.insights/diagnosticsettings": true, "microsoft.advisor": true,
}

// locatedChildren are types of more levels that have tags and a location.
var locatedChildren = map[string]bool{
	"microsoft.compute/virtualmachines/extensions": true, "microsoft.sql/servers/databases": true, "microsoft.sql/servers/elasticpools": true,
	"microsoft.web/sites/slots": true, "microsoft.netapp/netappaccounts/capacitypools": true, "microsoft.netapp/netappaccounts/capacitypools/volumes": true,
	"microsoft.compute/galleries/images": true, "microsoft.compute/galleries/images/versions": true, "microsoft.automation/automationaccounts/runbooks": true,
	"microsoft.kusto/clusters/databases": true, "microsoft.synapse/workspaces/sqlpools": true, "microsoft.synapse/workspaces/bigdatapools": true,
	"microsoft.cdn/profiles/endpoints": true, "microsoft.containerregistry/registries/replications": true, "microsoft.machinelearningservices/workspaces/onlineendpoints": true,
}

// indexed says whether the type has tags and a location, so that mode Indexed looks at it.
func (r *resource) indexed() bool {
	folded := strings.ToLower(r.Type)
	namespace, rest, _ := strings.Cut(folded, "/")
	if withoutLocation[namespace] || withoutLocation[folded] {
		return false
	}
	return !strings.Contains(rest, "/") || locatedChildren[folded] || r.content["location"] != nil
}

// violationInfo is how a denial names the policy.
func (v *violation) info() armInfo {
	return armInfo{Type: "PolicyViolation", Info: object{
		"policyDefinitionDisplayName": v.content.Display, "policyDefinitionId": v.definition, "policyDefinitionName": v.definition[strings.LastIndexByte(v.definition, '/')+1:],
		"policyDefinitionEffect": "deny", "policyAssignmentId": v.assignment.id(), "policyAssignmentName": v.assignment.Name,
		"policyAssignmentDisplayName": v.terms.Display, "policyAssignmentScope": v.assignment.Scope, "policyAssignmentParameters": v.terms.Parameters,
		"policyExemptionIds": []string{}, "evaluationDetails": object{"evaluatedExpressions": v.seen},
	}}
}

// disallowed is the error of a resource that policies deny.
func (r *resource) disallowed(v []violation) armFault {
	out := armFault{Code: "RequestDisallowedByPolicy", Target: r.Name}
	var which, reasons []string
	for i := range v {
		which = append(which, `{"policyAssignment":{"name":"`+v[i].terms.Display+`","id":"`+v[i].assignment.id()+`"},"policyDefinition":{"name":"`+v[i].content.Display+`","id":"`+v[i].definition+`"}}`)
		for _, m := range v[i].terms.Messages {
			reasons = append(reasons, m.Message)
		}
		out.More = append(out.More, v[i].info())
	}
	out.Message = "Resource '" + r.Name + "' was disallowed by policy."
	if len(reasons) > 0 {
		out.Message += " Reasons: '" + strings.Join(reasons, "; ") + "'. See error details for policy resource IDs."
	} else {
		out.Message += " Policy identifiers: '[" + strings.Join(which, ",") + "]'."
	}
	return out
}

// denied is the 403 of a resource that policies deny, nil if none does.
func (c *call) denied(_ *AzureSubscription, r *resource) *reply {
	v := c.violations(r)
	if len(v) == 0 {
		return nil
	}
	out := reply{status: http.StatusForbidden, body: armBody{r.disallowed(v)}, header: map[string]string{codeHeader: "RequestDisallowedByPolicy"}}
	return &out
}
