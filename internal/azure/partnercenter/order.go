package partnercenter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"causeway/internal/azure"
)

// Cart is a purchase being put together. It expires after 7 days.
type Cart struct {
	ID                    string         `json:"id,omitempty"`
	CreationTimestamp     azure.Time     `json:"creationTimestamp,omitzero"`
	LastModifiedTimestamp azure.Time     `json:"lastModifiedTimestamp,omitzero"`
	ExpirationTimestamp   azure.Time     `json:"expirationTimestamp,omitzero"`
	LastModifiedUser      string         `json:"lastModifiedUser,omitempty"`
	Status                string         `json:"status,omitempty"` // Active, Ordered
	LineItems             []CartLineItem `json:"lineItems"`
	Links                 Links          `json:"links,omitempty"`
	Attributes            Attributes     `json:"attributes,omitzero"`
}

// CartLineItem is one line. Quantity, catalogue item and billing cycle are required.
type CartLineItem struct {
	ID                  azure.Int        `json:"id"`
	CatalogItemID       string           `json:"catalogItemId"`
	FriendlyName        string           `json:"friendlyName,omitempty"` // refused for an Azure plan
	Quantity            azure.Int        `json:"quantity"`
	CurrencyCode        string           `json:"currencyCode,omitempty"`
	BillingCycle        string           `json:"billingCycle"`
	TermDuration        string           `json:"termDuration,omitempty"`
	Participants        []KeyValue       `json:"participants,omitempty"` // key transaction_reseller, value an MPN id
	ProvisioningContext map[string]any   `json:"provisioningContext,omitempty"`
	OrderGroup          string           `json:"orderGroup,omitempty"`
	AddonItems          []CartLineItem   `json:"addonItems,omitempty"`
	RenewsTo            *RenewsTo        `json:"renewsTo,omitempty"`
	AttestationAccepted *bool            `json:"attestationAccepted,omitempty"`
	PromotionID         string           `json:"promotionId,omitempty"`
	CustomTermEndDate   azure.Time       `json:"customTermEndDate,omitzero"`
	Error               *CartError       `json:"error,omitempty"`
	Pricing             *json.RawMessage `json:"pricing,omitempty"`
}

// RenewsTo is the term after this one.
type RenewsTo struct {
	TermDuration string `json:"termDuration"`
}

// CartError is why a line cannot be bought; codes 10000 to 10015.
type CartError struct {
	ErrorCode        azure.Text `json:"errorCode"`
	ErrorDescription string     `json:"errorDescription"`
}

// CheckoutResult is what became of a cart. A partial result is normal: orders and
// errors can both be there.
type CheckoutResult struct {
	Orders      []Order      `json:"orders"`
	OrderErrors []OrderError `json:"orderErrors"`
	Attributes  Attributes   `json:"attributes"`
}

// OrderError is a group of lines that was not ordered.
type OrderError struct {
	OrderGroupID azure.Text `json:"orderGroupId"`
	Code         azure.Text `json:"code"`
	Description  string     `json:"description"`
}

// Statuses of an order.
const (
	OrderCompleted = "completed"
	OrderPending   = "pending"
)

// Order is a purchase.
type Order struct {
	ID                  string          `json:"id"`
	AlternateID         string          `json:"alternateId,omitempty"`
	ReferenceCustomerID string          `json:"referenceCustomerId"`
	BillingCycle        string          `json:"billingCycle"`
	CurrencyCode        string          `json:"currencyCode"`
	CurrencySymbol      string          `json:"currencySymbol,omitempty"`
	LineItems           []OrderLineItem `json:"lineItems"`
	CreationDate        azure.Time      `json:"creationDate,omitzero"`
	Status              string          `json:"status"`
	TransactionType     string          `json:"transactionType,omitempty"`
	TotalPrice          azure.Number    `json:"totalPrice,omitempty"`
	Links               Links           `json:"links,omitempty"`
	Attributes          Attributes      `json:"attributes,omitzero"`
}

// Completed tells that the order is done.
func (o Order) Completed() bool { return azure.SameWord(o.Status, OrderCompleted) }

// Refused tells that the order will never be done.
func (o Order) Refused() bool {
	for _, s := range []string{"cancelled", "canceled", "po review rejected", "error"} {
		if azure.SameWord(o.Status, s) {
			return true
		}
	}
	return false
}

// OrderLineItem is one line of an order. SubscriptionID may be missing for a
// while after the checkout.
type OrderLineItem struct {
	LineItemNumber       azure.Int      `json:"lineItemNumber"`
	OfferID              string         `json:"offerId"`
	SubscriptionID       string         `json:"subscriptionId,omitempty"`
	ParentSubscriptionID string         `json:"parentSubscriptionId,omitempty"`
	FriendlyName         string         `json:"friendlyName,omitempty"`
	Quantity             azure.Int      `json:"quantity"`
	TermDuration         string         `json:"termDuration,omitempty"`
	TransactionType      string         `json:"transactionType,omitempty"`
	PartnerIDOnRecord    string         `json:"partnerIdOnRecord,omitempty"`
	ProvisioningContext  map[string]any `json:"provisioningContext,omitempty"`
	Links                Links          `json:"links,omitempty"`
}

// CreateCart opens a cart. Nothing in it names us: keep the id before checkout.
// https://learn.microsoft.com/partner-center/developer/create-a-cart
func (c *Client) CreateCart(ctx context.Context, request azure.RequestID, customer string, in Cart) (Cart, error) {
	var out Cart
	_, err := c.send(ctx, azure.AppOnly, request, "orders", customer, http.MethodPost, azure.Path("/v1/customers/%s/carts", customer), "", in, &out)
	return out, err
}

// PlanCart is a cart with one Azure plan. reseller is the MPN id of an indirect
// reseller, "" for a direct partner.
func PlanCart(a Availability, reseller string) Cart {
	line := CartLineItem{CatalogItemID: a.Item(), Quantity: 1, BillingCycle: "one_time"}
	if reseller != "" {
		line.Participants = []KeyValue{{Key: "transaction_reseller", Value: azure.Text(reseller)}}
	}
	return Cart{LineItems: []CartLineItem{line}}
}

// Cart reads a cart; an unknown or expired one is code 800008.
// https://learn.microsoft.com/partner-center/developer/update-a-cart
func (c *Client) Cart(ctx context.Context, customer, id string) (Cart, error) {
	var out Cart
	err := c.get(ctx, azure.AppOnly, "orders", customer, azure.Path("/v1/customers/%s/carts/%s", customer, id), nil, &out)
	return out, err
}

// UpdateCart writes a whole cart.
// https://learn.microsoft.com/partner-center/developer/update-a-cart
func (c *Client) UpdateCart(ctx context.Context, request azure.RequestID, customer string, in Cart) (Cart, error) {
	var out Cart
	_, err := c.send(ctx, azure.AppOnly, request, "orders", customer, http.MethodPut, azure.Path("/v1/customers/%s/carts/%s", customer, in.ID), "", in, &out)
	return out, err
}

// Checkout buys a cart. It is idempotent per cart: 800064 (409) while another
// request works on it, 800065 when it was submitted already.
// https://learn.microsoft.com/partner-center/developer/checkout-a-cart
func (c *Client) Checkout(ctx context.Context, request azure.RequestID, customer, cart string) (CheckoutResult, error) {
	var out CheckoutResult
	_, err := c.send(ctx, azure.AppOnly, request, "orders", customer, http.MethodPost, azure.Path("/v1/customers/%s/carts/%s/checkout", customer, cart), "", nil, &out)
	return out, err
}

// CreateLegacyOrder orders the Azure offer of 2016, which had no cart.
// https://learn.microsoft.com/partner-center/developer/create-an-order
func (c *Client) CreateLegacyOrder(ctx context.Context, request azure.RequestID, customer, friendlyName string) (Order, error) {
	in := map[string]any{
		"referenceCustomerId": customer, "billingCycle": "monthly",
		"lineItems": []map[string]any{{"lineItemNumber": 0, "offerId": LegacyAzureOffer, "friendlyName": friendlyName, "quantity": 1}},
	}
	var out Order
	_, err := c.send(ctx, azure.AppOnly, request, "orders", customer, http.MethodPost, azure.Path("/v1/customers/%s/orders", customer), "", in, &out)
	return out, err
}

// Orders lists a customer's orders. A new one can take 15 minutes to be listed.
// billingType "" lists all.
// https://learn.microsoft.com/partner-center/developer/get-all-of-a-customer-s-orders
func (c *Client) Orders(ctx context.Context, customer, billingType string) ([]Order, error) {
	q := url.Values{}
	if billingType != "" {
		q.Set("billingType", billingType)
	}
	return all(pages[Order](ctx, c, azure.AppOnly, "orders", customer, azure.Path("/v1/customers/%s/orders", customer), q))
}

// Order reads one order.
// https://learn.microsoft.com/partner-center/developer/get-an-order-by-id
func (c *Client) Order(ctx context.Context, customer, id string) (Order, error) {
	var out Order
	err := c.get(ctx, azure.AppOnly, "orders", customer, azure.Path("/v1/customers/%s/orders/%s", customer, id), nil, &out)
	return out, err
}

// OrderProvisioning is how far a line of an order is.
type OrderProvisioning struct {
	LineItemNumber azure.Int `json:"lineItemNumber"`
	Status         string    `json:"status"` // fulfilled, unfulfilled, prefulfillmentPending
}

// OrderProvisioning reads how far the lines of an order are.
// https://learn.microsoft.com/partner-center/developer/get-order-provisioning-status
func (c *Client) OrderProvisioning(ctx context.Context, customer, id string) ([]OrderProvisioning, error) {
	return all(pages[OrderProvisioning](ctx, c, azure.AppUser, "orders", customer, azure.Path("/v1/customers/%s/orders/%s/provisioningstatus", customer, id), nil))
}
