/** Numbers and facts as a person reads them. Pure. */

const DONE = {
  view: "Viewed",
  click: "Opened",
  add_to_cart: "In the cart",
  remove_from_cart: "Out of the cart",
  purchase: "Bought",
  like: "Liked",
  dislike: "Hid",
  search: "Searched",
};

/** For example "Liked", "Rated 4 of 5" (`strength` is the stars given). */
export function didWhat(kind, strength) {
  if (kind === "rate") return `Rated ${shortNumber(strength)}`;
  return DONE[kind] ?? kind.replaceAll("_", " ");
}

/** The year is in a film's title already: what else there is to say, for example "Drama · Thriller". */
export function factsOf(item) {
  const price = item.price === undefined || item.price === null ? [] : [`${item.price} ${item.currency ?? ""}`.trim()];
  return [...(item.category ?? []).slice(0, 2), item.brand ?? "", ...price].filter(Boolean).join(" · ");
}

/** "Fargo (1996)" -> {name: "Fargo", year: "1996"}; the year is empty where a title has none. */
export function titleOf(item) {
  const title = item.title || item.item_id;
  const match = /^(?<name>.+?) \((?<year>\d{4})\)$/.exec(title);
  return match ? match.groups : { name: title, year: String(item.attributes?.year ?? "") };
}

/** 8.4, 14, 1,204: milliseconds without false precision. */
export function milliseconds(ms) {
  return ms < 9.95 ? ms.toFixed(1) : Math.round(ms).toLocaleString("en");
}

/** 0.42, 7.3, 118, 12.4k */
export function shortNumber(number) {
  if (number >= 10_000) return `${(number / 1000).toFixed(1)}k`;
  if (number >= 100 || Number.isInteger(number)) return Math.round(number).toLocaleString("en");
  return number.toFixed(number < 1 ? 2 : 1);
}

/** How long ago a moment was: "now", "12 s ago", "3 min ago", or its date. */
export function ago(ts, now) {
  const seconds = Math.round((now - ts) / 1000);
  if (seconds < 3) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return new Date(ts).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
}

/** The middle one; null of nothing. */
export function median(numbers) {
  if (!numbers.length) return null;
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
