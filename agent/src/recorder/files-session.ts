import { constants } from "node:os";
import { isDeepStrictEqual } from "node:util";
import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import type { FileGrant, FileProtocol } from "@sallyport/core/files/file-grant.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { settleGrants } from "../files/file-access.ts";
import { OPENED } from "../files/sftp/read-reply.ts";
import type { FilterOutputs, StreamFilter } from "../files/stream-filter.ts";
import { takeDescriptors } from "../kernel/system-calls.ts";
import type { ShimFrame } from "../shim/shim-protocol.ts";
import { encodeStart, type Stage } from "../shim/start-instructions.ts";
import type { Ending } from "./command-run.ts";
import { DirectSink, DirectSource } from "./direct-stream.ts";
import { type FileRefusalSurroundings, FileRefusals, fileExplanation } from "./file-refusals.ts";
import { NO_STATUS, Session, type SessionContext } from "./session.ts";

/** Exit status of a stream that is not what it should be. */
const EXIT_BROKEN = 255;

/** A transfer that may start. */
export interface Transfer {
  protocol: FileProtocol;
  /** sftp-server, scp or rsync, confined. */
  stage: Stage;
  /** Its whole environment. */
  environment: Record<string, string>;
  filter(outputs: FilterOutputs): StreamFilter & {
    /** What it may do from now on; without this, any change ends the session. */
    regrant?(grants: readonly FileGrant[], explanation: string): void;
  };
  /** What refusals name. */
  refusals: FileRefusalSurroundings;
}

/**
 * A transfer of files. Contents are not recorded, but what is done: the descriptors of both sides are taken from the shim,
 * and bytes go between them through a filter, past the spool. An event is recorded before the bytes that it is about go on.
 */
export class FilesSession extends Session {
  readonly #transfer: Transfer;
  readonly #filter: ReturnType<Transfer["filter"]>;
  readonly #refusals: FileRefusals;
  #fromClient: DirectSource | undefined;
  #toClient: DirectSink | undefined;
  #fromServer: DirectSource | undefined;
  #toServer: DirectSink | undefined;
  #outcome: Ending | undefined;
  #granted: readonly FileGrant[];
  #ending = false;

  constructor(context: SessionContext, transfer: Transfer) {
    super(context);
    this.#transfer = transfer;
    this.#granted = transfer.refusals.grants;
    this.#refusals = new FileRefusals(transfer.refusals, (text) => this.message(text));
    this.#filter = transfer.filter({
      toServer: (bytes) => this.#toServer?.write(bytes),
      toClient: (bytes) => this.#toClient?.write(bytes),
      event: (event) => {
        // That a file is opened is for the recording; what came of it is for the audit log too.
        if (event.detail === OPENED) this.record(FrameKind.event, Buffer.from(JSON.stringify(event)));
        else this.event(event);
        if (event.result === "refused" && event.protocol !== "sftp") this.#refusals.tell(event);
      },
      broken: (message) => this.#broken(message),
    });
  }

  override begin(): void {
    const { stage, environment } = this.#transfer;
    const start = { terminal: null, stages: [stage], clear: true, set: environment, unset: [], direct: true };
    this.context.connection.sendEncoded(encodeStart(start));
  }

  override grantChanged(grant: SessionGrant): void {
    // An agent that has begun anew tells what it has told before.
    if (grant.mode === "shell" || isDeepStrictEqual(grant.files, this.#granted)) return;
    const { files } = grant;
    this.#granted = files;
    const { protocol } = this.#transfer;
    const granted = files.length > 0 && files.every(({ protocols }) => protocols.includes(protocol));
    if (granted && this.#filter.regrant !== undefined) {
      this.#filter.regrant(
        settleGrants(files),
        fileExplanation({ ...this.#transfer.refusals, grants: files }),
      );
      return;
    }
    this.message("\nsallyport: Your engagement's files have changed. This session ends now.\n");
    this.end({ reason: "revoked", detail: "what the engagement lets be moved has changed", ...NO_STATUS });
  }

  /** Nothing is passed on from now on; what was done is told before the recording is closed. */
  override end(how: Ending): void {
    if (this.over || this.#ending) return;
    this.#ending = true;
    // What it was told before it would do all the same, and its log would be read by nobody.
    if (this.#outcome === undefined)
      this.context.connection.send("k", Uint8Array.of(constants.signals.SIGTERM));
    this.release();
    this.#filter.end();
    const settled = this.#filter.settled?.();
    if (settled === undefined) super.end(how);
    else settled.finally(() => super.end(how));
  }

  protected override serveFrame({ type, data }: ShimFrame): void {
    if (type === "c" && data.length === 12) this.#started(data);
    else if (type === "e") this.#error(data);
    else this.context.connection.destroy();
  }

  protected override served(): void {
    this.resumeSource();
  }

  protected override childEnded(how: Ending): void {
    this.#outcome = how;
    this.#finish();
  }

  /** Read on where what comes can be passed on. */
  protected override resumeSource(): void {
    if (this.#ending || this.over) return;
    const { mayWrite } = this.context.writer;
    if (mayWrite) this.showHeld();
    const clientTakes = mayWrite && this.#toClient?.congested !== true;
    const serverTakes = mayWrite && this.#toServer?.congested !== true;
    // What is refused is answered: the client must take that before it may ask on.
    if (clientTakes && serverTakes) this.#fromClient?.resume();
    else this.#fromClient?.pause();
    if (clientTakes) this.#fromServer?.resume();
    else this.#fromServer?.pause();
  }

  protected override release(): void {
    for (const stream of [this.#fromClient, this.#fromServer, this.#toServer, this.#toClient])
      stream?.destroy();
  }

  #started(data: Buffer): void {
    if (this.#ending) return;
    const { ticket, connection } = this.context;
    const [input, output] = [data.readUInt32BE(4), data.readUInt32BE(8)];
    // The shim is who holds the other end of this connection: it lives as long as that does.
    const fds = this.#toServer === undefined ? takeAll(ticket.live.shim.pid, [0, 1, input, output]) : null;
    if (fds === null) {
      this.message("sallyport: The transfer cannot be followed. Tell the host's administrators.\n");
      this.end({ reason: "refused", detail: "the descriptors cannot be taken", ...NO_STATUS });
      return;
    }
    const [clientIn, clientOut, serverIn, serverOut] = fds;
    connection.send("m", new Uint8Array());
    const drained = () => this.resumeSource();
    this.#toServer = new DirectSink(serverIn, drained, () => this.resumeSource());
    this.#toClient = new DirectSink(clientOut, drained, () => this.#clientGone());
    this.#fromServer = new DirectSource(
      serverOut,
      (bytes) => this.#pass("fromServer", bytes),
      () => this.#finish(),
    );
    this.#fromClient = new DirectSource(
      clientIn,
      (bytes) => this.#pass("fromClient", bytes),
      () => this.#toServer?.close(),
    );
    this.resumeSource();
  }

  #pass(from: "fromClient" | "fromServer", bytes: Buffer): void {
    if (this.#ending || this.over) return;
    this.touch();
    this.#filter[from](bytes);
    if (this.#toClient?.congested || this.#toServer?.congested || !this.context.writer.mayWrite)
      this.resumeSource();
  }

  #error(bytes: Buffer): void {
    const shown = this.#filter.fromServerError === undefined ? bytes : this.#filter.fromServerError(bytes);
    if (shown.length > 0 && this.record(FrameKind.error, shown)) this.show("t", shown);
  }

  /** The host's program has ended, and all that it said has been passed on. */
  #finish(): void {
    if (this.#outcome === undefined || this.#fromServer?.ended === false) return;
    if (this.#toClient?.congested) this.#toClient.close();
    else this.end(this.#outcome);
  }

  #clientGone(): void {
    this.end(this.#outcome ?? { reason: "disconnected", detail: "", ...NO_STATUS });
  }

  #broken(message: string): void {
    this.message(`sallyport: ${message} This session ends now.\n`);
    this.end({ reason: "refused", detail: message, exitStatus: EXIT_BROKEN, signal: null });
  }
}

function takeAll(pid: number, fds: [number, number, number, number]) {
  try {
    return takeDescriptors(pid, fds) as [number, number, number, number];
  } catch {
    return null;
  }
}
