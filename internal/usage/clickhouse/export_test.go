package clickhouse

import (
	"context"
	"encoding/binary"
	"time"

	"causeway/internal/usage/lake"
)

// InBatchesOf reads the totals of so many kinds at once.
func (l *Lake) InBatchesOf(kinds uint64) { l.atOnce = kinds }

// OneWorker decodes one file after the other.
func (l *Lake) OneWorker() { l.workers = 1 }

// WriteKind writes one kind of a load.
func (l *Lake) WriteKind(ctx context.Context, load uint64) error {
	b := binary.LittleEndian.AppendUint64(nil, load)
	b = append(b, make([]byte, 3*8+2*16+len(lake.KindColumns))...) // zeros, and texts that are empty
	return l.write(ctx, kinds, names(kindColumns()), b)
}

// LoadOf is the attempt that a snapshot's rows are from.
func (l *Lake) LoadOf(ctx context.Context, snapshot string) (uint64, error) {
	x, err := l.label(ctx, snapshot)
	return x.load, err
}

// At sets the clock that numbers loads.
func (l *Lake) At(now time.Time) { l.clock = func() time.Time { return now } }
