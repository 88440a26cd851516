import type { FileEvent, OpenFile, OpenMode } from "./open-file.ts";
import { SSH_FXP } from "./protocol.ts";

/** A directory between its OPENDIR and its CLOSE. */
export interface OpenDirectory {
  readonly path: string;
  /** It may not be listed any more. */
  revoked: boolean;
}

/** What the client has a handle for. */
export type Handle = OpenFile | OpenDirectory;

/** What the host's answer to a request that went on will mean. */
export type Expected =
  | { kind: "version" }
  | { kind: "plain" }
  | { kind: "open"; path: string; mode: OpenMode; maxSize: number }
  | { kind: "opendir"; path: string }
  | { kind: "close"; handle: Handle }
  | { kind: "read"; file: OpenFile; offset: number; length: number }
  | { kind: "write"; file: OpenFile; length: number }
  | { kind: "fstat"; file: OpenFile }
  /** Something is changed: told with its result. `resizes`: a file gets another size. */
  | { kind: "change"; event: FileEvent; resizes?: boolean };

/** A request that waits for its answer: the host's, or ours behind the host's earlier ones. */
export type Pending = { id: number; expected: Expected } | { id: number; answer: Buffer };

/** As many requests as may wait: more than a program sends that asks for all parts of a file of 2 GB at once. */
const MAX_PENDING = 65_536;
/** And of those so many may be refused ones, which are kept with their text. */
const MAX_ANSWERS = 4096;

/** The requests that wait, in the order in which they came: sftp-server answers in that order. */
export class PendingRequests {
  #list: (Pending | undefined)[] = [];
  #first = 0;
  #answers = 0;

  get first(): Pending | undefined {
    return this.#list[this.#first];
  }

  get length(): number {
    return this.#list.length - this.#first;
  }

  /** False when there are too many. */
  add(one: Pending): boolean {
    if ("answer" in one) this.#answers++;
    this.#list.push(one);
    return this.length <= MAX_PENDING && this.#answers <= MAX_ANSWERS;
  }

  shift(): Pending | undefined {
    const one = this.first;
    if (one === undefined) return undefined;
    this.#list[this.#first++] = undefined;
    if ("answer" in one) this.#answers--;
    // Emptied from the front without moving all the others each time.
    if (this.#first > 1024 && 2 * this.#first > this.#list.length) {
      this.#list = this.#list.slice(this.#first);
      this.#first = 0;
    }
    return one;
  }
}

/** The types of packet that may answer a request. */
export function answers(expected: Expected, type: number): boolean {
  if (expected.kind === "version") return type === SSH_FXP.VERSION;
  if (type === SSH_FXP.STATUS) return true;
  switch (expected.kind) {
    case "plain":
      return type === SSH_FXP.NAME || type === SSH_FXP.ATTRS || type === SSH_FXP.EXTENDED_REPLY;
    case "open":
    case "opendir":
      return type === SSH_FXP.HANDLE;
    case "read":
      return type === SSH_FXP.DATA;
    case "fstat":
      return type === SSH_FXP.ATTRS;
    default:
      return false;
  }
}
