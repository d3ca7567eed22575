package partnercenter

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"causeway/internal/azure"
)

// Kinds of document.
const (
	DocumentInvoice    = "invoice"
	DocumentVoid       = "void_note"
	DocumentAdjustment = "adjustment_note"
	DocumentCredit     = "credit_note"
)

// Invoice is a document by which Microsoft bills the partner. Amounts are in
// CurrencyCode; TotalCharges has the tax in it.
// https://learn.microsoft.com/partner-center/developer/invoice-resources
type Invoice struct {
	ID                     string          `json:"id"` // G… of modern commerce, D… of the older one
	InvoiceDate            azure.Time      `json:"invoiceDate"`
	BillingPeriodStartDate azure.Time      `json:"billingPeriodStartDate"`
	BillingPeriodEndDate   azure.Time      `json:"billingPeriodEndDate"`
	TotalCharges           azure.Number    `json:"totalCharges"`
	PaidAmount             azure.Number    `json:"paidAmount"`
	CurrencyCode           string          `json:"currencyCode"`
	CurrencySymbol         string          `json:"currencySymbol"`
	PDFDownloadLink        string          `json:"pdfDownloadLink"` // by id only, for 30 minutes
	TaxReceipts            []TaxReceipt    `json:"taxReceipts"`
	InvoiceDetails         []InvoiceDetail `json:"invoiceDetails"`
	Amendments             []Invoice       `json:"amendments"`
	DocumentType           string          `json:"documentType"`
	AmendsOf               string          `json:"amendsOf"` // the invoice that a note changes
	State                  string          `json:"state"`
	InvoiceType            string          `json:"invoiceType"` // Recurring, OneTime
	Links                  Links           `json:"links"`
}

// TaxReceipt is a document about the tax of an invoice.
type TaxReceipt struct {
	ID   string `json:"id"`
	Link string `json:"taxReceiptPdfDownloadLink"`
}

// InvoiceDetail says what lines an invoice has.
type InvoiceDetail struct {
	InvoiceLineItemType string `json:"invoiceLineItemType"` // usage_line_items, billing_line_items
	BillingProvider     string `json:"billingProvider"`     // azure, office, one_time, …
	Links               Links  `json:"links"`
}

// Number is the id without the prefix that links put before it (OneTime-G000024135).
func (i Invoice) Number() string {
	if _, number, ok := strings.Cut(i.ID, "-"); ok && number != "" {
		return number
	}
	return i.ID
}

// Modern tells whether the invoice is of modern commerce, which Azure plans are.
func (i Invoice) Modern() bool { return strings.HasPrefix(strings.ToUpper(i.Number()), "G") }

// InvoiceSummary is what is owed in one currency.
// https://learn.microsoft.com/partner-center/developer/invoice-resources
type InvoiceSummary struct {
	BalanceAmount            azure.Number `json:"balanceAmount"`
	CurrencyCode             string       `json:"currencyCode"`
	AccountingDate           azure.Time   `json:"accountingDate"`
	FirstInvoiceCreationDate azure.Time   `json:"firstInvoiceCreationDate"`
	LatestInvoiceDate        azure.Time   `json:"latestInvoiceDate"`
	LastPaymentDate          azure.Time   `json:"lastPaymentDate"`
	LastPaymentAmount        azure.Number `json:"lastPaymentAmount"`
}

// Invoices lists all invoices, newest first. The caller may stop at any of them.
// https://learn.microsoft.com/partner-center/developer/get-a-collection-of-invoices
func (c *Client) Invoices(ctx context.Context, pageSize int) iter.Seq2[Invoice, error] {
	q := url.Values{"size": {strconv.Itoa(pageSize)}, "offset": {"0"}}
	return pages[Invoice](ctx, c, azure.AppUser, "invoices", "", "/v1/invoices", q)
}

// Invoice reads one invoice.
// https://learn.microsoft.com/partner-center/developer/get-invoice-by-id
func (c *Client) Invoice(ctx context.Context, id string) (Invoice, error) {
	var out Invoice
	err := c.get(ctx, azure.AppUser, "invoices", "", azure.Path("/v1/invoices/%s", id), nil, &out)
	return out, err
}

// InvoiceSummaries lists what is owed, one summary per billing currency.
// https://learn.microsoft.com/partner-center/developer/get-invoice-summaries
func (c *Client) InvoiceSummaries(ctx context.Context) ([]InvoiceSummary, error) {
	return all(pages[InvoiceSummary](ctx, c, azure.AppUser, "invoices", "", "/v1/invoices/summaries", nil))
}

// InvoiceStatement is the invoice as PDF.
// https://learn.microsoft.com/partner-center/developer/get-invoice-statement
func (c *Client) InvoiceStatement(ctx context.Context, id string) ([]byte, error) {
	var pdf []byte
	_, err := c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: azure.AppUser, Group: "invoices", Method: http.MethodGet,
		Path: azure.Path("/v1/invoices/%s/documents/statement", id), Header: http.Header{"Accept": {"application/pdf"}}, Raw: &pdf,
	})
	return pdf, err
}
