package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"causeway/internal/api"
	"causeway/internal/demo"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/store"
	"causeway/internal/torture"
)

// insist does a deed as a person does who presses again until the page comes,
// at whichever server answers. A conflict at a later try means that an earlier one
// was heard.
func (s *siege) insist(ctx context.Context, c *client, method, path string, in, out any) error {
	for try := 0; ; try++ {
		own := *c
		own.server = s.replicas[try%len(s.replicas)].url
		own.http = &http.Client{Timeout: 15 * time.Second}
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		key := ""
		if method != http.MethodGet {
			key = store.NewID()
		}
		err = own.once(ctx, method, path, key, body, out)
		own.http.CloseIdleConnections()
		var p *problem
		wait := 200 * time.Millisecond // a server that is just starting
		switch {
		case err == nil:
			return nil
		case errors.As(err, &p):
			s.saw(method, path, p)
			if p.Status == http.StatusConflict && try > 0 && !refuses(p, "domain_prefix") {
				return nil
			}
			if p.Status != http.StatusServiceUnavailable && p.Status < 500 {
				return err
			}
			wait = max(p.after, time.Duration(min(try+1, 20))*300*time.Millisecond) // people lose heart
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// saw keeps an error as a person saw it, to be searched for secrets.
func (s *siege) saw(method, path string, p *problem) {
	b, err := json.Marshal(p.Problem)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = append(s.pages, torture.Text{Where: "answer to " + method + " " + path, Body: string(b)})
}

// people submits, cancels, retries, corrects and moves, until nothing is left.
func (s *siege) people(ctx context.Context) error {
	err := side(ctx, 8, len(s.cases), func(ctx context.Context, i int) error {
		if s.cases[i].Behind >= 0 {
			return nil
		}
		return s.submit(ctx, s.cases[i])
	})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		over, err := s.round(ctx)
		if err != nil || over {
			return err
		}
		if i%50 == 49 {
			s.tell(s.summary)
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// submit presses Create; the loser of a race and the one whose domain went to a
// stranger choose another one.
func (s *siege) submit(ctx context.Context, c *siegeCase) error {
	if c.Kind == torture.Stranger && !c.taken {
		c.taken = true
		if c.N%2 == 0 { // before the form is sent; the others: while it is
			if err := s.take(ctx, c); err != nil {
				return err
			}
		}
	}
	at := "/providers/" + url.PathEscape(c.j.id)
	err := s.press(ctx, c)
	if refuses(err, "domain_prefix") {
		another := map[string]any{"domain_prefix": fmt.Sprintf("%sx%d", c.Prefix, c.N), "domain_confirmed": true}
		if err := s.insist(ctx, c.j.c, http.MethodPatch, at+"/details", another, nil); err != nil {
			return fmt.Errorf("case %d: choose another domain: %w", c.N, err)
		}
		if err := s.attest(ctx, c, at); err != nil {
			return fmt.Errorf("case %d: accept Microsoft's agreement: %w", c.N, err)
		}
		err = s.press(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("submit case %d (%s): %w", c.N, c.Kind, err)
	}
	c.submitted = true
	if c.Kind == torture.Stranger && c.N%2 == 1 {
		return s.take(ctx, c)
	}
	return nil
}

// attest accepts Microsoft's agreement, unless what was accepted still holds.
func (s *siege) attest(ctx context.Context, c *siegeCase, at string) error {
	for {
		var t api.Attestation
		err := s.insist(ctx, c.j.c, http.MethodGet, at+"/attestation", nil, &t)
		switch {
		case err == nil && t.State == "accepted":
			return nil
		case err == nil && t.State == "pending":
			err = s.w.control(ctx, http.MethodPost, "/_sim/attestations/"+t.ID+"/accept", nil, nil)
		default:
			err = s.insist(ctx, c.j.c, http.MethodPost, at+"/attestation", map[string]any{}, nil)
		}
		if err != nil {
			return err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// press presses Create until it is heard: it connects the account once more if that
// ended when the clock jumped, and waits for staff who give the partner's sign-in again.
func (s *siege) press(ctx context.Context, c *siegeCase) error {
	at := "/providers/" + url.PathEscape(c.j.id)
	for {
		err := s.insist(ctx, c.j.c, http.MethodPost, at+"/submit", nil, nil)
		switch {
		case refuses(err, "connection"):
			err := s.insist(ctx, c.j.c, http.MethodPut, at+"/connection", map[string]string{"login": c.j.login, "password": demo.Password}, nil)
			if fault.KindOf(err) == fault.Conflict {
				return nil // while this was refused, an earlier try was heard
			}
			if err != nil {
				return err
			}
		case err != nil && strings.Contains(err.Error(), "Connect the partner again"):
			if err := s.reconnect(ctx); err != nil {
				return err
			}
		case err != nil && fault.KindOf(err) == fault.Conflict && !refuses(err, "domain_prefix"):
			return nil // an earlier try was heard: it was submitted already
		default:
			return err
		}
	}
}

// reconnect gives the partner's sign-in again if it was lost, as staff do who see
// the alarm; if that fails, the alarm stays, and somebody tries again.
func (s *siege) reconnect(ctx context.Context) error {
	var partner api.PartnerView
	if err := s.insist(ctx, s.owner, http.MethodGet, "/partner", nil, &partner); err == nil && partner.Alarm != nil {
		s.mu.Lock()
		s.alarms++
		s.mu.Unlock()
		_ = s.w.connectPartner(ctx, s.anywhere(s.owner))
	}
	return pause(ctx, 300*time.Millisecond)
}

func refuses(err error, field string) bool {
	f := fault.Of(err)
	return f != nil && slices.ContainsFunc(f.Refusals, func(r fault.Refusal) bool { return r.Field == field })
}

// anywhere is a client whose server is one that stands now.
func (s *siege) anywhere(c *client) *client {
	own := *c
	own.wait = 5 * time.Minute
	own.server = s.replicas[s.draw(len(s.replicas))].url
	return &own
}

// take gives a case's domain to a stranger, unless it is ours by now.
func (s *siege) take(ctx context.Context, c *siegeCase) error {
	err := s.w.control(ctx, http.MethodPut, "/_sim/domains/"+c.Prefix+provision.DomainSuffix, struct{}{}, nil)
	if err != nil && strings.Contains(err.Error(), "belongs to") {
		return nil
	}
	return err
}

// round looks at every onboarding once and does what people would do now.
func (s *siege) round(ctx context.Context) (over bool, err error) {
	var list []api.OnboardingView
	for after := ""; ; {
		var p api.Page[api.OnboardingView]
		if err := s.insist(ctx, s.owner, http.MethodGet, "/onboardings?limit=200&after="+url.QueryEscape(after), nil, &p); err != nil {
			return false, err
		}
		list = append(list, p.Items...)
		if after = p.Next; after == "" {
			break
		}
	}
	if err := s.reconnect(ctx); err != nil {
		return false, err
	}
	expected := len(s.cases)
	for _, c := range s.cases {
		if c.Behind >= 0 && !c.submitted && s.cases[c.Behind].tries > 3 {
			expected-- // what it was to be behind of will never be ready
		}
	}
	over = len(list) == expected
	ready := map[int]bool{}
	states := map[string]int{}
	for _, o := range list {
		states[o.State]++
		if o.State == "running" || o.State == "waiting" || o.State == "cancelling" {
			states[o.State+" at "+o.Step]++
		}
	}
	s.mu.Lock()
	s.summary = fmt.Sprintf("%v; %d kills, %d points left, %d pauses, %d clock jumps, database killed %d times", states, s.kills, len(s.left), s.stops, s.jumps, s.breaks)
	s.mu.Unlock()
	for _, o := range list {
		c := s.of[o.Provider]
		if c == nil {
			return false, fmt.Errorf("an onboarding that nobody asked for: %s", o.ID)
		}
		ready[c.N] = o.State == "ready"
		over = over && (o.State == c.Want() || o.State == "stuck" && c.tries > 3) && (c.Kind != torture.Moved || c.moves == 2)
		if err := s.act(ctx, c, o); err != nil {
			return false, fmt.Errorf("case %d (%s): %w", c.N, c.Kind, err)
		}
	}
	for _, c := range s.cases {
		if c.Behind < 0 || c.submitted || !ready[c.Behind] {
			continue
		}
		c.j.c = s.anywhere(c.j.c)
		if err := s.fill(ctx, c); err != nil {
			continue // begun anew in the next round; what is left is a draft
		}
		if err := s.submit(ctx, c); err != nil {
			return false, err
		}
	}
	return over, nil
}

func (s *siege) act(ctx context.Context, c *siegeCase, o api.OnboardingView) error {
	at := "/onboardings/" + url.PathEscape(o.ID)
	switch {
	case c.Kind == torture.Cancelled && !c.cancelled && reached(o.Step, c.CancelAt):
		c.cancelled = true
		return s.insist(ctx, c.j.c, http.MethodPost, "/providers/"+url.PathEscape(c.j.id)+"/cancel", nil, nil)
	case c.Kind == torture.Moved && o.State == "ready" && c.moves < 2:
		c.moves++
		to := []string{c.j.account + "B", c.j.account}[c.moves-1]
		first := provider.DayOf(time.Now().Add(s.ahead).AddDate(0, 0, c.moves))
		err := s.insist(ctx, s.owner, http.MethodPost, "/providers/"+url.PathEscape(c.j.id)+"/move", map[string]any{"account": to, "first_day": first}, nil)
		if f := fault.Of(err); f != nil && len(f.Refusals) > 0 && strings.Contains(f.Refusals[0].Reason, "already") {
			return nil // an earlier try was heard
		}
		return err
	case o.State != "stuck" || c.Kind == torture.Stuck || c.tries > 3:
		return nil
	case o.Refusal != nil && o.Refusal.Code == "domain-taken":
		c.tries++
		return s.insist(ctx, s.owner, http.MethodPost, at+"/edit", map[string]any{"domain_prefix": fmt.Sprintf("%sy%d", c.Prefix, c.tries), "domain_confirmed": true}, nil)
	case c.Kind == torture.Retried && c.tries == 0:
		c.tries++
		var full api.OnboardingFull
		if err := s.insist(ctx, s.owner, http.MethodGet, at, nil, &full); err != nil {
			return err
		}
		if err := s.w.control(ctx, http.MethodPatch, "/_sim/customers/"+full.Tenant.TenantID, map[string]string{"validation": "Allowed"}, nil); err != nil {
			return err
		}
		return s.insist(ctx, s.owner, http.MethodPost, at+"/retry", nil, nil)
	}
	if c.tries++; c.tries > 3 {
		return nil // it stays, and is a broken promise
	}
	s.byHand++ // nobody planted this: it is told, and staff try again
	if err := s.note(ctx, o); err != nil {
		return err
	}
	return s.insist(ctx, s.owner, http.MethodPost, at+"/retry", nil, nil)
}

// note keeps why an onboarding is stuck that nobody planted.
func (s *siege) note(ctx context.Context, o api.OnboardingView) error {
	text := ""
	if o.Refusal != nil {
		text = o.Refusal.Field + " " + o.Refusal.Code + " " + o.Refusal.Reason
	}
	var said api.Page[api.Exchange]
	if err := s.insist(ctx, s.owner, http.MethodGet, "/onboardings/"+url.PathEscape(o.ID)+"/exchanges", nil, &said); err != nil {
		return err
	}
	for i, e := range said.Items {
		if i < 6 && (e.Status == 0 || e.Status >= 400) {
			text += fmt.Sprintf(" | %s %s: %d %s %s", e.Method, e.URL, e.Status, e.Response.Body, e.Error)
		}
	}
	s.history.Notes[o.Provider] = text
	s.tell(fmt.Sprintf("case %s is stuck at %s and nobody planted it: %s", o.Name, o.Step, text))
	return nil
}
