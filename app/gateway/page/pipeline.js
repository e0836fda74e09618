/** The side view of the pipeline: what the operators' metrics say, once a second. */

import { element, part, say } from "./dom.js";
import { makePlot } from "./plot.js";
import { milliseconds, shortNumber } from "./words.js";

const EVERY_MS = 1_000;
const PLOTS = [
  {
    name: "Events", unit: "a second", keys: ["events_per_s"],
    of: (now) => [now.events_per_s], words: ([rate]) => shortNumber(rate),
  },
  {
    name: "Freshness", unit: "ms, p50 / p95 of 10 s", keys: ["p50", "p95"],
    of: (now) => [now.freshness_ms?.p50 ?? null, now.freshness_ms?.p95 ?? null],
    words: ([p50, p95]) => (p50 === null ? "–" : `${milliseconds(p50)} / ${milliseconds(p95)}`),
  },
  {
    name: "Lag", unit: "messages waiting", keys: ["lag"],
    of: (now) => [now.lag_events + now.lag_requests], words: ([lag]) => shortNumber(lag),
  },
  {
    name: "Batch", unit: "events / users", keys: ["events", "users"],
    of: (now) => [now.batch_events_mean, now.batch_users_mean],
    words: ([events, users]) => `${numberOr(events)} / ${numberOr(users)}`,
  },
];
const FACTS = [
  ["Lists/s", (now) => numberOr(now.lists_per_s)],
  ["Streams", (now) => numberOr(now.streams_open)],
  ["Dead letters", (now) => numberOr(now.dead_letters_total)],
  ["Fallback", (now) => (now.fallback_share === null ? "–" : `${(now.fallback_share * 100).toFixed(1)} %`)],
  ["Model", (now) => now.model_version ?? "–"],
];
const NAMES = { agents: "stream agents", model_server: "model server", gateway: "gateway" };

/**
 * Show it for as long as the page is open; where the gateway watches nothing, the panel says so and stays small.
 *
 * Asked once a second instead of streamed: a browser keeps six connections to an origin, and one stream a tab is enough.
 */
export async function watchPipeline(api) {
  const [status, plots, figures] = [part("pipeline-status"), part("plots"), part("figures")];
  const rows = PLOTS.map((plot) => plotRow(plots, plot));
  const cells = FACTS.map(([name, of]) => factRow(figures, name, of));
  for (;;) {
    await seen();
    try {
      const now = await api.get("/v1/pipeline");
      rows.forEach((row) => row(now));
      cells.forEach((cell) => cell(now));
      say(status, sourcesInWords(now.sources ?? {}));
    } catch (error) {
      if (error.status === 404) break;
      say(status, "The gateway is away; the figures stand still.");
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  part("pipeline").classList.add("unwatched");
  say(status, "Not watched: name the /metrics addresses in RIVERRUN_GATEWAY__SCRAPE to see the pipeline here.");
}

/** Resolves while somebody looks at the page. */
function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", () => resolve(seen()), { once: true }));
}

function plotRow(plots, { name, unit, of, words, keys }) {
  const value = element("span", { class: "value" }, "–");
  const root = element("div", { class: "metric" },
    element("div", { class: "metric-head" }, element("span", { class: "metric-name" }, name), value),
    element("div", { class: "picture" }, element("span", { class: "top" })),
    element("p", { class: "unit" }, unit));
  plots.append(root);
  const draw = makePlot(root, keys.length);
  return (now) => {
    const values = of(now);
    draw(...values);
    say(value, words(values));
  };
}

function factRow(facts, name, of) {
  const value = element("dd", {}, "–");
  facts.append(element("div", {}, element("dt", {}, name), value));
  return (now) => say(value, of(now));
}

function sourcesInWords(sources) {
  const away = Object.keys(sources).filter((name) => sources[name] !== "ok");
  if (!away.length) return "Every process answers.";
  return `Away: ${away.map((name) => NAMES[name] ?? name).join(", ")}.`;
}

function numberOr(number) {
  return number === null || number === undefined ? "–" : shortNumber(number);
}
