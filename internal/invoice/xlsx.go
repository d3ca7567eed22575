package invoice

import (
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"
)

// XLSX writes a document as a workbook: its lines, and its details. Each amount is in
// the file to the last digit; a spreadsheet computes with fifteen of them.
func XLSX(w io.Writer, d Document, names Names) (err error) {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }() // it holds nothing but memory
	s := sheet{f: f}
	s.open("Invoice", []string{"Line", "Month", "Estimated", "Amount", "Currency"})
	for _, l := range d.Lines {
		s.row(text(l.Label), text(string(l.Month)), text(yes(l.Estimate)), number(l.Amount.Text()), text(string(d.Currency)))
	}
	s.row(text("Net"), text(""), text(""), number(d.Net.Text()), text(string(d.Currency)))
	for _, t := range d.Taxes {
		s.row(text(t.Label), text(""), text(""), number(t.Amount.Text()), text(string(d.Currency)))
	}
	s.row(text("Total"), text(""), text(""), number(d.Total.Text()), text(string(d.Currency)))
	s.open("Details", []string{"Line", "Month", "Provider", "Subscription", "Service", "Region", "Amount", "Currency"})
	for _, l := range d.Lines {
		for _, x := range l.Details {
			name := ""
			if x.Entitlement != "" {
				name = names(x.Entitlement)
			}
			s.row(text(l.Label), text(string(l.Month)), text(name), text(x.Entitlement), text(x.Service), text(x.Region), number(x.Amount.Text()), text(string(d.Currency)))
		}
		if !l.Rounding.IsZero() {
			s.row(text(l.Label), text(string(l.Month)), text(""), text(""), text("Rounding"), text(""), number(l.Rounding.Text()), text(string(d.Currency)))
		}
	}
	if s.err == nil {
		s.err = f.DeleteSheet("Sheet1")
	}
	if s.err != nil {
		return fmt.Errorf("document %s as XLSX: %w", d.Key, s.err)
	}
	return f.Write(w)
}

// A cell is text, never a formula, or a number as it is written.
type cell struct {
	value  string
	number bool
}

func text(s string) cell   { return cell{s, false} }
func number(s string) cell { return cell{s, true} }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// sheet writes rows and keeps the first error.
type sheet struct {
	f    *excelize.File
	name string
	at   int
	err  error
}

func (s *sheet) open(name string, head []string) {
	if s.err != nil {
		return
	}
	s.name, s.at = name, 0
	if _, s.err = s.f.NewSheet(name); s.err != nil {
		return
	}
	cells := make([]cell, len(head))
	for i, h := range head {
		cells[i] = text(h)
	}
	s.row(cells...)
	if s.err == nil {
		s.err = s.f.SetColWidth(name, "A", "H", 24)
	}
}

func (s *sheet) row(cells ...cell) {
	s.at++
	for i, c := range cells {
		if s.err != nil {
			return
		}
		var at string
		if at, s.err = excelize.CoordinatesToCellName(i+1, s.at); s.err != nil {
			return
		}
		if c.number {
			s.err = s.f.SetCellDefault(s.name, at, c.value)
		} else {
			s.err = s.f.SetCellStr(s.name, at, c.value)
		}
	}
}
