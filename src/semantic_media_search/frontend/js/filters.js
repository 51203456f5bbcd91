// Kind, folder, dates, strength and grouping; beside each value stands how many items of the library pass it.

import * as api from "./api.js";
import { UNFILTERED, filterParameters, filters, searches } from "./address.js";
import { byId, h } from "./dom.js";

export class Filters {
  /** `change(values)` is called with what the person chose, `slide(values)` with where the slider is just now. */
  constructor(change, slide) {
    this.asked = null;
    this.counted = null;
    this.answer = null;
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
      type: "range", min: "0", max: "1", step: "0.01",
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
      h(
        "label",
        {
          class: "check",
          title: "Without it, neighbouring frames of a video are one result, and so are copies of a photo",
        },
        this.frames,
        h("span", {}, "Every frame"),
      ),
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
    // Only matches have a similarity: without a search there is nothing to bound.
    this.min.disabled = !searches(view);
    this.showLine(view);
    const wanted = filterParameters({ ...view, min: null }).toString();
    if (this.counted === wanted) return;
    this.counted = wanted;
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      this.answer = await api.filters(view, this.asked.signal);
      this.showCounts(this.answer, view);
      this.showLine(view);
    } catch {
      this.counted = null;
      // What is wrong is said where the results would stand.
    }
  }

  showCounts(answer, view) {
    this.kindCounts[""].textContent = number(answer.kinds.image + answer.kinds.video);
    this.kindCounts.image.textContent = number(answer.kinds.image);
    this.kindCounts.video.textContent = number(answer.kinds.video);
    const all = h("option", { value: "" }, "All folders");
    const folders = answer.folders.map((folder) => {
      const disabled = !folder.items && folder.id !== view.folder;
      const title = `${label(folder, answer.folders)} (${number(folder.items)})`;
      return h("option", { value: folder.id, title: folder.path, disabled }, title);
    });
    this.folder.disabled = false;
    this.folder.replaceChildren(all, ...folders);
    this.folder.value = this.optionOf(view.folder, answer.folders);
  }

  /** The option that stands for a folder of the address: its id, its path, or the end of its path. */
  optionOf(given, folders) {
    if (!given || folders.some((folder) => folder.id === given)) return given;
    const tail = given.replace(/(?<=.)[\\/]+$/, "");
    const ends = [`/${tail}`, `\\${tail}`];
    const meant = folders.filter(({ path }) => path === tail || ends.some((end) => path.endsWith(end)));
    if (meant.length === 1) return meant[0].id;
    // Several folders end like this, or it is above all that the list names.
    this.folder.append(h("option", { value: given }, given));
    return given;
  }

  /** What the filters leave, in words; a bound on the similarity leaves out matches, not items. */
  showLine(view) {
    const bound = searches(view) ? view.min : null;
    const others = filters({ ...view, min: null });
    this.line.hidden = !others && !bound;
    const bounded = bound ? `only matches of ${bound.toFixed(2)} and above are shown` : "";
    let passing = "";
    if (others && this.answer) {
      const { passing: those, total, undated } = this.answer;
      const dates = (view.after || view.before) && undated ? `; ${number(undated)} without a date do not` : "";
      passing = `${number(those)} of ${number(total)} items pass${bound ? " the other filters" : ""}${dates}`;
    }
    const said = [passing, bounded].filter(Boolean).join("; ");
    this.passing.textContent = said && said[0].toUpperCase() + said.slice(1);
  }

  /** The library has changed: count anew at the next view. */
  forget() {
    this.counted = null;
  }
}

const number = (n) => n.toLocaleString("en");

/** A folder's name, with its parent's where several share it. */
function label(folder, all) {
  const twins = all.filter((other) => other.name === folder.name).length > 1;
  const parts = folder.path.split(/[\\/]/).filter(Boolean);
  return twins ? parts.slice(-2).join(" / ") : folder.name || folder.path;
}
