package sim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// alias is the request for a subscription; its name is the key of idempotency.
type alias struct {
	Name     string
	Caller   string
	Customer string
	Display  string
	Workload string
	Reseller string
	Sub      string
	Created  time.Time
	State    lagging[string] // Accepted, Succeeded
}

func aliasKey(caller, name string) string { return caller + " " + strings.ToLower(name) }

type aliasBody struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Properties any    `json:"properties"`
}

// aliasBorn is all that a fresh alias shows.
type aliasBorn struct {
	Subscription string `json:"subscriptionId"`
	State        string `json:"provisioningState"`
}

// aliasKnown is what is read later: the members that were sent are often null.
type aliasKnown struct {
	Subscription string  `json:"subscriptionId"`
	State        string  `json:"provisioningState"`
	Display      *string `json:"displayName"`
	Workload     *string `json:"workload"`
	Scope        *string `json:"billingScope"`
	Reseller     *string `json:"resellerId"`
	Group        *string `json:"managementGroupId"`
	Accept       *string `json:"acceptOwnershipState"`
	Created      string  `json:"createdTime"`
}

func (a *alias) body(properties any) aliasBody {
	return aliasBody{"/providers/Microsoft.Subscription/aliases/" + a.Name, a.Name, "Microsoft.Subscription/aliases", properties}
}

func (a *alias) known(now time.Time) aliasBody {
	return a.body(aliasKnown{Subscription: a.Sub, State: a.State.at(now), Created: a.Created.Format(time.RFC3339)})
}

// aliasUser refuses app-only tokens and people who are no Admin agents.
func (c *call) aliasUser() *reply {
	var r reply
	switch {
	case !c.user():
		r = armError(http.StatusForbidden, "UserNotAuthorized", "The service principal '"+c.who.Object+"' is not authorized to create subscriptions on this billing scope.")
	case !c.partnerTenant() || !c.agent():
		r = armError(http.StatusForbidden, "UserNotAuthorized", "User is not authorized to create subscriptions on this billing scope: the role Admin agent is needed.")
	default:
		return nil
	}
	return &r
}

// putAlias makes a subscription for a customer. The same name with the same content
// is the same subscription, whoever asks how often.
func putAlias(c *call) reply {
	var in struct {
		Properties struct {
			Display    string `json:"displayName"`
			Workload   string `json:"workload"`
			Scope      string `json:"billingScope"`
			Reseller   string `json:"resellerId"`
			Sub        string `json:"subscriptionId"`
			Additional struct {
				Tenant string `json:"subscriptionTenantId"`
				Owner  string `json:"subscriptionOwnerId"`
			} `json:"additionalProperties"`
		} `json:"properties"`
	}
	if err := c.decode(&in); err != nil {
		return armError(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '"+err.Error()+"'.")
	}
	if refusal := c.aliasUser(); refusal != nil {
		return *refusal
	}
	name, p := c.param("alias"), in.Properties
	if len(name) > 63 || strings.ContainsAny(name, `<>%&\?/`) {
		return armError(http.StatusBadRequest, "InvalidAliasName", "The alias name '"+name+"' is invalid.")
	}
	customer, refusal := c.billingScope(p.Scope)
	if refusal != nil {
		return *refusal
	}
	workload := or(p.Workload, "Production")
	if known := c.w.arm.aliases[aliasKey(c.who.Object, name)]; known != nil {
		if known.Customer != customer.ID || known.Display != p.Display || !strings.EqualFold(known.Workload, workload) || known.Reseller != p.Reseller {
			return armError(http.StatusConflict, "Conflict", "The alias '"+name+"' exists with other properties.")
		}
		return ok(known.known(c.now))
	}
	switch {
	case p.Sub != "":
		return armError(http.StatusBadRequest, "BadRequest", "An alias for an existing subscription is not simulated.")
	case !validSubscriptionName(p.Display):
		return armError(http.StatusBadRequest, "InvalidSubscriptionName", "The display name must have 1 to 64 characters and none of < > ; |.")
	case !strings.EqualFold(workload, "Production") && !strings.EqualFold(workload, "DevTest"):
		return armError(http.StatusBadRequest, "InvalidWorkload", "The workload '"+workload+"' is invalid: Production or DevTest.")
	case strings.EqualFold(workload, "DevTest") && customer.devTest(c) == nil:
		return armError(http.StatusBadRequest, "WorkloadNotEnabled", "The customer's Azure plan does not enable the workload DevTest.")
	case p.Reseller != "" && !c.s.cfg.Partner.Indirect:
		return armError(http.StatusBadRequest, "BadRequest", "resellerId is only for indirect providers.")
	case p.Additional.Tenant != "" && !strings.EqualFold(p.Additional.Tenant, customer.ID), p.Additional.Owner != "":
		return armError(http.StatusBadRequest, "BadRequest", "subscriptionTenantId and subscriptionOwnerId must be empty for this billing scope.")
	}
	plan := c.billed(customer)
	if strings.EqualFold(workload, "DevTest") {
		plan = customer.devTest(c)
	}
	switch status := plan.Status.at(c.now); {
	case status != "active":
		return armError(http.StatusBadRequest, "AzurePlanNotActive", "The customer's Azure plan is "+status+".")
	case c.s.settings().SandboxLimits && plan.alive(c.now) >= 3:
		return armError(http.StatusBadRequest, "SubscriptionLimitReached", "A sandbox plan holds at most 3 subscriptions.")
	}
	done := c.after(WaitAlias)
	sub := c.newAzure(customer, plan, c.s.newID(), p.Display, name, done, c.now)
	a := &alias{Name: name, Caller: c.who.Object, Customer: customer.ID, Display: p.Display, Workload: workload, Reseller: p.Reseller, Sub: sub.ID, Created: c.now,
		State: lagging[string]{old: "Accepted", new: "Succeeded", from: done}}
	if c.w.arm.aliases == nil {
		c.w.arm.aliases = map[string]*alias{}
	}
	c.w.arm.aliases[aliasKey(c.who.Object, name)] = a
	c.effect(customer.ID, "subscription", sub.ID, sub.arm.readable)
	return created(a.body(aliasBorn{a.Sub, "Accepted"}))
}

// billingScope resolves /providers/Microsoft.Billing/billingAccounts/{ba}/customers/{id}.
func (c *call) billingScope(scope string) (*Customer, *reply) {
	parts := strings.Split(strings.Trim(scope, "/"), "/")
	var r reply
	switch {
	case len(parts) != 6 || !strings.EqualFold(strings.Join(parts[:3], "/"), "providers/Microsoft.Billing/billingAccounts") || !strings.EqualFold(parts[4], "customers"):
		r = armError(http.StatusBadRequest, "InvalidBillingScope", "The billing scope '"+scope+"' is invalid.")
	case !strings.EqualFold(parts[3], c.s.cfg.Partner.BillingAccount):
		r = armError(http.StatusForbidden, "UserNotAuthorized", "User is not authorized to create subscriptions on the billing scope '"+scope+"'.")
	default:
		cu := c.w.customer(parts[5])
		if cu != nil && c.billed(cu) != nil {
			return cu, nil
		}
		r = armError(http.StatusNotFound, "BillingScopeNotFound", "The customer '"+parts[5]+"' was not found below the billing account.")
	}
	return nil, &r
}

// alive counts the plan's subscriptions that are not cancelled.
func (p *Plan) alive(now time.Time) int {
	n := 0
	for _, a := range p.Azure {
		if a.Status.at(now) == "active" {
			n++
		}
	}
	return n
}

func (c *call) alias() (*alias, *reply) {
	if refusal := c.aliasUser(); refusal != nil {
		return nil, refusal
	}
	a := c.w.arm.aliases[aliasKey(c.who.Object, c.param("alias"))]
	if a == nil {
		r := armError(http.StatusNotFound, "AliasNotFound", "The alias '"+c.param("alias")+"' was not found.")
		return nil, &r
	}
	return a, nil
}

func getAlias(c *call) reply {
	a, refusal := c.alias()
	if refusal != nil {
		return *refusal
	}
	return ok(a.known(c.now))
}

func listAliases(c *call) reply {
	if refusal := c.aliasUser(); refusal != nil {
		return *refusal
	}
	var mine []*alias
	for _, a := range c.w.arm.aliases {
		if a.Caller == c.who.Object {
			mine = append(mine, a)
		}
	}
	slices.SortFunc(mine, func(a, b *alias) int {
		return or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
	var out []aliasBody
	for _, a := range mine {
		out = append(out, a.known(c.now))
	}
	return values(out)
}

// deleteAlias removes the alias only, not the subscription.
func deleteAlias(c *call) reply {
	if refusal := c.aliasUser(); refusal != nil {
		return *refusal
	}
	key := aliasKey(c.who.Object, c.param("alias"))
	if c.w.arm.aliases[key] == nil {
		return empty(http.StatusNoContent)
	}
	delete(c.w.arm.aliases, key)
	return empty(http.StatusOK)
}

// born is called, under the write lock, for every new Azure subscription: the
// partner's Admin agents own it from the first moment (AOBO), and it can be read
// with a token of its tenant a little after it is listed.
func (s *Server) born(w *world, sub *AzureSubscription, now time.Time) {
	sub.arm.readable = s.after(sub.Listed, WaitSubscriptionRead)
	if cu := sub.Customer; sub.arm.readable.After(sub.Listed) {
		cu.effects = append(cu.effects, Effect{What: "subscription readable", ID: sub.ID, Received: sub.Listed, Visible: sub.arm.readable})
	}
	owner := s.adminAgents()
	sub.arm.assignments = append(sub.arm.assignments, &roleAssignment{
		Name: s.newID(), Scope: sub.path(), Principal: owner, Kind: kindForeignGroup,
		Role: roleOwner, Created: now, Updated: now, Acts: sub.Listed,
	})
}
