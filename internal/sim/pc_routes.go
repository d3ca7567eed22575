package sim

import "net/http"

// registerPartnerCenter adds /v1/… and /webhooks/…; the table of partner-center §2.3
// says which calls take which token.
func (s *Server) registerPartnerCenter() {
	s.registerDomains()
	s.registerPartnerProfiles()
	s.registerCustomers()
	s.registerMembers()
	s.registerAgreements()
	s.registerCatalogue()
	s.registerCarts()
	s.registerPlans()
	s.registerUpgrades()
	s.registerConsents()
	s.registerAudit()
	s.registerWebhooks()
}

// link is one entry of links.
type link struct {
	URI     string   `json:"uri"`
	Method  string   `json:"method"`
	Headers []header `json:"headers"`
}

type header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func get(uri string) *link { return &link{uri, http.MethodGet, []header{}} }

// selfLinks is links with nothing but self.
type selfLinks struct {
	Self *link `json:"self"`
}

func self(uri string) *selfLinks { return &selfLinks{get(uri)} }

// attributes is on every resource.
type attributes struct {
	Etag string `json:"etag,omitempty"`
	Type string `json:"objectType"`
}

var collectionAttributes = &attributes{Type: "Collection"}

// collection is a list; pages differ in whether they show links and attributes.
type collection[T any] struct {
	Total      int         `json:"totalCount"`
	Items      []T         `json:"items"`
	Links      *pageLinks  `json:"links,omitempty"`
	Attributes *attributes `json:"attributes,omitempty"`
}

type pageLinks struct {
	Self *link `json:"self,omitempty"`
	Next *link `json:"next,omitempty"`
}

// listing is a collection of one page.
func listing[T any](items []T) collection[T] {
	if items == nil {
		items = []T{}
	}
	return collection[T]{Total: len(items), Items: items, Attributes: collectionAttributes}
}

// malformed is the answer to a body that is not the JSON that was expected.
func malformed(err error) reply {
	return pcError(http.StatusBadRequest, 800002, "Invalid request input: "+err.Error())
}

// invalid names properties that cannot be.
func invalid(description string, properties ...string) reply {
	return pcError(http.StatusBadRequest, 27002, description, properties...)
}
