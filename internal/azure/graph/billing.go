package graph

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"causeway/internal/azure"
	"causeway/internal/fault"
)

// Report is one of the exports of what a partner is billed.
// https://learn.microsoft.com/graph/api/resources/partners-billing-api-overview
type Report string

// The exports: daily rated usage, and all charges of an invoice (reconciliation).
const (
	UsageBilled            Report = "usage/billed"
	UsageUnbilled          Report = "usage/unbilled"
	ReconciliationBilled   Report = "reconciliation/billed"
	ReconciliationUnbilled Report = "reconciliation/unbilled"
)

// Billing periods of unbilled exports.
const (
	PeriodCurrent = "current"
	PeriodLast    = "last" // empty once that month is billed
)

// ExportRequest says which data. Billed reports take the invoice, unbilled ones
// currency and period.
type ExportRequest struct {
	InvoiceID     string `json:"invoiceId,omitempty"`
	CurrencyCode  string `json:"currencyCode,omitempty"`
	BillingPeriod string `json:"billingPeriod,omitempty"`
	AttributeSet  string `json:"attributeSet,omitempty"` // full, basic
}

// What an export can come to, beside Unavailable: errors.Is finds them.
var (
	// ErrGone: operation or files are dead; ask for the export anew.
	ErrGone = errors.New("the export is gone and has to be asked for anew")
	// ErrNoData: an unknown invoice, or a month without charges. It is no outage.
	ErrNoData = errors.New("there is no data for this export")
	// ErrExpired: the signature of the files is used up; read the manifest again.
	ErrExpired = errors.New("the signature of the export's files has expired")
)

// ExportFailed is an operation that ended without a result. Asking it again says
// the same; a new export may work, and is Unavailable until then.
type ExportFailed struct{ Code, Message string }

// codeNoData is the code of a failed operation whose month or invoice has nothing.
const codeNoData = "5000"

func (e *ExportFailed) Error() string {
	return fmt.Sprintf("Microsoft's export failed: %s %s", e.Code, e.Message)
}

// Unwrap tells what to do.
func (e *ExportFailed) Unwrap() error {
	if e.Code == codeNoData {
		return ErrNoData
	}
	return fault.New(fault.Unavailable, "Microsoft's export failed (%s).", e.Code)
}

// ExportOperation is an export as it goes.
type ExportOperation struct {
	ID       string
	Running  bool
	After    time.Duration // while it runs: when to ask again, 0 = not said
	Manifest Manifest      // when it is done
}

// Manifest says where the files of an export are.
// https://learn.microsoft.com/graph/api/resources/partners-billing-manifest
type Manifest struct {
	ID              string         `json:"id"`
	SchemaVersion   string         `json:"schemaVersion"`
	DataFormat      string         `json:"dataFormat"` // compressedJSON, compressedJSONLines
	CreatedDateTime azure.Time     `json:"createdDateTime"`
	ETag            string         `json:"eTag"` // another one means that data changed
	PartnerTenantID string         `json:"partnerTenantId"`
	RootDirectory   string         `json:"rootDirectory"`
	SASToken        azure.Secret   `json:"sasToken"` // lives about 12 hours
	PartitionType   string         `json:"partitionType"`
	BlobCount       azure.Int      `json:"blobCount"` // not to be relied on
	Blobs           []ManifestBlob `json:"blobs"`
}

// ManifestBlob is one file.
type ManifestBlob struct {
	Name           string     `json:"name"`
	PartitionValue azure.Text `json:"partitionValue"`
}

// FormatLines is the format of files that are gzip of JSON lines.
const FormatLines = "compressedJSONLines"

const billing = "/v1.0/reports/partners/billing"

func (c *Client) billing(ctx context.Context, request azure.RequestID, method, path string, in, out any) (azure.Answer, error) {
	return c.pipe.Do(ctx, azure.Call{
		Service: azure.Graph, As: azure.AppUser, Group: "billing", Method: method, Path: path, Request: request, In: in, Out: out, Empty: out == nil,
	})
}

// StartExport asks for an export and gives the id of its operation. It changes
// nothing at Microsoft: asking twice makes two operations of the same data. An
// invoice that Microsoft does not know is ErrNoData.
// https://learn.microsoft.com/graph/api/partners-billing-billedusage-export
// https://learn.microsoft.com/graph/api/partners-billing-unbilledusage-export
// https://learn.microsoft.com/graph/api/partners-billing-billedreconciliation-export
// https://learn.microsoft.com/graph/api/partners-billing-unbilledreconciliation-export
func (c *Client) StartExport(ctx context.Context, request azure.RequestID, r Report, in ExportRequest) (string, error) {
	a, err := c.billing(ctx, request, http.MethodPost, billing+"/"+string(r)+"/export", in, nil)
	switch {
	case azure.IsNotFound(err):
		return "", fmt.Errorf("export %s: %w (%w)", r, ErrNoData, err)
	case err != nil:
		return "", fmt.Errorf("export %s: %w", r, err)
	}
	to := a.Header.Get("Location")
	_, id, ok := strings.Cut(to, "/operations/")
	if id = strings.Trim(id, "/"); !ok || id == "" {
		return "", fault.New(fault.Unavailable, "Microsoft Graph accepted the export %s and did not say where to ask for it.", r)
	}
	return id, nil
}

// ExportOperation reads how far an export is, with its manifest when it is done;
// each reading signs the way to the files anew. ErrGone, ErrNoData and
// *ExportFailed are its other ends.
// https://learn.microsoft.com/graph/api/partners-billing-operation-get
func (c *Client) ExportOperation(ctx context.Context, id string) (ExportOperation, error) {
	var body struct {
		Type     string `json:"@odata.type"`
		ID       string `json:"id"`
		Status   string `json:"status"`
		Error    struct{ Code, Message azure.Text }
		Manifest *Manifest `json:"resourceLocation"`
		Link     string    `json:"resourceLocation@odata.navigationLink"`
	}
	a, err := c.billing(ctx, "", http.MethodGet, azure.Path(billing+"/operations/%s", id), nil, &body)
	if err != nil {
		return ExportOperation{}, fmt.Errorf("read the export: %w", gone(err))
	}
	out := ExportOperation{ID: body.ID}
	switch kind := body.Type[strings.LastIndex(body.Type, ".")+1:]; {
	case azure.SameWord(kind, "runningOperation"):
		out.Running, out.After = true, a.RetryAfter
		return out, nil
	case azure.SameWord(kind, "failedOperation"):
		return out, &ExportFailed{string(body.Error.Code), string(body.Error.Message)}
	case !azure.SameWord(kind, "exportSuccessOperation"):
		return out, fault.New(fault.Unavailable, "Microsoft Graph tells of an export in a way that is not known: %q, %q.", body.Type, body.Status)
	case body.Manifest != nil:
		out.Manifest = *body.Manifest
		return out, nil
	}
	if _, err := c.billing(ctx, "", http.MethodGet, body.Link, nil, &out.Manifest); err != nil {
		return out, fmt.Errorf("read the manifest: %w", gone(err))
	}
	return out, nil
}

// gone marks what can only be asked for anew: 410, and 404 of what was there.
func gone(err error) error {
	if azure.IsStatus(err, http.StatusGone) || azure.IsNotFound(err) {
		return fmt.Errorf("%w (%w)", ErrGone, err)
	}
	return err
}

// DownloadBlob reads a file of the manifest as it is into w and tells its length in
// bytes: ErrExpired and ErrGone say how to go on; any other error of Microsoft is
// Unavailable; an error of w is given as it is.
func (c *Client) DownloadBlob(ctx context.Context, m Manifest, name string, w io.Writer) (int64, error) {
	n, err := c.pipe.Download(ctx, "billing", strings.TrimRight(m.RootDirectory, "/")+"/"+strings.TrimLeft(name, "/"), m.SASToken, w)
	switch {
	case azure.IsStatus(err, http.StatusForbidden):
		err = fmt.Errorf("%w (%w)", ErrExpired, err)
	case err != nil:
		err = gone(err)
	}
	return n, err
}
