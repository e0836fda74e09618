/** The gateway wants an API key: ask for one. */

import { part, say } from "./dom.js";

/** @param {boolean} again a key was given and refused @returns {Promise<string>} */
export function askForKey(again) {
  const dialog = part("key");
  say(part("key-note"), again ? "That key was refused." : "");
  part("key-value").value = "";
  dialog.addEventListener("cancel", (escape) => escape.preventDefault()); // nothing can be shown without a key
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const form = part("key-form");
    form.addEventListener("submit", function take(submitted) {
      const key = keyIn(part("key-value").value);
      if (key === null) {
        submitted.preventDefault(); // the dialog stays
        say(part("key-note"), "That is no key: it has a letter or sign that no request can carry. Was it copied whole?");
        return;
      }
      form.removeEventListener("submit", take);
      resolve(key);
    });
  });
}

/** The key in what was pasted, without what is invisible in it; null where there is none that a header can carry. */
export function keyIn(pasted) {
  const key = pasted.replace(/\p{Cf}/gu, "").trim();
  return /^[\x20-\x7e]+$/.test(key) ? key : null;
}
