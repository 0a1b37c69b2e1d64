// A file or an address -> one grey plane {width, height, values, most}, and a plane -> painted pixels. Knows no page.

/** The picture of a local file, grey as the server reads it; null where the browser cannot do that (DICOM, TIFF, 16 bits). */
export async function planeOfFile(file) {
  try {
    return (await deep(file)) ? null : drawn(await createImageBitmap(file, { imageOrientation: "from-image" }));
  } catch {
    return null; // also what can be read and not drawn: too large for this browser, or the browser too old
  }
}

function drawn(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#000";
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = new Uint8Array(bitmap.width * bitmap.height);
  for (let i = 0, j = 0; i < values.length; i += 1, j += 4) {
    values[i] = (data[j] * 299 + data[j + 1] * 587 + data[j + 2] * 114 + 500) / 1000;
  }
  return { width: bitmap.width, height: bitmap.height, values, most: 255 };
}

/** A PNG of 16 bits: the browser keeps 8 of them, and shows one that fills only 10 or 12 almost black. */
async function deep(file) {
  const head = new Uint8Array(await file.slice(0, 25).arrayBuffer());
  return String.fromCharCode(...head.slice(1, 4)) === "PNG" && head[24] === 16;
}

/** The plane behind an address; its shape and depth stand in the headers. Throws an Error whose message can be shown. */
export async function planeAt(address) {
  const answer = await fetch(address, { headers: { Accept: "application/octet-stream" } }).catch(() => null);
  if (!answer) throw new Error("The server did not answer, so the picture cannot be shown now.");
  if (!answer.ok) throw new Error((await reasonOf(answer)) || "The picture cannot be shown.");
  const width = Number(answer.headers.get("X-Width"));
  const height = Number(answer.headers.get("X-Height"));
  const deep = Number(answer.headers.get("X-Max") ?? 255) > 255;
  const bytes = await answer.arrayBuffer();
  const values = deep ? new Uint16Array(bytes) : new Uint8Array(bytes);
  if (!width || values.length !== width * height) throw new Error("The picture arrived incomplete.");
  return { width, height, values, most: deep ? 65535 : 255, frames: Number(answer.headers.get("X-Frames") ?? 1) };
}

/** A grey PNG whose brightness is the strength of the evidence -> {width, height, values} in 0..255; null without one. */
export async function heatAt(address) {
  const answer = await fetch(address, { headers: { Accept: "image/png" } });
  if ([400, 404, 409, 422].includes(answer.status)) return null; // it says itself that there is none
  if (!answer.ok) throw new Error(String(answer.status));
  return planeOfFile(await answer.blob());
}

async function reasonOf(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return "";
  }
}

/** Window that shows the middle 99 percent of the grey values: {width, level} as shares of the whole range. */
export function automatic(plane) {
  const bins = new Uint32Array(1024);
  const shift = plane.most > 255 ? 6 : 0;
  for (const value of plane.values) bins[value >> shift] += 1;
  const size = plane.most > 255 ? 1024 : 256;
  const least = plane.values.length * 0.005;
  let low = 0;
  let high = size - 1;
  for (let seen = 0; low < size - 1 && (seen += bins[low]) < least; ) low += 1;
  for (let seen = 0; high > 0 && (seen += bins[high]) < least; ) high -= 1;
  if (high <= low) return { width: 1, level: 0.5 };
  return { width: (high - low + 1) / size, level: (low + high + 1) / 2 / size };
}

/** Paint a plane into a canvas of its size through a window; look = {width, level, inverted}. */
export function paint(plane, look, canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const picture = context.createImageData(plane.width, plane.height);
  const pixels = new Uint32Array(picture.data.buffer);
  const table = lookup(plane.most, look);
  const { values } = plane;
  for (let i = 0; i < values.length; i += 1) pixels[i] = table[values[i]];
  context.putImageData(picture, 0, 0);
}

function lookup(most, { width, level, inverted }) {
  const table = new Uint32Array(most + 1);
  const low = (level - width / 2) * most;
  const span = Math.max(width * most, 1e-6);
  for (let value = 0; value <= most; value += 1) {
    let grey = Math.round(Math.min(Math.max((value - low) / span, 0), 1) * 255);
    if (inverted) grey = 255 - grey;
    table[value] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return table;
}

// viridis at 9 even steps (Smith and van der Walt, CC0): its lightness rises evenly, and it survives grey print
const VIRIDIS = [
  [68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140],
  [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37],
];

/** Red, green and blue of a strength in [0, 1]. */
export function viridis(strength) {
  const place = Math.min(Math.max(strength, 0), 1) * (VIRIDIS.length - 1);
  const left = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const share = place - left;
  return VIRIDIS[left].map((value, i) => Math.round(value + (VIRIDIS[left + 1][i] - value) * share));
}

/** Paint a heatmap: the colour covers more where the evidence is stronger; at 0 the image is untouched. */
export function paintHeat(heat, canvas) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(heat.width, heat.height);
  for (let i = 0; i < heat.values.length; i += 1) {
    const strength = heat.values[i] / 255;
    const [red, green, blue] = viridis(strength);
    picture.data.set([red, green, blue, Math.round(255 * Math.sqrt(strength))], i * 4);
  }
  context.putImageData(picture, 0, 0);
}

/** The colours from 1 (above) to 0, as the scale beside the image. */
export function paintScale(canvas) {
  const context = canvas.getContext("2d");
  for (let y = 0; y < canvas.height; y += 1) {
    context.fillStyle = `rgb(${viridis(1 - y / (canvas.height - 1)).join(" ")})`;
    context.fillRect(0, y, canvas.width, 1);
  }
}
