package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/sqlc"
)

// form is what goes to the token endpoint beside application and secret.
type form map[string]string

// granted is its answer.
type granted struct {
	access, refresh, id string
	life                time.Duration
}

// renew is when the token is to be fetched anew: five minutes before its end, but
// of a short life (simulated time) only a tenth.
func (g granted) renew(now time.Time) time.Time {
	return now.Add(g.life - min(skew, g.life/10))
}

// grant asks the token endpoint once, in the form of Entra's first version, whose
// numbers are texts.
// https://learn.microsoft.com/partner-center/developer/partner-center-authentication
func (c *Custody) grant(ctx context.Context, tenant string, row sqlc.PartnerCredential, f form) (granted, error) {
	return c.ask(ctx, azure.Path("/%s/oauth2/token", tenant), tenant, row, f)
}

// ask posts to a token endpoint. The call goes on if its caller gives up: an
// answer that nobody hears is a rotated token lost.
func (c *Custody) ask(ctx context.Context, path, tenant string, row sqlc.PartnerCredential, f form) (granted, error) {
	secret, err := c.ring.Open(row.AppSecret, belongs(row.TenantID, "secret"))
	if err != nil {
		return granted{}, err
	}
	values := url.Values{"client_id": {row.AppID}, "client_secret": {secret}}
	for name, v := range f {
		values.Set(name, v)
	}
	var out struct {
		TokenType    string    `json:"token_type"`
		AccessToken  string    `json:"access_token"`
		RefreshToken string    `json:"refresh_token"`
		IDToken      string    `json:"id_token"`
		ExpiresIn    azure.Int `json:"expires_in"`
	}
	if f["grant_type"] != "client_credentials" {
		ctx = context.WithoutCancel(ctx)
	}
	_, err = c.pipe.Do(ctx, azure.Call{
		Service: azure.Login, As: azure.Nobody, Group: "token", Customer: tenant, Method: http.MethodPost, Path: path,
		Form: values, Out: &out, Timeout: redeemTime,
	})
	if err != nil {
		return granted{}, err
	}
	if out.AccessToken == "" {
		return granted{}, &azure.Error{Service: azure.Login, Method: http.MethodPost, Path: path, Status: http.StatusOK, Unreadable: true, Message: "the answer holds no token"}
	}
	g := granted{access: out.AccessToken, refresh: out.RefreshToken, id: out.IDToken, life: time.Duration(out.ExpiresIn) * time.Second}
	if g.life <= 0 {
		g.life = defaultLife
	}
	return g, nil
}

// belongs is what a sealed secret of a partner is bound to.
func belongs(partner, what string) string { return "partner:" + strings.ToLower(partner) + ":" + what }

// ReadClaims reads what a token says of itself; false if it is opaque.
func ReadClaims(token string) (Claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) < 2 {
		return Claims{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Claims{}, false
	}
	var c Claims
	if json.Unmarshal(b, &c) != nil {
		return Claims{}, false
	}
	return c, true
}

// Person is the user behind the token.
func (c Claims) Person() string {
	for _, name := range []string{c.UPN, c.User, c.Name, c.ObjectID} {
		if name != "" {
			return name
		}
	}
	return ""
}

// mfa tells what the tokens say about MFA: proven, missing, or nothing at all (an
// opaque token); then Partner Center says it (partnercenter.CheckMFA).
func (g granted) mfa() (proven, said bool) {
	for _, t := range []string{g.access, g.id} {
		if c, ok := ReadClaims(t); ok && c.AMR != nil {
			return slices.ContainsFunc(c.AMR, func(s string) bool { return strings.EqualFold(s, "mfa") || strings.EqualFold(s, "ngcmfa") }), true
		}
	}
	return false, false
}
