package billing

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/ledger"
	"causeway/internal/store"
)

// The partner's accounting is told of each document and each ledger entry by a call as
// Standard Webhooks has it (https://www.standardwebhooks.com): webhook-id is the id of
// the event and the same at each try, webhook-timestamp the second of the try, and
// webhook-signature "v1," and the base64 of HMAC-SHA-256 over id.timestamp.body. Whoever
// gets it keeps the ids: what is not answered with 2xx comes again, until it is.

// hookSecret is what the sealed secret belongs to.
const hookSecret = "accounting-hook" // #nosec G101 -- a name

// SetAccountingHook says where accounting is told, from now on; "" = nowhere. The secret
// is of at least 24 bytes, or whsec_ and their base64; "" = the one that is set.
func (c *Cycle) SetAccountingHook(ctx context.Context, a account.Actor, to, secret string) error {
	if err := account.May(a, account.ActBillingChange, ""); err != nil {
		return err
	}
	host, err := hookHost(to)
	if err != nil {
		return err
	}
	if c.ring == nil {
		return fault.New(fault.Unavailable, "This process has no key to keep the webhook's secret.")
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		was, err := q.AccountingHook(ctx)
		if err != nil && !store.IsNone(err) {
			return fmt.Errorf("accounting: %w", err)
		}
		sealed := was.Secret
		if secret != "" {
			if _, err := hookKey(secret); err != nil {
				return err
			}
			if sealed, err = c.ring.Seal(secret, hookSecret); err != nil {
				return err
			}
		}
		if to != "" && sealed == "" {
			return fault.Field("secret", "The webhook has no secret.", "Give one, so that what arrives can be told from a forgery.")
		}
		now := c.now()
		if err := q.SaveAccountingHook(ctx, sqlc.SaveAccountingHookParams{Url: to, Secret: sealed, ChangedAt: store.Micros(now), ChangedBy: a.ID()}); err != nil {
			return fmt.Errorf("accounting: %w", err)
		}
		if to != "" { // what waits is tried there at once
			if err := c.jobs.Add(ctx, tx, JobAccounting, "", struct{}{}, time.Time{}); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, audit.Entry{At: now, Actor: a.ID(), Action: "billing.accounting-hook", Object: "billing:accounting", Address: a.Address, Detail: map[string]any{"host": host, "new_secret": secret != ""}})
	})
}

// AccountingHook is where accounting is told, "" = nowhere. The secret is never given.
func (c *Cycle) AccountingHook(ctx context.Context, a account.Actor) (string, error) {
	if err := account.May(a, account.ActBillingChange, ""); err != nil {
		return "", err
	}
	row, err := sqlc.New(c.db.Read()).AccountingHook(ctx)
	if err != nil && !store.IsNone(err) {
		return "", fmt.Errorf("accounting: %w", err)
	}
	return row.Url, nil
}

// hookHost checks an address, and gives what of it may be shown anywhere.
func hookHost(to string) (string, error) {
	if to == "" {
		return "", nil
	}
	u, err := url.Parse(to)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || len(to) > 2000 || store.CheckText("url", to) != nil {
		return "", fault.Field("url", "This is no address of a webhook.", "Give one like https://books.example/causeway, without a name and a password in it.")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fault.Field("url", "The webhook would be called without encryption.", "Give an address with https.")
	}
	return u.Host, nil
}

func hookKey(secret string) ([]byte, error) {
	key := []byte(secret)
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, fault.Field("secret", "What comes after whsec_ is not base64.", "Give the secret as it was made.")
		}
	}
	if len(key) < 24 {
		return nil, fault.Field("secret", "The webhook's secret is too short.", "Give at least 24 random bytes.")
	}
	return key, nil
}

// AccountingDelivery is an event that did not arrive yet.
type AccountingDelivery struct {
	ID       string    `json:"id"`
	Since    time.Time `json:"since"`
	Next     time.Time `json:"next"` // try
	Attempts int64     `json:"attempts"`
	Answer   string    `json:"answer,omitempty"` // to the last one
}

// AccountingOpen lists what accounting was not told yet, the oldest first, at most 500.
func (c *Cycle) AccountingOpen(ctx context.Context, a account.Actor) ([]AccountingDelivery, error) {
	if err := account.May(a, account.ActBillingView, ""); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(c.db.Read()).OpenAccountingEvents(ctx, 500)
	if err != nil {
		return nil, fmt.Errorf("accounting: %w", err)
	}
	list := make([]AccountingDelivery, len(rows))
	for i, r := range rows {
		list[i] = AccountingDelivery{r.ID, store.Time(r.MadeAt), store.Time(r.DueAt), r.Attempts, r.Answer}
	}
	return list, nil
}

// post writes an entry into the journal, and has accounting told of it.
func (c *Cycle) post(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	if err := c.journal.Post(ctx, tx, e); err != nil {
		return err
	}
	return c.tell(ctx, tx, eventEntry+e.Key)
}

// tell keeps an event for accounting in the transaction of what it is about.
func (c *Cycle) tell(ctx context.Context, tx *store.Tx, id string) error {
	q := sqlc.New(tx)
	hook, err := q.AccountingHook(ctx)
	if store.IsNone(err) || err == nil && hook.Url == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	if err := q.AddAccountingEvent(ctx, sqlc.AddAccountingEventParams{ID: id, MadeAt: store.Micros(c.now())}); err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	return c.jobs.Add(ctx, tx, JobAccounting, "", struct{}{}, time.Time{})
}

// doAccounting tells what is due, the oldest first. An event that is refused waits by
// itself; where nobody answers, all of them do.
func (c *Cycle) doAccounting(ctx context.Context, _ job.Job) error {
	const batch = 100
	hook, err := sqlc.New(c.db.Read()).AccountingHook(ctx)
	if store.IsNone(err) || err == nil && hook.Url == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	if c.ring == nil {
		return fault.New(fault.Unavailable, "this process has no key for the secret of the webhook to accounting")
	}
	secret, err := c.ring.Open(hook.Secret, hookSecret)
	if err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	key, err := hookKey(secret)
	if err != nil {
		return err
	}
	for {
		due, err := sqlc.New(c.db.Read()).DueAccountingEvents(ctx, sqlc.DueAccountingEventsParams{Now: store.Micros(c.now()), Batch: batch})
		if err != nil {
			return fmt.Errorf("accounting: %w", err)
		}
		for _, e := range due {
			if job.Stopping(ctx) {
				return job.ErrStopping
			}
			body, err := c.eventOf(ctx, e.ID)
			if err != nil {
				return err
			}
			answer, status := c.call(ctx, hook.Url, key, e.ID, body)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			arrived, next := status >= 200 && status < 300, c.now().Add(min(time.Second<<min(e.Attempts, 12), time.Hour))
			err = c.db.Tx(ctx, func(tx *store.Tx) error {
				q := sqlc.New(tx)
				if arrived {
					return q.AccountingDelivered(ctx, sqlc.AccountingDeliveredParams{ID: e.ID, Now: store.Micros(c.now()), Answer: answer})
				}
				return q.AccountingFailed(ctx, sqlc.AccountingFailedParams{ID: e.ID, Answer: answer, DueAt: store.Micros(next)})
			})
			if err != nil {
				return fmt.Errorf("accounting: %w", err)
			}
			if !arrived {
				c.log.Warn("accounting was not told", "event", e.ID, "attempt", e.Attempts+1, "answer", answer)
			}
			if down := status == 0 || status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout; !arrived && down {
				return job.Wait{Until: next, Why: "accounting does not answer: " + answer}
			}
		}
		if len(due) < batch {
			break
		}
	}
	next, err := sqlc.New(c.db.Read()).NextAccountingEvent(ctx)
	if err != nil {
		return fmt.Errorf("accounting: %w", err)
	}
	if next == 0 {
		return nil
	}
	return job.Wait{Until: store.Time(next), Why: "accounting refused an event"}
}

func accountingClient() *http.Client {
	return &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// call sends an event; status 0 = there was no answer. Neither the address nor the
// secret is in what it gives.
func (c *Cycle) call(ctx context.Context, to string, key []byte, id string, body []byte) (answer string, status int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return "the address cannot be called", 0
	}
	at := strconv.FormatInt(c.now().Unix(), 10)
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte(id + "." + at + "."))
	_, _ = m.Write(body)
	for name, v := range map[string]string{"Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": at, "webhook-signature": "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))} {
		req.Header.Set(name, v)
	}
	res, err := c.outside.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", ""), ""), 0
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16)) // so that the connection is used again
	return "answered " + strconv.Itoa(res.StatusCode), res.StatusCode
}
