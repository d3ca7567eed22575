// Runs before the first paint: the chosen theme, else the system's.
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
  window.cwTheme = (dark) => {
    kept = dark ? "dark" : "light";
    try { localStorage.setItem("cw-theme", kept); } catch { /* holds for this page */ }
    apply();
  };
})();
