package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/azure/token"
	"causeway/internal/billing"
	"causeway/internal/invoice"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/usage"
	"causeway/internal/usage/raw"

	"github.com/shopspring/decimal"
)

type benchCloseCmd struct {
	Accounts int   `default:"10000" help:"Billing accounts, each with one customer."`
	Records  int64 `default:"10000000" help:"Daily usage records of the month."`
	JSON     bool  `name:"json"`
}

// closeFigures is what bench close prints. The clock runs from the moment at which
// both exports and Microsoft's invoice are fetched.
type closeFigures struct {
	Accounts     int     `json:"accounts"`
	Records      int64   `json:"records"`
	Issued       int     `json:"issued"`
	Seconds      float64 `json:"seconds"` // from the export to the last issued invoice
	Load         float64 `json:"load_seconds"`
	Rate         float64 `json:"rate_seconds"`
	Vendor       float64 `json:"vendor_seconds"` // Microsoft's invoice explained line by line
	Draft        float64 `json:"draft_seconds"`
	Issue        float64 `json:"issue_seconds"` // numbers, postings and PDFs
	Reconcile    float64 `json:"reconcile_seconds"`
	Unclassified string  `json:"unclassified"`
	PeakRSS      int64   `json:"peak_rss_bytes"`
}

func (c *benchCloseCmd) Run(ctx context.Context, std Std) error {
	w, err := startSim(ctx, worldConfig{profile: string(sim.Instant), factor: 1})
	if err != nil {
		return err
	}
	defer w.stop()
	f, err := c.measure(ctx, w)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(std.Out, f)
	} else {
		_, err = fmt.Fprintf(std.Out, "%d invoices for %d records %.1f s after the export: load %.1f, rate %.1f, Microsoft's invoice %.1f, draft %.1f, issue %.1f s; %s unclassified, peak %d MB\n",
			f.Issued, f.Records, f.Seconds, f.Load, f.Rate, f.Vendor, f.Draft, f.Issue, f.Unclassified, f.PeakRSS>>20)
	}
	return err
}

func (c *benchCloseCmd) measure(ctx context.Context, w *world) (f closeFigures, err error) {
	month := usage.MonthOf(time.Now()).Add(-1)
	db, err := store.Open(ctx, filepath.Join(w.dir, "close.db"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	a, err := c.open(ctx, w, db)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, a.Lake.Close()) }()
	if err := c.book(ctx, w, a, month); err != nil {
		return f, err
	}
	do := func(kinds ...string) (float64, error) {
		began := time.Now()
		for _, kind := range kinds {
			for {
				did, err := a.Jobs.RunOnceOf(ctx, kind)
				if err != nil {
					return 0, err
				}
				if !did {
					break
				}
			}
		}
		return seconds(time.Since(began)), nil
	}
	if err := a.Fetch.Ask(ctx, month); err != nil {
		return f, err
	}
	if _, err := do(billing.JobFetch, billing.JobExport, billing.JobStatement); err != nil {
		return f, err
	}
	began := time.Now()
	for _, stage := range []struct {
		kind string
		took *float64
	}{{billing.JobLoad, &f.Load}, {billing.JobRate, &f.Rate}, {billing.JobVendor, &f.Vendor}, {billing.JobDraft, &f.Draft}} {
		if *stage.took, err = do(stage.kind); err != nil {
			return f, err
		}
	}
	at := time.Now()
	if f.Issued, err = a.Billing.IssueMonth(ctx, closeFinance, month); err != nil {
		return f, err
	}
	f.Issue, f.Seconds = seconds(time.Since(at)), seconds(time.Since(began))
	if f.Reconcile, err = do(billing.JobReconcile); err != nil {
		return f, err
	}
	if f.Issued != c.Accounts {
		undrafted, uerr := a.Billing.Undrafted(ctx, month)
		return f, errors.Join(fmt.Errorf("%d of %d accounts have an invoice: %v", f.Issued, c.Accounts, firstFew(undrafted, 3)), uerr)
	}
	f.Accounts = c.Accounts
	return f, c.settle(ctx, a, month, &f)
}

func firstFew[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// settle reads what the month looks like at its end.
func (c *benchCloseCmd) settle(ctx context.Context, a *App, month usage.Month, f *closeFigures) error {
	r, err := a.Billing.Reconcile(ctx, closeFinance, month)
	if err != nil {
		return err
	}
	if len(r.Statements) != 1 {
		return fmt.Errorf("%d invoices of Microsoft are explained, want 1", len(r.Statements))
	}
	f.Unclassified = r.Statements[0].Unclassified.Text()
	snapshots, err := a.Raw.Current(ctx, a.DB.Read(), raw.Filter{Feed: usage.Rated, Month: month})
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		if !s.Billed() {
			continue
		}
		loaded, err := a.Lake.Load(ctx, s, a.Raw) // what is there is not read again
		if err != nil {
			return err
		}
		f.Records += loaded.Rows
	}
	f.PeakRSS, err = ownPeak()
	return err
}

var closeFinance = account.Actor{User: "bench", Role: account.RoleFinance}

// open makes the program's parts in this process: its memory is measured, and each
// stage is run alone.
func (c *benchCloseCmd) open(ctx context.Context, w *world, db *store.DB) (*App, error) {
	cfg, err := (Config{
		Database: filepath.Join(w.dir, "close.db"), Keys: filepath.Join(w.dir, "keys"), PublicURL: "http://portal.example", Listen: "127.0.0.1:1", WorkerName: "bench",
		Azure: azure.Config{
			LoginURL: w.sim.URL, PartnerCenterURL: w.sim.URL, GraphURL: w.sim.URL, ARMURL: w.sim.URL, CAFile: filepath.Join(w.dir, "sim-ca.pem"),
			PartnerTenant: sim.DefaultPartnerTenant, AppID: sim.DefaultAppID,
		},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}).whole()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Keys, 0o700); err != nil {
		return nil, err
	}
	a, err := build(ctx, cfg, db)
	if err != nil {
		return nil, err
	}
	by := token.By{Actor: "bench"}
	if err := a.Custody.SetApplication(ctx, by, sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultAppSecret); err != nil {
		return nil, err
	}
	const redirect = "http://127.0.0.1/callback"
	var in struct{ Code string }
	if err := w.control(ctx, http.MethodPost, "/_sim/people/"+sim.DefaultUser+"/sign-in", map[string]any{"mfa": true, "redirectUri": redirect}, &in); err != nil {
		return nil, err
	}
	if _, err := a.Custody.RedeemCode(ctx, by, redirect, in.Code); err != nil {
		return nil, err
	}
	if err := a.Jobs.Start(ctx); err != nil {
		return nil, err
	}
	return a, a.Fetch.Watch(ctx)
}

// book lets Microsoft bill the month, and says who pays for each of its customers.
func (c *benchCloseCmd) book(ctx context.Context, w *world, a *App, month usage.Month) error {
	err := a.Billing.SetSetup(ctx, closeFinance, 0, billing.Setup{
		Sellers: []billing.Seller{{ID: "main", Prefix: "R-", Party: invoice.Party{Name: "Partner", Country: "US"}, Tax: []invoice.TaxRule{{ID: "home", Country: "US", Percent: decimal.New(5, 0), Label: "Tax 5 %"}}}},
		Pattern: invoice.Pattern{Way: invoice.Arrears}, PayDays: 30,
	})
	if err != nil {
		return err
	}
	generate := sim.BillOptions{Month: string(month), Seed: 1, Customers: c.Accounts, Records: c.Records}
	if err := w.control(ctx, http.MethodPost, "/_sim/billing/generate", generate, nil); err != nil {
		return err
	}
	if err := w.control(ctx, http.MethodPost, "/_sim/billing/close", map[string]any{"month": month}, nil); err != nil {
		return err
	}
	var customers []sim.CustomerState
	if err := w.control(ctx, http.MethodGet, "/_sim/customers", nil, &customers); err != nil {
		return err
	}
	for i, customer := range customers {
		if _, err := billedAccount(ctx, a, closeFinance, customer.ID, i, month.First().Add(-40), month.Last().Add(40)); err != nil {
			return err
		}
	}
	return nil
}
