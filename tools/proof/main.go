// Command proof runs the long proofs and writes docs/figures.md from what they
// print, with the commit and the machine. No figure in that file is typed by
// hand. It owns which commands are run and the limits; how a figure is measured
// belongs to the command.
//
// It ends with an error if a command is missing or fails, if a promised member
// is not printed, or if a limit is missed. A missed limit is still written down.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// proofs are the commands in the order in which they run, the short ones first.
// The limits are the figures that the design asks for.
var proofs = []proof{
	{
		title: "Start", args: []string{"bench", "start", "--json"},
		limits: []limit{{"first_page_seconds", atMost, 1}, {"first_start_seconds", atMost, 1}, {"idle_rss_bytes", atMost, 150e6}},
	},
	{
		title: "One journey, both sides compared", args: []string{"demo", "--headless", "--json"},
		limits: []limit{{"state", is, "ready"}},
	},
	{
		title: "Simulator", args: []string{"bench", "sim", "--json"},
		limits: []limit{{"requests_per_second", atLeast, 5000}, {"customers", atLeast, 100_000}, {"rss_bytes", atMost, 2 << 30}},
	},
	{
		title: "200 onboardings at once, Microsoft answers at once", args: []string{"bench", "onboarding", "-n", "200", "--profile", "instant", "--json"},
		limits: []limit{{"ready", atLeast, 200}, {"wasted_percent", atMost, 1}},
	},
	{
		title: "Onboardings with Microsoft's documented waits", args: []string{"bench", "onboarding", "-n", "5", "--profile", "recorded", "--json"},
		limits: []limit{{"ready", atLeast, 5}, {"overhead_percent", atMost, 5}, {"overhead_seconds_p50", atMost, 2}, {"wasted_percent", atMost, 1}},
	},
	{
		title: "1 000 onboardings at once under hard limits", args: []string{"bench", "onboarding", "-n", "1000", "--throttle", "hard", "--json"},
		limits: []limit{{"ready", atLeast, 1000}, {"wasted_percent", atMost, 1}},
	},
	{
		title: "Import of an existing book", args: []string{"bench", "import", "--customers", "10000", "--json"},
		limits: []limit{{"adopted", atLeast, 10_000}, {"differences_after", atMost, 0}},
	},
	{
		title: "Recovery", args: []string{"bench", "recovery", "--json"},
		limits: []limit{{"restart_resume_seconds", atMost, 1}, {"takeover_seconds", atMost, 15}},
	},
	{
		title: "Torture: 300 onboardings, one server on SQLite", args: []string{"torture", "--onboardings", "300", "--seed", "1", "--json"}, limits: promises,
	},
	{
		title: "Torture: 300 onboardings, three servers on PostgreSQL", args: []string{"torture", "--onboardings", "300", "--seed", "1", "--database", "postgres", "--replicas", "3", "--json"}, limits: promises,
	},
	{
		title: "Torture: 10 000 onboardings in one process", args: []string{"torture", "--fast", "--onboardings", "100", "--seeds", "100", "--seed", "1", "--json"}, limits: promises,
	},
}

// promises are what must hold after torture, whatever went wrong.
var promises = []limit{
	{"stuck_silent", atMost, 0}, {"duplicates", atMost, 0}, {"orphans_after_sweep", atMost, 0}, {"lost", atMost, 0}, {"foreign_touched", atMost, 0}, {"leaked_secrets", atMost, 0},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, "./causeway", filepath.Join("docs", "figures.md")); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, file string) error {
	head, err := heading(ctx)
	if err != nil {
		return err
	}
	text := head
	var missed []string
	for _, p := range proofs {
		fmt.Fprintln(os.Stderr, "causeway", strings.Join(p.args, " "))
		start := time.Now()
		c := exec.CommandContext(ctx, program, p.args...) // #nosec G204 -- our own program with the arguments above
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			return fmt.Errorf("causeway %s: %w", strings.Join(p.args, " "), err)
		}
		part, fails, err := p.write(out, time.Since(start))
		if err != nil {
			return fmt.Errorf("causeway %s: %w", strings.Join(p.args, " "), err)
		}
		text += part
		missed = append(missed, fails...)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil { // #nosec G306 -- a document for everybody
		return err
	}
	if len(missed) > 0 {
		return fmt.Errorf("written to %s, but missed: %s", file, strings.Join(missed, "; "))
	}
	return nil
}

// heading names what was measured and where.
func heading(ctx context.Context) (string, error) {
	commit, err := exec.CommandContext(ctx, "git", "describe", "--always", "--abbrev=12", "--dirty= with uncommitted changes").Output()
	if err != nil {
		return "", fmt.Errorf("which commit is this: %w", err)
	}
	return fmt.Sprintf(`# Figures

Written by `+"`make proof`"+`; do not edit. Commit %s, %s UTC, %s, %d processors, %s, %s %s/%s.
`, strings.TrimSpace(string(commit)), time.Now().UTC().Format("2006-01-02 15:04"),
		field("/proc/cpuinfo", "model name"), runtime.NumCPU(), memory(field("/proc/meminfo", "MemTotal")),
		runtime.Version(), runtime.GOOS, runtime.GOARCH), nil
}
