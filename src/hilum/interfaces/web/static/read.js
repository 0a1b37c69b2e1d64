// Dropped, pasted or sample files -> sent one by one, each with its answer beside its picture. Knows no model.

import { say } from "./app.js";
import { filesOf } from "./drop.js";
import { forget, keep, kept } from "./kept.js";
import { action } from "./keys.js";
import { planeOfFile } from "./plane.js";
import { whyUnread } from "./unread.js";
import { upload } from "./upload.js";
import { Viewer } from "./viewer.js";

const AT_ONCE = 2;
const stage = document.querySelector(".stage");
const answerPlace = document.getElementById("answer");
const strip = document.querySelector(".strip");
const tally = document.querySelector(".tally"); // beside the files: a word that floats would cover an answer on a phone
const viewer = new Viewer(stage.querySelector(".viewer"));
const items = [];
let chosen = null;
let busy = 0;

function add(files) {
  const fresh = [...files].map((file) => ({ file, name: file.name || "pasted image", state: "waiting", share: 0, answers: [] }));
  if (fresh.length) take(fresh, fresh[0]);
}

function take(fresh, first) {
  items.push(...fresh);
  fresh.forEach(button);
  stage.classList.remove("waiting");
  stage.querySelector(".drop").hidden = true;
  strip.hidden = items.length < 2;
  document.querySelector("[data-more]").hidden = false;
  choose(first);
  work();
}

function button(item) {
  const line = document.createElement("li");
  item.button = document.createElement("button");
  item.button.type = "button";
  item.button.innerHTML = '<span class="file"></span><span class="said"></span>';
  item.button.querySelector(".file").textContent = item.name;
  item.button.addEventListener("click", () => choose(item));
  line.append(item.button);
  strip.append(line);
  mark(item);
}

function mark(item) {
  const words = { waiting: "Waiting", sending: `Sending ${Math.round(item.share * 100)}%`, thinking: "Reading", failed: item.problem?.short, batch: "Became a batch" };
  item.button.querySelector(".said").textContent = words[item.state] ?? item.said;
  if (item === chosen) item.button.setAttribute("aria-current", "true");
  else item.button.removeAttribute("aria-current");
}

function work() {
  while (busy < AT_ONCE) {
    const next = items.find((item) => item.state === "waiting");
    if (!next) return;
    busy += 1;
    ask(next).finally(() => {
      busy -= 1;
      mark(next);
      if (next === chosen) tell(next);
      else offerAll();
      keep(items, chosen);
      work();
      tally.textContent = busy === 0 && items.length > 1 ? summed() : "";
    });
  }
}

function summed() {
  const without = items.filter((item) => item.state === "failed").length;
  const all = `${items.length} files`;
  return without ? `${items.length - without} of ${all} are answered; ${without} ${without === 1 ? "is" : "are"} not.` : `All ${all} are answered.`;
}

async function ask(item) {
  item.state = "sending";
  mark(item);
  if (item === chosen) tell(item);
  const form = new FormData(document.getElementById("question"));
  item.kept = form.get("keep") !== "false"; // what is not kept has no heatmap
  form.append("file", item.file, item.name);
  const { status, body } = await upload(form, (share) => {
    item.share = share;
    item.state = share < 1 ? "sending" : "thinking";
    mark(item);
    if (item === chosen) progress(item);
  });
  if (status === 202) {
    item.state = "batch";
    item.batch = body;
    return;
  }
  if (status !== 200) {
    item.state = "failed";
    item.problem = whyUnread({ status, body });
    return;
  }
  item.answers = body.predictions ?? [body];
  item.state = "done";
  const [first] = item.answers;
  item.said = first.prediction ? titled(first) : first.error ? "Could not be read" : "Not answered";
  if (first.error) {
    item.state = "failed";
    item.problem = whyUnread({ status, body: { detail: first.error.detail ?? String(first.error) } });
  }
}

function titled(answer) {
  const percent = `${Math.round(answer.prediction.probability * 1000) / 10}%`;
  const question = [...document.querySelector("[data-tasks]").options].find((one) => one.value === answer.task);
  const titles = JSON.parse(question?.dataset.titles ?? "{}");
  return `${titles[answer.prediction.class] ?? answer.prediction.class}, ${percent}`;
}

async function choose(item) {
  chosen = item;
  keep(items, chosen);
  items.forEach(mark);
  tell(item);
  blank("");
  item.plane ??= item.file instanceof Blob ? await planeOfFile(item.file) : null;
  if (item === chosen) await picture(item);
}

async function picture(item) {
  const kept = item.answers.filter((answer) => answer.id);
  const frames = kept.length > 1 ? kept.map(addresses) : [];
  const heat = heatOf(item, kept[0]);
  const there = (item.plane && !frames.length) || kept.length;
  if (!there) {
    if (item.state === "batch") return blank("The images of a batch are looked at one by one, from its answers.");
    return blank(item.state === "failed" ? "This file cannot be shown." : "The browser cannot draw this kind of file. It is shown as soon as the server has read it.");
  }
  shown(true); // a frame without a size cannot be filled
  try {
    if (item.plane && !frames.length) await viewer.show({ name: item.name, plane: item.plane, heat });
    else await viewer.show({ name: item.name, address: addresses(kept[0]).address, heat, frames });
  } catch (error) {
    if (item === chosen) blank(`${error.message} It is only shown here when it is kept.`);
  }
}

function heatOf(item, answer) {
  return answer?.prediction && item.kept ? addresses(answer).heat : null;
}

function addresses(answer) {
  const at = `/predictions/${encodeURIComponent(answer.id)}`;
  return { address: `${at}/pixels${answer.frame ? `?frame=${answer.frame}` : ""}`, heat: answer.prediction ? `${at}/heatmap?method=cam` : null };
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

async function tell(item) {
  if (item.state === "done") {
    await answered(item, 0);
    if (item === chosen && (!viewer.plane || !item.plane)) await picture(item);
    else if (item === chosen) viewer.offerHeat(heatOf(item, item.answers[0]));
    return;
  }
  const template = document.getElementById({ failed: "failed", batch: "taken" }[item.state] ?? "sending");
  answerPlace.replaceChildren(template.content.cloneNode(true));
  answerPlace.querySelector("[data-file]").textContent = item.name;
  if (item.state === "batch") return taken(item);
  if (item.state !== "failed") return progress(item);
  failed(item.problem);
}

function failed({ title, detail, next, signIn }) {
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
    Object.assign(item, { state: "waiting", problem: null });
    mark(item);
  }
  tell(chosen);
  work();
}

function taken(item) {
  answerPlace.querySelector("[data-count]").textContent = item.batch.files.toLocaleString("en");
  answerPlace.querySelector("[data-batch]").href = `/app/jobs/${encodeURIComponent(item.batch.id)}`;
}

async function answered(item, frame) {
  const { id } = item.answers[frame];
  item.pages ??= {};
  item.pages[id] ||= await page(id);
  if (item !== chosen) return;
  answerPlace.innerHTML = item.pages[id] || `<p>The answer was recorded but cannot be shown now. <a href="/app/history/${encodeURIComponent(id)}">Open its record</a>.</p>`;
}

async function page(id) {
  try {
    const answer = await fetch(`/app/answer/${encodeURIComponent(id)}`);
    return answer.ok ? await answer.text() : "";
  } catch {
    return "";
  }
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
viewer.root.addEventListener("hilum:frame", (event) => chosen && answered(chosen, event.detail));
viewer.root.addEventListener("hilum:say", (event) => say(event.detail));
viewer.takeKeys();
const usable = () => items.length > 0;
action("choose", { title: "Choose files", group: "Reading", key: "u", run: open });
action("next", { title: "Next file", group: "Reading", key: "j", run: () => step(1), usable });
action("before", { title: "File before", group: "Reading", key: "k", run: () => step(-1), usable });
action("right", {
  title: "The answer is right", group: "Reading", key: "y", usable,
  run: () => answerPlace.querySelector("[data-agree]")?.click(),
});
document.querySelector("[data-afresh]").addEventListener("click", forget); // the browser takes it for loading anew
const before = kept();
if (before.items.length) take(before.items, before.items[before.at]);
