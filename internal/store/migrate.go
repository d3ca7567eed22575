package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"causeway/internal/fault"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// Newest is the newest version of the tables that this program knows.
func Newest() int64 {
	var newest int64
	for _, m := range migrationFiles() {
		newest = max(newest, m.version)
	}
	return newest
}

type migrationFile struct {
	version int64
	text    string
}

func migrationFiles() (all []migrationFile) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil // the pattern is right
	}
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		text, rerr := migrations.ReadFile(name)
		if err == nil && rerr == nil {
			all = append(all, migrationFile{version, string(text)})
		}
	}
	return all
}

var inserts = regexp.MustCompile(`(?m)^INSERT INTO (\w+)`)

// Filled names the tables in which a fresh database has rows already.
func Filled() []string {
	all := []string{VersionTable}
	for _, m := range migrationFiles() {
		for _, found := range inserts.FindAllStringSubmatch(m.text, -1) {
			all = append(all, found[1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// VersionTable is where goose writes which migrations are in.
const VersionTable = "goose_db_version"

// lockMigrate is the advisory lock of whoever changes the tables; a backup holds
// it shared, so that no change waits in the middle of it with all traffic behind.
const lockMigrate = "causeway migrations"

// lockWait is how long one statement of a migration waits for its table. While it
// waits, everybody else waits behind it; so it gives way and tries again.
const lockWait = "2s"

// migrate brings the tables to a version, 0 = the newest that this program knows.
// Tables that are newer stay so: a newer program that is still to be reached, or
// was left again, has only added to them. Of several programs one works and the
// others wait.
func (db *DB) migrate(ctx context.Context, to int64) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	dialect, handle := goose.DialectSQLite3, db.write
	if !db.lite {
		release, err := db.lockMigrations(ctx, "pg_advisory_lock")
		if err != nil {
			return fmt.Errorf("migrate the database: %w", err)
		}
		defer release()
		dialect, handle = goose.DialectPostgres, db.patient()
		defer func() { _ = handle.Close() }()
	}
	if err := db.checkFloor(ctx); err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, handle, files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if to == 0 {
		to = Newest()
	}
	for {
		_, err := p.UpTo(ctx, to)
		var pg *pgconn.PgError
		if err == nil || !errors.As(err, &pg) || pg.Code != "55P03" && pg.Code != "40P01" { // lock_not_available, deadlock_detected
			if err != nil {
				return fmt.Errorf("migrate the database: %w", err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond): // let pass who waited behind us
		}
	}
}

// patient is a handle for migrations: other waits than a request's.
func (db *DB) patient() *sql.DB {
	c := db.config.Copy()
	c.RuntimeParams["lock_timeout"] = lockWait
	return stdlib.OpenDB(*c)
}

// lockMigrations takes the advisory lock, exclusive or shared, and waits for it.
func (db *DB) lockMigrations(ctx context.Context, how string) (release func(), err error) {
	c, err := pgx.ConnectConfig(ctx, db.config.Copy()) // of its own: it dies with us, and the lock with it
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(ctx, "SELECT "+how+"(hashtextextended($1, 0))", lockMigrate); err != nil {
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return func() { _ = c.Close(context.WithoutCancel(ctx)) }, nil // closing gives it free
}

// Schema is the version of the tables; 0 = there are none.
func (db *DB) Schema(ctx context.Context) (version int64, err error) {
	there, err := db.hasTable(ctx, VersionTable)
	if err != nil || !there {
		return 0, err
	}
	err = db.read.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	return version, err
}

// checkFloor refuses tables of which a newer program took something away: those
// that it names are the oldest this one would have to know.
func (db *DB) checkFloor(ctx context.Context) error {
	there, err := db.hasTable(ctx, "schema_floor")
	if err != nil || !there {
		return err
	}
	var floor int64
	if err := db.read.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_floor").Scan(&floor); err != nil {
		return fmt.Errorf("read the database's version: %w", err)
	}
	if floor <= Newest() {
		return nil
	}
	return fault.New(fault.Conflict, "a newer Causeway has changed this database: it needs a program that knows version %d of the tables, this one knows %d; start the newer program, or restore the backup from before the upgrade", floor, Newest())
}

func (db *DB) hasTable(ctx context.Context, name string) (bool, error) {
	tables, err := db.Tables(ctx, db.Read())
	return slices.Contains(tables, name), err
}

// Tables lists the tables in the order in which they were made, so that none
// refers to a later one.
func (db *DB) Tables(ctx context.Context, in DBTX) (all []string, err error) {
	q := "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = current_schema() ORDER BY c.oid"
	if db.lite {
		q = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
	}
	rows, err := in.QueryContext(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		all = append(all, name)
	}
	return all, rows.Err()
}

// Quote writes a name of a table or column for SQL text.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
