// A one-time link's code -> the form's field; it stands behind the # so that no server on the way logs it.

const field = document.querySelector("[data-token]");
const code = location.hash.slice(1);
if (field && code) {
  field.value = code;
  field.closest(".field").hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
}
