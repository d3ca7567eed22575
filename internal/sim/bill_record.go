package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usageFields are the members of a daily rated usage record in the order of
// Microsoft's export; b marks those of the basic set.
var usageFields = []struct {
	name  string
	basic bool
}{
	{"PartnerId", true}, {"PartnerName", true}, {"CustomerId", true}, {"CustomerName", true}, {"CustomerDomainName", false}, {"CustomerCountry", false},
	{"MpnId", false}, {"Tier2MpnId", false}, {"InvoiceNumber", true}, {"ProductId", true}, {"SkuId", true}, {"AvailabilityId", false}, {"SkuName", true},
	{"ProductName", false}, {"PublisherName", true}, {"PublisherId", false}, {"SubscriptionDescription", false}, {"SubscriptionId", true},
	{"ChargeStartDate", true}, {"ChargeEndDate", true}, {"UsageDate", true}, {"MeterType", false}, {"MeterCategory", false}, {"MeterId", false},
	{"MeterSubCategory", false}, {"MeterName", false}, {"MeterRegion", false}, {"Unit", true}, {"ResourceLocation", false}, {"ConsumedService", false},
	{"ResourceGroup", false}, {"ResourceURI", true}, {"ChargeType", true}, {"UnitPrice", true}, {"Quantity", true}, {"UnitType", false},
	{"BillingPreTaxTotal", true}, {"BillingCurrency", true}, {"PricingPreTaxTotal", true}, {"PricingCurrency", true}, {"ServiceInfo1", false},
	{"ServiceInfo2", false}, {"Tags", false}, {"AdditionalInfo", false}, {"EffectiveUnitPrice", true}, {"PCToBCExchangeRate", true},
	{"PCToBCExchangeRateDate", false}, {"EntitlementId", true}, {"EntitlementDescription", false}, {"PartnerEarnedCreditPercentage", false},
	{"CreditPercentage", true}, {"CreditType", true}, {"BenefitOrderId", true}, {"BenefitId", false}, {"BenefitType", true},
}

var basicFields = func() map[string]bool {
	out := map[string]bool{}
	for _, f := range usageFields {
		out[f.name] = f.basic
	}
	return out
}()

// records writes daily usage as JSON lines. What a resource's rows have in common is
// made once; a row then costs little more than copying it.
type records struct {
	partner *Partner
	full    bool
	number  string // of the invoice; "" = unbilled
}

// rowText is what all rows of a resource have in common, cut where they differ.
type rowText struct {
	head  []byte // … UsageDate
	meter []byte // … ChargeType
	tags  []byte // … EffectiveUnitPrice
	owner []byte // PCToBCExchangeRate … EntitlementDescription
	end   []byte
	unit  []byte
}

// fieldText collects members, leaving out those that the set does not have.
type fieldText struct {
	full bool
	b    []byte
}

func (f *fieldText) add(name, value string) {
	if !f.full && !basicFields[name] {
		return
	}
	f.b = append(f.b, '"')
	f.b = append(f.b, name...)
	f.b = append(f.b, `":`...)
	f.b = append(f.b, value...)
	f.b = append(f.b, ',')
}

func (f *fieldText) text(name, value string) {
	if !f.full && !basicFields[name] {
		return
	}
	f.add(name, quoted(value))
}

func (f *fieldText) cut() []byte {
	out := slices.Clip(f.b)
	f.b = nil
	return out
}

// quoted writes a text as JSON, without escaping what HTML would mind.
func quoted(s string) string {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			b, err := json.Marshal(s)
			if err != nil { // text always marshals
				return `""`
			}
			return string(b)
		}
	}
	return `"` + s + `"`
}

func dayText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// resource is where and what a resource is.
func (s *series) resource(b *block) (group, uri, tags, info string) {
	f := b.meter.family
	h := mix(s.key, 21)
	if s.ent != nil {
		kind := []string{"prod", "test", "dev", "shared"}[h%4]
		group = fmt.Sprintf("RG-%s-%02d", strings.ToUpper(kind), h>>8%37)
		name := fmt.Sprintf("%s%s%06x", f.resource[:2], kind, h>>20&0xffffff)
		uri = "/subscriptions/" + s.ent.id + "/resourceGroups/" + group + "/providers/" + f.namespace + "/" + f.resource + "/" + name + strconv.Itoa(b.n)
		if h>>4%10 < 7 {
			tags = fmt.Sprintf(`{"env":"%s","cost-center":"CC-%04d","application":"app-%03d","owner":"team-%02d"}`, kind, h>>12%500, h>>16%200, h>>24%40)
		}
	}
	switch f.kind {
	case byHour:
		info = fmt.Sprintf(`{"ImageType":null,"ServiceType":"%s","VMName":null,"VMProperties":null,"UsageType":"ComputeHR","vCPUs":%d,"ConsumptionMeter":"%s"}`, b.meter.name, 2<<(h>>30%4), b.meter.id)
	case byCapacity:
		info = fmt.Sprintf(`{"redundancy":"LRS","tier":"Hot","ingestedBy":"%016x"}`, mix(h, 1))
	}
	return group, uri, tags, info
}

func (w *records) prepare(b *block, s *series) *rowText {
	p, m, t := b.plan, b.meter, &rowText{}
	f := fieldText{full: w.full}
	f.b = append(f.b, '{')
	f.text("PartnerId", w.partner.TenantID)
	f.text("PartnerName", w.partner.Name)
	f.text("CustomerId", p.customer)
	f.text("CustomerName", p.name)
	f.text("CustomerDomainName", p.domain)
	f.text("CustomerCountry", p.country)
	f.text("MpnId", w.partner.MPN)
	reseller := p.reseller
	if w.number == "" {
		reseller = "" // blank in unbilled data
	}
	f.text("Tier2MpnId", reseller)
	f.text("InvoiceNumber", w.number)
	f.text("ProductId", m.product)
	f.text("SkuId", m.sku)
	f.text("AvailabilityId", m.availability)
	f.text("SkuName", m.skuName)
	f.text("ProductName", m.family.product)
	f.text("PublisherName", m.publisher)
	f.text("PublisherId", m.publisherID)
	f.text("SubscriptionDescription", "Azure plan")
	f.text("SubscriptionId", p.id)
	f.text("ChargeStartDate", dayText(b.month.start))
	f.text("ChargeEndDate", dayText(b.month.end()))
	t.head = f.cut()

	group, uri, tags, info := s.resource(b)
	f.text("MeterType", m.family.unit+" - "+m.name)
	f.text("MeterCategory", m.family.category)
	f.text("MeterId", m.id)
	f.text("MeterSubCategory", m.sub)
	f.text("MeterName", m.name)
	f.text("MeterRegion", m.region)
	f.text("Unit", m.family.unit)
	f.text("ResourceLocation", m.location)
	f.text("ConsumedService", m.family.namespace)
	f.text("ResourceGroup", group)
	f.text("ResourceURI", uri)
	t.meter = f.cut()

	f.text("UnitType", m.family.unitType)
	t.unit = f.cut()

	f.text("PricingCurrency", b.pricing())
	f.text("ServiceInfo1", "")
	f.text("ServiceInfo2", "")
	f.text("Tags", tags)
	f.text("AdditionalInfo", info)
	t.tags = f.cut()

	f.add("PCToBCExchangeRate", b.rate.String())
	f.text("PCToBCExchangeRateDate", dayText(b.month.start))
	id, name := "", ""
	if s.ent != nil {
		id, name = s.ent.id, s.ent.name
	}
	f.text("EntitlementId", id)
	f.text("EntitlementDescription", name)
	t.owner = f.cut()

	order, benefit, kind := "", "", ""
	switch b.benefit {
	case 1:
		order = mixID(b.key, 41)
	case 2:
		order, benefit, kind = mixID(b.key, 41), mixID(b.key, 42), "SavingsPlan"
	}
	f.text("BenefitOrderId", order)
	f.text("BenefitId", benefit)
	f.text("BenefitType", kind)
	t.end = f.cut()
	t.end[len(t.end)-1] = '}'
	t.end = append(t.end, '\n')
	return t
}

// append writes one record and its line end.
func (w *records) append(out []byte, r *row) []byte {
	t := r.s.text
	if t == nil {
		t = w.prepare(r.b, r.s)
		r.s.text = t
	}
	out = append(out, t.head...)
	out = append(out, `"UsageDate":"`...)
	out = append(out, r.b.month.name...)
	out = append(out, '-', byte('0'+(r.day+1)/10), byte('0'+(r.day+1)%10)) // #nosec G115 -- a day of a month
	out = append(out, `T00:00:00Z",`...)
	out = append(out, t.meter...)
	charge := "new"
	if r.refund {
		charge = "customerCredit"
	}
	out = append(out, `"ChargeType":"`...)
	out = append(out, charge...)
	pricing := r.pricing()
	out = append(out, `","UnitPrice":`...)
	out = r.price.append(out)
	out = append(out, `,"Quantity":`...)
	out = r.quantity.append(out)
	out = append(out, ',')
	out = append(out, t.unit...)
	out = append(out, `"BillingPreTaxTotal":`...)
	out = pricing.times(r.b.rate).append(out)
	out = append(out, `,"BillingCurrency":"`...)
	out = append(out, r.b.plan.currency...)
	out = append(out, `","PricingPreTaxTotal":`...)
	out = pricing.append(out)
	out = append(out, ',')
	out = append(out, t.tags...)
	out = append(out, `"EffectiveUnitPrice":`...)
	out = r.effective().append(out)
	out = append(out, ',')
	out = append(out, t.owner...)
	earned := 0
	kind := "Credit Not Applied"
	switch {
	case r.earned:
		earned, kind = 15, "Partner Earned Credit Applied"
	case r.credit == 100:
		kind = "Azure Credit Applied"
	}
	if w.full {
		out = append(out, `"PartnerEarnedCreditPercentage":`...)
		out = strconv.AppendInt(out, int64(earned), 10)
		out = append(out, ',')
	}
	out = append(out, `"CreditPercentage":`...)
	out = strconv.AppendInt(out, int64(r.credit), 10)
	out = append(out, `,"CreditType":"`...)
	out = append(out, kind...)
	out = append(out, `",`...)
	return append(out, t.end...)
}

// reconciliationLine is a line as the export writes it.
type reconciliationLine struct {
	PartnerID               string      `json:"PartnerId"`
	CustomerID              string      `json:"CustomerId"`
	CustomerName            string      `json:"CustomerName"`
	CustomerDomainName      string      `json:"CustomerDomainName,omitempty"`
	CustomerCountry         string      `json:"CustomerCountry,omitempty"`
	InvoiceNumber           string      `json:"InvoiceNumber"`
	MpnID                   string      `json:"MpnId,omitempty"`
	Tier2MpnID              *string     `json:"Tier2MpnId,omitempty"`
	OrderID                 string      `json:"OrderId"`
	OrderDate               string      `json:"OrderDate"`
	ProductID               string      `json:"ProductId"`
	SkuID                   string      `json:"SkuId"`
	AvailabilityID          string      `json:"AvailabilityId"`
	SkuName                 string      `json:"SkuName"`
	ProductName             string      `json:"ProductName,omitempty"`
	ProductQualifiers       []string    `json:"ProductQualifiers"`
	ChargeType              string      `json:"ChargeType"`
	UnitPrice               json.Number `json:"UnitPrice"`
	EffectiveUnitPrice      json.Number `json:"EffectiveUnitPrice"`
	UnitType                string      `json:"UnitType"`
	Quantity                json.Number `json:"Quantity"`
	BillableQuantity        json.Number `json:"BillableQuantity"`
	Subtotal                json.Number `json:"Subtotal"`
	TaxTotal                json.Number `json:"TaxTotal"`
	TotalForCustomer        json.Number `json:"TotalForCustomer"`
	Currency                string      `json:"Currency"`
	PublisherName           string      `json:"PublisherName"`
	PublisherID             string      `json:"PublisherId"`
	SubscriptionDescription string      `json:"SubscriptionDescription"`
	SubscriptionID          string      `json:"SubscriptionId"`
	SubscriptionStartDate   string      `json:"SubscriptionStartDate"`
	SubscriptionEndDate     string      `json:"SubscriptionEndDate"`
	ChargeStartDate         string      `json:"ChargeStartDate"`
	ChargeEndDate           string      `json:"ChargeEndDate"`
	TermAndBillingCycle     string      `json:"TermAndBillingCycle"`
	BillingFrequency        string      `json:"BillingFrequency"`
	AlternateID             string      `json:"AlternateId"`
	ReferenceID             string      `json:"ReferenceId"`
	PriceAdjustment         string      `json:"PriceAdjustmentDescription"`
	DiscountDetails         string      `json:"DiscountDetails"`
	CreditReasonCode        string      `json:"CreditReasonCode"`
	PricingCurrency         string      `json:"PricingCurrency"`
	Rate                    json.Number `json:"PCToBCExchangeRate"`
	RateDate                string      `json:"PCToBCExchangeRateDate"`
	MeterDescription        string      `json:"MeterDescription"`
	ReservationOrderID      string      `json:"ReservationOrderId"`
	PromotionID             string      `json:"PromotionId"`
}

// reconciliation makes the export's line. The basic set leaves out what describes the
// customer and the product beside their ids.
func (w *records) reconciliation(x *billLine) reconciliationLine {
	p := x.plan
	out := reconciliationLine{PartnerID: w.partner.TenantID, CustomerID: p.customer, CustomerName: p.name, InvoiceNumber: w.number,
		OrderID: p.order, OrderDate: dayText(x.start), ProductID: x.product, SkuID: x.sku, AvailabilityID: x.available, SkuName: x.skuName, ProductQualifiers: []string{},
		ChargeType: x.charge, UnitPrice: json.Number(x.price.String()), EffectiveUnitPrice: json.Number(x.effective.String()), UnitType: x.unitType,
		Quantity: json.Number(x.quantity.String()), BillableQuantity: json.Number(x.quantity.String()), Subtotal: json.Number(x.subtotal.String()),
		TaxTotal: json.Number(x.tax.String()), TotalForCustomer: json.Number(x.subtotal.Add(x.tax).String()), Currency: p.currency, PublisherName: x.publisher, PublisherID: x.publisherID,
		SubscriptionDescription: "Azure plan", SubscriptionID: p.id, SubscriptionStartDate: dayText(x.start), SubscriptionEndDate: dayText(x.end), ChargeStartDate: dayText(x.start), ChargeEndDate: dayText(x.end),
		TermAndBillingCycle: x.term, BillingFrequency: x.frequency, AlternateID: mixID(x.key, 1)[:12], ReferenceID: mixID(x.key, 2), PriceAdjustment: x.adjustment, CreditReasonCode: x.reason,
		PricingCurrency: x.pricing, Rate: json.Number(x.rate.String()), RateDate: dayText(x.rateMonth), MeterDescription: x.description, ReservationOrderID: x.reservation}
	if w.full {
		reseller := p.reseller
		out.CustomerDomainName, out.CustomerCountry, out.MpnID, out.Tier2MpnID, out.ProductName = p.domain, p.country, w.partner.MPN, &reseller, x.productName
	}
	return out
}
