// What is let go over a place on a page -> its files, those of folders too, and given to a file field. Knows no server.

import { say } from "./app.js";

/** `taken` is told once the field has them; a field for one file gets the first. Beside the place they change nothing. */
export function dropZone(place, field, taken = () => {}) {
  const over = (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    place.classList.toggle("over", event.type === "dragover");
  };
  place.addEventListener("dragover", over);
  place.addEventListener("dragleave", (event) => place.contains(event.relatedTarget) || place.classList.remove("over"));
  place.addEventListener("drop", async (event) => {
    over(event);
    const files = await filesOf(event.dataTransfer);
    if (!files.length) return;
    field.files = few(files, field.multiple ? Infinity : 1);
    field.dispatchEvent(new Event("change", { bubbles: true })); // as when they are chosen
    taken();
  });
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, beside);
}

/**
 * The files, and those that lie in the folders, in the order of their names; what is hidden (.name) is left out, and so
 * is what cannot be read, which is said.
 */
export async function filesOf(carried) {
  const things = [...carried.items].filter((one) => one.kind === "file").map((one) => one.webkitGetAsEntry?.() ?? one.getAsFile());
  const found = (await Promise.all(things.map(within))).flat();
  const files = found.filter((one) => one !== null);
  const lost = found.length - files.length;
  if (lost) say(`${lost} of what was dropped could not be read and ${lost === 1 ? "is" : "are"} left out.`);
  return files;
}

/** null stands for what cannot be read: what lies beside it comes all the same. */
async function within(thing) {
  if (thing === null || thing instanceof File) return [thing];
  try {
    if (thing.isFile) return [await new Promise((done, failed) => thing.file(done, failed))];
    return (await Promise.all((await listed(thing)).map(within))).flat();
  } catch {
    return [null];
  }
}

async function listed(folder) {
  const [reader, all] = [folder.createReader(), []];
  const some = () => new Promise((done, failed) => reader.readEntries(done, failed)); // a hundred at a time
  for (let next = await some(); next.length; next = await some()) all.push(...next);
  const seen = all.filter((one) => !one.name.startsWith("."));
  return seen.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
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
  for (const file of files.slice(0, count)) kept.items.add(file);
  return kept.files;
}
