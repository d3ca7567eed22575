package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// A rule that runs inside a transaction may read what another noun knows, also when
// more do so at once than there are connections.
func TestAReadInsideATransactionAlwaysFindsAConnection(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 80 {
			all.Go(func() {
				err := db.Tx(ctx, func(tx *store.Tx) error {
					var n int
					if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM job").Scan(&n); err != nil {
						return err
					}
					return db.Read().QueryRowContext(ctx, "SELECT COUNT(*) FROM job").Scan(&n)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
