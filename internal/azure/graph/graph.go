// Package graph is the client of the part of Microsoft Graph that gives a partner
// rights in its customers' directories: granular delegated admin privileges
// (GDAP). It speaks Microsoft's language and decides nothing. All calls are made
// in the name of the partner's user: these take no application alone.
package graph

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"causeway/internal/azure"
)

// Client calls Microsoft Graph with tokens of the partner's tenant.
type Client struct{ pipe *azure.Pipe }

// New makes the client; the pipe brings the tokens (see azure.Pipe.With).
func New(pipe *azure.Pipe) *Client { return &Client{pipe} }

const root = "/v1.0/tenantRelationships/delegatedAdminRelationships"

// Template ids of the directory roles that matter here.
const (
	RoleGlobalAdministrator           = "62e90394-69f5-4237-9190-012177145e10"
	RoleDirectoryReaders              = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
	RoleGlobalReader                  = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	RoleUserAdministrator             = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	RoleHelpdeskAdministrator         = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
	RolePrivilegedRoleAdministrator   = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	RoleApplicationAdministrator      = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	RoleCloudApplicationAdministrator = "158c047a-c907-4556-b7ef-446551a6b5f7"
	RoleServiceSupportAdministrator   = "f023fd81-a637-4b56-95fd-791ac0226033"
	RoleLicenseAdministrator          = "4d6ac14f-3453-41d0-bef9-a3e0c569773a"
)

// Statuses of a relationship.
const (
	StatusCreated         = "created"
	StatusApprovalPending = "approvalPending"
	StatusApproved        = "approved"
	StatusActivating      = "activating"
	StatusActive          = "active"
	StatusExpired         = "expired"
	StatusTerminated      = "terminated"
)

// Statuses of an access assignment.
const (
	AssignmentPending  = "pending"
	AssignmentActive   = "active"
	AssignmentDeleting = "deleting"
	AssignmentDeleted  = "deleted"
	AssignmentError    = "error"
)

// Relationship is a customer's consent to some directory roles for a time.
type Relationship struct {
	ID                   string        `json:"id,omitempty"`
	ETag                 string        `json:"@odata.etag,omitempty"`
	DisplayName          string        `json:"displayName,omitempty"` // at most 50 characters, unique
	Duration             string        `json:"duration,omitempty"`    // ISO 8601, P1D to P2Y
	Customer             *Customer     `json:"customer,omitempty"`
	AccessDetails        AccessDetails `json:"accessDetails,omitzero"`
	Status               string        `json:"status,omitempty"`
	AutoExtendDuration   string        `json:"autoExtendDuration,omitempty"` // P0D, PT0S or P180D
	CreatedDateTime      azure.Time    `json:"createdDateTime,omitzero"`
	LastModifiedDateTime azure.Time    `json:"lastModifiedDateTime,omitzero"`
	ActivatedDateTime    azure.Time    `json:"activatedDateTime,omitzero"`
	EndDateTime          azure.Time    `json:"endDateTime,omitzero"`
}

// Customer is the tenant that the relationship is with.
type Customer struct {
	TenantID    string `json:"tenantId"`
	DisplayName string `json:"displayName,omitempty"`
}

// AccessDetails are directory roles.
type AccessDetails struct {
	UnifiedRoles []UnifiedRole `json:"unifiedRoles"`
}

// UnifiedRole names a directory role by its template id.
type UnifiedRole struct {
	RoleDefinitionID string `json:"roleDefinitionId"`
}

// Roles makes access details of template ids.
func Roles(ids ...string) AccessDetails {
	var a AccessDetails
	for _, id := range ids {
		a.UnifiedRoles = append(a.UnifiedRoles, UnifiedRole{id})
	}
	return a
}

// Has tells whether all the roles are in it.
func (a AccessDetails) Has(ids ...string) bool {
	for _, id := range ids {
		found := false
		for _, r := range a.UnifiedRoles {
			found = found || azure.SameID(r.RoleDefinitionID, id)
		}
		if !found {
			return false
		}
	}
	return true
}

// Request asks for a move in a relationship's life.
type Request struct {
	ID                   string     `json:"id,omitempty"`
	Action               string     `json:"action"`           // lockForApproval, approve, reject, terminate
	Status               string     `json:"status,omitempty"` // created, pending, succeeded, failed
	CreatedDateTime      azure.Time `json:"createdDateTime,omitzero"`
	LastModifiedDateTime azure.Time `json:"lastModifiedDateTime,omitzero"`
}

// Actions of a request.
const (
	ActionLockForApproval = "lockForApproval"
	ActionTerminate       = "terminate"
)

// AccessAssignment gives roles of a relationship to a group of the partner.
type AccessAssignment struct {
	ID                   string          `json:"id,omitempty"`
	ETag                 string          `json:"@odata.etag,omitempty"`
	AccessContainer      AccessContainer `json:"accessContainer,omitzero"`
	AccessDetails        AccessDetails   `json:"accessDetails,omitzero"`
	Status               string          `json:"status,omitempty"`
	CreatedDateTime      azure.Time      `json:"createdDateTime,omitzero"`
	LastModifiedDateTime azure.Time      `json:"lastModifiedDateTime,omitzero"`
}

// AccessContainer is a security group of the partner's tenant.
type AccessContainer struct {
	AccessContainerID   string `json:"accessContainerId"`
	AccessContainerType string `json:"accessContainerType"` // securityGroup
}

// Operation is a long change.
type Operation struct {
	ID                   string     `json:"id"`
	Status               string     `json:"status"` // notStarted, running, succeeded, failed
	OperationType        string     `json:"operationType"`
	Data                 string     `json:"data"`
	CreatedDateTime      azure.Time `json:"createdDateTime,omitzero"`
	LastModifiedDateTime azure.Time `json:"lastModifiedDateTime,omitzero"`
}

// Accepted is a change that Microsoft makes later.
type Accepted struct {
	Later       bool          // false: it is done
	OperationID string        // of Location, to ask for with Operation
	After       time.Duration // when to ask, 0 = not said
}

func (c *Client) do(ctx context.Context, request azure.RequestID, method, path, etag string, q url.Values, in, out any, empty bool) (azure.Answer, error) {
	h := http.Header{}
	if etag != "" {
		h.Set("If-Match", etag)
	}
	return c.pipe.Do(ctx, azure.Call{
		Service: azure.Graph, As: azure.AppUser, Group: "gdap", Method: method, Path: path, Query: q, Header: h,
		Request: request, In: in, Out: out, Empty: empty,
	})
}

func list[T any](ctx context.Context, c *Client, path string, q url.Values) ([]T, error) {
	return azure.List[T](ctx, c.pipe, azure.Call{Service: azure.Graph, As: azure.AppUser, Group: "gdap", Method: http.MethodGet, Path: path, Query: q})
}

// Relationships lists relationships; filter is OData, e.g. "status eq 'active'".
// https://learn.microsoft.com/graph/api/tenantrelationship-list-delegatedadminrelationships
func (c *Client) Relationships(ctx context.Context, filter string) ([]Relationship, error) {
	q := url.Values{"$top": {"300"}}
	if filter != "" {
		q.Set("$filter", filter)
	}
	return list[Relationship](ctx, c, root, q)
}

// RelationshipsOf lists the relationships with one customer.
// https://learn.microsoft.com/graph/api/tenantrelationship-list-delegatedadminrelationships
func (c *Client) RelationshipsOf(ctx context.Context, customer string) ([]Relationship, error) {
	found, err := c.Relationships(ctx, "customer/tenantId eq '"+strings.ReplaceAll(customer, "'", "''")+"'")
	if err != nil {
		return nil, err
	}
	var own []Relationship // a service that ignores the filter must not give us a stranger's
	for _, r := range found {
		if r.Customer != nil && azure.SameID(r.Customer.TenantID, customer) {
			own = append(own, r)
		}
	}
	return own, nil
}

// Relationship reads one relationship.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-get
func (c *Client) Relationship(ctx context.Context, id string) (Relationship, error) {
	var out Relationship
	a, err := c.do(ctx, "", http.MethodGet, azure.Path(root+"/%s", id), "", nil, nil, &out, false)
	if out.ETag == "" {
		out.ETag = a.ETag()
	}
	return out, err
}

// CreateRelationship makes a relationship in state created: it is to be locked,
// then a global administrator of the customer approves it (see ApprovalURL).
// https://learn.microsoft.com/graph/api/tenantrelationship-post-delegatedadminrelationships
func (c *Client) CreateRelationship(ctx context.Context, request azure.RequestID, in Relationship) (Relationship, error) {
	var out Relationship
	_, err := c.do(ctx, request, http.MethodPost, root, "", nil, in, &out, false)
	return out, err
}

// UpdateRelationship changes a relationship that is only created.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-update
func (c *Client) UpdateRelationship(ctx context.Context, request azure.RequestID, id, etag string, change Relationship) (Relationship, error) {
	var out Relationship
	change.ID, change.ETag = "", ""
	_, err := c.do(ctx, request, http.MethodPatch, azure.Path(root+"/%s", id), etag, nil, change, &out, true)
	return out, err
}

// DeleteRelationship deletes a relationship that is only created.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-delete
func (c *Client) DeleteRelationship(ctx context.Context, request azure.RequestID, id, etag string) error {
	_, err := c.do(ctx, request, http.MethodDelete, azure.Path(root+"/%s", id), etag, nil, nil, nil, true)
	return err
}

// RequestAction asks for a move: lockForApproval or terminate. The lock wants the
// relationship's etag (seen in use, not documented).
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-requests
func (c *Client) RequestAction(ctx context.Context, request azure.RequestID, id, etag, action string) (Request, error) {
	var out Request
	_, err := c.do(ctx, request, http.MethodPost, azure.Path(root+"/%s/requests", id), etag, nil, Request{Action: action}, &out, false)
	return out, err
}

// LockForApproval freezes a relationship so that the customer can approve it.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-requests
func (c *Client) LockForApproval(ctx context.Context, request azure.RequestID, id, etag string) (Request, error) {
	return c.RequestAction(ctx, request, id, etag, ActionLockForApproval)
}

// Requests lists the moves that were asked for.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-list-requests
func (c *Client) Requests(ctx context.Context, id string) ([]Request, error) {
	return list[Request](ctx, c, azure.Path(root+"/%s/requests", id), nil)
}

// Request reads one of them.
// https://learn.microsoft.com/graph/api/delegatedadminrelationshiprequest-get
func (c *Client) Request(ctx context.Context, id, action string) (Request, error) {
	var out Request
	_, err := c.do(ctx, "", http.MethodGet, azure.Path(root+"/%s/requests/%s", id, action), "", nil, nil, &out, false)
	return out, err
}

// ApprovalURL is the page on which the customer's global administrator approves;
// unanswered it expires after 90 days.
func ApprovalURL(id string) string {
	return "https://admin.microsoft.com/AdminPortal/Home#/partners/invitation/granularAdminRelationships/" + url.PathEscape(id)
}

// AccessAssignments lists who of the partner has which roles of a relationship.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-list-accessassignments
func (c *Client) AccessAssignments(ctx context.Context, relationship string) ([]AccessAssignment, error) {
	return list[AccessAssignment](ctx, c, azure.Path(root+"/%s/accessAssignments", relationship), nil)
}

// AccessAssignment reads one assignment.
// https://learn.microsoft.com/graph/api/delegatedadminaccessassignment-get
func (c *Client) AccessAssignment(ctx context.Context, relationship, id string) (AccessAssignment, error) {
	var out AccessAssignment
	a, err := c.do(ctx, "", http.MethodGet, azure.Path(root+"/%s/accessAssignments/%s", relationship, id), "", nil, nil, &out, false)
	if out.ETag == "" {
		out.ETag = a.ETag()
	}
	return out, err
}

// CreateAccessAssignment gives roles of the relationship to a security group of
// the partner. Up to 8 minutes after the activation it can fail ("access
// container does not exist"). It has no idempotency: read before it is repeated.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-accessassignments
func (c *Client) CreateAccessAssignment(ctx context.Context, request azure.RequestID, relationship, group string, roles AccessDetails) (AccessAssignment, error) {
	in := AccessAssignment{AccessContainer: AccessContainer{AccessContainerID: group, AccessContainerType: "securityGroup"}, AccessDetails: roles}
	var out AccessAssignment
	_, err := c.do(ctx, request, http.MethodPost, azure.Path(root+"/%s/accessAssignments", relationship), "", nil, in, &out, false)
	return out, err
}

// UpdateAccessAssignment changes an assignment's roles; Microsoft mostly does it
// later and tells the operation to ask for.
// https://learn.microsoft.com/graph/api/delegatedadminaccessassignment-update
func (c *Client) UpdateAccessAssignment(ctx context.Context, request azure.RequestID, relationship, id, etag string, roles AccessDetails) (Accepted, error) {
	in := struct {
		AccessDetails AccessDetails `json:"accessDetails"`
	}{roles}
	a, err := c.do(ctx, request, http.MethodPatch, azure.Path(root+"/%s/accessAssignments/%s", relationship, id), etag, nil, in, nil, true)
	return accepted(a), err
}

// DeleteAccessAssignment takes the roles from the group, later.
// https://learn.microsoft.com/graph/api/delegatedadminaccessassignment-delete
func (c *Client) DeleteAccessAssignment(ctx context.Context, request azure.RequestID, relationship, id, etag string) (Accepted, error) {
	a, err := c.do(ctx, request, http.MethodDelete, azure.Path(root+"/%s/accessAssignments/%s", relationship, id), etag, nil, nil, nil, true)
	return accepted(a), err
}

func accepted(a azure.Answer) Accepted {
	out := Accepted{Later: a.Status == http.StatusAccepted, After: a.RetryAfter}
	if a.Header != nil {
		if _, id, ok := strings.Cut(a.Header.Get("Location"), "/operations/"); ok {
			out.OperationID = strings.Trim(id, "/')")
		}
	}
	return out
}

// Operation reads how far a long change is.
// https://learn.microsoft.com/graph/api/delegatedadminrelationshipoperation-get
func (c *Client) Operation(ctx context.Context, relationship, id string) (Operation, error) {
	var out Operation
	_, err := c.do(ctx, "", http.MethodGet, azure.Path(root+"/%s/operations/%s", relationship, id), "", nil, nil, &out, false)
	return out, err
}

// Operations lists the long changes of a relationship.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-list-operations
func (c *Client) Operations(ctx context.Context, relationship string) ([]Operation, error) {
	return list[Operation](ctx, c, azure.Path(root+"/%s/operations", relationship), nil)
}
