// The replicas that share a store.
import { h, mark } from "./dom.js";
import { clock, number, plural } from "./words.js";

export function fleet(store) {
  if (!store) return h("p", { class: "calm" }, "This sidecar shares nothing: the file names no store.");
  const facts = [
    ["Store", [store.answers ? mark("good", "answers") : mark("bad", "does not answer"), " since ", clock(store.since)]],
    ["Answered in", store.lag],
    ["This replica", h("span", { class: "mono" }, store.member)],
    ["Members alive", number(store.members)],
    ["Silent", store.lapsed > 0 ? mark("warn", plural(store.lapsed, "member") + " for less than a minute") : "none"],
    ["Limits", store.knows ? plural(store.limits, "limit") + " shared" : mark("warn", "each replica keeps to its part")],
    store.problem && ["Problem", store.problem],
  ].filter(Boolean);
  return h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", { "data-key": name }, h("dt", null, name), h("dd", null, value))));
}
