"use strict";
/* Small behaviours of the console. Every page works without it, charts and the narrow menu excepted. */

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-toggles]");
  if (toggle) {
    const target = document.getElementById(toggle.dataset.toggles);
    const open = target.classList.toggle("open");
    toggle.setAttribute("aria-expanded", String(open));
    if (open) target.querySelector("a, button")?.focus();
    event.stopPropagation();
    return;
  }
  const side = document.getElementById("side");
  if (side?.classList.contains("open") && !side.contains(event.target)) closeSide();
  document.querySelectorAll("details.who[open], details.pop[open]").forEach((drop) => {
    if (!drop.contains(event.target)) drop.open = false;
  });
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    closeSide();
    document.querySelectorAll("details.who[open], details.pop[open]").forEach((drop) => {
      drop.open = false;
      drop.querySelector("summary").focus();
    });
  }
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

function closeSide() {
  const side = document.getElementById("side");
  if (!side?.classList.contains("open")) return;
  side.classList.remove("open");
  const button = document.querySelector("[data-toggles='side']");
  button.setAttribute("aria-expanded", "false");
  button.focus();
}

/* A value is offered only for what it is a value of. */
const overridden = document.getElementById("i-target");
if (overridden) {
  const offer = () =>
    document.querySelectorAll("datalist option[data-target]").forEach((option) => {
      option.disabled = option.dataset.target !== overridden.value;
    });
  overridden.addEventListener("change", offer);
  offer();
}

/* What a worker is about is looked at again until it is done. */
const LOOK_AGAIN_MS = 3000;
async function lookAgain(id) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  if (!fresh) return;
  document.getElementById(id).replaceWith(fresh);
  if ("underWay" in fresh.dataset) setTimeout(lookAgain, LOOK_AGAIN_MS, id);
}
document.querySelectorAll("[data-under-way]").forEach((part) => setTimeout(lookAgain, LOOK_AGAIN_MS, part.id));

/* Boxes in a list that belong to one form: how many are ticked, and all at once. */
function boxesOf(id) {
  return [...document.querySelectorAll(`input[type="checkbox"][form="${id}"]`)];
}
document.querySelectorAll("[data-chosen-of]").forEach((told) => {
  const boxes = boxesOf(told.dataset.chosenOf);
  const tell = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    told.textContent = told.dataset.words.replace("{n}", ticked).replace("{all}", boxes.length);
  };
  boxes.forEach((box) => box.addEventListener("change", tell));
  tell();
});
document.querySelectorAll("[data-tick-all]").forEach((label) => {
  label.hidden = false;
  label.querySelector("input").addEventListener("change", (event) => {
    boxesOf(label.dataset.tickAll).forEach((box) => {
      box.checked = event.target.checked;
      box.dispatchEvent(new Event("change"));
    });
  });
});
