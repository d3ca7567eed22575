package provision_test

import (
	"slices"
	"testing"
	"time"

	"causeway/internal/job/sqlc"
	"causeway/internal/provision"
	"causeway/internal/store"
)

// After a jump of the clock housekeeping may forget a question whose job is still
// open: nobody waits for its answer, and it must not be tried for ever.
func TestAForgottenQuestionEndsItsJob(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.must(w.db.Tx(w.ctx(), func(tx *store.Tx) error {
		return w.jobs.Add(w.ctx(), tx, provision.JobAsk, "forgotten", struct{}{}, time.Time{})
	}))
	w.jobs.Poke()
	w.poll("the job to end", func() bool {
		open, err := w.jobs.Open(w.ctx())
		w.must(err)
		return !slices.ContainsFunc(open, func(j sqlc.Job) bool { return j.Kind == provision.JobAsk })
	})
}
