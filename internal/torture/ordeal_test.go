package torture_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"causeway/internal/torture"
)

// result is what the tests read of a run.
type result struct {
	Onboardings  int   `json:"onboardings"`
	Ready        int   `json:"ready"`
	Cancelled    int   `json:"cancelled"`
	StuckPlanted int   `json:"stuck_planted"`
	StuckAlarmed int   `json:"stuck_alarmed"`
	StuckSilent  int   `json:"stuck_silent"`
	ByHand       int   `json:"retried_by_hand"`
	Kills        int   `json:"kills"`
	Pauses       int   `json:"pauses"`
	Faults       int   `json:"faults"`
	Restarts     int   `json:"database_restarts"`
	Duplicates   int   `json:"duplicates"`
	Orphans      int   `json:"orphans_after_sweep"`
	Lost         int   `json:"lost"`
	Foreign      int   `json:"foreign_touched"`
	Leaked       int   `json:"leaked_secrets"`
	Failed       []int `json:"failed_seeds"`

	Partners  int `json:"partners"`
	Documents int `json:"documents"`
	Classes   int `json:"classes_compared"`

	Broken map[torture.Property]int `json:"broken"`
}

// held fails the test unless every promise held, and the run was an ordeal.
func (r result) held(t *testing.T, onboardings int) {
	t.Helper()
	if r.Onboardings != onboardings || r.Ready+r.Cancelled+r.StuckPlanted != onboardings {
		t.Errorf("%d ready + %d cancelled + %d stuck as planted, want %d", r.Ready, r.Cancelled, r.StuckPlanted, onboardings)
	}
	if r.StuckAlarmed != r.StuckPlanted || r.StuckPlanted == 0 {
		t.Errorf("%d stuck as planted, %d alarmed", r.StuckPlanted, r.StuckAlarmed)
	}
	if r.ByHand > onboardings/50 { // ready after staff pressed Try again; the proof wants none at all
		t.Errorf("%d were stuck though nobody planted it", r.ByHand)
	}
	if n := r.StuckSilent + r.Duplicates + r.Orphans + r.Lost + r.Foreign + r.Leaked + len(r.Failed); n != 0 || len(r.Broken) != 0 {
		t.Errorf("promises were broken: %+v", r)
	}
	if r.Kills < onboardings/4 || r.Pauses == 0 || r.Faults < onboardings {
		t.Errorf("that was no ordeal: %d kills, %d pauses, %d faults", r.Kills, r.Pauses, r.Faults)
	}
}

// Ten seeds of a hundred onboardings, four runs at a time: each waits for slow answers
// now and then. A seed that fails prints the command that repeats it.
func TestTenSeedsOfAHundredKeepEveryPromise(t *testing.T) {
	r := run(t, sound(t), "--fast --onboardings 100 --seeds 10 --at-once 4 --seed 1")
	r.held(t, 1000)
}

// Twenty partners are billed for a year each, by workers that die at every point, from
// exports that fail in every way.
func TestTwentyPartnersKeepEveryPromise(t *testing.T) {
	r := run(t, sound(t), "--billing --months 12 --seeds 20 --at-once 4 --seed 1")
	if r.Partners != 20 || r.Documents < 600 || r.Classes < 20*12*15 {
		t.Errorf("%d partners, %d documents, %d classes of causes: too few to show anything", r.Partners, r.Documents, r.Classes)
	}
	if len(r.Broken)+len(r.Failed) != 0 {
		t.Errorf("promises were broken: %+v", r)
	}
	if r.Kills < 2400 || r.Faults < 2400 {
		t.Errorf("that was no ordeal: %d kills, %d faults", r.Kills, r.Faults)
	}
}

// Three servers on one PostgreSQL: killed at the points, stopped for twice their
// lease, and their database killed as well.
func TestRealProcessesKeepEveryPromise(t *testing.T) {
	r := run(t, sound(t), "--onboardings 40 --seed 1 --database postgres --replicas 3")
	r.held(t, 40)
	if r.Restarts == 0 {
		t.Error("the database was never killed")
	}
}

// sound builds the program as it is.
func sound(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "causeway")
	built.Do(func() { build(t, root, program, "") })
	return program
}

// folder is where the program is built, once for all tests.
var (
	folder string
	built  sync.Once
)

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "causeway-torture-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// run runs the program's torture and reads what it prints.
func run(t *testing.T, program, args string) (r result) {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, append([]string{"torture", "--json"}, strings.Fields(args)...)...) // #nosec G204 -- our own program
	var out, say bytes.Buffer
	c.Stdout, c.Stderr = &out, &say
	err := c.Run()
	if jerr := json.Unmarshal(out.Bytes(), &r); jerr != nil {
		t.Errorf("torture %s: %v, %v\n%s", args, err, jerr, say.String())
	}
	if err != nil {
		t.Logf("torture %s: %v\n%s", args, err, say.String())
	}
	return r
}
