package pgserver_test

import (
	"testing"

	"causeway/internal/store/pgserver"

	"github.com/jackc/pgx/v5"
)

func TestAServerKeepsWhatWasCommittedThroughACrashAndAStop(t *testing.T) {
	s, err := pgserver.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := s.CreateDatabase(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	ask := func(q string) (n int) {
		c, err := pgx.Connect(t.Context(), s.DSN("kept"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(t.Context()) }()
		if err := c.QueryRow(t.Context(), q).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ask("WITH made AS (SELECT 1) SELECT COUNT(*) FROM made")
	c, err := pgx.Connect(t.Context(), s.DSN("kept"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), "CREATE TABLE x AS SELECT 1 AS n"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := c.Ping(t.Context()); err == nil {
		t.Error("a connection lived through the crash")
	}
	if err := s.Restart(); err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	if n := ask("SELECT n FROM x"); n != 1 {
		t.Errorf("after a crash: %d, want 1", n)
	}
	if err := s.Restart(); err != nil {
		t.Fatalf("while it runs: %v", err)
	}
	if n := ask("SELECT n FROM x"); n != 1 {
		t.Errorf("after a stop: %d, want 1", n)
	}
}
