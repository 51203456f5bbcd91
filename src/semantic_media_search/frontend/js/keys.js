// Everything by keyboard, and the sheet that says how.

import { byId, h, icon, raise } from "./dom.js";

const KEYS = [
  ["/", "go to the search field"],
  ["Enter", "from the words to the results; open a result"],
  ["← ↑ → ↓", "walk through the results"],
  ["Esc", "close what is open; leave the search field"],
  ["Space", "play and pause"],
  ["← →", "in a preview: the result before and after"],
  [", .", "in a video: one sampled second back and on"],
  ["s", "find similar pictures"],
  ["x", "select a result"],
  ["c", "copy the original's path"],
  ["?", "this sheet"],
];

export function showHelp() {
  const sheet = byId("help");
  if (!sheet.childElementCount) {
    sheet.append(
      h("header", {},
        h("h2", { id: "help-title" }, "Keyboard"),
        h("button", { class: "quiet", type: "button", onclick: () => sheet.close() },
          icon("close"), h("span", { class: "sr" }, "Close help"))),
      h("dl", {}, ...KEYS.flatMap(([keys, does]) => [
        h("dt", {}, ...keys.split(" ").map((key) => h("kbd", {}, key))),
        h("dd", {}, does),
      ])),
      h("p", {}, "Drop, paste or choose a picture to find its like; words beside it narrow it down. ",
        "Nothing leaves this machine."),
    );
    sheet.addEventListener("close", raise);
    sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
  }
  sheet.showModal();
  raise();
}

/** Keys that hold anywhere on the page but in fields and dialogs. */
export function watchKeys({ grid, actions, selection, copyPath }) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const field = event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea");
    if (field) {
      if (event.target.id !== "q") return;
      if (event.key === "Escape") {
        event.preventDefault(); // or the browser would empty the field
        event.target.blur();
      }
      if (event.key === "/" && !event.target.value) event.preventDefault();
      if (event.key === "ArrowDown") {
        event.preventDefault();
        grid.focusFirst();
      }
      return;
    }
    if (event.key === "?" && !byId("help").open) showHelp();
    if (document.querySelector("dialog[open]")) return;
    const item = grid.itemOf(event.target.closest(".card"));
    if (event.target === document.body && event.key.startsWith("Arrow")) {
      event.preventDefault();
      grid.focusInSight();
    } else if (event.key === "/") {
      event.preventDefault();
      byId("q").focus();
      byId("q").select();
    } else if (!item) return;
    else if (event.key === "s") actions.similar(item);
    else if (event.key === "x") selection.set(item, !selection.has(item));
    else if (event.key === "c") copyPath(item);
    else if (event.key === " " && event.target.matches(".tile")) {
      event.preventDefault();
      actions.open(item);
    }
  });
}
