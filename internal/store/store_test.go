package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

func TestATransactionIsAllOrNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		told := false
		stop := errors.New("stop")
		err := db.Tx(t.Context(), func(tx *store.Tx) error {
			tx.After(func() { told = true })
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO audit_head (org, seq, hash) VALUES ('a', 1, '')"); err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if n := heads(t, db); n != 0 || told {
			t.Errorf("after a rollback: %d rows, told = %v", n, told)
		}
		err = db.Tx(t.Context(), func(tx *store.Tx) error {
			tx.After(func() { told = true })
			_, err := tx.ExecContext(t.Context(), "INSERT INTO audit_head (org, seq, hash) VALUES ('a', 1, '')")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := heads(t, db); n != 1 || !told {
			t.Errorf("after a commit: %d rows, told = %v", n, told)
		}
		err = db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO audit_head (org, seq, hash) VALUES ('a', 1, '')")
			return err
		})
		if !store.IsUnique(err) {
			t.Errorf("a second row with the same key: %v is not seen as such", err)
		}
	})
}

func heads(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	if err := db.Read().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM audit_head").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestASecondProcessOnOneFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.db")
	storetest.Open(t, file)
	if _, err := store.Open(context.Background(), file); !errors.Is(err, fault.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestAWorkerNameIsHeldByOne(t *testing.T) {
	dsn := storetest.Postgres(t)
	a, b := storetest.Open(t, dsn), storetest.Open(t, dsn)
	release, err := a.HoldName(t.Context(), "worker 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.HoldName(t.Context(), "worker 1"); !errors.Is(err, fault.Conflict) {
		t.Errorf("a second holder: %v, want a conflict", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, err = b.HoldName(t.Context(), "worker 1")
	if err != nil {
		t.Fatalf("after its release: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

func TestInstantsKeepMicroseconds(t *testing.T) {
	at := time.Date(2026, 11, 23, 14, 6, 1, 123456000, time.UTC)
	if got := store.Time(store.Micros(at)); !got.Equal(at) {
		t.Errorf("got %v, want %v", got, at)
	}
	if !store.Time(store.Micros(time.Time{})).IsZero() {
		t.Error("no time became a time")
	}
}
