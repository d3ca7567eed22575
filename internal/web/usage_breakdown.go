package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/billing"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/web/ui"
)

// part is what some cells have in common.
type part struct {
	name, sub string
	slice     billing.Slice
	rows      int64
	sell      money.Amount
}

// views are the ways in which a month can be cut.
var views = []struct{ key, label, head string }{{"service", "Service", "Service"}, {"provider", "Provider", "Provider"}, {"region", "Region", "Region"}, {"day", "Day", "Day (UTC)"}}

// cut groups the cells of a month, the dearest first; days in their order.
func (p payer) cut(m billing.AccountMonth, by string) ([]part, error) {
	found := map[string]*part{}
	for _, c := range m.Cells {
		x := part{name: c.Category, slice: billing.Slice{Category: c.Category}}
		switch {
		case by == "day":
			x = part{name: dayWord(c.Day), slice: billing.Slice{Day: c.Day}}
		case c.Kind != rating.KindUsage:
			x.sub = map[rating.Kind]string{rating.KindFee: "a fee of the month", rating.KindMinimum: "up to the agreed minimum", rating.KindSupport: "a share of the month"}[c.Kind]
		case by == "provider":
			x = part{name: p.sub(c.Entitlement), sub: c.Entitlement, slice: billing.Slice{Entitlement: c.Entitlement}}
		case by == "region":
			x = part{name: cmp.Or(c.Region, "Without a region"), slice: billing.Slice{Region: c.Region}}
		}
		x.slice.Account, x.slice.Month = m.Account, m.Month
		key := string(c.Kind) + x.name + "\x00" + x.sub + string(x.slice.Day)
		if by == "day" {
			key = string(c.Day)
		}
		if found[key] == nil {
			x.sell = money.Zero(m.Currency)
			found[key] = &x
		}
		f := found[key]
		f.rows += c.Rows
		var err error
		if f.sell, err = f.sell.Add(c.Sell); err != nil {
			return nil, err
		}
	}
	list := make([]part, 0, len(found))
	for _, x := range found {
		list = append(list, *x)
	}
	slices.SortFunc(list, func(a, b part) int {
		if by == "day" {
			return strings.Compare(string(a.slice.Day), string(b.slice.Day))
		}
		return cmp.Or(b.sell.Decimal().Cmp(a.sell.Decimal()), strings.Compare(a.name+a.sub, b.name+b.sub))
	})
	return list, nil
}

// sliceAt is the address of a part of the month that is shown.
func (b bills) sliceAt(x billing.Slice) string {
	x.Account, x.Month = string(b.Alias), b.shown
	return sliceHref(x)
}

// sliceHref is the page of a slice.
func sliceHref(x billing.Slice) string {
	q := url.Values{}
	for name, value := range map[string]string{"entitlement": x.Entitlement, "category": x.Category, "region": x.Region, "day": string(x.Day)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return link("/usage/account/"+x.Account+"/"+string(x.Month), q)
}

func viewOf(v *visit) string {
	for _, x := range views {
		if x.key == v.form("by") {
			return x.key
		}
	}
	return "service"
}

// breakdown says what the month that is shown is made of.
func (b bills) breakdown(v *visit) (ui.Panel, error) {
	m, ok := b.months[b.shown]
	p := ui.Panel{ID: "made", Title: v.brand.LineLabel, Sub: b.shown.String() + ": no usage is known"}
	if !ok {
		p.Text = []string{"There is no usage of " + b.shown.String() + ". Choose another month in the chart."}
		return p, nil
	}
	by := viewOf(v)
	parts, err := b.cut(m, by)
	if err != nil {
		return p, err
	}
	head, rows, subs := "", int64(0), map[string]bool{}
	for _, x := range views {
		p.Chips = append(p.Chips, ui.Chip{Label: x.label, Href: b.at(v, "/usage", "by", x.key) + "#made", On: x.key == by})
		if x.key == by {
			head = x.head
		}
	}
	for _, c := range m.Cells {
		rows += c.Rows
		if c.Entitlement != "" {
			subs[c.Entitlement] = true
		}
	}
	p.Sub = fmt.Sprintf("%s, %s · %s · %s usage records", b.shown, kindOf(m), ui.Count(len(subs), "subscription", "subscriptions"), ui.FormatAmount(strconv.FormatInt(rows, 10), ""))
	paid, rounding, err := m.Paid()
	if err != nil {
		return p, err
	}
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: head}, {Label: "Records", Right: true, Hide: true}, {Label: "Share", Right: true, Hide: true}, {Label: "Amount", Right: true}, {Label: "Why this amount", Silent: true, Right: true}}}
	for _, x := range parts {
		why := ui.Cell{Text: "Why?", Said: " " + x.name, Href: sliceHref(x.slice), Side: true}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: x.name, Sub: x.sub, Href: sliceHref(x.slice)}, {Text: ui.FormatAmount(strconv.FormatInt(x.rows, 10), "")}, {Text: shareOf(x.sell, m.Sell)}, exactCell(x.sell), why}})
	}
	g.Sums = []ui.GridRow{
		{Quiet: true, Cells: []ui.Cell{{Text: "Rounding, once for each line of the invoice"}, {}, {}, signedExact(rounding), {}}},
		{Cells: []ui.Cell{{Text: v.brand.LineLabel}, {}, {}, {Text: withCurrency(paid)}, {}}},
	}
	g.Foot = ui.Foot{Text: ui.Count(len(parts), "row", "rows") + ", before tax", CSV: b.at(v, "/usage/breakdown.csv", "by", by, "month", string(b.shown))}
	p.Grid = &g
	return p, nil
}

func kindOf(m billing.AccountMonth) string {
	if m.Billed {
		return "from Microsoft's invoice"
	}
	return "estimate"
}
