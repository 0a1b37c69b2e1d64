// Whose page this is -> names of what is kept for them, the token of their changes, a fresh one after signing in again elsewhere, and words for what fails.

const meta = (name) => document.querySelector(`meta[name="${name}"]`);

/** The name under which the browser keeps something of this person alone: the next one at this screen never meets it. */
export function own(name) {
  return `${name} ${meta("caller")?.content ?? ""}`.trim();
}

/** The token that shows that a change comes from one of our own pages. */
export function token() {
  return meta("csrf")?.content ?? "";
}

/** `ask` until it answers {status, body}; once more where the same person signed in again in another tab meanwhile. */
export async function asOneself(ask) {
  const answer = await ask();
  return answer.status === 403 && answer.body.code === "csrf" && (await renewed()) ? ask() : answer;
}

async function renewed() {
  try {
    const said = await (await fetch("/session", { headers: { Accept: "application/json" }, cache: "no-store" })).json();
    if (!said.csrf_token || said.user?.id !== meta("caller").content) return false;
    meta("csrf").content = said.csrf_token;
    return true;
  } catch {
    return false;
  }
}

/** What went wrong, for a person. */
export function wrong({ status, body }, otherwise = "That did not work.") {
  if (status === 0) return "The server did not answer. Is it still running?";
  if (status === 401) return "You are signed out. Sign in again in another tab, then send this once more.";
  if (body.code === "csrf") return "Somebody else signed in in another tab. Load this page again to go on.";
  return body.detail || body.title || otherwise;
}
