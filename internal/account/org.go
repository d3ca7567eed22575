package account

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// OrgFilter chooses organizations; empty members do not filter.
type OrgFilter struct {
	Search string // part of the name, without case
	After  OrgID  // cursor: only ids behind it, which are younger
	Limit  int    // 0 = 100, at most 1000
}

// Org gives one organization.
func (d *Directory) Org(ctx context.Context, id OrgID) (Organization, error) {
	r, err := sqlc.New(d.db.Read()).GetOrg(ctx, string(id))
	if err != nil {
		return Organization{}, store.Found(err, "There is no such organization.")
	}
	return org(r)
}

// Orgs lists organizations, the oldest first.
func (d *Directory) Orgs(ctx context.Context, f OrgFilter) ([]Organization, error) {
	rows, err := sqlc.New(d.db.Read()).ListOrgs(ctx, sqlc.ListOrgsParams{
		After: string(f.After), Pattern: pattern(f.Search), Batch: batch(f.Limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list organizations: %w", err)
	}
	list := make([]Organization, len(rows))
	for i, r := range rows {
		if list[i], err = org(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// CreateOrg adds an organization. Its id, status, time and version are set here.
func (d *Directory) CreateOrg(ctx context.Context, by Actor, o Organization) (Organization, error) {
	if err := May(by, ActOrgCreate, ""); err != nil {
		return Organization{}, err
	}
	err := d.db.Tx(ctx, func(tx *store.Tx) error {
		var err error
		o, err = d.createOrg(ctx, tx, by, o)
		return err
	})
	return o, err
}

func (d *Directory) createOrg(ctx context.Context, tx *store.Tx, by Actor, o Organization) (Organization, error) {
	o, err := checkOrg(o)
	if err != nil {
		return o, err
	}
	if o.Account != "" { // an account names its organization, which is not there yet
		return o, fault.Field("account", "A new organization has no account yet.", "Create the account first, then name it here.")
	}
	o.ID, o.Status, o.CreatedAt, o.Version = OrgID(store.NewID()), Active, d.now().UTC().Truncate(time.Microsecond), 1
	row, err := orgRow(o)
	if err != nil {
		return o, err
	}
	if err := sqlc.New(tx).AddOrg(ctx, sqlc.AddOrgParams(row)); err != nil {
		return o, fmt.Errorf("create organization: %w", err)
	}
	return o, d.record(ctx, tx, by, o.ID, "organization.create", "organization:"+string(o.ID), map[string]any{"name": o.Name})
}

// UpdateOrg changes name, status, account and placement. The version says what
// was seen; Conflict if somebody changed it since.
func (d *Directory) UpdateOrg(ctx context.Context, by Actor, o Organization) (Organization, error) {
	if err := May(by, ActOrgChange, o.ID); err != nil {
		return Organization{}, err
	}
	o, err := checkOrg(o)
	if err != nil {
		return Organization{}, err
	}
	err = d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		r, err := q.GetOrg(ctx, string(o.ID))
		if err != nil {
			return store.Found(err, "There is no such organization.")
		}
		former, err := org(r)
		if err != nil {
			return err
		}
		if former.Status != o.Status && !by.Staff() {
			return fault.Refuse(fault.Refusal{Field: "status", Code: "missing-right", Reason: "You may not enable or disable an organization.", Remedy: "It takes Owner or Support at the partner."}).In(fault.Forbidden)
		}
		if o.Account != "" && o.Account != former.Account {
			a, err := d.AccountTx(ctx, tx, o.Account)
			if err != nil && fault.KindOf(err) != fault.NotFound {
				return err
			}
			if err != nil || a.Org != o.ID {
				return fault.Field("account", fmt.Sprintf("%s is no account of this organization.", o.Account), "Choose one of its accounts.")
			}
		}
		if err := setOrg(ctx, tx, o); err != nil {
			return err
		}
		o.CreatedAt, o.Version = former.CreatedAt, o.Version+1
		return d.record(ctx, tx, by, o.ID, "organization.change", "organization:"+string(o.ID), map[string]any{
			"name": o.Name, "status": o.Status, "account": o.Account, "placement": len(o.Placement),
		})
	})
	return o, err
}

// setOrg writes an organization over the version that was read.
func setOrg(ctx context.Context, tx *store.Tx, o Organization) error {
	row, err := orgRow(o)
	if err != nil {
		return err
	}
	n, err := sqlc.New(tx).SetOrg(ctx, sqlc.SetOrgParams{
		ID: row.ID, Name: row.Name, Folded: row.Folded, Status: row.Status, Account: row.Account, Placement: row.Placement, Version: o.Version,
	})
	if err != nil {
		return fmt.Errorf("change organization: %w", err)
	}
	if n == 0 {
		return stale("organization")
	}
	return nil
}

// payBy names the account that pays where the organization is the billed party.
func (d *Directory) payBy(ctx context.Context, tx *store.Tx, by Actor, o Organization, alias Alias) error {
	a, err := d.AccountTx(ctx, tx, alias)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	if err != nil || a.Org != o.ID {
		return fault.Field("account", fmt.Sprintf("%s is no account of this organization.", alias), "Choose one of its accounts.")
	}
	o.Account = alias
	if err := setOrg(ctx, tx, o); err != nil {
		return err
	}
	return d.record(ctx, tx, by, o.ID, "organization.change", "organization:"+string(o.ID), map[string]any{"account": alias})
}

// PlaceTx gives an organization its deployment presets if it has none, in the
// transaction of the caller (the end of its first onboarding).
func (d *Directory) PlaceTx(ctx context.Context, tx *store.Tx, by Actor, id OrgID, presets []Preset) error {
	q := sqlc.New(tx)
	r, err := q.GetOrg(ctx, string(id))
	if err != nil {
		return store.Found(err, "There is no such organization.")
	}
	o, err := org(r)
	if err != nil {
		return err
	}
	if len(o.Placement) > 0 {
		return nil
	}
	o.Placement = presets
	if o, err = checkOrg(o); err != nil {
		return err
	}
	if err := setOrg(ctx, tx, o); err != nil {
		return err
	}
	return d.record(ctx, tx, by, id, "organization.place", "organization:"+string(id), presets)
}

// DefaultPresets are three places for deployments near a country: small for
// trying, usual for production, large for analysis. Their networks do not
// overlap, so that they can be joined later.
func DefaultPresets(country string) []Preset {
	region, ok := regions[country]
	if !ok {
		region = "eastus2"
	}
	return []Preset{
		{Name: "Development", Region: region, Size: "Standard_B2s", Network: "10.20.0.0/16"},
		{Name: "Production", Region: region, Size: "Standard_D2s_v5", Network: "10.21.0.0/16"},
		{Name: "Analytics", Region: region, Size: "Standard_E4s_v5", Network: "10.22.0.0/16"},
	}
}

// regions are Azure's regions in or beside a country, by Azure's own names.
var regions = map[string]string{
	"US": "eastus2", "CA": "canadacentral", "MX": "mexicocentral", "BR": "brazilsouth",
	"GB": "uksouth", "IE": "northeurope", "FR": "francecentral", "BE": "westeurope", "NL": "westeurope", "LU": "westeurope",
	"DE": "germanywestcentral", "AT": "austriaeast", "CH": "switzerlandnorth", "IT": "italynorth", "ES": "spaincentral", "PT": "spaincentral",
	"SE": "swedencentral", "NO": "norwayeast", "DK": "swedencentral", "FI": "swedencentral", "PL": "polandcentral", "CZ": "polandcentral",
	"GR": "italynorth", "IL": "israelcentral", "AE": "uaenorth", "SA": "uaenorth", "QA": "qatarcentral", "ZA": "southafricanorth",
	"IN": "centralindia", "SG": "southeastasia", "MY": "southeastasia", "TH": "southeastasia", "HK": "eastasia", "TW": "eastasia",
	"JP": "japaneast", "KR": "koreacentral", "AU": "australiaeast", "NZ": "newzealandnorth",
}

func checkOrg(o Organization) (Organization, error) {
	var c checks
	o.Name = c.name("name", "The organization's name", o.Name, maxName)
	if o.Status != "" && o.Status != Active && o.Status != Disabled {
		c.refuse("status", "status", "The status is unknown.", "Give active or disabled.")
	}
	if o.Account != "" {
		c.alias("account", o.Account)
	}
	if n := len(o.Placement); n != 0 && n != 3 {
		c.refuse("placement", "three", fmt.Sprintf("There are %d deployment presets.", n), "Give exactly three.")
	}
	for i := range o.Placement {
		p := &o.Placement[i]
		field := fmt.Sprintf("placement[%d].", i)
		p.Name = c.name(field+"name", "The preset's name", p.Name, 50)
		p.Region = c.line(field+"region", "The region", p.Region, 1, 50)
		p.Size = c.line(field+"size", "The size", p.Size, 1, 50)
		if n, err := netip.ParsePrefix(p.Network); err != nil || n.Masked() != n || !n.Addr().IsPrivate() {
			c.refuse(field+"network", "network", "The network is not a private range.", "Write it like 10.20.0.0/16.")
		}
	}
	return o, c.err()
}

func stale(what string) error {
	return fault.Refuse(fault.Refusal{
		Code: "changed", Reason: "Somebody changed this " + what + " while you had it open.", Remedy: "Load it again and repeat your change.",
	}).In(fault.Conflict)
}
