"use strict";
// Everything that comes from the server is shown as text, never as markup: names are what users typed.
const el = id => document.getElementById(id);
const EVERY = 1000, WAIT_MAX = 30000, ANSWER_MAX = 10000;

// A link may bring the key behind '#', which browsers do not send to the server.
const brought = new URLSearchParams(location.hash.slice(1)).get("key");
if (brought) {
  sessionStorage.setItem("key", brought);
  sessionStorage.removeItem("is-session");
  history.replaceState(null, "", "/");
}
let key = sessionStorage.getItem("key") || "";
// Grows with every change of the key, so that an answer to an earlier one is not shown.
let turn = 0;
let failures = 0;
let timer;
let seen = null;
let seenAt = null;

const WORDS = {
  not_loaded: "not loaded", waiting_unload: "unloads when its calls have ended", unload_in_progress: "unloading",
  active: "loaded, not dialling", running: "dialling",
  push_preview: "pushed preview",
  not_running: "it is not running", no_agents: "no agent with its skill is at work", agents_busy: "no agent is ready",
  nobody_asked: "no agent has asked for a contact", no_lines: "the switch cannot be reached",
  nothing_callable_now: "no contact may be called at this hour", nothing_left: "no contact is left",
  caller_ids_used_up: "every caller id was shown as often as it may be",
  logged_out: "logged out", not_ready: "not ready", on_call: "talking", wrap_up: "wrapping up",
  reserved: "held for a call", preview: "preview",
};
const none = value => value === null || value === undefined;
const text = value => none(value) ? "–" : String(value);
const words = value => none(value) ? "–" : WORDS[value] || String(value).replaceAll("_", " ");
const percent = value => none(value) ? "–" : (value * 100).toFixed(1) + " %";
const clock = at => at.toLocaleTimeString("en-GB");

function duration(since, now) {
  const seconds = Math.max(0, Math.floor((new Date(now) - new Date(since)) / 1000));
  if (!Number.isFinite(seconds)) return "–";
  const two = part => String(part).padStart(2, "0");
  const hours = Math.floor(seconds / 3600), minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function table(caption, heads, rows) {
  const made = document.createElement("table");
  made.createCaption().textContent = caption;
  const top = made.createTHead().insertRow();
  for (const [head, isNumber] of heads) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = head;
    if (isNumber) cell.className = "n";
    top.append(cell);
  }
  const body = made.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    cells.forEach((value, i) => {
      const cell = i === 0 ? document.createElement("th") : document.createElement("td");
      if (i === 0) cell.scope = "row";
      cell.textContent = text(value);
      if (heads[i][1]) cell.className = "n";
      row.append(cell);
    });
  }
  return made;
}

// What stands where a table would be empty, with where to read on.
function nothing(words, link, href) {
  const said = document.createElement("p"), to = document.createElement("a");
  to.textContent = link;
  to.href = href;
  said.append(words + " ", to);
  return said;
}

function show(view) {
  const groups = view.groups.map(g => [
    g.name, words(g.state), words(g.dial_mode), g.agents_ready + " / " + g.agents_working, g.ringing, g.waiting,
    g.connected, g.announcing, g.figures.dialled, g.figures.answered, percent(g.figures.abandon_rate), g.hopper,
    words(g.idle_reason),
  ]);
  el("groups").replaceChildren(groups.length > 0
    ? table("Campaign groups", [
      ["Name"], ["State"], ["Mode"], ["Agents ready / working"], ["Ringing", 1], ["Waiting for an agent", 1],
      ["Talking", 1], ["Hearing a message", 1], ["Dialled", 1], ["Answered", 1], ["Abandoned", 1], ["Hopper", 1],
      ["Not dialling because"],
    ], groups)
    : nothing("No campaign group is loaded.", "How to load one is in the API documentation.", "/docs/"));
  el("shares").textContent =
    `Of their time at work agents talked ${percent(view.talk_share)} and were busy (talking or wrapping up) ${percent(view.busy_share)}.`;
  const shown = view.agents.filter(a => el("everybody").checked || a.state !== "logged_out");
  const agents = shown.map(a => [a.name, words(a.state), a.reason, duration(a.since, view.at)]);
  el("agents").replaceChildren(agents.length > 0
    ? table("Agents", [["Name"], ["State"], ["Reason"], ["For", 1]], agents)
    : nothing("No agent is logged in.", "How agents log in is in the API documentation.", "/docs/"));
  el("live").hidden = false;
}

function clear() {
  seen = seenAt = null;
  el("groups").replaceChildren();
  el("agents").replaceChildren();
  el("shares").textContent = "";
  el("live").hidden = true;
  el("live").classList.remove("stale");
  say("");
}

// The time stands apart from what is read out, or a screen reader would tell it every second.
function say(words) {
  el("seen").textContent = seenAt ? `Last update ${clock(seenAt)}` : "";
  if (el("status").textContent !== words) el("status").textContent = words;
}

async function look() {
  clearTimeout(timer);
  if (!key) return;
  const mine = turn;
  let goesOn = true;
  try {
    const answer = await fetch("/v1/live", {
      headers: { Authorization: "Bearer " + key }, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MAX),
    });
    const body = await answer.json().catch(() => ({}));
    if (mine !== turn) return;
    if (answer.status === 401 || answer.status === 403) {
      goesOn = false;
      clear();
    }
    if (!answer.ok) throw new Error(body.detail || `The server answered ${answer.status}.`);
    show(body);
    seen = body;
    seenAt = new Date();
    failures = 0;
    el("problem").textContent = "";
    el("live").classList.remove("stale");
    say("");
  } catch (problem) {
    if (mine !== turn) return;
    failures += 1;
    el("problem").textContent = problem instanceof TypeError || problem.name === "TimeoutError"
      ? "The server cannot be reached." : problem.message;
    if (goesOn) {
      el("live").classList.add("stale");
      say("reconnecting");
    }
  } finally {
    if (mine === turn && goesOn) timer = setTimeout(look, Math.min(EVERY * 2 ** failures, WAIT_MAX));
  }
}

function use(secret) {
  clearTimeout(timer);
  turn += 1;
  failures = 0;
  key = secret;
  if (key) sessionStorage.setItem("key", key); else sessionStorage.removeItem("key");
  el("key").value = "";
  el("password").value = "";
  el("problem").textContent = "";
  el("known").hidden = !key;
  clear();
  look();
}

el("with-key").addEventListener("submit", event => {
  event.preventDefault();
  const given = el("key").value.trim();
  sessionStorage.removeItem("is-session");
  if (given) use(given);
});

el("with-password").addEventListener("submit", async event => {
  event.preventDefault();
  const asked = { tenant: el("tenant").value.trim(), login: el("login").value.trim(), password: el("password").value };
  try {
    const answer = await fetch("/v1/sessions", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked),
      signal: AbortSignal.timeout(ANSWER_MAX),
    });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(body.detail || `The server answered ${answer.status}.`);
    sessionStorage.setItem("is-session", "yes");
    use(body.token);
  } catch (problem) {
    el("problem").textContent = problem instanceof TypeError || problem.name === "TimeoutError"
      ? "The server cannot be reached." : problem.message;
  }
});

el("forget").addEventListener("click", () => {
  // A log-in ends with it; a key stays good for others who have it.
  if (sessionStorage.getItem("is-session")) {
    fetch("/v1/sessions/current", { method: "DELETE", headers: { Authorization: "Bearer " + key } }).catch(() => {});
  }
  sessionStorage.removeItem("is-session");
  use("");
});

el("everybody").addEventListener("change", () => { if (seen) show(seen); });

el("known").hidden = !key;
look();
