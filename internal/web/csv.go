package web

import (
	"encoding/csv"
	"fmt"

	"github.com/shopspring/decimal"
)

// csvFile answers with a table to keep.
func (v *visit) csvFile(name string, rows [][]string) error {
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename=%q`, name))
	w := csv.NewWriter(v.w)
	for i, r := range rows {
		if i > 0 {
			r = spreadsheet(r)
		}
		if err := w.Write(r); err != nil {
			return ignoreGone(v, err)
		}
	}
	w.Flush()
	return ignoreGone(v, w.Error())
}

// spreadsheet is cells, but lets numbers below zero be numbers.
func spreadsheet(row []string) []string {
	for i, x := range row {
		if _, err := decimal.NewFromString(x); err != nil {
			row[i] = cells(x)[0]
		}
	}
	return row
}
