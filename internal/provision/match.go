package provision

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"causeway/internal/account"
)

// Match is whose an unknown customer may be.
type Match struct {
	Org     account.OrgID `json:"organization,omitempty"`
	Account account.Alias `json:"account,omitempty"`
	Why     string        `json:"why,omitempty"` // in words
	Sure    bool          `json:"sure,omitempty"`
}

// book is our billing accounts, by all that an existing customer may be known by.
type book struct {
	number map[string][]account.Account // country and registration number
	entity map[string][]account.Account // country and company name
	name   map[string][]account.Account // company name alone
	alias  map[account.Alias]account.Account
	mail   map[string][]account.Account // domain of the contact's address
}

// newBook takes all accounts that are in use.
func newBook(all []account.Account) *book {
	b := &book{map[string][]account.Account{}, map[string][]account.Account{}, map[string][]account.Account{}, map[account.Alias]account.Account{}, map[string][]account.Account{}}
	for _, a := range all {
		if a.Disabled {
			continue
		}
		b.alias[a.Alias] = a
		entity := companyOf(a.Country, a.Address.Country, a.RegistrationNumber, a.Legal())
		if a.RegistrationNumber != "" {
			b.number[entity] = append(b.number[entity], a)
		}
		for _, n := range names(a) {
			b.entity[companyOf(a.Country, a.Address.Country, "", n)] = append(b.entity[companyOf(a.Country, a.Address.Country, "", n)], a)
			_, key, _ := strings.Cut(companyOf("", "", "", n), ":name:")
			b.name[key] = append(b.name[key], a)
		}
		if _, at, ok := strings.Cut(strings.ToLower(a.Contact.Email), "@"); ok {
			b.mail[at] = append(b.mail[at], a)
		}
	}
	return b
}

func names(a account.Account) []string {
	if a.LegalName == "" || a.LegalName == a.Name {
		return []string{a.Name}
	}
	return []string{a.LegalName, a.Name}
}

// companyOf is the legal entity as an account would have it.
func companyOf(country, otherwise, number, name string) string {
	if country == "" {
		country = otherwise
	}
	return account.Account{Country: country, RegistrationNumber: number, LegalName: name}.LegalEntity()
}

// unknown is what is known of a customer that is not ours yet.
type unknown struct{ Company, Domain, Country, Number string }

// match proposes whose a customer is. It is sure only if a register's number, a
// company's name with its country, or an alias in brackets leaves one answer.
func (b *book) match(u unknown) Match {
	if u.Number != "" && u.Country != "" {
		if m, ok := one(b.number[companyOf(u.Country, "", u.Number, "")], "The registration number "+u.Number+" is the account's."); ok {
			return m
		}
	}
	if u.Country != "" {
		if m, ok := one(b.entity[companyOf(u.Country, "", "", u.Company)], "Company name and country are the account's."); ok {
			return m
		}
	}
	words, bracketed := aliases(u.Company)
	for _, w := range words {
		a, ok := b.alias[account.Alias(w)]
		if !ok {
			continue
		}
		return Match{a.Org, a.Alias, fmt.Sprintf("The company's name holds the alias %s.", w), slices.Contains(bracketed, w)}
	}
	_, key, _ := strings.Cut(companyOf("", "", "", u.Company), ":name:")
	if m, ok := one(b.name[key], "The company's name is the account's; the country is another one or not known."); ok {
		m.Sure = false
		return m
	}
	if m, ok := one(b.mail[strings.ToLower(u.Domain)], "The account's contact writes from this domain."); ok {
		m.Sure = false
		return m
	}
	prefix, _, _ := strings.Cut(strings.ToLower(u.Domain), ".")
	if a, ok := b.alias[account.Alias(strings.ToUpper(prefix))]; ok && prefix != "" {
		return Match{a.Org, a.Alias, "The domain begins with the account's alias.", false}
	}
	return Match{}
}

// one answers if all that fit belong together: one account, or one root of a
// hierarchy of the same organization.
func one(all []account.Account, why string) (Match, bool) {
	if len(all) == 0 {
		return Match{}, false
	}
	roots := slices.DeleteFunc(slices.Clone(all), func(a account.Account) bool {
		return slices.ContainsFunc(all, func(p account.Account) bool { return p.Alias == a.Parent })
	})
	roots = slices.CompactFunc(roots, func(a, b account.Account) bool { return a.Alias == b.Alias })
	if len(roots) == 0 {
		return Match{}, false
	}
	if len(roots) > 1 {
		why += fmt.Sprintf(" So are those of %d others.", len(roots)-1)
	}
	return Match{roots[0].Org, roots[0].Alias, why, len(roots) == 1}, true
}

// aliases are the words of a name that look like one: 2 to 10 capital letters and
// digits. Those in brackets were put there to be one.
func aliases(name string) (all, bracketed []string) {
	inside := false
	word := ""
	end := func() {
		if n := len(word); n >= 2 && n <= 10 && word == strings.ToUpper(word) && strings.ContainsFunc(word, unicode.IsLetter) {
			all = append(all, word)
			if inside {
				bracketed = append(bracketed, word)
			}
		}
		word = ""
	}
	for _, r := range name {
		switch {
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			word += string(r)
			continue
		case r >= 0x80 && unicode.IsLetter(r):
			word += "é" // no alias: it makes the word too strange to be one
			continue
		}
		end()
		switch r {
		case '(', '[':
			inside = true
		case ')', ']':
			inside = false
		}
	}
	end()
	// In brackets first: they were meant.
	slices.SortStableFunc(all, func(a, b string) int {
		switch x, y := slices.Contains(bracketed, a), slices.Contains(bracketed, b); {
		case x && !y:
			return -1
		case y && !x:
			return 1
		}
		return 0
	})
	return all, bracketed
}
