package partnercenter

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"causeway/internal/azure"
	"causeway/internal/fault"
)

// Relationship of a customer to the partner.
const (
	RelationshipReseller = "reseller"
	RelationshipNone     = "none"
)

// Customer is a company at Microsoft. Its id is the id of its Entra tenant.
type Customer struct {
	ID                    string         `json:"id,omitempty"`
	CommerceID            string         `json:"commerceId,omitempty"`
	CompanyProfile        CompanyProfile `json:"companyProfile,omitzero"`
	BillingProfile        BillingProfile `json:"billingProfile,omitzero"`
	RelationshipToPartner string         `json:"relationshipToPartner,omitempty"`
	AllowDelegatedAccess  *bool          `json:"allowDelegatedAccess,omitempty"` // read by id only
	UserCredentials       *Credentials   `json:"userCredentials,omitempty"`      // in the answer to the creation only, once
	CustomDomains         []string       `json:"customDomains,omitempty"`
	AssociatedPartnerID   string         `json:"associatedPartnerId,omitempty"` // of an indirect reseller
	EnableGDAPByDefault   *bool          `json:"enableGDAPByDefault,omitempty"` // false: no directory rights at all; absent is true
	Links                 Links          `json:"links,omitempty"`
	Attributes            Attributes     `json:"attributes,omitzero"`
}

// Credentials of the tenant's first administrator: shown once, never again.
type Credentials struct {
	UserName string       `json:"userName"`
	Password azure.Secret `json:"password"`
}

// CompanyProfile is who the customer is.
type CompanyProfile struct {
	TenantID                       string     `json:"tenantId,omitempty"`
	Domain                         string     `json:"domain,omitempty"` // contoso.onmicrosoft.com; permanent
	CompanyName                    string     `json:"companyName,omitempty"`
	OrganizationRegistrationNumber string     `json:"organizationRegistrationNumber,omitempty"` // required in 23 countries
	Address                        *Address   `json:"address,omitempty"`
	Email                          string     `json:"email,omitempty"`
	Links                          Links      `json:"links,omitempty"`
	Attributes                     Attributes `json:"attributes,omitzero"`
}

// BillingProfile is where the customer is and whom to write to.
type BillingProfile struct {
	ID             string     `json:"id,omitempty"`
	FirstName      string     `json:"firstName,omitempty"`
	LastName       string     `json:"lastName,omitempty"`
	Email          string     `json:"email,omitempty"`
	Culture        string     `json:"culture,omitempty"` // en-US
	Language       string     `json:"language,omitempty"`
	CompanyName    string     `json:"companyName,omitempty"`
	DefaultAddress Address    `json:"defaultAddress,omitzero"`
	Links          Links      `json:"links,omitempty"`
	Attributes     Attributes `json:"attributes,omitzero"`

	// Raw is the resource as it was read; a PUT sends it back with our changes.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the members that we do not know.
func (p *BillingProfile) UnmarshalJSON(b []byte) error {
	type plain BillingProfile
	if err := json.Unmarshal(b, (*plain)(p)); err != nil {
		return err
	}
	p.Raw = append(json.RawMessage(nil), b...)
	return nil
}

// Address in Microsoft's form. Country is ISO 3166-1 alpha-2 (GB, not UK); State
// at most two letters; Region must not be sent for the US.
type Address struct {
	Country      string `json:"country,omitempty"`
	Region       string `json:"region,omitempty"`
	City         string `json:"city,omitempty"`
	State        string `json:"state,omitempty"`
	AddressLine1 string `json:"addressLine1,omitempty"`
	AddressLine2 string `json:"addressLine2,omitempty"`
	PostalCode   string `json:"postalCode,omitempty"`
	FirstName    string `json:"firstName,omitempty"`
	LastName     string `json:"lastName,omitempty"`
	MiddleName   string `json:"middleName,omitempty"`
	PhoneNumber  string `json:"phoneNumber,omitempty"`
}

// CreateCustomer opens a tenant. The same request id gets the first answer again,
// which alone carries the administrator's password.
// https://learn.microsoft.com/partner-center/developer/create-a-customer
func (c *Client) CreateCustomer(ctx context.Context, request azure.RequestID, in Customer) (Customer, error) {
	in.UserCredentials = nil // a password of ours is refused
	var out Customer
	_, err := c.send(ctx, azure.AppOnly, request, "customers", "", http.MethodPost, "/v1/customers", "", in, &out)
	return out, err
}

// CustomerQuery narrows the list of customers. Filter fields: CompanyName,
// Domain, IndirectReseller, IndirectCloudSolutionProvider.
type CustomerQuery struct {
	Size   int // of a page, 0 = Microsoft's default
	Filter Filter
}

// Customers lists the partner's customers, page by page as it is read.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-customers
func (c *Client) Customers(ctx context.Context, query CustomerQuery) iter.Seq2[Customer, error] {
	q := url.Values{}
	if query.Size > 0 {
		q.Set("size", strconv.Itoa(query.Size))
	}
	if err := query.Filter.query(q); err != nil {
		return failed[Customer](err)
	}
	return pages[Customer](ctx, c, azure.AppOnly, "customers", "", "/v1/customers", q)
}

// CustomersFrom reads one page of the customers: the first, or the one that a
// link of the page before leads to. A nil link ends the list. The link can be
// kept, so that a long list goes on after a pause.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-customers
func (c *Client) CustomersFrom(ctx context.Context, size int, from *Link) ([]Customer, *Link, error) {
	call := azure.Call{
		Service: azure.PartnerCenter, As: azure.AppOnly, Group: "customers", Method: http.MethodGet, Path: "/v1/customers",
		Query: url.Values{"size": {strconv.Itoa(size)}},
	}
	if from != nil {
		call.Path, call.Query, call.Header = follow(from.URI), nil, from.header()
	}
	var page Collection[Customer]
	call.Out = &page
	if _, err := c.pipe.Do(ctx, call); err != nil {
		return nil, nil, err
	}
	next, ok := page.Links["next"]
	if !ok {
		return page.Items, nil, nil
	}
	if from != nil && next.mark() == from.mark() {
		return nil, nil, fault.New(fault.Unavailable, "Microsoft Partner Center gave the same page twice in a list")
	}
	return page.Items, &next, nil
}

// CustomersByDomain finds customers whose domain begins with a text. Only the
// onmicrosoft.com domain is known to the filter, not the company's own.
// https://learn.microsoft.com/partner-center/developer/get-a-customer-by-name
func (c *Client) CustomersByDomain(ctx context.Context, prefix string) ([]Customer, error) {
	return all(c.Customers(ctx, CustomerQuery{Size: 100, Filter: Filter{Field: "Domain", Value: prefix, Operator: "starts_with"}}))
}

// Customer reads one customer.
// https://learn.microsoft.com/partner-center/developer/get-a-customer-by-id
func (c *Client) Customer(ctx context.Context, id string) (Customer, error) {
	var out Customer
	err := c.get(ctx, azure.AppOnly, "customers", id, azure.Path("/v1/customers/%s", id), nil, &out)
	return out, err
}

// CompanyProfile reads who the customer is. Without GDAP address, e-mail and own
// domains may be withheld.
// https://learn.microsoft.com/partner-center/developer/get-a-customer-s-company-profile
func (c *Client) CompanyProfile(ctx context.Context, customer string) (CompanyProfile, error) {
	var out CompanyProfile
	err := c.get(ctx, azure.AppUser, "customers", customer, azure.Path("/v1/customers/%s/profiles/company", customer), nil, &out)
	return out, err
}

// BillingProfile reads the customer's billing profile with its etag.
// https://learn.microsoft.com/partner-center/developer/get-a-customer-s-billing-profile
func (c *Client) BillingProfile(ctx context.Context, customer string) (BillingProfile, error) {
	var out BillingProfile
	err := c.get(ctx, azure.AppOnly, "customers", customer, azure.Path("/v1/customers/%s/profiles/billing", customer), nil, &out)
	return out, err
}

// UpdateBillingProfile writes the profile as it was read, with our changes and
// its etag; an outdated one is refused with code 2055.
// https://learn.microsoft.com/partner-center/developer/update-a-customer-s-billing-profile
func (c *Client) UpdateBillingProfile(ctx context.Context, request azure.RequestID, customer string, in BillingProfile) (BillingProfile, error) {
	body, err := overlay(in.Raw, map[string]any{
		"firstName": in.FirstName, "lastName": in.LastName, "email": in.Email, "culture": in.Culture,
		"language": in.Language, "companyName": in.CompanyName, "defaultAddress": in.DefaultAddress,
	})
	if err != nil {
		return BillingProfile{}, azure.NotSent(err)
	}
	var out BillingProfile
	_, err = c.send(ctx, azure.AppOnly, request, "customers", customer, http.MethodPut, azure.Path("/v1/customers/%s/profiles/billing", customer), in.Attributes.ETag, body, &out)
	return out, err
}

// EndRelationship ends reselling to the customer. All its subscriptions must be
// suspended or cancelled first.
// https://learn.microsoft.com/partner-center/developer/remove-a-reseller-relationship-with-a-customer
func (c *Client) EndRelationship(ctx context.Context, request azure.RequestID, customer string) (Customer, error) {
	in := Customer{RelationshipToPartner: RelationshipNone, Attributes: Attributes{ObjectType: "Customer"}}
	var out Customer
	_, err := c.send(ctx, azure.AppUser, request, "customers", customer, http.MethodPatch, azure.Path("/v1/customers/%s", customer), "", in, &out)
	return out, err
}

// DeleteCustomer removes a customer from the integration sandbox; production
// refuses. Entitlements must be cancelled and the plan suspended.
// https://learn.microsoft.com/partner-center/developer/delete-a-customer-account-from-the-integration-sandbox
func (c *Client) DeleteCustomer(ctx context.Context, request azure.RequestID, customer string) error {
	_, err := c.send(ctx, azure.AppOnly, request, "customers", customer, http.MethodDelete, azure.Path("/v1/customers/%s", customer), "", nil, nil)
	return err
}

// Account validation: whether Microsoft lets the customer buy.
const (
	AccountAllowed     = "Allowed"
	AccountUnderReview = "UnderReview" // days
	AccountNotAllowed  = "NotAllowed"
	AccountUnknown     = "Unknown"
	AccountNotReady    = "NotReady"
)

// AccountValidationStatus is Microsoft's verdict on a customer's account.
type AccountValidationStatus struct {
	Type               string     `json:"type"`
	Status             string     `json:"status"`
	LastUpdateDateTime azure.Time `json:"lastUpdateDateTime,omitzero"`
}

// AccountStatus reads Microsoft's verdict on the account. Code 600074 (404) means
// that there is no record: not blocked.
// https://learn.microsoft.com/partner-center/developer/retrieve-validation-status
func (c *Client) AccountStatus(ctx context.Context, customer string) (AccountValidationStatus, error) {
	var out AccountValidationStatus
	err := c.get(ctx, azure.AppUser, "customer", customer, azure.Path("/v1/customers/%s/validationStatus", customer), url.Values{"type": {"account"}}, &out)
	return out, err
}

// Qualification of a customer for an offer of its kind.
type Qualification struct {
	Qualification    string     `json:"qualification"` // Education, GovernmentCommunityCloud, StateOwnedEntity, None
	EducationSegment string     `json:"educationSegment,omitempty"`
	Website          string     `json:"website,omitempty"`
	ValidationCode   string     `json:"validationCode,omitempty"`
	VettingStatus    string     `json:"vettingStatus,omitempty"` // InReview, Approved, Denied
	VettingReason    string     `json:"vettingReason,omitempty"`
	VettingCreated   azure.Time `json:"vettingCreatedDate,omitzero"`
}

// UnmarshalJSON reads both spellings of the date: POST answers vettingCreateDate.
func (q *Qualification) UnmarshalJSON(b []byte) error {
	type plain Qualification
	v := struct {
		*plain
		VettingCreateDate azure.Time `json:"vettingCreateDate"`
	}{plain: (*plain)(q)}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if q.VettingCreated.IsZero() {
		q.VettingCreated = v.VettingCreateDate
	}
	return nil
}

// Qualifications lists a customer's qualifications.
// https://learn.microsoft.com/partner-center/developer/get-customer-qualification-asynchronous
func (c *Client) Qualifications(ctx context.Context, customer string) ([]Qualification, error) {
	return all(pages[Qualification](ctx, c, azure.AppUser, "customer", customer, azure.Path("/v1/customers/%s/qualifications", customer), nil))
}

// AddQualification asks for a qualification; vetting takes days.
// https://learn.microsoft.com/partner-center/developer/update-customer-qualification-asynchronous
func (c *Client) AddQualification(ctx context.Context, request azure.RequestID, customer string, in Qualification) (Qualification, error) {
	var out Qualification
	_, err := c.send(ctx, azure.AppUser, request, "customer", customer, http.MethodPost, azure.Path("/v1/customers/%s/qualifications", customer), "", in, &out)
	return out, err
}
