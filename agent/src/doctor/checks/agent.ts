import { connect } from "node:net";
import { availableParallelism } from "node:os";
import type { StatusDocument } from "../../status/status-document.ts";
import { plural } from "../../status/units.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";

const CONNECT_MS = 2_000;
const MANY_EVENTS = 10_000;
const RESTART = "systemctl restart sallyport-agent (sessions go on)";

/** Does the agent run, answer, and have recorders? */
export const agentCheck = check("agent", async (host) => {
  const { status, paths } = host;
  if (status === null)
    return [
      error(
        "the agent does not run, or does not answer",
        "Contractors cannot log in. Administrators and their keys are not affected; open sessions go on being recorded.",
        "systemctl start sallyport-agent (or: sallyport-agent run); if it ends again: journalctl -u sallyport-agent",
      ),
    ];
  const found = [
    ok(`agent ${status.version} runs (pid ${status.pid}), with ${plural(status.sessions.length, "session")}`),
  ];
  for (const socket of [paths.principalsSocket, paths.sessionSocket])
    if (!(await answers(socket)))
      found.push(
        error(`nobody answers on ${socket}`, "Without it no login can be decided or recorded.", RESTART),
      );
  return [...found, ...versions(host, status), ...recorders(host, status), ...events(status)];
});

function versions({ version }: ExaminedHost, status: StatusDocument): Found[] {
  if (status.version === version) return [];
  return [
    warning(
      `version ${status.version} runs, and ${version} is installed`,
      "What was mended in the installed version does not hold yet.",
      RESTART,
    ),
  ];
}

function recorders({ config }: ExaminedHost, { recorders }: StatusDocument): Found[] {
  const wanted = config.recorders || availableParallelism();
  const ready = recorders.filter(({ draining }) => !draining).length;
  const old = recorders.filter(({ draining }) => draining);
  const draining = old.map(({ pid, version, sessions }) =>
    ok(`recorder ${pid} of version ${version} ends with its last of ${plural(sessions, "session")}`),
  );
  if (ready >= wanted) return [ok(`${ready} recorders are ready`), ...draining];
  const fix = "journalctl -u sallyport-agent (it says why recorders end)";
  if (ready === 0)
    return [
      error("no recorder is ready", "What cannot be recorded is not admitted: contractors are refused.", fix),
      ...draining,
    ];
  return [
    warning(
      `${ready} of ${wanted} recorders are ready`,
      "The agent starts what is missing; if this stays so, they end again and again.",
      fix,
    ),
    ...draining,
  ];
}

function events({ outbox }: StatusDocument): Found[] {
  if (outbox.dropped > 0)
    return [
      warning(
        `${outbox.dropped} events were lost`,
        "More waited than are kept, or the disk was full: the control plane's audit trail has a gap, this host's log has not.",
        "Bring the control plane back (sallyport-agent status says why it is away); look into: journalctl -u sallyport-agent",
      ),
    ];
  if (outbox.waiting < MANY_EVENTS) return [];
  return [
    warning(
      `${outbox.waiting} events wait for the control plane`,
      "Beyond 100,000 the oldest are lost.",
      "Bring the control plane back: sallyport-agent status says why it is away",
    ),
  ];
}

/** Somebody accepts a connection. Nothing is sent: that is a question that was never asked. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_MS, () => settle(false));
    socket.on("connect", () => settle(true));
    socket.on("error", () => settle(false));
  });
}
