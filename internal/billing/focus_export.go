package billing

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// Focus writes what an account gets for a month in FOCUS 1.2: the rows of every numbered
// document that closes the month, so that Σ BilledCost of an InvoiceId is its total with
// tax; before there is one, the month's usage as it is known now, with no InvoiceId.
func (c *Cycle) Focus(ctx context.Context, a account.Actor, alias account.Alias, m usage.Month, f Format, w io.Writer) error {
	acct, err := c.mayFocus(ctx, a, alias, f)
	if err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	ids, err := sqlc.New(c.db.Read()).NumberedOfMonth(ctx, sqlc.NumberedOfMonthParams{Account: string(alias), Period: string(m)})
	if err != nil {
		return fmt.Errorf("documents of %s: %w", alias, err)
	}
	var rows []FocusRow
	for _, id := range ids {
		d, err := c.book.Document(ctx, invoice.ID(id))
		if err != nil {
			return err
		}
		made, err := c.focusOf(ctx, d)
		if err != nil {
			return err
		}
		rows = append(rows, made...)
	}
	if len(ids) == 0 {
		if rows, err = c.focusUnbilled(ctx, acct, m); err != nil {
			return err
		}
	}
	return writeFocus(w, f, rows)
}

// FocusDocument writes one issued document, settlement or credit note in FOCUS 1.2.
func (c *Cycle) FocusDocument(ctx context.Context, a account.Actor, id invoice.ID, f Format, w io.Writer) error {
	d, err := c.book.Document(ctx, id)
	if err != nil {
		return err
	}
	if _, err := c.mayFocus(ctx, a, account.Alias(d.Account), f); err != nil {
		return err
	}
	if d.Number == "" {
		return fault.New(fault.Conflict, "%s is a draft: only what is issued is written in FOCUS.", d.Key)
	}
	rows, err := c.focusOf(ctx, d)
	if err != nil {
		return err
	}
	return writeFocus(w, f, rows)
}

func (c *Cycle) mayFocus(ctx context.Context, a account.Actor, alias account.Alias, f Format) (account.Account, error) {
	acct, err := c.people.Account(ctx, alias)
	if err != nil {
		return acct, err
	}
	if err := account.May(a, account.ActAccountView, acct.Org); err != nil {
		return acct, err
	}
	if f != CSV && f != Parquet {
		return acct, fault.Field("format", fmt.Sprintf("%q is no format of FOCUS.", string(f)), "Choose csv or parquet.")
	}
	if c.lake == nil {
		return acct, fault.New(fault.Unavailable, "This process has no usage lake. Ask one that has: a worker.")
	}
	return acct, nil
}

// focusOf makes the rows of a numbered document.
func (c *Cycle) focusOf(ctx context.Context, d invoice.Document) ([]FocusRow, error) {
	of := d
	if d.Kind == invoice.CreditNote {
		var err error
		if of, err = c.book.Document(ctx, d.Of); err != nil {
			return nil, err
		}
	}
	known := map[usage.Month][]rating.Charge{}
	rows, err := focusDocument(of, c.names, func(m usage.Month) ([]rating.Charge, error) {
		charges, ok := known[m]
		if !ok {
			var err error
			if charges, err = c.chargesOf(ctx, of.Account, m, of.Currency, of.IssuedAt); err != nil {
				return nil, err
			}
			known[m] = charges
		}
		return charges, nil
	})
	if err != nil || d.Kind != invoice.CreditNote {
		return rows, err
	}
	return focusCreditNote(d, rows), nil
}

func (c *Cycle) focusUnbilled(ctx context.Context, acct account.Account, m usage.Month) ([]FocusRow, error) {
	alias := string(acct.Alias)
	known, err := c.months.Of(ctx, alias, m, m)
	if err != nil || len(known) == 0 {
		return nil, err
	}
	own, err := c.AccountSetup(ctx, alias)
	if err != nil {
		return nil, err
	}
	setup, err := c.Setup(ctx)
	if err != nil {
		return nil, err
	}
	seller, err := setup.seller(own.Seller)
	if err != nil {
		return nil, err
	}
	charges, err := c.chargesOf(ctx, alias, m, known[0].Currency, c.now())
	if err != nil {
		return nil, err
	}
	head := invoice.Document{Account: alias, Period: m, Currency: known[0].Currency, Seller: seller.Party, Buyer: buyer(acct, own.VAT)}
	return focusMonth(head, charges, c.names), nil
}

// chargesOf works out an account's charges of a month as Rate did, by day and meter:
// from what was known at a moment. A month that cannot be priced any more has none.
func (c *Cycle) chargesOf(ctx context.Context, alias string, m usage.Month, currency money.Currency, at time.Time) ([]rating.Charge, error) {
	src, err := c.sourcesAt(ctx, m, at)
	if err != nil {
		return nil, err
	}
	owners, err := c.owners(ctx, c.db.Read(), m.First(), m.Last())
	if err != nil {
		return nil, err
	}
	tags, err := c.tagNames(ctx)
	if err != nil {
		return nil, err
	}
	var groups []usage.Group
	err = c.groups(ctx, usage.Query{Rated: src.rated, Invoiced: src.invoiced, Owners: owners, Tags: tags, Accounts: []string{alias}}, func(_ string, list []usage.Group) error {
		groups = append(groups, slices.DeleteFunc(list, func(g usage.Group) bool { return g.Day.Month() != m })...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("charges of %s, %s: %w", alias, m, err)
	}
	charges, err := c.price(ctx, m, alias, currency, groups, &rated{})
	if err != nil && fault.KindOf(err) == "" {
		return nil, fmt.Errorf("charges of %s, %s: %w", alias, m, err)
	}
	return charges, nil // none, where the account or a price list is to blame
}

// sourcesAt are the snapshots that a month was worked out from at a moment. One that
// the lake does not have any more is replaced by the newest of the same export.
func (c *Cycle) sourcesAt(ctx context.Context, m usage.Month, at time.Time) (sources, error) {
	q := sqlc.New(c.db.Read())
	rows, err := q.SnapshotsAt(ctx, sqlc.SnapshotsAtParams{At: store.Micros(at), FirstDay: string(m.First()), LastDay: string(m.Last()), Month: string(m)})
	if err != nil {
		return sources{}, fmt.Errorf("snapshots of %s: %w", m, err)
	}
	for i, r := range rows {
		if r.DroppedAt == 0 {
			continue
		}
		rows[i].ID, err = q.SnapshotInPlace(ctx, sqlc.SnapshotInPlaceParams{Partner: r.Partner, Feed: r.Feed, Invoice: r.Invoice, Month: r.Month, Currency: r.Currency})
		if err != nil {
			return sources{}, fmt.Errorf("snapshots of %s: %w", m, err)
		}
	}
	return sourcesIn(rows, m), nil
}
