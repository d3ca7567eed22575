package web

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

// usageHistory: GET /usage/history?account= lists months with what was invoiced of
// each (N-64).
func (s *Server) usageHistory(v *visit) error {
	p, ok, err := s.chosen(v)
	if err != nil {
		return err
	}
	if !ok && v.me.Staff() {
		return v.to("/staff/billing", "")
	}
	shell, err := s.shell(v, "history", "Usage History")
	if err != nil {
		return err
	}
	board := ui.Board{Shell: shell, Head: ui.Head{Title: "Usage History", Text: "Every month with the lines of its invoices, down to services and regions."}}
	if !ok {
		board.None = &ui.Note{Title: "There is no " + v.words.AccountWord + " yet", Text: "Its months will be here.", Action: ui.Action{Label: "See who to ask", Href: "/help"}}
		return v.page(ui.BoardView(board))
	}
	b, err := s.bills(v, p)
	if err != nil {
		return err
	}
	g, err := b.historyGrid()
	if err != nil {
		return err
	}
	board.Bar = ui.Filter{Action: "/usage/history", Selects: []ui.Select{{Name: "account", Label: v.words.AccountWord, Value: string(p.Alias), Options: p.all}}}
	board.Panels = []ui.Panel{{Title: string(p.Alias) + " · " + plain(p.Name), Sub: "Amounts before tax. An estimate changes until Microsoft's invoice is there.", Grid: &g}}
	return v.page(ui.BoardView(board))
}

func (b bills) historyGrid() (ui.Grid, error) {
	g := ui.Grid{
		Columns: []ui.Column{{Label: "Month"}, {Label: "Usage of the month", Right: true}, {Label: "State"}, {Label: "Invoices"}, {Label: "Invoiced", Right: true}},
		Empty:   ui.Note{Title: "No month yet", Text: "The first one appears about a day after the first hour of usage."},
	}
	oldest := b.now
	for m := range b.months {
		oldest = min(oldest, m)
	}
	for _, d := range b.docs {
		oldest = min(oldest, d.Period)
	}
	for m := b.now; m >= oldest; m = m.Add(-1) {
		known, used := b.months[m]
		sum, docs, err := b.invoiced(m)
		if err != nil {
			return g, err
		}
		if !used && len(docs) == 0 {
			continue
		}
		var numbers []string
		for _, d := range docs {
			numbers = append(numbers, d.Number)
		}
		r := ui.GridRow{Cells: []ui.Cell{{Text: m.String(), Href: "/usage/history/" + string(b.Alias) + "/" + string(m)}, {}, {State: ui.StateDraft, Text: "Estimate"}, {Text: strings.Join(numbers, ", ")}, {}}}
		if used {
			r.Cells[1] = exactCell(known.Sell)
		}
		switch {
		case len(docs) > 0:
			r.Cells[2], r.Cells[4] = ui.Cell{State: ui.StateReady, Text: "Invoiced"}, ui.Cell{Text: withCurrency(sum)}
		case used && known.Billed:
			r.Cells[2] = ui.Cell{State: ui.StateWaiting, Text: "To be invoiced"}
		}
		g.Rows = append(g.Rows, r)
	}
	g.Foot = ui.Foot{Text: ui.Count(len(g.Rows), "month", "months"), CSV: "/usage/months.csv?months=24&account=" + string(b.Alias)}
	return g, nil
}

// sequences are the orders in which lines may stand (N-69).
var sequences = []struct{ key, label string }{{"invoice", "By invoice"}, {"account", "By provider"}, {"service", "By service"}}

// entry is a detail of some line, wherever it stands.
type entry struct {
	invoice.Detail
	line, number string
}

// usageMonth: GET /usage/history/{alias}/{month}?by=&view= is one month: its invoices'
// lines, or what Microsoft's own month has come to.
func (s *Server) usageMonth(v *visit) error {
	p, m, b, err := s.monthOf(v)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "history", m.String())
	if err != nil {
		return err
	}
	path := "/usage/history/" + string(p.Alias) + "/" + string(m)
	vendor := v.form("view") == "vendor"
	board := ui.Board{Shell: shell, TabsName: "Billing cycle", Head: ui.Head{
		Crumbs: []ui.Link{{Label: "Usage History", Href: "/usage/history?account=" + string(p.Alias)}, {Label: m.String()}},
		Title:  m.String(), Text: string(p.Alias) + " · " + plain(p.Name),
	}}
	off := b.vendorOff(v, m)
	board.Tabs = []ui.Tab{{Label: "Your invoices", Href: link(path, v.query("by")), On: !vendor}}
	if off == "" {
		q := v.query("by")
		q.Set("view", "vendor")
		board.Tabs = append(board.Tabs, ui.Tab{Label: "Vendor billing cycle", Href: link(path, q), On: vendor})
	} else {
		board.Notes = []ui.Note{{Tone: ui.ToneInfo, Inline: true, Title: "Vendor billing cycle:", Text: off}}
		if vendor {
			return fault.New(fault.Conflict, "The vendor billing cycle of %s is not there yet. %s", m, off)
		}
	}
	board.Head.Actions = []ui.Action{{Label: "Export CSV", Icon: "download", Href: path + "/usage.csv"}, {Label: "See by day", Href: "/usage?account=" + string(p.Alias) + "&month=" + string(m)}}
	if vendor {
		panel, err := b.vendorCycle(v, m)
		if err != nil {
			return err
		}
		board.Panels = []ui.Panel{panel}
		return v.page(ui.BoardView(board))
	}
	_, docs, err := b.invoiced(m)
	if err != nil {
		return err
	}
	by := "invoice"
	for _, x := range sequences {
		if x.key == v.form("by") {
			by = x.key
		}
	}
	chips := make([]ui.Chip, 0, len(sequences))
	for _, x := range sequences {
		q := v.query()
		q.Set("by", x.key)
		chips = append(chips, ui.Chip{Label: x.label, Href: link(path, q), On: x.key == by})
	}
	if board.Panels, err = b.sequence(docs, by, chips); err != nil {
		return err
	}
	if len(docs) == 0 {
		board.Panels, err = b.notInvoiced(v, m)
		if err != nil {
			return err
		}
	}
	return v.page(ui.BoardView(board))
}

func (s *Server) monthOf(v *visit) (p payer, m usage.Month, b bills, err error) {
	if m, err = v.month(v.r.PathValue("month")); err != nil {
		return p, m, b, err
	}
	if p, err = s.billOf(v, account.Alias(v.r.PathValue("alias"))); err != nil {
		return p, m, b, err
	}
	b, err = s.bills(v, p)
	if err != nil {
		return p, m, b, err
	}
	if _, ok := b.months[m]; !ok { // older than what the dashboard reads
		older, err := s.Months.Of(v.ctx(), string(p.Alias), m, m)
		if err != nil {
			return p, m, b, err
		}
		for _, x := range older {
			b.months[m] = x
		}
	}
	b.shown = m
	return p, m, b, nil
}

// sequence shows the lines of documents in one of three orders.
func (b bills) sequence(docs []invoice.Document, by string, chips []ui.Chip) ([]ui.Panel, error) {
	if by == "invoice" {
		var panels []ui.Panel
		for _, d := range docs {
			panel, err := b.invoicePanel(d)
			if err != nil {
				return nil, err
			}
			panel.Link = ui.Link{Label: "Open " + d.Number, Href: "/invoices/" + string(d.ID)}
			if len(panels) == 0 {
				panel.Chips, panel.Link.Icon = chips, ""
			}
			panels = append(panels, panel)
		}
		return panels, nil
	}
	if len(docs) == 0 {
		return nil, nil
	}
	panel := ui.Panel{Title: "What was invoiced, by provider", Chips: chips}
	of := func(e entry) string { return e.Entitlement }
	name := b.sub
	inner := func(e entry) string { return e.Service }
	if by == "service" {
		panel.Title = "What was invoiced, by service"
		of, inner = inner, of
		name = func(s string) string { return s }
	}
	groups, order := map[string][]entry{}, []string{}
	total := money.Zero(docs[0].Currency)
	for _, d := range docs {
		for _, l := range d.Lines {
			for _, x := range append(slices.Clone(l.Details), roundingDetail(l)...) {
				e := entry{x, l.Label, d.Number}
				key := of(e)
				if groups[key] == nil {
					order = append(order, key)
				}
				groups[key] = append(groups[key], e)
				var err error
				if total, err = total.Add(x.Amount); err != nil {
					return nil, err
				}
			}
		}
	}
	sums := map[string]money.Amount{}
	for key, list := range groups {
		sum, err := sumOf(list)
		if err != nil {
			return nil, err
		}
		sums[key] = sum
	}
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(sums[b].Decimal().Cmp(sums[a].Decimal()), strings.Compare(a, b))
	})
	for _, key := range order {
		f := ui.Fold{Title: name(key), Amount: exactText(sums[key])}
		if by == "account" {
			f.Sub = b.who(key)
		}
		g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Service"}, {Label: "Region"}, {Label: "Line"}, {Label: "Amount", Right: true}}}
		if by == "service" {
			g.Columns[0].Label = "Provider"
		}
		for _, e := range groups[key] {
			first := inner(e)
			if by == "service" {
				first = b.sub(first)
			}
			g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: first}, {Text: e.Region}, {Text: e.line, Sub: e.number}, exactCell(e.Amount)}})
		}
		f.Grid = &g
		panel.Folds = append(panel.Folds, f)
	}
	panel.Sum = []ui.Term{{Name: "All invoices of the month", Sub: "before tax", Amount: withCurrency(total), Total: true}}
	return []ui.Panel{panel}, nil
}

// roundingDetail is a line's rounding as a row of its own, so that rows add up.
func roundingDetail(l invoice.Line) []invoice.Detail {
	if l.Rounding.IsZero() {
		return nil
	}
	return []invoice.Detail{{Service: "Rounding, once for the line", Parts: invoice.Parts{Amount: l.Rounding}}}
}

func sumOf(list []entry) (money.Amount, error) {
	sum := money.Zero(list[0].Amount.Currency())
	for _, e := range list {
		var err error
		if sum, err = sum.Add(e.Amount); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

func exactText(a money.Amount) string {
	text, fine := exact(a)
	return text + fine
}

// who names an entitlement as N-65 wants it: alias and subscription id.
func (b bills) who(entitlement string) string {
	if entitlement == "" {
		return string(b.Alias)
	}
	return string(b.Alias) + " · " + entitlement
}

// invoicePanel is a document: each line opens to its providers, and each of them to
// its services by region. The rows add up to the line (N-66).
func (b bills) invoicePanel(d invoice.Document) (ui.Panel, error) {
	p := ui.Panel{Title: titleOf(d), Sub: issuedWords(d), State: documentState(d)}
	for _, l := range d.Lines {
		f, err := b.lineFold(l, len(d.Lines) == 1)
		if err != nil {
			return p, err
		}
		p.Folds = append(p.Folds, f)
	}
	p.Sum = []ui.Term{{Name: "Before tax", Amount: coins(d.Net)}}
	for _, t := range d.Taxes {
		p.Sum = append(p.Sum, ui.Term{Name: t.Label, Sub: "on " + coins(t.Base), Amount: coins(t.Amount)})
	}
	p.Sum = append(p.Sum, ui.Term{Name: "Total", Amount: withCurrency(d.Total), Total: true})
	return p, nil
}

func (b bills) lineFold(l invoice.Line, open bool) (ui.Fold, error) {
	f := ui.Fold{Title: l.Label, Sub: l.Month.String(), Amount: coins(l.Amount), Open: open}
	if l.Estimate {
		f.Sub += ", from Microsoft's estimate"
	}
	groups, order := map[string][]entry{}, []string{}
	for _, x := range l.Details {
		if groups[x.Entitlement] == nil {
			order = append(order, x.Entitlement)
		}
		groups[x.Entitlement] = append(groups[x.Entitlement], entry{x, l.Label, ""})
	}
	for _, key := range order {
		list := groups[key]
		sum, err := sumOf(list)
		if err != nil {
			return f, err
		}
		slices.SortStableFunc(list, func(a, b entry) int { return b.Amount.Decimal().Cmp(a.Amount.Decimal()) })
		g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Service"}, {Label: "Region"}, {Label: "Amount", Right: true}}}
		for _, e := range list {
			row := ui.GridRow{Cells: []ui.Cell{{Text: e.Service}, {Text: e.Region}, exactCell(e.Amount)}}
			if l.Kind == invoice.LineUsage {
				row.Cells[0].Href = sliceHref(billing.Slice{Account: string(b.Alias), Month: l.Month, Entitlement: e.Entitlement, Category: e.Service, Region: e.Region})
			}
			g.Rows = append(g.Rows, row)
		}
		inner := ui.Fold{Title: b.sub(key), Sub: b.who(key), Amount: exactText(sum), Grid: &g, Open: open && len(order) == 1}
		f.Inner = append(f.Inner, inner)
	}
	if !l.Rounding.IsZero() {
		c := signedExact(l.Rounding)
		f.Inner = append(f.Inner, ui.Fold{Title: "Rounding, once for the line", Amount: c.Text + c.Fine, Flat: true})
	}
	return f, nil
}

func titleOf(d invoice.Document) string {
	word := map[invoice.Kind]string{invoice.Invoice: "Invoice", invoice.Settlement: "Settlement", invoice.CreditNote: "Credit note"}[d.Kind]
	if d.Number == "" {
		return word + " draft"
	}
	return word + " " + d.Number
}

func issuedWords(d invoice.Document) string {
	if d.Number == "" {
		return d.Period.String() + ", not issued yet"
	}
	s := d.Period.String() + " · issued " + dayWord(usage.DayOf(d.IssuedAt)) + " · due " + dayWord(d.DueDay)
	if d.OfNumber != "" {
		s += " · takes " + d.OfNumber + " back"
	}
	return s
}

func documentState(d invoice.Document) ui.Look {
	switch d.Status {
	case invoice.Paid:
		return ui.Look{Word: "Paid", Icon: "circle-check", Tone: ui.ToneOK}
	case invoice.Void:
		return ui.Look{Word: "Taken back", Icon: "undo-2", Tone: ui.ToneDraft}
	case invoice.Draft:
		return ui.Look{Word: "Draft", Icon: "circle-dashed", Tone: ui.ToneDraft}
	}
	return ui.Look{Word: "Issued", Icon: "send", Tone: ui.ToneRunning}
}

// notInvoiced is a month of which there is no invoice: what is known of it.
func (b bills) notInvoiced(v *visit, m usage.Month) ([]ui.Panel, error) {
	known, ok := b.months[m]
	if !ok {
		return nil, fault.New(fault.NotFound, "There is no usage of %s.", m)
	}
	paid, _, err := known.Paid()
	if err != nil {
		return nil, err
	}
	p, err := b.breakdown(v)
	if err != nil {
		return nil, err
	}
	p.Chips = nil
	text := "It is " + withCurrency(paid) + " by Microsoft's estimate, which changes until its invoice is there."
	if known.Billed {
		text = "It is " + withCurrency(paid) + " by Microsoft's invoice."
	}
	p.Notes = []ui.Note{{Tone: ui.ToneInfo, Title: m.String() + " is not invoiced yet", Text: text}}
	return []ui.Panel{p}, nil
}

// vendorDay is the day of the next month from which Microsoft's invoice is looked for (N-67).
const vendorDay = 10

// vendorOff is why the vendor's cycle of a month cannot be seen, "" if it can.
func (b bills) vendorOff(v *visit, m usage.Month) string {
	from := m.Add(1).First().Add(vendorDay - 1)
	known, ok := b.months[m]
	switch {
	case usage.DayOf(v.now) < from:
		return "from " + dayWord(from) + ", when Microsoft's own invoice of " + m.String() + " is there."
	case !ok:
		return "there is no usage of " + m.String() + "."
	case !known.Billed:
		return "Microsoft's invoice of " + m.String() + " has not come yet. It is looked for every day."
	}
	return ""
}

// vendorCycle regroups a month to Microsoft's own: what its invoice billed, and what
// was found after it, as Post-Bill Update. That is never a line of an invoice: the same
// amount is the update to the previous month on a later one (N-67, N-68).
func (b bills) vendorCycle(v *visit, m usage.Month) (ui.Panel, error) {
	p := ui.Panel{Title: "Vendor billing cycle of " + m.String(), Sub: "What Microsoft billed for the usage of " + m.String() + ", whichever invoice of yours it is on"}
	known := b.months[m]
	paid, rounding, err := known.Paid()
	if err != nil {
		return p, err
	}
	now := map[detailKey]money.Amount{}
	for _, c := range known.Cells {
		if err := plusAt(now, detailKey{c.Entitlement, c.Category, c.Region}, c.Sell); err != nil {
			return p, err
		}
	}
	if err := plusAt(now, detailKey{service: "Rounding, once for the line"}, rounding); err != nil {
		return p, err
	}
	billed, later := money.Zero(known.Currency), money.Zero(known.Currency)
	var numbers []string
	for _, d := range b.docs {
		if d.Number == "" || d.Status == invoice.Void || d.Kind == invoice.CreditNote {
			continue
		}
		for _, l := range d.Lines {
			switch {
			case l.Month != m || l.Kind == invoice.LineAdjustment:
			case l.Kind == invoice.LineUpdate:
				if later, err = later.Add(l.Amount); err != nil {
					return p, err
				}
				numbers = append(numbers, d.Number)
			default:
				f, err := b.lineFold(l, false)
				if err != nil {
					return p, err
				}
				f.Sub = "on " + d.Number
				p.Folds = append(p.Folds, f)
				if billed, err = billed.Add(l.Amount); err != nil {
					return p, err
				}
				for _, x := range append(slices.Clone(l.Details), roundingDetail(l)...) {
					if err := plusAt(now, detailKey{x.Entitlement, x.Service, x.Region}, x.Amount.Neg()); err != nil {
						return p, err
					}
				}
			}
		}
	}
	post, err := paid.Sub(billed)
	if err != nil {
		return p, err
	}
	if !post.IsZero() {
		f := ui.Fold{Title: "Post-Bill Update: " + v.brand.LineLabel, Amount: coins(post), Sub: "on your next invoice as “" + v.brand.LateLineLabel + "”"}
		if len(numbers) > 0 && later.Equal(post) {
			f.Sub = "on " + strings.Join(numbers, ", ") + " as “" + v.brand.LateLineLabel + "”"
		} else if len(numbers) > 0 {
			f.Sub = coins(later) + " of it on " + strings.Join(numbers, ", ") + ", the rest on your next invoice"
		}
		f.Grid = b.postGrid(now)
		p.Folds = append(p.Folds, f)
	}
	p.Sum = []ui.Term{{Name: "Microsoft's month", Sub: "before tax", Amount: withCurrency(paid), Total: true}}
	p.Foot = ui.Foot{Text: "A Post-Bill Update is never on an invoice under that name."}
	return p, nil
}

type detailKey struct{ entitlement, service, region string }

func plusAt(sums map[detailKey]money.Amount, k detailKey, a money.Amount) error {
	was, ok := sums[k]
	if !ok {
		was = money.Zero(a.Currency())
	}
	s, err := was.Add(a)
	sums[k] = s
	return err
}

func (b bills) postGrid(changes map[detailKey]money.Amount) *ui.Grid {
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Service"}, {Label: "Provider"}, {Label: "Region"}, {Label: "Change", Right: true}}}
	keys := make([]detailKey, 0, len(changes))
	for k, a := range changes {
		if !a.IsZero() {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b detailKey) int {
		return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.entitlement, b.entitlement), strings.Compare(a.region, b.region))
	})
	for _, k := range keys {
		who := ""
		if k.entitlement != "" {
			who = b.sub(k.entitlement)
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: k.service}, {Text: who}, {Text: k.region}, signedExact(changes[k])}})
	}
	return &g
}

// usageMonthFile: GET /usage/history/{alias}/{month}/usage.csv has the fourteen columns
// of the original (N-70), for all documents of the month; before there is one, for what
// is known of it.
func (s *Server) usageMonthFile(v *visit) error {
	_, m, b, err := s.monthOf(v)
	if err != nil {
		return err
	}
	_, docs, err := b.invoiced(m)
	if err != nil {
		return err
	}
	all := invoice.Document{Period: m, Currency: b.Currency}
	for _, d := range docs {
		all.Lines = append(all.Lines, d.Lines...)
	}
	if len(docs) == 0 {
		known, ok := b.months[m]
		if !ok {
			return fault.New(fault.NotFound, "There is no usage of %s.", m)
		}
		line, err := known.Line(v.brand.LineLabel)
		if err != nil {
			return err
		}
		all.Lines = []invoice.Line{line}
	}
	var out bytes.Buffer
	if err := invoice.CSV(&out, all, b.sub); err != nil {
		return err
	}
	return v.file(fmt.Sprintf("usage-%s-%s.csv", b.Alias, string(m)), "text/csv; charset=utf-8", out.Bytes())
}
