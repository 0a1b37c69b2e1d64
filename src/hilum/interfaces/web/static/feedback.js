// A press on a label button beside an answer -> feedback to the server and a word that it was taken. Knows no picture.

import { send } from "./app.js";
import { wrong } from "./session.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-feedback] button[data-label], [data-feedback] button[data-agree]");
  if (!button) return;
  const place = button.closest("[data-feedback]");
  const note = place.querySelector("textarea");
  const said = place.querySelector("[data-said]");
  const body = { id: place.dataset.feedback, ...(button.dataset.agree === undefined ? { label: button.dataset.label } : { agree: true }) };
  if (note?.value.trim()) body.note = note.value.trim();
  else if (button.getAttribute("aria-pressed") === "true" && !("others" in place.dataset)) {
    said.className = "said-so";
    said.textContent = `On record already: ${button.dataset.title}.`;
    return;
  }
  for (const one of place.querySelectorAll("button")) one.disabled = true;
  const { ok, status, body: answer } = await send("POST", "/feedback", body);
  for (const one of place.querySelectorAll("button")) {
    one.disabled = false;
    if (ok && one.hasAttribute("aria-pressed")) one.setAttribute("aria-pressed", String(one === button));
  }
  button.focus(); // a button that was switched off has lost it
  said.className = ok ? "said-so" : "error-text";
  said.textContent = ok ? `Recorded: ${button.dataset.title}. Thank you. Pressed by mistake? Press the right one: both stay on record, the last counts.` : wrong({ status, body: answer }, "That was not recorded.");
  if (!ok) return;
  if (note) note.value = "";
  delete place.dataset.others; // what was said last is now one's own
  document.dispatchEvent(new CustomEvent("hilum:feedback", { detail: { id: body.id, seen: place.isConnected } }));
});
