package billing

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// Ask puts a stage of a month into the queue: JobRate, JobDraft, or JobVendor for all
// of Microsoft's invoices of the month.
func (c *Cycle) Ask(ctx context.Context, a account.Actor, stage string, m usage.Month) error {
	if err := account.May(a, account.ActBillingChange, ""); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	keys := []string{string(m)}
	switch stage {
	case JobRate, JobDraft:
	case JobVendor:
		known, err := c.raw.Invoices(ctx, m)
		if err != nil {
			return err
		}
		if len(known) == 0 {
			return fault.New(fault.Conflict, "Microsoft's invoice for %s is not there yet.", m)
		}
		keys = nil
		for _, i := range known {
			keys = append(keys, i.ID)
		}
	default:
		return fmt.Errorf("billing: no stage %q can be asked for", stage)
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		for _, key := range keys {
			if err := c.jobs.Add(ctx, tx, stage, key, struct{}{}, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Counts is how many bills that close a month are drafts, and how many were issued.
func (c *Cycle) Counts(ctx context.Context, closing usage.Month) (drafts, issued int, err error) {
	rows, err := sqlc.New(c.db.Read()).CountDocuments(ctx, string(closing))
	if err != nil {
		return 0, 0, fmt.Errorf("bills of %s: %w", closing, err)
	}
	for _, r := range rows {
		switch {
		case r.Status == "draft":
			drafts += int(r.Many)
		case r.Numbered > 0:
			issued += int(r.Numbered)
		}
	}
	return drafts, issued, nil
}
