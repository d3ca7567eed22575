package clickhouse_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/sim"
	"causeway/internal/usage"
	"causeway/internal/usage/clickhouse"
	"causeway/internal/usage/clickhouse/chserver"
	"causeway/internal/usage/clickhouse/clickhousetest"
	"causeway/internal/usage/lake"
)

// blobs are files in a folder; before is called before one is opened.
type blobs struct {
	dir    string
	before func(name string)
}

func (b blobs) Open(_ context.Context, _ string, f usage.File) (io.ReadCloser, error) {
	if b.before != nil {
		b.before(f.Name)
	}
	return os.Open(filepath.Join(b.dir, f.Name))
}

// month makes a simulated month: its files, its two snapshots, and who pays, with
// subscriptions that move in mid month and a customer that nobody pays for.
func month(t *testing.T, o sim.BillOptions) (blobs, usage.Snapshot, usage.Snapshot, usage.Query) {
	t.Helper()
	dir := t.TempDir()
	o.Month = "2026-02"
	got, err := sim.GenerateUsage(t.Context(), dir, sim.UsageOptions{BillOptions: o, Blobs: 3})
	if err != nil {
		t.Fatal(err)
	}
	e := usage.Export{Feed: usage.Rated, Invoice: "G000024135", Month: "2026-02", Currency: "EUR"}
	rated := usage.Snapshot{ID: "rated", Export: e}
	for _, b := range got.Blobs {
		rated.Files = append(rated.Files, usage.File{Name: filepath.Base(b)})
	}
	e.Feed = usage.Invoiced
	return blobs{dir: dir}, rated, usage.Snapshot{ID: "invoiced", Export: e, Files: []usage.File{{Name: "reconciliation-00000.json.gz"}}},
		usage.Query{Rated: []string{"rated"}, Invoiced: []string{"invoiced"}, Tags: []string{"env", "owner"}}
}

// owners gives every second customer an account, and moves some subscriptions.
func owners(t *testing.T, l billing.Lake) []usage.Owner {
	t.Helper()
	var out []usage.Owner
	tenants, subs := map[string]bool{}, map[string]bool{}
	err := l.Groups(t.Context(), usage.Query{Rated: []string{"rated"}}, func(_ string, groups []usage.Group) error {
		for _, g := range groups {
			if !tenants[g.Tenant] {
				if tenants[g.Tenant] = true; len(tenants) != 3 {
					out = append(out, usage.Owner{Tenant: g.Tenant, From: "2026-01-01", Account: "ACC" + string(rune('A'+len(tenants)))})
				}
			}
			if g.Entitlement != "" && !subs[g.Entitlement] {
				if subs[g.Entitlement] = true; len(subs)%2 == 0 {
					out = append(out, usage.Owner{Tenant: g.Tenant, Entitlement: g.Entitlement, From: "2026-02-11", To: "2026-02-20", Account: "MOVED"})
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// all is everything that a lake says of a month, as JSON; between is called after the
// groups of each account.
func all(t *testing.T, l billing.Lake, q usage.Query, between func()) string {
	t.Helper()
	var b strings.Builder
	out := json.NewEncoder(&b)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(l.Groups(t.Context(), q, func(account string, groups []usage.Group) error {
		if between != nil {
			between()
		}
		return errors.Join(out.Encode(account), out.Encode(groups))
	}))
	must(l.Lines(t.Context(), "invoiced", "rated", func(x usage.Line) error { return out.Encode(x) }))
	for _, account := range []string{"MOVED", "ACCB", ""} {
		r := usage.RecordQuery{Snapshots: []string{"rated", "invoiced"}, Owners: q.Owners, Account: account, Month: "2026-02", Limit: 300}
		for range 3 {
			page, next, err := l.Records(t.Context(), r)
			must(err)
			must(out.Encode(page))
			if r.After = next; next == "" {
				break
			}
		}
	}
	return b.String()
}

func load(t *testing.T, l billing.Lake, b usage.Blobs, list ...usage.Snapshot) []usage.Loaded {
	t.Helper()
	var out []usage.Loaded
	for _, s := range list {
		x, err := l.Load(t.Context(), s, b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

func open(t *testing.T, at clickhouse.Address, patience time.Duration) *clickhouse.Lake {
	t.Helper()
	l := clickhouse.Open(at, clickhouse.Options{Workers: 2, Patience: patience})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	l.InBatchesOf(20)
	return l
}

// same compares two long texts line by line.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(g) != len(w) {
		t.Errorf("%s: %d lines, want %d", what, len(g), len(w))
	}
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("%s, line %d:\ngot  %.2000s\nwant %.2000s", what, i, g[i], w[i])
		}
	}
}

// A simulated month is the same in both lakes, to the last digit: while all nodes live,
// while one is killed in the middle of reading, and after one was killed in the middle of
// loading. That load is refused whole and can be repeated; nothing is there twice.
func TestAMonthIsTheSameInBothLakesWhateverDies(t *testing.T) {
	files, rated, invoiced, q := month(t, sim.BillOptions{Seed: 11, Records: 3_000, Customers: 6, Subscriptions: 2, Density: 10, Currencies: []string{"EUR"}})
	duck, err := lake.Open(t.TempDir(), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := duck.Close(); err != nil {
			t.Error(err)
		}
	})
	wantLoaded := load(t, duck, files, rated, invoiced)
	q.Owners = owners(t, duck)
	want := all(t, duck, q, nil)

	cluster, at := clickhousetest.Cluster(t), clickhousetest.Address(t)
	l := open(t, at, time.Minute)

	// In the middle of loading: the second file is read when the node dies.
	dies := files
	dies.before = func(name string) {
		if name == rated.Files[1].Name {
			cluster.Kill(1)
		}
	}
	hasty := open(t, at, 2*time.Second)
	hasty.OneWorker()
	if _, err := hasty.Load(t.Context(), rated, dies); !errors.Is(err, fault.Unavailable) || strings.Contains(err.Error(), chserver.Password) {
		t.Fatalf("a replica died while loading: %v", err)
	}
	if err := l.Groups(t.Context(), q, nil); !errors.Is(err, fault.NotFound) {
		t.Fatalf("there is something of a load that failed: %v", err)
	}
	if err := cluster.Restart(1); err != nil {
		t.Fatal(err)
	}
	if got := load(t, l, files, rated, invoiced); !slices.EqualFunc(got, wantLoaded, func(a, b usage.Loaded) bool { return asText(t, a) == asText(t, b) }) {
		t.Errorf("loaded %+v, want %+v", got, wantLoaded)
	}
	same(t, "loaded again", all(t, l, q, nil), want)

	// In the middle of reading: the node that is being asked dies.
	accounts := 0
	got := all(t, l, q, func() {
		if accounts++; accounts == 2 {
			cluster.Kill(0)
		}
	})
	if accounts < 5 {
		t.Errorf("only %d accounts", accounts)
	}
	same(t, "while a node died", got, want)
	same(t, "on what is left", all(t, open(t, at, time.Minute), q, nil), want)
	late := rated
	late.ID = "late"
	if _, err := hasty.Load(t.Context(), late, files); !errors.Is(err, fault.Unavailable) {
		t.Errorf("loaded without a replica: %v", err)
	}
	if err := cluster.Restart(0); err != nil {
		t.Fatal(err)
	}
	same(t, "after it came back", all(t, l, q, nil), want)
	load(t, l, files, late)
	for _, id := range []string{"rated", "invoiced", "late"} {
		if err := l.Drop(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// What a shard lost, or has twice, is never billed as if that were all: there is no
// answer then. A block that is written again, through another node, is there once.
func TestAnAnswerIsWholeOrNone(t *testing.T) {
	files, rated, invoiced, q := month(t, sim.BillOptions{Seed: 12, Records: 300, Customers: 6, Density: 10, Currencies: []string{"EUR"}})
	cluster, at := clickhousetest.Cluster(t), clickhousetest.Address(t)
	l := open(t, at, 500*time.Millisecond)
	calm := open(t, at, time.Minute)
	load(t, calm, files, rated, invoiced)
	q.Owners = owners(t, calm)
	n, err := calm.LoadOf(t.Context(), "rated")
	if err != nil {
		t.Fatal(err)
	}
	// Rows that were taken are gone before all are there: then the load counts for nothing.
	robbed, late := files, rated
	late.ID = "late"
	robbed.before = func(name string) {
		if name == rated.Files[1].Name {
			for _, shard := range []string{cluster.Hosts()[0], cluster.Hosts()[2]} {
				for _, load := range strings.Fields(clickhousetest.Ask(t, shard, fmt.Sprintf("SELECT DISTINCT load FROM %s.rated_v1_part WHERE load != %d", at.Database, n))) {
					clickhousetest.Ask(t, shard, "ALTER TABLE "+at.Database+".rated_v1_part DROP PARTITION "+load, "replication_alter_partitions_sync", "2")
				}
			}
		}
	}
	l.OneWorker()
	if _, err := l.Load(t.Context(), late, robbed); !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "does not give all") {
		t.Errorf("a load lost rows: %v", err)
	}
	if _, _, err := calm.Records(t.Context(), usage.RecordQuery{Snapshots: []string{"late"}}); !errors.Is(err, fault.NotFound) {
		t.Errorf("there is something of it: %v", err)
	}
	refused := func(when string) {
		t.Helper()
		for what, err := range map[string]error{
			"groups": l.Groups(t.Context(), q, func(string, []usage.Group) error { return nil }),
			"lines":  l.Lines(t.Context(), "invoiced", "rated", func(usage.Line) error { return nil }),
		} {
			if !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "does not give all") {
				t.Errorf("%s: %s: %v", when, what, err)
			}
		}
	}
	for i := range 2 { // the same block by two ways, of another load
		at := at
		at.Hosts = slices.Clone(at.Hosts)
		if i == 1 {
			slices.Reverse(at.Hosts)
		}
		if err := open(t, at, time.Minute).WriteKind(t.Context(), n+1); err != nil {
			t.Fatal(err)
		}
	}
	if got := clickhousetest.Ask(t, cluster.Hosts()[0], fmt.Sprintf("SELECT count() FROM %s.kinds_v1 WHERE load = %d", at.Database, n+1)); got != "1\n" {
		t.Errorf("a block that was written twice is there %s times", got)
	}
	// Both replicas have it then, whichever is asked.
	clickhousetest.Ask(t, cluster.Hosts()[0], fmt.Sprintf("INSERT INTO %[1]s.rated_v1_part SELECT * FROM %[1]s.rated_v1_part WHERE load = %[2]d LIMIT 1", at.Database, n), "insert_quorum", "2")
	refused("a row is there twice")
	clickhousetest.Ask(t, cluster.Hosts()[0], fmt.Sprintf("ALTER TABLE %s.rated_v1_part DROP PARTITION %d", at.Database, n), "replication_alter_partitions_sync", "2")
	refused("a shard lost its rows")
}

// What a process left that died while it loaded is dropped days later; never what is a
// snapshot's, however old.
func TestWhatWasLeftIsSwept(t *testing.T) {
	files, rated, invoiced, q := month(t, sim.BillOptions{Seed: 13, Records: 60, Customers: 2, Density: 10, Currencies: []string{"EUR"}})
	at := clickhousetest.Address(t)
	old := open(t, at, time.Minute)
	old.At(time.Now().Add(-30 * 24 * time.Hour))
	load(t, old, files, rated)
	n, err := old.LoadOf(t.Context(), "rated")
	if err != nil {
		t.Fatal(err)
	}
	young := uint64(time.Now().UnixMicro()) << 12
	for _, of := range []uint64{n + 1, young} {
		if err := old.WriteKind(t.Context(), of); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, at, time.Minute)
	load(t, l, files, invoiced)
	found := clickhousetest.Ask(t, clickhousetest.Cluster(t).Hosts()[0], fmt.Sprintf("SELECT DISTINCT load FROM %s.kinds_v1 WHERE load IN (%d, %d, %d) ORDER BY load", at.Database, n, n+1, young), "load_balancing", "in_order")
	if want := fmt.Sprintf("%d\n%d\n", n, young); found != want {
		t.Errorf("there are loads %q, want %q", found, want)
	}
	if err := l.Groups(t.Context(), q, func(string, []usage.Group) error { return nil }); err != nil {
		t.Error(err)
	}
}

func asText(t *testing.T, x any) string {
	t.Helper()
	b, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
