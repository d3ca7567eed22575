// Package address knows how each country writes an address: which parts there
// are, in which order, which are required, what they are called there, and how
// a postal code looks. It does not know whether the street exists; Microsoft
// is asked for that (provision).
package address

// Address is a postal address. All text is NFC.
type Address struct {
	Country    string `json:"country"` // ISO 3166-1 alpha-2, e.g. "GB" (never "UK")
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	State      string `json:"state,omitempty"` // code of the state, province or prefecture where the country has them, e.g. "NY"
	PostalCode string `json:"postal_code,omitempty"`
}
