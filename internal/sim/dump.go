package sim

import "time"

// CustomerState is one customer in the dump that both sides are compared by.
type CustomerState struct {
	ID           string         `json:"id"`
	Domain       string         `json:"domain"`
	Name         string         `json:"name"`
	Relationship string         `json:"relationship"`
	Correlation  string         `json:"correlationId"` // MS-CorrelationId of its creation
	Created      time.Time      `json:"created"`
	More         map[string]any `json:"more,omitempty"` // what Resource Manager knows
}

func (s *Server) dump(cu *Customer, now time.Time) CustomerState {
	out := CustomerState{ID: cu.ID, Domain: cu.Domain, Name: cu.Name, Relationship: cu.Relation.at(now),
		Correlation: cu.Correlation, Created: cu.Created, More: map[string]any{}}
	s.dumpARM(s.w, cu, out.More, now)
	return out
}
