package web

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/price"
	"causeway/internal/rating"
	"causeway/internal/web/ui"

	"github.com/shopspring/decimal"
)

// listPart is what is edited at once of a price list: "terms", "support", or one of its
// "rules", "fees", "minimums" or "lines". Without an id it is one that begins.
type listPart struct{ kind, id string }

// partNames are the kinds, as a page calls one of them.
var partNames = map[string]string{"terms": "currency and credit", "rules": "rule", "fees": "monthly fee", "minimums": "minimum", "support": "support charge", "lines": "invoice line"}

// partOf reads "rules.storage"; without a word it is the terms.
func partOf(s string) listPart {
	kind, id, _ := strings.Cut(or(s, "terms"), ".")
	return listPart{kind, id}
}

func (p listPart) at(list string) string {
	of := p.kind
	if p.id != "" {
		of += "." + p.id
	}
	return link("/staff/prices/"+list+"/part", url.Values{"of": {of}})
}

func (p listPart) title() string {
	name := partNames[p.kind]
	switch {
	case p.kind == "terms":
		return "Currency and earned credit"
	case p.id == "":
		return "New " + name
	case p.kind == "support": // there is one at most
		return "Support charge"
	}
	return strings.ToUpper(name[:1]) + name[1:] + " " + p.id
}

// pricePart: GET /staff/prices/{list}/part?of=rules.storage edits a part of a list;
// ?of=rules begins another rule.
func (s *Server) pricePart(v *visit) error {
	p, err := s.pricePartPage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func (s *Server) pricePartPage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	newest, err := s.newestPrices(v)
	if err != nil {
		return ui.SettingsPage{}, err
	}
	l, of := newest.List, partOf(v.form("of"))
	f := fields{v, errs, sent}
	groups, err := of.groups(f, l)
	if err != nil {
		return ui.SettingsPage{}, err
	}
	at, off := "/staff/prices/"+l.ID, v.may(account.ActPriceChange, "")
	p := ui.SettingsPage{
		Crumbs: []ui.Link{{Label: "Price lists", Href: "/staff/prices"}, {Label: l.ID, Href: at}, {Label: of.title()}}, Title: of.title(), Text: plain(l.ID) + " · saved as a draft, which accounts pay from the day that you activate it",
		Action: of.at(l.ID), Version: newest.Hash, Groups: groups, Off: off, Button: "Save draft",
	}
	if p.Shell, err = s.shell(v, "prices", p.Title); err != nil {
		return p, err
	}
	why := reasonFor(f, newest)
	p.Groups = append(p.Groups, ui.FormGroup{Title: "Reason", Fields: []ui.Field{why}})
	if newest.State == price.Draft {
		p.Saved = fmt.Sprintf("Version %d is a draft: it is changed.", l.Version)
	} else {
		p.Saved = fmt.Sprintf("Version %d stays as it is: a draft follows it.", l.Version)
	}
	if of.id != "" {
		reason := why
		reason.ID, reason.Name, reason.Error = "remove-note", "note", ""
		p.Actions = []ui.Action{{ID: "remove", Label: "Remove…", Icon: "x", Dialog: "remove-part", Off: off}}
		p.Dialogs = []ui.FormDialog{{
			ID: "remove-part", Title: "Remove " + partNames[of.kind] + " " + of.id, Text: "The draft has it no more. What accounts pay changes when the draft is activated.", Action: of.at(l.ID), Button: "Remove", Busy: "Removing…", Danger: true,
			Hidden: []ui.Pair{{Name: "version", Value: newest.Hash}, {Name: "remove", Value: "yes"}}, Fields: []ui.Field{reason},
		}}
	}
	p.Panel = partHelp[of.kind]
	return p, nil
}

var partHelp = map[string][]ui.Section{
	"rules": {
		{Title: "Which rule counts", Paragraphs: []string{"The narrowest rule that fits some usage. Two that claim the same usage, with neither the narrower, are refused, and so is a list without a rule for all usage."}},
		{Title: "Values", Paragraphs: []string{"As Microsoft writes them, in capitals or not; several with bars between them: Storage | Bandwidth. What is left empty takes everything."}},
		{Title: "Below cost", Paragraphs: []string{"A rule that sold last month's usage below its cost is refused, unless it says why it may."}},
	},
	"fees":     {{Title: "Once a month", Paragraphs: []string{"A fee is charged whole: it is not divided by days. A reduction is no fee but a discount of a rule."}}},
	"minimums": {{Title: "What is missing", Paragraphs: []string{"If the usage brings less in a month, the rest is a line of its own. A month without such usage has none."}}},
	"support":  {{Title: "A share of the spend", Paragraphs: []string{"Each step takes its percent of the spend that falls into it, as graduated tiers do."}}},
	"lines":    {{Title: "The split of the invoice", Paragraphs: []string{"Without lines there is one. With lines, one of them is for all usage: it has no conditions and takes what the others leave."}}},
	"terms":    {{Title: "Earned credit", Paragraphs: []string{"Microsoft's pay for managing a subscription. 0 keeps it, 100 passes it on to the customer."}}},
}

// matchInput is a condition as an input.
type matchInput struct {
	id, label, hint string
	of              func(*rating.Match) *[]string
}

var matchInputs = []matchInput{
	{"category", "Category", "", func(m *rating.Match) *[]string { return &m.Category }},
	{"subcategory", "Subcategory", "", func(m *rating.Match) *[]string { return &m.Subcategory }},
	{"service", "Service", "", func(m *rating.Match) *[]string { return &m.Service }},
	{"meter", "Meter", "Its id", func(m *rating.Match) *[]string { return &m.Meter }},
	{"region", "Region", "", func(m *rating.Match) *[]string { return &m.Region }},
	{"publisher", "Publisher", "", func(m *rating.Match) *[]string { return &m.Publisher }},
	{"source", "Whose service", "microsoft or third-party", func(m *rating.Match) *[]string { return &m.Source }},
	{"charge_type", "Charge type", "", func(m *rating.Match) *[]string { return &m.ChargeType }},
	{"reservation", "Reservation", "An order, any or none", func(m *rating.Match) *[]string { return &m.Reservation }},
	{"credit", "Credit", "none, azure or earned", func(m *rating.Match) *[]string { return &m.Credit }},
	{"product", "Product", "", func(m *rating.Match) *[]string { return &m.Product }},
	{"sku", "SKU", "", func(m *rating.Match) *[]string { return &m.SKU }},
	{"entitlement", "Subscription", "Its id", func(m *rating.Match) *[]string { return &m.Entitlement }},
}

// uncut tells whether a value comes back from an input as it was: with a bar, a line or
// blanks around it, or without a letter, it would not.
func uncut(s string) bool {
	return s != "" && s == strings.TrimSpace(s) && !strings.ContainsAny(s, "|\r\n")
}

// allUncut tells it of several.
func allUncut(all []string) bool {
	return !slices.ContainsFunc(all, func(s string) bool { return !uncut(s) })
}

// matchGroup edits for which usage something is. Values that would be cut are for JSON alone.
func matchGroup(f fields, m rating.Match) (ui.FormGroup, error) {
	g := ui.FormGroup{Title: "For which usage", Text: "What is left empty takes everything; several values with | between them."}
	whole := true
	for _, x := range matchInputs {
		values := *x.of(&m)
		whole = whole && allUncut(values)
		g.Fields = append(g.Fields, f.one(x.id, x.label, strings.Join(values, " | "), optional, hint(x.hint), func(i *ui.Field) { i.Spellfree, i.Span = true, "2" }))
	}
	var tags []string
	for _, name := range slices.Sorted(maps.Keys(m.Tags)) {
		parts := append([]string{name}, m.Tags[name]...)
		whole = whole && allUncut(parts)
		tags = append(tags, strings.Join(parts, " | "))
	}
	g.Fields = append(g.Fields, f.one("tags", "Tags", strings.Join(tags, "\n"), optional, lines(2), hint("name | value | another value, one tag a line; case counts in values"), mono))
	if !whole {
		return g, fault.New(fault.Conflict, "One of its values is empty, or has a bar, a line or blanks around it, which a form would lose. Edit the list as JSON.")
	}
	return g, nil
}

// groups are the inputs of a part, which has to be there if it has an id.
func (p listPart) groups(f fields, l rating.List) ([]ui.FormGroup, error) {
	own := ui.FormGroup{Title: "What it is"}
	name := f.one("id", "Name", p.id, hint("Short; it stays in all versions."), func(x *ui.Field) { x.Spellfree, x.MaxLength, x.ReadOnly = true, 60, p.id != "" })
	amount := func(label string, d decimal.Decimal) ui.Field {
		return f.one("amount", label, d.String(), func(x *ui.Field) { x.Inputmode, x.Suffix = "decimal", string(l.Currency) })
	}
	missing := fault.New(fault.NotFound, "Price list %s has no such part.", l.ID)
	var match rating.Match
	switch p.kind {
	case "terms":
		if p.id != "" {
			return nil, missing
		}
		own.Fields = termFields(f, l)
		return []ui.FormGroup{own}, nil
	case "rules":
		r, ok := find(l.Rules, p.id, ruleID)
		if !ok {
			return nil, missing
		}
		if p.id == "" {
			r.Base = rating.OnList
		}
		own.Title, own.Fields = "Price", append([]ui.Field{name}, baseFields(f, r.Base, r.Percent, append(bases[:len(bases):len(bases)], ui.Option{Value: "", Label: "Nothing: tiers with unit prices"}))...)
		own.Fields = append(own.Fields, f.one("below_cost", "Why it may sell below cost", r.BelowCost, optional, wide, hint("Empty: it may not. Who saves it signs for it in the audit."), func(x *ui.Field) { x.MaxLength = 500 }))
		g, err := matchGroup(f, r.Match)
		return []ui.FormGroup{own, g, tierGroup(f, r.Tiers)}, err
	case "fees":
		x, ok := find(l.Fees, p.id, feeID)
		if !ok {
			return nil, missing
		}
		own.Fields = []ui.Field{name, f.one("label", "On the invoice", x.Label), amount("A month", x.Amount)}
		own.Checks = []ui.CheckField{f.check("always", "Also in a month without such usage", "", x.Always)}
		match = x.Match
	case "minimums":
		x, ok := find(l.Minimums, p.id, minimumID)
		if !ok {
			return nil, missing
		}
		own.Fields = []ui.Field{name, f.one("label", "On the invoice", x.Label), amount("A month brings at least", x.Amount)}
		match = x.Match
	case "lines":
		x, ok := find(l.Lines, p.id, lineID)
		if !ok {
			return nil, missing
		}
		own.Fields = []ui.Field{name, f.one("label", "On the invoice", x.Label), f.one("late", "When a later month corrects it", x.Late)}
		match = x.Match
	case "support":
		x := rating.Support{}
		if l.Support != nil {
			x = *l.Support
		}
		if x.ID != p.id && p.id != "" || x.ID != "" && p.id == "" { // there is one at most
			return nil, missing
		}
		own.Fields = []ui.Field{name, f.one("label", "On the invoice", x.Label), amount("A month brings at least", x.Minimum),
			f.one("steps", "Steps", stepText(x.Steps, stepPercent), lines(4), hint("spend up to | percent, one a line; the last is: rest | percent"), mono)}
		return []ui.FormGroup{own}, nil
	default:
		return nil, missing
	}
	g, err := matchGroup(f, match)
	return []ui.FormGroup{own, g}, err
}

// termFields are what holds for a whole list.
func termFields(f fields, l rating.List) []ui.Field {
	return []ui.Field{
		f.one("currency", "Currency", string(l.Currency), hint("Of its fees and unit prices, and of the accounts that it is for"), func(x *ui.Field) { x.Spellfree, x.MaxLength = true, 3 }),
		f.one("exchange", "Exchange rates", string(l.Exchange), choice(exchanges)),
		f.one("earned_share", "The customer's share of the earned credit", l.EarnedShare.String(), func(x *ui.Field) { x.Inputmode, x.Suffix = "decimal", "%" }),
	}
}

var exchanges = []ui.Option{{Value: string(rating.ByMicrosoft), Label: "Microsoft's of the month"}, {Value: string(rating.ByPartner), Label: "Our own"}}

var bases = []ui.Option{
	{Value: string(rating.OnList), Label: "Microsoft's list price"}, {Value: string(rating.OnGross), Label: "Cost before the earned credit"},
	{Value: string(rating.OnCost), Label: "Cost"},
}

func baseFields(f fields, base rating.Base, percent decimal.Decimal, from []ui.Option) []ui.Field {
	return []ui.Field{
		f.one("base", "A percent of", string(base), choice(from)),
		f.one("percent", "Mark-up or discount", percent.String(), hint("10 is a mark-up, −10 a discount"), func(x *ui.Field) { x.Inputmode, x.Suffix = "decimal", "%" }),
	}
}

func tierGroup(f fields, t *rating.Tiers) ui.FormGroup {
	x := rating.Tiers{How: rating.Graduated}
	if t != nil {
		x = *t
	}
	value := stepPrice
	if x.Of == rating.OfMoney {
		value = stepPercent
	}
	return ui.FormGroup{Title: "Tiers", Text: "Prices by how much there was in the month. They take the place of the percent above.", Fields: []ui.Field{
		f.one("tiers", "Tiers count", string(x.Of), choice([]ui.Option{{Value: "", Label: "Nothing: there are none"}, {Value: string(rating.OfQuantity), Label: "Quantity; each has the price of a unit"}, {Value: string(rating.OfMoney), Label: "Money; each has a percent"}})),
		f.one("how", "A tier is for", string(x.How), choice([]ui.Option{{Value: string(rating.Graduated), Label: "What falls into it (graduated)"}, {Value: string(rating.Volume), Label: "All of a month that reaches it (volume)"}})),
		f.one("steps", "Tiers", stepText(x.Steps, value), optional, lines(4), hint("up to | price or percent, one a line; the last is: rest | price or percent"), mono),
	}}
}

func stepPrice(s *rating.Step) *decimal.Decimal   { return &s.Price }
func stepPercent(s *rating.Step) *decimal.Decimal { return &s.Percent }

// stepText writes steps, one a line.
func stepText(steps []rating.Step, value func(*rating.Step) *decimal.Decimal) string {
	var all []string
	for _, s := range steps {
		end := "rest"
		if s.UpTo != nil {
			end = s.UpTo.String()
		}
		all = append(all, end+" | "+value(&s).String())
	}
	return strings.Join(all, "\n")
}

func ruleID(x rating.Rule) string       { return x.ID }
func feeID(x rating.Fee) string         { return x.ID }
func minimumID(x rating.Minimum) string { return x.ID }
func lineID(x rating.Line) string       { return x.ID }

// find gives what has an id; without one, something new.
func find[T any](all []T, id string, of func(T) string) (x T, ok bool) {
	if id == "" {
		return x, true
	}
	i := slices.IndexFunc(all, func(x T) bool { return of(x) == id })
	if i < 0 {
		return x, false
	}
	return all[i], true
}

// put takes the place of what has the id, or comes last.
func put[T any](all []T, id string, x T, of func(T) string) []T {
	if i := slices.IndexFunc(all, func(x T) bool { return of(x) == id }); i >= 0 && id != "" {
		all[i] = x
		return all
	}
	return append(all, x)
}

// newPrices begins a list: one percent on one base for all usage. Rules, fees and all
// the rest come after that, on its page.
func newPrices(v *visit, errs ui.Errors, sent bool) ui.BoardForm {
	f := fields{v, errs, sent}
	l := rating.Default("USD")
	in := append([]ui.Field{f.one("id", "Name", "", func(x *ui.Field) { x.Spellfree, x.MaxLength = true, 60 })}, termFields(f, l)...)
	in = append(in, baseFields(f, rating.OnList, decimal.Zero, bases)...)
	in = append(in, reasonFor(f, price.Version{}))
	return ui.BoardForm{
		Title: "New price list", Text: "It begins with one price for all usage; rules for some of it, fees and tiers come on its page. It is in force only from the day that you activate it.", Action: "/staff/prices", Errors: errs, Fields: in,
		Button: ui.Action{ID: "save-list", Label: "Save draft", Variant: "primary", Submit: true, Busy: "Checking…", Off: v.may(account.ActPriceChange, "")},
	}
}
