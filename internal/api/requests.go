package api

import (
	"context"
	"encoding/json"
	"time"

	"causeway/internal/account"
	"causeway/internal/support"
)

// Request is one thing that somebody asked for.
type Request struct {
	ID           string          `json:"id"`
	Number       string          `json:"number" example:"R-1042"`
	Kind         string          `json:"kind" enum:"exception,contact,service,reservation"`
	Organization string          `json:"organization"`
	Account      string          `json:"account,omitempty"`
	State        string          `json:"state" enum:"open,granted,refused,withdrawn"`
	Subject      string          `json:"subject"`
	Payload      json.RawMessage `json:"payload" doc:"By kind: {rules, why}, {topic, text, phone}, {service, region, text} or the body of POST /requests/reservations."`
	AskedBy      string          `json:"asked_by"`
	AskedName    string          `json:"asked_name"`
	AskedAt      time.Time       `json:"asked_at"`
	AnswerBy     *time.Time      `json:"answer_by,omitempty" doc:"By the partner's business hours."`
	DecidedName  string          `json:"decided_name,omitempty"`
	DecidedAt    *time.Time      `json:"decided_at,omitempty"`
	Reason       string          `json:"reason,omitempty"`
	Until        *time.Time      `json:"until,omitempty" doc:"End of a granted exception."`
	Version      int64           `json:"version"`
}

// TimelineEntry is one line of what happened to a request.
type TimelineEntry struct {
	At    time.Time `json:"at"`
	Name  string    `json:"name"`
	Staff bool      `json:"staff"`
	Kind  string    `json:"kind"`
	Text  string    `json:"text"`
}

type requestsIn struct {
	Organization string `query:"organization" maxLength:"100"`
	Account      string `query:"account" maxLength:"10"`
	Kind         string `query:"kind" enum:"exception,contact,service,reservation"`
	State        string `query:"state" enum:"open,granted,refused,withdrawn"`
	PageOf
}

type exceptionIn struct {
	Body struct {
		Account string   `json:"account" maxLength:"10"`
		Rules   []string `json:"rules" minItems:"1" maxItems:"20" doc:"Codes of the rules to lift, as the choices name them."`
		Why     string   `json:"why" maxLength:"5000"`
	}
}

type contactRequestIn struct {
	Body struct {
		Account string `json:"account,omitempty" maxLength:"10"`
		Topic   string `json:"topic" maxLength:"100" example:"existing-azure-account"`
		Text    string `json:"text" maxLength:"5000"`
		Phone   string `json:"phone,omitempty" maxLength:"50"`
	}
}

type serviceRequestIn struct {
	Body struct {
		Account string `json:"account,omitempty" maxLength:"10"`
		Service string `json:"service" maxLength:"200" doc:"In one's own words, or a resource type."`
		Region  string `json:"region,omitempty" maxLength:"100"`
		Text    string `json:"text" maxLength:"5000"`
	}
}

type reservationIn struct {
	Body struct {
		Account      string `json:"account,omitempty" maxLength:"10"`
		Intent       string `json:"intent" enum:"purchase,exchange,cancel"`
		Subscription string `json:"subscription" maxLength:"60" doc:"That pays for it."`
		Scope        string `json:"scope" enum:"single,shared" doc:"single: of that subscription; shared: of all."`
		Region       string `json:"region" maxLength:"60" example:"eastus2"`
		Type         string `json:"type" maxLength:"100" example:"Standard_D4s_v5"`
		Cores        int    `json:"cores,omitempty" minimum:"0" maximum:"1000" doc:"Of one machine; left out: as its type has."`
		Memory       int    `json:"memory,omitempty" minimum:"0" maximum:"100000" doc:"GiB of one machine; left out: as its type has."`
		Quantity     int    `json:"quantity" minimum:"1" maximum:"10000"`
		Term         string `json:"term" enum:"P1Y,P3Y"`
		Billing      string `json:"billing" enum:"once,monthly"`
		Order        string `json:"order,omitempty" maxLength:"100" doc:"Of an exchange or cancellation: the order id of what was bought."`
		Bought       string `json:"bought,omitempty" maxLength:"10" doc:"And the day on which it was, like 2026-11-20."`
		Text         string `json:"text,omitempty" maxLength:"4000"`
	}
}

type decideIn struct {
	ByID
	Body struct {
		Decision string     `json:"decision" enum:"grant,refuse"`
		Reason   string     `json:"reason" maxLength:"5000"`
		Until    *time.Time `json:"until,omitempty" doc:"End of a granted exception; left out: by the partner's rules."`
	}
}

type reasonIn struct {
	ByID
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"5000"`
	}
}

type commentIn struct {
	ByID
	Body struct {
		Text string `json:"text" maxLength:"5000"`
	}
}

func (s *Server) routeRequests() {
	handle(s, op{id: "list-requests", is: "GET /requests", tag: "requests", text: "List requests, the newest first", act: account.ActRequestView}, s.listRequests)
	handle(s, op{id: "ask-exception", is: "POST /requests/exceptions", tag: "requests", text: "Ask to lift rules of eligibility for an account", act: account.ActExceptionAsk, created: true,
		more: "An organization has at most one open exception per account: asking again gives that one, widened by the rules that are new."}, s.askException)
	handle(s, op{id: "ask-contact", is: "POST /requests/contacts", tag: "requests", text: "Ask for a representative", act: account.ActRequestCreate, created: true}, s.askContact)
	handle(s, op{id: "ask-service", is: "POST /requests/services", tag: "requests", text: "Ask for a further Azure service", act: account.ActRequestCreate, created: true}, s.askService)
	handle(s, op{id: "ask-reservation", is: "POST /requests/reservations", tag: "requests", text: "Ask to buy, exchange or return a reservation", act: account.ActRequestCreate, created: true}, s.askReservation)
	handle(s, op{id: "get-request", is: "GET /requests/{id}", tag: "requests", text: "One request, by id or number", act: account.ActRequestView}, func(ctx context.Context, a account.Actor, in *ByID) (Request, error) {
		r, err := s.request(ctx, a, in.ID)
		return viewRequest(r), err
	})
	handle(s, op{id: "get-request-timeline", is: "GET /requests/{id}/timeline", tag: "requests", text: "What happened to it, the oldest first", act: account.ActRequestView}, s.timeline)
	handle(s, op{id: "decide-request", is: "POST /requests/{id}/decide", tag: "requests", text: "Grant or refuse it", act: account.ActRequestDecide}, s.decide)
	handle(s, op{id: "withdraw-request", is: "POST /requests/{id}/withdraw", tag: "requests", text: "Take it back", act: account.ActRequestWithdraw}, s.withdraw)
	act(s, op{id: "comment-request", is: "POST /requests/{id}/comments", tag: "requests", text: "Add a line to its timeline", act: account.ActRequestCreate}, s.comment)
}

// request finds a request by its id or by the number that people say.
func (s *Server) request(ctx context.Context, a account.Actor, id string) (support.Request, error) {
	if n, ok := support.ParseNumber(id); ok {
		return s.Desk.ByNumber(ctx, a, n)
	}
	return s.Desk.Request(ctx, a, support.RequestID(id))
}

func (s *Server) listRequests(ctx context.Context, a account.Actor, in *requestsIn) (Page[Request], error) {
	p, err := s.Desk.Requests(ctx, a, support.Filter{
		Org: account.OrgID(in.Organization), Alias: account.Alias(in.Account), Kind: support.Kind(in.Kind), State: support.State(in.State), After: in.After, Limit: in.Limit,
	})
	return Page[Request]{each(p.Items, viewRequest), p.Next}, err
}

func (s *Server) askException(ctx context.Context, a account.Actor, in *exceptionIn) (Request, error) {
	if _, err := s.account(ctx, a, in.Body.Account, account.ActAccountView); err != nil {
		return Request{}, err
	}
	r, err := s.Desk.AskException(ctx, a, account.Alias(in.Body.Account), in.Body.Rules, in.Body.Why)
	return viewRequest(r), err
}

func (s *Server) askContact(ctx context.Context, a account.Actor, in *contactRequestIn) (Request, error) {
	if err := s.aboutAccount(ctx, a, in.Body.Account); err != nil {
		return Request{}, err
	}
	r, err := s.Desk.AskContact(ctx, a, account.Alias(in.Body.Account), support.ContactPayload{Topic: in.Body.Topic, Text: in.Body.Text, Phone: in.Body.Phone})
	return viewRequest(r), err
}

func (s *Server) askService(ctx context.Context, a account.Actor, in *serviceRequestIn) (Request, error) {
	if err := s.aboutAccount(ctx, a, in.Body.Account); err != nil {
		return Request{}, err
	}
	r, err := s.Desk.AskService(ctx, a, account.Alias(in.Body.Account), support.ServicePayload{Service: in.Body.Service, Region: in.Body.Region, Text: in.Body.Text})
	return viewRequest(r), err
}

func (s *Server) askReservation(ctx context.Context, a account.Actor, in *reservationIn) (Request, error) {
	b := in.Body
	if err := s.aboutAccount(ctx, a, b.Account); err != nil {
		return Request{}, err
	}
	r, err := s.Desk.AskReservation(ctx, a, account.Alias(b.Account), support.ReservationPayload{
		Intent: support.Intent(b.Intent), Subscription: b.Subscription, Scope: b.Scope, Region: b.Region, Type: b.Type, Cores: b.Cores, Memory: b.Memory,
		Quantity: b.Quantity, Term: b.Term, Billing: b.Billing, Order: b.Order, Bought: b.Bought, Text: b.Text,
	})
	return viewRequest(r), err
}

func (s *Server) aboutAccount(ctx context.Context, a account.Actor, alias string) error {
	if alias == "" {
		return nil
	}
	_, err := s.account(ctx, a, alias, account.ActAccountView)
	return err
}

func (s *Server) timeline(ctx context.Context, a account.Actor, in *ByID) (Page[TimelineEntry], error) {
	r, err := s.request(ctx, a, in.ID)
	if err != nil {
		return Page[TimelineEntry]{}, err
	}
	list, err := s.Desk.Timeline(ctx, a, r.ID)
	return Page[TimelineEntry]{Items: each(list, func(e support.Entry) TimelineEntry {
		return TimelineEntry{e.At, e.Name, e.Staff, string(e.Kind), e.Text}
	})}, err
}

func (s *Server) decide(ctx context.Context, a account.Actor, in *decideIn) (Request, error) {
	r, err := s.request(ctx, a, in.ID)
	if err != nil {
		return Request{}, err
	}
	var until time.Time
	if in.Body.Until != nil {
		until = *in.Body.Until
	}
	r, err = s.Desk.Decide(ctx, a, r.ID, support.Decision(in.Body.Decision), in.Body.Reason, until)
	return viewRequest(r), err
}

func (s *Server) withdraw(ctx context.Context, a account.Actor, in *reasonIn) (Request, error) {
	r, err := s.request(ctx, a, in.ID)
	if err != nil {
		return Request{}, err
	}
	r, err = s.Desk.Withdraw(ctx, a, r.ID, in.Body.Reason)
	return viewRequest(r), err
}

func (s *Server) comment(ctx context.Context, a account.Actor, in *commentIn) error {
	r, err := s.request(ctx, a, in.ID)
	if err != nil {
		return err
	}
	return s.Desk.Comment(ctx, a, r.ID, in.Body.Text)
}

func viewRequest(r support.Request) Request {
	if len(r.Payload) == 0 {
		r.Payload = json.RawMessage("{}")
	}
	return Request{
		ID: string(r.ID), Number: r.Label(), Kind: string(r.Kind), Organization: string(r.Org), Account: string(r.Alias), State: string(r.State),
		Subject: r.Subject, Payload: r.Payload, AskedBy: string(r.AskedBy), AskedName: r.AskedName, AskedAt: r.AskedAt, AnswerBy: when(r.AnswerBy),
		DecidedName: r.DecidedName, DecidedAt: when(r.DecidedAt), Reason: r.Reason, Until: when(r.Until), Version: r.Version,
	}
}
