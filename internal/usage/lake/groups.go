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
		for _, name := range []string{"totals", "ranges", "spans", "kinds", "usage_kinds"} {
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

// load appends rows to a temporary table.
func (s *session) load(name string, rows func(add func(...driver.Value) error) error) error {
	err := s.Raw(func(c any) error {
		conn, ok := c.(driver.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", c)
		}
		a, err := duckdb.NewAppender(conn, "temp", "main", name)
		if err != nil {
			return err
		}
		err = rows(func(v ...driver.Value) error { return a.AppendRow(v...) })
		return errors.Join(err, a.Close())
	})
	if err != nil {
		return fmt.Errorf("lake: table %s: %w", name, err)
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

// sources are the queries over the rows and over the kinds of a query's snapshots. Of
// few accounts only the files are read that have anything of their tenants.
func (l *Lake) sources(ctx context.Context, s *session, q usage.Query) (rows, kinds string, few bool, err error) {
	var allRows, allKinds []string
	tenants, few := payers(q.Owners, q.Accounts)
	files := func(id, which string, name func(int) string) (string, error) {
		if few {
			return l.partsOf(ctx, s, id, tenants, name)
		}
		return l.files(id, which)
	}
	n := 0
	for _, feed := range []usage.Feed{usage.Rated, usage.Invoiced} {
		list := q.Rated
		if feed == usage.Invoiced {
			list = q.Invoiced
		}
		for _, id := range list {
			x, err := l.label(id)
			if err != nil {
				return "", "", few, err
			}
			if x.Loaded.Rows == 0 {
				continue
			}
			t, shift := tables[feed], int64(n)<<snapshotBits
			n++
			from, err := files(id, "rows", rowsName)
			if err != nil {
				return "", "", few, err
			}
			if from == "" {
				continue // it has nothing of them
			}
			only, onlyKinds := "", "true"
			if few {
				only, onlyKinds = " WHERE "+among(t.columns[t.key[partTenant]].name, tenants), among("tenant", tenants)
			}
			priced, effective, tags := "PricingPreTaxTotal", "0::DECIMAL(38,18)", "NULL::VARCHAR"
			if feed == usage.Invoiced {
				priced, effective = "0::DECIMAL(38,18)", "EffectiveUnitPrice"
			} else if len(q.Tags) > 0 {
				tags = "Tags"
			}
			allRows = append(allRows, fmt.Sprintf("SELECT kind + %d AS kind, day, UnitPrice AS price, %s AS effective, %s AS tags, %s AS quantity, %s AS cost, %s AS priced FROM read_parquet(%s)%s",
				shift, effective, tags, t.columns[t.quantity].name, t.columns[t.cost].name, priced, from, only))
			if from, err = files(id, "kinds", kindsName); err != nil {
				return "", "", few, err
			}
			if feed == usage.Invoiced { // usage has a meter's description; the rest no daily record has
				onlyKinds += " AND coalesce(trim(meter_name), '') = ''"
			}
			allKinds = append(allKinds, fmt.Sprintf("SELECT * REPLACE (kind + %d AS kind), %t AS invoiced FROM read_parquet(%s) WHERE %s", shift, feed == usage.Invoiced, from, onlyKinds))
		}
	}
	return strings.Join(allRows, " UNION ALL "), strings.Join(allKinds, " UNION ALL "), few, nil
}

// Groups gives the groups of each account once, accounts in order; "" is suspense.
// DuckDB adds up by day, kind, price and account; multiplication is left to us, where
// it is exact. Only one account's groups are in memory.
func (l *Lake) Groups(ctx context.Context, q usage.Query, each func(account string, groups []usage.Group) error) error {
	s, done, err := l.session(ctx)
	if err != nil {
		return err
	}
	defer done()
	rows, kinds, few, err := l.sources(ctx, s, q)
	if err != nil || rows == "" {
		return err
	}
	if few {
		return l.few(ctx, s, q, rows, kinds, each)
	}
	accounts, err := s.owned(ctx, kinds, q)
	if err != nil {
		return err
	}
	if err := s.run(ctx, `CREATE TEMP TABLE totals AS
		SELECT p.account, r.kind, r.day, r.price, r.effective, r.tags, count(*) AS n, sum(r.quantity) AS quantity, sum(r.cost) AS cost, sum(r.priced) AS priced
		FROM (`+rows+`) r JOIN ranges p ON p.kind = r.kind AND r.day BETWEEN p.first AND p.last GROUP BY ALL`); err != nil {
		return err
	}
	return s.read(ctx, q, accounts, each)
}

// addedUp is the query for the totals of rows.
func addedUp(rows string) string {
	return "SELECT kind, day, price, effective, tags, count(*) AS n, sum(quantity) AS quantity, sum(cost) AS cost, sum(priced) AS priced FROM (" + rows + ") GROUP BY ALL"
}

// owned finds who pays for each kind on which days, and numbers the accounts in order.
func (s *session) owned(ctx context.Context, kinds string, q usage.Query) ([]string, error) {
	if err := s.run(ctx, `CREATE TEMP TABLE kinds AS `+kinds); err != nil {
		return nil, err
	}
	if err := s.run(ctx, `CREATE TEMP TABLE spans (tenant VARCHAR, entitlement VARCHAR, first DATE, last DATE, account INTEGER)`); err != nil {
		return nil, err
	}
	pairs, err := s.QueryContext(ctx, `SELECT DISTINCT coalesce(tenant, ''), coalesce(entitlement, '') FROM kinds`)
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	defer func() { _ = pairs.Close() }() // read to the end below
	o := newOwners(q.Owners)
	type piece struct {
		tenant, entitlement string
		span
	}
	var pieces []piece
	numbers := map[string]int{}
	for pairs.Next() {
		var p piece
		if err := pairs.Scan(&p.tenant, &p.entitlement); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
		for _, p.span = range o.spans(p.tenant, p.entitlement) {
			if len(q.Accounts) == 0 || slices.Contains(q.Accounts, p.account) {
				pieces = append(pieces, p)
				numbers[p.account] = 0
			}
		}
	}
	if err := pairs.Err(); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	accounts := slices.Sorted(maps.Keys(numbers))
	for i, a := range accounts {
		numbers[a] = i
	}
	err = s.load("spans", func(add func(...driver.Value) error) error {
		for _, p := range pieces {
			from, to := cmp.Or(p.from, firstDay), cmp.Or(p.to, lastDay)
			if err := add(p.tenant, p.entitlement, from.Time(), to.Time(), int32(numbers[p.account])); err != nil { // #nosec G115 -- an index
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return accounts, s.run(ctx, `CREATE TEMP TABLE ranges AS SELECT k.kind, s.first, s.last, s.account FROM kinds k
		JOIN spans s ON s.tenant = coalesce(k.tenant, '') AND s.entitlement = coalesce(k.entitlement, '')`)
}

// read goes through two streams in the order of accounts: the kinds that an account
// has, and its totals.
func (s *session) read(ctx context.Context, q usage.Query, accounts []string, each func(string, []usage.Group) error) error {
	// A second connection would not see temporary tables; so the streams are read in turn.
	columns := kindColumns()
	stops, err := s.stops(ctx)
	if err != nil {
		return err
	}
	from := 0
	for _, to := range stops {
		known, err := s.kinds(ctx, fmt.Sprintf("SELECT k.kind, k.invoiced, %s FROM kinds k WHERE k.kind IN (SELECT kind FROM ranges WHERE account >= %d AND account < %d)", columns, from, to))
		if err != nil {
			return err
		}
		if err := s.totals(ctx, q, known, from, to, func(account int, groups []usage.Group) error {
			return each(accounts[account], groups)
		}); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// groupsAtOnce is how many groups are made of sums by one goroutine.
const groupsAtOnce = 256

// inMemory is about how many totals are read at once.
const inMemory = 100_000

// stops cuts the accounts into spans that have about as many totals as are read at
// once: each span ends before the account that its stop names.
func (s *session) stops(ctx context.Context) (stops []int, err error) {
	rows, err := s.QueryContext(ctx, `SELECT account, count(*) FROM totals GROUP BY account ORDER BY account`)
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to the end below
	var account, n, sum int
	for rows.Next() {
		if err := rows.Scan(&account, &n); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
		if sum > 0 && sum+n > inMemory {
			stops, sum = append(stops, account), 0
		}
		sum += n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	if sum > 0 {
		stops = append(stops, account+1)
	}
	return stops, nil
}

// kind is what all rows of a kind have in common.
type kind struct {
	key    usage.Key
	number int  // equal keys have equal numbers
	atPar  bool // its rate is 1
}

// kindColumns are a kind's parts, as kinds reads them after its number and its feed.
func kindColumns() string {
	columns := make([]string, keyParts)
	for i, name := range keyNames {
		columns[i] = "coalesce(k." + name + ", '')"
	}
	return strings.Join(columns, ", ")
}

func (s *session) kinds(ctx context.Context, query string) (kinds, error) {
	out, words := newKinds(), map[string]string{}
	rows, err := s.QueryContext(ctx, query)
	if err != nil {
		return out, fmt.Errorf("lake: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to the end below
	var id int64
	var invoiced bool
	var p [keyParts + 1]string
	into := []any{&id, &invoiced}
	for i := range keyParts {
		into = append(into, &p[i])
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return out, fmt.Errorf("lake: %w", err)
		}
		for i := range p {
			if w, ok := words[p[i]]; ok {
				p[i] = w
			} else {
				words[p[i]] = p[i]
			}
		}
		if err := out.add(id, &p); err != nil {
			return out, err
		}
	}
	if err := rows.Err(); err != nil {
		return out, fmt.Errorf("lake: %w", err)
	}
	return out, nil
}

// kinds are those that groups are made of.
type kinds struct {
	of      map[int64]*kind
	numbers map[[keyParts + 1]string]int
}

func newKinds() kinds { return kinds{map[int64]*kind{}, map[[keyParts + 1]string]int{}} }

func (x *kinds) add(id int64, p *[keyParts + 1]string) error {
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
func keyOf(p *[keyParts + 1]string) usage.Key {
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

// totalColumns are a total's, as totalOf reads them after the account.
const totalColumns = "kind, (day - DATE '1970-01-01')::INTEGER, price, effective, coalesce(tags, ''), n, quantity, cost, priced"

func (s *session) totals(ctx context.Context, q usage.Query, known kinds, from, to int, each func(int, []usage.Group) error) error {
	f, now := newFolding(q.Tags, known), 0
	flush := func() error {
		if len(f.all) == 0 {
			return nil
		}
		groups, err := f.groups()
		if err != nil {
			return err
		}
		return each(now, groups)
	}
	err := s.each(ctx, fmt.Sprintf("SELECT account, %s FROM totals WHERE account >= %d AND account < %d ORDER BY account", totalColumns, from, to), func(v []driver.Value) error {
		r, err := totalOf(v)
		if err != nil {
			return err
		}
		if account := int(r.account); account != now {
			if err := flush(); err != nil {
				return err
			}
			now = account
		}
		return f.add(&r)
	})
	if err != nil {
		return err
	}
	return flush()
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
	account                                  int32
	kind                                     int64
	day                                      int32
	price, effective, quantity, cost, priced fixed
	tags                                     string
	rows                                     int64
}

func totalOf(v []driver.Value) (total, error) {
	var r total
	var ok [10]bool
	r.account, ok[0] = v[0].(int32)
	r.kind, ok[1] = v[1].(int64)
	r.day, ok[2] = v[2].(int32)
	r.price, ok[3] = fixedFrom(v[3])
	r.effective, ok[4] = fixedFrom(v[4])
	r.tags, ok[5] = v[5].(string)
	r.rows, ok[6] = v[6].(int64)
	r.quantity, ok[7] = fixedFrom(v[7])
	r.cost, ok[8] = fixedFrom(v[8])
	r.priced, ok[9] = fixedFrom(v[9])
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
