import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { ShimFrameReader, shimFrame, TICKET_LENGTH } from "@sallyport/agent/shim/shim-protocol.ts";
import { encodeStart, type Stage, type StartInstructions } from "@sallyport/agent/shim/start-instructions.ts";
import { TerminalClient } from "../../../fixtures/terminal.ts";
import type { SanitizedShim } from "./shim.ts";

const TICKET = Buffer.alloc(TICKET_LENGTH, 7);
/** Nothing that a shim does when its peers leave takes this long. */
const DEADLINE_MS = 20_000;

/** One program without any confinement. */
export function stage(file: string, ...args: (string | Uint8Array)[]): Stage {
  return { file, arguments: args, directory: null, noNewPrivileges: false, layers: [] };
}

/** The frame that has one or several programs started, without anything else if not said. */
export function starting(stages: Stage | Stage[], changes: Partial<StartInstructions> = {}): Buffer {
  const nothing = { terminal: null, clear: false, set: {}, unset: [], direct: false };
  return encodeStart({ ...nothing, stages: [stages].flat(), ...changes });
}

/** How a shim ended, and what its contractor got. */
export interface ShimOutcome {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: Buffer;
}

/** One end of a connection with a shim, in a test's hands. */
export class Peer {
  readonly socket: Socket;
  readonly frames: { type: string; data: Buffer }[] = [];
  readonly closed: Promise<unknown>;
  readonly #reader = new ShimFrameReader();
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      for (const { type, data } of this.#reader.push(chunk) ?? [])
        this.frames.push({ type, data: Buffer.from(data) });
      this.#wake();
    });
    this.closed = once(socket, "close").then(() => this.#wake());
  }

  send(type: string, ...parts: Uint8Array[]): void {
    this.socket.write(shimFrame(type, ...parts));
  }

  /** Waits until `check` holds for the frames so far, or the shim has hung up. */
  async until(check: (peer: Peer) => boolean): Promise<void> {
    while (!check(this) && !this.socket.destroyed && !this.socket.readableEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.socket.once("end", resolve);
      });
    }
  }

  /** All bytes of one kind of frame so far. */
  bytes(type: string): Buffer {
    return Buffer.concat(this.frames.filter((frame) => frame.type === type).map(({ data }) => data));
  }

  has(type: string): boolean {
    return this.frames.some((frame) => frame.type === type);
  }
}

/** Agent and recorder of one shim after another; what they do is said anew for each. */
export class ShimStage {
  readonly #shim: SanitizedShim;
  readonly #servers: Server[] = [];
  readonly #peers: Peer[] = [];
  readonly recorderPath: string;
  onAgent: (peer: Peer) => void = () => {};
  onRecorder: (peer: Peer) => void = () => {};

  private constructor(shim: SanitizedShim, run: string) {
    this.#shim = shim;
    this.recorderPath = join(run, "recorder.sock");
  }

  static async open(shim: SanitizedShim, run: string): Promise<ShimStage> {
    const stage = new ShimStage(shim, run);
    for (const [name, serve] of [
      ["session.sock", (peer: Peer) => stage.onAgent(peer)],
      ["principals.sock", (peer: Peer) => stage.onAgent(peer)],
      ["recorder.sock", (peer: Peer) => stage.onRecorder(peer)],
    ] as const) {
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        const peer = new Peer(socket);
        stage.#peers.push(peer);
        serve(peer);
      });
      rmSync(join(run, name), { force: true });
      server.listen(join(run, name));
      await once(server, "listening");
      chmodSync(join(run, name), 0o666);
      stage.#servers.push(server);
    }
    return stage;
  }

  async close(): Promise<void> {
    for (const peer of this.#peers.splice(0)) peer.socket.destroy();
    for (const server of this.#servers) {
      server.close();
      await once(server, "close");
    }
  }

  /** The agent's answer that sends a shim to our recorder. */
  go(): Buffer {
    return shimFrame("g", TICKET, Buffer.from(this.recorderPath));
  }

  /** The agent admits, and the recorder has `sh -c script` started; then `serve` has the recorder's end. */
  admit(script: string, serve: (peer: Peer) => void, terminal: string | null = null): void {
    this.onAgent = (peer) => peer.socket.end(this.go());
    this.onRecorder = (peer) => {
      peer.socket.write(starting(stage("/bin/sh", "sh", "-c", script), { terminal }));
      serve(peer);
    };
  }

  /** Runs programs through a shim without a terminal, with all that they say recorded, to their end. */
  async carry(
    stages: Stage | Stage[],
    changes: Partial<StartInstructions> & { input?: string | Uint8Array; env?: Record<string, string> } = {},
  ): Promise<{ status: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }> {
    const { input = "", env, ...instructions } = changes;
    this.onAgent = (peer) => peer.socket.end(this.go());
    this.onRecorder = (peer) => {
      peer.socket.write(starting(stages, instructions));
      recordAll(peer, () => peer.socket.end(shimFrame("z", peer.bytes("w"))));
    };
    const { stdout, stderr, ...how } = await this.run(undefined, input, env);
    return { ...how, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  /** Starts a shim without a terminal. */
  start(argv: string[] = ["session"], env: Record<string, string> = {}): ChildProcess {
    return spawn(this.#shim.path, argv, {
      env: { PATH: "/usr/bin:/bin", ...this.#shim.env, ...env },
      stdio: "pipe",
    });
  }

  /** Starts a shim on a terminal. */
  startOnTerminal(): TerminalClient {
    return new TerminalClient([this.#shim.path, "session"], {
      env: { PATH: "/usr/bin:/bin", ...this.#shim.env },
    });
  }

  /** Runs a shim without a terminal to its end; rejects when it hangs. */
  async run(
    argv?: string[],
    input: Uint8Array | string = "",
    env?: Record<string, string>,
  ): Promise<ShimOutcome> {
    const child = this.start(argv, env);
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
    return outcomeOf(child);
  }
}

/** Releases whatever comes, and calls `ended` once for each child that has ended. */
export function recordAll(peer: Peer, ended: () => void): void {
  let [output, error, ends] = [0, 0, 0];
  peer.socket.on("data", () => {
    const counts = Buffer.alloc(8);
    counts.writeUInt32BE(peer.bytes("o").length - output, 0);
    counts.writeUInt32BE(peer.bytes("e").length - error, 4);
    [output, error] = [peer.bytes("o").length, peer.bytes("e").length];
    peer.send("a", counts);
    const now = peer.frames.filter(({ type }) => type === "w").length;
    for (; ends < now; ends++) ended();
  });
}

/** Collects what a shim shows until it ends; rejects when it hangs. */
export async function outcomeOf(child: ChildProcess): Promise<ShimOutcome> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
  let hung = false;
  const deadline = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, DEADLINE_MS);
  const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  clearTimeout(deadline);
  if (hung) throw new Error(`the shim hangs; it has shown ${Buffer.concat(out).length} bytes`);
  return { status, signal, stdout: Buffer.concat(out), stderr: Buffer.concat(err) };
}
