// The list of answers -> choosing two to compare, moving along it by keys. Knows no answer's content.

import { say, unheard } from "./app.js";
import { action } from "./keys.js";
import { own } from "./session.js";

const STORE = own("hilum.chosen");
const BEFORE = "What you see is the list before.";
let chosen = new Set(); // ids, in the order in which they were chosen; some may stand on other pages of the list

const boxes = () => [...document.querySelectorAll("[data-pick]")];
const links = () => [...document.querySelectorAll("table.work a.open")];

function recall() {
  try {
    chosen = new Set(JSON.parse(sessionStorage.getItem(STORE) ?? "[]"));
  } catch {
    // then they hold for this page only
  }
}

function pick(ids) {
  chosen = new Set(ids);
  try {
    sessionStorage.setItem(STORE, JSON.stringify([...chosen]));
  } catch {
    // then they hold for this page only
  }
  refresh();
}

function refresh() {
  for (const box of boxes()) box.checked = chosen.has(box.value);
  const link = document.querySelector("[data-compare]");
  if (!link) return;
  const away = chosen.size - boxes().filter((box) => box.checked).length;
  const ready = chosen.size === 2;
  const notes = [!ready && `${chosen.size} chosen`, away && `${away} not shown here`].filter(Boolean).join(", ");
  link.setAttribute("aria-disabled", String(!ready));
  link.textContent = `${ready ? "Compare these two" : "Choose two to compare"}${notes && ` (${notes})`}`;
  const [a, b] = [...chosen].map(encodeURIComponent);
  if (ready) link.href = `/app/compare?a=${a}&b=${b}`;
  else link.removeAttribute("href");
  document.querySelector("[data-choose-none]").hidden = !chosen.size;
}

/** Said to those who do not see the list change: what comes with the list itself is not read aloud. */
function hear() {
  const found = document.querySelector("#found [data-many], #found h2");
  document.querySelector("[data-heard]").textContent = found?.textContent ?? "";
}

function step(by) {
  const all = links();
  const place = all.indexOf(document.activeElement);
  all[Math.min(Math.max(place + by, 0), all.length - 1)]?.focus();
}

/** Only the answers of the chosen question; another's that was chosen before is let go, before the list is asked for. */
function fitting() {
  const [task, answers] = [document.getElementById("ftask"), document.getElementById("fclass")];
  for (const one of answers.options) {
    const fits = !task.value || !one.dataset.of || one.dataset.of.split(" ").includes(task.value);
    one.hidden = one.disabled = !fits;
    if (!fits && one.selected) answers.value = "";
  }
}

document.addEventListener("change", (event) => event.target.id === "ftask" && fitting(), true);
document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-pick]")) pick([...[...chosen].filter((id) => id !== target.value), ...(target.checked ? [target.value] : [])]);
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-choose-none]")) return;
  pick([]);
  document.querySelector("#found [tabindex]").focus({ preventScroll: true }); // the button is gone, and the focus with it
});
document.addEventListener("htmx:after:swap", () => {
  refresh();
  fitting();
  hear();
});
document.addEventListener("htmx:before:response", (event) => {
  const { response } = event.detail.ctx;
  const at = new URL(response.raw?.url ?? location.href);
  const out = at.pathname === "/login";
  if (!out && response.status < 400) return;
  event.preventDefault(); // the list is no part of that page: it would be put away with the filters' place
  if (out) return location.assign(at); // signed out meanwhile
  say(response.status === 429 ? `That was asked too often: wait a moment. ${BEFORE}` : `The list could not be fetched now. ${BEFORE}`);
  if (response.status >= 500) unheard();
});
document.addEventListener("htmx:error", () => {
  say(`The server did not answer. ${BEFORE}`);
  unheard();
});
const again = () => (recall(), refresh(), fitting());
again();
window.addEventListener("pageshow", again); // after a way back the browser has put the ticks there as they were

action("row-next", { title: "Next answer", group: "List", key: "j", repeat: true, run: () => step(1) });
action("row-before", { title: "Answer before", group: "List", key: "k", repeat: true, run: () => step(-1) });
action("row-pick", {
  title: "Choose the answer for comparing", group: "List", key: "x",
  run: () => document.activeElement?.closest("tr")?.querySelector("[data-pick]")?.click(),
});
action("row-compare", { title: "Compare the two chosen", group: "List", key: "c", run: () => document.querySelector("[data-compare][href]")?.click() });
