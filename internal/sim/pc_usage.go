package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// registerUsage adds the quick estimates of the running month and the costs of the
// last closed one (partner-center page "Azure spending"); for billing they are no good.
func (s *Server) registerUsage() {
	pc := servicePartnerCenter
	one := "/v1/customers/{customer}"
	plan := one + "/subscriptions/{subscription}"
	s.on(pc, "GET /v1/usagesummary", needsUser, unlocked, partnerUsage, gzipped)
	s.on(pc, "GET /v1/customers/usagerecords", needsUser, unlocked, customerUsageRecords, gzipped)
	s.on(pc, "GET "+one+"/usagesummary", needsUser, unlocked, customerUsage, gzipped)
	s.on(pc, "GET "+one+"/subscriptions/usagerecords", needsUser, unlocked, planUsageRecords, gzipped)
	s.on(pc, "GET "+plan+"/usagesummary", needsUser, unlocked, planUsage, gzipped)
	s.on(pc, "GET "+plan+"/meterusagerecords", needsUser, unlocked, meterUsageRecords, gzipped)
	s.on(pc, "GET "+plan+"/resourceusagerecords", needsUser, unlocked, resourceUsageRecords, gzipped)
	s.on(pc, "GET "+one+"/servicecosts/mostrecent", needsUser, unlocked, serviceCosts, gzipped)
	s.on(pc, "GET "+one+"/servicecosts/mostrecent/lineitems", needsUser, unlocked, serviceCostLines, gzipped)
}

// spending is what something has cost so far this month.
type spending struct {
	total, usd, quantity sum
	rows                 int64
}

func (s *spending) add(r *row) {
	p := r.pricing()
	s.rows++
	s.total.add(p.times(r.b.rate))
	s.usd.add(p.times(r.b.month.rate(r.b.pricing(), "USD")))
	s.quantity.add(r.quantity)
}

func number2(s sum) json.Number { return json.Number(s.decimal().Round(10).String()) }

// spent goes through the running month's rows of a customer ("" = all).
func (c *call) spent(customer string, use func(r *row)) {
	src, v, _ := c.s.bill.unbilled("current", c.now)
	if src == nil {
		return
	}
	for _, p := range src.plans {
		if customer == "" || strings.EqualFold(p.customer, customer) {
			src.month.batches(p, false, func(x *batch) bool { x.each(v, use); return true })
		}
	}
}

// budgets are what customers may spend, by their id; nil = not set.
func (c *call) budgets() map[string]*decimal.Decimal {
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	out := map[string]*decimal.Decimal{}
	for id, cu := range c.s.w.customers {
		if cu.Budget != nil {
			d := decimal.NewFromFloat(*cu.Budget)
			out[id] = &d
		}
	}
	return out
}

// usageOwner resolves {customer} under the world's lock.
func (c *call) usageOwner() (*Customer, *reply) {
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	c.w = c.s.w
	return c.related()
}

func noUsage() reply {
	return pcError(http.StatusNotFound, 3000, "No usage data was found for the current billing period.")
}

// usageSummary is the body that the three summaries share.
func (c *call) usageSummary(kind, id, name, currency string, s spending, budget *decimal.Decimal) object {
	start := monthOf(c.now)
	out := object{"resourceId": id, "resourceName": name, "billingStartDate": dayText(start), "billingEndDate": dayText(start.AddDate(0, 1, 0)),
		"totalCost": number2(s.total), "usdTotalCost": number2(s.usd), "currencyCode": currency, "lastModifiedDate": stamp(c.now), "attributes": attributes{Type: kind}}
	amount := object{"amount": nil, "attributes": attributes{Type: "SpendingBudget"}}
	if budget != nil {
		amount["amount"] = json.Number(budget.String())
	}
	out["budget"] = amount
	return out
}

// byCustomer is the month's spending of each customer.
func (c *call) byCustomer() (order []*billPlan, by map[string]*spending) {
	by = map[string]*spending{}
	c.spent("", func(r *row) {
		s := by[r.b.plan.customer]
		if s == nil {
			s = &spending{}
			by[r.b.plan.customer] = s
			order = append(order, r.b.plan)
		}
		s.add(r)
	})
	return order, by
}

func partnerUsage(c *call) reply {
	order, by := c.byCustomer()
	if len(order) == 0 {
		return noUsage()
	}
	budgets := c.budgets()
	all := spending{}
	over, trending := 0, 0
	c.spent("", all.add)
	days := decimal.NewFromInt(int64(monthOf(c.now).AddDate(0, 1, -1).Day()))
	for _, p := range order {
		budget := budgets[p.customer]
		if budget == nil {
			continue
		}
		total := by[p.customer].total.decimal()
		switch {
		case total.GreaterThan(*budget):
			over++
		case total.Mul(days).GreaterThan(budget.Mul(decimal.NewFromInt(int64(c.now.Day())))):
			trending++
		}
	}
	out := c.usageSummary("PartnerUsageSummary", c.s.cfg.Partner.TenantID, c.s.cfg.Partner.Name, c.s.cfg.Partner.Currency, all, nil)
	delete(out, "budget")
	out["emailsToNotify"], out["customersOverBudget"], out["customersTrendingOver"], out["customersWithUsageBasedSubscriptions"] = []string{c.s.cfg.Partner.Email}, over, trending, len(order)
	return ok(out)
}

func customerUsageRecords(c *call) reply {
	order, by := c.byCustomer()
	budgets := c.budgets()
	out := []object{}
	for _, p := range order {
		s := by[p.customer]
		x := object{"resourceId": p.customer, "id": p.customer, "resourceName": p.name, "name": p.name, "totalCost": number2(s.total), "usdTotalCost": number2(s.usd), "currencyCode": p.currency,
			"isUpgraded": true, "percentUsed": 0, "lastModifiedDate": stamp(c.now), "attributes": attributes{Type: "CustomerMonthlyUsageRecord"}}
		budget := object{"amount": nil, "attributes": attributes{Type: "SpendingBudget"}}
		if b := budgets[p.customer]; b != nil {
			budget["amount"] = json.Number(b.String())
			if b.IsPositive() {
				x["percentUsed"] = json.Number(s.total.decimal().Mul(decimal.NewFromInt(100)).DivRound(*b, cents).String())
			}
		}
		x["budget"] = budget
		out = append(out, x)
	}
	return ok(listing(out))
}

func customerUsage(c *call) reply {
	cu, refusal := c.usageOwner()
	if refusal != nil {
		return *refusal
	}
	s, currency := spending{}, ""
	c.spent(cu.ID, func(r *row) { s.add(r); currency = r.b.plan.currency })
	if s.rows == 0 {
		return noUsage()
	}
	return ok(c.usageSummary("CustomerUsageSummary", cu.ID, cu.Name, currency, s, c.budgets()[cu.ID]))
}

func planUsageRecords(c *call) reply {
	cu, refusal := c.usageOwner()
	if refusal != nil {
		return *refusal
	}
	by := map[*billPlan]*spending{}
	var order []*billPlan
	c.spent(cu.ID, func(r *row) {
		if by[r.b.plan] == nil {
			by[r.b.plan] = &spending{}
			order = append(order, r.b.plan)
		}
		by[r.b.plan].add(r)
	})
	out := []object{}
	for _, p := range order {
		s := by[p]
		out = append(out, object{"status": "active", "partnerOnRecord": c.s.cfg.Partner.MPN, "offerId": ProductAzurePlan, "id": p.id, "resourceId": p.id, "name": "Azure plan", "resourceName": "Azure plan",
			"totalCost": number2(s.total), "usdTotalCost": number2(s.usd), "currencyCode": p.currency, "lastModifiedDate": stamp(c.now), "attributes": attributes{Type: "SubscriptionMonthlyUsageRecord"}})
	}
	return ok(listing(out))
}

// planRows goes through the running month's rows of {subscription}, which is a plan.
func (c *call) planRows(use func(r *row)) *reply {
	cu, refusal := c.usageOwner()
	if refusal != nil {
		return refusal
	}
	n := 0
	c.spent(cu.ID, func(r *row) {
		if strings.EqualFold(r.b.plan.id, c.param("subscription")) {
			n++
			use(r)
		}
	})
	if n == 0 {
		r := noUsage()
		return &r
	}
	return nil
}

func planUsage(c *call) reply {
	s, currency := spending{}, ""
	if refusal := c.planRows(func(r *row) { s.add(r); currency = r.b.plan.currency }); refusal != nil {
		return *refusal
	}
	return ok(c.usageSummary("SubscriptionUsageSummary", c.param("subscription"), "Azure plan", currency, s, nil))
}

func meterUsageRecords(c *call) reply {
	by := map[*meter]*spending{}
	var order []*meter
	currency := ""
	if refusal := c.planRows(func(r *row) {
		currency = r.b.plan.currency
		if by[r.b.meter] == nil {
			by[r.b.meter] = &spending{}
			order = append(order, r.b.meter)
		}
		by[r.b.meter].add(r)
	}); refusal != nil {
		return *refusal
	}
	slices.SortFunc(order, func(a, b *meter) int { return a.n - b.n })
	out := []object{}
	for _, m := range order {
		s := by[m]
		out = append(out, object{"subscriptionId": c.param("subscription"), "meterId": m.id, "meterName": m.name, "category": m.family.category, "subcategory": m.sub, "quantityUsed": number2(s.quantity),
			"unit": m.family.unit, "totalCost": number2(s.total), "usdTotalCost": number2(s.usd), "currencyCode": currency, "lastModifiedDate": stamp(c.now), "attributes": attributes{Type: "MeterUsageRecord"}})
	}
	return ok(listing(out))
}

func resourceUsageRecords(c *call) reply {
	type place struct {
		group, uri string
		r          row
		spending
	}
	by := map[string]*place{}
	var order []*place
	if refusal := c.planRows(func(r *row) {
		group, uri, _, _ := r.s.resource(r.b)
		p := by[uri]
		if p == nil {
			p = &place{group: group, uri: uri, r: *r}
			by[uri] = p
			order = append(order, p)
		}
		p.add(r)
	}); refusal != nil {
		return *refusal
	}
	out := []object{}
	for _, p := range order {
		id, name := "", ""
		if p.r.s.ent != nil {
			id, name = p.r.s.ent.id, p.r.s.ent.name
		}
		resource := p.uri[strings.LastIndexByte(p.uri, '/')+1:]
		f := p.r.b.meter.family
		out = append(out, object{"subscriptionId": p.r.b.plan.id, "resourceUri": p.uri, "resourceType": f.namespace + "/" + f.resource, "entitlementId": id, "entitlementName": name, "resourceGroupName": p.group,
			"name": resource, "resourceName": resource, "totalCost": number2(p.total), "usdTotalCost": number2(p.usd), "currencyCode": p.r.b.plan.currency, "lastModifiedDate": stamp(c.now),
			"attributes": attributes{Type: "ResourceUsageRecord"}})
	}
	return ok(listing(out))
}

// costs goes through the lines of the last closed month that charge the customer.
func (c *call) costs(use func(i *billInvoice, x *billLine)) *reply {
	cu, refusal := c.usageOwner()
	if refusal != nil {
		return refusal
	}
	issued := c.s.bill.issued()
	n := 0
	for _, i := range issued {
		if i.month.name != issued[0].month.name {
			break
		}
		src := *i.src
		mine := func(list []*billPlan) (out []*billPlan) {
			for _, p := range list {
				if p.customer == cu.ID {
					out = append(out, p)
				}
			}
			return out
		}
		src.plans, src.left = mine(src.plans), mine(src.left)
		l := &lines{src: &src}
		l.each(view{billed: true}, i.currency, func(x *billLine) { n++; use(i, x) })
	}
	if n == 0 {
		r := pcError(http.StatusNotFound, 3000, "No service costs were found for the last billing period.")
		return &r
	}
	return nil
}

func serviceCosts(c *call) reply {
	net, tax := decimal.Zero, decimal.Zero
	var inv *billInvoice
	if refusal := c.costs(func(i *billInvoice, x *billLine) { inv, net, tax = i, net.Add(x.subtotal), tax.Add(x.tax) }); refusal != nil {
		return *refusal
	}
	customer := strings.ToLower(c.param("customer"))
	return ok(object{"billingStartDate": dayText(inv.month.start), "billingEndDate": dayText(inv.month.end()), "pretaxTotal": json.Number(net.String()), "tax": json.Number(tax.String()),
		"afterTaxTotal": json.Number(net.Add(tax).String()), "currencyCode": inv.currency, "currencySymbol": or(currencySymbols[inv.currency], inv.currency), "customerId": customer,
		"links": object{"serviceCostLineItems": get("/customers/" + customer + "/servicecosts/mostrecent/lineitems"), "self": get("/customers/" + customer + "/servicecosts/mostrecent")}, "attributes": attributes{Type: "ServiceCostsSummary"}})
}

func serviceCostLines(c *call) reply {
	out := []object{}
	if refusal := c.costs(func(i *billInvoice, x *billLine) {
		out = append(out, object{"startDate": dayText(x.start), "endDate": dayText(x.end), "subscriptionFriendlyName": "Azure plan", "subscriptionId": x.plan.id, "orderId": x.plan.order, "chargeType": x.charge,
			"quantity": json.Number(x.quantity.String()), "unitPrice": json.Number(x.price.String()), "pretaxTotal": json.Number(x.subtotal.String()), "tax": json.Number(x.tax.String()),
			"afterTaxTotal": json.Number(x.subtotal.Add(x.tax).String()), "currencyCode": i.currency, "currencySymbol": or(currencySymbols[i.currency], i.currency), "customerId": x.plan.customer, "customerName": x.plan.name,
			"invoiceNumber": i.number, "productId": x.product, "skuId": x.sku, "availabilityId": x.available, "productName": x.productName, "skuName": x.skuName, "publisherName": x.publisher, "publisherId": x.publisherID,
			"termAndBillingCycle": x.term, "discountDetails": "", "attributes": attributes{Type: "ServiceCostLineItem"}})
	}); refusal != nil {
		return *refusal
	}
	return ok(listing(out))
}
