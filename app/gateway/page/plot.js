/** Small live plots, hand-made: a line or two over the newest moments. */

import { drawing, say } from "./dom.js";
import { shortNumber } from "./words.js";

const WIDTH = 240;
const HEIGHT = 44;
const PAD = 2;
const MOMENTS = 90;

/** One plot; `lines` (1 or 2) values come at each moment, null where nothing is known. */
export function makePlot(root, lines) {
  const area = drawing("path", { class: "area" });
  const strokes = Array.from({ length: lines }, (_, index) => drawing("path", { class: `line line-${index}` }));
  const picture = drawing("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "plot", "aria-hidden": "true",
  }, area, ...strokes);
  const top = root.querySelector(".top");
  root.querySelector(".picture").prepend(picture);
  const moments = [];

  return (...values) => {
    moments.push(values);
    if (moments.length > MOMENTS) moments.shift();
    const most = niceTop(Math.max(...moments.flat().filter((value) => value !== null), 0));
    say(top, shortNumber(most));
    strokes.forEach((stroke, index) => stroke.setAttribute("d", pathOf(moments, index, most)));
    area.setAttribute("d", closed(pathOf(moments, 0, most), moments));
  };
}

function pathOf(moments, index, most) {
  let path = "";
  let pen = "M";
  moments.forEach((values, moment) => {
    const value = values[index];
    if (value === null || value === undefined) {
      pen = "M"; // a gap is a gap
      return;
    }
    path += `${pen}${xOf(moment, moments).toFixed(1)} ${yOf(value, most).toFixed(1)}`;
    pen = "L";
  });
  return path;
}

/** The line down to the ground and back, where it has no gap. */
function closed(path, moments) {
  if (!path || path.lastIndexOf("M") > 0) return "";
  return `${path}L${WIDTH} ${HEIGHT}L${path.slice(1).split(" ")[0]} ${HEIGHT}Z`;
}

function xOf(moment, moments) {
  return WIDTH - ((moments.length - 1 - moment) * WIDTH) / (MOMENTS - 1);
}

function yOf(value, most) {
  return HEIGHT - PAD - (Math.min(value / most, 1) * (HEIGHT - 2 * PAD));
}

/** The next of 1, 2, 5, 10, 20, ... so that the scale holds still. */
function niceTop(most) {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most);
}
