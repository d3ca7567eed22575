package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// Tokens of a person: how many may live at once, and how long.
const (
	maxTokens     = 50
	tokenLife     = 90 * 24 * time.Hour  // when no end is given
	maxTokenLife  = 366 * 24 * time.Hour // a token that never ends is found by somebody else one day
	tokenPrefix   = "causeway_"          // so that scanners for leaked secrets know it
	lastUseEvery  = time.Minute          // "last used" is written at most once in this time
	tokenNameMost = 100
)

func tokenHash(secret string) string {
	h := sha256.Sum256([]byte(secret)) // the secret has 256 random bits: a slow hash would add nothing
	return hex.EncodeToString(h[:])
}

// CreateToken makes an API token of the actor's own; the secret is given once
// and kept nowhere. A zero expires means 90 days from now.
func (d *Directory) CreateToken(ctx context.Context, by Actor, name string, scope Scope, expires time.Time) (Token, string, error) {
	if by.User == "" {
		return Token{}, "", fault.New(fault.Forbidden, "Only a person has tokens.")
	}
	if err := May(by, ActTokenOwn, by.Org); err != nil {
		return Token{}, "", err
	}
	now := d.now().UTC().Truncate(time.Microsecond)
	if expires.IsZero() {
		expires = now.Add(tokenLife)
	}
	var c checks
	name = c.name("name", "The token's name", name, tokenNameMost)
	if scope != ScopeAll && scope != ScopeRead {
		c.refuse("scope", "scope", "The scope is unknown.", "Give all or read.")
	}
	switch {
	case !expires.After(now):
		c.refuse("expires", "past", "The token's end is in the past.", "Give a later day.")
	case expires.After(now.Add(maxTokenLife)):
		c.refuse("expires", "far", "The token would live for more than a year.", "Give an earlier day; a token can be replaced at any time.")
	}
	if err := c.err(); err != nil {
		return Token{}, "", err
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return Token{}, "", fmt.Errorf("make a token: %w", err)
	}
	secret := tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
	t := Token{
		ID: store.NewID(), User: by.User, Name: name, Scope: scope, Hint: secret[len(secret)-4:],
		CreatedAt: now, ExpiresAt: expires.UTC().Truncate(time.Microsecond),
	}
	err := d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		if _, err := q.LockPerson(ctx, string(by.User)); err != nil { // two at once must not both be the fiftieth
			return store.Found(err, "There is no such person.")
		}
		n, err := q.LiveTokens(ctx, sqlc.LiveTokensParams{Person: string(by.User), Now: store.Micros(now)})
		if err != nil {
			return fmt.Errorf("count tokens: %w", err)
		}
		if n >= maxTokens {
			return fault.Refuse(fault.Refusal{
				Code: "too-many", Reason: fmt.Sprintf("You have %d tokens.", n), Remedy: "Revoke one that is not used any more.",
			}).In(fault.Conflict)
		}
		err = q.AddToken(ctx, sqlc.AddTokenParams{
			ID: t.ID, Person: string(t.User), Name: t.Name, Scope: string(t.Scope), Hash: tokenHash(secret), Hint: t.Hint,
			CreatedAt: store.Micros(t.CreatedAt), ExpiresAt: store.Micros(t.ExpiresAt),
		})
		if err != nil {
			return fmt.Errorf("make a token: %w", err)
		}
		return d.record(ctx, tx, by, by.Org, "token.create", "token:"+t.ID, map[string]any{"name": t.Name, "scope": t.Scope, "expires": t.ExpiresAt})
	})
	if err != nil {
		return Token{}, "", err
	}
	return t, secret, nil
}

// Token gives the actor behind a token's secret. address is the network address
// of the call. The error is Forbidden with code "token-unknown",
// "token-expired" or "token-revoked".
func (d *Directory) Token(ctx context.Context, secret, address string) (Actor, error) {
	bad := func(code, reason, remedy string) (Actor, error) {
		return Actor{}, fault.Refuse(fault.Refusal{Code: code, Reason: reason, Remedy: remedy}).In(fault.Forbidden)
	}
	const again = "Make a new one with causeway login or in the portal."
	if !strings.HasPrefix(secret, tokenPrefix) || len(secret) > 100 {
		return bad("token-unknown", "The token is unknown.", again)
	}
	q := sqlc.New(d.db.Read())
	r, err := q.GetTokenByHash(ctx, tokenHash(secret))
	if err != nil {
		if fault.KindOf(store.Found(err, "none")) == fault.NotFound {
			return bad("token-unknown", "The token is unknown.", again)
		}
		return Actor{}, fmt.Errorf("look up a token: %w", err)
	}
	now := d.now()
	switch {
	case r.RevokedAt != 0:
		return bad("token-revoked", "The token was revoked on "+store.Time(r.RevokedAt).Format("2 January 2006")+".", again)
	case r.ExpiresAt <= store.Micros(now):
		return bad("token-expired", "The token ended on "+store.Time(r.ExpiresAt).Format("2 January 2006")+".", again)
	}
	a, err := d.Resume(ctx, UserID(r.Person), now, address)
	if err != nil {
		return Actor{}, err
	}
	a.Token, a.Scope = r.ID, Scope(r.Scope)
	before := store.Micros(now.Add(-lastUseEvery))
	if r.LastUsedAt < before {
		err := d.db.Tx(ctx, func(tx *store.Tx) error {
			return sqlc.New(tx).TouchToken(ctx, sqlc.TouchTokenParams{ID: r.ID, Now: store.Micros(now), Before: before})
		})
		if err != nil {
			return Actor{}, fmt.Errorf("note the use of a token: %w", err)
		}
	}
	return a, nil
}

// Tokens lists a person's tokens, the oldest first, revoked ones included.
func (d *Directory) Tokens(ctx context.Context, by Actor, of UserID) ([]Token, error) {
	if err := d.mayTokens(ctx, by, of); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(d.db.Read()).ListTokens(ctx, string(of))
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	list := make([]Token, len(rows))
	for i, r := range rows {
		list[i] = token(r)
	}
	return list, nil
}

func (d *Directory) mayTokens(ctx context.Context, by Actor, of UserID) error {
	if by.User == of && of != "" {
		return May(by, ActTokenOwn, by.Org)
	}
	u, err := d.User(ctx, of)
	if err != nil {
		return err
	}
	return May(by, ActTokenOther, u.Org)
}

// RevokeToken ends a token at once. Revoking it again changes nothing.
func (d *Directory) RevokeToken(ctx context.Context, by Actor, id string) error {
	r, err := sqlc.New(d.db.Read()).GetToken(ctx, id)
	if err != nil {
		return store.Found(err, "There is no such token.")
	}
	u, err := d.User(ctx, UserID(r.Person))
	if err != nil {
		return err
	}
	if err := d.mayTokens(ctx, by, u.ID); err != nil {
		return err
	}
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).RevokeToken(ctx, sqlc.RevokeTokenParams{ID: id, Now: store.Micros(d.now())})
		if err != nil {
			return fmt.Errorf("revoke a token: %w", err)
		}
		if n == 0 {
			return nil
		}
		return d.record(ctx, tx, by, u.Org, "token.revoke", "token:"+id, map[string]any{"name": r.Name})
	})
}
