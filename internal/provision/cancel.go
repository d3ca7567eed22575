package provision

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// Cancel asks to undo an onboarding, also one that is ready: its subscription
// ends at Microsoft; the tenant is kept for the same legal entity.
func (r *Runner) Cancel(ctx context.Context, a account.Actor, id provider.ID) error {
	p, err := r.providers.Get(ctx, a, id)
	if err != nil {
		return err
	}
	if p.State == provider.Draft || p.State == provider.Waiting && p.Tenant == "" {
		return r.DropDraft(ctx, a, id)
	}
	o, err := r.of(ctx, id)
	if err != nil {
		return err
	}
	if err := account.May(a, account.ActProviderCancel, o.Org); err != nil {
		return err
	}
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		// The job first, as the worker does that has it: in another order PostgreSQL
		// ends one of the two as a deadlock.
		if err := r.jobs.Add(ctx, tx, JobOnboard, string(o.ID), struct{}{}, time.Time{}); err != nil {
			return err
		}
		err := r.change(ctx, tx, o.ID, func(o *Onboarding) error {
			if o.State == Cancelled || o.State == Cancelling {
				return fault.New(fault.Conflict, "“%s” is cancelled already.", o.Name)
			}
			o.State, o.CancelBy, o.Refusal = Cancelling, a.ID(), nil
			return nil
		})
		if err != nil {
			return err
		}
		err = r.providers.Change(ctx, tx, id, string(a.User), func(p *provider.Provider) error {
			p.State, p.Note = provider.Cancelling, "Being cancelled"
			return nil
		})
		if err != nil {
			return err
		}
		if err := r.providers.Log(ctx, tx, id, provider.Info, string(o.Step), "Cancelling was asked for by "+a.Name); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Org: string(o.Org), At: r.now(), Actor: a.ID(), Action: "onboarding.cancel", Object: "onboarding:" + string(o.ID), Address: a.Address})
	})
}

// cancel undoes at Microsoft what this onboarding made. What may or may not have
// happened is found out first: an answer that was lost must not leave anything
// behind that nobody knows.
func (w *work) cancel(ctx context.Context) error {
	if err := w.settleDoubts(ctx); err != nil {
		return err
	}
	others, err := sqlc.New(w.r.db.Read()).OthersOnTenant(ctx, sqlc.OthersOnTenantParams{Tenant: w.t.ID, ID: string(w.o.ID)})
	if err != nil {
		return err
	}
	last := true
	for _, o := range others {
		last = last && State(o.State) == Cancelling && o.ID > string(w.o.ID) // of several at once, the first one closes
	}
	if w.t.AzureID != "" && w.t.Plan != "" {
		if err := w.endSubscriptions(ctx, last); err != nil {
			return err
		}
		if last {
			if err := w.suspendPlan(ctx); err != nil {
				return err
			}
		}
	}
	return w.cancelled(ctx, last, others)
}

// settleDoubts finishes what was begun at Microsoft and whose outcome is unknown.
func (w *work) settleDoubts(ctx context.Context) error {
	if !w.t.Reached(StageCustomer) {
		begun, err := w.begun(ctx, w.onTenant(), "create-customer")
		if err != nil {
			return err
		}
		if begun && w.t.Holder == "" { // of a restored state: whoever held it then is forgotten
			if _, err := w.hold(ctx); err != nil {
				return err
			}
		}
		if begun && w.t.Holder == w.o.ID {
			if err := w.create(ctx); err != nil {
				if f := fault.Of(err); f == nil || azure.Unknown(err) || f.Kind == fault.Unavailable {
					return err
				} // refused: nothing was made
			}
		}
	}
	if err := w.findForgotten(ctx); err != nil {
		return err
	}
	if w.t.Cart != "" && w.t.Plan == "" && w.t.Holder == w.o.ID {
		begun, err := w.begun(ctx, w.onTenant(), "checkout "+w.t.Cart)
		if err != nil {
			return err
		}
		if begun || w.t.Order != "" {
			if err := w.order(ctx); err != nil {
				return err
			}
		}
	}
	begun, err := w.begun(ctx, w.onThis(), "create-subscription")
	if err != nil {
		return err
	}
	if begun && w.o.Subscription == "" {
		id, err := w.furtherSubscription(ctx)
		if err != nil {
			return err
		}
		return w.ownSubscription(ctx, id)
	}
	if w.t.FirstBy == w.o.ID && w.o.Subscription == "" && w.t.Plan != "" {
		id, err := w.firstEntitlement(ctx)
		if err != nil {
			return err
		}
		return w.ownSubscription(ctx, id)
	}
	return nil
}

func (w *work) ownSubscription(ctx context.Context, id string) error {
	w.o.Subscription = id
	return w.tx(ctx, func(tx *store.Tx) error {
		return w.r.change(ctx, tx, w.o.ID, func(o *Onboarding) error { o.Subscription = id; return nil })
	})
}

// endSubscriptions cancels our subscription, and for the last onboarding of the
// tenant all that are left. The normal end is Azure's own cancel; where we have
// no access yet, the entitlement's cancel of Partner Center is all there is.
func (w *work) endSubscriptions(ctx context.Context, last bool) error {
	list, err := w.r.pc.AzureEntitlements(ctx, w.t.AzureID, w.t.Plan)
	if err != nil {
		return err
	}
	open := 0
	for _, e := range list {
		mine := azure.SameID(e.ID, w.o.Subscription)
		if !azure.SameWord(e.Status, partnercenter.StatusActive) || !mine && !last {
			continue
		}
		open++
		err := w.once(ctx, w.onThis(), "cancel "+e.ID, func(ctx context.Context, in intent) (any, error) {
			if w.t.Reached(StageEntered) {
				err := w.r.arm.In(w.t.AzureID, azure.AppUser).CancelSubscription(ctx, in.id(), e.ID)
				if azure.HasCode(err, "ReadOnlyDisabledSubscription") {
					err = nil
				}
				return struct{}{}, err
			}
			_, err := w.r.pc.CancelEntitlement(ctx, in.id(), w.t.AzureID, w.t.Plan, e.ID)
			return struct{}{}, err
		}, func(tx *store.Tx) error {
			return w.say(ctx, tx, provider.Info, "Subscription %s is being cancelled", e.ID)
		})
		if err != nil {
			return err
		}
	}
	if open > 0 {
		return w.pause("Microsoft ends the subscription. It shows after about ten minutes.", 2*time.Hour)
	}
	return nil
}

func (w *work) suspendPlan(ctx context.Context) error {
	plan, err := w.r.pc.Subscription(ctx, w.t.AzureID, w.t.Plan)
	if err != nil {
		return err
	}
	if !azure.SameWord(plan.Status, partnercenter.StatusActive) {
		return nil
	}
	_, _, err = w.r.pc.ChangeSubscription(ctx, azure.NewRequestID(), w.t.AzureID, plan, partnercenter.SubscriptionChange{Status: partnercenter.StatusSuspended})
	if azure.HasCode(err, "900115") { // "has active subscriptions": the cancelling is on its way
		return w.pause("Microsoft still sees an active subscription under the plan.", 2*time.Hour)
	}
	if err != nil {
		return err
	}
	return w.pause("Microsoft suspends the Azure plan.", time.Hour)
}

// cancelled writes the end. A tenant that exists is kept as released; one that
// was never made gives its domain free, or is left to the next onboarding.
func (w *work) cancelled(ctx context.Context, last bool, others []sqlc.Onboarding) error {
	now := w.r.now()
	return w.tx(ctx, func(tx *store.Tx) error {
		if err := w.free(ctx, tx); err != nil {
			return err
		}
		err := changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error {
			switch {
			case last && t.AzureID == "":
				t.State = TenantGone
			case last:
				t.State = TenantReleased
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := w.endAssociations(ctx, tx, last, others); err != nil {
			return err
		}
		err = w.r.change(ctx, tx, w.o.ID, func(o *Onboarding) error {
			o.State, o.FinishedAt = Cancelled, now
			return nil
		})
		if err != nil {
			return err
		}
		for _, s := range Steps {
			err := changeStep(ctx, tx, w.o.ID, s, func(s *StepRecord) {
				if s.State != StepDone {
					s.State, s.Note, s.Next = StepSkipped, "", time.Time{}
				}
			})
			if err != nil {
				return err
			}
		}
		text := "Cancelled. Nothing was made at Microsoft."
		if w.t.AzureID != "" {
			text = fmt.Sprintf("Cancelled. The tenant %s is kept and used again next time.", w.t.Domain)
		}
		if err := w.say(ctx, tx, provider.Done, "%s", text); err != nil {
			return err
		}
		if err := w.show(ctx, tx, provider.Cancelled, text); err != nil {
			return err
		}
		err = audit.Write(ctx, tx, audit.Entry{Org: string(w.o.Org), At: now, Actor: audit.System, Action: "onboarding.cancelled", Object: "onboarding:" + string(w.o.ID)})
		if err != nil {
			return err
		}
		return w.r.jobs.Finish(ctx, tx, w.j)
	})
}

// endAssociations ends who pays: the subscription's own association today; the
// tenant's as well if nobody is left. One that was only intended is forgotten if
// the tenant was never born, or goes to the next onboarding's account; otherwise
// it is confirmed, because somebody pays for the days on which the tenant lived.
func (w *work) endAssociations(ctx context.Context, tx *store.Tx, last bool, others []sqlc.Onboarding) error {
	today := provider.DayOf(w.r.now())
	if w.o.Subscription != "" {
		if err := w.r.providers.End(ctx, tx, w.t.ID, w.o.Subscription, today); err != nil {
			return err
		}
	}
	if last {
		if w.t.AzureID != "" {
			if err := w.tenantPayer(ctx, tx); err != nil {
				return err
			}
		}
		return w.r.providers.End(ctx, tx, w.t.ID, "", today)
	}
	if w.t.AzureID != "" || w.t.Account != w.o.Account {
		return nil
	}
	for _, row := range others {
		if State(row.State) == Cancelling {
			continue
		}
		next := account.Alias(row.Account)
		if err := w.r.providers.End(ctx, tx, w.t.ID, "", today); err != nil {
			return err
		}
		if err := sqlc.New(tx).TenantAccount(ctx, sqlc.TenantAccountParams{ID: w.t.ID, Account: row.Account}); err != nil {
			return err
		}
		return w.r.providers.Intend(ctx, tx, provider.Association{Tenant: w.t.ID, Account: next, Org: w.o.Org, Provider: provider.ID(row.Provider), From: today})
	}
	return nil
}
