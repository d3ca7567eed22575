package sim

import "time"

type AddressRule struct{}

var defaultAddressRules []AddressRule

type addressFault struct {
	text   string
	fields []string
}

func badAddress(a Address, person bool) *addressFault { return nil }

type rules struct{ ISO2 string }

func countryRules(iso string) *rules               { return &rules{iso} }
func (r *rules) checkRegistration(n string) *reply { return nil }
func (r *rules) phoneRequired() bool               { return false }

type Attestation struct{}
type Agreement struct{}
type Cart struct{}
type Order struct{ ID string }

func (o *Order) status(now time.Time) string { return "" }

type catalogItem struct{}

func (i *catalogItem) azurePlan() bool { return true }

type Overage struct{}
type SupportContact struct{}
type LegacySubscription struct{}

func (s *Server) registerDomains()         {}
func (s *Server) registerPartnerProfiles() {}
func (s *Server) registerAgreements()      {}
func (s *Server) registerCatalogue()       {}
func (s *Server) registerCarts()           {}
func (s *Server) registerPlans()           {}
func (s *Server) registerPages()           {}
func (s *Server) registerPeople()          {}

type Seed struct{}

func controlSeed(c *call) reply { return empty(204) }
