// Package backup turns the whole state into one file and back, on both
// databases, while processes work on it. It owns the file's form; it does not know
// what the tables mean, and what a restored state has to doubt (provision, job).
//
// The file is the same for both databases, so a backup of SQLite restored into
// PostgreSQL is the way from one machine to many.
package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"causeway/internal/store"
)

// first is the first line of the file; a later form has another number.
const first = "causeway backup 1\n"

// Figures of the file.
const (
	blockRows  = 1000     // rows in a block, at most
	blockBytes = 1 << 20  // of text; a block is closed after it
	mostBytes  = 64 << 20 // no block is larger: a damaged length asks for no memory
	headerLine = 4096
)

// Head says what a backup is of.
type Head struct {
	ID      string            `json:"id"`
	TakenAt time.Time         `json:"taken_at"` // the moment that it shows, UTC
	Program string            `json:"program"`  // version that wrote it
	Schema  int64             `json:"schema"`   // version of the tables
	Engine  string            `json:"engine"`   // sqlite or postgresql; for people
	Proofs  map[string]string `json:"proofs"`   // key file → a text sealed with it, by which it is recognised
	Tables  []Table           `json:"tables"`   // in the order in which they can be filled
}

// Table is one table's name and columns.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`

	truths []bool // which are: SQLite gives them as 0 and 1
}

// Summary is what a file holds.
type Summary struct {
	Rows   map[string]int64 `json:"rows"` // by table
	Bytes  int64            `json:"bytes"`
	Keys   []string         `json:"keys"` // key files inside
	SHA256 string           `json:"sha256"`
}

// Total is the number of all rows.
func (s Summary) Total() (n int64) {
	for _, r := range s.Rows {
		n += r
	}
	return n
}

// header stands before each block, on a line of its own. The sum is over the kind,
// the name, the number of rows and the bytes as they follow.
type header struct {
	Kind  string `json:"kind"` // head, key, rows, end
	Name  string `json:"name,omitempty"`
	Rows  int    `json:"rows,omitempty"`
	Bytes int    `json:"bytes"`
	Sum   string `json:"sha256"`
}

func (h header) sum(body []byte) string {
	s := sha256.New()
	_, _ = fmt.Fprintf(s, "%s\n%s\n%d\n%d\n", h.Kind, h.Name, h.Rows, len(body)) // a hash never fails
	_, _ = s.Write(body)
	return hex.EncodeToString(s.Sum(nil))
}

// writer writes blocks and counts.
type writer struct {
	to    io.Writer
	chain hash.Hash // over the sums of all blocks: none is missing or moved
	s     Summary
}

func (w *writer) block(kind, name string, rows int, body []byte) error {
	h := header{Kind: kind, Name: name, Rows: rows, Bytes: len(body)}
	h.Sum = h.sum(body)
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, _ = io.WriteString(w.chain, h.Sum)
	for _, b := range [][]byte{line, {'\n'}, body} {
		n, err := w.to.Write(b)
		w.s.Bytes += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// Write writes the database as it is at one moment. keys are the key files that
// go with it, nil = none.
func Write(ctx context.Context, to io.Writer, db *store.DB, head Head, keys map[string][]byte) (Head, Summary, error) {
	w := &writer{to: to, chain: sha256.New(), s: Summary{Rows: map[string]int64{}, Keys: []string{}}}
	err := db.Snapshot(ctx, func(in store.DBTX) error {
		var err error
		if head, err = describe(ctx, db, in, head); err != nil {
			return err
		}
		n, err := io.WriteString(to, first)
		if err != nil {
			return err
		}
		w.s.Bytes += int64(n)
		body, err := json.Marshal(head)
		if err != nil {
			return err
		}
		if err := w.block("head", "", 0, body); err != nil {
			return err
		}
		for name, key := range keys {
			w.s.Keys = append(w.s.Keys, name)
			if err := w.block("key", name, 0, key); err != nil {
				return err
			}
		}
		for _, t := range head.Tables {
			if err := w.table(ctx, in, t); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
		}
		w.s.SHA256 = hex.EncodeToString(w.chain.Sum(nil))
		body, err = json.Marshal(w.s)
		if err != nil {
			return err
		}
		return w.block("end", "", 0, body)
	})
	if err != nil {
		return head, w.s, fmt.Errorf("backup: %w", err)
	}
	return head, w.s, nil
}

// describe fills in what the snapshot tells of itself.
func describe(ctx context.Context, db *store.DB, in store.DBTX, h Head) (Head, error) {
	h.Engine = "postgresql"
	if db.SQLite() {
		h.Engine = "sqlite"
	}
	h.ID, h.TakenAt = store.NewID(), time.Now().UTC() // not later than the first read, with which the snapshot begins
	names, err := db.Tables(ctx, in)
	if err != nil {
		return h, err
	}
	if h.Schema, err = db.Schema(ctx); err != nil {
		return h, err
	}
	for _, name := range names {
		if name == store.VersionTable {
			continue
		}
		t, err := tableOf(ctx, in, name)
		if err != nil {
			return h, err
		}
		h.Tables = append(h.Tables, t)
	}
	if len(h.Tables) == 0 {
		return h, errors.New("the database is empty: there is nothing to back up")
	}
	return h, nil
}

func tableOf(ctx context.Context, in store.DBTX, name string) (t Table, err error) {
	t.Name = name
	rows, err := in.QueryContext(ctx, "SELECT * FROM "+store.Quote(name)+" LIMIT 0") // #nosec G202 -- a name of the database's own catalogue, quoted
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types, err := rows.ColumnTypes()
	if err != nil {
		return t, err
	}
	for _, c := range types {
		t.Columns = append(t.Columns, c.Name())
		t.truths = append(t.truths, strings.HasPrefix(strings.ToUpper(c.DatabaseTypeName()), "BOOL"))
	}
	return t, rows.Err()
}

// table writes the rows of a table, block after block.
func (w *writer) table(ctx context.Context, in store.DBTX, t Table) (err error) {
	quoted := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		quoted[i] = store.Quote(c)
	}
	rows, err := in.QueryContext(ctx, "SELECT "+strings.Join(quoted, ", ")+" FROM "+store.Quote(t.Name)) // #nosec G202 -- names of the database's own catalogue, quoted
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	w.s.Rows[t.Name] = 0
	values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	var b block
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			if n, whole := v.(int64); whole && t.truths[i] {
				values[i] = n != 0
			}
		}
		if err := b.add(values); err != nil {
			return fmt.Errorf("row %d: %w", w.s.Rows[t.Name]+int64(b.rows)+1, err)
		}
		if b.rows == blockRows || b.text.Len() > blockBytes {
			if err := w.flush(t.Name, &b); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return w.flush(t.Name, &b)
}

// block gathers rows.
type block struct {
	text bytes.Buffer
	rows int
}

func (b *block) add(values []any) error {
	line := make([]any, len(values))
	for i, v := range values {
		var err error
		if line[i], err = out(v); err != nil {
			return err
		}
	}
	e := json.NewEncoder(&b.text)
	e.SetEscapeHTML(false)
	b.rows++
	return e.Encode(line)
}

func (w *writer) flush(table string, b *block) error {
	if b.rows == 0 {
		return nil
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(b.text.Bytes())
	if err = errors.Join(err, z.Close()); err != nil {
		return err
	}
	w.s.Rows[table] += int64(b.rows)
	err = w.block("rows", table, b.rows, packed.Bytes())
	b.text.Reset()
	b.rows = 0
	return err
}

// reader reads blocks and checks each before it is given on.
type reader struct {
	from  *bufio.Reader
	at    int64 // where the next block begins
	chain hash.Hash
	ended bool
}

// damaged names the place.
func (r *reader) damaged(format string, args ...any) error {
	return fmt.Errorf("the backup is damaged at byte %d: %s", r.at, fmt.Sprintf(format, args...))
}

func newReader(from io.Reader) (*reader, error) {
	r := &reader{from: bufio.NewReaderSize(from, 1<<16), chain: sha256.New()}
	line := make([]byte, len(first))
	if _, err := io.ReadFull(r.from, line); err != nil || !strings.HasPrefix(string(line), "causeway backup ") {
		return nil, errors.New("this is no backup of Causeway")
	}
	if string(line) != first {
		return nil, errors.New("this backup has a form that this program does not know; use the program that wrote it, or a newer one")
	}
	r.at = int64(len(first))
	return r, nil
}

// next gives a block that is whole.
func (r *reader) next() (header, []byte, error) {
	var h header
	line, err := r.from.ReadSlice('\n')
	if err != nil {
		return h, nil, r.damaged("it ends before its end, or has no block here")
	}
	length := len(line)
	if length > headerLine || json.Unmarshal(line, &h) != nil || h.Bytes < 0 || h.Bytes > mostBytes {
		return h, nil, r.damaged("no block begins here")
	}
	body := make([]byte, h.Bytes)
	if _, err := io.ReadFull(r.from, body); err != nil {
		return h, nil, r.damaged("the block “%s %s” is cut off", h.Kind, h.Name)
	}
	if h.sum(body) != h.Sum {
		return h, nil, r.damaged("the block “%s %s” is not what was written", h.Kind, h.Name)
	}
	if h.Kind == "end" {
		var s Summary
		if err := json.Unmarshal(body, &s); err != nil || s.SHA256 != hex.EncodeToString(r.chain.Sum(nil)) {
			return h, nil, r.damaged("blocks are missing before it, or stand in another order")
		}
		r.ended = true
	}
	_, _ = io.WriteString(r.chain, h.Sum)
	r.at += int64(length) + int64(h.Bytes)
	return h, body, nil
}

// Contents is what reading a file calls, in the file's order. A nil member is
// passed over.
type Contents struct {
	Head func(Head) error
	Key  func(name string, body []byte) error
	Rows func(t Table, rows [][]any) error
}

// Read reads a whole file, checks all of it, and gives on what is in it. An error
// about the file names the place.
func Read(from io.Reader, c Contents) (Head, Summary, error) {
	var head Head
	s := Summary{Rows: map[string]int64{}, Keys: []string{}}
	r, err := newReader(from)
	if err != nil {
		return head, s, err
	}
	tables := map[string]Table{}
	for !r.ended {
		h, body, err := r.next()
		if err != nil {
			return head, s, err
		}
		switch {
		case h.Kind == "head" && head.ID == "":
			if err := json.Unmarshal(body, &head); err != nil {
				return head, s, r.damaged("its description cannot be read")
			}
			for _, t := range head.Tables {
				tables[t.Name] = t
				s.Rows[t.Name] = 0
			}
			if c.Head != nil {
				err = c.Head(head)
			}
		case h.Kind == "key" && head.ID != "":
			s.Keys = append(s.Keys, h.Name)
			if c.Key != nil {
				err = c.Key(h.Name, body)
			}
		case h.Kind == "rows" && tables[h.Name].Name != "":
			s.Rows[h.Name] += int64(h.Rows)
			if c.Rows != nil {
				err = unpack(r, h, body, tables[h.Name], c.Rows)
			}
		case h.Kind == "end" && head.ID != "":
			s.SHA256 = hex.EncodeToString(r.chain.Sum(nil))
		default:
			return head, s, r.damaged("there is no place for a block “%s %s”", h.Kind, h.Name)
		}
		if err != nil {
			return head, s, err
		}
	}
	if _, err := r.from.ReadByte(); !errors.Is(err, io.EOF) {
		return head, s, r.damaged("something follows its end")
	}
	s.Bytes = r.at
	return head, s, nil
}

func unpack(r *reader, h header, body []byte, t Table, give func(Table, [][]any) error) error {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return r.damaged("rows of %s: %v", h.Name, err)
	}
	d := json.NewDecoder(z)
	d.UseNumber()
	rows := make([][]any, 0, h.Rows)
	for range h.Rows {
		var line []any
		if err := d.Decode(&line); err != nil || len(line) != len(t.Columns) {
			return r.damaged("rows of %s cannot be read", h.Name)
		}
		for i := range line {
			if line[i], err = back(line[i]); err != nil {
				return r.damaged("rows of %s: %v", h.Name, err)
			}
		}
		rows = append(rows, line)
	}
	return give(t, rows)
}
