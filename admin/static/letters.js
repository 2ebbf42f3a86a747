"use strict";
/* The editor of letters: a field is put where the reader writes. */

let written = null;

document.addEventListener("focusin", (event) => {
  if (event.target.matches("[data-text]")) written = event.target;
});

document.addEventListener("click", (event) => {
  const field = event.target.closest("[data-field]");
  const text = written ?? document.querySelector("[data-text]");
  if (!field || !text) return;
  text.setRangeText(`{${field.dataset.field}}`, text.selectionStart, text.selectionEnd, "end");
  text.focus();
  text.dispatchEvent(new Event("input", { bubbles: true }));
});
