package lake

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"
	"unicode/utf8"

	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// FuzzLine: two lines, the second by prediction from the first, are read as
// encoding/json reads them, or refused with a reason.
func FuzzLine(f *testing.F) {
	good := `{"CustomerId":"c","InvoiceNumber":"","ProductId":"x","SkuId":"y","PublisherName":"Microsoft","SubscriptionId":"p","UsageDate":"2026-02-03T00:00:00Z","Unit":"1","ChargeType":"new","UnitPrice":0.5,"Quantity":3,"BillingPreTaxTotal":1.5,"BillingCurrency":"USD","PricingPreTaxTotal":1.5,"PricingCurrency":"USD","PCToBCExchangeRate":1,"EntitlementId":"","CreditType":"","BenefitOrderId":"","BenefitType":"","Tags":"{\"a\":1}"}`
	for _, s := range []string{good, good[:50], `{}`, `{"Quantity":1e5}`, `{"Quantity":1,"Quantity":2}`, `{"a":[{"b":"]}"}]}`, "{\"MeterName\":\"\xff\"}", `{"MeterName":"\ud800"}`, `{"meterName" : "x" , "Tags":null}`,
		`{"MeterName":"abc"}`, `{"MeterName":"ab"}`, `{"CreditPercentage":15}`, `{"CreditPercentage":15.5}`, `{"CreditPercentage":1`, `{"Tags":"\"}`} {
		f.Add(s, good)
		f.Add(good, s)
	}
	// Nothing is needed here, so that short lines are compared too.
	t := *tables[usage.Rated]
	t.columns = append([]column(nil), t.columns...)
	for i := range t.columns {
		t.columns[i].needed = false
	}
	f.Fuzz(func(tt *testing.T, first, second string) {
		d := newDecoder(&t, usage.Export{})
		for n, line := range []string{first, second} {
			if bytes.IndexByte([]byte(line), '\n') >= 0 {
				return
			}
			rows := len(d.lines)
			reason := d.line([]byte(line), int64(n+1))
			var want map[string]json.RawMessage
			err := json.Unmarshal([]byte(line), &want)
			if reason != "" {
				if err == nil && want != nil && reason == notJSON && utf8.ValidString(line) {
					tt.Fatalf("%q is an object: %s", line, reason)
				}
				return
			}
			if err != nil {
				tt.Fatalf("%q is taken: %v", line, err)
			}
			if len(d.lines) != rows+1 {
				tt.Fatal("no row")
			}
			for name, raw := range want {
				i := t.at(name)
				if i < 0 {
					continue
				}
				x := &d.dicts[i]
				e := x.entries[d.rows[i][rows]]
				var s string
				switch {
				case string(raw) == "null":
					if !e.null {
						tt.Fatalf("%s of %q is not null", name, line)
					}
					continue
				case raw[0] != '"':
					s = string(raw)
				default:
					if err := json.Unmarshal(raw, &s); err != nil {
						tt.Fatal(err)
					}
				}
				if t.columns[i].sort == number {
					if s == "" {
						continue
					}
					if w, err := decimal.NewFromString(s); err != nil || !w.Equal(e.num.decimal()) {
						tt.Fatalf("%s of %q is %s (%v)", name, line, e.num.decimal(), err)
					}
					continue
				}
				if got := string(x.val(d.rows[i][rows])); got != s {
					tt.Fatalf("%s of %q is %q, want %q", name, line, got, s)
				}
			}
		}
	})
}

// FuzzNumber: a number is exact or refused.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "1", "-1.5", "0.1234567890", "99999999999999999999.999999999999999999", "100000000000000000000", "1e-18", "1e-19", "1.50e-17", "1E+3", "0.10000000000000000000000000",
		"12345678901234567890.123456789012345678", "-99999999999999999999", "01", "1.", ".5", "+1", "1e", "", "-", "1e999999999999", "0e99", "18446744073709551616"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := fixedOf([]byte(s))
		if !ok {
			if json.Valid([]byte(s)) && len(s) < 19 && s[0] >= '0' && s[0] <= '9' && !bytes.ContainsAny([]byte(s), "eE") {
				t.Fatalf("%q is a number", s)
			}
			return
		}
		if !json.Valid([]byte(s)) {
			t.Fatalf("%q is no number", s)
		}
		if len(s) > 300 {
			return
		}
		if n == (fixed{}) { // with any exponent
			if f, _, err := big.ParseFloat(s, 10, 64, big.ToZero); err == nil && f.Sign() != 0 {
				t.Fatalf("%q is zero", s)
			}
			return
		}
		want, err := decimal.NewFromString(s)
		if err != nil || !want.Equal(n.decimal()) {
			t.Fatalf("%q is %s", s, n.decimal())
		}
		back := new(big.Int).SetBytes(n.bytes(nil))
		if back.Bit(127) == 1 {
			back.Sub(back, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		if back.Cmp(n.big()) != 0 || n.neg().neg() != n {
			t.Fatalf("%q is kept as %s", s, back)
		}
	})
}
