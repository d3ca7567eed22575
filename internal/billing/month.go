package billing

import (
	"time"

	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"
)

// AccountMonth is what an account's usage of one month costs, as it is known now:
// what pages, estimates and files show. It is made anew whenever the month is rated.
type AccountMonth struct {
	Account  string         `json:"account"`
	Month    usage.Month    `json:"month"` // of the service, UTC
	Currency money.Currency `json:"currency"`
	Billed   bool           `json:"billed"` // from Microsoft's invoice; else its estimate, which still changes
	AsOf     usage.Day      `json:"as_of"`  // the last day that has usage
	RatedAt  time.Time      `json:"rated_at"`
	Cells    []Cell         `json:"cells"` // by day, entitlement, category, region

	Sell   money.Amount `json:"sell"`   // what the account pays, exact
	Cost   money.Amount `json:"cost"`   // Microsoft's, in its billing currency
	Sold   money.Amount `json:"sold"`   // the same in Currency
	Margin money.Amount `json:"margin"` // see rating.Charge
	Earned money.Amount `json:"earned"`
	Gain   money.Amount `json:"gain"`
}

// Cell is a day's charges of one service in one region of one subscription.
type Cell struct {
	Day         usage.Day    `json:"day"`
	Kind        rating.Kind  `json:"kind"`
	Line        string       `json:"line"`        // of the invoice
	Tenant      string       `json:"tenant"`      //
	Entitlement string       `json:"entitlement"` // "" = of the plan itself
	Category    string       `json:"category"`    // MeterCategory; of a fee its label
	Region      string       `json:"region"`
	Rows        int64        `json:"rows"` // records behind it
	Sell        money.Amount `json:"sell"`
	Cost        money.Amount `json:"cost"`
}
