package sim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// call is one request on its way through the simulator.
type call struct {
	s         *Server
	w         *world
	r         *http.Request
	route     *route
	params    []param
	body      []byte
	who       *claims // of the token; nil where none is needed
	now       time.Time
	received  time.Time
	log       *Call
	faults    []Fault // that hit this call
	mfaHeader string
	encoded   []byte // the answer's body
	again     []byte // what a replay sends instead
}

// reply is the answer of a handler. A nil body is an empty one.
type reply struct {
	status int
	body   any
	raw    []byte                                   // instead of body: sent as it is
	serve  func(http.ResponseWriter, *http.Request) // instead of both: writes status and body, which may be long
	header map[string]string                        // beside the usual ones
	// once is what a replay sends instead of body when the setting
	// ReplayWithoutCredentials is on; nil = the same.
	once any
}

func ok(body any) reply      { return reply{status: http.StatusOK, body: body} }
func created(body any) reply { return reply{status: http.StatusCreated, body: body} }
func empty(status int) reply { return reply{status: status} }

// with adds a header to the answer.
func (r reply) with(name, value string) reply {
	if r.header == nil {
		r.header = map[string]string{}
	}
	r.header[name] = value
	return r
}

// param is a value of the path, by the name in the route's template.
func (c *call) param(name string) string {
	for _, p := range c.params {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// query is a value of the query string; names are compared without case.
func (c *call) query(name string) string {
	q := c.r.URL.Query()
	if v := q.Get(name); v != "" {
		return v
	}
	for k, v := range q {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// decode reads the body; member names are compared without case, unknown ones and
// nulls are ignored, a byte order mark is skipped.
func (c *call) decode(into any) error {
	return json.Unmarshal(bytes.TrimPrefix(c.body, bom), into)
}

var bom = []byte{0xEF, 0xBB, 0xBF}

// after is when the effect of this call is seen, if it takes w.
func (c *call) after(w Wait) time.Time { return c.s.after(c.now, w) }

// effect notes that this call changed something of a customer that is seen from
// visible on. The notes make up the vendor's critical path, see Timeline.
func (c *call) effect(customer, what, id string, visible time.Time) {
	c.log.Customer = customer
	if visible.After(c.log.Visible) {
		c.log.Visible = visible
	}
	if cu := c.w.customers[customer]; cu != nil {
		cu.effects = append(cu.effects, Effect{What: what, ID: id, Received: c.received, Visible: visible})
	}
}

// user says whether the call is made in the name of a person.
func (c *call) user() bool { return c.who != nil && c.who.Type == "user" }
