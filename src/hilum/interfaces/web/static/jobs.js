// The chosen files and how they are to be asked about -> one durable batch, with progress while they are on their way.

import { offWhile } from "./app.js";
import { dropZone } from "./drop.js";
import { keyOnce } from "./once.js";
import { wrong } from "./session.js";
import { upload } from "./upload.js";

const form = document.querySelector("form[data-batch]");

function tell(text, kind) {
  const said = form.querySelector("[data-said]");
  said.className = kind;
  said.textContent = text;
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  const bar = form.querySelector("progress");
  bar.hidden = false;
  tell("Sending…", "muted");
  const progress = (share) => {
    bar.value = share;
    if (share === 1) tell("Received. The files are being put in the line…", "muted");
  };
  const headers = { Prefer: "respond-async", ...keyOnce(form) };
  const { status, body } = await offWhile(button, () => upload(new FormData(form), progress, headers));
  bar.hidden = true;
  if (status === 202) location.assign(`/app/jobs/${encodeURIComponent(body.id)}`);
  else if (status === 0) tell("The server did not answer. Send it again: nothing is answered twice.", "error-text");
  else tell(wrong({ status, body }), "error-text");
});
if (form) dropZone(form, form.querySelector("input[type=file]"));
