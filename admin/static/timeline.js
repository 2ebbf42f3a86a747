"use strict";
/* A scenario as a line of days: its cards are laid on it, dragged along it, and moved with the arrow keys.
   Where there is no room for a line the cards stay a list; everything else works there too. */

(() => {
  const ROOM = matchMedia("(min-width: 861px)");
  const CARD = 186;
  const GAP = 10;
  const EDGE = 18;
  const DAY_MIN = 9; // px; a longer line scrolls
  const HEAD = 62; // px of the axis above the cards
  const WEEK = 7;
  const REST_MS = 350; // after the last arrow key

  let drag = null;
  let keyed = null; // the step that is moved by keys, and by how many days so far
  let resting = 0;
  let busy = false;
  let asked = 0; // the frame in which the line is laid anew

  const track = () => document.querySelector(".track");
  const isLaid = () => track()?.classList.contains("laid");
  const cards = () => [...(track()?.querySelectorAll(".step") ?? [])];
  const dayOf = (card) => Number(card.parentElement.dataset.day);
  const isFixed = (card) => card.dataset.kind === "days"; // others have no day of their own

  function perDay() {
    const one = track();
    const { low, high } = one.dataset;
    return Math.max(DAY_MIN, (one.clientWidth - 2 * EDGE - CARD) / (high - low));
  }

  const left = (day) => EDGE + (day - Number(track().dataset.low)) * perDay();

  function said(day) {
    const words = track().dataset;
    const one = Math.abs(day) === 1;
    const said = day < 0 ? (one ? words.dayBeforeOne : words.dayBeforeSome) : one ? words.dayAfterOne : words.dayAfterSome;
    return said.replace("%n", Math.abs(day));
  }

  /* --- the line ---------------------------------------------------------------------- */

  function lay() {
    asked = 0;
    const one = track();
    if (!one || drag?.moved) return;
    one.classList.toggle("laid", ROOM.matches);
    if (!ROOM.matches) return;
    const { low, high } = one.dataset;
    const axis = one.querySelector(".axis");
    const width = left(Number(high)) + CARD + EDGE;
    axis.style.width = `${width}px`;
    axis.querySelectorAll(".tick").forEach((tick) => (tick.style.left = `${left(Number(tick.dataset.day))}px`));
    axis.querySelector(".due").style.left = `${left(0)}px`;
    axis.querySelector(".before").style.width = `${left(0)}px`;
    axis.querySelector(".after").style.left = `${left(0)}px`;
    const ends = []; // of each lane, where its last card ends
    const placed = cards().map((card) => {
      const at = left(dayOf(card));
      let lane = ends.findIndex((end) => end + GAP <= at);
      if (lane < 0) lane = ends.push(0) - 1;
      ends[lane] = at + CARD;
      return { card, at, lane };
    });
    let top = HEAD;
    ends.forEach((_end, lane) => {
      const own = placed.filter((each) => each.lane === lane);
      for (const { card, at } of own) {
        card.parentElement.style.left = `${at}px`;
        card.parentElement.style.top = `${top}px`;
        card.parentElement.style.setProperty("--stem", `${top - HEAD + 16}px`);
      }
      top += Math.max(...own.map(({ card }) => card.offsetHeight)) + GAP;
    });
    one.style.setProperty("--height", `${Math.max(top + 6, HEAD + 110)}px`);
    axis.style.setProperty("--due", `${left(0)}px`);
  }

  function layAnew() {
    if (!asked) asked = requestAnimationFrame(lay);
  }

  const sizes = new ResizeObserver(layAnew);

  function begin() {
    sizes.disconnect();
    const one = track();
    if (!one) return;
    sizes.observe(one);
    cards().forEach((card) => sizes.observe(card));
    lay();
    const held = keyed && document.getElementById(`step-${keyed.of}`);
    if (held) shown(held, dayOf(held) + keyed.by);
  }

  /* --- moving a step ----------------------------------------------------------------- */

  /* The day a step comes to: not the due date itself, and none that is taken. */
  function free(card, day, way) {
    if (!isFixed(card)) return day;
    const taken = new Set([0, ...cards().filter((one) => one !== card && isFixed(one)).map(dayOf)]);
    while (taken.has(day)) day += way;
    return day;
  }

  function shown(card, day) {
    if (isFixed(card)) card.querySelector(".at").textContent = said(day);
    if (isLaid()) card.parentElement.style.left = `${left(day)}px`;
  }

  function send(card, by) {
    const form = document.getElementById("shift");
    form.elements.place.value = card.dataset.place;
    form.elements.of.value = card.dataset.of;
    form.elements.by.value = by;
    form.requestSubmit(form.elements.do);
  }

  function flush() {
    if (!keyed || busy || resting) return;
    const { of, by } = keyed;
    keyed = null;
    const card = document.getElementById(`step-${of}`);
    if (card && by) send(card, by);
  }

  function byKey(event) {
    const card = event.target.closest?.(".track .step");
    if (!card || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    const by = (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? WEEK : 1);
    const already = keyed?.of === card.dataset.of ? keyed.by : 0;
    const day = free(card, dayOf(card) + already + by, Math.sign(by));
    keyed = { of: card.dataset.of, by: day - dayOf(card) };
    shown(card, day);
    clearTimeout(resting);
    resting = setTimeout(() => {
      resting = 0;
      flush();
    }, REST_MS);
  }

  /* --- the mouse --------------------------------------------------------------------- */

  function take(event) {
    const card = event.target.closest?.(".track.laid .step");
    if (!card || event.button !== 0 || busy || event.pointerType === "touch") return;
    drag = { card, from: event.clientX, day: dayOf(card), moved: false };
  }

  function pull(event) {
    if (!drag) return hover(event);
    const by = event.clientX - drag.from;
    if (!drag.moved && Math.abs(by) < 5) return;
    if (!drag.moved) {
      drag.moved = true;
      drag.card.classList.add("dragged");
      ghost(null);
    }
    const start = dayOf(drag.card);
    drag.day = free(drag.card, start + Math.round(by / perDay()), Math.sign(by));
    drag.card.parentElement.style.left = `${left(start) + by}px`;
    if (isFixed(drag.card)) drag.card.querySelector(".at").textContent = said(drag.day);
  }

  function drop(event) {
    if (!drag) return;
    const { card, day, moved } = drag;
    drag = null;
    if (!moved) return;
    card.classList.remove("dragged");
    if (event.type === "pointerup") {
      addEventListener("click", swallow, { capture: true, once: true }); // a drag opens nothing
      setTimeout(() => removeEventListener("click", swallow, true));
    }
    const by = event.type === "pointerup" ? day - dayOf(card) : 0;
    shown(card, dayOf(card) + by);
    if (by) send(card, by);
  }

  function swallow(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  /* --- a new step at a place --------------------------------------------------------- */

  function dayUnder(event) {
    const one = track();
    const x = event.clientX - one.getBoundingClientRect().left + one.scrollLeft;
    const day = Math.round((x - EDGE) / perDay()) + Number(one.dataset.low);
    return day === 0 || day > Number(one.dataset.high) ? null : day;
  }

  function ghost(day, event) {
    const found = track()?.querySelector(".ghost");
    if (!found) return;
    found.hidden = day === null;
    if (day === null) return;
    found.textContent = track().dataset.add.replace("%w", said(day));
    found.style.left = `${left(day)}px`;
    found.style.top = `${event.clientY - track().getBoundingClientRect().top}px`;
  }

  function hover(event) {
    if (!isLaid()) return;
    const over = event.target.closest?.(".track") && !event.target.closest(".step");
    ghost(over && !busy ? dayUnder(event) : null, event);
  }

  function addHere(event) {
    if (!isLaid() || busy || !event.target.closest?.(".track") || event.target.closest(".step")) return;
    const day = dayUnder(event);
    const form = document.querySelector(".add-step");
    if (day === null || !form) return;
    form.elements.days.value = Math.abs(day);
    form.elements.timing.value = day < 0 ? "before" : "after";
    form.requestSubmit(form.elements.do);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && drag) drop(event);
    else byKey(event);
  });
  document.addEventListener("pointerdown", take);
  document.addEventListener("pointermove", pull);
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);
  document.addEventListener("click", addHere);
  document.addEventListener("htmx:before:request", () => (busy = true));
  document.addEventListener("htmx:finally:request", () => {
    busy = false;
    flush();
  });
  document.addEventListener("htmx:after:settle", begin);
  document.addEventListener("DOMContentLoaded", begin);
})();
