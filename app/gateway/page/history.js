/** What a person did: what riverrun remembers of them, and on top what was done on this page and is on its way. */

import { userPath } from "./api.js";
import { coverOf } from "./cover.js";
import { element, part, say } from "./dom.js";
import { ago, didWhat, milliseconds, titleOf } from "./words.js";

const SHOWN = 40;
const REFRESH_MS = 1_000;
const STATES = { sending: "sending…", retrying: "trying again…", "in kafka": "Kafka has it", slow: "no list yet", refused: "refused" };

export function makeHistory(api) {
  const items = new Map(); // item id -> catalogue item
  let userId = "";
  let deeds = [];
  let remembered = [];
  let kept = true;
  let forgotten = false; // and the gateway has not said yet that nothing is left
  let beginning = 0; // an answer to a question from before it is of no use
  let timer = 0;
  let frame = 0;

  /** Begin with another person. */
  function open(id) {
    [userId, deeds, remembered, kept, forgotten] = [id, [], [], true, false];
    beginning += 1;
    draw();
    refresh();
  }

  /** Nothing is left of the person: neither what is shown, nor what a gateway that is behind still remembers. */
  function forget() {
    open(userId);
    forgotten = true;
  }

  /** Learn titles from a list that came anyway. */
  function learn(entries) {
    for (const { item_id: id, item } of entries) if (item) items.set(id, { ...item, item_id: id });
  }

  function add(deed) {
    if (deed.itemId && !deeds.includes(deed)) deeds.unshift(deed);
    draw();
  }

  /** Ask again what is remembered, soon, and not for every list of a busy moment. */
  function refreshSoon() {
    if (kept && !timer) timer = setTimeout(refresh, REFRESH_MS);
  }

  async function refresh() {
    clearTimeout(timer);
    timer = 0;
    const asked = beginning;
    try {
      const answer = await api.get(userPath(userId, "interests"));
      if (asked !== beginning) return;
      if (forgotten && !deeds.length && answer.interactions.length + answer.queries.length) {
        refreshSoon();
        return;
      }
      forgotten = false;
      remembered = [
        ...answer.interactions.map(({ item_id: itemId, kind, ts, strength }) => ({ itemId, kind, ts, strength })),
        ...answer.queries.map(({ text, ts }) => ({ kind: "search", query: text, ts })),
      ].sort((a, b) => b.ts - a.ts);
    } catch (error) {
      if (error.status === 404) kept = false; // the gateway keeps no interests
      if (asked !== beginning) return;
    }
    await fetchTitles();
    if (asked === beginning) draw();
  }

  async function fetchTitles() {
    const unknown = shown().map(({ itemId }) => itemId).filter((id) => id && !items.has(id));
    if (!unknown.length) return;
    try {
      const asked = new URLSearchParams([...new Set(unknown)].map((id) => ["id", id]));
      for (const item of (await api.get(`/v1/items?${asked}`)).items) items.set(item.item_id, item);
    } catch {
      // Their ids stand there instead, until the next refresh.
    }
  }

  function shown() {
    const known = new Set(remembered.map(keyOf));
    const own = deeds.filter((deed) => !known.has(keyOf(deed)) || deed.state !== "answered");
    const open = new Set(own.map(keyOf));
    return [...own, ...remembered.filter((row) => !open.has(keyOf(row)))].slice(0, SHOWN);
  }

  /** With the next frame: a click must not wait for its own line in the history. */
  function draw() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      drawNow();
    });
  }

  function drawNow() {
    const rows = shown();
    part("history-list").replaceChildren(...rows.map((row) => rowOf(row, measured(row))));
    say(part("history-empty"), rows.length ? "" : "Nothing yet. Everything that is opened, liked or hidden appears here.");
  }

  function measured(row) {
    const deed = deeds.find((one) => keyOf(one) === keyOf(row));
    if (deed?.state === "answered") return `${milliseconds(deed.totalMs)} ms`;
    return deed ? (STATES[deed.state] ?? "") : ago(row.ts, Date.now());
  }

  function rowOf(row, when) {
    const item = items.get(row.itemId) ?? { item_id: row.itemId ?? "", title: row.itemId ?? "" };
    const search = row.kind === "search";
    const { name, year } = search ? { name: `“${row.query}”`, year: "" } : titleOf(item);
    const what = element("span", { class: "did" }, didWhat(row.kind, row.strength));
    what.dataset.kind = row.kind;
    const picture = search ? element("span", { class: "thumb thumb-search" }) : element("span", { class: "thumb" }, coverOf(item));
    const title = element("span", { class: "history-title", title: name }, name);
    if (year) title.append(element("span", { class: "year" }, ` ${year}`));
    return element("li", {}, picture, element("span", { class: "history-text" }, title,
      element("span", { class: "history-facts" }, what, element("span", { class: "when" }, when))));
  }

  return { open, forget, add, learn, refreshSoon };
}

/** An event of this page and its trace among the interests are one thing. */
function keyOf({ itemId, kind, ts }) {
  return `${kind} ${ts} ${itemId}`;
}
