package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Wake tells whoever watches topic that there is something new, after the
// commit: in this process at once, in the other replicas within moments. It is a
// hint that may get lost, for instance while the database restarts; who watches
// looks by himself from time to time as well.
func (tx *Tx) Wake(topic string) {
	tx.After(func() { tx.wakes.tell(topic, true) })
}

// Watch gives a channel that gets a value after something happened on topic,
// and the end of it. A value may stand for several events.
func (db *DB) Watch(topic string) (changed <-chan struct{}, stop func()) {
	return db.wakes.watch(topic)
}

// channel is PostgreSQL's, for all topics: the payload names one.
const channel = "causeway"

// gather is how long topics are collected before other replicas are told. Each
// NOTIFY takes a lock of the whole database at its commit, so it is never part
// of a transaction that does something, and a thousand events are a few.
const gather = 20 * time.Millisecond

// wakes carries hints inside one process and, on PostgreSQL, between replicas.
type wakes struct {
	config *pgx.ConnConfig // nil on SQLite: there is one process

	mu       sync.Mutex
	watchers map[string]map[chan struct{}]bool
	waiting  map[string]bool // topics that the others are to be told
	send     chan struct{}   // something waits
	started  bool
	end      context.CancelFunc
	running  sync.WaitGroup
}

func newWakes(config *pgx.ConnConfig) *wakes {
	return &wakes{config: config, watchers: map[string]map[chan struct{}]bool{}, waiting: map[string]bool{}, send: make(chan struct{}, 1)}
}

func (w *wakes) watch(topic string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watchers[topic] == nil {
		w.watchers[topic] = map[chan struct{}]bool{}
	}
	w.watchers[topic][c] = true
	w.start()
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.watchers[topic], c); len(w.watchers[topic]) == 0 {
			delete(w.watchers, topic)
		}
	}
}

// tell wakes the watchers of this process; of ours, the other replicas hear too.
func (w *wakes) tell(topic string, ours bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.watchers[topic] {
		select {
		case c <- struct{}{}:
		default: // it has not looked at the one before yet
		}
	}
	if !ours || w.config == nil {
		return
	}
	w.start()
	w.waiting[topic] = true
	select {
	case w.send <- struct{}{}:
	default:
	}
}

// start begins to speak and listen with the first topic; w.mu is held.
func (w *wakes) start() {
	if w.config == nil || w.started {
		return
	}
	w.started = true
	ctx, end := context.WithCancel(context.Background())
	w.end = end
	w.running.Go(func() { w.again(ctx, w.speak) })
	w.running.Go(func() { w.again(ctx, w.listen) })
}

func (w *wakes) close() {
	w.mu.Lock()
	end := w.end
	w.config = nil
	w.mu.Unlock()
	if end != nil {
		end()
	}
	w.running.Wait()
}

// again does something with a connection of its own, with a new one if it breaks.
func (w *wakes) again(ctx context.Context, do func(context.Context, *pgx.Conn) error) {
	w.mu.Lock()
	config := w.config
	w.mu.Unlock()
	for config != nil && ctx.Err() == nil {
		if c, err := pgx.ConnectConfig(ctx, config.Copy()); err == nil {
			_ = do(ctx, c) // a hint that is lost costs its watcher a moment
			_ = c.Close(context.WithoutCancel(ctx))
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (w *wakes) speak(ctx context.Context, c *pgx.Conn) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.send:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(gather):
		}
		w.mu.Lock()
		topics := make([]string, 0, len(w.waiting))
		for t := range w.waiting {
			topics = append(topics, t)
		}
		clear(w.waiting)
		w.mu.Unlock()
		if _, err := c.Exec(ctx, "SELECT pg_notify($1, t) FROM unnest($2::text[]) t", channel, topics); err != nil {
			return err
		}
	}
}

func (w *wakes) listen(ctx context.Context, c *pgx.Conn) error {
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	w.all() // what was said while nobody listened
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		w.tell(n.Payload, false) // our own come back too: one look too many
	}
}

// all wakes everybody: something may have been missed.
func (w *wakes) all() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.watchers {
		for c := range all {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}
