package account

import (
	"context"
	"fmt"
	"slices"

	"causeway/internal/fault"
	"causeway/internal/store"
)

// Book is a whole set of customers, taken over at once: from another system, or
// the demo's.
type Book struct {
	Staff     []BookPerson
	Companies []BookCompany
}

// BookCompany is one organization with all that belongs to it. Its accounts may
// have parents anywhere in the book; their organization is set here.
type BookCompany struct {
	Organization Organization // its Account may name one of the accounts
	People       []BookPerson
	Accounts     []Account
	Logins       []BookLogin
}

// BookPerson is a person with a first password.
type BookPerson struct {
	User     User
	Password string
}

// BookLogin is an account administrator, or a login without that right.
type BookLogin struct {
	Login, Password string
	Own             Alias
	Administers     []Alias // directly; none = it is no account administrator
}

// Import takes over a book, all of it or nothing, with an audit entry for each
// object. What is wrong names its place in the book. People of one book who
// share a password share its stored form, so that a demo of hundreds is there
// in a second: real people get their own.
func (d *Directory) Import(ctx context.Context, by Actor, b Book) error {
	for _, act := range []Action{ActOrgCreate, ActUserCreate, ActAccountAdministrators} {
		if err := May(by, act, ""); err != nil {
			return err
		}
	}
	hashes, err := d.hashes(ctx, b)
	if err != nil {
		return err
	}
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		for i, p := range b.Staff {
			p.User.Org = ""
			if err := d.importPerson(ctx, tx, by, p, hashes); err != nil {
				return place(err, "staff[%d]", i)
			}
		}
		orgs := make([]Organization, len(b.Companies))
		for i, c := range b.Companies {
			o := c.Organization
			o.Account = ""
			if orgs[i], err = d.createOrg(ctx, tx, by, o); err != nil {
				return place(err, "companies[%d].organization", i)
			}
			for j, p := range c.People {
				p.User.Org = orgs[i].ID
				if err := d.importPerson(ctx, tx, by, p, hashes); err != nil {
					return place(err, "companies[%d].people[%d]", i, j)
				}
			}
		}
		if err := d.importAccounts(ctx, tx, by, b, orgs); err != nil {
			return err
		}
		return d.importLogins(ctx, tx, by, b, orgs, hashes)
	})
}

// hashes makes the stored form of each password once.
func (d *Directory) hashes(ctx context.Context, b Book) (map[string]string, error) {
	all := map[string]string{}
	add := func(where string, p string, others ...string) error {
		var c checks
		clean := c.password("password", p, others...)
		if err := c.err(); err != nil {
			return place(err, "%s", where)
		}
		if _, ok := all[p]; ok {
			return nil
		}
		h, err := d.hasher.hash(ctx, clean)
		all[p] = h
		return err
	}
	for i, p := range b.Staff {
		if err := add(fmt.Sprintf("staff[%d]", i), p.Password, p.User.Email, p.User.Name); err != nil {
			return nil, err
		}
	}
	for i, c := range b.Companies {
		for j, p := range c.People {
			if err := add(fmt.Sprintf("companies[%d].people[%d]", i, j), p.Password, p.User.Email, p.User.Name); err != nil {
				return nil, err
			}
		}
		for j, l := range c.Logins {
			if err := add(fmt.Sprintf("companies[%d].logins[%d]", i, j), l.Password, l.Login); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func (d *Directory) importPerson(ctx context.Context, tx *store.Tx, by Actor, p BookPerson, hashes map[string]string) error {
	var c checks
	u := c.user(p.User)
	if err := c.err(); err != nil {
		return err
	}
	_, err := d.createUser(ctx, tx, by, u, hashes[p.Password])
	return err
}

// importAccounts makes parents before their children, wherever they stand.
func (d *Directory) importAccounts(ctx context.Context, tx *store.Tx, by Actor, b Book, orgs []Organization) error {
	type item struct {
		account Account
		place   string
	}
	waiting := map[Alias][]item{} // by parent that is still to come
	inBook := map[Alias]bool{}
	for _, c := range b.Companies {
		for _, a := range c.Accounts {
			inBook[a.Alias] = true
		}
	}
	var ready []item
	for i, c := range b.Companies {
		for j, a := range c.Accounts {
			a.Org = orgs[i].ID
			it := item{a, fmt.Sprintf("companies[%d].accounts[%d]", i, j)}
			if inBook[a.Parent] && a.Parent != a.Alias {
				waiting[a.Parent] = append(waiting[a.Parent], it)
			} else {
				ready = append(ready, it)
			}
		}
	}
	for n := 0; n < len(ready); n++ {
		if _, err := d.createAccount(ctx, tx, by, ready[n].account); err != nil {
			return place(err, "%s", ready[n].place)
		}
		ready = append(ready, waiting[ready[n].account.Alias]...)
		delete(waiting, ready[n].account.Alias)
	}
	for i, c := range b.Companies {
		for j, a := range c.Accounts {
			if !slices.ContainsFunc(waiting[a.Parent], func(it item) bool { return it.account.Alias == a.Alias }) {
				continue
			}
			return fault.Refuse(fault.Refusal{
				Field: fmt.Sprintf("companies[%d].accounts[%d].parent", i, j), Code: "loop", Reason: fmt.Sprintf("%s is below itself.", a.Alias), Remedy: "Correct the parent of one of the accounts.",
			})
		}
	}
	for i, c := range b.Companies {
		if c.Organization.Account == "" {
			continue
		}
		if err := d.payBy(ctx, tx, by, orgs[i], c.Organization.Account); err != nil {
			return place(err, "companies[%d].organization", i)
		}
	}
	return nil
}

func (d *Directory) importLogins(ctx context.Context, tx *store.Tx, by Actor, b Book, orgs []Organization, hashes map[string]string) error {
	for i, c := range b.Companies {
		for j, l := range c.Logins {
			var ch checks
			name := ch.login("login", l.Login)
			if err := ch.err(); err != nil {
				return place(err, "companies[%d].logins[%d]", i, j)
			}
			own := Account{Alias: l.Own, Org: orgs[i].ID}
			if err := d.ensureLogin(ctx, tx, by, own, name, hashes[l.Password]); err != nil {
				return place(err, "companies[%d].logins[%d]", i, j)
			}
			for _, alias := range l.Administers {
				a, err := d.AccountTx(ctx, tx, alias)
				if err != nil {
					return place(err, "companies[%d].logins[%d]", i, j)
				}
				if err := d.addAdministrator(ctx, tx, by, a, name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// place puts a refusal's place in the book before its fields.
func place(err error, format string, args ...any) error {
	where := fmt.Sprintf(format, args...)
	f := fault.Of(err)
	if f == nil {
		return fmt.Errorf("import %s: %w", where, err)
	}
	if len(f.Refusals) == 0 {
		return fault.Refuse(fault.Refusal{Field: where, Reason: f.Message}).In(f.Kind)
	}
	all := make([]fault.Refusal, len(f.Refusals))
	for i, r := range f.Refusals {
		all[i] = r
		all[i].Field = where
		if r.Field != "" {
			all[i].Field += "." + r.Field
		}
	}
	return fault.Refuse(all...).In(f.Kind)
}
