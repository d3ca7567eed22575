package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/azure/token"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// Figures of the sweep. One pass over 10 000 customers is 20 pages and, for each
// tenant that is ours, its plan, its entitlements and three reads of each
// subscription; eight tenants are looked at side by side.
const (
	sweepEvery = time.Hour
	sweepFirst = 5 * time.Minute // leaves a server that just started to those who wait for a page
	listPage   = 500
	sweepSide  = 8
	sweepBatch = 32 // a kill costs so many tenants at most
	sweepKept  = 90 * 24 * time.Hour
)

// The phases of a sweep, in their order.
const (
	phaseList    = "list"    // place: the link to the next page
	phaseDetails = "details" // place: the difference last asked about
	phaseTenants = "tenants" // place: the tenant last looked at
	phaseEnd     = "end"
	phaseDone    = "done"
)

// Sweep is one pass over both sides.
type Sweep struct {
	ID            string
	Phase         string // list, details, tenants, end, done
	Note          string // what it waits for
	Customers     int    // at Microsoft
	Subscriptions int    // active ones of ours, at Microsoft
	Found         int    // differences that were not open before
	Resolved      int    // differences that are gone
	Adopted       int    // by itself, because our own intent proves them
	Unseen        int    // tenants that could not be looked into
	StartedAt     time.Time
	EndedAt       time.Time
}

// Done tells whether the pass is over.
func (s Sweep) Done() bool { return s.Phase == phaseDone }

// Seconds it took, or has taken so far.
func (s Sweep) Seconds(now time.Time) float64 {
	end := s.EndedAt
	if end.IsZero() {
		end = now
	}
	if s.StartedAt.IsZero() {
		return 0
	}
	return end.Sub(s.StartedAt).Seconds()
}

// Sweep does one whole pass and keeps what it finds. Throttling is waited out
// here; the hourly job (JobSweep) comes back instead.
func (r *Runner) Sweep(ctx context.Context) (Sweep, error) {
	id := store.NewID()
	err := r.db.Tx(ctx, func(tx *store.Tx) error {
		_, err := sqlc.New(tx).AddSweep(ctx, sqlc.AddSweepParams{ID: id, Slot: id, AskedBy: audit.System})
		return err
	})
	if err != nil {
		return Sweep{}, err
	}
	for try := 1; ; try++ {
		p, err := r.pass(ctx, id, func(*store.Tx) error { return nil })
		if err != nil {
			return Sweep{}, err
		}
		err = p.run(try > 3)
		var wait job.Wait
		after := time.Second
		switch {
		case err == nil:
			return sweep(p.row), nil
		case errors.As(err, &wait):
			after, try = max(wait.Until.Sub(r.now()), 100*time.Millisecond), 1
		case azure.Classify(err) != azure.R2 || try > 3:
			return sweep(p.row), err
		}
		timer := time.NewTimer(after)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return sweep(p.row), ctx.Err()
		}
	}
}

// sweep is the handler of JobSweep: one pass an hour, and those that somebody
// asks for. There is one job, so over all replicas there is one pass at a time.
func (r *Runner) sweep(ctx context.Context, j job.Job) error {
	ctx = azure.WithCaller(ctx, azure.Caller{Key: JobSweep, Began: r.now(), Class: azure.Sweep}) // nobody waits for it
	defer r.throttle.End(ctx)
	for {
		id, err := r.nextSweep(ctx)
		if err != nil {
			return err
		}
		if id == "" {
			break
		}
		p, err := r.pass(ctx, id, func(tx *store.Tx) error { return r.jobs.Hold(ctx, tx, j) })
		if err != nil {
			return err
		}
		if err := p.run(j.Attempt > 4); err != nil {
			return err
		}
	}
	last, err := r.LastSweep(ctx)
	if err != nil {
		return err
	}
	return job.Wait{Until: last.StartedAt.Add(sweepEvery), Why: "again an hour after the last one began"}
}

// nextSweep is the pass to go on with, or to begin; "" while none is due.
func (r *Runner) nextSweep(ctx context.Context) (string, error) {
	id := ""
	err := r.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		for _, slot := range []string{"open", "next"} {
			row, err := q.SweepIn(ctx, slot)
			if store.IsNone(err) {
				continue
			}
			if err != nil {
				return err
			}
			id, row.Slot = row.ID, "open"
			return q.SaveSweep(ctx, saved(row))
		}
		last, err := q.LastSweep(ctx)
		if err == nil && r.now().Sub(store.Time(last.StartedAt)) < sweepEvery-time.Second {
			return nil
		}
		if err != nil && !store.IsNone(err) {
			return err
		}
		id = store.NewID()
		_, err = q.AddSweep(ctx, sqlc.AddSweepParams{ID: id, Slot: "open", AskedBy: audit.System})
		return err
	})
	return id, err
}

// AskSweep asks for a pass now and gives it; one that runs already may have
// passed what has changed since, so another one follows it.
func (r *Runner) AskSweep(ctx context.Context, a account.Actor) (Sweep, error) {
	if err := account.May(a, account.ActSweep, ""); err != nil {
		return Sweep{}, err
	}
	var row sqlc.Sweep
	err := r.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		slot := "open"
		if open, err := q.SweepIn(ctx, slot); err == nil && open.StartedAt > 0 {
			slot = "next"
		} else if err != nil && !store.IsNone(err) {
			return err
		}
		n, err := q.AddSweep(ctx, sqlc.AddSweepParams{ID: store.NewID(), Slot: slot, AskedBy: a.ID()})
		if err != nil {
			return err
		}
		if row, err = q.SweepIn(ctx, slot); err != nil {
			return err
		}
		if n > 0 {
			err := audit.Write(ctx, tx, audit.Entry{At: r.now(), Actor: a.ID(), Action: "sweep.run", Object: "sweep:" + row.ID, Address: a.Address})
			if err != nil {
				return err
			}
		}
		return r.jobs.Add(ctx, tx, JobSweep, "", struct{}{}, time.Time{})
	})
	return sweep(row), err
}

// SweepOf gives a pass, or with "" the one that runs, else the last one.
func (r *Runner) SweepOf(ctx context.Context, a account.Actor, id string) (Sweep, error) {
	if err := account.May(a, account.ActDifferenceView, ""); err != nil {
		return Sweep{}, err
	}
	q := sqlc.New(r.db.Read())
	if id != "" {
		row, err := q.GetSweep(ctx, id)
		return sweep(row), store.Found(err, "There is no such sweep.")
	}
	if row, err := q.SweepIn(ctx, "open"); err == nil {
		return sweep(row), nil
	}
	return r.LastSweep(ctx)
}

// LastSweep is the last pass that ended; a zero one if there was none.
func (r *Runner) LastSweep(ctx context.Context) (Sweep, error) {
	row, err := sqlc.New(r.db.Read()).LastSweep(ctx)
	if store.IsNone(err) {
		return Sweep{}, nil
	}
	return sweep(row), err
}

// Watch puts the standing jobs of the sweep into the queue, once per database.
func (r *Runner) Watch(ctx context.Context) error {
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		if err := r.jobs.Add(ctx, tx, JobSweep, "", struct{}{}, r.now().Add(sweepFirst)); err != nil {
			return err
		}
		return r.jobs.Add(ctx, tx, JobFix, "", struct{}{}, time.Time{})
	})
}

// pass is one sweep as it goes on. Its row is saved with what was found, so that
// after a kill or a throttle it goes on where it was.
type pass struct {
	*look
	row  sqlc.Sweep
	hold func(*store.Tx) error // the job is still ours
	last bool                  // a tenant that Microsoft cannot answer about is passed over
	book *book
}

func (r *Runner) pass(ctx context.Context, id string, hold func(*store.Tx) error) (*pass, error) {
	row, err := sqlc.New(r.db.Read()).GetSweep(ctx, id)
	if err != nil {
		return nil, err
	}
	l, err := r.newLook(ctx)
	return &pass{look: l, row: row, hold: hold}, err
}

// run goes on to the end. Its error says what comes next: Wait, or try again.
func (p *pass) run(last bool) error {
	p.last = last
	if p.row.StartedAt == 0 || p.row.Note != "" {
		if p.row.StartedAt == 0 {
			p.row.StartedAt = store.Micros(p.r.now())
		}
		p.row.Note = ""
		if err := p.save(nil); err != nil {
			return err
		}
	}
	steps := map[string]func() error{phaseList: p.list, phaseDetails: p.details, phaseTenants: p.tenants, phaseEnd: p.end}
	for p.row.Phase != phaseDone {
		if err := steps[p.row.Phase](); err != nil {
			return p.later(err)
		}
	}
	return nil
}

// later turns a throttle, and the partner's own sign-in that has to be renewed,
// into a time to come back.
func (p *pass) later(err error) error {
	var alarm *token.Alarm
	var wait job.Wait
	switch {
	case p.ctx.Err() != nil, errors.Is(err, job.ErrFenced):
		return err
	case errors.As(err, &alarm) && azure.Classify(err) == azure.F, azure.HasCode(err, azure.CodeNoMFA):
		wait = job.Wait{Until: p.r.now().Add(time.Minute), Why: "The partner's sign-in to Microsoft has to be renewed by its staff."}
	case azure.Classify(err) == azure.R1:
		after := 5 * time.Second
		if f := fault.Of(err); f != nil && f.After > 0 {
			after = f.After
		}
		wait = job.Wait{Until: p.r.now().Add(after), Why: "Microsoft takes no more requests for a while."}
	default:
		return err
	}
	p.row.Note = wait.Why
	if err := p.save(nil); err != nil {
		return err
	}
	return wait
}

// save commits the pass's place together with what was found up to it.
func (p *pass) save(then func(*store.Tx) error) error {
	return p.r.db.Tx(p.ctx, func(tx *store.Tx) error {
		if err := p.hold(tx); err != nil {
			return err
		}
		if then != nil {
			if err := then(tx); err != nil {
				return err
			}
		}
		return sqlc.New(tx).SaveSweep(p.ctx, saved(p.row))
	})
}

// list reads Microsoft's customers, page by page.
func (p *pass) list() error {
	for {
		if job.Stopping(p.ctx) {
			return job.ErrStopping
		}
		var from *partnercenter.Link
		if p.row.Place != "" {
			from = &partnercenter.Link{}
			if err := json.Unmarshal([]byte(p.row.Place), from); err != nil {
				return err
			}
		}
		read := p.r.now()
		customers, next, err := p.r.pc.CustomersFrom(p.ctx, listPage, from)
		if e := azure.AsError(err); from != nil && e != nil && e.Status >= 400 && e.Status < 500 && azure.Classify(err) != azure.R1 {
			p.row.Place, p.row.Customers = "", 0 // the place is no longer known: from the beginning
			if err := p.save(nil); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		var ours []string
		var found []Difference
		for _, c := range customers {
			id, d, err := p.customer(c)
			if err != nil {
				return err
			}
			if id != "" {
				ours = append(ours, id)
			}
			found = append(found, d...)
		}
		p.row.Customers += int64(len(customers))
		p.row.Place = ""
		if next != nil {
			b, err := json.Marshal(next)
			if err != nil {
				return err
			}
			p.row.Place = string(b)
		} else {
			p.row.Phase = phaseDetails
		}
		p.row.Note = ""
		err = p.save(func(tx *store.Tx) error {
			now := store.Micros(p.r.now())
			for _, id := range ours {
				if err := sqlc.New(tx).ListedTenant(p.ctx, sqlc.ListedTenantParams{Tenant: id, ListedAt: now}); err != nil {
					return err
				}
			}
			return p.keep(tx, found, read)
		})
		if err != nil || next == nil {
			return err
		}
	}
}

// keep writes what was found. read is when Microsoft was asked: what was resolved
// since is not opened again by an older view.
func (p *pass) keep(tx *store.Tx, found []Difference, read time.Time) error {
	q := sqlc.New(tx)
	now := store.Micros(p.r.now())
	for _, d := range found {
		if d.Kind == DiffCustomer && d.Tenant == "" { // adopted while we read?
			if _, err := q.TenantByAzure(p.ctx, d.AzureID); err == nil {
				continue
			} else if !store.IsNone(err) {
				return err
			}
		}
		text, err := d.json()
		if err != nil {
			return err
		}
		row, err := q.SeeDifference(p.ctx, sqlc.SeeDifferenceParams{
			ID: store.NewID(), Kind: string(d.Kind), Object: d.Object, Org: string(d.Org), Tenant: d.Tenant, AzureID: d.AzureID, Title: d.Title,
			Text: d.Text, Proposal: string(d.Proposal), Remedy: d.Remedy, Body: text, Mark: d.mark(), SeenAt: now, ReadAt: store.Micros(read),
		})
		if err != nil {
			return err
		}
		if row.Since == now && row.State == string(DiffOpen) {
			p.row.Found++
		}
		if d.Evidence.Proven && row.State == string(DiffOpen) && row.Doing == "" {
			if err := p.r.prove(p.ctx, tx, row); err != nil {
				return err
			}
			p.row.Adopted++
		}
	}
	return nil
}

// prove lets a difference be adopted by itself, because our own intent explains
// it: a request was sent, its outcome is unknown, and Microsoft's record of the
// creation names our correlation id.
func (r *Runner) prove(ctx context.Context, tx *store.Tx, row sqlc.Difference) error {
	d, err := difference(row)
	if err != nil {
		return err
	}
	d.Doing, d.DoingBy, d.DoingAt, d.NextAt, d.Tries = FixAdopt, audit.System, r.now(), r.now(), 0
	d.Reason = "Our own request explains it."
	if err := settle(ctx, tx, d); err != nil {
		return err
	}
	return r.jobs.Add(ctx, tx, JobFix, "", struct{}{}, time.Time{})
}

// details asks about customers that are not known here, once each: country and
// registration number say whose they may be.
func (p *pass) details() error {
	for {
		if job.Stopping(p.ctx) {
			return job.ErrStopping
		}
		rows, err := sqlc.New(p.r.db.Read()).UndetailedDifferences(p.ctx, sqlc.UndetailedDifferencesParams{After: p.row.Place, Batch: sweepBatch})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			p.row.Phase, p.row.Place, p.row.Note = phaseTenants, "", ""
			return p.save(nil)
		}
		if p.book == nil {
			if p.book, err = p.r.openBook(p.ctx); err != nil {
				return err
			}
		}
		done := make([]*CustomerDetails, len(rows))
		err = aside(p.ctx, sweepSide, len(rows), func(ctx context.Context, i int) error {
			d, err := difference(rows[i])
			if err != nil {
				return err
			}
			c, err := p.r.pc.Customer(ctx, d.AzureID)
			if azure.IsNotFound(err) || azure.HasCode(err, "20002") {
				return nil // gone meanwhile: the next pass closes it
			}
			if err != nil {
				return err
			}
			done[i] = &CustomerDetails{Country: c.BillingProfile.DefaultAddress.Country, Number: c.CompanyProfile.OrganizationRegistrationNumber}
			done[i].Suggestion = p.book.match(unknown{d.About.Company, d.About.Domain, done[i].Country, done[i].Number})
			return nil
		})
		if err == nil {
			p.row.Place = rows[len(rows)-1].ID
		}
		p.row.Note = ""
		serr := p.save(func(tx *store.Tx) error {
			for i, row := range rows {
				if done[i] == nil {
					continue
				}
				b, err := json.Marshal(done[i])
				if err != nil {
					return err
				}
				err = sqlc.New(tx).DetailDifference(p.ctx, sqlc.DetailDifferenceParams{ID: row.ID, Mark: row.Mark, Details: string(b), Sure: done[i].Suggestion.Sure})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if serr != nil || err != nil {
			return errors.Join(serr, err)
		}
	}
}

// openBook reads all billing accounts.
func (r *Runner) openBook(ctx context.Context) (*book, error) {
	var list []account.Account
	for after := account.Alias(""); ; {
		page, err := r.people.Accounts(ctx, account.Filter{After: after, Limit: 1000})
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if len(page) < 1000 {
			return newBook(list), nil
		}
		after = page[len(page)-1].Alias
	}
}

// tenants looks into each tenant of ours.
func (p *pass) tenants() error {
	for {
		if job.Stopping(p.ctx) {
			return job.ErrStopping
		}
		rows, err := sqlc.New(p.r.db.Read()).TenantsAfter(p.ctx, sqlc.TenantsAfterParams{After: p.row.Place, Batch: sweepBatch})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			p.row.Phase, p.row.Place, p.row.Note = phaseEnd, "", ""
			return p.save(nil)
		}
		read := p.r.now()
		done := make([]*seen, len(rows))
		err = aside(p.ctx, sweepSide, len(rows), func(_ context.Context, i int) error {
			t, err := tenant(rows[i])
			if err != nil {
				return err
			}
			listed, err := sqlc.New(p.r.db.Read()).TenantListed(p.ctx, t.ID)
			if err != nil && !store.IsNone(err) {
				return err
			}
			s, err := p.tenant(t, listed >= p.row.StartedAt)
			if err != nil && p.passOver(err) {
				s, err = p.cannot(t, err), nil
			}
			if err == nil {
				done[i] = &s
			}
			return err
		})
		// What is done before the first gap is kept, so that a throttle costs one
		// batch at most; what is done behind it is found again.
		whole := 0
		for whole < len(done) && done[whole] != nil {
			whole++
		}
		if whole > 0 {
			p.row.Place = rows[whole-1].ID
		}
		p.row.Note = ""
		serr := p.save(func(tx *store.Tx) error {
			for i, s := range done[:whole] {
				p.row.Subscriptions += int64(s.subscriptions)
				if s.blind() { // what was known of it stays as it is
					p.row.Unseen++
					now := store.Micros(p.r.now())
					if err := sqlc.New(tx).TouchDifferences(p.ctx, sqlc.TouchDifferencesParams{Tenant: rows[i].ID, SeenAt: now}); err != nil {
						return err
					}
				}
				if err := p.keep(tx, s.found, read); err != nil {
					return err
				}
			}
			return nil
		})
		if serr != nil || err != nil {
			return errors.Join(serr, err)
		}
	}
}

// passOver tells whether one tenant's trouble must not hold up all the others.
func (p *pass) passOver(err error) bool {
	var alarm *token.Alarm
	if p.ctx.Err() != nil || errors.As(err, &alarm) || azure.HasCode(err, azure.CodeNoMFA) {
		return false
	}
	if azure.AsError(err) == nil && !errors.Is(err, fault.Unavailable) {
		return false // our bug, or our database
	}
	switch azure.Classify(err) {
	case azure.R1:
		return false
	case azure.R2:
		return p.last // asked again a few times first
	}
	return true
}

// cannot is a tenant that could not be looked into. What was known of it stays.
func (p *pass) cannot(t Tenant, err error) seen {
	return seen{found: []Difference{{
		Kind: DiffAccess, Object: customerObject(t.AzureID), Org: t.Org, Tenant: t.ID, AzureID: t.AzureID, Title: t.Domain,
		Text:     fmt.Sprintf("We cannot look into %s: %s", t.Domain, reason(err)),
		Proposal: FixIgnore, Fixes: []Fix{FixIgnore}, Remedy: "See in Partner Center what is wrong with it. This line goes away by itself when it can be read again.",
	}}}
}

// end resolves what was not seen any more in this pass.
func (p *pass) end() error {
	now := p.r.now()
	p.row.Phase, p.row.EndedAt, p.row.Slot, p.row.Note = phaseDone, store.Micros(now), p.row.ID, ""
	return p.save(func(tx *store.Tx) error {
		q := sqlc.New(tx)
		n, err := q.GoneDifferences(p.ctx, sqlc.GoneDifferencesParams{Now: store.Micros(now), Before: p.row.StartedAt})
		if err != nil {
			return err
		}
		p.row.Resolved = n
		return q.OldSweeps(p.ctx, store.Micros(now.Add(-sweepKept)))
	})
}

// aside does n things, so many at a time. The first error stops those that have
// not begun.
func aside(ctx context.Context, at, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(at, n) {
		all.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func sweep(r sqlc.Sweep) Sweep {
	return Sweep{
		ID: r.ID, Phase: r.Phase, Note: r.Note, Customers: int(r.Customers), Subscriptions: int(r.Subscriptions), Found: int(r.Found), Resolved: int(r.Resolved),
		Adopted: int(r.Adopted), Unseen: int(r.Unseen), StartedAt: store.Time(r.StartedAt), EndedAt: store.Time(r.EndedAt),
	}
}

func saved(r sqlc.Sweep) sqlc.SaveSweepParams {
	return sqlc.SaveSweepParams{
		ID: r.ID, Slot: r.Slot, Phase: r.Phase, Place: r.Place, Note: r.Note, Customers: r.Customers, Subscriptions: r.Subscriptions, Found: r.Found,
		Resolved: r.Resolved, Adopted: r.Adopted, Unseen: r.Unseen, StartedAt: r.StartedAt, EndedAt: r.EndedAt,
	}
}
