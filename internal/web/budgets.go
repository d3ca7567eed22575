package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"
	"causeway/internal/web/ui"

	"github.com/shopspring/decimal"
)

// budgeted is a budget and how it stands in the running month.
type budgeted struct {
	billing.Budget
	billing.Standing
}

// budgetsOf are an account's, with how each stands by its months.
func (s *Server) budgetsOf(v *visit, alias account.Alias, months []billing.AccountMonth) ([]budgeted, error) {
	if s.Billing == nil {
		return nil, nil
	}
	list, err := s.Billing.Budgets(v.ctx(), string(alias))
	if err != nil {
		return nil, err
	}
	now := usage.MonthOf(v.now)
	out := make([]budgeted, len(list))
	for i, b := range list {
		out[i].Budget = b
		if out[i].Standing, err = s.Billing.StandsBy(v.ctx(), b, months, now, now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

var hundred = decimal.NewFromInt(100)

// budgetTitle is what a budget is of.
func (p payer) budgetTitle(entitlement string) string {
	if entitlement == "" {
		return "Whole account"
	}
	return p.sub(entitlement)
}

// budgetOf is the same within a sentence.
func (p payer) budgetOf(entitlement string) string {
	if entitlement == "" {
		return "the whole account"
	}
	return p.sub(entitlement)
}

// look is a budget's state: never by colour alone.
func (b budgeted) look() ui.Look {
	expected, known := b.Expected(b.Budget)
	switch {
	case b.Trouble != "":
		return ui.Look{Word: "Not watched", Icon: "circle-alert", Tone: ui.ToneStuck}
	case b.Used(b.Budget).GreaterThanOrEqual(hundred):
		return ui.Look{Word: "Used up", Icon: "circle-alert", Tone: ui.ToneStuck}
	case known && expected.GreaterThanOrEqual(hundred):
		return ui.Look{Word: "Expected above", Icon: "triangle-alert", Tone: ui.ToneWaiting}
	}
	return ui.Look{Word: "Within", Icon: "circle-check", Tone: ui.ToneOK}
}

// thresholdWords are "80 % used" or "100 % by the forecast".
func thresholdWords(t billing.Threshold) string {
	if t.Basis == billing.Forecasted {
		return fmt.Sprintf("%d %% by the forecast", t.Percent)
	}
	return fmt.Sprintf("%d %% used", t.Percent)
}

// forecastWords are where the month may end.
func (b budgeted) forecastWords() string {
	e := b.Estimate
	switch {
	case e == nil && b.AsOf == "":
		return "No usage of this month yet."
	case e == nil:
		return "There is no forecast."
	}
	p, _ := b.Expected(b.Budget)
	text := fmt.Sprintf("Forecast %s, %s %%", coins(e.End), p.StringFixed(1))
	if e.Known() {
		text += ", range " + coins(e.Low) + " to " + coins(e.High)
	}
	return text + ". Usage to " + endOfDay(string(b.AsOf)) + "."
}

// spendBar draws a budget.
func (p payer) spendBar(b budgeted) ui.SpendBar {
	x := ui.SpendBar{
		Title: p.budgetTitle(b.Entitlement), State: b.look(), Trouble: b.Trouble, Sub: b.forecastWords(),
		Figure: coins(b.Actual) + " of " + withCurrency(b.Amount) + " · " + b.Used(b.Budget).StringFixed(1) + " % used",
	}
	share := func(a money.Amount) float64 { return drawnAs(a) / drawnAs(b.Amount) * 100 }
	x.Used = share(b.Actual)
	x.Said = x.Title + ": " + x.Figure
	if e := b.Estimate; e != nil {
		x.End = share(e.End)
		if e.Known() {
			x.Low, x.High = share(e.Low), share(e.High)
		}
		x.Said += ". " + x.Sub
	}
	var at []string
	for _, t := range b.Thresholds {
		m := ui.Mark{At: float64(t.Percent), Label: strconv.Itoa(t.Percent) + " %", Title: "Tells at " + thresholdWords(t), Forecast: t.Basis == billing.Forecasted}
		at = append(at, thresholdWords(t))
		if n := len(x.Marks); n > 0 && x.Marks[n-1].At == m.At { // of both bases: one label
			m.Label = ""
		}
		x.Marks = append(x.Marks, m)
	}
	x.Said += ". Tells at " + and(at) + "."
	return x
}

// budgetGrid is the table of the same numbers.
func (p payer) budgetGrid(list []budgeted) *ui.Grid {
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Budget of"}, {Label: "Amount", Right: true}, {Label: "Used", Right: true}, {Label: "Forecast", Right: true}, {Label: "Tells at"}, {Label: "State"}}}
	for _, b := range list {
		look := b.look()
		forecast := ui.Cell{Text: "–"}
		if e := b.Estimate; e != nil {
			forecast.Text = coins(e.End)
			if e.Known() {
				forecast.Sub = coins(e.Low) + " to " + coins(e.High)
			}
		}
		var at []string
		for _, t := range b.Thresholds {
			at = append(at, thresholdWords(t))
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{
			{Text: p.budgetTitle(b.Entitlement)}, {Text: withCurrency(b.Amount)}, {Text: coins(b.Actual), Sub: b.Used(b.Budget).StringFixed(1) + " %"}, forecast, {Text: strings.Join(at, ", ")}, {Text: look.Word, Tone: look.Tone},
		}})
	}
	g.Foot.Text = "The running month, before tax"
	return &g
}

// budgetPanel is the card of the dashboard.
func (b bills) budgetPanel(v *visit, list []budgeted) *ui.BudgetPanel {
	p := &ui.BudgetPanel{ID: "budget", Title: "Budget", Sub: b.now.String()}
	all := "/usage/budgets?account=" + string(b.Alias)
	if len(list) == 0 {
		if v.may(account.ActBudgetChange, b.Org) != "" {
			return nil
		}
		p.Sub = ""
		p.Text = "No budget is set. With one you are told by mail before a month costs more than it should."
		p.Action = ui.Action{ID: "set-budget", Label: "Set a budget", Icon: "wallet", Href: "/usage/budgets/edit?account=" + string(b.Alias)}
		return p
	}
	p.Links = []ui.Link{chartSwitch(func(pairs ...string) string { return b.at(v, "/usage", pairs...) }, "budget", v.form("show")), {Label: "Budgets and alerts", Href: all}}
	if v.form("show") == "budget" {
		p.Grid = b.budgetGrid(list)
	}
	for _, x := range list {
		p.Bars = append(p.Bars, b.spendBar(x))
	}
	return p
}

// budgets: GET /usage/budgets?account= lists an account's budgets and what was told of them.
func (s *Server) budgets(v *visit) error {
	p, ok, err := s.chosen(v)
	if err != nil {
		return err
	}
	if !ok && v.me.Staff() {
		return v.to("/staff/billing", "")
	}
	shell, err := s.shell(v, "budgets", "Budgets")
	if err != nil {
		return err
	}
	board := ui.Board{Shell: shell, Head: ui.Head{Title: "Budgets"}}
	if !ok {
		board.None = &ui.Note{Title: "There is no " + v.words.AccountWord + " yet", Text: "A budget is of one. Ask for it, and connect it in the wizard.", Action: ui.Action{Label: "See who to ask", Href: "/help"}}
		return v.page(ui.BoardView(board))
	}
	now := usage.MonthOf(v.now)
	months, err := s.Months.Of(v.ctx(), string(p.Alias), now.Add(-13), now)
	if err != nil {
		return err
	}
	list, err := s.budgetsOf(v, p.Alias, months)
	if err != nil {
		return err
	}
	off := v.may(account.ActBudgetChange, p.Org)
	none := off
	if free := len(p.subscriptions()) + 1 - len(list); off == "" && free <= 0 {
		none = "The account and all of its subscriptions have one."
	}
	edit := "/usage/budgets/edit?account=" + string(p.Alias)
	board.Head.Text = string(p.Alias) + " · " + plain(p.Name) + " · what a month should cost at most, before tax"
	board.Head.Actions = []ui.Action{{ID: "new-budget", Label: "New budget", Icon: "plus", Variant: "primary", Href: edit, Off: none}}
	board.Bar = ui.Filter{Action: "/usage/budgets", Selects: []ui.Select{{Name: "account", Label: v.words.AccountWord, Value: string(p.Alias), Options: p.all}}}
	panel := &ui.BudgetPanel{ID: "budgets", Title: now.String(), Text: "No budget is set. With one you are told by mail before a month costs more than it should. It stops nothing: what runs in Azure goes on."}
	if v.form("show") == "table" && len(list) > 0 {
		panel.Grid, panel.Links = p.budgetGrid(list), []ui.Link{{Label: "Bars", Href: "/usage/budgets?account=" + string(p.Alias)}}
	} else if len(list) > 0 {
		panel.Sub = "Solid: used. Light: the forecast, with its range. A dashed threshold looks at the forecast."
		panel.Links = []ui.Link{{Label: "Table", Href: "/usage/budgets?show=table&account=" + string(p.Alias)}}
	}
	for i, b := range list {
		id := "delete-budget-" + strconv.Itoa(i)
		x := p.spendBar(b)
		x.Sub += " " + s.toldWords(b)
		x.Actions = []ui.Action{
			{ID: "change-budget-" + strconv.Itoa(i), Label: "Change", Icon: "pencil", Size: "sm", Href: edit + "&of=" + or(b.Entitlement, wholeAccount), Off: off},
			{ID: "open-" + id, Label: "Delete…", Variant: "ghost", Size: "sm", Dialog: id, Off: off},
		}
		panel.Bars = append(panel.Bars, x)
		board.Dialogs = append(board.Dialogs, ui.FormDialog{
			ID: id, Title: "Delete the budget of " + p.budgetOf(b.Entitlement) + "?", Text: "Nobody is told any more. What was told stays on the list.", Action: "/usage/budgets/delete",
			Hidden: []ui.Pair{{Name: "account", Value: string(p.Alias)}, {Name: "of", Value: or(b.Entitlement, wholeAccount)}}, Button: "Delete the budget", Busy: "Deleting…", Danger: true,
		})
	}
	board.Budgets = panel
	alerts, err := s.alertsPanel(v, p)
	if err != nil {
		return err
	}
	board.Panels = []ui.Panel{alerts}
	return v.page(ui.BoardView(board))
}

// wholeAccount stands for no subscription in an address.
const wholeAccount = "account"

// toldWords are who is told, and what else is done.
func (s *Server) toldWords(b budgeted) string {
	to := "Told to the account's administrators and its billing contact."
	if len(b.Recipients) > 0 {
		to = "Told to " + and(b.Recipients) + "."
	}
	if b.Ask {
		to += " The partner is asked when it is used up."
	}
	return to
}

func (s *Server) alertsPanel(v *visit, p payer) (ui.Panel, error) {
	panel := ui.Panel{ID: "alerts", Title: "Alerts sent", Sub: "Each threshold is told once a calendar month (UTC)"}
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Alert"}, {Label: "Month"}, {Label: "Used", Right: true}, {Label: "Budget", Right: true}, {Label: "Forecast", Right: true}, {Label: "Told"}, {Label: "At"}}, Empty: ui.Note{Title: "Nothing was told yet", Text: "Budgets are looked at whenever Microsoft's usage has been read anew, about once a day."}}
	if s.Billing == nil {
		panel.Grid = &g
		return panel, nil
	}
	list, err := s.Billing.Alerts(v.ctx(), string(p.Alias), 100)
	if err != nil {
		return panel, err
	}
	for _, a := range list {
		what := capitalized(thresholdWords(a.Threshold))
		if a.Asked {
			what = fmt.Sprintf("Partner asked: R-%d", a.Request)
		}
		under := p.budgetTitle(a.Entitlement)
		if !a.RearmedAt.IsZero() {
			under += " · set back by a change"
		}
		forecast := ui.Cell{Text: "–"}
		if a.End.Currency() != "" {
			forecast.Text = coins(a.End)
			if a.Low.Currency() != "" {
				forecast.Sub = coins(a.Low) + " to " + coins(a.High)
			}
		}
		to := ui.Cell{Text: ui.Count(len(a.Recipients), "address", "addresses"), Sub: strings.Join(a.Recipients, ", ")}
		if len(a.Recipients) == 1 {
			to = ui.Cell{Text: a.Recipients[0]}
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: what, Sub: under}, {Text: a.Month.String()}, {Text: coins(a.Spent)}, {Text: withCurrency(a.Amount)}, forecast, to, {Text: v.moment(a.MadeAt)}}})
	}
	if len(list) > 0 {
		g.Foot.Text = ui.Count(len(list), "alert", "alerts")
	}
	panel.Grid = &g
	return panel, nil
}

// budgetForm: GET /usage/budgets/edit?account=&of= makes a budget, or changes one.
func (s *Server) budgetForm(v *visit) error {
	board, err := s.budgetBoard(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.BoardView(board))
}

// theBudget is the account and the budget that a form is about: the one that is there,
// else what a new one begins with.
func (s *Server) theBudget(v *visit) (p payer, b billing.Budget, err error) {
	p, ok, err := s.chosen(v)
	if err != nil {
		return p, b, err
	}
	if !ok {
		return p, b, fault.New(fault.Invalid, "Which account? Add account= to the address.")
	}
	if err := account.May(v.me, account.ActBudgetChange, p.Org); err != nil {
		return p, b, err
	}
	c, err := s.cycle()
	if err != nil {
		return p, b, err
	}
	b = billing.Budget{Account: string(p.Alias), Thresholds: billing.DefaultThresholds()}
	switch of := v.form("of"); of {
	case wholeAccount:
	case "": // a new one: of what has none yet
		free, err := s.unbudgeted(v, p)
		if err != nil {
			return p, b, err
		}
		if len(free) > 0 {
			b.Entitlement = free[0]
		}
	default:
		b.Entitlement = of
	}
	was, err := c.Budget(v.ctx(), b.Account, b.Entitlement)
	switch {
	case err == nil:
		return p, was, nil
	case fault.KindOf(err) != fault.NotFound:
		return p, b, err
	}
	currency, err := c.BudgetCurrency(v.ctx(), p.Account)
	if currency != "" {
		b.Amount = money.Zero(currency)
	}
	return p, b, err
}

func (s *Server) budgetBoard(v *visit, errs ui.Errors, sent bool) (ui.Board, error) {
	p, b, err := s.theBudget(v)
	if err != nil {
		return ui.Board{}, err
	}
	title := "New budget"
	if b.Version > 0 {
		title = "Budget of " + p.budgetOf(b.Entitlement)
	}
	board := ui.Board{Head: ui.Head{Title: title, Text: string(p.Alias) + " · " + plain(p.Name), Crumbs: []ui.Link{{Label: "Budgets", Href: "/usage/budgets?account=" + string(p.Alias)}, {Label: title}}}}
	if board.Shell, err = s.shell(v, "budgets", title); err != nil {
		return board, err
	}
	f := fields{v, errs, sent}
	amount := ""
	if b.Amount.Sign() > 0 {
		amount = b.Amount.Decimal().StringFixed(b.Amount.Currency().Minor())
	}
	form := &ui.BoardForm{
		Title: "What a month should cost at most", Text: "It tells by mail, and stops nothing. It is not the budget of a provider, by which the credit limit is shared out.",
		Action: "/usage/budgets", Errors: errs, Hidden: []ui.Pair{{Name: "account", Value: string(p.Alias)}, {Name: "version", Value: or(v.r.PostForm.Get("version"), strconv.FormatInt(b.Version, 10))}},
		Button: ui.Action{ID: "save-budget", Label: "Save budget", Variant: "primary", Submit: true, Busy: "Saving…"}, Note: "It holds from this month on.",
	}
	if b.Version > 0 {
		form.Hidden = append(form.Hidden, ui.Pair{Name: "of", Value: or(b.Entitlement, wholeAccount)})
	} else {
		of := f.one("of", "Budget of", or(b.Entitlement, wholeAccount), func(x *ui.Field) { x.Type = "select" })
		free, err := s.unbudgeted(v, p)
		if err != nil {
			return board, err
		}
		for _, id := range free {
			of.Options = append(of.Options, ui.Option{Value: or(id, wholeAccount), Label: p.budgetTitle(id)})
		}
		form.Fields = append(form.Fields, of)
	}
	form.Fields = append(form.Fields,
		f.one("amount", "Amount of a month", amount, hint("Before tax. A month is a calendar month in UTC."), func(x *ui.Field) {
			x.Inputmode, x.Suffix = "decimal", or(string(b.Amount.Currency()), string(p.Currency))
			if b.Version > 0 { // alone in its row
				x.Span = ""
			}
		}),
		f.one("actual", "Tell when this is used", percents(b.Thresholds, billing.Actual), optional, hint("In percent of the budget, with commas: 50, 80, 100"), func(x *ui.Field) { x.Inputmode = "numeric" }),
		f.one("forecast", "Tell when this is expected", percents(b.Thresholds, billing.Forecasted), optional, hint("In percent, by the forecast of the month's end: 100"), func(x *ui.Field) { x.Inputmode = "numeric" }),
		f.one("recipients", "Tell whom", strings.Join(b.Recipients, "\n"), optional, lines(3), hint("One address a line. Empty: the account's administrators and its billing contact."), free),
	)
	form.Checks = []ui.CheckField{f.check("ask", "Ask "+v.words.Partner+" what to do when all of it is used", "A request is opened in your name, once a month. Nothing is stopped: Azure cannot tell a new resource from a change of one that is in use.", b.Ask)}
	board.Form = form
	return board, nil
}

// unbudgeted is what may get a budget: the whole account ("") and its subscriptions, but
// those that have one, which is changed instead.
func (s *Server) unbudgeted(v *visit, p payer) ([]string, error) {
	has, err := s.Billing.Budgets(v.ctx(), string(p.Alias))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append([]string{""}, p.subscriptions()...), func(id string) bool {
		return slices.ContainsFunc(has, func(b billing.Budget) bool { return b.Entitlement == id })
	}), nil
}

// subscriptions are an account's, by name.
func (p payer) subscriptions() []string {
	var ids []string
	for id := range p.names {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(p.names[a].name+a, p.names[b].name+b) })
	return ids
}

func percents(list []billing.Threshold, basis billing.Basis) string {
	var all []int
	for _, t := range list {
		if t.Basis == basis {
			all = append(all, t.Percent)
		}
	}
	return joinInts(all)
}

// saveBudget: POST /usage/budgets.
func (s *Server) saveBudget(v *visit) error {
	p, b, err := s.theBudget(v)
	if err != nil {
		return err
	}
	err = s.setBudget(v, p, b)
	if err == nil {
		return v.to("/usage/budgets?account="+string(p.Alias), "Budget saved. It is looked at now, and whenever there is new usage.")
	}
	errs, ok := errorsOf(err, map[string]string{"amount": "Amount", "actual": "Used", "forecast": "Expected", "recipients": "Recipients", "of": "Budget of"}, map[string]string{"subscription": "of", "thresholds": "actual"})
	if !ok || fault.KindOf(err) == fault.Forbidden {
		return refusedAsInvalid(err)
	}
	board, err2 := s.budgetBoard(v, errs, true)
	if err2 != nil {
		return refusedAsInvalid(err2)
	}
	v.part(statusOf(err), ui.BoardView(board))
	return nil
}

func (s *Server) setBudget(v *visit, p payer, b billing.Budget) error {
	n := &numbers{v: v}
	var actual, expected []int
	n.list("actual", "Used", &actual)
	n.list("forecast", "Expected", &expected)
	currency := money.Currency(or(string(b.Amount.Currency()), string(p.Currency)))
	amount, err := money.Parse(strings.ReplaceAll(v.form("amount"), ",", ""), currency)
	if err != nil {
		n.wrong = append(n.wrong, fault.Refusal{Field: "amount", Reason: "The budget is not an amount.", Remedy: "Write it like 2500.00."})
	}
	if len(actual)+len(expected) == 0 && len(n.wrong) == 0 {
		n.wrong = append(n.wrong, fault.Refusal{Field: "actual", Reason: "The budget would tell nobody anything.", Remedy: "Give at least one share, like 80."})
	}
	if len(n.wrong) > 0 {
		return fault.Refuse(n.wrong...)
	}
	b.Amount, b.Thresholds, b.Version = amount, nil, v.version()
	for _, x := range actual {
		b.Thresholds = append(b.Thresholds, billing.Threshold{Percent: x, Basis: billing.Actual})
	}
	for _, x := range expected {
		b.Thresholds = append(b.Thresholds, billing.Threshold{Percent: x, Basis: billing.Forecasted})
	}
	b.Recipients, b.Ask = words(v.form("recipients")), v.form("ask") == "yes"
	_, err = s.Billing.SetBudget(v.ctx(), v.me, b)
	return err
}

// dropBudget: POST /usage/budgets/delete.
func (s *Server) dropBudget(v *visit) error {
	p, b, err := s.theBudget(v)
	if err != nil {
		return err
	}
	if err := s.Billing.DropBudget(v.ctx(), v.me, b.Account, b.Entitlement); err != nil {
		return refusedAsInvalid(err)
	}
	return v.to("/usage/budgets?account="+string(p.Alias), "The budget is deleted")
}
