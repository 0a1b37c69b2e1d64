// A zip that is dropped on the card of its form -> taken and sent.

import { dropZone } from "./drop.js";

const form = document.querySelector("form[data-zip]");
if (form) dropZone(form.closest(".card"), form.querySelector("input[type=file]"), () => form.requestSubmit());
