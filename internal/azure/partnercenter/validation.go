package partnercenter

import (
	"context"
	"encoding/json"
	"net/http"

	"causeway/internal/azure"
)

// DomainTaken asks whether a domain (contoso.onmicrosoft.com) exists already.
// Microsoft answers 200 for a taken one and 404 for a free one, without a body.
// https://learn.microsoft.com/partner-center/developer/verify-domain-availability
func (c *Client) DomainTaken(ctx context.Context, domain string) (bool, error) {
	a, err := c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: azure.AppOnly, Group: "domains", Method: http.MethodHead,
		Path: azure.Path("/v1/domains/%s", domain), Optional: []int{http.StatusNotFound},
	})
	return a.Status != http.StatusNotFound, err
}

// CountryRules is what Microsoft wants to know of a company in a country.
type CountryRules struct {
	ISO2Code             string
	DefaultCulture       string
	IsStateRequired      bool
	SupportedStates      []string
	SupportedLanguages   []string
	SupportedCultures    []string
	IsPostalCodeRequired bool
	PostalCodeRegex      string
	IsCityRequired       bool
	IsVatIDSupported     bool
	TaxIDFormat          string
	TaxIDSample          string
	VatIDRegex           string
	PhoneNumberRegex     string
	IsTaxIDSupported     bool
	IsTaxIDOptional      bool
	CountryCallingCodes  []string
}

// UnmarshalJSON reads both shapes: lists as the live service sends them, and the
// {value: [...]} of the page's sample.
func (r *CountryRules) UnmarshalJSON(b []byte) error {
	type values struct{ Value []azure.Text }
	var v struct {
		ISO2Code, DefaultCulture                                                string
		IsStateRequired, IsPostalCodeRequired, IsCityRequired                   bool
		IsVatIDSupported, IsTaxIDSupported, IsTaxIDOptional                     bool
		PostalCodeRegex, TaxIDFormat, TaxIDSample, VatIDRegex, PhoneNumberRegex string
		SupportedStatesList, SupportedLanguagesList                             []azure.Text
		SupportedCulturesList, CountryCallingCodesList                          []azure.Text
		States, SupportedLanguages, SupportedCultures, CountryCallingCodes      values
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*r = CountryRules{
		ISO2Code: v.ISO2Code, DefaultCulture: v.DefaultCulture, IsStateRequired: v.IsStateRequired,
		IsPostalCodeRequired: v.IsPostalCodeRequired, PostalCodeRegex: v.PostalCodeRegex, IsCityRequired: v.IsCityRequired,
		IsVatIDSupported: v.IsVatIDSupported, TaxIDFormat: v.TaxIDFormat, TaxIDSample: v.TaxIDSample, VatIDRegex: v.VatIDRegex,
		PhoneNumberRegex: v.PhoneNumberRegex, IsTaxIDSupported: v.IsTaxIDSupported, IsTaxIDOptional: v.IsTaxIDOptional,
		SupportedStates:     texts(v.SupportedStatesList, v.States.Value),
		SupportedLanguages:  texts(v.SupportedLanguagesList, v.SupportedLanguages.Value),
		SupportedCultures:   texts(v.SupportedCulturesList, v.SupportedCultures.Value),
		CountryCallingCodes: texts(v.CountryCallingCodesList, v.CountryCallingCodes.Value),
	}
	return nil
}

func texts(lists ...[]azure.Text) []string {
	for _, list := range lists {
		if len(list) == 0 {
			continue
		}
		out := make([]string, len(list))
		for i, t := range list {
			out[i] = string(t)
		}
		return out
	}
	return nil
}

// CountryRules reads the rules of a country (ISO 3166-1 alpha-2; GB, not UK).
// https://learn.microsoft.com/partner-center/developer/get-market-specific-validation-data
func (c *Client) CountryRules(ctx context.Context, iso2 string) (CountryRules, error) {
	var out CountryRules
	err := c.get(ctx, azure.AppOnly, "countryvalidationrules", "", azure.Path("/v1/countryvalidationrules/%s", iso2), nil, &out)
	return out, err
}

// Verdicts on an address.
const (
	AddressVerifiedShippable   = "VerifiedShippable"
	AddressVerified            = "Verified"
	AddressInteractionRequired = "InteractionRequired"
	AddressStreetPartial       = "StreetPartial"
	AddressPremisesPartial     = "PremisesPartial"
	AddressMultiple            = "Multiple"
	AddressNone                = "None"
	AddressNotValidated        = "NotValidated"
)

// AddressValidation is Microsoft's verdict on an address.
type AddressValidation struct {
	OriginalAddress    Address   `json:"originalAddress"`
	SuggestedAddresses []Address `json:"suggestedAddresses"`
	Status             string    `json:"status"`
	ValidationMessage  string    `json:"validationMessage"`
}

// Usable tells that the address may be used as it is.
func (v AddressValidation) Usable() bool {
	return azure.SameWord(v.Status, AddressVerifiedShippable) || azure.SameWord(v.Status, AddressVerified)
}

// NeedsChoice tells that Microsoft wants another form of the address: offer its
// suggestions. What is neither usable nor this may be used with a warning.
func (v AddressValidation) NeedsChoice() bool {
	for _, s := range []string{AddressInteractionRequired, AddressStreetPartial, AddressPremisesPartial, AddressMultiple} {
		if azure.SameWord(v.Status, s) {
			return true
		}
	}
	return false
}

// ValidateAddress asks whether Microsoft knows an address. The older form of the
// service answers a valid one with 200 and no body, which is Verified here, and
// an invalid one with code 2007.
// https://learn.microsoft.com/partner-center/developer/validate-an-address
func (c *Client) ValidateAddress(ctx context.Context, in Address) (AddressValidation, error) {
	var out AddressValidation
	_, err := c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: azure.AppOnly, Group: "validations", Method: http.MethodPost,
		Path: "/v1/validations/address", In: in, Out: &out, Empty: true,
	})
	if err == nil && out.Status == "" {
		out.OriginalAddress, out.Status = in, AddressVerified
	}
	return out, err
}
