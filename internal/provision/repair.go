package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
	"causeway/internal/guardrail"
	"causeway/internal/job"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// fixing is one decision as it is carried out.
type fixing struct {
	*look
	j           job.Job
	d           Difference
	correlation azure.CorrelationID
}

// tx commits together, while the job is ours and the decision still stands.
func (f *fixing) tx(do func(context.Context, *store.Tx) error) error {
	return f.r.db.Tx(f.ctx, func(tx *store.Tx) error {
		if err := f.r.jobs.Hold(f.ctx, tx, f.j); err != nil {
			return err
		}
		row, err := sqlc.New(tx).LockDifference(f.ctx, f.d.ID)
		if err != nil || row.Doing != string(f.d.Doing) || row.DoingAt != store.Micros(f.d.DoingAt) {
			return err // decided otherwise, or done, meanwhile
		}
		return do(f.ctx, tx)
	})
}

// do carries the decision out.
func (f *fixing) do() error {
	if f.d.Kind == DiffCustomer && f.d.Tenant == "" {
		return f.adoptCustomer()
	}
	t, err := f.r.tenant(f.ctx, f.d.Tenant)
	if err != nil {
		return err
	}
	switch f.d.Doing {
	case FixAdopt:
		switch f.d.Kind {
		case DiffCustomer:
			switch {
			case f.d.About.Missing:
				return f.adoptGoneCustomer()
			case f.d.Evidence.Proven:
				return f.adoptProven()
			}
			return f.adoptDomain()
		case DiffPlan:
			return f.adoptPlan()
		case DiffSubscription:
			return f.adoptSubscription(t)
		case DiffName:
			return f.adoptName()
		case DiffGrant:
			return f.adoptGrant(t)
		}
	case FixRepair:
		if f.d.Kind == DiffPayer {
			return f.repairPayer(t)
		}
		return f.atMicrosoft(t, f.repair)
	case FixCancel:
		return f.atMicrosoft(t, f.cancel)
	}
	return fmt.Errorf("nobody knows how to %s a difference of kind %s", f.d.Doing, f.d.Kind)
}

// atMicrosoft changes something there, through intents of its own, and is done
// only when both sides are read again and agree.
func (f *fixing) atMicrosoft(t Tenant, do func(*work, *arm.Client) error) error {
	w := &work{r: f.r, j: f.j, t: t, moved: new(bool), errand: fmt.Sprintf("difference:%s:%d", f.d.ID, store.Micros(f.d.DoingAt))}
	if f.d.About.Subscription != "" {
		row, err := sqlc.New(f.r.db.Read()).OnboardingOfSubscription(f.ctx, f.d.About.Subscription)
		if err != nil && !store.IsNone(err) {
			return err
		}
		if err == nil {
			if w.o, err = onboarding(row); err != nil {
				return err
			}
			f.ctx = azure.WithRecorder(f.ctx, w.record)
		}
	}
	w.o.Correlation = string(f.correlation)
	if err := do(w, f.r.arm.In(t.AzureID, azure.AppUser)); err != nil {
		return err
	}
	s, err := f.tenant(t, true)
	if err != nil {
		return err
	}
	for _, d := range s.found {
		if d.Kind == f.d.Kind && d.Object == f.d.Object {
			return errNotYet
		}
	}
	return f.tx(func(ctx context.Context, tx *store.Tx) error {
		if w.o.Provider != "" {
			text := "Put back as it is written here: " + f.d.Text
			if f.d.Doing == FixCancel {
				text = "Ended, since nobody owned it: " + f.d.Text
			}
			if err := f.r.providers.Log(ctx, tx, w.o.Provider, provider.Info, string(StepReady), text); err != nil {
				return err
			}
		}
		return f.resolved(ctx, tx, nil)
	})
}

// repair puts our recorded state back.
func (f *fixing) repair(w *work, in *arm.Client) error {
	scope := arm.SubscriptionScope(f.d.About.Subscription)
	switch f.d.Kind {
	case DiffPlan:
		return f.setPlan(w, f.d.About.Plan, f.d.About.Status)
	case DiffName:
		return w.once(f.ctx, w.errand, "repair-name", func(ctx context.Context, it intent) (any, error) {
			return struct{}{}, in.RenameSubscription(ctx, it.id(), f.d.About.Subscription, w.o.Name)
		}, nil)
	case DiffPolicy:
		return f.repairPolicy(w, in, scope)
	case DiffGrant:
		return f.repairGrant(w, in, scope)
	}
	return fmt.Errorf("a difference of kind %s cannot be repaired", f.d.Kind)
}

// setPlan makes the plan active or suspends it. Microsoft does it later: what it
// is asked for once is not asked for again.
func (f *fixing) setPlan(w *work, id, status string) error {
	return w.once(f.ctx, w.errand, "repair-plan", func(ctx context.Context, it intent) (any, error) {
		plan, err := f.r.pc.Subscription(ctx, w.t.AzureID, id)
		if err != nil || azure.SameWord(plan.Status, status) {
			return struct{}{}, err
		}
		_, _, err = f.r.pc.ChangeSubscription(ctx, it.id(), w.t.AzureID, plan, partnercenter.SubscriptionChange{Status: status})
		if azure.HasCode(err, "900115") {
			return nil, errNotYet // an active subscription under it: its end is on its way
		}
		return struct{}{}, err
	}, nil)
}

func (f *fixing) repairPolicy(w *work, in *arm.Client, scope string) error {
	name := f.d.About.Policy
	for _, a := range f.policy.Assignments {
		if a.Name != name {
			continue
		}
		if def := definition(f.policy, a); def != nil {
			if err := f.putDefinition(w, in, scope, *def); err != nil {
				return err
			}
		}
		return w.once(f.ctx, w.errand, "repair-policy "+name+" "+f.policy.Hash[:12], func(ctx context.Context, it intent) (any, error) {
			_, err := in.PutPolicyAssignment(ctx, it.id(), scope, name, asAssignment(scope, a, f.policy.Version))
			return struct{}{}, err
		}, nil)
	}
	return w.once(f.ctx, w.errand, "remove-policy "+name, func(ctx context.Context, it intent) (any, error) {
		return struct{}{}, in.DeletePolicyAssignment(ctx, it.id(), scope, name)
	}, nil)
}

func (f *fixing) putDefinition(w *work, in *arm.Client, scope string, d guardrail.Definition) error {
	var params map[string]json.RawMessage
	if err := json.Unmarshal(d.Parameters, &params); err != nil {
		return fmt.Errorf("guardrail %s: %w", d.Name, err)
	}
	return w.once(f.ctx, w.errand, "repair-definition "+d.Name+" "+f.policy.Hash[:12], func(ctx context.Context, it intent) (any, error) {
		_, err := in.PutPolicyDefinition(ctx, it.id(), scope, d.Name, asDefinition(d, params))
		return struct{}{}, err
	}, nil)
}

func (f *fixing) repairGrant(w *work, in *arm.Client, scope string) error {
	a := f.d.About
	var p arm.RoleAssignmentProperties
	switch {
	case azure.SameID(a.Principal, w.t.Principal) && a.Role == "Contributor":
		p = w.platformRole()
	case azure.SameID(a.Principal, w.t.AdminObject) && (a.Role == "Owner" || a.Role == roleRestricted):
		var err error
		if p, _, _, err = w.adminRole(f.ctx, in, scope, a.Role == "Owner"); err != nil {
			return err
		}
	default:
		return fault.New(fault.Conflict, "The platform did not give this role and cannot give it again.")
	}
	return w.once(f.ctx, w.errand, "repair-grant", func(ctx context.Context, it intent) (any, error) {
		var got arm.RoleAssignment
		var err error
		if a.Status != "" { // the same assignment, with other content
			got, err = f.replaceGrant(ctx, in, it, scope, p)
		} else {
			got, err = in.EnsureRoleAssignment(ctx, it.id(), scope, p)
		}
		return map[string]string{"assignment": got.Name}, err
	}, nil)
}

// replaceGrant writes an assignment that exists with other content, under
// whatever name it has.
func (f *fixing) replaceGrant(ctx context.Context, in *arm.Client, it intent, scope string, p arm.RoleAssignmentProperties) (arm.RoleAssignment, error) {
	list, err := in.RoleAssignments(ctx, scope, "principalId eq '"+p.PrincipalID+"'")
	if err != nil {
		return arm.RoleAssignment{}, err
	}
	for _, a := range list {
		if a.Gives(scope, p.PrincipalID, p.RoleDefinitionID) {
			return in.PutRoleAssignment(ctx, it.id(), scope, a.Name, p)
		}
	}
	return in.EnsureRoleAssignment(ctx, it.id(), scope, p)
}

// cancel ends what nobody owns.
func (f *fixing) cancel(w *work, in *arm.Client) error {
	if f.d.Kind == DiffPlan {
		return f.setPlan(w, f.d.About.Plan, partnercenter.StatusSuspended)
	}
	id := f.d.About.Subscription
	return w.once(f.ctx, w.errand, "cancel-subscription", func(ctx context.Context, it intent) (any, error) {
		if w.t.Reached(StageEntered) {
			err := in.CancelSubscription(ctx, it.id(), id)
			if err == nil || azure.HasCode(err, "ReadOnlyDisabledSubscription") || !refused(err) {
				return struct{}{}, unless(err, "ReadOnlyDisabledSubscription")
			}
		}
		_, err := f.r.pc.CancelEntitlement(ctx, it.id(), w.t.AzureID, w.t.Plan, id)
		return struct{}{}, err
	}, nil)
}

func unless(err error, code string) error {
	if azure.HasCode(err, code) {
		return nil
	}
	return err
}

// repairPayer fills the days that nobody pays for with the tenant's account, and
// where two pay ends the earlier one before the later begins.
func (f *fixing) repairPayer(t Tenant) error {
	return f.tx(func(ctx context.Context, tx *store.Tx) error {
		all, err := f.r.providers.OfTenant(ctx, t.ID)
		if err != nil {
			return err
		}
		e := f.d.About.Subscription
		born, today := provider.DayOf(t.BornAt), provider.DayOf(f.r.now())
		gaps, _ := provider.Unpaid(all, e, born, today)
		var before *provider.Association
		for i := range all { // in the order of their first days
			a := &all[i]
			if !strings.EqualFold(a.Entitlement, e) || !a.Confirmed {
				continue
			}
			if before != nil && (before.To == "" || before.To >= a.From) && before.From < a.From {
				if err := f.r.providers.Shorten(ctx, tx, before.ID, a.From.Before()); err != nil {
					return err
				}
			}
			before = a
		}
		if e == "" {
			for _, g := range gaps {
				a := provider.Association{Tenant: t.ID, Account: t.Account, Org: t.Org, From: g.From, To: g.To}
				fill := f.r.providers.Fill
				if g.To == today { // and from now on
					fill = f.r.providers.Confirm
				}
				if err := fill(ctx, tx, a); err != nil {
					return err
				}
			}
		}
		return f.resolved(ctx, tx, map[string]any{"gaps": gaps})
	})
}
