package web

import (
	"fmt"
	"strconv"
	"time"

	"causeway/internal/price"
	"causeway/internal/usage"
)

// exportLists: GET /staff/prices/list.csv is every version of every price list.
func (s *Server) exportLists(v *visit) error {
	versions, err := s.Prices.Lists(v.ctx(), v.me)
	if err != nil {
		return err
	}
	out := [][]string{{"list", "version", "state", "from", "currency", "rules", "fees", "hash", "note", "changed_at"}}
	for _, x := range versions {
		out = append(out, []string{
			x.List.ID, strconv.FormatInt(x.List.Version, 10), string(x.State), string(x.From), string(x.List.Currency), strconv.Itoa(len(x.List.Rules)), strconv.Itoa(len(x.List.Fees)),
			x.Hash, x.Note, x.ChangedAt.UTC().Format(time.RFC3339),
		})
	}
	return v.csvFile("price-lists.csv", out)
}

// exportRules: GET /staff/prices/{list}/rules.csv?kind= is the rules, fees and lines of
// its newest version, or those of a kind, in the words of the page.
func (s *Server) exportRules(v *visit) error {
	newest, err := s.newestPrices(v)
	if err != nil {
		return err
	}
	out := [][]string{{"list", "version", "kind", "name", "note", "for", "price"}}
	for _, r := range partRows(newest.List) {
		if kind := v.form("kind"); kind != "" && kind != r.kind {
			continue
		}
		out = append(out, []string{newest.List.ID, strconv.FormatInt(newest.List.Version, 10), partNames[r.kind], r.name, r.note, r.match, r.price})
	}
	return v.csvFile("rules-"+newest.List.ID+".csv", out)
}

func (s *Server) newestPrices(v *visit) (price.Version, error) {
	versions, err := s.Prices.Versions(v.ctx(), v.me, v.r.PathValue("list"))
	if err != nil {
		return price.Version{}, err
	}
	return base(versions), nil
}

// exportLab: GET /staff/prices/{list}/lab.csv?months=&of=below is what the lab found: each
// account, or what would be sold below its cost.
func (s *Server) exportLab(v *visit) error {
	newest, err := s.newestPrices(v)
	if err != nil {
		return err
	}
	l := newest.List
	now, n := usage.MonthOf(v.now), v.labMonths()
	if s.Records == nil {
		return v.csvFile("lab-"+l.ID+".csv", [][]string{{"list"}})
	}
	lab, _, err := s.replay(v, l, now.Add(-n), now.Add(-1))
	if err != nil {
		return err
	}
	head := []string{l.ID, strconv.FormatInt(l.Version, 10), string(now.Add(-n)), string(now.Add(-1))}
	if v.form("of") == "below" {
		out := [][]string{{"list", "version", "first_month", "last_month", "meter", "name", "rule", "cost", "sell", "currency"}}
		for _, x := range lab.Below {
			out = append(out, append(head[:4:4], x.Meter, x.Name, x.Rule, x.Cost.Text(), x.Sell.Text(), string(l.Currency)))
		}
		return v.csvFile(fmt.Sprintf("lab-%s-below-cost.csv", l.ID), out)
	}
	out := [][]string{{"list", "version", "first_month", "last_month", "account", "paid", "would_pay", "change", "left_before", "left_after", "currency"}}
	for _, r := range lab.Rows {
		out = append(out, append(head[:4:4], r.Account, r.Old.Text(), r.Draft.Text(), r.More.Text(), r.OldMargin.Text(), r.DraftMargin.Text(), string(l.Currency)))
	}
	return v.csvFile("lab-"+l.ID+".csv", out)
}
