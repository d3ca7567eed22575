package provision_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// Every limit is met again and again, by more onboardings than it takes in a minute.
func TestAllFinishUnderAHardThrottle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const many = 6
		w := worldOn(t, db, sim.Start(t, sim.WithFactor(30)))
		w.working()
		var ids []provider.ID
		var admins []account.Actor
		for i := range many {
			alias := fmt.Sprintf("MANY%d", i)
			a := w.organization("Company "+alias, alias, "admin-"+alias)
			admins = append(admins, a)
			ids = append(ids, w.wizard(a, "Azure of "+alias, alias, "admin-"+alias, fmt.Sprintf("company%dmany", i)))
		}
		w.sim.Change(func(s *sim.Settings) {
			s.Throttle = map[string]int{sim.GroupCustomers: 9, sim.GroupOrders: 9, sim.GroupSubscriptions: 6, sim.GroupEntitlements: 3, sim.GroupConsents: 3, sim.GroupGraph: 9}
		})
		for i, id := range ids {
			w.begin(admins[i], id)
		}
		for _, id := range ids {
			w.until(id, provider.Ready)
		}
		if n := len(w.sim.Customers()); n != many {
			t.Errorf("customers = %d, want %d", n, many)
		}
		refused, calls := 0, w.sim.Calls()
		for _, c := range calls {
			if c.Status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused == 0 || refused*10 > len(calls) {
			t.Errorf("%d of %d calls were refused: want some, and few", refused, len(calls))
		}
	})
}

// begin submits, as a person does who reads "still checking" and presses again.
func (w *world) begin(a account.Actor, id provider.ID) {
	w.t.Helper()
	w.poll("the submission", func() bool {
		_, err := w.run.Submit(w.ctx(), a, id)
		return err == nil
	})
}

// A step that waits for its turn is not a step that Microsoft takes too long for.
func TestTimeInTheLineIsNotMicrosoftsTime(t *testing.T) {
	w := newWorld(t, func(c *sim.Config) { c.Waits = map[sim.Wait]time.Duration{sim.WaitRelationship: 45 * time.Minute} })
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	step := func(ok func(provider.Provider) bool) {
		t.Helper()
		w.poll("the onboarding", func() bool {
			p, err := w.providers.Find(w.ctx(), id)
			w.must(err)
			if p.State == provider.Stuck {
				t.Fatalf("stuck: %s\n%s", p.Note, w.story(id))
			}
			return ok(p)
		})
	}
	step(func(p provider.Provider) bool {
		return p.Note == "Microsoft has not entered the reseller relationship yet."
	})
	pass, err := w.throttle.Admit(w.ctx(), azure.PartnerCenter, "customers", "")
	w.must(err)
	w.must(w.throttle.Learn(w.ctx(), pass, http.StatusTooManyRequests, 40*time.Minute))
	step(func(p provider.Provider) bool {
		pr, err := w.run.Progress(w.ctx(), w.contoso, id)
		w.must(err)
		return pr.Queue != nil
	})
	w.jump(41 * time.Minute)
	w.sim.Advance(41 * time.Minute)
	step(func(p provider.Provider) bool {
		return p.Note == "Microsoft has not entered the reseller relationship yet."
	})
	w.jump(10 * time.Minute)
	w.sim.Advance(10 * time.Minute)
	w.until(id, provider.Ready)
}

// A question whose page stopped waiting stands in no line.
func TestAQuestionThatEndedStandsInNoLine(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.wizard(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	for _, group := range []string{"domains", "validations"} {
		pass, err := w.throttle.Admit(w.ctx(), azure.PartnerCenter, group, "")
		w.must(err)
		w.must(w.throttle.Learn(w.ctx(), pass, http.StatusTooManyRequests, 40*time.Minute))
	}
	if _, err := w.run.CheckDetails(w.ctx(), w.contoso, id); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("checked while Microsoft takes nothing: %v", err)
	}
	limits, err := w.throttle.Limits(w.ctx())
	w.must(err)
	for _, l := range limits {
		if l.Waiting != 0 {
			t.Errorf("%s %s: %d wait, want nobody", l.Service, l.Group, l.Waiting)
		}
	}
}
