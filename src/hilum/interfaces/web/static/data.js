// Forms that send a lot or take a while -> a word that they are at it; a zip that is dropped is taken and sent.

import { dropZone } from "./drop.js";

for (const form of document.querySelectorAll("form[data-told]")) {
  form.addEventListener("submit", () => {
    const said = form.querySelector("[data-said]");
    said.className = "muted";
    said.textContent = "Sending…";
  });
}

const form = document.querySelector("form[data-zip]");
if (form) dropZone(form.closest(".card"), form.querySelector("input[type=file]"), () => form.requestSubmit());
