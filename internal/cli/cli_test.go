package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/support"
)

// started is a program in this process, and how to stop it.
func started(t *testing.T, cfg Config) (*App, string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen, cfg.PasswordMemory, cfg.PasswordPasses = l.Addr().String(), 64, 1
	if cfg.Keys == "" {
		cfg.Keys = t.TempDir()
	}
	if cfg.Database == "" {
		cfg.Database = filepath.Join(t.TempDir(), "state.db")
	}
	app, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the program ended with %v", err)
		}
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	})
	return app, "http://" + cfg.Listen
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// The key of the partner's tokens is not on a machine that only shows pages.
func TestRoleWebStartsWithoutThePartnersKey(t *testing.T) {
	keys := t.TempDir()
	app, url := started(t, Config{Keys: keys, Role: RoleWeb})
	if status, body := fetch(t, url+"/signin"); status != 200 || !strings.Contains(body, "<form") {
		t.Errorf("the sign-in page is %d", status)
	}
	if _, err := os.Stat(filepath.Join(keys, "partner.key")); !os.IsNotExist(err) {
		t.Error("the partner's key was made, or is there")
	}
	if app.Partner != nil || app.ARM != nil || app.Graph != nil || app.Pipe != nil {
		t.Error("role web can call Microsoft")
	}
	err := app.DB.Tx(t.Context(), func(tx *store.Tx) error {
		return app.Jobs.Add(t.Context(), tx, jobSweep, "", struct{}{}, time.Time{})
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := fetch(t, url+"/readyz"); status != 200 {
		t.Errorf("readyz is %d", status)
	}
	open, err := app.Jobs.Open(t.Context())
	if err != nil || len(open) != 1 || open[0].Attempt != 0 {
		t.Errorf("role web took a job: %+v, %v", open, err)
	}
}

func TestRoleWorkerShowsNoPortal(t *testing.T) {
	_, url := started(t, Config{Role: RoleWorker})
	if status, _ := fetch(t, url+"/signin"); status != 404 {
		t.Errorf("the sign-in page of a worker is %d, want 404", status)
	}
	if status, _ := fetch(t, url+"/api/v1/me"); status != 401 {
		t.Errorf("the API of a worker is %d, want 401: partner connect needs it", status)
	}
	if status, body := fetch(t, url+"/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("healthz is %d %q", status, body)
	}
}

// Web and worker are two processes on one PostgreSQL: what one asks for, the other
// does.
func TestWebAndWorkerOnOneDatabase(t *testing.T) {
	url, keys := storetest.Postgres(t), t.TempDir()
	web, _ := started(t, Config{Database: url, Keys: keys, Role: RoleWeb, WorkerName: "web"})
	started(t, Config{Database: url, Keys: keys, Role: RoleWorker, WorkerName: "worker"})
	err := web.DB.Tx(t.Context(), func(tx *store.Tx) error {
		return web.Jobs.Add(t.Context(), tx, jobSweep, "asked by web", struct{}{}, time.Time{})
	})
	if err != nil {
		t.Fatal(err)
	}
	swept := func() bool { // then it is due again in an hour
		open, err := web.Jobs.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range open {
			if j.Key == "asked by web" {
				return store.Time(j.DueAt).After(time.Now().Add(30 * time.Minute))
			}
		}
		return false
	}
	late, tick := time.After(20*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !swept() {
		select {
		case <-late:
			t.Fatal("the worker did not do what web asked for")
		case <-tick.C:
		}
	}
}

// A log line holds neither queries nor what opens a door by itself.
func TestLogLinesHoldNoSecret(t *testing.T) {
	var log bytes.Buffer
	_, url := started(t, Config{Log: slog.New(slog.NewJSONHandler(&syncWriter{w: &log}, nil))})
	fetch(t, url+"/sign/hunter2hunter2?code=hunter2")
	fetch(t, url+callbackPath+"?code=hunter2&state=x")
	if s := log.String(); strings.Contains(s, "hunter2") || !strings.Contains(s, `"path":"/sign/…"`) {
		t.Errorf("log = %s", s)
	}
}

func TestTheCallersAddress(t *testing.T) {
	for _, x := range []struct{ what, remote, header, want string }{
		{"a direct caller", "192.0.2.7:1234", "", "192.0.2.7"},
		{"a direct caller who writes the header", "192.0.2.7:1234", "198.51.100.1", "192.0.2.7"},
		{"behind a proxy on this machine", "127.0.0.1:1234", "198.51.100.1", "198.51.100.1"},
		{"behind it, having written the header too", "127.0.0.1:1234", "10.0.0.1, 198.51.100.1", "198.51.100.1"},
		{"a proxy that writes nonsense", "127.0.0.1:1234", "nonsense", "127.0.0.1"},
	} {
		r := &http.Request{RemoteAddr: x.remote, Header: http.Header{}}
		if x.header != "" {
			r.Header.Set("X-Forwarded-For", x.header)
		}
		if got := caller(r); got != x.want {
			t.Errorf("%s: %s, want %s", x.what, got, x.want)
		}
	}
}

func TestMailServersAddresses(t *testing.T) {
	for _, x := range []struct {
		url  string
		want support.Server
		bad  bool
	}{
		{"", support.Server{}, false},
		{"smtp://mail.example", support.Server{Address: "mail.example:587"}, false},
		{"smtp://user:pass@mail.example:25", support.Server{Address: "mail.example:25", User: "user", Password: "pass"}, false},
		{"smtp://mail.example?starttls=required", support.Server{Address: "mail.example:587", Security: support.StartTLS}, false},
		{"smtps://mail.example", support.Server{Address: "mail.example:465", Security: support.TLS}, false},
		{"http://mail.example", support.Server{}, true},
		{"mail.example:25", support.Server{}, true},
	} {
		got, err := ParseMail(x.url)
		if (err != nil) != x.bad || got != x.want {
			t.Errorf("%q = %#v, %v", x.url, got, err)
		}
	}
	if _, err := ParseMail("smpt://user:hunter2@mail.example"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the refusal holds the password: %v", err)
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	for _, x := range []struct {
		what  string
		cfg   Config
		field string
	}{
		{"no database", Config{Keys: "k"}, "database"},
		{"no keys", Config{Database: "d"}, "keys"},
		{"an unknown role", Config{Database: "d", Keys: "k", Role: "boss"}, "role"},
		{"a public address with a path", Config{Database: "d", Keys: "k", PublicURL: "https://x.example/portal"}, "public-url"},
		{"a public address without a scheme", Config{Database: "d", Keys: "k", PublicURL: "x.example"}, "public-url"},
		{"a sender that is none", Config{Database: "d", Keys: "k", MailFrom: "nobody"}, "mail-from"},
	} {
		_, err := x.cfg.whole()
		if err == nil || !strings.Contains(err.Error(), ".") {
			t.Errorf("%s is taken", x.what)
		}
	}
}

// Time that nobody waited for is not Microsoft's.
func TestCriticalPath(t *testing.T) {
	t0 := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	for _, x := range []struct {
		what    string
		effects []sim.Effect
		want    time.Duration
	}{
		{"nothing", nil, 0},
		{"two waits, one after the other", []sim.Effect{{Received: at(0), Visible: at(2)}, {Received: at(5), Visible: at(6)}}, 3 * time.Second},
		{"two waits at once count once", []sim.Effect{{Received: at(0), Visible: at(4)}, {Received: at(1), Visible: at(3)}}, 4 * time.Second},
		{"a wait that outlasts the onboarding held nobody up", []sim.Effect{{Received: at(0), Visible: at(2)}, {Received: at(1), Visible: at(60)}}, 2 * time.Second},
	} {
		if got := criticalPath(x.effects, at(10)); got != x.want {
			t.Errorf("%s: %s, want %s", x.what, got, x.want)
		}
	}
}

func TestWastedCalls(t *testing.T) {
	calls := []sim.Call{
		{Method: "POST", Path: "/a", Status: 201}, {Method: "POST", Path: "/a", Status: 201, Replayed: true}, {Method: "POST", Path: "/b", Status: 429},
		{Method: "GET", Path: "/c", Status: 200}, {Method: "GET", Path: "/c", Status: 200},
	}
	if waste, polls := wasted(calls); waste != 40 || polls != 20 {
		t.Errorf("wasted %v %%, polls %v %%, want 40 and 20", waste, polls)
	}
}
