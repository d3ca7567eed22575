package sim

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Server is a simulated Microsoft on one port, and a second one for people.
type Server struct {
	Clock    *Clock
	URL      string // https://127.0.0.1:port
	PlainURL string // http://127.0.0.1:port, "" without a plain listener
	CAFile   string
	CAPEM    []byte

	cfg     Config
	set     atomic.Pointer[Settings]
	mu      sync.RWMutex // guards w
	w       *world
	routes  routes
	faults  faults
	answers *answers
	budgets budgets
	calls   callLog
	ca      *authority
	key     []byte // signs tokens
	hooks   hooks
	bill    *billing

	// Filled by registerARM and registerCLC, called under the write or read lock.
	showSubscription func(w *world, a *AzureSubscription, into map[string]any, now time.Time)
	seedDirectory    func(w *world, seed json.RawMessage) error

	waitMu  sync.RWMutex
	waits   map[Wait]time.Duration
	profile Profile

	peopleMu sync.RWMutex
	people   []User
	groups   []Group

	idMu sync.Mutex
	ids  *mathrand.ChaCha8

	serial  atomic.Int64
	https   *http.Server
	plain   *http.Server
	closing chan struct{}
	closed  sync.Once
	running sync.WaitGroup
}

// New makes a simulator that does not listen yet.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	ca, err := openAuthority(cfg.CAFile, cfg.CAKeyFile)
	if err != nil {
		return nil, fmt.Errorf("simulator: test CA: %w", err)
	}
	s := &Server{
		Clock: newClock(cfg.Now, cfg.Factor), CAFile: cfg.CAFile, CAPEM: ca.pem,
		cfg: cfg, w: newWorld(), answers: newAnswers(), ca: ca, key: make([]byte, 32),
		waits: map[Wait]time.Duration{}, profile: cfg.Latency,
		people: slices.Clone(cfg.Users), groups: slices.Clone(cfg.Groups), closing: make(chan struct{}),
	}
	if _, err := rand.Read(s.key); err != nil {
		return nil, err
	}
	var seed [32]byte
	if cfg.Seed != 0 {
		copy(seed[:], fmt.Sprintf("%032d", cfg.Seed))
	} else if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	s.ids = mathrand.NewChaCha8(seed)
	s.faults.random = mathrand.New(mathrand.NewPCG(s.ids.Uint64(), s.ids.Uint64())) // #nosec G404 -- ids of a simulated world, repeatable by their seed
	for w, d := range cfg.Waits {
		s.waits[w] = d
	}
	for i := range s.people {
		s.people[i].ID = or(s.people[i].ID, s.newID())
	}
	set := cfg.Settings
	s.set.Store(&set)
	s.calls.ring = make([]Call, 0, cfg.CallLimit)
	s.hooks.start(s)
	s.bill = newBilling(s)
	s.registerEntra()
	s.registerPartnerCenter()
	s.registerGraph()
	s.registerBilling()
	s.registerARM()
	s.registerCLC()
	s.registerPages()
	s.registerControl()
	return s, nil
}

// Start listens and serves until Close, or until ctx ends.
func (s *Server) Start(ctx context.Context) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	s.URL = "https://" + net.JoinHostPort(host, port)
	pair, err := s.ca.listener("127.0.0.1", "::1", "localhost", host)
	if err != nil {
		return err
	}
	var plain net.Listener
	if s.cfg.PlainAddr != "" {
		if plain, err = listen.Listen(ctx, "tcp", s.cfg.PlainAddr); err != nil {
			return errors.Join(err, l.Close())
		}
		s.PlainURL = or(s.cfg.PlainURL, "http://"+plain.Addr().String())
	}
	quiet := log.New(io.Discard, "", 0) // resets are our business, not news
	s.https = &http.Server{
		Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 30 * time.Second, ErrorLog: quiet,
		// HTTP/1.1 only: an injected hang-up is then a real reset of the connection.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
	}
	s.running.Go(func() { s.report(s.https.ServeTLS(l, "", "")) })
	if plain != nil {
		s.plain = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 30 * time.Second, ErrorLog: quiet}
		s.running.Go(func() { s.report(s.plain.Serve(plain)) })
	}
	context.AfterFunc(ctx, s.Close)
	return nil
}

func (s *Server) report(err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && s.cfg.Log != nil {
		s.cfg.Log.Error("simulator stopped listening", "error", err)
	}
}

// Close stops everything at once, as a power cut would; nothing is kept.
func (s *Server) Close() {
	s.closed.Do(func() {
		close(s.closing)
		for _, h := range []*http.Server{s.https, s.plain} {
			if h != nil {
				_ = h.Close() // its listeners are gone either way
			}
		}
		s.hooks.stop()
	})
	s.running.Wait()
	s.bill.reset()
}

// Client trusts the simulator's CA and keeps its connections.
func (s *Server) Client() *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CAPEM)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 64,
	}}
}

func (s *Server) settings() *Settings { return s.set.Load() }

// Settings is a copy of the present settings.
func (s *Server) Settings() Settings {
	set := *s.set.Load()
	set.Throttle = maps.Clone(set.Throttle)
	set.Markets, set.DomainSuffixes = slices.Clone(set.Markets), slices.Clone(set.DomainSuffixes)
	return set
}

// Change edits the settings while the simulator runs.
func (s *Server) Change(edit func(*Settings)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.Settings()
	edit(&next)
	s.set.Store(&next)
}

// Config is the configuration with its defaults filled in.
func (s *Server) Config() Config { return s.cfg }

// newID makes a random GUID from the seeded source.
func (s *Server) newID() string {
	var id uuid.UUID
	s.idMu.Lock()
	_, _ = s.ids.Read(id[:]) // ChaCha8 does not fail
	s.idMu.Unlock()
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// number makes a random positive number.
func (s *Server) number() int64 {
	s.idMu.Lock()
	defer s.idMu.Unlock()
	return int64(s.ids.Uint64() >> 1)
}

// user finds a person of the partner tenant.
func (s *Server) user(upn string) *User {
	s.peopleMu.RLock()
	defer s.peopleMu.RUnlock()
	for i := range s.people {
		if strings.EqualFold(s.people[i].UPN, upn) {
			u := s.people[i]
			return &u
		}
	}
	return nil
}

// groupByID finds a security group of the partner tenant.
func (s *Server) groupByID(id string) *Group {
	s.peopleMu.RLock()
	defer s.peopleMu.RUnlock()
	for i := range s.groups {
		if strings.EqualFold(s.groups[i].ID, id) {
			g := s.groups[i]
			return &g
		}
	}
	return nil
}

func (s *Server) inGroup(id, upn string) bool {
	g := s.groupByID(id)
	if g == nil {
		return false
	}
	for _, m := range g.Members {
		if strings.EqualFold(m, upn) {
			return true
		}
	}
	return false
}

// hold lets real time pass, as the vendor does before it answers.
func (s *Server) hold(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.closing:
	}
}

const bodyLimit = 4 << 20

// serve takes every request: route, faults, token, replay, lock, handler, answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	now := s.Clock.Now()
	c := &call{s: s, r: r, now: now, received: now}
	rt, params, known := s.routes.find(r.Method, r.URL.EscapedPath())
	c.params = params
	entry := Call{Method: r.Method, Path: r.URL.RequestURI(), Received: now}
	if rt != nil {
		entry.Template, entry.Group = rt.path, rt.group
	} else {
		rt = &route{service: serviceOfPath(r.URL.Path), method: r.Method, path: r.URL.Path}
		rt.handle = func(c *call) reply { return c.unknownPath(known) }
	}
	c.route, c.log = rt, &entry
	entry.RequestID = or(r.Header.Get("MS-RequestId"), r.Header.Get("client-request-id"), r.Header.Get("x-ms-client-request-id"))
	given := entry.RequestID != ""
	if !given && rt.service != servicePage {
		entry.RequestID = s.newID()
	}
	entry.CorrelationID = or(r.Header.Get("MS-CorrelationId"), r.Header.Get("x-ms-correlation-request-id"))
	if entry.CorrelationID == "" && rt.service != servicePage {
		entry.CorrelationID = s.newID()
	}

	var err error
	c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		s.answer(w, c, reply{status: http.StatusRequestEntityTooLarge, raw: []byte("request body too large\n")}, nil)
		return
	}
	c.faults = s.faults.draw(rt, r.URL.EscapedPath(), now)
	for _, f := range c.faults {
		entry.Faults = append(entry.Faults, string(f.Kind))
	}
	out := s.work(c, given)
	if f := find(c.faults, DelayAfter); f != nil {
		s.hold(s.Clock.Real(f.Delay.or(5 * time.Second)))
	}
	switch f := find(c.faults, FailAfter); {
	case find(c.faults, HangUpAfter) != nil || out.status == hangUp:
		entry.Status, entry.Answered = 0, s.Clock.Now()
		s.calls.add(entry)
		reset(w)
		return
	case f != nil:
		bad := c.plainFault(f, http.StatusInternalServerError)
		s.answer(w, c, bad, nil)
		return
	}
	s.answer(w, c, out, c.encoded)
}

// hangUp is the status of an answer that is not to be sent.
const hangUp = -1

// work does everything between the request's arrival and its answer.
func (s *Server) work(c *call, given bool) reply {
	if find(c.faults, HangUpBefore) != nil {
		return empty(hangUp)
	}
	if f := find(c.faults, Throttled); f != nil {
		wait := -1
		if f.RetryAfter >= 0 {
			wait = seconds(s.Clock.Real(time.Duration(or(f.RetryAfter, 5)) * time.Second))
		}
		return c.throttleReply(wait)
	}
	if f := find(c.faults, FailBefore); f != nil {
		return c.plainFault(f, http.StatusInternalServerError)
	}
	if f := find(c.faults, HTMLBody); f != nil {
		return reply{status: or(f.Status, http.StatusBadGateway), raw: []byte("<html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"),
			header: map[string]string{"Content-Type": "text/html"}}
	}
	if refusal := c.authenticate(c.faults); refusal != nil {
		return *refusal
	}
	if wait, refused := c.throttled(); refused {
		if s.settings().ThrottleSilent {
			wait = -1
		}
		return c.throttleReply(wait)
	}
	if f := find(c.faults, Delay); f != nil {
		s.hold(s.Clock.Real(f.Delay.or(5 * time.Second)))
	}

	set := s.settings()
	retention := set.ReplayRetention.or(24 * time.Hour)
	if !c.route.replay || !given || retention < 0 {
		return s.handle(c)
	}
	tenant := ""
	if c.who != nil {
		tenant = c.who.Tenant
	}
	key := replayKey(tenant, c.r.Method, c.r.URL.Path, c.log.RequestID)
	if find(c.faults, ForgetRequestID) != nil {
		s.answers.forget(key)
	}
	earlier, claim := s.answers.begin(key, c.now, retention, or(set.ReplayLimit, 50_000))
	if earlier != nil {
		c.log.Replayed = true
		c.encoded = earlier.body
		if set.ReplayWithoutCredentials && earlier.again != nil {
			c.encoded = earlier.again
		}
		return reply{status: earlier.status, header: earlier.header}
	}
	// However the handler ends, the claim must: others may be waiting for it.
	out := empty(http.StatusInternalServerError)
	defer func() { s.answers.finish(claim, out.status, out.header, c.encoded, c.again) }()
	out = s.handle(c)
	return out
}

// handle runs the handler under its lock and encodes the answer.
func (s *Server) handle(c *call) reply {
	if c.route.wait != "" {
		s.hold(s.Clock.Real(s.wait(c.route.wait)))
		c.now = s.Clock.Now()
	}
	switch c.route.access {
	case writes:
		s.mu.Lock()
		defer s.mu.Unlock()
	case reads:
		s.mu.RLock()
		defer s.mu.RUnlock()
	}
	c.w = s.w
	out := c.route.handle(c)
	c.encoded = encode(out)
	if out.once != nil {
		c.again = encode(reply{body: out.once})
	}
	return out
}

func encode(r reply) []byte {
	if r.raw != nil || r.body == nil {
		return r.raw
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r.body); err != nil {
		return []byte(`{"code":0,"description":"` + strconv.Quote(err.Error()) + `"}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// answer writes the reply with the headers of its service, and the call log.
func (s *Server) answer(w http.ResponseWriter, c *call, out reply, encoded []byte) {
	if encoded == nil {
		encoded = encode(out)
	}
	body := reshape(encoded, c.faults)
	h := w.Header()
	s.headers(c, h)
	for k, v := range out.header {
		if k == codeHeader {
			c.log.Code = v
			continue
		}
		h.Set(k, v)
	}
	if len(body) > 0 && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json; charset=utf-8")
		if c.route.plain {
			h.Set("Content-Type", "application/json")
		}
	}
	if out.serve != nil {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { // also when the body was cut on purpose
			c.log.Status, c.log.Answered = seen.status, s.Clock.Now()
			s.calls.add(*c.log)
		}()
		out.serve(seen, c.r)
		return
	}
	c.log.Status, c.log.Answered = out.status, s.Clock.Now()
	s.calls.add(*c.log)
	if s.cfg.Log != nil {
		s.cfg.Log.LogAttrs(c.r.Context(), slog.LevelInfo, "call", slog.String("method", c.log.Method), slog.String("path", c.r.URL.Path),
			slog.Int("status", c.log.Status), slog.String("code", c.log.Code), slog.Any("faults", c.log.Faults), slog.Bool("replayed", c.log.Replayed),
			slog.Duration("took", c.log.Answered.Sub(c.log.Received)))
	}
	if c.route.gzip {
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip") && len(body) > 0 {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(body) // into memory
			_ = z.Close()
			body = b.Bytes()
			h.Set("Content-Encoding", "gzip")
		}
	}
	if len(body) > 0 {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.status)
	if c.r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone: that is its affair
	}
}

// headers sets what every answer of a service carries.
func (s *Server) headers(c *call, h http.Header) {
	twice := find(c.faults, DoubleHeaders) != nil
	double := func(v string, on bool) string {
		if on || twice {
			return v + "," + v
		}
		return v
	}
	h.Set("Date", c.now.Format(http.TimeFormat))
	switch c.route.service {
	case servicePartnerCenter:
		h.Set("MS-RequestId", double(c.log.RequestID, c.route.doubleIDs))
		h.Set("MS-CorrelationId", double(c.log.CorrelationID, c.route.doubleIDs))
		h.Set("MS-CV", fmt.Sprintf("%.8s.", c.log.CorrelationID)+strconv.FormatInt(s.serial.Add(1)%1000, 10))
		h.Set("MS-ServerId", "202011211")
		h.Set("X-Locale", double(strings.Trim(or(c.r.Header.Get("X-Locale"), "en-US"), `"`), c.route.doubleLocale))
		if c.mfaHeader != "" {
			h.Set("isMfaCompliant", c.mfaHeader)
		}
	case serviceARM:
		h.Set("x-ms-request-id", double(s.newID(), false))
		h.Set("x-ms-correlation-request-id", double(c.log.CorrelationID, false))
		h.Set("x-ms-routing-request-id", "SIMULATED:"+c.now.Format("20060102T150405Z")+":"+c.log.RequestID)
		h.Set("Cache-Control", "no-cache")
	case serviceBlob:
		h.Set("Server", "Windows-Azure-Blob/1.0")
		h.Set("x-ms-version", "2023-11-03")
		h.Set("x-ms-request-id", s.newID())
	case servicePrices:
		h.Set("Request-ID", c.log.RequestID)
	case serviceGraph:
		h.Set("request-id", double(c.log.RequestID, false))
		h.Set("client-request-id", double(c.log.RequestID, false))
	case serviceEntra:
		h.Set("Cache-Control", "no-cache, no-store")
		h.Set("x-ms-request-id", c.log.RequestID)
		if c.r.Header.Get("return-client-request-id") == "true" && c.r.Header.Get("client-request-id") != "" {
			h.Set("client-request-id", c.r.Header.Get("client-request-id"))
		}
	}
}

// serviceOfPath says which service would own an unknown path.
func serviceOfPath(path string) service {
	p := strings.ToLower(path)
	switch {
	case strings.HasPrefix(p, "/v1/"), strings.HasPrefix(p, "/webhooks/"):
		return servicePartnerCenter
	case strings.HasPrefix(p, "/v1.0/sales/"):
		return servicePrices
	case strings.HasPrefix(p, blobRoot):
		return serviceBlob
	case strings.HasPrefix(p, "/v1.0/"):
		return serviceGraph
	case strings.HasPrefix(p, "/subscriptions"), strings.HasPrefix(p, "/providers"), strings.HasPrefix(p, "/tenants"):
		return serviceARM
	case strings.HasPrefix(p, "/clc/"), strings.HasPrefix(p, "/v2/"), strings.HasPrefix(p, "/rest/"):
		return serviceCLC
	case strings.HasPrefix(p, "/_sim"):
		return serviceControl
	}
	return servicePage
}

// reset cuts the connection so that the client sees a reset, not an end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http cuts it then
	}
	if t, is := conn.(*tls.Conn); is {
		conn = t.NetConn()
	}
	if t, is := conn.(*net.TCPConn); is {
		_ = t.SetLinger(0) // RST instead of FIN
	}
	_ = conn.Close()
}
