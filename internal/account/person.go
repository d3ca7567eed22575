package account

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// User gives one person.
func (d *Directory) User(ctx context.Context, id UserID) (User, error) {
	r, err := sqlc.New(d.db.Read()).GetPerson(ctx, string(id))
	if err != nil {
		return User{}, store.Found(err, "There is no such person.")
	}
	return user(r), nil
}

// UserByEmail finds a person by mail address, in any case.
func (d *Directory) UserByEmail(ctx context.Context, email string) (User, error) {
	r, err := sqlc.New(d.db.Read()).GetPersonByEmail(ctx, emailKey(email))
	if err != nil {
		return User{}, store.Found(err, "There is no such person.")
	}
	return user(r), nil
}

// Users lists the people of an organization ("" = the partner's staff), the
// oldest first.
func (d *Directory) Users(ctx context.Context, org OrgID) ([]User, error) {
	rows, err := sqlc.New(d.db.Read()).ListPeople(ctx, string(org))
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	list := make([]User, len(rows))
	for i, r := range rows {
		list[i] = user(r)
	}
	return list, nil
}

// CreateUser adds a person who signs in with this password. Id, time and
// version are set here; the person is active.
func (d *Directory) CreateUser(ctx context.Context, by Actor, u User, password string) (User, error) {
	if err := May(by, ActUserCreate, u.Org); err != nil {
		return User{}, err
	}
	var c checks
	u = c.user(u)
	password = c.password("password", password, u.Email, u.Name)
	if err := c.err(); err != nil {
		return User{}, err
	}
	hash, err := d.hasher.hash(ctx, password) // before the transaction: it takes long
	if err != nil {
		return User{}, err
	}
	err = d.db.Tx(ctx, func(tx *store.Tx) error {
		u, err = d.createUser(ctx, tx, by, u, hash)
		return err
	})
	return u, err
}

func (d *Directory) createUser(ctx context.Context, tx *store.Tx, by Actor, u User, hash string) (User, error) {
	q := sqlc.New(tx)
	if u.Org != "" {
		if _, err := q.GetOrg(ctx, string(u.Org)); err != nil {
			return u, store.Found(err, "There is no such organization.")
		}
	}
	if _, err := q.GetPersonByEmail(ctx, emailKey(u.Email)); err == nil {
		return u, emailTaken()
	} else if fault.KindOf(store.Found(err, "none")) != fault.NotFound {
		return u, fmt.Errorf("look for the mail address: %w", err)
	}
	u.ID, u.Active, u.CreatedAt, u.Version = UserID(store.NewID()), true, d.now().UTC().Truncate(time.Microsecond), 1
	u.LastSignInAt = time.Time{}
	err := q.AddPerson(ctx, sqlc.AddPersonParams{
		ID: string(u.ID), Org: string(u.Org), Role: string(u.Role), Name: u.Name, Email: u.Email, EmailKey: emailKey(u.Email),
		Language: u.Language, Password: hash, Active: true, CreatedAt: store.Micros(u.CreatedAt), Version: 1,
	})
	if store.IsUnique(err) {
		return u, emailTaken()
	}
	if err != nil {
		return u, fmt.Errorf("create person: %w", err)
	}
	return u, d.record(ctx, tx, by, u.Org, "user.create", audit.User(string(u.ID)), map[string]any{"role": u.Role})
}

func emailTaken() error {
	return fault.Refuse(fault.Refusal{
		Field: "email", Code: "taken", Reason: "Somebody signs in with this mail address already.", Remedy: "Use another address.",
	}).In(fault.Conflict)
}

func (c *checks) user(u User) User {
	u.Name = c.name("name", "The name", u.Name, 2*maxPerson+1)
	u.Email = c.email("email", "The mail address", u.Email)
	u.Language = c.lang("language", u.Language, "")
	switch {
	case u.Org == "" && !u.Role.Staff():
		c.refuse("role", "role", "The partner has no such role.", "Give owner, finance, support or read-only.")
	case u.Org != "" && !u.Role.Customer():
		c.refuse("role", "role", "An organization has no such role.", "Give administrator or member.")
	}
	return u
}

// UpdateUser changes name, mail address, role, language and whether the person
// is active. The organization never changes. A person without the right to
// change others may change the own name and language.
func (d *Directory) UpdateUser(ctx context.Context, by Actor, u User) (User, error) {
	former, err := d.User(ctx, u.ID)
	if err != nil {
		return User{}, err
	}
	u.Org = former.Org
	var c checks
	u = c.user(u)
	self := by.User == u.ID && by.Token == "" && u.Role == former.Role && u.Email == former.Email && u.Active == former.Active
	if may := May(by, ActUserChange, former.Org); may != nil && !self {
		return User{}, may
	}
	if err := c.err(); err != nil {
		return User{}, err
	}
	now := d.now()
	err = d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		people, err := q.LockPeople(ctx, string(u.Org))
		if err != nil {
			return fmt.Errorf("change person: %w", err)
		}
		if top := chief(u.Org); former.Active && former.Role == top && (u.Role != top || !u.Active) {
			others := 0
			for _, p := range people {
				if p.Role == string(top) && p.ID != string(u.ID) {
					others++
				}
			}
			if others == 0 {
				return fault.Refuse(fault.Refusal{
					Field: "role", Code: "last", Reason: "This is the last " + top.Title() + ".", Remedy: "Make somebody else " + top.Title() + " first.",
				}).In(fault.Conflict)
			}
		}
		r, err := q.GetPerson(ctx, string(u.ID))
		if err != nil {
			return store.Found(err, "There is no such person.")
		}
		sessions := r.SessionsFrom
		if !u.Active || u.Role != former.Role { // what is open was opened with other rights
			sessions = store.Micros(now)
		}
		n, err := q.SetPerson(ctx, sqlc.SetPersonParams{
			ID: string(u.ID), Role: string(u.Role), Name: u.Name, Email: u.Email, EmailKey: emailKey(u.Email), Language: u.Language,
			Active: u.Active, SessionsFrom: sessions, Version: u.Version,
		})
		if store.IsUnique(err) {
			return emailTaken()
		}
		if err != nil {
			return fmt.Errorf("change person: %w", err)
		}
		if n == 0 {
			return stale("person")
		}
		u.CreatedAt, u.LastSignInAt, u.Version = former.CreatedAt, former.LastSignInAt, u.Version+1
		return d.record(ctx, tx, by, u.Org, "user.change", audit.User(string(u.ID)), map[string]any{"role": u.Role, "active": u.Active})
	})
	return u, err
}

// chief is the role that an organization, or the partner, must never be without.
func chief(org OrgID) Role {
	if org == "" {
		return RoleOwner
	}
	return RoleAdministrator
}

// SetPassword gives a person a new password and ends all their sessions. One's
// own needs the former password too (Reauthenticate first).
func (d *Directory) SetPassword(ctx context.Context, by Actor, id UserID, password string) error {
	u, err := d.User(ctx, id)
	if err != nil {
		return err
	}
	if may := May(by, ActUserChange, u.Org); may != nil && (by.User != id || by.Token != "") {
		return may
	}
	var c checks
	password = c.password("password", password, u.Email, u.Name)
	if err := c.err(); err != nil {
		return err
	}
	hash, err := d.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := sqlc.New(tx).SetPassword(ctx, sqlc.SetPasswordParams{ID: string(id), Password: hash, SessionsFrom: store.Micros(d.now())})
		if err != nil {
			return fmt.Errorf("set password: %w", err)
		}
		return d.record(ctx, tx, by, u.Org, "user.password", audit.User(string(id)), nil)
	})
}

// SignOutEverywhere ends all sessions of a person.
func (d *Directory) SignOutEverywhere(ctx context.Context, by Actor, id UserID) error {
	u, err := d.User(ctx, id)
	if err != nil {
		return err
	}
	if may := May(by, ActUserChange, u.Org); may != nil && by.User != id {
		return may
	}
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		if _, err := sqlc.New(tx).EndSessions(ctx, sqlc.EndSessionsParams{ID: string(id), SessionsFrom: store.Micros(d.now())}); err != nil {
			return fmt.Errorf("end sessions: %w", err)
		}
		return d.record(ctx, tx, by, u.Org, "user.sign-out", audit.User(string(id)), nil)
	})
}
