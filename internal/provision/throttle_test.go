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
	"causeway/internal/provision"
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

// Who comes back late, and has to wait for its turn first, was away all the same.
func TestAnInterruptionIsNotForgottenInTheLine(t *testing.T) {
	const note = "Microsoft has not entered the reseller relationship yet."
	w := newWorld(t, func(c *sim.Config) { c.Waits = map[sim.Wait]time.Duration{sim.WaitRelationship: 45 * time.Minute} })
	stop := w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.poll(note, func() bool {
		p, err := w.providers.Find(w.ctx(), id)
		w.must(err)
		return p.Note == note
	})
	pass, err := w.throttle.Admit(w.ctx(), azure.PartnerCenter, "customers", "")
	w.must(err)
	w.must(w.throttle.Learn(w.ctx(), pass, http.StatusTooManyRequests, 8*time.Hour))
	waits := func() bool {
		pr, err := w.run.Progress(w.ctx(), w.contoso, id)
		w.must(err)
		return pr.Queue != nil
	}
	w.poll("the line", waits)
	stop()
	// It stands in the line, and something else is what it said last.
	next := func() (at int64) {
		w.must(w.db.Read().QueryRowContext(w.ctx(), "SELECT max(next_at) FROM onboarding_step").Scan(&at))
		return at
	}
	w.must(w.db.Tx(w.ctx(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(w.ctx(), "UPDATE onboarding_step SET note = 'something else', held = 0, next_at = "+fmt.Sprint(store.Micros(w.now()))+" WHERE state = 'waiting'")
		return err
	}))
	w.must(w.db.Tx(w.ctx(), func(tx *store.Tx) error {
		return w.jobs.Wake(w.ctx(), tx, provision.JobOnboard, string(w.onboarding(id).ID))
	}))
	w.jump(5 * time.Hour)
	// work does what is due, and lets time pass exactly until the next is.
	work := func(what string, reached func(provider.Provider) bool) {
		t.Helper()
		for range 1000 {
			p, err := w.providers.Find(w.ctx(), id)
			w.must(err)
			if p.State == provider.Stuck {
				t.Fatalf("stuck: %s\n%s", p.Note, w.story(id))
			}
			if reached(p) {
				return
			}
			did, err := w.jobs.RunOnce(w.ctx())
			w.must(err)
			if !did {
				due, err := w.jobs.Next(w.ctx())
				w.must(err)
				w.jump(max(0, due.Sub(w.now())))
			}
		}
		t.Fatalf("never: %s\n%s", what, w.story(id))
	}
	before := next()
	work("its turn is not yet", func(provider.Provider) bool { return next() > before+int64(time.Hour/time.Microsecond) })
	work(note, func(p provider.Provider) bool { return p.Note == note })
	w.sim.Advance(46 * time.Minute)
	work("ready", func(p provider.Provider) bool { return p.State == provider.Ready })
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
