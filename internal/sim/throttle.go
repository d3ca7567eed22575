package sim

import (
	"math"
	"sync"
	"time"
)

// Groups name the throttle budgets. Microsoft documents 500 calls a minute and
// tenant for customers, orders and subscriptions; the rest is not published.
const (
	GroupCustomers     = "customers"
	GroupOrders        = "orders" // carts and checkout as well
	GroupSubscriptions = "subscriptions"
	GroupEntitlements  = "entitlements"
	GroupConsents      = "consents"
	GroupValidations   = "validation-events" // documented: 2 a minute
	GroupAlias         = "alias"
	GroupARMReads      = "arm-reads"
	GroupARMWrites     = "arm-writes"
	GroupGraph         = "graph"
	GroupOther         = "other"
)

// DocumentedThrottle are the budgets that Microsoft publishes, for Settings.Throttle.
var DocumentedThrottle = map[string]int{GroupCustomers: 500, GroupOrders: 500, GroupSubscriptions: 500, GroupValidations: 2}

// budgets counts calls per key in fixed windows of one (virtual) minute. Refused
// calls count too, as Microsoft says; with fixed windows that delays nobody longer.
type budgets struct {
	mu      sync.Mutex
	windows map[string]*window
}

type window struct {
	end  time.Time
	used int
}

// spend takes one call from the budget. Otherwise it returns how long to wait.
func (b *budgets) spend(key string, limit int, now time.Time, length time.Duration) (wait time.Duration, granted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.windows == nil {
		b.windows = map[string]*window{}
	}
	w := b.windows[key]
	if w == nil || !now.Before(w.end) {
		if len(b.windows) > 10_000 { // one per customer at most; drop the dead ones
			for k, old := range b.windows {
				if !now.Before(old.end) {
					delete(b.windows, k)
				}
			}
		}
		w = &window{end: now.Add(length)}
		b.windows[key] = w
	}
	w.used++
	if w.used <= limit {
		return 0, true
	}
	return w.end.Sub(now), false
}

func (b *budgets) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.windows = nil
}

// throttled checks the caller's budget for this route.
func (c *call) throttled() (retryAfter int, refused bool) {
	set := c.s.settings()
	g := c.route.group
	limit, has := set.Throttle[g]
	if !has && g == GroupValidations {
		limit, has = DocumentedThrottle[g], true // so low that every client meets it
	}
	if !has {
		if limit, has = set.Throttle["*"]; !has || c.route.service == serviceControl || c.route.service == servicePage {
			return 0, false
		}
		g = "*"
	}
	tenant := ""
	if c.who != nil {
		tenant = c.who.Tenant
	}
	key := g + " " + tenant
	if set.ThrottlePerCustomer {
		key += " " + c.param("customer")
	}
	wait, granted := c.s.budgets.spend(key, limit, c.now, c.s.Clock.Real(time.Minute))
	return seconds(wait), !granted
}

// seconds rounds a real duration up to what Retry-After can say, at least 1.
func seconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}
