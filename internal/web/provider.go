package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/fault"
	"causeway/internal/guardrail"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// logPage is how many entries of a provider's log the page shows.
const logPage = 500

// readyPage is the page of a provider that works.
func (s *Server) readyPage(v *visit, p provider.Provider) error {
	view, err := s.readyView(v, p)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "providers", p.Name)
	if err != nil {
		return err
	}
	return v.page(ui.ProviderReady(ui.ProviderPage{Shell: shell, Provider: view}))
}

// readyView is all that is known of a provider that works.
func (s *Server) readyView(v *visit, p provider.Provider) (ui.ProviderView, error) {
	view := ui.ProviderView{ID: string(p.ID), Name: p.Name, State: stateOf(p), PortalURL: s.azurePortal(v, p), Scope: "Supported and billed by " + v.words.Partner}
	view.PortalHint = "The Azure portal opens with whoever is signed in at Microsoft in this browser. If that is another account, sign in there as an administrator of **" + p.Domain + "**."
	o, err := s.Provision.OnboardingOf(v.ctx(), v.me, p.ID)
	if err != nil {
		return view, err
	}
	t, err := s.Provision.TenantOf(v.ctx(), v.me, p.ID)
	if err != nil {
		return view, err
	}
	acct, err := s.People.Account(v.ctx(), p.Account)
	if err != nil {
		return view, err
	}
	view.Sub = v.words.TypeName + " · since " + v.day(o.FinishedAt) + " · billed to " + plain(string(acct.Alias)+", "+acct.Name)
	if view.AddOff, err = why(s.Provision.MayCreate(v.ctx(), v.me)); err != nil {
		return view, err
	}
	log, n, err := s.Providers.Tail(v.ctx(), p.ID, logPage)
	if err != nil {
		return view, err
	}
	grants, err := s.Providers.Grants(v.ctx(), p.ID)
	if err != nil {
		return view, err
	}
	if err := s.association(v, p, o, t, acct, &view); err != nil {
		return view, err
	}
	s.grants(v, o, grants, &view)
	if err := s.guardrailOf(v, &view); err != nil {
		return view, err
	}
	view.SignIn = s.firstSignIn(v, p, t)
	if err := s.receiptsOf(v, p, &view); err != nil {
		return view, err
	}
	org, err := s.People.Org(v.ctx(), p.Org)
	if err != nil {
		return view, err
	}
	view.Presets = presets(org.Placement)
	view.Latest = latest(v, log)
	view.Log = s.logLines(v, log, true)
	view.LogFoot = ui.Foot{Text: ui.Count(n, "entry", "entries")}
	view.Tab = v.form("tab")
	page := "/providers/" + view.ID
	tabs := []ui.Tab{
		{Label: "Overview", Href: page}, {Label: fmt.Sprintf("Access (%d)", len(grants)), Href: page + "?tab=access"},
		{Label: "Guardrail", Href: page + "?tab=guardrail"}, {Label: fmt.Sprintf("Log (%d)", n), Href: page + "?tab=log"},
	}
	at := map[string]int{"access": 1, "guardrail": 2, "log": 3}[view.Tab]
	tabs[at].On = true
	view.Tabs = tabs
	view.CancelInfo = s.cancelInfo(v, p)
	view.CancelOff = v.may(account.ActProviderCancel, p.Org)
	return view, nil
}

// association is who pays, from the provider's side, and the tenant's other subscriptions.
func (s *Server) association(v *visit, p provider.Provider, o provision.Onboarding, t provision.Tenant, acct account.Account, view *ui.ProviderView) error {
	all, err := s.Providers.OfTenant(v.ctx(), p.Tenant)
	if err != nil {
		return err
	}
	list, _, err := s.Providers.List(v.ctx(), v.me, provider.Filter{Org: p.Org, Tenant: p.Tenant, Limit: 200})
	if err != nil {
		return err
	}
	names := map[string]string{}
	var others []string
	for _, x := range list {
		names[x.Subscription] = x.Name
		if x.State == provider.Draft || x.Subscription == "" {
			continue
		}
		row := ui.SubscriptionRow{Name: x.Name, ID: x.Subscription, State: stateOf(x), Account: string(x.Account), Since: v.day(x.CreatedAt)}
		if x.ID != p.ID {
			row.Href = "/providers/" + string(x.ID)
			others = append(others, x.Name)
		}
		view.Related = append(view.Related, row)
	}
	from := ""
	for _, a := range all {
		row := ui.AssociationRow{Account: string(a.Account), Href: "/accounts/" + string(a.Account), What: "Tenant", From: utcDay(string(a.From)), Until: endOfDay(string(a.To)), By: "The order"}
		if a.Entitlement != "" {
			row.What = "Subscription " + names[a.Entitlement]
		}
		if !a.Confirmed {
			row.By += " (intended)"
		}
		view.History = append(view.History, row)
		if a.Account == p.Account && (a.Entitlement == p.Subscription || a.Entitlement == "" && from == "") {
			from = utcDay(string(a.From))
		}
	}
	view.Azure = []ui.KV{
		{Key: "Domain", Value: p.Domain, Break: true, Copy: true},
		{Key: "Tenant", Value: p.TenantID, Mono: true, Copy: true},
		{Key: "Subscription", Value: "**" + plain(p.Name) + "**", Sub: "· Azure plan", Below: p.Subscription, Copy: true},
	}
	if len(others) > 0 {
		view.Azure = append(view.Azure, ui.KV{Key: "In the same tenant", Value: plain(clipTo(and(others), 200))})
	}
	view.Azure = append(view.Azure,
		ui.KV{Key: "Billed to", Value: string(acct.Alias) + " · " + acct.Name, Href: "/accounts/" + string(acct.Alias), Sub: "from " + from, Link: ui.Link{Label: "History", Href: "#association"}},
		ui.KV{Key: "Budget", Value: amount(o.Budget) + " a month", Sub: "warns, does not stop"},
	)
	view.CopyAll = strings.Join([]string{"Domain: " + p.Domain, "Tenant: " + p.TenantID, "Subscription: " + p.Subscription, "Billed to: " + string(p.Account)}, "\n")
	_ = t
	return nil
}

// grants is who has access, each with its intent and how to change it.
func (s *Server) grants(v *visit, o provision.Onboarding, list []provider.Grant, view *ui.ProviderView) {
	for _, g := range list {
		row := ui.Grant{Who: g.PrincipalName, Role: g.Role, Where: "Subscription", Intent: g.Intent, Change: "Ask for a change"}
		if head, limit, ok := strings.Cut(g.Role, ", "); ok {
			row.Role, row.Limit = head, limit
		}
		switch {
		case strings.HasPrefix(g.Scope, "/providers/Microsoft.Management"):
			row.Where = "Management group"
		case g.Scope == "" || !strings.HasPrefix(g.Scope, "/subscriptions/"):
			row.Where = "Tenant"
		}
		switch {
		case strings.Contains(g.PrincipalName, "@"):
			row.Who, row.Under = "Your first administrator", g.PrincipalName
		case g.Principal != g.PrincipalName:
			row.Under = g.Principal
		}
		view.Grants = append(view.Grants, row)
	}
	view.GrantsAt = "As granted on " + v.day(o.FinishedAt)
}

// guardrailOf sums up what may be used.
func (s *Server) guardrailOf(v *visit, view *ui.ProviderView) error {
	c, err := s.Guard.Catalogue(v.ctx())
	if err != nil {
		return err
	}
	n := 0
	for _, g := range c.Groups {
		n += len(g.Services)
	}
	title := "Azure services offered"
	if c.Version > 0 {
		title += fmt.Sprintf(", v%d", c.Version)
	}
	g := ui.GuardrailView{Title: title, Mode: "enforced", Refused: "Azure refuses what is not on the list, with the policy's name."}
	g.Figures = []ui.KV{
		{Key: "Services", Value: fmt.Sprint(n), Sub: fmt.Sprintf("%d resource types", len(c.Types()))},
		{Key: "Regions", Value: regionWords(c), Sub: ""},
		{Key: "Mode", Value: "Enforced", Sub: "by Azure Policy, also for administrators"},
	}
	if c.Unrestricted {
		g.Figures[0].Value, g.Mode = "All", "open"
		g.Figures[2] = ui.KV{Key: "Mode", Value: "Open", Sub: "everything that Microsoft offers to partners"}
		g.Refused = "Nothing is refused."
	} else if v.rules.AdminRole == partner.AdminOwner {
		g.Mode, g.Figures[2].Value, g.Figures[2].Sub = "advisory", "Advisory", "your administrator is Owner and can lift it"
	}
	view.Guardrail = g
	return nil
}

func regionWords(c guardrail.Catalogue) string {
	if len(c.Regions) == 0 {
		return "All"
	}
	var names []string
	for _, r := range c.Regions {
		names = append(names, r.Label)
	}
	if len(names) > 4 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return and(names)
}

// firstSignIn is the panel of the one-time credentials.
func (s *Server) firstSignIn(v *visit, p provider.Provider, t provision.Tenant) *ui.FirstSignIn {
	if t.AdminUPN == "" {
		return nil
	}
	f := &ui.FirstSignIn{ID: string(p.ID), User: t.AdminUPN, Off: v.may(account.ActCredentialsShow, p.Org)}
	if t.Credentials == "" {
		f.Gone = "Stored by an administrator, or erased after " + ui.Count(v.rules.CredentialDays, "day", "days") + ". Forgotten? Reset it at Microsoft: sign in with another administrator of the tenant, or **ask us** under Requests."
		return f
	}
	if !t.CredentialsUntil.IsZero() {
		f.Sealed = "sealed until " + v.moment(t.CredentialsUntil)
	}
	f.Text = "Azure asks for a new password at the first sign-in. We ask for your own password first, and your organization's log records it."
	return f
}

// receiptsOf lists what was accepted for this provider and its signed receipt.
func (s *Server) receiptsOf(v *visit, p provider.Provider, view *ui.ProviderView) error {
	list, err := s.Terms.AcceptedFor(v.ctx(), string(p.ID))
	if err != nil {
		return err
	}
	href := ""
	if v.may(account.ActReceiptView, p.Org) == "" {
		href = "/providers/" + string(p.ID) + "/receipt"
	}
	for _, a := range list {
		view.Receipts = append(view.Receipts, ui.Receipt{
			Title: fmt.Sprintf("%s, version %d", a.Title, a.Version), By: acceptedBy(a), At: v.moment(a.At), Href: href,
		})
	}
	return nil
}

func acceptedBy(a agreement.Acceptance) string {
	by := "By " + a.Name
	if a.Login != "" {
		by += ", with " + a.Login
	}
	return by
}

// latest is what was done last, for the side of the page.
func latest(v *visit, log []provider.Entry) []ui.Pair {
	var out []ui.Pair
	for _, e := range log {
		if e.Level >= provider.Done || e.Step == "" {
			out = append(out, ui.Pair{Name: e.Text, Value: v.in(e.At).Format("2 Jan")})
		}
		if len(out) == 4 {
			break
		}
	}
	return out
}

// receipt: GET /providers/{id}/receipt is the signed file that
// `causeway receipt verify` checks offline.
func (s *Server) receipt(v *visit) error {
	id := provider.ID(v.r.PathValue("id"))
	body, err := s.Provision.Receipt(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	return v.file("receipt-"+string(id)+".json", "application/json", body)
}

// file answers with something to keep.
func (v *visit) file(name, kind string, body []byte) error {
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename=%q`, name))
	_, err := v.w.Write(body)
	return ignoreGone(v, err)
}

// credentials: POST /providers/{id}/credentials shows the first sign-in after the
// person's own password, for 60 seconds; with done=1 it is erased here.
func (s *Server) credentials(v *visit) error {
	id := provider.ID(v.r.PathValue("id"))
	page := "/providers/" + string(id)
	if v.form("done") == "1" {
		if err := s.Provision.CredentialsStored(v.ctx(), v.me, id); err != nil {
			return err
		}
		return v.to(page, "Erased here. Only you have it now.")
	}
	c, err := s.Provision.ShowCredentials(v.ctx(), v.me, id, v.r.PostFormValue("password"))
	if err != nil {
		f := fault.Of(err)
		if f == nil || errors.Is(err, fault.NotFound) || len(f.Refusals) == 1 && f.Refusals[0].Code == "missing-right" {
			return err
		}
		if !v.htmx() {
			return v.to(page, "Nothing was shown: "+refusals(f))
		}
		v.part(statusOf(err), ui.CredentialsAsk(string(id), refusals(f)))
		return nil
	}
	org, err := s.People.Org(v.ctx(), v.me.Org)
	if err != nil {
		return err
	}
	shown := ui.CredentialsShown(ui.Credentials{
		User: c.UserName, Password: c.Password, LoginURL: c.LoginURL, Audited: "Recorded in the log of " + org.Name + " at " + v.clock(v.now) + ".",
	})
	if v.htmx() {
		return v.page(shown)
	}
	v.part(http.StatusOK, ui.CredentialsAlone(v.words, shown, page))
	return nil
}
