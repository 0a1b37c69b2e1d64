"use strict";
// Threshold explorer: counts come from the page, the state lives in the address (#t=0.5&p=10). Sorting of tables.
(() => {
  const box = document.getElementById("explorer");
  const source = document.getElementById("explorer-counts");
  if (!box || !source) return;
  const counts = JSON.parse(source.textContent);
  const slider = box.querySelector("input[type=range]");
  const prevalence = box.querySelector("input[type=number]");
  const line = box.querySelector("[data-mark]");
  const put = (name, text) => { box.querySelector(`[data-out=${name}]`).textContent = text; };
  const percent = (share) => Number.isFinite(share) ? (100 * share).toFixed(1) + "%" : "–";
  const nearest = (t) => counts.thresholds.reduce((best, each, i) => each <= t + 1e-9 ? i : best, 0);

  function show(remember) {
    const i = Number(slider.value), t = counts.thresholds[i];
    const p = Math.min(Math.max(prevalence.valueAsNumber, 0), 100) / 100;  // of an emptied field NaN: nothing is told
    const found = counts.found[i], alarms = counts.alarms[i];
    const missed = counts.diseased - counts.diseased_refused - found;
    const cleared = counts.healthy - counts.healthy_refused - alarms;
    const sens = found / counts.diseased, fpr = alarms / counts.healthy, spec = cleared / counts.healthy, fnr = missed / counts.diseased;
    put("threshold", t.toFixed(3));
    put("sensitivity", percent(sens)); put("specificity", percent(spec));
    put("ppv", percent(sens * p / (sens * p + fpr * (1 - p)))); put("npv", percent(spec * (1 - p) / (spec * (1 - p) + fnr * p)));
    put("counts", `${found} found, ${missed} missed, ${alarms} false alarms, ${cleared} cleared`
      + (counts.diseased_refused + counts.healthy_refused ? `, ${counts.diseased_refused + counts.healthy_refused} refused` : ""));
    slider.setAttribute("aria-valuetext", `threshold ${t.toFixed(3)}, sensitivity ${percent(sens)}, specificity ${percent(spec)}`);
    if (line) {
      const left = Number(line.dataset.left), right = Number(line.dataset.right);
      line.setAttribute("transform", `translate(${left + (right - left) * t} 0)`);
    }
    if (remember) history.replaceState(null, "", `#t=${t}&p=${prevalence.value}`);
  }

  const asked = new URLSearchParams(location.hash.slice(1));
  slider.value = nearest(asked.has("t") ? Number(asked.get("t")) : Number(box.dataset.start));
  if (asked.has("p")) prevalence.value = asked.get("p");
  for (const input of [slider, prevalence]) input.addEventListener("input", () => show(true));
  for (const button of box.querySelectorAll("button[data-threshold]")) {
    button.addEventListener("click", () => { slider.value = nearest(Number(button.dataset.threshold)); show(true); });
  }
  box.querySelector(".live").hidden = false;
  show(false);
})();

(() => {
  for (const table of document.querySelectorAll("table.sortable")) {
    table.querySelectorAll("thead th").forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const rising = head.getAttribute("aria-sort") !== "ascending";
        table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const key = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent.trim();
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          const order = x !== "" && y !== "" && !Number.isNaN(Number(x)) && !Number.isNaN(Number(y)) ? Number(x) - Number(y) : x.localeCompare(y);
          return rising ? order : -order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
})();
