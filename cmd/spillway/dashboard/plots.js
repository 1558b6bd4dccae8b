// What became of calls in the last half hour, as stacked bars.
import { h, svg } from "./dom.js";
import { compact, number } from "./words.js";

const bars = 60; // of 30 s
const height = 100;

export function plots(history) {
  return [
    plot(history, "Served, by lane", history.served, "cool", "Nothing was served."),
    plot(history, "Refused or failed at Google, by lane", history.turned, "warm", "Google refused nothing."),
    plot(history, "Refused to callers, by model", history.refused, "hot", "No caller was refused."),
  ];
}

// plot draws a series above the other, in the order of the legend from the bottom.
function plot(history, title, series, palette, nothing) {
  const sums = series.map((s) => s.counts.reduce((a, b) => a + b, 0));
  const total = sums.reduce((a, b) => a + b, 0);
  const stacks = buckets(history, series);
  const top = Math.max(1, ...stacks.map((s) => s.reduce((a, b) => a + b, 0)));
  const drawing = svg("svg", { viewBox: `0 0 ${bars * 10} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": title + ": " + number(total) + " in 30 minutes" });
  stacks.forEach((stack, x) => {
    let y = height;
    stack.forEach((n, i) => {
      if (n === 0) return;
      const tall = (n / top) * height;
      y -= tall;
      drawing.append(svg("rect", { x: x * 10 + 1, y: y.toFixed(2), width: 8, height: tall.toFixed(2), class: palette + i }));
    });
  });
  return h("figure", { "data-key": title },
    h("figcaption", null, h("h3", null, title), h("span", { class: "total" }, number(total))),
    h("div", { class: "plot" }, h("span", { class: "top" }, total > 0 ? compact(top) + " in 30 s" : ""), drawing),
    h("div", { class: "axis", "aria-hidden": "true" }, h("span", null, "30 min ago"), h("span", null, "15"), h("span", null, "now")),
    total === 0 ? h("p", { class: "faint" }, history.at.length > 0 ? nothing : "The first count comes after 10 s.") : h("ul", { class: "legend" }, series.map((s, i) => h("li", { "data-key": s.name || "others" },
      h("span", { class: "swatch " + palette + i, "aria-hidden": "true" }), h("span", { class: "name" }, s.name || "all others"), h("span", { class: "amount" }, number(sums[i])))).filter((_, i) => sums[i] > 0)));
}

// buckets returns for each bar the sums of the series, the oldest first.
function buckets(history, series) {
  const all = Array.from({ length: bars }, () => series.map(() => 0));
  const each = 1800 / bars;
  const end = Math.ceil(Date.parse(history.at.at(-1)) / 1000 / each) * each; // bars do not shift with every sample
  history.at.forEach((at, j) => {
    const bar = bars - 1 - Math.floor((end - Date.parse(at) / 1000) / each);
    if (bar >= 0) series.forEach((s, i) => { all[bar][i] += s.counts[j]; });
  });
  return all;
}
