package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// registerBilling adds what Microsoft bills: Graph's exports and their blobs, Partner
// Center's invoices, usage records and fraud events, price sheets, and their control.
func (s *Server) registerBilling() {
	s.registerExports()
	s.registerBlobs()
	s.registerInvoices()
	s.registerUsage()
	s.registerFraud()
	s.registerPrices()
	s.registerBillingControl()
}

func (s *Server) registerInvoices() {
	pc := servicePartnerCenter
	const root = "/v1/invoices"
	s.on(pc, "GET "+root, needsToken, unlocked, listInvoices, gzipped)
	s.on(pc, "GET "+root+"/summary", needsToken, unlocked, func(c *call) reply { return ok(c.invoiceSummary(c.s.cfg.Partner.Currency)) }, gzipped)
	s.on(pc, "GET "+root+"/summaries", needsUser, unlocked, listSummaries, gzipped)
	s.on(pc, "GET "+root+"/estimates/links", needsToken, unlocked, listEstimateLinks, gzipped)
	s.on(pc, "GET "+root+"/unbilled/lineitems", needsToken, unlocked, unbilledLines, gzipped)
	s.on(pc, "GET "+root+"/{invoice}", needsUser, unlocked, getInvoice)
	s.on(pc, "GET "+root+"/{invoice}/documents/statement", needsUser, unlocked, getStatement)
	s.on(pc, "GET "+root+"/{invoice}/receipts/{receipt}/documents/statement", needsUser, unlocked, getReceipt)
	s.on(pc, "GET "+root+"/{invoice}/lineitems", needsToken, unlocked, billedLines, gzipped)
	s.on(pc, "GET "+root+"/{invoice}/lineitems/{provider}/{type}", needsToken, unlocked, billedLines, gzipped)
}

// invoiceBody is an invoice as Partner Center shows it.
type invoiceBody struct {
	ID         string          `json:"id"`
	Date       string          `json:"invoiceDate"`
	Start      string          `json:"billingPeriodStartDate"`
	End        string          `json:"billingPeriodEndDate"`
	Total      json.Number     `json:"totalCharges"`
	Paid       json.Number     `json:"paidAmount"`
	Currency   string          `json:"currencyCode"`
	Symbol     string          `json:"currencySymbol"`
	PDF        string          `json:"pdfDownloadLink,omitempty"`
	Receipts   []taxReceipt    `json:"taxReceipts,omitempty"`
	Details    []invoiceDetail `json:"invoiceDetails"`
	Document   string          `json:"documentType"`
	Type       string          `json:"invoiceType"`
	Links      *selfLinks      `json:"links"`
	Attributes *attributes     `json:"attributes"`
}

type taxReceipt struct {
	ID  string `json:"id"`
	PDF string `json:"taxReceiptPdfDownloadLink"`
}

type invoiceDetail struct {
	Type       string      `json:"invoiceLineItemType"`
	Provider   string      `json:"billingProvider"`
	Links      *selfLinks  `json:"links"`
	Attributes *attributes `json:"attributes"`
}

var currencySymbols = map[string]string{"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "CAD": "$", "AUD": "$", "CHF": "CHF", "BRL": "R$", "KRW": "₩"}

func (i *billInvoice) body(byID bool) invoiceBody {
	out := invoiceBody{ID: i.number, Date: stamp(i.date), Start: stamp(i.month.start), End: stamp(i.month.end().Add(-time.Second)), Total: json.Number(i.total.String()), Paid: "0",
		Currency: i.currency, Symbol: or(currencySymbols[i.currency], i.currency), Document: "invoice", Type: "OneTime",
		Details: []invoiceDetail{{"billing_line_items", "one_time", self("/invoices/OneTime-" + i.number + "/lineitems/OneTime/BillingLineItems"), &attributes{Type: "InvoiceDetail"}}},
		Links:   self("/invoices/OneTime-" + i.number), Attributes: &attributes{Type: "Invoice"}}
	if byID {
		out.PDF = "/invoices/" + i.number + "/documents/statement"
		if !i.tax.IsZero() {
			out.Receipts = []taxReceipt{{i.receipt, "/invoices/" + i.number + "/receipts/" + i.receipt + "/documents/statement"}}
		}
	}
	return out
}

// issued is a copy of the list of invoices, newest first.
func (b *billing) issued() []*billInvoice {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Clone(b.invoices)
	slices.Reverse(out)
	return out
}

func listInvoices(c *call) reply {
	all := c.s.bill.issued()
	size, from := 200, 0
	for _, p := range []struct {
		name string
		into *int
	}{{"size", &size}, {"offset", &from}} {
		if text := c.query(p.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				return pcError(http.StatusBadRequest, 3000, "Invalid property", p.name)
			}
			*p.into = n
		}
	}
	out := collection[invoiceBody]{Items: []invoiceBody{}, Links: &pageLinks{Self: get(strings.TrimPrefix(c.r.URL.RequestURI(), "/v1"))}, Attributes: collectionAttributes}
	for i := from; i < len(all) && len(out.Items) < size; i++ {
		out.Items = append(out.Items, all[i].body(false))
	}
	if next := from + size; size > 0 && next < len(all) {
		out.Links.Next = get(fmt.Sprintf("/invoices?size=%d&offset=%d", size, next))
	}
	out.Total = len(out.Items)
	return ok(out)
}

// issuedInvoice resolves {invoice}.
func (c *call) issuedInvoice() (*billInvoice, *reply) {
	if i := c.s.bill.invoice(c.param("invoice")); i != nil {
		return i, nil
	}
	r := pcError(http.StatusNotFound, 3000, "The invoice "+c.param("invoice")+" was not found.")
	return nil, &r
}

func getInvoice(c *call) reply {
	i, refusal := c.issuedInvoice()
	if refusal != nil {
		return *refusal
	}
	return ok(i.body(true))
}

// summaryBody is the balance of a currency.
type summaryBody struct {
	Balance    json.Number `json:"balanceAmount"`
	Currency   string      `json:"currencyCode"`
	Symbol     string      `json:"currencySymbol"`
	Accounting string      `json:"accountingDate"`
	First      string      `json:"firstInvoiceCreationDate,omitempty"`
	Latest     string      `json:"latestInvoiceDate,omitempty"`
	Paid       json.Number `json:"lastPaymentAmount"`
	Details    []object    `json:"details"`
	Links      *selfLinks  `json:"links"`
	Attributes *attributes `json:"attributes"`
}

func (c *call) invoiceSummary(currency string) summaryBody {
	out := summaryBody{Currency: currency, Symbol: or(currencySymbols[currency], currency), Accounting: stamp(c.now), Paid: "0", Links: self("/invoices/summary"), Attributes: &attributes{Type: "InvoiceSummary"}}
	balance := decimal.Zero
	for _, i := range c.s.bill.issued() {
		if i.currency != currency {
			continue
		}
		balance = balance.Add(i.total)
		out.First = stamp(i.date)
		out.Latest = or(out.Latest, out.First)
	}
	out.Balance = json.Number(balance.String())
	inner := object{"balanceAmount": out.Balance, "currencyCode": out.Currency, "currencySymbol": out.Symbol, "accountingDate": out.Accounting, "lastPaymentAmount": out.Paid,
		"attributes": &attributes{Type: "InvoiceSummary"}}
	out.Details = []object{{"invoiceType": "one_time", "summary": inner}}
	return out
}

func listSummaries(c *call) reply {
	var out []summaryBody
	for _, i := range c.s.bill.issued() {
		if !slices.ContainsFunc(out, func(s summaryBody) bool { return s.Currency == i.currency }) {
			out = append(out, c.invoiceSummary(i.currency))
		}
	}
	return ok(listing(out))
}

func listEstimateLinks(c *call) reply {
	currency := strings.ToUpper(c.query("currencycode"))
	if currency == "" {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "currencycode")
	}
	var out []object
	for _, period := range []string{"Current", "Previous"} {
		src, v, _ := c.s.bill.unbilled(period, c.now)
		if src == nil || !src.shows(currency, v) {
			continue
		}
		out = append(out, object{"type": "daily_rated_usage", "title": "Daily rated usage", "description": "Estimated daily rated usage", "period": period,
			"link": get("/invoices/unbilled/lineitems?provider=onetime&invoicelineitemtype=usagelineitems&currencycode=" + strings.ToLower(currency) + "&period=" + strings.ToLower(period))})
	}
	return ok(listing(out))
}

func getStatement(c *call) reply {
	i, refusal := c.issuedInvoice()
	if refusal != nil {
		return *refusal
	}
	return pdf("Invoice "+i.number, "Billing period "+i.month.start.Format("2006-01-02")+" to "+i.month.end().AddDate(0, 0, -1).Format("2006-01-02"), "Invoice date "+i.date.Format("2006-01-02"),
		"Bill to "+c.s.cfg.Partner.Name, "Charges "+i.total.Sub(i.tax).StringFixed(cents)+" "+i.currency, "Tax "+i.tax.StringFixed(cents)+" "+i.currency, "Total "+i.total.StringFixed(cents)+" "+i.currency, "Simulated: not a demand for payment")
}

func getReceipt(c *call) reply {
	i, refusal := c.issuedInvoice()
	if refusal != nil {
		return *refusal
	}
	if i.receipt != c.param("receipt") || i.tax.IsZero() {
		return pcError(http.StatusNotFound, 3000, "The receipt "+c.param("receipt")+" was not found.")
	}
	return pdf("Tax receipt "+i.receipt, "Invoice "+i.number, "Tax "+i.tax.StringFixed(cents)+" "+i.currency, "Simulated: not a tax document")
}

// pdf is a page of text, as small as a PDF can be.
func pdf(lines ...string) reply {
	var text bytes.Buffer
	text.WriteString("BT /F1 12 Tf 72 770 Td 18 TL\n")
	escape := strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`)
	for _, l := range lines {
		fmt.Fprintf(&text, "(%s) Tj T*\n", escape.Replace(strings.Map(func(r rune) rune {
			if r > 126 || r < 32 {
				return '?'
			}
			return r
		}, l)))
	}
	text.WriteString("ET")
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >> >> >>",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", text.Len(), text.String()),
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table)
	return reply{status: http.StatusOK, raw: b.Bytes(), header: map[string]string{"Content-Type": "application/pdf"}}
}
