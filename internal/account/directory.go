package account

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/audit"
	"causeway/internal/store"
)

// Directory holds organizations, people, billing accounts and connections.
//
// Reading methods give what is asked for; the caller asks May with the owner
// of what came back before showing it. Writing methods ask May themselves and
// write an audit entry in their transaction.
type Directory struct {
	db     *store.DB
	now    func() time.Time
	hasher *hasher
	source source
}

// Option changes a Directory.
type Option func(*Directory)

// WithPasswordWork sets what one password hash costs: memory in KiB and passes
// over it. Left out it is 19 MiB and 2 passes. Tests take less.
func WithPasswordWork(memory, passes uint32) Option {
	return func(d *Directory) { d.hasher = newHasher(memory, passes) }
}

// New makes the directory on a database.
func New(db *store.DB, now func() time.Time, opts ...Option) *Directory {
	d := &Directory{db: db, now: now, hasher: newHasher(19*1024, 2)}
	d.source = builtIn{d}
	for _, o := range opts {
		o(d)
	}
	return d
}

// record writes the audit entry of a deed in its transaction.
func (d *Directory) record(ctx context.Context, tx *store.Tx, by Actor, org OrgID, action, object string, detail any) error {
	return audit.Write(ctx, tx, audit.Entry{
		Org: string(org), At: d.now(), Actor: by.ID(), Action: action, Object: object, Detail: detail, Address: by.Address,
	})
}

// Sweep erases what has run out: sessions, counters of tries, and connections
// a month after their end (until then they say who consented).
func (d *Directory) Sweep(ctx context.Context) error {
	now := d.now()
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		if _, err := q.SweepSessions(ctx, store.Micros(now)); err != nil {
			return fmt.Errorf("sweep sessions: %w", err)
		}
		if _, err := q.SweepAttempts(ctx, store.Micros(now.Add(-window))); err != nil {
			return fmt.Errorf("sweep tries: %w", err)
		}
		if _, err := q.SweepConnections(ctx, store.Micros(now.AddDate(0, -1, 0))); err != nil {
			return fmt.Errorf("sweep connections: %w", err)
		}
		return nil
	})
}
