package api

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/provision"
)

// OnboardingView is the durable process behind a provider.
type OnboardingView struct {
	ID             string        `json:"id"`
	Provider       string        `json:"provider"`
	Organization   string        `json:"organization"`
	User           string        `json:"user" doc:"Who began it."`
	Login          string        `json:"login,omitempty" doc:"The account administrator who approved the charges."`
	Account        string        `json:"account"`
	Tenant         string        `json:"tenant"`
	CorrelationID  string        `json:"correlation_id" doc:"MS-CorrelationId of all its calls."`
	State          string        `json:"state" enum:"running,waiting,stuck,ready,cancelling,cancelled"`
	Step           string        `json:"step"`
	Refusal        *RefusalView  `json:"refusal,omitempty" doc:"Why it is stuck."`
	Name           string        `json:"name"`
	Budget         *money.Amount `json:"budget,omitempty"`
	SubscriptionID string        `json:"subscription_id,omitempty"`
	Further        bool          `json:"further"`
	Receipt        bool          `json:"receipt" doc:"The signed receipt is there."`
	StartedAt      time.Time     `json:"started_at"`
	ChangedAt      time.Time     `json:"changed_at"`
	FinishedAt     *time.Time    `json:"finished_at,omitempty"`
	StuckAt        *time.Time    `json:"stuck_at,omitempty"`
}

// OnboardingFull is all that staff see of one onboarding.
type OnboardingFull struct {
	Onboarding OnboardingView    `json:"onboarding"`
	Provider   Provider          `json:"provider"`
	Tenant     Tenant            `json:"tenant"`
	Details    provision.Details `json:"details" doc:"What Microsoft is told."`
	Steps      []Step            `json:"steps"`
	Behind     []OnboardingView  `json:"behind" doc:"Others that wait for the same tenant."`
	Log        []LogEntry        `json:"log"`
}

// Exchange is what was said to Microsoft, secrets removed.
type Exchange struct {
	Service       string          `json:"service"`
	Method        string          `json:"method"`
	URL           string          `json:"url"`
	RequestID     string          `json:"request_id"`
	CorrelationID string          `json:"correlation_id"`
	CV            string          `json:"cv,omitempty"`
	Request       ExchangeMessage `json:"request"`
	Status        int             `json:"status" doc:"0: no answer."`
	Response      ExchangeMessage `json:"response"`
	Error         string          `json:"error,omitempty"`
	Started       time.Time       `json:"started"`
	Milliseconds  int64           `json:"milliseconds"`
}

// ExchangeMessage is one side of an exchange.
type ExchangeMessage struct {
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
}

// Counts is how many onboardings are in each state.
type Counts struct {
	States map[string]int `json:"states"`
}

// Comparison is what a comparison of both sides found.
type Comparison struct {
	Differences []Compared `json:"differences"`
	At          time.Time  `json:"at"`
}

// Compared is something that is so here and not so at Microsoft, or the other way
// round.
type Compared struct {
	Kind   string `json:"kind"`
	Object string `json:"object"`
	Text   string `json:"text"`
}

type onboardingsIn struct {
	Organization string `query:"organization" maxLength:"100"`
	State        string `query:"state" enum:"running,waiting,stuck,ready,cancelling,cancelled"`
	Open         bool   `query:"open" doc:"Neither ready nor cancelled."`
	PageOf
}

type editIn struct {
	ByID
	Body detailsIn
}

func (s *Server) routeOnboardings() {
	handle(s, op{id: "list-onboardings", is: "GET /onboardings", tag: "onboardings", text: "List onboardings, the newest first", act: account.ActOnboardingView}, s.listOnboardings)
	handle(s, op{id: "count-onboardings", is: "GET /onboarding-counts", tag: "onboardings", text: "How many are in each state", act: account.ActPartnerView}, s.countOnboardings)
	handle(s, op{id: "get-onboarding", is: "GET /onboardings/{id}", tag: "onboardings", text: "One onboarding with all that is known of it", act: account.ActOnboardingView}, s.getOnboarding)
	handle(s, op{id: "list-exchanges", is: "GET /onboardings/{id}/exchanges", tag: "onboardings", text: "What was said to Microsoft, the last first", act: account.ActExchangeView}, s.exchanges)
	act(s, op{id: "retry-onboarding", is: "POST /onboardings/{id}/retry", tag: "onboardings", text: "Let a stuck one go on", act: account.ActOnboardingRetry}, func(ctx context.Context, a account.Actor, in *ByID) error {
		return s.Provision.Retry(ctx, a, provision.ID(in.ID))
	})
	act(s, op{id: "edit-onboarding", is: "POST /onboardings/{id}/edit", tag: "onboardings", text: "Correct the details and let it go on", act: account.ActOnboardingEdit,
		more: "As long as the tenant does not exist. The domain is confirmed anew."}, s.editOnboarding)
	act(s, op{id: "cancel-onboarding", is: "POST /onboardings/{id}/cancel", tag: "onboardings", text: "Cancel it", act: account.ActOnboardingCancel}, func(ctx context.Context, a account.Actor, in *ByID) error {
		v, err := s.Provision.Get(ctx, a, provision.ID(in.ID))
		if err != nil {
			return err
		}
		return s.Provision.CancelOnboarding(ctx, a, v.Onboarding.ID)
	})
	handle(s, op{id: "list-limits", is: "GET /throttle", tag: "onboardings", text: "Microsoft's limits, as they were learned, and who waits for them", act: account.ActPartnerView,
		more: "All processes share them. Estimates come from those who had their turn."}, s.limits)
	handle(s, op{id: "list-tenants", is: "GET /tenants", tag: "onboardings", text: "An organization's tenants", act: account.ActProviderView}, s.tenants)
	handle(s, op{id: "compare", is: "GET /comparison", tag: "onboardings", text: "Hold what is written here against what Microsoft has", act: account.ActPartnerView,
		more: "It changes and keeps nothing; POST /sweep keeps what it finds. Onboardings that still run are left out. A process of role web cannot answer it."}, s.compare)
}

func (s *Server) listOnboardings(ctx context.Context, a account.Actor, in *onboardingsIn) (Page[OnboardingView], error) {
	list, next, err := s.Provision.List(ctx, a, provision.Filter{
		Org: account.OrgID(in.Organization), State: provision.State(in.State), Open: in.Open, After: in.After, Limit: in.Limit,
	})
	return Page[OnboardingView]{each(list, viewOnboarding), next}, err
}

func (s *Server) countOnboardings(ctx context.Context, a account.Actor, _ *none) (Counts, error) {
	if err := account.May(a, account.ActPartnerView, ""); err != nil {
		return Counts{}, err
	}
	n, err := s.Provision.Counts(ctx, a)
	c := Counts{States: map[string]int{}}
	for k, v := range n {
		c.States[string(k)] = v
	}
	return c, err
}

func (s *Server) getOnboarding(ctx context.Context, a account.Actor, in *ByID) (OnboardingFull, error) {
	v, err := s.Provision.Get(ctx, a, provision.ID(in.ID))
	if err != nil {
		return OnboardingFull{}, err
	}
	return OnboardingFull{
		Onboarding: viewOnboarding(v.Onboarding), Provider: viewProvider(v.Provider), Tenant: viewTenant(v.Tenant), Details: v.Tenant.Details,
		Steps: each(v.Steps, viewStep), Behind: each(v.Waiting, viewOnboarding), Log: each(v.Log, func(e provider.Entry) LogEntry { return LogEntry(e) }),
	}, nil
}

func (s *Server) exchanges(ctx context.Context, a account.Actor, in *tailIn) (Page[Exchange], error) {
	list, err := s.Provision.Exchanges(ctx, a, provision.ID(in.ID), in.Limit)
	return Page[Exchange]{Items: each(list, viewExchange)}, err
}

func (s *Server) editOnboarding(ctx context.Context, a account.Actor, in *editIn) error {
	v, err := s.Provision.Get(ctx, a, provision.ID(in.ID))
	if err != nil {
		return err
	}
	d := v.Tenant.Details
	d.DomainConfirmed = false
	if err := s.Provision.Edit(ctx, a, v.Onboarding.ID, in.Body.onto(d)); err != nil {
		return placed{err, ""}
	}
	return nil
}

func (s *Server) tenants(ctx context.Context, a account.Actor, in *usersIn) (Page[Tenant], error) {
	org := account.OrgID(in.Organization)
	if org == "" {
		org = a.Org
	}
	if _, err := s.org(ctx, a, org); err != nil {
		return Page[Tenant]{}, err
	}
	list, err := s.Provision.Tenants(ctx, a, org)
	return Page[Tenant]{Items: each(list, viewTenant)}, err
}

func (s *Server) compare(ctx context.Context, a account.Actor, _ *none) (Comparison, error) {
	if err := account.May(a, account.ActPartnerView, ""); err != nil {
		return Comparison{}, err
	}
	if s.Doctor == nil {
		return Comparison{}, onlyWorker("compare both sides")
	}
	list, err := s.Provision.Compare(ctx)
	return Comparison{each(list, func(d provision.Difference) Compared { return Compared{string(d.Kind), d.Object, d.Text} }), s.Now()}, err
}

// LimitView is one of Microsoft's limits.
type LimitView struct {
	Service         string     `json:"service"`
	Group           string     `json:"group" doc:"Endpoints that share the limit."`
	Customer        string     `json:"customer,omitempty" doc:"Whose limit; missing: of all customers together."`
	Calls           int        `json:"calls" doc:"A period takes so many; 0: not known yet."`
	PeriodSeconds   float64    `json:"period_seconds"`
	PerMinute       int        `json:"per_minute"`
	Spent           int        `json:"spent" doc:"In the present period."`
	ClosedUntil     *time.Time `json:"closed_until,omitempty" doc:"Microsoft takes none before that."`
	RenewsAt        *time.Time `json:"renews_at,omitempty" doc:"The next period begins then."`
	MetAt           *time.Time `json:"met_at,omitempty"`
	Lessons         int        `json:"lessons" doc:"How often it was met since it is known."`
	Waiting         int        `json:"waiting"`
	NextKey         string     `json:"next_key,omitempty" doc:"The onboarding, or question, that goes next."`
	NextOrg         string     `json:"next_organization,omitempty"`
	EstimateSeconds int64      `json:"estimate_seconds" doc:"Until the last who waits has its turn."`
}

func (s *Server) limits(ctx context.Context, a account.Actor, _ *none) (Page[LimitView], error) {
	list, err := s.Provision.Limits(ctx, a)
	return Page[LimitView]{Items: each(list, func(l azure.Limit) LimitView {
		return LimitView{
			Service: string(l.Service), Group: l.Group, Customer: l.Customer, Calls: l.Calls, PeriodSeconds: l.Period.Seconds(), PerMinute: l.PerMinute, Spent: l.Spent,
			ClosedUntil: when(l.Closed), RenewsAt: when(l.Renews), MetAt: when(l.Met), Lessons: l.Refusals, Waiting: l.Waiting, NextKey: l.Next.Key, NextOrg: l.Next.Org,
			EstimateSeconds: int64(l.Estimate.Seconds()),
		}
	})}, err
}

func viewOnboarding(o provision.Onboarding) OnboardingView {
	v := OnboardingView{
		ID: string(o.ID), Provider: string(o.Provider), Organization: string(o.Org), User: string(o.User), Login: o.Login, Account: string(o.Account),
		Tenant: o.Tenant, CorrelationID: o.Correlation, State: string(o.State), Step: string(o.Step), Name: o.Name, Budget: amount(o.Budget),
		SubscriptionID: o.Subscription, Further: o.Further, Receipt: o.Receipt != "", StartedAt: o.StartedAt, ChangedAt: o.ChangedAt,
		FinishedAt: when(o.FinishedAt), StuckAt: when(o.StuckAt),
	}
	if o.Refusal != nil {
		r := RefusalView(*o.Refusal)
		v.Refusal = &r
	}
	return v
}

func viewExchange(x azure.Exchange) Exchange {
	return Exchange{
		Service: string(x.Service), Method: x.Method, URL: x.URL, RequestID: x.RequestID, CorrelationID: x.CorrelationID, CV: x.CV,
		Request: ExchangeMessage(x.Request), Status: x.Status, Response: ExchangeMessage(x.Response), Error: x.Error,
		Started: x.Started, Milliseconds: x.Took.Milliseconds(),
	}
}
