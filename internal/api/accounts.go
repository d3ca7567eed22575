package api

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
)

// Account is a billing account.
type Account struct {
	Alias              string          `json:"alias" example:"CTSO"`
	Organization       string          `json:"organization"`
	Name               string          `json:"name"`
	LegalName          string          `json:"legal_name"`
	LegalEntity        string          `json:"legal_entity" doc:"The company behind it: accounts of one legal entity share one Microsoft tenant."`
	RegistrationNumber string          `json:"registration_number,omitempty"`
	Country            string          `json:"country,omitempty"`
	Address            address.Address `json:"address"`
	Contact            account.Contact `json:"contact"`
	Parent             string          `json:"parent,omitempty"`
	Billable           bool            `json:"billable"`
	Reseller           bool            `json:"reseller"`
	Demo               bool            `json:"demo"`
	Internal           bool            `json:"internal"`
	PublicSector       bool            `json:"public_sector"`
	Disabled           bool            `json:"disabled"`
	CreditLimit        *money.Amount   `json:"credit_limit,omitempty"`
	Currency           string          `json:"currency"`
	Language           string          `json:"language"`
	Source             string          `json:"source"`
	CreatedAt          time.Time       `json:"created_at"`
	ChangedAt          time.Time       `json:"changed_at"`
	Version            int64           `json:"version"`
}

// AccountBody is what can be said of an account.
type AccountBody struct {
	Name               string          `json:"name" maxLength:"200"`
	LegalName          string          `json:"legal_name,omitempty" maxLength:"200"`
	LegalEntity        string          `json:"legal_entity,omitempty" maxLength:"300" doc:"Staff's correction; left out it is worked out."`
	RegistrationNumber string          `json:"registration_number,omitempty" maxLength:"100"`
	Country            string          `json:"country,omitempty" maxLength:"2"`
	Address            address.Address `json:"address"`
	Contact            contactIn       `json:"contact"`
	Parent             string          `json:"parent,omitempty" maxLength:"10"`
	Billable           bool            `json:"billable"`
	Reseller           bool            `json:"reseller,omitempty"`
	Demo               bool            `json:"demo,omitempty"`
	Internal           bool            `json:"internal,omitempty"`
	PublicSector       bool            `json:"public_sector,omitempty"`
	CreditLimit        *money.Amount   `json:"credit_limit,omitempty"`
	Currency           string          `json:"currency" minLength:"3" maxLength:"3"`
	Language           string          `json:"language,omitempty" maxLength:"35"`
}

type contactIn struct {
	FirstName string `json:"first_name" maxLength:"200"`
	LastName  string `json:"last_name" maxLength:"200"`
	Email     string `json:"email" maxLength:"254"`
	Phone     string `json:"phone,omitempty" maxLength:"50"`
}

func (c contactIn) contact() account.Contact {
	return account.Contact{FirstName: c.FirstName, LastName: c.LastName, Email: c.Email, Phone: c.Phone}
}

type newAccountIn struct {
	Body struct {
		Alias        string `json:"alias" maxLength:"10" doc:"2 to 10 capital letters and digits; never used a second time."`
		Organization string `json:"organization" maxLength:"100"`
		AccountBody
	}
}

// ByAlias names an account in the path.
type ByAlias struct {
	Alias string `path:"alias" maxLength:"10"`
}

type setAccountIn struct {
	ByAlias
	Body struct {
		Version int64 `json:"version"`
		AccountBody
	}
}

type disableIn struct {
	ByAlias
	Body struct {
		Why string `json:"why" maxLength:"500"`
	}
}

type accountsIn struct {
	Organization string `query:"organization" maxLength:"100"`
	Parent       string `query:"parent" maxLength:"10"`
	Search       string `query:"search" maxLength:"200"`
	PageOf
}

type administratorIn struct {
	ByAlias
	Body struct {
		Login    string `json:"login" maxLength:"100"`
		Password string `json:"password,omitempty" maxLength:"1000" doc:"Of a new login; left out for one that exists."`
	}
}

type byLogin struct {
	ByAlias
	Login string `path:"login" maxLength:"100"`
}

// Administrator is a login that administers an account.
type Administrator struct {
	Login   string    `json:"login"`
	Active  bool      `json:"active"`
	AddedAt time.Time `json:"added_at"`
}

// Association says which account pays, in whole UTC days.
type Association struct {
	ID           string `json:"id"`
	Tenant       string `json:"tenant"`
	Subscription string `json:"subscription,omitempty" doc:"Missing: the tenant's own answer."`
	Account      string `json:"account"`
	Organization string `json:"organization"`
	Provider     string `json:"provider"`
	From         string `json:"from" example:"2026-11-23"`
	To           string `json:"to,omitempty" doc:"Missing: still."`
	Confirmed    bool   `json:"confirmed"`
}

type connectIn struct {
	Body struct {
		Login    string `json:"login" maxLength:"100" doc:"Of an account administrator."`
		Password string `json:"password" maxLength:"1000" doc:"Used once, for this."`
	}
}

// Connection is the proof, for 15 minutes, that a person may approve charges.
type Connection struct {
	ID       string    `json:"id"`
	Login    string    `json:"login"`
	Own      string    `json:"own" doc:"Where the choice starts."`
	Accounts []string  `json:"accounts"`
	MadeAt   time.Time `json:"made_at"`
	Until    time.Time `json:"until"`
}

func (s *Server) routeAccounts() {
	handle(s, op{id: "list-accounts", is: "GET /accounts", tag: "accounts", text: "List billing accounts", act: account.ActAccountView}, s.listAccounts)
	handle(s, op{id: "create-account", is: "POST /accounts", tag: "accounts", text: "Add a billing account", act: account.ActAccountCreate, created: true}, s.createAccount)
	handle(s, op{id: "get-account", is: "GET /accounts/{alias}", tag: "accounts", text: "One billing account", act: account.ActAccountView}, s.getAccount)
	handle(s, op{id: "set-account", is: "PUT /accounts/{alias}", tag: "accounts", text: "Change a billing account", act: account.ActAccountChange}, s.setAccount)
	act(s, op{id: "disable-account", is: "POST /accounts/{alias}/disable", tag: "accounts", text: "Take an account out of use", act: account.ActAccountDisable,
		more: "Nothing more is onboarded on it or below it. Its alias stays taken."}, s.disableAccount)
	handle(s, op{id: "get-account-ancestors", is: "GET /accounts/{alias}/ancestors", tag: "accounts", text: "Its parent, and so on up to the root", act: account.ActAccountView}, s.ancestors)
	handle(s, op{id: "list-account-associations", is: "GET /accounts/{alias}/associations", tag: "accounts", text: "What it pays and paid", act: account.ActAssociationView}, s.accountAssociations)
	handle(s, op{id: "list-administrators", is: "GET /accounts/{alias}/administrators", tag: "accounts", text: "Who administers it directly", act: account.ActAccountView}, s.administrators)
	act(s, op{id: "add-administrator", is: "POST /accounts/{alias}/administrators", tag: "accounts", text: "Let a login administer it", act: account.ActAccountAdministrators}, s.addAdministrator)
	act(s, op{id: "remove-administrator", is: "DELETE /accounts/{alias}/administrators/{login}", tag: "accounts", text: "Take that right away", act: account.ActAccountAdministrators}, s.removeAdministrator)
	handle(s, op{id: "connect-account", is: "POST /account-connections", tag: "accounts", text: "Prove that one may approve charges", act: account.ActAccountConnect, created: true,
		more: "A sign-in apart from the portal's own, as account administrator. Valid for 15 minutes and for this person only."}, s.connect)
	handle(s, op{id: "get-account-connection", is: "GET /account-connections/{id}", tag: "accounts", text: "One's own connection while it is valid", act: account.ActAccountConnect}, s.connection)
}

// account reads an account for somebody who may; another organization's is not there.
func (s *Server) account(ctx context.Context, a account.Actor, alias string, does account.Action) (account.Account, error) {
	x, err := s.People.Account(ctx, account.Alias(alias))
	if err != nil {
		return x, err
	}
	return x, mayStaffToo(a, does, x.Org, "account")
}

// mayStaffToo is May for what may also belong to the partner itself: to a
// customer that is not there.
func mayStaffToo(a account.Actor, does account.Action, org account.OrgID, noun string) error {
	if org == "" && !a.Staff() {
		return fault.New(fault.NotFound, "There is no such %s.", noun)
	}
	return account.May(a, does, org)
}

func (s *Server) listAccounts(ctx context.Context, a account.Actor, in *accountsIn) (Page[Account], error) {
	var p Page[Account]
	org := account.OrgID(in.Organization)
	if org == "" && !a.Staff() {
		org = a.Org
	}
	if err := account.May(a, account.ActAccountView, org); err != nil {
		return p, err
	}
	f := account.Filter{Parent: account.Alias(in.Parent), Search: in.Search, After: account.Alias(in.After), Limit: in.Limit + 1}
	if org != "" {
		f.Org = &org
	}
	list, err := s.People.Accounts(ctx, f)
	if len(list) > in.Limit {
		list = list[:in.Limit]
		p.Next = string(list[len(list)-1].Alias)
	}
	p.Items = each(list, viewAccount)
	return p, err
}

func (s *Server) getAccount(ctx context.Context, a account.Actor, in *ByAlias) (Account, error) {
	x, err := s.account(ctx, a, in.Alias, account.ActAccountView)
	if err != nil {
		return Account{}, err
	}
	return viewAccount(x), nil
}

func (s *Server) createAccount(ctx context.Context, a account.Actor, in *newAccountIn) (Account, error) {
	x := account.Account{Alias: account.Alias(in.Body.Alias), Org: account.OrgID(in.Body.Organization)}
	if err := in.Body.into(&x); err != nil {
		return Account{}, err
	}
	x, err := s.People.CreateAccount(ctx, a, x)
	return viewAccount(x), err
}

func (s *Server) setAccount(ctx context.Context, a account.Actor, in *setAccountIn) (Account, error) {
	x, err := s.account(ctx, a, in.Alias, account.ActAccountView)
	if err != nil {
		return Account{}, err
	}
	x.Version = in.Body.Version
	if err := in.Body.into(&x); err != nil {
		return Account{}, err
	}
	x, err = s.People.UpdateAccount(ctx, a, x)
	return viewAccount(x), err
}

func (b AccountBody) into(x *account.Account) error {
	x.Name, x.LegalName, x.Entity, x.RegistrationNumber, x.Country = b.Name, b.LegalName, b.LegalEntity, b.RegistrationNumber, b.Country
	x.Address, x.Contact, x.Parent = b.Address, b.Contact.contact(), account.Alias(b.Parent)
	x.Billable, x.Reseller, x.Demo, x.Internal, x.PublicSector = b.Billable, b.Reseller, b.Demo, b.Internal, b.PublicSector
	x.Currency, x.Language = money.Currency(b.Currency), b.Language
	x.CreditLimit = money.Zero(x.Currency)
	if b.CreditLimit != nil {
		if b.CreditLimit.Currency() != x.Currency {
			return fault.Field("credit_limit", "The credit limit is in another currency than the account.", "Use "+b.Currency+".")
		}
		x.CreditLimit = *b.CreditLimit
	}
	return nil
}

func (s *Server) disableAccount(ctx context.Context, a account.Actor, in *disableIn) error {
	if _, err := s.account(ctx, a, in.Alias, account.ActAccountView); err != nil {
		return err
	}
	return s.People.DisableAccount(ctx, a, account.Alias(in.Alias), in.Body.Why)
}

func (s *Server) ancestors(ctx context.Context, a account.Actor, in *ByAlias) (Page[Account], error) {
	if _, err := s.account(ctx, a, in.Alias, account.ActAccountView); err != nil {
		return Page[Account]{}, err
	}
	chain, err := s.People.Chain(ctx, account.Alias(in.Alias))
	if err != nil {
		return Page[Account]{}, err
	}
	p := Page[Account]{Items: []Account{}}
	for _, x := range chain[1:] {
		v := viewAccount(x)
		if account.May(a, account.ActAccountView, x.Org) != nil { // somebody else's parent: its name and flags decide, no more is shown
			v = Account{Alias: v.Alias, Name: v.Name, Billable: v.Billable, Reseller: v.Reseller, Demo: v.Demo, Internal: v.Internal, Disabled: v.Disabled}
		}
		p.Items = append(p.Items, v)
	}
	return p, nil
}

func (s *Server) accountAssociations(ctx context.Context, a account.Actor, in *ByAlias) (Page[Association], error) {
	if _, err := s.account(ctx, a, in.Alias, account.ActAssociationView); err != nil {
		return Page[Association]{}, err
	}
	list, err := s.Providers.OfAccount(ctx, account.Alias(in.Alias))
	return Page[Association]{Items: each(visible(a, list), viewAssociation)}, err
}

// visible leaves out associations of other organizations.
func visible(a account.Actor, list []provider.Association) []provider.Association {
	var out []provider.Association
	for _, x := range list {
		if account.May(a, account.ActAssociationView, x.Org) == nil {
			out = append(out, x)
		}
	}
	return out
}

func (s *Server) administrators(ctx context.Context, a account.Actor, in *ByAlias) (Page[Administrator], error) {
	if _, err := s.account(ctx, a, in.Alias, account.ActAccountView); err != nil {
		return Page[Administrator]{}, err
	}
	list, err := s.People.Administrators(ctx, account.Alias(in.Alias))
	return Page[Administrator]{Items: each(list, func(x account.Administrator) Administrator { return Administrator(x) })}, err
}

func (s *Server) addAdministrator(ctx context.Context, a account.Actor, in *administratorIn) error {
	if _, err := s.account(ctx, a, in.Alias, account.ActAccountView); err != nil {
		return err
	}
	return s.People.AddAdministrator(ctx, a, account.Alias(in.Alias), in.Body.Login, in.Body.Password)
}

func (s *Server) removeAdministrator(ctx context.Context, a account.Actor, in *byLogin) error {
	if _, err := s.account(ctx, a, in.Alias, account.ActAccountView); err != nil {
		return err
	}
	return s.People.RemoveAdministrator(ctx, a, account.Alias(in.Alias), in.Login)
}

func (s *Server) connect(ctx context.Context, a account.Actor, in *connectIn) (Connection, error) {
	c, err := s.People.Connect(ctx, a, in.Body.Login, in.Body.Password)
	return viewConnection(c), err
}

func (s *Server) connection(ctx context.Context, a account.Actor, in *ByID) (Connection, error) {
	if err := account.May(a, account.ActAccountConnect, a.Org); err != nil {
		return Connection{}, err
	}
	c, err := s.People.Connection(ctx, a, in.ID)
	return viewConnection(c), err
}

func viewAccount(x account.Account) Account {
	v := Account{
		Alias: string(x.Alias), Organization: string(x.Org), Name: x.Name, LegalName: x.Legal(), LegalEntity: x.LegalEntity(),
		RegistrationNumber: x.RegistrationNumber, Country: x.Country, Address: x.Address, Contact: x.Contact, Parent: string(x.Parent),
		Billable: x.Billable, Reseller: x.Reseller, Demo: x.Demo, Internal: x.Internal, PublicSector: x.PublicSector, Disabled: x.Disabled,
		Currency: string(x.Currency), Language: x.Language, Source: x.Source, CreatedAt: x.CreatedAt, ChangedAt: x.ChangedAt, Version: x.Version,
	}
	v.CreditLimit = amount(x.CreditLimit)
	return v
}

// amount leaves out what is no amount at all.
func amount(a money.Amount) *money.Amount {
	if a.Currency() == "" {
		return nil
	}
	return &a
}

func viewAssociation(x provider.Association) Association {
	return Association{
		ID: x.ID, Tenant: x.Tenant, Subscription: x.Entitlement, Account: string(x.Account), Organization: string(x.Org),
		Provider: string(x.Provider), From: string(x.From), To: string(x.To), Confirmed: x.Confirmed,
	}
}

func viewConnection(c account.Connection) Connection {
	return Connection{
		ID: c.ID, Login: c.Login, Own: string(c.Own), Accounts: each(c.Accounts, func(a account.Alias) string { return string(a) }),
		MadeAt: c.MadeAt, Until: c.Until,
	}
}
