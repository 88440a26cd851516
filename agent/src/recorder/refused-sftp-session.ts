import { closeSync, writeSync } from "node:fs";
import { SFTP_SERVERS } from "../files/file-protocol.ts";
import { PACKET_HEAD, SSH_FX, SSH_FXP, statusPacket } from "../files/sftp/protocol.ts";
import { takeDescriptors } from "../kernel/system-calls.ts";
import type { ShimFrame } from "../shim/shim-protocol.ts";
import type { Refused } from "./opening.ts";
import { RefusedSession } from "./refused-session.ts";
import type { SessionContext } from "./session.ts";

/** Longest request that is answered. */
const MAX_WAITING = 64 * 1024;
/** Requests that are answered: together they fit into any pipe, so that no answer waits for who does not read. */
const MAX_ANSWERS = 30;
/** Longest answer, in characters. */
const MAX_REASON = 1000;
/** Until it hangs up, in milliseconds. */
const PATIENCE = 10_000;
/** SFTP's VERSION 3, without extensions (draft-ietf-secsh-filexfer-02 §4). */
const VERSION = Buffer.from([0, 0, 0, 5, SSH_FXP.VERSION, 0, 0, 0, 3]);

/** What is refused, in a way that the program on the other side can show. */
export function refusedSession(context: SessionContext, event: Refused, text: string): RefusedSession {
  const isSftp = context.ticket.live.start.kind !== "pty" && SFTP_SERVERS.includes(event.line);
  return isSftp ? new RefusedSftpSession(context, event, text) : new RefusedSession(context, event, text);
}

/**
 * SFTP that is not granted. sshd drops what a subsystem says on standard error, so the reason is the answer to every
 * request: sftp(1), scp(1) and most programs with windows show it.
 */
class RefusedSftpSession extends RefusedSession {
  readonly #reason: string;
  #answers = 0;
  #said: Buffer = Buffer.alloc(0);
  #toClient: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: SessionContext, event: Refused, text: string) {
    super(context, event, text);
    this.#reason = text.trimEnd().replaceAll("\n", " ").slice(0, MAX_REASON);
  }

  override begin(): void {
    this.tell();
    try {
      [this.#toClient] = takeDescriptors(this.context.ticket.live.shim.pid, [1]);
    } catch {
      this.refuse();
      return;
    }
    this.context.connection.send("y", Buffer.alloc(0));
    this.#timer = setTimeout(() => this.refuse(), PATIENCE);
  }

  protected override serveFrame({ type, data }: ShimFrame): void {
    if (type === "j") this.refuse();
    if (type !== "i") return;
    this.#said = Buffer.concat([this.#said, data]);
    this.#answer();
    if (this.#said.length > MAX_WAITING) this.refuse();
  }

  protected override release(): void {
    clearTimeout(this.#timer);
    if (this.#toClient !== undefined) closeSync(this.#toClient);
    this.#toClient = undefined;
  }

  #answer(): void {
    while (!this.over && this.#said.length >= PACKET_HEAD) {
      const length = 4 + this.#said.readUInt32BE(0);
      if (this.#said.length < length) return;
      const isFirst = this.#said.readUInt8(4) === SSH_FXP.INIT;
      const id = this.#said.readUInt32BE(PACKET_HEAD - 4);
      this.#said = this.#said.subarray(length);
      if (this.#answers++ === MAX_ANSWERS) {
        this.refuse();
        return;
      }
      this.#write(isFirst ? VERSION : statusPacket(id, SSH_FX.PERMISSION_DENIED, this.#reason));
    }
  }

  #write(packet: Buffer): void {
    try {
      if (this.#toClient !== undefined) writeSync(this.#toClient, packet);
    } catch {
      this.refuse();
    }
  }
}
