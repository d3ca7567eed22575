package cli

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/sim"
)

// simUsageCmd writes what a billing export would hold: gzip JSON lines, a manifest and
// reconciliation lines. The same flags write the same bytes.
type simUsageCmd struct {
	Out           string   `required:"" placeholder:"DIR" help:"Folder for the blobs, manifest.json and the reconciliation."`
	Records       int64    `default:"1000000" help:"Daily usage records, exactly."`
	Seed          uint64   `default:"1" help:"Another seed, other records."`
	Month         string   `placeholder:"YYYY-MM" help:"Calendar month of the usage, UTC. Left out: the last one."`
	Customers     int      `help:"Left out: one for each thousand records."`
	Subscriptions int      `default:"1" help:"Azure subscriptions of each customer."`
	Currency      []string `help:"Billing currencies, in turn by customer; several get a folder each. Left out: USD."`
	Feature       []string `help:"What is unusual, e.g. late,restated; none. Left out: everything."`
	Density       int      `default:"1" help:"Unusual records are so many times as frequent, up to 20."`
	Blobs         int      `help:"About how many. Left out: 125 000 records in each."`
	Workers       int      `help:"Blobs made at once. Left out: one per processor."`
	Unbilled      bool     `help:"As the whole month looks before its invoice."`
	Sealed        bool     `help:"Work out what was planted, by class, too."`
	JSON          bool     `name:"json" help:"Print the result as JSON."`
}

func (c *simUsageCmd) Run(ctx context.Context, std Std) error {
	o := sim.UsageOptions{Unbilled: c.Unbilled, Workers: c.Workers, Blobs: c.Blobs, Sealed: c.Sealed, BillOptions: sim.BillOptions{Month: c.Month, Seed: c.Seed, Records: c.Records,
		Customers: c.Customers, Subscriptions: c.Subscriptions, Currencies: c.Currency, Density: c.Density}}
	if o.Month == "" {
		now := time.Now().UTC()
		o.Month = time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
	}
	for _, f := range c.Feature {
		o.Features = append(o.Features, sim.Feature(f))
	}
	began := time.Now()
	got, err := sim.GenerateUsage(ctx, c.Out, o)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, got)
	}
	_, err = fmt.Fprintf(std.Out, "%d records of %d customers, %d bytes (%d gzip) in %d blobs, %.1f s\n", got.Records, got.Customers, got.Bytes, got.Gzip, len(got.Blobs), time.Since(began).Seconds())
	return err
}
