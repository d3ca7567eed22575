package api

import (
	"context"
	"time"

	"causeway/internal/account"
)

// Organization is a customer company.
type Organization struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	Status    string           `json:"status" enum:"active,disabled"`
	Account   string           `json:"account,omitempty" doc:"The account that pays where the organization is the billed party."`
	Placement []account.Preset `json:"placement" doc:"Where deployments go."`
	CreatedAt time.Time        `json:"created_at"`
	Version   int64            `json:"version"`
}

// User is a person who signs in.
type User struct {
	ID           string     `json:"id"`
	Organization string     `json:"organization,omitempty" doc:"Missing for the partner's staff."`
	Role         string     `json:"role"`
	Name         string     `json:"name"`
	Email        string     `json:"email"`
	Language     string     `json:"language"`
	Active       bool       `json:"active"`
	CreatedAt    time.Time  `json:"created_at"`
	LastSignInAt *time.Time `json:"last_sign_in_at,omitempty"`
	Version      int64      `json:"version"`
}

type orgsIn struct {
	Search string `query:"search" maxLength:"200"`
	PageOf
}

// OrgBody is what can be said of an organization.
type OrgBody struct {
	Name      string           `json:"name" maxLength:"200"`
	Account   string           `json:"account,omitempty" maxLength:"10"`
	Status    string           `json:"status,omitempty" enum:"active,disabled"`
	Placement []account.Preset `json:"placement,omitempty" maxItems:"10"`
}

type newOrgIn struct{ Body OrgBody }

type setOrgIn struct {
	ByID
	Body struct {
		OrgBody
		Version int64 `json:"version" doc:"As it was read; 409 if somebody changed it since."`
	}
}

type usersIn struct {
	Organization string `query:"organization" maxLength:"100" doc:"Whose people; left out: one's own organization, for staff the partner."`
}

type newUserIn struct {
	Body struct {
		Organization string `json:"organization,omitempty" maxLength:"100" doc:"Left out: the caller's own; for staff the partner."`
		Role         string `json:"role" enum:"owner,finance,support,read-only,administrator,member"`
		Name         string `json:"name" maxLength:"200"`
		Email        string `json:"email" maxLength:"254"`
		Language     string `json:"language,omitempty" maxLength:"35" default:"en-US"`
		Password     string `json:"password" maxLength:"1000"`
	}
}

type setUserIn struct {
	ByID
	Body struct {
		Role     string `json:"role" enum:"owner,finance,support,read-only,administrator,member"`
		Name     string `json:"name" maxLength:"200"`
		Email    string `json:"email" maxLength:"254"`
		Language string `json:"language" maxLength:"35"`
		Active   bool   `json:"active"`
		Version  int64  `json:"version"`
	}
}

type passwordIn struct {
	ByID
	Body struct {
		Password    string `json:"password,omitempty" maxLength:"1000" doc:"The former one; needed for one's own."`
		NewPassword string `json:"new_password" maxLength:"1000"`
	}
}

func (s *Server) routePeople() {
	handle(s, op{id: "list-organizations", is: "GET /organizations", tag: "people", text: "List organizations", act: account.ActOrgView, more: "A customer sees the own one."}, s.listOrgs)
	handle(s, op{id: "create-organization", is: "POST /organizations", tag: "people", text: "Add an organization", act: account.ActOrgCreate, created: true}, s.createOrg)
	handle(s, op{id: "get-organization", is: "GET /organizations/{id}", tag: "people", text: "One organization", act: account.ActOrgView}, s.getOrg)
	handle(s, op{id: "set-organization", is: "PUT /organizations/{id}", tag: "people", text: "Change an organization", act: account.ActOrgChange}, s.setOrg)
	handle(s, op{id: "list-users", is: "GET /users", tag: "people", text: "List an organization's people", act: account.ActUserView}, s.listUsers)
	handle(s, op{id: "create-user", is: "POST /users", tag: "people", text: "Add a person", act: account.ActUserCreate, created: true}, s.createUser)
	handle(s, op{id: "get-user", is: "GET /users/{id}", tag: "people", text: "One person", act: account.ActUserView}, s.getUser)
	handle(s, op{id: "set-user", is: "PUT /users/{id}", tag: "people", text: "Change a person", act: account.ActUserChange}, s.setUser)
	act(s, op{id: "set-password", is: "PUT /users/{id}/password", tag: "people", text: "Give a person a new password", act: account.ActUserChange,
		more: "All sessions of the person end. For one's own the former password is needed too."}, s.setPassword)
	act(s, op{id: "sign-out-user", is: "POST /users/{id}/sign-out", tag: "people", text: "End all sessions of a person", act: account.ActUserChange}, func(ctx context.Context, a account.Actor, in *ByID) error {
		u, err := s.user(ctx, a, in.ID)
		if err != nil {
			return err
		}
		return s.People.SignOutEverywhere(ctx, a, u.ID)
	})
}

func (s *Server) listOrgs(ctx context.Context, a account.Actor, in *orgsIn) (Page[Organization], error) {
	var p Page[Organization]
	if !a.Staff() {
		o, err := s.org(ctx, a, a.Org)
		if err != nil {
			return p, err
		}
		return Page[Organization]{Items: []Organization{viewOrg(o)}}, nil
	}
	if err := account.May(a, account.ActOrgView, ""); err != nil {
		return p, err
	}
	list, err := s.People.Orgs(ctx, account.OrgFilter{Search: in.Search, After: account.OrgID(in.After), Limit: in.Limit + 1})
	if len(list) > in.Limit {
		list = list[:in.Limit]
		p.Next = string(list[len(list)-1].ID)
	}
	p.Items = each(list, viewOrg)
	return p, err
}

// org reads an organization for somebody who may see it; another one's is not there.
func (s *Server) org(ctx context.Context, a account.Actor, id account.OrgID) (account.Organization, error) {
	if err := account.May(a, account.ActOrgView, id); err != nil {
		return account.Organization{}, err
	}
	return s.People.Org(ctx, id)
}

func (s *Server) getOrg(ctx context.Context, a account.Actor, in *ByID) (Organization, error) {
	o, err := s.org(ctx, a, account.OrgID(in.ID))
	return viewOrg(o), err
}

func (s *Server) createOrg(ctx context.Context, a account.Actor, in *newOrgIn) (Organization, error) {
	o, err := s.People.CreateOrg(ctx, a, account.Organization{Name: in.Body.Name, Account: account.Alias(in.Body.Account), Placement: in.Body.Placement})
	return viewOrg(o), err
}

func (s *Server) setOrg(ctx context.Context, a account.Actor, in *setOrgIn) (Organization, error) {
	o, err := s.org(ctx, a, account.OrgID(in.ID))
	if err != nil {
		return Organization{}, err
	}
	b := in.Body
	o.Name, o.Account, o.Version = b.Name, account.Alias(b.Account), b.Version
	if b.Status != "" {
		o.Status = account.Status(b.Status)
	}
	if b.Placement != nil {
		o.Placement = b.Placement
	}
	o, err = s.People.UpdateOrg(ctx, a, o)
	return viewOrg(o), err
}

func (s *Server) listUsers(ctx context.Context, a account.Actor, in *usersIn) (Page[User], error) {
	org := account.OrgID(in.Organization)
	if org == "" {
		org = a.Org
	}
	if err := account.May(a, account.ActUserView, org); err != nil {
		return Page[User]{}, err
	}
	if org != "" {
		if _, err := s.People.Org(ctx, org); err != nil {
			return Page[User]{}, err
		}
	}
	list, err := s.People.Users(ctx, org)
	return Page[User]{Items: each(list, viewUser)}, err
}

// user reads a person for somebody who may see the organization's people.
func (s *Server) user(ctx context.Context, a account.Actor, id string) (account.User, error) {
	u, err := s.People.User(ctx, account.UserID(id))
	if err != nil {
		return u, err
	}
	return u, mayStaffToo(a, account.ActUserView, u.Org, "person")
}

func (s *Server) getUser(ctx context.Context, a account.Actor, in *ByID) (User, error) {
	u, err := s.user(ctx, a, in.ID)
	if err != nil {
		return User{}, err
	}
	return viewUser(u), nil
}

func (s *Server) createUser(ctx context.Context, a account.Actor, in *newUserIn) (User, error) {
	b := in.Body
	org := account.OrgID(b.Organization)
	if org == "" {
		org = a.Org
	}
	u, err := s.People.CreateUser(ctx, a, account.User{Org: org, Role: account.Role(b.Role), Name: b.Name, Email: b.Email, Language: b.Language}, b.Password)
	return viewUser(u), err
}

func (s *Server) setUser(ctx context.Context, a account.Actor, in *setUserIn) (User, error) {
	u, err := s.user(ctx, a, in.ID)
	if err != nil {
		return User{}, err
	}
	b := in.Body
	u.Role, u.Name, u.Email, u.Language, u.Active, u.Version = account.Role(b.Role), b.Name, b.Email, b.Language, b.Active, b.Version
	u, err = s.People.UpdateUser(ctx, a, u)
	return viewUser(u), err
}

func (s *Server) setPassword(ctx context.Context, a account.Actor, in *passwordIn) error {
	u, err := s.user(ctx, a, in.ID)
	if err != nil {
		return err
	}
	if u.ID == a.User {
		a = asPerson(a)
		if err := s.People.Reauthenticate(ctx, a, in.Body.Password); err != nil {
			return err
		}
	}
	return s.People.SetPassword(ctx, a, u.ID, in.Body.NewPassword)
}

func viewOrg(o account.Organization) Organization {
	return Organization{
		ID: string(o.ID), Name: o.Name, Status: string(o.Status), Account: string(o.Account),
		Placement: each(o.Placement, func(p account.Preset) account.Preset { return p }), CreatedAt: o.CreatedAt, Version: o.Version,
	}
}

func viewUser(u account.User) User {
	return User{
		ID: string(u.ID), Organization: string(u.Org), Role: string(u.Role), Name: u.Name, Email: u.Email, Language: u.Language, Active: u.Active,
		CreatedAt: u.CreatedAt, LastSignInAt: when(u.LastSignInAt), Version: u.Version,
	}
}
