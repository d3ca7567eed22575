package azure

import (
	"context"
	"net/http"
	"net/http/httptrace"
)

type ctxKey int

const (
	recorderKey ctxKey = iota
	correlationKey
	sentKey
	callerKey
)

// Recorder gets every exchange after it is over, secrets already taken out. It
// is called by the goroutine of the call and must not block for long.
type Recorder func(context.Context, Exchange)

// WithRecorder hands every exchange made under the context to f, in addition to
// recorders that are there already.
func WithRecorder(ctx context.Context, f Recorder) context.Context {
	if outer, ok := ctx.Value(recorderKey).(Recorder); ok {
		inner := f
		f = func(ctx context.Context, x Exchange) { outer(ctx, x); inner(ctx, x) }
	}
	return context.WithValue(ctx, recorderKey, f)
}

func recorder(ctx context.Context) Recorder {
	f, _ := ctx.Value(recorderKey).(Recorder)
	return f
}

// WithCorrelation gives all calls under the context one MS-CorrelationId.
func WithCorrelation(ctx context.Context, id CorrelationID) context.Context {
	return context.WithValue(ctx, correlationKey, id)
}

// Correlation is the context's MS-CorrelationId, "" if it has none.
func Correlation(ctx context.Context) CorrelationID {
	id, _ := ctx.Value(correlationKey).(CorrelationID)
	return id
}

// WithSent calls f each time that a write made under the context has been handed
// to the network: from then on it may take effect, whatever is heard of it. It is
// called by another goroutine than the call's.
func WithSent(ctx context.Context, f func()) context.Context {
	return context.WithValue(ctx, sentKey, f)
}

// watchSent tells the context's f when the request is written.
func watchSent(ctx context.Context, method string) context.Context {
	f, ok := ctx.Value(sentKey).(func())
	if !ok || method == http.MethodGet || method == http.MethodHead {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		if i.Err == nil {
			f()
		}
	}})
}

// WithCaller says for whom the calls under the context are made: their turn at a
// limit depends on it.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey, c)
}

func caller(ctx context.Context) Caller {
	c, ok := ctx.Value(callerKey).(Caller)
	if !ok {
		c.Class = Work
	}
	return c
}
