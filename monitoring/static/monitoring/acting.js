// Shows confirmations in a dialog instead of on a page of their own. The pages are the same: without this script every
// link and form works by itself.
"use strict";
(() => {
  const dialog = document.getElementById("acting");
  let looking = 0;

  function sectionOf(html) {
    return new DOMParser().parseFromString(html, "text/html").getElementById("act");
  }

  // What somebody writes or points at while the answer is on its way must not get lost.
  function carryOver(old, shown) {
    old.querySelectorAll(".field input, .field select").forEach((one) => {
      const place = shown.querySelector(`[name="${one.name}"]`);
      if (place) place.value = one.value;
    });
    const held = document.activeElement;
    if (!old.contains(held)) return () => {};
    const wanted = held.name
      ? shown.querySelector(`[name="${held.name}"]`)
      : [...shown.querySelectorAll("a, button, summary")].find((one) => one.href === held.href && one.className === held.className);
    const caret = held.matches("input") ? [held.selectionStart, held.selectionEnd] : null;
    return () => {
      (wanted || shown.querySelector("#act-title")).focus();
      if (caret && wanted) wanted.setSelectionRange(...caret);
    };
  }

  function put(section, isSame) {
    const shown = document.importNode(section, true);
    const old = document.getElementById("act");
    let focus = () => (shown.querySelector(".wrong input, .wrong select") || shown.querySelector("#act-title")).focus();
    if (old) {
      if (isSame) focus = carryOver(old, shown);
      old.replaceWith(shown);
    } else dialog.append(shown);
    if (dialog.contains(shown) && !dialog.open) dialog.showModal();
    focus();
    lookLater(shown);
  }

  // What was asked for is told anew until it has ended.
  function lookLater(section) {
    clearTimeout(looking);
    const { look } = section.dataset;
    if (look) looking = setTimeout(() => section.isConnected && load(look, true), 2000);
  }

  async function load(url, isSame = false) {
    try {
      const answer = await fetch(url, { headers: { Accept: "text/html" } });
      const section = sectionOf(await answer.text());
      if (section) put(section, isSame);
      else location.assign(url); // to the login
    } catch {
      location.assign(url);
    }
  }

  async function send(form, submitter, again = false) {
    const data = new FormData(form, submitter);
    if (again) data.set("again", "1");
    if (data.has("again")) data.delete("password");
    const buttons = form.querySelectorAll("button");
    buttons.forEach((one) => { one.disabled = true; });
    try {
      const answer = await fetch(form.action, { method: "POST", body: data });
      const section = sectionOf(await answer.text());
      if (section) put(section, again);
      else location.assign(form.action);
    } catch {
      // Nobody knows whether it arrived. The same form again is done once at most.
      buttons.forEach((one) => { one.disabled = false; });
      const word = form.querySelector("[data-lost]");
      word.hidden = false;
      word.focus();
    }
  }

  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest("a[data-act], a[data-close]");
    if (!link) return;
    if (link.matches("[data-act]")) {
      event.preventDefault();
      load(link.href);
    } else if (dialog.contains(link)) {
      event.preventDefault();
      dialog.close();
    }
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-confirm]")) return;
    event.preventDefault();
    send(event.target, event.submitter);
  });

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-confirm]");
    if (form && event.target.matches("[data-again]")) send(form, null, true);
  });

  dialog.addEventListener("close", () => {
    const acted = dialog.querySelector("[data-done]");
    clearTimeout(looking);
    dialog.replaceChildren();
    if (acted && !document.getElementById("board")) location.reload(); // a page that does not keep itself new
  });

  const alone = document.getElementById("act");
  if (alone) lookLater(alone);
})();
