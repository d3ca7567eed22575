package api

import (
	"context"
	"net/http"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"

	"github.com/danielgtaylor/huma/v2"
)

// Provider is what a customer owns and sees: a named connection to a cloud.
type Provider struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	Type           string    `json:"type,omitempty" example:"azure-resource-manager"`
	Mode           string    `json:"mode,omitempty" example:"new"`
	State          string    `json:"state" enum:"draft,in-progress,waiting,stuck,ready,cancelling,cancelled"`
	Note           string    `json:"note,omitempty" doc:"One line: what goes on, or why not."`
	Account        string    `json:"account,omitempty" doc:"Who pays."`
	Organization   string    `json:"organization"`
	Owner          string    `json:"owner" doc:"Who made it: a user's id."`
	TenantID       string    `json:"tenant_id,omitempty" doc:"Microsoft's id of the tenant."`
	Domain         string    `json:"domain,omitempty"`
	SubscriptionID string    `json:"subscription_id,omitempty"`
	CreatedAt      time.Time `json:"created_at"`
	ChangedAt      time.Time `json:"changed_at"`
	ChangedBy      string    `json:"changed_by"`
	Version        int64     `json:"version" doc:"Grows with everything that a page of it shows."`
}

// Step is one of the nine steps of an onboarding.
type Step struct {
	Name     string     `json:"name" enum:"details,customer,plan,subscription,associate,enter,guard,grant,ready"`
	State    string     `json:"state" enum:"pending,running,waiting,stuck,done,skipped"`
	Group    int        `json:"group" doc:"Which of the five steps that customers are shown."`
	Started  *time.Time `json:"started,omitempty"`
	Finished *time.Time `json:"finished,omitempty"`
	Note     string     `json:"note,omitempty" doc:"What goes on inside."`
	Facts    []string   `json:"facts" doc:"What is done."`
	Asked    int        `json:"asked" doc:"How often Microsoft was asked."`
	Next     *time.Time `json:"next,omitempty" doc:"When it is asked again."`
}

// Progress is all that the page of a running onboarding shows.
type Progress struct {
	Provider   Provider       `json:"provider"`
	Onboarding OnboardingView `json:"onboarding"`
	Steps      []Step         `json:"steps"`
	Estimate   EstimateView   `json:"estimate"`
	Queue      *QueueView     `json:"queue,omitempty" doc:"It waits for its turn at one of Microsoft's limits."`
}

// QueueView is the place in a line.
type QueueView struct {
	Service         string     `json:"service"`
	Group           string     `json:"group" doc:"Endpoints that share the limit."`
	PerMinute       int        `json:"per_minute" doc:"How many such requests Microsoft takes; 0: not known yet."`
	Ahead           int        `json:"ahead" doc:"How many are before this one."`
	EstimateSeconds int64      `json:"estimate_seconds" doc:"Until its turn, estimated from those who had theirs."`
	ClosedUntil     *time.Time `json:"closed_until,omitempty" doc:"Microsoft takes none before that."`
}

// EstimateView is how long it will still take: eight of ten were within it.
type EstimateView struct {
	LowSeconds  int64 `json:"low_seconds"`
	HighSeconds int64 `json:"high_seconds"`
	Runs        int   `json:"runs" doc:"How many runs here it is made from; 0: Microsoft's documented times."`
	Over        bool  `json:"over" doc:"It takes longer than any range."`
}

// LogEntry is one line of a provider's log.
type LogEntry struct {
	Seq   int64     `json:"seq"`
	At    time.Time `json:"at"`
	Level int       `json:"level" doc:"20 information, 30 warning, 40 done, 50 failed."`
	Step  string    `json:"step,omitempty"`
	Text  string    `json:"text"`
}

// Grant is one access in the customer's Azure.
type Grant struct {
	Scope         string    `json:"scope"`
	Principal     string    `json:"principal"`
	PrincipalName string    `json:"principal_name"`
	Role          string    `json:"role"`
	Intent        string    `json:"intent" doc:"Why, in words for the customer."`
	Since         time.Time `json:"since"`
}

// Tenant is the customer's Azure tenant behind a provider.
type Tenant struct {
	ID          string     `json:"id"`
	Domain      string     `json:"domain"`
	TenantID    string     `json:"tenant_id,omitempty"`
	State       string     `json:"state" enum:"intended,live,released,gone"`
	Account     string     `json:"account"`
	LegalEntity string     `json:"legal_entity"`
	Plan        string     `json:"plan,omitempty" doc:"Partner Center's id of the Azure plan."`
	Admin       string     `json:"admin,omitempty" doc:"User name of the customer's administrator."`
	Credentials bool       `json:"credentials" doc:"The first sign-in is still kept here."`
	Until       *time.Time `json:"credentials_until,omitempty"`
	BornAt      *time.Time `json:"born_at,omitempty"`
}

// Credentials are the first sign-in of the customer's administrator.
type Credentials struct {
	UserName string    `json:"user_name"`
	Password string    `json:"password"`
	LoginURL string    `json:"login_url"`
	Until    time.Time `json:"until" doc:"When they are erased here."`
}

type providersIn struct {
	Organization string `query:"organization" maxLength:"100"`
	State        string `query:"state" enum:"draft,in-progress,waiting,stuck,ready,cancelling,cancelled"`
	Account      string `query:"account" maxLength:"10"`
	Search       string `query:"search" maxLength:"200" doc:"In name, domain, account, subscription and tenant id."`
	PageOf
}

type progressIn struct {
	ByID
	Since int64 `query:"since" doc:"Wait until the provider's version is above this, for at most wait seconds."`
	Wait  int   `query:"wait" minimum:"0" maximum:"25" default:"0"`
}

type tailIn struct {
	ByID
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"200"`
}

type reauthIn struct {
	ByID
	Body struct {
		Password string `json:"password" maxLength:"1000" doc:"The caller's own: what a stolen token must not be able to do."`
	}
}

type mailMeIn struct {
	ByID
	Body struct {
		On bool `json:"on"`
	}
}

type moveIn struct {
	ByID
	Body struct {
		Account  string `json:"account" maxLength:"100"`
		FirstDay string `json:"first_day" maxLength:"10" doc:"UTC, as 2026-12-01."`
	}
}

func (s *Server) routeProviders() {
	handle(s, op{id: "list-providers", is: "GET /providers", tag: "providers", text: "List providers, the last changed first", act: account.ActProviderView}, s.listProviders)
	handle(s, op{id: "get-provider", is: "GET /providers/{id}", tag: "providers", text: "One provider", act: account.ActProviderView}, func(ctx context.Context, a account.Actor, in *ByID) (Provider, error) {
		p, err := s.Providers.Get(ctx, a, provider.ID(in.ID))
		return viewProvider(p), err
	})
	handle(s, op{id: "get-progress", is: "GET /providers/{id}/progress", tag: "providers", text: "How far it is", act: account.ActProviderView,
		more: "All of it at once, so that a caller that missed something needs no history. With since and wait it answers as soon as something changes."}, s.progress)
	handle(s, op{id: "get-provider-log", is: "GET /providers/{id}/log", tag: "providers", text: "Its log, newest first", act: account.ActProviderView}, s.providerLog)
	handle(s, op{id: "list-grants", is: "GET /providers/{id}/grants", tag: "providers", text: "Who has access, and why", act: account.ActProviderView}, s.grants)
	handle(s, op{id: "get-tenant", is: "GET /providers/{id}/tenant", tag: "providers", text: "The Azure tenant behind it", act: account.ActProviderView}, func(ctx context.Context, a account.Actor, in *ByID) (Tenant, error) {
		t, err := s.Provision.TenantOf(ctx, a, provider.ID(in.ID))
		return viewTenant(t), err
	})
	handle(s, op{id: "list-provider-associations", is: "GET /providers/{id}/associations", tag: "providers", text: "Who pays, from the tenant's side", act: account.ActAssociationView}, s.providerAssociations)
	act(s, op{id: "move-provider", is: "POST /providers/{id}/move", tag: "providers", text: "Let another account pay from a day on", act: account.ActAssociationChange,
		more: "Whole UTC days, today at the earliest. Both accounts are of one organization."}, func(ctx context.Context, a account.Actor, in *moveIn) error {
		return s.Provision.Move(ctx, a, provider.ID(in.ID), account.Alias(in.Body.Account), provider.Day(in.Body.FirstDay))
	})
	raw(s, op{id: "get-receipt", is: "GET /providers/{id}/receipt", tag: "providers", text: "The signed receipt", act: account.ActReceiptView,
		more: "A file as it was signed: causeway receipt verify FILE checks it without any network."}, func(ctx context.Context, a account.Actor, in *ByID) ([]byte, error) {
		return s.Provision.Receipt(ctx, a, provider.ID(in.ID))
	})
	handle(s, op{id: "show-credentials", is: "POST /providers/{id}/credentials/show", tag: "providers", text: "Show the first sign-in", act: account.ActCredentialsShow,
		more: "Asks for the caller's own password; every view is in the record."}, s.showCredentials)
	act(s, op{id: "credentials-stored", is: "POST /providers/{id}/credentials/stored", tag: "providers", text: "“I have stored it”: erase them here", act: account.ActCredentialsStored}, func(ctx context.Context, a account.Actor, in *ByID) error {
		return s.Provision.CredentialsStored(ctx, a, provider.ID(in.ID))
	})
	act(s, op{id: "cancel-provider", is: "POST /providers/{id}/cancel", tag: "providers", text: "Cancel it", act: account.ActProviderCancel,
		more: "A draft is forgotten. Of a ready one the subscription ends at Microsoft; the tenant is kept for the same company."}, func(ctx context.Context, a account.Actor, in *ByID) error {
		return s.Provision.Cancel(ctx, a, provider.ID(in.ID))
	})
	act(s, op{id: "set-mail", is: "PUT /providers/{id}/mail", tag: "providers", text: "Whether a mail is sent when it is ready", act: account.ActProviderEdit}, func(ctx context.Context, a account.Actor, in *mailMeIn) error {
		return s.Provision.MailMe(ctx, a, provider.ID(in.ID), in.Body.On)
	})
	raw(s, op{id: "get-receipt-key", is: "GET /receipt-key", tag: "providers", text: "The public key that receipts are checked with (PEM)", public: true}, func(context.Context, account.Actor, *none) ([]byte, error) {
		return s.Signer.PublicKey(), nil
	})
}

// raw registers an operation that answers with a file as it is.
func raw[I any](s *Server, o op, h func(context.Context, account.Actor, *I) ([]byte, error)) {
	operation := s.declare(o)
	operation.Responses = map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
	}}}
	type file struct {
		Type string `header:"Content-Type"`
		Body []byte
	}
	huma.Register(s.huma, operation, func(ctx context.Context, in *I) (*file, error) {
		b, err := h(ctx, actor(ctx), in)
		if err != nil {
			return nil, fail(s.Log, requestID(ctx), err)
		}
		return &file{"application/octet-stream", b}, nil
	})
}

func (s *Server) listProviders(ctx context.Context, a account.Actor, in *providersIn) (Page[Provider], error) {
	list, next, err := s.Providers.List(ctx, a, provider.Filter{
		Org: account.OrgID(in.Organization), State: provider.State(in.State), Account: account.Alias(in.Account), Search: in.Search, After: in.After, Limit: in.Limit,
	})
	return Page[Provider]{each(list, viewProvider), next}, err
}

// changeEvery is how often a waiting call looks, if it is told nothing: a row read
// by its key.
const changeEvery = time.Second

func (s *Server) progress(ctx context.Context, a account.Actor, in *progressIn) (Progress, error) {
	id := provider.ID(in.ID)
	if in.Wait > 0 {
		if _, err := s.Providers.Get(ctx, a, id); err != nil {
			return Progress{}, err
		}
		if err := s.awaitChange(ctx, id, in.Since, time.Duration(in.Wait)*time.Second); err != nil {
			return Progress{}, err
		}
	}
	p, err := s.Provision.Progress(ctx, a, id)
	if fault.KindOf(err) == fault.NotFound && p.Provider.ID != "" {
		return Progress{}, fault.New(fault.Conflict, "“%s” is a draft: nothing runs yet.", p.Provider.Name)
	}
	if err != nil {
		return Progress{}, err
	}
	out := Progress{
		Provider: viewProvider(p.Provider), Onboarding: viewOnboarding(p.Onboarding), Steps: each(p.Steps, viewStep),
		Estimate: EstimateView{int64(p.Estimate.Low.Seconds()), int64(p.Estimate.High.Seconds()), p.Estimate.Runs, p.Estimate.Over},
	}
	if q := p.Queue; q != nil {
		out.Queue = &QueueView{string(q.Service), q.Group, q.PerMinute, q.Ahead, int64(q.Estimate.Seconds()), when(q.Closed)}
	}
	return out, nil
}

func (s *Server) awaitChange(ctx context.Context, id provider.ID, since int64, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	changed, unwatch := s.Providers.Watch(id)
	defer unwatch()
	tick := time.NewTicker(changeEvery)
	defer tick.Stop()
	for {
		v, _, err := s.Providers.Version(ctx, id)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || v > since {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.Closing:
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}

func (s *Server) providerLog(ctx context.Context, a account.Actor, in *tailIn) (Page[LogEntry], error) {
	if _, err := s.Providers.Get(ctx, a, provider.ID(in.ID)); err != nil {
		return Page[LogEntry]{}, err
	}
	list, _, err := s.Providers.Tail(ctx, provider.ID(in.ID), in.Limit)
	return Page[LogEntry]{Items: each(list, func(e provider.Entry) LogEntry { return LogEntry(e) })}, err
}

func (s *Server) grants(ctx context.Context, a account.Actor, in *ByID) (Page[Grant], error) {
	if _, err := s.Providers.Get(ctx, a, provider.ID(in.ID)); err != nil {
		return Page[Grant]{}, err
	}
	list, err := s.Providers.Grants(ctx, provider.ID(in.ID))
	return Page[Grant]{Items: each(list, func(g provider.Grant) Grant { return Grant(g) })}, err
}

func (s *Server) providerAssociations(ctx context.Context, a account.Actor, in *ByID) (Page[Association], error) {
	p, err := s.Providers.Get(ctx, a, provider.ID(in.ID))
	if err != nil {
		return Page[Association]{}, err
	}
	if p.Tenant == "" {
		return Page[Association]{Items: []Association{}}, nil
	}
	list, err := s.Providers.OfTenant(ctx, p.Tenant)
	return Page[Association]{Items: each(visible(a, list), viewAssociation)}, err
}

func (s *Server) showCredentials(ctx context.Context, a account.Actor, in *reauthIn) (Credentials, error) {
	c, err := s.Provision.ShowCredentials(ctx, asPerson(a), provider.ID(in.ID), in.Body.Password)
	return Credentials(c), err
}

func viewProvider(p provider.Provider) Provider {
	return Provider{
		ID: string(p.ID), Name: p.Name, Type: p.Type, Mode: p.Mode, State: string(p.State), Note: p.Note, Account: string(p.Account),
		Organization: string(p.Org), Owner: string(p.Owner), TenantID: p.TenantID, Domain: p.Domain, SubscriptionID: p.Subscription,
		CreatedAt: p.CreatedAt, ChangedAt: p.ChangedAt, ChangedBy: p.ChangedBy, Version: p.Version,
	}
}

func viewStep(r provision.StepRecord) Step {
	return Step{
		Name: string(r.Name), State: string(r.State), Group: r.Name.Group(), Started: when(r.Started), Finished: when(r.Finished), Note: r.Note,
		Facts: each(r.Facts, func(s string) string { return s }), Asked: r.Asked, Next: when(r.Next),
	}
}

func viewTenant(t provision.Tenant) Tenant {
	return Tenant{
		ID: t.ID, Domain: t.Domain, TenantID: t.AzureID, State: string(t.State), Account: string(t.Account), LegalEntity: t.LegalEntity,
		Plan: t.Plan, Admin: t.AdminUPN, Credentials: t.Credentials != "", Until: when(t.CredentialsUntil), BornAt: when(t.BornAt),
	}
}

// ReceiptView is a kept receipt without its file.
type ReceiptView struct {
	ID      string    `json:"id"`
	Account string    `json:"account"`
	Stage   string    `json:"stage" enum:"terms,ready"`
	MadeAt  time.Time `json:"made_at"`
}

func viewReceipt(k agreement.Kept) ReceiptView {
	return ReceiptView{k.ID, string(k.Alias), k.Stage, k.MadeAt}
}

var _ http.Handler = (*Server)(nil)
