package rating

import (
	"causeway/internal/money"

	"github.com/shopspring/decimal"
)

// A count has reached `before`; what is a further amount of it worth? Graduated
// tiers are the difference of one curve at two places, so that a refund (a negative
// amount) takes off what it had cost, and the parts of a month always add up to
// the curve at its total, whatever their order.

// factor is what one unit gives in a step: its price, or for money 1 + percent.
func (s Step) factor(of Measure) decimal.Decimal {
	if of == OfMoney {
		return hundred.Add(s.Percent).Shift(-2)
	}
	return s.Price
}

// graduated cuts [before, before+amount) at the tiers' bounds.
func (t Tiers) graduated(before, amount decimal.Decimal, give func(decimal.Decimal) (money.Amount, error)) ([]Part, error) {
	lo, hi := before, before.Add(amount)
	sign := decimal.NewFromInt(1)
	if hi.LessThan(lo) {
		lo, hi, sign = hi, lo, decimal.NewFromInt(-1)
	}
	var parts []Part
	floor := decimal.Decimal{}
	for i, s := range t.Steps {
		from, to := decimal.Max(lo, floor), hi
		if i == 0 {
			from = lo // below zero the first price holds
		}
		if s.UpTo != nil {
			to = decimal.Min(hi, *s.UpTo)
			floor = *s.UpTo
		}
		if !to.GreaterThan(from) {
			continue
		}
		of := to.Sub(from).Mul(sign)
		gives, err := give(of.Mul(s.factor(t.Of)))
		if err != nil {
			return nil, err
		}
		parts = append(parts, Part{Of: of, Price: s.factor(t.Of), Gives: gives})
	}
	return parts, nil
}

// volume prices an amount at the step that the month's total reached.
func (t Tiers) volume(total, amount decimal.Decimal, give func(decimal.Decimal) (money.Amount, error)) ([]Part, error) {
	for _, s := range t.Steps {
		if s.UpTo != nil && total.GreaterThan(*s.UpTo) {
			continue
		}
		gives, err := give(amount.Mul(s.factor(t.Of)))
		return []Part{{Of: amount, Price: s.factor(t.Of), Gives: gives}}, err
	}
	return nil, nil // a saved list ends with a step that has no bound
}

// Graduated is the graduated share of a spend, e.g. the support charge: percent of
// each part of it. It is not rounded; a spend below zero gives nothing.
func (s Support) Graduated(spend money.Amount) (money.Amount, []Part, error) {
	give := func(d decimal.Decimal) (money.Amount, error) { return money.Exact(d, spend.Currency()) }
	sum := money.Zero(spend.Currency())
	if spend.Sign() <= 0 {
		return sum, nil, nil
	}
	steps := make([]Step, len(s.Steps))
	for i, t := range s.Steps {
		steps[i] = Step{UpTo: t.UpTo, Price: t.Percent.Shift(-2)} // a share of the spend, not on top of it
	}
	parts, err := Tiers{Of: OfQuantity, Steps: steps}.graduated(decimal.Decimal{}, spend.Decimal(), give)
	if err != nil {
		return sum, nil, err
	}
	for _, p := range parts {
		if err := add(&sum, p.Gives); err != nil {
			return sum, nil, err
		}
	}
	if least, err := give(s.Minimum); err != nil {
		return sum, nil, err
	} else if order, err := sum.Cmp(least); err != nil {
		return sum, nil, err
	} else if order < 0 {
		return least, parts, nil
	}
	return sum, parts, nil
}
