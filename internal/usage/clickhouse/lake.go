// Package clickhouse keeps Microsoft's usage records in a ClickHouse cluster, for
// months that one machine cannot add up. It owns the tables of its database; how files
// are read and groups are made is lake's, so that both lakes give the same. It does not
// own the raw exports, and knows neither prices nor who pays.
//
// A snapshot's rows are written under the number of the attempt (load), which nobody
// asks for until the table of snapshots names it: one row, written last.
package clickhouse

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/fault"
	"causeway/internal/usage"
	"causeway/internal/usage/lake"
)

// Options of a lake; left out, they fit.
type Options struct {
	Workers  int           // files decoded at once; default: one per processor
	Patience time.Duration // for how long nodes that do not answer are asked again; default 30 s
}

// Lake is the records in a cluster.
type Lake struct {
	*client
	workers int
	atOnce  uint64 // kinds
	clock   func() time.Time

	mu     sync.Mutex
	ready  bool              // the tables are there
	shards map[string]string // of hosts
	swept  time.Time
}

// Open takes the address of a cluster, which is asked when it is needed first.
func Open(a Address, o Options) *Lake {
	return &Lake{shards: map[string]string{}, atOnce: kindsAtOnce, clock: time.Now, client: newClient(a, cmp.Or(max(o.Patience, 0), 30*time.Second)), workers: cmp.Or(max(o.Workers, 0), runtime.GOMAXPROCS(0))}
}

// Check tells whether every node answers and the tables are there; it makes them if not.
func (l *Lake) Check(ctx context.Context) error {
	for _, host := range l.at.Hosts {
		if _, err := l.once(ctx, host, "SELECT 1", nil, []string{"database", "system"}); err != nil {
			return l.away(err)
		}
	}
	return l.prepare(ctx)
}

// Close ends the connections.
func (l *Lake) Close() error {
	l.http.CloseIdleConnections()
	return nil
}

// read asks whichever node answers.
func (l *Lake) read(ctx context.Context, query string) (*reader, error) {
	out, err := l.ask(ctx, query+" FORMAT RowBinary", nil, "max_query_size", "268435456", "max_ast_elements", "10000000", "max_expanded_ast_elements", "10000000")
	return &reader{rest: out}, err
}

// write adds rows in RowBinary to a table, on all shards; written again they are there
// once. It returns when one replica of each shard has them: everywhere waits for the rest.
func (l *Lake) write(ctx context.Context, table, columns string, rows []byte) error {
	_, err := l.ask(ctx, "INSERT INTO "+table+" ("+columns+") FORMAT RowBinary", rows, "insert_distributed_sync", "1",
		"max_insert_block_size", "1048576", "min_insert_block_size_rows", "1048576", "min_insert_block_size_bytes", "1073741824")
	return err
}

// label is what the table of snapshots says of one.
type label struct {
	Snapshot usage.Snapshot `json:"snapshot"`
	Loaded   usage.Loaded   `json:"loaded"`

	load, version uint64
	gone          bool
}

// find gives the newest label of a snapshot; of one that never was, an empty one.
func (l *Lake) find(ctx context.Context, snapshot string) (label, error) {
	x := label{gone: true}
	if err := lake.CheckSnapshot(snapshot); err != nil {
		return x, err
	}
	if err := l.prepare(ctx); err != nil {
		return x, err
	}
	r, err := l.read(ctx, "SELECT version, load, toUInt64(gone), label FROM "+snapshots+" WHERE id = "+quote(snapshot)+" ORDER BY version DESC LIMIT 1")
	if err != nil || !r.more() {
		return x, err
	}
	x.version, x.load, x.gone = r.uint64(), r.uint64(), r.uint64() != 0
	text := r.text()
	if r.broken {
		return x, errCut
	}
	if err := json.Unmarshal([]byte(text), &x); err != nil {
		return x, fmt.Errorf("snapshot %s: %w", snapshot, err)
	}
	return x, nil
}

// label gives the label of a snapshot that is there.
func (l *Lake) label(ctx context.Context, snapshot string) (label, error) {
	x, err := l.find(ctx, snapshot)
	if err == nil && x.gone {
		err = fault.New(fault.NotFound, "snapshot %s is not in the lake", snapshot)
	}
	return x, err
}

func (l *Lake) publish(ctx context.Context, snapshot string, x label) error {
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	b := appendText(nil, []byte(snapshot))
	b = binary.LittleEndian.AppendUint64(b, x.version)
	b = binary.LittleEndian.AppendUint64(b, x.load)
	if x.gone {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	if err := l.write(ctx, snapshots, "id, version, load, gone, label", appendText(b, text)); err != nil {
		return err
	}
	// So that every node gives the same answer.
	return l.everywhere(ctx, func(ctx context.Context, host string) error {
		r, err := l.readFrom(ctx, host, "SELECT max(version) FROM "+snapshots+" WHERE id = "+quote(snapshot))
		if err == nil && r.uint64() < x.version {
			err = differs("node %s does not know that snapshot %s changed", host, snapshot)
		}
		return err
	})
}

// everywhere asks every node, again and again until all agree or the patience ends.
func (l *Lake) everywhere(ctx context.Context, ask func(ctx context.Context, host string) error) error {
	for _, host := range l.at.Hosts {
		if err := l.proven(ctx, func() error { return ask(ctx, host) }); err != nil {
			return err
		}
	}
	return nil
}

// readFrom asks this node; what would pass is told as a difference.
func (l *Lake) readFrom(ctx context.Context, host, query string) (*reader, error) {
	out, err := l.once(ctx, host, query+" FORMAT RowBinary", nil, nil)
	if err != nil && ctx.Err() == nil && again(err) {
		err = differs("a replica is away (%v)", err)
	}
	return &reader{rest: out}, err
}

// newLoad numbers an attempt: microseconds, so that what was left over shows its age,
// and twelve bits by chance.
func newLoad(now time.Time) uint64 {
	var b [2]byte
	_, _ = rand.Read(b[:])                                                              // it never fails
	return uint64(now.UnixMicro())<<12 | uint64(binary.LittleEndian.Uint16(b[:])&0xfff) // #nosec G115 -- after 1970
}

// Load makes a snapshot's records readable: all of them, or none and *usage.Damaged,
// which names the first file that cannot be read. Loading the same files again gives
// the same answer without reading them. While a replica is away it is refused with
// fault.Unavailable, and may be repeated.
func (l *Lake) Load(ctx context.Context, s usage.Snapshot, blobs usage.Blobs) (usage.Loaded, error) {
	if err := lake.CheckSnapshot(s.ID); err != nil {
		return usage.Loaded{}, err
	}
	if err := lake.CheckFeed(s); err != nil {
		return usage.Loaded{}, err
	}
	was, err := l.find(ctx, s.ID)
	if err != nil {
		return usage.Loaded{}, err
	}
	same := func(x label) bool {
		return !x.gone && x.Snapshot.Export == s.Export && slices.Equal(x.Snapshot.Files, s.Files)
	}
	if same(was) {
		return was.Loaded, nil
	}
	l.sweep(ctx)
	a := &attempt{load: newLoad(l.clock())}
	loaded, err := l.fill(ctx, a, s, blobs)
	if err == nil {
		var now label
		if now, err = l.find(ctx, s.ID); err == nil && same(now) { // somebody else was first
			l.forgetAttempt(ctx, a)
			return now.Loaded, nil
		}
		if err == nil {
			if err := l.publish(ctx, s.ID, label{Snapshot: s, Loaded: loaded, load: a.load, version: max(newLoad(l.clock()), now.version+1)}); err != nil {
				return usage.Loaded{}, err // perhaps it is there: then the next time it is found
			}
			was = now
		}
	}
	if err != nil {
		l.forgetAttempt(ctx, a)
		return usage.Loaded{}, err
	}
	if !was.gone {
		l.forget(ctx, was.load)
	}
	return loaded, nil
}

// attempt is one at a snapshot.
type attempt struct {
	load uint64

	mu   sync.Mutex
	rows bool           // some were written
	most [3]lake.Number // Σ without signs of what is added up later
}

// take counts what is written: nothing of it may overflow when the server adds it up,
// which it would not say.
func (a *attempt) take(most [3]lake.Number) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows = true
	for i := range most {
		var ok bool
		if a.most[i], ok = a.most[i].Plus(most[i]); !ok {
			return false
		}
	}
	return true
}

func (l *Lake) fill(ctx context.Context, a *attempt, s usage.Snapshot, blobs usage.Blobs) (usage.Loaded, error) {
	parts, failed := make([]lake.Part, len(s.Files)), make([]error, len(s.Files))
	next := make(chan int)
	var all sync.WaitGroup
	for range min(l.workers, len(s.Files)) {
		all.Go(func() {
			for i := range next {
				w := newRows(l, a, s, i)
				parts[i], failed[i] = lake.Decode(ctx, s, i, blobs, func(x *lake.Segment) error { return w.add(ctx, x) })
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
			return usage.Loaded{}, err
		}
	}
	loaded, err := lake.Sum(s, parts)
	if err != nil {
		return loaded, err
	}
	return loaded, l.proven(ctx, func() error { return l.readBack(ctx, a.load, s, loaded) })
}

// kept is what a node has of a load.
type kept struct {
	rows, ofKinds int64
	cost          lake.Number
}

// readBack compares what every node has with what was read from the files. A snapshot is
// thus on all replicas before anybody sees it. (The server can wait for that itself,
// insert_quorum; but when a replica dies then and the load is dropped, it takes no more
// rows for ever, 18.16.)
func (l *Lake) readBack(ctx context.Context, load uint64, s usage.Snapshot, want usage.Loaded) error {
	if want.Rows == 0 {
		return nil
	}
	n := lake.NamesOf(s.Feed)
	shards, currencies := map[string]kept{}, map[string]bool{}
	for _, host := range l.at.Hosts {
		r, err := l.readFrom(ctx, host, fmt.Sprintf("SELECT toInt64(count()), sum(%s), min(%s), max(%s) FROM %s WHERE load = %d", n.Cost, n.Currency, n.Currency, rowsOf(s.Feed)+part, load))
		if err != nil {
			return err
		}
		k := kept{rows: r.int64(), cost: r.number()}
		if low, high := r.text(), r.text(); k.rows > 0 {
			currencies[low], currencies[high] = true, true
		}
		if r, err = l.readFrom(ctx, host, fmt.Sprintf("SELECT sum(rows) FROM %s WHERE load = %d", kinds+part, load)); err != nil {
			return err
		}
		k.ofKinds = r.int64()
		shard, err := l.shard(ctx, host)
		if err != nil {
			return err
		}
		if other, ok := shards[shard]; ok && other != k {
			return differs("the replicas of shard %s have %d and %d rows of snapshot %s", shard, other.rows, k.rows, s.ID)
		}
		shards[shard] = k
	}
	if len(currencies) > 1 {
		return &usage.Damaged{File: s.Files[0].Name, Line: 1, Reason: "the export has several billing currencies"}
	}
	var sum kept
	ok := true
	for _, k := range shards {
		sum.rows, sum.ofKinds = sum.rows+k.rows, sum.ofKinds+k.ofKinds
		var fits bool
		sum.cost, fits = sum.cost.Plus(k.cost)
		ok = ok && fits
	}
	if !ok || sum.rows != want.Rows || sum.ofKinds != want.Rows || !sum.cost.Decimal().Equal(want.Cost.Decimal()) {
		return differs("snapshot %s: %d rows of %s were read, %d of %s kept, and kinds of %d", s.ID, want.Rows, want.Cost.Decimal(), sum.rows, sum.cost.Decimal(), sum.ofKinds)
	}
	return nil
}

// different is an answer that is not whole: a replica that is behind may give it.
type different struct{ what *fault.Error }

func (d *different) Error() string { return d.what.Error() }
func (d *different) Unwrap() error { return d.what }

func differs(format string, args ...any) error {
	return &different{fault.New(fault.Unavailable, "The ClickHouse cluster does not give all that it took: "+format, args...)}
}

// proven asks again, for as long as the patience lasts, until an answer is whole.
func (l *Lake) proven(ctx context.Context, f func() error) error {
	until := time.Now().Add(l.patience)
	for {
		err := f()
		var short *different
		if !errors.As(err, &short) || time.Now().After(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// forget drops the rows of a load, which nobody asks for, on one replica of each shard;
// the other one follows. A shard that is away is left for the sweep. (ON CLUSTER is no
// way: two replicas that do it at once end the worker of one of them, 18.16.)
func (l *Lake) forget(ctx context.Context, load uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.patience)
	defer cancel()
	done := map[string]bool{}
	for _, host := range l.at.Hosts {
		shard, err := l.shard(ctx, host)
		if err != nil || done[shard] {
			continue
		}
		for _, table := range []string{rated, invoiced, kinds} {
			_, failed := l.once(ctx, host, fmt.Sprintf("ALTER TABLE %s DROP PARTITION %d", table+part, load), nil, nil)
			err = errors.Join(err, failed)
		}
		done[shard] = err == nil
	}
}

func (l *Lake) forgetAttempt(ctx context.Context, a *attempt) {
	a.mu.Lock()
	rows := a.rows
	a.mu.Unlock()
	if rows {
		l.forget(ctx, a.load)
	}
}

// leftAfter is how old a load without a snapshot is when it is dropped: somebody may be
// at work with a younger one.
const leftAfter = 3 * 24 * time.Hour

// sweep drops, once a day, what was left: by processes that died, and on shards that
// were away.
func (l *Lake) sweep(ctx context.Context) {
	l.mu.Lock()
	due := l.clock().Sub(l.swept) > 24*time.Hour
	if due {
		l.swept = l.clock()
	}
	l.mu.Unlock()
	if due {
		_ = l.dropLeft(ctx) // only room: the next one tries again
	}
}

// dropLeft asks every node which loads are snapshots': one that lost its disk does not
// know, and then the others do.
func (l *Lake) dropLeft(ctx context.Context) error {
	all, named := map[uint64]bool{}, map[uint64]bool{}
	for _, host := range l.at.Hosts {
		for query, into := range map[string]map[uint64]bool{
			"SELECT argMax(load, version) FROM " + snapshots + " GROUP BY id HAVING argMax(gone, version) = 0": named,
			fmt.Sprintf("SELECT DISTINCT toUInt64(partition) FROM system.parts WHERE active AND database = %s AND table IN ('%s') AND toUInt64(partition) < %d",
				quote(l.at.Database), strings.Join([]string{rated + part, invoiced + part, kinds + part}, "', '"), newLoad(l.clock().Add(-leftAfter))): all,
		} {
			r, err := l.readFrom(ctx, host, query)
			if err != nil {
				return err
			}
			for r.more() {
				into[r.uint64()] = true
			}
		}
	}
	for load := range all {
		if !named[load] {
			l.forget(ctx, load)
		}
	}
	return nil
}

// Drop forgets a snapshot; one that is not there is forgotten already.
func (l *Lake) Drop(ctx context.Context, snapshot string) error {
	x, err := l.find(ctx, snapshot)
	if err != nil || x.gone {
		return err
	}
	if err := l.publish(ctx, snapshot, label{load: x.load, version: max(newLoad(l.clock()), x.version+1), gone: true}); err != nil {
		return err
	}
	l.forget(ctx, x.load)
	return nil
}
