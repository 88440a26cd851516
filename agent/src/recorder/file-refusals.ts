import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { withoutTarget } from "../files/sftp/decision.ts";

/** Lines about refusals that a session shows: programs with windows look everywhere. */
const MAX_LINES = 20;
/** Directories that the explanation lists. */
const MAX_DIRECTORIES = 10;

/** What a refusal names. */
export interface FileRefusalSurroundings {
  host: string;
  engagement: string;
  contact: string;
  grants: readonly FileGrant[];
}

/**
 * Tells a contractor on standard error what was refused and what is granted, where scp(1) or rsync(1) say no more than that
 * something failed. Not for SFTP: its errors have a text, and sshd drops what a subsystem writes to standard error.
 */
export class FileRefusals {
  readonly #around: FileRefusalSurroundings;
  readonly #show: (text: string) => void;
  #told = 0;

  constructor(around: FileRefusalSurroundings, show: (text: string) => void) {
    this.#around = around;
    this.#show = show;
  }

  tell(event: Extract<SessionEvent, { type: "file" }>): void {
    this.#told++;
    if (this.#told > MAX_LINES) return;
    const target = event.target === null ? "" : ` to ${printable(event.target)}`;
    this.#show(
      [
        `sallyport: Refused: ${printable(event.path)}${target}: ${printable(withoutTarget(event.detail))}.`,
        ...(this.#told === 1 ? this.#explanation() : []),
        ...(this.#told === MAX_LINES ? ["sallyport: Further refusals are recorded and not shown."] : []),
        "",
      ].join("\n"),
    );
  }

  #explanation(): string[] {
    return explanation(this.#around);
  }
}

/** What is granted, and whom to ask, in one line. */
export function fileExplanation(around: FileRefusalSurroundings): string {
  return explanation(around).join(" ");
}

/** What a contractor reads whose transfer does not even start; `detail` is a sentence. */
export function fileRefusalText(detail: string, around: FileRefusalSurroundings): string {
  return [`sallyport: Refused: ${printable(detail)}`, ...explanation(around), ""].join("\n");
}

function explanation({ host, engagement, contact, grants }: FileRefusalSurroundings): string[] {
  const directories = grants.flatMap((grant) => grant.directories);
  const shown = directories
    .slice(0, MAX_DIRECTORIES)
    .map(({ path, access }) => `${printable(path)} (${access})`);
  const more =
    directories.length > MAX_DIRECTORIES ? ` and ${directories.length - MAX_DIRECTORIES} more` : "";
  return [
    `Engagement ${printable(engagement)} lets files be moved on ${printable(host)} in: ${shown.join(", ")}${more}.`,
    `Ask for more: ${printable(contact)}`,
  ];
}
