package sim

import (
	"net/http"
	"slices"
	"strings"
)

// directoryLogin answers POST v2/authentication/login.
func directoryLogin(c *call) reply {
	var in struct {
		Name     string `json:"username"`
		Password string `json:"password"`
	}
	if err := c.decode(&in); err != nil {
		return clcError(http.StatusBadRequest, "The request body is not valid.")
	}
	u, token := c.directorySignIn(in.Name, in.Password, false)
	if u == nil {
		return clcError(http.StatusBadRequest, "We didn't recognize the username or password you entered. Please try again.")
	}
	roles := []string{}
	for _, r := range u.Roles {
		roles = append(roles, directoryRoles[r])
	}
	return ok(struct {
		Name     string   `json:"userName"`
		Alias    string   `json:"accountAlias"`
		Location string   `json:"locationAlias"`
		Roles    []string `json:"roles"`
		Token    string   `json:"bearerToken"`
	}{u.Name, u.Alias, c.w.clc.accounts[u.Alias].Location, roles, token})
}

type directoryLink struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
	ID   string `json:"id,omitempty"`
}

type directoryAccountBody struct {
	Alias      string          `json:"accountAlias"`
	Name       string          `json:"businessName"`
	Parent     string          `json:"parentAlias"`
	Address1   string          `json:"addressLine1"`
	Address2   string          `json:"addressLine2"`
	City       string          `json:"city"`
	State      string          `json:"stateProvince"`
	Country    string          `json:"country"`
	PostalCode string          `json:"postalCode"`
	Telephone  string          `json:"telephone"`
	Status     string          `json:"status"`
	Managed    bool            `json:"isManaged"`
	Location   string          `json:"primaryDataCenter"`
	Links      []directoryLink `json:"links"`
}

func (a *DirectoryAccount) body() directoryAccountBody {
	status := map[int]string{DirectoryActive: "active", DirectoryDisabled: "disabled", DirectoryDeleted: "deleted", DirectoryDemo: "demo"}[a.Status]
	return directoryAccountBody{a.Alias, a.Name, a.Parent, a.Address1, a.Address2, a.City, a.State, a.Country, a.PostalCode, a.Telephone, status, false, a.Location,
		[]directoryLink{{"self", "/v2/accounts/" + a.Alias, a.Alias}}}
}

// v2Account resolves {alias} for the caller.
func (c *call) v2Account() (*DirectoryAccount, *reply) {
	u, _ := c.holder()
	if u == nil {
		r := clcError(http.StatusUnauthorized, "Authorization has been denied for this request.").with("WWW-Authenticate", "Bearer")
		return nil, &r
	}
	alias := c.param("alias")
	if a := c.w.clc.within(u, alias); a != nil {
		return a, nil
	}
	r := clcError(http.StatusForbidden, "You do not have access to the account "+strings.ToUpper(alias)+".")
	return nil, &r
}

func directoryAccountV2(c *call) reply {
	a, refusal := c.v2Account()
	if refusal != nil {
		return *refusal
	}
	return ok(a.body())
}

// directorySubaccounts lists the accounts directly below one.
func directorySubaccounts(c *call) reply {
	a, refusal := c.v2Account()
	if refusal != nil {
		return *refusal
	}
	out := []directoryAccountBody{}
	for _, x := range c.w.clc.accounts {
		if x.Parent == a.Alias && x.Status != DirectoryDeleted {
			out = append(out, x.body())
		}
	}
	slices.SortFunc(out, func(a, b directoryAccountBody) int { return strings.Compare(a.Alias, b.Alias) })
	return ok(out)
}
