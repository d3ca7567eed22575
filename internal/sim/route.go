package sim

import (
	"net/http"
	"net/url"
	"strings"
)

// service is the Microsoft service that a route belongs to. It decides which
// tokens are taken, how errors look and which headers every answer carries.
type service int

const (
	serviceEntra service = iota
	servicePartnerCenter
	serviceGraph
	serviceARM
	serviceCLC
	serviceControl
	servicePage
	serviceBlob   // Azure Storage
	servicePrices // api.partner.microsoft.com
)

// needs says what a route asks of its caller.
type needs int

const (
	needsNothing needs = iota // no token
	needsToken                // app-only or app+user
	needsUser                 // app+user only: an app-only token gets 403 900329
	needsApp                  // app-only only
)

// access says how a handler touches the world.
type access int

const (
	reads access = iota // under the world's read lock: must not change anything
	writes
	unlocked // takes the lock itself where it needs it
)

// handler does one call. It runs under the lock that its route names; the answer's
// body is encoded before the lock is released, so it may point into the world.
type handler func(c *call) reply

// route is one documented endpoint.
type route struct {
	service service
	method  string
	path    string // template such as /v1/customers/{customer}/carts
	needs   needs
	access  access
	handle  handler
	group   string // throttle budget, "" = the service's
	replay  bool   // a repeated MS-RequestId gets the first answer
	wait    Wait   // how long the call itself takes, before it has its effect
	// plain answers carry "application/json" without a charset; doubled ones send
	// their ids or locale twice, as the documented samples of those pages do.
	plain        bool
	doubleIDs    bool
	doubleLocale bool
	gzip         bool
	sales        bool // a Sales agent may call it too
	segments     []string
}

// routes is every endpoint that the simulator knows. Literal segments are compared
// without case, as IIS and Resource Manager do. {name} takes one segment, {name...}
// at the end takes the rest, and {name...} at the beginning takes any non-empty
// prefix (Resource Manager's scopes).
type routes struct {
	root   node
	scoped []*route // begin with a {scope...}
	all    []*route
}

type node struct {
	literal map[string]*node
	param   *node
	here    map[string]*route // by method
	rest    map[string]*route // {name...}
}

// add registers a route and returns it, so that rare options can be set.
func (t *routes) add(r *route) *route {
	r.segments = strings.Split(strings.Trim(r.path, "/"), "/")
	t.all = append(t.all, r)
	if isRest(r.segments[0]) && len(r.segments) > 1 {
		t.scoped = append(t.scoped, r)
		return r
	}
	n := &t.root
	for _, s := range r.segments {
		if isRest(s) {
			if n.rest == nil {
				n.rest = map[string]*route{}
			}
			n.rest[r.method] = r
			return r
		}
		if strings.HasPrefix(s, "{") {
			if n.param == nil {
				n.param = &node{}
			}
			n = n.param
			continue
		}
		if n.literal == nil {
			n.literal = map[string]*node{}
		}
		key := strings.ToLower(s)
		if n.literal[key] == nil {
			n.literal[key] = &node{}
		}
		n = n.literal[key]
	}
	if n.here == nil {
		n.here = map[string]*route{}
	}
	n.here[r.method] = r
	return r
}

func isRest(s string) bool { return strings.HasPrefix(s, "{") && strings.HasSuffix(s, "...}") }

// find returns the route of a request and its path parameters. known says that the
// path exists, only not with this method.
func (t *routes) find(method, escaped string) (r *route, params []param, known bool) {
	parts := split(escaped)
	r, known = t.root.find(method, parts)
	if r == nil {
		for _, s := range t.scoped {
			if n := len(parts) - len(s.segments) + 1; n > 0 && match(s.segments[1:], parts[n:]) {
				known = true
				if s.method == method {
					params = append(params, param{s.segments[0][1 : len(s.segments[0])-4], "/" + strings.Join(parts[:n], "/")})
					return s, collect(params, s.segments[1:], parts[n:]), true
				}
			}
		}
		return nil, nil, known
	}
	return r, collect(nil, r.segments, parts), true
}

func (n *node) find(method string, parts []string) (*route, bool) {
	if len(parts) == 0 {
		if r := n.here[method]; r != nil {
			return r, true
		}
		return nil, len(n.here) > 0
	}
	known := false
	if next := n.literal[strings.ToLower(parts[0])]; next != nil {
		r, k := next.find(method, parts[1:])
		if r != nil {
			return r, true
		}
		known = known || k
	}
	if n.param != nil {
		r, k := n.param.find(method, parts[1:])
		if r != nil {
			return r, true
		}
		known = known || k
	}
	if r := n.rest[method]; r != nil {
		return r, true
	}
	return nil, known || len(n.rest) > 0
}

func match(template, parts []string) bool {
	if len(template) != len(parts) {
		return false
	}
	for i, s := range template {
		if !strings.HasPrefix(s, "{") && !strings.EqualFold(s, parts[i]) {
			return false
		}
	}
	return true
}

// param is one named value of the path.
type param struct{ name, value string }

func collect(into []param, template, parts []string) []param {
	for i, s := range template {
		switch {
		case isRest(s):
			return append(into, param{s[1 : len(s)-4], strings.Join(parts[i:], "/")})
		case strings.HasPrefix(s, "{"):
			into = append(into, param{s[1 : len(s)-1], parts[i]})
		}
	}
	return into
}

// split cuts an escaped path into its unescaped segments; a final slash is ignored,
// as the documented Resource Manager samples have one.
func split(escaped string) []string {
	parts := strings.Split(strings.Trim(escaped, "/"), "/")
	for i, p := range parts {
		if strings.Contains(p, "%") {
			if u, err := url.PathUnescape(p); err == nil {
				parts[i] = u
			}
		}
	}
	return parts
}

// on registers an endpoint; the options set what is not usual.
func (s *Server) on(sv service, pattern string, n needs, a access, h handler, options ...func(*route)) {
	method, path, _ := strings.Cut(pattern, " ")
	r := &route{service: sv, method: method, path: path, needs: n, access: a, handle: h}
	if sv == servicePartnerCenter && method == http.MethodPost {
		r.replay = true
	}
	for _, o := range options {
		o(r)
	}
	s.routes.add(r)
}

func group(name string) func(*route) { return func(r *route) { r.group = name } }
func holds(w Wait) func(*route)      { return func(r *route) { r.wait = w } }
func plainType(r *route)             { r.plain = true }
func doubledIDs(r *route)            { r.doubleIDs, r.doubleLocale = true, true }
func doubledLocale(r *route)         { r.doubleLocale = true }
func gzipped(r *route)               { r.gzip = true }
func salesAgents(r *route)           { r.sales = true }
func neverReplayed(r *route)         { r.replay = false }
