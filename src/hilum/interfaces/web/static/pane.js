// One plane on black -> zoom, pan, rotation, flip and a heatmap over it, by OpenSeadragon. Knows no button and no key.

import { paint, paintHeat } from "./plane.js";

let library;

/** OpenSeadragon, fetched when the first picture is shown, so that no page waits for it. */
export function opened() {
  library ??= new Promise((done, failed) => {
    // the library looks for this mark before it writes a <style> of its own, which the content policy forbids
    const mark = document.createElementNS("urn:hilum", "style");
    mark.setAttribute("data-openseadragon-mobile-css", "true");
    document.head.append(mark);
    const script = document.createElement("script");
    script.src = new URL("./vendor/openseadragon.min.js", import.meta.url).href;
    script.onload = () => done(window.OpenSeadragon);
    script.onerror = () => {
      library = undefined; // the next picture asks again
      failed(new Error("The viewer could not be loaded."));
    };
    document.head.append(script);
  });
  return library;
}

const GESTURES = { clickToZoom: false, dblClickToZoom: false, flickEnabled: false, scrollToZoom: true, pinchToZoom: true };

export class Pane {
  /** Stand in `element`; call `open` before anything else. */
  constructor(element) {
    this.element = element;
    this.canvas = document.createElement("canvas");
    this.heatCanvas = document.createElement("canvas");
    this.heatItem = null;
    this.laid = null; // the heatmap that lies over the plane
    this.opacity = 0;
  }

  async open() {
    const OpenSeadragon = await opened();
    this.osd = OpenSeadragon({
      element: this.element,
      drawer: "canvas",
      showNavigationControl: false,
      keyboardNavEnabled: false,
      animationTime: 0,
      springStiffness: 10,
      immediateRender: true,
      blendTime: 0,
      visibilityRatio: 0.2,
      minZoomImageRatio: 0.5,
      maxZoomPixelRatio: 24,
      gestureSettingsMouse: GESTURES,
      gestureSettingsTouch: GESTURES,
      gestureSettingsPen: GESTURES,
      gestureSettingsUnknown: GESTURES,
    });
    // a frame that changes its size fits the picture again, until somebody has zoomed or moved it
    const touched = () => (this.fitted = false);
    for (const act of ["canvas-drag", "canvas-scroll", "canvas-pinch"]) this.osd.addHandler(act, touched);
    this.osd.addHandler("resize", () => setTimeout(() => this.fitted && this.item && this.fit()));
    this.osd.innerTracker.keyHandler = null;
    this.osd.innerTracker.keyDownHandler = null;
    const frame = this.osd.canvas;
    frame.setAttribute("role", "application");
    frame.setAttribute("aria-roledescription", "image viewer");
    this.OpenSeadragon = OpenSeadragon;
  }

  /** Say what the picture is, for those who cannot see it. */
  describe(words) {
    this.osd.canvas.setAttribute("aria-label", words);
  }

  /** Show a plane; where it has the size of the one before, the view is kept. */
  async show(plane, look) {
    const same = this.plane && this.plane.width === plane.width && this.plane.height === plane.height;
    this.plane = plane;
    if (!same) this.canvas = document.createElement("canvas"); // the library empties the one that it lets go of
    this.canvas.width = plane.width;
    this.canvas.height = plane.height;
    paint(plane, look, this.canvas);
    await this.heat(null);
    if (same && this.item) {
      this.osd.forceRedraw();
      return;
    }
    this.osd.world.removeAll();
    this.item = await this.#add(this.canvas, 1);
    this.fit();
  }

  /** Repaint through another window. */
  look(look) {
    if (!this.plane) return;
    paint(this.plane, look, this.canvas);
    this.osd.forceRedraw();
  }

  /** Lay a heatmap over the plane, or take it away (null). */
  async heat(heat) {
    if (this.heatItem) this.osd.world.removeItem(this.heatItem);
    this.heatItem = null;
    this.laid = heat;
    if (!heat) return;
    this.heatCanvas = document.createElement("canvas");
    this.heatCanvas.width = heat.width;
    this.heatCanvas.height = heat.height;
    paintHeat(heat, this.heatCanvas);
    this.heatItem = await this.#add(this.heatCanvas, this.opacity);
  }

  /** How much the heatmap covers, 0 to 1. */
  cover(opacity) {
    this.opacity = opacity;
    this.heatItem?.setOpacity(opacity);
  }

  #add(canvas, opacity) {
    const source = new this.OpenSeadragon.TileSource({
      width: canvas.width,
      height: canvas.height,
      tileWidth: canvas.width,
      tileHeight: canvas.height,
      tileOverlap: 0,
      minLevel: 0,
      maxLevel: 0,
    });
    source.getTileUrl = () => `plane-${canvas.width}-${canvas.height}`;
    source.getTileHashKey = () => `plane-${(Pane.count = (Pane.count ?? 0) + 1)}`;
    source.hasTransparency = () => canvas === this.heatCanvas;
    source.downloadTileStart = (job) => job.finish(canvas.getContext("2d"), null, "context2d");
    source.downloadTileAbort = () => {};
    return new Promise((done, failed) => {
      this.osd.addTiledImage({
        tileSource: source,
        opacity,
        width: 1,
        success: ({ item }) => done(item),
        error: ({ message }) => failed(new Error(message)),
      });
    });
  }

  get view() {
    const { viewport } = this.osd;
    return {
      zoom: viewport.getZoom(true),
      center: viewport.getCenter(true),
      rotation: viewport.getRotation(true),
      flipped: viewport.getFlip(),
    };
  }

  set view({ zoom, center, rotation, flipped }) {
    const { viewport } = this.osd;
    this.fitted = false;
    viewport.zoomTo(zoom, null, true);
    viewport.panTo(center, true);
    viewport.setRotation(rotation, true);
    if (viewport.getFlip() !== flipped) viewport.setFlip(flipped);
  }

  zoom(factor) {
    this.fitted = false;
    this.osd.viewport.zoomBy(factor, null, true).applyConstraints(true);
  }

  fit() {
    this.fitted = true;
    const { viewport } = this.osd;
    const { clientWidth, clientHeight } = this.element;
    if (!clientWidth || !clientHeight) return; // hidden: it fits once it has a size
    const size = viewport.getContainerSize();
    if (size.x !== clientWidth || size.y !== clientHeight) {
      viewport.resize(new this.OpenSeadragon.Point(clientWidth, clientHeight), false); // the library has not looked yet
    }
    viewport.goHome(true);
  }

  pan(x, y) {
    this.fitted = false;
    const { viewport } = this.osd;
    const seen = viewport.getFlip() ? -x : x;
    viewport.panBy(viewport.deltaPointsFromPixels(new this.OpenSeadragon.Point(seen, y), true), true);
    viewport.applyConstraints(true);
  }

  /** Turn to the right, as one sees it: the library mirrors after it turned. */
  turn(degrees) {
    const { viewport } = this.osd;
    const seen = viewport.getFlip() ? -degrees : degrees;
    viewport.setRotation((viewport.getRotation(true) + seen + 360) % 360, true);
  }

  /** Mirror left and right, as one sees it. */
  flip() {
    const { viewport } = this.osd;
    viewport.setFlip(!viewport.getFlip());
  }

  /** Mirror top and bottom: half a turn of the mirrored picture. */
  flipOver() {
    this.flip();
    this.turn(180);
  }

  home() {
    this.upright();
    this.fit();
  }

  upright() {
    const { viewport } = this.osd;
    viewport.setRotation(0, true);
    viewport.setFlip(false);
  }

  /** Screen pixels for each pixel of the picture. */
  get magnification() {
    return this.item ? this.item.viewportToImageZoom(this.osd.viewport.getZoom(true)) : 1;
  }

  close() {
    this.osd?.destroy();
    this.element.replaceChildren();
  }
}
