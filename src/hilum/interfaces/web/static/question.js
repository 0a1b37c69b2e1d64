// The chosen question -> its model's operating points, that model alone at the foot; what was chosen stays for this tab.

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

tasks?.addEventListener("change", () => {
  points();
  models();
});
if (tasks) {
  const { form } = tasks;
  restore(form);
  document.addEventListener("hilum:models", models);
  if (tasks.value !== "auto") models(); // a page that comes back keeps what was chosen
  sum(form);
  form.addEventListener("change", () => {
    keep(form);
    sum(form);
  });
}
