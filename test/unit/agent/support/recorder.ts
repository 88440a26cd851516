import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { processStat } from "@sallyport/agent/kernel/processes.ts";
import {
  FromRecorder,
  LineReader,
  type Ticket,
  type ToRecorder,
} from "@sallyport/agent/recorders/control-messages.ts";
import { until } from "../../../../demo/light-host/until.ts";
import { hostKeys, makeSpool, newSession, type Spool, startRecord } from "../../uplink/spool/spool.ts";
import { ScriptedShim } from "./scripted-shim.ts";

/** A real recorder in a process of its own; the test is its agent, and its shims. */
export class RecorderUnderTest {
  readonly spool: Spool;
  readonly #directory: string;
  readonly #server: Server;
  readonly #process: ChildProcess;
  readonly exited: Promise<number | null>;
  /** What it has said so far. */
  readonly said: FromRecorder[] = [];
  readonly #shims: ScriptedShim[] = [];
  #socket: Socket | undefined;

  private constructor(directory: string, spool: Spool, server: Server) {
    [this.#directory, this.spool, this.#server] = [directory, spool, server];
    server.on("connection", (socket) => this.#listen(socket));
    const script = fileURLToPath(import.meta.resolve("./recorder-process.ts"));
    this.#process = spawn(process.execPath, [script, directory, spool.path], {
      stdio: ["pipe", "inherit", "inherit"],
    });
    this.exited = once(this.#process, "exit").then(([status]) => status as number | null);
  }

  static async start(spool: Spool = makeSpool()): Promise<RecorderUnderTest> {
    const directory = mkdtempSync(join(tmpdir(), "recorder-"));
    writeFileSync(join(directory, "host.key"), hostKeys.privateKey.export({ format: "pem", type: "pkcs8" }));
    const server = createServer();
    server.listen(join(directory, "control.sock"));
    await once(server, "listening");
    const recorder = new RecorderUnderTest(directory, spool, server);
    try {
      await recorder.says("hello");
    } catch (error) {
      // Nothing of it may stay: the tests would never end.
      await recorder.close();
      throw error;
    }
    return recorder;
  }

  async close(): Promise<void> {
    for (const shim of this.#shims) shim.socket.destroy();
    this.#process.kill("SIGKILL");
    await this.exited;
    this.#server.close();
    this.#socket?.destroy();
    this.spool.remove();
    rmSync(this.#directory, { recursive: true });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Resident memory, in MiB. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
  }

  connect(): ScriptedShim {
    const shim = new ScriptedShim(join(this.#directory, "recorder.sock"));
    this.#shims.push(shim);
    return shim;
  }

  send(message: ToRecorder): void {
    this.#socket?.write(`${JSON.stringify(message)}\n`);
  }

  /** A ticket for a shim of this process, on a terminal unless a command is given; not sent yet. */
  ticket(changes: Partial<Ticket> & { shimPid?: number } = {}): Ticket {
    const { shimPid = process.pid, command = null, ...rest } = changes;
    const session = newSession();
    const kind = command === null ? "pty" : "command";
    const text = command === null ? null : Buffer.from(command, "base64").toString();
    const start = { ...startRecord(session), kind, command: text, terminal: null } as const;
    const self = { pid: process.pid, startTime: processStat(process.pid)?.startTime ?? 0 };
    const live = { session, start, shim: { ...self, pid: shimPid }, monitor: self };
    const ticket = randomBytes(32).toString("hex");
    const recording = { input: true, durability: "normal" } as const;
    const limits = { idle: null, longest: null };
    const options = { recording, limits, grant: { mode: "shell" }, home: "/" } as const;
    return { type: "ticket", ticket, live, uid: 0, gid: 0, shell: "/bin/sh", command, ...options, ...rest };
  }

  /** Begins a session as agent and shim do; `start` is what the shim is told to start. */
  async begin(changes: Partial<Ticket> = {}) {
    const ticket = this.ticket(changes);
    this.send(ticket);
    const shim = this.connect();
    shim.hello(ticket.ticket);
    const start = await shim.nextOf("x");
    if (start === null) throw new Error("no session came to be");
    return {
      shim,
      start,
      session: ticket.live.session,
      directory: join(this.spool.path, ticket.live.session),
    };
  }

  /** Waits for a message of a type, about one session if one is given. */
  async says<T extends FromRecorder["type"]>(
    type: T,
    session?: string,
  ): Promise<Extract<FromRecorder, { type: T }>> {
    let found: FromRecorder | undefined;
    const there = () => {
      found = this.said.find(
        (one) => one.type === type && (session === undefined || sessionOf(one) === session),
      );
      return found !== undefined;
    };
    if (!(await until(there, 40_000))) throw new Error(`the recorder does not say ${type}`);
    return found as Extract<FromRecorder, { type: T }>;
  }

  #listen(socket: Socket): void {
    const reader = new LineReader();
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      const lines = reader.push(String(chunk));
      this.said.push(...lines.map((line) => FromRecorder.parse(JSON.parse(line))));
    });
  }
}

export function sessionOf(message: FromRecorder): string | undefined {
  if (message.type === "started") return message.live.session;
  return message.type === "hello" ? undefined : message.session;
}
