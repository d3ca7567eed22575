package sim

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

type subscriptionBody struct {
	ID            string             `json:"id"`
	Subscription  string             `json:"subscriptionId"`
	Name          string             `json:"displayName"`
	Tenant        string             `json:"tenantId"`
	State         string             `json:"state"`
	Policies      subscriptionPolicy `json:"subscriptionPolicies"`
	Authorization string             `json:"authorizationSource"`
	ManagedBy     []struct{}         `json:"managedByTenants"`
}

type subscriptionPolicy struct {
	Location string `json:"locationPlacementId"`
	Quota    string `json:"quotaId"`
	Limit    string `json:"spendingLimit"`
}

// state is Resource Manager's word for Partner Center's status.
func (sub *AzureSubscription) state(now time.Time) string {
	if sub.Status.at(now) == "active" {
		return "Enabled"
	}
	return "Disabled"
}

func (sub *AzureSubscription) body(now time.Time) subscriptionBody {
	quota := "CSP_2015-05-01"
	if sub.DevTest {
		quota = "CSPDEVTEST_2018-05-01"
	}
	return subscriptionBody{ID: sub.path(), Subscription: sub.ID, Name: sub.Name.at(now), Tenant: sub.Customer.ID, State: sub.state(now),
		Policies: subscriptionPolicy{"Public_2014-09-01", quota, "Off"}, Authorization: "RoleBased", ManagedBy: []struct{}{}}
}

// listSubscriptions shows the subscriptions of the token's tenant in which the
// caller has any role by now.
func listSubscriptions(c *call) reply {
	out := []subscriptionBody{}
	if cu := c.w.customer(c.who.Tenant); cu != nil {
		for _, p := range cu.Plans {
			for _, sub := range p.Azure {
				if !c.now.Before(sub.arm.readable) && c.may(sub, "Microsoft.Resources/subscriptions/read", sub.path()) {
					out = append(out, sub.body(c.now))
				}
			}
		}
	}
	return ok(map[string]any{"value": out, "count": map[string]any{"type": "Total", "value": len(out)}})
}

func getSubscription(c *call) reply {
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Resources/subscriptions/read")
	if refusal != nil {
		return *refusal
	}
	return ok(sub.body(c.now))
}

// azureRegions are the locations that a subscription offers here.
var azureRegions = []string{"eastus", "eastus2", "centralus", "westus", "westus2", "westus3", "canadacentral", "brazilsouth", "northeurope", "westeurope",
	"uksouth", "ukwest", "francecentral", "germanywestcentral", "switzerlandnorth", "norwayeast", "swedencentral", "italynorth", "polandcentral",
	"spaincentral", "uaenorth", "qatarcentral", "southafricanorth", "centralindia", "southindia", "eastasia", "southeastasia", "japaneast", "japanwest",
	"koreacentral", "australiaeast", "australiasoutheast"}

func listLocations(c *call) reply {
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Resources/subscriptions/locations/read")
	if refusal != nil {
		return *refusal
	}
	var out []map[string]any
	for _, r := range azureRegions {
		out = append(out, map[string]any{"id": sub.path() + "/locations/" + r, "name": r, "displayName": r, "regionalDisplayName": r, "type": "Region"})
	}
	return values(out)
}

// listTenants shows the token's own tenant, and to a person of the partner the
// customer tenants that it reaches.
func listTenants(c *call) reply {
	type tenant struct {
		ID       string   `json:"id"`
		Tenant   string   `json:"tenantId"`
		Country  string   `json:"countryCode,omitempty"`
		Name     string   `json:"displayName"`
		Domain   string   `json:"defaultDomain"`
		Domains  []string `json:"domains"`
		Category string   `json:"tenantCategory"`
		Type     string   `json:"tenantType"`
	}
	of := func(cu *Customer, category string) tenant {
		return tenant{"/tenants/" + cu.ID, cu.ID, cu.Billing.Address.Country, cu.Name, cu.Domain, []string{cu.Domain}, category, "AAD"}
	}
	var out []tenant
	home := c.partnerTenant() || strings.EqualFold(c.who.Home, c.s.cfg.Partner.TenantID)
	if home {
		p := c.s.cfg.Partner
		out = append(out, tenant{"/tenants/" + p.TenantID, p.TenantID, p.Country, p.Name, p.Domain, []string{p.Domain}, "Home", "AAD"})
	}
	switch {
	case home && c.user():
		for _, cu := range c.w.list {
			if cu != nil && c.reaches(cu, c.who.UPN) {
				out = append(out, of(cu, "ManagedBy"))
			}
		}
	case !home:
		if cu := c.w.customer(c.who.Tenant); cu != nil {
			out = append(out, of(cu, "Home"))
		}
	}
	return values(out)
}

// lifecycle resolves {subscription} for rename, cancel and enable. These take a
// token of the customer tenant with the right, or one of the partner tenant whose
// holder is an Admin agent.
func (c *call) lifecycle(action string) (*AzureSubscription, *reply) {
	if !c.partnerTenant() {
		sub, refusal := c.found(c.param("subscription"))
		if refusal == nil && !c.may(sub, action, sub.path()) {
			r := c.unauthorized(action, sub.path())
			refusal = &r
		}
		return sub, refusal
	}
	id := c.param("subscription")
	sub := c.w.azure[strings.ToLower(id)]
	var r reply
	switch {
	case sub == nil || c.now.Before(sub.Listed):
		r = armError(http.StatusNotFound, "SubscriptionNotFound", "The subscription '"+id+"' could not be found.")
	case !c.agent() || sub.Customer.Relation.at(c.now) != "reseller":
		r = c.unauthorized(action, sub.path())
	default:
		return sub, nil
	}
	return nil, &r
}

// changed is the answer of all three: the specification has subscriptionId, an
// example prints value; both are sent.
func (sub *AzureSubscription) changed() reply {
	return ok(map[string]string{"subscriptionId": sub.ID, "value": sub.ID})
}

func validSubscriptionName(name string) bool {
	return strings.TrimSpace(name) != "" && utf8.RuneCountInString(name) <= 64 && !strings.ContainsAny(name, "<>;|")
}

func renameSubscription(c *call) reply {
	var in struct {
		Name string `json:"subscriptionName"`
	}
	if err := c.decode(&in); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	sub, refusal := c.lifecycle("Microsoft.Subscription/rename/action")
	switch {
	case refusal != nil:
		return *refusal
	case !validSubscriptionName(in.Name):
		return armError(http.StatusBadRequest, "SubscriptionNameInvalid", "The subscription name must have 1 to 64 characters and none of < > ; |.")
	}
	from := c.after(WaitRename)
	sub.Name.set(in.Name, c.now, from)
	c.effect(sub.Customer.ID, "rename", sub.ID, from)
	return sub.changed()
}

// cancelSubscription disables the subscription; it can be enabled for 90 days.
func cancelSubscription(c *call) reply {
	sub, refusal := c.lifecycle("Microsoft.Subscription/cancel/action")
	if refusal != nil {
		return *refusal
	}
	if sub.Status.new == "active" {
		from := c.after(WaitSubscriptionEnd)
		sub.Status.set("inactive", c.now, from)
		sub.arm.cancelled = c.now
		c.effect(sub.Customer.ID, "cancel", sub.ID, from)
	}
	return sub.changed()
}

func enableSubscription(c *call) reply {
	sub, refusal := c.lifecycle("Microsoft.Subscription/enable/action")
	switch {
	case refusal != nil:
		return *refusal
	case !sub.arm.cancelled.IsZero() && c.now.Sub(sub.arm.cancelled) > 90*24*time.Hour:
		return armError(http.StatusBadRequest, "SubscriptionNotReactivatable", "The subscription was cancelled more than 90 days ago.")
	case sub.Plan != nil && sub.Plan.Status.at(c.now) != "active":
		return armError(http.StatusBadRequest, "AzurePlanNotActive", "The customer's Azure plan is not active.")
	}
	if sub.Status.new != "active" {
		from := c.after(WaitSubscriptionEnd)
		sub.Status.set("active", c.now, from)
		sub.arm.cancelled = time.Time{}
		c.effect(sub.Customer.ID, "enable", sub.ID, from)
	}
	return sub.changed()
}
