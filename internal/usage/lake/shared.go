package lake

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// What follows is for a lake with another engine (package clickhouse): how files are
// read, who pays, and how groups, lines and records are made is the same in both.

// CheckSnapshot refuses what cannot be a snapshot's id: it must be a plain name.
func CheckSnapshot(id string) error {
	if id == "" || !filepath.IsLocal(id) || strings.ContainsAny(id, `/\`) || strings.HasPrefix(id, ".") {
		return fault.New(fault.Invalid, "%q is not the id of a snapshot", id)
	}
	return nil
}

// CheckFeed refuses a snapshot of a feed that we do not know.
func CheckFeed(s usage.Snapshot) error {
	if tables[s.Feed] == nil {
		return fault.New(fault.Invalid, "snapshot %s is of the feed %q, which we do not know", s.ID, s.Feed)
	}
	return nil
}

// Number is exact: DECIMAL(38,18).
type Number = fixed

// NumberOf takes 10^18 times the number, sixteen bytes of two's complement, the
// lowest first.
func NumberOf(b []byte) Number {
	return fixed{int64(binary.LittleEndian.Uint64(b[8:])), binary.LittleEndian.Uint64(b)} // #nosec G115 -- the same bits
}

// Decimal is the number without needless zeros at its end.
func (a fixed) Decimal() decimal.Decimal { return a.decimal() }

// Plus adds; false if the sum has more than 38 digits.
func (a fixed) Plus(b Number) (Number, bool) { return a.plus(b) }

// Cmp orders numbers.
func (a fixed) Cmp(b Number) int { return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo)) }

// Abs is the number without its sign.
func (a fixed) Abs() Number {
	if a.hi < 0 {
		return a.neg()
	}
	return a
}

// Fields are a feed's columns, Text or Decimal, in their order.
func Fields(f usage.Feed) []Column {
	out := make([]Column, len(tables[f].columns))
	for i, c := range tables[f].columns {
		out[i].Name = c.name
		if c.sort == number {
			out[i].Type = Decimal
		}
	}
	return out
}

// Names are what a feed calls the columns that engines look at; "" = it has none.
type Names struct {
	Tenant, Entitlement, Meter, Category, Region, Location string
	Currency, Quantity, Cost                               string
	Price, Effective                                       string // Effective: the price after credits, where no record says what was paid at it
	Paid                                                   string // what Microsoft priced, before currency
}

// NamesOf gives a feed's names.
func NamesOf(f usage.Feed) Names {
	t := tables[f]
	of := func(part int) string {
		if t.key[part] < 0 {
			return ""
		}
		return t.columns[t.key[part]].name
	}
	n := Names{Tenant: of(partTenant), Entitlement: of(partEntitlement), Meter: of(partMeter), Category: of(partCategory), Region: of(partRegion), Location: of(partLocation),
		Currency: t.columns[t.currency].name, Quantity: t.columns[t.quantity].name, Cost: t.columns[t.cost].name, Price: t.columns[t.price].name}
	if t.paid >= 0 {
		n.Paid = t.columns[t.paid].name
	} else {
		n.Effective = t.columns[t.effective].name
	}
	return n
}

// KindColumns are the parts of a rating key without its day and tags, by the names
// that a table of kinds gives them.
var KindColumns = slices.Clone(keyNames[:])

// Segment is a run of decoded rows of one file; it is valid until the function that
// got it returns.
type Segment struct {
	d     *decoder
	file  int
	known int64
	of    []uint32
	kinds [][keyParts]uint32
}

// Lines are the line numbers of the rows.
func (s *Segment) Lines() []int64 { return s.d.lines }

// Day is a row's UTC day, as days since 1970.
func (s *Segment) Day(row int) int32 {
	t := s.d.table
	return int32(uint32(s.d.dicts[t.day].entries[s.d.rows[t.day][row]].num.lo)) // #nosec G115 -- the same bits
}

// Column gives the different values of a column and which of them each row has; nil
// is none. The columns are the feed's fields, then extra (the members that we do not
// know) and sent (the numbers that were not written as we would), both JSON. A number is
// sixteen bytes of DECIMAL(38,18), the lowest first.
func (s *Segment) Column(i int) (values [][]byte, of []uint32) {
	x := &s.d.dicts[i]
	values = make([][]byte, len(x.entries))
	isNumber := i < len(s.d.table.columns) && s.d.table.columns[i].sort == number
	for v := range values {
		switch e := &x.entries[v]; {
		case e.null:
		case isNumber:
			b := make([]byte, 16)
			binary.LittleEndian.PutUint64(b, e.num.lo)
			binary.LittleEndian.PutUint64(b[8:], uint64(e.num.hi)) // #nosec G115 -- the same bits
			values[v] = b
		default:
			values[v] = slices.Clip(x.val(uint32(v))) // #nosec G115 -- an index
			if values[v] == nil {
				values[v] = []byte{}
			}
		}
	}
	return values, s.d.rows[i]
}

// Kind numbers what all rows of a kind have in common, alike in all of a snapshot.
func (s *Segment) Kind(row int) int64 { return s.id(s.of[row]) }

func (s *Segment) id(kind uint32) int64 { return int64(s.file)<<32 | (s.known + int64(kind)) }

// Kinds gives the segment's kinds with their KindColumns.
func (s *Segment) Kinds(each func(id int64, parts [][]byte) error) error {
	parts := make([][]byte, keyParts)
	for k, key := range s.kinds {
		for i, column := range s.d.table.key {
			parts[i] = nil
			if column >= 0 {
				parts[i] = s.d.dicts[column].val(key[i])
			}
		}
		if err := each(s.id(uint32(k)), parts); err != nil { // #nosec G115 -- an index
			return err
		}
	}
	return nil
}

// Part says what a file of a snapshot came to.
type Part struct{ part }

// Decode reads the file number n of a snapshot to its end and gives it in segments.
// What is wrong with it is *usage.Damaged.
func Decode(ctx context.Context, s usage.Snapshot, n int, blobs usage.Blobs, use func(*Segment) error) (Part, error) {
	known := int64(0)
	p, err := decodePart(ctx, n, s, blobs, func(d *decoder) error {
		of, kinds := d.kinds()
		err := use(&Segment{d: d, file: n, known: known, of: of, kinds: kinds})
		known += int64(len(kinds))
		return err
	})
	return Part{p}, err
}

// Sum adds up what the files of a snapshot came to.
func Sum(s usage.Snapshot, parts []Part) (usage.Loaded, error) {
	all := make([]part, len(parts))
	for i, p := range parts {
		all[i] = p.part
	}
	return sumOf(s, all)
}

// DayOf is the day that is n days after 1970 began.
func DayOf(n int32) usage.Day { return day(n) }

// Owners answers who pays for what.
type Owners struct{ owners }

// Span says who pays on the days from From to To, both included.
type Span struct {
	From, To usage.Day // never empty
	Account  string    // "" = nobody
}

// NewOwners takes the owners of a query.
func NewOwners(list []usage.Owner) Owners { return Owners{newOwners(list)} }

// Spans covers all days.
func (o Owners) Spans(tenant, entitlement string) []Span {
	var out []Span
	for _, s := range o.spans(tenant, entitlement) {
		out = append(out, Span{cmp.Or(s.from, firstDay), cmp.Or(s.to, lastDay), s.account})
	}
	return out
}

// Total is what rows of one kind, day, price and tags come to.
type Total struct {
	Kind             int64
	Day              int32 // days since 1970
	Price, Effective Number
	Tags             string // as sent
	Rows             int64
	Quantity, Cost   Number
	Priced           Number // Σ PricingPreTaxTotal; of the reconciliation 0
}

// Adder makes an account's groups of totals.
type Adder struct{ *folding }

// NewAdder makes an adder that looks at these tags.
func NewAdder(tags []string) Adder { return Adder{newFolding(tags, newKinds())} }

// Kind tells of a kind, whose parts are its KindColumns.
func (a Adder) Kind(id int64, parts []string) error {
	var p [keyParts]string
	copy(p[:], parts)
	return a.known.add(id, &p)
}

// Add adds a total to its group.
func (a Adder) Add(x *Total) error {
	return a.add(&total{kind: x.Kind, day: x.Day, price: x.Price, effective: x.Effective, tags: x.Tags, quantity: x.Quantity, cost: x.Cost, priced: x.Priced, rows: x.Rows})
}

// Groups gives the groups in their order.
func (a Adder) Groups() ([]usage.Group, error) { return a.groups() }

// Invoiced is what an engine finds out about a line of the reconciliation, or about
// daily usage that no line has: then Line is 0.
type Invoiced struct {
	Line  int64
	Usage bool
	Day   usage.Day
	Month string

	Plan, Product, SKU, Description, Charge        string
	Tenant, Category, Subcategory, Publisher, Unit string
	Reservation, Invoice, Currency, Pricing        string
	Credit                                         usage.Credit

	Price, Effective, Quantity, Rate decimal.Decimal
	Subtotal, Tax, Total             decimal.Decimal

	DailyRows    int64 // and what the daily records say
	Priced, Cost decimal.Decimal
}

// Make gives the line.
func (x *Invoiced) Make() (usage.Line, error) {
	out := usage.Line{Usage: x.Usage, DailyRows: x.DailyRows}
	key, err := json.Marshal([]string{x.Plan, x.Product, x.SKU, x.Description, x.Charge, x.Price.String(), string(x.Credit), x.Pricing, x.Month})
	if err != nil {
		return out, fmt.Errorf("lake: %w", err)
	}
	billing, err := money.New(one, money.Currency(x.Currency))
	if err != nil {
		return out, fmt.Errorf("lake: line of %s: %w", x.Tenant, err)
	}
	in, err := money.New(one, money.Currency(x.Pricing))
	if err != nil {
		return out, fmt.Errorf("lake: line of %s: %w", x.Tenant, err)
	}
	out.Key = string(key)
	out.Subtotal, out.Tax, out.Total = billing.Times(x.Subtotal), billing.Times(x.Tax), billing.Times(x.Total)
	out.Price, out.Quantity, out.Rate = in.Times(x.Effective), x.Quantity, x.Rate
	out.DailyPriced, out.DailyCost = in.Times(x.Priced), billing.Times(x.Cost)
	g := usage.Group{Key: usage.Key{Tenant: x.Tenant, Day: x.Day, MeterName: x.Description, Category: x.Category, Subcategory: x.Subcategory, Publisher: x.Publisher, ThirdParty: thirdParty(x.Publisher),
		ChargeType: x.Charge, Product: x.Product, SKU: x.SKU, Unit: x.Unit, Reservation: x.Reservation, Credit: x.Credit, Invoice: x.Invoice,
		Currency: money.Currency(x.Currency), PricingCurrency: money.Currency(x.Pricing), Rate: out.Rate}, Quantity: out.Quantity, Cost: out.Subtotal}
	if x.Line > 0 {
		g.Rows = 1
	}
	list := decimal.Zero
	if x.Line > 0 {
		list = x.Price.Mul(g.Quantity)
	}
	g.List, g.PricedList, g.PricedCost = billing.Times(list.Mul(g.Rate)), in.Times(list), out.Price.Times(g.Quantity)
	g.Gross, g.PricedGross = g.Cost, g.PricedCost
	if g.Credit == usage.CreditEarned {
		g.Gross, g.PricedGross = g.List, g.PricedList
	}
	out.Group = g
	return out, nil
}
