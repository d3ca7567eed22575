package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/guardrail"
	"causeway/internal/store"
)

// guard assigns the guardrail and then asks until it holds: a forbidden type is
// refused and an allowed one is not. It never finds out by creating something.
// No role but the partner's own comes before the proof.
func (w *work) guard(ctx context.Context) error {
	c, err := w.r.guard.Catalogue(ctx)
	if err != nil {
		return err
	}
	policy := guardrail.Compile(c)
	if policy.Unrestricted {
		return w.tx(ctx, func(tx *store.Tx) error {
			return w.fact(ctx, tx, "No restriction: everything that Microsoft offers may be used")
		})
	}
	in := w.r.arm.In(w.t.AzureID, azure.AppUser)
	scope := arm.SubscriptionScope(w.o.Subscription)
	ids, err := w.assign(ctx, in, scope, policy)
	if err != nil {
		return err
	}
	q, ok := guardrail.Probe(c)
	if !ok {
		return w.tx(ctx, func(tx *store.Tx) error {
			return w.fact(ctx, tx, "Guardrail assigned; it offers all that could be asked for")
		})
	}
	holds, err := w.holds(ctx, in, q, ids)
	if err != nil {
		return err
	}
	if !holds {
		return w.pause("Microsoft copies the guardrail to all its regions before it takes effect. We ask until a forbidden service is refused and an allowed one is not.", 90*time.Minute)
	}
	return w.tx(ctx, func(tx *store.Tx) error {
		return w.fact(ctx, tx, "Guardrail holds: %s is refused, %s is not", q.Forbidden, q.Allowed)
	})
}

// assign writes definitions and assignments under their fixed names and gives
// the assignments' ids.
func (w *work) assign(ctx context.Context, in *arm.Client, scope string, p guardrail.Policy) ([]string, error) {
	for _, d := range p.Definitions {
		var params map[string]json.RawMessage
		if err := json.Unmarshal(d.Parameters, &params); err != nil {
			return nil, fmt.Errorf("guardrail %s: %w", d.Name, err)
		}
		err := w.once(ctx, w.onThis(), "policy "+d.Name+" "+p.Hash[:12], func(ctx context.Context, it intent) (any, error) {
			_, err := in.PutPolicyDefinition(ctx, it.id(), scope, d.Name, asDefinition(d, params))
			return struct{}{}, err
		}, nil)
		if err != nil {
			return nil, err
		}
	}
	ids := make([]string, len(p.Assignments))
	for i, a := range p.Assignments {
		ids[i] = assignmentID(scope, a.Name)
		err := w.once(ctx, w.onThis(), "assign "+a.Name+" "+p.Hash[:12], func(ctx context.Context, it intent) (any, error) {
			_, err := in.PutPolicyAssignment(ctx, it.id(), scope, a.Name, asAssignment(scope, a, p.Version))
			return struct{}{}, err
		}, func(tx *store.Tx) error { return w.fact(ctx, tx, "Policy “%s” assigned", a.DisplayName) })
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// asDefinition is a definition as Azure is told.
func asDefinition(d guardrail.Definition, params map[string]json.RawMessage) arm.PolicyDefinitionProperties {
	return arm.PolicyDefinitionProperties{
		DisplayName: d.DisplayName, Description: d.Description, PolicyType: "Custom", Mode: d.Mode, Parameters: params, PolicyRule: d.Rule,
	}
}

// asAssignment is an assignment as Azure is told.
func asAssignment(scope string, a guardrail.Assignment, version int64) arm.PolicyAssignmentProperties {
	params := map[string]arm.ParameterValue{}
	for name, v := range a.Parameters {
		params[name] = arm.ParameterValue{Value: v}
	}
	return arm.PolicyAssignmentProperties{
		DisplayName: a.DisplayName, Description: a.Description, PolicyDefinitionID: definitionID(scope, a), Parameters: params, EnforcementMode: "Default",
		NonComplianceMessages: []arm.NonComplianceMessage{{Message: a.Message}},
		Metadata:              map[string]any{"assignedBy": "Causeway", "catalogue": version},
	}
}

func definitionID(scope string, a guardrail.Assignment) string {
	if a.DefinitionID != "" {
		return a.DefinitionID
	}
	return scope + "/providers/Microsoft.Authorization/policyDefinitions/" + a.Definition
}

// holds asks both sides of the guardrail: whether every assignment refuses what it
// must, and none what is on offer. The validation of a deployment would be a second
// witness of the same: both hear of a new assignment at the same time.
func (w *work) holds(ctx context.Context, in *arm.Client, q guardrail.Question, ids []string) (bool, error) {
	denied := func(r arm.Resource, ids ...string) (bool, error) {
		r.Name = "causeway-probe"
		v, err := in.CheckPolicy(ctx, w.o.Subscription, r, "")
		if err != nil {
			return false, err
		}
		return slices.ContainsFunc(ids, v.DeniedBy), nil
	}
	for _, p := range q.Proofs {
		id, ok := named(ids, p.Assignment)
		if !ok {
			continue
		}
		refused, err := denied(arm.Resource{Type: p.Type, Location: p.Location, Properties: p.Properties}, id)
		if err != nil || !refused {
			return false, err
		}
	}
	allowed, err := denied(arm.Resource{Type: q.Allowed, Location: q.Location}, ids...)
	if err != nil {
		return false, err
	}
	if allowed {
		return false, stuck("guardrail", fmt.Sprintf("The guardrail refuses %s, which is on offer.", q.Allowed), "Correct the list of services offered, then try again.")
	}
	return true, nil
}

// named finds the id of an assignment by its name.
func named(ids []string, name string) (string, bool) {
	i := slices.IndexFunc(ids, func(id string) bool { return strings.HasSuffix(id, "/"+name) })
	if i < 0 {
		return "", false
	}
	return ids[i], true
}
