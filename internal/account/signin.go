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

// SignIn gives the person behind mail address and password. address is the
// network address of the call. Unknown address, wrong password and a person
// who was deactivated get the same answer after the same work; too many tries
// are Unavailable with the time of the next one.
func (d *Directory) SignIn(ctx context.Context, email, password, address string) (User, error) {
	var c checks
	if email == "" {
		c.refuse("email", "missing", "The mail address is missing.", "Fill it in.")
	}
	if password == "" {
		c.refuse("password", "missing", "The password is missing.", "Fill it in.")
	}
	if err := c.err(); err != nil {
		return User{}, err
	}
	key := emailKey(email)
	if len(key) > maxEmail || len(password) > 1024 || store.CheckText("email", email) != nil || store.CheckText("password", password) != nil {
		return User{}, wrongPassword()
	}
	return d.prove(ctx, key, password, address, "user.sign-in")
}

// Reauthenticate asks a signed-in person for the password again, before
// something that a stolen session must not do.
func (d *Directory) Reauthenticate(ctx context.Context, by Actor, password string) error {
	if by.Token != "" || by.User == "" {
		return fault.Refuse(fault.Refusal{
			Code: "person-needed", Reason: "A token cannot give a password.", Remedy: "Sign in to the portal for this.",
		}).In(fault.Forbidden)
	}
	u, err := d.User(ctx, by.User)
	if err != nil {
		return err
	}
	if password == "" {
		return fault.Field("password", "The password is missing.", "Fill it in.")
	}
	if len(password) > 1024 || store.CheckText("password", password) != nil {
		return wrongPassword()
	}
	_, err = d.prove(ctx, emailKey(u.Email), password, by.Address, "user.reauthenticate")
	return err
}

func wrongPassword() error {
	return fault.Refuse(fault.Refusal{
		Field: "password", Code: "wrong-password", Reason: "The mail address or the password is wrong.", Remedy: "Check both, also the keyboard's language and Caps Lock.",
	})
}

// prove checks a password and records the outcome.
func (d *Directory) prove(ctx context.Context, key, password, address, action string) (User, error) {
	t := triesOf("person", key, address)
	locked, err := d.count(ctx, t)
	if err != nil {
		if locked {
			return User{}, with(err, d.lockedOut(ctx, key, address))
		}
		return User{}, err
	}
	r, err := sqlc.New(d.db.Read()).GetPersonByEmail(ctx, key)
	if err != nil && fault.KindOf(store.Found(err, "none")) != fault.NotFound {
		return User{}, fmt.Errorf("sign in: %w", err)
	}
	known := err == nil
	ok, weak, err := d.hasher.matches(ctx, r.Password, password)
	if err != nil {
		return User{}, err
	}
	if !known || !ok || !r.Active {
		return User{}, wrongPassword()
	}
	u := user(r)
	hash := r.Password
	if weak {
		if hash, err = d.hasher.hash(ctx, password); err != nil {
			return User{}, err
		}
	}
	u.LastSignInAt = d.now().UTC().Truncate(time.Microsecond)
	return u, d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		n, err := q.SignedIn(ctx, sqlc.SignedInParams{ID: r.ID, Password: r.Password, LastSignInAt: store.Micros(u.LastSignInAt)})
		if err != nil {
			return fmt.Errorf("sign in: %w", err)
		}
		if n == 0 { // deactivated, or given a new password, in this moment
			return wrongPassword()
		}
		if hash != r.Password {
			if _, err := q.Rehash(ctx, sqlc.RehashParams{ID: r.ID, Former: r.Password, Password: hash}); err != nil {
				return fmt.Errorf("sign in: %w", err)
			}
		}
		if err := forgive(ctx, q, t); err != nil {
			return fmt.Errorf("sign in: %w", err)
		}
		return d.record(ctx, tx, u.Actor(address), u.Org, action, audit.User(r.ID), nil)
	})
}

// lockedOut records that the door closed for somebody who exists.
func (d *Directory) lockedOut(ctx context.Context, key, address string) error {
	r, err := sqlc.New(d.db.Read()).GetPersonByEmail(ctx, key)
	if err != nil {
		if fault.KindOf(store.Found(err, "none")) == fault.NotFound {
			return nil
		}
		return err
	}
	by := System()
	by.Address = address
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		return d.record(ctx, tx, by, OrgID(r.Org), "user.locked-out", audit.User(r.ID), nil)
	})
}

// Resume gives the actor of a session that began at since. It is asked on every
// request, so that a person who was deactivated, or signed out everywhere, is
// out at once; the error is then Forbidden with code "signed-out".
func (d *Directory) Resume(ctx context.Context, id UserID, since time.Time, address string) (Actor, error) {
	r, err := sqlc.New(d.db.Read()).GetPerson(ctx, string(id))
	if err != nil && fault.KindOf(store.Found(err, "none")) != fault.NotFound {
		return Actor{}, fmt.Errorf("resume a session: %w", err)
	}
	if err != nil || !r.Active || store.Micros(since) < r.SessionsFrom {
		return Actor{}, fault.Refuse(fault.Refusal{Code: "signed-out", Reason: "You were signed out.", Remedy: "Sign in again."}).In(fault.Forbidden)
	}
	if r.Org != "" {
		o, err := sqlc.New(d.db.Read()).GetOrg(ctx, r.Org)
		if err != nil {
			return Actor{}, fmt.Errorf("resume a session: %w", err)
		}
		if o.Status != string(Active) {
			return Actor{}, orgDisabled()
		}
	}
	return user(r).Actor(address), nil
}

func orgDisabled() error {
	return fault.Refuse(fault.Refusal{
		Code: "organization-disabled", Reason: "Your organization is disabled.", Remedy: "Ask your representative at the partner.",
	}).In(fault.Forbidden)
}
