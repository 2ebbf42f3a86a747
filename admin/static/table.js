"use strict";
/* The decision table as a sheet: arrow keys move, typing edits, each cell is saved at once, in order. */

const CELL = "#sheet tbody [data-column]";
let active = [0, 0];
let editor = null;
let waiting = null;
let queue = Promise.resolve();
let version = document.getElementById("desk")?.dataset.version;
const typed = new Map();

const sheet = () => document.getElementById("sheet");
const rows = () => [...(sheet()?.tBodies[0].rows ?? [])];
const cellAt = (row, column) => rows()[row]?.cells[column];
const textOf = (cell) => cell.querySelector(".t").textContent;
const rowOf = (cell) => cell.parentElement.dataset.row;
const keyOf = (cell) => `${rowOf(cell)}|${cell.dataset.column}`;

function select(row, column, focus = true) {
  const all = rows();
  if (!all.length) return;
  row = Math.max(0, Math.min(row, all.length - 1));
  column = Math.max(0, Math.min(column, all[row].cells.length - 1));
  cellAt(...active)?.setAttribute("tabindex", "-1");
  active = [row, column];
  const cell = cellAt(row, column);
  cell.setAttribute("tabindex", "0");
  const tools = document.getElementById("tools");
  tools.elements.row.value = rowOf(cell);
  tools.elements.column.value = cell.dataset.column;
  if (focus) {
    cell.focus({ preventScroll: true });
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function place(row, column) {
  const at = rows().findIndex((one) => one.dataset.row === row);
  const cell = at < 0 ? -1 : [...rows()[at].cells].findIndex((one) => one.dataset.column === column);
  return at < 0 ? active : [at, Math.max(cell, 0)];
}

/* --- editing ------------------------------------------------------------------------ */

function edit(text) {
  const cell = cellAt(...active);
  if (!cell || editor || cell.getAttribute("aria-readonly") === "true") return;
  const input = document.createElement("input");
  input.value = text ?? textOf(cell);
  input.setAttribute("aria-label", sheet().tHead.rows[0].cells[active[1]].textContent.trim());
  if (cell.getAttribute("aria-describedby")) input.setAttribute("aria-describedby", cell.getAttribute("aria-describedby"));
  if (document.getElementById(`list-${cell.dataset.column}`)) input.setAttribute("list", `list-${cell.dataset.column}`);
  input.autocomplete = "off";
  editor = { cell, input, before: textOf(cell), at: [...active] };
  for (const part of cell.children) part.hidden = true;
  cell.classList.add("editing");
  cell.append(input);
  input.focus();
  if (text === undefined) input.select();
}

function close(keep) {
  if (!editor) return;
  const { cell, input, before } = editor;
  const text = input.value.trim();
  editor = null;
  input.remove();
  cell.classList.remove("editing");
  for (const part of cell.children) part.hidden = false;
  if (keep && (text !== before || typed.has(keyOf(cell)))) put(cell, text);
  else if (waiting) swap();
}

function put(cell, text) {
  cell.querySelector(".t").textContent = text;
  typed.delete(keyOf(cell));
  const fields = { do: "cell", row: rowOf(cell), column: cell.dataset.column, value: text };
  if (fields.row.startsWith("new")) {
    for (const one of cell.parentElement.cells) fields[`cell:${one.dataset.column}`] = textOf(one);
  }
  send(fields);
}

/* --- saving ------------------------------------------------------------------------- */

function send(fields, jump = false, form = document.getElementById("tools")) {
  const values = new FormData(form);
  for (const [name, value] of Object.entries(fields)) values.set(name, value);
  const address = form.getAttribute("action");
  document.getElementById("desk").setAttribute("aria-busy", "true");
  queue = queue.then(() => answer(address, values, jump)).catch(failed);
}

async function answer(address, values, jump) {
  values.set("version", version);
  const found = await fetch(address, { method: "POST", body: values, headers: { "X-Sheet": "1" } });
  const page = new DOMParser().parseFromString(await found.text(), "text/html");
  const desk = page.getElementById("desk");
  if (!desk) throw new Error(String(found.status));
  version = desk.dataset.version;
  waiting = { desk, jump: jump || waiting?.jump };
  if (!editor) swap();
}

function failed() {
  const desk = document.getElementById("desk");
  const told = document.createElement("div");
  told.className = "notice bad";
  told.setAttribute("role", "alert");
  told.textContent = desk.dataset.failed;
  desk.prepend(told);
  desk.removeAttribute("aria-busy");
}

function swap() {
  const { desk, jump } = waiting;
  waiting = null;
  const old = document.getElementById("desk");
  const scrolled = old.querySelector(".sheet-wrap");
  const [left, top] = [scrolled?.scrollLeft ?? 0, scrolled?.scrollTop ?? 0];
  const held = old.contains(document.activeElement) || document.activeElement === document.body;
  const inSheet = sheet()?.contains(document.activeElement);
  const waits = old.querySelector("tr.waits");
  const at = waits ? rows().indexOf(waits) : -1;
  desk.querySelectorAll("[aria-invalid]").forEach((cell) => typed.set(keyOf(cell), textOf(cell)));
  old.replaceWith(desk);
  if (desk.dataset.conflict !== undefined) return document.getElementById("theirs")?.focus();
  if (!sheet()) return;
  const next = rows()[at];
  if (waits && next && !desk.querySelector("tr.waits") && !jump && next.dataset.row === waits.dataset.after) next.before(waits);
  keepTyped();
  const wrap = desk.querySelector(".sheet-wrap");
  wrap.scrollTo(left, top);
  const wanted = jump && desk.dataset.row ? place(desk.dataset.row, desk.dataset.column) : active;
  select(...wanted, held && (inSheet || jump));
  document.dispatchEvent(new CustomEvent("sheet:swapped"));
}

function keepTyped() {
  sheet().querySelectorAll("tr.waits").forEach((row) => (row.dataset.after = row.nextElementSibling?.dataset.row ?? ""));
  for (const [key, text] of typed) {
    const [row, column] = key.split("|");
    const cell = cellAt(...place(row, column));
    if (!cell || keyOf(cell) !== key) continue;
    cell.querySelector(".t").textContent = text;
    cell.classList.add("unsaved");
    cell.setAttribute("aria-invalid", "true");
  }
}

/* --- keys and the mouse ------------------------------------------------------------- */

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0] };

function moveKey(event) {
  const [row, column] = active;
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    send({ do: event.key === "ArrowUp" ? "up" : "down" }, true);
  } else if (STEPS[event.key] && !event.altKey) {
    select(row + STEPS[event.key][0], column + STEPS[event.key][1]);
  } else if (event.key === "Home") {
    select(event.ctrlKey ? 0 : row, 0);
  } else if (event.key === "End") {
    select(event.ctrlKey ? Infinity : row, Infinity);
  } else if (event.key === "Enter" || event.key === "F2") {
    edit();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    const cell = cellAt(row, column);
    if (cell.getAttribute("aria-readonly") !== "true" && textOf(cell)) put(cell, "");
  } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
    edit(event.key);
  } else {
    return;
  }
  event.preventDefault();
}

function editKey(event) {
  const [row, column] = editor.at;
  const back = event.shiftKey ? -1 : 1;
  if (event.key === "Escape") {
    close(false);
    select(row, column);
  } else if (event.key === "Enter") {
    close(true);
    select(row + back, column);
  } else if (event.key === "Tab") {
    close(true);
    select(row, column + back);
  } else {
    return;
  }
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (editor && event.target === editor.input) editKey(event);
  else if (event.target.matches?.(CELL)) moveKey(event);
});

document.addEventListener("focusout", (event) => {
  if (editor && event.target === editor.input) close(true);
});

let chosen = null; // the cell that was active before it was touched: touching it once more edits it

document.addEventListener("mousedown", (event) => {
  const cell = event.target.closest(CELL);
  chosen = cell && document.activeElement === cell ? cell : null;
  if (!cell || (editor && editor.cell === cell)) return;
  close(true);
  select(...place(rowOf(cell), cell.dataset.column));
  event.preventDefault();
});

document.addEventListener("dblclick", (event) => {
  if (event.target.closest(CELL)) edit();
});

document.addEventListener("click", (event) => {
  const cell = event.target.closest(CELL);
  if (event.pointerType === "touch" && cell && cell === chosen) edit();
});

document.addEventListener("focusin", (event) => {
  if (event.target.matches?.(CELL) && !editor) select(...place(rowOf(event.target), event.target.dataset.column), false);
});

document.addEventListener("paste", (event) => {
  if (editor || !document.activeElement?.matches(CELL)) return;
  const block = event.clipboardData.getData("text/plain").replace(/\r?\n$/, "");
  event.preventDefault();
  if (block) send({ do: "block", block });
});

document.addEventListener("copy", (event) => {
  const cell = document.activeElement;
  if (editor || !cell?.matches(CELL) || String(getSelection())) return;
  event.clipboardData.setData("text/plain", textOf(cell));
  event.preventDefault();
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-sheet]");
  if (!form) return;
  event.preventDefault();
  close(true);
  const fields = event.submitter?.name ? { [event.submitter.name]: event.submitter.value } : {};
  const fact = form.querySelector('input[name="fact"]');
  send(fields, true, form);
  fact?.remove();
});

document.addEventListener("click", (event) => {
  const to = event.target.closest("[data-to-row]");
  if (!to) return;
  event.preventDefault();
  select(...place(to.dataset.toRow, to.dataset.toColumn));
});

document.addEventListener("DOMContentLoaded", () => {
  if (!sheet()) return;
  const desk = document.getElementById("desk");
  select(...(desk.dataset.row ? place(desk.dataset.row, desk.dataset.column) : [0, 0]), false);
  keepTyped();
});
