/** From click to list: the measured milliseconds, where they went, and the clicks before. */

import { drawing, element, part, say } from "./dom.js";
import { STAGES } from "./stages.js";
import { median, milliseconds } from "./words.js";

const KEPT = 40;

export function makeTiming() {
  const bar = part("stage-bar");
  const legend = part("stage-legend");
  const rows = STAGES.map((stage) => {
    const share = element("span", { class: `share stage-${stage.name}` });
    const label = element("span", { class: "stage-label" }, stage.label);
    const value = element("span", { class: "stage-ms" }, "–");
    bar.append(share);
    const swatch = element("span", { class: `swatch stage-${stage.name}` });
    legend.append(element("li", { title: stage.about }, swatch, label, value));
    return { stage, share, label, value };
  });
  const totals = [];

  /** Show the way of a deed that a list has answered. */
  function show({ totalMs, stages }) {
    totals.push(totalMs);
    if (totals.length > KEPT) totals.shift();
    say(part("total-ms"), milliseconds(totalMs));
    part("timing").dataset.measured = "";
    say(part("timing-note"), stages ? stages.note : "Answered together with a later click: no stages of its own.");
    for (const { stage, share, label, value } of rows) {
      const ms = stages?.ms[stage.name] ?? 0;
      const merged = stages?.bothWays && stage.name === "send";
      share.style.flexGrow = (ms / totalMs).toFixed(4);
      say(value, !stages || merged ? "–" : milliseconds(ms));
      say(label, stages?.bothWays && stage.name === "show" ? "there and back" : stage.label);
    }
    drawClicks();
  }

  function drawClicks() {
    const most = Math.max(...totals);
    const ticks = totals.map((ms, index) => {
      const height = Math.max((ms / most) * 24, 1.5);
      return drawing("rect", { x: index * 6, y: 25 - height, width: 4, height, rx: 1, class: "tick" });
    });
    part("clicks").replaceChildren(...ticks);
    say(part("clicks-words"), `${totals.length} ${totals.length === 1 ? "click" : "clicks"}, median ${milliseconds(median(totals))} ms`);
  }

  return { show };
}
