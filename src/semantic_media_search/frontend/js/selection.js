// Several results, to be saved together: as a zip of the originals, or as a list of their paths.

import * as api from "./api.js";
import { byId, copy, h, toast } from "./dom.js";
import { count } from "./format.js";

/** A path as it may stand in a list with one path a line: with control characters in it, as a URI. */
const onOneLine = (path) => UNFIT.test(path) ? `file://${path.split("/").map(encodeURIComponent).join("/")}` : path;
const UNFIT = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

export class Selection {
  constructor() {
    this.items = new Map();
    this.grid = null;
    this.said = h("strong", { role: "status" });
    this.field = h("input", { type: "hidden", name: "frames" });
    const button = (title, does, kind = "plain") =>
      h("button", { class: kind, type: "button", onclick: does }, title);
    this.form = h("form", { method: "post", action: "/selection.zip" },
      this.field, button("Save as zip", () => this.saveZip(), "primary"));
    byId("selection").append(
      this.said,
      this.form,
      button("Copy paths", () => copy(this.paths.join("\n"), `${count(this.paths.length, "path", "paths")} copied`)),
      button("Save list of paths", () => this.saveList()),
      button("Clear", () => this.clear()),
    );
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
    return [...new Set([...this.items.values()].map((item) => onOneLine(item.source_path)))];
  }

  show() {
    byId("selection").hidden = this.items.size === 0;
    document.body.classList.toggle("selecting", this.items.size > 0);
    this.field.value = [...this.items.keys()].join(",");
    this.said.textContent = this.items.size ? `${count(this.items.size, "result", "results")} selected` : "";
  }

  /** What cannot be read is said before the rest is saved. */
  async saveZip() {
    try {
      const { files, missing } = await api.selection(this.field.value);
      if (missing.length) {
        const held = files && ` The zip holds the other ${count(files, "file", "files")}.`;
        const rest = held || " There is nothing to save.";
        const others = missing.length > 1 ? `, and ${missing.length - 1} more` : "";
        toast(`${missing[0]}${others}.${rest}`);
      }
      if (files) this.form.submit();
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
