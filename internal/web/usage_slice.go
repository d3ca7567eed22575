package web

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/price"
	"causeway/internal/rating"
	"causeway/internal/usage"
	"causeway/internal/web/ui"

	"github.com/shopspring/decimal"
)

// sliceOf reads the part of a month that a page is about: of this month only.
func (s *Server) sliceOf(v *visit) (x billing.Slice, b bills, m billing.AccountMonth, err error) {
	month, err := v.month(v.r.PathValue("month"))
	if err != nil {
		return x, b, m, err
	}
	p, err := s.billOf(v, account.Alias(v.r.PathValue("alias")))
	if err != nil {
		return x, b, m, err
	}
	b = bills{payer: p, now: usage.MonthOf(v.now), shown: month, months: map[usage.Month]billing.AccountMonth{}}
	known, err := s.Months.Of(v.ctx(), string(p.Alias), month, month)
	if err != nil {
		return x, b, m, err
	}
	for _, k := range known {
		b.months[k.Month] = k
	}
	x = billing.Slice{Account: string(p.Alias), Month: month, Entitlement: v.form("entitlement"), Category: v.form("category"), Region: v.form("region"), Day: usage.Day(v.form("day"))}
	if x.Day != "" && (x.Day.Check() != nil || x.Day.Month() != month) {
		return x, b, m, fault.New(fault.Invalid, "%q is not a day of %s.", string(x.Day), month)
	}
	m, ok := b.months[month]
	if !ok {
		return x, b, m, fault.New(fault.NotFound, "There is no usage of %s.", month)
	}
	m.Cells = slices.DeleteFunc(slices.Clone(m.Cells), func(c billing.Cell) bool { return !inSlice(x, c) })
	return x, b, m, nil
}

func inSlice(x billing.Slice, c billing.Cell) bool {
	return (x.Entitlement == "" || x.Entitlement == c.Entitlement) && (x.Category == "" || x.Category == c.Category) &&
		(x.Region == "" || x.Region == c.Region) && (x.Day == "" || x.Day == c.Day)
}

// words names a slice.
func sliceWords(x billing.Slice, b bills) string {
	var w []string
	if x.Category != "" {
		w = append(w, x.Category)
	}
	if x.Entitlement != "" {
		w = append(w, b.sub(x.Entitlement))
	}
	if x.Region != "" {
		w = append(w, x.Region)
	}
	if x.Day != "" {
		w = append(w, dayWord(x.Day))
	}
	if len(w) == 0 {
		return "everything"
	}
	return strings.Join(w, " · ")
}

// usageSlice: GET /usage/account/{alias}/{month}?category=&entitlement=&region=&day= is a figure
// opened: what it is made of, why it is this amount, and the records behind it.
func (s *Server) usageSlice(v *visit) error {
	x, b, m, err := s.sliceOf(v)
	if err != nil {
		return err
	}
	title := sliceWords(x, b)
	shell, err := s.shell(v, "usage", title)
	if err != nil {
		return err
	}
	sum, rows := money.Zero(m.Currency), int64(0)
	for _, c := range m.Cells {
		rows += c.Rows
		if sum, err = sum.Add(c.Sell); err != nil {
			return err
		}
	}
	whole := b.months[x.Month]
	board := ui.Board{Shell: shell, Head: ui.Head{
		Crumbs: []ui.Link{{Label: "Usage", Href: "/usage?account=" + string(b.Alias)}, {Label: x.Month.String(), Href: "/usage?account=" + string(b.Alias) + "&month=" + string(x.Month)}, {Label: title}},
		Title:  capitalized(title), Text: string(b.Alias) + " · " + x.Month.String() + ", " + kindOf(whole) + " · amounts in " + string(m.Currency) + " before tax",
	}}
	if rows > 0 && s.Records != nil {
		board.Head.Actions = []ui.Action{{Label: "Records as CSV", Icon: "download", Href: strings.Replace(sliceHref(x), string(x.Month), string(x.Month)+"/records.csv", 1)}}
	}
	board.Figures = []ui.Figure{
		{Label: "Amount, unrounded", Value: exactText(sum), Note: "Rounding happens once, on the invoice line"},
		{Label: "Share of the month", Value: or(shareOf(sum, whole.Sell), "–"), Note: "of " + coins(whole.Sell)},
		{Label: "Usage records", Value: ui.FormatAmount(strconv.FormatInt(rows, 10), ""), Note: "as Microsoft sent them"},
	}
	if len(m.Cells) == 0 {
		board.Panels = []ui.Panel{{Title: "Nothing", Text: []string{"Nothing of " + x.Month.String() + " is like that."}}}
		return v.page(ui.BoardView(board))
	}
	made, err := b.slicePanel(x, m)
	if err != nil {
		return err
	}
	why, err := s.whyPanel(v, x, m)
	if err != nil {
		return err
	}
	board.Panels = append([]ui.Panel{made}, why...)
	records, err := s.recordsPanel(v, x)
	if err != nil {
		return err
	}
	board.Panels = append(board.Panels, records)
	return v.page(ui.BoardView(board))
}

// slicePanel cuts the slice where it has not been cut yet.
func (b bills) slicePanel(x billing.Slice, m billing.AccountMonth) (ui.Panel, error) {
	sums, counts := map[detailKey]money.Amount{}, map[detailKey]int64{}
	for _, c := range m.Cells {
		k := detailKey{c.Entitlement, c.Category, c.Region}
		counts[k] += c.Rows
		if err := plusAt(sums, k, c.Sell); err != nil {
			return ui.Panel{}, err
		}
	}
	keys := make([]detailKey, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b detailKey) int {
		return cmp.Or(sums[b].Decimal().Cmp(sums[a].Decimal()), strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Service"}, {Label: "Provider"}, {Label: "Region"}, {Label: "Records", Right: true, Hide: true}, {Label: "Amount", Right: true}}}
	total := money.Zero(m.Currency)
	for _, k := range keys {
		one := billing.Slice{Account: x.Account, Month: x.Month, Entitlement: k.entitlement, Category: k.service, Region: k.region, Day: x.Day}
		href := sliceHref(one)
		if one == x {
			href = ""
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: k.service, Href: href}, {Text: b.sub(k.entitlement), Sub: k.entitlement}, {Text: k.region}, {Text: ui.FormatAmount(strconv.FormatInt(counts[k], 10), "")}, exactCell(sums[k])}})
		var err error
		if total, err = total.Add(sums[k]); err != nil {
			return ui.Panel{}, err
		}
	}
	g.Sums = []ui.GridRow{{Cells: []ui.Cell{{Text: "Sum"}, {}, {}, {}, exactCell(total)}}}
	return ui.Panel{Title: "What it is made of", Grid: &g}, nil
}

// reason is all charges that were priced alike.
type reason struct {
	meter, unit, rule, line string
	base                    rating.Base
	terms                   rating.Ref
	rate                    string // of the exchange, as text: decimals do not compare
	kind                    rating.Kind
	label                   string
	tiers                   bool
}

type reasoned struct {
	reason
	exchange   rating.Exchange
	quantity   decimal.Decimal
	rows       int64
	on, sell   money.Amount // the base, and what is paid
	parts      []rating.Part
	days       [2]usage.Day
	firstParts map[string]int
}

// whyMost is how many meters are explained on one page.
const whyMost = 25

// whyPanel says of each meter by which rule it became this amount, with the terms that
// are frozen onto the charge. A customer is not told what the partner pays.
func (s *Server) whyPanel(v *visit, x billing.Slice, m billing.AccountMonth) ([]ui.Panel, error) {
	p := ui.Panel{ID: "why", Title: "Why this amount?"}
	if s.Records == nil {
		p.Text = []string{"Prices are explained once usage is fetched on this installation."}
		return []ui.Panel{p}, nil
	}
	charges, err := s.Records.Charges(v.ctx(), x)
	if err != nil {
		return nil, err
	}
	list, err := reasonsOf(charges)
	if err != nil {
		return nil, err
	}
	p.Sub = fmt.Sprintf("%s, priced with the terms of %s", ui.Count(len(list), "meter", "meters"), m.Month)
	lists := map[rating.Ref]rating.List{}
	for i, r := range list {
		if i == whyMost {
			p.Foot.Text = fmt.Sprintf("The %d dearest of %d. Open a service, a region or a day above to see the others.", whyMost, len(list))
			break
		}
		l, err := s.listOf(v, r.terms, m.Currency, lists)
		if err != nil {
			return nil, err
		}
		f := ui.Fold{Title: or(r.meter, or(r.label, "Usage")), Sub: r.when(), Amount: exactText(r.sell), Open: len(list) == 1}
		g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Step"}, {Label: "Amount", Right: true}}}
		for _, t := range r.steps(v.me.Staff(), l) {
			row := ui.GridRow{Quiet: t.Tone == ui.ToneDraft, Cells: []ui.Cell{{Text: t.Name, Sub: t.Sub}, {Text: t.Amount}}}
			if t.Total {
				g.Sums = append(g.Sums, row)
			} else {
				g.Rows = append(g.Rows, row)
			}
		}
		f.Grid = &g
		p.Folds = append(p.Folds, f)
	}
	return []ui.Panel{p}, nil
}

func (r reasoned) when() string {
	s := dayWord(r.days[0])
	if r.days[0] != r.days[1] {
		s = strconv.Itoa(r.days[0].Time().Day()) + " to " + dayWord(r.days[1])
	}
	return s + " · " + ui.Count(int(r.rows), "record", "records")
}

func reasonsOf(charges []rating.Charge) ([]reasoned, error) {
	found := map[reason]*reasoned{}
	for _, c := range charges {
		k := reason{c.Group.MeterName, c.Group.Unit, c.Rule, c.Line, c.Base, c.Terms, fmt.Sprint(c.Rate), c.Kind, c.Label, c.Parts != nil}
		r := found[k]
		if r == nil {
			r = &reasoned{reason: k, exchange: c.Rate, on: money.Zero(c.Sell.Currency()), sell: money.Zero(c.Sell.Currency()), days: [2]usage.Day{c.Group.Day, c.Group.Day}, firstParts: map[string]int{}}
			found[k] = r
		}
		r.quantity, r.rows = r.quantity.Add(c.Group.Quantity), r.rows+c.Group.Rows
		r.days[0], r.days[1] = min(r.days[0], c.Group.Day), max(r.days[1], c.Group.Day)
		var err error
		if r.sell, err = r.sell.Add(c.Sell); err != nil {
			return nil, err
		}
		if c.Kind == rating.KindUsage && c.Base != "" {
			if r.on, err = r.on.Add(baseOf(c)); err != nil {
				return nil, err
			}
		}
		for _, part := range c.Parts {
			at, ok := r.firstParts[part.Price.String()]
			if !ok {
				at = len(r.parts)
				r.firstParts[part.Price.String()] = at
				r.parts = append(r.parts, rating.Part{Price: part.Price, Gives: money.Zero(part.Gives.Currency())})
			}
			p := &r.parts[at]
			p.Of = p.Of.Add(part.Of)
			if p.Gives, err = p.Gives.Add(part.Gives); err != nil {
				return nil, err
			}
		}
	}
	list := make([]reasoned, 0, len(found))
	for _, r := range found {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b reasoned) int {
		return cmp.Or(b.sell.Decimal().Cmp(a.sell.Decimal()), strings.Compare(a.meter+a.rule+a.label, b.meter+b.rule+b.label))
	})
	return list, nil
}

// baseOf is the amount that a rule's percent is taken of, in the account's currency.
func baseOf(c rating.Charge) money.Amount {
	billed, priced := c.Group.List, c.Group.PricedList
	switch c.Base {
	case rating.OnCost:
		billed, priced = c.Group.Cost, c.Group.PricedCost
	case rating.OnGross:
		billed, priced = c.Group.Gross, c.Group.PricedGross
	}
	if c.Rate.By == rating.ByPartner {
		return money.Must("1", c.Sell.Currency()).Times(priced.Decimal().Mul(c.Rate.Rate))
	}
	return billed
}

// steps are the steps from quantity to amount.
func (r reasoned) steps(staff bool, l rating.List) []ui.Term {
	var list []ui.Term
	amountOf := func(a money.Amount) string { return exactText(a) }
	quantity := ui.FormatAmount(r.quantity.String(), "") + " × " + r.unit
	percent := decimal.Decimal{}
	for _, x := range l.Rules {
		if x.ID == r.rule {
			percent = x.Percent
		}
	}
	baseWord := map[rating.Base]string{rating.OnList: "Microsoft's list price", rating.OnGross: "Microsoft's price before credit", rating.OnCost: "Microsoft's price to the partner"}[r.base]
	switch {
	case r.kind != rating.KindUsage:
		list = append(list, ui.Term{Name: or(r.label, "Charge of the month"), Sub: "rule " + r.rule, Amount: amountOf(r.sell)})
	case r.tiers:
		for _, p := range r.parts {
			list = append(list, ui.Term{Name: ui.FormatAmount(p.Of.String(), "") + " " + r.unit + " × " + ui.FormatAmount(p.Price.String(), ""), Sub: "a tier of the month", Amount: amountOf(p.Gives)})
		}
	case r.base == rating.OnList || staff:
		list = append(list, ui.Term{Name: baseWord, Sub: quantity, Amount: amountOf(r.on)})
		rest, err := r.sell.Sub(r.on)
		if err != nil || rest.IsZero() {
			break
		}
		step := r.on.Times(percent.Shift(-2))
		if !percent.IsZero() {
			word := "Mark-up of "
			if percent.Sign() < 0 {
				word = "Discount of "
			}
			list = append(list, ui.Term{Name: word + percent.Abs().String() + " %", Amount: amountOf(step)})
		}
		if credit, err := rest.Sub(step); err == nil && !credit.IsZero() {
			list = append(list, ui.Term{Name: "Microsoft's credit, passed on", Sub: l.EarnedShare.String() + " % of it", Amount: amountOf(credit)})
		}
	default:
		list = append(list, ui.Term{Name: "The agreed price", Sub: quantity, Amount: amountOf(r.sell)})
	}
	if r.exchange.From != "" && r.kind == rating.KindUsage {
		t := ui.Term{Name: fmt.Sprintf("Exchange rate, %s to %s", r.exchange.From, r.exchange.To), Amount: "not needed", Tone: ui.ToneDraft}
		if r.exchange.From != r.exchange.To {
			whose := "Microsoft's"
			if r.exchange.By == rating.ByPartner {
				whose = "the partner's"
			}
			t.Amount, t.Sub = r.exchange.Rate.String(), fmt.Sprintf("%s of %s, as of %s; inside the amounts above", whose, r.exchange.Month, dayWord(r.exchange.Day))
		}
		list = append(list, t)
	}
	list = append(list, ui.Term{Name: "Price list", Sub: fmt.Sprintf("rule “%s”, charged on the line “%s”", r.rule, r.line), Amount: fmt.Sprintf("%s, version %d", r.terms.List, r.terms.Version), Tone: ui.ToneDraft})
	return append(list, ui.Term{Name: "Unrounded", Amount: amountOf(r.sell), Total: true})
}

// listOf reads the version of a list that a charge names.
func (s *Server) listOf(v *visit, ref rating.Ref, c money.Currency, known map[rating.Ref]rating.List) (rating.List, error) {
	if l, ok := known[ref]; ok {
		return l, nil
	}
	if d := rating.Default(c); ref.List == d.ID {
		known[ref] = d
		return d, nil
	}
	versions, err := s.Prices.Versions(v.ctx(), account.System(), ref.List)
	if err != nil {
		return rating.List{}, err
	}
	at := slices.IndexFunc(versions, func(x price.Version) bool { return x.List.Version == ref.Version })
	if at < 0 {
		return rating.List{}, fmt.Errorf("there is no version %d of price list %s", ref.Version, ref.List)
	}
	known[ref] = versions[at].List
	return known[ref], nil
}

// columns of a record that a customer sees; the others say what the partner pays.
var customerColumns = []string{
	"UsageDate", "EntitlementId", "ResourceURI", "ResourceGroup", "ResourceLocation", "ConsumedService", "MeterCategory", "MeterSubCategory", "MeterName", "MeterRegion", "MeterId",
	"Quantity", "Unit", "UnitPrice", "PricingCurrency", "PCToBCExchangeRate", "BillingCurrency", "ChargeType", "PublisherName", "ProductName", "SkuName", "Tags",
}

// recordsPerPage is few, because the page shows more than records.
const recordsPerPage = 12

// pageColumns are the columns that the page shows something of.
var pageColumns = []string{
	"UsageDate", "ResourceURI", "ResourceGroup", "ResourceLocation", "MeterName", "MeterRegion", "Quantity", "Unit", "UnitPrice", "PricingCurrency", "ProductName", "BillingPreTaxTotal",
}

// recordsPanel shows single records as Microsoft sent them.
func (s *Server) recordsPanel(v *visit, x billing.Slice) (ui.Panel, error) {
	p := ui.Panel{ID: "records", Title: "Usage records"}
	if s.Records == nil {
		p.Text = []string{"Single records are shown once usage is fetched on this installation."}
		return p, nil
	}
	list, next, err := s.Records.Records(v.ctx(), x, v.form("after"), recordsPerPage, pageColumns...)
	if err != nil {
		return p, err
	}
	g := ui.Grid{Tight: true, Many: true, Columns: []ui.Column{{Label: "Resource"}, {Label: "Day (UTC)"}, {Label: "Meter"}, {Label: "Quantity", Right: true}, {Label: "Unit price", Right: true}}, Empty: ui.Note{Title: "No single records", Text: "What is charged by the month, such as a fee, has none."}}
	if v.me.Staff() {
		g.Columns = append(g.Columns, ui.Column{Label: "Cost", Right: true})
	}
	for _, r := range list {
		c := r.Columns
		day, _, _ := strings.Cut(c["UsageDate"], "T")
		name := c["ResourceURI"]
		name = name[strings.LastIndexByte(name, '/')+1:]
		row := ui.GridRow{Cells: []ui.Cell{{Text: or(name, or(c["ProductName"], "Without a resource")), Sub: c["ResourceGroup"]}, {Text: dayWord(usage.Day(day))}, {Text: c["MeterName"], Sub: or(c["ResourceLocation"], c["MeterRegion"])}, {Text: c["Quantity"], Sub: c["Unit"]}, {Text: c["UnitPrice"], Sub: c["PricingCurrency"]}}}
		if v.me.Staff() {
			row.Cells = append(row.Cells, ui.Cell{Text: c["BillingPreTaxTotal"], Sub: fmt.Sprintf("%s, line %d", r.File, r.Line)})
		}
		g.Rows = append(g.Rows, row)
	}
	g.Foot = v.foot("/usage/account/"+x.Account+"/"+string(x.Month), len(list), next, -1, "record", "records")
	if next != "" || v.form("after") != "" {
		g.Foot.Text = "" // pages here are shorter than those of lists, which count from them
		p.Sub = "As Microsoft sent them, by day; all of them are in the CSV"
	}
	p.Grid = &g
	return p, nil
}

// recordsFile: GET /usage/account/{alias}/{month}/records.csv is every record of a slice.
func (s *Server) recordsFile(v *visit) error {
	x, _, _, err := s.sliceOf(v)
	if err != nil {
		return err
	}
	if s.Records == nil {
		return fault.New(fault.Conflict, "There are no single records on this installation.")
	}
	list, next, err := s.Records.Records(v.ctx(), x, "", 1000)
	if err != nil {
		return err
	}
	columns := customerColumns
	if v.me.Staff() {
		columns = append(slices.Clone(columns), "EffectiveUnitPrice", "PricingPreTaxTotal", "BillingPreTaxTotal", "CreditType", "CreditPercentage")
	}
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="records-%s-%s.csv"`, x.Account, string(x.Month)))
	w := csv.NewWriter(v.w)
	if err := w.Write(columns); err != nil {
		return ignoreGone(v, err)
	}
	for {
		for _, r := range list {
			row := make([]string, len(columns))
			for i, c := range columns {
				row[i] = r.Columns[c]
			}
			if err := w.Write(spreadsheet(row)); err != nil {
				return ignoreGone(v, err)
			}
		}
		if next == "" {
			break
		}
		if list, next, err = s.Records.Records(v.ctx(), x, next, 1000); err != nil {
			s.Log.Error("an export broke off", "request", reference(v.r), "error", err)
			panic(http.ErrAbortHandler) // half a file must not look whole
		}
	}
	w.Flush()
	return ignoreGone(v, w.Error())
}
