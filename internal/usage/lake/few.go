package lake

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"

	"causeway/internal/usage"
)

// few gives the groups of some accounts, whose tenants' rows and kinds are all that is
// read: somebody waits for a page. What there is of them fits into memory, so that it
// needs none of the temporary tables of a whole month.
func (l *Lake) few(ctx context.Context, s *session, q usage.Query, rows, kinds string, each func(string, []usage.Group) error) error {
	known, err := s.kinds(ctx, "SELECT k.kind, k.invoiced, "+kindColumns()+" FROM ("+kinds+") k")
	if err != nil {
		return err
	}
	type owned struct {
		kind int64
		day  int32
	}
	o, found, whose := newOwners(q.Owners), map[string]*folding{}, map[owned]string{}
	err = s.each(ctx, "SELECT 0::INTEGER, "+totalColumns+" FROM ("+addedUp(rows)+")", func(v []driver.Value) error {
		r, err := totalOf(v)
		if err != nil {
			return err
		}
		k := known.of[r.kind]
		if k == nil {
			return nil // of the reconciliation: the daily records say more of it
		}
		at := owned{r.kind, r.day}
		account, ok := whose[at]
		if !ok {
			account = o.on(k.key.Tenant, k.key.Entitlement, day(r.day))
			whose[at] = account
		}
		if !slices.Contains(q.Accounts, account) {
			return nil
		}
		if found[account] == nil {
			found[account] = newFolding(q.Tags, known)
		}
		return found[account].add(&r)
	})
	if err != nil {
		return err
	}
	for _, account := range slices.Sorted(maps.Keys(found)) {
		groups, err := found[account].groups()
		if err != nil {
			return err
		}
		if err := each(account, groups); err != nil {
			return err
		}
	}
	return nil
}
