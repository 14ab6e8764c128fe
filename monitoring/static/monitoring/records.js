// Counts the timeouts down between two looks, and says so in red when no new look comes.
"use strict";
(() => {
  // Milliseconds: a page with working orders asks every two seconds, one that asks less often says so itself.
  const STALE_AFTER = Number(document.getElementById("records")?.dataset.stale ?? 6000);
  let seen = Date.now();

  function tick() {
    document.querySelectorAll("[data-left]").forEach((one) => {
      const { left, runs, speed } = one.dataset;
      const passed = runs ? Math.floor(((Date.now() - seen) / 1000) * Number(speed)) : 0;
      const rest = Math.max(0, Number(left) - passed);
      one.textContent = Math.floor(rest / 60) + ":" + String(rest % 60).padStart(2, "0");
    });
    const waits = document.querySelector("#records[hx-get]");
    document.getElementById("stale").hidden = !waits || Date.now() - seen < STALE_AFTER;
  }

  document.addEventListener("htmx:afterSwap", () => {
    seen = Date.now();
    tick();
  });
  tick();
  setInterval(tick, 1000);
})();
