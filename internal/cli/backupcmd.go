package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/backup"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/provision"
	"causeway/internal/seal"
	"causeway/internal/store"
)

// stateFlags say where a backup comes from or goes to.
type stateFlags struct {
	Database string `env:"CAUSEWAY_DATABASE" default:"state.db" placeholder:"FILE|URL" help:"The state: a file (SQLite) or postgres://…."`
	Keys     string `env:"CAUSEWAY_KEYS" default:"keys" placeholder:"DIR" help:"Folder of the key files."`
	JSON     bool   `name:"json" help:"Print what was done as JSON."`
}

// The key files; rings are those that open what is sealed in the database.
var (
	keyRings = []string{"partner.key", "customer.key"}
	keyFiles = append([]string{"receipt.key"}, keyRings...)
)

// backupCmd writes the whole state into one file.
type backupCmd struct {
	File       string `arg:"" placeholder:"FILE" help:"The backup; it must not exist."`
	stateFlags `embed:""`
	WithKeys   bool `help:"Put the key files in as well. Whoever has such a file can read every secret."`
}

// backupResult is what backup --json and restore --json print.
type backupResult struct {
	backup.Head
	backup.Summary
	Seconds  float64            `json:"seconds"`
	Restored *provision.Doubted `json:"restored,omitempty"`
}

func (c *backupCmd) Run(ctx context.Context, std Std) error {
	if _, err := os.Lstat(c.File); err == nil {
		return fault.Field("file", fmt.Sprintf("%s exists already.", c.File), "Name another file, for example with the date in it.").In(fault.Conflict)
	}
	began := time.Now()
	db, err := store.Look(ctx, c.Database)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	head := backup.Head{Program: Version(), Proofs: map[string]string{}}
	for _, name := range keyRings {
		if err := prove(c.Keys, name, head.Proofs); err != nil {
			return err
		}
	}
	var keys map[string][]byte
	if c.WithKeys {
		if keys, err = readKeys(c.Keys); err != nil {
			return err
		}
	}
	r := backupResult{}
	err = writeOnce(c.File, func(w io.Writer) error {
		r.Head, r.Summary, err = backup.Write(ctx, w, db, head, keys)
		return err
	})
	if err != nil {
		return err
	}
	r.Seconds = seconds(time.Since(began))
	if c.JSON {
		r.Tables = nil // the numbers of rows name them
		return printJSON(std.Out, r)
	}
	_, _ = fmt.Fprintf(std.Out, "%s: %d rows, %d bytes, as of %s (%.1f s)\n", c.File, r.Total(), r.Bytes, r.TakenAt.Format(time.RFC3339), r.Seconds)
	switch {
	case c.WithKeys:
		_, err = fmt.Fprintln(std.Out, "The key files are in it: whoever has this file can read every secret. Keep it like one.")
	case len(head.Proofs) == 0:
		_, err = fmt.Fprintf(std.Out, "No key files were found in %s. Without them nothing that is sealed in it can be read again.\n", c.Keys)
	default:
		_, err = fmt.Fprintf(std.Out, "The key files are not in it. Without a copy of %s nothing that is sealed in it can be read again.\n", c.Keys)
	}
	return err
}

// prove seals a text with a ring, by which a restore recognises it.
func prove(dir, name string, proofs map[string]string) error {
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil // seal would make a new one
	}
	ring, err := seal.Load(file)
	if err != nil {
		return err
	}
	proofs[name], err = ring.Seal("the ring of this backup", "backup:"+name)
	return err
}

func readKeys(dir string) (map[string][]byte, error) {
	keys := map[string][]byte{}
	for _, name := range keyFiles {
		b, err := os.ReadFile(filepath.Join(dir, name)) // #nosec G304 -- the operator names the folder
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		keys[name] = b
	}
	if len(keys) == 0 {
		return nil, fault.Field("keys", fmt.Sprintf("There are no key files in %s.", dir), "Name their folder with --keys.")
	}
	return keys, nil
}

// writeOnce writes a file that is there whole or not at all, and overwrites none.
func writeOnce(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // readable by its owner only
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil {
		return fmt.Errorf("keep the backup: %w", err)
	}
	d, err := os.Open(filepath.Dir(name)) // #nosec G304 -- the operator names the file
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// restoreCmd fills an empty database from a backup.
type restoreCmd struct {
	File       string `arg:"" placeholder:"FILE" help:"The backup."`
	stateFlags `embed:""`
	Check      bool `help:"Only read the backup and say whether it is whole."`
	OtherKeys  bool `help:"Go on although the keys are not those of the backup: what is sealed in it is lost."`
}

func (c *restoreCmd) Run(ctx context.Context, std Std) error {
	began := time.Now()
	f, err := os.Open(c.File) // #nosec G304 -- the operator names the file
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r, keys := backupResult{}, map[string][]byte{}
	r.Head, r.Summary, err = backup.Read(f, backup.Contents{
		Key:  func(name string, body []byte) error { keys[name] = body; return nil },
		Rows: func(backup.Table, [][]any) error { return nil }, // unpacked, so that all of it is known to be readable
	})
	if err != nil {
		return err
	}
	if r.Schema > store.Newest() {
		return fault.New(fault.Conflict, "the backup was taken of a newer Causeway (version %d of the tables, this program knows %d); restore it with that program (%s) or a newer one", r.Schema, store.Newest(), r.Program)
	}
	if !c.Check {
		if err := c.keysFit(r.Head, keys); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		doubted, err := c.restore(ctx, f, keys)
		if err != nil {
			return err
		}
		r.Restored = &doubted
	}
	r.Seconds = seconds(time.Since(began))
	return c.say(std, r)
}

func (c *restoreCmd) say(std Std, r backupResult) error {
	if c.JSON {
		r.Tables = nil
		return printJSON(std.Out, r)
	}
	if c.Check {
		_, err := fmt.Fprintf(std.Out, "%s is whole: %d rows, as of %s, written by %s\n", c.File, r.Total(), r.TakenAt.Format(time.RFC3339), r.Program)
		return err
	}
	_, err := fmt.Fprintf(std.Out, "Restored %d rows, as of %s (%.1f s). %d onboardings go on; each looks at Microsoft before it acts.\n"+
		"Everybody signs in again. API tokens and people that were ended after %s are as they were: end them again.\n"+
		"Now start the server, run causeway doctor, and compare both sides: what Microsoft has and this backup does not know is named there.\n",
		r.Total(), r.TakenAt.Format(time.RFC3339), r.Seconds, r.Restored.Onboardings, r.TakenAt.Format(time.RFC3339))
	return err
}

// keysFit refuses keys that do not open what is sealed in the backup.
func (c *restoreCmd) keysFit(h backup.Head, inside map[string][]byte) error {
	for name, proof := range h.Proofs {
		file := filepath.Join(c.Keys, name)
		body, err := os.ReadFile(file) // #nosec G304 -- the operator names the folder
		if errors.Is(err, os.ErrNotExist) {
			body, err = inside[name], nil
		}
		if err != nil {
			return err
		}
		ring, perr := seal.Parse(body)
		if perr == nil {
			_, perr = ring.Open(proof, "backup:"+name)
		}
		if perr != nil && !c.OtherKeys {
			what := fmt.Sprintf("%s is not the key of this backup.", file)
			if len(body) == 0 {
				what = fmt.Sprintf("%s is missing.", file)
			}
			return fault.Field("keys", what+" What is sealed in the backup could not be read.", "Put the copy of the key files there first, or say --other-keys if they are lost: then the partner is connected anew.")
		}
	}
	return nil
}

// restore fills the database, all of it or nothing, and then writes the keys.
func (c *restoreCmd) restore(ctx context.Context, f *os.File, keys map[string][]byte) (provision.Doubted, error) {
	var d provision.Doubted
	head, _, err := backup.Read(f, backup.Contents{})
	if err != nil {
		return d, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return d, err
	}
	_, serr := os.Stat(strings.TrimPrefix(c.Database, "sqlite:"))
	db, err := store.OpenAt(ctx, c.Database, max(head.Schema, restoreSchema)) // as the tables were then
	if err != nil {
		return d, err
	}
	err = db.Tx(ctx, func(tx *store.Tx) error {
		if _, _, err := backup.Load(ctx, tx, db, f); err != nil {
			return err
		}
		if c.OtherKeys { // whoever starts first says which are the new ones
			if _, err := tx.ExecContext(ctx, "DELETE FROM key_proof"); err != nil {
				return err
			}
		}
		d, err = afterLoad(ctx, tx, head)
		return err
	})
	lite := db.SQLite()
	if err = errors.Join(err, db.Close()); err != nil {
		if lite && errors.Is(serr, os.ErrNotExist) { // we made it, and nothing is in it
			for _, end := range []string{"", "-wal", "-shm", ".lock"} {
				_ = os.Remove(strings.TrimPrefix(c.Database, "sqlite:") + end)
			}
		}
		return d, err
	}
	if db, err = store.Open(ctx, c.Database); err != nil { // and now as this program wants them
		return d, err
	}
	return d, errors.Join(db.Close(), keepKeys(c.Keys, keys))
}

// restoreSchema is the first version of the tables that can note a restore. Until
// it, migrations only made new tables.
const restoreSchema = 62

// afterLoad is what a state from a backup has to doubt and to forget.
func afterLoad(ctx context.Context, tx *store.Tx, head backup.Head) (provision.Doubted, error) {
	now := time.Now()
	d, err := provision.Restored(ctx, tx, head.ID, head.TakenAt, now)
	if err != nil {
		return d, err
	}
	if err := job.Restored(ctx, tx); err != nil {
		return d, err
	}
	if err := account.Restored(ctx, tx); err != nil {
		return d, err
	}
	return d, audit.Write(ctx, tx, audit.Entry{
		At: now, Actor: audit.System, Action: "database.restored", Object: "backup:" + head.ID,
		Detail: map[string]any{"taken_at": head.TakenAt, "onboardings": d.Onboardings},
	})
}

// keepKeys writes the key files of the backup where there are none.
func keepKeys(dir string, keys map[string][]byte) error {
	if len(keys) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var all []error
	for name, body := range keys {
		if filepath.Base(name) != name || !strings.HasSuffix(name, ".key") {
			continue // not of ours, and never out of the folder
		}
		err := writeOnce(filepath.Join(dir, name), func(w io.Writer) error { _, err := w.Write(body); return err })
		if !errors.Is(err, os.ErrExist) { // one that is there was found to fit
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
