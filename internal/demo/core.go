package demo

import (
	"fmt"
	"strings"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/money"
)

// company is an organization whose accounts have one administrator, named after
// the first of them, and a person of each role.
func company(name, domain string, accounts ...account.Account) account.BookCompany {
	c := account.BookCompany{
		Organization: account.Organization{Name: name},
		People: []account.BookPerson{
			person("Administrator", "admin@"+domain, account.RoleAdministrator),
			person("Member", "member@"+domain, account.RoleMember),
		},
		Accounts: accounts,
	}
	if len(accounts) > 0 {
		own := accounts[0].Alias
		c.Organization.Account = own
		c.Logins = []account.BookLogin{{Login: strings.ToLower(string(own)) + "-admin", Password: Password, Own: own}}
		for _, a := range accounts {
			c.Logins[0].Administers = append(c.Logins[0].Administers, a.Alias)
		}
	}
	return c
}

// payer is a billable account with a role as its contact.
func payer(alias account.Alias, name, limit string, currency money.Currency, addr address.Address) account.Account {
	return account.Account{
		Alias: alias, Name: name, Billable: true, Address: addr, CreditLimit: money.Must(limit, currency), Currency: currency,
		Contact: account.Contact{
			FirstName: "Accounts", LastName: "Payable", Email: "billing@" + strings.ToLower(string(alias)) + ".example", Phone: "+1 555 0100 " + fmt.Sprintf("%03d", len(name)),
		},
	}
}

func us(line, city, state, zip string) address.Address {
	return address.Address{Country: "US", Line1: line, City: city, State: state, PostalCode: zip}
}

func with(a account.Account, change func(*account.Account)) account.Account {
	change(&a)
	return a
}

// core are the companies that the documents, the pictures and most tests speak of.
func core() []account.BookCompany {
	buffalo := us("4567 Main Street", "Buffalo", "NY", "14201")
	contoso := company("Contoso, Ltd.", "contoso.example",
		with(payer("CTSO", "Contoso, Ltd.", "120000", "USD", buffalo), func(a *account.Account) { a.RegistrationNumber = "NY-4510220" }),
		with(payer("CTSE", "Contoso East LLC", "40000", "USD", us("1 Lake Shore Drive", "Chicago", "IL", "60601")), func(a *account.Account) {
			a.Parent, a.LegalName, a.RegistrationNumber = "CTSO", "Contoso, Ltd.", "NY-4510220" // the same legal entity: one tenant
		}),
		with(payer("CTRP", "Contoso Retail Partners", "25000", "USD", us("1701 Wynkoop Street", "Denver", "CO", "80202")), func(a *account.Account) {
			a.Parent, a.RegistrationNumber = "TSPN", "CO-7700310"
		}),
		with(payer("CTUK", "Contoso UK Ltd.", "0", "USD", address.Address{Country: "GB", Line1: "2 Kingsway", City: "Reading", PostalCode: "RG1 1AA"}), func(a *account.Account) {
			a.RegistrationNumber, a.Language = "04510229", "en-GB"
		}),
		with(payer("CTDM", "Contoso Demo", "5000", "USD", buffalo), func(a *account.Account) { a.Demo = true }),
	)
	contoso.Organization.Placement = account.DefaultPresets("US")
	contoso.Logins = append(contoso.Logins, account.BookLogin{Login: NoAdministrator, Password: Password, Own: "CTSO"})

	return []account.BookCompany{
		contoso,
		company("Tailspin Resale", "tailspinresale.example",
			with(payer("TSPN", "Tailspin Resale", "500000", "USD", us("200 Granary Road", "Kansas City", "MO", "64105")), func(a *account.Account) { a.Reseller = true })),
		company("Tailspin Toys", "tailspintoys.example",
			payer("TSPT", "Tailspin Toys", "60000", "USD", us("98 Carousel Way", "Portland", "OR", "97205"))),
		company("Fabrikam, Inc.", "fabrikam.example",
			with(payer("FBRK", "Fabrikam, Inc.", "90000", "USD", us("1020 Enterprise Way", "Sunnyvale", "CA", "94089")), func(a *account.Account) { a.RegistrationNumber = "CA-2291107" }),
			with(payer("FBRL", "Fabrikam Laboratories, Inc.", "30000", "USD", us("55 Research Parkway", "Boulder", "CO", "80301")), func(a *account.Account) {
				a.Parent, a.RegistrationNumber = "FBRK", "CO-3310078" // below FBRK, but another legal entity
			})),
		company("Northwind Traders", "northwindtraders.example",
			payer("NWTR", "Northwind Traders", "75000", "USD", us("3400 Harbor Avenue SW", "Seattle", "WA", "98126"))),
		company("Wide World Importers", "wideworldimporters.example",
			with(payer("WWIM", "Wide World Importers", "45000", "USD", us("12 Freight Terminal", "Savannah", "GA", "31401")), func(a *account.Account) { a.Parent = "TSPN" })),
		company("Adventure Works Cycles", "adventureworks.example",
			payer("ADVW", "Adventure Works Cycles", "80000", "USD", us("8157 W. Book Street", "Bothell", "WA", "98011"))),
		// The partner's own people try things here.
		company("Partner laboratory", "lab.partner.example",
			with(payer("PLAB", "Partner laboratory", "10000", "USD", us("100 Partner Plaza", "Monroe", "LA", "71203")), func(a *account.Account) { a.Internal = true })),
		// It has signed up for the portal and has no account yet.
		company("Nod Publishers", "nodpublishers.example"),
	}
}

// awkward are the companies that break careless software.
func awkward() []account.BookCompany {
	oak := func(n int) address.Address { return us(fmt.Sprintf("%d Oak Street", n), "Springfield", "IL", "62701") }
	// A hierarchy that is deeper than anybody draws it.
	var deep []account.Account
	for i := range 24 {
		a := payer(account.Alias(fmt.Sprintf("HUM%02d", i)), fmt.Sprintf("Humongous Insurance, level %d", i+1), "1000", "USD", oak(10+i))
		if i > 0 {
			a.Parent = deep[i-1].Alias
		}
		deep = append(deep, a)
	}
	longest := "The Society of " + strings.Repeat("Very ", 35) + "Long Names"
	longest = longest[:min(len(longest), 200-4)] + " Ltd"
	return []account.BookCompany{
		company("X", "x.example", payer("XX", "X", "1000", "USD", oak(1))),
		company(longest, "long.example", payer("LONGLONG10", longest, "1000", "USD", oak(2))),
		company("Liberty’s Delightful Sinful Bakery & Café", "liberty.example",
			payer("LDSB", "Liberty’s Delightful Sinful Bakery & Café", "8000", "USD", us("7 Rue d’Orléans", "New Orleans", "LA", "70112"))),
		company("O'Brien \"Quotes\" <b>& Sons</b>; DROP TABLE job;--", "quotes.example",
			payer("QUOT", "O'Brien \"Quotes\" <b>& Sons</b>; DROP TABLE job;--", "1000", "USD", oak(3))),
		company("=1+1, Inc.", "formula.example", payer("FORM", "=1+1, Inc.", "1000", "USD", oak(4))), // spreadsheets would count
		company("שלום Trading (תל אביב) LLC", "shalom.example", payer("RTLS", "שלום Trading (תל אביב) LLC", "1000", "USD", oak(5))),
		company("Ĳsselmeer ﬁne ①", "ligature.example", payer("LIGA", "Ĳsselmeer ﬁne ①", "1000", "USD", oak(6))),
		company("İstanbul Işık", "dotless.example", payer("DOTL", "İstanbul Işık", "1000", "USD", oak(7))),
		company("Zażółć gęślą jaźń ǟ̈ɏ", "marks.example", payer("MARK", "Zażółć gęślą jaźń ǟ̈ɏ", "1000", "USD", oak(8))),
		company("CON", "con.example", payer("NUL", "CON", "1000", "USD", oak(9))), // a file of that name cannot be written on Windows
		company("Null", "null.example", payer("NULL", "Null", "0.01", "USD", oak(40))),
		company("Humongous Insurance", "humongousinsurance.example", deep...),
		// Two organizations with a company of the same name, which is one legal entity.
		company("Trey Research", "treyresearch.example", payer("TREY", "Trey Research", "20000", "USD", oak(41))),
		company("Trey Research (west)", "treyresearchwest.example", payer("TREW", "TREY RESEARCH", "20000", "USD", us("1 Market Street", "San Francisco", "CA", "94105"))),
		company("Woodgrove Bank", "woodgrovebank.example", with(payer("WGBK", "Woodgrove Bank", "1000000000000.99", "USD", oak(42)), func(a *account.Account) {
			a.Contact = account.Contact{FirstName: strings.Repeat("F", 50), LastName: "L", Email: strings.Repeat("e", 60) + "@woodgrovebank.example", Phone: "0100"}
			a.Address.Line1, a.Address.Line2 = strings.Repeat("1", 200), strings.Repeat("2", 200)
		})),
		company("Lamna Healthcare", "lamnahealthcare.example", with(payer("LAMN", "Lamna Healthcare", "5000", "USD", oak(43)), func(a *account.Account) { a.Disabled = true })),
		company("City Power & Light", "cpandl.example", with(payer("CPLT", "City Power & Light", "15000", "USD", oak(44)), func(a *account.Account) { a.PublicSector = true })),
		company("Consolidated Messenger", "consolidatedmessenger.example", with(payer("CMSG", "Consolidated Messenger", "5000", "USD", oak(45)), func(a *account.Account) { a.Billable = false })),
	}
}
