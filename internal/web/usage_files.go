package web

import (
	"fmt"
	"strconv"
	"strings"

	"causeway/internal/fault"
)

// theBills reads what a file of the dashboard is made of.
func (s *Server) theBills(v *visit) (bills, error) {
	p, ok, err := s.chosen(v)
	if err != nil {
		return bills{}, err
	}
	if !ok {
		return bills{}, fault.New(fault.Invalid, "Which account? Add account= to the address.")
	}
	return s.bills(v, p)
}

// exportMonths: GET /usage/months.csv is the chart of months.
func (s *Server) exportMonths(v *visit) error {
	b, err := s.theBills(v)
	if err != nil {
		return err
	}
	rows, err := b.monthRows()
	if err != nil {
		return err
	}
	out := [][]string{{"month", "invoiced", "usage", "currency", "state", "forecast", "low", "high", "method", "invoices"}}
	for _, r := range rows {
		x := []string{string(r.month), "", "", string(b.Currency), lower(r.state()), "", "", "", "", ""}
		if len(r.docs) > 0 {
			var numbers []string
			for _, d := range r.docs {
				numbers = append(numbers, d.Number)
			}
			x[1], x[9] = r.invoiced.Text(), strings.Join(numbers, " ")
		}
		if r.known != nil {
			x[2] = r.known.Sell.Text()
		}
		if e := b.estimate; e != nil && e.Month == r.month {
			x[5], x[8] = e.End.Text(), string(e.Method)
			if e.Known() {
				x[6], x[7] = e.Low.Text(), e.High.Text()
			}
		}
		out = append(out, x)
	}
	return v.csvFile("usage-"+string(b.Alias)+".csv", out)
}

// exportBreakdown: GET /usage/breakdown.csv is what a month is made of.
func (s *Server) exportBreakdown(v *visit) error {
	b, err := s.theBills(v)
	if err != nil {
		return err
	}
	m, ok := b.months[b.shown]
	out := [][]string{{"month", viewOf(v), "subscription", "records", "amount", "currency"}}
	if ok {
		parts, err := b.cut(m, viewOf(v))
		if err != nil {
			return err
		}
		for _, x := range parts {
			name := x.name
			if x.slice.Day != "" {
				name = string(x.slice.Day)
			}
			out = append(out, []string{string(m.Month), name, x.slice.Entitlement, strconv.FormatInt(x.rows, 10), x.sell.Text(), string(m.Currency)})
		}
	}
	return v.csvFile(fmt.Sprintf("usage-%s-%s-%s.csv", b.Alias, string(b.shown), viewOf(v)), out)
}
