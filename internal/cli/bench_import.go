package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/demo"
	"causeway/internal/money"
	"causeway/internal/sim"
	"causeway/internal/store"
)

type benchImportCmd struct {
	Customers int           `default:"10000" help:"Customers that exist at Microsoft."`
	Workers   int           `default:"16" help:"Jobs at once."`
	Database  string        `placeholder:"URL" help:"postgres://…; left out: a fresh SQLite file."`
	Timeout   time.Duration `default:"30m"`
	JSON      bool          `name:"json"`
}

// importFigures is what bench import prints.
type importFigures struct {
	Customers         int     `json:"customers"`
	Subscriptions     int     `json:"subscriptions"`
	Adopted           int     `json:"adopted"`
	DifferencesBefore int     `json:"differences_before"`
	DifferencesAfter  int     `json:"differences_after"` // after a whole sweep of what was adopted
	SweepSeconds      float64 `json:"sweep_seconds"`     // the first one, over a book that nobody knows
	AdoptSeconds      float64 `json:"adopt_seconds"`
	AgainSeconds      float64 `json:"again_seconds"` // the sweep afterwards, over a book that is known
	Seconds           float64 `json:"seconds"`
	Calls             int     `json:"calls"`
	Writes            int     `json:"writes"`  // calls that change something at Microsoft
	Changed           bool    `json:"changed"` // what Microsoft has is not what it was
	WastedPercent     float64 `json:"wasted_percent"`
	PeakRSS           int64   `json:"peak_rss_bytes"` // of the server
	Database          string  `json:"database"`
}

func (c *benchImportCmd) Run(ctx context.Context, std Std) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	f := importFigures{Customers: c.Customers, Database: "sqlite"}
	if c.Database != "" {
		f.Database = "postgresql"
	}
	// Our book is in the database before the server opens it: ten thousand accounts
	// over the API would measure something else.
	w, err := startWorld(ctx, worldConfig{profile: string(sim.Instant), factor: 1, workers: c.Workers, database: c.Database, calls: 1000 + c.Customers*20, prepare: c.book})
	if err != nil {
		return err
	}
	defer w.stop()
	if err := c.measure(ctx, w, &f); err != nil {
		return fmt.Errorf("%w\n%s", err, tail(w.logs(), 4000))
	}
	if c.JSON {
		err = printJSON(std.Out, f)
	} else {
		_, err = fmt.Fprintf(std.Out, "%d of %d customers adopted in %.1f s; %d differences before, %d after; %d calls, %d of them writes, %.2f %% wasted, peak %d MB\n",
			f.Adopted, f.Customers, f.Seconds, f.DifferencesBefore, f.DifferencesAfter, f.Calls, f.Writes, f.WastedPercent, f.PeakRSS>>20)
	}
	if err == nil && (f.DifferencesAfter != 0 || f.Adopted != f.Customers || f.Writes != 0 || f.Changed) {
		return errors.New("the import is not clean")
	}
	return err
}

// measure sweeps, adopts what matches, and sweeps again.
func (c *benchImportCmd) measure(ctx context.Context, w *world, f *importFigures) error {
	owner, err := w.login(ctx, demo.Owner)
	if err != nil {
		return err
	}
	owner.wait = c.Timeout
	if err := w.connectPartner(ctx, owner); err != nil {
		return err
	}
	if err := c.seed(ctx, w, f); err != nil {
		return err
	}
	before, err := w.mark(ctx)
	if err != nil {
		return err
	}
	if err := w.control(ctx, http.MethodDelete, "/_sim/calls", nil, nil); err != nil {
		return err
	}
	start := time.Now()
	first, err := sweepOnce(ctx, owner)
	if err != nil {
		return err
	}
	f.DifferencesBefore, f.SweepSeconds = first.Open, seconds(time.Since(start))
	at := time.Now()
	if f.Adopted, err = apply(ctx, owner, "matched"); err != nil {
		return err
	}
	if err := settled(ctx, owner); err != nil {
		return err
	}
	f.AdoptSeconds = seconds(time.Since(at))
	at = time.Now()
	again, err := sweepOnce(ctx, owner)
	if err != nil {
		return err
	}
	f.AgainSeconds, f.DifferencesAfter = seconds(time.Since(at)), again.Open
	f.Seconds, f.Subscriptions = seconds(time.Since(start)), again.Subscriptions
	after, err := w.mark(ctx)
	if err != nil {
		return err
	}
	f.Changed = after != before
	if f.PeakRSS, err = w.peakRSS(); err != nil {
		return err
	}
	calls, err := w.calls(ctx)
	if err != nil {
		return err
	}
	f.Calls = len(calls)
	for _, x := range calls {
		asks := strings.Contains(x.Path, "/oauth2/") || strings.Contains(x.Path, "/reports/partners/billing/") // an export is asked for by POST
		if x.Method != http.MethodGet && !asks {
			f.Writes++
		}
	}
	f.WastedPercent, _ = wasted(calls)
	return nil
}

func companyName(i int) string { return fmt.Sprintf("Existing company %05d, Inc.", i) }

// book makes an organization with its account for each customer.
func (c *benchImportCmd) book(ctx context.Context, database string) error {
	db, err := store.Open(ctx, database)
	if err != nil {
		return err
	}
	people := account.New(db, time.Now)
	const at = 500
	for i := 0; i < c.Customers && err == nil; i += at {
		var b account.Book
		for k := i; k < min(i+at, c.Customers); k++ {
			b.Companies = append(b.Companies, account.BookCompany{
				Organization: account.Organization{Name: companyName(k)},
				Accounts: []account.Account{{
					Alias: account.Alias(fmt.Sprintf("EX%05d", k)), Name: companyName(k), Country: "US", Billable: true, Currency: "USD", CreditLimit: money.Must("40000", "USD"), Language: "en-US",
					Address: address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"},
					Contact: account.Contact{FirstName: "Account", LastName: "Administrator", Email: fmt.Sprintf("desk%05d@customer.example", k), Phone: "7165550100"},
				}},
			})
		}
		err = people.Import(ctx, account.System(), b)
	}
	return errors.Join(err, db.Close())
}

// seed fills the simulated Microsoft with the same companies: a third has no
// plan, a third one subscription, a third two; half let our application in.
func (c *benchImportCmd) seed(ctx context.Context, w *world, f *importFigures) error {
	const at = 500
	for i := 0; i < c.Customers; i += at {
		var s sim.Seed
		for k := i; k < min(i+at, c.Customers); k++ {
			x := sim.SeedCustomer{Domain: fmt.Sprintf("existing%05d.onmicrosoft.com", k), Name: companyName(k), Consent: k%2 == 0, Billing: sim.BillingProfile{
				Email: "owner@existing.example", Culture: "en-US", Language: "en",
				Address: sim.Address{Country: "US", City: "Buffalo", State: "NY", AddressLine1: "4567 Main Street", PostalCode: "14201"},
			}}
			if x.Consent {
				x.GDAP = []string{sim.DefaultGDAPGroup}
			}
			if k%3 > 0 {
				x.Plan = &sim.SeedPlan{}
				for n := range k % 3 {
					x.Plan.Subscriptions = append(x.Plan.Subscriptions, sim.SeedSubscription{Name: fmt.Sprintf("Subscription %d of %05d", n, k)})
				}
			}
			s.Customers = append(s.Customers, x)
		}
		if err := w.control(ctx, http.MethodPost, "/_sim/seed", s, nil); err != nil {
			return err
		}
	}
	return nil
}

// mark tells whether anything at Microsoft was changed.
func (w *world) mark(ctx context.Context) (string, error) {
	var dump json.RawMessage
	if err := w.control(ctx, http.MethodGet, "/_sim/customers", nil, &dump); err != nil {
		return "", err
	}
	sum := sha256.Sum256(dump)
	return hex.EncodeToString(sum[:]), nil
}
