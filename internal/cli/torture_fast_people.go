package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/azure"
	"causeway/internal/azure/token"
	"causeway/internal/demo"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
	"causeway/internal/torture"
)

// calm lets people do something at their pages while Microsoft behaves and a
// worker answers their questions, so that a page's patience does not decide.
func (o *ordeal) calm(ctx context.Context, do func(context.Context) error) error {
	armed := o.armed
	o.armed = false
	faults := o.sim.Faults()
	o.sim.ClearFaults()
	ctx, stop := context.WithCancel(ctx)
	var asked sync.WaitGroup
	asked.Go(func() {
		for ctx.Err() == nil {
			ran, err := o.first().Jobs.RunOnceOf(ctx, provision.JobAsk)
			if err != nil || !ran {
				_ = pause(ctx, 300*time.Microsecond)
			}
		}
	})
	err := do(ctx)
	stop()
	asked.Wait()
	for _, f := range faults {
		o.faults += f.Applied
		if f.Count == 0 && f.Probability == 0 { // once
			if f.Applied > 0 {
				continue
			}
			f.Count = 1
		}
		f.Applied = 0
		o.sim.Fail(f.On, f)
	}
	o.armed = armed
	return err
}

// prepare connects the partner, makes the organizations and fills in every form.
func (o *ordeal) prepare(ctx context.Context) error {
	o.remember()
	if err := o.connect(ctx); err != nil {
		return err
	}
	orgs := map[int]*ordealCase{}
	return o.calm(ctx, func(ctx context.Context) error {
		for _, planned := range o.plan.Cases {
			c := &ordealCase{Case: planned}
			if same := orgs[c.Org]; same != nil {
				c.actor, c.login = same.actor, same.login
			} else if err := o.organization(ctx, c); err != nil {
				return err
			}
			orgs[c.Org] = c
			o.cases = append(o.cases, c)
			if c.Behind < 0 {
				if err := o.fill(ctx, c); err != nil {
					return fmt.Errorf("case %d: %w", c.N, err)
				}
			}
		}
		return nil
	})
}

func (o *ordeal) connect(ctx context.Context) error {
	a, by := o.first(), token.By{Actor: "system"}
	const redirect = "http://127.0.0.1/callback"
	if err := a.Custody.SetApplication(ctx, by, sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultAppSecret); err != nil {
		return err
	}
	var in struct{ Code string }
	w := &world{sim: simReady{URL: o.sim.URL}, http: o.sim.Client()}
	if err := w.control(ctx, http.MethodPost, "/_sim/people/"+sim.DefaultUser+"/sign-in", map[string]any{"mfa": true, "redirectUri": redirect}, &in); err != nil {
		return err
	}
	if _, err := a.Custody.RedeemCode(ctx, by, redirect, in.Code); err != nil {
		return err
	}
	ms, err := a.Settings.Microsoft(ctx)
	if err != nil || ms.GDAPGroup != "" {
		return err
	}
	ms.Tenant, ms.AppID, ms.GDAPGroup = sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultGDAPGroup
	return a.Settings.SetMicrosoft(ctx, o.staff, ms.Version, ms)
}

// organization makes a company with an administrator and two accounts.
func (o *ordeal) organization(ctx context.Context, c *ordealCase) error {
	people := o.first().People
	name := fmt.Sprintf("Torture company %04d", c.Org)
	org, err := people.CreateOrg(ctx, o.staff, account.Organization{Name: name})
	if err != nil {
		return err
	}
	email := fmt.Sprintf("admin%04d@torture.example", c.Org)
	u, err := people.CreateUser(ctx, o.staff, account.User{Org: org.ID, Role: account.RoleAdministrator, Name: "Administrator", Email: email}, demo.Password)
	if err != nil {
		return err
	}
	c.actor, c.login = u.Actor("127.0.0.1"), fmt.Sprintf("torture-%04d", c.Org)
	for i, alias := range []account.Alias{alias(c.Org), alias(c.Org) + "B"} {
		a := account.Account{
			Alias: alias, Org: org.ID, Name: name, Country: "US", Billable: true, Currency: "USD", Language: "en-US", CreditLimit: money.Must("40000", "USD"),
			Address: address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"},
			Contact: account.Contact{FirstName: "Account", LastName: "Administrator", Email: email, Phone: "7165550100"},
		}
		if _, err := people.CreateAccount(ctx, o.staff, a); err != nil {
			return err
		}
		if i == 0 {
			if err := people.AddAdministrator(ctx, o.staff, alias, c.login, demo.Password); err != nil {
				return err
			}
		}
	}
	return nil
}

func alias(org int) account.Alias { return account.Alias(fmt.Sprintf("T%04d", org)) }

// fill walks the wizard up to its review.
func (o *ordeal) fill(ctx context.Context, c *ordealCase) error {
	r := o.first().Provision
	id, err := r.NewDraft(ctx, c.actor)
	if err != nil {
		return err
	}
	c.id = id
	o.of[string(id)] = c
	var chosen provision.Draft
	for _, do := range []func() error{
		func() error { return r.SetType(ctx, c.actor, id, provider.TypeAzure) },
		func() error { return r.SetMode(ctx, c.actor, id, provider.ModeNew) },
		func() error { return r.SetName(ctx, c.actor, id, fmt.Sprintf("Torture %04d", c.N)) },
		func() error { _, err := r.Connect(ctx, c.actor, id, c.login, demo.Password); return err },
		func() error { return r.Choose(ctx, c.actor, id, alias(c.Org)) },
		func() error { chosen, err = r.Draft(ctx, c.actor, id); return err },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	if chosen.Tenant == "" {
		chosen.Details.DomainPrefix, chosen.Details.DomainConfirmed = c.Prefix, true
		if err := r.SetDetails(ctx, c.actor, id, chosen.Details); err != nil {
			return err
		}
	}
	return o.accept(ctx, c, chosen.Tenant != "")
}

// accept accepts both terms: Microsoft's on its own page, where a tenant is to be
// made.
func (o *ordeal) accept(ctx context.Context, c *ordealCase, further bool) error {
	r := o.first().Provision
	terms, err := r.Terms(ctx, c.actor, c.id)
	if err != nil {
		return err
	}
	if err := r.AcceptTerms(ctx, c.actor, c.id, terms.Partner.ID, terms.Partner.Hash); err != nil {
		return err
	}
	if further {
		return r.AcceptTerms(ctx, c.actor, c.id, terms.Microsoft.ID, terms.Microsoft.Hash)
	}
	at, err := r.StartAttestation(ctx, c.actor, c.id, false, account.Contact{})
	if err != nil {
		return err
	}
	if err := o.sim.AcceptAttestation(at.ID); err != nil {
		return err
	}
	for at.State != "accepted" {
		if at, err = r.Attestation(ctx, c.actor, c.id); err != nil {
			return err
		}
		o.clock.advance(time.Second)
	}
	return nil
}

// submit presses Create. The loser of a race chooses another domain first.
func (o *ordeal) submit(ctx context.Context, c *ordealCase) error {
	r := o.first().Provision
	_, err := r.Submit(ctx, c.actor, c.id)
	if err != nil && c.Kind == torture.Race {
		d, derr := r.Draft(ctx, c.actor, c.id)
		if derr != nil {
			return derr
		}
		d.Details.DomainPrefix, d.Details.DomainConfirmed = fmt.Sprintf("%sx%d", c.Prefix, c.N), true
		if err := r.SetDetails(ctx, c.actor, c.id, d.Details); err != nil {
			return err
		}
		if d, err = r.Draft(ctx, c.actor, c.id); err != nil {
			return err
		}
		if d.Microsoft == nil || d.Microsoft.State != "accepted" {
			if err := o.accept(ctx, c, false); err != nil {
				return err
			}
		}
		_, err = r.Submit(ctx, c.actor, c.id)
	}
	c.submitted = err == nil
	if err == nil && c.Kind == torture.Stranger && !c.Doubt {
		return o.sim.TakeDomain(c.Prefix + provision.DomainSuffix)
	}
	return err
}

// onboardingRow is what people see of an onboarding.
type onboardingRow struct{ id, provider, state, step, refusal string }

func (o *ordeal) onboardings(ctx context.Context) (rows []onboardingRow, err error) {
	found, err := o.db.Read().QueryContext(ctx, `SELECT id, provider, state, step, refusal FROM onboarding ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for found.Next() {
		var r onboardingRow
		if err := found.Scan(&r.id, &r.provider, &r.state, &r.step, &r.refusal); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, found.Err()
}

// act plays the people: customers who submit and cancel, staff who look at what is
// stuck. It tells whether nothing is left to wait for.
func (o *ordeal) act(ctx context.Context) (over bool, err error) {
	rows, err := o.onboardings(ctx)
	if err != nil {
		return false, err
	}
	if p, err := o.first().Custody.Partner(ctx); err == nil && p.Alarm != nil {
		switch err := o.calm(ctx, o.connect); {
		case err == nil:
			o.alarms++
		case azure.Classify(err) != azure.R1: // at a limit staff try again a little later
			return false, fmt.Errorf("connect the partner again: %w", err)
		}
	}
	expected := len(o.cases)
	for _, c := range o.cases {
		if c.Behind >= 0 && !c.submitted && o.cases[c.Behind].tries > 3 {
			expected-- // what it was to be behind of will never be ready
		}
	}
	over = len(rows) == expected
	ready := map[int]bool{}
	for _, r := range rows {
		c := o.of[r.provider]
		ready[c.N] = r.state == "ready"
		over = over && (r.state == c.Want() || r.state == "stuck" && c.tries > 3)
		if c.Kind == torture.Moved && c.moves < 2 {
			over = false
		}
		if err := o.actOn(ctx, c, provision.ID(r.id), r.state, r.step, r.refusal); err != nil {
			return false, fmt.Errorf("case %d (%s): %w", c.N, c.Kind, err)
		}
	}
	for _, c := range o.cases {
		if c.Behind >= 0 && !c.submitted && ready[c.Behind] {
			err := o.calm(ctx, func(ctx context.Context) error {
				if err := o.fill(ctx, c); err != nil {
					return err
				}
				return o.submit(ctx, c)
			})
			if err != nil {
				return false, fmt.Errorf("case %d (%s): %w", c.N, c.Kind, err)
			}
		}
	}
	return over, nil
}

func (o *ordeal) actOn(ctx context.Context, c *ordealCase, id provision.ID, state, step, refusal string) error {
	r := o.first().Provision
	switch {
	case c.Kind == torture.Cancelled && !c.cancelled && reached(step, c.CancelAt):
		c.cancelled = true
		return r.Cancel(ctx, c.actor, c.id)
	case c.Kind == torture.Moved && state == "ready" && c.moves < 2:
		c.moves++
		finance := account.Actor{User: "finance", Role: account.RoleFinance, Name: "Finance"}
		to := []account.Alias{alias(c.Org) + "B", alias(c.Org)}[c.moves-1]
		return r.Move(ctx, finance, c.id, to, provider.DayOf(o.clock.now().AddDate(0, 0, c.moves)))
	case state != "stuck" || c.Kind == torture.Stuck || c.tries > 3:
		return nil
	case strings.Contains(refusal, "domain-taken"):
		c.tries++
		v, err := r.Get(ctx, o.staff, id)
		if err != nil {
			return err
		}
		d := v.Tenant.Details
		d.DomainPrefix = fmt.Sprintf("%sy%d", c.Prefix, c.tries)
		return r.Edit(ctx, o.staff, id, d)
	case c.Kind == torture.Retried && c.tries == 0:
		c.tries++
		v, err := r.Get(ctx, o.staff, id)
		if err != nil {
			return err
		}
		if err := o.sim.SetValidation(v.Tenant.AzureID, "Allowed"); err != nil {
			return err
		}
		return r.Retry(ctx, o.staff, id)
	}
	if c.tries++; c.tries > 3 {
		return nil // it stays, and is a broken promise
	}
	o.byHand++ // nobody planted this: it is told, and staff try again
	o.tell(fmt.Sprintf("seed %d: case %d (%s) is stuck at %s and nobody planted it: %s", o.plan.Seed, c.N, c.Kind, step, refusal))
	if tail, _, err := o.first().Providers.Tail(ctx, c.id, 12); err == nil {
		for _, e := range slices.Backward(tail) {
			o.tell(fmt.Sprintf("  %s %s: %s", e.At.UTC().Format(time.RFC3339), e.Step, e.Text))
		}
	}
	return r.Retry(ctx, o.staff, id)
}

// reached tells whether a step is at or behind another.
func reached(step, at string) bool {
	order := func(s string) int { return slices.Index(provision.Steps[:], provision.Step(s)) }
	return order(step) >= order(at)
}
