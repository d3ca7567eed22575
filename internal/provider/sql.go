package provider

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provider/sqlc"
	"causeway/internal/store"
)

// Inventory is all providers.
type Inventory struct {
	db  *store.DB
	now func() time.Time
}

// New opens the inventory.
func New(db *store.DB, now func() time.Time) *Inventory { return &Inventory{db, now} }

// Add writes a new provider.
func (v *Inventory) Add(ctx context.Context, tx *store.Tx, p Provider) error {
	return sqlc.New(tx).AddProvider(ctx, sqlc.AddProviderParams{
		ID: string(p.ID), Org: string(p.Org), Owner: string(p.Owner), Type: p.Type, Mode: p.Mode, Name: p.Name,
		Folded: p.folded(), State: string(p.State), Note: p.Note, Account: string(p.Account), Tenant: p.Tenant,
		TenantID: p.TenantID, Domain: p.Domain, Subscription: p.Subscription,
		CreatedAt: store.Micros(p.CreatedAt), ChangedAt: store.Micros(p.ChangedAt), ChangedBy: p.ChangedBy,
	})
}

func (p Provider) folded() string {
	return fold(p.Name, p.Domain, string(p.Account), p.Subscription, p.TenantID)
}

// Change reads a provider, lets f change it and writes it, all in tx. A state
// change that the table of moves does not know is our bug, not the caller's.
func (v *Inventory) Change(ctx context.Context, tx *store.Tx, id ID, by string, f func(*Provider) error) error {
	q := sqlc.New(tx)
	row, err := q.GetProvider(ctx, string(id))
	if err != nil {
		return store.Found(err, "there is no provider %s", id)
	}
	p := from(row)
	was := p.State
	if err := f(&p); err != nil {
		return err
	}
	if !was.May(p.State) {
		return fmt.Errorf("provider %s cannot go from %s to %s", id, was, p.State)
	}
	_, err = q.SaveProvider(ctx, sqlc.SaveProviderParams{
		ID: string(p.ID), Type: p.Type, Mode: p.Mode, Name: p.Name, Folded: p.folded(), State: string(p.State), Note: p.Note,
		Account: string(p.Account), Tenant: p.Tenant, TenantID: p.TenantID, Domain: p.Domain, Subscription: p.Subscription,
		ChangedAt: store.Micros(v.now()), ChangedBy: by,
	})
	tx.Wake(topic(id))
	return err
}

// topic names a provider for whoever watches it.
func topic(id ID) string { return "provider:" + string(id) }

// Watch tells when there may be something new about a provider, whichever process
// wrote it; see store.DB.Watch.
func (v *Inventory) Watch(id ID) (changed <-chan struct{}, stop func()) { return v.db.Watch(topic(id)) }

// Touch tells the pages of a provider that there is something new.
func (v *Inventory) Touch(ctx context.Context, tx *store.Tx, id ID) error {
	tx.Wake(topic(id))
	return sqlc.New(tx).TouchProvider(ctx, string(id))
}

// Version is cheap to ask: a page asks it again and again.
func (v *Inventory) Version(ctx context.Context, id ID) (int64, State, error) {
	row, err := sqlc.New(v.db.Read()).ProviderVersion(ctx, string(id))
	if err != nil {
		return 0, "", store.Found(err, "there is no provider %s", id)
	}
	return row.Version, State(row.State), nil
}

// Get gives a provider that the actor may see; another organization's is not
// found.
func (v *Inventory) Get(ctx context.Context, a account.Actor, id ID) (Provider, error) {
	p, err := v.Find(ctx, id)
	if err != nil {
		return Provider{}, err
	}
	if err := account.May(a, account.ActProviderView, p.Org); err != nil {
		if errors.Is(err, fault.NotFound) {
			return Provider{}, fault.New(fault.NotFound, "there is no provider %s", id)
		}
		return Provider{}, err
	}
	return p, nil
}

// Find gives a provider to the platform itself, without asking who wants it.
func (v *Inventory) Find(ctx context.Context, id ID) (Provider, error) {
	row, err := sqlc.New(v.db.Read()).GetProvider(ctx, string(id))
	if err != nil {
		return Provider{}, store.Found(err, "there is no provider %s", id)
	}
	return from(row), nil
}

// OfSubscription gives the provider of an Azure subscription to the platform itself.
func (v *Inventory) OfSubscription(ctx context.Context, id string) (Provider, error) {
	row, err := sqlc.New(v.db.Read()).ProviderOfSubscription(ctx, id)
	if err != nil {
		return Provider{}, store.Found(err, "there is no provider of the subscription %s", id)
	}
	return from(row), nil
}

// Filter chooses providers to list; empty members do not filter.
type Filter struct {
	Org     account.OrgID // "" = all, for staff
	State   State
	Account account.Alias
	Tenant  string
	Search  string // in name, domain, account, subscription and tenant id
	After   string // cursor of the page before
	Limit   int    // 50 if 0, at most 200
}

// List gives the providers that the actor may see, the last changed first, and
// the cursor of the next page ("" = no more).
func (v *Inventory) List(ctx context.Context, a account.Actor, f Filter) ([]Provider, string, error) {
	if !a.Staff() {
		f.Org = a.Org
	}
	if err := account.May(a, account.ActProviderView, f.Org); err != nil {
		return nil, "", err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	p := sqlc.ListProvidersParams{
		Org: opt(string(f.Org)), State: opt(string(f.State)), Account: opt(string(f.Account)), Tenant: opt(f.Tenant),
		Before: math.MaxInt64, Batch: int32(limit + 1), // #nosec G115 -- at most 201
	}
	if s := strings.TrimSpace(f.Search); s != "" {
		p.Search = opt("%" + strings.NewReplacer("%", "", "_", "").Replace(fold(s)) + "%")
	}
	if f.After != "" {
		var err error
		if p.Before, p.BeforeID, err = store.ParseCursor(f.After); err != nil {
			return nil, "", err
		}
	}
	rows, err := sqlc.New(v.db.Read()).ListProviders(ctx, p)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		next = store.Cursor(last.ChangedAt, last.ID)
	}
	list := make([]Provider, len(rows))
	for i, r := range rows {
		list[i] = from(r)
	}
	return list, next, nil
}

// Counts tells how many providers of an organization are in each state.
func (v *Inventory) Counts(ctx context.Context, a account.Actor, org account.OrgID) (map[State]int, error) {
	if !a.Staff() {
		org = a.Org
	}
	rows, err := sqlc.New(v.db.Read()).CountStates(ctx, opt(string(org)))
	if err != nil {
		return nil, err
	}
	n := map[State]int{}
	for _, r := range rows {
		n[State(r.State)] = int(r.N)
	}
	return n, nil
}

// DropDraft forgets a provider that is still a draft.
func (v *Inventory) DropDraft(ctx context.Context, tx *store.Tx, id ID) error {
	n, err := sqlc.New(tx).DropProvider(ctx, string(id))
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "the provider is no draft any more; cancel it instead")
	}
	return err
}

// Log writes a line in the provider's log.
func (v *Inventory) Log(ctx context.Context, tx *store.Tx, id ID, level int, step, text string) error {
	q := sqlc.New(tx)
	err := q.AddLog(ctx, sqlc.AddLogParams{Provider: string(id), At: store.Micros(v.now()), Level: int64(level), Step: step, Text: text})
	if err != nil {
		return err
	}
	tx.Wake(topic(id))
	return q.TouchProvider(ctx, string(id))
}

// Tail gives the newest n lines of the log, newest first, and how many there are.
func (v *Inventory) Tail(ctx context.Context, id ID, n int) ([]Entry, int, error) {
	q := sqlc.New(v.db.Read())
	rows, err := q.LogTail(ctx, sqlc.LogTailParams{Provider: string(id), Batch: int32(n)}) // #nosec G115 -- a page
	if err != nil {
		return nil, 0, err
	}
	all, err := q.CountLog(ctx, string(id))
	if err != nil {
		return nil, 0, err
	}
	list := make([]Entry, len(rows))
	for i, r := range rows {
		list[i] = Entry{r.Seq, store.Time(r.At), int(r.Level), r.Step, r.Text}
	}
	return list, int(all), nil
}

// Intend writes who will pay for a tenant, before the tenant exists.
func (v *Inventory) Intend(ctx context.Context, tx *store.Tx, a Association) error {
	return sqlc.New(tx).AddAssociation(ctx, sqlc.AddAssociationParams{
		ID: store.NewID(), Tenant: a.Tenant, Entitlement: a.Entitlement, Account: string(a.Account), Org: string(a.Org),
		Provider: string(a.Provider), FromDay: string(a.From), State: "intended", MadeAt: store.Micros(v.now()),
	})
}

// Confirm makes an intended association real, from the given day on; it makes
// one if there is none. If another account pays already, that one ends the day
// before. Days that somebody paid for before stay theirs: a tenant that is used
// again was born long ago.
func (v *Inventory) Confirm(ctx context.Context, tx *store.Tx, a Association) error {
	q := sqlc.New(tx)
	last, err := q.LastAssociation(ctx, sqlc.LastAssociationParams{Tenant: a.Tenant, Entitlement: a.Entitlement})
	if err != nil && !store.IsNone(err) {
		return err
	}
	if err == nil && last.ToDay >= string(a.From) {
		a.From = Day(last.ToDay).After()
	}
	open, err := q.OpenAssociation(ctx, sqlc.OpenAssociationParams{Tenant: a.Tenant, Entitlement: a.Entitlement})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if err := v.Intend(ctx, tx, a); err != nil {
			return err
		}
		return v.Confirm(ctx, tx, a)
	case err != nil:
		return err
	case open.State == "confirmed" && open.Account == string(a.Account):
		return nil
	case open.State == "confirmed":
		if err := q.EndAssociation(ctx, sqlc.EndAssociationParams{ID: open.ID, ToDay: string(a.From.Before())}); err != nil {
			return err
		}
		return v.Confirm(ctx, tx, a)
	}
	return q.ConfirmAssociation(ctx, sqlc.ConfirmAssociationParams{ID: open.ID, FromDay: string(a.From)})
}

// End ends an association after a day; one that was only intended is forgotten,
// since it never held.
func (v *Inventory) End(ctx context.Context, tx *store.Tx, tenant, entitlement string, last Day) error {
	q := sqlc.New(tx)
	open, err := q.OpenAssociation(ctx, sqlc.OpenAssociationParams{Tenant: tenant, Entitlement: entitlement})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case open.State == "intended":
		return q.DropAssociation(ctx, open.ID)
	}
	return q.EndAssociation(ctx, sqlc.EndAssociationParams{ID: open.ID, ToDay: string(last)})
}

// Fill writes who paid for days that nobody paid for; To "" = still.
func (v *Inventory) Fill(ctx context.Context, tx *store.Tx, a Association) error {
	return sqlc.New(tx).FillAssociation(ctx, sqlc.FillAssociationParams{
		ID: store.NewID(), Tenant: a.Tenant, Entitlement: a.Entitlement, Account: string(a.Account), Org: string(a.Org),
		Provider: string(a.Provider), FromDay: string(a.From), ToDay: string(a.To), MadeAt: store.Micros(v.now()),
	})
}

// Shorten ends an association on a day, whether it was open or not.
func (v *Inventory) Shorten(ctx context.Context, tx *store.Tx, id string, last Day) error {
	return sqlc.New(tx).EndAssociation(ctx, sqlc.EndAssociationParams{ID: id, ToDay: string(last)})
}

// OfTenant gives who paid when, from the tenant's side.
func (v *Inventory) OfTenant(ctx context.Context, tenant string) ([]Association, error) {
	rows, err := sqlc.New(v.db.Read()).AssociationsOfTenant(ctx, tenant)
	return associations(rows), err
}

// OfAccount gives what an account paid when, from the account's side.
func (v *Inventory) OfAccount(ctx context.Context, alias account.Alias) ([]Association, error) {
	rows, err := sqlc.New(v.db.Read()).AssociationsOfAccount(ctx, string(alias))
	return associations(rows), err
}

func associations(rows []sqlc.Association) []Association {
	list := make([]Association, len(rows))
	for i, r := range rows {
		list[i] = Association{
			ID: r.ID, Tenant: r.Tenant, Entitlement: r.Entitlement, Account: account.Alias(r.Account), Org: account.OrgID(r.Org),
			Provider: ID(r.Provider), From: Day(r.FromDay), To: Day(r.ToDay), Confirmed: r.State == "confirmed",
		}
	}
	return list
}

// Grant records an access; the same one again changes nothing but its words.
func (v *Inventory) Grant(ctx context.Context, tx *store.Tx, id ID, tenant string, g Grant) error {
	return sqlc.New(tx).AddGrant(ctx, sqlc.AddGrantParams{
		ID: store.NewID(), Provider: string(id), Tenant: tenant, Scope: g.Scope, Principal: g.Principal,
		PrincipalName: g.PrincipalName, Role: g.Role, Intent: g.Intent, Since: store.Micros(v.now()),
	})
}

// Ungrant forgets an access that is no more.
func (v *Inventory) Ungrant(ctx context.Context, tx *store.Tx, id ID, g Grant) error {
	return sqlc.New(tx).DropGrant(ctx, sqlc.DropGrantParams{Provider: string(id), Scope: g.Scope, Principal: g.Principal, Role: g.Role})
}

// Grants lists who has access through this provider.
func (v *Inventory) Grants(ctx context.Context, id ID) ([]Grant, error) {
	rows, err := sqlc.New(v.db.Read()).Grants(ctx, string(id))
	list := make([]Grant, len(rows))
	for i, r := range rows {
		list[i] = Grant{r.Scope, r.Principal, r.PrincipalName, r.Role, r.Intent, store.Time(r.Since)}
	}
	return list, err
}

func opt(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func from(r sqlc.Provider) Provider {
	return Provider{
		ID: ID(r.ID), Org: account.OrgID(r.Org), Owner: account.UserID(r.Owner), Type: r.Type, Mode: r.Mode, Name: r.Name,
		State: State(r.State), Note: r.Note, Account: account.Alias(r.Account), Tenant: r.Tenant, TenantID: r.TenantID,
		Domain: r.Domain, Subscription: r.Subscription, CreatedAt: store.Time(r.CreatedAt), ChangedAt: store.Time(r.ChangedAt),
		ChangedBy: r.ChangedBy, Version: r.Version,
	}
}
