package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"causeway/internal/api"
	"causeway/internal/demo"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/pgserver"
)

// benchCmd measures; each prints one JSON object with --json.
type benchCmd struct {
	Onboarding benchOnboardingCmd `cmd:"" help:"Many onboardings at once: how many get ready, how fast, and how much of it is ours."`
	Import     benchImportCmd     `cmd:"" help:"A partner's existing book: customers that only Microsoft knows are adopted."`
	Billing    benchBillingCmd    `cmd:"" help:"From an export to charges: how long for so many records, against unpacking alone, and how much memory."`
	Close      benchCloseCmd      `cmd:"" help:"From a month's exports to the last issued invoice of many accounts."`
	Pages      benchPagesCmd      `cmd:"" help:"The portal's pages about bills over a large lake: how long each takes."`
	Start      benchStartCmd      `cmd:"" help:"From start to the first page, and memory when idle."`
	Recovery   benchRecoveryCmd   `cmd:"" help:"What a crash costs, and what a backup costs: seconds until work goes on, backup and restore."`
	Sim        benchSimCmd        `cmd:"" help:"Requests a second of the simulator over TLS, with the load made in this process."`
}

type benchOnboardingCmd struct {
	N        int           `name:"onboardings" short:"n" default:"200" help:"How many at once."`
	Profile  string        `default:"instant" enum:"instant,recorded" help:"The simulated waits."`
	Factor   float64       `default:"20" help:"How many times as fast as Microsoft the recorded waits pass."`
	Workers  int           `default:"16" help:"Jobs at once."`
	Database string        `placeholder:"URL" help:"postgres://…, or postgres: a server of its own; left out: a fresh SQLite file."`
	Replicas int           `default:"1" help:"Servers on one database; more than one needs PostgreSQL."`
	Throttle string        `default:"none" enum:"none,hard,silent" help:"Limits of the simulator: hard refuses beyond few calls a minute and says until when, silent does not say."`
	Timeout  time.Duration `default:"20m"`
	JSON     bool          `name:"json"`
}

// hardThrottle is what the simulator takes a (divided) minute: a fraction of what
// Microsoft documents for customers, orders and subscriptions, and so little of the
// rest that every step of an onboarding meets a limit. Resource Manager's count for
// each customer's tenant.
var hardThrottle = map[string]int{
	sim.GroupCustomers: 120, sim.GroupOrders: 160, sim.GroupSubscriptions: 80, sim.GroupEntitlements: 40, sim.GroupConsents: 40,
	sim.GroupGraph: 160, sim.GroupAlias: 10, sim.GroupARMReads: 120, sim.GroupARMWrites: 60,
}

// onboardingFigures is what bench onboarding prints.
type onboardingFigures struct {
	Onboardings     int                     `json:"onboardings"`
	Ready           int                     `json:"ready"`
	Seconds         float64                 `json:"seconds"` // from the first submission until the last is ready
	PerSecond       float64                 `json:"per_second"`
	OverheadSeconds float64                 `json:"overhead_seconds_p50"` // from began to ready, less the vendor's critical path; median
	OverheadPercent float64                 `json:"overhead_percent"`     // of that critical path; median; 0 on instant, where Microsoft takes no time at all
	Calls           int                     `json:"calls"`
	WastedPercent   float64                 `json:"wasted_percent"` // 429s, and writes whose effect existed
	PollPercent     float64                 `json:"poll_percent"`   // reads that asked again, apart
	Refused         int                     `json:"refused"`        // 429s
	FloorSeconds    float64                 `json:"floor_seconds"`  // what the limits alone take for these calls; 0 without limits
	Limits          map[string]limitFigures `json:"limits,omitempty"`
	PeakRSS         int64                   `json:"peak_rss_bytes"` // of the server
	Throttle        string                  `json:"throttle"`
	Replicas        int                     `json:"replicas"`
	Profile         string                  `json:"profile"`
	Database        string                  `json:"database"`
}

// limitFigures are the calls that counted against one of the simulator's limits.
type limitFigures struct {
	Calls   int `json:"calls"`
	Refused int `json:"refused"`
}

func (c *benchOnboardingCmd) Run(ctx context.Context, std Std) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if c.Database == "postgres" {
		pg, err := pgserver.Start("")
		if err != nil {
			return err
		}
		defer func() { _ = pg.Stop() }()
		if err := pg.CreateDatabase(ctx, "bench"); err != nil {
			return err
		}
		c.Database = pg.DSN("bench")
	}
	w, err := startWorld(ctx, worldConfig{profile: c.Profile, factor: c.Factor, workers: c.Workers, database: c.Database, replicas: c.Replicas - 1, calls: 1000 + c.N*4000})
	if err != nil {
		return err
	}
	defer w.stop()
	f, err := c.measure(ctx, w)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(w.logs(), 4000))
	}
	if c.JSON {
		if err := printJSON(std.Out, f); err != nil {
			return err
		}
	} else {
		_, _ = fmt.Fprintf(std.Out, "%d of %d ready in %.1f s (%.1f/s); own overhead %.2f s (%.1f %%), %d calls, %d refused, %.2f %% wasted, peak %d MB\n",
			f.Ready, f.Onboardings, f.Seconds, f.PerSecond, f.OverheadSeconds, f.OverheadPercent, f.Calls, f.Refused, f.WastedPercent, f.PeakRSS>>20)
	}
	if f.Ready != f.Onboardings {
		return fmt.Errorf("%d of %d are not ready", f.Onboardings-f.Ready, f.Onboardings)
	}
	return nil
}

// submitters is how many press the button at the same moment; all onboardings run at
// once long before the first is ready.
const submitters = 100

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// measure makes an organization with its own account for each onboarding, so that
// each makes a tenant of its own.
func (c *benchOnboardingCmd) measure(ctx context.Context, w *world) (onboardingFigures, error) {
	f := onboardingFigures{Onboardings: c.N, Profile: c.Profile, Database: "sqlite", Throttle: c.Throttle, Replicas: c.Replicas, Limits: map[string]limitFigures{}}
	if c.Database != "" {
		f.Database = "postgresql"
	}
	owner, err := w.login(ctx, demo.Owner)
	if err != nil {
		return f, err
	}
	if err := w.connectPartner(ctx, owner); err != nil {
		return f, err
	}
	all := make([]*journey, c.N)
	err = side(ctx, 8, c.N, func(ctx context.Context, i int) error {
		j, err := w.customer(ctx, owner, i)
		if err != nil {
			return err
		}
		all[i], j.c.wait = j, c.Timeout
		return j.fill(ctx)
	})
	if err != nil {
		return f, err
	}
	if c.Throttle != "none" { // from here on: the wizard is filled in before
		set := map[string]any{"throttle": hardThrottle, "throttleSilent": c.Throttle == "silent"}
		if err := w.control(ctx, http.MethodPatch, "/_sim/settings", set, nil); err != nil {
			return f, err
		}
	}
	began := time.Now()
	if err := side(ctx, min(c.N, submitters), c.N, func(ctx context.Context, i int) error { return all[i].begin(ctx) }); err != nil {
		return f, err
	}
	if f.Ready, err = awaitAll(ctx, owner, c.N); err != nil {
		return f, err
	}
	f.Seconds = seconds(time.Since(began))
	overheads, percents := make([]float64, c.N), make([]float64, c.N)
	err = side(ctx, 8, c.N, func(ctx context.Context, i int) error {
		p, err := await(ctx, all[i].c, all[i].id, nil)
		if err != nil || p.Provider.State != "ready" {
			return err
		}
		vendor, err := w.vendorSeconds(ctx, p.Provider.TenantID, readyAt(p))
		took := readyAt(p).Sub(p.Onboarding.StartedAt).Seconds()
		overheads[i] = took - vendor
		if c.Profile == string(sim.Recorded) {
			percents[i] = 100 * (took - vendor) / vendor
		}
		return err
	})
	if err != nil {
		return f, err
	}
	f.PerSecond = round(float64(f.Ready)/f.Seconds, 2)
	f.OverheadSeconds, f.OverheadPercent = round(median(overheads), 3), round(median(percents), 2)
	if f.PeakRSS, err = w.peakRSS(); err != nil {
		return f, err
	}
	calls, err := w.calls(ctx)
	if err != nil {
		return f, err
	}
	f.Calls = len(calls)
	f.WastedPercent, f.PollPercent = wasted(calls)
	for _, call := range calls {
		of := f.Limits[call.Group]
		of.Calls++
		if call.Status == http.StatusTooManyRequests {
			f.Refused++
			of.Refused++
		}
		if _, limited := hardThrottle[call.Group]; limited && c.Throttle != "none" {
			f.Limits[call.Group] = of
		}
	}
	if c.Throttle != "none" {
		f.FloorSeconds = round(floor(calls, hardThrottle, time.Duration(float64(time.Minute)/c.Factor)).Seconds(), 1)
	}
	return f, nil
}

// floor is how long the calls of the busiest limit take that counts for all
// customers, if every one of its minutes is spent to the end.
func floor(calls []sim.Call, limits map[string]int, minute time.Duration) time.Duration {
	n := map[string]int{}
	for _, c := range calls {
		if c.Status != http.StatusTooManyRequests {
			n[c.Group]++
		}
	}
	var most time.Duration
	for group, limit := range limits {
		if group == sim.GroupARMReads || group == sim.GroupARMWrites {
			continue // counted for each customer's tenant
		}
		most = max(most, time.Duration(max(0, n[group]-1)/limit)*minute)
	}
	return most
}

// awaitAll waits until no onboarding runs any more, and tells how many are ready.
// It asks for the counts alone, so that watching costs the server nothing.
func awaitAll(ctx context.Context, owner *client, n int) (int, error) {
	for {
		var c api.Counts
		if err := owner.get(ctx, "/onboarding-counts", &c); err != nil {
			return 0, err
		}
		if c.States["ready"]+c.States["stuck"]+c.States["cancelled"] >= n {
			return c.States["ready"], nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return c.States["ready"], err
		}
	}
}

// wasted counts 429s and writes whose effect existed (replayed answers, conflicts);
// polls are reads of the same address again.
func wasted(calls []sim.Call) (waste, polls float64) {
	var w, p int
	seen := map[string]bool{}
	for _, c := range calls {
		read := c.Method == http.MethodGet
		key := c.Method + " " + c.Path
		switch {
		case c.Status == http.StatusTooManyRequests, !read && c.Replayed, !read && c.Status == http.StatusConflict:
			w++
		case read && seen[key]:
			p++
		}
		seen[key] = true
	}
	n := float64(max(len(calls), 1))
	return round(100*float64(w)/n, 3), round(100*float64(p)/n, 1)
}

func round(x float64, places int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', places, 64), 64)
	if err != nil {
		return x
	}
	return r
}

func median(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}

// customer makes an organization with an administrator and an account.
func (w *world) customer(ctx context.Context, owner *client, i int) (*journey, error) {
	name := fmt.Sprintf("Bench company %04d", i)
	var o api.Organization
	if err := owner.post(ctx, "/organizations", map[string]string{"name": name}, &o); err != nil {
		return nil, err
	}
	email := fmt.Sprintf("admin%04d@bench.example", i)
	err := owner.post(ctx, "/users", map[string]string{
		"organization": o.ID, "role": "administrator", "name": "Administrator", "email": email, "password": demo.Password,
	}, nil)
	if err != nil {
		return nil, err
	}
	alias, login := fmt.Sprintf("B%04d", i), fmt.Sprintf("bench-%04d", i)
	err = owner.post(ctx, "/accounts", map[string]any{
		"alias": alias, "organization": o.ID, "name": name, "billable": true, "currency": "USD", "language": "en-US",
		"credit_limit": map[string]string{"amount": "40000", "currency": "USD"},
		"address":      map[string]string{"country": "US", "line1": "4567 Main Street", "city": "Buffalo", "state": "NY", "postal_code": "14201"},
		"contact":      map[string]string{"first_name": "Account", "last_name": "Administrator", "email": email, "phone": "7165550100"},
	}, nil)
	if err != nil {
		return nil, err
	}
	if err := owner.post(ctx, "/accounts/"+alias+"/administrators", map[string]string{"login": login, "password": demo.Password}, nil); err != nil {
		return nil, err
	}
	c, err := w.login(ctx, email)
	return &journey{w: w, c: c, name: name, account: alias, login: login, prefix: fmt.Sprintf("bench%04d%s", i, strings.ReplaceAll(store.NewID(), "-", "")[20:28])}, err
}

// side does n things, so many at a time, and gives the first error.
func side(ctx context.Context, at, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(at, n) {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		}()
	}
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// peakRSS is the server's, as the kernel counted it.
func (w *world) peakRSS() (int64, error) { return memory(w.procs[len(w.procs)-1].cmd, "VmHWM:") }

func memory(cmd *exec.Cmd, what string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, found := strings.CutPrefix(line, what); found {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("the kernel tells no memory")
}

type benchStartCmd struct {
	Runs int  `default:"5" help:"The median counts."`
	JSON bool `name:"json"`
}

// startFigures is what bench start prints.
type startFigures struct {
	FirstStart float64 `json:"first_start_seconds"` // with an empty database and no keys
	Start      float64 `json:"first_page_seconds"`  // from exec to the first page; median
	IdleRSS    int64   `json:"idle_rss_bytes"`
	Runs       int     `json:"runs"`
	BinarySize int64   `json:"binary_bytes"`
}

func (c *benchStartCmd) Run(ctx context.Context, std Std) error {
	dir, err := os.MkdirTemp("", "causeway-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	f := startFigures{Runs: c.Runs}
	var all []float64
	for i := range c.Runs + 1 {
		took, rss, err := startOnce(ctx, dir)
		if err != nil {
			return err
		}
		if i == 0 {
			f.FirstStart = took
			continue
		}
		all = append(all, took)
		f.IdleRSS = max(f.IdleRSS, rss)
	}
	f.Start = median(all)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	info, err := os.Stat(self)
	if err != nil {
		return err
	}
	f.BinarySize = info.Size()
	if c.JSON {
		return printJSON(std.Out, f)
	}
	_, err = fmt.Fprintf(std.Out, "first page after %.3f s (at the first start %.3f s), idle memory %d MB\n", f.Start, f.FirstStart, f.IdleRSS>>20)
	return err
}

// settle is how long an idle server is left alone before its memory is read.
const settle = 2 * time.Second

// startOnce starts a server, asks for the sign-in page until it comes, and reads
// the memory of the idle process.
func startOnce(ctx context.Context, dir string) (took float64, rss int64, err error) {
	ready := filepath.Join(dir, "ready")
	_ = os.Remove(ready)
	w := &world{dir: dir}
	defer w.stop()
	began := time.Now()
	err = w.start(ctx, nil, "server", ready, "serve", "--listen", "127.0.0.1:0", "--ready-file", ready, "--database", filepath.Join(dir, "state.db"), "--keys", filepath.Join(dir, "keys"))
	if err != nil {
		return 0, 0, err
	}
	b, err := os.ReadFile(ready) // #nosec G304 -- our own file
	if err != nil {
		return 0, 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSpace(string(b))+"/signin", nil)
	if err != nil {
		return 0, 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, err
	}
	page, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return 0, 0, err
	}
	took = seconds(time.Since(began))
	if res.StatusCode != http.StatusOK || !strings.Contains(string(page), "<form") {
		return 0, 0, fmt.Errorf("the first page is %s", res.Status)
	}
	if err := pause(ctx, settle); err != nil {
		return 0, 0, err
	}
	rss, err = memory(w.procs[0].cmd, "VmRSS:")
	return took, rss, err
}

type benchSimCmd struct {
	Duration  time.Duration `default:"10s"`
	Clients   int           `default:"16" help:"Connections at once."`
	Customers int           `default:"100000" help:"Customers in the simulated world."`
	JSON      bool          `name:"json"`
}

func (c *benchSimCmd) Run(ctx context.Context, std Std) error {
	f, err := sim.Bench(ctx, sim.BenchOptions{Customers: c.Customers, Duration: c.Duration, Clients: c.Clients})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, f)
	}
	_, err = fmt.Fprintf(std.Out, "%.0f requests/s over TLS with keep-alive, %d failed, %d customers\n", f.RequestsPerSecond, f.Failed, f.Customers)
	return err
}
