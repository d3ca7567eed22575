package azure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// RequestID is the idempotency key of a write (MS-RequestId). The same id is
// sent while the outcome is unknown (see Unknown), a new one after any answer.
type RequestID string

// NewRequestID makes one.
func NewRequestID() RequestID { return RequestID(uuid.NewString()) }

// CorrelationID joins the calls of one operation (MS-CorrelationId). It shows up
// in Microsoft's audit records, by which a customer is known to be ours.
type CorrelationID string

// NewCorrelationID makes one.
func NewCorrelationID() CorrelationID { return CorrelationID(uuid.NewString()) }

// Number is a decimal number exactly as it was sent: as a number or as text,
// which Partner Center mixes. "" = absent or null.
type Number string

// UnmarshalJSON takes 1.50, "1.50", null and "".
func (n *Number) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	if err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if text != "" {
		if _, err := decimal.NewFromString(text); err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
	}
	*n = Number(text)
	return nil
}

// MarshalJSON writes a number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	d, err := decimal.NewFromString(string(n))
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", string(n))
	}
	return []byte(d.String()), nil
}

// Decimal is the exact value; absent is zero.
func (n Number) Decimal() (decimal.Decimal, error) {
	if n == "" {
		return decimal.Zero, nil
	}
	return decimal.NewFromString(string(n))
}

// Int is a whole number that may be sent as text, or as 1.0.
type Int int64

// UnmarshalJSON takes 1, "1", 1.0, null and "".
func (i *Int) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	if err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		*i = 0
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		r, ok := new(big.Rat).SetString(text)
		if !ok || !r.IsInt() || !r.Num().IsInt64() {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v = r.Num().Int64()
	}
	*i = Int(v)
	return nil
}

// Text is text that may be sent as a number, e.g. an error code.
type Text string

// UnmarshalJSON takes "2000", 2000, true and null.
func (t *Text) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	*t = Text(text)
	return err
}

// scalar gives the text of a JSON string, number or boolean; null is "".
func scalar(b []byte) (string, error) {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0 || string(b) == "null":
		return "", nil
	case b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		return s, err
	case b[0] == '{' || b[0] == '[':
		return "", fmt.Errorf("expected one value, got %.20s", b)
	}
	return string(b), nil
}

// Time is an instant in UTC as Microsoft writes it. The zero time is absent:
// null, "", and the years 1 and 9999 that its services send instead of null.
type Time struct{ time.Time }

// UnmarshalJSON takes the documented forms: up to seven digits of a second, Z,
// an offset, or no zone at all (which means UTC), and the blanks that some pages
// show after the colons.
func (t *Time) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	if err != nil {
		return err
	}
	v, err := ParseTime(text)
	if err != nil {
		return err
	}
	t.Time = v
	return nil
}

// MarshalJSON writes RFC 3339 in UTC, or null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.UTC().Format(time.RFC3339Nano))
}

// ParseTime reads one of Microsoft's forms of an instant; see Time.
func ParseTime(text string) (time.Time, error) {
	s := strings.ReplaceAll(strings.TrimSpace(text), ": ", ":")
	if s == "" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02", "1/2/2006 3:04:05 PM", "01/02/2006 15:04:05"} {
		v, err := time.Parse(form, s)
		if err != nil {
			continue
		}
		v = v.UTC()
		if v.Year() <= 1 || v.Year() >= 9999 {
			return time.Time{}, nil
		}
		return v, nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time", text)
}

// SameID compares GUIDs as Microsoft does: without case.
func SameID(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

// SameWord compares enumerations, which are sent as one_time, oneTime and
// OneTime: without case, underscores and blanks.
func SameWord(a, b string) bool {
	fold := strings.NewReplacer("_", "", " ", "", "-", "")
	return strings.EqualFold(fold.Replace(a), fold.Replace(b))
}
