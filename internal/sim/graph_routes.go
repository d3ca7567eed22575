package sim

// graphWorld is what Graph holds beside GDAP relationships.
type graphWorld struct{}

// registerGraph adds the routes of Microsoft Graph.
func (s *Server) registerGraph() {}
