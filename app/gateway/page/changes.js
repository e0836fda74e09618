/** What happened between two lists of item ids, as a person would say it. Pure. */

/**
 * @param {string[]} before
 * @param {string[]} after
 * @returns {{came: Set<string>, went: Set<string>, moved: Map<string, number>}}
 *   `moved` holds how many places an item went up (positive) or down (negative).
 */
export function changesBetween(before, after) {
  const places = new Map(before.map((id, place) => [id, place]));
  const came = new Set();
  const moved = new Map();
  after.forEach((id, place) => {
    const old = places.get(id);
    if (old === undefined) came.add(id);
    else if (old !== place) moved.set(id, old - place);
    places.delete(id);
  });
  return { came, went: new Set(places.keys()), moved };
}

/** For example "3 new, 2 gone, 9 moved"; "nothing moved" where all is as it was. */
export function inWords({ came, went, moved }) {
  const parts = [
    [came.size, "new"],
    [went.size, "gone"],
    [moved.size, "moved"],
  ].filter(([count]) => count > 0);
  return parts.length ? parts.map(([count, word]) => `${count} ${word}`).join(", ") : "nothing moved";
}
