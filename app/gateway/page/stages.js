/**
 * Where the time between a click and its list went. Pure.
 *
 * The total is the page's own stopwatch. What happens between two stations of the server is taken from the server's
 * clocks; the rest is the way there and back. That is split in two only where the page's clock and the server's agree.
 */

export const STAGES = [
  { name: "send", label: "to Kafka", about: "your POST until Kafka had the event" },
  { name: "fold", label: "stream agents", about: "Kafka had the event until it had your new state" },
  { name: "score", label: "model server", about: "the state until the lists were made" },
  { name: "deliver", label: "gateway", about: "the lists through Kafka to the gateway" },
  { name: "show", label: "to this page", about: "the gateway until the list stood in this document" },
];

const ROUNDING_MS = 2; // stations are whole milliseconds

/**
 * @param {{totalMs: number, sentTs: number, shownTs: number, list: object}} click
 *   `sentTs` and `shownTs` are the page's wall clock, ms since 1970; `list` is the answer with its stations.
 * @returns {{ms: Record<string, number>, bothWays: boolean, note: string}}
 *   No stage is below 0 and together they are the total. `bothWays`: "show" is the way there and back.
 */
export function stagesOf({ totalMs, sentTs, shownTs, list }) {
  const stations = [list.cause.received_ts, list.requested_ts ?? list.generated_ts, list.generated_ts, list.gateway_ts];
  const raw = stations.slice(1).map((station, index) => station - stations[index]);
  const servers = raw.map((ms) => Math.max(ms, 0));
  const sum = servers.reduce((a, b) => a + b, 0);
  const fits = sum > 0 && sum > totalMs ? totalMs / sum : 1;
  const [fold, score, deliver] = servers.map((ms) => ms * fits);
  const rest = Math.max(totalMs - sum, 0);
  const there = stations[0] - sentTs;
  const back = shownTs - stations[3];
  const apart = Math.max(-there, -back);
  const bothWays = apart > ROUNDING_MS;
  const send = bothWays ? 0 : Math.min(Math.max(there, 0), rest);
  return {
    ms: { send, fold, score, deliver, show: rest - send },
    bothWays,
    note: noteOf(Math.min(...raw), sum - totalMs, bothWays ? apart : 0),
  };
}

/** Whether a list already knows of an event: it names it, or comes from a later place in its partition. */
export function reflects(list, { eventId, offset }) {
  return list.cause?.event_id === eventId || (offset !== undefined && list.state_version >= offset);
}

function noteOf(leastMs, tooMuchMs, apartMs) {
  if (leastMs < -ROUNDING_MS || tooMuchMs > 2 * ROUNDING_MS) {
    return "The servers' clocks disagree with one another: the stages are approximate, the total is not.";
  }
  if (apartMs > 0) {
    return `This device's clock is at least ${Math.round(apartMs)} ms off the server's: the way there and back is shown as one.`;
  }
  return "";
}
