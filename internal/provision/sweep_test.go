package provision_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/job/sqlc"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// swept does a whole pass and gives what is open after it.
func (w *world) swept() []provision.Difference {
	w.t.Helper()
	_, err := w.run.Sweep(w.ctx())
	w.must(err)
	return w.open()
}

func (w *world) open() []provision.Difference {
	w.t.Helper()
	list, _, err := w.run.Differences(w.ctx(), w.owner, provision.DifferenceFilter{Limit: 500})
	w.must(err)
	return list
}

// clean sweeps and wants nothing to be open.
func (w *world) clean() {
	w.t.Helper()
	for _, d := range w.swept() {
		w.t.Errorf("still open: %s %s: %s (%s)", d.Kind, d.Object, d.Text, d.Trouble)
	}
}

// only sweeps and wants one difference, of this kind.
func (w *world) only(kind provision.DifferenceKind) provision.Difference {
	w.t.Helper()
	list := w.swept()
	if len(list) != 1 || list[0].Kind != kind {
		for _, d := range list {
			w.t.Logf("%s %s: %s", d.Kind, d.Object, d.Text)
		}
		w.t.Fatalf("%d differences, want one of kind %s", len(list), kind)
	}
	return list[0]
}

// fixed decides, and waits until it is done.
func (w *world) fixed(d provision.Difference, dec provision.Decision) provision.Difference {
	w.t.Helper()
	if dec.Fix == "" {
		dec.Fix = d.Proposal
	}
	_, err := w.run.Resolve(w.ctx(), w.owner, d.ID, dec)
	w.must(err)
	w.poll("the fix of "+d.Text, func() bool {
		d, err = w.run.Difference(w.ctx(), w.owner, d.ID)
		w.must(err)
		return d.Doing == ""
	})
	if d.State != provision.DiffResolved {
		w.t.Fatalf("%s is %s after %s: %s", d.Text, d.State, dec.Fix, d.Trouble)
	}
	return d
}

// dump is all that Microsoft has, to be compared with later.
func (w *world) dump() string {
	w.t.Helper()
	b, err := json.Marshal(w.sim.Customers())
	w.must(err)
	return string(b)
}

// wrote are the calls that changed something at Microsoft since number n.
func (w *world) wrote(n int64) []string {
	var list []string
	for _, c := range w.sim.CallsSince(n) {
		if c.Method != http.MethodGet && !strings.HasPrefix(c.Path, "/_sim") && !strings.Contains(c.Path, "/oauth2/") && !strings.Contains(c.Path, "checkPolicyRestrictions") {
			list = append(list, c.Method+" "+c.Path)
		}
	}
	return list
}

func (w *world) lastCall() int64 {
	all := w.sim.CallsSince(0)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].N + 1
}

// arm calls Resource Manager behind our back, as the partner's own person with
// other tools could.
func (w *world) arm(method, tenant, path string, in any) {
	w.t.Helper()
	token, err := w.custody.Token(w.ctx(), tokenOf(tenant))
	w.must(err)
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		w.must(err)
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(w.ctx(), method, w.sim.URL+path, body)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := w.sim.Client().Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	if b, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %s %s", method, path, res.Status, b)
	}
}

// tokenOf asks for Resource Manager as the partner's person.
func tokenOf(tenant string) azure.TokenRequest {
	return azure.TokenRequest{As: azure.AppUser, Tenant: tenant, Resource: "https://management.azure.com"}
}

// read gets a resource of Resource Manager.
func (w *world) read(tenant, path string) map[string]any {
	w.t.Helper()
	token, err := w.custody.Token(w.ctx(), tokenOf(tenant))
	w.must(err)
	req, err := http.NewRequestWithContext(w.ctx(), http.MethodGet, w.sim.URL+path, nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := w.sim.Client().Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	var v map[string]any
	w.must(json.NewDecoder(res.Body).Decode(&v))
	return v
}

const (
	policyVersion = "?api-version=2023-04-01"
	roleVersion   = "?api-version=2022-04-01"
)

func policyPath(p provider.Provider, name string) string {
	return "/subscriptions/" + p.Subscription + "/providers/Microsoft.Authorization/policyAssignments/" + name + policyVersion
}

func (w *world) readyProvider() provider.Provider {
	w.t.Helper()
	p := w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
	w.clean()
	return p
}

// Each kind of difference is made behind our back; it is found, its proposal
// works, and the next sweep is clean.
func TestEachKindOfDifferenceIsFoundAndItsProposalWorks(t *testing.T) {
	tests := map[string]struct {
		kind provision.DifferenceKind
		fix  provision.Fix
		do   func(*world, provider.Provider)
		then func(*world, provider.Provider)
	}{
		"a policy was taken away": {kind: provision.DiffPolicy, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			w.arm("DELETE", p.TenantID, policyPath(p, "causeway-types"), nil)
		}},
		"a policy is assigned and not enforced": {kind: provision.DiffPolicy, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			v := w.read(p.TenantID, policyPath(p, "causeway-locations"))
			v["properties"].(map[string]any)["enforcementMode"] = "DoNotEnforce"
			w.arm("PUT", p.TenantID, policyPath(p, "causeway-locations"), map[string]any{"properties": v["properties"]})
		}},
		"a policy allows another region": {kind: provision.DiffPolicy, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			v := w.read(p.TenantID, policyPath(p, "causeway-locations"))
			v["properties"].(map[string]any)["parameters"] = map[string]any{"listOfAllowedLocations": map[string]any{"value": []string{"westeurope", "antarctica"}}}
			w.arm("PUT", p.TenantID, policyPath(p, "causeway-locations"), map[string]any{"properties": v["properties"]})
		}},
		"the rule behind a policy allows everything": {kind: provision.DiffPolicy, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			at := "/subscriptions/" + p.Subscription + "/providers/Microsoft.Authorization/policyDefinitions/causeway-types-all" + policyVersion
			v := w.read(p.TenantID, at)
			v["properties"].(map[string]any)["policyRule"] = map[string]any{"if": map[string]any{"field": "type", "equals": "none"}, "then": map[string]any{"effect": "deny"}}
			w.arm("PUT", p.TenantID, at, map[string]any{"properties": v["properties"]})
		}},
		"the subscription was renamed": {kind: provision.DiffName, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			w.arm("POST", p.TenantID, "/subscriptions/"+p.Subscription+"/providers/Microsoft.Subscription/rename?api-version=2021-10-01", map[string]string{"subscriptionName": "Something else"})
		}},
		"the platform's role was taken away": {kind: provision.DiffGrant, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			w.dropRole(p, "Contributor")
		}},
		"the administrator's role was taken away": {kind: provision.DiffGrant, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			w.dropRole(p, "Owner, without lifting the guardrail")
		}},
		"the administrator may hand out Owner": {kind: provision.DiffGrant, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			a := w.roleOf(p, "Owner, without lifting the guardrail")
			at := "/subscriptions/" + p.Subscription + "/providers/Microsoft.Authorization/roleAssignments/" + a.Name + roleVersion
			w.arm("DELETE", p.TenantID, at, nil)
			w.arm("PUT", p.TenantID, at, map[string]any{"properties": map[string]any{
				"roleDefinitionId": "/subscriptions/" + p.Subscription + "/providers/Microsoft.Authorization/roleDefinitions/" + a.Role, "principalId": a.Principal, "principalType": "User",
			}})
		}, then: func(w *world, p provider.Provider) {
			if w.roleOf(p, "Owner, without lifting the guardrail").Condition == "" {
				w.t.Error("the condition is not back")
			}
		}},
		"somebody got a role": {kind: provision.DiffGrant, fix: provision.FixAdopt, do: func(w *world, p provider.Provider) {
			grants, err := w.providers.Grants(w.ctx(), p.ID)
			w.must(err)
			scope := "/subscriptions/" + p.Subscription
			w.arm("PUT", p.TenantID, scope+"/providers/Microsoft.Authorization/roleAssignments/11111111-2222-4333-8444-555555555555"+roleVersion, map[string]any{"properties": map[string]any{
				"roleDefinitionId": scope + "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7", "principalId": grants[len(grants)-1].Principal, "principalType": "User",
			}})
		}, then: func(w *world, p provider.Provider) {
			grants, err := w.providers.Grants(w.ctx(), p.ID)
			w.must(err)
			if !slices.ContainsFunc(grants, func(g provider.Grant) bool { return g.Role == "Reader" }) {
				w.t.Errorf("the role is not written down: %+v", grants)
			}
		}},
		"the subscription was cancelled": {kind: provision.DiffSubscription, fix: provision.FixAdopt, do: func(w *world, p provider.Provider) {
			w.arm("POST", p.TenantID, "/subscriptions/"+p.Subscription+"/providers/Microsoft.Subscription/cancel?api-version=2021-10-01", nil)
		}, then: func(w *world, p provider.Provider) {
			w.until(p.ID, provider.Cancelled)
		}},
		"the customer is gone": {kind: provision.DiffCustomer, fix: provision.FixAdopt, do: func(w *world, p provider.Provider) {
			w.control("DELETE", "/_sim/customers/"+p.TenantID, nil, nil)
		}, then: func(w *world, p provider.Provider) {
			w.until(p.ID, provider.Cancelled)
		}},
		"the plan is suspended": {kind: provision.DiffPlan, fix: provision.FixRepair, do: func(w *world, p provider.Provider) {
			w.control("PATCH", "/_sim/customers/"+p.TenantID, map[string]string{"planStatus": "suspended"}, nil)
		}},
		"a subscription that nobody asked for": {kind: provision.DiffSubscription, fix: provision.FixAdopt, do: func(w *world, p provider.Provider) {
			w.control("POST", "/_sim/customers/"+p.TenantID+"/subscriptions", map[string]string{"name": "Made in Partner Center"}, nil)
		}, then: func(w *world, p provider.Provider) {
			list, _, err := w.providers.List(w.ctx(), w.contoso, provider.Filter{Search: "Made in Partner Center"})
			w.must(err)
			if len(list) != 1 || list[0].State != provider.Ready || list[0].Mode != provider.ModeMigrate || list[0].Account != "CTSO" {
				w.t.Errorf("it was not taken into the records: %+v", list)
			}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.working()
			p := w.readyProvider()
			test.do(w, p)
			d := w.only(test.kind)
			if d.Proposal != test.fix || d.Remedy == "" || d.Since.IsZero() || d.Tenant == "" {
				t.Errorf("proposal %s (%s), since %s: want %s, in words", d.Proposal, d.Remedy, d.Since, test.fix)
			}
			again := w.only(test.kind)
			if again.ID != d.ID || !again.Since.Equal(d.Since) || !again.SeenAt.After(d.SeenAt) {
				t.Errorf("seen again it is another one: %+v, was %+v", again, d)
			}
			if d = w.fixed(d, provision.Decision{}); d.Ending != string(test.fix) || d.EndedBy != w.owner.ID() {
				t.Errorf("it ended as %s by %s", d.Ending, d.EndedBy)
			}
			w.clean()
			w.same()
			if test.then != nil {
				test.then(w, p)
			}
		})
	}
}

// roleOf is the assignment of a recorded grant.
func (w *world) roleOf(p provider.Provider, role string) sim.RoleState {
	w.t.Helper()
	grants, err := w.providers.Grants(w.ctx(), p.ID)
	w.must(err)
	i := slices.IndexFunc(grants, func(g provider.Grant) bool { return g.Role == role })
	for _, a := range w.sim.Subscriptions(p.TenantID)[0].Roles {
		if a.Principal == grants[i].Principal {
			return a
		}
	}
	w.t.Fatalf("nobody has the role %s", role)
	return sim.RoleState{}
}

// dropRole deletes the assignment of a recorded grant.
func (w *world) dropRole(p provider.Provider, role string) {
	w.t.Helper()
	w.arm("DELETE", p.TenantID, "/subscriptions/"+p.Subscription+"/providers/Microsoft.Authorization/roleAssignments/"+w.roleOf(p, role).Name+roleVersion, nil)
}

// What cannot be mended from here is said, stays as long as it is so, and goes away
// by itself. What was known of the tenant before stays open meanwhile.
func TestALostRelationshipAndALostAccessAreSaidUntilTheyAreBack(t *testing.T) {
	t.Run("relationship", func(t *testing.T) {
		w := newWorld(t)
		w.working()
		p := w.readyProvider()
		w.control("PATCH", "/_sim/customers/"+p.TenantID, map[string]string{"relationship": "none"}, nil)
		found := false
		for _, d := range w.swept() {
			found = found || d.Kind == provision.DiffRelationship && d.Proposal == provision.FixIgnore && d.Remedy != ""
		}
		if !found {
			t.Errorf("it is not said: %+v", w.open())
		}
		w.control("PATCH", "/_sim/customers/"+p.TenantID, map[string]string{"relationship": "reseller"}, nil)
		w.clean()
	})
	t.Run("access", func(t *testing.T) {
		w := newWorld(t)
		w.working()
		p := w.readyProvider()
		w.rename(p, "Other name")
		w.only(provision.DiffName)
		w.dropRole(p, "Contributor")
		w.dropRole(p, "Owner")
		kinds := map[provision.DifferenceKind]int{}
		for _, d := range w.swept() {
			kinds[d.Kind]++
		}
		if kinds[provision.DiffAccess] != 1 || kinds[provision.DiffName] != 1 || len(kinds) != 2 {
			t.Errorf("open: %v, want the lost access beside what was known", kinds)
		}
	})
}

func TestADayWithoutAPayerIsFoundAndFilled(t *testing.T) {
	w := newWorld(t)
	w.working()
	p := w.readyProvider()
	w.jump(72 * time.Hour)
	w.must(w.db.Tx(w.ctx(), func(tx *store.Tx) error {
		return w.providers.End(w.ctx(), tx, p.Tenant, "", provider.DayOf(w.now().AddDate(0, 0, -2)))
	}))
	d := w.only(provision.DiffPayer)
	if !strings.Contains(d.Text, string(provider.DayOf(w.now().AddDate(0, 0, -1)))) {
		t.Errorf("it does not name the day: %s", d.Text)
	}
	w.fixed(d, provision.Decision{})
	w.clean()
	all, err := w.providers.OfTenant(w.ctx(), p.Tenant)
	w.must(err)
	if who, ok := provider.Payer(all, p.Subscription, provider.DayOf(w.now())); !ok || who != "CTSO" {
		t.Errorf("%q pays today, want CTSO", who)
	}
}

func TestProposalsThatOnlyPutBackAreAppliedTogetherAndNothingElseIs(t *testing.T) {
	w := newWorld(t)
	w.working()
	p := w.readyProvider()
	w.rename(p, "Other name")
	w.arm("DELETE", p.TenantID, policyPath(p, "causeway-types-all"), nil)
	w.control("POST", "/_sim/customers/"+p.TenantID+"/subscriptions", map[string]string{"name": "Stray"}, nil)
	if list := w.swept(); len(list) != 3 {
		t.Fatalf("%d differences, want 3", len(list))
	}
	n, more, err := w.run.Apply(w.ctx(), w.owner, provision.WhichSafe)
	w.must(err)
	if n != 2 || more {
		t.Errorf("applied %d (more: %v), want 2", n, more)
	}
	w.poll("both to be put back", func() bool { return len(w.open()) == 1 })
	if d := w.only(provision.DiffSubscription); d.Doing != "" {
		t.Errorf("a subscription is adopted without a person: %+v", d)
	}
}

func TestASubscriptionThatNobodyOwnsCanBeEnded(t *testing.T) {
	w := newWorld(t)
	w.working()
	p := w.readyProvider()
	w.control("POST", "/_sim/customers/"+p.TenantID+"/subscriptions", map[string]string{"name": "Stray"}, nil)
	w.fixed(w.only(provision.DiffSubscription), provision.Decision{Fix: provision.FixCancel})
	w.clean()
	for _, s := range w.sim.Subscriptions(p.TenantID) {
		if s.Name == "Stray" && s.State == "Enabled" {
			t.Error("it is still enabled")
		}
		if s.ID == p.Subscription && s.State != "Enabled" {
			t.Error("the customer's own subscription was ended")
		}
	}
}

func TestASubscriptionOfACustomerWhoLeftIsProposedToEnd(t *testing.T) {
	w := newWorld(t)
	w.working()
	p := w.readyProvider()
	w.must(w.run.Cancel(w.ctx(), w.contoso, p.ID))
	w.until(p.ID, provider.Cancelled)
	w.clean()
	w.control("POST", "/_sim/customers/"+p.TenantID+"/subscriptions", map[string]string{"name": "Stray"}, nil)
	d := w.only(provision.DiffSubscription)
	if d.Proposal != provision.FixCancel {
		t.Errorf("proposal %s: %s", d.Proposal, d.Remedy)
	}
	w.fixed(d, provision.Decision{})
	w.clean()
}

func TestAnIgnoredDifferenceComesBackWhenItChanges(t *testing.T) {
	w := newWorld(t)
	w.working()
	p := w.readyProvider()
	w.rename(p, "Other name")
	d := w.only(provision.DiffName)
	if _, err := w.run.Resolve(w.ctx(), w.owner, d.ID, provision.Decision{Fix: provision.FixIgnore}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("it is ignored without a reason: %v", err)
	}
	if _, err := w.run.Resolve(w.ctx(), w.owner, d.ID, provision.Decision{Fix: provision.FixCancel}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a name can be cancelled: %v", err)
	}
	_, err := w.run.Resolve(w.ctx(), w.owner, d.ID, provision.Decision{Fix: provision.FixIgnore, Reason: "The customer wants it so."})
	w.must(err)
	if list := w.swept(); len(list) != 0 {
		t.Fatalf("an ignored difference is open again: %+v", list)
	}
	w.rename(p, "A third name")
	again := w.only(provision.DiffName)
	if again.ID != d.ID {
		t.Error("it is another difference now")
	}
	// Whoever puts it right by hand has nothing to do here: it is resolved by itself.
	w.rename(p, p.Name)
	w.clean()
	if d, err = w.run.Difference(w.ctx(), w.owner, d.ID); err != nil || d.State != provision.DiffResolved || d.Ending != "gone" {
		t.Errorf("it is %s by %q: %v", d.State, d.Ending, err)
	}
}

func (w *world) rename(p provider.Provider, name string) {
	w.t.Helper()
	w.arm("POST", p.TenantID, "/subscriptions/"+p.Subscription+"/providers/Microsoft.Subscription/rename?api-version=2021-10-01", map[string]string{"subscriptionName": name})
}

func TestAStrangersTenantIsNeverTouched(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.sim.ThrottleNext("POST /v1/customers", 1)
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.asked("POST /v1/customers")
	w.must(w.sim.TakeDomain("contosoanalytics.onmicrosoft.com"))
	w.until(id, provider.Stuck)
	w.clean() // a stranger's tenant is no customer of ours
	// The stranger becomes a customer in Partner Center: still not what our request made.
	w.control("POST", "/_sim/strangers/contosoanalytics.onmicrosoft.com/accept-relationship", nil, nil)
	before, n := w.dump(), w.lastCall()
	d := w.only(provision.DiffCustomer)
	if d.Evidence.Proven || d.Tenant != "" {
		t.Errorf("it passes as ours: %+v", d)
	}
	if _, _, err := w.run.Apply(w.ctx(), w.owner, provision.WhichSafe); err != nil {
		t.Fatal(err)
	}
	if n, _, err := w.run.Apply(w.ctx(), w.owner, provision.WhichMatched); err != nil || n != 0 {
		t.Errorf("it was adopted by its domain alone: %d, %v", n, err)
	}
	if list := w.open(); len(list) != 1 || list[0].Doing != "" {
		t.Errorf("it does not wait for a person: %+v", list)
	}
	if w.dump() != before {
		t.Error("the stranger's tenant was changed")
	}
	if list := w.wrote(n); len(list) != 0 {
		t.Errorf("it was written to Microsoft: %v", list)
	}
	if o := w.onboarding(id); o.State != provision.Stuck {
		t.Errorf("the onboarding is %s, want stuck", o.State)
	}
}

// The answer is lost for good: the request id is forgotten, the look into the
// records comes too early, and the onboarding gives up.
func TestATenantThatOurLostRequestMadeIsAdoptedByTheSweepItself(t *testing.T) {
	for _, end := range []provider.State{provider.Ready, provider.Cancelled} {
		t.Run(string(end), func(t *testing.T) {
			w := newWorld(t, sim.WithSettings(func(s *sim.Settings) { s.ReplayRetention = -1 }))
			w.sim.SetWait(sim.WaitAudit, time.Hour)
			w.working()
			w.sim.HangUpAfter("POST /v1/customers")
			id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
			w.poll("a look into the records", func() bool {
				p, err := w.providers.Find(w.ctx(), id)
				return err == nil && strings.Contains(p.Note, "records")
			})
			if list := w.swept(); len(list) != 0 {
				t.Fatalf("what an onboarding is on its way to is reported: %+v", list)
			}
			w.outwait(id)
			if end == provider.Cancelled {
				w.must(w.run.Cancel(w.ctx(), w.owner, id))
				w.until(id, provider.Cancelled)
			}
			w.sim.Advance(2 * time.Hour)
			w.jump(2 * time.Hour)
			s, err := w.run.Sweep(w.ctx())
			w.must(err)
			if s.Adopted != 1 {
				t.Errorf("adopted = %d, want 1", s.Adopted)
			}
			w.poll("the adoption", func() bool { return len(w.open()) == 0 })
			p := w.until(id, end)
			if len(w.sim.Customers()) != 1 {
				t.Error("a second tenant was made")
			}
			w.clean()
			if end == provider.Ready {
				if !strings.Contains(w.story(id), "whose answer was lost") {
					t.Errorf("the log does not say so:\n%s", w.story(id))
				}
				if p.TenantID != w.sim.Customers()[0].ID {
					t.Error("the provider has another tenant")
				}
			}
		})
	}
}

// outwait lets an onboarding ask in vain until it gives up: longer than the records
// lag, and never so long at once that it counts as an interruption.
func (w *world) outwait(id provider.ID) {
	w.t.Helper()
	for stuck, n := false, 0; !stuck; n = len(w.sim.Calls("POST /v1/customers")) {
		w.jump(4 * time.Minute)
		w.poll("another try, or the end", func() bool {
			p, err := w.providers.Find(w.ctx(), id)
			w.must(err)
			stuck = p.State == provider.Stuck
			return stuck || len(w.sim.Calls("POST /v1/customers")) > n && w.waits(provision.JobOnboard)
		})
	}
}

// waits tells whether the job of a kind was given a time to come back.
func (w *world) waits(kind string) bool {
	open, err := w.jobs.Open(w.ctx())
	w.must(err)
	return slices.ContainsFunc(open, func(j sqlc.Job) bool {
		return j.Kind == kind && j.LeasedUntil == 0 && store.Time(j.DueAt).After(w.now())
	})
}

func TestACustomerThatNoOnboardingExplainsIsReportedAtOnceAlsoWhileOthersRun(t *testing.T) {
	w := newWorld(t)
	w.sim.SetWait(sim.WaitOrder, time.Hour)
	w.working()
	w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.asked("POST /v1/customers/{customer}/carts/{cart}/checkout")
	w.must(w.sim.Seed(sim.Seed{Customers: []sim.SeedCustomer{{Domain: "stray.onmicrosoft.com", Name: "Stray"}}}))
	d := w.only(provision.DiffCustomer)
	if !strings.Contains(d.Text, "stray.onmicrosoft.com") {
		t.Errorf("reported: %s", d.Text)
	}
}

// book fills the simulated Microsoft with a partner's existing customers and ours
// with the companies, and gives the seed.
func (w *world) book(n int) {
	w.t.Helper()
	var seed sim.Seed
	for i := range n {
		name, alias := fmt.Sprintf("Existing company %04d, Inc.", i), fmt.Sprintf("EX%04d", i)
		org, err := w.people.CreateOrg(w.ctx(), w.owner, account.Organization{Name: name})
		w.must(err)
		w.account(org.ID, name, alias, "", strings.ToLower(alias)+"-admin")
		c := sim.SeedCustomer{Domain: fmt.Sprintf("existing%04d.onmicrosoft.com", i), Name: name, Consent: i%2 == 0, GDAP: []string{sim.DefaultGDAPGroup},
			Billing: sim.BillingProfile{Email: "owner@existing.example", Culture: "en-US", Language: "en", Address: sim.Address{Country: "US", City: "Redmond", State: "WA", AddressLine1: "1 Way", PostalCode: "98052"}}}
		if i%3 > 0 {
			c.Plan = &sim.SeedPlan{}
			for k := range i % 3 {
				c.Plan.Subscriptions = append(c.Plan.Subscriptions, sim.SeedSubscription{Name: fmt.Sprintf("Subscription %d of %04d", k, i)})
			}
		}
		seed.Customers = append(seed.Customers, c)
	}
	w.must(w.sim.Seed(seed))
}

func TestOnAnExistingBookTheSweepIsTheImport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const n = 300
		w := emptyWorld(t, db, sim.Start(t))
		w.book(n)
		w.working()
		before, first := w.dump(), w.lastCall()
		s, err := w.run.Sweep(w.ctx())
		w.must(err)
		if s.Customers != n || s.Found != n {
			t.Fatalf("customers = %d, found = %d, want %d of both", s.Customers, s.Found, n)
		}
		for _, d := range w.open() {
			if d.Kind != provision.DiffCustomer || d.Proposal != provision.FixAdopt || d.Details == nil || !d.Details.Suggestion.Sure {
				t.Fatalf("%+v %+v", d, d.Details)
			}
		}
		decided, _, err := w.run.Apply(w.ctx(), w.owner, provision.WhichMatched)
		w.must(err)
		if decided != n {
			t.Errorf("decided on %d, want %d", decided, n)
		}
		w.poll("the import", func() bool {
			c, err := w.run.DifferenceCounts(w.ctx(), w.owner)
			w.must(err)
			return c.Doing == 0
		})
		w.clean()
		if w.dump() != before {
			t.Error("the import changed something at Microsoft")
		}
		if list := w.wrote(first); len(list) != 0 {
			t.Errorf("it was written to Microsoft: %v", list[:min(len(list), 5)])
		}
		list, _, err := w.providers.List(w.ctx(), w.owner, provider.Filter{Search: "Subscription 1 of 0002"})
		w.must(err)
		if len(list) != 1 || list[0].State != provider.Ready || list[0].Mode != provider.ModeMigrate || list[0].Account != "EX0002" {
			t.Fatalf("%+v", list)
		}
		grants, err := w.providers.Grants(w.ctx(), list[0].ID)
		w.must(err)
		if len(grants) == 0 {
			t.Error("the roles that were there are not written down")
		}
		all, err := w.providers.OfTenant(w.ctx(), list[0].Tenant)
		w.must(err)
		if who, ok := provider.Payer(all, list[0].Subscription, provider.DayOf(w.now())); !ok || who != "EX0002" {
			t.Errorf("%q pays today", who)
		}
		if _, ok := provider.Payer(all, list[0].Subscription, provider.DayOf(w.now().AddDate(0, 0, -1))); ok {
			t.Error("somebody pays for a day before the import")
		}
		counts, err := w.run.Counts(w.ctx(), w.owner)
		w.must(err)
		if counts[provision.Ready] != 0 {
			t.Errorf("%d of the imported count as onboardings", counts[provision.Ready])
		}
	})
}

func TestAFileSaysWhoseCustomersBecome(t *testing.T) {
	w := newWorld(t)
	w.must(w.sim.Seed(sim.Seed{Customers: []sim.SeedCustomer{
		{ID: "aaaaaaaa-0000-4000-8000-000000000001", Domain: "one.onmicrosoft.com", Name: "Nobody knows"},
		{ID: "aaaaaaaa-0000-4000-8000-000000000002", Domain: "two.onmicrosoft.com", Name: "Nobody knows this either"},
	}}))
	w.working()
	if list := w.swept(); len(list) != 2 {
		t.Fatalf("%d differences, want 2", len(list))
	}
	file := []provision.Assignment{
		{Customer: "AAAAAAAA-0000-4000-8000-000000000001", Org: w.contoso.Org, Account: "CTSO"},
		{Customer: "aaaaaaaa-0000-4000-8000-000000000002", Account: "NOPE"},
		{Customer: "bbbbbbbb-0000-4000-8000-000000000002", Account: "CTSO"},
		{Customer: "aaaaaaaa-0000-4000-8000-000000000002", Org: "another", Account: "CTSO"},
	}
	n, refused, err := w.run.Import(w.ctx(), w.owner, file)
	w.must(err)
	fields := ""
	for _, r := range refused {
		fields += fmt.Sprintf("%d:%s ", r.Line, r.Refusal.Field)
	}
	if n != 1 || fields != "2:account 3:customer 4:organization " {
		t.Errorf("taken %d, refused %q", n, fields)
	}
	w.poll("the import", func() bool { return len(w.open()) == 1 })
	if n, _, err := w.run.Import(w.ctx(), w.owner, file[:1]); err != nil || n != 0 {
		t.Errorf("the same line again: %d, %v", n, err)
	}
	ts, err := w.run.Tenants(w.ctx(), w.contoso, w.contoso.Org)
	w.must(err)
	if len(ts) != 1 || ts[0].Domain != "one.onmicrosoft.com" {
		t.Errorf("%+v", ts)
	}
	// A second tenant of the same company is taken as well, beside the first.
	_, _, err = w.run.Import(w.ctx(), w.owner, []provision.Assignment{{Customer: "aaaaaaaa-0000-4000-8000-000000000002", Account: "CTSO"}})
	w.must(err)
	w.poll("the second one", func() bool { return len(w.open()) == 0 })
	w.clean()
}

// A sweep goes on where it was, after a throttle and after a kill.
func TestASweepThatIsThrottledAndKilledGoesOn(t *testing.T) {
	w := newWorld(t)
	w.book(120)
	stop := w.working()
	w.swept()
	_, _, err := w.run.Apply(w.ctx(), w.owner, provision.WhichMatched)
	w.must(err)
	w.poll("the import", func() bool { return len(w.open()) == 0 })
	stop()
	w.sim.Change(func(s *sim.Settings) { s.Throttle = map[string]int{sim.GroupSubscriptions: 40} })
	first := w.lastCall()
	asked, err := w.run.AskSweep(w.ctx(), w.owner)
	w.must(err)
	stops := 0
	for ; ; stops++ {
		if stops > 40 {
			t.Fatal("it does not come to its end")
		}
		stop := w.working()
		w.poll("the throttle, or the end", func() bool {
			asked, err = w.run.SweepOf(w.ctx(), w.owner, asked.ID)
			w.must(err)
			return asked.Done() || w.waits(provision.JobSweep)
		})
		stop()
		if asked.Done() {
			break
		}
		w.build(w.ring) // what the process knew is gone
		w.sim.Advance(time.Minute)
		w.jump(2 * time.Minute)
	}
	if asked.Customers != 120 {
		t.Errorf("customers = %d, want 120", asked.Customers)
	}
	plans := map[string]int{}
	for _, c := range w.sim.CallsSince(first) {
		if c.Status == http.StatusOK && strings.HasPrefix(c.Path, "/v1/customers/") && strings.Contains(c.Path, "/subscriptions/") && !strings.Contains(c.Path, "azureEntitlements") {
			plans[c.Path]++
		}
	}
	twice := 0
	for _, n := range plans {
		if n > 1 {
			twice++
		}
	}
	// Eight are looked at side by side, so each of the stops repeats seven at most.
	if len(plans) != 80 || stops == 0 || twice > 7*stops {
		t.Errorf("%d plans were looked at, %d of them more than once in %d stops: it began anew", len(plans), twice, stops)
	}
	if list := w.open(); len(list) > 0 {
		t.Errorf("it found what is not there: %+v", list)
	}
}

func TestASweepThatSomebodyAsksForDuringAnotherFollowsIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := worldOn(t, db, sim.Start(t))
		first, err := w.run.AskSweep(w.ctx(), w.owner)
		w.must(err)
		same, err := w.run.AskSweep(w.ctx(), w.owner)
		w.must(err)
		if same.ID != first.ID {
			t.Error("two sweeps are asked for, and none has begun")
		}
		w.working()
		w.poll("the sweep", func() bool { s, err := w.run.SweepOf(w.ctx(), w.owner, first.ID); w.must(err); return s.Done() })
		next, err := w.run.AskSweep(w.ctx(), w.owner)
		w.must(err)
		w.poll("the next", func() bool { s, err := w.run.SweepOf(w.ctx(), w.owner, next.ID); w.must(err); return s.Done() })
		last, err := w.run.SweepOf(w.ctx(), w.owner, "")
		w.must(err)
		if last.ID != next.ID || last.ID == first.ID {
			t.Errorf("the last one is %s, want %s", last.ID, next.ID)
		}
	})
}

func TestOnlyTheDeskResolvesAndTheStaffLooks(t *testing.T) {
	w := newWorld(t)
	for role, may := range map[account.Role]bool{account.RoleOwner: true, account.RoleSupport: true, account.RoleFinance: false, account.RoleReader: false} {
		a := account.Actor{User: "somebody", Role: role}
		if _, _, err := w.run.Differences(w.ctx(), a, provision.DifferenceFilter{}); err != nil {
			t.Errorf("%s may not look: %v", role, err)
		}
		_, err := w.run.AskSweep(w.ctx(), a)
		if may != (err == nil) {
			t.Errorf("%s asks for a sweep: %v", role, err)
		}
		_, err = w.run.Resolve(w.ctx(), a, "none", provision.Decision{Fix: provision.FixAdopt})
		if may == errors.Is(err, fault.Forbidden) {
			t.Errorf("%s resolves: %v", role, err)
		}
	}
	if _, _, err := w.run.Differences(w.ctx(), w.contoso, provision.DifferenceFilter{}); !errors.Is(err, fault.Forbidden) {
		t.Errorf("a customer sees differences: %v", err)
	}
}
