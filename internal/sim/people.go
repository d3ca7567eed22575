package sim

import "sort"

// Customers lists the customers of the partner, oldest first.
func (s *Server) Customers() []CustomerState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.Clock.Now()
	out := make([]CustomerState, 0, len(s.w.customers))
	for _, cu := range s.w.list {
		if cu != nil {
			out = append(out, s.dump(cu, now))
		}
	}
	return out
}

// SignIn plays a person of the partner who signs in and consents; it returns the
// refresh token that the application would get.
func (s *Server) SignIn(upn string, mfa bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{s: s, w: s.w, now: s.Clock.Now()}
	return c.newRefreshToken(upn, s.cfg.Partner.TenantID, mfa)
}

// Timeline is what happened to a customer at the vendor, and how long that took.
func (s *Server) Timeline(customer string) Timeline {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := Timeline{Customer: customer}
	if cu := s.w.customer(customer); cu != nil {
		out.Effects = append(out.Effects, cu.effects...)
	}
	sort.SliceStable(out.Effects, func(i, j int) bool { return out.Effects[i].Received.Before(out.Effects[j].Received) })
	took := unseen(out.Effects)
	out.Vendor, out.Seconds = Duration(took), took.Seconds()
	return out
}
