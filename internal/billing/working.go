package billing

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing/sqlc"
	"causeway/internal/usage"
)

// Stage is a part of a month's work that is not done yet.
type Stage struct {
	Kind    string    // JobRate, JobDraft …
	Invoice string    // Microsoft's, of JobVendor and JobReconcile
	Running bool      // now; else it waits for its turn, or for another try
	Due     time.Time // of the next try, if it waits
	Attempt int       // tries so far
	Trouble string    // of the last one
}

// Working lists what goes on for a month of service, in the order in which one stage
// follows the other; nothing if all is done.
func (c *Cycle) Working(ctx context.Context, a account.Actor, m usage.Month) ([]Stage, error) {
	if err := account.May(a, account.ActBillingView, ""); err != nil {
		return nil, err
	}
	statements, err := sqlc.New(c.db.Read()).StatementsOf(ctx, string(m))
	if err != nil {
		return nil, err
	}
	var list []Stage
	add := func(kind, key, invoice string) error {
		s, ok, err := c.jobs.OpenOf(ctx, kind, key)
		if ok {
			list = append(list, Stage{Kind: kind, Invoice: invoice, Running: s.Running, Due: s.Due, Attempt: s.Attempt, Trouble: s.Trouble})
		}
		return err
	}
	if err := add(JobRate, string(m), ""); err != nil {
		return nil, err
	}
	for _, st := range statements {
		if err := add(JobVendor, st.Invoice, st.Invoice); err != nil {
			return nil, err
		}
	}
	for _, kind := range []string{JobDraft, JobIssue} {
		if err := add(kind, string(m), ""); err != nil {
			return nil, err
		}
	}
	for _, st := range statements {
		if err := add(JobReconcile, st.Invoice, st.Invoice); err != nil {
			return nil, err
		}
	}
	return list, nil
}
