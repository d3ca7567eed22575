package token

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// appUser gives a token in the name of the user who consented: the one that lies
// in the database, or a new one.
func (c *Custody) appUser(ctx context.Context, partner string, k key) (string, error) {
	begin := c.now()
	done, err := c.turn(ctx, key{}) // inside this process nobody competes for the lease
	if err != nil {
		return "", err
	}
	defer done()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		token, ok, err := c.shared(ctx, partner, k)
		if err != nil || ok {
			return token, err
		}
		row, got, err := c.claim(ctx, partner)
		if err != nil {
			return "", err
		}
		if got {
			token, again, err := c.redeem(ctx, row, k)
			if err != nil || !again {
				return token, err
			}
			continue // fenced off: what the other holder stored is ours as well
		}
		if c.now().Sub(begin) > waitForIt {
			f := fault.New(fault.Unavailable, "another process is renewing the partner's sign-in")
			f.After = 2 * time.Second
			return "", f
		}
		if err := sleep(ctx, pause); err != nil {
			return "", err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shared reads the token that some process stored.
func (c *Custody) shared(ctx context.Context, partner string, k key) (string, bool, error) {
	row, err := sqlc.New(c.db.Read()).Access(ctx, sqlc.AccessParams{Partner: partner, TenantID: k.tenant, Resource: k.resource})
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read access token: %w", err)
	}
	renew := store.Time(row.ExpiresAt)
	if !c.now().Before(renew) {
		return "", false, nil
	}
	token, err := c.ring.Open(row.Token, belongs(partner, "access:"+k.tenant+":"+k.resource))
	if err != nil {
		return "", false, err
	}
	c.keep(k, cached{token: token, sealed: row.Token, renew: renew})
	return token, true, nil
}

// claim takes the lease on the refresh token; false if somebody else holds it.
func (c *Custody) claim(ctx context.Context, partner string) (row sqlc.PartnerCredential, got bool, err error) {
	now := c.now()
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		row, err = sqlc.New(tx).ClaimCredential(ctx, sqlc.ClaimCredentialParams{
			TenantID: partner, Worker: c.worker, Nonce: c.nonce, Now: store.Micros(now), Lease: store.Micros(now.Add(lease)),
		})
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		_, err = c.row(ctx, partner) // held by another, or not there at all
		return row, false, err
	}
	if err != nil {
		return row, false, fmt.Errorf("claim the partner's refresh token: %w", err)
	}
	return row, true, nil
}

// redeem turns the refresh token, whose lease we hold, into an access token.
// again = true says that our lease was taken over meanwhile and nothing of ours
// was kept.
func (c *Custody) redeem(ctx context.Context, row sqlc.PartnerCredential, k key) (token string, again bool, err error) {
	if row.RefreshToken == "" {
		c.release(ctx, row)
		return "", false, fault.New(fault.Forbidden, "nobody has consented for the partner yet; run causeway partner connect and sign in with MFA")
	}
	if a := c.pausing(row); a != nil {
		c.release(ctx, row)
		return "", false, a
	}
	if token, ok, err := c.shared(ctx, row.TenantID, k); err != nil || ok { // stored just before we claimed
		c.release(ctx, row)
		return token, false, err
	}
	refresh, err := c.ring.Open(row.RefreshToken, belongs(row.TenantID, "refresh"))
	if err != nil {
		c.release(ctx, row)
		return "", false, err
	}
	g, err := c.grant(ctx, k.tenant, row, form{"grant_type": "refresh_token", "refresh_token": refresh, "resource": k.resource, "scope": "openid"})
	if err != nil {
		return "", false, c.refused(ctx, row, k, err, &row)
	}
	if g.refresh == "" { // Microsoft may leave the old one in force
		g.refresh = refresh
	}
	kept, err := c.keepRedeemed(ctx, row, k, g)
	if err != nil {
		return "", false, err
	}
	if !kept {
		return "", true, nil
	}
	if proven, said := g.mfa(); said && !proven {
		return "", false, newAlarm(noMFA, c.now(), nil)
	}
	return g.access, false, nil
}

// keepRedeemed stores the new refresh token and the access token, if the lease is
// still ours, before anybody uses them.
func (c *Custody) keepRedeemed(ctx context.Context, row sqlc.PartnerCredential, k key, g granted) (bool, error) {
	ctx = context.WithoutCancel(ctx) // a caller that gave up must not cost the partner its consent
	refresh, err := c.ring.Seal(g.refresh, belongs(row.TenantID, "refresh"))
	if err != nil {
		return false, err
	}
	access, err := c.ring.Seal(g.access, belongs(row.TenantID, "access:"+k.tenant+":"+k.resource))
	if err != nil {
		return false, err
	}
	now := c.now()
	renew := g.renew(now)
	store1 := sqlc.StoreRedeemedParams{TenantID: row.TenantID, Fence: row.Fence, RefreshToken: refresh, Now: store.Micros(now)}
	proven, said := g.mfa()
	usable := !said || proven
	if !usable {
		store1.AlarmCode, store1.AlarmAt = noMFA, store.Micros(now)
	}
	kept := false
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		n, err := q.StoreRedeemed(ctx, store1)
		if err != nil || n == 0 {
			return err
		}
		kept = true
		if !usable {
			return nil
		}
		if err := q.DropExpiredAccess(ctx, store.Micros(now)); err != nil {
			return err
		}
		return q.PutAccess(ctx, sqlc.PutAccessParams{Partner: row.TenantID, TenantID: k.tenant, Resource: k.resource, Token: access, ExpiresAt: store.Micros(renew)})
	})
	if err != nil {
		return false, fmt.Errorf("store the partner's refresh token: %w", err)
	}
	if kept && usable {
		c.keep(k, cached{token: g.access, sealed: access, renew: renew})
	}
	return kept, nil
}

// release gives the lease back and leaves everything else as it was.
func (c *Custody) release(ctx context.Context, row sqlc.PartnerCredential) {
	c.end(ctx, row, row.UnknownAt, row.AlarmCode, row.AlarmAt)
}

// end gives the lease back with what was learned. If it fails, the lease ends by
// itself.
func (c *Custody) end(ctx context.Context, row sqlc.PartnerCredential, unknown int64, alarm string, at int64) {
	ctx = context.WithoutCancel(ctx)
	_ = c.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := sqlc.New(tx).ReleaseCredential(ctx, sqlc.ReleaseCredentialParams{TenantID: row.TenantID, Fence: row.Fence, UnknownAt: unknown, AlarmCode: alarm, AlarmAt: at})
		return err
	})
}

// refused judges an error of the token endpoint. held is the row whose lease we
// hold, nil for the application's own token.
func (c *Custody) refused(ctx context.Context, row sqlc.PartnerCredential, k key, err error, held *sqlc.PartnerCredential) error {
	now := c.now()
	if azure.Unknown(err) { // perhaps a new refresh token was made and never reached us
		if held != nil {
			since := held.UnknownAt
			if since == 0 {
				since = store.Micros(now)
			}
			c.end(ctx, *held, since, held.AlarmCode, held.AlarmAt)
		}
		return azure.NotSent(err)
	}
	code := azure.CodeOf(err)
	if !c.concernsPartner(row, k, err) {
		if held != nil {
			c.release(ctx, *held)
		}
		return err
	}
	if held != nil && held.UnknownAt != 0 && lost[code] {
		code = lostToken
	}
	if held != nil {
		c.end(ctx, *held, held.UnknownAt, code, store.Micros(now))
	} else {
		c.note(ctx, row, code, now)
	}
	return newAlarm(code, now, err)
}
