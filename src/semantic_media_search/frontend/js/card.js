// One result: a picture that keeps its place while it loads, what it is, and how strong the match is.

import { clock, percent, strengthWords } from "./format.js";
import { h, icon } from "./dom.js";

/** What a screen reader says of a result. */
export function spoken(item) {
  const kind = item.video_id ? `video at ${clock(item.timestamp)}` : "photo";
  const strength = item.strength === undefined ? "" : `, ${strengthWords(item.strength)}`;
  return `${item.name}, ${kind}${strength}`;
}

/** The folder's last two names: enough to know it by. */
export const shortFolder = (item) => item.folder.split(/[\\/]/).filter(Boolean).slice(-2).join(" / ");

/**
 * A list item for a result. `actions`: href(item), open(item), similar(item), copies(item), select(item, on).
 * `loaded`, where there is one, is the very picture, which another card has shown before.
 */
export function card(item, actions, selected, loaded) {
  const picture = loaded ?? h("img", {
    src: item.frame_url,
    width: item.width,
    height: item.height,
    alt: "",
    loading: "lazy",
    decoding: "async",
    draggable: false,
    onload: (event) => event.target.classList.add("here"),
    onerror: (event) => event.target.closest(".tile").classList.add("gone"),
  });
  const link = h(
    "a",
    {
      class: "tile",
      href: actions.href(item),
      tabIndex: -1,
      "aria-label": spoken(item),
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        actions.open(item);
      },
    },
    picture,
    item.video_id ? videoBadge(item) : null,
  );
  const box = h("input", {
    type: "checkbox",
    class: "pick",
    checked: selected,
    tabIndex: -1,
    "aria-label": `Select ${item.name}`,
    onchange: (event) => actions.select(item, event.target.checked),
  });
  const similar = h(
    "button",
    { class: "over", type: "button", tabIndex: -1, title: "Find similar (s)", onclick: () => actions.similar(item) },
    icon("similar"),
    h("span", { class: "sr" }, `Find similar to ${item.name}`),
  );
  return h(
    "li",
    { class: "card", "data-frame": String(item.frame_id) },
    h("div", { class: "frame" }, link, box, similar, copiesButton(item, actions)),
    strengthBar(item),
    h(
      "div",
      { class: "caption" },
      h("span", { class: "name", title: item.source_path }, item.name),
      item.similarity === undefined
        ? null
        : h("span", { class: "score", title: `similarity ${item.similarity.toFixed(4)}` }, item.similarity.toFixed(2)),
      h("span", { class: "folder" }, item.video_id ? "Video" : "Photo", h("span", {}, ` · ${shortFolder(item)}`)),
    ),
  );
}

/** "+3 similar": copies of a photo stand behind the best of them. */
function copiesButton(item, actions) {
  if (!item.similar?.length) return null;
  return h(
    "button",
    { class: "copies", type: "button", tabIndex: -1, title: "Show them all", onclick: () => actions.copies(item) },
    `+${item.similar.length} similar`,
    h("span", { class: "sr" }, ` to ${item.name}`),
  );
}

function videoBadge(item) {
  const length = item.duration ? h("span", { class: "of" }, ` / ${clock(item.duration)}`) : null;
  return h("span", { class: "badge" }, icon("play"), clock(item.timestamp), length);
}

function strengthBar(item) {
  if (item.strength === undefined) return null;
  const how = `${strengthWords(item.strength)}, ${percent(item.strength)}`;
  const bar = h("div", { class: "strength", title: `${how}: how far it stands out from the rest of the library` });
  bar.style.setProperty("--strength", String(item.strength));
  return bar;
}
