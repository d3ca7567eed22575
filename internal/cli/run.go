package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"causeway/internal/fault"

	"github.com/alecthomas/kong"
)

// Std is what a command reads and writes.
type Std struct {
	In       io.Reader
	Out, Err io.Writer
}

// Process is the streams of this process.
func Process() Std { return Std{os.Stdin, os.Stdout, os.Stderr} }

// commands is the whole command line, one line per command.
type commands struct {
	Demo       demoCmd       `cmd:"" help:"Run everything on this machine, with a simulated Microsoft."`
	Serve      serveCmd      `cmd:"" help:"Run the portal, the API and the worker."`
	Login      loginCmd      `cmd:"" help:"Sign in at a server and keep a token."`
	Logout     logoutCmd     `cmd:"" help:"End that token."`
	Provider   providerCmd   `cmd:"" help:"Providers: create, list, show, watch, cancel."`
	Account    accountCmd    `cmd:"" help:"Billing accounts."`
	Request    requestCmd    `cmd:"" help:"Requests: exceptions, contacts, services."`
	Receipt    receiptCmd    `cmd:"" help:"Signed receipts."`
	Token      tokenCmd      `cmd:"" help:"API tokens of your own."`
	Onboarding onboardingCmd `cmd:"" help:"Onboardings, for staff."`
	Sweep      sweepCmd      `cmd:"" help:"Compare both sides: what differs from Microsoft, and what to do about it."`
	Billing    billingCmd    `cmd:"" help:"From Microsoft's exports to issued bills and a closed month, for staff."`
	Agreement  agreementCmd  `cmd:"" help:"Terms, in versions."`
	Settings   settingsCmd   `cmd:"" help:"What the partner decided, as JSON."`
	Audit      auditCmd      `cmd:"" help:"The record of who did what."`
	Partner    partnerCmd    `cmd:"" help:"The partner's own connection to Microsoft."`
	Owner      ownerCmd      `cmd:"" help:"The first person of a new installation."`
	Doctor     doctorCmd     `cmd:"" help:"Check everything that can go wrong outside."`
	Torture    tortureCmd    `cmd:"" help:"Run onboardings while everything goes wrong, and check that nothing is made twice or lost."`
	Backup     backupCmd     `cmd:"" help:"Write the whole state into one file, while it is in use."`
	Restore    restoreCmd    `cmd:"" help:"Fill an empty database from a backup."`
	Bench      benchCmd      `cmd:"" help:"Measure."`
	Sim        simCmd        `cmd:"" help:"Run a simulated Microsoft: Entra ID, Partner Center, Graph, Resource Manager."`

	Version kong.VersionFlag `help:"Say which version this is."`
}

// errShown is the error of a command that has said all that there is to say.
var errShown = errors.New("said already")

// Run does what the arguments say and gives the exit code: 0 done, 1 refused or
// failed, 2 not understood.
func Run(args []string, std Std) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, std)
}

func run(ctx context.Context, args []string, std Std) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c, kong.Name("causeway"), kong.Description("A cloud reseller's platform: from sign-in to a working Azure subscription."),
		kong.Writers(std.Out, std.Err), kong.Exit(func(code int) { exit = code }), kong.Vars{"version": Version(), "kinds": kindNames()},
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(std), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		_, _ = fmt.Fprintln(std.Err, "causeway:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if exit >= 0 {
		return exit // help or version was asked for
	}
	if err != nil {
		_, _ = fmt.Fprintf(std.Err, "causeway: %v\nTry causeway --help.\n", err)
		return 2
	}
	if err := k.Run(); err != nil {
		if !errors.Is(err, errShown) {
			complain(std.Err, err)
		}
		return 1
	}
	return 0
}

// complain shows an error to a person: each refusal with its field and remedy.
func complain(w io.Writer, err error) {
	f := fault.Of(err)
	if f == nil || len(f.Refusals) == 0 {
		_, _ = fmt.Fprintln(w, "causeway:", err)
		return
	}
	for _, r := range f.Refusals {
		if r.Field != "" {
			_, _ = fmt.Fprintf(w, "causeway: %s: %s\n", r.Field, r.String())
			continue
		}
		_, _ = fmt.Fprintln(w, "causeway:", r.String())
	}
}

// release is the version's name, if it has one: set by the linker,
// -X causeway/internal/cli.release=….
var release string

// Version is the release's name, else the commit that this program was built from;
// "(devel)" outside of a repository.
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	v, changed := info.Main.Version, ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+"
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	return v + changed
}
