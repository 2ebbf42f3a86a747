"use strict";
/* Counts beside the parts of a policy: asked for once as it is saved, and again while a form is typed into.
   Elements with data-count name a place; the nearest element with data-counts says where to ask.
   Nothing waits for the answer: typing goes on, and a newer question takes the place of an older one. */

(() => {
  const PAUSE_MS = 250;
  const language = document.documentElement.lang || "en";
  const signed = new Intl.NumberFormat(language, { signDisplay: "exceptZero" });
  let saved = null; // the counts as they are saved, by place
  let running = null;
  let waiting = 0;
  let saving = false; // what is being saved is about to have another version, of which nothing can be counted yet

  const root = () => document.querySelector("[data-counts]");
  const editor = () => root()?.querySelector("form[data-edits]");

  async function asked(address, options) {
    running?.abort();
    const own = new AbortController();
    running = own;
    const answer = await fetch(address, { ...options, headers: { Accept: "application/json" }, signal: own.signal });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  function mark(state) {
    root()?.querySelectorAll("[data-count]").forEach((one) => one.classList.toggle("stale", state !== "done"));
  }

  function say(words, wrong = false) {
    const note = root()?.querySelector("[data-counts-note]");
    if (!note) return;
    note.classList.toggle("wrong", wrong);
    if (note.textContent !== words) note.textContent = words;
  }

  function difference(place, found) {
    const before = saved?.[place];
    const by = before === undefined ? 0 : found.customers - before.customers;
    if (!by) return null;
    const shown = document.createElement("span");
    shown.className = `delta ${by > 0 ? "more" : "less"}`;
    shown.textContent = signed.format(by);
    return shown;
  }

  function fill(answer) {
    root().querySelectorAll("[data-count]").forEach((one) => {
      const found = answer.places[one.dataset.count];
      if (!found) return one.classList.contains("count") && one.replaceChildren();
      const by = difference(one.dataset.count, found);
      one.replaceChildren(...(by ? [`${found.words} `, by] : [found.words]));
    });
    mark("done");
    say(answer.note);
  }

  /* For those who listen: only the rule that is being edited, once the typing rests. */
  function tell(form, answer) {
    const spoken = root().querySelector("[data-counts-spoken]");
    const found = answer.places[form.dataset.edits];
    if (!spoken || !found) return;
    const by = difference(form.dataset.edits, found);
    spoken.textContent = by ? `${found.words}, ${by.textContent}` : found.words;
  }

  function failed(error) {
    if (error.name === "AbortError") return;
    mark("stale");
    const words = root()?.dataset;
    say((error.message === "409" ? words?.countsOld : words?.countsFailed) ?? "", true);
  }

  async function count(form) {
    const page = root();
    if (!page || !form.isConnected || saving) return;
    try {
      const answer = await asked(page.dataset.countsEdited, { method: "POST", body: new FormData(form) });
      if (!form.isConnected) return;
      fill(answer);
      tell(form, answer);
    } catch (error) {
      failed(error);
    }
  }

  async function begin() {
    const page = root();
    if (!page) return;
    clearTimeout(waiting);
    try {
      const answer = await asked(page.dataset.counts);
      saved = answer.places;
      if (root() !== page) return;
      fill(answer);
      const form = editor();
      if (form?.querySelector("[aria-invalid=true]")) await count(form);
    } catch (error) {
      failed(error);
    }
  }

  function typed(event) {
    const form = event.target.closest?.("form[data-edits]");
    if (!form || !root()?.contains(form)) return;
    mark("stale");
    clearTimeout(waiting);
    waiting = setTimeout(() => count(form), PAUSE_MS);
  }

  function saves() {
    saving = true;
    clearTimeout(waiting);
    running?.abort();
  }

  function settled() {
    saving = false;
    begin();
  }

  document.addEventListener("input", typed);
  document.addEventListener("htmx:before:request", saves);
  document.addEventListener("htmx:finally:request", () => (saving = false));
  document.addEventListener("htmx:after:settle", settled);
  document.addEventListener("sheet:swapped", begin);
  document.addEventListener("DOMContentLoaded", begin);

  /* Distributions of facts: fetched when their line comes into view, one after the other. */
  const queue = [];
  let busy = false;

  async function draw() {
    if (busy) return;
    busy = true;
    while (queue.length) {
      const place = queue.shift();
      try {
        const answer = await fetch(place.dataset.address, { headers: { Accept: "text/html" } });
        if (answer.ok) place.innerHTML = await answer.text();
      } catch {
        // A picture less: the fact can be chosen without it.
      }
    }
    busy = false;
  }

  const watch = new IntersectionObserver((seen) => {
    seen.filter((one) => one.isIntersecting).forEach((one) => {
      watch.unobserve(one.target);
      queue.push(one.target);
    });
    draw();
  });
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-histogram]").forEach((one) => watch.observe(one));
  });
})();
