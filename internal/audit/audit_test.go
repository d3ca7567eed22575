package audit_test

import (
	"testing"
	"time"

	"causeway/internal/audit"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

func write(t *testing.T, db *store.DB, org, action string) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		return audit.Write(t.Context(), tx, audit.Entry{
			Org: org, At: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC), Actor: audit.User("1"), Action: action, Object: "provider:1",
			Detail: map[string]string{"name": "Contoso"}, Address: "127.0.0.1",
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAChangedOrMissingEntryShows(t *testing.T) {
	for name, spoil := range map[string]string{
		"a changed word":         "UPDATE audit_entry SET actor = 'user:2' WHERE org = 'a' AND seq = 2",
		"a removed entry":        "DELETE FROM audit_entry WHERE org = 'a' AND seq = 2",
		"a cut end":              "DELETE FROM audit_entry WHERE org = 'a' AND seq = 3",
		"an exchanged action":    "UPDATE audit_entry SET action = 'x', object = 'provider.create' WHERE org = 'a' AND seq = 1",
		"another organization's": "UPDATE audit_entry SET org = 'a', seq = 4 WHERE org = 'b'",
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				for _, action := range []string{"provider.create", "provider.name", "provider.cancel"} {
					write(t, db, "a", action)
				}
				write(t, db, "b", "provider.create")
				if n, err := audit.Verify(t.Context(), db, "a"); err != nil || n != 3 {
					t.Fatalf("a good chain: %d entries, %v", n, err)
				}
				err := db.Tx(t.Context(), func(tx *store.Tx) error { _, err := tx.ExecContext(t.Context(), spoil); return err })
				if err != nil {
					t.Fatal(err)
				}
				if _, err := audit.Verify(t.Context(), db, "a"); err == nil {
					t.Error("the chain verifies")
				}
			})
		})
	}
}

func TestEntriesAreListedNewestFirst(t *testing.T) {
	db := storetest.SQLite(t)
	write(t, db, "a", "first")
	write(t, db, "a", "second")
	write(t, db, "b", "other")
	org := "a"
	list, err := audit.List(t.Context(), db, audit.Filter{Org: &org})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Action != "second" {
		t.Errorf("got %v", list)
	}
}
