// Every page: theme, state of the server, keys to go about, forms that answer in place. Knows no picture.

import { focusAgain, loadAnew } from "./focus.js";
import { action, startKeys } from "./keys.js";
import { keyOnce } from "./once.js";
import { asOneself, token, wrong } from "./session.js";

const [OFTEN, SELDOM] = [3000, 20000]; // milliseconds between looks at the server: while it is away, and else
let underWay = 0; // forms with files that are being sent

/** Send something to the server that changes something. Answers {ok, status, body}; never throws. */
export function send(method, address, body, more = {}) {
  return asOneself(() => sent(method, address, body, more));
}

async function sent(method, address, body, more) {
  const headers = { Accept: "application/json", "X-CSRF-Token": token(), ...more };
  const json = body !== undefined && !(body instanceof FormData);
  if (json) headers["Content-Type"] = "application/json";
  try {
    const answer = await fetch(address, { method, headers, body: json ? JSON.stringify(body) : body });
    const text = await answer.text();
    return { ok: answer.ok, status: answer.status, body: parsed(text) };
  } catch {
    unheard();
    return { ok: false, status: 0, body: { title: "No connection", detail: "The server did not answer. Is it still running?" } };
  }
}

export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: "" };
  }
}

/** Something met no server: the foot of the page looks for it now, so that both say the same. */
export function unheard() {
  document.dispatchEvent(new Event("hilum:unheard"));
}

/** A button that is off while something is done; the focus, which goes away with that, comes back unless it went on. */
export async function offWhile(button, work) {
  if (!button) return work();
  const held = document.activeElement === button;
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.disabled = false;
    if (held && document.activeElement === document.body) button.focus();
  }
}

/** A short word at the foot of the page that goes away by itself after a while; read aloud, as its place is always there. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (place.textContent = ""), 6000);
}

function theme() {
  const root = document.documentElement;
  const button = document.querySelector("[data-theme-button]");
  if (!button) return;
  const dark = () => root.dataset.theme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => button.setAttribute("aria-label", dark() ? "Use the light theme" : "Use the dark theme");
  const change = () => {
    root.dataset.theme = dark() ? "light" : "dark";
    document.cookie = `hilum_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
    name();
  };
  name();
  button.addEventListener("click", change);
  action("theme", { title: "Light or dark", group: "Everywhere", key: "Shift+t", run: change });
}

/** The models at the foot, as they answer now: another may have been promoted since the page was opened. */
async function models() {
  const place = document.querySelector("[data-models]");
  if (!document.querySelector('meta[name="caller"]').content) return; // nobody is signed in
  const asked = { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(8000) };
  const answer = await fetch("/app/speaking", asked);
  if (!answer.ok || answer.redirected) return; // signed out meanwhile: what stands there stays
  const fresh = document.createElement("ul");
  fresh.innerHTML = await answer.text();
  if (fresh.innerHTML === models.before) return;
  models.before = fresh.innerHTML;
  place.innerHTML = models.before;
  document.dispatchEvent(new CustomEvent("hilum:models"));
}

function serverState() {
  const place = document.querySelector("[data-state]");
  if (!place) return;
  models.before = document.querySelector("[data-models]").innerHTML; // before a chosen question hides some of them
  const show = (kind, text) => {
    if (place.textContent === text) return;
    place.className = `state ${kind}`;
    place.textContent = text;
  };
  const ask = async () => {
    try {
      const answer = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(8000) });
      if (answer.ok) show("", "Online");
      else show("busy", "Not ready");
      await models();
    } catch {
      show("off", "No connection");
    }
  };
  const look = async () => {
    if (!document.hidden) await ask();
    plan();
  };
  const plan = () => {
    clearTimeout(plan.timer);
    plan.timer = setTimeout(look, place.classList.contains("off") ? OFTEN : SELDOM);
  };
  window.addEventListener("offline", () => (show("off", "No connection"), plan()));
  window.addEventListener("online", look);
  document.addEventListener("visibilitychange", look);
  document.addEventListener("hilum:unheard", look);
  plan();
}

function goAbout() {
  for (const link of document.querySelectorAll("a[data-go]")) {
    action(`go-${link.dataset.go}`, {
      title: `Go to ${link.textContent.trim()}`,
      group: "Everywhere",
      key: `g ${link.dataset.go}`,
      run: () => link.click(),
    });
  }
  const search = () => document.querySelector("[data-search]"); // a way back may have put another one there
  if (search()) action("search", { title: "Search", group: "Everywhere", key: "/", run: () => search()?.focus() });
}

/** Forms with data-send go to the JSON interface and come back as a word in place, or as another page. */
function forms() {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-send]");
    if (!form) return;
    event.preventDefault();
    const sure = form.dataset.sure;
    if (sure && !window.confirm(sure)) return;
    const said = form.querySelector("[data-said]");
    const button = form.querySelector("button[type=submit], button:not([type])");
    const place = form.querySelector("[data-reveal]");
    if (place) place.textContent = ""; // what the form showed before belongs to what was sent before
    if (said) said.textContent = "";
    const none = form.querySelector("fieldset:has([data-list]):not(:has([data-list]:checked))");
    if (none) {
      if (said) {
        said.textContent = `${none.querySelector("legend").textContent}: choose at least one.`;
        said.className = "error-text";
      }
      none.querySelector("input").focus();
      return;
    }
    const files = form.querySelector("input[type=file]");
    const body = files ? new FormData(form) : fields(form);
    if (said && "told" in form.dataset) {
      said.textContent = "Sending…"; // it is a lot, or takes a while
      said.className = "muted";
    }
    const once = "once" in form.dataset ? keyOnce(form) : {};
    if (files) underWay += 1;
    const { ok, status, body: answer } = await offWhile(button, () => send(form.dataset.method ?? "POST", form.dataset.send, body, once));
    if (files) underWay -= 1;
    if (!ok) {
      if (said) {
        said.textContent = wrong({ status, body: answer });
        said.className = "error-text";
      }
      form.querySelector("[aria-invalid], input:not([type=hidden])")?.focus();
      return;
    }
    if (form.dataset.then === "reload") loadAnew(form);
    else if (form.dataset.then) location.assign(form.dataset.then.replace("{id}", encodeURIComponent(answer.id ?? "")));
    else if (said) {
      said.textContent = form.dataset.done ?? "Done.";
      said.className = "said-so";
    }
    if (place) place.textContent = answer[place.dataset.reveal] ?? "";
    if (form.dataset.renew) renew(form.dataset.renew);
    form.dispatchEvent(new CustomEvent("hilum:sent", { bubbles: true, detail: answer }));
  });
}

// Whoever leaves now has to send the files once more: the browser asks first.
window.addEventListener("beforeunload", (event) => underWay > 0 && event.preventDefault());

/** A part of this page, by its id, as the server tells it now; what else was filled in stays. */
export async function renew(id) {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
    document.getElementById(id).replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
  } catch {
    say("What was changed is not in the lists yet: load this page again.");
  }
}

function fields(form) {
  const found = {};
  for (const { name } of form.querySelectorAll("[data-list]")) found[name] = []; // nothing chosen is no default
  for (const [name, value] of new FormData(form)) {
    const list = form.querySelector(`[name="${CSS.escape(name)}"][data-list]`) !== null;
    if (list) found[name].push(value);
    else if (value !== "") found[name] = form.querySelector(`[name="${CSS.escape(name)}"][data-number]`) ? Number(value) : value;
  }
  return found;
}

if (document.getElementById("keys")) startKeys();
document.querySelector("nav a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }); // on a phone
theme();
serverState();
goAbout();
forms();
focusAgain();
document.addEventListener("htmx:config:request", (event) => {
  const headers = event.detail?.ctx?.request?.headers;
  if (headers) headers["X-CSRF-Token"] = token();
});
