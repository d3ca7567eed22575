package billing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"causeway/internal/billing/sqlc"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// SharedReservation is a reservation whose buyer is credited with what other accounts
// use of it. Microsoft sends that usage without a price, so the partner says what a
// unit of it, such as an hour, is worth.
type SharedReservation struct {
	Order string       `json:"order"` // ReservationOrderId
	Buyer string       `json:"buyer"` // alias of the account that pays for the reservation
	Price money.Amount `json:"price"` // of a unit
}

func (s Setup) checkShared(refuse func(field, reason, remedy string, args ...any)) {
	seen := map[string]bool{}
	for _, r := range s.Shared {
		switch {
		case r.Order == "" || len(r.Order) > 100 || store.CheckText("order", r.Order+r.Buyer) != nil:
			refuse("shared", "A shared reservation has no order id.", "Give Microsoft's ReservationOrderId.")
		case seen[r.Order]:
			refuse("shared", "Reservation %s is there twice.", "Keep one of them.", r.Order)
		case r.Buyer == "":
			refuse("shared", "Reservation %s has no buyer.", "Give the alias of the account that pays for it.", r.Order)
		case r.Price.Sign() <= 0 || r.Price.Currency().Check() != nil:
			refuse("shared", "Reservation %s has no price of a unit.", "Give an amount above zero, with its currency.", r.Order)
		}
		seen[r.Order] = true
	}
}

// share puts on the drafts of a month what accounts use of each other's reservations,
// once a month of service, when its usage is final: the consumer pays what the buyer
// is credited with. Where one side is issued already, the other one follows it.
func (c *Cycle) share(ctx context.Context, closing usage.Month, setup Setup) error {
	if len(setup.Shared) == 0 {
		return nil
	}
	docs, err := c.invoicesOf(ctx, closing)
	if err != nil {
		return err
	}
	lines := map[int][]invoice.Line{} // new ones, by document
	for _, r := range setup.Shared {
		buyer := slices.IndexFunc(docs, func(d invoice.Document) bool {
			return d.Account == r.Buyer && d.CostCenter == "" && d.Currency == r.Price.Currency()
		})
		if buyer < 0 {
			continue // nobody to credit, so nobody to charge: the next draft looks again
		}
		for i, d := range docs {
			if d.Account == r.Buyer || d.Currency != r.Price.Currency() {
				continue
			}
			value, err := c.shared(ctx, r, docs[buyer], d)
			if err != nil {
				return err
			}
			if value.IsZero() {
				continue
			}
			pair, err := invoice.Shared(r.Buyer, d.Account, r.Order, value)
			if err != nil {
				return err
			}
			id := sharedLine(r.Order, d.Key)
			lines[buyer] = append(lines[buyer], pair[0].Line(id, closing, costOf(docs[buyer])))
			lines[i] = append(lines[i], pair[1].Line(id, closing, costOf(d)))
		}
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		for _, i := range slices.Sorted(maps.Keys(lines)) {
			if docs[i].Number != "" {
				continue
			}
			if err := c.adjust(ctx, tx, setup, docs[i], lines[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// sharedLine is the id of both lines of one use of a reservation.
func sharedLine(order, consumer string) string { return "shared:" + order + ":" + consumer }

// costOf is the currency that a document's costs are in.
func costOf(d invoice.Document) money.Currency {
	if len(d.Lines) > 0 {
		return d.Lines[0].Exact.Cost.Currency()
	}
	return d.Currency
}

// shared is what a document's account used of a reservation in the months that become
// final with it. What an issued document says holds.
func (c *Cycle) shared(ctx context.Context, r SharedReservation, buyer, d invoice.Document) (money.Amount, error) {
	zero := money.Zero(r.Price.Currency())
	for _, side := range []invoice.Document{d, buyer} {
		if side.Number == "" {
			continue
		}
		i := slices.IndexFunc(side.Lines, func(l invoice.Line) bool { return l.ID == sharedLine(r.Order, d.Key) })
		switch {
		case i < 0:
			return zero, nil
		case side.Account == r.Buyer:
			return side.Lines[i].Amount.Neg(), nil
		}
		return side.Lines[i].Amount, nil
	}
	own, err := c.AccountSetup(ctx, d.Account)
	if err != nil {
		return zero, err
	}
	used := decimal.Decimal{}
	for _, m := range finalMonths(d) {
		row, err := sqlc.New(c.db.Read()).GetCharge(ctx, sqlc.GetChargeParams{Account: d.Account, Month: string(m)})
		if err != nil {
			return zero, fmt.Errorf("charges of %s, %s: %w", d.Account, m, err)
		}
		var k kept
		if err := unpack(row.Body, &k); err != nil {
			return zero, fmt.Errorf("charges of %s, %s: %w", d.Account, m, err)
		}
		for _, x := range k.Covered {
			if strings.EqualFold(x.Order, r.Order) && own.CostCenters[x.Entitlement] == d.CostCenter {
				used = used.Add(x.Quantity)
			}
		}
	}
	return r.Price.Times(used).Round(money.HalfEven, r.Price.Currency().Minor())
}

// finalMonths are the months whose usage a document bills for good, or settles.
func finalMonths(d invoice.Document) []usage.Month {
	var all []usage.Month
	for _, l := range d.Lines {
		if !l.Estimate && (l.Kind == invoice.LineUsage || !l.Settles.IsZero()) && !slices.Contains(all, l.Month) {
			all = append(all, l.Month)
		}
	}
	return all
}

// invoicesOf are the invoices of a month, drafts and issued ones.
func (c *Cycle) invoicesOf(ctx context.Context, closing usage.Month) (all []invoice.Document, err error) {
	for after := invoice.ID(""); ; {
		page, err := c.book.OfMonth(ctx, closing, "", after, 500)
		if err != nil {
			return nil, err
		}
		for _, d := range page {
			if d.Kind == invoice.Invoice && (d.Status == invoice.Draft || d.Number != "") {
				all = append(all, d)
			}
			after = d.ID
		}
		if len(page) < 500 {
			slices.SortFunc(all, func(a, b invoice.Document) int { return strings.Compare(a.Key, b.Key) })
			return all, nil
		}
	}
}

// adjust puts adjustments on a draft, in place of those with the same ids.
func (c *Cycle) adjust(ctx context.Context, tx *store.Tx, setup Setup, d invoice.Document, more []invoice.Line) error {
	seller, err := setup.seller(d.Entity)
	if err != nil {
		return err
	}
	lines := slices.DeleteFunc(slices.Clone(d.Lines), func(l invoice.Line) bool {
		return slices.ContainsFunc(more, func(x invoice.Line) bool { return x.ID == l.ID })
	})
	if d, err = invoice.Compose(d, append(lines, more...), usage.DayOf(c.now()), seller.rules()); err != nil {
		return err
	}
	kept, err := c.book.Draft(ctx, tx, d)
	if err == nil && kept.Number != "" {
		err = fmt.Errorf("%s was issued while its adjustments were worked out: they are worked out anew", kept.Number)
	}
	return err
}
