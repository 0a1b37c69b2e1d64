// What was answered on a page -> kept at its place in the browser's history: a way back, or loading anew, finds it again.

/** Put the answered ones there; their pictures stay with the server. */
export function keep(items, chosen) {
  const done = items.filter((item) => item.state === "done");
  const few = ({ id, file, frame, prediction }) => ({ id, file, frame, prediction: Boolean(prediction) });
  const read = done.map(({ name, said, kept, packed, at, unread, answers }) => ({ name, said, kept, packed, at, unread, answers: answers.map(few) }));
  try {
    history.replaceState({ ...history.state, read, at: Math.max(0, done.indexOf(chosen)) }, "");
  } catch {
    // then they are found in the history of answers only
  }
}

/** Nothing stands there any more. */
export function forget() {
  history.replaceState(null, "");
}

/** What stood there, as {items, at}: which of them was looked at. */
export function kept() {
  const items = (history.state?.read ?? []).map((one) => ({ ...one, file: null, state: "done", share: 1 }));
  return { items, at: history.state?.at ?? 0 };
}
