package azure

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"causeway/internal/fault"
	"causeway/internal/store"
)

// Figures of the governor.
const (
	waitInPlace = time.Second // a shorter wait is spent in the call, a longer one by the job
	freshFor    = time.Second // what other processes learned is known here so much later at most
)

// Throttled says that the governor held a call back: it was not sent. The job
// waits until then; nobody sleeps in a worker.
type Throttled struct {
	Service Service
	Group   string
	Until   time.Time // UTC
	after   time.Duration
}

func (t *Throttled) Error() string {
	return fmt.Sprintf("%s: calls of the group %q wait until %s", t.Service.Word(), t.Group, t.Until.Format(time.RFC3339Nano))
}

// Unwrap makes it an Unavailable fault with the time to wait.
func (t *Throttled) Unwrap() error {
	f := fault.New(fault.Unavailable, "%s takes no more requests for a while.", t.Service.Word())
	f.After = t.after
	return f
}

// Governor keeps our calls below limits that Microsoft does not publish, and lets
// those who wait for one go in a fair order. What it learns stands in the database:
// all processes spend the same budget, and one that starts again knows it.
//
// As long as no limit is known, a call costs no look into the database; once one
// is, each run of a job takes a few calls at a time and gives back what it did not
// need. The rules are Line and Budget; this keeps them for many goroutines.
type Governor struct {
	now    func() time.Time
	minute time.Duration
	born   time.Time
	shelf  shelf

	loading sync.Mutex // held while the database is read, so that nobody calls before it was once
	mu      sync.Mutex
	looked  time.Time // when the database was last read
	owed    []share
	lines   map[place]*known

	reading sync.Mutex // of what is shown
	board   map[place]Line
	read    time.Time
}

// place is a throttle group of a service.
type place struct {
	service Service
	group   string
}

// known is what this process knows of a line.
type known struct {
	budget Budget
	own    map[string]Budget
	taken  map[string]*tally      // calls that were taken; "" = of all customers
	allots map[string]*allotments // by caller
	gave   map[string]counted     // the last lesson that has this process's count in it, or will have; by customer
}

// counted is how much of this process's count a lesson has from its maker.
type counted struct {
	epoch, n int
	seen     bool // the rest is owed
}

// share is what this process took in the window of a lesson that another one made.
type share struct {
	place
	customer string
	epoch, n int
}

// allotments are calls that a caller may make in one period.
type allotments struct {
	left  int
	since time.Time // the period's begin
	until time.Time // and its end
}

// Pass lets one call through and remembers which lessons were known by then.
type Pass struct {
	place           place
	customer        string
	key             string
	at              time.Time
	epoch, ownEpoch int
	allotted        bool
}

// NewGovernor makes one that knows what the database knows; without a database it
// begins with nothing and is alone. A minute is the one in which limits are counted:
// shorter at a simulator that runs faster; 0 = a minute.
func NewGovernor(now func() time.Time, db *store.DB, minute time.Duration) *Governor {
	g := &Governor{now: func() time.Time { return now().UTC().Truncate(time.Microsecond) }, minute: minute, lines: map[place]*known{}}
	if minute <= 0 {
		g.minute = usualPeriod
	}
	g.born = g.now()
	g.shelf = &memory{lines: map[place]Line{}}
	if db != nil {
		g.shelf = database{db}
	}
	return g
}

// Admit lets a call through, waits up to a second for its turn, or gives a
// *Throttled that says when to come again.
func (g *Governor) Admit(ctx context.Context, s Service, group, customer string) (Pass, error) {
	p, c := place{s, group}, caller(ctx)
	if err := g.look(ctx); err != nil {
		return Pass{}, err
	}
	for patience := waitInPlace; ; {
		pass, held, err := g.try(ctx, p, c, customer)
		if err != nil || held == nil {
			return pass, err
		}
		wait := held.Until.Sub(g.now())
		if wait > patience {
			return Pass{}, &Throttled{Service: s, Group: group, Until: held.Until, after: wait}
		}
		wait = max(wait, 5*time.Millisecond)
		patience -= wait
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Pass{}, ctx.Err()
		}
	}
}

// try admits, or says how long to wait.
func (g *Governor) try(ctx context.Context, p place, c Caller, customer string) (Pass, *Held, error) {
	now := g.now()
	pass := Pass{place: p, customer: customer, key: c.Key, at: now}
	g.mu.Lock()
	k := g.line(p)
	own := k.own[customer]
	refused := customer != "" && own.Known(now)
	pass.epoch, pass.ownEpoch = k.budget.Epoch, own.Epoch
	if !k.budget.Known(now) && !refused {
		g.mu.Unlock()
		return pass, nil, nil
	}
	pass.allotted = true
	if a := k.allots[c.Key]; a != nil && a.left > 0 && now.Before(a.until) {
		a.left-- // what Turn gave is for the very calls of this run, whatever else they wait for
		g.mu.Unlock()
		if !refused {
			return pass, nil, nil
		}
		held, err := g.takeOwn(ctx, p, c, customer)
		if err != nil || held != nil {
			g.mu.Lock()
			a.left++
			g.mu.Unlock()
			return Pass{}, held, err
		}
		return pass, nil, nil
	}
	want := 1
	if c.Key != "" && !refused {
		want = min(max(k.budget.Limit/50, 1), turnCalls)
	}
	g.mu.Unlock()
	n, held, err := g.take(ctx, p, c, customer, want)
	if err != nil || held != nil {
		return Pass{}, held, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	pass.epoch, pass.ownEpoch = k.budget.Epoch, k.own[customer].Epoch
	if a := k.allots[c.Key]; a != nil && n > 0 {
		a.left-- // this call's own
	}
	return pass, nil, nil
}

// take takes calls from the line and keeps them for the caller's run.
func (g *Governor) take(ctx context.Context, p place, c Caller, customer string, want int) (n int, held *Held, err error) {
	now := g.now()
	line, err := g.shelf.with(ctx, p, now, func(l Line) Line {
		l, n, held = l.Take(now, c, customer, want)
		return l
	})
	if err != nil {
		return 0, nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.see(p, line)
	if b := line.Budget; held == nil && c.Key != "" {
		k.allots[c.Key] = &allotments{left: n, since: b.Since, until: b.Since.Add(b.Period)}
		if b.Probing {
			k.allots[c.Key].until = b.Probe
		}
	}
	return n, held, nil
}

// takeOwn takes a call from the customer's own limit alone: the caller has one of the
// line already.
func (g *Governor) takeOwn(ctx context.Context, p place, c Caller, customer string) (held *Held, err error) {
	now := g.now()
	line, err := g.shelf.with(ctx, p, now, func(l Line) Line {
		l, held = l.TakeOwn(now, c, customer)
		return l
	})
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.see(p, line)
	g.mu.Unlock()
	return held, nil
}

// Turn is asked when a job comes back that was held: it does not begin its step
// again, with all the reading at its begin, before its turn has come.
func (g *Governor) Turn(ctx context.Context) error {
	c := caller(ctx)
	if g == nil || c.Key == "" {
		return nil
	}
	if err := g.look(ctx); err != nil {
		return err
	}
	g.mu.Lock()
	any, now := false, g.now()
	for _, k := range g.lines {
		any = any || k.budget.Known(now)
	}
	g.mu.Unlock()
	if !any {
		return nil
	}
	places, err := g.shelf.ofKey(ctx, c.Key)
	if err != nil {
		return err
	}
	for _, p := range places {
		g.mu.Lock()
		k := g.line(p)
		a := k.allots[c.Key]
		has, open := a != nil && a.left > 0 && now.Before(a.until), !k.budget.Known(now)
		want := min(max(k.budget.Limit/50, 1), turnCalls)
		g.mu.Unlock()
		if has || open {
			continue
		}
		_, held, err := g.take(ctx, p, c, "", want)
		if err != nil {
			return err
		}
		if held != nil {
			return &Throttled{Service: p.service, Group: p.group, Until: held.Until, after: held.Until.Sub(g.now())}
		}
	}
	return nil
}

// End gives back what the caller's run did not need.
func (g *Governor) End(ctx context.Context) {
	c := caller(ctx)
	if g == nil || c.Key == "" {
		return
	}
	type rest struct {
		place
		allotments
	}
	var unused []rest
	g.mu.Lock()
	for p, k := range g.lines {
		if a := k.allots[c.Key]; a != nil {
			if a.left > 0 {
				unused = append(unused, rest{p, *a})
			}
			delete(k.allots, c.Key)
		}
	}
	g.mu.Unlock()
	for _, r := range unused {
		g.giveBack(ctx, r.place, r.since, r.left)
	}
}

// Leave gives up the caller's places in the lines: it will not come again, and calls
// that are kept for it are somebody else's.
func (g *Governor) Leave(ctx context.Context) error {
	c := caller(ctx)
	if g == nil || c.Key == "" {
		return nil
	}
	places, err := g.shelf.ofKey(ctx, c.Key)
	for i := 0; err == nil && i < len(places); i++ {
		err = g.change(ctx, places[i], func(l Line) Line { return l.leave(c.Key) })
	}
	return err
}

// giveBack frees calls that were allotted and not made. If it cannot be written,
// they lapse with their period.
func (g *Governor) giveBack(ctx context.Context, p place, since time.Time, n int) {
	line, err := g.shelf.with(context.WithoutCancel(ctx), p, g.now(), func(l Line) Line {
		l.Budget = l.Budget.GiveBack(since, n)
		l.Pace.Taken = max(0, l.Pace.Taken-n)
		return l
	})
	if err == nil {
		g.mu.Lock()
		g.see(p, line)
		g.mu.Unlock()
	}
}

// Cancel gives a pass back that was not used.
func (g *Governor) Cancel(ctx context.Context, p Pass) {
	if !p.allotted {
		return
	}
	g.mu.Lock()
	k := g.line(p.place)
	since := k.budget.Since
	if a := k.allots[p.key]; a != nil && p.key != "" {
		a.left++
		g.mu.Unlock()
		return
	}
	g.mu.Unlock()
	g.giveBack(ctx, p.place, since, 1)
}

// Learn takes the answer's status and Retry-After into account; 0 = no answer. It
// writes only when a limit was met, or found open again.
func (g *Governor) Learn(ctx context.Context, p Pass, status int, after time.Duration) error {
	if p.place == (place{}) || status == 0 {
		return nil
	}
	now := g.now()
	if status == http.StatusTooManyRequests {
		return g.refused(ctx, p, now, after)
	}
	g.mu.Lock()
	k := g.line(p.place)
	k.count("", g).add(p.at)
	if t := k.taken[p.customer]; t != nil && p.customer != "" {
		t.add(p.at)
	}
	b, own := k.budget, k.own[p.customer]
	g.mu.Unlock()
	if !b.concerns(p.epoch, p.at) && !own.concerns(p.ownEpoch, p.at) {
		return nil
	}
	return g.change(ctx, p.place, func(l Line) Line {
		l.Budget = l.Budget.Taken(p.epoch, b.Epoch, p.at)
		if o, ok := l.Own[p.customer]; ok {
			l = l.own(p.customer, o.Taken(p.ownEpoch, own.Epoch, p.at))
		}
		return l
	})
}

func (g *Governor) refused(ctx context.Context, p Pass, now time.Time, after time.Duration) error {
	r := Refusal429{Customer: p.customer, After: after, Minute: g.minute, Epoch: p.epoch, OwnEpoch: p.ownEpoch}
	all, own := 0, 0
	r.All, r.Own = g.tallied(p.place, "", &all), g.tallied(p.place, p.customer, &own)
	return g.change(ctx, p.place, func(l Line) Line {
		was, wasOwn := l.Budget.Epoch, l.Own[p.customer].Epoch
		l = l.Refuse(now, r)
		g.mu.Lock()
		defer g.mu.Unlock()
		k := g.line(p.place) // noted before others can see the lesson
		if e := l.Budget.Epoch; e != was {
			k.gave[""] = counted{epoch: e, n: all}
		}
		if e := l.Own[p.customer].Epoch; e != wasOwn {
			k.gave[p.customer] = counted{epoch: e, n: own}
		}
		return l
	})
}

// owe notes what this process took in the window of a lesson that is seen for the
// first time, beyond what its maker has put in. What is answered from now on is
// added one by one. g.mu is held.
func (g *Governor) owe(k *known, p place, customer string, b Budget) {
	gave := k.gave[customer]
	if b.Epoch < gave.epoch || b.Epoch == gave.epoch && gave.seen {
		return
	}
	if b.Epoch > gave.epoch {
		gave = counted{epoch: b.Epoch}
	}
	gave.seen = true
	k.gave[customer] = gave
	t := k.taken[customer]
	if t == nil || b.Limit == 0 || b.From.IsZero() {
		return
	}
	if n, _, _ := t.since(b.From); n > gave.n {
		g.owed = append(g.owed, share{p, customer, b.Epoch, n - gave.n})
	}
}

// settle adds what this process took to the lessons that others made.
func (g *Governor) settle(ctx context.Context) error {
	g.mu.Lock()
	owed := g.owed
	g.owed = nil
	g.mu.Unlock()
	for _, s := range owed {
		err := g.change(ctx, s.place, func(l Line) Line {
			if s.customer == "" {
				l.Budget = l.Budget.Contribute(s.epoch, s.n)
			} else if o, ok := l.Own[s.customer]; ok {
				l = l.own(s.customer, o.Contribute(s.epoch, s.n))
			}
			return l
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *Governor) change(ctx context.Context, p place, f func(Line) Line) error {
	line, err := g.shelf.with(context.WithoutCancel(ctx), p, g.now(), f)
	if err != nil {
		return fmt.Errorf("what was learned of a limit is not kept: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.see(p, line)
	return nil
}

// tallied counts what was taken through this process. A customer is counted only
// from its first refusal on.
func (g *Governor) tallied(p place, customer string, told *int) Count {
	return func(from time.Time) (int, time.Time, bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		n, first, complete := g.line(p).count(customer, g).since(from)
		*told = n
		return n, first, complete
	}
}

// line is what is known of a place; g.mu is held.
func (g *Governor) line(p place) *known {
	k := g.lines[p]
	if k == nil {
		k = &known{own: map[string]Budget{}, taken: map[string]*tally{}, allots: map[string]*allotments{}, gave: map[string]counted{}}
		k.taken[""] = &tally{born: g.born, unit: g.minute / 60}
		g.lines[p] = k
	}
	return k
}

func (k *known) count(customer string, g *Governor) *tally {
	t := k.taken[customer]
	if t == nil {
		t = &tally{born: g.now(), unit: g.minute / 60}
		k.taken[customer] = t
	}
	return t
}

// see keeps what the database has; g.mu is held.
func (g *Governor) see(p place, l Line) *known {
	k := g.line(p)
	if l.Budget.Epoch < k.budget.Epoch {
		return k // read before something newer was written
	}
	if l.Budget.Epoch != k.budget.Epoch {
		clear(k.allots) // taken before the lesson
	}
	g.owe(k, p, "", l.Budget)
	for customer, b := range l.Own {
		g.owe(k, p, customer, b)
	}
	k.budget = l.Budget
	k.own = l.Own
	for customer := range l.Own {
		k.count(customer, g)
	}
	for customer := range k.taken {
		if _, ok := l.Own[customer]; !ok && customer != "" {
			delete(k.taken, customer)
			delete(k.gave, customer)
		}
	}
	return k
}

// look reads what other processes have learned, once a second. A lesson is told of
// what one process saw; the others add what they sent in the same window.
func (g *Governor) look(ctx context.Context) error {
	now := g.now()
	g.mu.Lock()
	stale, first := now.Sub(g.looked).Abs() >= freshFor, g.looked.IsZero()
	g.mu.Unlock()
	if !stale {
		return nil
	}
	if first {
		g.loading.Lock()
	} else if !g.loading.TryLock() {
		return nil // somebody is reading it
	}
	defer g.loading.Unlock()
	g.mu.Lock()
	from := g.looked
	g.mu.Unlock()
	if now.Sub(from).Abs() < freshFor {
		return nil
	}
	if !from.IsZero() {
		from = from.Add(-10 * time.Second) // their clocks may be behind
	}
	lines, err := g.shelf.changed(ctx, from)
	if err != nil {
		return fmt.Errorf("read the known limits: %w", err)
	}
	g.mu.Lock()
	for p, l := range lines {
		g.see(p, l)
	}
	g.looked = now
	g.mu.Unlock()
	return g.settle(ctx)
}

// Tidy forgets who has left a line and limits of customers that were not met for a
// day.
func (g *Governor) Tidy(ctx context.Context) error { return g.shelf.tidy(ctx, g.now()) }
