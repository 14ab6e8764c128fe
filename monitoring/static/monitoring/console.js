// Keeps the page honest: clocks that run, ages, what changed, and a red word when nothing new arrives.
"use strict";
(() => {
  const board = document.getElementById("board");
  if (!board) return;
  const stale = document.getElementById("stale");
  const words = document.body.dataset;
  const STALE_AFTER = 6000; // milliseconds; the page asks every two seconds
  let etag = board.dataset.etag;
  let takenAt = Number(board.dataset.taken);
  let ahead = Number(board.dataset.served) - Date.now(); // how far the server's clock is ahead of this one

  const china = (ms) => new Date(ms + 8 * 3600e3).toISOString().slice(0, 19).replace("T", " ");

  function spell(seconds) {
    if (seconds < 100) return Math.max(0, Math.round(seconds)) + words.second;
    if (seconds < 6000) return Math.round(seconds / 60) + words.minute;
    return Math.round(seconds / 3600) + words.hour;
  }

  function marketTime(element, now) {
    const clock = element.closest("[data-base-real]");
    if (!clock) return now;
    const { baseReal, baseMarket, speed } = clock.dataset;
    return Number(baseMarket) + (now - Number(baseReal)) * Number(speed);
  }

  function each(selector, act) {
    document.querySelectorAll(selector).forEach(act);
  }

  function runClocks() {
    const now = Date.now() + ahead;
    each('[data-clock="real"]', (one) => { one.textContent = china(now); });
    each('[data-clock="market"]', (one) => { one.textContent = china(marketTime(one, now)); });
    each("time[data-age]", (one) => {
      const at = one.dataset.age === "market" ? marketTime(one, now) : now;
      const age = words.ago.replace("#", spell((at - Number(one.dataset.at)) / 1000));
      one.textContent = one.dataset.shown = (one.dataset.shown || one.textContent).split(" (")[0] + " (" + age + ")";
    });
    const silent = now - takenAt;
    stale.hidden = silent < STALE_AFTER;
    stale.querySelector("b").textContent = spell(silent / 1000);
    document.body.classList.toggle("stale", !stale.hidden);
  }

  function numbers() {
    const found = new Map();
    each("#board [data-k]", (one) => found.set(one.dataset.k, one.textContent));
    return found;
  }

  function holdsSelection() {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && board.contains(selection.anchorNode);
  }

  let before = new Map();
  board.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["If-None-Match"] = etag;
  });
  board.addEventListener("htmx:beforeSwap", (event) => {
    const answer = event.detail.xhr;
    if (answer.status !== 200) {
      if (answer.status === 304) note(answer);
      return;
    }
    if (holdsSelection()) { // somebody is copying a number: it waits, and the page says that it grows old
      event.detail.shouldSwap = false;
      return;
    }
    before = numbers();
    etag = answer.getResponseHeader("ETag");
    note(answer);
  });
  board.addEventListener("htmx:afterSwap", () => {
    document.title = document.getElementById("summary").dataset.title;
    each("#board [data-k]", (one) => {
      const old = before.get(one.dataset.k);
      if (old !== undefined && old !== one.textContent) one.classList.add("changed");
    });
    runClocks();
  });

  function note(answer) {
    takenAt = Number(answer.getResponseHeader("X-Taken-At"));
    ahead = Number(answer.getResponseHeader("X-Served-At")) - Date.now();
  }

  runClocks();
  setInterval(runClocks, 1000);
})();
