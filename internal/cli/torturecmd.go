package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/fault"
	"causeway/internal/provision"
	"causeway/internal/sim"
	"causeway/internal/torture"
)

// tortureCmd runs onboardings while everything goes wrong, and holds what is left
// behind against the promises.
type tortureCmd struct {
	N        int           `name:"onboardings" short:"n" default:"100" help:"How many in one run."`
	Seed     uint64        `default:"1" help:"Decides everything: what is asked for, what goes wrong, and when."`
	Seeds    int           `default:"1" help:"So many runs, each with the next seed."`
	AtOnce   int           `default:"1" help:"So many seeds at a time, each in a process of its own."`
	Fast     bool          `help:"All in this process, on a clock that jumps: thousands of runs."`
	Kinds    []string      `placeholder:"KIND" help:"Only these kinds of onboarding: ${kinds}."`
	Weather  string        `default:"storm" enum:"storm,calm,forget,lag,crash,pause,slow" help:"What goes wrong: storm is all of it."`
	JSON     bool          `name:"json"`
	Timeout  time.Duration `default:"60m" help:"Give up after this."`
	Database string        `placeholder:"URL" help:"sqlite (default), or postgres: a server of its own is started."`
	Replicas int           `default:"1" help:"Server processes; more than one need postgres."`

	Billing   bool  `help:"Bill partners instead, in this process: each seed is one, for some months."`
	Months    int   `default:"3" help:"With --billing: months of usage."`
	Customers int   `default:"3" help:"With --billing: customers of each partner."`
	Records   int64 `default:"60" help:"With --billing: daily usage records a month."`
}

// tortureResult is what torture prints: one object for all of its runs.
type tortureResult struct {
	Onboardings    int                      `json:"onboardings"`
	Ready          int                      `json:"ready"`
	Cancelled      int                      `json:"cancelled"`
	StuckPlanted   int                      `json:"stuck_planted"` // by the plan, for good
	StuckAlarmed   int                      `json:"stuck_alarmed"` // and the staff were told
	StuckSilent    int                      `json:"stuck_silent"`  // stuck or unfinished, and nobody was told, or nobody planted it
	Kills          int                      `json:"kills"`
	NotKilled      int                      `json:"points_not_reached"` // places where a process was to die and none came by
	Pauses         int                      `json:"pauses"`             // workers held for twice their lease
	Jumps          int                      `json:"clock_jumps"`
	Restarts       int                      `json:"database_restarts"`
	Faults         int                      `json:"faults"`          // calls that were answered wrongly, late or never
	Reconnected    int                      `json:"reconnected"`     // the partner's sign-in was lost and given again
	ByHand         int                      `json:"retried_by_hand"` // stuck though nobody planted it, alarmed, and ready after staff pressed Try again
	Duplicates     int                      `json:"duplicates"`
	OrphansBefore  int                      `json:"orphans_before_sweep"`
	OrphansAfter   int                      `json:"orphans_after_sweep"`
	Lost           int                      `json:"lost"`
	ForeignTouched int                      `json:"foreign_touched"`
	LeakedSecrets  int                      `json:"leaked_secrets"`
	Wasted         float64                  `json:"wasted_calls_percent"`
	Seconds        float64                  `json:"seconds"`
	Seed           uint64                   `json:"seed"`
	Runs           int                      `json:"runs"`
	Mode           string                   `json:"mode"`
	Database       string                   `json:"database"`
	Replicas       int                      `json:"replicas"`
	Broken         map[torture.Property]int `json:"broken,omitempty"` // violations by promise; none = all held
	FailedSeeds    []uint64                 `json:"failed_seeds,omitempty"`

	violations []torture.Violation
}

// resultOf counts a history.
func resultOf(h torture.History, found []torture.Violation) tortureResult {
	r := tortureResult{Onboardings: len(h.Plan.Cases), Seed: h.Plan.Seed, Runs: 1, OrphansBefore: h.Unclean, violations: found, Broken: map[torture.Property]int{}}
	for _, o := range h.Onboardings {
		n, planned := h.Provider[o.Provider]
		switch {
		case o.State == "ready":
			r.Ready++
		case o.State == "cancelled":
			r.Cancelled++
		case o.State == "stuck" && planned && h.Plan.Cases[n].Kind == torture.Stuck:
			r.StuckPlanted++
			if h.HasAlarm(o) {
				r.StuckAlarmed++
			}
		default:
			r.StuckSilent++
		}
	}
	for _, v := range found {
		r.Broken[v.Property]++
		switch v.Property {
		case torture.Once:
			r.Duplicates++
		case torture.Known:
			r.OrphansAfter++
		case torture.There, torture.Finished, torture.Credentials:
			r.Lost++
		case torture.Foreign:
			r.ForeignTouched++
		case torture.Secrecy:
			r.LeakedSecrets++
		}
	}
	return r
}

// add sums up several runs.
func (r *tortureResult) add(x tortureResult) {
	if r.Runs == 0 {
		r.Seed, r.Broken = x.Seed, map[torture.Property]int{}
	}
	r.Seed = min(r.Seed, x.Seed)
	runs, more := float64(r.Runs), float64(x.Runs)
	r.Wasted = round((r.Wasted*runs+x.Wasted*more)/(runs+more), 3)
	r.Runs += x.Runs
	r.Onboardings += x.Onboardings
	r.Ready += x.Ready
	r.Cancelled += x.Cancelled
	r.StuckPlanted += x.StuckPlanted
	r.StuckAlarmed += x.StuckAlarmed
	r.StuckSilent += x.StuckSilent
	r.Kills += x.Kills
	r.NotKilled += x.NotKilled
	r.Pauses += x.Pauses
	r.Jumps += x.Jumps
	r.Restarts += x.Restarts
	r.Faults += x.Faults
	r.Reconnected += x.Reconnected
	r.ByHand += x.ByHand
	r.Duplicates += x.Duplicates
	r.OrphansBefore += x.OrphansBefore
	r.OrphansAfter += x.OrphansAfter
	r.Lost += x.Lost
	r.ForeignTouched += x.ForeignTouched
	r.LeakedSecrets += x.LeakedSecrets
	for p, n := range x.Broken {
		r.Broken[p] += n
	}
	r.FailedSeeds = append(r.FailedSeeds, x.FailedSeeds...)
	if len(x.violations) > 0 {
		r.FailedSeeds = append(r.FailedSeeds, x.Seed)
	}
}

func (c *tortureCmd) Run(ctx context.Context, std Std) error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if c.Billing {
		return c.bill(ctx, std)
	}
	began := time.Now()
	var total tortureResult
	var err error
	if c.AtOnce > 1 && c.Seeds > 1 {
		err = apart(ctx, c, std, total.add)
		slices.Sort(total.FailedSeeds)
	} else {
		total, err = c.inTurn(ctx, std)
	}
	if err != nil {
		return err
	}
	total.Seconds = seconds(time.Since(began))
	total.Mode, total.Database, total.Replicas = "processes", firstOf(c.Database, "sqlite"), c.Replicas
	if c.Fast {
		total.Mode, total.Replicas = "fast", 2
	}
	if err := c.print(std, total); err != nil {
		return err
	}
	if len(total.FailedSeeds) > 0 {
		return errShown
	}
	return nil
}

// inTurn runs one seed after the other.
func (c *tortureCmd) inTurn(ctx context.Context, std Std) (total tortureResult, err error) {
	for i := range c.Seeds {
		seed := c.Seed + uint64(i) // #nosec G115 -- a small count
		plan := torture.Make(seed, c.N, torture.Options{Kinds: kinds(c.Kinds), Weather: torture.Weather(c.Weather)})
		res, err := c.one(ctx, plan, std)
		if err != nil {
			return total, fmt.Errorf("%w\nto repeat it: %s", err, c.command(seed))
		}
		c.shows(std, seed, res.violations)
		total.add(res)
	}
	return total, nil
}

// shows tells which promises a seed broke.
func (c *tortureCmd) shows(std Std, seed uint64, found []torture.Violation) {
	for n, v := range found {
		if n == 20 {
			_, _ = fmt.Fprintf(std.Err, "… and %d more\n", len(found)-n)
			break
		}
		_, _ = fmt.Fprintf(std.Err, "broken: %s: %s: %s\n", v.Property, v.Object, v.Text)
	}
	if len(found) > 0 {
		_, _ = fmt.Fprintf(std.Err, "to repeat it: %s\n", c.command(seed))
	}
}

// bill runs one partner after the other, or some at a time.
func (c *tortureCmd) bill(ctx context.Context, std Std) (err error) {
	began := time.Now()
	var total billingResult
	if c.AtOnce > 1 && c.Seeds > 1 {
		err = apart(ctx, c, std, total.add)
	} else {
		for i := 0; i < c.Seeds && err == nil; i++ {
			seed := c.Seed + uint64(i) // #nosec G115 -- a small count
			var res billingResult
			if res, err = tortureBilling(ctx, seed, c.Months, bookSize{c.Customers, c.Records}, func(far string) { _, _ = fmt.Fprintln(std.Err, far) }); err != nil {
				err = fmt.Errorf("%w\nto repeat it: %s", err, c.command(seed))
				break
			}
			c.shows(std, seed, res.violations)
			total.add(res)
		}
	}
	if err != nil {
		return err
	}
	slices.Sort(total.FailedSeeds)
	total.Seconds = seconds(time.Since(began))
	if c.JSON {
		err = printJSON(std.Out, total)
	} else {
		_, err = fmt.Fprintf(std.Out, "%d partners, %d months, %d documents; %d kills, %d faults; %d classes compared; %d unbalanced, %d unexplained, %d misbilled, %d not replayed, %d leaked; %.1f s\n",
			total.Partners, total.Months, total.Documents, total.Kills, total.Faults, total.Classes, total.Unbalanced, total.Unexplained, total.Misbilled, total.NotReplayed, total.LeakedSecret, total.Seconds)
	}
	if err == nil && len(total.FailedSeeds) > 0 {
		err = errShown
	}
	return err
}

// apart gives each seed a process of its own, a few at a time: the hooks and the
// clock of the fast mode are a process's. A seed that comes to no result stops no other.
func apart[R any](ctx context.Context, c *tortureCmd, std Std, add func(R)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var failures []error
	err = side(ctx, c.AtOnce, c.Seeds, func(ctx context.Context, i int) error {
		seed := c.Seed + uint64(i)                                                                        // #nosec G115 -- a small count
		child := exec.CommandContext(ctx, self, append(strings.Fields(c.command(seed))[1:], "--json")...) // #nosec G204 -- this program itself
		var out, say bytes.Buffer
		child.Stdout, child.Stderr = &out, &say
		if os.Getenv("GOMAXPROCS") == "" { // more threads than processors are in each other's way
			child.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", max(1, runtime.NumCPU()/c.AtOnce)))
		}
		failed := child.Run()
		mu.Lock()
		defer mu.Unlock()
		_, _ = std.Err.Write(say.Bytes())
		var res R
		if err := json.Unmarshal(out.Bytes(), &res); err != nil {
			failures = append(failures, fmt.Errorf("seed %d printed no result: %w", seed, errors.Join(failed, err)))
			return ctx.Err()
		}
		add(res)
		return nil
	})
	return errors.Join(append(failures, err)...)
}

// check refuses what cannot be run.
func (c *tortureCmd) check() error {
	for _, k := range c.Kinds {
		if !slices.Contains(torture.Kinds, torture.Kind(k)) {
			return fault.Field("kinds", fmt.Sprintf("There is no kind %q.", k), "Use some of: "+kindNames()+".")
		}
	}
	switch {
	case c.Billing && (c.Months < 2 || c.Months > 12 || c.Customers < 1 || c.Records < 1):
		return fault.Field("months", "A partner has at least one customer with one record, and two to twelve months.", "Use --months 3 --customers 3 --records 60.")
	case c.Billing && (c.Database != "" || c.Replicas > 1):
		return fault.Field("billing", "Billing is tortured with two workers on SQLite, in this process.", "Leave --database and --replicas out.")
	case c.N < 1 || c.Seeds < 1:
		return fault.Field("onboardings", "Nothing is asked for.", "Use at least one onboarding and one seed.")
	case c.Fast && (c.Database != "" || c.Replicas > 1):
		return fault.Field("fast", "The fast mode has two workers on SQLite, in this process.", "Leave --database and --replicas out, or --fast.")
	case c.Replicas > 1 && (c.Database == "" || c.Database == "sqlite"):
		return fault.Field("replicas", "Several processes cannot share an SQLite file.", "Use --database postgres.")
	}
	if c.Database == "sqlite" {
		c.Database = ""
	}
	return nil
}

// one runs one plan.
func (c *tortureCmd) one(ctx context.Context, plan torture.Plan, std Std) (tortureResult, error) {
	tell := func(far string) { _, _ = fmt.Fprintln(std.Err, far) }
	if c.Fast {
		return tortureFast(ctx, plan, tell)
	}
	return tortureLive(ctx, plan, c.Database, c.Replicas, tell)
}

// simSettings are what a plan asks of the simulated Microsoft before anything is
// done: whose account it refuses, and whether it remembers its answers.
func simSettings(plan torture.Plan) sim.Settings {
	s := sim.Settings{ValidationFor: map[string]string{}}
	if plan.Forgets {
		s.ReplayRetention = -1
	}
	for _, c := range plan.Cases {
		if c.Kind == torture.Stuck || c.Kind == torture.Retried {
			s.ValidationFor[c.Prefix+provision.DomainSuffix] = "NotAllowed"
		}
	}
	return s
}

// command is the one that repeats a seed.
func (c *tortureCmd) command(seed uint64) string {
	if c.Billing {
		return fmt.Sprintf("causeway torture --billing --months %d --customers %d --records %d --seed %d", c.Months, c.Customers, c.Records, seed)
	}
	s := fmt.Sprintf("causeway torture --onboardings %d --seed %d", c.N, seed)
	if c.Fast {
		s += " --fast"
	}
	if c.Weather != string(torture.Storm) {
		s += " --weather " + c.Weather
	}
	if len(c.Kinds) > 0 {
		s += " --kinds " + strings.Join(c.Kinds, ",")
	}
	if c.Database != "" {
		s += " --database " + c.Database
	}
	if c.Replicas > 1 {
		s += fmt.Sprintf(" --replicas %d", c.Replicas)
	}
	return s
}

func (c *tortureCmd) print(std Std, r tortureResult) error {
	if c.JSON {
		e := json.NewEncoder(std.Out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	_, err := fmt.Fprintf(std.Out, "%d onboardings in %d runs: %d ready, %d cancelled, %d stuck as planted (%d alarmed), %d stuck silently; "+
		"%d kills, %d pauses, %d clock jumps, %d faults; %d duplicates, %d orphans, %d lost, %d foreign, %d leaked; %.2f %% of the calls wasted; %.1f s\n",
		r.Onboardings, r.Runs, r.Ready, r.Cancelled, r.StuckPlanted, r.StuckAlarmed, r.StuckSilent, r.Kills, r.Pauses, r.Jumps, r.Faults,
		r.Duplicates, r.OrphansAfter, r.Lost, r.ForeignTouched, r.LeakedSecrets, r.Wasted, r.Seconds)
	return err
}

func kinds(names []string) []torture.Kind {
	list := make([]torture.Kind, len(names))
	for i, n := range names {
		list[i] = torture.Kind(n)
	}
	return list
}

func kindNames() string {
	names := make([]string, len(torture.Kinds))
	for i, k := range torture.Kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}
