package cli

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/api"
	"causeway/internal/demo"
	"causeway/internal/store/storetest"
)

// said runs a command in this process and gives what it printed.
func said(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	return run(t.Context(), args, Std{In: strings.NewReader(""), Out: &out, Err: &out}), out.String()
}

// A backup is taken in the middle of onboardings, while the server works. Microsoft
// goes on, the server is killed, and the state goes back to the backup.
func TestARestoredStateGoesOnWithoutMakingAnythingTwice(t *testing.T) {
	for _, c := range []struct{ name, from, to string }{
		{name: "SQLite"},
		{name: "PostgreSQL", from: "postgres", to: "postgres"},
		{name: "from SQLite to PostgreSQL", to: "postgres"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(asProgram, "1")
			database := func(kind string) string {
				if kind == "" {
					return filepath.Join(t.TempDir(), "state.db")
				}
				return storetest.Postgres(t)
			}
			back(t, database(c.from), database(c.to))
		})
	}
}

func back(t *testing.T, from, to string) {
	conf := worldConfig{profile: "instant", factor: 1, database: from}
	w, err := startSim(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(tail(without(w.logs(), "msg=request"), 6000))
		}
		w.stop()
	})
	r, err := w.replica(t.Context(), conf, "first")
	if err != nil {
		t.Fatal(err)
	}
	owner, err := w.login(t.Context(), demo.Owner)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.connectPartner(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	var js [4]*journey
	for i := range js {
		if js[i], err = w.customer(t.Context(), owner, i); err == nil {
			err = js[i].fill(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// In the backup: one that had not yet meant to make its tenant, two whose creation
	// had no answer, and one that was still a draft.
	early, doubtful, cancelled, unknown := js[0], js[1], js[2], js[3]
	misbehave(t, w, "POST /v1/customers", 0)
	w.submit(t, "customer", doubtful, cancelled)
	misbehave(t, w, "HEAD /v1/domains/{}", 1) // the questions before the beginning, and then nothing
	w.submit(t, "details", early)

	file := filepath.Join(t.TempDir(), "state.backup")
	keys := filepath.Join(w.dir, "keys")
	if code, out := said(t, "backup", file, "--database", from, "--keys", keys); code != 0 || !strings.Contains(out, "not in it") {
		t.Fatalf("backup: %d %s", code, out)
	}
	if code, out := said(t, "backup", file, "--database", from, "--keys", keys); code != 1 || !strings.Contains(out, "exists already") {
		t.Errorf("over an older backup: %d %s", code, out)
	}

	behave(t, w)
	w.submit(t, "", unknown)
	for _, j := range js {
		w.ends(t, j, "ready")
	}
	r.kill()

	for args, want := range map[string]string{
		"restore " + file + " --database " + to + " --keys " + t.TempDir():     "is missing",
		"restore " + file + " --database " + from + " --keys " + keys:          "not empty",
		"restore " + file + " --check":                                         "is whole",
		"restore " + cutOff(t, file) + " --database " + to + " --keys " + keys: "damaged at byte",
	} {
		if _, out := said(t, splitArgs(args)...); !strings.Contains(out, want) {
			t.Errorf("%s: %s, want “%s”", args, out, want)
		}
	}
	if code, out := said(t, "restore", file, "--database", to, "--keys", keys); code != 0 || !strings.Contains(out, "3 onboardings go on") {
		t.Fatalf("restore: %d %s", code, out)
	}

	misbehave(t, w, "*", 0) // so that the cancellation comes first
	w.db = to
	r, err = w.replica(t.Context(), conf, "second")
	if err != nil {
		t.Fatal(err)
	}
	w.server, owner.server = r.url, r.url
	for _, j := range js {
		j.c.server = r.url
	}
	if err := cancelled.c.post(t.Context(), "/providers/"+url.PathEscape(cancelled.id)+"/cancel", map[string]string{}, nil); err != nil {
		t.Fatal(err)
	}
	behave(t, w)
	w.ends(t, early, "ready")
	w.ends(t, doubtful, "ready")
	w.ends(t, cancelled, "cancelled")

	calls, err := w.calls(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]int{}
	for _, call := range calls {
		if call.Method == http.MethodPost && call.Status == http.StatusCreated && !call.Replayed {
			switch {
			case call.Path == "/v1/customers":
				made["customers"]++
			case strings.HasSuffix(call.Path, "/checkout"):
				made["orders"]++
			}
		}
	}
	gone := w.until(t, cancelled, func(api.Progress) bool { return true }).Provider.TenantID
	suspended := false
	for _, call := range calls {
		suspended = suspended || call.Method == http.MethodPatch && call.Status == http.StatusOK && strings.HasPrefix(call.Path, "/v1/customers/"+gone+"/subscriptions/")
	}
	if !suspended {
		t.Error("what was bought after the backup for the one that is cancelled costs on: its plan was not found")
	}
	if made["customers"] != 4 || made["orders"] != 4 {
		t.Errorf("Microsoft made %v, want 4 of each: one for each provider", made)
	}
	var both api.Comparison
	if err := owner.get(t.Context(), "/comparison", &both); err != nil {
		t.Fatal(err)
	}
	if len(both.Differences) != 1 || !strings.Contains(both.Differences[0].Text, unknown.prefix) {
		t.Errorf("both sides differ in %v, want only the customer of %s, of which the backup knows nothing", both.Differences, unknown.prefix)
	}
	if err := unknown.begin(t.Context()); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Errorf("its draft, submitted again: %v, want that the domain is taken", err)
	}
}

func cutOff(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		file += ".half"
		err = os.WriteFile(file, b[:len(b)/2], 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// splitArgs keeps a connection string, which has blanks, together.
func splitArgs(s string) (args []string) {
	for _, part := range strings.Split(s, " --") {
		first, rest, more := strings.Cut(part, " ")
		if len(args) > 0 {
			first = "--" + first
		}
		args = append(args, first)
		if more {
			args = append(args, rest)
		}
	}
	return args
}

func misbehave(t *testing.T, w *world, on string, after int) {
	t.Helper()
	err := w.control(t.Context(), http.MethodPost, "/_sim/faults", map[string]any{"on": on, "kind": "status", "status": 503, "count": -1, "after": after}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func behave(t *testing.T, w *world) {
	t.Helper()
	if err := w.control(t.Context(), http.MethodDelete, "/_sim/faults", nil, nil); err != nil {
		t.Fatal(err)
	}
}

// submit begins them, and waits until each has been refused at a step.
func (w *world) submit(t *testing.T, step string, all ...*journey) {
	t.Helper()
	for _, j := range all {
		if err := j.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, j := range all {
		w.until(t, j, func(p api.Progress) bool {
			for _, s := range p.Steps {
				if step == "" || s.Name == step && s.Asked > 0 {
					return true
				}
			}
			return false
		})
	}
}

func (w *world) ends(t *testing.T, j *journey, state string) {
	t.Helper()
	p := w.until(t, j, func(p api.Progress) bool {
		return p.Provider.State == "ready" || p.Provider.State == "cancelled" || p.Provider.State == "stuck"
	})
	if p.Provider.State != state {
		t.Fatalf("%s is %s (%s), want %s", j.name, p.Provider.State, p.Provider.Note, state)
	}
}

func (w *world) until(t *testing.T, j *journey, is func(api.Progress) bool) api.Progress {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		var p api.Progress
		if err := j.c.get(ctx, "/providers/"+url.PathEscape(j.id)+"/progress", &p); err != nil {
			t.Fatal(err)
		}
		if is(p) {
			return p
		}
		<-time.After(50 * time.Millisecond)
	}
}
