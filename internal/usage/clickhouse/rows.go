package clickhouse

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"causeway/internal/usage"
	"causeway/internal/usage/lake"
)

// blockBytes is how much is written at once; the server keeps it in memory.
const blockBytes = 32 << 20

// rows writes what is decoded of one file.
type rows struct {
	lake           *Lake
	attempt        *attempt
	feed           usage.Feed
	name           string
	table, columns string
	kindColumns    string
	file           uint32
	block          []byte
	known          uint64 // kinds so far
}

func newRows(l *Lake, a *attempt, s usage.Snapshot, file int) *rows {
	return &rows{lake: l, attempt: a, feed: s.Feed, name: s.Files[file].Name, table: rowsOf(s.Feed), columns: names(rowColumns(s.Feed)), kindColumns: names(kindColumns()), file: uint32(file)} // #nosec G115 -- an index
}

func appendText(to, s []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

// pairOf is a number for a tenant's entitlement, the same for all of its records.
func pairOf(tenant, entitlement []byte) uint64 {
	b := append(append(append([]byte{}, tenant...), 0), entitlement...)
	sum := sha256.Sum256(b)
	return binary.LittleEndian.Uint64(sum[:])
}

// add writes a segment: its rows in blocks, then its kinds.
func (w *rows) add(ctx context.Context, s *lake.Segment) error {
	fields := lake.Fields(w.feed)
	if !w.attempt.take(most(s, w.feed, fields)) {
		return &usage.Damaged{File: w.name, Reason: "the sum has more digits than an amount can have"}
	}
	type values struct {
		sent   [][]byte // as RowBinary
		absent []bool
		of     []uint32
	}
	columns := make([]values, len(fields)+2)
	for i := range columns {
		list, of := s.Column(i)
		v := values{sent: make([][]byte, len(list)), absent: make([]bool, len(list)), of: of}
		for j, b := range list {
			v.absent[j] = b == nil
			if i < len(fields) && fields[i].Type == lake.Decimal {
				if v.sent[j] = b; b == nil {
					v.sent[j] = make([]byte, 16)
				}
			} else {
				v.sent[j] = appendText(nil, b)
			}
		}
		columns[i] = v
	}
	of, list, err := w.kinds(s)
	if err != nil {
		return err
	}
	flush := func() error {
		if len(w.block) == 0 {
			return nil
		}
		err := w.lake.write(ctx, w.table, w.columns, w.block)
		w.block = w.block[:0]
		return err
	}
	le := binary.LittleEndian
	day, month := int32(-1<<31), int32(0)
	for row, line := range s.Lines() {
		k := &list[of[row]]
		k.rows++
		if d := s.Day(row); d != day {
			t := lake.DayOf(d).Time()
			day, month = d, int32(t.Year()*12+int(t.Month())-1) // #nosec G115 -- four-digit years
		}
		absent := uint64(0)
		for i := range fields {
			if columns[i].absent[columns[i].of[row]] {
				absent |= 1 << i
			}
		}
		b := le.AppendUint64(w.block, w.attempt.load)
		b = le.AppendUint64(b, k.pair)
		b = le.AppendUint32(b, uint32(day))   // #nosec G115 -- the same bits
		b = le.AppendUint32(b, uint32(month)) // #nosec G115 -- the same bits
		b = le.AppendUint32(b, w.file)
		b = le.AppendUint64(b, uint64(line)) // #nosec G115 -- a count
		b = le.AppendUint64(b, k.id)
		b = le.AppendUint64(b, absent)
		for i := range columns {
			b = append(b, columns[i].sent[columns[i].of[row]]...)
		}
		if w.block = b; len(b) >= blockBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for _, k := range list {
		w.block = le.AppendUint64(w.block, w.attempt.load)
		w.block = le.AppendUint64(w.block, k.pair)
		w.block = le.AppendUint64(w.block, k.id)
		w.block = le.AppendUint64(w.block, k.rows)
		w.block = append(append(append(w.block, k.price...), k.effective...), k.parts...)
	}
	err = w.lake.write(ctx, kinds, w.kindColumns, w.block)
	w.block = w.block[:0]
	return err
}

// kind is what all its rows have in common.
type kind struct {
	id, pair, rows   uint64
	price, effective []byte
	parts            []byte // as RowBinary
}

// kinds splits the segment's kinds by price, and says which kind each row is.
func (w *rows) kinds(s *lake.Segment) (of []uint32, list []kind, err error) {
	names := lake.NamesOf(w.feed)
	zero := make([]byte, 16)
	prices, priceOf := w.numbers(s, names.Price)
	effective, effectiveOf := [][]byte{zero}, []uint32(nil)
	if names.Effective != "" {
		effective, effectiveOf = w.numbers(s, names.Effective)
	}
	plain := map[int64]kind{}
	err = s.Kinds(func(id int64, p [][]byte) error {
		k := kind{pair: pairOf(p[0], p[1])} // tenant and entitlement are the first two
		for _, b := range p {
			k.parts = appendText(k.parts, b)
		}
		plain[id] = k
		return nil
	})
	type key struct {
		kind             int64
		price, effective uint32
	}
	known, last, at := map[key]uint32{}, key{kind: -1}, uint32(0)
	of = make([]uint32, len(s.Lines()))
	for row := range of {
		k := key{s.Kind(row), priceOf[row], 0}
		if effectiveOf != nil {
			k.effective = effectiveOf[row]
		}
		if k != last {
			var ok bool
			if at, ok = known[k]; !ok {
				at = uint32(len(list)) // #nosec G115 -- a segment is small
				known[k] = at
				x := plain[k.kind]
				x.id, x.price, x.effective = uint64(w.file)<<32|w.known, prices[k.price], effective[k.effective]
				w.known++
				list = append(list, x)
			}
			last = k
		}
		of[row] = at
	}
	return of, list, err
}

// numbers are the values of a column, and which of them each row has.
func (w *rows) numbers(s *lake.Segment, name string) ([][]byte, []uint32) {
	values, of := s.Column(slices.IndexFunc(lake.Fields(w.feed), func(c lake.Column) bool { return c.Name == name }))
	for i, b := range values {
		if b == nil {
			values[i] = make([]byte, 16)
		}
	}
	return values, of
}

// most adds up, without signs, what a lake adds up.
func most(s *lake.Segment, feed usage.Feed, fields []lake.Column) (out [3]lake.Number) {
	n := lake.NamesOf(feed)
	for i, f := range fields {
		at := slices.Index([]string{n.Quantity, n.Cost, n.Paid}, f.Name)
		if at < 0 {
			continue
		}
		values, of := s.Column(i)
		numbers := make([]lake.Number, len(values))
		for j, b := range values {
			if b != nil {
				numbers[j] = lake.NumberOf(b).Abs()
			}
		}
		for _, v := range of {
			out[at], _ = out[at].Plus(numbers[v]) // beyond its limit it stays there
		}
	}
	return out
}
