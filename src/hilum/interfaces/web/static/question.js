// The chosen question -> its model's operating points, that model alone at the foot; what was chosen stays for this tab.

import { say } from "./app.js";
import { own } from "./session.js";

const tasks = document.querySelector("[data-tasks]");

function points() {
  const offered = JSON.parse(tasks.selectedOptions[0].dataset.offered);
  document
    .querySelector("[data-points]")
    .replaceChildren(...offered.map(([value, text]) => new Option(text, value, value === "balanced", value === "balanced")));
}

/** The state at the foot of the page names the model that will answer. */
function models() {
  const place = document.querySelector("[data-models]");
  const chosen = tasks.value === "auto" ? "" : tasks.value;
  for (const line of place.querySelectorAll("[data-task]")) line.hidden = chosen !== "" && line.dataset.task !== chosen;
  place.dataset.models = chosen;
}

const FIELDS = ["task", "operating_point", "prevalence", "keep"];
const STORE = own(`hilum.question ${location.pathname}`);

function keep(form) {
  const given = new FormData(form);
  try {
    sessionStorage.setItem(STORE, JSON.stringify(FIELDS.map((name) => [name, given.get(name) ?? ""])));
  } catch {
    // then it holds for this page only
  }
}

function put(field, value) {
  const radio = field instanceof RadioNodeList;
  const offered = radio ? [...field] : [...(field?.options ?? [])];
  if (field?.type === "hidden") return; // the server decides it
  if (!offered.length ? field : offered.some((one) => one.value === value)) field.value = value; // else it is offered no more
}

/** What was chosen in this tab before: nobody consents again because a page was loaded anew. */
function restore(form) {
  try {
    for (const [name, value] of JSON.parse(sessionStorage.getItem(STORE) ?? "[]")) {
      put(form.elements[name], value);
      if (name === "task") points();
    }
  } catch {
    // then it begins as delivered
  }
}

/** In the summary, so that it is in sight while it is shut: what is asked, and whether the image is kept. */
function sum(form) {
  const place = form.closest("details")?.querySelector("[data-chosen]");
  if (!place) return;
  const kept = new FormData(form).get("keep");
  const words = [tasks.value === "auto" ? "" : tasks.selectedOptions[0].text, form.elements.operating_point.value];
  if (form.elements.prevalence.value) words.push(`share of disease ${form.elements.prevalence.value}`);
  words.push(kept === "true" ? "images are kept" : kept === "false" ? "images are not kept" : "");
  place.textContent = words.filter(Boolean).join(" · ");
}

/** The questions and points of the models that answer now, in the place of those that stood here; what is offered still stays chosen. */
export async function offerAfresh() {
  const { form } = tasks;
  const [task, point] = [tasks.value, form.elements.operating_point.value];
  const fresh = await offeredNow();
  if (!fresh || fresh.innerHTML === tasks.innerHTML) return;
  tasks.replaceChildren(...[...fresh.options].map((one) => document.adoptNode(one)));
  put(tasks, task);
  points();
  put(form.elements.operating_point, point);
  models();
  const gone = [[tasks, task], [form.elements.operating_point, point]].filter(([field, before]) => field.value !== before);
  if (!gone.length) return;
  const words = gone.map(([field, before]) => `"${before}" is not offered any more: ${field.selectedOptions[0].text} is set.`);
  say(`Another model answers now. ${words.join(" ")}`);
  form.dispatchEvent(new Event("change"));
}

async function offeredNow() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok || answer.redirected) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-tasks]");
  } catch {
    return null; // then the server says what it no longer takes
  }
}

tasks?.addEventListener("change", () => {
  points();
  models();
});
if (tasks) {
  const { form } = tasks;
  restore(form);
  document.addEventListener("hilum:models", () => (models(), offerAfresh()));
  if (tasks.value !== "auto") models(); // a page that comes back keeps what was chosen
  sum(form);
  form.addEventListener("change", () => {
    keep(form);
    sum(form);
  });
}
