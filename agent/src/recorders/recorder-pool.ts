import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "winston";
import { isAlive, type ProcessIdentity } from "../kernel/processes.ts";
import {
  FromRecorder,
  LineReader,
  type LiveSession,
  parseMessage,
  type ToRecorder,
} from "./control-messages.ts";

const RESTART_MS = 200;
const DEATH_POLL_MS = 50;

/** A recorder that is connected. */
interface Recorder {
  process: ProcessIdentity;
  version: string;
  socketPath: string;
  socket: Socket;
  sessions: Map<string, LiveSession>;
}

export interface PoolContext {
  version: string;
  controlSocket: string;
  /** How many recorders to keep. */
  size: number;
  /** Program and arguments that start a recorder with this id. */
  command(id: string): [string, string[]];
  log: Logger;
  onMessage(message: Exclude<FromRecorder, { type: "hello" }>): void;
  /** A recorder has told what it holds: after its start, or after ours. */
  onHello(sessions: LiveSession[], recorder: ProcessIdentity): void;
  /** A recorder died with these sessions. */
  onLost(sessions: LiveSession[], recorder: ProcessIdentity): void;
}

/**
 * The recorders of this host. They are processes of their own that outlive the agent: at its start it adopts those
 * of its own version that are there, lets others drain, and starts what is missing.
 */
export class RecorderPool {
  readonly #context: PoolContext;
  readonly #server: Server;
  readonly #recorders = new Map<Socket, Recorder>();
  readonly #starting = new Set<number>();
  readonly #waiting = new Set<(ready: boolean) => void>();
  #opening = true;
  #stopped = false;

  constructor(context: PoolContext) {
    this.#context = context;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens, and after `adoptMs` (time for recorders of an earlier agent to come) starts what is missing. */
  start(adoptMs: number): void {
    rmSync(this.#context.controlSocket, { force: true });
    this.#server.listen(this.#context.controlSocket, () => {
      chmodSync(this.#context.controlSocket, 0o600);
      setTimeout(() => {
        this.#fill();
        this.#opening = false;
      }, adoptMs);
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#server.close();
    for (const socket of this.#recorders.keys()) socket.destroy();
  }

  /** A recorder is there, or one is on its way: after our start, or after one was lost. */
  get expected(): boolean {
    return this.#current().length > 0 || this.#starting.size > 0 || this.#opening;
  }

  /** Waits until a recorder is there; false when none comes in time. */
  async whenReady(milliseconds: number): Promise<boolean> {
    if (this.#current().length > 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), milliseconds);
      const settle = (ready: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve(ready);
      };
      this.#waiting.add(settle);
    });
  }

  /** The connected recorders, those that drain too; `sessions` counts. */
  get recorders(): { pid: number; version: string; sessions: number }[] {
    return [...this.#recorders.values()].map(({ process, version, sessions }) => {
      return { pid: process.pid, version, sessions: sessions.size };
    });
  }

  /** The sessions that recorders hold, and those that are promised to one. */
  get sessions(): LiveSession[] {
    return [...this.#recorders.values()].flatMap((recorder) => [...recorder.sessions.values()]);
  }

  /** One of those sessions. */
  session(id: string): LiveSession | undefined {
    for (const { sessions } of this.#recorders.values()) {
      const live = sessions.get(id);
      if (live !== undefined) return live;
    }
    return undefined;
  }

  /** Processes of the connected recorders. */
  get processes(): ProcessIdentity[] {
    return [...this.#recorders.values()].map((recorder) => recorder.process);
  }

  /** The recorder that a new session should go to: the one with the fewest. Null when none is ready. */
  choose(): { socketPath: string; send(message: ToRecorder): void } | null {
    const [least] = this.#current().sort((a, b) => a.sessions.size - b.sessions.size);
    if (least === undefined) return null;
    return {
      socketPath: least.socketPath,
      send: (message) => {
        if (message.type === "ticket") least.sessions.set(message.live.session, message.live);
        write(least.socket, message);
      },
    };
  }

  /** Tells the recorder that holds a session something; false when none does. */
  tell(session: string, message: ToRecorder): boolean {
    const holder = [...this.#recorders.values()].find((recorder) => recorder.sessions.has(session));
    if (holder !== undefined) write(holder.socket, message);
    return holder !== undefined;
  }

  #current(): Recorder[] {
    return [...this.#recorders.values()].filter((recorder) => recorder.version === this.#context.version);
  }

  #fill(): void {
    if (this.#stopped) return;
    for (
      let missing = this.#context.size - this.#current().length - this.#starting.size;
      missing > 0;
      missing--
    )
      this.#spawn();
  }

  #spawn(): void {
    const id = randomBytes(6).toString("hex");
    const [program, args] = this.#context.command(id);
    // Detached: a recorder belongs to its sessions, not to us.
    const child = spawn(program, args, { detached: true, stdio: ["ignore", "inherit", "inherit"] });
    child.unref();
    child.on("error", (error) =>
      this.#context.log.error("a recorder could not be started", { error: error.message }),
    );
    const pid = child.pid ?? 0;
    this.#starting.add(pid);
    child.on("exit", (code, signal) => {
      this.#context.log.info("a recorder has ended", { id, code, signal });
      this.#starting.delete(pid);
      setTimeout(() => this.#fill(), RESTART_MS);
    });
  }

  #accept(socket: Socket): void {
    const reader = new LineReader();
    socket.setEncoding("utf8");
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      for (const line of reader.push(String(chunk))) this.#take(socket, line);
    });
    socket.on("close", () => this.#gone(socket));
  }

  /** A recorder of another version may say what we do not know: its sessions go on all the same. */
  #take(socket: Socket, line: string): void {
    const message = parseMessage(FromRecorder, line);
    if (message !== null) this.#receive(socket, message);
    else this.#context.log.warn("a recorder said something that this agent does not understand");
  }

  #receive(socket: Socket, message: FromRecorder): void {
    if (message.type === "hello") {
      this.#hello(socket, message);
      return;
    }
    const recorder = this.#recorders.get(socket);
    if (message.type === "started") recorder?.sessions.set(message.live.session, message.live);
    if (["ended", "failed", "lapsed"].includes(message.type) && "session" in message)
      recorder?.sessions.delete(message.session);
    this.#context.onMessage(message);
  }

  #hello(socket: Socket, hello: Extract<FromRecorder, { type: "hello" }>): void {
    const sessions = new Map(hello.sessions.map((live) => [live.session as string, live]));
    this.#recorders.set(socket, { ...hello, socket, sessions });
    this.#starting.delete(hello.process.pid);
    if (hello.version !== this.#context.version) write(socket, { type: "drain" });
    this.#context.onHello(hello.sessions, hello.process);
    if (hello.version === this.#context.version) for (const settle of [...this.#waiting]) settle(true);
  }

  #gone(socket: Socket): void {
    const recorder = this.#recorders.get(socket);
    this.#recorders.delete(socket);
    if (this.#stopped) return;
    setTimeout(() => this.#fill(), RESTART_MS);
    if (recorder !== undefined) this.#whenDead(recorder);
  }

  /** A closed connection is no death yet: its recordings are another process's business while that one lives. */
  #whenDead(recorder: Recorder): void {
    const back = [...this.#recorders.values()].some((one) => one.process.pid === recorder.process.pid);
    if (back || this.#stopped) return;
    if (isAlive(recorder.process)) setTimeout(() => this.#whenDead(recorder), DEATH_POLL_MS);
    else this.#context.onLost([...recorder.sessions.values()], recorder.process);
  }
}

function write(socket: Socket, message: ToRecorder): void {
  socket.write(`${JSON.stringify(message)}\n`);
}
