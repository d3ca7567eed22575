package sim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

// registerGraph adds the routes of Microsoft Graph.
func (s *Server) registerGraph() {
	const rel = "/v1.0/tenantRelationships/delegatedAdminRelationships"
	s.delegated("POST "+rel, writes, createRelationship, plainType)
	s.delegated("GET "+rel, reads, listRelationships)
	s.delegated("GET "+rel+"/{relationship}", reads, getRelationship)
	s.delegated("PATCH "+rel+"/{relationship}", writes, updateRelationship)
	s.delegated("DELETE "+rel+"/{relationship}", writes, deleteRelationship)
	s.delegated("POST "+rel+"/{relationship}/requests", writes, requestRelationship)
	s.delegated("GET "+rel+"/{relationship}/requests", reads, listRelationshipRequests)
	s.delegated("GET "+rel+"/{relationship}/requests/{request}", reads, getDelegatedRequest)
	s.delegated("POST "+rel+"/{relationship}/accessAssignments", writes, createAccess)
	s.delegated("GET "+rel+"/{relationship}/accessAssignments", reads, listAccess)
	s.delegated("GET "+rel+"/{relationship}/accessAssignments/{assignment}", reads, getAccess)
	s.delegated("PATCH "+rel+"/{relationship}/accessAssignments/{assignment}", writes, updateAccess)
	s.delegated("DELETE "+rel+"/{relationship}/accessAssignments/{assignment}", writes, deleteAccess)
	s.delegated("GET "+rel+"/{relationship}/operations", reads, listOperations)
	s.delegated("GET "+rel+"/{relationship}/operations/{operation}", reads, getOperation)
	s.on(serviceGraph, "GET /v1.0/organization", needsToken, reads, getOrganization, group(GroupGraph))
	s.on(serviceGraph, "GET /v1.0/servicePrincipals", needsToken, reads, listServicePrincipals, group(GroupGraph))
	s.on(serviceControl, "POST /_sim/relationships/{relationship}/approve", needsNothing, unlocked, func(c *call) reply {
		if err := c.s.ApproveRelationship(c.param("relationship")); err != nil {
			return controlError(err)
		}
		return empty(http.StatusNoContent)
	})
}

// delegated registers a call that a person of the partner makes in the partner
// tenant; an app alone is refused.
func (s *Server) delegated(pattern string, a access, h handler, options ...func(*route)) {
	s.on(serviceGraph, pattern, needsUser, a, func(c *call) reply {
		switch {
		case !c.user():
			return c.odataError(http.StatusForbidden, "Authorization_RequestDenied", "Application-only authorization is not supported: a delegated token with DelegatedAdminRelationship.ReadWrite.All is needed.")
		case !c.partnerTenant(), !c.agent():
			return c.odataError(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
		}
		return h(c)
	}, append([]func(*route){group(GroupGraph)}, options...)...)
}

// context is the @odata.context of an entity or a collection.
func (c *call) context(what string) string {
	return c.s.URL + "/v1.0/tenantRelationships/$metadata#" + what
}

// weakTag writes an etag as Graph does: W/"base64 of a quoted text".
func weakTag(n int64) string {
	h := fmt.Sprintf("%016x", uint64(n)) // #nosec G115 -- a number for an id, its sign means nothing
	text := `"` + h[:8] + "-0000-0200-0000-" + h[8:] + `0000"`
	return `W/"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"`
}

// matches refuses a write whose If-Match is absent or of an older version.
func (c *call) matches(etag int64) *reply {
	given := c.r.Header.Get("If-Match")
	var r reply
	switch {
	case given == "":
		r = c.odataError(http.StatusPreconditionRequired, "preconditionRequired", "The If-Match header is required.")
	case given != "*" && given != weakTag(etag):
		r = c.odataError(http.StatusPreconditionFailed, "preconditionFailed", "The ETag does not match the current version of the resource.")
	default:
		return nil
	}
	return &r
}

func (c *call) badGraph(message string) reply {
	return c.odataError(http.StatusBadRequest, "badRequest", message)
}

// graphPage is Graph's page of values.
type graphPage struct {
	Context string `json:"@odata.context"`
	Count   *int   `json:"@odata.count,omitempty"`
	Next    string `json:"@odata.nextLink,omitempty"`
	Value   any    `json:"value"`
}

// getOrganization is the token's own tenant.
func getOrganization(c *call) reply {
	p := c.s.cfg.Partner
	id, name, domain, country := p.TenantID, p.Name, p.Domain, p.Country
	if cu := c.w.customer(c.who.Tenant); cu != nil {
		id, name, domain, country = cu.ID, cu.Name, cu.Domain, cu.Billing.Address.Country
	}
	return ok(graphPage{Context: c.s.URL + "/v1.0/$metadata#organization", Value: []object{{"id": id, "displayName": name, "countryLetterCode": country,
		"verifiedDomains": []object{{"name": domain, "isDefault": true, "isInitial": true, "type": "Managed"}}}}})
}

// listServicePrincipals knows the applications that the token's tenant consented to
// ($filter=appId eq '…'), and Microsoft's own.
func listServicePrincipals(c *call) reply {
	app := ""
	for _, f := range filters(c.query("$filter")) {
		if strings.EqualFold(f.name, "appId") {
			app = f.value
		}
	}
	out := []object{}
	add := func(appID, id, name string) {
		if app == "" || strings.EqualFold(app, appID) {
			out = append(out, object{"id": id, "appId": appID, "displayName": name, "servicePrincipalType": "Application"})
		}
	}
	if cu := c.w.customer(c.who.Tenant); cu != nil {
		for _, k := range cu.Consents {
			if !c.now.Before(k.Visible) {
				add(k.App, k.Object, k.Name)
			}
		}
	} else if c.partnerTenant() {
		add(c.s.cfg.App.ID, c.s.cfg.App.Object, c.s.cfg.App.Name)
	}
	return ok(graphPage{Context: c.s.URL + "/v1.0/$metadata#servicePrincipals", Value: out})
}
