// What came back of a file -> its answers, which of its images were not read, its state and its words. Knows no page.

import { whyUnread } from "./unread.js";

/** Put on an item what the server said of it; `titled` gives the words of one answer. */
export function settle(item, { status, body }, titled) {
  if (status === 202) return Object.assign(item, { state: "batch", batch: body });
  const all = body.predictions ?? [body];
  const strange = status === 200 && !all.every((answer) => answer.id || answer.error); // something on the way answered instead
  if (status !== 200 || strange) return Object.assign(item, { state: "failed", problem: whyUnread(strange ? { status: 502, body: {} } : { status, body }) });
  item.answers = all.filter((answer) => answer.id); // what has no id is on no record: it has no picture and no page
  item.unread = all.filter((answer) => !answer.id).map(({ file, error, code }) => ({ file, why: error?.detail ?? String(error), code }));
  item.packed = /\.zip$/i.test(item.name) || all.some((answer) => answer.file !== all[0].file);
  if (item.answers.length) return Object.assign(item, { state: "done", said: said(item, titled) });
  const [{ why, code }] = item.unread;
  return Object.assign(item, { state: "failed", problem: whyUnread({ status, body: { detail: why, code } }) });
}

/** One answer in words; several counted, each kind by itself. */
function said({ answers, unread }, titled) {
  const answered = answers.filter((answer) => answer.prediction).length;
  const count = answers.length + unread.length;
  if (count === 1) return answered ? titled(answers[0]) : "Not answered";
  const kinds = [[answered, "answered"], [answers.length - answered, "refused"], [unread.length, "not read"]];
  return `${count} images: ${kinds.filter(([many]) => many).map(([many, kind]) => `${many} ${kind}`).join(", ")}`;
}

/** 0.954 -> "95.4%"; more decimals where rounding would say 100 or 0 and it is not. */
export function percent(share) {
  const written = (100 * share).toFixed(1);
  const rounded = share > 0 && share < 1 && ["0.0", "100.0"].includes(written);
  return `${rounded ? Math.min(Math.max(100 * share, 0.001), 99.999).toFixed(3) : written}%`;
}

/** Which image an answer is of: the file, what it lay in, the frame. */
export function nameOf(item, answer) {
  const name = item.packed && answer?.file ? `${answer.file} in ${item.name}` : item.name;
  return Number.isInteger(answer?.frame) ? `${name}  ·  frame ${answer.frame + 1}` : name;
}

/** How many of the files were answered, once none is on its way. */
export function summed(items) {
  const all = `${items.length} files`;
  const failed = items.filter((item) => item.state === "failed").length;
  const batches = items.filter((item) => item.state === "batch").length;
  const partly = items.filter((item) => item.state === "done" && item.unread?.length).length;
  const refused = items.filter((item) => item.state === "done" && !item.unread?.length && !item.answers.some((one) => one.prediction)).length;
  const answered = items.length - failed - batches - partly - refused;
  if (answered === items.length) return `All ${all} are answered.`;
  const rest = [
    refused && `${refused} ${refused === 1 ? "was" : "were"} refused`,
    failed && `${failed} ${failed === 1 ? "is" : "are"} not`,
    partly && `${partly} only in part`,
    batches && `${batches} became ${batches === 1 ? "a batch" : "batches"}`,
  ];
  return `${answered} of ${all} are answered; ${rest.filter(Boolean).join(", ")}.`;
}
