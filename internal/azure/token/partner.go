package token

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/azure/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// By is who changes the partner's credential, for the audit record.
type By struct {
	Actor   string // "user:<id>", "system"
	Address string // network address, "" for the system
}

// Partner is the state of the partner's credential, without secrets.
type Partner struct {
	Tenant, AppID string
	Consented     bool
	ConsentedBy   string
	ConsentedAt   time.Time // UTC
	RedeemedAt    time.Time // last renewal that succeeded, UTC
	UnknownSince  time.Time // a renewal's answer is lost since; zero = none
	Alarm         *Alarm    // nil = all is well
}

// Partner reads the state; it needs no key. NotFound if nothing was set yet.
func (c *Custody) Partner(ctx context.Context) (Partner, error) {
	row, err := c.row(ctx, c.tenant())
	if err != nil {
		if errors.Is(err, fault.Forbidden) {
			err = fault.New(fault.NotFound, "the partner is not connected to Microsoft yet; run causeway partner connect")
		}
		return Partner{}, err
	}
	p := Partner{
		Tenant: row.TenantID, AppID: row.AppID, Consented: row.RefreshToken != "", ConsentedBy: row.ConsentedBy,
		ConsentedAt: store.Time(row.ConsentedAt), RedeemedAt: store.Time(row.RedeemedAt), UnknownSince: store.Time(row.UnknownAt),
	}
	if row.AlarmCode != "" {
		p.Alarm = newAlarm(row.AlarmCode, store.Time(row.AlarmAt), nil)
	}
	return p, nil
}

// SetApplication keeps the partner's tenant, application and secret. Another
// application than before ends the consent, which was given to that one.
func (c *Custody) SetApplication(ctx context.Context, by By, tenant, appID, secret string) error {
	if c.ring == nil {
		return errNoKey()
	}
	for field, v := range map[string]string{"tenant": tenant, "app_id": appID, "app_secret": secret} {
		if v == "" {
			return fault.Field(field, "It is empty.", "Copy it from Entra ID, App registrations.")
		}
		if err := store.CheckText(field, v); err != nil {
			return err
		}
	}
	tenant = strings.ToLower(tenant)
	sealed, err := c.ring.Seal(secret, belongs(tenant, "secret"))
	if err != nil {
		return err
	}
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		if err := q.SetApplication(ctx, sqlc.SetApplicationParams{TenantID: tenant, AppID: appID, AppSecret: sealed, Now: store.Micros(c.now())}); err != nil {
			return err
		}
		if err := q.DropPartnerAccess(ctx, tenant); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{
			At: c.now(), Actor: by.Actor, Address: by.Address, Action: "partner.application", Object: "partner:" + tenant,
			Detail: map[string]string{"app_id": appID},
		})
	})
	if err != nil {
		return fmt.Errorf("keep the partner's application: %w", err)
	}
	c.forget()
	return nil
}

func (c *Custody) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.access = map[key]cached{}
}

// AuthorizeURL is where the partner's user signs in with MFA and consents. Entra
// ID sends the browser to redirect with a code and the state, which the caller
// must recognise as its own.
// https://learn.microsoft.com/partner-center/developer/enable-secure-app-model
func (c *Custody) AuthorizeURL(ctx context.Context, redirect, state string) (string, error) {
	row, err := c.row(ctx, c.tenant())
	if err != nil {
		return "", err
	}
	q := url.Values{
		"client_id": {row.AppID}, "response_type": {"code"}, "response_mode": {"query"}, "redirect_uri": {redirect}, "state": {state},
		"scope": {c.scope()}, "prompt": {"login"}, // a session that is open already may be without MFA
	}
	return c.pipe.Config().SignInURL + azure.Path("/%s/oauth2/v2.0/authorize", row.TenantID) + "?" + q.Encode(), nil
}

func (c *Custody) scope() string {
	return c.pipe.Config().Resource(azure.PartnerCenter) + "/user_impersonation offline_access openid profile"
}

// RedeemCode ends the consent: it turns the code into the refresh token and keeps
// that. A sign-in without MFA, or of another tenant, is refused and nothing is
// kept, so that the consent before it stays in force.
func (c *Custody) RedeemCode(ctx context.Context, by By, redirect, code string) (Partner, error) {
	if c.ring == nil {
		return Partner{}, errNoKey()
	}
	row, err := c.row(ctx, c.tenant())
	if err != nil {
		return Partner{}, err
	}
	g, err := c.ask(ctx, azure.Path("/%s/oauth2/v2.0/token", row.TenantID), row.TenantID, row, form{
		"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "scope": c.scope(),
	})
	if err != nil {
		if e := azure.AsError(err); e != nil && e.Status >= 400 && e.Status < 500 {
			return Partner{}, newAlarm(e.Code, c.now(), err)
		}
		return Partner{}, err
	}
	if g.refresh == "" {
		return Partner{}, fault.New(fault.Invalid, "Entra ID gave no refresh token; the application must be allowed offline_access")
	}
	if proven, said := g.mfa(); said && !proven {
		return Partner{}, newAlarm(noMFA, c.now(), nil)
	}
	person := ""
	for _, t := range []string{g.access, g.id} {
		claims, ok := ReadClaims(t)
		if !ok {
			continue
		}
		if claims.TenantID != "" && !azure.SameID(claims.TenantID, row.TenantID) {
			return Partner{}, fault.New(fault.Invalid, "the sign-in belongs to another tenant (%s) than the partner's; sign in with a user of the partner", claims.TenantID)
		}
		if person == "" {
			person = claims.Person()
		}
	}
	sealed, err := c.ring.Seal(g.refresh, belongs(row.TenantID, "refresh"))
	if err != nil {
		return Partner{}, err
	}
	ctx = context.WithoutCancel(ctx) // the code is spent: what it gave must be kept
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		n, err := q.SetConsent(ctx, sqlc.SetConsentParams{TenantID: row.TenantID, RefreshToken: sealed, ConsentedBy: person, Now: store.Micros(c.now())})
		if err == nil && n == 0 {
			err = errNotConnected()
		}
		if err != nil {
			return err
		}
		if err := q.DropPartnerAccess(ctx, row.TenantID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{
			At: c.now(), Actor: by.Actor, Address: by.Address, Action: "partner.consent", Object: "partner:" + row.TenantID,
			Detail: map[string]string{"by": person},
		})
	})
	if err != nil {
		return Partner{}, fmt.Errorf("keep the partner's consent: %w", err)
	}
	c.forget()
	return c.Partner(ctx)
}

// RefreshIfOlder renews the partner's refresh token if its last renewal is longer
// ago than age, and tells whether it did. It dies after 90 days without use, so a
// job calls this at least weekly and raises the alarm that it returns.
func (c *Custody) RefreshIfOlder(ctx context.Context, age time.Duration) (bool, error) {
	if c.ring == nil {
		return false, errNoKey()
	}
	row, err := c.row(ctx, c.tenant())
	if err != nil {
		return false, err
	}
	if row.RefreshToken == "" || c.now().Sub(store.Time(row.RedeemedAt)) < age {
		return false, nil
	}
	k := key{azure.AppUser, strings.ToLower(row.TenantID), c.pipe.Config().Resource(azure.PartnerCenter)}
	c.mu.Lock()
	delete(c.access, k)
	c.mu.Unlock()
	err = c.db.Tx(ctx, func(tx *store.Tx) error { // else the stored access token would do
		return sqlc.New(tx).DropTenantAccess(ctx, sqlc.DropTenantAccessParams{Partner: row.TenantID, TenantID: k.tenant})
	})
	if err != nil {
		return false, err
	}
	_, err = c.appUser(ctx, row.TenantID, k)
	return err == nil, err
}
