/* The overview's pulse, which says whether what is shown is live, and its charts. The page is whole without both. */
(() => {
  "use strict";
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");
  const section = document.getElementById("charts");
  let heard = Date.now();
  let lost = false;

  const clock = (at) => new Date(at).toLocaleTimeString(undefined, { hour12: false });
  const beat = () => {
    pulse.classList.toggle("lost", lost);
    pulse.textContent = lost
      ? `Not live: nothing was heard since ${clock(heard)}. It is tried again; reload the page if it stays so.`
      : `Live. Last changed ${clock(heard)}.`;
  };
  live.addEventListener("htmx:sse:after:connection", () => { lost = false; heard = Date.now(); beat(); });
  live.addEventListener("htmx:sse:after:message", () => { lost = false; heard = Date.now(); beat(); });
  live.addEventListener("htmx:sse:error", () => { lost = true; beat(); });
  live.addEventListener("htmx:sse:close", () => { lost = true; beat(); });

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const plots = [
    { title: "Tasks", of: (trend) => [trend.opened, trend.escalated, trend.troubled],
      lines: [["began", "--calm"], ["escalated", "--warn"], ["dead letters, failed", "--bad"]], say: (v) => v.toLocaleString() },
    { title: "Duration, seconds", of: (trend) => [trend.duration_p50_s, trend.duration_p95_s],
      lines: [["half stay below", "--calm"], ["95 % stay below", "--warn"]], say: (v) => v.toLocaleString(undefined, { maximumSignificantDigits: 3 }) },
    { title: "Cost, USD", of: (trend) => [trend.cost_usd], lines: [["priced calls", "--calm"]],
      say: (v) => v.toLocaleString(undefined, { maximumSignificantDigits: 3 }) },
  ];
  let drawn = [];
  let held = null;

  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
  /* The day where it begins, else the hour; in the reader's own time, as everything a script shows. */
  const when = (at, before) => {
    const now = new Date(at * 1000);
    const same = before && day.format(new Date(before * 1000)) === day.format(now);
    return same ? hour.format(now) : `${hour.format(now)}\n${day.format(now)}`;
  };
  const data = (plot) => {
    const from = Date.parse(held.from) / 1000;
    const series = plot.of(held.all.trend);
    return [series[0].map((_, i) => from + i * held.trend_step_s), ...series.map((each) => each.map((v) => (v === null ? null : Number(v))))];
  };
  const draw = () => {
    const place = section.querySelector(".charts");
    place.replaceChildren();
    section.hidden = false;
    const axis = { stroke: token("--soft"), grid: { stroke: token("--line"), width: 1 }, ticks: { stroke: token("--line"), width: 1 }, font: "12px system-ui" };
    const boxes = plots.map((plot) => {
      const box = document.createElement("figure");
      box.className = "chart";
      const title = document.createElement("h3");
      title.textContent = plot.title;
      box.append(title);
      place.append(box);
      return box;
    });
    /* Only when all stand there, each has its width. */
    drawn = plots.map((plot, i) => {
      const box = boxes[i];
      return new uPlot({
        width: Math.max(200, box.clientWidth - 26), height: 180, cursor: { sync: { key: "overview" } },
        scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
        axes: [{ ...axis, values: (_, all) => all.map((at, i) => when(at, i && all[i - 1])) }, { ...axis, size: 56 }],
        series: [{ label: "At", value: (_, at) => (at ? when(at, 0) : "–") }, ...plot.lines.map(([label, colour]) => ({ label, stroke: token(colour), width: 1.5, spanGaps: false, points: { show: false }, value: (_, v) => (v === null || v === undefined ? "–" : plot.say(v)) }))],
      }, data(plot), box);
    });
  };
  const load = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(section.dataset.charts, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      held = await answer.json();
    } catch { return; }
    if (drawn.length) drawn.forEach((chart, i) => chart.setData(data(plots[i])));
    else draw();
  };
  const redraw = () => { if (held) { drawn.forEach((chart) => chart.destroy()); draw(); } };

  /* Until the stream is there, it stays said when the page was made: who reads "Live" may rely on it. */
  load();
  setInterval(load, 30000);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });
})();
