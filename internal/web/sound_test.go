package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/demo"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// What a browser says of a page; see e2e and package ui.
const (
	setTheme = `(document.documentElement.classList.toggle("dark", %t), getComputedStyle(document.body).color,
		document.getAnimations().forEach(a => a.effect.getComputedTiming().iterations !== Infinity && a.finish()), true)`
	axeRun = `axe.run(document, {resultTypes: ["violations"], iframes: false}).then(r => JSON.stringify(
		r.violations.flatMap(v => v.nodes.map(n => v.id + " at " + n.target.join(" ") + ": " + (n.failureSummary || "").replace(/\s+/g, " ").slice(0, 240)))))`
	wideRun = `(() => {
		const w = document.documentElement.clientWidth, out = [];
		for (const e of document.querySelectorAll("main *")) {
			if (e.closest("svg, .cw-hide, .cw-tabs, .cw-exchange, dialog:not([open])") || e.matches("thead, thead *")) continue;
			const r = e.getBoundingClientRect();
			if (r.width > 0 && r.right > w + 1) out.push((e.className || e.tagName) + " to " + Math.round(r.right));
		}
		return out.slice(0, 4).join("; ");
	})()`
)

// kinds are a page of each kind: the others have the same parts in other order, and are
// looked at where pictures are taken.
var kinds = []string{"usage", "budgets", "month", "invoice", "slice-one", "staff-billing", "staff-close", "staff-price-new", "staff-price-rule"}

// The pages of billing with thirteen months behind it: no fault by axe-core in either
// theme, nothing refused by the Content-Security-Policy, no sideways scroll at 320 px.
// CAUSEWAY_SHOTS=folder keeps pictures.
func TestBillingPagesAreSound(t *testing.T) {
	script, err := os.ReadFile("ui/testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	docs := w.bills()
	root, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.WindowSize(1360, 900))...)
	t.Cleanup(stop)
	for _, who := range []struct {
		email string
		pages map[string]string
	}{
		{demo.Administrator, w.customerPages(docs)},
		{demo.Finance, w.financePages(docs)},
	} {
		ctx, stop := chromedp.NewContext(root)
		t.Cleanup(stop)
		must := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		must("Chromium (apt-get install chromium)", chromedp.Do(ctx, chromedp.Navigate(w.url+"/signin"), chromedp.SendKeys(chromedp.CSS("#email"), who.email), chromedp.SendKeys(chromedp.CSS("#password"), demo.Password+kb.Enter), chromedp.WaitReady(chromedp.CSS("#cw-nav"))))
		for name, path := range who.pages {
			if only := os.Getenv("CAUSEWAY_SHOTS_ONLY"); !strings.Contains(name, only) {
				continue
			}
			if os.Getenv("CAUSEWAY_SHOTS") == "" && !slices.Contains(kinds, name) {
				continue
			}
			c, done := context.WithTimeout(ctx, 40*time.Second)
			must(name, chromedp.Do(c, chromedp.EmulateViewport(1360, 900), chromedp.Navigate(w.url+path), chromedp.WaitReady(chromedp.CSS("main"))))
			title, err := chromedp.Run(c, chromedp.Evaluate[string](`document.querySelector("h1").textContent + " " + location.pathname`))
			must(name, err)
			if want, _, _ := strings.Cut(path, "?"); !strings.HasSuffix(title, " "+want) {
				t.Errorf("%s: %s leads to %s", name, path, title)
			}
			_, err = chromedp.Run(c, chromedp.Evaluate[bool](string(script)+"; true"))
			must(name, err)
			for _, dark := range []bool{false, true} {
				_, err := chromedp.Run(c, chromedp.Evaluate[bool](fmt.Sprintf(setTheme, dark)))
				must(name, err)
				text, err := chromedp.Run(c, chromedp.Evaluate[string](axeRun, chromedp.EvalAwaitPromise))
				must(name, err)
				var faults []string
				must(name, json.Unmarshal([]byte(text), &faults))
				for _, f := range faults {
					t.Errorf("%s, dark %v: %s", name, dark, f)
				}
				shot(t, c, fmt.Sprintf("%s-%v", name, map[bool]string{true: "dark", false: "light"}[dark]))
			}
			for _, width := range []int64{320, 720, 390} {
				must(name, chromedp.Do(c, chromedp.EmulateViewport(width, 844, chromedp.EmulateMobile)))
				wide, err := chromedp.Run(c, chromedp.Evaluate[string](wideRun))
				must(name, err)
				if wide != "" {
					t.Errorf("%s at %d px: %s", name, width, wide)
				}
			}
			shot(t, c, name+"-phone")
			done()
		}
	}
}

func shot(t *testing.T, c context.Context, name string) {
	dir := os.Getenv("CAUSEWAY_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(c, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}
