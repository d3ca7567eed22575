package api_test

import (
	"testing"

	"causeway/internal/api"
	"causeway/internal/api/sqlc"
	"causeway/internal/store"
)

// A process died between the draft and its answer: the row holds what was made. The
// repeated call takes the row over when the lease is over, removes the leftover and
// does it once.
func TestAWriteThatDiedIsTakenOver(t *testing.T) {
	w := newWorld(t)
	body := map[string]any{"name": "Died"}
	w.admin.want(201, "POST", "/providers", body, api.KeyHeader, "died")
	var p api.Page[api.Provider]
	w.admin.want(200, "GET", "/providers", nil).into(t, &p)
	left := p.Items[0].ID
	w.must(w.app.DB.Tx(t.Context(), func(tx *store.Tx) error { // as it is while the first run works
		_, err := tx.ExecContext(t.Context(), "UPDATE api_key SET status = 0, body = '', object = '"+left+"', run = 'dead' WHERE key = 'died'")
		return err
	}))
	in := w.admin.do("POST", "/providers", body, api.KeyHeader, "died")
	if in.Status != 409 {
		t.Fatalf("while the lease lasts = %d, want 409: %s", in.Status, in.Body)
	}
	w.must(w.app.DB.Tx(t.Context(), func(tx *store.Tx) error { // 75 s later
		_, err := sqlc.New(tx).FreeKey(t.Context(), sqlc.FreeKeyParams{Principal: "user:" + string(w.admin.User), Key: "died", Run: "dead"})
		return err
	}))
	var d api.Draft
	w.admin.want(201, "POST", "/providers", body, api.KeyHeader, "died").into(t, &d)
	if d.Provider.ID == left {
		t.Error("the answer names the leftover")
	}
	w.admin.want(404, "GET", "/providers/"+left, nil)
	w.providers(1)
}
