// One result, large: the original where the browser can show it, the video at its moment, and what is known of it.

import * as api from "./api.js";
import { spoken } from "./card.js";
import { byId, calm, copy, h, icon, raise, toast } from "./dom.js";
import { clock, day, percent, strengthWords } from "./format.js";
import { Player } from "./player.js";

const SHOWABLE = /\.(jpe?g|jfif|png|webp|gif|avif|bmp)$/i;

export class Viewer {
  /** `actions`: close(), step(item, by), seeked(seconds), similar(item), selected(item), select(item, on). */
  constructor(actions) {
    this.actions = actions;
    this.dialog = byId("viewer");
    this.item = null;
    this.player = null;
    this.canShowFolders = false;
    // Stays where it is while all else is replaced: a screen reader tells of a change in it only so.
    this.said = h("p", { class: "sr said", role: "status" });
    this.dialog.append(this.said);
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      actions.close();
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target.matches(".viewer, .stage")) actions.close();
    });
    this.dialog.addEventListener("keydown", (event) => this.key(event));
  }

  show(item, view) {
    const held = ["back", "next"].find((name) => this.dialog.querySelector(`.${name}`)?.matches(":focus"));
    this.empty();
    this.item = item;
    const button = (name, title, does) =>
      h("button", { class: `quiet ${name}`, type: "button", title, onclick: does },
        icon(name), h("span", { class: "sr" }, title));
    const stage = h("div", { class: "stage" });
    if (item.video_id) {
      this.player = new Player(item, view, this.actions.seeked);
      stage.append(this.player.element);
    } else {
      stage.append(photo(item));
    }
    this.dialog.append(
      stage,
      button("back", "Previous result (←)", () => this.actions.step(item, -1)),
      button("next", "Next result (→)", () => this.actions.step(item, 1)),
      button("close", "Close (Esc)", () => this.actions.close()),
      this.panel(item),
    );
    this.said.textContent = this.dialog.open ? spoken(item) : "";
    if (!this.dialog.open) this.dialog.showModal();
    raise();
    this.dialog.querySelector(`.${held ?? "close"}`).focus({ preventScroll: true });
    this.player?.start(view.t ?? item.timestamp, !calm());
  }

  hide() {
    if (this.dialog.open) this.dialog.close();
    raise();
    this.empty();
  }

  /** Take away all that belongs to one result. */
  empty() {
    this.player?.stop();
    this.player = null;
    this.item = null;
    for (const part of [...this.dialog.children]) if (!part.matches(".said, #toast, #drop")) part.remove();
  }

  panel(item) {
    const fact = (title, value) => (value ? [h("dt", {}, title), h("dd", {}, value)] : []);
    const select = h("input", {
      type: "checkbox",
      checked: this.actions.selected(item),
      onchange: (event) => this.actions.select(item, event.target.checked),
    });
    const strength = item.strength === undefined ? null : h("div", { class: "strength" });
    strength?.style.setProperty("--strength", String(item.strength));
    const address = item.video_id ? `/video/${encodeURIComponent(item.video_id)}` : `/original/${item.frame_id}`;
    const original = h("a", { class: "plain", href: address, target: "_blank", rel: "noopener" }, "Open original");
    const button = (title, does, kind = "plain") =>
      h("button", { class: kind, type: "button", onclick: does }, title);
    const match = item.strength === undefined ? "" : `${strengthWords(item.strength)}, ${percent(item.strength)}`;
    const size = item.source_width ? `${item.source_width} × ${item.source_height}` : "";
    return h(
      "aside",
      { class: "panel" },
      h("h2", { id: "viewer-name" }, item.name),
      h("p", { class: "where" }, item.folder),
      strength,
      h(
        "dl",
        {},
        ...fact("Match", match),
        ...fact("Similarity", item.similarity === undefined ? "" : item.similarity.toFixed(3)),
        ...fact("Moment", momentOf(item)),
        ...fact("Length", item.duration ? clock(item.duration) : ""),
        ...fact("Taken", item.captured_at ? day(item.captured_at) : ""),
        ...fact("Camera", item.camera),
        ...fact("Size", size),
      ),
      h(
        "div",
        { class: "does" },
        button("Find similar", () => this.actions.similar(item), "primary"),
        original,
        button("Copy path", () => copy(item.source_path, "Path copied")),
        item.video_id ? clipLink(item) : null,
        this.canShowFolders ? button("Show in folder", () => reveal(item)) : null,
        h("label", { class: "check" }, select, h("span", {}, "Select")),
      ),
    );
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.item) return;
    // The video's own controls and the time line walk in time by these.
    if (event.key.startsWith("Arrow") && event.target.closest(".timeline, video")) return;
    const does = {
      ArrowLeft: () => this.actions.step(this.item, -1),
      ArrowRight: () => this.actions.step(this.item, 1),
      ",": () => this.player?.step(-1),
      ".": () => this.player?.step(1),
      s: () => this.actions.similar(this.item),
      c: () => copy(this.item.source_path, "Path copied"),
      x: () => this.dialog.querySelector(".check input").click(),
    };
    if (event.key === " " && this.player && !event.target.matches("button, a, input")) {
      event.preventDefault();
      this.player.toggle();
    } else if (event.key === " " && this.player && event.target.matches(".close")) {
      // The close button holds the focus when a preview opens; there, Space means play.
      event.preventDefault();
      this.player.toggle();
    } else if (event.key in does && !event.target.matches("input:not([type=checkbox])")) {
      event.preventDefault();
      does[event.key]();
    }
  }
}

/** Saves the moment as it is marked, or a few seconds around the frame. */
function clipLink(item) {
  const { start, end } = item.moment ?? {};
  const from = Math.max(0, start ?? item.timestamp - 2);
  const to = Math.min(item.duration ?? Infinity, Math.max(end ?? item.timestamp + 2, from + 1));
  const span = new URLSearchParams({ start: from.toFixed(3), end: to.toFixed(3) });
  const href = `/video/${encodeURIComponent(item.video_id)}/clip?${span}`;
  return h("a", { class: "plain", href, download: "", title: `From ${clock(from)} to ${clock(to)}` }, "Save clip");
}

async function reveal(item) {
  try {
    await api.reveal(item.frame_id);
  } catch (error) {
    toast(`${error.message}${error.hint ? `: ${error.hint}` : ""}`);
  }
}

function momentOf(item) {
  if (item.timestamp === null) return "";
  const { start, end } = item.moment ?? {};
  const span = start !== undefined && start !== null && end > start ? ` (from ${clock(start)} to ${clock(end)})` : "";
  return clock(item.timestamp) + span;
}

/** The stored frame at once; the original in its place when it has come. */
function photo(item) {
  const shown = h("img", {
    class: "photo",
    src: item.frame_url,
    alt: item.name,
    width: item.source_width ?? item.width,
    height: item.source_height ?? item.height,
  });
  if (SHOWABLE.test(item.name)) {
    const whole = new Image();
    whole.addEventListener("load", () => { shown.src = whole.src; });
    whole.src = `/original/${item.frame_id}`;
  }
  return shown;
}
