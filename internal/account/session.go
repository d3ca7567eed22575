package account

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/store"
)

// SessionStore keeps the portal's sessions in the database, for scs. The token
// of the cookie is stored as its hash only: who reads the table cannot use it.
type SessionStore struct{ d *Directory }

// SessionStore is where scs keeps sessions.
func (d *Directory) SessionStore() *SessionStore { return &SessionStore{d} }

func sessionKey(token string) string {
	h := sha256.Sum256([]byte("session:" + token))
	return hex.EncodeToString(h[:])
}

// Restored ends all sessions, in the transaction that fills a database from a
// backup: one that was ended since must not come back to life.
func Restored(ctx context.Context, tx *store.Tx) error {
	_, err := sqlc.New(tx).DropSessions(ctx)
	return err
}

// FindCtx gives a live session's data.
func (s *SessionStore) FindCtx(ctx context.Context, token string) (b []byte, found bool, err error) {
	text, err := sqlc.New(s.d.db.Read()).FindSession(ctx, sqlc.FindSessionParams{Key: sessionKey(token), Now: store.Micros(s.d.now())})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find a session: %w", err)
	}
	b, err = base64.StdEncoding.DecodeString(text)
	return b, err == nil, err
}

// CommitCtx stores a session until its end.
func (s *SessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.d.db.Tx(ctx, func(tx *store.Tx) error {
		return sqlc.New(tx).CommitSession(ctx, sqlc.CommitSessionParams{
			Key: sessionKey(token), Data: base64.StdEncoding.EncodeToString(b), ExpiresAt: store.Micros(expiry),
		})
	})
}

// DeleteCtx ends a session.
func (s *SessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.d.db.Tx(ctx, func(tx *store.Tx) error { return sqlc.New(tx).DropSession(ctx, sessionKey(token)) })
}

// Find, Commit and Delete are for callers without a context; scs uses the ones
// above where it has one.

// Find is FindCtx without a deadline.
func (s *SessionStore) Find(token string) (b []byte, found bool, err error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a deadline.
func (s *SessionStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete is DeleteCtx without a deadline.
func (s *SessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
