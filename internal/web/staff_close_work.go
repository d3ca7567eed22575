package web

import (
	"fmt"

	"causeway/internal/billing"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

// stageWords say what a job does for a month.
var stageWords = map[string]string{
	billing.JobRate: "Price every account", billing.JobVendor: "Explain Microsoft's invoice and post it", billing.JobDraft: "Draft the bills", billing.JobIssue: "Issue the drafts",
	billing.JobReconcile: "Explain the way from the estimate to the invoice",
}

// closeWork is what goes on for a month; nil if nothing does, unless the fragment of it is
// asked for: then it says that all is done.
func (s *Server) closeWork(v *visit, c *billing.Cycle, m usage.Month, fragment bool) (*ui.Work, error) {
	stages, err := c.Working(v.ctx(), v.me, m)
	if err != nil || len(stages) == 0 && !fragment {
		return nil, err
	}
	drafts, issued, err := c.Counts(v.ctx(), m)
	if err != nil {
		return nil, err
	}
	at := "/staff/billing/close?month=" + string(m)
	w := &ui.Work{ID: "work", Title: "What goes on", Link: ui.Link{Label: "Load the figures again", Href: at}}
	if n := drafts + issued; n > 0 {
		w.Done, w.Of, w.Figure = issued, n, fmt.Sprintf("%d of %s issued", issued, ui.Count(n, "document", "documents"))
	}
	if len(stages) == 0 {
		w.Text = "All that was to be done for " + m.String() + " is done."
		return w, nil
	}
	w.URL = "/staff/billing/close/work?month=" + string(m)
	w.Text = "Nothing has to be done here, and the page may be closed."
	for _, st := range stages {
		check := ui.Check{State: ui.StateWaiting, Title: stageWords[st.Kind], Text: "waits for its turn"}
		if st.Invoice != "" {
			check.Title += " " + st.Invoice
		}
		switch {
		case st.Running:
			check.State, check.Text = ui.StateInProgress, "now"
			if st.Attempt > 1 {
				check.Text = fmt.Sprintf("now, try %d", st.Attempt)
			}
		case st.Trouble != "":
			check.State, check.Text = ui.StateStuck, fmt.Sprintf("did not work, next try at %s", v.clock(st.Due))
		}
		w.Checks = append(w.Checks, check)
	}
	return w, nil
}

// closingWork: GET /staff/billing/close/work?month= is the fragment that the page asks for
// while there is work.
func (s *Server) closingWork(v *visit) error {
	m, err := v.closingMonth()
	if err != nil {
		return err
	}
	c, err := s.cycle()
	if err != nil {
		return err
	}
	w, err := s.closeWork(v, c, m, true)
	if err != nil {
		return err
	}
	v.part(200, ui.WorkView(*w))
	return nil
}
