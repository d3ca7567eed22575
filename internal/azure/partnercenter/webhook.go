package partnercenter

import (
	"context"
	"encoding/json"
	"net/http"

	"causeway/internal/azure"
)

// WebhookRegistration is where Partner Center sends its events. There is one per
// partner.
type WebhookRegistration struct {
	SubscriberID                      string   `json:"SubscriberId,omitempty"`
	WebhookURL                        string   `json:"WebhookUrl"`
	WebhookEvents                     []string `json:"WebhookEvents"`
	SignatureTokenToMsSignatureHeader *bool    `json:"SignatureTokenToMsSignatureHeader,omitempty"` // true: x-ms-signature instead of Authorization
}

// WebhookEvents lists the names of all events.
// https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
func (c *Client) WebhookEvents(ctx context.Context) ([]string, error) {
	var out []string
	err := c.get(ctx, azure.AppOnly, "webhooks", "", "/webhooks/v1/registration/events", nil, &out)
	return out, err
}

// Webhook reads the registration; 404 if there is none.
// https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
func (c *Client) Webhook(ctx context.Context) (WebhookRegistration, error) {
	var out WebhookRegistration
	err := c.get(ctx, azure.AppOnly, "webhooks", "", "/webhooks/v1/registration", nil, &out)
	return out, err
}

// RegisterWebhook makes the registration; 409 if there is one (then update it).
// https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
func (c *Client) RegisterWebhook(ctx context.Context, request azure.RequestID, in WebhookRegistration) (WebhookRegistration, error) {
	var out WebhookRegistration
	_, err := c.send(ctx, azure.AppOnly, request, "webhooks", "", http.MethodPost, "/webhooks/v1/registration", "", in, &out)
	return out, err
}

// UpdateWebhook replaces the registration.
// https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
func (c *Client) UpdateWebhook(ctx context.Context, request azure.RequestID, in WebhookRegistration) (WebhookRegistration, error) {
	var out WebhookRegistration
	_, err := c.send(ctx, azure.AppOnly, request, "webhooks", "", http.MethodPut, "/webhooks/v1/registration", "", in, &out)
	return out, err
}

// WebhookValidation is what became of a test event.
type WebhookValidation struct {
	CorrelationID string `json:"correlationId"`
	PartnerID     string `json:"partnerId"`
	Status        string `json:"status"`
	CallbackURL   string `json:"callbackUrl"`
	Results       []struct {
		ResponseCode    azure.Text `json:"responseCode"`
		ResponseMessage string     `json:"responseMessage"`
		SystemError     bool       `json:"systemError"`
		DateTimeUTC     azure.Time `json:"dateTimeUtc"`
	} `json:"results"`
}

// ValidateWebhook asks for a test event and gives its correlation id; twice a
// minute at most, and test-created must be registered.
// https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
func (c *Client) ValidateWebhook(ctx context.Context, request azure.RequestID) (string, error) {
	var out struct{ CorrelationID string }
	_, err := c.send(ctx, azure.AppOnly, request, "webhookvalidation", "", http.MethodPost, "/webhooks/v1/registration/validationEvents", "", nil, &out)
	return out.CorrelationID, err
}

// WebhookValidation reads what became of a test event; kept for 7 days.
// https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
func (c *Client) WebhookValidation(ctx context.Context, correlation string) (WebhookValidation, error) {
	var out WebhookValidation
	err := c.get(ctx, azure.AppOnly, "webhooks", "", azure.Path("/webhooks/v1/registration/validationEvents/%s", correlation), nil, &out)
	return out, err
}

// Event is a delivery: a hint that something changed. The truth is read with our
// own token.
type Event struct {
	EventName             string
	ResourceURI           string
	ResourceName          string
	AuditURI              string
	ResourceChangeUTCDate azure.Time
}

// ParseEvent reads a delivery whose signature was verified.
func ParseEvent(body []byte) (Event, error) {
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, err
	}
	return e, nil
}

// Key is equal for repeated deliveries of one event; Microsoft tries up to ten times.
func (e Event) Key() string {
	return e.EventName + "|" + e.ResourceURI + "|" + e.ResourceChangeUTCDate.UTC().Format("2006-01-02T15:04:05.999999999Z")
}
