// A part of a page marked data-refresh="SECONDS" -> asked for again and put in place, what somebody did in it stays; can be stopped.

import { unheard } from "./app.js";
import { action } from "./keys.js";
import { doAgain, doneIn, findAgain, keepOver } from "./stays.js";

const STORE = "hilum.live";
const part = document.querySelector("[data-refresh]");
const live = document.querySelector("[data-live]");
const failed = document.querySelector("[data-refresh-failed]");
const LOST = "This could not be brought up to date: the server does not answer. What you see may be old.";
const FAILED = "This could not be brought up to date now: the server could not say how it stands. What you see may be old.";
const GONE = "This is not there any more. What you see is what was known of it last.";
const OUT = "You are signed out. Sign in again in another tab; what you wrote here stays.";
let timer = 0;
let turn = 0; // counts what was asked for: an answer to an earlier turn is let go
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
  const mine = (turn += 1);
  part.setAttribute("aria-busy", "true");
  try {
    const headers = byItself === true ? { Accept: "text/html", "X-By-Itself": "1" } : { Accept: "text/html" };
    const answer = await fetch(location.href, { headers, cache: "no-store", signal: AbortSignal.timeout(15000) });
    const text = await answer.text();
    if (mine !== turn) return; // it was asked for once more meanwhile: that is the newer answer
    if (answer.redirected && !unsent()) return location.assign(answer.url);
    if (answer.redirected) throw new Error(OUT);
    if (!answer.ok) throw new Error(answer.status === 404 ? GONE : FAILED);
    take(new DOMParser().parseFromString(text, "text/html").querySelector("[data-refresh]"));
    failed.hidden = true;
  } catch (error) {
    if (mine !== turn) return;
    const heard = [OUT, GONE, FAILED].includes(error.message);
    failed.textContent = heard ? error.message : LOST;
    failed.hidden = false;
    if (![OUT, GONE].includes(error.message)) unheard();
    if (error.message === GONE) part.dataset.refresh = "0";
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
  const over = fresh.dataset.then === "reload" && part.dataset.then !== "reload";
  if (over) {
    keepOver();
    return location.reload();
  }
  const before = doneIn(part);
  part.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
  part.dataset.refresh = fresh.dataset.refresh;
  doAgain(part, before);
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
  findAgain();
  plan();
}
