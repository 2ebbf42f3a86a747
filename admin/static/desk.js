"use strict";
/* The day's list without the mouse: a key leads on, chooses a result, sends. And a result opens what it needs. */

(() => {
  const stop = document.querySelector("[data-stop]");
  if (!stop) return;
  const form = document.getElementById("report");
  const typing = (place) => place.closest("textarea, select, input:not([type='radio'])");

  function open(result) {
    const wanted = new Set((result?.dataset.opens ?? "").split(" ").filter(Boolean));
    form.querySelectorAll("[data-field]").forEach((field) => {
      const shown = wanted.has(field.dataset.field);
      field.hidden = !shown;
      field.querySelectorAll("input, select").forEach((one) => (one.disabled = !shown));
    });
    const any = form.querySelector("[data-any]");
    if (any) any.disabled = result?.value === "disputed"; // a dispute is about one invoice
    const line = form.querySelector("[name='due_line']");
    if (any?.disabled && line && !line.value) line.value = any.nextElementSibling?.value ?? "";
    form.querySelectorAll("[data-after]").forEach((words) => (words.hidden = words.dataset.after !== result?.value));
  }

  if (form) {
    open(form.querySelector("[name='result']:checked"));
    form.addEventListener("change", (event) => {
      if (event.target.name === "result") open(event.target);
    });
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && typing(event.target)) return event.target.blur();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return form?.requestSubmit();
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return undefined;
    if (event.key === "?") {
      const keys = stop.querySelector(".keys");
      keys.open = !keys.open;
      keys.scrollIntoView({ block: "nearest" });
      return undefined;
    }
    const target = [...stop.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
    if (!target) return undefined;
    event.preventDefault();
    if (target.type === "radio") {
      target.checked = true;
      open(target);
      const first = form.querySelector("[data-field]:not([hidden]) input, [data-field]:not([hidden]) select");
      (first ?? target).focus();
    } else if (target.tagName === "TEXTAREA") target.focus();
    else target.click();
    return undefined;
  });
})();
