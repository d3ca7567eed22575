package rating

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/money"
	"causeway/internal/usage"
)

// AccountMonth is all usage of one account in one month, to be priced once more.
type AccountMonth struct {
	Account string
	Month   usage.Month
	Groups  []usage.Group
}

// Row is one account in the lab, over all months that were replayed.
type Row struct {
	Account     string       `json:"account"`
	Old         money.Amount `json:"old"`
	Draft       money.Amount `json:"draft"`
	More        money.Amount `json:"more"` // draft − old: above zero the account pays more
	OldMargin   money.Amount `json:"old_margin"`
	DraftMargin money.Amount `json:"draft_margin"` // with the earned credit kept and the gain by exchange
}

// Lab is what a draft list would have made of past months.
type Lab struct {
	Rows  []Row   `json:"rows"` // who pays most more stands first
	Total Row     `json:"total"`
	Below []Below `json:"below"` // what the draft sells for less than it costs
}

// Compare replays months with the terms that held and with a draft, by the same
// function that bills: to the last digit what the invoices would have been.
func Compare(months []AccountMonth, old func(AccountMonth) []Terms, draft Terms) (Lab, error) {
	zero := money.Zero(draft.Currency)
	empty := func(name string) Row { return Row{name, zero, zero, zero, zero, zero} }
	rows, lab := map[string]*Row{}, Lab{Total: empty("")}
	var sample []Charge
	for _, m := range months {
		r, ok := rows[m.Account]
		if !ok {
			made := empty(m.Account)
			r = &made
			rows[m.Account] = r
		}
		before, err := Month(m.Month, m.Groups, old(m))
		if err != nil {
			return Lab{}, fmt.Errorf("account %s, %s, as it was: %w", m.Account, m.Month, err)
		}
		after, err := Month(m.Month, m.Groups, []Terms{draft})
		if err != nil {
			return Lab{}, fmt.Errorf("account %s, %s, with the draft: %w", m.Account, m.Month, err)
		}
		sample = append(sample, after...)
		for _, to := range []*Row{r, &lab.Total} {
			if err := to.sum(before, after); err != nil {
				return Lab{}, err
			}
		}
	}
	for _, r := range rows {
		lab.Rows = append(lab.Rows, *r)
	}
	slices.SortFunc(lab.Rows, func(a, b Row) int {
		return cmp.Or(b.More.Decimal().Cmp(a.More.Decimal()), strings.Compare(a.Account, b.Account))
	})
	var err error
	lab.Below, err = below(sample)
	return lab, err
}

func (r *Row) sum(before, after []Charge) error {
	for _, side := range []struct {
		charges      []Charge
		sell, margin *money.Amount
	}{{before, &r.Old, &r.OldMargin}, {after, &r.Draft, &r.DraftMargin}} {
		for _, c := range side.charges {
			if err := add(side.sell, c.Sell); err != nil {
				return err
			}
			for _, a := range []money.Amount{c.Margin, c.Earned, c.Gain} {
				if err := add(side.margin, a); err != nil {
					return err
				}
			}
		}
	}
	more, err := r.Draft.Sub(r.Old)
	r.More = more
	return err
}

// losses rates a sample month by month, as if it were one account's.
func losses(sample []usage.Group, t Terms) ([]Below, error) {
	months := map[usage.Month][]usage.Group{}
	for _, g := range sample {
		months[g.Day.Month()] = append(months[g.Day.Month()], g)
	}
	var all []Charge
	for m, groups := range months {
		charges, err := Month(m, groups, []Terms{t})
		if err != nil {
			return nil, err
		}
		all = append(all, charges...)
	}
	return below(all)
}

// below adds up cost and price per rule and meter and keeps where at least the
// smallest coin is missing.
func below(charges []Charge) ([]Below, error) {
	type key struct{ rule, meter string }
	sums := map[key]*Below{}
	for _, c := range charges {
		if c.Kind != KindUsage {
			continue
		}
		k := key{c.Rule, c.Group.Meter}
		b, ok := sums[k]
		if !ok {
			b = &Below{Rule: c.Rule, Meter: c.Group.Meter, Name: c.Group.MeterName, Cost: money.Zero(c.Sell.Currency()), Sell: money.Zero(c.Sell.Currency())}
			sums[k] = b
		}
		b.Name = min(b.Name, c.Group.MeterName)
		if err := add(&b.Cost, c.SoldCost); err != nil {
			return nil, err
		}
		if err := add(&b.Sell, c.Sell); err != nil {
			return nil, err
		}
	}
	var list []Below
	for _, b := range sums {
		loss, err := b.Cost.Sub(b.Sell)
		if err != nil {
			return nil, err
		}
		if coins := loss.Decimal().Shift(loss.Currency().Minor()).Truncate(0); coins.Sign() > 0 {
			list = append(list, *b)
		}
	}
	slices.SortFunc(list, func(a, b Below) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Meter, b.Meter))
	})
	return list, nil
}
