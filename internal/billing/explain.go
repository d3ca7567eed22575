package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// Class is the cause of a difference.
type Class string

// Every cause that is known; what has none of them is Unclassified.
const (
	LateUsage    Class = "late usage"    // records of a day that came after its estimate
	Restatement  Class = "restatement"   // the same usage, counted or priced anew, or withdrawn
	RoundingOf   Class = "rounding"      // Microsoft's own digits: cost as sent, less priced × rate
	CurrencyOf   Class = "currency"      // another rate of the month
	EarnedCredit Class = "earned credit" // the partner's credit was won or lost
	Marketplace  Class = "marketplace"   // third parties' charges, which estimates do not carry
	Reservation  Class = "reservation"   // a reservation or savings plan was bought or applied
	TaxOf        Class = "tax"           // tax is in the invoice only
	CreditOf     Class = "credit"        // a credit of Microsoft, for an outage or by its Azure credit
	Transfer     Class = "transfer"      // the same usage, of another tenant or subscription
	Purchase     Class = "purchase"      // another charge that no daily usage has
	Unmapped     Class = "unmapped"      // usage that no account is known for
	Unclassified Class = "unclassified"
)

// Difference is one amount with its cause and what shows it.
type Difference struct {
	Class    Class        `json:"class"`
	Amount   money.Amount `json:"amount"` // after − before
	Where    string       `json:"where"`
	Evidence string       `json:"evidence"`
}

// identity is a thing that was used on a day: what stays the same when Microsoft
// prices it anew, credits it or applies a reservation to it.
type identity struct {
	tenant, entitlement                                string
	day                                                usage.Day
	meter, product, sku, region, unit, charge, service string
	third                                              bool
}

type known struct {
	rows                        int64
	quantity                    decimal.Decimal
	cost, priced, gross, list   money.Amount
	rate                        decimal.Decimal
	rates                       int // how many different rates
	credit, earned, reservation bool
	key                         usage.Key
}

// Explain gives the cause of every difference between two states of one month: the
// estimate and Microsoft's invoice, or two versions of either. The amounts add up to
// Σ cost after − Σ cost before, to the last digit. mapped tells whether an account is
// known for usage; nil = for all.
func Explain(before, after []usage.Group, mapped func(usage.Key) bool) ([]Difference, error) {
	old, err := sumUp(before)
	if err != nil {
		return nil, err
	}
	now, err := sumUp(after)
	if err != nil {
		return nil, err
	}
	var list []Difference
	moved := transfers(old, now)
	for id, n := range now {
		o, ok := old[id]
		switch {
		case ok:
			parts, err := restated(id, o, n)
			if err != nil {
				return nil, err
			}
			list = append(list, parts...)
		case mapped != nil && !mapped(n.key):
			list = append(list, Difference{Unmapped, n.cost, id.where(), "no account is known for this tenant and day"})
		case moved[id]:
			list = append(list, Difference{Transfer, n.cost, id.where(), "the same quantity was another tenant's or subscription's before"})
		default:
			list = append(list, appeared(id, n))
		}
	}
	for id, o := range old {
		if _, ok := now[id]; ok {
			continue
		}
		if moved[id] {
			list = append(list, Difference{Transfer, o.cost.Neg(), id.where(), "the same quantity is another tenant's or subscription's now"})
			continue
		}
		list = append(list, Difference{Restatement, o.cost.Neg(), id.where(), fmt.Sprintf("withdrawn: %s", records(o.rows))})
	}
	list = slices.DeleteFunc(list, func(d Difference) bool { return d.Amount.IsZero() })
	slices.SortFunc(list, func(a, b Difference) int {
		return cmp.Or(strings.Compare(string(a.Class), string(b.Class)), strings.Compare(a.Where, b.Where), strings.Compare(a.Evidence, b.Evidence))
	})
	return list, nil
}

func sumUp(groups []usage.Group) (map[identity]known, error) {
	all := map[identity]known{}
	for _, g := range groups {
		if err := g.Check(); err != nil {
			return nil, err
		}
		id := identity{g.Tenant, g.Entitlement, g.Day, g.Meter, g.Product, g.SKU, g.Region, g.Unit, strings.ToLower(g.ChargeType), cmp.Or(g.Service, g.Category), g.ThirdParty}
		k, ok := all[id]
		if !ok {
			k = known{cost: money.Zero(g.Currency), priced: money.Zero(g.PricingCurrency), gross: money.Zero(g.PricingCurrency), list: money.Zero(g.PricingCurrency), rate: g.Rate, rates: 1, key: g.Key}
		}
		for _, x := range []struct {
			sum *money.Amount
			a   money.Amount
		}{{&k.cost, g.Cost}, {&k.priced, g.PricedCost}, {&k.gross, g.PricedGross}, {&k.list, g.PricedList}} {
			if err := plus(x.sum, x.a); err != nil {
				return nil, err
			}
		}
		if !k.rate.Equal(g.Rate) {
			k.rates++
		}
		k.rows, k.quantity = k.rows+g.Rows, k.quantity.Add(g.Quantity)
		k.credit = k.credit || g.Credit == usage.CreditAzure
		k.earned = k.earned || g.Credit == usage.CreditEarned
		k.reservation = k.reservation || g.Reservation != "" || g.Benefit != ""
		all[id] = k
	}
	return all, nil
}

func (id identity) where() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %s %s", id.day, id.tenant, id.entitlement, id.service, id.meter, id.region)), " ")
}

// appeared is usage that was not there before.
func appeared(id identity, n known) Difference {
	d := Difference{LateUsage, n.cost, id.where(), fmt.Sprintf("%s of %s came after the estimate", records(n.rows), id.day)}
	switch {
	case id.third:
		d.Class, d.Evidence = Marketplace, "third parties' charges are in Microsoft's invoice only"
	case n.reservation:
		d.Class, d.Evidence = Reservation, "purchases of reservations are in Microsoft's invoice only"
	case isCredit(id.charge) || n.cost.Sign() < 0 && n.quantity.Sign() >= 0:
		d.Class, d.Evidence = CreditOf, "a credit of Microsoft"
	}
	return d
}

// isCredit tells whether Microsoft gives something back; the case of the word varies.
func isCredit(charge string) bool { return strings.EqualFold(charge, "customerCredit") }

// restated takes the change of one thing apart. With cost = priced × rate + digits:
//
//	Δcost = priced before × Δrate + Δpriced × rate after + Δdigits
//
// and Δpriced is what the credit changed, or a reservation, or the usage itself.
func restated(id identity, o, n known) ([]Difference, error) {
	where := id.where()
	whole, err := n.cost.Sub(o.cost)
	if err != nil {
		return nil, err
	}
	if o.rates > 1 || n.rates > 1 {
		return []Difference{{Unclassified, whole, where, "there is more than one exchange rate in a month"}}, nil
	}
	in := func(d decimal.Decimal) (money.Amount, error) {
		one, err := money.New(decimal.NewFromInt(1), whole.Currency())
		return one.Times(d), err
	}
	priced, now := o.priced.Decimal(), n.priced.Decimal()
	var list []Difference
	rest := whole
	take := func(c Class, amount decimal.Decimal, evidence string, args ...any) error {
		a, err := in(amount)
		if err != nil {
			return err
		}
		list = append(list, Difference{c, a, where, fmt.Sprintf(evidence, args...)})
		return plus(&rest, a.Neg())
	}
	digits := n.cost.Decimal().Sub(now.Mul(n.rate)).Sub(o.cost.Decimal().Sub(priced.Mul(o.rate)))
	// Records have up to ten decimals, in either currency: more than a last digit of each
	// is no rounding, whatever it is.
	if most := o.rate.Add(decimal.NewFromInt(1)).Mul(decimal.New(o.rows+n.rows, -10)); digits.Abs().GreaterThan(most) {
		if err := take(Unclassified, digits, "the cost as sent is not priced × rate: the records have %s, before %s", n.cost, o.cost); err != nil {
			return nil, err
		}
	} else if err := take(RoundingOf, digits, "the last digits of %s: cost as sent less priced × rate", records(o.rows+n.rows)); err != nil {
		return nil, err
	}
	if err := take(CurrencyOf, priced.Mul(n.rate.Sub(o.rate)), "the rate was %s and is %s", o.rate, n.rate); err != nil {
		return nil, err
	}
	credit := n.gross.Decimal().Sub(now).Sub(o.gross.Decimal().Sub(priced))
	if o.earned != n.earned || o.gross.Equal(n.gross) && o.earned {
		if err := take(EarnedCredit, credit.Neg().Mul(n.rate), "the earned credit was %s and is %s", o.gross.Decimal().Sub(priced), n.gross.Decimal().Sub(now)); err != nil {
			return nil, err
		}
	}
	if rest.IsZero() {
		return list, nil
	}
	last := Difference{Class: Restatement, Amount: rest, Where: where, Evidence: fmt.Sprintf("%s of %s, before %d of %s", records(n.rows), n.quantity, o.rows, o.quantity)}
	samePrice := n.list.Decimal().Mul(o.quantity).Equal(o.list.Decimal().Mul(n.quantity))
	switch {
	case o.reservation != n.reservation:
		last.Class = Reservation
	case o.credit != n.credit:
		last.Class = CreditOf
	case n.rows > o.rows && n.quantity.GreaterThan(o.quantity) && samePrice:
		last.Class, last.Evidence = LateUsage, fmt.Sprintf("%s more of %s, at the same price", records(n.rows-o.rows), id.day)
	}
	return append(list, last), nil
}

// transfers finds usage that left one tenant or subscription and is another's now:
// the same thing on the same day in the same quantity, and only one such pair.
func transfers(old, now map[identity]known) map[identity]bool {
	type pair struct{ gone, come []identity }
	pairs := map[string]*pair{}
	at := func(id identity, k known) *pair {
		id.tenant, id.entitlement = "", ""
		text := fmt.Sprintf("%v %s", id, k.quantity)
		if pairs[text] == nil {
			pairs[text] = &pair{}
		}
		return pairs[text]
	}
	for id, k := range old {
		if _, ok := now[id]; !ok {
			p := at(id, k)
			p.gone = append(p.gone, id)
		}
	}
	for id, k := range now {
		if _, ok := old[id]; !ok {
			p := at(id, k)
			p.come = append(p.come, id)
		}
	}
	moved := map[identity]bool{}
	for _, p := range pairs {
		if len(p.gone) == 1 && len(p.come) == 1 {
			moved[p.gone[0]], moved[p.come[0]] = true, true
		}
	}
	return moved
}

// records counts them, as evidence is read by people.
func records(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}
