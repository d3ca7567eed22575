package sim

import "time"

// defaultRoles are the 11 directory roles of the relationship that a new customer
// of a direct-bill partner is born with (arm.md §4), by their template ids.
var defaultRoles = []string{
	"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", // Directory readers
	"9360feb5-f418-4baa-8175-e2a00bac4301", // Directory writers
	"4d6ac14f-3453-41d0-bef9-a3e0c569773a", // License administrator
	"f023fd81-a637-4b56-95fd-791ac0226033", // Service support administrator
	"fe930be7-5e62-47db-91af-98c3a49a38b1", // User administrator
	"e8611ab8-c189-46e8-94e1-60213ab1f814", // Privileged role administrator
	"729827e3-9c14-49f7-bb1b-9608f156bbb8", // Helpdesk administrator
	"7be44c8a-adaf-4e2a-84d6-ab2649e08a13", // Privileged authentication administrator
	RoleCloudApplicationAdmin,
	RoleApplicationAdmin,
	"f2ef992c-3afb-46b9-b7cf-a126ee74c451", // Global reader
}

// Directory roles that open application consent.
const (
	RoleCloudApplicationAdmin = "158c047a-c907-4556-b7ef-446551a6b5f7"
	RoleApplicationAdmin      = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	RoleGlobalAdmin           = "62e90394-69f5-4237-9190-012177145e10"
	RoleUserAdmin             = "fe930be7-5e62-47db-91af-98c3a49a38b1"
)

// defaultRelationship is the GDAP relationship that enableGDAPByDefault makes: all
// roles, no assignments, active as soon as the vendor got round to it.
func (s *Server) defaultRelationship(cu *Customer, now time.Time) *Relationship {
	active := s.after(now, WaitGDAPActive)
	return &Relationship{
		ID: s.newID() + "-" + s.newID(), Name: "Default_" + cu.Domain, Customer: cu.ID, Duration: "P730D", AutoExtend: "PT0S",
		Roles: defaultRoles, Status: lagging[string]{old: "activating", new: "active", from: active},
		Created: now, Modified: active, Activated: active, Ends: now.AddDate(0, 0, 730),
		Readable: s.after(now, WaitGDAPCreated), Ready: s.after(active, WaitGDAPReady), Etag: s.number(),
	}
}
