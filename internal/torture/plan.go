// Package torture plans an ordeal for onboardings and judges what it left
// behind: one property per promise, over what both sides say afterwards. It owns
// the plan and the verdict, and reads the tables by itself, so that a wrong
// reader of the product does not hide a wrong writer. It does not run anything:
// the programs are started, killed and paused by the command of that name.
package torture

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is what one onboarding is meant to go through.
type Kind string

// The kinds.
const (
	New       Kind = "new"       // a tenant of its own
	Further   Kind = "further"   // a further subscription of a tenant that is ready
	Together  Kind = "together"  // up to ten at once for one organization
	Race      Kind = "race"      // two organizations want one domain
	Cancelled Kind = "cancelled" // cancelled on its way
	Stuck     Kind = "stuck"     // a planted fault that nothing mends
	Retried   Kind = "retried"   // a planted fault that staff mend, and try again
	Stranger  Kind = "stranger"  // its domain goes to somebody else at the worst moment
	Moved     Kind = "moved"     // ready, then another account pays
)

// Kinds are all of them.
var Kinds = []Kind{New, Further, Together, Race, Cancelled, Stuck, Retried, Stranger, Moved}

// shares is how many of a hundred cases are of a kind; the rest is new.
var shares = map[Kind]int{Further: 6, Together: 1, Race: 4, Cancelled: 10, Stuck: 4, Retried: 5, Stranger: 5, Moved: 4}

// Case is one onboarding of the plan.
type Case struct {
	N        int    // from 0
	Kind     Kind   //
	Org      int    // organizations are numbered; each has one account, and a second one for moves
	Prefix   string // of the domain
	Behind   int    // of a further one: the case that must be ready first; -1 = none
	CancelAt string // the step at which it is cancelled
	Doubt    bool   // of a stranger's: the domain goes while our own creation is in doubt
}

// Want is the state in which a case must end.
func (c Case) Want() string {
	switch c.Kind {
	case Cancelled:
		return "cancelled"
	case Stuck:
		return "stuck"
	}
	return "ready"
}

// Fault is one misbehaviour of the simulated Microsoft, in the form that its
// control takes (docs/sim-divergences.md).
type Fault struct {
	On          string  `json:"on"`
	Kind        string  `json:"kind"`
	Count       int     `json:"count,omitempty"`
	After       int     `json:"after,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	Status      int     `json:"status,omitempty"`
	RetryAfter  int     `json:"retryAfter,omitempty"` // seconds; negative = 429 without it
	Delay       string  `json:"delay,omitempty"`
}

// Plan is everything that a seed decides.
type Plan struct {
	Seed   uint64
	Cases  []Case
	Faults []Fault
	Waits  map[string]time.Duration // of the simulated Microsoft, e.g. policy
	// Forgets: an answer is not repeated for the same request id, so the first
	// password of a customer can be lost for ever.
	Forgets bool
	Kills   bool // processes die at points
	Pauses  bool // processes stop for twice their lease
	Jumps   bool // both clocks jump
}

// Options narrow a plan down; the zero value is the whole ordeal.
type Options struct {
	Kinds []Kind // none = all
	Weather
}

// Weather names what happens around the onboardings.
type Weather string

// The kinds of weather. Storm is all of it; the others are what one guard is
// tried by when the others cannot help.
const (
	Storm  Weather = "storm"
	Calm   Weather = "calm"   // nothing goes wrong
	Forget Weather = "forget" // answers are lost, and request ids forgotten
	Lag    Weather = "lag"    // answers are lost, and lists lag by a minute
	Crash  Weather = "crash"  // processes die
	Pause  Weather = "pause"  // processes stop and wake
	Slow   Weather = "slow"   // what is made acts late
)

// Make plans n onboardings.
func Make(seed uint64, n int, o Options) Plan {
	r := rand.New(rand.NewPCG(seed, 0x70727465)) // #nosec G404 -- a plan that can be repeated, not a secret
	p := Plan{Seed: seed, Cases: cases(r, n, o.Kinds), Waits: map[string]time.Duration{}}
	switch o.Weather {
	case "", Storm:
		p.storm(r)
	case Calm:
	case Forget:
		p.Forgets = true
		p.Faults = lost(0.25)
	case Lag:
		p.Faults = append(lost(0.25), Fault{On: "GET *", Kind: "lag_lists", Probability: 0.5, Delay: "60s"})
	case Crash:
		p.Kills = true
	case Pause:
		p.Pauses = true
	case Slow:
		p.Waits["policy"], p.Waits["role"] = 4*time.Second, 2*time.Second
	}
	return p
}

// lost are answers that never come, of writes that took effect.
func lost(p float64) []Fault {
	var list []Fault
	for _, on := range []string{"POST /v1/customers", "POST /v1/customers/*", "PUT /subscriptions/*", "PUT /providers/*"} {
		list = append(list, Fault{On: on, Kind: "hangup_after", Probability: p})
	}
	return list
}

// storm draws all that Microsoft and the machine do wrong, seldom enough each
// for the whole to come to an end.
func (p *Plan) storm(r *rand.Rand) {
	p.Kills, p.Pauses, p.Jumps = true, true, true
	p.Forgets = r.IntN(4) == 0
	odds := func(most float64) float64 { return most * (0.3 + 0.7*r.Float64()) }
	p.Faults = append(lost(odds(0.06)),
		Fault{On: "POST *", Kind: "hangup_before", Probability: odds(0.03)},
		Fault{On: "PUT *", Kind: "hangup_before", Probability: odds(0.03)},
		Fault{On: "GET *", Kind: "hangup_before", Probability: odds(0.01)},
		Fault{On: "POST /v1/*", Kind: "status_after", Status: 500, Probability: odds(0.03)},
		Fault{On: "PUT /subscriptions/*", Kind: "status_after", Status: 504, Probability: odds(0.03)},
		Fault{On: "*", Kind: "status", Status: 503, Probability: odds(0.02)},
		// Not for ever: refusals at random teach a limit that is not there, and all slow down.
		Fault{On: "*", Kind: "throttle", RetryAfter: 2, Probability: odds(0.02), Count: 10 + len(p.Cases)/20},
		Fault{On: "POST /v1/*", Kind: "throttle", RetryAfter: -1, Probability: odds(0.01), Count: 3 + len(p.Cases)/50},
		Fault{On: "GET *", Kind: "html", Probability: odds(0.005)},
		Fault{On: "POST /v1/*", Kind: "delay_after", Delay: "50ms", Probability: odds(0.05)},
		Fault{On: "GET /v1/*", Kind: "lag_lists", Delay: "60s", Probability: odds(0.1)},
		Fault{On: "*", Kind: "expire_token", Probability: odds(0.005)},
		Fault{On: "* /v1/customers/*", Kind: "lose_mfa", Probability: odds(0.002)},
	)
	if p.Forgets {
		p.Faults = append(p.Faults, Fault{On: "POST /v1/customers", Kind: "forget_request_ids", Probability: 0.5})
	}
	for _, w := range []string{"order", "relationship", "consent", "policy", "role", "gdap_ready", "entitlement", "alias", "audit"} {
		if r.IntN(3) == 0 {
			p.Waits[w] = time.Duration(200+r.IntN(2000)) * time.Millisecond
		}
	}
}

// steps at which an onboarding is cancelled.
var cancelSteps = []string{"details", "customer", "plan", "subscription", "enter", "guard", "grant"}

// cases draws n of the kinds, each at least once if there is room.
func cases(r *rand.Rand, n int, kinds []Kind) []Case {
	if len(kinds) == 0 {
		kinds = Kinds
	}
	var list []Case
	org := 0
	add := func(c Case) int {
		c.N = len(list)
		if c.Prefix == "" {
			c.Prefix = prefix(c.Org, c.N)
		}
		list = append(list, c)
		return c.N
	}
	next := func() int { org++; return org - 1 }
	draw := func(k Kind) {
		room := n - len(list)
		switch {
		case k == Further && room >= 2:
			of := next()
			first := add(Case{Kind: New, Org: of, Behind: -1})
			add(Case{Kind: Further, Org: of, Behind: first})
		case k == Together && room >= 2:
			of := next()
			for range min(10, room) {
				add(Case{Kind: Together, Org: of, Behind: -1})
			}
		case k == Race && room >= 2:
			shared := prefix(org, len(list))
			add(Case{Kind: Race, Org: next(), Behind: -1, Prefix: shared})
			add(Case{Kind: Race, Org: next(), Behind: -1, Prefix: shared})
		case k == Cancelled:
			add(Case{Kind: k, Org: next(), Behind: -1, CancelAt: cancelSteps[r.IntN(len(cancelSteps))]})
		case k == Stranger:
			add(Case{Kind: k, Org: next(), Behind: -1, Doubt: r.IntN(2) == 0})
		case k == Stuck, k == Retried, k == Moved:
			add(Case{Kind: k, Org: next(), Behind: -1})
		default:
			add(Case{Kind: New, Org: next(), Behind: -1})
		}
	}
	for _, k := range kinds {
		if len(list) < n {
			draw(k)
		}
	}
	for len(list) < n {
		draw(pick(r, kinds))
	}
	return list
}

func pick(r *rand.Rand, kinds []Kind) Kind {
	if slices.Equal(kinds, Kinds) {
		x := r.IntN(100)
		for _, k := range Kinds {
			if x -= shares[k]; x < 0 {
				return k
			}
		}
		return New
	}
	return kinds[r.IntN(len(kinds))]
}

func prefix(org, n int) string { return fmt.Sprintf("torture%04dn%04d", org, n) }
