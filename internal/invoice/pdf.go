package invoice

import (
	_ "embed" // the font
	"fmt"
	"io"
	"strconv"
	"strings"

	"causeway/internal/money"

	"codeberg.org/go-pdf/fpdf"
)

// Inter, under the SIL Open Font License (font/LICENSE). It has Latin, Greek and
// Cyrillic letters; others are shown as an empty box.
var (
	//go:embed font/Inter-Regular.ttf
	regular []byte
	//go:embed font/Inter-SemiBold.ttf
	semiBold []byte
)

// Look is what the brand gives to a document.
type Look struct {
	Product string // at the top, "" = the seller's name
	Accent  string // #rrggbb
	Contact string // whom to ask, e.g. a mail address
	Pay     string // how to pay, e.g. a bank account; "" = nothing is said
}

// Names are those that a customer knows: of the provider behind a subscription.
type Names func(entitlement string) string

const (
	left, right, top = 20.0, 190.0, 18.0 // millimetres on A4
	lineHeight       = 5.2
)

// PDF writes a document as the customer gets it: a page that says what is to be paid,
// and below it each line with its details and its rounding. The same document gives
// the same bytes at any time.
func PDF(w io.Writer, d Document, look Look, names Names) error {
	p := paper{fpdf.New("P", "mm", "A4", ""), d, look, names}
	p.SetCreationDate(d.IssuedAt)
	p.SetModificationDate(d.IssuedAt)
	p.SetCatalogSort(true)
	p.SetTitle(p.title()+" "+d.Number, true)
	p.SetAuthor(d.Seller.Name, true)
	p.SetLang("en")
	p.AddUTF8FontFromBytes("inter", "", regular)
	p.AddUTF8FontFromBytes("inter", "B", semiBold)
	p.SetMargins(left, top, 210-right)
	p.SetAutoPageBreak(true, 26)
	p.SetCellMargin(0)
	p.AliasNbPages("{pages}")
	p.SetFooterFunc(p.footer)
	p.AddPage()
	p.head()
	p.summary()
	p.details()
	if err := p.Error(); err != nil {
		return fmt.Errorf("document %s as PDF: %w", d.Key, err)
	}
	return p.Output(w)
}

type paper struct {
	*fpdf.Fpdf
	d     Document
	look  Look
	names Names
}

func (p paper) title() string {
	if p.d.Status == Draft {
		return "Draft of an invoice"
	}
	switch p.d.Kind {
	case CreditNote:
		return "Credit note"
	case Settlement:
		return "Settlement"
	}
	return "Invoice"
}

func (p paper) ink(bold bool, size float64, grey int) {
	style := ""
	if bold {
		style = "B"
	}
	p.SetFont("inter", style, size)
	p.SetTextColor(grey, grey, grey)
}

// accent is the brand's colour; black if it is none.
func (p paper) accent() (r, g, b int) {
	v, err := strconv.ParseUint(strings.TrimPrefix(p.look.Accent, "#"), 16, 24)
	if err != nil || len(p.look.Accent) != 7 {
		return 20, 20, 20
	}
	return int(v >> 16), int(v >> 8 & 255), int(v & 255)
}

func (p paper) head() {
	name := p.look.Product
	if name == "" {
		name = p.d.Seller.Name
	}
	r, g, b := p.accent()
	p.SetFillColor(r, g, b)
	p.Rect(0, 0, 210, 3, "F")
	p.ink(true, 13, 20)
	p.CellFormat(90, 8, name, "", 0, "L", false, 0, "")
	p.ink(true, 18, 20)
	p.CellFormat(0, 8, p.title(), "", 1, "R", false, 0, "")
	p.Ln(10)

	y := p.GetY()
	p.ink(false, 7.5, 120)
	p.CellFormat(90, 4.5, "Billed to", "", 1, "L", false, 0, "")
	p.ink(true, 10, 20)
	p.MultiCell(85, lineHeight, p.d.Buyer.Name, "", "L", false)
	p.ink(false, 9.5, 40)
	lines := append([]string(nil), p.d.Buyer.Address...)
	if p.d.Buyer.VAT != "" {
		lines = append(lines, "VAT "+p.d.Buyer.VAT)
	}
	for _, l := range lines {
		p.MultiCell(85, lineHeight, l, "", "L", false)
	}
	end := p.GetY()

	p.SetY(y)
	fact := func(name, value string) {
		if value == "" {
			return
		}
		p.SetX(115)
		p.ink(false, 9, 120)
		p.CellFormat(32, lineHeight, name, "", 0, "L", false, 0, "")
		p.ink(false, 9, 20)
		p.CellFormat(0, lineHeight, value, "", 1, "R", false, 0, "")
	}
	fact("Number", p.d.Number)
	if !p.d.IssuedAt.IsZero() {
		fact("Date", p.d.IssuedAt.UTC().Format("2 January 2006"))
	}
	if p.d.DueDay != "" && p.d.Total.Sign() > 0 {
		fact("To be paid by", p.d.DueDay.Time().Format("2 January 2006"))
	}
	fact("Month", p.d.Period.String())
	fact("Account", p.d.Account)
	fact("Cost center", p.d.CostCenter)
	if p.d.OfNumber != "" {
		fact("Takes back", p.d.OfNumber)
	}
	p.SetY(max(end, p.GetY()) + 9)
	if p.d.Reason != "" {
		p.ink(false, 9.5, 40)
		p.MultiCell(0, lineHeight, "Reason: "+p.d.Reason, "", "L", false)
		p.Ln(3)
	}
}

// rule draws a hairline at the present height.
func (p paper) rule(grey int) {
	p.SetDrawColor(grey, grey, grey)
	p.SetLineWidth(0.2)
	p.Line(left, p.GetY(), right, p.GetY())
}

// amount is a number for the eye: the currency's own decimals and all that are there.
func amount(a money.Amount) string {
	return strings.TrimSuffix(a.String(), " "+string(a.Currency()))
}

func (p paper) row(name, note, value string) {
	p.ink(false, 10, 20)
	p.CellFormat(95, 7.5, name, "", 0, "L", false, 0, "")
	p.ink(false, 9, 110)
	p.CellFormat(40, 7.5, note, "", 0, "L", false, 0, "")
	p.ink(false, 10, 20)
	p.CellFormat(0, 7.5, value, "", 1, "R", false, 0, "")
}

func (p paper) summary() {
	p.ink(false, 8, 120)
	p.CellFormat(95, 6, "What", "", 0, "L", false, 0, "")
	p.CellFormat(40, 6, "Month of the service", "", 0, "L", false, 0, "")
	p.CellFormat(0, 6, "Amount in "+string(p.d.Currency), "", 1, "R", false, 0, "")
	p.rule(160)
	for _, l := range p.d.Lines {
		month := l.Month.String()
		if l.Estimate {
			month += ", estimated"
		}
		p.row(p.cut(l.Label, 95, 10), month, amount(l.Amount))
		p.rule(225)
	}
	p.Ln(2)
	sum := func(name string, a money.Amount, bold bool) {
		size := 10.0
		if bold {
			size = 12
		}
		p.ink(bold, size, 20)
		p.SetX(95)
		p.CellFormat(60, 7, name, "", 0, "L", false, 0, "")
		p.CellFormat(0, 7, amount(a), "", 1, "R", false, 0, "")
	}
	sum("Net", p.d.Net, false)
	for _, t := range p.d.Taxes {
		sum(p.cut(t.Label, 58, 10), t.Amount, false)
	}
	p.Ln(1)
	p.SetX(95)
	p.SetDrawColor(20, 20, 20)
	p.Line(95, p.GetY(), right, p.GetY())
	p.Ln(1)
	sum("Total in "+string(p.d.Currency), p.d.Total, true)
	p.Ln(6)
	p.ink(false, 9, 60)
	notes := append([]string(nil), p.d.Notes...)
	if p.d.Status == Draft {
		notes = append(notes, "This is a draft. It may still change and is not to be paid.")
	}
	for _, l := range p.d.Lines {
		if l.Estimate {
			notes = append(notes, "Estimated lines are made from what Microsoft has recorded so far. The difference to its final invoice is billed or credited as soon as it is known.")
			break
		}
	}
	if p.look.Pay != "" && p.d.Total.Sign() > 0 && p.d.Status != Draft {
		notes = append(notes, p.look.Pay)
	}
	if p.look.Contact != "" {
		notes = append(notes, "Questions: "+p.look.Contact)
	}
	for _, n := range notes {
		p.MultiCell(0, 4.8, n, "", "L", false)
		p.Ln(1.5)
	}
}

// details shows where each line comes from, on pages of its own.
func (p paper) details() {
	p.AddPage()
	p.ink(true, 13, 20)
	p.CellFormat(0, 8, "Details", "", 1, "L", false, 0, "")
	p.ink(false, 9, 90)
	p.MultiCell(0, 4.8, "Details are not rounded; each line is rounded once, and the rounding is shown. Together they are the line.", "", "L", false)
	for _, l := range p.d.Lines {
		p.Ln(5)
		if p.GetY() > 255 {
			p.AddPage()
		}
		p.ink(true, 10, 20)
		p.CellFormat(110, 7, p.cut(l.Label, 108, 10), "", 0, "L", false, 0, "")
		p.ink(false, 9, 110)
		p.CellFormat(0, 7, l.Month.String(), "", 1, "R", false, 0, "")
		p.rule(160)
		for _, x := range l.Details {
			p.ink(false, 8.5, 40)
			p.CellFormat(55, lineHeight, p.cut(p.who(x.Entitlement), 53, 8.5), "", 0, "L", false, 0, "")
			p.CellFormat(55, lineHeight, p.cut(x.Service, 53, 8.5), "", 0, "L", false, 0, "")
			p.CellFormat(28, lineHeight, p.cut(x.Region, 26, 8.5), "", 0, "L", false, 0, "")
			p.exact(x.Amount)
		}
		if !l.Rounding.IsZero() {
			p.ink(false, 8.5, 110)
			p.CellFormat(138, lineHeight, "Rounding", "", 0, "L", false, 0, "")
			p.exact(l.Rounding)
		}
		p.rule(225)
		p.ink(true, 9, 20)
		p.CellFormat(138, 6, "On the invoice", "", 0, "L", false, 0, "")
		p.CellFormat(0, 6, amount(l.Amount), "", 1, "R", false, 0, "")
	}
}

// exact writes every digit there is, smaller where there are many: a price times a
// quantity times a rate has forty.
func (p paper) exact(a money.Amount) {
	s := amount(a)
	for size := 8.5; size > 4 && p.GetStringWidth(s) > right-p.GetX(); size -= 0.5 {
		p.SetFontSize(size)
	}
	p.CellFormat(0, lineHeight, s, "", 1, "R", false, 0, "")
}

// who names a subscription as the customer knows it.
func (p paper) who(entitlement string) string {
	if entitlement == "" {
		return "—"
	}
	if name := p.names(entitlement); name != "" {
		return name
	}
	return entitlement
}

// cut shortens a text to a width, since a cell does not.
func (p paper) cut(s string, width, size float64) string {
	p.SetFontSize(size)
	if p.GetStringWidth(s) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 1 && p.GetStringWidth(string(r)+"…") > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

func (p paper) footer() {
	p.SetY(-18)
	p.rule(225)
	p.Ln(1.5)
	p.ink(false, 7.5, 120)
	seller := append([]string{p.d.Seller.Name}, p.d.Seller.Address...)
	if p.d.Seller.VAT != "" {
		seller = append(seller, "VAT "+p.d.Seller.VAT)
	}
	p.CellFormat(130, 4, p.cut(strings.Join(seller, " · "), 128, 7.5), "", 0, "L", false, 0, "")
	p.CellFormat(27, 4, p.d.Number, "", 0, "R", false, 0, "")
	p.CellFormat(4, 4, "", "", 0, "L", false, 0, "")
	p.CellFormat(0, 4, fmt.Sprintf("%d / {pages}", p.PageNo()), "", 1, "L", false, 0, "") // not to the right: the alias is longer than what replaces it
}
