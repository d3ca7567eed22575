package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/api"
	"causeway/internal/demo"
	"causeway/internal/fault"
	"causeway/internal/seal"
	"causeway/internal/store/pgserver"
	"causeway/internal/store/storetest"
)

// asProgram makes the test's own binary the program: replicas are real processes
// that are stopped and killed, and nothing has to be built twice.
const asProgram = "CAUSEWAY_CLI_PROGRAM"

func init() {
	if os.Getenv(asProgram) == "1" {
		os.Exit(Run(os.Args[1:], Process()))
	}
}

// drain is longer than the proxy below takes to see that a replica stops.
const drain, look = "700ms", 100 * time.Millisecond

// proxy is what docs/operations.md puts in front of replicas: it sends requests to
// those that say that they are ready, in turn, and repeats none.
type proxy struct {
	url  string
	all  []*backend
	next atomic.Int64
}

type backend struct {
	ready atomic.Bool
	to    *httputil.ReverseProxy
	r     *replica
}

func newProxy(t *testing.T, replicas ...*replica) *proxy {
	t.Helper()
	p := &proxy{}
	ctx, stop := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	for _, r := range replicas {
		u, err := url.Parse(r.url)
		if err != nil {
			t.Fatal(err)
		}
		b := &backend{r: r, to: &httputil.ReverseProxy{
			Transport: transport, ErrorLog: log.New(io.Discard, "", 0), FlushInterval: -1,
			Rewrite: func(in *httputil.ProxyRequest) { in.SetURL(u); in.Out.Host = in.In.Host; in.SetXForwarded() },
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				http.Error(w, "proxy: "+err.Error(), http.StatusBadGateway)
			},
		}}
		b.look(ctx)
		p.all = append(p.all, b)
		asking.Go(func() {
			tick := time.NewTicker(look)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					b.look(ctx)
				}
			}
		})
	}
	s := httptest.NewServer(p)
	p.url = s.URL
	t.Cleanup(func() { stop(); asking.Wait(); s.CloseClientConnections(); s.Close(); transport.CloseIdleConnections() })
	return p
}

func (b *backend) look(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.r.url+"/readyz", nil)
	if err != nil {
		return
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		err = res.Body.Close()
	}
	b.ready.Store(err == nil && res.StatusCode == http.StatusOK)
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first := int(p.next.Add(1)) // one turn a request: others move on meanwhile, and must not let this one meet the same replica twice
	for i := range p.all {
		if b := p.all[(first+i)%len(p.all)]; b.ready.Load() {
			b.to.ServeHTTP(w, r)
			return
		}
	}
	http.Error(w, "proxy: nobody is ready", http.StatusServiceUnavailable)
}

// until waits for a replica to be ready again; a deadline only ends a test that
// would hang.
func (p *proxy) until(t *testing.T, r *replica) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		for _, b := range p.all {
			if b.r == r && b.ready.Load() {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready again\n%s", r.name, r.p.log)
		}
		<-time.After(look)
	}
}

// traffic is what people and programs do all the while.
type traffic struct {
	mu      sync.Mutex
	failed  []string
	pages   int
	reads   int
	written map[string]bool
	streams int
	events  int
	done    bool // the stream told that the provider's state changed

	stop    context.CancelFunc
	running sync.WaitGroup
}

func (x *traffic) fail(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failed = append(x.failed, fmt.Sprintf(format, args...))
}

// begin starts it: pages of a signed-in person, reads and writes of a program,
// and the progress stream of a provider.
func begin(t *testing.T, at string, owner, admin *client, provider string) *traffic {
	t.Helper()
	x := &traffic{written: map[string]bool{}}
	var ctx context.Context
	ctx, x.stop = context.WithCancel(context.Background())
	t.Cleanup(func() { x.stop(); x.running.Wait() })
	person := signedInAt(t, at)
	loop := func(do func(i int)) {
		x.running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				do(i)
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Millisecond): // a load for two cores
				}
			}
		})
	}
	loop(func(int) {
		res, err := person.Do(request(ctx, http.MethodGet, at+"/providers/"+provider, ""))
		if x.bad(ctx, "a page", res, err, http.StatusOK) {
			return
		}
		x.mu.Lock()
		x.pages++
		x.mu.Unlock()
	})
	program := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	t.Cleanup(program.CloseIdleConnections)
	loop(func(int) {
		req := request(ctx, http.MethodGet, at+"/api/v1/providers/"+provider, "")
		req.Header.Set("Authorization", "Bearer "+admin.token)
		res, err := program.Do(req)
		if !x.bad(ctx, "a read", res, err, http.StatusOK) {
			x.mu.Lock()
			x.reads++
			x.mu.Unlock()
		}
	})
	loop(func(i int) {
		name := fmt.Sprintf("Written %06d", i)
		req := request(context.WithoutCancel(ctx), http.MethodPost, at+"/api/v1/organizations", `{"name":"`+name+`"}`) // what was begun is known
		req.Header.Set("Authorization", "Bearer "+owner.token)
		req.Header.Set("Content-Type", "application/json")
		res, err := program.Do(req)
		if !x.bad(ctx, "a write", res, err, http.StatusCreated) {
			x.mu.Lock()
			x.written[name] = true
			x.mu.Unlock()
		}
	})
	x.running.Go(func() { x.watch(ctx, person, at, provider) })
	return x
}

// stream reads the progress until it ends, which must be in order; it tells
// whether the page is another one now.
func (x *traffic) stream(ctx context.Context, person *http.Client, at string) (told bool) {
	res, err := person.Do(request(ctx, http.MethodGet, at, ""))
	if ctx.Err() != nil {
		return true
	}
	if err != nil || res.StatusCode != http.StatusOK {
		x.bad(ctx, "a stream", res, err, http.StatusOK)
		return true
	}
	defer func() { _ = res.Body.Close() }()
	x.mu.Lock()
	x.streams++
	x.mu.Unlock()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		x.mu.Lock()
		if strings.HasPrefix(lines.Text(), "id: ") {
			x.events++
		}
		told = told || lines.Text() == "event: done"
		x.mu.Unlock()
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		x.fail("a stream broke off: %v", err)
	}
	return told
}

// watch does what a browser does: it reads the page, then its stream, and the page
// again when the stream tells that it is another one; until there is none to read.
func (x *traffic) watch(ctx context.Context, person *http.Client, at, provider string) {
	events := regexp.MustCompile(`/providers/[^/"]+/events\?state=[\w-]+`)
	for ctx.Err() == nil {
		res, err := person.Do(request(ctx, http.MethodGet, at+"/providers/"+provider, ""))
		if err != nil {
			x.bad(ctx, "a watched page", res, err, http.StatusOK)
			return
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			x.fail("a watched page: %s", res.Status)
			return
		}
		path := events.FindString(html.UnescapeString(string(body)))
		if path == "" {
			x.mu.Lock()
			x.done = true
			x.mu.Unlock()
			return
		}
		for told := false; !told && ctx.Err() == nil; {
			told = x.stream(ctx, person, at+path)
		}
	}
}

func (x *traffic) seen() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.events
}

func (x *traffic) over() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.done
}

func (x *traffic) bad(ctx context.Context, what string, res *http.Response, err error, want int) bool {
	if err != nil {
		if ctx.Err() == nil {
			x.fail("%s: %v", what, err)
		}
		return true
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if ctx.Err() != nil && what != "a write" {
		return true
	}
	if err != nil || res.StatusCode != want {
		x.fail("%s: %s %v %.300s", what, res.Status, err, body)
		return true
	}
	return false
}

// end stops it and judges: nothing failed, and every write that was answered is
// there, once.
func (x *traffic) end(t *testing.T, owner *client) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !x.over() && time.Now().Before(deadline); {
		<-time.After(look) // the page follows the API within a moment
	}
	x.stop()
	x.running.Wait()
	for i, f := range x.failed {
		if i == 5 {
			t.Errorf("and %d more", len(x.failed)-i)
			break
		}
		t.Error(f)
	}
	orgs, err := all[api.Organization](t.Context(), owner, "/organizations")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]int{}
	for _, o := range orgs {
		kept[o.Name]++
	}
	for name := range x.written {
		if kept[name] != 1 {
			t.Errorf("“%s” was answered once and is there %d times", name, kept[name])
		}
	}
	if x.pages < 20 || x.reads < 20 || len(x.written) < 20 || x.events < 5 {
		t.Errorf("hardly any traffic: %d pages, %d reads, %d writes, %d events", x.pages, x.reads, len(x.written), x.events)
	}
	if !x.done {
		t.Error("the page that is watched did not come to its end")
	}
	t.Logf("%d pages, %d reads, %d writes, %d streams with %d events", x.pages, x.reads, len(x.written), x.streams, x.events)
}

func request(ctx context.Context, method, at, body string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return req
}

// signedInAt is a browser's session of Contoso's administrator.
func signedInAt(t *testing.T, at string) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 8}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(c.CloseIdleConnections)
	req := request(t.Context(), http.MethodPost, at+"/signin", url.Values{"email": {demo.Administrator}, "password": {demo.Password}}.Encode())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign in: %s", res.Status)
	}
	return c
}

// fleet is a simulator, replicas on one PostgreSQL and a proxy before them.
type fleet struct {
	w            *world
	c            worldConfig
	db           string
	owner, admin *client // by the proxy
	proxy        *proxy
	all          []*replica
}

func newFleet(t *testing.T, db string, start func(*fleet)) *fleet {
	t.Helper()
	t.Setenv(asProgram, "1")
	f := &fleet{db: db, c: worldConfig{profile: "recorded", factor: 120, database: db}}
	var err error
	if f.w, err = startSim(t.Context(), f.c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(tail(without(without(f.w.logs(), "msg=request"), "msg=refused"), 6000))
		}
		f.w.stop()
	})
	start(f)
	f.proxy = newProxy(t, f.all...)
	f.w.server = f.proxy.url
	if f.owner, err = f.w.login(t.Context(), demo.Owner); err != nil {
		t.Fatal(err)
	}
	if f.admin, err = f.w.login(t.Context(), demo.Administrator); err != nil {
		t.Fatal(err)
	}
	return f
}

// without leaves out the lines that hold a text.
func without(s, text string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.Contains(line, text) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// add starts a replica.
func (f *fleet) add(t *testing.T, name string, extra ...string) *replica {
	t.Helper()
	r, err := f.w.replica(t.Context(), f.c, name, append([]string{"--drain", drain}, extra...)...)
	if err != nil {
		t.Fatal(err)
	}
	f.all = append(f.all, r)
	return r
}

// onboard submits a provider of Contoso's.
func (f *fleet) onboard(t *testing.T) *journey {
	t.Helper()
	j := &journey{w: f.w, c: f.admin, name: "Contoso production", account: "CTSO", login: demo.AccountAdministrator, prefix: "contosorolling"}
	if err := j.submit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return j
}

// restart stops a replica in order and starts it again, as what the world's
// program is now.
func (f *fleet) restart(t *testing.T, r *replica) {
	t.Helper()
	if err := r.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.proxy.until(t, r)
}

func (f *fleet) ready(t *testing.T, j *journey) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	p, err := await(ctx, f.admin, j.id, nil)
	if err != nil || p.Provider.State != "ready" {
		t.Fatalf("the onboarding in flight is %q: %v", p.Provider.State, err)
	}
	var both api.Comparison
	if err := f.owner.get(t.Context(), "/comparison", &both); err != nil || len(both.Differences) > 0 {
		t.Errorf("both sides differ: %v %v", both.Differences, err)
	}
}

func TestARollingRestartFailsNoRequest(t *testing.T) {
	f := newFleet(t, storetest.Postgres(t), func(f *fleet) { f.add(t, "one"); f.add(t, "two") })
	if err := f.w.connectPartner(t.Context(), f.owner); err != nil {
		t.Fatal(err)
	}
	j := f.onboard(t)
	x := begin(t, f.proxy.url, f.owner, f.admin, j.id)
	for range 2 {
		for _, r := range f.all {
			f.restart(t, r)
		}
	}
	f.ready(t, j)
	x.end(t, f.owner)
}

// The step runs in one process, the browser is at another one, which has not got
// the partner's key; and the database is restarted in the middle.
func TestProgressReachesABrowserAtAnotherReplicaThroughARestartOfTheDatabase(t *testing.T) {
	pg := startedPostgres(t)
	f := newFleet(t, pg.DSN("postgres"), func(f *fleet) {
		f.add(t, "worker", "--role", "worker")
		keys := filepath.Join(f.w.dir, "keys-of-web")
		if err := os.Mkdir(keys, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"customer.key", "receipt.key"} {
			b, err := os.ReadFile(filepath.Join(f.w.dir, "keys", name))
			if err == nil {
				err = os.WriteFile(filepath.Join(keys, name), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		web := f.add(t, "web", "--role", "web", "--keys", keys)
		f.all = []*replica{web} // a worker serves no pages
	})
	if _, err := os.Stat(filepath.Join(f.w.dir, "keys-of-web", "partner.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the process with pages has the partner's key: %v", err)
	}
	worker := &client{server: f.w.procs[1].address(t, f.w.dir), token: f.owner.token, http: f.owner.http}
	if err := f.w.connectPartner(t.Context(), worker); err != nil {
		t.Fatal(err)
	}
	j := f.onboard(t)
	x := &traffic{}
	person := signedInAt(t, f.proxy.url)
	seen := make(chan struct{})
	x.running.Go(func() {
		x.watch(t.Context(), person, f.proxy.url, j.id)
		close(seen)
	})
	for deadline := time.Now().Add(20 * time.Second); x.seen() == 0 && time.Now().Before(deadline); {
		<-time.After(look)
	}
	pg.Kill()
	at := f.all[0].url + "/api/v1/providers/" + j.id
	away := 0
	for range 20 {
		req := request(t.Context(), http.MethodGet, at, "")
		req.Header.Set("Authorization", "Bearer "+f.admin.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("a process died with its database: %v", err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(body), "Try again") && res.Header.Get("Retry-After") != "" {
			away++
		} else {
			t.Errorf("while the database is away: %s %s", res.Status, body)
		}
	}
	page, err := person.Do(request(t.Context(), http.MethodGet, f.all[0].url+"/signin", ""))
	if err != nil || page.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a page while the database is away: %v %v", page, err)
	}
	if err := pg.Restart(); err != nil {
		t.Fatal(err)
	}
	f.proxy.until(t, f.all[0])
	p, err := await(t.Context(), f.admin, j.id, nil)
	if err != nil || p.Provider.State != "ready" {
		t.Fatalf("after the restart of the database the provider is %q: %v", p.Provider.State, err)
	}
	<-seen
	x.running.Wait()
	if !x.done || len(x.failed) > 0 || x.events < 5 {
		t.Errorf("the streams: done %v after %d events, %d streams, failed: %v", x.done, x.events, x.streams, x.failed)
	}
}

// startedPostgres is a server of its own, to be killed.
func startedPostgres(t *testing.T) *pgserver.Server {
	t.Helper()
	pg, err := pgserver.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	return pg
}

// address is where a process that was started as a replica listens.
func (p *process) address(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, p.name+"-ready"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// Tomorrow's program adds a column and a table. Each replica in turn becomes it,
// and then today's again, with traffic on and an onboarding in flight.
func TestAnUpgradeAndADowngradeByOneVersionFailNoRequest(t *testing.T) {
	today, tomorrow := built(t, "today", ""), built(t, "tomorrow", `-- +goose Up
ALTER TABLE provider ADD COLUMN tomorrow TEXT NOT NULL DEFAULT 'as today';
ALTER TABLE job ADD COLUMN tomorrow BIGINT NOT NULL DEFAULT 0;
CREATE TABLE tomorrow (id TEXT PRIMARY KEY);
`)
	f := newFleet(t, storetest.Postgres(t), func(f *fleet) { f.w.program = today; f.add(t, "one"); f.add(t, "two") })
	if err := f.w.connectPartner(t.Context(), f.owner); err != nil {
		t.Fatal(err)
	}
	j := f.onboard(t)
	x := begin(t, f.proxy.url, f.owner, f.admin, j.id)
	for _, program := range []string{tomorrow, today} {
		f.w.program = program
		for _, r := range f.all {
			f.restart(t, r)
		}
		db := storetest.Open(t, f.db) // as today's program: it takes the newer tables
		if v, err := db.Schema(t.Context()); err != nil || v != 9000 {
			t.Errorf("the tables have version %d: %v; tomorrow's program did not migrate", v, err)
		}
	}
	f.ready(t, j)
	x.end(t, f.owner)
}

// built makes a real binary; further is one more migration, laid over the source.
func built(t *testing.T, name, further string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	args := []string{"build", "-o", out, "-ldflags", "-X causeway/internal/cli.release=" + name}
	if further != "" {
		file, overlay := filepath.Join(t.TempDir(), "9000.sql"), filepath.Join(t.TempDir(), "overlay.json")
		at, err := filepath.Abs("../store/migrations/9000_tomorrow.sql")
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"Replace":{%q:%q}}`, at, file)
		if err := errors.Join(os.WriteFile(file, []byte(further), 0o600), os.WriteFile(overlay, []byte(body), 0o600)); err != nil {
			t.Fatal(err)
		}
		args = append(args, "-overlay", overlay)
	}
	c := exec.CommandContext(t.Context(), "go", append(args, "causeway/cmd/causeway")...)
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, text)
	}
	said, err := exec.CommandContext(t.Context(), out, "--version").Output()
	if err != nil || strings.TrimSpace(string(said)) != name {
		t.Fatalf("the program says it is version %q, want %q (%v)", said, name, err)
	}
	return out
}

// A second host whose key files were forgotten would seal what nobody can open.
func TestAReplicaWithoutTheKeysOfItsDatabaseDoesNotStart(t *testing.T) {
	db := storetest.Postgres(t)
	keys := t.TempDir()
	_, _ = started(t, Config{Database: db, Keys: keys, WorkerName: "one"})
	for name, dir := range map[string]string{"none": t.TempDir(), "others": t.TempDir()} {
		if name == "others" {
			if err := errors.Join(ownKey(filepath.Join(dir, "customer.key")), ownKey(filepath.Join(dir, "partner.key"))); err != nil {
				t.Fatal(err)
			}
		}
		app, err := New(t.Context(), Config{Database: db, Keys: dir, WorkerName: "two"})
		if !errors.Is(err, fault.Conflict) {
			t.Errorf("with %s: %v, want a refusal", name, err)
			if err == nil {
				_ = app.Close()
			}
		}
		if left, err := os.ReadDir(dir); name == "none" && (err != nil || len(left) > 0) {
			t.Errorf("a key was made although it is another one's: %v %v", left, err)
		}
	}
	_, _ = started(t, Config{Database: db, Keys: keys, WorkerName: "three"})
}

func ownKey(file string) error {
	_, err := seal.Load(file)
	return err
}
