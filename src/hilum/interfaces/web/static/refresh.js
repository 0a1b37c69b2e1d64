// A part of a page marked data-refresh="SECONDS" -> asked for again and put in place, what was open stays open; can be stopped.

import { unheard } from "./app.js";
import { action } from "./keys.js";

const STORE = "hilum.live";
const part = document.querySelector("[data-refresh]");
const live = document.querySelector("[data-live]");
const failed = document.querySelector("[data-refresh-failed]");
const LOST = "This could not be brought up to date: the server does not answer. What you see may be old.";
const OUT = "You are signed out. Sign in again in another tab; what you wrote here stays.";
let timer = 0;
let wrote = false; // something beside the part

function kept() {
  try {
    return localStorage.getItem(STORE) !== "off";
  } catch {
    return true;
  }
}

function keep(on) {
  try {
    localStorage.setItem(STORE, on ? "on" : "off");
  } catch {
    // then it holds for this page only
  }
}

/**
 * Ask for this page again and take the part out of it. A part that says data-refresh="0" is not asked for again.
 * What the page asks `byItself` keeps nobody signed in who went away.
 */
async function refresh(byItself) {
  clearTimeout(timer);
  part.setAttribute("aria-busy", "true");
  try {
    const headers = byItself === true ? { Accept: "text/html", "X-By-Itself": "1" } : { Accept: "text/html" };
    const answer = await fetch(location.href, { headers, cache: "no-store", signal: AbortSignal.timeout(15000) });
    if (answer.redirected && !unsent()) return location.assign(answer.url);
    if (answer.redirected) throw new Error(OUT);
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    take(page.querySelector("[data-refresh]"));
    failed.hidden = true;
  } catch (error) {
    failed.textContent = error.message === OUT ? OUT : LOST;
    failed.hidden = false;
    if (error.message !== OUT) unheard();
  }
  part.removeAttribute("aria-busy");
  plan();
}

/** Whether leaving would lose something: what was written, or files that were chosen or are on their way. */
function unsent() {
  return wrote || [...document.querySelectorAll("input[type=file]")].some((one) => one.files.length);
}

function take(fresh) {
  if (fresh.innerHTML === part.innerHTML) return;
  const open = new Set([...part.querySelectorAll("details[id]")].filter((one) => one.open).map((one) => one.id));
  const shut = new Set([...part.querySelectorAll("details[id]")].filter((one) => !one.open).map((one) => one.id));
  const at = document.activeElement?.closest("[data-refresh] *") ? place(document.activeElement) : null;
  const over = fresh.dataset.then === "reload" && part.dataset.then !== "reload";
  if (over) return location.reload();
  part.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
  part.dataset.refresh = fresh.dataset.refresh;
  for (const one of part.querySelectorAll("details[id]")) one.open = open.has(one.id) || (one.open && !shut.has(one.id));
  if (at) find(at)?.focus({ preventScroll: true });
}

/** Where the focus was: the nearest named part, and which of its things that take the focus. */
function place(element) {
  const home = element.closest("[id]");
  if (!home || home === part || !part.contains(home)) return null;
  return [home.id, things(home).indexOf(element)];
}

function find([id, index]) {
  const home = document.getElementById(id);
  return home && (index < 0 ? home : things(home)[index]);
}

function things(home) {
  return [...home.querySelectorAll("a, button, summary, input, select, textarea, [tabindex]")];
}

function plan() {
  clearTimeout(timer);
  const seconds = Number(part.dataset.refresh);
  const chosen = part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
  if (seconds > 0 && (!live || live.checked)) timer = setTimeout(document.hidden || chosen ? plan : () => refresh(true), seconds * 1000);
}

if (part) {
  document.addEventListener("input", ({ target }) => (wrote ||= target !== live && !part.contains(target)));
  if (live) {
    live.checked = kept();
    live.addEventListener("change", () => {
      keep(live.checked);
      plan();
    });
  }
  document.querySelector("[data-refresh-now]")?.addEventListener("click", refresh);
  action("refresh", { title: "Bring up to date", group: "This page", key: "r", run: refresh });
  document.addEventListener("visibilitychange", () => !document.hidden && (!live || live.checked) && Number(part.dataset.refresh) > 0 && refresh());
  plan();
}
