// Package rating prices usage: what a group of records costs an account, and why.
// It reads nothing but its arguments, so any past bill can be worked out again from
// the lake and the terms of that day. It rounds nothing (invoice does, once a line),
// and it keeps nothing (price keeps the lists).
package rating

import (
	"fmt"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// Exchange is one rate of one month, and whose it is. It is stored with each charge.
type Exchange struct {
	From  money.Currency  `json:"from"`
	To    money.Currency  `json:"to"`
	Month usage.Month     `json:"month"`
	Rate  decimal.Decimal `json:"rate"`
	By    ExchangeBy      `json:"by"`
	Day   usage.Day       `json:"day"` // the day that the rate is of
}

// Ref names the version of the list that a charge was made with; the hash is of
// its content, so that a version that was changed afterwards shows.
type Ref struct {
	List    string `json:"list"`
	Version int64  `json:"version"`
	Hash    string `json:"hash"`
}

// Terms are what holds for an account on the days From to To: a version of a price
// list, the currency, the partner's exchange rates.
type Terms struct {
	List     List           `json:"list"`
	Currency money.Currency `json:"currency"` // the account's
	Exchange []Exchange     `json:"exchange,omitempty"`
	From     usage.Day      `json:"from"` // "" = always
	To       usage.Day      `json:"to"`   // last day, "" = still
}

// Kind is what a charge is for.
type Kind string

// What charges are for.
const (
	KindUsage   Kind = "usage"
	KindFee     Kind = "fee"
	KindMinimum Kind = "minimum"
	KindSupport Kind = "support"
)

// Part is one tier of a charge: this much of it at this price or percent.
type Part struct {
	Of    decimal.Decimal `json:"of"` // units, or money of the base
	Price decimal.Decimal `json:"price"`
	Gives money.Amount    `json:"gives"`
}

// Charge is the price of one group, and how it came about. Always, exactly:
//
//	Sell = SoldCost + Margin + Earned + Gain
type Charge struct {
	Kind  Kind        `json:"kind"`
	Group usage.Group `json:"group"` // of a fee: only the day and the currencies
	Line  string      `json:"line"`  // the invoice line, see List.Lines
	Label string      `json:"label,omitempty"`
	Rule  string      `json:"rule"`
	Base  Base        `json:"base,omitempty"`
	Terms Ref         `json:"terms"`
	Rate  Exchange    `json:"rate"`
	Parts []Part      `json:"parts,omitempty"`

	Cost     money.Amount `json:"cost"`      // as Microsoft sent it, in its billing currency
	SoldCost money.Amount `json:"sold_cost"` // the same in the account's currency
	Sell     money.Amount `json:"sell"`      // what the account pays, exact
	Margin   money.Amount `json:"margin"`    // by mark-up, discount and unit prices
	Earned   money.Amount `json:"earned"`    // earned credit that the partner keeps
	Gain     money.Amount `json:"gain"`      // by the partner's exchange rate instead of Microsoft's
}

// prices is a list made ready for many groups.
type prices struct {
	list  List
	ref   Ref
	terms Terms
	rules []priced
	lines []split
}

type priced struct {
	Rule
	conditions map[string]dimension
}

type split struct {
	Line
	conditions map[string]dimension
}

func ready(t Terms) (*prices, error) {
	if t.Currency != t.List.Currency {
		return nil, fault.New(fault.Invalid, "price list %s is in %s, the account in %s", t.List.ID, t.List.Currency, t.Currency)
	}
	hash, err := t.List.Hash()
	if err != nil {
		return nil, err
	}
	p := &prices{list: t.List, ref: Ref{t.List.ID, t.List.Version, hash}, terms: t}
	for _, r := range t.List.Rules {
		p.rules = append(p.rules, priced{r, r.Match.conditions()})
	}
	for _, l := range t.List.Lines {
		p.lines = append(p.lines, split{l, l.Match.conditions()})
	}
	return p, nil
}

// Rate prices one group of usage. A rule with tiers needs the whole month (Month):
// here it is refused, because the price of a group depends on what came before.
func Rate(g usage.Group, t Terms) (Charge, error) {
	p, err := ready(t)
	if err != nil {
		return Charge{}, err
	}
	if !t.on(g.Day) {
		return Charge{}, fault.New(fault.Invalid, "these terms hold from %s to %s, the usage is of %s", t.From, t.To, g.Day)
	}
	w, err := p.weigh(&g)
	if err != nil {
		return Charge{}, err
	}
	if w.rule.Tiers != nil {
		return Charge{}, fault.New(fault.Invalid, "rule %s counts over the month: rate the whole month", w.rule.ID)
	}
	return p.charge(&w, nil)
}

func (t Terms) on(d usage.Day) bool { return d >= t.From && (t.To == "" || d <= t.To) }

// weighed is a group with its rule, and its amounts in the account's currency.
type weighed struct {
	group             *usage.Group
	rule              *priced
	line              string
	rate              Exchange
	list, gross, cost money.Amount // in the account's currency, at the list's rate
	gain              struct{ list, gross, cost money.Amount }
}

func (p *prices) weigh(g *usage.Group) (weighed, error) {
	w := weighed{group: g}
	err := g.Check()
	if err != nil {
		return w, err
	}
	if w.rule, err = p.rule(g.Key); err != nil {
		return w, err
	}
	if w.line, err = p.line(g.Key); err != nil {
		return w, err
	}
	zero := money.Zero(p.terms.Currency)
	w.gain.list, w.gain.gross, w.gain.cost = zero, zero, zero
	if p.list.Exchange != ByPartner {
		if g.Currency != p.terms.Currency {
			return w, fault.New(fault.Invalid, "usage is in %s, terms are in %s: price list %s needs the partner's exchange rate", g.Currency, p.terms.Currency, p.list.ID)
		}
		w.rate = Exchange{From: g.PricingCurrency, To: g.Currency, Month: g.Day.Month(), Rate: g.Rate, By: ByMicrosoft, Day: g.Day.Month().First()}
		w.list, w.gross, w.cost = g.List, g.Gross, g.Cost
		return w, nil
	}
	if w.rate, err = p.terms.rate(g); err != nil {
		return w, err
	}
	to := func(a money.Amount) (money.Amount, error) {
		return money.Exact(a.Decimal().Mul(w.rate.Rate), p.terms.Currency)
	}
	for _, c := range []struct {
		priced, billed money.Amount
		sold, gain     *money.Amount
	}{{g.PricedList, g.List, &w.list, &w.gain.list}, {g.PricedGross, g.Gross, &w.gross, &w.gain.gross}, {g.PricedCost, g.Cost, &w.cost, &w.gain.cost}} {
		if *c.sold, err = to(c.priced); err != nil {
			return w, err
		}
		if g.Currency != p.terms.Currency {
			continue // the cost is in another currency: the difference shows where that is bought (ledger, currency)
		}
		if *c.gain, err = c.sold.Sub(c.billed); err != nil {
			return w, err
		}
	}
	return w, nil
}

// rate is the partner's rate for the group's month, from the pricing currency.
func (t Terms) rate(g *usage.Group) (Exchange, error) {
	month := g.Day.Month()
	if g.PricingCurrency == t.Currency {
		return Exchange{From: t.Currency, To: t.Currency, Month: month, Rate: decimal.NewFromInt(1), By: ByPartner, Day: month.First()}, nil
	}
	for _, x := range t.Exchange {
		if x.From == g.PricingCurrency && x.To == t.Currency && x.Month == month {
			if x.Rate.Sign() <= 0 {
				return Exchange{}, fault.New(fault.Invalid, "the rate from %s to %s for %s is not positive", x.From, x.To, month)
			}
			x.By = ByPartner
			return x, nil
		}
	}
	return Exchange{}, fault.New(fault.Invalid, "there is no partner's rate from %s to %s for %s", g.PricingCurrency, t.Currency, month)
}

func (p *prices) line(g usage.Key) (string, error) {
	if len(p.lines) == 0 {
		return OneLine, nil
	}
	l, err := narrowest(p.lines, g, func(l *split) map[string]dimension { return l.conditions }, func(l *split) string { return "line " + l.ID })
	if err != nil {
		return "", err
	}
	if l == nil {
		return "", fault.New(fault.Invalid, "no line of price list %s, version %d, takes %s", p.list.ID, p.list.Version, describe(g))
	}
	return l.ID, nil
}

var hundred = decimal.NewFromInt(100)

// percent gives p percent of a, exactly.
func percent(a money.Amount, p decimal.Decimal) money.Amount { return a.Times(p.Shift(-2)) }

func (w *weighed) base() (sold, gain money.Amount) {
	switch w.rule.Base {
	case OnCost:
		return w.cost, w.gain.cost
	case OnGross:
		return w.gross, w.gain.gross
	}
	return w.list, w.gain.list
}

// charge works out the amounts of a group. tiers are the parts that the month's
// count gave; nil for a rule without tiers.
//
// Where the sale is in Microsoft's billing currency the cost is what was sent, to
// the last digit, and what the partner's own rate brings is its own amount (Gain).
func (p *prices) charge(w *weighed, tiers []Part) (Charge, error) {
	c := Charge{
		Kind: KindUsage, Group: *w.group, Line: w.line, Rule: w.rule.ID, Base: w.rule.Base, Terms: p.ref, Rate: w.rate, Parts: tiers,
		Cost: w.group.Cost, SoldCost: w.cost, Gain: money.Zero(p.terms.Currency),
	}
	if w.group.Currency == p.terms.Currency {
		c.SoldCost = w.group.Cost
	}
	unitPrice := w.rule.Tiers != nil && w.rule.Tiers.Of == OfQuantity
	base, gain := w.base()
	switch {
	case tiers != nil:
		c.Sell = money.Zero(p.terms.Currency)
		for _, part := range tiers {
			if err := add(&c.Sell, part.Gives); err != nil {
				return c, err
			}
		}
	case w.rule.Percent.IsZero():
		c.Sell = base
	default:
		c.Sell = base.Times(hundred.Add(w.rule.Percent).Shift(-2))
	}
	credit, err := w.gross.Sub(w.cost)
	if err != nil {
		return c, err
	}
	creditGain, err := w.gain.gross.Sub(w.gain.cost)
	if err != nil {
		return c, err
	}
	// The credit that Microsoft really gave, at its own rate where the currency is the same.
	kept := credit
	if w.group.Currency == p.terms.Currency {
		if kept, err = w.group.Earned(); err != nil {
			return c, err
		}
	}
	c.Earned = kept
	switch {
	case unitPrice: // the price is the price: no base, no credit to share, no rate
	case w.rule.Base == OnCost:
		c.Earned, c.Gain = money.Zero(p.terms.Currency), gain // the credit is passed on as it is
	case credit.IsZero() && creditGain.IsZero() && kept.IsZero():
		c.Gain = gain
	default:
		share := percent(credit, p.list.EarnedShare)
		if err := add(&c.Sell, share.Neg()); err != nil {
			return c, err
		}
		c.Gain = gain
		if err := add(&c.Gain, percent(creditGain, p.list.EarnedShare).Neg()); err != nil {
			return c, err
		}
		c.Earned = kept.Times(hundred.Sub(p.list.EarnedShare).Shift(-2))
	}
	c.Margin = c.Sell
	for _, a := range []money.Amount{c.SoldCost, c.Earned, c.Gain} {
		if c.Margin, err = c.Margin.Sub(a); err != nil {
			return c, fmt.Errorf("margin: %w", err)
		}
	}
	return c, nil
}

func add(sum *money.Amount, a money.Amount) error {
	s, err := sum.Add(a)
	if err != nil {
		return err
	}
	*sum = s
	return nil
}
