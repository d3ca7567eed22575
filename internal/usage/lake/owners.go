package lake

import (
	"cmp"
	"slices"

	"causeway/internal/usage"
)

// span says who pays for a tenant's subscription, or for what it has besides, on the
// days from and to, both included.
type span struct {
	from, to usage.Day // "" = open
	account  string
}

// owners answers who pays. Of two owners of the same the later one holds: that is the
// one with the later first day.
type owners struct {
	of map[[2]string][]usage.Owner // by tenant and entitlement, "" for the tenant's own
}

func newOwners(list []usage.Owner) owners {
	o := owners{of: map[[2]string][]usage.Owner{}}
	for _, x := range list {
		k := [2]string{x.Tenant, x.Entitlement}
		o.of[k] = append(o.of[k], x)
	}
	for _, all := range o.of {
		slices.SortStableFunc(all, func(a, b usage.Owner) int {
			return cmp.Or(cmp.Compare(b.From, a.From), cmp.Compare(a.Account, b.Account))
		})
	}
	return o
}

// on is who pays for a day; "" is nobody.
func (o owners) on(tenant, entitlement string, d usage.Day) string {
	lists := [][]usage.Owner{nil, o.of[[2]string{tenant, ""}]}
	if entitlement != "" {
		lists[0] = o.of[[2]string{tenant, entitlement}]
	}
	for _, list := range lists {
		for _, x := range list {
			if x.From <= d && (x.To == "" || d <= x.To) {
				return x.Account
			}
		}
	}
	return ""
}

// spans cut time where another account begins to pay; together they cover all days.
func (o owners) spans(tenant, entitlement string) []span {
	var turns []usage.Day
	for _, list := range [][]usage.Owner{o.of[[2]string{tenant, entitlement}], o.of[[2]string{tenant, ""}]} {
		for _, x := range list {
			if x.From != "" {
				turns = append(turns, x.From)
			}
			if x.To != "" {
				turns = append(turns, x.To.Add(1))
			}
		}
	}
	slices.Sort(turns)
	turns = slices.Compact(turns)
	out := []span{{account: o.on(tenant, entitlement, firstDay)}}
	for _, d := range turns {
		if account := o.on(tenant, entitlement, d); account != out[len(out)-1].account {
			out[len(out)-1].to = d.Add(-1)
			out = append(out, span{from: d, account: account})
		}
	}
	return out
}

// Days before and after all usage, for an open beginning and end.
const (
	firstDay usage.Day = "0001-01-01"
	lastDay  usage.Day = "9999-12-31"
)
