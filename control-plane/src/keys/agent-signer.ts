import { connect } from "node:net";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { decodeSignResponse, encodeSignRequest } from "@sallyport/core/ssh/agent-protocol.ts";
import { fingerprint, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { verifySsh } from "@sallyport/core/ssh/signature.ts";
import type { Signer } from "@sallyport/core/ssh/signer.ts";

/** Longest wait for a signature in milliseconds, waiting for others' included. */
const PATIENCE = 5000;
/** A signature, whatever the key. */
const MAX_ANSWER = 16 * 1024;
const MAX_WAITING = 512;

/** The ssh-agents of this process, one for each socket: they are asked one thing at a time. */
export class SshAgents {
  readonly #agents = new Map<string, SshAgent>();

  /** A signer of a key that the agent at `socket` holds. The agent is asked when something is to be signed, not before. */
  signer(socket: string, publicKey: SshPublicKey): Signer {
    const agent = this.#agents.get(socket) ?? new SshAgent(socket);
    this.#agents.set(socket, agent);
    return { publicKey, sign: (data) => signByAgent(agent, publicKey, data) };
  }
}

/** Code `key-unavailable`. What the agent gives is verified: it is another program, and may have another key. */
async function signByAgent(agent: SshAgent, key: SshPublicKey, data: Uint8Array): Promise<Uint8Array> {
  try {
    const signature = decodeSignResponse(await agent.ask(encodeSignRequest(key, data)));
    if (signature === undefined)
      throw new Error("it has not this key, is locked, or was told not to sign with it");
    verifySsh(key, data, signature);
    return signature;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why = code === "" || isSallyportError(cause) ? reason(cause) : code;
    throw new SallyportError(
      "key-unavailable",
      `The ssh-agent at ${agent.socket} does not sign with the key ${fingerprint(key.blob)} (${why}). ` +
        "Whoever runs the control plane has to start that agent and add the key; nothing else needs a restart.",
      { cause },
    );
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message.replace(/\.$/, "") : String(cause);
}

class SshAgent {
  readonly socket: string;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(socket: string) {
    this.socket = socket;
  }

  /** Sends one message and returns the answer, both framed. One after the other. */
  async ask(message: Uint8Array): Promise<Uint8Array> {
    if (this.#waiting >= MAX_WAITING) throw new Error("too many wait for it");
    const until = performance.now() + PATIENCE;
    const answer = this.#last.then(() => askOnce(this.socket, message, until - performance.now()));
    this.#last = answer.catch(() => undefined);
    this.#waiting++;
    try {
      return await answer;
    } finally {
      this.#waiting--;
    }
  }
}

function askOnce(path: string, message: Uint8Array, patience: number): Promise<Uint8Array> {
  if (patience <= 0) return Promise.reject(new Error("it takes too long"));
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (error: Error | undefined): void => {
      clearTimeout(tooLate);
      socket.destroy();
      if (error === undefined) resolve(Buffer.concat(chunks));
      else reject(error);
    };
    // Not the socket's own timeout: an agent that dribbles would go on for ever.
    const tooLate = setTimeout(() => finish(new Error("it takes too long")), patience);
    socket.on("error", finish);
    socket.on("close", () => finish(new Error("it hung up")));
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length < 4) return;
      const announced = 4 + Buffer.concat(chunks).readUInt32BE(0);
      if (announced > MAX_ANSWER || length > announced) finish(new Error("its answer makes no sense"));
      else if (length === announced) finish(undefined);
    });
    socket.write(message);
  });
}
