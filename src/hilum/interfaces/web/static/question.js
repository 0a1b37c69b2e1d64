// The chosen question -> the operating points that its model has, and that model alone at the foot of the page.

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

tasks?.addEventListener("change", () => {
  points();
  models();
});
if (tasks && tasks.value !== "auto") models(); // a page that comes back keeps what was chosen
