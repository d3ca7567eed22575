package demo

import (
	"context"
	"fmt"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/price"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// Customers are the companies that have used Azure for a year when the demo is shown.
// Contoso is not one of them: its first provider is for whoever looks.
func Customers() []Customer {
	return []Customer{
		{"Northwind production", "NWTR", "admin@northwindtraders.example", "nwtr-admin", "northwindtradersus"},
		{"Northwind analytics", "NWTR", "admin@northwindtraders.example", "nwtr-admin", ""},
		{"Fabrikam web shop", "FBRK", "admin@fabrikam.example", "fbrk-admin", "fabrikamus"},
		{"Adventure Works cycles", "ADVW", "admin@adventureworks.example", "advw-admin", "adventureworksus"},
	}
}

// Customer is a provider that is onboarded before the demo is shown.
type Customer struct {
	Name    string
	Account string
	Email   string // of the organization's administrator
	Login   string // of the account administrator
	Prefix  string // of the tenant's domain; "" = the account has its tenant by then
}

// SeedBilling decides for the demo's partner what staff of a real one decide before the
// first bill: taxes at home, how accounts are billed, and one price list with a mark-up
// and tiers. from is the day since which it holds. What was decided already stays.
func SeedBilling(ctx context.Context, c *billing.Cycle, prices *price.Book, from usage.Day) error {
	was, err := c.Setup(ctx)
	if err != nil || was.Version != 0 {
		return err
	}
	by := account.System()
	seller := was.Sellers[0]
	seller.Party = invoice.Party{Name: seller.Party.Name, Address: []string{"100 Partner Plaza", "Monroe, LA 71203"}, Country: "US"}
	seller.Prefix, seller.Pay = "CL-", "First Up Bank, routing 000000000, account 12345678"
	seller.Tax = []invoice.TaxRule{
		{ID: "us", Country: "US", Percent: decimal.Decimal{}, Label: "Sales tax 0 %"},
		{ID: "us-wa", Country: "US", Region: "WA", Percent: decimal.RequireFromString("6.5"), Label: "Sales tax WA 6.5 %"},
	}
	setup := billing.DefaultSetup()
	setup.Sellers = []billing.Seller{seller}
	if err := c.SetSetup(ctx, by, 0, setup); err != nil {
		return fmt.Errorf("settings of billing: %w", err)
	}
	settle := billing.AccountSetup{Switches: []invoice.Switch{{Pattern: invoice.Pattern{Way: invoice.Settle}}}}
	if err := c.SetAccountSetup(ctx, by, "FBRK", 0, settle); err != nil {
		return fmt.Errorf("settings of FBRK: %w", err)
	}
	v, err := prices.Save(ctx, by, Managed(), "", "Managed Azure for accounts with a contract", nil, nil)
	if err != nil {
		return fmt.Errorf("price list: %w", err)
	}
	if _, err := prices.Activate(ctx, by, v.List.ID, v.List.Version, from); err != nil {
		return fmt.Errorf("price list: %w", err)
	}
	if err := prices.Assign(ctx, by, "ADVW", v.List.ID, from); err != nil && fault.KindOf(err) != fault.Conflict {
		return fmt.Errorf("price list of ADVW: %w", err)
	}
	return nil
}

// Managed is a price list with a mark-up, with tiers for computing, and with a share of
// the spend for support.
func Managed() rating.List {
	l := rating.Default("USD")
	l.ID = "managed"
	l.Rules[0].Percent = decimal.RequireFromString("4.5")
	upTo := func(n int64) *decimal.Decimal { d := decimal.NewFromInt(n); return &d }
	l.Rules = append(l.Rules, rating.Rule{
		ID: "computing", Base: rating.OnList,
		Match: rating.Match{Category: []string{"Virtual Machines", "Azure Kubernetes Service", "Azure App Service"}, Reservation: []string{"none"}, Credit: []string{"none", string(usage.CreditEarned)}},
		Tiers: &rating.Tiers{Of: rating.OfMoney, How: rating.Graduated, Steps: []rating.Step{
			{UpTo: upTo(500), Percent: decimal.NewFromInt(8)}, {UpTo: upTo(2000), Percent: decimal.NewFromInt(5)}, {Percent: decimal.NewFromInt(3)},
		}},
	})
	l.Support = &rating.Support{ID: "support", Label: "Support", Steps: []rating.Step{{UpTo: upTo(1000), Percent: decimal.NewFromInt(5)}, {Percent: decimal.NewFromInt(3)}}}
	return l
}
