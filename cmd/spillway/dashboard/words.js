// Numbers and times in words.
import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const number = (n) => whole.format(n || 0);
export const few = (n) => (n < 10 ? small : whole).format(n || 0);
export const compact = (n) => (Math.abs(n) < 100_000 ? whole : short).format(n || 0);
export const plural = (n, word) => number(n) + " " + word + (n === 1 ? "" : "s");

// The sidecar's clock, which may differ from this machine's.
let ahead = 0;
export function setClock(at) {
  ahead = Date.parse(at) - Date.now();
}
export const now = () => Date.now() + ahead;

// span says a time in its two largest units: "1 h 20 min".
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor((s % 86400) / 3600) + " h";
}

export function duration(ms) {
  if (ms >= 10_000) return span(ms);
  return ms >= 1000 ? (ms / 1000).toFixed(2) + " s" : few(ms) + " ms";
}

// clock shows a moment of today as a time, of other days with the date.
export function clock(at) {
  const t = new Date(at);
  const time = t.toLocaleTimeString("en-GB");
  const day = t.toLocaleDateString("en-CA");
  const today = day === new Date(now()).toLocaleDateString("en-CA");
  return h("time", { datetime: at, title: at }, today ? time : day + " " + time);
}

// left counts down to a moment. It is shown anew each second by tick.
export function left(until) {
  return h("span", { class: "left", "data-until": until, title: until }, span(Date.parse(until) - now()));
}

// tick shows the time that is left, everywhere.
export function tick() {
  for (const e of document.querySelectorAll("[data-until]")) {
    const text = span(Date.parse(e.dataset.until) - now());
    if (e.textContent !== text) e.textContent = text;
  }
}
