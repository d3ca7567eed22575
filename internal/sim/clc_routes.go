package sim

// clcWorld is the billing directory: accounts and their users.
type clcWorld struct{}

// registerCLC adds the routes of the billing directory.
func (s *Server) registerCLC() {}
