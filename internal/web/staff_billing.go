package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

// sums are a month's amounts in one currency.
type sums struct{ sell, sold, margin, earned, gain money.Amount }

// totalsOf adds up all accounts by their currency; what belongs to nobody apart.
func totalsOf(list []billing.AccountMonth) (by map[money.Currency]sums, suspense []money.Amount, err error) {
	by = map[money.Currency]sums{}
	for _, m := range list {
		if m.Account == "" {
			suspense = append(suspense, m.Cost)
			continue
		}
		s, ok := by[m.Currency]
		if !ok {
			z := money.Zero(m.Currency)
			s = sums{z, z, z, z, z}
		}
		for _, x := range []struct {
			to *money.Amount
			a  money.Amount
		}{{&s.sell, m.Sell}, {&s.sold, m.Sold}, {&s.margin, m.Margin}, {&s.earned, m.Earned}, {&s.gain, m.Gain}} {
			if *x.to, err = x.to.Add(x.a); err != nil {
				return by, suspense, err
			}
		}
		by[m.Currency] = s
	}
	return by, suspense, nil
}

// orders are the columns that the overview can be sorted by.
var orders = []struct {
	key, label string
	of         func(billing.AccountMonth) money.Amount
}{
	{"sell", "Sell", func(m billing.AccountMonth) money.Amount { return m.Sell }},
	{"cost", "Cost", func(m billing.AccountMonth) money.Amount { return m.Sold }},
	{"margin", "Margin", func(m billing.AccountMonth) money.Amount { return m.Margin }},
	{"earned", "Earned credit", func(m billing.AccountMonth) money.Amount { return m.Earned }},
	{"gain", "Exchange", func(m billing.AccountMonth) money.Amount { return m.Gain }},
}

// theMonth reads the overview's month, what is known of it and in which order.
func (s *Server) theMonth(v *visit) (m usage.Month, list []billing.AccountMonth, err error) {
	if m, err = v.month(v.form("month")); err != nil {
		return m, nil, err
	}
	if list, err = s.Months.Totals(v.ctx(), m); err != nil {
		return m, nil, err
	}
	if q := strings.ToUpper(v.form("q")); q != "" {
		list = slices.DeleteFunc(list, func(x billing.AccountMonth) bool { return !strings.Contains(x.Account, q) })
	}
	by := orders[0]
	for _, o := range orders {
		if o.key == v.form("sort") {
			by = o
		}
	}
	slices.SortStableFunc(list, func(a, b billing.AccountMonth) int {
		n := cmp.Or(by.of(b).Decimal().Cmp(by.of(a).Decimal()), strings.Compare(a.Account, b.Account))
		if v.form("up") != "" {
			return -n
		}
		return n
	})
	return m, list, nil
}

// billingMonth: GET /staff/billing?month=&sort=&up=&q=&after= is what all accounts are
// charged in a month, what it costs, and what is left.
func (s *Server) billingMonth(v *visit) error {
	m, list, err := s.theMonth(v)
	if err != nil {
		return err
	}
	by, suspense, err := totalsOf(list)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "billing", "Billing")
	if err != nil {
		return err
	}
	board := ui.Board{Shell: shell, Head: ui.Head{Title: "Billing, " + m.String(), Text: "What accounts are charged, what it costs and what is left, before tax."}}
	months := monthSelect(v, m)
	board.Bar = ui.Filter{Action: "/staff/billing", Query: v.form("q"), Placeholder: "Alias of an account", Selects: []ui.Select{months}}
	for _, n := range []string{"sort", "up"} {
		if x := v.form(n); x != "" {
			board.Bar.Hidden = append(board.Bar.Hidden, ui.Pair{Name: n, Value: x})
		}
	}
	board.Figures = monthFigures(by, list)
	for _, a := range suspense {
		if !a.IsZero() {
			board.Notes = append(board.Notes, ui.Note{Tone: ui.ToneWaiting, Title: withCurrency(a) + " of usage belongs to nobody", Text: "It is in suspense: Microsoft bills it, and no account is charged. Its tenants have no association on those days."})
		}
	}
	g, err := s.overview(v, m, list)
	if err != nil {
		return err
	}
	board.Panels = []ui.Panel{{Title: "Accounts", Sub: "Sell = cost + margin + earned credit that is kept + gain by exchange, to the last digit", Grid: &g}}
	return v.page(ui.BoardView(board))
}

func monthFigures(by map[money.Currency]sums, list []billing.AccountMonth) []ui.Figure {
	accounts, final := 0, 0
	for _, x := range list {
		if x.Account != "" {
			accounts++
			if x.Billed {
				final++
			}
		}
	}
	figures := []ui.Figure{{Label: "Accounts", Value: strconv.Itoa(accounts), Note: fmt.Sprintf("%d from Microsoft's invoice, %d by its estimate", final, accounts-final)}}
	for _, c := range slices.Sorted(maps.Keys(by)) {
		s := by[c]
		kept := s.margin.Decimal().Add(s.earned.Decimal()).Add(s.gain.Decimal())
		share := "–"
		if !s.sold.IsZero() {
			share = kept.Shift(2).DivRound(s.sold.Decimal(), 1).StringFixed(1) + " % of cost"
		}
		figures = append(figures,
			ui.Figure{Label: "Sell", Value: coins(s.sell), Unit: string(c)},
			ui.Figure{Label: "Cost", Value: coins(s.sold), Unit: string(c), Note: "earned credit taken off"},
			ui.Figure{Label: "Left", Value: coins(money.Must("1", c).Times(kept)), Unit: string(c), Note: share + ": margin " + coins(s.margin) + ", credit " + coins(s.earned) + ", exchange " + coins(s.gain)},
		)
	}
	return figures
}

// overview is one page of accounts.
func (s *Server) overview(v *visit, m usage.Month, list []billing.AccountMonth) (ui.Grid, error) {
	at := func(pairs ...string) string {
		q := v.query("month", "q", "sort", "up")
		for i := 0; i+1 < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
			if pairs[i+1] == "" {
				q.Del(pairs[i])
			}
		}
		return link("/staff/billing", q)
	}
	g := ui.Grid{Tight: true, Many: true, Columns: []ui.Column{{Label: "Account"}, {Label: "State"}}, Empty: ui.Note{Title: "Nothing is known of " + m.String(), Text: "Months appear once Microsoft's usage was fetched and priced."}}
	sorted := cmp.Or(v.form("sort"), "sell")
	for _, o := range orders {
		c := ui.Column{Label: o.label, Right: true, Href: at("sort", o.key, "up", "")}
		if o.key == sorted {
			c.Sorted = "descending"
			c.Href = at("sort", o.key, "up", "1")
			if v.form("up") != "" {
				c.Sorted, c.Href = "ascending", at("sort", o.key, "up", "")
			}
		}
		g.Columns = append(g.Columns, c)
	}
	list = slices.DeleteFunc(list, func(x billing.AccountMonth) bool { return x.Account == "" })
	all := len(list)
	from, err := strconv.Atoi(cmp.Or(v.form("after"), "0"))
	if err != nil || from < 0 || from > all {
		from = 0
	}
	list = list[from:]
	next := ""
	if len(list) > perPage {
		list, next = list[:perPage], strconv.Itoa(from+perPage)
	}
	var aliases []account.Alias
	for _, x := range list {
		aliases = append(aliases, account.Alias(x.Account))
	}
	names := map[string]string{}
	if len(aliases) > 0 {
		known, err := s.People.Accounts(v.ctx(), account.Filter{Aliases: aliases})
		if err != nil {
			return g, err
		}
		for _, a := range known {
			names[string(a.Alias)] = a.Name
		}
	}
	for _, x := range list {
		state := ui.Cell{State: ui.StateDraft, Text: "Estimate"}
		if x.Billed {
			state = ui.Cell{State: ui.StateReady, Text: "Final"}
		}
		row := ui.GridRow{Cells: []ui.Cell{{Text: x.Account, Sub: plain(names[x.Account]), Href: "/usage?account=" + x.Account + "&month=" + string(m)}, state}}
		for _, o := range orders {
			a := o.of(x)
			c := ui.Cell{Text: coins(a)}
			if o.key == "margin" && strings.HasPrefix(c.Text, "−") {
				c.Tone = ui.ToneStuck
			}
			if o.key == "sell" {
				c.Sub = string(x.Currency)
			}
			row.Cells = append(row.Cells, c)
		}
		g.Rows = append(g.Rows, row)
	}
	g.Foot = v.foot("/staff/billing", len(list), next, all, "account", "accounts")
	q := v.query("month", "q", "sort", "up")
	q.Set("month", string(m))
	g.Foot.CSV = link("/staff/billing/list.csv", q)
	return g, nil
}

// exportBilling: GET /staff/billing/list.csv is the whole overview, to the last digit.
func (s *Server) exportBilling(v *visit) error {
	m, list, err := s.theMonth(v)
	if err != nil {
		return err
	}
	out := [][]string{{"month", "account", "state", "currency", "sell", "cost", "margin", "earned_credit", "exchange", "microsoft_cost", "microsoft_currency"}}
	for _, x := range list {
		state := "estimate"
		if x.Billed {
			state = "final"
		}
		out = append(out, []string{string(m), cmp.Or(x.Account, "suspense"), state, string(x.Currency), x.Sell.Text(), x.Sold.Text(), x.Margin.Text(), x.Earned.Text(), x.Gain.Text(), x.Cost.Text(), string(x.Cost.Currency())})
	}
	return v.csvFile("billing-"+string(m)+".csv", out)
}

// billingDocuments: GET /staff/billing/invoices?month=&status= lists a month's documents.
func (s *Server) billingDocuments(v *visit) error {
	m, err := v.month(v.form("month"))
	if err != nil {
		return err
	}
	if v.form("month") == "" {
		m = m.Add(-1)
	}
	shell, err := s.shell(v, "documents", "Invoices")
	if err != nil {
		return err
	}
	list, err := s.Invoices.OfMonth(v.ctx(), m, invoice.Status(v.form("status")), invoice.ID(v.form("after")), perPage+1)
	if err != nil {
		return err
	}
	next := ""
	if len(list) > perPage {
		list = list[:perPage]
		next = string(list[perPage-1].ID)
	}
	board := ui.Board{Shell: shell, Head: ui.Head{Title: "Invoices of " + m.String(), Text: "Drafts to review, and what was issued."}}
	months := monthSelect(v, m)
	states := ui.Select{Name: "status", Label: "State", Value: v.form("status"), Options: []ui.Option{{Value: "", Label: "Every state"}, {Value: "draft", Label: "Drafts"}, {Value: "issued", Label: "Issued"}, {Value: "paid", Label: "Paid"}, {Value: "void", Label: "Taken back"}}}
	board.Bar = ui.Filter{Action: "/staff/billing/invoices", Selects: []ui.Select{months, states}}
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Document"}, {Label: "Account"}, {Label: "State"}, {Label: "Before tax", Right: true}, {Label: "Total", Right: true}}, Empty: ui.Note{Title: "No document", Text: "Drafts of a month are made once it is priced."}}
	for _, d := range list {
		look := documentState(d)
		state := map[invoice.Status]ui.State{invoice.Draft: ui.StateDraft, invoice.Issued: ui.StateInProgress, invoice.Paid: ui.StateReady, invoice.Void: ui.StateReleased}[d.Status]
		if state == ui.StateInProgress {
			state = ui.StateReady
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: titleOf(d), Href: "/invoices/" + string(d.ID)}, {Text: d.Account, Sub: plain(d.Buyer.Name), Href: "/usage/history/" + d.Account + "/" + string(d.Period)}, {State: state, Text: look.Word}, {Text: coins(d.Net)}, {Text: withCurrency(d.Total)}}})
	}
	g.Foot = v.foot("/staff/billing/invoices", len(list), next, -1, "document", "documents")
	if len(list) > 0 {
		q := v.query("status")
		q.Set("month", string(m))
		g.Foot.CSV = link("/staff/billing/invoices.csv", q)
	}
	board.Panels = []ui.Panel{{Title: "Documents", Grid: &g}}
	return v.page(ui.BoardView(board))
}

// documentsOf gives all documents of a month, of the state that is asked for.
func (s *Server) documentsOf(v *visit, m usage.Month) ([]invoice.Document, error) {
	var all []invoice.Document
	for after := invoice.ID(""); ; {
		page, err := s.Invoices.OfMonth(v.ctx(), m, invoice.Status(v.form("status")), after, 500)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < 500 {
			return all, nil
		}
		after = page[len(page)-1].ID
	}
}
