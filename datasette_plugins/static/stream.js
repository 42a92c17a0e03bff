// One event stream per visible page. A hidden page lets go of it (browsers allow six connections per site) and
// catches up when it is looked at again: the server takes it from the last event seen.
const RETRY_MS = 2000;

const live = document.getElementById("live");

function say(state, text) {
  if (!live) return;
  live.dataset.state = state;
  live.textContent = text;
}

function showProblems({ problems }) {
  document.getElementById("problems").replaceChildren(
    ...problems.map(({ level, text, command }) => {
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
    }),
  );
}

export function connect(path, handlers) {
  const url = new URL(path, location.href);
  const all = { problems: showProblems, ...handlers };
  let source = null;
  let retry = 0;

  function open() {
    clearTimeout(retry);
    if (source || document.hidden) return;
    source = new EventSource(url);
    source.onopen = () => say("on", "live");
    source.onerror = () => {
      // A stream that ended comes back by itself; one that was refused does not.
      if (source.readyState !== EventSource.CLOSED) return setTimeout(check, RETRY_MS, source);
      close();
      say("off", "dashboard not reachable, trying again");
      retry = setTimeout(open, RETRY_MS);
    };
    for (const [name, handle] of Object.entries(all)) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) url.searchParams.set("after", event.lastEventId);
        handle(JSON.parse(event.data));
      });
    }
  }

  function check(asked) {
    if (asked === source && source.readyState === EventSource.CONNECTING) say("off", "dashboard not reachable, trying again");
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
