/* Keys for a list of steps and for a decision; and a page of a task that goes on follows it. All works without. */
(() => {
  "use strict";
  const REFRESH_MS = 3000;
  const typing = () => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
  const steps = () => [...document.querySelectorAll("[data-steps] > li > details > summary, [data-steps] > li > .folded > a")];
  const items = () => [...document.querySelectorAll("[data-items] a[data-item]")];

  const move = (by) => {
    const all = items().length ? items() : steps();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  const choose = (key) => {
    const act = document.querySelector(`details[data-key="${key}"]`);
    if (!act) return false;
    document.querySelectorAll("details[data-key][open]").forEach((other) => { if (other !== act) other.open = false; });
    act.open = true;
    const field = act.querySelector("textarea, input:not([type=hidden])") ?? act.querySelector("button");
    field?.focus();
    act.scrollIntoView({ block: "nearest" });
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing()) return document.activeElement.blur();
    if (typing()) return;
    const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    const arrow = event.key.startsWith("Arrow");
    if (by && (!arrow || [...steps(), ...items()].includes(document.activeElement))) {
      event.preventDefault();
      move(by);
    } else if (event.key === "o") {
      const all = [...document.querySelectorAll("[data-steps] > li > details")];
      const open = !all.every((each) => each.open);
      all.forEach((each) => { each.open = open; });
    } else if (/^[a-z]$/.test(event.key) && choose(event.key)) event.preventDefault();
  });

  /* Not while somebody reads an opened step or writes: what they look at must not move. */
  setInterval(() => {
    const live = document.querySelector("[data-live]");
    if (live && !document.hidden && !typing() && !live.querySelector("details[open]")) live.dispatchEvent(new CustomEvent("refresh"));
  }, REFRESH_MS);

  const fragment = () => {
    let id;
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const details = document.getElementById(id)?.querySelector(":scope > details");
    if (details) details.open = true;
  };
  window.addEventListener("hashchange", fragment);
  fragment();
})();
