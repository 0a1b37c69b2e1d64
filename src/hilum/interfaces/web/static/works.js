// A work that is watched -> the whole page once more when it is over. Knows no result.

const watched = document.querySelector("#state:not([data-over])") !== null;
document.addEventListener("htmx:after:swap", () => {
  if (watched && document.querySelector("#state[data-over]")) location.reload();
});
