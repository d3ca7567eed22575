package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/usage"
	"causeway/internal/usage/lake"
)

// kindsAtOnce is of how many kinds the totals are read at once: some 100,000 totals.
const kindsAtOnce = 4_000

// numberBits is how far the number of a load in a query stands before the kind.
const numberBits = 52

// source is a load in a query.
type source struct {
	load     uint64
	feed     usage.Feed
	rows     int64
	number   int64
	onlyThat string // a condition on its kinds
}

func (l *Lake) sources(ctx context.Context, q usage.Query) ([]source, error) {
	var out []source
	for _, feed := range []usage.Feed{usage.Rated, usage.Invoiced} {
		list, only := q.Rated, "1"
		if feed == usage.Invoiced { // usage has a meter's description; the rest no daily record has
			list, only = q.Invoiced, "match(meter_name, '^ *$')"
		}
		for _, id := range list {
			x, err := l.label(ctx, id)
			if err != nil {
				return nil, err
			}
			if x.Loaded.Rows > 0 {
				out = append(out, source{x.load, feed, x.Loaded.Rows, int64(len(out)), only})
			}
		}
	}
	return out, nil
}

// owned is what an account pays for: at most the records of these pairs.
type owned struct {
	pairs []pair
	kinds uint64
}

type pair struct {
	source int
	number uint64
}

// Groups gives the groups of each account once, accounts in order; "" is suspense. The
// cluster adds up by kind, day and tags; multiplication is left to us, where it is
// exact. Only some accounts' groups are in memory.
func (l *Lake) Groups(ctx context.Context, q usage.Query, each func(account string, groups []usage.Group) error) error {
	sources, err := l.sources(ctx, q)
	if err != nil || len(sources) == 0 {
		return err
	}
	owners := lake.NewOwners(q.Owners)
	accounts := map[string]*owned{}
	for i := range sources {
		if err := l.proven(ctx, func() error { return l.owned(ctx, sources, i, owners, q.Accounts, accounts) }); err != nil {
			return err
		}
	}
	names := slices.Sorted(maps.Keys(accounts))
	for from := 0; from < len(names); {
		to, some := from, uint64(0)
		for ; to < len(names) && (to == from || some+accounts[names[to]].kinds <= l.atOnce); to++ {
			some += accounts[names[to]].kinds
		}
		b := batch{owners: owners, accounts: map[string][]lake.Total{}}
		for _, name := range names[from:to] {
			b.accounts[name] = nil
			b.pairs = append(b.pairs, accounts[name].pairs...)
		}
		if err := l.totals(ctx, sources, &b, len(q.Tags) > 0); err != nil {
			return err
		}
		for _, name := range names[from:to] {
			groups, err := b.groups(name, q.Tags)
			if err != nil {
				return err
			}
			if len(groups) == 0 {
				continue
			}
			if err := each(name, groups); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// owned finds which account may have which pairs of a load.
func (l *Lake) owned(ctx context.Context, sources []source, n int, owners lake.Owners, only []string, accounts map[string]*owned) error {
	s := sources[n]
	r, err := l.read(ctx, fmt.Sprintf("SELECT pair, tenant, entitlement, countIf(%s), sum(rows) FROM %s WHERE load = %d GROUP BY pair, tenant, entitlement", s.onlyThat, kinds, s.load))
	if err != nil {
		return err
	}
	type found struct {
		account string
		pair    uint64
		kinds   uint64
	}
	var all []found
	rows := int64(0)
	for r.more() {
		p, tenant, entitlement, kinds := r.uint64(), r.text(), r.text(), r.uint64()
		rows += r.int64()
		if kinds == 0 {
			continue
		}
		for _, span := range owners.Spans(tenant, entitlement) {
			if len(only) == 0 || slices.Contains(only, span.Account) {
				all = append(all, found{span.Account, p, kinds})
			}
		}
	}
	if r.broken || rows != s.rows {
		return differs("kinds of %d rows of load %d, which has %d", rows, s.load, s.rows)
	}
	for _, f := range all {
		a := accounts[f.account]
		if a == nil {
			a = &owned{}
			accounts[f.account] = a
		}
		a.pairs, a.kinds = append(a.pairs, pair{n, f.pair}), a.kinds+f.kinds
	}
	return nil
}

// batch is some accounts with all that is theirs.
type batch struct {
	owners   lake.Owners
	pairs    []pair
	accounts map[string][]lake.Total
	kinds    map[int64]known
}

// known is a kind.
type known struct {
	parts            []string
	price, effective lake.Number
}

func pairsOf(list []pair, source int) string {
	numbers := map[uint64]bool{}
	for _, p := range list {
		if p.source == source {
			numbers[p.number] = true
		}
	}
	var out []string
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		out = append(out, strconv.FormatUint(n, 10))
	}
	return strings.Join(out, ",")
}

// totals reads the kinds and totals of a batch.
func (l *Lake) totals(ctx context.Context, sources []source, b *batch, tags bool) error {
	b.kinds = map[int64]known{}
	for i, s := range sources {
		in := pairsOf(b.pairs, i)
		if in == "" {
			continue
		}
		var all []lake.Total
		if err := l.proven(ctx, func() (err error) {
			all, err = l.totalsOf(ctx, s, in, tags, b.kinds)
			return err
		}); err != nil {
			return err
		}
		type who struct {
			tenant, entitlement string
		}
		spans := map[who][]lake.Span{}
		for _, t := range all {
			k := b.kinds[t.Kind].parts
			of := who{k[0], k[1]}
			if spans[of] == nil {
				spans[of] = b.owners.Spans(k[0], k[1])
			}
			day := lake.DayOf(t.Day)
			for _, x := range spans[of] {
				if x.From <= day && day <= x.To {
					if list, ours := b.accounts[x.Account]; ours {
						b.accounts[x.Account] = append(list, t)
					}
				}
			}
		}
	}
	return nil
}

// totalsOf reads the totals of some pairs of a load, and proves by the kinds that no
// row is missing and none is there twice.
func (l *Lake) totalsOf(ctx context.Context, s source, pairs string, tags bool, all map[int64]known) ([]lake.Total, error) {
	where := fmt.Sprintf("WHERE load = %d AND pair IN (%s)", s.load, pairs)
	r, err := l.read(ctx, "SELECT kind, rows, price, effective, "+strings.Join(lake.KindColumns, ", ")+" FROM "+kinds+" "+where+" AND "+s.onlyThat)
	if err != nil {
		return nil, err
	}
	left, words := map[int64]int64{}, map[string]string{}
	for r.more() {
		id := s.number<<numberBits | r.int64()
		left[id] += r.int64()
		price, effective := r.number(), r.number()
		parts := make([]string, len(lake.KindColumns))
		for i := range parts {
			w := r.text()
			if _, ok := words[w]; !ok {
				words[w] = w
			}
			parts[i] = words[w]
		}
		all[id] = known{parts, price, effective}
	}
	n := lake.NamesOf(s.feed)
	paid, tag := n.Paid, "''"
	if s.feed == usage.Invoiced {
		paid = "toDecimal128('0', 18)"
		where += " AND match(MeterDescription, '^ *$')"
	} else if tags {
		tag = "Tags"
	}
	if r.broken {
		return nil, errCut
	}
	r, err = l.read(ctx, fmt.Sprintf("SELECT kind, day, %s AS tag, count(), sum(%s), sum(%s), sum(%s) FROM %s %s GROUP BY kind, day, tag",
		tag, n.Quantity, n.Cost, paid, rowsOf(s.feed), where))
	if err != nil {
		return nil, err
	}
	var out []lake.Total
	for r.more() {
		var t lake.Total
		t.Kind, t.Day, t.Tags, t.Rows = s.number<<numberBits|r.int64(), r.int32(), r.text(), r.int64()
		t.Price, t.Effective = all[t.Kind].price, all[t.Kind].effective
		t.Quantity, t.Cost, t.Priced = r.number(), r.number(), r.number()
		left[t.Kind] -= t.Rows
		out = append(out, t)
	}
	if r.broken {
		return nil, errCut
	}
	for id, n := range left {
		if n != 0 {
			return nil, differs("kind %d of load %d lacks %d rows", id, s.load, n)
		}
	}
	return out, nil
}

// groups makes the groups of one of the batch's accounts.
func (b *batch) groups(account string, tags []string) ([]usage.Group, error) {
	list := b.accounts[account]
	slices.SortFunc(list, func(x, y lake.Total) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Day, y.Day), x.Price.Cmp(y.Price), x.Effective.Cmp(y.Effective), cmp.Compare(x.Tags, y.Tags))
	})
	a := lake.NewAdder(tags)
	last := int64(-1)
	for i := range list {
		if k := list[i].Kind; k != last {
			last = k
			if err := a.Kind(k, b.kinds[k].parts); err != nil {
				return nil, err
			}
		}
		if err := a.Add(&list[i]); err != nil {
			return nil, err
		}
	}
	return a.Groups()
}
