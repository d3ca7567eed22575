package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"causeway/internal/api"
	"causeway/internal/demo"
	"causeway/internal/job"
	"causeway/internal/provision"
	"causeway/internal/seal"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/pgserver"
	"causeway/internal/torture"
)

// siege is torture with real processes: a simulator, one or more servers that are
// killed and stopped by the system, a database that is killed as well, and people
// who press again when a page does not come.
type siege struct {
	plan     torture.Plan
	rand     *rand.Rand
	w        *world
	cfg      worldConfig
	replicas []*replica
	pg       *pgserver.Server // nil on SQLite
	owner    *client
	cases    []*siegeCase
	of       map[string]*siegeCase // by provider id
	clock    string                // file of the servers' clock
	ahead    time.Duration

	mu     sync.Mutex
	left   map[string]int // points at which somebody still has to die
	kills  int
	stops  int
	jumps  int
	breaks int // of the database
	alarms int
	byHand int            // stuck without a plan, and tried again by staff
	pages  []torture.Text // errors that people saw

	tell    func(string) // how far it is, for who watches
	summary string

	history torture.History
}

// siegeFactor is how many times as fast as Microsoft the simulated one is: a minute,
// in which limits are counted and lists may lag, takes two seconds.
const siegeFactor = 30

// siegeCase is a case on its way.
type siegeCase struct {
	torture.Case
	j         *journey
	submitted bool
	cancelled bool
	taken     bool
	moves     int
	tries     int
}

// tortureLive runs one plan with real processes.
func tortureLive(ctx context.Context, plan torture.Plan, database string, replicas int, tell func(string)) (_ tortureResult, err error) {
	s := &siege{
		plan: plan, rand: rand.New(rand.NewPCG(plan.Seed, 0x6c697665)), // #nosec G404 -- a plan, not a secret
		of: map[string]*siegeCase{}, left: map[string]int{}, tell: tell, history: torture.History{Notes: map[string]string{}},
	}
	defer func() {
		if s.w != nil {
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, tail(s.w.logs(), 6000))
			}
			s.w.stop()
		}
		if s.pg != nil {
			err = errors.Join(err, s.pg.Stop())
		}
	}()
	if err := s.start(ctx, database, replicas); err != nil {
		return tortureResult{}, err
	}
	if err := s.prepare(ctx); err != nil {
		return tortureResult{}, fmt.Errorf("prepare: %w", err)
	}
	if err := s.storm(ctx); err != nil {
		return tortureResult{}, err
	}
	return s.judge(ctx)
}

// start starts the simulator, a database if one is asked for, and the servers.
func (s *siege) start(ctx context.Context, database string, replicas int) error {
	dir, err := os.MkdirTemp("", "causeway-")
	if err != nil {
		return err
	}
	if database == "postgres" {
		if s.pg, err = pgserver.Start(""); err != nil {
			return errors.Join(err, os.RemoveAll(dir))
		}
		if err := s.pg.CreateDatabase(ctx, "causeway"); err != nil {
			return err
		}
		database = s.pg.DSN("causeway")
	}
	config, err := json.Marshal(simFile{Settings: simSettings(s.plan)})
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "sim-config.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return err
	}
	s.clock = filepath.Join(dir, "clock")
	s.cfg = worldConfig{
		dir: dir, profile: string(sim.Instant), factor: siegeFactor, database: database, workers: 16, calls: 5000 * len(s.plan.Cases),
		simArgs: []string{"--config", file, "--random", fmt.Sprint(s.plan.Seed + 1)},
	}
	if s.w, err = startSim(ctx, s.cfg); err != nil {
		return err
	}
	s.w.fresh = true
	for name, d := range s.plan.Waits {
		if err := s.w.control(ctx, http.MethodPatch, "/_sim/latency", map[string]any{"waits": map[string]string{name: d.String()}}, nil); err != nil {
			return err
		}
	}
	if err := s.w.control(ctx, http.MethodPost, "/_sim/seed", bystanders(), nil); err != nil {
		return err
	}
	for i := range replicas {
		r, err := s.w.replica(ctx, s.cfg, fmt.Sprintf("replica%d", i+1), "--clock", s.clock)
		if err != nil {
			return err
		}
		s.replicas = append(s.replicas, r)
	}
	return s.remember(ctx)
}

// remember notes the customers that are not ours as they are.
func (s *siege) remember(ctx context.Context) error {
	var all []json.RawMessage
	if err := s.w.control(ctx, http.MethodGet, "/_sim/customers", nil, &all); err != nil {
		return err
	}
	s.history.Bystanders = map[string]string{}
	for _, raw := range all {
		var c torture.Customer
		if err := json.Unmarshal(raw, &c); err != nil {
			return err
		}
		s.history.Bystanders[c.ID] = torture.Same(raw)
	}
	return nil
}

// prepare connects the partner, makes the organizations and fills in every form.
func (s *siege) prepare(ctx context.Context) (err error) {
	if s.owner, err = s.w.login(ctx, demo.Owner); err != nil {
		return err
	}
	if err := s.w.connectPartner(ctx, s.owner); err != nil {
		return err
	}
	orgs := map[int][]*siegeCase{}
	for _, planned := range s.plan.Cases {
		planned.Doubt = false // nobody outside sees that moment
		c := &siegeCase{Case: planned}
		s.cases = append(s.cases, c)
		orgs[c.Org] = append(orgs[c.Org], c)
	}
	return side(ctx, 8, len(orgs), func(ctx context.Context, org int) error {
		j, err := s.w.customer(ctx, s.owner, org)
		if err != nil {
			return err
		}
		if orgs[org][0].Kind == torture.Moved {
			if err := s.secondAccount(ctx, j.account); err != nil {
				return err
			}
		}
		for _, c := range orgs[org] {
			own := *j
			own.name, own.prefix = fmt.Sprintf("Torture %04d", c.N), c.Prefix
			c.j = &own
			if c.Behind >= 0 {
				continue
			}
			if err := s.fill(ctx, c); err != nil {
				return fmt.Errorf("case %d: %w", c.N, err)
			}
		}
		return nil
	})
}

func (s *siege) fill(ctx context.Context, c *siegeCase) error {
	err := c.j.fill(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[c.j.id] = c
	return err
}

func (s *siege) secondAccount(ctx context.Context, alias string) error {
	var a api.Account
	if err := s.owner.get(ctx, "/accounts/"+alias, &a); err != nil {
		return err
	}
	return s.owner.post(ctx, "/accounts", map[string]any{
		"alias": alias + "B", "organization": a.Organization, "name": a.Name, "billable": true, "currency": "USD", "language": "en-US",
		"credit_limit": map[string]string{"amount": "40000", "currency": "USD"}, "address": a.Address, "contact": a.Contact,
	}, nil)
}

// storm lets everything go wrong until every case is over.
func (s *siege) storm(ctx context.Context) error {
	for _, f := range s.plan.Faults {
		if err := s.w.control(ctx, http.MethodPost, "/_sim/faults", f, nil); err != nil {
			return err
		}
	}
	if s.plan.Kills {
		for _, p := range provision.Points() {
			s.left[p] = 1 + s.rand.IntN(6)
		}
	}
	for _, r := range s.replicas { // they were prepared without any point
		if err := r.end(ctx); err != nil {
			return err
		}
		r.env = []string{"CAUSEWAY_KILL=" + s.deaths()}
		if err := r.start(ctx); err != nil {
			return err
		}
	}
	battle, end := context.WithCancel(ctx)
	defer end()
	var all sync.WaitGroup
	broke := make(chan error, 8)
	watch := func(f func(context.Context) error) {
		all.Go(func() {
			if err := f(battle); err != nil && battle.Err() == nil {
				broke <- err
				end()
			}
		})
	}
	for _, r := range s.replicas {
		watch(func(ctx context.Context) error { return s.supervise(ctx, r) })
	}
	if s.plan.Pauses {
		watch(s.pauseOne)
	}
	if s.plan.Jumps {
		watch(s.jump)
	}
	if s.pg != nil && s.plan.Kills {
		watch(s.breakDatabase)
	}
	err := s.people(battle)
	end()
	all.Wait()
	select {
	case first := <-broke:
		return first
	default:
	}
	if err != nil {
		return err
	}
	var list []sim.Fault
	if err := s.w.control(ctx, http.MethodGet, "/_sim/faults", nil, &list); err != nil {
		return err
	}
	for _, f := range list {
		s.history.Faults += f.Applied
	}
	return s.w.control(ctx, http.MethodDelete, "/_sim/faults", nil, nil)
}

// supervise restarts a server whenever it was killed at one of the points that are
// left; each is used up by the death that it caused.
func (s *siege) supervise(ctx context.Context, r *replica) error {
	for {
		select {
		case <-r.p.done:
		case <-ctx.Done():
			return nil
		}
		for died := true; died; {
			if err := s.died(r); err != nil {
				return err
			}
			r.env = []string{"CAUSEWAY_KILL=" + s.deaths()}
			died = r.start(ctx) != nil // killed before it was ready, or without a database
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

// deaths is what a server is told: all that are left, each at its own count.
func (s *siege) deaths() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, 0, len(s.left))
	for p, n := range s.left {
		list = append(list, fmt.Sprintf("%s#%d", p, n))
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// died uses up the point of a death; any other end of a server is our bug, but for
// one that found its database gone at the start.
func (s *siege) died(r *replica) error {
	<-r.p.done
	var exit interface{ ExitCode() int }
	text := r.p.log.String()
	_, after, killed := strings.Cut(text, "killed at ")
	if !killed {
		if s.pg != nil && errors.As(r.p.err, &exit) && exit.ExitCode() == 1 {
			return nil // tried again: the database may be away
		}
		return fmt.Errorf("%s ended by itself: %w\n%s", r.name, r.p.err, tail(text, 4000))
	}
	point, _, _ := strings.Cut(after, "\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.left, point)
	s.kills++
	return nil
}

// pauseOne stops a server for twice the lease and lets it wake: the first time
// soon, then seldom, for with one server nothing goes on meanwhile.
func (s *siege) pauseOne(ctx context.Context) error {
	for after := 3; ; after = 45 {
		if !passes(ctx, time.Duration(after+s.draw(after))*time.Second) {
			return nil
		}
		p := s.w.newest(s.replicas[s.draw(len(s.replicas))].name)
		if p.cmd.Process.Signal(syscall.SIGSTOP) != nil {
			continue // it has just been killed
		}
		went := passes(ctx, 2*job.Lease)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		if !went {
			return nil
		}
		s.mu.Lock()
		s.stops++
		s.mu.Unlock()
	}
}

// passes tells whether a time passed before the storm was over.
func passes(ctx context.Context, d time.Duration) bool { return pause(ctx, d) == nil }

func (s *siege) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rand.IntN(n)
}

// jump lets both sides' clocks jump by more than a token lives.
func (s *siege) jump(ctx context.Context) error {
	for range 3 {
		if !passes(ctx, time.Duration(15+s.draw(30))*time.Second) {
			return nil
		}
		d := time.Duration(61+s.draw(60)) * time.Minute
		s.ahead += d
		if err := writeWhole(s.clock, []byte(s.ahead.String())); err != nil {
			return err
		}
		if err := s.w.control(ctx, http.MethodPost, "/_sim/clock", map[string]string{"advance": d.String()}, nil); err != nil {
			return err
		}
		s.mu.Lock()
		s.jumps++
		s.mu.Unlock()
	}
	return nil
}

// breakDatabase kills PostgreSQL in the middle of its work and starts it again.
func (s *siege) breakDatabase(ctx context.Context) error {
	for range 2 {
		if !passes(ctx, time.Duration(10+s.draw(15))*time.Second) {
			return nil
		}
		s.pg.Kill()
		if err := s.pg.Restart(); err != nil {
			return err
		}
		s.mu.Lock()
		s.breaks++
		s.mu.Unlock()
	}
	return nil
}

// judge lets the servers come to rest, compares both sides and gives the verdict.
func (s *siege) judge(ctx context.Context) (tortureResult, error) {
	for _, r := range s.replicas {
		r.kill()
		r.env = nil
		if err := r.start(ctx); err != nil {
			return tortureResult{}, err
		}
	}
	h := &s.history
	h.Plan, h.Provider, h.Wanted = s.plan, map[string]int{}, map[int]string{}
	for id, c := range s.of {
		if c.j.id == id {
			h.Provider[id] = c.N
		}
	}
	if err := s.sweep(ctx); err != nil {
		return tortureResult{}, err
	}
	for _, r := range s.replicas {
		if err := r.end(ctx); err != nil {
			return tortureResult{}, err
		}
	}
	calls, err := s.read(ctx)
	if err != nil {
		return tortureResult{}, err
	}
	res := resultOf(*h, torture.Check(*h))
	res.Kills, res.Pauses, res.Jumps, res.Restarts, res.Faults, res.Reconnected = s.kills, s.stops, s.jumps, s.breaks, h.Faults, s.alarms
	res.NotKilled, res.ByHand = len(s.left), s.byHand
	res.Wasted, _ = wasted(calls)
	return res, nil
}

// sweep compares both sides, lets a server put back what it can, and notes what is
// left; the customers that are not ours wait for a person for ever.
func (s *siege) sweep(ctx context.Context) error {
	var both api.Comparison
	if err := s.insist(ctx, s.owner, http.MethodGet, "/comparison", nil, &both); err != nil {
		return fmt.Errorf("compare both sides: %w", err)
	}
	for _, d := range both.Differences {
		if !s.history.IsBystander(d.Object) {
			s.history.Unclean++
		}
	}
	// Not the sign-in: a server with the demo's people shows their password there.
	for _, page := range []string{"/no-such-page", "/api/v1/providers/nobodys", "/readyz"} {
		if err := s.see(ctx, page); err != nil {
			return err
		}
	}
	r, err := (&sweepCmd{Apply: true}).sweep(ctx, s.anywhere(s.owner), nil)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, d := range r.Differences {
		if !s.history.IsBystander(d.Object) {
			s.history.Sweep = append(s.history.Sweep, d.Object+": "+d.Text)
		}
	}
	return nil
}

// see keeps a page as somebody sees it who may see nothing, to be searched for
// secrets.
func (s *siege) see(ctx context.Context, page string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.replicas[0].url+page, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	s.pages = append(s.pages, torture.Text{Where: "page " + page, Body: string(body)})
	return errors.Join(err, res.Body.Close())
}

// read collects what both sides and the onlookers have.
func (s *siege) read(ctx context.Context) ([]sim.Call, error) {
	h := &s.history
	db, err := store.Open(ctx, s.w.db)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	ring, err := seal.Load(filepath.Join(s.w.dir, "keys", "customer.key"))
	if err != nil {
		return nil, err
	}
	if err := h.ReadBooks(ctx, db, ring); err != nil {
		return nil, err
	}
	var customers []json.RawMessage
	var strangers []sim.Stranger
	if err := errors.Join(
		s.w.control(ctx, http.MethodGet, "/_sim/customers", nil, &customers),
		s.w.control(ctx, http.MethodGet, "/_sim/strangers", nil, &strangers),
		s.w.control(ctx, http.MethodGet, "/_sim/secrets", nil, &h.Secrets),
	); err != nil {
		return nil, err
	}
	h.After, h.Strangers = map[string]string{}, map[string]bool{}
	for _, raw := range customers {
		var c torture.Customer
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, err
		}
		h.Customers = append(h.Customers, c)
		if h.Bystanders[c.ID] != "" {
			h.After[c.ID] = torture.Same(raw)
		}
	}
	for _, x := range strangers {
		h.Strangers[x.ID] = true
	}
	h.Secrets = append(h.Secrets, torture.Secret{Kind: "password", Owner: "people", Value: demo.Password})
	h.Texts = append(h.Texts, s.pages...)
	for _, p := range s.w.procs {
		if p.name != "simulator" {
			h.Texts = append(h.Texts, torture.Text{Where: "log of " + p.name, Body: p.log.String()})
		}
	}
	calls, err := s.w.calls(ctx)
	if err != nil {
		return nil, err
	}
	return calls, as(calls, &h.Calls)
}
