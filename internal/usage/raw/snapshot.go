package raw

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"time"

	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
	"causeway/internal/usage/raw/sqlc"
)

// Filter narrows a list of snapshots; what is left out is any.
type Filter struct {
	Partner  string
	Feed     usage.Feed
	Invoice  string
	Unbilled bool // only those without an invoice
	Month    usage.Month
	Currency money.Currency
	At       time.Time // those that were the newest then; zero = now
}

// Current lists the newest snapshot of each export, by month, invoice, currency and
// feed. on is a transaction, or the readers.
func (s *Store) Current(ctx context.Context, on store.DBTX, f Filter) ([]usage.Snapshot, error) {
	at := int64(math.MaxInt64)
	if !f.At.IsZero() {
		at = store.Micros(f.At)
	}
	q := sqlc.New(on)
	rows, err := q.SnapshotsAt(ctx, sqlc.SnapshotsAtParams{
		At: at, Partner: some(f.Partner), Feed: some(string(f.Feed)), Invoice: sql.NullString{String: f.Invoice, Valid: f.Invoice != "" || f.Unbilled},
		Month: some(string(f.Month)), Currency: some(string(f.Currency)),
	})
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return whole(ctx, q, rows)
}

// History lists all snapshots of an export, the newest first.
func (s *Store) History(ctx context.Context, e usage.Export) ([]usage.Snapshot, error) {
	q := sqlc.New(s.db.Read())
	rows, err := q.SnapshotHistory(ctx, sqlc.SnapshotHistoryParams{
		Partner: e.Partner, Feed: string(e.Feed), Invoice: e.Invoice, Month: string(e.Month), Currency: string(e.Currency),
	})
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return whole(ctx, q, rows)
}

// Snapshot gives one, also one that was replaced.
func (s *Store) Snapshot(ctx context.Context, id string) (usage.Snapshot, error) {
	q := sqlc.New(s.db.Read())
	row, err := q.GetSnapshot(ctx, id)
	if err != nil {
		return usage.Snapshot{}, store.Found(err, "There is no snapshot %q.", id)
	}
	return withFiles(ctx, q, row)
}

// Newest gives the newest snapshot of an export; false if there is none.
func (s *Store) Newest(ctx context.Context, on store.DBTX, e usage.Export) (usage.Snapshot, bool, error) {
	q := sqlc.New(on)
	row, err := q.NewestSnapshot(ctx, sqlc.NewestSnapshotParams{
		Partner: e.Partner, Feed: string(e.Feed), Invoice: e.Invoice, Month: string(e.Month), Currency: string(e.Currency),
	})
	if store.IsNone(err) {
		return usage.Snapshot{}, false, nil
	}
	if err != nil {
		return usage.Snapshot{}, false, err
	}
	out, err := withFiles(ctx, q, row)
	return out, err == nil, err
}

func whole(ctx context.Context, q *sqlc.Queries, rows []sqlc.UsageSnapshot) ([]usage.Snapshot, error) {
	var all []usage.Snapshot
	for _, row := range rows {
		one, err := withFiles(ctx, q, row)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func withFiles(ctx context.Context, q *sqlc.Queries, r sqlc.UsageSnapshot) (usage.Snapshot, error) {
	out := usage.Snapshot{
		ID: r.ID, Export: export(r.Partner, r.Feed, r.Invoice, r.Month, r.Currency), ETag: r.Etag, FetchedAt: store.Time(r.FetchedAt), Files: []usage.File{},
	}
	files, err := q.Files(ctx, r.ID)
	if err != nil {
		return out, fmt.Errorf("files of snapshot %s: %w", r.ID, err)
	}
	for _, f := range files {
		out.Files = append(out.Files, usage.File{Name: f.Name, Size: f.Size, SHA256: f.Sha256})
	}
	return out, nil
}

func export(partner, feed, invoice, month, currency string) usage.Export {
	return usage.Export{Partner: partner, Feed: usage.Feed(feed), Invoice: invoice, Month: usage.Month(month), Currency: money.Currency(currency)}
}

func some(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// Keep makes a snapshot of the files that are here and puts it in the place of its
// predecessor, in the caller's transaction.
func (s *Store) Keep(ctx context.Context, tx *store.Tx, f Fetch) (usage.Snapshot, error) {
	now := s.now()
	q, e := sqlc.New(tx), f.Export
	err := q.ReplaceSnapshot(ctx, sqlc.ReplaceSnapshotParams{
		Now: store.Micros(now), By: f.Snapshot, Partner: e.Partner, Feed: string(e.Feed), Invoice: e.Invoice, Month: string(e.Month), Currency: string(e.Currency),
	})
	if err != nil {
		return usage.Snapshot{}, fmt.Errorf("replace a snapshot: %w", err)
	}
	err = q.AddSnapshot(ctx, sqlc.AddSnapshotParams{
		ID: f.Snapshot, Partner: e.Partner, Feed: string(e.Feed), Invoice: e.Invoice, Month: string(e.Month), Currency: string(e.Currency), Etag: f.ETag, FetchedAt: store.Micros(now),
	})
	if err != nil {
		return usage.Snapshot{}, fmt.Errorf("add a snapshot: %w", err)
	}
	for _, x := range f.Files {
		if !x.Here() {
			return usage.Snapshot{}, fmt.Errorf("file %s of the export %s is not here", x.Name, f.Key)
		}
		err := q.AddFile(ctx, sqlc.AddFileParams{Snapshot: f.Snapshot, Seq: int64(x.Seq), Name: x.Name, Size: x.Size, Sha256: x.SHA256, Place: x.Place})
		if err != nil {
			return usage.Snapshot{}, fmt.Errorf("add a file of a snapshot: %w", err)
		}
	}
	row, err := q.GetSnapshot(ctx, f.Snapshot)
	if err != nil {
		return usage.Snapshot{}, err
	}
	return withFiles(ctx, q, row)
}
