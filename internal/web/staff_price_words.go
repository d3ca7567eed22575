package web

import (
	"fmt"
	"strings"

	"causeway/internal/rating"
	"causeway/internal/web/ui"

	"github.com/shopspring/decimal"
)

// partRow is a part of a price list in words.
type partRow struct {
	listPart
	name, note, match, price string
}

// partRows are a list's rules, fees, minimums, support charge and lines, in words.
func partRows(l rating.List) (all []partRow) {
	for _, r := range l.Rules {
		note := ""
		if r.BelowCost != "" {
			note = "may sell below cost: " + r.BelowCost
		}
		all = append(all, partRow{listPart{"rules", r.ID}, r.ID, note, r.Match.String(), rulePrice(r, l)})
	}
	for _, f := range l.Fees {
		match := f.Match.String()
		if f.Always {
			match = "every month"
		}
		all = append(all, partRow{listPart{"fees", f.ID}, f.ID, f.Label, match, priceWord(f.Amount, l) + " a month"})
	}
	for _, m := range l.Minimums {
		all = append(all, partRow{listPart{"minimums", m.ID}, m.ID, m.Label, m.Match.String(), "at least " + priceWord(m.Amount, l) + " a month"})
	}
	if x := l.Support; x != nil {
		text := stepWords(x.Steps, func(s rating.Step) string { return percentOf(s.Percent) })
		if !x.Minimum.IsZero() {
			text += ", at least " + priceWord(x.Minimum, l)
		}
		all = append(all, partRow{listPart{"support", x.ID}, x.ID, x.Label, "the spend of a month", text})
	}
	for _, x := range l.Lines {
		all = append(all, partRow{listPart{"lines", x.ID}, x.ID, "corrections: " + x.Late, x.Match.String(), x.Label})
	}
	return all
}

// priceWord is an amount of a list with its coins, and with every digit beyond them.
func priceWord(d decimal.Decimal, l rating.List) string {
	return ui.FormatAmount(d.StringFixed(max(l.Currency.Minor(), -d.Exponent())), string(l.Currency))
}

func percentOf(d decimal.Decimal) string { return strings.Replace(d.String(), "-", "−", 1) + " %" }

// onBase says "list + 5 %".
func onBase(base rating.Base, percent decimal.Decimal) string {
	switch percent.Sign() {
	case 1:
		return string(base) + " + " + percent.String() + " %"
	case -1:
		return string(base) + " − " + percent.Abs().String() + " %"
	}
	return string(base)
}

func rulePrice(r rating.Rule, l rating.List) string {
	t := r.Tiers
	switch {
	case t == nil:
		return onBase(r.Base, r.Percent)
	case t.Of == rating.OfMoney:
		return stepWords(t.Steps, func(s rating.Step) string { return onBase(r.Base, s.Percent) }) + " (" + string(t.How) + ")"
	}
	return stepWords(t.Steps, func(s rating.Step) string { return s.Price.String() }) + " " + string(l.Currency) + " a unit (" + string(t.How) + ")"
}

// stepWords says "0.02 up to 10000, then 0.018".
func stepWords(steps []rating.Step, price func(rating.Step) string) string {
	var all []string
	for _, s := range steps {
		word := price(s)
		if s.UpTo != nil {
			word += " up to " + s.UpTo.String()
		}
		all = append(all, word)
	}
	return strings.Join(all, ", then ")
}

// partPanels are the tables of a list's rules, fees, minimums and lines; each row leads
// to its form.
func partPanels(l rating.List, at string, may bool) []ui.Panel {
	rows := map[string][]ui.GridRow{}
	for _, r := range partRows(l) {
		name := ui.Cell{Text: r.name, Sub: plain(r.note)}
		if may {
			name.Href = r.at(l.ID)
		}
		rows[r.kind] = append(rows[r.kind], ui.GridRow{Cells: []ui.Cell{name, {Text: r.match}, {Text: r.price}}})
	}
	table := func(kind, title, sub, first, third, many, add, empty string) ui.Panel {
		p := ui.Panel{Title: title, Sub: sub, Text: []string{empty}}
		if n := len(rows[kind]); n > 0 {
			p.Text, p.Grid = nil, &ui.Grid{Tight: true, Columns: []ui.Column{{Label: first}, {Label: "For"}, {Label: third}}, Rows: rows[kind], Foot: ui.Foot{Text: ui.Count(n, strings.ToLower(first), many), CSV: at + "/rules.csv?kind=" + kind}}
		}
		if may {
			p.Link = ui.Link{Label: add, Href: listPart{kind: kind}.at(l.ID)}
		}
		return p
	}
	return []ui.Panel{
		table("rules", fmt.Sprintf("Rules of version %d", l.Version), "The narrowest rule that fits wins", "Rule", "Price", "rules", "Add a rule", ""),
		table("fees", "Monthly fees", "", "Fee", "Amount", "fees", "Add a fee", "None."),
		table("minimums", "Minimums", "", "Minimum", "Amount", "minimums", "Add a minimum", "None."),
		table("lines", "Lines of the invoice", "", "Line", "On the invoice", "lines", "Add a line", "One line for all usage."),
	}
}

// sidePanels are what a list has once.
func sidePanels(l rating.List, at string, may bool) []ui.Panel {
	exchange := ""
	for _, o := range exchanges {
		if o.Value == string(l.Exchange) {
			exchange = o.Label
		}
	}
	terms := ui.Panel{Title: "Currency and credit", Facts: []ui.KV{{Key: "Currency", Value: string(l.Currency)}, {Key: "Exchange rates", Value: exchange}, {Key: "Earned credit", Value: percentOf(l.EarnedShare), Sub: "is the customer's"}}}
	support := ui.Panel{Title: "Support charge", Text: []string{"None."}}
	link := ui.Link{Label: "Add", Href: listPart{kind: "support"}.at(l.ID)}
	for _, r := range partRows(l) {
		if r.kind == "support" {
			support.Text, link = []string{plain(r.note), r.price}, ui.Link{Label: "Change", Href: r.at(l.ID)}
		}
	}
	if may {
		terms.Link, support.Link = ui.Link{Label: "Change", Href: listPart{kind: "terms"}.at(l.ID)}, link
	}
	return []ui.Panel{terms, support, {Title: "As a file", Text: []string{"The whole list is one JSON document; it can be kept, compared and changed as a whole."}, Link: ui.Link{Label: "Edit as JSON", Href: at + "?edit=1"}}}
}
