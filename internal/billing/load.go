package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"causeway/internal/billing/sqlc"
	"causeway/internal/job"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// OnSnapshot puts a snapshot that was fetched into the queue, in the transaction that
// keeps it.
func (c *Cycle) OnSnapshot(ctx context.Context, tx *store.Tx, s usage.Snapshot) error {
	return c.jobs.Add(ctx, tx, JobLoad, s.ID, s, time.Time{})
}

func (c *Cycle) doLoad(ctx context.Context, j job.Job) error {
	var s usage.Snapshot
	if err := json.Unmarshal(j.Args, &s); err != nil {
		return fmt.Errorf("load %s: %w", j.Key, err)
	}
	return c.Load(ctx, s)
}

// Load brings a snapshot into the lake, and puts into the queue what it changes. Of
// two states of one export the one that was fetched later counts, whatever the order
// in which they are loaded.
func (c *Cycle) Load(ctx context.Context, s usage.Snapshot) error {
	loaded, err := c.lake.Load(ctx, s, c.raw)
	if err != nil {
		return fmt.Errorf("load snapshot %s of %s: %w", s.ID, s.Month, err)
	}
	job.Point("billing.load:loaded") // the lake has it, and nobody looks for it there yet
	err = c.db.Tx(ctx, func(tx *store.Tx) error { return c.keepSnapshot(ctx, tx, s, loaded) })
	if err != nil {
		return err
	}
	job.Point("billing.load:kept")
	return c.tidyLake(ctx)
}

func (c *Cycle) keepSnapshot(ctx context.Context, tx *store.Tx, s usage.Snapshot, loaded usage.Loaded) error {
	q, now := sqlc.New(tx), store.Micros(c.now())
	was, err := q.NewestSnapshot(ctx, sqlc.NewestSnapshotParams{Partner: s.Partner, Feed: string(s.Feed), Invoice: s.Invoice, Month: string(s.Month), Currency: string(s.Currency)})
	if err != nil && !store.IsNone(err) {
		return fmt.Errorf("keep snapshot %s: %w", s.ID, err)
	}
	if was.ID == s.ID {
		return nil
	}
	replaced := int64(0)
	switch {
	case was.ID == "":
	case was.FetchedAt > store.Micros(s.FetchedAt):
		replaced = now // it was late itself
	default:
		if err := q.ReplaceSnapshot(ctx, sqlc.ReplaceSnapshotParams{ID: was.ID, Now: now}); err != nil {
			return fmt.Errorf("keep snapshot %s: %w", s.ID, err)
		}
	}
	body, err := json.Marshal(loaded)
	if err != nil {
		return fmt.Errorf("keep snapshot %s: %w", s.ID, err)
	}
	n, err := q.AddSnapshot(ctx, sqlc.AddSnapshotParams{
		ID: s.ID, Partner: s.Partner, Feed: string(s.Feed), Invoice: s.Invoice, Month: string(s.Month), Currency: string(s.Currency), FetchedAt: store.Micros(s.FetchedAt),
		FirstDay: string(loaded.First), LastDay: string(loaded.Last), Body: string(body), LoadedAt: now, ReplacedAt: replaced,
	})
	if err != nil {
		return fmt.Errorf("keep snapshot %s: %w", s.ID, err)
	}
	if n == 0 || replaced != 0 {
		return nil
	}
	for _, m := range monthsFrom(s.Month, loaded.First, loaded.Last, usage.Day(was.FirstDay), usage.Day(was.LastDay)) {
		if !s.Billed() && m != s.Month {
			continue // records of an earlier month count with its invoice
		}
		if err := c.jobs.Add(ctx, tx, JobRate, string(m), struct{}{}, time.Time{}); err != nil {
			return err
		}
	}
	if !s.Billed() {
		return nil
	}
	return c.jobs.Add(ctx, tx, JobVendor, s.Invoice, struct{}{}, time.Time{})
}

// monthsFrom are the months that a snapshot and the one before it have usage of.
func monthsFrom(period usage.Month, days ...usage.Day) []usage.Month {
	first, last := period, period
	for _, d := range days {
		if d != "" {
			first, last = min(first, d.Month()), max(last, d.Month())
		}
	}
	var all []usage.Month
	for m := first; m <= last; m = m.Add(1) {
		all = append(all, m)
	}
	return all
}

// keepOld is for how long the lake keeps a state of an export that was replaced: who
// began to read it comes to the end. The raw files stay.
const keepOld = 24 * time.Hour

func (c *Cycle) tidyLake(ctx context.Context) error {
	old, err := sqlc.New(c.db.Read()).OldSnapshots(ctx, store.Micros(c.now().Add(-keepOld)))
	if err != nil {
		return fmt.Errorf("old snapshots: %w", err)
	}
	for _, s := range old {
		if err := c.lake.Drop(ctx, s.ID); err != nil {
			return fmt.Errorf("drop snapshot %s: %w", s.ID, err)
		}
		err := c.db.Tx(ctx, func(tx *store.Tx) error {
			return sqlc.New(tx).DropSnapshot(ctx, sqlc.DropSnapshotParams{ID: s.ID, Now: store.Micros(c.now())})
		})
		if err != nil {
			return fmt.Errorf("drop snapshot %s: %w", s.ID, err)
		}
	}
	return nil
}

// sources are the snapshots that a month of service is worked out from.
type sources struct {
	rated, invoiced []string
	billed          map[money.Currency]bool // by billing currency: Microsoft's invoice of the month is there
}

// whole tells whether all of it is final.
func (s sources) whole() bool {
	for _, b := range s.billed {
		if !b {
			return false
		}
	}
	return len(s.billed) > 0
}

// sourcesOf finds them: where Microsoft's invoice of the month is there, it and all
// later ones that have usage of the month; where not, the newest estimate.
func (c *Cycle) sourcesOf(ctx context.Context, on store.DBTX, m usage.Month) (sources, error) {
	rows, err := sqlc.New(on).SnapshotsOfDays(ctx, sqlc.SnapshotsOfDaysParams{FirstDay: string(m.First()), LastDay: string(m.Last()), Month: string(m)})
	if err != nil {
		return sources{}, fmt.Errorf("snapshots of %s: %w", m, err)
	}
	return sourcesIn(rows, m), nil
}

// sourcesIn chooses among the snapshots that have usage of a month.
func sourcesIn(rows []sqlc.BillingSnapshot, m usage.Month) sources {
	s := sources{billed: map[money.Currency]bool{}}
	both := map[money.Currency]map[usage.Feed]bool{}
	for _, r := range rows {
		if r.Month != string(m) || r.Invoice == "" && r.FirstDay == "" {
			continue // of another month, or an estimate without usage
		}
		currency := money.Currency(r.Currency)
		if r.Invoice != "" {
			if both[currency] == nil {
				both[currency] = map[usage.Feed]bool{}
			}
			both[currency][usage.Feed(r.Feed)] = true
		}
		s.billed[currency] = both[currency][usage.Rated] && both[currency][usage.Invoiced]
	}
	for _, r := range rows {
		billed := s.billed[money.Currency(r.Currency)]
		switch {
		case r.Invoice == "" && (billed || r.Month != string(m)), r.Invoice != "" && !billed:
		case r.FirstDay == "" || r.FirstDay > string(m.Last()) || r.LastDay < string(m.First()):
		case r.Feed == string(usage.Rated):
			s.rated = append(s.rated, r.ID)
		case r.Invoice != "": // an estimate has no purchases
			s.invoiced = append(s.invoiced, r.ID)
		}
	}
	return s
}
