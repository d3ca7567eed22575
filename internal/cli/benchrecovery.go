package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"causeway/internal/demo"
	"causeway/internal/store/pgserver"
)

// benchRecoveryCmd measures what a crash costs, and what a backup costs.
type benchRecoveryCmd struct {
	N       int           `name:"onboardings" short:"n" default:"100" help:"How many onboardings are on their way, and in the backup."`
	Timeout time.Duration `default:"15m"`
	JSON    bool          `name:"json"`
}

// recoveryFigures is what bench recovery prints.
type recoveryFigures struct {
	Onboardings     int     `json:"onboardings"`
	RestartResume   float64 `json:"restart_resume_seconds"` // kill -9, started again: from exec to its first call to Microsoft for what it had leased
	Takeover        float64 `json:"takeover_seconds"`       // kill -9 of one replica: until the other calls Microsoft for what it had leased
	HandOver        float64 `json:"handover_seconds"`       // after SIGTERM: from the end of that process until the other calls for its work
	Backup          float64 `json:"backup_seconds"`         // SQLite, while the server runs
	BackupBytes     int64   `json:"backup_bytes"`
	BackupRows      int64   `json:"backup_rows"`
	RecoveryPoint   float64 `json:"recovery_point_seconds"` // how old the state in a backup is when its file is there; what a schedule adds is up to it
	Restore         float64 `json:"restore_seconds"`        // into a new SQLite file
	RestorePostgres float64 `json:"restore_postgres_seconds"`
	BackupPostgres  float64 `json:"backup_postgres_seconds"`
}

func (c *benchRecoveryCmd) Run(ctx context.Context, std Std) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	pg, err := pgserver.Start("")
	if err != nil {
		return err
	}
	f := recoveryFigures{Onboardings: c.N}
	err = errors.Join(c.restart(ctx, pg, &f), c.takeover(ctx, pg, &f), pg.Stop())
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, f)
	}
	_, err = fmt.Fprintf(std.Out, "after kill -9: resumes %.2f s after its start, another replica after %.1f s (after SIGTERM %.2f s); backup of %d rows %.1f s, %d kB; restore %.1f s, into PostgreSQL %.1f s\n",
		f.RestartResume, f.Takeover, f.HandOver, f.BackupRows, f.Backup, f.BackupBytes>>10, f.Restore, f.RestorePostgres)
	return err
}

// restart kills the one server of an SQLite file in the middle of its onboardings
// and starts it again; then it backs up what came of it.
func (c *benchRecoveryCmd) restart(ctx context.Context, pg *pgserver.Server, f *recoveryFigures) error {
	conf := worldConfig{profile: "instant", factor: 1, calls: 1000 + c.N*4000}
	w, err := startSim(ctx, conf)
	if err != nil {
		return err
	}
	defer w.stop()
	r, err := w.replica(ctx, conf, "one")
	if err != nil {
		return err
	}
	owner, err := c.begin(ctx, w)
	if err != nil {
		return err
	}
	seen, err := w.callsBy(ctx, c.N*10) // in the middle: each has had some
	if err != nil {
		return err
	}
	r.kill()
	began := time.Now()
	if err := r.start(ctx); err != nil {
		return err
	}
	at, err := w.firstCall(ctx, seen, began)
	if err != nil {
		return err
	}
	f.RestartResume = seconds(at.Sub(began))
	if ready, err := awaitAll(ctx, owner, c.N); err != nil || ready != c.N {
		return fmt.Errorf("%d of %d are ready after the crash: %w", ready, c.N, err)
	}
	return c.backups(ctx, w, pg, f)
}

// begin makes customers and submits all of them.
func (c *benchRecoveryCmd) begin(ctx context.Context, w *world) (*client, error) {
	owner, err := w.login(ctx, demo.Owner)
	if err != nil {
		return nil, err
	}
	if err := w.connectPartner(ctx, owner); err != nil {
		return nil, err
	}
	all := make([]*journey, c.N)
	err = side(ctx, 8, c.N, func(ctx context.Context, i int) error {
		j, err := w.customer(ctx, owner, i)
		if err != nil {
			return err
		}
		all[i], j.c.wait = j, c.Timeout
		return j.fill(ctx)
	})
	if err != nil {
		return nil, err
	}
	if err := w.control(ctx, http.MethodDelete, "/_sim/calls", nil, nil); err != nil {
		return nil, err
	}
	return owner, side(ctx, 8, c.N, func(ctx context.Context, i int) error { return all[i].begin(ctx) })
}

// callsBy waits until there were so many calls, and gives whose they were.
func (w *world) callsBy(ctx context.Context, n int) (map[string]bool, error) {
	for {
		calls, err := w.calls(ctx)
		if err != nil {
			return nil, err
		}
		if len(calls) >= n {
			seen := map[string]bool{}
			for _, call := range calls {
				seen[call.CorrelationID] = call.CorrelationID != ""
			}
			return seen, nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// firstCall is when Microsoft got the first call for one of those onboardings.
func (w *world) firstCall(ctx context.Context, seen map[string]bool, since time.Time) (time.Time, error) {
	for {
		calls, err := w.calls(ctx)
		if err != nil {
			return since, err
		}
		var first time.Time
		for _, call := range calls {
			if seen[call.CorrelationID] && call.Received.After(since) && (first.IsZero() || call.Received.Before(first)) {
				first = call.Received
			}
		}
		if !first.IsZero() {
			return first, nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return since, err
		}
	}
}

// takeover has one replica of two hold all jobs, each in the middle of a call, and
// ends it: by kill -9, then in order.
func (c *benchRecoveryCmd) takeover(ctx context.Context, pg *pgserver.Server, f *recoveryFigures) error {
	for _, how := range []struct {
		name string
		to   *float64
		kill bool
	}{{"killed", &f.Takeover, true}, {"stopped", &f.HandOver, false}} {
		err := pg.CreateDatabase(ctx, how.name)
		if err == nil {
			*how.to, err = c.takeoverOnce(ctx, pg.DSN(how.name), how.kill)
		}
		if err != nil {
			return fmt.Errorf("a replica that is %s: %w", how.name, err)
		}
	}
	return nil
}

func (c *benchRecoveryCmd) takeoverOnce(ctx context.Context, database string, kill bool) (float64, error) {
	const held = 8 // fewer than workers, so that one replica holds them all
	conf := worldConfig{profile: "instant", factor: 1, database: database}
	w, err := startSim(ctx, conf)
	if err != nil {
		return 0, err
	}
	defer w.stop()
	one, err := w.replica(ctx, conf, "one")
	if err != nil {
		return 0, err
	}
	// Its calls hang, so that the jobs stay with it; in an orderly stop they still end.
	wait := map[bool]string{true: "10m", false: "1500ms"}[kill]
	err = w.control(ctx, http.MethodPost, "/_sim/faults", map[string]any{"on": "POST /v1/customers", "kind": "delay", "delay": wait, "count": -1}, nil)
	if err != nil {
		return 0, err
	}
	few := &benchRecoveryCmd{N: held, Timeout: c.Timeout}
	if _, err := few.begin(ctx, w); err != nil {
		return 0, err
	}
	seen, err := w.callsBy(ctx, held*4) // the questions of the beginning, and the step before the call that hangs
	if err != nil {
		return 0, err
	}
	if _, err := w.replica(ctx, conf, "two"); err != nil {
		return 0, err
	}
	began := time.Now()
	if kill {
		one.kill()
	} else {
		if err := one.end(ctx); err != nil {
			return 0, err
		}
		began = time.Now() // until then its last calls end
	}
	if err := w.control(ctx, http.MethodDelete, "/_sim/faults", nil, nil); err != nil {
		return 0, err
	}
	at, err := w.firstCall(ctx, seen, began)
	return seconds(at.Sub(began)), err
}

// backups measures a backup of the server's file while it runs, and its restore
// into either database.
func (c *benchRecoveryCmd) backups(ctx context.Context, w *world, pg *pgserver.Server, f *recoveryFigures) error {
	keys := filepath.Join(w.dir, "keys")
	first := filepath.Join(w.dir, "first.backup")
	b, err := quiet(ctx, "backup", first, "--database", w.db, "--keys", keys)
	if err != nil {
		return err
	}
	f.Backup, f.BackupBytes, f.BackupRows = b.Seconds, b.Bytes, b.Total()
	f.RecoveryPoint = seconds(b.end.Sub(b.TakenAt))
	if b, err = quiet(ctx, "restore", first, "--database", filepath.Join(w.dir, "restored.db"), "--keys", keys); err != nil {
		return err
	}
	f.Restore = b.Seconds
	if err := pg.CreateDatabase(ctx, "restored"); err != nil {
		return err
	}
	if b, err = quiet(ctx, "restore", first, "--database", pg.DSN("restored"), "--keys", keys); err != nil {
		return err
	}
	f.RestorePostgres = b.Seconds
	if b, err = quiet(ctx, "backup", filepath.Join(w.dir, "second.backup"), "--database", pg.DSN("restored"), "--keys", keys); err != nil {
		return err
	}
	f.BackupPostgres = b.Seconds
	return nil
}

// measuredBackup is what a command said, and when it had ended.
type measuredBackup struct {
	backupResult
	end time.Time
}

// quiet runs backup or restore as a person would, and reads its JSON.
func quiet(ctx context.Context, args ...string) (measuredBackup, error) {
	var m measuredBackup
	var out, said bytes.Buffer
	if code := run(ctx, append(args, "--json"), Std{In: strings.NewReader(""), Out: io.Writer(&out), Err: &said}); code != 0 {
		return m, fmt.Errorf("%s: %s", args[0], said.String())
	}
	m.end = time.Now()
	return m, json.Unmarshal(out.Bytes(), &m.backupResult)
}
