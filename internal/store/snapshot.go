package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Look opens a database to read it, beside the processes that work on it: it
// takes no lock, changes no table and cannot write.
func Look(ctx context.Context, url string) (*DB, error) {
	if !isPostgres(url) {
		file := strings.TrimPrefix(url, "sqlite:")
		if _, err := os.Stat(file); err != nil { // SQLite would make it
			return nil, fmt.Errorf("open the database: %w", err)
		}
		r, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
		if err != nil {
			return nil, fmt.Errorf("open SQLite file %s: %w", file, err)
		}
		db := &DB{write: r, read: r, lite: true}
		return db, db.look(ctx)
	}
	db, err := open(url)
	if err != nil {
		return nil, err
	}
	return db, db.look(ctx)
}

func (db *DB) look(ctx context.Context) error {
	if err := db.Ping(ctx); err != nil {
		return errors.Join(fmt.Errorf("open the database: %w", err), db.Close())
	}
	return nil
}

// Snapshot lets f read the database as it is at one moment, however long f
// takes; others go on writing. On PostgreSQL no migration begins meanwhile.
func (db *DB) Snapshot(ctx context.Context, f func(DBTX) error) error {
	o := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if db.lite {
		o.Isolation = sql.LevelDefault // a reader of SQLite always sees one moment
	} else {
		release, err := db.lockMigrations(ctx, "pg_advisory_lock_shared")
		if err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		defer release()
	}
	tx, err := db.read.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	return f(conn{tx, db.lite})
}
