/** Puts the page together: who one is, what comes for them, what they do. */

import { inWords } from "./changes.js";
import { makeApi } from "./api.js";
import { element, part, say } from "./dom.js";
import { makeHistory } from "./history.js";
import { askForKey } from "./key.js";
import { isVisitor, makePeopleDialog, newVisitor, showPerson, visitorId } from "./people.js";
import { watchPipeline } from "./pipeline.js";
import { makeSearch } from "./search.js";
import { openSession } from "./session.js";
import { makeShelf } from "./shelf.js";
import { startTheme } from "./theme.js";
import { makeTiming } from "./timing.js";
import { ago, milliseconds } from "./words.js";

const HOME = "home";
const SAMPLE = 20;
const TOAST_MS = 6_000;
const OLD_MS = 10_000;
const SURE_MS = 4_000;
const CONNECTION = { connecting: "Connecting…", live: "Live", broken: "Connection lost, reconnecting…" };
const SURFACES = { home: "For you", popular: "Popular", new: "New" };

startTheme();
const api = makeApi(askForKey);
const history = makeHistory(api);
const timing = makeTiming();
const shelf = makeShelf(part("cards"), (kind, entry, place) => act(kind, entry, place));
const choosePeople = makePeopleDialog(api, (userId) => become(userId));
makeSearch(api, (item, query) => {
  if (query) session.act("view", { item_id: item.item_id }, [{ type: "search", query }]);
  else session.act("view", { item_id: item.item_id });
});

let session = null;
let surface = HOME;

part("switch").addEventListener("click", choosePeople);
part("become-visitor").addEventListener("click", () => {
  part("people").close();
  become(newVisitor());
});
makeSure(part("forget"), "Really forget?", () => {
  if (session.newest()?.known) session.act("forget", {});
  else toast("There is nothing to forget.");
});
part("tabs").addEventListener("click", (click) => {
  const name = click.target.closest("[data-surface]")?.dataset.surface;
  if (name && name !== surface) become(session.userId, name);
});

become(new URL(location.href).searchParams.get("user") ?? visitorId());
watchPipeline(api);

/** Show another person, or another list of the same one. */
function become(userId, name = HOME) {
  const another = session?.userId !== userId;
  session?.close();
  surface = name;
  const address = new URL(location.href);
  if (isVisitor(userId)) address.searchParams.delete("user");
  else address.searchParams.set("user", userId);
  window.history.replaceState(null, "", address);
  showPerson(userId);
  if (another) history.open(userId);
  shelf.show([]);
  say(part("shelf-title"), SURFACES[surface] ?? surface);
  say(part("shelf-line"), "Opening the stream…");
  let known = false; // whether the list before this one was theirs
  session = openSession(api, { userId, surface }, {
    list(list) {
      showList(list, known);
      known = list.known;
    },
    answered: showAnswer,
    deed: showDeed,
    forgotten() {
      showSample("You are forgotten: nothing about you is left. Begin again with any of these.");
      history.forget();
    },
    connection: showConnection,
  });
}

function act(kind, entry, place) {
  const list = session.newest();
  shelf.mark(entry.item_id, kind);
  const fromList = list?.items.some((item) => item.item_id === entry.item_id);
  const context = fromList && list.known ? { recommendation_id: list.recommendation_id, position: place, surface } : {};
  return session.act(kind, { item_id: entry.item_id, ...context });
}

function showList(list, knownBefore) {
  showTabs(list.surfaces);
  if (!list.known && !list.items.length) {
    showSample("Nothing is known of you yet. Open or like any of these: one click makes the list yours.");
    return;
  }
  history.learn(list.items);
  const changes = shelf.show(list.items, { fresh: !knownBefore });
  if (!list.known) {
    say(part("shelf-line"), "What others like just now. One click makes the list yours.");
    return;
  }
  const words = knownBefore ? inWords(changes) : `${list.items.length} items for you`;
  say(part("shelf-line"), `${capital(words)} · made ${whenMade(list)}`);
  say(part("announcement"), `The list changed: ${words}.`);
  history.refreshSoon();
}

/** Whoever has no list gets a handful of the catalogue to begin with. */
async function showSample(words) {
  const asked = session;
  say(part("shelf-line"), words);
  try {
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;
    const { items } = await api.get(`/v1/items?sample=${SAMPLE}&seed=${seed}`);
    if (asked !== session || asked?.newest()?.known) return;
    const entries = items.map((item) => ({ item_id: item.item_id, reason: "Somewhere to begin", item }));
    history.learn(entries);
    shelf.show(entries, { fresh: true });
    if (!items.length) say(part("shelf-line"), "The catalogue is empty: nothing can be recommended yet.");
  } catch (error) {
    say(part("shelf-line"), `${words} (The catalogue could not be read: ${error.message})`);
  }
}

function showAnswer(deed) {
  timing.show(deed);
  say(part("announcement"), `The list answered in ${milliseconds(deed.totalMs)} milliseconds.`);
}

function showDeed(deed) {
  history.add(deed);
  if (deed.state === "refused") {
    shelf.unmark(deed.itemId);
    toast(`That was not taken: ${deed.error.message}`);
  } else if (deed.state === "retrying") {
    toast(`${deed.error.message} What you did is kept and sent again.`);
  } else if (deed.state === "slow") {
    shelf.unmark(deed.itemId);
    toast("Kafka has your click, but no list came yet. Are the stream agents and the model server running?");
  }
}

function showConnection(state, why = "") {
  if (why) toast(why);
  part("connection").dataset.state = state;
  say(part("connection-words"), CONNECTION[state]);
}

function showTabs(names) {
  const tabs = part("tabs");
  tabs.hidden = names.length < 2;
  const there = [...tabs.children].map((tab) => tab.dataset.surface);
  if (there.join() !== names.join()) {
    tabs.replaceChildren(...names.map((name) =>
      element("button", { type: "button", "data-surface": name }, SURFACES[name] ?? name)));
  }
  for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab.dataset.surface === surface));
}

function toast(text) {
  const toasts = part("toasts");
  if ([...toasts.children].some((other) => other.textContent === text)) return;
  const note = element("p", { class: "toast" }, text);
  toasts.append(note);
  setTimeout(() => note.remove(), TOAST_MS);
}

/** What cannot be undone takes two clicks, the second within a few seconds. */
function makeSure(button, question, action) {
  const words = button.textContent;
  let timer = 0;
  const relax = () => {
    timer = clearTimeout(timer) ?? 0;
    say(button, words);
  };
  button.addEventListener("click", () => {
    if (timer) {
      relax();
      action();
      return;
    }
    say(button, question);
    timer = setTimeout(relax, SURE_MS);
  });
}

function whenMade({ generated_ts: generatedTs, cause }) {
  const ageMs = Date.now() - generatedTs;
  return ageMs > OLD_MS ? ago(generatedTs, Date.now()) : `${Math.max(generatedTs - cause.received_ts, 0)} ms after the event`;
}

function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}
