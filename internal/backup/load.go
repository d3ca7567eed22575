package backup

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/store"
)

// How many rows one statement carries. SQLite reads the text of each, and becomes
// slower with long ones (20 000 rows: 2.6 s, at 2 000 rows each 8.7 s); PostgreSQL is
// asked for each, and becomes faster (3.8 s and 1.5 s).
const (
	batchSQLite   = 20
	batchPostgres = 500
)

// Load fills the tables in tx from a file. The database must be empty but for what
// its migrations put in, and have at least the columns of the backup.
func Load(ctx context.Context, tx *store.Tx, db *store.DB, from io.Reader) (Head, Summary, error) {
	if err := empty(ctx, tx, db); err != nil {
		return Head{}, Summary{}, err
	}
	for _, name := range store.Filled() {
		if name == store.VersionTable {
			continue
		}
		if there, err := db.Tables(ctx, tx); err != nil || !slices.Contains(there, name) {
			continue // of a later version; err shows below
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+store.Quote(name)); err != nil { // #nosec G202 -- a name from our own migrations
			return Head{}, Summary{}, err
		}
	}
	if db.SQLite() { // a table may refer to itself
		if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = ON"); err != nil {
			return Head{}, Summary{}, err
		}
	}
	batch := batchPostgres
	if db.SQLite() {
		batch = batchSQLite
	}
	return Read(from, Contents{Rows: func(t Table, rows [][]any) error {
		for len(rows) > 0 {
			n := min(len(rows), batch)
			if err := insert(ctx, tx, t, rows[:n]); err != nil {
				return fmt.Errorf("fill the table %s: %w", t.Name, err)
			}
			rows = rows[n:]
		}
		return nil
	}})
}

// empty refuses a database that is in use.
func empty(ctx context.Context, tx *store.Tx, db *store.DB) error {
	names, err := db.Tables(ctx, tx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.Contains(store.Filled(), name) {
			continue
		}
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM "+store.Quote(name)+" LIMIT 1) x").Scan(&n); err != nil { // #nosec G202 -- a name of the database's own catalogue
			return err
		}
		if n > 0 {
			return fault.Field("database", fmt.Sprintf("The database is not empty: its table %s has rows.", name), "Restore into a new file or a new database; the old one stays as it is.").In(fault.Conflict)
		}
	}
	return nil
}

func insert(ctx context.Context, tx *store.Tx, t Table, rows [][]any) error {
	var b strings.Builder
	b.WriteString("INSERT INTO " + store.Quote(t.Name) + " (")
	for i, c := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(store.Quote(c))
	}
	b.WriteString(") VALUES ")
	values := make([]any, 0, len(rows)*len(t.Columns))
	for i, row := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for k := range row {
			if k > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", len(values)+k+1)
		}
		b.WriteByte(')')
		values = append(values, row...)
	}
	_, err := tx.ExecContext(ctx, b.String(), values...)
	return err
}
