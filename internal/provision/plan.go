package provision

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// orderPlan buys the Azure plan, once for a tenant. The account is judged again:
// it may have been disabled while people were awaited.
func (w *work) orderPlan(ctx context.Context) error {
	if err := w.stillEligible(ctx); err != nil {
		return err
	}
	if w.t.Reached(StagePlan) {
		return w.revivePlan(ctx)
	}
	return w.toStage(ctx, StagePlan, w.order)
}

func (w *work) order(ctx context.Context) error {
	if err := w.vetted(ctx); err != nil {
		return err
	}
	plan, found, err := w.findPlan(ctx)
	if err != nil {
		return err
	}
	if !found {
		if err := w.buy(ctx); err != nil {
			return err
		}
		if plan, found, err = w.findPlan(ctx); err != nil {
			return err
		}
	}
	if !found || !azure.SameWord(plan.Status, partnercenter.StatusActive) {
		return w.pause("Microsoft has the order and is setting up the Azure plan.", 45*time.Minute)
	}
	return w.tx(ctx, func(tx *store.Tx) error {
		err := changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Plan = plan.ID; return nil })
		if err != nil {
			return err
		}
		w.t.Plan = plan.ID
		return w.fact(ctx, tx, "Azure plan ordered")
	})
}

// vetted waits for Microsoft's verdict on the customer's account, which can take
// days; nothing can be bought before.
func (w *work) vetted(ctx context.Context) error {
	st, err := w.r.pc.AccountStatus(ctx, w.t.AzureID)
	if azure.HasCode(err, "600074") { // no record: not blocked
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case azure.SameWord(st.Status, "Allowed"):
		return nil
	case azure.SameWord(st.Status, "NotAllowed"):
		return stuck("account", "Microsoft refuses to sell to this company.", "Ask Microsoft's support why; the customer can be cancelled here.")
	}
	return forPerson{why: "Microsoft reviews the new customer account. This can take days; nothing is wrong and there is nothing to do.", ask: time.Minute}
}

// findPlan looks whether the tenant has a plan already: before and after doubt.
func (w *work) findPlan(ctx context.Context) (partnercenter.Subscription, bool, error) {
	list, err := w.r.pc.Subscriptions(ctx, w.t.AzureID, "")
	if err != nil {
		return partnercenter.Subscription{}, false, err
	}
	for _, s := range list {
		if s.IsAzurePlan() && !azure.SameWord(s.Status, partnercenter.StatusDeleted) {
			return s, true, nil
		}
	}
	return partnercenter.Subscription{}, false, nil
}

// buy goes from catalogue to a completed order. A cart has no reference of ours:
// its id is stored before the checkout, and the checkout of one cart happens
// once at Microsoft.
func (w *work) buy(ctx context.Context) error {
	if w.t.Order == "" {
		if found, err := w.findOrder(ctx); err != nil || found {
			return err
		}
		if err := w.fillCart(ctx); err != nil {
			return err
		}
		if err := w.checkout(ctx); err != nil {
			return err
		}
	}
	order, err := w.r.pc.Order(ctx, w.t.AzureID, w.t.Order)
	switch {
	case azure.IsNotFound(err):
		return w.pause("Microsoft has the order but does not list it yet.", 30*time.Minute)
	case err != nil:
		return err
	case order.Refused():
		return stuck("order", fmt.Sprintf("Microsoft refused order %s: %s.", order.ID, order.Status), "Ask Microsoft's support with the ids in the exchange.")
	case !order.Completed():
		return w.pause("Microsoft works on the order.", 45*time.Minute)
	}
	return nil
}

func (w *work) fillCart(ctx context.Context) error {
	return w.once(ctx, w.onTenant(), "cart", func(ctx context.Context, in intent) (any, error) {
		offers, err := w.r.pc.CustomerAvailabilities(ctx, w.t.AzureID, partnercenter.AzurePlanProduct, partnercenter.AzurePlanSKU)
		if err != nil {
			return nil, err
		}
		for _, a := range offers {
			if !a.IsPurchasable {
				continue
			}
			cart, err := w.r.pc.CreateCart(ctx, in.id(), w.t.AzureID, partnercenter.PlanCart(a, ""))
			w.t.Cart = cart.ID
			return map[string]string{"cart": cart.ID}, err
		}
		return nil, stuck("country", "Microsoft offers no Azure plan for this customer's country.", "See in Partner Center whether the partner may sell there.")
	}, func(tx *store.Tx) error {
		return changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Cart = w.t.Cart; return nil })
	})
}

func (w *work) checkout(ctx context.Context) error {
	name := "checkout " + w.t.Cart
	in, err := w.intend(ctx, w.onTenant(), name)
	if err != nil || in.done {
		return err
	}
	result, err := w.r.pc.Checkout(ctx, in.id(), w.t.AzureID, w.t.Cart)
	switch {
	case azure.HasCode(err, "800065"): // submitted by the try whose answer was lost
		if err := w.failed(ctx, in, err); !azure.HasCode(err, "800065") {
			return err
		}
		if found, err := w.findOrder(ctx); err != nil || found {
			return err
		}
		return w.pause("The cart was submitted; Microsoft does not list its order yet.", 30*time.Minute)
	case azure.HasCode(err, "800008"): // the cart expired: a new one
		if err := w.failed(ctx, in, err); err != nil && !azure.HasCode(err, "800008") {
			return err
		}
		return w.newCart(ctx, name)
	case err != nil:
		return w.failed(ctx, in, err)
	}
	for _, o := range result.Orders {
		return w.confirm(ctx, in, map[string]string{"order": o.ID}, func(tx *store.Tx) error { return w.ordered(ctx, tx, o.ID) })
	}
	return w.failed(ctx, in, noOrder(result.OrderErrors))
}

// noOrder is the refusal of a checkout that made no order, with Microsoft's
// first reason.
func noOrder(errs []partnercenter.OrderError) error {
	r := fault.Refusal{Field: "order", Reason: "Microsoft took the cart but made no order of it.", Remedy: "Look at the exchange, then try again."}
	if len(errs) > 0 {
		r.Code = string(errs[0].Code)
		if x, ok := azure.Explain(r.Code); ok {
			r.Reason, r.Remedy = x.Reason, x.Remedy
		} else if errs[0].Description != "" {
			r.Reason = errs[0].Description
		}
	}
	return fault.Refuse(r)
}

func (w *work) newCart(ctx context.Context, checkout string) error {
	err := w.tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		for _, name := range []string{"cart", checkout} {
			if err := q.DropIntent(ctx, sqlc.DropIntentParams{Scope: w.onTenant(), Name: name}); err != nil {
				return err
			}
		}
		return changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Cart = ""; return nil })
	})
	if err != nil {
		return err
	}
	w.t.Cart = ""
	return w.pause("The cart expired. A new one is made.", 0)
}

func (w *work) ordered(ctx context.Context, tx *store.Tx, id string) error {
	w.t.Order = id
	return changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Order = id; return nil })
}

// findOrder looks for an order of the plan that a lost answer told of.
func (w *work) findOrder(ctx context.Context) (bool, error) {
	orders, err := w.r.pc.Orders(ctx, w.t.AzureID, "")
	if err != nil {
		return false, err
	}
	for _, o := range orders {
		for _, l := range o.LineItems {
			if !o.Refused() && isPlanOffer(l.OfferID) {
				return true, w.tx(ctx, func(tx *store.Tx) error { return w.ordered(ctx, tx, o.ID) })
			}
		}
	}
	return false, nil
}

func isPlanOffer(offer string) bool {
	return partnercenter.Subscription{OfferID: offer}.IsAzurePlan()
}

// revivePlan makes a suspended plan of a released tenant active again.
func (w *work) revivePlan(ctx context.Context) error {
	plan, err := w.r.pc.Subscription(ctx, w.t.AzureID, w.t.Plan)
	if err != nil {
		return err
	}
	if azure.SameWord(plan.Status, partnercenter.StatusActive) {
		return w.tx(ctx, func(tx *store.Tx) error { return w.fact(ctx, tx, "Azure plan of %s", w.t.Domain) })
	}
	held, err := w.hold(ctx)
	if err != nil {
		return err
	}
	if !held {
		return w.behind(ctx)
	}
	if _, _, err = w.r.pc.ChangeSubscription(ctx, azure.NewRequestID(), w.t.AzureID, plan, partnercenter.SubscriptionChange{Status: partnercenter.StatusActive}); err != nil {
		return err
	}
	err = w.tx(ctx, func(tx *store.Tx) error {
		if err := changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.State = TenantLive; return nil }); err != nil {
			return err
		}
		return w.free(ctx, tx)
	})
	if err != nil {
		return err
	}
	return w.pause("Microsoft makes the Azure plan active again.", 30*time.Minute)
}

// makeSubscription takes the subscription that the plan was born with, or makes
// a further one under a name derived from our id, so that the same request can
// be sent any number of times.
func (w *work) makeSubscription(ctx context.Context) error {
	if w.o.Subscription != "" {
		return nil
	}
	first := false
	err := w.tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).ClaimFirst(ctx, sqlc.ClaimFirstParams{ID: w.t.ID, FirstBy: string(w.o.ID)})
		first = n > 0
		return err
	})
	if err != nil {
		return err
	}
	id := ""
	if first {
		id, err = w.firstEntitlement(ctx)
	} else {
		id, err = w.furtherSubscription(ctx)
	}
	if err != nil {
		return err
	}
	err = w.tx(ctx, func(tx *store.Tx) error {
		if err := w.r.change(ctx, tx, w.o.ID, func(o *Onboarding) error { o.Subscription, o.Further = id, !first; return nil }); err != nil {
			return err
		}
		err := w.r.providers.Change(ctx, tx, w.o.Provider, provider.Platform, func(p *provider.Provider) error { p.Subscription = id; return nil })
		if err != nil {
			return err
		}
		if !first {
			if err := w.free(ctx, tx); err != nil {
				return err
			}
		}
		return w.fact(ctx, tx, "Subscription “%s”", w.o.Name)
	})
	return err
}

func (w *work) firstEntitlement(ctx context.Context) (string, error) {
	list, err := w.r.pc.AzureEntitlements(ctx, w.t.AzureID, w.t.Plan)
	if err != nil {
		return "", err
	}
	for _, e := range list {
		if azure.SameWord(e.Status, partnercenter.StatusActive) {
			return e.ID, nil
		}
	}
	return "", w.pause("Microsoft makes the first subscription of the Azure plan.", 45*time.Minute)
}

// furtherSubscription holds the tenant meanwhile: one creation at a time per
// customer, or Microsoft throttles hard.
func (w *work) furtherSubscription(ctx context.Context) (string, error) {
	held, err := w.hold(ctx)
	if err != nil {
		return "", err
	}
	if !held {
		return "", w.behind(ctx)
	}
	scope, err := w.billingScope(ctx)
	if err != nil {
		return "", err
	}
	name := arm.AliasName(string(w.o.ID))
	err = w.once(ctx, w.onThis(), "create-subscription", func(ctx context.Context, in intent) (any, error) {
		_, err := w.r.arm.CreateAlias(ctx, in.id(), name, arm.NewSubscription{DisplayName: w.o.Name, BillingScope: scope, Workload: arm.WorkloadProduction})
		return map[string]string{"alias": name}, err
	}, nil)
	if err != nil {
		return "", err
	}
	alias, err := w.r.arm.Alias(ctx, name)
	switch {
	case azure.IsNotFound(err):
		return "", w.pause("Microsoft has the new subscription but does not list it yet.", 30*time.Minute)
	case err != nil:
		return "", err
	case azure.SameWord(alias.Properties.ProvisioningState, "Failed"):
		return "", stuck("subscription", "Microsoft could not make the subscription.", "Look at the exchange, ask Microsoft's support with its ids, then try again.")
	case !azure.SameWord(alias.Properties.ProvisioningState, "Succeeded") || alias.Properties.SubscriptionID == "":
		return "", w.pause("Microsoft makes the subscription.", 45*time.Minute)
	}
	return alias.Properties.SubscriptionID, nil
}

// billingScope is the customer below the partner's billing account; a fresh
// customer appears there minutes after its order.
func (w *work) billingScope(ctx context.Context) (string, error) {
	accounts, err := w.r.arm.BillingAccounts(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range accounts {
		if !a.IsPartner() {
			continue
		}
		c, err := w.r.arm.BillingCustomer(ctx, a.Name, w.t.AzureID)
		if azure.IsNotFound(err) {
			return "", w.pause("Microsoft does not list the customer in billing yet.", 30*time.Minute)
		}
		return c.ID, err
	}
	return "", stuck("partner", "The partner's sign-in sees no billing account with a Microsoft Partner Agreement.",
		"Give its user the role Admin agent in Partner Center, then connect the partner again.")
}
