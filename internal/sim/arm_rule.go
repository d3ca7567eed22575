package sim

import (
	"fmt"
	"strings"
)

// resource is what a policy looks at: a resource as it was sent, not yet created.
type resource struct {
	Type    string
	Name    string
	ID      string
	Scope   string // that notScopes are compared with
	content map[string]any
	sub     *AzureSubscription
}

// newResource describes a resource below scope.
func newResource(sub *AzureSubscription, scope, kind, name string, content map[string]any) *resource {
	return &resource{Type: kind, Name: name, ID: scope + "/providers/" + kind + "/" + name, Scope: scope, content: content, sub: sub}
}

// expressed is one comparison that was made, as the check answers it.
type expressed struct {
	Result     string `json:"result"`
	Kind       string `json:"expressionKind"`
	Expression string `json:"expression"`
	Path       string `json:"path"`
	Value      any    `json:"expressionValue,omitempty"`
	Target     any    `json:"targetValue,omitempty"`
	Operator   string `json:"operator"`
}

// operators are the comparisons that a policy may use, by their folded names.
var operators = map[string]string{
	"equals": "Equals", "notequals": "NotEquals", "like": "Like", "notlike": "NotLike", "in": "In", "notin": "NotIn", "contains": "Contains",
	"notcontains": "NotContains", "containskey": "ContainsKey", "notcontainskey": "NotContainsKey", "exists": "Exists",
	"match": "Match", "notmatch": "NotMatch", "matchinsensitively": "MatchInsensitively", "notmatchinsensitively": "NotMatchInsensitively",
	"less": "Less", "lessorequals": "LessOrEquals", "greater": "Greater", "greaterorequals": "GreaterOrEquals",
}

// checkRule says what is wrong with the "if" of a policy rule; nil = nothing.
func checkRule(rule any) error { return walkRule(rule, 0) }

func walkRule(rule any, depth int) error {
	m, is := rule.(map[string]any)
	if !is || depth > 30 {
		return fmt.Errorf("a condition must be an object, not nested too deeply")
	}
	for _, name := range []string{"allOf", "anyOf"} {
		if l := member(m, name); l != nil {
			list, is := l.([]any)
			if !is || len(m) != 1 {
				return fmt.Errorf("%s must be a list, alone in its object", name)
			}
			for _, x := range list {
				if err := walkRule(x, depth+1); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if x := member(m, "not"); x != nil {
		return walkRule(x, depth+1)
	}
	if member(m, "count") != nil {
		return fmt.Errorf("'count' is not simulated")
	}
	operator, operand := 0, 0
	for k := range m {
		switch folded := strings.ToLower(k); {
		case folded == "field" || folded == "value" || folded == "source":
			operand++
		case operators[folded] != "":
			operator++
		default:
			return fmt.Errorf("'%s' is no operator", k)
		}
	}
	if operand != 1 || operator != 1 {
		return fmt.Errorf("a condition needs one field or value and one operator")
	}
	return nil
}

// judge works out the "if" of a rule for a resource. seen collects the comparisons
// that were true.
func (r *resource) judge(rule any, parameters lookup, seen *[]expressed) (bool, error) {
	m, _ := rule.(map[string]any)
	if l, is := member(m, "allOf").([]any); is {
		for _, x := range l {
			if holds, err := r.judge(x, parameters, seen); err != nil || !holds {
				return false, err
			}
		}
		return true, nil
	}
	if l, is := member(m, "anyOf").([]any); is {
		for _, x := range l {
			if holds, err := r.judge(x, parameters, seen); err != nil || holds {
				return holds, err
			}
		}
		return false, nil
	}
	if x := member(m, "not"); x != nil {
		var inner []expressed
		holds, err := r.judge(x, parameters, &inner)
		if !holds {
			*seen = append(*seen, inner...)
		}
		return !holds, err
	}
	look := r.lookup(parameters)
	e := expressed{Kind: "Value", Result: "False"}
	var got []any
	if f := member(m, "field"); f != nil {
		name, err := evaluate(f, look)
		if err != nil {
			return false, err
		}
		e.Kind, e.Expression, e.Path = "Field", plainText(name), plainText(name)
		got = r.field(plainText(name))
	} else {
		v, err := evaluate(member(m, "value"), look)
		if err != nil {
			return false, err
		}
		e.Expression = plainText(member(m, "value"))
		got = []any{v}
	}
	for k, raw := range m {
		name := operators[strings.ToLower(k)]
		if name == "" {
			continue
		}
		target, err := evaluateDeep(raw, look)
		if err != nil {
			return false, err
		}
		holds := true // of every element, so of no element too
		for _, v := range got {
			if !compare(strings.ToLower(k), v, target) {
				holds = false
				break
			}
		}
		e.Operator, e.Target = name, target
		if len(got) > 0 {
			e.Value = got[0]
		}
		if holds {
			e.Result = "True"
		}
		*seen = append(*seen, e)
		return holds, nil
	}
	return false, nil
}

// evaluateDeep works out the expressions inside a list, too.
func evaluateDeep(v any, look lookup) (any, error) {
	l, is := v.([]any)
	if !is {
		return evaluate(v, look)
	}
	out := make([]any, len(l))
	for i, x := range l {
		y, err := evaluate(x, look)
		if err != nil {
			return nil, err
		}
		out[i] = y
	}
	return out, nil
}

// compare is one operator; a missing field is nil: it equals nothing and is in nothing.
func compare(operator string, v, target any) bool {
	if positive, not := strings.CutPrefix(operator, "not"); not {
		return !compare(positive, v, target)
	}
	switch operator {
	case "exists":
		return (v != nil) == truth(target)
	case "equals":
		return v != nil && same(v, target)
	case "like":
		return v != nil && wildcard(plainText(target), plainText(v))
	case "in":
		return v != nil && contains(target, v)
	case "contains":
		return v != nil && contains(v, target)
	case "containskey":
		m, is := v.(map[string]any)
		return is && contains(m, target)
	case "match":
		return v != nil && patterned(plainText(target), plainText(v))
	case "matchinsensitively":
		return v != nil && patterned(strings.ToLower(plainText(target)), strings.ToLower(plainText(v)))
	}
	if v == nil {
		return false
	}
	a, aNumber := number64(v)
	b, bNumber := number64(target)
	order := 0
	switch {
	case aNumber && bNumber && a < b:
		order = -1
	case aNumber && bNumber && a > b:
		order = 1
	case !aNumber || !bNumber:
		order = strings.Compare(strings.ToLower(plainText(v)), strings.ToLower(plainText(target)))
	}
	switch operator {
	case "less":
		return order < 0
	case "lessorequals":
		return order <= 0
	case "greater":
		return order > 0
	case "greaterorequals":
		return order >= 0
	}
	return false
}

// patterned: # is a digit, ? a letter, . anything, all others themselves.
func patterned(pattern, s string) bool {
	if len(pattern) != len(s) {
		return false
	}
	for i := range len(pattern) {
		p, ch := pattern[i], s[i]
		digit, letter := ch >= '0' && ch <= '9', ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z'
		matches := p == '.' || p == '#' && digit || p == '?' && letter || p == ch
		if !matches {
			return false
		}
	}
	return true
}

// lookup offers field, parameters, subscription and resourceGroup to expressions.
func (r *resource) lookup(parameters lookup) lookup {
	return func(name string, args []any) (any, bool, error) {
		switch name {
		case "field":
			if len(args) == 1 {
				if got := r.field(plainText(args[0])); len(got) == 1 {
					return got[0], true, nil
				}
			}
			return nil, true, nil
		case "subscription":
			return map[string]any{"id": r.sub.path(), "subscriptionId": r.sub.ID, "tenantId": r.sub.Customer.ID}, true, nil
		case "resourcegroup":
			parts := strings.Split(r.Scope, "/")
			if len(parts) < 5 {
				return map[string]any{}, true, nil
			}
			return map[string]any{"id": r.Scope, "name": parts[4]}, true, nil
		}
		return parameters(name, args)
	}
}

// aliasPaths are aliases whose name is not the path of the member.
var aliasPaths = map[string][]string{
	"microsoft.compute/virtualmachines/sku.name":       {"properties", "hardwareProfile", "vmSize"},
	"microsoft.compute/virtualmachines/imagepublisher": {"properties", "storageProfile", "imageReference", "publisher"},
	"microsoft.compute/virtualmachines/imageoffer":     {"properties", "storageProfile", "imageReference", "offer"},
	"microsoft.compute/virtualmachines/imagesku":       {"properties", "storageProfile", "imageReference", "sku"},
	"microsoft.storage/storageaccounts/sku.name":       {"sku", "name"},
}

// field reads what a policy calls a field: one value, nil if it is absent, or the
// elements of an array alias.
func (r *resource) field(name string) []any {
	switch folded := strings.ToLower(name); {
	case folded == "type":
		return []any{r.Type}
	case folded == "name":
		return []any{r.Name[strings.LastIndexByte(r.Name, '/')+1:]}
	case folded == "fullname":
		return []any{r.Name}
	case folded == "id":
		return []any{r.ID}
	case folded == "location":
		l, is := member(r.content, "location").(string)
		if !is || l == "" {
			return []any{nil}
		}
		return []any{strings.ToLower(strings.ReplaceAll(l, " ", ""))}
	case folded == "kind", folded == "tags", folded == "sku", folded == "properties":
		return []any{member(r.content, name)}
	case folded == "identity.type":
		return []any{member(member(r.content, "identity"), "type")}
	case strings.HasPrefix(folded, "tags"):
		tag := strings.Trim(name[4:], ".[]'")
		return []any{member(member(r.content, "tags"), tag)}
	case aliasPaths[folded] != nil && strings.HasPrefix(folded, strings.ToLower(r.Type)+"/"):
		return dig(r.content, aliasPaths[folded])
	case strings.HasPrefix(folded, strings.ToLower(r.Type)+"/"):
		steps := strings.Split(strings.ReplaceAll(name[len(r.Type)+1:], "[*]", ".[*]"), ".")
		if got := dig(r.content, append([]string{"properties"}, steps...)); len(got) != 1 || got[0] != nil {
			return got
		}
		return dig(r.content, steps)
	}
	return []any{nil}
}

// dig follows a path; [*] spreads an array.
func dig(v any, path []string) []any {
	for i, step := range path {
		if step != "[*]" {
			v = member(v, step)
			continue
		}
		list, _ := v.([]any)
		var out []any
		for _, x := range list {
			out = append(out, dig(x, path[i+1:])...)
		}
		return out
	}
	return []any{v}
}
