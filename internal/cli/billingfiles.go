package cli

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"causeway/internal/api"
)

type billingFocusCmd struct {
	remote  `embed:""`
	Account string `required:"" placeholder:"ALIAS" help:"The billing account."`
	Month   string `required:"" placeholder:"YYYY-MM" help:"The month that the documents close, UTC."`
	Format  string `default:"csv" enum:"csv,parquet" help:"csv or parquet."`
	Out     string `required:"" type:"path" placeholder:"FILE" help:"Where it is written; a file that is there is replaced."`
}

func (c *billingFocusCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	path := "/accounts/" + url.PathEscape(c.Account) + "/focus/" + url.PathEscape(c.Month) + "?format=" + url.QueryEscape(c.Format)
	if err := cl.download(ctx, path, c.Out); err != nil {
		return err
	}
	return c.written(std, c.Out)
}

type billingExportCmd struct {
	remote `embed:""`
	Month  string `required:"" placeholder:"YYYY-MM" help:"The month of issue and of the entries, UTC."`
	Out    string `required:"" type:"path" placeholder:"DIR" help:"The folder; files that are there are replaced."`
}

func (c *billingExportCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return err
	}
	var names []string
	for _, what := range []string{"documents", "journal"} {
		name := filepath.Join(c.Out, what+"-"+c.Month+".jsonl")
		if err := cl.download(ctx, "/billing/months/"+url.PathEscape(c.Month)+"/"+what+".jsonl", name); err != nil {
			return err
		}
		names = append(names, name)
	}
	return c.written(std, names...)
}

func (r remote) written(std Std, names ...string) error {
	if r.JSON {
		return printJSON(std.Out, names)
	}
	_, err := fmt.Fprintln(std.Out, strings.Join(names, "\n"))
	return err
}

type billingAccountingCmd struct {
	remote     `embed:""`
	URL        *string `name:"url" help:"Tell accounting there from now on, by webhooks as www.standardwebhooks.com describes them; \"\" for nowhere."`
	SecretFile string  `type:"existingfile" placeholder:"FILE" help:"With --url: the secret that signs what is sent; left out, the one that is set."`
}

func (c *billingAccountingCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if c.URL != nil {
		in := map[string]any{"url": *c.URL}
		if c.SecretFile != "" {
			b, err := os.ReadFile(c.SecretFile)
			if err != nil {
				return err
			}
			in["secret"] = strings.TrimSpace(string(b))
		}
		if err := cl.put(ctx, "/billing/accounting", in, nil); err != nil {
			return err
		}
	}
	var v api.Accounting
	if err := cl.get(ctx, "/billing/accounting", &v); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, v)
	}
	if v.URL == "" {
		v.URL = "nowhere"
	}
	_, _ = fmt.Fprintf(std.Out, "Accounting is told: %s. Not told yet: %d.\n", v.URL, len(v.Open))
	if len(v.Open) == 0 {
		return nil
	}
	rows := [][]string{{"EVENT", "SINCE", "TRIES", "NEXT", "ANSWER"}}
	for _, x := range v.Open {
		rows = append(rows, []string{x.ID, x.Since.Format(time.RFC3339), strconv.FormatInt(x.Attempts, 10), x.Next.Format(time.RFC3339), x.Answer})
	}
	return table(std.Out, rows)
}
