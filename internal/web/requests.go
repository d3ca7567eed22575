package web

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/eligibility"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

// topics are what a person can ask for, as the dialog offers it.
var topics = []ui.Option{
	{Value: "exception", Label: "An exception for an account that a rule refuses"},
	{Value: "service", Label: "A further Azure service"},
	{Value: "access", Label: "A change of access"},
	{Value: "existing", Label: "Moving an existing Azure account here"},
	{Value: "support", Label: "Something else"},
}

// requestState is a request's state as people read it.
func requestState(v *visit, r support.Request) ui.State {
	switch r.State {
	case support.Open:
		return ui.StateOpen
	case support.Granted:
		if r.Kind == support.Exception && !r.InForce(v.now) {
			return ui.StateExpired
		}
		return ui.StateGranted
	case support.Refused:
		return ui.StateDeclined
	case support.Withdrawn:
		return ui.StateCancelled
	}
	return ui.State(r.State)
}

// requestRow is one request in a list.
func (s *Server) requestRow(v *visit, r support.Request) ui.RequestRow {
	row := ui.RequestRow{
		ID: string(r.ID), Title: r.Subject, Under: r.Label() + " · asked by " + r.AskedName, State: requestState(v, r), Asked: v.when(r.AskedAt),
	}
	switch r.State {
	case support.Open:
		row.Line = "Answer by " + v.moment(r.AnswerBy)
		if r.Overdue(v.now) {
			row.Line = "Overdue since " + v.moment(r.AnswerBy)
		}
	case support.Granted, support.Refused, support.Withdrawn:
		row.Line = r.Reason
		if r.State == support.Granted && !r.Until.IsZero() {
			row.Note = "Valid until " + v.day(r.Until)
		}
	}
	return row
}

// requestFilter is the bar over a list of requests.
func (s *Server) requestFilter(v *visit, path string) (ui.Filter, support.Filter, error) {
	counts, err := s.Desk.Counts(v.ctx(), v.me)
	if err != nil {
		return ui.Filter{}, support.Filter{}, err
	}
	f := support.Filter{State: support.State(v.form("state")), Kind: support.Kind(v.form("kind")), Alias: account.Alias(v.form("account")), After: v.form("after"), Limit: perPage}
	n := map[support.State]int{}
	total := 0
	for kind, byState := range counts {
		if f.Kind != "" && f.Kind != kind {
			continue
		}
		for st, c := range byState {
			n[st] += c
			total += c
		}
	}
	bar := ui.Filter{Action: path}
	chip := func(label string, st support.State, count int) {
		q := v.query("kind", "account")
		if st != "" {
			q.Set("state", string(st))
		}
		bar.Chips = append(bar.Chips, ui.Chip{Label: label, Count: count, Href: link(path, q), On: f.State == st})
	}
	chip("All", "", total)
	chip("Open", support.Open, n[support.Open])
	chip("Granted", support.Granted, n[support.Granted])
	chip("Declined", support.Refused, n[support.Refused])
	chip("Withdrawn", support.Withdrawn, n[support.Withdrawn])
	bar.Select = ui.Select{Name: "kind", Label: "Kind", Value: string(f.Kind), Options: []ui.Option{
		{Label: "Kind: all"}, {Value: "exception", Label: "Exceptions"}, {Value: "service", Label: "Services"}, {Value: "reservation", Label: "Reservations"}, {Value: "contact", Label: "Contact"},
	}}
	if f.State != "" {
		bar.Hidden = []ui.Pair{{Name: "state", Value: string(f.State)}}
	}
	return bar, f, nil
}

// listRequests: GET /requests?state=&kind=&new=.
func (s *Server) listRequests(v *visit) error {
	if v.me.Staff() {
		return v.to("/staff/requests", "")
	}
	p, err := s.requestsPage(v)
	if err != nil {
		return err
	}
	if kind := v.form("new"); kind != "" {
		p.New.Open, p.New.Kind = true, kind
	}
	return v.page(ui.Requests(p))
}

func (s *Server) requestsPage(v *visit) (ui.RequestsPage, error) {
	var p ui.RequestsPage
	var err error
	if p.Shell, err = s.shell(v, "requests", "Requests"); err != nil {
		return p, err
	}
	bar, f, err := s.requestFilter(v, "/requests")
	if err != nil {
		return p, err
	}
	p.Filter = bar
	page, err := s.Desk.Requests(v.ctx(), v.me, f)
	if err != nil {
		return p, err
	}
	for _, r := range page.Items {
		row := s.requestRow(v, r)
		if r.State == support.Open {
			row.Actions = []ui.Action{{ID: "withdraw-" + row.ID, Label: "Withdraw", Size: "sm", Variant: "ghost", Post: "/requests/" + row.ID + "/withdraw"}}
		}
		p.Rows = append(p.Rows, row)
	}
	p.Foot = v.foot("/requests", len(page.Items), page.Next, -1, "request", "requests")
	p.New = ui.RequestForm{Kinds: topics, Kind: "support", Off: v.may(account.ActRequestCreate, v.me.Org)}
	org := v.me.Org
	accounts, err := s.People.Accounts(v.ctx(), account.Filter{Org: &org})
	if err != nil {
		return p, err
	}
	p.New.Account = ui.Select{Name: "account", Value: v.form("account"), Options: []ui.Option{{Label: "None"}}}
	for _, a := range accounts {
		p.New.Account.Options = append(p.New.Account.Options, ui.Option{Value: string(a.Alias), Label: string(a.Alias) + " · " + a.Name})
	}
	return p, nil
}

// ask: POST /requests, from the dialog of its page, the wizard, an account or the
// list of services.
func (s *Server) ask(v *visit) error {
	r, err := s.makeRequest(v)
	if err == nil {
		said := r.Label() + " sent. Answer by " + v.moment(r.AnswerBy) + ", by mail."
		if id := provider.ID(v.form("provider")); id != "" {
			if _, err := s.Providers.Get(v.ctx(), v.me, id); err != nil {
				return err
			}
			return v.to(stepPath(id, "account"), said)
		}
		return v.to("/requests", said)
	}
	f := fault.Of(err)
	if f == nil || f.Kind != fault.Invalid {
		return err
	}
	p, perr := s.requestsPage(v)
	if perr != nil {
		return perr
	}
	p.New.Open, p.New.Kind, p.New.Text, p.New.Error = true, v.form("kind"), v.form("text"), refusals(f)
	v.part(statusOf(err), ui.Requests(p))
	return nil
}

func (s *Server) makeRequest(v *visit) (support.Request, error) {
	alias, text := account.Alias(v.form("account")), v.form("text")
	if alias != "" {
		if _, err := s.accountFor(v, alias); err != nil {
			return support.Request{}, err
		}
	}
	switch kind := v.form("kind"); kind {
	case "exception":
		if alias == "" {
			return support.Request{}, fault.Field("account", "It is not said for which account.", "Choose the account.")
		}
		ch, err := s.choiceOf(v, alias, v.rules.DefaultBudget)
		if err != nil {
			return support.Request{}, err
		}
		var rules []string
		for _, f := range ch.Verdict.Failures {
			if !f.Rule.Liftable() {
				return support.Request{}, fault.Field("account", f.Reason+" An exception cannot lift this.", f.Remedy)
			}
			rules = append(rules, string(f.Rule))
		}
		if len(rules) == 0 {
			return support.Request{}, fault.Field("account", string(alias)+" can be billed already: no rule stands against it.", "Go on in the wizard.")
		}
		return s.Desk.AskException(v.ctx(), v.me, alias, rules, text)
	case "service":
		service := v.form("service")
		if service == "" {
			service = clipTo(strings.TrimSpace(strings.SplitN(text, "\n", 2)[0]), 100)
		}
		return s.Desk.AskService(v.ctx(), v.me, alias, support.ServicePayload{Service: service, Text: text, Region: v.form("region")})
	case "existing":
		return s.Desk.AskContact(v.ctx(), v.me, alias, support.ContactPayload{Topic: "existing Azure account", Text: text, Phone: v.form("phone")})
	case "access":
		return s.Desk.AskContact(v.ctx(), v.me, alias, support.ContactPayload{Topic: "change of access", Text: text})
	case "support", "contact":
		return s.Desk.AskContact(v.ctx(), v.me, alias, support.ContactPayload{Topic: "question", Text: text, Phone: v.form("phone")})
	default:
		return support.Request{}, fault.Field("kind", fmt.Sprintf("There is no kind of request %q.", kind), "Choose one from the list.")
	}
}

// withdrawRequest: POST /requests/{id}/withdraw.
func (s *Server) withdrawRequest(v *visit) error {
	r, err := s.Desk.Request(v.ctx(), v.me, support.RequestID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	to := "/requests"
	if v.me.Staff() {
		to = "/staff/requests"
	}
	if r.State == support.Withdrawn { // sent twice
		return v.to(to, "")
	}
	if _, err := s.Desk.Withdraw(v.ctx(), v.me, r.ID, v.form("reason")); err != nil {
		return err
	}
	return v.to(to, r.Label()+" withdrawn")
}

// wrote is what the customer wrote, and what it is about.
func wrote(r support.Request) (text string, rows []ui.KV, rules []string) {
	var p struct {
		Rules                                    []string
		Why, Text, Service, Region, Phone, Topic string

		Intent, Subscription, Scope, Type, Term, Billing, Order, Bought string
		Quantity, Cores, Memory                                         int
	}
	if json.Unmarshal(r.Payload, &p) != nil {
		return "", nil, nil
	}
	for _, x := range p.Rules {
		rules = append(rules, eligibility.Rule(x).Title())
	}
	for _, kv := range []ui.KV{{Key: "Service", Value: p.Service}, {Key: "Region", Value: p.Region}, {Key: "Topic", Value: p.Topic}, {Key: "Telephone", Value: p.Phone},
		{Key: "Request", Value: p.Intent}, {Key: "Subscription", Value: p.Subscription}, {Key: "Applies to", Value: p.Scope}, {Key: "Type of machine", Value: p.Type},
		{Key: "Quantity", Value: some(p.Quantity)}, {Key: "Cores of each", Value: some(p.Cores)}, {Key: "GiB of each", Value: some(p.Memory)}, {Key: "Term", Value: support.Years(p.Term)},
		{Key: "Paid", Value: p.Billing}, {Key: "Reservation order", Value: p.Order}, {Key: "Bought on", Value: p.Bought}} {
		if kv.Value != "" {
			kv.Value = plain(kv.Value)
			rows = append(rows, kv)
		}
	}
	return strings.TrimSpace(p.Why + p.Text), rows, rules
}

// some is a number that was given.
func some(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
