package lake

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strings"

	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/shopspring/decimal"
	"golang.org/x/sync/errgroup"
)

// session is one connection with temporary tables of its own.
type session struct {
	*sql.Conn
	temporary bool // it has such tables
}

func (l *Lake) session(ctx context.Context) (*session, func(), error) {
	c, err := l.db.Conn(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("lake: %w", err)
	}
	s := &session{Conn: c}
	return s, func() {
		for _, name := range []string{"totals", "kinds", "usage_kinds"} {
			if !s.temporary {
				break
			}
			_, _ = c.ExecContext(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS temp."+name) // only memory
		}
		_ = c.Close() // back to the pool
	}, nil
}

// run makes a temporary table.
func (s *session) run(ctx context.Context, query string) error {
	s.temporary = true
	if _, err := s.ExecContext(ctx, query); err != nil {
		return fmt.Errorf("lake: %s: %w", strings.Join(strings.Fields(query), " "), err)
	}
	return nil
}

// snapshotBits is how far the number of a snapshot in a query stands before the kind.
const snapshotBits = 52

// files are a snapshot's Parquet files as an argument of read_parquet.
func (l *Lake) files(snapshot, which string) (string, error) {
	dir, err := l.folder(snapshot)
	if err != nil {
		return "", err
	}
	return quote(filepath.Join(dir, "*."+which+".parquet")), nil
}

// sources are the queries over the rows and over the kinds of some tenants: only the
// files are read that have anything of them.
func (l *Lake) sources(ctx context.Context, s *session, from []label, tenants []string, tagged bool) (rows, kinds string, err error) {
	var allRows, allKinds []string
	for n, x := range from {
		table, shift := tables[x.Snapshot.Feed], int64(n)<<snapshotBits
		files, err := l.partsOf(ctx, s, x.Snapshot.ID, tenants, rowsName)
		if err != nil {
			return "", "", err
		}
		if files == "" {
			continue // it has nothing of them
		}
		priced, effective, tags := "PricingPreTaxTotal", "0::DECIMAL(38,18)", "NULL::VARCHAR"
		if x.Snapshot.Feed == usage.Invoiced {
			priced, effective = "0::DECIMAL(38,18)", "EffectiveUnitPrice"
		} else if tagged {
			tags = "Tags"
		}
		allRows = append(allRows, fmt.Sprintf("SELECT kind + %d AS kind, day, UnitPrice AS price, %s AS effective, %s AS tags, %s AS quantity, %s AS cost, %s AS priced FROM read_parquet(%s) WHERE %s",
			shift, effective, tags, table.columns[table.quantity].name, table.columns[table.cost].name, priced, files, among(table.columns[table.key[partTenant]].name, tenants)))
		if files, err = l.partsOf(ctx, s, x.Snapshot.ID, tenants, kindsName); err != nil {
			return "", "", err
		}
		only := among("tenant", tenants)
		if x.Snapshot.Feed == usage.Invoiced { // usage has a meter's description; the rest no daily record has
			only += " AND coalesce(trim(meter_name), '') = ''"
		}
		allKinds = append(allKinds, fmt.Sprintf("SELECT * REPLACE (kind + %d AS kind) FROM read_parquet(%s) WHERE %s", shift, files, only))
	}
	return strings.Join(allRows, " UNION ALL "), strings.Join(allKinds, " UNION ALL "), nil
}

// Groups gives the groups of each account once; "" is suspense. DuckDB adds up by day,
// kind and price; multiplication is left to us, where it is exact. Some accounts are
// read while the groups of those before are made: no more of them is in memory.
func (l *Lake) Groups(ctx context.Context, q usage.Query, each func(account string, groups []usage.Group) error) error {
	s, done, err := l.session(ctx)
	if err != nil {
		return err
	}
	defer done()
	turns, err := l.turns(ctx, s, q)
	if err != nil {
		return err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	ready, failed := make(chan map[string]*folding), make(chan error, 1)
	go func() {
		defer close(ready)
		for _, t := range turns {
			found, err := l.totals(reading, s, q.Tags, t)
			if err != nil {
				failed <- err
				return
			}
			select {
			case ready <- found:
			case <-reading.Done():
				failed <- context.Cause(reading)
				return
			}
		}
		failed <- nil
	}()
	for found := range ready {
		if err == nil {
			if err = give(found, each); err != nil {
				stop()
			}
		}
	}
	return cmp.Or(err, <-failed) // the session is ours again
}

// give makes the groups of accounts, in their order.
func give(found map[string]*folding, each func(string, []usage.Group) error) error {
	for _, account := range slices.Sorted(maps.Keys(found)) {
		groups, err := found[account].groups()
		if err != nil {
			return err
		}
		if err := each(account, groups); err != nil {
			return err
		}
	}
	return nil
}

// groupsAtOnce is how many groups are made of sums by one goroutine.
const groupsAtOnce = 256

// kind is what all rows of a kind have in common.
type kind struct {
	key    usage.Key
	number int  // equal keys have equal numbers
	atPar  bool // its rate is 1
}

// kinds reads kinds into known.
func (s *session) kinds(ctx context.Context, query string, known kinds) error {
	columns := make([]string, keyParts)
	for i, name := range keyNames {
		columns[i] = "coalesce(" + name + ", '')"
	}
	rows, err := s.QueryContext(ctx, "SELECT kind, "+strings.Join(columns, ", ")+" FROM ("+query+")")
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to the end below
	words := map[string]string{}
	var id int64
	var p [keyParts]string
	into := []any{&id}
	for i := range p {
		into = append(into, &p[i])
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("lake: %w", err)
		}
		for i := range p {
			if w, ok := words[p[i]]; ok {
				p[i] = w
			} else {
				words[p[i]] = p[i]
			}
		}
		if err := known.add(id, &p); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return nil
}

// kinds are those that groups are made of.
type kinds struct {
	of      map[int64]*kind
	numbers map[[keyParts]string]int
}

func newKinds() kinds { return kinds{map[int64]*kind{}, map[[keyParts]string]int{}} }

func (x *kinds) add(id int64, p *[keyParts]string) error {
	k := &kind{key: keyOf(p)}
	rate, ok := fixedOf([]byte(p[partRate]))
	if !ok {
		return fmt.Errorf("lake: %q is not a rate", p[partRate])
	}
	k.key.Rate = rate.decimal()
	k.atPar = k.key.Rate.Equal(one)
	same := *p
	same[partRate], same[partPlan], same[partLocation], same[partRegion], same[partCredit] = k.key.Rate.String(), "", "", k.key.Region, string(k.key.Credit)
	if k.number, ok = x.numbers[same]; !ok {
		k.number = len(x.numbers)
		x.numbers[same] = k.number
	}
	x.of[id] = k
	return nil
}

// keyOf makes a rating key of its parts; day, rate and tags come later.
func keyOf(p *[keyParts]string) usage.Key {
	return usage.Key{
		Tenant: p[partTenant], Entitlement: p[partEntitlement], Meter: p[partMeter], MeterName: p[partMeterName], Category: p[partCategory], Subcategory: p[partSubcategory],
		Service: p[partService], Region: cmp.Or(p[partRegion], p[partLocation]), Publisher: p[partPublisher], ThirdParty: thirdParty(p[partPublisher]), ChargeType: p[partChargeType],
		Product: p[partProduct], SKU: p[partSKU], Unit: p[partUnit], Reservation: p[partReservation], Benefit: p[partBenefit], Credit: CreditOf(p[partCredit]),
		Invoice: p[partInvoice], Currency: money.Currency(p[partCurrency]), PricingCurrency: money.Currency(p[partPricing]),
	}
}

// thirdParty tells whether somebody else than Microsoft sells it. Rows without a
// publisher are Microsoft's.
func thirdParty(publisher string) bool {
	p := strings.ToLower(strings.TrimSpace(publisher))
	return p != "" && p != "microsoft" && !strings.HasPrefix(p, "microsoft ")
}

// CreditOf reads CreditType; of the reconciliation, PriceAdjustmentDescription, e.g.
// ["15.0% Partner earned credit for services managed"].
func CreditOf(s string) usage.Credit {
	s = strings.ToLower(s)
	switch {
	case strings.Contains(s, "partner earned credit"):
		return usage.CreditEarned
	case strings.Contains(s, "azure credit"):
		return usage.CreditAzure
	}
	return usage.CreditNone
}

// sums are the totals of a group in the making. What came at the price of the moment
// is added up before it is multiplied.
type sums struct {
	key                    *kind
	day                    usage.Day
	tags                   map[string]string
	rows                   int64
	quantity, cost, priced fixed
	price, effective, at   fixed           // the price of the moment, and how much came at it
	list, exact            decimal.Decimal // of the prices before: at the list, and after credits where no daily record says it
}

// add adds a total; false if a sum has too many digits.
func (x *sums) add(r *total) bool {
	if x.rows > 0 && (r.price != x.price || r.effective != x.effective) {
		x.multiply()
	}
	x.rows, x.price, x.effective = x.rows+r.rows, r.price, r.effective
	var ok [4]bool
	x.quantity, ok[0] = x.quantity.plus(r.quantity)
	x.at, ok[1] = x.at.plus(r.quantity)
	x.cost, ok[2] = x.cost.plus(r.cost)
	x.priced, ok[3] = x.priced.plus(r.priced)
	return ok[0] && ok[1] && ok[2] && ok[3]
}

func (x *sums) multiply() {
	much := x.at.decimal()
	list := x.price.decimal().Mul(much)
	if !x.list.IsZero() {
		list = list.Add(x.list)
	}
	x.list = list
	if x.effective != (fixed{}) {
		x.exact = x.exact.Add(x.effective.decimal().Mul(much))
	}
	x.at = fixed{}
}

// folding adds totals up to groups.
type folding struct {
	known  kinds
	wanted map[string]bool // names of tags
	picked map[string]pick
	days   map[int32]usage.Day
	at     map[folded]int // of all
	all    []sums
}

// folded is what totals have in common that are one group.
type folded struct {
	kind int
	day  int32
	tags string
}

func newFolding(tags []string, known kinds) *folding {
	f := &folding{known: known, wanted: map[string]bool{}, picked: map[string]pick{}, days: map[int32]usage.Day{}, at: map[folded]int{}}
	for _, t := range tags {
		f.wanted[strings.ToLower(t)] = true
	}
	return f
}

func (f *folding) add(r *total) error {
	k := f.known.of[r.kind]
	if k == nil {
		return fmt.Errorf("lake: no kind %d", r.kind)
	}
	var chosen pick
	if r.tags != "" && len(f.wanted) > 0 {
		var ok bool
		if chosen, ok = f.picked[r.tags]; !ok {
			chosen = pickTags(r.tags, f.wanted)
			f.picked[r.tags] = chosen
		}
	}
	p := folded{k.number, r.day, chosen.text}
	i, ok := f.at[p]
	if !ok {
		if f.days[p.day] == "" {
			f.days[p.day] = day(p.day)
		}
		i = len(f.all)
		f.at[p] = i
		f.all = append(f.all, sums{key: k, day: f.days[p.day], tags: chosen.tags})
	}
	if !f.all[i].add(r) {
		return fmt.Errorf("lake: a sum of %s on %s has too many digits", k.key.Tenant, f.days[p.day])
	}
	return nil
}

// groups gives what was added, in its order, and begins anew.
func (f *folding) groups() ([]usage.Group, error) {
	groups := make([]usage.Group, len(f.all))
	var made errgroup.Group
	for from := 0; from < len(f.all); from += groupsAtOnce {
		made.Go(func() (err error) {
			for i := from; i < min(from+groupsAtOnce, len(f.all)) && err == nil; i++ {
				groups[i], err = f.all[i].group()
			}
			return err
		})
	}
	if err := made.Wait(); err != nil {
		return nil, err
	}
	f.all = f.all[:0]
	clear(f.at)
	return usage.Sorted(groups), nil
}

// totalColumns are a total's, as totalOf reads them. What is 0 more often than not, or
// the same as another one, is left out: a number costs more than all else of a row.
const totalColumns = "kind, (day - DATE '1970-01-01')::INTEGER, price, nullif(effective, 0), coalesce(tags, ''), n, quantity, cost, nullif(priced, cost)"

// totals adds up what the accounts of a turn have, so many tenants at a time as can be
// looked for one by one. It needs no table of its own.
func (l *Lake) totals(ctx context.Context, s *session, tags []string, t turn) (map[string]*folding, error) {
	known, found := newKinds(), map[string]*folding{}
	for some := range slices.Chunk(t.tenants, fewTenants) {
		rows, kinds, err := l.sources(ctx, s, t.from, some, len(tags) > 0)
		if err != nil {
			return nil, err
		}
		if rows == "" {
			continue
		}
		if err := s.kinds(ctx, kinds, known); err != nil {
			return nil, err
		}
		query := "SELECT " + totalColumns + " FROM (SELECT kind, day, price, effective, tags, count(*) AS n, sum(quantity) AS quantity, sum(cost) AS cost, sum(priced) AS priced FROM (" + rows + ") GROUP BY ALL)"
		payers := map[[2]string][]payer{}
		if err := s.each(ctx, query, func(v []driver.Value) error {
			r, err := totalOf(v)
			if err != nil {
				return err
			}
			k := known.of[r.kind]
			if k == nil {
				return nil // of the reconciliation: the daily records say more of it
			}
			of := [2]string{k.key.Tenant, k.key.Entitlement}
			who, ok := payers[of]
			if !ok {
				who = t.payers(of)
				payers[of] = who
			}
			i := slices.IndexFunc(who, func(p payer) bool { return p.first <= r.day && r.day <= p.last })
			if i < 0 {
				return nil // another's
			}
			f := found[who[i].account]
			if f == nil {
				f = newFolding(tags, known)
				found[who[i].account] = f
			}
			return f.add(&r)
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// each reads rows without database/sql in between, which takes longer than DuckDB.
func (s *session) each(ctx context.Context, query string, use func([]driver.Value) error) error {
	var failed error
	err := s.Raw(func(c any) (err error) {
		conn, ok := c.(driver.QueryerContext)
		if !ok {
			return fmt.Errorf("the connection is a %T", c)
		}
		rows, err := conn.QueryContext(ctx, query, nil)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		v := make([]driver.Value, len(rows.Columns()))
		for failed == nil {
			if err := rows.Next(v); err != nil {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
			failed = use(v)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return failed
}

// total is a row of the totals.
type total struct {
	kind                                     int64
	day                                      int32
	price, effective, quantity, cost, priced fixed
	tags                                     string
	rows                                     int64
}

func totalOf(v []driver.Value) (total, error) {
	var r total
	var ok [9]bool
	r.kind, ok[0] = v[0].(int64)
	r.day, ok[1] = v[1].(int32)
	r.price, ok[2] = fixedFrom(v[2])
	if ok[3] = v[3] == nil; !ok[3] {
		r.effective, ok[3] = fixedFrom(v[3])
	}
	r.tags, ok[4] = v[4].(string)
	r.rows, ok[5] = v[5].(int64)
	r.quantity, ok[6] = fixedFrom(v[6])
	r.cost, ok[7] = fixedFrom(v[7])
	if ok[8] = v[8] == nil; ok[8] {
		r.priced = r.cost
	} else {
		r.priced, ok[8] = fixedFrom(v[8])
	}
	for i, ok := range ok {
		if !ok {
			return r, fmt.Errorf("lake: column %d of the totals is a %T", i, v[i])
		}
	}
	return r, nil
}

// fixedFrom takes a DECIMAL(38,18); false for anything else.
func fixedFrom(v driver.Value) (fixed, bool) {
	d, ok := v.(duckdb.Decimal)
	if !ok || d.Scale != places {
		return fixed{}, false
	}
	if d.Value.IsInt64() {
		return fixed{d.Value.Int64() >> 63, uint64(d.Value.Int64())}, true // #nosec G115 -- the same bits
	}
	var b [16]byte
	new(big.Int).Abs(d.Value).FillBytes(b[:])
	f := fixed{int64(binary.BigEndian.Uint64(b[:])), binary.BigEndian.Uint64(b[8:])} // #nosec G115 -- below 10^38
	if d.Value.Sign() < 0 {
		f = f.neg()
	}
	return f, true
}

// group makes the group of its sums. What is billed is what is priced times the rate.
func (x *sums) group() (usage.Group, error) {
	k := x.key.key
	k.Day, k.Tags = x.day, x.tags
	x.multiply()
	g := usage.Group{Key: k, Rows: x.rows, Quantity: x.quantity.decimal()}
	list, priced := x.list, x.priced.decimal()
	if !x.key.atPar {
		list = list.Mul(k.Rate)
	}
	if !x.exact.IsZero() {
		priced = priced.Add(x.exact)
	}
	for _, a := range [...]struct {
		to     *money.Amount
		value  decimal.Decimal
		within money.Currency
	}{{&g.List, list, k.Currency}, {&g.Cost, x.cost.decimal(), k.Currency}, {&g.PricedList, x.list, k.PricingCurrency}, {&g.PricedCost, priced, k.PricingCurrency}} {
		var err error
		if *a.to, err = money.Exact(a.value, a.within); err != nil {
			return g, fmt.Errorf("lake: usage of %s: %w", k.Tenant, err)
		}
	}
	g.Gross, g.PricedGross = g.Cost, g.PricedCost
	if k.Credit == usage.CreditEarned {
		g.Gross, g.PricedGross = g.List, g.PricedList
	}
	return g, nil
}

var one = decimal.NewFromInt(1)

// plainOf is a number of DuckDB without needless zeros.
func plainOf(d duckdb.Decimal) decimal.Decimal {
	if f, ok := fixedFrom(d); ok {
		return f.decimal()
	}
	return exact(d)
}

// pick is what price rules see of a row's tags.
type pick struct {
	tags map[string]string
	text string // the same for the same tags
}

// pickTags takes the wanted names of Microsoft's tags, which are a JSON object, now and
// then without its braces. Of two names that differ by case the first in order holds.
// Tags that cannot be read are no tags: no amount depends on them.
func pickTags(text string, wanted map[string]bool) pick {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") {
		text = "{" + text + "}"
	}
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return pick{}
	}
	var p pick
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lower := strings.ToLower(name)
		if !wanted[lower] || all[name] == nil {
			continue
		}
		if _, there := p.tags[lower]; there {
			continue
		}
		if p.tags == nil {
			p.tags = map[string]string{}
		}
		p.tags[lower] = fmt.Sprint(all[name])
	}
	if p.tags != nil {
		b, err := json.Marshal(p.tags) // in order of names
		if err != nil {
			return pick{}
		}
		p.text = string(b)
	}
	return p
}
