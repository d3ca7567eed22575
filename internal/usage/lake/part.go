package lake

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"causeway/internal/usage"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// part is what became of one file of a snapshot: a Parquet file with its rows, all
// columns, and a small one with the kinds of rows in it.
//
// A row has beside Microsoft's columns: file and line, where it is in the raw export;
// day, its UTC day; kind, what of its rating key is the same on every day; extra, the
// members that we do not know; sent, the numbers that were not written as we write
// them. The last two are JSON.
type part struct {
	rows       int64
	bytes      int64
	cost, tax  fixed
	first, day int32 // lowest and highest
	currency   string
	drift      []usage.Drift
}

const noDay = 1 << 30

func rowsName(n int) string  { return fmt.Sprintf("%05d.rows.parquet", n) }
func kindsName(n int) string { return fmt.Sprintf("%05d.kinds.parquet", n) }

func rowFields(t *table) []field {
	out := []field{{"file", typeBytes, asUTF8, false}, {"line", typeInt64, -1, false}, {"day", typeInt32, asDate, true}, {"kind", typeInt64, -1, true}}
	for i, c := range t.columns {
		if c.sort == number {
			out = append(out, field{c.name, typeFixed, asDecimal, false})
		} else {
			out = append(out, field{c.name, typeBytes, asUTF8, i == t.key[partTenant] || i == t.key[partEntitlement]})
		}
	}
	return append(out, field{"extra", typeBytes, asUTF8, false}, field{"sent", typeBytes, asUTF8, false})
}

var kindFields = func() []field {
	out := []field{{"kind", typeInt64, -1, true}}
	for i, name := range keyNames {
		out = append(out, field{name, typeBytes, asUTF8, i == partTenant})
	}
	return out
}()

// writePart decodes a file and writes its part; n is its number in the snapshot.
func writePart(ctx context.Context, dir string, n int, s usage.Snapshot, blobs usage.Blobs) (p part, err error) {
	w, err := newPartWriter(dir, n, tables[s.Feed])
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if p, err = decodePart(ctx, n, s, blobs, func(d *decoder) error { return w.segment(s.Files[n].Name, d) }); err != nil {
		return p, err
	}
	return p, w.end()
}

// decodePart reads a file to its end, and gives it in segments.
func decodePart(ctx context.Context, n int, s usage.Snapshot, blobs usage.Blobs, segment func(*decoder) error) (p part, err error) {
	t, file := tables[s.Feed], s.Files[n]
	damaged := func(line int64, reason string) error {
		return &usage.Damaged{File: file.Name, Line: line, Reason: reason}
	}
	in, err := blobs.Open(ctx, s.ID, file)
	if err != nil {
		return p, fmt.Errorf("file %s of snapshot %s: %w", file.Name, s.ID, err)
	}
	defer func() { _ = in.Close() }() // only read
	p.first = noDay
	hash := sha256.New()
	d := newDecoder(t, s.Export)
	flush := func() error {
		if len(d.lines) == 0 {
			return nil
		}
		if p.currency == "" {
			p.currency = string(d.dicts[t.currency].val(d.rows[t.currency][0]))
		}
		for _, e := range d.dicts[t.day].entries[1:] {
			p.first, p.day = min(p.first, int32(uint32(e.num.lo))), max(p.day, int32(uint32(e.num.lo))) // #nosec G115 -- the same bits
		}
		err := segment(d)
		d.reset()
		return err
	}
	line, broken := int64(0), error(nil)
	p.bytes, err = eachLine(io.TeeReader(in, hash), func(text []byte) error {
		line++
		if line&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if line == 1 && bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
			text = text[3:]
			p.drift = append(p.drift, usage.Drift{File: file.Name, What: "byte order mark", Line: 1, Rows: 1})
		}
		if space(text, 0) == len(text) {
			return nil
		}
		if reason := d.line(text, line); reason != "" {
			broken = damaged(line, reason)
			return broken
		}
		p.rows++
		if d.full() {
			return flush()
		}
		return nil
	})
	switch {
	case broken != nil:
		return p, broken
	case errors.Is(err, errPacked):
		return p, damaged(line+1, err.Error())
	case err != nil:
		return p, err
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); file.SHA256 != "" && sum != file.SHA256 {
		return p, damaged(line, "its content is not what was received: SHA-256 is "+sum)
	}
	if err := flush(); err != nil {
		return p, err
	}
	p.cost, p.tax, p.drift = d.total, d.tax, append(p.drift, d.drift(file.Name)...)
	return p, nil
}

// errPacked is inside the error about a file that cannot be unpacked to its end.
var errPacked = errors.New("the gzip data is damaged or cut off")

// longestLine is far more than any record has.
const longestLine = 16 << 20

// eachLine unpacks to the very end, checksum included, and says how many bytes that
// are. The last line may lack its line end. A line is valid until use returns.
func eachLine(in io.Reader, use func(line []byte) error) (int64, error) {
	src := bufio.NewReaderSize(in, 256<<10)
	z, err := gzip.NewReader(src)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errPacked, err)
	}
	total := int64(0)
	buf := make([]byte, 1<<20)
	from, to := 0, 0
	for {
		if from > 0 {
			to = copy(buf, buf[from:to])
			from = 0
		}
		if to == len(buf) {
			if len(buf) >= longestLine {
				return total, fmt.Errorf("%w: a line has more than %d bytes", errPacked, longestLine)
			}
			longer := make([]byte, 2*len(buf))
			copy(longer, buf)
			buf = longer
		}
		n, err := z.Read(buf[to:])
		fresh := to
		to, total = to+n, total+int64(n)
		for {
			i := bytes.IndexByte(buf[max(from, fresh):to], '\n')
			if i < 0 {
				break
			}
			end := max(from, fresh) + i
			if err := use(buf[from:end]); err != nil {
				return total, err
			}
			from = end + 1
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) {
			return total, fmt.Errorf("%w: %w", errPacked, err)
		}
		if from < to {
			if err := use(buf[from:to]); err != nil {
				return total, err
			}
		}
		if _, err := io.Copy(io.Discard, src); err != nil { // what is hashed is the whole file
			return total, fmt.Errorf("%w: %w", errPacked, err)
		}
		return total, nil
	}
}

// partWriter writes a part's two files.
type partWriter struct {
	table       *table
	number      int
	files       [2]*os.File
	rows, kinds *parquetFile
	zip         *zstd.Encoder
	known       int64 // kinds written
}

func newPartWriter(dir string, n int, t *table) (*partWriter, error) {
	w := &partWriter{table: t, number: n}
	var err error
	if w.zip, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, err
	}
	for i, name := range []string{rowsName(n), kindsName(n)} {
		if w.files[i], err = os.Create(filepath.Join(dir, name)); err != nil { // #nosec G304 -- our own folder
			return nil, errors.Join(err, w.close())
		}
	}
	if w.rows, err = newParquet(w.files[0], w.zip, rowFields(t)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if w.kinds, err = newParquet(w.files[1], w.zip, kindFields); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// end finishes both files and has them on the disk.
func (w *partWriter) end() error {
	for i, p := range []*parquetFile{w.rows, w.kinds} {
		if err := p.close(); err != nil {
			return err
		}
		if err := w.files[i].Sync(); err != nil {
			return err
		}
	}
	return nil
}

func (w *partWriter) close() error {
	var all error
	for i, f := range w.files {
		if f != nil {
			all = errors.Join(all, f.Close())
		}
		w.files[i] = nil
	}
	return all
}

// How many rows and kinds stand together: whoever looks for one tenant reads few of such
// groups, since each says which tenants are in it.
const (
	rowsTogether  = 12_288
	kindsTogether = 4_096
)

// segment writes the rows decoded so far, by tenant, subscription, day and line, so
// that one account's records are next to each other.
func (w *partWriter) segment(file string, d *decoder) error {
	t := d.table
	n := len(d.lines)
	kindOf, kinds := d.kinds()
	rank := func(column int) ([]uint32, []uint32) {
		if column < 0 {
			return nil, nil
		}
		x := &d.dicts[column]
		order := make([]uint32, len(x.entries))
		for i := range order {
			order[i] = uint32(i) // #nosec G115 -- a segment is small
		}
		slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(x.val(a), x.val(b)) })
		ranks := make([]uint32, len(order))
		for i, e := range order {
			ranks[e] = uint32(i) // #nosec G115 -- as above
		}
		return ranks, d.rows[column]
	}
	tenants, tenantOf := rank(t.key[partTenant])
	subs, subOf := rank(t.key[partEntitlement])
	type place struct {
		owner uint64
		day   int32
		row   uint32
	}
	places := make([]place, n)
	days := make([]uint32, n)
	dayOfRow := d.rows[t.day]
	for i := range places {
		p := place{owner: uint64(tenants[tenantOf[i]]) << 32, day: int32(uint32(d.dicts[t.day].entries[dayOfRow[i]].num.lo)), row: uint32(i)} // #nosec G115 -- the same bits
		if subs != nil {
			p.owner |= uint64(subs[subOf[i]])
		}
		places[i], days[i] = p, uint32(i) // #nosec G115 -- a segment is small
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.day, b.day), cmp.Compare(a.row, b.row))
	})
	order := make([]uint32, n)
	for i, p := range places {
		order[i] = p.row
	}
	var buf [16]byte
	columns := make([]values, 0, len(t.columns)+6)
	columns = append(columns,
		values{n: 1, get: func(int) []byte { return []byte(file) }, rows: make([]uint32, n)},
		values{n: n, get: func(i int) []byte { return binary.LittleEndian.AppendUint64(buf[:0], uint64(d.lines[i])) }, rows: days}, // #nosec G115 -- a count
		values{n: len(d.dicts[t.day].entries), rows: dayOfRow, get: func(i int) []byte {
			return binary.LittleEndian.AppendUint32(nil, uint32(d.dicts[t.day].entries[i].num.lo)) // #nosec G115 -- the same bits
		}},
		values{n: len(kinds), rows: kindOf, get: func(i int) []byte { return w.kind(i) }})
	for i := range d.dicts {
		x := &d.dicts[i]
		c := values{n: len(x.entries), rows: d.rows[i], null: func(v int) bool { return x.entries[v].null }}
		if i < len(t.columns) && t.columns[i].sort == number {
			c.get = func(v int) []byte { return x.entries[v].num.bytes(buf[:0]) }
		} else {
			c.get = func(v int) []byte { return x.val(uint32(v)) } // #nosec G115 -- an index
		}
		columns = append(columns, c)
	}
	for some := range slices.Chunk(order, rowsTogether) {
		if err := w.rows.group(some, columns); err != nil {
			return err
		}
	}
	each := make([]uint32, len(kinds))
	for i := range each {
		each[i] = uint32(i) // #nosec G115 -- an index
	}
	columns = append(columns[:0], values{n: len(kinds), rows: each, get: func(i int) []byte { return w.kind(i) }})
	for i, column := range t.key {
		if column < 0 {
			columns = append(columns, values{n: 1, rows: make([]uint32, len(kinds)), null: func(int) bool { return true }})
			continue
		}
		x, of := &d.dicts[column], make([]uint32, len(kinds))
		for k := range kinds {
			of[k] = kinds[k][i]
		}
		columns = append(columns, values{n: len(x.entries), rows: of, null: func(v int) bool { return x.entries[v].null }, get: func(v int) []byte { return x.val(uint32(v)) }}) // #nosec G115 -- an index
	}
	order = slices.Clone(each) // the kinds, by tenant too
	slices.SortStableFunc(order, func(a, b uint32) int {
		return cmp.Compare(tenants[kinds[a][partTenant]], tenants[kinds[b][partTenant]])
	})
	for some := range slices.Chunk(order, kindsTogether) {
		if err := w.kinds.group(some, columns); err != nil {
			return err
		}
	}
	w.known += int64(len(kinds))
	return nil
}

// kind numbers the kinds within a snapshot: the file's number, then a count.
func (w *partWriter) kind(i int) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(w.number)<<32|uint64(w.known+int64(i))) // #nosec G115 -- counts
}

// kinds are the different rating keys without their day, and each row's.
func (d *decoder) kinds() ([]uint32, [][keyParts]uint32) {
	var list [][keyParts]uint32
	known := map[[keyParts]uint32]uint32{}
	of := make([]uint32, len(d.lines))
	var key [keyParts]uint32
	var next []uint32 // what came after each kind the last time
	last := uint32(0)
	for row := range of {
		for i, column := range d.table.key {
			if column >= 0 {
				key[i] = d.rows[column][row]
			}
		}
		if len(next) > 0 {
			if guess := next[last]; list[guess] == key {
				of[row], last = guess, guess
				continue
			}
		}
		k, ok := known[key]
		if !ok {
			k = uint32(len(list)) // #nosec G115 -- a segment is small
			known[key] = k
			list, next = append(list, key), append(next, 0)
		}
		next[last] = k
		of[row], last = k, k
	}
	return of, list
}
