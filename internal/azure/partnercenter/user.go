package partnercenter

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"causeway/internal/azure"
)

// CustomerUser is a person in a customer's tenant.
type CustomerUser struct {
	ID                string           `json:"id,omitempty"`
	UsageLocation     string           `json:"usageLocation,omitempty"` // ISO 3166-1 alpha-2
	UserPrincipalName string           `json:"userPrincipalName,omitempty"`
	FirstName         string           `json:"firstName,omitempty"`
	LastName          string           `json:"lastName,omitempty"`
	DisplayName       string           `json:"displayName,omitempty"`
	PhoneNumber       string           `json:"phoneNumber,omitempty"`
	PasswordProfile   *PasswordProfile `json:"passwordProfile,omitempty"`
	UserDomainType    string           `json:"userDomainType,omitempty"`
	State             string           `json:"state,omitempty"` // active, inactive
	SoftDeletionTime  azure.Time       `json:"softDeletionTime,omitzero"`
	Attributes        Attributes       `json:"attributes,omitzero"`
}

// PasswordProfile sets a person's password.
type PasswordProfile struct {
	Password            azure.Secret `json:"password"`
	ForceChangePassword bool         `json:"forceChangePassword"`
}

// wirePassword carries the password to Microsoft, which a PasswordProfile in JSON
// hides everywhere else.
type wirePassword struct {
	Password            string `json:"password"`
	ForceChangePassword bool   `json:"forceChangePassword"`
}

// wire is the user as it is sent.
func (u CustomerUser) wire() (json.RawMessage, error) {
	p := u.PasswordProfile
	u.PasswordProfile = nil
	b, err := json.Marshal(u)
	if err != nil || p == nil {
		return b, err
	}
	return overlay(b, map[string]any{"passwordProfile": wirePassword{p.Password.Reveal(), p.ForceChangePassword}})
}

// Users lists the people of a customer's tenant; it needs GDAP. Deleted ones are
// found for 30 days with the filter UserStatus equals Inactive.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-all-user-accounts-for-a-customer
func (c *Client) Users(ctx context.Context, customer string, size int, filter Filter) iter.Seq2[CustomerUser, error] {
	q := url.Values{}
	if size > 0 {
		q.Set("size", strconv.Itoa(size))
	}
	if err := filter.query(q); err != nil {
		return failed[CustomerUser](err)
	}
	return pages[CustomerUser](ctx, c, azure.AppUser, "users", customer, azure.Path("/v1/customers/%s/users", customer), q)
}

// User reads one person.
// https://learn.microsoft.com/partner-center/developer/get-a-user-account-by-id
func (c *Client) User(ctx context.Context, customer, id string) (CustomerUser, error) {
	var out CustomerUser
	err := c.get(ctx, azure.AppUser, "users", customer, azure.Path("/v1/customers/%s/users/%s", customer, id), nil, &out)
	return out, err
}

// CreateUser makes a person's account.
// https://learn.microsoft.com/partner-center/developer/create-user-accounts-for-a-customer
func (c *Client) CreateUser(ctx context.Context, request azure.RequestID, customer string, in CustomerUser) (CustomerUser, error) {
	body, err := in.wire()
	if err != nil {
		return CustomerUser{}, azure.NotSent(err)
	}
	var out CustomerUser
	_, err = c.send(ctx, azure.AppUser, request, "users", customer, http.MethodPost, azure.Path("/v1/customers/%s/users", customer), "", body, &out)
	return out, err
}

// UpdateUser changes a person's account: a new password, or state "active" to
// restore a deleted one.
// https://learn.microsoft.com/partner-center/developer/update-user-accounts-for-a-customer
func (c *Client) UpdateUser(ctx context.Context, request azure.RequestID, customer, id string, in CustomerUser) (CustomerUser, error) {
	in.Attributes.ObjectType = "CustomerUser"
	body, err := in.wire()
	if err != nil {
		return CustomerUser{}, azure.NotSent(err)
	}
	var out CustomerUser
	_, err = c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: azure.AppUser, Group: "users", Customer: customer, Method: http.MethodPatch,
		Path: azure.Path("/v1/customers/%s/users/%s", customer, id), Request: request, In: body, Out: &out, Empty: true,
	})
	return out, err
}

// DeleteUser deletes a person's account; it can be restored for 30 days.
// https://learn.microsoft.com/partner-center/developer/delete-a-user-account-for-a-customer
func (c *Client) DeleteUser(ctx context.Context, request azure.RequestID, customer, id string) error {
	_, err := c.send(ctx, azure.AppUser, request, "users", customer, http.MethodDelete, azure.Path("/v1/customers/%s/users/%s", customer, id), "", nil, nil)
	return err
}

// DirectoryRole is a role in a customer's tenant.
type DirectoryRole struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// UserMember is a person who holds a directory role.
type UserMember struct {
	ID                string     `json:"id"`
	DisplayName       string     `json:"displayName,omitempty"`
	UserPrincipalName string     `json:"userPrincipalName,omitempty"`
	RoleID            string     `json:"roleId,omitempty"`
	Attributes        Attributes `json:"attributes,omitzero"`
}

// DirectoryRoles lists the roles of a customer's tenant.
// https://learn.microsoft.com/partner-center/developer/set-user-roles-for-a-customer
func (c *Client) DirectoryRoles(ctx context.Context, customer string) ([]DirectoryRole, error) {
	return all(pages[DirectoryRole](ctx, c, azure.AppUser, "directoryroles", customer, azure.Path("/v1/customers/%s/directoryroles", customer), nil))
}

// RoleMembers lists who holds a directory role.
// https://learn.microsoft.com/partner-center/developer/get-user-roles-for-a-customer
func (c *Client) RoleMembers(ctx context.Context, customer, role string) ([]UserMember, error) {
	return all(pages[UserMember](ctx, c, azure.AppUser, "directoryroles", customer, azure.Path("/v1/customers/%s/directoryroles/%s/usermembers", customer, role), nil))
}

// AddRoleMember gives a person a directory role.
// https://learn.microsoft.com/partner-center/developer/set-user-roles-for-a-customer
func (c *Client) AddRoleMember(ctx context.Context, request azure.RequestID, customer, role string, in UserMember) error {
	_, err := c.send(ctx, azure.AppUser, request, "directoryroles", customer, http.MethodPost, azure.Path("/v1/customers/%s/directoryroles/%s/usermembers", customer, role), "", in, nil)
	return err
}

// RemoveRoleMember takes a directory role from a person.
// https://learn.microsoft.com/partner-center/developer/remove-a-customer-user-from-a-role
func (c *Client) RemoveRoleMember(ctx context.Context, request azure.RequestID, customer, role, user string) error {
	_, err := c.send(ctx, azure.AppUser, request, "directoryroles", customer, http.MethodDelete, azure.Path("/v1/customers/%s/directoryroles/%s/usermembers/%s", customer, role, user), "", nil, nil)
	return err
}
