"use strict";
/* The workbench: facts are chosen in a dialog, and after each edit the reader goes on where they were. */

const facts = document.getElementById("facts");
const find = document.getElementById("facts-find");
let opener = null;

function openFacts(button) {
  opener = button;
  find.value = "";
  narrow();
  facts.showModal();
  find.focus();
}

function narrow() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  facts.querySelectorAll("li").forEach((line) => {
    line.hidden = !words.every((word) => line.dataset.words.includes(word));
    if (!line.hidden) left += 1;
  });
  facts.querySelector(".none").hidden = left > 0;
}

function choose(name) {
  const form = opener.closest("form");
  const submitter = document.createElement("button");
  submitter.hidden = true;
  submitter.name = "do";
  submitter.value = opener.dataset.pick;
  const fact = document.createElement("input");
  fact.type = "hidden";
  fact.name = "fact";
  fact.value = name;
  form.append(fact, submitter);
  facts.close();
  form.requestSubmit(submitter);
  submitter.remove();
}

document.addEventListener("click", (event) => {
  const pick = event.target.closest("[data-pick]");
  if (pick && facts) return openFacts(pick);
  const fact = event.target.closest("[data-fact]");
  if (fact) return choose(fact.dataset.fact);
  if (event.target.closest("[data-close]") || event.target === facts) facts?.close();
});

find?.addEventListener("input", narrow);

facts?.addEventListener("keydown", (event) => {
  const shown = [...facts.querySelectorAll("li:not([hidden]) [data-fact]")];
  const at = shown.indexOf(document.activeElement);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    (shown[at + (event.key === "ArrowDown" ? 1 : -1)] ?? find).focus();
  } else if (event.key === "Enter" && document.activeElement === find && shown.length) {
    event.preventDefault();
    shown[0].click();
  }
});

function goOn() {
  const desk = document.getElementById("desk");
  const name = desk?.dataset.focus;
  if (!name) return;
  desk.dataset.focus = "";
  const first = "#editor :is(input:not([type=hidden]), select, textarea)";
  const found = name === "first" ? document.querySelector(first) : document.getElementById(name);
  (found ?? desk).focus();
}

document.addEventListener("htmx:after:settle", goOn);
document.addEventListener("DOMContentLoaded", goOn);
