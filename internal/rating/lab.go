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

// Replay gives past usage, each account's month by itself and in any order, and ends
// with the first error. All of it may be more than fits into memory.
type Replay func(each func(AccountMonth) error) error

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
func Compare(replay Replay, old func(AccountMonth) ([]Terms, error), draft Terms) (Lab, error) {
	zero := money.Zero(draft.Currency)
	empty := func(name string) Row { return Row{name, zero, zero, zero, zero, zero} }
	rows, lab, sold := map[string]*Row{}, Lab{Total: empty("")}, sales{}
	if err := replay(func(m AccountMonth) error {
		r, ok := rows[m.Account]
		if !ok {
			made := empty(m.Account)
			r = &made
			rows[m.Account] = r
		}
		held, err := old(m)
		if err != nil {
			return err
		}
		before, err := Month(m.Month, m.Groups, held)
		if err != nil {
			return fmt.Errorf("account %s, %s, as it was: %w", m.Account, m.Month, err)
		}
		after, err := Month(m.Month, m.Groups, []Terms{draft})
		if err != nil {
			return fmt.Errorf("account %s, %s, with the draft: %w", m.Account, m.Month, err)
		}
		for _, to := range []*Row{r, &lab.Total} {
			if err := to.sum(before, after); err != nil {
				return err
			}
		}
		return sold.add(after)
	}); err != nil {
		return Lab{}, err
	}
	for _, r := range rows {
		lab.Rows = append(lab.Rows, *r)
	}
	slices.SortFunc(lab.Rows, func(a, b Row) int {
		return cmp.Or(b.More.Decimal().Cmp(a.More.Decimal()), strings.Compare(a.Account, b.Account))
	})
	var err error
	lab.Below, err = sold.below()
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

// sales are cost and price by rule and meter.
type sales map[sale]*Below

type sale struct{ rule, meter string }

func (s sales) add(charges []Charge) error {
	for _, c := range charges {
		if c.Kind != KindUsage {
			continue
		}
		k := sale{c.Rule, c.Group.Meter}
		b, ok := s[k]
		if !ok {
			b = &Below{Rule: c.Rule, Meter: c.Group.Meter, Name: c.Group.MeterName, Cost: money.Zero(c.Sell.Currency()), Sell: money.Zero(c.Sell.Currency())}
			s[k] = b
		}
		b.Name = min(b.Name, c.Group.MeterName)
		if err := add(&b.Cost, c.SoldCost); err != nil {
			return err
		}
		if err := add(&b.Sell, c.Sell); err != nil {
			return err
		}
	}
	return nil
}

// below are the sales where at least the smallest coin is missing.
func (s sales) below() ([]Below, error) {
	var list []Below
	for _, b := range s {
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
