package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"causeway/internal/account"
	"causeway/internal/api"
	"causeway/internal/demo"
)

// journey is one provider on its way, over HTTP as any customer's program would go.
type journey struct {
	w       *world
	c       *client // the customer's administrator
	name    string
	account string
	login   string // of the account administrator
	prefix  string

	id    string
	began time.Time
}

// submit fills in the wizard and begins.
func (j *journey) submit(ctx context.Context) error {
	if err := j.fill(ctx); err != nil {
		return err
	}
	return j.begin(ctx)
}

// fill fills in the wizard up to its end.
func (j *journey) fill(ctx context.Context) error {
	var d api.Draft
	err := j.c.post(ctx, "/providers", map[string]any{
		"name": j.name, "account": j.account, "connect": map[string]string{"login": j.login, "password": demo.Password},
	}, &d)
	if err != nil {
		return fmt.Errorf("begin the provider: %w", err)
	}
	j.id = d.Provider.ID
	at := "/providers/" + url.PathEscape(j.id)
	if !d.Further {
		if err := j.c.call(ctx, http.MethodPatch, at+"/details", map[string]any{
			"domain_prefix": j.prefix, "domain_confirmed": true, "registration_number": "", "contact": person(d.Details.Contact), "signatory": person(d.Details.Signatory),
		}, &d); err != nil {
			return fmt.Errorf("details: %w", err)
		}
		var checked api.Checked
		if err := j.c.post(ctx, at+"/details/check", nil, &checked); err != nil {
			return fmt.Errorf("check the details: %w", err)
		}
		if len(checked.Refusals) > 0 {
			return fmt.Errorf("microsoft refuses the details: %s", checked.Refusals[0].Reason)
		}
	}
	var terms api.Page[api.Document]
	if err := j.c.get(ctx, at+"/terms", &terms); err != nil {
		return err
	}
	for _, t := range terms.Items {
		if t.Kind == "microsoft" && !d.Further {
			continue // on Microsoft's own page
		}
		if err := j.c.post(ctx, at+"/terms", map[string]string{"document": t.ID, "hash": t.Hash}, nil); err != nil {
			return fmt.Errorf("accept the terms: %w", err)
		}
	}
	if !d.Further {
		if err := j.attest(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// begin submits.
func (j *journey) begin(ctx context.Context) error {
	j.began = time.Now()
	var b api.Begun
	if err := j.c.post(ctx, "/providers/"+url.PathEscape(j.id)+"/submit", nil, &b); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	if b.Onboarding == "" {
		return fmt.Errorf("submitted, but it waits for a signatory")
	}
	return nil
}

// attest lets the signatory, played by the simulator, accept Microsoft's agreement.
func (j *journey) attest(ctx context.Context, at string) error {
	var t api.Attestation
	if err := j.c.post(ctx, at+"/attestation", map[string]any{}, &t); err != nil {
		return fmt.Errorf("open Microsoft's agreement: %w", err)
	}
	if err := j.w.control(ctx, http.MethodPost, "/_sim/attestations/"+t.ID+"/accept", nil, nil); err != nil {
		return err
	}
	for t.State != "accepted" {
		if err := j.c.get(ctx, at+"/attestation", &t); err != nil {
			return fmt.Errorf("ask for the agreement: %w", err)
		}
		if t.State == "expired" {
			return fmt.Errorf("the attestation expired")
		}
		if t.State != "accepted" {
			if err := pause(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// await watches the progress until the state is final, and tells each change.
func await(ctx context.Context, c *client, id string, tell func(api.Progress)) (api.Progress, error) {
	var p api.Progress
	for {
		path := fmt.Sprintf("/providers/%s/progress?since=%d&wait=20", url.PathEscape(id), p.Provider.Version)
		if p.Provider.ID == "" {
			path = fmt.Sprintf("/providers/%s/progress", url.PathEscape(id))
		}
		if err := c.get(ctx, path, &p); err != nil {
			return p, err
		}
		if tell != nil {
			tell(p)
		}
		switch p.Provider.State {
		case "ready", "cancelled", "stuck":
			return p, nil
		}
	}
}

// person is a contact with a telephone number in the form that Microsoft takes in
// the United States: national digits, no country code.
func person(c account.Contact) account.Contact {
	c.Phone = "7165550100"
	return c
}
