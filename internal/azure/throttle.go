package azure

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"causeway/internal/fault"
)

// Figures of the governor; Microsoft publishes almost none, so it learns.
const (
	waitInPlace  = time.Second            // a shorter wait is spent in the call, a longer one by the job
	firstBackoff = 5 * time.Second        // a 429 without Retry-After: 5, 10, 20 … s (errors.md: cap 5 min)
	lastBackoff  = 5 * time.Minute        //
	forgetAfter  = 10 * time.Minute       // a limit not met for so long is learned anew
	shortest     = 100 * time.Millisecond // a learned period is at least so long
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

// Governor keeps our calls below limits that Microsoft does not publish. From
// the first 429 it learns how many calls a limit took in how long, and then
// spends a little less, raising it slowly again while nothing is refused.
//
// A limit is per partner, or per partner and customer; an answer does not say
// which. So a refusal first closes the customer's own way; when a second
// customer is refused meanwhile, the group closes for all.
type Governor struct {
	now func() time.Time

	mu     sync.Mutex
	budget map[way]*budget
}

// way is what shares a limit.
type way struct {
	service  Service
	group    string
	customer string // "" = all customers of the partner
}

// budget is what is known about one limit.
type budget struct {
	since time.Time // begin of the present period
	sent  int       // in it

	limit    int           // calls per period, 0 = not met yet
	period   time.Duration // of the limit, as learned
	full     bool          // the whole limit was spent in this period
	promised int           // waiters that were told when to come, in the next period

	closed   time.Time // nothing before that
	refusals int       // in a row, for a 429 without a time
	epoch    int       // raised by each lesson: an answer to an older call teaches nothing new
	lastMet  time.Time
}

// Pass lets one call through and remembers which lessons were known by then.
type Pass struct {
	ways   []way
	epochs []int
}

// NewGovernor makes one that knows no limits yet.
func NewGovernor(now func() time.Time) *Governor {
	return &Governor{now: now, budget: map[way]*budget{}}
}

// Admit lets a call through, waits up to a second for its turn, or gives a
// *Throttled that says when to come again.
func (g *Governor) Admit(ctx context.Context, s Service, group, customer string) (Pass, error) {
	ways := []way{{s, group, ""}}
	if customer != "" {
		ways = append(ways, way{s, group, customer})
	}
	for {
		pass, wait, ok := g.try(ways)
		if ok {
			return pass, nil
		}
		if wait > waitInPlace {
			return Pass{}, &Throttled{Service: s, Group: group, Until: g.now().Add(wait).UTC(), after: wait}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Pass{}, ctx.Err()
		}
	}
}

// try admits if every way is open; else it says how long to wait.
func (g *Governor) try(ways []way) (Pass, time.Duration, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	var wait time.Duration
	for _, w := range ways {
		if b := g.budget[w]; b != nil {
			b.roll(now)
			wait = max(wait, b.wait(now))
		}
	}
	if wait > 0 {
		return Pass{}, wait, false
	}
	pass := Pass{ways: ways}
	for i, w := range ways {
		b := g.budget[w]
		if b == nil && i == 0 { // the group's own count: always kept. A customer's only once it was refused
			b = &budget{since: now}
			g.budget[w] = b
		}
		epoch := 0
		if b != nil {
			b.sent++
			b.full = b.full || b.limit > 0 && b.sent >= b.limit
			epoch = b.epoch
		}
		pass.epochs = append(pass.epochs, epoch)
	}
	return pass, 0, true
}

// roll begins a new period when the old one is over.
func (b *budget) roll(now time.Time) {
	if b.limit == 0 {
		if now.Sub(b.since) > time.Minute { // the documented limits are per minute
			b.since, b.sent = now, 0
		}
		return
	}
	if now.Sub(b.lastMet) > forgetAfter {
		*b = budget{since: now, epoch: b.epoch}
		return
	}
	if now.Before(b.closed) || now.Sub(b.since) < b.period {
		return
	}
	if b.full { // spent to the end without a refusal: try a little more
		b.limit += max(1, b.limit/50)
	}
	b.since, b.sent, b.promised, b.full = now, 0, 0, false
}

// wait is 0 if a call may go now. Waiters are spread over the next period, so
// that they do not all come at its first moment.
func (b *budget) wait(now time.Time) time.Duration {
	if b.limit == 0 || now.Before(b.closed) {
		if now.Before(b.closed) {
			return b.spread(b.closed.Sub(now))
		}
		return 0
	}
	if b.sent < b.limit {
		return 0
	}
	return b.spread(b.since.Add(b.period).Sub(now))
}

func (b *budget) spread(first time.Duration) time.Duration {
	first = max(first, time.Millisecond)
	if b.limit == 0 || b.period == 0 {
		return first
	}
	b.promised++
	return first + time.Duration(b.promised-1)*b.period/time.Duration(b.limit)
}

// Learn takes the answer's status and Retry-After into account.
func (g *Governor) Learn(p Pass, status int, after time.Duration) {
	if len(p.ways) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if status != http.StatusTooManyRequests {
		if status != 0 && status < 500 {
			for _, w := range p.ways {
				if b := g.budget[w]; b != nil {
					b.refusals = 0
				}
			}
		}
		return
	}
	group := p.ways[0]
	if len(p.ways) == 1 {
		g.budget[group].refuse(now, after, p.epochs[0])
		return
	}
	own := p.ways[1]
	b := g.budget[own]
	if b == nil {
		b = &budget{since: g.budget[group].since, sent: 1}
		g.budget[own] = b
	}
	b.refuse(now, after, p.epochs[1])
	for w, other := range g.budget { // a second customer refused at the same time: the limit is the partner's
		if w.service == own.service && w.group == own.group && w.customer != "" && w != own && now.Before(other.closed) {
			g.budget[group].refuse(now, after, p.epochs[0])
			break
		}
	}
	g.tidy(now)
}

// tidy forgets customers whose limit was not met for long.
func (g *Governor) tidy(now time.Time) {
	if len(g.budget) < 1000 {
		return
	}
	for w, b := range g.budget {
		if w.customer != "" && now.Sub(b.lastMet) > forgetAfter {
			delete(g.budget, w)
		}
	}
}

// refuse learns from one 429. Calls that were on their way when the limit was
// met are refused as well; they teach nothing more than to stay closed.
func (b *budget) refuse(now time.Time, after time.Duration, epoch int) {
	b.lastMet = now
	if after == 0 {
		after = min(lastBackoff, firstBackoff<<min(b.refusals, 10))
	}
	b.refusals++
	if until := now.Add(after); until.After(b.closed) {
		b.closed = until
	}
	if epoch != b.epoch {
		return
	}
	b.epoch++
	accepted := max(1, b.sent-1)
	b.limit = max(1, accepted-max(1, accepted/20))
	b.period = max(shortest, now.Sub(b.since)+after)
	b.since, b.sent, b.promised, b.full = b.closed, 0, 0, false
}

// Cancel gives a pass back that was not used.
func (g *Governor) Cancel(p Pass) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range p.ways {
		if b := g.budget[w]; b != nil && b.epoch == p.epochs[i] && b.sent > 0 {
			b.sent--
		}
	}
}
