package torture_test

import (
	"reflect"
	"testing"
	"time"

	"causeway/internal/torture"
)

func TestASeedDecidesThePlan(t *testing.T) {
	a, b := torture.Make(7, 300, torture.Options{}), torture.Make(7, 300, torture.Options{})
	if !reflect.DeepEqual(a, b) {
		t.Error("the same seed gives two plans")
	}
	if reflect.DeepEqual(a.Cases, torture.Make(8, 300, torture.Options{}).Cases) {
		t.Error("two seeds give one plan")
	}
	if len(a.Cases) != 300 {
		t.Fatalf("%d cases, want 300", len(a.Cases))
	}
	seen := map[torture.Kind]bool{}
	for _, c := range a.Cases {
		seen[c.Kind] = true
		if c.Behind >= c.N {
			t.Errorf("case %d waits for case %d", c.N, c.Behind)
		}
	}
	for _, k := range torture.Kinds {
		if !seen[k] {
			t.Errorf("no case is of kind %s", k)
		}
	}
}

// good is the shortest history in which nothing is wrong: one onboarding, ready.
func good() torture.History {
	at := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	customer := torture.Customer{ID: "c1", Domain: "a.onmicrosoft.com", Correlation: "k1", Created: at}
	customer.Plans = append(customer.Plans, struct {
		ID            string                 `json:"id"`
		Status        string                 `json:"status"`
		Subscriptions []torture.Subscription `json:"subscriptions"`
	}{ID: "p1", Status: "active", Subscriptions: []torture.Subscription{{ID: "s1", Status: "active"}}})
	return torture.History{
		Plan: torture.Plan{Cases: []torture.Case{{N: 0, Kind: torture.New, Behind: -1}}}, Provider: map[string]int{"v1": 0},
		Onboardings:  []torture.Onboarding{{ID: "o1", Provider: "v1", Tenant: "t1", Correlation: "k1", State: "ready", Shown: "ready", Step: "ready", Steps: 9, StepsDone: 9, Subscription: "s1", Started: at}},
		Tenants:      []torture.Tenant{{ID: "t1", Domain: "a.onmicrosoft.com", State: "live", Stage: "entered", AzureID: "c1", Born: at, Credentials: true}},
		Associations: []torture.Association{{ID: "a1", Tenant: "t1", Account: "CTSO", From: "2026-11-26", State: "confirmed"}},
		Acceptances:  []torture.Acceptance{{Attempt: "v1", Kind: "partner", At: at}, {Attempt: "v1", Kind: "microsoft", At: at}},
		Customers:    []torture.Customer{customer}, Calls: []torture.Call{{Method: "POST", Template: "/v1/customers", Correlation: "k1", Received: at.Add(time.Second)}},
		Passwords: map[string]string{"t1": "secret-password"}, Secrets: []torture.Secret{{Kind: "admin", Owner: "c1", Value: "secret-password"}},
	}
}

// Each promise that is broken is named, and no other one, but where one deed breaks
// two: a second customer is one that nobody knows.
func TestEachBrokenPromiseIsNamed(t *testing.T) {
	if found := torture.Check(good()); len(found) != 0 {
		t.Fatalf("nothing is wrong: %v", found)
	}
	for name, c := range map[string]struct {
		spoil  func(*torture.History)
		breaks torture.Property
	}{
		"an onboarding never ended":      {func(h *torture.History) { h.Onboardings[0].State, h.Onboardings[0].Shown = "running", "running" }, torture.Finished},
		"people are shown another state": {func(h *torture.History) { h.Onboardings[0].Shown = "running" }, torture.Finished},
		"a second customer was made": {func(h *torture.History) {
			c := h.Customers[0]
			c.ID = "c2"
			c.Plans = nil
			h.Customers = append(h.Customers, c)
		}, torture.Once},
		"a subscription that nobody knows": {func(h *torture.History) {
			h.Customers[0].Plans[0].Subscriptions = append(h.Customers[0].Plans[0].Subscriptions, torture.Subscription{ID: "s2", Status: "active"})
		}, torture.Known},
		"a subscription that is not there":    {func(h *torture.History) { h.Customers[0].Plans[0].Subscriptions[0].Status = "inactive" }, torture.There},
		"terms that were accepted afterwards": {func(h *torture.History) { h.Acceptances[1].At = h.Calls[0].Received.Add(time.Second) }, torture.Consent},
		"terms that were never accepted":      {func(h *torture.History) { h.Acceptances = h.Acceptances[:1] }, torture.Consent},
		"nobody pays for the first day":       {func(h *torture.History) { h.Associations[0].From = "2026-11-27" }, torture.Payer},
		"two pay for one day": {func(h *torture.History) {
			h.Associations = append(h.Associations, torture.Association{Tenant: "t1", Account: "FABR", From: "2026-11-28"})
		}, torture.Payer},
		"somebody else's customer was written": {func(h *torture.History) {
			h.Strangers = map[string]bool{"x": true}
			h.Calls = append(h.Calls, torture.Call{Method: "PUT", Customer: "x"})
		}, torture.Foreign},
		"a bystander is not as it was": {func(h *torture.History) {
			h.Bystanders = map[string]string{"b": "as it was"}
			h.After = map[string]string{"b": "changed"}
		}, torture.Foreign},
		"the password does not open the tenant":  {func(h *torture.History) { h.Passwords["t1"] = "another" }, torture.Credentials},
		"the password was replaced without need": {func(h *torture.History) { h.Tenants[0].Replaced = true }, torture.Credentials},
		"a password stands in a log": {func(h *torture.History) {
			h.Texts = append(h.Texts, torture.Text{Where: "log", Body: "… secret-password …"})
		}, torture.Secrecy},
		"an access token stands in a table": {func(h *torture.History) {
			h.Books = append(h.Books, torture.Text{Where: "table", Body: "eyJhbGciOiJSUzI1NiIsInR5.eyJhdWQiOiJodHRwczovL2"})
		}, torture.Secrecy},
		"a fenced worker wrote": {func(h *torture.History) { h.Fenced = append(h.Fenced, "it wrote") }, torture.Fenced},
		"a stuck one that nobody was told of": {func(h *torture.History) {
			h.Plan.Cases[0].Kind, h.Onboardings[0].State, h.Onboardings[0].Shown = torture.Stuck, "stuck", "stuck"
		}, torture.Alarmed},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			c.spoil(&h)
			found := torture.Check(h)
			if len(found) == 0 {
				t.Fatal("nothing was found")
			}
			for _, v := range found {
				if v.Property != c.breaks && (c.breaks != torture.Once || v.Property != torture.Known) {
					t.Errorf("%s is named too: %s", v.Property, v.Text)
				}
			}
		})
	}
}
