package provision

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/store"
)

// Credentials are the first sign-in of the customer's administrator at Azure.
type Credentials struct {
	UserName string
	Password string
	LoginURL string
	Until    time.Time // when they are erased here
}

// ShowCredentials gives the first sign-in to an administrator of the customer,
// after their own password; every view is in the audit.
func (r *Runner) ShowCredentials(ctx context.Context, a account.Actor, id provider.ID, password string) (Credentials, error) {
	t, err := r.credentialsOf(ctx, a, id, account.ActCredentialsShow)
	if err != nil {
		return Credentials{}, err
	}
	if err := r.people.Reauthenticate(ctx, a, password); err != nil {
		return Credentials{}, err
	}
	if t.Credentials == "" {
		return Credentials{}, fault.New(fault.NotFound, "The credentials are not kept here any more. Only a reset in the Azure portal helps now.")
	}
	plain, err := r.ring.Open(t.Credentials, "tenant:"+t.ID)
	if err != nil {
		return Credentials{}, err
	}
	err = r.db.Tx(ctx, func(tx *store.Tx) error {
		return audit.Write(ctx, tx, audit.Entry{
			Org: string(t.Org), At: r.now(), Actor: a.ID(), Action: "credentials.show", Object: "provider:" + string(id),
			Detail: map[string]string{"user": t.AdminUPN}, Address: a.Address,
		})
	})
	if err != nil {
		return Credentials{}, err // not shown without a record
	}
	return Credentials{UserName: t.AdminUPN, Password: plain, LoginURL: "https://portal.azure.com/" + t.Domain, Until: t.CredentialsUntil}, nil
}

// CredentialsStored erases the credentials here: "I have stored it".
func (r *Runner) CredentialsStored(ctx context.Context, a account.Actor, id provider.ID) error {
	t, err := r.credentialsOf(ctx, a, id, account.ActCredentialsStored)
	if err != nil {
		return err
	}
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		err := changeTenant(ctx, tx, t.ID, func(t *Tenant) error { t.Credentials = ""; return nil })
		if err != nil {
			return err
		}
		if err := r.providers.Log(ctx, tx, id, provider.Info, "", "The first sign-in was stored by "+a.Name+" and erased here."); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Org: string(t.Org), At: r.now(), Actor: a.ID(), Action: "credentials.stored", Object: "provider:" + string(id), Address: a.Address})
	})
}

func (r *Runner) credentialsOf(ctx context.Context, a account.Actor, id provider.ID, act account.Action) (Tenant, error) {
	p, err := r.providers.Get(ctx, a, id)
	if err != nil {
		return Tenant{}, err
	}
	if err := account.May(a, act, p.Org); err != nil {
		return Tenant{}, err
	}
	if p.State != provider.Ready {
		return Tenant{}, fault.New(fault.Conflict, "The credentials are shown when “%s” is ready.", p.Name)
	}
	return r.tenant(ctx, p.Tenant)
}

// credentialsGone records that nobody stored the credentials in time.
func (r *Runner) credentialsGone(ctx context.Context, tx *store.Tx, tenant string, org account.OrgID) error {
	return audit.Write(ctx, tx, audit.Entry{Org: string(org), At: r.now(), Actor: audit.System, Action: "credentials.erased", Object: "tenant:" + tenant})
}
