package provision

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// load reads an onboarding for work or for a page.
func (r *Runner) load(ctx context.Context, id ID) (Onboarding, error) {
	row, err := sqlc.New(r.db.Read()).GetOnboarding(ctx, string(id))
	if err != nil {
		return Onboarding{}, store.Found(err, "there is no onboarding %s", id)
	}
	return onboarding(row)
}

// of gives the onboarding behind a provider; NotFound while it is a draft.
func (r *Runner) of(ctx context.Context, id provider.ID) (Onboarding, error) {
	row, err := sqlc.New(r.db.Read()).OnboardingOf(ctx, string(id))
	if err != nil {
		return Onboarding{}, store.Found(err, "provider %s has not been submitted", id)
	}
	return onboarding(row)
}

// change locks an onboarding, lets f change it and writes it.
func (r *Runner) change(ctx context.Context, tx *store.Tx, id ID, f func(*Onboarding) error) error {
	q := sqlc.New(tx)
	row, err := q.LockOnboarding(ctx, string(id))
	if err != nil {
		return store.Found(err, "there is no onboarding %s", id)
	}
	o, err := onboarding(row)
	if err != nil {
		return err
	}
	if err := f(&o); err != nil {
		return err
	}
	refusal := ""
	if o.Refusal != nil {
		b, err := json.Marshal(o.Refusal)
		if err != nil {
			return err
		}
		refusal = string(b)
	}
	return q.SaveOnboarding(ctx, sqlc.SaveOnboardingParams{
		ID: string(o.ID), State: string(o.State), Step: string(o.Step), Refusal: refusal, CancelBy: o.CancelBy,
		Subscription: o.Subscription, AliasUsed: o.Further, Receipt: o.Receipt, MailMe: o.MailMe,
		ChangedAt: store.Micros(r.now()), FinishedAt: store.Micros(o.FinishedAt), StuckAt: store.Micros(o.StuckAt),
	})
}

func onboarding(r sqlc.Onboarding) (Onboarding, error) {
	o := Onboarding{
		ID: ID(r.ID), Provider: provider.ID(r.Provider), Org: account.OrgID(r.Org), User: account.UserID(r.Person), Login: r.Login,
		Account: account.Alias(r.Account), Tenant: r.Tenant, Correlation: r.Correlation, State: State(r.State), Step: Step(r.Step),
		CancelBy: r.CancelBy, Name: r.Name, Subscription: r.Subscription, Further: r.AliasUsed, Receipt: r.Receipt, MailMe: r.MailMe,
		StartedAt: store.Time(r.StartedAt), ChangedAt: store.Time(r.ChangedAt), FinishedAt: store.Time(r.FinishedAt), StuckAt: store.Time(r.StuckAt),
	}
	if r.Refusal != "" {
		o.Refusal = &fault.Refusal{}
		if err := json.Unmarshal([]byte(r.Refusal), o.Refusal); err != nil {
			return o, fmt.Errorf("onboarding %s: refusal: %w", r.ID, err)
		}
	}
	if err := json.Unmarshal([]byte(r.Budget), &o.Budget); err != nil {
		return o, fmt.Errorf("onboarding %s: budget: %w", r.ID, err)
	}
	return o, nil
}

// tenant reads a tenant row.
func (r *Runner) tenant(ctx context.Context, id string) (Tenant, error) {
	row, err := sqlc.New(r.db.Read()).GetTenant(ctx, id)
	if err != nil {
		return Tenant{}, store.Found(err, "there is no tenant %s", id)
	}
	return tenant(row)
}

// changeTenant locks a tenant row, lets f change it and writes it. Holder and
// first_by have statements of their own.
func changeTenant(ctx context.Context, tx *store.Tx, id string, f func(*Tenant) error) error {
	q := sqlc.New(tx)
	row, err := q.LockTenant(ctx, id)
	if err != nil {
		return store.Found(err, "there is no tenant %s", id)
	}
	t, err := tenant(row)
	if err != nil {
		return err
	}
	if err := f(&t); err != nil {
		return err
	}
	details, err := json.Marshal(t.Details)
	if err != nil {
		return err
	}
	return q.SaveTenant(ctx, sqlc.SaveTenantParams{
		ID: t.ID, Domain: t.Domain, State: string(t.State), Stage: string(t.Stage), Details: string(details), Attestation: t.Attestation,
		AzureID: t.AzureID, BornAt: store.Micros(t.BornAt), Cart: t.Cart, OrderID: t.Order, Plan: t.Plan, FirstBy: string(t.FirstBy),
		Relationship: t.Relationship, Principal: t.Principal, AdminUpn: t.AdminUPN, AdminObject: t.AdminObject,
		Credentials: t.Credentials, CredentialsUntil: store.Micros(t.CredentialsUntil),
	})
}

func tenant(r sqlc.Tenant) (Tenant, error) {
	t := Tenant{
		ID: r.ID, Org: account.OrgID(r.Org), LegalEntity: r.LegalEntity, Domain: r.Domain, State: TenantState(r.State), Stage: Stage(r.Stage),
		Holder: ID(r.Holder), Account: account.Alias(r.Account), Attestation: r.Attestation, AzureID: r.AzureID, BornAt: store.Time(r.BornAt),
		Cart: r.Cart, Order: r.OrderID, Plan: r.Plan, FirstBy: ID(r.FirstBy), Relationship: r.Relationship, Principal: r.Principal,
		AdminUPN: r.AdminUpn, AdminObject: r.AdminObject, Credentials: r.Credentials, CredentialsUntil: store.Time(r.CredentialsUntil),
		CreatedAt: store.Time(r.CreatedAt),
	}
	if err := json.Unmarshal([]byte(r.Details), &t.Details); err != nil {
		return t, fmt.Errorf("tenant %s: details: %w", r.ID, err)
	}
	return t, nil
}

// tenantOf finds the tenant of a legal entity of an organization.
func tenantOf(ctx context.Context, db store.DBTX, org account.OrgID, entity string) (Tenant, bool, error) {
	row, err := sqlc.New(db).TenantOfEntity(ctx, sqlc.TenantOfEntityParams{Org: string(org), LegalEntity: entity})
	if errors.Is(err, sql.ErrNoRows) {
		return Tenant{}, false, nil
	}
	if err != nil {
		return Tenant{}, false, err
	}
	t, err := tenant(row)
	return t, err == nil, err
}

// Tenants of an organization, the oldest first.
func (r *Runner) tenants(ctx context.Context, db store.DBTX, org account.OrgID) ([]Tenant, error) {
	rows, err := sqlc.New(db).TenantsOfOrg(ctx, string(org))
	if err != nil {
		return nil, err
	}
	return all(rows, tenant)
}

func all[A, B any](rows []A, f func(A) (B, error)) ([]B, error) {
	list := make([]B, len(rows))
	for i, r := range rows {
		var err error
		if list[i], err = f(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// records gives the steps of an onboarding in their order.
func (r *Runner) records(ctx context.Context, id ID) ([]StepRecord, error) {
	rows, err := sqlc.New(r.db.Read()).Steps(ctx, string(id))
	if err != nil {
		return nil, err
	}
	return all(rows, record)
}

func record(row sqlc.OnboardingStep) (StepRecord, error) {
	s := StepRecord{
		Name: Step(row.Name), State: StepState(row.State), Started: store.Time(row.StartedAt), Finished: store.Time(row.FinishedAt),
		Note: row.Note, Asked: int(row.Asked), Next: store.Time(row.NextAt), Held: time.Duration(row.Held) * time.Microsecond,
	}
	if err := json.Unmarshal([]byte(row.Facts), &s.Facts); err != nil {
		return s, fmt.Errorf("step %s of %s: %w", row.Name, row.Onboarding, err)
	}
	return s, nil
}

// changeStep locks a step, lets f change it and writes it.
func changeStep(ctx context.Context, tx *store.Tx, id ID, name Step, f func(*StepRecord)) error {
	q := sqlc.New(tx)
	row, err := q.LockStep(ctx, sqlc.LockStepParams{Onboarding: string(id), Name: string(name)})
	if err != nil {
		return err
	}
	s, err := record(row)
	if err != nil {
		return err
	}
	f(&s)
	if s.Facts == nil {
		s.Facts = []string{}
	}
	facts, err := json.Marshal(s.Facts)
	if err != nil {
		return err
	}
	return q.SaveStep(ctx, sqlc.SaveStepParams{
		Onboarding: string(id), Name: string(name), State: string(s.State), StartedAt: store.Micros(s.Started),
		FinishedAt: store.Micros(s.Finished), Note: s.Note, Facts: string(facts), Asked: int64(s.Asked), NextAt: store.Micros(s.Next), Held: s.Held.Microseconds(),
	})
}

func budgetText(a money.Amount) (string, error) {
	b, err := json.Marshal(a)
	return string(b), err
}
