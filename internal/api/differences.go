package api

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provision"
)

// Difference is something that is so here and not so at Microsoft, or the other
// way round, with what may be done about it.
type Difference struct {
	ID           string      `json:"id"`
	Kind         string      `json:"kind" enum:"customer,subscription,plan,relationship,policy,grant,name,payer,access"`
	Object       string      `json:"object" doc:"With kind its name for ever: seen again, it is the same difference."`
	Organization string      `json:"organization,omitempty" doc:"Missing: nobody's that is known."`
	TenantID     string      `json:"tenant_id,omitempty" doc:"Microsoft's id."`
	Title        string      `json:"title" doc:"The company or the provider."`
	Text         string      `json:"text"`
	Proposal     string      `json:"proposal" enum:"adopt,repair,cancel,ignore"`
	Remedy       string      `json:"remedy" doc:"The proposal in words."`
	Actions      []string    `json:"actions" doc:"All that may be done, the proposal first."`
	Safe         bool        `json:"safe" doc:"The proposal only puts back what is written here."`
	Evidence     *Evidence   `json:"evidence,omitempty" doc:"What Microsoft's records tell about how it came to be."`
	Suggestion   *Suggestion `json:"suggestion,omitempty" doc:"Whose an unknown customer may be."`
	State        string      `json:"state" enum:"open,resolved,ignored"`
	Doing        string      `json:"doing,omitempty" doc:"The action that is on its way."`
	Trouble      string      `json:"trouble,omitempty" doc:"Why the last action did not work, or what it waits for."`
	Ending       string      `json:"ending,omitempty" doc:"How it ended: an action, or gone by itself."`
	Reason       string      `json:"reason,omitempty"`
	Since        time.Time   `json:"since"`
	SeenAt       time.Time   `json:"seen_at"`
	EndedAt      *time.Time  `json:"ended_at,omitempty"`
}

// Evidence is what Microsoft's records tell.
type Evidence struct {
	Proven        bool       `json:"proven" doc:"Our own request explains it: it was sent, and its answer was lost."`
	CorrelationID string     `json:"correlation_id,omitempty" doc:"MS-CorrelationId of its creation."`
	Onboarding    string     `json:"onboarding,omitempty" doc:"Whose correlation id it is."`
	By            string     `json:"by,omitempty"`
	At            *time.Time `json:"at,omitempty"`
	Facts         []string   `json:"facts"`
}

// Suggestion is whose an unknown customer may be.
type Suggestion struct {
	Organization string `json:"organization"`
	Account      string `json:"account"`
	Why          string `json:"why"`
	Sure         bool   `json:"sure" doc:"There is no other answer."`
}

// SweepView is one pass over both sides.
type SweepView struct {
	ID            string     `json:"id,omitempty"`
	Done          bool       `json:"done"`
	Phase         string     `json:"phase,omitempty" enum:"list,details,tenants,end,done"`
	Note          string     `json:"note,omitempty" doc:"What it waits for."`
	Customers     int        `json:"customers" doc:"At Microsoft."`
	Subscriptions int        `json:"subscriptions" doc:"Active ones of ours, at Microsoft."`
	Found         int        `json:"found" doc:"Differences that were not open before."`
	Open          int        `json:"open" doc:"Differences that wait for a person, now."`
	Doing         int        `json:"doing" doc:"Actions that are on their way, now."`
	Resolved      int        `json:"resolved" doc:"Differences that were gone."`
	Adopted       int        `json:"adopted" doc:"By itself, because our own request explains them."`
	Unseen        int        `json:"unseen" doc:"Tenants that could not be looked into."`
	Seconds       float64    `json:"seconds"`
	StartedAt     *time.Time `json:"started_at,omitempty"`
	EndedAt       *time.Time `json:"ended_at,omitempty"`
}

type differencesIn struct {
	State string `query:"state" enum:"open,resolved,ignored" doc:"Missing: open."`
	Kind  string `query:"kind" enum:"customer,subscription,plan,relationship,policy,grant,name,payer,access"`
	Sure  bool   `query:"sure" doc:"Only customers whose account is known without doubt."`
	After string `query:"after" maxLength:"200" doc:"Cursor: next of the page before."`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type sweepIn struct {
	ID string `query:"id" maxLength:"100" doc:"Missing: the one that runs, else the last one."`
}

type resolveIn struct {
	ByID
	Body struct {
		Action       string `json:"action" enum:"adopt,repair,cancel,ignore"`
		Reason       string `json:"reason,omitempty" maxLength:"2000" doc:"Needed to ignore."`
		Organization string `json:"organization,omitempty" maxLength:"100" doc:"Of the adoption of a customer. Missing: the account's."`
		Account      string `json:"account,omitempty" maxLength:"20" doc:"Who pays from today on. Missing: as suggested."`
	}
}

type applyIn struct {
	Body struct {
		Which string `json:"which" enum:"safe,matched" doc:"safe: proposals that only put back what is written here. matched: customers whose account is known without doubt."`
	}
}

// Applied is how many decisions were taken; each is a durable job.
type Applied struct {
	Decided int  `json:"decided"`
	More    bool `json:"more" doc:"A call decides on a thousand; call again for the rest."`
}

// ImportLine says whose a customer of Microsoft's becomes.
type ImportLine struct {
	Customer     string `json:"customer" minLength:"1" maxLength:"100" doc:"Microsoft's id."`
	Organization string `json:"organization,omitempty" maxLength:"100"`
	Account      string `json:"account" minLength:"1" maxLength:"20"`
}

type importIn struct {
	Body struct {
		Lines []ImportLine `json:"lines" minItems:"1" maxItems:"1000"`
	}
}

// Imported is what became of an import. Lines that were refused change nothing;
// the others stand.
type Imported struct {
	Decided int           `json:"decided"`
	Refused []RefusedLine `json:"refused"`
}

// RefusedLine is one line that was not taken.
type RefusedLine struct {
	Line int `json:"line" doc:"1 is the first."`
	RefusalView
}

func (s *Server) routeDifferences() {
	handle(s, op{id: "sweep", is: "POST /sweep", tag: "differences", text: "Compare both sides now", act: account.ActSweep,
		more: "It is a durable job; GET /sweep tells how far it is. It also runs every hour by itself."}, s.startSweep)
	handle(s, op{id: "get-sweep", is: "GET /sweep", tag: "differences", text: "How far a comparison is, or how the last one ended", act: account.ActDifferenceView}, s.getSweep)
	handle(s, op{id: "list-differences", is: "GET /differences", tag: "differences", text: "What is not the same on both sides, the oldest first", act: account.ActDifferenceView}, s.listDifferences)
	handle(s, op{id: "get-difference", is: "GET /differences/{id}", tag: "differences", text: "One difference", act: account.ActDifferenceView}, s.getDifference)
	handle(s, op{id: "resolve-difference", is: "POST /differences/{id}/resolve", tag: "differences", text: "Decide what is done about it", act: account.ActDifferenceResolve,
		more: "Ignoring is done at once. The rest is a durable job: ask for the difference again until doing is missing."}, s.resolveDifference)
	handle(s, op{id: "apply-proposals", is: "POST /differences/apply", tag: "differences", text: "Carry out many proposals", act: account.ActDifferenceResolve}, s.applyProposals)
	handle(s, op{id: "import-customers", is: "POST /differences/import", tag: "differences", text: "Adopt many customers", act: account.ActDifferenceResolve,
		more: "Each line stands for itself. A line that is done already changes nothing. Nothing is changed at Microsoft."}, s.importCustomers)
}

func (s *Server) startSweep(ctx context.Context, a account.Actor, _ *none) (SweepView, error) {
	w, err := s.Provision.AskSweep(ctx, a)
	if err != nil {
		return SweepView{}, err
	}
	return s.viewSweep(ctx, a, w)
}

func (s *Server) getSweep(ctx context.Context, a account.Actor, in *sweepIn) (SweepView, error) {
	w, err := s.Provision.SweepOf(ctx, a, in.ID)
	if err != nil {
		return SweepView{}, err
	}
	return s.viewSweep(ctx, a, w)
}

func (s *Server) viewSweep(ctx context.Context, a account.Actor, w provision.Sweep) (SweepView, error) {
	c, err := s.Provision.DifferenceCounts(ctx, a)
	return SweepView{
		ID: w.ID, Done: w.Done(), Phase: w.Phase, Note: w.Note, Customers: w.Customers, Subscriptions: w.Subscriptions, Found: w.Found, Open: c.All(), Doing: c.Doing,
		Resolved: w.Resolved, Adopted: w.Adopted, Unseen: w.Unseen, Seconds: w.Seconds(s.Now()), StartedAt: when(w.StartedAt), EndedAt: when(w.EndedAt),
	}, err
}

func (s *Server) listDifferences(ctx context.Context, a account.Actor, in *differencesIn) (Page[Difference], error) {
	list, next, err := s.Provision.Differences(ctx, a, provision.DifferenceFilter{
		State: provision.DifferenceState(in.State), Kind: provision.DifferenceKind(in.Kind), Sure: in.Sure, After: in.After, Limit: in.Limit,
	})
	return Page[Difference]{each(list, viewDifference), next}, err
}

func (s *Server) getDifference(ctx context.Context, a account.Actor, in *ByID) (Difference, error) {
	d, err := s.Provision.Difference(ctx, a, in.ID)
	return viewDifference(d), err
}

func (s *Server) resolveDifference(ctx context.Context, a account.Actor, in *resolveIn) (Difference, error) {
	d, err := s.Provision.Resolve(ctx, a, in.ID, provision.Decision{
		Fix: provision.Fix(in.Body.Action), Reason: in.Body.Reason, Org: account.OrgID(in.Body.Organization), Account: account.Alias(in.Body.Account),
	})
	return viewDifference(d), err
}

func (s *Server) applyProposals(ctx context.Context, a account.Actor, in *applyIn) (Applied, error) {
	n, more, err := s.Provision.Apply(ctx, a, provision.Which(in.Body.Which))
	return Applied{n, more}, err
}

func (s *Server) importCustomers(ctx context.Context, a account.Actor, in *importIn) (Imported, error) {
	n, refused, err := s.Provision.Import(ctx, a, each(in.Body.Lines, func(l ImportLine) provision.Assignment {
		return provision.Assignment{Customer: l.Customer, Org: account.OrgID(l.Organization), Account: account.Alias(l.Account)}
	}))
	return Imported{n, each(refused, func(r provision.Refused) RefusedLine { return RefusedLine{r.Line, viewRefusal(r.Refusal)} })}, err
}

func viewRefusal(r fault.Refusal) RefusalView { return RefusalView(r) }

func viewDifference(d provision.Difference) Difference {
	v := Difference{
		ID: d.ID, Kind: string(d.Kind), Object: d.Object, Organization: string(d.Org), TenantID: d.AzureID, Title: d.Title, Text: d.Text,
		Proposal: string(d.Proposal), Remedy: d.Remedy, Actions: each(d.Fixes, func(f provision.Fix) string { return string(f) }), Safe: d.Safe(),
		State: string(d.State), Doing: string(d.Doing), Trouble: d.Trouble, Ending: d.Ending, Reason: d.Reason, Since: d.Since, SeenAt: d.SeenAt, EndedAt: when(d.EndedAt),
	}
	if e := d.Evidence; e.Correlation != "" || e.By != "" || !e.At.IsZero() || len(e.Facts) > 0 {
		v.Evidence = &Evidence{Proven: e.Proven, CorrelationID: e.Correlation, Onboarding: string(e.Onboarding), By: e.By, At: when(e.At), Facts: each(e.Facts, func(s string) string { return s })}
	}
	if d.Details != nil && d.Details.Suggestion.Account != "" {
		m := d.Details.Suggestion
		v.Suggestion = &Suggestion{Organization: string(m.Org), Account: string(m.Account), Why: m.Why, Sure: m.Sure}
	}
	return v
}
