package sim

import (
	"net/http"
	"strings"
)

func (s *Server) registerConsents() {
	const path = "/v1/customers/{customer}/applicationconsents"
	s.on(servicePartnerCenter, "POST "+path, needsUser, writes, createConsent, group(GroupConsents))
	s.on(servicePartnerCenter, "DELETE "+path+"/{application}", needsUser, writes, deleteConsent, group(GroupConsents))
}

type consentBody struct {
	Application string      `json:"applicationId"`
	Name        string      `json:"displayName,omitempty"`
	Grants      []grantBody `json:"applicationGrants"`
}

type grantBody struct {
	Enterprise string `json:"enterpriseApplicationId"`
	Scope      string `json:"scope"`
}

// consentable resolves {customer} and checks the caller: the token must be the
// application's own, its user needs a role that may consent, through GDAP.
func (c *call) consentable(application string) (*Customer, *reply) {
	cu, refusal := c.related()
	if refusal != nil {
		return nil, refusal
	}
	if !strings.EqualFold(application, c.who.App) {
		r := pcError(http.StatusForbidden, 2032, "Access denied: the application is not the caller", "applicationId")
		return nil, &r
	}
	if c.s.settings().LooseConsent {
		return cu, nil
	}
	for _, role := range c.w.directoryRoles(c.s, cu, c.who.UPN, c.now) {
		if role == RoleCloudApplicationAdmin || role == RoleApplicationAdmin || role == RoleGlobalAdmin {
			return cu, nil
		}
	}
	r := pcError(http.StatusForbidden, 900308, "Insufficient privileges to complete the operation.")
	return nil, &r
}

// createConsent gives the application a service principal and grants in the
// customer tenant; tokens follow when that is known everywhere.
func createConsent(c *call) reply {
	var in consentBody
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	cu, refusal := c.consentable(in.Application)
	if refusal != nil {
		return *refusal
	}
	if len(in.Grants) == 0 {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "applicationGrants")
	}
	var grants []Grant
	for _, g := range in.Grants {
		id := resourceOf(g.Enterprise)
		if id == "" {
			return pcError(http.StatusBadRequest, 3000, "The customer tenant lacks a service principal for the application "+g.Enterprise, "enterpriseApplicationId")
		}
		var scopes []string
		for s := range strings.SplitSeq(g.Scope, ",") {
			if s = strings.TrimSpace(s); s != "" {
				scopes = append(scopes, s)
			}
		}
		if len(scopes) == 0 {
			return pcError(http.StatusBadRequest, 3000, "Invalid property", "scope")
		}
		grants = append(grants, Grant{id, scopes})
	}
	if cu.consent(in.Application) != nil {
		return pcError(http.StatusConflict, 3000, "Permission entry already exists.")
	}
	k := &Consent{App: strings.ToLower(in.Application), Name: in.Name, Object: c.s.newID(), Grants: grants, Created: c.now, Visible: c.after(WaitConsent)}
	cu.Consents = append(cu.Consents, k)
	c.effect(cu.ID, "consent", k.Object, k.Visible)
	c.record("application", "create_application_consent", cu, "", in)
	return created(in)
}

func deleteConsent(c *call) reply {
	cu, refusal := c.consentable(c.param("application"))
	if refusal != nil {
		return *refusal
	}
	for i, k := range cu.Consents {
		if strings.EqualFold(k.App, c.param("application")) {
			cu.Consents = append(cu.Consents[:i], cu.Consents[i+1:]...)
			c.record("application", "delete_application_consent", cu, k.App, nil)
			return empty(http.StatusOK)
		}
	}
	return pcError(http.StatusNotFound, 1000, "Not found")
}
