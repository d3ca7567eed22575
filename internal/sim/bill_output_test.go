package sim_test

import (
	"testing"

	"causeway/internal/sim"
)

func BenchmarkUsageIsGenerated(b *testing.B) {
	for b.Loop() {
		got, err := sim.GenerateUsage(b.Context(), b.TempDir(), sim.UsageOptions{BillOptions: sim.BillOptions{Month: "2026-10", Records: 1_000_000}, Workers: 1})
		if err != nil {
			b.Fatal(err)
		}
		if got.Records != 1_000_000 {
			b.Fatalf("records = %d", got.Records)
		}
		b.ReportMetric(float64(got.Records)/b.Elapsed().Seconds()*float64(b.N), "records/s")
		b.Logf("%d records %d bytes %d gzip %d blobs", got.Records, got.Bytes, got.Gzip, len(got.Blobs))
	}
}
