package sim

import "time"

// CustomerState is one customer in the dump that both sides are compared by. It
// shows what is, also where the API does not show it yet.
type CustomerState struct {
	ID           string              `json:"id"`
	Domain       string              `json:"domain"`
	Name         string              `json:"name"`
	Country      string              `json:"country"`
	Relationship string              `json:"relationship"`
	Validation   string              `json:"validation"`
	DirectSigned bool                `json:"directSigned"`
	Correlation  string              `json:"correlationId"` // MS-CorrelationId of its creation
	Created      time.Time           `json:"created"`
	Seeded       bool                `json:"seeded"`
	Budget       *float64            `json:"budget"`
	Agreements   []AgreementState    `json:"agreements"`
	Orders       []OrderState        `json:"orders"`
	Plans        []PlanState         `json:"plans"`
	Consents     []ConsentState      `json:"consents"`
	GDAP         []RelationshipState `json:"gdap"`
	Users        []string            `json:"users"`
	More         map[string]any      `json:"more,omitempty"` // what Resource Manager knows of the tenant
}

// AgreementState is a confirmation of an agreement.
type AgreementState struct {
	Type        string `json:"type"`
	Attestation string `json:"attestationId,omitempty"`
	Signatory   string `json:"signatory"`
}

// OrderState is an order.
type OrderState struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// PlanState is an item under subscriptions.
type PlanState struct {
	ID     string              `json:"id"`
	Order  string              `json:"order"`
	Offer  string              `json:"offer"`
	Status string              `json:"status"`
	Azure  []SubscriptionState `json:"subscriptions"`
}

// SubscriptionState is an Azure subscription.
type SubscriptionState struct {
	ID     string         `json:"id"`
	Name   string         `json:"name"`
	Status string         `json:"status"`
	Alias  string         `json:"alias,omitempty"`
	More   map[string]any `json:"more,omitempty"` // roles, policies, providers
}

// ConsentState is the application's principal and grants in the tenant.
type ConsentState struct {
	App    string   `json:"applicationId"`
	Object string   `json:"objectId"`
	Scopes []string `json:"scopes"`
}

// RelationshipState is a GDAP relationship.
type RelationshipState struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Status string            `json:"status"`
	Groups map[string]string `json:"assignments"` // group → status
}

func (s *Server) dumpAll(w *world, now time.Time) []CustomerState {
	out := make([]CustomerState, 0, len(w.customers))
	for _, cu := range w.list {
		if cu != nil {
			out = append(out, s.dump(w, cu, now))
		}
	}
	return out
}

func (s *Server) dump(w *world, cu *Customer, now time.Time) CustomerState {
	out := CustomerState{
		ID: cu.ID, Domain: cu.Domain, Name: cu.Name, Country: cu.Billing.Address.Country, Relationship: cu.Relation.new, Validation: cu.Validation,
		DirectSigned: cu.DirectSigned, Correlation: cu.Correlation, Created: cu.Created, Seeded: cu.Seeded, Budget: cu.Budget, More: map[string]any{},
		Agreements: []AgreementState{}, Orders: []OrderState{}, Plans: []PlanState{}, Consents: []ConsentState{}, GDAP: []RelationshipState{},
	}
	for _, a := range cu.Agreements {
		out.Agreements = append(out.Agreements, AgreementState{a.Type, a.Attestation, a.Contact.First + " " + a.Contact.Last + " <" + a.Contact.Email + ">"})
	}
	for _, o := range cu.Orders {
		out.Orders = append(out.Orders, OrderState{o.ID, o.status(now)})
	}
	for _, p := range cu.Plans {
		state := PlanState{ID: p.ID, Offer: p.Offer, Status: p.Status.new, Azure: []SubscriptionState{}}
		if p.Order != nil {
			state.Order = p.Order.ID
		}
		for _, a := range p.Azure {
			sub := SubscriptionState{ID: a.ID, Name: a.Name.new, Status: a.Status.new, Alias: a.Alias, More: map[string]any{}}
			if s.showSubscription != nil {
				s.showSubscription(w, a, sub.More, now)
			}
			state.Azure = append(state.Azure, sub)
		}
		out.Plans = append(out.Plans, state)
	}
	for _, k := range cu.Consents {
		state := ConsentState{App: k.App, Object: k.Object}
		for _, g := range k.Grants {
			for _, scope := range g.Scopes {
				state.Scopes = append(state.Scopes, g.Enterprise+"/"+scope)
			}
		}
		out.Consents = append(out.Consents, state)
	}
	for _, r := range cu.Relations {
		state := RelationshipState{ID: r.ID, Name: r.Name, Status: r.Status.at(now), Groups: map[string]string{}}
		for _, a := range r.Assignments {
			state.Groups[a.Group] = a.Status.at(now)
		}
		out.GDAP = append(out.GDAP, state)
	}
	for _, m := range cu.everybody() {
		if m.Deleted.IsZero() {
			out.Users = append(out.Users, m.UPN)
		}
	}
	s.dumpARM(w, cu, out.More, now)
	return out
}
