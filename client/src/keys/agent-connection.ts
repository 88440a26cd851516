import { connect } from "node:net";

/** Longest answer, in bytes, that is read from an agent: OpenSSH's own limit. */
const MAX_ANSWER = 256 * 1024;
const PATIENCE_MS = 2000;

/**
 * Sends one framed message to the ssh-agent at `socketPath` and returns its framed answer. Rejects when nobody listens
 * there, when the answer is too long, and after 2 s of silence: the caller then does without an agent.
 */
export function askAgent(socketPath: string, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let answer: Buffer = Buffer.alloc(0);
    const finish = (error: Error | undefined): void => {
      socket.destroy();
      if (error === undefined) resolve(answer);
      else reject(error);
    };
    socket.setTimeout(PATIENCE_MS, () => finish(new Error("the ssh-agent does not answer")));
    socket.on("error", finish);
    socket.on("end", () => finish(new Error("the ssh-agent hung up")));
    socket.on("data", (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length < 4) return;
      const length = 4 + answer.readUInt32BE(0);
      if (length > MAX_ANSWER) return finish(new Error("the ssh-agent's answer is too long"));
      if (answer.length >= length) finish(undefined);
    });
    socket.write(message);
  });
}
