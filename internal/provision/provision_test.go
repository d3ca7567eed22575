package provision_test

import (
	"testing"

	"causeway/internal/provider"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

func TestACustomerGetsAWorkingSubscription(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := worldOn(t, db, sim.Start(t))
		w.working()
		id := w.wizard(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
		begun, err := w.run.Submit(w.ctx(), w.contoso, id)
		w.must(err)
		p := w.until(id, provider.Ready)
		if p.TenantID == "" || p.Subscription == "" || p.Domain != "contosoanalytics.onmicrosoft.com" {
			t.Errorf("ready without tenant or subscription: %+v", p)
		}
		o, err := w.run.Get(w.ctx(), w.owner, begun.Onboarding)
		w.must(err)
		for _, s := range o.Steps {
			if s.State != "done" {
				t.Errorf("step %s is %s", s.Name, s.State)
			}
		}
		diff, err := w.run.Compare(w.ctx())
		w.must(err)
		for _, d := range diff {
			t.Errorf("%s: %s", d.Object, d.Text)
		}
	})
}
