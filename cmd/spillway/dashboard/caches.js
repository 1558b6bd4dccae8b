// What the response caches hold, and what they have spared.
import { h, row, table } from "./dom.js";
import { compact, number } from "./words.js";

const columns = [
  { title: "Models" }, { title: "Shared by" }, { title: "Served" }, { title: "Hits", kind: "n" }, { title: "Missed", kind: "n" },
  { title: "Responses", kind: "n" }, { title: "Bytes", kind: "n" },
];

export function cacheTable(caches) {
  if (!caches?.length) return h("p", { class: "calm" }, "The file has no [[cache]], and no call has asked for one.");
  return table("response caches", columns, caches.map((c) => {
    const calls = c.hits + c.misses;
    return row(columns, c.model + "\n" + c.namespace, [
      c.model || "of calls that ask for it", c.namespace ? "all callers, as " + c.namespace : "each caller’s own",
      calls > 0 ? Math.floor(100 * c.hits / calls) + " % of " + number(calls) + " calls" : h("span", { class: "faint" }, "no calls"),
      number(c.hits), number(c.misses), number(c.responses), compact(c.bytes) + " of " + compact(c.max_bytes),
    ]);
  }));
}
