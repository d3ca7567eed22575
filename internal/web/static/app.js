// The portal's own script: everything a page does that HTML alone cannot. No page depends on it to be read.
// Attributes it answers to:
//   data-dialog="id"        opens that <dialog>
//   data-fill-x="text"      on such a button: fills data-slot="x" and data-slot-value="x" of the dialog
//   data-close              closes the dialog it is in
//   data-theme-switch       light <-> dark
//   data-menu-button="id"   opens the navigation as a drawer on phones
//   data-copy="text"        copies (or data-copy-from="id": that element's text)
//   data-elapsed="RFC3339"  counts up;  data-left="RFC3339" counts down
//   data-hide-after="60"    removes the element's content after so many seconds
//   data-search             gets the focus on "/"
//   data-autosubmit         submits its form on change
//   data-label-from="name"  button whose text follows the chosen radio's data-label
//   data-unblocks="id"      on what was awaited: the button that was off until then works
//   data-shows="id"         radio or checkbox: the element is visible only while it is chosen
//   form                    one submission at a time, the button says data-busy meanwhile
(() => {
  "use strict";
  const $ = (s, r = document) => r.querySelector(s);
  const $$ = (s, r = document) => Array.from(r.querySelectorAll(s));
  const closest = (e, s) => (e.target instanceof Element ? e.target.closest(s) : null);

  // Dialogs. The browser keeps the focus inside, closes on Esc and gives the focus back to the opener.
  const open = (d) => {
    if (!d || d.open) return;
    d.showModal();
    const first = $("[autofocus], [data-first]", d) || $$("input, select, textarea", d).find((i) => i.type !== "hidden") || $(".btn", d);
    if (first) first.focus();
  };
  // data-fill-x on the opener goes to [data-slot="x"] as text and to [data-slot-value="x"] as value
  const fill = (d, opener) => {
    for (const a of opener.attributes) {
      if (!a.name.startsWith("data-fill-")) continue;
      const key = CSS.escape(a.name.slice("data-fill-".length));
      for (const s of $$(`[data-slot="${key}"]`, d)) s.textContent = a.value;
      for (const s of $$(`[data-slot-value="${key}"]`, d)) s.value = a.value;
    }
  };
  document.addEventListener("click", (e) => {
    const opener = closest(e, "[data-dialog]");
    if (opener && opener.getAttribute("aria-disabled") !== "true") {
      e.preventDefault();
      const d = document.getElementById(opener.dataset.dialog);
      const menu = opener.closest("details[data-menu]");
      if (menu) menu.open = false;
      if (d) fill(d, opener);
      open(d);
      return;
    }
    if (closest(e, "[data-close]")) {
      const d = closest(e, "dialog");
      if (!d) return;
      e.preventDefault();
      if (d.dataset.return) location.assign(d.dataset.return); else d.close();
      return;
    }
    // a click on the backdrop closes what loses nothing by it
    if (e.target instanceof HTMLDialogElement && e.target.dataset.light !== undefined) {
      const r = e.target.getBoundingClientRect();
      if (e.clientX < r.left || e.clientX > r.right || e.clientY < r.top || e.clientY > r.bottom) e.target.close();
    }
  });
  document.addEventListener("cancel", (e) => {
    if (e.target instanceof HTMLDialogElement && e.target.dataset.return) { e.preventDefault(); location.assign(e.target.dataset.return); }
  }, true);

  // Off, with a reason: focusable, never acts.
  document.addEventListener("click", (e) => {
    if (closest(e, '[aria-disabled="true"]')) { e.preventDefault(); e.stopImmediatePropagation(); }
  }, true);

  // Theme, menu drawer, menus
  document.addEventListener("click", (e) => {
    if (closest(e, "[data-theme-switch]")) window.cwTheme(!document.documentElement.classList.contains("dark"));
    const b = closest(e, "[data-menu-button]");
    if (b) drawer(b);
    for (const m of $$("details[data-menu][open]")) if (!m.contains(e.target)) m.open = false;
  });
  document.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    const m = $("details[data-menu][open]");
    if (m) { m.open = false; $("summary", m).focus(); e.preventDefault(); }
  });
  function drawer(button) {
    const nav = document.getElementById(button.dataset.menuButton), d = $("#cw-drawer");
    if (!nav || !d) return;
    const home = nav.parentElement;
    d.append(nav);
    d.showModal();
    button.setAttribute("aria-expanded", "true");
    const wide = matchMedia("(min-width: 700px)");
    const back = () => d.close();
    wide.addEventListener("change", back, { once: true });
    d.addEventListener("close", () => {
      home.append(nav);
      button.setAttribute("aria-expanded", "false");
      wide.removeEventListener("change", back);
      button.focus();
    }, { once: true });
  }

  // "/" goes to the search
  document.addEventListener("keydown", (e) => {
    if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || $("dialog[open]")) return;
    if (e.target instanceof Element && e.target.closest("input, textarea, select, [contenteditable]")) return;
    const s = $$("[data-search]").find((i) => i.offsetParent !== null);
    if (s) { e.preventDefault(); s.focus(); s.select(); }
  });

  // Copy
  document.addEventListener("click", async (e) => {
    const b = closest(e, "[data-copy], [data-copy-from]");
    if (!b) return;
    const from = b.dataset.copyFrom && document.getElementById(b.dataset.copyFrom);
    try { await navigator.clipboard.writeText(from ? from.innerText : b.dataset.copy); } catch { say("Copying is not allowed here. Select the text instead."); return; }
    b.dataset.done = "";
    say("Copied");
    setTimeout(() => delete b.dataset.done, 1600);
  });

  // One polite place for what is said to people who do not look
  function say(text) {
    const l = $("#cw-said");
    if (l && text) { l.textContent = ""; requestAnimationFrame(() => { l.textContent = text; }); }
  }

  // Radio lists: arrows move among all rows, also the refused ones, so that their reasons can be read
  document.addEventListener("keydown", (e) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[e.key];
    if (!step || !(e.target instanceof HTMLInputElement) || e.target.type !== "radio") return;
    const list = e.target.closest("[data-radios]");
    if (!list) return;
    const all = $$('input[type="radio"]', list), next = all[(all.indexOf(e.target) + step + all.length) % all.length];
    e.preventDefault();
    next.focus();
    if (next.getAttribute("aria-disabled") !== "true") { next.checked = true; next.dispatchEvent(new Event("change", { bubbles: true })); }
  });
  document.addEventListener("change", (e) => {
    const i = e.target;
    if (!(i instanceof HTMLElement)) return;
    if (i.dataset.autosubmit !== undefined && i.form) i.form.requestSubmit();
    if (i instanceof HTMLInputElement && i.type === "radio")
      for (const b of $$(`[data-label-from="${CSS.escape(i.name)}"]`)) if (i.dataset.label) b.textContent = i.dataset.label;
    shows();
  });
  function shows() {
    for (const i of $$("[data-shows]")) {
      const t = document.getElementById(i.dataset.shows);
      if (t) t.hidden = !i.checked;
    }
  }

  // Clocks
  const span = (s) => {
    s = Math.max(0, Math.floor(s));
    const h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60), r = s % 60;
    if (h) return `${h} h ${m} min`;
    return m ? `${m} min ${r} s` : `${r} s`;
  };
  const tick = () => {
    const now = Date.now() / 1000;
    for (const t of $$("[data-elapsed]")) put(t, span(now - Date.parse(t.dataset.elapsed) / 1000));
    for (const t of $$("[data-left]")) {
      const left = Date.parse(t.dataset.left) / 1000 - now;
      put(t, left > 90 ? `${Math.ceil(left / 60)} more minutes` : left > 0 ? `${Math.ceil(left)} more seconds` : "no longer");
    }
  };
  const put = (t, s) => { if (t.textContent !== s) t.textContent = s; };
  setInterval(tick, 1000);

  // Secrets leave the page by themselves
  function gone(s) {
    const p = document.createElement("p"), a = document.createElement("a");
    a.href = location.pathname + location.search;
    a.textContent = "Ask again";
    p.append(s.dataset.hideText || "Hidden again.", " ", a);
    s.replaceChildren(p);
    s.removeAttribute("data-hide-after");
  }
  function hide(root) {
    for (const s of $$("[data-hide-after]", root)) {
      if (s.dataset.armed) continue;
      s.dataset.armed = "1";
      let left = Number(s.dataset.hideAfter);
      const at = $("[data-hide-left]", s);
      const t = setInterval(() => {
        left -= 1;
        if (at) at.textContent = `${left} s`;
        if (left > 0 && s.isConnected) return;
        clearInterval(t);
        gone(s);
        say("Hidden again.");
      }, 1000);
    }
  }

  // Secrets also leave when their dialog closes
  document.addEventListener("close", (e) => {
    if (!(e.target instanceof HTMLDialogElement)) return;
    for (const s of $$("[data-hide-after]", e.target)) {
      gone(s);
    }
  }, true);

  // A form is sent once
  document.addEventListener("submit", (e) => {
    const f = e.target;
    if (!(f instanceof HTMLFormElement) || f.method === "dialog") return;
    if (f.dataset.sent) { e.preventDefault(); return; }
    if ((f.method || "get") === "get" || f.hasAttribute("hx-post") || f.hasAttribute("hx-get")) return;
    f.dataset.sent = "1";
    const b = e.submitter;
    if (b && b.dataset.busy) setTimeout(() => { b.setAttribute("aria-busy", "true"); b.textContent = b.dataset.busy; }, 0);
  });
  addEventListener("pageshow", () => { for (const f of $$("form[data-sent]")) delete f.dataset.sent; });

  // The demo's people: fills the sign-in form
  document.addEventListener("click", (e) => {
    const b = closest(e, "[data-use-email]");
    if (!b) return;
    $("#email").value = b.dataset.useEmail;
    $("#password").value = b.dataset.usePassword;
    $('#signin [type="submit"]').focus();
  });

  // Progress: connection lost and found; one announcement per finished step
  const offline = (on) => { const n = $("#cw-offline"); if (n) n.hidden = !on; };
  addEventListener("htmx:sse:error", () => offline(true), true);
  addEventListener("htmx:error", (e) => { if (e.target instanceof Element && e.target.matches("[hx-sse\\:connect]")) offline(true); }, true);
  addEventListener("htmx:response:error", (e) => { if (e.target instanceof Element && e.target.matches("[hx-sse\\:connect]")) offline(true); }, true);
  addEventListener("htmx:sse:before:connection", (e) => { if (e.detail.connection && e.detail.connection.attempt > 0 && !document.hidden) offline(true); }, true);
  addEventListener("htmx:sse:after:connection", (e) => { const s = e.detail.connection && e.detail.connection.status; if (!s || s < 400) offline(false); }, true);
  addEventListener("htmx:sse:after:message", () => offline(false), true);
  let said = null;
  function steps() {
    const p = $("[data-said]");
    if (!p) return;
    if (said !== null && said !== p.dataset.said) say(p.dataset.said);
    said = p.dataset.said;
  }

  // What was awaited is there: the button that was off works, without a reload that would lose what was ticked
  function unblock() {
    for (const u of $$("[data-unblocks]")) {
      const b = document.getElementById(u.dataset.unblocks);
      if (!b || b.getAttribute("aria-disabled") !== "true") continue;
      const why = document.getElementById(b.getAttribute("aria-describedby"));
      if (why) why.remove();
      b.removeAttribute("aria-disabled");
      b.removeAttribute("aria-describedby");
      b.type = "submit";
      b.setAttribute("form", "wizard");
      say("Accepted. You can go on.");
    }
  }

  function ready(root) { hide(root); shows(); tick(); steps(); unblock(); }
  addEventListener("htmx:after:swap", () => ready(document), true);
  addEventListener("htmx:after:settle", () => ready(document), true);
  document.addEventListener("DOMContentLoaded", () => {
    ready(document);
    const s = $("[data-error-summary]");
    if (s) s.focus();
    for (const d of $$("dialog[data-open]")) { d.removeAttribute("open"); open(d); }
    for (const t of $$(".cw-toast[data-for]")) setTimeout(() => t.remove(), Number(t.dataset.for) * 1000);
  });
  document.addEventListener("click", (e) => { const t = closest(e, "[data-dismiss]"); if (t) t.closest(".cw-toast").remove(); });
})();
