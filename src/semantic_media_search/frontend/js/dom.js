// Elements are made from text, never from markup: whatever a file is called, it stays text.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties, `data-` and `aria-` attributes, listeners (`onclick`) and children. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else if (name === "class") element.className = value;
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** One of the page's icons, for eyes only. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

const floating = [byId("toast"), byId("drop")];
let hiding = 0;

/** What floats above the page stands in the dialog that is open, if one is: all else lies beneath it, unseen. */
export function raise() {
  const host = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  for (const element of floating) if (element.parentElement !== host) host.append(element);
}

/** Words that come and go at the foot of the page. */
export function toast(text) {
  raise();
  const [place] = floating;
  place.textContent = text;
  place.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { place.hidden = true; }, 4000);
}

/** Put text on the clipboard, also where the page has no secure origin. */
export async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    window.prompt("Copy this:", text);
  }
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
