package api_test

import (
	"strings"
	"sync"
	"testing"

	"causeway/internal/api"
)

// A write that names a key takes effect once.
func TestAKeyIsDoneOnce(t *testing.T) {
	w := newWorld(t)
	body := map[string]any{"name": "Once"}
	first := w.admin.want(201, "POST", "/providers", body, api.KeyHeader, "k-1")
	again := w.admin.want(201, "POST", "/providers", body, api.KeyHeader, "k-1")
	if again.Header.Get(api.ReplayedHeader) != "true" || first.Header.Get(api.ReplayedHeader) != "" {
		t.Errorf("replayed = %q and %q", first.Header.Get(api.ReplayedHeader), again.Header.Get(api.ReplayedHeader))
	}
	var a, b api.Draft
	first.into(t, &a)
	again.into(t, &b)
	if a.Provider.ID != b.Provider.ID || a.Provider.ID == "" {
		t.Errorf("two providers: %s and %s", a.Provider.ID, b.Provider.ID)
	}
	w.providers(1)
	t.Run("other content under the same key is refused", func(t *testing.T) {
		refused(t, w.admin.do("POST", "/providers", map[string]any{"name": "Twice"}, api.KeyHeader, "k-1"), 422, "header.Idempotency-Key")
		refused(t, w.admin.do("DELETE", "/providers/"+a.Provider.ID+"/draft", nil, api.KeyHeader, "k-1"), 422, "header.Idempotency-Key")
		w.providers(1)
	})
	t.Run("the order of members is no other content", func(t *testing.T) {
		got := w.admin.do("POST", "/requests/contacts", `{"topic":"a","text":"b"}`, api.KeyHeader, "k-2")
		same := w.admin.do("POST", "/requests/contacts", `{"text":"b", "topic":"a"}`, api.KeyHeader, "k-2")
		if got.Status != 201 || same.Status != 201 || same.Header.Get(api.ReplayedHeader) != "true" {
			t.Errorf("%d %s, then %d %s", got.Status, got.Body, same.Status, same.Body)
		}
	})
	t.Run("another person may use the same key", func(t *testing.T) {
		w.member.want(201, "POST", "/providers", body, api.KeyHeader, "k-1")
		w.providers(2)
	})
	t.Run("a refusal changed nothing, so its key is free", func(t *testing.T) {
		w.admin.want(422, "POST", "/providers", map[string]any{"name": strings.Repeat("x", 65)}, api.KeyHeader, "k-3")
		w.admin.want(201, "POST", "/providers", map[string]any{"name": "Better"}, api.KeyHeader, "k-3")
		w.providers(3)
	})
	t.Run("a key that is none", func(t *testing.T) {
		refused2(t, w.admin.do("POST", "/providers", body, api.KeyHeader, "a b"))
		refused2(t, w.admin.do("POST", "/providers", body, api.KeyHeader, strings.Repeat("k", 201)))
	})
	t.Run("a secret is answered once and kept nowhere", func(t *testing.T) {
		var one, two api.NewToken
		w.admin.want(201, "POST", "/tokens", map[string]any{"name": "n"}, api.KeyHeader, "k-4").into(t, &one)
		w.admin.want(201, "POST", "/tokens", map[string]any{"name": "n"}, api.KeyHeader, "k-4").into(t, &two)
		if one.Secret == "" || two.Secret != "" || one.Token.ID != two.Token.ID {
			t.Errorf("secrets %q and %q of %s and %s", one.Secret, two.Secret, one.Token.ID, two.Token.ID)
		}
	})
}

func refused2(t *testing.T, a answer) {
	t.Helper()
	if a.problem(t); a.Status != 422 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// providers expects so many of Contoso's.
func (w *world) providers(n int) {
	w.t.Helper()
	var p api.Page[api.Provider]
	w.admin.want(200, "GET", "/providers", nil).into(w.t, &p)
	if len(p.Items) != n {
		w.t.Errorf("%d providers, want %d", len(p.Items), n)
	}
}

// Ten programs send one write at the same time: one does it, the others are told
// that it runs, or get its answer.
func TestOneKeyAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	answers := make([]answer, 10)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = w.admin.do("POST", "/providers", map[string]any{"name": "Race"}, api.KeyHeader, "race")
		})
	}
	all.Wait()
	ids := map[string]bool{}
	for _, a := range answers {
		switch a.Status {
		case 201:
			var d api.Draft
			a.into(t, &d)
			ids[d.Provider.ID] = true
		case 409:
			if p := a.problem(t); p.Refusals[0].Code != "key-in-flight" || a.Header.Get("Retry-After") == "" {
				t.Errorf("in flight: %s, Retry-After %q", a.Body, a.Header.Get("Retry-After"))
			}
		default:
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if len(ids) != 1 {
		t.Errorf("%d providers were made, want 1", len(ids))
	}
	w.providers(1)
}

// A form sent twice begins one onboarding, with or without a key.
func TestSubmittingTwiceBeginsOnce(t *testing.T) {
	w := newWorld(t)
	id := w.filled("contosotwice")
	var all sync.WaitGroup
	answers := make([]answer, 4)
	for i := range answers {
		all.Go(func() { answers[i] = w.admin.do("POST", "/providers/"+id+"/submit", nil) })
	}
	all.Wait()
	begun := map[string]bool{}
	for _, a := range answers {
		if a.Status == 409 {
			continue // was being begun by the other one
		}
		var b api.Begun
		a.into(t, &b)
		begun[b.Onboarding] = true
	}
	w.until(id, "ready")
	if len(begun) != 1 || len(w.sim.Customers()) != 1 {
		t.Errorf("%d onboardings and %d customers, want one of each: %+v", len(begun), len(w.sim.Customers()), answers)
	}
}
