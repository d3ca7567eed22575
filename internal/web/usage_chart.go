package web

import (
	"slices"
	"strconv"

	"causeway/internal/billing"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

func chartSwitch(href func(...string) string, id, shows string) ui.Link {
	if shows == id {
		return ui.Link{Label: "Chart", Href: href("show", "") + "#" + id}
	}
	return ui.Link{Label: "Table", Href: href("show", id) + "#" + id}
}

// monthRow is one bar and one row: what was invoiced of a month, or what is known of it.
type monthRow struct {
	month    usage.Month
	docs     []invoice.Document
	invoiced money.Amount
	known    *billing.AccountMonth
}

func (b bills) monthRows() ([]monthRow, error) {
	var rows []monthRow
	for m := b.from; m <= b.now; m = m.Add(1) {
		sum, docs, err := b.invoiced(m)
		if err != nil {
			return nil, err
		}
		r := monthRow{month: m, docs: docs, invoiced: sum}
		if x, ok := b.months[m]; ok {
			r.known = &x
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// state says what a month's figure is.
func (r monthRow) state() string {
	switch {
	case len(r.docs) > 0:
		return "Invoiced"
	case r.known == nil:
		return "No usage"
	case r.known.Billed:
		return "Not invoiced yet"
	}
	return "Estimate"
}

func (b bills) monthChart(v *visit) (ui.Chart, error) {
	href := func(pairs ...string) string { return b.at(v, "/usage", pairs...) }
	c := ui.Chart{ID: "months", Title: "Billed by month", Note: monthYear(b.from) + " to " + monthYear(b.now), Switch: chartSwitch(href, "months", v.form("show")), Links: true}
	c.Said = "Bars of what was billed in each month; the last one with its forecast"
	rows, err := b.monthRows()
	if err != nil {
		return c, err
	}
	grid := ui.Grid{Columns: []ui.Column{{Label: "Month"}, {Label: "Invoiced", Right: true}, {Label: "Usage", Right: true}, {Label: "State"}}, Tight: true, Foot: ui.Foot{Text: "Before tax, " + string(b.Currency), CSV: b.at(v, "/usage/months.csv")}}
	for _, r := range rows {
		bar := ui.Bar{Tick: r.month.First().Time().Format("Jan"), Href: href("month", string(r.month))}
		bar.Minor = len(c.Bars)%2 == 1
		if len(rows) > 14 && r.month.First().Time().Month()%3 != 1 {
			bar.Tick = ""
		}
		row := ui.GridRow{Cells: []ui.Cell{{Text: r.month.String(), Href: href("month", string(r.month), "show", "")}, {}, {}, {Text: r.state()}}}
		shown := "no usage"
		if r.known != nil {
			bar.Value, bar.Shaded = drawnAs(r.known.Sell), true
			row.Cells[2].Text = coins(r.known.Sell)
			shown = withCurrency(r.known.Sell) + ", " + lower(r.state())
		}
		if len(r.docs) > 0 {
			bar.Value, bar.Shaded = drawnAs(r.invoiced), false
			row.Cells[1].Text = coins(r.invoiced)
			shown = withCurrency(r.invoiced) + ", invoiced"
		}
		if e := b.estimate; e != nil && r.month == e.Month && len(r.docs) == 0 {
			bar.Shaded, bar.Ahead = false, max(drawnAs(e.End)-drawnAs(e.ToDate), 0)
			if e.Known() && len(e.Days) > 0 {
				bar.Low, bar.High = drawnAs(e.Low), drawnAs(e.High)
			}
			row.Cells[3].Sub = "forecast " + coins(e.End)
			shown = withCurrency(e.ToDate) + " so far, forecast " + withCurrency(e.End)
		}
		bar.Title = r.month.String() + ": " + shown
		c.Bars = append(c.Bars, bar)
		grid.Rows = append(grid.Rows, row)
	}
	slices.Reverse(grid.Rows)
	if v.form("show") == c.ID {
		c.Grid = &grid
	}
	return c, nil
}

func (b bills) dayChart(v *visit) (ui.Chart, error) {
	href := func(pairs ...string) string { return b.at(v, "/usage", pairs...) }
	c := ui.Chart{ID: "days", Title: b.shown.String() + " by day", Switch: chartSwitch(href, "days", v.form("show")), Said: "Bars of what each day of " + b.shown.String() + " costs"}
	grid := ui.Grid{Columns: []ui.Column{{Label: "Day (UTC)"}, {Label: "Amount", Right: true}, {Label: "Range", Right: true}}, Tight: true, Foot: ui.Foot{Text: "Before tax, " + string(b.Currency), CSV: b.at(v, "/usage/breakdown.csv", "by", "day", "month", string(b.shown))}}
	sums, err := usageByDay(b.months[b.shown])
	if err != nil {
		return c, err
	}
	ahead := map[usage.Day]billing.Ahead{}
	ranged := false
	if b.estimate != nil && b.shown == b.now {
		for _, d := range b.estimate.Days {
			ahead[d.Day] = d
		}
		ranged = b.estimate.Known()
		if len(ahead) > 0 {
			c.Note, c.Said = "light: forecast and range", c.Said+", and what the days to come may cost"
		}
	}
	last := b.shown.Last()
	for d := b.shown.First(); d <= last; d = d.Add(1) {
		n := d.Time().Day()
		bar := ui.Bar{}
		if n == 1 || n%7 == 1 && n < 29 || d == last {
			bar.Tick = strconv.Itoa(n)
		}
		row := ui.GridRow{Cells: []ui.Cell{{Text: dayWord(d)}, {}, {}}}
		x, coming := ahead[d]
		sum, used := sums[d]
		switch {
		case coming:
			bar.Ahead = max(drawnAs(x.Amount), 0)
			bar.Title = dayWord(d) + ": forecast " + withCurrency(x.Amount)
			row.Cells[1] = ui.Cell{Text: coins(x.Amount), Sub: "forecast"}
			if ranged {
				bar.Low, bar.High = drawnAs(x.Low), drawnAs(x.High)
				row.Cells[2].Text = coins(x.Low) + " to " + coins(x.High)
			}
		case used:
			bar.Value, bar.Title = drawnAs(sum), dayWord(d)+": "+withCurrency(sum)
			row.Cells[1] = exactCell(sum)
			row.Cells[0].Href = b.sliceAt(billing.Slice{Day: d})
		default:
			bar.Title = dayWord(d) + ": no usage"
		}
		c.Bars = append(c.Bars, bar)
		grid.Rows = append(grid.Rows, row)
	}
	if v.form("show") == c.ID {
		c.Grid = &grid
	}
	return c, nil
}

// usageByDay leaves fees out: they belong to the month, not to its last day.
func usageByDay(m billing.AccountMonth) (map[usage.Day]money.Amount, error) {
	sums := map[usage.Day]money.Amount{}
	for _, c := range m.Cells {
		if c.Kind != rating.KindUsage {
			continue
		}
		was, ok := sums[c.Day]
		if !ok {
			was = money.Zero(m.Currency)
		}
		var err error
		if sums[c.Day], err = was.Add(c.Sell); err != nil {
			return nil, err
		}
	}
	return sums, nil
}
