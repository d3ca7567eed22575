package sim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Order is what a checkout leaves.
type Order struct {
	ID        string
	Customer  *Customer
	Cycle     string
	Lines     []*OrderLine
	Created   time.Time
	Done      time.Time // pending until then
	Listed    time.Time // appears in lists
	Cancelled bool
	Old       bool // of an age whose orders lack transaction types and most links
}

// OrderLine is one line of an order.
type OrderLine struct {
	purchase
	Plan *Plan // nil for what makes no subscription
}

// status is pending until the vendor is done.
func (o *Order) status(now time.Time) string {
	switch {
	case o.Cancelled:
		return "cancelled"
	case now.Before(o.Done):
		return "pending"
	}
	return "completed"
}

// place makes the order and what it buys; all of it is seen later, step by step.
func (c *call) place(cu *Customer, lines []purchase) *Order {
	o := &Order{ID: c.s.newID()[:8] + strconv.FormatInt(0x1000+c.s.number()%0xe000, 16), Customer: cu, Cycle: lines[0].cycle, Created: c.now,
		Done: c.after(WaitOrder), Listed: c.after(WaitOrderListed)}
	for _, l := range lines {
		line := &OrderLine{purchase: l}
		if l.item.Unit != "" {
			line.Plan = c.newPlan(o, line)
		}
		o.Lines = append(o.Lines, line)
	}
	cu.Orders = append(cu.Orders, o)
	c.effect(cu.ID, "order", o.ID, o.Done)
	c.record("order", "create_order", cu, "", map[string]any{"id": o.ID, "referenceCustomerId": cu.ID, "offerId": lines[0].offer})
	return o
}

// newPlan makes the subscription of an order line, and for an Azure plan its first
// Azure subscription.
func (c *call) newPlan(o *Order, l *OrderLine) *Plan {
	cu := o.Customer
	p := &Plan{ID: c.s.newID(), Order: o, Offer: l.offer, Name: l.friendly, Product: l.item, Status: steady("active"), Created: o.Done,
		Listed: c.s.after(o.Done, WaitPlanListed), Billing: c.s.after(o.Done, WaitBillingCustomer), Etag: c.s.number(), Quantity: l.quantity, Term: l.term,
		Registered: steady("notregistered")}
	p.Name = or(p.Name, map[bool]string{true: "Azure plan", false: l.item.Title}[l.item.azurePlan()])
	cu.Plans = append(cu.Plans, p)
	c.effect(cu.ID, "plan", p.ID, p.Listed)
	if l.item.azurePlan() || l.item.legacy() {
		id := c.s.newID()
		if l.item.legacy() {
			id = p.ID // in 2016 the subscription's id was the Azure subscription's
		}
		c.newAzure(cu, p, id, or(l.friendly, "Microsoft Azure"), "", c.s.after(o.Done, WaitEntitlement), o.Done)
	}
	return p
}

// newAzure makes an Azure subscription below a plan, seen from listed on.
func (c *call) newAzure(cu *Customer, p *Plan, id, name, alias string, listed, now time.Time) *AzureSubscription {
	a := &AzureSubscription{ID: id, Customer: cu, Plan: p, Name: steady(name), Status: steady("active"), Alias: alias, Created: now, Listed: listed,
		DevTest: p.Product != nil && p.Product.ID == "0002"}
	p.Azure = append(p.Azure, a)
	c.w.azure[a.ID] = a
	c.s.born(c.w, a, listed)
	c.effect(cu.ID, "entitlement", a.ID, listed)
	return a
}

type orderLineBody struct {
	Number      int               `json:"lineItemNumber"`
	Offer       string            `json:"offerId"`
	Plan        string            `json:"subscriptionId,omitempty"`
	Term        string            `json:"termDuration,omitempty"`
	Transaction string            `json:"transactionType,omitempty"`
	Friendly    string            `json:"friendlyName,omitempty"`
	Quantity    int               `json:"quantity"`
	Partner     string            `json:"partnerIdOnRecord,omitempty"`
	Context     map[string]string `json:"provisioningContext,omitempty"`
	Links       orderLineLinks    `json:"links"`
}

type orderLineLinks struct {
	Product      *link `json:"product,omitempty"`
	SKU          *link `json:"sku,omitempty"`
	Availability *link `json:"availability,omitempty"`
	Subscription *link `json:"subscription,omitempty"`
}

type orderBody struct {
	ID          string          `json:"id"`
	Alternate   string          `json:"alternateId,omitempty"`
	Customer    string          `json:"referenceCustomerId"`
	Cycle       string          `json:"billingCycle"`
	Currency    string          `json:"currencyCode"`
	Symbol      string          `json:"currencySymbol"`
	Lines       []orderLineBody `json:"lineItems"`
	Created     string          `json:"creationDate"`
	Status      string          `json:"status"`
	Transaction string          `json:"transactionType,omitempty"`
	Links       struct {
		Provisioning *link `json:"provisioningStatus"`
		Self         *link `json:"self"`
	} `json:"links"`
	Attribute *attributes `json:"attributes"`
}

// orderBody shows an order as it is now: a plan's id comes with the completion.
func (c *call) orderBody(o *Order) orderBody {
	code := c.s.cfg.Partner.Currency
	out := orderBody{ID: o.ID, Alternate: o.ID, Customer: o.Customer.ID, Cycle: o.Cycle, Currency: code, Symbol: or(symbols[code], code), Created: stamp(o.Created),
		Status: o.status(c.now), Transaction: "UserPurchase", Attribute: &attributes{Type: "Order"}, Lines: []orderLineBody{}}
	at := "/customers/" + o.Customer.ID + "/orders/" + o.ID
	out.Links.Self, out.Links.Provisioning = get(at), get(at+"/provisioningstatus")
	country := "?country=" + o.Customer.Billing.Address.Country
	for _, l := range o.Lines {
		sku := "/products/" + l.item.product.ID + "/skus/" + l.item.ID
		b := orderLineBody{Number: l.number, Offer: l.offer, Friendly: or(l.friendly, l.item.Title), Quantity: l.quantity, Partner: l.partner, Context: l.context,
			Links: orderLineLinks{SKU: get(sku + country)}}
		if !o.Old {
			b.Term, b.Transaction = l.term, "New"
			b.Links.Product = get("/products/" + l.item.product.ID + country)
			b.Links.Availability = get(sku + "/availabilities/" + l.item.availability(o.Customer.Billing.Address.Country) + country)
		}
		if l.Plan != nil && (!c.now.Before(o.Done) || l.item.legacy()) {
			b.Plan = l.Plan.ID
			b.Links.Subscription = get("/customers/" + o.Customer.ID + "/subscriptions/" + l.Plan.ID)
		}
		out.Lines = append(out.Lines, b)
	}
	if o.Old {
		out.Transaction, out.Alternate = "", ""
	}
	return out
}

// createOrder is the direct way without a cart, the one of 2016.
func createOrder(c *call) reply {
	cu, refusal := c.related()
	if refusal != nil {
		return *refusal
	}
	var in struct {
		Customer string `json:"referenceCustomerId"`
		Cycle    string `json:"billingCycle"`
		Lines    []struct {
			Number   int               `json:"lineItemNumber"`
			Offer    string            `json:"offerId"`
			Friendly string            `json:"friendlyName"`
			Quantity int               `json:"quantity"`
			Term     string            `json:"termDuration"`
			Partner  string            `json:"partnerIdOnRecord"`
			Context  map[string]string `json:"provisioningContext"`
		} `json:"lineItems"`
	}
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if len(in.Lines) == 0 || (in.Customer != "" && !strings.EqualFold(in.Customer, cu.ID)) {
		return pcError(http.StatusBadRequest, 4018, "Unable to process this order", "referenceCustomerId", "lineItems")
	}
	var lines []purchase
	for n, l := range in.Lines {
		if l.Number != n {
			return pcError(http.StatusBadRequest, 800071, "Line Item number should be from 0 to number of line items count", "lineItemNumber")
		}
		item, wrong := findItem(l.Offer, cu.Billing.Address.Country)
		if wrong != 0 || (item.legacy() && !c.s.settings().LegacyOffer2016) {
			return pcError(http.StatusBadRequest, 800004, "Invalid offer ID "+l.Offer, "offerId")
		}
		if l.Quantity < 1 || l.Quantity > item.Most {
			return pcError(http.StatusBadRequest, 800017, "The quantity isn't available for this catalog item", "quantity")
		}
		if item.azurePlan() && l.Friendly != "" {
			return pcError(http.StatusBadRequest, 800002, "Invalid request input: friendlyName is not supported for an Azure plan", "friendlyName")
		}
		lines = append(lines, purchase{n, item, item.catalogID(cu.Billing.Address.Country), l.Friendly, l.Quantity, or(in.Cycle, item.Cycles[0]), l.Term, l.Partner, l.Context})
	}
	if refusal := c.mayBuy(cu, lines); refusal != nil {
		return *refusal
	}
	return created(c.orderBody(c.place(cu, lines)))
}

// listOrders shows orders only when they are listed, up to 15 minutes late.
func listOrders(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	asOf := c.now.Add(-c.lag(c.faults))
	out := listing[orderBody](nil)
	for _, o := range cu.Orders {
		if !asOf.Before(o.Listed) {
			out.Items = append(out.Items, c.orderBody(o))
		}
	}
	out.Total, out.Links = len(out.Items), &pageLinks{Self: get(strings.TrimPrefix(c.r.URL.RequestURI(), "/v1"))}
	return ok(out)
}

func (c *call) order() (*Order, *reply) {
	cu, refusal := c.customer()
	if refusal != nil {
		return nil, refusal
	}
	for _, o := range cu.Orders {
		if strings.EqualFold(o.ID, c.param("order")) {
			return o, nil
		}
	}
	r := pcError(http.StatusNotFound, 20000, "Order ID not found")
	return nil, &r
}

func getOrder(c *call) reply {
	o, refusal := c.order()
	if refusal != nil {
		return *refusal
	}
	return ok(c.orderBody(o))
}

// patchOrder can only cancel, and not what made a subscription.
func patchOrder(c *call) reply {
	o, refusal := c.order()
	if refusal != nil {
		return *refusal
	}
	var in struct{ Status string }
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if foldEnum(in.Status) != "cancelled" {
		return pcError(http.StatusBadRequest, 800042, "Not supported")
	}
	for _, l := range o.Lines {
		if l.Plan != nil {
			return pcError(http.StatusBadRequest, 800063, "This order "+o.ID+" can't be canceled. Use PATCH /customers/"+o.Customer.ID+"/subscriptions/<subscriptionId> to suspend subscriptions")
		}
	}
	o.Cancelled = true
	c.record("order", "update_order", o.Customer, "", map[string]string{"id": o.ID, "status": "cancelled"})
	return ok(c.orderBody(o))
}

func getOrderProvisioning(c *call) reply {
	o, refusal := c.order()
	if refusal != nil {
		return *refusal
	}
	type quantity struct {
		Quantity int    `json:"quantity"`
		Status   string `json:"status"`
	}
	type line struct {
		ID       int        `json:"orderLineItemId"`
		Number   int        `json:"lineItemNumber"`
		Status   string     `json:"status"`
		Quantity []quantity `json:"quantityProvisioningInformation"`
	}
	status := "fulfilled"
	if o.status(c.now) == "pending" {
		status = "prefulfillmentPending"
	}
	out := collection[line]{Items: []line{}}
	for _, l := range o.Lines {
		out.Items = append(out.Items, line{l.number, l.number, status, []quantity{{l.quantity, status}}})
	}
	out.Total, out.Attributes = len(out.Items), collectionAttributes
	return ok(out)
}
