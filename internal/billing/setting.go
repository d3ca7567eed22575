package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// Setup is what the partner decided of billing. Words on the bill are the brand's,
// prices and the share of credits are of the price lists.
type Setup struct {
	Version int64 `json:"version"` // set when read; 0 = never saved

	Sellers []Seller        `json:"sellers"` // the first one sells, unless an account names another
	Pattern invoice.Pattern `json:"pattern"` // of accounts that have none of their own
	PayDays int             `json:"pay_days"`
	Spread  bool            `json:"spread"` // an organization's credits come off its other accounts
	Mail    bool            `json:"mail"`   // who administers an account, and its billing contact, get its documents by mail

	Shared []SharedReservation `json:"shared,omitempty"` // reservations that other accounts use than the one that pays
}

// Seller is a company of the partner, with a series of numbers of its own.
type Seller struct {
	ID     string            `json:"id"`
	Party  invoice.Party     `json:"party"`
	Prefix string            `json:"prefix"` // of its numbers, e.g. "R-"
	Pay    string            `json:"pay"`    // how to pay, e.g. a bank account
	Tax    []invoice.TaxRule `json:"tax"`    // beside invoice.StandardTax: the rates at home first of all
}

// AccountSetup is what was decided of one billing account.
type AccountSetup struct {
	Version int64 `json:"version"`

	Currency    money.Currency    `json:"currency,omitempty"` // "" = the one that Microsoft bills in
	Seller      string            `json:"seller,omitempty"`   // "" = the first
	VAT         string            `json:"vat,omitempty"`      // VAT or tax number
	Switches    []invoice.Switch  `json:"switches,omitempty"` // none = the partner's pattern
	CostCenters map[string]string `json:"cost_centers,omitempty"`
}

// DefaultSetup bills what Microsoft's invoice says as soon as it is there.
func DefaultSetup() Setup {
	return Setup{Pattern: invoice.Pattern{Way: invoice.Arrears}, PayDays: 30, Mail: true}
}

func kindOf(alias string) string { return "account:" + alias }

const kindPartner = "partner"

// Setup is the newest of the partner's decisions. Without a seller the partner of the
// brand sells, at home in the country of its program tenant.
func (c *Cycle) Setup(ctx context.Context) (Setup, error) { return c.setup(ctx, c.db.Read()) }

func (c *Cycle) setup(ctx context.Context, on store.DBTX) (Setup, error) {
	s := DefaultSetup()
	version, err := setting(ctx, on, kindPartner, &s)
	if err != nil {
		return s, err
	}
	s.Version = version
	if len(s.Sellers) == 0 {
		brand, err := c.settings.Brand(ctx)
		if err != nil {
			return s, err
		}
		m, err := c.settings.Microsoft(ctx)
		if err != nil {
			return s, err
		}
		s.Sellers = []Seller{{ID: "main", Party: invoice.Party{Name: brand.PartnerTitle(), Country: m.Country}}}
	}
	return s, nil
}

// SetSetup saves a new version on top of the one that was read.
func (c *Cycle) SetSetup(ctx context.Context, a account.Actor, version int64, s Setup) error {
	if err := s.check(); err != nil {
		return err
	}
	s.Version = 0
	return c.saveSetting(ctx, a, kindPartner, version, s)
}

func (s Setup) check() error {
	var all []fault.Refusal
	refuse := func(field, reason, remedy string, args ...any) {
		all = append(all, fault.Refusal{Field: field, Reason: fmt.Sprintf(reason, args...), Remedy: remedy})
	}
	s.checkShared(refuse)
	seen, prefixes := map[string]bool{}, map[string]bool{}
	for i, e := range s.Sellers {
		at := func(name string) string { return fmt.Sprintf("sellers[%d].%s", i, name) }
		switch {
		case e.ID == "" || len(e.ID) > 40 || store.CheckText("id", e.ID) != nil:
			refuse(at("id"), "A seller has no id, or one that is too long.", "Give each a short id, like main.")
		case seen[e.ID]:
			refuse(at("id"), "Two sellers have the id %s.", "Rename one of them.", e.ID)
		case prefixes[e.Prefix] && len(s.Sellers) > 1:
			refuse(at("prefix"), "Two sellers begin their numbers with %q.", "Give each its own prefix.", e.Prefix)
		}
		seen[e.ID], prefixes[e.Prefix] = true, true
		if strings.TrimSpace(e.Party.Name) == "" {
			refuse(at("name"), "The seller %s lacks its name.", "Give it as it is registered.", e.ID)
		}
		if len(e.Party.Country) != 2 {
			refuse(at("country"), "The seller %s lacks its country.", "Give its two letters.", e.ID)
		}
		for _, r := range e.Tax {
			if r.ID == "" || r.Country == "" || r.Percent.Sign() < 0 || r.Label == "" {
				refuse(at("tax"), "A tax rule of %s lacks its id, its country or its label, or is below zero.", "Fill it in.", e.ID)
			}
		}
	}
	if s.PayDays < 0 || s.PayDays > 365 {
		refuse("pay_days", "%d days to pay are not possible.", "Choose 0 to 365.", s.PayDays)
	}
	if err := invoice.CheckSwitches(nil, []invoice.Switch{{Pattern: s.Pattern}}, ""); err != nil {
		return err
	}
	if len(all) > 0 {
		return fault.Refuse(all...)
	}
	return nil
}

// AccountSetup is the newest of what was decided of an account.
func (c *Cycle) AccountSetup(ctx context.Context, alias string) (AccountSetup, error) {
	return accountSetup(ctx, c.db.Read(), alias)
}

func accountSetup(ctx context.Context, on store.DBTX, alias string) (AccountSetup, error) {
	var s AccountSetup
	version, err := setting(ctx, on, kindOf(alias), &s)
	s.Version = version
	return s, err
}

// SetAccountSetup saves a new version on top of the one that was read. The pattern of
// a month that was billed stays.
func (c *Cycle) SetAccountSetup(ctx context.Context, a account.Actor, alias account.Alias, version int64, s AccountSetup) error {
	if _, err := c.people.Account(ctx, alias); err != nil {
		return err
	}
	if s.Currency != "" {
		if err := s.Currency.Check(); err != nil {
			return err
		}
	}
	setup, err := c.Setup(ctx)
	if err != nil {
		return err
	}
	if _, err := setup.seller(s.Seller); err != nil {
		return err
	}
	for _, center := range s.CostCenters {
		if center == "" || len(center) > 100 || store.CheckText("cost_centers", center) != nil {
			return fault.Field("cost_centers", "A cost center has no name, or one of more than 100 bytes.", "Leave the subscription out, or shorten the name.")
		}
	}
	was, err := c.AccountSetup(ctx, string(alias))
	if err != nil {
		return err
	}
	docs, err := c.book.OfAccount(ctx, string(alias), invoice.Document{}, 1)
	if err != nil {
		return err
	}
	var billed usage.Month
	if len(docs) > 0 && docs[0].Number != "" {
		billed = docs[0].Period
	}
	if err := invoice.CheckSwitches(was.switches(setup), s.switches(setup), billed); err != nil {
		return err
	}
	s.Version = 0
	return c.saveSetting(ctx, a, kindOf(string(alias)), version, s)
}

func (s AccountSetup) switches(of Setup) []invoice.Switch {
	if len(s.Switches) > 0 {
		return s.Switches
	}
	return []invoice.Switch{{Pattern: of.Pattern}}
}

func (s Setup) seller(id string) (Seller, error) {
	for _, e := range s.Sellers {
		if e.ID == id || id == "" {
			return e, nil
		}
	}
	return Seller{}, fault.Field("seller", fmt.Sprintf("There is no seller %s.", id), "Choose one of the settings of billing.")
}

// rules are the seller's own rates; the standard ones fill in where it has none of
// the same id.
func (e Seller) rules() []invoice.TaxRule {
	all := append([]invoice.TaxRule{}, e.Tax...)
	for _, r := range invoice.StandardTax(e.Party) {
		own := false
		for _, o := range e.Tax {
			own = own || o.ID == r.ID
		}
		if !own {
			all = append(all, r)
		}
	}
	return all
}

func setting(ctx context.Context, on store.DBTX, kind string, into any) (int64, error) {
	row, err := sqlc.New(on).NewestSetting(ctx, kind)
	if store.IsNone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("settings of billing, %s: %w", kind, err)
	}
	if err := json.Unmarshal([]byte(row.Body), into); err != nil {
		return 0, fmt.Errorf("settings of billing, %s, version %d: %w", kind, row.Version, err)
	}
	return row.Version, nil
}

func (c *Cycle) saveSetting(ctx context.Context, a account.Actor, kind string, version int64, v any) error {
	if err := account.May(a, account.ActBillingChange, ""); err != nil {
		return err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("settings of billing, %s: %w", kind, err)
	}
	stale := fault.New(fault.Conflict, "Somebody else changed these settings meanwhile. Load them again and repeat your change.")
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		last, err := q.NewestSetting(ctx, kind)
		if err != nil && !store.IsNone(err) {
			return fmt.Errorf("settings of billing, %s: %w", kind, err)
		}
		if last.Version != version {
			return stale
		}
		if last.Body == string(body) {
			return nil
		}
		now := c.now()
		err = q.AddSetting(ctx, sqlc.AddSettingParams{Kind: kind, Version: version + 1, Body: string(body), ChangedAt: store.Micros(now), ChangedBy: a.ID()})
		if store.IsUnique(err) {
			return stale
		}
		if err != nil {
			return fmt.Errorf("settings of billing, %s: %w", kind, err)
		}
		was := last.Body
		if was == "" {
			was = "{}"
		}
		return audit.Write(ctx, tx, audit.Entry{
			At: now, Actor: a.ID(), Action: "billing.settings", Object: fmt.Sprintf("billing:%s:%d", kind, version+1), Address: a.Address,
			Detail: map[string]any{"was": json.RawMessage(was), "is": json.RawMessage(body)},
		})
	})
}
