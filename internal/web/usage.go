package web

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/rating"
	"causeway/internal/usage"
	"causeway/internal/web/ui"

	"github.com/shopspring/decimal"
)

// payer is the account whose bills a page shows, and what is needed of it.
type payer struct {
	account.Account
	names map[string]subscription // by entitlement
	all   []ui.Option             // the accounts that the reader may choose from
}

// subscription is what a customer knows of an entitlement.
type subscription struct{ name, href string }

// sub names a subscription; "" is the plan itself.
func (p payer) sub(entitlement string) string {
	switch s, ok := p.names[entitlement]; {
	case entitlement == "":
		return "Plan, reservations and marketplace"
	case ok:
		return s.name
	}
	return entitlement
}

// billOf reads an account whose bills this person may see.
func (s *Server) billOf(v *visit, alias account.Alias) (payer, error) {
	a, err := s.accountFor(v, alias)
	if err != nil {
		return payer{}, err
	}
	if err := account.May(v.me, account.ActUsageView, a.Org); err != nil {
		return payer{}, err
	}
	p := payer{Account: a, names: map[string]subscription{}}
	pays, err := s.Providers.OfAccount(v.ctx(), alias)
	if err != nil {
		return p, err
	}
	for _, x := range pays {
		if _, known := p.names[x.Entitlement]; x.Entitlement == "" || known {
			continue
		}
		pr, err := s.Providers.Find(v.ctx(), x.Provider)
		switch {
		case fault.KindOf(err) == fault.NotFound:
		case err != nil:
			return p, err
		default:
			p.names[x.Entitlement] = subscription{pr.Name, "/providers/" + string(pr.ID)}
		}
	}
	// Most subscriptions have no association of their own: their tenant's says who pays.
	for f := (provider.Filter{Account: alias, Limit: 200}); ; {
		list, next, err := s.Providers.List(v.ctx(), account.System(), f)
		if err != nil {
			return p, err
		}
		for _, pr := range list {
			if _, known := p.names[pr.Subscription]; pr.Subscription != "" && !known {
				p.names[pr.Subscription] = subscription{pr.Name, "/providers/" + string(pr.ID)}
			}
		}
		if f.After = next; next == "" {
			return p, nil
		}
	}
}

// chosen is the account of ?account=, else the one that the organization's providers
// are billed to, else its first. None at all: ok is false.
func (s *Server) chosen(v *visit) (p payer, ok bool, err error) {
	var all []ui.Option
	alias := account.Alias(v.form("account"))
	if !v.me.Staff() {
		org := v.me.Org
		list, err := s.People.Accounts(v.ctx(), account.Filter{Org: &org, Limit: 200})
		if err != nil {
			return p, false, err
		}
		for _, a := range list {
			all = append(all, ui.Option{Value: string(a.Alias), Label: string(a.Alias) + " · " + a.Name})
		}
		if alias == "" {
			mine, _, err := s.Providers.List(v.ctx(), v.me, provider.Filter{State: provider.Ready, Limit: 1})
			if err != nil {
				return p, false, err
			}
			switch {
			case len(mine) > 0:
				alias = mine[0].Account
			case len(list) > 0:
				alias = list[0].Alias
			}
		}
	}
	if alias == "" {
		return p, false, nil
	}
	p, err = s.billOf(v, alias)
	if len(all) == 0 {
		all = []ui.Option{{Value: string(alias), Label: string(alias) + " · " + p.Name}}
	}
	p.all = all
	return p, err == nil, err
}

// documents are an account's documents, newest first; drafts are staff's.
func (s *Server) documents(v *visit, alias account.Alias) ([]invoice.Document, error) {
	list, err := s.Invoices.OfAccount(v.ctx(), string(alias), invoice.Document{}, 500)
	if !v.me.Staff() {
		list = slices.DeleteFunc(list, func(d invoice.Document) bool { return d.Number == "" })
	}
	return list, err
}

// month reads ?month= or the path's; the current one if there is none.
func (v *visit) month(s string) (usage.Month, error) {
	if s == "" {
		return usage.MonthOf(v.now), nil
	}
	m := usage.Month(s)
	if err := m.Check(); err != nil {
		return "", fault.New(fault.NotFound, "%q is not a month. Write it like 2026-11.", s)
	}
	return m, nil
}

// Words and figures.

// coins is an amount as it is paid: rounded half up to the coin, as lines are.
func coins(a money.Amount) string {
	return ui.FormatAmount(a.Decimal().StringFixed(a.Currency().Minor()), "")
}

func withCurrency(a money.Amount) string { return coins(a) + " " + string(a.Currency()) }

// exact is an amount with six decimals: its coins, and the digits beyond them.
func exact(a money.Amount) (text, fine string) {
	minor := int(a.Currency().Minor())
	s := a.Decimal().StringFixed(6)
	cut := len(s) - 6 + minor
	if minor == 0 {
		cut-- // the point goes with what is beyond the coin
	}
	return ui.FormatAmount(s[:cut], ""), s[cut:]
}

func exactCell(a money.Amount) ui.Cell {
	text, fine := exact(a)
	return ui.Cell{Text: text, Fine: fine}
}

func shareOf(part, whole money.Amount) string {
	if whole.IsZero() {
		return ""
	}
	return strings.ReplaceAll(part.Decimal().Shift(2).DivRound(whole.Decimal(), 1).StringFixed(1), "-", "−") + " %"
}

func monthWord(m usage.Month) string { return m.First().Time().Format("January") }

func dayWord(d usage.Day) string { return d.Time().Format("2 Jan 2006") }

// methodWords say how a month end is estimated.
var methodWords = map[billing.Method]string{
	billing.ProRata: "average day of the month", billing.Recent: "average of the last seven days", billing.Weekday: "weekday average of four weeks",
}

var methodShort = map[billing.Method]string{billing.ProRata: "average day", billing.Recent: "last seven days", billing.Weekday: "weekdays"}

// ranges of months that the chart can show.
var ranges = []int{6, 13, 24}

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

// bills is all that the dashboard shows of an account.
type bills struct {
	payer
	now      usage.Month
	shown    usage.Month // by day, and below
	from     usage.Month // of the bars
	months   map[usage.Month]billing.AccountMonth
	list     []billing.AccountMonth
	docs     []invoice.Document
	estimate *billing.Estimate // nil: nothing to estimate
	why      string            // there is none
}

func (s *Server) bills(v *visit, p payer) (bills, error) {
	b := bills{payer: p, now: usage.MonthOf(v.now), months: map[usage.Month]billing.AccountMonth{}}
	n := 13
	if x, err := strconv.Atoi(v.form("months")); err == nil && slices.Contains(ranges, x) {
		n = x
	}
	var err error
	if b.shown, err = v.month(v.form("month")); err != nil {
		return b, err
	}
	b.from = b.now.Add(1 - n)
	if b.list, err = s.Months.Of(v.ctx(), string(p.Alias), min(b.from, b.now.Add(-13), b.shown), b.now); err != nil {
		return b, err
	}
	for _, m := range b.list {
		b.months[m.Month] = m
	}
	if b.docs, err = s.documents(v, p.Alias); err != nil {
		return b, err
	}
	e, err := billing.Forecast(b.list, b.now, billing.Method(v.form("method")))
	switch {
	case fault.KindOf(err) == fault.Conflict:
		b.why = first(err)
		return b, nil
	case err != nil:
		return b, err
	}
	b.estimate = &e
	return b, nil
}

// invoiced is what numbered documents of a month say before tax.
func (b bills) invoiced(m usage.Month) (sum money.Amount, docs []invoice.Document, err error) {
	sum = money.Zero(b.Currency)
	for _, d := range b.docs {
		if d.Period != m || d.Number == "" {
			continue
		}
		docs = append(docs, d)
		if d.Currency != sum.Currency() && sum.IsZero() {
			sum = money.Zero(d.Currency)
		}
		if sum, err = sum.Add(d.Net); err != nil {
			return sum, docs, err
		}
	}
	return sum, docs, nil
}

// usageDashboard: GET /usage?account=&months=&month=&method=&by=&show= answers how much
// so far, where it ends, and why this amount (N-61, N-73).
func (s *Server) usageDashboard(v *visit) error {
	p, ok, err := s.chosen(v)
	if err != nil {
		return err
	}
	if !ok && v.me.Staff() {
		return v.to("/staff/billing", "")
	}
	shell, err := s.shell(v, "usage", "Usage")
	if err != nil {
		return err
	}
	board := ui.Board{Shell: shell, Head: ui.Head{Title: "Usage"}}
	if !ok {
		board.None = &ui.Note{Title: "There is no " + v.words.AccountWord + " yet", Text: "What your providers use is charged to one. Ask for it, and connect it in the wizard.", Action: ui.Action{Label: "See who to ask", Href: "/help"}}
		return v.page(ui.BoardView(board))
	}
	b, err := s.bills(v, p)
	if err != nil {
		return err
	}
	board.Head.Text = string(p.Alias) + " · " + plain(p.Name) + " · amounts in " + string(p.Currency) + " before tax"
	board.Bar = b.bar(v)
	if len(b.list) == 0 && len(b.docs) == 0 {
		board.None = &ui.Note{Title: "No usage yet", Text: "Microsoft reports usage once a day. The first figures of " + string(p.Alias) + " come about a day after the first hour of usage, and the forecast with them.", Action: ui.Action{Label: "See providers", Href: "/providers"}}
		if len(p.all) > 1 {
			board.None = nil
			board.Panels = []ui.Panel{{Title: "No usage yet", Text: []string{"Microsoft reports usage once a day. The first figures of " + string(p.Alias) + " come about a day after the first hour of usage, and the forecast with them.", "Another " + v.words.AccountWord + " may have some: choose it above."}}}
		}
		return v.page(ui.BoardView(board))
	}
	if board.Figures, err = b.figures(v); err != nil {
		return err
	}
	months, err := b.monthChart(v)
	if err != nil {
		return err
	}
	days, err := b.dayChart(v)
	if err != nil {
		return err
	}
	board.Charts = []ui.Chart{months, days}
	budgets, err := s.budgetsOf(v, p.Alias, b.list)
	if err != nil {
		return err
	}
	board.Budgets = b.budgetPanel(v, budgets)
	made, err := b.breakdown(v)
	if err != nil {
		return err
	}
	board.Panels = []ui.Panel{made}
	return v.page(ui.BoardView(board))
}

// at is an address of the dashboard with what was chosen, changed by pairs.
func (b bills) at(v *visit, path string, pairs ...string) string {
	q := v.query("months", "month", "method", "by", "show")
	q.Set("account", string(b.Alias))
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return link(path, q)
}

func (b bills) bar(v *visit) ui.Filter {
	f := ui.Filter{Action: "/usage"}
	for _, n := range []string{"month", "by", "show"} {
		if x := v.form(n); x != "" {
			f.Hidden = append(f.Hidden, ui.Pair{Name: n, Value: x})
		}
	}
	account := ui.Select{Name: "account", Label: v.words.AccountWord, Value: string(b.Alias), Options: b.all}
	months := ui.Select{Name: "months", Label: "Months in the chart", Value: or(v.form("months"), "13")}
	for _, n := range ranges {
		months.Options = append(months.Options, ui.Option{Value: strconv.Itoa(n), Label: fmt.Sprintf("%d months", n)})
	}
	method := ui.Select{Name: "method", Label: "Forecast by", Value: v.form("method"), Options: []ui.Option{{Value: "", Label: "Forecast: automatic"}}}
	for _, m := range billing.Methods {
		method.Options = append(method.Options, ui.Option{Value: string(m), Label: "Forecast: " + methodShort[m]})
	}
	f.Selects = []ui.Select{account, months, method}
	return f
}

func (b bills) figures(v *visit) ([]ui.Figure, error) {
	list := make([]ui.Figure, 0, 3)
	if e := b.estimate; e != nil {
		until := "no usage of this month yet"
		if e.AsOf != "" {
			until = "Estimate, usage to " + endOfDay(string(e.AsOf))
		}
		list = append(list, ui.Figure{Label: monthWord(e.Month) + " so far", Value: coins(e.ToDate), Note: until})
		note := capitalized(methodWords[e.Method]) + "; no range before a whole month has passed"
		if e.Known() {
			note = fmt.Sprintf("%s to %s · %s; off by %s %% in %s", coins(e.Low), coins(e.High), methodWords[e.Method], e.Off.StringFixed(1), months(e.Tests))
		}
		list = append(list, ui.Figure{Label: "Month end, forecast", Value: coins(e.End), Note: note + ". No bill: it may differ from the invoice."})
	} else {
		list = append(list, ui.Figure{Label: monthWord(b.now) + " so far", Value: "–", Note: b.why})
	}
	for _, d := range b.docs {
		if d.Number == "" || d.Kind == invoice.CreditNote || d.Status == invoice.Void {
			continue
		}
		f := ui.Figure{Label: "Last invoice, " + monthWord(d.Period), Value: coins(d.Total), Unit: "", Note: d.Number + " · due " + dayWord(d.DueDay), Href: "/invoices/" + string(d.ID)}
		if d.Status == invoice.Paid {
			f.Note = d.Number + " · paid"
		}
		if d.Currency != b.Currency {
			f.Unit = string(d.Currency)
		}
		if !d.Tax.IsZero() {
			f.Note += " · with tax"
		}
		return append(list, f), nil
	}
	return append(list, ui.Figure{Label: "Last invoice", Value: "–", Note: "None yet"}), nil
}

func months(n int) string {
	if n == 1 {
		return "the last month"
	}
	return fmt.Sprintf("the last %d months", n)
}

func chartSwitch(href func(...string) string, id, shows string) ui.Link {
	if shows == id {
		return ui.Link{Label: "Chart", Href: href("show", "") + "#" + id}
	}
	return ui.Link{Label: "Table", Href: href("show", id) + "#" + id}
}

func drawnAs(a money.Amount) float64 { return a.Decimal().InexactFloat64() }

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

func monthYear(m usage.Month) string { return m.First().Time().Format("Jan 2006") }

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

func signedExact(a money.Amount) ui.Cell {
	c := exactCell(a)
	if a.Sign() > 0 {
		c.Text = "+" + c.Text
	}
	return c
}

// csvFile answers with a table to keep.
func (v *visit) csvFile(name string, rows [][]string) error {
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename=%q`, name))
	w := csv.NewWriter(v.w)
	for i, r := range rows {
		if i > 0 {
			r = spreadsheet(r)
		}
		if err := w.Write(r); err != nil {
			return ignoreGone(v, err)
		}
	}
	w.Flush()
	return ignoreGone(v, w.Error())
}

// spreadsheet is cells, but lets numbers below zero be numbers.
func spreadsheet(row []string) []string {
	for i, x := range row {
		if _, err := decimal.NewFromString(x); err != nil {
			row[i] = cells(x)[0]
		}
	}
	return row
}

// theBills reads what a file of the dashboard is made of.
func (s *Server) theBills(v *visit) (bills, error) {
	p, ok, err := s.chosen(v)
	if err != nil {
		return bills{}, err
	}
	if !ok {
		return bills{}, fault.New(fault.Invalid, "Which account? Add account= to the address.")
	}
	return s.bills(v, p)
}

// exportMonths: GET /usage/months.csv is the chart of months.
func (s *Server) exportMonths(v *visit) error {
	b, err := s.theBills(v)
	if err != nil {
		return err
	}
	rows, err := b.monthRows()
	if err != nil {
		return err
	}
	out := [][]string{{"month", "invoiced", "usage", "currency", "state", "forecast", "low", "high", "method", "invoices"}}
	for _, r := range rows {
		x := []string{string(r.month), "", "", string(b.Currency), lower(r.state()), "", "", "", "", ""}
		if len(r.docs) > 0 {
			var numbers []string
			for _, d := range r.docs {
				numbers = append(numbers, d.Number)
			}
			x[1], x[9] = r.invoiced.Text(), strings.Join(numbers, " ")
		}
		if r.known != nil {
			x[2] = r.known.Sell.Text()
		}
		if e := b.estimate; e != nil && e.Month == r.month {
			x[5], x[8] = e.End.Text(), string(e.Method)
			if e.Known() {
				x[6], x[7] = e.Low.Text(), e.High.Text()
			}
		}
		out = append(out, x)
	}
	return v.csvFile("usage-"+string(b.Alias)+".csv", out)
}

// exportBreakdown: GET /usage/breakdown.csv is what a month is made of.
func (s *Server) exportBreakdown(v *visit) error {
	b, err := s.theBills(v)
	if err != nil {
		return err
	}
	m, ok := b.months[b.shown]
	out := [][]string{{"month", viewOf(v), "subscription", "records", "amount", "currency"}}
	if ok {
		parts, err := b.cut(m, viewOf(v))
		if err != nil {
			return err
		}
		for _, x := range parts {
			name := x.name
			if x.slice.Day != "" {
				name = string(x.slice.Day)
			}
			out = append(out, []string{string(m.Month), name, x.slice.Entitlement, strconv.FormatInt(x.rows, 10), x.sell.Text(), string(m.Currency)})
		}
	}
	return v.csvFile(fmt.Sprintf("usage-%s-%s-%s.csv", b.Alias, string(b.shown), viewOf(v)), out)
}
