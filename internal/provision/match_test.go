package provision

import (
	"testing"

	"causeway/internal/account"
	"causeway/internal/address"
)

func TestMatchingProposesWhoseACustomerIs(t *testing.T) {
	us := address.Address{Country: "US"}
	b := newBook([]account.Account{
		{Alias: "CTSO", Org: "contoso", Name: "Contoso", LegalName: "Contoso, Ltd.", Address: us, Contact: account.Contact{Email: "desk@contoso.example"}},
		{Alias: "CTSE", Org: "contoso", Name: "Contoso Europe", LegalName: "Contoso, Ltd.", Address: us, Parent: "CTSO"},
		{Alias: "FABR", Org: "fabrikam", Name: "Fabrikam", Address: address.Address{Country: "DE"}, RegistrationNumber: "HRB 1234"},
		{Alias: "TWN1", Org: "one", Name: "Twin", Address: us},
		{Alias: "TWN2", Org: "two", Name: "Twin", Address: us},
		{Alias: "GONE", Org: "gone", Name: "Gone, Inc.", Address: us, Disabled: true},
	})
	tests := []struct {
		says string
		u    unknown
		want account.Alias
		sure bool
	}{
		{"legal name and country, however it is written", unknown{Company: "CONTOSO LTD", Country: "US"}, "CTSO", true},
		{"the root of a hierarchy pays, not the branch", unknown{Company: "Contoso, Ltd.", Country: "US"}, "CTSO", true},
		{"the same name in another country is no proof", unknown{Company: "Contoso, Ltd.", Country: "FR"}, "CTSO", false},
		{"a registration number, however it is written", unknown{Company: "Another name", Country: "DE", Number: "hrb1234"}, "FABR", true},
		{"the number of another country's register", unknown{Company: "Another name", Country: "AT", Number: "HRB 1234"}, "", false},
		{"two accounts of that name", unknown{Company: "Twin", Country: "US"}, "TWN1", false},
		{"an alias in brackets was put there to be one", unknown{Company: "Some Branch (FABR)", Country: "US"}, "FABR", true},
		{"a word that looks like an alias", unknown{Company: "The FABR works", Country: "US"}, "FABR", false},
		{"small letters are no alias", unknown{Company: "fabr", Country: "US"}, "", false},
		{"the contact's domain", unknown{Company: "Unheard of", Domain: "contoso.example"}, "CTSO", false},
		{"the alias as domain", unknown{Company: "Unheard of", Domain: "fabr.onmicrosoft.com"}, "FABR", false},
		{"an account out of use", unknown{Company: "Gone, Inc.", Country: "US"}, "", false},
		{"nothing known", unknown{Company: "Unheard of", Domain: "unheard.onmicrosoft.com", Country: "US"}, "", false},
	}
	for _, test := range tests {
		m := b.match(test.u)
		if m.Account != test.want || m.Sure != test.sure || (m.Account != "") != (m.Why != "") {
			t.Errorf("%s: %+v, want %q (sure: %v)", test.says, m, test.want, test.sure)
		}
	}
}
