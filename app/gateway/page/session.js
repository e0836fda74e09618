/** One person on the page: what comes for them, what they do, and when a list answers what they did. */

import { userPath } from "./api.js";
import { reflects, stagesOf } from "./stages.js";
import { openStream } from "./stream.js";

const PATIENCE_MS = 5_000;

/**
 * @param {ReturnType<import("./api.js").makeApi>} api
 * @param {{userId: string, surface: string}} who
 * @param {object} on what happens: `list(list)`, `answered(deed, list)`, `deed(deed)` (its `state` changed),
 *   `forgotten()`, `connection(state)`
 */
export function openSession(api, { userId, surface }, on) {
  const waiting = new Set();
  let newest = null;

  const path = userPath(userId, `recommendations/stream?surface=${encodeURIComponent(surface)}&expand=items`);
  const close = openStream(() => api.streamAddress(path, userId), { recommendations: receive, forgotten }, on.connection);

  function receive(list) {
    if (newest && newest.known && list.state_version < newest.state_version) return;
    const again = newest?.recommendation_id === list.recommendation_id && newest?.known === list.known;
    newest = list;
    if (!again) on.list(list);
    for (const deed of waiting) answer(deed);
  }

  function forgotten() {
    newest = null;
    for (const deed of waiting) settle(deed, "done");
    on.forgotten();
  }

  function answer(deed) {
    if (!newest || !reflects(newest, deed)) return;
    const own = newest.cause.event_id === deed.eventId;
    deed.totalMs = performance.now() - deed.sentAt; // the list stands in the document
    deed.stages = own ? stagesOf({ totalMs: deed.totalMs, sentTs: deed.ts, shownTs: Date.now(), list: newest }) : null;
    settle(deed, "answered");
    on.answered(deed, newest);
  }

  function settle(deed, state) {
    waiting.delete(deed);
    deed.state = state;
    on.deed(deed);
  }

  /** Send events, the last of which is the deed that a list shall answer. Resolves once Kafka has them, or not. */
  async function act(kind, fields, before = []) {
    const ts = Date.now();
    const deed = { kind, itemId: fields.item_id, eventId: newId(), ts, sentAt: performance.now(), state: "sending" };
    const event = { event_id: deed.eventId, type: kind, user_id: userId, ts, ...fields };
    waiting.add(deed);
    on.deed(deed);
    try {
      const events = [...before.map((other) => ({ event_id: newId(), user_id: userId, ts, ...other })), event];
      const { events: acks } = await api.send(events, (error) => progress(deed, "retrying", error));
      deed.offset = acks.at(-1).offset;
      if (deed.state === "answered") return deed;
      progress(deed, "in kafka");
      answer(deed);
      setTimeout(() => waiting.has(deed) && progress(deed, "slow"), PATIENCE_MS);
    } catch (error) {
      deed.error = error;
      settle(deed, "refused");
    }
    return deed;
  }

  function progress(deed, state, error = null) {
    if (!waiting.has(deed)) return;
    deed.state = state;
    deed.error = error;
    on.deed(deed);
  }

  return { userId, act, close, newest: () => newest };
}

/** A random id, also where `crypto.randomUUID` is missing (a page that came over plain HTTP from another machine). */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
