package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

// staffHome: GET /staff is what needs somebody.
func (s *Server) staffHome(v *visit) error {
	shell, err := s.shell(v, "home", "Home")
	if err != nil {
		return err
	}
	p := ui.StaffHomePage{Shell: shell}
	counts, err := s.Provision.Counts(v.ctx(), v.me)
	if err != nil {
		return err
	}
	stuck, _, err := s.Provision.List(v.ctx(), v.me, provision.Filter{State: provision.Stuck, Limit: 50})
	if err != nil {
		return err
	}
	slices.SortFunc(stuck, func(a, b provision.Onboarding) int { return a.StuckAt.Compare(b.StuckAt) })
	names, err := s.orgNames(v, stuck)
	if err != nil {
		return err
	}
	for _, o := range stuck {
		p.Stuck = append(p.Stuck, s.onboardingRow(v, o, names))
	}
	requests, err := s.Desk.Requests(v.ctx(), v.me, support.Filter{State: support.Open, Limit: 200})
	if err != nil {
		return err
	}
	slices.Reverse(requests.Items)
	overdue := 0
	for i, r := range requests.Items {
		if r.Overdue(v.now) {
			overdue++
		}
		if i < 10 {
			row, err := s.staffRequestRow(v, r)
			if err != nil {
				return err
			}
			p.Requests = append(p.Requests, row)
		}
	}
	open := 0
	for _, st := range openStates {
		open += counts[st]
	}
	stuckNote := "none"
	if len(stuck) > 0 && !stuck[0].StuckAt.IsZero() {
		stuckNote = "the oldest for " + ui.FormatSpan(v.now.Sub(stuck[0].StuckAt))
	}
	p.Figures = []ui.Figure{
		{Label: "Open onboardings", Value: fmt.Sprint(open), Note: "now", Href: "/staff/onboardings"},
		{Label: "Stuck", Value: fmt.Sprint(counts[provision.Stuck]), Note: stuckNote, Href: "/staff/onboardings?state=stuck", Tone: toneIf(counts[provision.Stuck] > 0)},
		{Label: "Requests to decide", Value: fmt.Sprint(len(requests.Items)), Note: ui.Count(overdue, "is overdue", "are overdue"), Href: "/staff/requests?state=open", Tone: toneIf(overdue > 0)},
		{Label: "Ready", Value: fmt.Sprint(counts[provision.Ready]), Note: "since the beginning", Href: "/staff/onboardings?state=ready"},
	}
	p.HealthAt = "As of " + v.clock(v.now)
	if s.Health != nil {
		for _, h := range s.Health() {
			p.Health = append(p.Health, ui.Check{State: map[string]ui.State{"ok": ui.StateReady, "warn": ui.StateWaiting, "fail": ui.StateStuck}[h.State], Title: h.Title, Text: plain(h.Text)})
		}
	}
	if err := s.settingsHealth(v, &p); err != nil {
		return err
	}
	entries, err := audit.List(v.ctx(), s.DB, audit.Filter{Limit: 8})
	if err != nil {
		return err
	}
	who, err := s.actors(v, entries)
	if err != nil {
		return err
	}
	for _, e := range entries {
		p.Events = append(p.Events, ui.LogLine{At: v.in(e.At).Format("15:04"), ISO: e.At.UTC().Format(time.RFC3339), Text: deed(e.Action) + ", " + who[e.Actor]})
	}
	return v.page(ui.StaffHome(p))
}

func toneIf(bad bool) ui.Tone {
	if bad {
		return ui.ToneStuck
	}
	return ""
}

// settingsHealth is what the saved settings alone tell about the connection.
func (s *Server) settingsHealth(v *visit, p *ui.StaffHomePage) error {
	m, err := s.Settings.Microsoft(v.ctx())
	if err != nil {
		return err
	}
	for _, c := range []struct{ title, value, missing string }{
		{"Partner's tenant", m.Tenant, "The tenant is not set."}, {"Application", m.AppID, "The application is not set."},
		{"Security group for delegated access", m.GDAPGroup, "Without it no customer's tenant can be entered."}, {"Partner location id", m.MPNID, "Without it partner credit is not earned."},
	} {
		line := ui.Check{State: ui.StateReady, Title: c.title, Text: c.value}
		if c.value == "" {
			line.State, line.Text, line.Link = ui.StateStuck, c.missing, ui.Link{Label: "Microsoft settings", Href: "/staff/microsoft"}
			if c.title == "Partner location id" {
				line.State = ui.StateWaiting
			}
		}
		p.Health = append(p.Health, line)
	}
	differ, err := s.Provision.DifferenceCounts(v.ctx(), v.me)
	if err != nil {
		return err
	}
	both := ui.Check{State: ui.StateReady, Title: "Both sides", Text: "Nothing differs from Microsoft."}
	if n := differ.All(); n > 0 {
		both.State, both.Text = ui.StateWaiting, ui.Count(n, "difference waits", "differences wait")+" for somebody, the oldest for "+ui.FormatSpan(v.now.Sub(differ.Oldest))+"."
		both.Link = ui.Link{Label: "See both sides", Href: "/staff/differences"}
	}
	p.Health = append(p.Health, both)
	if s.Mail != nil {
		mails, err := s.Mail.Mails(v.ctx(), v.me, support.MailStuck, "", 50)
		if err != nil {
			return err
		}
		line := ui.Check{State: ui.StateReady, Title: "Mail", Text: "No mail was refused."}
		if n := len(mails.Items); n > 0 {
			line = ui.Check{State: ui.StateStuck, Title: "Mail", Text: ui.Count(n, "mail was refused.", "mails were refused."), Link: ui.Link{Label: "See mail", Href: "/staff/mail?state=stuck"}}
		}
		p.Health = append(p.Health, line)
	}
	return nil
}

// orgNames gives the names of the organizations of some onboardings.
func (s *Server) orgNames(v *visit, list []provision.Onboarding) (map[account.OrgID]string, error) {
	names := map[account.OrgID]string{"": ""}
	for _, o := range list {
		if _, err := s.orgName(v, o.Org, names); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func (s *Server) orgName(v *visit, id account.OrgID, names map[account.OrgID]string) (string, error) {
	if n, ok := names[id]; ok {
		return n, nil
	}
	o, err := s.People.Org(v.ctx(), id)
	if err != nil {
		return "", err
	}
	names[id] = o.Name
	return o.Name, nil
}

// listCustomers: GET /staff/customers?q=&after=.
func (s *Server) listCustomers(v *visit) error {
	q, after := v.form("q"), v.form("after")
	if len(q) > 200 || len(after) > 100 {
		return fault.New(fault.Invalid, "What you look for is too long.")
	}
	list, err := s.People.Orgs(v.ctx(), account.OrgFilter{Search: q, After: account.OrgID(after), Limit: perPage + 1})
	if err != nil {
		return err
	}
	next := ""
	if len(list) > perPage {
		list = list[:perPage]
		next = string(list[perPage-1].ID)
	}
	shell, err := s.shell(v, "customers", "Customers")
	if err != nil {
		return err
	}
	p := ui.CustomersPage{Shell: shell, Filter: ui.Filter{Action: "/staff/customers", Query: q, Placeholder: "Name of a customer"}}
	for _, o := range list {
		row, err := s.customerRow(v, o)
		if err != nil {
			return err
		}
		p.Rows = append(p.Rows, row)
	}
	p.Foot = v.foot("/staff/customers", len(list), next, -1, "customer", "customers")
	return v.page(ui.Customers(p))
}

// worst orders states by how much they need somebody.
var worst = []provider.State{provider.Stuck, provider.Waiting, provider.Cancelling, provider.Running, provider.Ready}

func (s *Server) customerRow(v *visit, o account.Organization) (ui.CustomerRow, error) {
	row := ui.CustomerRow{Name: o.Name, Href: "/staff/customers/" + string(o.ID), Since: v.day(o.CreatedAt), Domain: "No tenant yet"}
	counts, err := s.Providers.Counts(v.ctx(), v.me, o.ID)
	if err != nil {
		return row, err
	}
	for st, n := range counts {
		if st != provider.Draft && st != provider.Cancelled {
			row.Providers += n
		}
	}
	for _, st := range worst {
		if counts[st] > 0 {
			row.State = stateOf(provider.Provider{State: st, Tenant: "x"})
			if n := counts[st]; n > 1 {
				row.Line = fmt.Sprintf("%d of them", n)
			}
			break
		}
	}
	tenants, err := s.Provision.Tenants(v.ctx(), v.me, o.ID)
	if err != nil {
		return row, err
	}
	for _, t := range tenants {
		if t.AzureID != "" {
			if row.Tenants++; row.Tenants == 1 {
				row.Domain = t.Domain
			}
		}
	}
	id := o.ID
	accounts, err := s.People.Accounts(v.ctx(), account.Filter{Org: &id, Limit: 6})
	if err != nil {
		return row, err
	}
	var aliases []string
	for _, a := range accounts {
		aliases = append(aliases, string(a.Alias))
	}
	if row.Accounts = strings.Join(aliases, ", "); len(aliases) == 6 {
		row.Accounts = strings.Join(aliases[:5], ", ") + " …"
	}
	if o.Status != account.Active {
		row.Line = "disabled"
	}
	return row, nil
}

// customer: GET /staff/customers/{org} is everything about one customer.
func (s *Server) customer(v *visit) error {
	o, err := s.People.Org(v.ctx(), account.OrgID(v.r.PathValue("org")))
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "customers", o.Name)
	if err != nil {
		return err
	}
	p := ui.CustomerPage{Shell: shell, Name: o.Name}
	p.Facts = []ui.KV{{Key: "Customer since", Value: v.day(o.CreatedAt)}, {Key: "Status", Value: capitalized(string(o.Status))}, {Key: "Id", Value: string(o.ID), Mono: true, Copy: true}}
	if o.Account != "" {
		p.Facts = append(p.Facts, ui.KV{Key: "Billed on", Value: string(o.Account), Href: "/accounts/" + string(o.Account)})
	}
	list, _, err := s.Providers.List(v.ctx(), v.me, provider.Filter{Org: o.ID, Limit: 200})
	if err != nil {
		return err
	}
	names, err := s.accountNames(v, list)
	if err != nil {
		return err
	}
	roles, err := s.roles(v, list)
	if err != nil {
		return err
	}
	for _, x := range list {
		p.Providers = append(p.Providers, s.providerRow(v, x, names, roles))
	}
	tenants, err := s.Provision.Tenants(v.ctx(), v.me, o.ID)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		p.Tenants = append(p.Tenants, ui.KV{Key: t.Domain, Value: capitalized(string(t.State)), Sub: "· " + string(t.Account) + " · " + t.LegalEntity, Below: t.AzureID, Copy: t.AzureID != ""})
	}
	id := o.ID
	accounts, err := s.People.Accounts(v.ctx(), account.Filter{Org: &id})
	if err != nil {
		return err
	}
	for _, a := range accounts {
		ch, err := s.choiceOf(v, a.Alias, v.rules.DefaultBudget)
		if err != nil {
			return err
		}
		p.Accounts = append(p.Accounts, ui.AccountRow{Alias: string(a.Alias), Name: a.Name, Where: where(a), Parent: string(a.Parent), Providers: ch.Providers, Limit: amount(a.CreditLimit), Allowed: ch.Verdict.Eligible, Reasons: rulesOf(ch)})
	}
	people, err := s.People.Users(v.ctx(), o.ID)
	if err != nil {
		return err
	}
	for _, u := range people {
		p.People = append(p.People, personRow(v, u))
	}
	requests, err := s.Desk.Requests(v.ctx(), v.me, support.Filter{Org: o.ID, Limit: 10})
	if err != nil {
		return err
	}
	for _, r := range requests.Items {
		row := s.requestRow(v, r)
		row.Href = "/staff/requests?open=" + row.ID
		p.Requests = append(p.Requests, row)
	}
	return v.page(ui.Customer(p))
}
