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
    part("key-form").addEventListener("submit", () => resolve(part("key-value").value.trim()), { once: true });
  });
}
