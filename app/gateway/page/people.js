/** Who one is on this page: a new visitor with an id of their own, or a person whose lists there are. */

import { element, part, say } from "./dom.js";
import { hueOf } from "./cover.js";
import { newId } from "./session.js";
import { ago } from "./words.js";

const VISITOR_SLOT = "riverrun.visitor";

/** This browser's visitor; made on the first visit. */
export function visitorId() {
  const known = localStorage.getItem(VISITOR_SLOT);
  return known ?? newVisitor();
}

/** Be somebody whom nobody knows. */
export function newVisitor() {
  const id = `visitor-${newId().slice(0, 8)}`;
  localStorage.setItem(VISITOR_SLOT, id);
  return id;
}

/** Whether this is the visitor of this browser. */
export function isVisitor(userId) {
  return userId === localStorage.getItem(VISITOR_SLOT);
}

/** Draw who one is. */
export function showPerson(userId) {
  const visitor = isVisitor(userId);
  say(part("person-name"), visitor ? "New visitor" : `Person ${userId}`);
  say(part("person-id"), visitor ? userId : "a real person");
  dress(part("person-face"), userId, visitor);
}

/** @param {(userId: string) => void} onChoose */
export function makePeopleDialog(api, onChoose) {
  const [dialog, list, note] = [part("people"), part("people-list"), part("people-note")];

  async function open() {
    dialog.showModal();
    say(note, "Looking who is there…");
    try {
      const { users } = await api.get("/v1/users?limit=24");
      list.replaceChildren(...users.filter(({ user_id: id }) => !isVisitor(id)).map(faceOf));
      say(note, users.length ? "" : "Nobody has lists yet.");
    } catch (error) {
      list.replaceChildren();
      say(note, error.message);
    }
  }

  dialog.addEventListener("click", (click) => {
    const chosen = click.target.closest("[data-user]");
    if (!chosen && click.target !== dialog) return;
    dialog.close();
    if (chosen) onChoose(chosen.dataset.user);
  });
  part("people-form").addEventListener("submit", () => {
    const typed = part("people-id").value.trim();
    if (typed) onChoose(typed);
  });
  return open;
}

function faceOf({ user_id: userId, generated_ts: generatedTs }) {
  const face = element("span", { class: "face", "aria-hidden": "true" });
  dress(face, userId, false);
  return element("li", {}, element("button", { type: "button", "data-user": userId }, face,
    element("span", { class: "face-text" }, element("span", { class: "face-name" }, `Person ${userId}`),
      element("span", { class: "face-when" }, ago(generatedTs, Date.now())))));
}

function dress(face, userId, visitor) {
  face.style.setProperty("--hue", hueOf(userId));
  say(face, visitor ? "you" : userId.slice(0, 3));
}
