/** Light or dark: as the system wants it, or as the switch says. */

import { part } from "./dom.js";

const SLOT = "riverrun.theme";

export function startTheme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = localStorage.getItem(SLOT);
  if (chosen) root.dataset.theme = chosen;
  const button = part("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem(SLOT, root.dataset.theme);
    show();
  });
  dark.addEventListener("change", show);
  show();
}
