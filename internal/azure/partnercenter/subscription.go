package partnercenter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"causeway/internal/azure"
)

// Statuses of a subscription and of an entitlement.
const (
	StatusActive    = "active"
	StatusSuspended = "suspended"
	StatusDeleted   = "deleted"
	StatusInactive  = "inactive"
)

// Subscription is a purchase that runs. An Azure plan is one; the Azure
// subscriptions below it are its entitlements and are not listed here.
type Subscription struct {
	ID                       string     `json:"id"`
	EntitlementID            string     `json:"entitlementId,omitempty"` // offer of 2016: the Azure subscription
	OfferID                  string     `json:"offerId"`
	OfferName                string     `json:"offerName"`
	FriendlyName             string     `json:"friendlyName"`
	ProductType              *ItemType  `json:"productType,omitempty"`
	Quantity                 azure.Int  `json:"quantity"`
	UnitType                 string     `json:"unitType"`
	ParentSubscriptionID     string     `json:"parentSubscriptionId,omitempty"`
	CreationDate             azure.Time `json:"creationDate,omitzero"`
	EffectiveStartDate       azure.Time `json:"effectiveStartDate,omitzero"`
	CommitmentEndDate        azure.Time `json:"commitmentEndDate,omitzero"`
	Status                   string     `json:"status"`
	AutoRenewEnabled         bool       `json:"autoRenewEnabled"`
	IsTrial                  bool       `json:"isTrial"`
	BillingType              string     `json:"billingType"`
	BillingCycle             string     `json:"billingCycle"`
	TermDuration             string     `json:"termDuration,omitempty"`
	IsMicrosoftProduct       bool       `json:"isMicrosoftProduct"`
	PublisherName            string     `json:"publisherName,omitempty"`
	PartnerID                string     `json:"partnerId,omitempty"`
	SuspensionReasons        []string   `json:"suspensionReasons,omitempty"`
	ContractType             string     `json:"contractType"`
	OrderID                  string     `json:"orderId"`
	ConsumptionType          string     `json:"consumptionType,omitempty"`
	MigratedFromSubscription string     `json:"migratedFromSubscriptionId,omitempty"`
	Links                    Links      `json:"links,omitempty"`
	Attributes               Attributes `json:"attributes,omitzero"`

	// Raw is the resource as it was read; a PATCH sends it back with our changes.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the members that we do not know.
func (s *Subscription) UnmarshalJSON(b []byte) error {
	type plain Subscription
	if err := json.Unmarshal(b, (*plain)(s)); err != nil {
		return err
	}
	s.Raw = append(json.RawMessage(nil), b...)
	return nil
}

// IsAzurePlan tells the plan from other products. The offer is the product's id,
// alone or as product:sku:availability.
func (s Subscription) IsAzurePlan() bool {
	product, _, _ := strings.Cut(s.OfferID, ":")
	return strings.EqualFold(product, AzurePlanProduct)
}

// Subscriptions lists a customer's subscriptions, of one order if order is not "".
// https://learn.microsoft.com/partner-center/developer/get-all-of-a-customer-s-subscriptions
func (c *Client) Subscriptions(ctx context.Context, customer, order string) ([]Subscription, error) {
	q := url.Values{}
	if order != "" {
		q.Set("order_id", order)
	}
	return all(pages[Subscription](ctx, c, azure.AppOnly, "subscriptions", customer, azure.Path("/v1/customers/%s/subscriptions", customer), q))
}

// Subscription reads one subscription.
// https://learn.microsoft.com/partner-center/developer/get-a-subscription-by-id
func (c *Client) Subscription(ctx context.Context, customer, id string) (Subscription, error) {
	var out Subscription
	err := c.get(ctx, azure.AppOnly, "subscriptions", customer, azure.Path("/v1/customers/%s/subscriptions/%s", customer, id), nil, &out)
	return out, err
}

// SubscriptionChange is what a PATCH changes; "" leaves a member as it is.
type SubscriptionChange struct {
	Status       string // active, suspended
	FriendlyName string
}

// ChangeSubscription sends the subscription as it was read, with a change. If
// accepted is true Microsoft does it later (202): read the subscription again.
// A plan is suspended only when nothing under it is active (900115).
// https://learn.microsoft.com/partner-center/developer/suspend-a-subscription
func (c *Client) ChangeSubscription(ctx context.Context, request azure.RequestID, customer string, read Subscription, change SubscriptionChange) (out Subscription, accepted bool, err error) {
	members := map[string]any{"id": read.ID}
	if change.Status != "" {
		members["status"] = change.Status
	}
	if change.FriendlyName != "" {
		members["friendlyName"] = change.FriendlyName
	}
	body, err := overlay(read.Raw, members)
	if err != nil {
		return Subscription{}, false, azure.NotSent(err)
	}
	h := http.Header{}
	if read.Attributes.ETag != "" {
		h.Set("If-Match", quoted(read.Attributes.ETag))
	}
	a, err := c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: azure.AppOnly, Group: "subscriptions", Customer: customer, Method: http.MethodPatch,
		Path: azure.Path("/v1/customers/%s/subscriptions/%s", customer, read.ID), Header: h, Request: request, In: body, Out: &out, Empty: true,
	})
	return out, a.Status == http.StatusAccepted, err
}

// AzureEntitlement is an Azure subscription below a plan.
type AzureEntitlement struct {
	ID              string     `json:"id"` // the Azure subscription's id
	FriendlyName    string     `json:"friendlyName"`
	Status          string     `json:"status"`
	SubscriptionID  string     `json:"subscriptionId"` // the plan
	PartnerOnRecord string     `json:"partnerOnRecord,omitempty"`
	Attributes      Attributes `json:"attributes,omitzero"`
}

// AzureEntitlements lists the Azure subscriptions below a plan, all pages.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-azure-entitlements-for-subscription
func (c *Client) AzureEntitlements(ctx context.Context, customer, plan string) ([]AzureEntitlement, error) {
	return all(pages[AzureEntitlement](ctx, c, azure.AppOnly, "azureEntitlements", customer, azure.Path("/v1/customers/%s/subscriptions/%s/azureEntitlements", customer, plan), nil))
}

// AzureEntitlement reads one Azure subscription below a plan.
// https://learn.microsoft.com/partner-center/developer/get-an-azure-entitlement-for-a-subscription
func (c *Client) AzureEntitlement(ctx context.Context, customer, plan, id string) (AzureEntitlement, error) {
	var out AzureEntitlement
	err := c.get(ctx, azure.AppOnly, "azureEntitlements", customer, azure.Path("/v1/customers/%s/subscriptions/%s/azureEntitlements/%s", customer, plan, id), nil, &out)
	return out, err
}

// CancelEntitlement cancels a compromised Azure subscription, the only reason
// that Microsoft takes. The answer still says active; the state follows after
// about ten minutes. The normal end of a subscription is arm's cancel.
// https://learn.microsoft.com/partner-center/developer/cancel-an-azure-subscription
func (c *Client) CancelEntitlement(ctx context.Context, request azure.RequestID, customer, plan, id string) (AzureEntitlement, error) {
	var out AzureEntitlement
	_, err := c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: azure.AppOnly, Group: "azureEntitlements", Customer: customer, Method: http.MethodPost,
		Path:    azure.Path("/v1/customers/%s/subscriptions/%s/azureEntitlements/%s/cancel", customer, plan, id),
		Request: request, In: map[string]string{"cancellationReason": "compromise"}, Out: &out, Empty: true,
	})
	return out, err
}

// ReactivateEntitlement gives a cancelled Azure subscription back its life, within
// 90 days. The user must be Admin agent and Global administrator.
// https://learn.microsoft.com/partner-center/developer/reactivate-an-azure-subscription
func (c *Client) ReactivateEntitlement(ctx context.Context, request azure.RequestID, customer, plan, id string) error {
	_, err := c.send(ctx, azure.AppUser, request, "azureEntitlements", customer, http.MethodPost,
		azure.Path("/v1/customers/%s/subscriptions/%s/azureEntitlements/%s/reactivate", customer, plan, id), "", nil, nil)
	return err
}

// SubscriptionProvisioning is how far a subscription is.
type SubscriptionProvisioning struct {
	SKUID    string     `json:"skuId"`
	Status   string     `json:"status"` // success, pending, failed
	Quantity azure.Int  `json:"quantity"`
	EndDate  azure.Time `json:"endDate,omitzero"`
}

// SubscriptionProvisioning reads how far a subscription is; 800007 means that
// nothing is known yet.
// https://learn.microsoft.com/partner-center/developer/get-subscription-provisioning-status
func (c *Client) SubscriptionProvisioning(ctx context.Context, customer, id string) (SubscriptionProvisioning, error) {
	var out SubscriptionProvisioning
	err := c.get(ctx, azure.AppOnly, "subscriptions", customer, azure.Path("/v1/customers/%s/subscriptions/%s/provisioningstatus", customer, id), nil, &out)
	return out, err
}

// RegisterSubscription makes a subscription ready for reservations; it answers at
// once and is done later (see RegistrationStatus).
// https://learn.microsoft.com/partner-center/developer/register-a-subscription
func (c *Client) RegisterSubscription(ctx context.Context, request azure.RequestID, customer, id string) error {
	_, err := c.send(ctx, azure.AppOnly, request, "subscriptions", customer, http.MethodPost,
		azure.Path("/v1/customers/%s/subscriptions/%s/registrations", customer, id), "", nil, nil)
	return err
}

// RegistrationStatus is registered, registering or notregistered.
// https://learn.microsoft.com/partner-center/developer/get-subscription-registration-status
func (c *Client) RegistrationStatus(ctx context.Context, customer, id string) (string, error) {
	var out struct{ Status string }
	err := c.get(ctx, azure.AppOnly, "subscriptions", customer, azure.Path("/v1/customers/%s/subscriptions/%s/registrationstatus", customer, id), nil, &out)
	return out.Status, err
}

// SupportContact is who gives support for a subscription.
type SupportContact struct {
	SupportTenantID string     `json:"supportTenantId"`
	SupportMPNID    azure.Text `json:"supportMpnId"`
	Name            string     `json:"name"`
}

// SupportContact reads who gives support.
// https://learn.microsoft.com/partner-center/developer/get-a-subscription-support-contact
func (c *Client) SupportContact(ctx context.Context, customer, id string) (SupportContact, error) {
	var out SupportContact
	err := c.get(ctx, azure.AppOnly, "subscriptions", customer, azure.Path("/v1/customers/%s/subscriptions/%s/supportcontact", customer, id), nil, &out)
	return out, err
}

// SetSupportContact says who gives support.
// https://learn.microsoft.com/partner-center/developer/update-a-subscription-support-contact
func (c *Client) SetSupportContact(ctx context.Context, request azure.RequestID, customer, id string, in SupportContact) (SupportContact, error) {
	var out SupportContact
	_, err := c.send(ctx, azure.AppOnly, request, "subscriptions", customer, http.MethodPut,
		azure.Path("/v1/customers/%s/subscriptions/%s/supportcontact", customer, id), "", in, &out)
	return out, err
}

// SpendingBudget is the usage budget of a customer per month, in the currency of
// the partner's billing. Amount "" means none. It warns; it stops nothing.
type SpendingBudget struct {
	Amount     azure.Number `json:"amount"`
	Attributes Attributes   `json:"attributes,omitzero"`
}

// UnmarshalJSON reads either name of the amount.
func (b *SpendingBudget) UnmarshalJSON(body []byte) error {
	var v struct {
		Amount, UsageSpendingBudget azure.Number
		Attributes                  Attributes
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	*b = SpendingBudget{Amount: v.Amount, Attributes: v.Attributes}
	if b.Amount == "" {
		b.Amount = v.UsageSpendingBudget
	}
	return nil
}

// UsageBudget reads a customer's usage budget.
// https://learn.microsoft.com/partner-center/developer/get-a-customer-s-usage-spending-budget
func (c *Client) UsageBudget(ctx context.Context, customer string) (SpendingBudget, error) {
	var out SpendingBudget
	err := c.get(ctx, azure.AppOnly, "customers", customer, azure.Path("/v1/customers/%s/usagebudget", customer), nil, &out)
	return out, err
}

// SetUsageBudget sets a customer's usage budget; amount "" removes it.
// https://learn.microsoft.com/partner-center/developer/update-a-customer-s-usage-spending-budget
func (c *Client) SetUsageBudget(ctx context.Context, request azure.RequestID, customer string, amount azure.Number) (SpendingBudget, error) {
	in := SpendingBudget{Amount: amount, Attributes: Attributes{ObjectType: "SpendingBudget"}}
	var out SpendingBudget
	_, err := c.send(ctx, azure.AppOnly, request, "customers", customer, http.MethodPatch, azure.Path("/v1/customers/%s/usagebudget", customer), "", in, &out)
	return out, err
}
