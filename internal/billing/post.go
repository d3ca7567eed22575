// Package billing is the second cycle: from Microsoft's exports to the invoices of
// accounts, reconciled to 0.00. It owns the order and what is posted when; it does
// not own prices (rating), documents (invoice) or the journal (ledger).
package billing

import (
	"maps"
	"slices"

	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/ledger"
	"causeway/internal/money"
	"causeway/internal/usage"
)

// DocumentEntry is what issuing a document posts, on its day of issue: all of it is
// owed by the account, and the other side says where each part comes from. What an
// estimate billed is an accrual, until a line from Microsoft's invoice settles it.
func DocumentEntry(d invoice.Document) (ledger.Entry, error) {
	if d.Number == "" {
		return ledger.Entry{}, fault.New(fault.Invalid, "%s has no number: only what is issued is posted", d.Key)
	}
	owed := ledger.Receivable.Of(d.Account)
	e := ledger.Entry{Key: "document:" + string(d.ID), Day: usage.DayOf(d.IssuedAt), Note: d.Number}
	add := func(debit, credit ledger.Account, a money.Amount, memo string) {
		e.Postings = append(e.Postings, ledger.Posting{Debit: debit, Credit: credit, Amount: a, Memo: memo})
	}
	for _, l := range d.Lines {
		memo := l.ID + " " + string(l.Month)
		from := ledger.Cost.Of(d.Account)
		if l.Estimate {
			from = ledger.Accrual.Of(d.Account)
		}
		bought := l.Exact.Cost.Currency()
		if bought == d.Currency {
			if !l.Exact.Sold.Equal(l.Exact.Cost) {
				return e, fault.New(fault.Invalid, "line %s of %s sells a cost of %s as %s", l.ID, d.Number, l.Exact.Cost, l.Exact.Sold)
			}
			add(owed, from, l.Exact.Cost, memo)
		} else { // the cost of one currency is bought with the other
			add(owed, ledger.Currency.Of(d.Account), l.Exact.Sold, memo)
			add(ledger.Currency.Of(d.Account), from, l.Exact.Cost, memo)
		}
		add(owed, ledger.Margin.Of(d.Account), l.Exact.Margin, memo)
		add(owed, ledger.Earned.Of(d.Account), l.Exact.Earned, memo)
		add(owed, ledger.Currency.Of(d.Account), l.Exact.Gain, memo)
		add(owed, ledger.Rounding.Of(d.Account), l.Rounding, memo)
		add(ledger.Accrual.Of(d.Account), ledger.Cost.Of(d.Account), l.Settles, memo+" settled")
	}
	for _, t := range d.Taxes {
		add(owed, ledger.Tax.Of(d.Account), t.Amount, t.Rule)
	}
	return e, nil
}

// VendorEntry is what Microsoft's invoice posts on its day: the cost of each account,
// what belongs to nobody yet, its tax and its rounding, all owed to Microsoft. What
// does not add up to the invoice is refused: nothing unexplained is ever posted.
func VendorEntry(s Statement, day usage.Day) (ledger.Entry, error) {
	if !s.Unclassified.IsZero() {
		return ledger.Entry{}, fault.New(fault.Conflict, "%s of Microsoft's invoice %s is not explained", s.Unclassified, s.Invoice)
	}
	e := ledger.Entry{Key: "microsoft:" + s.Invoice, Day: day, Note: "Microsoft " + s.Invoice}
	add := func(debit ledger.Account, a money.Amount) {
		e.Postings = append(e.Postings, ledger.Posting{Debit: debit, Credit: ledger.Microsoft.Of(""), Amount: a})
	}
	for _, account := range slices.Sorted(maps.Keys(s.Mapped)) {
		add(ledger.Cost.Of(account), s.Mapped[account])
	}
	add(ledger.Suspense.Of(""), s.Suspense)
	add(ledger.Tax.Of(""), s.Tax)
	add(ledger.Rounding.Of(""), s.Rounding)
	if s.Exchange.Currency() != "" {
		add(ledger.Currency.Of(""), s.Exchange)
	}
	return e, nil
}

// ReleaseEntry moves cost out of suspense once somebody is found to bill it to.
func ReleaseEntry(key, account string, a money.Amount, day usage.Day, why string) ledger.Entry {
	return MoveEntry(key, map[string]money.Amount{account: a}, day, why)
}

// MoveEntry changes the cost of accounts after Microsoft's invoice was posted, by
// these amounts; what they do not add up to zero comes out of suspense, or goes there.
func MoveEntry(key string, by map[string]money.Amount, day usage.Day, why string) ledger.Entry {
	e := ledger.Entry{Key: key, Day: day, Note: why}
	for _, account := range slices.Sorted(maps.Keys(by)) {
		e.Postings = append(e.Postings, ledger.Posting{Debit: ledger.Cost.Of(account), Credit: ledger.Suspense.Of(""), Amount: by[account]})
	}
	return e
}
