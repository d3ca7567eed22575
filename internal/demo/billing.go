package demo

import (
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
