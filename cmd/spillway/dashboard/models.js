// What became of the calls for each model.
import { h, mark, row, table } from "./dom.js";
import { number } from "./words.js";
import { models } from "./state.js";

const columns = [
  { title: "Model" }, { title: "Ready" }, { title: "Calls refused" }, { title: "Last 30 min" }, { title: "Waits", kind: "n" },
  { title: "Waited", kind: "n" }, { title: "Waiting now", kind: "n" },
];

// most is how many models are shown: callers make up names.
const most = 200;

export function modelTable(state, history) {
  const all = models(state);
  if (all.length === 0) return h("p", { class: "calm" }, "No model was called yet.");
  const recent = (series, name) => (series.find((s) => s.name === name)?.counts || []).reduce((a, b) => a + b, 0);
  const shown = table("models", columns, all.slice(0, most).map((m) => {
    const level = m.ready === 0 ? "bad" : m.ready < m.endpoints.length ? "warn" : "good";
    const lately = recent(history.refused, m.name);
    return row(columns, m.name, [
      m.name, mark(level, m.ready + " of " + m.endpoints.length + " endpoints"),
      refusals(m.refused, m.calls), refusals(lately, recent(history.calls, m.name)), m.waits > 0 && number(m.waits), m.waits > 0 && m.waited, m.waiting > 0 && number(m.waiting),
    ], { "data-level": level });
  }));
  return [shown, all.length > most && h("p", { class: "calm" }, number(all.length - most) + " more models. “spillway status --model” shows one.")].filter(Boolean);
}

function refusals(n, of) {
  const text = number(n) + " of " + number(of) + " calls refused";
  return n > 0 ? h("b", { class: "refusals" }, text) : h("span", { class: "faint" }, of > 0 ? "none of " + number(of) : "no calls");
}
