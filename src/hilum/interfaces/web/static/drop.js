// A place on a page and its file field -> files that are let go over the place are the field's. Knows no server.

/** `taken` is told once the field has them; a field for one file gets the first. Beside the place they change nothing. */
export function dropZone(place, field, taken) {
  const over = (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    place.classList.toggle("over", event.type === "dragover");
  };
  place.addEventListener("dragover", over);
  place.addEventListener("dragleave", (event) => place.contains(event.relatedTarget) || place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    over(event);
    if (!event.dataTransfer.files.length) return;
    field.files = few(event.dataTransfer.files, field.multiple ? Infinity : 1);
    taken();
  });
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, beside);
}

function bringsFiles(event) {
  return [...event.dataTransfer.types].includes("Files");
}

/** What misses every place must not be opened by the browser in the place of the page. */
function beside(event) {
  if (event.defaultPrevented || !bringsFiles(event) || event.target.matches("input[type=file]")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}

function few(files, count) {
  const kept = new DataTransfer();
  for (const file of [...files].slice(0, count)) kept.items.add(file);
  return kept.files;
}
