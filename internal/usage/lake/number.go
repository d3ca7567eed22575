package lake

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"github.com/shopspring/decimal"
)

// places is how many decimals a number keeps. Microsoft sends ten; a number that was a
// double on its way can have seventeen digits. More are refused, never rounded.
const places = 18

// fixed is a number times 10^18, in two's complement: DECIMAL(38,18), up to 20 digits
// before the point.
type fixed struct {
	hi int64
	lo uint64
}

// limit is 10^38, the first number that DECIMAL(38) cannot hold.
var limit = fixed{hi: 5421010862427522170, lo: 687399551400673280}

func (a fixed) neg() fixed {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	return fixed{-a.hi - int64(borrow), lo} // #nosec G115 -- 0 or 1
}

// plus adds; false if the sum has more than 38 digits.
func (a fixed) plus(b fixed) (fixed, bool) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	s := fixed{a.hi + b.hi + int64(carry), lo} // #nosec G115 -- 0 or 1; both are below 10^38, so it does not overflow
	return s, s.less(limit) && limit.neg().less(s)
}

func (a fixed) less(b fixed) bool { return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo) }

func (a fixed) big() *big.Int {
	v := big.NewInt(a.hi)
	return v.Or(v.Lsh(v, 64), new(big.Int).SetUint64(a.lo))
}

// zeros are the powers of ten that are taken off the end of a number, the largest first.
var zeros = [...]struct {
	power uint64
	n     int32
}{{1_000_000_000, 9}, {1_000, 3}, {10, 1}}

// decimal is the number without needless zeros at its end.
func (a fixed) decimal() decimal.Decimal {
	if a == (fixed{}) {
		return decimal.Zero
	}
	m, exp := a, int32(-places)
	if a.hi < 0 {
		m = a.neg()
	}
	hi, lo := uint64(m.hi), m.lo // #nosec G115 -- not negative any more
	for _, z := range zeros {
		for exp+z.n <= 0 {
			q, r := bits.Div64(hi%z.power, lo, z.power)
			if r != 0 {
				break
			}
			hi, lo, exp = hi/z.power, q, exp+z.n
		}
	}
	if hi == 0 && lo < 1<<63 {
		v := int64(lo) // #nosec G115 -- the number fits
		if a.hi < 0 {
			v = -v
		}
		return decimal.New(v, exp)
	}
	v := new(big.Int).SetUint64(hi)
	v.Or(v.Lsh(v, 64), new(big.Int).SetUint64(lo))
	if a.hi < 0 {
		v.Neg(v)
	}
	return decimal.NewFromBigInt(v, exp)
}

// bytes are the number as Parquet keeps it: sixteen, the highest first.
func (a fixed) bytes(out []byte) []byte {
	out = binary.BigEndian.AppendUint64(out, uint64(a.hi)) // #nosec G115 -- the same bits
	return binary.BigEndian.AppendUint64(out, a.lo)
}

// fixedOf reads a JSON number; false if it is none, or has more digits than are kept.
func fixedOf(s []byte) (fixed, bool) {
	negative := len(s) > 0 && s[0] == '-'
	if negative {
		s = s[1:]
	}
	if len(s) == 0 || s[0] < '0' || s[0] > '9' || (s[0] == '0' && len(s) > 1 && s[1] >= '0' && s[1] <= '9') {
		return fixed{}, false
	}
	var hi, lo uint64
	digit := func(c byte) bool {
		h, l := bits.Mul64(lo, 10)
		if hi > 1<<60 {
			return false
		}
		var carry uint64
		lo, carry = bits.Add64(l, uint64(c), 0)
		hi = hi*10 + h + carry
		return true
	}
	shift, i := places, 0
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		if !digit(s[i] - '0') {
			return fixed{}, false
		}
	}
	if i < len(s) && s[i] == '.' {
		from := i + 1
		end := from
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		if end == from {
			return fixed{}, false
		}
		last := end
		for last > from && s[last-1] == '0' { // needless zeros are not digits too many
			last--
		}
		for i = from; i < last; i++ {
			if !digit(s[i] - '0') {
				return fixed{}, false
			}
			shift--
		}
		i = end
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		minus := i < len(s) && s[i] == '-'
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		e, from := 0, i
		for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			e = min(e*10+int(s[i]-'0'), 1000)
		}
		if i == from {
			return fixed{}, false
		}
		if minus {
			e = -e
		}
		shift += e
	}
	if i != len(s) {
		return fixed{}, false
	}
	if hi == 0 && lo == 0 {
		return fixed{}, true
	}
	for ; shift < 0; shift++ { // 1.50e-17 still has only eighteen decimals
		q, r := hi/10, hi%10
		var rest uint64
		lo, rest = bits.Div64(r, lo, 10)
		hi = q
		if rest != 0 {
			return fixed{}, false
		}
	}
	for ; shift > 0; shift-- {
		if !digit(0) {
			return fixed{}, false
		}
	}
	if hi >= 1<<62 {
		return fixed{}, false
	}
	n := fixed{int64(hi), lo} // #nosec G115 -- below 2^62
	if !n.less(limit) {
		return fixed{}, false
	}
	if negative {
		n = n.neg()
	}
	return n, true
}
