package job_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/store"
	"causeway/internal/store/storetest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("os/exec.(*Cmd).Wait"), goleak.IgnoreAnyFunction("causeway/internal/store/pgserver.keep"))
}

// clock is moved by hand, so that no test waits.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 23, 14, 6, 0, 0, time.UTC)} }

func queue(db *store.DB, name string, c *clock) *job.Queue {
	return job.New(db, name, c.now, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

func add(t *testing.T, db *store.DB, q *job.Queue, key string) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		return q.Add(t.Context(), tx, "work", key, map[string]string{"of": key}, time.Time{})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func once(t *testing.T, q *job.Queue) bool {
	t.Helper()
	did, err := q.RunOnce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return did
}

func open(t *testing.T, q *job.Queue) int {
	t.Helper()
	list, err := q.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestAJobExistsOnlyIfItsTransactionCommitted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		q := queue(db, "a", newClock())
		stop := errors.New("stop")
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			if err := q.Add(t.Context(), tx, "work", "1", nil, time.Time{}); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) || open(t, q) != 0 {
			t.Errorf("after a rollback: %v, %d jobs", err, open(t, q))
		}
		add(t, db, q, "1")
		add(t, db, q, "1")
		if n := open(t, q); n != 1 {
			t.Errorf("the same job twice gives %d jobs, want 1", n)
		}
	})
}

func TestWhatAHandlerSaysDecidesWhatComesNext(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		q := queue(db, "a", c)
		var answer error
		tries := 0
		q.Handle("work", func(_ context.Context, j job.Job) error { tries = j.Attempt; return answer })
		add(t, db, q, "1")

		answer = fault.New(fault.Unavailable, "try later")
		once(t, q)
		if once(t, q) {
			t.Error("a job that failed runs again without a pause")
		}
		c.move(2 * time.Second)
		if !once(t, q) || tries != 2 {
			t.Errorf("after its pause: try %d, want 2", tries)
		}
		answer = job.Wait{Until: c.now().Add(time.Hour), Why: "people"}
		c.move(10 * time.Second)
		once(t, q)
		c.move(59 * time.Minute)
		if once(t, q) {
			t.Error("a waiting job runs before its time")
		}
		c.move(2 * time.Minute)
		answer = nil
		if !once(t, q) || tries != 1 {
			t.Errorf("after a wait: try %d, want 1: waiting is no failure", tries)
		}
		if n := open(t, q); n != 0 {
			t.Errorf("%d jobs are open after nil", n)
		}
	})
}

func TestAWorkerWithoutItsLeaseCannotWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		a, b := queue(db, "a", c), queue(db, "b", c)
		wrote := ""
		write := func(q *job.Queue, who string) job.Handler {
			return func(ctx context.Context, j job.Job) error {
				if who == "a" { // paused for longer than its lease; b takes over meanwhile
					c.move(2 * job.Lease)
					if !once(t, b) {
						t.Error("b did not take over after the lease")
					}
				}
				return db.Tx(ctx, func(tx *store.Tx) error {
					if err := q.Finish(ctx, tx, j); err != nil {
						return err
					}
					wrote += who
					return nil
				})
			}
		}
		a.Handle("work", write(a, "a"))
		b.Handle("work", write(b, "b"))
		add(t, db, a, "1")
		once(t, a)
		if wrote != "b" {
			t.Errorf("written by %q, want b alone", wrote)
		}
		if n := open(t, a); n != 0 {
			t.Errorf("%d jobs are open", n)
		}
	})
}

func TestAWakeDuringTheWorkIsNotLost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		q := queue(db, "a", c)
		runs := 0
		q.Handle("work", func(ctx context.Context, j job.Job) error {
			if runs++; runs == 1 {
				err := db.Tx(ctx, func(tx *store.Tx) error { return q.Wake(ctx, tx, "work", "1") })
				if err != nil {
					t.Error(err)
				}
			}
			return job.Wait{Until: c.now().Add(time.Hour)}
		})
		add(t, db, q, "1")
		once(t, q)
		if !once(t, q) {
			t.Error("the job waits an hour although it was woken while it ran")
		}
		if once(t, q) {
			t.Error("one wake made it run twice more")
		}
	})
}

// Work that ends well has perhaps not seen what it was asked for while it ran.
func TestWorkAskedForWhileItRunsIsDoneAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		q := queue(db, "a", newClock())
		runs := 0
		q.Handle("work", func(context.Context, job.Job) error {
			if runs++; runs == 1 {
				add(t, db, q, "1")
			}
			return nil
		})
		add(t, db, q, "1")
		for once(t, q) {
		}
		if runs != 2 {
			t.Errorf("it ran %d times, want 2", runs)
		}
		if n := open(t, q); n != 0 {
			t.Errorf("%d jobs are open", n)
		}
	})
}

func TestARestartTakesItsOwnLeasesAtOnce(t *testing.T) {
	db := storetest.SQLite(t)
	c := newClock()
	died := queue(db, "a", c)
	add(t, db, died, "1")
	claimed := make(chan struct{})
	release := make(chan struct{})
	died.Handle("work", func(context.Context, job.Job) error { close(claimed); <-release; return nil })
	var working sync.WaitGroup
	working.Go(func() { once(t, died) })
	<-claimed // and now it is killed: nothing more is written by it

	again := queue(db, "a", c)
	ran := false
	again.Handle("work", func(context.Context, job.Job) error { ran = true; return nil })
	if once(t, again) {
		t.Error("a job in work is taken before anybody knows that its worker died")
	}
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !once(t, again) || !ran {
		t.Error("after a restart under the same name the job waits for its lease")
	}
	close(release)
	working.Wait()
}

func TestTwoReplicasDoEachJobOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const n = 200
		var done [n]atomic.Int32
		ctx, stop := context.WithCancel(t.Context())
		left := make(chan struct{}, n)
		var replicas sync.WaitGroup
		for _, name := range []string{"a", "b"} {
			q := job.New(db, name, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
			q.Handle("work", func(_ context.Context, j job.Job) error {
				i := int(j.Key[0])*16 + int(j.Key[1]) - 97*17
				done[i].Add(1)
				left <- struct{}{}
				return nil
			})
			replicas.Go(func() {
				if err := q.Run(ctx, 4); err != nil {
					t.Error(err)
				}
			})
			if name == "a" {
				for i := range n {
					add(t, db, q, string([]byte{byte('a' + i/16), byte('a' + i%16)}))
				}
			}
		}
		for range n {
			<-left
		}
		stop()
		replicas.Wait()
		for i := range n {
			if d := done[i].Load(); d != 1 {
				t.Errorf("job %d was done %d times", i, d)
			}
		}
	})
}

func TestAPanicIsAFailureAndNotTheEnd(t *testing.T) {
	db := storetest.SQLite(t)
	c := newClock()
	q := queue(db, "a", c)
	q.Handle("work", func(context.Context, job.Job) error { panic("nil map") })
	add(t, db, q, "1")
	once(t, q)
	list, err := q.Open(t.Context())
	if err != nil || len(list) != 1 || list[0].LastError == "" {
		t.Errorf("after a panic: %v, %v", list, err)
	}
}

func TestDoneJobsAreForgottenAndOpenOnesAreNot(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		q := queue(db, "a", c)
		q.Handle("work", func(context.Context, job.Job) error { return nil })
		add(t, db, q, "1")
		once(t, q)
		add(t, db, q, "2")
		c.move(time.Hour)
		err := db.Tx(t.Context(), func(tx *store.Tx) error { return q.Purge(t.Context(), tx, c.now()) })
		if err != nil {
			t.Fatal(err)
		}
		var rows int
		if err := db.Read().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM job").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		if rows != 1 || open(t, q) != 1 {
			t.Errorf("%d rows and %d open jobs, want the open one alone", rows, open(t, q))
		}
	})
}

func TestAnUrgentKindDoesNotQueueBehindOthers(t *testing.T) {
	db := storetest.SQLite(t)
	q := job.New(db, "a", time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	asked, release := make(chan struct{}), make(chan struct{})
	q.Handle("work", func(context.Context, job.Job) error { <-release; return nil })
	q.Handle("ask", func(context.Context, job.Job) error { close(asked); return nil })
	q.Urgent("ask")
	for i := range 20 { // far more than there are workers, all of them busy
		add(t, db, q, string(rune('a'+i)))
	}
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		if err := q.Run(ctx, 2); err != nil {
			t.Error(err)
		}
	})
	err := db.Tx(t.Context(), func(tx *store.Tx) error { return q.Add(t.Context(), tx, "ask", "1", nil, time.Time{}) })
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(20 * time.Second):
		t.Error("the question waits behind the work")
	}
	stop()
	close(release)
	run.Wait()
}

// A process that stops gives its work away at once: another replica need not wait
// for the end of a lease, and no try is counted.
func TestAStoppingProcessHandsItsJobOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		a, b := queue(db, "a", c), queue(db, "b", c)
		ctx, stop := context.WithCancel(t.Context())
		a.Handle("work", func(ctx context.Context, _ job.Job) error {
			if job.Stopping(ctx) {
				t.Error("it stops before it was asked to")
			}
			stop()
			if !job.Stopping(ctx) || ctx.Err() != nil {
				t.Error("the handler is not told, or is broken off in the middle")
			}
			return job.ErrStopping
		})
		tries := 0
		b.Handle("work", func(_ context.Context, j job.Job) error { tries = j.Attempt; return nil })
		add(t, db, a, "x")
		if err := a.Run(ctx, 2); err != nil {
			t.Fatal(err)
		}
		if !once(t, b) || tries != 1 {
			t.Errorf("the other one got it as try %d, want 1 (0: not at all)", tries)
		}
	})
}
