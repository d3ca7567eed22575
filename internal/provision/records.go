package provision

import (
	"context"
	"strings"
	"sync"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/partnercenter"
)

// recordsBack is how far back we read: Microsoft keeps audit records for 90 days
// and gives 30 of them in one query; a day is left for clocks that differ.
const recordsBack = 29 * 24 * time.Hour

// records are Microsoft's audit records of creations, read once for a whole pass
// and only if something unknown was found.
type records struct {
	r  *Runner
	mu sync.Mutex
	by map[string]partnercenter.AuditRecord // customer, lower case
}

// of gives the evidence of how a customer came to be. What is older than a month
// has none: for a book that is imported that is the rule, and a lost answer of
// ours is looked for by its onboarding within minutes.
func (l *records) of(ctx context.Context, customer string) (Evidence, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		by := map[string]partnercenter.AuditRecord{}
		end := l.r.now()
		for rec, err := range l.r.pc.AuditRecords(ctx, partnercenter.AuditQuery{Start: end.Add(-recordsBack)}) {
			if err != nil {
				return Evidence{}, err
			}
			if rec.Is(partnercenter.OperationAddCustomer) {
				by[strings.ToLower(rec.CustomerID)] = rec
			}
		}
		l.by = by
	}
	rec, ok := l.by[strings.ToLower(customer)]
	if !ok {
		return Evidence{}, nil
	}
	e := Evidence{Correlation: rec.OriginalCorrelationID, By: rec.UserPrincipalName, At: rec.OperationDate.Time}
	if e.By == "" {
		e.By = "application " + rec.ApplicationID
	}
	return e, nil
}

// sameCorrelation compares ids that both sides must have.
func sameCorrelation(a, b string) bool { return a != "" && azure.SameID(a, b) }
