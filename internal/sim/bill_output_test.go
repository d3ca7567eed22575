package sim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/shopspring/decimal"

	"causeway/internal/sim"
)

func files(t *testing.T, names []string) [][]byte {
	t.Helper()
	var out [][]byte
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// lines unpacks blobs.
func lines(t *testing.T, blobs [][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, b := range blobs {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&out, z); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// Files have exactly the records that were asked for, the same with any number of
// workers, and come with a manifest, the reconciliation and the sealed list.
func TestUsageFilesAreExactAndRepeatable(t *testing.T) {
	for _, records := range []int64{1, 40, 1_000, 20_011} {
		var first []byte
		for _, workers := range []int{1, 3} {
			dir := t.TempDir()
			got, err := sim.GenerateUsage(t.Context(), dir, sim.UsageOptions{BillOptions: sim.BillOptions{Month: "2026-02", Records: records, Density: 5}, Workers: workers, Blobs: 4, Sealed: true})
			if err != nil {
				t.Fatal(err)
			}
			blobs := files(t, got.Blobs)
			text := lines(t, blobs)
			if n := int64(bytes.Count(text, []byte("\n"))); got.Records != records || n != records || int64(len(text)) != got.Bytes {
				t.Errorf("asked for %d records, told %d, there are %d", records, got.Records, n)
			}
			whole := bytes.Join(blobs, nil)
			if first == nil {
				first = whole
			} else if !bytes.Equal(first, whole) {
				t.Errorf("%d records: other bytes with %d workers", records, workers)
			}
			var manifest struct {
				Etag  string `json:"eTag"`
				Count int    `json:"blobCount"`
				Blobs []struct{ Name string }
			}
			b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &manifest); err != nil || manifest.Etag == "" || manifest.Count != len(got.Blobs) || len(manifest.Blobs) != manifest.Count {
				t.Errorf("manifest: %v %s", err, b)
			}
			charged := decimal.Zero
			for _, x := range records2(t, filepath.Join(dir, "reconciliation-00000.json.gz")) {
				charged = charged.Add(num(t, x, "TotalForCustomer"))
			}
			if len(got.Sealed) != 1 || got.Sealed[0].Records != records || !decimal.RequireFromString(got.Sealed[0].Total).Equal(charged) {
				t.Errorf("lines come to %s, sealed: %+v", charged, got.Sealed)
			}
		}
	}
}

func records2(t *testing.T, name string) []map[string]any {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return records(t, b)
}

// A million records, on one processor: what it costs to make a benchmark's input.
func BenchmarkAMillionRecordsOfUsage(b *testing.B) {
	var records int64
	for b.Loop() {
		got, err := sim.GenerateUsage(b.Context(), b.TempDir(), sim.UsageOptions{BillOptions: sim.BillOptions{Month: "2026-10", Records: 1_000_000}, Workers: 1})
		if err != nil {
			b.Fatal(err)
		}
		if got.Records != 1_000_000 {
			b.Fatalf("records = %d", got.Records)
		}
		records += got.Records
		b.ReportMetric(float64(got.Bytes), "bytes")
		b.ReportMetric(float64(got.Gzip), "gzip-bytes")
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
