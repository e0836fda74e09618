/** The search box over the catalogue: a combobox after the ARIA pattern. */

import { coverOf } from "./cover.js";
import { element, part, say } from "./dom.js";
import { factsOf, titleOf } from "./words.js";

const PAUSE_MS = 120;
const MOST = 8;

/** @param {(item: object, query: string) => void} onChoose */
export function makeSearch(api, onChoose) {
  const [box, options, note] = [part("search"), part("search-options"), part("search-note")];
  let found = [];
  let active = -1;
  let timer = 0;
  let closing = 0;

  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  box.addEventListener("keydown", (press) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[press.key];
    if (step && found.length) {
      press.preventDefault();
      point((active + step + found.length) % found.length);
    } else if (press.key === "Enter" && active >= 0) {
      press.preventDefault();
      choose(found[active]);
    } else if (press.key === "Escape") {
      close();
    }
  });
  box.addEventListener("blur", () => (closing = setTimeout(close, 150))); // after a click on an option
  box.addEventListener("focus", () => clearTimeout(closing)); // whoever is back at once goes on
  options.addEventListener("pointerdown", (press) => press.preventDefault()); // keeps the focus in the box
  options.addEventListener("click", (click) => {
    const option = click.target.closest("[role=option]");
    if (option) choose(found[Number(option.dataset.place)]);
  });

  async function look() {
    const query = box.value.trim();
    if (!query) return close();
    try {
      const { items } = await api.get(`/v1/items?query=${encodeURIComponent(query)}&limit=${MOST}`);
      if (box.value.trim() === query) offer(items);
    } catch (error) {
      offer([]);
      say(note, error.message);
    }
  }

  function offer(items) {
    found = items;
    options.replaceChildren(...items.map(optionOf));
    options.hidden = !items.length;
    box.setAttribute("aria-expanded", String(items.length > 0));
    say(note, items.length ? "" : "Nothing in the catalogue has this in its title.");
    point(items.length ? 0 : -1);
  }

  function point(place) {
    active = place;
    [...options.children].forEach((option, index) => option.setAttribute("aria-selected", String(index === place)));
    const chosen = options.children[place];
    chosen?.scrollIntoView({ block: "nearest" });
    box.setAttribute("aria-activedescendant", chosen?.id ?? "");
  }

  function choose(item) {
    const query = box.value.trim();
    box.value = "";
    close();
    onChoose(item, query);
  }

  function close() {
    clearTimeout(timer);
    [found, active] = [[], -1];
    options.replaceChildren();
    options.hidden = true;
    say(note, "");
    box.setAttribute("aria-expanded", "false");
    box.setAttribute("aria-activedescendant", "");
  }
}

function optionOf(item, place) {
  const { name, year } = titleOf(item);
  return element("li", { role: "option", id: `option-${place}`, "data-place": String(place), "aria-selected": "false" },
    element("span", { class: "thumb" }, coverOf(item)),
    element("span", { class: "history-text" },
      element("span", { class: "history-title" }, name),
      element("span", { class: "history-facts" }, [year, factsOf(item)].filter(Boolean).join(" · "))));
}
