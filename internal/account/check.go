package account

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/store"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// The longest names, in characters. Microsoft takes 50 for a person's first and
// last name (Address in its schema); it names no limit for a company, 200 fits
// every register we know.
const (
	maxName   = 200
	maxPerson = 50
	maxEmail  = 254 // RFC 5321: a path of 256 with its angle brackets
	maxLogin  = 128
)

// checks collects everything that is wrong with a request, so that a person
// corrects it once.
type checks struct{ all []fault.Refusal }

func (c *checks) refuse(field, code, reason, remedy string) {
	c.all = append(c.all, fault.Refusal{Field: field, Code: code, Reason: reason, Remedy: remedy})
}

func (c *checks) err() error {
	if len(c.all) == 0 {
		return nil
	}
	return fault.Refuse(c.all...)
}

// line puts a one-line text in its one form (NFC, single blanks) and refuses
// what a name must not hold. what names it in the sentence: "The name".
func (c *checks) line(field, what, s string, least, most int) string {
	if store.CheckText(field, s) != nil {
		c.refuse(field, "text", what+" holds characters that cannot be stored.", "Type it again instead of pasting it.")
		return ""
	}
	if r, bad := control(s); bad {
		c.refuse(field, "text", fmt.Sprintf("%s holds the invisible character U+%04X.", what, r), "Type it again instead of pasting it.")
		return ""
	}
	s = strings.Join(strings.Fields(norm.NFC.String(s)), " ")
	n := utf8.RuneCountInString(s)
	switch {
	case n == 0 && least > 0:
		c.refuse(field, "missing", what+" is missing.", "Fill it in.")
	case n < least:
		c.refuse(field, "short", fmt.Sprintf("%s has %d characters.", what, n), fmt.Sprintf("Give at least %d.", least))
	case n > most:
		c.refuse(field, "long", fmt.Sprintf("%s has %d characters.", what, n), fmt.Sprintf("Shorten it to %d.", most))
	}
	return s
}

// name is a line that people and companies are called by, in any script.
func (c *checks) name(field, what, s string, most int) string {
	before := len(c.all)
	s = c.line(field, what, s, 1, most)
	if len(c.all) > before {
		return s
	}
	word := false
	for _, r := range s {
		if emoji(r) {
			c.refuse(field, "symbol", fmt.Sprintf("%s holds the symbol %c.", what, r), "Use letters, digits and punctuation: it goes to Microsoft and onto invoices.")
			return s
		}
		word = word || unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	if !word {
		c.refuse(field, "word", what+" has no letter or digit.", "Write the name as it is registered.")
	}
	return s
}

// control finds what is invisible in a name and would make two look the same:
// control characters and line ends, text direction overrides, private use.
// The joiners U+200C and U+200D stay: Persian and Indic names need them.
func control(s string) (rune, bool) {
	for _, r := range s {
		switch {
		case r == '\t', r == '\u200c', r == '\u200d':
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp), r >= 0xE0000:
			return r, true
		}
	}
	return 0, false
}

// emoji is every pictograph; ™ © ® № ℠ ° are part of registered names.
func emoji(r rune) bool {
	switch r {
	case '™', '©', '®', '№', '℠', '°':
		return false
	}
	return unicode.Is(unicode.So, r) || r == 0xFE0F || r == 0x20E3 || r >= 0x1F3FB && r <= 0x1F3FF
}

// email puts an address in its one form.
func (c *checks) email(field, what, s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		c.refuse(field, "missing", what+" is missing.", "Fill it in.")
		return s
	}
	for _, r := range s {
		if r > 126 || r <= 32 {
			c.refuse(field, "email", what+" is not plain Latin letters.", "Give an address in Latin letters: many mail servers take no other.")
			return s
		}
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > maxEmail || !strings.Contains(s[strings.LastIndexByte(s, '@'):], ".") {
		c.refuse(field, "email", what+" is not a mail address.", "Write it like name@company.example.")
	}
	return s
}

// emailKey is the same for every way to write one address.
func emailKey(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// phone keeps what was typed, as long as a telephone could be dialled with it.
func (c *checks) phone(field, s string) string {
	before := len(c.all)
	s = c.line(field, "The telephone number", s, 1, 40)
	if len(c.all) > before {
		return s
	}
	digits := 0
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r == '+' && i == 0, strings.ContainsRune(" ()-./x", r):
		default:
			c.refuse(field, "phone", fmt.Sprintf("The telephone number holds %q.", r), "Use digits, blanks and + ( ) - . / only.")
			return s
		}
	}
	if digits < 4 || digits > 20 {
		c.refuse(field, "phone", fmt.Sprintf("The telephone number has %d digits.", digits), "Give it with area code, like +1 716 555 0123.")
	}
	return s
}

func (c *checks) alias(field string, a Alias) {
	if !a.valid() {
		c.refuse(field, "alias", "The alias is not 2 to 10 upper-case letters and digits.", "Write it like CTSO.")
	}
}

func (a Alias) valid() bool {
	return len(a) >= 2 && len(a) <= 10 && strings.Trim(string(a), "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// lang puts a language tag in its one form; an empty one is worked out from
// the country.
func (c *checks) lang(field, s, country string) string {
	if s == "" {
		s = Language(country)
	}
	t, err := language.Parse(s)
	if err != nil {
		c.refuse(field, "language", "The language is unknown.", "Give a tag such as en-US or de-DE.")
		return s
	}
	return t.String()
}

// Language is the likeliest written language of a country, e.g. "de-AT".
func Language(country string) string {
	if country == "" {
		return "en-US"
	}
	t, err := language.Parse("und-" + country)
	if err != nil {
		return "en-US"
	}
	base, how := t.Base()
	if how == language.No {
		return "en-" + country
	}
	return base.String() + "-" + country
}

func (c *checks) credit(limit money.Amount, currency money.Currency) (money.Amount, money.Currency) {
	if currency == "" {
		currency = limit.Currency()
	}
	if err := currency.Check(); err != nil {
		c.refuse("currency", "currency", "The currency is not a three-letter code.", "Give the ISO 4217 code, such as USD or EUR.")
		return limit, currency
	}
	if limit.Currency() == "" && limit.IsZero() {
		limit = money.Zero(currency)
	}
	if limit.Currency() != currency {
		c.refuse("credit_limit", "currency", fmt.Sprintf("The credit limit is in %s and the account in %s.", limit.Currency(), currency), "Give both in one currency.")
	}
	if limit.Sign() < 0 {
		c.refuse("credit_limit", "negative", "The credit limit is below zero.", "Give 0 for no credit.")
	}
	if whole, err := limit.Round(money.Down, currency.Minor()); err != nil || !whole.Equal(limit) {
		c.refuse("credit_limit", "decimals", fmt.Sprintf("The credit limit has more decimals than %s.", currency), "Round it.")
	}
	return limit, currency
}

// login puts the name of an account administrator in its one form.
func login(s string) string { return strings.ToLower(strings.TrimSpace(norm.NFC.String(s))) }

func (c *checks) login(field, s string) string {
	s = login(c.line(field, "The login", s, 2, maxLogin))
	if strings.ContainsRune(s, ' ') {
		c.refuse(field, "login", "The login holds a blank.", "Write it in one word, like ctso-admin.")
	}
	return s
}

// password refuses what is guessed first. Length decides, not kinds of
// characters (NIST SP 800-63B §3.1.1.2 asks for 15 where it is the only factor,
// 8 with a second one; 12 stands until the second one is there).
func (c *checks) password(field, p string, others ...string) string {
	if store.CheckText(field, p) != nil {
		c.refuse(field, "text", "The password holds characters that cannot be kept.", "Type it again instead of pasting it.")
		return ""
	}
	p = norm.NFC.String(p)
	n := utf8.RuneCountInString(p)
	switch {
	case n < 12:
		c.refuse(field, "short", fmt.Sprintf("The password has %d characters.", n), "Give at least 12; four words in a row are good.")
	case n > 128:
		c.refuse(field, "long", "The password has more than 128 characters.", "Shorten it.")
	case strings.Count(p, p[:utf8.RuneLen([]rune(p)[0])]) == n:
		c.refuse(field, "guessed", "The password is one character repeated.", "Choose one that nobody guesses.")
	}
	for _, o := range others {
		if o != "" && strings.EqualFold(o, p) {
			c.refuse(field, "guessed", "The password is the name it protects.", "Choose one that nobody guesses.")
			break
		}
	}
	return p
}
