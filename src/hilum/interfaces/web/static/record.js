// A page with one or two recorded answers -> their pictures in the viewer, moved together. Knows no upload.

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
document.addEventListener("hilum:feedback", () => document.getElementById("heard") && renew("heard"));
viewers[0]?.takeKeys();
if (viewers.length > 1) viewers[0].link(viewers[1]);
