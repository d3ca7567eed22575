// Package ledger is the double-entry journal: what Microsoft is owed, what each
// account owes, and where every cent between the two went. It only appends. It does
// not work out amounts (rating, invoice) and does not decide when something is
// posted (billing).
package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"
)

// Account is one account of the journal: a kind, and for most kinds the billing
// account it is about, as in "margin:CTSE".
type Account string

// Kind is the part of an account's name before the colon.
type Kind string

// The kinds of account. A balance is debit − credit.
const (
	Microsoft  Kind = "microsoft"  // payable: what Microsoft's invoices ask for (credit)
	Cost       Kind = "cost"       // charged by Microsoft for this account and not billed on yet (debit)
	Receivable Kind = "receivable" // what the account owes (debit)
	Margin     Kind = "margin"     // mark-up, discount, fees, support (credit = gain)
	Earned     Kind = "earned"     // partner earned credit that the partner keeps (credit = gain)
	Rounding   Kind = "rounding"   // computed: what rounding a line or an invoice of Microsoft made
	Currency   Kind = "currency"   // where money of one currency was given for another
	Tax        Kind = "tax"        // tax asked for and owed to the state, and Microsoft's
	Suspense   Kind = "suspense"   // charged by Microsoft, and nobody known to bill it to
	Accrual    Kind = "accrual"    // billed from an estimate, taken back when Microsoft's invoice is there
)

var kinds = map[Kind]bool{
	Microsoft: true, Cost: true, Receivable: true, Margin: true, Earned: true,
	Rounding: true, Currency: true, Tax: true, Suspense: true, Accrual: true,
}

// Of names the account of this kind that is about owner: a billing account's
// alias, or "" for the partner's own.
func (k Kind) Of(owner string) Account {
	if owner == "" {
		return Account(k)
	}
	return Account(string(k) + ":" + owner)
}

// Kind is the account's kind.
func (a Account) Kind() Kind {
	k, _, _ := strings.Cut(string(a), ":")
	return Kind(k)
}

// Owner is the billing account that it is about, "" = the partner.
func (a Account) Owner() string {
	_, owner, _ := strings.Cut(string(a), ":")
	return owner
}

// Posting moves an amount from the credit to the debit side. A negative amount
// moves it the other way; zero moves nothing and is not kept.
type Posting struct {
	Debit  Account      `json:"debit"`
	Credit Account      `json:"credit"`
	Amount money.Amount `json:"amount"`
	Memo   string       `json:"memo,omitempty"`
}

// Entry is one event with all its postings. Key says what it is the result of:
// the same key with the same content is the same entry, posted once.
type Entry struct {
	Key      string    `json:"key"`
	Day      usage.Day `json:"day"` // the UTC day it counts for; its month is the period
	Note     string    `json:"note"`
	Reverses string    `json:"reverses,omitempty"`
	Postings []Posting `json:"postings"`
}

// tidy checks an entry and brings it to the form that is kept and hashed.
func (e Entry) tidy() (Entry, error) {
	if e.Key == "" || len(e.Key) > 200 {
		return e, fault.New(fault.Invalid, "a ledger entry needs a key of at most 200 bytes")
	}
	if err := e.Day.Check(); err != nil {
		return e, err
	}
	postings := []Posting{}
	for _, p := range e.Postings {
		for _, a := range []Account{p.Debit, p.Credit} {
			if !kinds[a.Kind()] {
				return e, fault.New(fault.Invalid, "entry %s: there is no ledger account %q", e.Key, a)
			}
		}
		if p.Debit == p.Credit {
			return e, fault.New(fault.Invalid, "entry %s moves money from %s to itself", e.Key, p.Debit)
		}
		if err := p.Amount.Currency().Check(); err != nil {
			return e, fmt.Errorf("entry %s: %w", e.Key, err)
		}
		switch p.Amount.Sign() {
		case 0:
			continue
		case -1:
			p.Debit, p.Credit, p.Amount = p.Credit, p.Debit, p.Amount.Neg()
		}
		postings = append(postings, p)
	}
	e.Postings = postings
	return e, nil
}

// hash covers all of a tidy entry.
func (e Entry) hash() (string, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("entry %s: %w", e.Key, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Reverse is the entry that takes e back, under a key of its own.
func (e Entry) Reverse(key string, day usage.Day, note string) Entry {
	r := Entry{Key: key, Day: day, Note: note, Reverses: e.Key}
	for _, p := range e.Postings {
		p.Debit, p.Credit = p.Credit, p.Debit
		r.Postings = append(r.Postings, p)
	}
	return r
}

// Balance is debit − credit of one account in one currency.
type Balance struct {
	Account Account      `json:"account"`
	Amount  money.Amount `json:"amount"`
}

// Sum adds postings up: balances by account and currency, in that order.
func Sum(postings []Posting) ([]Balance, error) {
	s := sums{}
	for _, p := range postings {
		if err := s.add(p); err != nil {
			return nil, err
		}
	}
	return s.balances(), nil
}
