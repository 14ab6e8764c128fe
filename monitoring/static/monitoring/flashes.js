// New events of the levels somebody wants to be told of: a bar at the top, and a tone where it is wanted.
"use strict";
(() => {
  const board = document.getElementById("board");
  const bar = document.getElementById("flash");
  if (!board || !bar) return;
  const LEVELS = ["info", "warning", "alarm"];
  const wanted = bar.dataset.levels.split(" ").filter((level) => LEVELS.includes(level));
  const MOST = 4; // lines of the bar
  const list = bar.querySelector("ul");
  let newest = Math.max(0, ...numbers());
  let audio = null;

  function events() {
    return [...board.querySelectorAll(".feed li[id^=e]")];
  }

  function numbers() {
    return events().map((one) => Number(one.id.slice(1)));
  }

  const levelOf = (one) => LEVELS.find((level) => one.classList.contains("level-" + level));

  function look() {
    const fresh = events().filter((one) => Number(one.id.slice(1)) > newest);
    if (!fresh.length) return;
    newest = Math.max(newest, ...numbers());
    const told = fresh.filter((one) => wanted.includes(levelOf(one)));
    if (told.length) tell(told);
  }

  function tell(told) {
    told.reverse().forEach((one) => {
      const line = document.createElement("li");
      line.dataset.level = levelOf(one);
      line.textContent = one.querySelector("time").textContent.split(" (")[0] + " " + one.querySelector("p").textContent;
      list.prepend(line);
    });
    while (list.children.length > MOST) list.lastChild.remove();
    const levels = [...list.children].map((line) => LEVELS.indexOf(line.dataset.level));
    bar.className = "flash level-" + LEVELS[Math.max(...levels)];
    bar.hidden = false;
    if (bar.dataset.sound === "on") sound();
  }

  function sound() {
    if (!audio || audio.state !== "running") {
      bar.title = bar.dataset.mute;
      return;
    }
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    tone.frequency.value = 880;
    loudness.gain.value = 0.15;
    tone.connect(loudness).connect(audio.destination);
    tone.start();
    tone.stop(audio.currentTime + 0.25);
  }

  // A browser lets a page sound only after somebody has touched it.
  function allow() {
    if (bar.dataset.sound !== "on") return;
    audio ??= new AudioContext();
    audio.resume();
    bar.removeAttribute("title");
  }

  bar.querySelector("button").addEventListener("click", () => {
    bar.hidden = true;
    list.replaceChildren();
  });
  document.addEventListener("pointerdown", allow);
  document.addEventListener("keydown", allow);
  new MutationObserver(look).observe(board, { childList: true, subtree: true });
})();
