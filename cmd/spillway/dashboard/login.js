// Where the sidecar asks for the operators' token: a form that exchanges it for a cookie, which no
// script can read. The token stays nowhere.

const place = (id) => document.getElementById(id);
let done;

// signedIn asks whether the sidecar tells what the page shows. One that does not respond may.
export async function signedIn() {
  try {
    const response = await fetch("login", { signal: AbortSignal.timeout(10_000) });
    return !response.ok || (await response.json()).signed_in;
  } catch {
    return true;
  }
}

// askForToken shows the form in place of everything else, until the sidecar has taken a token.
export function askForToken(problem) {
  place("login-problem").textContent = problem;
  return new Promise((resolve) => {
    done = resolve;
    switchTo(true);
    place("token").focus();
  });
}

function switchTo(asking) {
  place("login").hidden = !asking;
  for (const part of document.querySelectorAll("main > section:not(#login)")) part.hidden = asking;
}

place("login-form").addEventListener("submit", async (e) => {
  e.preventDefault();
  const token = place("token");
  let problem = "The sidecar does not respond.";
  try {
    const response = await fetch("login", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: token.value }), signal: AbortSignal.timeout(10_000),
    });
    problem = { 200: "", 403: "This is not the admin_token." }[response.status] ?? "The sidecar responds with " + response.status + ".";
  } catch {
    // It does not respond.
  }
  place("login-problem").textContent = problem;
  token.setAttribute("aria-invalid", String(problem !== ""));
  if (problem !== "") {
    token.select();
    return;
  }
  token.value = "";
  switchTo(false);
  done();
});
