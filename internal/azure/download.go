package azure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"causeway/internal/fault"
)

// Download reads a file of Azure Storage into w and tells how long it is. The
// signature (SAS) is the only key: no token is sent, and the signature is in no
// exchange, log or error. group is the throttle group.
//
// A file that ends before its length, and one that stops coming for as long as a
// call may take, is an Unreadable *Error. An error of w is given as it is.
// https://learn.microsoft.com/rest/api/storageservices/get-blob
func (p *Pipe) Download(ctx context.Context, group, address string, signature Secret, w io.Writer) (int64, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return 0, NotSent(fault.New(fault.Forbidden, "Microsoft named a file that is at no https address; it was not read"))
	}
	x := &call{Call: Call{Service: Storage, Group: group, Method: http.MethodGet, Request: NewRequestID()}, pipe: p, url: u, correlation: Correlation(ctx)}
	if x.correlation == "" {
		x.correlation = NewCorrelationID()
	}
	x.secrets.learn(signature.Reveal())
	if q, err := url.ParseQuery(signature.Reveal()); err == nil {
		x.secrets.learn(q["sig"]...)
	}
	pass, err := p.gov.Admit(ctx, Storage, group, "")
	if err != nil {
		return 0, NotSent(err)
	}
	a, n, err := x.download(ctx, signature, w)
	if lerr := p.gov.Learn(ctx, pass, a.Status, a.RetryAfter); lerr != nil {
		p.cfg.Log.Error("throttle", "error", lerr)
	}
	return n, err
}

func (x *call) download(ctx context.Context, signature Secret, w io.Writer) (Answer, int64, error) {
	timeout := x.pipe.cfg.Timeout
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
	defer stall.Stop()
	shown := x.url
	signed := *shown
	signed.RawQuery = signature.Reveal()
	x.url = &signed
	req, err := x.request(limited)
	x.url = shown
	if err != nil {
		return Answer{}, 0, NotSent(errors.New("the request for a file could not be made")) // err may hold the address
	}
	started := x.pipe.cfg.Now()
	begin := time.Now()
	resp, err := x.pipe.line.Do(req)
	if err != nil {
		if cause := context.Cause(limited); cause != nil && ctx.Err() == nil {
			err = cause
		}
		err = x.judge(Answer{}, nil, err)
		x.record(ctx, Answer{}, req.Raw().Header, nil, started, time.Since(begin), err)
		return Answer{}, 0, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or given up
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	a.RequestID, a.CorrelationID = x.ids(resp.Header)
	a.RetryAfter = retryAfter(resp.Header, started)
	if a.Status != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, rawLimit)) // what came of it is all there is to say
		body = bytes.TrimPrefix(body, []byte{0xEF, 0xBB, 0xBF})
		e := x.failure(a)
		e.read(x.clean(string(body)))
		x.record(ctx, a, req.Raw().Header, body, started, time.Since(begin), e)
		return a, 0, e
	}
	n, werr, err := pour(w, resp.Body, func() { stall.Reset(timeout) })
	if err == nil && resp.ContentLength >= 0 && n != resp.ContentLength && werr == nil {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		if cause := context.Cause(limited); cause != nil && ctx.Err() == nil {
			err = cause
		}
		err = x.judge(a, nil, fmt.Errorf("after %d bytes: %w", n, err))
	}
	x.record(ctx, a, req.Raw().Header, fmt.Appendf(nil, "%d bytes", n), started, time.Since(begin), errors.Join(err, werr))
	if werr != nil {
		return a, n, werr
	}
	return a, n, err
}

// pour copies and tells apart whose error it was.
func pour(w io.Writer, r io.Reader, came func()) (n int64, werr, rerr error) {
	buf := make([]byte, 256<<10)
	for {
		k, err := r.Read(buf)
		if k > 0 {
			came()
			m, err := w.Write(buf[:k])
			n += int64(m)
			if err != nil {
				return n, err, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil, nil
		}
		if err != nil {
			return n, nil, err
		}
	}
}
