package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/usage"
	"causeway/internal/web/ui"

	"github.com/shopspring/decimal"
)

// patterns are the ways to bill a month, as a list offers them.
var patterns = []ui.Option{
	{Value: "arrears 0", Label: "When Microsoft's invoice is there"},
	{Value: "arrears 1", Label: "One month after that"},
	{Value: "arrears 2", Label: "Two months after that"},
	{Value: "month-end", Label: "At the month's end from the estimate; the difference on the next invoice"},
	{Value: "settle", Label: "At the month's end from the estimate; the difference in a document of its own"},
}

// patternWords is a pattern as the list offers it.
func patternWords(p invoice.Pattern) string {
	for _, o := range patterns {
		if o.Value == p.String() {
			return o.Label
		}
	}
	return p.String()
}

// patternOf reads "arrears 1"; what is none is refused where it is checked.
func patternOf(s string) invoice.Pattern {
	way, months, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.Atoi(or(strings.TrimSpace(months), "0"))
	if err != nil {
		n = -1
	}
	return invoice.Pattern{Way: invoice.Way(way), Months: n}
}

// billingSettings: GET /staff/billing/settings is who sells, with which taxes, and how
// accounts are billed; ?seller=new begins a further seller.
func (s *Server) billingSettings(v *visit) error {
	p, err := s.billingSettingsPage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func (s *Server) billingSettingsPage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	c, err := s.cycle()
	if err != nil {
		return ui.SettingsPage{}, err
	}
	set, err := c.Setup(v.ctx())
	if err != nil {
		return ui.SettingsPage{}, err
	}
	p := ui.SettingsPage{
		Title: "Billing settings", Text: "Who sells, with which taxes, and how accounts are billed. Documents that were issued stay as they are.", Action: "/staff/billing/settings",
		Version: strconv.FormatInt(set.Version, 10), Off: v.may(account.ActBillingChange, ""), Saved: savedVersion(set.Version),
	}
	if p.Shell, err = s.shell(v, "billing-settings", p.Title); err != nil {
		return p, err
	}
	f := fields{v, errs, sent}
	p.Groups = []ui.FormGroup{{Title: "How accounts are billed", Text: "What an account decided for itself comes before it.", Fields: []ui.Field{
		f.one("pattern", "A month is billed", set.Pattern.String(), func(x *ui.Field) { x.Type, x.Options, x.Span = "select", patterns, "" }),
		f.one("pay_days", "Days to pay", strconv.Itoa(set.PayDays), number),
	}, Checks: []ui.CheckField{
		f.check("mail", "Documents are told by mail", "To an account's administrators and its billing contact.", set.Mail),
		f.check("spread", "An organization's credits come off its other accounts", "By adjustment lines that sum to zero.", set.Spread),
	}}}
	sellers := set.Sellers
	n := len(sellers)
	if x, err := strconv.Atoi(v.form("sellers")); sent && err == nil {
		n = min(max(x, 0), maxSellers)
	} else if v.form("seller") == "new" {
		n++
	}
	for i := range n {
		e := billing.Seller{}
		if i < len(sellers) {
			e = sellers[i]
		}
		p.Groups = append(p.Groups, sellerGroup(f, i, e))
	}
	p.Groups[0].Fields = append(p.Groups[0].Fields, ui.Field{ID: "sellers", Label: "Companies that sell", Value: strconv.Itoa(n), ReadOnly: true, Span: "2", Hint: "Each has a series of numbers of its own."},
		f.one("shared", "Shared reservations", sharedText(set.Shared), optional, lines(2), hint("order | account that pays for it | price of a unit, one a line"), mono))
	p.Panel = []ui.Section{
		{Title: "Sellers", Paragraphs: []string{"The first one sells, unless an account names another. Empty its id and its name to take one away; documents that it issued stay."}, Link: ui.Link{Label: "Add a seller", Href: "/staff/billing/settings?seller=new"}},
		{Title: "Taxes", Paragraphs: []string{
			"One rule a line: id | country | percent | label. The country is the buyer's: US, US-WA for a state, EU or * for many.",
			"More, where it is needed: | number=with or without a VAT number | class=saas | reverse | from=2026-01-01 | to=2026-12-31 | note=what the law wants to be said.",
			"A sale that no rule is for is not billed, never untaxed. Between member states of the EU the standard rules hold beside these.",
		}},
		{Title: "Shared reservations", Paragraphs: []string{"Microsoft sends what others use of a reservation without a price. Who uses it is charged the price of a unit, and the account that pays for it is credited."}},
	}
	if v.may(account.ActBillingChange, "") == "" {
		p.Panel = append(p.Panel, ui.Section{Title: "Accounting", Paragraphs: []string{"Documents and ledger entries can be told to the partner's accounting as they come."}, Link: ui.Link{Label: "Accounting", Href: "/staff/billing/accounting"}})
	}
	p.Panel = append(p.Panel, ui.Section{Title: "Nothing is lost", Paragraphs: []string{"Every version is kept, with who saved it and what it was before, in the audit."}, Link: ui.Link{Label: "Audit", Href: "/staff/audit"}})
	return p, nil
}

func savedVersion(n int64) string {
	if n == 0 {
		return "Never saved: this is what holds without a decision."
	}
	return fmt.Sprintf("Version %d", n)
}

// maxSellers is how many a form shows.
const maxSellers = 20

func sellerGroup(f fields, i int, e billing.Seller) ui.FormGroup {
	at := func(name string) string { return sellerField(i, name) }
	g := ui.FormGroup{Title: "Seller " + strconv.Itoa(i+1)}
	if e.ID != "" {
		g.Title = "Seller " + strconv.Itoa(i+1) + ": " + plain(or(e.Party.Name, e.ID))
	}
	g.Fields = []ui.Field{
		f.one(at("id"), "Id", e.ID, free, hint("Short, like main; accounts name it.")),
		f.one(at("prefix"), "Numbers begin with", e.Prefix, optional, free),
		f.one(at("name"), "Company as it is registered", e.Party.Name),
		f.one(at("vat"), "VAT or tax number", e.Party.VAT, optional, free),
		f.one(at("country"), "Country", e.Party.Country, free, hint("Two letters")),
		f.one(at("region"), "State", e.Party.Region, optional, free, hint("Where tax depends on it")),
		f.one(at("address"), "Address on documents", strings.Join(e.Party.Address, "\n"), optional, lines(3)),
		f.one(at("pay"), "How to pay", e.Pay, optional, lines(3), hint("E.g. a bank account; it stands on every document.")),
		f.one(at("tax"), "Taxes", taxText(e.Tax), optional, lines(4), hint("id | country | percent | label, one a line"), mono),
	}
	return g
}

// sellerField is the id of a seller's input.
func sellerField(i int, name string) string { return fmt.Sprintf("seller-%d-%s", i, name) }

// taxText writes rules, one a line.
func taxText(rules []invoice.TaxRule) string {
	var all []string
	for _, r := range rules {
		country := r.Country
		if r.Region != "" {
			country += "-" + r.Region
		}
		parts := []string{r.ID, country, r.Percent.String(), r.Label}
		for _, x := range []struct{ name, value string }{{"number", r.Number}, {"class", r.Class}, {"from", string(r.From)}, {"to", string(r.To)}, {"note", r.Note}} {
			if x.value != "" {
				parts = append(parts, x.name+"="+x.value)
			}
		}
		if r.Reverse {
			parts = append(parts, "reverse")
		}
		all = append(all, strings.Join(parts, " | "))
	}
	return strings.Join(all, "\n")
}

// taxRules reads them; field is where a line that cannot be read is named.
func taxRules(field, s string) (rules []invoice.TaxRule, wrong []fault.Refusal) {
	rowsOf(s, func(row int, parts []string) {
		refuse := func(reason, remedy string) {
			wrong = append(wrong, fault.Refusal{Field: field, Reason: fmt.Sprintf("Line %d: %s", row, reason), Remedy: remedy})
		}
		if len(parts) < 4 {
			refuse("a rule has at least four parts.", "Write it like us-wa | US-WA | 6.5 | Sales tax WA 6.5 %.")
			return
		}
		percent, ok := numberOf(parts[2])
		if !ok || percent.Abs().GreaterThan(decimal.NewFromInt(1000)) {
			refuse("“"+parts[2]+"” is no percentage.", "Write it like 6.5.")
			return
		}
		r := invoice.TaxRule{ID: parts[0], Percent: percent, Label: parts[3]}
		r.Country, r.Region, _ = strings.Cut(parts[1], "-")
		for _, x := range parts[4:] {
			name, value, _ := strings.Cut(x, "=")
			switch name {
			case "number":
				r.Number = value
			case "class":
				r.Class = value
			case "from":
				r.From = usage.Day(value)
			case "to":
				r.To = usage.Day(value)
			case "note":
				r.Note = value
			case "reverse":
				r.Reverse = true
			default:
				refuse("“"+x+"” is not known.", "Leave it out, or write number=, class=, from=, to=, note= or reverse.")
			}
		}
		rules = append(rules, r)
	})
	return rules, wrong
}

// sharedText writes shared reservations, one a line.
func sharedText(list []billing.SharedReservation) string {
	all := make([]string, len(list))
	for i, r := range list {
		all[i] = r.Order + " | " + r.Buyer + " | " + r.Price.Text() + " " + string(r.Price.Currency())
	}
	return strings.Join(all, "\n")
}

// sharedOf reads them.
func sharedOf(s string) (list []billing.SharedReservation, wrong []fault.Refusal) {
	rowsOf(s, func(row int, parts []string) {
		refuse := func(reason string) {
			wrong = append(wrong, fault.Refusal{Field: "shared", Reason: fmt.Sprintf("Line %d: %s", row, reason), Remedy: "Write it like 3f5a… | CTSO | 0.042 USD."})
		}
		if len(parts) != 3 {
			refuse("a shared reservation has three parts.")
			return
		}
		amount, currency, _ := strings.Cut(parts[2], " ")
		price, err := money.Parse(amount, money.Currency(strings.ToUpper(strings.TrimSpace(currency))))
		if err != nil {
			refuse("“" + parts[2] + "” is no price.")
			return
		}
		list = append(list, billing.SharedReservation{Order: parts[0], Buyer: strings.ToUpper(parts[1]), Price: price})
	})
	return list, wrong
}

// rowsOf gives the lines of an input that are not empty, with their number, cut at bars.
func rowsOf(s string, use func(row int, parts []string)) {
	for i, line := range strings.Split(s, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		parts := strings.Split(line, "|")
		for j := range parts {
			parts[j] = strings.TrimSpace(parts[j])
		}
		use(i+1, parts)
	}
}

// saveBillingSettings: POST /staff/billing/settings.
func (s *Server) saveBillingSettings(v *visit) error {
	return s.answer(v, s.setBillingSettings(v), "/staff/billing/settings", func(errs ui.Errors) (ui.SettingsPage, error) {
		for i, e := range errs { // "sellers[0].tax" is seller-0-tax here
			if rest, ok := strings.CutPrefix(e.Field, "sellers["); ok {
				n, name, _ := strings.Cut(rest, "].")
				errs[i].Field = "seller-" + n + "-" + name
			}
		}
		return s.billingSettingsPage(v, errs, true)
	})
}

func (s *Server) setBillingSettings(v *visit) error {
	if err := account.May(v.me, account.ActBillingChange, ""); err != nil {
		return err
	}
	c, err := s.cycle()
	if err != nil {
		return err
	}
	set, err := c.Setup(v.ctx())
	if err != nil {
		return err
	}
	n := &numbers{v: v}
	n.one("pay_days", "The number of days", &set.PayDays)
	set.Pattern, set.Mail, set.Spread = patternOf(v.form("pattern")), v.form("mail") == "yes", v.form("spread") == "yes"
	var wrong []fault.Refusal
	set.Shared, wrong = sharedOf(strings.ReplaceAll(v.form("shared"), "\r\n", "\n"))
	n.wrong = append(n.wrong, wrong...)
	count := 0
	n.one("sellers", "The number of sellers", &count)
	set.Sellers = nil
	for i := range min(max(count, 0), maxSellers) {
		at := func(name string) string { return strings.ReplaceAll(v.form(sellerField(i, name)), "\r\n", "\n") }
		if at("id") == "" && at("name") == "" {
			continue
		}
		e := billing.Seller{
			ID: at("id"), Prefix: at("prefix"), Pay: at("pay"),
			Party: invoice.Party{Name: at("name"), Country: strings.ToUpper(at("country")), Region: at("region"), VAT: at("vat")},
		}
		for _, l := range strings.Split(at("address"), "\n") {
			if l = strings.TrimSpace(l); l != "" {
				e.Party.Address = append(e.Party.Address, l)
			}
		}
		e.Tax, wrong = taxRules(sellerField(i, "tax"), at("tax"))
		n.wrong = append(n.wrong, wrong...)
		set.Sellers = append(set.Sellers, e)
	}
	if len(n.wrong) > 0 {
		return fault.Refuse(n.wrong...)
	}
	return c.SetSetup(v.ctx(), v.me, v.version(), set)
}

// accountBilling: GET /staff/billing/accounts/{alias} is how one account is billed.
func (s *Server) accountBilling(v *visit) error {
	p, err := s.accountBillingPage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func (s *Server) accountBillingPage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	c, err := s.cycle()
	if err != nil {
		return ui.SettingsPage{}, err
	}
	a, err := s.accountFor(v, account.Alias(v.r.PathValue("alias")))
	if err != nil {
		return ui.SettingsPage{}, err
	}
	own, err := c.AccountSetup(v.ctx(), string(a.Alias))
	if err != nil {
		return ui.SettingsPage{}, err
	}
	set, err := c.Setup(v.ctx())
	if err != nil {
		return ui.SettingsPage{}, err
	}
	p := ui.SettingsPage{
		Title: "How " + string(a.Alias) + " is billed", Text: plain(a.Name) + " · what is left empty is as the partner's settings say", Action: "/staff/billing/accounts/" + string(a.Alias),
		Version: strconv.FormatInt(own.Version, 10), Off: v.may(account.ActBillingChange, ""), Saved: savedVersion(own.Version),
	}
	if p.Shell, err = s.shell(v, "billing-settings", p.Title); err != nil {
		return p, err
	}
	f := fields{v, errs, sent}
	sellers := []ui.Option{{Value: "", Label: "The first: " + set.Sellers[0].Party.Name}}
	for _, e := range set.Sellers {
		sellers = append(sellers, ui.Option{Value: e.ID, Label: e.ID + " · " + e.Party.Name})
	}
	p.Groups = []ui.FormGroup{
		{Title: "Document", Fields: []ui.Field{
			f.one("seller", "Who sells", own.Seller, choice(sellers)),
			f.one("currency", "Currency", string(own.Currency), optional, func(x *ui.Field) { x.Spellfree, x.MaxLength = true, 3 }, hint("Empty: the one that Microsoft bills in")),
			f.one("vat", "VAT or tax number of the company", own.VAT, optional, free),
		}},
		{Title: "When", Text: "A pattern belongs to months of usage. The pattern of a month that was billed stays.", Fields: []ui.Field{
			f.one("pattern", "Patterns", switchText(own.Switches), optional, lines(3), hint("One a line, each with the month that it begins with: 2026-11 arrears 1. The first may have none: it holds from the beginning. month-end, settle, arrears 0 to 2."), mono),
		}},
		{Title: "Cost centers", Text: "A subscription of a cost center is billed in a document of its own.", Fields: []ui.Field{
			f.one("cost_centers", "Subscription = cost center", centerText(own.CostCenters), optional, lines(3), hint("One a line"), mono),
		}},
	}
	p.Panel = []ui.Section{{Title: "The partner's settings", Pairs: []ui.Pair{{Name: "A month is billed", Value: patternWords(set.Pattern)}, {Name: "Days to pay", Value: strconv.Itoa(set.PayDays)}}, Link: ui.Link{Label: "Billing settings", Href: "/staff/billing/settings"}},
		{Title: "The account", Link: ui.Link{Label: string(a.Alias) + " · " + a.Name, Href: "/accounts/" + string(a.Alias)}}}
	return p, nil
}

// switchText writes patterns, one a line.
func switchText(list []invoice.Switch) string {
	var all []string
	for _, x := range list {
		all = append(all, strings.TrimSpace(string(x.From)+" "+x.Pattern.String()))
	}
	return strings.Join(all, "\n")
}

func switchesOf(s string) []invoice.Switch {
	var list []invoice.Switch
	for _, line := range strings.Split(s, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		x := invoice.Switch{}
		if line[0] >= '0' && line[0] <= '9' {
			from, rest, _ := strings.Cut(line, " ")
			x.From, line = usage.Month(from), rest
		}
		x.Pattern = patternOf(line)
		list = append(list, x)
	}
	return list
}

func centerText(centers map[string]string) string {
	var all []string
	for id, name := range centers {
		all = append(all, id+" = "+name)
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// saveAccountBilling: POST /staff/billing/accounts/{alias}.
func (s *Server) saveAccountBilling(v *visit) error {
	return s.answer(v, s.setAccountBilling(v), "/staff/billing/accounts/"+v.r.PathValue("alias"), func(errs ui.Errors) (ui.SettingsPage, error) {
		return s.accountBillingPage(v, errs, true)
	})
}

func (s *Server) setAccountBilling(v *visit) error {
	if err := account.May(v.me, account.ActBillingChange, ""); err != nil {
		return err
	}
	c, err := s.cycle()
	if err != nil {
		return err
	}
	alias := account.Alias(v.r.PathValue("alias"))
	own, err := c.AccountSetup(v.ctx(), string(alias))
	if err != nil {
		return err
	}
	own.Seller, own.Currency, own.VAT = v.form("seller"), money.Currency(strings.ToUpper(v.form("currency"))), v.form("vat")
	own.Switches, own.CostCenters = switchesOf(v.form("pattern")), nil
	for _, line := range strings.Split(v.form("cost_centers"), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		id, name, ok := strings.Cut(line, "=")
		if !ok {
			return fault.Field("cost_centers", "“"+line+"” names no cost center.", "Write it like subscription = name.")
		}
		if own.CostCenters == nil {
			own.CostCenters = map[string]string{}
		}
		own.CostCenters[strings.TrimSpace(id)] = strings.TrimSpace(name)
	}
	return c.SetAccountSetup(v.ctx(), v.me, alias, v.version(), own)
}

// accounting: GET /staff/billing/accounting is where accounting is told, and what it was
// not told yet.
func (s *Server) accounting(v *visit) error {
	p, err := s.accountingPage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func (s *Server) accountingPage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	c, err := s.cycle()
	if err != nil {
		return ui.SettingsPage{}, err
	}
	to, err := c.AccountingHook(v.ctx(), v.me)
	if err != nil {
		return ui.SettingsPage{}, err
	}
	open, err := c.AccountingOpen(v.ctx(), v.me)
	if err != nil {
		return ui.SettingsPage{}, err
	}
	p := ui.SettingsPage{Title: "Accounting", Text: "Documents and ledger entries are told by a webhook as they come, until each arrived.", Action: "/staff/billing/accounting", Off: v.may(account.ActBillingChange, "")}
	if p.Shell, err = s.shell(v, "billing-settings", p.Title); err != nil {
		return p, err
	}
	p.Saved = "Nobody is told."
	if to != "" {
		p.Saved = "Told: " + to
	}
	f := fields{v, errs, sent}
	p.Groups = []ui.FormGroup{{Title: "Webhook", Text: "As www.standardwebhooks.com describes it.", Fields: []ui.Field{
		f.one("url", "Address", to, optional, wide, hint("With https. Empty: nobody is told."), func(x *ui.Field) { x.Type, x.Spellfree = "url", true }),
		f.one("secret", "Secret that signs what is sent", "", optional, wide, hint("At least 24 random bytes, or whsec_ and base64. It is sealed, and never shown again."), func(x *ui.Field) { x.Type, x.Complete = "password", "new-password" }),
	}}}
	for i := range p.Groups[0].Fields { // a secret is typed anew each time
		if x := &p.Groups[0].Fields[i]; x.ID == "secret" {
			x.Value = ""
		}
	}
	waits := ui.Section{Title: ui.Count(len(open), "event", "events") + " not told yet"}
	for i, d := range open {
		if i == 5 {
			break
		}
		waits.Items = append(waits.Items, fmt.Sprintf("%s · %s · next try %s %s", d.ID, ui.Count(int(d.Attempts), "try", "tries"), v.moment(d.Next), d.Answer))
	}
	p.Panel = []ui.Section{waits, {Title: "Billing settings", Link: ui.Link{Label: "Who sells, and how", Href: "/staff/billing/settings"}}}
	return p, nil
}

// saveAccounting: POST /staff/billing/accounting.
func (s *Server) saveAccounting(v *visit) error {
	c, err := s.cycle()
	if err != nil {
		return err
	}
	err = c.SetAccountingHook(v.ctx(), v.me, v.form("url"), v.form("secret"))
	return s.answer(v, err, "/staff/billing/accounting", func(errs ui.Errors) (ui.SettingsPage, error) { return s.accountingPage(v, errs, true) })
}
