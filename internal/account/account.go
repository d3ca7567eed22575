// Package account knows who there is and who may do what: organizations, their
// people and the partner's staff, billing accounts with their hierarchy and
// administrators, and the account connection that proves an administrator's
// consent. It does not decide whether an account may onboard (eligibility) and
// knows nothing of Microsoft's customers (provision).
package account

import (
	"strings"
	"time"
	"unicode"

	"causeway/internal/address"
	"causeway/internal/audit"
	"causeway/internal/eligibility"
	"causeway/internal/money"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// OrgID names an organization; "" is the partner itself.
type OrgID string

// UserID names a person who signs in to the portal.
type UserID string

// Alias names a billing account: 2 to 10 upper-case letters and digits, never
// used a second time.
type Alias string

// Role is what a person is, in an organization or at the partner.
type Role string

// The roles. The first four are the partner's staff.
const (
	RoleOwner   Role = "owner"
	RoleFinance Role = "finance"
	RoleSupport Role = "support"
	RoleReader  Role = "read-only"

	RoleAdministrator Role = "administrator"
	RoleMember        Role = "member"
)

// Staff tells whether the role is one of the partner's.
func (r Role) Staff() bool {
	return r == RoleOwner || r == RoleFinance || r == RoleSupport || r == RoleReader
}

// Customer tells whether the role is one of an organization's.
func (r Role) Customer() bool { return r == RoleAdministrator || r == RoleMember }

// Scope is how much of its user's rights a token has.
type Scope string

// The scopes of a token.
const (
	ScopeAll  Scope = "all"  // whatever its user may do
	ScopeRead Scope = "read" // look, never change
)

// Actor is who does something: a signed-in person, or a token of theirs.
type Actor struct {
	User    UserID
	Org     OrgID // "" = partner staff
	Role    Role
	Name    string
	Email   string
	Token   string // id of the API token, if the call came with one
	Scope   Scope  // of that token; "" without one
	Address string // network address of the call

	system bool
}

// System is the platform acting by itself, with an owner's rights: setting up
// the first people, importing a book of companies, carrying a process on.
func System() Actor { return Actor{Role: RoleOwner, Name: "Causeway", system: true} }

// Staff tells whether the actor belongs to the partner.
func (a Actor) Staff() bool { return a.Org == "" && a.Role.Staff() }

// ID is how the audit names the actor.
func (a Actor) ID() string {
	switch {
	case a.system:
		return audit.System
	case a.Token != "":
		return "token:" + a.Token
	}
	return audit.User(string(a.User))
}

// Status says whether an organization or account is in use.
type Status string

// The statuses of an organization.
const (
	Active   Status = "active"
	Disabled Status = "disabled"
)

// Organization is a customer company, the tenant of the portal.
type Organization struct {
	ID        OrgID
	Name      string
	Status    Status
	Account   Alias    // the account that pays where the organization is the billed party; "" = none yet
	Placement []Preset // where deployments go: three presets
	CreatedAt time.Time
	Version   int64 // counts changes; UpdateOrg refuses an older one
}

// Preset is one deployment placement that is offered in the portal.
type Preset struct {
	Name    string `json:"name"`
	Region  string `json:"region"`  // Azure's name, e.g. "eastus2"
	Size    string `json:"size"`    // virtual machine size, e.g. "Standard_B2s"
	Network string `json:"network"` // address space, e.g. "10.20.0.0/16"
}

// User is a person who can sign in to the portal.
type User struct {
	ID           UserID
	Org          OrgID // "" = partner staff
	Role         Role
	Name         string
	Email        string
	Language     string // BCP 47, e.g. "en-US"
	Active       bool
	CreatedAt    time.Time
	LastSignInAt time.Time // zero = never
	Version      int64
}

// Actor is the user acting from a network address.
func (u User) Actor(address string) Actor {
	return Actor{User: u.ID, Org: u.Org, Role: u.Role, Name: u.Name, Email: u.Email, Address: address}
}

// Contact is the person that Microsoft and the partner write to.
type Contact struct {
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Email     string `json:"email"`
	Phone     string `json:"phone"` // as typed; international form with + is best
}

// Where an account comes from.
const (
	SourceBuiltIn = "built-in"
	SourceCLC     = "clc"
)

// Account is a billing account: the one that is charged.
type Account struct {
	Alias              Alias
	Org                OrgID
	Name               string
	LegalName          string // "" = the same as Name
	RegistrationNumber string // of the country's company register; "" = unknown
	Country            string // where the company is registered, ISO 3166-1 alpha-2; "" = the billing address's
	Entity             string // staff's correction of the legal entity; "" = worked out
	Address            address.Address
	Contact            Contact
	Parent             Alias // "" = a root
	Billable           bool
	Reseller           bool
	Demo               bool
	Internal           bool
	PublicSector       bool
	Disabled           bool
	CreditLimit        money.Amount // in Currency
	Currency           money.Currency
	Language           string // BCP 47
	Source             string // SourceBuiltIn or SourceCLC
	CreatedAt          time.Time
	ChangedAt          time.Time
	Version            int64 // counts changes; UpdateAccount refuses an older one
}

// LegalEntity names the company behind the account: country and registration
// number, else the folded company name and country. Two accounts with the same
// legal entity share one Microsoft tenant.
func (a Account) LegalEntity() string {
	if a.Entity != "" {
		return a.Entity
	}
	country := a.Country
	if country == "" {
		country = a.Address.Country
	}
	if n := fold(a.RegistrationNumber, false); n != "" {
		return country + ":number:" + n
	}
	name := a.LegalName
	if name == "" {
		name = a.Name
	}
	return country + ":name:" + fold(name, true)
}

// Legal is the company's name for contracts and for Microsoft.
func (a Account) Legal() string {
	if a.LegalName != "" {
		return a.LegalName
	}
	return a.Name
}

// Facts is what the rules of eligibility look at.
func (a Account) Facts() eligibility.Account {
	return eligibility.Account{
		Alias: string(a.Alias), Name: a.Name, Parent: string(a.Parent), Country: a.Address.Country, Billable: a.Billable, Reseller: a.Reseller,
		Demo: a.Demo, Internal: a.Internal, PublicSector: a.PublicSector, Disabled: a.Disabled, CreditLimit: a.CreditLimit,
	}
}

// FactsOf is Facts of a whole chain.
func FactsOf(chain []Account) []eligibility.Account {
	list := make([]eligibility.Account, len(chain))
	for i, a := range chain {
		list[i] = a.Facts()
	}
	return list
}

// fold keeps the letters, marks and digits of s without case, so that
// "Contoso, Ltd." and "CONTOSO LTD" are the same company. Blanks between words
// stay, as one each.
func fold(s string, blanks bool) string {
	s = cases.Fold().String(norm.NFKC.String(s))
	var b strings.Builder
	gap := false
	for _, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			if gap && blanks && b.Len() > 0 {
				b.WriteByte(' ')
			}
			gap = false
			b.WriteRune(r)
		case unicode.IsSpace(r) || blanks && unicode.In(r, unicode.Pd):
			gap = true
		}
	}
	return b.String()
}

// Connection is the proof, valid for 15 minutes, that a person holds account
// administrator on these billing accounts. The password that proved it was
// used once and is kept nowhere.
type Connection struct {
	ID       string
	User     UserID
	Org      OrgID
	Login    string
	Own      Alias   // where the choice starts
	Accounts []Alias // all that may be billed, Own included if it is one of them
	MadeAt   time.Time
	Until    time.Time
	Source   string
}

// Lists tells whether the connection proves consent for the account.
func (c Connection) Lists(alias Alias) bool {
	for _, a := range c.Accounts {
		if a == alias {
			return true
		}
	}
	return false
}

// Token is an API token as it is shown: never its secret.
type Token struct {
	ID         string
	User       UserID
	Name       string
	Scope      Scope
	Hint       string // the last four characters of the secret, to tell tokens apart
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time // zero = never
	RevokedAt  time.Time // zero = not revoked
}
