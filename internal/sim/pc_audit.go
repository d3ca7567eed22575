package sim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// AuditRecord is one deed at the partner's tenant.
type AuditRecord struct {
	ID          string
	Customer    string
	Name        string
	Who         string // UPN, "" for the application
	App         string
	Resource    string
	Old, New    string
	Operation   string
	Correlation string
	At          time.Time
	Visible     time.Time
}

func (s *Server) registerAudit() {
	s.on(servicePartnerCenter, "GET /v1/auditrecords", needsToken, reads, listAudit)
}

// record notes a deed of this call for the audit records.
func (c *call) record(resource, operation string, cu *Customer, old string, now any) {
	text := ""
	if now != nil {
		if b, err := json.Marshal(now); err == nil {
			text = string(b)
		}
	}
	r := &AuditRecord{
		ID: c.s.newID(), Resource: resource, Operation: operation, Old: old, New: text,
		Correlation: c.log.CorrelationID, At: c.now, Visible: c.after(WaitAudit),
	}
	if cu != nil {
		r.Customer, r.Name = cu.ID, cu.Name
	}
	if c.who != nil {
		r.Who, r.App = c.who.UPN, c.who.App
	}
	c.w.audit = append(c.w.audit, r)
}

type auditBody struct {
	ID          string     `json:"id"`
	Partner     string     `json:"partnerId"`
	Customer    string     `json:"customerId,omitempty"`
	Name        string     `json:"customerName,omitempty"`
	Who         string     `json:"userPrincipalName"`
	App         string     `json:"applicationId"`
	Resource    string     `json:"resourceType"`
	Old         string     `json:"resourceOldValue"`
	New         string     `json:"resourceNewValue"`
	Operation   string     `json:"operationType"`
	Correlation string     `json:"originalCorrelationId"`
	Date        string     `json:"operationDate"`
	Status      string     `json:"operationStatus"`
	Custom      []pair     `json:"customizedData"`
	Attribute   attributes `json:"attributes"`
}

type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

const (
	auditKept   = 90 * 24 * time.Hour // startDate at most so far back
	auditWindow = 30 * 24 * time.Hour // from startDate to endDate
)

// listAudit answers GET /v1/auditrecords.
func listAudit(c *call) reply {
	start, startOK := readDate(c.query("startDate"))
	end, endOK := readDate(c.query("endDate"))
	if c.query("endDate") == "" {
		end, endOK = start.Add(auditWindow), true
	} else if len(c.query("endDate")) <= len("2006-01-02") {
		end = end.AddDate(0, 0, 1) // a day without a time is meant whole
	}
	switch {
	case !startOK || !endOK:
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "startDate", "endDate")
	case start.Before(c.now.Add(-auditKept).Truncate(24 * time.Hour)):
		return pcError(http.StatusBadRequest, 3000, "Invalid property: startDate is more than 90 days ago", "startDate")
	case end.Before(start):
		return pcError(http.StatusBadRequest, 3000, "Invalid property: endDate is before startDate", "endDate")
	case end.Sub(start) > auditWindow+24*time.Hour:
		return pcError(http.StatusBadRequest, 3000, "Invalid property: a query spans 30 days at most", "endDate")
	}
	f, refusal := c.readFilter()
	if refusal != nil {
		return *refusal
	}
	size, from, refusal := c.readPage(500)
	if refusal != nil {
		return *refusal
	}
	asOf := c.now.Add(-c.lag(c.faults))
	out := listing[auditBody](nil)
	links := &pageLinks{Self: get(strings.TrimPrefix(c.r.URL.RequestURI(), "/v1"))}
	// Newest first, as the service shows them; a token is a place counted from the oldest.
	first := len(c.w.audit) - 1
	if from > 0 {
		first = min(first, from-1)
	}
	for i := first; i >= 0; i-- {
		r := c.w.audit[i]
		if r.At.Before(start) {
			break
		}
		if !r.At.Before(end) || asOf.Before(r.Visible) {
			continue
		}
		if f != nil {
			yes, err := f.matches(r.field)
			if err != nil {
				return pcError(http.StatusBadRequest, 3000, "Invalid property: "+err.Error(), "filter")
			}
			if !yes {
				continue
			}
		}
		if len(out.Items) == size {
			links.Next = c.nextPage(i + 1)
			break
		}
		out.Items = append(out.Items, r.body(c.s.cfg.Partner.TenantID))
	}
	out.Total, out.Links = len(out.Items), links
	return ok(out)
}

func (r *AuditRecord) field(name string) string {
	switch name {
	case "companyname":
		return r.Name
	case "customerid":
		return r.Customer
	case "resourcetype":
		return r.Resource
	case "operationtype":
		return r.Operation
	}
	return ""
}

func (r *AuditRecord) body(partner string) auditBody {
	return auditBody{
		ID: r.ID, Partner: partner, Customer: r.Customer, Name: r.Name, Who: r.Who, App: r.App, Resource: r.Resource, Old: r.Old, New: r.New,
		Operation: r.Operation, Correlation: r.Correlation, Date: stamp(r.At), Status: "succeeded", Custom: []pair{}, Attribute: attributes{Type: "AuditRecord"},
	}
}

// readDate reads a date or date-time; no zone means UTC.
func readDate(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.9999999", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
