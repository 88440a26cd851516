import type { FileProtocol } from "@sallyport/core/files/file-grant.ts";
import { printable } from "@sallyport/core/terminal-text.ts";

/** Usages that a refusal shows; `help` at the prompt shows all. */
const MAX_USAGES = 10;

/** Why a line is not run. */
export interface Refusal {
  /** For the recording and the audit log: `shell-syntax`, or a code of `CommandDecision`. */
  code: string;
  /** A sentence. */
  detail: string;
  /** The line with a caret under what is meant, or "". */
  caret: string;
  /** What is allowed, that of the same program first; empty for no choice of its own. */
  usages: string[];
}

/** Who refuses, and whom to ask. */
export interface RefusalSurroundings {
  host: string;
  engagement: string;
  contact: string;
  /** All that the engagement allows here. */
  usages: readonly string[];
}

/** What a contractor reads whose `ssh host command` was refused: what, by which engagement, what is allowed, whom to ask. */
export function refusalText(refusal: Refusal, around: RefusalSurroundings): string {
  const [engagement, host] = [printable(around.engagement), printable(around.host)];
  const usages = refusal.usages.length > 0 ? refusal.usages : around.usages;
  const shown = usages.slice(0, MAX_USAGES);
  const more = around.usages.length - shown.length;
  return lines([
    ...head(refusal),
    shown.length === 0
      ? `Engagement ${engagement} allows no commands on ${host}.`
      : `Engagement ${engagement} allows on ${host}:`,
    ...shown.map((usage) => `  ${printable(usage)}`),
    ...(more > 0 ? [`  and ${more} more: "ssh -t ${host}", then "help"`] : []),
    `Ask for more: ${printable(around.contact)}`,
  ]);
}

/** The same at the prompt, where the line above it is still to be seen. */
export function promptRefusalText(refusal: Refusal, around: RefusalSurroundings): string {
  const usages = refusal.usages.slice(0, MAX_USAGES);
  return lines([
    ...head(refusal),
    ...(usages.length === 0 ? [] : ["Allowed:", ...usages.map((usage) => `  ${printable(usage)}`)]),
    `"help" lists what engagement ${printable(around.engagement)} allows. Ask for more: ${printable(around.contact)}`,
  ]);
}

/** A login without a command and without a terminal, where commands are allowed. */
export function noCommandText(around: RefusalSurroundings): string {
  const host = printable(around.host);
  return lines([
    `sallyport: Refused: engagement ${printable(around.engagement)} allows single commands, and there is neither one nor a terminal.`,
    `Give a command ("ssh ${host} COMMAND"), or ask for a terminal ("ssh -t ${host}") and get a prompt.`,
    `Ask for more: ${printable(around.contact)}`,
  ]);
}

/** A transfer of files that is not granted, where commands are; `protocols`: those that are. */
export function noTransferText(
  around: RefusalSurroundings,
  protocol: FileProtocol,
  protocols: readonly FileProtocol[],
): string {
  const [engagement, host] = [printable(around.engagement), printable(around.host)];
  const name = protocol === "sftp" ? "SFTP (sftp, scp, sshfs)" : protocol === "rsync" ? "rsync" : "scp -O";
  const ways = waysToMove(host, protocols);
  return lines([
    `sallyport: Refused: engagement ${engagement} lets no files be moved on ${host} with ${name}.`,
    ...(ways.length === 0 ? [] : [`Use ${ways.join(" or ")}.`]),
    `Ask for more: ${printable(around.contact)}`,
  ]);
}

/** Anything but a transfer of files, where only files are allowed. `protocols` as `FileGrant` has them. */
export function onlyFilesText(around: RefusalSurroundings, protocols: readonly FileProtocol[]): string {
  const host = printable(around.host);
  const ways = waysToMove(host, protocols);
  return lines([
    `sallyport: Refused: engagement ${printable(around.engagement)} lets files be moved on ${host}, and nothing be run.`,
    ways.length === 0
      ? "No way to move them is left by this host's own policy."
      : `Use ${ways.join(" or ")}.`,
    `Ask for more: ${printable(around.contact)}`,
  ]);
}

function waysToMove(host: string, protocols: readonly FileProtocol[]): string[] {
  return [
    ...(protocols.includes("sftp") ? [`"sftp ${host}"`, `"scp FILE ${host}:DIRECTORY/"`] : []),
    ...(protocols.includes("legacy-scp") ? [`"scp -O FILE ${host}:DIRECTORY/"`] : []),
    ...(protocols.includes("rsync") ? [`"rsync FILE ${host}:DIRECTORY/"`] : []),
  ];
}

function head({ detail, caret }: Refusal): string[] {
  return [`sallyport: Refused: ${printable(detail)}`, ...(caret === "" ? [] : caret.trimEnd().split("\n"))];
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}
