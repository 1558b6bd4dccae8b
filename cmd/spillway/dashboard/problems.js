// What is wrong, and what to do about it.
import { h, link, mark } from "./dom.js";
import { left, span, now, plural } from "./words.js";
import { problems } from "./state.js";

const most = 30;

export function problemList(state) {
  const all = problems(state);
  if (all.length === 0) return h("p", { class: "calm" }, "No cooldown, no open breaker, no pause.");
  return [
    h("ul", { class: "problems" }, all.slice(0, most).map(problem)),
    all.length > most && h("p", { class: "faint" }, "and " + (all.length - most) + " more, among the lanes below"),
  ];
}

function problem(p) {
  return h("li", { "data-key": p.key, "data-level": p.level },
    h("div", { class: "what" },
      mark(p.level, p.cause),
      h("span", { class: "when" }, ending(p))),
    h("div", { class: "subject" }, p.subject, p.only && " for " + p.only),
    p.message && h("details", { class: "said" }, h("summary", null, said(p), p.quota && h("span", { class: "faint" }, " " + p.quota))),
    (p.remedy || p.page) && h("p", { class: "todo" }, p.remedy, " ", p.page && link(p.page, "Google’s page")));
}

// said is what Google or an operator says, without the end that is counted down beside it.
const said = (p) => (p.until ? p.message.replace(/ until \d{4}-\d\d-\d\dT[\d:.]+Z$/, "") : p.message);

// ending says when it ends: by itself, by a probe, or by hand.
export function ending(p) {
  const parts = [];
  if (p.until && Date.parse(p.until) > now()) parts.push(left(p.until), " left");
  else if (p.cause === "paused") parts.push("until it is resumed");
  else if (!p.until && (p.probe || p.level === "bad") && p.cause !== "store away") parts.push("until a call succeeds");
  if (p.probe && Date.parse(p.probe) > now() && (!p.until || p.probe < p.until)) parts.push(parts.length ? ", tried in " : "tried in ", left(p.probe));
  if (p.since && Date.parse(p.since) < now() - 1000) parts.push(parts.length ? " · " : "", "since " + span(now() - Date.parse(p.since)));
  if (p.endpoints > 1) parts.push(parts.length ? " · " : "", plural(p.endpoints, "endpoint"));
  return parts;
}
