// Forms that send a lot or take a while -> a word that they are at it; a zip that is dropped is taken and sent.

for (const form of document.querySelectorAll("form[data-told]")) {
  form.addEventListener("submit", () => {
    const said = form.querySelector("[data-said]");
    said.className = "muted";
    said.textContent = "Sending…";
  });
}

const form = document.querySelector("form[data-zip]");
const field = form?.querySelector("input[type=file]");
const place = form?.closest(".card");

function over(event) {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  place.classList.toggle("over", event.type === "dragover");
}

if (place) {
  place.addEventListener("dragover", over);
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    over(event);
    const [file] = event.dataTransfer.files;
    if (!file) return;
    field.files = event.dataTransfer.files;
    form.requestSubmit();
  });
}
