package sim

import (
	"net/http"
	"slices"
	"strings"
)

// answered is the envelope of every v1 answer.
type answered struct {
	Success    bool
	Message    string
	StatusCode int
}

var answeredWell = answered{true, "Success", 0}

func v1Error(status, code int, message string) reply {
	return reply{status: status, body: answered{false, message, code}}
}

// directoryLogon answers POST REST/Auth/Logon {APIKey, Password}: the sign-in of v1,
// which gives a cookie and acts as account administrator whatever the roles are.
func directoryLogon(c *call) reply {
	var in struct{ APIKey, Password string }
	if err := c.decode(&in); err != nil {
		return v1Error(http.StatusBadRequest, 3, "The request body is not valid.")
	}
	_, token := c.directorySignIn(in.APIKey, in.Password, true)
	if token == "" {
		return v1Error(http.StatusBadRequest, 100, "Invalid API key or password.")
	}
	return ok(answered{true, "Logon successful.", 0}).with("Set-Cookie", directoryCookie+"="+token+"; Path=/; HttpOnly; Secure")
}

func directoryLogout(c *call) reply {
	if k, err := c.r.Cookie(directoryCookie); err == nil {
		delete(c.w.clc.tokens, k.Value)
	}
	return ok(answeredWell).with("Set-Cookie", directoryCookie+"=; Path=/; Max-Age=0; HttpOnly; Secure")
}

// v1 resolves the caller of a v1 call.
func (c *call) v1() (*DirectoryUser, *reply) {
	u, _ := c.holder()
	if u == nil {
		r := v1Error(http.StatusUnauthorized, 2, "Authorization has been denied for this request.")
		return nil, &r
	}
	return u, nil
}

type directoryAccountRow struct {
	AccountAlias string
	ParentAlias  string
	Location     string
	BusinessName string
	IsActive     bool
}

// directoryAccounts lists the caller's account and all below it.
func directoryAccounts(c *call) reply {
	u, refusal := c.v1()
	if refusal != nil {
		return *refusal
	}
	rows := []directoryAccountRow{}
	for _, a := range c.w.clc.accounts {
		if c.w.clc.within(u, a.Alias) != nil {
			rows = append(rows, directoryAccountRow{a.Alias, a.Parent, a.Location, a.Name, a.Status == DirectoryActive || a.Status == DirectoryDemo})
		}
	}
	slices.SortFunc(rows, func(a, b directoryAccountRow) int { return strings.Compare(a.AccountAlias, b.AccountAlias) })
	return ok(struct {
		Accounts []directoryAccountRow
		answered
	}{rows, answeredWell})
}

type directoryAccountWhole struct {
	AccountAlias        string
	ParentAlias         string
	PrimaryDataCenter   string
	BusinessName        string
	Address1            string
	Address2            string
	City                string
	StateProvince       string
	PostalCode          string
	Country             string
	Telephone           string
	Fax                 string
	TimeZone            string
	Status              int
	ShareParentNetworks bool
	SupportLevel        string
}

// v1Account is the account that a call names; nothing named is the caller's own.
func (c *call) v1Account() (*DirectoryAccount, *reply) {
	u, refusal := c.v1()
	if refusal != nil {
		return nil, refusal
	}
	var in struct{ AccountAlias string }
	if err := c.decode(&in); err != nil {
		r := v1Error(http.StatusBadRequest, 3, "The request body is not valid.")
		return nil, &r
	}
	a := c.w.clc.within(u, or(in.AccountAlias, u.Alias))
	if a == nil {
		r := v1Error(http.StatusForbidden, 5, "The account "+in.AccountAlias+" does not exist or is not yours.")
		return nil, &r
	}
	return a, nil
}

// directoryAccountDetails answers POST REST/Account/GetAccountDetails {AccountAlias}.
func directoryAccountDetails(c *call) reply {
	a, refusal := c.v1Account()
	if refusal != nil {
		return *refusal
	}
	return ok(struct {
		AccountDetails directoryAccountWhole
		answered
	}{directoryAccountWhole{a.Alias, a.Parent, a.Location, a.Name, a.Address1, a.Address2, a.City, a.State, a.PostalCode, a.Country, a.Telephone, a.Fax,
		a.TimeZone, a.Status, a.Shared, a.SupportLevel}, answeredWell})
}

type directoryUserWhole struct {
	UserName     string
	AccountAlias string
	EmailAddress string
	FirstName    string
	LastName     string
	OfficeNumber string
	Roles        []int
	Status       string
}

func (u *DirectoryUser) whole() directoryUserWhole {
	roles := u.Roles
	if roles == nil {
		roles = []int{}
	}
	return directoryUserWhole{u.Name, u.Alias, u.Email, u.First, u.Last, u.Phone, roles, u.Status}
}

// directoryUsers lists the users of an account.
func directoryUsers(c *call) reply {
	a, refusal := c.v1Account()
	if refusal != nil {
		return *refusal
	}
	users := []directoryUserWhole{}
	for _, x := range c.w.clc.users {
		if x.Alias == a.Alias && x.Status != "deleted" {
			users = append(users, x.whole())
		}
	}
	slices.SortFunc(users, func(a, b directoryUserWhole) int { return strings.Compare(a.UserName, b.UserName) })
	return ok(struct {
		Users []directoryUserWhole
		answered
	}{users, answeredWell})
}

// directoryUserDetails answers POST REST/User/GetUserDetails {UserName}; one's own
// without a name.
func directoryUserDetails(c *call) reply {
	u, refusal := c.v1()
	if refusal != nil {
		return *refusal
	}
	var in struct{ UserName string }
	if err := c.decode(&in); err != nil {
		return v1Error(http.StatusBadRequest, 3, "The request body is not valid.")
	}
	asked := c.w.clc.users[strings.ToLower(or(in.UserName, u.Name))]
	if asked == nil || asked.Status == "deleted" || c.w.clc.within(u, asked.Alias) == nil {
		return v1Error(http.StatusForbidden, 5, "The user "+in.UserName+" does not exist or is not yours.")
	}
	return ok(struct {
		UserDetails directoryUserWhole
		answered
	}{asked.whole(), answeredWell})
}
