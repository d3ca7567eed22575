package billing

import (
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
)

// Paid is what a month comes to on invoices: each of its lines rounded once, as
// invoices do; and the sum of these roundings.
func (m AccountMonth) Paid() (paid, rounding money.Amount, err error) {
	lines := map[string]money.Amount{}
	for _, c := range m.Cells {
		sum, ok := lines[c.Line]
		if !ok {
			sum = money.Zero(m.Currency)
		}
		if err := plus(&sum, c.Sell); err != nil {
			return paid, rounding, err
		}
		lines[c.Line] = sum
	}
	paid, rounding = money.Zero(m.Currency), money.Zero(m.Currency)
	for _, exact := range lines {
		coins, err := exact.Round(invoice.Rounding, m.Currency.Minor())
		if err != nil {
			return paid, rounding, err
		}
		if err := plus(&paid, coins); err != nil {
			return paid, rounding, err
		}
		for _, a := range []money.Amount{coins, exact.Neg()} {
			if err := plus(&rounding, a); err != nil {
				return paid, rounding, err
			}
		}
	}
	return paid, rounding, nil
}

// Line is a month that has no invoice yet as one line of it, with its details.
func (m AccountMonth) Line(label string) (invoice.Line, error) {
	l := invoice.Line{ID: rating.OneLine, Label: label, Kind: invoice.LineUsage, Month: m.Month, Estimate: !m.Billed, Exact: invoice.Parts{Amount: m.Sell}}
	type place struct{ tenant, entitlement, service, region string }
	at := map[place]int{}
	for _, c := range m.Cells {
		k := place{c.Tenant, c.Entitlement, c.Category, c.Region}
		i, ok := at[k]
		if !ok {
			i = len(l.Details)
			at[k] = i
			l.Details = append(l.Details, invoice.Detail{Tenant: c.Tenant, Entitlement: c.Entitlement, Service: c.Category, Region: c.Region, Parts: invoice.Parts{Amount: money.Zero(m.Currency)}})
		}
		if err := plus(&l.Details[i].Amount, c.Sell); err != nil {
			return l, err
		}
	}
	var err error
	l.Amount, l.Rounding, err = m.Paid()
	return l, err
}
