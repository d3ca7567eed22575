package azure_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"causeway/internal/azure"
	"causeway/internal/fault"
)

// Every documented code must tell a person what it means and what to do.
func TestEveryDocumentedCodeIsExplained(t *testing.T) {
	b, err := os.ReadFile("testdata/codes.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		code := strings.TrimSpace(line)
		if code == "" || strings.HasPrefix(code, "#") {
			continue
		}
		n++
		x, ok := azure.Explain(code)
		switch {
		case !ok:
			t.Errorf("%s is not explained", code)
		case !strings.HasSuffix(x.Reason, ".") || !strings.HasSuffix(x.Remedy, "."):
			t.Errorf("%s: %q %q are not sentences", code, x.Reason, x.Remedy)
		case x.Class == "":
			t.Errorf("%s has no class", code)
		}
	}
	if n < 200 {
		t.Errorf("only %d codes in the list", n)
	}
	if _, ok := azure.Explain("no-such-code"); ok {
		t.Error("a code that does not exist is explained")
	}
}

func TestClassesOfErrors(t *testing.T) {
	for _, c := range []struct {
		says   string
		status int
		code   string
		want   azure.Class
	}{
		{"throttled", 429, "", azure.R1},
		{"throttled, whatever the code says", 429, "600061", azure.R1},
		{"no answer", 0, "", azure.R2},
		{"time-out", 408, "", azure.R2},
		{"a fault of theirs", 500, "800003", azure.R2},
		{"an unknown fault of theirs", 503, "", azure.R2},
		{"not offered at all", 501, "0", azure.F},
		{"no relationship yet", 403, "20002", azure.R3},
		{"another order in progress", 409, "800060", azure.R3},
		{"busy subscription", 409, "900278", azure.R3},
		{"a right that has not arrived", 403, "AuthorizationFailed", azure.R3},
		{"a principal that has not arrived", 400, "PrincipalNotFound", azure.R3},
		{"a consent that has not arrived", 400, "AADSTS65001", azure.R3},
		{"outdated etag", 400, "2055", azure.R4},
		{"precondition of Graph", 412, "", azure.R4},
		{"precondition of commerce", 417, "800036", azure.R4},
		{"the agreement is missing", 403, "13605", azure.W},
		{"the account is in review", 403, "800073", azure.W},
		{"the account is refused", 403, "800075", azure.F},
		{"the form is wrong", 400, "600050", azure.F},
		{"nothing there", 404, "1000", azure.F},
		{"a transfer that failed on their side", 500, "900131", azure.R2},
		{"a transfer that is refused", 400, "900131", azure.F},
	} {
		err := fmt.Errorf("step: %w", &azure.Error{Service: azure.PartnerCenter, Status: c.status, Code: c.code})
		if got := azure.Classify(err); got != c.want {
			t.Errorf("%s (%d %s): %s, want %s", c.says, c.status, c.code, got, c.want)
		}
	}
	if azure.Classify(nil) != "" || azure.Classify(errors.New("ours")) != azure.F {
		t.Error("an error that is not Microsoft's has a class of theirs")
	}
}

func TestWhatMayHaveHappened(t *testing.T) {
	for _, c := range []struct {
		says string
		err  error
		want bool
	}{
		{"no answer", &azure.Error{}, true},
		{"time-out", &azure.Error{Status: 408}, true},
		{"a fault of theirs", &azure.Error{Status: 502}, true},
		{"a success that cannot be read", &azure.Error{Status: 201, Unreadable: true}, true},
		{"refused", &azure.Error{Status: 400}, false},
		{"throttled", &azure.Error{Status: 429}, false},
		{"the token endpoint failed, so nothing was sent", azure.NotSent(&azure.Error{Status: 503}), false},
		{"nothing happened", nil, false},
		{"an error of ours", errors.New("x"), false},
	} {
		if got := azure.Unknown(c.err); got != c.want {
			t.Errorf("%s: unknown = %v", c.says, got)
		}
	}
}

func TestAnErrorBecomesFieldReasonRemedy(t *testing.T) {
	for _, c := range []struct {
		says  string
		err   azure.Error
		field string
		words string
	}{
		{"registration number", azure.Error{Status: 400, Code: "600050"}, "registration_number", "register"},
		{"a property named in data", azure.Error{Status: 400, Code: "27002", Details: []azure.Detail{{Target: "State"}}}, "state", "state"},
		{"a property named in data that is no part of the address", azure.Error{Status: 409, Code: "27002", Message: "The prefix is taken", Details: []azure.Detail{{Target: "Domain"}}}, "domain", "The prefix is taken. Correct"},
		{"a general code with the real one inside", azure.Error{Status: 400, Code: "2000", Details: []azure.Detail{{Code: "600049"}}}, "registration_number", "missing"},
		{"an unknown code says what Microsoft said", azure.Error{Status: 400, Code: "987654", Message: "The moon is full"}, "", "The moon is full."},
		{"unknown right", azure.Error{Status: 403, Code: "x"}, "", "allow"},
	} {
		r, ok := azure.Refusal(fmt.Errorf("step: %w", &c.err))
		if !ok || r.Field != c.field || !strings.Contains(r.Reason+" "+r.Remedy, c.words) || r.Remedy == "" || r.Code != c.err.Code {
			t.Errorf("%s: %+v", c.says, r)
		}
	}
	if _, ok := azure.Refusal(errors.New("ours")); ok {
		t.Error("an error of ours is put into Microsoft's words")
	}
}

func TestOnlyWhatPassesIsUnavailable(t *testing.T) {
	for status, want := range map[int]fault.Kind{0: fault.Unavailable, 408: fault.Unavailable, 429: fault.Unavailable, 503: fault.Unavailable, 400: "", 403: "", 404: "", 501: ""} {
		if got := fault.KindOf(fmt.Errorf("step: %w", &azure.Error{Status: status, Service: azure.ARM})); got != want {
			t.Errorf("%d is %q, want %q", status, got, want)
		}
	}
	f := fault.Of(&azure.Error{Status: 429, Service: azure.ARM, RetryAfter: 57e9})
	if f == nil || f.After != 57e9 {
		t.Errorf("the time to wait is lost: %+v", f)
	}
}
