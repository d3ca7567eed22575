package sim

import (
	"net/http"
	"strings"
	"unicode/utf8"
)

func (s *Server) registerDomains() {
	pc := servicePartnerCenter
	s.on(pc, "HEAD /v1/domains/{domain}", needsToken, reads, headDomain, salesAgents)
	s.on(pc, "GET /v1/countryvalidationrules/{country}", needsToken, reads, getCountryRules, salesAgents)
	s.on(pc, "POST /v1/validations/address", needsToken, reads, validateAddress, salesAgents, neverReplayed)
	s.on(pc, "GET /v1/compliance/csp/agreementstatus", needsUser, reads, getAgreementStatus, salesAgents)
}

// headDomain answers 200 for a domain that somebody has, 404 for a free one.
func headDomain(c *call) reply {
	if _, taken := c.w.domains[foldDomain(c.param("domain"))]; taken {
		return empty(http.StatusOK)
	}
	return empty(http.StatusNotFound)
}

// addressFault is what is wrong with an address, and where.
type addressFault struct {
	text   string
	fields []string
}

// badAddress checks an address against lengths and the country's rules; person says
// that it must name one.
func badAddress(a Address, person bool) *addressFault {
	long := func(s string, most int) bool { return utf8.RuneCountInString(s) > most }
	bad := func(text string, fields ...string) *addressFault { return &addressFault{text, fields} }
	r := countryRules(a.Country)
	switch {
	case len(a.Country) != 2:
		return bad("The country must be a two-letter ISO code.", "Country")
	case r == nil:
		return bad("The country "+a.Country+" is not valid.", "Country")
	case a.AddressLine1 == "" || long(a.AddressLine1, 200):
		return bad("The first address line must have 1 to 200 characters.", "AddressLine1")
	case long(a.AddressLine2, 200):
		return bad("The second address line must have at most 200 characters.", "AddressLine2")
	case a.City == "" && !cityState(r.ISO2):
		return bad("The city is missing.", "City")
	case r.NeedState && a.State == "":
		return bad("StateInvalid: the state is required.", "State")
	case a.State != "" && (!r.hasState(a.State) || (r.States == "" && long(a.State, 2))):
		return bad("StateInvalid: the state "+a.State+" is not known in "+r.ISO2+".", "State")
	case r.ISO2 == "US" && a.Region != "":
		return bad("StateInvalid: region is not used in the United States.", "Region")
	case r.postal != nil && !r.postal.MatchString(a.PostalCode):
		return bad("The postal code does not have the format "+r.Postal+".", "PostalCode")
	case person && (a.FirstName == "" || long(a.FirstName, 50)):
		return bad("The first name must have 1 to 50 characters.", "FirstName")
	case person && (a.LastName == "" || long(a.LastName, 50)):
		return bad("The last name must have 1 to 50 characters.", "LastName")
	}
	return nil
}

// AddressRule decides what the address validation says about an address: every part
// that is set must be contained in the address, compared without case. The first
// rule that fits counts. The control API can put rules in front.
type AddressRule struct {
	Country string         `json:"country,omitempty"`
	Line    string         `json:"addressLine1,omitempty"`
	City    string         `json:"city,omitempty"`
	Postal  string         `json:"postalCode,omitempty"`
	Status  string         `json:"status"`
	Message string         `json:"validationMessage,omitempty"`
	Suggest []AddressParts `json:"suggest,omitempty"` // what to replace; empty = no suggestion
}

// AddressParts replaces the parts that are set.
type AddressParts struct {
	Line1  string `json:"addressLine1,omitempty"`
	City   string `json:"city,omitempty"`
	State  string `json:"state,omitempty"`
	Postal string `json:"postalCode,omitempty"`
}

// The statuses of partner-center §3.1.
const (
	addressShippable   = "VerifiedShippable"
	addressVerified    = "Verified"
	addressInteraction = "InteractionRequired"
	addressStreet      = "StreetPartial"
	addressPremises    = "PremisesPartial"
	addressMultiple    = "Multiple"
	addressNone        = "None"
	addressNot         = "NotValidated"
)

// defaultAddressRules know the samples' address and one case of every status.
var defaultAddressRules = []AddressRule{
	{Country: "US", Line: "1 Microsoft Way", City: "Redmond", Postal: "98052", Status: addressShippable, Suggest: []AddressParts{{Postal: "98052-8300"}}},
	{Country: "US", City: "Redmund", Status: addressInteraction, Message: "The city was corrected.", Suggest: []AddressParts{{City: "Redmond"}}},
	{Country: "US", City: "Redmond", Postal: "98025", Status: addressInteraction, Message: "The postal code does not belong to the city.", Suggest: []AddressParts{{Postal: "98052"}}},
	{Country: "US", City: "Seatle", Status: addressInteraction, Message: "The city was corrected.", Suggest: []AddressParts{{City: "Seattle"}}},
	{Country: "US", City: "Seattle", Postal: "10001", Status: addressInteraction, Message: "The postal code does not belong to the city.", Suggest: []AddressParts{{Postal: "98101"}}},
	{Country: "DE", City: "Münschen", Status: addressInteraction, Message: "The city was corrected.", Suggest: []AddressParts{{City: "München"}}},
	{Country: "GB", City: "Londan", Status: addressInteraction, Message: "The city was corrected.", Suggest: []AddressParts{{City: "London"}}},
	{Line: "Nowhere", Status: addressNone, Message: "The address could not be found."},
	{Line: "Unknown Street", Status: addressStreet, Message: "The street could not be found."},
	{Line: "Any Number", Status: addressPremises, Message: "The house number could not be found."},
	{Line: "Twin Street", Status: addressMultiple, Message: "Several addresses fit.", Suggest: []AddressParts{{Line1: "1 North Twin Street"}, {Line1: "1 South Twin Street"}}},
	{Line: "Uncharted", Status: addressNot, Message: "Addresses in this area cannot be validated."},
}

func (r AddressRule) fits(a Address) bool {
	in := func(part, whole string) bool {
		return part == "" || strings.Contains(strings.ToLower(whole), strings.ToLower(part))
	}
	return (r.Country == "" || strings.EqualFold(r.Country, a.Country)) && in(r.Line, a.AddressLine1) && in(r.City, a.City) && in(r.Postal, a.PostalCode)
}

type validationBody struct {
	Original  Address   `json:"originalAddress"`
	Suggested []Address `json:"suggestedAddresses"`
	Status    string    `json:"status"`
	Message   string    `json:"validationMessage,omitempty"`
}

// validateAddress answers POST /v1/validations/address. It reads nothing but the
// address and the rules, so the same address always gets the same answer.
func validateAddress(c *call) reply {
	var a Address
	if err := c.decode(&a); err != nil {
		return malformed(err)
	}
	if a.Country == "" || a.AddressLine1 == "" {
		return pcError(http.StatusBadRequest, 2007, "The address is not valid: a required property is missing.", "Country", "AddressLine1")
	}
	a.Country = strings.ToUpper(a.Country)
	out := validationBody{Original: a, Suggested: []Address{}}
	if countryRules(a.Country) == nil {
		out.Status, out.Message = addressNot, "Addresses in "+a.Country+" cannot be validated."
		return ok(out)
	}
	if bad := badAddress(a, false); bad != nil {
		out.Status, out.Message = addressNone, bad.text+" ("+strings.Join(bad.fields, ", ")+")"
		return ok(out)
	}
	for _, r := range c.w.addressRules {
		if r.fits(a) {
			out.Status, out.Message = r.Status, r.Message
			for _, p := range r.Suggest {
				s := a
				s.AddressLine1, s.City = or(p.Line1, a.AddressLine1), or(p.City, a.City)
				s.State, s.PostalCode = or(p.State, a.State), or(p.Postal, a.PostalCode)
				out.Suggested = append(out.Suggested, s)
			}
			return ok(out)
		}
	}
	out.Status, out.Suggested = addressShippable, append(out.Suggested, a)
	if a.PostalCode == "" {
		out.Status = addressVerified
	}
	return ok(out)
}

// getAgreementStatus says whether a reseller has signed the partner agreement.
func getAgreementStatus(c *call) reply {
	mpn, tenant := c.query("mpnId"), c.query("tenantId")
	if mpn == "" && tenant == "" {
		return pcError(http.StatusBadRequest, 2001, "A required parameter is missing: mpnId or tenantId.")
	}
	p := c.s.cfg.Partner
	signed := mpn == p.MPN || (mpn == "" && strings.EqualFold(tenant, p.TenantID)) ||
		(mpn != "" && c.w.reseller(mpn) != nil) || (mpn == "" && c.w.reseller(tenant) != nil)
	if !signed {
		code := 2200
		if mpn == "" {
			code = 2205
		}
		return pcError(http.StatusBadRequest, code, "The partner is not known.", "mpnId", "tenantId")
	}
	return ok(map[string]bool{"isAgreementSigned": true})
}
