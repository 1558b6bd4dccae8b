// What is wrong, and what to do about it.
import { h, link, mark } from "./dom.js";
import { left, number, span, now, plural } from "./words.js";
import { problems } from "./state.js";

const few = 4, most = 200; // subjects of a card: at once, and on request

// problemList shows what is wrong, a card for each cause and remedy: what forty projects have in
// common is said once.
export function problemList(state) {
  const all = problems(state);
  if (all.length === 0) return h("p", { class: "calm" }, "No cooldown, no open breaker, no pause.");
  const cards = Map.groupBy(all, (p) => p.level + " " + p.cause + " " + (p.remedy || ""));
  return h("ul", { class: "problems" }, [...cards].map(([key, list]) => card(key, list)));
}

function card(key, list) {
  const [first, ...others] = list;
  const endpoints = list.reduce((n, p) => n + (p.endpoints || 0), 0);
  const own = (p) => p === first || (p.message && p.message !== first.message);
  const subjects = (part) => h("ul", { class: "subjects" }, part.map((p) => subject(p, own(p))));
  return h("li", { "data-key": key, "data-level": first.level },
    h("div", { class: "what" }, mark(first.level, first.cause),
      h("span", { class: "when" }, [others.length > 0 && plural(list.length, "subject"), endpoints > 1 && plural(endpoints, "endpoint")].filter(Boolean).join(", "))),
    (first.remedy || first.page) && h("p", { class: "todo" }, first.remedy, " ", first.page && link(first.page, "Google’s page")),
    subjects(list.slice(0, few)),
    list.length > few && h("details", { class: "rest" }, h("summary", null, "and " + number(list.length - few) + " more"), subjects(list.slice(few, most)), list.length > most && h("p", { class: "calm" }, number(list.length - most) + " are not shown.")));
}

function subject(p, speaks) {
  return h("li", { "data-key": p.key },
    h("div", { class: "what" }, h("span", { class: "subject" }, p.subject, p.only && !p.subject?.includes(p.only) && " for " + p.only), h("span", { class: "when" }, ending(p))),
    speaks && p.message && h("details", { class: "said" }, h("summary", null, said(p), p.quota && h("span", { class: "faint" }, " " + p.quota))));
}

// said is what Google or an operator says, without the end that is counted down beside it.
const said = (p) => (p.until ? p.message.replace(/ until \d{4}-\d\d-\d\dT[\d:.]+Z$/, "") : p.message);

// ending says when it ends: by itself, by a probe, or by hand.
export function ending(p) {
  const parts = [];
  if (p.until && Date.parse(p.until) > now()) parts.push(left(p.until), " left");
  else if (p.cause === "paused") parts.push("until it is resumed");
  else if (!p.until && p.level === "bad" && p.cause !== "store away" && !p.probe) parts.push("until a call succeeds");
  if (p.probe && Date.parse(p.probe) > now() && (!p.until || p.probe < p.until)) parts.push(parts.length ? ", tried in " : "tried in ", left(p.probe));
  if (p.since && Date.parse(p.since) < now() - 1000) parts.push(parts.length ? " · " : "", "for " + span(now() - Date.parse(p.since)));
  return parts;
}
