package sim

import (
	"net/http"
	"strings"
	"time"
)

// Member is a user of a customer tenant, beside its first admin.
type Member struct {
	ID, UPN, First, Last, Display, Location string
	Password                                string
	ForceChange                             bool
	Deleted                                 time.Time // kept for 30 days after
}

// RoleMember is a user in a directory role of the customer tenant.
type RoleMember struct{ Role, Member string }

// directoryRoleNames are the roles that a customer tenant lists.
var directoryRoleNames = []struct{ ID, Name string }{
	{RoleGlobalAdmin, "Global Administrator"},
	{"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"},
	{RoleUserAdmin, "User Administrator"},
	{"729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator"},
	{"f023fd81-a637-4b56-95fd-791ac0226033", "Service Support Administrator"},
	{"b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator"},
	{"f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader"},
}

func (s *Server) registerMembers() {
	pc := servicePartnerCenter
	const users, roles = "/v1/customers/{customer}/users", "/v1/customers/{customer}/directoryroles"
	s.on(pc, "GET "+users, needsUser, reads, listMembers)
	s.on(pc, "POST "+users, needsUser, writes, createMember)
	s.on(pc, "GET "+users+"/{user}", needsUser, reads, getMember)
	s.on(pc, "PATCH "+users+"/{user}", needsUser, writes, patchMember)
	s.on(pc, "DELETE "+users+"/{user}", needsUser, writes, deleteMember)
	s.on(pc, "GET "+roles, needsUser, reads, listDirectoryRoles)
	s.on(pc, "GET "+roles+"/{role}/usermembers", needsUser, reads, listRoleMembers)
	s.on(pc, "POST "+roles+"/{role}/usermembers", needsUser, writes, addRoleMember)
	s.on(pc, "DELETE "+roles+"/{role}/usermembers/{user}", needsUser, writes, removeRoleMember)
}

const memberKept = 30 * 24 * time.Hour // a deleted user can be restored so long

// admin is the first global administrator, which is not stored apart.
func (cu *Customer) admin() *Member {
	return &Member{ID: cu.AdminID, UPN: "admin@" + cu.Domain, First: cu.Billing.Address.FirstName, Last: cu.Billing.Address.LastName,
		Display: "admin", Location: cu.Billing.Address.Country, Password: cu.Password}
}

func (cu *Customer) everybody() []*Member { return append([]*Member{cu.admin()}, cu.Members...) }

func (cu *Customer) member(id string) *Member {
	for _, m := range cu.everybody() {
		if strings.EqualFold(m.ID, id) || strings.EqualFold(m.UPN, id) {
			return m
		}
	}
	return nil
}

// memberID is the object id of a user of this tenant, "" if there is none.
func (cu *Customer) memberID(upn string) string {
	if m := cu.member(upn); m != nil {
		return m.ID
	}
	return ""
}

// signsIn checks a name and password of this tenant's users.
func (cu *Customer) signsIn(upn, password string) bool {
	m := cu.member(upn)
	return m != nil && m.Deleted.IsZero() && password != "" && m.Password == password
}

// directory resolves {customer} for calls that work inside its directory: they need
// a directory role through GDAP; reading any, writing user administration.
func (c *call) directory(write bool) (*Customer, *reply) {
	cu, refusal := c.related()
	if refusal != nil {
		return nil, refusal
	}
	roles := c.w.directoryRoles(c.s, cu, c.who.UPN, c.now)
	if len(roles) > 0 && (!write || has(roles, RoleUserAdmin) || has(roles, RoleGlobalAdmin)) {
		return cu, nil
	}
	r := pcError(http.StatusForbidden, 900308, "Insufficient privileges to complete the operation.")
	return nil, &r
}

type memberBody struct {
	Location  string      `json:"usageLocation"`
	ID        string      `json:"id"`
	UPN       string      `json:"userPrincipalName"`
	First     string      `json:"firstName"`
	Last      string      `json:"lastName"`
	Display   string      `json:"displayName"`
	Domain    string      `json:"userDomainType"`
	State     string      `json:"state"`
	Deleted   string      `json:"softDeletionTime,omitempty"`
	Links     *selfLinks  `json:"links,omitempty"`
	Attribute *attributes `json:"attributes"`
}

func (m *Member) body(cu *Customer) memberBody {
	out := memberBody{m.Location, m.ID, m.UPN, m.First, m.Last, m.Display, "managed", "active", "",
		self("/customers/" + cu.ID + "/users/" + m.ID), &attributes{Type: "CustomerUser"}}
	if !m.Deleted.IsZero() {
		out.State, out.Deleted = "inactive", stamp(m.Deleted)
	}
	return out
}

func listMembers(c *call) reply {
	cu, refusal := c.directory(false)
	if refusal != nil {
		return *refusal
	}
	f, refusal := c.readFilter()
	if refusal != nil {
		return *refusal
	}
	inactive := false
	if f != nil {
		inactive = strings.EqualFold(f.Field, "UserStatus") || strings.EqualFold(f.Field, "UserState")
	}
	var out []memberBody
	for _, m := range cu.everybody() {
		if (m.Deleted.IsZero() == inactive) || (inactive && c.now.Sub(m.Deleted) > memberKept) {
			continue
		}
		out = append(out, m.body(cu))
	}
	return ok(listing(out))
}

type memberInput struct {
	Location, UserPrincipalName, FirstName, LastName, DisplayName, State *string
	UsageLocation                                                        *string
	PasswordProfile                                                      *struct {
		Password            string
		ForceChangePassword bool
	}
}

func createMember(c *call) reply {
	cu, refusal := c.directory(true)
	if refusal != nil {
		return *refusal
	}
	var in memberInput
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	upn := deref(in.UserPrincipalName)
	_, domain, _ := strings.Cut(upn, "@")
	switch {
	case foldDomain(domain) != foldDomain(cu.Domain):
		return invalid("The user principal name is not of the customer's domain.", "UserPrincipalName")
	case deref(in.DisplayName) == "", in.PasswordProfile == nil, len(deref(in.UsageLocation)) != 2:
		return invalid("A required property is missing.", "DisplayName", "PasswordProfile", "UsageLocation")
	case cu.member(upn) != nil:
		return pcError(http.StatusConflict, 3000, "Another object with the same value for property userPrincipalName already exists.", "UserPrincipalName")
	}
	m := &Member{ID: c.s.newID(), UPN: upn, First: deref(in.FirstName), Last: deref(in.LastName), Display: *in.DisplayName,
		Location: *in.UsageLocation, Password: in.PasswordProfile.Password, ForceChange: in.PasswordProfile.ForceChangePassword}
	cu.Members = append(cu.Members, m)
	c.effect(cu.ID, "user", m.ID, c.now)
	c.record("customer_user", "create_customer_user", cu, "", map[string]string{"userPrincipalName": m.UPN})
	return created(m.body(cu))
}

// thisMember resolves {user}.
func (c *call) thisMember(write bool) (*Customer, *Member, *reply) {
	cu, refusal := c.directory(write)
	if refusal != nil {
		return nil, nil, refusal
	}
	if m := cu.member(c.param("user")); m != nil && (m.Deleted.IsZero() || c.now.Sub(m.Deleted) <= memberKept) {
		return cu, m, nil
	}
	r := pcError(http.StatusNotFound, 60002, "User object ID isn't found")
	return nil, nil, &r
}

func getMember(c *call) reply {
	cu, m, refusal := c.thisMember(false)
	if refusal != nil {
		return *refusal
	}
	return ok(m.body(cu))
}

// patchMember changes names, resets the password, or restores a deleted user.
func patchMember(c *call) reply {
	cu, m, refusal := c.thisMember(true)
	if refusal != nil {
		return *refusal
	}
	var in memberInput
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	what := "update_customer_user"
	if in.PasswordProfile != nil {
		what = "reset_customer_user_password"
		m.Password, m.ForceChange = in.PasswordProfile.Password, in.PasswordProfile.ForceChangePassword
		if m.ID == cu.AdminID {
			cu.Password = m.Password
		}
	}
	for from, to := range map[*string]*string{in.FirstName: &m.First, in.LastName: &m.Last, in.DisplayName: &m.Display, in.UsageLocation: &m.Location} {
		if from != nil {
			*to = *from
		}
	}
	if strings.EqualFold(deref(in.State), "active") && !m.Deleted.IsZero() {
		m.Deleted, what = time.Time{}, "restore_customer_user"
	}
	c.effect(cu.ID, "user", m.ID, c.now)
	c.record("customer_user", what, cu, "", map[string]string{"userPrincipalName": m.UPN})
	return ok(m.body(cu))
}

func deleteMember(c *call) reply {
	cu, m, refusal := c.thisMember(true)
	if refusal != nil {
		return *refusal
	}
	if m.ID == cu.AdminID {
		return pcError(http.StatusForbidden, 900308, "Insufficient privileges to complete the operation.")
	}
	m.Deleted = c.now
	c.record("customer_user", "delete_customer_user", cu, m.UPN, nil)
	return empty(http.StatusNoContent)
}

type roleBody struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Attribute *attributes `json:"attributes"`
}

func listDirectoryRoles(c *call) reply {
	if _, refusal := c.directory(false); refusal != nil {
		return *refusal
	}
	var out []roleBody
	for _, r := range directoryRoleNames {
		out = append(out, roleBody{r.ID, r.Name, &attributes{Type: "DirectoryRole"}})
	}
	return ok(listing(out))
}

type roleMemberBody struct {
	Display   string      `json:"displayName"`
	UPN       string      `json:"userPrincipalName"`
	Role      string      `json:"roleId"`
	ID        string      `json:"id"`
	Attribute *attributes `json:"attributes"`
}

func (c *call) thisRole(write bool) (*Customer, string, *reply) {
	cu, refusal := c.directory(write)
	if refusal != nil {
		return nil, "", refusal
	}
	for _, r := range directoryRoleNames {
		if strings.EqualFold(r.ID, c.param("role")) {
			return cu, r.ID, nil
		}
	}
	r := pcError(http.StatusNotFound, 1000, "Not found")
	return nil, "", &r
}

func listRoleMembers(c *call) reply {
	cu, role, refusal := c.thisRole(false)
	if refusal != nil {
		return *refusal
	}
	var out []roleMemberBody
	for _, m := range cu.everybody() {
		in := role == RoleGlobalAdmin && m.ID == cu.AdminID
		in = in || has(cu.RoleMembers, RoleMember{role, m.ID})
		if in && m.Deleted.IsZero() {
			out = append(out, roleMemberBody{m.Display, m.UPN, role, m.ID, &attributes{Type: "UserMember"}})
		}
	}
	return ok(listing(out))
}

func addRoleMember(c *call) reply {
	cu, role, refusal := c.thisRole(true)
	if refusal != nil {
		return *refusal
	}
	var in struct{ ID string }
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	m := cu.member(in.ID)
	if m == nil || !m.Deleted.IsZero() {
		return pcError(http.StatusNotFound, 60002, "User object ID isn't found")
	}
	if rm := (RoleMember{role, m.ID}); !has(cu.RoleMembers, rm) {
		cu.RoleMembers = append(cu.RoleMembers, rm)
	}
	c.record("customer_directory_role", "update_customer_user", cu, "", map[string]string{"roleId": role, "userId": m.ID})
	return created(roleMemberBody{m.Display, m.UPN, role, m.ID, &attributes{Type: "UserMember"}})
}

func removeRoleMember(c *call) reply {
	cu, role, refusal := c.thisRole(true)
	if refusal != nil {
		return *refusal
	}
	for i, rm := range cu.RoleMembers {
		if rm.Role == role && strings.EqualFold(rm.Member, c.param("user")) {
			cu.RoleMembers = append(cu.RoleMembers[:i], cu.RoleMembers[i+1:]...)
			return empty(http.StatusNoContent)
		}
	}
	return pcError(http.StatusNotFound, 60002, "User object ID isn't found")
}
