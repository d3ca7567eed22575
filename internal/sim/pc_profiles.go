package sim

import (
	"fmt"
	"net/http"
	"strings"
)

func (s *Server) registerPartnerProfiles() {
	pc := servicePartnerCenter
	s.on(pc, "GET /v1/profiles/mpn", needsUser, reads, getMPNProfile, salesAgents)
	s.on(pc, "GET /v1/profiles/organization", needsUser, reads, getOrganizationProfile, salesAgents)
	s.on(pc, "GET /v1/profiles/legalbusiness", needsUser, reads, getLegalProfile)
	s.on(pc, "GET /v1/profiles/billing", needsUser, reads, getPartnerBillingProfile)
	s.on(pc, "GET /v1/profiles/support", needsUser, reads, getSupportProfile)
	s.on(pc, "GET /v1/applicationmfaadoptionstatus", needsUser, reads, getMFAStatus)
	s.on(pc, "GET /v1/partnerRequests", needsUser, reads, func(*call) reply { return ok([]any{}) })
	s.on(pc, "GET /v1/nonMfaCompliantPartnerPrincipals", needsUser, reads, getWeakPrincipals)
}

// getMPNProfile answers for the partner itself and its resellers; others are 404 3000.
func getMPNProfile(c *call) reply {
	p := c.s.cfg.Partner
	id, name := or(c.query("mpnId"), p.MPN), p.Name
	if id != p.MPN {
		r := c.w.reseller(id)
		if r == nil || r.MPN != id {
			return pcError(http.StatusNotFound, 3000, fmt.Sprintf("Partner Organization with partner_id %s could not be found", id))
		}
		name = r.Name
	}
	return ok(struct {
		Name      string      `json:"partnerName"`
		MPN       string      `json:"mpnId"`
		Type      string      `json:"profileType"`
		Links     *selfLinks  `json:"links"`
		Attribute *attributes `json:"attributes"`
	}{name, id, "mpn_profile", self("/profiles/mpn"), &attributes{Type: "MpnProfile"}})
}

// home is the partner's own address, by country.
func (p Partner) home() Address {
	phone := "4255550199"
	a := Address{Country: p.Country, City: "Redmond", State: "WA", AddressLine1: "1 Partner Plaza", PostalCode: "98052", FirstName: "Partner", LastName: "Owner", PhoneNumber: &phone}
	if p.Country != "US" {
		a.State, a.City, a.PostalCode = "", "Partner City", ""
	}
	return a
}

func getOrganizationProfile(c *call) reply {
	p := c.s.cfg.Partner
	r := countryRules(p.Country)
	culture := "en-US"
	if r != nil {
		culture = r.Culture
	}
	language, _, _ := strings.Cut(culture, "-")
	return ok(struct {
		ID        string      `json:"id"`
		Company   string      `json:"companyName"`
		Address   Address     `json:"defaultAddress"`
		Tenant    string      `json:"tenantId"`
		Domain    string      `json:"domain"`
		Email     string      `json:"email"`
		Language  string      `json:"language"`
		Culture   string      `json:"culture"`
		Type      string      `json:"profileType"`
		Links     *selfLinks  `json:"links"`
		Attribute *attributes `json:"attributes"`
	}{p.TenantID, p.Name, p.home(), p.TenantID, p.Domain, p.Email, language, culture, "organization_profile",
		self("/profiles/organization"), &attributes{Type: "OrganizationProfile"}})
}

type contactBody struct {
	First string `json:"firstName"`
	Last  string `json:"lastName"`
	Email string `json:"email"`
	Phone string `json:"phoneNumber,omitempty"`
}

func getLegalProfile(c *call) reply {
	p := c.s.cfg.Partner
	return ok(struct {
		Company   string      `json:"companyName"`
		Address   Address     `json:"address"`
		Contact   contactBody `json:"primaryContact"`
		Approver  Address     `json:"companyApproverAddress"`
		Email     string      `json:"companyApproverEmail"`
		Status    string      `json:"vettingStatus"`
		Sub       string      `json:"vettingSubStatus"`
		Type      string      `json:"profileType"`
		Links     *selfLinks  `json:"links"`
		Attribute *attributes `json:"attributes"`
	}{p.Name, p.home(), contactBody{"Partner", "Owner", p.Email, "4255550199"}, p.home(), p.Email, "authorized", "none", "legal_business_profile",
		self("/profiles/legalbusiness"), &attributes{Type: "LegalBusinessProfile"}})
}

func getPartnerBillingProfile(c *call) reply {
	p := c.s.cfg.Partner
	return ok(struct {
		Company   string      `json:"companyName"`
		Address   Address     `json:"address"`
		Contact   contactBody `json:"primaryContact"`
		PO        string      `json:"purchaseOrderNumber"`
		Tax       string      `json:"taxId"`
		Currency  string      `json:"billingCurrency"`
		Type      string      `json:"profileType"`
		Links     *selfLinks  `json:"links"`
		Attribute *attributes `json:"attributes"`
	}{p.Name, p.home(), contactBody{"Partner", "Owner", p.Email, "4255550199"}, "", "", p.Currency, "billing_profile",
		self("/profiles/billing"), &attributes{Etag: "1", Type: "PartnerBillingProfile"}})
}

func getSupportProfile(c *call) reply {
	p := c.s.cfg.Partner
	return ok(struct {
		Email     string      `json:"email"`
		Phone     string      `json:"telephone"`
		Site      string      `json:"website"`
		Type      string      `json:"profileType"`
		Links     *selfLinks  `json:"links"`
		Attribute *attributes `json:"attributes"`
	}{"support@" + p.Domain, "4255550198", "https://" + p.Domain + "/support", "support_profile", self("/profiles/support"), &attributes{Type: "SupportProfile"}})
}

// getMFAStatus counts this application's kept user calls by whether they had MFA.
func getMFAStatus(c *call) reply {
	total, compliant := 0, 0
	for _, k := range c.s.calls.since(0) {
		if strings.HasPrefix(k.Template, "/v1/") {
			total++
			if k.Code != "900421" {
				compliant++
			}
		}
	}
	return ok([]any{map[string]any{
		"loginDate": c.now.Format("2006-01-02") + "T00:00:00Z", "mfaCompliantRequestCount": compliant, "totalRequestCount": total,
		"applicationId": c.s.cfg.App.ID, "applicationName": c.s.cfg.App.Name,
	}})
}

func getWeakPrincipals(c *call) reply {
	out := []any{}
	c.s.peopleMu.RLock()
	defer c.s.peopleMu.RUnlock()
	for _, u := range c.s.people {
		if u.NoMFA {
			out = append(out, map[string]any{"objectId": u.ID, "tenantId": c.s.cfg.Partner.TenantID, "upn": u.UPN, "lastNonMfaCompliantLoginDateTime": stamp(c.now)})
		}
	}
	return ok(out)
}
