package sim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// registerControl adds /_sim/…, by which tests and demos play what is not an API
// call: time, faults and people. docs/sim-divergences.md lists it.
func (s *Server) registerControl() {
	ctl := func(pattern string, a access, h handler) {
		s.on(serviceControl, pattern, needsNothing, a, h)
	}
	ctl("GET /_sim", reads, controlState)
	ctl("POST /_sim/reset", unlocked, func(c *call) reply { c.s.Reset(); return empty(http.StatusNoContent) })
	ctl("POST /_sim/seed", unlocked, controlSeed)
	ctl("GET /_sim/clock", unlocked, controlClock)
	ctl("POST /_sim/clock", unlocked, controlSetClock)
	ctl("GET /_sim/faults", unlocked, func(c *call) reply { return ok(c.s.Faults()) })
	ctl("POST /_sim/faults", unlocked, controlAddFault)
	ctl("DELETE /_sim/faults", unlocked, func(c *call) reply { c.s.ClearFaults(); return empty(http.StatusNoContent) })
	ctl("DELETE /_sim/faults/{id}", unlocked, func(c *call) reply {
		id, err := strconv.Atoi(c.param("id"))
		if err != nil {
			return controlError(err)
		}
		c.s.faults.remove(id)
		return empty(http.StatusNoContent)
	})
	ctl("GET /_sim/latency", unlocked, func(c *call) reply { return ok(c.s.latency()) })
	ctl("PATCH /_sim/latency", unlocked, controlLatency)
	ctl("GET /_sim/settings", unlocked, func(c *call) reply { return ok(c.s.Settings()) })
	ctl("PATCH /_sim/settings", unlocked, controlSettings)
	ctl("GET /_sim/calls", unlocked, func(c *call) reply {
		from, _ := strconv.ParseInt(c.query("since"), 10, 64) // absent or odd: from the beginning
		return ok(c.s.CallsSince(from))
	})
	ctl("DELETE /_sim/calls", unlocked, func(c *call) reply { c.s.calls.clear(); return empty(http.StatusNoContent) })
	s.registerPeople()
}

func controlError(err error) reply {
	return reply{status: http.StatusBadRequest, body: map[string]string{"error": err.Error()}}
}

// controlState is an overview of the world.
func controlState(c *call) reply {
	return ok(map[string]any{
		"url": c.s.URL, "plainUrl": c.s.PlainURL, "caFile": c.s.CAFile,
		"partner": c.s.cfg.Partner, "app": map[string]string{"id": c.s.cfg.App.ID, "name": c.s.cfg.App.Name},
		"clock": c.s.clockState(), "customers": len(c.w.customers), "subscriptions": len(c.w.azure),
		"domains": len(c.w.domains), "calls": c.s.calls.count(), "faults": len(c.s.Faults()),
	})
}

// Reset empties the world, the log, the faults and the kept answers. Settings,
// waits, people and the clock stay.
func (s *Server) Reset() {
	s.mu.Lock()
	s.w = newWorld()
	s.mu.Unlock()
	s.bill.reset()
	s.answers.clear()
	s.budgets.clear()
	s.faults.clear()
	s.calls.clear()
}

// Advance jumps the clock forward.
func (s *Server) Advance(d time.Duration) { s.Clock.Advance(d) }

// Calls returns the recorded calls, oldest first; with patterns only those whose
// "METHOD /template" or "METHOD /path" matches one, as faults do.
func (s *Server) Calls(patterns ...string) []Call {
	all := s.calls.since(0)
	if len(patterns) == 0 {
		return all
	}
	var out []Call
	for _, c := range all {
		for _, p := range patterns {
			f := Fault{On: p}
			path, _, _ := strings.Cut(c.Path, "?")
			if f.matches(&route{method: c.Method, path: or(c.Template, path), service: servicePartnerCenter}, path) {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// CallsSince returns the recorded calls with number n or above.
func (s *Server) CallsSince(n int64) []Call { return s.calls.since(n) }

type clockState struct {
	Now    time.Time `json:"now"`
	Real   time.Time `json:"real"`
	Jump   Duration  `json:"jump"`
	Factor float64   `json:"factor"`
}

func (s *Server) clockState() clockState {
	return clockState{s.Clock.Now(), s.cfg.Now().UTC(), Duration(s.Clock.Jump()), s.Clock.Factor()}
}

func controlClock(c *call) reply { return ok(c.s.clockState()) }

// controlSetClock takes {"advance":"24h"}, {"to":"2027-01-01T00:00:00Z"} and {"factor":20}.
func controlSetClock(c *call) reply {
	var in struct {
		Advance Duration  `json:"advance"`
		To      time.Time `json:"to"`
		Factor  float64   `json:"factor"`
	}
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	if in.Factor > 0 {
		c.s.Clock.SetFactor(in.Factor)
	}
	c.s.Clock.Advance(time.Duration(in.Advance))
	if !in.To.IsZero() {
		c.s.Clock.Advance(in.To.Sub(c.s.Clock.Now()))
	}
	return ok(c.s.clockState())
}

func controlAddFault(c *call) reply {
	var f Fault
	if err := c.decode(&f); err != nil {
		return controlError(err)
	}
	id, err := c.s.faults.add(f, c.s.Clock.Now(), c.s.Clock.Real)
	if err != nil {
		return controlError(err)
	}
	return created(map[string]int{"id": id})
}

type latencyState struct {
	Profile Profile           `json:"profile"`
	Waits   map[Wait]Duration `json:"waits"`
}

func (s *Server) latency() latencyState {
	out := latencyState{Waits: map[Wait]Duration{}}
	for w := range recorded {
		out.Waits[w] = Duration(s.wait(w))
	}
	s.waitMu.RLock()
	defer s.waitMu.RUnlock()
	out.Profile = s.profile
	return out
}

// controlLatency takes {"profile":"recorded","waits":{"order":"30s"}}.
func controlLatency(c *call) reply {
	var in latencyState
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	for w := range in.Waits {
		if _, known := recorded[w]; !known {
			return reply{status: http.StatusBadRequest, body: map[string]string{"error": "wait " + string(w) + " is unknown"}}
		}
	}
	if in.Profile != "" {
		if in.Profile != Instant && in.Profile != Recorded {
			return reply{status: http.StatusBadRequest, body: map[string]string{"error": "profile " + string(in.Profile) + " is unknown"}}
		}
		c.s.SetLatency(in.Profile)
	}
	for w, d := range in.Waits {
		c.s.SetWait(w, time.Duration(d))
	}
	return ok(c.s.latency())
}

// controlSettings changes the settings that the body names.
func controlSettings(c *call) reply {
	next := c.s.Settings()
	if err := c.decode(&next); err != nil {
		return controlError(err)
	}
	c.s.Change(func(s *Settings) { *s = next })
	return ok(next)
}
