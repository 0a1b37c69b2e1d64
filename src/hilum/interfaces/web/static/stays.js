// What somebody did within a part of a page (opened, ticked, scrolled, went to) -> done again to what took its place.

const details = (part) => [...part.querySelectorAll("details[id]")];
const ticks = (part) => [...part.querySelectorAll("input[type=checkbox]")];
const frames = (part) => [...part.querySelectorAll(".scroll")];
const things = (home) => [...home.querySelectorAll("a, button, summary, input, select, textarea, [tabindex]")];
const box = (one) => `${one.name} ${one.value}`;
const called = (one) => one.getAttribute("href") ?? one.getAttribute("aria-label") ?? one.textContent;

/** What stands open, ticked, scrolled and focused within a part, by names that what takes its place has too. */
export function doneIn(part) {
  const at = document.activeElement;
  return {
    open: new Map(details(part).map((one) => [one.id, one.open])),
    ticked: new Map(ticks(part).map((one) => [box(one), one.checked])),
    scrolled: new Map(frames(part).map((one) => [called(one), one.scrollLeft])),
    focus: at !== part && part.contains(at) ? place(at, part) : null,
  };
}

/** Do it again; what was not there before stays as it came. */
export function doAgain(part, { open, ticked, scrolled, focus }) {
  for (const one of details(part)) one.open = open.get(one.id) ?? one.open;
  for (const one of ticks(part)) one.checked = ticked.get(box(one)) ?? one.checked;
  if (focus) find(focus, part)?.focus({ preventScroll: true });
  for (const one of frames(part)) one.scrollLeft = scrolled.get(called(one)) ?? 0;
}

/** Where the focus was: the nearest named thing around it, what it is called, and the how manyth of those in there. */
function place(element, part) {
  const near = element.closest("[id]");
  const home = near && near !== part && part.contains(near) ? near : part;
  return { id: home === part ? null : home.id, name: called(element), index: things(home).indexOf(element) };
}

/** Others may have come before it; where nothing around it has a name, one of another name is another. */
function find({ id, name, index }, part) {
  const home = id === null ? part : document.getElementById(id);
  if (!home || index < 0) return home;
  const all = things(home);
  const same = all[index] && called(all[index]) === name ? all[index] : all.find((one) => called(one) === name);
  return same ?? (id === null ? null : all[index]);
}

/** Before the page is loaded anew by itself: what stands open in its main part, and where the focus was. */
export function keepOver() {
  const main = document.querySelector("main");
  const { open, focus } = doneIn(main);
  const stays = { open: [...open].filter(([, is]) => is).map(([id]) => id), focus };
  history.replaceState({ ...history.state, stays }, "");
}

/** Afterwards: the same again; where what had the focus is gone, it goes to what the page is about. */
export function findAgain() {
  const { stays, ...rest } = history.state ?? {};
  if (!stays) return;
  history.replaceState(rest, ""); // loading anew by oneself begins at the top
  const main = document.querySelector("main");
  for (const one of details(main)) one.open ||= stays.open.includes(one.id);
  if (stays.focus) (find(stays.focus, main) ?? main).focus({ preventScroll: true });
}
