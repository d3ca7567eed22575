package sim

import (
	"slices"
	"sort"
	"sync"
	"time"
)

// Call is one request as the simulator saw it.
type Call struct {
	N             int64     `json:"n"`
	Method        string    `json:"method"`
	Path          string    `json:"path"`            // with query
	Template      string    `json:"template"`        // "" for an unknown path
	Group         string    `json:"group,omitempty"` // throttle budget
	Status        int       `json:"status"`          // 0: the connection was cut
	Code          string    `json:"code,omitempty"`
	RequestID     string    `json:"requestId,omitempty"`
	CorrelationID string    `json:"correlationId,omitempty"`
	Customer      string    `json:"customer,omitempty"`
	Replayed      bool      `json:"replayed,omitempty"`
	Faults        []string  `json:"faults,omitempty"`
	Received      time.Time `json:"received"`
	Answered      time.Time `json:"answered"`
	Visible       time.Time `json:"visible,omitzero"` // when the last effect of the call can be seen
}

// Effect is one change at the vendor: asked for, and seen from.
type Effect struct {
	What     string    `json:"what"` // customer, agreement, order, plan, entitlement, consent, role, policy, …
	ID       string    `json:"id"`
	Received time.Time `json:"received"`
	Visible  time.Time `json:"visible"`
}

// callLog keeps the last calls in a ring.
type callLog struct {
	mu   sync.Mutex
	ring []Call
	n    int64
}

func (l *callLog) add(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.N = l.n
	if len(l.ring) < cap(l.ring) {
		l.ring = append(l.ring, c)
	} else {
		l.ring[l.n%int64(cap(l.ring))] = c
	}
	l.n++
}

// since returns the kept calls with number from or above, oldest first.
func (l *callLog) since(from int64) []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Call, 0, len(l.ring))
	for _, c := range l.ring {
		if c.N >= from {
			out = append(out, c)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].N < out[j].N })
	return out
}

func (l *callLog) count() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func (l *callLog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring = l.ring[:0]
	l.n = 0
}

// Timeline is what happened to one customer at the vendor, and how much time that
// took by the simulator's own timestamps.
type Timeline struct {
	Customer string   `json:"customer"`
	Effects  []Effect `json:"effects"`
	// Vendor is the time in which at least one effect was asked for and not yet
	// seen: the part of an onboarding that no client can shorten. It is real
	// time, already divided by the factor.
	Vendor Duration `json:"vendor"`
	// Seconds is Vendor as a number.
	Seconds float64 `json:"vendor_seconds"`
}

// unseen is the length of the union of [received, visible] of all effects.
func unseen(effects []Effect) time.Duration {
	e := slices.Clone(effects)
	sort.Slice(e, func(i, j int) bool { return e[i].Received.Before(e[j].Received) })
	var total time.Duration
	var end time.Time
	for _, x := range e {
		from := x.Received
		if from.Before(end) {
			from = end
		}
		if x.Visible.After(from) {
			total += x.Visible.Sub(from)
			end = x.Visible
		}
	}
	return total
}
