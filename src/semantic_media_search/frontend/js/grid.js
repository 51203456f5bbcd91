// The grid of results: pages that load as one scrolls, arrow keys that walk it, and where one was.

import * as api from "./api.js";
import { byId } from "./dom.js";
import { card } from "./card.js";
import { count } from "./format.js";

const PAGE = 60;
const LARGEST_PAGE = 500;
const FURTHEST = 10_000;
const AHEAD = 2.5;
const LONG_MS = 300;
const SETTLED_MS = 250;
const BELOW_PICTURE = 60;
const FEWEST = 12;

/** How many results to ask for at once where so many are wanted. */
const pagesFor = (count) => Math.min(LARGEST_PAGE, Math.max(1, Math.ceil(count / PAGE)) * PAGE);

/** Owns `#grid`. `actions`: the cards' and `failed(error)`, `arrived(answer, first)`, `waiting()` (it takes long). */
export class Grid {
  constructor(actions, isSelected) {
    this.element = byId("grid");
    this.actions = actions;
    this.isSelected = isSelected;
    this.items = [];
    this.view = null;
    this.more = false;
    this.loading = null;
    this.further = null;
    this.settling = 0;
    this.element.addEventListener("keydown", (event) => this.walk(event));
    this.element.addEventListener("focusin", (event) => this.rove(event.target.closest(".card")));
    addEventListener("scroll", () => this.fill(), { passive: true });
    addEventListener("resize", () => this.fill());
  }

  /** Load ahead of what is in sight, so that scrolling meets no gaps. */
  fill() {
    if (byId("more").getBoundingClientRect().top < AHEAD * innerHeight) this.loadMore();
  }

  /**
   * Show a view's results from the start, at least `count` of them; resolves when they stand there.
   * Only what is in sight is asked for at first: whoever types on has it replaced before the rest could be seen.
   */
  async show(view, count = 0) {
    this.loading?.abort();
    clearTimeout(this.settling);
    this.hold();
    const asked = new AbortController();
    this.loading = asked;
    this.further = null;
    this.element.ariaBusy = "true";
    byId("more").classList.remove("loading");
    const long = setTimeout(() => this.loading === asked && this.actions.waiting(), LONG_MS);
    try {
      const answer = await api.results(view, 0, count ? pagesFor(count) : this.inSight, asked.signal);
      if (this.loading !== asked) return false;
      const loaded = this.loadedPictures();
      this.view = view;
      this.items = [];
      this.element.replaceChildren();
      this.add(answer, loaded);
      this.actions.arrived(answer, true);
      while (this.reached < count && this.more) {
        if (!(await this.page(asked, pagesFor(count - this.reached)))) return false;
      }
      return true;
    } catch (error) {
      if (error.name !== "AbortError" && this.loading === asked) {
        this.letGo();
        this.actions.failed(error);
      }
      return false;
    } finally {
      clearTimeout(long);
      if (this.loading === asked) {
        this.loading = null;
        this.element.ariaBusy = "false";
        this.settling = setTimeout(() => this.fill(), SETTLED_MS);
      }
    }
  }

  /** The pictures that stand here, by frame: one that is found again need not be loaded and drawn anew. */
  loadedPictures() {
    // Without a view it may be another library that answers, whose frames have the same numbers.
    const pictures = this.view ? this.element.querySelectorAll("img.here") : [];
    return new Map(Array.from(pictures, (picture) => [Number(picture.closest(".card").dataset.frame), picture]));
  }

  /** Thumbnails that are still on their way stand behind the search that replaces them. */
  hold() {
    for (const picture of this.element.querySelectorAll("img[src]:not(.here)")) {
      picture.dataset.held = picture.getAttribute("src");
      picture.removeAttribute("src");
    }
  }

  letGo() {
    for (const picture of this.element.querySelectorAll("img[data-held]")) {
      picture.src = picture.dataset.held;
      delete picture.dataset.held;
    }
  }

  /** Load the next page, once however often it is asked for. */
  loadMore() {
    if (!this.more || !this.view) return Promise.resolve();
    if (!this.loading) this.further = this.loadFurther();
    return this.further ?? Promise.resolve();
  }

  async loadFurther() {
    const asked = new AbortController();
    this.loading = asked;
    byId("more").classList.add("loading");
    try {
      await this.page(asked);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.more = false;
      this.actions.failed(error);
    } finally {
      if (this.loading === asked) {
        this.loading = null;
        this.further = null;
        byId("more").classList.remove("loading");
        this.fill();
      }
    }
  }

  async page(asked, k = PAGE) {
    const answer = await api.results(this.view, this.reached, k, asked.signal);
    if (this.loading !== asked) return false;
    this.add(answer);
    this.actions.arrived(answer, false);
    return true;
  }

  add(answer, loaded = new Map()) {
    this.reached = answer.offset + answer.results.length;
    this.more = answer.more && answer.results.length > 0 && this.reached < FURTHEST;
    const cut = answer.cut || (answer.more && !this.more);
    byId("more").textContent = cut ? `These are the best ${count(this.reached, "result", "results")}. Filters lead to others.` : "";
    // The library may have grown between two pages: what is already there is not shown twice.
    const known = new Set(this.items.map((item) => item.frame_id));
    const fresh = answer.results.filter((item) => !known.has(item.frame_id));
    this.items.push(...fresh);
    this.element.append(
      ...fresh.map((item) => card(item, this.actions, this.isSelected(item), loaded.get(item.frame_id))),
    );
    if (!this.element.querySelector('[tabindex="0"]')) this.rove(this.element.firstElementChild);
  }

  clear() {
    this.loading?.abort();
    this.items = [];
    this.more = false;
    this.element.replaceChildren();
    byId("more").textContent = "";
  }

  cardOf(frameId) {
    return this.element.querySelector(`[data-frame="${Number(frameId)}"]`);
  }

  itemOf(element) {
    const frameId = Number(element?.dataset.frame);
    return this.items.find((item) => item.frame_id === frameId);
  }

  /** The item before (-1) or after (+1) another, loaded where need be; undefined at either end. */
  async neighbour(item, step) {
    const place = this.items.findIndex((other) => other.frame_id === item.frame_id);
    if (place < 0) return undefined;
    if (place + step >= this.items.length) await this.loadMore();
    return this.items[place + step];
  }

  /** How many results a screen holds. */
  get inSight() {
    const widths = getComputedStyle(this.element).gridTemplateColumns.split(" ");
    const room = innerHeight - Math.max(0, this.element.getBoundingClientRect().top);
    const rows = Math.ceil(room / (parseFloat(widths[0]) * 0.75 + BELOW_PICTURE));
    return Math.max(FEWEST, Math.min(PAGE, widths.length * rows)) || PAGE;
  }

  get columns() {
    return getComputedStyle(this.element).gridTemplateColumns.split(" ").length;
  }

  /** The place in the list of the first card in sight, and by how many pixels it lies below the header. */
  get position() {
    const header = byId("results").getBoundingClientRect().top < 0 ? document.querySelector(".top").offsetHeight : 0;
    const cards = this.element.children;
    const step = this.columns;
    for (let place = 0; place < cards.length; place += step) {
      const box = cards[place].getBoundingClientRect();
      if (box.bottom > header) return { at: scrollY < 8 ? 0 : place, below: Math.round(box.top) };
    }
    return { at: 0, below: 0 };
  }

  scrollTo(place, below) {
    const target = this.element.children[place];
    if (!target) return;
    const header = document.querySelector(".top").offsetHeight;
    scrollTo({ top: scrollY + target.getBoundingClientRect().top - (below ?? header + 12), behavior: "instant" });
  }

  /** Bring a frame to where it was seen, wherever in the list it stands now; nothing where it is not there. */
  scrollToFrame(frameId, below) {
    const place = this.items.findIndex((item) => item.frame_id === frameId);
    if (place >= 0) this.scrollTo(place, below);
  }

  focusFirst() {
    this.element.querySelector('[tabindex="0"]')?.focus();
  }

  /** The first result that one sees, for arrow keys that begin from nowhere. */
  focusInSight() {
    this.element.children[this.position.at]?.querySelector(".tile").focus({ preventScroll: true });
  }

  focusOn(frameId) {
    this.cardOf(frameId)?.querySelector(".tile").focus();
  }

  /** One card is in the order of the Tab key; the arrows reach the others. */
  rove(element) {
    if (!element) return;
    for (const other of this.element.querySelectorAll('[tabindex="0"]')) {
      if (other.closest(".card") !== element) other.tabIndex = -1;
    }
    for (const part of element.querySelectorAll(".tile, .pick, .over, .copies")) part.tabIndex = 0;
  }

  walk(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = event.target.closest(".card");
    const cards = [...this.element.children];
    const place = cards.indexOf(here);
    if (place < 0) return;
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    let next;
    if (event.key in steps) next = place + steps[event.key];
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = cards.length - 1;
    else return;
    if (event.key === "ArrowUp" && next < 0) {
      event.preventDefault();
      byId("q").focus();
      return;
    }
    const target = cards[Math.min(next, cards.length - 1)];
    if (!target || next < 0) return;
    event.preventDefault();
    target.querySelector(".tile").focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
    if (cards.length - next < this.columns * 3) this.loadMore();
  }
}
