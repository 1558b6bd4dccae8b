// What the sidecar has told its log of late.
import { h, mark } from "./dom.js";
import { clock } from "./words.js";

const most = 50;
// Remedies stand beside what is wrong, at the top of the page.
const apart = new Set(["time", "level", "msg", "id", "kind", "remedy", "page"]);

export function eventList(events) {
  if (events.length === 0) return h("p", { class: "calm" }, "Nothing has happened yet.");
  return h("ol", { class: "events", tabindex: "0", "aria-label": "recent events, the newest first" }, events.slice(-most).reverse().map((e) => h("li", { "data-key": String(e.id) },
    clock(e.time), mark(e.level === "ERROR" ? "bad" : e.level === "WARN" ? "warn" : "wait", String(e.msg).replace(/^spillway: /, "")),
    h("span", { class: "rest" }, Object.entries(e).filter(([name, value]) => !apart.has(name) && value !== "").map(([name, value]) =>
      h("span", null, h("span", { class: "faint" }, name + " "), typeof value === "object" ? JSON.stringify(value) : value, " "))))));
}
