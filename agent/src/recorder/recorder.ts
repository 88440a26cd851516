import type { KeyObject } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import type { EndRecord, StartRecord } from "@sallyport/core/recording/frame.ts";
import { RecordingWriter } from "@sallyport/uplink/spool/recording-writer.ts";
import { landlockAbi, prepareConfinement } from "../confinement/confine.ts";
import { ConnectionQuota } from "../kernel/connection-quota.ts";
import type { ProcessIdentity } from "../kernel/processes.ts";
import { socketCredentials } from "../kernel/socket-credentials.ts";
import type { LiveSession, Ticket, ToRecorder } from "../recorders/control-messages.ts";
import { ownerText } from "../recordings/owner.ts";
import { decodeHello, type ShimFrame } from "../shim/shim-protocol.ts";
import { ControlLink } from "./control-link.ts";
import { openingOf } from "./opening.ts";
import { NO_STATUS, type Session } from "./session.ts";
import { ShimConnection } from "./shim-connection.ts";
import { startSession } from "./start-session.ts";
import { Terminal } from "./terminal.ts";

/** How long a shim may wait for its ticket, or a ticket for its shim. */
const TICKET_WAIT_MS = 5_000;
const TICK_MS = 250;
/** A start has other work than what may be needed later. */
const PREPARE_AFTER_MS = 20_000;

export interface RecorderSettings {
  version: string;
  spool: string;
  socketPath: string;
  controlPath: string;
  hostKey: KeyObject;
  process: ProcessIdentity;
}

interface Arrival {
  connection: ShimConnection;
  pid: number;
  hello: { rows: number; columns: number; term: string };
  /** Ends the wait for the ticket. */
  timeout: NodeJS.Timeout;
  /** It has its ticket, and counts no more among those that wait. */
  release: () => void;
}

/** One recorder: takes tickets from the agent and shims from sshd, and records what passes between them. */
export class Recorder {
  readonly #settings: RecorderSettings;
  readonly #control: ControlLink;
  readonly #server: Server;
  readonly #tickets = new Map<string, Ticket>();
  readonly #arrivals = new Map<string, Arrival>();
  readonly #sessions = new Map<SessionId, { live: LiveSession; session: Session; writer: RecordingWriter }>();
  readonly #quota = new ConnectionQuota();
  #ticking: NodeJS.Timeout | undefined;
  #draining = false;

  constructor(settings: RecorderSettings) {
    this.#settings = settings;
    this.#control = new ControlLink(
      settings.controlPath,
      () => this.#hello(),
      (message) => this.#command(message),
    );
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#meet(socket));
  }

  start(): void {
    const { socketPath } = this.#settings;
    // Node's line editor goes by it, and it says nothing of the terminals of those who come.
    delete process.env.TERM;
    rmSync(socketPath, { force: true });
    this.#server.listen(socketPath, () => {
      // Any account's shim connects here; the ticket and SO_PEERCRED say which may have which session.
      chmodSync(socketPath, 0o666);
      this.#control.start();
      setTimeout(() => {
        if (landlockAbi() > 0) prepareConfinement().catch(() => {}); // then the first command looks, and says what failed
      }, PREPARE_AFTER_MS).unref();
    });
  }

  /** Takes no new sessions any more, and leaves when the last is over. */
  drain(): void {
    this.#draining = true;
    this.#leaveWhenDrained();
  }

  #hello() {
    const { version, socketPath, process } = this.#settings;
    return {
      type: "hello" as const,
      version,
      socketPath,
      process,
      sessions: [...this.#sessions.values()].map((one) => one.live),
    };
  }

  #command(message: ToRecorder): void {
    switch (message.type) {
      case "ticket":
        this.#tickets.set(message.ticket, message);
        setTimeout(() => this.#lapse(message), TICKET_WAIT_MS);
        this.#match(message.ticket);
        break;
      case "message":
        this.#sessions.get(message.session)?.session.message(message.text);
        break;
      case "grant":
        this.#grant(message);
        break;
      case "end":
        this.#end(message);
        break;
      case "drain":
        this.drain();
        break;
    }
  }

  #lapse({ ticket, live }: Ticket): void {
    if (!this.#tickets.delete(ticket)) return;
    this.#control.send({ type: "lapsed", session: live.session });
    this.#leaveWhenDrained();
  }

  /** What cannot be read as a policy allows nothing. */
  #grant({ session: id, grant }: Extract<ToRecorder, { type: "grant" }>): void {
    const session = this.#sessions.get(id)?.session;
    try {
      session?.grantChanged(grant);
    } catch (error) {
      session?.message(
        "\nsallyport: Your engagement's changed policy cannot be read. This session ends now.\n",
      );
      session?.end({ reason: "revoked", detail: String(error), ...NO_STATUS });
    }
  }

  #end(message: Extract<ToRecorder, { type: "end" }>): void {
    const session = this.#sessions.get(message.session)?.session;
    if (session === undefined) return;
    if (message.text !== "") session.message(message.text);
    session.end({ reason: message.reason, detail: message.detail, ...NO_STATUS });
  }

  /** Anybody on the host may come; nobody's connection ends the sessions that are here. */
  #meet(socket: Socket): void {
    try {
      this.#accept(socket);
    } catch {
      socket.destroy(); // there are no more descriptors
    }
  }

  #accept(socket: Socket): void {
    const { pid, uid } = socketCredentials(socket);
    const release = this.#quota.take(uid);
    if (release === null) {
      socket.destroy();
      return;
    }
    socket.on("close", release);
    const connection = new ShimConnection(socket);
    const timeout = setTimeout(() => connection.destroy(), TICKET_WAIT_MS);
    connection.onFrames = (frames) => {
      clearTimeout(timeout);
      this.#arrived({ connection, pid, release }, frames);
    };
    connection.onClosed = () => clearTimeout(timeout);
  }

  #arrived(from: Pick<Arrival, "connection" | "pid" | "release">, frames: ShimFrame[]): void {
    const { connection } = from;
    const [frame] = frames;
    // A shim says nothing more before it has been told what to start.
    const hello = frame?.type === "h" && frames.length === 1 ? decodeHello(frame.data) : null;
    if (hello === null || this.#arrivals.has(hello.ticket)) {
      connection.destroy();
      return;
    }
    // The ticket comes by another socket and may be a moment behind.
    const timeout = setTimeout(() => connection.destroy(), TICKET_WAIT_MS);
    this.#arrivals.set(hello.ticket, { ...from, hello, timeout });
    connection.onFrames = () => connection.destroy();
    connection.onClosed = () => {
      clearTimeout(timeout);
      this.#arrivals.delete(hello.ticket);
    };
    this.#match(hello.ticket);
  }

  #match(key: string): void {
    const ticket = this.#tickets.get(key);
    const arrival = this.#arrivals.get(key);
    if (ticket === undefined || arrival === undefined) return;
    this.#tickets.delete(key);
    this.#arrivals.delete(key);
    clearTimeout(arrival.timeout);
    arrival.release();
    if (ticket.live.shim.pid === arrival.pid) this.#begin(ticket, arrival);
    else arrival.connection.destroy();
  }

  #begin(ticket: Ticket, arrival: Arrival): void {
    const { session: id } = ticket.live;
    const { connection, hello } = arrival;
    const onTerminal = ticket.live.start.kind === "pty";
    const began = performance.now();
    let terminal: Terminal | undefined;
    try {
      const opening = openingOf(ticket);
      const start: StartRecord = {
        ...ticket.live.start,
        ...(opening.kind === "files" ? { kind: "files" } : {}),
        startedAt: Date.now(),
        terminal: onTerminal
          ? { term: hello.term || "dumb", columns: hello.columns, rows: hello.rows }
          : null,
      };
      const live = { ...ticket.live, start };
      // First what may not be had: after "failed" nobody writes the recording.
      if (onTerminal && opening.kind === "program")
        terminal = new Terminal(hello.columns, hello.rows, ticket.uid, ticket.gid);
      const writer = new RecordingWriter(start, id, {
        spool: this.#settings.spool,
        hostKey: this.#settings.hostKey,
        owner: ownerText(this.#settings.process),
        durability: ticket.recording.durability,
        micros: () => Math.round((performance.now() - began) * 1000),
        onSealed: (session, sequence) => this.#control.send({ type: "sealed", session, sequence }),
        onFailed: (error) => this.#failed(id, error),
      });
      const context = {
        ...{ ticket, connection, writer, term: start.terminal?.term ?? "dumb" },
        onEvent: (event: SessionEvent) => this.#control.send({ type: "event", session: id, event }),
        onEnded: (end: EndRecord) => this.#ended(id, end),
      };
      const session = startSession(context, opening, terminal, hello);
      this.#sessions.set(id, { live, session, writer });
      this.#ticking ??= setInterval(() => this.#tick(), TICK_MS);
      this.#control.send({ type: "started", live });
      this.#start(session);
    } catch (error) {
      this.#control.send({ type: "failed", session: id, message: String(error) });
      terminal?.close();
      connection.destroy();
    }
  }

  /** What does not start ends with a reason, and is recorded whole. */
  #start(session: Session): void {
    try {
      session.begin();
    } catch (error) {
      session.message("sallyport: This session cannot be started. Tell the host's administrators.\n");
      session.end({ reason: "refused", detail: String(error), ...NO_STATUS });
    }
  }

  #ended(id: SessionId, end: EndRecord): void {
    this.#sessions.delete(id);
    this.#control.send({ type: "ended", session: id, end });
    this.#leaveWhenDrained();
  }

  /** The spool takes nothing more, so the session stops: it does not go on unrecorded. */
  #failed(id: SessionId, error: unknown): void {
    const entry = this.#sessions.get(id);
    this.#sessions.delete(id);
    this.#control.send({ type: "failed", session: id, message: String(error) });
    entry?.session.abandon(
      "sallyport: this session cannot be recorded any longer, so it ends. Tell the host's administrators.\n",
    );
    this.#leaveWhenDrained();
  }

  /** Only while there are sessions: a recorder at rest uses no CPU. */
  #tick(): void {
    const now = Date.now();
    for (const { writer, session } of this.#sessions.values()) {
      writer.tick(now);
      session.checkLimits();
    }
    if (this.#sessions.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  #leaveWhenDrained(): void {
    const awaited = this.#sessions.size + this.#tickets.size + this.#arrivals.size;
    if (!this.#draining || awaited > 0) return;
    rmSync(this.#settings.socketPath, { force: true });
    // Not before the last shim has taken what is on its way to it.
    this.#server.close(() => process.exit(0));
  }
}
