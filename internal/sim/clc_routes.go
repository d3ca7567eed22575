package sim

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// clcWorld is the billing directory: accounts and their users. It plays the API of
// the cloud in whose accounts Azure is billed, in its generations v1 and v2.
type clcWorld struct {
	accounts map[string]*DirectoryAccount // by alias in capitals
	users    map[string]*DirectoryUser    // by folded name
	tokens   map[string]directoryToken
}

// directoryToken is a sign-in: good for two weeks.
type directoryToken struct {
	user    string
	expires time.Time
	admin   bool // by an API key of v1, which acts as account administrator
}

const directoryTokenLife = 14 * 24 * time.Hour

// directoryCookie carries a v1 sign-in.
const directoryCookie = "Tier3.API.Cookie"

// registerCLC adds the routes of the billing directory, below /clc and at the root.
func (s *Server) registerCLC() {
	s.seedDirectory = func(w *world, text json.RawMessage) error {
		var seed Directory
		if err := json.Unmarshal(text, &seed); err != nil {
			return err
		}
		return w.clc.seed(seed)
	}
	clc := func(method, path string, a access, h handler) {
		for _, prefix := range []string{"/clc", ""} {
			s.on(serviceCLC, method+" "+prefix+path, needsNothing, a, h)
		}
	}
	clc("POST", "/v2/authentication/login", writes, directoryLogin)
	clc("GET", "/v2/accounts/{alias}", reads, directoryAccountV2)
	clc("GET", "/v2/subaccounts/{alias}", reads, directorySubaccounts)
	clc("POST", "/REST/Auth/Logon", writes, directoryLogon)
	clc("POST", "/REST/Auth/Logout", writes, directoryLogout)
	clc("POST", "/REST/Account/GetAccounts", reads, directoryAccounts)
	clc("POST", "/REST/Account/GetAccountDetails", reads, directoryAccountDetails)
	clc("POST", "/REST/User/GetUsers", reads, directoryUsers)
	clc("POST", "/REST/User/GetUserDetails", reads, directoryUserDetails)
	s.on(serviceControl, "GET /_sim/clc", needsNothing, reads, func(c *call) reply { return ok(c.w.clc.dump()) })
	s.on(serviceControl, "POST /_sim/clc", needsNothing, writes, func(c *call) reply {
		var seed Directory
		if err := c.decode(&seed); err != nil {
			return controlError(err)
		}
		if err := c.w.clc.seed(seed); err != nil {
			return controlError(err)
		}
		return empty(http.StatusNoContent)
	})
}

// Directory is what the billing directory holds, as --seed, POST /_sim/clc and
// SeedDirectory take it. What exists already is replaced.
type Directory struct {
	Accounts []DirectoryAccount `json:"accounts"`
	Users    []DirectoryUser    `json:"users"`
}

// Status of an account.
const (
	DirectoryActive   = 1
	DirectoryDisabled = 2
	DirectoryDeleted  = 3
	DirectoryDemo     = 4
)

// RoleAccountAdministrator is the role that may approve charges.
const RoleAccountAdministrator = 9

// directoryRoles are the roles, by their codes, with the names of the v2 login.
var directoryRoles = map[int]string{2: "ServerAdmin", 3: "BillingManager", 8: "DnsManager", RoleAccountAdministrator: "AccountAdmin", 10: "AccountViewer",
	12: "NetworkManager", 13: "SecurityManager", 14: "ServerOperator", 15: "ServerScheduler"}

// DirectoryAccount is a billed party; its alias has 2 to 4 letters and digits.
type DirectoryAccount struct {
	Alias        string `json:"alias"`
	Parent       string `json:"parent"`
	Name         string `json:"businessName"`
	Status       int    `json:"status"` // 1 active (default), 2 disabled, 3 deleted, 4 demo
	Location     string `json:"location"`
	Address1     string `json:"address1"`
	Address2     string `json:"address2"`
	City         string `json:"city"`
	State        string `json:"stateProvince"`
	PostalCode   string `json:"postalCode"`
	Country      string `json:"country"`
	Telephone    string `json:"telephone"`
	Fax          string `json:"fax"`
	TimeZone     string `json:"timeZone"`
	SupportLevel string `json:"supportLevel"` // developer (default), legacy, professional, enterprise
	Shared       bool   `json:"shareParentNetworks"`
}

// DirectoryUser is a person of an account; the roles hold there and below it.
type DirectoryUser struct {
	Name     string `json:"userName"`
	Password string `json:"password"`
	Alias    string `json:"accountAlias"`
	First    string `json:"firstName"`
	Last     string `json:"lastName"`
	Email    string `json:"emailAddress"`
	Phone    string `json:"officeNumber"`
	Roles    []int  `json:"roles"`
	Status   string `json:"status"` // active (default), disabled, deleted
}

// SeedDirectory puts accounts and users into the billing directory. Nothing changes
// if something in it is wrong.
func (s *Server) SeedDirectory(seed Directory) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.clc.seed(seed)
}

// Directory is a copy of the billing directory, passwords left out.
func (s *Server) Directory() Directory {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.w.clc.dump()
}

func (d *clcWorld) seed(seed Directory) error {
	named := map[string]bool{}
	for _, a := range seed.Accounts {
		if n := len(a.Alias); n < 2 || n > 4 || strings.ContainsFunc(a.Alias, func(r rune) bool {
			return !letterOrDigit(r)
		}) {
			return fmt.Errorf("the account alias %q is not 2 to 4 letters and digits", a.Alias)
		}
		if a.Status < 0 || a.Status > DirectoryDemo {
			return fmt.Errorf("account %s has the unknown status %d", a.Alias, a.Status)
		}
		named[strings.ToUpper(a.Alias)] = true
	}
	for _, a := range seed.Accounts {
		if up := strings.ToUpper(a.Parent); up != "" && !named[up] && d.accounts[up] == nil {
			return fmt.Errorf("account %s names the unknown parent %s", a.Alias, a.Parent)
		}
	}
	for _, u := range seed.Users {
		if up := strings.ToUpper(u.Alias); u.Name == "" || (!named[up] && d.accounts[up] == nil) {
			return fmt.Errorf("user %q names the unknown account %q", u.Name, u.Alias)
		}
		for _, r := range u.Roles {
			if directoryRoles[r] == "" {
				return fmt.Errorf("user %s has the unknown role %d", u.Name, r)
			}
		}
	}
	if d.accounts == nil {
		d.accounts, d.users, d.tokens = map[string]*DirectoryAccount{}, map[string]*DirectoryUser{}, map[string]directoryToken{}
	}
	for _, a := range seed.Accounts {
		a.Alias, a.Parent = strings.ToUpper(a.Alias), strings.ToUpper(a.Parent)
		a.Status, a.Location, a.SupportLevel = or(a.Status, DirectoryActive), or(a.Location, "WA1"), or(a.SupportLevel, "developer")
		d.accounts[a.Alias] = &a
	}
	for _, u := range seed.Users {
		u.Alias, u.Status = strings.ToUpper(u.Alias), or(u.Status, "active")
		d.users[strings.ToLower(u.Name)] = &u
	}
	return nil
}

func (d *clcWorld) dump() Directory {
	out := Directory{Accounts: []DirectoryAccount{}, Users: []DirectoryUser{}}
	for _, a := range d.accounts {
		out.Accounts = append(out.Accounts, *a)
	}
	for _, u := range d.users {
		v := *u
		v.Password = ""
		out.Users = append(out.Users, v)
	}
	slices.SortFunc(out.Accounts, func(a, b DirectoryAccount) int { return strings.Compare(a.Alias, b.Alias) })
	slices.SortFunc(out.Users, func(a, b DirectoryUser) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// signIn checks name and password and makes a token.
func (c *call) directorySignIn(name, password string, admin bool) (*DirectoryUser, string) {
	u := c.w.clc.users[strings.ToLower(strings.TrimSpace(name))]
	if u == nil || u.Status != "active" || password == "" || subtle.ConstantTimeCompare([]byte(u.Password), []byte(password)) != 1 {
		return nil, ""
	}
	if a := c.w.clc.accounts[u.Alias]; a == nil || a.Status == DirectoryDisabled || a.Status == DirectoryDeleted {
		return nil, ""
	}
	token := c.s.newID() + c.s.newID()
	c.w.clc.tokens[token] = directoryToken{u.Name, c.now.Add(c.s.Clock.Real(directoryTokenLife)), admin}
	return u, token
}

// holder is the person whose token or cookie the call carries, nil without a good one.
func (c *call) holder() (u *DirectoryUser, admin bool) {
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
		if k, err := c.r.Cookie(directoryCookie); err == nil {
			token = k.Value
		}
	}
	t, known := c.w.clc.tokens[token]
	if !known || !c.now.Before(t.expires) || find(c.faults, ExpireToken) != nil {
		return nil, false
	}
	u = c.w.clc.users[strings.ToLower(t.user)]
	if u == nil || u.Status != "active" {
		return nil, false
	}
	return u, t.admin
}

// within says whether alias is the user's account or below it; deleted ones are gone.
func (d *clcWorld) within(u *DirectoryUser, alias string) *DirectoryAccount {
	a := d.accounts[strings.ToUpper(alias)]
	if a == nil || a.Status == DirectoryDeleted {
		return nil
	}
	for at, depth := a, 0; at != nil && depth < 100; at, depth = d.accounts[at.Parent], depth+1 {
		if at.Alias == u.Alias {
			return a
		}
	}
	return nil
}
