"use strict";
/* A trial takes a moment: the button says so and cannot be pressed twice. The page works without it. */

document.addEventListener("submit", (event) => {
  const words = event.target.dataset.trying;
  const button = event.submitter;
  if (!words || !button || event.defaultPrevented) return;
  // After the form has been read, or the button's own value would be lost.
  setTimeout(() => {
    button.dataset.before = button.textContent;
    button.textContent = words;
    button.setAttribute("aria-live", "polite");
    event.target.setAttribute("aria-busy", "true");
    event.target.querySelectorAll("button").forEach((one) => {
      one.disabled = true;
    });
  });
});

// Coming back with the browser's own button finds the form as it was left.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  document.querySelectorAll("form[data-trying]").forEach((form) => {
    form.removeAttribute("aria-busy");
    form.querySelectorAll("button").forEach((button) => {
      button.disabled = false;
      if (button.dataset.before) button.textContent = button.dataset.before;
    });
  });
});
