package provision_test

import (
	"testing"
	"time"

	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// A worker takes the job's row first and the onboarding's after it. Whoever takes
// them the other way round is ended by PostgreSQL as a deadlock, or ends the worker.
func TestACancellationTakesTheJobBeforeTheOnboarding(t *testing.T) {
	ms := sim.Start(t)
	w := worldOn(t, storetest.Open(t, storetest.Postgres(t)), ms)
	ms.Fail("HEAD /v1/domains/{}", sim.Fault{Kind: sim.FailBefore, Status: 503, Count: -1, After: 2}) // the wizard's questions, then nothing
	stop := w.working()
	id := w.wizard(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	_, err := w.run.Submit(w.ctx(), w.contoso, id)
	w.must(err)
	stop()
	cancelled := make(chan error, 1)
	w.must(w.db.Tx(w.ctx(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(w.ctx(), "UPDATE job SET fence = fence WHERE kind = 'onboard' AND done_at IS NULL") // as a worker that writes
		w.must(err)
		go func() { cancelled <- w.run.Cancel(w.ctx(), w.contoso, id) }()
		for deadline, waiting := time.Now().Add(20*time.Second), 0; waiting == 0 && time.Now().Before(deadline); {
			w.must(w.db.Read().QueryRowContext(w.ctx(), "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting))
		}
		rows, err := tx.QueryContext(w.ctx(), "SELECT id FROM onboarding FOR UPDATE NOWAIT")
		if err != nil {
			t.Errorf("the cancellation holds the onboarding and waits for its job: %v", err)
			return nil
		}
		return rows.Close()
	}))
	if err := <-cancelled; err != nil {
		t.Errorf("cancel: %v", err)
	}
}
