// Package invoice is what an account gets: lines rounded once with the unrounded
// details below them, taxes, corrections, and the number without a gap. It does not
// price usage (rating), does not post (ledger), and does not decide when a month is
// billed (billing); it only knows what is due when.
package invoice

import (
	"slices"
	"time"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"
)

// ID is our own id of a document; its number comes only when it is issued.
type ID string

// Kind is what a document is.
type Kind string

// Kinds of document.
const (
	Invoice    Kind = "invoice"
	Settlement Kind = "settlement"  // the difference to Microsoft's invoice, in a document of its own
	CreditNote Kind = "credit-note" // takes an issued one back
)

// Status is where a document is in its life.
type Status string

// The states of a document.
const (
	Draft  Status = "draft"
	Issued Status = "issued"
	Paid   Status = "paid"
	Void   Status = "void"
)

// moves is the whole life of a document. An issued one becomes void only together
// with the credit note that takes it back.
var moves = map[Status][]Status{
	Draft:  {Issued, Void},
	Issued: {Paid, Void},
}

// May tells whether a document may go from s to next.
func (s Status) May(next Status) bool { return slices.Contains(moves[s], next) }

// Party is who sells or buys, as it stood on the day of the document.
type Party struct {
	Name    string   `json:"name"`
	Address []string `json:"address"`
	Country string   `json:"country"` // ISO 3166, two letters
	Region  string   `json:"region"`  // state, where tax depends on it
	VAT     string   `json:"vat"`     // VAT or tax number, "" = none
}

// Document is an invoice, a settlement or a credit note. What is issued never
// changes: only its status moves on.
type Document struct {
	ID         ID             `json:"id"`
	Key        string         `json:"key"` // what it is for; there is one document a key
	Kind       Kind           `json:"kind"`
	Number     string         `json:"number"`
	Status     Status         `json:"status"`
	Entity     string         `json:"entity"` // which company of the partner sells
	Org        string         `json:"org"`
	Account    string         `json:"account"` // alias of the billing account
	CostCenter string         `json:"cost_center,omitempty"`
	Period     usage.Month    `json:"period"` // the month that it closes
	Currency   money.Currency `json:"currency"`
	Seller     Party          `json:"seller"`
	Buyer      Party          `json:"buyer"`
	Lines      []Line         `json:"lines"`
	Taxes      []Tax          `json:"taxes"`
	Net        money.Amount   `json:"net"`
	Tax        money.Amount   `json:"tax"`
	Total      money.Amount   `json:"total"`
	Of         ID             `json:"of,omitempty"`        // of a credit note: what it takes back
	OfNumber   string         `json:"of_number,omitempty"` // and its number
	Reason     string         `json:"reason,omitempty"`    // of a credit note
	Notes      []string       `json:"notes,omitempty"`     // what the law wants to be said
	CreatedAt  time.Time      `json:"created_at"`
	IssuedAt   time.Time      `json:"issued_at"`
	DueDay     usage.Day      `json:"due_day"`
}

// LineKind is what a line is for.
type LineKind string

// Kinds of line: those of charges, and these.
const (
	LineUsage      LineKind = LineKind(rating.KindUsage)
	LineUpdate     LineKind = "update"     // a correction of an earlier month
	LineAdjustment LineKind = "adjustment" // a shared reservation, or a credit spread over an organization
)

// Parts is an exact amount and where it comes from. Always:
// Amount = Sold + Margin + Earned + Gain.
type Parts struct {
	Amount money.Amount `json:"amount"` // what the account pays, not rounded
	Cost   money.Amount `json:"cost"`   // Microsoft's, in its billing currency
	Sold   money.Amount `json:"sold"`   // the same in the document's currency
	Margin money.Amount `json:"margin"`
	Earned money.Amount `json:"earned"`
	Gain   money.Amount `json:"gain"`
}

// Detail is a service in a region of a subscription: not rounded.
type Detail struct {
	Tenant      string `json:"tenant,omitempty"`
	Entitlement string `json:"entitlement,omitempty"` // the Azure subscription, "" = none
	Service     string `json:"service"`
	Region      string `json:"region"`
	Parts
}

// Line is one line. Its details and its rounding add up to its amount.
type Line struct {
	ID       string      `json:"id"`
	Label    string      `json:"label"`
	Kind     LineKind    `json:"kind"`
	Month    usage.Month `json:"month"` // of the service
	TaxClass string      `json:"tax_class,omitempty"`

	// Estimate: made from what Microsoft had not billed yet. Settles is the cost of
	// such estimates that this line replaces by Microsoft's final one.
	Estimate bool         `json:"estimate,omitempty"`
	Settles  money.Amount `json:"settles"`

	Details  []Detail     `json:"details"`
	Exact    Parts        `json:"exact"`    // Σ details
	Rounding money.Amount `json:"rounding"` // Amount − Exact.Amount, shown as a row of its own
	Amount   money.Amount `json:"amount"`   // rounded once, to the currency's coin
	Terms    []rating.Ref `json:"terms,omitempty"`
}

// Rounding is how a line is rounded: half a coin goes away from zero, as people do
// it by hand, so that they can check it; once a line, so that no bias adds up.
const Rounding = money.HalfUp

func coin(a money.Amount) (money.Amount, error) { return a.Round(Rounding, a.Currency().Minor()) }

func zeroParts(c, cost money.Currency) Parts {
	z := money.Zero(c)
	return Parts{Amount: z, Cost: money.Zero(cost), Sold: z, Margin: z, Earned: z, Gain: z}
}

func (p Parts) plus(q Parts) (Parts, error) {
	for _, c := range []struct {
		sum *money.Amount
		a   money.Amount
	}{{&p.Amount, q.Amount}, {&p.Cost, q.Cost}, {&p.Sold, q.Sold}, {&p.Margin, q.Margin}, {&p.Earned, q.Earned}, {&p.Gain, q.Gain}} {
		s, err := c.sum.Add(c.a)
		if err != nil {
			return p, err
		}
		*c.sum = s
	}
	return p, nil
}

func (p Parts) neg() Parts {
	return Parts{p.Amount.Neg(), p.Cost.Neg(), p.Sold.Neg(), p.Margin.Neg(), p.Earned.Neg(), p.Gain.Neg()}
}

func (p Parts) isZero() bool {
	return p.Amount.IsZero() && p.Cost.IsZero() && p.Sold.IsZero() && p.Margin.IsZero() && p.Earned.IsZero() && p.Gain.IsZero()
}

// Check says whether the document adds up, to the last digit. It runs before each
// save and issue: what does not add up is our bug and never leaves.
func (d Document) Check() error {
	net, tax := money.Zero(d.Currency), money.Zero(d.Currency)
	for _, l := range d.Lines {
		if len(l.Details) == 0 {
			return fault.New(fault.Invalid, "line %s of %s has no details", l.ID, d.Key)
		}
		sum := zeroParts(d.Currency, l.Exact.Cost.Currency())
		for _, x := range l.Details {
			var err error
			if sum, err = sum.plus(x.Parts); err != nil {
				return err
			}
		}
		whole := sum.Amount
		parts := sum.Sold
		for _, c := range []struct {
			sum *money.Amount
			a   money.Amount
		}{{&whole, l.Rounding}, {&parts, sum.Margin}, {&parts, sum.Earned}, {&parts, sum.Gain}, {&net, l.Amount}} {
			s, err := c.sum.Add(c.a)
			if err != nil {
				return err
			}
			*c.sum = s
		}
		if !whole.Equal(l.Amount) || !sum.Amount.Equal(l.Exact.Amount) || !sum.Cost.Equal(l.Exact.Cost) || !parts.Equal(sum.Amount) {
			return fault.New(fault.Invalid, "line %s of %s does not add up: details %s, rounding %s, amount %s", l.ID, d.Key, sum.Amount, l.Rounding, l.Amount)
		}
	}
	for _, t := range d.Taxes {
		s, err := tax.Add(t.Amount)
		if err != nil {
			return err
		}
		tax = s
	}
	total, err := net.Add(tax)
	if err != nil {
		return err
	}
	if !net.Equal(d.Net) || !tax.Equal(d.Tax) || !total.Equal(d.Total) {
		return fault.New(fault.Invalid, "%s does not add up: net %s, tax %s, total %s", d.Key, d.Net, d.Tax, d.Total)
	}
	return nil
}

// Totalled fills net, tax and total from the lines and taxes.
func (d Document) Totalled() (Document, error) {
	d.Net, d.Tax = money.Zero(d.Currency), money.Zero(d.Currency)
	var err error
	for _, l := range d.Lines {
		if d.Net, err = d.Net.Add(l.Amount); err != nil {
			return d, err
		}
	}
	for _, t := range d.Taxes {
		if d.Tax, err = d.Tax.Add(t.Amount); err != nil {
			return d, err
		}
	}
	d.Total, err = d.Net.Add(d.Tax)
	return d, err
}

// Credit is the credit note that takes the whole of an issued document back.
func (d Document) Credit(id ID, reason string) (Document, error) {
	if d.Status != Issued && d.Status != Paid {
		return Document{}, fault.New(fault.Conflict, "only an issued document can be taken back; %s is %s", d.Key, d.Status)
	}
	if d.Kind == CreditNote {
		return Document{}, fault.New(fault.Conflict, "%s is a credit note itself; bill it again by a new invoice", d.Number)
	}
	c := d
	c.ID, c.Key, c.Kind, c.Status, c.Number, c.Of, c.OfNumber, c.Reason = id, "credit:"+string(d.ID), CreditNote, Draft, "", d.ID, d.Number, reason
	c.CreatedAt, c.IssuedAt, c.DueDay = time.Time{}, time.Time{}, ""
	c.Lines, c.Taxes = nil, nil
	for _, l := range d.Lines {
		details := make([]Detail, len(l.Details))
		for i, x := range l.Details {
			details[i] = x
			details[i].Parts = x.neg()
		}
		l.Details, l.Exact, l.Rounding, l.Amount, l.Settles = details, l.Exact.neg(), l.Rounding.Neg(), l.Amount.Neg(), l.Settles.Neg()
		c.Lines = append(c.Lines, l)
	}
	for _, t := range d.Taxes {
		t.Base, t.Amount = t.Base.Neg(), t.Amount.Neg()
		c.Taxes = append(c.Taxes, t)
	}
	return c.Totalled()
}
