package lake

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Type is what the values of a column are.
type Type int

// The types of columns, and how their values are given.
const (
	Text    Type = iota
	Decimal      // DECIMAL(38,18); a plain number such as "-1207.44", without exponent
	Time         // TIMESTAMP in UTC, microseconds; as RFC 3339
)

// Column is one column of a table.
type Column struct {
	Name string
	Type Type
}

// rowsInGroup bounds the pages of a table.
const rowsInGroup = 100_000

// WriteTable writes rows as a Parquet file: the same rows give the same bytes. A value
// "" is NULL. A number with more digits than DECIMAL(38,18) keeps is refused, never
// rounded.
func WriteTable(w io.Writer, columns []Column, rows [][]string) error {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	fields := make([]field, len(columns))
	for i, c := range columns {
		switch c.Type {
		case Decimal:
			fields[i] = field{c.Name, typeFixed, asDecimal, false}
		case Time:
			fields[i] = field{c.Name, typeInt64, asMicros, false}
		default:
			fields[i] = field{c.Name, typeBytes, asUTF8, false}
		}
	}
	f, err := newParquet(w, zip, fields)
	if err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	for len(rows) > 0 {
		n := min(len(rows), rowsInGroup)
		if err := f.table(columns, rows[:n]); err != nil {
			return fmt.Errorf("parquet: %w", err)
		}
		rows = rows[n:]
	}
	if err := f.close(); err != nil {
		return fmt.Errorf("parquet: %w", err)
	}
	return nil
}

// table writes rows as one row group.
func (f *parquetFile) table(columns []Column, rows [][]string) error {
	order := make([]uint32, len(rows))
	for i := range order {
		order[i] = uint32(i) // #nosec G115 -- at most rowsInGroup
	}
	all := make([]values, len(columns))
	for i, c := range columns {
		different, numbers := [][]byte{nil}, map[string]uint32{"": 0} // the first one is NULL
		of := make([]uint32, len(rows))
		for j, row := range rows {
			n, ok := numbers[row[i]]
			if !ok {
				b, err := c.bytes(row[i])
				if err != nil {
					return err
				}
				n = uint32(len(different)) // #nosec G115 -- at most rowsInGroup
				different, numbers[row[i]] = append(different, b), n
			}
			of[j] = n
		}
		all[i] = values{n: len(different), null: func(v int) bool { return v == 0 }, get: func(v int) []byte { return different[v] }, rows: of}
	}
	return f.group(order, all)
}

func (c Column) bytes(s string) ([]byte, error) {
	switch c.Type {
	case Decimal:
		n, ok := fixedOf([]byte(s))
		if !ok {
			return nil, fmt.Errorf("column %s: %q is not a number of at most 38 digits, 18 of them decimals", c.Name, s)
		}
		return n.bytes(nil), nil
	case Time:
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		return binary.LittleEndian.AppendUint64(nil, uint64(t.UnixMicro())), nil // #nosec G115 -- the same bits
	}
	return []byte(s), nil
}
