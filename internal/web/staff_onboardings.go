package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// onboardingState is an onboarding's state as people read it.
func onboardingState(s provision.State) ui.State {
	if s == provision.Running {
		return ui.StateInProgress
	}
	return ui.State(s)
}

func (s *Server) onboardingRow(v *visit, o provision.Onboarding, names map[account.OrgID]string) ui.OnboardingRow {
	row := ui.OnboardingRow{
		ID: string(o.ID), Provider: o.Name, Customer: names[o.Org], State: onboardingState(o.State), Step: string(o.Step), Account: string(o.Account),
		Started: v.when(o.StartedAt), Age: ui.FormatSpan(v.now.Sub(o.ChangedAt)),
	}
	if o.Refusal != nil {
		row.Reason = o.Refusal.Reason
	}
	if o.State == provision.Stuck && !o.StuckAt.IsZero() {
		row.Age = ui.FormatSpan(v.now.Sub(o.StuckAt))
	}
	if !o.FinishedAt.IsZero() {
		row.Age = "took " + ui.FormatSpan(o.FinishedAt.Sub(o.StartedAt))
	}
	return row
}

// listOnboardings: GET /staff/onboardings?state=&sort=&after=.
func (s *Server) listOnboardings(v *visit) error {
	p, err := s.onboardingsPage(v, "")
	if err != nil {
		return err
	}
	return v.page(ui.Onboardings(p))
}

func (s *Server) onboardingsPage(v *visit, selected provision.ID) (ui.OnboardingsPage, error) {
	var p ui.OnboardingsPage
	var err error
	if p.Shell, err = s.shell(v, "onboardings", "Onboardings"); err != nil {
		return p, err
	}
	counts, err := s.Provision.Counts(v.ctx(), v.me)
	if err != nil {
		return p, err
	}
	state := v.form("state")
	f := provision.Filter{State: provision.State(state), Open: state == "", After: v.form("after"), Limit: perPage}
	if state == "all" {
		f.State, f.Open = "", false
	}
	list, next, err := s.Provision.List(v.ctx(), v.me, f)
	if err != nil {
		return p, err
	}
	age := v.form("sort")
	if age == "age" || f.State == provision.Stuck { // who has waited longest comes first
		slices.SortStableFunc(list, func(a, b provision.Onboarding) int { return a.ChangedAt.Compare(b.ChangedAt) })
	}
	open, all := 0, 0
	for st, n := range counts {
		all += n
		if slices.Contains(openStates, st) {
			open += n
		}
	}
	chip := func(label, value string, n int) {
		q := v.query("sort")
		if value != "" {
			q.Set("state", value)
		}
		p.Filter.Chips = append(p.Filter.Chips, ui.Chip{Label: label, Count: n, Href: link("/staff/onboardings", q), On: state == value})
	}
	p.Filter.Action = "/staff/onboardings"
	chip("All open", "", open)
	chip("Stuck", "stuck", counts[provision.Stuck])
	chip("In progress", "running", counts[provision.Running])
	chip("Waiting for people", "waiting", counts[provision.Waiting])
	chip("Ready", "ready", counts[provision.Ready])
	chip("Cancelled", "cancelled", counts[provision.Cancelled])
	chip("All", "all", all)
	p.Filter.Select = ui.Select{Name: "sort", Label: "Order", Value: age, Options: []ui.Option{{Label: "Newest first"}, {Value: "age", Label: "Longest unchanged first"}}}
	if state != "" {
		p.Filter.Hidden = []ui.Pair{{Name: "state", Value: state}}
	}
	names, err := s.orgNames(v, list)
	if err != nil {
		return p, err
	}
	for _, o := range list {
		row := s.onboardingRow(v, o, names)
		row.Selected = o.ID == selected
		p.Rows = append(p.Rows, row)
	}
	p.Text = fmt.Sprintf("%d open.", open)
	if n := counts[provision.Stuck]; n > 0 {
		p.Text += fmt.Sprintf(" **%d stuck.**", n)
	} else {
		p.Text += " Nothing is stuck."
	}
	if p.Limits, err = s.limitRows(v); err != nil {
		return p, err
	}
	p.Foot = v.foot("/staff/onboardings", len(list), next, -1, "onboarding", "onboardings")
	p.List = link("/staff/onboardings", v.query("state", "sort", "after", "back"))
	return p, nil
}

// limitRows are Microsoft's limits as they were learned, for who may see the
// partner's own connection.
func (s *Server) limitRows(v *visit) ([]ui.LimitRow, error) {
	if v.may(account.ActPartnerView, "") != "" {
		return nil, nil
	}
	list, err := s.Provision.Limits(v.ctx(), v.me)
	if err != nil {
		return nil, err
	}
	names := map[account.OrgID]string{"": ""}
	rows := make([]ui.LimitRow, len(list))
	for i, l := range list {
		r := ui.LimitRow{Name: azure.Words(l.Service, l.Group), Sub: "all customers together", Waiting: l.Waiting}
		if l.Customer != "" {
			r.Sub = "customer " + l.Customer
		}
		if l.Calls > 0 {
			r.Limit = fmt.Sprintf("%d a minute", l.PerMinute)
			r.Spent, r.Of = min(l.Spent, l.Calls), l.Calls
		}
		switch {
		case !l.Closed.IsZero():
			r.Opens = "Closed until " + v.second(l.Closed)
		case !l.Renews.IsZero():
			r.Opens = "Renewed at " + v.second(l.Renews)
		}
		if l.Waiting > 0 {
			r.Estimate = "about " + about(l.Estimate)
			org, err := s.orgName(v, account.OrgID(l.Next.Org), names)
			if err != nil {
				org = "" // a person asks, or the organization is gone
			}
			r.Next = or(org, "A question at a page")
			if l.Next.Class == azure.Work || l.Next.Class == azure.Poll {
				r.NextHref = "/staff/onboardings/" + l.Next.Key
			}
		}
		rows[i] = r
	}
	return rows, nil
}

// onboarding: GET /staff/onboardings/{id} is the list with the sheet of one.
func (s *Server) onboarding(v *visit) error {
	return s.showOnboarding(v, provision.ID(v.r.PathValue("id")), http.StatusOK, nil)
}

func (s *Server) showOnboarding(v *visit, id provision.ID, code int, also func(*ui.OnboardingSheet)) error {
	view, err := s.Provision.Get(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	p, err := s.onboardingsPage(v, id)
	if err != nil {
		return err
	}
	sheet, err := s.sheet(v, view)
	if err != nil {
		return err
	}
	if also != nil {
		also(&sheet)
	}
	p.Sheet = &sheet
	v.part(code, ui.Onboardings(p))
	return nil
}

// sheet says what is stuck, why, what exists at Microsoft and what can be done.
func (s *Server) sheet(v *visit, view provision.View) (ui.OnboardingSheet, error) {
	o, t := view.Onboarding, view.Tenant
	sh := ui.OnboardingSheet{ID: string(o.ID), Provider: o.Name, State: onboardingState(o.State), Page: "/providers/" + string(o.Provider)}
	names := map[account.OrgID]string{}
	org, err := s.orgName(v, o.Org, names)
	if err != nil {
		return sh, err
	}
	since := o.ChangedAt
	if !o.StuckAt.IsZero() {
		since = o.StuckAt
	}
	sh.Sub = plain(org) + " · account " + string(o.Account) + " · " + ui.FormatSpan(v.now.Sub(since)) + " at step **" + string(o.Step) + "**"
	if !o.FinishedAt.IsZero() {
		sh.Sub = plain(org) + " · account " + string(o.Account) + " · took " + ui.FormatSpan(o.FinishedAt.Sub(o.StartedAt))
	}
	sh.Rows = s.sheetRows(v, view)
	for i := len(view.Log) - 1; i >= 0; i-- {
		e := view.Log[i]
		sh.History = append(sh.History, ui.LogLine{At: v.second(e.At), ISO: e.At.UTC().Format(time.RFC3339), Text: e.Text})
	}
	if n := len(sh.History); n > 12 {
		sh.History = sh.History[n-12:]
	}
	if v.may(account.ActExchangeView, o.Org) == "" {
		list, err := s.Provision.Exchanges(v.ctx(), v.me, o.ID, 30)
		if err != nil {
			return sh, err
		}
		if len(list) > 0 {
			x := s.exchange(v, telling(list, o.State == provision.Stuck))
			x.CopyURL = "/staff/onboardings/" + string(o.ID) + "/exchange"
			sh.Exchange = &x
		}
	}
	s.sheetActions(v, o, t, &sh)
	return sh, nil
}

// telling is the exchange that says most: of a stuck one the last write that was
// refused, not the questions that were asked after it.
func telling(list []azure.Exchange, stuck bool) azure.Exchange {
	if stuck {
		for _, x := range list {
			if x.Method != http.MethodGet && x.Method != http.MethodHead && (x.Status == 0 || x.Status >= 400) {
				return x
			}
		}
		for _, x := range list {
			if x.Status == 0 || x.Status >= 400 {
				return x
			}
		}
	}
	return list[0]
}

func (s *Server) sheetRows(v *visit, view provision.View) []ui.KV {
	o, t := view.Onboarding, view.Tenant
	var rows []ui.KV
	if r := o.Refusal; r != nil {
		field := r.Field
		if field == "" {
			field = "none"
		}
		value := strings.ReplaceAll(field, "_", " ")
		if r.Field == "domain_prefix" || r.Field == "domain" {
			value = "Domain prefix · " + strings.TrimSuffix(t.Domain, provision.DomainSuffix)
		}
		rows = append(rows, ui.KV{Key: "Field", Value: "**" + plain(value) + "**"}, ui.KV{Key: "Reason", Value: plain(r.Reason)}, ui.KV{Key: "Remedy", Value: plain(or(r.Remedy, "Look at the exchange, then try again."))})
		if r.Code != "" {
			rows = append(rows, ui.KV{Key: "Code", Value: r.Code, Mono: true})
		}
	} else {
		for _, st := range view.Steps {
			if st.Name == o.Step && st.Note != "" {
				rows = append(rows, ui.KV{Key: "Now", Value: plain(st.Note)})
			}
		}
	}
	var exists []string
	if t.AzureID != "" {
		exists = append(exists, "customer "+t.AzureID)
	}
	if t.Plan != "" {
		exists = append(exists, "Azure plan "+t.Plan)
	}
	if o.Subscription != "" {
		exists = append(exists, "subscription "+o.Subscription)
	}
	at := ui.KV{Key: "Exists at Microsoft", Value: "**Nothing.**", Sub: "No customer of this onboarding was made or may have been made."}
	if len(exists) > 0 {
		at = ui.KV{Key: "Exists at Microsoft", Value: and(exists)}
	}
	rows = append(rows, at, ui.KV{Key: "Domain", Value: t.Domain, Break: true})
	if len(view.Waiting) > 0 {
		var names []string
		for _, w := range view.Waiting {
			names = append(names, w.Name)
		}
		rows = append(rows, ui.KV{Key: "Waits on this", Value: plain(and(names)), Sub: "same legal entity"})
	}
	return append(rows, ui.KV{Key: "Started", Value: v.moment(o.StartedAt), Sub: "· correlation " + o.Correlation}, ui.KV{Key: "Provider", Value: "Open its page", Href: "/providers/" + string(o.Provider)})
}

// sheetActions says what can be done now, and why not what cannot.
func (s *Server) sheetActions(v *visit, o provision.Onboarding, t provision.Tenant, sh *ui.OnboardingSheet) {
	stuck := o.State == provision.Stuck
	sh.RetryOff = v.may(account.ActOnboardingRetry, o.Org)
	switch {
	case !stuck:
		sh.RetryOff = "Try again is off: it is not stuck."
	case sh.RetryOff == "" && o.Refusal != nil && o.Refusal.Code == "domain-taken":
		sh.RetryOff = "Try again is off: the same prefix would be refused again."
	}
	sh.CancelOff = v.may(account.ActOnboardingCancel, o.Org)
	if o.State == provision.Cancelled || o.State == provision.Cancelling {
		sh.CancelOff = "It is cancelled already."
	}
	if info := s.cancelInfo(v, provider.Provider{State: provider.Running, Tenant: t.ID}); info != nil {
		sh.Cancel = *info
		if o.State == provision.Ready {
			sh.Cancel = *s.cancelInfo(v, provider.Provider{State: provider.Ready, Tenant: t.ID})
		}
		sh.Cancel.Told = "The customer reads it in the log of the provider."
	}
	if !stuck || t.AzureID != "" || o.Refusal == nil {
		return
	}
	sh.EditOff = v.may(account.ActOnboardingEdit, o.Org)
	in := t.Details
	switch o.Refusal.Field {
	case "domain_prefix", "domain":
		f := prefixField("prefix", in.DomainPrefix)
		f.Hint = ""
		sh.EditTitle, sh.Edit, sh.Check, sh.EditLabel = "New prefix", []ui.Field{f}, true, "Send to Microsoft"
	case "address", "line1", "line2", "city", "state", "postal_code":
		sh.EditTitle, sh.Edit, sh.EditLabel = "Correct the address", addressFields(in.Address, nil), "Send to Microsoft"
	case "phone", "email", "first_name", "last_name", "company_name", "registration_number":
		sh.EditTitle, sh.EditLabel = "Correct the details", "Send to Microsoft"
		sh.Edit = []ui.Field{
			{ID: "company_name", Label: "Company", Value: in.CompanyName, MaxLength: 100}, {ID: "registration_number", Label: "Registration number", Value: in.RegistrationNumber, Optional: true},
			{ID: "first_name", Label: "First name", Value: in.Contact.FirstName, Span: "3"}, {ID: "last_name", Label: "Last name", Value: in.Contact.LastName, Span: "3"},
			{ID: "email", Label: "E-mail", Type: "email", Value: in.Contact.Email, Span: "3"}, {ID: "phone", Label: "Telephone", Type: "tel", Value: in.Contact.Phone, Span: "3", Optional: true},
		}
	}
}

// exchange is a request and its answer; secrets were taken out before it was kept.
func (s *Server) exchange(v *visit, x azure.Exchange) ui.Exchange {
	path := x.URL
	if i := strings.Index(path, "://"); i >= 0 {
		if j := strings.IndexByte(path[i+3:], '/'); j >= 0 {
			path = path[i+3+j:]
		}
	}
	out := ui.Exchange{Title: string(x.Service)}
	stamp := func(t time.Time) string { return v.in(t).Format("15:04:05.000") }
	out.Parts = append(out.Parts, ui.ExchangePart{Line: x.Method + " " + path, At: stamp(x.Started), Headers: headersOf(x.Request.Headers, x.RequestID, x.CorrelationID), Body: removed(x.Request.Body)})
	answer := ui.ExchangePart{Line: "No answer", At: stamp(x.Started.Add(x.Took)), Body: removed(x.Response.Body)}
	if x.Status != 0 {
		answer.Line = strings.TrimSpace(fmt.Sprintf("%d %s", x.Status, http.StatusText(x.Status)))
	}
	answer.Headers = headersOf(x.Response.Headers, "", "")
	if x.CV != "" {
		answer.Headers = append(answer.Headers, ui.Pair{Name: "MS-CV", Value: x.CV})
	}
	if answer.Body == "" {
		answer.Body = x.Error
	}
	out.Parts = append(out.Parts, answer)
	return out
}

// headersOf keeps what tells something, in one order.
func headersOf(h map[string]string, request, correlation string) []ui.Pair {
	var list []ui.Pair
	if request != "" {
		list = append(list, ui.Pair{Name: "MS-RequestId", Value: request})
	}
	if correlation != "" {
		list = append(list, ui.Pair{Name: "MS-CorrelationId", Value: correlation})
	}
	var names []string
	for n := range h {
		switch strings.ToLower(n) {
		case "ms-requestid", "ms-correlationid", "ms-cv", "date", "content-length", "user-agent", "accept-encoding":
		default:
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		list = append(list, ui.Pair{Name: n, Value: removed(h[n])})
	}
	return list
}

// redacted is what package azure leaves where a secret was.
const redacted = "[redacted]"

// removed puts the page's mark where the client left its own.
func removed(s string) string {
	return strings.ReplaceAll(s, redacted, ui.Removed)
}

// exchangeText: GET /staff/onboardings/{id}/exchange is the same as plain text,
// for Microsoft's support.
func (s *Server) exchangeText(v *visit) error {
	list, err := s.Provision.Exchanges(v.ctx(), v.me, provision.ID(v.r.PathValue("id")), 20)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, x := range list {
		for _, p := range s.exchange(v, x).Parts {
			fmt.Fprintln(&b, p.Line, p.At)
			for _, h := range p.Headers {
				fmt.Fprintf(&b, "%s: %s\n", h.Name, h.Value)
			}
			fmt.Fprintf(&b, "\n%s\n\n", p.Body)
		}
	}
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err = fmt.Fprint(v.w, b.String())
	return ignoreGone(v, err)
}

// editOnboarding: POST /staff/onboardings/{id}/edit checks or sends corrected details.
func (s *Server) editOnboarding(v *visit) error {
	id := provision.ID(v.r.PathValue("id"))
	view, err := s.Provision.Get(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	in := corrected(v, view.Tenant.Details)
	if v.form("then") == "check" {
		state := s.checkPrefixFor(v, view, in)
		return s.showOnboarding(v, id, http.StatusOK, func(sh *ui.OnboardingSheet) {
			typedInto(v, sh)
			sh.EditState = state
		})
	}
	if view.Onboarding.State != provision.Stuck { // sent twice
		return v.to("/staff/onboardings/"+string(id), "")
	}
	err = s.Provision.Edit(v.ctx(), v.me, id, in)
	if err == nil {
		return v.to("/staff/onboardings/"+string(id), view.Onboarding.Name+" goes on")
	}
	errs, ok := errorsOf(err, nil, fieldIDs)
	if !ok || errors.Is(err, fault.Forbidden) {
		return err
	}
	return s.showOnboarding(v, id, statusOf(err), func(sh *ui.OnboardingSheet) {
		typedInto(v, sh)
		sh.Error = plain(first(err))
		for i := range sh.Edit {
			sh.Edit[i].Error = errs.For(sh.Edit[i].ID)
		}
	})
}

func typedInto(v *visit, sh *ui.OnboardingSheet) {
	for i := range sh.Edit {
		if v.r.PostForm.Has(sh.Edit[i].ID) {
			sh.Edit[i].Value = v.form(sh.Edit[i].ID)
		}
	}
}

// checkPrefixFor asks Microsoft about a new prefix before it is sent.
func (s *Server) checkPrefixFor(v *visit, view provision.View, in provision.Details) ui.DomainState {
	c, err := s.Provision.CheckPrefix(v.ctx(), v.me, view.Onboarding.Provider, in)
	switch {
	case errors.Is(err, provision.ErrAsking):
		return ui.DomainState{Tone: ui.ToneWaiting, Text: "Microsoft has not answered yet. Press Check once more in a moment."}
	case fault.Of(err) != nil:
		return ui.DomainState{Tone: ui.ToneStuck, Text: first(err)}
	case err != nil:
		s.Log.Error("a prefix could not be checked", "request", reference(v.r), "error", err)
		return ui.DomainState{Tone: ui.ToneStuck, Text: "It could not be checked. Try again in a minute."}
	}
	for _, r := range c.Refusals {
		if r.Field == "domain_prefix" || r.Field == "domain" {
			return ui.DomainState{Tone: ui.ToneStuck, Text: r.String()}
		}
	}
	return ui.DomainState{Tone: ui.ToneOK, Text: c.Domain + " was free a moment ago. It is permanent: agree it with the customer."}
}

// retryOnboarding: POST /staff/onboardings/{id}/retry.
func (s *Server) retryOnboarding(v *visit) error {
	id := provision.ID(v.r.PathValue("id"))
	view, err := s.Provision.Get(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	to := "/staff/onboardings/" + string(id)
	if view.Onboarding.State != provision.Stuck { // sent twice
		return v.to(to, "")
	}
	if err := s.Provision.Retry(v.ctx(), v.me, id); err != nil {
		return err
	}
	return v.to(to, view.Onboarding.Name+" goes on")
}

// cancelOnboarding: POST /staff/onboardings/{id}/cancel.
func (s *Server) cancelOnboarding(v *visit) error {
	id := provision.ID(v.r.PathValue("id"))
	view, err := s.Provision.Get(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	to := "/staff/onboardings/" + string(id)
	if st := view.Onboarding.State; st == provision.Cancelling || st == provision.Cancelled {
		return v.to(to, "")
	}
	if err := s.Provision.CancelOnboarding(v.ctx(), v.me, id); err != nil {
		return err
	}
	return v.to(to, view.Onboarding.Name+" is being cancelled")
}
