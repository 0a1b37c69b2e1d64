// What is sent -> the key under which it is begun once, however often it was pressed or got lost on its way. Knows no page.

let keys = new WeakMap(); // of forms

/** A key of its own for what is sent: with the same one the same is answered once, however often it arrives. */
export function fresh() {
  const numbers = crypto.getRandomValues(new Uint8Array(16));
  return [...numbers].map((one) => one.toString(16).padStart(2, "0")).join("");
}

/** The key of what a form holds now: another one as soon as something in it changes. */
export function keyOnce(form) {
  if (!keys.has(form)) keys.set(form, fresh());
  return { "Idempotency-Key": keys.get(form) };
}

const changed = ({ target }) => keys.delete(target.form ?? target);
for (const kind of ["input", "change"]) document.addEventListener(kind, changed, true);
window.addEventListener("pageshow", () => (keys = new WeakMap())); // who comes back to the page and sends it means it anew
