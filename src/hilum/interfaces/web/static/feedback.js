// A press on a label button beside an answer -> feedback to the server and a word that it was taken. Knows no picture.

import { send } from "./app.js";
import { action } from "./keys.js";
import { wrong } from "./session.js";

/** What a button says of the answer. */
function word({ withdraw, agree, label }) {
  if (withdraw !== undefined) return { withdraw: true };
  return agree === undefined ? { label } : { agree: true };
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-feedback] button");
  if (!button) return;
  const place = button.closest("[data-feedback]");
  const note = place.querySelector("textarea");
  const said = place.querySelector("[data-said]");
  const back = "withdraw" in button.dataset;
  const body = { id: place.dataset.feedback, ...word(button.dataset) };
  if (!back && note?.value.trim()) body.note = note.value.trim();
  else if (button.getAttribute("aria-pressed") === "true" && !("others" in place.dataset)) {
    said.className = "said-so";
    said.textContent = `On record already: ${button.dataset.title}.`;
    return;
  }
  const held = place.contains(document.activeElement);
  for (const one of place.querySelectorAll("button")) one.disabled = true;
  const { ok, status, body: answer } = await send("POST", "/feedback", body);
  for (const one of place.querySelectorAll("button")) {
    one.disabled = false;
    if (ok && one.hasAttribute("aria-pressed")) one.setAttribute("aria-pressed", String(one === button));
  }
  if (ok) place.querySelector("[data-withdraw]").hidden = back;
  const lost = [document.body, button].includes(document.activeElement); // else who waited went on to something
  if (held && lost) (ok && back ? place.querySelector("button") : button).focus();
  said.className = ok ? "said-so" : "error-text";
  const done = back ? "Taken back: it stays on record and counts no more." : `Recorded: ${button.dataset.title}. Thank you.`;
  said.textContent = ok ? done : wrong({ status, body: answer }, "That was not recorded.");
  if (!ok) return;
  if (note && !back && note.value.trim() === body.note) { // what was written since stays, to be sent with another press
    note.value = "";
    note.dispatchEvent(new Event("input")); // whoever keeps what was begun hears that it is sent
  }
  delete place.dataset.others; // what was said last is now one's own
  document.dispatchEvent(new CustomEvent("hilum:feedback", { detail: { id: body.id, seen: place.isConnected } }));
});

/** The one answer on the page; beside a second one a key would not say which is meant. */
function only() {
  const places = document.querySelectorAll("[data-feedback]");
  return places.length === 1 ? places[0] : null;
}

const usable = () => only() !== null;
action("right", { title: "The answer is right", group: "Reading", key: "y", usable, run: () => only().querySelector("[data-agree]")?.click() });
action("withdraw", {
  title: "Take back what you said", group: "Reading", key: "Shift+y", usable,
  run: () => only().querySelector("[data-withdraw]:not([hidden])")?.click(),
});
