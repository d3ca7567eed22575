// Package token has custody of the partner's credentials: the application's
// secret, the refresh token that one person's consent gave, and the access tokens
// made of them. The refresh token is redeemed by one holder at a time, under a
// lease and a fence in the database, outside any transaction; the new one is
// stored before the access token is used; everybody else waits for it. It does
// not know what the tokens are for.
//
// https://learn.microsoft.com/partner-center/developer/enable-secure-app-model
package token

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/sqlc"
	"causeway/internal/fault"
	"causeway/internal/seal"
	"causeway/internal/store"
)

// Figures of custody.
const (
	lease       = 40 * time.Second // longer than a redemption may take (see redeemTime)
	redeemTime  = 30 * time.Second // the answer of the token endpoint; usually below a second
	waitForIt   = 5 * time.Second  // how long a call waits for another process's redemption
	alarmPause  = time.Minute      // a credential that was refused is not tried again before
	skew        = 5 * time.Minute  // a token is renewed so long before its end, or a tenth of its life
	defaultLife = 5 * time.Minute  // of a token whose answer names none
)

// Custody gives access tokens. It is safe for many goroutines; several processes
// may have one each on the same database.
type Custody struct {
	db     *store.DB
	ring   *seal.Ring // nil: this process may not call Microsoft
	pipe   *azure.Pipe
	now    func() time.Time
	worker string
	nonce  string

	mu     sync.Mutex
	access map[key]cached
	turns  map[key]chan struct{} // one goroutine at a time per key; the zero key is the refresh token's
}

// key names one access token.
type key struct {
	as               azure.Identity
	tenant, resource string
}

type cached struct {
	token  string
	sealed string // as it lies in the database, "" if only here
	renew  time.Time
}

// New makes the custody of one process. ring may be nil: a process that only
// shows pages starts without the key, and every call to Microsoft is then refused.
// worker is the process's name, which it keeps over restarts: its own lease from
// before a crash does not make it wait.
func New(db *store.DB, ring *seal.Ring, pipe *azure.Pipe, worker string) *Custody {
	return &Custody{
		db: db, ring: ring, pipe: pipe, now: pipe.Now, worker: worker, nonce: store.NewID(),
		access: map[key]cached{}, turns: map[key]chan struct{}{},
	}
}

// errNoKey is what a process without the key answers to every call.
func errNoKey() error {
	return fault.New(fault.Forbidden, "this process starts without the key of the partner's tokens and cannot call Microsoft; workers do")
}

// Token gives an access token that is good for a while.
func (c *Custody) Token(ctx context.Context, r azure.TokenRequest) (string, error) {
	if c.ring == nil {
		return "", errNoKey()
	}
	partner, err := c.credential(ctx)
	if err != nil {
		return "", err
	}
	k := key{r.As, strings.ToLower(r.Tenant), r.Resource}
	if k.tenant == "" {
		k.tenant = strings.ToLower(partner)
	}
	if token, ok := c.cached(k); ok {
		return token, nil
	}
	done, err := c.turn(ctx, k)
	if err != nil {
		return "", err
	}
	defer done()
	if token, ok := c.cached(k); ok { // somebody fetched it while we waited
		return token, nil
	}
	if r.As == azure.AppOnly {
		return c.appOnly(ctx, partner, k)
	}
	return c.appUser(ctx, partner, k)
}

// credential gives the partner's tenant: of the settings, else of the one row.
func (c *Custody) credential(ctx context.Context) (string, error) {
	if t := c.tenant(); t != "" {
		return t, nil
	}
	row, err := c.row(ctx, "")
	return row.TenantID, err
}

func (c *Custody) tenant() string { return strings.ToLower(c.pipe.Config().PartnerTenant) }

func (c *Custody) row(ctx context.Context, tenant string) (sqlc.PartnerCredential, error) {
	row, err := sqlc.New(c.db.Read()).PartnerCredential(ctx, tenant)
	if errors.Is(err, sql.ErrNoRows) {
		return row, errNotConnected()
	}
	if err != nil {
		return row, fmt.Errorf("read the partner's credential: %w", err)
	}
	return row, nil
}

func errNotConnected() error {
	return fault.New(fault.Forbidden, "the partner is not connected to Microsoft yet; run causeway partner connect")
}

func (c *Custody) cached(k key) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.access[k]
	return t.token, ok && c.now().Before(t.renew)
}

func (c *Custody) keep(k key, t cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.access) > 10_000 { // 100 000 customers pass by, each for a few minutes
		now := c.now()
		for old, v := range c.access {
			if now.After(v.renew) {
				delete(c.access, old)
			}
		}
	}
	c.access[k] = t
}

// turn lets one goroutine of this process at a time do something about a key.
func (c *Custody) turn(ctx context.Context, k key) (done func(), err error) {
	c.mu.Lock()
	t, ok := c.turns[k]
	if !ok {
		t = make(chan struct{}, 1)
		c.turns[k] = t
	}
	c.mu.Unlock()
	select {
	case t <- struct{}{}:
		return func() {
			<-t
			c.mu.Lock()
			defer c.mu.Unlock()
			if len(c.turns) > 10_000 && len(t) == 0 && c.turns[k] == t {
				delete(c.turns, k)
			}
		}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Drop forgets a token that a service refused, here and for other processes.
func (c *Custody) Drop(ctx context.Context, r azure.TokenRequest, token string) {
	if c.ring == nil {
		return
	}
	partner, err := c.credential(ctx)
	if err != nil {
		return
	}
	k := key{r.As, strings.ToLower(r.Tenant), r.Resource}
	if k.tenant == "" {
		k.tenant = strings.ToLower(partner)
	}
	c.mu.Lock()
	had, ok := c.access[k]
	if ok && had.token == token {
		delete(c.access, k)
	}
	c.mu.Unlock()
	if !ok || had.token != token || had.sealed == "" {
		return
	}
	// If this fails the token stays until its end and the next call drops it again.
	_ = c.db.Tx(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return sqlc.New(tx).DropAccess(context.WithoutCancel(ctx), sqlc.DropAccessParams{Partner: partner, TenantID: k.tenant, Resource: k.resource, Token: had.sealed})
	})
}

// DropTenant forgets all tokens of one tenant, as is right after a consent or a
// change of roles there: a token knows only what was granted when it was made.
func (c *Custody) DropTenant(ctx context.Context, tenant string) error {
	tenant = strings.ToLower(tenant)
	c.mu.Lock()
	for k := range c.access {
		if k.tenant == tenant {
			delete(c.access, k)
		}
	}
	c.mu.Unlock()
	partner, err := c.credential(ctx)
	if err != nil {
		return err
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		return sqlc.New(tx).DropTenantAccess(ctx, sqlc.DropTenantAccessParams{Partner: partner, TenantID: tenant})
	})
}

// appOnly asks for a token of our application alone. Nothing rotates, so every
// process may do it for itself and nothing is stored.
func (c *Custody) appOnly(ctx context.Context, partner string, k key) (string, error) {
	row, err := c.row(ctx, partner)
	if err != nil {
		return "", err
	}
	if a := c.pausing(row); a != nil && a.aboutSecret() {
		return "", a
	}
	g, err := c.grant(ctx, k.tenant, row, form{"grant_type": "client_credentials", "resource": k.resource})
	if err != nil {
		return "", c.refused(ctx, row, k, err, nil)
	}
	if row.AlarmCode != "" && newAlarm(row.AlarmCode, time.Time{}, nil).aboutSecret() {
		c.note(ctx, row, "", time.Time{})
	}
	c.keep(k, cached{token: g.access, renew: g.renew(c.now())})
	return g.access, nil
}

// Claims are what a token says of itself. They are read without checking the
// signature: the token came to us over TLS from its maker, and is for others.
type Claims struct {
	ObjectID string   `json:"oid"` // of the user, or of our service principal in that tenant
	TenantID string   `json:"tid"`
	AppID    string   `json:"appid"`
	UPN      string   `json:"upn"`
	Name     string   `json:"unique_name"`
	User     string   `json:"preferred_username"`
	AMR      []string `json:"amr"`
}

// Principal is the object id of our application's service principal in a tenant,
// read from its own token: what role assignments there name.
func (c *Custody) Principal(ctx context.Context, tenant string) (string, error) {
	t, err := c.Token(ctx, azure.TokenRequest{As: azure.AppOnly, Tenant: tenant, Resource: c.pipe.Config().Resource(azure.ARM)})
	if err != nil {
		return "", err
	}
	claims, ok := ReadClaims(t)
	if !ok || claims.ObjectID == "" {
		return "", fault.New(fault.Unavailable, "the token of tenant %s does not name our service principal", tenant)
	}
	return claims.ObjectID, nil
}
