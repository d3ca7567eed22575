package azure

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Limit is what is known of one limit, for people.
type Limit struct {
	Service   Service
	Group     string
	Customer  string        // whose; "" = all customers together
	Calls     int           // learned: a period takes so many; 0 = not known yet
	Period    time.Duration //
	Spent     int           // in the present period
	Closed    time.Time     // Microsoft takes nothing before that; zero = open
	Renews    time.Time     // the next period begins then; zero = not known
	Met       time.Time     // the limit was last met
	Refusals  int           // of Microsoft that it was learned from
	Waiting   int           // so many wait for it
	Next      Ticket        // who goes next, if somebody waits
	Estimate  time.Duration // until the last of them has its turn
	PerMinute int           // Calls, for a minute
}

// Wait is the place of one in a line.
type Wait struct {
	Service   Service
	Group     string
	PerMinute int           // how many such calls Microsoft takes; 0 = not known
	Ahead     int           // so many are before it
	Estimate  time.Duration // until its turn, as those waited who had theirs
	Closed    time.Time     // Microsoft takes nothing before that; zero = open
}

// Words names a throttle group as people read it.
func Words(s Service, group string) string {
	w, ok := map[string]string{
		"customers": "customers", "orders": "orders and carts", "subscriptions": "subscriptions", "azureEntitlements": "Azure entitlements",
		"applicationconsents": "consents", "gdap": "delegated administration", "reads": "reads", "writes": "writes", "deletes": "deletes",
		"aliases": "new subscriptions", "token": "sign-ins", "validations": "address checks", "domains": "domain checks", "attestations": "attestations",
		"agreements": "agreements", "auditrecords": "audit records", "users": "users", "products": "products", "customer": "customer status",
	}[group]
	if !ok {
		w = group
	}
	return s.Word() + ", " + w
}

// snapshot reads all lines, at most once a second however many pages are open.
func (g *Governor) snapshot(ctx context.Context) (map[place]Line, error) {
	g.reading.Lock()
	defer g.reading.Unlock()
	if now := g.now(); g.board == nil || now.Sub(g.read).Abs() >= freshFor {
		lines, err := g.shelf.all(ctx)
		if err != nil {
			return nil, err
		}
		g.board, g.read = lines, now
	}
	return g.board, nil
}

// Limits lists what is known, those with somebody waiting first. Limits that were
// not met for long are left out, as they are when a call is made.
func (g *Governor) Limits(ctx context.Context) ([]Limit, error) {
	lines, err := g.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	now := g.now()
	var list []Limit
	add := func(p place, customer string, b Budget) *Limit {
		if b = b.Roll(now); !b.Known(now) {
			return nil
		}
		m := Limit{Service: p.service, Group: p.group, Customer: customer, Calls: b.Limit, Period: b.Period, Spent: b.Spent, Met: b.Met, Refusals: b.Lessons, PerMinute: perMinute(b)}
		if now.Before(b.Closed) {
			m.Closed = b.Closed
		} else if b.Limit > 0 && !b.Probing {
			m.Renews = b.Since.Add(b.whole())
		}
		list = append(list, m)
		return &list[len(list)-1]
	}
	for p, l := range lines {
		if m := add(p, "", l.Budget); m != nil {
			if line := l.waiting(now); len(line) > 0 {
				m.Waiting, m.Next = len(line), line[0]
				_, m.Estimate, _ = l.Place(now, line[len(line)-1].Key)
			}
		}
		for customer, b := range l.Own {
			add(p, customer, b)
		}
	}
	slices.SortFunc(list, func(a, b Limit) int {
		return cmp.Or(cmp.Compare(b.Waiting, a.Waiting), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Customer, b.Customer))
	})
	return list, nil
}

func perMinute(b Budget) int {
	if b.Limit == 0 || b.Period <= 0 {
		return 0
	}
	return max(1, int(time.Duration(b.Limit)*time.Minute/b.Period))
}

// Waiting tells where somebody waits; false if nowhere.
func (g *Governor) Waiting(ctx context.Context, key string) (Wait, bool, error) {
	lines, err := g.snapshot(ctx)
	if err != nil {
		return Wait{}, false, err
	}
	now := g.now()
	var w Wait
	found := false
	for p, l := range lines {
		ahead, d, waits := l.Place(now, key)
		if !waits {
			continue
		}
		if found && d < w.Estimate {
			continue // it waits for the longest
		}
		found = true
		w = Wait{Service: p.service, Group: p.group, PerMinute: perMinute(l.Budget), Ahead: ahead, Estimate: d}
		if now.Before(l.Budget.Closed) {
			w.Closed = l.Budget.Closed
		}
	}
	return w, found, nil
}
