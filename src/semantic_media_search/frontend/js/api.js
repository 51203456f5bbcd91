// The server, as the page sees it. Every failure is a Failure with a kind that has words of its own.

import { filterParameters, searches, subjectParameters } from "./address.js";

export class Failure extends Error {
  /** `kind`: gone (no answer), private (token), library (503), missing (404), refused (other 4xx), broken (5xx). */
  constructor(kind, message, hint = "") {
    super(message);
    this.kind = kind;
    this.hint = hint;
  }
}

const KINDS = { 401: "private", 404: "missing", 503: "library" };

async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("gone", "The server does not answer");
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  const { message = `The server answered ${answer.status}`, hint = "" } = body.error ?? {};
  throw new Failure(KINDS[answer.status] ?? (answer.status < 500 ? "refused" : "broken"), message, hint);
}

function join(...several) {
  const all = new URLSearchParams();
  for (const given of several) for (const [name, value] of given) all.append(name, value);
  return all;
}

/** One page of what a view shows: results of a search, or the library itself where nothing is searched for. */
export function results(view, offset, k, signal) {
  const page = new URLSearchParams({ offset: String(offset), k: String(k) });
  if (!searches(view)) return ask(`/browse?${join(filterParameters(view), page)}`, { signal });
  if (!view.frames) page.set("group", "moment");
  return ask(`/search?${join(subjectParameters(view), filterParameters(view), page)}`, { signal });
}

/** How many items pass. A bound on the similarity is no matter of items: it counts for nothing here. */
export const filters = (view, signal) => ask(`/filters?${filterParameters({ ...view, min: null })}`, { signal });

export const health = () => ask("/health");

/** One frame, described as the results of a view are. */
export const frame = (frameId, view) =>
  ask(`/frame/${frameId}/info?${join(subjectParameters(view), new URLSearchParams(view.frames ? {} : { group: "moment" }))}`);

export const timeline = (videoId, view, signal) =>
  ask(`/video/${encodeURIComponent(videoId)}/timeline?${subjectParameters(view)}`, { signal });

/** What the server says against an address that the browser could not play; "" where it has no objection. */
export async function objection(address, signal) {
  try {
    const answer = await fetch(address, { signal, headers: { Range: "bytes=0-0" } });
    if (answer.ok) return "";
    const { error } = await answer.json();
    return [error.message, error.hint].filter(Boolean).join("; ");
  } catch (error) {
    return error.name === "TypeError" ? "the server does not answer" : "";
  }
}

/** What a zip of these results' originals would hold, and what cannot be read. */
export const selection = (ids) => ask("/selection", { method: "POST", body: new URLSearchParams({ frames: ids }) });

/** Send a picture to search by; answers with its id. */
export const sendPicture = (file) => ask("/search/image?k=1", { method: "POST", body: file });

/** Show an original in its folder, on the screen of the machine that serves. */
export const reveal = (frameId) => ask(`/reveal/${frameId}`, { method: "POST" });
