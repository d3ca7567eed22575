package usage

import (
	"context"
	"io"
	"time"

	"causeway/internal/fault"
	"causeway/internal/money"

	"github.com/shopspring/decimal"
)

// Feed is one of Microsoft's two kinds of export.
type Feed string

// The feeds. Rated has a row for each day, resource and meter, but usage only;
// Invoiced (the reconciliation) has every charge and the tax, but usage in sums of a
// month.
const (
	Rated    Feed = "rated"
	Invoiced Feed = "invoiced"
)

// Export says what is asked for. Billed data has an invoice and unbilled data a
// month: never both.
type Export struct {
	Partner  string         `json:"partner"` // tenant
	Feed     Feed           `json:"feed"`
	Invoice  string         `json:"invoice,omitempty"` // "" = unbilled
	Month    Month          `json:"month"`             // the billing period
	Currency money.Currency `json:"currency"`          // BillingCurrency
}

// Billed tells whether the charges are final.
func (e Export) Billed() bool { return e.Invoice != "" }

// Snapshot is one state of an export, as received. A newer one of the same export
// replaces it whole.
type Snapshot struct {
	ID string `json:"id"`
	Export
	ETag      string    `json:"etag"` // Microsoft's; another one means that data changed
	FetchedAt time.Time `json:"fetched_at"`
	Files     []File    `json:"files"`
}

// File is a blob as received: gzip of JSON lines, never edited.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes, compressed
	SHA256 string `json:"sha256"`
}

// Blobs gives the content of a snapshot's files.
type Blobs interface {
	Open(ctx context.Context, snapshot string, file File) (io.ReadCloser, error)
}

// Loaded is what came of a snapshot: as many rows as its files have lines.
type Loaded struct {
	Snapshot string       `json:"snapshot"`
	Rows     int64        `json:"rows"`
	Bytes    int64        `json:"bytes"` // of JSON lines
	Cost     money.Amount `json:"cost"`  // Σ BillingPreTaxTotal; of the reconciliation Σ Subtotal
	Tax      money.Amount `json:"tax"`   // of the reconciliation: Σ TaxTotal
	First    Day          `json:"first"` // service days
	Last     Day          `json:"last"`
	Drift    []Drift      `json:"drift,omitempty"`
}

// Drift is a difference to the columns that we know. One that would change an amount
// or who pays it stops the file; a column that is new is kept and told.
type Drift struct {
	File   string `json:"file"`
	Column string `json:"column"`
	What   string `json:"what"` // new, missing, "number as text", "byte order mark"
	Line   int64  `json:"line"` // the first one
	Rows   int64  `json:"rows"`
}

// Damaged says which file cannot be read, and where: that file only has to be
// fetched again.
type Damaged struct {
	File   string
	Line   int64
	Reason string
}

func (d *Damaged) Error() string {
	return fault.New(fault.Invalid, "file %s of the export, line %d: %s", d.File, d.Line, d.Reason).Error()
}

// Owner says who pays for what, in whole UTC days. Of two that fit a record the one
// that names its entitlement holds.
type Owner struct {
	Tenant      string `json:"tenant"`
	Entitlement string `json:"entitlement,omitempty"` // "" = all that no other owner names
	From        Day    `json:"from"`
	To          Day    `json:"to,omitempty"` // last day; "" = still
	Account     string `json:"account"`
}

// Query asks for the groups of snapshots.
type Query struct {
	Rated    []string // snapshots of daily usage
	Invoiced []string // of reconciliations: only the charges that no daily usage has
	Owners   []Owner
	Tags     []string // names that price rules look at, in lower case
	Accounts []string // only these; none = all, suspense as account ""

	// AnyOrder lets accounts come in the order that costs least; else it is theirs.
	AnyOrder bool
}

// Line is a row of the reconciliation with all that its daily records say.
type Line struct {
	Key      string          `json:"key"` // plan, meter and price; of another charge its own fields
	Usage    bool            `json:"usage"`
	Group    Group           `json:"group"` // as rating would get it: cost is the subtotal
	Subtotal money.Amount    `json:"subtotal"`
	Tax      money.Amount    `json:"tax"`
	Total    money.Amount    `json:"total"` // TotalForCustomer
	Price    money.Amount    `json:"price"` // EffectiveUnitPrice, pricing currency
	Quantity decimal.Decimal `json:"quantity"`
	Rate     decimal.Decimal `json:"rate"`

	DailyRows   int64        `json:"daily_rows"`
	DailyPriced money.Amount `json:"daily_priced"` // Σ PricingPreTaxTotal
	DailyCost   money.Amount `json:"daily_cost"`   // Σ BillingPreTaxTotal
}

// RecordQuery asks for single records, newest day last.
type RecordQuery struct {
	Snapshots   []string
	Owners      []Owner // with Account: only what they own
	Account     string
	Entitlement string // "" = any
	Month       Month  // of the service, "" = any: an invoice has late usage of the month before
	Day         Day    // "" = any
	Category    string // MeterCategory, "" = any
	Region      string
	Meter       string
	After       string // from the page before
	Limit       int
	Columns     []string // Microsoft's, of which something is shown; none = all
}

// Record is one row as received; its figures are text, as sent.
type Record struct {
	Snapshot string            `json:"snapshot"`
	File     string            `json:"file"`
	Line     int64             `json:"line"`
	Columns  map[string]string `json:"columns"`
}
