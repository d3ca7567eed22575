package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"causeway/internal/api"
)

type billingSettingsCmd struct {
	remote  `embed:""`
	Account string `placeholder:"ALIAS" help:"Of one billing account; left out, of the partner."`
	Set     string `type:"existingfile" placeholder:"FILE" help:"Decide what the file says: what this command prints, changed."`
}

// Run shows the settings as JSON, so that they can be changed and given back.
func (c *billingSettingsCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	path := "/billing/settings"
	if c.Account != "" {
		path = "/billing/accounts/" + url.PathEscape(c.Account) + "/settings"
	}
	if c.Set != "" {
		b, err := os.ReadFile(c.Set)
		if err != nil {
			return err
		}
		var in api.BillingSettings
		if err := json.Unmarshal(b, &in); err != nil {
			return fmt.Errorf("%s: %w", c.Set, err)
		}
		if err := cl.put(ctx, path, in, nil); err != nil {
			return err
		}
	}
	var s api.BillingSettings
	if err := cl.get(ctx, path, &s); err != nil {
		return err
	}
	return printJSON(std.Out, s)
}
