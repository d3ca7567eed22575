package ui_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/web/static"
	"causeway/internal/web/ui"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"
)

// go test ./internal/web/ui -run Gallery -gallery /tmp/gallery [-only providers]
// keeps a picture of every page: light and dark, laptop and phone.
var (
	pictures = flag.String("gallery", "", "folder for a picture of every page (a folder of the test's own if empty)")
	only     = flag.String("only", "", "only pages whose name contains this")
	shoot    = flag.Bool("shoot", false, "take pictures also without -gallery")
)

// picture is one page of the gallery with invented data.
type picture struct {
	name string
	page templ.Component
}

// policy is the portal's Content-Security-Policy, with one foreign frame for the attestation.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"

func galleryServer(t *testing.T, pages []picture) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /static/", static.Handler())
	mux.HandleFunc("GET /brand.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprint(w, ui.Accent{}.CSS())
	})
	mux.HandleFunc("GET /attestation", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, attestation)
	})
	mux.HandleFunc("GET /providers/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("GET /providers/{id}/check", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /axe.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		http.ServeFile(w, r, "testdata/axe.min.js")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for _, p := range pages {
			fmt.Fprintf(w, `<p><a href="/p/%s">%s</a>`, p.name, p.name)
		}
	})
	for _, p := range pages {
		mux.HandleFunc("GET /p/"+p.name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if err := p.page.Render(r.Context(), w); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		})
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		mux.ServeHTTP(w, r)
	}))
	s.Start()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func browser(t *testing.T) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.WindowSize(1360, 900))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium did not start (apt-get install chromium): %v", err)
	}
	return ctx
}

// setTheme switches and ends the transitions that the switch began.
const setTheme = `document.documentElement.classList.toggle("dark", %t); getComputedStyle(document.body).color;
	document.getAnimations().forEach(a => a.effect.getComputedTiming().iterations !== Infinity && a.finish()); true`

// axeRun answers one line for each violation and place.
const axeRun = `axe.run(document, {resultTypes: ["violations"], iframes: false}).then(r => JSON.stringify(
	r.violations.flatMap(v => v.nodes.map(n => v.id + " at " + n.target.join(" ") + ": " + (n.failureSummary || "").replace(/\s+/g, " ").slice(0, 240)))))`

// Every page, both themes: no fault by axe-core, nothing refused by the
// Content-Security-Policy, no sideways scroll at 320 px.
func TestGallery(t *testing.T) {
	t.Parallel()
	var pages []picture
	for _, p := range gallery() {
		if strings.Contains(p.name, *only) {
			pages = append(pages, p)
		}
	}
	server := galleryServer(t, pages)
	axe, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	keep := *pictures
	if keep == "" {
		keep = t.TempDir()
	} else if err := os.MkdirAll(keep, 0o755); err != nil {
		t.Fatal(err)
	}
	root := browser(t)

	const tabs = 2 // as many as cores
	work := make(chan picture)
	var wg sync.WaitGroup
	for range tabs {
		wg.Go(func() {
			ctx, stop := chromedp.NewContext(root)
			defer stop()
			if err := chromedp.Do(ctx); err != nil {
				t.Errorf("tab: %v", err)
				for range work { //nolint:revive // drain
				}
				return
			}
			refused := watchPolicy(ctx)
			for p := range work {
				look(t, ctx, server.URL, p, string(axe), keep)
				for _, m := range refused() {
					t.Errorf("%s: %s", p.name, m)
				}
			}
		})
	}
	for _, p := range pages {
		work <- p
	}
	close(work)
	wg.Wait()
}

// watchPolicy collects console messages that name the Content Security Policy or a script error.
func watchPolicy(ctx context.Context) func() []string {
	var mu sync.Mutex
	var list []string
	go func() {
		for m, err := range chromedp.Console(ctx) {
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
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := list
		list = nil
		return out
	}
}

func look(t *testing.T, ctx context.Context, url string, p picture, axe, keep string) {
	c, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	fail := func(what string, err error) bool {
		if err != nil {
			t.Errorf("%s: %s: %v", p.name, what, err)
		}
		return err != nil
	}
	if fail("open", chromedp.Do(c, chromedp.EmulateViewport(1360, 900), chromedp.Navigate(url+"/p/"+p.name), chromedp.WaitReady(chromedp.CSS("main")))) {
		return
	}
	if _, err := chromedp.Run(c, chromedp.Evaluate[bool](`document.fonts.ready.then(() => true)`, chromedp.EvalAwaitPromise)); fail("fonts", err) {
		return
	}
	if _, err := chromedp.Run(c, chromedp.Evaluate[bool](axe+"; true")); fail("axe", err) {
		return
	}
	taking := *pictures != "" || *shoot
	for _, theme := range []string{"light", "dark"} {
		if _, err := chromedp.Run(c, chromedp.Evaluate[bool](fmt.Sprintf(setTheme, theme == "dark"))); fail("theme", err) {
			return
		}
		text, err := chromedp.Run(c, chromedp.Evaluate[string](axeRun, chromedp.EvalAwaitPromise))
		if fail("axe run", err) {
			return
		}
		var faults []string
		if fail("axe result", json.Unmarshal([]byte(text), &faults)) {
			return
		}
		for _, f := range faults {
			t.Errorf("%s, %s: %s", p.name, theme, f)
		}
		if taking {
			save(t, c, keep, p.name+"-"+theme+".png")
		}
	}
	if taking {
		for _, theme := range []string{"dark", "light"} {
			js := fmt.Sprintf(setTheme, theme == "dark")
			if fail("phone", chromedp.Do(c, chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(1.5)))) {
				return
			}
			if _, err := chromedp.Run(c, chromedp.Evaluate[bool](js)); fail("theme", err) {
				return
			}
			save(t, c, keep, p.name+"-phone-"+theme+".png")
		}
	}
	for _, w := range []int64{320, 720, 1024} {
		if fail("width", chromedp.Do(c, chromedp.EmulateViewport(w, 700, chromedp.EmulateMobile))) {
			return
		}
		wide, err := chromedp.Run(c, chromedp.Evaluate[string](tooWide))
		if !fail("width", err) && wide != "" {
			t.Errorf("%s at %d px scrolls sideways: %s", p.name, w, wide)
		}
		if taking && w == 720 {
			save(t, c, keep, p.name+"-tablet.png")
		}
	}
}

// tooWide names what reaches beyond the window, or "". Boxes may not hide it either.
const tooWide = `(() => {
	const w = document.documentElement.clientWidth, out = [];
	for (const e of document.querySelectorAll("main *, .cw-sheet[open] *")) {
		if (e.closest("svg, .cw-hide, .cw-tabs, .cw-exchange, dialog:not([open])") || e.matches("thead, thead *")) continue;
		const r = e.getBoundingClientRect();
		if (r.width > 0 && r.right > w + 1) out.push((e.className || e.tagName) + " to " + Math.round(r.right));
		const panel = e.closest(".cw-panel");
		if (panel && e.matches("td, .btn, .cw-tag") && r.width > 0 && r.right > panel.getBoundingClientRect().right + 1) out.push((e.className || e.tagName) + " leaves its panel");
	}
	if (document.documentElement.scrollWidth > w) out.push("page is " + document.documentElement.scrollWidth);
	return out.slice(0, 5).join("; ");
})()`

func save(t *testing.T, c context.Context, dir, name string) {
	png, err := chromedp.Run(c, chromedp.FullScreenshot(100))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name), png, 0o644); err != nil {
		t.Error(err)
	}
}
