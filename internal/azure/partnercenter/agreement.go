package partnercenter

import (
	"context"
	"net/http"
	"net/url"

	"causeway/internal/azure"
)

// CustomerAgreement is the type of the Microsoft Customer Agreement.
const CustomerAgreement = "MicrosoftCustomerAgreement"

// AgreementMetadata names one version of an agreement. The template id changes
// over the years and per cloud: it is always read, never known.
type AgreementMetadata struct {
	TemplateID    string    `json:"templateId"`
	AgreementType string    `json:"agreementType"`
	Type          string    `json:"type,omitempty"` // the page's name for agreementType
	AgreementLink string    `json:"agreementLink"`
	VersionRank   azure.Int `json:"versionRank"`
}

// AgreementDocument is where the text can be read; the links live 5 minutes.
type AgreementDocument struct {
	DisplayURI  string `json:"displayUri"`
	DownloadURI string `json:"downloadUri"`
	Language    string `json:"language"`
	Country     string `json:"country"`
}

// Contact signs an agreement.
type Contact struct {
	FirstName   string `json:"firstName"`
	LastName    string `json:"lastName"`
	Email       string `json:"email"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
	MiddleName  string `json:"middleName,omitempty"`
}

// Agreement is a customer's acceptance as the partner confirms it.
type Agreement struct {
	PrimaryContact Contact    `json:"primaryContact,omitzero"`
	TemplateID     string     `json:"templateId,omitempty"`
	DateAgreed     azure.Time `json:"dateAgreed,omitzero"` // not in the future
	Type           string     `json:"type,omitempty"`
	UserID         string     `json:"userId,omitempty"`
	AgreementLink  string     `json:"agreementLink,omitempty"`
	AttestationID  string     `json:"attestationId,omitempty"` // of the enhanced attestation
}

// EnhancedAttestation asks the customer's signatory to read and accept.
type EnhancedAttestation struct {
	Country              string `json:"country"`  // ISO 3166-1 alpha-2
	Language             string `json:"language"` // en-US
	CompanyName          string `json:"companyName"`
	SignatoryFirstName   string `json:"signatoryFirstName"`
	SignatoryLastName    string `json:"signatoryLastName"`
	SignatoryEmail       string `json:"signatoryEmail"`
	SignatoryPhoneNumber string `json:"signatoryPhoneNumber,omitempty"`
}

// States of an attestation.
const (
	AttestationUnverified = "unverified"
	AttestationPending    = "pending"
	AttestationAccepted   = "accepted"
	AttestationExpired    = "expired"
)

// Attestation is an enhanced attestation on its way.
type Attestation struct {
	AttestationID  string     `json:"attestationId"`
	ID             string     `json:"id,omitempty"` // other spelling of the same
	Status         string     `json:"status"`
	DateAgreed     azure.Time `json:"dateAgreed,omitzero"`
	ExpirationDate azure.Time `json:"expirationDate,omitzero"`
}

// Accepted tells that the signatory accepted.
func (a Attestation) Accepted() bool { return azure.SameWord(a.Status, AttestationAccepted) }

// CreateAttestation begins an enhanced attestation. It takes no user's token, and
// is neither for indirect resellers nor in national clouds.
// https://learn.microsoft.com/partner-center/customers/integrate-sandbox-confirm-customer-accept
func (c *Client) CreateAttestation(ctx context.Context, request azure.RequestID, in EnhancedAttestation) (Attestation, error) {
	var out Attestation
	_, err := c.send(ctx, azure.AppOnly, request, "attestations", "", http.MethodPost, "/v1/attestations/enhanced", "", in, &out)
	return out.named(), err
}

// Attestation reads how far an attestation is.
// https://learn.microsoft.com/partner-center/customers/integrate-sandbox-confirm-customer-accept
func (c *Client) Attestation(ctx context.Context, id string) (Attestation, error) {
	var out Attestation
	err := c.get(ctx, azure.AppOnly, "attestations", "", azure.Path("/v1/attestations/enhanced/%s", id), nil, &out)
	out = out.named()
	if err == nil && out.AttestationID == "" {
		out.AttestationID = id
	}
	return out, err
}

func (a Attestation) named() Attestation {
	if a.AttestationID == "" {
		a.AttestationID, a.ID = a.ID, ""
	}
	return a
}

// AttestationURL is the page on which the signatory reads and accepts; it needs no
// sign-in and may stand in a frame.
func (c *Client) AttestationURL(id string) string {
	return c.pipe.Config().AttestationURL + "?" + url.Values{"attestationid": {id}}.Encode()
}

// AgreementTemplates lists the versions of an agreement; type "" is the older
// cloud agreement, "*" all.
// https://learn.microsoft.com/partner-center/developer/get-customer-agreement-metadata
func (c *Client) AgreementTemplates(ctx context.Context, agreementType string) ([]AgreementMetadata, error) {
	q := url.Values{}
	if agreementType != "" {
		q.Set("agreementType", agreementType)
	}
	list, err := all(pages[AgreementMetadata](ctx, c, azure.AppUser, "agreements", "", "/v1/agreements", q))
	for i := range list {
		if list[i].AgreementType == "" {
			list[i].AgreementType = list[i].Type
		}
	}
	return list, err
}

// AgreementDocument gives links to the text in a language and for a country; the
// country's case matters.
// https://learn.microsoft.com/partner-center/developer/download-customer-agreement-template
func (c *Client) AgreementDocument(ctx context.Context, templateID, language, country string) (AgreementDocument, error) {
	var out AgreementDocument
	q := url.Values{}
	if language != "" {
		q.Set("language", language)
	}
	if country != "" {
		q.Set("country", country)
	}
	err := c.get(ctx, azure.AppUser, "agreements", "", azure.Path("/v1/agreementtemplates/%s/document", templateID), q, &out)
	return out, err
}

// CreateAgreement records the customer's acceptance: with AttestationID after an
// enhanced attestation, with contact, template and date in the legacy form that
// ended in January 2026. Code 600061: the same person accepted already, maybe for
// another customer; read Agreements back before believing it.
// https://learn.microsoft.com/partner-center/developer/confirm-customer-consent-customer-agreement
func (c *Client) CreateAgreement(ctx context.Context, request azure.RequestID, customer string, in Agreement) (Agreement, error) {
	var out Agreement
	_, err := c.send(ctx, azure.AppUser, request, "agreements", customer, http.MethodPost, azure.Path("/v1/customers/%s/agreements", customer), "", in, &out)
	return out, err
}

// Agreements lists the acceptances of one customer. Without a type the customer
// agreement is not listed.
// https://learn.microsoft.com/partner-center/developer/get-confirmation-of-customer-agreement
func (c *Client) Agreements(ctx context.Context, customer, agreementType string) ([]Agreement, error) {
	q := url.Values{}
	if agreementType != "" {
		q.Set("agreementType", agreementType)
	}
	return all(pages[Agreement](ctx, c, azure.AppUser, "agreements", customer, azure.Path("/v1/customers/%s/agreements", customer), q))
}

// DirectlySigned asks whether the customer accepted the agreement by itself.
// https://learn.microsoft.com/partner-center/developer/get-direct-sign-status-of-customer-agreement
func (c *Client) DirectlySigned(ctx context.Context, customer string) (bool, error) {
	var out struct{ IsSigned bool }
	err := c.get(ctx, azure.AppUser, "agreements", customer, azure.Path("/v1/customers/%s/directSignedMicrosoftCustomerAgreementStatus", customer), nil, &out)
	return out.IsSigned, err
}

// ResellerSigned asks whether an indirect reseller, named by MPN id or tenant id
// (one of them), signed the partner agreement.
// https://learn.microsoft.com/partner-center/developer/verify-indirect-reseller-mpa-status
func (c *Client) ResellerSigned(ctx context.Context, mpnID, tenantID string) (bool, error) {
	q := url.Values{}
	if mpnID != "" {
		q.Set("mpnId", mpnID)
	}
	if tenantID != "" {
		q.Set("tenantId", tenantID)
	}
	var out struct{ IsAgreementSigned bool }
	err := c.get(ctx, azure.AppUser, "compliance", "", "/v1/compliance/csp/agreementstatus", q, &out)
	return out.IsAgreementSigned, err
}
