// Words in the search field -> only the operations that hold all of them; an address with a # opens its operation.

const field = document.querySelector("[data-search]");
const operations = [...document.querySelectorAll(".operations details")];
const said = document.querySelector("[data-found]");

field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const one of operations) {
    const text = one.textContent.toLowerCase();
    one.hidden = !words.every((word) => text.includes(word));
    count += one.hidden ? 0 : 1;
  }
  for (const part of document.querySelectorAll(".operations")) part.hidden = !part.querySelector("details:not([hidden])");
  said.textContent = words.length ? (count ? `${count} of ${operations.length} operations` : "No operation has these words.") : "";
});

function open() {
  const one = document.getElementById(location.hash.slice(1));
  if (one instanceof HTMLDetailsElement) one.open = true;
}
for (const one of operations) one.addEventListener("toggle", () => one.open && history.replaceState(null, "", `#${one.id}`));
window.addEventListener("hashchange", open);
open();
