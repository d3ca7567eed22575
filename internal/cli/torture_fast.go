package cli

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/demo"
	"causeway/internal/job"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/torture"
)

// ordeal is the fast mode: two workers on one database and the simulated
// Microsoft in this process, all on one clock that stands still while nothing
// happens. One job runs at a time, so that a seed repeats itself; a crash drops
// everything that is not in the database, and a pause holds a worker until the
// other one has its job.
type ordeal struct {
	plan  torture.Plan
	rand  *rand.Rand
	clock *virtual
	sim   *sim.Server
	dir   string
	logs  *safeBuffer
	staff account.Actor
	tell  func(string) // what nobody planned

	db   *store.DB
	apps []*App
	end  context.CancelFunc // of what the apps left running

	strokes map[string]*stroke
	armed   bool                   // points may kill and pause
	paused  chan struct{}          // a worker reached its pause
	resume  chan struct{}          // and goes on
	crashed atomic.Bool            // the running worker died
	doubted map[string]bool        // domains that somebody else takes after this run
	cases   []*ordealCase          // by number
	of      map[string]*ordealCase // by provider id

	before  []torture.Text // the tables, when a paused worker's job was taken
	history torture.History
	kills   int
	pauses  int
	jumps   int
	faults  int // that hit, of those cleared meanwhile
	alarms  int
	byHand  int
}

// ordealCase is a case on its way.
type ordealCase struct {
	torture.Case
	actor     account.Actor
	login     string
	id        provider.ID
	submitted bool
	cancelled bool
	moves     int // done, of two: to the other account, and back
	doubted   bool
	tries     int
}

// stroke says at which hits of a point something happens.
type stroke struct{ hits, kill, pause int }

// virtual is a clock that moves by a microsecond at each look, and by jumps.
type virtual struct {
	base time.Time
	ns   atomic.Int64
}

func (v *virtual) now() time.Time          { return v.base.Add(time.Duration(v.ns.Add(1000))) }
func (v *virtual) advance(d time.Duration) { v.ns.Add(int64(max(d, 0))) }

// safeBuffer collects log lines of many goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// tortureFast runs one plan in this process.
func tortureFast(ctx context.Context, plan torture.Plan, tell func(string)) (_ tortureResult, err error) {
	o := newOrdeal(plan, rand.NewPCG(plan.Seed, 0x66617374), time.Now().UTC().Truncate(time.Second), tell) // #nosec G404 -- a run that can be repeated
	end, err := o.begin(ctx, bystanders())
	if err != nil {
		return tortureResult{}, err
	}
	defer end()
	if err := o.prepare(ctx); err != nil {
		return tortureResult{}, fmt.Errorf("prepare: %w", err)
	}
	if err := o.run(ctx); err != nil {
		return tortureResult{}, err
	}
	return o.judge(ctx)
}

// newOrdeal makes one that begins at a time.
func newOrdeal(plan torture.Plan, seed rand.Source, at time.Time, tell func(string)) *ordeal {
	return &ordeal{
		plan: plan, tell: tell, rand: rand.New(seed), clock: &virtual{base: at}, logs: &safeBuffer{}, // #nosec G404 -- a run that can be repeated
		staff:   account.Actor{User: "owner", Role: account.RoleOwner, Name: "Owner", Email: demo.Owner},
		strokes: map[string]*stroke{}, paused: make(chan struct{}), resume: make(chan struct{}), doubted: map[string]bool{}, of: map[string]*ordealCase{},
	}
}

// begin starts the simulated Microsoft, with what is there from before, and both
// workers; end stops them and leaves nothing behind.
func (o *ordeal) begin(ctx context.Context, before sim.Seed) (end func(), err error) {
	debug.SetGCPercent(fastGC)
	// What this process wrote outlives its workers in memory as on a disk.
	if o.dir, err = os.MkdirTemp(firstOf(memoryDir(), os.TempDir()), "causeway-"); err != nil {
		return nil, err
	}
	clean := func() { _ = os.RemoveAll(o.dir) }
	if err := o.world(ctx, before); err != nil {
		clean()
		return nil, err
	}
	job.OnPoint(o.point)
	end = func() {
		job.OnPoint(nil)
		o.drop()
		o.sim.Close()
		clean()
	}
	if err := o.open(ctx); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// fastGC lets the heap of a run, some ten megabytes, grow before it is swept: the
// fast mode is bound by the processor.
const fastGC = 400

// memoryDir is a folder in memory, "" if there is none.
func memoryDir() string {
	const dir = "/dev/shm"
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// world starts the simulated Microsoft.
func (o *ordeal) world(ctx context.Context, before sim.Seed) error {
	waits := map[sim.Wait]time.Duration{}
	for name, d := range o.plan.Waits {
		waits[sim.Wait(name)] = d
	}
	cfg := sim.Config{PlainAddr: "auto", CAFile: filepath.Join(o.dir, "ca.pem"), Now: o.clock.now, Seed: o.plan.Seed + 1, Waits: waits, CallLimit: 4000 * len(o.plan.Cases), Settings: simSettings(o.plan)}
	var err error
	if o.sim, err = sim.New(cfg); err != nil {
		return err
	}
	if err := o.sim.Start(ctx); err != nil {
		return err
	}
	return o.sim.Seed(before)
}

// bystanders are customers of the partner, and others' tenants, from before.
func bystanders() sim.Seed {
	var s sim.Seed
	for i := range 3 {
		c := sim.SeedCustomer{Domain: fmt.Sprintf("bystander%d.onmicrosoft.com", i), Name: fmt.Sprintf("Bystander %d", i), Plan: &sim.SeedPlan{}}
		c.Plan.Subscriptions = append(c.Plan.Subscriptions, struct {
			ID    string `json:"id"`
			Name  string `json:"name"`
			Alias string `json:"alias"`
		}{Name: "Bystander's own"})
		s.Customers = append(s.Customers, c)
		s.Domains = append(s.Domains, sim.Stranger{Domain: fmt.Sprintf("somebodyelse%d.onmicrosoft.com", i)})
	}
	return s
}

// open opens the database and builds both workers, as two processes do.
func (o *ordeal) open(ctx context.Context) error {
	file := filepath.Join(o.dir, "state.db")
	db, err := store.Open(ctx, file)
	if err != nil {
		return err
	}
	o.db, o.apps = db, nil
	live, end := context.WithCancel(ctx)
	o.end = end
	for _, name := range []string{"first", "second"} {
		brand := partner.SeedBrand()
		cfg, err := (Config{
			Database: file, Keys: filepath.Join(o.dir, "keys"), PublicURL: "http://portal.example", Listen: "127.0.0.1:1", WorkerName: name, Brand: &brand,
			Azure: azure.Config{
				LoginURL: o.sim.URL, PartnerCenterURL: o.sim.URL, GraphURL: o.sim.URL, ARMURL: o.sim.URL, AttestationURL: o.sim.PlainURL + "/mca/",
				CAFile: o.sim.CAFile, PartnerTenant: sim.DefaultPartnerTenant, AppID: sim.DefaultAppID, Timeout: 10 * time.Second,
			},
			PasswordMemory: 64, PasswordPasses: 1, Now: o.clock.now, Log: slog.New(slog.NewTextHandler(o.logs, nil)),
		}).whole()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(cfg.Keys, 0o700); err != nil {
			return err
		}
		app, err := build(live, cfg, db)
		if err != nil {
			return err
		}
		if err := app.Jobs.Start(live); err != nil {
			return err
		}
		o.apps = append(o.apps, app)
	}
	return o.apps[0].startWork(live)
}

// drop is a crash: everything that is not in the database is gone.
func (o *ordeal) drop() {
	if o.end != nil {
		o.end()
	}
	for _, a := range o.apps {
		_ = a.Lake.Close() // only memory
	}
	if o.db != nil {
		_ = o.db.Close()
	}
}

// first is the worker that people's pages talk to.
func (o *ordeal) first() *App { return o.apps[0] }

// point is called wherever a worker may die or stop.
func (o *ordeal) point(name string) {
	if !o.armed || strings.HasSuffix(name, ":sent") { // a crash after sending is one after the answer, to the database
		return
	}
	if name == "create-customer:before-send" {
		o.takeDomain()
	}
	s := o.strokes[name]
	if s == nil {
		s = &stroke{kill: 1 + o.rand.IntN(4), pause: 1 + o.rand.IntN(8)}
		o.strokes[name] = s
	}
	s.hits++
	switch {
	case o.plan.Kills && s.hits == s.kill:
		s.kill = s.hits + 10 + o.rand.IntN(60)
		o.kills++
		o.crashed.Store(true)
		runtime.Goexit()
	case o.plan.Pauses && s.hits >= s.pause && o.pausable():
		s.pause = s.hits + 60 + o.rand.IntN(90)
		o.pauses++
		o.paused <- struct{}{}
		<-o.resume
	}
}

// step lets one worker do one job; it tells whether there was one.
func (o *ordeal) step(ctx context.Context, app *App) (bool, error) {
	type outcome struct {
		ran bool
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		out := outcome{ran: true}
		defer func() { done <- out }() // also after Goexit
		out.ran, out.err = app.Jobs.RunOnce(ctx)
	}()
	select {
	case out := <-done:
		if o.crashed.Swap(false) {
			o.drop()
			return true, o.open(ctx)
		}
		return out.ran, out.err
	case <-o.paused:
		if err := o.overtake(ctx, app); err != nil {
			return true, err
		}
		o.resume <- struct{}{}
		<-done
		return true, o.unchanged(ctx)
	}
}

// overtake lets twice a lease pass and the other worker take the paused one's
// job, and notes what the tables hold by then.
func (o *ordeal) overtake(ctx context.Context, paused *App) error {
	o.armed = false
	o.before = nil
	var id string
	var fence int64
	err := o.db.Read().QueryRowContext(ctx, `SELECT id, fence FROM job WHERE worker LIKE $1 AND leased_until > 0 AND done_at IS NULL`, paused.Config.WorkerName+"/%").Scan(&id, &fence)
	o.clock.advance(2 * job.Lease)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // it had finished its job in its last transaction
	}
	if err != nil {
		return fmt.Errorf("the paused worker's job: %w", err)
	}
	other := o.apps[0]
	if other == paused {
		other = o.apps[1]
	}
	for range 200 {
		ran, err := other.Jobs.RunOnce(ctx)
		if err != nil {
			return err
		}
		var now int64
		if err := o.db.Read().QueryRowContext(ctx, `SELECT fence FROM job WHERE id = $1`, id).Scan(&now); err != nil {
			return err
		}
		if now != fence {
			o.before, err = torture.Dump(ctx, o.db, free...)
			return err
		}
		if !ran {
			o.clock.advance(time.Second)
		}
	}
	return errors.New("nobody took the job of a worker that was paused for twice its lease")
}

// free are tables that a worker without a lease may write: they say what it heard,
// which token it used and what a limit took, not what came of it.
var free = []string{"job", "exchange", "ask", "partner_credential", "partner_access", "throttle_budget", "throttle_wait", "goose_db_version"}

// unchanged holds the tables against what they were before the paused worker woke.
func (o *ordeal) unchanged(ctx context.Context) error {
	o.armed = true
	if o.before == nil {
		return nil
	}
	after, err := torture.Dump(ctx, o.db, free...)
	if err != nil {
		return err
	}
	for i, t := range after {
		if i < len(o.before) && t.Body != o.before[i].Body {
			o.history.Fenced = append(o.history.Fenced, "A worker that had lost its lease wrote to the "+t.Where+": "+firstDifference(o.before[i].Body, t.Body))
		}
	}
	return nil
}

func firstDifference(a, b string) string {
	was := map[string]bool{}
	for line := range strings.Lines(a) {
		was[line] = true
	}
	for line := range strings.Lines(b) {
		if !was[line] {
			return strings.TrimSpace(line)
		}
	}
	return "a row is gone"
}

// pausable tells whether a point is reached by a worker whose job can be overtaken.
func (o *ordeal) pausable() bool { return !o.crashed.Load() }

// takeDomain gives the domain that is about to be asked for to somebody else, if
// the plan says so; our own request is lost before it has any effect.
func (o *ordeal) takeDomain() {
	var domain string
	err := o.db.Read().QueryRowContext(context.Background(), `SELECT t.domain FROM intent i JOIN tenant t ON i.scope = 'tenant:' || t.id
		WHERE i.name = 'create-customer' AND i.state = 'sent' ORDER BY i.last_sent DESC LIMIT 1`).Scan(&domain)
	if err != nil {
		return
	}
	for _, c := range o.cases {
		if c.Kind == torture.Stranger && c.Doubt && !c.doubted && c.Prefix+provision.DomainSuffix == domain {
			c.doubted = true
			o.sim.HangUpBefore("POST /v1/customers")
			o.doubted[domain] = c.N%2 == 0
		}
	}
}

// others takes the domains of takeDomain: every second one goes to a stranger, the
// rest to another program of the same partner, whose customers we can see.
func (o *ordeal) others() error {
	taken := map[string]bool{}
	if len(o.doubted) > 0 {
		for _, c := range o.sim.Customers() {
			taken[c.Domain] = true
		}
	}
	for domain, stranger := range o.doubted {
		delete(o.doubted, domain)
		if taken[domain] { // another worker was quicker: it is ours
			continue
		}
		var seed sim.Seed
		if stranger {
			seed.Domains = []sim.Stranger{{Domain: domain}}
		} else {
			seed.Customers = []sim.SeedCustomer{{Domain: domain, Name: "Made by another program", Correlation: store.NewID()}}
		}
		if err := o.sim.Seed(seed); err != nil {
			return fmt.Errorf("take %s: %w", domain, err)
		}
		o.remember()
	}
	return nil
}

// remember notes every customer that is not ours as it is now.
func (o *ordeal) remember() {
	if o.history.Bystanders == nil {
		o.history.Bystanders = map[string]string{}
	}
	for _, c := range o.sim.Customers() {
		if o.history.Bystanders[c.ID] == "" && (c.Seeded || c.Name == "Made by another program") {
			o.history.Bystanders[c.ID] = dumped(c)
		}
	}
}

func dumped(c sim.CustomerState) string {
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return torture.Same(b)
}

// run works until every case is over.
func (o *ordeal) run(ctx context.Context) error {
	err := o.calm(ctx, func(ctx context.Context) error {
		for _, c := range o.cases {
			if c.Behind < 0 {
				if err := o.submit(ctx, c); err != nil {
					return fmt.Errorf("submit case %d: %w", c.N, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, f := range o.plan.Faults {
		x, err := asSim(f)
		if err != nil {
			return err
		}
		o.sim.Fail(x.On, x)
	}
	o.armed = true
	until := o.clock.now().AddDate(0, 0, 14)
	sometime := func() int { return 50 + o.rand.IntN(10*len(o.cases)) }
	revoke, jumps := sometime(), []int{sometime(), sometime(), sometime()}
	for i := 0; ; i++ {
		if o.plan.Jumps && i == revoke {
			o.sim.Revoke(sim.DefaultUser, 50173) // the person changed the password: nothing goes on before a new sign-in
		}
		if o.plan.Jumps && slices.Contains(jumps, i) {
			o.jumps++
			o.clock.advance(time.Duration(30+o.rand.IntN(150)) * time.Minute)
		}
		if i%4 == 0 {
			over, err := o.act(ctx)
			if err != nil {
				return err
			}
			if over || o.clock.now().After(until) {
				break
			}
		}
		ran, err := o.step(ctx, o.apps[o.rand.IntN(len(o.apps))])
		if err != nil {
			return err
		}
		if err := o.others(); err != nil {
			return err
		}
		if !ran {
			if err := o.idle(ctx); err != nil {
				return err
			}
		}
	}
	o.armed = false
	for _, f := range o.sim.Faults() {
		o.faults += f.Applied
	}
	o.sim.ClearFaults()
	o.clock.advance(20 * time.Minute) // the slowest lists are true again
	return o.rest(ctx)
}

// rest does what is due: mails, and decisions about differences.
func (o *ordeal) rest(ctx context.Context) error {
	for range 100 + 10*len(o.cases) {
		if ran, err := o.first().Jobs.RunOnce(ctx); err != nil || !ran {
			return err
		}
	}
	return nil
}

// idle moves the clock to what comes next.
func (o *ordeal) idle(ctx context.Context) error {
	next, err := o.first().Jobs.Next(ctx)
	if err != nil {
		return err
	}
	wait := time.Second
	if !next.IsZero() {
		wait = max(next.Sub(o.clock.now()), time.Millisecond)
	}
	o.clock.advance(min(wait, 3*time.Hour))
	return nil
}

func asSim(f torture.Fault) (x sim.Fault, err error) {
	b, err := json.Marshal(f)
	if err == nil {
		err = json.Unmarshal(b, &x)
	}
	return x, err
}

// judge reads both sides and gives the verdict.
func (o *ordeal) judge(ctx context.Context) (tortureResult, error) {
	h := &o.history
	h.Plan, h.Provider, h.Wanted, h.Notes = o.plan, map[string]int{}, map[int]string{}, map[string]string{}
	for id, c := range o.of {
		h.Provider[id] = c.N
	}
	if err := o.sweep(ctx); err != nil {
		return tortureResult{}, fmt.Errorf("sweep: %w", err)
	}
	if err := h.ReadBooks(ctx, o.db, o.first().Ring); err != nil {
		return tortureResult{}, err
	}
	h.After, h.Strangers = map[string]string{}, map[string]bool{}
	customers, calls := o.sim.Customers(), o.sim.Calls()
	for _, c := range customers {
		if h.Bystanders[c.ID] != "" {
			h.After[c.ID] = dumped(c)
		}
	}
	for _, s := range o.sim.Strangers() {
		h.Strangers[s.ID] = true
	}
	if err := errors.Join(as(customers, &h.Customers), as(calls, &h.Calls), as(o.sim.Secrets(), &h.Secrets)); err != nil {
		return tortureResult{}, err
	}
	h.Secrets = append(h.Secrets, torture.Secret{Kind: "password", Owner: "people", Value: demo.Password})
	h.Texts = append(h.Texts, torture.Text{Where: "log", Body: o.logs.String()})
	o.explain(ctx)
	res := resultOf(*h, torture.Check(*h))
	res.Kills, res.Pauses, res.Jumps, res.Faults, res.Reconnected = o.kills, o.pauses, o.jumps, o.faults, o.alarms
	res.ByHand = o.byHand
	res.Wasted, _ = wasted(calls)
	return res, nil
}

// sweep compares both sides, puts back what it can, and notes what is left; the
// customers that are not ours wait for a person for ever.
func (o *ordeal) sweep(ctx context.Context) error {
	h, r := &o.history, o.first().Provision
	diff, err := r.Compare(ctx)
	if err != nil {
		return err
	}
	for _, d := range diff {
		if !h.IsBystander(d.Object) {
			h.Unclean++
		}
	}
	found, err := r.Sweep(ctx)
	if err != nil {
		return err
	}
	if n, _, err := r.Apply(ctx, o.staff, provision.WhichSafe); err != nil {
		return err
	} else if n+found.Adopted > 0 {
		if err := o.rest(ctx); err != nil {
			return err
		}
		if _, err := r.Sweep(ctx); err != nil {
			return err
		}
	}
	for after := ""; ; {
		list, next, err := r.Differences(ctx, o.staff, provision.DifferenceFilter{After: after, Limit: 500})
		if err != nil {
			return err
		}
		for _, d := range list {
			if !h.IsBystander(d.Object) {
				h.Sweep = append(h.Sweep, d.Object+": "+d.Text)
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// explain notes for each case that did not end as it should what its log says.
func (o *ordeal) explain(ctx context.Context) {
	for _, x := range o.history.Onboardings {
		c := o.of[x.Provider]
		if c == nil || x.State == c.Want() {
			continue
		}
		tail, _, err := o.first().Providers.Tail(ctx, provider.ID(x.Provider), 6)
		if err != nil {
			continue
		}
		var lines []string
		for _, e := range tail {
			lines = append(lines, e.Step+": "+e.Text)
		}
		if said, err := o.first().Provision.Exchanges(ctx, o.staff, provision.ID(x.ID), 8); err == nil {
			for _, e := range said {
				if e.Status >= 400 || e.Status == 0 {
					lines = append(lines, fmt.Sprintf("%s %s: %d %s %s", e.Method, e.URL, e.Status, e.Response.Body, e.Error))
				}
			}
		}
		o.history.Notes[x.Provider] = strings.Join(lines, " | ")
	}
}

// as reads one side's values as the checker's own, through JSON as over a wire.
func as(from, into any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}
