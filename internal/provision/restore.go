package provision

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// Doubted is what a restore made doubtful.
type Doubted struct {
	Onboardings int64 // that go on from the backup's state
	Intents     int64 // of which Microsoft may know more than we do
}

// Restored makes a state that came from a backup safe to go on from, in the
// transaction that fills the database. Microsoft went on after the backup was
// taken: whatever is not confirmed in it may have been sent since, and answered.
// So every open intent is doubtful, and with it each step looks before it acts.
//
// A tenant is the one thing that is sent before anything can be looked up. If the
// backup does not even know that it was meant to be made, the doubt is written
// down here; then a domain that is taken is looked for in Microsoft's audit
// records, under our own correlation ids, before it is called somebody else's.
func Restored(ctx context.Context, tx *store.Tx, backup string, takenAt, now time.Time) (Doubted, error) {
	var d Doubted
	q := sqlc.New(tx)
	err := q.AddRestored(ctx, sqlc.AddRestoredParams{Backup: backup, TakenAt: store.Micros(takenAt), RestoredAt: store.Micros(now)})
	if err != nil {
		return d, fmt.Errorf("note the restore: %w", err)
	}
	if d.Intents, err = q.DoubtIntents(ctx); err != nil {
		return d, fmt.Errorf("doubt the intents: %w", err)
	}
	tenants, err := q.UnmadeTenants(ctx)
	if err != nil {
		return d, err
	}
	for _, t := range tenants {
		n, err := q.AddDoubt(ctx, sqlc.AddDoubtParams{
			ID: store.NewID(), Scope: "tenant:" + t.ID, Name: "create-customer", RequestID: string(azure.NewRequestID()), Correlation: t.Correlation,
			FirstSent: t.CreatedAt, CreatedAt: t.CreatedAt, // before anything was sent: the audit records are read from there
		})
		if err != nil {
			return d, err
		}
		d.Intents += n
	}
	d.Onboardings, err = q.CountOpen(ctx)
	return d, err
}

// restoredSince tells whether the state came from a backup after this onboarding
// had begun: then Microsoft may have more of it than any row says.
func (w *work) restoredSince(ctx context.Context) (bool, error) {
	n, err := sqlc.New(w.r.db.Read()).RestoredSince(ctx, store.Micros(w.o.StartedAt))
	return n > 0, err
}

// findForgotten looks, before an onboarding is cancelled, for what was bought for
// it after the backup that this state is from.
func (w *work) findForgotten(ctx context.Context) error {
	if w.t.AzureID == "" {
		return nil
	}
	restored, err := w.restoredSince(ctx)
	if err != nil || !restored {
		return err
	}
	if w.t.Plan == "" {
		plan, found, err := w.findPlan(ctx)
		if err != nil || !found {
			return err
		}
		w.t.Plan = plan.ID
		err = w.tx(ctx, func(tx *store.Tx) error {
			return changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Plan = plan.ID; return nil })
		})
		if err != nil {
			return err
		}
	}
	if w.o.Subscription != "" || w.t.FirstBy == w.o.ID {
		return nil
	}
	alias, err := w.r.arm.Alias(ctx, arm.AliasName(string(w.o.ID)))
	if azure.IsNotFound(err) {
		return nil
	}
	if err != nil || alias.Properties.SubscriptionID == "" {
		return err
	}
	return w.ownSubscription(ctx, alias.Properties.SubscriptionID)
}

// correlations are ours for everything that was ever asked for this tenant: of a
// restored state nobody knows which onboarding sent the creation.
func (w *work) correlations(ctx context.Context, in intent) ([]string, error) {
	all := []string{in.row.Correlation}
	rows, err := sqlc.New(w.r.db.Read()).OthersOnTenant(ctx, sqlc.OthersOnTenantParams{Tenant: w.t.ID})
	for _, o := range rows {
		all = append(all, o.Correlation)
	}
	return all, err
}
