package billing

import (
	"context"

	"causeway/internal/usage"
)

// Lake keeps every record of every snapshot, and adds up exactly. There are two:
// DuckDB over Parquet files, and ClickHouse; both give the same groups.
type Lake interface {
	// Load makes a snapshot's records readable: all of them, or none and *usage.Damaged.
	// Loading it again gives the same.
	Load(ctx context.Context, s usage.Snapshot, blobs usage.Blobs) (usage.Loaded, error)

	// Groups gives the groups of each account once, in order if not allowed otherwise; "" is
	// suspense.
	Groups(ctx context.Context, q usage.Query, each func(account string, groups []usage.Group) error) error

	// Lines gives the lines of a reconciliation with what the daily usage says of each, and,
	// as lines without a subtotal, daily usage that no line has. A customer's are in the
	// order of the file.
	Lines(ctx context.Context, invoiced, rated string, each func(usage.Line) error) error

	// Records gives single records, and where the next page begins.
	Records(ctx context.Context, q usage.RecordQuery) (page []usage.Record, next string, err error)

	// Drop forgets a snapshot.
	Drop(ctx context.Context, snapshot string) error
}
