/* Runs in every page before anything else does, and tells what no page of ours may do or lack. */
(() => {
  "use strict";
  const tell = (what) => window.airworthyTold(what);
  const brief = (node) => node.outerHTML.replace(/\s+/g, " ").slice(0, 160);
  const named = (node) => {
    const by = (node.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "");
    const labels = [...(node.labels ?? [])].map((label) => label.textContent);
    const titles = [...node.querySelectorAll(":scope > title")].map((each) => each.textContent);
    return [node.getAttribute("aria-label"), ...by, ...labels, ...titles].some((text) => text?.trim());
  };
  const shown = (node) => node.checkVisibility?.() ?? true;

  for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => tell(`called ${name}()`);
  document.addEventListener("securitypolicyviolation", (event) => tell(`content policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));

  /* What outside text would have to become to do harm. */
  const injected = (root) => {
    for (const node of root.querySelectorAll?.("#pwned, .pwned, [data-pwned], iframe, object, embed, base, body style, script:not([src])") ?? [])
      tell(`came from text: ${brief(node)}`);
    for (const node of root.querySelectorAll?.("*") ?? [])
      for (const { name, value } of node.attributes) {
        if (/^on/.test(name) || name === "style" && node.closest("main") && !node.closest(".charts")) tell(`came from text: ${name} of ${brief(node)}`);
        if (/^(href|src|action|formaction|xlink:href)$/.test(name) && /^\s*(javascript|data|vbscript):/i.test(value)) tell(`leads to script: ${brief(node)}`);
        if (/^hx-/.test(name) && !/^hx-(get|trigger|target|swap|select|sse:connect)$/.test(name)) tell(`came from text: ${name} of ${brief(node)}`);
      }
  };

  const audit = () => {
    const wrong = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    const one = (selector) => { if (all(selector).length !== 1) wrong.push(`${all(selector).length} of ${selector}`); };
    ["h1", "main", "body > header", "body > footer", "head > title"].forEach(one);
    for (const node of all("h1, h2, h3, head > title")) if (!node.textContent.trim()) wrong.push(`empty ${brief(node)}`);
    if (document.documentElement.lang !== "en") wrong.push("the language is not told");
    const ids = all("[id]").map((node) => node.id);
    for (const id of new Set(ids)) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`id ${id} twice`);
    for (const node of all("input:not([type=hidden], [hidden]), select, textarea")) if (!named(node)) wrong.push(`no label: ${brief(node)}`);
    for (const node of all("button, summary, a[href]")) if (!node.textContent.trim() && !named(node)) wrong.push(`no name: ${brief(node)}`);
    for (const node of all("svg")) if (node.getAttribute("aria-hidden") !== "true" && !named(node)) wrong.push(`no name: ${brief(node)}`);
    for (const node of all("img")) if (!node.hasAttribute("alt")) wrong.push(`no alt: ${brief(node)}`);
    for (const node of all("label[for]")) if (!document.getElementById(node.htmlFor)) wrong.push(`label of nothing: ${brief(node)}`);
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"])
      for (const node of all(`[${name}]`))
        for (const id of node.getAttribute(name).split(" ")) if (!document.getElementById(id)) wrong.push(`${name} of nothing: ${brief(node)}`);
    for (const node of all("[tabindex]")) if (node.tabIndex > 0) wrong.push(`order of Tab forced: ${brief(node)}`);
    for (const node of all("a a, a button, button a, button button, label label")) wrong.push(`one control in another: ${brief(node)}`);
    for (const node of all("table")) if (!node.querySelector("th")) wrong.push(`no heading: ${brief(node)}`);
    let level = 1;
    for (const node of all("h1, h2, h3, h4, h5, h6").filter(shown)) {
      const now = Number(node.tagName[1]);
      if (now > level + 1) wrong.push(`h${level} is followed by ${brief(node)}`);
      level = now;
    }
    /* Nothing may be scrolled sideways, on a telephone least of all. */
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide > 0) wrong.push(`${wide} px wider than the window: ${widest()}`);
    return wrong;
  };
  const widest = () => {
    const edge = document.documentElement.clientWidth;
    const far = [...document.querySelectorAll("body *")].filter((node) => node.getBoundingClientRect().right > edge + 0.5 && shown(node));
    return far.slice(-3).map(brief).join(" | ");
  };
  window.airworthyAudit = audit;

  addEventListener("DOMContentLoaded", () => {
    injected(document);
    new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === 1) injected(node.parentNode ?? node);
    }).observe(document, { childList: true, subtree: true });
  });
  addEventListener("load", () => {
    if (!document.querySelector("body > header.top")) return;
    audit().forEach(tell);
  });
})();
