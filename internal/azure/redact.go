package azure

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// gone stands where a secret was.
const gone = "[redacted]"

// secretNames are the members, form fields and parameters whose values never
// leave the client. E-mail addresses and names stay: staff need them to help.
var secretNames = []string{
	"password", "newPassword", "currentPassword", "access_token", "accessToken", "refresh_token", "refreshToken", "id_token", "client_secret", "clientSecret",
	"client_assertion", "assertion", "code_verifier", "device_code", "sasToken", "sig",
}

// secretFormNames are secret only in a form: "code" elsewhere is an error's code.
var secretFormNames = []string{"code"}

var (
	secretMember = regexp.MustCompile(`(?i)(\\*"(?:` + strings.Join(secretNames, "|") + `)\\*"\s*:\s*)("(?:[^"\\]|\\.)*"?|\\+"[^"]*"?)`)
	webToken     = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*`)
	signature    = regexp.MustCompile(`(?i)([?&](?:sig|code|access_token|client_secret|id_token|refresh_token)=)[^&\s"'<>\\]+`)
	parameter    = regexp.MustCompile(`^[a-z_]+=$`) // of a challenge: Bearer authorization_uri="…", which names the right tenant
	bearer       = regexp.MustCompile(`(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}`)
)

// redactor takes secrets out of the texts of one exchange. It knows the values
// that went in or came back, so it also finds them where nobody would look: in
// an HTML page that echoes the request, in JSON inside JSON.
type redactor struct{ values []string }

// learn remembers values as secrets. Very short ones would blank out words.
func (r *redactor) learn(values ...string) {
	for _, v := range values {
		if len(v) >= 4 && v != gone && !slices.Contains(r.values, v) {
			r.values = append(r.values, v)
		}
	}
	slices.SortFunc(r.values, func(a, b string) int { return len(b) - len(a) }) // a secret may hold another
}

// learnJSON finds the values of secret members, also in JSON inside text.
func (r *redactor) learnJSON(body []byte) {
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) == nil {
		r.walk(v, false, 0)
	}
}

func (r *redactor) walk(v any, secret bool, depth int) {
	if depth > 32 {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		for name, below := range v {
			r.walk(below, secret || isSecret(name), depth+1)
		}
	case []any:
		for _, below := range v {
			r.walk(below, secret, depth+1)
		}
	case string:
		if secret {
			r.learn(v)
		} else if s := strings.TrimSpace(v); strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
			var in any
			if json.Unmarshal([]byte(s), &in) == nil {
				r.walk(in, false, depth+1)
			}
		}
	}
}

func isSecret(name string) bool {
	return slices.ContainsFunc(secretNames, func(s string) bool { return strings.EqualFold(s, name) })
}

// text gives s without secrets.
func (r *redactor) text(s string) string {
	for _, v := range r.values {
		s = strings.ReplaceAll(s, v, gone)
		for form := v; ; { // the value as it stands in JSON, and in JSON inside JSON
			quoted := strconvJSON(form)
			if quoted == form {
				break
			}
			s = strings.ReplaceAll(s, quoted, gone)
			if len(quoted) > 4*len(v)+16 {
				break
			}
			form = quoted
		}
		if q := url.QueryEscape(v); q != v {
			s = strings.ReplaceAll(s, q, gone)
		}
	}
	if mayHold(s, secretNames...) {
		s = secretMember.ReplaceAllStringFunc(s, func(m string) string {
			at := secretMember.FindStringSubmatch(m)
			quote := at[1][:strings.Index(at[1], `"`)+1] // as many backslashes as the name has
			return at[1] + quote + gone + quote
		})
	}
	if strings.Contains(s, "eyJ") {
		s = webToken.ReplaceAllString(s, gone)
	}
	if mayHold(s, "sig=", "code=", "token=", "secret=") {
		s = signature.ReplaceAllString(s, "${1}"+gone)
	}
	if !mayHold(s, "bearer") {
		return s
	}
	return bearer.ReplaceAllStringFunc(s, func(m string) string {
		kind := bearer.FindStringSubmatch(m)[1]
		if parameter.MatchString(m[len(kind):]) {
			return m
		}
		return kind + gone
	})
}

// mayHold tells whether any of the words can be in s, whatever their case: a long list
// without any is not worth the expressions. Where letters beyond ASCII may fold to
// one of a word's, the expressions have to look.
func mayHold(s string, words ...string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return true
		}
	}
	s = strings.ToLower(s)
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, strings.ToLower(w)) })
}

// strconvJSON is s as it stands between the quotes of a JSON string.
func strconvJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return strconv.Quote(s)
	}
	return string(b[1 : len(b)-1])
}

// form gives a form body without its secrets, and remembers them.
func (r *redactor) form(f url.Values) string {
	out := url.Values{}
	for name, values := range f {
		if isSecret(name) || slices.Contains(secretFormNames, name) {
			r.learn(values...)
			values = []string{gone}
		}
		out[name] = values
	}
	return strings.ReplaceAll(out.Encode(), url.QueryEscape(gone), gone)
}

// headers gives the headers that may be kept: all but the caller's token and
// cookies, each with its first value.
func (r *redactor) headers(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range h {
		if len(values) == 0 {
			continue
		}
		switch http.CanonicalHeaderKey(name) {
		case "Authorization":
			kind, _, _ := strings.Cut(values[0], " ")
			out[name] = kind + " " + gone
		case "Cookie", "Set-Cookie", "Proxy-Authorization":
			out[name] = gone
		default:
			out[name] = r.text(strings.Join(values, ", "))
		}
	}
	return out
}
