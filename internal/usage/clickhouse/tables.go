package clickhouse

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/usage"
	"causeway/internal/usage/lake"
)

// version is in the tables' names: a version of Causeway that keeps other columns
// makes tables of its own and loads again from the raw files.
const version = "_v1"

// snapshots is the one table that all nodes have whole; of the others each shard has a
// part, in a table of their name and _part.
const (
	rated     = "rated" + version
	invoiced  = "invoiced" + version
	kinds     = "kinds" + version
	snapshots = "snapshots" + version
	part      = "_part"
)

// rowsOf is the table of a feed's rows.
func rowsOf(f usage.Feed) string {
	if f == usage.Rated {
		return rated
	}
	return invoiced
}

// column is one of a table, with its type in ClickHouse.
type column struct{ name, kind string }

const number = "Decimal(38,18)"

// ours are the columns before Microsoft's: load is one attempt at a snapshot, pair who
// used it (a hash of tenant and entitlement), day since 1970, month since year 0, kind what
// of the rating key and the price is the same on every day, absent a bit for each of Microsoft's
// columns that was not there.
var ours = []column{{"load", "UInt64"}, {"pair", "UInt64"}, {"day", "Int32"}, {"month", "Int32"}, {"part", "UInt32"}, {"line", "UInt64"}, {"kind", "UInt64"}, {"absent", "UInt64"}}

func rowColumns(f usage.Feed) []column {
	out := slices.Clone(ours)
	for _, c := range lake.Fields(f) {
		if c.Type == lake.Decimal {
			out = append(out, column{c.Name, number})
		} else {
			out = append(out, column{c.Name, "String"})
		}
	}
	return append(out, column{"extra", "String"}, column{"sent", "String"})
}

// kindColumns are those of the table of kinds; rows is how many rows of the kind there
// are, so that every answer can be proven whole. A kind has one price: the server dies
// of grouping by decimals together with text (18.16).
func kindColumns() []column {
	out := []column{{"load", "UInt64"}, {"pair", "UInt64"}, {"kind", "UInt64"}, {"rows", "UInt64"}, {"price", number}, {"effective", number}}
	for _, name := range lake.KindColumns {
		out = append(out, column{name, "String"})
	}
	return out
}

func names(columns []column) string {
	var out []string
	for _, c := range columns {
		out = append(out, c.name)
	}
	return strings.Join(out, ", ")
}

func defined(columns []column) string {
	var out []string
	for _, c := range columns {
		out = append(out, c.name+" "+c.kind)
	}
	return strings.Join(out, ", ")
}

// statements make the database and its tables on all nodes. A table of a shard is
// split by load, so that a snapshot is dropped at once, and sorted by who used it, so
// that one account's records are next to each other.
func statements(a Address) []string {
	path := func(table string) string { return "/clickhouse/causeway/" + a.Database + "/" + table }
	on := func(table string) string {
		return "`" + a.Database + "`." + table + " ON CLUSTER `" + a.Cluster + "`"
	}
	out := []string{"CREATE DATABASE IF NOT EXISTS `" + a.Database + "` ON CLUSTER `" + a.Cluster + "`",
		"CREATE TABLE IF NOT EXISTS " + on(snapshots) + " (id String, version UInt64, load UInt64, gone UInt8, label String) ENGINE = ReplicatedReplacingMergeTree(" +
			quote(path(snapshots)) + ", '{shard}-{replica}', version) ORDER BY id" + settle}
	for _, t := range []struct {
		name, order string
		columns     []column
	}{
		{rated, "pair, day, part, line", rowColumns(usage.Rated)}, {invoiced, "pair, day, part, line", rowColumns(usage.Invoiced)}, {kinds, "pair, kind", kindColumns()},
	} {
		out = append(out,
			"CREATE TABLE IF NOT EXISTS "+on(t.name+part)+" ("+defined(t.columns)+") ENGINE = ReplicatedMergeTree("+quote(path(t.name)+"/{shard}")+", '{replica}') PARTITION BY load ORDER BY ("+t.order+")"+settle,
			"CREATE TABLE IF NOT EXISTS "+on(t.name)+" ("+defined(t.columns)+") ENGINE = Distributed(`"+a.Cluster+"`, `"+a.Database+"`, "+t.name+part+", pair)")
	}
	return out
}

// settle lets a node that was killed while it wrote the first rows of a table have the
// table again: it takes what the other replica has. Else it would silently be without it
// (18.16), because all that it has itself is suspicious.
const settle = " SETTINGS replicated_max_ratio_of_wrong_parts = 1"

// prepare looks at the cluster, and makes the tables where they are not there yet.
func (l *Lake) prepare(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ready {
		return nil
	}
	in := []string{"database", "system"}
	out, err := l.ask(ctx, "SELECT count() FROM clusters WHERE cluster = "+quote(l.at.Cluster)+" FORMAT RowBinary", nil, in...)
	if err != nil {
		return err
	}
	switch nodes := (&reader{rest: out}).uint64(); {
	case nodes == 0:
		return fault.Field("lake", fmt.Sprintf("ClickHouse knows no cluster %q.", l.at.Cluster), "Give the name that stands in remote_servers of the servers' configuration.")
	case nodes != uint64(len(l.at.Hosts)): // each is asked what it has before a snapshot counts
		return fault.Field("lake", fmt.Sprintf("The cluster has %d nodes, the setting names %d.", nodes, len(l.at.Hosts)), "Name all nodes of the cluster.")
	}
	all := []string{snapshots, rated, invoiced, kinds, rated + part, invoiced + part, kinds + part}
	out, err = l.ask(ctx, "SELECT count() FROM tables WHERE database = "+quote(l.at.Database)+" AND name IN ('"+strings.Join(all, "', '")+"') FORMAT RowBinary", nil, in...)
	if err != nil {
		return err
	}
	if (&reader{rest: out}).uint64() < uint64(len(all)) {
		for _, s := range statements(l.at) {
			if _, err := l.ask(ctx, s, nil, in...); err != nil {
				return err
			}
		}
	}
	l.ready = true
	return nil
}

// shard is the name of the shard that a node is of.
func (l *Lake) shard(ctx context.Context, host string) (string, error) {
	l.mu.Lock()
	name := l.shards[host]
	l.mu.Unlock()
	if name != "" {
		return name, nil
	}
	r, err := l.readFrom(ctx, host, "SELECT substitution FROM system.macros WHERE macro = 'shard'")
	if err != nil {
		return "", err
	}
	name = r.text()
	l.mu.Lock()
	l.shards[host] = name
	l.mu.Unlock()
	return name, nil
}

// reader takes values of RowBinary; what is too short is broken, and gives zeros.
type reader struct {
	rest   []byte
	broken bool
}

func (r *reader) more() bool { return len(r.rest) > 0 && !r.broken }

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.broken, r.rest = true, nil
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }
func (r *reader) int64() int64   { return int64(r.uint64()) }                            // #nosec G115 -- the same bits
func (r *reader) int32() int32   { return int32(binary.LittleEndian.Uint32(r.take(4))) } // #nosec G115 -- the same bits
func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

func (r *reader) number() lake.Number { return lake.NumberOf(r.take(16)) }

func (r *reader) text() string {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) { // #nosec G115 -- not negative
		r.broken, r.rest = true, nil
		return ""
	}
	r.rest = r.rest[size:]
	return string(r.take(int(n))) // #nosec G115 -- not longer than the rest
}

// errCut is an answer that is not what was asked for.
var errCut = fault.New(fault.Unavailable, "An answer of the ClickHouse cluster is cut off. It is asked again.")
