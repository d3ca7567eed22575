// Package arm is the client of Azure Resource Manager: billing scopes, new
// subscriptions, access, policy. It speaks Microsoft's language and decides
// nothing. A client is bound to one tenant and one identity, because a token of
// the partner's tenant does not open a customer's subscription (see In).
package arm

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"causeway/internal/azure"
	"causeway/internal/fault"

	"github.com/google/uuid"
)

// Client calls Azure Resource Manager in the name of one identity of one tenant.
type Client struct {
	pipe   *azure.Pipe
	tenant string
	as     azure.Identity
}

// New makes the client of the partner's own tenant, in the name of its user:
// billing scopes and subscription aliases take no application alone. The pipe
// brings the tokens (see azure.Pipe.With).
func New(pipe *azure.Pipe) *Client { return &Client{pipe: pipe, as: azure.AppUser} }

// In gives the client of another tenant and identity: AppUser while a customer is
// being set up, AppOnly (our principal there) for daily work afterwards.
func (c *Client) In(tenant string, as azure.Identity) *Client {
	return &Client{pipe: c.pipe, tenant: tenant, as: as}
}

// API versions, each the newest whose contract we have read.
const (
	vBilling      = "2020-05-01"
	vAlias        = "2021-10-01"
	vSubscription = "2022-12-01"
	vResources    = "2021-04-01"
	vAccess       = "2022-04-01"
	vPolicy       = "2023-04-01"
	vInsights     = "2022-03-01"
)

type call struct {
	request azure.RequestID
	method  string
	path    string
	version string
	query   url.Values
	in, out any
	empty   bool
}

func (c *Client) do(ctx context.Context, x call) (azure.Answer, error) {
	return c.pipe.Do(ctx, c.wire(x))
}

// wire is the call as the pipe wants it, with the limit it counts against.
func (c *Client) wire(x call) azure.Call {
	q := url.Values{"api-version": {x.version}}
	for name, values := range x.query {
		q[name] = values
	}
	group := "writes"
	switch {
	case x.method == http.MethodGet:
		group = "reads"
	case x.method == http.MethodDelete:
		group = "deletes"
	case strings.Contains(x.path, "/Microsoft.Subscription/aliases"):
		group = "aliases" // throttled far below other writes
	}
	return azure.Call{
		Service: azure.ARM, As: c.as, Tenant: c.tenant, Group: group, Customer: owner(x.path, c.tenant),
		Method: x.method, Path: x.path, Query: q, Request: x.request, In: x.in, Out: x.out, Empty: x.empty,
	}
}

// owner is whose limit a call counts against: the subscription's, else the tenant's.
func owner(path, tenant string) string {
	if rest, ok := strings.CutPrefix(path, "/subscriptions/"); ok {
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	return tenant
}

func list[T any](ctx context.Context, c *Client, path, version string, q url.Values) ([]T, error) {
	return azure.List[T](ctx, c.pipe, c.wire(call{method: http.MethodGet, path: path, version: version, query: q}))
}

// under puts a path below a scope such as /subscriptions/{id}. A scope that is
// none makes a path that the pipe refuses.
func under(scope, pattern string, ids ...string) string {
	scope = strings.TrimRight(scope, "/")
	if !strings.HasPrefix(scope, "/") || strings.ContainsAny(scope, "?#%") || strings.Contains(scope, "/../") {
		scope = "//"
	}
	return scope + azure.Path(pattern, ids...)
}

// SubscriptionScope is the scope of one subscription.
func SubscriptionScope(id string) string { return "/subscriptions/" + id }

// names is the name space of all names that we derive. It never changes: names
// at Microsoft are found again by it.
var names = uuid.MustParse("6f1f5e0a-9d55-5c0f-8f4e-1f1b7a2f6c31")

// Name derives a GUID from what makes a thing what it is, so that a repeated PUT
// meets itself. Case does not matter.
func Name(parts ...string) string {
	return uuid.NewSHA1(names, []byte(strings.ToLower(strings.Join(parts, "|")))).String()
}

// AssignmentName is the name of a role assignment: the same for the same scope,
// principal and role, whichever way the role is written.
func AssignmentName(scope, principal, role string) string {
	return Name("roleAssignment", strings.TrimRight(scope, "/"), principal, last(role))
}

// RoleDefinitionName is the name of a custom role of one tenant.
func RoleDefinitionName(tenant, role string) string { return Name("roleDefinition", tenant, role) }

// AliasName is the name of the alias of a subscription that we mean to create,
// derived from our own id of it.
func AliasName(id string) string { return Name("alias", id) }

// PolicyAssignmentName is the name of a policy assignment of ours: at most 24
// characters, which management groups require.
func PolicyAssignmentName(scope, policy string) string {
	return "cw-" + strings.ReplaceAll(Name("policyAssignment", strings.TrimRight(scope, "/"), policy), "-", "")[:20]
}

// last is the last part of a resource id.
func last(id string) string { return id[strings.LastIndex(id, "/")+1:] }

// SameResource compares resource ids as Azure does: without case.
func SameResource(a, b string) bool {
	return strings.EqualFold(strings.Trim(a, "/"), strings.Trim(b, "/"))
}

// issuers are the two of a message InvalidAuthenticationTokenTenant: the token's,
// then the subscription's.
var issuers = regexp.MustCompile(`https://sts\.[^/'"\s]+/([0-9a-fA-F-]{36})`)

// RightTenant reads the tenant whose token Azure wants from an error
// InvalidAuthenticationTokenTenant, which names it in its challenge and in its
// message; "" if the error does not say.
func RightTenant(err error) string {
	e := azure.AsError(err)
	if e == nil || !strings.EqualFold(e.Code, "InvalidAuthenticationTokenTenant") {
		return ""
	}
	if _, rest, ok := strings.Cut(e.Challenge, "authorization_uri="); ok {
		place, _, _ := strings.Cut(strings.TrimLeft(rest, `"`), `"`)
		place, _, _ = strings.Cut(place, ",")
		if u, err := url.Parse(strings.TrimSpace(place)); err == nil {
			if tenant, _, _ := strings.Cut(strings.Trim(u.Path, "/"), "/"); tenant != "" && tenant != "common" {
				return tenant
			}
		}
	}
	if found := issuers.FindAllStringSubmatch(e.Message, -1); len(found) == 2 {
		return found[1][1]
	}
	return ""
}

// BillingAccount is a billing relationship with Microsoft.
type BillingAccount struct {
	ID         string `json:"id"`
	Name       string `json:"name"` // {guid}:{guid}_2019-05-31
	Type       string `json:"type"`
	Properties struct {
		DisplayName   string `json:"displayName"`
		AgreementType string `json:"agreementType"`
		AccountType   string `json:"accountType"`
		AccountStatus string `json:"accountStatus"`
		HasReadAccess bool   `json:"hasReadAccess"`
	} `json:"properties"`
}

// IsPartner tells the account of the partner agreement, the one that can have
// customers, from others.
func (b BillingAccount) IsPartner() bool {
	return azure.SameWord(b.Properties.AgreementType, "MicrosoftPartnerAgreement")
}

// BillingCustomer is a customer with an Azure plan. Its name is its tenant id.
type BillingCustomer struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Properties struct {
		DisplayName        string        `json:"displayName"`
		BillingProfileID   string        `json:"billingProfileId"`
		Status             string        `json:"status"`
		EnabledAzurePlans  []EnabledPlan `json:"enabledAzurePlans"`
		Resellers          []Reseller    `json:"resellers"`
		BillingProfileName string        `json:"billingProfileDisplayName"`
	} `json:"properties"`
}

// EnabledPlan is an Azure plan: SKU 0001, or 0002 for dev/test.
type EnabledPlan struct {
	SKUID          string `json:"skuId"`
	SKUDescription string `json:"skuDescription"`
	ProductID      string `json:"productId"`
}

// Reseller is an indirect reseller of a customer.
type Reseller struct {
	ResellerID  azure.Text `json:"resellerId"`
	Description string     `json:"description"`
}

// BillingAccounts lists the billing accounts that the user can see.
// https://learn.microsoft.com/rest/api/billing/billing-accounts/list
func (c *Client) BillingAccounts(ctx context.Context) ([]BillingAccount, error) {
	return list[BillingAccount](ctx, c, "/providers/Microsoft.Billing/billingAccounts", vBilling, nil)
}

// BillingCustomers lists the customers of a billing account; one without an Azure
// plan is not there, a new one appears minutes after its order.
// https://learn.microsoft.com/rest/api/billing/customers/list-by-billing-account
func (c *Client) BillingCustomers(ctx context.Context, account string) ([]BillingCustomer, error) {
	return list[BillingCustomer](ctx, c, azure.Path("/providers/Microsoft.Billing/billingAccounts/%s/customers", account), vBilling, nil)
}

// BillingCustomer reads one customer with its plans and resellers.
// https://learn.microsoft.com/rest/api/billing/customers/get
func (c *Client) BillingCustomer(ctx context.Context, account, tenant string) (BillingCustomer, error) {
	var raw json.RawMessage
	_, err := c.do(ctx, call{
		method: http.MethodGet, path: azure.Path("/providers/Microsoft.Billing/billingAccounts/%s/customers/%s", account, tenant),
		version: vBilling, query: url.Values{"$expand": {"enabledAzurePlans,resellers"}}, out: &raw,
	})
	if err != nil {
		return BillingCustomer{}, err
	}
	var wrapped struct{ Value []BillingCustomer } // one page's sample answers so
	if json.Unmarshal(raw, &wrapped) == nil && len(wrapped.Value) > 0 {
		return wrapped.Value[0], nil
	}
	var out BillingCustomer
	if err := json.Unmarshal(raw, &out); err != nil {
		return BillingCustomer{}, fault.New(fault.Unavailable, "Azure Resource Manager sent a billing customer that cannot be read").Because(err)
	}
	return out, nil
}

// BillingScope is the scope under which a customer's subscriptions are created.
func BillingScope(account, tenant string) string {
	return azure.Path("/providers/Microsoft.Billing/billingAccounts/%s/customers/%s", account, tenant)
}
