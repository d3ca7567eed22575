package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"causeway/internal/job"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// hold takes the tenant for this onboarding: what is done once per tenant is
// done by one onboarding at a time. The hold is in the database, so it outlives
// the process; a stuck onboarding keeps it, a cancelled one gives it free.
func (w *work) hold(ctx context.Context) (bool, error) {
	held := false
	err := w.tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).HoldTenant(ctx, sqlc.HoldTenantParams{ID: w.t.ID, Holder: string(w.o.ID)})
		held = n > 0
		return err
	})
	if err != nil {
		return false, err
	}
	w.t, err = w.r.tenant(ctx, w.t.ID) // it may be further than when we looked
	return held, err
}

// free gives the tenant to the next onboarding that waits for it.
func (w *work) free(ctx context.Context, tx *store.Tx) error {
	_, err := sqlc.New(tx).FreeTenant(ctx, sqlc.FreeTenantParams{ID: w.t.ID, Holder: string(w.o.ID)})
	return err
}

// toStage brings the tenant to a stage, unless it is there already. While
// another onboarding works on it, this one waits.
func (w *work) toStage(ctx context.Context, s Stage, do func(context.Context) error) error {
	if w.t.Reached(s) {
		return nil
	}
	held, err := w.hold(ctx)
	if err != nil {
		return err
	}
	if w.t.Reached(s) {
		if !held {
			return nil
		}
		return w.tx(ctx, func(tx *store.Tx) error { return w.free(ctx, tx) })
	}
	if !held {
		return w.behind(ctx)
	}
	if err := do(ctx); err != nil {
		return err
	}
	err = w.tx(ctx, func(tx *store.Tx) error {
		err := changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error {
			if !t.Reached(s) {
				t.Stage = s
			}
			return nil
		})
		if err != nil {
			return err
		}
		return w.free(ctx, tx)
	})
	if err != nil {
		return err
	}
	w.t.Stage = s
	return nil
}

// behind is the wait for the onboarding that has the tenant. If that one needs a
// person, so does this one.
func (w *work) behind(ctx context.Context) error {
	holder, err := w.r.load(ctx, w.t.Holder)
	if err != nil {
		return job.Wait{Until: w.r.now().Add(time.Second), Why: "Another onboarding works on the same tenant."}
	}
	why := fmt.Sprintf("Waits for “%s”, which works on the same tenant.", holder.Name)
	if holder.State == Stuck || holder.State == Waiting {
		return forPerson{why: why, ask: 15 * time.Second}
	}
	err = w.pause(why, 0)
	if wait := (job.Wait{}); errors.As(err, &wait) {
		w.s.Held += wait.Until.Sub(w.r.now()) // the other's time, not Microsoft's
	}
	return err
}

// known writes on the provider what is known of the tenant.
func (w *work) known(ctx context.Context, tx *store.Tx) error {
	row, err := sqlc.New(tx).GetTenant(ctx, w.t.ID)
	if err != nil {
		return err
	}
	return w.r.providers.Change(ctx, tx, w.o.Provider, provider.Platform, func(p *provider.Provider) error {
		p.Tenant, p.TenantID, p.Domain = row.ID, row.AzureID, row.Domain
		return nil
	})
}
