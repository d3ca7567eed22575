package billing

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/billing/sqlc"
	"causeway/internal/money"
	"causeway/internal/store"
)

// The two bridges that are kept of each invoice of Microsoft.
const (
	bridgeEstimate = "estimate" // from the last estimate to the daily usage that was billed
	bridgeInvoice  = "invoice"  // from the daily usage to the invoice's total
)

// Cause is all differences of one class: of an account, or of the invoice as a whole.
type Cause struct {
	Bridge  string       `json:"bridge"`
	Account string       `json:"account"` // "" = nobody's, or the invoice's
	Class   Class        `json:"class"`
	Amount  money.Amount `json:"amount"`
	Things  int64        `json:"things"` // how many differences
	Largest []Difference `json:"largest"`
}

// evidence is how many differences are kept in full, of each class and account; of
// what has no cause all are.
const evidence = 5

type causeOf struct {
	account string
	class   Class
}

// causes adds differences up.
type causes map[causeOf]*Cause

func (c causes) add(account string, d Difference) error {
	if d.Amount.IsZero() {
		return nil
	}
	k := causeOf{account, d.Class}
	x, ok := c[k]
	if !ok {
		x = &Cause{Account: account, Class: d.Class, Amount: money.Zero(d.Amount.Currency())}
		c[k] = x
	}
	x.Things++
	x.Largest = append(x.Largest, d)
	if len(x.Largest) > 50 && d.Class != Unclassified {
		x.cut()
	}
	return plus(&x.Amount, d.Amount)
}

func (x *Cause) cut() {
	slices.SortStableFunc(x.Largest, func(a, b Difference) int {
		return cmp.Or(b.Amount.Decimal().Abs().Cmp(a.Amount.Decimal().Abs()), strings.Compare(a.Where, b.Where))
	})
	if x.Class != Unclassified && len(x.Largest) > evidence {
		x.Largest = x.Largest[:evidence]
	}
}

func (c causes) list() []Cause {
	var all []Cause
	for _, x := range c {
		x.cut()
		all = append(all, *x)
	}
	slices.SortFunc(all, func(a, b Cause) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(string(a.Class), string(b.Class)))
	})
	return all
}

func keepCauses(ctx context.Context, tx *store.Tx, invoice, bridge string, list []Cause) error {
	q := sqlc.New(tx)
	if err := q.ForgetDifferences(ctx, sqlc.ForgetDifferencesParams{Invoice: invoice, Bridge: bridge}); err != nil {
		return fmt.Errorf("differences of %s: %w", invoice, err)
	}
	for _, x := range list {
		body, err := json.Marshal(x.Largest)
		if err == nil {
			err = q.AddDifference(ctx, sqlc.AddDifferenceParams{
				Invoice: invoice, Bridge: bridge, Account: x.Account, Class: string(x.Class), Currency: string(x.Amount.Currency()), Amount: x.Amount.Text(), Things: x.Things, Evidence: string(body),
			})
		}
		if err != nil {
			return fmt.Errorf("differences of %s: %w", invoice, err)
		}
	}
	return nil
}

// Causes gives both bridges of an invoice of Microsoft.
func (c *Cycle) Causes(ctx context.Context, invoice string) ([]Cause, error) {
	rows, err := sqlc.New(c.db.Read()).DifferencesOf(ctx, invoice)
	if err != nil {
		return nil, fmt.Errorf("differences of %s: %w", invoice, err)
	}
	all := make([]Cause, len(rows))
	for i, r := range rows {
		all[i] = Cause{Bridge: r.Bridge, Account: r.Account, Class: Class(r.Class), Things: r.Things}
		if all[i].Amount, err = money.FromText(r.Amount, r.Currency); err == nil {
			err = json.Unmarshal([]byte(r.Evidence), &all[i].Largest)
		}
		if err != nil {
			return nil, fmt.Errorf("differences of %s: %w", invoice, err)
		}
	}
	return all, nil
}
