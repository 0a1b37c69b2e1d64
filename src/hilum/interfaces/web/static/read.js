// Dropped, pasted or sample files -> sent one by one, each with its answer beside its picture. Knows no model.

import { nameOf, percent, settle, summed } from "./answered.js";
import { say } from "./app.js";
import { filesOf } from "./drop.js";
import { forget, keep, kept } from "./kept.js";
import { action } from "./keys.js";
import { fresh } from "./once.js";
import { planeOfFile } from "./plane.js";
import { offerAfresh } from "./question.js";
import { notAsked } from "./unread.js";
import { upload } from "./upload.js";
import { Viewer } from "./viewer.js";

const AT_ONCE = 2;
const stage = document.querySelector(".stage");
const question = document.getElementById("question");
const answerPlace = document.getElementById("answer");
const strip = document.querySelector(".strip");
const tally = document.querySelector(".tally"); // beside the files: a word that floats would cover an answer on a phone
const viewer = new Viewer(stage.querySelector(".viewer"));
const items = [];
let chosen = null;
let busy = 0;
let turned = ""; // the button that was pressed to turn to another image: it comes back with that one

function add(files) {
  const fresh = [...files].map((file) => ({ file, name: file.name || "pasted image", state: "waiting", share: 0, answers: [], unread: [] }));
  if (fresh.length) take(fresh, fresh[0]);
}

function take(fresh, first) {
  items.push(...fresh);
  fresh.forEach(button);
  stage.classList.remove("waiting");
  leave(stage.querySelector(".drop")).hidden = true;
  strip.hidden = items.length < 2;
  document.querySelector("[data-more]").hidden = false;
  choose(first);
  work();
}

function button(item) {
  const line = document.createElement("li");
  item.button = document.createElement("button");
  item.button.type = "button";
  item.button.innerHTML = '<span class="file" dir="auto"></span><span class="said"></span>';
  item.button.querySelector(".file").textContent = item.name;
  item.button.addEventListener("click", () => choose(item));
  line.append(item.button);
  strip.append(line);
  mark(item);
}

function mark(item) {
  const said = item.button.querySelector(".said");
  const words = { waiting: "Waiting", sending: `Sending ${Math.round(item.share * 100)}%`, thinking: "Reading", failed: item.problem?.short, batch: "Became a batch" };
  said.textContent = words[item.state] ?? item.said;
  said.title = said.textContent;
  item.button.classList.toggle("many", item.state === "done" && item.answers.length + (item.unread?.length ?? 0) > 1);
  if (item === chosen) item.button.setAttribute("aria-current", "true");
  else item.button.removeAttribute("aria-current");
}

function work() {
  while (busy < AT_ONCE) {
    const next = items.find((item) => item.state === "waiting");
    if (!next) return;
    busy += 1;
    tally.textContent = ""; // of the files before; what is on its way counts anew
    ask(next).finally(() => {
      busy -= 1;
      mark(next);
      if (next === chosen) arrived(next);
      else offerAll();
      keep(items, chosen);
      work();
      tally.textContent = busy === 0 && items.length > 1 ? summed(items) : "";
    });
  }
}

async function ask(item) {
  item.state = "sending";
  mark(item);
  if (item === chosen) tell(item);
  if (item.asked !== asked()) item.key = fresh(); // the same question sent again puts no second answer on record
  item.asked = asked();
  if (!question.checkValidity()) {
    question.closest("details").open = true;
    question.reportValidity();
    return Object.assign(item, { state: "failed", problem: notAsked(question.querySelector(":invalid")) });
  }
  const form = new FormData(question);
  item.kept = form.get("keep") !== "false"; // what is not kept has no heatmap
  form.append("file", item.file, item.name);
  const answer = await upload(form, (share) => {
    item.share = share;
    item.state = share < 1 ? "sending" : "thinking";
    mark(item);
    if (item === chosen) progress(item);
  }, { "Idempotency-Key": item.key });
  if (answer.body.code === "usage") offerAfresh(); // it may have named what another model does not offer
  return settle(item, answer, titled);
}

/** How a file is asked about now: question, operating point, share of disease, consent. */
function asked() {
  return new URLSearchParams(new FormData(question)).toString();
}

function titled({ task, prediction }) {
  const chosenTask = [...document.querySelector("[data-tasks]").options].find((one) => one.value === task);
  const titles = JSON.parse(chosenTask?.dataset.titles ?? "{}");
  return `${titles[prediction.class] ?? prediction.class}, ${percent(prediction.probability)}`;
}

/** What is about to be replaced or to be hidden: the focus within it goes to where the answer stands, and is not lost. */
function leave(place) {
  if (place.contains(document.activeElement)) answerPlace.focus({ preventScroll: true });
  return place;
}

function choose(item) {
  chosen = item;
  keep(items, chosen);
  items.forEach(mark);
  item.button.scrollIntoView({ block: "nearest", inline: "nearest" }); // with J and K, and after a reload
  tell(item);
  return look(item);
}

/** The answer of the file that is looked at came in. */
function arrived(item) {
  tell(item);
  if (!viewer.plane || viewer.plane !== item.plane || item.answers.length > 1) look(item);
  else viewer.offerHeat(heatOf(item, item.answers[0]));
}

/** Show a file's picture; the one that stands there is another's, so that it goes first. */
async function look(item) {
  viewer.clear();
  if (viewer.root.hidden) blank("Loading the picture");
  item.drawn ??= item.file instanceof Blob ? planeOfFile(item.file) : null; // once, though its answer came meanwhile
  item.plane = await item.drawn;
  if (item === chosen) await picture(item);
}

async function picture(item) {
  const several = item.answers.length > 1;
  const here = item.plane && !several;
  if (!here && !(item.answers.length && item.kept)) return blank(whyBlank(item));
  shown(true); // a frame without a size cannot be filled
  const [first] = item.answers;
  const frames = several ? item.answers.map((answer) => placesOf(item, answer)) : [];
  const what = here ? { name: nameOf(item, first), plane: item.plane, heat: heatOf(item, first) } : placesOf(item, first);
  try {
    await viewer.show({ ...what, frames, frame: item.at ?? 0 });
  } catch (error) {
    if (item === chosen) blank(error.message);
  }
}

function whyBlank(item) {
  if (item.state === "batch") return "The images of a batch are looked at one by one, from its answers.";
  if (item.state === "failed") return "This file cannot be shown.";
  if (item.state === "done") return "This file was not kept, so that the server cannot show it.";
  return "The browser cannot draw this kind of file. It is shown as soon as the server has read it.";
}

function heatOf(item, answer) {
  return answer?.prediction && item.kept ? placesOf(item, answer).heat : null;
}

function placesOf(item, answer) {
  const at = `/predictions/${encodeURIComponent(answer.id)}`;
  const frame = answer.frame ? `?frame=${answer.frame}` : "";
  return { name: nameOf(item, answer), address: `${at}/pixels${frame}`, heat: answer.prediction ? `${at}/heatmap?method=cam` : null };
}

function shown(on) {
  stage.querySelector(".viewer").hidden = !on;
  stage.querySelector(".blank").hidden = on;
}

function blank(text) {
  shown(false);
  stage.querySelector(".blank p").textContent = text;
}

function progress(item) {
  const bar = answerPlace.querySelector("progress");
  if (!bar) return;
  if (item.state === "thinking") bar.removeAttribute("value");
  else bar.value = item.share;
  answerPlace.querySelector("[data-doing]").textContent = item.state === "thinking" ? "The model is reading the image." : "The file is on its way.";
}

function tell(item) {
  offerAnew();
  if (item.state === "done") return answered(item, item.at ?? 0);
  const template = document.getElementById({ failed: "failed", batch: "taken" }[item.state] ?? "sending");
  leave(answerPlace).replaceChildren(template.content.cloneNode(true));
  answerPlace.querySelector("[data-file]").textContent = item.name;
  if (item.state === "batch") taken(item);
  else if (item.state === "failed") failed(item);
  else progress(item);
}

function failed({ name, problem: { title, detail, next, signIn } }) {
  hear(name, `Not read. ${title}`);
  answerPlace.querySelector("[data-title]").textContent = title;
  answerPlace.querySelector("[data-detail]").textContent = detail;
  answerPlace.querySelector("[data-next]").replaceChildren(...next.map((step) => Object.assign(document.createElement("li"), { textContent: step })));
  answerPlace.querySelector("[data-sign-in]").hidden = !signIn;
  answerPlace.querySelector("[data-again]").addEventListener("click", () => again([chosen]));
  answerPlace.querySelector("[data-all-again]").addEventListener("click", () => again(worthAgain()));
  offerAll();
}

function worthAgain() {
  return items.filter((item) => item.problem?.again);
}

function offerAll() {
  const all = answerPlace.querySelector("[data-all-again]");
  if (!all) return;
  all.hidden = !chosen.problem?.again || worthAgain().length < 2;
  all.textContent = `Try all ${worthAgain().length} again`;
}

function again(some) {
  for (const item of some) {
    Object.assign(item, { state: "waiting", problem: null, answers: [], unread: [], at: 0 });
    mark(item);
  }
  tell(chosen);
  work();
}

function taken(item) {
  hear(item.name, "Taken on as a batch");
  answerPlace.querySelector("[data-count]").textContent = item.batch.files.toLocaleString("en");
  answerPlace.querySelector("[data-batch]").href = `/app/jobs/${encodeURIComponent(item.batch.id)}`;
}

/** Put the answer of one of a file's images there; until it is read nothing else stands in its place. */
async function answered(item, at) {
  const { id } = item.answers[at];
  item.at = at;
  if (item === chosen) keep(items, chosen); // loaded anew, the page stands at this frame
  item.pages ??= {};
  if (!item.pages[id]) leave(answerPlace).replaceChildren(document.getElementById("loading").content.cloneNode(true));
  item.pages[id] ||= await once(item, id);
  if (item !== chosen || item.at !== at || item.answers[at]?.id !== id) return;
  if (!item.pages[id]) askLater(item, at);
  leave(answerPlace).innerHTML = item.pages[id] || `<p>The answer was recorded but cannot be shown now. It appears here as soon as the server answers again. <a href="/app/history/${encodeURIComponent(id)}">Open its record</a>.</p>`;
  which(item, at);
  noted(item, id);
  const [is, sure] = [".is", ".sure .number"].map((part) => answerPlace.querySelector(part)?.textContent);
  hear(nameOf(item, item.answers[at]), [is ?? "Answered", sure].filter(Boolean).join(", "));
}

/** Ask again for the answer that could not be shown, as long as one stands before it. */
function askLater(item, at) {
  clearTimeout(askLater.timer);
  askLater.timer = setTimeout(async () => {
    const { id } = item.answers[at] ?? {};
    if (!id || item !== chosen || item.at !== at) return;
    item.pages[id] ||= await page(id, true);
    if (item !== chosen || item.at !== at) return;
    if (item.pages[id]) answered(item, at);
    else askLater(item, at);
  }, 3000);
}

/** Said to those who do not see the answer appear: what stands in a place that was there before is read aloud. */
function hear(name, what) {
  document.querySelector("[data-heard]").textContent = `${name}: ${what}`;
}

/** A note that was begun stands there again, whatever was looked at meanwhile. */
function noted(item, id) {
  const note = answerPlace.querySelector("[data-feedback] textarea");
  if (!note) return;
  note.value = item.notes?.[id] ?? "";
  if (note.value) note.closest("details").open = true;
  note.addEventListener("input", () => (item.notes = { ...item.notes, [id]: note.value }));
}

/** Of several images: which one this answer is of, the others, and which were not read. */
function which(item, at) {
  const { answers, unread = [] } = item;
  if (answers.length + unread.length < 2) return;
  const head = document.getElementById("which").content.cloneNode(true);
  head.querySelector("[data-of]").textContent = `${at + 1} of ${answers.length}: ${nameOf(item, answers[at])}`;
  for (const one of head.querySelectorAll("[data-turn]")) {
    const to = at + Number(one.dataset.turn);
    one.disabled = !answers[to];
    one.addEventListener("click", () => {
      turned = one.dataset.turn;
      if (viewer.frames.length) viewer.goTo(to);
      else answered(item, to);
    });
  }
  const lost = unread.map(({ file, why }) => `${file} (${why})`).join(", ");
  if (lost) head.querySelector("[data-lost]").textContent = `${unread.length} of ${answers.length + unread.length} ${unread.length === 1 ? "was" : "were"} not read: ${lost}.`;
  answerPlace.prepend(head);
  const buttons = [...answerPlace.querySelectorAll("[data-turn]")].filter((one) => !one.disabled);
  if (turned && document.activeElement === answerPlace) (buttons.find((one) => one.dataset.turn === turned) ?? buttons[0])?.focus();
  turned = "";
}

/** An answer that is on its way already is not fetched again: coming later it would wipe away what was said to the first. */
function once(item, id) {
  item.coming ??= {};
  item.coming[id] ??= page(id).finally(() => delete item.coming[id]);
  return item.coming[id];
}

/** The answer in words; what is asked for over and over `byItself` keeps nobody signed in who went away. */
async function page(id, byItself = false) {
  try {
    const answer = await fetch(`/app/answer/${encodeURIComponent(id)}`, { headers: byItself ? { "X-By-Itself": "1" } : {} });
    return answer.ok && !answer.redirected ? await answer.text() : ""; // signed out meanwhile: it is the way in
  } catch {
    return "";
  }
}

/** What was asked differently than the question stands now can be asked again. */
function offerAnew() {
  const button = document.querySelector("[data-anew]");
  const some = chosen?.state === "done" && chosen.file && chosen.asked !== asked();
  if (!some) leave(button);
  button.hidden = !some;
}

function step(by) {
  const place = items.indexOf(chosen) + by;
  if (items[place]) choose(items[place]);
}

function open() {
  document.getElementById("files").click();
}

document.getElementById("files").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
for (const one of document.querySelectorAll("[data-choose]")) one.addEventListener("click", open);
for (const one of document.querySelectorAll("[data-sample]")) {
  one.addEventListener("click", async () => {
    const answer = await fetch(one.dataset.sample).catch(() => null);
    if (!answer?.ok) return say("The sample could not be fetched.");
    const blob = await answer.blob();
    return add([new File([blob], one.dataset.name, { type: blob.type })]);
  });
}
document.addEventListener("paste", (event) => add(event.clipboardData?.files ?? []));
let inside = 0;
document.addEventListener("dragenter", (event) => {
  inside += 1;
  if (event.dataTransfer?.types.includes("Files")) stage.classList.add("over");
});
document.addEventListener("dragleave", () => {
  inside -= 1;
  if (inside <= 0) stage.classList.remove("over");
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  inside = 0;
  stage.classList.remove("over");
  add(await filesOf(event.dataTransfer));
});
viewer.root.addEventListener("hilum:frame", (event) => chosen.at !== event.detail && answered(chosen, event.detail));
document.addEventListener("hilum:feedback", ({ detail: { id, seen } }) => {
  for (const item of items) delete item.pages?.[id]; // it says what was said to it
  if (!seen && chosen?.answers[chosen.at]?.id === id) answered(chosen, chosen.at);
});
question.addEventListener("change", offerAnew);
document.querySelector("[data-anew]").addEventListener("click", () => again([chosen]));
viewer.root.addEventListener("hilum:say", (event) => say(event.detail));
viewer.takeKeys();
const usable = () => items.length > 0;
// A file that met no server lies in this tab alone: the browser asks before it goes, as it does for one on its way.
window.addEventListener("beforeunload", (event) => worthAgain().length > 0 && event.preventDefault());
action("choose", { title: "Choose files", group: "Reading", key: "u", run: open });
action("next", { title: "Next file", group: "Reading", key: "j", run: () => step(1), usable });
action("before", { title: "File before", group: "Reading", key: "k", run: () => step(-1), usable });
document.querySelector("[data-afresh]").addEventListener("click", forget); // the browser takes it for loading anew
const before = kept();
if (before.items.length) take(before.items, before.items[before.at]);
