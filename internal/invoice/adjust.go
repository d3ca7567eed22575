package invoice

import (
	"cmp"
	"maps"
	"math/big"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"

	"github.com/shopspring/decimal"
)

// Adjustment moves money between accounts; those of one cause sum to zero.
type Adjustment struct {
	Account string       `json:"account"`
	Amount  money.Amount `json:"amount"` // below zero = a credit
	Memo    string       `json:"memo"`
}

// Shared says that a reservation of one account was applied to another: the buyer
// is credited with what the consumer is charged.
func Shared(buyer, consumer, reservation string, value money.Amount) ([]Adjustment, error) {
	if buyer == consumer {
		return nil, fault.New(fault.Invalid, "reservation %s was used by %s itself", reservation, buyer)
	}
	value, err := coin(value)
	if err != nil {
		return nil, err
	}
	return []Adjustment{
		{buyer, value.Neg(), "Reservation " + reservation + " used by " + consumer},
		{consumer, value, "Reservation " + reservation + " of " + buyer},
	}, nil
}

// Spread brings the accounts of one organization whose total is negative to zero
// and takes that off the others, in proportion to what each of them pays: an account
// with P of ΣP gets P / ΣP of the credit N. Shares are cut to coins; the coins left
// over go to the largest remainders, then by name, so that nothing is lost.
//
// Where the credit is larger than all that is to be paid (undocumented in the
// original), everyone comes to zero, and the negative accounts keep the rest, in
// proportion.
func Spread(totals map[string]money.Amount) ([]Adjustment, error) {
	var currency money.Currency
	pay, owe := map[string]*big.Int{}, map[string]*big.Int{} // coins
	paid, credit := new(big.Int), new(big.Int)
	for account, total := range totals {
		if currency == "" {
			currency = total.Currency()
		}
		if total.Currency() != currency {
			return nil, fault.New(fault.Invalid, "the accounts of one organization are in %s and %s", currency, total.Currency())
		}
		coins := total.Decimal().Shift(currency.Minor())
		if !coins.IsInteger() {
			return nil, fault.New(fault.Invalid, "the total of %s, %s, is not in whole coins", account, total)
		}
		switch n := coins.BigInt(); n.Sign() {
		case 1:
			pay[account] = n
			paid.Add(paid, n)
		case -1:
			owe[account] = n.Neg(n)
			credit.Add(credit, n)
		}
	}
	move := credit
	if paid.Cmp(credit) < 0 {
		move = paid
	}
	if move.Sign() == 0 {
		return nil, nil
	}
	var list []Adjustment
	give := func(shares map[string]*big.Int, sign int64, memo string) error {
		for _, account := range slices.Sorted(maps.Keys(shares)) {
			if shares[account].Sign() == 0 {
				continue
			}
			one, err := money.New(decimal.NewFromInt(sign), currency)
			if err != nil {
				return err
			}
			list = append(list, Adjustment{account, one.Times(decimal.NewFromBigInt(shares[account], -currency.Minor())), memo})
		}
		return nil
	}
	if err := give(share(move, pay, paid), -1, "Share of the organization's credit"); err != nil {
		return nil, err
	}
	err := give(share(move, owe, credit), 1, "Credit given to the organization's other accounts")
	return list, err
}

// share cuts n coins in proportion to the weights, whose sum is all.
func share(n *big.Int, weights map[string]*big.Int, all *big.Int) map[string]*big.Int {
	type rest struct {
		account string
		of      *big.Int
	}
	out, left, rests := map[string]*big.Int{}, new(big.Int).Set(n), []rest{}
	for account, w := range weights {
		q, r := new(big.Int).QuoRem(new(big.Int).Mul(n, w), all, new(big.Int))
		out[account] = q
		left.Sub(left, q)
		rests = append(rests, rest{account, r})
	}
	slices.SortFunc(rests, func(a, b rest) int { return cmp.Or(b.of.Cmp(a.of), strings.Compare(a.account, b.account)) })
	for i := range int(left.Int64()) { // fewer than there are accounts
		out[rests[i].account].Add(out[rests[i].account], big.NewInt(1))
	}
	return out
}
