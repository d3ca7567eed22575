package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/usage"
)

type benchPagesCmd struct {
	Records  int64  `default:"10000000" help:"Daily usage records of each month."`
	Months   int    `default:"13" help:"Months in the lake, the running one included."`
	Accounts int    `default:"10000" help:"Billing accounts, each with one customer."`
	Sample   int    `default:"20" help:"Accounts whose pages are read."`
	Dir      string `placeholder:"DIR" help:"Where to work: a folder of its own is made there, and removed. Left out: the temporary one of the system."`
	JSON     bool   `name:"json"`
}

// pagesFigures is what bench pages prints. A page's time ends with its last byte.
type pagesFigures struct {
	Months   int          `json:"months"`
	Records  int64        `json:"records"` // in the lake, of all months
	Accounts int          `json:"accounts"`
	Requests int          `json:"requests"`
	P50      float64      `json:"p50_ms"`
	P95      float64      `json:"p95_ms"`
	P99      float64      `json:"p99_ms"`
	Max      float64      `json:"max_ms"`
	First    float64      `json:"first_p95_ms"`    // of those that were asked for one at a time, each for the first time
	Together float64      `json:"together_p95_ms"` // of those that were asked for four at a time
	CPU      float64      `json:"cpu_ms"`          // processor time of a page on average, ours and the reader's: what others do on the machine counts little
	Pages    []pageFigure `json:"pages"`
	Lake     int64        `json:"lake_bytes"`
	PeakRSS  int64        `json:"peak_rss_bytes"` // while pages were read
	Prepared float64      `json:"prepared_seconds"`
}

type pageFigure struct {
	Name     string  `json:"name"`
	Requests int     `json:"requests"`
	P50      float64 `json:"p50_ms"`
	P95      float64 `json:"p95_ms"`
	Max      float64 `json:"max_ms"`
}

func (c *benchPagesCmd) Run(ctx context.Context, std Std) error {
	switch {
	case c.Months < 2 || c.Months > 13:
		return fault.Field("months", fmt.Sprintf("%d months are too few or too many.", c.Months), "Give 2 to 13: one that runs, and closed ones.")
	case c.Accounts < 1 || c.Accounts > 99_999 || c.Records < int64(c.Accounts):
		return fault.Field("accounts", fmt.Sprintf("%d accounts cannot share %d records.", c.Accounts, c.Records), "Give 1 to 99999 accounts, and at least as many records.")
	case c.Sample < 1 || c.Sample > c.Accounts:
		return fault.Field("sample", fmt.Sprintf("%d of %d accounts cannot be read.", c.Sample, c.Accounts), "Give at least 1, and no more than there are.")
	}
	dir, err := os.MkdirTemp(c.Dir, "causeway-bench-pages-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	f, err := c.measure(ctx, dir)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, f)
	}
	_, err = fmt.Fprintf(std.Out, "%d pages over %d months with %d records: half within %.0f ms, 95 %% within %.0f ms, the slowest %.0f ms; lake %d MB, peak %d MB\n",
		f.Requests, f.Months, f.Records, f.P50, f.P95, f.Max, f.Lake>>20, f.PeakRSS>>20)
	return err
}

// The month that is made, and in whose last hours the portal is read: Microsoft has not
// billed it yet, but has all months before. Nothing depends on the day of the run.
const pagesMonth usage.Month = "2026-10"

// pagesInvoice is what GenerateUsage calls Microsoft's invoice.
const pagesInvoice = "G000024135"

// pagesBench is a partner's installation with a large lake.
type pagesBench struct {
	cmd   *benchPagesCmd
	dir   string
	app   *App
	began time.Time
	base  map[usage.Feed]usage.Loaded // of the month that was made

	months   []usage.Month // oldest first
	accounts []account.Alias
	orgs     []account.OrgID
	sample   []int // of accounts
	records  int64

	known map[account.Alias]map[usage.Month]billing.AccountMonth // of the sample
	docs  map[account.Alias]map[usage.Month]invoice.Document
	small map[account.Alias][]invoice.Line // of the last closed month, for documents of others
	sums  map[usage.Month]money.Amount     // of all accounts
}

// now is the portal's clock.
func (p *pagesBench) now() time.Time {
	return pagesMonth.Last().Time().Add(18 * time.Hour).Add(time.Since(p.began))
}

func (c *benchPagesCmd) measure(ctx context.Context, dir string) (f pagesFigures, err error) {
	p := &pagesBench{
		cmd: c, dir: dir, began: time.Now(), base: map[usage.Feed]usage.Loaded{}, known: map[account.Alias]map[usage.Month]billing.AccountMonth{},
		docs: map[account.Alias]map[usage.Month]invoice.Document{}, small: map[account.Alias][]invoice.Line{}, sums: map[usage.Month]money.Amount{},
	}
	for i := range c.Months {
		p.months = append(p.months, pagesMonth.Add(i+1-c.Months))
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return f, err
	}
	defer func() { _ = listener.Close() }()
	p.app, err = New(ctx, Config{
		Database: filepath.Join(dir, "pages.db"), Keys: filepath.Join(dir, "keys"), Listen: listener.Addr().String(), WorkerName: "bench",
		PasswordMemory: 64, PasswordPasses: 1, Now: p.now, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, p.app.Close()) }()
	for _, step := range []func(context.Context) error{p.load, p.rate, p.others} {
		if err := step(ctx); err != nil {
			return f, err
		}
	}
	f.Months, f.Records, f.Accounts, f.Prepared = len(p.months), p.records, len(p.accounts), seconds(time.Since(p.began))
	if f.Lake, err = folderBytes(p.lake()); err != nil {
		return f, err
	}
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600) // where that cannot be, the peak is that of all
	if err := p.read(ctx, listener, &f); err != nil {
		return f, err
	}
	f.PeakRSS, err = ownPeak()
	return f, err
}
