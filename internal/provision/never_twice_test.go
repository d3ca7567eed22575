package provision_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
)

// submit walks the wizard and presses Create.
func (w *world) submit(a account.Actor, name, alias, login, prefix string) provider.ID {
	w.t.Helper()
	id := w.wizard(a, name, alias, login, prefix)
	_, err := w.run.Submit(w.ctx(), a, id)
	w.must(err)
	return id
}

// same asks whether both sides agree.
func (w *world) same() {
	w.t.Helper()
	diff, err := w.run.Compare(w.ctx())
	w.must(err)
	for _, d := range diff {
		w.t.Errorf("%s: %s", d.Object, d.Text)
	}
}

func (w *world) onboarding(id provider.ID) provision.Onboarding {
	w.t.Helper()
	o, err := w.run.OnboardingOf(w.ctx(), w.owner, id)
	w.must(err)
	return o
}

// writes are the calls that make something at Microsoft.
var writes = []string{
	"POST /v1/customers", "POST /v1/customers/{customer}/agreements", "POST /v1/customers/{customer}/carts",
	"POST /v1/customers/{customer}/carts/{cart}/checkout", "POST /v1/customers/{customer}/applicationconsents",
	"POST /v1.0/tenantRelationships/delegatedAdminRelationships/{relationship}/accessAssignments",
}

func TestALostAnswerMakesNothingTwice(t *testing.T) {
	for _, call := range writes {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			w.sim.HangUpAfter(call)
			w.working()
			id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
			w.until(id, provider.Ready)
			if n := len(w.sim.Customers()); n != 1 {
				t.Errorf("customers = %d, want 1", n)
			}
			w.same()
			c, err := w.run.ShowCredentials(w.ctx(), w.contoso, id, adminPassword)
			if err != nil || c.Password == "" {
				t.Errorf("the credentials are lost: %v", err)
			}
		})
	}
}

func TestAForgottenRequestIdMakesNoSecondTenant(t *testing.T) {
	w := newWorld(t, sim.WithSettings(func(s *sim.Settings) { s.ReplayRetention = -1 }))
	w.sim.HangUpAfter("POST /v1/customers")
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.until(id, provider.Ready)
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("customers = %d, want 1", n)
	}
	w.same()
	// The answer with the password is gone for ever: a new one was set.
	c, err := w.run.ShowCredentials(w.ctx(), w.contoso, id, adminPassword)
	if err != nil || len(c.Password) != 20 {
		t.Errorf("no new password was set: %q, %v", c.Password, err)
	}
}

// The agreement took effect, its answer was lost with all memory of its request, and the
// list does not have it yet: then the one that Microsoft refuses is ours.
func TestAnAgreementThatIsNotListedYetIsOurs(t *testing.T) {
	w := newWorld(t, sim.WithSettings(func(s *sim.Settings) { s.ReplayRetention = -1 }))
	const agreements = "/v1/customers/{customer}/agreements"
	w.sim.HangUpAfter("POST " + agreements)
	w.sim.Fail("GET "+agreements, sim.Fault{Kind: sim.LagLists, Delay: sim.Duration(time.Hour), Count: 2})
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.until(id, provider.Ready)
	w.same()
}

// An answer about our token says nothing about the request: the replay after it still
// has the password.
func TestARefusedTokenInDoubtLosesNoPassword(t *testing.T) {
	for _, kind := range []sim.FaultKind{sim.ExpireToken, sim.LoseMFA} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t)
			w.sim.HangUpAfter("POST /v1/customers")
			w.sim.Fail("POST /v1/customers", sim.Fault{Kind: kind, After: 1, Count: 1})
			w.working()
			id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
			w.until(id, provider.Ready)
			c, err := w.run.ShowCredentials(w.ctx(), w.contoso, id, adminPassword)
			w.must(err)
			kept := slices.ContainsFunc(w.sim.Secrets(), func(s sim.Secret) bool { return s.Value == c.Password })
			if log := w.story(id); !kept || strings.Contains(log, "New first password") {
				t.Errorf("Microsoft's first password is not the one that is kept (known there: %t):\n%s", kept, log)
			}
		})
	}
}

func TestAReplayWithoutCredentialsSetsNewOnes(t *testing.T) {
	w := newWorld(t, sim.WithSettings(func(s *sim.Settings) { s.ReplayWithoutCredentials = true }))
	w.sim.HangUpAfter("POST /v1/customers")
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.until(id, provider.Ready)
	c, err := w.run.ShowCredentials(w.ctx(), w.contoso, id, adminPassword)
	if err != nil || len(c.Password) != 20 {
		t.Errorf("no new password was set: %q, %v", c.Password, err)
	}
	w.same()
}

func TestATenantThatMerelyHasOurDomainIsNeverAdopted(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.sim.ThrottleNext("POST /v1/customers", 1)
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.asked("POST /v1/customers")
	w.must(w.sim.TakeDomain("contosoanalytics.onmicrosoft.com")) // between our check and the creation
	p := w.until(id, provider.Stuck)
	if n := len(w.sim.Customers()); n != 0 {
		t.Fatalf("customers = %d, want 0: a stranger's tenant was taken", n)
	}
	o := w.onboarding(id)
	if o.Refusal == nil || o.Refusal.Field != "domain_prefix" || o.Refusal.Remedy == "" {
		t.Fatalf("refusal %+v, note %q: want field, reason and remedy of the domain", o.Refusal, p.Note)
	}
	if err := w.run.Retry(w.ctx(), w.owner, o.ID); !errors.Is(err, fault.Conflict) {
		t.Errorf("trying the same prefix again: %v, want a conflict", err)
	}
	v, err := w.run.Get(w.ctx(), w.owner, o.ID)
	w.must(err)
	d := v.Tenant.Details
	d.DomainPrefix = "contosoanalyticsus"
	w.must(w.run.Edit(w.ctx(), w.owner, o.ID, d))
	p = w.until(id, provider.Ready)
	if p.Domain != "contosoanalyticsus.onmicrosoft.com" {
		t.Errorf("domain %s, want the new one", p.Domain)
	}
	w.same()
}

// The reason is the domain, also where Microsoft does not say so at once.
func TestATakenDomainIsAskedAboutUntilMicrosoftAnswers(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.sim.ThrottleNext("POST /v1/customers", 1)
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.asked("POST /v1/customers")
	w.sim.Fail("HEAD /v1/domains/{}", sim.Fault{Kind: sim.FailBefore, Status: 503, Count: 2})
	w.must(w.sim.TakeDomain("contosoanalytics.onmicrosoft.com"))
	w.until(id, provider.Stuck)
	if o := w.onboarding(id); o.Refusal == nil || o.Refusal.Code != "domain-taken" || o.Refusal.Field != "domain_prefix" {
		t.Errorf("refusal %+v, want the domain's", o.Refusal)
	}
}

func TestAStrangerWhoTookTheDomainDuringOurDoubtIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.sim.HangUpBefore("POST /v1/customers") // nothing happened, but we cannot know
	w.sim.Fail("POST /v1/customers", sim.Fault{Kind: sim.Throttled, After: 1, RetryAfter: 1})
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.asked("POST /v1/customers")
	w.must(w.sim.TakeDomain("contosoanalytics.onmicrosoft.com"))
	w.poll("a look into the records", func() bool { // whether the creation was its own
		p, err := w.providers.Find(w.ctx(), id)
		return err == nil && strings.Contains(p.Note, "records")
	})
	w.outwait(id)
	if n := len(w.sim.Customers()); n != 0 {
		t.Fatalf("customers = %d, want 0: a stranger's tenant was taken", n)
	}
	if o := w.onboarding(id); o.Refusal == nil || o.Refusal.Field != "domain_prefix" {
		t.Errorf("refusal %+v, want the domain's", o.Refusal)
	}
}

func TestAFormSentTwiceIsOneOnboarding(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.wizard(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	var wait sync.WaitGroup
	ids := make([]provision.ID, 4)
	for i := range ids {
		wait.Go(func() {
			b, err := w.run.Submit(w.ctx(), w.contoso, id)
			if err != nil && !errors.Is(err, fault.Conflict) {
				t.Error(err)
			}
			ids[i] = b.Onboarding
		})
	}
	wait.Wait()
	w.until(id, provider.Ready)
	again, err := w.run.Submit(w.ctx(), w.contoso, id)
	w.must(err)
	for _, x := range ids {
		if x != "" && x != again.Onboarding {
			t.Errorf("two onboardings: %s and %s", x, again.Onboarding)
		}
	}
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("customers = %d, want 1", n)
	}
}

func TestTwoWizardsOfOneOrganizationMakeOneTenantAndTwoSubscriptions(t *testing.T) {
	w := newWorld(t)
	w.working()
	a := w.wizard(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	b := w.wizard(w.contoso, "Contoso retail", "CTSO", "ctso-admin", "contosoretail")
	for _, id := range []provider.ID{a, b} {
		_, err := w.run.Submit(w.ctx(), w.contoso, id)
		w.must(err)
	}
	pa, pb := w.until(a, provider.Ready), w.until(b, provider.Ready)
	if pa.TenantID != pb.TenantID || pa.Subscription == pb.Subscription {
		t.Errorf("tenants %s and %s, subscriptions %s and %s: want one tenant and two subscriptions", pa.TenantID, pb.TenantID, pa.Subscription, pb.Subscription)
	}
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("customers = %d, want 1", n)
	}
	w.same()
}

func TestAWizardThatWasFilledInBeforeTheTenantExistedUsesIt(t *testing.T) {
	w := newWorld(t)
	w.working()
	late := w.wizard(w.contoso, "Contoso retail", "CTSO", "ctso-admin", "contosoanalytics") // even the same prefix
	first := w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
	_, err := w.run.Submit(w.ctx(), w.contoso, late)
	w.must(err)
	if second := w.until(late, provider.Ready); second.TenantID != first.TenantID {
		t.Errorf("tenants %s and %s, want one", first.TenantID, second.TenantID)
	}
	w.same()
}

func TestAFurtherSubscriptionUsesTheTenantAndItsAdmin(t *testing.T) {
	w := newWorld(t)
	w.working()
	first := w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
	id := w.submit(w.contoso, "Contoso retail", "CTSO", "ctso-admin", "")
	second := w.until(id, provider.Ready)
	if first.TenantID != second.TenantID || first.Subscription == second.Subscription {
		t.Fatalf("want the same tenant and another subscription: %+v, %+v", first, second)
	}
	admin := func(id provider.ID) string {
		grants, err := w.providers.Grants(w.ctx(), id)
		w.must(err)
		for _, g := range grants {
			if strings.HasPrefix(g.PrincipalName, "admin@") {
				return g.Principal
			}
		}
		return ""
	}
	if a, b := admin(first.ID), admin(second.ID); a == "" || a != b {
		t.Errorf("the admin of the first subscription is %q, of the second %q: want the same user", a, b)
	}
	w.same()
}

func TestOfTwoOrganizationsThatWantOneDomainOneGetsIt(t *testing.T) {
	w := newWorld(t)
	fabrikam := w.organization("Fabrikam, Inc.", "FABR", "fabr-admin")
	w.working()
	a := w.wizard(w.contoso, "Shared", "CTSO", "ctso-admin", "sharedname")
	_, err := w.run.Submit(w.ctx(), w.contoso, a)
	w.must(err)
	b, err := w.run.NewDraft(w.ctx(), fabrikam)
	w.must(err)
	w.must(w.run.SetName(w.ctx(), fabrikam, b, "Shared"))
	_, err = w.run.Connect(w.ctx(), fabrikam, b, "fabr-admin", adminPassword)
	w.must(err)
	w.must(w.run.Choose(w.ctx(), fabrikam, b, "FABR"))
	d, err := w.run.Draft(w.ctx(), fabrikam, b)
	w.must(err)
	d.Details.DomainPrefix, d.Details.DomainConfirmed = "sharedname", true
	err = w.run.SetDetails(w.ctx(), fabrikam, b, d.Details)
	if f := fault.Of(err); f == nil || f.Kind != fault.Conflict || f.Refusals[0].Field != "domain_prefix" {
		t.Errorf("the second organization: %v, want a conflict that names the domain", err)
	}
	w.until(a, provider.Ready)
}

func TestTwoOrganizationsThatSubmitOneDomainAtOnce(t *testing.T) {
	w := newWorld(t)
	fabrikam := w.organization("Fabrikam, Inc.", "FABR", "fabr-admin")
	w.working()
	a := w.wizard(w.contoso, "Shared", "CTSO", "ctso-admin", "sharedname")
	b := w.wizard(fabrikam, "Shared", "FABR", "fabr-admin", "sharedname")
	errs := make([]error, 2)
	var both sync.WaitGroup
	both.Go(func() { _, errs[0] = w.run.Submit(w.ctx(), w.contoso, a) })
	both.Go(func() { _, errs[1] = w.run.Submit(w.ctx(), fabrikam, b) })
	both.Wait()
	won, lost := a, errs[1]
	if errs[0] != nil {
		won, lost = b, errs[0]
	}
	if f := fault.Of(lost); f == nil || len(f.Refusals) == 0 || f.Refusals[0].Field != "domain_prefix" {
		t.Errorf("the loser: %v, want a refusal of the domain", lost)
	}
	w.until(won, provider.Ready)
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("customers = %d, want 1", n)
	}
}

func TestACancelledOnboardingLeavesNothingThatCosts(t *testing.T) {
	for _, at := range []provision.Step{provision.StepCustomer, provision.StepPlan, provision.StepSubscription, provision.StepEnter, provision.StepGuard} {
		t.Run(string(at), func(t *testing.T) {
			w := newWorld(t)
			w.working()
			w.holdAt(at)
			id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
			w.at(id, at)
			w.must(w.run.Cancel(w.ctx(), w.contoso, id))
			w.sim.ClearFaults()
			w.until(id, provider.Cancelled)
			for _, c := range w.sim.Customers() {
				for _, plan := range c.Plans {
					for _, s := range plan.Azure {
						if s.Status == "active" {
							t.Errorf("subscription %s is still active", s.ID)
						}
					}
				}
			}
			w.same()

			// The tenant is kept and used again by the same company.
			again := w.submit(w.contoso, "Contoso again", "CTSO", "ctso-admin", "contosoanalytics")
			w.until(again, provider.Ready)
			if n := len(w.sim.Customers()); n != 1 {
				t.Errorf("customers = %d, want 1", n)
			}
			w.same()
		})
	}
}

// holdAt lets Microsoft fail at the first call of a step, until the faults are
// cleared.
func (w *world) holdAt(at provision.Step) {
	on := map[provision.Step]string{
		provision.StepCustomer:     "POST /v1/customers",
		provision.StepPlan:         "GET /v1/customers/{}/validationStatus",
		provision.StepSubscription: "GET /v1/customers/{}/subscriptions/{}/azureEntitlements",
		provision.StepEnter:        "GET /v1.0/tenantRelationships/delegatedAdminRelationships",
		provision.StepGuard:        "PUT /subscriptions/{}/providers/Microsoft.Authorization/policyDefinitions/{}",
	}[at]
	w.sim.Fail(on, sim.Fault{Kind: sim.FailBefore, Status: 503, Count: -1})
}

// at waits until an onboarding is at a step and has asked Microsoft there.
func (w *world) at(id provider.ID, at provision.Step) {
	w.t.Helper()
	w.poll("the step "+string(at), func() bool {
		o := w.onboarding(id)
		p, err := w.run.Progress(w.ctx(), w.owner, id)
		w.must(err)
		for _, s := range p.Steps {
			if s.Name == at && o.Step == at && s.State == provision.StepWaiting {
				return true
			}
		}
		return false
	})
}

// asked waits until Microsoft was called in this way.
func (w *world) asked(pattern string) {
	w.t.Helper()
	w.poll(pattern, func() bool { return len(w.sim.Calls(pattern)) > 0 })
}

func (w *world) poll(what string, reached func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func TestCancelledWhileTheAnswerIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.sim.HangUpAfter("POST /v1/customers")
	w.sim.Fail("POST /v1/customers", sim.Fault{Kind: sim.FailBefore, Status: 503, After: 1, Count: -1})
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.at(id, provision.StepCustomer)
	if n := len(w.sim.Customers()); n != 1 {
		t.Fatalf("customers = %d: the test does not test what it says", n)
	}
	w.must(w.run.Cancel(w.ctx(), w.contoso, id))
	w.sim.ClearFaults()
	p := w.until(id, provider.Cancelled)
	if p.TenantID == "" {
		t.Error("the tenant exists at Microsoft and is not known here")
	}
	w.same()
}

func TestTenAtOnceForOneOrganization(t *testing.T) {
	w := newWorld(t)
	w.working()
	var ids []provider.ID
	for i := range 10 {
		ids = append(ids, w.wizard(w.contoso, fmt.Sprintf("Contoso %d", i), "CTSO", "ctso-admin", fmt.Sprintf("contoso%d", i)))
	}
	for _, id := range ids {
		_, err := w.run.Submit(w.ctx(), w.contoso, id)
		w.must(err)
	}
	for _, id := range ids {
		w.until(id, provider.Ready)
	}
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("customers = %d, want 1", n)
	}
	w.same()
}

// roleScopes are the scopes of the custom role of the only customer at Microsoft.
func (w *world) roleScopes() []string {
	w.t.Helper()
	customers := w.sim.Customers()
	if len(customers) != 1 {
		w.t.Fatalf("customers = %d, want 1", len(customers))
	}
	roles, _ := customers[0].More["roleDefinitions"].([]sim.RoleDefinitionState)
	if len(roles) != 1 {
		w.t.Fatalf("want one custom role, not %+v", customers[0].More["roleDefinitions"])
	}
	return roles[0].Scopes
}

// The tenant's custom role is written whole: whoever could not read it must not write it.
func TestARoleThatCannotBeReadKeepsTheScopesOfOthers(t *testing.T) {
	w := newWorld(t)
	w.working()
	first := w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
	w.sim.Fail("GET /{}/providers/Microsoft.Authorization/roleDefinitions/{}", sim.Fault{Kind: sim.FailBefore, Status: 503, Count: 2})
	second := w.until(w.submit(w.contoso, "Contoso retail", "CTSO", "ctso-admin", ""), provider.Ready)
	scopes := w.roleScopes()
	for _, p := range []provider.Provider{first, second} {
		if !slices.Contains(scopes, "/subscriptions/"+p.Subscription) {
			t.Errorf("the role may not be assigned on %s of %q any more, only on %q", p.Subscription, p.Name, scopes)
		}
	}
}

// What a worker without its lease wrote last is mended.
func TestARoleThatLostItsScopeGetsItAgain(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.sim.Fail("PUT /{}/providers/Microsoft.Authorization/roleDefinitions/{}", sim.Fault{Kind: sim.FailBefore, Status: 200, Count: 1})
	p := w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
	if scopes := w.roleScopes(); !slices.Contains(scopes, "/subscriptions/"+p.Subscription) {
		t.Errorf("the role may be assigned on %q", scopes)
	}
	w.same()
}
