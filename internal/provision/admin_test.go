package provision_test

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
)

func TestTheAdminOwnsTheSubscriptionAndCannotLiftTheGuardrail(t *testing.T) {
	for role, want := range map[partner.AdminRole]string{partner.AdminRestricted: "Causeway Customer Owner", partner.AdminOwner: "Owner"} {
		t.Run(string(role), func(t *testing.T) {
			w := newWorld(t)
			w.working()
			rules, err := w.settings.Rules(w.ctx())
			w.must(err)
			rules.AdminRole = role
			w.must(w.settings.SetRules(w.ctx(), w.owner, rules.Version, rules))
			p := w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
			found := false
			for _, sub := range w.sim.Subscriptions(p.TenantID) {
				for _, r := range sub.Roles {
					if r.Kind != "User" {
						continue
					}
					found = true
					if r.RoleName != want || (r.Condition != "") != (role == partner.AdminRestricted) {
						t.Errorf("the admin has %q with the condition %q, want %q", r.RoleName, r.Condition, want)
					}
				}
				if len(sub.Policies) == 0 {
					t.Error("no guardrail is assigned")
				}
			}
			if !found {
				t.Error("the admin has no role")
			}
			log, _, err := w.providers.Tail(w.ctx(), p.ID, 100)
			w.must(err)
			if !strings.Contains(texts(log), "multi-factor") {
				t.Error("nobody is warned about the admin's second factor")
			}
		})
	}
}

func texts(log []provider.Entry) string {
	var b strings.Builder
	for _, e := range log {
		b.WriteString(e.Text + "\n")
	}
	return b.String()
}

func TestNoRoleButThePartnersOwnPrecedesTheGuardrail(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.holdAt(provision.StepGuard)
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.at(id, provision.StepGuard)
	p, err := w.providers.Find(w.ctx(), id)
	w.must(err)
	for _, sub := range w.sim.Subscriptions(p.TenantID) {
		for _, r := range sub.Roles {
			if r.Kind != "ForeignGroup" {
				t.Errorf("%s %s has %s before the guardrail holds", r.Kind, r.Principal, r.RoleName)
			}
		}
	}
	w.sim.ClearFaults()
	w.until(id, provider.Ready)
}

func TestAMissingAdminIsReported(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.holdAt(provision.StepGuard)
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.at(id, provision.StepGuard)
	w.sim.ClearFaults()
	w.sim.Fail("GET /v1/customers/{}/users", sim.Fault{ // the customer has removed the first administrator
		Kind: sim.FailBefore, Status: 200, Body: []byte(`{"totalCount":0,"items":[],"attributes":{"objectType":"Collection"}}`), Count: -1,
	})
	w.jump(time.Hour)
	w.until(id, provider.Ready)
	log, _, err := w.providers.Tail(w.ctx(), id, 100)
	w.must(err)
	if !strings.Contains(texts(log), "admin@contosoanalytics.onmicrosoft.com is not in the tenant any more") {
		t.Errorf("nobody is told that the admin is missing:\n%s", texts(log))
	}
}
