package provision_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
)

// Everything that Microsoft's services are known to do to a client, during a
// whole onboarding.
func TestAnOnboardingSurvivesHowMicrosoftMisbehaves(t *testing.T) {
	for name, faults := range map[string][]sim.Fault{
		"a byte order mark before every body":      {{On: "*", Kind: sim.ByteOrderMark, Count: -1}},
		"doubled header values":                    {{On: "*", Kind: sim.DoubleHeaders, Count: -1}},
		"numbers as text":                          {{On: "*", Kind: sim.StringNumbers, Count: -1}},
		"members that nobody knows":                {{On: "*", Kind: sim.ExtraMembers, Count: -1}},
		"optional members left out":                {{On: "*", Kind: sim.DropMembers, Count: -1}},
		"one call in fourteen answered 503":        {{On: "*", Kind: sim.FailBefore, Status: 503, Probability: 0.07}},
		"one write in eight lost after its effect": {{On: "POST /v1/*", Kind: sim.HangUpAfter, Probability: 0.12}, {On: "PUT /subscriptions/*", Kind: sim.HangUpAfter, Probability: 0.12}, {On: "POST /subscriptions/*", Kind: sim.HangUpAfter, Probability: 0.12}},
		"one call in fourteen throttled":           {{On: "*", Kind: sim.Throttled, Probability: 0.07, RetryAfter: 1}},
		"throttled without a Retry-After":          {{On: "POST *", Kind: sim.Throttled, Count: 1, RetryAfter: -1}},
		"a page of HTML instead of an answer":      {{On: "GET *", Kind: sim.HTMLBody, Count: 4, After: 5}},
		"lists that lag":                           {{On: "GET *", Kind: sim.LagLists, Delay: sim.Duration(2 * time.Second), Count: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sim.WithFactor(20), func(c *sim.Config) { c.Seed = 7 })
			w.working()
			id := w.wizard(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
			for _, f := range faults {
				w.sim.Fail(f.On, f)
			}
			for range 20 { // a page would ask again as often
				if _, err := w.run.Submit(w.ctx(), w.contoso, id); err == nil {
					break
				}
			}
			w.until(id, provider.Ready)
			w.sim.ClearFaults()
			if n := len(w.sim.Customers()); n != 1 {
				t.Errorf("customers = %d, want 1", n)
			}
			w.same()
		})
	}
}

// The documented waits, twenty times as fast.
func TestTheDocumentedWaitsAreWaited(t *testing.T) {
	w := newWorld(t, sim.WithLatency(sim.Recorded), sim.WithFactor(120))
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.until(id, provider.Ready)
	w.same()
}

// A program that stood still for hours has asked once, not for hours.
func TestAnInterruptionIsNotHeldAgainstMicrosoft(t *testing.T) {
	w := newWorld(t)
	stop := w.working()
	w.sim.SetWait(sim.WaitConsent, time.Hour)
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.at(id, provision.StepEnter)
	stop()
	w.jump(5 * time.Hour)
	w.working()
	w.poll("another question", func() bool {
		tail, _, err := w.providers.Tail(w.ctx(), id, 20)
		w.must(err)
		return slices.ContainsFunc(tail, func(e provider.Entry) bool { return strings.HasPrefix(e.Text, "Goes on after an interruption") })
	})
	w.sim.Advance(2 * time.Hour)
	w.until(id, provider.Ready)
}

// What is cancelled before a step began, or long after it did, has Microsoft's time
// from then on.
func TestACancellationHasItsOwnTime(t *testing.T) {
	w := newWorld(t)
	stop := w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.until(id, provider.Ready)
	w.sim.SetWait(sim.WaitSubscriptionEnd, 3*time.Second)
	w.sim.SetWait(sim.WaitEntitlementEnd, 3*time.Second)
	stop()
	w.jump(9 * time.Hour) // the step is as old by then
	w.sim.Advance(9 * time.Hour)
	w.working()
	w.must(w.run.Cancel(w.ctx(), w.contoso, id))
	w.until(id, provider.Cancelled)
	w.same()
}
