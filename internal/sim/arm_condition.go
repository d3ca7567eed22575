package sim

import (
	"fmt"
	"strings"
)

// A role assignment's condition restricts what its holder may do with role
// assignments: the form of delegated role management, such as
//
//	((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR
//	 (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals {a, b}))
//
// condition answers for an action on a role assignment: request is the one that is
// to be written, resource the one that is there.
type condition func(action string, request, resource *roleAssignment) bool

// mayAssign says whether an acting role of the caller allows the write or delete of
// a role assignment, its condition included.
func (c *call) mayAssign(sub *AzureSubscription, scope, action string, request, resource *roleAssignment) bool {
	ids := c.principals()
	for _, ra := range sub.arm.assignments {
		if c.now.Before(ra.Acts) || !covers(ra.Scope, scope) || !holdsPrincipal(ids, ra.Principal) {
			continue
		}
		d := sub.Customer.role(ra.Role)
		if d == nil || !d.allows(action) {
			continue
		}
		if ra.Condition == "" {
			return true
		}
		if holds, err := parseCondition(ra.Condition); err == nil && holds(action, request, resource) {
			return true
		}
	}
	return false
}

// parseCondition reads a condition, or says what is wrong with it.
func parseCondition(text string) (condition, error) {
	p := &conditionParser{tokens: conditionTokens(text)}
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.i < len(p.tokens) {
		return nil, fmt.Errorf("unexpected %q", p.tokens[p.i])
	}
	return c, nil
}

type conditionParser struct {
	tokens []string
	i      int
	depth  int
}

// conditionTokens cuts a condition: ( ) ! { } , are tokens, '…' is one, the rest are words.
func conditionTokens(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		ch := text[i]
		switch {
		case strings.ContainsRune(" \t\r\n", rune(ch)):
			i++
		case strings.ContainsRune("(){},!", rune(ch)):
			out = append(out, string(ch))
			i++
		case ch == '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				return append(out, text[i:])
			}
			out = append(out, text[i:i+end+2])
			i += end + 2
		default:
			j := i
			for j < len(text) && !strings.ContainsRune(" \t\r\n(){},!'", rune(text[j])) {
				j++
			}
			out = append(out, text[i:j])
			i = j
		}
	}
	return out
}

func (p *conditionParser) next() string {
	if p.i < len(p.tokens) {
		p.i++
		return p.tokens[p.i-1]
	}
	return ""
}

func (p *conditionParser) take(token string) bool {
	if p.i < len(p.tokens) && strings.EqualFold(p.tokens[p.i], token) {
		p.i++
		return true
	}
	return false
}

func (p *conditionParser) or() (condition, error) {
	left, err := p.and()
	for err == nil && (p.take("OR") || p.take("||")) {
		var right condition
		if right, err = p.and(); err == nil {
			a := left
			left = func(s string, q, r *roleAssignment) bool { return a(s, q, r) || right(s, q, r) }
		}
	}
	return left, err
}

func (p *conditionParser) and() (condition, error) {
	left, err := p.unary()
	for err == nil && (p.take("AND") || p.take("&&")) {
		var right condition
		if right, err = p.unary(); err == nil {
			a := left
			left = func(s string, q, r *roleAssignment) bool { return a(s, q, r) && right(s, q, r) }
		}
	}
	return left, err
}

func (p *conditionParser) unary() (condition, error) {
	if p.depth++; p.depth > 100 {
		return nil, fmt.Errorf("nested too deeply")
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("!") || p.take("NOT"):
		inner, err := p.unary()
		return func(s string, q, r *roleAssignment) bool { return !inner(s, q, r) }, err
	case p.take("("):
		inner, err := p.or()
		if err == nil && !p.take(")") {
			err = fmt.Errorf("a bracket is not closed")
		}
		return inner, err
	}
	return p.compare()
}

// compare reads ActionMatches{'…'} and @Request[attribute] Operator value.
func (p *conditionParser) compare() (condition, error) {
	word := p.next()
	if strings.EqualFold(word, "ActionMatches") {
		list, err := p.list()
		return func(s string, _, _ *roleAssignment) bool { return anyMatches(list, s) }, err
	}
	source, rest, found := strings.Cut(word, "[")
	attribute, closed := strings.CutSuffix(rest, "]")
	if !found || !closed {
		return nil, fmt.Errorf("unexpected %q", word)
	}
	var value func(q, r *roleAssignment) *roleAssignment
	switch strings.ToLower(source) {
	case "@request":
		value = func(q, _ *roleAssignment) *roleAssignment { return q }
	case "@resource":
		value = func(_, r *roleAssignment) *roleAssignment { return r }
	default:
		return nil, fmt.Errorf("unknown source %q", source)
	}
	var read func(a *roleAssignment) string
	switch strings.ToLower(attribute) {
	case "microsoft.authorization/roleassignments:roledefinitionid":
		read = func(a *roleAssignment) string { return a.Role }
	case "microsoft.authorization/roleassignments:principalid":
		read = func(a *roleAssignment) string { return a.Principal }
	case "microsoft.authorization/roleassignments:principaltype":
		read = func(a *roleAssignment) string { return a.Kind }
	default:
		return nil, fmt.Errorf("unknown attribute %q", attribute)
	}
	operator := strings.ToLower(p.next())
	not := false
	for _, prefix := range []string{"foranyofanyvalues:", "foranyofallvalues:", "forallofanyvalues:", "forallofallvalues:"} {
		operator = strings.TrimPrefix(operator, prefix)
	}
	switch operator {
	case "guidequals", "stringequals", "stringequalsignorecase":
	case "guidnotequals", "stringnotequals", "stringnotequalsignorecase":
		not = true
	default:
		return nil, fmt.Errorf("unknown operator %q", operator)
	}
	list, err := p.list()
	return func(_ string, q, r *roleAssignment) bool {
		a := value(q, r)
		if a == nil {
			return false // an attribute that is not there makes a comparison false
		}
		in := holdsPrincipal(list, read(a))
		return in != not
	}, err
}

// list reads {a, 'b'} or one value.
func (p *conditionParser) list() ([]string, error) {
	if !p.take("{") {
		v := strings.Trim(p.next(), "'")
		if v == "" {
			return nil, fmt.Errorf("a value is missing")
		}
		return []string{v}, nil
	}
	var out []string
	for !p.take("}") {
		v := p.next()
		if v == "" {
			return nil, fmt.Errorf("a list is not closed")
		}
		if v != "," {
			out = append(out, strings.Trim(v, "'"))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("an empty list")
	}
	return out, nil
}
