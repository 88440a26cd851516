import { createHash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { PRINCIPAL } from "@sallyport/core/admission/certificate-extensions.ts";
import type { Logger } from "winston";
import { ConnectionQuota } from "../kernel/connection-quota.ts";
import {
  isAlive,
  type ProcessIdentity,
  peerAddress,
  processStat,
  runsSshd,
  uidOf,
} from "../kernel/processes.ts";
import { socketCredentials } from "../kernel/socket-credentials.ts";
import { decodeArguments, MAX_SHIM_FRAME, ShimFrameReader, shimFrame } from "../shim/shim-protocol.ts";
import type { Accounts } from "./accounts.ts";
import type { Answer, Decider } from "./decide.ts";
import { forwards, grantLine } from "./grant-line.ts";
import type { Login } from "./login.ts";
import type { LoginRegistry } from "./login-registry.ts";

export interface PrincipalsContext {
  decider: Decider;
  logins: LoginRegistry;
  accounts: Accounts;
  /** The program file of sshd, and the uid that it runs us under. */
  sshd: string;
  sshdUid: number;
  /** Path of the shim, for the forced command. */
  shim: string;
  now(): number;
  log: Logger;
  /** A login was admitted; called before sshd has the answer. */
  onAdmitted(login: Login): Promise<void>;
  /** Every decision that says something new, for the audit trail. */
  onDecision(login: Login, answer: Answer): void;
}

/**
 * The socket that AuthorizedPrincipalsCommand asks. Only sshd's own user may, and only as the child of an sshd of
 * root's: nobody else can make a decision happen. The answer is text of our own, never text from the certificate.
 */
export function createPrincipalsServer(context: PrincipalsContext): Server {
  const quota = new ConnectionQuota();
  return createServer((socket) => {
    const release = quota.take(socketCredentials(socket).uid);
    if (release === null) {
      socket.destroy();
      return;
    }
    socket.on("close", release);
    const reader = new ShimFrameReader();
    socket.setTimeout(10_000, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      const frames = reader.push(chunk);
      const [frame] = frames ?? [];
      if (frames === null || (frame !== undefined && frame.type !== "q")) socket.destroy();
      else if (frame !== undefined) {
        answer(context, socket, frame.data).then(
          (text) => socket.end(shimFrame("p", Buffer.from(text))),
          (error: unknown) => {
            context.log.error("a question of sshd could not be answered", { error: String(error) });
            socket.end(shimFrame("p"));
          },
        );
      }
    });
  });
}

async function answer(context: PrincipalsContext, socket: Socket, data: Buffer): Promise<string> {
  const asking = askingSshd(context, socket);
  if (asking === null) {
    context.log.warn("a question that no sshd of root's asked was not answered");
    return "";
  }
  const { shim, monitor } = asking;
  const question = readQuestion(data);
  const account = question === null ? undefined : context.accounts.get(question.user);
  if (question === null || account === undefined) return "";
  const certificateHash = createHash("sha256").update(question.certificate).digest("base64url");
  const asked = context.logins.get(monitor);
  const before =
    asked?.account === account.name && asked.certificateHash === certificateHash ? asked : undefined;
  const sourceAddress = before === undefined ? peerAddress(monitor.pid) : before.sourceAddress;
  const request = { account: account.name, certificate: question.certificate, sourceAddress };
  const decision = await context.decider.decide(request, before?.identity ?? undefined);
  const login: Login = {
    monitor,
    account: account.name,
    uid: account.uid,
    sourceAddress,
    certificateHash,
    identity: decision.identity,
    admitted:
      decision.outcome === "admit"
        ? { memberId: decision.member.id, engagementId: decision.engagement.id }
        : null,
    forwarding: decision.outcome === "admit" && forwards(decision.engagement.forwarding),
    refused:
      decision.outcome === "admit" ? null : { code: decision.refusal.code, told: decision.refusal.told },
    decidedAt: context.now(),
    marks: before?.marks ?? null,
  };
  // sshd asks one question at a time, and what it asked last counts: an answer that comes when sshd has given up waiting,
  // and may have asked about another key, must not take that one's place. No shim, nobody to answer.
  if (!isAlive(shim)) return "";
  context.logins.set(login);
  if (login.admitted !== null) await context.onAdmitted(login);
  // sshd asks once for the key and once for the signature: the trail gets one event, or two where the answer changed.
  // It is written after sshd has its answer.
  if (before === undefined || before.refused?.code !== login.refused?.code) {
    setImmediate(() => context.onDecision(login, decision));
  }
  if (login.refused !== null && login.refused.told === null) return "";
  // A refused contractor is let in as far as a forced command that says why; `shim session` asks us again which it is.
  const forwarding = decision.outcome === "admit" ? decision.engagement.forwarding : null;
  return grantLine(context.shim, forwarding, PRINCIPAL);
}

/** The shim at the other end, and the sshd that started it; null when it is not root's sshd that asks. */
function askingSshd(
  context: PrincipalsContext,
  socket: Socket,
): { shim: ProcessIdentity; monitor: ProcessIdentity } | null {
  const { pid, uid } = socketCredentials(socket);
  const shim = uid === context.sshdUid ? processStat(pid) : null;
  const parent = shim === null ? null : processStat(shim.parent);
  if (shim === null || parent === null) return null;
  if (uidOf(parent.pid) !== 0 || !runsSshd(parent.pid, context.sshd)) return null;
  return { shim, monitor: { pid: parent.pid, startTime: parent.startTime } };
}

function readQuestion(data: Buffer): { user: string; certificate: Uint8Array } | null {
  const values = decodeArguments(data);
  const user = values?.find((value) => value.startsWith("--user="))?.slice("--user=".length);
  const key = values?.find((value) => value.startsWith("--key="))?.slice("--key=".length);
  if (
    user === undefined ||
    key === undefined ||
    key.length > MAX_SHIM_FRAME ||
    !/^[A-Za-z0-9+/]+=*$/.test(key)
  )
    return null;
  return { user, certificate: Buffer.from(key, "base64") };
}
