// Package store is the handle to the state database: SQLite in one file, or
// PostgreSQL for several replicas. The same SQL text runs on both. It owns
// connections, transactions and migrations; the tables belong to the nouns.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/fault"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DBTX is what the generated queries run on: a transaction or the readers.
type DBTX interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// DB is the state database.
type DB struct {
	write, read *sql.DB
	lite        bool
	lock        *fileLock
	config      *pgx.ConnConfig // of PostgreSQL
	wakes       *wakes
	closed      chan struct{} // on PostgreSQL: ends what runs beside
}

// Tx is one transaction. On SQLite it is the only writer while it lives: no
// network call inside, and no second transaction.
type Tx struct {
	conn
	wakes *wakes
	after []func()
}

// Open opens the database behind url, which is a file name (SQLite) or
// postgres://… , and brings its tables to the newest version; newer ones stay as
// they are. A second process on the same SQLite file is refused, because it would
// not see our leases.
func Open(ctx context.Context, url string) (*DB, error) {
	return OpenAt(ctx, url, 0)
}

// OpenAt brings the tables to a version only, 0 = the newest: for a restore, which
// fills them as they were when the backup was taken.
func OpenAt(ctx context.Context, url string, version int64) (*DB, error) {
	db, err := open(url)
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx, version); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") || strings.Contains(url, "host=")
}

// connectTime is how long a connection to PostgreSQL may take to be made, where
// the address names no connect_timeout: a page would rather say that it is away.
const connectTime = 5 * time.Second

func open(url string) (*DB, error) {
	if isPostgres(url) {
		c, err := pgx.ParseConfig(url)
		if err != nil {
			return nil, fault.Field("database", "This is no address of a PostgreSQL database.", "Write it like postgres://user:password@host/name.") // err may hold the password
		}
		if c.ConnectTimeout == 0 {
			c.ConnectTimeout = connectTime
		}
		// Rules read inside a transaction what other nouns know. With one pool, a
		// hundred people who submit at once held every connection in a transaction
		// that waited for one more, for ever.
		p, read := stdlib.OpenDB(*c), stdlib.OpenDB(*c)
		p.SetMaxOpenConns(12)
		p.SetMaxIdleConns(6)
		read.SetMaxOpenConns(8)
		read.SetMaxIdleConns(4)
		return &DB{write: p, read: read, config: c, wakes: newWakes(c), closed: make(chan struct{})}, nil
	}
	file := strings.TrimPrefix(url, "sqlite:")
	lock, err := lockFile(file + ".lock")
	if err != nil {
		return nil, err
	}
	const pragmas = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=busy_timeout(5000)"
	w, err := sql.Open("sqlite", "file:"+file+pragmas+"&_txlock=immediate")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open SQLite file %s: %w", file, err), lock.Close())
	}
	w.SetMaxOpenConns(1)
	r, err := sql.Open("sqlite", "file:"+file+pragmas+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open SQLite file %s: %w", file, err), w.Close(), lock.Close())
	}
	r.SetMaxOpenConns(8)
	return &DB{write: w, read: r, lite: true, lock: lock, wakes: newWakes(nil)}, nil
}

// Close ends all connections and gives the file free.
func (db *DB) Close() error {
	if db.closed != nil {
		close(db.closed)
		db.wakes.close()
	}
	err := db.write.Close()
	if db.read != db.write {
		err = errors.Join(err, db.read.Close())
	}
	return errors.Join(err, db.lock.Close())
}

// SQLite tells whether this is the embedded database.
func (db *DB) SQLite() bool { return db.lite }

// Ping asks whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.read.PingContext(ctx) }

// Read gives the handle for queries outside a transaction. On SQLite it cannot
// write.
func (db *DB) Read() DBTX { return conn{db.read, db.lite} }

// Tx runs f in one transaction and commits if f gives nil. Functions given to
// tx.After run after the commit, never after a rollback.
func (db *DB) Tx(ctx context.Context, f func(*Tx) error) error {
	raw, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	tx := &Tx{conn: conn{raw, db.lite}, wakes: db.wakes}
	defer func() { _ = raw.Rollback() }() // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	if err := raw.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, f := range tx.after {
		f()
	}
	return nil
}

// After runs f once the transaction is committed: to wake a worker or a page,
// never to do what must not be lost.
func (tx *Tx) After(f func()) { tx.after = append(tx.after, f) }

// conn passes queries on; on SQLite it takes out the one clause that only
// PostgreSQL knows.
type conn struct {
	DBTX
	lite bool
}

func (c conn) text(q string) string {
	if c.lite {
		q = strings.Replace(q, "FOR UPDATE SKIP LOCKED", "", 1)
		return strings.Replace(q, "FOR UPDATE", "", 1)
	}
	return q
}

func (c conn) ExecContext(ctx context.Context, q string, args ...any) (sql.Result, error) {
	return c.DBTX.ExecContext(ctx, c.text(q), args...)
}

func (c conn) PrepareContext(ctx context.Context, q string) (*sql.Stmt, error) {
	return c.DBTX.PrepareContext(ctx, c.text(q))
}

func (c conn) QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return c.DBTX.QueryContext(ctx, c.text(q), args...)
}

func (c conn) QueryRowContext(ctx context.Context, q string, args ...any) *sql.Row {
	return c.DBTX.QueryRowContext(ctx, c.text(q), args...)
}

// IsUnique tells whether err says that a row with this key exists already.
func IsUnique(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == 2067 || lite.Code() == 1555 // UNIQUE, PRIMARY KEY
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}

// IsNone tells whether a query for one row found none.
func IsNone(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// Found turns sql.ErrNoRows into a NotFound with these words.
func Found(err error, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, format, args...)
	}
	return err
}

// NewID makes an id that sorts by the time it was made (UUID version 7).
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Micros is how an instant is stored: microseconds since 1970, UTC; 0 = none.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads a stored instant; 0 is the zero time.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// CheckText refuses text that PostgreSQL cannot hold, so that both databases
// take the same: broken UTF-8 and the character NUL.
func CheckText(field, s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fault.Field(field, "The text holds characters that cannot be stored.", "Type it again instead of pasting it.")
	}
	return nil
}
