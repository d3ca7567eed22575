package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/azure/token"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// Figures of the fixes.
const (
	fixBatch    = 64
	applyMost   = 1000          // decisions of one call: seconds, not minutes
	fixDeadline = 2 * time.Hour // Microsoft needs at most 30 minutes until a change shows
	maxReason   = 2000          // characters
)

// Decision is what a person decides about a difference.
type Decision struct {
	Fix     Fix
	Reason  string        // needed to ignore
	Org     account.OrgID // of an adoption: whose it becomes; "" = as suggested
	Account account.Alias
}

// Resolve carries out a decision. Ignoring is done at once; the rest is a durable
// job, whose outcome shows on the difference.
func (r *Runner) Resolve(ctx context.Context, a account.Actor, id string, dec Decision) (Difference, error) {
	var d Difference
	if err := account.May(a, account.ActDifferenceResolve, ""); err != nil {
		return d, err
	}
	err := r.db.Tx(ctx, func(tx *store.Tx) error {
		row, err := sqlc.New(tx).LockDifference(ctx, id)
		if err != nil {
			return store.Found(err, "There is no such difference.")
		}
		if d, err = difference(row); err != nil {
			return err
		}
		return r.decide(ctx, tx, a, &d, dec)
	})
	return d, err
}

func (r *Runner) decide(ctx context.Context, tx *store.Tx, a account.Actor, d *Difference, dec Decision) error {
	if err := d.may(dec.Fix); err != nil {
		return err
	}
	dec.Reason = strings.TrimSpace(dec.Reason)
	switch {
	case store.CheckText("reason", dec.Reason) != nil || len(dec.Reason) > 4*maxReason:
		return fault.Field("reason", "The reason is too long or holds characters that cannot be stored.", "Shorten it to 2000 characters.")
	case dec.Fix == FixIgnore && dec.Reason == "":
		return fault.Field("reason", "A difference is ignored only with a reason.", "Say why it may stay as it is.")
	}
	now := r.now()
	if dec.Fix == FixIgnore {
		d.State, d.Ending, d.Reason, d.EndedBy, d.EndedAt, d.Trouble = DiffIgnored, string(FixIgnore), dec.Reason, a.ID(), now, ""
	} else {
		if dec.Fix == FixAdopt {
			if err := r.whose(ctx, tx, d, dec); err != nil {
				return err
			}
		}
		d.State = DiffOpen
		d.Doing, d.DoingBy, d.DoingAt, d.NextAt, d.Tries, d.Trouble, d.Reason = dec.Fix, a.ID(), now, now, 0, "", dec.Reason
		if err := r.jobs.Add(ctx, tx, JobFix, "", struct{}{}, time.Time{}); err != nil {
			return err
		}
	}
	if err := settle(ctx, tx, *d); err != nil {
		return err
	}
	return r.auditFix(ctx, tx, *d, a.ID(), a.Address, "difference."+string(dec.Fix), dec.Reason)
}

// whose checks who an adopted customer will belong to. What is found inside a
// tenant of ours belongs to whom the tenant belongs.
func (r *Runner) whose(ctx context.Context, tx *store.Tx, d *Difference, dec Decision) error {
	if d.Kind != DiffCustomer || d.Tenant != "" {
		if dec.Account == "" {
			return nil
		}
	} else if dec.Account == "" && d.Details != nil {
		dec.Org, dec.Account = d.Details.Suggestion.Org, d.Details.Suggestion.Account
	}
	if dec.Account == "" {
		return fault.Field("account", "It is not said which account pays.", "Name a billing account; its organization becomes the customer's.")
	}
	acct, err := r.people.AccountTx(ctx, tx, dec.Account)
	if errors.Is(err, fault.NotFound) {
		return fault.Field("account", "There is no account "+string(dec.Account)+".", "Create it first, or name another one.")
	}
	if err != nil {
		return err
	}
	switch {
	case dec.Org != "" && dec.Org != acct.Org:
		return fault.Field("organization", "The account "+string(acct.Alias)+" belongs to another organization.", "Leave the organization out, or name one of its accounts.")
	case acct.Disabled:
		return fault.Field("account", "The account "+string(acct.Alias)+" is out of use.", "Name another one.")
	case d.Org != "" && d.Org != acct.Org:
		return fault.Field("account", "The tenant belongs to another organization than the account "+string(acct.Alias)+".", "Name an account of its organization.")
	}
	d.ToOrg, d.ToAccount = acct.Org, acct.Alias
	return nil
}

// Assignment says whose a customer of Microsoft's becomes: a line of an import.
type Assignment struct {
	Customer string // Microsoft's id
	Org      account.OrgID
	Account  account.Alias
}

// Refused is a line that could not be taken.
type Refused struct {
	Line    int // 1 = the first
	Refusal fault.Refusal
}

// Import adopts many customers with one decision; each line stands for itself.
// Lines that are done already change nothing, so a file can be sent twice.
func (r *Runner) Import(ctx context.Context, a account.Actor, lines []Assignment) (taken int, refused []Refused, err error) {
	if err := account.May(a, account.ActDifferenceResolve, ""); err != nil {
		return 0, nil, err
	}
	err = r.db.Tx(ctx, func(tx *store.Tx) error {
		taken, refused = 0, nil
		q := sqlc.New(tx)
		for i, l := range lines {
			row, err := q.DifferenceOf(ctx, sqlc.DifferenceOfParams{Kind: string(DiffCustomer), Object: customerObject(strings.TrimSpace(l.Customer))})
			if store.IsNone(err) {
				refused = append(refused, Refused{i + 1, fault.Refusal{Field: "customer", Reason: fmt.Sprintf("No difference names the customer %q.", l.Customer), Remedy: "Take the id from causeway sweep, and run a sweep first."}})
				continue
			}
			if err != nil {
				return err
			}
			d, err := difference(row)
			if err != nil {
				return err
			}
			if d.State == DiffResolved || d.Doing == FixAdopt {
				continue
			}
			err = r.decide(ctx, tx, a, &d, Decision{Fix: FixAdopt, Reason: "import", Org: l.Org, Account: l.Account})
			if f := fault.Of(err); f != nil {
				why := fault.Refusal{Reason: f.Message}
				if len(f.Refusals) > 0 {
					why = f.Refusals[0]
				}
				refused = append(refused, Refused{i + 1, why})
				continue
			}
			if err != nil {
				return err
			}
			taken++
		}
		return nil
	})
	return taken, refused, err
}

// Which chooses differences to be resolved together.
type Which string

// WhichSafe are proposals that only put back what our records say; WhichMatched
// are customers whose account is known without doubt.
const (
	WhichSafe    Which = "safe"
	WhichMatched Which = "matched"
)

// Apply carries out the proposals of many differences, at most a thousand, and
// tells how many, and whether there are more.
func (r *Runner) Apply(ctx context.Context, a account.Actor, which Which) (n int, more bool, err error) {
	if err := account.May(a, account.ActDifferenceResolve, ""); err != nil {
		return 0, false, err
	}
	if which != WhichSafe && which != WhichMatched {
		return 0, false, fault.Field("which", fmt.Sprintf("There is nothing called %q.", which), "Choose safe or matched.")
	}
	after, afterID := int64(0), ""
	for {
		more = false
		err := r.db.Tx(ctx, func(tx *store.Tx) error {
			p := sqlc.ListDifferencesParams{State: opt(string(DiffOpen)), OnlySure: which == WhichMatched, After: after, AfterID: afterID, Batch: 200}
			if which == WhichMatched {
				p.Kind = opt(string(DiffCustomer))
			}
			rows, err := sqlc.New(tx).ListDifferences(ctx, p)
			if err != nil {
				return err
			}
			for _, row := range rows {
				after, afterID, more = row.Since, row.ID, true
				d, err := difference(row)
				if err != nil {
					return err
				}
				if d.Doing != "" || which == WhichSafe && !d.Safe() {
					continue
				}
				err = r.decide(ctx, tx, a, &d, Decision{Fix: d.Proposal})
				if fault.Of(err) != nil {
					continue // its account was disabled since: it waits for a person
				}
				if err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil || !more || n >= applyMost {
			return n, more, err
		}
	}
}

// DifferenceFilter chooses differences to list; empty members do not filter.
type DifferenceFilter struct {
	State DifferenceState // "" = open
	Kind  DifferenceKind
	Sure  bool   // customers whose account is known without doubt
	After string // cursor of the page before
	Limit int    // 50 if 0, at most 500
}

// Differences lists what is not the same on both sides, the oldest first, and
// gives the cursor of the next page.
func (r *Runner) Differences(ctx context.Context, a account.Actor, f DifferenceFilter) ([]Difference, string, error) {
	if err := account.May(a, account.ActDifferenceView, ""); err != nil {
		return nil, "", err
	}
	if f.State == "" {
		f.State = DiffOpen
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 500)
	p := sqlc.ListDifferencesParams{
		State: opt(string(f.State)), Kind: opt(string(f.Kind)), OnlySure: f.Sure, After: -1, Batch: int32(limit + 1), // #nosec G115 -- at most 501
	}
	if f.After != "" {
		var err error
		if p.After, p.AfterID, err = store.ParseCursor(f.After); err != nil {
			return nil, "", err
		}
	}
	rows, err := sqlc.New(r.db.Read()).ListDifferences(ctx, p)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = store.Cursor(rows[limit-1].Since, rows[limit-1].ID)
	}
	list, err := all(rows, difference)
	return list, next, err
}

// Difference gives one.
func (r *Runner) Difference(ctx context.Context, a account.Actor, id string) (Difference, error) {
	if err := account.May(a, account.ActDifferenceView, ""); err != nil {
		return Difference{}, err
	}
	row, err := sqlc.New(r.db.Read()).GetDifference(ctx, id)
	if err != nil {
		return Difference{}, store.Found(err, "There is no such difference.")
	}
	return difference(row)
}

// DifferenceCounts is how many differences there are, and of which kind.
type DifferenceCounts struct {
	Open    map[DifferenceKind]int
	Ignored int
	Doing   int // fixes on their way
	Oldest  time.Time
}

// All open ones.
func (c DifferenceCounts) All() int {
	n := 0
	for _, x := range c.Open {
		n += x
	}
	return n
}

// DifferenceCounts counts what is open.
func (r *Runner) DifferenceCounts(ctx context.Context, a account.Actor) (DifferenceCounts, error) {
	c := DifferenceCounts{Open: map[DifferenceKind]int{}}
	if err := account.May(a, account.ActDifferenceView, ""); err != nil {
		return c, err
	}
	q := sqlc.New(r.db.Read())
	rows, err := q.CountDifferences(ctx)
	if err != nil {
		return c, err
	}
	for _, row := range rows {
		if DifferenceState(row.State) == DiffIgnored {
			c.Ignored += int(row.N)
			continue
		}
		c.Open[DifferenceKind(row.Kind)] = int(row.N)
		if at := store.Time(row.Oldest); c.Oldest.IsZero() || at.Before(c.Oldest) {
			c.Oldest = at
		}
	}
	n, err := q.CountDoing(ctx)
	c.Doing = int(n)
	return c, err
}

// fix is the handler of JobFix, a standing job: it does all that was decided, a
// few side by side, and one worker is all it takes, so that the import of a
// large book leaves the others to the onboardings.
func (r *Runner) fix(ctx context.Context, j job.Job) error {
	for {
		if job.Stopping(ctx) {
			return job.ErrStopping
		}
		rows, err := sqlc.New(r.db.Read()).DueDifferences(ctx, sqlc.DueDifferencesParams{Now: store.Micros(r.now()), Batch: fixBatch})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		l, err := r.newLook(ctx)
		if err != nil {
			return err
		}
		err = aside(ctx, sweepSide, len(rows), func(ctx context.Context, i int) error {
			d, err := difference(rows[i])
			if err != nil {
				return err
			}
			return r.carry(ctx, j, l, d)
		})
		if err != nil {
			return err
		}
	}
	next, err := sqlc.New(r.db.Read()).NextDifference(ctx)
	if err != nil {
		return err
	}
	until := r.now().Add(time.Hour)
	if at := store.Time(next); next > 0 && at.Before(until) {
		until = at
	}
	return job.Wait{Until: until, Why: "until somebody decides about a difference"}
}

// errNotYet says that it is done, and that Microsoft does not show it yet.
var errNotYet = errors.New("done, and not to be seen at Microsoft yet")

// carry does one thing that was decided. Its outcome is written on the
// difference: resolved, later, or a trouble that a person reads.
func (r *Runner) carry(ctx context.Context, j job.Job, l *look, d Difference) error {
	correlation := azure.NewCorrelationID()
	ctx = azure.WithCorrelation(ctx, correlation)
	look := *l
	look.ctx = ctx
	f := &fixing{look: &look, j: j, d: d, correlation: correlation}
	err := f.do()
	switch {
	case err == nil, errors.Is(err, job.ErrFenced), errors.Is(err, job.ErrStopping), ctx.Err() != nil, store.IsAway(err) && azure.AsError(err) == nil:
		return err
	}
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		if err := r.jobs.Hold(ctx, tx, j); err != nil {
			return err
		}
		row, rerr := sqlc.New(tx).LockDifference(ctx, d.ID)
		if rerr != nil {
			return rerr
		}
		d, rerr := difference(row)
		if rerr != nil || d.Doing == "" {
			return rerr
		}
		f.postpone(&d, err)
		return settle(ctx, tx, d)
	})
}

// postpone says when a fix is tried again, or gives it back to a person.
func (f *fixing) postpone(d *Difference, err error) {
	now := f.r.now()
	waited := now.Sub(d.DoingAt)
	again := func(after time.Duration, why string) {
		d.NextAt, d.Trouble, d.Tries = now.Add(after), why, d.Tries+1
	}
	var alarm *token.Alarm
	var wait job.Wait
	switch class := azure.Classify(err); {
	case errors.As(err, &alarm) && class == azure.F, azure.HasCode(err, azure.CodeNoMFA):
		again(time.Minute, "The partner's sign-in to Microsoft has to be renewed. It goes on by itself then.")
		return
	case class == azure.R1:
		after := 5 * time.Second
		if x := fault.Of(err); x != nil && x.After > 0 {
			after = x.After
		}
		again(after, "Microsoft takes no more requests for a while.")
		return
	case waited > fixDeadline:
	case errors.Is(err, errNotYet), errors.As(err, &wait), class == azure.R3, class == azure.R4:
		again(min(max(waited/20, 100*time.Millisecond), time.Minute), "Microsoft takes its time until the change shows.")
		return
	case class == azure.R2, class == azure.F && azure.AsError(err) == nil && fault.Of(err) == nil && d.Tries < 5:
		again(min(time.Second<<min(d.Tries, 6), time.Minute), "Microsoft does not answer. We go on asking.")
		return
	}
	f.r.log.Warn("a difference was not resolved", "difference", d.ID, "fix", d.Doing, "error", err)
	why := explain(err)
	d.Doing, d.Trouble, d.NextAt = "", why.String(), time.Time{}
}

// resolved ends a difference in the caller's transaction.
func (f *fixing) resolved(ctx context.Context, tx *store.Tx, detail any) error {
	row, err := sqlc.New(tx).LockDifference(ctx, f.d.ID)
	if err != nil {
		return err
	}
	d, err := difference(row)
	if err != nil {
		return err
	}
	by := d.DoingBy
	d.State, d.Ending, d.EndedBy, d.EndedAt = DiffResolved, string(f.d.Doing), by, f.r.now()
	d.Doing, d.Trouble, d.NextAt = "", "", time.Time{}
	if err := settle(ctx, tx, d); err != nil {
		return err
	}
	return f.r.auditFix(ctx, tx, d, by, "", "difference.resolved", detail)
}

func (r *Runner) auditFix(ctx context.Context, tx *store.Tx, d Difference, by, address, action string, detail any) error {
	org := d.Org
	if org == "" {
		org = d.ToOrg
	}
	return audit.Write(ctx, tx, audit.Entry{
		Org: string(org), At: r.now(), Actor: by, Action: action, Object: "difference:" + d.ID, Address: address,
		Detail: map[string]any{"kind": d.Kind, "object": d.Object, "text": d.Text, "fix": firstFix(d.Doing, Fix(d.Ending)), "account": d.ToAccount, "detail": detail},
	})
}

func firstFix(a, b Fix) Fix {
	if a != "" {
		return a
	}
	return b
}

func settle(ctx context.Context, tx *store.Tx, d Difference) error {
	return sqlc.New(tx).SettleDifference(ctx, sqlc.SettleDifferenceParams{
		ID: d.ID, State: string(d.State), Doing: string(d.Doing), DoingBy: d.DoingBy, DoingAt: store.Micros(d.DoingAt), ToOrg: string(d.ToOrg),
		ToAccount: string(d.ToAccount), NextAt: store.Micros(d.NextAt), Tries: int64(d.Tries), Trouble: d.Trouble, Ending: d.Ending,
		Reason: d.Reason, EndedBy: d.EndedBy, EndedAt: store.Micros(d.EndedAt),
	})
}

func difference(r sqlc.Difference) (Difference, error) {
	d := Difference{
		ID: r.ID, Kind: DifferenceKind(r.Kind), Object: r.Object, Org: account.OrgID(r.Org), Tenant: r.Tenant, AzureID: r.AzureID, Title: r.Title,
		Text: r.Text, Proposal: Fix(r.Proposal), Remedy: r.Remedy, State: DifferenceState(r.State), Doing: Fix(r.Doing), DoingBy: r.DoingBy,
		DoingAt: store.Time(r.DoingAt), ToOrg: account.OrgID(r.ToOrg), ToAccount: account.Alias(r.ToAccount), NextAt: store.Time(r.NextAt),
		Tries: int(r.Tries), Trouble: r.Trouble, Ending: r.Ending, Reason: r.Reason, EndedBy: r.EndedBy, Since: store.Time(r.Since),
		SeenAt: store.Time(r.SeenAt), EndedAt: store.Time(r.EndedAt),
	}
	var b body
	if err := json.Unmarshal([]byte(r.Body), &b); err != nil {
		return d, fmt.Errorf("difference %s: %w", r.ID, err)
	}
	d.Fixes, d.Evidence, d.About = b.Fixes, b.Evidence, b.About
	if r.Details != "" {
		d.Details = &CustomerDetails{}
		if err := json.Unmarshal([]byte(r.Details), d.Details); err != nil {
			return d, fmt.Errorf("difference %s: details: %w", r.ID, err)
		}
	}
	return d, nil
}
