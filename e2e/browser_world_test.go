package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"causeway/internal/cli"
	"causeway/internal/demo"
	"causeway/internal/sim"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// asProgram lets the test's own binary be the program: what the browser talks to
// are real processes that can be killed, and nothing has to be built twice.
const asProgram = "CAUSEWAY_E2E_PROGRAM"

func init() {
	if os.Getenv(asProgram) == "1" {
		os.Exit(cli.Run(os.Args[1:], cli.Process()))
	}
}

// site is a simulator and a server, two processes, and what tests need of them.
type site struct {
	t      *testing.T
	dir    string
	sim    struct{ URL, Plain, CA string }
	url    string
	server *exec.Cmd
	client *http.Client // trusts the simulator
	mail   *mailbox
	last   string // the onboarding that was submitted last
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), mail: newMailbox(t)}
	ready := filepath.Join(s.dir, "sim.json")
	s.start(ready, "sim", "--listen", "127.0.0.1:0", "--plain-listen", "127.0.0.1:0", "--ca-file", filepath.Join(s.dir, "ca.pem"), "--profile", "instant", "--ready-file", ready, "--quiet")
	b, err := os.ReadFile(ready)
	s.must(err)
	var where struct {
		URL      string `json:"url"`
		PlainURL string `json:"plain_url"`
		CAFile   string `json:"ca_file"`
	}
	s.must(json.Unmarshal(b, &where))
	s.sim.URL, s.sim.Plain, s.sim.CA = where.URL, where.PlainURL, where.CAFile
	pem, err := os.ReadFile(where.CAFile)
	s.must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	s.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(s.client.CloseIdleConnections)
	s.serve("127.0.0.1:0")
	s.connectPartner()
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// start runs the program and waits until it says that it listens.
func (s *site) start(ready string, args ...string) *exec.Cmd {
	s.t.Helper()
	self, err := os.Executable()
	s.must(err)
	_ = os.Remove(ready)
	cmd := exec.CommandContext(context.Background(), self, args...) // ended by the cleanup below, after the last words were read
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // no child outlives a test that was cut off
	s.must(cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if s.t.Failed() {
			text := log.String()
			s.t.Logf("%s said:\n%s", args[0], text[max(0, len(text)-4000):])
		}
	})
	limit, tick := time.NewTimer(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for {
		if _, err := os.Stat(ready); err == nil {
			return cmd
		}
		select {
		case <-done:
			s.t.Fatalf("%s ended at its start:\n%s", args[0], log.String())
		case <-limit.C:
			s.t.Fatalf("%s does not start", args[0])
		case <-tick.C:
		}
	}
}

// serve starts the server, the first time on a free port, later on the same.
func (s *site) serve(listen string) {
	s.t.Helper()
	ready := filepath.Join(s.dir, "server")
	s.server = s.start(ready, "serve", "--listen", listen, "--ready-file", ready, "--database", filepath.Join(s.dir, "state.db"), "--keys", filepath.Join(s.dir, "keys"),
		"--microsoft", s.sim.URL, "--attestation-url", s.sim.Plain+"/mca/", "--ca-file", s.sim.CA, "--brand", "seed", "--worker-name", "e2e", "--seed-demo", "--smtp", "smtp://"+s.mail.address, "--log-format", "text", "--log-level", "warn")
	b, err := os.ReadFile(ready)
	s.must(err)
	s.url = strings.TrimSpace(string(b))
}

// kill ends the server without a word, as a power cut does, and starts it again.
func (s *site) kill() {
	s.t.Helper()
	s.must(s.server.Process.Signal(syscall.SIGKILL))
	listen := strings.TrimPrefix(s.url, "http://")
	ready := filepath.Join(s.dir, "server")
	s.must(os.Remove(ready))
	waitUntil(s.t, "the port is free", func() bool {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(s.t.Context(), "tcp", listen)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	s.serve(listen)
}

// api calls the JSON API with a token.
func (s *site) api(token, method, path string, in, out any) {
	s.t.Helper()
	s.call(s.url+"/api/v1"+path, token, method, in, out)
}

// control plays people at the simulated Microsoft.
func (s *site) control(method, path string, in, out any) {
	s.t.Helper()
	s.call(s.sim.URL+path, "", method, in, out)
}

func (s *site) call(to, token, method string, in, out any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	s.must(err)
	req, err := http.NewRequestWithContext(s.t.Context(), method, to, bytes.NewReader(body))
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
		if method != http.MethodGet {
			req.Header.Set("Idempotency-Key", fmt.Sprintf("e2e-%d", time.Now().UnixNano()))
		}
	}
	res, err := s.client.Do(req)
	s.must(err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	s.must(err)
	if res.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s", method, to, res.Status, b)
	}
	if out != nil {
		s.must(json.Unmarshal(b, out))
	}
}

func (s *site) token(email string) string {
	s.t.Helper()
	var t struct {
		Secret string `json:"secret"`
	}
	s.api("", http.MethodPost, "/tokens/login", map[string]any{"email": email, "password": demo.Password, "name": "e2e " + email, "days": 1}, &t)
	return t.Secret
}

// connectPartner does what the owner does once in the life of an installation.
func (s *site) connectPartner() {
	s.t.Helper()
	token, redirect := s.token(demo.Owner), s.url+"/staff/microsoft/callback"
	s.api(token, http.MethodPut, "/partner/application", map[string]string{
		"tenant": sim.DefaultPartnerTenant, "app_id": sim.DefaultAppID, "app_secret": sim.DefaultAppSecret, "gdap_group": sim.DefaultGDAPGroup, "mpn_id": "4847383", "country": "US",
	}, nil)
	s.api(token, http.MethodGet, "/partner/authorize?state=e2e&redirect="+url.QueryEscape(redirect), nil, nil)
	var in struct{ Code string }
	s.control(http.MethodPost, "/_sim/people/"+sim.DefaultUser+"/sign-in", map[string]any{"mfa": true, "redirectUri": redirect}, &in)
	s.api(token, http.MethodPost, "/partner/consent", map[string]string{"redirect": redirect, "code": in.Code}, nil)
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit, tick := time.NewTimer(60*time.Second), time.NewTicker(20*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit.C:
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// tab is a person's browser. Every console message that names the
// Content-Security-Policy or a broken script fails the test.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site *site
}

var chromium = struct {
	sync.Mutex
	opts []chromedp.ExecAllocatorOption
}{opts: append(chromedp.DefaultExecAllocatorOptions[:], chromedp.WindowSize(1360, 900))}

// person opens a browser of its own: no cookie of anybody else is in it.
func (s *site) person() *tab {
	s.t.Helper()
	ctx, stop := chromedp.NewExecAllocator(context.Background(), chromium.opts...)
	s.t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	s.t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		s.t.Fatalf("Chromium did not start (apt-get install chromium): %v", err)
	}
	b := &tab{s.t, ctx, s}
	b.watch()
	return b
}

func (b *tab) watch() {
	var mu sync.Mutex
	var list []string
	go func() {
		for m, err := range chromedp.Console(b.ctx) {
			if err != nil {
				return
			}
			text := fmt.Sprint(m)
			if strings.Contains(text, "Content Security Policy") || strings.Contains(text, "Uncaught") {
				mu.Lock()
				list = append(list, text)
				mu.Unlock()
			}
		}
	}()
	b.t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range list {
			b.t.Errorf("console: %s", m)
		}
	})
}

func (b *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	c, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	if err := chromedp.Do(c, steps...); err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v\nat %s\n%.1500s", what, err, b.eval("location.href"), b.eval("document.body ? document.body.innerText : ''"))
	}
}

func (b *tab) eval(js string) string {
	c, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	v, err := chromedp.Run(c, chromedp.Evaluate[string]("String("+js+")"))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return v
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.do("open "+path, chromedp.Navigate(b.site.url+path), chromedp.WaitReady(chromedp.CSS("main")))
}

func (b *tab) click(sel string) {
	b.t.Helper()
	b.do("click "+sel, chromedp.Click(chromedp.CSS(sel), chromedp.NodeVisible))
}

// fill replaces what an input holds.
func (b *tab) fill(sel, text string) {
	b.t.Helper()
	b.do("see "+sel, chromedp.WaitVisible(chromedp.CSS(sel)))
	b.eval(fmt.Sprintf("(document.querySelector(%q).value = '', 1)", sel))
	b.do("fill "+sel, chromedp.SendKeys(chromedp.CSS(sel), text))
}

func (b *tab) key(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do("key", chromedp.KeyEvent(k))
	}
}

// becomes waits until an expression is true, also over a navigation.
func (b *tab) becomes(what, js string) {
	b.t.Helper()
	limit, tick := time.NewTimer(60*time.Second), time.NewTicker(25*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for b.eval("!!("+js+")") != "true" { // between two pages there is an error instead
		select {
		case <-limit.C:
			b.shot("failed")
			b.t.Fatalf("never: %s (%s)\nat %s\n%.2500s", what, js, b.eval("location.href"), b.eval("document.body ? document.body.innerText : ''"))
		case <-tick.C:
		}
	}
}

// soon tells whether an expression becomes true within some seconds.
func (b *tab) soon(js string) bool {
	b.t.Helper()
	limit, tick := time.NewTimer(6*time.Second), time.NewTicker(25*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for b.eval("!!("+js+")") != "true" {
		select {
		case <-limit.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// reads waits until the page shows these words.
func (b *tab) reads(words ...string) {
	b.t.Helper()
	for _, w := range words {
		b.becomes("the page says "+w, fmt.Sprintf("document.body && document.body.innerText.includes(%q)", w))
	}
}

// at waits until the address ends so.
func (b *tab) at(end string) {
	b.t.Helper()
	b.becomes("the address ends in "+end, fmt.Sprintf("location.pathname.endsWith(%q) && document.readyState === 'complete'", end))
}

func (b *tab) signIn(email string) {
	b.t.Helper()
	b.open("/signin")
	b.fill("#email", email)
	b.fill("#password", demo.Password)
	b.key(kb.Enter)
	b.becomes("signed in", "location.pathname !== '/signin' && document.querySelector('#cw-nav')")
}

// shot keeps a picture where CAUSEWAY_SHOTS names a folder.
func (b *tab) shot(name string) {
	dir := os.Getenv("CAUSEWAY_SHOTS")
	if dir == "" {
		return
	}
	c, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	png, err := chromedp.Run(c, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Logf("picture %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, b.t.Name()+"-"+name+".png"), png, 0o600); err != nil {
		b.t.Log(err)
	}
}
