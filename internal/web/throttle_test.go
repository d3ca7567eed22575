package web_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"causeway/internal/azure"
	"causeway/internal/demo"
)

// meet teaches the program a limit of Partner Center: five customer calls a minute,
// and closed for almost a minute from now on.
func (w *world) meet(t *testing.T) {
	t.Helper()
	call := func(status int, after time.Duration) {
		pass, err := w.app.Throttle.Admit(t.Context(), azure.PartnerCenter, "customers", "")
		w.must(err)
		w.must(w.app.Throttle.Learn(t.Context(), pass, status, after))
	}
	call(http.StatusTooManyRequests, time.Millisecond)
	for range 5 {
		call(http.StatusOK, 0)
	}
	call(http.StatusTooManyRequests, 59*time.Second)
}

// Who waits for one of Microsoft's limits reads how long the line is; staff read
// what is known of the limit and who is next.
func TestThePagesSayWhoWaitsForALimit(t *testing.T) {
	w := newWorld(t)
	s, owner := w.signIn(demo.Administrator), w.signIn(demo.Owner)
	owner.get("/staff/onboardings").is(200).hides("Microsoft's limits")
	id := s.draft("Contoso analytics", "CTSE")
	s.details(id, "contosoanalytics", nil).redirects("/providers/" + id + "/wizard/terms")
	s.agree(w, id)
	w.meet(t)
	s.post("/providers/"+id+"/wizard/review", url.Values{}).redirects("/providers/" + id)
	eventually(t, "the onboarding to wait for the limit", func() bool {
		list, err := w.app.Throttle.Limits(t.Context())
		w.must(err)
		return len(list) == 1 && list[0].Waiting == 1
	})
	s.get("/providers/"+id).is(200).says("Microsoft takes 5 such requests a minute from us; this one is next", "it takes none until", "an estimate", "Nothing is wrong")
	page := owner.get("/staff/onboardings").is(200).says("Microsoft's limits", "Microsoft Partner Center, customers", "5 a minute", "Closed until", "1, about", "Contoso, Ltd.")
	page.hides("Not known yet")

	list, err := w.app.Throttle.Limits(t.Context())
	w.must(err)
	s.get("/staff/onboardings").is(403)
	if l := list[0]; l.Next.Key == "" || l.Calls != 5 || l.Closed.IsZero() {
		t.Errorf("limit = %+v", l)
	}
}
