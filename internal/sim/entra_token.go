package sim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// refreshToken is what a partner user's consent is worth. Redeeming one gives the
// next; the old one works for the grace period, then it is refused.
type refreshToken struct {
	UPN     string
	App     string
	MFA     bool
	Tenant  string // home tenant of the person
	Used    time.Time
	Issued  time.Time
	Rotated time.Time // when its successor was made
	Revoked int       // AADSTS code it is refused with, 0 = alive
}

// authCode is an authorization code, good for one redemption within 10 minutes.
type authCode struct {
	UPN, App, Redirect, Tenant string
	MFA, Used                  bool
	At                         time.Time
}

func (s *Server) registerEntra() {
	for _, form := range []string{"oauth2/token", "oauth2/v2.0/token"} {
		s.on(serviceEntra, "POST /{tenant}/"+form, needsNothing, writes, issueToken)
	}
	for _, form := range []string{"oauth2/authorize", "oauth2/v2.0/authorize"} {
		s.on(servicePage, "GET /{tenant}/"+form, needsNothing, reads, authorizePage)
		s.on(servicePage, "POST /{tenant}/"+form, needsNothing, writes, authorizeForm)
	}
	s.on(serviceEntra, "GET /{tenant}/v2.0/.well-known/openid-configuration", needsNothing, reads, openIDConfiguration)
	s.on(serviceEntra, "GET /{tenant}/.well-known/openid-configuration", needsNothing, reads, openIDConfiguration)
	s.on(serviceEntra, "GET /common/discovery/instance", needsNothing, reads, discoverInstance)
	s.on(serviceEntra, "GET /{tenant}/discovery/v2.0/keys", needsNothing, reads, func(*call) reply {
		return ok(map[string]any{"keys": []any{}}) // tokens are checked by the simulator alone
	})
}

func openIDConfiguration(c *call) reply {
	t := c.param("tenant")
	base, login := c.s.URL+"/"+t, c.s.URL
	if c.s.PlainURL != "" {
		login = c.s.PlainURL // people sign in on the plain listener: no browser knows the test CA
	}
	return ok(map[string]any{
		"issuer":                                base + "/v2.0",
		"authorization_endpoint":                login + "/" + t + "/oauth2/v2.0/authorize",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"HS256"},
		"tenant_region_scope":                   nil,
		"cloud_instance_name":                   "simulated",
	})
}

func discoverInstance(c *call) reply {
	host := strings.TrimPrefix(c.s.URL, "https://")
	tenant := c.s.cfg.Partner.TenantID
	if u, err := url.Parse(c.query("authorization_endpoint")); err == nil {
		if p := strings.Split(strings.Trim(u.Path, "/"), "/"); p[0] != "" {
			tenant = p[0]
		}
	}
	return ok(map[string]any{
		"tenant_discovery_endpoint": c.s.URL + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []any{map[string]any{"preferred_network": host, "preferred_cache": host, "aliases": []string{host}}},
	})
}

// grant is a request to the token endpoint, in its v1 or v2 form.
type grant struct {
	form     url.Values
	v2       bool
	tenant   string    // GUID of the tenant that is to issue the token
	customer *Customer // when that is a customer's
	resource string    // application id of the resource
	audience string    // as the token will name it
}

// issueToken answers POST /{tenant}/oauth2[/v2.0]/token.
func issueToken(c *call) reply {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return c.entraError(http.StatusBadRequest, "invalid_request", 900144, "The request body could not be read.")
	}
	g := grant{form: form, v2: strings.Contains(strings.ToLower(c.route.path), "v2.0")}
	if refusal := c.resolveTenant(&g); refusal != nil {
		return *refusal
	}
	if refusal := c.resolveResource(&g); refusal != nil {
		return *refusal
	}
	if refusal := c.authenticateApp(form); refusal != nil {
		return *refusal
	}
	switch form.Get("grant_type") {
	case "client_credentials":
		return c.appToken(g)
	case "refresh_token":
		return c.redeemRefreshToken(g)
	case "authorization_code":
		return c.redeemCode(g)
	case "password":
		return c.entraError(http.StatusBadRequest, "invalid_grant", 50076,
			"Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.")
	case "":
		return c.entraError(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
	}
	return c.entraError(http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+form.Get("grant_type")+"'.")
}

// resolveTenant finds the tenant named in the path by id, domain, or common.
func (c *call) resolveTenant(g *grant) *reply {
	name := strings.ToLower(c.param("tenant"))
	p := c.s.cfg.Partner
	switch {
	case name == strings.ToLower(p.TenantID), name == strings.ToLower(p.Domain), name == "common", name == "organizations":
		g.tenant = p.TenantID
		return nil
	}
	id := name
	if owner, known := c.w.domains[name]; known {
		id = owner
	}
	if cu := c.w.customers[id]; cu != nil {
		g.tenant, g.customer = cu.ID, cu
		return nil
	}
	if c.w.strangers[id] != nil {
		r := c.entraError(http.StatusBadRequest, "unauthorized_client", 700016,
			"Application with identifier '"+g.form.Get("client_id")+"' was not found in the directory '"+id+"'.")
		return &r
	}
	r := c.entraError(http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+name+"' not found.")
	return &r
}

// resolveResource reads which application the token is for: resource in the v1
// form, the first scope of a resource in the v2 form.
func (c *call) resolveResource(g *grant) *reply {
	name := g.form.Get("resource")
	if g.v2 {
		for scope := range strings.FieldsSeq(g.form.Get("scope")) {
			if i := strings.LastIndexByte(scope, '/'); i > len("https://") || (i > 0 && !strings.HasPrefix(scope, "https://")) {
				name = strings.TrimRight(scope[:i], "/")
				break
			}
		}
	}
	if name == "" && g.form.Get("grant_type") != "client_credentials" {
		name = ResourceAADGraph // a token without a resource is one of the directory's own
	}
	g.resource, g.audience = resourceOf(name), name
	if g.resource == "" {
		r := c.entraError(http.StatusBadRequest, "invalid_resource", 500011,
			"The resource principal named "+name+" was not found in the tenant named "+g.tenant+".")
		return &r
	}
	return nil
}

// authenticateApp checks client id and secret, in the form or as basic credentials.
func (c *call) authenticateApp(form url.Values) *reply {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, password, basic := c.r.BasicAuth(); basic {
		id, secret = user, password
		form.Set("client_id", id)
	}
	app := c.s.cfg.App
	var r reply
	switch {
	case !strings.EqualFold(id, app.ID):
		r = c.entraError(http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '"+id+"' was not found in the directory.")
	case secret == "":
		r = c.entraError(http.StatusUnauthorized, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	case secret != app.Secret:
		r = c.entraError(http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided.")
	default:
		return nil
	}
	return &r
}

// consented answers whether the app is known in the customer tenant and may use
// the resource there; a fresh consent needs its time to be known everywhere.
func (c *call) consented(g grant, user bool) *reply {
	k := g.customer.consent(c.s.cfg.App.ID)
	var r reply
	switch {
	case k == nil && !user, k != nil && c.now.Before(k.Visible) && !user:
		r = c.entraError(http.StatusBadRequest, "unauthorized_client", 700016,
			"Application with identifier '"+c.s.cfg.App.ID+"' was not found in the directory '"+g.customer.Name+"'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.")
	case k == nil, c.now.Before(k.Visible):
		r = c.entraError(http.StatusBadRequest, "invalid_grant", 65001,
			"The user or administrator has not consented to use the application with ID '"+c.s.cfg.App.ID+"' named '"+c.s.cfg.App.Name+"'. Send an interactive authorization request for this user and resource.")
	case user && !k.covers(g.resource):
		r = c.entraError(http.StatusBadRequest, "invalid_grant", 65001,
			"The user or administrator has not consented to use the application with ID '"+c.s.cfg.App.ID+"' for the resource '"+g.audience+"'.")
	default:
		return nil
	}
	return &r
}

func (k *Consent) covers(resource string) bool {
	for _, g := range k.Grants {
		if strings.EqualFold(g.Enterprise, resource) {
			return true
		}
	}
	return false
}

// appToken is the app's own token: of the partner tenant, or of a customer tenant
// where it has a service principal. That principal's object id differs per tenant.
func (c *call) appToken(g grant) reply {
	object := c.s.cfg.App.Object
	if g.customer != nil {
		if refusal := c.consented(g, false); refusal != nil {
			return *refusal
		}
		object = g.customer.consent(c.s.cfg.App.ID).Object
	}
	return c.token(g, &claims{Object: object, Subject: object, Type: "app"}, "")
}

// reaches says whether a partner user can get a token of the customer tenant: by a
// directory role through GDAP, or by AOBO, the Owner role that every subscription
// gives to the partner's Admin agents.
func (c *call) reaches(cu *Customer, upn string) bool {
	if len(c.w.directoryRoles(c.s, cu, upn, c.now)) > 0 {
		return true
	}
	u := c.s.user(upn)
	if u == nil || !has(u.Roles, "AdminAgent") {
		return false
	}
	for _, p := range cu.Plans {
		for _, a := range p.Azure {
			if !c.now.Before(a.Listed) {
				return true
			}
		}
	}
	return false
}

// redeemRefreshToken gives a token in the name of the person who consented.
func (c *call) redeemRefreshToken(g grant) reply {
	value := g.form.Get("refresh_token")
	t := c.w.refresh[value]
	set := c.s.settings()
	switch {
	case value == "":
		return c.entraError(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'refresh_token'.")
	case t == nil || t.App != c.s.cfg.App.ID:
		return c.entraError(http.StatusBadRequest, "invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
	case t.Revoked != 0:
		return c.entraError(http.StatusBadRequest, grantError(t.Revoked), t.Revoked, revokedText[t.Revoked])
	case c.now.Sub(t.Used) > set.RefreshLife.or(90*24*time.Hour):
		return c.entraError(http.StatusBadRequest, "invalid_grant", 700082,
			"The refresh token has expired due to inactivity. The token was issued on "+stamp(t.Issued)+" and was inactive for 90.00:00:00.")
	case !t.Rotated.IsZero() && c.now.Sub(t.Rotated) > c.s.Clock.Real(max(0, set.RefreshGrace.or(5*time.Minute))):
		return c.entraError(http.StatusBadRequest, "invalid_grant", 70000, "Provided grant is invalid or malformed: it was replaced by a newer one.")
	case !t.Rotated.IsZero() && set.RefreshGrace < 0:
		return c.entraError(http.StatusBadRequest, "invalid_grant", 70000, "Provided grant is invalid or malformed: it was replaced by a newer one.")
	}
	if g.customer != nil && t.Tenant != g.customer.ID {
		if !c.reaches(g.customer, t.UPN) {
			return c.entraError(http.StatusBadRequest, "invalid_grant", 50020,
				"User account '"+t.UPN+"' from identity provider '"+t.Tenant+"' does not exist in tenant '"+g.customer.Name+"' and cannot access the application in that tenant.")
		}
		if refusal := c.consented(g, true); refusal != nil {
			return *refusal
		}
	}
	t.Used = c.now
	next := c.newRefreshToken(t.UPN, t.Tenant, t.MFA)
	if t.Rotated.IsZero() {
		t.Rotated = c.now
	}
	return c.userToken(g, t.UPN, t.Tenant, t.MFA, next)
}

// revokedText explains why a grant died; the codes are those of partner-center §2.1.
var revokedText = map[int]string{
	50076:  "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.",
	50078:  "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access the resource.",
	50079:  "The user is required to use multi-factor authentication.",
	50173:  "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
	53003:  "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
	700082: "The refresh token has expired due to inactivity.",
}

func grantError(code int) string {
	if code == 50076 || code == 50078 || code == 50079 {
		return "interaction_required"
	}
	return "invalid_grant"
}

func (c *call) newRefreshToken(upn, tenant string, mfa bool) string {
	if len(c.w.refresh)%256 == 255 { // replaced long ago: refused either way
		for k, t := range c.w.refresh {
			if !t.Rotated.IsZero() && c.now.Sub(t.Rotated) > 24*time.Hour {
				delete(c.w.refresh, k)
			}
		}
	}
	value := "0.sim-" + c.s.newID() + c.s.newID()
	c.w.refresh[value] = &refreshToken{UPN: upn, App: c.s.cfg.App.ID, MFA: mfa, Tenant: tenant, Issued: c.now, Used: c.now}
	return value
}

// redeemCode turns the code of a sign-in into tokens, once.
func (c *call) redeemCode(g grant) reply {
	code := c.w.codes[g.form.Get("code")]
	switch {
	case code == nil || code.App != c.s.cfg.App.ID:
		return c.entraError(http.StatusBadRequest, "invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
	case code.Used:
		return c.entraError(http.StatusBadRequest, "invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	case c.now.Sub(code.At) > 10*time.Minute:
		return c.entraError(http.StatusBadRequest, "invalid_grant", 70008, "The provided authorization code or refresh token has expired due to inactivity.")
	case g.form.Get("redirect_uri") != "" && g.form.Get("redirect_uri") != code.Redirect:
		return c.entraError(http.StatusBadRequest, "invalid_client", 500112, "The reply address '"+g.form.Get("redirect_uri")+"' does not match the reply address '"+code.Redirect+"' provided when requesting Authorization code.")
	}
	code.Used = true
	if g.tenant != code.Tenant && g.customer == nil {
		if cu := c.w.customers[code.Tenant]; cu != nil {
			g.tenant, g.customer = cu.ID, cu
		}
	}
	return c.userToken(g, code.UPN, code.Tenant, code.MFA, c.newRefreshToken(code.UPN, code.Tenant, code.MFA))
}

// userToken is a token in the name of a person.
func (c *call) userToken(g grant, upn, home string, mfa bool, refresh string) reply {
	who := &claims{Type: "user", UPN: upn, Name: upn, AMR: []string{"pwd"}, Scope: "user_impersonation"}
	if mfa {
		who.AMR = []string{"pwd", "mfa"}
	}
	if u := c.s.user(upn); u != nil {
		who.Object, who.Name = u.ID, u.Name
	} else if cu := c.w.customers[home]; cu != nil {
		who.Object = cu.memberID(upn)
	}
	who.Subject = who.Object
	if home != g.tenant {
		who.Home = home
	}
	if g.customer != nil && home != g.tenant {
		if k := g.customer.consent(c.s.cfg.App.ID); k != nil {
			for _, x := range k.Grants {
				if strings.EqualFold(x.Enterprise, g.resource) {
					who.Scope = strings.Join(x.Scopes, " ")
				}
			}
		}
	}
	return c.token(g, who, refresh)
}

// token signs the claims and writes the answer in the form that was asked for: the
// v1 endpoint sends every number as text, the v2 endpoint as a number.
func (c *call) token(g grant, who *claims, refresh string) reply {
	life := c.s.Clock.Real(c.s.settings().TokenLife.or(time.Hour))
	who.Audience, who.Tenant, who.App = g.audience, g.tenant, c.s.cfg.App.ID
	who.Issuer, who.Version = "https://sts.windows.net/"+g.tenant+"/", "1.0"
	who.IssuedAt, who.NotBefore = c.now.Unix(), c.now.Add(-5*time.Minute).Unix()
	who.Expires = c.now.Add(life).Unix()
	expiresIn := int64(life / time.Second)
	access := c.s.sign(who)
	if g.v2 {
		out := struct {
			Type    string `json:"token_type"`
			Scope   string `json:"scope,omitempty"`
			In      int64  `json:"expires_in"`
			ExtIn   int64  `json:"ext_expires_in"`
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token,omitempty"`
			ID      string `json:"id_token,omitempty"`
		}{"Bearer", "", expiresIn, expiresIn, access, refresh, ""}
		if who.Type == "user" {
			out.Scope = strings.TrimRight(g.audience, "/") + "/" + who.Scope
			out.ID = c.s.idToken(who)
		}
		return ok(out)
	}
	out := struct {
		Type      string `json:"token_type"`
		Scope     string `json:"scope,omitempty"`
		In        string `json:"expires_in"`
		ExtIn     string `json:"ext_expires_in"`
		On        string `json:"expires_on"`
		NotBefore string `json:"not_before"`
		Resource  string `json:"resource"`
		Access    string `json:"access_token"`
		Refresh   string `json:"refresh_token,omitempty"`
		ID        string `json:"id_token,omitempty"`
	}{"Bearer", "", strconv.FormatInt(expiresIn, 10), strconv.FormatInt(expiresIn, 10), strconv.FormatInt(who.Expires, 10),
		strconv.FormatInt(who.NotBefore, 10), g.audience, access, refresh, ""}
	if who.Type == "user" {
		out.Scope, out.ID = who.Scope, c.s.idToken(who)
	}
	return ok(out)
}

// idToken says who signed in; nobody checks its signature.
func (s *Server) idToken(who *claims) string {
	body, err := json.Marshal(map[string]any{
		"aud": who.App, "iss": who.Issuer, "iat": who.IssuedAt, "exp": who.Expires, "oid": who.Object, "sub": who.Subject,
		"tid": or(who.Home, who.Tenant), "upn": who.UPN, "name": who.Name, "preferred_username": who.UPN, "amr": who.AMR, "ver": "1.0",
	})
	if err != nil { // plain values always marshal
		return ""
	}
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"none"}`))
	return head + "." + base64.RawURLEncoding.EncodeToString(body) + "."
}
