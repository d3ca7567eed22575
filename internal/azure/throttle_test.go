package azure_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// limit is a service that takes so many calls per period and customer or partner.
type limit struct {
	calls     int
	period    time.Duration
	perTenant bool
	sent      map[string]int
	since     map[string]time.Time
	refused   int
	accepted  int
}

func (l *limit) call(now time.Time, customer string) (status int, after time.Duration) {
	key := ""
	if l.perTenant {
		key = customer
	}
	if l.sent == nil {
		l.sent, l.since = map[string]int{}, map[string]time.Time{}
	}
	if now.Sub(l.since[key]) >= l.period {
		l.since[key], l.sent[key] = now, 0
	}
	l.sent[key]++
	if l.sent[key] > l.calls {
		l.refused++
		return http.StatusTooManyRequests, l.since[key].Add(l.period).Sub(now)
	}
	l.accepted++
	return http.StatusOK, 0
}

// The whole point: under a limit that nobody told us, hardly a call is wasted.
func TestTheGovernorLearnsALimitAndWastesLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := azure.NewGovernor(time.Now, nil, 0)
		l := limit{calls: 500, period: time.Minute}
		begin := time.Now()
		for l.accepted < 5000 {
			pass, err := g.Admit(t.Context(), azure.PartnerCenter, "orders", "")
			var held *azure.Throttled
			if errors.As(err, &held) {
				<-time.After(time.Until(held.Until)) // the job's wait
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			status, after := l.call(time.Now(), "")
			learn(t, g, pass, status, after)
		}
		if share := float64(l.refused) / float64(l.refused+l.accepted); share > 0.01 {
			t.Errorf("%d of %d calls were wasted", l.refused, l.refused+l.accepted)
		}
		if took := time.Since(begin); took > 13*time.Minute { // 9 full minutes would be perfect
			t.Errorf("it took %s", took)
		}
	})
}

func TestARefusalHoldsTheGroupAndSaysUntilWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := azure.NewGovernor(time.Now, nil, 0)
		pass, err := g.Admit(t.Context(), azure.ARM, "aliases", "")
		if err != nil {
			t.Fatal(err)
		}
		learn(t, g, pass, http.StatusTooManyRequests, 57*time.Second)
		_, err = g.Admit(t.Context(), azure.ARM, "aliases", "")
		var held *azure.Throttled
		if !errors.As(err, &held) || !held.Until.Equal(time.Now().Add(57*time.Second)) {
			t.Fatalf("error = %v", err)
		}
		if f := fault.Of(err); f == nil || f.Kind != fault.Unavailable || f.After != 57*time.Second {
			t.Errorf("fault = %+v", f)
		}
		if azure.Classify(err) != azure.R1 || azure.Unknown(err) {
			t.Error("a call that was held back counts as sent")
		}
		if _, err := g.Admit(t.Context(), azure.ARM, "reads", ""); err != nil {
			t.Errorf("another group is held as well: %v", err)
		}
		<-time.After(58 * time.Second)
		if _, err := g.Admit(t.Context(), azure.ARM, "aliases", ""); err != nil {
			t.Errorf("held after its time: %v", err)
		}
	})
}

func TestAShortWaitIsSpentInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := azure.NewGovernor(time.Now, nil, 0)
		pass, err := g.Admit(t.Context(), azure.Graph, "gdap", "")
		if err != nil {
			t.Fatal(err)
		}
		learn(t, g, pass, http.StatusTooManyRequests, 400*time.Millisecond)
		begin := time.Now()
		if _, err := g.Admit(t.Context(), azure.Graph, "gdap", ""); err != nil || time.Since(begin) < 400*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if pass, err = g.Admit(t.Context(), azure.Graph, "gdap", ""); err == nil {
			learn(t, g, pass, http.StatusTooManyRequests, 400*time.Millisecond)
		}
		if _, err := g.Admit(ctx, azure.Graph, "gdap", ""); err == nil {
			t.Error("a caller that gave up is let through")
		}
	})
}

func TestOneCustomersLimitDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := azure.NewGovernor(time.Now, nil, 0)
		refuse := func(customer string) {
			pass, err := g.Admit(t.Context(), azure.PartnerCenter, "carts", customer)
			if err != nil {
				t.Fatal(err)
			}
			learn(t, g, pass, http.StatusTooManyRequests, 30*time.Second)
		}
		refuse("contoso")
		if _, err := g.Admit(t.Context(), azure.PartnerCenter, "carts", "contoso"); err == nil {
			t.Error("the refused customer is let through")
		}
		if _, err := g.Admit(t.Context(), azure.PartnerCenter, "carts", "fabrikam"); err != nil {
			t.Errorf("another customer is held: %v", err)
		}
		refuse("tailspin")
		if _, err := g.Admit(t.Context(), azure.PartnerCenter, "carts", "fabrikam"); err == nil {
			t.Error("two customers were refused at once: the limit is the partner's, but a third goes on")
		}
	})
}

func TestARefusalWithoutATimeBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := azure.NewGovernor(time.Now, nil, 0)
		want := 5 * time.Second
		for range 3 {
			pass, err := g.Admit(t.Context(), azure.PartnerCenter, "x", "")
			if err != nil {
				t.Fatal(err)
			}
			learn(t, g, pass, http.StatusTooManyRequests, 0)
			_, err = g.Admit(t.Context(), azure.PartnerCenter, "x", "")
			var held *azure.Throttled
			if !errors.As(err, &held) || time.Until(held.Until) != want {
				t.Fatalf("held %v, want %s", err, want)
			}
			<-time.After(want)
			want *= 2
		}
	})
}

// With many calls on their way at once, one met limit gives many refusals; they
// teach one lesson, not many, and the flow goes on at nearly the full rate.
func TestManyWorkersShareWhatIsLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := azure.NewGovernor(time.Now, nil, 0)
		l := limit{calls: 500, period: time.Minute}
		var mu sync.Mutex
		begin := time.Now()
		var workers sync.WaitGroup
		for range 32 {
			workers.Go(func() {
				for {
					mu.Lock()
					done := l.accepted >= 10_000
					mu.Unlock()
					if done {
						return
					}
					pass, err := g.Admit(t.Context(), azure.PartnerCenter, "orders", "")
					var held *azure.Throttled
					if errors.As(err, &held) {
						<-time.After(time.Until(held.Until))
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					<-time.After(50 * time.Millisecond) // on the way
					mu.Lock()
					status, after := l.call(time.Now(), "")
					mu.Unlock()
					<-time.After(50 * time.Millisecond) // on the way back
					learn(t, g, pass, status, after)
				}
			})
		}
		workers.Wait()
		if share := float64(l.refused) / float64(l.refused+l.accepted); share > 0.01 {
			t.Errorf("%d of %d calls were wasted", l.refused, l.refused+l.accepted)
		}
		if took := time.Since(begin); took > 25*time.Minute { // 19 full minutes would be perfect
			t.Errorf("it took %s", took)
		}
		t.Logf("%d refused of %d in %s", l.refused, l.refused+l.accepted, time.Since(begin))
	})
}

func learn(t *testing.T, g *azure.Governor, p azure.Pass, status int, after time.Duration) {
	t.Helper()
	if err := g.Learn(t.Context(), p, status, after); err != nil {
		t.Error(err)
	}
}

// Questions of people who gave up keep no calls: else, at a low limit, those who ask
// again would wait for those who never come.
func TestWhoLeavesTheLineKeepsNothing(t *testing.T) {
	now := noon.Add(time.Second)
	g := azure.NewGovernor(func() time.Time { return now }, lowLimit(t, 2), 0)
	ask := func(n int) bool {
		ctx := azure.WithCaller(t.Context(), azure.Caller{Key: fmt.Sprint(n), Org: "contoso", Began: now, Class: azure.Ask})
		defer g.End(ctx)
		_, err := g.Admit(ctx, azure.PartnerCenter, "orders", "")
		var held *azure.Throttled
		if err != nil && !errors.As(err, &held) {
			t.Fatal(err)
		}
		if err := g.Leave(ctx); err != nil {
			t.Fatal(err)
		}
		return err == nil
	}
	for n := 0; !ask(n); n++ {
		if now.Sub(noon) > 2*time.Minute {
			t.Fatalf("%d questions, one after the other, and none was let through", n)
		}
		now = now.Add(5 * time.Second)
	}
}

// lowLimit is a database that knows a limit, spent in the minute that began at noon,
// and two customers that were refused alone once.
func lowLimit(t *testing.T, calls int64) *store.DB {
	db := storetest.SQLite(t)
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		const row = "INSERT INTO throttle_budget (service, endpoints, customer, calls, ceiling, period, since, spent, lessons, epoch, met, changed_at) VALUES ($1, 'orders', $2, $3, $3, $4, $5, $3, $6, 2, $5, $5)"
		for customer, n := range map[string]int64{"": calls, "customer a": 0, "customer b": 0} {
			if _, err := tx.ExecContext(t.Context(), row, string(azure.PartnerCenter), customer, n, time.Minute.Microseconds(), store.Micros(noon), n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// Two wait for a limit of two, and their customers were refused alone once: what Turn
// gave must be enough for the call, else both give it back for ever.
func TestATurnIsEnoughForTheCallOfARefusedCustomer(t *testing.T) {
	now := noon.Add(time.Second)
	g := azure.NewGovernor(func() time.Time { return now }, lowLimit(t, 2), 0)
	waits, told := map[string]time.Time{"a": now, "b": now}, map[string]bool{}
	run := func(n string) {
		ctx := azure.WithCaller(t.Context(), azure.Caller{Key: n, Org: n, Began: noon, Class: azure.Work})
		defer g.End(ctx)
		turn := g.Turn(ctx)
		err := turn
		if turn == nil {
			_, err = g.Admit(ctx, azure.PartnerCenter, "orders", "customer "+n)
		}
		var held *azure.Throttled
		switch {
		case errors.As(err, &held):
			if turn == nil && told[n] {
				t.Fatalf("%s at %s: it had its turn, and must wait until %s", n, now, held.Until)
			}
			waits[n], told[n] = held.Until, true
		case err != nil:
			t.Fatal(err)
		default:
			delete(waits, n)
		}
	}
	for ; len(waits) > 0; now = now.Add(time.Second) {
		for n, until := range waits {
			if !now.Before(until) {
				run(n)
			}
		}
	}
}
