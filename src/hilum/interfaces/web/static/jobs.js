// The chosen files and how they are to be asked about -> one durable batch, with progress while they are on their way.

import { parsed, token } from "./app.js";

const form = document.querySelector("form[data-batch]");
const field = form?.querySelector("input[type=file]");
let key = null; // the same until the form changes, so that sending again after a lost answer begins no second batch

function tell(text, kind) {
  const said = form.querySelector("[data-said]");
  said.className = kind;
  said.textContent = text;
}

function fresh() {
  const numbers = crypto.getRandomValues(new Uint8Array(16));
  return [...numbers].map((one) => one.toString(16).padStart(2, "0")).join("");
}

function post(progress) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/predict");
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRF-Token", token());
    request.setRequestHeader("Prefer", "respond-async");
    request.setRequestHeader("Idempotency-Key", (key ??= fresh()));
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => done({ status: request.status, body: parsed(request.responseText) });
    request.onerror = () => done({ status: 0, body: {} });
    request.send(new FormData(form));
  });
}

form?.addEventListener("change", () => (key = null));
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button[type=submit]");
  const bar = form.querySelector("progress");
  button.disabled = true;
  bar.hidden = false;
  tell("Sending…", "muted");
  const { status, body } = await post((share) => {
    bar.value = share;
    if (share === 1) tell("Received. The files are being put in the line…", "muted");
  });
  button.disabled = false;
  bar.hidden = true;
  if (status === 202) location.assign(`/app/jobs/${encodeURIComponent(body.id)}`);
  else if (status === 0) tell("The server did not answer. Send it again: nothing is answered twice.", "error-text");
  else tell(body.detail || body.title || "That did not work.", "error-text");
});

function over(event) {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  form.classList.toggle("over", event.type === "dragover");
}

if (form) {
  form.addEventListener("dragover", over);
  form.addEventListener("dragleave", () => form.classList.remove("over"));
  form.addEventListener("drop", (event) => {
    over(event);
    field.files = event.dataTransfer.files;
    key = null;
  });
}
