package store

import "context"

// Again brings the tables to their version once more, as the next program does.
func (db *DB) Again(ctx context.Context) error { return db.migrate(ctx, 0) }
