package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// DraftLife is how long a draft is kept after its last change.
const DraftLife = 30 * 24 * time.Hour

// Draft is a provider that is still being filled in: what the wizard has asked
// so far. Type, mode and name stand on the provider.
type Draft struct {
	Provider  provider.Provider `json:"-"`
	Version   int64             `json:"-"`
	UpdatedAt time.Time         `json:"-"`
	KeepUntil time.Time         `json:"-"`
	Begun     bool              `json:"-"`

	Connection     string        `json:"connection,omitempty"` // id of the account connection; "" in organization mode
	Login          string        `json:"login,omitempty"`
	ConnectedUntil time.Time     `json:"connected_until,omitzero"`
	Account        account.Alias `json:"account,omitempty"`
	Entity         string        `json:"entity,omitempty"` // legal entity of the account
	Tenant         string        `json:"tenant,omitempty"` // our tenant row, if this legal entity has one already
	Budget         money.Amount  `json:"budget,omitzero"`  // proposed monthly usage budget
	Details        Details       `json:"details"`
	DetailsSaved   bool          `json:"details_saved,omitempty"`

	Terms     *Accepted     `json:"terms,omitempty"`     // the partner's document
	Customer  *Accepted     `json:"customer,omitempty"`  // Microsoft's agreement, where no attestation is needed any more
	Microsoft *Attestation  `json:"microsoft,omitempty"` // Microsoft's attestation page
	Submitted *Submission   `json:"submitted,omitempty"` // waits for the second signatory
	Refused   fault.Refusal `json:"refused,omitzero"`    // why it could not begin after the wait
	MailMe    bool          `json:"mail_me,omitempty"`
}

// Accepted is one document that was accepted in the wizard.
type Accepted struct {
	Document string         `json:"document"` // id of the version
	Version  string         `json:"version"`
	Hash     string         `json:"hash"` // SHA-256 of the text
	At       time.Time      `json:"at"`
	User     account.UserID `json:"user"`
	Login    string         `json:"login,omitempty"`
	Address  string         `json:"address,omitempty"` // network address
}

// Attestation is Microsoft's page on which the agreement is accepted.
type Attestation struct {
	ID         string          `json:"id"`
	URL        string          `json:"url"`
	State      string          `json:"state"` // pending, accepted, expired
	Other      bool            `json:"other"` // somebody else signs
	Signatory  account.Contact `json:"signatory"`
	AskedAt    time.Time       `json:"asked_at"`
	AcceptedAt time.Time       `json:"accepted_at,omitzero"`
	Invitation string          `json:"invitation,omitempty"` // id, if somebody else signs
}

// Submission is who pressed Create, and from where.
type Submission struct {
	At      time.Time `json:"at"`
	Address string    `json:"address,omitempty"`
}

// The wizard's steps in the seed's order.
const (
	WizardType    = "type"
	WizardMode    = "mode"
	WizardName    = "name"
	WizardAccount = "account"
	WizardDetails = "details"
	WizardTerms   = "terms"
	WizardReview  = "review"
)

// WizardSteps in their order.
var WizardSteps = []string{WizardType, WizardMode, WizardName, WizardAccount, WizardDetails, WizardTerms, WizardReview}

// Next is the first step of the wizard that is not filled in.
func (d Draft) Next() string {
	switch p := d.Provider; {
	case p.Type == "":
		return WizardType
	case p.Mode == "":
		return WizardMode
	case p.Name == "":
		return WizardName
	case d.Account == "":
		return WizardAccount
	case !d.DetailsSaved && d.Tenant == "":
		return WizardDetails
	case !d.Agreed():
		return WizardTerms
	}
	return WizardReview
}

// Agreed tells whether both sets of terms are done, as far as this draft needs
// them now: a second signatory may still be awaited.
func (d Draft) Agreed() bool {
	if d.Terms == nil {
		return false
	}
	if d.Tenant != "" {
		return d.Customer != nil
	}
	return d.Microsoft != nil && (d.Microsoft.State == attestAccepted || d.Microsoft.Other && d.Microsoft.State == attestPending)
}

// Signed tells whether nobody's signature is awaited any more.
func (d Draft) Signed() bool {
	return d.Terms != nil && (d.Tenant != "" && d.Customer != nil || d.Microsoft != nil && d.Microsoft.State == attestAccepted)
}

// NewDraft begins a provider: nothing at Microsoft, no name yet.
func (r *Runner) NewDraft(ctx context.Context, a account.Actor) (provider.ID, error) {
	if _, err := r.mayCreate(ctx, a); err != nil {
		return "", err
	}
	id := provider.ID(store.NewID())
	now := r.now()
	err := r.db.Tx(ctx, func(tx *store.Tx) error {
		err := r.providers.Add(ctx, tx, provider.Provider{
			ID: id, Org: a.Org, Owner: a.User, State: provider.Draft, CreatedAt: now, ChangedAt: now, ChangedBy: string(a.User),
		})
		if err != nil {
			return err
		}
		body, err := json.Marshal(Draft{MailMe: true})
		if err != nil {
			return err
		}
		err = sqlc.New(tx).AddDraft(ctx, sqlc.AddDraftParams{
			Provider: string(id), Body: string(body), UpdatedAt: store.Micros(now), KeepUntil: store.Micros(now.Add(DraftLife)),
		})
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Org: string(a.Org), At: now, Actor: a.ID(), Action: "provider.draft", Object: "provider:" + string(id), Address: a.Address})
	})
	return id, err
}

// mayCreate asks who may start a provider: in organization mode only an
// administrator of the organization.
func (r *Runner) mayCreate(ctx context.Context, a account.Actor) (partner.Rules, error) {
	rules, err := r.settings.Rules(ctx)
	if err != nil {
		return rules, err
	}
	act := account.ActProviderCreate
	if rules.OrganizationMode {
		act = account.ActProviderCreateOrg
	}
	return rules, account.May(a, act, a.Org)
}

// MayCreate gives the reason why this person may not create a provider, or nil.
func (r *Runner) MayCreate(ctx context.Context, a account.Actor) error {
	_, err := r.mayCreate(ctx, a)
	return err
}

// Draft reads a draft for the wizard.
func (r *Runner) Draft(ctx context.Context, a account.Actor, id provider.ID) (Draft, error) {
	p, err := r.providers.Get(ctx, a, id)
	if err != nil {
		return Draft{}, err
	}
	return r.draft(ctx, p)
}

func (r *Runner) draft(ctx context.Context, p provider.Provider) (Draft, error) {
	row, err := sqlc.New(r.db.Read()).GetDraft(ctx, string(p.ID))
	if err != nil {
		return Draft{}, store.Found(err, "provider %s has no draft", p.ID)
	}
	d := Draft{Provider: p, Version: row.Version, UpdatedAt: store.Time(row.UpdatedAt), KeepUntil: store.Time(row.KeepUntil), Begun: row.BegunAt != 0}
	if err := json.Unmarshal([]byte(row.Body), &d); err != nil {
		return d, fmt.Errorf("draft of %s: %w", p.ID, err)
	}
	return d, nil
}

// edit changes a draft that has not begun. Two windows of one wizard do not
// overwrite each other: the second is told to load again.
func (r *Runner) edit(ctx context.Context, a account.Actor, id provider.ID, action string, f func(*Draft) error, also ...func(*store.Tx, Draft) error) (Draft, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return d, err
	}
	if err := account.May(a, account.ActProviderEdit, d.Provider.Org); err != nil {
		return d, err
	}
	if d.Begun || d.Provider.State != provider.Draft {
		return d, fault.New(fault.Conflict, "“%s” was submitted already. Watch it on its page; nothing was done twice.", d.Provider.Name)
	}
	if err := f(&d); err != nil {
		return d, err
	}
	d.Refused = fault.Refusal{}
	err = r.saveDraft(ctx, d, a.ID(), string(a.User), a.Address, action, func(tx *store.Tx) error {
		for _, f := range also {
			if err := f(tx, d); err != nil {
				return err
			}
		}
		return nil
	})
	return d, err
}

// saveDraft writes a draft and, in the same transaction, what belongs to it.
func (r *Runner) saveDraft(ctx context.Context, d Draft, actor, by, from, action string, also ...func(*store.Tx) error) error {
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	now := r.now()
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).SaveDraft(ctx, sqlc.SaveDraftParams{
			Provider: string(d.Provider.ID), Body: string(body), Version: d.Version, UpdatedAt: store.Micros(now), KeepUntil: store.Micros(now.Add(DraftLife)),
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "This draft was changed in another window. Load the page again.")
		}
		err = r.providers.Change(ctx, tx, d.Provider.ID, by, func(p *provider.Provider) error {
			p.Type, p.Mode, p.Name, p.Account, p.Note, p.State = d.Provider.Type, d.Provider.Mode, d.Provider.Name, d.Account, d.Provider.Note, d.Provider.State
			if d.Details.DomainPrefix != "" && d.Tenant == "" {
				p.Domain = domain(d.Details.DomainPrefix)
			}
			return nil
		})
		if err != nil {
			return err
		}
		err = audit.Write(ctx, tx, audit.Entry{
			Org: string(d.Provider.Org), At: now, Actor: actor, Action: action, Object: "provider:" + string(d.Provider.ID),
			Detail: map[string]any{"name": d.Provider.Name, "account": d.Account}, Address: from,
		})
		for _, f := range also {
			if err == nil {
				err = f(tx)
			}
		}
		return err
	})
}

// SetType chooses the provider's type.
func (r *Runner) SetType(ctx context.Context, a account.Actor, id provider.ID, typ string) error {
	if typ != provider.TypeAzure {
		return fault.Field("type", fmt.Sprintf("There is no provider type %q.", typ), "Choose one that is offered: "+provider.TypeAzure+".")
	}
	_, err := r.edit(ctx, a, id, "draft.type", func(d *Draft) error { d.Provider.Type = typ; return nil })
	return err
}

// SetMode chooses between a new account and an existing one; the latter is led
// to a representative.
func (r *Runner) SetMode(ctx context.Context, a account.Actor, id provider.ID, mode string) error {
	switch mode {
	case provider.ModeNew:
	case provider.ModeOwn:
		brand, err := r.settings.Brand(ctx)
		if err != nil {
			return err
		}
		return fault.Field("mode", "An existing Azure account is moved by our staff, not here.", "Write to "+brand.ContactEmail+", or choose a new account.")
	default:
		return fault.Field("mode", fmt.Sprintf("There is no mode %q.", mode), "Choose "+provider.ModeNew+".")
	}
	_, err := r.edit(ctx, a, id, "draft.mode", func(d *Draft) error { d.Provider.Mode = mode; return nil })
	return err
}

// SetName names the provider; the Azure subscription will have the same name.
func (r *Runner) SetName(ctx context.Context, a account.Actor, id provider.ID, name string) error {
	name, err := provider.Name(name)
	if err != nil {
		return err
	}
	_, err = r.edit(ctx, a, id, "draft.name", func(d *Draft) error { d.Provider.Name = name; return nil })
	return err
}

// SetBudget changes the proposed monthly budget, within the credit limit.
func (r *Runner) SetBudget(ctx context.Context, a account.Actor, id provider.ID, budget money.Amount) error {
	_, err := r.edit(ctx, a, id, "draft.budget", func(d *Draft) error {
		if d.Account == "" {
			return fault.Field("budget", "There is no account to check the budget against.", "Choose the account first.")
		}
		d.Budget = budget
		return r.mustBeEligible(ctx, *d)
	})
	return err
}

// MailMe says whether the person gets a mail when it is ready.
func (r *Runner) MailMe(ctx context.Context, a account.Actor, id provider.ID, on bool) error {
	o, err := r.of(ctx, id)
	if errors.Is(err, fault.NotFound) {
		_, err = r.edit(ctx, a, id, "draft.mail", func(d *Draft) error { d.MailMe = on; return nil })
		return err
	}
	if err != nil {
		return err
	}
	if err := account.May(a, account.ActProviderEdit, o.Org); err != nil {
		return err
	}
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		err := r.change(ctx, tx, o.ID, func(o *Onboarding) error { o.MailMe = on; return nil })
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Org: string(o.Org), At: r.now(), Actor: a.ID(), Action: "onboarding.mail", Object: "onboarding:" + string(o.ID), Detail: map[string]bool{"on": on}, Address: a.Address})
	})
}

const orderDropped = "The order was dropped."

// DropDraft forgets a draft; nothing of it exists anywhere else.
func (r *Runner) DropDraft(ctx context.Context, a account.Actor, id provider.ID) error {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return err
	}
	if err := account.May(a, account.ActProviderEdit, d.Provider.Org); err != nil {
		return err
	}
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).DropDraft(ctx, string(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "“%s” was submitted already. Cancel it instead.", d.Provider.Name)
		}
		if err := r.signatures.WithdrawTx(ctx, tx, string(id), a.ID(), a.Address, orderDropped); err != nil {
			return err
		}
		if err := r.jobs.Drop(ctx, tx, JobSign, string(id)); err != nil {
			return err
		}
		if d.Provider.State == provider.Waiting {
			err := r.providers.Change(ctx, tx, id, string(a.User), func(p *provider.Provider) error { p.State = provider.Draft; return nil })
			if err != nil {
				return err
			}
		}
		if err := r.providers.DropDraft(ctx, tx, id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Org: string(d.Provider.Org), At: r.now(), Actor: a.ID(), Action: "provider.drop-draft", Object: "provider:" + string(id), Detail: map[string]string{"name": d.Provider.Name}, Address: a.Address})
	})
}
