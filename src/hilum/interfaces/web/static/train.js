// The form of a training -> an order with the changed lines of the plan in it, sent, and the page on which to watch it.

import { offWhile, send } from "./app.js";
import { keyOnce } from "./once.js";
import { wrong } from "./session.js";

const form = document.querySelector("form[data-train]");

/** The lines of the plan that were filled in; numbers as numbers. */
function changes() {
  const found = {};
  for (const field of form.querySelectorAll("[data-line]")) if (field.value) found[field.dataset.line] = worth(field.value);
  for (const line of form.querySelector("[data-lines]").value.split("\n")) {
    const [name, ...rest] = line.split("=");
    if (!line.trim()) continue;
    if (!rest.length) throw new Error(`"${line.trim()}" is no line of a plan: write name=value.`);
    found[name.trim()] = worth(rest.join("=").trim());
  }
  return found;
}

function worth(text) {
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function tell(text, kind) {
  const said = form.querySelector("[data-said]");
  said.className = kind;
  said.textContent = text;
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const value = (name) => form.elements[name].value;
  let order;
  try {
    order = { source: value("source"), task: value("task"), network: value("network") || null, changes: changes() };
  } catch (error) {
    tell(error.message, "error-text");
    form.querySelector("[data-lines]").focus();
    return;
  }
  for (const name of ["tune", "folds", "seed"]) order[name] = Number(value(name) || 0);
  const button = form.querySelector("button[type=submit]");
  tell("Sending…", "muted");
  const { ok, status, body } = await offWhile(button, () => send("POST", "/trainings", order, keyOnce(form)));
  if (ok) location.assign(`/app/train/${encodeURIComponent(body.id)}`);
  else tell(wrong({ status, body }), "error-text");
});
