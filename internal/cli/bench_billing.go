package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/sim"
	"causeway/internal/usage"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

type benchBillingCmd struct {
	Records   int64  `default:"1000000" help:"Daily usage records."`
	Workers   int    `help:"Left out: one per processor."`
	Seed      uint64 `default:"1"`
	Customers int    `help:"Left out: one for each thousand records."`
	Dir       string `placeholder:"DIR" help:"Folder for the data, which is left there. Left out: a temporary one."`
	Lake      string `env:"CAUSEWAY_LAKE" placeholder:"URL" help:"A ClickHouse cluster, as serve takes it. Left out: DuckDB."`
	JSON      bool   `name:"json"`
	Path      string `hidden:"" help:"Run the billing path alone over the data in this folder: what the bench starts to measure its memory."`
}

// billingFigures is what bench billing prints, measured as DESIGN §7 says.
type billingFigures struct {
	Records      int64   `json:"records"`
	Bytes        int64   `json:"bytes"`          // of JSON lines
	Gunzip       float64 `json:"gunzip_seconds"` // one goroutine, to nowhere; median of 3
	Baseline     float64 `json:"duckdb_baseline_seconds"`
	Total        float64 `json:"total_seconds"`
	Ratio        float64 `json:"ratio_to_gunzip"`
	PerSecond    float64 `json:"records_per_second"`
	PeakRSS      int64   `json:"peak_rss_bytes"` // of the path's own process
	Unclassified string  `json:"unclassified"`

	Accounts int                `json:"accounts"`
	Groups   int64              `json:"groups"`
	Charged  money.Amount       `json:"charged"`
	Workers  int                `json:"workers"`
	Stages   map[string]float64 `json:"stages"` // seconds of the path
}

// billingInput is what the path starts from: an export as it was fetched.
type billingInput struct {
	Snapshot usage.Snapshot `json:"snapshot"`
	Owners   []usage.Owner  `json:"owners"`
}

const billingInputName = "input.json"

func (c *benchBillingCmd) Run(ctx context.Context, std Std) error {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Path != "" {
		f, err := billPath(ctx, c.Path, c.Lake, c.Workers)
		if err != nil {
			return err
		}
		return printJSON(std.Out, f)
	}
	dir := c.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "causeway-bench-billing-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	}
	f, err := c.measure(ctx, dir)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, f)
	}
	_, err = fmt.Fprintf(std.Out, "%d records, %d MB: gunzip %.2f s, DuckDB alone %.2f s, whole path %.2f s (%.2f × gunzip, %.0f records/s), peak %d MB; %s unclassified\n",
		f.Records, f.Bytes>>20, f.Gunzip, f.Baseline, f.Total, f.Ratio, f.PerSecond, f.PeakRSS>>20, f.Unclassified)
	return err
}

// measure makes the data, which is not counted, then takes all times in one run.
func (c *benchBillingCmd) measure(ctx context.Context, dir string) (billingFigures, error) {
	data := filepath.Join(dir, "export")
	const month = "2026-10"
	made, err := sim.GenerateUsage(ctx, data, sim.UsageOptions{BillOptions: sim.BillOptions{Month: month, Seed: c.Seed, Records: c.Records, Customers: c.Customers}})
	if err != nil {
		return billingFigures{}, err
	}
	in := billingInput{Snapshot: usage.Snapshot{ID: "bench", Export: usage.Export{Feed: usage.Rated, Invoice: "G000024135", Month: month, Currency: "USD"}}}
	for _, b := range made.Blobs {
		in.Snapshot.Files = append(in.Snapshot.Files, usage.File{Name: filepath.Base(b)})
	}
	if in.Owners, err = billedTenants(filepath.Join(data, "reconciliation-00000.json.gz")); err != nil {
		return billingFigures{}, err
	}
	b, err := json.Marshal(in)
	if err != nil {
		return billingFigures{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, billingInputName), b, 0o600); err != nil {
		return billingFigures{}, err
	}
	gunzip, err := gunzipSeconds(made.Blobs)
	if err != nil {
		return billingFigures{}, err
	}
	baseline, err := duckdbSeconds(ctx, filepath.Join(data, "part-*.json.gz"))
	if err != nil {
		return billingFigures{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return billingFigures{}, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", "billing", "--path", dir, "--workers", strconv.Itoa(c.Workers)) // #nosec G204 -- this program
	cmd.Stderr, cmd.Env = os.Stderr, append(os.Environ(), "CAUSEWAY_LAKE="+c.Lake)                                 // it may hold a password: not in the arguments
	out, err := cmd.Output()
	if err != nil {
		return billingFigures{}, fmt.Errorf("the billing path: %w", err)
	}
	var f billingFigures
	if err := json.Unmarshal(out, &f); err != nil {
		return f, err
	}
	f.Gunzip, f.Baseline = gunzip, baseline
	f.Ratio = round(f.Total/gunzip, 2)
	return f, nil
}

// billedTenants gives every tenant of a reconciliation an account of its own.
func billedTenants(name string) ([]usage.Owner, error) {
	f, err := os.Open(name) // #nosec G304 -- the bench's own folder
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var out []usage.Owner
	known := map[string]bool{}
	for d := json.NewDecoder(bufio.NewReader(z)); ; {
		var line struct {
			CustomerID string `json:"CustomerId"`
		}
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if !known[line.CustomerID] {
			known[line.CustomerID] = true
			out = append(out, usage.Owner{Tenant: line.CustomerID, Account: fmt.Sprintf("B%05d", len(out))})
		}
	}
}

// gunzipSeconds is the floor: unpacking alone.
func gunzipSeconds(blobs []string) (float64, error) {
	times := make([]float64, 3)
	for i := range times {
		began := time.Now()
		for _, name := range blobs {
			if err := gunzip(name); err != nil {
				return 0, err
			}
		}
		times[i] = seconds(time.Since(began))
	}
	return median(times), nil
}

func gunzip(name string) error {
	f, err := os.Open(name) // #nosec G304 -- the bench's own folder
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 256<<10))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, z)
	return err
}

// duckdbSeconds is what DuckDB takes for one exact sum over the raw files.
func duckdbSeconds(ctx context.Context, files string) (float64, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }() // only memory
	began := time.Now()
	var sum any
	err = db.QueryRowContext(ctx, `SELECT sum(BillingPreTaxTotal) FROM read_json(?, format='newline_delimited', compression='gzip', columns={BillingPreTaxTotal:'DECIMAL(38,15)'})`, files).Scan(&sum)
	return seconds(time.Since(began)), err
}

// billPath is the path that is measured: the export is kept raw, hashed and on the
// disk; then loaded, mapped, grouped and rated at list price.
func billPath(ctx context.Context, dir, setting string, workers int) (billingFigures, error) {
	f := billingFigures{Workers: workers, Stages: map[string]float64{}}
	b, err := os.ReadFile(filepath.Join(dir, billingInputName)) // #nosec G304 -- the bench's own folder
	if err != nil {
		return f, err
	}
	var in billingInput
	if err := json.Unmarshal(b, &in); err != nil {
		return f, err
	}
	work, err := os.MkdirTemp(dir, "path-")
	if err != nil {
		return f, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	l, err := openLake(setting, filepath.Join(work, "lake"), workers)
	if err != nil {
		return f, err
	}
	defer func() { _ = l.Close() }()
	if err := l.Drop(ctx, in.Snapshot.ID); err != nil { // a cluster still has that of the run before
		return f, err
	}
	began, stage := time.Now(), time.Now()
	done := func(name string) { f.Stages[name], stage = seconds(time.Since(stage)), time.Now() }
	raw := rawFolder(filepath.Join(work, "raw"))
	if err := raw.keep(ctx, filepath.Join(dir, "export"), in.Snapshot.Files, workers); err != nil {
		return f, err
	}
	done("keep")
	loaded, err := l.Load(ctx, in.Snapshot, raw)
	if err != nil {
		return f, err
	}
	done("load")
	f.Records, f.Bytes = loaded.Rows, loaded.Bytes
	charged, cost, err := rateAll(ctx, l, in, workers, &f)
	if err != nil {
		return f, err
	}
	done("group and rate")
	left, err := loaded.Cost.Sub(cost)
	if err != nil {
		return f, err
	}
	f.Total, f.Charged, f.Unclassified = seconds(time.Since(began)), charged, left.Text()
	f.PerSecond = round(float64(f.Records)/f.Total, 0)
	f.PeakRSS, err = ownPeak()
	return f, err
}

// rateAll rates account by account while the lake goes on reading.
func rateAll(ctx context.Context, l Lake, in billingInput, workers int, f *billingFigures) (charged, cost money.Amount, err error) {
	charged, cost = money.Zero(in.Snapshot.Currency), money.Zero(in.Snapshot.Currency)
	terms := []rating.Terms{{List: rating.Default(in.Snapshot.Currency), Currency: in.Snapshot.Currency}}
	var mu sync.Mutex
	var groupCount atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	err = l.Groups(ctx, usage.Query{Rated: []string{in.Snapshot.ID}, Owners: in.Owners, AnyOrder: true}, func(_ string, groups []usage.Group) error {
		f.Accounts++
		g.Go(func() error {
			charges, err := rating.Month(in.Snapshot.Month, groups, terms)
			if err != nil {
				return err
			}
			groupCount.Add(int64(len(groups)))
			sell, paid := money.Zero(in.Snapshot.Currency), money.Zero(in.Snapshot.Currency)
			for _, c := range charges {
				if sell, err = sell.Add(c.Sell); err != nil {
					return err
				}
				if paid, err = paid.Add(c.Cost); err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if charged, err = charged.Add(sell); err != nil {
				return err
			}
			cost, err = cost.Add(paid)
			return err
		})
		return ctx.Err()
	})
	err = errors.Join(err, g.Wait())
	f.Groups = groupCount.Load()
	return charged, cost, err
}

// rawFolder keeps blobs as received.
type rawFolder string

func (r rawFolder) Open(_ context.Context, _ string, file usage.File) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(r), file.Name))
}

// keep copies the files, hashes them, and has them on the disk.
func (r rawFolder) keep(ctx context.Context, from string, files []usage.File, workers int) error {
	if err := os.MkdirAll(string(r), 0o750); err != nil {
		return err
	}
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for i := range files {
		g.Go(func() (err error) {
			in, err := os.Open(filepath.Join(from, files[i].Name)) // #nosec G304 -- the bench's own folder
			if err != nil {
				return err
			}
			out, err := os.Create(filepath.Join(string(r), files[i].Name)) // #nosec G304 -- as above
			if err != nil {
				return errors.Join(err, in.Close())
			}
			hash := sha256.New()
			files[i].Size, err = io.Copy(io.MultiWriter(out, hash), in)
			files[i].SHA256 = hex.EncodeToString(hash.Sum(nil))
			return errors.Join(err, out.Sync(), out.Close(), in.Close())
		})
	}
	return g.Wait()
}

// ownPeak is the most memory that this process ever had.
func ownPeak() (int64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	lines := strings.Split(string(b), "\n")
	i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "VmHWM:") })
	if i < 0 {
		return 0, errors.New("the kernel tells no memory")
	}
	kb, err := strconv.ParseInt(strings.Fields(lines[i])[1], 10, 64)
	return kb << 10, err
}
