package billing

import (
	"context"
	"fmt"
	"iter"

	"causeway/internal/billing/sqlc"
	"causeway/internal/job"
	"causeway/internal/store"
	"causeway/internal/usage"
)

func (c *Cycle) doReconcile(ctx context.Context, j job.Job) error { return c.Bridge(ctx, j.Key) }

// Bridge gives the cause of every difference between the last estimate of a month and
// what Microsoft's invoice bills of daily usage, account by account, and keeps it.
func (c *Cycle) Bridge(ctx context.Context, invoice string) error {
	v, err := c.vendorData(ctx, invoice)
	if err != nil || v == nil {
		return err
	}
	estimate, err := sqlc.New(c.db.Read()).LastEstimate(ctx, sqlc.LastEstimateParams{Partner: v.partner, Month: string(v.month), Currency: string(v.total.Currency())})
	if store.IsNone(err) {
		return nil // nothing was estimated
	}
	if err != nil {
		return fmt.Errorf("estimate of %s: %w", v.month, err)
	}
	first, last := v.first, v.last
	if d := usage.Day(estimate.FirstDay); first == "" || d < first {
		first = d
	}
	last = max(last, usage.Day(estimate.LastDay))
	owners, err := c.owners(ctx, c.db.Read(), first, last)
	if err != nil {
		return err
	}
	all := causes{}
	err = c.pairs(ctx, usage.Query{Rated: []string{estimate.ID}, Owners: owners}, usage.Query{Rated: []string{v.rated}, Owners: owners}, func(account string, before, after []usage.Group) error {
		list, err := Explain(before, after, func(usage.Key) bool { return account != "" })
		if err != nil {
			return err
		}
		for _, d := range list {
			if err := all.add(account, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("from the estimate to %s: %w", invoice, err)
	}
	job.Point("billing.reconcile:explained")
	err = c.db.Tx(ctx, func(tx *store.Tx) error { return keepCauses(ctx, tx, invoice, bridgeEstimate, all.list()) })
	if err == nil {
		job.Point("billing.reconcile:kept")
	}
	return err
}

// pairs asks the lake twice and gives both answers account by account, so that only
// one account is in memory.
func (c *Cycle) pairs(ctx context.Context, before, after usage.Query, each func(account string, before, after []usage.Group) error) error {
	type one struct {
		account string
		groups  []usage.Group
	}
	var failed error
	ask := func(q usage.Query) iter.Seq[one] {
		return func(yield func(one) bool) {
			stop := fmt.Errorf("no more")
			err := c.groups(ctx, q, func(account string, groups []usage.Group) error {
				if !yield(one{account, groups}) {
					return stop
				}
				return nil
			})
			if err != nil && err != stop { //nolint:errorlint // the very same value
				failed = err
			}
		}
	}
	nextOld, endOld := iter.Pull(ask(before))
	defer endOld()
	nextNew, endNew := iter.Pull(ask(after))
	defer endNew()
	o, hasOld := nextOld()
	n, hasNew := nextNew()
	for (hasOld || hasNew) && failed == nil {
		var err error
		switch {
		case !hasNew || hasOld && o.account < n.account:
			err = each(o.account, o.groups, nil)
			o, hasOld = nextOld()
		case !hasOld || n.account < o.account:
			err = each(n.account, nil, n.groups)
			n, hasNew = nextNew()
		default:
			err = each(o.account, o.groups, n.groups)
			o, hasOld = nextOld()
			n, hasNew = nextNew()
		}
		if err != nil {
			return err
		}
	}
	return failed
}
