package sim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestExpressionsAreWorkedOut(t *testing.T) {
	look := func(name string, args []any) (any, bool, error) {
		if name == "parameters" && len(args) == 1 {
			return map[string]any{"list": []any{"a", "b"}, "object": map[string]any{"inner": "x"}}[plainText(args[0])], true, nil
		}
		return nil, false, nil
	}
	for _, tc := range []struct {
		says, text string
		want       any
	}{
		{"plain text is itself", "plain", "plain"},
		{"two brackets are one", "[[x]", "[x]"},
		{"a parameter's member", "[parameters('object').inner]", "x"},
		{"an element", "[parameters('list')[1]]", "b"},
		{"an element that is not there", "[parameters('list')[9]]", nil},
		{"a member by name", "[parameters('object')['INNER']]", "x"},
		{"a quote in a text", "[concat('it''s', ' ', toUpper('me'))]", "it's ME"},
		{"a choice", "[if(equals(length(parameters('list')), 2), 'two', 'other')]", "two"},
		{"membership without case", "[contains(parameters('list'), 'B')]", true},
		{"the last part", "[last(split('a/b/c', '/'))]", "c"},
	} {
		t.Run(tc.says, func(t *testing.T) {
			if got, err := evaluate(tc.text, look); err != nil || got != tc.want {
				t.Errorf("%s = %v, %v; want %v", tc.text, got, err, tc.want)
			}
		})
	}
	for _, bad := range []string{"[concat('a']", "[nothing]", "[unknown()]", "['x' 'y']", "[parameters('list')[inf]]", "[" + strings.Repeat("concat(", 99) + "]"} {
		if _, err := evaluate(bad, look); err == nil {
			t.Errorf("%s is worked out", bad)
		}
	}
}

func TestWildcardsMatchWhatTheySay(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "Microsoft.Compute/virtualMachines/write", true},
		{"*/read", "Microsoft.Compute/virtualMachines/read", true},
		{"*/read", "Microsoft.Compute/virtualMachines/readers", false},
		{"Microsoft.Authorization/*/Delete", "microsoft.authorization/roleassignments/delete", true},
		{"Microsoft.Authorization/*/Delete", "Microsoft.Compute/x/delete", false},
		{"a*a", "a", false},
		{"Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachines/extensions", false},
	} {
		if got := wildcard(tc.pattern, tc.text); got != tc.want {
			t.Errorf("%s on %s = %v", tc.pattern, tc.text, got)
		}
	}
}

// A variable that names itself twice would take for ever.
func TestATemplateThatNamesItselfEnds(t *testing.T) {
	sub := &AzureSubscription{ID: "s", Customer: &Customer{ID: "c"}}
	ended := make(chan error, 1)
	go func() {
		x := &armTemplate{sub: sub, scope: sub.path(), parameters: map[string]any{}, body: map[string]any{
			"variables": map[string]any{"a": "[concat(variables('a'), variables('a'))]"},
			"resources": []any{map[string]any{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "[variables('a')]"}}}}
		_, err := x.resources(0)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it is worked out")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}

// Nothing that is sent may bring the simulator down.
func FuzzRulesAndExpressionsDoNotPanic(f *testing.F) {
	f.Add(`{"not":{"field":"type","in":"[parameters('x')]"}}`, "[concat('a', field('type'))]", "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] GuidEquals {a}")
	f.Add(`{"field":"Microsoft.Compute/virtualMachines/a[*].b","equals":"x"}`, "[parameters('list')[inf]]", "!(ActionMatches{'x'})")
	sub := &AzureSubscription{ID: "s", Customer: &Customer{ID: "c"}}
	none := func(string, []any) (any, bool, error) { return nil, false, nil }
	f.Fuzz(func(t *testing.T, rule, text, guard string) {
		r := newResource(sub, sub.path(), "Microsoft.Compute/virtualMachines", "n", map[string]any{"location": text})
		var parsed any
		if json.Unmarshal([]byte(rule), &parsed) == nil && checkRule(parsed) == nil {
			var seen []expressed
			_, _ = r.judge(parsed, none, &seen)
		}
		_, _ = evaluate(text, r.lookup(none))
		if c, err := parseCondition(guard); err == nil {
			c("Microsoft.Authorization/roleAssignments/write", &roleAssignment{}, nil)
		}
	})
}
