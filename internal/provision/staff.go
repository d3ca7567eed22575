package provision

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// Filter chooses onboardings to list; empty members do not filter.
type Filter struct {
	Org   account.OrgID
	State State
	Open  bool   // neither ready nor cancelled
	After string // cursor of the page before
	Limit int    // 50 if 0, at most 200
}

// List gives the onboardings that the actor may see, the newest first, and the
// cursor of the next page.
func (r *Runner) List(ctx context.Context, a account.Actor, f Filter) ([]Onboarding, string, error) {
	if !a.Staff() {
		f.Org = a.Org
	}
	if err := account.May(a, account.ActOnboardingView, f.Org); err != nil {
		return nil, "", err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	p := sqlc.ListOnboardingsParams{
		Org: opt(string(f.Org)), State: opt(string(f.State)), OnlyOpen: f.Open, Before: math.MaxInt64, Batch: int32(limit + 1), // #nosec G115 -- at most 201
	}
	if f.After != "" {
		var err error
		if p.Before, p.BeforeID, err = store.ParseCursor(f.After); err != nil {
			return nil, "", err
		}
	}
	rows, err := sqlc.New(r.db.Read()).ListOnboardings(ctx, p)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = store.Cursor(rows[limit-1].StartedAt, rows[limit-1].ID)
	}
	list, err := all(rows, onboarding)
	return list, next, err
}

// Counts tells staff how many onboardings are in each state.
func (r *Runner) Counts(ctx context.Context, a account.Actor) (map[State]int, error) {
	if err := account.May(a, account.ActOnboardingView, ""); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(r.db.Read()).CountOnboardings(ctx)
	if err != nil {
		return nil, err
	}
	n := map[State]int{}
	for _, row := range rows {
		n[State(row.State)] = int(row.N)
	}
	return n, nil
}

// View is all that staff see of one onboarding.
type View struct {
	Onboarding Onboarding
	Provider   provider.Provider
	Tenant     Tenant
	Steps      []StepRecord
	Waiting    []Onboarding // on the same tenant, behind this one
	Log        []provider.Entry
	LogCount   int
}

// Get reads one onboarding.
func (r *Runner) Get(ctx context.Context, a account.Actor, id ID) (View, error) {
	var v View
	o, err := r.load(ctx, id)
	if err != nil {
		return v, err
	}
	if err := account.May(a, account.ActOnboardingView, o.Org); err != nil {
		return v, err
	}
	v.Onboarding = o
	if v.Provider, err = r.providers.Find(ctx, o.Provider); err != nil {
		return v, err
	}
	if v.Tenant, err = r.tenant(ctx, o.Tenant); err != nil {
		return v, err
	}
	v.Tenant.Credentials = mask(v.Tenant.Credentials)
	if v.Steps, err = r.records(ctx, id); err != nil {
		return v, err
	}
	rows, err := sqlc.New(r.db.Read()).OthersOnTenant(ctx, sqlc.OthersOnTenantParams{Tenant: o.Tenant, ID: string(id)})
	if err != nil {
		return v, err
	}
	for _, row := range rows {
		if State(row.State) != Ready && v.Tenant.Holder == id {
			b, err := onboarding(row)
			if err != nil {
				return v, err
			}
			v.Waiting = append(v.Waiting, b)
		}
	}
	v.Log, v.LogCount, err = r.providers.Tail(ctx, o.Provider, 50)
	return v, err
}

// Exchanges gives what was said to Microsoft, the last first, secrets removed.
func (r *Runner) Exchanges(ctx context.Context, a account.Actor, id ID, limit int) ([]azure.Exchange, error) {
	o, err := r.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := account.May(a, account.ActExchangeView, o.Org); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(r.db.Read()).Exchanges(ctx, sqlc.ExchangesParams{Onboarding: string(id), Batch: int32(min(max(limit, 1), 200))}) // #nosec G115 -- at most 200
	if err != nil {
		return nil, err
	}
	list := make([]azure.Exchange, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row.Body), &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Retry lets a stuck onboarding go on at the step where it stopped.
func (r *Runner) Retry(ctx context.Context, a account.Actor, id ID) error {
	o, err := r.load(ctx, id)
	if err != nil {
		return err
	}
	if err := account.May(a, account.ActOnboardingRetry, o.Org); err != nil {
		return err
	}
	if o.Refusal != nil && o.Refusal.Code == "domain-taken" {
		return fault.New(fault.Conflict, "Try again is off: the same prefix would be refused again. Enter another one.")
	}
	return r.db.Tx(ctx, func(tx *store.Tx) error { return r.goOn(ctx, tx, a, id, "onboarding.retry", nil) })
}

// goOn wakes a stuck onboarding.
func (r *Runner) goOn(ctx context.Context, tx *store.Tx, a account.Actor, id ID, action string, detail any) error {
	var o Onboarding
	err := r.change(ctx, tx, id, func(x *Onboarding) error {
		if x.State != Stuck {
			return fault.New(fault.Conflict, "“%s” is not stuck any more.", x.Name)
		}
		x.State, x.Refusal, x.StuckAt = Running, nil, time.Time{}
		if x.CancelBy != "" {
			x.State = Cancelling
		}
		o = *x
		return nil
	})
	if err != nil {
		return err
	}
	err = changeStep(ctx, tx, id, o.Step, func(s *StepRecord) { s.State, s.Note = StepPending, "" })
	if err != nil {
		return err
	}
	err = r.providers.Change(ctx, tx, o.Provider, string(a.User), func(p *provider.Provider) error {
		p.State, p.Note = provider.Running, ""
		if o.State == Cancelling {
			p.State = provider.Cancelling
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.providers.Log(ctx, tx, o.Provider, provider.Info, string(o.Step), "Goes on, asked by "+a.Name); err != nil {
		return err
	}
	err = audit.Write(ctx, tx, audit.Entry{Org: string(o.Org), At: r.now(), Actor: a.ID(), Action: action, Object: "onboarding:" + string(id), Detail: detail, Address: a.Address})
	if err != nil {
		return err
	}
	return r.jobs.Add(ctx, tx, JobOnboard, string(id), struct{}{}, time.Time{})
}

// Edit corrects what Microsoft is told, as long as the tenant does not exist,
// and lets the onboarding go on. The domain prefix is confirmed anew.
func (r *Runner) Edit(ctx context.Context, a account.Actor, id ID, d Details) error {
	o, err := r.load(ctx, id)
	if err != nil {
		return err
	}
	if err := account.May(a, account.ActOnboardingEdit, o.Org); err != nil {
		return err
	}
	d, err = d.clean()
	if err != nil {
		return err
	}
	err = r.db.Tx(ctx, func(tx *store.Tx) error {
		doubt, err := sqlc.New(tx).Intents(ctx, "tenant:"+o.Tenant)
		if err != nil {
			return err
		}
		for _, in := range doubt {
			if in.Name == "create-customer" && in.State != intentNew && in.State != intentAnswered {
				return fault.New(fault.Conflict, "The account exists at Microsoft, or may exist: its details cannot be changed here any more.")
			}
		}
		var was, is string
		err = changeTenant(ctx, tx, o.Tenant, func(t *Tenant) error {
			if t.Reached(StageCustomer) {
				return fault.New(fault.Conflict, "The account exists at Microsoft: its details cannot be changed here any more.")
			}
			if t.Holder != id && t.Holder != "" {
				return fault.New(fault.Conflict, "Another onboarding makes this tenant. Correct it there.")
			}
			was, is = t.Domain, domain(d.DomainPrefix)
			t.Details, t.Domain = d, is
			return nil
		})
		if store.IsUnique(err) {
			return takenDomain(domain(d.DomainPrefix) + " is being set up for somebody else.").In(fault.Conflict)
		}
		if err != nil {
			return err
		}
		err = r.providers.Change(ctx, tx, o.Provider, string(a.User), func(p *provider.Provider) error { p.Domain = is; return nil })
		if err != nil {
			return err
		}
		return r.goOn(ctx, tx, a, id, "onboarding.edit", map[string]string{"was": was, "is": is})
	})
	if store.IsUnique(err) {
		return takenDomain(domain(d.DomainPrefix) + " is being set up for somebody else.").In(fault.Conflict)
	}
	return err
}

// CancelOnboarding is Cancel by the onboarding's id, for staff.
func (r *Runner) CancelOnboarding(ctx context.Context, a account.Actor, id ID) error {
	o, err := r.load(ctx, id)
	if err != nil {
		return err
	}
	return r.Cancel(ctx, a, o.Provider)
}

func opt(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
