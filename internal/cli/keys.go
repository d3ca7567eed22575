package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"causeway/internal/fault"
	"causeway/internal/seal"
	"causeway/internal/store"
)

// ring loads a key ring and makes sure that it is this database's. A replica on
// another host whose key files were not copied would otherwise make its own, and
// seal what nobody else can open.
func ring(ctx context.Context, db *store.DB, dir, name string) (*seal.Ring, error) {
	file := filepath.Join(dir, name)
	wrong := func(what string) error {
		return fault.Field("keys", file+" "+what, "Copy the key files of another replica, or of their backup, to this folder; a key that is lost is not made again by itself.").In(fault.Conflict)
	}
	var proof string
	err := db.Read().QueryRowContext(ctx, "SELECT proof FROM key_proof WHERE name = $1", name).Scan(&proof)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("keys of this database: %w", err)
	}
	if _, serr := os.Stat(file); errors.Is(serr, os.ErrNotExist) && proof != "" {
		return nil, wrong("is missing, and this database has sealed texts already.")
	}
	r, err := seal.Load(file)
	if err != nil {
		return nil, err
	}
	if proof == "" {
		if proof, err = r.Seal("the ring of this database", "database:"+name); err != nil {
			return nil, err
		}
		err = db.Tx(ctx, func(tx *store.Tx) error {
			if _, err := tx.ExecContext(ctx, "INSERT INTO key_proof (name, proof) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, proof); err != nil {
				return err
			}
			return tx.QueryRowContext(ctx, "SELECT proof FROM key_proof WHERE name = $1", name).Scan(&proof) // another replica may have been first
		})
		if err != nil {
			return nil, fmt.Errorf("keys of this database: %w", err)
		}
	}
	if _, err := r.Open(proof, "database:"+name); err != nil {
		return nil, wrong("is not the key of this database.")
	}
	return r, nil
}
