package cli

import (
	"context"
	"fmt"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/demo"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/price"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// seedBilling decides for the demo's partner what staff of a real one decide before the
// first bill: taxes at home, how accounts are billed, and one price list with a mark-up
// and tiers. from is the day since which it holds. What was decided already stays.
func seedBilling(ctx context.Context, c *billing.Cycle, prices *price.Book, from usage.Day) error {
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
	v, err := prices.Save(ctx, by, demo.Managed(), "", "Managed Azure for accounts with a contract", nil, nil)
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
