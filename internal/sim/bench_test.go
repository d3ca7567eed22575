package sim_test

import (
	"testing"
	"time"

	"causeway/internal/sim"
)

// A short run of the benchmark: every call of the mix is answered as expected.
func TestTheBenchmarksCallsAreAnswered(t *testing.T) {
	got, err := sim.Bench(t.Context(), sim.BenchOptions{Customers: 300, Duration: 300 * time.Millisecond, Clients: 4})
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests < 50 || got.Failed != 0 || got.Customers < 300 || got.RequestsPerSecond <= 0 || got.HeapBytes <= 0 {
		t.Errorf("result = %+v", got)
	}
}
