package account

import (
	"encoding/json"
	"fmt"
	"strings"

	"causeway/internal/account/sqlc"
	"causeway/internal/money"
	"causeway/internal/store"
)

func orgRow(o Organization) (sqlc.Organization, error) {
	placement, err := json.Marshal(o.Placement)
	if err != nil {
		return sqlc.Organization{}, fmt.Errorf("organization %s: %w", o.ID, err)
	}
	return sqlc.Organization{
		ID: string(o.ID), Name: o.Name, Folded: fold(o.Name, true), Status: string(o.Status), Account: string(o.Account),
		Placement: string(placement), CreatedAt: store.Micros(o.CreatedAt), Version: o.Version,
	}, nil
}

func org(r sqlc.Organization) (Organization, error) {
	o := Organization{
		ID: OrgID(r.ID), Name: r.Name, Status: Status(r.Status), Account: Alias(r.Account),
		CreatedAt: store.Time(r.CreatedAt), Version: r.Version,
	}
	if err := json.Unmarshal([]byte(r.Placement), &o.Placement); err != nil {
		return o, fmt.Errorf("placement of organization %s: %w", r.ID, err)
	}
	return o, nil
}

func user(r sqlc.Person) User {
	return User{
		ID: UserID(r.ID), Org: OrgID(r.Org), Role: Role(r.Role), Name: r.Name, Email: r.Email, Language: r.Language, Active: r.Active,
		CreatedAt: store.Time(r.CreatedAt), LastSignInAt: store.Time(r.LastSignInAt), Version: r.Version,
	}
}

func accountRow(a Account) (sqlc.BillingAccount, error) {
	addr, err := json.Marshal(a.Address)
	if err != nil {
		return sqlc.BillingAccount{}, fmt.Errorf("address of %s: %w", a.Alias, err)
	}
	contact, err := json.Marshal(a.Contact)
	if err != nil {
		return sqlc.BillingAccount{}, fmt.Errorf("contact of %s: %w", a.Alias, err)
	}
	return sqlc.BillingAccount{
		Alias: string(a.Alias), Org: string(a.Org), Name: a.Name, LegalName: a.LegalName, RegistrationNumber: a.RegistrationNumber,
		Country: a.Country, Entity: a.Entity, LegalEntity: a.LegalEntity(), Address: string(addr), Contact: string(contact),
		Parent: string(a.Parent), Billable: a.Billable, Reseller: a.Reseller, Demo: a.Demo, Internal: a.Internal,
		PublicSector: a.PublicSector, Disabled: a.Disabled, CreditLimit: a.CreditLimit.Text(), Currency: string(a.Currency),
		Language: a.Language, Source: a.Source, Folded: fold(string(a.Alias)+" "+a.Name+" "+a.LegalName, true),
		CreatedAt: store.Micros(a.CreatedAt), ChangedAt: store.Micros(a.ChangedAt), Version: a.Version,
	}, nil
}

func billingAccount(r sqlc.BillingAccount) (Account, error) {
	a := Account{
		Alias: Alias(r.Alias), Org: OrgID(r.Org), Name: r.Name, LegalName: r.LegalName, RegistrationNumber: r.RegistrationNumber,
		Country: r.Country, Entity: r.Entity, Parent: Alias(r.Parent), Billable: r.Billable, Reseller: r.Reseller, Demo: r.Demo,
		Internal: r.Internal, PublicSector: r.PublicSector, Disabled: r.Disabled, Currency: money.Currency(r.Currency),
		Language: r.Language, Source: r.Source, CreatedAt: store.Time(r.CreatedAt), ChangedAt: store.Time(r.ChangedAt), Version: r.Version,
	}
	var err error
	if a.CreditLimit, err = money.FromText(r.CreditLimit, r.Currency); err != nil {
		return a, fmt.Errorf("credit limit of %s: %w", r.Alias, err)
	}
	if err := json.Unmarshal([]byte(r.Address), &a.Address); err != nil {
		return a, fmt.Errorf("address of %s: %w", r.Alias, err)
	}
	if err := json.Unmarshal([]byte(r.Contact), &a.Contact); err != nil {
		return a, fmt.Errorf("contact of %s: %w", r.Alias, err)
	}
	return a, nil
}

func billingAccounts(rows []sqlc.BillingAccount) ([]Account, error) {
	list := make([]Account, len(rows))
	for i, r := range rows {
		a, err := billingAccount(r)
		if err != nil {
			return nil, err
		}
		list[i] = a
	}
	return list, nil
}

func connection(r sqlc.AccountConnection) (Connection, error) {
	c := Connection{
		ID: r.ID, User: UserID(r.Person), Org: OrgID(r.Org), Login: r.Login, Own: Alias(r.Own),
		MadeAt: store.Time(r.MadeAt), Until: store.Time(r.UntilAt), Source: r.Source,
	}
	if err := json.Unmarshal([]byte(r.Accounts), &c.Accounts); err != nil {
		return c, fmt.Errorf("accounts of connection %s: %w", r.ID, err)
	}
	return c, nil
}

func token(r sqlc.ApiToken) Token {
	return Token{
		ID: r.ID, User: UserID(r.Person), Name: r.Name, Scope: Scope(r.Scope), Hint: r.Hint, CreatedAt: store.Time(r.CreatedAt),
		ExpiresAt: store.Time(r.ExpiresAt), LastUsedAt: store.Time(r.LastUsedAt), RevokedAt: store.Time(r.RevokedAt),
	}
}

// pattern finds a part of a folded text; what LIKE would read as a sign is
// taken as it is.
func pattern(search string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(fold(search, true)) + "%"
}

// batch bounds what one page of a list may hold.
func batch(limit int) int32 {
	if limit <= 0 {
		limit = 100
	}
	return int32(min(limit, 1000)) // #nosec G115 -- at most 1000
}
