// What a state means: how an endpoint stands, and what is wrong.

// level says how much something matters. A cooldown that ends by itself is a warning. One that only a
// good call ends wants an operator.
function level(cooldown) {
  if ((cooldown.class || cooldown.cause) === "paused") return "off";
  return cooldown.until ? "warn" : "bad";
}

// standing returns how an endpoint stands: its level, and why in words.
export function standing(e) {
  if (e.cooldown) return { level: level(e.cooldown), cause: e.cooldown.cause || e.cooldown.class, only: e.cooldown.only, until: e.cooldown.until, probe: e.cooldown.probe };
  if (e.breaker) return { level: e.breaker.state === "open" ? "bad" : "warn", cause: "breaker " + e.breaker.state.replaceAll("_", "-"), until: e.breaker.until };
  if (e.why) return { level: "warn", cause: e.cause || e.why, why: e.cause ? e.why : "", until: e.until };
  if (e.warning) return { level: "warn", cause: e.warning.cause, serves: true };
  return { level: "good", cause: "ready", serves: true };
}

// ready reports whether an endpoint takes calls now.
export const ready = (e) => standing(e).serves === true || Boolean(e.cooldown?.only);

// models returns each model with its endpoints and whether one of them is ready.
export function models(state) {
  const byModel = Map.groupBy(state.endpoints, title);
  return state.models.map((m) => {
    const endpoints = byModel.get(title(m)) || [];
    return { ...m, name: title(m), endpoints, ready: endpoints.filter(ready).length };
  });
}

export const title = (m) => (m.method ? m.model + " " + m.method : m.model);

// problems returns what is wrong, the worst first: one of each subject and cause, with the number of
// endpoints that it keeps out.
export function problems(state) {
  const found = new Map();
  const add = (p) => {
    const key = p.subject + " " + p.cause;
    const known = found.get(key);
    if (!known) found.set(key, { ...p, key });
    else known.endpoints = (known.endpoints || 0) + (p.endpoints || 0);
  };
  const cooldown = (c, endpoints) => {
    if (c) add({ level: level(c), subject: c.subject, cause: c.cause || c.class, only: c.only, until: c.until, probe: c.probe, message: c.message, quota: c.quota, remedy: c.remedy, page: c.page, since: c.since, endpoints });
  };
  for (const p of state.paused || []) {
    add({ level: "off", subject: p.subject, cause: "paused", until: p.until, since: p.since, message: p.why, remedy: "Resume it with “spillway resume”.", endpoints: 0 });
  }
  for (const p of state.projects) {
    cooldown(p.cooldown, 0);
    for (const k of p.keys || []) cooldown(k.cooldown, 0);
  }
  for (const e of state.endpoints) {
    cooldown(e.cooldown, 1);
    const where = e.endpoint + " " + title(e);
    if (e.breaker) add({ level: standing({ breaker: e.breaker }).level, subject: e.subject || where, cause: "breaker " + e.breaker.state.replaceAll("_", "-"), until: e.breaker.until, remedy: e.remedy, page: e.page, message: e.why, endpoints: 1 });
    if (e.why && !e.cooldown && !e.breaker) add({ level: "warn", subject: e.subject || where, cause: e.cause || "busy", until: e.until, message: e.why, remedy: e.remedy, page: e.page, endpoints: 1 });
    if (e.warning) add({ level: "warn", subject: e.warning.subject || where, cause: e.warning.cause, until: e.warning.until, message: e.warning.why, remedy: e.warning.remedy, page: e.warning.page });
  }
  const s = state.store;
  if (s && !s.answers) add({ level: "bad", subject: "store", cause: "store away", since: s.since, message: s.problem || "It has not answered yet.", remedy: "This replica keeps to its part of the limits until the store answers." });
  const order = { bad: 0, off: 1, warn: 2 };
  return [...found.values()].sort((a, b) => order[a.level] - order[b.level] || (b.endpoints || 0) - (a.endpoints || 0) || (a.key < b.key ? -1 : 1));
}

// headline says in one sentence how the pool stands, and how bad that is.
export function headline(state) {
  const all = models(state);
  const out = all.filter((m) => m.endpoints.length > 0 && m.ready === 0);
  if (all.length === 0) {
    const dead = state.projects.filter((p) => p.cooldown || (p.keys?.length && p.keys.every((k) => k.cooldown)));
    if (state.projects.length === 0) return { level: "bad", text: "The pool has no project." };
    if (dead.length === state.projects.length) return { level: "bad", text: "Nothing can serve: every project is out." };
    return { level: "good", text: "Ready. No model was called yet." };
  }
  if (out.length === all.length) return { level: "bad", text: "Nothing can serve: every endpoint refuses calls." };
  if (out.length > 0) return { level: "bad", text: "No endpoint is ready for " + names(out.map((m) => m.name)) + "." };
  const refusing = state.endpoints.filter((e) => !ready(e)).length;
  const store = state.store && !state.store.answers ? " The store is away." : "";
  if (refusing > 0) return { level: "warn", text: "Every model is served. " + refusing + " of " + state.endpoints.length + (refusing === 1 ? " endpoints refuses calls." : " endpoints refuse calls.") + store };
  if (store) return { level: "warn", text: "Every model is served." + store };
  if (problems(state).length > 0) return { level: "warn", text: "Every model is served." };
  return { level: "good", text: "Every model is served. Nothing is wrong." };
}

function names(list) {
  return list.length > 3 ? list.slice(0, 3).join(", ") + " and " + (list.length - 3) + " more" : list.join(", ");
}
