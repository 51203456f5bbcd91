// The page as a whole: the view in the address, and what each part of the page does to it.

import * as address from "./address.js";
import * as api from "./api.js";
import { byId, copy, toast } from "./dom.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { showHelp, watchKeys } from "./keys.js";
import { count } from "./format.js";
import { notice, say, sayFailure, sayNothing } from "./messages.js";
import { watchPictures } from "./picture.js";
import { Selection } from "./selection.js";
import { showSubject } from "./subject.js";
import { Viewer } from "./viewer.js";

const TYPING_MS = 30;
const BURST_MS = 60;
const PAUSE_MS = 1500;
const RETRY_MS = 2000;
const SCROLLED_MS = 200;
const LOOK_MS = 10_000;
const FROM_THE_TOP = { open: null, t: null, at: null };

let view = address.read();
let typing = 0;
let lastTyped = -Infinity;
let lately = { what: "", when: -Infinity };
let retrying = 0;
let looking = 0;
/** What the server said of itself when the results were last asked for. */
let known = null;
/** The first answer of those that the page shows now. */
let began = null;
/** Whose results were asked for last, come or not. */
let sought = null;
let settled = Promise.resolve(true);

const words = byId("q");
const actions = {
  href: (item) => address.write({ ...view, open: item.frame_id, t: secondOf(item) }),
  open: (item) => go({ open: item.frame_id, t: secondOf(item) }, item),
  similar: (item) => goToLike(item, {}),
  copies: (item) => goToLike(item, { frames: true }),
  select: (item, on) => selection.set(item, on),
  arrived,
  failed,
  waiting,
};
const selection = new Selection();
const grid = new Grid(actions, (item) => selection.has(item));
selection.grid = grid;
const filters = new Filters((changes) => go({ ...changes, ...FROM_THE_TOP }), (changes) => goOn("filters", changes));
const viewer = new Viewer({
  close: () => (history.state?.opened ? history.back() : go({ open: null, t: null })),
  step: async (item, by) => {
    const next = await grid.neighbour(item, by);
    if (viewer.item !== item) return;
    if (next) replace({ open: next.frame_id, t: secondOf(next) }, next);
    else toast(by > 0 ? "This is the last result" : "This is the first result");
  },
  seeked: (t) => remember({ t }),
  similar: actions.similar,
  selected: (item) => selection.has(item),
  select: (item, on) => selection.set(item, on),
});

function secondOf(item) {
  return item.timestamp === null ? null : Math.round(item.timestamp * 100) / 100;
}

/** Go to a changed view, as a step that Back undoes. */
function go(changes, opened) {
  keepPlace();
  view = { ...view, ...changes };
  history.pushState({ opened: view.open !== null }, "", address.write(view));
  return show({ item: opened });
}

/** Changes made in one go, as when one types or moves a slider, are one step of the history, not a step each. */
function goOn(what, changes) {
  const now = performance.now();
  const step = lately.what === what && now - lately.when < PAUSE_MS ? replace : go;
  lately = { what, when: now };
  return step({ ...changes, ...FROM_THE_TOP });
}

/** To what is like a result; the focus goes to the first, so that the keyboard can go on from there. */
async function goToLike(item, changes) {
  await thenFocus(go({ q: "", picture: "", similar: item.frame_id, ...changes, ...FROM_THE_TOP }));
}

/** The focus goes to the first result, if what was asked for came and the person has not gone elsewhere since. */
async function thenFocus(shown) {
  const before = document.activeElement;
  const leaving = viewer.dialog.contains(before);
  if (!(await shown)) return;
  const now = document.activeElement;
  if (leaving || now === before || now === document.body || grid.element.contains(now)) grid.focusFirst();
}

function replace(changes, opened) {
  remember(changes);
  return show({ item: opened });
}

/** Change the address without a step in the history. */
function remember(changes) {
  view = { ...view, ...changes };
  history.replaceState(history.state, "", address.write(view));
}

function keepPlace() {
  if (!grid.items.length || !grid.view || !address.sameResults(grid.view, view)) return;
  const { at, below } = grid.position;
  view.at = at || null;
  history.replaceState({ ...history.state, below }, "", address.write(view));
}

/**
 * Bring the page in line with `view`; `restore` also brings back where one had scrolled to.
 * Resolves to whether its results are what the page shows now: false where they failed, or others were asked for.
 */
async function show({ item, restore = false } = {}) {
  const wanted = view;
  if (document.activeElement !== words) words.value = view.q;
  document.title = view.q ? `${view.q} · Semantic Media Search` : "Semantic Media Search";
  showSubject(view, dropPicture);
  if (!grid.view || !address.sameResults(sought, view)) {
    sought = view;
    filters.show(view);
    clearTimeout(retrying);
    const { at, below } = { at: view.at ?? 0, below: history.state?.below };
    settled = grid.show(view, restore && at ? at + 60 : 0).then((done) => {
      if (done && view === wanted) {
        if (restore && at) grid.scrollTo(at, below);
        else scrollTo({ top: 0, behavior: "instant" });
      }
      return done;
    });
  }
  const done = await settled;
  await showOpen(item);
  return done && address.sameResults(wanted, view);
}

async function showOpen(item) {
  if (view.open === null) {
    const last = viewer.item;
    viewer.hide();
    if (last) grid.focusOn(last.frame_id);
    return;
  }
  if (viewer.item?.frame_id === view.open) return;
  const found = item ?? grid.items.find((other) => other.frame_id === view.open);
  try {
    const shown = found ?? (await api.frame(view.open, view));
    if (view.open === shown.frame_id) viewer.show(shown, view);
  } catch (error) {
    toast(error.message);
    remember({ open: null, t: null });
  }
}

/** An answer that takes its time: what still stands there belongs to the search before. */
function waiting() {
  byId("results").classList.add("waiting");
  byId("status").textContent = "Searching…";
}

function arrived(answer, first) {
  if (!first) {
    // Only at the end is it known how many there are.
    if (!answer.more && !answer.cut) byId("status").textContent = statusOf({ ...began, results: grid.items, more: false });
    return;
  }
  began = answer;
  byId("results").classList.remove("waiting", "stale");
  clearTimeout(retrying);
  const asked = grid.view;
  const headline = byId("headline");
  const { searching, weak } = strengthOf(answer);
  headline.textContent = !searching
    ? "Your library"
    : weak
      ? `No good match for ${subjectOf(asked)}`
      : (pictureOf(asked) && "Like ") + subjectOf(asked);
  byId("results").classList.toggle("weak", weak);
  byId("status").textContent = statusOf(answer);
  if (answer.results.length) say("");
  else sayNothing(asked, unfilter);
}

/** Whether what is shown was searched for, and if so, whether none of it stands out. */
function strengthOf(answer) {
  const searching = address.searches(grid.view);
  return { searching, weak: searching && answer.results.length > 0 && !answer.good };
}

const pictureOf = (asked) => (asked.picture ? "your picture" : asked.similar !== null ? "this picture" : "");

/** What is searched for, in words: “a dog”, or: your picture and “at night”. */
function subjectOf(asked) {
  const quoted = asked.q.trim() && `“${asked.q.trim()}”`;
  return [pictureOf(asked), quoted].filter(Boolean).join(" and ");
}

const unfilter = () => go({ ...address.UNFILTERED, ...FROM_THE_TOP });

function statusOf(answer) {
  const { searching, weak } = strengthOf(answer);
  if (!answer.results.length) return "";
  if (!searching) return "Newest first. Say above what you are looking for.";
  const number = answer.more ? "The best matches first" : count(answer.results.length, "result", "results");
  if (weak) return "Nothing stands out in this library. These come nearest.";
  return `${number} · ${Math.max(1, Math.round(answer.took_ms))} ms`;
}

function failed(failure) {
  grid.view = null;
  known = null;
  byId("results").classList.remove("waiting");
  // What still stands there belongs to a search before this one.
  byId("results").classList.toggle("stale", failure.kind === "gone");
  if (failure.kind !== "gone") grid.clear();
  byId("headline").textContent = "";
  byId("status").textContent = "";
  sayFailure(failure, remedyFor(failure));
  clearTimeout(retrying);
  if (["gone", "library", "broken"].includes(failure.kind)) {
    retrying = setTimeout(() => show({ restore: true }).then(lookAround), RETRY_MS);
  }
}

/** What a person may do about a failure, and the words for it. */
function remedyFor({ kind }) {
  if (kind === "refused" && address.filters(view)) return ["Clear the filters", unfilter];
  if (kind === "missing" && pictureOf(view)) return ["Search without this picture", dropPicture];
  return ["Try again", () => show()];
}

const dropPicture = () => go({ similar: null, picture: "", ...FROM_THE_TOP });

/** What the server says of itself; asked again and again for as long as someone sees the page. */
async function lookAround() {
  clearTimeout(looking);
  const health = await api.health().catch(() => null);
  clearTimeout(looking);
  if (!document.hidden) looking = setTimeout(lookAround, LOOK_MS);
  notice(health);
  if (!health) return;
  viewer.canShowFolders = health.can_show_folders;
  const shown = known;
  // While frames are being read in, results that change every few seconds would only be in the way.
  if (shown && health.pending_frames > 0 && shown.generation === health.generation) return;
  known = health;
  const changed = ["generation", "committed_at", "pending_frames"].some((name) => shown?.[name] !== health[name]);
  if (shown && changed) showAnew(searchable(health) - searchable(shown));
}

const searchable = (health) => health.frame_count - (health.pending_frames ?? 0);

/** The library has changed, by `fresh` frames: the same view once more, what one looks at and the focus as they were. */
async function showAnew(fresh) {
  if (!grid.view) return;
  keepPlace();
  const { at, below } = grid.position;
  const seen = at && address.sameResults(grid.view, view) ? grid.items[at].frame_id : null;
  const focused = grid.itemOf(document.activeElement.closest(".card"));
  grid.view = null;
  if (!(await show({ restore: true }))) return;
  // Not before: while the server opens what is new, it answers all others from what it had.
  filters.forget();
  filters.show(view);
  // What came in may stand before what one looks at.
  if (seen !== null) grid.scrollToFrame(seen, below);
  if (focused && document.activeElement === document.body) grid.focusOn(focused.frame_id);
  if (fresh > 0 && view.open === null) toast(`The library has grown by ${count(fresh, "frame", "frames")}`);
}

/** A key by itself is answered at once; keys in a burst are one search, when it ends. */
function typed() {
  const now = performance.now();
  const burst = now - lastTyped < BURST_MS;
  lastTyped = now;
  clearTimeout(typing);
  if (burst) typing = setTimeout(searchTyped, TYPING_MS);
  else searchTyped();
}

function searchTyped() {
  if (words.value !== view.q) goOn("words", { q: words.value });
}

words.addEventListener("input", typed);
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  lately.when = -Infinity;
  clearTimeout(typing);
  const same = words.value === view.q;
  const ready = same ? settled : go({ q: words.value, ...FROM_THE_TOP });
  thenFocus(ready);
});
document.querySelector(".brand").addEventListener("click", (event) => {
  event.preventDefault();
  words.value = "";
  go(address.read(""));
});
byId("show-help").addEventListener("click", showHelp);
byId("show-filters").addEventListener("click", (event) => {
  const open = document.body.classList.toggle("filtering");
  event.currentTarget.setAttribute("aria-expanded", String(open));
});
let scrolled = 0;
/** Where one stopped scrolling is kept; not before what is on its way has come, which may move it. */
function scrolledTo() {
  clearTimeout(scrolled);
  scrolled = setTimeout(() => {
    if (grid.loading) scrolledTo();
    else if (view.open === null) keepPlace();
  }, SCROLLED_MS);
}
addEventListener("scroll", scrolledTo, { passive: true });
addEventListener("popstate", () => {
  lately.when = -Infinity;
  view = address.read();
  words.value = view.q;
  show({ restore: true });
});
document.addEventListener("visibilitychange", () => !document.hidden && lookAround());
watchPictures((picture) => go({ picture, similar: null, ...FROM_THE_TOP }));
watchKeys({ grid, actions, selection, copyPath: (item) => copy(item.source_path, "Path copied") });
history.scrollRestoration = "manual";
words.value = view.q;
show({ restore: true });
lookAround();
if (!view.q && matchMedia("(hover: hover)").matches) words.focus();
