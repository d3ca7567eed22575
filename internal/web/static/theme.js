// Runs before the first paint: the chosen theme, else the system's; and the cookie cw-zone.
(() => {
  let kept = null;
  try { kept = localStorage.getItem("cw-theme"); } catch { /* private mode: follow the system */ }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = kept ? kept === "dark" : system.matches;
    document.documentElement.classList.toggle("dark", dark);
  };
  apply();
  system.addEventListener("change", apply);
  // The reader's time zone, so that the server writes times as the reader's clock shows them.
  try {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && !document.cookie.includes(`cw-zone=${zone}`))
      document.cookie = `cw-zone=${zone};path=/;max-age=31536000;samesite=lax${location.protocol === "https:" ? ";secure" : ""}`;
  } catch { /* no zone: the server writes UTC and says so */ }
  window.cwTheme = (dark) => {
    kept = dark ? "dark" : "light";
    try { localStorage.setItem("cw-theme", kept); } catch { /* holds for this page */ }
    apply();
  };
})();
