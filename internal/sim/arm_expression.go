package sim

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strconv"
	"strings"
)

// expression is a parsed "[…]" of a policy or a template. It is worked out against
// the functions that its place offers, and a common few.
type expression func(look lookup) (any, error)

// lookup answers the functions that depend on the place: parameters, field, …;
// known says whether it has the function.
type lookup func(name string, args []any) (v any, known bool, err error)

// evaluate works out a value: text like "[…]" is an expression, "[[" escapes one.
func evaluate(v any, look lookup) (any, error) {
	s, is := v.(string)
	if !is || len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return v, nil
	}
	if strings.HasPrefix(s, "[[") {
		return s[1:], nil
	}
	e, err := parseExpression(s[1 : len(s)-1])
	if err != nil {
		return nil, err
	}
	return e(look)
}

type expressionParser struct {
	text  string
	i     int
	depth int
}

func parseExpression(text string) (expression, error) {
	p := &expressionParser{text: text}
	e, err := p.value()
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", text, err)
	}
	p.space()
	if p.i < len(text) {
		return nil, fmt.Errorf("expression %q: unexpected %q", text, text[p.i:])
	}
	return e, nil
}

func (p *expressionParser) space() {
	for p.i < len(p.text) && strings.ContainsRune(" \t\r\n", rune(p.text[p.i])) {
		p.i++
	}
}

func (p *expressionParser) take(ch byte) bool {
	p.space()
	if p.i < len(p.text) && p.text[p.i] == ch {
		p.i++
		return true
	}
	return false
}

func letterOrDigit(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func (p *expressionParser) word() string {
	p.space()
	from := p.i
	for p.i < len(p.text) {
		ch := p.text[p.i]
		if ch != '_' && ch != '-' && !letterOrDigit(rune(ch)) {
			break
		}
		p.i++
	}
	return p.text[from:p.i]
}

// value reads a literal or a call, and what follows it: .member and [index].
func (p *expressionParser) value() (expression, error) {
	if p.depth++; p.depth > 50 {
		return nil, fmt.Errorf("nested too deeply")
	}
	defer func() { p.depth-- }()
	e, err := p.primary()
	for err == nil {
		if p.take('.') {
			name, inner := p.word(), e
			e = func(look lookup) (any, error) {
				v, err := inner(look)
				return member(v, name), err
			}
			continue
		}
		if !p.take('[') {
			return e, nil
		}
		var index expression
		if index, err = p.value(); err != nil {
			return nil, err
		}
		if !p.take(']') {
			return nil, fmt.Errorf("] is missing")
		}
		inner := e
		e = func(look lookup) (any, error) {
			v, err := inner(look)
			if err != nil {
				return nil, err
			}
			k, err := index(look)
			if n, is := number64(k); is {
				if l, is := v.([]any); is && n >= 0 && n < float64(len(l)) {
					return l[int(n)], err
				}
				return nil, err
			}
			return member(v, plainText(k)), err
		}
	}
	return nil, err
}

func (p *expressionParser) primary() (expression, error) {
	if p.take('\'') {
		var b strings.Builder
		for p.i < len(p.text) {
			if p.text[p.i] != '\'' {
				b.WriteByte(p.text[p.i])
				p.i++
				continue
			}
			p.i++
			if p.i >= len(p.text) || p.text[p.i] != '\'' {
				s := b.String()
				return func(lookup) (any, error) { return s, nil }, nil
			}
			b.WriteByte('\'')
			p.i++
		}
		return nil, fmt.Errorf("a text is not closed")
	}
	name := p.word()
	if n, err := strconv.ParseFloat(name, 64); err == nil && strings.ContainsAny(name[:1], "-0123456789") { // "inf" is no number here
		return func(lookup) (any, error) { return n, nil }, nil
	}
	if name == "" || !p.take('(') {
		return nil, fmt.Errorf("unexpected %q", p.text[min(p.i, len(p.text)):])
	}
	var args []expression
	for !p.take(')') {
		if len(args) > 0 && !p.take(',') {
			return nil, fmt.Errorf(", or ) is missing after an argument of %s", name)
		}
		a, err := p.value()
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	return func(look lookup) (any, error) {
		in := make([]any, len(args))
		for i, a := range args {
			v, err := a(look)
			if err != nil {
				return nil, err
			}
			in[i] = v
		}
		if v, known, err := look(strings.ToLower(name), in); known || err != nil {
			return v, err
		}
		return common(strings.ToLower(name), in)
	}, nil
}

// common are the functions that policies and templates share.
func common(name string, in []any) (any, error) {
	at := func(i int) any {
		if i < len(in) {
			return in[i]
		}
		return nil
	}
	text := func(i int) string { return plainText(at(i)) }
	switch name {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	case "concat":
		if _, is := at(0).([]any); is {
			var out []any
			for _, v := range in {
				l, _ := v.([]any)
				out = append(out, l...)
			}
			return out, nil
		}
		var b strings.Builder
		for i := range in {
			b.WriteString(text(i))
		}
		return b.String(), nil
	case "createarray":
		return in, nil
	case "tolower":
		return strings.ToLower(text(0)), nil
	case "toupper":
		return strings.ToUpper(text(0)), nil
	case "trim":
		return strings.TrimSpace(text(0)), nil
	case "string":
		return text(0), nil
	case "replace":
		return strings.ReplaceAll(text(0), text(1), text(2)), nil
	case "split":
		var out []any
		for _, s := range strings.Split(text(0), text(1)) {
			out = append(out, s)
		}
		return out, nil
	case "startswith":
		return strings.HasPrefix(strings.ToLower(text(0)), strings.ToLower(text(1))), nil
	case "endswith":
		return strings.HasSuffix(strings.ToLower(text(0)), strings.ToLower(text(1))), nil
	case "first", "last":
		switch v := at(0).(type) {
		case []any:
			if len(v) == 0 {
				return nil, nil
			}
			if name == "first" {
				return v[0], nil
			}
			return v[len(v)-1], nil
		case string:
			if v == "" {
				return "", nil
			}
			if name == "first" {
				return v[:1], nil
			}
			return v[len(v)-1:], nil
		}
		return nil, nil
	case "length":
		return float64(size(at(0))), nil
	case "empty":
		return size(at(0)) == 0, nil
	case "contains":
		return contains(at(0), at(1)), nil
	case "equals":
		return same(at(0), at(1)), nil
	case "not":
		return !truth(at(0)), nil
	case "and", "or":
		for _, v := range in {
			if truth(v) == (name == "or") {
				return name == "or", nil
			}
		}
		return name == "and", nil
	case "if":
		if truth(at(0)) {
			return at(1), nil
		}
		return at(2), nil
	case "coalesce":
		for _, v := range in {
			if v != nil {
				return v, nil
			}
		}
		return nil, nil
	case "uniquestring":
		sum := sha256.Sum256([]byte(fmt.Sprint(in...)))
		return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:13], nil
	case "format":
		out := text(0)
		for i := 1; i < len(in); i++ {
			out = strings.ReplaceAll(out, "{"+strconv.Itoa(i-1)+"}", text(i))
		}
		return out, nil
	}
	return nil, fmt.Errorf("the function '%s' is not simulated", name)
}

// member reads a member of an object; names are compared without case.
func member(v any, name string) any {
	m, is := v.(map[string]any)
	if !is {
		return nil
	}
	if x, has := m[name]; has {
		return x
	}
	for k, x := range m {
		if strings.EqualFold(k, name) {
			return x
		}
	}
	return nil
}

func plainText(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

func number64(v any) (float64, bool) {
	n, is := v.(float64)
	return n, is
}

func truth(v any) bool {
	switch x := v.(type) {
	case bool:
		return x
	case string:
		return strings.EqualFold(x, "true")
	}
	return false
}

func size(v any) int {
	switch x := v.(type) {
	case string:
		return len(x)
	case []any:
		return len(x)
	case map[string]any:
		return len(x)
	}
	return 0
}

// same compares as policies do: text without case, true and "true" alike.
func same(a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if l, is := a.([]any); is {
		r, is := b.([]any)
		if !is || len(l) != len(r) {
			return false
		}
		for i := range l {
			if !same(l[i], r[i]) {
				return false
			}
		}
		return true
	}
	return strings.EqualFold(plainText(a), plainText(b))
}

func contains(in, what any) bool {
	switch x := in.(type) {
	case string:
		return strings.Contains(strings.ToLower(x), strings.ToLower(plainText(what)))
	case []any:
		for _, v := range x {
			if same(v, what) {
				return true
			}
		}
	case map[string]any:
		for k := range x {
			if strings.EqualFold(k, plainText(what)) {
				return true
			}
		}
	}
	return false
}
