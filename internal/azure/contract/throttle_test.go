package contract_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// clock is moved by hand, for the simulator and for us.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) to(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.t) {
		c.t = t
	}
}

// replicas are processes that call Microsoft, each with workers of its own.
type replicas struct {
	t     *testing.T
	clock *clock
	sim   *sim.Server
	call  func(context.Context, *partnercenter.Client) error
	pipes []*azure.Pipe
}

// until lets everybody call and call again, each when it was told to come, until a
// time, and counts what the simulator took of each replica and refused.
func (r replicas) until(end time.Time) (taken []int, refused int) {
	taken = make([]int, len(r.pipes))
	from := int64(len(r.sim.Calls()))
	for r.clock.now().Before(end) {
		var mu sync.Mutex
		next := end
		var all sync.WaitGroup
		for i, pipe := range r.pipes {
			for j := range 6 {
				all.Go(func() {
					ctx := azure.WithCaller(r.t.Context(), azure.Caller{Key: fmt.Sprintf("%d-%d", i, j), Org: fmt.Sprint(j), Began: end.Add(-time.Hour), Class: azure.Work})
					pc := partnercenter.New(pipe)
					for {
						err := r.call(ctx, pc)
						var held *azure.Throttled
						switch {
						case errors.As(err, &held):
							mu.Lock()
							if held.Until.Before(next) {
								next = held.Until
							}
							mu.Unlock()
							return
						case err != nil && azure.AsError(err) != nil && azure.AsError(err).Status == http.StatusTooManyRequests:
							continue
						case err != nil:
							r.t.Error(err)
							return
						}
						mu.Lock()
						taken[i]++
						mu.Unlock()
					}
				})
			}
		}
		all.Wait()
		r.clock.to(next.Add(time.Millisecond))
	}
	for _, c := range r.sim.CallsSince(from) {
		if c.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	return taken, refused
}

// The simulator counts: what two processes send in a minute is together what it
// takes, and a process that starts again needs no refusal to know.
func TestTwoProcessesShareOneLimitAndARestartKnowsIt(t *testing.T) {
	ofAll := func(ctx context.Context, pc *partnercenter.Client) error {
		for _, err := range pc.Customers(ctx, partnercenter.CustomerQuery{Size: 1}) {
			return err
		}
		return nil
	}
	ofOne := func(ctx context.Context, pc *partnercenter.Client) error {
		_, err := pc.Customer(ctx, "00000000-0000-4000-8000-000000000001")
		if e := azure.AsError(err); e != nil && e.Status == http.StatusNotFound {
			return nil // taken, and that is what counts
		}
		return err
	}
	for _, c := range []struct {
		says   string
		silent bool
		call   func(context.Context, *partnercenter.Client) error
	}{
		{"told until when", false, ofAll},
		{"not told until when", true, ofAll},
		{"calls of one customer alone", false, ofOne},
	} {
		t.Run(c.says, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) { shareOneLimit(t, db, c.silent, c.call) })
		})
	}
}

func shareOneLimit(t *testing.T, db *store.DB, silent bool, call func(context.Context, *partnercenter.Client) error) {
	const limit = 60
	c := &clock{t: time.Now()}
	w := start(t, func(cfg *sim.Config) {
		cfg.Now = c.now
		cfg.Settings.Throttle, cfg.Settings.ThrottleSilent = map[string]int{sim.GroupCustomers: limit}, silent
	})
	process := func() *azure.Pipe { return w.pipe.Governed(azure.NewGovernor(c.now, db, 0)) }
	r := replicas{t: t, clock: c, sim: w.sim, call: call, pipes: []*azure.Pipe{process(), process()}}
	c.to(c.now().Add(2 * time.Minute)) // so that they have counted for the whole minute before the first lesson
	if _, refused := r.until(c.now().Add(7 * time.Minute)); refused == 0 {
		t.Fatal("no limit was met")
	}

	r.pipes = []*azure.Pipe{process(), process()}
	taken, refused := r.until(c.now().Add(5 * time.Minute))
	if refused > 12 { // a higher limit is tried once at most: one refusal for each worker
		t.Errorf("%d calls were refused after a restart", refused)
	}
	if taken[0] == 0 || taken[1] == 0 {
		t.Errorf("taken by each process: %v", taken)
	}
	if n := taken[0] + taken[1]; n < limit*7/2 {
		t.Errorf("%d calls in five minutes, of %d", n, 5*limit)
	}
	t.Logf("%v taken, %d refused", taken, refused)
}
