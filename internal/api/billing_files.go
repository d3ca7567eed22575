package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/usage"

	"github.com/danielgtaylor/huma/v2"
)

// Accounting is where the partner's accounting is told of what was issued and posted.
type Accounting struct {
	URL  string           `json:"url" doc:"Empty: nowhere."`
	Open []AccountingOpen `json:"open" doc:"What it was not told yet, the oldest first, at most 500."`
}

// AccountingOpen is an event that did not arrive yet.
type AccountingOpen struct {
	ID       string    `json:"id"`
	Since    time.Time `json:"since"`
	Next     time.Time `json:"next" doc:"Try."`
	Attempts int64     `json:"attempts"`
	Answer   string    `json:"answer,omitempty" doc:"To the last one."`
}

type focusIn struct {
	ByAlias
	ByMonth
	Format string `query:"format" default:"csv" enum:"csv,parquet"`
}

type accountingIn struct {
	Body struct {
		URL    string `json:"url" maxLength:"2000" doc:"Empty: nowhere."`
		Secret string `json:"secret,omitempty" maxLength:"500" doc:"It signs what is sent, as Standard Webhooks says: 24 bytes or more, or whsec_ and their base64. Left out: the one that is set."`
	}
}

func (s *Server) routeBillingFiles() {
	download(s, op{id: "get-focus", is: "GET /accounts/{alias}/focus/{month}", tag: "billing", text: "What an account gets for a month, in FOCUS 1.2", act: account.ActAccountView,
		more: "The rows of every issued document that closes the month: their billed cost adds up to its total with tax. Before there is one, the usage as it is known now."}, func(ctx context.Context, a account.Actor, in *focusIn, w io.Writer) error {
		return s.Billing.Focus(ctx, a, account.Alias(in.Alias), usage.Month(in.Month), billing.Format(in.Format), w)
	})
	download(s, op{id: "export-documents", is: "GET /billing/months/{month}/documents.jsonl", tag: "billing", text: "Documents issued in a month, for accounting", act: account.ActBillingView}, func(ctx context.Context, a account.Actor, in *ByMonth, w io.Writer) error {
		return s.Billing.WriteDocuments(ctx, a, usage.Month(in.Month), w)
	})
	download(s, op{id: "export-journal", is: "GET /billing/months/{month}/journal.jsonl", tag: "billing", text: "Ledger entries of a month, for accounting", act: account.ActBillingView}, func(ctx context.Context, a account.Actor, in *ByMonth, w io.Writer) error {
		return s.Billing.WriteJournal(ctx, a, usage.Month(in.Month), w)
	})
	handle(s, op{id: "get-accounting", is: "GET /billing/accounting", tag: "billing", text: "Where accounting is told, and what it was not told yet", act: account.ActBillingChange}, s.getAccounting)
	act(s, op{id: "set-accounting", is: "PUT /billing/accounting", tag: "billing", text: "Say where accounting is told", act: account.ActBillingChange}, func(ctx context.Context, a account.Actor, in *accountingIn) error {
		return s.Billing.SetAccountingHook(ctx, a, in.Body.URL, in.Body.Secret)
	})
}

func (s *Server) getAccounting(ctx context.Context, a account.Actor, _ *none) (Accounting, error) {
	url, err := s.Billing.AccountingHook(ctx, a)
	if err != nil {
		return Accounting{}, err
	}
	open, err := s.Billing.AccountingOpen(ctx, a)
	return Accounting{url, each(open, func(d billing.AccountingDelivery) AccountingOpen { return AccountingOpen(d) })}, err
}

// download registers an operation that answers with a file of any size. It is made whole
// before its first byte is sent, so that what breaks off is not taken for the whole.
func download[I any](s *Server, o op, write func(context.Context, account.Actor, *I, io.Writer) error) {
	operation := s.declare(o)
	operation.Responses = map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
	}}}
	huma.Register(s.huma, operation, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		f, err := whole(func(w io.Writer) error { return write(ctx, actor(ctx), in, w) })
		if err != nil {
			return nil, fail(s.Log, requestID(ctx), err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.SetHeader("Content-Type", "application/octet-stream")
			_, err := io.Copy(c.BodyWriter(), f)
			if err = errors.Join(err, f.Close()); err != nil {
				s.Log.Warn("a file was not sent to its end", "operation", o.id, "request", requestID(ctx), "error", err)
			}
		}}, nil
	})
}

// whole writes a file that has no name any more, and gives it from its beginning.
func whole(write func(io.Writer) error) (*os.File, error) {
	f, err := os.CreateTemp("", "causeway-*")
	if err != nil {
		return nil, fmt.Errorf("make a file: %w", err)
	}
	err = os.Remove(f.Name())
	if err == nil {
		w := bufio.NewWriter(f)
		if err = write(w); err == nil {
			err = w.Flush()
		}
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
