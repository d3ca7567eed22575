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
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
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
		title: "1 000 onboardings at once under hard limits", args: []string{"bench", "onboarding", "-n", "1000", "--factor", "2.5", "--throttle", "hard", "--timeout", "1h", "--json"},
		limits: []limit{{"ready", atLeast, 1000}, {"wasted_percent", atMost, 1}},
	},
	{
		title: "Import of an existing book", args: []string{"bench", "import", "--customers", "10000", "--json"},
		limits: []limit{{"adopted", atLeast, 10_000}, {"differences_after", atMost, 0}},
	},
	{
		title: "A million usage records from the export to charges", args: []string{"bench", "billing", "--records", "1000000", "--json"},
		limits: []limit{{"ratio_to_gunzip", atMost, 3}, {"peak_rss_bytes", atMost, 1 << 30}, {"unclassified", is, "0"}},
	},
	{
		title: "Ten million usage records from the export to charges", args: []string{"bench", "billing", "--records", "10000000", "--json"},
		limits: []limit{{"ratio_to_gunzip", atMost, 3}, {"peak_rss_bytes", atMost, 1 << 30}, {"unclassified", is, "0"}},
	},
	{
		title: "The close of a month: 10 000 accounts, 10 million records", args: []string{"bench", "close", "--accounts", "10000", "--records", "10000000", "--json"},
		limits: []limit{{"issued", atLeast, 10_000}, {"seconds", atMost, 300}, {"unclassified", is, "0"}},
	},
	{
		title: "Pages over thirteen months of ten million records", args: []string{"bench", "pages", "--json"},
		limits: []limit{{"p95_ms", atMost, 200}, {"months", is, "13"}, {"records", atLeast, 130_000_000}},
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
	fast(1), fast(26), fast(51), fast(76),
	year(1), year(101), year(201), year(301), year(401), year(501), year(601), year(701), year(801), year(901),
}

// fast is a quarter of ten thousand onboardings, in parts because all of them take an
// hour: 25 seeds of a hundred, from this one on.
func fast(seed int) proof {
	return proof{
		title:  fmt.Sprintf("Torture: 10 000 onboardings in one process, seeds %d to %d", seed, seed+24),
		args:   []string{"torture", "--fast", "--onboardings", "100", "--seeds", "25", "--at-once", "6", "--seed", strconv.Itoa(seed), "--timeout", "4h", "--json"},
		limits: append([]limit{{"onboardings", atLeast, 2500}}, promises...),
	}
}

// year is a tenth of a thousand partners, each billed for a year and compared with what
// the simulator knows, from this seed on: a quarter of an hour.
func year(seed int) proof {
	const partners, months = 100, 12
	return proof{
		title: fmt.Sprintf("Torture: 1 000 partner-years billed, seeds %d to %d", seed, seed+partners-1),
		args:  []string{"torture", "--billing", "--months", strconv.Itoa(months), "--seeds", strconv.Itoa(partners), "--at-once", "6", "--seed", strconv.Itoa(seed), "--timeout", "4h", "--json"},
		limits: []limit{
			{"unbalanced", atMost, 0}, {"unexplained", atMost, 0}, {"misbilled", atMost, 0}, {"not_replayed", atMost, 0}, {"leaked_secrets", atMost, 0},
			{"partners", atLeast, partners}, {"months", atLeast, partners * months},
		},
	}
}

// promises are what must hold after torture, whatever went wrong.
var promises = []limit{
	{"stuck_silent", atMost, 0}, {"retried_by_hand", atMost, 0}, {"points_not_reached", atMost, 0}, {"duplicates", atMost, 0}, {"orphans_after_sweep", atMost, 0}, {"lost", atMost, 0}, {"foreign_touched", atMost, 0}, {"leaked_secrets", atMost, 0},
}

func main() {
	only := flag.String("only", "", "run only the proofs whose title this expression fits; the others keep what they showed last")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, "./causeway", filepath.Join("docs", "figures.md"), *only); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, file, only string) error {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	at, err := where(ctx)
	if err != nil {
		return err
	}
	before, err := os.ReadFile(file) // #nosec G304 -- the document that is written
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	shown := sections(string(before))
	var missed []string
	for _, p := range proofs {
		if !chosen.MatchString(p.title) {
			continue
		}
		fmt.Fprintln(os.Stderr, "causeway", strings.Join(p.args, " "))
		start := time.Now()
		c := exec.CommandContext(ctx, program, p.args...) // #nosec G204 -- our own program with the arguments above
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			return fmt.Errorf("causeway %s: %w", strings.Join(p.args, " "), err)
		}
		part, fails, err := p.write(out, time.Since(start), at)
		if err != nil {
			return fmt.Errorf("causeway %s: %w", strings.Join(p.args, " "), err)
		}
		shown[p.title] = part
		missed = append(missed, fails...)
		if err := os.WriteFile(file, []byte(document(shown)), 0o644); err != nil { // #nosec G306 -- a document for everybody
			return err
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("written to %s, but missed: %s", file, strings.Join(missed, "; "))
	}
	return nil
}

// document puts the sections in the order of the proofs; what is proven no more is
// left out.
func document(shown map[string]string) string {
	text := "# Figures\n\nWritten by `make proof`, which takes hours; `make proof ONLY=Recovery` measures one part anew. Do not edit.\n"
	for _, p := range proofs {
		text += shown[p.title]
	}
	return text
}

// sections reads a document back, by title.
func sections(text string) map[string]string {
	shown := map[string]string{}
	for _, part := range strings.Split(text, "\n\n## ")[1:] {
		title, _, _ := strings.Cut(part, "\n")
		shown[title] = "\n## " + strings.TrimRight(part, "\n") + "\n"
	}
	return shown
}

// where names what was measured and on what machine.
func where(ctx context.Context) (string, error) {
	// The commit that last changed anything but the figures: those of one run are committed
	// before the next.
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append(args, "--", ":/", ":(top,exclude)docs/figures.md")...).Output() // #nosec G204 -- the arguments below
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("log", "-1", "--abbrev=12", "--format=%h")
	if err != nil {
		return "", fmt.Errorf("which commit is this: %w", err)
	}
	changed, err := git("status", "--porcelain")
	if err != nil {
		return "", fmt.Errorf("is it as committed: %w", err)
	}
	if changed != "" {
		commit += " with uncommitted changes"
	}
	return fmt.Sprintf("commit %s, %s UTC, %s, %d processors, %s, %s %s/%s", commit, time.Now().UTC().Format("2006-01-02 15:04"),
		field("/proc/cpuinfo", "model name"), runtime.NumCPU(), memory(field("/proc/meminfo", "MemTotal")),
		runtime.Version(), runtime.GOOS, runtime.GOARCH), nil
}
