package web

import (
	"slices"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/provider"
	"causeway/internal/web/ui"
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
