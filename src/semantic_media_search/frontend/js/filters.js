// Kind, folder, dates, strength and grouping; beside each value stands how many items of the library pass it.

import * as api from "./api.js";
import { UNFILTERED, filterParameters, filters } from "./address.js";
import { byId, h } from "./dom.js";

export class Filters {
  /** `change(values)` is called with what the person chose, `slide(values)` with where the slider is just now. */
  constructor(change, slide) {
    this.asked = null;
    this.counted = null;
    const field = (name, title, control) => h("label", { class: `field ${name}` }, h("span", {}, title), control);
    this.kinds = h("fieldset", { class: "segments" }, h("legend", { class: "sr" }, "Kind"));
    this.kindCounts = {};
    for (const [value, title] of [["", "All"], ["image", "Photos"], ["video", "Videos"]]) {
      this.kindCounts[value] = h("span", { class: "n" });
      const radio = h("input", { type: "radio", name: "kind", value, onchange: () => change({ kind: value }) });
      this.kinds.append(h("label", {}, radio, h("span", {}, title, " ", this.kindCounts[value])));
    }
    this.folder = h("select", {
      disabled: true, onchange: () => change({ folder: this.folder.value }) });
    this.after = h("input", { type: "date", onchange: () => change({ after: this.after.value }) });
    this.before = h("input", { type: "date", onchange: () => change({ before: this.before.value }) });
    this.shown = h("output", {});
    this.min = h("input", {
      type: "range", min: "0", max: "0.6", step: "0.01",
      oninput: () => this.showBound(),
      onchange: () => slide({ min: Number(this.min.value) || null }),
    });
    this.frames = h("input", { type: "checkbox", onchange: () => change({ frames: this.frames.checked }) });
    this.passing = h("span", {});
    // Above the results, where its coming and going moves no control, and where a phone shows it as well.
    this.line = h("p", { class: "passing", hidden: true }, this.passing,
      h("button", { type: "button", class: "plain", onclick: () => change(UNFILTERED) }, "Clear filters"));
    byId("status").after(this.line);
    const form = byId("filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.append(
      this.kinds,
      field("folder", "Folder", this.folder),
      field("after", "From", this.after),
      field("before", "To", this.before),
      field("min", "Similarity ≥", h("span", { class: "slider" }, this.min, this.shown)),
      h("label", { class: "check", title: "Without it, neighbouring frames of a video are one result, and so are copies of a photo" }, this.frames, h("span", {}, "Every frame")),
    );
  }

  showBound() {
    this.shown.textContent = Number(this.min.value) ? Number(this.min.value).toFixed(2) : "any";
  }

  /** Bring the controls in line with a view, and the counts with the library. */
  async show(view) {
    for (const radio of this.kinds.querySelectorAll("input")) radio.checked = radio.value === view.kind;
    this.after.value = view.after;
    this.before.value = view.before;
    this.min.value = String(view.min ?? 0);
    this.showBound();
    this.frames.checked = view.frames;
    this.line.hidden = !filters(view);
    const wanted = filterParameters(view).toString();
    if (this.counted === wanted) return;
    this.counted = wanted;
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      this.showCounts(await api.filters(view, this.asked.signal), view);
    } catch {
      this.counted = null;
      // What is wrong is said where the results would stand.
    }
  }

  showCounts(answer, view) {
    const number = (n) => n.toLocaleString("en");
    this.kindCounts[""].textContent = number(answer.kinds.image + answer.kinds.video);
    this.kindCounts.image.textContent = number(answer.kinds.image);
    this.kindCounts.video.textContent = number(answer.kinds.video);
    const all = h("option", { value: "" }, "All folders");
    const folders = answer.folders.map((folder) =>
      h("option", { value: folder.id, title: folder.path, disabled: !folder.items && folder.id !== view.folder }, `${label(folder, answer.folders)} (${number(folder.items)})`));
    this.folder.disabled = false;
    this.folder.replaceChildren(all, ...folders);
    this.folder.value = view.folder;
    if (this.folder.selectedIndex < 0) this.folder.value = "";
    const undated = (view.after || view.before) && answer.undated ? `; ${number(answer.undated)} without a date do not` : "";
    this.passing.textContent = `${number(answer.passing)} of ${number(answer.total)} items pass${undated}`;
  }
}

/** A folder's name, with its parent's where several share it. */
function label(folder, all) {
  const twins = all.filter((other) => other.name === folder.name).length > 1;
  const parts = folder.path.split(/[\\/]/).filter(Boolean);
  return twins ? parts.slice(-2).join(" / ") : folder.name || folder.path;
}
