package invoice

import (
	"slices"

	"causeway/internal/money"
	"causeway/internal/usage"
)

// Line puts an adjustment on an invoice. It has no cost at Microsoft: what one
// account gains the other gives, so it is margin of both, which sums to zero.
func (a Adjustment) Line(id string, m usage.Month, cost money.Currency) Line {
	p := zeroParts(a.Amount.Currency(), cost)
	p.Amount, p.Margin = a.Amount, a.Amount
	return Line{
		ID: id, Label: a.Memo, Kind: LineAdjustment, Month: m, Settles: money.Zero(cost), Details: []Detail{{Service: a.Memo, Parts: p}},
		Exact: p, Rounding: money.Zero(a.Amount.Currency()), Amount: a.Amount,
	}
}

// Compose makes a draft of its head and lines: taxes of the day of issue, totals,
// notes; and checks that it adds up.
func Compose(head Document, lines []Line, day usage.Day, rules []TaxRule) (Document, error) {
	d := head
	d.Status, d.Lines = Draft, lines
	taxes, notes, err := Taxes(d.Seller, d.Buyer, lines, day, rules)
	if err != nil {
		return d, err
	}
	d.Taxes, d.Notes = taxes, slices.Clone(notes)
	if d, err = d.Totalled(); err != nil {
		return d, err
	}
	return d, d.Check()
}
