package billing

import (
	"encoding/csv"
	"fmt"
	"io"
	"time"

	"causeway/internal/usage/lake"

	"github.com/shopspring/decimal"
)

// focusColumns are all columns of FOCUS 1.2 in its order, then our own.
var focusColumns = []struct {
	lake.Column
	of func(r *FocusRow) string
}{
	text("AvailabilityZone", never),
	number("BilledCost", func(r *FocusRow) string { return r.BilledCost.String() }),
	text("BillingAccountId", func(r *FocusRow) string { return r.BillingAccountID }),
	text("BillingAccountName", func(r *FocusRow) string { return r.BillingAccountName }),
	text("BillingAccountType", func(*FocusRow) string { return "Billing Account" }),
	text("BillingCurrency", func(r *FocusRow) string { return string(r.BillingCurrency) }),
	instant("BillingPeriodEnd", func(r *FocusRow) time.Time { return r.BillingPeriod.Add(1).First().Time() }),
	instant("BillingPeriodStart", func(r *FocusRow) time.Time { return r.BillingPeriod.First().Time() }),
	text("CapacityReservationId", never),
	text("CapacityReservationStatus", never),
	text("ChargeCategory", func(r *FocusRow) string { return r.Category }),
	text("ChargeClass", func(r *FocusRow) string { return r.Class }),
	text("ChargeDescription", func(r *FocusRow) string { return r.Description }),
	text("ChargeFrequency", func(r *FocusRow) string { return r.Frequency }),
	instant("ChargePeriodEnd", func(r *FocusRow) time.Time { return r.To }),
	instant("ChargePeriodStart", func(r *FocusRow) time.Time { return r.From }),
	text("CommitmentDiscountCategory", func(r *FocusRow) string {
		return map[string]string{"Reservation": "Usage", "Savings Plan": "Spend"}[r.CommitmentKind]
	}),
	text("CommitmentDiscountId", func(r *FocusRow) string { return r.CommitmentID }),
	text("CommitmentDiscountName", never),
	number("CommitmentDiscountQuantity", func(r *FocusRow) string {
		if r.CommitmentID == "" {
			return ""
		}
		return null(r.Quantity)
	}),
	text("CommitmentDiscountStatus", func(r *FocusRow) string {
		if r.CommitmentID == "" || r.Category != focusUsage {
			return ""
		}
		return "Used"
	}),
	text("CommitmentDiscountType", func(r *FocusRow) string { return r.CommitmentKind }),
	text("CommitmentDiscountUnit", func(r *FocusRow) string {
		if r.CommitmentID == "" {
			return ""
		}
		return r.Unit
	}),
	number("ConsumedQuantity", func(r *FocusRow) string {
		if r.Category != focusUsage {
			return ""
		}
		return null(r.Quantity)
	}),
	text("ConsumedUnit", func(r *FocusRow) string {
		if r.Category != focusUsage {
			return ""
		}
		return r.Unit
	}),
	number("ContractedCost", func(r *FocusRow) string { return r.ContractedCost.String() }),
	number("ContractedUnitPrice", func(r *FocusRow) string { return null(r.ContractedUnitPrice) }),
	number("EffectiveCost", func(r *FocusRow) string { return r.EffectiveCost.String() }),
	text("InvoiceId", func(r *FocusRow) string { return r.InvoiceID }),
	text("InvoiceIssuerName", func(r *FocusRow) string { return r.Issuer }),
	number("ListCost", func(r *FocusRow) string { return r.ListCost.String() }),
	number("ListUnitPrice", func(r *FocusRow) string { return null(r.ListUnitPrice) }),
	text("PricingCategory", func(r *FocusRow) string { return r.PricingCategory }),
	text("PricingCurrency", func(r *FocusRow) string { return string(r.PricingCurrency) }),
	number("PricingCurrencyContractedUnitPrice", func(r *FocusRow) string { return r.priced(r.ContractedUnitPrice) }),
	number("PricingCurrencyEffectiveCost", func(r *FocusRow) string { return r.priced(decimal.NewNullDecimal(r.EffectiveCost)) }),
	number("PricingCurrencyListUnitPrice", func(r *FocusRow) string { return r.priced(r.ListUnitPrice) }),
	number("PricingQuantity", func(r *FocusRow) string { return null(r.Quantity) }),
	text("PricingUnit", func(r *FocusRow) string { return r.Unit }),
	text("ProviderName", func(r *FocusRow) string { return r.Provider }),
	text("PublisherName", func(r *FocusRow) string { return r.Publisher }),
	text("RegionId", func(r *FocusRow) string { return r.Region }),
	text("RegionName", func(r *FocusRow) string { return r.Region }),
	text("ResourceId", never),
	text("ResourceName", never),
	text("ResourceType", never),
	text("ServiceCategory", func(r *FocusRow) string { category, _ := focusService(r.Service); return category }),
	text("ServiceName", func(r *FocusRow) string { return r.Service }),
	text("ServiceSubcategory", func(r *FocusRow) string { _, sub := focusService(r.Service); return sub }),
	text("SkuId", func(r *FocusRow) string { return r.SKU }),
	text("SkuMeter", func(r *FocusRow) string { return r.Meter }),
	text("SkuPriceDetails", never),
	text("SkuPriceId", func(r *FocusRow) string { return r.SKUPrice }),
	text("SubAccountId", func(r *FocusRow) string { return r.SubAccountID }),
	text("SubAccountName", func(r *FocusRow) string { return r.SubAccountName }),
	text("SubAccountType", func(r *FocusRow) string {
		if r.SubAccountID == "" {
			return ""
		}
		return "Azure subscription"
	}),
	text("Tags", never),
	text("x_CostCenter", func(r *FocusRow) string { return r.CostCenter }),
	text("x_InvoiceLine", func(r *FocusRow) string { return r.Line }),
}

type focusColumn = struct {
	lake.Column
	of func(r *FocusRow) string
}

func text(name string, of func(*FocusRow) string) focusColumn {
	return focusColumn{lake.Column{Name: name, Type: lake.Text}, of}
}

func number(name string, of func(*FocusRow) string) focusColumn {
	return focusColumn{lake.Column{Name: name, Type: lake.Decimal}, of}
}

func instant(name string, of func(*FocusRow) time.Time) focusColumn {
	return focusColumn{lake.Column{Name: name, Type: lake.Time}, func(r *FocusRow) string { return of(r).UTC().Format("2006-01-02T15:04:05Z") }}
}

func never(*FocusRow) string { return "" }

func null(d decimal.NullDecimal) string {
	if !d.Valid {
		return ""
	}
	return d.Decimal.String()
}

// priced is an amount in the pricing currency.
func (r *FocusRow) priced(d decimal.NullDecimal) string {
	if !d.Valid {
		return ""
	}
	return d.Decimal.DivRound(r.Rate, focusPlaces).String()
}

// Format is how a table of FOCUS is written.
type Format string

// The formats. CSV has a head line and NULL as nothing; texts are as they were sent,
// because the specification wants that: a spreadsheet may take one for a formula.
const (
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// writeFocus writes rows; the same rows give the same bytes.
func writeFocus(w io.Writer, f Format, rows []FocusRow) error {
	columns, head := make([]lake.Column, len(focusColumns)), make([]string, len(focusColumns))
	for i, c := range focusColumns {
		columns[i], head[i] = c.Column, c.Name
	}
	table := make([][]string, len(rows))
	for i := range rows {
		table[i] = make([]string, len(columns))
		for j, c := range focusColumns {
			table[i][j] = c.of(&rows[i])
		}
	}
	if f == Parquet {
		return lake.WriteTable(w, columns, table)
	}
	out := csv.NewWriter(w)
	if err := out.Write(head); err != nil {
		return fmt.Errorf("FOCUS: %w", err)
	}
	if err := out.WriteAll(table); err != nil {
		return fmt.Errorf("FOCUS: %w", err)
	}
	return nil
}
