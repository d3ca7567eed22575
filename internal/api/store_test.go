package api

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// Keys are kept alike on both databases.
func TestKeysOnBothDatabases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		s := &Server{Parts: Parts{DB: db, Now: func() time.Time { return now }}}
		ctx := context.WithValue(t.Context(), ctxActor, account.Actor{User: "u"})
		first := &run{s: s, principal: "user:u", key: "k", id: "first"}
		if kept, err := first.claim(ctx, "hash"); kept != nil || err != nil {
			t.Fatalf("a new key: %v, %v", kept, err)
		}
		if err := made(context.WithValue(ctx, ctxOnce, first), "draft"); err != nil {
			t.Fatal(err)
		}
		second := &run{s: s, principal: "user:u", key: "k", id: "second"}
		if _, err := second.claim(ctx, "hash"); !refusedAs(err, http.StatusConflict) {
			t.Errorf("while the first runs: %v, want 409", err)
		}
		if _, err := second.claim(ctx, "other"); !refusedAs(err, http.StatusUnprocessableEntity) {
			t.Errorf("other content: %v, want 422", err)
		}
		now = now.Add(keyLease)
		if kept, err := second.claim(ctx, "hash"); kept != nil || err != nil || second.object != "draft" {
			t.Errorf("after the lease: %v, %v, object %q", kept, err, second.object)
		}
		if err := made(context.WithValue(ctx, ctxOnce, first), "late"); err == nil {
			t.Error("the first run could write after it was taken over")
		}
		rec := &recorder{header: map[string][]string{}}
		second.finish(ctx, rec, func() {
			rec.WriteHeader(http.StatusCreated)
			_, _ = rec.Write([]byte(`{"id":"x","secret":"s"}`))
		})
		kept, err := (&run{s: s, principal: "user:u", key: "k", id: "third"}).claim(ctx, "hash")
		if err != nil || kept == nil || kept.Status != 201 || kept.Body != `{"id":"x","secret":""}` {
			t.Errorf("kept = %+v, %v", kept, err)
		}
	})
}

func refusedAs(err error, status int) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == status
}
