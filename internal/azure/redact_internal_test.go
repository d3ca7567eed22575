package azure

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A secret is found wherever a service may put it.
func TestNoSecretSurvives(t *testing.T) {
	const canary = `Can4ry"<&>\pass`
	inJSON := strconvJSON(canary)
	for _, c := range []struct{ says, body string }{
		{"a member", `{"userCredentials":{"userName":"admin","password":"` + inJSON + `"}}`},
		{"a member in other letters", `{"PASSWORD" : "` + inJSON + `"}`},
		{"JSON in JSON", `{"resourceNewValue":"{\"password\":\"` + strconvJSON(inJSON) + `\"}"}`},
		{"a list of secrets", `{"refresh_token":["` + inJSON + `"]}`},
		{"an object under a secret name", `{"password":{"value":"` + inJSON + `"}}`},
	} {
		var r redactor
		r.learnJSON([]byte(c.body))
		if got := r.text(c.body); strings.Contains(got, "Can4ry") || !strings.Contains(got, gone) {
			t.Errorf("%s: %s", c.says, got)
		}
	}
	for _, c := range []struct{ says, text string }{
		{"broken JSON", `{"password":"Can4ry","x`},
		{"broken JSON in JSON", `{"v":"{\"client_secret\":\"Can4ry\",`},
		{"a cut value", `{"access_token":"Can4ry`},
		{"a header in an HTML page", `<pre>Authorization: Bearer Can4ry0123</pre>`},
		{"a token in a text", `token eyJCan4ryCan4ry.eyJCan4ryBody.Can4rySig is wrong`},
		{"a signed link", `https://x.blob.core.windows.net/y?sv=1&sig=Can4ry%3D&x=1`},
	} {
		var r redactor
		r.learnJSON([]byte(c.text))
		if got := r.text(c.text); strings.Contains(got, "Can4ry") {
			t.Errorf("%s: %s", c.says, got)
		}
	}
}

func TestAKnownSecretIsFoundWhereNobodyLooks(t *testing.T) {
	var r redactor
	form := url.Values{"client_secret": {"s~ecret+1="}, "code": {"0.AbCd-code"}, "client_id": {"app"}, "grant_type": {"authorization_code"}}
	shown := r.form(form)
	if strings.Contains(shown, "ecret%2B1") || strings.Contains(shown, "AbCd") || !strings.Contains(shown, "client_id=app") {
		t.Errorf("the form shows %s", shown)
	}
	echo := "<html>you sent " + form.Encode() + " and s~ecret+1= and 0.AbCd-code</html>"
	if got := r.text(echo); strings.Contains(got, "ecret+1") || strings.Contains(got, "ecret%2B1") || strings.Contains(got, "AbCd") {
		t.Errorf("the echo shows %s", got)
	}
}

func TestWhatStaffNeedStays(t *testing.T) {
	var r redactor
	const body = `{"email":"owner@contoso.example","code":"13605","description":"the agreement is missing","attestationId":"a1"}`
	r.learnJSON([]byte(body))
	if got := r.text(body); got != body {
		t.Errorf("too much is gone: %s", got)
	}
	h := r.headers(http.Header{"Authorization": {"Bearer abc.def"}, "Set-Cookie": {"x=1"}, "Ms-Requestid": {"r1"}})
	if h["Authorization"] != "Bearer "+gone || h["Set-Cookie"] != gone || h["Ms-Requestid"] != "r1" {
		t.Errorf("headers: %v", h)
	}
}
