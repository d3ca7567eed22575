package web

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// perPage is how many rows a list has.
const perPage = 50

// shownBars is how many running rows of a list get their bar: each costs a look
// at its steps.
const shownBars = 12

// stateOf is a provider's state as people read it. Waiting is for a person of
// the customer as long as nothing exists at Microsoft; after that it is for
// Microsoft's or the partner's people.
func stateOf(p provider.Provider) ui.State {
	switch p.State {
	case provider.Waiting:
		if p.Tenant == "" {
			return ui.StateWaitingForYou
		}
		return ui.StateWaiting
	case provider.Running:
		return ui.StateInProgress
	}
	return ui.State(p.State)
}

// under is the second line of a provider's row.
func under(p provider.Provider) string {
	switch {
	case p.Domain != "":
		return p.Domain
	case p.State == provider.Draft:
		return "No domain yet"
	}
	return "New Azure customer account"
}

func nameOf(p provider.Provider) string {
	if p.Name == "" {
		return "Without a name yet"
	}
	return p.Name
}

// listProviders: GET /providers?q=&state=&account=&after=.
func (s *Server) listProviders(v *visit) error {
	f, err := s.providerFilter(v)
	if err != nil {
		return err
	}
	list, next, err := s.Providers.List(v.ctx(), v.me, f)
	if err != nil {
		return err
	}
	counts, err := s.Providers.Counts(v.ctx(), v.me, "")
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "providers", "Providers")
	if err != nil {
		return err
	}
	p := ui.ProvidersPage{Shell: shell}
	if p.NewOff, err = why(s.Provision.MayCreate(v.ctx(), v.me)); err != nil {
		return err
	}
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		if p.Empty, err = s.noProviders(v, shell.Organization); err != nil {
			return err
		}
		return v.page(ui.Providers(p))
	}
	if p.Filter, err = s.providerChips(v, f, counts, total); err != nil {
		return err
	}
	known, err := s.accountNames(v, list)
	if err != nil {
		return err
	}
	people, err := s.roles(v, list)
	if err != nil {
		return err
	}
	bars := 0
	for _, x := range list {
		row := s.providerRow(v, x, known, people)
		if x.State == provider.Running && bars < shownBars {
			bars++
			if err := s.running(v, x, &row); err != nil {
				return err
			}
		}
		p.Rows = append(p.Rows, row)
	}
	of := -1
	if f.Search == "" && f.Account == "" {
		if of = total; f.State != "" {
			of = counts[f.State]
		}
	}
	p.Foot = v.foot("/providers", len(list), next, of, "provider", "providers")
	p.Foot.CSV = "/providers/list.csv?" + v.query("q", "state", "account").Encode()
	return v.page(ui.Providers(p))
}

func (s *Server) providerFilter(v *visit) (provider.Filter, error) {
	f := provider.Filter{State: provider.State(v.form("state")), Account: account.Alias(v.form("account")), Search: v.form("q"), After: v.form("after"), Limit: perPage}
	if len(f.Search) > 200 || len(f.Account) > 10 || len(f.State) > 20 {
		return f, fault.New(fault.Invalid, "What you look for is too long.")
	}
	return f, nil
}

// providerChips is the bar over the list.
func (s *Server) providerChips(v *visit, f provider.Filter, counts map[provider.State]int, total int) (ui.Filter, error) {
	bar := ui.Filter{Action: "/providers", Query: f.Search, Placeholder: "Name, domain or subscription"}
	if f.State != "" {
		bar.Hidden = []ui.Pair{{Name: "state", Value: string(f.State)}}
	}
	chip := func(label string, state provider.State, n int, always bool) {
		if n == 0 && !always && f.State != state {
			return
		}
		q := v.query("q", "account")
		if state != "" {
			q.Set("state", string(state))
		}
		bar.Chips = append(bar.Chips, ui.Chip{Label: label, Count: n, Href: link("/providers", q), On: f.State == state})
	}
	chip("All", "", total, true)
	chip("Ready", provider.Ready, counts[provider.Ready], true)
	chip("In progress", provider.Running, counts[provider.Running], true)
	chip("Waiting for you", provider.Waiting, counts[provider.Waiting], true)
	chip("Stuck", provider.Stuck, counts[provider.Stuck], true)
	chip("Draft", provider.Draft, counts[provider.Draft], true)
	chip("Cancelling", provider.Cancelling, counts[provider.Cancelling], false)
	chip("Cancelled", provider.Cancelled, counts[provider.Cancelled], false)
	if v.me.Staff() { // an organization's accounts fit in a select, the partner's do not
		return bar, nil
	}
	org := v.me.Org
	accounts, err := s.People.Accounts(v.ctx(), account.Filter{Org: &org})
	if err != nil {
		return bar, err
	}
	if len(accounts) > 1 {
		bar.Select = ui.Select{Name: "account", Label: v.words.AccountWord, Value: string(f.Account), Options: []ui.Option{{Label: v.words.AccountWord + ": all"}}}
		for _, a := range accounts {
			bar.Select.Options = append(bar.Select.Options, ui.Option{Value: string(a.Alias), Label: string(a.Alias) + " · " + a.Name})
		}
	} else if f.Account != "" {
		bar.Hidden = append(bar.Hidden, ui.Pair{Name: "account", Value: string(f.Account)})
	}
	return bar, nil
}

// query keeps some of the address's values.
func (v *visit) query(names ...string) url.Values {
	q := url.Values{}
	for _, n := range names {
		if x := v.form(n); x != "" {
			q.Set(n, x)
		}
	}
	return q
}

func link(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// foot says what a page of a list shows. The way back is kept in the address, as
// the cursors of the pages before; of < 0: it is not known how many there are.
func (v *visit) foot(path string, n int, next string, of int, one, many string) ui.Foot {
	q := url.Values{}
	for k, x := range v.r.URL.Query() {
		if k != "after" && k != "back" {
			q[k] = x
		}
	}
	var back []string
	if b := v.form("back"); b != "" {
		back = strings.Split(b, ".")
	}
	after := v.form("after")
	from := 1
	if after != "" {
		from += perPage * (len(back) + 1)
	}
	f := ui.Foot{}
	switch {
	case n == 0:
		f.Text = "No " + many
	case of >= 0:
		f.Text = strconv.Itoa(from) + "–" + strconv.Itoa(from+n-1) + " of " + ui.Count(max(of, from+n-1), one, many)
	case next == "" && from == 1:
		f.Text = ui.Count(n, one, many)
	default:
		f.Text = strconv.Itoa(from) + "–" + strconv.Itoa(from+n-1)
	}
	with := func(after string, back []string) string {
		c := url.Values{}
		for k, x := range q {
			c[k] = x
		}
		if after != "" {
			c.Set("after", after)
		}
		if len(back) > 0 {
			c.Set("back", strings.Join(back, "."))
		}
		return link(path, c)
	}
	if next != "" {
		before := back
		if after != "" {
			before = append(append([]string{}, back...), after)
		}
		f.Next = with(next, before)
	}
	if after != "" {
		if len(back) > 0 {
			f.Prev = with(back[len(back)-1], back[:len(back)-1])
		} else {
			f.Prev = with("", nil)
		}
	}
	return f
}

// accountNames gives the names of the accounts that some providers are billed to.
func (s *Server) accountNames(v *visit, list []provider.Provider) (map[account.Alias]string, error) {
	var aliases []account.Alias
	names := map[account.Alias]string{}
	for _, p := range list {
		if _, seen := names[p.Account]; p.Account != "" && !seen {
			names[p.Account] = ""
			aliases = append(aliases, p.Account)
		}
	}
	if len(aliases) == 0 {
		return names, nil
	}
	found, err := s.People.Accounts(v.ctx(), account.Filter{Aliases: aliases})
	for _, a := range found {
		names[a.Alias] = a.Name
	}
	return names, err
}

// roles gives who changed some providers, as a role: people are not named in lists.
func (s *Server) roles(v *visit, list []provider.Provider) (map[string]string, error) {
	words := map[string]string{provider.Platform: "Platform", "": "Platform"}
	for _, p := range list {
		if _, seen := words[p.ChangedBy]; seen {
			continue
		}
		u, err := s.People.User(v.ctx(), account.UserID(p.ChangedBy))
		switch {
		case err == nil && u.Org == "":
			words[p.ChangedBy] = u.Role.Title() + " at " + v.brand.Partner
		case err == nil:
			words[p.ChangedBy] = u.Role.Title()
		case fault.KindOf(err) == fault.NotFound:
			words[p.ChangedBy] = "Platform"
		default:
			return nil, err
		}
	}
	return words, nil
}

func (s *Server) providerRow(v *visit, p provider.Provider, names map[account.Alias]string, people map[string]string) ui.ProviderRow {
	r := ui.ProviderRow{
		ID: string(p.ID), Name: nameOf(p), Under: under(p), State: stateOf(p), Account: string(p.Account), AccountName: names[p.Account],
		Changed: v.when(p.ChangedAt), ChangedBy: people[p.ChangedBy],
	}
	if r.Account == "" {
		r.Account = "Not chosen"
	}
	own := v.may(account.ActProviderEdit, p.Org) == ""
	page := "/providers/" + string(p.ID)
	switch p.State {
	case provider.Draft:
		r.Line = p.Note
		if r.Line == "" {
			r.Note = "Kept for 30 days after its last change"
		}
		if own {
			r.Action = ui.Action{ID: "continue-" + r.ID, Label: "Continue", Href: page + "/wizard"}
		}
	case provider.Running:
		r.Line = p.Note
		r.Action = ui.Action{ID: "watch-" + r.ID, Label: "Watch", Href: page}
	case provider.Waiting:
		r.Line = p.Note
		r.Action = ui.Action{ID: "see-" + r.ID, Label: "See what is awaited", Href: page}
	case provider.Stuck:
		r.Line = p.Note
		r.Note = "Our support was told. Answer by " + v.moment(v.rules.Answer.AnswerBy(p.ChangedAt)) + "."
		r.Action = ui.Action{ID: "why-" + r.ID, Label: "See what to do", Href: page}
	case provider.Ready:
		r.Menu = []ui.Action{
			{Label: "Who has access", Href: page + "?tab=access", Icon: "users"},
			{Label: "Log", Href: page + "?tab=log", Icon: "scroll-text"},
		}
		if p.Domain != "" {
			r.Menu = append(r.Menu, ui.Action{Label: "Open Azure portal", Href: s.azurePortal(v, p), NewTab: true, Icon: "external-link"})
		}
	case provider.Cancelling, provider.Cancelled:
		r.Line = p.Note
	}
	return r
}

// running adds how far a provider is.
func (s *Server) running(v *visit, p provider.Provider, row *ui.ProviderRow) error {
	pr, err := s.Provision.Progress(v.ctx(), v.me, p.ID)
	if err != nil {
		return err
	}
	g := pr.Onboarding.Step.Group()
	row.Line = "Step " + strconv.Itoa(g) + " of 5: " + strings.ToLower(pr.Onboarding.Step.Title()[:1]) + pr.Onboarding.Step.Title()[1:]
	gone := v.now.Sub(pr.Onboarding.StartedAt)
	row.Progress = percent(gone, pr.Estimate)
	row.Note = ui.FormatSpan(gone) + " so far"
	if t := toGo(pr.Estimate); t != "" {
		row.Note += ", about " + t + " to go"
	}
	return nil
}

// percent of an onboarding: the time that is gone, against that and the middle of
// the estimate. It never says that something is done which is not.
func percent(gone time.Duration, e provision.Estimate) int {
	left := (e.Low + e.High) / 2
	if gone+left <= 0 {
		return 1
	}
	return min(max(int(gone*100/(gone+left)), 1), 97)
}

// toGo is the estimate in words.
func toGo(e provision.Estimate) string {
	low, high := e.Low, e.High
	switch {
	case e.Over && high < time.Minute:
		return "longer than usual"
	case high <= 0:
		return ""
	case high < time.Minute:
		return strconv.Itoa(max(int(low.Seconds()), 1)) + " to " + strconv.Itoa(int(high.Seconds())+1) + " s"
	}
	a, b := int(low/time.Minute), int((high+time.Minute-1)/time.Minute)
	if a == b || b == 1 {
		return strconv.Itoa(b) + " min"
	}
	return strconv.Itoa(max(a, 1)) + " to " + strconv.Itoa(b) + " min"
}

// azurePortal is where a customer finds the subscription.
func (s *Server) azurePortal(v *visit, p provider.Provider) string {
	base := "https://portal.azure.com"
	if m, err := s.Settings.Microsoft(v.ctx()); err == nil && m.PortalURL != "" {
		base = strings.TrimRight(m.PortalURL, "/")
	}
	if p.Subscription == "" {
		return base + "/" + p.Domain
	}
	return base + "/#@" + p.Domain + "/resource/subscriptions/" + p.Subscription + "/overview"
}

// noProviders is the empty state: what is there, and what is missing.
func (s *Server) noProviders(v *visit, org string) (*ui.ProvidersEmpty, error) {
	e := &ui.ProvidersEmpty{Organization: org}
	off, err := why(s.Provision.MayCreate(v.ctx(), v.me))
	if err != nil {
		return nil, err
	}
	may := ui.Check{State: ui.StateReady, Title: "You may create providers", Text: "Your role is " + v.me.Role.Title() + "."}
	if off != "" {
		may = ui.Check{State: ui.StateStuck, Title: "You may not create providers", Text: off, Link: ui.Link{Label: "People and roles", Href: "/people"}}
	}
	e.Checks = append(e.Checks, may)
	if v.rules.OrganizationMode {
		e.Checks = append(e.Checks, ui.Check{State: ui.StateReady, Title: "Your organization pays", Text: "Usage is billed to the " + v.words.AccountWord + " of " + org + "."})
	} else {
		e.Checks = append(e.Checks, ui.Check{State: ui.StateDraft, Title: "The sign-in of an " + v.words.AdminWord,
			Text: "Yours or a colleague's: only that role may approve charges to a " + v.words.AccountWord + ".", Link: ui.Link{Label: "How to find yours", Href: "/help#administrator"}})
	}
	e.Checks = append(e.Checks,
		ui.Check{State: ui.StateDraft, Title: "Who signs for " + org, Text: "If it is not you, have name and mail address at hand: they get a link and need no account here."},
		ui.Check{State: ui.StateDraft, Title: "Billing address in " + v.words.AllowedCountries, Text: "Other accounts can ask for an exception.", Link: ui.Link{Label: "The rules", Href: "/help#rules"}})
	return e, nil
}

// exportProviders: GET /providers/list.csv, the whole list with the filter of the page.
func (s *Server) exportProviders(v *visit) error {
	f, err := s.providerFilter(v)
	if err != nil {
		return err
	}
	f.After, f.Limit = "", 200
	list, next, err := s.Providers.List(v.ctx(), v.me, f)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="providers.csv"`)
	w := csv.NewWriter(v.w)
	head := []string{"id", "name", "state", "note", "account", "domain", "tenant_id", "subscription_id", "created_utc", "changed_utc"}
	if err := w.Write(head); err != nil {
		return ignoreGone(v, err)
	}
	for {
		for _, p := range list {
			err := w.Write(cells(string(p.ID), p.Name, string(p.State), p.Note, string(p.Account), p.Domain, p.TenantID, p.Subscription,
				p.CreatedAt.UTC().Format(time.RFC3339), p.ChangedAt.UTC().Format(time.RFC3339)))
			if err != nil {
				return ignoreGone(v, err)
			}
		}
		if next == "" {
			break
		}
		f.After = next
		if list, next, err = s.Providers.List(v.ctx(), v.me, f); err != nil {
			s.Log.Error("an export broke off", "request", reference(v.r), "error", err)
			panic(http.ErrAbortHandler) // half a file must not look whole
		}
	}
	w.Flush()
	return ignoreGone(v, w.Error())
}

// cells keeps spreadsheets from running what a person typed as a name.
func cells(list ...string) []string {
	for i, c := range list {
		if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
			list[i] = "'" + c
		}
	}
	return list
}

// newProvider: POST /providers/new makes a draft and leads to its first step;
// with tenant = a provider, it adds a subscription to the same tenant. Sent
// twice, it finds the draft that is still empty.
func (s *Server) newProvider(v *visit) error {
	further := provider.ID(v.form("tenant"))
	if further != "" {
		if _, err := s.Providers.Get(v.ctx(), v.me, further); err != nil {
			return err
		}
	}
	id, err := s.emptyDraft(v)
	if err != nil {
		return err
	}
	if id == "" {
		if id, err = s.Provision.NewDraft(v.ctx(), v.me); err != nil {
			return err
		}
	}
	step := provision.WizardType
	if further != "" {
		if err := s.Provision.SetType(v.ctx(), v.me, id, provider.TypeAzure); err != nil {
			return err
		}
		if err := s.Provision.SetMode(v.ctx(), v.me, id, provider.ModeNew); err != nil {
			return err
		}
		step = provision.WizardName
	}
	return v.to("/providers/"+string(id)+"/wizard/"+step, "")
}

// emptyDraft finds a draft of this person in which nothing was chosen yet.
func (s *Server) emptyDraft(v *visit) (provider.ID, error) {
	list, _, err := s.Providers.List(v.ctx(), v.me, provider.Filter{State: provider.Draft, Limit: 20})
	if err != nil {
		return "", err
	}
	for _, p := range list {
		if p.Owner == v.me.User && p.Name == "" && p.Account == "" {
			return p.ID, s.Provision.MayCreate(v.ctx(), v.me)
		}
	}
	return "", nil
}
