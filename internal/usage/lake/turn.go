package lake

import (
	"cmp"
	"context"
	"slices"

	"causeway/internal/usage"
)

// turn is accounts whose groups are made together, and whose records these may be. A
// whole month does not fit into memory, and DuckDB adds up faster what does.
type turn struct {
	from    []label // snapshots that have records
	owners  owners
	some    map[string]bool // its accounts
	tenants []string        // of whom they pay anything
}

// A turn that has its records (Options.Turn) ends once it reads no more than so many
// times what it needs; where records are scattered over all files that may take long,
// but not longer than up to so many records.
const (
	readMore = 8
	mostRows = 1_000_000
)

// payer is an account that pays from a day to another, both as days since 1970.
type payer struct {
	first, last int32
	account     string
}

// payers says which accounts of the turn pay for a tenant's entitlement.
func (t *turn) payers(of [2]string) []payer {
	var all []payer
	for _, x := range t.owners.spans(of[0], of[1]) {
		if t.some[x.account] {
			all = append(all, payer{epoch(cmp.Or(x.from, firstDay)), epoch(cmp.Or(x.to, lastDay)), x.account})
		}
	}
	return all
}

// epoch is a day as days since 1970.
func epoch(d usage.Day) int32 { return int32(d.Time().Unix() / 86400) } // #nosec G115 -- four digits of a year

// customer is what is known of an account before anything of it is read.
type customer struct {
	account string
	tenants []string
	rows    float64 // about
	first   [2]int  // snapshot and file where its records begin
}

// turns shares the accounts of a query out, those with records in the same files
// together where the query allows it.
func (l *Lake) turns(ctx context.Context, s *session, q usage.Query) ([]turn, error) {
	t := turn{owners: newOwners(q.Owners)}
	for _, id := range slices.Concat(q.Rated, q.Invoiced) {
		x, err := l.label(id)
		if err != nil {
			return nil, err
		}
		if x.Loaded.Rows > 0 {
			t.from = append(t.from, x)
		}
	}
	if tenants, few := payers(q.Owners, q.Accounts); few { // a page about one account needs no plan
		t.tenants, t.some = tenants, setOf(q.Accounts)
		return []turn{t}, nil
	}
	known := make([]map[string]*shelved, len(t.from))
	for i, x := range t.from {
		var err error
		if known[i], err = l.tenants(ctx, s, x.Snapshot.ID); err != nil {
			return nil, err
		}
	}
	var out []turn
	var files map[[2]int]bool
	rows, read := 0.0, 0.0
	for _, c := range l.customers(q, t, known) {
		n := len(out)
		if n == 0 || rows+c.rows > mostRows || len(out[n-1].tenants)+len(c.tenants) > fewTenants || rows >= l.turn && rows*readMore >= read {
			next := t
			next.some, files, rows, read = map[string]bool{}, map[[2]int]bool{}, 0, 0
			out = append(out, next)
		}
		now := &out[len(out)-1]
		now.some[c.account], now.tenants = true, append(now.tenants, c.tenants...)
		rows += c.rows
		for _, tenant := range c.tenants {
			for i, of := range known {
				x := of[tenant]
				if x == nil {
					continue
				}
				for _, part := range x.parts {
					if f := [2]int{i, part}; !files[f] {
						files[f] = true
						read += float64(t.from[i].Loaded.Rows) / float64(len(t.from[i].Snapshot.Files))
					}
				}
			}
		}
	}
	for i := range out {
		slices.Sort(out[i].tenants)
		out[i].tenants = slices.Compact(out[i].tenants)
	}
	return out, nil
}

// customers are the accounts of a query that may have records, in the order of turns.
func (l *Lake) customers(q usage.Query, t turn, known []map[string]*shelved) []customer {
	all, wanted := map[string]*customer{}, setOf(q.Accounts)
	for i, of := range known {
		x := t.from[i].Loaded
		kinds := 0
		for _, s := range of {
			kinds += s.kinds
		}
		for tenant, s := range of {
			rows := float64(x.Rows) * float64(s.kinds) / float64(kinds)
			for _, entitlement := range s.entitlements {
				for _, p := range t.owners.spans(tenant, entitlement) {
					if cmp.Or(p.from, firstDay) > x.Last || cmp.Or(p.to, lastDay) < x.First || len(wanted) > 0 && !wanted[p.account] {
						continue
					}
					c := all[p.account]
					if c == nil {
						c = &customer{account: p.account, first: [2]int{i, s.parts[0]}}
						all[p.account] = c
					}
					if n := len(c.tenants); n == 0 || c.tenants[n-1] != tenant {
						c.tenants, c.rows = append(c.tenants, tenant), c.rows+rows
					}
					if at := [2]int{i, s.parts[0]}; slices.Compare(at[:], c.first[:]) < 0 {
						c.first = at
					}
				}
			}
		}
	}
	out := make([]customer, 0, len(all))
	for _, c := range all {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b customer) int {
		by := 0
		if q.AnyOrder {
			by = slices.Compare(a.first[:], b.first[:])
		}
		return cmp.Or(by, cmp.Compare(a.account, b.account))
	})
	return out
}

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, x := range list {
		set[x] = true
	}
	return set
}
