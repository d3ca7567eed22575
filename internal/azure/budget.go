package azure

import "time"

// Figures of a budget; Microsoft publishes almost none, so it is learned.
const (
	firstBackoff = 5 * time.Second  // a refusal without a time: 5, 10, 20 … s (errors.md: cap 5 min)
	lastBackoff  = 5 * time.Minute  //
	forgetAfter  = 10 * time.Minute // a limit not met for so long is learned anew
	probeTime    = 30 * time.Second // so long a call that tries alone is awaited
	usualPeriod  = time.Minute      // the limits that Microsoft documents are per minute
	calmFirst    = 3                // full periods before more than ever is tried, after one lesson …
	calmLater    = 20               // … and after several: then the ceiling is known well
)

// Budget is what is known of one limit: how many calls Microsoft takes in which
// time, and how many of them are spent. It is a value; every method gives a new one.
type Budget struct {
	Limit    int           // a period takes so many calls; 0 = no limit is known
	Ceiling  int           // so many were taken when one was refused
	Period   time.Duration //
	Since    time.Time     // begin of the present period
	Spent    int           // allotted in it
	Closed   time.Time     // nothing before that
	Refusals int           // in a row, that did not say until when
	Probing  bool          // after Closed one call tries alone: nobody said that it is open then
	Probe    time.Time     // that one is on its way until then
	Calm     int           // full periods without a refusal
	Lessons  int
	Epoch    int       // raised by each lesson: what was sent before it teaches nothing new
	From     time.Time // the last lesson counts the calls that were taken from here on
	Met      time.Time // the limit was last met, or spent to the end
}

// Known tells whether calls must be allotted: a limit is known, or the way closed.
func (b Budget) Known(now time.Time) bool {
	return b.Limit > 0 || b.Probing || now.Before(b.Closed)
}

// whole is the length of our period: a thirtieth longer than Microsoft's, because a
// replica whose clock is a second ahead would otherwise begin a minute too early.
// Beyond two seconds it may be refused at the begin of a minute; that costs calls,
// and nothing else.
func (b Budget) whole() time.Duration { return b.Period + b.Period/30 }

// Roll begins a new period when the old one is over.
func (b Budget) Roll(now time.Time) Budget {
	switch {
	case b.Limit == 0, b.Probing, now.Before(b.Closed), now.Sub(b.Since) < b.whole():
		return b
	case now.Sub(b.Met) > forgetAfter && (b.Spent < b.Limit || now.Sub(b.Since) > forgetAfter):
		return Budget{Epoch: b.Epoch}
	}
	if b.Spent >= b.Limit-b.Limit/20 { // spent to the end without a refusal
		b.Met = now
		b = b.raise()
	}
	b.Since, b.Spent = now, 0
	return b
}

// raise tries a little more, up to what was once taken. Beyond that a refusal is
// likely, and costs as many calls as are on their way: that is tried only after
// many calm periods, and then faster and faster, for the limit may have grown a lot.
func (b Budget) raise() Budget {
	b.Calm++
	step, patience := max(1, b.Limit/50), calmLater
	if b.Lessons <= 2 {
		patience = calmFirst
	}
	if over := b.Calm - patience; over >= 0 {
		b.Limit += step << min(over, 5)
	} else {
		b.Limit = min(b.Limit+step, max(b.Limit, b.Ceiling))
	}
	return b
}

// plenty stands for: no limit is known.
const plenty = 1 << 30

// Free says how many calls may go now; if none, how long nothing will change.
func (b Budget) Free(now time.Time) (n int, wait time.Duration) {
	switch {
	case now.Before(b.Closed):
		return 0, b.Closed.Sub(now)
	case b.Probing && now.Before(b.Probe):
		return 0, min(b.Probe.Sub(now), max(b.Period/20, 50*time.Millisecond))
	case b.Probing:
		return 1, 0
	case b.Limit == 0:
		return plenty, 0
	case b.Spent < b.Limit:
		return b.Limit - b.Spent, 0
	}
	return 0, b.Since.Add(b.whole()).Sub(now)
}

// reserve is what others than people at a page must leave of a period: a twentieth,
// until its last quarter.
func (b Budget) reserve(now time.Time) int {
	if b.Limit == 0 || now.Sub(b.Since) > b.Period*3/4 {
		return 0
	}
	return b.Limit / 20
}

// Spend allots n calls.
func (b Budget) Spend(now time.Time, n int) Budget {
	if b.Probing {
		b.Probe = now.Add(probeTime)
	}
	b.Spent += n
	return b
}

// GiveBack takes unused calls of the period that began at since back.
func (b Budget) GiveBack(since time.Time, n int) Budget {
	if b.Since.Equal(since) {
		b.Spent = max(0, b.Spent-n)
		b.Probe = time.Time{} // somebody else may try
	}
	return b
}

// Window is the time of which a refusal tells something: from its begin on, all
// that was taken counted against the limit. Microsoft says only when it ends, and
// documents limits per minute; a longer wait means a longer period. Without a time
// it is our own period, or the last minute at most.
func (b Budget) Window(now time.Time, after, minute time.Duration) (from time.Time, length time.Duration) {
	switch {
	case after > 0:
		length = max(minute, after)
		return now.Add(after - length), length
	case b.Limit > 0:
		return b.Since, b.Period
	case b.Since.After(now.Add(-minute)): // since it was found open
		return b.Since, minute
	}
	return now.Add(-minute), minute
}

// Count is how many calls were taken since a time, and from when on they were
// counted at all: earlier ones are not known.
type Count func(from time.Time) (n int, first time.Time, complete bool)

// Refuse learns from one 429. Calls that were on their way when the limit was met
// are refused as well; they teach only to stay closed. The very first refusal does
// so too: one alone may be a whim, and a limit made of it would hold everything up.
func (b Budget) Refuse(now time.Time, after, minute time.Duration, epoch int, count Count) Budget {
	from, length := b.Window(now, after, minute)
	told, late := after > 0, epoch != b.Epoch
	if !told {
		if late { // on its way when the limit was met: no sign that it lasts longer
			return b
		}
		after = min(lastBackoff, firstBackoff<<min(b.Refusals, 10))
	}
	if until := now.Add(after); until.After(b.Closed) {
		b.Closed = until
	}
	b.Met = now
	if late {
		return b
	}
	b.Probe = time.Time{}
	b.Epoch++
	early := b.Limit > 0 && b.Spent < b.Limit*3/4 && b.Calm >= 0
	b.Calm = 0
	if early {
		b.Calm = -1 // our period and Microsoft's did not begin together; twice in a row, the limit is lower
	}
	if b.Probing = !told; told {
		b.Refusals = 0
	} else if b.Refusals++; b.Refusals > 1 {
		return b // only the probe was refused: it is the same closure still
	}
	again := b.Lessons > 0
	b.Lessons++
	n, first, complete := count(from)
	if !complete || !again || early || n == 0 { // none at all: somebody else of the partner's spends it
		b.Since, b.Spent = b.Closed, 0
		return b
	}
	if first.After(from) && b.Limit == 0 { // nothing was sent before: the period may have begun with it
		from, length = first, max(now.Add(after).Sub(first), 100*time.Millisecond)
	}
	known := 0
	if b.Limit > 0 { // what all have spent, but for calls on their way; others may have died with their counts
		known = b.Spent - b.Spent/10
	}
	b.Ceiling, b.Period = n, length
	b.Limit = max(n, known, 1)
	b.From, b.Since, b.Spent = from, b.Closed, 0
	return b
}

// Contribute adds calls of the last lesson's window that were taken elsewhere, or
// whose answers came later.
func (b Budget) Contribute(epoch, n int) Budget {
	if b.Epoch == epoch && b.Limit > 0 && n > 0 {
		b.Ceiling += n
		b.Limit = max(b.Limit, b.Ceiling)
	}
	return b
}

// concerns tells whether a call that was taken says something new: it was sent
// before the last lesson and within its window, or it is the one that tries alone.
func (b Budget) concerns(epoch int, at time.Time) bool {
	if epoch == b.Epoch {
		return b.Probing
	}
	return b.Limit > 0 && !at.Before(b.From) && at.Before(b.Closed)
}

// Taken is told that a call was taken which was sent at a time, when lesson epoch
// was known; seen is the lesson known now. The way that it tried alone is open, and
// Microsoft's period began with it.
func (b Budget) Taken(epoch, seen int, at time.Time) Budget {
	switch {
	case !b.concerns(epoch, at):
	case epoch != b.Epoch:
		b = b.Contribute(seen, 1)
	default:
		b.Probing, b.Probe, b.Refusals = false, time.Time{}, 0
		b.Since, b.Spent = at, 1
	}
	return b
}
