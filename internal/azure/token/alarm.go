package token

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// Alarm says that the partner's own credential does not work any more, so that
// nothing at Microsoft does, and what a person must do about it.
type Alarm struct {
	Code   string // Entra's (AADSTS50173), 900421, or one of ours
	Reason string
	Remedy string
	Since  time.Time // UTC
	cause  error
}

// Alarms that Entra ID does not name.
const (
	noMFA     = azure.CodeNoMFA
	lostToken = "lost-refresh-token"
)

// lost are refusals that follow when a rotated refresh token never reached us.
var lost = map[string]bool{"AADSTS70000": true, "AADSTS70008": true, "AADSTS700082": true, "AADSTS9002313": true, "invalid_grant": true}

// partnerwide are refusals that concern the partner's credential whichever tenant
// the token was for. The others (MFA, Conditional Access, an unknown user) may be
// the rule of one customer and are an alarm only in the partner's own tenant.
var partnerwide = map[string]bool{
	"AADSTS700082": true, "AADSTS70008": true, "AADSTS70000": true, "AADSTS9002313": true, "AADSTS50173": true,
	"AADSTS50057": true, "AADSTS7000215": true, "AADSTS7000222": true, "AADSTS700084": true, "AADSTS70043": true,
}

func newAlarm(code string, at time.Time, cause error) *Alarm {
	a := &Alarm{Code: code, Since: at.UTC(), cause: cause}
	if code == lostToken {
		a.Reason = "An answer of Entra ID was lost while the partner's sign-in was renewed, and the old one is no longer accepted."
		a.Remedy = "Connect the partner again: causeway partner connect."
		return a
	}
	if x, ok := azure.Explain(code); ok {
		a.Reason, a.Remedy = x.Reason, x.Remedy
		return a
	}
	a.Reason = fmt.Sprintf("Entra ID no longer accepts the partner's sign-in (%s).", code)
	a.Remedy = "Connect the partner again: causeway partner connect."
	return a
}

func (a *Alarm) Error() string {
	return fmt.Sprintf("the partner's sign-in does not work (%s): %s %s", a.Code, a.Reason, a.Remedy)
}

// Unwrap gives Entra's error and the Forbidden fault that the edges show.
func (a *Alarm) Unwrap() []error {
	f := fault.New(fault.Forbidden, "%s %s", a.Reason, a.Remedy)
	f.Refusals = []fault.Refusal{{Code: a.Code, Reason: a.Reason, Remedy: a.Remedy}}
	if a.cause == nil {
		return []error{f}
	}
	return []error{f, a.cause}
}

// aboutSecret tells that the application itself is refused, not only the user.
func (a *Alarm) aboutSecret() bool {
	switch a.Code {
	case "AADSTS7000215", "AADSTS7000222", "AADSTS7000112":
		return true
	}
	return false
}

// pausing is the alarm of a credential that was refused a moment ago: asking again
// at once would only lock it.
func (c *Custody) pausing(row sqlc.PartnerCredential) *Alarm {
	if row.AlarmCode == "" || c.now().Sub(store.Time(row.AlarmAt)) > alarmPause {
		return nil
	}
	return newAlarm(row.AlarmCode, store.Time(row.AlarmAt), nil)
}

// concernsPartner tells an alarm from a refusal of one customer's tenant, where
// our consent may simply not have arrived yet.
func (c *Custody) concernsPartner(row sqlc.PartnerCredential, k key, err error) bool {
	e := azure.AsError(err)
	if e == nil || e.Status < 400 || e.Status >= 500 || e.Status == 429 {
		return false
	}
	return partnerwide[e.Code] || azure.SameID(k.tenant, row.TenantID)
}

// note writes an alarm down, or "" when it is over, while nobody holds the lease.
func (c *Custody) note(ctx context.Context, row sqlc.PartnerCredential, code string, at time.Time) {
	ctx = context.WithoutCancel(ctx)
	_ = c.db.Tx(ctx, func(tx *store.Tx) error { // if it fails the next call notes it
		_, err := sqlc.New(tx).NoteAlarm(ctx, sqlc.NoteAlarmParams{TenantID: row.TenantID, AlarmCode: code, AlarmAt: store.Micros(at), Now: store.Micros(c.now())})
		return err
	})
}
