package billing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/billing/sqlc"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// owners says who pays for what from a day to another: the associations, and for days
// that none answers what staff assigned. Of two assignments the later one holds.
func (c *Cycle) owners(ctx context.Context, on store.DBTX, first, last usage.Day) ([]usage.Owner, error) {
	q := sqlc.New(on)
	rows, err := q.OwnersOf(ctx, sqlc.OwnersOfParams{FirstDay: string(first), LastDay: string(last)})
	if err != nil {
		return nil, fmt.Errorf("who pays: %w", err)
	}
	var all []usage.Owner
	for _, r := range rows {
		all = append(all, usage.Owner{Tenant: r.AzureID, Entitlement: r.Entitlement, From: usage.Day(r.FromDay), To: usage.Day(r.ToDay), Account: r.Account})
	}
	assigned, err := q.Assignments(ctx, sqlc.AssignmentsParams{FirstDay: string(first), LastDay: string(last)})
	if err != nil {
		return nil, fmt.Errorf("who pays: %w", err)
	}
	for _, r := range slices.Backward(assigned) {
		o := usage.Owner{Tenant: r.Tenant, Entitlement: r.Entitlement, From: usage.Day(r.FromDay), To: usage.Day(r.ToDay), Account: r.Account}
		all = append(all, without(o, all)...)
	}
	slices.SortStableFunc(all, func(a, b usage.Owner) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Entitlement, b.Entitlement), strings.Compare(string(a.From), string(b.From)))
	})
	return all, nil
}

// without gives what is left of an owner's days that no other has already.
func without(o usage.Owner, others []usage.Owner) []usage.Owner {
	left := []usage.Owner{o}
	for _, x := range others {
		if x.Tenant != o.Tenant || x.Entitlement != o.Entitlement {
			continue
		}
		var next []usage.Owner
		for _, part := range left {
			if x.From > part.To || x.To != "" && x.To < part.From {
				next = append(next, part)
				continue
			}
			if x.From > part.From {
				before := part
				before.To = x.From.Add(-1)
				next = append(next, before)
			}
			if x.To != "" && x.To < part.To {
				after := part
				after.From = x.To.Add(1)
				next = append(next, after)
			}
		}
		left = next
	}
	return left
}
