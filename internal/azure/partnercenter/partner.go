package partnercenter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"causeway/internal/azure"
	"causeway/internal/fault"
)

// OrganizationProfile is the partner's own tenant.
type OrganizationProfile struct {
	ID             string  `json:"id"`
	CompanyName    string  `json:"companyName"`
	DefaultAddress Address `json:"defaultAddress"`
	TenantID       string  `json:"tenantId"`
	Domain         string  `json:"domain"`
	Email          string  `json:"email"`
	Language       string  `json:"language"`
	Culture        string  `json:"culture"`
	ProfileType    string  `json:"profileType"`
}

// MPNProfile is a partner's place in the partner network.
type MPNProfile struct {
	PartnerName string     `json:"partnerName"`
	MPNID       azure.Text `json:"mpnId"`
	PartnerID   azure.Text `json:"partnerId"` // other spelling of mpnId
	ProfileType string     `json:"profileType"`
}

// Number is the MPN id under either spelling.
func (p MPNProfile) Number() string {
	if p.MPNID != "" {
		return string(p.MPNID)
	}
	return string(p.PartnerID)
}

// LegalBusinessProfile is the partner's legal entity and Microsoft's vetting of it.
type LegalBusinessProfile struct {
	CompanyName          string  `json:"companyName"`
	Address              Address `json:"address"`
	PrimaryContact       Contact `json:"primaryContact"`
	CompanyApproverEmail string  `json:"companyApproverEmail"`
	VettingStatus        string  `json:"vettingStatus"` // none, pending, authorized, rejected
	VettingSubStatus     string  `json:"vettingSubStatus"`
}

// PartnerBillingProfile says in what currency Microsoft bills the partner.
type PartnerBillingProfile struct {
	CompanyName         string  `json:"companyName"`
	Address             Address `json:"address"`
	PrimaryContact      Contact `json:"primaryContact"`
	PurchaseOrderNumber string  `json:"purchaseOrderNumber"`
	TaxID               string  `json:"taxId"`
	BillingCurrency     string  `json:"billingCurrency"`
	ProfileType         string  `json:"profileType"`
}

// OrganizationProfile reads the partner's own tenant.
// https://learn.microsoft.com/partner-center/developer/get-an-organization-profile
func (c *Client) OrganizationProfile(ctx context.Context) (OrganizationProfile, error) {
	var out OrganizationProfile
	err := c.get(ctx, azure.AppUser, "partner", "", "/v1/profiles/organization", nil, &out)
	return out, err
}

// MPNProfile reads a partner by its MPN id, our own if it is ""; an unknown one is
// code 3000.
// https://learn.microsoft.com/partner-center/developer/get-partner-by-mpn-id
func (c *Client) MPNProfile(ctx context.Context, mpnID string) (MPNProfile, error) {
	q := url.Values{}
	if mpnID != "" {
		q.Set("mpnId", mpnID)
	}
	var out MPNProfile
	err := c.get(ctx, azure.AppUser, "partner", "", "/v1/profiles/mpn", q, &out)
	return out, err
}

// LegalBusinessProfile reads the partner's legal entity.
// https://learn.microsoft.com/partner-center/developer/get-legal-business-profile
func (c *Client) LegalBusinessProfile(ctx context.Context) (LegalBusinessProfile, error) {
	var out LegalBusinessProfile
	err := c.get(ctx, azure.AppUser, "partner", "", "/v1/profiles/legalbusiness", url.Values{"vettingVersion": {"Current"}}, &out)
	return out, err
}

// PartnerBillingProfile reads how Microsoft bills the partner.
// https://learn.microsoft.com/partner-center/developer/get-the-partner-billing-profile
func (c *Client) PartnerBillingProfile(ctx context.Context) (PartnerBillingProfile, error) {
	var out PartnerBillingProfile
	err := c.get(ctx, azure.AppUser, "partner", "", "/v1/profiles/billing", nil, &out)
	return out, err
}

// RelationshipRequestURL is the link by which the global administrator of an
// existing tenant accepts us as reseller.
// https://learn.microsoft.com/partner-center/developer/request-reseller-relationship
func (c *Client) RelationshipRequestURL(ctx context.Context) (string, error) {
	var out struct{ URL string }
	err := c.get(ctx, azure.AppUser, "customers", "", "/v1/customers/relationshiprequests", nil, &out)
	return out.URL, err
}

// PartnerRelationship joins the partner to another.
type PartnerRelationship struct {
	ID               string     `json:"id"`
	Name             string     `json:"name"`
	MPNID            azure.Text `json:"mpnId"`
	PartnerID        azure.Text `json:"partnerId"`
	Location         string     `json:"location"`
	RelationshipType string     `json:"relationshipType"`
	State            string     `json:"state"`
}

// Relationships lists the partner's relationships of a type, e.g.
// IsIndirectCloudSolutionProviderOf.
// https://learn.microsoft.com/partner-center/developer/retrieve-a-list-of-indirect-resellers
func (c *Client) Relationships(ctx context.Context, relationshipType string) ([]PartnerRelationship, error) {
	return all(pages[PartnerRelationship](ctx, c, azure.AppUser, "partner", "", "/v1/relationships", url.Values{"relationship_type": {relationshipType}}))
}

// CustomerRelationships lists the indirect resellers of a customer.
// https://learn.microsoft.com/partner-center/developer/get-indirect-resellers-of-a-customer
func (c *Client) CustomerRelationships(ctx context.Context, customer string) ([]PartnerRelationship, error) {
	return all(pages[PartnerRelationship](ctx, c, azure.AppUser, "customer", customer, azure.Path("/v1/customers/%s/relationships", customer), nil))
}

// MFAAdoption counts the requests of an application with and without MFA.
type MFAAdoption struct {
	LoginDate                azure.Time `json:"loginDate,omitzero"`
	MFACompliantRequestCount azure.Int  `json:"mfaCompliantRequestCount"`
	TotalRequestCount        azure.Int  `json:"totalRequestCount"`
	ApplicationID            string     `json:"applicationId"`
	ApplicationName          string     `json:"applicationName"`
}

// MFAAdoption lists how many requests of our applications carried MFA, by day.
// https://learn.microsoft.com/partner-center/developer/get-api-request-summary
func (c *Client) MFAAdoption(ctx context.Context) ([]MFAAdoption, error) {
	return all(pages[MFAAdoption](ctx, c, azure.AppUser, "partner", "", "/v1/applicationmfaadoptionstatus", nil))
}

// PartnerRequest is one request as Microsoft's MFA report knows it.
type PartnerRequest struct {
	RequestID       string     `json:"requestId"`
	CorrelationID   string     `json:"correlationId"`
	OperationName   string     `json:"operationName"`
	RequestDateTime azure.Time `json:"requestDateTime,omitzero"`
	IPAddress       string     `json:"ipAddress"`
	ObjectID        string     `json:"objectId"`
	TenantID        string     `json:"tenantId"`
	UPN             string     `json:"upn"`
	ApplicationID   string     `json:"applicationId"`
	MFACompliant    bool       `json:"mfaCompliant"`
}

// PartnerRequests lists single requests of the MFA report.
// https://learn.microsoft.com/partner-center/developer/get-api-request-details
func (c *Client) PartnerRequests(ctx context.Context) ([]PartnerRequest, error) {
	return all(pages[PartnerRequest](ctx, c, azure.AppUser, "partner", "", "/v1/partnerRequests", nil))
}

// CheckMFA asks Partner Center whether the user's token carries MFA, by one cheap
// call with ValidateMfa. Code 900421 is the same answer once it is enforced.
// https://learn.microsoft.com/partner-center/developer/partner-center-authentication
func (c *Client) CheckMFA(ctx context.Context) (bool, error) {
	a, err := c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: azure.AppUser, Group: "partner", Method: http.MethodGet,
		Path: "/v1/profiles/organization", Header: http.Header{"ValidateMfa": {"true"}}, Out: new(json.RawMessage),
	})
	if azure.HasCode(err, azure.CodeNoMFA) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch v := azure.First(a.Header, "isMfaCompliant"); strings.ToLower(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fault.New(fault.Unavailable, "Microsoft Partner Center did not say whether the sign-in had MFA")
}
