// What the sidecar tells: by server-sent events, or by asking again and again where these fail.
import { askForToken, signedIn } from "./login.js";

const silence = 25_000; // the sidecar says something every 10 s
const patience = 2_000;

// follow tells hear of every "state" and "history", and of the link's state.
export function follow(hear) {
  let source, poll, heard = 0, failures = 0, locked = false;

  const tell = (name, data) => {
    heard = Date.now();
    failures = 0;
    hear[name](data);
  };

  function connect() {
    source?.close();
    source = new EventSource("live");
    heard = Date.now();
    for (const name of ["state", "history"]) {
      source.addEventListener(name, (e) => {
        clearTimeout(poll);
        poll = undefined;
        hear.link("live");
        tell(name, JSON.parse(e.data));
      });
    }
    source.onerror = () => ask();
  }

  // ask polls until the stream is there again.
  function ask(again) {
    if (poll && !again) return;
    poll = setTimeout(async () => {
      try {
        const response = await fetch("live?once=1", { signal: AbortSignal.timeout(10_000) });
        if (response.status === 401 && !await signedIn()) return unlock();
        if (!response.ok) throw new Error(response.status);
        const { state, history } = await response.json();
        if (!poll) return; // the stream is back
        hear.link("polling");
        tell("history", history);
        tell("state", state);
      } catch {
        failures++;
        if (poll) hear.link("away");
      }
      if (poll) ask(true);
    }, again ? Math.min(patience * (1 + failures), 10_000) : 0);
  }

  // unlock follows what only operators may see, once one is there.
  async function unlock() {
    if (locked) return;
    locked = true;
    source?.close();
    clearTimeout(poll);
    poll = undefined;
    for (let problem = ""; !await signedIn(); problem = "The browser keeps no cookie of the sidecar’s.") {
      hear.link("locked");
      await askForToken(problem);
    }
    locked = false;
    connect();
  }

  unlock();
  setInterval(() => {
    if (locked) return;
    if (source.readyState === EventSource.CLOSED || (!poll && Date.now() - heard > silence)) {
      ask();
      connect();
    }
  }, 5_000);
}
