package billing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"causeway/internal/account"
	"causeway/internal/invoice"
	"causeway/internal/job"
	"causeway/internal/ledger"
	"causeway/internal/partner"
	"causeway/internal/price"
	"causeway/internal/seal"
	"causeway/internal/store"
	"causeway/internal/support"
	"causeway/internal/usage"
	"causeway/internal/usage/raw"
)

// The kinds of job of the cycle. Each reads only what the one before has committed.
const (
	JobLoad      = "billing-load"      // key: snapshot. Its records into the lake
	JobRate      = "billing-rate"      // key: month of service. Charges of every account
	JobVendor    = "billing-vendor"    // key: Microsoft's invoice. Explained, and posted
	JobDraft     = "billing-draft"     // key: month that is closed. Drafts of every account
	JobIssue     = "billing-issue"     // key: month that is closed. What staff approved
	JobReconcile = "billing-reconcile" // key: Microsoft's invoice. From the last estimate to it
	JobDaily     = "billing-daily"     // drafts of the running month, once a day
	JobBudget    = "billing-budget"    // key: month of service. What its budgets have to tell

	JobAccounting = "accounting" // what was issued and posted, told to the partner's accounting
)

// Parts are what the cycle is made of.
type Parts struct {
	DB       *store.DB
	Now      func() time.Time
	Log      *slog.Logger
	Jobs     *job.Queue
	People   *account.Directory
	Settings *partner.Settings
	Mail     *support.Outbox // nil = no mail
	Desk     *support.Desk   // takes what a budget asks of the partner; nil = nobody is asked
	Prices   *price.Book
	Journal  *ledger.Journal
	Lake     Lake
	Raw      *raw.Store
	Files    Folder // of issued documents
	Workers  int    // how many accounts are rated at once; results do not depend on it

	// Names gives what a customer calls the subscription; nil = its id.
	Names invoice.Names
	// Portal is the address that mail leads to.
	Portal string

	// Ring seals the secret of the webhook to accounting; nil = none can be set.
	Ring *seal.Ring
}

// Cycle takes Microsoft's exports to issued documents and a closed month.
type Cycle struct {
	db       *store.DB
	now      func() time.Time
	log      *slog.Logger
	jobs     *job.Queue
	people   *account.Directory
	settings *partner.Settings
	mail     *support.Outbox
	desk     *support.Desk
	prices   *price.Book
	book     *invoice.Book
	journal  *ledger.Journal
	lake     Lake
	raw      *raw.Store
	files    Folder
	months   *Months
	workers  int
	names    invoice.Names
	portal   string
	ring     *seal.Ring
	outside  *http.Client // to accounting
}

// New makes the cycle, and names its handlers to the queue where there is a lake: a
// process of role web has none, and only reads.
func New(p Parts) *Cycle {
	c := &Cycle{
		db: p.DB, now: p.Now, log: p.Log, jobs: p.Jobs, people: p.People, settings: p.Settings, mail: p.Mail, desk: p.Desk, prices: p.Prices, journal: p.Journal,
		lake: p.Lake, raw: p.Raw, files: p.Files, months: NewMonths(p.DB), workers: max(p.Workers, 1), names: p.Names, portal: p.Portal, ring: p.Ring, outside: accountingClient(),
	}
	if c.names == nil {
		c.names = func(entitlement string) string { return entitlement }
	}
	c.book = invoice.New(p.DB, p.Now, c.prefix)
	if p.Lake == nil {
		return c
	}
	for kind, do := range map[string]func(context.Context, job.Job) error{
		JobLoad: c.doLoad, JobRate: c.doRate, JobVendor: c.doVendor, JobDraft: c.doDraft, JobIssue: c.doIssue, JobReconcile: c.doReconcile, JobDaily: c.doDaily, JobAccounting: c.doAccounting, JobBudget: c.doBudget,
	} {
		p.Jobs.Handle(kind, do)
	}
	return c
}

// Points are the places at which a crash test may kill a process that bills.
func Points() []string {
	return []string{
		"billing.load:loaded", "billing.load:kept", "billing.rate:batch", "billing.rate:accounts", "billing.rate:done", "billing.vendor:explained", "billing.vendor:posted",
		"billing.draft:batch", "billing.draft:done", "billing.issue:begin", "billing.issue:filed", "billing.issue:done", "billing.reconcile:explained", "billing.reconcile:kept",
		"billing.close:may", "billing.close:done",
	}
}

// BudgetPoints are those of the watch over budgets, which has none to kill in a month
// without budgets.
func BudgetPoints() []string {
	return []string{"billing.budget:asked", "billing.budget:told", "billing.budget:done"}
}

// Book is where the documents are.
func (c *Cycle) Book() *invoice.Book { return c.book }

// Months is where pages read what accounts cost.
func (c *Cycle) Months() *Months { return c.months }

// Start puts the daily drafts into the queue, once per database.
func (c *Cycle) Start(ctx context.Context, tx *store.Tx) error {
	return c.jobs.Add(ctx, tx, JobDaily, "", struct{}{}, time.Time{})
}

// doDaily drafts what is not closed yet, anew each day: prices, taxes and settings
// change without any usage that changed.
func (c *Cycle) doDaily(ctx context.Context, _ job.Job) error {
	now := c.now()
	month := usage.MonthOf(now)
	err := c.db.Tx(ctx, func(tx *store.Tx) error {
		for _, m := range []usage.Month{month.Add(-2), month.Add(-1), month} {
			if err := c.jobs.Add(ctx, tx, JobRate, string(m), struct{}{}, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	next := usage.DayOf(now).Add(1).Time().Add(7 * time.Hour) // a day's usage is there some hours after it
	return job.Wait{Until: next, Why: "drafts are made once a day"}
}

// prefix begins the numbers of a seller.
func (c *Cycle) prefix(entity string) string {
	s, err := c.Setup(context.Background())
	if err != nil {
		return ""
	}
	e, err := s.seller(entity)
	if err != nil {
		return ""
	}
	return e.Prefix
}

func monthOf(j job.Job) (usage.Month, error) {
	m := usage.Month(j.Key)
	if err := m.Check(); err != nil {
		return "", fmt.Errorf("job %s: %w", j.Kind, err)
	}
	return m, nil
}
