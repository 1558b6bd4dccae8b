// The page: it keeps what the sidecar has told, and shows it.
import { show } from "./dom.js";
import { cacheTable } from "./caches.js";
import { callTable } from "./calls.js";
import { eventList } from "./events.js";
import { fleet } from "./fleet.js";
import { lanes } from "./lanes.js";
import { follow } from "./live.js";
import { modelTable } from "./models.js";
import { plots } from "./plots.js";
import { problemList } from "./problems.js";
import { headline } from "./state.js";
import { plural, setClock, tick } from "./words.js";

const place = (id) => document.getElementById(id);
const open = new Set(); // ids of the calls that are explained
let state, history = { at: [], served: [], turned: [], calls: [], refused: [] };
let events = [], calls = [], all = false; // whether all calls are shown

function text(id, value) {
  if (place(id).textContent !== value) place(id).textContent = value;
}

function showState() {
  text("about", state.backend + " · " + plural(state.projects.length, "project") + " · " + plural(state.endpoints.length, "endpoint") +
    (state.store ? " · " + plural(state.store.members, "replica") : ""));
  show(place("problems"), problemList(state));
  show(place("models"), modelTable(state, history));
  showLanes();
  show(place("caches"), cacheTable(state.caches));
  show(place("fleet"), fleet(state.store));
  announce();
}

function showLanes() {
  if (state) show(place("lanes"), lanes(state, place("filter").value, place("wrong").checked));
}

// announce changes the headline, which screen readers speak, when its meaning has changed, but not
// more often than every 5 s.
let spoken = 0, waiting;
function announce() {
  const { level, text: said } = headline(state);
  const refused = history.refused.flatMap((s) => s.counts.slice(-30)).reduce((a, b) => a + b, 0);
  const sentence = said + (refused > 0 ? " " + plural(refused, "call") + (refused === 1 ? " was" : " were") + " refused in the last 5 minutes." : "");
  const bad = level === "good" && refused > 0 ? "warn" : level;
  if (place("headline").textContent === sentence && place("headline").dataset.level === bad) return;
  const rest = spoken + 5000 - Date.now();
  if (rest > 0 && place("headline").dataset.level === bad) {
    waiting ||= setTimeout(() => { waiting = undefined; announce(); }, rest);
    return;
  }
  spoken = Date.now();
  place("headline").dataset.level = bad;
  text("headline", sentence);
  document.title = { good: "Spillway", warn: "▲ Spillway", bad: "✕ Spillway" }[bad];
}

// refresher returns a function that fetches something, at most every 2 s and never twice at once.
function refresher(fetchIt) {
  let busy = false, again = false;
  return async function refresh() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      await fetchIt();
    } catch {
      seenEvent = seenCall = undefined; // the next state asks again
    }
    setTimeout(() => {
      busy = false;
      if (again) {
        again = false;
        refresh();
      }
    }, 2000);
  };
}

let lastEvent = 0; // that the page has
let seenEvent, seenCall; // that a state has told of

const refreshEvents = refresher(async () => {
  const response = await fetch("events", { headers: { "Last-Event-ID": String(lastEvent) } });
  if (!response.ok) return;
  const fresh = (await response.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  events = [...events.filter((e) => !fresh.some((f) => f.id === e.id)), ...fresh].slice(-200);
  if (events.length > 0) lastEvent = events.at(-1).id;
  show(place("events"), eventList(events));
});

const refreshCalls = refresher(async () => {
  const response = await fetch("calls?last=50");
  if (!response.ok) return;
  calls = await response.json();
  showCalls();
});

function showCalls() {
  show(place("calls"), callTable(calls, open, all));
}

document.addEventListener("click", (e) => {
  if (e.target.closest?.("[data-more]")) {
    all = !all;
    showCalls();
  }
  const id = e.target.closest?.("[data-call]")?.dataset.call;
  if (!id) return;
  if (!open.delete(id)) open.add(id);
  showCalls();
});
place("filter").addEventListener("input", showLanes);
place("wrong").addEventListener("change", showLanes);

follow({
  state(next) {
    state = next;
    setClock(state.at);
    showState();
    if (state.event !== seenEvent) refreshEvents();
    if (state.call !== seenCall) refreshCalls();
    [seenEvent, seenCall] = [state.event, state.call];
  },
  history(next) {
    history = next;
    show(place("plots"), plots(history));
  },
  link(kind) {
    const said = { live: "live", polling: "live, by asking every 2 s", locked: "signed out", away: "the sidecar does not respond" }[kind];
    place("link").dataset.level = { live: "good", polling: "warn", locked: "wait", away: "bad" }[kind];
    place("link").dataset.link = kind;
    text("link", said);
    document.body.classList.toggle("away", kind === "away");
  },
});
showCalls();
show(place("events"), eventList([]));
show(place("plots"), plots(history));
setInterval(tick, 1000);
