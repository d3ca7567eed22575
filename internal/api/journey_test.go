package api_test

import (
	"strings"
	"testing"

	"causeway/internal/agreement"
	"causeway/internal/api"
)

// A customer's program goes from nothing to a working subscription.
func TestAProgramTakesACustomerToReady(t *testing.T) {
	w := newWorld(t)
	id := w.filled("contosoready")
	p := w.submitted(id, "ready")
	for _, s := range p.Steps {
		if s.State != "done" || s.Started == nil || s.Finished == nil {
			t.Errorf("step %s is %s", s.Name, s.State)
		}
	}
	if p.Provider.TenantID == "" || p.Provider.SubscriptionID == "" || p.Provider.Domain != "contosoready.onmicrosoft.com" {
		t.Errorf("provider = %+v", p.Provider)
	}
	file := w.admin.want(200, "GET", "/providers/"+id+"/receipt", nil)
	key := caller{w: w, name: "nobody"}.want(200, "GET", "/receipt-key", nil)
	if _, err := agreement.Verify([]byte(file.Body), []byte(key.Body)); err != nil {
		t.Errorf("the receipt cannot be checked offline: %v", err)
	}
	var both api.Comparison
	w.reader.want(200, "GET", "/comparison", nil).into(t, &both)
	if len(both.Differences) > 0 {
		t.Errorf("the two sides differ: %+v", both.Differences)
	}

	var cred api.Credentials
	w.admin.want(200, "POST", "/providers/"+id+"/credentials/show", map[string]string{"password": password}).into(t, &cred)
	if cred.UserName == "" || cred.Password == "" {
		t.Errorf("credentials = %+v", cred)
	}
	w.admin.want(204, "POST", "/providers/"+id+"/credentials/stored", nil)
	w.admin.want(404, "POST", "/providers/"+id+"/credentials/show", map[string]string{"password": password})
	if all := w.admin.want(200, "GET", "/audit", nil).Body; strings.Contains(all, cred.Password) || !strings.Contains(all, "credentials.show") {
		t.Error("the record must name that the credentials were shown, and not hold them")
	}

	// A further subscription of the same company uses the tenant that is there.
	second := w.submitted(w.filled(""), "ready")
	if second.Provider.TenantID != p.Provider.TenantID || second.Provider.SubscriptionID == p.Provider.SubscriptionID {
		t.Errorf("a further subscription: tenant %s and %s, subscription %s and %s", p.Provider.TenantID, second.Provider.TenantID, p.Provider.SubscriptionID, second.Provider.SubscriptionID)
	}
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("Microsoft has %d customers, want 1", n)
	}
}
