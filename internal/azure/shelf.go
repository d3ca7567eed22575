package azure

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"causeway/internal/azure/sqlc"
	"causeway/internal/store"
)

// shelf keeps the lines: the state database, or the memory of a process that has
// none (a tool that only asks, a test of a client).
type shelf interface {
	// with changes one line, alone, and gives it as it is then.
	with(ctx context.Context, p place, now time.Time, f func(Line) Line) (Line, error)
	// changed gives the budgets that were written since a time, without who waits.
	changed(ctx context.Context, since time.Time) (map[place]Line, error)
	// ofKey is where somebody waits.
	ofKey(ctx context.Context, key string) ([]place, error)
	// all gives everything.
	all(ctx context.Context) (map[place]Line, error)
	tidy(ctx context.Context, now time.Time) error
}

type memory struct {
	mu    sync.Mutex
	lines map[place]Line
}

func (m *memory) with(_ context.Context, p place, _ time.Time, f func(Line) Line) (Line, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines[p] = f(m.lines[p])
	return m.lines[p], nil
}

func (m *memory) changed(context.Context, time.Time) (map[place]Line, error) { return nil, nil }

func (m *memory) ofKey(_ context.Context, key string) ([]place, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []place
	for p, l := range m.lines {
		if t, ok := l.Tickets[key]; ok && t.Turn.IsZero() {
			list = append(list, p)
		}
	}
	return list, nil
}

func (m *memory) all(context.Context) (map[place]Line, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.lines), nil
}

func (m *memory) tidy(context.Context, time.Time) error { return nil }

type database struct{ db *store.DB }

func (d database) with(ctx context.Context, p place, now time.Time, f func(Line) Line) (after Line, err error) {
	err = d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		before, err := readLine(ctx, q, p, now)
		if err != nil {
			return err
		}
		after = f(before)
		return writeLine(ctx, q, p, now, before, after)
	})
	return after, err
}

// readLine locks the line's first row, that of all customers, so that replicas
// change it one after the other.
func readLine(ctx context.Context, q *sqlc.Queries, p place, now time.Time) (Line, error) {
	key := sqlc.LockBudgetsParams{Service: string(p.service), Endpoints: p.group}
	rows, err := q.LockBudgets(ctx, key)
	if err == nil && (len(rows) == 0 || rows[0].Customer != "") {
		err = q.MakeBudget(ctx, sqlc.MakeBudgetParams{Service: key.Service, Endpoints: key.Endpoints, ChangedAt: store.Micros(now)})
		if err == nil {
			rows, err = q.LockBudgets(ctx, key)
		}
	}
	if err != nil {
		return Line{}, err
	}
	tickets, err := q.TicketsOf(ctx, sqlc.TicketsOfParams(key))
	if err != nil {
		return Line{}, err
	}
	return lineOf(rows, tickets), nil
}

func lineOf(rows []sqlc.ThrottleBudget, tickets []sqlc.ThrottleWait) Line {
	l := Line{Own: map[string]Budget{}, Tickets: make(map[string]Ticket, len(tickets))}
	for _, r := range rows {
		b := Budget{
			Limit: int(r.Calls), Ceiling: int(r.Ceiling), Period: time.Duration(r.Period) * time.Microsecond, Since: store.Time(r.Since), Spent: int(r.Spent),
			Closed: store.Time(r.Closed), Refusals: int(r.Refusals), Probing: r.Probing, Probe: store.Time(r.Probe), Calm: int(r.Calm), Lessons: int(r.Lessons),
			Epoch: int(r.Epoch), From: store.Time(r.WindowFrom), Met: store.Time(r.Met),
		}
		if r.Customer != "" {
			l.Own[r.Customer] = b
			continue
		}
		l.Budget = b
		l.Pace = Pace{Passed: int(r.Passed), Periods: int(r.Periods), Turns: int(r.Turns), Taken: int(r.Taken)}
	}
	for _, t := range tickets {
		l.Tickets[t.Key] = Ticket{
			Key: t.Key, Org: t.Org, Class: Urgency(t.Class), Began: store.Time(t.Began), Since: store.Time(t.Since), Due: store.Time(t.Due),
			Turn: store.Time(t.Turn), Ahead: int(t.Ahead),
		}
	}
	return l
}

// writeLine writes what is not as it was. A customer's budget that was dropped is
// written as one that knows nothing, so that others learn of it.
func writeLine(ctx context.Context, q *sqlc.Queries, p place, now time.Time, before, after Line) error {
	put := func(customer string, b Budget, pace Pace) error {
		return q.PutBudget(ctx, sqlc.PutBudgetParams{
			Service: string(p.service), Endpoints: p.group, Customer: customer, Calls: int64(b.Limit), Ceiling: int64(b.Ceiling), Period: b.Period.Microseconds(),
			Since: store.Micros(b.Since), Spent: int64(b.Spent), Closed: store.Micros(b.Closed), Refusals: int64(b.Refusals), Probing: b.Probing,
			Probe: store.Micros(b.Probe), Calm: int64(b.Calm), Lessons: int64(b.Lessons), Epoch: int64(b.Epoch), WindowFrom: store.Micros(b.From), Met: store.Micros(b.Met),
			Passed: int64(pace.Passed), Periods: int64(pace.Periods), Turns: int64(pace.Turns), Taken: int64(pace.Taken), ChangedAt: store.Micros(now),
		})
	}
	if before.Budget != after.Budget || before.Pace != after.Pace {
		if err := put("", after.Budget, after.Pace); err != nil {
			return err
		}
	}
	for customer, b := range before.Own {
		if _, stays := after.Own[customer]; !stays && b.Known(now) {
			if err := put(customer, Budget{Epoch: b.Epoch + 1}, Pace{}); err != nil {
				return err
			}
		}
	}
	for customer, b := range after.Own {
		if was, ok := before.Own[customer]; !ok || was != b {
			if err := put(customer, b, Pace{}); err != nil {
				return err
			}
		}
	}
	for key := range before.Tickets {
		if _, stays := after.Tickets[key]; !stays {
			if err := q.DropTicket(ctx, sqlc.DropTicketParams{Service: string(p.service), Endpoints: p.group, Key: key}); err != nil {
				return err
			}
		}
	}
	for key, t := range after.Tickets {
		if was, ok := before.Tickets[key]; ok && was == t {
			continue
		}
		err := q.PutTicket(ctx, sqlc.PutTicketParams{
			Service: string(p.service), Endpoints: p.group, Key: key, Org: t.Org, Class: int64(t.Class), Began: store.Micros(t.Began), Since: store.Micros(t.Since),
			Due: store.Micros(t.Due), Turn: store.Micros(t.Turn), Ahead: int64(t.Ahead),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// changed reads whole lines, as soon as one of their budgets was written: a reader
// must not take a customer's row for all that there is.
func (d database) changed(ctx context.Context, since time.Time) (map[place]Line, error) {
	q := sqlc.New(d.db.Read())
	rows, err := q.BudgetsSince(ctx, store.Micros(since))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if !since.IsZero() {
		if rows, err = q.BudgetsSince(ctx, 0); err != nil {
			return nil, err
		}
	}
	return linesOf(rows, nil), nil
}

func linesOf(rows []sqlc.ThrottleBudget, tickets []sqlc.ThrottleWait) map[place]Line {
	budgets, waits := map[place][]sqlc.ThrottleBudget{}, map[place][]sqlc.ThrottleWait{}
	for _, r := range rows {
		p := place{Service(r.Service), r.Endpoints}
		budgets[p] = append(budgets[p], r)
	}
	for _, t := range tickets {
		p := place{Service(t.Service), t.Endpoints}
		waits[p] = append(waits[p], t)
	}
	lines := make(map[place]Line, len(budgets))
	for p := range budgets {
		lines[p] = lineOf(budgets[p], waits[p])
	}
	return lines
}

func (d database) ofKey(ctx context.Context, key string) ([]place, error) {
	rows, err := sqlc.New(d.db.Read()).TicketsOfKey(ctx, key)
	list := make([]place, len(rows))
	for i, r := range rows {
		list[i] = place{Service(r.Service), r.Endpoints}
	}
	return slices.Compact(list), err
}

func (d database) all(ctx context.Context) (map[place]Line, error) {
	q := sqlc.New(d.db.Read())
	rows, err := q.BudgetsSince(ctx, 0)
	if err != nil {
		return nil, err
	}
	tickets, err := q.AllTickets(ctx)
	return linesOf(rows, tickets), err
}

func (d database) tidy(ctx context.Context, now time.Time) error {
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		if err := sqlc.New(tx).DropTicketsBefore(ctx, store.Micros(now.Add(-time.Hour))); err != nil {
			return err
		}
		return sqlc.New(tx).DropBudgetsBefore(ctx, store.Micros(now.AddDate(0, 0, -1)))
	})
}
