package azure_test

import (
	"encoding/json"
	"testing"
	"time"

	"causeway/internal/azure"
)

func TestNumbersComeAsNumbersAndAsText(t *testing.T) {
	for _, c := range []struct{ says, in, want string }{
		{"a number", `1.50`, "1.50"},
		{"text", `"0.123456789012345"`, "0.123456789012345"},
		{"a number with an exponent", `1e2`, "1e2"},
		{"null is absent", `null`, ""},
		{"empty text is absent", `""`, ""},
	} {
		var n azure.Number
		if err := json.Unmarshal([]byte(c.in), &n); err != nil || string(n) != c.want {
			t.Errorf("%s: %q, %v; want %q", c.says, n, err, c.want)
		}
	}
	for _, bad := range []string{`"twelve"`, `{}`, `[1]`} {
		var n azure.Number
		if json.Unmarshal([]byte(bad), &n) == nil {
			t.Errorf("%s passes for a number", bad)
		}
	}
	b, err := json.Marshal(map[string]azure.Number{"a": "10.10", "none": ""})
	if err != nil || string(b) != `{"a":10.1,"none":null}` {
		t.Errorf("%s, %v", b, err)
	}
}

func TestWholeNumbers(t *testing.T) {
	for in, want := range map[string]azure.Int{`7`: 7, `"50"`: 50, `1.0`: 1, `"3.00"`: 3, `null`: 0, `""`: 0, `-2`: -2} {
		var i azure.Int
		if err := json.Unmarshal([]byte(in), &i); err != nil || i != want {
			t.Errorf("%s: %d, %v; want %d", in, i, err, want)
		}
	}
	for _, bad := range []string{`1.5`, `"x"`, `99999999999999999999`} {
		var i azure.Int
		if json.Unmarshal([]byte(bad), &i) == nil {
			t.Errorf("%s passes for a whole number", bad)
		}
	}
}

func TestTimesInEveryDocumentedForm(t *testing.T) {
	for _, c := range []struct {
		says, in string
		want     time.Time
	}{
		{"seven digits", `"2017-06-15T22:56:05.0589308Z"`, time.Date(2017, 6, 15, 22, 56, 5, 58930800, time.UTC)},
		{"no zone is UTC", `"2019-08-26T00:00:00"`, time.Date(2019, 8, 26, 0, 0, 0, 0, time.UTC)},
		{"an offset", `"2019-08-26T02:00:00+02:00"`, time.Date(2019, 8, 26, 0, 0, 0, 0, time.UTC)},
		{"blanks after the colons", `"2015-11-25T06: 41: 12Z"`, time.Date(2015, 11, 25, 6, 41, 12, 0, time.UTC)},
		{"a day", `"2021-02-03"`, time.Date(2021, 2, 3, 0, 0, 0, 0, time.UTC)},
		{"the year 1 is none", `"0001-01-01T00:00:00"`, time.Time{}},
		{"the year 9999 is none", `"9999-12-31T23:59:59.9970000"`, time.Time{}},
		{"empty is none", `""`, time.Time{}},
		{"null is none", `null`, time.Time{}},
	} {
		var got azure.Time
		if err := json.Unmarshal([]byte(c.in), &got); err != nil || !got.Equal(c.want) {
			t.Errorf("%s: %v, %v; want %v", c.says, got, err, c.want)
		}
	}
	var bad azure.Time
	if json.Unmarshal([]byte(`"yesterday"`), &bad) == nil {
		t.Error("yesterday passes for a time")
	}
}

func TestWordsAreComparedWithoutCaseAndUnderscores(t *testing.T) {
	if !azure.SameWord("one_time", "OneTime") || !azure.SameWord("po review rejected", "poReviewRejected") || azure.SameWord("active", "inactive") {
		t.Error("enumerations are compared wrongly")
	}
}
