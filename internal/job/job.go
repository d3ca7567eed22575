// Package job is the durable queue: rows in the same database, and written in
// the same transaction, as the data they belong to. It owns when a piece of
// work runs, by which worker, and that a worker which lost its lease cannot
// write; it does not know what the work is.
package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"causeway/internal/fault"
	"causeway/internal/job/sqlc"
	"causeway/internal/store"
)

// Lease is how long a claimed job belongs to its worker without a renewal. It
// is renewed at a third of it, so a dead worker's job is taken over by another
// replica within it (DESIGN §6: at most 15 s).
const Lease = 12 * time.Second

// grace is how long a job goes on after the process was asked to stop. A call to
// Microsoft takes a second or two; broken off, its outcome would be unknown.
const grace = 5 * time.Second

// news is the topic of jobs that are due, for the workers of all replicas.
const news = "jobs"

// Job is one piece of work as a worker sees it.
type Job struct {
	ID      string
	Kind    string
	Key     string // what it is about, e.g. an onboarding's id; one open job per kind and key
	Args    json.RawMessage
	Attempt int // 1 at the first try; a Wait counts again from 1
	Fence   int64
	Worker  string
}

// Handler does the work. Nil: done. Wait: not yet. fault.Unavailable: tried
// again with back-off. Anything else: the same, but logged as our bug, since a
// queue must not lose what it does not understand. A handler that knows better
// (a step that is stuck) writes that down and calls Finish itself.
type Handler func(context.Context, Job) error

// Wait is the error of a handler that has nothing to do before a time.
type Wait struct {
	Until time.Time
	Why   string
}

func (w Wait) Error() string {
	return "wait until " + w.Until.UTC().Format(time.RFC3339) + ": " + w.Why
}

// ErrFenced says that the lease went to somebody else meanwhile: whatever this
// worker was about to write must be rolled back.
var ErrFenced = errors.New("the job was taken over by another worker")

// ErrStopping is the error of a handler that gives its job to another replica,
// because this process stops: at a place where nothing is half done.
var ErrStopping = errors.New("this process stops; another one goes on")

// stopping is where a handler's context carries the context of its process.
type stopping struct{}

// Stopping tells a handler that its process is about to end. It has a few
// seconds to come to a place where nothing is half done, and returns ErrStopping.
func Stopping(ctx context.Context) bool {
	run, ok := ctx.Value(stopping{}).(context.Context)
	return ok && run.Err() != nil
}

// Queue is the durable queue on one database.
type Queue struct {
	db       *store.DB
	now      func() time.Time
	worker   string // name/nonce
	name     string
	handlers map[string]Handler
	log      *slog.Logger
	urgent   []string // kinds that have workers of their own

	mu      sync.Mutex
	release func() error
	idlers  []chan struct{} // one for each loop that may sleep
}

// New makes the queue of one process. The name is kept over restarts of the
// same process, so that it takes its own leases at once; two processes with
// one name are refused by Start.
func New(db *store.DB, name string, now func() time.Time, log *slog.Logger) *Queue {
	return &Queue{
		db: db, now: now, name: name, worker: name + "/" + store.NewID(), log: log,
		handlers: map[string]Handler{},
	}
}

// Handle names the handler of a kind. Call it before Run.
func (q *Queue) Handle(kind string, h Handler) { q.handlers[kind] = h }

// Urgent gives a kind four workers of its own in Run, because somebody waits at a
// page for it: it does not queue behind a thousand onboardings.
func (q *Queue) Urgent(kind string) { q.urgent = append(q.urgent, kind) }

// Add puts a job in the queue, in the caller's transaction. If one of the same
// kind and key is open, that one is used and runs no later than due; a zero
// due means now.
func (q *Queue) Add(ctx context.Context, tx *store.Tx, kind, key string, args any, due time.Time) error {
	body, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("job %s %s: %w", kind, key, err)
	}
	now := q.now()
	if due.IsZero() {
		due = now
	}
	err = sqlc.New(tx).AddJob(ctx, sqlc.AddJobParams{
		ID: store.NewID(), Kind: kind, Key: key, Args: string(body),
		DueAt: store.Micros(due), CreatedAt: store.Micros(now),
	})
	if err != nil {
		return fmt.Errorf("add job %s %s: %w", kind, key, err)
	}
	tx.After(q.Poke)
	tx.Wake(news)
	return nil
}

// Wake makes the open job of this kind and key due now, also if it is running:
// it then runs once more. Without such a job nothing happens.
func (q *Queue) Wake(ctx context.Context, tx *store.Tx, kind, key string) error {
	_, err := sqlc.New(tx).WakeJob(ctx, sqlc.WakeJobParams{Kind: kind, Key: key, Now: store.Micros(q.now())})
	tx.After(q.Poke)
	tx.Wake(news)
	return err
}

// Drop closes the open job of this kind and key; a worker that holds it is
// fenced off.
func (q *Queue) Drop(ctx context.Context, tx *store.Tx, kind, key string) error {
	_, err := sqlc.New(tx).DropJob(ctx, sqlc.DropJobParams{Kind: kind, Key: key, Now: done(q.now())})
	return err
}

// Poke lets the idle workers of this process look at once.
func (q *Queue) Poke() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, wake := range q.idlers {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// Finish closes j in tx, together with what it did; ErrFenced if the lease is
// no longer ours.
func (q *Queue) Finish(ctx context.Context, tx *store.Tx, j Job) error {
	n, err := sqlc.New(tx).FinishJob(ctx, sqlc.FinishJobParams{ID: j.ID, Fence: j.Fence, Now: done(q.now())})
	return fenced(n, err)
}

// Hold checks in tx that j still belongs to this worker, for a write in the
// middle of the work; ErrFenced if not.
func (q *Queue) Hold(ctx context.Context, tx *store.Tx, j Job) error {
	n, err := sqlc.New(tx).RenewLease(ctx, sqlc.RenewLeaseParams{ID: j.ID, Fence: j.Fence, Lease: store.Micros(q.now().Add(Lease))})
	return fenced(n, err)
}

func fenced(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrFenced
	}
	return err
}

func done(t time.Time) sql.NullInt64 { return sql.NullInt64{Int64: store.Micros(t), Valid: true} }

// Open lists the jobs that are not done, the next one first.
func (q *Queue) Open(ctx context.Context) ([]sqlc.Job, error) {
	return sqlc.New(q.db.Read()).OpenJobs(ctx)
}

// Standing is how an open job stands, for people who wait for it.
type Standing struct {
	Running bool      // a worker has it now
	Due     time.Time // of the next try, if none has
	Attempt int       // tries so far
	Trouble string    // of the last one
}

// OpenOf tells how the open job of a kind and key stands; ok is false if there is none.
func (q *Queue) OpenOf(ctx context.Context, kind, key string) (s Standing, ok bool, err error) {
	row, err := sqlc.New(q.db.Read()).OpenOf(ctx, sqlc.OpenOfParams{Kind: kind, Key: key})
	if store.IsNone(err) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("job %s %s: %w", kind, key, err)
	}
	return Standing{Running: row.LeasedUntil > store.Micros(q.now()), Due: store.Time(row.DueAt), Attempt: int(row.Attempt), Trouble: row.LastError}, true, nil
}

// Restored gives all leases free, in the transaction that fills a database from a
// backup: whoever held them works on another one.
func Restored(ctx context.Context, tx *store.Tx) error {
	_, err := sqlc.New(tx).FreeAll(ctx)
	return err
}

// Purge forgets jobs that were done before a time: what they did stands in the
// rows of those who asked for them.
func (q *Queue) Purge(ctx context.Context, tx *store.Tx, before time.Time) error {
	_, err := sqlc.New(tx).Purge(ctx, done(before))
	return err
}

// Start takes this process's name and frees the leases that its earlier run
// left behind, so that work goes on at once after a crash.
func (q *Queue) Start(ctx context.Context) error {
	release, err := q.db.HoldName(ctx, "worker "+q.name)
	if err != nil {
		return err
	}
	q.mu.Lock()
	q.release = release
	q.mu.Unlock()
	return q.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := sqlc.New(tx).FreeWorker(ctx, sqlc.FreeWorkerParams{Name: q.name + "/%", Worker: q.worker})
		return err
	})
}

// Stop gives the name free.
func (q *Queue) Stop() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.release == nil {
		return nil
	}
	err := q.release()
	q.release = nil
	return err
}

// RunOnce claims and does at most one due job; it tells whether there was one.
func (q *Queue) RunOnce(ctx context.Context) (bool, error) { return q.RunOnceOf(ctx, "") }

// RunOnceOf is RunOnce for one kind of job only, "" = of any.
func (q *Queue) RunOnceOf(ctx context.Context, kind string) (bool, error) {
	jobs, err := q.claim(ctx, 1, kind)
	if err != nil || len(jobs) == 0 {
		return false, err
	}
	q.do(ctx, jobs[0])
	return true, nil
}

// Next is when the next job comes due or loses its lease, zero if none is open.
func (q *Queue) Next(ctx context.Context) (time.Time, error) {
	us, err := sqlc.New(q.db.Read()).NextDue(ctx)
	return store.Time(us), err
}

// claim takes due jobs; of one kind only, if kind is not "".
func (q *Queue) claim(ctx context.Context, batch int, kind string) ([]Job, error) {
	now := q.now()
	var rows []sqlc.Job
	err := q.db.Tx(ctx, func(tx *store.Tx) (err error) {
		rows, err = sqlc.New(tx).ClaimJobs(ctx, sqlc.ClaimJobsParams{
			Lease: store.Micros(now.Add(Lease)), Worker: q.worker, Now: store.Micros(now), Batch: int32(batch), // #nosec G115 -- a handful
			Kind: sql.NullString{String: kind, Valid: kind != ""},
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim jobs: %w", err)
	}
	jobs := make([]Job, len(rows))
	for i, r := range rows {
		jobs[i] = Job{ID: r.ID, Kind: r.Kind, Key: r.Key, Args: json.RawMessage(r.Args), Attempt: int(r.Attempt), Fence: r.Fence, Worker: r.Worker}
	}
	return jobs, nil
}

// do runs one claimed job and writes what comes next. The lease is renewed
// while the handler works; a handler whose lease is lost is cancelled, and so is
// one that goes on for longer than the grace after the process was asked to stop.
func (q *Queue) do(ctx context.Context, j Job) {
	start := time.Now()
	work, cancel := context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), stopping{}, ctx))
	defer cancel(nil)
	stop := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() { q.renew(work, j, stop, cancel) })
	beside.Go(func() { late(ctx, stop, cancel) })
	done := sync.OnceFunc(func() { close(stop); beside.Wait() })
	defer done() // also if the handler ends its goroutine
	err := q.call(work, j)
	done()
	if cause := context.Cause(work); errors.Is(cause, ErrFenced) {
		err = ErrFenced
	}
	log := q.log.With("job", j.Kind, "key", j.Key, "attempt", j.Attempt, "took", time.Since(start).Round(time.Microsecond))

	// A stop of the process must not lose what comes next, nor a database that is
	// away for less than a lease: whoever takes over later would have to wait for it.
	after, end := context.WithTimeout(context.WithoutCancel(ctx), Lease)
	defer end()
	next := q.next(after, ctx, work, j, err, log)
	if next == nil {
		return
	}
	for err = next(); store.IsAway(err) && after.Err() == nil; err = next() {
		select {
		case <-after.Done():
		case <-time.After(Lease / 40):
		}
	}
	if err != nil {
		log.Error("job state not written; it runs again after its lease", "error", err)
	}
}

// next logs how a job ended, and gives what has to be written about it; nil if
// that is another worker's affair.
func (q *Queue) next(ctx, run, work context.Context, j Job, err error, log *slog.Logger) func() error {
	var wait Wait
	switch {
	case errors.Is(err, ErrFenced):
		log.Warn("job lost its lease; its writes were rolled back")
		return nil
	case err == nil:
		log.Debug("job done")
		return func() error {
			return q.db.Tx(ctx, func(tx *store.Tx) error {
				s := sqlc.New(tx)
				n, err := s.EndJob(ctx, sqlc.EndJobParams{ID: j.ID, Fence: j.Fence, Now: done(q.now())})
				if err != nil || n > 0 {
					return err
				}
				// Somebody asked for it while it ran, and it may have looked before that. If not
				// even this finds it, the handler finished it in its own transaction.
				if n, err = s.AgainJob(ctx, sqlc.AgainJobParams{ID: j.ID, Fence: j.Fence}); n > 0 {
					tx.After(q.Poke)
				}
				return err
			})
		}
	case errors.Is(err, ErrStopping), run.Err() != nil && errors.Is(context.Cause(work), ErrStopping):
		log.Info("job handed over", "error", err)
		return func() error { return q.handOver(ctx, j) }
	case errors.As(err, &wait):
		log.Debug("job waits", "until", wait.Until, "why", wait.Why)
		return func() error { return q.later(ctx, j, wait.Until, 0, wait.Why) }
	}
	d := backoff(j.Attempt)
	if f := fault.Of(err); f != nil && f.After > 0 {
		d = f.After
	}
	if fault.KindOf(err) == "" && !store.IsAway(err) {
		log.Error("job failed", "error", err, "again_in", d)
	} else {
		log.Warn("job will be tried again", "error", err, "again_in", d)
	}
	return func() error { return q.later(ctx, j, q.now().Add(d), j.Attempt, err.Error()) }
}

// late cancels a handler that has not come to an end within the grace.
func late(ctx context.Context, stop <-chan struct{}, cancel context.CancelCauseFunc) {
	select {
	case <-stop:
		return
	case <-ctx.Done():
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-stop:
	case <-t.C:
		cancel(ErrStopping)
	}
}

func (q *Queue) call(ctx context.Context, j Job) (err error) {
	h := q.handlers[j.Kind]
	if h == nil {
		return fmt.Errorf("no handler for jobs of kind %q", j.Kind)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(ctx, j)
}

func (q *Queue) renew(ctx context.Context, j Job, stop <-chan struct{}, lost context.CancelCauseFunc) {
	t := time.NewTicker(Lease / 3)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-t.C:
			err := q.db.Tx(ctx, func(tx *store.Tx) error { return q.Hold(ctx, tx, j) })
			if errors.Is(err, ErrFenced) {
				// Done in its own transaction, or taken over: both end the work.
				lost(ErrFenced)
				return
			}
		}
	}
}

// handOver gives a job free that is not done; it is due at once, and this was no
// failed try.
func (q *Queue) handOver(ctx context.Context, j Job) error {
	return q.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := sqlc.New(tx).LaterJob(ctx, sqlc.LaterJobParams{
			ID: j.ID, Fence: j.Fence, DueAt: store.Micros(q.now()), Attempt: int64(j.Attempt - 1), LastError: ErrStopping.Error(),
		})
		tx.Wake(news)
		return err
	})
}

func (q *Queue) later(ctx context.Context, j Job, due time.Time, attempt int, why string) error {
	return q.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := sqlc.New(tx).LaterJob(ctx, sqlc.LaterJobParams{
			ID: j.ID, Fence: j.Fence, DueAt: store.Micros(due), Attempt: int64(attempt), LastError: why,
		})
		tx.After(q.Poke)
		return err
	})
}

// backoff is 1, 2, 4 … 60 s with a tenth of jitter, so that many jobs which
// failed together do not come back together.
func backoff(attempt int) time.Duration {
	d := min(time.Second<<min(max(attempt-1, 0), 6), time.Minute)
	return d + time.Duration(rand.Int64N(int64(d)/10)) // #nosec G404 -- jitter, not a secret
}

// Run works with n workers until ctx ends. Then it takes no more jobs, and those
// that run end or are handed over: nothing of this worker's stays leased.
func (q *Queue) Run(ctx context.Context, n int) error {
	if err := q.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it began
		}
		return err
	}
	defer func() {
		if err := q.Stop(); err != nil {
			q.log.Error("worker name not given free", "error", err)
		}
	}()
	due, unwatch := q.db.Watch(news)
	defer unwatch()
	var loops sync.WaitGroup
	loops.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-due:
				q.Poke()
			}
		}
	})
	for _, kind := range q.urgent {
		loops.Go(func() { q.loop(ctx, 4, kind) })
	}
	q.loop(ctx, n, "")
	loops.Wait()
	return q.freeOwn(context.WithoutCancel(ctx))
}

// freeOwn gives free what was claimed in the very moment of the stop: nothing of
// ours runs any more.
func (q *Queue) freeOwn(ctx context.Context) error {
	err := q.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).FreeOwn(ctx, q.worker)
		if n > 0 {
			tx.Wake(news)
		}
		return err
	})
	if err != nil {
		q.log.Warn("leases not given free; another replica takes over when they end", "error", err)
	}
	return nil
}

// loop keeps n workers busy with jobs of a kind, "" = of any.
func (q *Queue) loop(ctx context.Context, n int, kind string) {
	wake := make(chan struct{}, 1)
	q.mu.Lock()
	q.idlers = append(q.idlers, wake)
	q.mu.Unlock()
	free := make(chan struct{}, n)
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		jobs, err := q.claim(ctx, n-len(free), kind)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			level := slog.LevelError
			if store.IsAway(err) {
				level = slog.LevelWarn
			}
			q.log.Log(ctx, level, "no job could be claimed", "error", err)
		}
		for _, j := range jobs {
			free <- struct{}{}
			running.Go(func() {
				q.do(ctx, j)
				<-free
				select {
				case wake <- struct{}{}:
				default:
				}
			})
		}
		if len(jobs) == 0 || len(free) == n {
			q.idle(ctx, wake, len(free) == n)
		}
	}
}

// idle waits for a poke, or for the next due time, at most a second: another
// replica may have added something without a poke.
func (q *Queue) idle(ctx context.Context, wake <-chan struct{}, busy bool) {
	d := time.Second
	if !busy {
		if next, err := q.Next(ctx); err == nil && !next.IsZero() {
			d = min(max(next.Sub(q.now()), time.Millisecond), d)
		}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}
