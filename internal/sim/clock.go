package sim

import (
	"sync/atomic"
	"time"
)

// Clock is the simulator's time. Dates are real, moved only by explicit jumps;
// durations are divided by the factor. Nothing runs in the background: an effect
// carries the time from which it is seen, and every read compares it with Now.
type Clock struct {
	real   func() time.Time
	jump   atomic.Int64 // nanoseconds
	factor atomic.Uint64
}

const factorUnit = 1e6 // the factor is stored in millionths

func newClock(real func() time.Time, factor float64) *Clock {
	c := &Clock{real: real}
	c.SetFactor(factor)
	return c
}

// Now is the simulator's present, UTC.
func (c *Clock) Now() time.Time { return c.real().Add(time.Duration(c.jump.Load())).UTC() }

// Advance jumps forward (or, negative, back). Every wait that ends in between has then ended.
func (c *Clock) Advance(d time.Duration) { c.jump.Add(int64(d)) }

// Jump is the sum of all jumps.
func (c *Clock) Jump() time.Duration { return time.Duration(c.jump.Load()) }

// Factor says how many times as fast as the vendor the simulator is.
func (c *Clock) Factor() float64 { return float64(c.factor.Load()) / factorUnit }

// SetFactor changes the speed of waits that begin from now on.
func (c *Clock) SetFactor(f float64) { c.factor.Store(uint64(f * factorUnit)) }

// Real turns one of the vendor's durations into the one that passes here.
func (c *Clock) Real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.Factor())
}
