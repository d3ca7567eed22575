package sim

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// partnerTenant says whether the token is of the partner's own tenant.
func (c *call) partnerTenant() bool { return strings.EqualFold(c.who.Tenant, c.s.cfg.Partner.TenantID) }

// agent says whether the caller is a person of the partner in the Admin agents group.
func (c *call) agent() bool {
	if !c.user() {
		return false
	}
	u := c.s.user(c.who.UPN)
	return u != nil && has(u.Roles, "AdminAgent")
}

// adminAgents is the object id of the partner tenant's AdminAgents group, which is
// the foreign principal of every subscription (AOBO).
func (s *Server) adminAgents() string {
	s.peopleMu.RLock()
	defer s.peopleMu.RUnlock()
	for i := range s.groups {
		if strings.EqualFold(s.groups[i].Name, "AdminAgents") {
			return s.groups[i].ID
		}
	}
	return DefaultAdminAgents
}

// principals are the object ids that the caller acts as in a customer tenant:
// itself, and for a person of the partner the groups it is in at home.
func (c *call) principals() []string {
	ids := []string{c.who.Object}
	if c.who.Home == "" || !strings.EqualFold(c.who.Home, c.s.cfg.Partner.TenantID) {
		return ids
	}
	if c.agent() {
		ids = append(ids, c.s.adminAgents())
	}
	c.s.peopleMu.RLock()
	defer c.s.peopleMu.RUnlock()
	for _, g := range c.s.groups {
		for _, m := range g.Members {
			if strings.EqualFold(m, c.who.UPN) && !has(ids, g.ID) {
				ids = append(ids, g.ID)
			}
		}
	}
	return ids
}

// scopeOf reads a scope at or below a subscription.
func scopeOf(scope string) (subscription string, valid bool) {
	parts := strings.Split(strings.Trim(scope, "/"), "/")
	if len(parts) < 2 || !strings.EqualFold(parts[0], "subscriptions") {
		return "", false
	}
	return parts[1], true
}

// covers says whether what is granted at outer holds at inner.
func covers(outer, inner string) bool {
	o, i := strings.ToLower(strings.TrimRight(outer, "/")), strings.ToLower(strings.TrimRight(inner, "/"))
	return o == i || o == "" || strings.HasPrefix(i, o+"/")
}

func (sub *AzureSubscription) path() string { return "/subscriptions/" + sub.ID }

// found resolves a subscription for the caller's tenant, without asking for a right.
func (c *call) found(id string) (*AzureSubscription, *reply) {
	var r reply
	if uuid.Validate(id) != nil {
		r = armError(http.StatusBadRequest, "InvalidSubscriptionId", "The provided subscription identifier '"+id+"' is malformed or invalid.")
		return nil, &r
	}
	sub := c.w.azure[strings.ToLower(id)]
	if sub == nil || c.now.Before(sub.arm.readable) {
		r = armError(http.StatusNotFound, "SubscriptionNotFound", "The subscription '"+id+"' could not be found.")
		return nil, &r
	}
	if !strings.EqualFold(c.who.Tenant, sub.Customer.ID) {
		message := "The access token is from the wrong issuer '" + c.who.Issuer + "'. It must match the tenant 'https://sts.windows.net/" + sub.Customer.ID +
			"/' associated with this subscription. Please use the authority (URL) '" + c.s.URL + "/" + sub.Customer.ID +
			"' to get the token. Note, if the subscription is transferred to another tenant there is no impact to the services, but information about new tenant could take time to propagate (up to an hour)."
		r = armError(http.StatusUnauthorized, "InvalidAuthenticationTokenTenant", message).with("WWW-Authenticate",
			`Bearer authorization_uri="`+c.s.URL+"/"+sub.Customer.ID+`", error="invalid_token", error_description="The access token is from the wrong issuer."`)
		return nil, &r
	}
	return sub, nil
}

// at resolves a scope for an action that the caller must hold there; an action that
// is not a read needs an enabled subscription.
func (c *call) at(scope, action string) (*AzureSubscription, *reply) {
	id, valid := scopeOf(scope)
	if !valid {
		r := armError(http.StatusNotFound, "InvalidScope", "The scope '"+scope+"' is not simulated: only subscriptions and what is below them.")
		return nil, &r
	}
	sub, refusal := c.found(id)
	if refusal != nil {
		return nil, refusal
	}
	if !c.may(sub, action, scope) {
		r := c.unauthorized(action, scope)
		return nil, &r
	}
	if !strings.HasSuffix(strings.ToLower(action), "/read") && sub.Status.at(c.now) != "active" {
		r := armError(http.StatusConflict, "ReadOnlyDisabledSubscription",
			"The subscription '"+sub.ID+"' is disabled and therefore marked as read only. You cannot perform any write actions on this subscription until it is re-enabled.")
		return nil, &r
	}
	return sub, nil
}

// unauthorized is the 403 of a missing role; after a change of roles it is the sign
// of one that does not act yet.
func (c *call) unauthorized(action, scope string) reply {
	client := c.who.App
	if c.user() {
		client = c.who.UPN
	}
	return armError(http.StatusForbidden, "AuthorizationFailed", "The client '"+client+"' with object id '"+c.who.Object+
		"' does not have authorization to perform action '"+action+"' over scope '"+scope+
		"' or the scope is invalid. If access was recently granted, please refresh your credentials.")
}

// may says whether a role of the caller that acts by now allows the action.
func (c *call) may(sub *AzureSubscription, action, scope string) bool {
	ids := c.principals()
	for _, ra := range sub.arm.assignments {
		if c.now.Before(ra.Acts) || !covers(ra.Scope, scope) || !holdsPrincipal(ids, ra.Principal) {
			continue
		}
		if d := sub.Customer.role(ra.Role); d != nil && d.allows(action) {
			return true
		}
	}
	return false
}

func holdsPrincipal(ids []string, id string) bool {
	for _, x := range ids {
		if strings.EqualFold(x, id) {
			return true
		}
	}
	return false
}
