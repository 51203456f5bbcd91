// Plays the original at its moment, with the time line below.

import * as api from "./api.js";
import { searches } from "./address.js";
import { h } from "./dom.js";
import { Timeline } from "./timeline.js";

const BEFORE = 5;
const AFTER = 25;

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
    // Where a clip stands in for the original, its first second is `offset` seconds into the video.
    this.offset = 0;
    this.clipEnd = 0;
    this.playing = false;
    for (const name of ["timeupdate", "seeked"]) {
      this.video.addEventListener(name, () => this.timeline.at(this.now));
    }
    this.video.addEventListener("error", () => this.failed());
    this.video.addEventListener("loadedmetadata", () => this.ready());
    this.video.addEventListener("ended", () => this.ended());
  }

  /** The second of the original that is shown. */
  get now() {
    return this.video.currentTime + this.offset;
  }

  start(seconds, play) {
    this.wanted = seconds;
    this.playing = play;
    this.video.src = `/video/${encodeURIComponent(this.item.video_id)}`;
    if (searches(this.view)) this.load();
  }

  ready() {
    // Sound without a picture: the browser knows the container but not the codec.
    if (!this.video.videoWidth && !this.clipEnd) {
      this.playClip();
      return;
    }
    this.trouble.hidden = true;
    this.video.currentTime = Math.max(0, this.wanted - this.offset);
    if (this.playing) this.video.play().catch(() => {});
  }

  /** What the browser cannot play is played from a small clip around the moment. */
  playClip() {
    const length = this.item.duration ?? Infinity;
    this.offset = Math.max(0, Math.min(this.wanted, length - 1) - BEFORE);
    this.clipEnd = Math.min(length, this.offset + BEFORE + AFTER);
    this.trouble.hidden = false;
    this.trouble.textContent = "This browser cannot play the original: making a clip of this moment…";
    const span = new URLSearchParams({ start: this.offset.toFixed(3), end: this.clipEnd.toFixed(3) });
    this.video.src = `/video/${encodeURIComponent(this.item.video_id)}/clip?${span}`;
  }

  failed() {
    if (!this.video.getAttribute("src")) return;
    if (!this.clipEnd) {
      this.playClip();
      return;
    }
    this.trouble.hidden = false;
    this.trouble.textContent = "This file cannot be played here. Open the original in a player of your own.";
    this.explain(this.video.src);
  }

  /** A video element never tells what the server had to say. */
  async explain(address) {
    const said = await api.objection(address, this.asked.signal);
    if (said && this.video.src === address) {
      this.trouble.textContent = `This video cannot be played: ${said}${/[.!?]$/.test(said) ? "" : "."}`;
    }
  }

  /** Where only the clip has ended, the next one goes on. */
  ended() {
    if (!this.clipEnd || !(this.clipEnd < (this.item.duration ?? 0) - 0.05)) return;
    this.wanted = this.clipEnd;
    this.playing = true;
    this.playClip();
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
    if (this.clipEnd && (seconds < this.offset || seconds > this.clipEnd - 0.2)) {
      this.playing = !this.video.paused;
      this.playClip();
    } else {
      this.video.currentTime = seconds - this.offset;
    }
    this.timeline.at(seconds);
    this.seeked(Math.round(seconds * 100) / 100);
  }

  /** To the sampled second before (-1) or after (+1). */
  step(by) {
    const next = this.timeline.neighbour(this.now, by);
    if (next === undefined) return;
    this.video.pause();
    this.seek(next);
  }

  toggle() {
    if (this.video.paused) this.video.play().catch(() => {});
    else this.video.pause();
  }

  stop() {
    this.asked.abort();
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
