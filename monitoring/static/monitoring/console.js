// Keeps the page honest: clocks that run, ages, what changed, and a red word when nothing new arrives.
"use strict";
(() => {
  const board = document.getElementById("board");
  if (!board) return;
  const stale = document.getElementById("stale");
  const words = document.body.dataset;
  const STALE_AFTER = 6000; // milliseconds; it hears, or asks, every two seconds
  let version = board.dataset.version;
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

  function holdsSelection() {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && board.contains(selection.anchorNode);
  }

  function note(taken, served) {
    takenAt = Number(taken);
    ahead = Number(served) - Date.now();
  }

  // -- what changed

  function numbersIn(root) {
    return root.matches(".num") ? [root] : [...root.querySelectorAll(".num")];
  }

  function textsOf(root) {
    return numbersIn(root).map((one) => [one.id, one.textContent]);
  }

  function flash(root, before) {
    numbersIn(root).forEach((one) => {
      const old = before.get(one.id);
      if (old !== undefined && old !== one.textContent) one.classList.add("changed");
    });
  }

  function showTitle() {
    document.title = document.getElementById("summary").dataset.title;
    runClocks();
  }

  function replace(id, html) {
    const old = document.getElementById(id);
    const before = new Map(textsOf(old));
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    if (old === board) {
      board.innerHTML = html;
    } else {
      const fresh = document.createElement("template");
      fresh.innerHTML = html;
      old.replaceWith(fresh.content);
    }
    flash(document.getElementById(id), before);
    if (focused && focused !== id) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  // -- the stream: only what changed. It is silent where the server has none, a proxy keeps it back or the line is cut;
  // then the page asks as if there were none.

  const SILENT_AFTER = 5000; // milliseconds; the stream says something every two seconds
  const LISTEN_AGAIN = 30000;
  let source = null;
  let listenedAt = -Infinity;
  let heardAt = -Infinity;

  const streams = () => performance.now() - heardAt < SILENT_AFTER;

  function askForAll() {
    heardAt = -Infinity;
    htmx.trigger(board, "again");
  }

  function heard(act) {
    return (message) => {
      try {
        heardAt = performance.now();
        act(JSON.parse(message.data), message.lastEventId);
      } catch (problem) {
        version = ""; // half of a step may be done: a part that does not fit must not freeze the page
        askForAll();
      }
    };
  }

  function hearPulse(said) {
    if (said.id === version) noteHeard(said);
    else if (!holdsSelection()) askForAll();
  }

  function hearBoard(said, id) {
    if (holdsSelection()) return; // somebody is copying a number: it waits, and the page says that it grows old
    if (said.from !== null && said.from !== version) {
      askForAll();
      return;
    }
    for (const [key, html] of Object.entries(said.parts)) replace(key, html);
    version = id;
    noteHeard(said);
    showTitle();
  }

  function noteHeard(said) {
    takenAt = said.taken;
    // What was long on its way looks as if the server's clock were behind: the quickest message tells it best.
    ahead = Math.max(ahead, said.served - Date.now());
  }

  function listen() {
    if (source || document.hidden || performance.now() - listenedAt < LISTEN_AGAIN) return;
    listenedAt = performance.now();
    source = new EventSource(board.dataset.stream + "?since=" + encodeURIComponent(version));
    source.addEventListener("board", heard(hearBoard));
    source.addEventListener("pulse", heard(hearPulse));
    source.addEventListener("end", () => location.reload()); // to the login, or to the word that it is not allowed
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) source = null; // else it connects again by itself
    });
  }

  // A browser has six lines to a server: a page nobody sees holds none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) {
      source.close();
      source = null;
      heardAt = -Infinity;
    }
    listenedAt = -Infinity;
    listen();
  });

  // -- asking

  let before = new Map();
  board.addEventListener("htmx:configRequest", (event) => {
    if (streams()) event.preventDefault();
    else event.detail.headers["If-None-Match"] = `"${version}"`;
  });
  board.addEventListener("htmx:beforeSwap", (event) => {
    const answer = event.detail.xhr;
    const noteAnswer = () => note(answer.getResponseHeader("X-Taken-At"), answer.getResponseHeader("X-Served-At"));
    if (answer.status !== 200) {
      if (answer.status === 304) noteAnswer();
      return;
    }
    if (holdsSelection()) {
      event.detail.shouldSwap = false;
      return;
    }
    before = new Map(textsOf(board));
    version = answer.getResponseHeader("ETag").replaceAll('"', "");
    noteAnswer();
  });
  board.addEventListener("htmx:afterSwap", showTitle);
  // Not before: until then htmx lends new elements the classes of the old ones with their id.
  board.addEventListener("htmx:afterSettle", () => flash(board, before));

  runClocks();
  listen();
  setInterval(() => {
    runClocks();
    listen();
  }, 1000);
})();
