// Package money holds exact amounts with their currency. It never uses floats,
// never mixes currencies, and rounds only where the caller names the rounding.
// It does not convert currencies: a rate has a source and a date (rating).
package money

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"causeway/internal/fault"

	"github.com/shopspring/decimal"
)

// Currency is an ISO 4217 code in upper case, e.g. "USD".
type Currency string

// Amount is an exact amount of one currency. The zero value is no amount at
// all: it has no currency and adds to nothing.
type Amount struct {
	value    decimal.Decimal
	currency Currency
}

// maxDigits bounds what is taken from outside: a number such as 1e999999999
// would fill the memory when it is written out. maxStored bounds what we wrote
// ourselves: price × quantity × rate × percent, each exact, has up to 60 digits.
const (
	maxDigits = 40
	maxStored = 200
)

// New makes an amount from an exact decimal.
func New(value decimal.Decimal, c Currency) (Amount, error) {
	if err := c.Check(); err != nil {
		return Amount{}, err
	}
	if e := value.Exponent(); e > maxDigits || e < -maxDigits || value.NumDigits() > maxDigits {
		return Amount{}, fault.Field("amount", "The amount has too many digits.", fmt.Sprintf("Give at most %d digits.", maxDigits))
	}
	return Amount{value, c}, nil
}

// Exact is an amount as it was worked out, with as many digits as it has. What comes
// from outside is bounded by New: price × quantity × rate × percent has more.
func Exact(value decimal.Decimal, c Currency) (Amount, error) {
	if err := c.Check(); err != nil {
		return Amount{}, err
	}
	return Amount{value, c}, nil
}

// Parse reads a plain decimal such as "1207.44" or "-3". It refuses exponents,
// thousands separators and blanks, because each is read differently somewhere.
func Parse(s string, c Currency) (Amount, error) {
	if len(s) > maxDigits+1 { // with its sign
		return Amount{}, fault.Field("amount", "The amount has too many digits.", fmt.Sprintf("Give at most %d digits.", maxDigits))
	}
	a, err := plain(s, c)
	if err != nil {
		return Amount{}, err
	}
	return New(a.value, c)
}

func plain(s string, c Currency) (Amount, error) {
	digits := strings.TrimPrefix(s, "-")
	whole, part, dot := strings.Cut(digits, ".")
	if !allDigits(whole) || dot && !allDigits(part) || len(digits) > maxStored {
		return Amount{}, fault.Field("amount", "The amount is not a plain number.", "Write it like 1207.44, with a point before the decimals and no separators.")
	}
	v, err := decimal.NewFromString(s)
	if err != nil {
		return Amount{}, fault.Field("amount", "The amount is not a plain number.", "Write it like 1207.44.").Because(err)
	}
	return Amount{v, c}, c.Check()
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Must is Parse for constants in code and tests.
func Must(s string, c Currency) Amount {
	a, err := Parse(s, c)
	if err != nil {
		panic(fmt.Sprintf("money.Must(%q, %q): %v", s, c, err))
	}
	return a
}

// Zero is no money of a currency.
func Zero(c Currency) Amount { return Amount{currency: c} }

// Check refuses what is not three upper-case letters.
func (c Currency) Check() error {
	if len(c) != 3 || strings.Trim(string(c), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return fault.Field("currency", "The currency is not a three-letter code.", "Give the ISO 4217 code, such as USD or EUR.")
	}
	return nil
}

// Currency is the amount's currency, "" for the zero value.
func (a Amount) Currency() Currency { return a.currency }

// Decimal is the exact number.
func (a Amount) Decimal() decimal.Decimal { return a.value }

// IsZero tells whether the number is 0, in any currency.
func (a Amount) IsZero() bool { return a.value.IsZero() }

// Sign is -1, 0 or 1.
func (a Amount) Sign() int { return a.value.Sign() }

// ErrMixed is inside every error about two currencies.
var ErrMixed = errors.New("two currencies")

func (a Amount) same(b Amount, deed string) error {
	if a.currency != b.currency || a.currency == "" {
		return fault.New(fault.Invalid, "cannot %s %q and %q: %w", deed, a.currency, b.currency, ErrMixed)
	}
	return nil
}

// Add gives a + b, exactly; an error if the currencies differ.
func (a Amount) Add(b Amount) (Amount, error) {
	if err := a.same(b, "add"); err != nil {
		return Amount{}, err
	}
	switch { // most of what is added up in a month is zero
	case b.value.IsZero():
		return a, nil
	case a.value.IsZero():
		return b, nil
	}
	return Amount{a.value.Add(b.value), a.currency}, nil
}

// Sub gives a − b, exactly; an error if the currencies differ.
func (a Amount) Sub(b Amount) (Amount, error) {
	if err := a.same(b, "subtract"); err != nil {
		return Amount{}, err
	}
	if b.value.IsZero() {
		return a, nil
	}
	return Amount{a.value.Sub(b.value), a.currency}, nil
}

// Cmp is -1 if a < b, 0 if they are equal, 1 if a > b; an error if the
// currencies differ.
func (a Amount) Cmp(b Amount) (int, error) {
	if err := a.same(b, "compare"); err != nil {
		return 0, err
	}
	return a.value.Cmp(b.value), nil
}

// Neg gives −a.
func (a Amount) Neg() Amount { return Amount{a.value.Neg(), a.currency} }

// Times gives a × factor, exactly (not rounded).
func (a Amount) Times(factor decimal.Decimal) Amount {
	return Amount{a.value.Mul(factor), a.currency}
}

// Equal tells whether both are the same number of the same currency.
func (a Amount) Equal(b Amount) bool { return a.currency == b.currency && a.value.Equal(b.value) }

// Rounding is a named way to round; there is no default.
type Rounding string

// The ways to round, at the last kept place.
const (
	HalfEven Rounding = "half-even" // 2.345 → 2.34, 2.355 → 2.36: no bias over many lines
	HalfUp   Rounding = "half-up"   // away from zero at the half: 2.345 → 2.35, −2.345 → −2.35
	Down     Rounding = "down"      // towards zero
	Up       Rounding = "up"        // away from zero
)

// Round rounds to places decimals.
func (a Amount) Round(how Rounding, places int32) (Amount, error) {
	v := a.value
	switch how {
	case HalfEven:
		v = v.RoundBank(places)
	case HalfUp:
		v = v.Round(places)
	case Down:
		v = v.RoundDown(places)
	case Up:
		v = v.RoundUp(places)
	default:
		return Amount{}, fmt.Errorf("money: no rounding is called %q", how)
	}
	return Amount{v, a.currency}, nil
}

// Minor is the number of decimals the currency's coins have (ISO 4217).
func (c Currency) Minor() int32 {
	switch c {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}

// String is the amount for people, exact: "1,207.44 USD", "−3.00 USD". It shows
// at least the currency's own decimals and every further digit that is there.
func (a Amount) String() string {
	s := a.Text()
	if a.currency == "" {
		return s
	}
	neg := strings.HasPrefix(s, "-")
	whole, part, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if missing := int(a.currency.Minor()) - len(part); missing > 0 {
		part += strings.Repeat("0", missing)
	}
	var b strings.Builder
	if neg {
		b.WriteString("−") // U+2212, as wide as the plus; a hyphen may be broken off at the line's end
	}
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	if part != "" {
		b.WriteByte('.')
		b.WriteString(part)
	}
	return b.String() + " " + string(a.currency)
}

// Text is the number alone as it is stored: "1207.44", without exponent,
// separators or needless zeros at the end.
func (a Amount) Text() string {
	s := a.value.String()
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// FromText reads what Text wrote, also the long tail of an exact product. An empty currency and number give the zero
// value, so that a column may hold "no amount".
func FromText(s string, c string) (Amount, error) {
	if c == "" && (s == "" || s == "0") {
		return Amount{}, nil
	}
	return plain(s, Currency(c))
}

type wire struct {
	Amount   string   `json:"amount"`
	Currency Currency `json:"currency"`
}

// MarshalJSON writes {"amount":"1207.44","currency":"USD"}: text, because a
// JSON number becomes a float in most readers.
func (a Amount) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{a.Text(), a.currency})
}

// UnmarshalJSON reads what MarshalJSON wrote and refuses a JSON number.
func (a *Amount) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return fault.Field("amount", "The amount is not readable.", `Send it like {"amount":"1207.44","currency":"USD"}, the number as text.`).Because(err)
	}
	v, err := FromText(w.Amount, string(w.Currency))
	if err != nil {
		return err
	}
	*a = v
	return nil
}
