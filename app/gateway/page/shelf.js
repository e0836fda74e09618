/** The list as cards. A newer list takes the place of the older one before one's eyes: what stays slides to its place. */

import { changesBetween } from "./changes.js";
import { coverOf } from "./cover.js";
import { element, icon, say } from "./dom.js";
import { factsOf, shortNumber, titleOf } from "./words.js";

const MOVE = { duration: 520, easing: "cubic-bezier(.2,.8,.2,1)" };
const LEAVE = { duration: 260, easing: "ease-in", fill: "forwards" };
const ACTIONS = [
  { kind: "click", icon: "open", label: "Open", wide: true },
  { kind: "like", icon: "heart", label: "Like" },
  { kind: "dislike", icon: "hide", label: "Hide" },
];
const SHORTEST = 0.15;
const SOURCES = {
  model: "model",
  covisitation: "seen together",
  neighbours: "alike",
  popularity: "popular",
  new: "new",
  catalog: "catalogue",
};
const BLENDED = new Set(["model", "covisitation", "neighbours"]); // their scores are one sum

/**
 * @param {HTMLElement} container an ordered list
 * @param {(kind: string, entry: object, place: number) => void} onAct
 */
export function makeShelf(container, onAct) {
  const cards = new Map(); // item id -> card, in the order shown
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let from = null; // where everything was drawn before what changed since the last frame

  container.addEventListener("click", (click) => {
    const button = click.target.closest("button[data-kind]");
    // The second click of a double click would hit whatever slid under the pointer meanwhile.
    if (!button || click.detail > 1 || button.getAttribute("aria-disabled") === "true") return;
    const card = cards.get(button.closest("li").dataset.item);
    onAct(button.dataset.kind, card.entry, [...cards.values()].indexOf(card));
  });

  /**
   * Show these entries (`{item_id, score?, source?, reason?, item?}`); what changed since the last time.
   *
   * The list stands in the document when this returns; the motion begins with the next frame, which would have laid the
   * cards out anyway.
   */
  function show(entries, { fresh = false } = {}) {
    const before = [...cards.keys()];
    const ids = entries.map((entry) => entry.item_id);
    const changes = changesBetween(before, ids);
    const focus = focused(before);
    const places = calm.matches ? null : placesOf(cards); // all at once, before anything changes: that costs no layout
    const origin = places && container.getBoundingClientRect();
    for (const id of changes.went) leave(id, places?.get(id), origin);
    arrange(entries, fresh ? { came: new Set(), moved: new Map() } : changes);
    restore(focus, ids);
    if (places && !from) requestAnimationFrame(slide);
    from ??= places;
    return changes;
  }

  function arrange(entries, changes) {
    const shares = sharesOf(entries);
    const ordered = entries.map((entry) => [entry.item_id, cards.get(entry.item_id) ?? makeCard(entry)]);
    cards.clear();
    ordered.forEach(([id, card], place) => {
      cards.set(id, card);
      card.update(entries[place], place, shares[place], badgeOf(id, changes));
      if (container.children[place] !== card.root) container.insertBefore(card.root, container.children[place] ?? null);
    });
  }

  function leave(id, place, origin) {
    const { root, motion } = cards.get(id);
    cards.delete(id);
    motion?.cancel();
    root.remove();
    if (!place) return;
    const ghost = root; // the card itself, out of the flow and out of reach
    ghost.classList.add("leaving");
    ghost.inert = true;
    ghost.ariaHidden = "true";
    delete ghost.dataset.item;
    ghost.style.left = `${place.left - origin.left}px`;
    ghost.style.top = `${place.top - origin.top}px`;
    ghost.style.width = `${place.width}px`;
    ghost.style.height = `${place.height}px`;
    container.append(ghost);
    const goes = ghost.animate([{ opacity: 1 }, { opacity: 0, transform: "scale(.86)" }], LEAVE);
    goes.finished.catch(() => {}).then(() => ghost.remove()); // cancelled: gone as well
  }

  function slide() {
    const places = from;
    from = null;
    let arrivals = 0;
    for (const { motion } of cards.values()) motion?.cancel();
    for (const [id, { left, top }] of placesOf(cards)) {
      const old = places.get(id);
      const card = cards.get(id);
      if (!old) {
        const delay = 30 * arrivals++;
        card.motion = card.root.animate([{ opacity: 0, transform: "translateY(14px) scale(.94)" }, {}], { ...MOVE, delay, fill: "backwards" });
      } else if (old.left !== left || old.top !== top) {
        card.motion = card.root.animate([{ transform: `translate(${old.left - left}px, ${old.top - top}px)` }, {}], MOVE);
      }
    }
  }

  /** Where each card is drawn just now, in mid-motion too. */
  function placesOf(all) {
    return new Map([...all].map(([id, { root }]) => [id, root.getBoundingClientRect()]));
  }

  /** Whoever works by keyboard stays where they were: on the card, or on what came into its place. */
  function focused(ids) {
    const active = document.activeElement;
    if (!container.contains(active)) return null;
    const id = active.closest("li").dataset.item;
    return { id, place: ids.indexOf(id), kind: active.dataset.kind };
  }

  function restore(focus, ids) {
    if (!focus || !ids.length) return;
    const id = cards.has(focus.id) ? focus.id : ids[Math.min(focus.place, ids.length - 1)];
    cards.get(id).root.querySelector(`.actions [data-kind="${focus.kind}"]`)?.focus({ preventScroll: cards.has(focus.id) });
  }

  /** Mark a card as acted upon until the next list. */
  function mark(itemId, kind) {
    const card = cards.get(itemId);
    if (card) card.root.dataset.deed = kind;
  }

  /** Take the marks away: what was done did not arrive. */
  function unmark(itemId) {
    delete cards.get(itemId)?.root.dataset.deed;
  }

  return { show, mark, unmark };
}


function makeCard(first) {
  const item = { ...first.item, item_id: first.item_id };
  const { name, year } = titleOf(item);
  const rank = element("span", { class: "rank" });
  const badge = element("span", { class: "badge", "aria-hidden": "true" });
  const source = element("span", { class: "source" });
  const bar = element("span", { class: "score-bar" });
  const score = element("span", { class: "score-number" });
  const reason = element("p", { class: "reason" });
  const meter = element("div", { class: "score" }, element("span", { class: "score-track" }, bar), score);
  const cover = element("button", { class: "cover", "data-kind": "click", tabindex: "-1", "aria-hidden": "true" });
  cover.append(coverOf(item), rank, badge, source);
  const root = element(
    "li", { class: "card", "data-item": first.item_id }, cover,
    element("div", { class: "about" },
      element("h3", { title: name }, name), element("p", { class: "facts" }, [year, factsOf(item)].filter(Boolean).join(" · ")),
      meter, reason),
    element("div", { class: "actions" }, ...ACTIONS.map((action) => actionButton(action, name))),
  );

  const card = { root, entry: first, motion: null };
  card.update = (now, place, share, { word, tone }) => {
    card.entry = now;
    delete root.dataset.deed;
    say(rank, String(place + 1));
    say(badge, word);
    badge.dataset.tone = tone;
    say(source, SOURCES[now.source] ?? now.source ?? "");
    source.dataset.source = now.source ?? "";
    source.hidden = !now.source;
    rank.hidden = now.score === undefined;
    meter.classList.toggle("unknown", now.score === undefined);
    if (now.score !== undefined) {
      bar.style.setProperty("--share", share.toFixed(3));
      say(score, shortNumber(now.score));
      meter.title = `Score ${now.score}; the bar compares it with the best and worst of its kind in this list`;
    }
    say(reason, now.reason ?? "");
    reason.title = now.reason ?? "";
  };
  return card;
}

function actionButton({ kind, icon: name, label, wide }, title) {
  const button = element("button", { type: "button", "data-kind": kind, title: label }, icon(name));
  if (wide) button.append(element("span", {}, label));
  button.setAttribute("aria-label", `${label}: ${title}`);
  return button;
}

/** Scores of different kinds are different things: a bar runs from its own kind's worst (short) to its best (1). */
function sharesOf(entries) {
  const kindOf = ({ source }) => (BLENDED.has(source) ? "blended" : source);
  const byKind = Map.groupBy(entries, kindOf);
  return entries.map((entry) => {
    const { score } = entry;
    const scores = byKind.get(kindOf(entry)).map((other) => other.score ?? 0);
    const [worst, best] = [Math.min(...scores), Math.max(...scores)];
    return best > worst ? SHORTEST + ((1 - SHORTEST) * (score - worst)) / (best - worst) : 1;
  });
}

function badgeOf(id, { came, moved }) {
  if (came.has(id)) return { word: "new", tone: "came" };
  const places = moved.get(id);
  if (!places) return { word: "", tone: "" };
  return places > 0 ? { word: `▲ ${places}`, tone: "up" } : { word: `▼ ${-places}`, tone: "down" };
}
