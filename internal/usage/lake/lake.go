// Package lake keeps Microsoft's usage records as Parquet files and adds them up with
// DuckDB. It owns the files of its folder; it does not own the raw exports (they stay
// where they were received), and knows neither prices nor who pays.
//
// A snapshot is a folder of its name. It is written under another name and renamed
// when all of it is on the disk, so that a snapshot is there whole or not at all.
package lake

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/shopspring/decimal"
)

// Options of a lake; left out, they fit the machine.
type Options struct {
	Workers int   // files decoded at once, and DuckDB's threads; default: one per processor
	Memory  int64 // bytes that DuckDB may use before it writes to disk; default 512 MiB
	Turn    int64 // records of accounts that are added up together; default 150 000
}

// Lake is the records in a folder.
type Lake struct {
	dir     string
	work    string // DuckDB's own, for what does not fit into memory
	workers int
	turn    float64
	db      *sql.DB

	mu      sync.Mutex
	shelves map[string]*shelf // by snapshot
}

// Open opens the lake in a folder, which is made if it is not there.
func Open(dir string, o Options) (*Lake, error) {
	o.Workers, o.Memory = cmp.Or(max(o.Workers, 0), runtime.GOMAXPROCS(0)), cmp.Or(max(o.Memory, 0), 512<<20)
	o.Turn = cmp.Or(max(o.Turn, 0), 150_000)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	sweep(dir)
	work, err := os.MkdirTemp(dir, scratch+"duckdb-")
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	l := &Lake{dir: dir, work: work, workers: o.Workers, turn: float64(o.Turn), shelves: map[string]*shelf{}, db: sql.OpenDB(&engine{settings: []string{
		fmt.Sprintf("SET memory_limit='%dB'", o.Memory), fmt.Sprintf("SET threads=%d", o.Workers), "SET temp_directory=" + quote(work),
		"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false", "SET preserve_insertion_order=false", "SET parquet_metadata_cache=true", "SET TimeZone='UTC'",
	}})}
	l.db.SetMaxIdleConns(idleSessions)
	return l, nil
}

// idleSessions stay open for the pages to come: to open one sets threads and memory of
// all of them anew, which the others wait for.
const idleSessions = 16

// engine is DuckDB, started when it is needed first: most processes start without a
// question to the lake, and should not wait for it.
type engine struct {
	settings []string
	mu       sync.Mutex
	duck     *duckdb.Connector
}

// Connect implements driver.Connector.
func (e *engine) Connect(ctx context.Context) (driver.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.duck == nil {
		duck, err := duckdb.NewConnector("", func(c driver.ExecerContext) error {
			for _, set := range e.settings {
				if _, err := c.ExecContext(context.Background(), set, nil); err != nil {
					return fmt.Errorf("%s: %w", set, err)
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
		e.duck = duck
	}
	return e.duck.Connect(ctx)
}

// Driver implements driver.Connector.
func (e *engine) Driver() driver.Driver { return duckdb.Driver{} }

// Close stops DuckDB.
func (e *engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.duck == nil {
		return nil
	}
	return e.duck.Close()
}

// Close closes DuckDB; the records stay.
func (l *Lake) Close() error { return errors.Join(l.db.Close(), os.RemoveAll(l.work)) }

// scratch begins the names of what is not finished.
const scratch = ".unfinished-"

// sweep removes what a process left that died more than a day ago. Somebody else may
// be at work with younger ones.
func sweep(dir string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range list {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), scratch) && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.RemoveAll(filepath.Join(dir, e.Name())) // only room: the next one tries again
		}
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// folder is where a snapshot is; its id must be a plain name.
func (l *Lake) folder(snapshot string) (string, error) {
	if err := CheckSnapshot(snapshot); err != nil {
		return "", err
	}
	return filepath.Join(l.dir, snapshot), nil
}

// label is written into a snapshot's folder last.
type label struct {
	Snapshot usage.Snapshot `json:"snapshot"`
	Loaded   usage.Loaded   `json:"loaded"`
}

const labelName = "snapshot.json"

// Load makes a snapshot's records readable: all of them, or none and *usage.Damaged,
// which names the first file that cannot be read. Loading the same files again gives
// the same answer without reading them.
func (l *Lake) Load(ctx context.Context, s usage.Snapshot, blobs usage.Blobs) (usage.Loaded, error) {
	dir, err := l.folder(s.ID)
	if err != nil {
		return usage.Loaded{}, err
	}
	if err := CheckFeed(s); err != nil {
		return usage.Loaded{}, err
	}
	if x, err := l.label(s.ID); err == nil && x.Snapshot.Export == s.Export && slices.Equal(x.Snapshot.Files, s.Files) {
		return x.Loaded, nil
	}
	temp, err := os.MkdirTemp(l.dir, scratch)
	if err != nil {
		return usage.Loaded{}, fmt.Errorf("snapshot %s: %w", s.ID, err)
	}
	defer func() { _ = os.RemoveAll(temp) }() // after the rename there is nothing
	parts, err := l.parts(ctx, temp, s, blobs)
	if err != nil {
		return usage.Loaded{}, err
	}
	loaded, err := l.sum(ctx, temp, s, parts)
	if err != nil {
		return loaded, err
	}
	return loaded, l.publish(temp, dir, label{s, loaded})
}

func (l *Lake) parts(ctx context.Context, temp string, s usage.Snapshot, blobs usage.Blobs) ([]part, error) {
	parts, failed := make([]part, len(s.Files)), make([]error, len(s.Files))
	next := make(chan int)
	var all sync.WaitGroup
	for range min(l.workers, len(s.Files)) {
		all.Go(func() {
			for i := range next {
				parts[i], failed[i] = writePart(ctx, temp, i, s, blobs)
			}
		})
	}
	for i := range s.Files {
		next <- i
	}
	close(next)
	all.Wait()
	for _, err := range failed { // the first by number, whoever found it first
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// sumOf adds the parts up.
func sumOf(s usage.Snapshot, parts []part) (usage.Loaded, error) {
	out := usage.Loaded{Snapshot: s.ID}
	var cost, tax fixed
	currency, first, last := s.Currency, int32(noDay), int32(0)
	for i, p := range parts {
		out.Rows, out.Bytes, out.Drift = out.Rows+p.rows, out.Bytes+p.bytes, append(out.Drift, p.drift...)
		var ok, okTax bool
		cost, ok = cost.plus(p.cost)
		tax, okTax = tax.plus(p.tax)
		if !ok || !okTax {
			return out, &usage.Damaged{File: s.Files[i].Name, Reason: "the sum has more digits than an amount can have"}
		}
		if p.rows == 0 {
			continue
		}
		first, last = min(first, p.first), max(last, p.day)
		switch {
		case currency == "":
			currency = money.Currency(p.currency)
		case string(currency) != p.currency:
			return out, &usage.Damaged{File: s.Files[i].Name, Line: 1, Reason: fmt.Sprintf("it is in %s, the export is in %s", p.currency, currency)}
		}
	}
	if out.Rows > 0 {
		out.First, out.Last = day(first), day(last)
	}
	if currency != "" {
		var err error
		if out.Cost, err = money.New(cost.decimal(), currency); err != nil {
			return out, err
		}
		if out.Tax, err = money.New(tax.decimal(), currency); err != nil {
			return out, err
		}
	}
	return out, nil
}

// sum adds the parts up, and compares with what DuckDB reads back from the files.
func (l *Lake) sum(ctx context.Context, temp string, s usage.Snapshot, parts []part) (usage.Loaded, error) {
	t := tables[s.Feed]
	out, err := sumOf(s, parts)
	if err != nil {
		return out, err
	}
	if len(parts) == 0 {
		return out, nil
	}
	query := fmt.Sprintf("SELECT count(*), coalesce(sum(%s), 0), count(DISTINCT %s) FROM read_parquet(%s)", t.columns[t.cost].name, t.columns[t.currency].name, quote(filepath.Join(temp, "*.rows.parquet"))) // #nosec G201 -- columns and a folder of ours
	var rows, currencies int64
	var kept duckdb.Decimal
	if err := l.db.QueryRowContext(ctx, query).Scan(&rows, &kept, &currencies); err != nil {
		return out, fmt.Errorf("snapshot %s, reading back: %w", s.ID, err)
	}
	if currencies > 1 {
		return out, &usage.Damaged{File: s.Files[0].Name, Line: 1, Reason: "the export has several billing currencies"}
	}
	if rows != out.Rows || !exact(kept).Equal(out.Cost.Decimal()) {
		return out, fmt.Errorf("snapshot %s: %d rows of %s were read, %d of %s kept", s.ID, out.Rows, out.Cost.Decimal(), rows, exact(kept))
	}
	return out, nil
}

func exact(d duckdb.Decimal) decimal.Decimal {
	return decimal.NewFromBigInt(d.Value, -int32(d.Scale)) // #nosec G115 -- at most 38
}

func day(n int32) usage.Day { return usage.DayOf(time.Unix(int64(n)*86400, 0)) }

// publish gives the finished folder its name.
func (l *Lake) publish(temp, dir string, x label) error {
	b, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(temp, labelName)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		return err
	}
	if err := syncs(name, temp); err != nil {
		return err
	}
	if err := os.Chmod(temp, 0o750); err != nil { // #nosec G302 -- a folder
		return err
	}
	if err := os.Rename(temp, dir); err != nil { // another state of it, or a load at the same time
		old := temp + "-old"
		if err := os.Rename(dir, old); err != nil {
			return fmt.Errorf("snapshot %s: %w", x.Snapshot.ID, err)
		}
		if err := os.Rename(temp, dir); err != nil {
			return fmt.Errorf("snapshot %s: %w", x.Snapshot.ID, err)
		}
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	return syncs(l.dir)
}

func syncs(names ...string) error {
	for _, name := range names {
		f, err := os.Open(name) // #nosec G304 -- our own folder
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Drop forgets a snapshot; one that is not there is forgotten already.
func (l *Lake) Drop(_ context.Context, snapshot string) error {
	dir, err := l.folder(snapshot)
	if err != nil {
		return err
	}
	gone, err := os.MkdirTemp(l.dir, scratch)
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", snapshot, err)
	}
	defer func() { _ = os.RemoveAll(gone) }() // else the sweep removes it
	if err := os.Rename(dir, filepath.Join(gone, "snapshot")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("snapshot %s: %w", snapshot, err)
	}
	return syncs(l.dir)
}
