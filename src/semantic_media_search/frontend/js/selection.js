// Several results, to be saved together: as a zip of the originals, or as a list of their paths.

import * as api from "./api.js";
import { byId, copy, h, toast } from "./dom.js";
import { count } from "./format.js";

export class Selection {
  constructor() {
    this.items = new Map();
    this.grid = null;
  }

  has(item) {
    return this.items.has(item.frame_id);
  }

  set(item, on) {
    if (on) this.items.set(item.frame_id, item);
    else this.items.delete(item.frame_id);
    const box = this.grid?.cardOf(item.frame_id)?.querySelector(".pick");
    if (box) box.checked = on;
    this.show();
  }

  clear() {
    for (const item of [...this.items.values()]) this.set(item, false);
  }

  get paths() {
    return [...new Set([...this.items.values()].map((item) => item.source_path))];
  }

  show() {
    const place = byId("selection");
    place.hidden = this.items.size === 0;
    document.body.classList.toggle("selecting", this.items.size > 0);
    if (place.hidden) return;
    const ids = [...this.items.keys()].join(",");
    place.replaceChildren(
      h("strong", {}, count(this.items.size, "result", "results"), " selected"),
      h("form", { method: "post", action: "/selection.zip" },
        h("input", { type: "hidden", name: "frames", value: ids }),
        h("button", { class: "primary", type: "button", onclick: (event) => this.saveZip(event.target.form, ids) }, "Save as zip")),
      h("button", { class: "plain", type: "button", onclick: () => copy(this.paths.join("\n"), `${count(this.paths.length, "path", "paths")} copied`) }, "Copy paths"),
      h("button", { class: "plain", type: "button", onclick: () => this.saveList() }, "Save list of paths"),
      h("button", { class: "plain", type: "button", onclick: () => this.clear() }, "Clear"),
    );
  }

  /** What cannot be read is said before the rest is saved. */
  async saveZip(form, ids) {
    try {
      const { files, missing } = await api.selection(ids);
      if (missing.length) {
        const rest = files ? ` The zip holds the other ${count(files, "file", "files")}.` : " There is nothing to save.";
        toast(`${missing[0]}${missing.length > 1 ? `, and ${missing.length - 1} more` : ""}.${rest}`);
      }
      if (files) form.submit();
    } catch (error) {
      toast(error.message);
    }
  }

  saveList() {
    const address = URL.createObjectURL(new Blob([this.paths.join("\n") + "\n"], { type: "text/plain" }));
    const link = h("a", { href: address, download: "paths.txt" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}
