package provider_test

import (
	"fmt"
	"testing"

	"causeway/internal/provider"
)

func TestEveryDayHasExactlyOnePayer(t *testing.T) {
	a := func(from, to provider.Day) provider.Association {
		return provider.Association{From: from, To: to, Confirmed: true}
	}
	tests := []struct {
		says        string
		all         []provider.Association
		gaps, twice string
	}{
		{"one payer since the birth", []provider.Association{a("2026-11-01", "")}, "[]", "[]"},
		{"since before the birth", []provider.Association{a("2026-10-01", "")}, "[]", "[]"},
		{"a change at midnight", []provider.Association{a("2026-11-01", "2026-11-10"), a("2026-11-11", "")}, "[]", "[]"},
		{"nobody at all", nil, "[{2026-11-01 2026-11-20}]", "[]"},
		{"a day between two", []provider.Association{a("2026-11-01", "2026-11-09"), a("2026-11-11", "")}, "[{2026-11-10 2026-11-10}]", "[]"},
		{"late", []provider.Association{a("2026-11-03", "")}, "[{2026-11-01 2026-11-02}]", "[]"},
		{"ended", []provider.Association{a("2026-11-01", "2026-11-15")}, "[{2026-11-16 2026-11-20}]", "[]"},
		{"two at once", []provider.Association{a("2026-11-01", "2026-11-12"), a("2026-11-11", "")}, "[]", "[{2026-11-11 2026-11-12}]"},
		{"one inside another", []provider.Association{a("2026-11-01", ""), a("2026-11-05", "2026-11-06")}, "[]", "[{2026-11-05 2026-11-06}]"},
		{"one that was taken back on its first day", []provider.Association{a("2026-11-05", ""), a("2026-11-01", "2026-11-04"), a("2026-11-05", "2026-11-04")}, "[]", "[]"},
		{"only intended", []provider.Association{{From: "2026-11-01"}}, "[{2026-11-01 2026-11-20}]", "[]"},
		{"another's", []provider.Association{{Entitlement: "x", From: "2026-11-01", Confirmed: true}}, "[{2026-11-01 2026-11-20}]", "[]"},
	}
	for _, test := range tests {
		gaps, twice := provider.Unpaid(test.all, "", "2026-11-01", "2026-11-20")
		if fmt.Sprint(gaps) != test.gaps || fmt.Sprint(twice) != test.twice {
			t.Errorf("%s: gaps %v, twice %v; want %s, %s", test.says, gaps, twice, test.gaps, test.twice)
		}
	}
}
