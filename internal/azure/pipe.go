package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"causeway/internal/fault"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
)

// Identity says in whose name a call is made.
type Identity int

// The three ways to call.
const (
	Nobody  Identity = iota // no token: the token endpoint itself
	AppOnly                 // our application, by its secret
	AppUser                 // our application for the partner's user who consented with MFA
)

// TokenRequest names one access token.
type TokenRequest struct {
	As       Identity
	Tenant   string // tenant id; "" = the partner's
	Resource string // audience, e.g. https://management.azure.com/
}

// Tokens gives access tokens; internal/azure/token does, with custody.
type Tokens interface {
	// Token gives a token that is good for a while, or the reason why not.
	Token(context.Context, TokenRequest) (string, error)
	// Drop forgets a token that a service refused, so that the next call gets a
	// new one. A token other than the one in hand is left alone.
	Drop(ctx context.Context, r TokenRequest, token string)
}

// Pipe makes the calls of all clients. It is safe for many goroutines.
type Pipe struct {
	cfg    Config
	line   runtime.Pipeline
	gov    *Governor
	tokens Tokens
	stale  *stale
}

// New makes the pipe. Its retries are off: azcore would send a POST four times,
// also after a lost answer, and sleep Retry-After out in the worker.
func New(cfg Config) (*Pipe, error) {
	cfg, err := cfg.whole()
	if err != nil {
		return nil, err
	}
	client := *cfg.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a token goes only where we sent it
	opts := policy.ClientOptions{Transport: &client, Retry: policy.RetryOptions{MaxRetries: -1}}
	return &Pipe{
		cfg: cfg, gov: NewGovernor(cfg.Now, nil, cfg.Minute), stale: &stale{of: map[TokenRequest]refusedTokens{}},
		line: runtime.NewPipeline("causeway", "v0.1.0", runtime.PipelineOptions{}, &opts),
	}, nil
}

// With gives a pipe that takes its tokens from t and shares everything else.
func (p *Pipe) With(t Tokens) *Pipe {
	q := *p
	q.tokens = t
	return &q
}

// Governed gives a pipe that shares its limits with others and everything else
// with p.
func (p *Pipe) Governed(g *Governor) *Pipe {
	q := *p
	q.gov = g
	return &q
}

// Config is the pipe's settings, completed with the cloud's own.
func (p *Pipe) Config() Config { return p.cfg }

// Now is the pipe's clock.
func (p *Pipe) Now() time.Time { return p.cfg.Now() }

// Call is one request.
type Call struct {
	Service Service
	As      Identity
	Tenant  string // whose tenant the token is for; "" = the partner's

	Group    string // throttle group, e.g. "orders": calls that share a limit
	Customer string // the customer the call is about: limits are per partner, or per partner and customer

	Method  string
	Path    string // from Path: escaped, begins with a slash; or a link as Microsoft gave it
	Query   url.Values
	Header  http.Header
	Request RequestID // "" = a new one, right for reads

	In   any        // sent as JSON, if not nil
	Form url.Values // sent as a form, instead of In

	Out      any     // the answer is decoded into it, if not nil
	Raw      *[]byte // the answer as it came, instead of Out: a document. No record keeps it
	Empty    bool    // an answer without a body is right
	Timeout  time.Duration
	Optional []int // statuses ≥ 400 that are answers, not errors: 404 of a free domain
}

// Answer is what came back beside the body.
type Answer struct {
	Status int
	Header http.Header
	// RequestID and CorrelationID are Microsoft's echo, the first of doubled values.
	RequestID, CorrelationID string
	RetryAfter               time.Duration
}

// ETag is the answer's etag header.
func (a Answer) ETag() string { return First(a.Header, "ETag") }

// First is the first value of a header that some gateways send twice in one,
// comma-joined ("en-US,en-US").
func First(h http.Header, name string) string {
	v, _, _ := strings.Cut(h.Get(name), ",")
	return strings.TrimSpace(v)
}

// Path builds a path from a pattern and ids, each escaped. An empty id makes
// the path unusable: DELETE /customers/{""} would be another resource.
func Path(pattern string, ids ...string) string {
	args := make([]any, len(ids))
	for i, id := range ids {
		if id == "" || id == "." || id == ".." {
			id = "//"
		} else {
			id = url.PathEscape(id)
		}
		args[i] = id
	}
	return fmt.Sprintf(pattern, args...)
}

// Do makes the call once. A refusal is an *Error; an error before anything was
// sent is marked so (see Unknown).
func (p *Pipe) Do(ctx context.Context, c Call) (Answer, error) {
	target, err := p.target(c)
	if err != nil {
		return Answer{}, NotSent(err)
	}
	if err := ctx.Err(); err != nil {
		return Answer{}, NotSent(err)
	}
	pass, err := p.gov.Admit(ctx, c.Service, c.Group, c.Customer)
	if err != nil {
		return Answer{}, NotSent(err)
	}
	x := &call{Call: c, pipe: p, url: target, correlation: Correlation(ctx)}
	if x.correlation == "" {
		x.correlation = NewCorrelationID()
	}
	if x.Request == "" {
		x.Request = NewRequestID()
	}
	if err := x.fetchToken(ctx); err != nil {
		p.gov.Cancel(ctx, pass)
		return Answer{}, NotSent(err)
	}
	a, err := x.do(ctx)
	if lerr := p.gov.Learn(ctx, pass, a.Status, a.RetryAfter); lerr != nil {
		p.cfg.Log.Error("throttle", "error", lerr) // the answer counts all the same
	}
	if x.token == "" {
		return a, err
	}
	if a.Status != http.StatusUnauthorized {
		if a.Status != 0 {
			p.stale.taken(x.tokenRequest(), x.token)
		}
		return a, err
	}
	p.tokens.Drop(ctx, x.tokenRequest(), x.token)
	if e := AsError(err); e != nil {
		e.StaleToken = p.stale.refused(x.tokenRequest(), x.token)
	}
	return a, err
}

// freshTokens is how many tokens in a row must be refused before a 401 means that
// we have no right, and not that a token was spent early.
const freshTokens = 3

// stale counts tokens that were refused, one after another, for each kind.
type stale struct {
	mu sync.Mutex
	of map[TokenRequest]refusedTokens
}

type refusedTokens struct {
	last string
	n    int
}

// taken notes that a service accepted a token.
func (s *stale) taken(r TokenRequest, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[r].last != token { // an older token's answer that came late says nothing
		delete(s.of, r)
	}
}

// refused notes a 401 and tells whether another token may help.
func (s *stale) refused(r TokenRequest, token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.of[r]
	if x.last != token {
		x.last, x.n = token, x.n+1
	}
	s.of[r] = x
	return x.n < freshTokens
}

// List reads all pages of a list in the form of Azure Resource Manager and Graph
// ({value, nextLink}); the next link is followed as given. An error gives nothing,
// for half a list looks like a whole one.
func List[T any](ctx context.Context, p *Pipe, c Call) ([]T, error) {
	var all []T
	seen := map[string]bool{}
	for {
		var page struct {
			Value     []T
			NextLink  string
			ODataNext string `json:"@odata.nextLink"`
		}
		c.Out = &page
		if _, err := p.Do(ctx, c); err != nil {
			return nil, err
		}
		all = append(all, page.Value...)
		next := page.NextLink + page.ODataNext
		if next == "" {
			return all, nil
		}
		if seen[next] {
			return nil, fault.New(fault.Unavailable, "%s gave the same page twice in a list", c.Service.Word())
		}
		seen[next] = true
		c.Path, c.Query, c.Request = next, nil, ""
	}
}

// target joins base and path; a link that Microsoft gave may be whole, but only
// of the same host, because our token goes with it.
func (p *Pipe) target(c Call) (*url.URL, error) {
	base, err := url.Parse(p.cfg.URL(c.Service))
	if err != nil {
		return nil, err
	}
	text := c.Path
	if !strings.HasPrefix(text, "/") {
		u, err := url.Parse(text)
		if err != nil || !strings.EqualFold(u.Host, base.Host) || u.Scheme != base.Scheme {
			return nil, fault.New(fault.Forbidden, "%s gave a link to another host; it was not followed", c.Service.Word())
		}
	} else {
		if path, _, _ := strings.Cut(text, "?"); strings.Contains(path, "//") {
			return nil, fault.New(fault.Invalid, "an id is missing in the call %s %s", c.Method, path)
		}
		text = strings.TrimRight(base.String(), "/") + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the path of the call %s cannot be read", c.Method)
	}
	if len(c.Query) > 0 {
		q := u.Query()
		for name, values := range c.Query {
			q[name] = values
		}
		u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // OData reads + as a plus
	}
	return u, nil
}

// call is one request on its way.
type call struct {
	Call
	pipe        *Pipe
	url         *url.URL
	correlation CorrelationID
	token       string
	secrets     redactor
	body        []byte
	kind        string // content type
	shown       string // the body as it may be kept
	answer      []byte // nil once its secrets are known
}

// clean takes secrets out of a text that is kept or shown. The answer is searched
// for secrets only now: most calls succeed and nobody records them.
func (x *call) clean(s string) string {
	if x.answer != nil {
		x.secrets.learnJSON(x.answer)
		x.answer = nil
	}
	return x.secrets.text(s)
}

func (x *call) tokenRequest() TokenRequest {
	return TokenRequest{As: x.As, Tenant: x.Tenant, Resource: x.pipe.cfg.Resource(x.Service)}
}

func (x *call) fetchToken(ctx context.Context) error {
	if x.As == Nobody {
		return nil
	}
	if x.pipe.tokens == nil {
		return fault.New(fault.Forbidden, "this process holds no key to the partner's tokens; only workers call Microsoft")
	}
	token, err := x.pipe.tokens.Token(ctx, x.tokenRequest())
	if err != nil {
		return fmt.Errorf("token for %s: %w", x.Service.Word(), err)
	}
	x.token = token
	x.secrets.learn(token)
	return nil
}

func (x *call) encode() error {
	switch {
	case x.Form != nil:
		x.body, x.kind = []byte(x.Form.Encode()), "application/x-www-form-urlencoded"
		x.shown = x.secrets.form(x.Form)
	case x.In != nil:
		b, err := json.Marshal(x.In)
		if err != nil {
			return fmt.Errorf("encode %s %s: %w", x.Method, x.url.Path, err)
		}
		x.body, x.kind = b, "application/json"
		x.secrets.learnJSON(b)
		x.shown = string(b)
	}
	return nil
}

func (x *call) request(ctx context.Context) (*policy.Request, error) {
	if err := x.encode(); err != nil {
		return nil, err
	}
	req, err := runtime.NewRequest(ctx, x.Method, x.url.String())
	if err != nil {
		return nil, fmt.Errorf("make request %s %s: %w", x.Method, x.url.Path, err)
	}
	runtime.SkipBodyDownload(req) // we bound the body ourselves
	if x.kind != "" {
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(x.body)), x.kind); err != nil {
			return nil, fmt.Errorf("make request %s %s: %w", x.Method, x.url.Path, err)
		}
	}
	h := req.Raw().Header
	h.Set("Accept", "application/json")
	if x.token != "" {
		h.Set("Authorization", "Bearer "+x.token)
	}
	switch x.Service {
	case PartnerCenter, Prices:
		h.Set("MS-RequestId", string(x.Request))
		h.Set("MS-CorrelationId", string(x.correlation))
		h.Set("MS-Contract-Version", "v1")
		h.Set("MS-PartnerCenter-Application", "Causeway")
		h.Set("X-Locale", x.pipe.cfg.Locale)
		if x.As == AppUser {
			h.Set("ValidateMfa", "true")
		}
	case ARM:
		h.Set("x-ms-client-request-id", string(x.Request))
		h.Set("x-ms-correlation-request-id", string(x.correlation))
	case Storage:
		h.Set("x-ms-client-request-id", string(x.Request))
		h.Set("Accept", "*/*")
		h.Set("Accept-Encoding", "identity") // else net/http would unpack what is to be kept as it is
	case Graph, Login:
		h.Set("client-request-id", string(x.Request))
		h.Set("return-client-request-id", "true")
	}
	for name, values := range x.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	return req, nil
}

// answerLimit bounds an answer: the longest documented page is a few MiB.
const answerLimit = 64 << 20

func (x *call) do(ctx context.Context) (Answer, error) {
	timeout := x.Timeout
	if timeout == 0 {
		timeout = x.pipe.cfg.Timeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := x.request(watchSent(limited, x.Method))
	if err != nil {
		return Answer{}, NotSent(err)
	}
	started := x.pipe.cfg.Now()
	begin := time.Now() // the exchange's length is real time, whatever the clock says
	resp, err := x.pipe.line.Do(req)
	var a Answer
	var body []byte
	if err == nil {
		a = Answer{Status: resp.StatusCode, Header: resp.Header}
		a.RequestID, a.CorrelationID = x.ids(resp.Header)
		a.RetryAfter = retryAfter(resp.Header, started)
		body, err = io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
		_ = resp.Body.Close()
		if err == nil && len(body) > answerLimit {
			err = fmt.Errorf("the answer is longer than %d bytes", answerLimit)
		}
	}
	body = bytes.TrimPrefix(body, []byte{0xEF, 0xBB, 0xBF})
	x.answer = body
	err = x.judge(a, body, err)
	x.record(ctx, a, req.Raw().Header, body, started, time.Since(begin), err)
	return a, err
}

func (x *call) ids(h http.Header) (request, correlation string) {
	for _, name := range []string{"MS-RequestId", "x-ms-request-id", "request-id", "Request-ID"} {
		if request = First(h, name); request != "" {
			break
		}
	}
	for _, name := range []string{"MS-CorrelationId", "x-ms-correlation-request-id", "client-request-id"} {
		if correlation = First(h, name); correlation != "" {
			break
		}
	}
	return request, correlation
}

// judge turns what came back into Out or an error.
func (x *call) judge(a Answer, body []byte, lost error) error {
	switch {
	case lost != nil && a.Status < 400:
		e := x.failure(a)
		e.Unreadable = a.Status != 0
		e.cause = x.cause(lost)
		e.Message = e.cause.Error()
		return e
	case slices.Contains(x.Optional, a.Status):
		return nil
	case a.Status >= 300, refused(x.Service, body): // a refusal is known even if its body is not
		e := x.failure(a)
		e.read(x.clean(string(body)))
		return e
	case x.Raw != nil:
		*x.Raw = body
		return nil
	case x.Out == nil, len(bytes.TrimSpace(body)) == 0 && (x.Empty || a.Status == http.StatusNoContent):
		return nil
	}
	if err := json.Unmarshal(body, x.Out); err != nil {
		e := x.failure(a)
		e.Unreadable = true
		e.Message = x.clean(err.Error())
		e.Raw = cut(x.clean(string(body)), rawLimit)
		return e
	}
	return nil
}

// failure is an error with all that is known of the exchange but its body.
func (x *call) failure(a Answer) *Error {
	e := &Error{
		Service: x.Service, Method: x.Method, Path: x.clean(x.url.RequestURI()), Status: a.Status,
		RequestID: string(x.Request), CorrelationID: string(x.correlation), RetryAfter: a.RetryAfter,
	}
	if a.RequestID != "" && x.Service != PartnerCenter { // Partner Center echoes ours; others have their own
		e.RequestID = a.RequestID
	}
	if a.CorrelationID != "" {
		e.CorrelationID = a.CorrelationID
	}
	if a.Header != nil {
		e.CV = First(a.Header, "MS-CV")
		e.Challenge = x.clean(a.Header.Get("WWW-Authenticate"))
	}
	return e
}

// refused finds the one documented error that is sent as a success.
func refused(s Service, body []byte) bool {
	if s != PartnerCenter || !bytes.Contains(body, []byte("400072")) {
		return false
	}
	var b struct{ Code Text }
	return json.Unmarshal(body, &b) == nil && b.Code == "400072"
}

// lostError is why there was no answer, without the URL that net/http puts into
// its errors (it may hold a secret). Is and As still find the cause.
type lostError struct {
	text string
	err  error
}

func (l lostError) Error() string { return l.text }
func (l lostError) Is(target error) bool {
	return errors.Is(l.err, target)
}

func (x *call) cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "no answer in time"
	}
	return lostError{x.clean(text), err}
}

func (x *call) record(ctx context.Context, a Answer, sent http.Header, body []byte, started time.Time, took time.Duration, err error) {
	f := recorder(ctx)
	if f == nil {
		return
	}
	e := Exchange{
		Service: x.Service, Method: x.Method, URL: x.clean(x.url.String()), RequestID: string(x.Request), CorrelationID: string(x.correlation),
		Request: Message{Headers: x.secrets.headers(sent), Body: cut(x.clean(x.shown), bodyLimit)},
		Status:  a.Status, Started: started.UTC(), Took: took,
	}
	if x.Raw != nil && a.Status < 300 {
		body = fmt.Appendf(nil, "%d bytes", len(body))
	}
	if a.Header != nil {
		e.CV = First(a.Header, "MS-CV")
		e.Response = Message{Headers: x.secrets.headers(a.Header), Body: cut(x.clean(string(body)), bodyLimit)}
	}
	if err != nil {
		e.Error = x.clean(err.Error())
	}
	f(ctx, e)
}

// retryAfter reads the time to wait: seconds, a date, or ARM's milliseconds.
func retryAfter(h http.Header, now time.Time) time.Duration {
	for _, name := range []string{"retry-after-ms", "x-ms-retry-after-ms"} {
		if ms, err := strconv.ParseFloat(First(h, name), 64); err == nil && ms > 0 {
			return time.Duration(ms * float64(time.Millisecond))
		}
	}
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	if s, err := strconv.ParseFloat(First(h, "Retry-After"), 64); err == nil && s > 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	return 0
}
