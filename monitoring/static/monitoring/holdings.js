// The table of holdings as its reader wants it: sorted, filtered, the first rows. The board comes the same for everybody.
"use strict";
(() => {
  const board = document.getElementById("board");
  const find = document.getElementById("find-holding");
  const found = document.getElementById("found");
  const showAll = document.getElementById("show-all");
  if (!board || !find) return;
  const KEPT = "miniqmt-holdings-sorted";
  const limit = Number(document.documentElement.dataset.rows) || Infinity;
  const places = new WeakMap(); // of each table's body: the place of each row as they came
  let all = false;
  let sorted = JSON.parse(sessionStorage.getItem(KEPT) || "null"); // { column: its class, falling }

  const columnOf = (head) => [...head.classList].find((name) => name.startsWith("c-")) || "title";

  function valueOf(row, head) {
    const text = row.cells[head.cellIndex].textContent.trim();
    if (!head.classList.contains("n")) return text;
    const number = text.replaceAll(",", "").match(/[+-]?\d+(\.\d+)?/);
    return number ? Number(number[0]) : NaN;
  }

  function byValue(head, falling) {
    const sign = falling ? -1 : 1;
    return ([one], [other]) => {
      if (typeof one === "string") return sign * one.localeCompare(other);
      if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other); // unknown stands last
      return sign * (one - other);
    };
  }

  function inOrder(table, rows) {
    const heads = [...table.tHead.rows[0].cells];
    const head = sorted && heads.find((one) => one.dataset.sort === "" && columnOf(one) === sorted.column);
    heads.forEach((one) => {
      if (one.dataset.sort === undefined) return;
      one.tabIndex = 0;
      if (one === head) one.setAttribute("aria-sort", sorted.falling ? "descending" : "ascending");
      else one.removeAttribute("aria-sort");
    });
    const came = places.get(table.tBodies[0]);
    if (!head) return [...rows].sort((one, other) => came.get(one.id) - came.get(other.id));
    return rows
      .map((row) => [valueOf(row, head), row])
      .sort(byValue(head, sorted.falling))
      .map(([, row]) => row);
  }

  function arrange(table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    if (!places.has(body)) places.set(body, new Map(rows.map((row, place) => [row.id, place])));
    const ordered = inOrder(table, rows);
    if (ordered.some((row, place) => row !== rows[place])) body.append(...ordered);
    const wanted = find.value.trim().toLowerCase();
    let shown = 0;
    ordered.forEach((row) => {
      const fits = !wanted || row.cells[0].textContent.toLowerCase().includes(wanted);
      // What stands unprotected is never left out for want of room.
      row.hidden = !fits || (!all && shown >= limit && !row.querySelector(".status .mark.bad"));
      shown += !row.hidden;
    });
    return [shown, rows.length - shown];
  }

  function apply() {
    watch.disconnect();
    let shown = 0;
    let hidden = 0;
    document.querySelectorAll("table.holdings").forEach((table) => {
      const [here, away] = arrange(table);
      shown += here;
      hidden += away;
    });
    let count = 0;
    found.textContent = hidden ? found.dataset.words.replace(/#/g, () => [shown, hidden][count++]) : "";
    showAll.hidden = !hidden;
    watch.observe(board, { childList: true, subtree: true, characterData: true });
  }

  let due = 0;
  const watch = new MutationObserver(() => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(apply);
  });

  function sortBy(head) {
    const column = columnOf(head);
    const first = head.classList.contains("n"); // numbers: the greatest first
    if (head.dataset.sort === "placed") sorted = null;
    else if (!sorted || sorted.column !== column) sorted = { column, falling: first };
    else sorted = sorted.falling === first ? { column, falling: !first } : null;
    sessionStorage.setItem(KEPT, JSON.stringify(sorted));
    apply();
  }

  const headOf = (event) => event.target.closest(".holdings th[data-sort]");
  board.addEventListener("click", (event) => {
    const head = headOf(event);
    if (head) sortBy(head);
  });
  board.addEventListener("keydown", (event) => {
    const head = headOf(event);
    if (!head || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    sortBy(head);
  });
  find.addEventListener("input", apply);
  showAll.addEventListener("click", () => {
    all = true;
    find.value = "";
    apply();
  });
  apply();
})();
