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

// spot is a record's place and the pair that it is sorted under.
type spot struct {
	lake.Place
	pair uint64
}

// Records gives single records, by day and then as they were received, and where the
// next page begins ("" = that was the last).
func (l *Lake) Records(ctx context.Context, q usage.RecordQuery) ([]usage.Record, string, error) {
	limit := min(max(q.Limit, 1), lake.MostRecords)
	var after lake.Place
	if q.After != "" {
		var err error
		if after, err = lake.PlaceOf(q.After); err != nil {
			return nil, "", err
		}
	}
	var spots []spot
	labels := make([]label, len(q.Snapshots))
	for i, id := range q.Snapshots {
		var err error
		if labels[i], err = l.label(ctx, id); err != nil {
			return nil, "", err
		}
		if labels[i].Loaded.Rows == 0 {
			continue
		}
		found, err := l.spots(ctx, q, i, labels[i], after, limit+1)
		if err != nil {
			return nil, "", err
		}
		spots = append(spots, found...)
	}
	slices.SortFunc(spots, func(a, b spot) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), a.Snapshot-b.Snapshot, a.Part-b.Part, cmp.Compare(a.Line, b.Line))
	})
	next := ""
	if len(spots) > limit {
		spots = spots[:limit]
		next = spots[limit-1].String()
	}
	out := make([]usage.Record, len(spots))
	for i, x := range labels {
		if err := l.proven(ctx, func() error { return l.fetch(ctx, q, x, i, spots, out) }); err != nil {
			return nil, "", err
		}
	}
	return out, next, nil
}

func daysOf(d usage.Day) int64 { return d.Time().Unix() / 86400 }

// spots looks at few columns only: the first places of a snapshot that fit.
func (l *Lake) spots(ctx context.Context, q usage.RecordQuery, n int, x label, after lake.Place, limit int) ([]spot, error) {
	names := lake.NamesOf(x.Snapshot.Feed)
	where := []string{fmt.Sprintf("load = %d", x.load)}
	column := func(name string) string {
		return cmp.Or(name, "''")
	}
	is := func(sql, value string) {
		if value != "" {
			where = append(where, sql+" = "+quote(value))
		}
	}
	if q.Day != "" {
		if err := q.Day.Check(); err != nil {
			return nil, err
		}
		where = append(where, fmt.Sprintf("day = %d", daysOf(q.Day)))
	}
	if q.Month != "" {
		if err := q.Month.Check(); err != nil {
			return nil, err
		}
		where = append(where, fmt.Sprintf("day BETWEEN %d AND %d", daysOf(q.Month.First()), daysOf(q.Month.Last())))
	}
	if q.Entitlement != "" && names.Entitlement == "" {
		return nil, nil
	}
	is(names.Entitlement, q.Entitlement)
	is(column(names.Category), q.Category)
	is("if("+column(names.Region)+" != '', "+column(names.Region)+", "+column(names.Location)+")", q.Region)
	is(column(names.Meter), q.Meter)
	if after.Day != "" {
		day := daysOf(after.Day)
		if n < after.Snapshot {
			where = append(where, fmt.Sprintf("day > %d", day))
		} else if n > after.Snapshot {
			where = append(where, fmt.Sprintf("day >= %d", day))
		} else {
			where = append(where, fmt.Sprintf("(day > %[1]d OR (day = %[1]d AND (part > %[2]d OR (part = %[2]d AND line > %[3]d))))", day, after.Part, after.Line))
		}
	}
	if len(q.Owners) > 0 || q.Account != "" {
		owned, err := l.ownedRecords(ctx, q, x)
		if err != nil || owned == "" {
			return nil, err
		}
		where = append(where, owned)
	}
	r, err := l.read(ctx, fmt.Sprintf("SELECT pair, day, part, line FROM %s WHERE %s ORDER BY day, part, line LIMIT %d", rowsOf(x.Snapshot.Feed), strings.Join(where, " AND "), limit))
	if err != nil {
		return nil, err
	}
	var out []spot
	for r.more() {
		out = append(out, spot{pair: r.uint64(), Place: lake.Place{Snapshot: n, Day: lake.DayOf(r.int32()), Part: int(r.uint32()), Line: r.int64()}})
	}
	if r.broken {
		return nil, errCut
	}
	return out, nil
}

// ownedRecords is the condition that an account pays for a record; "" = for none.
func (l *Lake) ownedRecords(ctx context.Context, q usage.RecordQuery, x label) (string, error) {
	only := ""
	if q.Account != "" { // only tenants that this account pays anything of
		tenants := map[string]bool{}
		for _, o := range q.Owners {
			if o.Account == q.Account {
				tenants[quote(o.Tenant)] = true
			}
		}
		if len(tenants) == 0 {
			return "", nil
		}
		only = " AND tenant IN (" + strings.Join(slices.Sorted(maps.Keys(tenants)), ", ") + ")"
	}
	r, err := l.read(ctx, fmt.Sprintf("SELECT DISTINCT pair, tenant, entitlement FROM %s WHERE load = %d%s ORDER BY pair", kinds, x.load, only))
	if err != nil {
		return "", err
	}
	owners := lake.NewOwners(q.Owners)
	var always, any []string
	for r.more() {
		p, tenant, entitlement := r.uint64(), r.text(), r.text()
		spans := owners.Spans(tenant, entitlement)
		for _, s := range spans {
			switch {
			case s.Account != q.Account:
			case len(spans) == 1:
				always = append(always, strconv.FormatUint(p, 10))
			default:
				any = append(any, fmt.Sprintf("(pair = %d AND day BETWEEN %d AND %d)", p, daysOf(s.From), daysOf(s.To)))
			}
		}
	}
	if r.broken {
		return "", errCut
	}
	if len(always) > 0 {
		any = append(any, "pair IN ("+strings.Join(always, ", ")+")")
	}
	if len(any) == 0 {
		return "", nil
	}
	return "(" + strings.Join(any, " OR ") + ")", nil
}

// fetch reads the columns of the places that are in a snapshot.
func (l *Lake) fetch(ctx context.Context, q usage.RecordQuery, x label, n int, spots []spot, out []usage.Record) error {
	at := map[[2]int64]int{}
	pairs, lines := map[uint64]bool{}, map[int][]string{}
	for i, s := range spots {
		if s.Snapshot == n {
			at[[2]int64{int64(s.Part), s.Line}] = i
			pairs[s.pair] = true
			lines[s.Part] = append(lines[s.Part], strconv.FormatInt(s.Line, 10))
		}
	}
	if len(at) == 0 {
		return nil
	}
	var in, any []string
	for p := range pairs {
		in = append(in, strconv.FormatUint(p, 10))
	}
	for part, list := range lines {
		any = append(any, fmt.Sprintf("(part = %d AND line IN (%s))", part, strings.Join(list, ", ")))
	}
	shown := func(name string) bool { return len(q.Columns) == 0 || slices.Contains(q.Columns, name) }
	fields := lake.Fields(x.Snapshot.Feed)
	columns := []string{"part", "line", "absent"}
	for _, f := range fields {
		if shown(f.Name) {
			columns = append(columns, f.Name)
		}
	}
	r, err := l.read(ctx, fmt.Sprintf("SELECT %s, extra, sent FROM %s WHERE load = %d AND pair IN (%s) AND (%s)",
		strings.Join(columns, ", "), rowsOf(x.Snapshot.Feed), x.load, strings.Join(in, ", "), strings.Join(any, " OR ")))
	if err != nil {
		return err
	}
	for r.more() {
		part, line, absent := int(r.uint32()), r.int64(), r.uint64()
		rec := usage.Record{Snapshot: x.Snapshot.ID, Line: line, Columns: map[string]string{}}
		for i, f := range fields {
			if !shown(f.Name) {
				continue
			}
			var v string
			if f.Type == lake.Decimal {
				v = r.number().Decimal().String()
			} else {
				v = r.text()
			}
			if absent>>i&1 == 0 {
				rec.Columns[f.Name] = v
			}
		}
		for range 2 { // extra and sent
			if members := r.text(); members != "" {
				if err := lake.AddMembers(rec.Columns, []byte(members)); err != nil {
					return fmt.Errorf("snapshot %s, line %d: %w", rec.Snapshot, line, err)
				}
			}
		}
		maps.DeleteFunc(rec.Columns, func(name, _ string) bool { return !shown(name) })
		i, ok := at[[2]int64{int64(part), line}]
		if r.broken || !ok || part >= len(x.Snapshot.Files) {
			return errCut
		}
		delete(at, [2]int64{int64(part), line})
		rec.File = x.Snapshot.Files[part].Name
		out[i] = rec
	}
	if len(at) > 0 {
		return differs("%d records of snapshot %s are missing", len(at), x.Snapshot.ID)
	}
	return nil
}
