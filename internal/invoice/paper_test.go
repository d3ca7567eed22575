package invoice_test

import (
	"bytes"
	"compress/zlib"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"causeway/internal/invoice"
	"causeway/internal/rating"

	"github.com/xuri/excelize/v2"
)

func issued(t *testing.T) invoice.Document {
	t.Helper()
	lines, err := invoice.Lines(invoice.Bill{Month: "2026-01", Estimate: true, Charges: []rating.Charge{
		charge("2026-01-02", "Virtual Machines", "EU West", "1207.4416666666666666666666666666666667", "EUR"), charge("2026-01-31", "=HYPERLINK(1)", "EU West", "3.001", "EUR"),
	}}, labels, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	seller := invoice.Party{Name: "Fourth Coffee Cloud GmbH", Address: []string{"Hafenstraße 1", "20457 Hamburg"}, Country: "DE", VAT: "DE123456789"}
	buyer := invoice.Party{Name: "Ångström & Søn Αθήνα Київ 東京", Address: []string{"Kärntner Ring 7", "1010 Wien"}, Country: "AT", VAT: "ATU12345678"}
	d, err := invoice.Compose(invoice.Document{
		ID: "1", Key: "k", Kind: invoice.Invoice, Account: "CTSE", Period: "2026-01", Currency: "EUR", Seller: seller, Buyer: buyer, CostCenter: "R&D",
	}, lines, "2026-02-08", invoice.StandardTax(seller))
	if err != nil {
		t.Fatal(err)
	}
	d.Status, d.Number, d.IssuedAt, d.DueDay = invoice.Issued, "CW-000123", time.Date(2026, 2, 8, 9, 0, 0, 0, time.UTC), "2026-03-10"
	return d
}

var look = invoice.Look{Product: "Fourth Coffee Cloud", Accent: "#0f6cbd", Contact: "billing@partner.example", Pay: "Please pay to IBAN DE00 0000 0000."}

func name(string) string { return "Production" }

// words reads the text of a PDF back: its streams are compressed, its text is UTF-16.
func words(t *testing.T, pdf []byte) string {
	t.Helper()
	var all strings.Builder
	for part := range bytes.SplitSeq(pdf, []byte("stream\n")) {
		z, err := zlib.NewReader(bytes.NewReader(part))
		if err != nil {
			continue
		}
		b, err := io.ReadAll(z)
		if err != nil || !bytes.Contains(b, []byte(")Tj")) {
			continue
		}
		for rest := b; ; {
			_, after, ok := bytes.Cut(rest, []byte("("))
			if !ok {
				break
			}
			var raw []byte
			i := 0
			for ; i < len(after) && after[i] != ')'; i++ {
				if after[i] == '\\' {
					i++
				}
				raw = append(raw, after[i])
			}
			rest = after[i:]
			var units []uint16
			for j := 0; j+1 < len(raw); j += 2 {
				units = append(units, uint16(raw[j])<<8|uint16(raw[j+1]))
			}
			all.WriteString(string(utf16.Decode(units)) + "\n")
		}
	}
	return all.String()
}

func TestThePDFSaysWhatIsToBePaidAndWhy(t *testing.T) {
	d := issued(t)
	var one, two bytes.Buffer
	for _, b := range []*bytes.Buffer{&one, &two} {
		if err := invoice.PDF(b, d, look, name); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("the same document gives two files")
	}
	text := words(t, one.Bytes())
	for _, want := range []string{
		"Invoice", "CW-000123", "8 February 2026", "10 March 2026", "January 2026", "CTSE", "Integrated Azure Services Usage", "1,210.44", "1,207.4416666666666666666666666666666667",
		"Rounding", "−0.0026666666666666666666666666666667", "Reverse charge", "Production", "Ångström & Søn", "Αθήνα", "Київ", "DE123456789", "ATU12345678", "estimated", "Please pay", "billing@partner.example",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the PDF does not say %q:\n%s", want, text)
		}
	}
	d.Status, d.Number = invoice.Draft, ""
	var draft bytes.Buffer
	if err := invoice.PDF(&draft, d, invoice.Look{}, name); err != nil {
		t.Fatal(err)
	}
	if text := words(t, draft.Bytes()); !strings.Contains(text, "This is a draft") || strings.Contains(text, "Please pay") {
		t.Errorf("a draft says:\n%s", text)
	}
}

func TestALongPDFHasManyPages(t *testing.T) {
	d := issued(t)
	for range 400 {
		d.Lines[0].Details = append(d.Lines[0].Details, d.Lines[0].Details[0])
	}
	var b bytes.Buffer
	if err := invoice.PDF(&b, d, look, func(string) string { return strings.Repeat("A very long name of a provider ", 10) }); err != nil {
		t.Fatal(err)
	}
	if text := words(t, b.Bytes()); !strings.Contains(text, "12 / ") && !strings.Contains(text, "10 / ") || !strings.Contains(text, "…") {
		t.Errorf("400 details fit on too few pages")
	}
}

func TestTheWorkbookHoldsEachAmountToTheLastDigit(t *testing.T) {
	d := issued(t)
	var b bytes.Buffer
	if err := invoice.XLSX(&b, d, name); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := f.GetRows("Details", excelize.Options{RawCellValue: true})
	if err != nil || len(rows) != 4 {
		t.Fatalf("%q (%v)", rows, err)
	}
	if rows[2][2] != "Production" || rows[2][6] != "1207.4416666666666666666666666666666667" || rows[3][4] != "Rounding" {
		t.Errorf("%q", rows)
	}
	if formula, err := f.GetCellFormula("Details", "E2"); err != nil || formula != "" || rows[1][4] != "=HYPERLINK(1)" {
		t.Errorf("the name of a service became the formula %q (%v)", formula, err)
	}
	rows, err = f.GetRows("Invoice", excelize.Options{RawCellValue: true})
	if err != nil || rows[1][3] != "1210.44" || rows[len(rows)-1][0] != "Total" || rows[len(rows)-1][3] != d.Total.Text() {
		t.Errorf("%q (%v)", rows, err)
	}
}
