package lake

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/usage"

	"github.com/duckdb/duckdb-go/v2"
)

// MostRecords is the longest page.
const MostRecords = 1000

// Place is where a record is: the order of pages.
type Place struct {
	Day      usage.Day
	Snapshot int // in the query
	Part     int // of the snapshot
	Line     int64
}

func (p Place) String() string {
	return fmt.Sprintf("%s.%d.%d.%d", p.Day, p.Snapshot, p.Part, p.Line)
}

// PlaceOf reads where the page before ended.
func PlaceOf(s string) (Place, error) {
	w := strings.Split(s, ".")
	var p Place
	if len(w) == 4 {
		p.Day = usage.Day(w[0])
		var err1, err2, err3 error
		p.Snapshot, err1 = strconv.Atoi(w[1])
		p.Part, err2 = strconv.Atoi(w[2])
		p.Line, err3 = strconv.ParseInt(w[3], 10, 64)
		if err := cmp.Or(p.Day.Check(), err1, err2, err3); err == nil {
			return p, nil
		}
	}
	return p, fault.Field("after", "It is not the end of a page.", "Give what the page before said, or nothing.")
}

// Records gives single records, by day and then as they were received, and where the
// next page begins ("" = that was the last).
func (l *Lake) Records(ctx context.Context, q usage.RecordQuery) ([]usage.Record, string, error) {
	limit := min(max(q.Limit, 1), MostRecords)
	var after Place
	if q.After != "" {
		var err error
		if after, err = PlaceOf(q.After); err != nil {
			return nil, "", err
		}
	}
	s, done, err := l.session(ctx)
	if err != nil {
		return nil, "", err
	}
	defer done()
	var places []Place
	near := make([]string, len(q.Snapshots)) // what the records of each have in common
	for i, id := range q.Snapshots {
		x, err := l.label(id)
		if err != nil {
			return nil, "", err
		}
		if x.Loaded.Rows == 0 {
			continue
		}
		var found []Place
		if found, near[i], err = l.find(ctx, s, q, i, x, after, limit+1); err != nil {
			return nil, "", err
		}
		places = append(places, found...)
	}
	slices.SortFunc(places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), a.Snapshot-b.Snapshot, a.Part-b.Part, cmp.Compare(a.Line, b.Line))
	})
	next := ""
	if len(places) > limit {
		places = places[:limit]
		next = places[limit-1].String()
	}
	out := make([]usage.Record, len(places))
	for i, id := range q.Snapshots {
		if err := l.fetch(ctx, s, q, id, i, near[i], places, out); err != nil {
			return nil, "", err
		}
	}
	return out, next, nil
}

// find looks at few columns only: the first places of a snapshot that fit, and whose
// records these are, as a condition.
func (l *Lake) find(ctx context.Context, s *session, q usage.RecordQuery, n int, x label, after Place, limit int) (places []Place, near string, err error) {
	t := tables[x.Snapshot.Feed]
	column := func(part int) string {
		if t.key[part] < 0 {
			return "''"
		}
		return "coalesce(" + t.columns[t.key[part]].name + ", '')"
	}
	where := []string{"true"}
	is := func(sql, value string) {
		if value != "" {
			where = append(where, sql+" = "+quote(value))
		}
	}
	if q.Day != "" {
		if err := q.Day.Check(); err != nil {
			return nil, "", err
		}
		where = append(where, "day = DATE "+quote(string(q.Day)))
	}
	if q.Month != "" {
		if err := q.Month.Check(); err != nil {
			return nil, "", err
		}
		where = append(where, fmt.Sprintf("day BETWEEN DATE %s AND DATE %s", quote(string(q.Month.First())), quote(string(q.Month.Last()))))
	}
	if q.Entitlement != "" && t.key[partEntitlement] < 0 {
		return nil, "", nil
	}
	if q.Entitlement != "" {
		is(t.columns[t.key[partEntitlement]].name, q.Entitlement)
	}
	is(column(partCategory), q.Category)
	is("coalesce(nullif("+column(partRegion)+", ''), "+column(partLocation)+")", q.Region)
	is(column(partMeter), q.Meter)
	if after.Day != "" {
		where = append(where, fmt.Sprintf("(day > DATE %[1]s OR (day = DATE %[1]s AND (%[2]d, kind >> 32, line) > (%[3]d, %[4]d, %[5]d)))", quote(string(after.Day)), n, after.Snapshot, after.Part, after.Line))
	}
	files, err := l.files(x.Snapshot.ID, "rows")
	if err != nil {
		return nil, "", err
	}
	if len(q.Owners) > 0 || q.Account != "" {
		owned, tenants, err := l.owned(ctx, s, q, x.Snapshot.ID, column)
		if err != nil || owned == "" {
			return nil, "", err
		}
		where = append(where, owned)
		if len(tenants) <= fewTenants {
			near = " AND " + among(t.columns[t.key[partTenant]].name, tenants)
			if files, err = l.partsOf(ctx, s, x.Snapshot.ID, tenants, rowsName); err != nil {
				return nil, "", err
			}
		}
	}
	rows, err := s.QueryContext(ctx, fmt.Sprintf(`SELECT day, (kind >> 32)::INTEGER AS part, line FROM read_parquet(%s) WHERE %s ORDER BY day, part, line LIMIT %d`, files, strings.Join(where, " AND "), limit))
	if err != nil {
		return nil, "", fmt.Errorf("lake: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to the end below
	for rows.Next() {
		p := Place{Snapshot: n}
		var d sql.NullTime
		if err := rows.Scan(&d, &p.Part, &p.Line); err != nil {
			return nil, "", fmt.Errorf("lake: %w", err)
		}
		p.Day = usage.DayOf(d.Time)
		places = append(places, p)
	}
	return places, near, rows.Err()
}

// owned is the condition that an account pays for a record, and whose tenants' records
// these are; "" = for none.
func (l *Lake) owned(ctx context.Context, s *session, q usage.RecordQuery, snapshot string, column func(int) string) (string, []string, error) {
	o := newOwners(q.Owners)
	known, err := l.tenants(ctx, s, snapshot)
	if err != nil {
		return "", nil, err
	}
	all := slices.Sorted(maps.Keys(known))
	if q.Account != "" { // only tenants that this account pays anything of
		all, _ = payers(q.Owners, []string{q.Account})
	}
	var tenants, any []string
	whole := true // all that these tenants have at any time
	for _, tenant := range all {
		of := known[tenant]
		if of == nil {
			continue
		}
		for _, entitlement := range of.entitlements {
			for _, p := range o.spans(tenant, entitlement) {
				if p.account != q.Account {
					whole = whole && !during(q, p)
					continue
				}
				tenants = append(tenants, tenant)
				any = append(any, fmt.Sprintf("(%s, %s, DATE %s, DATE %s)", quote(tenant), quote(entitlement), quote(string(cmp.Or(p.from, firstDay))), quote(string(cmp.Or(p.to, lastDay)))))
			}
		}
	}
	if len(any) == 0 {
		return "", nil, nil
	}
	tenants = slices.Compact(tenants)
	if whole {
		return among("CustomerId", tenants), tenants, nil
	}
	return fmt.Sprintf(`%s AND EXISTS (FROM (VALUES %s) o(tenant, entitlement, first, last) WHERE o.tenant = %s AND o.entitlement = %s AND day BETWEEN o.first AND o.last)`,
		among("CustomerId", tenants), strings.Join(any, ", "), column(partTenant), column(partEntitlement)), tenants, nil
}

// during tells whether a span has days that are asked for.
func during(q usage.RecordQuery, p span) bool {
	first, last := firstDay, lastDay
	if q.Month != "" {
		first, last = q.Month.First(), q.Month.Last()
	}
	if q.Day != "" {
		first, last = max(first, q.Day), min(last, q.Day)
	}
	return cmp.Or(p.from, firstDay) <= last && cmp.Or(p.to, lastDay) >= first
}

// fetch reads the wanted columns of the places that are in a snapshot. Each column is
// unpacked as a whole, so that few of them come in a fraction of the time; where they are
// near each other, little of it.
func (l *Lake) fetch(ctx context.Context, s *session, q usage.RecordQuery, id string, n int, near string, places []Place, out []usage.Record) error {
	dir, err := l.folder(id)
	if err != nil {
		return err
	}
	x, err := l.label(id)
	if err != nil {
		return err
	}
	columns := "*"
	if len(q.Columns) > 0 {
		columns = "file, line, sent"
		for _, c := range tables[x.Snapshot.Feed].columns {
			if slices.Contains(q.Columns, c.name) {
				columns += ", " + c.name
			}
		}
	}
	at := map[[2]int64]int{}
	lines := map[int][]string{}
	for i, p := range places {
		if p.Snapshot == n {
			at[[2]int64{int64(p.Part), p.Line}] = i
			lines[p.Part] = append(lines[p.Part], strconv.FormatInt(p.Line, 10))
		}
	}
	for part, list := range lines {
		query := fmt.Sprintf("SELECT %s FROM read_parquet(%s) WHERE line IN (%s)%s", columns, quote(filepath.Join(dir, rowsName(part))), strings.Join(list, ", "), near)
		if err := s.records(ctx, id, query, func(r usage.Record) { out[at[[2]int64{int64(part), r.Line}]] = r }); err != nil {
			return fmt.Errorf("lake: %w", err)
		}
	}
	return nil
}

func (s *session) records(ctx context.Context, id, query string, use func(usage.Record)) error {
	rows, err := s.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // read to the end below
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		r, err := recordOf(id, names, values)
		if err != nil {
			return err
		}
		use(r)
	}
	return rows.Err()
}

// recordOf gives a row's columns as they were sent; what was not there is not in it.
func recordOf(snapshot string, names []string, values []any) (usage.Record, error) {
	r := usage.Record{Snapshot: snapshot, Columns: map[string]string{}}
	for i, name := range names {
		switch v := values[i].(type) {
		case nil:
		case duckdb.Decimal:
			r.Columns[name] = plainOf(v).String()
		case string:
			switch name {
			case "file":
				r.File = v
			case "extra", "sent":
				if err := AddMembers(r.Columns, []byte(v)); err != nil {
					return r, err
				}
			default:
				r.Columns[name] = v
			}
		case int64:
			if name == "line" {
				r.Line = v
			}
		}
	}
	return r, nil
}

// AddMembers adds the members of a JSON object: text without quotes, the rest as sent.
func AddMembers(to map[string]string, object []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return err
	}
	for member, raw := range members {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			s = string(raw)
		}
		to[member] = s
	}
	return nil
}
