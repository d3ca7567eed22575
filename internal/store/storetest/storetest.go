// Package storetest gives tests a real database: SQLite in a temporary file,
// and a real PostgreSQL that is started once for the test program.
package storetest

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"causeway/internal/store"
	"causeway/internal/store/pgserver"
)

// Each runs f on SQLite and on PostgreSQL.
func Each(t *testing.T, f func(*testing.T, *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Open(t, Postgres(t))) })
}

// SQLite is a fresh embedded database.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "state.db"))
}

// Open opens url and closes it when the test ends.
func Open(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return db
}

// Postgres makes an empty database on the test program's PostgreSQL and gives
// its connection string.
func Postgres(t testing.TB) string {
	t.Helper()
	s, err := server()
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
	name := "t" + strings.ReplaceAll(store.NewID(), "-", "")
	if err := s.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return s.DSN(name)
}

// server is started once and dies with the test program.
var server = sync.OnceValues(func() (*pgserver.Server, error) { return pgserver.Start("") })
