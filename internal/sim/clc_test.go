package sim_test

import (
	"testing"
	"time"

	"causeway/internal/sim"
)

const directorySeed = `{"clc":{"accounts":[
	{"alias":"cts","businessName":"Contoso","address1":"1 Microsoft Way","city":"Redmond","stateProvince":"WA","postalCode":"98052","country":"US","telephone":"4255550100"},
	{"alias":"CTSA","parent":"cts","businessName":"Contoso Asia","status":4},
	{"alias":"CTSB","parent":"ctsa","businessName":"Contoso Old","status":2},
	{"alias":"CTSX","parent":"cts","businessName":"Contoso Gone","status":3},
	{"alias":"TAIL","businessName":"Tailspin"}],
	"users":[{"userName":"admin.cts","password":"Right-Passw0rd","accountAlias":"CTS","firstName":"Account","lastName":"Admin","emailAddress":"admin@contoso.example","roles":[9,3]},
	{"userName":"viewer.ctsa","password":"View-Passw0rd","accountAlias":"CTSA","roles":[10]},
	{"userName":"admin.tail","password":"Tail-Passw0rd","accountAlias":"TAIL","roles":[9]}]}}`

func (p *partner) login(name, password string) answer {
	p.t.Helper()
	return p.do("POST", "/clc/v2/authentication/login", `{"username":"`+name+`","password":"`+password+`"}`, "Content-Type", "application/json")
}

func TestTheDirectoryKnowsWhoAdministersWhat(t *testing.T) {
	s := sim.Start(t)
	plant(t, s, directorySeed)
	p := newPartner(t, s)
	in := p.login("Admin.CTS", "Right-Passw0rd").want(t, 200)
	if in.at("accountAlias") != "CTS" || in.at("roles.0") != "AccountAdmin" || in.at("locationAlias") == "" {
		t.Errorf("login = %s", in.raw)
	}
	token := in.at("bearerToken")
	rest := func(path string, body any) answer { return p.as(token, "POST", "/clc/REST/"+path, body) }

	list := rest("Account/GetAccounts", map[string]any{}).want(t, 200)
	for i, want := range []struct{ alias, parent, active string }{{"CTS", "", "true"}, {"CTSA", "CTS", "true"}, {"CTSB", "CTSA", "false"}, {"", "", ""}} {
		at := "Accounts." + string(rune('0'+i)) + "."
		if list.at(at+"AccountAlias") != want.alias || list.at(at+"ParentAlias") != want.parent || list.at(at+"IsActive") != want.active {
			t.Errorf("account %d of %s", i, list.raw)
		}
	}
	if got := rest("Account/GetAccountDetails", map[string]string{"AccountAlias": "ctsa"}).want(t, 200); got.at("AccountDetails.Status") != "4" || got.at("Success") != "true" {
		t.Errorf("details = %s", got.raw)
	}
	rest("Account/GetAccountDetails", map[string]string{"AccountAlias": "TAIL"}).want(t, 403)
	if got := rest("User/GetUserDetails", map[string]string{"UserName": "admin.cts"}).want(t, 200); got.at("UserDetails.Roles.0") != "9" || got.at("UserDetails.EmailAddress") != "admin@contoso.example" {
		t.Errorf("user = %s", got.raw)
	}
	rest("User/GetUserDetails", map[string]string{"UserName": "admin.tail"}).want(t, 403)
	if got := p.as(token, "GET", "/clc/v2/accounts/CTSA", nil).want(t, 200); got.at("status") != "demo" || got.at("links.0.rel") != "self" {
		t.Errorf("account = %s", got.raw)
	}
	p.as(token, "GET", "/clc/v2/accounts/TAIL", nil).want(t, 403)
}

func TestTheDirectoryRefusesWhomItDoesNotKnow(t *testing.T) {
	s := sim.Start(t)
	plant(t, s, directorySeed)
	p := newPartner(t, s)
	for _, tc := range []struct{ says, name, password string }{
		{"a wrong password", "admin.cts", "Wrong"}, {"an unknown name", "nobody", "Right-Passw0rd"}, {"no password", "admin.cts", ""},
	} {
		t.Run(tc.says, func(t *testing.T) {
			if got := p.login(tc.name, tc.password).want(t, 400); got.at("message") == "" {
				t.Errorf("answer = %s", got.raw)
			}
		})
	}
	t.Run("a call without a token", func(t *testing.T) {
		p.do("POST", "/clc/REST/Account/GetAccounts", "{}").want(t, 401)
		p.do("GET", "/clc/v2/accounts/CTS", "").want(t, 401)
	})
	t.Run("a token of more than two weeks", func(t *testing.T) {
		token := p.login("admin.cts", "Right-Passw0rd").at("bearerToken")
		s.Advance(14*24*time.Hour - time.Second)
		p.as(token, "GET", "/clc/v2/accounts/CTS", nil).want(t, 200)
		s.Advance(time.Second)
		p.as(token, "GET", "/clc/v2/accounts/CTS", nil).want(t, 401)
	})
	t.Run("a person of an account that was disabled", func(t *testing.T) {
		p.do("POST", "/_sim/clc", `{"accounts":[{"alias":"TAIL","status":2}]}`).want(t, 204)
		p.login("admin.tail", "Tail-Passw0rd").want(t, 400)
	})
	t.Run("a seed that is wrong changes nothing", func(t *testing.T) {
		before := len(s.Directory().Accounts)
		for _, bad := range []string{`{"accounts":[{"alias":"TOOLONG"}]}`, `{"accounts":[{"alias":"AA"},{"alias":"AB","parent":"NONE"}]}`,
			`{"accounts":[{"alias":"AA"}],"users":[{"userName":"x","accountAlias":"ZZ"}]}`, `{"accounts":[{"alias":"AA"}],"users":[{"userName":"x","accountAlias":"AA","roles":[7]}]}`} {
			p.do("POST", "/_sim/clc", bad).want(t, 400)
		}
		if n := len(s.Directory().Accounts); n != before {
			t.Errorf("accounts = %d, want %d", n, before)
		}
	})
}

// The cookie of v1 serves as well as the token of v2.
func TestTheCookieOfV1SignsIn(t *testing.T) {
	s := sim.Start(t)
	plant(t, s, directorySeed)
	p := newPartner(t, s)
	p.do("POST", "/clc/REST/Auth/Logon", `{"APIKey":"viewer.ctsa","Password":"wrong"}`).want(t, 400)
	in := p.do("POST", "/clc/REST/Auth/Logon", `{"APIKey":"viewer.ctsa","Password":"View-Passw0rd"}`).want(t, 200)
	cookie := in.header.Get("Set-Cookie")
	list := p.do("POST", "/clc/REST/Account/GetAccounts", "{}", "Cookie", cookie[:len("Tier3.API.Cookie=")+72]).want(t, 200)
	if list.at("Accounts.0.AccountAlias") != "CTSA" || list.at("Accounts.1.AccountAlias") != "CTSB" {
		t.Errorf("accounts = %s", list.raw)
	}
}
