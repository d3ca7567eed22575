package partner

import (
	"regexp"
	"strings"
)

// Microsoft is who the partner is at Microsoft and where Microsoft is. The
// secrets that go with it are kept sealed elsewhere (azure/token).
type Microsoft struct {
	Version int64 `json:"version"` // set when read; 0 = the default, never saved

	Tenant           string `json:"tenant"`             // the partner's tenant id
	AppID            string `json:"app_id"`             // the multi-tenant application of this installation
	MPNID            string `json:"mpn_id"`             // Microsoft AI Cloud Partner Program location id
	GDAPGroup        string `json:"gdap_group"`         // security group that gets the delegated roles
	Country          string `json:"country"`            // of the CSP program tenant, ISO 3166 alpha-2
	DomainSuffix     string `json:"domain_suffix"`      // below which customers' domains are made
	LoginURL         string `json:"login_url"`          // "" = the cloud's own, likewise below
	PartnerCenterURL string `json:"partner_center_url"` //
	GraphURL         string `json:"graph_url"`
	ARMURL           string `json:"arm_url"`
	AttestationURL   string `json:"attestation_url"`
	PortalURL        string `json:"portal_url"` // the Azure portal, for links
}

// DefaultMicrosoft is the public cloud, with no partner named yet.
func DefaultMicrosoft() Microsoft {
	return Microsoft{Country: "US", DomainSuffix: "onmicrosoft.com", PortalURL: "https://portal.azure.com"}
}

var (
	guid   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	digits = regexp.MustCompile(`^[0-9]{1,12}$`)
	domain = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	iso    = regexp.MustCompile(`^[A-Z]{2}$`)
)

// Check names everything that is wrong at once. Ids may be empty until the
// partner is connected.
func (m Microsoft) Check() error {
	var all refusals
	for _, f := range []struct{ field, name, value string }{
		{"tenant", "The partner's tenant id", m.Tenant},
		{"app_id", "The application id", m.AppID},
		{"gdap_group", "The security group's id", m.GDAPGroup},
	} {
		if f.value != "" && !guid.MatchString(f.value) {
			all.add(f.field, f.name+" is not an id.", "Copy it from the Azure portal; it looks like 3f0c1c0e-5b0f-4c57-9d0e-6f1d6f1f3b11, in small letters.")
		}
	}
	if m.MPNID != "" && !digits.MatchString(m.MPNID) {
		all.add("mpn_id", "The partner location id is not a number.", "Copy it from Partner Center, Account settings, Identifiers.")
	}
	if !iso.MatchString(m.Country) {
		all.add("country", "The partner's country is not a country code.", "Use the two capital letters of ISO 3166, like US.")
	}
	if !domain.MatchString(m.DomainSuffix) || strings.HasPrefix(m.DomainSuffix, "-") {
		all.add("domain_suffix", "The domain suffix is not a domain.", "In the public cloud it is onmicrosoft.com.")
	}
	all.link("login_url", "The sign-in address", m.LoginURL)
	all.link("partner_center_url", "The address of Partner Center", m.PartnerCenterURL)
	all.link("graph_url", "The address of Microsoft Graph", m.GraphURL)
	all.link("arm_url", "The address of Azure Resource Manager", m.ARMURL)
	all.link("attestation_url", "The address of the attestation page", m.AttestationURL)
	all.link("portal_url", "The address of the Azure portal", m.PortalURL)
	return all.err()
}
