package provision_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/seal"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// victim is what a process that will be killed has to know.
type victim struct {
	Database, Key, URL, PlainURL, CAFile string
	Provider                             provider.ID
}

// TestMain runs either the tests, or one worker that works on one onboarding
// until it is over or the process is killed.
func TestMain(m *testing.M) {
	if conf := os.Getenv("CAUSEWAY_TEST_VICTIM"); conf != "" {
		os.Args = []string{os.Args[0], "-test.run=^TestVictim$"}
	}
	os.Exit(m.Run())
}

// TestVictim is the body of that process; without its settings there is nothing
// to do.
func TestVictim(t *testing.T) {
	conf := os.Getenv("CAUSEWAY_TEST_VICTIM")
	if conf == "" {
		return
	}
	var v victim
	if err := json.Unmarshal([]byte(conf), &v); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.Load(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: storetest.Open(t, v.Database), sim: &sim.Server{URL: v.URL, PlainURL: v.PlainURL, CAFile: v.CAFile}, ring: ring}
	w.build(ring)
	w.working()
	w.until(v.Provider, provider.Ready)
}

// run starts a victim; it tells the points that were reached, and whether the
// process was killed.
func (v victim) run(t *testing.T, kill string) (points []string, killed bool) {
	t.Helper()
	conf, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), os.Args[0]) // #nosec G204 -- this test program itself
	c.Env = append(os.Environ(), "CAUSEWAY_TEST_VICTIM="+string(conf), "CAUSEWAY_KILL="+kill)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err = c.Run()
	for s := bufio.NewScanner(&out); s.Scan(); {
		if name, ok := strings.CutPrefix(s.Text(), "point "); ok && !slices.Contains(points, name) {
			points = append(points, name)
		}
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
			return points, true
		}
	}
	if err != nil {
		t.Fatalf("the process at %q: %v\n%s", kill, err, out.String())
	}
	return points, false
}

// prepare submits an onboarding that nobody works on yet.
func prepare(t *testing.T) (victim, *sim.Server) {
	t.Helper()
	ms := sim.Start(t)
	dir := t.TempDir()
	v := victim{Database: filepath.Join(dir, "state.db"), Key: filepath.Join(dir, "key"), URL: ms.URL, PlainURL: ms.PlainURL, CAFile: ms.CAFile}
	ring, err := seal.Load(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), v.Database)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, sim: ms, ring: ring}
	w.build(ring)
	w.owner = account.Actor{User: "owner", Role: account.RoleOwner, Name: "Owner", Email: "owner@partner.example"}
	w.people0()
	w.connectPartner()
	ms.Fail("HEAD /v1/domains/{}", sim.Fault{Kind: sim.FailBefore, Status: 503, Count: -1, After: 2}) // the wizard's questions, then nothing
	stop := w.working()
	v.Provider = w.wizard(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	_, err = w.run.Submit(w.ctx(), w.contoso, v.Provider)
	w.must(err)
	stop()
	ms.ClearFaults()
	w.must(db.Close())
	return v, ms
}

// A process that is killed at any of its points, and started again, ends with
// everything once. The points are those that a whole run reaches.
func TestKilledAnywhereAndStartedAgain(t *testing.T) {
	v, _ := prepare(t)
	points, _ := v.run(t, "?")
	for _, p := range provision.Points() {
		if !slices.Contains(points, p) {
			t.Errorf("the point %s is not reached", p)
		}
	}
	for _, p := range points {
		if !slices.Contains(provision.Points(), p) {
			t.Errorf("the point %s is not listed", p)
		}
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			v, ms := prepare(t)
			if _, killed := v.run(t, point); !killed {
				t.Fatal("the process was not killed: the point was not reached")
			}
			before := time.Now()
			v.run(t, "")
			if took := time.Since(before); took > 60*time.Second {
				t.Errorf("the restarted process took %s", took)
			}
			if n := len(ms.Customers()); n != 1 {
				t.Errorf("customers = %d, want 1", n)
			}
			ring, err := seal.Load(v.Key)
			if err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, db: storetest.Open(t, v.Database), sim: ms, ring: ring}
			w.build(ring)
			w.same()
			u, err := w.people.UserByEmail(w.ctx(), "ctso-admin@customer.example")
			w.must(err)
			c, err := w.run.ShowCredentials(w.ctx(), u.Actor("127.0.0.1"), v.Provider, adminPassword)
			if err != nil || c.Password == "" {
				t.Errorf("the credentials are lost: %v", err)
			}
		})
	}
}
