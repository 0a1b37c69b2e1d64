// A one-time link's code -> the form's field; it stands behind the # so that no server on the way logs it.

const STORE = `hilum.code.${location.pathname}`;
const field = document.querySelector("[data-token]");
const code = location.hash.slice(1) || left();

/** The code of a form that came back because the name or the password did not fit. */
function left() {
  try {
    const kept = new URLSearchParams(location.search).has("failed") ? sessionStorage.getItem(STORE) : null;
    sessionStorage.removeItem(STORE);
    return kept ?? "";
  } catch {
    return "";
  }
}

if (field && code) {
  field.value = code;
  field.closest(".field").hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
}
field?.form.addEventListener("submit", () => {
  try {
    sessionStorage.setItem(STORE, field.value);
  } catch {
    // then it has to be pasted again
  }
});
