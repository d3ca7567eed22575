package arm

import (
	"context"
	"net/http"

	"causeway/internal/azure"
)

// Provisioning states of an alias.
const (
	AliasAccepted  = "Accepted"
	AliasSucceeded = "Succeeded"
	AliasFailed    = "Failed"
)

// Workloads of a subscription. DevTest needs the plan's SKU 0002.
const (
	WorkloadProduction = "Production"
	WorkloadDevTest    = "DevTest"
)

// NewSubscription is what a new subscription shall be.
type NewSubscription struct {
	DisplayName  string `json:"displayName"`
	Workload     string `json:"workload"`
	BillingScope string `json:"billingScope"`
	ResellerID   string `json:"resellerId,omitempty"` // of an indirect reseller
}

// Alias is a name for a subscription that is made by it.
type Alias struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Properties struct {
		SubscriptionID       string     `json:"subscriptionId"`
		ProvisioningState    string     `json:"provisioningState"`
		DisplayName          string     `json:"displayName"`
		Workload             string     `json:"workload"`
		BillingScope         string     `json:"billingScope"`
		ResellerID           azure.Text `json:"resellerId"`
		CreatedTime          azure.Time `json:"createdTime,omitzero"`
		AcceptOwnershipState string     `json:"acceptOwnershipState"`
	} `json:"properties"`
}

// CreateAlias makes a subscription. The name is the idempotency key: the same
// name and body give the same subscription. Microsoft answers Accepted; ask with
// Alias until Succeeded or Failed. A subscription cannot be deleted, only
// cancelled: the name must be derived (AliasName).
// https://learn.microsoft.com/rest/api/subscription/alias/create
func (c *Client) CreateAlias(ctx context.Context, request azure.RequestID, name string, in NewSubscription) (Alias, error) {
	body := struct {
		Properties NewSubscription `json:"properties"`
	}{in}
	var out Alias
	_, err := c.do(ctx, call{request: request, method: http.MethodPut, path: azure.Path("/providers/Microsoft.Subscription/aliases/%s", name), version: vAlias, in: body, out: &out})
	return out, err
}

// Alias reads how far a new subscription is.
// https://learn.microsoft.com/rest/api/subscription/alias/get
func (c *Client) Alias(ctx context.Context, name string) (Alias, error) {
	var out Alias
	_, err := c.do(ctx, call{method: http.MethodGet, path: azure.Path("/providers/Microsoft.Subscription/aliases/%s", name), version: vAlias, out: &out})
	return out, err
}

// Aliases lists the caller's aliases.
// https://learn.microsoft.com/rest/api/subscription/alias/list
func (c *Client) Aliases(ctx context.Context) ([]Alias, error) {
	return list[Alias](ctx, c, "/providers/Microsoft.Subscription/aliases", vAlias, nil)
}

// DeleteAlias removes the name; the subscription stays.
// https://learn.microsoft.com/rest/api/subscription/alias/delete
func (c *Client) DeleteAlias(ctx context.Context, request azure.RequestID, name string) error {
	_, err := c.do(ctx, call{request: request, method: http.MethodDelete, path: azure.Path("/providers/Microsoft.Subscription/aliases/%s", name), version: vAlias, empty: true})
	return err
}

// States of a subscription.
const (
	StateEnabled  = "Enabled"
	StateDisabled = "Disabled"
	StateWarned   = "Warned" // cancelled, or about to be disabled
	StatePastDue  = "PastDue"
	StateDeleted  = "Deleted"
)

// Subscription is an Azure subscription as its tenant sees it.
type Subscription struct {
	ID                  string `json:"id"`
	SubscriptionID      string `json:"subscriptionId"`
	DisplayName         string `json:"displayName"`
	TenantID            string `json:"tenantId"`
	State               string `json:"state"`
	AuthorizationSource string `json:"authorizationSource"`
	Policies            struct {
		LocationPlacementID string `json:"locationPlacementId"`
		QuotaID             string `json:"quotaId"`
		SpendingLimit       string `json:"spendingLimit"`
	} `json:"subscriptionPolicies"`
	Tags map[string]string `json:"tags"`
}

// Subscription reads one subscription; a new one is SubscriptionNotFound for a while.
// https://learn.microsoft.com/rest/api/resources/subscriptions/get
func (c *Client) Subscription(ctx context.Context, id string) (Subscription, error) {
	var out Subscription
	_, err := c.do(ctx, call{method: http.MethodGet, path: azure.Path("/subscriptions/%s", id), version: vSubscription, out: &out})
	return out, err
}

// Subscriptions lists what the identity can see in the tenant.
// https://learn.microsoft.com/rest/api/resources/subscriptions/list
func (c *Client) Subscriptions(ctx context.Context) ([]Subscription, error) {
	return list[Subscription](ctx, c, "/subscriptions", vSubscription, nil)
}

// Tenant is a directory that the identity can enter.
type Tenant struct {
	TenantID      string `json:"tenantId"`
	DisplayName   string `json:"displayName"`
	DefaultDomain string `json:"defaultDomain"`
}

// Tenants lists the directories that the identity can enter.
// https://learn.microsoft.com/rest/api/resources/tenants/list
func (c *Client) Tenants(ctx context.Context) ([]Tenant, error) {
	return list[Tenant](ctx, c, "/tenants", vSubscription, nil)
}

func (c *Client) life(ctx context.Context, request azure.RequestID, id, verb string, in any) error {
	_, err := c.do(ctx, call{request: request, method: http.MethodPost, path: azure.Path("/subscriptions/%s/providers/Microsoft.Subscription/"+verb, id), version: vAlias, in: in, empty: true})
	return err
}

// RenameSubscription gives a subscription another name.
// https://learn.microsoft.com/rest/api/subscription/subscriptions/rename
func (c *Client) RenameSubscription(ctx context.Context, request azure.RequestID, id, name string) error {
	return c.life(ctx, request, id, "rename", map[string]string{"subscriptionName": name})
}

// CancelSubscription stops a subscription; it can be enabled again for 90 days.
// https://learn.microsoft.com/rest/api/subscription/subscriptions/cancel
func (c *Client) CancelSubscription(ctx context.Context, request azure.RequestID, id string) error {
	return c.life(ctx, request, id, "cancel", nil)
}

// EnableSubscription takes a cancellation back, within 90 days.
// https://learn.microsoft.com/rest/api/subscription/subscriptions/enable
func (c *Client) EnableSubscription(ctx context.Context, request azure.RequestID, id string) error {
	return c.life(ctx, request, id, "enable", nil)
}

// Registration states of a resource provider.
const (
	ProviderRegistered  = "Registered"
	ProviderRegistering = "Registering"
)

// Provider is a resource provider in one subscription.
type Provider struct {
	ID                string `json:"id"`
	Namespace         string `json:"namespace"`
	RegistrationState string `json:"registrationState"`
}

// RegisterProvider opens a resource provider; minutes. Without it: 409
// MissingSubscriptionRegistration.
// https://learn.microsoft.com/rest/api/resources/providers/register
func (c *Client) RegisterProvider(ctx context.Context, request azure.RequestID, subscription, namespace string) (Provider, error) {
	var out Provider
	_, err := c.do(ctx, call{request: request, method: http.MethodPost, path: azure.Path("/subscriptions/%s/providers/%s/register", subscription, namespace), version: vResources, out: &out})
	return out, err
}

// Provider reads how far the registration is.
// https://learn.microsoft.com/rest/api/resources/providers/get
func (c *Client) Provider(ctx context.Context, subscription, namespace string) (Provider, error) {
	var out Provider
	_, err := c.do(ctx, call{method: http.MethodGet, path: azure.Path("/subscriptions/%s/providers/%s", subscription, namespace), version: vResources, out: &out})
	return out, err
}
