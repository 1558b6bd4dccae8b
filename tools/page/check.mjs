// Looks at the sidecar's page in Chromium, in every state that the emulator can make:
// node check.mjs STAGE SPILLWAY CHROMIUM [FOLDER [SCENE...]]. With a FOLDER it keeps screenshots
// there.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { openScene } from "./stage.mjs";

const [stage, spillway, executablePath, folder, ...only] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const wide = { viewport: { width: 1120, height: 740 } };
const phone = { viewport: { width: 320, height: 700 }, hasTouch: true };
const dark = { ...wide, colorScheme: "dark" };

// open opens the page of a scene, and notes what no page of ours may do.
async function open(scene, options = wide, prepare, [first, text] = ["#about", "project"]) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.faults = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.faults.push(`console: ${m.text()}`));
  page.on("pageerror", (e) => page.faults.push(`error: ${e.stack}`));
  page.on("dialog", (d) => { page.faults.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => r.url().startsWith(scene.url + "/spillway/") || page.faults.push(`request: ${r.url()}`));
  page.on("response", (r) => r.ok() || r.status() === 304 || page.faults.push(`response: ${r.status()} ${r.url()}`));
  await prepare?.(page);
  await page.goto(scene.url + "/spillway/");
  await page.locator(first).filter({ hasText: text }).waitFor();
  await page.evaluate(() => { window.same = true; }); // gone after a reload
  return page;
}

// close looks at the page for the last time.
async function close(page) {
  await sound(page);
  await page.context().close();
}

// sound says that the page is whole: nothing went wrong, nothing is told that must not be, nobody is
// kept out, and nothing is wider than the screen.
async function sound(page) {
  assert.deepEqual(page.faults, []);
  assert.ok(await page.evaluate(() => window.same), "the page was loaded again");
  const markup = await page.content();
  assert.ok(!markup.includes("CANARY"), "a key or a prompt is on the page");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, "the page is wider than the screen");
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
  const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  assert.deepEqual(serious.map((v) => [v.id, v.nodes.slice(0, 3).map((n) => n.html)]), []);
}

// has waits until a part of the page has a text.
async function has(page, part, text) {
  await page.locator(part).filter({ hasText: text }).first().waitFor({ timeout: 15_000 })
    .catch(async () => assert.fail(`${part} has no ${text}: ${await page.locator(part).first().innerText()}`));
}

const status = async (scene) => (await fetch(scene.url + "/spillway/status")).json();

// all says that all of the state is on the page.
async function all(page, scene) {
  const state = await status(scene);
  await has(page, "#about", `${state.endpoints.length} endpoint`);
  const lanes = await page.locator("#lanes").innerText();
  const problems = await page.locator("#problems").textContent();
  for (const p of state.projects) {
    for (const k of p.keys || []) assert.ok(lanes.includes(k.key), `key ${k.key}`);
    for (const c of [p.cooldown, ...(p.keys || []).map((k) => k.cooldown)].filter(Boolean)) known(problems, c);
  }
  for (const e of state.endpoints) {
    assert.ok(lanes.includes(e.model) && lanes.includes(e.endpoint.split("/")[1]), e.endpoint);
    if (e.cooldown) known(problems, e.cooldown);
    for (const l of e.limits || []) assert.ok(lanes.includes(l.name), `limit ${l.name} of ${e.endpoint}`);
  }
}

function known(problems, c) {
  for (const text of [c.subject, c.cause || c.class, c.remedy]) assert.ok(!text || problems.includes(text), `${text} is not in ${problems}`);
}

const scenes = {
  async ready(scene) {
    const page = await open(scene);
    await has(page, "#headline[data-level=good]", "Every model is served");
    await has(page, "#link", "live");
    await all(page, scene);
    await has(page, "#calls", "served");
    await sound(page);
    await scene.act();
    await has(page, "#problems", "key_revoked");
    await has(page, "#events", "cooldown started");
    await has(page, "#headline[data-level=warn]", "1 of 2 endpoints refuses calls");
    await all(page, scene);
    // Google's page is the only link, and gives nothing of the page away.
    const links = await page.locator("#problems a").evaluateAll((list) => list.map((a) => [a.protocol, a.rel]));
    assert.ok(links.length > 0);
    for (const link of links) assert.deepEqual(link, ["https:", "noopener noreferrer"]);
    // A call is explained, by keyboard.
    const first = page.locator("#calls button[data-call]").nth(1);
    await first.focus();
    assert.ok(await first.evaluate((e) => e.matches(":focus-visible") && getComputedStyle(e).outlineStyle !== "none"), "the focus does not show");
    await page.keyboard.press("Enter");
    await has(page, ".why", "attempt");
    await has(page, ".why", "key_dead");
    assert.equal(await first.getAttribute("aria-expanded"), "true");
    assert.ok(await first.evaluate((e) => e === document.activeElement), "the focus is lost");
    await sound(page);
    page.faults.length = 0;
    await scene.act().catch(() => {}); // the sidecar leaves
    await has(page, "#link[data-level=bad]", "does not respond");
    page.faults = page.faults.filter((f) => !f.startsWith("console: Failed to load resource: net::"));
    await close(page);
  },
  async idle(scene) {
    const page = await open(scene);
    await has(page, "#headline[data-level=good]", "No model was called yet");
    await has(page, "#caches", "The file has no [[cache]]");
    await all(page, scene);
    await scene.act();
    await has(page, "#models", "gemini-3.5-flash");
    await has(page, "#calls", "served");
    await sound(page);
    // A link on another site opens it, and no other site shows it in a frame.
    await page.goto(`data:text/html,<a href="${scene.url}/spillway/">page</a><iframe src="${scene.url}/spillway/"></iframe>`);
    assert.equal(await page.frameLocator("iframe").locator("#about").count(), 0, "it is shown in a frame");
    page.faults.length = 0;
    await page.getByRole("link").click();
    await has(page, "#headline[data-level=good]", "Every model is served");
    await page.evaluate(() => { window.same = true; });
    await close(page);
  },
  // Operators who have a token sign in with it; another one gets nothing.
  async locked(scene) {
    const page = await open(scene, phone, undefined, ["#link", "signed out"]);
    assert.deepEqual(await page.locator("main > section:visible").evaluateAll((all) => all.map((e) => e.id)), ["login"]);
    assert.ok(await page.locator("#token").evaluate((e) => e === document.activeElement), "the token has no focus");
    await sound(page);
    await page.keyboard.type("another-token");
    await page.keyboard.press("Enter");
    await has(page, "#login-problem", "not the admin_token");
    page.faults = page.faults.filter((f) => !/^response: 403 .*login$|^console: Failed to load resource: .* 403/.test(f));
    await sound(page);
    await page.keyboard.type("CANARY-operators-token");
    await page.keyboard.press("Enter");
    await has(page, "#headline[data-level=good]", "Every model is served");
    await has(page, "#link", "live");
    assert.deepEqual(await page.evaluate(() => [document.cookie, document.querySelector("#token").value, location.search]), ["", "", ""]);
    await sound(page);
    await page.reload();
    await has(page, "#headline[data-level=good]", "Every model is served");
    // The session ends: the page asks again.
    await page.context().clearCookies();
    await page.evaluate(() => { window.same = true; });
    await page.reload();
    await has(page, "#link", "signed out");
    await page.evaluate(() => { window.same = true; });
    await close(page);
  },
  async cached(scene) {
    const page = await open(scene);
    await all(page, scene);
    await has(page, "#caches tr", /gemini-3.5-flash\s*all callers, as all of them\s*75 % of 4 calls\s*3\s*1\s*1\s*[\d,]+ of 1M/);
    await has(page, "#caches tr", /gemini-3.5-flash-lite\s*each caller’s own\s*no calls\s*0\s*0\s*0\s*0 of 67.1M/);
    await has(page, "#calls", "response cache");
    await page.locator("#calls button[data-call]").first().click();
    await has(page, ".why", "Google was not asked: the response cache had the response of an equal call.");
    await sound(page);
    await scene.act();
    await has(page, "#caches tr", /of calls that ask for it\s*each caller’s own\s*50 % of 2 calls/);
    await close(page);
    await close(await open(scene, phone));
  },
  async emptied(scene) {
    const page = await open(scene);
    await has(page, "#headline[data-level=bad]", "every project is out");
    await has(page, "#problems", "project:spare");
    await sound(page);
    await scene.act();
    await has(page, "#calls", "refused 429");
    await has(page, "#headline[data-level=bad]", "Nothing can serve");
    await close(page);
  },
  async cooldown(scene) {
    const page = await open(scene);
    await has(page, "#headline[data-level=warn]", "Every model is served");
    await all(page, scene);
    const causes = new Set((await status(scene)).endpoints.map((e) => e.cause).filter(Boolean));
    assert.ok(causes.size >= 9, `only ${[...causes]}`);
    const left = page.locator("#problems > ul > li", { hasText: "free_minute" }).locator(".left").first();
    const before = await left.innerText();
    await page.waitForFunction((was) => [...document.querySelectorAll("#problems .left")].every((e) => e.innerText !== was), before);
    await close(page);
    await close(await open(scene, phone));
  },
  async limits(scene) {
    const page = await open(scene);
    await all(page, scene);
    await has(page, "#lanes .meter[data-level=good]", "2 of 10");
    await has(page, "#lanes .meter[data-level=warn]", "9 of 10");
    await has(page, "#lanes .meter[data-level=bad]", "3 of 3 full");
    await has(page, "#headline[data-level=bad]", "No endpoint is ready for gemini-3.5-flash-lite");
    await page.locator("#filter").fill("pro");
    await page.waitForFunction(() => document.querySelectorAll("#lanes article").length === 1);
    await page.locator("#filter").fill("");
    await page.locator("#wrong").check();
    await page.waitForFunction(() => document.querySelectorAll("#lanes article").length === 1 && document.querySelector("#lanes").innerText.includes("full"));
    await close(page);
  },
  async order(scene) {
    const page = await open(scene);
    await all(page, scene);
    await has(page, "#lanes .meter[data-level=good]", "of 81,000");
    await scene.act();
    await has(page, "#lanes", "provisioned_full");
    await has(page, "#lanes .meter.note", "paced");
    await has(page, "#problems", "contention");
    await has(page, "#plots", "prod provisioned");
    await close(page);
  },
  async paused(scene) {
    const page = await open(scene);
    await has(page, "#problems li[data-level=off]", "project:main");
    await has(page, "#problems", "invoices are looked at");
    await has(page, "#headline[data-level=warn]", "1 of 2");
    await sound(page);
    await scene.act();
    await has(page, "#headline[data-level=good]", "Nothing is wrong");
    await close(page);
  },
  async breaker(scene) {
    const page = await open(scene);
    await has(page, "#problems", "breaker open");
    await has(page, "#lanes", "breaker open");
    await close(page);
  },
  async store(scene) {
    const page = await open(scene);
    await has(page, "#problems li[data-level=bad]", "store away");
    await has(page, "#fleet", "does not answer");
    await has(page, "#headline[data-level=warn]", "The store is away");
    await close(page);
    // The same sidecar, had its store answered.
    const { state, history } = await (await fetch(scene.url + "/spillway/live?once=1")).json();
    Object.assign(state.store, { answers: true, knows: true, members: 3, lapsed: 1, limits: 2, lag: "310µs", problem: "" });
    state.endpoints[0].limits = [{ name: "rpm", used: 4, limit: 10 }];
    state.endpoints[0].shared = { requests: 3, tokens: 1200, slots: 0 };
    const data = (name, value) => `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
    const fleet = await open(scene, wide, (page) => page.route(/\/live(\?|$)/, (route) =>
      route.fulfill(route.request().url().endsWith("once=1") ? { json: { state, history } }
        : { contentType: "text/event-stream", body: data("history", history) + data("state", state) })));
    await has(fleet, "#headline[data-level=good]", "Every model is served. Nothing is wrong.");
    await has(fleet, "#about", "3 replicas");
    await has(fleet, "#fleet", "1 member for less than a minute");
    await has(fleet, "#fleet", "2 limits shared");
    await has(fleet, "#lanes .meter.note", "3 calls, 1,200 tok");
    await sound(fleet);
    await fleet.context().close();
  },
  async refused(scene) {
    const page = await open(scene);
    await has(page, "#headline[data-level=bad]", "Nothing can serve");
    const [m] = (await status(scene)).models;
    assert.ok(m.refused > 5);
    await has(page, "#models", `${m.refused} of ${m.calls} calls refused`);
    await has(page, "#calls", "refused 429");
    assert.equal(await page.locator("#headline").getAttribute("role"), "status");
    await scene.act();
    await has(page, "#models", `${m.refused + 4} of ${m.calls + 4} calls refused`);
    await page.locator("#calls button[data-call]").first().click();
    await has(page, ".why", "Passed over");
    await close(page);
  },
  async hostile(scene) {
    const page = await open(scene);
    await has(page, "#problems", "<img src=x onerror=alert(1)>");
    await has(page, "#calls", "<b onclick=alert(3)>team</b>");
    assert.equal(await page.locator("main img, main script, main b[onclick]").count(), 0, "a text is markup");
    assert.doesNotMatch(await page.evaluate(() => document.body.innerText), /[\u0000-\u0008\u000b-\u001f\u202a-\u202e\u2066-\u2069]/);
    await close(page);
  },
  async hundred(scene) {
    const page = await open(scene);
    await all(page, scene);
    assert.equal(await page.locator("#lanes article").count(), 100);
    await page.locator("#wrong").check();
    await page.waitForFunction(() => document.querySelectorAll("#lanes article").length === 40);
    await close(page);
    await close(await open(scene, phone));
  },
  // A page of a large pool shows a part, and finds the rest.
  async thousand(scene) {
    const page = await open(scene);
    await has(page, "#lanes", "more. Write what you look for above.");
    await has(page, "#models", "more models");
    assert.ok(await page.evaluate(() => document.querySelectorAll("*").length) < 20_000, "the page is too large");
    await page.locator("#filter").fill("project-999");
    await page.waitForFunction(() => [...document.querySelectorAll("#lanes article")].map((e) => e.dataset.key).join() === "project-999");
    await close(page);
  },
  async night(scene) {
    // Without a stream it asks: the same page comes up, and goes on.
    const asking = await open(scene, wide, (page) => page.route(/\/live$/, (route) => route.abort()));
    await has(asking, "#link[data-level=warn]", "by asking");
    const calls = async () => (await status(scene)).models.reduce((n, m) => n + m.calls, 0);
    await scene.act();
    await has(asking, "#models", `of ${(await status(scene)).models[0].calls} calls refused`);
    assert.ok(await calls() > 50);
    await asking.unroute(/\/live$/); // the stream is there again
    await has(asking, "#link[data-level=good]", "live");
    asking.faults = asking.faults.filter((f) => !f.startsWith("console: Failed to load resource: net::ERR_FAILED"));
    await close(asking);
    for (const [name, options] of Object.entries({ light: wide, dark, phone })) {
      const page = await open(scene, options);
      await has(page, "#plots", "free-a on demand");
      await has(page, "#calls", "refused 429");
      await has(page, "#events", "cooldown started");
      assert.ok(await page.locator("#plots rect").count() > 2, "the plots are empty");
      await sound(page);
      if (folder) await page.screenshot({ path: join(folder, `page-${name}.png`) });
      await close(page);
    }
  },
};

let failed = 0;
for (const [name, look] of Object.entries(scenes)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const scene = await openScene(stage, spillway, name);
  const began = Date.now();
  try {
    await look(scene);
    console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (e) {
    failed++;
    console.log(`FAIL ${name}: ${e.stack}`);
  } finally {
    await scene.close();
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
