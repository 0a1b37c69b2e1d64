// A form's data -> POST /predict with its progress told on the way, and what came back. Knows no page.

import { parsed, unheard } from "./app.js";
import { asOneself, token } from "./session.js";

let underWay = 0;

/** Answers {status, body}; status 0: no answer. `progress` is told shares of what was sent, 1 once all of it was. */
export async function upload(form, progress, headers = {}) {
  underWay += 1;
  try {
    return await asOneself(() => post(form, progress, headers));
  } finally {
    underWay -= 1;
  }
}

function post(form, progress, headers) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/predict");
    const all = { Accept: "application/json", "X-CSRF-Token": token(), ...headers };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.upload.onload = () => progress(1);
    request.onload = () => done({ status: request.status, body: parsed(request.responseText) });
    request.onerror = () => {
      unheard();
      done({ status: 0, body: {} });
    };
    request.send(form);
  });
}

// Whoever leaves now loses what is not answered yet: the browser asks first.
window.addEventListener("beforeunload", (event) => underWay > 0 && event.preventDefault());
