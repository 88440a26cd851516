import { randomBytes } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { sessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { makeId, SessionId } from "@sallyport/core/names.ts";
import type { Admission } from "@sallyport/core/policy/evaluate.ts";
import type { RecordingOptions } from "@sallyport/core/policy/grants.ts";
import type { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { MAX_FRAME_DATA, type StartRecord } from "@sallyport/core/recording/frame.ts";
import type { Logger } from "winston";
import { ConnectionQuota } from "../kernel/connection-quota.ts";
import { type ProcessIdentity, type ProcessStat, processStat, runsSshd } from "../kernel/processes.ts";
import { socketCredentials } from "../kernel/socket-credentials.ts";
import type { Account, Accounts } from "../logins/accounts.ts";
import type { Decider } from "../logins/decide.ts";
import type { Login } from "../logins/login.ts";
import type { LoginRegistry } from "../logins/login-registry.ts";
import type { LiveSession, Ticket } from "../recorders/control-messages.ts";
import type { RecorderPool } from "../recorders/recorder-pool.ts";
import { decodeSessionRequest, ShimFrameReader, shimFrame, TICKET_LENGTH } from "../shim/shim-protocol.ts";

/** Exit status of a session that was refused; docs/exit-codes.md. */
const EXIT_REFUSED = 254;
const RECORDER_WAIT_MS = 4_000;
/** The start record, with the command in it, must fit into one frame; the recorder adds the terminal to it. */
const MAX_START = MAX_FRAME_DATA - 1024;

export interface SessionServerContext {
  logins: LoginRegistry;
  accounts: Accounts;
  decider: Decider;
  /** The host's own policies, as they hold for logins. */
  localPolicies(): readonly LocalPolicy[];
  pool: RecorderPool;
  host: { id: string; name: string };
  sshd: string;
  shim: string;
  /** Is this child of sshd's the shim itself, in surroundings that are sshd's own? */
  isShim(process: ProcessStat): boolean;
  /** Shell inside the recording, for accounts whose login shell is the shim. */
  shell: string;
  /** What every session here has at least, whatever its engagement says. */
  durability: RecordingOptions["durability"];
  /** sshd has let the client of this login in: its shim runs. */
  onLetIn(login: Login): void;
  /** A login that was refused when it came is admitted after all; called before its session begins. */
  onAdmitted(login: Login): void;
  /** Keeps what the shim will start together with its login, before it starts anything. */
  settle(login: Login, shim: ProcessIdentity, shellIsSafe: boolean): Promise<void>;
  log: Logger;
  onRefused(login: Login | null, code: string, detail: string): void;
}

/** A session may not start; `told` is shown to the contractor. */
class SessionRefused extends Error {
  readonly code: string;
  readonly told: string;
  readonly login: Login | null;

  constructor(code: string, told: string, login: Login | null) {
    super(code);
    this.code = code;
    this.told = told;
    this.login = login;
  }
}

const NOT_A_LOGIN =
  "This account is used through Sallyport only: log in with ssh and a certificate from: sallyport login\n" +
  "(An administrator can use: su -s /bin/bash ACCOUNT)";

/**
 * The socket that every session's shim asks. Nothing that the user controls is believed: the process at the other end
 * is known from the kernel (SO_PEERCRED), its sshd ancestor must be the one that asked for a decision, and that
 * decision is made once more before the session starts.
 */
export function createSessionServer(context: SessionServerContext): Server {
  const quota = new ConnectionQuota();
  return createServer((socket) => {
    const release = quota.take(socketCredentials(socket).uid);
    if (release === null) {
      socket.destroy();
      return;
    }
    socket.on("close", release);
    const reader = new ShimFrameReader();
    let asked = false;
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      if (asked) return; // one question, one answer
      const frames = reader.push(chunk);
      if (frames === null) socket.destroy();
      const [frame] = frames ?? [];
      if (frame === undefined) return;
      asked = true;
      reply(context, socket, frame.type, Buffer.from(frame.data)).then(
        (bytes) => socket.end(bytes),
        () => socket.destroy(),
      );
    });
  });
}

async function reply(
  context: SessionServerContext,
  socket: Socket,
  type: string,
  data: Buffer,
): Promise<Buffer> {
  try {
    return await grant(context, socket, type, data);
  } catch (error) {
    if (error instanceof SessionRefused) {
      context.onRefused(error.login, error.code, error.told);
      return refusal(error.told);
    }
    context.log.error("a session could not be started", { error: String(error) });
    return refusal("This session cannot be started right now. Try again in a minute.");
  }
}

async function grant(
  context: SessionServerContext,
  socket: Socket,
  type: string,
  data: Buffer,
): Promise<Buffer> {
  const request = type === "s" ? decodeSessionRequest(data) : null;
  if (request === null)
    throw new SessionRefused("session-malformed", "This is no session that this host understands.", null);
  const { pid, uid } = socketCredentials(socket);
  const { shim, login } = findLogin(context, pid, uid);
  context.onLetIn(login);
  const account = checkAccount(context, login);
  await context.settle(login, shim, context.accounts.unsafe(account.name, context.shim) === null);
  // Right after a start, or when one has died, a recorder is a moment away: better to wait than to refuse.
  await context.pool.whenReady(RECORDER_WAIT_MS);
  const admission = decideAgain(context, login);
  const recorder = context.pool.choose();
  if (recorder === null) {
    throw new SessionRefused(
      "recorder-unavailable",
      "Sessions cannot be recorded on this host right now. Try again in a minute.",
      login,
    );
  }
  const ticket = makeTicket(context, { shim, login, account, admission, ...request });
  if (JSON.stringify(ticket.live.start).length > MAX_START) {
    throw new SessionRefused(
      "command-too-long",
      "This command is too long to be recorded. Put it into a script, or feed it to: ssh HOST sh -s",
      login,
    );
  }
  recorder.send(ticket);
  return shimFrame("g", Buffer.from(ticket.ticket, "hex"), Buffer.from(recorder.socketPath));
}

/** shim → sshd (the user's process) → sshd (the monitor that asked): nothing else may stand between. */
function findLogin(
  context: SessionServerContext,
  pid: number,
  uid: number,
): { shim: ProcessStat; login: Login } {
  const shim = processStat(pid);
  const parent = shim === null ? null : processStat(shim.parent);
  const fromSshd = parent !== null && runsSshd(parent.pid, context.sshd);
  const monitor = fromSshd ? processStat(parent.parent) : null;
  const login =
    monitor === null ? undefined : context.logins.get({ pid: monitor.pid, startTime: monitor.startTime });
  if (shim === null || login === undefined) throw new SessionRefused("no-login", NOT_A_LOGIN, null);
  if (login.uid !== uid) throw new SessionRefused("wrong-uid", NOT_A_LOGIN, login);
  // Where the login shell runs files of the user's, they could speak like the shim, and keep for themselves what they run.
  if (!context.isShim(shim)) throw new SessionRefused("no-shim", NOT_A_LOGIN, login);
  return { shim, login };
}

function checkAccount(context: SessionServerContext, login: Login): Account {
  const account = context.accounts.get(login.account);
  if (account === undefined || account.uid !== login.uid) {
    throw new SessionRefused(
      "account-changed",
      "This account has changed since you logged in. Log in again.",
      login,
    );
  }
  return account;
}

/** What held at login may hold no longer: a connection can stay open for days and start session after session. */
function decideAgain(context: SessionServerContext, login: Login): Admission {
  if (login.identity === null) throw new SessionRefused("no-login", NOT_A_LOGIN, login);
  const decision = context.decider.again(login.identity, login.account, login.sourceAddress);
  if (decision.outcome === "refuse") {
    const { code, told } = decision.refusal;
    throw new SessionRefused(code, told ?? "Access is refused.", login);
  }
  if (login.admitted === null) noteAdmitted(context, login, decision);
  return decision;
}

/** From now on it is ended like every other: a revocation must find the connection also while the session is yet to begin. */
function noteAdmitted(context: SessionServerContext, login: Login, { member, engagement }: Admission): void {
  const admitted = { memberId: member.id, engagementId: engagement.id };
  const now: Login = { ...login, admitted, refused: null };
  context.logins.set(now);
  context.onAdmitted(now);
}

interface Grant {
  shim: ProcessStat;
  login: Login;
  account: Account;
  admission: Admission;
  terminal: boolean;
  command: Buffer | null;
}

function makeTicket(context: SessionServerContext, grant: Grant): Ticket {
  const { login, account, admission } = grant;
  if (login.identity === null) throw new TypeError("a ticket needs an identity");
  const session = SessionId.parse(makeId("ses", Date.now(), randomBytes(10)));
  const { token, assurance, certificateSerial, keyFingerprint } = login.identity;
  const start: StartRecord = {
    v: 1,
    session,
    host: context.host,
    account: account.name,
    member: {
      id: admission.member.id,
      name: admission.member.name,
      issuer: token.issuer,
      subject: token.subject,
    },
    engagement: { id: admission.engagement.id, name: admission.engagement.name },
    login: {
      ...{ certificateSerial, keyFingerprint, sourceAddress: login.sourceAddress },
      signedInAt: token.issuedAt,
      ...{ mfa: token.mfa, assurance },
    },
    kind: grant.terminal ? "pty" : "command",
    command: grant.command === null ? null : grant.command.toString("utf8"),
    terminal: null,
    startedAt: Date.now(),
  };
  const { pid, startTime } = grant.shim;
  const allowed = sessionGrant(admission.engagement, context.localPolicies());
  const live: LiveSession = {
    ...{ session, start, shim: { pid, startTime }, monitor: login.monitor },
    mode: allowed.mode,
  };
  return {
    type: "ticket",
    ticket: randomBytes(TICKET_LENGTH).toString("hex"),
    live,
    uid: account.uid,
    gid: account.gid,
    shell: account.shell === context.shim ? context.shell : account.shell,
    command: grant.command === null ? null : grant.command.toString("base64"),
    grant: allowed,
    home: account.home,
    recording: recordingOptions(admission, context.durability),
    limits: { idle: admission.engagement.limits.idle, longest: admission.engagement.limits.longest },
  };
}

/** The engagement's options; a host that is set to `strict` has it for every session. */
function recordingOptions(
  { engagement }: Admission,
  durability: RecordingOptions["durability"],
): RecordingOptions {
  return durability === "strict" ? { ...engagement.recording, durability } : engagement.recording;
}

function refusal(text: string): Buffer {
  const lines = text.trimEnd().split("\n");
  return shimFrame(
    "r",
    Uint8Array.of(EXIT_REFUSED),
    Buffer.from(lines.map((line) => `sallyport: ${line}\n`).join("")),
  );
}
