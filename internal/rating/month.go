package rating

import (
	"slices"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// Month prices all usage of one account in one UTC month, with the terms of each
// day; then the fees, minimums and support of the terms that hold on its last day.
// The order of the groups changes nothing: tiers count by service day.
func Month(m usage.Month, groups []usage.Group, terms []Terms) ([]Charge, error) {
	lists, err := readyAll(m, terms)
	if err != nil {
		return nil, err
	}
	sorted := usage.Sorted(groups)
	weighed := make([]weighed, len(sorted))
	on := make([]*prices, len(sorted))
	totals := map[counter]decimal.Decimal{}
	for i := range sorted {
		g := &sorted[i]
		if g.Day.Month() != m {
			return nil, fault.New(fault.Invalid, "usage of %s is not of %s", g.Day, m)
		}
		if on[i] = valid(lists, g.Day); on[i] == nil {
			return nil, fault.New(fault.Invalid, "no terms hold on %s", g.Day)
		}
		if weighed[i], err = on[i].weigh(g); err != nil {
			return nil, err
		}
		if c, measure, ok := weighed[i].counted(); ok {
			totals[c] = totals[c].Add(measure)
		}
	}
	charges := make([]Charge, 0, len(sorted))
	before := map[counter]decimal.Decimal{}
	for i := range weighed {
		w := &weighed[i]
		var parts []Part
		if c, measure, ok := w.counted(); ok {
			give := func(d decimal.Decimal) (money.Amount, error) { return money.Exact(d, on[i].terms.Currency) }
			if w.rule.Tiers.How == Volume {
				parts, err = w.rule.Tiers.volume(totals[c], measure, give)
			} else {
				parts, err = w.rule.Tiers.graduated(before[c], measure, give)
				before[c] = before[c].Add(measure)
			}
			if err != nil {
				return nil, err
			}
			if parts == nil {
				parts = []Part{} // counted, and nothing of it
			}
		}
		c, err := on[i].charge(w, parts)
		if err != nil {
			return nil, err
		}
		charges = append(charges, c)
	}
	if last := valid(lists, m.Last()); last != nil {
		return last.extras(m, charges)
	}
	return charges, nil
}

// counter is one count of a month: for quantities a meter and its unit, since
// hours and gigabytes do not add.
type counter struct{ rule, meter, unit string }

func (w *weighed) counted() (c counter, measure decimal.Decimal, ok bool) {
	switch {
	case w.rule.Tiers == nil:
		return c, measure, false
	case w.rule.Tiers.Of == OfQuantity:
		return counter{w.rule.ID, w.group.Meter, w.group.Unit}, w.group.Quantity, true
	}
	base, _ := w.base()
	return counter{rule: w.rule.ID}, base.Decimal(), true
}

func readyAll(m usage.Month, terms []Terms) ([]*prices, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	if len(terms) == 0 {
		return nil, fault.New(fault.Invalid, "there are no terms for %s", m)
	}
	lists := make([]*prices, len(terms))
	for i, t := range terms {
		var err error
		if lists[i], err = ready(t); err != nil {
			return nil, err
		}
		if t.Currency != terms[0].Currency {
			return nil, fault.New(fault.Invalid, "the terms of one month are in %s and %s", terms[0].Currency, t.Currency)
		}
	}
	slices.SortFunc(lists, func(a, b *prices) int {
		if a.terms.From < b.terms.From {
			return -1
		}
		return 1
	})
	for i := 1; i < len(lists); i++ {
		if to := lists[i-1].terms.To; to == "" || to >= lists[i].terms.From {
			return nil, fault.New(fault.Conflict, "two terms hold on %s: price list %s, version %d, and %s, version %d",
				lists[i].terms.From, lists[i-1].list.ID, lists[i-1].list.Version, lists[i].list.ID, lists[i].list.Version)
		}
	}
	return lists, nil
}

func valid(lists []*prices, d usage.Day) *prices {
	for _, p := range lists {
		if p.terms.on(d) {
			return p
		}
	}
	return nil
}

// extras adds what is charged by the month: fees, then minimums over the usage,
// then support over all of that.
func (p *prices) extras(m usage.Month, charges []Charge) ([]Charge, error) {
	sums := func(match Match) (sum money.Amount, any bool, err error) {
		sum, conditions := money.Zero(p.terms.Currency), match.conditions()
		for _, c := range charges {
			if c.Kind == KindUsage && holds(conditions, c.Group.Key) {
				any = true
				if err := add(&sum, c.Sell); err != nil {
					return sum, any, err
				}
			}
		}
		return sum, any, nil
	}
	var more []Charge
	extra := func(k Kind, id, label string, a money.Amount, parts []Part) {
		more = append(more, Charge{
			Kind: k, Line: id, Label: label, Rule: id, Terms: p.ref, Parts: parts,
			Group: usage.Group{Key: usage.Key{Day: m.Last(), Currency: p.terms.Currency, PricingCurrency: p.terms.Currency}},
			Cost:  money.Zero(p.terms.Currency), SoldCost: money.Zero(p.terms.Currency), Sell: a, Margin: a,
			Earned: money.Zero(p.terms.Currency), Gain: money.Zero(p.terms.Currency),
		})
	}
	for _, f := range p.list.Fees {
		_, any, err := sums(f.Match)
		if err != nil {
			return nil, err
		}
		amount, err := money.New(f.Amount, p.terms.Currency)
		if err != nil {
			return nil, err
		}
		if any || f.Always {
			extra(KindFee, f.ID, f.Label, amount, nil)
		}
	}
	for _, n := range p.list.Minimums {
		sum, any, err := sums(n.Match)
		if err != nil {
			return nil, err
		}
		least, err := money.New(n.Amount, p.terms.Currency)
		if err != nil {
			return nil, err
		}
		gap, err := least.Sub(sum)
		if err != nil {
			return nil, err
		}
		if any && gap.Sign() > 0 {
			extra(KindMinimum, n.ID, n.Label, gap, nil)
		}
	}
	charges = append(charges, more...)
	if s := p.list.Support; s != nil {
		spend := money.Zero(p.terms.Currency)
		for _, c := range charges {
			if err := add(&spend, c.Sell); err != nil {
				return nil, err
			}
		}
		amount, parts, err := s.Graduated(spend)
		if err != nil {
			return nil, err
		}
		if amount.Sign() > 0 {
			more = nil
			extra(KindSupport, s.ID, s.Label, amount, parts)
			charges = append(charges, more...)
		}
	}
	return charges, nil
}
