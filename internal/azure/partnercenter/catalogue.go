package partnercenter

import (
	"context"
	"net/url"

	"causeway/internal/azure"
)

// The Azure plan in Microsoft's catalogue. The availability id is regional and
// changes: it is read right before the purchase.
const (
	AzurePlanProduct = "DZH318Z0BPS6"
	AzurePlanSKU     = "0001"
	AzurePlanDevTest = "0002"
	LegacyAzureOffer = "MS-AZR-0145P" // the offer of 2016
)

// TargetViewAzure is the view in which the plan is listed.
const TargetViewAzure = "MicrosoftAzure"

// ItemType is the kind of a product, with a kind below it.
type ItemType struct {
	ID          string    `json:"id"`
	DisplayName string    `json:"displayName"`
	SubType     *ItemType `json:"subType,omitempty"`
}

// Product is one product of the catalogue.
type Product struct {
	ID                 string   `json:"id"`
	Title              string   `json:"title"`
	Description        string   `json:"description"`
	ProductType        ItemType `json:"productType"`
	IsMicrosoftProduct bool     `json:"isMicrosoftProduct"`
	PublisherName      string   `json:"publisherName"`
	Links              Links    `json:"links"`
}

// SKU is one variant of a product.
type SKU struct {
	ID                     string         `json:"id"`
	ProductID              string         `json:"productId"`
	Title                  string         `json:"title"`
	Description            string         `json:"description"`
	MinimumQuantity        azure.Int      `json:"minimumQuantity"`
	MaximumQuantity        azure.Int      `json:"maximumQuantity"`
	IsTrial                bool           `json:"isTrial"`
	SupportedBillingCycles []string       `json:"supportedBillingCycles"`
	PurchasePrerequisites  []string       `json:"purchasePrerequisites"`
	InventoryVariables     []string       `json:"inventoryVariables"`
	ProvisioningVariables  []string       `json:"provisioningVariables"`
	Actions                []string       `json:"actions"`
	DynamicAttributes      map[string]any `json:"dynamicAttributes"`
	ConsumptionType        string         `json:"consumptionType"`
	Links                  Links          `json:"links"`
}

// Availability is a SKU as it can be bought in a country now.
type Availability struct {
	ID              string         `json:"id"`
	ProductID       string         `json:"productId"`
	SKUID           string         `json:"skuId"`
	CatalogItemID   string         `json:"catalogItemId"` // productId:skuId:availabilityId, what a cart takes
	DefaultCurrency Currency       `json:"defaultCurrency"`
	Segment         string         `json:"segment"`
	Country         string         `json:"country"`
	IsPurchasable   bool           `json:"isPurchasable"`
	IsRenewable     bool           `json:"isRenewable"`
	Terms           []PurchaseTerm `json:"terms"`
	Product         *Product       `json:"product,omitempty"`
	SKU             *SKU           `json:"sku,omitempty"`
	Links           Links          `json:"links"`
}

// Item is the id by which a cart names the availability.
func (a Availability) Item() string {
	if a.CatalogItemID != "" {
		return a.CatalogItemID
	}
	return a.ProductID + ":" + a.SKUID + ":" + a.ID
}

// Currency by its ISO 4217 code.
type Currency struct {
	Code   string `json:"code"`
	Symbol string `json:"symbol"`
}

// PurchaseTerm is a term in which an availability is sold.
type PurchaseTerm struct {
	ID           string `json:"id"`
	Duration     string `json:"duration"`
	Description  string `json:"description"`
	BillingCycle string `json:"billingCycle"`
}

// Products lists what is sold in a country (ISO 3166-1 alpha-2).
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-products
func (c *Client) Products(ctx context.Context, country, targetView string) ([]Product, error) {
	return all(pages[Product](ctx, c, azure.AppOnly, "products", "", "/v1/products", url.Values{"country": {country}, "targetView": {targetView}}))
}

// CustomerProducts lists what a customer may buy.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-products-by-customer
func (c *Client) CustomerProducts(ctx context.Context, customer, targetView string) ([]Product, error) {
	return all(pages[Product](ctx, c, azure.AppOnly, "products", customer, azure.Path("/v1/customers/%s/products", customer), url.Values{"targetView": {targetView}}))
}

// SKUs lists the variants of a product in a country.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-skus-for-a-product
func (c *Client) SKUs(ctx context.Context, product, country string) ([]SKU, error) {
	return all(pages[SKU](ctx, c, azure.AppOnly, "products", "", azure.Path("/v1/products/%s/skus", product), url.Values{"country": {country}}))
}

// CustomerSKUs lists the variants of a product that a customer may buy.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-skus-for-a-product-by-customer
func (c *Client) CustomerSKUs(ctx context.Context, customer, product string) ([]SKU, error) {
	return all(pages[SKU](ctx, c, azure.AppOnly, "products", customer, azure.Path("/v1/customers/%s/products/%s/skus", customer, product), nil))
}

// Availabilities lists how a SKU can be bought in a country.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-availabilities-for-a-sku
func (c *Client) Availabilities(ctx context.Context, product, sku, country string) ([]Availability, error) {
	return all(pages[Availability](ctx, c, azure.AppOnly, "products", "", azure.Path("/v1/products/%s/skus/%s/availabilities", product, sku), url.Values{"country": {country}}))
}

// CustomerAvailabilities lists how a customer can buy a SKU.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-availabilities-for-a-sku-by-customer
func (c *Client) CustomerAvailabilities(ctx context.Context, customer, product, sku string) ([]Availability, error) {
	return all(pages[Availability](ctx, c, azure.AppOnly, "products", customer, azure.Path("/v1/customers/%s/products/%s/skus/%s/availabilities", customer, product, sku), nil))
}
