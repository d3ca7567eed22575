package sim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Cart is a basket; it lives for some days and becomes orders once.
type Cart struct {
	ID       string
	Created  time.Time
	Modified time.Time
	Expires  time.Time
	User     string
	Ordered  bool
	Lines    []*CartLine
}

// CartLine is one thing in a cart.
type CartLine struct {
	ID      int
	Item    *catalogItem // nil when the catalogue id is wrong
	Input   cartLineInput
	Group   string
	Problem *lineProblem
}

// lineProblem is what is wrong with a line; the codes are those of the service's
// cart errors (10000 and up).
type lineProblem struct {
	Code        int    `json:"errorCode"`
	Description string `json:"errorDescription"`
}

func (s *Server) registerCarts() {
	pc := servicePartnerCenter
	g := group(GroupOrders)
	const carts, orders = "/v1/customers/{customer}/carts", "/v1/customers/{customer}/orders"
	s.on(pc, "POST "+carts, needsToken, writes, createCart, g, salesAgents, doubledLocale)
	s.on(pc, "GET "+carts+"/{cart}", needsToken, reads, getCart, g, salesAgents)
	s.on(pc, "PUT "+carts+"/{cart}", needsToken, writes, putCart, g, salesAgents)
	s.on(pc, "POST "+carts+"/{cart}/checkout", needsToken, writes, checkoutCart, g, salesAgents)
	s.on(pc, "POST "+orders, needsToken, writes, createOrder, g, salesAgents)
	s.on(pc, "GET "+orders, needsToken, reads, listOrders, g, salesAgents)
	s.on(pc, "GET "+orders+"/{order}", needsToken, reads, getOrder, g, salesAgents, plainType)
	s.on(pc, "PATCH "+orders+"/{order}", needsToken, writes, patchOrder, g, salesAgents)
	s.on(pc, "GET "+orders+"/{order}/provisioningstatus", needsUser, reads, getOrderProvisioning, g, salesAgents)
}

type cartLineInput struct {
	ID           int                `json:"id"`
	Item         string             `json:"catalogItemId"`
	Friendly     string             `json:"friendlyName"`
	Quantity     int                `json:"quantity"`
	Cycle        string             `json:"billingCycle"`
	Term         string             `json:"termDuration"`
	Participants []pair             `json:"participants"`
	Provisioning map[string]string  `json:"provisioningContext"`
	Renews       *map[string]string `json:"renewsTo"`
	Addons       []json.RawMessage  `json:"addonItems"`
	Promotion    string             `json:"promotionId"`
	Attested     *bool              `json:"attestationAccepted"`
	End          string             `json:"customTermEndDate"`
}

type cartInput struct {
	ID    string          `json:"id"`
	Lines []cartLineInput `json:"lineItems"`
}

type cartLineBody struct {
	ID           int                `json:"id"`
	Item         string             `json:"catalogItemId"`
	Friendly     string             `json:"friendlyName,omitempty"`
	Quantity     int                `json:"quantity"`
	Currency     string             `json:"currencyCode"`
	Cycle        string             `json:"billingCycle"`
	Term         string             `json:"termDuration,omitempty"`
	Participants []pair             `json:"participants,omitempty"`
	Provisioning map[string]string  `json:"provisioningContext,omitempty"`
	Renews       *map[string]string `json:"renewsTo,omitempty"`
	Promotion    string             `json:"promotionId,omitempty"`
	Attested     *bool              `json:"attestationAccepted,omitempty"`
	End          string             `json:"customTermEndDate,omitempty"`
	Group        string             `json:"orderGroup"`
	Problem      *lineProblem       `json:"error,omitempty"`
}

type cartBody struct {
	ID        string         `json:"id"`
	Created   string         `json:"creationTimestamp"`
	Modified  string         `json:"lastModifiedTimestamp"`
	Expires   string         `json:"expirationTimestamp"`
	User      string         `json:"lastModifiedUser"`
	Status    string         `json:"status"`
	Lines     []cartLineBody `json:"lineItems"`
	Links     *selfLinks     `json:"links"`
	Attribute *attributes    `json:"attributes"`
}

func (c *call) cartBody(cu *Customer, k *Cart) cartBody {
	out := cartBody{ID: k.ID, Created: stamp(k.Created), Modified: stamp(k.Modified), Expires: stamp(k.Expires), User: k.User, Status: "Active",
		Links: self("/customers/" + cu.ID + "/carts/" + k.ID), Attribute: &attributes{Type: "Cart"}, Lines: []cartLineBody{}}
	if k.Ordered {
		out.Status = "Ordered"
	}
	for _, l := range k.Lines {
		in := l.Input
		out.Lines = append(out.Lines, cartLineBody{l.ID, in.Item, in.Friendly, in.Quantity, c.s.cfg.Partner.Currency, in.Cycle, in.Term, in.Participants,
			in.Provisioning, in.Renews, in.Promotion, in.Attested, in.End, l.Group, l.Problem})
	}
	return out
}

// createCart answers POST carts. A line with a wrong id or quantity does not fail the
// call: it carries an error, and the checkout fails.
func createCart(c *call) reply {
	cu, refusal := c.related()
	if refusal != nil {
		return *refusal
	}
	lines, refusal := c.readLines(cu)
	if refusal != nil {
		return *refusal
	}
	k := &Cart{ID: c.s.newID(), Created: c.now, Modified: c.now, Expires: c.now.Add(c.s.settings().CartLife.or(7 * 24 * time.Hour)), User: c.who.Object, Lines: lines}
	cu.Carts = append(cu.Carts, k)
	c.effect(cu.ID, "cart", k.ID, c.now)
	return created(c.cartBody(cu, k))
}

func (c *call) readLines(cu *Customer) ([]*CartLine, *reply) {
	var in cartInput
	if err := c.decode(&in); err != nil {
		r := malformed(err)
		return nil, &r
	}
	if len(in.Lines) == 0 {
		r := pcError(http.StatusBadRequest, 800002, "Invalid request input: a cart needs line items", "lineItems")
		return nil, &r
	}
	var lines []*CartLine
	groups := map[string]string{}
	legacy := 0
	for n, l := range in.Lines {
		if l.ID != n {
			r := pcError(http.StatusBadRequest, 800071, "Line Item number should be from 0 to number of line items count", "id")
			return nil, &r
		}
		line := &CartLine{ID: l.ID, Input: l}
		line.Item, line.Problem = c.checkLine(cu, l)
		if line.Item != nil && line.Item.azurePlan() && l.Friendly != "" {
			r := pcError(http.StatusBadRequest, 800002, "Invalid request input: friendlyName is not supported for an Azure plan", "friendlyName")
			return nil, &r
		}
		if line.Item != nil && line.Item.legacy() {
			line.Group = "OMS-" + strconv.Itoa(legacy)
			legacy++
		} else { // one order per billing cycle
			g, seen := groups[foldEnum(l.Cycle)]
			if !seen {
				g = strconv.Itoa(len(groups))
				groups[foldEnum(l.Cycle)] = g
			}
			line.Group = g
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (c *call) checkLine(cu *Customer, l cartLineInput) (*catalogItem, *lineProblem) {
	item, wrong := findItem(l.Item, cu.Billing.Address.Country)
	if item != nil && item.legacy() && !c.s.settings().LegacyOffer2016 {
		item, wrong = nil, 400013
	}
	if wrong != 0 {
		return nil, &lineProblem{10001, "The catalog item id " + l.Item + " is not valid (" + strconv.Itoa(wrong) + ")."}
	}
	if l.Quantity < 1 || l.Quantity > item.Most {
		return item, &lineProblem{10002, "The quantity is not available for this catalog item."}
	}
	cycle := false
	for _, supported := range item.Cycles {
		cycle = cycle || foldEnum(supported) == foldEnum(l.Cycle)
	}
	if !cycle {
		return item, &lineProblem{10010, "The billing cycle " + l.Cycle + " is not supported for this catalog item."}
	}
	for _, p := range l.Participants {
		if !c.s.cfg.Partner.Indirect || c.w.reseller(p.Value) == nil {
			return item, &lineProblem{10004, "Participants are not supported for this partner."}
		}
	}
	return item, nil
}

// cart resolves {cart}; an expired one is not found any more.
func (c *call) cart() (*Customer, *Cart, *reply) {
	cu, refusal := c.related()
	if refusal != nil {
		return nil, nil, refusal
	}
	for _, k := range cu.Carts {
		if strings.EqualFold(k.ID, c.param("cart")) && (k.Ordered || c.now.Before(k.Expires)) {
			return cu, k, nil
		}
	}
	r := pcError(http.StatusNotFound, 800008, "Unable to retrieve cart ID "+c.param("cart"))
	return nil, nil, &r
}

func getCart(c *call) reply {
	cu, k, refusal := c.cart()
	if refusal != nil {
		return *refusal
	}
	return ok(c.cartBody(cu, k))
}

func putCart(c *call) reply {
	cu, k, refusal := c.cart()
	if refusal != nil {
		return *refusal
	}
	if k.Ordered {
		return pcError(http.StatusBadRequest, 800065, "can't check out an already submitted cart "+k.ID+".")
	}
	lines, refusal := c.readLines(cu)
	if refusal != nil {
		return *refusal
	}
	k.Lines, k.Modified, k.User = lines, c.now, c.who.Object
	return ok(c.cartBody(cu, k))
}

// purchase is one line to be bought.
type purchase struct {
	number   int
	item     *catalogItem
	offer    string
	friendly string
	quantity int
	cycle    string
	term     string
	partner  string // on record
	context  map[string]string
}

type orderProblem struct {
	Group       string `json:"orderGroupId"`
	Code        int    `json:"code"`
	Description string `json:"description"`
}

// checkoutCart turns the cart into orders, once.
func checkoutCart(c *call) reply {
	cu, k, refusal := c.cart()
	if refusal != nil {
		return *refusal
	}
	if k.Ordered {
		return pcError(http.StatusBadRequest, 800065, "can't check out an already submitted cart "+k.ID+".")
	}
	groups := map[string][]purchase{}
	var names []string
	for _, l := range k.Lines {
		if l.Problem == nil { // what was right may have changed since
			l.Item, l.Problem = c.checkLine(cu, l.Input)
		}
		if l.Problem != nil {
			return pcError(http.StatusBadRequest, 800009, "Error in Cart item(s): "+l.Problem.Description, strconv.Itoa(l.ID))
		}
		if _, seen := groups[l.Group]; !seen {
			names = append(names, l.Group)
		}
		partner := ""
		for _, p := range l.Input.Participants {
			if strings.EqualFold(p.Key, "transaction_reseller") {
				partner = p.Value
			}
		}
		groups[l.Group] = append(groups[l.Group], purchase{len(groups[l.Group]), l.Item, l.Item.catalogID(cu.Billing.Address.Country), l.Input.Friendly,
			l.Input.Quantity, l.Input.Cycle, l.Input.Term, partner, l.Input.Provisioning})
	}
	for _, g := range names {
		if refusal := c.mayBuy(cu, groups[g]); refusal != nil {
			return *refusal
		}
	}
	out := struct {
		Orders    []orderBody    `json:"orders"`
		Problems  []orderProblem `json:"orderErrors"`
		Attribute *attributes    `json:"attributes"`
	}{[]orderBody{}, []orderProblem{}, &attributes{Type: "CartCheckoutResult"}}
	for _, g := range names {
		out.Orders = append(out.Orders, c.orderBody(c.place(cu, groups[g])))
	}
	k.Ordered, k.Modified = true, c.now
	return created(out)
}

// mayBuy checks what stands before every purchase: the customer agreement, the
// vetting of the account, one Azure plan per customer, the sandbox's limits.
func (c *call) mayBuy(cu *Customer, lines []purchase) *reply {
	refuse := func(r reply) *reply { return &r }
	plans, legacy := 0, false
	for _, l := range lines {
		if l.item.azurePlan() {
			plans++
		}
		legacy = legacy || l.item.legacy()
	}
	if !cu.agreed(c.now, legacy) {
		return refuse(pcError(http.StatusForbidden, 13605, "Either a partner confirmation of the customer acceptance of the Microsoft Customer Agreement must be provided or the customer must accept the Microsoft Customer Agreement in the Microsoft Admin Center before you can complete this purchase"))
	}
	switch foldEnum(cu.Validation) {
	case "underreview", "notready":
		return refuse(pcError(http.StatusForbidden, 800073, "Your customer account is currently under review. Check back in few days. Your patience is appreciated during this time."))
	case "notallowed":
		return refuse(pcError(http.StatusForbidden, 800075, "Your Customer account wasn't approved. Transactions for this customer aren't allowed. Verify the customer account information is correct."))
	}
	has2016 := false
	for _, p := range cu.Plans {
		has2016 = has2016 || (p.Product != nil && p.Product.legacy() && p.Status.at(c.now) != "deleted")
	}
	switch {
	case cu.upgrade != nil && c.now.Before(cu.upgrade.Done):
		return refuse(pcError(http.StatusConflict, 900113, "The purchase is blocked: an upgrade of the customer is running.", cu.upgrade.ID))
	case plans > 1, plans == 1 && cu.azurePlan(c.now) != nil:
		return refuse(pcError(http.StatusForbidden, 800066, "The desired number of subscriptions exceeded the maximum number of subscriptions allowed per customer"))
	case plans == 1 && has2016:
		return refuse(pcError(http.StatusForbidden, 800020, "The catalog item isn't eligible for purchase: the customer has MS-AZR-0145P, which must be upgraded first."))
	case legacy && cu.azurePlan(c.now) != nil:
		return refuse(pcError(http.StatusForbidden, 800020, "The catalog item isn't eligible for purchase: the customer has an Azure plan."))
	case plans == 1 && c.s.settings().SandboxLimits && c.w.plans() >= 10:
		return refuse(pcError(http.StatusBadRequest, 900116, "The sandbox limit has been met"))
	}
	return nil
}

// plans counts all Azure plans.
func (w *world) plans() int {
	n := 0
	for _, cu := range w.customers {
		for _, p := range cu.Plans {
			if p.Product != nil && p.Product.azurePlan() {
				n++
			}
		}
	}
	return n
}
