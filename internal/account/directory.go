package account

import (
	"context"
	"errors"
	"time"

	"causeway/internal/store"
)

// Directory holds organizations, people, billing accounts and connections.
type Directory struct {
	db  *store.DB
	now func() time.Time
}

// Option changes a Directory.
type Option func(*Directory)

// New makes the directory on a database.
func New(db *store.DB, now func() time.Time, opts ...Option) *Directory {
	d := &Directory{db: db, now: now}
	for _, o := range opts {
		o(d)
	}
	return d
}

// Filter chooses accounts; empty members do not filter.
type Filter struct {
	Org     *OrgID
	Parent  Alias
	Aliases []Alias
	Search  string // part of alias, name or legal name, without case
	After   Alias  // cursor: only aliases behind it
	Limit   int    // 0 = 100, at most 1000
}

var errSoon = errors.New("account: not written yet")

func (d *Directory) Connect(ctx context.Context, by Actor, login, password string) (Connection, error) {
	return Connection{}, errSoon
}
func (d *Directory) Connection(ctx context.Context, by Actor, id string) (Connection, error) {
	return Connection{}, errSoon
}
func (d *Directory) Administers(ctx context.Context, login string, alias Alias) (bool, error) {
	return false, errSoon
}
func (d *Directory) Account(ctx context.Context, alias Alias) (Account, error) {
	return Account{}, errSoon
}
func (d *Directory) Accounts(ctx context.Context, f Filter) ([]Account, error) { return nil, errSoon }

// Chain gives the account itself, then its ancestors up to the root.
func (d *Directory) Chain(ctx context.Context, alias Alias) ([]Account, error) { return nil, errSoon }
func (d *Directory) Org(ctx context.Context, id OrgID) (Organization, error) {
	return Organization{}, errSoon
}

// OrgFilter chooses organizations.
type OrgFilter struct {
	Search string
	After  OrgID
	Limit  int
}

func (d *Directory) Orgs(ctx context.Context, f OrgFilter) ([]Organization, error) {
	return nil, errSoon
}
func (d *Directory) CreateOrg(ctx context.Context, by Actor, o Organization) (Organization, error) {
	return o, errSoon
}
func (d *Directory) User(ctx context.Context, id UserID) (User, error)    { return User{}, errSoon }
func (d *Directory) Users(ctx context.Context, org OrgID) ([]User, error) { return nil, errSoon }
func (d *Directory) CreateUser(ctx context.Context, by Actor, u User, password string) (User, error) {
	return u, errSoon
}
func (d *Directory) SignIn(ctx context.Context, email, password, address string) (User, error) {
	return User{}, errSoon
}

// Resume gives the actor of a session that was begun at since, or Forbidden if
// the person was disabled or signed out everywhere after that.
func (d *Directory) Resume(ctx context.Context, id UserID, since time.Time, address string) (Actor, error) {
	return Actor{}, errSoon
}
func (d *Directory) Reauthenticate(ctx context.Context, by Actor, password string) error {
	return errSoon
}

// CreateToken makes an API token; the secret is shown once and kept nowhere.
func (d *Directory) CreateToken(ctx context.Context, by Actor, name string, scope Scope, expires time.Time) (Token, string, error) {
	return Token{}, "", errSoon
}

// Token gives the actor behind a secret.
func (d *Directory) Token(ctx context.Context, secret, address string) (Actor, error) {
	return Actor{}, errSoon
}
func (d *Directory) Tokens(ctx context.Context, by Actor, of UserID) ([]Token, error) {
	return nil, errSoon
}
func (d *Directory) RevokeToken(ctx context.Context, by Actor, id string) error { return errSoon }
func (d *Directory) CreateAccount(ctx context.Context, by Actor, a Account) (Account, error) {
	return a, errSoon
}
func (d *Directory) UpdateAccount(ctx context.Context, by Actor, a Account) (Account, error) {
	return a, errSoon
}
func (d *Directory) DisableAccount(ctx context.Context, by Actor, alias Alias, why string) error {
	return errSoon
}
func (d *Directory) AddAdministrator(ctx context.Context, by Actor, alias Alias, login, password string) error {
	return errSoon
}
func (d *Directory) RemoveAdministrator(ctx context.Context, by Actor, alias Alias, login string) error {
	return errSoon
}
