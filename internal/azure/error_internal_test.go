package azure

import "testing"

func TestErrorBodiesOfEveryForm(t *testing.T) {
	for _, c := range []struct {
		says, body    string
		code, message string
		detail        Detail
	}{
		{"classic", `{"code":3000,"description":"Partner Organization could not be found","data":[],"source":"PartnerFD"}`, "3000", "Partner Organization could not be found", Detail{}},
		{"classic with a code in text and the property at fault", `{"code":"27002","description":"invalid","data":["State"],"source":"x"}`, "27002", "invalid", Detail{Target: "State"}},
		{
			"newer", `{"code":600061,"message":"m","description":"The agreement exists","errorName":"PartnerConfirmedAgreementAlreadyExists","isRetryable":false,"parameters":{},"errorMessageExtended":"InternalErrorCode=600061"}`,
			"600061", "The agreement exists", Detail{},
		},
		{"newer with its number in the extension only", `{"description":"d","errorMessageExtended":"InternalErrorCode=600061"}`, "600061", "d", Detail{}},
		{"gateway", `{"statusCode":429,"message":"Rate limit is exceeded. Try again in 57 seconds."}`, "", "Rate limit is exceeded. Try again in 57 seconds.", Detail{}},
		{
			"nested in the description", `{"code":2007,"description":"{\"code\":60071,\"description\":\"City is wrong\"}","data":[],"source":"x"}`,
			"2007", "City is wrong", Detail{Code: "60071", Message: "City is wrong"},
		},
		{"partner API", `{"error":{"code":"2000","message":"bad","target":"market","innerError":{"code":"x"}}}`, "2000", "bad", Detail{}},
		{"Graph", `{"error":{"code":"Authorization_RequestDenied","message":"no","innerError":{"date":"2022-01-01","request-id":"r","client-request-id":"c"}}}`, "Authorization_RequestDenied", "no", Detail{}},
		{
			"a policy's refusal in a template", `{"error":{"code":"InvalidTemplateDeployment","message":"m","details":[{"code":"RequestDisallowedByPolicy","target":"vm","message":"denied","additionalInfo":[{"type":"PolicyViolation","info":{"policyDefinitionId":"/d","policyAssignmentId":"/a"}}]}]}}`,
			"InvalidTemplateDeployment", "m", Detail{Code: "RequestDisallowedByPolicy", Target: "vm", Message: "denied", PolicyAssignmentID: "/a", PolicyDefinitionID: "/d"},
		},
		{
			"a policy's refusal at the top", `{"error":{"code":"RequestDisallowedByPolicy","message":"m","additionalInfo":[{"type":"PolicyViolation","info":{"policyAssignmentId":"/a"}}]}}`,
			"RequestDisallowedByPolicy", "m", Detail{Code: "RequestDisallowedByPolicy", Message: "m", PolicyAssignmentID: "/a"},
		},
		{
			"Entra ID", `{"error":"invalid_grant","error_description":"AADSTS50076: Due to a change you must use MFA.\r\nTrace ID: 1","error_codes":[50076],"timestamp":"t","trace_id":"x","correlation_id":"y"}`,
			"AADSTS50076", "AADSTS50076: Due to a change you must use MFA.", Detail{},
		},
		{"Entra ID without the list", `{"error":"invalid_client","error_description":"AADSTS7000215: wrong"}`, "AADSTS7000215", "AADSTS7000215: wrong", Detail{}},
		{"Entra ID with a word only", `{"error":"invalid_grant","error_description":"no"}`, "invalid_grant", "no", Detail{}},
		{"blob storage", `<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><Message>expired</Message></Error>`, "AuthenticationFailed", "expired", Detail{}},
		{"an HTML page", `<html><body>Bad gateway</body></html>`, "", "Bad Gateway", Detail{}},
		{"plain text", `upstream connect error`, "", "upstream connect error", Detail{}},
		{"nothing", ``, "", "Bad Gateway", Detail{}},
		{"a JSON text", `"oops"`, "", `"oops"`, Detail{}},
	} {
		e := &Error{Status: 502}
		e.read(c.body)
		if e.Code != c.code || e.Message != c.message {
			t.Errorf("%s: %q %q, want %q %q", c.says, e.Code, e.Message, c.code, c.message)
		}
		if got := append(e.Details, Detail{})[0]; got != c.detail {
			t.Errorf("%s: detail %+v, want %+v", c.says, got, c.detail)
		}
		if e.Raw != c.body {
			t.Errorf("%s: the raw body is lost", c.says)
		}
	}
}

func TestARawBodyIsBounded(t *testing.T) {
	e := &Error{Status: 500}
	long := make([]byte, 1<<20)
	for i := range long {
		long[i] = "ä"[i%2]
	}
	e.read(string(long))
	if len(e.Raw) > rawLimit+10 {
		t.Errorf("%d bytes are kept", len(e.Raw))
	}
}
