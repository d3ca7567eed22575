package cli

import (
	"context"
	"fmt"
	"os"

	"causeway/internal/agreement"
	"causeway/internal/api"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// receiptCmd is for signed receipts.
type receiptCmd struct {
	Verify receiptVerifyCmd `cmd:"" help:"Check a receipt without any network."`
	Get    receiptGetCmd    `cmd:"" help:"Write a provider's receipt to a file."`
	Key    receiptKeyCmd    `cmd:"" help:"Print the public key that receipts are checked with."`
}

type receiptVerifyCmd struct {
	File string `arg:"" help:"The receipt."`
	Key  string `env:"CAUSEWAY_RECEIPT_KEY" placeholder:"FILE|SHA256:…" help:"The partner's public key (PEM), or its fingerprint. Left out: keys/receipt.key.pub."`
	JSON bool   `name:"json" help:"Print the receipt as JSON."`
}

func (c *receiptVerifyCmd) Run(std Std) error {
	body, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	trusted := []byte(c.Key)
	if len(c.Key) < 7 || c.Key[:7] != "SHA256:" {
		file := firstOf(c.Key, "keys/receipt.key.pub")
		if trusted, err = os.ReadFile(file); err != nil { // #nosec G304 -- the person names the file
			return fault.Field("key", "There is no key to check the receipt with: "+err.Error()+".", "Give the partner's public key, or its fingerprint, with --key.")
		}
	}
	r, err := agreement.Verify(body, trusted)
	if err != nil {
		return fmt.Errorf("%s is not good: %w", c.File, err)
	}
	if c.JSON {
		return printJSON(std.Out, r)
	}
	_, _ = fmt.Fprintf(std.Out, "%s is good: signed by %s on %s.\n", c.File, r.Partner, r.MadeAt.Format("2006-01-02 15:04:05 UTC"))
	rows := []string{"Organization", r.Organization.Name, "Account", r.Account.Alias + " · " + r.Account.LegalName, "Provider", r.Provider.Name, "Administrator", r.Administrator}
	for _, a := range r.Acceptances {
		rows = append(rows, "Accepted", fmt.Sprintf("%s version %d by %s on %s", a.Kind, a.Version, a.Name, a.At.Format("2006-01-02 15:04 UTC")))
	}
	if r.Result != nil {
		rows = append(rows, "Tenant", r.Result.TenantID+" ("+r.Result.Domain+")", "Subscription", r.Result.SubscriptionID)
	}
	return facts(std.Out, rows...)
}

type receiptGetCmd struct {
	remote `embed:""`
	ID     string `arg:"" help:"Of the provider."`
	File   string `arg:"" help:"Where to write it."`
}

func (c *receiptGetCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var body []byte
	if err := cl.get(ctx, draftPath(c.ID)+"/receipt", &body); err != nil {
		return err
	}
	if err := os.WriteFile(c.File, body, 0o600); err != nil {
		return err
	}
	return c.done(std, c.File+" is written. Check it with: causeway receipt verify "+c.File)
}

type receiptKeyCmd struct {
	remote `embed:""`
}

func (c *receiptKeyCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var key []byte
	if err := cl.get(ctx, "/receipt-key", &key); err != nil {
		return err
	}
	_, err = std.Out.Write(key)
	return err
}

// auditCmd is for the record of who did what.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Read the chains of the record and tell whether they are unbroken."`
	List   auditListCmd   `cmd:"" help:"Show the newest entries."`
}

type auditVerifyCmd struct {
	remote       `embed:""`
	Organization string `help:"Only this one's chain. Left out: all that you may see."`
	Database     string `placeholder:"FILE|URL" help:"Read this database itself, without a server."`
}

func (c *auditVerifyCmd) Run(ctx context.Context, std Std) error {
	verdicts, err := c.verdicts(ctx)
	if err != nil {
		return err
	}
	broken, entries := 0, int64(0)
	for _, v := range verdicts {
		entries += v.Entries
		if !v.Whole {
			broken++
		}
	}
	if c.JSON {
		if err := printJSON(std.Out, verdicts); err != nil {
			return err
		}
	} else {
		for _, v := range verdicts {
			if !v.Whole {
				_, _ = fmt.Fprintf(std.Err, "%s: %s\n", firstOf(v.Organization, "the partner"), v.Fault)
			}
		}
		if broken == 0 {
			_, _ = fmt.Fprintf(std.Out, "%d entries in %d chains: unbroken.\n", entries, len(verdicts))
		}
	}
	if broken > 0 {
		return errShown
	}
	return nil
}

func (c *auditVerifyCmd) verdicts(ctx context.Context) ([]api.AuditVerdict, error) {
	if c.Database != "" {
		return verifyDatabase(ctx, c.Database, c.Organization)
	}
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	var me api.Me
	if err := cl.get(ctx, "/me", &me); err != nil {
		return nil, err
	}
	orgs := []string{firstOf(c.Organization, me.Organization)}
	if me.Staff && c.Organization == "" {
		list, err := all[api.Organization](ctx, cl, "/organizations?limit=200")
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			orgs = append(orgs, o.ID)
		}
	}
	out := make([]api.AuditVerdict, len(orgs))
	for i, o := range orgs {
		if err := cl.get(ctx, "/audit/verify"+query("organization", o), &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// verifyDatabase reads every chain of a database that no server needs to serve.
func verifyDatabase(ctx context.Context, url, only string) (out []api.AuditVerdict, err error) {
	db, err := store.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	orgs := []string{only}
	if only == "" {
		rows, err := db.Read().QueryContext(ctx, "SELECT DISTINCT org FROM audit_entry ORDER BY org")
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }()
		orgs = nil
		for rows.Next() {
			var o string
			if err := rows.Scan(&o); err != nil {
				return nil, err
			}
			orgs = append(orgs, o)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	for _, o := range orgs {
		n, err := audit.Verify(ctx, db, o)
		v := api.AuditVerdict{Organization: o, Entries: n, Whole: err == nil}
		if err != nil {
			v.Fault = err.Error()
		}
		out = append(out, v)
	}
	return out, nil
}

type auditListCmd struct {
	remote       `embed:""`
	Organization string ``
	Object       string `help:"e.g. provider:01a2…"`
	Limit        int    `default:"50"`
}

func (c *auditListCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var p api.Page[api.AuditEntry]
	if err := cl.get(ctx, "/audit"+query("organization", c.Organization, "object", c.Object, "limit", fmt.Sprint(c.Limit)), &p); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, p.Items)
	}
	rows := [][]string{{"SEQ", "AT", "ACTOR", "ACTION", "OBJECT"}}
	for _, e := range p.Items {
		rows = append(rows, []string{fmt.Sprint(e.Seq), clock(e.At), e.Actor, e.Action, e.Object})
	}
	return table(std.Out, rows)
}
