package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// FaultKind names a misbehaviour.
type FaultKind string

const (
	HangUpBefore    FaultKind = "hangup_before"      // the connection is reset and nothing happened
	HangUpAfter     FaultKind = "hangup_after"       // it happened, and the connection is reset
	FailBefore      FaultKind = "status"             // Status (default 500) and nothing happened
	FailAfter       FaultKind = "status_after"       // it happened, and the answer is Status (default 500)
	Throttled       FaultKind = "throttle"           // 429; RetryAfter (the vendor's time), negative = without the header
	Delay           FaultKind = "delay"              // the answer is held for Delay (the vendor's time) before the effect
	DelayAfter      FaultKind = "delay_after"        // the same, after the effect
	ByteOrderMark   FaultKind = "bom"                // the body begins with EF BB BF
	DoubleHeaders   FaultKind = "double_headers"     // ids and locale arrive as "x,x"
	StringNumbers   FaultKind = "string_numbers"     // numbers are sent as text
	DropMembers     FaultKind = "drop_members"       // Members are left out, wherever they are; default: links
	ExtraMembers    FaultKind = "extra_members"      // objects carry a member that nobody knows
	LagLists        FaultKind = "lag_lists"          // lists show only what is older than Delay (the vendor's time)
	ForgetRequestID FaultKind = "forget_request_ids" // an earlier answer of this request id is not remembered
	ExpireToken     FaultKind = "expire_token"       // the token is treated as expired
	LoseMFA         FaultKind = "lose_mfa"           // the token is treated as one without MFA
	HTMLBody        FaultKind = "html"               // Status (default 502) with a page of HTML, nothing happened
	RenameMembers   FaultKind = "rename_members"     // Members are "old=new"; wherever they are
	FailOperation   FaultKind = "fail_operation"     // a billing export is accepted and fails with Code (default 5000) and Message
	ExpireSAS       FaultKind = "expire_sas"         // the way to a blob counts as expired: 403 AuthenticationFailed
	TruncateBlob    FaultKind = "truncate"           // a blob is whole as HTTP goes, but its file ends in the middle
	CutBlob         FaultKind = "cut"                // a blob's connection is reset in the middle
	CorruptBlob     FaultKind = "corrupt"            // some bytes in the middle of a blob are others
)

// Fault is a misbehaviour of the calls that match On. It applies once unless Count
// or Probability say otherwise.
type Fault struct {
	ID          int             `json:"id"`
	On          string          `json:"on"` // "POST /v1/customers", "* /v1/customers/{}/carts", "GET /v1/*", "*"
	Kind        FaultKind       `json:"kind"`
	After       int             `json:"after,omitempty"`       // the first so many matching calls are spared
	Count       int             `json:"count,omitempty"`       // applies so often; 0 = once, or for ever with Probability or Until; negative = for ever
	Probability float64         `json:"probability,omitempty"` // of each matching call, drawn from the seeded source
	For         Duration        `json:"for,omitempty"`         // ends so much (vendor's) time after it was added
	Status      int             `json:"status,omitempty"`
	Code        any             `json:"code,omitempty"` // in the body of FailBefore and FailAfter
	Message     string          `json:"message,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"` // instead of the usual error body
	RetryAfter  int             `json:"retryAfter,omitempty"`
	Delay       Duration        `json:"delay,omitempty"`
	Members     []string        `json:"members,omitempty"`
	Applied     int             `json:"applied"`

	seen  int
	until time.Time
}

// faults holds what was asked for, in the order of asking.
type faults struct {
	mu     sync.Mutex
	list   []*Fault
	next   int
	random *rand.Rand
}

func (f *faults) add(x Fault, now time.Time, real func(time.Duration) time.Duration) (int, error) {
	if _, known := faultKinds[x.Kind]; !known {
		return 0, fmt.Errorf("fault %q is unknown", x.Kind)
	}
	if x.On == "" {
		x.On = "*"
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next++
	x.ID = f.next
	if x.For > 0 {
		x.until = now.Add(real(time.Duration(x.For)))
	}
	f.list = append(f.list, &x)
	return x.ID, nil
}

var faultKinds = map[FaultKind]struct{}{
	HangUpBefore: {}, HangUpAfter: {}, FailBefore: {}, FailAfter: {}, Throttled: {}, Delay: {}, DelayAfter: {},
	ByteOrderMark: {}, DoubleHeaders: {}, StringNumbers: {}, DropMembers: {}, ExtraMembers: {}, LagLists: {},
	ForgetRequestID: {}, ExpireToken: {}, LoseMFA: {}, HTMLBody: {}, RenameMembers: {},
	FailOperation: {}, ExpireSAS: {}, TruncateBlob: {}, CutBlob: {}, CorruptBlob: {},
}

func (f *faults) remove(id int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, x := range f.list {
		if x.ID == id {
			f.list = append(f.list[:i], f.list[i+1:]...)
			return
		}
	}
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

func (f *faults) all() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Fault, 0, len(f.list))
	for _, x := range f.list {
		out = append(out, *x)
	}
	return out
}

// draw returns the faults that hit this call and counts them.
func (f *faults) draw(r *route, path string, now time.Time) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 {
		return nil
	}
	var hit []Fault
	for _, x := range f.list {
		if !x.matches(r, path) || (!x.until.IsZero() && !now.Before(x.until)) {
			continue
		}
		x.seen++
		if x.seen <= x.After {
			continue
		}
		limit := x.Count
		if limit == 0 && x.Probability == 0 && x.until.IsZero() {
			limit = 1
		}
		if limit > 0 && x.Applied >= limit {
			continue
		}
		if x.Probability > 0 && f.random.Float64() >= x.Probability {
			continue
		}
		x.Applied++
		hit = append(hit, *x)
	}
	return hit
}

// matches compares the pattern with the route's template and with the real path.
// Parameter names do not count: {} and {customer} are the same.
func (x *Fault) matches(r *route, path string) bool {
	if r.service == serviceControl {
		return false
	}
	if x.On == "*" {
		return true
	}
	method, pattern, found := strings.Cut(x.On, " ")
	if !found {
		method, pattern = "*", x.On
	}
	if method != "*" && !strings.EqualFold(method, r.method) {
		return false
	}
	pattern = nameless(pattern)
	for _, p := range []string{nameless(r.path), strings.ToLower(path)} {
		if p == pattern {
			return true
		}
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

func nameless(template string) string {
	var b strings.Builder
	inside := false
	for _, r := range strings.ToLower(template) {
		switch {
		case r == '{':
			inside = true
			b.WriteString("{}")
		case r == '}':
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func find(list []Fault, kinds ...FaultKind) *Fault {
	for i := range list {
		if has(kinds, list[i].Kind) {
			return &list[i]
		}
	}
	return nil
}

// reshape does to an encoded body what the shape faults ask for.
func reshape(body []byte, hit []Fault) []byte {
	change := false
	for _, f := range hit {
		switch f.Kind {
		case StringNumbers, DropMembers, ExtraMembers, RenameMembers:
			change = true
		}
	}
	if change && len(body) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var v any
		if d.Decode(&v) == nil {
			for _, f := range hit {
				v = f.reshape(v)
			}
			if b, err := json.Marshal(v); err == nil {
				body = b
			}
		}
	}
	if find(hit, ByteOrderMark) != nil && len(body) > 0 {
		body = append(append([]byte{}, bom...), body...)
	}
	return body
}

func (x *Fault) reshape(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, inner := range t {
			if x.Kind == DropMembers && (has(x.Members, k) || (len(x.Members) == 0 && k == "links")) {
				delete(t, k)
				continue
			}
			t[k] = x.reshape(inner)
		}
		if x.Kind == RenameMembers {
			for _, pair := range x.Members {
				from, to, _ := strings.Cut(pair, "=")
				if v, there := t[from]; there {
					delete(t, from)
					t[to] = v
				}
			}
		}
		if x.Kind == ExtraMembers {
			t["simulatedExtra"] = map[string]any{"note": "a member that no page documents", "n": 1}
		}
		return t
	case []any:
		for i := range t {
			t[i] = x.reshape(t[i])
		}
		return t
	case json.Number:
		if x.Kind == StringNumbers {
			return t.String()
		}
	}
	return v
}

// Fail adds a fault to the endpoint pattern and returns its id.
func (s *Server) Fail(on string, f Fault) int {
	f.On = on
	id, err := s.faults.add(f, s.Clock.Now(), s.Clock.Real)
	if err != nil {
		panic(err) // a test named a kind that does not exist
	}
	return id
}

// HangUpAfter makes the next matching call happen and lose its answer.
func (s *Server) HangUpAfter(on string) int { return s.Fail(on, Fault{Kind: HangUpAfter}) }

// HangUpBefore makes the next matching call end in a reset, without any effect.
func (s *Server) HangUpBefore(on string) int { return s.Fail(on, Fault{Kind: HangUpBefore}) }

// ThrottleNext makes the next matching call a 429 that asks to wait so many
// (vendor's) seconds.
func (s *Server) ThrottleNext(on string, retryAfter int) int {
	return s.Fail(on, Fault{Kind: Throttled, RetryAfter: retryAfter})
}

// ClearFaults removes every fault.
func (s *Server) ClearFaults() { s.faults.clear() }

// Faults lists the faults and how often each applied.
func (s *Server) Faults() []Fault { return s.faults.all() }

// lag is how much older than now a listed thing must be, under a LagLists fault.
func (c *call) lag(hit []Fault) time.Duration {
	if f := find(hit, LagLists); f != nil {
		return c.s.Clock.Real(f.Delay.or(time.Minute))
	}
	return 0
}

func statusText(code int) string { return or(http.StatusText(code), "Error") }
