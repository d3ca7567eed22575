package billing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// FOCUS is the FinOps Open Cost and Usage Specification, here in version 1.2. The
// partner is the issuer of the invoice, Microsoft the provider of what was used.
// Σ BilledCost of a document is what it asks for, tax included.
// https://focus.finops.org/focus-specification/v1-2/

// focusPlaces is how many decimals a number of FOCUS has: as many as DECIMAL(38,18)
// keeps. What is cut off by it is inside the row of the line's rounding, so that the sum
// stays exact. A unit price is a cost divided by a quantity, rounded there; the cost
// beside it is their product, rounded there again.
const focusPlaces = 18

// focusFiner is how numbers are rounded to focusPlaces.
func focusFiner(d decimal.Decimal) decimal.Decimal { return d.Round(focusPlaces) }

// The values of ChargeCategory and ChargeClass that we use.
const (
	focusUsage      = "Usage"
	focusPurchase   = "Purchase"
	focusTax        = "Tax"
	focusCredit     = "Credit"
	focusAdjustment = "Adjustment"
	focusCorrection = "Correction"
)

// FocusRow is one charge. Times are UTC, a period ends before its end; texts that are
// "" and numbers that are not valid are NULL. Columns that no row of ours has are not
// here: resources, zones, tags and capacity reservations, because a row is a day's use
// of a meter over all resources.
type FocusRow struct {
	BilledCost, EffectiveCost, ContractedCost, ListCost decimal.Decimal // in BillingCurrency
	BillingAccountID, BillingAccountName                string
	BillingCurrency                                     money.Currency
	BillingPeriod                                       usage.Month
	Category, Class, Description, Frequency             string
	From, To                                            time.Time
	CommitmentID, CommitmentKind                        string // kind: Reservation or Savings Plan
	Quantity, ListUnitPrice, ContractedUnitPrice        decimal.NullDecimal
	Unit                                                string
	InvoiceID, Issuer, Provider, Publisher              string
	PricingCategory                                     string
	PricingCurrency                                     money.Currency
	Rate                                                decimal.Decimal // from PricingCurrency to BillingCurrency
	Region, Service, SKU, SKUPrice, Meter               string
	SubAccountID, SubAccountName                        string
	Line, CostCenter                                    string // x_ columns
}

// focusPlace is a detail of a document's line.
type focusPlace struct{ line, tenant, entitlement, service, region string }

// focusDocument makes the rows of a document: of every line its charges by day and
// meter, as they were known when it was issued, the corrections by service, the rounding; then the taxes. The document is
// what counts: where the charges are not any more what it says, a row of the
// difference makes it so, and what is a difference already (a correction) has a row for
// each detail.
func focusDocument(d invoice.Document, names invoice.Names, charges func(usage.Month) ([]rating.Charge, error)) ([]FocusRow, error) {
	var rows []FocusRow
	for _, l := range d.Lines {
		made, err := focusLine(d, l, names, charges)
		if err != nil {
			return nil, fmt.Errorf("FOCUS of %s, line %s: %w", d.Number, l.ID, err)
		}
		left := l.Amount.Decimal()
		for _, r := range made {
			left = left.Sub(r.BilledCost)
		}
		if !left.IsZero() {
			r := focusPlain(d, l.Month, focusAdjustment, left)
			r.Line, r.Service = l.ID, cmp.Or(strings.TrimSpace(l.Label), l.ID)
			r.Description = "Rounding of " + r.Service
			if l.Kind == invoice.LineUpdate {
				r.Class = focusCorrection
			}
			made = append(made, r)
		}
		rows = append(rows, made...)
	}
	return append(rows, focusTaxes(d, rows)...), nil
}

// focusCreditNote makes the rows of a credit note of those of the document that it
// takes back: the same, the other way round.
func focusCreditNote(note invoice.Document, of []FocusRow) []FocusRow {
	rows := slices.Clone(of)
	for i := range rows {
		r := &rows[i]
		r.InvoiceID, r.Class = note.Number, focusCorrection
		r.BilledCost, r.EffectiveCost, r.ContractedCost, r.ListCost = r.BilledCost.Neg(), r.EffectiveCost.Neg(), r.ContractedCost.Neg(), r.ListCost.Neg()
		r.Quantity.Decimal = r.Quantity.Decimal.Neg()
	}
	return rows
}

// focusPlain is a row of the partner's own over a month: without a price for a unit,
// so that all its costs are the same.
func focusPlain(d invoice.Document, m usage.Month, category string, cost decimal.Decimal) FocusRow {
	r := FocusRow{
		BillingAccountID: d.Account, BillingAccountName: d.Buyer.Name, BillingCurrency: d.Currency, BillingPeriod: d.Period, Category: category, Frequency: "One-Time",
		From: m.First().Time(), To: m.Add(1).First().Time(), InvoiceID: d.Number, Issuer: d.Seller.Name, Provider: d.Seller.Name, Publisher: d.Seller.Name,
		PricingCurrency: d.Currency, Rate: decimal.NewFromInt(1), CostCenter: d.CostCenter,
	}
	r.flat(cost)
	return r
}

// flat gives a row one cost, and no price for a unit.
func (r *FocusRow) flat(cost decimal.Decimal) {
	r.BilledCost, r.EffectiveCost, r.ContractedCost, r.ListCost = cost, cost, cost, cost
	r.Quantity, r.Unit, r.ListUnitPrice, r.ContractedUnitPrice, r.PricingCategory = decimal.NullDecimal{}, "", decimal.NullDecimal{}, decimal.NullDecimal{}, ""
}

func focusLine(d invoice.Document, l invoice.Line, names invoice.Names, charges func(usage.Month) ([]rating.Charge, error)) ([]FocusRow, error) {
	at := map[focusPlace][]rating.Charge{}
	if l.Kind != invoice.LineUpdate && l.Kind != invoice.LineAdjustment {
		list, err := charges(l.Month)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			if c.Line == l.ID {
				p := focusPlace{l.ID, c.Group.Tenant, c.Group.Entitlement, invoice.Service(c), c.Group.Region}
				at[p] = append(at[p], c)
			}
		}
	}
	var rows []FocusRow
	for _, x := range l.Details {
		left := x.Amount.Decimal()
		for _, c := range at[focusPlace{l.ID, x.Tenant, x.Entitlement, x.Service, x.Region}] {
			r, ok := focusCharge(d, c, names)
			left = left.Sub(c.Sell.Decimal())
			if ok {
				r.Line = l.ID
				rows = append(rows, r)
			}
		}
		if left = focusFiner(left); left.IsZero() {
			continue
		}
		r := focusPlain(d, l.Month, focusAdjustment, left)
		r.Line, r.Service, r.Region = l.ID, x.Service, x.Region
		r.Description = cmp.Or(strings.TrimSpace(l.Label), l.ID) + ": " + x.Service
		if x.Tenant != "" { // Microsoft's; what has none is the partner's own
			r.Provider, r.Publisher = focusMicrosoft, focusMicrosoft
		}
		if x.Entitlement != "" {
			r.SubAccountID, r.SubAccountName = x.Entitlement, cmp.Or(names(x.Entitlement), x.Entitlement)
		}
		switch {
		case l.Kind == invoice.LineUpdate && x.Tenant != "":
			r.Class, r.Category, r.Frequency = focusCorrection, focusUsage, "Usage-Based"
		case l.Kind == invoice.LineUpdate:
			r.Class = focusCorrection
		case l.Kind != invoice.LineAdjustment:
			r.Description += ", difference of what was billed to the usage as it is known now"
		}
		rows = append(rows, r)
	}
	return rows, nil
}

const focusMicrosoft = "Microsoft"

// focusCharge makes the row of a charge; false for one of nothing at all.
func focusCharge(d invoice.Document, c rating.Charge, names invoice.Names) (FocusRow, bool) {
	sell := focusFiner(c.Sell.Decimal())
	if c.Kind != rating.KindUsage {
		return focusFee(d, c, sell), !sell.IsZero()
	}
	g := c.Group
	r := focusPlain(d, g.Day.Month(), focusUsage, sell)
	r.From, r.To = g.Day.Time(), g.Day.Add(1).Time()
	r.Provider, r.Publisher, r.Service, r.Region = focusMicrosoft, cmp.Or(strings.TrimSpace(g.Publisher), focusMicrosoft), invoice.Service(c), g.Region
	r.Description = cmp.Or(strings.Join(slices.DeleteFunc([]string{g.Subcategory, g.MeterName}, func(s string) bool { return strings.TrimSpace(s) == "" }), ", "), r.Service)
	if g.Entitlement != "" {
		r.SubAccountID, r.SubAccountName = g.Entitlement, cmp.Or(names(g.Entitlement), g.Entitlement)
	}
	r.SKU = strings.Join(slices.DeleteFunc([]string{g.Product, g.SKU}, func(s string) bool { return s == "" }), "/") // as Microsoft writes it: DZH318Z0BPS6/0001
	r.SKU = cmp.Or(r.SKU, g.Meter, r.Service)
	r.SKUPrice, r.Meter = r.SKU, g.MeterName
	if g.Meter != "" && g.Meter != r.SKU {
		r.SKUPrice += "/" + g.Meter
	}
	r.CommitmentID, r.CommitmentKind = g.Reservation, "Reservation"
	switch {
	case g.Reservation == "":
		r.CommitmentKind = ""
	case strings.EqualFold(strings.ReplaceAll(g.Benefit, " ", ""), "SavingsPlan"):
		r.CommitmentKind = "Savings Plan"
	}
	r.Frequency, r.PricingCategory = "Usage-Based", "Standard"
	if g.Meter == "" && g.MeterName == "" { // only the reconciliation has it: no meter counted it
		r.Category, r.Frequency = focusPurchase, "One-Time"
		if strings.HasPrefix(strings.ToLower(g.ChargeType), "cycle") || strings.EqualFold(g.ChargeType, "renew") {
			r.Frequency = "Recurring"
		}
	} else if r.CommitmentID != "" {
		r.PricingCategory = "Committed"
	}
	list := sell
	if c.Rate.To == d.Currency {
		r.PricingCurrency, r.Rate = c.Rate.From, c.Rate.Rate
		list = g.PricedList.Decimal().Mul(c.Rate.Rate)
	}
	r.price(list, sell, g.Quantity, focusUnit(g.Unit), g.ChargeType)
	if r.Category == focusPurchase && r.CommitmentID != "" {
		r.EffectiveCost = decimal.Decimal{} // it covers usage to come
	}
	return r, !sell.IsZero() || !list.IsZero() || !g.Quantity.IsZero()
}

// price gives a row its quantity and unit prices. What has no price of zero or more for
// a unit (a credit, or records that take each other back) is no usage and no purchase
// of something, but a credit or an adjustment.
func (r *FocusRow) price(list, sell, quantity decimal.Decimal, unit, chargeType string) {
	listPrice, listOK := focusUnitPrice(list, quantity)
	price, ok := focusUnitPrice(sell, quantity)
	if !listOK || !ok || isCredit(chargeType) && r.Category == focusPurchase {
		r.flat(sell)
		r.Category, r.Frequency, r.CommitmentID, r.CommitmentKind = focusAdjustment, "One-Time", "", ""
		if isCredit(chargeType) {
			r.Category = focusCredit
		}
		return
	}
	r.Quantity, r.Unit = decimal.NewNullDecimal(quantity), unit
	r.ListUnitPrice, r.ContractedUnitPrice = decimal.NewNullDecimal(listPrice), decimal.NewNullDecimal(price)
	r.ListCost, r.ContractedCost = focusFiner(listPrice.Mul(quantity)), focusFiner(price.Mul(quantity))
}

func focusUnitPrice(total, quantity decimal.Decimal) (decimal.Decimal, bool) {
	switch {
	case total.IsZero():
		return decimal.Decimal{}, true
	case total.Sign() != quantity.Sign():
		return decimal.Decimal{}, false
	}
	return total.DivRound(quantity, focusPlaces), true
}

// focusFee is the row of a charge of the month that is the partner's own.
func focusFee(d invoice.Document, c rating.Charge, sell decimal.Decimal) FocusRow {
	r := focusPlain(d, c.Group.Day.Month(), focusPurchase, sell)
	r.Frequency, r.Service = "Recurring", invoice.Service(c)
	r.Description = r.Service
	if c.Kind == rating.KindMinimum { // nothing was bought for it
		r.Category = focusAdjustment
		return r
	}
	r.SKU, r.PricingCategory = c.Rule, "Standard"
	r.SKUPrice = fmt.Sprintf("%s/%s/%d", c.Rule, c.Terms.List, c.Terms.Version)
	r.price(sell, sell, decimal.NewFromInt(1), "Months", "")
	return r
}

// focusTaxes are the rows of a document's taxes. What the tax would be on the other
// costs can be said where there is one tax on all rows; else it is the tax itself.
func focusTaxes(d invoice.Document, rows []FocusRow) []FocusRow {
	var effective, contracted, list decimal.Decimal
	for _, r := range rows {
		effective, contracted, list = effective.Add(r.EffectiveCost), contracted.Add(r.ContractedCost), list.Add(r.ListCost)
	}
	var all []FocusRow
	for _, t := range d.Taxes {
		if t.Amount.IsZero() {
			continue
		}
		r := focusPlain(d, d.Period, focusTax, t.Amount.Decimal())
		r.Service = cmp.Or(strings.TrimSpace(t.Label), t.Rule)
		r.Description = r.Service
		if len(d.Taxes) == 1 {
			on := func(x decimal.Decimal) decimal.Decimal {
				return x.Mul(t.Percent.Shift(-2)).Round(d.Currency.Minor())
			}
			r.EffectiveCost, r.ContractedCost, r.ListCost = on(effective), on(contracted), on(list)
		}
		all = append(all, r)
	}
	return all
}

// focusMonth makes the rows of a month that no document bills yet.
func focusMonth(head invoice.Document, charges []rating.Charge, names invoice.Names) []FocusRow {
	var rows []FocusRow
	for _, c := range charges {
		if r, ok := focusCharge(head, c, names); ok {
			r.Line = c.Line
			rows = append(rows, r)
		}
	}
	return rows
}

// focusUnit writes a unit of Microsoft's price sheet as FOCUS wants it: "1 Hour" is
// Hours, "10K" is 10000 Units.
func focusUnit(s string) string {
	s = strings.TrimSpace(s)
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	count, rest := s[:digits], s[digits:]
	switch {
	case count != "" && strings.HasPrefix(rest, "K"):
		count, rest = count+"000", rest[1:]
	case count != "" && strings.HasPrefix(rest, "M") && (len(rest) == 1 || rest[1] == ' ' || rest[1] == '/'):
		count, rest = count+"000000", rest[1:]
	}
	if rest = strings.TrimSpace(rest); rest == "" || strings.HasPrefix(rest, "/") {
		rest = "Units" + rest
	}
	switch rest {
	case "Hour", "Day", "Month", "Year", "Minute", "Second", "Unit", "Request", "Token", "Connection":
		rest += "s"
	case "Each":
		rest = "Units"
	}
	if count == "" || count == "1" {
		return rest
	}
	return count + " " + rest
}
