package billing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
	"causeway/internal/usage/raw"
)

// Kinds of job by which exports are fetched.
const (
	JobFetch     = "fetch"           // key: ""; sees what there is to fetch, every hour
	JobExport    = "fetch-export"    // key: raw.Key of the export, in the arguments
	JobStatement = "fetch-statement" // key: the id of Microsoft's invoice
)

// Figures of fetching.
const (
	fetchLook  = time.Hour
	fetchFirst = 10 * time.Minute // leaves a server that just started to those who wait for a page
	fetchEvery = 24 * time.Hour   // Microsoft's unbilled data lags about a day
	fetchBack  = 13               // months whose invoices are fetched by themselves: a year and the running month
	fetchHope  = 30 * 24 * time.Hour
	invoices   = 200 // a page of them
)

// FetchParts is what a Fetcher is made of.
type FetchParts struct {
	DB         *store.DB
	Now        func() time.Time
	Log        *slog.Logger
	Jobs       *job.Queue
	Graph      *graph.Client
	Partner    *partnercenter.Client
	Raw        *raw.Store
	Throttle   *azure.Governor                                  // nil: limits are not shared
	Tenant     func(context.Context) (string, error)            // the partner's; "" = not connected yet
	Currencies []money.Currency                                 // billed in, beside those that Microsoft names
	Closed     func(context.Context, usage.Month) (bool, error) // nil: no month is closed
	// OnSnapshot is told of each new snapshot, in the transaction that keeps it; nil: nobody.
	OnSnapshot func(context.Context, *store.Tx, usage.Snapshot) error
}

// Fetcher gets Microsoft's exports and invoices: unbilled data of the running and the
// last month every day, billed data once when an invoice is there. It keeps them as
// received and decides nothing about them.
type Fetcher struct {
	FetchParts
}

// NewFetcher makes one; Handle lets it work. Without the clients of Microsoft, as in
// a process of role web, it can only Ask.
func NewFetcher(p FetchParts) *Fetcher { return &Fetcher{FetchParts: p} }

// Handle takes the jobs of fetching.
func (f *Fetcher) Handle(q *job.Queue) {
	q.Handle(JobFetch, f.look)
	q.Handle(JobExport, f.export)
	q.Handle(JobStatement, f.statement)
}

// Watch puts the standing job into the queue, once per database.
func (f *Fetcher) Watch(ctx context.Context) error {
	return f.DB.Tx(ctx, func(tx *store.Tx) error {
		return f.Jobs.Add(ctx, tx, JobFetch, "", struct{}{}, f.Now().Add(fetchFirst))
	})
}

// Ask lets what is known of a month be fetched again now, and whatever is new.
func (f *Fetcher) Ask(ctx context.Context, m usage.Month) error {
	known, err := f.Raw.Fetches(ctx, m)
	if err != nil {
		return err
	}
	return f.DB.Tx(ctx, func(tx *store.Tx) error {
		for _, x := range known {
			if x.Billed() || period(x.Month, f.Now()) != "" {
				if err := f.Jobs.Add(ctx, tx, JobExport, x.Key, x.Export, time.Time{}); err != nil {
					return err
				}
			}
		}
		return f.Jobs.Add(ctx, tx, JobFetch, "", struct{}{}, time.Time{})
	})
}

// FetchPoints are the places at which a crash test may kill a process that fetches.
func FetchPoints() []string {
	return []string{
		"fetch-look", "fetch-looked", "fetch-begun", "fetch-ask", "fetch-asked", "fetch-operation", "fetch-planned", "fetch-file", "fetch-file-kept",
		"fetch-keep", "fetch-kept", "fetch-statement", "fetch-statement-kept",
	}
}

// period is Microsoft's word for a month of unbilled data; "" if it has none any more.
func period(m usage.Month, now time.Time) string {
	switch m {
	case usage.MonthOf(now):
		return graph.PeriodCurrent
	case usage.MonthOf(now).Add(-1):
		return graph.PeriodLast
	}
	return ""
}

// quiet makes calls that nobody waits for.
func (f *Fetcher) quiet(ctx context.Context, j job.Job) (context.Context, func()) {
	ctx = azure.WithCaller(ctx, azure.Caller{Key: j.Kind + " " + j.Key, Began: f.Now(), Class: azure.Sweep})
	ctx = azure.WithCorrelation(ctx, azure.NewCorrelationID())
	return ctx, func() {
		if f.Throttle != nil {
			f.Throttle.End(ctx)
		}
	}
}

// later turns an error into what comes next: what may pass by itself is tried again,
// what a person has to do something about is waited for.
func (f *Fetcher) later(err error) error {
	var wait job.Wait
	switch {
	case err == nil, errors.As(err, &wait), errors.Is(err, job.ErrFenced), errors.Is(err, job.ErrStopping), errors.Is(err, fault.Unavailable), store.IsAway(err):
		return err
	case errors.Is(err, fault.Forbidden), azure.Classify(err) == azure.F && azure.AsError(err) != nil:
		return job.Wait{Until: f.Now().Add(fetchLook), Why: err.Error()}
	case azure.AsError(err) != nil:
		return job.Wait{Until: f.Now().Add(time.Minute), Why: err.Error()}
	}
	return err
}

// look is the handler of JobFetch: it reads the list of invoices and puts what is due
// into the queue.
func (f *Fetcher) look(ctx context.Context, j job.Job) error {
	ctx, end := f.quiet(ctx, j)
	defer end()
	partner, err := f.Tenant(ctx)
	if err != nil {
		return f.later(err)
	}
	if partner == "" {
		return job.Wait{Until: f.Now().Add(fetchLook), Why: "The partner is not connected to Microsoft yet."}
	}
	job.Point("fetch-look")
	seen, err := f.seeInvoices(ctx)
	if err != nil {
		return f.later(err)
	}
	currencies, err := f.currencies(ctx, seen)
	if err != nil {
		return f.later(err)
	}
	due, err := f.due(ctx, partner, seen, currencies)
	if err != nil {
		return err
	}
	err = f.DB.Tx(ctx, func(tx *store.Tx) error {
		if err := f.Jobs.Hold(ctx, tx, j); err != nil {
			return err
		}
		for _, i := range seen {
			if err := f.Raw.SeeInvoice(ctx, tx, i); err != nil {
				return err
			}
			if i.PDF == nil {
				if err := f.Jobs.Add(ctx, tx, JobStatement, i.ID, struct{}{}, time.Time{}); err != nil {
					return err
				}
			}
		}
		for _, e := range due {
			if err := f.Jobs.Add(ctx, tx, JobExport, raw.Key(e), e, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	job.Point("fetch-looked")
	return job.Wait{Until: f.Now().Add(fetchLook), Why: "looks again every hour"}
}

// plainID is how Microsoft numbers invoices; the number becomes part of a file's name.
var plainID = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// seeInvoices reads Microsoft's modern invoices of the last months, with what is
// here of each.
func (f *Fetcher) seeInvoices(ctx context.Context) ([]raw.Invoice, error) {
	first := usage.MonthOf(f.Now()).Add(-fetchBack)
	var seen []raw.Invoice
	for in, err := range f.Partner.Invoices(ctx, invoices) {
		if err != nil {
			return nil, err
		}
		i := raw.Invoice{
			ID: in.Number(), Month: usage.MonthOf(in.BillingPeriodStartDate.Time), Date: in.InvoiceDate.Time, Document: in.DocumentType, Amends: in.AmendsOf,
		}
		if in.BillingPeriodStartDate.IsZero() { // the invoice of a month is made in the next one
			i.Month = usage.MonthOf(in.InvoiceDate.Time).Add(-1)
		}
		if !in.Modern() || i.Month < first {
			continue
		}
		if i.Total, err = money.Parse(string(in.TotalCharges), money.Currency(in.CurrencyCode)); err != nil || !plainID.MatchString(i.ID) {
			f.Log.Error("an invoice of Microsoft cannot be read and is left out", "invoice", in.ID, "currency", in.CurrencyCode, "error", err)
			continue
		}
		known, err := f.Raw.Invoice(ctx, i.ID)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return nil, err
		}
		i.PDF = known.PDF
		seen = append(seen, i)
	}
	return seen, nil
}

// currencies are those in which Microsoft bills the partner: of its profile, of its
// balances and of its invoices.
func (f *Fetcher) currencies(ctx context.Context, seen []raw.Invoice) ([]money.Currency, error) {
	all := slices.Clone(f.Currencies)
	profile, err := f.Partner.PartnerBillingProfile(ctx)
	if err != nil {
		return nil, err
	}
	balances, err := f.Partner.InvoiceSummaries(ctx)
	if err != nil {
		return nil, err
	}
	all = append(all, money.Currency(profile.BillingCurrency))
	for _, b := range balances {
		all = append(all, money.Currency(b.CurrencyCode))
	}
	for _, i := range seen {
		all = append(all, i.Total.Currency())
	}
	all = slices.DeleteFunc(all, func(c money.Currency) bool { return c.Check() != nil })
	slices.Sort(all)
	return slices.Compact(all), nil
}

// due lists the exports to ask for now.
func (f *Fetcher) due(ctx context.Context, partner string, seen []raw.Invoice, currencies []money.Currency) ([]usage.Export, error) {
	now := f.Now()
	var all []usage.Export
	add := func(e usage.Export, again func(raw.Fetch) bool) error {
		for _, feed := range []usage.Feed{usage.Rated, usage.Invoiced} {
			e.Feed = feed
			last, err := f.Raw.Fetch(ctx, raw.Key(e))
			if err == nil && (last.State == raw.Fetching || now.Sub(last.EndedAt) < fetchEvery-time.Minute || !again(last)) {
				continue
			}
			if err != nil && !errors.Is(err, fault.NotFound) {
				return err
			}
			all = append(all, e)
		}
		return nil
	}
	billed := map[string]bool{}
	for _, i := range seen {
		currency := i.Total.Currency()
		billed[string(i.Month)+string(currency)] = true
		err := add(usage.Export{Partner: partner, Invoice: i.ID, Month: i.Month, Currency: currency}, func(last raw.Fetch) bool {
			return last.State == raw.None && now.Sub(i.Date) < fetchHope // its data may follow the invoice
		})
		if err != nil {
			return nil, err
		}
	}
	for _, currency := range currencies {
		for _, month := range []usage.Month{usage.MonthOf(now), usage.MonthOf(now).Add(-1)} {
			if billed[string(month)+string(currency)] {
				continue // nothing of it is unbilled any more
			}
			err := add(usage.Export{Partner: partner, Month: month, Currency: currency}, func(raw.Fetch) bool { return true })
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// statement is the handler of JobStatement: the PDF of Microsoft's invoice.
func (f *Fetcher) statement(ctx context.Context, j job.Job) error {
	ctx, end := f.quiet(ctx, j)
	defer end()
	i, err := f.Raw.Invoice(ctx, j.Key)
	if err != nil {
		return err
	}
	if i.PDF != nil {
		return nil
	}
	pdf, err := f.Partner.InvoiceStatement(ctx, i.ID)
	if err != nil {
		return f.later(err)
	}
	if len(pdf) < 5 || string(pdf[:5]) != "%PDF-" {
		return job.Wait{Until: f.Now().Add(fetchLook), Why: fmt.Sprintf("What Microsoft sent as invoice %s is no PDF.", i.ID)}
	}
	b, err := f.Raw.Put(ctx, fmt.Sprintf("%s/%s-%d.pdf", i.Month, i.ID, j.Fence), func(w io.Writer) error {
		_, err := w.Write(pdf)
		return err
	})
	if err != nil {
		return err
	}
	job.Point("fetch-statement")
	err = f.DB.Tx(ctx, func(tx *store.Tx) error {
		if err := f.Raw.KeepStatement(ctx, tx, i.ID, b); err != nil {
			return err
		}
		return f.Jobs.Finish(ctx, tx, j)
	})
	if err == nil {
		job.Point("fetch-statement-kept")
	}
	return err
}

// exportOf reads the arguments of a JobExport.
func exportOf(j job.Job) (usage.Export, error) {
	var e usage.Export
	if err := json.Unmarshal(j.Args, &e); err != nil {
		return e, fmt.Errorf("job %s %s: %w", j.Kind, j.Key, err)
	}
	return e, nil
}
