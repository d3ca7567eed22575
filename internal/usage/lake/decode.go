package lake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/usage"
)

// A segment is decoded at once and becomes one row group.
const (
	segmentRows  = 122_880
	segmentBytes = 64 << 20
)

// absent is the entry of a member that a line does not have; of null too.
const absent = 0

// entry is a different value of a column.
type entry struct {
	raw, rawEnd uint32 // as sent, quotes included
	val, valEnd uint32 // without them
	hash        uint32
	null        bool
	differs     bool // a number that is not written as we would
	asText      bool // a number in quotes
	num         fixed
}

// dict holds the different values of one column in a segment. Usage comes in the same
// order day after day, so what followed a value the last time mostly follows it again:
// then a value costs one comparison and is not even scanned.
type dict struct {
	arena   []byte
	entries []entry
	next    []uint32 // what came after each value the last time
	slots   []uint32 // open addressing by hash; entry + 1
	last    uint32
}

func (d *dict) reset() {
	d.arena = d.arena[:0]
	d.entries = append(d.entries[:0], entry{null: true})
	d.next = append(d.next[:0], 0)
	if len(d.slots) > 1<<12 {
		d.slots = nil
	}
	if d.slots == nil {
		d.slots = make([]uint32, 1<<8)
	}
	clear(d.slots)
	d.last = 0
}

func (d *dict) raw(i uint32) []byte { e := &d.entries[i]; return d.arena[e.raw:e.rawEnd] }
func (d *dict) val(i uint32) []byte { e := &d.entries[i]; return d.arena[e.val:e.valEnd] }

func (d *dict) find(raw []byte, hash uint32) (uint32, bool) {
	mask := uint32(len(d.slots) - 1) // #nosec G115 -- a power of two, far below 2^32
	for at := hash & mask; ; at = (at + 1) & mask {
		i := d.slots[at]
		if i == 0 {
			return 0, false
		}
		if e := &d.entries[i-1]; e.hash == hash && bytes.Equal(d.arena[e.raw:e.rawEnd], raw) {
			return i - 1, true
		}
	}
}

func (d *dict) add(raw []byte, e entry, val []byte) uint32 {
	e.raw, e.rawEnd = uint32(len(d.arena)), uint32(len(d.arena)+len(raw)) // #nosec G115 -- a segment is far below 4 GB
	d.arena = append(d.arena, raw...)
	switch {
	case val == nil:
	case len(raw) >= len(val)+2 && raw[0] == '"' && &raw[1] == &val[:1][0]:
		e.val, e.valEnd = e.raw+1, e.rawEnd-1
	default:
		e.val = uint32(len(d.arena)) // #nosec G115 -- as above
		d.arena = append(d.arena, val...)
		e.valEnd = uint32(len(d.arena)) // #nosec G115 -- as above
	}
	i := uint32(len(d.entries)) // #nosec G115 -- as above
	d.entries = append(d.entries, e)
	d.next = append(d.next, 0)
	if 2*len(d.entries) > len(d.slots) {
		d.slots = make([]uint32, 4*len(d.slots))
		for j := 1; j < len(d.entries); j++ {
			d.place(uint32(j)) // #nosec G115 -- as above
		}
	} else {
		d.place(i)
	}
	return i
}

func (d *dict) place(i uint32) {
	mask := uint32(len(d.slots) - 1) // #nosec G115 -- a power of two, far below 2^32
	at := d.entries[i].hash & mask
	for d.slots[at] != 0 {
		at = (at + 1) & mask
	}
	d.slots[at] = i + 1
}

// member is what stood at this place of the line before.
type member struct {
	key    []byte // with quotes and colon
	column int    // -1 = unknown to us
}

// decoder turns JSON lines into the columns of a segment.
type decoder struct {
	table   *table
	export  usage.Export
	seed    maphash.Seed
	order   []member
	dicts   []dict     // the columns, then extra and sent
	rows    [][]uint32 // of each, the entry of each row
	lines   []int64
	seen    []int64       // the line in which a column was seen last
	missing []usage.Drift // of each column, and so on
	asText  []usage.Drift
	fresh   map[string]*usage.Drift
	extra   []byte
	total   fixed
	tax     fixed
}

func newDecoder(t *table, e usage.Export) *decoder {
	n := len(t.columns) + 2
	d := &decoder{table: t, export: e, seed: maphash.MakeSeed(), dicts: make([]dict, n), rows: make([][]uint32, n), seen: make([]int64, len(t.columns)),
		missing: make([]usage.Drift, len(t.columns)), asText: make([]usage.Drift, len(t.columns)), fresh: map[string]*usage.Drift{}}
	d.reset()
	return d
}

// reset begins a new segment.
func (d *decoder) reset() {
	for i := range d.dicts {
		d.dicts[i].reset()
		d.rows[i] = d.rows[i][:0]
	}
	d.lines = d.lines[:0]
}

// full tells that the segment should be written.
func (d *decoder) full() bool {
	if len(d.lines) >= segmentRows {
		return true
	}
	if len(d.lines)%1024 != 0 {
		return false
	}
	n := 0
	for i := range d.dicts {
		n += len(d.dicts[i].arena)
	}
	return n > segmentBytes
}

// note counts one more row with a drift.
func note(x *usage.Drift, line int64) {
	if x.Rows == 0 {
		x.Line = line
	}
	x.Rows++
}

// drift is all that was noted, in order.
func (d *decoder) drift(file string) []usage.Drift {
	var out []usage.Drift
	add := func(x usage.Drift, column, what string) {
		if x.Rows > 0 {
			x.File, x.Column, x.What = file, column, what
			out = append(out, x)
		}
	}
	for i, c := range d.table.columns {
		add(d.missing[i], c.name, "missing")
		add(d.asText[i], c.name, "number as text")
	}
	for _, name := range slices.Sorted(maps.Keys(d.fresh)) {
		add(*d.fresh[name], name, "new")
	}
	return out
}

const notJSON = "it is not a JSON object"

// line decodes one line; what is wrong with it is returned as text.
func (d *decoder) line(line []byte, number int64) (reason string) {
	p := space(line, 0)
	if p == len(line) || line[p] != '{' {
		return notJSON
	}
	p = space(line, p+1)
	d.extra = d.extra[:0]
	count := 0
	if p < len(line) && line[p] == '}' {
		return d.finish(line, p+1, number, 0)
	}
	for i := 0; ; i++ {
		var column int // -1 = unknown to us
		keyAt := p
		if i < len(d.order) && bytes.HasPrefix(line[p:], d.order[i].key) {
			column, p = d.order[i].column, p+len(d.order[i].key)
		} else {
			end, _ := scanText(line, p)
			if end < 0 {
				return notJSON
			}
			colon := space(line, end)
			if colon == len(line) || line[colon] != ':' {
				return notJSON
			}
			name, ok := unquote(line[p:end])
			if !ok {
				return notJSON
			}
			column = d.table.at(string(name))
			p = colon + 1
			m := member{bytes.Clone(line[keyAt:p]), column}
			if i < len(d.order) {
				d.order[i] = m
			} else if i == len(d.order) && i < 1000 {
				d.order = append(d.order, m)
			}
		}
		p = space(line, p)
		if column < 0 {
			end := scanValue(line, p)
			if end < 0 {
				return notJSON
			}
			if reason := d.unknown(line[keyAt:p], line[p:end], number); reason != "" {
				return reason
			}
			p = end
		} else {
			if d.seen[column] == number {
				return fmt.Sprintf("column %s is there twice", d.table.columns[column].name)
			}
			d.seen[column] = number
			count++
			x := &d.dicts[column]
			guess := x.next[x.last]
			e := &x.entries[guess]
			raw := x.arena[e.raw:e.rawEnd]
			if end := p + len(raw); guess != absent && end < len(line) && string(line[p:end]) == string(raw) && (raw[0] == '"' || ends(line[end])) {
				p = end
			} else {
				end := scanValue(line, p)
				if end < 0 {
					return notJSON
				}
				if guess, reason = d.value(column, line[p:end], number); reason != "" {
					return reason
				}
				p = end
				x.next[x.last] = guess
				e = &x.entries[guess]
			}
			x.last = guess
			if e.asText {
				note(&d.asText[column], number)
			}
			d.rows[column] = append(d.rows[column], guess)
		}
		p = space(line, p)
		if p == len(line) {
			return notJSON
		}
		if line[p] == '}' {
			return d.finish(line, p+1, number, count)
		}
		if line[p] != ',' {
			return notJSON
		}
		p = space(line, p+1)
	}
}

// unknown keeps a member that we do not know.
func (d *decoder) unknown(key, value []byte, number int64) string {
	if !utf8.Valid(key) || !utf8.Valid(value) {
		return "its text is not UTF-8"
	}
	end, _ := scanText(key, 0)
	if end < 0 {
		return notJSON
	}
	name, ok := unquote(key[:end])
	if !ok {
		return notJSON
	}
	if d.fresh[string(name)] == nil {
		d.fresh[string(name)] = &usage.Drift{}
	}
	note(d.fresh[string(name)], number)
	if len(d.extra) > 0 {
		d.extra = append(d.extra, ',')
	}
	d.extra = append(append(append(d.extra, key[:end]...), ':'), value...)
	return ""
}

// finish ends a row: what it does not have, and what it has beyond the columns.
func (d *decoder) finish(line []byte, p int, number int64, count int) string {
	if space(line, p) != len(line) {
		return notJSON
	}
	row := len(d.lines)
	if count != len(d.table.columns) {
		for i, c := range d.table.columns {
			if d.seen[i] == number {
				continue
			}
			if c.needed {
				return d.misses(c.name, number)
			}
			if !c.rare {
				note(&d.missing[i], number)
			}
			d.rows[i] = append(d.rows[i], absent)
			d.dicts[i].last = absent
		}
	}
	n := len(d.table.columns)
	extra := uint32(absent)
	if len(d.extra) > 0 {
		extra = d.intern(n, append(append([]byte{'{'}, d.extra...), '}'))
	}
	d.rows[n] = append(d.rows[n], extra)
	sent := uint32(absent)
	var other map[string]json.RawMessage
	for i, c := range d.table.columns {
		if c.sort != aNumber {
			continue
		}
		if e := &d.dicts[i].entries[d.rows[i][row]]; e.differs {
			if other == nil {
				other = map[string]json.RawMessage{}
			}
			other[c.name] = d.dicts[i].raw(d.rows[i][row])
		}
	}
	if other != nil {
		b, err := json.Marshal(other)
		if err != nil {
			return notJSON
		}
		sent = d.intern(n+1, b)
	}
	d.rows[n+1] = append(d.rows[n+1], sent)
	d.lines = append(d.lines, number)
	t := d.table
	var ok bool
	if d.total, ok = d.total.plus(d.dicts[t.cost].entries[d.rows[t.cost][row]].num); !ok {
		return "the sum of " + t.columns[t.cost].name + " has more digits than an amount can have"
	}
	if t.tax >= 0 {
		if d.tax, ok = d.tax.plus(d.dicts[t.tax].entries[d.rows[t.tax][row]].num); !ok {
			return "the sum of " + t.columns[t.tax].name + " has more digits than an amount can have"
		}
	}
	return ""
}

const aNumber = number // inside line, number is that of the line

// misses names a needed column that is not there, and what might be it.
func (d *decoder) misses(name string, number int64) string {
	var fresh []string
	for name, x := range d.fresh {
		if x.Line == number {
			fresh = append(fresh, name)
		}
	}
	slices.Sort(fresh)
	if len(fresh) == 0 {
		return fmt.Sprintf("column %s is missing", name)
	}
	return fmt.Sprintf("column %s is missing, and %s is new", name, strings.Join(fresh, ", "))
}

func (d *decoder) intern(column int, raw []byte) uint32 {
	x := &d.dicts[column]
	hash := uint32(maphash.Bytes(d.seed, raw)) // #nosec G115 -- the lower half
	if i, ok := x.find(raw, hash); ok {
		return i
	}
	return x.add(raw, entry{hash: hash}, bytes.Clone(raw))
}

// value finds or adds a value of a column, and checks one that is new.
func (d *decoder) value(column int, raw []byte, line int64) (uint32, string) {
	x, t := &d.dicts[column], d.table
	c := t.columns[column]
	hash := uint32(maphash.Bytes(d.seed, raw)) // #nosec G115 -- the lower half
	if i, ok := x.find(raw, hash); ok {
		return i, ""
	}
	bad := func(what string) (uint32, string) {
		return 0, fmt.Sprintf("column %s is %s: %s", c.name, short(raw), what)
	}
	if !utf8.Valid(raw) {
		return bad("its text is not UTF-8")
	}
	e := entry{hash: hash}
	val := raw
	if raw[0] == '"' {
		var ok bool
		if val, ok = unquote(raw); !ok {
			return bad("it is not JSON text")
		}
	}
	if string(raw) == "null" {
		if c.needed && c.sort == number {
			return bad("a number is needed")
		}
		e.null = true
		return x.add(raw, e, nil), ""
	}
	switch {
	case c.sort == number && len(val) == 0 && !c.needed:
		e.null, e.differs = true, true
		return x.add(raw, e, nil), ""
	case c.sort == number:
		n, ok := fixedOf(val)
		if !ok {
			return bad(fmt.Sprintf("it is not a number of at most %d digits and %d decimals", 38-places, places))
		}
		e.num, e.asText = n, raw[0] == '"'
		e.differs = e.asText || !usual(raw)
		if e.asText && !json.Valid(val) {
			return bad("it is not a number")
		}
	case column == t.day:
		day, ok := dayOf(string(val))
		if !ok {
			return bad("it is not a day")
		}
		e.num.lo = uint64(uint32(day)) // #nosec G115 -- the same bits
	case column == t.currency && d.export.Currency != "" && string(val) != string(d.export.Currency):
		return bad("the export is in " + string(d.export.Currency))
	case column == t.partner && d.export.Partner != "" && !strings.EqualFold(string(val), d.export.Partner):
		return bad("the export is of the partner " + d.export.Partner)
	case column == t.invoice && bareInvoice(string(val)) != bareInvoice(d.export.Invoice):
		if d.export.Invoice == "" {
			return bad("the export is of unbilled charges")
		}
		return bad("the export is of the invoice " + d.export.Invoice)
	}
	return x.add(raw, e, val), ""
}

// bareInvoice is an invoice's number without the prefix that ids carry in some links.
func bareInvoice(s string) string {
	return strings.TrimPrefix(strings.TrimPrefix(s, "OneTime-"), "Recurring-")
}

func short(raw []byte) string {
	if len(raw) > 60 {
		return string(raw[:60]) + "…"
	}
	return string(raw)
}

// dayOf reads Microsoft's dates, which come with and without the midnight and its Z:
// days since 1970. A time of day, or another zone, is no day.
func dayOf(s string) (int32, bool) {
	if len(s) < 10 {
		return 0, false
	}
	at, err := time.Parse(time.DateOnly, s[:10])
	if err != nil {
		return 0, false
	}
	rest := strings.TrimSuffix(s[10:], "Z")
	if rest != "" {
		whole, part, _ := strings.Cut(rest, ".")
		if whole != "T00:00:00" || strings.Trim(part, "0") != "" {
			return 0, false
		}
	}
	return int32(at.Unix() / 86400), true // #nosec G115 -- within four-digit years
}

func space(b []byte, p int) int {
	for p < len(b) && (b[p] == ' ' || b[p] == '\t' || b[p] == '\r' || b[p] == '\n') {
		p++
	}
	return p
}

// ends tells whether a number ends before this byte.
func ends(c byte) bool { return c == ',' || c == '}' || c == ' ' || c == '\t' || c == '\r' }

// scanText gives the end of the JSON text at p, -1 if there is none, and whether it
// has escapes.
func scanText(b []byte, p int) (int, bool) {
	if p >= len(b) || b[p] != '"' {
		return -1, false
	}
	escaped := false
	for i := p + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			i++
		case c < 0x20:
			return -1, false
		}
	}
	return -1, false
}

// unquote gives the text inside; false if an escape is none.
func unquote(raw []byte) ([]byte, bool) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, false
	}
	return []byte(s), true
}

// scanValue gives the end of the JSON value at p, -1 if there is none.
func scanValue(b []byte, p int) int {
	if p >= len(b) {
		return -1
	}
	switch b[p] {
	case '"':
		end, escaped := scanText(b, p)
		if escaped && end > 0 && !json.Valid(b[p:end]) {
			return -1
		}
		return end
	case '{', '[':
		depth := 0
		for i := p; i < len(b); i++ {
			switch b[i] {
			case '"':
				end, _ := scanText(b, i)
				if end < 0 {
					return -1
				}
				i = end - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					if !json.Valid(b[p : i+1]) {
						return -1
					}
					return i + 1
				}
			}
		}
		return -1
	}
	for _, word := range []string{"null", "true", "false"} {
		if bytes.HasPrefix(b[p:], []byte(word)) {
			return p + len(word)
		}
	}
	return scanNumber(b, p)
}

// scanNumber gives the end of the JSON number at p, -1 if there is none.
func scanNumber(b []byte, p int) int {
	digits := func() bool {
		from := p
		for p < len(b) && b[p] >= '0' && b[p] <= '9' {
			p++
		}
		return p > from
	}
	if p < len(b) && b[p] == '-' {
		p++
	}
	if zero := p; !digits() || (b[zero] == '0' && p > zero+1) {
		return -1
	}
	if p < len(b) && b[p] == '.' {
		if p++; !digits() {
			return -1
		}
	}
	if p < len(b) && (b[p] == 'e' || b[p] == 'E') {
		if p++; p < len(b) && (b[p] == '-' || b[p] == '+') {
			p++
		}
		if !digits() {
			return -1
		}
	}
	return p
}

// usual tells whether a number is written as we would: without an exponent, needless
// zeros, or the sign of a zero.
func usual(raw []byte) bool {
	if bytes.IndexByte(raw, '.') >= 0 && raw[len(raw)-1] == '0' || string(raw) == "-0" {
		return false
	}
	return bytes.IndexByte(raw, 'e') < 0 && bytes.IndexByte(raw, 'E') < 0
}
