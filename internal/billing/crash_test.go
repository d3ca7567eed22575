package billing_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"causeway/internal/billing"
	"causeway/internal/invoice"
	"causeway/internal/job"
	"causeway/internal/sim"
	"causeway/internal/store/storetest"
)

// Killed at every point of every stage, a month ends as it ends without that: nothing
// is there twice, and nothing is lost.
func TestAMonthSurvivesADeathAtEveryPoint(t *testing.T) {
	want := ""
	for _, point := range append([]string{"none"}, billing.Points()...) {
		t.Run(point, func(t *testing.T) {
			b := newBooks(t, storetest.SQLite(t), "2026-11-08")
			b.generate(sim.BillOptions{Month: "2026-10", Seed: 5, Customers: 2, Records: 60, Features: without(sim.FeatureUnmapped)})
			b.connect("2026-01-01")
			b.look()
			ids := b.close("2026-10")
			died := b.dying(point, func() {
				b.look()
				b.must(b.Approve(t.Context(), finance, "2026-10"))
				b.work()
				b.closeMonth("2026-10")
			})
			if died != (point != "none") {
				t.Fatalf("died: %v", died)
			}
			b.sound()
			r := b.reconcile("2026-10")
			text := fmt.Sprintln(r.Closed, len(r.Open), len(r.Missing), r.Statements[0].Unclassified)
			b.compare(ids[0], r.Causes)
			for _, d := range b.documents("2026-10") {
				text += fmt.Sprintln(d.Account, d.Number, d.Total, d.Lines[0].Exact.Amount)
				if pdf, err := b.PDF(t.Context(), d.ID); err != nil || len(pdf) == 0 {
					t.Errorf("%s has no file: %v", d.Number, err)
				}
			}
			all, err := b.Book().OfMonth(t.Context(), "2026-10", invoice.Draft, "", 10)
			b.must(err)
			text += fmt.Sprintln(len(all))
			for _, x := range b.sorted() {
				text += x
			}
			if want == "" {
				want = text
			}
			if text != want {
				t.Errorf("it ends as\n%s\nwithout a death as\n%s", text, want)
			}
		})
	}
}

// sorted are the balances of all months, in words.
func (b *books) sorted() []string {
	var all []string
	for _, x := range b.balances() {
		if !x.Amount.IsZero() {
			all = append(all, fmt.Sprintln(x.Account, x.Amount.Text()))
		}
	}
	slices.Sort(all)
	return all
}

// dying does f in a process that dies when it reaches the point for the first time,
// and lets another one do all of it again.
func (b *books) dying(point string, f func()) bool {
	b.t.Helper()
	var died atomic.Bool
	if point != "none" {
		job.OnPoint(func(name string) {
			if name == point && died.CompareAndSwap(false, true) {
				runtime.Goexit()
			}
		})
		defer job.OnPoint(nil)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		f()
	}()
	<-done
	if b.t.Failed() || !died.Load() {
		return died.Load()
	}
	b.build()
	f()
	return true
}
