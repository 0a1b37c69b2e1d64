// Why a file has no answer -> a title, what to do next, and whether the same file is worth sending again. Knows no page.

const AGAIN = "Then try again: the file is still here.";
const WAIT = ["Wait a moment.", AGAIN];
const CORRECT = ["Correct it under Question and consent.", AGAIN];
const WHY = {
  0: { title: "No connection", next: ["Wait until the foot of the page says Online.", AGAIN] },
  401: { title: "You are signed out", next: ["Sign in again: it opens in a tab of its own.", AGAIN] },
  408: { title: "It took too long to arrive", next: WAIT },
  413: { title: "This is too much at once", next: ["Send fewer files, or a zip of images as a batch."] },
  415: { title: "This is no image that can be read here" },
  422: { title: "This file cannot be read" },
  429: { title: "Too many questions at once", next: WAIT },
  500: { title: "The server failed", next: WAIT },
  502: { title: "The server did not answer", next: WAIT },
  503: { title: "The server is busy", next: WAIT },
  504: { title: "It waited too long", next: WAIT },
};
const BY_CODE = {
  bad_zip: { title: "This zip cannot be read", next: ["Check that it is a zip of images and opens elsewhere.", "Make the zip again, without a password, and drop it here."] },
  csrf: { title: "Somebody else signed in in another tab", next: ["Load this page again, then send the file once more."] },
  too_large: { title: "This file is too large", next: ["Export a single image of it, or send a zip of images as a batch."] },
  image_too_large: { title: "This image has too many pixels", next: ["Export it with fewer pixels, or cut it to the part that matters, and drop it here."] },
  usage: { title: "This cannot be asked so", next: CORRECT },
};
const OF_THE_FILE = [
  "Check that the file is a single image or a DICOM object and opens elsewhere.",
  "Export it again as PNG or DICOM and drop it here.",
];

/** Of an answer {status, body} without a prediction in it. */
export function whyUnread({ status, body }) {
  const { title, next } = BY_CODE[body.code] ?? WHY[status] ?? (status > 500 ? WHY[500] : {});
  const sent = (status === 200 || [413, 415, 422].includes(status) || body.code === "bad_zip") && next !== CORRECT;
  return {
    title: title ?? body.title ?? "This file cannot be read",
    detail: status ? (status === 401 || body.code === "csrf" ? "" : body.detail) ?? "" : "The server did not answer. Sent again, the file is answered once.",
    next: next ?? (status === 403 ? ["Load this page again, then send the file once more."] : OF_THE_FILE),
    short: sent ? "Could not be read" : "Not sent",
    again: [WAIT, CORRECT].includes(next) || [0, 401].includes(status),
    signIn: status === 401,
  };
}

/** Of a question with a field that does not hold what it may. */
export function notAsked(field) {
  const detail = `${field.labels[0].textContent}: ${field.validationMessage}`;
  return { title: BY_CODE.usage.title, detail, next: CORRECT, short: "Not sent", again: true, signIn: false };
}
