// What the page says when there is nothing to show, and what to do next.

import { byId, h } from "./dom.js";
import { filters, searches } from "./address.js";

/** Show words in the middle of the page, or nothing. */
export function say(title, text = "", ...more) {
  const place = byId("message");
  place.hidden = !title;
  place.replaceChildren();
  if (title) place.append(h("h2", {}, title), text ? withCommands(text) : "", ...more);
}

/**
 * A failure in words, with the one thing to do about it: `[title, does]`. What helps by waiting is also tried again
 * without asking.
 */
export function sayFailure(failure, [remedy, does]) {
  const port = location.port === "8000" ? "" : ` --port ${location.port || 80}`;
  const titles = {
    gone: [
      "The server does not answer",
      `Start it again with \`media-search serve${port}\`. This page goes on by itself as soon as it is back.`,
    ],
    private: ["This library is private", "Open the page with its token, as in /?token=SECRET."],
    library: [sentence(failure.message), sentence(failure.hint)],
    missing: [sentence(failure.message), sentence(failure.hint)],
    refused: [sentence(failure.message), sentence(failure.hint)],
  };
  const [title, text] = titles[failure.kind] ?? ["Something went wrong", sentence(failure.message)];
  say(title, text, h("button", { class: "plain", type: "button", onclick: does }, remedy));
}

/** Nothing came back: was it the filters, or is the library empty? */
export function sayNothing(view, clearFilters) {
  if (filters(view)) {
    say(
      "Nothing passes these filters",
      searches(view) ? "The search itself is fine: other photos and videos may match it." : "",
      h("button", { class: "plain", type: "button", onclick: clearFilters }, "Clear the filters"),
    );
  } else {
    say(
      "Nothing found",
      "The library holds no frame that may be an answer. Add a folder with `media-search update FOLDER`.",
    );
  }
}

/** A line above the results about the library itself: starter model, frames still to be read. */
export function notice(health) {
  const place = byId("notice");
  const lines = [];
  if (health?.pending_frames > 0) {
    lines.push(
      `${health.pending_frames.toLocaleString("en")} frames are still being read in and cannot be found yet. ` +
        "If nothing is running, run `media-search index`.",
    );
  }
  if (health?.notice) lines.push(health.notice);
  place.hidden = lines.length === 0;
  place.replaceChildren(...lines.map((line) => withCommands(line)));
}

function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".") : "";
}

/** Text in which what stands between backquotes is a command. */
function withCommands(text) {
  return h("p", {}, ...text.split("`").map((part, place) => (place % 2 ? h("code", {}, part) : part)));
}
