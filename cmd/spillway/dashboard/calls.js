// The last calls, and why each went where it went.
import { h, mark, row, table, wide } from "./dom.js";
import { clock, duration, left, now, number } from "./words.js";

const columns = [
  { title: "Began" }, { title: "Model" }, { title: "Label" }, { title: "Outcome" }, { title: "Endpoint" },
  { title: "Attempts", kind: "n" }, { title: "Waited", kind: "n" }, { title: "Took", kind: "n" },
];

const levels = { served: "good", refused: "bad", failed: "bad", cancelled: "wait" };

const few = 12;

// callTable shows records, the newest first: a few or all. open has the ids of those that are
// explained.
export function callTable(records, open, all) {
  if (records.length === 0) return h("p", { class: "calm" }, "No call has ended yet.");
  const rows = [];
  for (const r of [...records].reverse().filter((r, i) => all || i < few || open.has(r.id))) {
    const opened = open.has(r.id);
    rows.push(row(columns, r.id, [
      h("button", { type: "button", "data-call": r.id, "aria-expanded": String(opened) },
        h("span", { "aria-hidden": "true", class: "sign" }, opened ? "▾" : "▸"), clock(r.time), h("span", { class: "hidden" }, ": why call " + r.id + " went where it went")),
      r.model || r.method || "", r.label || "", mark(levels[r.outcome] || "warn", r.outcome, r.status && r.outcome !== "served" && " " + r.status),
      r.endpoint || (r.cache === "hit" ? "response cache" : ""), number(r.attempts?.length), r.waited_ms >= 1 ? duration(r.waited_ms) : "", duration(r.latency_ms),
    ], { "data-level": levels[r.outcome] }));
    if (opened) rows.push(wide(columns, "why " + r.id, why(r)));
  }
  return [
    table("last calls", columns, rows),
    records.length > few && h("button", { type: "button", class: "more", "data-more": true, "aria-expanded": String(all) }, all ? "Show fewer" : "Show the last " + records.length),
  ];
}

const steps = [{ title: "Attempt", kind: "n" }, { title: "Endpoint" }, { title: "Answer" }, { title: "Waited", kind: "n" }, { title: "Took", kind: "n" }];

// why explains a call: its attempts, then what could not serve it.
function why(r) {
  const made = r.attempts || [];
  return h("div", { class: "why" },
    h("p", null, summary(r)),
    r.error && h("p", { class: "said" }, r.error),
    r.retry_at && Date.parse(r.retry_at) > now() && h("p", null, "An endpoint could next serve it in ", left(r.retry_at), "."),
    made.length > 0 && table("attempts", steps, made.map((a, i) => row(steps, String(i), [
      i + 1, [a.endpoint, a.model && " with " + a.model],
      [mark(a.class === "ok" ? "good" : "warn", a.class, a.status && " " + a.status), a.message && h("div", { class: "said" }, a.message)],
      a.waited_ms >= 1 ? duration(a.waited_ms) : "", duration(a.duration_ms),
    ]))),
    made.length === 0 && !r.lookups && h("p", null, r.cache === "hit" ? "Google was not asked: the response cache had the response of an equal call." : "Google was not asked."),
    r.lookups > 0 && h("p", null, number(r.lookups) + " more requests to Google were for lists or to find resources."),
    r.passed_over?.length > 0 && [h("h4", null, "Passed over"), h("dl", null, r.passed_over.map((p) => [h("dt", null, p.endpoint), h("dd", null, p.why)]))],
    r.unlisted && h("p", { class: "faint" }, "Why not elsewhere was not looked at: too many calls ask that now."),
    !r.passed_over?.length && !r.unlisted && r.outcome === "served" && made.length === 1 && h("p", null, "Nothing kept the call from the endpoint."));
}

function summary(r) {
  const t = r.tokens || {};
  return ["Call ", h("span", { class: "mono" }, r.id), ", ", r.method || "a call", r.stream && " as a stream", ", " + r.priority + " priority",
    r.served_model && r.served_model !== r.model && ", served by " + r.served_model,
    (t.input > 0 || t.output > 0) && ", " + number(t.input) + " tokens in and " + number(t.output) + " out", "."];
}
