// Package clickhousetest gives tests a lake in a real ClickHouse cluster that is
// started once for the test program.
package clickhousetest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/store"
	"causeway/internal/usage/clickhouse"
	"causeway/internal/usage/clickhouse/chserver"
)

// Cluster is the test program's cluster; it dies with it.
func Cluster(t testing.TB) *chserver.Cluster {
	t.Helper()
	c, err := server()
	if err != nil {
		t.Fatalf("ClickHouse for tests: %v", err)
	}
	return c
}

var server = sync.OnceValues(chserver.Start)

// Address is that of a database of its own in the test program's cluster.
func Address(t testing.TB) clickhouse.Address {
	t.Helper()
	return clickhouse.Address{
		Hosts: Cluster(t).Hosts(), User: chserver.User, Password: chserver.Password, Cluster: chserver.Name,
		Database: "t" + strings.ReplaceAll(store.NewID(), "-", ""),
	}
}

// Shared is the address of a database that all tests of the program have, because it
// takes a while to make one; Wipe empties it.
func Shared(t testing.TB) clickhouse.Address {
	t.Helper()
	shared.Do(func() { database = Address(t).Database })
	at := Address(t)
	at.Database = database
	return at
}

var (
	shared   sync.Once
	database string
)

// Wipe drops snapshots.
func Wipe(t testing.TB, at clickhouse.Address, snapshots ...string) {
	t.Helper()
	l := clickhouse.Open(at, clickhouse.Options{})
	for _, s := range snapshots {
		if err := l.Drop(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// Open opens a lake without any records and closes it when the test ends.
func Open(t testing.TB, o clickhouse.Options) *clickhouse.Lake {
	t.Helper()
	l := clickhouse.Open(Address(t), o)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Left tells which tables of a database still have rows on any node; "" is none. It
// waits: a replica drops a moment after the one that was told to.
func Left(t *testing.T, database string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		left := ""
		for _, host := range Cluster(t).Hosts() {
			left += Ask(t, host, "SELECT table, sum(rows) FROM system.parts WHERE active AND database = '"+database+"' AND table NOT LIKE 'snapshots%' GROUP BY table")
		}
		if left == "" {
			return ""
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return left
		}
	}
}

// Ask asks one node; settings are names and values of ClickHouse's.
func Ask(t *testing.T, host, query string, settings ...string) string {
	t.Helper()
	v := url.Values{}
	for i := 0; i < len(settings); i += 2 {
		v.Set(settings[i], settings[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+host+"/?"+v.Encode(), strings.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-ClickHouse-User", chserver.User)
	r.Header.Set("X-ClickHouse-Key", chserver.Password)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s (%v)", query, text, err)
	}
	return string(text)
}
