package sim

import (
	"fmt"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/shopspring/decimal"
)

// exact is a number with ten decimals, the finest that Microsoft's daily usage shows.
// 64 bits hold amounts up to 922 million, enough for one record in any currency; sums
// are kept in 128 bits. Nothing here is ever a float.
type exact int64

const (
	unit  exact = 10_000_000_000
	micro exact = 10_000 // quantities have six decimals
)

// times is the product, rounded half away from zero to ten decimals.
func (a exact) times(b exact) exact {
	negative := (a < 0) != (b < 0)
	hi, lo := bits.Mul64(a.size(), b.size())
	lo, carry := bits.Add64(lo, uint64(unit/2), 0)
	hi += carry
	if hi >= uint64(unit) {
		panic(fmt.Sprintf("simulator: %s × %s does not fit a record", a, b)) // prices and quantities are ours
	}
	q, _ := bits.Div64(hi, lo, uint64(unit))
	if q > 1<<63-1 {
		panic(fmt.Sprintf("simulator: %s × %s does not fit a record", a, b))
	}
	if negative {
		return -exact(q)
	}
	return exact(q)
}

func (a exact) size() uint64 {
	if a < 0 {
		return uint64(-a) // #nosec G115 -- positive by the test above
	}
	return uint64(a) // #nosec G115 -- positive by the test above
}

// append writes the number without trailing zeros.
func (a exact) append(b []byte) []byte {
	if a < 0 {
		b = append(b, '-')
	}
	n := a.size()
	b = strconv.AppendUint(b, n/uint64(unit), 10)
	rest := n % uint64(unit)
	if rest == 0 {
		return b
	}
	var digits [11]byte
	digits[0] = '.'
	for i := 10; i > 0; i-- {
		digits[i] = byte('0' + rest%10)
		rest /= 10
	}
	end := 11
	for digits[end-1] == '0' {
		end--
	}
	return append(b, digits[:end]...)
}

func (a exact) String() string           { return string(a.append(nil)) }
func (a exact) decimal() decimal.Decimal { return decimal.New(int64(a), -10) }

// sum is a sum of exacts, in 128 bits.
type sum struct {
	hi int64
	lo uint64
}

func (s *sum) add(a exact) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(a), 0) // #nosec G115 -- two's complement, on purpose
	s.hi += int64(a)>>63 + int64(carry)          // #nosec G115 -- carry is 0 or 1
}

func (s *sum) decimal() decimal.Decimal {
	if s.hi == int64(s.lo)>>63 { // #nosec G115 -- it fits one word exactly when this holds
		return decimal.New(int64(s.lo), -10) // #nosec G115 -- as above
	}
	n := new(big.Int).Lsh(big.NewInt(s.hi), 64)
	return decimal.NewFromBigInt(n.Add(n, new(big.Int).SetUint64(s.lo)), -10)
}

// mix makes one well-spread number of several (splitmix64): the source of everything
// generated, so that any record can be made again without those before it.
func mix(values ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, v := range values {
		h ^= v
		h += 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// mixText makes a number of a text (FNV-1a).
func mixText(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// mixID makes a GUID of a number.
func mixID(values ...uint64) string {
	a, b := mix(values...), mix(append(values, 77)...)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}
