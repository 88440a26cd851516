import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A turn to sign in or to renew. */
export interface Turn {
  /** Somebody else had it before: look again whether there is still need. */
  waited: boolean;
  /** Somebody else has it still, and the wait is over. */
  taken: boolean;
  release(): Promise<void>;
}

/**
 * Lets one process at a time sign in, so that ten ssh started together open one browser tab. The turn is a listening
 * socket: the kernel ends it with its process, and whoever waits is told at once. It saves tabs and guards nothing, so
 * where it cannot be had (a path too long for a socket, a wait that ended without an answer) the caller goes ahead.
 */
export async function takeTurn(path: string, maxWaitMs: number): Promise<Turn> {
  const deadline = performance.now() + maxWaitMs;
  let waited = false;
  let held = await listen(path);
  while (held === "taken" && performance.now() < deadline) {
    waited = true;
    if ((await waitForEnd(path, deadline - performance.now())) === "dead") rmSync(path, { force: true });
    held = await listen(path);
  }
  const mine = held === "taken" ? undefined : held;
  return { waited, taken: held === "taken", release: () => end(mine) };
}

interface Held {
  server: Server;
  waiting: Set<Socket>;
}

function listen(path: string): Promise<Held | undefined | "taken"> {
  return new Promise((resolve) => {
    const waiting = new Set<Socket>();
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => waiting.delete(socket));
    });
    server.on("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code === "EADDRINUSE" ? "taken" : undefined),
    );
    server.listen(path, () => resolve({ server, waiting }));
  });
}

function waitForEnd(path: string, maxWaitMs: number): Promise<"ended" | "dead"> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let connected = false;
    const timer = setTimeout(() => socket.destroy(), maxWaitMs);
    socket.on("connect", () => {
      connected = true;
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(connected ? "ended" : "dead");
    });
    socket.resume();
  });
}

function end(held: Held | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (held === undefined) return resolve();
    held.server.close(() => resolve());
    for (const socket of held.waiting) socket.destroy();
  });
}
