/** A cover for an item that has no picture: a river in the colours of its genres. The same item, the same cover. */

import { drawing } from "./dom.js";

const HUES = {
  action: 22, adventure: 48, animation: 320, "children's": 95, comedy: 72, crime: 260, documentary: 165,
  drama: 285, fantasy: 305, "film-noir": 250, horror: 5, musical: 340, mystery: 230, romance: 355,
  "sci-fi": 205, thriller: 240, war: 130, western: 58,
};
const WIDTH = 100;
const HEIGHT = 86;
const MOODS = ["dawn", "dawn", "dusk", "night"];
const SMALL_WORDS = new Set(["a", "an", "and", "at", "de", "in", "la", "le", "les", "of", "on", "or", "the", "to"]);

/** @param {{item_id: string, title?: string, category?: string[]}} item */
export function coverOf(item) {
  const random = randomOf(hashOf(item.item_id));
  const [first, second] = huesOf(item, random);
  const mood = MOODS[Math.floor(random() * MOODS.length)];
  const cover = drawing("svg", {
    class: `art ${mood}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true",
  });
  cover.style.setProperty("--first", first);
  cover.style.setProperty("--second", second);
  cover.append(drawing("rect", { class: "sky", width: WIDTH, height: HEIGHT }));
  cover.append(drawing("circle", { class: "sun", cx: 18 + random() * 64, cy: 14 + random() * 22, r: 8 + random() * 11 }));
  for (let layer = 0; layer < 4; layer += 1) {
    cover.append(drawing("path", { class: `wave wave-${layer}`, d: waveOf(36 + layer * 13 + random() * 5, random) }));
  }
  cover.append(drawing("text", { class: "initials", x: 8, y: HEIGHT - 8 }, initialsOf(item.title ?? item.item_id)));
  return cover;
}

/** Two characters at most: "The Usual Suspects (1995)" -> "US", "12 Angry Men" -> "12". */
export function initialsOf(title) {
  const words = title.replace(/\(.*?\)/g, "").split(/[^\p{L}\p{N}']+/u).filter(Boolean);
  const telling = words.filter((word) => !SMALL_WORDS.has(word.toLowerCase()));
  const [first = "?", second] = telling.length ? telling : words;
  if (/^\d+$/.test(first)) return first.slice(0, 4);
  return second ? [...first][0].toUpperCase() + [...second][0].toUpperCase() : [...first].slice(0, 2).join("");
}

/** A hue of its own for a name, 0 to 359. */
export function hueOf(name) {
  return hashOf(name) % 360;
}

function huesOf(item, random) {
  const known = (item.category ?? []).map((name) => HUES[name.toLowerCase()]).filter((hue) => hue !== undefined);
  const first = (known[0] ?? hueOf(item.category?.[0] ?? item.item_id)) - 9 + random() * 18;
  const second = known[1] ?? first + 24 + random() * 28;
  return [first, second];
}

function waveOf(height, random) {
  const swing = 4 + random() * 8;
  const phase = random() * Math.PI * 2;
  const points = [];
  for (let step = 0; step <= 4; step += 1) {
    points.push([(step * WIDTH) / 4, height + Math.sin(phase + step * (0.9 + random() * 0.5)) * swing]);
  }
  let path = `M0 ${HEIGHT}L0 ${points[0][1].toFixed(1)}`;
  for (let step = 1; step <= 4; step += 1) {
    const middle = (points[step - 1][0] + points[step][0]) / 2;
    path += `C${middle} ${points[step - 1][1].toFixed(1)} ${middle} ${points[step][1].toFixed(1)} ${points[step][0]} ${points[step][1].toFixed(1)}`;
  }
  return `${path}L${WIDTH} ${HEIGHT}Z`;
}

/** FNV-1a, 32 bits. */
function hashOf(text) {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  return hash >>> 0;
}

/** mulberry32: numbers from 0 to 1 that a seed decides. */
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
