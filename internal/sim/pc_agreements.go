package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Templates of the agreements; they differ per cloud and change, so clients fetch them.
const (
	templateMCA    = "117a77b0-9360-443b-8795-c6dedc750cf9"
	templateLegacy = "998b88de-aa99-4388-a42c-1b3517d49490"
	agreementMCA   = "MicrosoftCustomerAgreement"
	agreementCloud = "MicrosoftCloudAgreement"
	agreementLink  = "https://aka.ms/customeragreement"
)

func (s *Server) registerAgreements() {
	pc := servicePartnerCenter
	s.on(pc, "GET /v1/agreements", needsUser, reads, listAgreementTemplates, plainType, salesAgents)
	s.on(pc, "GET /v1/agreementtemplates/{template}/document", needsUser, reads, getAgreementDocument, salesAgents)
	s.on(pc, "POST /v1/attestations/enhanced", needsApp, writes, createAttestation)
	s.on(pc, "GET /v1/attestations/enhanced/{attestation}", needsToken, reads, getAttestation)
	s.on(pc, "GET /v1/customers/{customer}/agreements", needsUser, reads, listAgreements, plainType, salesAgents)
	s.on(pc, "POST /v1/customers/{customer}/agreements", needsToken, writes, createAgreement, salesAgents)
	s.on(pc, "GET /v1/customers/{customer}/directSignedMicrosoftCustomerAgreementStatus", needsUser, reads, getDirectSigned, salesAgents)
}

type templateBody struct {
	Template string `json:"templateId"`
	Type     string `json:"agreementType"`
	Link     string `json:"agreementLink"`
	Rank     int    `json:"versionRank"`
}

// listAgreementTemplates: without a filter only the older agreement, * = all.
func listAgreementTemplates(c *call) reply {
	mca := templateBody{templateMCA, agreementMCA, agreementLink, 0}
	cloud := templateBody{templateLegacy, agreementCloud, "https://docs.microsoft.com/partner-center/agreements", 0}
	switch kind := c.query("agreementType"); {
	case kind == "":
		return ok(listing([]templateBody{cloud}))
	case kind == "*":
		return ok(listing([]templateBody{mca, cloud}))
	case strings.EqualFold(kind, agreementMCA):
		return ok(listing([]templateBody{mca}))
	case strings.EqualFold(kind, agreementCloud):
		return ok(listing([]templateBody{cloud}))
	}
	return pcError(http.StatusBadRequest, 3000, "Invalid property", "agreementType")
}

// getAgreementDocument gives links that live for 5 minutes; the country is case sensitive.
func getAgreementDocument(c *call) reply {
	country, language := or(c.query("country"), "US"), or(c.query("language"), "en-US")
	template := strings.ToLower(c.param("template"))
	if template != templateMCA && template != templateLegacy {
		return pcError(http.StatusNotFound, 1000, "Not found")
	}
	if country != strings.ToUpper(country) || countryRules(country) == nil {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "country")
	}
	base := or(c.s.PlainURL, c.s.URL) + "/mca/document/" + template
	query := "?country=" + country + "&language=" + language + "&until=" + stamp(c.now.Add(5*time.Minute))
	return ok(struct {
		Display   string      `json:"displayUri"`
		Download  string      `json:"downloadUri"`
		Language  string      `json:"language"`
		Country   string      `json:"country"`
		Attribute *attributes `json:"attributes"`
	}{base + query, base + query + "&download=true", language, country, &attributes{Type: "AgreementDocument"}})
}

// Attestation is the customer's acceptance of the agreement on Microsoft's own page.
type Attestation struct {
	ID        string    `json:"attestationId"`
	Country   string    `json:"country"`
	Language  string    `json:"language"`
	Company   string    `json:"companyName"`
	First     string    `json:"signatoryFirstName"`
	Last      string    `json:"signatoryLastName"`
	Email     string    `json:"signatoryEmail"`
	Phone     string    `json:"signatoryPhoneNumber,omitempty"`
	Created   time.Time `json:"-"`
	Expires   time.Time `json:"-"`
	Accepted  time.Time `json:"-"`
	Seen      time.Time `json:"-"` // the acceptance is seen by the API
	Viewed    time.Time `json:"-"`
	UsedBy    string    `json:"-"` // customer whose agreement it became
	Agreement *Agreement
}

// status is pending, accepted or expired.
func (a *Attestation) status(now time.Time) string {
	switch {
	case !a.Accepted.IsZero() && !now.Before(a.Seen):
		return "accepted"
	case a.Accepted.IsZero() && !now.Before(a.Expires):
		return "expired"
	}
	return "pending"
}

type attestationBody struct {
	ID        string      `json:"attestationId"`
	Status    string      `json:"status"`
	Country   string      `json:"country"`
	Language  string      `json:"language"`
	Company   string      `json:"companyName"`
	First     string      `json:"signatoryFirstName"`
	Last      string      `json:"signatoryLastName"`
	Email     string      `json:"signatoryEmail"`
	Phone     string      `json:"signatoryPhoneNumber,omitempty"`
	Created   string      `json:"createdDateTime"`
	Expires   string      `json:"expirationDateTime"`
	Accepted  string      `json:"acceptedDateTime,omitempty"`
	URL       string      `json:"attestationUrl"`
	Attribute *attributes `json:"attributes"`
}

func (c *call) attestationBody(a *Attestation) attestationBody {
	out := attestationBody{a.ID, a.status(c.now), a.Country, a.Language, a.Company, a.First, a.Last, a.Email, a.Phone,
		stamp(a.Created), stamp(a.Expires), "", c.s.attestationURL(a.ID), &attributes{Type: "EnhancedAttestation"}}
	if out.Status == "accepted" {
		out.Accepted = stamp(a.Accepted)
	}
	return out
}

// attestationURL is the page that the customer's signatory opens.
func (s *Server) attestationURL(id string) string {
	return or(s.PlainURL, s.URL) + "/mca/?attestationid=" + id
}

// createAttestation answers POST /v1/attestations/enhanced, app-only.
func createAttestation(c *call) reply {
	if c.s.settings().Agreement == AgreementDirect { // as for indirect resellers and national clouds
		return pcError(http.StatusForbidden, 600006, "The requested action is not allowed")
	}
	var in Attestation
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	var missing []string
	for _, m := range []struct{ name, value string }{
		{"country", in.Country}, {"language", in.Language}, {"companyName", in.Company},
		{"signatoryFirstName", in.First}, {"signatoryLastName", in.Last}, {"signatoryEmail", in.Email},
	} {
		if strings.TrimSpace(m.value) == "" {
			missing = append(missing, m.name)
		}
	}
	if len(missing) > 0 {
		return pcError(http.StatusBadRequest, 2001, "A required property is missing: "+strings.Join(missing, ", "), missing...)
	}
	if countryRules(in.Country) == nil {
		return pcError(http.StatusBadRequest, 2000, "The country is malformed: "+in.Country, "country")
	}
	if !strings.Contains(in.Email, "@") {
		return pcError(http.StatusBadRequest, 2000, "The e-mail address is malformed.", "signatoryEmail")
	}
	in.ID, in.Created = c.s.newID(), c.now
	in.Expires = c.now.Add(c.s.settings().AttestationLife.or(30 * 24 * time.Hour))
	c.w.attestations[in.ID] = &in
	return created(c.attestationBody(&in))
}

func getAttestation(c *call) reply {
	a := c.w.attestations[strings.ToLower(c.param("attestation"))]
	if a == nil {
		return pcError(http.StatusNotFound, 1000, "Not found")
	}
	return ok(c.attestationBody(a))
}

// accept is what the signatory does on the page.
func (s *Server) accept(a *Attestation, now time.Time) {
	if a.status(now) == "pending" && a.Accepted.IsZero() {
		a.Accepted, a.Seen = now, s.after(now, WaitAttestation)
	}
}

// Agreement is a confirmation that a customer accepted an agreement.
type Agreement struct {
	Contact     contactBody
	Template    string
	Agreed      time.Time
	Type        string
	User        string // object id of who confirmed
	Attestation string
	Created     time.Time
	Visible     time.Time
}

type agreementBody struct {
	Contact     contactBody `json:"primaryContact"`
	Template    string      `json:"templateId"`
	Agreed      string      `json:"dateAgreed"`
	Type        string      `json:"type"`
	Link        string      `json:"agreementLink"`
	User        string      `json:"userId,omitempty"`
	Attestation string      `json:"attestationId,omitempty"`
}

func (a *Agreement) body(whole bool) agreementBody {
	out := agreementBody{Contact: a.Contact, Template: a.Template, Agreed: a.Agreed.UTC().Format("2006-01-02T15:04:05"), Type: a.Type,
		Link: agreementLink, Attestation: a.Attestation}
	if whole {
		out.User = a.User
	}
	return out
}

// listAgreements lists confirmations; without a type only those of the older agreement.
func listAgreements(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	kind := or(c.query("agreementType"), agreementCloud)
	asOf := c.now.Add(-c.lag(c.faults))
	out := collection[agreementBody]{Items: []agreementBody{}} // the page shows neither links nor attributes
	for _, a := range cu.Agreements {
		if (kind == "*" || strings.EqualFold(kind, a.Type)) && !asOf.Before(a.Visible) {
			out.Items = append(out.Items, a.body(false))
		}
	}
	out.Total = len(out.Items)
	return ok(out)
}

type agreementInput struct {
	Contact struct {
		First string `json:"firstName"`
		Last  string `json:"lastName"`
		Email string `json:"email"`
		Phone string `json:"phoneNumber"`
	} `json:"primaryContact"`
	Template    string `json:"templateId"`
	Agreed      string `json:"dateAgreed"`
	Type        string `json:"type"`
	Attestation string `json:"attestationId"`
}

// createAgreement confirms that the customer accepted: with an attestation that the
// customer accepted on Microsoft's page, or in legacy mode on the partner's word.
func createAgreement(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	var in agreementInput
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	mode := c.s.settings().Agreement
	a := &Agreement{Contact: contactBody{in.Contact.First, in.Contact.Last, in.Contact.Email, in.Contact.Phone},
		Template: or(strings.ToLower(in.Template), templateMCA), Type: or(in.Type, agreementMCA), User: c.who.Object,
		Attestation: strings.ToLower(in.Attestation), Created: c.now, Visible: c.after(WaitAgreement)}
	a.Agreed = c.now
	if in.Agreed != "" {
		at, readable := readDate(in.Agreed)
		if !readable || at.After(c.now.Add(time.Minute)) {
			return pcError(http.StatusBadRequest, 3000, "Invalid property: dateAgreed", "dateAgreed")
		}
		a.Agreed = at
	}
	isMCA := strings.EqualFold(a.Type, agreementMCA)
	if isMCA {
		a.Type = agreementMCA
	}
	switch {
	case isMCA && a.Template != templateMCA, strings.EqualFold(a.Type, agreementCloud) && a.Template != templateLegacy:
		return pcError(http.StatusBadRequest, 3000, "Invalid property: the template is not supported", "templateId")
	case !isMCA && !strings.EqualFold(a.Type, agreementCloud):
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "type")
	case isMCA && mode == AgreementDirect:
		return pcError(http.StatusForbidden, 600006, "The requested action is not allowed: the customer must accept the agreement itself")
	case isMCA && mode == AgreementEnhanced && in.Attestation == "":
		return pcError(http.StatusBadRequest, 2001, "A required property is missing: attestationId. Confirmations without an attestation are no longer accepted.", "attestationId")
	case in.Attestation == "" && c.who.Type == "app":
		return pcError(http.StatusForbidden, 900329, "The app only token is not supported for this API. Use app+user token.")
	}
	var att *Attestation
	if in.Attestation != "" {
		if att, refusal = c.usable(a.Attestation, cu); refusal != nil {
			return *refusal
		}
		a.Contact = contactBody{or(a.Contact.First, att.First), or(a.Contact.Last, att.Last), or(a.Contact.Email, att.Email), or(a.Contact.Phone, att.Phone)}
	}
	if a.Contact.First == "" || a.Contact.Last == "" || !strings.Contains(a.Contact.Email, "@") {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "primaryContact")
	}
	if isMCA && c.alreadyConfirmed(cu, a) {
		return pcNewError(http.StatusConflict, 600061, "PartnerConfirmedAgreementAlreadyExists",
			"A confirmation of the agreement with the same first name, last name, email and phone number already exists.", map[string]string{"customerTenantId": cu.ID})
	}
	cu.Agreements = append(cu.Agreements, a)
	if att != nil {
		att.UsedBy, att.Agreement = cu.ID, a
	}
	c.effect(cu.ID, "agreement", or(a.Attestation, a.Template), a.Visible)
	c.record("agreement", "create_agreement", cu, "", a.body(true))
	return created(a.body(true))
}

// usable finds an attestation that was accepted and is not another customer's.
func (c *call) usable(id string, cu *Customer) (*Attestation, *reply) {
	refuse := func(text string) (*Attestation, *reply) {
		r := pcNewError(http.StatusBadRequest, 2000, "InvalidAttestation", text, map[string]string{"attestationId": id})
		return nil, &r
	}
	a := c.w.attestations[id]
	switch {
	case a == nil:
		return refuse("The attestation is not known.")
	case a.status(c.now) == "expired":
		return refuse("The attestation has expired.")
	case a.status(c.now) != "accepted":
		return refuse("The attestation has not been accepted by the customer.")
	case a.UsedBy != "" && a.UsedBy != cu.ID:
		return refuse("The attestation belongs to another customer.")
	}
	return a, nil
}

// alreadyConfirmed finds the same four contact values, at this customer or, by
// setting, at any customer of the partner.
func (c *call) alreadyConfirmed(cu *Customer, a *Agreement) bool {
	same := func(b *Agreement) bool {
		return b.Type == a.Type && strings.EqualFold(b.Contact.First, a.Contact.First) && strings.EqualFold(b.Contact.Last, a.Contact.Last) &&
			strings.EqualFold(b.Contact.Email, a.Contact.Email) && b.Contact.Phone == a.Contact.Phone
	}
	if !c.s.settings().AgreementPerPartner {
		return slices.ContainsFunc(cu.Agreements, same)
	}
	for _, other := range c.w.list {
		if other != nil && slices.ContainsFunc(other.Agreements, same) {
			return true
		}
	}
	return false
}

// agreed says whether the customer may buy: an agreement that counts under the
// present mode, or its own acceptance. The older agreement opens the older offers.
func (cu *Customer) agreed(now time.Time, older bool) bool {
	if cu.DirectSigned {
		return true
	}
	for _, a := range cu.Agreements {
		if (a.Type == agreementMCA || older) && !now.Before(a.Visible) {
			return true
		}
	}
	return false
}

func getDirectSigned(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	return ok(struct {
		Signed    bool        `json:"isSigned"`
		Attribute *attributes `json:"attributes"`
	}{cu.DirectSigned, &attributes{Type: "DirectSignedCustomerAgreementStatus"}})
}
