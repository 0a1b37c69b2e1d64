// A page with one or two recorded answers -> their pictures in the viewer, moved together; the way back to the list. Knows no upload.

import { renew, say } from "./app.js";
import { Viewer } from "./viewer.js";

const viewers = [...document.querySelectorAll(".viewer[data-pixels]")].map((root) => {
  const viewer = new Viewer(root);
  const stage = root.closest(".stage");
  root.addEventListener("hilum:say", (event) => say(event.detail));
  viewer
    .show({ name: root.dataset.name, address: root.dataset.pixels, heat: root.dataset.heat || null })
    .then(() => stage.classList.add("ready"))
    .catch((error) => {
      root.hidden = true;
      const blank = stage.querySelector(".blank");
      blank.hidden = false;
      blank.querySelector("p").textContent = error.message;
    });
  return viewer;
});
/** Back to the list or the batch that one came from, as it was filtered and paged. */
const from = document.referrer ? new URL(document.referrer) : location;
if (from.origin === location.origin && /^\/app\/(history$|jobs\/)/.test(from.pathname)) {
  const link = document.querySelector("[data-list]");
  link.href = from.pathname + from.search;
  link.textContent = "Back to the list";
}
document.addEventListener("hilum:feedback", () => document.getElementById("heard") && renew("heard"));
viewers[0]?.takeKeys();
if (viewers.length > 1) viewers[0].link(viewers[1]);
