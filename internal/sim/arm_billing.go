package sim

import (
	"net/http"
	"strconv"
	"strings"
)

// billingUser refuses who may not see the partner's billing account: it takes a
// person of the partner tenant. The app alone has no billing role.
func (c *call) billingUser() *reply {
	var r reply
	switch {
	case !c.partnerTenant() || !c.user():
		r = armError(http.StatusForbidden, "UserNotAuthorized", "The user does not have permission on the billing scope.")
	case !c.agent():
		r = armError(http.StatusForbidden, "UserNotAuthorized", "User is not authorized: the role Admin agent is needed on the billing scope.")
	default:
		return nil
	}
	return &r
}

type billingAccountBody struct {
	ID         string             `json:"id"`
	Name       string             `json:"name"`
	Properties billingAccountMore `json:"properties"`
	Type       string             `json:"type"`
}

type billingAccountMore struct {
	Status     string          `json:"accountStatus"`
	Kind       string          `json:"accountType"`
	Agreement  string          `json:"agreementType"`
	Profiles   map[string]bool `json:"billingProfiles,omitempty"`
	Name       string          `json:"displayName"`
	ReadAccess bool            `json:"hasReadAccess"`
}

func (c *call) billingAccount() billingAccountBody {
	p := c.s.cfg.Partner
	return billingAccountBody{
		ID: "/providers/Microsoft.Billing/billingAccounts/" + p.BillingAccount, Name: p.BillingAccount, Type: "Microsoft.Billing/billingAccounts",
		Properties: billingAccountMore{"Active", "Partner", "MicrosoftPartnerAgreement", map[string]bool{"hasMoreResults": false}, p.Name, true},
	}
}

// listBillingAccounts shows the partner's billing account to its people, nothing to others.
func listBillingAccounts(c *call) reply {
	if c.billingUser() != nil {
		return values([]billingAccountBody{})
	}
	return values([]billingAccountBody{c.billingAccount()})
}

// account resolves {account}.
func (c *call) account() *reply {
	if refusal := c.billingUser(); refusal != nil {
		return refusal
	}
	if name := c.param("account"); !strings.EqualFold(name, c.s.cfg.Partner.BillingAccount) {
		r := armError(http.StatusNotFound, "NotFound", "The billing account '"+name+"' was not found.")
		return &r
	}
	return nil
}

func getBillingAccount(c *call) reply {
	if refusal := c.account(); refusal != nil {
		return *refusal
	}
	return ok(c.billingAccount())
}

func listBillingProfiles(c *call) reply {
	if refusal := c.account(); refusal != nil {
		return *refusal
	}
	p := c.s.cfg.Partner
	return values([]map[string]any{{
		"id": c.billingAccount().ID + "/billingProfiles/" + p.BillingProfile, "name": p.BillingProfile, "type": "Microsoft.Billing/billingAccounts/billingProfiles",
		"properties": map[string]any{"displayName": p.Name, "currency": p.Currency, "status": "Active"},
	}})
}

type billingCustomerBody struct {
	ID         string              `json:"id"`
	Name       string              `json:"name"`
	Type       string              `json:"type"`
	Properties billingCustomerMore `json:"properties"`
}

type billingCustomerMore struct {
	Profile     string           `json:"billingProfileDisplayName"`
	ProfileID   string           `json:"billingProfileId"`
	Name        string           `json:"displayName"`
	Plans       []billingPlan    `json:"enabledAzurePlans,omitempty"`
	Resellers   []map[string]any `json:"resellers,omitempty"`
	SystemID    string           `json:"systemId,omitempty"`
	StatusValue string           `json:"status,omitempty"`
}

type billingPlan struct {
	SKU         string `json:"skuId"`
	Description string `json:"skuDescription"`
	Product     string `json:"productId,omitempty"`
}

// billed says whether the customer is below the billing account by now: it has an
// Azure plan, and the plan is known there.
func (c *call) billed(cu *Customer) *Plan {
	p := cu.azurePlan(c.now)
	if p == nil || c.now.Before(p.Billing) || cu.Relation.at(c.now) != "reseller" {
		return nil
	}
	return p
}

func (c *call) billingCustomer(cu *Customer, expand bool) billingCustomerBody {
	p := c.s.cfg.Partner
	account := c.billingAccount().ID
	out := billingCustomerBody{
		ID: account + "/customers/" + cu.ID, Name: cu.ID, Type: "Microsoft.Billing/billingAccounts/customers",
		Properties: billingCustomerMore{Profile: p.Name, ProfileID: account + "/billingProfiles/" + p.BillingProfile, Name: cu.Name},
	}
	if c.query("api-version") >= "2024" {
		out.Properties.SystemID, out.Properties.StatusValue = cu.ID, "Active"
	}
	if expand {
		out.Properties.Plans = []billingPlan{{SKU: "0001", Description: "Microsoft Azure Plan"}}
		if cu.devTest(c) != nil {
			out.Properties.Plans = append(out.Properties.Plans, billingPlan{SKU: "0002", Description: "Microsoft Azure Plan for DevTest"})
		}
		if cu.Reseller != "" {
			out.Properties.Resellers = []map[string]any{{"resellerId": cu.Reseller, "description": "Indirect reseller " + cu.Reseller}}
		}
	}
	return out
}

// listBillingCustomers pages by index: 50 customers, or $top, and a nextLink.
func listBillingCustomers(c *call) reply {
	if refusal := c.account(); refusal != nil {
		return *refusal
	}
	from, size := whole(c.query("$skiptoken"), 0), min(max(1, whole(or(c.query("$top"), c.query("top")), 50)), 500)
	expand := strings.Contains(or(c.query("$expand"), c.query("expand")), "enabledAzurePlans")
	var out []billingCustomerBody
	next := ""
	for i := max(0, from); i < len(c.w.list); i++ {
		cu := c.w.list[i]
		if cu == nil || c.billed(cu) == nil {
			continue
		}
		if len(out) == size {
			q := c.r.URL.Query()
			q.Set("$skiptoken", strconv.Itoa(i))
			next = c.s.URL + c.r.URL.Path + "?" + q.Encode()
			break
		}
		out = append(out, c.billingCustomer(cu, expand))
	}
	if out == nil {
		out = []billingCustomerBody{}
	}
	return ok(list{Value: out, Next: next})
}

func (c *call) billedCustomer() (*Customer, *reply) {
	if refusal := c.account(); refusal != nil {
		return nil, refusal
	}
	cu := c.w.customer(c.param("customer"))
	if cu == nil || c.billed(cu) == nil {
		r := armError(http.StatusNotFound, "NotFound", "The customer '"+c.param("customer")+"' was not found below the billing account.")
		return nil, &r
	}
	return cu, nil
}

// getBillingCustomer reads $expand, which 2024-04-01 writes without the sign.
func getBillingCustomer(c *call) reply {
	cu, refusal := c.billedCustomer()
	if refusal != nil {
		return *refusal
	}
	return ok(c.billingCustomer(cu, or(c.query("$expand"), c.query("expand")) != ""))
}

func listBillingSubscriptions(c *call) reply {
	cu, refusal := c.billedCustomer()
	if refusal != nil {
		return *refusal
	}
	var out []map[string]any
	for _, p := range cu.Plans {
		for _, a := range p.Azure {
			if c.now.Before(a.Listed) {
				continue
			}
			status := "Active"
			if a.Status.at(c.now) != "active" {
				status = "Disabled"
			}
			out = append(out, map[string]any{
				"id": c.billingAccount().ID + "/customers/" + cu.ID + "/billingSubscriptions/" + a.ID, "name": a.ID,
				"type": "Microsoft.Billing/billingAccounts/customers/billingSubscriptions",
				"properties": map[string]any{"displayName": a.Name.at(c.now), "subscriptionId": a.ID, "status": status, "customerId": c.billingAccount().ID + "/customers/" + cu.ID,
					"skuId": "0001", "skuDescription": "Microsoft Azure Plan"},
			})
		}
	}
	return values(out)
}

// devTest is the customer's active plan of the SKU for DevTest, nil if it has none.
func (cu *Customer) devTest(c *call) *Plan {
	for _, p := range cu.Plans {
		if p.Product != nil && p.Product.azurePlan() && p.Product.ID == "0002" && p.Status.at(c.now) == "active" {
			return p
		}
	}
	return nil
}

// whole reads a number of a query, or takes the other one.
func whole(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}
