package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"causeway/internal/agreement"
	"causeway/internal/api"
	"causeway/internal/demo"
	"causeway/internal/sim"
)

// demoCmd shows the whole product on a simulated Microsoft.
type demoCmd struct {
	Listen   string        `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Where the portal listens."`
	Profile  string        `enum:"auto,instant,recorded" default:"auto" help:"The simulated waits. auto: recorded to look at, instant when headless."`
	Factor   float64       `default:"20" help:"How many times as fast as Microsoft the recorded waits pass."`
	Dir      string        `placeholder:"DIR" help:"Keep everything in this folder. Left out: a fresh one, removed at the end."`
	History  int           `default:"-1" placeholder:"MONTHS" help:"Months of bills before the running one, made at the start. Left out: 13 to look at, none when headless."`
	Headless bool          `help:"Walk the whole journey without a browser, then end."`
	JSON     bool          `name:"json" help:"With --headless: print one JSON object."`
	Log      bool          `help:"Show the log lines of both processes."`
	Timeout  time.Duration `default:"15m" help:"With --headless: give up after this."`
}

func (c *demoCmd) Run(ctx context.Context, std Std) error {
	cfg := worldConfig{dir: c.Dir, profile: c.Profile, factor: c.Factor, listen: c.Listen}
	if c.Log {
		cfg.log = std.Err
	}
	if c.Headless {
		if c.Profile == "auto" {
			cfg.profile = string(sim.Instant)
		}
		cfg.listen = "127.0.0.1:0"
		ctx, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		return c.headless(ctx, cfg, std)
	}
	if c.Profile == "auto" {
		cfg.profile = string(sim.Recorded)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "state.db")); c.History < 0 && (c.Dir == "" || errors.Is(err, fs.ErrNotExist)) {
		c.History = 13
	}
	return c.show(ctx, cfg, std)
}

// show runs until Ctrl-C.
func (c *demoCmd) show(ctx context.Context, cfg worldConfig, std Std) error {
	w, err := c.begin(ctx, cfg, std.Out)
	if err != nil {
		return err
	}
	defer w.stop()
	_, _ = fmt.Fprintf(std.Out, "\nThe portal is at  %s\n\nSign in there with\n", w.server)
	for _, s := range demo.SignIns() {
		if s.Where == "portal" {
			_, _ = fmt.Fprintf(std.Out, "  %-31s %s\n", s.Login, s.Who)
		}
	}
	if c.History > 0 {
		_, _ = fmt.Fprintf(std.Out, "\nNorthwind Traders has used Azure for %d months; Contoso has not begun.\n", c.History)
	}
	_, _ = fmt.Fprintf(std.Out, "\nConnect a billing account with\n")
	for _, s := range demo.SignIns() {
		if s.Where != "portal" {
			_, _ = fmt.Fprintf(std.Out, "  %-31s %s\n", s.Login, s.Who)
		}
	}
	_, _ = fmt.Fprintf(std.Out, "\nThe password of all of them is  %s\n\nMicrosoft is simulated at %s (%s)\nFrom a terminal: causeway login --server %s --email %s\nCtrl-C ends both.\n\n",
		demo.Password, w.sim.URL, strings.TrimPrefix(simulated(cfg), "Simulated Microsoft · "), w.server, demo.Administrator)
	return w.broken(ctx)
}

// begin starts both with a partner that is connected, and makes the history.
func (c *demoCmd) begin(ctx context.Context, cfg worldConfig, out io.Writer) (w *world, err error) {
	h := newHistory(c.History, time.Now(), out)
	if h != nil {
		cfg.began = h.first.First().Time().Add(5 * time.Minute)
	}
	if w, err = startWorld(ctx, cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, w.logs())
			w.stop()
		}
	}()
	owner, err := w.login(ctx, demo.Owner)
	if err != nil {
		return w, err
	}
	if err := w.connectPartner(ctx, owner); err != nil {
		return w, fmt.Errorf("connect the partner: %w", err)
	}
	if h == nil {
		return w, nil
	}
	h.profile = sim.Profile(cfg.profile)
	if err := h.run(ctx, w); err != nil {
		return w, fmt.Errorf("make the history: %w", err)
	}
	return w, nil
}

// demoResult is what demo --headless prints.
type demoResult struct {
	Provider       string     `json:"provider"`
	State          string     `json:"state"`
	Steps          []demoStep `json:"steps"`
	TenantID       string     `json:"tenant_id"`
	SubscriptionID string     `json:"subscription_id"`
	BillingAccount string     `json:"billing_account"`
	Receipt        string     `json:"receipt"` // id of the receipt, which was checked offline
	Calls          int        `json:"calls"`   // to Microsoft, from the submission until ready
	WallSeconds    float64    `json:"wall_seconds"`
	VendorSeconds  float64    `json:"vendor_seconds"` // critical path by the simulator's own timestamps

	Differences []api.Compared `json:"differences"` // of both sides; none, if all is well
}

type demoStep struct {
	Name     string     `json:"name"`
	State    string     `json:"state"`
	Started  *time.Time `json:"started"`
	Finished *time.Time `json:"finished"`
}

func (c *demoCmd) headless(ctx context.Context, cfg worldConfig, std Std) error {
	w, err := c.begin(ctx, cfg, std.Err)
	if err != nil {
		return err
	}
	defer w.stop()
	r, err := c.walk(ctx, w, std)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, w.logs())
	}
	if c.JSON {
		e := json.NewEncoder(std.Out)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		_, _ = fmt.Fprintf(std.Out, "%s: %s after %.1f s (Microsoft %.1f s, %d calls), tenant %s, subscription %s\n", r.Provider, r.State, r.WallSeconds, r.VendorSeconds, r.Calls, r.TenantID, r.SubscriptionID)
	}
	return r.judge()
}

// readyAt is when the last step ended.
func readyAt(p api.Progress) time.Time {
	if p.Onboarding.FinishedAt != nil {
		return *p.Onboarding.FinishedAt
	}
	return time.Now()
}

// judge is nil only if every step is done and both sides agree.
func (r demoResult) judge() error {
	if r.State != "ready" || len(r.Steps) != 9 {
		return fmt.Errorf("the provider is %s after %d steps, not ready", r.State, len(r.Steps))
	}
	for _, s := range r.Steps {
		if s.State != "done" || s.Started == nil || s.Finished == nil {
			return fmt.Errorf("step %s is %s, not done", s.Name, s.State)
		}
	}
	if len(r.Differences) > 0 {
		return fmt.Errorf("the two sides differ: %s", r.Differences[0].Text)
	}
	return nil
}

// walk takes one customer from sign-in to ready, and compares both sides.
func (c *demoCmd) walk(ctx context.Context, w *world, std Std) (demoResult, error) {
	var r demoResult
	owner, err := w.login(ctx, demo.Owner)
	if err != nil {
		return r, fmt.Errorf("sign in: %w", err)
	}
	if err := w.connectPartner(ctx, owner); err != nil {
		return r, fmt.Errorf("connect the partner: %w", err)
	}
	admin, err := w.login(ctx, demo.Administrator)
	if err != nil {
		return r, fmt.Errorf("sign in: %w", err)
	}
	j := &journey{w: w, c: admin, name: "Contoso production", account: "CTSO", login: demo.AccountAdministrator, prefix: "contosodemo"}
	before, err := w.calls(ctx)
	if err != nil {
		return r, err
	}
	if err := j.submit(ctx); err != nil {
		return r, err
	}
	told := map[string]string{}
	p, err := await(ctx, admin, j.id, func(p api.Progress) {
		for _, s := range p.Steps {
			if !c.JSON && told[s.Name] != s.State && s.State == "done" {
				_, _ = fmt.Fprintf(std.Err, "%-14s %s\n", s.Name, s.State)
			}
			told[s.Name] = s.State
		}
	})
	if err != nil {
		return r, err
	}
	r = demoResult{
		Provider: p.Provider.ID, State: p.Provider.State, TenantID: p.Provider.TenantID, SubscriptionID: p.Provider.SubscriptionID,
		BillingAccount: p.Provider.Account, WallSeconds: seconds(time.Since(j.began)), Differences: []api.Compared{},
	}
	for _, s := range p.Steps {
		r.Steps = append(r.Steps, demoStep{s.Name, s.State, s.Started, s.Finished})
	}
	if p.Onboarding.Refusal != nil {
		return r, fmt.Errorf("stuck at %s: %s", p.Onboarding.Step, p.Onboarding.Refusal.Reason)
	}
	after, err := w.calls(ctx)
	if err != nil {
		return r, err
	}
	r.Calls = len(after) - len(before)
	if r.VendorSeconds, err = w.vendorSeconds(ctx, r.TenantID, readyAt(p)); err != nil {
		return r, err
	}
	if r.Receipt, err = checkedReceipt(ctx, admin, j.id); err != nil {
		return r, err
	}
	var both api.Comparison
	if err := owner.get(ctx, "/comparison", &both); err != nil {
		return r, fmt.Errorf("compare both sides: %w", err)
	}
	r.Differences = append(r.Differences, both.Differences...)
	return r, nil
}

// checkedReceipt reads the receipt and checks it offline, with the published key.
func checkedReceipt(ctx context.Context, c *client, id string) (string, error) {
	var file, key []byte
	if err := c.get(ctx, "/providers/"+url.PathEscape(id)+"/receipt", &file); err != nil {
		return "", fmt.Errorf("receipt: %w", err)
	}
	if err := c.get(ctx, "/receipt-key", &key); err != nil {
		return "", err
	}
	receipt, err := agreement.Verify(file, key)
	if err != nil {
		return "", fmt.Errorf("receipt: %w", err)
	}
	if receipt.Result == nil || receipt.Stage != agreement.StageReady {
		return "", errors.New("the receipt does not say what came of it")
	}
	return receipt.ID, nil
}

// calls are what Microsoft was asked so far; people's pages and control are none.
func (w *world) calls(ctx context.Context) ([]sim.Call, error) {
	var all, out []sim.Call
	if err := w.control(ctx, http.MethodGet, "/_sim/calls", nil, &all); err != nil {
		return nil, err
	}
	for _, c := range all {
		if strings.HasPrefix(c.Path, "/_sim") || strings.HasPrefix(c.Path, "/mca") {
			continue
		}
		out = append(out, c)
	}
	return out, nil
}

// vendorSeconds is the critical path of a customer by the simulator's own clock:
// the time in which some effect that we needed was asked for and not yet to be
// seen. An effect that is seen only after the provider was ready held nobody up
// and does not count; without that the figure would flatter us.
func (w *world) vendorSeconds(ctx context.Context, tenant string, ready time.Time) (float64, error) {
	var t sim.Timeline
	if err := w.control(ctx, http.MethodGet, "/_sim/customers/"+url.PathEscape(tenant)+"/timeline", nil, &t); err != nil {
		return 0, err
	}
	return seconds(criticalPath(t.Effects, ready)), nil
}

// criticalPath is the length of the union of [received, visible] of the effects
// that were visible when the provider was ready.
func criticalPath(effects []sim.Effect, ready time.Time) time.Duration {
	effects = slices.Clone(effects)
	slices.SortFunc(effects, func(a, b sim.Effect) int { return a.Received.Compare(b.Received) })
	var total time.Duration
	var end time.Time
	for _, e := range effects {
		from := e.Received
		if from.Before(end) {
			from = end
		}
		if e.Visible.After(ready) || !e.Visible.After(from) {
			continue
		}
		total += e.Visible.Sub(from)
		end = e.Visible
	}
	return total
}

func seconds(d time.Duration) float64 {
	s, err := strconv.ParseFloat(strconv.FormatFloat(d.Seconds(), 'f', 3, 64), 64)
	if err != nil {
		return d.Seconds()
	}
	return s
}
