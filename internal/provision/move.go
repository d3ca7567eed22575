package provision

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// moveAhead is how far ahead a move may be entered, in days.
const moveAhead = 31

// Move lets another billing account of the same organization pay for a
// provider's subscription, from the UTC day first on; the account before pays up
// to the day before. Whole days, so that every usage record has one payer. The
// day must not be past: what was used is owed by who owed it then.
func (r *Runner) Move(ctx context.Context, a account.Actor, id provider.ID, to account.Alias, first provider.Day) error {
	p, err := r.providers.Get(ctx, a, id)
	if err != nil {
		return err
	}
	if err := account.May(a, account.ActAssociationChange, p.Org); err != nil {
		return err
	}
	now := r.now()
	if _, err := time.Parse(time.DateOnly, string(first)); err != nil {
		return fault.Field("first_day", fmt.Sprintf("%q is no day.", first), "Write it like 2026-12-01.")
	}
	if today, last := provider.DayOf(now), provider.DayOf(now.AddDate(0, 0, moveAhead)); first < today || first > last {
		return fault.Field("first_day", fmt.Sprintf("A move begins between today and %s (UTC).", last), "Choose a day in between; earlier days stay with the account that had them.")
	}
	if p.State != provider.Ready {
		return fault.New(fault.Conflict, "“%s” is %s. Only a ready one moves.", p.Name, p.State)
	}
	if p.Account == to {
		return fault.Field("account", fmt.Sprintf("%s pays for it already.", to), "Choose another account.")
	}
	o, err := r.of(ctx, id)
	if err != nil {
		return err
	}
	if err := r.mayPay(ctx, p, o, to); err != nil {
		return err
	}
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		err := r.providers.Confirm(ctx, tx, provider.Association{
			Tenant: o.Tenant, Entitlement: o.Subscription, Account: to, Org: p.Org, Provider: id, From: first,
		})
		if err != nil {
			return err
		}
		err = r.providers.Change(ctx, tx, id, string(a.User), func(p *provider.Provider) error { p.Account = to; return nil })
		if err != nil {
			return err
		}
		if err := sqlc.New(tx).MoveOnboarding(ctx, sqlc.MoveOnboardingParams{ID: string(o.ID), Account: string(to), ChangedAt: store.Micros(now)}); err != nil {
			return err
		}
		if err := r.providers.Log(ctx, tx, id, provider.Info, "", fmt.Sprintf("%s pays from %s, 00:00 UTC, asked by %s", to, first, a.Name)); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{
			Org: string(p.Org), At: now, Actor: a.ID(), Action: string(account.ActAssociationChange), Object: "provider:" + string(id), Address: a.Address,
			Detail: map[string]string{"was": string(p.Account), "is": string(to), "first_day": string(first)},
		})
	})
}

// mayPay judges the account that is to pay, as for a new onboarding; the number
// of onboardings a day does not count.
func (r *Runner) mayPay(ctx context.Context, p provider.Provider, o Onboarding, to account.Alias) error {
	chain, err := r.people.Chain(ctx, to)
	if err != nil {
		return err
	}
	if chain[0].Org != p.Org {
		return fault.Field("account", "There is no such account.", "Choose an account of the same organization.")
	}
	rules, err := r.settings.Rules(ctx)
	if err != nil {
		return err
	}
	rules.PerAccountAndDay = 0
	v, _, _, err := r.verdict(ctx, chain, o.Budget, rules, o.ID)
	if err != nil {
		return err
	}
	return v.Err()
}
