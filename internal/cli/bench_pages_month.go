package cli

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"causeway/internal/usage"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// A month of ten million records takes minutes to make and to load, and thirteen are
// wanted. So one is made and loaded as every export is; the others are its Parquet files
// with other days. In these files a day stands in the dictionary of its column only:
// pages of rows are copied as they are, and what is read later is laid out, packed and
// pruned exactly as what the lake writes itself.

// monthCopy writes snapshots of other months from the files of one.
type monthCopy struct {
	lake    string // folder
	base    usage.Month
	workers int
}

// lakeLabel is what stands in a snapshot's folder beside its files.
type lakeLabel struct {
	Snapshot usage.Snapshot `json:"snapshot"`
	Loaded   usage.Loaded   `json:"loaded"`
}

const lakeLabelName = "snapshot.json"

// to makes the snapshot s of the loaded one.
func (c monthCopy) to(ctx context.Context, from usage.Loaded, s usage.Snapshot) error {
	into := filepath.Join(c.lake, s.ID)
	if err := os.Mkdir(into, 0o750); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(c.lake, from.Snapshot, "*.parquet"))
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.workers)
	for _, name := range names {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			b, err := os.ReadFile(name) // #nosec G304 -- the bench's own folder
			if err != nil {
				return err
			}
			if b, err = otherDays(b, func(d usage.Day) usage.Day { return c.day(d, s.Month) }); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return os.WriteFile(filepath.Join(into, filepath.Base(name)), b, 0o600) // #nosec G703 -- the bench's own folder
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	x := lakeLabel{s, from}
	x.Loaded.Snapshot, x.Loaded.First, x.Loaded.Last = s.ID, c.day(from.First, s.Month), c.day(from.Last, s.Month)
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(into, lakeLabelName), b, 0o600)
}

// day is the same day of another month, its last one where it is shorter.
func (c monthCopy) day(d usage.Day, m usage.Month) usage.Day {
	for x := c.base; x < d.Month(); x = x.Add(1) {
		m = m.Add(1)
	}
	for x := c.base; x > d.Month(); x = x.Add(-1) {
		m = m.Add(-1)
	}
	return min(m.First().Add(d.Time().Day()-1), m.Last())
}

// dayColumns hold days as text.
var dayColumns = []string{"UsageDate", "ChargeStartDate", "ChargeEndDate"}

// otherDays gives a Parquet file of the lake with other days.
func otherDays(file []byte, other func(usage.Day) usage.Day) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil { // an index beyond the end
			err = errors.Join(err, fmt.Errorf("it is not as the lake writes them: %v", r))
		}
	}()
	length := int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	footer := thriftIn{b: file[len(file)-8-length:]}
	meta := footer.read(thriftStruct)
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer unpack.Close()
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	out = append(make([]byte, 0, len(file)+len(file)/64), file[:4]...)
	for _, group := range meta.field(4).list {
		for _, chunk := range group.field(1).list {
			m := chunk.field(3)
			name := string(m.field(3).list[0].b)
			from, data, size := m.field(11).n, m.field(9).n, m.field(7).n
			began := int64(len(out))
			if days := name == "day"; days || slices.Contains(dayColumns, name) {
				at := thriftIn{b: file[from:data]}
				head := at.read(thriftStruct)
				dict, err := unpack.DecodeAll(file[from+int64(at.at):data], nil)
				if err != nil {
					return nil, err
				}
				if days {
					for i := 0; i < len(dict); i += 4 {
						copy(dict[i:], numberOf(other, dict[i:]))
					}
					for _, end := range m.field(12).fields {
						if end.b != nil {
							copy(end.b, numberOf(other, end.b))
						}
					}
				} else {
					for i := 0; i < len(dict); {
						n := int(binary.LittleEndian.Uint32(dict[i:]))
						if d := usage.Day(dict[i+4 : i+4+min(n, 10)]); d.Check() == nil {
							copy(dict[i+4:], other(d))
						}
						i += 4 + n
					}
				}
				page := packer.EncodeAll(dict, nil)
				head.field(3).n = int64(len(page))
				out = append(head.append(out), page...)
			} else {
				out = append(out, file[from:data]...)
			}
			m.field(9).n, m.field(11).n = int64(len(out)), began
			chunk.field(2).n = began
			out = append(out, file[data:from+size]...)
			m.field(7).n = int64(len(out)) - began
		}
	}
	began := len(out)
	out = meta.append(out)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(out)-began)), file[:4]...), nil // #nosec G115 -- a footer is small
}

// numberOf is another day as Parquet has it: days since 1970.
func numberOf(other func(usage.Day) usage.Day, b []byte) []byte {
	n := int32(binary.LittleEndian.Uint32(b))                                   // #nosec G115 -- the same bits
	d := other(usage.DayOf(time.Unix(int64(n)*86400, 0)))                       //
	return binary.LittleEndian.AppendUint32(nil, uint32(d.Time().Unix()/86400)) // #nosec G115 -- a day
}

// Thrift's compact protocol, as much of it as the lake's files use.
const (
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// thriftValue is a value of any kind.
type thriftValue struct {
	id, kind byte
	n        int64
	b        []byte
	list     []*thriftValue
	elements byte           // their kind
	fields   []*thriftValue // of a struct
}

// field finds one of a struct.
func (v *thriftValue) field(id byte) *thriftValue {
	i := slices.IndexFunc(v.fields, func(f *thriftValue) bool { return f.id == id })
	return v.fields[i]
}

type thriftIn struct {
	b  []byte
	at int
}

func (t *thriftIn) uvarint() uint64 {
	n, size := binary.Uvarint(t.b[t.at:])
	t.at += size
	return n
}

func (t *thriftIn) read(kind byte) *thriftValue {
	v := &thriftValue{kind: kind}
	switch kind {
	case thriftI32, thriftI64:
		n, size := binary.Varint(t.b[t.at:])
		v.n, t.at = n, t.at+size
	case thriftBinary:
		n := int(t.uvarint()) // #nosec G115 -- a short text
		v.b = slices.Clone(t.b[t.at : t.at+n])
		t.at += n
	case thriftList:
		head := t.b[t.at]
		t.at++
		v.elements = head & 15
		n := int(head >> 4)
		if n == 15 {
			n = int(t.uvarint()) // #nosec G115 -- a short list
		}
		for range n {
			v.list = append(v.list, t.read(v.elements))
		}
	case thriftStruct:
		for id := byte(0); ; {
			head := t.b[t.at]
			t.at++
			if head == 0 {
				return v
			}
			id += head >> 4
			f := t.read(head & 15)
			f.id = id
			v.fields = append(v.fields, f)
		}
	default:
		panic(fmt.Sprintf("a value of kind %d", kind))
	}
	return v
}

func (v *thriftValue) append(out []byte) []byte {
	switch v.kind {
	case thriftI32, thriftI64:
		return binary.AppendVarint(out, v.n)
	case thriftBinary:
		return append(binary.AppendUvarint(out, uint64(len(v.b))), v.b...)
	case thriftList:
		if len(v.list) < 15 {
			out = append(out, byte(len(v.list))<<4|v.elements) // #nosec G115 -- below 15
		} else {
			out = binary.AppendUvarint(append(out, 0xf0|v.elements), uint64(len(v.list)))
		}
		for _, x := range v.list {
			out = x.append(out)
		}
		return out
	}
	id := byte(0)
	for _, f := range v.fields {
		out = append(out, (f.id-id)<<4|f.kind)
		out, id = f.append(out), f.id
	}
	return append(out, 0)
}
