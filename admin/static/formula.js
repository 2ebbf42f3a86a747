"use strict";
/* The field of a formula: names are offered while one types, and what it comes to is said below it. */

const field = document.getElementById("i-formula");
const names = document.getElementById("formula-names");
const answer = document.getElementById("formula-answer");
const WAIT_MS = 250;
const SHOWN_MAX = 8;
let asked = 0;
let timer = 0;
let at = -1;

function word() {
  const before = field.value.slice(0, field.selectionStart);
  const found = before.match(/"[^"]*$|@?[A-Za-z_][A-Za-z0-9_]*$|@$/);
  return found ? { text: found[0], start: before.length - found[0].length } : null;
}

function shown() {
  return [...names.querySelectorAll("li:not([hidden])")];
}

function mark(index) {
  at = index;
  shown().forEach((line, number) => line.setAttribute("aria-selected", String(number === index)));
  const chosen = shown()[index];
  if (chosen) field.setAttribute("aria-activedescendant", chosen.id);
  else field.removeAttribute("aria-activedescendant");
  chosen?.scrollIntoView({ block: "nearest" });
}

function close() {
  names.hidden = true;
  field.setAttribute("aria-expanded", "false");
  mark(-1);
}

function offer() {
  const typed = word();
  if (!typed || typed.text.replace(/["@]/g, "").length < (typed.text.startsWith("@") ? 0 : 2)) return close();
  const wanted = typed.text.toLowerCase().replace(/"/g, "").replace(/^@/, "");
  let left = 0;
  names.querySelectorAll("li").forEach((line) => {
    const parameter = line.dataset.type.startsWith("@");
    const fits = parameter === typed.text.startsWith("@") && line.dataset.words.includes(wanted);
    line.hidden = !fits || left >= SHOWN_MAX || line.dataset.type === typed.text;
    if (!line.hidden) left += 1;
  });
  names.hidden = left === 0;
  field.setAttribute("aria-expanded", String(left > 0));
  mark(-1);
}

function take(line) {
  const typed = word();
  const start = typed ? typed.start : field.selectionStart;
  field.setRangeText(line.dataset.type + " ", start, field.selectionStart, "end");
  close();
  field.focus();
  later();
}

function say(text, kind) {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = text;
  return line;
}

function show(found) {
  answer.replaceChildren();
  if (found.wrong) return answer.append(say(found.wrong, "wrong"));
  if (!found.words) return;
  const line = say(found.words, "strong");
  const measures = document.createElement("span");
  measures.className = "quiet small";
  measures.textContent = ` ${found.measures}`;
  line.append(measures);
  answer.append(line);
  if (!found.values.length) return;
  const table = document.createElement("table");
  const caption = table.createCaption();
  caption.className = "sr";
  caption.textContent = field.form.dataset.wordsValues;
  const body = table.createTBody();
  found.values.forEach((one) => {
    const row = body.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.className = "wrap";
    head.textContent = one.customer;
    row.append(head);
    const value = row.insertCell();
    value.className = "num";
    value.textContent = one.value;
    const seen = row.insertCell();
    seen.className = "wrap small quiet";
    seen.textContent = one.seen;
  });
  answer.append(table);
}

async function check() {
  const mine = (asked += 1);
  const reply = await fetch(field.form.dataset.check, { method: "POST", body: new FormData(field.form) });
  if (mine !== asked || !reply.ok) return;
  show(await reply.json());
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(check, WAIT_MS);
}

if (field) {
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", "formula-names");
  field.setAttribute("aria-expanded", "false");
  field.addEventListener("input", () => {
    offer();
    later();
  });
  field.addEventListener("keydown", (event) => {
    if (names.hidden) return;
    const lines = shown();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      mark((at + (event.key === "ArrowDown" ? 1 : lines.length - (at < 0 ? 0 : 1))) % lines.length);
    } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) {
      event.preventDefault();
      take(lines[at]);
    } else if (event.key === "Escape") {
      close();
    }
  });
  field.addEventListener("blur", () => setTimeout(close, WAIT_MS));
  names.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const line = event.target.closest("li");
    if (line) take(line);
  });
  ["i-rounding", "i-low", "i-high", "i-customer"].forEach((id) => document.getElementById(id)?.addEventListener("input", later));
}
