package account

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/address"
	"causeway/internal/fault"
	"causeway/internal/store"

	"golang.org/x/text/unicode/norm"
)

// maxDepth bounds a hierarchy: the query for the ancestors stops there too.
const maxDepth = 60

// Filter chooses accounts; empty members do not filter.
type Filter struct {
	Org     *OrgID
	Parent  Alias
	Entity  string  // legal entity, as LegalEntity gives it
	Aliases []Alias // only these, in this order; the other members but Org are ignored
	Search  string  // part of alias, name or legal name, without case
	After   Alias   // cursor: only aliases behind it
	Limit   int     // 0 = 100, at most 1000
}

// Account gives one billing account.
func (d *Directory) Account(ctx context.Context, alias Alias) (Account, error) {
	r, err := sqlc.New(d.db.Read()).GetAccount(ctx, string(alias))
	if err != nil {
		return Account{}, store.Found(err, "There is no such account.")
	}
	return billingAccount(r)
}

// AccountTx is Account inside a transaction.
func (d *Directory) AccountTx(ctx context.Context, tx *store.Tx, alias Alias) (Account, error) {
	r, err := sqlc.New(tx).GetAccount(ctx, string(alias))
	if err != nil {
		return Account{}, store.Found(err, "There is no account %s.", alias)
	}
	return billingAccount(r)
}

// Accounts lists billing accounts by alias.
func (d *Directory) Accounts(ctx context.Context, f Filter) ([]Account, error) {
	if len(f.Aliases) > 0 {
		var list []Account
		for _, alias := range f.Aliases {
			a, err := d.Account(ctx, alias)
			if fault.KindOf(err) == fault.NotFound || err == nil && f.Org != nil && a.Org != *f.Org {
				continue
			}
			if err != nil {
				return nil, err
			}
			list = append(list, a)
		}
		return list, nil
	}
	p := sqlc.ListAccountsParams{After: string(f.After), Pattern: pattern(f.Search), Batch: batch(f.Limit)}
	if f.Org != nil {
		p.Org.String, p.Org.Valid = string(*f.Org), true
	}
	if f.Parent != "" {
		p.Parent.String, p.Parent.Valid = string(f.Parent), true
	}
	if f.Entity != "" {
		p.Entity.String, p.Entity.Valid = f.Entity, true
	}
	rows, err := sqlc.New(d.db.Read()).ListAccounts(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return billingAccounts(rows)
}

// Chain gives the account itself, then its parent, up to the root. An ancestor
// that is not known here ends it: the last one then still names a parent. If
// accounts are each other's parents, the chain comes with a Conflict.
func (d *Directory) Chain(ctx context.Context, alias Alias) ([]Account, error) {
	return chain(ctx, sqlc.New(d.db.Read()), alias)
}

// ChainTx is Chain inside a transaction.
func (d *Directory) ChainTx(ctx context.Context, tx *store.Tx, alias Alias) ([]Account, error) {
	return chain(ctx, sqlc.New(tx), alias)
}

func chain(ctx context.Context, q *sqlc.Queries, alias Alias) ([]Account, error) {
	rows, err := q.Up(ctx, string(alias))
	if err != nil {
		return nil, fmt.Errorf("ancestors of %s: %w", alias, err)
	}
	if len(rows) == 0 {
		return nil, fault.New(fault.NotFound, "There is no such account.")
	}
	seen := map[string]bool{}
	for i, r := range rows {
		if seen[r.Alias] {
			list, err := billingAccounts(rows[:i])
			if err != nil {
				return nil, err
			}
			names := make([]string, 0, i+1)
			for _, a := range list {
				names = append(names, string(a.Alias))
			}
			return list, fault.Refuse(fault.Refusal{
				Field: "parent", Code: "loop",
				Reason: "The accounts " + strings.Join(append(names, r.Alias), " → ") + " are each other's parents.",
				Remedy: "Staff must correct the parent of one of them.",
			}).In(fault.Conflict)
		}
		seen[r.Alias] = true
	}
	return billingAccounts(rows)
}

// CreateAccount adds a billing account. An alias is used once and never again,
// also not after the account was disabled. Times, version and source are set
// here.
func (d *Directory) CreateAccount(ctx context.Context, by Actor, a Account) (Account, error) {
	if err := May(by, ActAccountCreate, a.Org); err != nil {
		return Account{}, err
	}
	err := d.db.Tx(ctx, func(tx *store.Tx) error {
		var err error
		a, err = d.createAccount(ctx, tx, by, a)
		return err
	})
	return a, err
}

func (d *Directory) createAccount(ctx context.Context, tx *store.Tx, by Actor, a Account) (Account, error) {
	a, err := checkAccount(a)
	if err != nil {
		return a, err
	}
	q := sqlc.New(tx)
	if _, err := q.GetOrg(ctx, string(a.Org)); err != nil {
		return a, store.Found(err, "There is no such organization.")
	}
	if err := d.checkParent(ctx, q, a); err != nil {
		return a, err
	}
	now := d.now().UTC().Truncate(time.Microsecond)
	a.CreatedAt, a.ChangedAt, a.Version = now, now, 1
	if a.Source == "" {
		a.Source = SourceBuiltIn
	}
	if _, err := q.GetAccount(ctx, string(a.Alias)); err == nil {
		return a, aliasTaken(a.Alias)
	} else if fault.KindOf(store.Found(err, "none")) != fault.NotFound {
		return a, fmt.Errorf("look for alias %s: %w", a.Alias, err)
	}
	row, err := accountRow(a)
	if err != nil {
		return a, err
	}
	err = q.AddAccount(ctx, sqlc.AddAccountParams(row))
	if store.IsUnique(err) {
		return a, aliasTaken(a.Alias)
	}
	if err != nil {
		return a, fmt.Errorf("create account %s: %w", a.Alias, err)
	}
	return a, d.record(ctx, tx, by, a.Org, "account.create", object(a.Alias), facts(a))
}

func aliasTaken(alias Alias) error {
	return fault.Refuse(fault.Refusal{
		Field: "alias", Code: "taken", Reason: fmt.Sprintf("The alias %s is or was in use.", alias), Remedy: "Choose another one; an alias is never used a second time.",
	}).In(fault.Conflict)
}

func object(alias Alias) string { return "account:" + string(alias) }

// facts is what the audit keeps of an account: what decides who may onboard and
// who pays, and no person's data.
func facts(a Account) map[string]any {
	m := map[string]any{
		"name": a.Name, "entity": a.LegalEntity(), "country": a.Address.Country, "billable": a.Billable, "credit_limit": a.CreditLimit,
	}
	if a.Parent != "" {
		m["parent"] = a.Parent
	}
	for name, on := range map[string]bool{
		"reseller": a.Reseller, "demo": a.Demo, "internal": a.Internal, "public_sector": a.PublicSector, "disabled": a.Disabled,
	} {
		if on {
			m[name] = true
		}
	}
	return m
}

// checkParent holds the tree while it looks for the parent, so that no other
// change can close a loop meanwhile.
func (d *Directory) checkParent(ctx context.Context, q *sqlc.Queries, a Account) error {
	if a.Parent == "" {
		return nil
	}
	if _, err := q.LockTree(ctx); err != nil {
		return fmt.Errorf("lock the hierarchy: %w", err)
	}
	up, err := chain(ctx, q, a.Parent)
	switch {
	case fault.KindOf(err) == fault.NotFound && a.Source == SourceCLC:
		return nil // a remote directory shows accounts whose parents it hides
	case fault.KindOf(err) == fault.NotFound:
		return fault.Refuse(fault.Refusal{Field: "parent", Code: "unknown", Reason: fmt.Sprintf("There is no account %s.", a.Parent), Remedy: "Give the alias of an account that exists."})
	case err != nil:
		return err
	}
	if slices.ContainsFunc(up, func(p Account) bool { return p.Alias == a.Alias }) {
		return fault.Refuse(fault.Refusal{
			Field: "parent", Code: "loop", Reason: fmt.Sprintf("%s is %s itself or below it.", a.Parent, a.Alias), Remedy: "Choose a parent outside this account.",
		})
	}
	if len(up) >= maxDepth {
		return fault.Refuse(fault.Refusal{
			Field: "parent", Code: "deep", Reason: fmt.Sprintf("%s is %d levels deep already.", a.Parent, len(up)), Remedy: "Choose a parent further up.",
		})
	}
	return nil
}

// UpdateAccount changes all but alias, organization and source. The version
// says what was seen; Conflict if somebody changed it since.
func (d *Directory) UpdateAccount(ctx context.Context, by Actor, a Account) (Account, error) {
	former, err := d.Account(ctx, a.Alias)
	if err != nil {
		return Account{}, err
	}
	if err := May(by, ActAccountChange, former.Org); err != nil {
		return Account{}, err
	}
	if a.Disabled != former.Disabled {
		if err := May(by, ActAccountDisable, former.Org); err != nil {
			return Account{}, err
		}
	}
	if a.Org != "" && a.Org != former.Org {
		return Account{}, fault.Field("org", "An account does not change its organization.", "Create a new account there and disable this one.")
	}
	a.Org, a.Source, a.CreatedAt = former.Org, former.Source, former.CreatedAt
	if a, err = checkAccount(a); err != nil {
		return Account{}, err
	}
	err = d.db.Tx(ctx, func(tx *store.Tx) error {
		a, err = d.updateAccount(ctx, tx, by, a)
		return err
	})
	return a, err
}

func (d *Directory) updateAccount(ctx context.Context, tx *store.Tx, by Actor, a Account) (Account, error) {
	q := sqlc.New(tx)
	r, err := q.GetAccount(ctx, string(a.Alias))
	if err != nil {
		return a, store.Found(err, "There is no such account.")
	}
	former, err := billingAccount(r)
	if err != nil {
		return a, err
	}
	if a.Parent != former.Parent {
		if err := d.checkParent(ctx, q, a); err != nil {
			return a, err
		}
	}
	a.ChangedAt = d.now().UTC().Truncate(time.Microsecond)
	row, err := accountRow(a)
	if err != nil {
		return a, err
	}
	n, err := q.SetAccount(ctx, sqlc.SetAccountParams{
		Alias: row.Alias, Name: row.Name, LegalName: row.LegalName, RegistrationNumber: row.RegistrationNumber, Country: row.Country,
		Entity: row.Entity, LegalEntity: row.LegalEntity, Address: row.Address, Contact: row.Contact, Parent: row.Parent,
		Billable: row.Billable, Reseller: row.Reseller, Demo: row.Demo, Internal: row.Internal, PublicSector: row.PublicSector,
		Disabled: row.Disabled, CreditLimit: row.CreditLimit, Currency: row.Currency, Language: row.Language, Folded: row.Folded,
		ChangedAt: row.ChangedAt, Version: a.Version,
	})
	if err != nil {
		return a, fmt.Errorf("change account %s: %w", a.Alias, err)
	}
	if n == 0 {
		return a, stale("account")
	}
	a.Version++
	return a, d.record(ctx, tx, by, a.Org, "account.change", object(a.Alias), map[string]any{"from": facts(former), "to": facts(a)})
}

// DisableAccount takes an account out of use; nothing more is onboarded on it
// or below it. Its alias stays taken. Disabling it again changes nothing.
func (d *Directory) DisableAccount(ctx context.Context, by Actor, alias Alias, why string) error {
	former, err := d.Account(ctx, alias)
	if err != nil {
		return err
	}
	if err := May(by, ActAccountDisable, former.Org); err != nil {
		return err
	}
	var c checks
	why = c.line("why", "The reason", why, 3, 500)
	if err := c.err(); err != nil {
		return err
	}
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).Disable(ctx, sqlc.DisableParams{Alias: string(alias), ChangedAt: store.Micros(d.now())})
		if err != nil {
			return fmt.Errorf("disable account %s: %w", alias, err)
		}
		if n == 0 {
			return nil
		}
		return d.record(ctx, tx, by, former.Org, "account.disable", object(alias), map[string]any{"why": why})
	})
}

// checkAccount puts an account in its one form and says all that is wrong.
func checkAccount(a Account) (Account, error) {
	var c checks
	c.alias("alias", a.Alias)
	if a.Org == "" {
		c.refuse("org", "missing", "The organization is missing.", "Say whose account it is.")
	}
	a.Name = c.name("name", "The account's name", a.Name, maxName)
	if a.LegalName != "" {
		a.LegalName = c.name("legal_name", "The company's legal name", a.LegalName, maxName)
	}
	a.RegistrationNumber = c.line("registration_number", "The registration number", a.RegistrationNumber, 0, 50)
	a.Entity = c.line("entity", "The legal entity", a.Entity, 0, 2*maxName)
	a.Country = strings.ToUpper(strings.TrimSpace(a.Country))
	if a.Country != "" && !address.Known(a.Country) {
		c.refuse("country", "country", "The country of registration is unknown.", "Give its two-letter code, such as US or GB.")
	}
	a.Address = c.address(a.Address)
	a.Contact.FirstName = c.name("contact.first_name", "The contact's first name", a.Contact.FirstName, maxPerson)
	a.Contact.LastName = c.name("contact.last_name", "The contact's last name", a.Contact.LastName, maxPerson)
	a.Contact.Email = c.email("contact.email", "The contact's mail address", a.Contact.Email)
	a.Contact.Phone = c.phone("contact.phone", a.Contact.Phone)
	if a.Parent != "" {
		c.alias("parent", a.Parent)
		if a.Parent == a.Alias {
			c.refuse("parent", "loop", "An account cannot be its own parent.", "Leave the parent empty for a root.")
		}
	}
	a.CreditLimit, a.Currency = c.credit(a.CreditLimit, a.Currency)
	a.Language = c.lang("language", a.Language, a.Address.Country)
	return a, c.err()
}

// address puts the address in its country's form; its refusals come with
// "address." before the field.
func (c *checks) address(a address.Address) address.Address {
	a.Country = strings.ToUpper(strings.TrimSpace(a.Country))
	for _, p := range []struct {
		field, what string
		text        *string
	}{
		{"address.line1", "The street", &a.Line1}, {"address.line2", "The second line", &a.Line2}, {"address.city", "The city", &a.City},
		{"address.state", "The state", &a.State}, {"address.postal_code", "The postal code", &a.PostalCode},
	} {
		before := len(c.all)
		*p.text = c.line(p.field, p.what, *p.text, 0, maxName)
		if len(c.all) > before {
			return a
		}
	}
	a = address.Normal(a)
	for _, r := range address.Validate(a) {
		r.Field = "address." + r.Field
		c.all = append(c.all, r)
	}
	return a
}

// Administrator is a login that administers an account directly.
type Administrator struct {
	Login   string
	Active  bool
	AddedAt time.Time
}

// Administrators lists who administers an account directly; administrators of
// its ancestors do so too.
func (d *Directory) Administrators(ctx context.Context, alias Alias) ([]Administrator, error) {
	rows, err := sqlc.New(d.db.Read()).ListAdministrators(ctx, string(alias))
	if err != nil {
		return nil, fmt.Errorf("administrators of %s: %w", alias, err)
	}
	list := make([]Administrator, len(rows))
	for i, r := range rows {
		list[i] = Administrator{Login: r.Login, Active: r.Active, AddedAt: store.Time(r.AddedAt)}
	}
	return list, nil
}

// AddAdministrator lets a login administer an account and all below it. A new
// login needs a password and belongs to this account; for one that exists the
// password is left empty.
func (d *Directory) AddAdministrator(ctx context.Context, by Actor, alias Alias, name, password string) error {
	a, err := d.Account(ctx, alias)
	if err != nil {
		return err
	}
	if err := May(by, ActAccountAdministrators, a.Org); err != nil {
		return err
	}
	var c checks
	name = c.login("login", name)
	if password != "" {
		password = c.password("password", password, name)
	}
	if err := c.err(); err != nil {
		return err
	}
	var hash string
	if password != "" {
		if hash, err = d.hasher.hash(ctx, password); err != nil {
			return err
		}
	}
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		if err := d.ensureLogin(ctx, tx, by, a, name, hash); err != nil {
			return err
		}
		return d.addAdministrator(ctx, tx, by, a, name)
	})
}

// AddLogin makes a login that belongs to an account and administers none: it
// can be told apart from a wrong password when somebody connects with it.
func (d *Directory) AddLogin(ctx context.Context, by Actor, alias Alias, name, password string) error {
	a, err := d.Account(ctx, alias)
	if err != nil {
		return err
	}
	if err := May(by, ActAccountAdministrators, a.Org); err != nil {
		return err
	}
	var c checks
	name = c.login("login", name)
	password = c.password("password", password, name)
	if err := c.err(); err != nil {
		return err
	}
	hash, err := d.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return d.db.Tx(ctx, func(tx *store.Tx) error { return d.ensureLogin(ctx, tx, by, a, name, hash) })
}

func (d *Directory) ensureLogin(ctx context.Context, tx *store.Tx, by Actor, a Account, name, hash string) error {
	q := sqlc.New(tx)
	_, err := q.GetLogin(ctx, name)
	known := err == nil
	switch {
	case err != nil && fault.KindOf(store.Found(err, "none")) != fault.NotFound:
		return fmt.Errorf("look for login %s: %w", name, err)
	case known && hash != "":
		return fault.Refuse(fault.Refusal{
			Field: "login", Code: "taken", Reason: "This login exists already.", Remedy: "Leave the password empty to let it administer this account, or choose another login.",
		}).In(fault.Conflict)
	case known:
		return nil
	case hash == "":
		return fault.Field("password", "There is no such login, and a new one needs a password.", "Give a password of at least 12 characters.")
	}
	err = q.AddLogin(ctx, sqlc.AddLoginParams{Login: name, Own: string(a.Alias), Password: hash, Active: true, CreatedAt: store.Micros(d.now())})
	if err != nil {
		return fmt.Errorf("add login %s: %w", name, err)
	}
	return d.record(ctx, tx, by, a.Org, "login.create", "login:"+name, map[string]any{"own": a.Alias})
}

func (d *Directory) addAdministrator(ctx context.Context, tx *store.Tx, by Actor, a Account, name string) error {
	n, err := sqlc.New(tx).AddAdministrator(ctx, sqlc.AddAdministratorParams{Login: name, Alias: string(a.Alias), AddedAt: store.Micros(d.now())})
	if err != nil {
		return fmt.Errorf("add administrator of %s: %w", a.Alias, err)
	}
	if n == 0 {
		return nil
	}
	return d.record(ctx, tx, by, a.Org, "account.add-administrator", object(a.Alias), map[string]any{"login": name})
}

// RemoveAdministrator takes a login's right to administer an account. The login
// itself stays. Connections it made before are asked again before anything is
// begun with them (Administers).
func (d *Directory) RemoveAdministrator(ctx context.Context, by Actor, alias Alias, name string) error {
	a, err := d.Account(ctx, alias)
	if err != nil {
		return err
	}
	if err := May(by, ActAccountAdministrators, a.Org); err != nil {
		return err
	}
	name = login(name)
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).DropAdministrator(ctx, sqlc.DropAdministratorParams{Login: name, Alias: string(alias)})
		if err != nil {
			return fmt.Errorf("remove administrator of %s: %w", alias, err)
		}
		if n == 0 {
			return fault.New(fault.NotFound, "%s does not administer %s directly.", norm.NFC.String(name), alias)
		}
		return d.record(ctx, tx, by, a.Org, "account.remove-administrator", object(a.Alias), map[string]any{"login": name})
	})
}
