package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Resource application ids that tokens can be asked for (partner-center §2.3).
const (
	ResourcePartnerCenter = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"
	ResourceARM           = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
	ResourceGraph         = "00000003-0000-0000-c000-000000000000"
	ResourceAADGraph      = "00000002-0000-0000-c000-000000000000"
	ResourcePartnerAPI    = "4990cffe-04e8-4e8b-808a-1175604b879f" // price sheets
)

// resourceOf names the application behind a resource or audience, "" if unknown.
func resourceOf(audience string) string {
	switch strings.TrimRight(strings.ToLower(audience), "/") {
	case "https://api.partnercenter.microsoft.com", "https://partner.partnercenterapi.microsoftonline.cn", ResourcePartnerCenter:
		return ResourcePartnerCenter
	case "https://management.azure.com", "https://management.core.windows.net", "https://management.chinacloudapi.cn",
		"https://management.core.chinacloudapi.cn", ResourceARM:
		return ResourceARM
	case "https://graph.microsoft.com", "https://microsoftgraph.chinacloudapi.cn", ResourceGraph:
		return ResourceGraph
	case "https://graph.windows.net", ResourceAADGraph:
		return ResourceAADGraph
	case "https://api.partner.microsoft.com", ResourcePartnerAPI:
		return ResourcePartnerAPI
	}
	return ""
}

// claims are what an access token of the simulator says.
type claims struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	AMR       []string `json:"amr,omitempty"`
	App       string   `json:"appid"`
	Type      string   `json:"idtyp"` // app, user
	Name      string   `json:"name,omitempty"`
	Object    string   `json:"oid"`
	Scope     string   `json:"scp,omitempty"`
	Subject   string   `json:"sub"`
	Tenant    string   `json:"tid"`
	UPN       string   `json:"upn,omitempty"`
	Home      string   `json:"home,omitempty"` // tenant of the user, where it is not Tenant
	Version   string   `json:"ver"`
}

// MFA says whether the holder signed in with a second factor.
func (c *claims) MFA() bool { return has(c.AMR, "mfa") }

// resource is the application that the token is for.
func (c *claims) resource() string { return resourceOf(c.Audience) }

var tokenHead = base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"HS256","kid":"sim"}`))

// sign makes a token that reads like Microsoft's: three parts, claims in the middle.
func (s *Server) sign(c *claims) string {
	body, err := json.Marshal(c)
	if err != nil { // strings and numbers always marshal
		return ""
	}
	text := tokenHead + "." + base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(s.mac(text))
}

func (s *Server) mac(text string) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// verify reads a token of ours; nil when it is not one.
func (s *Server) verify(token string) *claims {
	i := strings.LastIndexByte(token, '.')
	if i < 0 || !strings.HasPrefix(token, tokenHead) || i <= len(tokenHead) {
		return nil
	}
	sum, err := base64.RawURLEncoding.DecodeString(token[i+1:])
	if err != nil || !hmac.Equal(sum, s.mac(token[:i])) {
		return nil
	}
	body, err := base64.RawURLEncoding.DecodeString(token[len(tokenHead)+1 : i])
	if err != nil {
		return nil
	}
	c := &claims{}
	if json.Unmarshal(body, c) != nil {
		return nil
	}
	return c
}

// authenticate checks the token against what the route asks for: ours, not expired,
// for this service, of a tenant it serves, of the right kind, with MFA. It returns
// the refusal, or nil.
func (c *call) authenticate(hit []Fault) *reply {
	if c.route.needs == needsNothing {
		return nil
	}
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return c.refuseToken("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	who := c.s.verify(token)
	if who == nil {
		return c.refuseToken("InvalidAuthenticationToken", "The access token is invalid.")
	}
	if !c.now.Before(time.Unix(who.Expires, 0)) || find(hit, ExpireToken) != nil {
		return c.refuseToken("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")
	}
	if !c.takes(who) {
		return c.refuseToken("InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource '"+who.Audience+"'.")
	}
	if find(hit, LoseMFA) != nil {
		who.AMR = []string{"pwd"}
	}
	c.who = who
	switch c.route.service {
	case servicePartnerCenter:
		return c.authenticatePartner()
	case servicePrices:
		return c.authenticatePrices()
	case serviceGraph:
		if who.Tenant == c.s.cfg.Partner.TenantID && c.user() && !who.MFA() && !c.s.settings().AllowNoMFA {
			return c.refuseToken("InvalidAuthenticationToken", "Multi-factor authentication is required.")
		}
	case serviceARM:
		if c.user() && who.Home == "" && who.Tenant == c.s.cfg.Partner.TenantID && !who.MFA() && !c.s.settings().AllowNoMFA {
			return c.refuseToken("InvalidAuthenticationToken", "Multi-factor authentication is required.")
		}
	}
	return nil
}

func (c *call) takes(who *claims) bool {
	switch got := who.resource(); c.route.service {
	case servicePartnerCenter:
		// The pages ask for graph.windows.net in app-only tokens of Partner Center.
		return got == ResourcePartnerCenter || (got == ResourceAADGraph && who.Type == "app")
	case serviceGraph:
		return got == ResourceGraph
	case serviceARM:
		return got == ResourceARM
	case servicePrices:
		return got == ResourcePartnerAPI || got == ResourcePartnerCenter
	}
	return true
}

// authenticatePartner holds Partner Center's own rules: the partner's tenant, the
// kind of token, MFA, the role of the person.
func (c *call) authenticatePartner() *reply {
	who := c.who
	if c.r.Header.Get("ValidateMfa") != "" {
		c.mfaHeader = "false"
		if who.MFA() {
			c.mfaHeader = "true"
		}
	}
	if who.Tenant != c.s.cfg.Partner.TenantID {
		r := pcError(http.StatusForbidden, 2032, "Access denied")
		return &r
	}
	switch {
	case c.route.needs == needsUser && who.Type == "app":
		r := pcError(http.StatusForbidden, 900329, "The app only token is not supported for this API. Use app+user token.")
		return &r
	case c.route.needs == needsApp && who.Type == "user":
		r := pcError(http.StatusBadRequest, 900316, "The token type is not valid for this API. Use an app only token.")
		return &r
	}
	if who.Type != "user" {
		return nil
	}
	if !who.MFA() && !c.s.settings().AllowNoMFA {
		r := pcError(http.StatusUnauthorized, 900421, "Multi-factor authentication is required for this request.").
			with("WWW-Authenticate", `Bearer error="invalid_token", error_description="MFA required"`)
		return &r
	}
	u := c.s.user(who.UPN)
	if u == nil || !has(u.Roles, "AdminAgent") && (!c.route.sales || !has(u.Roles, "SalesAgent")) {
		r := pcError(http.StatusForbidden, 900150, "The role of the user does not have the right for this operation.")
		return &r
	}
	return nil
}

// refuseToken is the 401 of the route's service.
func (c *call) refuseToken(code, message string) *reply {
	var r reply
	switch c.route.service {
	case servicePartnerCenter:
		if code == "AuthenticationFailed" {
			r = pcError(http.StatusUnauthorized, 800001, "Partner Token missing in request context")
		} else {
			r = pcError(http.StatusUnauthorized, 400, "Access denied")
		}
		r = r.with("WWW-Authenticate", "Bearer")
	case serviceGraph:
		if code != "AuthenticationFailed" {
			code = "InvalidAuthenticationToken"
		}
		r = c.odataError(http.StatusUnauthorized, code, message).with("WWW-Authenticate", "Bearer")
	default:
		if code == "InvalidAuthenticationTokenAudience" {
			code = "InvalidAuthenticationToken"
		}
		r = armError(http.StatusUnauthorized, code, message).with("WWW-Authenticate",
			`Bearer authorization_uri="`+c.s.URL+"/"+c.s.cfg.Partner.TenantID+`", error="invalid_token", error_description="`+message+`"`)
	}
	return &r
}
