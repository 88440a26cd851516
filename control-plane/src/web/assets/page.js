/*
 * The page: signs in with the code that came behind the `#`, lists sessions, plays one. Text of recordings, names and
 * commands comes from contractors and hosts: it gets into the page as text only, never as markup.
 */
(() => {
  const byId = (id) => document.getElementById(id);
  const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
  /** Text with what would hide or turn other text made visible. */
  const shown = (text) =>
    String(text).replace(CONTROLS, (char) => `\\u{${char.codePointAt(0).toString(16)}}`);
  const say = (text) => {
    byId("notice").textContent = shown(text);
  };

  let sessions = [];
  let player;

  async function ask(path, options = {}) {
    let response;
    try {
      response = await fetch(`/web${path}`, { credentials: "same-origin", redirect: "error", ...options });
    } catch {
      throw new Error("The server cannot be reached; try again in a minute.");
    }
    if (response.ok) return response;
    const body = await response.json().catch(() => undefined);
    const error = new Error(body?.error?.message ?? `The server answered ${response.status}.`);
    error.status = response.status;
    throw error;
  }

  /** The code leaves the address at once: neither history nor a bookmark keeps it. */
  function takeCode() {
    const code = new URLSearchParams(location.hash.slice(1)).get("code");
    if (location.hash !== "") history.replaceState(null, "", location.pathname);
    return code;
  }

  async function signIn(code) {
    await ask("/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code }),
    });
  }

  async function start() {
    const code = takeCode();
    let problem;
    if (code !== null)
      await signIn(code).catch((error) => {
        problem = error.message;
      });
    try {
      const who = await (await ask("/session")).json();
      const until = new Date(who.expiresAt * 1000).toLocaleTimeString([], { timeStyle: "short" });
      byId("name").textContent = shown(`${who.name} (${who.roles.join(", ") || "no role"}), until ${until}`);
      byId("who").hidden = false;
    } catch (error) {
      byId("who").hidden = true;
      byId("list-view").hidden = true;
      return say(problem ?? error.message);
    }
    say(problem ?? "");
    byId("list-view").hidden = false;
    await more();
  }

  async function more() {
    const last = sessions.at(-1)?.id;
    const query = last === undefined ? "" : `?before=${encodeURIComponent(last)}`;
    const found = await (await ask(`/sessions${query}`)).json();
    sessions = [...sessions, ...found];
    byId("older").hidden = found.length < 50;
    if (sessions.length === 0) say("There are no sessions that you may see.");
    list();
  }

  function list() {
    const wanted = byId("filter").value.trim().toLowerCase();
    const rows = sessions
      .filter((session) => wanted === "" || searchText(session).includes(wanted))
      .map(rowOf);
    byId("rows").replaceChildren(...rows);
  }

  const searchText = ({ id, host, account, member, engagement, command }) =>
    [id, host, account, member.name, engagement.name, command ?? ""].join("\n").toLowerCase();

  function rowOf(session) {
    const row = document.createElement("tr");
    if (session.state === "live") row.className = "live";
    const cell = (text, className = "") => {
      const element = row.insertCell();
      element.textContent = shown(text);
      element.className = className;
    };
    cell(time(session.startedAt));
    cell(lasted(session));
    cell(session.host);
    cell(session.account);
    cell(
      session.assurance === "brokered" ? `${session.member.name} (brokered)` : session.member.name,
      "text",
    );
    cell(session.engagement.name);
    cell(stateOf(session), "state");
    cell(session.command ?? (session.kind === "pty" ? "(shell)" : ""), "text command");
    row.insertCell().append(playButton(session));
    return row;
  }

  function playButton(session) {
    const { recording } = session;
    if (recording.state === "deleted") {
      const gone = document.createElement("span");
      gone.textContent = shown(`deleted ${time(recording.deletedAt)} by ${recording.deletedBy}`);
      return gone;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = recording.held ? "Play (held)" : "Play";
    button.setAttribute("aria-label", shown(`Play the session of ${session.member.name} on ${session.host}`));
    button.addEventListener("click", () => play(session).catch((error) => say(error.message)));
    return button;
  }

  async function play(session) {
    say("Fetching the recording…");
    const response = await ask(`/sessions/${encodeURIComponent(session.id)}/cast`);
    const data = await response.text();
    say("");
    stop();
    byId("player-title").textContent = shown(
      `${session.member.name} as ${session.account} on ${session.host}`,
    );
    byId("player-facts").textContent = shown(
      [
        time(session.startedAt),
        `lasted ${lasted(session)}`,
        session.engagement.name,
        stateOf(session),
        session.command ?? "",
        session.id,
      ]
        .filter((part) => part !== "")
        .join(" · "),
    );
    byId("player-view").hidden = false;
    player = AsciinemaPlayer.create({ data }, byId("player"), {
      fit: "both",
      autoPlay: true,
      idleTimeLimit: 2,
      controls: true,
      terminalFontFamily: "ui-monospace, monospace",
    });
    byId("player-title").focus();
  }

  function stop() {
    player?.dispose();
    player = undefined;
    byId("player").replaceChildren();
    byId("player-view").hidden = true;
  }

  const time = (seconds) =>
    new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

  function lasted({ startedAt, endedAt }) {
    const seconds = Math.max(0, Math.round((endedAt ?? Date.now() / 1000) - startedAt));
    if (seconds < 120) return `${seconds} s`;
    return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
  }

  function stateOf({ state, endReason, exitStatus, signal }) {
    if (state === "live") return "live";
    const reason = endReason === null || endReason === "exited" ? "" : endReason;
    const result = signal ?? (exitStatus === null ? "" : `exit ${exitStatus}`);
    return [reason, result].filter((part) => part !== "").join(", ") || "ended";
  }

  byId("filter").addEventListener("input", list);
  byId("older").addEventListener("click", () => more().catch((error) => say(error.message)));
  byId("close").addEventListener("click", stop);
  byId("sign-out").addEventListener("click", async () => {
    await ask("/session", { method: "DELETE" }).catch((error) => say(error.message));
    sessions = [];
    stop();
    await start();
  });
  addEventListener("hashchange", () => start().catch((error) => say(error.message)));
  start().catch((error) => say(error.message));
})();
