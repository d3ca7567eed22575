package partnercenter

import (
	"context"
	"iter"
	"net/url"
	"time"

	"causeway/internal/azure"
)

// AuditRecord is one deed in Partner Center. OriginalCorrelationID is the
// MS-CorrelationId of the call that did it: by it we know our own.
type AuditRecord struct {
	ID                    string     `json:"id,omitempty"`
	PartnerID             string     `json:"partnerId"`
	CustomerID            string     `json:"customerId"`
	CustomerName          string     `json:"customerName"`
	UserPrincipalName     string     `json:"userPrincipalName"`
	ApplicationID         string     `json:"applicationId"`
	ResourceType          string     `json:"resourceType"`
	ResourceOldValue      string     `json:"resourceOldValue"` // JSON as text
	ResourceNewValue      string     `json:"resourceNewValue"` // JSON as text
	OperationType         string     `json:"operationType"`
	OriginalCorrelationID string     `json:"originalCorrelationId"`
	OperationDate         azure.Time `json:"operationDate,omitzero"`
	OperationStatus       string     `json:"operationStatus"` // succeeded, failed, progress
	CustomizedData        []KeyValue `json:"customizedData"`
}

// Operations of audit records that we look for.
const (
	OperationAddCustomer = "add_customer"
	OperationCreateOrder = "create_order"
)

// Is tells whether the record is of an operation; Microsoft's documents spell
// them with and without underscores.
func (r AuditRecord) Is(operation string) bool { return azure.SameWord(r.OperationType, operation) }

// AuditQuery narrows the audit records: Start is at most 90 days back, one query
// spans at most 30 days. Filters: CustomerId equals, ResourceType equals,
// CompanyName substring.
type AuditQuery struct {
	Start, End time.Time // UTC; End zero = now
	Filter     Filter
}

// AuditRecords lists what was done in Partner Center.
// https://learn.microsoft.com/partner-center/developer/get-a-record-of-partner-center-activity-by-user
func (c *Client) AuditRecords(ctx context.Context, query AuditQuery) iter.Seq2[AuditRecord, error] {
	q := url.Values{"startDate": {query.Start.UTC().Format(time.RFC3339)}, "size": {"500"}}
	if !query.End.IsZero() {
		q.Set("endDate", query.End.UTC().Format(time.RFC3339))
	}
	if err := query.Filter.query(q); err != nil {
		return failed[AuditRecord](err)
	}
	return pages[AuditRecord](ctx, c, azure.AppOnly, "auditrecords", "", "/v1/auditrecords", q)
}
