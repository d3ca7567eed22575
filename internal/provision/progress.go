package provision

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// Progress is what the page of a running onboarding shows, all of it at once, so
// that a page which missed something needs no history.
type Progress struct {
	Provider   provider.Provider
	Onboarding Onboarding
	Steps      []StepRecord
	Estimate   Estimate
	Log        []provider.Entry // newest first
	LogCount   int
	Queue      *azure.Wait // it waits for its turn at one of Microsoft's limits; nil = it does not
}

// Estimate is how long it will still take, from onboardings that ran here.
type Estimate struct {
	Low, High time.Duration // a range: eight of ten were within it
	Runs      int           // how many it is made from; 0 = Microsoft's documented times
	Over      bool          // it takes longer than any range: say so
}

// Progress reads the progress of a provider that the actor may see.
func (r *Runner) Progress(ctx context.Context, a account.Actor, id provider.ID) (Progress, error) {
	var p Progress
	var err error
	if p.Provider, err = r.providers.Get(ctx, a, id); err != nil {
		return p, err
	}
	if p.Onboarding, err = r.of(ctx, id); err != nil {
		return p, err
	}
	if p.Steps, err = r.records(ctx, p.Onboarding.ID); err != nil {
		return p, err
	}
	if p.Log, p.LogCount, err = r.providers.Tail(ctx, id, 50); err != nil {
		return p, err
	}
	if p.Estimate, err = r.estimate(ctx, p.Onboarding, p.Steps); err != nil {
		return p, err
	}
	if s := p.Onboarding.State; r.throttle == nil || s != Running && s != Waiting && s != Cancelling {
		return p, nil
	}
	w, waits, err := r.throttle.Waiting(ctx, string(p.Onboarding.ID))
	if err != nil || !waits {
		return p, err
	}
	p.Queue = &w
	p.Estimate.Low, p.Estimate.High = p.Estimate.Low+w.Estimate, p.Estimate.High+w.Estimate
	return p, nil
}

// Limits lists what is known of Microsoft's limits, and who waits for them.
func (r *Runner) Limits(ctx context.Context, a account.Actor) ([]azure.Limit, error) {
	if err := account.May(a, account.ActPartnerView, ""); err != nil {
		return nil, err
	}
	if r.throttle == nil {
		return nil, nil
	}
	return r.throttle.Limits(ctx)
}

// documented is what Microsoft's documents say of each step, for an
// installation that has not made ten customers yet: usual, and long.
var documented = map[Step][2]time.Duration{
	StepDetails:      {time.Second, 5 * time.Second},
	StepCustomer:     {20 * time.Second, 3 * time.Minute},
	StepPlan:         {time.Minute, 8 * time.Minute},
	StepSubscription: {30 * time.Second, 4 * time.Minute},
	StepAssociate:    {0, time.Second},
	StepEnter:        {2 * time.Minute, 8 * time.Minute},
	StepGuard:        {5 * time.Minute, 20 * time.Minute},
	StepGrant:        {time.Minute, 5 * time.Minute},
	StepReady:        {0, time.Second},
}

// estimate adds up what the steps that are left usually take: between the tenth
// and the ninetieth of a hundred runs.
func (r *Runner) estimate(ctx context.Context, o Onboarding, steps []StepRecord) (Estimate, error) {
	if o.State == Ready || o.State == Cancelled {
		return Estimate{}, nil
	}
	spans, runs, err := r.measured(ctx)
	if err != nil {
		return Estimate{}, err
	}
	e := Estimate{Runs: runs}
	for _, s := range steps {
		if s.State == StepDone || s.State == StepSkipped {
			continue
		}
		span := spans[s.Name]
		if s.State != StepPending && !s.Started.IsZero() {
			gone := r.now().Sub(s.Started) - s.Held
			e.Over = gone > span[1]
			span[0], span[1] = max(span[0]-gone, 0), max(span[1]-gone, 0)
		}
		e.Low, e.High = e.Low+span[0], e.High+span[1]
	}
	return e, nil
}

// measures are what the steps took here, kept for a while: every open page of
// every customer asks for them again and again.
type measures struct {
	mu    sync.Mutex
	at    time.Time
	spans map[Step][2]time.Duration
	runs  int
}

// measured gives the range of each step, and how many runs it is made from: 0 as
// long as there are fewer than ten, and Microsoft's documented times are used.
func (r *Runner) measured(ctx context.Context) (map[Step][2]time.Duration, int, error) {
	m := &r.measures
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.spans != nil && r.now().Sub(m.at).Abs() < 20*time.Second {
		return m.spans, m.runs, nil
	}
	rows, err := sqlc.New(r.db.Read()).Durations(ctx)
	if err != nil {
		return nil, 0, err
	}
	ran := map[Step][]time.Duration{}
	for _, row := range rows {
		s := Step(row.Name)
		ran[s] = append(ran[s], max(0, store.Time(row.FinishedAt).Sub(store.Time(row.StartedAt))-time.Duration(row.Held)*time.Microsecond))
	}
	m.at, m.spans, m.runs = r.now(), map[Step][2]time.Duration{}, 0
	for _, s := range Steps {
		span := documented[s]
		m.spans[s] = [2]time.Duration{time.Duration(float64(span[0]) / r.pace), time.Duration(float64(span[1]) / r.pace)}
		if d := ran[s]; len(d) >= 10 {
			slices.Sort(d)
			m.spans[s] = [2]time.Duration{d[len(d)/10], d[len(d)*9/10]}
			m.runs = len(ran[StepGuard])
		}
	}
	return m.spans, m.runs, nil
}

// Receipt gives the signed receipt of a provider.
func (r *Runner) Receipt(ctx context.Context, a account.Actor, id provider.ID) ([]byte, error) {
	p, err := r.providers.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	if err := account.May(a, account.ActReceiptView, p.Org); err != nil {
		return nil, err
	}
	o, err := r.of(ctx, id)
	if err != nil {
		return nil, err
	}
	if o.Receipt == "" {
		return nil, fault.New(fault.NotFound, "The receipt is signed when “%s” is ready.", o.Name)
	}
	return []byte(o.Receipt), nil
}

// TenantOf gives the tenant behind a provider, without its credentials.
func (r *Runner) TenantOf(ctx context.Context, a account.Actor, id provider.ID) (Tenant, error) {
	p, err := r.providers.Get(ctx, a, id)
	if err != nil {
		return Tenant{}, err
	}
	t, err := r.tenant(ctx, p.Tenant)
	if err != nil {
		return t, err
	}
	t.Credentials = mask(t.Credentials)
	return t, nil
}

// Tenants lists an organization's tenants, without their credentials.
func (r *Runner) Tenants(ctx context.Context, a account.Actor, org account.OrgID) ([]Tenant, error) {
	if !a.Staff() {
		org = a.Org
	}
	if err := account.May(a, account.ActProviderView, org); err != nil {
		return nil, err
	}
	list, err := r.tenants(ctx, r.db.Read(), org)
	for i := range list {
		list[i].Credentials = mask(list[i].Credentials)
	}
	return list, err
}

// mask keeps whether there is something sealed, and not what.
func mask(sealed string) string {
	if sealed == "" {
		return ""
	}
	return "sealed"
}

// OnboardingOf gives the onboarding behind a provider; NotFound for a draft.
func (r *Runner) OnboardingOf(ctx context.Context, a account.Actor, id provider.ID) (Onboarding, error) {
	if _, err := r.providers.Get(ctx, a, id); err != nil {
		return Onboarding{}, err
	}
	o, err := r.of(ctx, id)
	if errors.Is(err, fault.NotFound) {
		return o, fault.New(fault.NotFound, "The provider is a draft: nothing runs yet.")
	}
	return o, err
}
