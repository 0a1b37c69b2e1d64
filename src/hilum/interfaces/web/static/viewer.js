// The viewer's element on a page -> tools, keys and one or two panes of a picture. Knows no answer and no upload.

import { action, keyOf, written } from "./keys.js";
import { Pane } from "./pane.js";
import { automatic, heatAt, paintScale, planeAt } from "./plane.js";

const WHOLE = { width: 1, level: 0.5, inverted: false };
const REPEATED = /^(in|out|.*-frame|.*-heat|move-.*|narrower|wider|brighter|darker)$/; // while a key stays down
const OF_SEVERAL = /^(.*-frame|first|end)$/; // frames; of a single picture Home and End are the browser's
const PRESETS = [
  ["As read", () => ({ width: 1, level: 0.5 })],
  ["Automatic", automatic],
  ["Narrow", (plane) => ({ width: automatic(plane).width / 2, level: automatic(plane).level })],
  ["Dark parts", () => ({ width: 0.5, level: 0.25 })],
  ["Bright parts", () => ({ width: 0.5, level: 0.75 })],
];

export class Viewer {
  /** Wire the `.viewer` element; nothing is fetched until `show`. */
  constructor(root) {
    this.root = root;
    this.panes = [];
    this.look = { ...WHOLE };
    this.tool = matchMedia("(pointer: coarse)").matches ? "move" : "window";
    this.picked = false; // until a tool is picked, a finger moves the picture even where a mouse windows it
    this.opacity = 0.6;
    this.heatOn = false;
    this.heat = null;
    this.original = false;
    this.frames = [];
    this.frame = 0; // the one that stands there
    this.wanted = 0; // the one that was asked for last
    this.going = null; // the frames among which one is on its way
    this.turn = 0; // counts what was asked for: what arrives for an earlier turn is let go
    this.doing = Promise.resolve(); // panes are changed one thing after the other
    this.linked = new Set();
    this.#tools();
    this.#sliders();
    for (const canvas of root.querySelectorAll(".heat-scale canvas")) paintScale(canvas);
  }

  /**
   * Show one picture: {name, plane | address, heat (address)}, or one of frames: [{name, address, heat}].
   * Answers whether it stands there: not where something else was asked for meanwhile. Throws where it cannot.
   */
  async show({ name, plane = null, address = null, heat = null, frames = [], frame = 0 }) {
    const turn = this.clear();
    const one = frames[frame] ?? { name, address, heat };
    const there = plane ?? (await this.#fetched(turn, one.address));
    return this.#put(turn, there, { ...one, frames, frame, look: { ...WHOLE } });
  }

  /** Nothing stands there until something is shown: the picture before is covered. Answers the turn that begins. */
  clear() {
    if (this.original) this.look = this.before;
    Object.assign(this, { plane: undefined, frames: [], frame: 0, wanted: 0, heat: null, heatAddress: null, original: false });
    this.#veil(true);
    this.#refresh();
    return (this.turn += 1);
  }

  #fetched(turn, address) {
    return planeAt(address).catch((error) => turn === this.turn && Promise.reject(error));
  }

  /** Where the heatmap can be fetched; null: there is none. */
  offerHeat(address) {
    if (address !== this.heatAddress) this.heat = null; // what was fetched is another answer's
    this.heatAddress = address;
    this.#cover();
    if (address && this.heatOn) this.showHeat(true);
    this.#refresh();
  }

  #inOrder(act) {
    this.doing = this.doing.catch(() => {}).then(act);
    return this.doing;
  }

  #veil(on) {
    this.root.querySelector(".veil").hidden = !on;
    if (on) this.root.querySelector(".heat-scale").hidden = true;
  }

  async #addPane() {
    const element = document.createElement("div");
    element.className = "pane";
    const holder = this.root.querySelector(".panes");
    holder.append(element);
    const pane = new Pane(element);
    await pane.open().catch((error) => {
      element.remove();
      throw error;
    });
    const label = document.createElement("span");
    label.className = "name";
    const figures = document.createElement("span");
    figures.className = "figures-of";
    element.append(label, figures);
    pane.label = label;
    pane.figures = figures;
    this.panes.push(pane);
    this.#gestures(pane);
    return pane;
  }

  // A plane and all that is said of it are put there at once: no await stands between them.
  #put(turn, plane, { name, heat, frames, frame, look }) {
    return this.#inOrder(async () => {
      if (turn !== this.turn) return false;
      if (!this.panes.length) await this.#addPane();
      if (turn !== this.turn) return false;
      Object.assign(this, { plane, name, look: look ?? this.look, heat: null, heatAddress: heat, frame, wanted: look ? frame : this.wanted });
      this.frames = frames.length > 1 ? frames : [];
      if (this.frames.length) this.root.dispatchEvent(new CustomEvent("hilum:frame", { detail: frame }));
      for (const pane of this.panes) {
        await pane.show(plane, this.look);
        if (look) pane.home(); // another picture: how the one before was turned and zoomed is not its own
      }
      if (plane !== this.plane) return false;
      this.#veil(false);
      this.#cover();
      this.#refresh();
      if (this.heatOn && this.heatAddress) this.showHeat(true); // the picture does not wait for it
      return true;
    });
  }

  /**
   * Go to a frame of several; the one before stays until it is there. One is fetched at a time and then the one wanted
   * last: a key held down, or a turn of the wheel, lets the frames in between go and asks for no pile of them.
   */
  async goTo(frame) {
    const { frames } = this;
    if (!frames.length) return;
    this.wanted = Math.min(Math.max(frame, 0), frames.length - 1);
    if (this.going === frames) return;
    this.going = frames;
    while (this.frames === frames && this.wanted !== this.frame) await this.#step(frames, this.wanted);
    if (this.going === frames) this.going = null;
  }

  async #step(frames, wanted) {
    const turn = (this.turn += 1);
    try {
      const plane = await this.#fetched(turn, frames[wanted].address);
      await this.#put(turn, plane, { ...frames[wanted], frames, frame: wanted, look: null });
    } catch (error) {
      if (turn !== this.turn) return;
      this.wanted = this.frame;
      this.#tell(error.message);
      this.#refresh();
    }
  }

  setLook(change) {
    this.look = { ...this.look, ...change };
    this.look.width = Math.min(Math.max(this.look.width, 0.01), 2);
    this.look.level = Math.min(Math.max(this.look.level, -0.5), 1.5);
    for (const pane of this.panes) pane.look(this.look);
    this.#refresh();
  }

  preset(place) {
    if (this.plane) this.setLook(PRESETS[place][1](this.plane));
  }

  /** Heatmap on or off; the second pane, if there is one, always shows the original. */
  async showHeat(on) {
    const { plane, heatAddress } = this;
    this.heatOn = on && Boolean(heatAddress);
    if (on && !heatAddress) this.#tell("There is no heatmap of this answer.");
    if (this.heatOn && !this.heat) {
      const found = await heatAt(heatAddress).catch(() => ({ lost: true }));
      if (plane !== this.plane || heatAddress !== this.heatAddress) return; // another picture stands there by now
      if (found && !found.lost) this.heat ??= found;
      else {
        this.heatOn = false;
        this.#tell(found ? "The heatmap could not be fetched now." : "There is no heatmap of this answer.");
      }
    }
    await this.#inOrder(async () => {
      const [pane] = this.panes;
      if (plane === this.plane && this.heatOn && this.heat && pane.laid !== this.heat) await pane.heat(this.heat);
      this.#cover();
      this.#refresh();
    });
  }

  #cover() {
    const shown = this.heatOn && !this.original && this.heat;
    this.panes[0]?.cover(shown ? this.opacity : 0);
    this.root.querySelector(".heat-scale").hidden = !shown;
  }

  /** While held: no heatmap, the window as the model reads the image. */
  showOriginal(on) {
    if (this.original === on || !this.plane) return;
    this.original = on;
    if (on) this.before = { ...this.look };
    this.look = on ? { ...WHOLE } : this.before;
    for (const pane of this.panes) pane.look(this.look);
    this.#cover();
    this.#refresh();
  }

  sideBySide() {
    if (!this.plane || this.root.dataset.single !== undefined) return;
    this.#inOrder(async () => {
      if (this.panes.length > 1) {
        const pane = this.panes.pop();
        pane.close();
        pane.element.remove();
      } else if (this.plane) {
        const pane = await this.#addPane();
        if (this.plane) await pane.show(this.plane, this.look);
        pane.view = this.panes[0].view;
      }
      this.#refresh();
    });
  }

  /** Move another viewer's panes along with this one's. */
  link(other) {
    this.linked.add(other);
    other.linked.add(this);
  }

  /** Do something to every pane, and to those of linked viewers. */
  every(what) {
    for (const pane of this.panes) what(pane);
    for (const other of this.linked) for (const pane of other.panes) what(pane);
    this.#refresh();
  }

  reset() {
    this.every((pane) => {
      pane.upright();
      pane.fit();
    });
    this.setLook({ ...WHOLE });
  }

  #follow(pane) {
    if (this.following) return;
    this.following = true;
    const { view } = pane;
    for (const other of [...this.panes, ...[...this.linked].flatMap((one) => one.panes)]) if (other !== pane && other.item) other.view = view;
    this.following = false;
    this.#figures();
  }

  #gestures(pane) {
    const { osd } = pane;
    osd.addHandler("canvas-drag", (event) => {
      const plain = event.pointerType === "touch" && !this.picked ? "move" : this.tool;
      const tool = event.originalEvent.shiftKey ? (plain === "move" ? "window" : "move") : plain;
      if (tool === "move") return;
      event.preventDefaultAction = true;
      const { x, y } = event.delta;
      if (tool === "zoom") pane.zoom(Math.exp(-y / 120));
      else this.setLook({ width: this.look.width + x / 400, level: this.look.level - y / 400 });
    });
    osd.addHandler("canvas-scroll", (event) => {
      if (!this.frames.length || event.originalEvent.ctrlKey) return;
      event.preventDefaultAction = true;
      this.goTo(this.wanted + (event.scroll < 0 ? 1 : -1));
    });
    osd.addHandler("viewport-change", () => this.#follow(pane));
    for (const kind of ["flip", "rotate"]) osd.addHandler(kind, () => this.#follow(pane));
    osd.innerTracker.contextMenuHandler = null;
  }

  #tools() {
    this.acts = {
      window: ["Window and level: drag across and up", "w", () => this.#pick("window")],
      move: ["Move: drag", "d", () => this.#pick("move")],
      zoom: ["Zoom: drag up and down", "z", () => this.#pick("zoom")],
      in: ["Zoom in", "+", () => this.every((pane) => pane.zoom(1.25))],
      out: ["Zoom out", "-", () => this.every((pane) => pane.zoom(0.8))],
      fit: ["Fit to the frame", "=", () => this.every((pane) => pane.fit())],
      left: ["Turn left", "l", () => this.#one((pane) => pane.turn(-90))],
      right: ["Turn right", "r", () => this.#one((pane) => pane.turn(90))],
      mirror: ["Flip left and right", "h", () => this.#one((pane) => pane.flip())],
      over: ["Flip top and bottom", "v", () => this.#one((pane) => pane.flipOver())],
      invert: ["Invert", "i", () => this.setLook({ inverted: !this.look.inverted })],
      heat: ["Heatmap", "m", () => this.showHeat(!this.heatOn)],
      beside: ["Side by side with the original", "s", () => this.sideBySide()],
      reset: ["Reset everything", " ", () => this.reset()],
    };
    for (const button of this.root.querySelectorAll("[data-act]")) {
      const [, , run] = this.acts[button.dataset.act];
      button.addEventListener("click", run);
    }
    const hold = this.root.querySelector("[data-hold]");
    hold?.addEventListener("pointerdown", () => this.showOriginal(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) hold?.addEventListener(end, () => this.showOriginal(false));
    hold?.addEventListener("contextmenu", (event) => event.preventDefault()); // a finger that stays opens no menu
    hold?.addEventListener("keydown", (event) => / |Enter/.test(event.key) && !event.repeat && this.showOriginal(!this.original));
  }

  #one(what) {
    if (this.panes[0]) what(this.panes[0]);
    this.#refresh();
  }

  #pick(tool) {
    this.tool = tool;
    this.picked = true;
    this.#refresh();
  }

  /** Put this viewer's tools on keys; only one viewer of a page does. */
  takeKeys() {
    const usable = () => this.plane !== undefined && !this.root.closest("[hidden]");
    const several = () => usable() && this.frames.length > 1;
    const put = (id, title, key, run, release = null) =>
      action(`view-${id}`, { title, group: "Image", key, run, release, usable: OF_SEVERAL.test(id) ? several : usable, repeat: REPEATED.test(id) });
    for (const [id, [title, key, run]] of Object.entries(this.acts)) put(id, title, key, run);
    put("original", "The original image", "o", () => this.showOriginal(true), () => this.showOriginal(false));
    put("less-heat", "Less heatmap", "[", () => this.setOpacity(this.opacity - 0.1));
    put("more-heat", "More heatmap", "]", () => this.setOpacity(this.opacity + 0.1));
    put("next-frame", "Next frame", ".", () => this.goTo(this.wanted + 1));
    put("last-frame", "Frame before", ",", () => this.goTo(this.wanted - 1));
    put("first", "First frame", "Home", () => this.goTo(0));
    put("end", "Last frame", "End", () => this.goTo(this.frames.length - 1));
    const steps = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const words = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
    for (const [key, [x, y]] of Object.entries(steps)) {
      put(`move-${words[key]}`, `Move ${words[key]}`, key, () => this.every((pane) => pane.pan(-x * 40, -y * 40)));
    }
    put("narrower", "Narrower window", "Shift+ArrowLeft", () => this.setLook({ width: this.look.width - 0.05 }));
    put("wider", "Wider window", "Shift+ArrowRight", () => this.setLook({ width: this.look.width + 0.05 }));
    put("brighter", "Brighter", "Shift+ArrowUp", () => this.setLook({ level: this.look.level - 0.025 }));
    put("darker", "Darker", "Shift+ArrowDown", () => this.setLook({ level: this.look.level + 0.025 }));
    PRESETS.forEach(([title], place) => put(`preset-${place}`, `Window: ${title}`, String(place + 1), () => this.preset(place)));
    this.#name();
    document.addEventListener("hilum:keys", () => this.#name());
  }

  #name() {
    for (const button of this.root.querySelectorAll("[data-act], [data-hold]")) {
      button.title = `${button.dataset.title} (${written(keyOf(`view-${button.dataset.act ?? "original"}`))})`;
    }
  }

  setOpacity(opacity) {
    this.opacity = Math.min(Math.max(opacity, 0), 1);
    this.#cover();
    this.#refresh();
  }

  #sliders() {
    const on = (name, act) =>
      this.root.querySelector(`[data-slide="${name}"]`)?.addEventListener("input", (event) => act(Number(event.target.value)));
    on("width", (value) => this.setLook({ width: value / 100 }));
    on("level", (value) => this.setLook({ level: value / 100 }));
    on("heat", (value) => this.setOpacity(value / 100));
    on("frame", (value) => this.goTo(value - 1));
  }

  #refresh() {
    const set = (name, value, text) => {
      const input = this.root.querySelector(`[data-slide="${name}"]`);
      if (!input) return;
      input.value = value;
      input.setAttribute("aria-valuetext", text);
      input.closest("label").querySelector("output").textContent = text;
    };
    set("width", Math.round(this.look.width * 100), `${Math.round(this.look.width * 100)}%`);
    set("level", Math.round(this.look.level * 100), `${Math.round(this.look.level * 100)}%`);
    set("heat", Math.round(this.opacity * 100), `${Math.round(this.opacity * 100)}%`);
    const frames = this.root.querySelector('[data-slide="frame"]');
    if (frames) {
      frames.max = Math.max(this.frames.length, 1);
      frames.closest("label").hidden = this.frames.length < 2;
      set("frame", this.wanted + 1, `${this.frame + 1} of ${this.frames.length || 1}`);
    }
    this.root.querySelector('[data-slide="heat"]')?.closest("label").toggleAttribute("hidden", !this.heatAddress);
    for (const button of this.root.querySelectorAll("[data-act], [data-hold]")) this.#press(button);
    for (const pane of this.panes) for (const tool of ["window", "move", "zoom"]) pane.element.classList.toggle(tool, this.tool === tool);
    this.#figures();
  }

  #press(button) {
    const pressed = {
      window: this.tool === "window",
      move: this.tool === "move",
      zoom: this.tool === "zoom",
      invert: this.look.inverted,
      heat: this.heatOn,
      beside: this.panes.length > 1,
    }[button.dataset.act ?? ""];
    if (pressed !== undefined) button.setAttribute("aria-pressed", String(pressed));
    if (button.dataset.act === "heat") button.disabled = !this.heatAddress;
  }

  #figures() {
    this.panes.forEach((pane, place) => {
      if (!pane.item || !this.plane) return;
      const { rotation, flipped } = pane.view;
      const turned = [rotation ? `turned ${rotation}°` : "", flipped ? "mirrored" : "", this.look.inverted ? "inverted" : ""];
      const words = [`${this.plane.width} × ${this.plane.height}`, `${Math.round(pane.magnification * 100)}%`, ...turned];
      pane.figures.textContent = words.filter(Boolean).join("  ·  ");
      const shown = place === 0 && this.heatOn && this.heat && !this.original ? "with heatmap" : this.panes.length > 1 || this.original ? "original" : "";
      pane.label.textContent = [this.name, shown].filter(Boolean).join("  ·  ");
      pane.describe(`${this.name}, ${shown || "as received"}. Keys move, zoom and window it; press question mark for the list.`);
    });
  }

  #tell(text) {
    this.root.dispatchEvent(new CustomEvent("hilum:say", { bubbles: true, detail: text }));
  }
}
