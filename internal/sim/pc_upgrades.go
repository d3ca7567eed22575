package sim

import (
	"net/http"
	"strings"
	"time"
)

// Upgrade moves the Azure subscriptions of the 2016 offer below an Azure plan.
type Upgrade struct {
	ID       string
	Customer *Customer
	From     []*Plan
	To       *Plan
	Done     time.Time
}

func (s *Server) registerUpgrades() {
	const path = "/v1/productupgrades"
	pc := servicePartnerCenter
	s.on(pc, "POST "+path+"/eligibility", needsUser, reads, getUpgradeEligibility, neverReplayed)
	s.on(pc, "POST "+path, needsUser, writes, createUpgrade)
	s.on(pc, "GET "+path+"/{upgrade}/status", needsUser, reads, getUpgradeStatus)
	s.on(pc, "POST "+path+"/{upgrade}/status", needsUser, reads, getUpgradeStatus, neverReplayed)
}

// upgradable reads the request and finds what can be upgraded; reason says why
// nothing can.
func (c *call) upgradable() (cu *Customer, from []*Plan, reason int, refusal *reply) {
	var in struct{ CustomerID, ProductFamily string }
	if err := c.decode(&in); err != nil {
		r := malformed(err)
		return nil, nil, 0, &r
	}
	cu = c.w.customer(in.CustomerID)
	if cu == nil || cu.Relation.at(c.now) != "reseller" || !strings.EqualFold(in.ProductFamily, "azure") {
		r := pcError(http.StatusBadRequest, 900118, "The customer id or the product family is not valid.", "customerId", "productFamily")
		return nil, nil, 0, &r
	}
	for _, p := range cu.Plans {
		if p.Product == nil || !p.Product.legacy() {
			continue
		}
		switch p.Status.at(c.now) {
		case "active":
			from = append(from, p)
		case "suspended":
			return cu, nil, 900105, nil
		}
	}
	if len(from) == 0 {
		return cu, nil, 900108, nil
	}
	return cu, from, 0, nil
}

var upgradeReasons = map[int]string{
	900105: "You have one or more Azure subscriptions in the suspended state. Suspended Azure subscriptions can't be transitioned to the Azure plan",
	900108: "The customer has no Azure subscription that can be upgraded.",
	900109: "An upgrade of the customer is in progress.",
}

func getUpgradeEligibility(c *call) reply {
	cu, _, reason, refusal := c.upgradable()
	if refusal != nil {
		return *refusal
	}
	out := struct {
		Customer string `json:"customerId"`
		Eligible bool   `json:"isEligible"`
		Family   string `json:"productFamily"`
		Upgrade  string `json:"upgradeId,omitempty"`
		Reason   string `json:"reason,omitempty"`
	}{cu.ID, reason == 0, "azure", "", upgradeReasons[reason]}
	if u := cu.upgrade; u != nil && c.now.Before(u.Done) {
		out.Eligible, out.Upgrade, out.Reason = false, u.ID, upgradeReasons[900109]
	}
	return ok(out)
}

// createUpgrade orders the plan and moves the subscriptions; both show when the
// vendor is done. The old subscriptions are deleted then.
func createUpgrade(c *call) reply {
	cu, from, reason, refusal := c.upgradable()
	if refusal != nil {
		return *refusal
	}
	if u := cu.upgrade; u != nil && c.now.Before(u.Done) {
		return pcError(http.StatusConflict, 900109, upgradeReasons[900109], u.ID)
	}
	if reason != 0 {
		return pcError(http.StatusForbidden, reason, upgradeReasons[reason])
	}
	if !cu.agreed(c.now, false) {
		return pcError(http.StatusForbidden, 13605, "The customer must accept the Microsoft Customer Agreement before you can complete this purchase")
	}
	done := c.after(WaitOrder)
	item := planSKUs[0]
	o := &Order{ID: c.s.newID()[:12], Customer: cu, Cycle: "one_time", Created: c.now, Done: done, Listed: c.after(WaitOrderListed)}
	to := &Plan{ID: c.s.newID(), Order: o, Offer: item.catalogID(cu.Billing.Address.Country), Name: "Azure plan", Product: item, Status: steady("active"), Created: done,
		Listed: done, Billing: c.s.after(done, WaitBillingCustomer), Etag: c.s.number(), Quantity: 1, Registered: steady("notregistered")}
	o.Lines = []*OrderLine{{purchase: purchase{item: item, offer: to.Offer, quantity: 1, cycle: o.Cycle}, Plan: to}}
	cu.Orders, cu.Plans = append(cu.Orders, o), append(cu.Plans, to)
	for _, p := range from {
		p.Status.set("deleted", c.now, done)
		for _, a := range p.Azure {
			a.Plan = to
			to.Azure = append(to.Azure, a)
		}
		p.Azure = nil
	}
	cu.upgrade = &Upgrade{ID: c.s.newID(), Customer: cu, From: from, To: to, Done: done}
	c.w.upgrades[cu.upgrade.ID] = cu.upgrade
	c.effect(cu.ID, "upgrade", cu.upgrade.ID, done)
	c.record("subscription", "upgrade_subscription", cu, "", map[string]string{"id": cu.upgrade.ID})
	return empty(http.StatusAccepted).with("Location", "productUpgrades/"+cu.upgrade.ID)
}

func getUpgradeStatus(c *call) reply {
	u := c.w.upgrades[strings.ToLower(c.param("upgrade"))]
	if u == nil {
		return pcError(http.StatusNotFound, 900106, "No upgrade request was found")
	}
	type named struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	type line struct {
		Source named  `json:"sourceProduct"`
		Target named  `json:"targetProduct"`
		Date   string `json:"upgradedDate,omitempty"`
		Status string `json:"status"`
	}
	status, date := "InProgress", ""
	if !c.now.Before(u.Done) {
		status, date = "Completed", stamp(u.Done)
	}
	lines := []line{}
	for _, p := range u.From {
		lines = append(lines, line{named{p.ID, "AzureSubscription"}, named{u.To.ID, u.To.Product.Title}, date, status})
	}
	return ok(struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Family string `json:"productFamily"`
		Lines  []line `json:"lineItems"`
	}{u.ID, status, "Azure", lines})
}
