package provision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/azure/token"
	"causeway/internal/fault"
	"causeway/internal/guardrail"
	"causeway/internal/job"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/seal"
	"causeway/internal/store"
	"causeway/internal/support"
)

// Kinds of job that this package handles.
const (
	JobOnboard = "onboard" // key: onboarding id
	JobAsk     = "ask"     // key: id of the question
	JobSign    = "sign"    // key: provider id; waits for the second signatory
	JobTidy    = "tidy"    // key: ""; forgets what has had its time
	JobSweep   = "sides"   // key: ""; compares both sides every hour ("sweep" erases old sessions)
	JobFix     = "fix"     // key: ""; carries out what is done about differences
)

// Runner takes onboardings through their steps.
type Runner struct {
	db        *store.DB
	now       func() time.Time
	log       *slog.Logger
	jobs      *job.Queue
	people    *account.Directory
	settings  *partner.Settings
	terms     *agreement.Register
	guard     *guardrail.Book
	desk      *support.Desk
	mail      *support.Outbox
	providers *provider.Inventory
	ring      *seal.Ring // customer's secrets
	signer    *agreement.Signer
	portal    string // its address, without a slash at the end
	pace      float64
	measures  measures

	signatures *agreement.Signatures

	// Microsoft; nil in a process of role web, which asks through workers.
	pc     *partnercenter.Client
	graph  *graph.Client
	arm    *arm.Client
	tokens *token.Custody

	throttle *azure.Governor // nil: limits are not shared
}

// Parts is what a Runner is made of. The Azure clients may be nil: such a
// process takes no jobs.
type Parts struct {
	DB        *store.DB
	Now       func() time.Time
	Log       *slog.Logger
	Jobs      *job.Queue
	People    *account.Directory
	Settings  *partner.Settings
	Terms     *agreement.Register
	Guard     *guardrail.Book
	Desk      *support.Desk
	Mail      *support.Outbox
	Providers *provider.Inventory
	Ring      *seal.Ring
	Signer    *agreement.Signer
	Portal    string  // the portal's address, for links
	Pace      float64 // how many times as fast Microsoft is: 20 in a demo; 0 = 1. Only for estimates
	Signed    *agreement.Signatures
	Partner   *partnercenter.Client
	Graph     *graph.Client
	ARM       *arm.Client
	Tokens    *token.Custody
	Throttle  *azure.Governor // nil: nobody sees who waits for a limit
}

// New makes a runner; with Azure clients it also takes the jobs.
func New(p Parts) *Runner {
	r := &Runner{
		db: p.DB, now: p.Now, log: p.Log, jobs: p.Jobs, people: p.People, settings: p.Settings, terms: p.Terms, guard: p.Guard,
		desk: p.Desk, mail: p.Mail, providers: p.Providers, ring: p.Ring, signer: p.Signer,
		portal: strings.TrimSuffix(p.Portal, "/"), pace: max(p.Pace, 1), signatures: p.Signed, pc: p.Partner, graph: p.Graph, arm: p.ARM, tokens: p.Tokens, throttle: p.Throttle,
	}
	r.signatures.OnClose(func(ctx context.Context, tx *store.Tx, i agreement.Invitation) error {
		return r.jobs.Wake(ctx, tx, JobSign, i.Attempt)
	})
	if r.pc != nil {
		r.jobs.Handle(JobOnboard, r.advance)
		r.jobs.Handle(JobAsk, r.answer)
		r.jobs.Urgent(JobAsk)
		r.jobs.Handle(JobSign, r.awaitSignature)
		r.jobs.Handle(JobTidy, r.tidy)
		r.jobs.Handle(JobSweep, r.sweep)
		r.jobs.Handle(JobFix, r.fix)
	}
	return r
}

// work is one run of one step: the job that holds it, and what it works on as
// it was when the run began.
type work struct {
	r          *Runner
	j          job.Job
	o          Onboarding
	t          Tenant
	s          StepRecord
	cancelling bool
	errand     string // scope of the intents of a fix; "" in a step
	moved      *bool  // something was confirmed in this run of the job

	began time.Time // of this run
	anew  bool      // the step's time counts anew; the wait writes it

	sending atomic.Value // string: the intent whose request is on its way, for the crash tests
}

// tx commits together, and only while the job is ours.
func (w *work) tx(ctx context.Context, f func(*store.Tx) error) error {
	return w.r.db.Tx(ctx, func(tx *store.Tx) error {
		if err := w.r.jobs.Hold(ctx, tx, w.j); err != nil {
			return err
		}
		return f(tx)
	})
}

// steps is what each step does. A step may run again from its beginning at any
// time: it looks at its intents to see what is done.
var steps = map[Step]func(*work, context.Context) error{
	StepDetails:      (*work).submitDetails,
	StepCustomer:     (*work).makeCustomer,
	StepPlan:         (*work).orderPlan,
	StepSubscription: (*work).makeSubscription,
	StepAssociate:    (*work).associate,
	StepEnter:        (*work).enter,
	StepGuard:        (*work).guard,
	StepGrant:        (*work).grant,
	StepReady:        (*work).finish,
}

// advance is the handler of an onboarding's job: it goes from step to step
// until one has to wait, is stuck, or the last is done.
func (r *Runner) advance(ctx context.Context, j job.Job) error {
	moved, first := false, true
	for {
		if job.Stopping(ctx) {
			return job.ErrStopping
		}
		w, err := r.pickUp(ctx, j)
		if err != nil {
			return err
		}
		w.moved = &moved
		ctx := azure.WithCaller(ctx, w.caller())
		ctx = azure.WithCorrelation(ctx, azure.CorrelationID(w.o.Correlation))
		ctx = azure.WithRecorder(ctx, w.record)
		ctx = azure.WithSent(ctx, w.sent)
		switch w.o.State {
		case Ready, Cancelled, Stuck:
			return nil // a person acts next, or nobody
		case Running, Waiting, Cancelling:
		}
		start := w.start
		if w.o.State == Cancelling {
			start = w.startCancel
		}
		if err := start(ctx); err != nil { // before the line: an interruption is not forgotten in it
			return err
		}
		if first { // what is kept for this run goes back at its end
			defer r.throttle.End(ctx)
			if err := r.throttle.Turn(ctx); err != nil {
				return w.judge(ctx, err)
			}
			first = false
		}
		if w.o.State == Cancelling {
			return w.judge(ctx, w.cancel(ctx))
		}
		job.Point(string(w.o.Step) + ":start")
		err = steps[w.o.Step](w, ctx)
		if errors.Is(err, errCancelled) {
			continue
		}
		if err != nil {
			return w.judge(ctx, err)
		}
		job.Point(string(w.o.Step) + ":end")
		if err := w.done(ctx); err != nil {
			return err
		}
		job.Point(string(w.o.Step) + ":done")
	}
}

func (r *Runner) pickUp(ctx context.Context, j job.Job) (*work, error) {
	o, err := r.load(ctx, ID(j.Key))
	if err != nil {
		return nil, err
	}
	t, err := r.tenant(ctx, o.Tenant)
	if err != nil {
		return nil, err
	}
	w := &work{r: r, j: j, o: o, t: t, cancelling: o.State == Cancelling, began: r.now()}
	records, err := r.records(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	for _, s := range records {
		if s.Name == o.Step {
			if s.Note == heldNote { // it came back later than it was told
				s.Held += max(0, r.now().Sub(s.Next))
			}
			w.s = s
		}
	}
	return w, nil
}

// away is how much later than planned a step is asked again when nobody was there
// to ask: the program stood still, its clock jumped, or it was throttled for long.
const away = 5 * time.Minute

// start writes that the step has begun, the first time. After an interruption its
// time counts anew: a deadline is for how long Microsoft was asked in vain, and not
// for how long nobody asked.
func (w *work) start(ctx context.Context) error {
	if w.s.State == StepRunning || w.s.State == StepWaiting {
		now := w.r.now()
		late := now.Sub(w.s.Next)
		if w.s.Next.IsZero() { // it died in its first run
			late = now.Sub(w.s.Started)
		}
		if late < away || w.o.State == Waiting { // a person's time goes on
			return nil
		}
		w.s.Started, w.s.Held = now, 0
		return w.tx(ctx, func(tx *store.Tx) error {
			if err := changeStep(ctx, tx, w.o.ID, w.o.Step, func(s *StepRecord) { s.Started, s.Held = now, 0 }); err != nil {
				return err
			}
			return w.say(ctx, tx, provider.Info, "Goes on after an interruption of %s", late.Round(time.Second))
		})
	}
	w.s.State, w.s.Started, w.s.Asked, w.s.Held = StepRunning, w.r.now(), 0, 0
	return w.tx(ctx, func(tx *store.Tx) error {
		err := changeStep(ctx, tx, w.o.ID, w.o.Step, func(s *StepRecord) {
			s.State, s.Started, s.Finished, s.Asked, s.Held = StepRunning, w.s.Started, time.Time{}, 0, 0
		})
		if err != nil {
			return err
		}
		return w.show(ctx, tx, provider.Running, "")
	})
}

// startCancel counts time from when the cancelling was asked for, or went on after
// an interruption: the step may have begun long ago, or not at all.
func (w *work) startCancel(ctx context.Context) error {
	now := w.r.now()
	w.s.Started, w.s.Held = w.o.ChangedAt, 0
	asked := w.o.ChangedAt
	if w.s.Next.After(asked) {
		asked = w.s.Next
	}
	if now.Sub(asked) < away {
		return nil
	}
	w.s.Started = now
	return w.tx(ctx, func(tx *store.Tx) error {
		return w.r.change(ctx, tx, w.o.ID, func(*Onboarding) error { return nil })
	})
}

// done writes that the step is done and which comes next; after the last one
// the step itself has written the end.
func (w *work) done(ctx context.Context) error {
	if w.o.Step == StepReady {
		return nil
	}
	next := Steps[0]
	for i, s := range Steps[:len(Steps)-1] {
		if s == w.o.Step {
			next = Steps[i+1]
		}
	}
	return w.tx(ctx, func(tx *store.Tx) error {
		err := changeStep(ctx, tx, w.o.ID, w.o.Step, func(s *StepRecord) {
			s.State, s.Finished, s.Note, s.Next = StepDone, w.r.now(), "", time.Time{}
		})
		if err != nil {
			return err
		}
		return w.r.change(ctx, tx, w.o.ID, func(o *Onboarding) error {
			o.Step = next
			if o.State == Waiting {
				o.State = Running
			}
			return nil
		})
	})
}

// show puts the onboarding's state on its provider.
func (w *work) show(ctx context.Context, tx *store.Tx, s provider.State, note string) error {
	return w.r.providers.Change(ctx, tx, w.o.Provider, provider.Platform, func(p *provider.Provider) error {
		if p.State == provider.Cancelling && s != provider.Cancelled && s != provider.Stuck {
			return nil
		}
		p.State, p.Note = s, note
		return nil
	})
}

// say writes a line in the provider's log.
func (w *work) say(ctx context.Context, tx *store.Tx, level int, format string, args ...any) error {
	return w.r.providers.Log(ctx, tx, w.o.Provider, level, string(w.o.Step), fmt.Sprintf(format, args...))
}

// fact notes something that is done, on the step and in the log, once.
func (w *work) fact(ctx context.Context, tx *store.Tx, format string, args ...any) error {
	text, known := fmt.Sprintf(format, args...), false
	err := changeStep(ctx, tx, w.o.ID, w.o.Step, func(s *StepRecord) {
		if known = slices.Contains(s.Facts, text); !known {
			s.Facts = append(s.Facts, text)
		}
	})
	if err != nil || known {
		return err
	}
	return w.say(ctx, tx, provider.Done, "%s", text)
}

// watchClock counts the step's time anew if a person was awaited until now, or if
// the clock jumped while this run was at work; no run takes so long.
func (w *work) watchClock(person bool) {
	now := w.r.now()
	if acted := w.o.State == Waiting && !person; acted || now.Sub(w.began) >= away {
		w.s.Started, w.s.Held, w.anew, w.began = now, 0, true, now
	}
}

// pause is the error of a step that asked Microsoft and has to ask again. The
// pause grows with the time already waited, a fortieth of it, so that asking
// costs little and is never late by much; after the deadline somebody looks.
func (w *work) pause(why string, deadline time.Duration) error {
	w.watchClock(false)
	since := w.r.now().Sub(w.s.Started)
	waited := since - w.s.Held // Microsoft was not asked while we were held
	if deadline > 0 && waited > deadline {
		return stuck("", why+fmt.Sprintf(" This has lasted for %s, which is longer than Microsoft ever needed.", waited.Round(time.Second)),
			"Look at the exchange, ask Microsoft's support with the ids it names, then try again.")
	}
	return job.Wait{Until: w.r.now().Add(min(max(since/40, 100*time.Millisecond), 30*time.Second)), Why: why}
}

// heldNote is what an onboarding says that waits for its turn at a limit; the page
// adds how many are before it.
const heldNote = "Microsoft takes only so many requests a minute. It waits for its turn."

// queue waits for the turn at a limit: no failure, and no time of Microsoft's.
func (w *work) queue(ctx context.Context, d time.Duration) error {
	wait := job.Wait{Until: w.r.now().Add(d), Why: heldNote}
	w.s.Held += d
	if w.s.Note != heldNote {
		w.s.Asked-- // it is not asked again, it is not asked yet
		return w.wait(ctx, Running, wait)
	}
	err := w.tx(ctx, func(tx *store.Tx) error { // told again: the page reads the line itself
		return changeStep(ctx, tx, w.o.ID, w.o.Step, func(s *StepRecord) { s.Next, s.Held = wait.Until, w.s.Held })
	})
	if err != nil {
		return err
	}
	return wait
}

// caller is for whom the calls of this run are made.
func (w *work) caller() azure.Caller {
	c := azure.Caller{Key: string(w.o.ID), Org: string(w.o.Org), Began: w.o.StartedAt, Class: azure.Work}
	if w.s.Asked > 0 {
		c.Class = azure.Poll
	}
	return c
}

// forPerson is the error of a step that waits for a person: it costs nothing and
// may last for weeks.
type forPerson struct {
	why string
	ask time.Duration // how often we look
}

func (f forPerson) Error() string { return f.why }

// judge turns the error of a step into what comes next: wait, try again, or
// stuck. It is the only place that decides so.
func (w *work) judge(ctx context.Context, err error) error {
	var (
		wait   job.Wait
		person forPerson
		alarm  *token.Alarm
	)
	switch {
	case err == nil, errors.Is(err, job.ErrFenced), ctx.Err() != nil:
		return err
	case errors.Is(err, job.ErrStopping), store.IsAway(err) && azure.AsError(err) == nil:
		return err // another replica goes on; a database that comes back is no fault of the step
	case errors.Is(err, errCancelled):
		return job.Wait{Until: w.r.now(), Why: "cancelled"}
	case errors.As(err, &person):
		return w.wait(ctx, Waiting, job.Wait{Until: w.r.now().Add(person.ask), Why: person.why})
	case errors.As(err, &wait):
		return w.wait(ctx, Running, wait)
	case errors.As(err, &alarm) && azure.Classify(err) == azure.F, azure.HasCode(err, azure.CodeNoMFA):
		// The partner's own sign-in: every onboarding waits, none is broken.
		return w.wait(ctx, Waiting, job.Wait{Until: w.r.now().Add(30 * time.Second), Why: "The partner's sign-in to Microsoft has to be renewed by its staff. It goes on by itself then."})
	}
	switch azure.Classify(err) {
	case azure.R1:
		after := 5 * time.Second
		if f := fault.Of(err); f != nil && f.After > 0 {
			after = f.After
		}
		return w.queue(ctx, after)
	case azure.R2:
		if werr := w.wait(ctx, Running, job.Wait{Until: w.r.now().Add(time.Second), Why: "Microsoft does not answer. We go on asking."}); !errors.As(werr, &wait) {
			return werr
		}
		if *w.moved { // a new fault, not the old one again: the back-off begins anew
			return job.Wait{Until: w.r.now().Add(time.Second), Why: err.Error()}
		}
		return err // the queue's back-off
	case azure.R3:
		return w.wait(ctx, Running, w.pause("Microsoft is still copying what was just made.", 30*time.Minute))
	case azure.R4:
		return job.Wait{Until: w.r.now().Add(100 * time.Millisecond), Why: "changed meanwhile; reading it again"}
	case azure.W:
		return w.wait(ctx, Waiting, job.Wait{Until: w.r.now().Add(5 * time.Minute), Why: reason(err)})
	}
	if fault.KindOf(err) == "" && azure.AsError(err) == nil && w.j.Attempt < 8 {
		return err // our bug, or a database that is away: logged, and tried again a few times
	}
	return w.stick(ctx, err)
}

func reason(err error) string {
	if r, ok := azure.Refusal(err); ok {
		return r.Reason
	}
	return err.Error()
}

// wait writes why, for the page, and gives the job its time.
func (w *work) wait(ctx context.Context, state State, werr error) error {
	var wait job.Wait
	if !errors.As(werr, &wait) {
		return w.stick(ctx, werr)
	}
	w.watchClock(state == Waiting)
	shown := provider.Running
	if state == Waiting {
		shown = provider.Waiting
	}
	err := w.tx(ctx, func(tx *store.Tx) error {
		err := changeStep(ctx, tx, w.o.ID, w.o.Step, func(s *StepRecord) {
			s.State, s.Note, s.Next = StepWaiting, wait.Why, wait.Until
			s.Asked, s.Held = w.s.Asked+1, w.s.Held
			if w.anew && !w.cancelling {
				s.Started = w.s.Started
			}
		})
		if err != nil {
			return err
		}
		if w.anew && w.cancelling { // its time begins with the onboarding's last change
			if err := w.r.change(ctx, tx, w.o.ID, func(*Onboarding) error { return nil }); err != nil {
				return err
			}
		}
		if w.s.Note != wait.Why { // not at each asking
			if err := w.say(ctx, tx, provider.Info, "%s", wait.Why); err != nil {
				return err
			}
		}
		if w.o.State != state && !w.cancelling {
			err := w.r.change(ctx, tx, w.o.ID, func(o *Onboarding) error {
				if o.State == Running || o.State == Waiting {
					o.State = state
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if state == Waiting {
			if err := w.remind(ctx, tx, wait.Why); err != nil {
				return err
			}
		}
		return w.show(ctx, tx, shown, wait.Why)
	})
	if err != nil {
		return err
	}
	return wait
}

// stick writes that a person has to look: field, reason, remedy; staff and the
// customer get a mail. The job ends here; a retry makes a new one.
func (w *work) stick(ctx context.Context, cause error) error {
	refusal := explain(cause)
	w.r.log.Warn("onboarding is stuck", "onboarding", w.o.ID, "step", w.o.Step, "error", cause)
	brand, err := w.r.settings.Brand(ctx)
	if err != nil {
		return err
	}
	return w.tx(ctx, func(tx *store.Tx) error {
		now := w.r.now()
		err := changeStep(ctx, tx, w.o.ID, w.o.Step, func(s *StepRecord) { s.State, s.Note, s.Next = StepStuck, refusal.Reason, time.Time{} })
		if err != nil {
			return err
		}
		err = w.r.change(ctx, tx, w.o.ID, func(o *Onboarding) error {
			o.Refusal, o.StuckAt = &refusal, now
			o.State = Stuck
			return nil
		})
		if err != nil {
			return err
		}
		if err := w.say(ctx, tx, provider.Failed, "%s", refusal.String()); err != nil {
			return err
		}
		if err := w.show(ctx, tx, provider.Stuck, refusal.Reason); err != nil {
			return err
		}
		if err := w.tellStuck(ctx, tx, brand, refusal, now); err != nil {
			return err
		}
		err = audit.Write(ctx, tx, audit.Entry{
			Org: string(w.o.Org), At: now, Actor: audit.System, Action: "onboarding.stuck", Object: "onboarding:" + string(w.o.ID),
			Detail: map[string]any{"step": w.o.Step, "reason": refusal},
		})
		if err != nil {
			return err
		}
		return w.r.jobs.Finish(ctx, tx, w.j)
	})
}

// explain gives field, reason and remedy of an error.
func explain(err error) fault.Refusal {
	if f := fault.Of(err); f != nil && len(f.Refusals) > 0 && azure.AsError(err) == nil {
		return f.Refusals[0]
	}
	if r, ok := azure.Refusal(err); ok {
		return r
	}
	if f := fault.Of(err); f != nil {
		if len(f.Refusals) > 0 {
			return f.Refusals[0]
		}
		return fault.Refusal{Reason: f.Message}
	}
	return fault.Refusal{
		Code: "internal", Reason: "Something broke on our side; the log names it.",
		Remedy: "Our support looks at it. Nothing needs to be typed again.",
	}
}

// record keeps an exchange, so that staff see exactly what was said. A question
// that is asked again and again keeps only its last answer.
func (w *work) record(ctx context.Context, x azure.Exchange) {
	body, err := json.Marshal(x)
	if err != nil {
		w.r.log.Error("exchange not kept", "error", err)
		return
	}
	path := x.URL
	if u, err := url.Parse(x.URL); err == nil {
		path = u.RequestURI()
	}
	id := store.NewID()
	if x.Method == http.MethodGet || x.Method == http.MethodHead {
		h := sha256.Sum256([]byte(string(w.o.ID) + " " + string(w.o.Step) + " " + x.Method + " " + path))
		id = hex.EncodeToString(h[:16])
	}
	err = w.r.db.Tx(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return sqlc.New(tx).AddExchange(ctx, sqlc.AddExchangeParams{
			ID: id, Onboarding: string(w.o.ID), Step: string(w.o.Step), At: store.Micros(x.Started), Method: x.Method,
			Path: path, Status: int64(x.Status), Body: string(body),
		})
	})
	if err != nil {
		w.r.log.Error("exchange not kept", "error", err)
	}
}
