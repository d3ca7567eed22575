package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// intent is the record of one thing that we mean to do at Microsoft, written
// before it is sent. While the outcome is unknown it keeps its request id:
// Partner Center then repeats its first answer instead of doing it again.
type intent struct {
	row   sqlc.Intent
	done  bool // confirmed before: nothing to do
	doubt bool // a try before this one may have taken effect
	lost  bool // the doubt is a restored backup's: what was sent since, and under which id, is forgotten
}

// RequestID to send with.
func (in intent) id() azure.RequestID { return azure.RequestID(in.row.RequestID) }

// since is when it was first sent.
func (in intent) since() time.Time { return store.Time(in.row.FirstSent) }

// result of a confirmed intent.
func (in intent) result(into any) error { return json.Unmarshal([]byte(in.row.Result), into) }

// The states of an intent. sent: on its way, or the process died then; unknown:
// no answer came. Both leave doubt. answered: refused, so a new id is used.
const (
	intentNew       = "new"
	intentSent      = "sent"
	intentUnknown   = "unknown"
	intentAnswered  = "answered"
	intentConfirmed = "confirmed"
)

// intend commits that we are about to do name, and how often we tried. A
// confirmed intent comes back as done; nothing is sent then.
func (w *work) intend(ctx context.Context, scope, name string) (intent, error) {
	var in intent
	if job.Stopping(ctx) {
		return in, job.ErrStopping // nothing is begun that another replica would have to doubt
	}
	err := w.tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		now := w.r.now()
		err := q.AddIntent(ctx, sqlc.AddIntentParams{
			ID: store.NewID(), Scope: scope, Name: name, RequestID: string(azure.NewRequestID()),
			Correlation: w.o.Correlation, CreatedAt: store.Micros(now),
		})
		if err != nil {
			return err
		}
		row, err := q.LockIntent(ctx, sqlc.LockIntentParams{Scope: scope, Name: name})
		if err != nil {
			return err
		}
		in = intent{row: row, done: row.State == intentConfirmed, doubt: row.State == intentSent || row.State == intentUnknown}
		in.lost = in.doubt && row.Tries == 0
		if in.done {
			return nil
		}
		if err := w.stillWanted(ctx, tx, in); err != nil {
			return err
		}
		in.row.State, in.row.Tries, in.row.LastSent = intentSent, row.Tries+1, store.Micros(now)
		if row.FirstSent == 0 {
			in.row.FirstSent = in.row.LastSent
		}
		return saveIntent(ctx, tx, in.row)
	})
	if err != nil {
		return in, fmt.Errorf("intend %s: %w", name, err)
	}
	if !in.done {
		w.sending.Store(place(name))
		job.Point(place(name) + ":before-send")
	}
	return in, nil
}

// stillWanted stops before something new is begun for an onboarding that is
// being cancelled; what may have happened already is finished first.
func (w *work) stillWanted(ctx context.Context, tx *store.Tx, in intent) error {
	if w.cancelling || in.doubt || w.errand != "" {
		return nil
	}
	row, err := sqlc.New(tx).GetOnboarding(ctx, string(w.o.ID))
	if err != nil {
		return err
	}
	if State(row.State) == Cancelling {
		return errCancelled
	}
	return nil
}

// errCancelled ends a step early: the same job goes on with the cancelling.
var errCancelled = errors.New("the onboarding is being cancelled")

// failed writes what is known after an error and gives back err.
func (w *work) failed(ctx context.Context, in intent, err error) error {
	if werr := w.learn(ctx, in, err); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}

// sent marks the moment at which Microsoft may have heard of an intent, and we of
// nothing.
func (w *work) sent() {
	if name, _ := w.sending.Load().(string); name != "" {
		job.Point(name + ":sent")
	}
}

// learn writes what is known after an error: with an answer, and no doubt from
// a try before, the next try has a new id; otherwise the id stays.
func (w *work) learn(ctx context.Context, in intent, err error) error {
	w.sending.Store("")
	job.Point(place(in.row.Name) + ":after-answer")
	if errors.Is(err, job.ErrFenced) || errors.Is(err, context.Canceled) {
		return nil // no longer ours to write
	}
	row := in.row
	switch {
	case azure.Unknown(err):
		row.State = intentUnknown
	case in.doubt:
		row.State = intentUnknown // this answer says nothing about the try before
	default:
		row.State, row.RequestID = intentAnswered, string(azure.NewRequestID())
	}
	return w.tx(ctx, func(tx *store.Tx) error { return saveIntent(ctx, tx, row) })
}

// settle ends the doubt after somebody looked and found no effect: the next try
// has a new id.
func (w *work) settle(ctx context.Context, in intent) error {
	in.row.State, in.row.RequestID = intentAnswered, string(azure.NewRequestID())
	return w.tx(ctx, func(tx *store.Tx) error { return saveIntent(ctx, tx, in.row) })
}

// confirm writes that it happened, in one transaction with what follows from it.
func (w *work) confirm(ctx context.Context, in intent, result any, then func(*store.Tx) error) error {
	w.sending.Store("")
	job.Point(place(in.row.Name) + ":after-answer")
	body, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("confirm %s: %w", in.row.Name, err)
	}
	row := in.row
	row.State, row.Result = intentConfirmed, string(body)
	err = w.tx(ctx, func(tx *store.Tx) error {
		if err := saveIntent(ctx, tx, row); err != nil {
			return err
		}
		if then == nil {
			return nil
		}
		return then(tx)
	})
	if err != nil {
		return fmt.Errorf("confirm %s: %w", in.row.Name, err)
	}
	job.Point(place(in.row.Name) + ":confirmed")
	*w.moved = true
	return nil
}

// once does an idempotent thing (a PUT under a name of ours, or one that is
// looked for first) and remembers that it is done.
func (w *work) once(ctx context.Context, scope, name string, do func(context.Context, intent) (any, error), then func(*store.Tx) error) error {
	in, err := w.intend(ctx, scope, name)
	if err != nil || in.done {
		return err
	}
	result, err := do(ctx, in)
	if err != nil {
		return w.failed(ctx, in, err)
	}
	return w.confirm(ctx, in, result, then)
}

func saveIntent(ctx context.Context, tx *store.Tx, row sqlc.Intent) error {
	return sqlc.New(tx).SaveIntent(ctx, sqlc.SaveIntentParams{
		ID: row.ID, RequestID: row.RequestID, State: row.State, Tries: row.Tries,
		FirstSent: row.FirstSent, LastSent: row.LastSent, Result: row.Result,
	})
}

// place names an intent for the crash tests: without the id that it may carry.
func place(name string) string {
	first, _, _ := strings.Cut(name, " ")
	return first
}

// onTenant and onThis name what an intent belongs to: a tenant outlives the
// onboarding that makes it, so another one can go on with the same request.
func (w *work) onTenant() string { return "tenant:" + w.o.Tenant }
func (w *work) onThis() string {
	if w.errand != "" {
		return w.errand
	}
	return "onboarding:" + string(w.o.ID)
}

// stuck is an error that only a person can mend.
func stuck(field, reason, remedy string) error { return fault.Field(field, reason, remedy) }
