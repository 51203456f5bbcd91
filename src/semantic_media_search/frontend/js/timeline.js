// How well the search matches along a video, as a heat map: hover to look, click to go there.

import { h, svg } from "./dom.js";
import { clock, percent } from "./format.js";

const HEIGHT = 40;
const APART = 3;
const WIDTH = 1000;
const MOST_MARKS = 40;

export class Timeline {
  /** `seek(seconds)` is called where the person clicks or walks with the arrow keys. */
  constructor(seek) {
    this.seek = seek;
    this.points = [];
    this.duration = 0;
    this.now = 0;
    const viewBox = `0 0 ${WIDTH} ${HEIGHT}`;
    this.map = svg("svg", { class: "heat", viewBox, preserveAspectRatio: "none", "aria-hidden": "true" });
    this.head = h("div", { class: "playhead" });
    this.marks = h("div", { class: "marks" });
    this.peek = h("div", { class: "peek", hidden: true }, h("img", { alt: "" }), h("span", {}));
    this.element = h(
      "div",
      {
        class: "timeline",
        hidden: true,
        role: "slider",
        tabIndex: 0,
        "aria-label": "Where in the video the search matches",
        "aria-valuemin": "0",
        onclick: (event) => this.seek(this.secondsAt(event)),
        onpointermove: (event) => this.look(event),
        onpointerleave: () => { this.peek.hidden = true; },
        onkeydown: (event) => this.key(event),
      },
      this.map, this.marks, this.head, this.peek,
    );
  }

  /** Draw a time line as the server gives it; `item` is the result that was opened. */
  show({ points, duration }, item) {
    if (!points.length || !(duration > 0)) return;
    this.points = points;
    this.duration = duration;
    this.element.hidden = false;
    this.element.setAttribute("aria-valuemax", String(Math.round(duration)));
    const bars = this.columns().map(({ start, end, strength }) => {
      const height = 4 + strength * (HEIGHT - 6);
      return svg("rect", {
        x: String((start / duration) * WIDTH),
        width: String(Math.max(1, ((end - start) / duration) * WIDTH)),
        y: String(HEIGHT - height),
        height: String(height),
        "fill-opacity": String(0.22 + 0.78 * strength),
      });
    });
    this.map.replaceChildren(...bars);
    this.marks.replaceChildren(...this.hits(item).map((point) => {
      const mark = h("span", { class: point.frame_id === item.frame_id ? "mark here" : "mark" });
      mark.style.left = `${(point.timestamp / duration) * 100}%`;
      return mark;
    }));
  }

  /** What is drawn: a bar for each point; in a film of hours one for all that share a column, as high as the best. */
  columns() {
    const columns = [];
    let last = -1;
    for (const [place, { strength }] of this.points.entries()) {
      const [start, end] = this.spanOf(place);
      const column = Math.floor((start / this.duration) * WIDTH);
      if (column === last) {
        const shared = columns.at(-1);
        shared.end = end;
        shared.strength = Math.max(shared.strength, strength);
      } else {
        columns.push({ start, end, strength });
      }
      last = column;
    }
    return columns;
  }

  /** The second that was opened, and the peaks elsewhere: best of their surroundings and nearly the best of all. */
  hits(item) {
    const best = this.points.reduce((most, point) => Math.max(most, point.strength), 0);
    const { start = item.timestamp, end = item.timestamp } = item.moment ?? {};
    const peaks = this.points.filter((point, place) => {
      const before = this.points[place - 1]?.strength ?? -1;
      const after = this.points[place + 1]?.strength ?? -1;
      const strong = point.strength >= best * 0.8 && point.strength > 0.3;
      const peak = point.strength > before && point.strength >= after;
      return peak && strong && !(point.timestamp >= start && point.timestamp <= end);
    });
    const hits = this.points.filter((point) => point.frame_id === item.frame_id);
    for (const point of peaks.sort((one, other) => other.strength - one.strength)) {
      if (hits.length > MOST_MARKS) break;
      if (hits.every((hit) => Math.abs(hit.timestamp - point.timestamp) >= APART)) hits.push(point);
    }
    return hits;
  }

  spanOf(place) {
    const middle = (one, other) => (one.timestamp + other.timestamp) / 2;
    const start = place ? middle(this.points[place - 1], this.points[place]) : 0;
    const last = place === this.points.length - 1;
    return [start, last ? this.duration : middle(this.points[place], this.points[place + 1])];
  }

  nearest(seconds) {
    return this.points.reduce((best, point) =>
      Math.abs(point.timestamp - seconds) < Math.abs(best.timestamp - seconds) ? point : best);
  }

  /** The sampled second before or after another. */
  neighbour(seconds, by) {
    const times = this.points.map((point) => point.timestamp);
    return by > 0 ? times.find((time) => time > seconds + 0.05) : times.findLast((time) => time < seconds - 0.05);
  }

  secondsAt(event) {
    const box = this.element.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return Math.min(share * this.duration, Math.max(0, this.duration - 0.05));
  }

  at(seconds) {
    this.now = seconds;
    if (!this.points.length) return;
    this.head.style.left = `${Math.min(100, (seconds / this.duration) * 100)}%`;
    const point = this.nearest(seconds);
    this.element.setAttribute("aria-valuenow", String(Math.round(seconds)));
    this.element.setAttribute("aria-valuetext", `${clock(seconds)}, matches by ${percent(point.strength)}`);
  }

  look(event) {
    if (!this.points.length) return;
    const seconds = this.secondsAt(event);
    const point = this.nearest(seconds);
    const [image, words] = this.peek.children;
    if (image.getAttribute("src") !== point.frame_url) image.src = point.frame_url;
    words.textContent = `${clock(seconds)} · ${percent(point.strength)}`;
    const box = this.element.getBoundingClientRect();
    this.peek.hidden = false;
    const half = this.peek.offsetWidth / 2;
    this.peek.style.left = `${Math.min(box.width - half, Math.max(half, event.clientX - box.left))}px`;
  }

  key(event) {
    const to = {
      ArrowRight: this.neighbour(this.now, 1),
      ArrowLeft: this.neighbour(this.now, -1),
      Home: 0,
      End: this.points.at(-1)?.timestamp,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.seek(to);
  }
}
