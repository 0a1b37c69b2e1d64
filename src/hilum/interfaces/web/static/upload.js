// A form's data -> POST /predict with its progress told on the way, and what came back. Knows no page.

import { parsed, token } from "./app.js";

/** Answers {status, body}; status 0: no answer. `progress` is told shares of what was sent, 1 once all of it was. */
export function upload(form, progress, headers = {}) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/predict");
    const all = { Accept: "application/json", "X-CSRF-Token": token(), ...headers };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.upload.onload = () => progress(1);
    request.onload = () => done({ status: request.status, body: parsed(request.responseText) });
    request.onerror = () => done({ status: 0, body: {} });
    request.send(form);
  });
}
