package store_test

import (
	"errors"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/pgserver"
	"causeway/internal/store/storetest"
)

// soon is long: it only ends a test that would otherwise hang.
const soon = 30 * time.Second

func TestWhoWatchesHearsOfACommit(t *testing.T) {
	file, dsn := t.TempDir()+"/state.db", storetest.Postgres(t)
	for name, open := range map[string]func() (*store.DB, *store.DB){
		"in the same process": func() (*store.DB, *store.DB) { db := storetest.Open(t, file); return db, db },
		"in another replica":  func() (*store.DB, *store.DB) { return storetest.Open(t, dsn), storetest.Open(t, dsn) },
	} {
		t.Run(name, func(t *testing.T) {
			writes, watches := open()
			changed, stop := watches.Watch("thing")
			defer stop()
			other, stopOther := watches.Watch("other")
			defer stopOther()
			if writes != watches { // a listener that has just begun looks at everything once
				heard(t, changed)
				heard(t, other)
			}
			refused := errors.New("refused")
			if err := writes.Tx(t.Context(), func(tx *store.Tx) error { tx.Wake("thing"); return refused }); !errors.Is(err, refused) {
				t.Fatal(err)
			}
			if err := writes.Tx(t.Context(), func(tx *store.Tx) error { tx.Wake("other"); return nil }); err != nil {
				t.Fatal(err)
			}
			heard(t, other) // later than what was rolled back
			select {
			case <-changed:
				t.Error("what was rolled back was told")
			default:
			}
			if err := writes.Tx(t.Context(), func(tx *store.Tx) error { tx.Wake("thing"); return nil }); err != nil {
				t.Fatal(err)
			}
			heard(t, changed)
		})
	}
}

func heard(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(soon):
		t.Fatal("nothing was heard")
	}
}

func TestADatabaseThatIsAwayIsToldFromABugAndComesBack(t *testing.T) {
	s, err := pgserver.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	db := storetest.Open(t, s.DSN("postgres"))
	release, err := db.HoldName(t.Context(), "worker 1")
	if err != nil {
		t.Fatal(err)
	}
	write := func() error {
		return db.Tx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.ExecContext(t.Context(), "UPDATE billing_tree SET id = 1")
			return err
		})
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	for range 30 { // each idle connection finds out by itself
		err := store.Known(write())
		if !errors.Is(err, fault.Unavailable) {
			t.Fatalf("while it is away: %v, want something to try again", err)
		}
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; {
		err := write()
		if err == nil {
			break
		}
		if !store.IsAway(err) || time.Since(began) > soon {
			t.Fatalf("when it is back: %v", err)
		}
	}
	_, err = db.Read().QueryContext(t.Context(), "SELECT nothing FROM nowhere")
	if err == nil || store.IsAway(err) || !errors.Is(store.Known(err), err) {
		t.Errorf("our own mistake passes for a database that is away: %v", err)
	}
	other := storetest.Open(t, s.DSN("postgres"))
	for began := time.Now(); ; { // the database has forgotten the name; its holder takes it again
		take, err := other.HoldName(t.Context(), "worker 1")
		if errors.Is(err, fault.Conflict) {
			break
		}
		if err != nil || time.Since(began) > soon {
			t.Fatalf("the name is not held again: %v", err)
		}
		if err := take(); err != nil {
			t.Fatal(err)
		}
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

func TestProgramsThatStartAtOnceMakeTheTablesOnce(t *testing.T) {
	dsn := storetest.Postgres(t)
	opened := make(chan error)
	for range 6 {
		go func() {
			db, err := store.Open(t.Context(), dsn)
			if err == nil {
				err = db.Close()
			}
			opened <- err
		}()
	}
	for range 6 {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
}

func TestANewerDatabaseIsTakenAsLongAsItOnlyGrew(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		exec(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
		exec(t, db, "CREATE TABLE tomorrow (id TEXT PRIMARY KEY)")
		if err := db.Again(t.Context()); err != nil {
			t.Errorf("a database that only grew: %v", err)
		}
		if v, err := db.Schema(t.Context()); err != nil || v != 9999 {
			t.Errorf("version %d, %v; want the newer one", v, err)
		}
		exec(t, db, "INSERT INTO schema_floor (version) VALUES (9999)")
		if err := db.Again(t.Context()); !errors.Is(err, fault.Conflict) {
			t.Errorf("a database of which something was taken away: %v, want a refusal", err)
		}
	})
}

func exec(t *testing.T, db *store.DB, text string) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error { _, err := tx.ExecContext(t.Context(), text); return err })
	if err != nil {
		t.Fatal(err)
	}
}
