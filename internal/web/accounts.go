package web

import (
	"fmt"
	"strings"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

// listAccounts: GET /accounts?q=&after=.
func (s *Server) listAccounts(v *visit) error {
	f := account.Filter{Search: v.form("q"), After: account.Alias(v.form("after")), Limit: perPage + 1}
	if !v.me.Staff() {
		org := v.me.Org
		f.Org = &org
	}
	if len(f.Search) > 200 || len(f.After) > 10 {
		return fault.New(fault.Invalid, "What you look for is too long.")
	}
	list, err := s.People.Accounts(v.ctx(), f)
	if err != nil {
		return err
	}
	next := ""
	if len(list) > perPage {
		list = list[:perPage]
		next = string(list[perPage-1].Alias)
	}
	shell, err := s.shell(v, "accounts", v.words.AccountWordPlural)
	if err != nil {
		return err
	}
	p := ui.AccountsPage{Shell: shell, Filter: ui.Filter{Action: "/accounts", Query: f.Search, Placeholder: "Alias, name or company"}}
	for _, a := range list {
		ch, err := s.choiceOf(v, a.Alias, v.rules.DefaultBudget)
		if err != nil {
			return err
		}
		row := ui.AccountRow{
			Alias: string(a.Alias), Name: a.Name, Where: where(a), Parent: string(a.Parent), Providers: ch.Providers, Limit: amount(a.CreditLimit),
			Allowed: ch.Verdict.Eligible, Reasons: rulesOf(ch),
		}
		for _, l := range ch.Verdict.Lifted {
			row.Asked = "Exception " + l.Request
			if !l.Until.IsZero() {
				row.Asked += " until " + v.day(l.Until)
			}
		}
		p.Rows = append(p.Rows, row)
	}
	p.Foot = v.foot("/accounts", len(list), next, -1, "account", "accounts")
	return v.page(ui.Accounts(p))
}

func where(a account.Account) string {
	parts := []string{}
	if c := address.City(a.Address); c != "" {
		parts = append(parts, c)
	}
	return strings.Join(append(parts, address.CountryName(a.Address.Country)), ", ")
}

// accountFor reads an account that this person may see.
func (s *Server) accountFor(v *visit, alias account.Alias) (account.Account, error) {
	if len(alias) > 10 {
		return account.Account{}, fault.New(fault.NotFound, "There is no such account.")
	}
	a, err := s.People.Account(v.ctx(), alias)
	if err != nil {
		return a, err
	}
	return a, account.May(v.me, account.ActAccountView, a.Org)
}

// account: GET /accounts/{alias} is the association seen from the account's side.
func (s *Server) account(v *visit) error {
	a, err := s.accountFor(v, account.Alias(v.r.PathValue("alias")))
	if err != nil {
		return err
	}
	ch, err := s.choiceOf(v, a.Alias, v.rules.DefaultBudget)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "accounts", string(a.Alias))
	if err != nil {
		return err
	}
	p := ui.AccountPage{Shell: shell, Alias: string(a.Alias), Name: a.Name, Allowed: ch.Verdict.Eligible, Reasons: rulesOf(ch), AskOff: v.may(account.ActExceptionAsk, a.Org)}
	if !ch.Verdict.CanAsk() && !p.Allowed {
		p.AskOff = "An exception cannot lift this."
	}
	if v.me.Staff() {
		p.AskOff = "The customer asks; staff decide."
	}
	if err := s.exceptionNote(v, a.Alias, &p); err != nil {
		return err
	}
	p.Facts = accountFacts(v, a)
	if v.may(account.ActBillingView, "") == "" && s.Billing != nil {
		p.Facts = append(p.Facts, ui.KV{Key: "Billing", Value: "Seller, currency, pattern", Link: ui.Link{Label: "How it is billed", Href: "/staff/billing/accounts/" + string(a.Alias)}})
	}
	for i := len(ch.Ancestors) - 1; i >= 0; i-- {
		p.Ancestors = append(p.Ancestors, s.ancestor(v, ch.Ancestors[i]))
	}
	p.Ancestors = append(p.Ancestors, ui.Link{Label: string(a.Alias) + " · " + a.Name})
	admins, err := s.People.Administrators(v.ctx(), a.Alias)
	if err != nil {
		return err
	}
	for _, x := range admins {
		kv := ui.KV{Key: x.Login, Value: "since " + v.day(x.AddedAt)}
		if !x.Active {
			kv.Value, kv.Tone = "inactive", ui.ToneStuck
		}
		p.Administrators = append(p.Administrators, kv)
	}
	if err := s.pays(v, a, &p); err != nil {
		return err
	}
	if err := s.acceptedFor(v, a, &p); err != nil {
		return err
	}
	p.Budgets = budgets(ch.Committed, a.CreditLimit, ch.Providers)
	return v.page(ui.Account(p))
}

// ancestor is one account above; another organization's is named and not opened.
func (s *Server) ancestor(v *visit, a account.Account) ui.Link {
	l := ui.Link{Label: string(a.Alias) + " · " + a.Name, Href: "/accounts/" + string(a.Alias)}
	if v.may(account.ActAccountView, a.Org) != "" {
		l.Href = ""
	}
	return l
}

func accountFacts(v *visit, a account.Account) []ui.KV {
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return "no"
	}
	list := []ui.KV{
		{Key: "Company", Value: plain(a.Legal()), Sub: a.RegistrationNumber},
		{Key: "Address", Value: plain(address.Line(a.Address) + ", " + address.CountryName(a.Address.Country))},
		{Key: "Contact", Value: plain(a.Contact.FirstName + " " + a.Contact.LastName), Sub: a.Contact.Email},
		{Key: "Credit limit", Value: amount(a.CreditLimit)},
		{Key: "Billable", Value: yes(a.Billable)},
	}
	for _, f := range []struct {
		on   bool
		word string
	}{{a.Reseller, "Reseller"}, {a.Demo, "Demo account"}, {a.Internal, "Internal account"}, {a.PublicSector, "Public sector"}, {a.Disabled, "Disabled"}} {
		if f.on {
			list = append(list, ui.KV{Key: f.word, Value: "yes", Tone: ui.ToneStuck})
		}
	}
	return append(list, ui.KV{Key: "Known since", Value: v.day(a.CreatedAt)})
}

// exceptionNote says how the newest exception of an account stands.
func (s *Server) exceptionNote(v *visit, alias account.Alias, p *ui.AccountPage) error {
	page, err := s.Desk.Requests(v.ctx(), v.me, support.Filter{Alias: alias, Kind: support.Exception, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	r := page.Items[0]
	switch {
	case r.State == support.Open:
		p.Exception = &ui.Note{Tone: ui.ToneWaiting, Title: "Exception asked on " + v.day(r.AskedAt), Text: v.brand.PartnerTitle() + " answers by " + v.moment(r.AnswerBy) + ".", Link: ui.Link{Label: r.Label(), Href: "/requests"}}
		p.AskOff = "It is asked already."
	case r.InForce(v.now):
		p.Exception = &ui.Note{Tone: ui.ToneOK, Title: "Exception granted", Text: plain(r.Reason)}
		if !r.Until.IsZero() {
			p.Exception.Title += " until " + v.day(r.Until)
		}
	case r.State == support.Refused:
		p.Exception = &ui.Note{Tone: ui.ToneStuck, Title: "Exception declined on " + v.day(r.DecidedAt), Text: plain(r.Reason)}
	}
	return nil
}

// pays is what an account pays for, in UTC days.
func (s *Server) pays(v *visit, a account.Account, p *ui.AccountPage) error {
	list, err := s.Providers.OfAccount(v.ctx(), a.Alias)
	if err != nil {
		return err
	}
	for _, x := range list {
		row := ui.AssociationOf{Sub: x.Entitlement, From: utcDay(string(x.From)), Until: endOfDay(string(x.To)), Provider: "A tenant", Tenant: x.Tenant}
		pr, err := s.Providers.Get(v.ctx(), v.me, x.Provider)
		switch fault.KindOf(err) {
		case "":
			if err != nil {
				return err
			}
			row.Provider, row.Href, row.Domain, row.State = pr.Name, "/providers/"+string(pr.ID), pr.Domain, stateOf(pr)
			row.Tenant = or(pr.TenantID, "not made yet")
		case fault.NotFound:
		default:
			return err
		}
		p.Pays = append(p.Pays, row)
	}
	return nil
}

// acceptedFor is what was accepted for an account, with the receipts.
func (s *Server) acceptedFor(v *visit, a account.Account, p *ui.AccountPage) error {
	list, err := s.Terms.Accepted(v.ctx(), a.Alias)
	if err != nil {
		return err
	}
	receipts, err := s.Terms.ReceiptsOf(v.ctx(), v.me, a.Alias)
	if err != nil {
		return err
	}
	of := map[string]string{}
	for _, r := range receipts {
		if of[r.Attempt] == "" {
			of[r.Attempt] = "/receipts/" + r.ID
		}
	}
	for _, x := range list {
		r := ui.Receipt{Title: fmt.Sprintf("%s, version %d", x.Title, x.Version), By: acceptedBy(x), At: v.moment(x.At), Href: of[x.Attempt]}
		if r.Href == "" {
			r.Href = "/terms/" + string(x.Document)
		}
		p.Receipts = append(p.Receipts, r)
	}
	return nil
}

// keptReceipt: GET /receipts/{id} is a signed receipt as it is kept.
func (s *Server) keptReceipt(v *visit) error {
	k, err := s.Terms.Receipt(v.ctx(), v.me, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.file("receipt-"+k.Attempt+"-"+k.Stage+".json", "application/json", k.Body)
}

// budgets compares what may be spent with the credit limit.
func budgets(taken, limit money.Amount, n int) *ui.BudgetBar {
	if limit.Sign() <= 0 || taken.Currency() != limit.Currency() {
		return nil
	}
	percent := taken.Decimal().Shift(2).Div(limit.Decimal()).IntPart()
	return &ui.BudgetBar{
		Percent: int(min(percent, 100)), Taken: amount(taken) + " of " + amount(limit),
		Note: "Monthly budgets of " + ui.Count(n, "subscription", "subscriptions") + ", against the credit limit. Not what was used.",
	}
}
