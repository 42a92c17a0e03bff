// One event stream per visible page. A hidden page lets go of it (browsers allow six connections per site) and
// catches up when it is looked at again: the server takes it from the last event seen.
const RETRY_MS = 2000;
const BACK_MS = 8000;

const live = document.getElementById("live");
const banner = document.getElementById("problems");
let connected = false;
let lostAt = 0; // when this page noticed that nobody answers

function say(state, text) {
  if (!live) return;
  live.dataset.state = state;
  live.textContent = text;
}

function problem(level, text, command) {
  const p = document.createElement("p");
  p.className = `problem ${level === "error" ? "error" : "warning"}`;
  const kind = document.createElement("strong");
  kind.textContent = level === "error" ? "Error" : "Note";
  const what = document.createElement("span");
  what.textContent = text;
  p.append(kind, " ", what);
  if (command) {
    const code = document.createElement("code");
    code.textContent = command;
    p.append(" ", code);
  }
  return p;
}

// What this page itself has to say stands above what the server says of the suite.
function note(...said) {
  for (const old of banner.querySelectorAll("[data-own]")) old.remove();
  for (const p of said) p.dataset.own = "";
  banner.prepend(...said);
}

function showProblems({ problems }) {
  const own = banner.querySelectorAll("[data-own]");
  const told = problems.map(({ level, text, command, unread }) => {
    const p = problem(level, text, command);
    if (unread) p.dataset.unread = "";
    return p;
  });
  banner.replaceChildren(...own, ...told);
}

function lost() {
  say("off", "not reachable");
  if (lostAt) return;
  lostAt = Date.now();
  note(problem("error", "The dashboard is not reachable, trying again… What is shown may be old.", "llmitm up"));
}

function found() {
  say("on", "live");
  if (!lostAt) return;
  const back = problem("warning", `The dashboard was not reachable for ${Math.max(Math.round((Date.now() - lostAt) / 1000), 1)} s; this page is up to date again.`);
  lostAt = 0;
  note(back);
  setTimeout(() => back.remove(), BACK_MS);
}

function refused() {
  say("off", "logged out");
  const p = problem("error", "You are logged out.");
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Log in again";
  p.append(" ", link);
  note(p);
}

// Whether a page already has its stream.
export function isConnected() {
  return connected;
}

// Asks for the events at `path`, and has each handled by the function of its name.
export function connect(path, handlers) {
  connected = true;
  const url = new URL(path, location.href);
  const all = { problems: showProblems, ...handlers };
  let source = null;
  let retry = 0;

  function open() {
    clearTimeout(retry);
    if (source || document.hidden) return;
    source = new EventSource(url);
    source.onopen = found;
    source.onerror = () => {
      // A stream that ended comes back by itself; one that was refused does not.
      if (source.readyState !== EventSource.CLOSED) return setTimeout(check, RETRY_MS, source);
      close();
      why();
    };
    for (const [name, handle] of Object.entries(all)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) url.searchParams.set("after", event.lastEventId);
        handle(JSON.parse(event.data));
      });
    }
  }

  async function why() {
    const asking = new AbortController();
    try {
      const { status } = await fetch(url, { signal: asking.signal, redirect: "manual" });
      asking.abort();
      if (status === 401 || status === 403) return refused();
    } catch {
      // nobody there
    }
    lost();
    retry = setTimeout(open, RETRY_MS);
  }

  function check(asked) {
    if (asked === source && source.readyState === EventSource.CONNECTING) lost();
  }

  function close() {
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
