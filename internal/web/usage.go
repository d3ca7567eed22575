package web

import (
	"fmt"
	"slices"
	"strconv"

	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

// methodWords say how a month end is estimated.
var methodWords = map[billing.Method]string{
	billing.ProRata: "average day of the month", billing.Recent: "average of the last seven days", billing.Weekday: "weekday average of four weeks",
}

var methodShort = map[billing.Method]string{billing.ProRata: "average day", billing.Recent: "last seven days", billing.Weekday: "weekdays"}

// ranges of months that the chart can show.
var ranges = []int{6, 13, 24}

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
