package azure

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Urgency is how urgent a call is.
type Urgency int

// The urgencies. A poll goes one round behind the first calls of others: what it
// asks for may not be there yet, while a first call begins Microsoft's own waits.
const (
	Ask   Urgency = iota // a person waits at a page
	Work                 // an onboarding goes on
	Poll                 // an onboarding asks again
	Sweep                // nobody waits
)

// Caller is for whom calls are made; WithCaller puts it into a context.
type Caller struct {
	Key   string // onboarding, question, sweep
	Org   string // shares are equal between organizations
	Began time.Time
	Class Urgency
}

// Figures of the line.
const (
	turnCalls = 8                // a turn takes at most so many calls: a step makes few of one group
	lookAgain = time.Minute      // who waits looks at least so often whether it goes faster
	noShow    = 15 * time.Second // who does not come so long after the time told has lost its place: more than a lease
)

// Ticket is one who waits in a line, or had a turn in the present period.
type Ticket struct {
	Key, Org string
	Class    Urgency
	Began    time.Time
	Since    time.Time // waits since
	Due      time.Time // was told to come then
	Turn     time.Time // had its turn; zero: waits
	Ahead    int       // so many were before it when it came, or at the begin of this period
}

func (t Ticket) waits(now time.Time) bool { return t.Turn.IsZero() && now.Sub(t.Due) <= noShow }

// Pace is measured; the sums fade.
type Pace struct {
	Passed  int // so many places were gained …
	Periods int // … in so many periods that somebody waited from begin to end
	Turns   int // so many turns …
	Taken   int // … took so many calls
}

// Line is everything about one throttle group: the budget of all customers, those
// of single customers that were refused, and who waits. A value; see Budget.
type Line struct {
	Budget  Budget
	Own     map[string]Budget
	Tickets map[string]Ticket // by key
	Pace    Pace
}

// Held says that a call has to wait.
type Held struct {
	Until time.Time // come again then
	Ahead int       // so many are before it
}

// Take allots up to want calls to the caller, or says when to come again. A caller
// without a key has no place in the line: it is treated as the last of its class.
func (l Line) Take(now time.Time, c Caller, customer string, want int) (Line, int, *Held) {
	l = l.roll(now)
	if own, ok := l.Own[customer]; ok && customer != "" {
		n, wait := own.Free(now)
		if n == 0 { // its own limit: no matter between customers
			return l, 0, &Held{Until: now.Add(wait + spread(c.Key, own.Period))}
		}
		want = min(want, n)
	}
	line := l.order(now, c)
	ahead, all := 0, 0
	for _, t := range line {
		if t.Key == c.Key {
			break
		}
		all++
		if t.Due.Before(l.Budget.Since.Add(l.Budget.whole())) || l.Budget.Limit == 0 {
			ahead++ // it comes in this period: a call is kept for it
		}
	}
	n, _ := l.Budget.Free(now)
	if l.Budget.Probing || l.Budget.Limit == 0 {
		ahead = 0 // whoever comes first tries
	}
	if c.Class != Ask {
		n -= l.Budget.reserve(now)
	}
	if n -= ahead; n > 0 {
		n = min(n, want)
		return l.serve(now, c, customer, n, len(line) > 1), n, nil
	}
	h := &Held{Until: l.until(now, all), Ahead: all}
	if c.Key != "" {
		t, waits := l.Tickets[c.Key]
		if !waits || !t.Turn.IsZero() {
			t = Ticket{Key: c.Key, Since: now, Ahead: all}
		}
		t.Org, t.Class, t.Began, t.Due = c.Org, c.Class, c.Began, h.Until
		l = l.with(t)
	}
	return l, 0, h
}

// TakeOwn allots one call of the customer's own limit to a caller that has one of the
// line.
func (l Line) TakeOwn(now time.Time, c Caller, customer string) (Line, *Held) {
	l = l.roll(now)
	own, ok := l.Own[customer]
	if !ok {
		return l, nil
	}
	if n, wait := own.Free(now); n == 0 {
		return l, &Held{Until: now.Add(wait + spread(c.Key, own.Period))}
	}
	return l.own(customer, own.Spend(now, 1)), nil
}

func (l Line) with(t Ticket) Line {
	m := make(map[string]Ticket, len(l.Tickets)+1)
	for k, v := range l.Tickets {
		m[k] = v
	}
	m[t.Key] = t
	l.Tickets = m
	return l
}

// leave takes one who waits out of the line; that somebody had a turn stays known.
func (l Line) leave(key string) Line {
	t, ok := l.Tickets[key]
	if !ok || !t.Turn.IsZero() {
		return l
	}
	l.Tickets = maps.Clone(l.Tickets)
	delete(l.Tickets, key)
	return l
}

func (l Line) own(customer string, b Budget) Line {
	m := make(map[string]Budget, len(l.Own)+1)
	for k, v := range l.Own {
		m[k] = v
	}
	m[customer] = b
	l.Own = m
	return l
}

// roll begins new periods, and forgets who had a turn in an earlier one and who
// did not come.
func (l Line) roll(now time.Time) Line {
	was := l.Budget.Since
	l.Budget = l.Budget.Roll(now)
	for customer, b := range l.Own {
		if next := b.Roll(now); next != b {
			l = l.own(customer, next)
		}
	}
	if l.Budget.Since.Equal(was) {
		return l
	}
	keep := make(map[string]Ticket, len(l.Tickets))
	for k, t := range l.Tickets {
		if t.waits(now) {
			keep[k] = t
		}
	}
	l.Tickets = keep
	l.Pace.Passed, l.Pace.Periods = l.Pace.Passed*3/4, l.Pace.Periods*3/4
	for i, t := range l.waiting(now) {
		if !t.Since.After(was) {
			l.Pace.Passed, l.Pace.Periods = l.Pace.Passed+max(0, t.Ahead-i), l.Pace.Periods+1
		}
		t.Ahead = i
		l.Tickets[t.Key] = t
	}
	return l
}

// serve gives the caller its turn.
func (l Line) serve(now time.Time, c Caller, customer string, n int, others bool) Line {
	l.Budget = l.Budget.Spend(now, n)
	if own, ok := l.Own[customer]; ok && customer != "" {
		l = l.own(customer, own.Spend(now, n))
	}
	if _, known := l.Tickets[c.Key]; c.Key == "" || !known && !others {
		return l // nobody waits: no share has to be counted
	}
	l.Pace.Turns, l.Pace.Taken = l.Pace.Turns*49/50+1, l.Pace.Taken*49/50+n
	return l.with(Ticket{Key: c.Key, Org: c.Org, Class: c.Class, Began: c.Began, Since: now, Due: now, Turn: now})
}

// order is who waits and the caller, in the order of their turns: people first,
// sweeps last; else round by round, each organization once a round and in it the
// oldest work first. What an organization had in this period counts as rounds, so
// that one with two hundred onboardings does not starve one with one.
func (l Line) order(now time.Time, c Caller) []Ticket {
	list := make([]Ticket, 0, len(l.Tickets)+1)
	had := map[string]int{}
	for _, t := range l.Tickets {
		switch {
		case t.Key == c.Key:
			if !t.Turn.IsZero() {
				had[t.Org]++
			}
		case t.waits(now):
			list = append(list, t)
		case !t.Turn.IsZero():
			had[t.Org]++
		}
	}
	since := now
	if t, ok := l.Tickets[c.Key]; ok && t.Turn.IsZero() {
		since = t.Since
	}
	if c.Key == "" && c.Began.IsZero() {
		c.Began = now
	}
	list = append(list, Ticket{Key: c.Key, Org: c.Org, Class: c.Class, Began: c.Began, Since: since, Due: now})
	bucket := func(t Ticket) int {
		switch t.Class {
		case Ask:
			return 0
		case Sweep:
			return 2
		case Work, Poll:
		}
		return 1
	}
	age := func(a, b Ticket) int {
		return cmp.Or(cmp.Compare(a.Class, b.Class), a.Began.Compare(b.Began), cmp.Compare(a.Key, b.Key))
	}
	slices.SortFunc(list, age)
	round := make(map[string]int, len(list))
	for _, t := range list { // in each organization the oldest has its next round
		n := had[t.Org]
		had[t.Org]++
		if t.Class == Poll && now.Sub(t.Since) <= l.Budget.whole() { // later it goes like any other
			n++
		}
		round[t.Key] = n
	}
	slices.SortStableFunc(list, func(a, b Ticket) int {
		return cmp.Or(cmp.Compare(bucket(a), bucket(b)), cmp.Compare(round[a.Key], round[b.Key]), a.Began.Compare(b.Began), cmp.Compare(a.Key, b.Key))
	})
	return list
}

// perTurn is how many calls a turn takes, in hundredths; one, as long as none was
// measured: who comes too early is told again, who comes too late lets calls lapse.
func (p Pace) perTurn() int {
	if p.Turns < 5 {
		return 100
	}
	return max(100, p.Taken*100/p.Turns)
}

// until is when somebody with so many before him should come: in the period of his
// turn, spread over the first half of it, and not later than lookAgain.
func (l Line) until(now time.Time, ahead int) time.Time {
	b := l.Budget
	n, wait := b.Free(now)
	if b.Limit == 0 {
		return now.Add(min(max(wait, 50*time.Millisecond)+time.Duration(ahead)*20*time.Millisecond, lookAgain))
	}
	need := ahead * l.Pace.perTurn() / 100
	switch {
	case n > 0 && need < n: // kept for others: come when it is clear that they do not need it
		wait = max(b.Since.Add(b.Period*3/4).Sub(now), b.Period/50)
		return now.Add(wait + b.Period/4*time.Duration(need)/time.Duration(n))
	case n > 0:
		wait = b.Since.Add(b.whole()).Sub(now)
		need -= n
	}
	full := time.Duration(need/b.Limit) * b.whole()
	part := time.Duration(int64(b.Period) / 2 * int64(need%b.Limit) / int64(b.Limit))
	return now.Add(min(max(wait+full+part, 20*time.Millisecond), lookAgain+part))
}

// Place is how many are before one who waits, and an estimate of how long it will
// take: as many periods as it takes to gain its place at the pace that was measured,
// for those before it come back and need more than one turn. As long as nothing is
// measured, they need one.
func (l Line) Place(now time.Time, key string) (ahead int, d time.Duration, waits bool) {
	line := l.waiting(now)
	ahead = slices.IndexFunc(line, func(t Ticket) bool { return t.Key == key })
	if ahead < 0 {
		return 0, 0, false
	}
	b := l.Budget
	_, wait := b.Free(now)
	if b.Limit == 0 {
		return ahead, wait, true
	}
	gained := float64(max(1, b.Limit*100/l.Pace.perTurn())) // places in a period
	if l.Pace.Periods > 0 && l.Pace.Passed > 0 {
		gained = float64(l.Pace.Passed) / float64(l.Pace.Periods)
	}
	if !now.Before(b.Closed) {
		wait = b.Since.Add(b.whole()).Sub(now)
	}
	periods := max(0, float64(ahead)/gained-1) // in the next one it is in time, if so many places are gained
	return ahead, max(0, wait) + time.Duration(float64(b.whole())*periods), true
}

// waiting is who waits, in the order of their turns.
func (l Line) waiting(now time.Time) []Ticket {
	list := l.order(now, Caller{Class: Sweep, Began: now})
	return slices.DeleteFunc(list, func(t Ticket) bool { return t.Key == "" })
}

// spread is up to a quarter of a period, by the key: not all come at once.
func spread(key string, period time.Duration) time.Duration {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return period / 4 * time.Duration(h%64) / 64
}

// Refuse learns from a 429 of one call. A limit is per partner, or per partner and
// customer; an answer does not say which. So a refusal first closes the customer's
// own way. It is the partner's limit if a second customer is refused meanwhile, or
// if the most of a known limit is spent.
func (l Line) Refuse(now time.Time, r Refusal429) Line {
	mine, has := l.Own[r.Customer]
	group := r.Customer == "" || l.Budget.Limit > 0 && l.Budget.Spent >= l.Budget.Limit/2 || now.Before(l.Budget.Closed) || r.Epoch != l.Budget.Epoch
	for customer, b := range l.Own {
		if customer != r.Customer && now.Before(b.Closed) {
			group = true
		}
	}
	if !group {
		if !has {
			mine = Budget{}
		}
		return l.own(r.Customer, mine.Refuse(now, r.After, r.Minute, r.OwnEpoch, r.Own))
	}
	l.Budget = l.Budget.Refuse(now, r.After, r.Minute, r.Epoch, r.All)
	keep := map[string]Budget{}
	for customer, b := range l.Own {
		if b.Lessons > 1 || b.Limit > 0 {
			keep[customer] = b // what was closed on the wrong ground is open again
		}
	}
	l.Own = keep
	return l
}

// Refusal429 is all that Refuse must know of a refused call.
type Refusal429 struct {
	Customer        string
	After           time.Duration // 0 = not said
	Minute          time.Duration // in which limits are counted
	Epoch, OwnEpoch int           // known when it was sent
	All, Own        Count
}
