/** Elements without markup: what comes from outside only ever becomes text. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; a child that is a string becomes text, null is left out. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** One element of the page that must be there. */
export function part(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}

/** An icon of icons.svg, drawn in the colour of the text. */
export function icon(name) {
  return drawing("svg", { class: "icon", "aria-hidden": "true" }, drawing("use", { href: `icons.svg#${name}` }));
}

/** Say `text` in an element, touching the document only where it changes. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function filled(target, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) target.setAttribute(name, value === true ? "" : value);
  }
  target.append(...children.filter((child) => child !== null));
  return target;
}
