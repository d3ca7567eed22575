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
//
// issued is what adjustments of documents that are issued already add up to: the
// others follow them, so that all together still sum to zero.
func Spread(totals map[string]money.Amount, issued money.Amount) ([]Adjustment, error) {
	currency := issued.Currency()
	coins := func(a money.Amount, of string) (*big.Int, error) {
		n := a.Decimal().Shift(currency.Minor())
		switch {
		case a.Currency() != currency:
			return nil, fault.New(fault.Invalid, "the accounts of one organization are in %s and %s", currency, a.Currency())
		case !n.IsInteger():
			return nil, fault.New(fault.Invalid, "the total of %s, %s, is not in whole coins", of, a)
		}
		return n.BigInt(), nil
	}
	pay, owe, moved := map[string]*big.Int{}, map[string]*big.Int{}, map[string]*big.Int{} // coins
	for account, total := range totals {
		n, err := coins(total, account)
		if err != nil {
			return nil, err
		}
		moved[account] = new(big.Int)
		switch n.Sign() {
		case 1:
			pay[account] = n
		case -1:
			owe[account] = n.Neg(n)
		}
	}
	// move takes coins off what accounts pay (or, with a sign of 1, off their credits).
	move := func(n *big.Int, from map[string]*big.Int, sign int64) {
		for account, part := range share(n, from, sum(from)) {
			from[account].Sub(from[account], part)
			moved[account].Add(moved[account], part.Mul(part, big.NewInt(sign)))
		}
	}
	given, err := coins(issued, "the issued documents")
	if err != nil {
		return nil, err
	}
	if given.Sign() != 0 && len(totals) > 0 {
		from, sign := pay, int64(-1)
		if given.Sign() < 0 {
			from, sign = owe, 1
		}
		n := new(big.Int).Abs(given)
		part := least(n, sum(from))
		move(part, from, sign)
		first := moved[slices.Min(slices.Collect(maps.Keys(totals)))] // what nobody's total covers is a debt or a credit all the same
		first.Add(first, n.Sub(n, part).Mul(n, big.NewInt(sign)))
	}
	both := least(sum(pay), sum(owe))
	move(both, pay, -1)
	move(both, owe, 1)
	var list []Adjustment
	for _, sign := range []int{-1, 1} {
		memo := "Share of the organization's credit"
		if sign > 0 {
			memo = "Credit given to the organization's other accounts"
		}
		for _, account := range slices.Sorted(maps.Keys(moved)) {
			if moved[account].Sign() != sign {
				continue
			}
			a, err := money.New(decimal.NewFromBigInt(moved[account], -currency.Minor()), currency)
			if err != nil {
				return nil, err
			}
			list = append(list, Adjustment{account, a, memo})
		}
	}
	return list, nil
}

func sum(coins map[string]*big.Int) *big.Int {
	all := new(big.Int)
	for _, n := range coins {
		all.Add(all, n)
	}
	return all
}

func least(a, b *big.Int) *big.Int {
	if a.Cmp(b) > 0 {
		a = b
	}
	return new(big.Int).Set(a)
}

// share cuts n coins in proportion to the weights, whose sum is all.
func share(n *big.Int, weights map[string]*big.Int, all *big.Int) map[string]*big.Int {
	type rest struct {
		account string
		of      *big.Int
	}
	out, left, rests := map[string]*big.Int{}, new(big.Int).Set(n), []rest{}
	if n.Sign() == 0 {
		return out
	}
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
