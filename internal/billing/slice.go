package billing

import (
	"context"
	"slices"

	"causeway/internal/account"
	"causeway/internal/invoice"
	"causeway/internal/rating"
	"causeway/internal/usage"
)

// Slice is a part of an account's month; "" = any.
type Slice struct {
	Account     string
	Month       usage.Month
	Entitlement string
	Category    string // what Cell calls it
	Region      string
	Day         usage.Day
}

// holds tells whether a charge is in it.
func (s Slice) holds(ch rating.Charge) bool {
	return (s.Entitlement == "" || s.Entitlement == ch.Group.Entitlement) && (s.Category == "" || s.Category == invoice.Service(ch)) &&
		(s.Region == "" || s.Region == ch.Group.Region) && (s.Day == "" || s.Day == ch.Group.Day)
}

// Charges rates an account's month again with the terms of its days, and gives the
// charges of a slice: what stands behind a figure. Tiers count over the whole month, so
// all of it is rated. Who may see them is asked before.
func (c *Cycle) Charges(ctx context.Context, s Slice) ([]rating.Charge, error) {
	src, err := c.sourcesOf(ctx, c.db.Read(), s.Month)
	if err != nil {
		return nil, err
	}
	owners, err := c.ownersNear(ctx, c.db.Read(), s.Account, s.Month.First(), s.Month.Last())
	if err != nil {
		return nil, err
	}
	tags, err := c.tagNames(ctx)
	if err != nil {
		return nil, err
	}
	var groups []usage.Group
	err = c.groups(ctx, usage.Query{Rated: src.rated, Invoiced: src.invoiced, Owners: owners, Tags: tags, Accounts: []string{s.Account}}, func(_ string, all []usage.Group) error {
		groups = append(groups, all...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(groups, func(g usage.Group) bool { return g.Day.Month() != s.Month })
	if len(groups) == 0 {
		return nil, nil
	}
	setup, err := c.AccountSetup(ctx, s.Account)
	if err != nil {
		return nil, err
	}
	currency := setup.Currency
	if currency == "" {
		currency = groups[0].Currency
	}
	terms, err := c.prices.Terms(ctx, c.db.Read(), account.Alias(s.Account), currency, s.Month)
	if err != nil {
		return nil, err
	}
	charges, err := rating.Month(s.Month, groups, terms)
	return slices.DeleteFunc(charges, func(ch rating.Charge) bool { return !s.holds(ch) }), err
}

// Records gives a page of the single records of a slice, and where the next one
// begins; of each all columns, if none are named. Who may see them is asked before.
func (c *Cycle) Records(ctx context.Context, s Slice, after string, limit int, columns ...string) ([]usage.Record, string, error) {
	src, err := c.sourcesOf(ctx, c.db.Read(), s.Month)
	if err != nil || len(src.rated) == 0 {
		return nil, "", err
	}
	owners, err := c.ownersNear(ctx, c.db.Read(), s.Account, s.Month.First(), s.Month.Last())
	if err != nil {
		return nil, "", err
	}
	return c.lake.Records(ctx, usage.RecordQuery{
		Snapshots: src.rated, Owners: owners, Account: s.Account, Entitlement: s.Entitlement, Month: s.Month, Day: s.Day, Category: s.Category, Region: s.Region, After: after, Limit: limit, Columns: columns,
	})
}

// Usage gives all usage of these months, each account's month by itself and in any
// order: what the price lab replays. Never all of them are in memory.
func (c *Cycle) Usage(ctx context.Context, from, to usage.Month, each func(rating.AccountMonth) error) error {
	tags, err := c.tagNames(ctx)
	if err != nil {
		return err
	}
	for m := from; m <= to; m = m.Add(1) {
		src, err := c.sourcesOf(ctx, c.db.Read(), m)
		if err != nil {
			return err
		}
		owners, err := c.owners(ctx, c.db.Read(), m.First(), m.Last())
		if err != nil {
			return err
		}
		err = c.groups(ctx, usage.Query{Rated: src.rated, Invoiced: src.invoiced, Owners: owners, Tags: tags, AnyOrder: true}, func(account string, groups []usage.Group) error {
			groups = slices.DeleteFunc(groups, func(g usage.Group) bool { return g.Day.Month() != m })
			if account == "" || len(groups) == 0 {
				return nil
			}
			return each(rating.AccountMonth{Account: account, Month: m, Groups: groups})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
