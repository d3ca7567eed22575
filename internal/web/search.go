package web

import (
	"strings"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

// found is how many hits of each kind the search shows.
const found = 20

// search: GET /search?q= finds providers and accounts, for staff also customers,
// tenants and requests. One hit is opened at once.
func (s *Server) search(v *visit) error {
	q := v.form("q")
	if q == "" {
		return v.to(or(v.back(), "/"), "")
	}
	if len(q) > 200 {
		return fault.New(fault.Invalid, "What you look for is too long.")
	}
	p := ui.SearchPage{Query: q}
	only, hits := "", 0
	add := func(group, icon string, row ui.SearchRow) {
		row.Icon = icon
		only = row.Href
		hits++
		for i := range p.Groups {
			if p.Groups[i].Title == group {
				p.Groups[i].Rows = append(p.Groups[i].Rows, row)
				return
			}
		}
		p.Groups = append(p.Groups, ui.SearchGroup{Title: group, Rows: []ui.SearchRow{row}})
	}
	if n, ok := support.ParseNumber(q); ok && strings.HasPrefix(strings.ToUpper(q), "R-") {
		r, err := s.Desk.ByNumber(v.ctx(), v.me, n)
		if err == nil {
			to := "/requests"
			if v.me.Staff() {
				to = "/staff/requests?open=" + string(r.ID)
			}
			add("Requests", "inbox", ui.SearchRow{Title: r.Subject, Under: r.Label(), Href: to, State: requestState(v, r)})
		} else if fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	list, _, err := s.Providers.List(v.ctx(), v.me, provider.Filter{Search: q, Limit: found})
	if err != nil {
		return err
	}
	for _, x := range list {
		h := ui.SearchRow{Title: nameOf(x), Under: under(x), Href: "/providers/" + string(x.ID), State: stateOf(x)}
		if x.TenantID != "" && strings.Contains(x.TenantID, strings.ToLower(q)) {
			h.Under += " · tenant " + x.TenantID
		}
		add("Providers", "cloud", h)
	}
	f := account.Filter{Search: q, Limit: found}
	if !v.me.Staff() {
		org := v.me.Org
		f.Org = &org
	}
	accounts, err := s.People.Accounts(v.ctx(), f)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		add(v.words.AccountWordPlural, "landmark", ui.SearchRow{Title: string(a.Alias) + " · " + a.Name, Under: where(a), Href: "/accounts/" + string(a.Alias)})
	}
	if v.me.Staff() {
		orgs, err := s.People.Orgs(v.ctx(), account.OrgFilter{Search: q, Limit: found})
		if err != nil {
			return err
		}
		for _, o := range orgs {
			add("Customers", "building-2", ui.SearchRow{Title: o.Name, Under: "since " + v.day(o.CreatedAt), Href: "/staff/customers/" + string(o.ID)})
		}
	}
	if hits == 1 {
		return v.to(only, "")
	}
	if p.Shell, err = s.shell(v, "", "Search"); err != nil {
		return err
	}
	p.Shell.Search.Value = q
	return v.page(ui.SearchResults(p))
}
