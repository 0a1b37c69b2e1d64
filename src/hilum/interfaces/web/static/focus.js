// A form that has the page loaded anew -> which one it was, kept over the load, and the focus at its place again.

/** Load the page anew; the focus comes back to this form, to the list it stood in, or to what the page is about. */
export function loadAnew(form) {
  const { send, method = "" } = form.dataset;
  const list = form.closest("[role=region]")?.getAttribute("aria-label");
  const focus = form.contains(document.activeElement) || document.activeElement === document.body; // a button that is off has none
  if (focus) history.replaceState({ ...history.state, focus: { send, method, at: alike(send, method).indexOf(form), list } }, "");
  location.reload();
}

export function focusAgain() {
  const { focus, ...rest } = history.state ?? {};
  if (!focus) return;
  history.replaceState(rest, ""); // loading anew by oneself begins at the top
  const button = alike(focus.send, focus.method)[focus.at]?.querySelector("button");
  const list = document.querySelector(`[role=region][aria-label="${CSS.escape(focus.list ?? "")}"]`);
  for (const one of [button, list, document.querySelector("main")]) {
    one?.focus({ preventScroll: true });
    if (one && document.activeElement === one) return;
  }
}

/** All forms that send the same to the same place: a key may stand in two lists. */
function alike(send, method) {
  return [...document.querySelectorAll("form[data-send]")].filter(({ dataset }) => dataset.send === send && (dataset.method ?? "") === method);
}
