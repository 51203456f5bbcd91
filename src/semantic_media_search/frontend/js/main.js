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
const PAUSE_MS = 1500;
const RETRY_MS = 2000;
const FROM_THE_TOP = { open: null, t: null, at: null };

let view = address.read();
let typing = 0;
let lately = { what: "", when: -Infinity };
let retrying = 0;
let settled = Promise.resolve();

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
  step: (item, by) => {
    const next = grid.neighbour(item, by);
    if (next) replace({ open: next.frame_id, t: secondOf(next) }, next);
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
  await go({ q: "", picture: "", similar: item.frame_id, ...changes, ...FROM_THE_TOP });
  grid.focusFirst();
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
  if (!grid.items.length) return;
  const { at, below } = grid.position;
  view.at = at || null;
  history.replaceState({ ...history.state, below }, "", address.write(view));
}

/** Bring the page in line with `view`; `restore` also brings back where one had scrolled to. */
async function show({ item, restore = false } = {}) {
  const wanted = view;
  if (document.activeElement !== words || restore) words.value = view.q;
  document.title = view.q ? `${view.q} · Semantic Media Search` : "Semantic Media Search";
  showSubject(view, () => go({ similar: null, picture: "", at: null }));
  if (!grid.view || !address.sameResults(grid.view, view)) {
    filters.show(view);
    clearTimeout(retrying);
    const { at, below } = { at: view.at ?? 0, below: history.state?.below };
    settled = grid.show(view, restore && at ? at + 60 : 0).then((done) => {
      if (done && view === wanted) restore && at ? grid.scrollTo(at, below) : scrollTo({ top: 0, behavior: "instant" });
    });
  }
  await settled;
  await showOpen(item);
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
    const shown = found ?? (await api.frame(view.open, view.q));
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
  if (!first) return;
  byId("results").classList.remove("waiting");
  clearTimeout(retrying);
  const asked = grid.view;
  const headline = byId("headline");
  const searching = address.searches(asked);
  const weak = searching && answer.results.length > 0 && !answer.good;
  headline.textContent = !searching
    ? "Your library"
    : weak
      ? `No good match for ${subjectOf(asked)}`
      : (pictureOf(asked) && "Like ") + subjectOf(asked);
  byId("results").classList.toggle("weak", weak);
  byId("status").textContent = statusOf(answer, searching, weak);
  if (answer.results.length) say("");
  else sayNothing(asked, unfilter);
}

const pictureOf = (asked) => (asked.picture ? "your picture" : asked.similar !== null ? "this picture" : "");

/** What is searched for, in words: “a dog”, or: your picture and “at night”. */
function subjectOf(asked) {
  const quoted = asked.q.trim() && `“${asked.q.trim()}”`;
  return [pictureOf(asked), quoted].filter(Boolean).join(" and ");
}

const unfilter = () => go({ ...address.UNFILTERED, ...FROM_THE_TOP });

function statusOf(answer, searching, weak) {
  if (!answer.results.length) return "";
  if (!searching) return "Newest first. Say above what you are looking for.";
  const number = answer.more ? "The best matches first" : count(answer.results.length, "result", "results");
  return weak ? "Nothing stands out in this library. These come nearest." : `${number} · ${Math.max(1, Math.round(answer.took_ms))} ms`;
}

function failed(failure) {
  grid.view = null;
  byId("results").classList.remove("waiting");
  if (failure.kind !== "gone") grid.clear();
  byId("headline").textContent = "";
  byId("status").textContent = "";
  sayFailure(failure, () => show(), failure.kind === "refused" && address.filters(view) ? unfilter : null);
  clearTimeout(retrying);
  if (["gone", "library", "broken"].includes(failure.kind)) {
    retrying = setTimeout(() => show({ restore: true }).then(lookAround), RETRY_MS);
  }
}

/** What the server says of itself; asked again for as long as frames are being read in. */
async function lookAround() {
  try {
    const health = await api.health();
    notice(health);
    viewer.canShowFolders = health.can_show_folders;
    if (health.pending_frames > 0) setTimeout(lookAround, 10_000);
  } catch {
    notice(null);
  }
}

function typed() {
  clearTimeout(typing);
  typing = setTimeout(() => {
    if (words.value !== view.q) goOn("words", { q: words.value });
  }, TYPING_MS);
}

words.addEventListener("input", typed);
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  lately.when = -Infinity;
  clearTimeout(typing);
  const same = words.value === view.q;
  const ready = same ? settled : go({ q: words.value, ...FROM_THE_TOP });
  ready.then(() => grid.focusFirst());
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
addEventListener("scroll", () => {
  clearTimeout(scrolled);
  scrolled = setTimeout(() => !grid.loading && view.open === null && keepPlace(), 200);
}, { passive: true });
addEventListener("popstate", () => {
  lately.when = -Infinity;
  view = address.read();
  show({ restore: true });
});
watchPictures((picture) => go({ picture, similar: null, ...FROM_THE_TOP }));
watchKeys({ grid, actions, selection, copyPath: (item) => copy(item.source_path, "Path copied") });
history.scrollRestoration = "manual";
show({ restore: true });
lookAround();
if (!view.q && matchMedia("(hover: hover)").matches) words.focus();
