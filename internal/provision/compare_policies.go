package provision

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/guardrail"
	"causeway/internal/provision/sqlc"
)

// policies compares the guardrail: that each policy is assigned, enforced, and
// says what ours says, down to the rule of our own definitions.
func (l *look) policies(in *arm.Client, o sqlc.Onboarding, base Difference, add func(Difference)) error {
	scope := arm.SubscriptionScope(o.Subscription)
	list, err := in.PolicyAssignments(l.ctx, scope)
	if err != nil {
		return err
	}
	have := map[string]arm.PolicyAssignment{}
	for _, p := range list {
		if arm.SameResource(p.ID, assignmentID(scope, p.Name)) {
			have[strings.ToLower(p.Name)] = p
		}
	}
	diff := func(name, text, remedy, status string) {
		d := base
		d.Kind, d.Object = DiffPolicy, under(o.Subscription, "policy:"+name)
		d.Text, d.Remedy, d.Proposal, d.Fixes = text, remedy, FixRepair, []Fix{FixRepair, FixIgnore}
		d.About = About{Subscription: o.Subscription, Policy: name, Status: status}
		add(d)
	}
	wanted := map[string]bool{}
	for _, want := range l.policy.Assignments {
		wanted[want.Name] = true
		p, ok := have[strings.ToLower(want.Name)]
		if !ok {
			diff(want.Name, fmt.Sprintf("The policy “%s” is not assigned to “%s” at Microsoft.", want.DisplayName, o.Name), "Assign it again. It takes up to 30 minutes until it acts.", "missing")
			continue
		}
		changed := changedAssignment(scope, want, p.Properties)
		if def := definition(l.policy, want); def != nil {
			what, err := l.changedDefinition(in, scope, *def)
			if err != nil {
				return err
			}
			changed = append(changed, what...)
		}
		if len(changed) > 0 {
			diff(want.Name, fmt.Sprintf("The policy “%s” of “%s” is not as it is written here: %s.", want.DisplayName, o.Name, strings.Join(changed, ", ")),
				"Write it as the list of services offered has it now. It takes up to 30 minutes until it acts.", strings.Join(changed, ","))
		}
	}
	for _, name := range guardrail.Names() {
		if _, ok := have[strings.ToLower(name)]; ok && !wanted[name] {
			diff(name, fmt.Sprintf("The policy “%s” is still assigned to “%s” and is not part of the guardrail any more.", name, o.Name), "Take it away.", "left over")
		}
	}
	return nil
}

func assignmentID(scope, name string) string {
	return scope + "/providers/Microsoft.Authorization/policyAssignments/" + name
}

func definition(p guardrail.Policy, a guardrail.Assignment) *guardrail.Definition {
	for i := range p.Definitions {
		if p.Definitions[i].Name == a.Definition {
			return &p.Definitions[i]
		}
	}
	return nil
}

// changedAssignment names what of an assignment is not ours.
func changedAssignment(scope string, want guardrail.Assignment, have arm.PolicyAssignmentProperties) []string {
	var changed []string
	if !arm.SameResource(have.PolicyDefinitionID, definitionID(scope, want)) {
		changed = append(changed, "another definition")
	}
	if have.EnforcementMode != "" && !strings.EqualFold(have.EnforcementMode, "Default") {
		changed = append(changed, "not enforced")
	}
	if len(have.NotScopes) > 0 {
		changed = append(changed, "with exceptions")
	}
	same := len(have.Parameters) == len(want.Parameters)
	for name, values := range want.Parameters {
		list, ok := have.Parameters[name].Value.([]any)
		same = same && ok && len(list) == len(values)
		for _, v := range list {
			text, _ := v.(string)
			same = same && slices.ContainsFunc(values, func(s string) bool { return strings.EqualFold(s, text) })
		}
	}
	if !same {
		changed = append(changed, "other values")
	}
	return changed
}

func (l *look) changedDefinition(in *arm.Client, scope string, want guardrail.Definition) ([]string, error) {
	have, err := in.PolicyDefinition(l.ctx, scope, want.Name)
	if azure.IsNotFound(err) {
		return []string{"its definition is gone"}, nil
	}
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(have.Properties.Mode, want.Mode) || !sameJSON(have.Properties.PolicyRule, want.Rule) {
		return []string{"another rule"}, nil
	}
	return nil, nil
}

// sameJSON compares values, not the order of members.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
