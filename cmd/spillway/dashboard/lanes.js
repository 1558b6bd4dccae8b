// The pool: projects with their keys, and what each endpoint has left.
import { h, mark, row, table } from "./dom.js";
import { ending } from "./problems.js";
import { compact, few, number, plural } from "./words.js";
import { ready, standing, title } from "./state.js";

const columns = [
  { title: "Model" }, { title: "Location" }, { title: "Traffic" }, { title: "Tier", kind: "n" }, { title: "In flight", kind: "n" },
  { title: "Served", kind: "n" }, { title: "Refused", kind: "n" }, { title: "State" }, { title: "Used", kind: "fill" },
];

// most is how many rows are shown at once: a browser takes seconds for ten thousand.
const most = 500;

// lanes shows the projects that have something to show, as far as there is room. filter is a text,
// wrong means only what refuses calls.
export function lanes(state, filter, wrong) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = (text) => words.every((w) => text.toLowerCase().includes(w));
  const byProject = Map.groupBy(state.endpoints, (e) => e.endpoint.split("/")[0]);
  const shown = [];
  let room = most, projects = 0, endpoints = 0; // the two that are left out
  for (const p of state.projects) {
    const own = byProject.get(p.name) || [];
    const list = own.filter((e) => wanted(e.endpoint + " " + title(e)) && (!wrong || !ready(e)));
    const out = p.cooldown || (p.keys || []).some((k) => k.cooldown);
    if (list.length === 0 && !(own.length === 0 && wanted(p.name) && (!wrong || out)) && !(wrong && out && wanted(p.name))) continue;
    const part = list.slice(0, Math.max(0, room));
    endpoints += list.length - part.length;
    if (room > 0) shown.push(lane(p, part));
    else projects++;
    room -= 1 + part.length + (p.keys || []).length;
  }
  if (state.projects.length === 0) return h("p", { class: "calm" }, "The pool has no project.");
  if (shown.length === 0) return h("p", { class: "calm" }, wrong && words.length === 0 ? "Nothing refuses calls." : "No lane is like that.");
  const left = [projects > 0 && plural(projects, "project"), endpoints > 0 && plural(endpoints, "endpoint")].filter(Boolean).join(" and ");
  if (left) shown.push(h("p", { class: "calm", "data-key": " left out" }, left + " more. Write what you look for above."));
  return shown;
}

function lane(p, endpoints) {
  const inFlight = endpoints.reduce((n, e) => n + e.calls, 0);
  return h("article", { class: "lane", "data-key": p.name, "aria-label": "project " + p.name },
    h("h3", null, p.name, " ", h("small", null, p.backend), inFlight > 0 && h("small", null, " · " + number(inFlight) + " in flight")),
    p.cooldown && h("p", null, mark(p.cooldown.until ? "warn" : "bad", p.cooldown.cause || p.cooldown.class), " ", ending({ ...p.cooldown, level: "warn" })),
    p.keys?.length && h("ul", { class: "keys", "aria-label": "keys" }, p.keys.map(key)),
    endpoints.length > 0 && table("endpoints of " + p.name, columns, endpoints.map(endpoint)));
}

function key(k) {
  const c = k.cooldown;
  return h("li", { "data-key": k.key }, h("span", { class: "mono" }, k.key), " ",
    c ? [mark(c.class === "paused" ? "off" : c.until ? "warn" : "bad", c.cause || c.class), " ", h("span", { class: "when" }, ending({ until: c.until, probe: c.probe, cause: c.cause }))] : mark("good", "ready"));
}

function endpoint(e) {
  const [, location, traffic] = e.endpoint.split("/");
  const s = standing(e);
  return row(columns, e.endpoint + " " + title(e), [
    title(e), location, (traffic || "").replaceAll("_", " "), e.tier,
    e.calls > 0 ? [number(e.calls), h("small", null, " " + compact(e.tokens) + " tok")] : "0",
    number(e.served), e.refused > 0 ? h("span", { class: "refusals" }, number(e.refused)) : "0",
    [mark(s.level, s.cause, s.only && " for " + s.only), " ", h("span", { class: "when" }, ending({ ...s, cause: s.cause }))],
    fills(e),
  ], { "data-level": s.level });
}

// fills shows each window of an endpoint: what is used of it.
function fills(e) {
  const all = (e.limits || []).map((l) => meter(l.from && l.from !== "declared" ? `${l.name} (${l.from})` : l.name, l.used, l.limit));
  const o = e.order;
  if (o) all.push(meter("order", o.used, o.capacity, o.window));
  if (o?.failed_below > 0) all.push(note("failed below the purchase", number(o.failed_below)));
  if (e.shared) all.push(note("shared, in hand", plural(e.shared.requests, "call") + (e.shared.tokens ? ", " + compact(e.shared.tokens) + " tok" : "")));
  if (e.pace) all.push(note("paced", few(e.pace) + "/s"));
  return all.length > 0 ? all : h("span", { class: "faint" }, "no limit known");
}

function meter(name, used, limit, window) {
  const part = limit > 0 ? used / limit : 1;
  const level = part >= 1 ? "bad" : part >= 0.8 ? "warn" : "good";
  const percent = Math.round(100 * part);
  // The bar has one of 21 widths: a style in an attribute would be against the page's policy.
  const step = Math.min(20, Math.ceil(part * 20 - 1e-9));
  return h("div", { class: "meter", "data-key": name, "data-level": level },
    h("span", { class: "name" }, name),
    h("span", { class: "track", role: "img", "aria-label": percent + " % used" }, h("span", { class: "used w" + Math.max(0, step) })),
    h("span", { class: "amount" }, compact(used) + " of " + compact(limit), window && " in " + window.replace(/m0s$/, "m"), part >= 1 && h("b", null, " full")));
}

function note(name, text) {
  return h("div", { class: "meter note", "data-key": name }, h("span", { class: "name" }, name), h("span", { class: "amount" }, text));
}
