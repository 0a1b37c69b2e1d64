// Why a file has no answer -> a title, what to do next, and whether the same file is worth sending again. Knows no page.

const AGAIN = "Then try again: the file is still here.";
const WAIT = ["Wait a moment.", AGAIN];
const WHY = {
  0: { title: "No connection", next: ["Wait until the foot of the page says Online.", AGAIN] },
  401: { title: "You are signed out", next: ["Sign in again: it opens in a tab of its own.", AGAIN] },
  413: { title: "This file is too large", next: ["Export a single image of it, or send a zip of images as a batch."] },
  415: { title: "This is no image that can be read here" },
  422: { title: "This file cannot be read" },
  429: { title: "Too many questions at once", next: WAIT },
  500: { title: "The server failed", next: WAIT },
  503: { title: "The server is busy", next: WAIT },
  504: { title: "It waited too long", next: WAIT },
};
const OF_THE_FILE = [
  "Check that the file is a single image or a DICOM object and opens elsewhere.",
  "Export it again as PNG or DICOM and drop it here.",
];

/** Of an answer {status, body} without a prediction in it. */
export function whyUnread({ status, body }) {
  const { title, next } = WHY[status] ?? {};
  return {
    title: title ?? body.title ?? "This file cannot be read",
    detail: status ? (status === 401 ? "" : body.detail) ?? "" : "The server did not answer. Nothing was recorded.",
    next: next ?? (status === 403 ? ["Load this page again, then send the file once more."] : OF_THE_FILE),
    short: status === 200 || [413, 415, 422].includes(status) ? "Could not be read" : "Not sent",
    again: next === WAIT || [0, 401].includes(status),
    signIn: status === 401,
  };
}
