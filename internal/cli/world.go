package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"causeway/internal/api"
	"causeway/internal/azure"
	"causeway/internal/demo"
	"causeway/internal/sim"
)

// world is a simulator and a server as two processes of their own, as demo and
// bench start them.
type world struct {
	dir    string
	sim    simReady
	server string
	db     string
	procs  []*process
	http   *http.Client // trusts the simulator
	fresh  bool         // the folder is ours and goes with us
	clock  string       // file by which both clocks are moved; "" = they cannot be
	mu     sync.Mutex   // of procs

	program string // what is started; "" = this program itself
}

// process is one that we started.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan struct{}
	err  error
}

// worldConfig says what to start.
type worldConfig struct {
	dir      string // "" = a fresh one, removed at the end
	profile  string
	factor   float64
	listen   string // of the server
	simAddr  string
	simPlain string
	database string // "" = SQLite in dir
	workers  int
	replicas int       // further servers on the same database, beside the first
	calls    int       // length of the simulator's call log; 0 = its default
	log      io.Writer // of both; nil = kept, and shown if something fails
	simArgs  []string  // further arguments of the simulator
	began    time.Time // both begin at this time, see world.at; zero = now

	prepare func(ctx context.Context, database string) error // before the server opens it; nil = nothing
}

// startWorld starts both and waits until both answer.
func startWorld(ctx context.Context, c worldConfig) (*world, error) {
	w, err := startSim(ctx, c)
	if err != nil {
		return w, err
	}
	if c.prepare != nil {
		if err := c.prepare(ctx, w.db); err != nil {
			w.stop()
			return w, err
		}
	}
	ready := filepath.Join(w.dir, "server-ready")
	_ = os.Remove(ready)
	args := append([]string{"serve", "--listen", firstOf(c.listen, "127.0.0.1:0"), "--ready-file", ready}, w.serveArgs(c)...)
	if err := w.start(ctx, c.log, "server", ready, args...); err != nil {
		w.stop()
		return w, err
	}
	b, err := os.ReadFile(ready) // #nosec G304 -- our own file
	if err != nil {
		w.stop()
		return w, err
	}
	w.server = strings.TrimSpace(string(b))
	for i := range c.replicas {
		if _, err := w.replica(ctx, c, fmt.Sprintf("replica%d", i+2)); err != nil {
			w.stop()
			return w, err
		}
	}
	return w, nil
}

// startSim starts the simulator alone: servers come later, see replica.
func startSim(ctx context.Context, c worldConfig) (w *world, err error) {
	w = &world{dir: c.dir}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	if w.dir == "" {
		if w.dir, err = os.MkdirTemp("", "causeway-"); err != nil {
			return w, err
		}
		w.fresh = true
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return w, err
	}
	ca, ready := filepath.Join(w.dir, "sim-ca.pem"), filepath.Join(w.dir, "sim-ready.json")
	_ = os.Remove(ready)
	if c.calls == 0 {
		c.calls = 20_000
	}
	args := append([]string{
		"sim", "--call-limit", fmt.Sprint(c.calls), "--listen", firstOf(c.simAddr, "127.0.0.1:0"), "--plain-listen", firstOf(c.simPlain, "127.0.0.1:0"),
		"--ca-file", ca, "--profile", c.profile, "--factor", fmt.Sprint(c.factor), "--ready-file", ready, "--quiet",
	}, c.simArgs...)
	if !c.began.IsZero() {
		w.clock = filepath.Join(w.dir, "clock")
		if err := w.at(ctx, c.began); err != nil {
			return w, err
		}
		args = append(args, "--clock", w.clock)
	}
	err = w.start(ctx, c.log, "simulator", ready, args...)
	if err != nil {
		return w, err
	}
	b, err := os.ReadFile(ready) // #nosec G304 -- our own file
	if err != nil {
		return w, err
	}
	if err := json.Unmarshal(b, &w.sim); err != nil {
		return w, err
	}
	if w.http, err = azure.HTTPClient(ca); err != nil {
		return w, err
	}
	w.db = firstOf(c.database, filepath.Join(w.dir, "state.db"))
	return w, nil
}

// at moves the clock of both processes to a time, the present at most.
func (w *world) at(ctx context.Context, t time.Time) error {
	ahead := min(time.Until(t), 0)
	if err := writeWhole(w.clock, []byte(ahead.Round(time.Second).String()+"\n")); err != nil {
		return err
	}
	return pause(ctx, 2*clockRead) // until both have read it
}

func (w *world) serveArgs(c worldConfig) []string {
	args := []string{
		"--database", w.db, "--keys", filepath.Join(w.dir, "keys"), "--microsoft", w.sim.URL, "--attestation-url", w.sim.PlainURL + "/mca/",
		"--ca-file", w.sim.CAFile, "--brand", "seed", "--worker-name", "demo", "--seed-demo", "--log-format", "text",
		"--simulated", simulated(c), "--pace", fmt.Sprint(c.factor),
	}
	if w.clock != "" {
		args = append(args, "--clock", w.clock, "--seed-bills")
	}
	if c.workers > 0 {
		args = append(args, "--workers", fmt.Sprint(c.workers))
	}
	return args
}

// simulated is what the portal's banner says.
func simulated(c worldConfig) string {
	if c.profile == string(sim.Instant) {
		return "Simulated Microsoft · no waiting"
	}
	return fmt.Sprintf("Simulated Microsoft · %v× speed", c.factor)
}

// start runs this program with other arguments and waits for its ready file.
func (w *world) start(ctx context.Context, log io.Writer, name, ready string, args ...string) error {
	_, err := w.launch(ctx, log, nil, name, ready, args...)
	return err
}

// launch is start with further variables; it gives the process also if that died
// before it was ready.
func (w *world) launch(ctx context.Context, log io.Writer, env []string, name, ready string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	self = firstOf(w.program, self)
	p := &process{name: name, cmd: exec.CommandContext(context.WithoutCancel(ctx), self, args...), log: &bytes.Buffer{}, done: make(chan struct{})} // #nosec G204 -- this program itself
	var out io.Writer = p.log
	if log != nil {
		out = log
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true} // no child outlives us, and Ctrl-C reaches them through us
	p.cmd.Env = append(append(os.Environ(), "GODEBUG="+os.Getenv("GODEBUG")), env...)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	w.mu.Lock()
	w.procs = append(w.procs, p)
	w.mu.Unlock()
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(ready); err == nil {
			return p, nil
		}
		select {
		case <-p.done:
			return p, fmt.Errorf("the %s ended at its start: %w\n%s", name, p.err, p.log)
		case <-ctx.Done():
			return p, ctx.Err()
		case <-tick.C:
		}
	}
}

// newest is the last process that was started under a name.
func (w *world) newest(name string) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range slices.Backward(w.procs) {
		if p.name == name {
			return p
		}
	}
	return nil
}

// broken is closed when one of the processes ends by itself.
func (w *world) broken(ctx context.Context) error {
	done := make(chan *process, len(w.procs))
	for _, p := range w.procs {
		go func() {
			select {
			case <-p.done:
				done <- p
			case <-ctx.Done():
			}
		}()
	}
	select {
	case p := <-done:
		return fmt.Errorf("the %s ended: %w\n%s", p.name, p.err, p.log)
	case <-ctx.Done():
		return nil
	}
}

// stop ends both, the server first, and removes a fresh folder.
func (w *world) stop() {
	for i := len(w.procs) - 1; i >= 0; i-- {
		p := w.procs[i]
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	}
	w.procs = nil
	if w.fresh {
		_ = os.RemoveAll(w.dir)
	}
}

// logs are what both said, for an error.
func (w *world) logs() string {
	var b strings.Builder
	for _, p := range w.procs {
		fmt.Fprintf(&b, "--- %s\n%s", p.name, p.log)
	}
	return b.String()
}

// control plays people and reads the simulator's own record.
func (w *world) control(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.sim.URL+path, body)
	if err != nil {
		return err
	}
	res, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("simulator: %s %s: %s %s", method, path, res.Status, bytes.TrimSpace(b))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// login gives a client for one of the demo's people.
func (w *world) login(ctx context.Context, email string) (*client, error) {
	c := &client{server: w.server, http: &http.Client{Timeout: 90 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	var t api.NewToken
	err := c.post(ctx, "/tokens/login", map[string]any{"email": email, "password": demo.Password, "name": "causeway demo", "days": 30}, &t)
	c.token = t.Secret
	return c, err
}

// connectPartner does what causeway partner connect does; the person who signs in
// with MFA is played by the simulator's control. A partner that is connected
// stays so.
func (w *world) connectPartner(ctx context.Context, owner *client) error {
	var p api.PartnerView
	if err := owner.get(ctx, "/partner", &p); err == nil && p.Consented && p.Alarm == nil {
		return nil
	}
	err := owner.call(ctx, http.MethodPut, "/partner/application", map[string]string{
		"tenant": sim.DefaultPartnerTenant, "app_id": sim.DefaultAppID, "app_secret": sim.DefaultAppSecret,
		"gdap_group": sim.DefaultGDAPGroup, "mpn_id": "4847383", "country": "US",
	}, nil)
	if err != nil {
		return err
	}
	redirect := w.server + "/staff/microsoft/callback"
	var a api.Authorize
	if err := owner.get(ctx, "/partner/authorize?redirect="+url.QueryEscape(redirect)+"&state=demo", &a); err != nil {
		return err
	}
	var in struct{ Code string }
	if err := w.control(ctx, http.MethodPost, "/_sim/people/"+sim.DefaultUser+"/sign-in", map[string]any{"mfa": true, "redirectUri": redirect}, &in); err != nil {
		return err
	}
	if in.Code == "" {
		return errors.New("the simulator gave no code")
	}
	return owner.post(ctx, "/partner/consent", map[string]string{"redirect": redirect, "code": in.Code}, nil)
}
