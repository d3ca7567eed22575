package provision

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/guardrail"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// Compare holds what we have written against what Microsoft has, in both
// directions, and changes nothing. Onboardings that still run are left out of
// what they are on their way to. Sweep does the same and keeps what it finds.
func (r *Runner) Compare(ctx context.Context) ([]Difference, error) {
	var found []Difference
	look, err := r.newLook(ctx)
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	for link, first := (*partnercenter.Link)(nil), true; first || link != nil; first = false {
		list, next, err := r.pc.CustomersFrom(look.ctx, listPage, link)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			listed[strings.ToLower(c.ID)] = true
			_, d, err := look.customer(c)
			if err != nil {
				return nil, err
			}
			found = append(found, d...)
		}
		link = next
	}
	rows, err := sqlc.New(r.db.Read()).LiveTenants(ctx)
	if err != nil {
		return nil, err
	}
	tenants, err := all(rows, tenant)
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		s, err := look.tenant(t, listed[strings.ToLower(t.AzureID)])
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", t.Domain, err)
		}
		found = append(found, s.found...)
	}
	return found, nil
}

// look is one pass over both sides: what it needs again and again is read once.
type look struct {
	r       *Runner
	ctx     context.Context
	policy  guardrail.Policy
	records *records // of Microsoft's audit, once they are needed
}

func (r *Runner) newLook(ctx context.Context) (*look, error) {
	if azure.Correlation(ctx) == "" {
		ctx = azure.WithCorrelation(ctx, azure.NewCorrelationID())
	}
	c, err := r.guard.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	return &look{r: r, ctx: ctx, policy: guardrail.Compile(c), records: &records{r: r}}, nil
}

// seen is what was found out about one tenant.
type seen struct {
	found         []Difference
	subscriptions int
}

// blind tells that a part could not be read: nothing of it may count as gone.
func (s seen) blind() bool {
	return slices.ContainsFunc(s.found, func(d Difference) bool { return d.Kind == DiffAccess || d.Kind == DiffRelationship })
}

// customer judges one customer of Microsoft's list. It gives our tenant row, ""
// if the customer is not known here.
func (l *look) customer(c partnercenter.Customer) (string, []Difference, error) {
	q := sqlc.New(l.r.db.Read())
	row, err := q.TenantByAzure(l.ctx, c.ID)
	if low := strings.ToLower(c.ID); store.IsNone(err) && low != c.ID {
		row, err = q.TenantByAzure(l.ctx, low)
	}
	if err != nil && !store.IsNone(err) {
		return "", nil, err
	}
	if err == nil {
		t, err := tenant(row)
		return t.ID, l.known(t, c), err
	}
	d := Difference{
		Kind: DiffCustomer, Object: customerObject(c.ID), AzureID: c.ID, Title: c.CompanyProfile.CompanyName,
		Text:     fmt.Sprintf("Microsoft has the customer %s (%s), which is not known here.", c.CompanyProfile.CompanyName, c.CompanyProfile.Domain),
		Proposal: FixAdopt, Remedy: "Take it into the records, with the organization and the account that pay for it. Nothing is changed at Microsoft.",
		Fixes: []Fix{FixAdopt, FixIgnore},
		About: About{Company: c.CompanyProfile.CompanyName, Domain: strings.ToLower(c.CompanyProfile.Domain), Status: c.RelationshipToPartner},
	}
	if !azure.SameWord(c.RelationshipToPartner, partnercenter.RelationshipReseller) {
		return "", nil, nil // it is no more ours to sell to, and nothing here says that it should be
	}
	if d.Evidence, err = l.records.of(l.ctx, c.ID); err != nil {
		return "", nil, err
	}
	// Is one of our onboardings on its way to it?
	rows, err := q.TenantsOfDomain(l.ctx, d.About.Domain)
	if err != nil {
		return "", nil, err
	}
	for _, row := range rows {
		in, err := q.GetIntent(l.ctx, sqlc.GetIntentParams{Scope: "tenant:" + row.ID, Name: "create-customer"})
		if store.IsNone(err) || err == nil && in.State == intentNew {
			continue // nothing was sent, as far as a restored state can tell
		}
		if err != nil {
			return "", nil, err
		}
		if again, err := q.TenantByAzure(l.ctx, c.ID); err == nil { // confirmed this moment
			return again.ID, nil, nil
		}
		ours := sameCorrelation(d.Evidence.Correlation, in.Correlation)
		running, id, err := l.running(row.ID)
		if err != nil {
			return "", nil, err
		}
		young := l.r.now().Sub(store.Time(in.LastSent)) < auditLag
		if running && (ours || d.Evidence.Correlation == "" && young) {
			return "", nil, nil // on its way: it looks itself
		}
		if ours {
			d.Tenant, d.Org = row.ID, account.OrgID(row.Org)
			d.Evidence.Proven, d.Evidence.Onboarding = true, id
			d.Evidence.Facts = append(d.Evidence.Facts, "We sent the request for it and did not hear the answer.")
			d.Remedy = "Take it as what our request made: nobody else can have made it."
		}
		break
	}
	return "", []Difference{d}, nil
}

// running tells whether an onboarding of the tenant goes on by itself, and names
// the first one in any case.
func (l *look) running(tenantID string) (bool, ID, error) {
	rows, err := sqlc.New(l.r.db.Read()).OfTenant(l.ctx, tenantID)
	if err != nil {
		return false, "", err
	}
	id := ID("")
	for _, o := range rows {
		if id == "" {
			id = ID(o.ID)
		}
		if s := State(o.State); s == Running || s == Waiting || s == Cancelling {
			return true, id, nil
		}
	}
	return false, id, nil
}

// known compares what the list says about a customer of ours.
func (l *look) known(t Tenant, c partnercenter.Customer) []Difference {
	base := Difference{Org: t.Org, Tenant: t.ID, AzureID: t.AzureID, Title: t.Domain, Object: customerObject(t.AzureID)}
	var found []Difference
	if !strings.EqualFold(c.CompanyProfile.Domain, t.Domain) {
		d := base
		d.Kind, d.Object = DiffCustomer, customerObject(t.AzureID)+"/domain"
		d.Text = fmt.Sprintf("Its domain is %s here and %s at Microsoft.", t.Domain, c.CompanyProfile.Domain)
		d.Proposal, d.Fixes, d.Remedy = FixAdopt, []Fix{FixAdopt, FixIgnore}, "Write down the domain that Microsoft has."
		d.About.Domain = strings.ToLower(c.CompanyProfile.Domain)
		found = append(found, d)
	}
	if t.State == TenantLive && !azure.SameWord(c.RelationshipToPartner, partnercenter.RelationshipReseller) {
		d := base
		d.Kind = DiffRelationship
		d.Text = fmt.Sprintf("%s is not ours to sell to any more: its relationship is “%s”.", t.Domain, c.RelationshipToPartner)
		d.Proposal, d.Fixes = FixIgnore, []Fix{FixIgnore}
		d.Remedy = "Ask the customer to accept a new relationship in Partner Center. This line goes away by itself then."
		d.About.Status = c.RelationshipToPartner
		if t.Stage == StageCustomer {
			return found // just made: the relationship follows within minutes, its onboarding waits for it
		}
		found = append(found, d)
	}
	return found
}

// tenant compares all that a tenant of ours has. One that the list did not show
// is asked for by itself.
func (l *look) tenant(t Tenant, listed bool) (seen, error) {
	s := seen{}
	base := Difference{Org: t.Org, Tenant: t.ID, AzureID: t.AzureID, Title: t.Domain}
	add := func(d Difference) { s.found = append(s.found, d) }
	if !listed {
		c, err := l.r.pc.Customer(l.ctx, t.AzureID)
		if azure.IsNotFound(err) || azure.HasCode(err, "20002") {
			if t.State == TenantReleased {
				return s, nil // nobody needs it
			}
			d := base
			d.Kind, d.Object, d.About.Missing = DiffCustomer, customerObject(t.AzureID), true
			d.Text = fmt.Sprintf("The customer %s is not at Microsoft.", t.Domain)
			d.Proposal, d.Fixes = FixAdopt, []Fix{FixAdopt, FixIgnore}
			d.Remedy = "Write down that it is gone: its providers end, and nobody pays for it from tomorrow on."
			add(d)
			return s, nil
		}
		if err != nil {
			return s, err
		}
		s.found = append(s.found, l.known(t, c)...)
		if !azure.SameWord(c.RelationshipToPartner, partnercenter.RelationshipReseller) {
			return s, nil
		}
	}
	of, err := l.onboardings(t)
	if err != nil {
		return s, err
	}
	if t.Plan == "" {
		if of.open == 0 {
			return s, l.unknownPlan(t, base, add)
		}
		return s, nil // on its way
	}
	list, err := l.entitlements(t, of, base, add)
	if err != nil {
		return s, err
	}
	for _, e := range list {
		if !azure.SameWord(e.Status, partnercenter.StatusActive) {
			continue
		}
		s.subscriptions++
		o, ok := of.ready[strings.ToLower(e.ID)]
		if !ok {
			continue
		}
		if err := l.inside(t, o, e, add); err != nil {
			return s, err
		}
	}
	return s, l.payers(t, of, base, add)
}

// ofTenant is what we have on a tenant.
type ofTenant struct {
	ready map[string]sqlc.Onboarding // by subscription
	open  int                        // on their way
	all   []sqlc.Onboarding
}

func (l *look) onboardings(t Tenant) (ofTenant, error) {
	of := ofTenant{ready: map[string]sqlc.Onboarding{}}
	var err error
	if of.all, err = sqlc.New(l.r.db.Read()).OfTenant(l.ctx, t.ID); err != nil {
		return of, err
	}
	for _, o := range of.all {
		switch State(o.State) {
		case Ready:
			of.ready[strings.ToLower(o.Subscription)] = o
		case Running, Waiting, Stuck, Cancelling:
			of.open++
		}
	}
	return of, nil
}

// unknownPlan looks for a plan where we know of none.
func (l *look) unknownPlan(t Tenant, base Difference, add func(Difference)) error {
	list, err := l.r.pc.Subscriptions(l.ctx, t.AzureID, "")
	if err != nil {
		return err
	}
	for _, p := range list {
		if !p.IsAzurePlan() || !azure.SameWord(p.Status, partnercenter.StatusActive) {
			continue
		}
		d := base
		d.Kind, d.Object = DiffPlan, "plan:"+strings.ToLower(p.ID)
		d.Text = fmt.Sprintf("Microsoft has an Azure plan in %s, which is not known here.", t.Domain)
		d.Proposal, d.Fixes, d.Remedy = FixAdopt, []Fix{FixAdopt, FixCancel, FixIgnore}, "Write the plan down. Its subscriptions then appear here, each by itself."
		d.About.Plan = p.ID
		d.Evidence.At = p.CreationDate.Time
		add(d)
	}
	return nil
}

func (l *look) entitlements(t Tenant, of ofTenant, base Difference, add func(Difference)) ([]partnercenter.AzureEntitlement, error) {
	plan, err := l.r.pc.Subscription(l.ctx, t.AzureID, t.Plan)
	if azure.IsNotFound(err) {
		d := base
		d.Kind, d.Object, d.About.Missing = DiffPlan, "plan:"+strings.ToLower(t.Plan), true
		d.Text = fmt.Sprintf("The Azure plan of %s is not at Microsoft.", t.Domain)
		d.Proposal, d.Fixes, d.Remedy = FixIgnore, []Fix{FixIgnore}, "Ask Microsoft's support what became of it."
		add(d)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	want := ""
	switch {
	case of.open > 0:
	case len(of.ready) > 0:
		want = partnercenter.StatusActive
	case t.State == TenantReleased:
		want = partnercenter.StatusSuspended
	}
	if want != "" && !azure.SameWord(plan.Status, want) && (want == partnercenter.StatusActive || azure.SameWord(plan.Status, partnercenter.StatusActive)) {
		d := base
		d.Kind, d.Object = DiffPlan, "plan:"+strings.ToLower(t.Plan)
		d.Text = fmt.Sprintf("The Azure plan of %s should be %s and is %s at Microsoft.", t.Domain, want, plan.Status)
		d.Proposal, d.Fixes, d.Remedy = FixRepair, []Fix{FixRepair, FixIgnore}, "Make it "+want+" again."
		d.About.Plan, d.About.Status = t.Plan, want
		add(d)
	}
	list, err := l.r.pc.AzureEntitlements(l.ctx, t.AzureID, t.Plan)
	if err != nil {
		return nil, err
	}
	return list, l.strangers(t, of, list, base, add)
}

// strangers are subscriptions that only one side has. What an onboarding is on
// its way to is left out: the plan's first subscription, and those under an alias
// that is derived from an onboarding's id.
func (l *look) strangers(t Tenant, of ofTenant, list []partnercenter.AzureEntitlement, base Difference, add func(Difference)) error {
	active := map[string]bool{}
	var strange []partnercenter.AzureEntitlement
	for _, e := range list {
		if !azure.SameWord(e.Status, partnercenter.StatusActive) {
			continue
		}
		active[strings.ToLower(e.ID)] = true
		mine := slices.ContainsFunc(of.all, func(o sqlc.Onboarding) bool {
			return o.State != string(Cancelled) && azure.SameID(o.Subscription, e.ID)
		})
		if !mine {
			strange = append(strange, e)
		}
	}
	for id, o := range of.ready {
		if active[id] {
			continue
		}
		d := base
		d.Kind, d.Object, d.Title = DiffSubscription, under(o.Subscription), o.Name
		d.Text = fmt.Sprintf("“%s” is ready here and not active at Microsoft.", o.Name)
		d.Proposal, d.Fixes = FixAdopt, []Fix{FixAdopt, FixIgnore}
		d.Remedy = "Write down that it ended. Whoever cancelled it by mistake can make it active again in Partner Center within 90 days."
		d.About = About{Subscription: o.Subscription, Missing: true}
		add(d)
	}
	if len(strange) == 0 {
		return nil
	}
	derived, err := l.derived(of, len(strange))
	if err != nil {
		return err
	}
	first := of.open > 0 && (t.FirstBy == "" || slices.ContainsFunc(of.all, func(o sqlc.Onboarding) bool {
		return ID(o.ID) == t.FirstBy && o.Subscription == "" && o.State != string(Cancelled)
	}))
	for _, e := range strange {
		o, ours := derived[strings.ToLower(e.ID)]
		if ours && State(o.State) != Cancelled && State(o.State) != Ready && State(o.State) != Stuck {
			continue
		}
		if first && !ours {
			first = false // the plan was born with it
			continue
		}
		d := base
		d.Kind, d.Object, d.Title = DiffSubscription, under(e.ID), e.FriendlyName
		d.Text = fmt.Sprintf("Microsoft has the subscription “%s” in %s, which is not known here.", e.FriendlyName, t.Domain)
		d.About = About{Subscription: e.ID, Name: e.FriendlyName}
		d.Proposal, d.Fixes = FixAdopt, []Fix{FixAdopt, FixCancel, FixIgnore}
		d.Remedy = fmt.Sprintf("Take it into the records as a provider that %s pays for. Nothing is changed at Microsoft.", t.Account)
		if t.State != TenantLive {
			d.Proposal, d.Fixes = FixCancel, []Fix{FixCancel, FixAdopt, FixIgnore}
			d.Remedy = "End it: the customer has left, and nobody pays for it."
		}
		if ours {
			d.Evidence = Evidence{Onboarding: ID(o.ID), Correlation: o.Correlation, Facts: []string{"It has the name that our request for “" + o.Name + "” gave it."}}
			d.Evidence.Proven = State(o.State) == Stuck && o.Subscription == ""
		}
		add(d)
	}
	return nil
}

// derived are the subscriptions that exist under the alias of an onboarding that
// knows of none: nothing else gives that name. It is asked for without looking
// whether we sent anything, for a state that was restored does not know that.
func (l *look) derived(of ofTenant, n int) (map[string]sqlc.Onboarding, error) {
	found := map[string]sqlc.Onboarding{}
	for _, o := range of.all {
		if o.Subscription != "" || len(found) == n {
			continue
		}
		alias, err := l.r.arm.Alias(l.ctx, arm.AliasName(o.ID))
		if azure.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if id := alias.Properties.SubscriptionID; id != "" {
			found[strings.ToLower(id)] = o
		}
	}
	return found, nil
}

// inside compares name, roles and guardrail of a subscription that is ready. What
// was adopted has no guardrail of ours, and only the roles that were found.
func (l *look) inside(t Tenant, o sqlc.Onboarding, e partnercenter.AzureEntitlement, add func(Difference)) error {
	base := Difference{Org: t.Org, Tenant: t.ID, AzureID: t.AzureID, Title: o.Name}
	grants, err := l.r.providers.Grants(l.ctx, provider.ID(o.Provider))
	if err != nil {
		return err
	}
	name := e.FriendlyName
	if !o.Imported || len(grants) > 0 {
		in, have, err := l.roles(t, o.Subscription)
		if err != nil {
			if !refused(err) {
				return err
			}
			d := base
			d.Kind, d.Object = DiffAccess, under(o.Subscription)
			d.Text = fmt.Sprintf("We cannot look into “%s”: %s", o.Name, reason(err))
			d.Proposal, d.Fixes = FixIgnore, []Fix{FixIgnore}
			d.Remedy = "Somebody took away the partner's access. Ask the customer to give it back; this line goes away by itself then."
			add(d)
			return nil
		}
		l.compareRoles(t, o, grants, have, base, add)
		if !o.Imported {
			sub, err := in.Subscription(l.ctx, o.Subscription)
			if err != nil {
				return err
			}
			name = sub.DisplayName
			if err := l.policies(in, o, base, add); err != nil {
				return err
			}
		}
	}
	if name != o.Name {
		d := base
		d.Kind, d.Object = DiffName, under(o.Subscription)
		d.Text = fmt.Sprintf("It is called “%s” here and “%s” at Microsoft.", o.Name, name)
		d.Proposal, d.Fixes, d.Remedy = FixRepair, []Fix{FixRepair, FixAdopt, FixIgnore}, "Give it the name that it has here."
		if o.Imported {
			d.Proposal, d.Fixes, d.Remedy = FixAdopt, []Fix{FixAdopt, FixIgnore}, "Write down the name that it has at Microsoft."
		}
		d.About = About{Subscription: o.Subscription, Name: name}
		add(d)
	}
	return nil
}

// refused tells a tenant that does not let us in from a fault that passes.
func refused(err error) bool {
	return azure.IsStatus(err, http.StatusForbidden) || azure.IsStatus(err, http.StatusUnauthorized) || azure.IsNotFound(err) || strings.HasPrefix(azure.CodeOf(err), "AADSTS")
}

// payers checks that a live tenant and each of its subscriptions have exactly one
// payer on every UTC day since the tenant was born.
func (l *look) payers(t Tenant, of ofTenant, base Difference, add func(Difference)) error {
	if t.State != TenantLive || t.BornAt.IsZero() || of.open > 0 && len(of.ready) == 0 {
		return nil
	}
	all, err := l.r.providers.OfTenant(l.ctx, t.ID)
	if err != nil {
		return err
	}
	born, today := provider.DayOf(t.BornAt), provider.DayOf(l.r.now())
	levels := map[string]bool{"": true}
	for _, a := range all {
		levels[a.Entitlement] = true
	}
	for _, e := range slices.Sorted(maps.Keys(levels)) {
		gaps, twice := provider.Unpaid(all, e, born, today)
		if e != "" {
			gaps = nil // the tenant's payer answers there
		}
		if len(gaps)+len(twice) == 0 {
			continue
		}
		var parts []string
		for _, g := range gaps {
			parts = append(parts, "nobody pays "+spanWord(g, today))
		}
		for _, g := range twice {
			parts = append(parts, "two records name a payer "+spanWord(g, today))
		}
		d := base
		d.Kind, d.Object = DiffPayer, customerObject(t.AzureID)+"/payer"
		what := "the tenant " + t.Domain
		if e != "" {
			d.Object = under(e, "payer")
			what = "a subscription of " + t.Domain
		}
		d.Text = fmt.Sprintf("For %s %s.", what, strings.Join(parts, ", "))
		d.Proposal, d.Fixes = FixRepair, []Fix{FixRepair, FixIgnore}
		d.Remedy = fmt.Sprintf("Let %s pay for the days without a payer; where two records name one, the later counts.", t.Account)
		d.About = About{Subscription: e}
		add(d)
	}
	return nil
}

func spanWord(s provider.Span, today provider.Day) string {
	switch {
	case s.To == today:
		return "since " + string(s.From)
	case s.From == s.To:
		return "on " + string(s.From)
	}
	return "from " + string(s.From) + " to " + string(s.To)
}
