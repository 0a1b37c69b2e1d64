// Named actions -> keys that can be looked up under `?`, changed and switched off; kept in this browser only, for each person.

import { own } from "./session.js";

const STORE = own("hilum.keys");
const actions = new Map();
const held = new Set();
let kept = read();
let pending = "";
let asking = null;

function read() {
  try {
    return { on: true, changed: {}, known: {}, ...JSON.parse(localStorage.getItem(STORE) ?? "{}") };
  } catch {
    return { on: true, changed: {} };
  }
}

function keep() {
  try {
    localStorage.setItem(STORE, JSON.stringify(kept));
  } catch {
    // a browser that keeps nothing still has the keys of this page
  }
}

/** Give an action a key. `release` makes it one that works while the key is held; `repeat` one that goes on meanwhile; `usable` says when it can be used. */
export function action(id, { title, group, key, run, release = null, repeat = false, usable = () => true }) {
  actions.set(id, { title, group, key, run, release, repeat, usable });
}

/** The key an action stands on now. */
export function keyOf(id) {
  return kept.changed[id] ?? actions.get(id)?.key ?? "";
}

/** What works everywhere must not stand on a key of another page either: those that were open here are remembered. */
function remember() {
  const mine = [...actions].map(([id, { title, group, key }]) => [id, { title, group, key }]);
  kept.known = { ...kept.known, ...Object.fromEntries(mine) };
  keep();
}

/** What keeps an action from a key: the action that stands on it, or on a sequence that it begins. */
function taker(id, key) {
  const everywhere = actions.get(id).group === "Everywhere";
  const others = Object.entries({ ...(everywhere ? kept.known : {}), ...Object.fromEntries(actions) });
  const at = (other, one) => kept.changed[other] ?? one.key;
  const found = others.find(([other, one]) => other !== id && `${at(other, one)} `.startsWith(`${key} `));
  return found && { title: found[1].title, key: at(...found) };
}

/** Keys of the browser, the machine and screen readers (F5, Enter, Insert, ContextMenu, …) are theirs alone. */
function free(key) {
  return /^(Shift\+)?(.|Arrow(Left|Right|Up|Down)|Page(Up|Down)|Home|End|Delete|Backspace)$/su.test(key);
}

/** How a key is written for people. */
export function written(key) {
  const names = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", PageUp: "PgUp", PageDown: "PgDn" };
  return key.split(" ").length > 1 && key !== " "
    ? key.split(" ").map(written).join(" then ")
    : key.replace(/^(Shift\+)?(.+)$/s, (_, shift, name) => (shift ? "Shift " : "") + (names[name] ?? (name.length === 1 ? name.toUpperCase() : name)));
}

function pressed(event) {
  const shifted = event.shiftKey && (event.key.length > 1 || /[a-z]/i.test(event.key));
  return (shifted ? "Shift+" : "") + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
}

/** With AltGr, which Windows tells as Ctrl and Alt: so a German keyboard writes [ and ]. */
const typed = (event) => event.getModifierState("AltGraph") && event.key.length === 1;

/** What belongs to the browser or the system. */
const commanding = (event) => event.metaKey || (event.ctrlKey && !typed(event));

function writing(event) {
  const at = event.target;
  if (at.isContentEditable || /^(TEXTAREA|SELECT)$/.test(at.tagName)) return true;
  if (at.tagName === "INPUT" && !/^(checkbox|button)$/.test(at.type)) return at.type !== "range" || /^(Arrow|Page|Home|End)/.test(event.key);
  return /^( |Enter)$/.test(event.key) && at.closest("button, a, summary, input, label") !== null;
}

function find(key) {
  for (const [id, one] of actions) if (keyOf(id) === key && one.usable()) return [id, one];
  return null;
}

document.addEventListener("keydown", (event) => {
  if (asking) {
    if (event.key === "Tab") return asking(null); // with it one goes about the page: it is never a key of an action
    event.preventDefault();
    if (/^(Shift|Control|Alt|AltGraph|Meta|CapsLock|Dead|Unidentified)$/.test(event.key) || commanding(event)) return;
    asking(event.key === "Escape" ? null : pressed(event));
    return;
  }
  if (commanding(event) || event.altKey && !typed(event) || writing(event)) return;
  if (!kept.on || document.querySelector("dialog[open]")) return;
  const sequence = pending ? `${pending} ${pressed(event)}` : pressed(event);
  const found = find(sequence);
  if (event.repeat && !found?.[1].repeat) {
    if (found) event.preventDefault();
    return; // a key that stays down is one press
  }
  pending = "";
  if (!found) {
    for (const id of actions.keys()) if (keyOf(id).startsWith(`${sequence} `)) pending = sequence;
    return;
  }
  event.preventDefault();
  const [id, one] = found;
  if (one.release) {
    if (held.has(id)) return;
    held.add(id);
  }
  one.run(event);
});

function letGo() {
  for (const id of held) actions.get(id)?.release();
  held.clear();
}
document.addEventListener("keyup", letGo);
window.addEventListener("blur", letGo);

/** Fill the dialog and open it. */
export function showKeys() {
  const dialog = document.getElementById("keys");
  const body = dialog.querySelector("tbody");
  const groups = new Map();
  for (const [id, one] of actions) groups.set(one.group, [...(groups.get(one.group) ?? []), [id, one]]);
  body.replaceChildren(
    ...[...groups].flatMap(([group, rows]) => [heading(group), ...rows.map(([id, one]) => row(id, one))]),
  );
  const switched = dialog.querySelector("[data-keys-on]");
  switched.checked = kept.on;
  if (!dialog.open) dialog.showModal();
}

function heading(text) {
  const line = document.createElement("tr");
  const cell = document.createElement("th");
  cell.colSpan = 2;
  cell.scope = "colgroup";
  cell.className = "strong";
  cell.textContent = text;
  line.append(cell);
  return line;
}

function row(id, one) {
  const line = document.createElement("tr");
  const name = document.createElement("td");
  name.textContent = one.title + (one.release ? " (while held)" : "");
  const cell = document.createElement("td");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = written(keyOf(id));
  button.setAttribute("aria-label", `${one.title}: key ${written(keyOf(id))}. Change`);
  button.onclick = () => change(id, button);
  cell.append(button);
  line.append(name, cell);
  return line;
}

function change(id, button) {
  const said = document.querySelector("#keys [data-keys-said]");
  button.textContent = "Press a key";
  asking = (key) => {
    asking = null;
    const taken = key && taker(id, key);
    if (key && !free(key)) {
      said.textContent = `${written(key)} belongs to the browser or to a screen reader. Nothing was changed.`;
    } else if (taken && taken.key !== key) {
      said.textContent = `${written(key)} begins other keys: ${written(taken.key)} is ${taken.title}. Nothing was changed.`;
    } else if (taken) {
      said.textContent = `${written(key)} is taken: ${taken.title}. Nothing was changed.`;
    } else if (key) {
      kept.changed[id] = key;
      keep();
      document.dispatchEvent(new CustomEvent("hilum:keys"));
      said.textContent = `${actions.get(id).title} is now on ${written(key)}.`;
    }
    showKeys();
    document.querySelector(`#keys button[aria-label^="${CSS.escape(actions.get(id).title)}"]`)?.focus();
  };
}

/** Wire the dialog of this page. */
export function startKeys() {
  const dialog = document.getElementById("keys");
  action("keys", { title: "Show all keys", group: "Everywhere", key: "?", run: showKeys });
  document.querySelector("[data-show-keys]")?.addEventListener("click", showKeys);
  window.addEventListener("load", remember);
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => (asking = null)); // whoever shuts it while it waits for a key changes none
  dialog.querySelector("[data-keys-on]").addEventListener("change", (event) => {
    kept.on = event.target.checked;
    keep();
  });
  dialog.querySelector("[data-keys-reset]").addEventListener("click", () => {
    kept = { ...kept, on: true, changed: {} };
    keep();
    document.dispatchEvent(new CustomEvent("hilum:keys"));
    dialog.querySelector("[data-keys-said]").textContent = "All keys are as they were delivered.";
    showKeys();
  });
}
