package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// existing is a subscription that was found, with who has a role on it.
type existing struct {
	partnercenter.AzureEntitlement
	roles []arm.RoleAssignment
	blind bool // the roles could not be read
}

// adoptCustomer takes a customer of Microsoft's into our records: tenant, plan,
// each active subscription as a provider that is ready, the roles as they are
// found, and who pays from today on (UTC). Nothing is changed at Microsoft.
func (f *fixing) adoptCustomer() error {
	c, err := f.r.pc.Customer(f.ctx, f.d.AzureID)
	if azure.IsNotFound(err) || azure.HasCode(err, "20002") {
		return fault.New(fault.Conflict, "The customer is not at Microsoft any more.")
	}
	if err != nil {
		return err
	}
	if !azure.SameWord(c.RelationshipToPartner, partnercenter.RelationshipReseller) {
		return fault.New(fault.Conflict, "The customer is not ours to sell to: its relationship is “%s”.", c.RelationshipToPartner)
	}
	plan, err := f.planOf(c.ID)
	if err != nil {
		return err
	}
	var subs []existing
	if plan != nil {
		if subs, err = f.existing(c.ID, plan.ID); err != nil {
			return err
		}
	}
	return f.tx(func(ctx context.Context, tx *store.Tx) error {
		q := sqlc.New(tx)
		if _, err := q.TenantByAzure(ctx, c.ID); err == nil {
			return f.resolved(ctx, tx, "it was known already")
		} else if !store.IsNone(err) {
			return err
		}
		acct, err := f.r.people.AccountTx(ctx, tx, f.d.ToAccount)
		if err != nil {
			return err
		}
		t, err := f.addTenant(ctx, tx, c, plan, acct, len(subs))
		if err != nil {
			return err
		}
		for i, e := range subs {
			id := t.FirstBy
			if i > 0 {
				id = ID(store.NewID())
			}
			if err := f.addProvider(ctx, tx, t, e, id, acct); err != nil {
				return err
			}
		}
		err = f.r.providers.Fill(ctx, tx, provider.Association{Tenant: t.ID, Account: acct.Alias, Org: acct.Org, From: provider.DayOf(t.BornAt)})
		if err != nil {
			return err
		}
		return f.resolved(ctx, tx, map[string]any{"tenant": t.ID, "domain": t.Domain, "subscriptions": len(subs)})
	})
}

// planOf is the customer's Azure plan: an active one, else any.
func (f *fixing) planOf(customer string) (*partnercenter.Subscription, error) {
	list, err := f.r.pc.Subscriptions(f.ctx, customer, "")
	if err != nil {
		return nil, err
	}
	var plan *partnercenter.Subscription
	for i := range list {
		if list[i].IsAzurePlan() && (plan == nil || !azure.SameWord(plan.Status, partnercenter.StatusActive)) {
			plan = &list[i]
		}
	}
	return plan, nil
}

func (f *fixing) existing(customer, plan string) ([]existing, error) {
	list, err := f.r.pc.AzureEntitlements(f.ctx, customer, plan)
	if err != nil {
		return nil, err
	}
	var found []existing
	for _, e := range list {
		if !azure.SameWord(e.Status, partnercenter.StatusActive) {
			continue
		}
		x := existing{AzureEntitlement: e}
		// The partner's inherited role sees without anything being set up; where the
		// customer never let our application in, there is nothing to see.
		x.roles, err = f.r.arm.In(customer, azure.AppUser).RoleAssignments(f.ctx, arm.SubscriptionScope(e.ID), "atScope()")
		if class := azure.Classify(err); err != nil && (class == azure.R1 || class == azure.R2) {
			return nil, err
		}
		x.blind = err != nil
		found = append(found, x)
	}
	return found, nil
}

// addTenant writes the tenant. A second tenant of one company gets a legal entity
// of its own: further onboardings of the company go to the first.
func (f *fixing) addTenant(ctx context.Context, tx *store.Tx, c partnercenter.Customer, plan *partnercenter.Subscription, acct account.Account, subscriptions int) (Tenant, error) {
	entity := acct.LegalEntity()
	if _, taken, err := tenantOf(ctx, tx, acct.Org, entity); err != nil {
		return Tenant{}, err
	} else if taken {
		entity += "#" + c.ID
	}
	now := f.r.now()
	t := Tenant{
		ID: store.NewID(), Org: acct.Org, LegalEntity: entity, Domain: strings.ToLower(c.CompanyProfile.Domain), State: TenantLive, Stage: StageCustomer,
		Account: acct.Alias, AzureID: c.ID, BornAt: now, Details: detailsOf(c),
	}
	p := sqlc.AdoptTenantParams{
		ID: t.ID, Org: string(t.Org), LegalEntity: entity, Domain: t.Domain, Account: string(t.Account), AzureID: t.AzureID, BornAt: store.Micros(now), CreatedAt: store.Micros(now),
	}
	if plan != nil {
		t.Stage, t.Plan, t.FirstBy = StagePlan, plan.ID, ID(t.ID) // what the plan was born with is nobody's to wait for
		p.OrderID = plan.OrderID
		if subscriptions > 0 {
			t.FirstBy = ID(store.NewID())
		}
	}
	p.Stage, p.Plan, p.FirstBy = string(t.Stage), t.Plan, string(t.FirstBy)
	b, err := json.Marshal(t.Details)
	if err != nil {
		return t, err
	}
	p.Details = string(b)
	err = sqlc.New(tx).AdoptTenant(ctx, p)
	if store.IsUnique(err) {
		return t, fault.New(fault.Conflict, "An onboarding is about to make the domain %s. Cancel it first, or ignore this difference.", t.Domain)
	}
	if err != nil {
		return t, err
	}
	return t, audit.Write(ctx, tx, audit.Entry{
		Org: string(t.Org), At: now, Actor: f.d.DoingBy, Action: "tenant.adopt", Object: "tenant:" + t.ID,
		Detail: map[string]any{"azure_id": t.AzureID, "domain": t.Domain, "account": t.Account, "plan": t.Plan},
	})
}

// detailsOf is what Microsoft knows of a customer, in our form.
func detailsOf(c partnercenter.Customer) Details {
	prefix, _, _ := strings.Cut(c.CompanyProfile.Domain, ".")
	a := c.BillingProfile.DefaultAddress
	return Details{
		DomainPrefix: prefix, DomainConfirmed: true, CompanyName: c.CompanyProfile.CompanyName, RegistrationNumber: c.CompanyProfile.OrganizationRegistrationNumber,
		Address:  address.Address{Country: a.Country, Line1: a.AddressLine1, Line2: a.AddressLine2, City: a.City, State: a.State, PostalCode: a.PostalCode},
		Contact:  account.Contact{FirstName: a.FirstName, LastName: a.LastName, Email: c.BillingProfile.Email, Phone: a.PhoneNumber},
		Language: c.BillingProfile.Language, Culture: c.BillingProfile.Culture,
	}
}

// addProvider writes a subscription that was found as a provider that is ready.
func (f *fixing) addProvider(ctx context.Context, tx *store.Tx, t Tenant, e existing, id ID, acct account.Account) error {
	now := f.r.now()
	name := e.FriendlyName
	if name == "" {
		name = e.ID
	}
	p := provider.Provider{
		ID: provider.ID(store.NewID()), Org: acct.Org, Type: provider.TypeAzure, Mode: provider.ModeMigrate, Name: name, State: provider.Ready, Account: acct.Alias,
		Tenant: t.ID, TenantID: t.AzureID, Domain: t.Domain, Subscription: e.ID, CreatedAt: now, ChangedAt: now, ChangedBy: provider.Platform,
	}
	if err := f.r.providers.Add(ctx, tx, p); err != nil {
		return err
	}
	budget, err := budgetText(money.Zero(acct.Currency))
	if err != nil {
		return err
	}
	q := sqlc.New(tx)
	err = q.ImportOnboarding(ctx, sqlc.ImportOnboardingParams{
		ID: string(id), Provider: string(p.ID), Org: string(acct.Org), Account: string(acct.Alias), Tenant: t.ID, Correlation: string(f.correlation),
		Name: name, Budget: budget, Subscription: e.ID, At: store.Micros(now),
	})
	if err != nil {
		return err
	}
	for i, s := range Steps {
		if err := q.ImportStep(ctx, sqlc.ImportStepParams{Onboarding: string(id), Seq: int64(i + 1), Name: string(s)}); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("Existed at Microsoft and was taken into the records. Nothing was changed there. %s pays from %s, 00:00 UTC.", acct.Alias, provider.DayOf(now))
	if err := f.r.providers.Log(ctx, tx, p.ID, provider.Done, string(StepReady), text); err != nil {
		return err
	}
	if e.blind {
		return f.r.providers.Log(ctx, tx, p.ID, provider.Warning, string(StepReady), "The customer has not let our application in, so who has a role is not known.")
	}
	for _, a := range e.roles {
		if err := f.r.providers.Grant(ctx, tx, p.ID, t.ID, foundGrant(t, e.ID, a)); err != nil {
			return err
		}
	}
	return nil
}

// foundGrant is a role as it was found.
func foundGrant(t Tenant, subscription string, a arm.RoleAssignment) provider.Grant {
	return provider.Grant{
		Scope: arm.SubscriptionScope(subscription), Principal: a.Properties.PrincipalID, Role: roleTitle(t, a.Properties.RoleDefinitionID),
		PrincipalName: principalWord(a.Properties.PrincipalType) + " " + a.Properties.PrincipalID,
		Intent:        "It was found at Microsoft and written down; the platform did not give it.",
	}
}

// adoptProven takes a tenant that our own lost request made: the onboarding that
// asked for it goes on with it. Its first password was in the lost answer; a new
// one is set later.
func (f *fixing) adoptProven() error {
	return f.tx(func(ctx context.Context, tx *store.Tx) error {
		q := sqlc.New(tx)
		in, err := q.LockIntent(ctx, sqlc.LockIntentParams{Scope: "tenant:" + f.d.Tenant, Name: "create-customer"})
		if err != nil {
			return err
		}
		rows, err := q.OfTenant(ctx, f.d.Tenant)
		if err != nil {
			return err
		}
		known := false
		err = changeTenant(ctx, tx, f.d.Tenant, func(t *Tenant) error {
			if known = t.AzureID != ""; known {
				return nil
			}
			t.AzureID, t.BornAt, t.AdminUPN, t.Stage, t.State = f.d.AzureID, f.d.Evidence.At, "admin@"+t.Domain, StageCustomer, TenantReleased
			if t.BornAt.IsZero() {
				t.BornAt = f.r.now()
			}
			for _, o := range rows {
				if State(o.State) != Cancelled {
					t.State = TenantLive
				}
			}
			return nil
		})
		if store.IsUnique(err) {
			return fault.New(fault.Conflict, "Another onboarding wants the domain %s. Cancel it first.", f.d.About.Domain)
		}
		if err != nil {
			return err
		}
		if known {
			return f.resolved(ctx, tx, "it was known already")
		}
		b, err := json.Marshal(birth{Customer: f.d.AzureID})
		if err != nil {
			return err
		}
		in.State, in.Result = intentConfirmed, string(b)
		if err := saveIntent(ctx, tx, in); err != nil {
			return err
		}
		for _, o := range rows {
			text := fmt.Sprintf("Microsoft's records show that our request, whose answer was lost, made the tenant %s. It is ours.", f.d.About.Domain)
			if err := f.r.providers.Log(ctx, tx, provider.ID(o.Provider), provider.Info, string(StepCustomer), text); err != nil {
				return err
			}
			if State(o.State) == Stuck && (Step(o.Step) == StepCustomer || Step(o.Step) == StepDetails) {
				if err := f.r.goOn(ctx, tx, account.System(), ID(o.ID), "onboarding.retry", "its tenant was found"); err != nil {
					return err
				}
			}
		}
		return f.resolved(ctx, tx, map[string]any{"tenant": f.d.Tenant, "correlation": f.d.Evidence.Correlation})
	})
}

// adoptGoneCustomer writes down that a tenant is not at Microsoft any more.
func (f *fixing) adoptGoneCustomer() error {
	return f.tx(func(ctx context.Context, tx *store.Tx) error {
		rows, err := sqlc.New(tx).OfTenant(ctx, f.d.Tenant)
		if err != nil {
			return err
		}
		for _, o := range rows {
			if State(o.State) == Cancelled {
				continue
			}
			if State(o.State) != Ready {
				return fault.New(fault.Conflict, "“%s” is still on its way in this tenant. Cancel it first.", o.Name)
			}
			if err := f.ended(ctx, tx, o); err != nil {
				return err
			}
		}
		if err := f.r.providers.End(ctx, tx, f.d.Tenant, "", provider.DayOf(f.r.now())); err != nil {
			return err
		}
		was := ""
		err = changeTenant(ctx, tx, f.d.Tenant, func(t *Tenant) error {
			was = t.AzureID
			t.State, t.AzureID = TenantGone, "" // should Microsoft show it again, it is asked about anew
			return nil
		})
		if err != nil {
			return err
		}
		return f.resolved(ctx, tx, map[string]any{"azure_id": was})
	})
}

// ended writes down that a subscription is not active at Microsoft any more.
func (f *fixing) ended(ctx context.Context, tx *store.Tx, row sqlc.Onboarding) error {
	now := f.r.now()
	err := f.r.change(ctx, tx, ID(row.ID), func(o *Onboarding) error { o.State, o.FinishedAt = Cancelled, now; return nil })
	if err != nil {
		return err
	}
	for _, s := range []provider.State{provider.Cancelling, provider.Cancelled} {
		err := f.r.providers.Change(ctx, tx, provider.ID(row.Provider), provider.Platform, func(p *provider.Provider) error {
			p.State, p.Note = s, "It ended at Microsoft"
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := f.r.providers.Log(ctx, tx, provider.ID(row.Provider), provider.Warning, string(StepReady), "It is not active at Microsoft any more; that was written down."); err != nil {
		return err
	}
	return f.r.providers.End(ctx, tx, row.Tenant, row.Subscription, provider.DayOf(now))
}

func (f *fixing) adoptDomain() error {
	return f.tx(func(ctx context.Context, tx *store.Tx) error {
		err := changeTenant(ctx, tx, f.d.Tenant, func(t *Tenant) error { t.Domain = f.d.About.Domain; return nil })
		if err != nil {
			return err
		}
		rows, err := sqlc.New(tx).OfTenant(ctx, f.d.Tenant)
		if err != nil {
			return err
		}
		for _, o := range rows {
			err := f.r.providers.Change(ctx, tx, provider.ID(o.Provider), provider.Platform, func(p *provider.Provider) error { p.Domain = f.d.About.Domain; return nil })
			if err != nil {
				return err
			}
		}
		return f.resolved(ctx, tx, nil)
	})
}

func (f *fixing) adoptPlan() error {
	return f.tx(func(ctx context.Context, tx *store.Tx) error {
		err := changeTenant(ctx, tx, f.d.Tenant, func(t *Tenant) error {
			t.Plan = f.d.About.Plan
			if t.FirstBy == "" {
				t.FirstBy = ID(t.ID)
			}
			if !t.Reached(StagePlan) {
				t.Stage = StagePlan
			}
			return nil
		})
		if err != nil {
			return err
		}
		return f.resolved(ctx, tx, nil)
	})
}

// adoptSubscription takes a subscription inside a tenant of ours: for the
// onboarding whose lost request made it, else as a provider of its own.
func (f *fixing) adoptSubscription(t Tenant) error {
	if f.d.About.Missing {
		return f.tx(func(ctx context.Context, tx *store.Tx) error {
			row, err := sqlc.New(tx).OnboardingOfSubscription(ctx, f.d.About.Subscription)
			if err != nil {
				return store.Found(err, "No provider has this subscription any more.")
			}
			if err := f.ended(ctx, tx, row); err != nil {
				return err
			}
			return f.resolved(ctx, tx, nil)
		})
	}
	list, err := f.existing(t.AzureID, t.Plan)
	if err != nil {
		return err
	}
	for _, e := range list {
		if azure.SameID(e.ID, f.d.About.Subscription) {
			return f.tx(func(ctx context.Context, tx *store.Tx) error { return f.takeSubscription(ctx, tx, t, e) })
		}
	}
	return fault.New(fault.Conflict, "The subscription is not active at Microsoft any more.")
}

func (f *fixing) takeSubscription(ctx context.Context, tx *store.Tx, t Tenant, e existing) error {
	q := sqlc.New(tx)
	if _, err := q.OnboardingOfSubscription(ctx, e.ID); err == nil {
		return f.resolved(ctx, tx, "it was known already")
	} else if !store.IsNone(err) {
		return err
	}
	if f.d.Evidence.Proven {
		return f.giveBack(ctx, tx, e)
	}
	alias := f.d.ToAccount
	if alias == "" {
		alias = t.Account
	}
	acct, err := f.r.people.AccountTx(ctx, tx, alias)
	if err != nil {
		return err
	}
	today := provider.DayOf(f.r.now())
	if t.State != TenantLive { // somebody pays for the tenant again, as when an onboarding uses it again
		if err := changeTenant(ctx, tx, t.ID, func(t *Tenant) error { t.State = TenantLive; return nil }); err != nil {
			return err
		}
		err := f.r.providers.Confirm(ctx, tx, provider.Association{Tenant: t.ID, Account: t.Account, Org: t.Org, From: provider.DayOf(t.BornAt)})
		if err != nil {
			return err
		}
	}
	if err := f.addProvider(ctx, tx, t, e, ID(store.NewID()), acct); err != nil {
		return err
	}
	if acct.Alias != t.Account {
		err := f.r.providers.Confirm(ctx, tx, provider.Association{Tenant: t.ID, Entitlement: e.ID, Account: acct.Alias, Org: acct.Org, From: today})
		if err != nil {
			return err
		}
	}
	return f.resolved(ctx, tx, map[string]any{"subscription": e.ID, "account": acct.Alias})
}

// giveBack gives a subscription to the onboarding that asked for it.
func (f *fixing) giveBack(ctx context.Context, tx *store.Tx, e existing) error {
	var o Onboarding
	err := f.r.change(ctx, tx, f.d.Evidence.Onboarding, func(x *Onboarding) error {
		if x.Subscription != "" {
			return fault.New(fault.Conflict, "“%s” has another subscription meanwhile.", x.Name)
		}
		x.Subscription, x.Further = e.ID, true
		o = *x
		return nil
	})
	if err != nil {
		return err
	}
	err = f.r.providers.Change(ctx, tx, o.Provider, provider.Platform, func(p *provider.Provider) error { p.Subscription = e.ID; return nil })
	if err != nil {
		return err
	}
	if err := f.r.providers.Log(ctx, tx, o.Provider, provider.Info, string(StepSubscription), "The subscription that our request made was found: it is ours."); err != nil {
		return err
	}
	if o.State == Stuck {
		if err := f.r.goOn(ctx, tx, account.System(), o.ID, "onboarding.retry", "its subscription was found"); err != nil {
			return err
		}
	}
	return f.resolved(ctx, tx, map[string]any{"onboarding": o.ID})
}

func (f *fixing) adoptName() error {
	return f.ofSubscription(func(ctx context.Context, tx *store.Tx, o sqlc.Onboarding) error {
		err := sqlc.New(tx).RenameOnboarding(ctx, sqlc.RenameOnboardingParams{ID: o.ID, Name: f.d.About.Name, ChangedAt: store.Micros(f.r.now())})
		if err != nil {
			return err
		}
		return f.r.providers.Change(ctx, tx, provider.ID(o.Provider), provider.Platform, func(p *provider.Provider) error { p.Name = f.d.About.Name; return nil })
	}, fmt.Sprintf("Its name is “%s” at Microsoft; that was written down.", f.d.About.Name))
}

func (f *fixing) adoptGrant(t Tenant) error {
	a := f.d.About
	return f.ofSubscription(func(ctx context.Context, tx *store.Tx, o sqlc.Onboarding) error {
		if a.Missing {
			return f.r.providers.Ungrant(ctx, tx, provider.ID(o.Provider), provider.Grant{Scope: a.Scope, Principal: a.Principal, Role: a.Role})
		}
		return f.r.providers.Grant(ctx, tx, provider.ID(o.Provider), t.ID, provider.Grant{
			Scope: a.Scope, Principal: a.Principal, PrincipalName: principalWord(a.Kind) + " " + a.Principal, Role: a.Role,
			Intent: "It was found at Microsoft and written down; the platform did not give it.",
		})
	}, map[bool]string{true: "A role is gone at Microsoft; that was written down.", false: "A role was found at Microsoft and written down."}[a.Missing])
}

// ofSubscription changes the records of a subscription's provider.
func (f *fixing) ofSubscription(do func(context.Context, *store.Tx, sqlc.Onboarding) error, text string) error {
	return f.tx(func(ctx context.Context, tx *store.Tx) error {
		row, err := sqlc.New(tx).OnboardingOfSubscription(ctx, f.d.About.Subscription)
		if err != nil {
			return store.Found(err, "No provider has this subscription any more.")
		}
		if err := do(ctx, tx, row); err != nil {
			return err
		}
		if err := f.r.providers.Log(ctx, tx, provider.ID(row.Provider), provider.Info, string(StepReady), text); err != nil {
			return err
		}
		return f.resolved(ctx, tx, nil)
	})
}
