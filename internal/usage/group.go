// Package usage is what Microsoft says that was used: the lake that keeps every
// record, and the groups that rating prices. It never changes, drops or adds a
// record, and it does not know prices (rating) or who pays (provider).
package usage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"

	"github.com/shopspring/decimal"
)

// Credit is which of Microsoft's credits is inside the cost (CreditType).
type Credit string

// The three values of CreditType.
const (
	CreditNone   Credit = ""       // "Credit Not Applied"
	CreditAzure  Credit = "azure"  // "Azure Credit Applied": given to the customer
	CreditEarned Credit = "earned" // "Partner Earned Credit Applied": given to the partner for managing
)

// Key is one rating key: every record of a group has the same. Names in capitals are
// Microsoft's columns in the daily rated usage export; "recon" marks the column of
// the reconciliation where that one has another name. Text is kept as sent.
type Key struct {
	Tenant      string `json:"tenant"`                // CustomerId
	Entitlement string `json:"entitlement,omitempty"` // EntitlementId, the Azure subscription; "" for the plan itself, reservations, marketplace
	Day         Day    `json:"day"`                   // UsageDate; recon: ChargeStartDate

	Meter       string `json:"meter,omitempty"`       // MeterId
	MeterName   string `json:"meter_name,omitempty"`  // MeterName; recon: MeterDescription
	Category    string `json:"category,omitempty"`    // MeterCategory; recon: ProductName
	Subcategory string `json:"subcategory,omitempty"` // MeterSubCategory; recon: SkuName
	Service     string `json:"service,omitempty"`     // ConsumedService, e.g. Microsoft.Compute
	Region      string `json:"region,omitempty"`      // MeterRegion, ResourceLocation where that is empty
	Publisher   string `json:"publisher,omitempty"`   // PublisherName
	ThirdParty  bool   `json:"third_party,omitempty"` // the publisher is not Microsoft: marketplace
	ChargeType  string `json:"charge_type,omitempty"` // ChargeType; its case varies
	Product     string `json:"product,omitempty"`     // ProductId
	SKU         string `json:"sku,omitempty"`         // SkuId
	Unit        string `json:"unit,omitempty"`        // Unit
	Reservation string `json:"reservation,omitempty"` // BenefitOrderId; recon: ReservationOrderId
	Benefit     string `json:"benefit,omitempty"`     // BenefitType: "SavingsPlan", "Reservation", or ""
	Credit      Credit `json:"credit,omitempty"`      // CreditType
	Invoice     string `json:"invoice,omitempty"`     // InvoiceNumber; "" while unbilled

	// Tags holds only the names that some price rule names: with all of them every
	// resource would be a group of its own. Names are in lower case (Azure does not
	// tell them apart by case), values as sent.
	Tags map[string]string `json:"tags,omitempty"`

	Currency        money.Currency `json:"currency"`         // BillingCurrency: what Microsoft bills the partner in
	PricingCurrency money.Currency `json:"pricing_currency"` // PricingCurrency: what Azure is priced in, USD
	// Rate is PCToBCExchangeRate, pricing to billing currency: one a month.
	Rate decimal.Decimal `json:"rate"`
}

// Group is the exact sums over all records with one key; two equal records are
// two charges, so nothing is removed before adding. "Billing" amounts are in
// Currency, "priced" ones in PricingCurrency.
type Group struct {
	Key

	Rows     int64           `json:"rows"`     // how many records
	Quantity decimal.Decimal `json:"quantity"` // Σ Quantity

	// List is Σ UnitPrice × Quantity × PCToBCExchangeRate.
	List money.Amount `json:"list"`
	// Cost is Σ BillingPreTaxTotal, as sent; recon: Subtotal. Never recomputed.
	Cost money.Amount `json:"cost"`
	// Gross is the cost before earned credit. A record has at most one credit, so it is
	// UnitPrice × Quantity × PCToBCExchangeRate where CreditType is the earned one, and
	// BillingPreTaxTotal everywhere else: exact, without a division by 0.85.
	Gross money.Amount `json:"gross"`

	PricedList  money.Amount `json:"priced_list"`  // Σ UnitPrice × Quantity
	PricedCost  money.Amount `json:"priced_cost"`  // Σ PricingPreTaxTotal
	PricedGross money.Amount `json:"priced_gross"` // as Gross, in the pricing currency
}

// Earned is the earned credit inside the cost: gross − cost.
func (g Group) Earned() (money.Amount, error) { return g.Gross.Sub(g.Cost) }

// Check refuses a group that cannot be priced: without a day, or with amounts
// in another currency than its own.
func (g Group) Check() error {
	if err := g.Day.Check(); err != nil {
		return err
	}
	for i, a := range [...]money.Amount{g.List, g.Cost, g.Gross} { // arrays: this runs for every group of a month
		if a.Currency() != g.Currency {
			return fault.New(fault.Invalid, "usage of %s: %s is in %q, its billing currency is %q", g.Day, [...]string{"list", "cost", "gross"}[i], a.Currency(), g.Currency)
		}
	}
	for i, a := range [...]money.Amount{g.PricedList, g.PricedCost, g.PricedGross} {
		if a.Currency() != g.PricingCurrency {
			return fault.New(fault.Invalid, "usage of %s: the priced %s is in %q, its pricing currency is %q", g.Day, [...]string{"list", "cost", "gross"}[i], a.Currency(), g.PricingCurrency)
		}
	}
	return nil
}

// Text names the key without doubt: two keys have the same text only if all
// their members are the same.
func (k Key) Text() string {
	tags := make([]string, 0, 2*len(k.Tags))
	for _, name := range slices.Sorted(maps.Keys(k.Tags)) {
		tags = append(tags, name, k.Tags[name])
	}
	b, err := json.Marshal([]any{
		k.Day, k.Tenant, k.Entitlement, k.Meter, k.MeterName, k.Category, k.Subcategory, k.Service, k.Region, k.Publisher, k.ThirdParty,
		k.ChargeType, k.Product, k.SKU, k.Unit, k.Reservation, k.Benefit, k.Credit, k.Invoice, tags, k.Currency, k.PricingCurrency, k.Rate.String(),
	})
	if err != nil { // texts, numbers and a flag always marshal
		panic(fmt.Sprintf("usage key: %v", err))
	}
	return string(b)
}

// Sorted gives the groups in the order in which a month is counted: by service
// day, then by key, then by sums, so that the order in which they came and the
// number of workers that made them change nothing.
func Sorted(groups []Group) []Group {
	if inOrder(groups) {
		return groups
	}
	order := make([]int, len(groups))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { // numbers, because a group is large to move
		if c := compare(&groups[a], &groups[b]); c != 0 {
			return c
		}
		return a - b
	})
	out := make([]Group, len(groups))
	for i, at := range order {
		out[i] = groups[at]
	}
	return out
}

func inOrder(groups []Group) bool {
	for i := 1; i < len(groups); i++ {
		if compare(&groups[i-1], &groups[i]) > 0 {
			return false
		}
	}
	return true
}

// compare has the members in the order of Text, the ones that differ most often
// without a loop: a month has hundreds of thousands of groups.
func compare(g, h *Group) int {
	for _, m := range [...][2]string{{string(g.Day), string(h.Day)}, {g.Tenant, h.Tenant}, {g.Entitlement, h.Entitlement}, {g.Meter, h.Meter}} {
		if c := strings.Compare(m[0], m[1]); c != 0 {
			return c
		}
	}
	for _, m := range [...][2]string{
		{g.MeterName, h.MeterName}, {g.Category, h.Category}, {g.Subcategory, h.Subcategory}, {g.Service, h.Service}, {g.Region, h.Region}, {g.Publisher, h.Publisher},
		{g.ChargeType, h.ChargeType}, {g.Product, h.Product}, {g.SKU, h.SKU}, {g.Unit, h.Unit}, {g.Reservation, h.Reservation}, {g.Benefit, h.Benefit},
		{string(g.Credit), string(h.Credit)}, {g.Invoice, h.Invoice},
	} {
		if c := strings.Compare(m[0], m[1]); c != 0 {
			return c
		}
	}
	if len(g.Tags)+len(h.Tags) > 0 || g.ThirdParty != h.ThirdParty {
		if c := strings.Compare(g.Text(), h.Text()); c != 0 {
			return c
		}
	}
	return cmp.Or(strings.Compare(string(g.Currency), string(h.Currency)), strings.Compare(string(g.PricingCurrency), string(h.PricingCurrency)), g.Rate.Cmp(h.Rate),
		g.Quantity.Cmp(h.Quantity), g.Cost.Decimal().Cmp(h.Cost.Decimal()), g.List.Decimal().Cmp(h.List.Decimal()))
}
