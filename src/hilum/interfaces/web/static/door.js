// A one-time link's code -> the form's field; it stands behind the # so that no server on the way logs it. What was typed is there again where it did not fit.

const STORE = `hilum.door.${location.pathname}`;
const form = document.querySelector("form.form");
const KEPT = ["token", "name"]; // never a password
const before = left();
const code = location.hash.slice(1) || before.token;

/** What stood in a form that came back because the name or the password did not fit. */
function left() {
  try {
    const kept = new URLSearchParams(location.search).has("failed") ? sessionStorage.getItem(STORE) : null;
    sessionStorage.removeItem(STORE);
    return JSON.parse(kept ?? "{}");
  } catch {
    return {};
  }
}

if (form.elements.token && code) {
  form.elements.token.value = code;
  form.elements.token.closest(".field").hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
}
if (form.elements.name && before.name) {
  form.elements.name.value = before.name;
  form.elements.password.focus();
}
form.addEventListener("submit", () => {
  try {
    sessionStorage.setItem(STORE, JSON.stringify(Object.fromEntries(KEPT.map((name) => [name, form.elements[name]?.value]))));
  } catch {
    // then it has to be put there again
  }
});
