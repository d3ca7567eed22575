package sim

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// signInPage is Entra ID's sign-in, as plain as can be: one form, no script.
var signInPage = template.Must(template.New("signin").Parse(pageHead + `
<main>
<h1>Sign in</h1>
<p>Simulated Microsoft Entra ID. You sign in to <strong>{{.App}}</strong>.</p>
{{if .Error}}<p class="error" role="alert">{{.Error}}</p>{{end}}
<form method="post">
<label for="user">User name</label>
<input id="user" name="user" type="email" autocomplete="username" value="{{.User}}" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<p class="check"><input id="mfa" name="mfa" type="checkbox" value="yes"{{if .MFA}} checked{{end}}>
<label for="mfa">I confirm with a second factor (MFA)</label></p>
<p class="check"><input id="consent" name="consent" type="checkbox" value="yes" checked>
<label for="consent">I allow {{.App}} to act for me in Partner Center</label></p>
<button type="submit">Sign in</button>
</form>
</main>
` + pageFoot))

type signInView struct {
	Title, App, User, Error string
	MFA                     bool
}

// authorizePage shows the sign-in form: GET /{tenant}/oauth2/authorize.
func authorizePage(c *call) reply {
	if bad := c.badAuthorize(); bad != nil {
		return *bad
	}
	return html(http.StatusOK, signInPage, signInView{Title: "Sign in", App: c.s.cfg.App.Name, User: c.query("login_hint"), MFA: true})
}

func (c *call) badAuthorize() *reply {
	var r reply
	switch u, err := url.Parse(c.query("redirect_uri")); {
	case !strings.EqualFold(c.query("client_id"), c.s.cfg.App.ID):
		r = page(http.StatusBadRequest, "Sign in", "AADSTS700016: Application with identifier '"+c.query("client_id")+"' was not found in the directory.")
	case c.query("response_type") != "code":
		r = page(http.StatusBadRequest, "Sign in", "AADSTS700054: response_type '"+c.query("response_type")+"' is not enabled for the application.")
	case err != nil || (u.Scheme != "http" && u.Scheme != "https"):
		r = page(http.StatusBadRequest, "Sign in", "AADSTS900971: No reply address provided.")
	default:
		return nil
	}
	return &r
}

// authorizeForm checks the sign-in and sends the browser back with a code.
func authorizeForm(c *call) reply {
	if bad := c.badAuthorize(); bad != nil {
		return *bad
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return page(http.StatusBadRequest, "Sign in", "The form could not be read.")
	}
	view := signInView{Title: "Sign in", App: c.s.cfg.App.Name, User: form.Get("user"), MFA: form.Get("mfa") != ""}
	tenant, noMFA, known := c.person(form.Get("user"), form.Get("password"))
	if !known {
		view.Error = "AADSTS50126: The user name or password is wrong."
		return html(http.StatusOK, signInPage, view)
	}
	if form.Get("consent") == "" {
		return c.sendBack(url.Values{"error": {"access_denied"}, "error_description": {"AADSTS65004: User declined to consent to access the app."}})
	}
	code := c.newCode(form.Get("user"), tenant, form.Get("mfa") != "" && !noMFA, c.query("redirect_uri"))
	return c.sendBack(url.Values{"code": {code}, "session_state": {c.s.newID()}})
}

// person checks a name and password of the partner's people or of a customer's admin.
func (c *call) person(upn, password string) (tenant string, noMFA, known bool) {
	if u := c.s.user(upn); u != nil {
		return c.s.cfg.Partner.TenantID, u.NoMFA, u.Password != "" && u.Password == password
	}
	_, domain, _ := strings.Cut(upn, "@")
	cu := c.w.customers[c.w.domains[foldDomain(domain)]]
	if cu == nil {
		return "", false, false
	}
	return cu.ID, false, cu.signsIn(upn, password)
}

func (c *call) newCode(upn, tenant string, mfa bool, redirect string) string {
	code := "sim-code-" + c.s.newID()
	c.w.codes[code] = &authCode{UPN: upn, App: c.s.cfg.App.ID, Redirect: redirect, Tenant: tenant, MFA: mfa, At: c.now}
	for k, old := range c.w.codes { // few, and dead after 10 minutes
		if c.now.Sub(old.At) > time.Hour {
			delete(c.w.codes, k)
		}
	}
	return code
}

var formPostPage = template.Must(template.New("back").Parse(pageHead + `
<main><h1>Signed in</h1>
<form method="post" action="{{.Action}}">{{range $k, $v := .Values}}<input type="hidden" name="{{$k}}" value="{{index $v 0}}">{{end}}
<button type="submit" autofocus>Continue</button></form></main>
` + pageFoot))

// sendBack returns to the application, by redirect or by a form as it asked.
func (c *call) sendBack(v url.Values) reply {
	if state := c.query("state"); state != "" {
		v.Set("state", state)
	}
	to := c.query("redirect_uri")
	if c.query("response_mode") == "form_post" {
		return html(http.StatusOK, formPostPage, struct {
			Title, Action string
			Values        url.Values
		}{"Signed in", to, v})
	}
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	return empty(http.StatusFound).with("Location", to+sep+v.Encode())
}
