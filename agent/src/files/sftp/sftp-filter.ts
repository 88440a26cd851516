import type { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { FileAccess, type FileSurroundings } from "../file-access.ts";
import type { FilterOutputs, StreamFilter } from "../stream-filter.ts";
import { decideRequest } from "./decide-request.ts";
import { decideWrite, WRITE_HEAD } from "./decide-write.ts";
import { type Decision, fileEvent } from "./decision.ts";
import { OpenFile } from "./open-file.ts";
import { MAX_WANTED, PacketStream, type PacketVerdict } from "./packet-stream.ts";
import { type Expected, type Handle, type Pending, PendingRequests } from "./pending.ts";
import { PACKET_HEAD, SSH_FX, SSH_FXP, statusPacket } from "./protocol.ts";
import { readReply, replyWanted } from "./read-reply.ts";

/** As many files and directories may be open at once; the host's own limit is lower as a rule. */
const MAX_HANDLES = 4096;
/** Refusals to look at something, of which each is told once while so many are remembered. */
const MAX_REMEMBERED = 1000;

/**
 * Follows SFTP between a contractor's program and sftp-server. Requests that the grants do not allow are answered here, in
 * their turn, and the connection goes on. Every file is told when it is closed, everything else that changes something
 * when the host has answered, and a file that is read also before its first byte can be.
 *
 * Paths are looked up as root when a request comes; what changes between that and the host's own look is the kernel's to
 * hold (Landlock).
 */
export class SftpFilter implements StreamFilter {
  readonly #outputs: FilterOutputs;
  readonly #surroundings: FileSurroundings;
  #access: FileAccess;
  readonly #requests: PacketStream;
  readonly #replies: PacketStream;
  readonly #pending = new PendingRequests();
  readonly #handles = new Map<string, Handle>();
  #explanation: string;
  readonly #told = new Set<string>();
  #initialised = false;
  #broken = false;
  /** The file whose content is going past in a packet that is not over. */
  #writing: OpenFile | null = null;
  #reading: OpenFile | null = null;

  /** `explanation` follows the reason in the text of every refusal: what is granted, and whom to ask. */
  constructor(
    outputs: FilterOutputs,
    grants: readonly FileGrant[],
    surroundings: FileSurroundings & { explanation?: string },
  ) {
    this.#outputs = outputs;
    this.#explanation = surroundings.explanation ?? "";
    this.#surroundings = surroundings;
    this.#access = new FileAccess(grants, surroundings);
    const broken = (message: string) => this.#break(message);
    this.#requests = new PacketStream(
      {
        wanted: (type) => (type === SSH_FXP.WRITE ? WRITE_HEAD : MAX_WANTED),
        judge: (packet, length) => this.#request(packet, length),
        more: (bytes) => this.#writing?.writeMore(bytes),
        over: () => {
          this.#writing = null;
        },
      },
      { forward: (bytes) => this.#outputs.toServer(bytes), broken },
    );
    this.#replies = new PacketStream(
      {
        wanted: replyWanted,
        judge: (packet, length) => this.#reply(packet, length),
        more: (bytes) => this.#reading?.readMore(bytes),
        over: (flush) => this.#replied(flush),
      },
      { forward: (bytes) => this.#outputs.toClient(bytes), broken },
    );
  }

  fromClient(bytes: Buffer): void {
    if (!this.#broken) this.#requests.push(bytes);
  }

  fromServer(bytes: Buffer): void {
    if (!this.#broken) this.#replies.push(bytes);
  }

  /** The grants have changed: what is open and no longer allowed can only be closed. */
  regrant(grants: readonly FileGrant[], explanation = ""): void {
    this.#access = new FileAccess(grants, this.#surroundings);
    this.#explanation = explanation;
    for (const handle of this.#handles.values()) this.#hold(handle);
  }

  /** What may be done with an open file by the grants as they are now. */
  #hold(handle: Handle): void {
    const access = this.#access;
    const { path } = handle;
    if (!(handle instanceof OpenFile)) {
      handle.revoked ||= !access.holds(path);
      return;
    }
    const { reads, writes, append } = handle.mode;
    const maxSize = access.maxFileSize(path);
    // Where the host appends, nobody can count.
    const uncounted = append && handle.maxSize === Infinity && maxSize !== Infinity;
    handle.revoked ||= (reads && !access.mayRead(path)) || (writes && !access.mayWrite(path)) || uncounted;
    handle.maxSize = maxSize;
  }

  end(): void {
    const cut = "the session ended before it was closed";
    for (let one = this.#pending.shift(); one !== undefined; one = this.#pending.shift())
      if ("expected" in one) this.#unanswered(one.expected);
    for (const handle of this.#handles.values())
      if (handle instanceof OpenFile) for (const event of handle.events(cut)) this.#outputs.event(event);
    this.#handles.clear();
  }

  #unanswered(expected: Expected): void {
    const cut = "the session ended before the host had answered";
    if (expected.kind === "change") this.#outputs.event({ ...expected.event, result: "failed", detail: cut });
    else if (expected.kind === "open")
      this.#outputs.event(
        fileEvent(expected.mode.writes ? "write" : "read", expected.path, { result: "failed", detail: cut }),
      );
    else if (expected.kind === "close" && expected.handle instanceof OpenFile)
      for (const event of expected.handle.events(cut)) this.#outputs.event(event);
  }

  #request(packet: Buffer, length: number): PacketVerdict {
    if (this.#broken) return "drop";
    const type = packet.readUInt8(4);
    const id = packet.readUInt32BE(5);
    // A second INIT would be answered as well, but is nothing that any program sends.
    if ((type === SSH_FXP.INIT) === this.#initialised) return this.#break("This is not how SFTP begins.");
    if (type === SSH_FXP.INIT) {
      this.#initialised = true;
      return packet.length < length
        ? this.#break("This is not SFTP.")
        : this.#expect(id, { kind: "version" });
    }
    const decision = this.#decide(type, packet, length);
    if (!("pass" in decision)) return this.#refuse(id, decision);
    const { pass, changed } = decision;
    if (pass.kind === "close") this.#handles.delete(handleName(packet));
    else if (pass.kind === "write") this.#writing = pass.file;
    else if (pass.kind === "change" && pass.resizes === true)
      for (const file of this.#writersOf(pass.event.path)) file.changed();
    return this.#expect(id, pass) === "drop" ? "drop" : (changed ?? "pass");
  }

  #decide(type: number, packet: Buffer, length: number): Decision {
    const around = {
      access: this.#access,
      handle: (name: Buffer) => this.#handles.get(name.toString("latin1")),
    };
    if (type === SSH_FXP.WRITE) return decideWrite(packet, length, around);
    if (packet.length < length)
      return { refuse: SSH_FX.BAD_MESSAGE, text: "Sallyport: the request is too long.", event: null };
    if (this.#handles.size >= MAX_HANDLES && (type === SSH_FXP.OPEN || type === SSH_FXP.OPENDIR))
      return { refuse: SSH_FX.FAILURE, text: "Sallyport: too many files are open.", event: null };
    return decideRequest(packet, around);
  }

  #expect(id: number, expected: Expected): PacketVerdict {
    return this.#wait({ id, expected }) ? "pass" : "drop";
  }

  #wait(pending: Pending): boolean {
    if (!this.#pending.add(pending)) this.#break("Too many requests wait for their answers.");
    return !this.#broken;
  }

  #refuse(id: number, { refuse, text, event }: Exclude<Decision, { pass: Expected }>): PacketVerdict {
    if (event !== null && !this.#wasTold(event.operation, event.path)) this.#outputs.event(event);
    const explained = event === null || this.#explanation === "" ? text : `${text} ${this.#explanation}`;
    const answer = statusPacket(id, refuse, explained);
    // With nothing of the host's before it, nothing of the host's is being passed on either.
    if (this.#pending.length === 0) this.#outputs.toClient(answer);
    else this.#wait({ id, answer });
    return "drop";
  }

  /** Programs with windows look at the same places again and again. */
  #wasTold(operation: string, path: string): boolean {
    if (operation !== "list") return false;
    if (this.#told.has(path)) return true;
    if (this.#told.size >= MAX_REMEMBERED) this.#told.clear();
    this.#told.add(path);
    return false;
  }

  #reply(packet: Buffer, length: number): PacketVerdict {
    if (this.#broken) return "drop";
    const first = this.#pending.first;
    const outcome = first !== undefined && "expected" in first ? readReply(packet, length, first) : null;
    if (outcome === null) return this.#break("The host's SFTP server answers what was not asked.");
    for (const event of outcome.events) this.#outputs.event(event);
    if (outcome.opened !== undefined) this.#opened(outcome.opened.name, outcome.opened.handle);
    this.#reading = outcome.reading ?? null;
    return "pass";
  }

  #opened(name: string, handle: Handle): void {
    // The grants may have changed since it was asked for.
    this.#hold(handle);
    this.#handles.set(name, handle);
    if (!(handle instanceof OpenFile) || !handle.mode.writes) return;
    // What one of two writes is not what is in the file.
    const writers = this.#writersOf(handle.path);
    if (writers.length > 1) for (const file of writers) file.changed();
  }

  #writersOf(path: string): OpenFile[] {
    return [...this.#handles.values()].filter(
      (one): one is OpenFile => one instanceof OpenFile && one.mode.writes && one.path === path,
    );
  }

  #replied(flush: () => void): void {
    this.#reading = null;
    this.#pending.shift();
    for (let next = this.#pending.first; next !== undefined && "answer" in next; next = this.#pending.first) {
      flush();
      this.#outputs.toClient(next.answer);
      this.#pending.shift();
    }
  }

  #break(message: string): "drop" {
    if (!this.#broken) {
      this.#broken = true;
      this.#outputs.broken(message);
    }
    return "drop";
  }
}

/** The handle of a request that begins with one. */
function handleName(packet: Buffer): string {
  const length = packet.readUInt32BE(PACKET_HEAD);
  return packet.toString("latin1", PACKET_HEAD + 4, PACKET_HEAD + 4 + length);
}
