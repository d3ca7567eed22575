package partnercenter

import (
	"context"
	"net/http"
	"strings"

	"causeway/internal/azure"
)

// Applications of Microsoft that a consent can open.
const (
	AppAzureManagement = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
	AppMicrosoftGraph  = "00000003-0000-0000-c000-000000000000"
	AppPartnerCenter   = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"
)

// ApplicationConsent lets our application into a customer's tenant.
type ApplicationConsent struct {
	ApplicationID     string             `json:"applicationId"` // must be the token's own application
	DisplayName       string             `json:"displayName,omitempty"`
	ApplicationGrants []ApplicationGrant `json:"applicationGrants"`
}

// ApplicationGrant opens one of Microsoft's applications. Scope is a list with
// commas: "Directory.Read.All,User.Read".
type ApplicationGrant struct {
	EnterpriseApplicationID string `json:"enterpriseApplicationId"`
	Scope                   string `json:"scope"`
}

// Consent makes our application's service principal and its grants in a
// customer's tenant. The user needs, by GDAP, Cloud Application Administrator or
// a role above it. A consent that is there already counts as done (done = true
// without a new one). Tokens of that tenant must be dropped afterwards.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
func (c *Client) Consent(ctx context.Context, request azure.RequestID, customer string, in ApplicationConsent) (existed bool, err error) {
	_, err = c.send(ctx, azure.AppUser, request, "applicationconsents", customer, http.MethodPost, azure.Path("/v1/customers/%s/applicationconsents", customer), "", in, nil)
	if e := azure.AsError(err); e != nil && e.Status >= 400 && e.Status < 500 && strings.Contains(strings.ToLower(e.Message+e.Raw), "permission entry already exists") {
		return true, nil
	}
	return false, err
}

// WithdrawConsent removes our application from a customer's tenant.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
func (c *Client) WithdrawConsent(ctx context.Context, request azure.RequestID, customer, application string) error {
	_, err := c.send(ctx, azure.AppUser, request, "applicationconsents", customer, http.MethodDelete, azure.Path("/v1/customers/%s/applicationconsents/%s", customer, application), "", nil, nil)
	return err
}
