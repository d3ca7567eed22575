package demo

import (
	"fmt"
	"strings"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/money"
)

// country is what the generated companies of one country are made of: every
// first word with every second one is a name.
type country struct {
	code     string
	currency money.Currency
	prefix   string // telephone
	firsts   []string
	seconds  []string
	streets  []string // %d is the house number
	places   []place
}

type place struct{ city, state, postal string }

// companies makes the country's companies. The second one has a sub-account,
// the third one is a reseller, the fourth its customer, the fifth is something
// that is not billed, and the last one has no registration number and writes
// its name in capitals.
func (c country) companies() []account.BookCompany {
	var list []account.BookCompany
	n := len(c.firsts) * len(c.seconds)
	for i := range n {
		name := strings.TrimSpace(c.firsts[i%len(c.firsts)] + " " + c.seconds[i/len(c.firsts)%len(c.seconds)])
		alias := account.Alias(fmt.Sprintf("%s%02d", c.code, i+1))
		a := c.account(alias, name, i)
		accounts := []account.Account{a}
		switch i {
		case 1:
			sub := c.account(alias+"A", name+" A", i+n)
			sub.Parent, sub.LegalName, sub.RegistrationNumber = alias, name, a.RegistrationNumber
			accounts = append(accounts, sub)
		case 2:
			accounts[0].Reseller = true
		case 3:
			accounts[0].Parent = account.Alias(fmt.Sprintf("%s%02d", c.code, 3))
		case 4:
			c.unbilled(&accounts[0])
		case n - 1:
			accounts[0].RegistrationNumber, accounts[0].LegalName = "", strings.ToUpper(name)
		}
		list = append(list, company(name, strings.ToLower(string(alias))+".example", accounts...))
	}
	return list
}

// unbilled gives each country another reason.
func (c country) unbilled(a *account.Account) {
	switch (int(c.code[0]) + int(c.code[1])) % 5 {
	case 0:
		a.Demo = true
	case 1:
		a.Internal = true
	case 2:
		a.Billable = false
	case 3:
		a.Disabled = true
	case 4:
		a.PublicSector = true
	}
}

func (c country) account(alias account.Alias, name string, i int) account.Account {
	p := c.places[i%len(c.places)]
	street := c.streets[i%len(c.streets)]
	if strings.Contains(street, "%d") {
		street = fmt.Sprintf(street, 3+7*i)
	}
	limit := fmt.Sprint(5000 * (i + 1))
	a := payer(alias, name, limit, c.currency, address.Address{Country: c.code, Line1: street, City: p.city, State: p.state, PostalCode: p.postal})
	a.RegistrationNumber = c.registration(100001 + 37*i)
	a.Contact.Phone = fmt.Sprintf("%s 555 01%02d", c.prefix, i)
	return a
}

// registration is a number in the form of the country's register, where
// Microsoft checks it.
func (c country) registration(n int) string {
	form := map[string]string{
		"PL": "5250%06d", "UA": "30%06d", "HU": "01-09-%06d", "BR": "10%06d000195", "KZ": "990140%06d", "IN": "27AAAAA%04[2]dA1Z5", "RU": "7701%06d", "BY": "190%06d",
	}[c.code]
	if form == "" {
		return fmt.Sprintf("%s %06d", c.code, n)
	}
	if strings.Contains(form, "[2]") {
		return fmt.Sprintf(strings.Replace(form, "[2]", "", 1), n%10000)
	}
	return fmt.Sprintf(form, n)
}
