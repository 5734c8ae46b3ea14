/* What improves pages that work without it: the reader's own time, "/" to search, and forms that are sent once. */
(() => {
  "use strict";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const utc = zone === "UTC" || zone === "Etc/UTC";
  const exact = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" }) /* year first, as beside it */;
  const units = [["d", 86400], ["h", 3600], ["min", 60]];

  const rough = (seconds) => {
    for (const [word, size] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${word}`;
    return "";
  };

  const tell = (time) => {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) return;
    if (time.dataset.time === "ago") {
      const apart = (Date.now() - at.getTime()) / 1000;
      const words = rough(Math.abs(apart));
      if (words) time.textContent = apart >= 0 ? `${words} ago` : `in ${words}`;
      else time.textContent = apart >= 0 ? "just now" : "in a moment";
    }
    if (utc || time.dataset.told) return;
    time.dataset.told = "1";
    const local = exact.format(at);
    time.title = `${time.title} · ${local} ${zone}`;
    if (time.dataset.time === "both") {
      const beside = document.createElement("span");
      beside.className = "local";
      beside.textContent = `${local} your time`;
      time.append(" ", beside);
    }
  };
  const tellAll = (root) => root.querySelectorAll("time[data-time]").forEach(tell);

  const start = () => {
    tellAll(document);
    document.querySelectorAll("[data-zone]").forEach((place) => {
      if (!utc) place.textContent = `; yours (${zone}) stand beside them`;
    });
    setInterval(() => document.querySelectorAll('time[data-time="ago"]').forEach(tell), 10000);
    new MutationObserver((changes) => {
      for (const change of changes)
        for (const node of change.addedNodes) if (node.nodeType === 1 && !node.classList.contains("local")) tellAll(node.parentNode);
    }).observe(document.body, { childList: true, subtree: true });
  };

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "")) return;
    const field = document.querySelector('input[type="search"]');
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  });

  /* A second press sends nothing twice. Only after the event, or the button's own value would not be sent. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form button").forEach((button) => {
    if (button.disabled && !button.hasAttribute("data-off")) button.disabled = false;
  }));

  start();
})();
