package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// ConnectionLife is how long an account connection proves consent.
const ConnectionLife = 15 * time.Minute

// HelpAdministrators is the place in the help that tells how to find one's
// account administrator; a page shows it as a link when a refusal has the code
// CodeNotAdministrator.
const HelpAdministrators = "/help#account-administrators"

// Codes of refusals that a page treats in its own way.
const (
	CodeNotAdministrator  = "not-administrator"
	CodeConnectionExpired = "connection-expired"
	CodeConnectAgain      = "connect-again"
)

// source is where account administrators prove themselves: the directory built
// in, or a remote one (CLC).
type source interface {
	name() string
	// prove checks the password, once; wrong ones are errWrongLogin.
	prove(ctx context.Context, login, password string) (proof, error)
	// administers is asked again before something begins.
	administers(ctx context.Context, login string, alias Alias) (bool, error)
}

// proof is what a source knows about a login whose password was right.
type proof struct {
	login    string
	own      Alias
	accounts []Account // all it administers; empty = it is no account administrator
	remote   bool      // accounts are to be kept here when they are new
}

var errWrongLogin = errors.New("wrong login or password")

// Connect proves that the actor holds account administrator: a sign-in apart
// from the portal's own. The password is used once, for this, and is neither
// kept nor logged. What comes back is valid for 15 minutes and only for this
// actor.
//
// Listed are the accounts that the login administers, ancestors' rights
// included, of the actor's own organization. A login without any is Forbidden
// with code CodeNotAdministrator.
func (d *Directory) Connect(ctx context.Context, by Actor, name, password string) (Connection, error) {
	if err := May(by, ActAccountConnect, by.Org); err != nil {
		return Connection{}, err
	}
	var c checks
	key := login(c.line("login", "The login", name, 1, maxLogin))
	if password == "" {
		c.refuse("password", "missing", "The password is missing.", "Fill it in.")
	} else if len(password) > 1024 || store.CheckText("password", password) != nil {
		return Connection{}, wrongLogin()
	}
	if err := c.err(); err != nil {
		return Connection{}, err
	}
	// Counted with the person too: a stolen session must not try logins for ever.
	t := triesOf("connect", key, by.Address)
	t.pair = "connect:pair:" + key + "|" + string(by.User)
	if _, err := d.count(ctx, t); err != nil {
		return Connection{}, err
	}
	p, err := d.source.prove(ctx, key, password)
	switch {
	case errors.Is(err, errWrongLogin):
		return Connection{}, with(wrongLogin(), d.refused(ctx, by, key, "wrong-password"))
	case err != nil:
		return Connection{}, err
	case len(p.accounts) == 0:
		return Connection{}, with(notAdministrator(key), d.refused(ctx, by, key, CodeNotAdministrator))
	}
	now := d.now().UTC().Truncate(time.Microsecond)
	conn := Connection{
		ID: store.NewID(), User: by.User, Org: by.Org, Login: p.login, MadeAt: now, Until: now.Add(ConnectionLife), Source: d.source.name(),
	}
	err = d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		for _, a := range p.accounts {
			if p.remote {
				if a, err = d.keepRemote(ctx, tx, by, a); err != nil {
					return err
				}
			}
			if a.Org == by.Org {
				conn.Accounts = append(conn.Accounts, a.Alias)
			}
		}
		if len(conn.Accounts) == 0 {
			return nil
		}
		slices.Sort(conn.Accounts)
		conn.Own = conn.Accounts[0]
		if conn.Lists(p.own) {
			conn.Own = p.own
		}
		list, err := json.Marshal(conn.Accounts)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		err = q.AddConnection(ctx, sqlc.AddConnectionParams{
			ID: conn.ID, Person: string(conn.User), Org: string(conn.Org), Login: conn.Login, Own: string(conn.Own),
			Accounts: string(list), MadeAt: store.Micros(conn.MadeAt), UntilAt: store.Micros(conn.Until), Source: conn.Source,
		})
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		if err := forgive(ctx, q, t); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		return d.record(ctx, tx, by, by.Org, "account.connect", "connection:"+conn.ID, map[string]any{
			"login": conn.Login, "accounts": len(conn.Accounts), "until": conn.Until,
		})
	})
	if err != nil {
		return Connection{}, err
	}
	if len(conn.Accounts) == 0 {
		return Connection{}, with(othersAccounts(key), d.refused(ctx, by, key, "other-organization"))
	}
	return conn, nil
}

// with gives a refusal, and a failure to record it if there was one.
func with(refusal, failure error) error {
	if failure == nil {
		return refusal
	}
	return errors.Join(refusal, failure)
}

// refused records a connection that was not made.
func (d *Directory) refused(ctx context.Context, by Actor, login, why string) error {
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		return d.record(ctx, tx, by, by.Org, "account.connect-refused", "login:"+login, map[string]any{"why": why})
	})
}

func wrongLogin() error {
	return fault.Refuse(fault.Refusal{
		Field: "password", Code: "wrong-password", Reason: "The login or the password is wrong.",
		Remedy: "Use the login of an account administrator, not the one of this portal.",
	})
}

func notAdministrator(login string) error {
	return fault.Refuse(fault.Refusal{
		Field: "login", Code: CodeNotAdministrator,
		Reason: login + " is no account administrator, and only one may approve charges.",
		Remedy: "Ask an account administrator to connect, or to make you one. How to find yours: " + HelpAdministrators,
	}).In(fault.Forbidden)
}

func othersAccounts(login string) error {
	return fault.Refuse(fault.Refusal{
		Field: "login", Code: "other-organization",
		Reason: "The accounts that " + login + " administers belong to another organization.",
		Remedy: "Connect with an account administrator of your own organization, or ask the partner to move the account.",
	}).In(fault.Forbidden)
}

// Connection gives the actor's own connection while it is valid. An expired one
// is Forbidden with code CodeConnectionExpired; somebody else's is NotFound.
func (d *Directory) Connection(ctx context.Context, by Actor, id string) (Connection, error) {
	return d.connection(ctx, sqlc.New(d.db.Read()), by, id)
}

// ConnectionTx is Connection inside a transaction.
func (d *Directory) ConnectionTx(ctx context.Context, tx *store.Tx, by Actor, id string) (Connection, error) {
	return d.connection(ctx, sqlc.New(tx), by, id)
}

func (d *Directory) connection(ctx context.Context, q *sqlc.Queries, by Actor, id string) (Connection, error) {
	r, err := q.GetConnection(ctx, id)
	if err != nil {
		return Connection{}, store.Found(err, "There is no such account connection.")
	}
	if r.Person != string(by.User) || r.Org != string(by.Org) {
		return Connection{}, fault.New(fault.NotFound, "There is no such account connection.")
	}
	c, err := connection(r)
	if err != nil {
		return Connection{}, err
	}
	if !d.now().Before(c.Until) {
		return Connection{}, fault.Refuse(fault.Refusal{
			Field: "connection", Code: CodeConnectionExpired,
			Reason: fmt.Sprintf("The account connection of %s ended at %s UTC: it is valid for 15 minutes.", c.Login, c.Until.Format("15:04")),
			Remedy: "Connect again; nothing else is lost.",
		}).In(fault.Forbidden)
	}
	return c, nil
}

// Administers asks again whether a login holds account administrator on an
// account, e.g. when the second signatory took days. A remote directory cannot
// be asked without the password: it answers Forbidden with CodeConnectAgain.
func (d *Directory) Administers(ctx context.Context, name string, alias Alias) (bool, error) {
	return d.source.administers(ctx, login(name), alias)
}

// builtIn is the directory of this database.
type builtIn struct{ d *Directory }

func (builtIn) name() string { return SourceBuiltIn }

func (s builtIn) prove(ctx context.Context, name, password string) (proof, error) {
	q := sqlc.New(s.d.db.Read())
	r, err := q.GetLogin(ctx, name)
	if err != nil && fault.KindOf(store.Found(err, "none")) != fault.NotFound {
		return proof{}, fmt.Errorf("look for a login: %w", err)
	}
	ok, _, err := s.d.hasher.matches(ctx, r.Password, password)
	if err != nil {
		return proof{}, err
	}
	if !ok || !r.Active {
		return proof{}, errWrongLogin
	}
	list, err := s.below(ctx, name)
	return proof{login: name, own: Alias(r.Own), accounts: list}, err
}

func (s builtIn) below(ctx context.Context, name string) ([]Account, error) {
	rows, err := sqlc.New(s.d.db.Read()).Below(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("accounts of a login: %w", err)
	}
	return billingAccounts(rows)
}

func (s builtIn) administers(ctx context.Context, name string, alias Alias) (bool, error) {
	r, err := sqlc.New(s.d.db.Read()).GetLogin(ctx, name)
	if err != nil {
		if fault.KindOf(store.Found(err, "none")) == fault.NotFound {
			return false, nil
		}
		return false, fmt.Errorf("look for a login: %w", err)
	}
	if !r.Active {
		return false, nil
	}
	list, err := s.below(ctx, name)
	return slices.ContainsFunc(list, func(a Account) bool { return a.Alias == alias }), err
}
