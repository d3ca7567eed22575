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
	assigned, err := q.Assignments(ctx, sqlc.AssignmentsParams{FirstDay: string(first), LastDay: string(last)})
	if err != nil {
		return nil, fmt.Errorf("who pays: %w", err)
	}
	return ownersIn(rows, assigned), nil
}

// ownersNear says it of the tenants only that an account pays anything of, now or ever:
// a page about one account must not read ten thousand.
func (c *Cycle) ownersNear(ctx context.Context, on store.DBTX, account string, first, last usage.Day) ([]usage.Owner, error) {
	q := sqlc.New(on)
	near, err := q.OwnersOfTenants(ctx, sqlc.OwnersOfTenantsParams{Account: account, FirstDay: string(first), LastDay: string(last)})
	if err != nil {
		return nil, fmt.Errorf("who pays: %w", err)
	}
	assigned, err := q.AssignmentsOfTenants(ctx, sqlc.AssignmentsOfTenantsParams{Account: account, FirstDay: string(first), LastDay: string(last)})
	if err != nil {
		return nil, fmt.Errorf("who pays: %w", err)
	}
	rows := make([]sqlc.OwnersOfRow, len(near))
	for i, r := range near {
		rows[i] = sqlc.OwnersOfRow(r)
	}
	return ownersIn(rows, assigned), nil
}

func ownersIn(rows []sqlc.OwnersOfRow, assigned []sqlc.BillingAssignment) []usage.Owner {
	all := make([]usage.Owner, 0, len(rows)+len(assigned))
	of := map[[2]string][]usage.Owner{} // those so far, by tenant and entitlement
	add := func(o usage.Owner) {
		k := [2]string{o.Tenant, o.Entitlement}
		all, of[k] = append(all, o), append(of[k], o)
	}
	for _, r := range rows {
		add(usage.Owner{Tenant: r.AzureID, Entitlement: r.Entitlement, From: usage.Day(r.FromDay), To: usage.Day(r.ToDay), Account: r.Account})
	}
	for _, r := range slices.Backward(assigned) {
		o := usage.Owner{Tenant: r.Tenant, Entitlement: r.Entitlement, From: usage.Day(r.FromDay), To: usage.Day(r.ToDay), Account: r.Account}
		for _, left := range without(o, of[[2]string{o.Tenant, o.Entitlement}]) {
			add(left)
		}
	}
	slices.SortStableFunc(all, func(a, b usage.Owner) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Entitlement, b.Entitlement), strings.Compare(string(a.From), string(b.From)))
	})
	return all
}

// without gives what is left of an owner's days that no other of the same has already.
func without(o usage.Owner, others []usage.Owner) []usage.Owner {
	left := []usage.Owner{o}
	for _, x := range others {
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
