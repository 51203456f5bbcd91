// The address holds the whole view: words, filters, what is open, its second, and how far one has scrolled.

const TEXT = ["q", "kind", "folder", "after", "before", "picture"];
const NUMBERS = ["min", "similar", "open", "t", "at"];
const MEANT = {
  kind: /^(image|video)$/,
  after: /^\d{4}(-\d\d){0,2}$/,
  before: /^\d{4}(-\d\d){0,2}$/,
};

/** The day that a year or month begins or ends with; a whole date stays as it is. */
function wholeDate(value, end) {
  const [year, month] = value.split("-").map(Number);
  if (!value || value.length === 10 || month > 12) return value;
  const two = (number) => String(number).padStart(2, "0");
  const last = month ?? (end ? 12 : 1);
  return `${value.slice(0, 4)}-${two(last)}-${two(end ? new Date(Date.UTC(year, last, 0)).getUTCDate() : 1)}`;
}

/** The view that an address describes; what cannot be meant is left out. `frames`: every frame by itself. */
export function read(search = location.search) {
  const given = new URLSearchParams(search);
  const view = { frames: given.has("frames") };
  for (const name of TEXT) {
    const value = given.get(name) ?? "";
    view[name] = MEANT[name]?.test(value) === false ? "" : value;
  }
  view.after = wholeDate(view.after, false);
  view.before = wholeDate(view.before, true);
  for (const name of NUMBERS) {
    const value = given.get(name);
    const number = Number(value);
    view[name] = value !== null && value !== "" && Number.isFinite(number) && number >= 0 ? number : null;
  }
  return view;
}

/** The address of a view. */
export function write(view) {
  const given = new URLSearchParams();
  for (const name of TEXT) if (view[name]) given.set(name, view[name]);
  for (const name of NUMBERS) {
    if (view[name] !== null && view[name] !== undefined && !(name === "at" && view.at === 0)) {
      given.set(name, String(view[name]));
    }
  }
  if (view.frames) given.set("frames", "1");
  const text = given.toString();
  return text ? `/?${text}` : "/";
}

/** Whether two views list the same results. */
export function sameResults(one, other) {
  return [...TEXT, "min", "similar", "frames"].every((name) => one[name] === other[name]);
}

/** What a view asks of the server's search, filters and time line. */
export function filterParameters(view) {
  const given = new URLSearchParams();
  for (const name of ["kind", "folder", "after", "before"]) if (view[name]) given.set(name, view[name]);
  if (view.min) given.set("min_similarity", String(view.min));
  return given;
}

export function subjectParameters(view) {
  const given = new URLSearchParams();
  if (view.q.trim()) given.set("q", view.q.trim());
  if (view.similar !== null) given.set("similar", String(view.similar));
  if (view.picture) given.set("picture", view.picture);
  return given;
}

/** A view without its filters. */
export const UNFILTERED = { kind: "", folder: "", after: "", before: "", min: null };

export const filters = (view) => Object.keys(UNFILTERED).some((name) => view[name]);

export const searches = (view) => Boolean(view.q.trim() || view.picture || view.similar !== null);
