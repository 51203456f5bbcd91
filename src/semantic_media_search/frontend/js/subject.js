// The picture that is searched by, as a small tag in the search field.

import { byId, h, icon } from "./dom.js";

/** Show what is searched for beside the words; `drop` takes it away. */
export function showSubject(view, drop) {
  const place = byId("subject");
  const source = sourceOf(view);
  place.hidden = !source;
  const example = matchMedia("(max-width: 760px)").matches ? "" : ": a dog in the snow";
  byId("q").placeholder = source ? "Add words to it" : `Describe a moment${example}`;
  if (!source) {
    place.replaceChildren();
    return;
  }
  if (place.querySelector("img")?.getAttribute("src") === source) return;
  place.replaceChildren(
    h("img", { src: source, alt: view.picture ? "Your picture" : "The picture to find the like of" }),
    h("button", { type: "button", class: "quiet", onclick: drop },
      icon("close"), h("span", { class: "sr" }, "Search without this picture")),
  );
}

function sourceOf(view) {
  if (view.picture) return `/picture/${encodeURIComponent(view.picture)}`;
  return view.similar !== null ? `/frame/${view.similar}` : "";
}
