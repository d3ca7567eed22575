package sim

import (
	fifo "container/list"
	"strings"
	"sync"
	"time"
)

// answers keeps the successful answers of POST calls by request id: the same id
// gets the same answer, and never a second effect. A call whose id is still being
// worked on waits for that answer.
type answers struct {
	mu    sync.Mutex
	byKey map[string]*answer
	order *fifo.List // of *answer, oldest first
}

type answer struct {
	key    string
	at     time.Time
	done   chan struct{}
	kept   bool
	status int
	header map[string]string
	body   []byte
	again  []byte // what a replay sends instead, when credentials are left out
	place  *fifo.Element
}

func newAnswers() *answers {
	return &answers{byKey: map[string]*answer{}, order: fifo.New()}
}

func replayKey(tenant, method, path, id string) string {
	return strings.ToLower(strings.Join([]string{tenant, method, path, id}, "\n"))
}

// begin claims a request id. It returns the earlier answer if there is one, else
// the claim that the caller must finish.
func (a *answers) begin(key string, now time.Time, retention time.Duration, limit int) (earlier, claim *answer) {
	for {
		a.mu.Lock()
		a.forgetOlder(now.Add(-retention), limit)
		had := a.byKey[key]
		if had == nil {
			claim = &answer{key: key, at: now, done: make(chan struct{})}
			a.byKey[key] = claim
			a.mu.Unlock()
			return nil, claim
		}
		a.mu.Unlock()
		<-had.done
		if had.kept {
			return had, nil
		}
		// The first call failed and was forgotten: this one is a new call.
	}
}

// finish keeps a successful answer, or forgets the claim.
func (a *answers) finish(c *answer, status int, header map[string]string, body, again []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if status >= 200 && status < 300 {
		c.kept, c.status, c.header, c.body, c.again = true, status, header, body, again
		c.place = a.order.PushBack(c)
	} else if a.byKey[c.key] == c {
		delete(a.byKey, c.key)
	}
	close(c.done)
}

// forget drops one request id, as a vendor does whose cache was flushed.
func (a *answers) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.byKey[key]; c != nil && c.kept {
		delete(a.byKey, key)
		a.order.Remove(c.place)
	}
}

func (a *answers) forgetOlder(than time.Time, limit int) {
	for e := a.order.Front(); e != nil; e = a.order.Front() {
		c, ok := e.Value.(*answer)
		if !ok {
			return // nothing else is ever put in
		}
		if a.order.Len() <= limit && c.at.After(than) {
			return
		}
		a.order.Remove(e)
		delete(a.byKey, c.key)
	}
}

func (a *answers) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, c := range a.byKey {
		if c.kept {
			delete(a.byKey, k)
		}
	}
	a.order.Init()
}
