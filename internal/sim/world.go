package sim

import (
	"strings"
	"time"
)

// world is everything that exists at the simulated vendor. It is guarded by
// Server.mu; objects are small and plain, so that 100 000 customers fit in memory.
type world struct {
	customers    map[string]*Customer // by tenant id
	list         []*Customer          // in order of creation; nil where one was deleted
	domains      map[string]string    // folded domain → tenant id, strangers' included
	strangers    map[string]*Stranger // by tenant id
	azure        map[string]*AzureSubscription
	attestations map[string]*Attestation
	upgrades     map[string]*Upgrade
	relations    map[string]*Relationship // GDAP, by id
	audit        []*AuditRecord           // in order of time
	resellers    []Reseller
	addressRules []AddressRule
	hook         *Registration
	refresh      map[string]*refreshToken
	codes        map[string]*authCode
	arm          armWorld
	clc          clcWorld
}

func newWorld() *world {
	return &world{
		customers:    map[string]*Customer{},
		domains:      map[string]string{},
		strangers:    map[string]*Stranger{},
		azure:        map[string]*AzureSubscription{},
		attestations: map[string]*Attestation{},
		upgrades:     map[string]*Upgrade{},
		relations:    map[string]*Relationship{},
		refresh:      map[string]*refreshToken{},
		codes:        map[string]*authCode{},
		addressRules: defaultAddressRules,
	}
}

// lagging is a value whose change is seen only from a moment on.
type lagging[T any] struct {
	old, new T
	from     time.Time
}

func steady[T any](v T) lagging[T] { return lagging[T]{old: v, new: v} }

// at is the value that a reader sees at now.
func (l *lagging[T]) at(now time.Time) T {
	if now.Before(l.from) {
		return l.old
	}
	return l.new
}

// set changes the value; readers see it from the given moment.
func (l *lagging[T]) set(v T, now, from time.Time) {
	l.old, l.new, l.from = l.at(now), v, from
}

// Customer is a customer tenant of the partner.
type Customer struct {
	ID           string
	Domain       string
	Name         string
	folded       string // of Name, for filters
	Company      CompanyProfile
	Billing      BillingProfile
	Reseller     string          // indirect reseller
	Relation     lagging[string] // reseller, none
	Created      time.Time
	Listed       time.Time // appears in lists
	Validation   string    // account validation status; None = no record
	ValidatedAt  time.Time
	DirectSigned bool // the customer accepted the agreement itself
	Correlation  string
	Password     string // of admin@domain; shown in one answer only
	AdminID      string
	GDAP         bool // a relationship came with it
	Seeded       bool

	Agreements  []*Agreement
	Carts       []*Cart
	Orders      []*Order
	Plans       []*Plan
	Consents    []*Consent
	Members     []*Member // customer users beside the admin
	RoleMembers []RoleMember
	Budget      *float64
	Overage     *Overage
	Qualified   []Qualification
	Relations   []*Relationship // GDAP

	effects []Effect
	upgrade *Upgrade // the last one
	arm     armTenant
}

// Stranger is a tenant that has nothing to do with the partner, but owns a domain.
type Stranger struct {
	ID     string `json:"id"`
	Domain string `json:"domain"`
	Name   string `json:"name"`
}

// Plan is one item under subscriptions: an Azure plan, or a license subscription.
type Plan struct {
	ID         string
	Order      *Order
	Offer      string // product:sku:availability, or the 2016 offer id
	Name       string
	Product    *catalogItem
	Status     lagging[string] // active, suspended, …
	Created    time.Time
	Listed     time.Time // appears under subscriptions
	Billing    time.Time // the customer appears below the billing account
	Etag       int64
	Azure      []*AzureSubscription
	Quantity   int
	Term       string
	Registered lagging[string] // for reservations
	Support    *SupportContact
	Legacy     *LegacySubscription // the shape of license-era samples
}

// AzureSubscription is an Azure subscription; Partner Center calls it an entitlement.
type AzureSubscription struct {
	ID       string
	Customer *Customer
	Plan     *Plan
	Name     lagging[string]
	Status   lagging[string] // active, inactive (Partner Center's words)
	DevTest  bool
	Created  time.Time
	Listed   time.Time // appears under azureEntitlements and to Resource Manager
	Alias    string    // by which it was made; "" for the plan's first
	arm      armSubscription
}

// Consent is an application's service principal in a customer tenant, with the
// permissions that were granted there.
type Consent struct {
	App     string
	Name    string
	Object  string // object id of the service principal in this tenant
	Grants  []Grant
	Created time.Time
	Visible time.Time // from then on tokens are issued
}

// Grant lets an application use another one.
type Grant struct {
	Enterprise string
	Scopes     []string
}

// Relationship is a granular delegated admin (GDAP) relationship.
type Relationship struct {
	ID          string
	Name        string
	Customer    string // tenant id; "" while open to any
	Duration    string // ISO 8601
	AutoExtend  string
	Roles       []string
	Status      lagging[string]
	Created     time.Time
	Modified    time.Time
	Activated   time.Time
	Ends        time.Time
	Readable    time.Time // GET finds it
	Ready       time.Time // access assignments stop failing
	Etag        int64
	Assignments []*AccessAssignment
	Requests    []*RelationshipRequest
	Operations  []*RelationshipOperation
}

// AccessAssignment gives a security group of the partner roles in the customer.
type AccessAssignment struct {
	ID       string
	Group    string
	Roles    lagging[[]string]
	Status   lagging[string] // pending, active, deleting, deleted, error
	Created  time.Time
	Modified time.Time
	Etag     int64
}

// RelationshipRequest is one requested change of state.
type RelationshipRequest struct {
	ID, Action        string
	Status            lagging[string]
	Created, Modified time.Time
}

// RelationshipOperation is the long-running part of changing an assignment.
type RelationshipOperation struct {
	ID, Type string
	Status   lagging[string]
	Created  time.Time
}

// foldDomain makes domains comparable.
func foldDomain(d string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(d), "."))
}

// customer finds a customer by tenant id.
func (w *world) customer(id string) *Customer { return w.customers[strings.ToLower(id)] }

// consent finds the application's consent in the tenant.
func (cu *Customer) consent(app string) *Consent {
	for _, k := range cu.Consents {
		if strings.EqualFold(k.App, app) {
			return k
		}
	}
	return nil
}

// addRelationship registers a GDAP relationship, below its customer if it has one.
func (w *world) addRelationship(rel *Relationship) {
	w.relations[rel.ID] = rel
	if cu := w.customers[rel.Customer]; cu != nil {
		cu.Relations = append(cu.Relations, rel)
	}
}

// directoryRoles are the directory roles (template ids) that a person of the partner
// holds in the customer tenant at this moment, through GDAP.
func (w *world) directoryRoles(s *Server, cu *Customer, upn string, now time.Time) []string {
	var roles []string
	for _, rel := range cu.Relations {
		if rel.status(now) != "active" {
			continue
		}
		for _, a := range rel.Assignments {
			if a.Status.at(now) == "active" && s.inGroup(a.Group, upn) {
				roles = append(roles, a.Roles.at(now)...)
			}
		}
	}
	return roles
}

// azurePlan is the customer's Azure plan, if it has one that is not deleted.
func (cu *Customer) azurePlan(now time.Time) *Plan {
	for _, p := range cu.Plans {
		if p.Product != nil && p.Product.azurePlan() && p.Status.at(now) != "deleted" {
			return p
		}
	}
	return nil
}
