package invoice

import (
	"cmp"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"
)

// Labels are the brand's words for the one line of usage, and for its correction.
type Labels struct {
	Line string // "Integrated Azure Services Usage"
	Late string // "Update to previous month"
}

// Bill is what is billed of one service month.
type Bill struct {
	Month    usage.Month
	Charges  []rating.Charge // the whole month as it is known now
	Estimate bool            // known from unbilled data only
	Split    []rating.Line   // the lines of the price list; none = one line
	Billed   []Line          // what documents said before of the same month; none = the first time
}

// Lines makes the lines of a service month. The first time these are its charges.
// After that they are corrections: the month as it is now, less what was billed, so
// that all documents of a month add up to the month rounded once. A correction of
// nothing is left out.
func Lines(b Bill, labels Labels, c money.Currency) ([]Line, error) {
	now, err := collect(b)
	if err != nil {
		return nil, err
	}
	before := map[string][]Line{}
	for _, l := range b.Billed {
		if l.Month != b.Month {
			return nil, fault.New(fault.Invalid, "line %s is of %s, not of %s", l.ID, l.Month, b.Month)
		}
		before[l.ID] = append(before[l.ID], l)
		if _, ok := now[l.ID]; !ok { // billed, and now there is nothing of it
			now[l.ID] = &gathered{id: l.ID, label: l.Label, kind: l.Kind, class: l.TaxClass, details: map[place]Parts{}}
		}
	}
	var lines []Line
	for id, g := range now {
		l, err := g.line(b, labels, c, before[id])
		if err != nil {
			return nil, err
		}
		first := len(b.Billed) == 0
		if first || slices.ContainsFunc(l.Details, func(d Detail) bool { return !d.isZero() }) || !l.Amount.IsZero() || !l.Settles.IsZero() {
			lines = append(lines, l)
		}
	}
	slices.SortFunc(lines, func(a, b Line) int { return cmp.Or(order(a)-order(b), strings.Compare(a.ID, b.ID)) })
	return lines, nil
}

// order puts usage before its corrections before fees before support.
func order(l Line) int {
	return slices.Index([]LineKind{LineUsage, LineUpdate, LineKind(rating.KindMinimum), LineKind(rating.KindFee), LineKind(rating.KindSupport), LineAdjustment}, l.Kind)
}

// place is what a detail is about.
type place struct{ tenant, entitlement, service, region string }

type gathered struct {
	id, label string
	kind      LineKind
	class     string
	details   map[place]Parts
	terms     []rating.Ref
}

func collect(b Bill) (map[string]*gathered, error) {
	lines := map[string]*gathered{}
	for _, c := range b.Charges {
		if c.Group.Day.Month() != b.Month {
			return nil, fault.New(fault.Invalid, "a charge of %s is not of %s", c.Group.Day, b.Month)
		}
		g, ok := lines[c.Line]
		if !ok {
			g = &gathered{id: c.Line, label: c.Label, kind: LineKind(c.Kind), class: c.Line, details: map[place]Parts{}}
			lines[c.Line] = g
		}
		if !slices.Contains(g.terms, c.Terms) {
			g.terms = append(g.terms, c.Terms)
		}
		at := place{c.Group.Tenant, c.Group.Entitlement, Service(c), c.Group.Region}
		p := Parts{Amount: c.Sell, Cost: c.Cost, Sold: c.SoldCost, Margin: c.Margin, Earned: c.Earned, Gain: c.Gain}
		if sum, ok := g.details[at]; ok {
			var err error
			if p, err = sum.plus(p); err != nil {
				return nil, err
			}
		}
		g.details[at] = p
	}
	return lines, nil
}

// Service is the name that a customer knows a charge by.
func Service(c rating.Charge) string {
	g := c.Group
	return cmp.Or(c.Label, g.Category, g.Service, g.MeterName, g.Publisher, g.Product, "Other")
}

func (g *gathered) line(b Bill, labels Labels, c money.Currency, before []Line) (Line, error) {
	l := Line{ID: g.id, Label: g.label, Kind: g.kind, Month: b.Month, TaxClass: g.class, Estimate: b.Estimate, Terms: g.terms}
	if g.id == rating.OneLine {
		l.Label = labels.Line
	}
	late := labels.Late + " " + strings.TrimPrefix(l.Label, labels.Late+" ")
	if i := slices.IndexFunc(b.Split, func(s rating.Line) bool { return s.ID == g.id }); i >= 0 {
		l.Label, late = b.Split[i].Label, b.Split[i].Late
	}
	slices.SortFunc(l.Terms, func(a, b rating.Ref) int {
		return cmp.Or(strings.Compare(a.List, b.List), cmp.Compare(a.Version, b.Version))
	})
	billed, cost := money.Zero(c), g.costCurrency(before, c)
	l.Settles = money.Zero(cost)
	details, places := map[place]Parts{}, []place{}
	put := func(at place, p Parts) error {
		sum, ok := details[at]
		if !ok {
			sum, places = zeroParts(c, cost), append(places, at)
		}
		sum, err := sum.plus(p)
		details[at] = sum
		return err
	}
	for at, p := range g.details {
		if err := put(at, p); err != nil {
			return l, err
		}
	}
	estimated := money.Zero(cost)
	for _, old := range before {
		for _, d := range old.Details {
			if err := put(place{d.Tenant, d.Entitlement, d.Service, d.Region}, d.neg()); err != nil {
				return l, err
			}
		}
		var err error
		if billed, err = billed.Add(old.Amount); err != nil {
			return l, err
		}
		if old.Estimate {
			if estimated, err = estimated.Add(old.Exact.Cost); err != nil {
				return l, err
			}
		}
		if estimated, err = estimated.Sub(old.Settles); err != nil {
			return l, err
		}
	}
	if !b.Estimate {
		l.Settles = estimated // all that earlier lines took from estimates and no line settled yet
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(strings.Compare(a.entitlement, b.entitlement), strings.Compare(a.service, b.service), strings.Compare(a.region, b.region), strings.Compare(a.tenant, b.tenant))
	})
	l.Exact = zeroParts(c, cost)
	whole := money.Zero(c) // the month as it is now
	for _, p := range g.details {
		var err error
		if whole, err = whole.Add(p.Amount); err != nil {
			return l, err
		}
	}
	for _, at := range places {
		p := details[at]
		if len(before) > 0 && p.isZero() {
			continue // unchanged
		}
		l.Details = append(l.Details, Detail{Tenant: at.tenant, Entitlement: at.entitlement, Service: at.service, Region: at.region, Parts: p})
		var err error
		if l.Exact, err = l.Exact.plus(p); err != nil {
			return l, err
		}
	}
	if len(l.Details) == 0 {
		l.Details = []Detail{{Service: "No change", Parts: zeroParts(c, cost)}}
	}
	if len(b.Billed) > 0 {
		l.Label, l.Kind = late, LineUpdate
	}
	rounded, err := coin(whole)
	if err != nil {
		return l, err
	}
	if l.Amount, err = rounded.Sub(billed); err != nil {
		return l, err
	}
	l.Rounding, err = l.Amount.Sub(l.Exact.Amount)
	return l, err
}

// costCurrency is the one that Microsoft bills this line in.
func (g *gathered) costCurrency(before []Line, c money.Currency) money.Currency {
	for _, p := range g.details {
		return p.Cost.Currency()
	}
	for _, l := range before {
		return l.Exact.Cost.Currency()
	}
	return c
}
