package api_test

import (
	"net/http"
	"testing"
	"time"

	"causeway/internal/api"
	"causeway/internal/azure"
)

func TestStaffReadWhatIsKnownOfALimit(t *testing.T) {
	w := newWorld(t)
	pass, err := w.app.Throttle.Admit(t.Context(), azure.PartnerCenter, "orders", "")
	w.must(err)
	w.must(w.app.Throttle.Learn(t.Context(), pass, http.StatusTooManyRequests, time.Minute))
	ctx := azure.WithCaller(t.Context(), azure.Caller{Key: "onboarding-1", Org: "org-1", Began: time.Now(), Class: azure.Work})
	if _, err := w.app.Throttle.Admit(ctx, azure.PartnerCenter, "orders", ""); err == nil {
		t.Fatal("a call goes through a closed limit")
	}
	var page api.Page[api.LimitView]
	w.owner.want(200, "GET", "/throttle", nil).into(t, &page)
	if len(page.Items) != 1 {
		t.Fatalf("limits = %+v", page.Items)
	}
	l := page.Items[0]
	if l.Service != "partner-center" || l.Group != "orders" || l.Calls != 0 || l.ClosedUntil == nil || l.Waiting != 1 || l.NextKey != "onboarding-1" || l.NextOrg != "org-1" {
		t.Errorf("limit = %+v", l)
	}
}
