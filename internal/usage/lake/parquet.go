package lake

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// A part is written here and not by a library, because its columns are already what
// Parquet wants: a list of different values, and for each row a number in that list.
// Writing that down takes a tenth of the time in which a library finds it out again.
// https://github.com/apache/parquet-format (parquet.thrift, Encodings.md)

// field is a column of a Parquet file.
type field struct {
	name      string
	physical  int64 // parquet.thrift Type
	converted int64 // ConvertedType; -1 = none
	stats     bool  // keep the lowest and the highest value
}

const (
	typeInt32     = 1
	typeInt64     = 2
	typeBytes     = 6
	typeFixed     = 7
	asUTF8        = 0
	asDecimal     = 5
	asDate        = 6
	asMicros      = 10
	plain         = 0
	rle           = 3
	rleDictionary = 8
	codecZstd     = 6
)

// values are the different values of a column, and of each row which one it has.
type values struct {
	n    int              // different values, the absent one among them
	null func(i int) bool // nil = all there
	get  func(i int) []byte
	rows []uint32
}

// parquetFile writes row groups one after the other.
type parquetFile struct {
	w      *bufio.Writer
	at     int64
	fields []field
	groups bytes.Buffer // RowGroup structs
	count  int
	rows   int64
	zip    *zstd.Encoder
	dict   []byte
	page   []byte
	packed []byte
	head   thrift
	remap  []uint32
}

func newParquet(w io.Writer, zip *zstd.Encoder, fields []field) (*parquetFile, error) {
	f := &parquetFile{w: bufio.NewWriterSize(w, 1<<20), fields: fields, zip: zip}
	return f, f.put([]byte("PAR1"))
}

func (f *parquetFile) put(b []byte) error {
	n, err := f.w.Write(b)
	f.at += int64(n)
	return err
}

// group writes rows as one row group, in the given order.
func (f *parquetFile) group(order []uint32, columns []values) error {
	g := thrift{buf: f.groups.AvailableBuffer()}
	g.list(1, tStruct, len(columns))
	began := f.at
	for i, c := range columns {
		if err := f.column(&g, f.fields[i], order, c); err != nil {
			return err
		}
	}
	g.i64(2, f.at-began)
	g.i64(3, int64(len(order)))
	g.stop()
	f.groups.Write(g.buf)
	f.count++
	f.rows += int64(len(order))
	return nil
}

func (f *parquetFile) column(g *thrift, d field, order []uint32, c values) error {
	// Only what rows use comes into the dictionary; it is numbered in their order.
	f.remap = slices.Grow(f.remap[:0], c.n)[:c.n]
	clear(f.remap)
	f.dict = f.dict[:0]
	var lowest, highest []byte
	used, nulls := uint32(0), 0
	for _, r := range order {
		v := c.rows[r]
		if f.remap[v] != 0 {
			if c.null != nil && c.null(int(v)) {
				nulls++
			}
			continue
		}
		if c.null != nil && c.null(int(v)) {
			f.remap[v] = ^uint32(0)
			nulls++
			continue
		}
		used++
		f.remap[v] = used
		b := c.get(int(v))
		if d.physical == typeBytes {
			f.dict = binary.LittleEndian.AppendUint32(f.dict, uint32(len(b))) // #nosec G115 -- a line is far shorter
		}
		f.dict = append(f.dict, b...)
		if d.stats {
			if lowest == nil || less(d.physical, b, lowest) {
				lowest = b
			}
			if highest == nil || less(d.physical, highest, b) {
				highest = b
			}
		}
	}
	whole := len(order) - nulls
	dictAt, raw, packed := f.at, 0, 0
	wrote := func(kind, n, encoding int64, page []byte) error {
		f.packed = f.zip.EncodeAll(page, f.packed[:0])
		h := &f.head
		h.reset()
		h.i32(1, kind)
		h.i32(2, int64(len(page)))
		h.i32(3, int64(len(f.packed)))
		if kind == 2 {
			h.open(7)
			h.i32(1, n)
			h.i32(2, encoding)
		} else {
			h.open(5)
			h.i32(1, n)
			h.i32(2, encoding)
			h.i32(3, rle)
			h.i32(4, rle)
		}
		h.stop()
		h.stop()
		raw += len(h.buf) + len(page)
		packed += len(h.buf) + len(f.packed)
		if err := f.put(h.buf); err != nil {
			return err
		}
		return f.put(f.packed)
	}
	if err := wrote(2, int64(used), plain, f.dict); err != nil {
		return err
	}
	dataAt := f.at
	f.page = f.page[:0]
	// Definition levels: 1 where there is a value.
	f.page = append(f.page, 0, 0, 0, 0)
	if nulls == 0 || whole == 0 {
		level := byte(1)
		if whole == 0 {
			level = 0
		}
		f.page = binary.AppendUvarint(f.page, uint64(len(order))<<1) // #nosec G115 -- a length
		f.page = append(f.page, level)
	} else {
		f.page = pack(f.page, 1, len(order), func(i int) uint32 {
			if f.remap[c.rows[order[i]]] == ^uint32(0) {
				return 0
			}
			return 1
		})
	}
	binary.LittleEndian.PutUint32(f.page, uint32(len(f.page)-4)) // #nosec G115 -- a page is small
	width := bits.Len32(max(used, 1) - 1)
	f.page = append(f.page, byte(width)) // #nosec G115 -- at most 32
	switch {
	case whole == 0:
	case width == 0:
		f.page = binary.AppendUvarint(f.page, uint64(whole)<<1) // #nosec G115 -- a length
	case nulls == 0:
		f.page = pack(f.page, width, len(order), func(i int) uint32 { return f.remap[c.rows[order[i]]] - 1 })
	default:
		next := 0
		f.page = pack(f.page, width, whole, func(int) uint32 {
			for {
				v := f.remap[c.rows[order[next]]]
				next++
				if v != ^uint32(0) {
					return v - 1
				}
			}
		})
	}
	if err := wrote(0, int64(len(order)), rleDictionary, f.page); err != nil {
		return err
	}
	g.bare() // ColumnChunk
	g.i64(2, dictAt)
	g.open(3)
	g.i32(1, d.physical)
	g.list(2, tI32, 3)
	g.zigzag(plain)
	g.zigzag(rle)
	g.zigzag(rleDictionary)
	g.list(3, tBinary, 1)
	g.bytes([]byte(d.name))
	g.i32(4, codecZstd)
	g.i64(5, int64(len(order)))
	g.i64(6, int64(raw))
	g.i64(7, int64(packed))
	g.i64(9, dataAt)
	g.i64(11, dictAt)
	g.open(12)
	g.i64(3, int64(nulls))
	if lowest != nil && len(lowest) <= 64 && len(highest) <= 64 {
		g.binary(5, highest)
		g.binary(6, lowest)
	}
	g.stop()
	g.stop()
	g.stop()
	return nil
}

func less(physical int64, a, b []byte) bool {
	switch physical {
	case typeInt32:
		return int32(binary.LittleEndian.Uint32(a)) < int32(binary.LittleEndian.Uint32(b)) // #nosec G115 -- the same bits
	case typeInt64:
		return int64(binary.LittleEndian.Uint64(a)) < int64(binary.LittleEndian.Uint64(b)) // #nosec G115 -- the same bits
	}
	return bytes.Compare(a, b) < 0
}

// pack writes one bit-packed run: groups of eight, the lowest bits first.
func pack(out []byte, width, n int, at func(i int) uint32) []byte {
	groups := (n + 7) / 8
	out = binary.AppendUvarint(out, uint64(groups)<<1|1) // #nosec G115 -- a length
	var bitsHeld uint64
	held := 0
	for i := range groups * 8 {
		v := uint32(0)
		if i < n {
			v = at(i)
		}
		bitsHeld |= uint64(v) << held
		held += width
		for held >= 8 {
			out = append(out, byte(bitsHeld)) // #nosec G115 -- the lowest eight bits
			bitsHeld >>= 8
			held -= 8
		}
	}
	return out
}

// close writes the footer.
func (f *parquetFile) close() error {
	var m thrift
	m.i32(1, 2)
	m.list(2, tStruct, len(f.fields)+1)
	m.bare()
	m.binary(4, []byte("rows"))
	m.i32(5, int64(len(f.fields)))
	m.stop()
	for _, d := range f.fields {
		m.bare()
		m.i32(1, d.physical)
		if d.physical == typeFixed {
			m.i32(2, 16)
		}
		m.i32(3, 1) // optional
		m.binary(4, []byte(d.name))
		if d.converted >= 0 {
			m.i32(6, d.converted)
		}
		if d.converted == asDecimal {
			m.i32(7, places)
			m.i32(8, 38)
		}
		m.stop()
	}
	m.i64(3, f.rows)
	m.list(4, tStruct, f.count)
	m.buf = append(m.buf, f.groups.Bytes()...)
	m.binary(6, []byte("causeway"))
	m.list(7, tStruct, len(f.fields)) // ColumnOrder: that of the type
	for range f.fields {
		m.bare()
		m.open(1)
		m.stop()
		m.stop()
	}
	m.stop()
	if err := f.put(m.buf); err != nil {
		return err
	}
	if err := f.put(binary.LittleEndian.AppendUint32(nil, uint32(len(m.buf)))); err != nil { // #nosec G115 -- a footer is small
		return err
	}
	if err := f.put([]byte("PAR1")); err != nil {
		return err
	}
	return f.w.Flush()
}

// thrift writes Thrift's compact protocol, as much of it as a footer needs.
type thrift struct {
	buf  []byte
	last []int64 // the field before, of each open struct
	id   int64
}

const (
	tI32    = 5
	tI64    = 6
	tBinary = 8
	tList   = 9
	tStruct = 12
)

func (t *thrift) reset() { t.buf, t.last, t.id = t.buf[:0], t.last[:0], 0 }

func (t *thrift) field(id int64, kind byte) {
	t.buf = append(t.buf, byte(id-t.id)<<4|kind) // #nosec G115 -- fields are less than 16 apart
	t.id = id
}

func (t *thrift) zigzag(v int64) { t.buf = binary.AppendVarint(t.buf, v) }

func (t *thrift) i32(id, v int64) { t.field(id, tI32); t.zigzag(v) }
func (t *thrift) i64(id, v int64) { t.field(id, tI64); t.zigzag(v) }

func (t *thrift) bytes(b []byte) {
	t.buf = append(binary.AppendUvarint(t.buf, uint64(len(b))), b...)
}

func (t *thrift) binary(id int64, b []byte) { t.field(id, tBinary); t.bytes(b) }

func (t *thrift) list(id int64, kind byte, n int) {
	t.field(id, tList)
	if n < 15 {
		t.buf = append(t.buf, byte(n)<<4|kind) // #nosec G115 -- below 15
		return
	}
	t.buf = binary.AppendUvarint(append(t.buf, 0xf0|kind), uint64(n)) // #nosec G115 -- a length
}

func (t *thrift) open(id int64) { t.field(id, tStruct); t.bare() }

// bare begins a struct that is an element of a list.
func (t *thrift) bare() { t.last, t.id = append(t.last, t.id), 0 }

func (t *thrift) stop() {
	t.buf = append(t.buf, 0)
	if n := len(t.last); n > 0 {
		t.id, t.last = t.last[n-1], t.last[:n-1]
	}
}
