package cli

import (
	"context"
	"errors"
	"time"

	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/store"
)

// Kinds of job that belong to no noun.
const (
	jobRenew = "renew-sign-in" // keeps the partner's refresh token alive
	jobSweep = "sweep"         // erases sessions, counters and connections that have ended
)

// renewAge: a refresh token dies after 90 days without use; a week leaves room
// for twelve failures. https://learn.microsoft.com/partner-center/developer/enable-secure-app-model
const renewAge = 7 * 24 * time.Hour

// housekeeping names the handlers of the jobs that come again and again.
func (a *App) housekeeping() {
	if !a.Config.worker() {
		return
	}
	a.Jobs.Handle(jobRenew, a.renew)
	a.Jobs.Handle(jobSweep, a.sweep)
}

// startWork puts into the queue what every installation needs, once per database.
func (a *App) startWork(ctx context.Context) error {
	if err := a.Provision.Tidy(ctx); err != nil {
		return err
	}
	if err := a.Provision.Watch(ctx); err != nil {
		return err
	}
	if err := a.Mail.Resume(ctx); err != nil {
		return err
	}
	if a.Config.Azure.Cloud != azure.China { // there are no exports there
		if err := a.Fetch.Watch(ctx); err != nil {
			return err
		}
	}
	return a.DB.Tx(ctx, func(tx *store.Tx) error {
		if err := a.Jobs.Add(ctx, tx, jobRenew, "", struct{}{}, time.Time{}); err != nil {
			return err
		}
		if err := a.Billing.Start(ctx, tx); err != nil {
			return err
		}
		return a.Jobs.Add(ctx, tx, jobSweep, "", struct{}{}, time.Time{})
	})
}

// renew asks every few hours whether a week is over. A refusal is in the
// partner's row as an alarm, which doctor and the staff page show.
func (a *App) renew(ctx context.Context, _ job.Job) error {
	next := 6 * time.Hour
	done, err := a.Custody.RefreshIfOlder(ctx, renewAge)
	switch {
	case errors.Is(err, fault.Forbidden):
		a.Config.Log.Info("the partner's sign-in is not renewed", "reason", err.Error())
		next = time.Hour
	case err != nil:
		return err
	case done:
		a.Config.Log.Info("the partner's sign-in was renewed")
	}
	return job.Wait{Until: a.Config.Now().Add(next), Why: "renewed weekly"}
}

func (a *App) sweep(ctx context.Context, _ job.Job) error {
	if err := a.People.Sweep(ctx); err != nil {
		return err
	}
	return job.Wait{Until: a.Config.Now().Add(time.Hour), Why: "again in an hour"}
}
