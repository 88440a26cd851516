import { MAX_LINE } from "@sallyport/core/commands/parse-line.ts";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { FileProtocol } from "@sallyport/core/files/file-grant.ts";
import { landlockAbi } from "../confinement/confine.ts";
import { fileProtocolOf, SFTP_SERVERS } from "../files/file-protocol.ts";
import type { Ticket } from "../recorders/control-messages.ts";
import { type Allowed, CommandJudge, type NarrowGrant } from "./command-judge.ts";
import {
  noCommandText,
  noTransferText,
  onlyFilesText,
  type Refusal,
  type RefusalSurroundings,
  refusalText,
} from "./refusal-text.ts";

export type Refused = Extract<SessionEvent, { type: "command-refused" }>;

/** What a session is, by the grant of its ticket. */
export type Opening =
  /** The account's shell with whatever it is asked (null), or one line that is allowed. */
  | { kind: "program"; allowed: Allowed | null }
  | { kind: "prompt"; judge: CommandJudge }
  | { kind: "files"; protocol: FileProtocol; grant: NarrowGrant }
  | { kind: "refused"; event: Refused; text: string };

/**
 * Decides what a session is to be: the one place where a grant is looked at before anything starts. What it does not know
 * is refused.
 */
export function openingOf(ticket: Ticket): Opening {
  const { grant } = ticket;
  if (grant.mode === "shell") return { kind: "program", allowed: null };
  const onTerminal = ticket.live.start.kind === "pty";
  const line = commandText(ticket.command);
  const protocol = line === null || onTerminal ? null : fileProtocolOf(line, SFTP_SERVERS);
  if (protocol !== null && isGranted(grant, protocol)) return { kind: "files", protocol, grant };
  const judge = new CommandJudge(grant, ticket.home, landlockAbi() > 0);
  const around = surroundings(ticket, judge);
  if (grant.mode === "files") {
    const detail = "Only files may be moved.";
    return refused(line, { code: "only-files", detail }, onlyFilesText(around, protocolsOf(grant)));
  }
  if (ticket.command === null) {
    if (onTerminal) return { kind: "prompt", judge };
    const detail = "There is neither a command nor a terminal.";
    return refused(line, { code: "command-not-allowed", detail }, noCommandText(around));
  }
  if (line === null) return noText(ticket.command, around);
  const opening = judged(line, judge, around);
  if (opening.kind !== "refused" || protocol === null) return opening;
  const detail = `No files may be moved with ${protocol}.`;
  return refused(
    line,
    { code: "transfer-not-allowed", detail },
    noTransferText(around, protocol, protocolsOf(grant)),
  );
}

/** What a refusal names. */
export function surroundings(ticket: Ticket, judge: CommandJudge): RefusalSurroundings {
  const { engagement, contact } = judge.grant;
  const usages = judge.rules.usages().map(({ usage }) => usage);
  return { host: ticket.live.start.host.name, engagement, contact, usages };
}

/** The event for a refusal, which takes no more than {@link MAX_LINE} of a line. */
export function refusedEvent(line: string, { code, detail }: Pick<Refusal, "code" | "detail">): Refused {
  return { type: "command-refused", line: line.slice(0, MAX_LINE), code, detail: detail.slice(0, MAX_LINE) };
}

function judged(line: string, judge: CommandJudge, around: RefusalSurroundings): Opening {
  const judgement = judge.judge(line);
  if (!judgement.ok) return refused(line, judgement.refusal, refusalText(judgement.refusal, around));
  if (judgement.allowed !== null) return { kind: "program", allowed: judgement.allowed };
  const detail = "The command is empty.";
  return refused(line, { code: "command-not-allowed", detail }, noCommandText(around));
}

function noText(command: string, around: RefusalSurroundings): Opening {
  const detail = "The command is no UTF-8.";
  const refusal = { code: "shell-syntax", detail, caret: "", usages: [] };
  return refused(Buffer.from(command, "base64").toString(), refusal, refusalText(refusal, around));
}

function refused(line: string | null, refusal: Pick<Refusal, "code" | "detail">, text: string): Opening {
  return { kind: "refused", event: refusedEvent(line ?? "", refusal), text };
}

function isGranted({ files }: NarrowGrant, protocol: FileProtocol): boolean {
  return files.length > 0 && files.every(({ protocols }) => protocols.includes(protocol));
}

function protocolsOf(grant: NarrowGrant): FileProtocol[] {
  return (["sftp", "legacy-scp", "rsync"] as const).filter((protocol) => isGranted(grant, protocol));
}

/** The command as text; null where there is none, or where its bytes are none: what is not read is not judged. */
function commandText(command: string | null): string | null {
  if (command === null) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(command, "base64"));
  } catch {
    return null;
  }
}
