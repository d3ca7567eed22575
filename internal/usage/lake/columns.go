package lake

import (
	"strings"

	"causeway/internal/usage"
)

// sort is how a column's values are read and kept.
type sort int

const (
	text   sort = iota // as sent
	number             // exact, with up to 18 decimals
)

// column is one of Microsoft's. A needed one decides an amount or who pays it: a line
// without it is damaged, whatever else it has. Of a rare one it is no news that it is
// missing.
type column struct {
	name   string
	sort   sort
	needed bool
	rare   bool
}

// table is what a feed's lines hold, and which of its columns make a rating key.
type table struct {
	columns []column
	byName  map[string]int // in lower case: the older API writes the first letters small
	key     [keyParts]int  // columns by keyPart; -1 = the feed has none
	day     int

	partner, invoice, currency  int
	price, quantity, cost, paid int // paid: what Microsoft priced, before currency; -1 = none
	effective, tax              int // of the reconciliation
}

// The parts of a rating key as a part file keeps them, once for each kind of row.
const (
	partTenant = iota
	partEntitlement
	partPlan
	partMeter
	partMeterName
	partCategory
	partSubcategory
	partService
	partRegion
	partLocation
	partPublisher
	partChargeType
	partProduct
	partSKU
	partUnit
	partReservation
	partBenefit
	partCredit
	partInvoice
	partCurrency
	partPricing
	partRate
	keyParts
)

var keyNames = [keyParts]string{"tenant", "entitlement", "plan", "meter", "meter_name", "category", "subcategory", "service", "region", "location", "publisher",
	"charge_type", "product", "sku", "unit", "reservation", "benefit", "credit", "invoice", "currency", "pricing", "rate"}

// tables are the two feeds, columns in the order of graph-billing.md §4.1 and §3.1. In
// the text below a star needs the column, a number sign makes it a number, a question mark rare.
var tables = map[usage.Feed]*table{
	usage.Rated: newTable(`PartnerId PartnerName CustomerId* CustomerName CustomerDomainName CustomerCountry MpnId Tier2MpnId InvoiceNumber* ProductId* SkuId* AvailabilityId
		SkuName ProductName PublisherName* PublisherId SubscriptionDescription SubscriptionId* ChargeStartDate ChargeEndDate UsageDate* MeterType MeterCategory MeterId
		MeterSubCategory MeterName MeterRegion Unit* ResourceLocation ConsumedService ResourceGroup ResourceURI ChargeType* UnitPrice*# Quantity*# UnitType BillingPreTaxTotal*#
		BillingCurrency* PricingPreTaxTotal*# PricingCurrency* ServiceInfo1 ServiceInfo2 Tags AdditionalInfo EffectiveUnitPrice# PCToBCExchangeRate*# PCToBCExchangeRateDate
		EntitlementId* EntitlementDescription PartnerEarnedCreditPercentage# CreditPercentage# CreditType* BenefitOrderId* BenefitId BenefitType*`,
		"CustomerId EntitlementId SubscriptionId MeterId MeterName MeterCategory MeterSubCategory ConsumedService MeterRegion ResourceLocation PublisherName ChargeType ProductId SkuId Unit BenefitOrderId BenefitType CreditType InvoiceNumber BillingCurrency PricingCurrency PCToBCExchangeRate",
		"UsageDate", "BillingCurrency", "Quantity", "BillingPreTaxTotal", "PricingPreTaxTotal", ""),
	usage.Invoiced: newTable(`PartnerId CustomerId* CustomerName CustomerDomainName CustomerCountry InvoiceNumber* MpnId Tier2MpnId OrderId OrderDate ProductId* SkuId* AvailabilityId
		SkuName ProductName ProductQualifiers ChargeType* UnitPrice*# EffectiveUnitPrice*# UnitType Quantity*# BillableQuantity*# Subtotal*# TaxTotal*# TotalForCustomer*# Currency*
		PublisherName* PublisherId SubscriptionDescription SubscriptionId* SubscriptionStartDate SubscriptionEndDate ChargeStartDate* ChargeEndDate TermAndBillingCycle
		BillingFrequency AlternateId ReferenceId PriceAdjustmentDescription* DiscountDetails CreditReasonCode PricingCurrency* PCToBCExchangeRate*# PCToBCExchangeRateDate
		MeterDescription* ReservationOrderId* PromotionId InvoiceLineItemType? BillingProvider?`,
		"CustomerId - SubscriptionId - MeterDescription ProductName SkuName - - - PublisherName ChargeType ProductId SkuId UnitType ReservationOrderId - PriceAdjustmentDescription InvoiceNumber Currency PricingCurrency PCToBCExchangeRate",
		"ChargeStartDate", "Currency", "BillableQuantity", "Subtotal", "", "TaxTotal"),
}

func newTable(columns, key, day, currency, quantity, cost, paid, tax string) *table {
	t := &table{byName: map[string]int{}}
	for i, name := range strings.Fields(columns) {
		c := column{name: strings.TrimRight(name, "*#?"), needed: strings.Contains(name, "*"), rare: strings.HasSuffix(name, "?")}
		if strings.HasSuffix(name, "#") {
			c.sort = number
		}
		t.columns = append(t.columns, c)
		t.byName[strings.ToLower(c.name)] = i
	}
	for i, name := range strings.Fields(key) {
		t.key[i] = t.at(name)
	}
	t.day, t.currency, t.quantity, t.cost, t.paid, t.tax = t.at(day), t.at(currency), t.at(quantity), t.at(cost), t.at(paid), t.at(tax)
	t.partner, t.invoice, t.price, t.effective = t.at("PartnerId"), t.at("InvoiceNumber"), t.at("UnitPrice"), t.at("EffectiveUnitPrice")
	return t
}

// at is the place of a column; -1 if the feed has none of that name.
func (t *table) at(name string) int {
	if i, ok := t.byName[strings.ToLower(name)]; ok {
		return i
	}
	return -1
}
