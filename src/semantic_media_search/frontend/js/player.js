// Plays the original at its moment, with the time line below.

import * as api from "./api.js";
import { searches } from "./address.js";
import { h } from "./dom.js";
import { Timeline } from "./timeline.js";

export class Player {
  /** `seeked(seconds)` is told where the person has gone. */
  constructor(item, view, seeked) {
    this.item = item;
    this.view = view;
    this.seeked = seeked;
    this.asked = new AbortController();
    this.video = h("video", {
      controls: true,
      playsInline: true,
      preload: "metadata",
      poster: item.frame_url,
      "aria-label": `${item.name}, video`,
    });
    this.timeline = new Timeline((seconds) => this.seek(seconds));
    this.trouble = h("p", { class: "trouble", role: "status", hidden: true });
    this.element = h("div", { class: "player" }, this.video, this.trouble, this.timeline.element);
    this.video.addEventListener("timeupdate", () => this.timeline.at(this.video.currentTime));
    this.video.addEventListener("seeked", () => this.timeline.at(this.video.currentTime));
    this.video.addEventListener("error", () => this.unplayable());
  }

  start(seconds, play) {
    this.wanted = seconds;
    this.video.addEventListener("loadedmetadata", () => {
      this.video.currentTime = this.wanted;
      if (play) this.video.play().catch(() => {});
    }, { once: true });
    this.video.src = `/video/${encodeURIComponent(this.item.video_id)}`;
    if (searches(this.view)) this.load();
  }

  async load() {
    try {
      this.timeline.show(await api.timeline(this.item.video_id, this.view, this.asked.signal), this.item);
      this.timeline.at(this.wanted);
    } catch {
      // The video plays without its heat map.
    }
  }

  seek(seconds) {
    this.wanted = seconds;
    this.video.currentTime = seconds;
    this.timeline.at(seconds);
    this.seeked(Math.round(seconds * 100) / 100);
  }

  /** To the sampled second before (-1) or after (+1). */
  step(by) {
    const next = this.timeline.neighbour(this.video.currentTime, by);
    if (next !== undefined) {
      this.video.pause();
      this.seek(next);
    }
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  unplayable() {
    if (!this.video.getAttribute("src")) return;
    this.trouble.hidden = false;
    this.trouble.textContent = "This browser cannot play the file. Open the original in a player of your own.";
  }

  stop() {
    this.asked.abort();
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
