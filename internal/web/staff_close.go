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
)

// cycle is the billing cycle, where this installation has one.
func (s *Server) cycle() (*billing.Cycle, error) {
	if s.Billing == nil {
		return nil, fault.New(fault.Conflict, "Billing does not run on this installation.")
	}
	return s.Billing, nil
}

// closingMonth is ?month=, the one before the present if there is none.
func (v *visit) closingMonth() (usage.Month, error) {
	m, err := v.month(v.form("month"))
	if v.form("month") == "" {
		m = m.Add(-1)
	}
	return m, err
}

// closing: GET /staff/billing/close?month= answers whether a month equals Microsoft's
// invoice, and what is left to do.
func (s *Server) closing(v *visit) error {
	m, err := v.closingMonth()
	if err != nil {
		return err
	}
	c, err := s.cycle()
	if err != nil {
		return err
	}
	r, err := c.Reconcile(v.ctx(), v.me, m)
	if err != nil {
		return err
	}
	suspense, err := c.Suspense(v.ctx(), v.me, m)
	if err != nil {
		return err
	}
	drafts, issued, err := c.Counts(v.ctx(), m)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "closing", "Month close")
	if err != nil {
		return err
	}
	board := ui.Board{Shell: shell, Head: ui.Head{Title: "Close " + m.String(), Text: ui.Count(r.Accounts, "account", "accounts") + ", " + ui.Count(issued, "document", "documents") + " issued"}}
	off := v.may(account.ActBillingClose, "")
	if off == "" && len(r.Missing) > 0 {
		off = "See what is missing."
	}
	if r.Closed {
		off = "It is closed."
	}
	month := []ui.Pair{{Name: "month", Value: string(m)}}
	board.Head.Actions = []ui.Action{{ID: "close-month", Label: "Close the month", Icon: "lock", Variant: "primary", Post: "/staff/billing/close", Fields: month, Busy: "Closing…", Off: off}}
	board.Bar = ui.Filter{Action: "/staff/billing/close", Selects: []ui.Select{monthSelect(v, m)}}
	switch {
	case r.Closed:
		board.Notes = []ui.Note{{Tone: ui.ToneOK, Icon: "lock", Title: m.String() + " is closed", Text: "What changes after this comes as a correction of a later month."}}
	case len(r.Missing) > 0:
		board.Notes = []ui.Note{{Tone: ui.ToneWaiting, Icon: "lock", Title: "Cannot be closed yet", Text: plain(r.Missing[0])}}
		if len(r.Missing) > 1 {
			board.Notes[0].Text = ui.Count(len(r.Missing), "thing is", "things are") + " missing, see beside the figures."
		}
	}
	if board.Work, err = s.closeWork(v, c, m, false); err != nil {
		return err
	}
	for _, st := range r.Statements {
		panel, err := statementPanel(st)
		if err != nil {
			return err
		}
		board.Panels = append(board.Panels, panel)
		if !st.Suspense.IsZero() && st.Carried == "" && !r.Closed {
			id := "carry-" + st.Invoice
			board.Head.Actions = append([]ui.Action{{ID: "open-" + id, Label: "Carry suspense of " + st.Invoice + "…", Variant: "ghost", Dialog: id, Off: v.may(account.ActBillingClose, "")}}, board.Head.Actions...)
			board.Dialogs = append(board.Dialogs, ui.FormDialog{ID: id, Title: "Carry " + withCurrency(st.Suspense) + "?", Text: "The month may then be closed although this belongs to nobody. Another amount has to be carried anew.", Action: "/staff/billing/carry", Button: "Carry it", Busy: "Writing…",
				Hidden: append([]ui.Pair{{Name: "invoice", Value: st.Invoice}}, month...), Fields: []ui.Field{{ID: id + "-why", Name: "why", Label: "Why", MaxLength: 1000}}})
		}
	}
	board.Panels = append(board.Panels, accountsPanel(r), causesPanel(r), s.suspensePanel(v, m, suspense, &board))
	board.Side = []ui.Panel{{Title: "Checklist", Checks: closeChecks(v, r, suspense, drafts, issued), Foot: ui.Foot{CSV: closeFile("checklist", m)}}}
	if !r.Closed && len(r.Missing) > 1 {
		missing := ui.Panel{Title: "What is missing"}
		for _, why := range r.Missing {
			missing.Text = append(missing.Text, plain(why))
		}
		board.Side = append(board.Side, missing)
	}
	if drafts > 0 {
		board.Side = append(board.Side, ui.Panel{Title: ui.Count(drafts, "draft", "drafts"), Text: []string{"Look at them first. Issued documents get their number, are posted and sent, and never change."}, Link: ui.Link{Label: "Review", Href: "/staff/billing/invoices?status=draft&month=" + string(m)}})
		board.Dialogs = append(board.Dialogs, ui.FormDialog{ID: "approve", Title: "Issue " + ui.Count(drafts, "draft", "drafts") + "?", Text: "Every draft of " + m.String() + " that is there now gets its number, is posted and sent. This cannot be undone; a document can only be taken back by a credit note.", Action: "/staff/billing/approve", Hidden: month, Button: "Issue all", Busy: "Asking…"})
		board.Head.Actions = append([]ui.Action{{ID: "approve-all", Label: "Issue all drafts…", Dialog: "approve", Off: v.may(account.ActBillingIssue, "")}}, board.Head.Actions...)
	}
	return v.page(ui.BoardView(board))
}

// monthSelect chooses one of the last two years.
func monthSelect(v *visit, m usage.Month) ui.Select {
	x := ui.Select{Name: "month", Label: "Month", Value: string(m)}
	for n := usage.MonthOf(v.now); n >= usage.MonthOf(v.now).Add(-24); n = n.Add(-1) {
		x.Options = append(x.Options, ui.Option{Value: string(n), Label: n.String()})
	}
	return x
}

// zeroTone is green for a zero and red for the rest.
func zeroTone(a money.Amount) ui.Tone {
	if a.IsZero() {
		return ui.ToneOK
	}
	return ui.ToneStuck
}

// statementPanel is the first formula in words: what Microsoft's invoice is made of.
func statementPanel(st billing.KeptStatement) (ui.Panel, error) {
	mapped := money.Zero(st.Total.Currency())
	for _, a := range st.Mapped {
		var err error
		if mapped, err = mapped.Add(a); err != nil {
			return ui.Panel{}, err
		}
	}
	p := ui.Panel{Title: "Microsoft's invoice " + st.Invoice, State: ui.Look{Word: "Equal", Icon: "circle-check", Tone: ui.ToneOK}}
	if !st.Unclassified.IsZero() {
		p.State = ui.Look{Word: "Not explained", Icon: "circle-alert", Tone: ui.ToneStuck}
	}
	suspense := ui.Term{Name: "Suspense", Sub: "nobody's", Amount: coins(st.Suspense)}
	if !st.Suspense.IsZero() {
		suspense.Tone = ui.ToneWaiting
	}
	if st.Carried != "" {
		suspense.Sub = "carried: " + plain(st.Carried)
	}
	p.Sum = []ui.Term{
		{Name: "Mapped cost", Sub: ui.Count(len(st.Mapped), "account", "accounts") + ", credits inside", Amount: coins(mapped)}, suspense, {Name: "Tax", Amount: coins(st.Tax)}, {Name: "Rounding", Sub: "computed", Amount: exactText(st.Rounding)},
		{Name: "Invoice total", Amount: withCurrency(st.Total), Total: true}, {Name: "Unclassified", Amount: exactText(st.Unclassified), Tone: zeroTone(st.Unclassified)},
	}
	return p, nil
}

// accountsPanel is the second formula: accounts whose lines are not yet their cost,
// margin, credit, exchange and rounding.
func accountsPanel(r billing.Reconciliation) ui.Panel {
	p := ui.Panel{Title: "What accounts are charged", Sub: "Lines before tax = cost + margin + earned credit + exchange + rounding", State: ui.Look{Word: "Equal", Icon: "circle-check", Tone: ui.ToneOK}}
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Account"}, {Label: "Lines", Right: true}, {Label: "Cost", Right: true}, {Label: "Left", Right: true, Hide: true}, {Label: "Rounding", Right: true, Hide: true}, {Label: "Unclassified", Right: true}, {Label: "Cost not billed", Right: true}}, Empty: ui.Note{Title: "Every account is at 0.00", Text: "Nothing is unclassified, and no cost is left unbilled."}}
	for i, a := range r.Open {
		if i == 200 {
			break
		}
		left := a.Margin.Decimal().Add(a.Earned.Decimal()).Add(a.Gain.Decimal()).StringFixed(2)
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: a.Account, Href: "/usage/history?account=" + a.Account}, {Text: coins(a.Lines)}, {Text: coins(a.Cost)}, {Text: ui.FormatAmount(left, "")}, {Text: exactText(a.Rounding)}, {Text: exactText(a.Unclassified), Tone: zeroTone(a.Unclassified)}, {Text: exactText(a.CostGap), Tone: zeroTone(a.CostGap)}}})
	}
	if r.RatedAt.IsZero() {
		p.State, g.Empty = ui.Look{}, ui.Note{Title: "Not priced yet", Text: "The formula is worked out once the month is priced."}
	}
	if len(r.Open) > 0 {
		g.Foot = ui.Foot{Text: ui.Count(len(r.Open), "account", "accounts"), CSV: closeFile("accounts", r.Month)}
		p.State = ui.Look{Word: ui.Count(len(r.Open), "account is", "accounts are") + " open", Icon: "circle-alert", Tone: ui.ToneWaiting}
	}
	p.Grid = &g
	return p
}

// causesPanel says from the last estimate to the invoice what each difference is.
func causesPanel(r billing.Reconciliation) ui.Panel {
	type sum struct {
		amount money.Amount
		things int64
		proof  string
	}
	found, order := map[string]*sum{}, []string{}
	for _, c := range r.Causes {
		key := string(c.Class) + "\x00" + string(c.Amount.Currency())
		x, ok := found[key]
		if !ok {
			x = &sum{amount: money.Zero(c.Amount.Currency())}
			found[key] = x
			order = append(order, key)
		}
		x.things += c.Things
		if a, err := x.amount.Add(c.Amount); err == nil {
			x.amount = a
		}
		if x.proof == "" && len(c.Largest) > 0 {
			x.proof = c.Largest[0].Evidence
		}
	}
	slices.Sort(order)
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Class"}, {Label: "Differences", Right: true, Hide: true}, {Label: "Amount", Right: true}, {Label: "Evidence"}}, Empty: ui.Note{Title: "No difference", Text: "Microsoft's invoice is not there yet, or it equals the last estimate."}}
	for _, key := range order {
		x := found[key]
		class, _, _ := strings.Cut(key, "\x00")
		c := exactCell(x.amount)
		if class == string(billing.Unclassified) {
			c.Tone = zeroTone(x.amount)
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: capitalized(class)}, {Text: strconv.FormatInt(x.things, 10)}, c, {Text: plain(x.proof)}}})
	}
	if len(order) > 0 {
		g.Foot = ui.Foot{Text: ui.Count(len(order), "class", "classes"), CSV: closeFile("differences", r.Month)}
	}
	return ui.Panel{Title: "From the last estimate to the invoice", Sub: "Every difference has a class, a computed amount and its evidence", Grid: &g}
}

// suspensePanel lists what belongs to nobody, each with a form to assign it.
func (s *Server) suspensePanel(v *visit, m usage.Month, list []billing.Suspended, board *ui.Board) ui.Panel {
	off := v.may(account.ActBillingChange, "")
	g := ui.Grid{Columns: []ui.Column{{Label: "Tenant"}, {Label: "Days (UTC)"}, {Label: "Records", Right: true, Hide: true}, {Label: "Cost", Right: true}, {Label: "Action", Silent: true}}, Empty: ui.Note{Title: "Nothing is in suspense", Text: "Every record of " + m.String() + " belongs to an account."}}
	for i, x := range list {
		id := "assign-" + strconv.Itoa(i)
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: x.Tenant, Sub: or(x.Entitlement, "the plan itself")}, {Text: dayWord(x.From) + " to " + dayWord(x.To), Sub: ui.Count(x.Days, "day", "days") + " with usage"}, {Text: strconv.FormatInt(x.Rows, 10)}, {Text: withCurrency(x.Cost), Tone: ui.ToneWaiting}, {Action: &ui.Action{ID: "open-" + id, Label: "Assign…", Dialog: id, Off: off}}}})
		board.Dialogs = append(board.Dialogs, ui.FormDialog{ID: id, Title: "Who pays for this?", Text: "The account pays for these days, and the month is priced anew. An association, where there is one, comes before it.", Action: "/staff/billing/assign", Button: "Assign", Busy: "Assigning…",
			Hidden: []ui.Pair{{Name: "month", Value: string(m)}, {Name: "tenant", Value: x.Tenant}, {Name: "entitlement", Value: x.Entitlement}},
			Fields: []ui.Field{{ID: id + "-account", Name: "account", Label: v.words.AccountWord, MaxLength: 10, Spellfree: true}, {ID: id + "-from", Name: "from", Label: "From (UTC day)", Type: "date", Value: string(x.From), Span: "3"}, {ID: id + "-to", Name: "to", Label: "To", Type: "date", Value: string(x.To), Span: "3"}, {ID: id + "-why", Name: "why", Label: "Why", MaxLength: 1000}}})
	}
	if len(list) > 0 {
		g.Foot = ui.Foot{Text: ui.Count(len(list), "tenant or subscription", "tenants and subscriptions"), CSV: closeFile("suspense", m)}
	}
	return ui.Panel{ID: "suspense", Title: "Suspense", Sub: "Usage that no account is known for", Grid: &g}
}

func closeChecks(v *visit, r billing.Reconciliation, suspense []billing.Suspended, drafts, issued int) []ui.Check {
	check := func(done bool, title, text string) ui.Check {
		if done {
			return ui.Check{State: ui.StateReady, Title: title, Text: text}
		}
		return ui.Check{State: ui.StateWaiting, Title: title, Text: text}
	}
	posted, explained, carried := len(r.Statements) > 0, len(r.Open) == 0, len(r.Statements) > 0
	for _, st := range r.Statements {
		posted, explained, carried = posted && st.Posted, explained && st.Unclassified.IsZero(), carried && (st.Carried != "" || st.Suspense.IsZero())
	}
	for _, c := range r.Causes {
		explained = explained && c.Class != billing.Unclassified
	}
	priced := "not yet"
	if !r.RatedAt.IsZero() {
		priced = v.moment(r.RatedAt)
	}
	return []ui.Check{
		check(r.Billed, "Microsoft's invoice received", ui.Count(len(r.Statements), "invoice", "invoices")), check(!r.RatedAt.IsZero(), "Priced", priced), check(posted, "Posted to the ledger", map[bool]string{true: "sum of postings 0.00", false: "follows Microsoft's invoice"}[posted]),
		check(explained, "Differences classified", fmt.Sprintf("%s open", ui.Count(len(r.Open), "account", "accounts"))), check(len(suspense) == 0 || carried, "Suspense assigned", ui.Count(len(suspense), "tenant or subscription", "tenants and subscriptions")+" left"),
		check(len(r.Undrafted) == 0, "Every account drafted", ui.Count(len(r.Undrafted), "account waits", "accounts wait")), check(drafts == 0 && issued > 0, "Drafts issued", fmt.Sprintf("%d of %d", issued, issued+drafts)), check(r.Closed, "Closed", "the month never changes after this"),
	}
}

// closeMonth: POST /staff/billing/close.
func (s *Server) closeMonth(v *visit) error {
	m, err := v.closingMonth()
	if err != nil {
		return refusedAsInvalid(err)
	}
	c, err := s.cycle()
	if err != nil {
		return err
	}
	if err := c.Close(v.ctx(), v.me, m); err != nil {
		return err
	}
	return v.to("/staff/billing/close?month="+string(m), m.String()+" is closed")
}

// approveMonth: POST /staff/billing/approve issues the drafts of a month.
func (s *Server) approveMonth(v *visit) error {
	m, err := v.closingMonth()
	if err != nil {
		return refusedAsInvalid(err)
	}
	c, err := s.cycle()
	if err != nil {
		return err
	}
	if err := c.Approve(v.ctx(), v.me, m); err != nil {
		return err
	}
	return v.to("/staff/billing/close?month="+string(m), "The drafts of "+m.String()+" are being issued")
}

// assignSuspense: POST /staff/billing/assign says who pays for what is nobody's.
func (s *Server) assignSuspense(v *visit) error {
	c, err := s.cycle()
	if err != nil {
		return err
	}
	x := billing.Assignment{Tenant: v.form("tenant"), Entitlement: v.form("entitlement"), Account: account.Alias(strings.ToUpper(v.form("account"))), From: usage.Day(v.form("from")), To: usage.Day(v.form("to")), Why: v.form("why")}
	if len(x.Account) > 10 {
		return fault.Field("account", "There is no such account.", "Give its alias.")
	}
	if err := c.Assign(v.ctx(), v.me, x); err != nil {
		return refusedAsInvalid(err)
	}
	return v.to(link("/staff/billing/close", v.query("month")), "It is "+string(x.Account)+"'s now; the month is priced anew")
}

// carrySuspense: POST /staff/billing/carry lets a month close although a part is nobody's.
func (s *Server) carrySuspense(v *visit) error {
	c, err := s.cycle()
	if err != nil {
		return err
	}
	if err := c.Carry(v.ctx(), v.me, v.form("invoice"), v.form("why")); err != nil {
		return refusedAsInvalid(err)
	}
	return v.to(link("/staff/billing/close", v.query("month")), "What is nobody's is carried")
}
